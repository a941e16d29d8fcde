"""Runs distdup, its rivals and a floor side by side. Called by compare.sh, which sets everything up.

The contestants take turns, so that whatever else the machine does falls on all alike; the median of the
ratios within a turn counts. Nothing here passes or fails by the clock: it says what was wanted and what
was seen. It fails if a result is not byte for byte what went in.

This process stays small on purpose: Linux counts the memory of the process that starts another into
the peak of the one started.
"""

import argparse
import contextlib
import filecmp
import os
import re
import shlex
import shutil
import statistics
import subprocess
import sys
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))
import plot  # noqa: E402
import small  # noqa: E402

MIB, GIB = 1 << 20, 1 << 30
GEOMETRIES = ((4, 6), (6, 10))
FLOOR = [sys.executable, "-I", "-S", str(HERE / "floor.py")]
PAGE = HERE.parent / "docs" / "PERFORMANCE.md"
PICTURE = PAGE.with_name("speed.svg")
BEGIN, END = "<!-- compare.sh writes from here -->", "<!-- to here -->"


class Scale:
    """How much is done: in full, or in a few minutes."""

    def __init__(self, options):
        quick = options.quick
        self.runs = options.runs or (3 if quick else 5)
        self.size = options.size or 512 * MIB
        every = {MIB, 16 * MIB, 128 * MIB, self.size, *(() if quick else (4 * GIB,))}
        self.sizes = sorted(size for size in every if size <= self.size or not options.size)
        self.par2 = (64 * MIB, 1) if quick else (self.size, 3)
        self.pipes = [64 * MIB, 256 * MIB, GIB, (4 if quick else 32) * GIB]
        self.starts = 31


# --- Running and measuring


class Run:
    """One finished process: seconds, peak resident memory, processor seconds."""

    def __init__(self, command, **how):
        start = time.monotonic()
        process = subprocess.Popen(command, **how)
        said = process.stdout.read() if process.stdout else b""
        wait(process, self)
        self.seconds = time.monotonic() - start
        self.said = said


def wait(process, into):
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        sys.exit(f"compare: exit code {process.returncode} of: {shlex.join(map(str, process.args))}")
    into.peak = usage.ru_maxrss * 1024
    into.processor = usage.ru_utime + usage.ru_stime


class Contestant:
    """A command that is run again and again in a folder, with what it leaves removed before each run."""

    def __init__(self, name, command, leaves, fed=None):
        self.name, self.command, self.leaves, self.fed = name, command, leaves, fed
        self.runs = []

    def run(self, folder, syncs):
        self.clear(folder)
        feeder = None
        if self.fed:
            feeder = subprocess.Popen(["sh", "-c", f"exec cat {self.fed[0]} >{self.fed[1]}"], cwd=folder)
        timed_within = self.command[: len(FLOOR)] == FLOOR
        out = subprocess.PIPE if timed_within else subprocess.DEVNULL
        run = Run(self.command, cwd=folder, stdin=subprocess.DEVNULL, stdout=out, stderr=None)
        if timed_within:
            run.seconds = float(run.said)
        if feeder and feeder.wait():
            sys.exit("compare: the pipe's writer failed")
        if syncs:
            start = time.monotonic()
            for left in self.leaves:
                with open(folder / left, "rb") as file:
                    os.fdatasync(file.fileno())
            run.seconds += time.monotonic() - start
        return run

    def clear(self, folder):
        for left in self.leaves:
            (folder / left).unlink(missing_ok=True)

    def median(self, what):
        return statistics.median(getattr(run, what) for run in self.runs)


def race(contestants, folder, runs, syncs=False, keeps=True, checks=False):
    """Runs all in turn, after one turn to warm up, in which each must give the input back if it `checks`."""
    for turn in range(runs + 1):
        for each in contestants:
            run = each.run(folder, syncs)
            if turn:
                each.runs.append(run)
            elif checks and not filecmp.cmp(folder / "in", folder / each.leaves[0], shallow=False):
                sys.exit(f"compare: {each.leaves[0]} differs from the input")
            if not keeps:
                each.clear(folder)


