/*
 * recover: gives back a stream from its distdup shares.
 *
 *     cc -O2 -o recover recover.c
 *     recover [-o FILE] [-s STREAM] SHARE... > STREAM
 *
 * Written from docs/FORMAT.md alone and from the public specification of XXH3, as recover.py is. It needs
 * a C11 compiler and POSIX (pread), nothing else. Numbers after a section sign are sections of
 * FORMAT.md. The order below is: hash, fields, CBOR, common, header, trailer and footer, frames,
 * codecs, stripes, the stream, the command line.
 *
 * Nothing a share says is believed before a digest or a limit has confirmed it. Shares are read in
 * place: the memory used is two stripes (at most 128 MiB) and some kilobytes for each share.
 * What leaves is exact, or the exit code is 1.
 */
#define _POSIX_C_SOURCE 200809L
#define _FILE_OFFSET_BITS 64

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    VERSION = 1,                /* §3 */
    MAX_SHARES = 256,           /* §3: n */
    MAX_COMMON = 65000,         /* §3 */
    MAX_HEADER = 65536,         /* §3 */
    MAX_TRAILER = 65102,        /* §5 */
    MAX_STRIPE = 67108864,      /* §3: k x S */
    MAX_NAME = 1024,            /* §3 */
    FRAME_HEAD = 80,            /* §4 */
    FRAME_CHECKED = 58,         /* §4: the bytes of the head that the check covers */
    FOOTER = 64,                /* §5 */
    DIGEST = 16,                /* §2 */
    FRAME_MARK = 7 + DIGEST,    /* §4: tag, array, stream id: what a search looks for */
    MAX_NESTING = 32,           /* of CBOR under a key that we do not know; ours to choose */
    MAX_RUNS = 4096,            /* places in one file at which frames shifted; ours to choose */
    MAX_TRIES = 5000,           /* sets of frames tried for one claim; ours to choose */
    CHUNK = 65536
};

#define NOWHERE UINT64_MAX

static void warn(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    fputs("recover: ", stderr);
    vfprintf(stderr, format, args);
    fputc('\n', stderr);
    va_end(args);
}

static void *allocate(size_t count, size_t size)
{
    void *p = calloc(count ? count : 1, size ? size : 1);
    if (!p) {
        warn("out of memory");
        exit(1);
    }
    return p;
}

static void *grown(void *old, size_t count, size_t size)
{
    void *p = count <= SIZE_MAX / size ? realloc(old, count * size) : NULL;
    if (!p) {
        warn("out of memory");
        exit(1);
    }
    return p;
}

static uint64_t big_endian(const uint8_t *p, int bytes)
{
    uint64_t v = 0;
    while (bytes-- > 0)
        v = v << 8 | *p++;
    return v;
}

static void put_big_endian(uint8_t *p, uint64_t v, int bytes)
{
    while (bytes-- > 0) {
        p[bytes] = (uint8_t)v;
        v >>= 8;
    }
}

/* ---- H: XXH3-128, seed 0, default secret (§0), after xxHash's doc/xxhash_spec.md ---- */

#define PRIME32_1 0x9E3779B1U
#define PRIME32_2 0x85EBCA77U
#define PRIME32_3 0xC2B2AE3DU
#define PRIME64_1 0x9E3779B185EBCA87U
#define PRIME64_2 0xC2B2AE3D27D4EB4FU
#define PRIME64_3 0x165667B19E3779F9U
#define PRIME64_4 0x85EBCA77C2B2AE63U
#define PRIME64_5 0x27D4EB2F165667C5U
#define PRIME_MX1 0x165667919E3779F9U
#define PRIME_MX2 0x9FB21C651E98DF25U

enum { XXH_BLOCK = 1024, XXH_LANE = 64, XXH_SECRET = 192 };

static const uint8_t secret[XXH_SECRET] = {
    0xb8, 0xfe, 0x6c, 0x39, 0x23, 0xa4, 0x4b, 0xbe, 0x7c, 0x01, 0x81, 0x2c, 0xf7, 0x21, 0xad, 0x1c,
    0xde, 0xd4, 0x6d, 0xe9, 0x83, 0x90, 0x97, 0xdb, 0x72, 0x40, 0xa4, 0xa4, 0xb7, 0xb3, 0x67, 0x1f,
    0xcb, 0x79, 0xe6, 0x4e, 0xcc, 0xc0, 0xe5, 0x78, 0x82, 0x5a, 0xd0, 0x7d, 0xcc, 0xff, 0x72, 0x21,
    0xb8, 0x08, 0x46, 0x74, 0xf7, 0x43, 0x24, 0x8e, 0xe0, 0x35, 0x90, 0xe6, 0x81, 0x3a, 0x26, 0x4c,
    0x3c, 0x28, 0x52, 0xbb, 0x91, 0xc3, 0x00, 0xcb, 0x88, 0xd0, 0x65, 0x8b, 0x1b, 0x53, 0x2e, 0xa3,
    0x71, 0x64, 0x48, 0x97, 0xa2, 0x0d, 0xf9, 0x4e, 0x38, 0x19, 0xef, 0x46, 0xa9, 0xde, 0xac, 0xd8,
    0xa8, 0xfa, 0x76, 0x3f, 0xe3, 0x9c, 0x34, 0x3f, 0xf9, 0xdc, 0xbb, 0xc7, 0xc7, 0x0b, 0x4f, 0x1d,
    0x8a, 0x51, 0xe0, 0x4b, 0xcd, 0xb4, 0x59, 0x31, 0xc8, 0x9f, 0x7e, 0xc9, 0xd9, 0x78, 0x73, 0x64,
    0xea, 0xc5, 0xac, 0x83, 0x34, 0xd3, 0xeb, 0xc3, 0xc5, 0x81, 0xa0, 0xff, 0xfa, 0x13, 0x63, 0xeb,
    0x17, 0x0d, 0xdd, 0x51, 0xb7, 0xf0, 0xda, 0x49, 0xd3, 0x16, 0x55, 0x26, 0x29, 0xd4, 0x68, 0x9e,
    0x2b, 0x16, 0xbe, 0x58, 0x7d, 0x47, 0xa1, 0xfc, 0x8f, 0xf8, 0xb8, 0xd1, 0x7a, 0xd0, 0x31, 0xce,
    0x45, 0xcb, 0x3a, 0x8f, 0x95, 0x16, 0x04, 0x28, 0xaf, 0xd7, 0xfb, 0xca, 0xbb, 0x4b, 0x40, 0x7e,
};

/* The last 64 bytes before the current block are kept in front of it: the final step reads the last
 * 64 bytes of all, which may begin in the block before. */
struct hasher {
    uint64_t acc[8];
    uint64_t total;
    size_t fill;
    uint8_t buffer[XXH_LANE + XXH_BLOCK];
};

struct wide { uint64_t low, high; };

static uint64_t le64(const uint8_t *p)
{
    return (uint64_t)p[0] | (uint64_t)p[1] << 8 | (uint64_t)p[2] << 16 | (uint64_t)p[3] << 24 |
           (uint64_t)p[4] << 32 | (uint64_t)p[5] << 40 | (uint64_t)p[6] << 48 | (uint64_t)p[7] << 56;
}

