"""A resident that keeps objects as files in a folder, and misbehaves as it is told.

    fake_resident.py FOLDER FAULT

The fault happens once: FOLDER/.faulted remembers it, across restarts.
"""

import json
import os
import sys

folder, fault = sys.argv[1:]


def due(name):
    """Is this fault to happen now?"""
    marker = os.path.join(folder, ".faulted")
    if name != fault or os.path.exists(marker):
        return False
    open(marker, "w").close()
    return True


def answer(number, ok=True, **fields):
    print(json.dumps(dict(fields, id=number, ok=ok)), flush=True)


def refuse(request, kind, error):
    answer(request["id"], ok=False, kind=kind, error=error)


def stored(request):
    return os.path.join(folder, request["name"])


def put(request):
    if due("refuse-before-opening"):
        return refuse(request, "no_space", "every host is full")
    if due("die-before-opening"):
        os._exit(7)
    data = bytearray()
    with open(bytes.fromhex(request["fifo"]), "rb", buffering=0) as pipe:
        for piece in iter(lambda: pipe.read(30001), b""):
            data += piece
            if len(data) > 2000000:
                if due("die-midway"):
                    os._exit(7)
                if due("refuse-midway"):
                    break
                if due("accept-midway"):
                    return answer(request["id"], size=request["size"])
    last = json.loads(sys.stdin.readline() or '{"op": "gone"}')
    if last["op"] == "abort":
        return refuse(request, "permission", "two hosts turned read-only")
    if last["op"] != "commit":
        sys.exit(3)
    if due("die-after-commit"):
        os._exit(7)
    if due("lose-bytes"):
        data = data[:-1]
    if last["size"] != len(data):
        return refuse(request, "failed", "%d bytes, not %d" % (len(data), last["size"]))
    with open(stored(request), "wb") as file:
        file.write(data)
    degraded = [{"host": "h1", "error": "gone"}] if fault == "degraded" else []
    answer(request["id"], size=len(data), degraded=degraded)


def get(request):
    if not os.path.exists(stored(request)):
        return refuse(request, "not_found", "there is no such object")
    if due("damaged"):
        return refuse(request, "damaged", "stripe 3 is lost")
    with open(stored(request), "rb") as file:
        data = file.read()
    length = len(data)
    if due("cut"):
        data = data[: length // 2]
    if due("refuse-get-midway"):
        with open(bytes.fromhex(request["fifo"]), "wb") as pipe:
            pipe.write(data[: length // 2])
        return refuse(request, "failed", "a host went away")
    with open(bytes.fromhex(request["fifo"]), "wb") as pipe:
        pipe.write(data[: length // 2])
        pipe.flush()
        if due("die-in-get"):
            os._exit(7)
        pipe.write(data[length // 2:])
    answer(request["id"], size=length)


def serve(request):
    if request["op"] in ("commit", "abort"):
        return None  # of a request that was answered before
    if request["op"] == "put":
        return put(request)
    if request["op"] == "get":
        return get(request)
    if request["op"] == "list":
        if due("short-list"):
            return refuse(request, "failed", "two hosts are silent")
        names = [name for name in os.listdir(folder) if not name.startswith(".")]
        return answer(request["id"], objects=[{"name": name} for name in names])
    if request["op"] == "query":
        if due("babble"):
            return print("panic!", flush=True)
        there = os.path.exists(stored(request))
        return answer(request["id"], size=os.path.getsize(stored(request)) if there else -1)
    if request["op"] == "delete":
        if os.path.exists(stored(request)):
            os.unlink(stored(request))
        return answer(request["id"])
    sys.exit(4)


if due("die-at-once"):
    os._exit(7)
if due("cannot-start"):
    answer(0, ok=False, kind="failed", error="no host answers")
    sys.exit(0)
answer(0, protocol=2 if fault == "other-protocol" else 1)
for line in sys.stdin:
    serve(json.loads(line))
