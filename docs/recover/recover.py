#!/usr/bin/env python3
"""Gives a stream back from its distdup shares, without distdup.

    pip install cbor2 xxhash
    python3 recover.py SHARE... > out          (or: -o OUT)

Written from docs/FORMAT.md alone; "section" means a section of it. Plain and slow. It reads regular
files in any order, gives out no byte of a stripe whose digest was not confirmed, and exits 0 only if
the whole stream came back.
"""
import argparse
import collections
import functools
import io
import itertools
import mmap
import os
import struct
import sys

import cbor2
import xxhash

H = xxhash.xxh3_128_digest
SELF_DESCRIBED, HEADER, TRAILER = map(bytes.fromhex, ("d9d9f7", "da64647368 84 01", "da64647472 86"))
FOOTER = bytes.fromhex("da64646674 86 48") + b"distdup1"
FRAME = struct.Struct(">23s BH BQ BI B B16s B16s BI")  # section 4: 80 bytes
MOST_TRIES = 2000  # sets of frames tried for one stripe
Frame = collections.namedtuple("Frame", "index length last digest payload")


class Failure(Exception):
    """Why the stream cannot be given back."""


def warn(message):
    print(f"recover.py: {message}", file=sys.stderr)


# --- The fields, sections 7.2 and 7.3; `copy` and `xor` know 0 and 1 alone

CANTOR = "0001 ACCA 3C0E 163E C582 ED2E 914C 4012 6C98 10D8 6A72 B900 FDB8 FB34 FF38 991E"


class Field:
    """GF(2^bits) by logarithms; `basis` has the polynomials that the bits of an element stand for."""

    def __init__(self, modulus, basis):
        to = [0]  # to[e] is the polynomial that element e stands for
        for polynomial in basis:
            to += [value ^ polynomial for value in to]
        self.order, power = len(to) - 1, 1
        self.exp, self.log = [0] * self.order, [0] * len(to)  # of the polynomial x
        element_of = {value: element for element, value in enumerate(to)}
        for exponent in range(self.order):
            self.exp[exponent] = element_of[power]
            self.log[element_of[power]] = exponent
            power = power << 1 ^ (modulus if power & len(to) >> 1 else 0)

    def times(self, a, b):
        return self.exp[(self.log[a] + self.log[b]) % self.order] if a and b else 0

    def inverse(self, a):
        return self.exp[-self.log[a] % self.order]

    def product(self, values):
        return functools.reduce(self.times, values, 1)

    def lagrange(self, points, point, x):
        """At x, the polynomial that is 1 at `point` and 0 at the other points."""
        others = [p for p in points if p != point]
        return self.times(self.product(x ^ p for p in others), self.inverse(self.product(point ^ p for p in others)))


BYTES = Field(0x11D, [1 << bit for bit in range(8)])
WORDS = Field(0x1002D, [int(word, 16) for word in CANTOR.split()])


def number(data):
    return int.from_bytes(data, "little")


@functools.lru_cache(4096)
def tables(field, factor):
    """What each byte of an element adds to each byte of its product with the factor."""
    shifts = range(0, field.order.bit_length(), 8)
    products = [[field.times(factor, byte << shift) for byte in range(256)] for shift in shifts]
    return [bytes(product >> shift & 255 for product in row) for row in products for shift in shifts]


