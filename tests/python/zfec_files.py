"""What zfec's own package does to files, a command a line, from standard input:

    encode K N FILE     writes FILE.INDEX.fec for all N shares
    decode OUT SHARE... writes OUT

Answers every line by "ok" or what went wrong.
"""
import os
import sys

from zfec import filefec


def encode(k, n, path):
    with open(path, "rb") as file:
        folder, name = os.path.split(path)
        wrong = filefec.encode_to_files(file, os.path.getsize(path), folder, name, int(k), int(n), overwrite=True)
    assert not wrong, "zfec could not encode"
    for index in range(int(n)):
        width = len(n)
        os.rename(f"{path}.{index:0{width}}_{int(n):0{width}}.fec", f"{path}.{index}.fec")


def decode(out, *shares):
    files = [open(share, "rb") for share in shares]
    with open(out, "wb") as file:
        filefec.decode_from_files(file, files)
    for file in files:
        file.close()


for line in sys.stdin:
    command, *arguments = line.split()
    try:
        {"encode": encode, "decode": decode}[command](*arguments)
        print("ok", flush=True)
    except Exception as error:
        print(repr(error), flush=True)
