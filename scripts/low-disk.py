#!/usr/bin/env python3
"""A machine with almost no disk backs a tree up, and restores it.

    scripts/low-disk.py [--size 2GiB] [--disk 4MB] [--memory 64MB] [--duplicity PATH] [--plain]

In a mount namespace of its own (for root, or where users may make one) everything is read-only but
four places: the machine's disk, of --disk bytes, which is HOME, TMPDIR and the working folder; its
/dev/shm, of --memory bytes; the three hosts; and where the tree is restored to, which has to have room
for it. The tree is random bytes, in few large and many small files, so that nothing is compressed away.
The sizes of the first two prove what is needed; what was used of them is looked at 20 times a second.

It fails unless the tree comes back the same. DISTDUP=PATH takes another binary instead of building.
"""

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

MIB = 1 << 20
REPOSITORY = Path(__file__).resolve().parent.parent
INTERVAL = 0.05


def fail(message):
    sys.exit(f"low-disk: {message}")


def size_in_bytes(text):
    number, unit = re.fullmatch(r"(\d+)([A-Za-z]*)", text).groups()
    return int(number) * {"": 1, "MB": 10**6, "GB": 10**9, "MiB": MIB, "GiB": 1 << 30}[unit]


# --- Outside: the tree, and a namespace


def make_tree(folder, size):
    """Three quarters of it in four files, the rest in files of 50 to 1,000 kB."""
    folder.mkdir()
    lengths = [size * 3 // 16] * 4
    rest = size - sum(lengths)
    while rest > 0:
        lengths.append(min(rest, 50_000 + len(lengths) * 7919 % 950_000))
        rest -= lengths[-1]
    for number, length in enumerate(lengths):
        place = folder / f"folder {number % 7}"
        place.mkdir(exist_ok=True)
        with open(place / f"file {number}", "wb") as file:
            while length:
                length -= file.write(os.urandom(min(MIB, length)))
    return len(lengths)


def distdup():
    if "DISTDUP" in os.environ:
        return os.path.realpath(os.environ["DISTDUP"])
    subprocess.run(["cargo", "build", "--release", "--locked"], cwd=REPOSITORY, check=True)
    target = os.environ.get("CARGO_TARGET_DIR", REPOSITORY / "target")
    return os.path.realpath(os.path.join(target, "release/distdup"))


def outside(options):
    program = distdup()
    with tempfile.TemporaryDirectory(prefix="low-disk.", dir=options.work) as work:
        work = Path(work)
        count = make_tree(work / "tree", options.size)
        for name in ("disk", "hosts", "restored"):
            (work / name).mkdir()
        print(f"{count} files, {options.size} bytes, random; a disk of {options.disk} bytes; "
              f"{options.memory} bytes in memory", flush=True)
        namespace = ["unshare", "--mount", "--pid", "--fork", "--mount-proc", "--propagation", "private"]
        if os.geteuid():
            namespace.append("--map-root-user")
        inner = [sys.executable, "-I", "-B", __file__, *sys.argv[1:], "--inside", work]
        return subprocess.run([*namespace, *inner], env=dict(os.environ, DISTDUP=program)).returncode


# --- Inside: all mounts of our own


def mount(*arguments):
    subprocess.run(["mount", *arguments], check=True)


def make_machine(options):
    work = options.inside
    mount("-t", "tmpfs", "-o", f"size={options.disk},mode=0700", "disk", work / "disk")
    mount("-t", "tmpfs", "-o", f"size={options.memory},mode=1777", "memory", "/dev/shm")
    writable = {str(work / name) for name in ("disk", "hosts", "restored")} | {"/dev/shm"}
    for name in ("hosts", "restored"):
        mount("--bind", work / name, work / name)
    with open("/proc/self/mountinfo") as mounts:
        lines = [line.split() for line in mounts]
    for point, flags in ((re.sub(r"\\(\d{3})", lambda octal: chr(int(octal[1], 8)), line[4]), line[5]) for line in lines):
        if point not in writable and not point.startswith("/proc/"):
            # All the flags it has: those of others must not be taken away.
            kept = [flag for flag in flags.split(",") if flag not in ("rw", "ro")]
            subprocess.run(["mount", "-o", ",".join(["remount", "bind", "ro", *kept]), point], stderr=subprocess.DEVNULL)
    for place in ("/tmp", "/var/tmp", "/", os.path.expanduser("~"), work, work / "tree"):
        try:
            tempfile.TemporaryFile(dir=place).close()
        except OSError:
            continue
        fail(f"{place} could be written to: the machine has more disk than it should")


class Watch(threading.Thread):
    """The most that was used, of each place and of memory by processes."""

    def __init__(self, places):
        super().__init__(daemon=True)
        self.places = places
        self.most = dict.fromkeys([*places, "processes"], 0)
        self.ended = threading.Event()
        self.start()

    def run(self):
        while not self.ended.wait(INTERVAL):
            for place in self.places:
                about = os.statvfs(place)
                self.note(place, (about.f_blocks - about.f_bfree) * about.f_frsize)
            self.note("processes", sum(map(proportional, self.others())))

    def note(self, what, used):
        self.most[what] = max(self.most[what], used)

    def others(self):
        return [name for name in os.listdir("/proc") if name.isdigit() and int(name) != os.getpid()]

    def end(self):
        self.ended.set()
        self.join()
        return self.most


def proportional(process):
    """Bytes of memory that a process has, its part of what it shares, and no files of a tmpfs."""
    try:
        with open(f"/proc/{process}/smaps_rollup") as file:
            lines = dict(line.split(":") for line in file if ":" in line)
        return int(lines["Pss"].split()[0]) * 1024
    except (OSError, KeyError, ValueError):
        return 0  # it has ended


def run(title, command, environment, places, cwd):
    watch = Watch(places)
    start = time.monotonic()
    status = subprocess.run(command, env=environment, cwd=cwd, stdin=subprocess.DEVNULL).returncode
    seconds = time.monotonic() - start
    most = watch.end()
    if status:
        fail(f"{title} exited with {status}")
    disk, memory, processes = (value / 1e6 for value in most.values())
    return f"{title:8} {seconds:7.1f} s; at the peak, MB: {disk:6.2f} on the disk, {memory:6.2f} in /dev/shm, " \
           f"{processes:6.1f} of memory in processes"


def inside(options):
    make_machine(options)
    work, home = options.inside, options.inside / "disk"
    environment = {
        "PATH": os.environ["PATH"], "HOME": str(home), "TMPDIR": str(home), "LANG": "C.UTF-8", "PASSPHRASE": "low",
    }
    words = ["--no-encryption"] if options.plain else []
    which = ["--duplicity", options.duplicity] if options.duplicity else []
    hosts, restored = f"{work}/hosts/h{{i}}", work / "restored/tree"
    places = [str(home), "/dev/shm"]
    program = os.environ["DISTDUP"]
    rows = []
    # Nor may it mount anything: it has to find /dev/shm.
    as_found = ["setpriv", "--bounding-set", "-sys_admin", "--inh-caps", "-sys_admin"]

    def step(title, arguments):
        command = [*as_found, program, *arguments, "--low-disk", *which, "--", *words]
        rows.append(run(title, command, environment, places, home))

    step("backup", ["backup", work / "tree", "-o", hosts])
    # A machine that knows nothing of the backup restores it.
    for left in home.iterdir():
        shutil.rmtree(left) if left.is_dir() else left.unlink()
    step("restore", ["restore", restored, "--from", hosts])
    subprocess.run(["diff", "-r", work / "tree", restored], check=True)
    stored = sum(file.stat().st_size for file in (work / "hosts").rglob("*.share"))
    volumes = sum(1 for _ in (work / "hosts/h0").glob("*.vol*.share"))
    print(*rows, f"{volumes} volumes, {stored / 1e6:.0f} MB on three hosts; the restored tree is the same", sep="\n")


def main():
    parser = argparse.ArgumentParser(prog="low-disk.py", allow_abbrev=False, description=__doc__.splitlines()[0])
    parser.add_argument("--size", type=size_in_bytes, default=2 << 30, help="of the tree: bytes, nMB, nGiB ...")
    parser.add_argument("--disk", type=size_in_bytes, default=4 * 10**6, help="of the machine")
    parser.add_argument("--memory", type=size_in_bytes, default=64 * 10**6, help="of its /dev/shm")
    parser.add_argument("--duplicity", help="its script; else the one on PATH")
    parser.add_argument("--plain", action="store_true", help="without GnuPG")
    parser.add_argument("--work", type=Path, default=Path("/var/tmp"), help="where hosts and trees are: 4 times --size")
    parser.add_argument("--inside", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    sys.exit(inside(options) if options.inside else outside(options))


if __name__ == "__main__":
    main()
