"""Holds recover.py, and recover.c, against shares that a tiny writer makes, also from docs/FORMAT.md alone.

    python3 -m unittest discover -s docs/recover
"""
import collections
import contextlib
import functools
import io
import itertools
import os
import random
import struct
import subprocess
import sys
import tempfile
import unittest

import xxhash
import zfec

import recover

STREAM = bytes(range(16))
OTHER = bytes(range(100, 116))
TEN = "3^5^6,2^4^6,1^4^5,1^2^3"


def h(data):
    return xxhash.xxh3_128(data).digest()


# --- The writer. CBOR is put together by hand, so that nothing is shared with the reader.


def head(major, n):
    """CBOR's shortest form of a type and a number."""
    if n < 24:
        return bytes([major << 5 | n])
    size = next(size for size in (1, 2, 4, 8) if n < 1 << 8 * size)
    return bytes([major << 5 | {1: 24, 2: 25, 4: 26, 8: 27}[size]]) + n.to_bytes(size, "big")


def cbor(value):
    if isinstance(value, int):
        return head(0, value)
    if isinstance(value, bytes):
        return head(2, len(value)) + value
    if isinstance(value, str):
        return head(3, len(value)) + value.encode()
    if isinstance(value, list):
        return head(4, len(value)) + b"".join(map(cbor, value))
    return head(5, len(value)) + b"".join(cbor(k) + cbor(v) for k, v in value.items())


Code = collections.namedtuple("Code", "id params k n unit")
COPY = Code("copy", "", 1, 3, 1)
XOR = Code("xor", TEN, 6, 10, 1)
PARITY = Code("xor", "1^2", 2, 3, 1)


def rs16(k, n, rate):
    return Code("rs16", rate, k, n, 2)


def rs8(k, n):
    return Code("rs8", "", k, n, 1)


def parity(code, data):
    if code.id == "copy":
        return [data[0]] * (code.n - 1)
    if code.id == "xor":
        out = []
        for term in code.params.split(","):
            shard = bytearray(len(data[0]))
            for which in term.split("^"):
                for at, byte in enumerate(data[int(which) - 1]):
                    shard[at] ^= byte
            out.append(bytes(shard))
        return out
    if code.id == "rs8":
        return zfec.Encoder(code.k, code.n).encode(data, list(range(code.k, code.n)))
    return rs16_parity(code, data)


# rs16, element by element, with no tables of logarithms.

BASIS = [0x0001, 0xACCA, 0x3C0E, 0x163E, 0xC582, 0xED2E, 0x914C, 0x4012]
BASIS += [0x6C98, 0x10D8, 0x6A72, 0xB900, 0xFDB8, 0xFB34, 0xFF38, 0x991E]


@functools.lru_cache(None)
def to(element):
    return functools.reduce(lambda sum, bit: sum ^ (BASIS[bit] if element >> bit & 1 else 0), range(16), 0)


@functools.lru_cache(None)
def from_table():
    return {to(element): element for element in range(65536)}


@functools.lru_cache(None)
def mul(a, b):
    x, y, product = to(a), to(b), 0
    while y:
        product ^= x if y & 1 else 0
        y >>= 1
        x <<= 1
        x ^= 0x1002D if x >> 16 else 0
    return from_table()[product]


@functools.lru_cache(None)
def div(a, b):
    quotient, square = a, b
    for _ in range(15):  # a * b^(2^16 - 2)
        square = mul(square, square)
        quotient = mul(quotient, square)
    return quotient