def ratios(fast, slow):
    """How many times as fast `fast` was, in each turn."""
    return [theirs.seconds / ours.seconds for ours, theirs in zip(fast.runs, slow.runs)]


class Table:
    """What was wanted and seen, and the runs behind it."""

    def __init__(self):
        self.goals, self.runs, self.notes = [], [], []

    def want(self, what, against, seen, least=None, most=None, unit=""):
        """One goal: at least, or at most, so much; `seen` is one figure or one of each turn."""
        seen = sorted(seen) if isinstance(seen, list) else [seen]
        median = statistics.median(seen)
        reached = median >= least if most is None else median <= most
        spread = f" ({figure(seen[0])} to {figure(seen[-1])})" if len(seen) > 1 else ""
        wanted = f"{figure(least)}{unit}" if most is None else f"at most {figure(most)}{unit}"
        row = (what, against, wanted, f"{figure(median)}{unit}{spread}", "yes" if reached else "**no**")
        self.goals.append(row)
        print("  {0} ({1}): wanted {2}, seen {3}: {4}".format(*row), flush=True)

    def ran(self, contestants, size, where):
        for each in contestants:
            seconds = sorted(run.seconds for run in each.runs)
            peak = max(run.peak for run in each.runs) / 1e6
            median = each.median("seconds")
            row = (each.name, where, f"{median:.3f}", f"{seconds[0]:.3f} to {seconds[-1]:.3f}", f"{size / median / 1e6:.0f}",
                   f"{each.median('processor'):.2f}", f"{peak:.1f}")
            self.runs.append(row)
            print("  {0:34} {1:14} {2:>8} s ({3}) {4:>6} MB/s, processor {5} s, peak {6} MB".format(*row), flush=True)

    def markdown(self, conditions):
        lines = [conditions, ""]
        lines += rows(("what", "held against", "wanted", "seen", "reached"), self.goals)
        lines += ["", "The runs behind it:", ""]
        lines += rows(("", "where", "median s", "least to most", "MB/s", "cpu s", "peak MB"), self.runs)
        for note in self.notes:
            lines += ["", note]
        return "\n".join(lines) + "\n"


def rows(head, body):
    return [f"| {' | '.join(row)} |" for row in (head, ["---"] * len(head), *body)]


def figure(number):
    return f"{number:.0f}" if number >= 100 else f"{number:.3g}"


# --- The contests