def combine(field, parts):
    """The sum of factor x shard over (factor, shard) pairs; all elements of a shard at once."""
    length = len(parts[0][1])
    if field is BYTES:
        products = (shard.translate(*tables(field, factor)) for factor, shard in parts)
        return functools.reduce(lambda sum, product: sum ^ number(product), products, 0).to_bytes(length, "little")
    sums = [0, 0]  # of the low bytes, of the high bytes
    for factor, shard in parts:
        blocks = [shard[at : at + 64] for at in range(0, length, 64)]
        low = b"".join(block[: len(block) // 2] for block in blocks)
        high = b"".join(block[len(block) // 2 :] for block in blocks)
        low_low, low_high, high_low, high_high = tables(field, factor)
        sums[0] ^= number(low.translate(low_low)) ^ number(high.translate(high_low))
        sums[1] ^= number(low.translate(low_high)) ^ number(high.translate(high_high))
    low, high = (sum.to_bytes(length // 2, "little") for sum in sums)
    return b"".join(low[at : at + 32] + high[at : at + 32] for at in range(0, length // 2, 32))


# --- Codecs, section 7: shard i is the sum of rows[i][j] x data shard j


def rows_of(codec, params, k, n):
    data = [{j: 1} for j in range(k)]
    if (codec, params, k) == ("copy", "", 1):
        return data * n
    if k == n:
        raise Failure("there is no parity")
    if codec == "xor":
        terms = [[int(j) for j in term.split("^")] for term in params.split(",")]
        plain = ",".join("^".join(str(j) for j in sorted({*term} & {*range(1, k + 1)})) for term in terms)
        if (plain, len(terms)) != (params, n - k):
            raise Failure(f"{params} are no equations of {n - k} of {k} data shards")
        return data + [{j - 1: 1 for j in term} for term in terms]
    if (codec, params) == ("rs8", ""):
        points = [0] + BYTES.exp
        return data + [{i: BYTES.lagrange(points[:k], points[i], points[j]) for i in range(k)} for j in range(k, n)]
    if (codec, params) == ("rs16", "low"):
        K = 1 << (k - 1).bit_length()
        return data + [{i: WORDS.lagrange(range(K), i, K + j) for i in range(k)} for j in range(n - k)]
    if (codec, params) == ("rs16", "high"):
        M = 1 << (n - k - 1).bit_length()
        chunks = [range(i // M * M + M, i // M * M + 2 * M) for i in range(k)]
        return data + [{i: WORDS.lagrange(chunks[i], M + i, j) for i in range(k)} for j in range(n - k)]
    raise Failure(f"this reader does not know the codec {codec} {params}")


def add(field, row, other, factor):
    for column, value in other.items() if factor else ():
        value = row.pop(column, 0) ^ field.times(factor, value)
        if value:
            row[column] = value


def recipes(field, rows, present, k):
    """For each data shard the factors of the present shards that give it; None if they don't suffice.

    Gauss-Jordan: `solved` maps a column to its row, whose keys from k on are factors of shards.
    """
    solved = {}
    for i in present:
        row = {**rows[i], k + i: 1}
        for column, other in solved.items():
            add(field, row, other, row.get(column, 0))
        pivot = min(row)
        if pivot >= k:
            continue  # shard i tells nothing new
        scale = field.inverse(row[pivot])
        row = {column: field.times(scale, value) for column, value in row.items()}
        for other in solved.values():
            add(field, other, row, other.get(pivot, 0))
        solved[pivot] = row
        if len(solved) == k:
            return [{c - k: value for c, value in solved[j].items() if c >= k} for j in range(k)]
    return None


# --- Shares and streams


def or_none(function, *arguments):
    try:
        return function(*arguments)
    except Exception:  # damaged CBOR makes a decoder, and who believes it, raise nearly anything
        return None


class Share:
    """One file. What it says of itself is taken only where a digest agrees."""

    def __init__(self, path):
        self.path = path
        with open(path, "rb") as file:
            size = os.fstat(file.fileno()).st_size
            self.raw = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) if size else b""
        footer = self.raw[-64:]  # its place counts from the end: bytes may be missing before it
        self.trailer = self.trailer_at(len(self.raw) - 64 - int.from_bytes(footer[25:29], "big"))
        header = or_none(self.header)
        version = self.raw[9:10] if self.raw[:8] == SELF_DESCRIBED + HEADER[:5] else b""
        known = self.trailer if version in (b"", b"\1") or version > b"\x17" else None  # of another, nothing is
        self.common, self.index = header or (known or (None, None))[:2]
        if not header:
            warn(f"{path}: no valid header of format 1")
        self.offsets = {}  # stripe -> where frames that name it begin

    def item(self, at, start):
        """The tagged array at this place and its length, if its bytes are CBOR's shortest form."""
        if self.raw[at : at + len(start)] != start:
            raise ValueError("another item")
        item = cbor2.load(io.BytesIO(self.raw[at : at + 65536]))
        shortest = cbor2.dumps(item)
        if self.raw[at : at + len(shortest)] != shortest:
            raise ValueError("another form")
        return item.value, len(shortest)

    def header(self):
        (_, common, index, digest), _ = self.item(len(SELF_DESCRIBED), HEADER)
        good = self.raw[:3] == SELF_DESCRIBED and digest == H(b"\1" + H(common) + index.to_bytes(2, "big"))
        return (common, index) if good else None

    def trailer_at(self, at):
        return or_none(self.good_trailer, at) if at >= 0 else None

    def good_trailer(self, at):
        (common, index, *end, check), length = self.item(at, TRAILER)  # end: length, stripes, digest
        footer = self.raw[at + length : at + length + 64]
        followed = footer[:15] == FOOTER and footer[25:29] == length.to_bytes(4, "big")
        good = check == H(H(common) + struct.pack(">HQQ", index, *end[:2]) + end[2])
        return (common, index, tuple(end)) if good and followed and footer[47:] == b"\x50" + H(footer[:47]) else None


class Stream:
    """A stream as its `common` tells of it, section 3."""

    def __init__(self, common):
        self.common, self.C = common, H(common)
        fields = cbor2.loads(common)
        if fields["features"] or fields["digest"] != "xxh3-128":
            raise Failure(f"this reader does not know {fields['features']} or {fields['digest']}")
        self.k, self.n, self.S = fields["k"], fields["n"], fields["shard"]
        self.field, self.unit = (WORDS, 2) if fields["codec"] == "rs16" else (BYTES, 1)
        counts = 1 <= self.k <= self.n <= 256 and 1 <= fields["min_shares"] <= self.n
        if not counts or not 0 < self.S <= (1 << 26) // self.k or self.S % self.unit:
            raise Failure(f"k = {self.k}, n = {self.n}, shards of {self.S} bytes: there is no such stream")
        self.magic = bytes.fromhex("da64646672 88 50") + fields["stream"]
        rows = rows_of(fields["codec"], fields["params"], self.k, self.n)
        self.recipes = functools.lru_cache(999)(lambda present: recipes(self.field, rows, present, self.k))

    def find_frames(self, share):
        """Notes where frames begin: each behind the one before, or else wherever the next is found."""
        last, at = 0, share.raw.find(self.magic)
        while at >= 0:
            stripe = int.from_bytes(share.raw[at + 27 : at + 35], "big")
            share.offsets.setdefault(stripe, []).append(at)
            last, at = at, at + 80 + self.S
            if share.raw[at : at + 23] != self.magic:
                if self.take_trailer(share, last + 80 + int.from_bytes(share.raw[last + 76 : last + 80], "big")):
                    return  # what follows the footer is not part of the share
                at = share.raw.find(self.magic, last + 1)
        if share.trailer and self.is_own(share, share.trailer):
            share.index = share.trailer[1]
            return
        share.trailer = None
        while (last := share.raw.find(TRAILER, last + 1)) >= 0 and not self.take_trailer(share, last):
            pass  # something follows the footer, and the last frame is damaged

    def take_trailer(self, share, at):
        trailer = share.trailer_at(at)
        if trailer and self.is_own(share, trailer):
            share.trailer, share.index = trailer, trailer[1]
            return True
        return False

    def is_own(self, share, trailer):
        common, index, (length, stripes, _) = trailer
        fits = length < 1 << 63 and stripes == -(-length // (self.k * self.S)) and index < self.n
        return fits and common == self.common and share.index in (None, index)

    def frame(self, share, at, stripe):
        """The frame there, if it is valid and belongs to this share and stripe; section 4."""
        raw = share.raw[at : at + 80]
        if len(raw) < 80:
            return None
        _, _, index, _, _, _, length, flag, _, digest, _, check, _, size = FRAME.unpack(raw)
        stripe_fields = (0x1B, stripe, 0x1A, length, flag, 0x50, digest, 0x50, check, 0x5A, size)
        if FRAME.pack(self.magic, 0x19, index, *stripe_fields) != raw or flag not in (0xF4, 0xF5):
            return None
        full, shortest = self.k * self.S, 1 if flag == 0xF5 else self.k * self.S
        if not shortest <= length <= full or size != -(-length // (self.k * self.unit)) * self.unit:
            return None
        payload = share.raw[at + 80 : at + 80 + size]
        if len(payload) != size or check != H(raw[:58] + H(payload) + self.C):
            return None
        ours = index < self.n and share.index in (None, index)
        return Frame(index, length, flag == 0xF5, digest, payload) if ours else None

    def stripe(self, frames):
        """(length, last, digest, data) of the stripe that valid frames tell of; section 6."""
        by_index, claims = {}, {}
        for frame in frames:
            by_index.setdefault(frame.index, set()).add(frame)
        for index, twins in by_index.items():  # equal ones are one; of differing ones none counts
            if len(twins) == 1:
                frame = twins.pop()
                claims.setdefault((frame.length, frame.last, frame.digest), {})[index] = frame
        found = [(*what, self.data(claim, *what)) for what, claim in claims.items()]
        found = [stripe for stripe in found if stripe[3] is not None]
        return found[0] if len(found) == 1 else None

    def data(self, frames, length, _, digest):
        """The data by the first recoverable set of frames that has this digest; or None."""
        present, tried = sorted(frames), []
        left_out = (itertools.combinations(present, count) for count in range(len(present) - self.k + 1))
        for out in itertools.islice(itertools.chain.from_iterable(left_out), MOST_TRIES):
            recipe = self.recipes(tuple(i for i in present if i not in out))
            if recipe is None or recipe in tried:
                continue
            tried.append(recipe)
            shards = [combine(self.field, [(how[i], frames[i].payload) for i in how]) for how in recipe]
            data = b"".join(shards)
            d = H(b"".join(map(H, shards)) + length.to_bytes(4, "big"))
            if d == digest and not any(data[length:]):
                return data[:length]
        return None


def choose_stream(shares, wanted):
    commons = {share.common for share in shares if share.common}
    streams = {common: or_none(lambda: cbor2.loads(common)["stream"].hex()) or "no id" for common in commons}
    commons = [common for common in commons if wanted in (None, streams[common])]
    if len(commons) != 1:
        ids = ", ".join(sorted(streams.values())) or "no valid header or trailer"
        raise Failure(f"not the shares of one stream (--stream chooses one): {ids}")
    try:
        return Stream(commons[0])
    except (ArithmeticError, LookupError, TypeError, ValueError) as error:
        raise Failure(f"the header makes no sense: {error!r}") from error


def recover(shares, stream, out):
    shares = [share for share in shares if share.common in (None, stream.common)]
    for share in shares:
        stream.find_frames(share)
    ends = {share.path: share.trailer[2] for share in shares if share.trailer}
    told_empty = ends and all(stripes == 0 for _, stripes, _ in ends.values())
    total, number, last, digests = 0, 0, False, xxhash.xxh3_128()
    while not last:
        found = [[stream.frame(share, at, number) for at in share.offsets.get(number, ())] for share in shares]
        frames = [frame for frames in found for frame in frames if frame]
        if told_empty and not frames:
            break
        for share, own in zip(shares, found):
            if not any(own):
                warn(f"{share.path}: stripe {number} is missing or damaged")
        stripe = stream.stripe(frames)
        if stripe is None:
            good = sorted({frame.index for frame in frames})
            raise Failure(
                f"stripe {number}, from byte {total}, cannot be recovered (k = {stream.k},"
                f" n = {stream.n}, valid frames of the shares {good})"
            )
        length, last, digest, data = stripe
        out.write(data)
        digests.update(digest)
        total, number = total + length, number + 1
    digests.update(total.to_bytes(8, "big"))
    differ = [path for path, end in ends.items() if end != (total, number, digests.digest())]
    for path in differ:
        warn(f"{path}: its trailer disagrees with the {total} bytes and {number} stripes found")
    if not ends:
        warn("the stream is whole, but no share has a valid trailer: fewer may exist than were asked for")
    elif len(differ) == len(ends):
        raise Failure("every trailer disagrees with what was found")


def main(arguments=None):
    parser = argparse.ArgumentParser(description="Gives a stream back from its distdup shares.")
    parser.add_argument("share", nargs="+", help="the share files, in any order")
    parser.add_argument("-o", dest="out", help="the file to make; else standard output")
    parser.add_argument("--stream", help="the id, in hex, of the stream to take")
    options = parser.parse_args(arguments)
    try:
        shares = [Share(path) for path in options.share]
        stream = choose_stream(shares, options.stream)
        if not options.out:
            recover(shares, stream, sys.stdout.buffer)
            sys.stdout.flush()
            return 0
        part = options.out + ".part"  # so that nothing unfinished has the wanted name
        with open(part, "xb") as out:
            recover(shares, stream, out)
        os.link(part, options.out)  # unlike a rename, never over another file
        os.unlink(part)
        return 0
    except (Failure, OSError, LookupError, ValueError) as error:
        warn(f"failed: {error}")
        return 1


if __name__ == "__main__":
    sys.exit(main())
