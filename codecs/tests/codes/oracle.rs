//! What the codes should do, computed slowly.

use std::sync::{Arc, LazyLock};

use distdup_codecs::{Code, CodecError, Coder, Geometry, Shard, ShardSet, family};

/// A code and its oracle.
pub struct Subject {
    pub code: Arc<dyn Code>,
    pub oracle: Oracle,
}

/// What a code should do: a row over the data for each shard, in GF(2), in GF(2^8) or in GF(2^16).
pub enum Oracle {
    Binary(Vec<Vec<bool>>),
    Bytes(Vec<Vec<u8>>),
    Field(Vec<Vec<u16>>),
}

impl Subject {
    pub fn new(id: &str, k: usize, n: usize, params: Option<&str>) -> Self {
        let code = family(id)
            .unwrap()
            .code(Geometry::new(k, n).unwrap(), params)
            .unwrap();
        let oracle = match id {
            "copy" => Oracle::Binary(vec![vec![true]; n]),
            "xor" => Oracle::Binary(binary_rows(k, code.params())),
            "rs8" => Oracle::Bytes(byte_rows(k, n)),
            "rs16" => Oracle::Field(field_rows(k, n, code.params())),
            _ => panic!("no oracle for {id}"),
        };
        Self { code, oracle }
    }

    pub fn k(&self) -> usize {
        self.code.geometry().k()
    }

    pub fn n(&self) -> usize {
        self.code.geometry().n()
    }

    /// All n shards: data that looks random, and the oracle's parity.
    pub fn shards(&self, len: usize, seed: u64) -> Vec<Vec<u8>> {
        let mut shards = random_shards(self.k(), len, seed);
        for shard in self.k()..self.n() {
            shards.push(self.parity(shard, &shards[..self.k()]));
        }
        shards
    }

    fn parity(&self, shard: usize, data: &[Vec<u8>]) -> Vec<u8> {
        match &self.oracle {
            Oracle::Binary(rows) => {
                let mut sum = vec![0; data[0].len()];
                for (bytes, _) in data.iter().zip(&rows[shard]).filter(|(_, term)| **term) {
                    sum.iter_mut()
                        .zip(bytes)
                        .for_each(|(sum, byte)| *sum ^= byte);
                }
                sum
            }
            Oracle::Bytes(rows) => {
                let mut sum = vec![0; data[0].len()];
                for (bytes, &factor) in data.iter().zip(&rows[shard]) {
                    let products: Vec<u8> = (0..=255).map(|b| multiply_bytes(factor, b)).collect();
                    for (sum, byte) in sum.iter_mut().zip(bytes) {
                        *sum ^= products[usize::from(*byte)];
                    }
                }
                sum
            }
            Oracle::Field(rows) => {
                let mut sum = vec![0; data[0].len() / 2];
                for (bytes, &factor) in data.iter().zip(&rows[shard]) {
                    for (sum, element) in sum.iter_mut().zip(elements(bytes)) {
                        *sum ^= multiply(factor, element);
                    }
                }
                bytes(&sum)
            }
        }
    }

    /// Which shards can be had, by plain elimination, or by counting where the code is MDS.
    pub fn reconstructible(&self, present: ShardSet) -> ShardSet {
        match &self.oracle {
            Oracle::Bytes(_) | Oracle::Field(_) if present.len() < self.k() => present,
            Oracle::Bytes(_) | Oracle::Field(_) => (0..self.n()).collect(),
            Oracle::Binary(rows) => {
                let echelon = echelon(present.iter().map(|shard| rows[shard].clone()));
                let in_span = |shard: &usize| {
                    let mut rest = rows[*shard].clone();
                    reduce(&mut rest, &echelon);
                    !rest.contains(&true)
                };
                (0..self.n()).filter(in_span).collect()
            }
        }
    }