class Contests:
    def __init__(self, options, table):
        self.distdup, self.zfec, self.kernels = options.distdup, options.zfec, options.kernels
        self.scale, self.table = Scale(options), table
        self.folders = {"tmpfs": options.work, "disk": options.disk}
        self.lines = {}

    @contextlib.contextmanager
    def folder(self, place, size, need):
        """An empty folder but for `in`, of random bytes; `None` where there is no room."""
        folder = Path(self.folders[place]) / "race"
        room = shutil.disk_usage(folder.parent).free
        if place == "tmpfs":
            room = min(room, memory_available())
        if room < need * size + GIB:
            self.table.notes.append(f"{size / 1e6:.0f} MB on {place} was left out: {need * size / 1e9:.0f} GB are needed.")
            yield None
            return
        folder.mkdir()
        try:
            with open(folder / "in", "wb") as file:
                for at in range(0, size, MIB):
                    file.write(os.urandom(min(MIB, size - at)))
            yield folder
        finally:
            shutil.rmtree(folder)

    def encode_command(self, k, n, source="in", out="s{i}"):
        return [self.distdup, "encode", "-q", "-k", str(k), "-n", str(n), "-o", out, source]

    def floor(self, k, n, source="in", fed=None):
        return Contestant(f"encode ({k},{n}): floor", [*FLOOR, "write", source, str(k), str(n)], names("f", n), fed)

    def encoders(self, k, n):
        fecs = fec_names(n)
        zfec = [self.zfec / "zfec", "-q", "-f", "-m", str(n), "-k", str(k), "-p", "in", "in"]
        return [
            self.floor(k, n),
            Contestant(f"encode ({k},{n}): distdup", self.encode_command(k, n), names("s", n)),
            Contestant(f"encode ({k},{n}): zfec", zfec, fecs),
        ]

    def decoders(self, k, n):
        """With as many data shares lost as can be."""
        left = range(min(n - k, k), n)
        shares, fecs = names("s", n), fec_names(n)
        decode = [self.distdup, "decode", "-q", *(shares[i] for i in left), "-o", "out"]
        zdecode = [self.zfec / "zunfec", "-o", "zout", *[fecs[i] for i in left][:k]]
        name = f"decode ({k},{n}), {left[0]} lost"
        return [Contestant(f"{name}: distdup", decode, ["out"]), Contestant(f"{name}: zunfec", zdecode, ["zout"])]

    def sizes(self, place="tmpfs"):
        """Encode and decode beside zfec, on every size; on tmpfs all that `speed.svg` shows."""
        for size in self.scale.sizes:
            for k, n in GEOMETRIES if size == self.scale.size else GEOMETRIES[:1]:
                self.size(place, size, k, n)

    def disk(self):
        self.sizes("disk")

    def size(self, place, size, k, n):
        table, is_main = self.table, place == "tmpfs" and size == self.scale.size
        syncs, where = place == "disk", f"{place}, {size / 1e6:.0f} MB"
        # Of small inputs more runs, since they cost nothing; of the largest fewer, since zfec takes so long.
        runs = self.scale.runs * 5 if size < 64 * MIB else min(self.scale.runs, 3) if size > GIB else self.scale.runs
        with self.folder(place, size, 2 + n / k) as folder:
            if folder is None:
                return
            encoders = self.encoders(k, n)
            race(encoders, folder, runs, syncs, keeps=False)
            table.ran(encoders, size, where)
            floor, distdup, zfec = encoders
            if is_main:
                geometry = f"encode ({k},{n})"
                table.want(f"{geometry}, file to n files", "the floor", ratios(distdup, floor), least=1.2)
                table.want(geometry, "zfec", ratios(distdup, zfec), least=4 if k == 4 else 5)
        with self.folder(place, size, max(1 + 2 * n / k, 4)) as folder:
            if folder is None:
                return
            for each in encoders[1:]:
                each.run(folder, False)
                for lost in each.leaves[: min(n - k, k)]:
                    (folder / lost).unlink()
            decoders = self.decoders(k, n)
            race(decoders, folder, runs, syncs, keeps=False, checks=True)
            table.ran(decoders, size, where)
            if is_main:
                lost = f"decode ({k},{n}), {min(n - k, k)} data shares lost"
                table.want(lost, "zunfec", ratios(*decoders), least=3 if k == 4 else 4)
        if place == "tmpfs" and k == 4:
            for each in encoders + decoders:
                speeds = [size / run.seconds / 1e6 for run in each.runs]
                point = (size, statistics.median(speeds), min(speeds), max(speeds))
                self.lines.setdefault(each.name.replace(" (4,6)", "").replace(", 2 lost", ""), []).append(point)

    def fifo(self):
        """Encode from a named pipe that `cat` fills."""
        size = self.scale.size
        with self.folder("tmpfs", size, 5) as folder:
            os.mkfifo(folder / "fifo")
            fed = ("in", "fifo")
            for k, n in GEOMETRIES:
                floor = self.floor(k, n, "fifo", fed)
                distdup = Contestant(f"encode ({k},{n}): distdup", self.encode_command(k, n, "fifo"), names("s", n), fed)
                race([floor, distdup], folder, self.scale.runs)
                self.table.ran([floor, distdup], size, "from a FIFO")
                against = "the floor fed by the same FIFO"
                self.table.want(f"encode ({k},{n}) from a FIFO", against, ratios(distdup, floor), least=1.0)

    def whole(self):
        """Decode with nothing lost, and repair of one share."""
        size, (k, n) = self.scale.size, GEOMETRIES[0]
        with self.folder("tmpfs", size, 6) as folder:
            subprocess.run(self.encode_command(k, n), cwd=folder, check=True)
            shares = names("s", n)
            decode = [self.distdup, "decode", "-q", *shares, "-o", "out"]
            cat = ["sh", "-c", f"exec cat {' '.join(shares[:k])} >cat"]
            contestants = [
                Contestant(f"decode ({k},{n}), none lost: distdup", decode, ["out"]),
                Contestant(f"decode ({k},{n}), none lost: cat", cat, ["cat"]),
            ]
            race(contestants, folder, self.scale.runs)
            if not filecmp.cmp(folder / "in", folder / "out", shallow=False):
                sys.exit("compare: out differs from the input")
            self.table.ran(contestants, size, "tmpfs")
            against = "cat of the data shares into one file"
            self.table.want("decode, nothing lost", against, ratios(*contestants), least=0.9)

            (folder / "s1").rename(folder / "lost")
            (folder / "cat").unlink()
            left = [share for share in shares if share != "s1"]
            repair = [self.distdup, "repair", "-q", *left, "-o", "s{i}"]
            again = self.encode_command(k, n, "out", "r{i}")
            both = ["sh", "-c", f"{shlex.join(map(str, [*decode[:3], *left, '-o', 'out']))} && {shlex.join(map(str, again))}"]
            contestants = [
                Contestant(f"repair ({k},{n}), one share: distdup", repair, ["s1"]),
                Contestant(f"repair ({k},{n}): decode, encode", both, ["out", *names("r", n)]),
                Contestant(f"repair ({k},{n}): floor", [*FLOOR, "read", "f", *left[:k]], ["f"]),
            ]
            race(contestants, folder, self.scale.runs)
            if not filecmp.cmp(folder / "lost", folder / "s1", shallow=False):
                sys.exit("compare: the share that was repaired differs from what it was")
            self.table.ran(contestants, size, "tmpfs")
            self.table.want("repair of one share", "decode and encode again", ratios(*contestants[:2]), least=1.5)

    def par2(self):
        (size, runs), (k, n) = self.scale.par2, GEOMETRIES[0]
        with self.folder("tmpfs", size, 4) as folder:
            distdup = Contestant(f"encode ({k},{n}): distdup", self.encode_command(k, n), names("s", n))
            # How it names its files of redundancy depends on how many there are.
            make = "rm -f p.*par2; exec par2 create -q -q -r50 p.par2 in"
            par2 = Contestant("50 % redundancy: par2", ["sh", "-c", make], [])
            for each in (distdup, par2):
                each.runs = [each.run(folder, False) for _ in range(runs)]
            self.table.ran([distdup, par2], size, f"tmpfs, {size / 1e6:.0f} MB")
            self.table.want("encode with 50 % redundancy", "par2", ratios(distdup, par2), least=100)

    def kernel(self):
        """Kernels on one core, by a program that runs them in turn."""
        said = subprocess.run([self.kernels], check=True, stdout=subprocess.PIPE, text=True).stdout
        speeds = {}
        for line in said.splitlines():
            name, k, n, median, *_ = line.split("\t")
            speeds.setdefault((int(k), int(n)), {})[name] = float(median)
        head = ("k, n", "rs8", "ISA-L", "reed-solomon-erasure", "rs16")
        body = [(f"{k}, {n}", *(f"{found[name]:,.0f}" for name in head[1:])) for (k, n), found in speeds.items() if "ISA-L" in found]
        note = "The kernels, MB/s of data of one core's time, shards of 64 KiB, medians of 60 turns:"
        self.table.notes.append("\n".join([note, "", *rows(head, body)]))
        for (k, n), found in speeds.items():
            if (k, n) in GEOMETRIES:
                self.table.want(f"rs8 kernel ({k},{n}), one core", "ISA-L's", found["rs8"] / found["ISA-L"], least=1.0)
            if "memcpy" in found:
                seen = found["xor"] / found["memcpy"]
                self.table.want(f"xor kernel ({k},{n}), one core", "memcpy of the same bytes", seen, least=0.6)

    def pipes(self):
        """Memory and cost a byte: encode, fed through a pipe, into named pipes, from which decode reads."""
        body, encode, decode = [], [], []
        for size in self.scale.pipes:
            # What is short is done often enough to be counted.
            runs = [self.through_pipes(size) for _ in range(max(1, min(9, 2 * GIB // size)))]
            for ran, into in zip(zip(*runs), (encode, decode)):
                into.append((max(run.peak for run in ran) / 1e6, statistics.median(run.processor for run in ran) * 1e9 / size))
            row = (f"{size / 1e6:,.0f}", *(f"{value:.3g}" for into in (encode, decode) for value in into[-1]))
            print("  through pipes: {} MB; encode {} MB, {} s a GB; decode {} MB, {} s a GB".format(*row), flush=True)
            body.append(row)
        head = ("MB of input", "encode: peak MB", "cpu s a GB", "decode: peak MB", "cpu s a GB")
        note = "Through pipes alone, (4,6), decode without shares 0 and 1:"
        self.table.notes.append("\n".join([note, "", *rows(head, body)]))
        small, large = self.scale.pipes[1], self.scale.pipes[-1]
        sizes = f"{small / 1e6:.0f} MB and {large / 1e9:.0f} GB"
        for name, ran in (("encode", encode), ("decode", decode)):
            peaks = [peak for peak, _ in ran]
            costs = [cost for _, cost in ran]
            self.table.want(f"{name}: peak memory at {sizes}", "each other", 100 * abs(peaks[-1] / peaks[1] - 1), most=5, unit=" %")
            self.table.want(f"{name}: peak memory", "-", max(peaks), most=64, unit=" MB")
            middle = statistics.median(costs)
            away = max(abs(cost / middle - 1) for cost in costs)
            self.table.want(f"{name}: cost a byte, {self.scale.pipes[0] / 1e6:.0f} MB to {large / 1e9:.0f} GB", "a straight line",
                            100 * away, most=10, unit=" % off")

    def through_pipes(self, size):
        k, n = GEOMETRIES[0]
        folder = Path(self.folders["tmpfs"]) / "pipes"
        folder.mkdir()
        pipes = names(f"{folder}/p", n)
        for pipe in pipes:
            os.mkfifo(pipe)
        nothing = subprocess.DEVNULL
        source = subprocess.Popen([*FLOOR, "pour", str(size)], stdout=subprocess.PIPE)
        encode = subprocess.Popen(self.encode_command(k, n, "-", f"{folder}/p{{i}}"), stdin=source.stdout)
        decode = subprocess.Popen([self.distdup, "decode", "-q", *pipes[n - k :], "-o", "-"], stdout=subprocess.PIPE, stdin=nothing)
        source.stdout.close()
        others = [subprocess.Popen(["cat", pipe], stdout=nothing) for pipe in pipes[: n - k]]
        counter = subprocess.Popen(["wc", "-c"], stdin=decode.stdout, stdout=subprocess.PIPE)
        decode.stdout.close()
        row = [argparse.Namespace(), argparse.Namespace()]
        try:
            for process, into in zip((encode, decode), row):
                wait(process, into)
        except SystemExit:
            for process in (encode, decode, source, *others):  # which may wait for ever at a pipe that nobody opens
                process.kill()
            raise
        for process in (source, *others):
            process.wait()
        out, _ = counter.communicate()
        if int(out) != size:
            sys.exit(f"compare: {int(out)} bytes came back instead of {size}")
        shutil.rmtree(folder)
        return row

    def start(self):
        folder = Path(self.folders["tmpfs"]) / "small"
        folder.mkdir()
        milliseconds = lambda times: [1e3 * seconds for seconds in times]  # noqa: E731
        times = small.encode(self.distdup, folder, self.scale.starts)
        self.table.want("encode of 1 kB, start to exit", "-", milliseconds(times), most=10, unit=" ms")
        times = small.put(self.distdup, folder, self.scale.starts)
        self.table.want("resident: put of 1 kB to three folders", "-", milliseconds(times), most=5, unit=" ms")
        shutil.rmtree(folder)


PARTS = ("start", "kernel", "fifo", "whole", "sizes", "pipes", "par2", "disk")


def names(start, count):
    return [f"{start}{i}" for i in range(count)]


def fec_names(n):
    """As zfec names its shares: with as many digits as the last has."""
    width = len(str(n))
    return [f"in.{i:0{width}}_{n}.fec" for i in range(n)]


# --- What it was measured on, and where it is written


def memory_available():
    with open("/proc/meminfo") as file:
        return int(re.search(r"MemAvailable: +(\d+)", file.read()).group(1)) << 10


def touch_memory(folder):
    """Uses all memory once. Pages that a virtual machine has never had take several times as long to get, and whoever
    comes upon them would look slow."""
    left = max(0, min(memory_available(), shutil.disk_usage(folder).free) - 2 * GIB)
    with open(folder / "all", "wb") as file:
        subprocess.run(["head", "-c", str(left), "/dev/zero"], stdout=file, check=True)
    (folder / "all").unlink()


def conditions(scale, load):
    with open("/proc/cpuinfo") as file:
        cpu = re.search(r"model name\s*: (.*)", file.read())
    kind = cpu.group(1) if cpu else os.uname().machine
    return (
        f"{os.cpu_count()} cores ({kind}), Linux {os.uname().release.split('-')[0]}; {time.strftime('%Y-%m-%d', time.gmtime())}; load before "
        f"{load:.1f}; tmpfs where nothing else is said; {scale.size / 1e6:.0f} MB of random bytes, `--codec rs`; medians of {scale.runs} turns, "
        "with least and most. A ratio is the median of those within a turn."
    )


def write(markdown):
    page = PAGE.read_text()
    before, rest = page.split(BEGIN)
    _, after = rest.split(END)
    PAGE.write_text(f"{before}{BEGIN}\n\n{markdown}\n{END}{after}")


def publish(contests, table, said):
    """Table and plot of what was measured so far."""
    picture = ""
    if contests.lines:
        ticks = {size: f"{size // MIB} MiB" if size < GIB else f"{size // GIB} GiB" for size in contests.scale.sizes}
        PICTURE.write_text(plot.draw(contests.lines, "input, (4,6) on tmpfs", "MB/s", ticks))
        picture = f"\n![MB/s by size of input]({PICTURE.name})\n"
    write(table.markdown(said) + picture)
    print(f"written: {PAGE}", flush=True)


def size_in_bytes(text):
    number, unit = re.fullmatch(r"(\d+)([A-Za-z]*)", text).groups()
    return int(number) * {"": 1, "MB": 10**6, "GB": 10**9, "MiB": MIB, "GiB": GIB}[unit]


def main():
    parser = argparse.ArgumentParser(prog="compare.sh", allow_abbrev=False)
    for path in ("--distdup", "--zfec", "--kernels", "--work", "--disk"):
        parser.add_argument(path, type=Path, required=True, help=argparse.SUPPRESS)
    parser.add_argument("--quick", action="store_true", help="3 turns, up to 512 MB, no disk: some minutes")
    parser.add_argument("--size", type=size_in_bytes)
    parser.add_argument("--runs", type=int)
    parser.add_argument("--only", help=f"some parts of {','.join(PARTS)}; nothing is written")
    options = parser.parse_args()
    parts = options.only.split(",") if options.only else PARTS[:-1] if options.quick else PARTS
    if not set(parts) <= set(PARTS):
        parser.error(f"--only takes some of {', '.join(PARTS)}")

    start, load, table = time.monotonic(), os.getloadavg()[0], Table()
    contests = Contests(options, table)
    said = conditions(contests.scale, load)
    touch_memory(options.work)
    for part in parts:
        print(f"{part}: (after {time.monotonic() - start:.0f} s)", flush=True)
        getattr(contests, part)()
        # After each part, so that a run that is stopped leaves what it has.
        if not options.only:
            missing = parts[parts.index(part) + 1 :]
            publish(contests, table, said + (f" **Stopped before: {', '.join(missing)}.**" if missing else ""))
    print(f"done after {time.monotonic() - start:.0f} s")


if __name__ == "__main__":
    main()
