"""Runs Duplicity through distdup, and to file://. Called by duplicity.sh, which sets everything up.

The contestants take turns, so that whatever else the machine does falls on all alike, and the median of
the ratios counts. Nothing here passes or fails by the clock: it prints what was wanted and what was seen, as
tables for docs/DUPLICITY.md. It fails if something does not come back as it was.
"""

import argparse
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

MIB = 1 << 20
DISTDUP = os.environ["DISTDUP"]
GENERATIONS = {"0.8": shutil.which("duplicity"), "3": os.environ["DISTDUP_DUPLICITY3"]}
PLAIN = ["--no-encryption", "--no-compression"]
KINDS = {"no encryption, no compression": PLAIN, "GnuPG": []}
# What is wanted of distdup: at most so many times the time of file://.
WANTED = {"no encryption, no compression": 1.3, "GnuPG": 1.05}
# A backup in this many files.
PIECE = 10 * MIB


def fail(message):
    sys.exit(f"duplicity.py: {message}")


def size_in_bytes(text):
    number, unit = re.fullmatch(r"(\d+)([A-Za-z]*)", text).groups()
    return int(number) * {"": 1, "MB": 10**6, "GB": 10**9, "MiB": MIB, "GiB": 1 << 30}[unit]


class Way:
    """Duplicity on its own, or through distdup: one backup and one restore at a time."""

    def __init__(self, name, duplicity, options, work):
        self.name, self.duplicity, self.options = name, duplicity, options
        self.folder = work / name
        self.source, self.back = work / "source", self.folder / "restore_source"
        self.seconds = {"backup": [], "restore": []}

    def median(self, action):
        return statistics.median(self.seconds[action])

    def command(self, action, volume):
        options = [*self.options, "--volsize", str(volume)]
        if self.name == "distdup":
            end = ["--duplicity", self.duplicity, "--", *options]
            if action == "backup":
                return [DISTDUP, "backup", self.source, "-o", self.folder / "h{i}", *end]
            return [DISTDUP, "restore", self.back, "--from", self.folder / "h{i}", *end]
        url = f"file://{self.folder}/backup"
        if action == "backup":
            return [self.duplicity, "full", *options, self.source, url]
        return [self.duplicity, "restore", *options, url, self.back]

    def run(self, volume, counts=True):
        shutil.rmtree(self.folder, ignore_errors=True)
        (self.folder / "home").mkdir(parents=True)
        environment = dict(os.environ, HOME=str(self.folder / "home"), TMPDIR=str(self.folder), PASSPHRASE="x")
        for action in ("backup", "restore"):
            command = self.command(action, volume)
            start = time.monotonic()
            ended = subprocess.run(command, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True)
            seconds = time.monotonic() - start
            if ended.returncode:
                fail(f"exit code {ended.returncode} of {' '.join(map(str, command))}\n{ended.stderr}")
            if counts:
                self.seconds[action].append(seconds)
        subprocess.run(["diff", "-r", self.source, self.back], check=True)
        shutil.rmtree(self.folder)


def make_source(work, size):
    folder = work / "source"
    folder.mkdir()
    for number, at in enumerate(range(0, size, PIECE)):
        with open(folder / f"piece{number:04}", "wb") as file:
            for _ in range(at, min(at + PIECE, size), MIB):
                file.write(os.urandom(MIB))


def row(*cells):
    print("|", " | ".join(cells), "|", flush=True)


def head(*cells):
    row(*cells)
    row(*["---"] * len(cells))


def machine(options):
    load = os.getloadavg()[0]
    return (f"{options.size / 1e6:.0f} MB of random bytes, (2,3), {os.cpu_count()} cores, load average {load:.1f} at the "
            f"start; seconds: medians of {options.runs} runs in turn")


