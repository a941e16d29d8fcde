"""Runs distdup, zfec and a floor side by side. Called by compare.sh, which sets everything up.

The contestants take turns, so that whatever else the machine does falls on all alike, and the median
counts. Nothing here passes or fails by the clock: it prints what was wanted and what was seen. It
fails if a result is not byte for byte what went in.

This process stays small on purpose: Linux counts the memory of the process that starts another into
the peak of the one started.
"""

import argparse
import filecmp
import os
import shutil
import statistics
import subprocess
import sys
import time
from pathlib import Path

K, N = 4, 6
LOST = (0, 1)  # two data shares
MIB = 1 << 20
SIZES = (256 * MIB, 8192 * MIB)  # of the memory check
HERE = [sys.executable, "-I", "-S", os.path.abspath(__file__)]


# --- Helpers that are run as processes of their own


def floor(source, k, n):
    """The least: one process that reads the input once, and writes as many bytes as there are in n shares.

    Python, but all the work is the kernel's: readinto and os.write of pieces of 1 MiB, nothing copied
    between them. Its own start is not counted. Parity is written from the data.
    """
    start = time.monotonic()
    outs = [os.open(f"f{i}", os.O_WRONLY | os.O_CREAT | os.O_TRUNC) for i in range(n)]
    buffer = memoryview(bytearray(k * MIB))
    with open(source, "rb", buffering=0) as file:
        while length := file.readinto(buffer):
            piece = -(-length // k)
            for i, out in enumerate(outs):
                at = i % k * piece
                write_all(out, buffer[at : min(at + piece, length)])
    for out in outs:
        os.close(out)
    print(time.monotonic() - start)


def pour(length):
    """Writes so many bytes, the same MiB over and over, to standard output."""
    block = memoryview(os.urandom(MIB))
    while length > 0:
        length -= os.write(1, block[: min(MIB, length)])


def write_all(out, data):
    while data:
        data = data[os.write(out, data) :]


# --- Running and measuring


class Run:
    """One finished process: seconds, peak resident memory, processor seconds."""

    def __init__(self, command, **how):
        start = time.monotonic()
        process = subprocess.Popen(command, **how)
        said = process.stdout.read() if process.stdout else b""
        _, status, usage = os.wait4(process.pid, 0)
        self.seconds = time.monotonic() - start
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            sys.exit(f"compare: exit code {process.returncode} of: {' '.join(map(str, command))}")
        self.peak = usage.ru_maxrss * 1024
        self.processor = usage.ru_utime + usage.ru_stime
        self.said = said


class Contestant:
    """A command that is run again and again, with what it leaves removed before each run."""

    def __init__(self, name, command, leaves, work):
        self.name, self.command, self.leaves, self.work = name, command, leaves, work
        self.runs = []

    def run(self):
        for left in self.leaves:
            (self.work / left).unlink(missing_ok=True)
        timed_within = self.command[: len(HERE)] == HERE
        out = subprocess.PIPE if timed_within else subprocess.DEVNULL
        run = Run(self.command, cwd=self.work, stdin=subprocess.DEVNULL, stdout=out)
        if timed_within:
            run.seconds = float(run.said)
        return run

    def median(self, what):
        return statistics.median(getattr(run, what) for run in self.runs)

    def speed(self, size):
        return size / self.median("seconds") / 1e6


def compare(options):
    work, size = options.work, options.size
    need = size * 5
    if shutil.disk_usage(work).free < need:
        sys.exit(f"compare: {need / 1e9:.1f} GB are needed on {work}; take a smaller --size")
    with open(work / "in", "wb") as file:
        for at in range(0, size, MIB):
            file.write(os.urandom(min(MIB, size - at)))

    zfec = Path(sys.executable).parent
    fecs = [f"in.{i}_{N}.fec" for i in range(N)]
    shares = [f"s{i}" for i in range(N)]
    left = [i for i in range(N) if i not in LOST]
    geometry = ["-k", str(K), "-n", str(N)]
    encode = [options.distdup, "encode", "-q", "--codec", options.codec, *geometry, "-o", "s{i}", "in"]
    decode = [options.distdup, "decode", "-q", *(shares[i] for i in left), "-o", "out"]
    zencode = [zfec / "zfec", "-q", "-m", str(N), "-k", str(K), "-p", "in", "in"]
    zdecode = [zfec / "zunfec", "-o", "zout", *(fecs[i] for i in left)]
    contestants = [
        Contestant("encode: floor", [*HERE, "--floor", "in"], [f"f{i}" for i in range(N)], work),
        Contestant("encode: distdup", encode, shares, work),
        Contestant("encode: zfec", zencode, fecs, work),
        Contestant("decode: distdup", decode, ["out"], work),
        Contestant("decode: zunfec", zdecode, ["zout"], work),
    ]
    print(f"({K},{N}), codec {options.codec}, {size / 1e6:.0f} MB of random bytes on tmpfs, {os.cpu_count()} cores;")
    print(f"decode with data shares {', '.join(map(str, LOST))} lost; {options.runs} runs each, interleaved, after one to warm up")
    for contestant in contestants:
        contestant.run()
    for out in ("out", "zout"):
        if not filecmp.cmp(work / "in", work / out, shallow=False):
            sys.exit(f"compare: {out} differs from the input")
    for _ in range(options.runs):
        for contestant in contestants:
            contestant.runs.append(contestant.run())

    print(f"\n{'':16} {'median s':>9} {'MB/s':>7} {'cpu s':>7} {'peak MB':>8}   all runs, s")
    for each in contestants:
        runs = " ".join(f"{run.seconds:.2f}" for run in each.runs)
        peak = max(run.peak for run in each.runs) / 1e6
        median, processor = each.median("seconds"), each.median("processor")
        print(f"{each.name:16} {median:9.3f} {each.speed(size):7.0f} {processor:7.2f} {peak:8.1f}   {runs}")

    base, enc, zenc, dec, zdec = contestants
    print(f"\n{'':34} {'wanted':>8} {'seen':>8}")
    for name, wanted, fast, slow in (
        ("encode, times zfec's speed", 2.5, enc, zenc),
        ("encode, times the floor's speed", 0.8, enc, base),
        ("decode, times zunfec's speed", 1.5, dec, zdec),
    ):
        seen = fast.speed(size) / slow.speed(size)
        print(f"{name:34} {wanted:8.2f} {seen:8.2f}   {'reached' if seen >= wanted else 'NOT reached'}")
    peak = max(run.peak for each in (enc, dec) for run in each.runs) / 1e6
    print(f"{'peak memory of distdup, MB':34} {'< 100':>8} {peak:8.1f}   {'reached' if peak < 100 else 'NOT reached'}")
    print("Memory that does not grow with the input: --memory-check")


def memory_check(options):
    """encode, fed through a pipe, into named pipes; decode from those of the shares that are not lost."""
    print(f"({K},{N}), codec {options.codec}, through pipes alone; peak resident memory in MB")
    print(f"{'input':>9} {'encode':>8} {'decode':>8} {'seconds':>8}")
    peaks = []
    for size in SIZES:
        folder = options.work / str(size)
        folder.mkdir()
        pipes = [folder / f"p{i}" for i in range(N)]
        for pipe in pipes:
            os.mkfifo(pipe)
        start = time.monotonic()
        nothing = subprocess.DEVNULL
        source = subprocess.Popen([*HERE, "--pour", str(size)], stdout=subprocess.PIPE)
        geometry = ["-k", str(K), "-n", str(N)]
        encode = [options.distdup, "encode", "-q", "--codec", options.codec, *geometry, "-o", "p{i}"]
        decode = [options.distdup, "decode", "-q", *(pipes[i] for i in range(N) if i not in LOST), "-o", "-"]
        started = [
            subprocess.Popen(encode, cwd=folder, stdin=source.stdout),
            subprocess.Popen(decode, stdout=subprocess.PIPE, stdin=nothing),
        ]
        source.stdout.close()
        others = [subprocess.Popen(["cat", pipes[i]], stdout=nothing) for i in LOST]
        counter = subprocess.Popen(["wc", "-c"], stdin=started[1].stdout, stdout=subprocess.PIPE)
        started[1].stdout.close()
        row = []
        for process in started:
            _, status, usage = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
            row.append(usage.ru_maxrss * 1024)
        if any(process.returncode for process in started):
            for process in (source, *others):  # which may wait for ever at a pipe that nobody opens
                process.kill()
        came_back = int(counter.communicate()[0])
        for process in (source, *others):
            process.wait()
        codes = [process.returncode for process in (source, *started)]
        if codes != [0, 0, 0] or came_back != size:
            sys.exit(f"compare: exit codes {codes}, {came_back} of {size} bytes came back")
        print(f"{size // MIB:5} MiB {row[0] / 1e6:8.1f} {row[1] / 1e6:8.1f} {time.monotonic() - start:8.1f}")
        peaks.append(row)
    for name, small, large in zip(("encode", "decode"), *peaks):
        grown = large / small - 1
        verdict = "reached" if grown <= 0.05 and large < 100e6 else "NOT reached"
        print(f"{name}: {grown:+.1%} from the small to the large; wanted within 5 %, and under 100 MB   {verdict}")


def size_in_bytes(text):
    for unit, factor in (("GiB", 1 << 30), ("MiB", MIB), ("", 1)):
        if text.endswith(unit):
            return int(text[: len(text) - len(unit)]) * factor
    raise ValueError(text)


def main():
    parser = argparse.ArgumentParser(prog="compare.sh", allow_abbrev=False)
    parser.add_argument("--size", type=size_in_bytes, default=512 * MIB, help="bytes, or nMiB, nGiB")
    parser.add_argument("--runs", type=int, default=5, help="timed runs of each, at least 3")
    parser.add_argument("--codec", default="rs")
    parser.add_argument("--memory-check", action="store_true")
    parser.add_argument("--distdup", help=argparse.SUPPRESS)
    parser.add_argument("--work", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--floor", help=argparse.SUPPRESS)
    parser.add_argument("--pour", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.floor:
        floor(options.floor, K, N)
    elif options.pour:
        pour(options.pour)
    elif options.runs < 3:
        parser.error("at least 3 runs")
    elif options.memory_check:
        memory_check(options)
    else:
        compare(options)


if __name__ == "__main__":
    main()