static uint32_t le32(const uint8_t *p)
{
    return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

static uint32_t swap32(uint32_t v)
{
    return v >> 24 | (v >> 8 & 0xff00) | (v << 8 & 0xff0000) | v << 24;
}

static uint64_t swap64(uint64_t v)
{
    return (uint64_t)swap32((uint32_t)v) << 32 | swap32((uint32_t)(v >> 32));
}

/* 64 x 64 -> 128 bits, in halves: C11 has no type for the product. */
static struct wide multiply(uint64_t a, uint64_t b)
{
    uint64_t al = (uint32_t)a, ah = a >> 32, bl = (uint32_t)b, bh = b >> 32;
    uint64_t ll = al * bl, lh = al * bh, hl = ah * bl, hh = ah * bh;
    uint64_t middle = (ll >> 32) + (uint32_t)lh + hl;
    return (struct wide){middle << 32 | (uint32_t)ll, hh + (lh >> 32) + (middle >> 32)};
}

static uint64_t folded(uint64_t a, uint64_t b)
{
    struct wide w = multiply(a, b);
    return w.low ^ w.high;
}

static uint64_t avalanche(uint64_t x)
{
    x = (x ^ x >> 37) * PRIME_MX1;
    return x ^ x >> 32;
}

static uint64_t avalanche64(uint64_t x)
{
    x = (x ^ x >> 33) * PRIME64_2;
    x = (x ^ x >> 29) * PRIME64_3;
    return x ^ x >> 32;
}

static struct wide hash_1_to_3(const uint8_t *p, size_t len)
{
    uint32_t c = (uint32_t)p[len - 1] | (uint32_t)len << 8 | (uint32_t)p[0] << 16 | (uint32_t)p[len >> 1] << 24;
    uint32_t s = swap32(c);
    return (struct wide){avalanche64((uint64_t)(le32(secret) ^ le32(secret + 4)) ^ c),
                         avalanche64((uint64_t)(le32(secret + 8) ^ le32(secret + 12)) ^ (s << 13 | s >> 19))};
}

static struct wide hash_4_to_8(const uint8_t *p, size_t len)
{
    uint64_t both = (uint64_t)le32(p) | (uint64_t)le32(p + len - 4) << 32;
    struct wide w = multiply((le64(secret + 16) ^ le64(secret + 24)) ^ both, PRIME64_1 + (len << 2));
    w.high += w.low << 1;
    w.low ^= w.high >> 3;
    w.low = (w.low ^ w.low >> 35) * PRIME_MX2;
    w.low ^= w.low >> 28;
    w.high = avalanche(w.high);
    return w;
}

static struct wide hash_9_to_16(const uint8_t *p, size_t len)
{
    uint64_t first = le64(p), last = le64(p + len - 8);
    uint64_t one = (le64(secret + 32) ^ le64(secret + 40)) ^ first ^ last;
    uint64_t two = (le64(secret + 48) ^ le64(secret + 56)) ^ last;
    struct wide w = multiply(one, PRIME64_1);
    w.low += (uint64_t)(len - 1) << 54;
    w.high += two + (uint64_t)(uint32_t)two * (PRIME32_2 - 1);
    w.low ^= swap64(w.high);
    struct wide v = multiply(w.low, PRIME64_2);
    v.high += w.high * PRIME64_2;
    return (struct wide){avalanche(v.low), avalanche(v.high)};
}

static uint64_t mixed(const uint8_t *p, const uint8_t *key)
{
    return folded(le64(p) ^ le64(key), le64(p + 8) ^ le64(key + 8));
}

static void mix_two(struct wide *acc, const uint8_t *a, const uint8_t *b, const uint8_t *key)
{
    acc->low += mixed(a, key);
    acc->high += mixed(b, key + 16);
    acc->low ^= le64(b) + le64(b + 8);
    acc->high ^= le64(a) + le64(a + 8);
}

static struct wide hash_17_to_240(const uint8_t *p, size_t len)
{
    struct wide acc = {len * PRIME64_1, 0};
    if (len <= 128) {
        for (size_t i = (len - 1) / 32 + 1; i-- > 0;)
            mix_two(&acc, p + 16 * i, p + len - 16 * i - 16, secret + 32 * i);
    } else {
        for (size_t i = 0; i < 4; i++)
            mix_two(&acc, p + 32 * i, p + 32 * i + 16, secret + 32 * i);
        acc = (struct wide){avalanche(acc.low), avalanche(acc.high)};
        for (size_t i = 4; i < len / 32; i++)
            mix_two(&acc, p + 32 * i, p + 32 * i + 16, secret + 32 * (i - 4) + 3);
        mix_two(&acc, p + len - 16, p + len - 32, secret + 103);
    }
    uint64_t high = acc.low * PRIME64_1 + acc.high * PRIME64_4 + len * PRIME64_2;
    return (struct wide){avalanche(acc.low + acc.high), 0 - avalanche(high)};
}

static void accumulate(uint64_t acc[8], const uint8_t *p, const uint8_t *key)
{
    for (int i = 0; i < 8; i++) {
        uint64_t lane = le64(p + 8 * i), value = lane ^ le64(key + 8 * i);
        acc[i ^ 1] += lane;
        acc[i] += (uint64_t)(uint32_t)value * (value >> 32);
    }
}

static void scramble(uint64_t acc[8])
{
    for (int i = 0; i < 8; i++)
        acc[i] = (acc[i] ^ acc[i] >> 47 ^ le64(secret + XXH_SECRET - 64 + 8 * i)) * PRIME32_1;
}

static uint64_t merged(const uint64_t acc[8], uint64_t start, const uint8_t *key)
{
    for (int i = 0; i < 8; i += 2)
        start += folded(acc[i] ^ le64(key + 8 * i), acc[i + 1] ^ le64(key + 8 * i + 8));
    return avalanche(start);
}

static struct wide hash_long(struct hasher *h)
{
    const uint8_t *block = h->buffer + XXH_LANE;
    for (size_t i = 0; i < (h->fill - 1) / XXH_LANE; i++)
        accumulate(h->acc, block + XXH_LANE * i, secret + 8 * i);
    accumulate(h->acc, block + h->fill - XXH_LANE, secret + XXH_SECRET - 71);
    return (struct wide){merged(h->acc, h->total * PRIME64_1, secret + 11),
                         merged(h->acc, ~(h->total * PRIME64_2), secret + XXH_SECRET - 75)};
}

static void hash_start(struct hasher *h)
{
    static const uint64_t start[8] = {PRIME32_3, PRIME64_1, PRIME64_2, PRIME64_3,
                                      PRIME64_4, PRIME32_2, PRIME64_5, PRIME32_1};
    memcpy(h->acc, start, sizeof start);
    h->total = 0;
    h->fill = 0;
}

/* A full block is mixed in only when more follows: the last one is treated differently. */
static void hash_block(struct hasher *h)
{
    for (size_t i = 0; i < XXH_BLOCK / XXH_LANE; i++)
        accumulate(h->acc, h->buffer + XXH_LANE + XXH_LANE * i, secret + 8 * i);
    scramble(h->acc);
    memcpy(h->buffer, h->buffer + XXH_BLOCK, XXH_LANE);
    h->fill = 0;
}

static void hash_add(struct hasher *h, const void *data, size_t len)
{
    const uint8_t *p = data;
    h->total += len;
    while (len > 0) {
        if (h->fill == XXH_BLOCK)
            hash_block(h);
        size_t take = len < XXH_BLOCK - h->fill ? len : XXH_BLOCK - h->fill;
        memcpy(h->buffer + XXH_LANE + h->fill, p, take);
        h->fill += take;
        p += take;
        len -= take;
    }
}

static void hash_end(struct hasher *h, uint8_t out[DIGEST])
{
    const uint8_t *p = h->buffer + XXH_LANE;
    size_t len = h->fill;
    struct wide w;
    if (h->total > 240)
        w = hash_long(h);
    else if (len > 16)
        w = hash_17_to_240(p, len);
    else if (len > 8)
        w = hash_9_to_16(p, len);
    else if (len > 3)
        w = hash_4_to_8(p, len);
    else if (len > 0)
        w = hash_1_to_3(p, len);
    else
        w = (struct wide){avalanche64(le64(secret + 64) ^ le64(secret + 72)),
                          avalanche64(le64(secret + 80) ^ le64(secret + 88))};
    put_big_endian(out, w.high, 8);
    put_big_endian(out + 8, w.low, 8);
}

static void hash_number(struct hasher *h, uint64_t v, int bytes)
{
    uint8_t b[8];
    put_big_endian(b, v, bytes);
    hash_add(h, b, (size_t)bytes);
}

static void hash(const void *data, size_t len, uint8_t out[DIGEST])
{
    struct hasher h;
    hash_start(&h);
    hash_add(&h, data, len);
    hash_end(&h, out);
}

/* ---- the two fields: GF(2^16) of §7.2 and GF(2^8) of §7.3, by logarithms ---- */

struct field {
    uint32_t order;             /* of the multiplicative group: elements less one */
    uint16_t *log, *exp;
};

static uint16_t log8[256], exp8[255], log16[65536], exp16[65535];
static const struct field gf8 = {255, log8, exp8}, gf16 = {65535, log16, exp16};

static uint16_t product(const struct field *f, uint16_t a, uint16_t b)
{
    return a && b ? f->exp[((uint32_t)f->log[a] + f->log[b]) % f->order] : 0;
}

static uint16_t quotient(const struct field *f, uint16_t a, uint16_t b)
{
    return a ? f->exp[(f->order + f->log[a] - f->log[b]) % f->order] : 0;
}

/* The powers of x run through all polynomials but 0, in both fields. `from` names the element that a
 * polynomial stands for; NULL where they are the same integers. */
static void fill_field(const struct field *f, uint32_t modulus, const uint16_t *from)
{
    uint32_t power = 1;
    for (uint32_t i = 0; i < f->order; i++) {
        uint16_t e = from ? from[power] : (uint16_t)power;
        f->exp[i] = e;
        f->log[e] = (uint16_t)i;
        power <<= 1;
        if (power > f->order)
            power ^= modulus;
    }
}

static void fill_fields(void)
{
    static const uint16_t cantor[16] = {0x0001, 0xACCA, 0x3C0E, 0x163E, 0xC582, 0xED2E, 0x914C, 0x4012,
                                        0x6C98, 0x10D8, 0x6A72, 0xB900, 0xFDB8, 0xFB34, 0xFF38, 0x991E};
    static uint16_t from[65536];
    for (uint32_t e = 0; e < 65536; e++) {
        uint16_t to = 0;
        for (int bit = 0; bit < 16; bit++)
            if (e >> bit & 1)
                to ^= cantor[bit];
        from[to] = (uint16_t)e;
    }
    fill_field(&gf16, 0x1002D, from);
    fill_field(&gf8, 0x11D, NULL);
}

/* The weight of the value at points[i] in the value at `at` of the polynomial through all points. */
static uint16_t lagrange(const struct field *f, const uint16_t *points, unsigned count, unsigned i, uint16_t at)
{
    uint16_t weight = 1;
    for (unsigned p = 0; p < count; p++)
        if (p != i)
            weight = product(f, weight, quotient(f, at ^ points[p], points[i] ^ points[p]));
    return weight;
}

/* dst += c * src, elements of one byte. */
static void add_multiple8(uint8_t *dst, const uint8_t *src, size_t len, uint16_t c)
{
    uint8_t table[256];
    for (uint16_t b = 0; b < 256; b++)
        table[b] = (uint8_t)product(&gf8, c, b);
    for (size_t i = 0; i < len; i++)
        dst[i] ^= table[src[i]];
}

/* dst += c * src, elements of two bytes in blocks of low halves and high halves (§7.2, Elements). */
static void add_multiple16(uint8_t *dst, const uint8_t *src, size_t len, uint16_t c)
{
    uint16_t low[256], high[256];
    for (uint16_t b = 0; b < 256; b++) {
        low[b] = product(&gf16, c, b);
        high[b] = product(&gf16, c, (uint16_t)(b << 8));
    }
    for (size_t at = 0; at < len; at += 64) {
        size_t half = (len - at < 64 ? len - at : 64) / 2;
        for (size_t i = at; i < at + half; i++) {
            uint16_t v = low[src[i]] ^ high[src[i + half]];
            dst[i] ^= (uint8_t)v;
            dst[i + half] ^= (uint8_t)(v >> 8);
        }
    }
}

static void add_multiple(const struct field *f, uint8_t *dst, const uint8_t *src, size_t len, uint16_t c)
{
    if (c == 1) {
        for (size_t i = 0; i < len; i++)
            dst[i] ^= src[i];
    } else if (c != 0) {
        (f == &gf8 ? add_multiple8 : add_multiple16)(dst, src, len, c);
    }
}

/* ---- CBOR (RFC 8949), as far as headers and trailers need it (§3, §5) ---- */

struct cbor { const uint8_t *p, *end; };

enum { UNSIGNED, NEGATIVE, BYTES, TEXT, ARRAY, MAP, TAG, SIMPLE };

/* Reads the head of an item. Only the shortest form of integers and lengths is taken (§3), and so no
 * indefinite length; a simple value or float has no shorter form to be held against. */
static bool cbor_head(struct cbor *c, unsigned *major, uint64_t *value)
{
    if (c->p == c->end)
        return false;
    unsigned info = *c->p & 31;
    *major = *c->p++ >> 5;
    *value = info;
    if (info < 24)
        return true;
    if (info > 27)
        return false;
    int bytes = 1 << (info - 24);
    if (c->end - c->p < bytes)
        return false;
    *value = big_endian(c->p, bytes);
    c->p += bytes;
    if (*major == SIMPLE)
        return true;
    return bytes == 1 ? *value >= 24 : *value >> (4 * bytes) != 0;
}

static bool cbor_unsigned(struct cbor *c, uint64_t *value)
{
    unsigned major;
    return cbor_head(c, &major, value) && major == UNSIGNED;
}

static bool cbor_string(struct cbor *c, unsigned type, const uint8_t **data, size_t *len)
{
    unsigned major;
    uint64_t value;
    if (!cbor_head(c, &major, &value) || major != type || value > (uint64_t)(c->end - c->p))
        return false;
    *data = c->p;
    *len = (size_t)value;
    c->p += value;
    return true;
}

static bool cbor_digest(struct cbor *c, const uint8_t **data)
{
    size_t len;
    return cbor_string(c, BYTES, data, &len) && len == DIGEST;
}

static bool cbor_literal(struct cbor *c, const void *bytes, size_t len)
{
    if ((size_t)(c->end - c->p) < len || memcmp(c->p, bytes, len) != 0)
        return false;
    c->p += len;
    return true;
}

static bool cbor_skip(struct cbor *c, int nesting)
{
    unsigned major;
    uint64_t value;
    if (nesting == 0 || !cbor_head(c, &major, &value))
        return false;
    if (major == UNSIGNED || major == NEGATIVE || major == SIMPLE)
        return true;
    uint64_t left = (uint64_t)(c->end - c->p);
    if (major != TAG && value > left)
        return false;
    if (major == BYTES || major == TEXT) {
        c->p += value;
        return true;
    }
    uint64_t items = major == TAG ? 1 : major == MAP ? 2 * value : value;
    while (items-- > 0)
        if (!cbor_skip(c, nesting - 1))
            return false;
    return true;
}

/* ---- `common` (§3) ---- */

enum codec { COPY, XOR, RS16_HIGH, RS16_LOW, RS8 };

struct common {
    uint8_t *bytes;             /* as they stand in the header */
    size_t len;
    uint8_t digest[DIGEST];     /* C */
    uint8_t stream[DIGEST];
    uint64_t generation;
    enum codec codec;
    unsigned k, n, unit;
    uint32_t shard;             /* S */
    uint64_t min_shares;
    uint8_t terms[MAX_SHARES][MAX_SHARES / 8];  /* xor: which data shards are in each parity shard */
};

struct text { const uint8_t *p; size_t len; };

static bool text_is(struct text t, const char *s)
{
    return t.len == strlen(s) && memcmp(t.p, s, t.len) == 0;
}

/* What is read from the map before it is judged as a whole. */
struct raw_common {
    const uint8_t *stream;
    uint64_t generation, time, k, n, shard, min_shares;
    struct text codec, params, digest, name;
    uint64_t features;
};

static const char *const keys[] = {"stream", "generation", "time",   "codec",    "params", "k",
                                   "n",      "shard",      "min_shares", "digest", "features", "name"};
enum { KEYS = sizeof keys / sizeof keys[0], KEY_NAME = KEYS - 1 };

static bool cbor_text(struct cbor *c, unsigned type, struct text *t)
{
    return cbor_string(c, type, &t->p, &t->len);
}

static bool read_features(struct cbor *c, uint64_t *count)
{
    unsigned major;
    if (!cbor_head(c, &major, count) || major != ARRAY)
        return false;
    for (uint64_t i = 0; i < *count; i++) {
        struct text feature;
        if (!cbor_text(c, TEXT, &feature))
            return false;
    }
    return true;
}

static bool read_value(struct cbor *c, unsigned key, struct raw_common *r)
{
    switch (key) {
    case 0: return cbor_digest(c, &r->stream);
    case 1: return cbor_unsigned(c, &r->generation);
    case 2: return cbor_unsigned(c, &r->time);
    case 3: return cbor_text(c, TEXT, &r->codec);
    case 4: return cbor_text(c, TEXT, &r->params);
    case 5: return cbor_unsigned(c, &r->k);
    case 6: return cbor_unsigned(c, &r->n);
    case 7: return cbor_unsigned(c, &r->shard);
    case 8: return cbor_unsigned(c, &r->min_shares);
    case 9: return cbor_text(c, TEXT, &r->digest);
    case 10: return read_features(c, &r->features);
    case 11: return cbor_text(c, BYTES, &r->name) && r->name.len <= MAX_NAME;
    default: return cbor_skip(c, MAX_NESTING);
    }
}

static bool read_map(const struct common *m, struct raw_common *r)
{
    struct cbor c = {m->bytes, m->bytes + m->len};
    unsigned major, seen = 0;
    uint64_t pairs;
    if (!cbor_head(&c, &major, &pairs) || major != MAP)
        return false;
    for (; pairs > 0; pairs--) {
        struct cbor key_at = c;
        struct text key;
        unsigned i = KEYS;
        if (cbor_text(&c, TEXT, &key))
            for (i = 0; i < KEYS && !text_is(key, keys[i]);)
                i++;
        else if (c = key_at, !cbor_skip(&c, MAX_NESTING))   /* a key of another type: not ours */
            return false;
        if (i < KEYS && seen >> i & 1)
            return false;
        if (!read_value(&c, i, r))
            return false;
        seen |= i < KEYS ? 1U << i : 0;
    }
    return c.p == c.end && (seen | 1U << KEY_NAME) == (1U << KEYS) - 1;
}

/* One term of §7.1, such as 2^4^6. */
static bool read_term(struct text *t, unsigned k, uint8_t *term)
{
    unsigned before = 0;
    for (;;) {
        unsigned number = 0;
        if (t->len == 0 || *t->p == '0')
            return false;
        for (; t->len > 0 && *t->p >= '0' && *t->p <= '9' && number <= k; t->p++, t->len--)
            number = 10 * number + (*t->p - '0');
        if (number <= before || number > k)
            return false;
        term[(number - 1) / 8] |= (uint8_t)(1 << (number - 1) % 8);
        before = number;
        if (t->len == 0 || *t->p != '^')
            return true;
        t->p++, t->len--;
    }
}

static bool read_equations(struct text t, struct common *m)
{
    for (unsigned j = 0; j < m->n - m->k; j++) {
        if (j > 0 && (t.len == 0 || *t.p != ','))
            return false;
        if (j > 0)
            t.p++, t.len--;
        if (!read_term(&t, m->k, m->terms[j]))
            return false;
    }
    return t.len == 0;
}

static bool read_codec(const struct raw_common *r, struct common *m)
{
    m->unit = 1;
    if (text_is(r->codec, "copy")) {
        m->codec = COPY;
        return r->params.len == 0 && m->k == 1;
    }
    if (m->k == m->n)
        return false;
    if (text_is(r->codec, "xor")) {
        m->codec = XOR;
        return read_equations(r->params, m);
    }
    if (text_is(r->codec, "rs8")) {
        m->codec = RS8;
        return r->params.len == 0;
    }
    m->unit = 2;
    m->codec = text_is(r->params, "low") ? RS16_LOW : RS16_HIGH;
    return text_is(r->codec, "rs16") && (m->codec == RS16_LOW || text_is(r->params, "high"));
}

/* Returns why the stream is refused, or NULL. */
static const char *read_common(struct common *m)
{
    struct raw_common r = {0};
    if (!read_map(m, &r))
        return "its header makes no sense";
    if (r.features != 0)
        return "it needs a feature that this reader does not know";
    if (!text_is(r.digest, "xxh3-128"))
        return "it has a digest that this reader does not know";
    if (r.k < 1 || r.k > r.n || r.n > MAX_SHARES || r.min_shares < 1 || r.min_shares > r.n)
        return "its number of shares is impossible";
    m->k = (unsigned)r.k;
    m->n = (unsigned)r.n;
    if (!read_codec(&r, m))
        return "it has a codec that this reader does not know";
    if (r.shard < 1 || r.shard > MAX_STRIPE / r.k || r.shard % m->unit != 0)
        return "its shard length is impossible";
    m->shard = (uint32_t)r.shard;
    m->generation = r.generation;
    m->min_shares = r.min_shares;
    memcpy(m->stream, r.stream, DIGEST);
    return NULL;
}

/* ---- files ---- */

struct file {
    const char *name;
    int fd;
    uint64_t size;
};

static bool open_file(struct file *f, const char *name)
{
    f->name = name;
    f->fd = open(name, O_RDONLY);
    off_t size = f->fd < 0 ? -1 : lseek(f->fd, 0, SEEK_END);
    if (size < 0) {
        warn("%s: %s", name, strerror(errno));
        if (f->fd >= 0)
            close(f->fd);
        return false;
    }
    f->size = (uint64_t)size;
    return true;
}

/* All of the bytes or false: what cannot be read is as good as damaged. */
static bool read_at(const struct file *f, uint64_t at, void *buffer, size_t len)
{
    uint8_t *p = buffer;
    if (at > f->size || len > f->size - at)
        return false;
    while (len > 0) {
        ssize_t got = pread(f->fd, p, len, (off_t)at);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return false;
        p += got;
        at += (uint64_t)got;
        len -= (size_t)got;
    }
    return true;
}

/* Reads at most `len` bytes into a buffer of that size, and says how many there were. */
static size_t read_up_to(const struct file *f, uint64_t at, void *buffer, size_t len)
{
    if (at >= f->size)
        return 0;
    if (len > f->size - at)
        len = (size_t)(f->size - at);
    return read_at(f, at, buffer, len) ? len : 0;
}

/* ---- header (§3), trailer and footer (§5) ---- */

struct label {                  /* what names a share, at its head or its end */
    const uint8_t *common;
    size_t common_len;
    unsigned index;
    uint64_t size;              /* bytes of the header or trailer */
};

struct trailer {
    struct label label;
    uint64_t total, stripes;
    uint8_t digest[DIGEST];
};

struct footer {
    uint64_t trailer_at, trailer_len, first_frame, frames;
};

static bool read_label(struct cbor *c, struct label *l)
{
    uint64_t index;
    if (!cbor_string(c, BYTES, &l->common, &l->common_len) || l->common_len > MAX_COMMON)
        return false;
    if (!cbor_unsigned(c, &index) || index >= MAX_SHARES)
        return false;
    l->index = (unsigned)index;
    return true;
}

/* `buffer` holds MAX_HEADER bytes, and what `l` points to. */
static bool read_header(const struct file *f, uint8_t *buffer, struct label *l)
{
    static const uint8_t start[] = {0xd9, 0xd9, 0xf7, 0xda, 0x64, 0x64, 0x73, 0x68, 0x84, VERSION};
    struct cbor c = {buffer, buffer + read_up_to(f, 0, buffer, MAX_HEADER)};
    const uint8_t *check;
    if (!cbor_literal(&c, start, sizeof start) || !read_label(&c, l) || !cbor_digest(&c, &check))
        return false;

    struct hasher h;
    uint8_t digest[DIGEST];
    hash(l->common, l->common_len, digest);
    hash_start(&h);
    hash_number(&h, VERSION, 1);
    hash_add(&h, digest, DIGEST);
    hash_number(&h, l->index, 2);
    hash_end(&h, digest);
    l->size = (uint64_t)(c.p - buffer);
    return memcmp(digest, check, DIGEST) == 0;
}

/* Whether it begins as a share of another version does. What that says in its trailer, if it has one,
 * cannot be known either (§3). */
static bool is_other_version(const struct file *f)
{
    uint8_t b[10];
    return read_at(f, 0, b, sizeof b) && memcmp(b, "\xd9\xd9\xf7\xda" "ddsh", 8) == 0 && b[8] >> 5 == ARRAY &&
           b[9] < 24 && b[9] != VERSION;
}

/* `buffer` holds MAX_TRAILER bytes, and what `t` points to. */
static bool read_trailer(const struct file *f, uint64_t at, uint8_t *buffer, struct trailer *t)
{
    static const uint8_t start[] = {0xda, 0x64, 0x64, 0x74, 0x72, 0x86};
    struct cbor c = {buffer, buffer + read_up_to(f, at, buffer, MAX_TRAILER)};
    const uint8_t *stream_digest, *check;
    if (!cbor_literal(&c, start, sizeof start) || !read_label(&c, &t->label))
        return false;
    if (!cbor_unsigned(&c, &t->total) || t->total > INT64_MAX || !cbor_unsigned(&c, &t->stripes))
        return false;
    if (!cbor_digest(&c, &stream_digest) || !cbor_digest(&c, &check))
        return false;

    struct hasher h;
    uint8_t digest[DIGEST];
    hash(t->label.common, t->label.common_len, digest);
    hash_start(&h);
    hash_add(&h, digest, DIGEST);
    hash_number(&h, t->label.index, 2);
    hash_number(&h, t->total, 8);
    hash_number(&h, t->stripes, 8);
    hash_add(&h, stream_digest, DIGEST);
    hash_end(&h, digest);
    memcpy(t->digest, stream_digest, DIGEST);
    t->label.size = (uint64_t)(c.p - buffer);
    return memcmp(digest, check, DIGEST) == 0;
}

static bool read_footer(const struct file *f, uint64_t at, struct footer *ft)
{
    uint8_t b[FOOTER], digest[DIGEST];
    if (!read_at(f, at, b, FOOTER))
        return false;
    if (memcmp(b, "\xda\x64\x64\x66\x74\x86\x48" "distdup1" "\x1b", 16) != 0)
        return false;
    if (b[24] != 0x1a || b[29] != 0x1b || b[38] != 0x1b || b[47] != 0x50)
        return false;
    ft->trailer_at = big_endian(b + 16, 8);
    ft->trailer_len = big_endian(b + 25, 4);
    ft->first_frame = big_endian(b + 30, 8);
    ft->frames = big_endian(b + 39, 8);
    hash(b, 47, digest);
    return memcmp(digest, b + 48, DIGEST) == 0;
}

/* Where the trailer is that the file's last bytes lead to. Counted from the end, not from the start as
 * the footer has it: so it is found too if bytes were lost or inserted before it. */
static bool find_last_trailer(const struct file *f, uint64_t *at)
{
    struct footer ft;
    if (f->size < FOOTER || !read_footer(f, f->size - FOOTER, &ft) || ft.trailer_len > f->size - FOOTER)
        return false;
    *at = f->size - FOOTER - ft.trailer_len;
    return true;
}

/* ---- a stream and its shares ---- */

struct run {                    /* frames one after another, each where it should be */
    uint64_t at, first, count;
};

struct share {
    const struct file *file;
    int index;                  /* or -1: each frame serves for the index that it names (§6.1) */
    uint64_t header;            /* length of the header, 0 where it is damaged */
    struct run *runs;
    size_t run_count;
    bool has_trailer;           /* a good one, with its footer: the share is complete */
    uint64_t total, stripes;    /* as the trailer has it */
    uint8_t digest[DIGEST];
    uint64_t good;              /* frames used */
};

struct frame {
    const struct share *share;
    uint64_t at;
    uint8_t head[FRAME_HEAD];
    unsigned index;
    uint64_t stripe;
    uint32_t data_len, payload_len;
    bool last;
};

/* The way from the chosen frames to the data: inverse[c * k + j] is the weight of the j-th chosen
 * frame in data shard c. Kept from stripe to stripe, for the choice is mostly the same. */
struct solution {
    unsigned asked_count;       /* 0: none is kept */
    unsigned asked[MAX_SHARES], chosen[MAX_SHARES];
    uint16_t *inverse;
};

struct stream {
    struct common c;
    const char *refused;
    struct share *shares;
    size_t share_count;
    const struct field *field;
    uint16_t *rows;             /* n x k: each shard's weights over the data */
    struct solution solution;
    struct frame frames[2 * MAX_SHARES];        /* of the stripe at hand: see add_frame */
    size_t frame_count;
    uint8_t *data, *parity;     /* of the stripe at hand */
};

/* L(d) of §4. */
static uint32_t payload_length(const struct common *c, uint32_t d)
{
    uint32_t l = d / c->k + (d % c->k != 0);
    return (l + c->unit - 1) / c->unit * c->unit;
}

static void frame_mark(const struct common *c, uint8_t mark[FRAME_MARK])
{
    memcpy(mark, "\xda\x64\x64\x66\x72\x88\x50", 7);
    memcpy(mark + 7, c->stream, DIGEST);
}

/* All that can be said of a frame without its payload (§4). */
static bool read_frame_head(const struct common *c, const struct share *s, uint64_t at, struct frame *f)
{
    uint8_t mark[FRAME_MARK];
    const uint8_t *h = f->head;
    frame_mark(c, mark);
    if (!read_at(s->file, at, f->head, FRAME_HEAD) || memcmp(h, mark, FRAME_MARK) != 0)
        return false;
    if (h[23] != 0x19 || h[26] != 0x1b || h[35] != 0x1a || (h[40] & 0xfe) != 0xf4)
        return false;
    if (h[41] != 0x50 || h[58] != 0x50 || h[75] != 0x5a)
        return false;
    f->share = s;
    f->at = at;
    f->index = (unsigned)big_endian(h + 24, 2);
    f->stripe = big_endian(h + 27, 8);
    f->data_len = (uint32_t)big_endian(h + 36, 4);
    f->last = h[40] == 0xf5;
    f->payload_len = (uint32_t)big_endian(h + 76, 4);
    uint32_t full = c->k * c->shard;
    if (f->stripe > INT64_MAX || f->index >= c->n || (s->index >= 0 && f->index != (unsigned)s->index))
        return false;
    if (f->data_len < 1 || f->data_len > full || (f->data_len < full && !f->last))
        return false;
    return f->payload_len == payload_length(c, f->data_len);
}

static bool hash_payload(const struct frame *f, uint8_t p[DIGEST])
{
    static uint8_t buffer[CHUNK];
    struct hasher h;
    hash_start(&h);
    for (uint32_t done = 0; done < f->payload_len;) {
        size_t take = f->payload_len - done < CHUNK ? f->payload_len - done : CHUNK;
        if (!read_at(f->share->file, f->at + FRAME_HEAD + done, buffer, take))
            return false;
        hash_add(&h, buffer, take);
        done += (uint32_t)take;
    }
    hash_end(&h, p);
    return true;
}

/* check: H(bytes 0..58 of the frame || p || C) (§4) */
static bool frame_checks(const struct common *c, const struct frame *f)
{
    struct hasher h;
    uint8_t digest[DIGEST];
    if (!hash_payload(f, digest))
        return false;
    hash_start(&h);
    hash_add(&h, f->head, FRAME_CHECKED);
    hash_add(&h, digest, DIGEST);
    hash_add(&h, c->digest, DIGEST);
    hash_end(&h, digest);
    return memcmp(digest, f->head + 59, DIGEST) == 0;
}

/* ---- where the frames of a share are (§4) ---- */

/* The first place from `from` on that has the mark of a frame of this stream. */
static uint64_t find_mark(const struct file *f, uint64_t from, const uint8_t mark[FRAME_MARK])
{
    static uint8_t window[CHUNK];
    while (from < f->size && f->size - from >= FRAME_MARK) {
        size_t len = f->size - from < CHUNK ? (size_t)(f->size - from) : CHUNK;
        if (!read_at(f, from, window, len))
            memset(window, 0, len);     /* not readable: the search goes on behind it */
        for (const uint8_t *p = window, *end = window + len - FRAME_MARK + 1; p < end; p++) {
            p = memchr(p, mark[0], (size_t)(end - p));
            if (!p)
                break;
            if (memcmp(p, mark, FRAME_MARK) == 0)
                return from + (uint64_t)(p - window);
        }
        from += len - FRAME_MARK + 1;
    }
    return NOWHERE;
}

/* The first valid frame from `from` on. A hostile file may be full of marks before long payloads that
 * overlap, so what is hashed in vain is limited to a few times the file's size. */
static bool find_frame(const struct common *c, const struct share *s, uint64_t from, uint64_t *budget, struct frame *f)
{
    uint8_t mark[FRAME_MARK];
    frame_mark(c, mark);
    while ((from = find_mark(s->file, from, mark)) != NOWHERE) {
        if (read_frame_head(c, s, from, f)) {
            if (*budget < f->payload_len)
                return false;
            *budget -= f->payload_len;
            if (frame_checks(c, f))
                return true;
        }
        from++;
    }
    return false;
}

static void add_to_runs(struct share *s, uint64_t at, uint64_t stripe, uint64_t step)
{
    struct run *r = s->run_count ? &s->runs[s->run_count - 1] : NULL;
    if (r && stripe >= r->first && stripe - r->first <= s->file->size / step &&
        at == r->at + (stripe - r->first) * step) {
        r->count = stripe - r->first + 1;
        return;
    }
    if (s->run_count == MAX_RUNS)
        return;
    s->runs = grown(s->runs, s->run_count + 1, sizeof *s->runs);
    s->runs[s->run_count++] = (struct run){at, stripe, 1};
}

static bool begins_frame(const struct common *c, const struct file *f, uint64_t at)
{
    uint8_t mark[FRAME_MARK], found[FRAME_MARK];
    frame_mark(c, mark);
    return read_at(f, at, found, FRAME_MARK) && memcmp(mark, found, FRAME_MARK) == 0;
}

/* Takes the trailer at this place, if it is good and of this share of this stream: one without a valid
 * footer right behind it completes no share (§5). Where the footer says that things are is not asked:
 * bytes may have been lost or inserted before it. */
static bool take_trailer(const struct common *c, struct share *s, uint64_t at)
{
    static uint8_t buffer[MAX_TRAILER];
    struct trailer t;
    struct footer ft;
    if (!read_trailer(s->file, at, buffer, &t))
        return false;
    if (t.label.common_len != c->len || memcmp(t.label.common, c->bytes, c->len) != 0)
        return false;
    if (t.label.index >= c->n || (s->index >= 0 && (unsigned)s->index != t.label.index))
        return false;
    uint64_t stripe = (uint64_t)c->k * c->shard;
    if (t.stripes != t.total / stripe + (t.total % stripe != 0))
        return false;
    if (!read_footer(s->file, at + t.label.size, &ft) || ft.trailer_len != t.label.size)
        return false;
    s->index = (int)t.label.index;
    s->has_trailer = true;
    s->total = t.total;
    s->stripes = t.stripes;
    memcpy(s->digest, t.digest, DIGEST);
    return true;
}

/* Goes from frame to frame, and notes where each should be; whether it is good is seen when its stripe
 * is read. Where no frame begins, it searches for the next valid one, from the last known one on: for
 * if that lost bytes, the next begins before the place where it should be. What follows the trailer is
 * not part of the share (§5). */
static void locate_frames(const struct common *c, struct share *s)
{
    const uint64_t step = FRAME_HEAD + (uint64_t)c->shard;
    uint64_t at = s->header, stripe = 0, search_from = at;
    uint64_t budget = s->file->size > UINT64_MAX / 8 ? UINT64_MAX : 8 * s->file->size;
    struct frame f;
    for (;;) {
        if (!begins_frame(c, s->file, at)) {
            if (take_trailer(c, s, at) || !find_frame(c, s, search_from, &budget, &f))
                return;
            at = f.at;
            stripe = f.stripe;
        }
        bool sound = read_frame_head(c, s, at, &f);
        if (sound && f.stripe != stripe && frame_checks(c, &f))
            stripe = f.stripe;          /* whole frames were lost or inserted */
        add_to_runs(s, at, stripe, step);
        search_from = at + 1;
        at += sound ? FRAME_HEAD + (uint64_t)f.payload_len : step;
        stripe++;
    }
}

/* The trailer at the end first: it may say the index, which the header could not. */
static void locate_parts(const struct common *c, struct share *s)
{
    uint64_t at;
    if (find_last_trailer(s->file, &at))
        take_trailer(c, s, at);
    locate_frames(c, s);
}

/* ---- codecs (§7): each shard as a row of weights over the data ---- */

static unsigned power_of_two_from(unsigned v)
{
    unsigned p = 1;
    while (p < v)
        p *= 2;
    return p;
}

/* G of §7.2, `low`: data at the points 0..K, parity from K on. */
static uint16_t weight_low(const struct common *c, unsigned j, unsigned i)
{
    unsigned K = power_of_two_from(c->k);
    uint16_t points[MAX_SHARES];
    for (unsigned p = 0; p < K; p++)
        points[p] = (uint16_t)p;
    return lagrange(&gf16, points, K, i, (uint16_t)(K + j));
}

/* G of §7.2, `high`: parity at the points 0..M, data in chunks of M points from M on. */
static uint16_t weight_high(const struct common *c, unsigned j, unsigned i)
{
    unsigned M = power_of_two_from(c->n - c->k), chunk = i / M;
    uint16_t points[MAX_SHARES];
    for (unsigned p = 0; p < M; p++)
        points[p] = (uint16_t)(M * (chunk + 1) + p);
    return lagrange(&gf16, points, M, i % M, (uint16_t)j);
}

/* G of §7.3: shard i at the point 0 or 2^(i-1). */
static uint16_t weight8(const struct common *c, unsigned j, unsigned i)
{
    uint16_t points[MAX_SHARES] = {0};
    for (unsigned p = 1; p < c->n; p++)
        points[p] = gf8.exp[p - 1];
    return lagrange(&gf8, points, c->k, i, points[c->k + j]);
}

static uint16_t weight(const struct common *c, unsigned j, unsigned i)
{
    switch (c->codec) {
    case XOR: return c->terms[j][i / 8] >> i % 8 & 1;
    case RS16_HIGH: return weight_high(c, j, i);
    case RS16_LOW: return weight_low(c, j, i);
    case RS8: return weight8(c, j, i);
    default: return 1;          /* copy: the data itself */
    }
}

/* `xor` and `copy` have only the weights 0 and 1, which are the same in any field. */
static void fill_rows(struct stream *s)
{
    const struct common *c = &s->c;
    s->field = c->codec == RS16_HIGH || c->codec == RS16_LOW ? &gf16 : &gf8;
    s->rows = allocate((size_t)c->n * c->k, sizeof *s->rows);
    s->solution.inverse = allocate((size_t)c->k * c->k, sizeof *s->solution.inverse);
    for (unsigned shard = 0; shard < c->n; shard++)
        for (unsigned i = 0; i < c->k; i++)
            s->rows[shard * c->k + i] = shard < c->k ? shard == i : weight(c, shard - c->k, i);
}

static void subtract_row(const struct field *f, uint16_t *row, const uint16_t *other, unsigned len, uint16_t times)
{
    if (times != 0)
        for (unsigned i = 0; i < len; i++)
            row[i] ^= product(f, times, other[i]);
}

/* Gauss-Jordan: takes one more row into the system, if it is independent of those already there.
 * work[c], where set, is the row whose only weight over the data is 1 at c; behind that, from k on,
 * stands what it is made of in terms of the chosen frames. */
static bool take_row(const struct field *f, uint16_t *work[], unsigned k, uint16_t *row)
{
    unsigned pivot = 0;
    for (unsigned c = 0; c < k; c++)
        if (work[c])
            subtract_row(f, row, work[c], 2 * k, row[c]);
    while (pivot < k && row[pivot] == 0)
        pivot++;
    if (pivot == k)
        return false;
    uint16_t lead = row[pivot];
    for (unsigned i = 0; i < 2 * k; i++)
        row[i] = quotient(f, row[i], lead);
    for (unsigned c = 0; c < k; c++)
        if (work[c])
            subtract_row(f, work[c], row, 2 * k, work[c][pivot]);
    work[pivot] = row;
    return true;
}

/* Chooses from the shards k that determine the data, the first ones that do, and how (§6.3). */
static bool solve(struct stream *s, const unsigned *shards, unsigned count)
{
    const unsigned k = s->c.k;
    struct solution *so = &s->solution;
    uint16_t *space = allocate(2 * (size_t)k * k, sizeof *space), *work[MAX_SHARES] = {0};
    unsigned taken = 0;
    for (unsigned i = 0; i < count && taken < k; i++) {
        uint16_t *row = space + 2 * (size_t)k * taken;
        memset(row, 0, 2 * k * sizeof *row);
        memcpy(row, s->rows + shards[i] * k, k * sizeof *row);
        row[k + taken] = 1;
        if (take_row(s->field, work, k, row))
            so->chosen[taken++] = shards[i];
    }
    so->asked_count = 0;
    if (taken == k) {
        for (unsigned c = 0; c < k; c++)
            memcpy(so->inverse + c * k, work[c] + k, k * sizeof *so->inverse);
        memcpy(so->asked, shards, count * sizeof *shards);
        so->asked_count = count;
    }
    free(space);
    return taken == k;
}

/* ---- one stripe (§6) ---- */

/* Of frames with the same index, equal ones count once and of differing ones none (§6.2): so two that
 * differ say all that there is to be known of an index. The head names the payload by its digest, so
 * equal heads mean equal frames. */
static void add_frame(struct stream *s, const struct frame *f)
{
    unsigned twins = 0;
    for (size_t i = 0; i < s->frame_count; i++) {
        if (s->frames[i].index != f->index)
            continue;
        if (++twins == 2 || memcmp(s->frames[i].head, f->head, FRAME_HEAD) == 0)
            return;
    }
    s->frames[s->frame_count++] = *f;
}

static int by_index(const void *a, const void *b)
{
    const struct frame *f = a, *g = b;
    return (f->index > g->index) - (f->index < g->index);
}

static void drop_differing(struct stream *s)
{
    size_t kept = 0, next;
    qsort(s->frames, s->frame_count, sizeof *s->frames, by_index);
    for (size_t i = 0; i < s->frame_count; i = next) {
        for (next = i + 1; next < s->frame_count && s->frames[next].index == s->frames[i].index;)
            next++;
        if (next == i + 1)
            s->frames[kept++] = s->frames[i];
    }
    s->frame_count = kept;
}

static void collect_frames(struct stream *s, uint64_t stripe)
{
    const uint64_t step = FRAME_HEAD + (uint64_t)s->c.shard;
    s->frame_count = 0;
    for (size_t i = 0; i < s->share_count; i++) {
        struct share *sh = &s->shares[i];
        bool good = false;
        for (size_t j = 0; j < sh->run_count; j++) {
            const struct run *r = &sh->runs[j];
            struct frame f;
            if (stripe < r->first || stripe - r->first >= r->count)
                continue;
            if (!read_frame_head(&s->c, sh, r->at + (stripe - r->first) * step, &f))
                continue;
            if (f.stripe == stripe && frame_checks(&s->c, &f)) {
                add_frame(s, &f);
                good = true;
            }
        }
        sh->good += good;
    }
    drop_differing(s);
}

/* Bytes 36 to 58 hold data length, last and D, with the CBOR heads between: the claim (§6.2). */
static bool same_claim(const struct frame *a, const struct frame *b)
{
    return memcmp(a->head + 36, b->head + 36, FRAME_CHECKED - 36) == 0;
}

static const struct frame *frame_of(struct frame *const *frames, unsigned count, unsigned index)
{
    for (unsigned i = 0; i < count; i++)
        if (frames[i]->index == index)
            return frames[i];
    return NULL;
}

/* Reads the chosen payloads, data shards to their place among the data, and fills in those missing. */
static bool decode(struct stream *s, struct frame *const *frames, unsigned count)
{
    const unsigned k = s->c.k;
    const struct solution *so = &s->solution;
    const size_t len = frames[0]->payload_len;
    uint8_t *payloads[MAX_SHARES], *parity = s->parity;
    bool present[MAX_SHARES] = {false};
    for (unsigned j = 0; j < k; j++) {
        const struct frame *f = frame_of(frames, count, so->chosen[j]);
        payloads[j] = f->index < k ? s->data + f->index * len : parity;
        if (f->index < k)
            present[f->index] = true;
        else
            parity += len;
        if (!read_at(f->share->file, f->at + FRAME_HEAD, payloads[j], len))
            return false;
    }
    for (unsigned c = 0; c < k; c++) {
        if (present[c])
            continue;
        memset(s->data + c * len, 0, len);
        for (unsigned j = 0; j < k; j++)
            add_multiple(s->field, s->data + c * len, payloads[j], len, so->inverse[c * k + j]);
    }
    return true;
}

/* D: H(p of data shard 0 || ... || data length of the stripe as 4 bytes) (§2) */
static bool digest_agrees(const struct stream *s, const struct frame *f)
{
    struct hasher h;
    uint8_t digest[DIGEST];
    hash_start(&h);
    for (unsigned c = 0; c < s->c.k; c++) {
        hash(s->data + (size_t)c * f->payload_len, f->payload_len, digest);
        hash_add(&h, digest, DIGEST);
    }
    hash_number(&h, f->data_len, 4);
    hash_end(&h, digest);
    return memcmp(digest, f->head + 42, DIGEST) == 0;
}

static bool padding_is_zero(const struct stream *s, const struct frame *f)
{
    for (size_t i = f->data_len; i < (size_t)s->c.k * f->payload_len; i++)
        if (s->data[i] != 0)
            return false;
    return true;
}

enum outcome { TOO_FEW, WRONG, CONFIRMED, BAD_PADDING };

/* Reads the data from these frames, without those whose place is in `left_out` (ascending). */
static enum outcome try_set(struct stream *s, struct frame *const *frames, unsigned count,
                            const unsigned *left_out, unsigned out_count)
{
    unsigned shards[MAX_SHARES], m = 0, out = 0;
    for (unsigned i = 0; i < count; i++) {
        if (out < out_count && left_out[out] == i)
            out++;
        else
            shards[m++] = frames[i]->index;
    }
    const struct solution *so = &s->solution;
    bool known = m == so->asked_count && memcmp(shards, so->asked, m * sizeof *shards) == 0;
    if (!known && !solve(s, shards, m))
        return TOO_FEW;
    if (!decode(s, frames, count) || !digest_agrees(s, frames[0]))
        return WRONG;
    return padding_is_zero(s, frames[0]) ? CONFIRMED : BAD_PADDING;
}

/* The next choice of `size` numbers from 0..count, in order. */
static bool next_choice(unsigned *choice, unsigned size, unsigned count)
{
    for (unsigned i = size; i-- > 0;) {
        if (choice[i] < count - size + i) {
            choice[i]++;
            for (unsigned j = i + 1; j < size; j++)
                choice[j] = choice[j - 1] + 1;
            return true;
        }
    }
    return false;
}

/* How many sets to try: as many as there are frames, to leave out each once; more if they are short. */
static unsigned long tries_for(const struct common *c, const struct frame *f, unsigned count)
{
    unsigned long long work = (unsigned long long)c->k * c->k * f->payload_len;
    unsigned long long tries = (1ULL << 33) / work;
    return tries < count + 1UL ? count + 1UL : tries < MAX_TRIES ? (unsigned long)tries : MAX_TRIES;
}

/* Tries one claim (§6.4): all its frames, then with one of them left out, two, and so on. */
static enum outcome try_claim(struct stream *s, struct frame *const *frames, unsigned count)
{
    unsigned long tries = tries_for(&s->c, frames[0], count);
    enum outcome result = TOO_FEW;
    for (unsigned size = 0; s->c.k + size <= count; size++) {
        unsigned left_out[MAX_SHARES];
        for (unsigned i = 0; i < size; i++)
            left_out[i] = i;
        do {
            enum outcome o = try_set(s, frames, count, left_out, size);
            if (o == CONFIRMED || o == BAD_PADDING)
                return o;
            if (o == WRONG)
                result = WRONG;
            if (size == 0 && o == TOO_FEW)
                return TOO_FEW;
            if (--tries == 0)
                return result;
        } while (next_choice(left_out, size, count));
    }
    return result;
}

/* The frames that make the same claim as frame `first`, by index. */
static unsigned frames_of_claim(struct stream *s, size_t first, struct frame **of)
{
    unsigned count = 0;
    for (size_t i = 0; i < s->frame_count; i++)
        if (same_claim(&s->frames[first], &s->frames[i]))
            of[count++] = &s->frames[i];
    return count;
}

static bool claimed_before(const struct stream *s, size_t i)
{
    for (size_t j = 0; j < i; j++)
        if (same_claim(&s->frames[j], &s->frames[i]))
            return true;
    return false;
}

static void say_lost(const struct stream *s, uint64_t stripe, enum outcome worst)
{
    const char *why = worst == BAD_PADDING ? "its padding is not zero"
                      : worst == WRONG     ? "no set of its frames gives the data they promise"
                                           : "too few good frames";
    warn("stripe %llu cannot be recovered: %s (%zu found, k is %u)", (unsigned long long)stripe, why,
         s->frame_count, s->c.k);
}

/* Leaves the stripe in s->data, and returns a frame of the one claim that was confirmed. */
static const struct frame *read_stripe(struct stream *s, uint64_t stripe)
{
    struct frame *of[MAX_SHARES];
    const struct frame *confirmed = NULL;
    enum outcome worst = TOO_FEW;
    unsigned claims = 0, count;
    collect_frames(s, stripe);
    for (size_t i = 0; i < s->frame_count; i++) {
        if (claimed_before(s, i))
            continue;
        claims++;
        count = frames_of_claim(s, i, of);
        enum outcome o = try_claim(s, of, count);
        if (o == CONFIRMED && confirmed) {
            warn("stripe %llu has two contents, each confirmed by its frames", (unsigned long long)stripe);
            return NULL;
        }
        if (o == CONFIRMED)
            confirmed = &s->frames[i];
        else if (o > worst)
            worst = o;
    }
    if (!confirmed) {
        say_lost(s, stripe, worst);
    } else if (claims > 1) {    /* another claim was tried after it: read it once more */
        count = frames_of_claim(s, (size_t)(confirmed - s->frames), of);
        if (try_claim(s, of, count) != CONFIRMED)
            return NULL;
    }
    return confirmed;
}

/* ---- the stream as a whole (§6.6) ---- */

struct sum {
    uint64_t total, stripes;
    uint8_t digest[DIGEST];
};

/* No frame says that a stream is empty; a trailer does, if none says otherwise. */
static bool is_empty(struct stream *s)
{
    bool said = false;
    for (size_t i = 0; i < s->share_count; i++) {
        if (!s->shares[i].has_trailer)
            continue;
        if (s->shares[i].stripes != 0 || s->shares[i].total != 0)
            return false;
        said = true;
    }
    collect_frames(s, 0);
    return said && s->frame_count == 0;
}

static bool give_stripes(struct stream *s, FILE *out, struct sum *sum)
{
    struct hasher h;
    bool last = is_empty(s);
    hash_start(&h);
    *sum = (struct sum){0};
    while (!last) {
        const struct frame *f = read_stripe(s, sum->stripes);
        if (!f)
            return false;
        if (out && fwrite(s->data, 1, f->data_len, out) != f->data_len) {
            warn("cannot write: %s", strerror(errno));
            return false;
        }
        hash_add(&h, f->head + 42, DIGEST);
        sum->total += f->data_len;
        sum->stripes++;
        last = f->last;
    }
    hash_number(&h, sum->total, 8);
    hash_end(&h, sum->digest);
    return true;
}

static bool trailers_agree(const struct stream *s, const struct sum *sum)
{
    bool any = false, agree = false;
    for (size_t i = 0; i < s->share_count; i++) {
        const struct share *sh = &s->shares[i];
        if (!sh->has_trailer)
            continue;
        any = true;
        if (sh->total == sum->total && sh->stripes == sum->stripes && memcmp(sh->digest, sum->digest, DIGEST) == 0)
            agree = true;
        else
            warn("%s: its trailer does not fit the stream", sh->file->name);
    }
    if (any && !agree)
        warn("no trailer fits the stream that was read");
    else if (!any)
        warn("the stream is whole, but no share is complete: it was never seen that %llu shares took it",
             (unsigned long long)s->c.min_shares);
    return agree || !any;
}

static void say_damage(const struct stream *s, const struct sum *sum)
{
    for (size_t i = 0; i < s->share_count; i++)
        if (s->shares[i].good < sum->stripes)
            warn("%s: %llu of %llu frames are missing or damaged", s->shares[i].file->name,
                 (unsigned long long)(sum->stripes - s->shares[i].good), (unsigned long long)sum->stripes);
}

/* Reads the stream, and writes it if `out` is not NULL. */
static bool give_stream(struct stream *s, FILE *out)
{
    struct sum sum;
    for (size_t i = 0; i < s->share_count; i++)
        s->shares[i].good = 0;
    s->data = allocate(s->c.k, s->c.shard);
    s->parity = allocate(s->c.k < s->c.n - s->c.k ? s->c.k : s->c.n - s->c.k, s->c.shard);
    bool whole = give_stripes(s, out, &sum);
    if (whole && out)
        say_damage(s, &sum);
    whole = whole && trailers_agree(s, &sum);
    free(s->data);
    free(s->parity);
    return whole;
}

/* ---- which files belong to which stream (§6.1) ---- */

struct world {
    struct file *files;
    struct stream *streams;
    size_t file_count, stream_count;
};

static struct stream *stream_of(struct world *w, const struct label *l)
{
    for (size_t i = 0; i < w->stream_count; i++) {
        struct common *c = &w->streams[i].c;
        if (c->len == l->common_len && memcmp(c->bytes, l->common, c->len) == 0)
            return &w->streams[i];
    }
    struct stream *s = &w->streams[w->stream_count++];
    s->c.bytes = allocate(l->common_len, 1);
    s->c.len = l->common_len;
    memcpy(s->c.bytes, l->common, l->common_len);
    hash(s->c.bytes, s->c.len, s->c.digest);
    s->refused = read_common(&s->c);
    return s;
}

static void add_share(struct stream *s, const struct file *f, int index, uint64_t header)
{
    s->shares = grown(s->shares, s->share_count + 1, sizeof *s->shares);
    s->shares[s->share_count++] = (struct share){.file = f, .index = index, .header = header};
}

/* By its header, or if that is damaged by its trailer. */
static bool place_file(struct world *w, const struct file *f)
{
    static uint8_t buffer[MAX_HEADER];
    struct trailer t;
    uint64_t at;
    if (is_other_version(f)) {
        warn("%s: it is of another version of the format", f->name);
        return false;
    }
    bool by_header = read_header(f, buffer, &t.label);
    if (!by_header && !(find_last_trailer(f, &at) && read_trailer(f, at, buffer, &t)))
        return false;
    struct stream *s = stream_of(w, &t.label);
    if (!s->refused && t.label.index >= s->c.n)
        return false;
    add_share(s, f, (int)t.label.index, by_header ? t.label.size : 0);
    return true;
}

/* A file that names no stream may have frames of any; their checks will show. */
static void place_files(struct world *w)
{
    bool *placed = allocate(w->file_count, sizeof *placed);
    for (size_t i = 0; i < w->file_count; i++)
        placed[i] = place_file(w, &w->files[i]);
    for (size_t i = 0; i < w->file_count; i++) {
        if (!placed[i])
            warn("%s: neither header nor trailer can be read", w->files[i].name);
        for (size_t j = 0; !placed[i] && j < w->stream_count; j++)
            add_share(&w->streams[j], &w->files[i], -1, 0);
    }
    free(placed);
}

static void prepare(struct stream *s)
{
    fill_rows(s);
    for (size_t i = 0; i < s->share_count; i++)
        locate_parts(&s->c, &s->shares[i]);
}

/* A stream is called by its id and C, in hexadecimal. */
static void name_stream(const struct stream *s, char name[4 * DIGEST + 2])
{
    for (int i = 0; i < DIGEST; i++) {
        sprintf(name + 2 * i, "%02x", s->c.stream[i]);
        sprintf(name + 2 * DIGEST + 1 + 2 * i, "%02x", s->c.digest[i]);
    }
    name[2 * DIGEST] = '-';
}

static void list_stream(const struct stream *s)
{
    char name[4 * DIGEST + 2];
    name_stream(s, name);
    warn("  -s %s (generation %llu)", name, (unsigned long long)s->c.generation);
}

static bool wanted(const struct stream *s, const char *which)
{
    char name[4 * DIGEST + 2];
    name_stream(s, name);
    return !which || strncmp(name, which, strlen(which)) == 0;
}

/* The stream to read: the only one, or else the only one that can be read. */
static struct stream *choose(struct world *w, const char *which)
{
    struct stream *found[2] = {NULL, NULL};
    size_t candidates = 0, readable = 0;
    for (size_t i = 0; i < w->stream_count; i++) {
        struct stream *s = &w->streams[i];
        if (s->refused)
            warn("a stream is refused: %s", s->refused);
        else if (wanted(s, which))
            found[candidates++ > 0] = s;
    }
    if (candidates < 2)
        return found[0];
    found[0] = NULL;
    for (size_t i = 0; i < w->stream_count; i++) {
        struct stream *s = &w->streams[i];
        if (s->refused || !wanted(s, which))
            continue;
        prepare(s);
        if (!give_stream(s, NULL))
            continue;
        found[0] = s;
        readable++;
        list_stream(s);
    }
    if (readable > 1)
        warn("the shares are of more than one stream; say which");
    return readable == 1 ? found[0] : NULL;
}

/* ---- the command line ---- */

/* Under a name of its own until all is well, and then never over another file. */
static bool give_file(struct stream *s, const char *path)
{
    char *part = allocate(strlen(path) + sizeof ".part", 1);
    sprintf(part, "%s.part", path);
    FILE *out = fopen(part, "wbx");
    if (!out) {
        warn("%s: %s", part, strerror(errno));
        free(part);
        return false;
    }
    bool whole = give_stream(s, out);
    bool written = fclose(out) == 0 && (!whole || link(part, path) == 0);
    if (!written)
        warn("%s: %s", path, strerror(errno));
    remove(part);
    free(part);
    return whole && written;
}

static void free_world(struct world *w)
{
    for (size_t i = 0; i < w->stream_count; i++) {
        struct stream *s = &w->streams[i];
        for (size_t j = 0; j < s->share_count; j++)
            free(s->shares[j].runs);
        free(s->c.bytes);
        free(s->shares);
        free(s->rows);
        free(s->solution.inverse);
    }
    for (size_t i = 0; i < w->file_count; i++)
        close(w->files[i].fd);
    free(w->streams);
    free(w->files);
}

static bool run(struct world *w, const char *path, const char *which)
{
    place_files(w);
    struct stream *s = choose(w, which);
    if (!s) {
        warn("no stream to read");
        return false;
    }
    if (!s->rows)
        prepare(s);
    if (path)
        return give_file(s, path);
    bool whole = give_stream(s, stdout);
    if (fflush(stdout) == 0)
        return whole;
    warn("cannot write: %s", strerror(errno));
    return false;
}

/* Options may stand among the shares; getopt of POSIX would take those behind for files. */
static bool read_arguments(int argc, char **argv, struct world *w, const char **path, const char **which)
{
    for (int i = 1; i < argc; i++) {
        const char **option = strcmp(argv[i], "-o") == 0 ? path : strcmp(argv[i], "-s") == 0 ? which : NULL;
        if (option && i + 1 < argc)
            *option = argv[++i];
        else if (argv[i][0] == '-')
            return false;
        else
            w->file_count += open_file(&w->files[w->file_count], argv[i]);
    }
    return argc > 1;
}

int main(int argc, char **argv)
{
    const char *path = NULL, *which = NULL;
    struct world w = {0};
    w.files = allocate((size_t)argc, sizeof *w.files);
    w.streams = allocate((size_t)argc, sizeof *w.streams);
    bool good = read_arguments(argc, argv, &w, &path, &which);
    if (good) {
        fill_fields();
        good = run(&w, path, which);
    } else {
        fputs("usage: recover [-o FILE] [-s STREAM] SHARE... > STREAM\n", stderr);
    }
    free_world(&w);
    return good ? 0 : 1;
}
