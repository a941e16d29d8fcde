#!/usr/bin/env python3
"""Writes the table of docs/RELIABILITY.md from the log of scripts/faults.sh.

    faults-table.py LOG DOCUMENT

Lines of one fault are added up. Faults that the log does not have are listed as not run; those that are not
listed here come last. Exits 1 if anything is wrong.
"""

import re
import sys

BEGIN, END = "<!-- faults: begin -->", "<!-- faults: end -->"

BACK = "all come back"
EXACT = "exactly, or refused"
WHOLE = "nothing that passes for complete and is not"
NAMED = "the rest unharmed, or failed with the cause named; no hang"

# Faults as the tests call them, and what is wanted of each.
FAULTS = [
    ("sets of shares present, rs (6,10), through the program", "386 come back, the others are refused"),
    ("sets of shares present, xor (6,10), through the program", "304 come back, the others are refused"),
    ("sets of shares present, xor:matland (6,10), through the program", "291 come back, the others are refused"),
    ("a bit of one share flipped, one share to spare", BACK),
    ("a bit of one share flipped, none to spare", EXACT),
    ("two to n-k shares damaged at random, each elsewhere", "back wherever the code promises it"),
    ("two to n shares damaged in some frames", "back exactly where every stripe can be"),
    ("one share cut at a length, one share to spare", BACK),
    ("one share cut at a length, none to spare", EXACT),
    ("all shares cut at a length", "never called complete"),
    ("bytes inserted, removed, zeroed in one share, one to spare", BACK),
    ("bytes inserted, removed, zeroed in one share, none to spare", EXACT),
    ("a share empty", EXACT),
    ("a share doubled, or followed by another or by garbage", BACK),
    ("two shares swapped", BACK),
    ("a share relabelled as another", "erased: back with a spare, refused without"),
    ("a share of another stream in a share's place", "erased: back with a spare, refused without"),
    ("a share of an older generation in a share's place", "erased: back with a spare, refused without"),
    ("a share given twice in another's place", "counts once"),
    ("a share given twice, differing, both valid", "neither counts"),
    ("a frame forged with right digests, one share to spare", "caught by the stripe's digest, back"),
    ("a frame forged with right digests, none to spare", "refused, the stripe named"),
    ("`common` forged in one share, with right digests", "outvoted, or the user is asked"),
    ("SIGKILL of encode at every system call on a share's file", WHOLE),
    ("SIGKILL of encode at every system call on a named pipe", WHOLE),
    ("SIGKILL of encode into files at random moments", WHOLE),
    ("SIGKILL of encode into named pipes at random moments", WHOLE),
    ("SIGKILL of repair at every system call on its share", WHOLE),
    ("SIGKILL of repair at random moments", WHOLE),
    ("SIGKILL of a put into a store at every system call that changes it", "the old object or the new one"),
    ("SIGKILL of heal at every system call that changes a host, and at random", "both objects; the next heal ends it"),
    ("SIGKILL of Duplicity, launcher, resident or all at each point of a backup", "goes on or begins again, restores"),
    ("a process dies at every change of a store in memory", "the old object or the new one"),
    ("a process dies while hosts join", "one id, and no host turned away"),
    ("each system call on a share's file fails in turn while encoding", NAMED),
    ("each system call on the input fails in turn while encoding", NAMED),
    ("each system call on a share fails in turn while decoding, one to spare", BACK),
    ("each system call on a share fails in turn while decoding, none to spare", NAMED),
    ("each system call on the output fails in turn while decoding", NAMED),
    ("each open, write, flush, finish of a sink fails in turn", NAMED),
    ("each open, write, flush, finish of the output fails in turn", NAMED),
    ("the input fails at each byte", NAMED),
    ("a share cannot be read at each byte", NAMED),
    ("threads and descriptors left after each failure", "none"),
    ("a sink hangs at each open, write, flush, finish, for ever", "dropped in time, the others whole"),
    ("a sink hangs at each open, write, flush, finish, for a while", "waited for"),
    ("a source hangs at each phase, for ever", "done without, or named in time"),
    ("a source hangs at each phase, for a while", "waited for"),
    ("random schedules of slow, dead, blocked and resuming parts", "every run ends, and rightly"),
    ("a full tmpfs", NAMED),
    ("a full ext4 on a loop device, and one that goes read-only", NAMED),
    ("RLIMIT_FSIZE", NAMED),
    ("RLIMIT_NOFILE, from too few to enough", NAMED),
    ("ulimit -v, from too little to enough", "as above, or an abort that names the want of memory"),
    ("streams of 10 MB and up under the same ulimit -v", "all go through: memory is flat"),
    ("a named pipe whose reader goes away", NAMED),
    ("an exec: sink that is killed", NAMED),
    ("a bit flipped before encode reads it", "not to be known; what was read comes back"),
    ("a bit of one stripe encoded wrong, encode --verify", "caught if its share was drawn"),
    ("a bit flipped between encode and a sink", "caught by the share's digests"),
    ("a bit flipped between a source and decode, one share to spare", BACK),
    ("a bit flipped between a source and decode, none to spare", EXACT),
    ("golden shares of every format version, from every set of k that is enough", BACK),
]
WANTED = dict(FAULTS)