    /// The same for small codes by what it means: a shard cannot be had if there is data for which
    /// it is not zero while all present shards are.
    pub fn reconstructible_by_enumeration(&self, present: ShardSet) -> ShardSet {
        let Oracle::Binary(rows) = &self.oracle else {
            return self.reconstructible(present);
        };
        let bits = |row: &Vec<bool>| {
            row.iter()
                .rev()
                .fold(0u32, |bits, b| bits << 1 | u32::from(*b))
        };
        let rows: Vec<u32> = rows.iter().map(bits).collect();
        let is_one = |shard: usize, word: u32| (rows[shard] & word).count_ones() % 2 == 1;
        let mut can = ShardSet::first(self.n());
        for word in 0..1u32 << self.k() {
            if present.iter().all(|shard| !is_one(shard, word)) {
                (0..self.n())
                    .filter(|&shard| is_one(shard, word))
                    .for_each(|shard| {
                        can.remove(shard);
                    });
            }
        }
        can
    }
}

/// Runs `reconstruct`; gives back all n buffers, those of shards not wanted filled with 0xee.
pub fn reconstruct(
    coder: &mut dyn Coder,
    shards: &[Vec<u8>],
    present: ShardSet,
    wanted: ShardSet,
) -> (Result<(), CodecError>, Vec<Vec<u8>>) {
    let mut room = vec![vec![0xee; shards[0].len()]; shards.len()];
    let mut views: Vec<Shard<'_>> = Vec::new();
    for (index, (room, shard)) in room.iter_mut().zip(shards).enumerate() {
        views.push(if present.contains(index) {
            Shard::Present(shard)
        } else if wanted.contains(index) {
            Shard::Wanted(room)
        } else {
            Shard::Absent
        });
    }
    let result = coder.reconstruct(&mut views);
    (result, room)
}

/// Runs `encode` into buffers full of 0xee; gives back the parity.
pub fn encode(coder: &mut dyn Coder, data: &[Vec<u8>], parity: usize) -> Vec<Vec<u8>> {
    let data: Vec<&[u8]> = data.iter().map(Vec::as_slice).collect();
    let mut room = vec![vec![0xee; data[0].len()]; parity];
    let mut views: Vec<&mut [u8]> = room.iter_mut().map(Vec::as_mut_slice).collect();
    coder.encode(&data, &mut views).unwrap();
    room
}

/// Byte j of shard i is the highest byte of `SplitMix64`'s output for the state
/// seed + 2^32 i + j, before its own increment is added.
pub fn random_shards(count: usize, len: usize, seed: u64) -> Vec<Vec<u8>> {
    let byte =
        |i: usize, j: usize| split_mix(seed + ((i as u64) << 32) + j as u64).to_be_bytes()[0];
    (0..count)
        .map(|i| (0..len).map(|j| byte(i, j)).collect())
        .collect()
}

