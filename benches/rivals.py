"""Gives multi://, par2+ and distdup the same faults. Called by rivals.sh, which sets everything up.

Nothing is judged here but by what comes back: every file of the source is held against what was
restored. It fails only if it cannot do its work.
"""

import argparse
import filecmp
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

DISTDUP = os.environ["DISTDUP"]
GENERATIONS = {"0.8": shutil.which("duplicity"), "3": os.environ["DISTDUP_DUPLICITY3"]}
HOSTS = 3
RIVALS = ("multi mirror", "multi stripe", "par2+", "distdup")
FILES, LENGTH = 20, 10**6
# Of the host that is full: less than any of them puts on a host.
FULL = 3 * 10**6
OPTIONS = ["--no-encryption", "--no-compression", "--volsize", "4", "--num-retries", "2", "--backend-retry-delay", "1"]


class Rival:
    """A way to keep a backup on hosts h0, h1, ... of a folder."""

    def __init__(self, name, duplicity, folder):
        self.name, self.duplicity, self.folder = name, duplicity, folder
        self.hosts = [folder / f"h{i}" for i in range(1 if name.startswith("par2") else HOSTS)]
        self.said = ""

    def url(self):
        if self.name.startswith("par2"):
            return f"par2+file://{self.hosts[0]}"
        config = self.folder / "hosts.json"
        config.write_text(json.dumps([{"url": f"file://{host}"} for host in self.hosts]))
        return f"multi://{config}?mode={self.name.split()[1]}"

    def run(self, action, target):
        if self.name == "distdup":
            where = ["-o" if action == "backup" else "--from", self.folder / "h{i}"]
            command = [DISTDUP, action, target, *where, "--duplicity", self.duplicity, "--", *OPTIONS]
        elif action == "backup":
            command = [self.duplicity, "full", *OPTIONS, target, self.url()]
        else:
            command = [self.duplicity, "restore", *OPTIONS, self.url(), target]
        home = self.folder / "home"
        home.mkdir(exist_ok=True)
        # More threads than idle cores make par2 many times slower.
        environment = dict(os.environ, HOME=str(home), TMPDIR=str(self.folder), OMP_NUM_THREADS="1")
        ended = subprocess.run(command, env=environment, cwd=self.folder, stdin=subprocess.DEVNULL,
                               stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace")
        self.said = ended.stdout
        return ended.returncode

    def volume(self):
        """A volume, or a share of one, on the first host."""
        files = [file for file in self.hosts[0].iterdir() if ".vol1." in file.name and "par2" not in file.name]
        return files[0] if files else next(file for file in self.hosts[0].iterdir() if ".difftar" in file.name)


# --- Faults: what happens before the backup, and between it and the restore


def nothing(_):
    pass


def fill(rival):
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={FULL}", "full", rival.hosts[-1]], check=True)


def flip(rival):
    volume = rival.volume()
    with open(volume, "r+b") as file:
        middle = volume.stat().st_size // 2
        file.seek(middle)
        byte = file.read(1)[0]
        file.seek(middle)
        file.write(bytes([byte ^ 1]))


def lose(rival):
    shutil.rmtree(rival.hosts[0])


FAULTS = [
    ("none", nothing, nothing),
    ("one host full", fill, nothing),
    ("one full, another lost", fill, lose),
    ("one bit flipped", nothing, flip),
    ("one host lost", nothing, lose),
]


def what_came_back(source, back):
    if not back.exists() or not os.listdir(back):
        return "nothing"
    same, _, _ = filecmp.cmpfiles(source, back, os.listdir(source), shallow=False)
    return "all" if len(same) == FILES else f"{len(same)} of {FILES} files"


def trial(name, duplicity, work, source, before, after):
    folder = work / "rival"
    folder.mkdir()
    rival = Rival(name, duplicity, folder)
    for host in rival.hosts:
        if name != "distdup" or before is fill and host is rival.hosts[-1]:
            host.mkdir()
    before(rival)
    backup = rival.run("backup", source)
    row = [backup, "-", "nothing is claimed"]
    # Only what was said to be done, in full or in part, has to come back.
    if backup == 0 or name == "distdup" and backup == 3:
        after(rival)
        # As on another machine, which has nothing but the hosts.
        shutil.rmtree(folder / "home")
        row = [backup, rival.run("restore", folder / "back"), what_came_back(source, folder / "back")]
    if before is fill:
        subprocess.run(["umount", rival.hosts[-1]], check=True)
    shutil.rmtree(folder)
    return row


def main():
    parser = argparse.ArgumentParser(prog="rivals.sh", allow_abbrev=False)
    parser.add_argument("--generation", choices=GENERATIONS, help="this one alone")
    parser.add_argument("--rival", choices=RIVALS, help="this one alone")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="rivals.") as work:
        work = Path(work)
        source = work / "source"
        source.mkdir()
        for number in range(FILES):
            (source / f"file{number:02}").write_bytes(os.urandom(LENGTH))
        print("exit codes; of distdup, 3 is done, but degraded")
        print(f"{'Duplicity':10} {'':14} {'fault':24} {'backup':>7} {'restore':>8}  came back")
        for generation, duplicity in GENERATIONS.items():
            if options.generation not in (None, generation):
                continue
            for name in RIVALS if options.rival is None else [options.rival]:
                for fault, before, after in FAULTS:
                    backup, restore, back = trial(name, duplicity, work, source, before, after)
                    print(f"{generation:10} {name:14} {fault:24} {backup:7} {restore:>8}  {back}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