def compare(options, work):
    make_source(work, options.size)
    print(f"{machine(options)}, fastest to slowest; volumes of {options.volume} MiB\n")
    head("Duplicity", "", "", "file://", "distdup", "ratio", "wanted")
    for generation, duplicity in GENERATIONS.items():
        for kind, words in KINDS.items():
            ways = [Way(name, duplicity, words, work) for name in ("file", "distdup")]
            for turn in range(options.runs + 1):  # the first warms up
                for way in ways if turn % 2 else reversed(ways):
                    way.run(options.volume, counts=turn > 0)
            for action in ("backup", "restore"):
                alone, through = (way.seconds[action] for way in ways)
                ratio = statistics.median(b / a for a, b in zip(alone, through))
                shown = (f"{statistics.median(values):.2f} ({min(values):.2f} to {max(values):.2f})"
                         for values in (alone, through))
                verdict = "" if ratio <= WANTED[kind] else ": missed"
                row(generation, kind, action, *shown, f"{ratio:.2f}", f"{WANTED[kind]:.2f}{verdict}")


def volumes(options, work):
    make_source(work, options.size)
    print(f"{machine(options)}; through distdup, by MiB of a volume\n")
    sizes = [1, 2, 5, 10, 25, 50, 100, 200]
    head("Duplicity", "", "", *map(str, sizes))
    for generation, duplicity in GENERATIONS.items():
        ways = {kind: {size: Way("distdup", duplicity, words, work) for size in sizes} for kind, words in KINDS.items()}
        for _ in range(options.runs):
            for size in sizes:
                for of_kind in ways.values():
                    of_kind[size].run(size)
        for action in ("backup", "restore"):
            seconds = {kind: [of_kind[size].median(action) for size in sizes] for kind, of_kind in ways.items()}
            for kind, values in seconds.items():
                row(generation, kind, action, *(f"{value:.1f}" for value in values))
            shares = (1 - plain / gpg for plain, gpg in zip(*seconds.values()))
            row(generation, "GnuPG's share, with compression", action, *(f"{share:.0%}" for share in shares))


def archive(options, work):
    """Small files, of 1 to 8 kB: what Duplicity keeps of them for itself."""
    source = work / "source"
    for number in range(options.files):
        folder = source / f"folder {number // 1000:04}"
        if number % 1000 == 0:
            folder.mkdir(parents=True)
        (folder / f"file {number:07}").write_bytes(os.urandom(1000 + number * 7919 % 7000))
    print(f"{options.files} files of 1 to 8 kB; bytes in Duplicity's archive, times 1,000,000 / {options.files}, in MB")
    for generation, duplicity in GENERATIONS.items():
        kept, home = work / "archive", work / "home"
        home.mkdir()
        command = [duplicity, "full", *PLAIN[:1], "--archive-dir", kept, source, f"file://{work}/backup"]
        process = subprocess.Popen(command, env=dict(os.environ, HOME=str(home), TMPDIR=str(work)), stdout=subprocess.DEVNULL)
        peak = 0
        while process.poll() is None:
            peak = max(peak, size_of(kept))
            time.sleep(0.02)
        if process.returncode:
            fail(f"exit code {process.returncode}")
        scale = 1e6 / options.files / 1e6
        print(f"{generation:4} {peak * scale:8.0f} at the peak, {size_of(kept) * scale:8.0f} kept", flush=True)
        for left in (kept, home, work / "backup"):
            shutil.rmtree(left)


def size_of(folder):
    total = 0
    for file in folder.rglob("*"):
        try:
            total += file.stat().st_blocks * 512
        except OSError:
            pass  # it has just gone
    return total


def main():
    parser = argparse.ArgumentParser(prog="duplicity.sh", allow_abbrev=False)
    parser.add_argument("--size", type=size_in_bytes, default=500 * 10**6, help="bytes, or nMB, nMiB ...")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--volume", type=int, default=25, help="MiB")
    parser.add_argument("--work", type=Path, default=Path("/dev/shm"), help="6 times --size are needed there")
    parser.add_argument("--generation", choices=GENERATIONS, help="this one alone")
    parser.add_argument("--volumes", action="store_true")
    parser.add_argument("--archive", action="store_true")
    parser.add_argument("--files", type=int, default=100_000)
    options = parser.parse_args()
    if options.generation:
        for other in GENERATIONS.keys() - {options.generation}:
            del GENERATIONS[other]
    with tempfile.TemporaryDirectory(prefix="duplicity-bench.", dir=options.work) as work:
        what = archive if options.archive else volumes if options.volumes else compare
        what(options, Path(work))


if __name__ == "__main__":
    main()
