"""How long small things take: distdup's start, and a small object put through its resident process."""

import errno
import json
import os
import select
import subprocess
import time

SIZE = 1000
HOSTS = 3


def encode(program, folder, runs):
    """Seconds of `distdup encode` of 1 kB with default settings, from start to exit."""
    source = folder / "small"
    source.write_bytes(os.urandom(SIZE))
    times = []
    for run in range(runs + 1):
        command = [program, "encode", "-q", "-k", "4", "-n", "6", "-o", folder / f"small{run}.{{i}}", source]
        start = time.monotonic()
        subprocess.run(command, check=True, stdin=subprocess.DEVNULL)
        times.append(time.monotonic() - start)
    return times[1:]


def put(program, folder, runs):
    """Seconds of a put of 1 kB to three folders, asked as Duplicity's backend asks: from the request until
    it is answered. (On tmpfs, where nothing is synced.)"""
    hosts = [folder / f"host{i}" for i in range(HOSTS)]
    for host in hosts:
        host.mkdir()
        (host / "distdup-host").write_text(f"distdup host 1\nid {os.urandom(16).hex()}\nsince 0\n")
    named = [{"name": None, "folder": os.fsencode(host).hex()} for host in hosts]
    spec = folder / "store.json"
    shape = {"codec": "rs8", "params": "", "k": 2, "n": HOSTS, "min_shares": 2}
    spec.write_text(json.dumps({"hosts": named, "session": 1, **shape}))
    resident = subprocess.Popen([program, "resident", spec], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    hello = json.loads(resident.stdout.readline())
    assert hello["ok"], hello
    fifo, data = folder / "fifo", os.urandom(SIZE)
    times = []
    for run in range(1, runs + 2):
        os.mkfifo(fifo)
        start = time.monotonic()
        say(resident, id=run, op="put", name=(b"object%d" % run).hex(), size=SIZE, fifo=os.fsencode(fifo).hex())
        pipe = open_once_read(fifo, resident)
        os.write(pipe, data)
        os.close(pipe)
        say(resident, id=run, op="commit", size=SIZE)
        answer = json.loads(resident.stdout.readline())
        times.append(time.monotonic() - start)
        assert answer["ok"] and answer["id"] == run and not answer["degraded"], answer
        os.unlink(fifo)
    resident.stdin.close()
    resident.wait()
    stored = [len([name for name in os.listdir(host) if name.endswith(".share")]) for host in hosts]
    assert stored == [runs + 1] * HOSTS, stored
    return times[1:]


def open_once_read(fifo, resident):
    """A resident that refuses answers, and opens no pipe."""
    while True:
        try:
            return os.open(fifo, os.O_WRONLY | os.O_NONBLOCK)
        except OSError as error:
            if error.errno != errno.ENXIO:
                raise
        if select.select([resident.stdout], [], [], 0.0002)[0]:
            raise SystemExit(f"small: the resident says {resident.stdout.readline()}")


def say(resident, **request):
    resident.stdin.write(json.dumps(request).encode() + b"\n")
    resident.stdin.flush()
