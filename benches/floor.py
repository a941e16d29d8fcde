"""What compare.py runs as processes of their own: the floor, and a source of bytes.

    floor.py write SOURCE K N      reads SOURCE once, and writes as many bytes as there are in n shares
    floor.py read OUT SHARE...     reads shares side by side, and writes as many bytes as one has
    floor.py pour LENGTH           writes so many bytes to standard output

Python, but all the work is the kernel's: readinto and os.write, nothing copied between them. The first two
print their seconds, their own start not counted.
"""

import fcntl
import os
import sys
import time

MIB = 1 << 20
F_SETPIPE_SZ = 1031


def write(source, k, n):
    """Pieces of 1 MiB; parity is written from the data."""
    k, n = int(k), int(n)
    start = time.monotonic()
    outs = [create(f"f{i}") for i in range(n)]
    buffer = memoryview(bytearray(k * MIB))
    with open(source, "rb", buffering=0) as file:
        grow(file)
        while length := fill(file, buffer):
            piece = -(-length // k)
            for i, out in enumerate(outs):
                at = i % k * piece
                write_all(out, buffer[at : min(at + piece, length)])
    for out in outs:
        os.close(out)
    print(time.monotonic() - start)


def read(out, *shares):
    start = time.monotonic()
    out = create(out)
    buffer = memoryview(bytearray(MIB))
    files = [open(share, "rb", buffering=0) for share in shares]
    while True:
        lengths = [file.readinto(buffer) for file in files]
        if not any(lengths):
            break
        write_all(out, buffer[: lengths[-1]])
    os.close(out)
    print(time.monotonic() - start)


def pour(length):
    """The same MiB over and over."""
    length = int(length)
    grow(sys.stdout)
    block = memoryview(os.urandom(MIB))
    while length > 0:
        length -= os.write(1, block[: min(MIB, length)])


def create(path):
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)


def grow(file):
    """A pipe, as far as is allowed, as distdup does."""
    try:
        fcntl.fcntl(file, F_SETPIPE_SZ, MIB)
    except OSError:
        pass  # no pipe


def fill(file, buffer):
    """Reads until the buffer is full or the file ends."""
    filled = 0
    while filled < len(buffer) and (count := file.readinto(buffer[filled:])):
        filled += count
    return filled


def write_all(out, data):
    while data:
        data = data[os.write(out, data) :]


if __name__ == "__main__":
    {"write": write, "read": read, "pour": pour}[sys.argv[1]](*sys.argv[2:])