class Row:
    def __init__(self):
        self.tried = self.wrong = 0
        self.seen = {}
        self.tests = []

    def add(self, tried, seen, wrong, test):
        self.tried += tried
        self.wrong += wrong
        for outcome, count in seen:
            self.seen[outcome] = self.seen.get(outcome, 0) + count
        if test not in self.tests:
            self.tests.append(test)

    def cells(self, fault, wanted):
        seen = "; ".join(f"{count:,} {outcome}" for outcome, count in self.seen.items())
        wrong = f"**{self.wrong}**" if self.wrong else "0"
        return [fault, f"{self.tried:,}", wanted, seen, wrong, ", ".join(self.tests)]


def read(log):
    """What the log says: the run, a row for each fault, tests that failed."""
    run, rows, failed = [], {}, []
    where = sanitizer = None
    for line in log:
        line = line.rstrip("\n")
        if found := re.match(r"run: (.*)", line):
            run.append(found[1])
        elif found := re.match(r"\s+Running (?:unittests )?(\S+)", line):
            where = found[1]
        elif found := re.match(r"sanitizer: (\w+)", line):
            sanitizer = found[1]
        elif found := re.search(r"\bfaults: (.*): (\d+) tried(.*), (\d+) wrong \[(.*)\]", line):
            fault, tried, outcomes, wrong, test = found.groups()
            # An outcome may have commas in it, and no digit after them.
            seen = re.findall(r", (\d+) ((?:(?!, \d).)*)", outcomes)
            seen = [(outcome, int(count)) for count, outcome in seen]
            name = f"`{where}`: {test}" if where else test
            rows.setdefault(fault, Row()).add(int(tried), seen, int(wrong), name)
        elif found := re.match(r"fuzz: (\w+): (\d+) s, (\d+|\?) executions(, FAILED)?", line):
            target, seconds, runs, bad = found.groups()
            runs = 0 if runs == "?" else int(runs)
            seen = [(f"ended by themselves, in {int(seconds):,} s", runs)]
            rows.setdefault(f"fuzzer `{target}`", Row()).add(runs, seen, int(bool(bad)), "scripts/fuzz.sh")
        elif found := re.match(r"test result: (\w+)\. (\d+) passed; (\d+) failed", line):
            passed, wrong = int(found[2]), int(found[3])
            if sanitizer:
                row = rows.setdefault(f"tests again, watched by the sanitizer of {sanitizer}", Row())
                row.add(passed + wrong, [("without a report", passed)], wrong, "scripts/sanitize.sh")
        elif found := re.match(r"test (.*) \.\.\. FAILED", line):
            failed.append(found[1])
        elif re.match(r"error: test failed|error: could not compile", line):
            failed.append(line)
    return run, rows, failed


def table(run, rows):
    lines = [*(f"{line}  " for line in run), ""]
    lines += ["| fault | tried | wanted | seen | wrong | test |", "| --- | ---: | --- | --- | ---: | --- |"]
    others = [(fault, "ends by itself, nothing wrong") for fault in rows if fault not in WANTED]
    for fault, wanted in FAULTS + others:
        row = rows.get(fault)
        cells = row.cells(fault, wanted) if row else [fault, "not run", wanted, "", "", ""]
        lines.append("| " + " | ".join(cells) + " |")
    tried = sum(row.tried for row in rows.values())
    wrong = sum(row.wrong for row in rows.values())
    return [*lines, "", f"In all {tried:,} tried, {wrong:,} wrong."]


def main(log, document):
    with open(log, encoding="utf-8", errors="replace") as lines:
        run, rows, failed = read(lines)
    with open(document, encoding="utf-8") as text:
        before, rest = text.read().split(BEGIN)
    after = rest.split(END)[1]
    middle = "\n".join(table(run, rows))
    with open(document, "w", encoding="utf-8") as text:
        text.write(f"{before}{BEGIN}\n{middle}\n{END}{after}")
    for one in failed:
        print(f"failed: {one}", file=sys.stderr)
    return 1 if failed or not rows or any(row.wrong for row in rows.values()) else 0


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    sys.exit(main(*sys.argv[1:]))