@functools.lru_cache(None)
def generator(code):
    power = 1
    while power < (code.k if code.params == "low" else code.n - code.k):
        power *= 2
    rows = []
    for j in range(code.n - code.k):
        row = []
        for i in range(code.k):
            first = 0 if code.params == "low" else power * (i // power + 1)
            x, q = (power + j, i) if code.params == "low" else (j, power + i)
            factor = 1
            for p in range(first, first + power):
                if p != q:
                    factor = mul(factor, div(x ^ p, q ^ p))
            row.append(factor)
        rows.append(row)
    return rows


def element_places(length):
    tail = length % 64
    for block in range(length // 64):
        for i in range(32):
            yield 64 * block + i, 64 * block + 32 + i
    for i in range(tail // 2):
        yield length - tail + i, length - tail + tail // 2 + i


def rs16_parity(code, data):
    out = []
    for row in generator(code):
        shard = bytearray(len(data[0]))
        for low, high in element_places(len(shard)):
            total = 0
            for factor, source in zip(row, data):
                total ^= mul(factor, source[low] | source[high] << 8)
            shard[low], shard[high] = total & 255, total >> 8
        out.append(bytes(shard))
    return out


def common_of(code, shard, stream=STREAM, **more):
    fields = {
        "stream": stream,
        "generation": 1_700_000_000_000_000_000,
        "time": 1_700_000_000,
        "codec": code.id,
        "params": code.params,
        "k": code.k,
        "n": code.n,
        "shard": shard,
        "min_shares": code.k,
        "digest": "xxh3-128",
        "features": [],
        "unheard of": "skipped",
    }
    return cbor({**fields, **more})


def frame(stream, index, stripe, length, last, digest, payload, common):
    start = b"\xda\x64\x64\x66\x72\x88\x50" + stream + b"\x19" + index.to_bytes(2, "big")
    start += b"\x1b" + stripe.to_bytes(8, "big") + b"\x1a" + length.to_bytes(4, "big")
    start += (b"\xf5" if last else b"\xf4") + b"\x50" + digest
    assert len(start) == 58
    check = h(start + h(payload) + h(common))
    return start + b"\x50" + check + b"\x5a" + len(payload).to_bytes(4, "big") + payload


def write(code, data, shard=8, stream=STREAM, forge=None, pad=b"\0", total=None, **more):
    """The n shares. `forge(index, stripe, payload)` alters payloads before their checks are made."""
    common = common_of(code, shard, stream, **more)
    frames = [[] for _ in range(code.n)]
    digests, size = b"", code.k * shard
    stripes = [data[at : at + size] for at in range(0, len(data), size)]
    for number, stripe in enumerate(stripes):
        each = -(-len(stripe) // code.k)
        each += -each % code.unit
        padded = stripe + pad * (code.k * each - len(stripe))
        shards = [padded[i * each : (i + 1) * each] for i in range(code.k)]
        digest = h(b"".join(map(h, shards)) + len(stripe).to_bytes(4, "big"))
        digests += digest
        for index, payload in enumerate(shards + parity(code, shards)):
            payload = forge(index, number, payload) if forge else payload
            last = number + 1 == len(stripes)
            frames[index].append(frame(stream, index, number, len(stripe), last, digest, payload, common))
    total = h(digests + len(data).to_bytes(8, "big")) if total is None else total
    shares = []
    for index in range(code.n):
        start = b"\xd9\xd9\xf7\xda\x64\x64\x73\x68\x84\x01" + cbor(common) + cbor(index)
        start += cbor(h(b"\x01" + h(common) + index.to_bytes(2, "big")))
        body = start + b"".join(frames[index])
        check = h(h(common) + struct.pack(">HQQ", index, len(data), len(stripes)) + total)
        end = [cbor(item) for item in (common, index, len(data), len(stripes), total, check)]
        trailer = b"\xda\x64\x64\x74\x72\x86" + b"".join(end)
        footer = b"\xda\x64\x64\x66\x74\x86\x48distdup1\x1b" + len(body).to_bytes(8, "big")
        footer += b"\x1a" + len(trailer).to_bytes(4, "big") + b"\x1b" + len(start).to_bytes(8, "big")
        footer += b"\x1b" + len(stripes).to_bytes(8, "big")
        shares.append(body + trailer + footer + b"\x50" + h(footer))
    return shares


def header_length(share):
    return share.index(b"\xda\x64\x64\x66\x72")


def some_bytes(length, seed=1):
    return random.Random(seed).randbytes(length)


class Recover(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(folder.cleanup)
        cls.compiled = os.path.join(folder.name, "recover")
        source = os.path.join(os.path.dirname(recover.__file__), "recover.c")
        subprocess.run(["cc", "-O1", "-o", cls.compiled, source], check=True)

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = folder.name

    def run_reader(self, shares, *options):
        """(exit code, output or None, messages)"""
        paths = []
        for number, share in enumerate(shares):
            paths.append(os.path.join(self.folder, f"share{number}"))
            with open(paths[-1], "wb") as file:
                file.write(share)
        out = os.path.join(self.folder, "out")
        for left in (out, out + ".part"):
            with contextlib.suppress(FileNotFoundError):
                os.unlink(left)
        with contextlib.redirect_stderr(io.StringIO()) as messages:
            code = recover.main([*paths, "-o", out, *options])
        data = None
        if os.path.exists(out):
            with open(out, "rb") as file:
                data = file.read()
        self.assertEqual(code == 0, data is not None)
        return code, data, messages.getvalue()

    def run_compiled(self, shares, *options):
        """What recover.c makes of the shares that were read just before: (exit code, output or None)"""
        paths = [os.path.join(self.folder, f"share{number}") for number in range(len(shares))]
        options = ["-s" if option == "--stream" else option for option in options]
        done = subprocess.run([self.compiled, *paths, *options], capture_output=True)
        return done.returncode, None if done.returncode else done.stdout

    def gives(self, data, shares, *options):
        code, out, messages = self.run_reader(shares, *options)
        self.assertEqual(code, 0, messages)
        self.assertEqual(out, data)
        self.assertEqual(self.run_compiled(shares, *options), (0, data))
        return messages

    def fails(self, shares, reason, *options):
        code, out, messages = self.run_reader(shares, *options)
        self.assertEqual((code, out), (1, None))
        self.assertIn(reason, messages)
        self.assertEqual(self.run_compiled(shares, *options), (1, None))

    def test_every_length_at_the_edges(self):
        for code in (COPY, PARITY, XOR, rs16(4, 6, "low"), rs16(2, 3, "high"), rs8(4, 6)):
            size = code.k * 8
            for length in (0, 1, 2, code.k, size - 1, size, size + 1, 3 * size - 1, 3 * size, 5 * size + 3):
                with self.subTest(code=code, length=length):
                    data = some_bytes(length)
                    shares = write(code, data)
                    self.gives(data, shares)
                    self.gives(data, shares[1:][::-1])

    def test_xor_recovers_every_pattern_that_can_be(self):
        data = some_bytes(6 * 3 * 2 - 5)
        shares = write(XOR, data, shard=3)
        for lost, expected in enumerate((1, 10, 45, 110, 125, 0)):
            good = 0
            for left in itertools.combinations(shares, 10 - lost):
                code, out, _ = self.run_reader(left)
                self.assertIn((code, out), ((0, data), (1, None)))
                good += code == 0
            self.assertEqual(good, expected, f"{lost} lost")

    def test_rs16_arithmetic_and_matrices_are_those_of_the_format(self):
        for a, b, product in (
            (2, 2, 3),
            (2, 3, 1),
            (4, 4, 6),
            (0x100, 0x100, 0x180),
            (0x1234, 0x5678, 0x35C9),
            (0x8000, 0x8000, 0xC000),
        ):
            self.assertEqual((mul(a, b), recover.WORDS.times(a, b)), (product, product))
            self.assertEqual((div(product, b), recover.WORDS.times(product, recover.WORDS.inverse(b))), (a, a))
        for k, n, rate, rows in (
            (2, 3, "high", "1 1"),
            (2, 3, "low", "3 2"),
            (4, 6, "high", "3 2 5 4 / 2 3 4 5"),
            (4, 6, "low", "C F A 8 / F C 8 A"),
            (6, 10, "high", "C F A 8 A F / F C 8 A F A / A 8 C F 8 C / 8 A F C C 8"),
            (6, 10, "low", "7 B 6 9 4 E / B 7 9 6 E 4 / 6 9 7 B D 5 / 9 6 B 7 5 D"),
        ):
            wanted = [[int(word, 16) for word in row.split()] for row in rows.split("/")]
            self.assertEqual(generator(rs16(k, n, rate)), wanted)
            read = recover.rows_of("rs16", rate, k, n)[k:]
            self.assertEqual([[row[i] for i in range(k)] for row in read], wanted)
        for rate, shards, wanted in (
            ("high", (b"\1\2", b"\x10\x20"), "11 22"),
            ("low", (b"\1\2", b"\x10\x20"), "4a 38"),
            (
                "low",
                (bytes(range(66)), bytes(range(100, 166))),
                "adacafaed9d8dbda a5a4a7a600010203 bdbcbfbec9c8cbca b5b4b7b687868584"
                "f5f4f7f6fffefdfc fdfcfffedbdad9d8 e5e4e7e6efeeedec edecefeef2f3f0f1 fe27",
            ),
        ):
            code = rs16(2, 3, rate)
            self.assertEqual(rs16_parity(code, shards), [bytes.fromhex(wanted)])
            self.assertEqual(recover.combine(recover.WORDS, list(zip(generator(code)[0], shards))), bytes.fromhex(wanted))

    def test_rs8_arithmetic_and_matrices_are_those_of_the_format(self):
        for a, b, product in ((2, 0x80, 0x1D), (0x53, 0xCA, 0x8F), (0x8E, 2, 1)):
            self.assertEqual(recover.BYTES.times(a, b), product)
            self.assertEqual(recover.BYTES.times(product, recover.BYTES.inverse(b)), a)
        for k, n, rows in (
            (2, 3, "3 2"),
            (4, 6, "77 40 38 E / C7 A7 D 6C"),
            (6, 10, "6 26 C5 E5 3F 3E / 82 17 AD DD E6 2 / 8E 4C 80 7A A3 9A / F5 D1 5F 39 C0 83"),
        ):
            wanted = [[int(word, 16) for word in row.split()] for row in rows.split("/")]
            units = [bytes(i == j for j in range(k)) for i in range(k)]
            self.assertEqual([list(row) for row in parity(rs8(k, n), units)], wanted)
            self.assertEqual([[row[i] for i in range(k)] for row in recover.rows_of("rs8", "", k, n)[k:]], wanted)
        self.assertEqual(parity(rs8(2, 3), [b"\1\2", b"\x10\x80"]), [b"\x23\x1b"])

    def test_rs8_recovers_from_any_k(self):
        for k, n in ((2, 3), (4, 6), (3, 8), (5, 7)):
            data = some_bytes(k * 35 * 2 + 17)
            shares = write(rs8(k, n), data, shard=35)
            for left in itertools.combinations(shares, k):
                self.gives(data, left)
            self.fails(shares[n - k + 1 :], "cannot be recovered")

    def test_rs8_with_many_shards(self):
        for k, n in ((20, 30), (17, 50), (60, 256)):
            data = some_bytes(k * 2 + 5)
            shares = write(rs8(k, n), data, shard=2)
            for seed in range(3):
                self.gives(data, random.Random(seed).sample(shares, k))

    def test_rs16_recovers_from_any_k(self):
        for k, n, rate in ((2, 3, "high"), (2, 3, "low"), (4, 6, "high"), (4, 6, "low"), (3, 8, "high"), (5, 7, "low")):
            data = some_bytes(k * 132 * 2 + 77)
            shares = write(rs16(k, n, rate), data, shard=132)
            for left in itertools.combinations(shares, k):
                self.gives(data, left)
            self.fails(shares[n - k + 1 :], "cannot be recovered")

    def test_rs16_with_many_shards(self):
        for k, n, rate in ((20, 30, "high"), (20, 30, "low"), (17, 50, "low"), (50, 67, "high")):
            data = some_bytes(k * 2 + 5)
            shares = write(rs16(k, n, rate), data, shard=2)
            for seed in range(3):
                self.gives(data, random.Random(seed).sample(shares, k))

    def test_one_copy_is_enough(self):
        data = some_bytes(100)
        for share in write(COPY, data):
            self.gives(data, [share])

    def test_any_flipped_byte_with_one_spare(self):
        data = some_bytes(40)
        shares = write(PARITY, data)
        for at in range(len(shares[1])):
            bad = bytearray(shares[1])
            bad[at] ^= 1 << at % 8
            self.gives(data, [shares[0], bytes(bad), shares[2]])

    def test_any_flipped_byte_without_a_spare_gives_the_stream_or_nothing(self):
        data = some_bytes(40)
        shares = write(PARITY, data)
        for which in (1, 2):
            for at in range(len(shares[which])):
                bad = bytearray(shares[which])
                bad[at] ^= 1 << at % 8
                code, out, _ = self.run_reader([shares[0], bytes(bad)])
                self.assertIn((code, out), ((0, data), (1, None)))

    def test_each_share_damaged_elsewhere(self):
        data = some_bytes(16 * 3)
        shares = [bytearray(share) for share in write(PARITY, data)]
        for index, share in enumerate(shares):
            share[header_length(share) + index * 88 + 85] ^= 64
        messages = self.gives(data, shares)
        self.assertIn("share2: stripe 2 is missing or damaged", messages)

    def test_cut_at_every_length(self):
        data = some_bytes(40)
        shares = write(PARITY, data)
        for at in range(len(shares[1])):
            self.gives(data, [shares[0], shares[1][:at], shares[2]])
            code, out, _ = self.run_reader([shares[1][:at], shares[2]])
            self.assertIn((code, out), ((0, data), (1, None)))

    def test_bytes_inserted_or_lost(self):
        data = some_bytes(16 * 4)
        shares = write(PARITY, data)
        start = header_length(shares[0])
        for at in range(start, start + 4 * 88, 7):
            longer = shares[0][:at] + b"inserted" + shares[0][at:]
            shorter = shares[0][:at] + shares[0][at + 5 :]
            others_end = shares[2][: start + 88 * 3]  # with the frame of stripe 3 gone
            for share in (longer, shorter):
                self.gives(data, [share, *shares[1:]])
            if at < start + 88:
                # Only stripe 0 was hit: share 0 serves for the others.
                self.gives(data, [longer, shares[1], shares[2][: start + 88]])
                self.gives(data, [shorter, shares[1], others_end])

    def test_a_share_without_header_and_end_still_serves(self):
        data = some_bytes(16 * 3)
        shares = write(PARITY, data)
        start = header_length(shares[2])
        middle = bytes(start) + shares[2][start : start + 3 * 88]
        self.gives(data, [middle, shares[0]])
        self.gives(data, [shares[0], middle[start:]])
        self.fails([middle], "no valid header or trailer")

    def test_a_lost_header_is_replaced_by_the_trailer(self):
        data = some_bytes(50)
        shares = write(PARITY, data)
        self.gives(data, [bytes(header_length(share)) + share[header_length(share) :] for share in shares[1:]])

    def test_what_follows_the_footer_is_no_part_of_the_share(self):
        data = some_bytes(50)
        shares = write(PARITY, data)
        self.gives(data, [shares[0] + b"more", shares[1] + b"and more"])

    def test_the_last_stripe_proves_the_end_without_a_trailer(self):
        data = some_bytes(48)
        shares = write(PARITY, data)
        frames_end = header_length(shares[0]) + 3 * 88
        self.assertIn("no share has a valid trailer", self.gives(data, [share[:frames_end] for share in shares]))
        self.fails([share[: frames_end - 1] for share in shares], "stripe 2, from byte 32, cannot be recovered")
        self.fails([share[: frames_end - 88] for share in shares], "stripe 2, from byte 32, cannot be recovered")

    def test_forged_parity_is_caught_and_a_spare_tried(self):
        def forge(index, stripe, payload):
            return b"\xff" + payload[1:] if (index, stripe) == (7, 1) else payload

        data = some_bytes(6 * 8 * 3)
        shares = write(XOR, data, forge=forge)
        self.gives(data, shares)
        # 2^4^6 is forged: with shard 4 lost it is tried first, then 1^4^5.
        self.gives(data, shares[:3] + shares[4:])
        self.fails(shares[:3] + shares[4:8] + shares[9:], "stripe 1, from byte 48, cannot be recovered")

    def test_a_trailer_that_disagrees(self):
        data = some_bytes(48)
        shares, others = write(PARITY, data), write(PARITY, data, total=h(b""))
        self.fails(others, "every trailer disagrees")
        # One that differs from the others is damage of its share.
        self.assertIn("share1: its trailer disagrees", self.gives(data, [shares[0], others[1]]))

    def test_a_trailer_without_its_footer_completes_no_share(self):
        for length in (50, 0):
            data = some_bytes(length)
            shares = write(PARITY, data)
            hurt = [share[:-1] + bytes([share[-1] ^ 1]) for share in shares]
            if length:
                self.assertIn("no share has a valid trailer", self.gives(data, hurt))
                self.assertNotIn("valid trailer", self.gives(data, [*hurt[1:], shares[0]]))
            else:
                self.fails(hurt, "stripe 0, from byte 0, cannot be recovered")
                self.gives(data, [*hurt[1:], shares[0]])

    def test_nothing_behind_a_footer_is_used(self):
        data = some_bytes(48)
        shares = write(PARITY, data)
        start = header_length(shares[0])
        hurt = shares[0][: start + 85] + b"hurt" + shares[0][start + 89 :]
        self.fails([hurt + shares[0], shares[1]], "stripe 0, from byte 0, cannot be recovered")

    def test_a_share_of_another_version_names_no_stream(self):
        data = some_bytes(48)
        shares = write(PARITY, data)
        later = [share[:9] + b"\2" + share[10:] for share in shares]
        self.fails(later, "no valid header or trailer")
        self.gives(data, [*later[:2], shares[2]])  # all the same, frames that check are good

    def test_what_no_writer_may_write_in_common(self):
        numbers = {"k": 0}, {"k": 4}, {"n": "3"}, {"shard": 1 << 26}, {"min_shares": 4}
        for more in (*numbers, {"params": "0"}, {"params": "2^1"}):
            with self.subTest(more):
                self.fails(write(PARITY, some_bytes(48), **more), "failed")

    def test_frames_that_disagree_about_the_data(self):
        shares, others = write(COPY, some_bytes(8)), write(COPY, some_bytes(8, 2))
        self.fails([shares[0], others[1]], "stripe 0, from byte 0, cannot be recovered")

    def test_wrong_padding_is_refused(self):
        self.fails(write(PARITY, some_bytes(15), pad=b"\1"), "cannot be recovered")

    def test_frames_of_another_place_are_erasures(self):
        data = some_bytes(16 * 3)
        shares = write(PARITY, data)
        other = write(PARITY, some_bytes(48, 2), stream=OTHER)
        start = header_length(shares[0])

        def with_frame(share, at, source, source_at):
            a, b = start + 88 * at, start + 88 * source_at
            return share[:a] + source[b : b + 88] + share[a + 88 :]

        for bad in (
            with_frame(shares[0], 1, shares[1], 1),
            with_frame(shares[0], 1, shares[2], 1),
            with_frame(shares[0], 1, shares[0], 2),
            with_frame(shares[0], 1, other[0], 1),
        ):
            self.gives(data, [bad, shares[1], shares[2]])
            self.fails([bad, shares[1]], "stripe 1, from byte 16, cannot be recovered")

    def test_streams_are_not_mixed(self):
        data, more = some_bytes(48), some_bytes(48, 2)
        shares, others = write(PARITY, data), write(PARITY, more, stream=OTHER)
        mixed = [shares[0], others[1], shares[1], others[2]]
        self.fails(mixed, OTHER.hex())
        self.gives(data, mixed, "--stream", STREAM.hex())
        self.gives(more, mixed, "--stream", OTHER.hex())
        # The same id, but another `common`, is another stream all the same.
        self.fails([shares[0], write(PARITY, data, generation=2)[1]], "not the shares of one stream")

    def test_the_same_index_twice(self):
        data = some_bytes(48)
        shares = write(PARITY, data)
        self.gives(data, [shares[0], shares[0], shares[1]])
        self.fails([shares[0], shares[0]], "valid frames of the shares [0]")

        def forge(index, stripe, payload):
            return b"\xff" + payload[1:] if (index, stripe) == (2, 1) else payload

        twice = [shares[2], write(PARITY, data, forge=forge)[2]]
        self.fails([shares[0], *twice], "stripe 1")
        self.fails([shares[0], *twice[::-1]], "stripe 1")
        self.gives(data, [shares[0], *twice, shares[1]])
        # The same where they claim different stripes.
        other = write(PARITY, some_bytes(48, 2))
        self.fails([shares[0], shares[2], other[2]], "stripe 0")
        self.gives(data, [*shares[:2], shares[2], other[2]])

    def test_what_the_reader_does_not_know(self):
        data = some_bytes(20)
        self.fails(write(PARITY, data, features=["mac"]), "mac")
        self.fails(write(PARITY, data, digest="sha-1"), "sha-1")
        self.fails(write(PARITY, data, codec="fountain"), "fountain")
        self.fails([b"", b"no share"], "no valid header")

    def test_the_scripts_in_recovery_md(self):
        with open(os.path.join(os.path.dirname(recover.__file__), "..", "RECOVERY.md"), encoding="utf-8") as file:
            indexes, join = [part.split("```")[0] for part in file.read().split("```python\n")[1:]]
        for code in (PARITY, XOR, COPY, rs16(4, 6, "low"), rs8(4, 6)):
            for length in (0, 1, 1000):
                data, names = some_bytes(length), []
                for index, share in enumerate(write(code, data)):
                    names.append(f"s{index}")
                    with open(os.path.join(self.folder, names[-1]), "wb") as file:
                        file.write(share)

                def script(text, *arguments):
                    command = [sys.executable, "-c", text, *arguments]
                    return subprocess.run(command, cwd=self.folder, capture_output=True, check=True).stdout

                self.assertEqual(script(join, *names[: code.k]), data)
                if length:
                    told = "".join(f"{name} {name[1:]}\n" for name in reversed(names))
                    self.assertEqual(script(indexes, *reversed(names)).decode(), told)

    def test_the_program_itself(self):
        data = some_bytes(5000)
        for index, share in enumerate(write(PARITY, data, shard=1000)):
            with open(os.path.join(self.folder, f"s{index}"), "wb") as file:
                file.write(share)
        run = [sys.executable, recover.__file__]
        done = subprocess.run([*run, "s2", "s0"], cwd=self.folder, capture_output=True, check=True)
        self.assertEqual((done.stdout, done.stderr), (data, b""))
        done = subprocess.run([*run, "s2", "s2"], cwd=self.folder, capture_output=True)
        self.assertEqual((done.returncode, done.stdout), (1, b""))
        self.assertIn(b"cannot be recovered", done.stderr)


if __name__ == "__main__":
    unittest.main()
