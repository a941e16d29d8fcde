"""Runs Duplicity with the distdup backend registered.

distdup starts this file under Duplicity's own interpreter, with Duplicity's arguments. It has to be
a real file and an importable main: Duplicity 3.x with --concurrency spawns workers that import their
parent's main module again, under another name, and would not know the scheme otherwise. Duplicity
restarts itself by os.execve(sys.argv[0], ...), so that sys.argv[0] is this file.
"""

import importlib.util
import logging
import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
if HERE not in sys.path:  # `python -P`, or PYTHONSAFEPATH
    sys.path.insert(0, HERE)


def has_dup_run():
    """Is this Duplicity one that can be called (1.x and later), not only run as a script (0.8)?

    Answered without importing anything of Duplicity's, because the script of 0.8 sets the locale
    before it does.
    """
    spec = importlib.util.find_spec("duplicity")
    if spec is None or not spec.submodule_search_locations:
        sys.exit("distdup: %s has no module duplicity; is it the interpreter of the Duplicity "
                 "that was found?" % sys.executable)
    return os.path.exists(os.path.join(spec.submodule_search_locations[0], "__main__.py"))


CALLABLE = has_dup_run()
if not CALLABLE:
    os.environ["LC_ALL"] = "POSIX"  # what the script of 0.8 does first

import distdupbackend  # noqa: E402  registers the scheme distdup, here and in spawned workers


def restart_through_interpreter():
    """Lets Duplicity restart itself where this file's folder is mounted noexec.

    A memory folder often is (Docker's /dev/shm). access(2) knows; execve would fail with EACCES.
    """
    if os.access(sys.argv[0], os.X_OK):
        return
    launcher, execve = sys.argv[0], os.execve

    def execve_script(path, argv, env):
        if path == launcher:
            execve(sys.executable, [sys.executable] + list(argv), env)
        execve(path, argv, env)

    os.execve = execve_script


def run_script(path):
    """Runs the installed script as the main program.

    runpy.run_path would do, but for one thing: it sets sys.argv[0] to the script for as long as it
    runs, and a restart would then be a Duplicity without the backend.
    """
    with open(path, "rb") as script:
        code = compile(script.read(), path, "exec")
    exec(code, {"__name__": "__main__", "__file__": path, "__builtins__": __builtins__})


def log_what_can_be_logged():
    """A name that is not text cannot be logged: that is no error, of which standard error is to tell."""
    if "DISTDUP_LOG" in os.environ:
        logging.raiseExceptions = False


def main():
    sys.argv[0] = os.path.abspath(__file__)
    restart_through_interpreter()
    log_what_can_be_logged()
    if CALLABLE:
        from duplicity.__main__ import dup_run

        sys.exit(dup_run())
    run_script(os.environ["DISTDUP_DUPLICITY"])


if __name__ == "__main__":
    main()
