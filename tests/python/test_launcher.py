"""The launcher with a stand-in for Duplicity of either generation, which restarts itself once."""

import os
import shutil
import subprocess
import sys
import tempfile
import unittest

TESTS = os.path.dirname(os.path.abspath(__file__))
SOURCE = os.path.join(TESTS, "..", "..", "src", "duplicity")

# As Duplicity does it, and then says what it found.
RESTART = """
import os, sys
import duplicity.backend
if "RESTARTED" not in os.environ:
    os.environ["RESTARTED"] = "1"
    os.execve(sys.argv[0], sys.argv, os.environ)
print(sys.argv[1:], os.environ.get("LC_ALL"), sorted(duplicity.backend.schemes))
sys.exit(23)
"""

BACKEND = """
schemes = {}
class Backend: pass
def register_backend(scheme, factory): schemes[scheme] = factory
"""

ERRORS = """
class BackendException(Exception): pass
class FatalBackendException(BackendException): pass
"""


class Launcher(unittest.TestCase):
    def setUp(self):
        home = tempfile.TemporaryDirectory()
        self.addCleanup(home.cleanup)
        self.home = home.name
        self.write("modules/duplicity/__init__.py", "")
        self.write("modules/duplicity/backend.py", BACKEND)
        self.write("modules/duplicity/errors.py", ERRORS)
        for empty in ("config", "log", "progress"):
            self.write("modules/duplicity/%s.py" % empty, "")
        self.launcher = os.path.join(self.home, "runtime", "launcher.py")
        with open(os.path.join(SOURCE, "launcher.py")) as launcher:
            self.write("runtime/launcher.py", "#!%s\n%s" % (sys.executable, launcher.read()))
        shutil.copy(
            os.path.join(SOURCE, "backend.py"), os.path.join(self.home, "runtime/distdupbackend.py")
        )

    def write(self, name, text):
        path = os.path.join(self.home, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w") as file:
            file.write(text)
        return path

    def run_launcher(self, mode, **environment):
        os.chmod(self.launcher, mode)
        result = subprocess.run(
            [sys.executable, self.launcher, "full", "a b"],
            env={"PYTHONPATH": os.path.join(self.home, "modules"), "LC_ALL": "C.UTF-8", **environment},
            stdout=subprocess.PIPE,
            cwd=self.home,
        )
        self.assertEqual(result.returncode, 23)
        return result.stdout.decode()

    def test_a_script_is_run_and_restarted(self):
        script = self.write("bin/duplicity", RESTART)
        for mode in (0o700, 0o600):  # the second as in a folder that is mounted noexec
            said = self.run_launcher(mode, DISTDUP_DUPLICITY=script)
            self.assertEqual(said, "['full', 'a b'] POSIX ['distdup']\n")

    def test_a_module_is_called_and_restarted(self):
        body = RESTART.replace("\n", "\n    ")
        self.write("modules/duplicity/__main__.py", "def dup_run():" + body)
        for mode in (0o700, 0o600):
            said = self.run_launcher(mode)
            self.assertEqual(said, "['full', 'a b'] C.UTF-8 ['distdup']\n")

    def test_the_wrong_interpreter_is_told(self):
        shutil.rmtree(os.path.join(self.home, "modules"))
        result = subprocess.run(
            [sys.executable, "-S", "-s", self.launcher], stderr=subprocess.PIPE, env={}
        )
        self.assertEqual(result.returncode, 1)
        self.assertIn(b"has no module duplicity", result.stderr)


if __name__ == "__main__":
    unittest.main()
