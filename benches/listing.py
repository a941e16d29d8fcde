#!/usr/bin/env python3
"""Seconds that it takes to list many small objects on three hosts, as Duplicity has it done.

    benches/listing.py DISTDUP [OBJECTS]

A listing goes by names alone, so the shares of one small backup are linked under other names. Prints
medians of five runs, first for a list asked of a resident process as Duplicity's backend asks it, then
for `distdup status`, start of the program included.
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time

N = 3
RUNS = 5


def main():
    program = os.path.abspath(sys.argv[1])
    objects = int(sys.argv[2]) if len(sys.argv) > 2 else 10_000
    with tempfile.TemporaryDirectory() as folder:
        hosts = [os.path.join(folder, "h%d" % i) for i in range(N)]
        source = os.path.join(folder, "source")
        os.mkdir(source)
        with open(os.path.join(source, "file"), "w") as file:
            file.write("some bytes\n")
        outputs = [word for host in hosts for word in ("-o", host)]
        backup = [program, "backup", source, *outputs, "--", "--no-encryption"]
        environment = dict(os.environ, HOME=folder)
        subprocess.run(backup, check=True, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        made = multiply(hosts, objects)

        spec = os.path.join(folder, "store.json")
        with open(spec, "w") as file:
            named = [{"name": None, "folder": os.fsencode(host).hex()} for host in hosts]
            json.dump({"hosts": named, "codec": "copy", "params": "", "k": 1, "n": N, "min_shares": 2, "session": 1}, file)
        resident = subprocess.Popen([program, "resident", spec], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        resident.stdout.readline()
        times = []
        for run in range(RUNS):
            began = time.monotonic()
            resident.stdin.write(json.dumps({"id": run, "op": "list"}).encode() + b"\n")
            resident.stdin.flush()
            listed = len(json.loads(resident.stdout.readline())["objects"])
            times.append(time.monotonic() - began)
        resident.stdin.close()
        resident.wait()
        assert listed == made, (listed, made)
        print("%d objects listed to Duplicity: %.3f s" % (listed, statistics.median(times)))

        times = []
        for _ in range(RUNS):
            began = time.monotonic()
            subprocess.run([program, "status", *hosts], check=True, stdout=subprocess.DEVNULL)
            times.append(time.monotonic() - began)
        print("distdup status of them: %.3f s" % statistics.median(times))


def multiply(hosts, objects):
    """Gives every host that many objects; returns how many there are."""
    for host in hosts:
        share = next(name for name in sorted(os.listdir(host)) if name.endswith(".share"))
        rest = share[share.index("~"):]
        for number in range(objects):
            volume = "duplicity-full.20240101T000000Z.vol%d.difftar.gz" % number
            os.link(os.path.join(host, share), os.path.join(host, volume + rest))
    names = os.listdir(hosts[0])
    return len([name for name in names if name.endswith(".share")])


if __name__ == "__main__":
    main()