pub fn split_mix(state: u64) -> u64 {
    let z = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let z = (z ^ z >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ z >> 31
}

/// Equations that look random: each of `parity` equations has about half of the data in it.
pub fn random_equations(k: usize, parity: usize, seed: u64) -> String {
    let mut state = seed;
    let mut equation = || {
        let mut terms: Vec<String> = Vec::new();
        while terms.is_empty() {
            for term in 1..=k {
                state = split_mix(state);
                if state >> 40 & 1 == 1 {
                    terms.push(term.to_string());
                }
            }
        }
        terms.join("^")
    };
    (0..parity)
        .map(|_| equation())
        .collect::<Vec<_>>()
        .join(",")
}

// GF(2): rows are vectors of bits.

fn binary_rows(k: usize, params: &str) -> Vec<Vec<bool>> {
    let data = (0..k).map(|i| (0..k).map(|j| i == j).collect());
    let parity = params.split(',').map(|equation| {
        let terms: Vec<usize> = equation
            .split('^')
            .map(|term| term.parse().unwrap())
            .collect();
        (1..=k).map(|j| terms.contains(&j)).collect()
    });
    data.chain(parity).collect()
}

/// Rows with different first ones, that span the same as `rows`.
fn echelon(rows: impl Iterator<Item = Vec<bool>>) -> Vec<(usize, Vec<bool>)> {
    let mut echelon: Vec<(usize, Vec<bool>)> = Vec::new();
    for mut row in rows {
        reduce(&mut row, &echelon);
        if let Some(first) = row.iter().position(|bit| *bit) {
            echelon.push((first, row));
            echelon.sort();
        }
    }
    echelon
}

fn reduce(row: &mut [bool], echelon: &[(usize, Vec<bool>)]) {
    for (first, other) in echelon {
        if row[*first] {
            row.iter_mut()
                .zip(other)
                .for_each(|(bit, other)| *bit ^= other);
        }
    }
}

// GF(2^8): zfec's matrix as zfec makes it, a Vandermonde matrix times the inverse of its top.

fn multiply_bytes(a: u8, b: u8) -> u8 {
    static PRODUCTS: LazyLock<Vec<[u8; 256]>> = LazyLock::new(|| {
        let row = |a| std::array::from_fn(|b| multiply_bit_by_bit(a, b));
        (0..256).map(row).collect()
    });
    PRODUCTS[usize::from(a)][usize::from(b)]
}

fn multiply_bit_by_bit(a: usize, b: usize) -> u8 {
    let (mut a, mut product) = (a, 0);
    for bit in 0..8 {
        if b >> bit & 1 == 1 {
            product ^= a;
        }
        a <<= 1;
        if a >> 8 == 1 {
            a ^= 0x11d;
        }
    }
    product.to_le_bytes()[0]
}

fn byte_rows(k: usize, n: usize) -> Vec<Vec<u8>> {
    let power = |base: u8, exponent: usize| (0..exponent).fold(1, |p, _| multiply_bytes(p, base));
    // Row 0 is that of the point 0, row i of 2^(i - 1).
    let vandermonde: Vec<Vec<u8>> = (0..n)
        .map(|i| {
            let point = if i == 0 { 0 } else { power(2, i - 1) };
            (0..k).map(|j| power(point, j)).collect()
        })
        .collect();
    // Operations on columns that make its top the identity are a product with the inverse of that.
    let mut rows = vandermonde;
    for pivot in 0..k {
        let column = (pivot..k).find(|&j| rows[pivot][j] != 0).unwrap();
        let one = rows[pivot][column];
        let scale = (1..=255).find(|&x| multiply_bytes(x, one) == 1).unwrap();
        for row in &mut rows {
            row.swap(pivot, column);
            row[pivot] = multiply_bytes(row[pivot], scale);
        }
        for other in (0..k).filter(|&other| other != pivot) {
            let factor = rows[pivot][other];
            for row in &mut rows {
                row[other] ^= multiply_bytes(row[pivot], factor);
            }
        }
    }
    rows
}

// GF(2^16), as docs/FORMAT.md has it: elements in Cantor's basis, products in the polynomial one.

const POLYNOMIAL: u32 = 0x1002d;

const CANTOR: [u16; 16] = [
    0x0001, 0xacca, 0x3c0e, 0x163e, 0xc582, 0xed2e, 0x914c, 0x4012, 0x6c98, 0x10d8, 0x6a72, 0xb900,
    0xfdb8, 0xfb34, 0xff38, 0x991e,
];

static TO_POLYNOMIAL: LazyLock<Vec<u16>> = LazyLock::new(|| {
    let bits = |element: u16| (0..16).filter(move |bit| element >> bit & 1 == 1);
    (0..=u16::MAX)
        .map(|element| bits(element).fold(0, |sum, bit| sum ^ CANTOR[bit]))
        .collect()
});

static FROM_POLYNOMIAL: LazyLock<Vec<u16>> = LazyLock::new(|| {
    let mut table = vec![0; 1 << 16];
    for (&polynomial, element) in TO_POLYNOMIAL.iter().zip(0..=u16::MAX) {
        table[usize::from(polynomial)] = element;
    }
    table
});

fn multiply(a: u16, b: u16) -> u16 {
    let (mut a, b) = (
        u32::from(TO_POLYNOMIAL[usize::from(a)]),
        TO_POLYNOMIAL[usize::from(b)],
    );
    let mut product = 0;
    for bit in 0..16 {
        if b >> bit & 1 == 1 {
            product ^= a;
        }
        a <<= 1;
        if a >> 16 == 1 {
            a ^= POLYNOMIAL;
        }
    }
    FROM_POLYNOMIAL[product as usize]
}

/// The inverse, as a^(2^16 - 2).
fn invert(a: u16) -> u16 {
    let (mut power, mut inverse) = (a, 1);
    for _ in 1..16 {
        power = multiply(power, power);
        inverse = multiply(inverse, power);
    }
    inverse
}

fn field_rows(k: usize, n: usize, rate: &str) -> Vec<Vec<u16>> {
    let point = |index: usize| u16::try_from(index).unwrap();
    // The value at `x` of the polynomial that is 1 at `one` and 0 at the other points.
    let lagrange = |points: std::ops::Range<usize>, one: usize, x: usize| {
        let (mut above, mut below) = (1, 1);
        for other in points.filter(|&other| other != one) {
            above = multiply(above, point(x) ^ point(other));
            below = multiply(below, point(one) ^ point(other));
        }
        multiply(above, invert(below))
    };
    let entry = |j: usize, i: usize| {
        if rate == "low" {
            let chunk = k.next_power_of_two();
            lagrange(0..chunk, i, chunk + j)
        } else {
            let chunk = (n - k).next_power_of_two();
            let start = chunk * (i / chunk + 1);
            lagrange(start..start + chunk, chunk + i, j)
        }
    };
    let data = (0..k).map(|i| (0..k).map(|j| u16::from(i == j)).collect());
    let parity = (0..n - k).map(|j| (0..k).map(|i| entry(j, i)).collect());
    data.chain(parity).collect()
}

/// The 16-bit elements of a shard: in blocks of 64 bytes, the last may be shorter, the low bytes
/// stand before the high bytes.
fn elements(shard: &[u8]) -> Vec<u16> {
    let halves = |block: &[u8]| {
        let (low, high) = block.split_at(block.len() / 2);
        low.iter()
            .zip(high)
            .map(|(l, h)| u16::from_le_bytes([*l, *h]))
            .collect::<Vec<_>>()
    };
    shard.chunks(64).flat_map(halves).collect()
}

fn bytes(elements: &[u16]) -> Vec<u8> {
    let halves = |block: &[u16]| {
        let low = block.iter().map(|element| element.to_le_bytes()[0]);
        let high = block.iter().map(|element| element.to_le_bytes()[1]);
        low.chain(high).collect::<Vec<_>>()
    };
    elements.chunks(32).flat_map(halves).collect()
}

/// The examples of docs/FORMAT.md.
#[test]
fn bytes_are_the_documented_field() {
    for (a, b, product) in [(2, 0x80, 0x1d), (0x8e, 2, 1), (0x53, 0xca, 0x8f)] {
        assert_eq!(multiply_bytes(a, b), product, "{a:x} * {b:x}");
    }
    assert_eq!(
        byte_rows(4, 6)[4..],
        [[0x77, 0x40, 0x38, 0x0e], [0xc7, 0xa7, 0x0d, 0x6c]]
    );
}

#[test]
fn field_is_the_documented_one() {
    for (a, b, product) in [
        (2, 2, 3),
        (2, 3, 1),
        (4, 4, 6),
        (0x100, 0x100, 0x180),
        (0x1234, 0x5678, 0x35c9),
        (0x8000, 0x8000, 0xc000),
        (0x1234, 0x371e, 1),
    ] {
        assert_eq!(multiply(a, b), product, "{a:x} * {b:x}");
    }
    assert_eq!(field_rows(4, 6, "high")[4..], [[3, 2, 5, 4], [2, 3, 4, 5]]);
    assert_eq!(
        field_rows(4, 6, "low")[4..],
        [[12, 15, 10, 8], [15, 12, 8, 10]]
    );
}
