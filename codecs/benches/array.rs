//! What an array code could do: `cargo bench -p distdup-codecs --bench array`.
//!
//! RDP survives any two losses by exclusive or alone (Corbett and others, "Row-Diagonal Parity for
//! Double Disk Failure Correction", FAST 2004), where no binary code of whole shards does. This is
//! its arithmetic, to be held against the codes that there are; docs/CODES.md says what came of it.

#![allow(clippy::unwrap_used)]

use std::array::from_fn;

use divan::counter::BytesCount;
use divan::{Bencher, black_box};

fn main() {
    for (k, prime) in GEOMETRIES {
        check(k, prime);
    }
    divan::main();
}

/// k, and a prime above it.
const GEOMETRIES: [(usize, usize); 3] = [(4, 5), (6, 7), (8, 11)];

/// Bytes of each element that are worked on before going on to the next bytes.
const BLOCK: usize = 4096;

/// An element of a shard: which shard, and which of its p - 1 rows.
type Element = (usize, usize);

/// An element, and those it is the sum of.
type Sum = (Element, Vec<Element>);

/// The elements of data and row parity (shard k) on a diagonal, which counts virtual empty shards.
fn diagonal(k: usize, prime: usize, number: usize) -> impl Iterator<Item = Element> {
    let columns = (0..k).map(|shard| (shard, shard)).chain([(k, prime - 1)]);
    let row = move |column| (number + prime - column) % prime;
    let elements = columns.map(move |(shard, column)| (shard, row(column)));
    elements.filter(move |(_, row)| *row < prime - 1)
}

/// Row parity, then diagonal parity.
fn encoding(k: usize, prime: usize) -> Vec<Sum> {
    let rows = (0..prime - 1).map(|row| ((k, row), (0..k).map(|shard| (shard, row)).collect()));
    let diagonals = (0..prime - 1).map(|d| ((k + 1, d), diagonal(k, prime, d).collect()));
    rows.chain(diagonals).collect()
}

/// Two lost data shards, from diagonals and rows in turn.
fn decoding(k: usize, prime: usize, lost: [usize; 2]) -> Vec<Sum> {
    let mut sums = Vec::new();
    for [one, other] in [lost, [lost[1], lost[0]]] {
        // It begins with the diagonal that has nothing of the one, and gives an element of the other.
        let mut number = (one + prime - 1) % prime;
        while number != prime - 1 {
            let (mut terms, mut row) = (vec![(k + 1, number)], None);
            for element in diagonal(k, prime, number) {
                if element.0 == other {
                    row = Some(element.1);
                } else {
                    terms.push(element);
                }
            }
            let Some(row) = row else { break };
            sums.push(((other, row), terms));
            let others = (0..=k).filter(|shard| *shard != one);
            sums.push(((one, row), others.map(|shard| (shard, row)).collect()));
            number = (row + one) % prime;
        }
    }
    sums
}

fn shards(k: usize, prime: usize) -> Vec<Vec<u8>> {
    let len = element_len(prime) * (prime - 1);
    let byte = |i: usize, j: usize| (i * 91 + j * 7 + j / 251 + j * j / 77).to_le_bytes()[0];
    let mut shards: Vec<Vec<u8>> = (0..k)
        .map(|i| (0..len).map(|j| byte(i, j)).collect())
        .collect();
    shards.resize(k + 2, vec![0; len]);
    shards
}

/// Of shards of 64 KiB, or a bit less.
fn element_len(prime: usize) -> usize {
    (64 << 10) / (prime - 1) / 64 * 64
}

fn run(shards: &mut [Vec<u8>], sums: &[Sum], element_len: usize) {
    for start in (0..element_len).step_by(BLOCK) {
        let block = |row: usize| {
            let end = element_len.min(start + BLOCK);
            row * element_len + start..row * element_len + end
        };
        for ((shard, row), terms) in sums {
            // A sum has no terms of its own shard.
            let mut sum = std::mem::take(&mut shards[*shard]);
            let target = &mut sum[block(*row)];
            for (pass, terms) in terms.chunks(6).enumerate() {
                let of = |i: usize| {
                    let (shard, row) = terms[i];
                    &shards[shard][block(row)]
                };
                match terms.len() {
                    1 => add::<1>(target, pass > 0, from_fn(of)),
                    2 => add::<2>(target, pass > 0, from_fn(of)),
                    3 => add::<3>(target, pass > 0, from_fn(of)),
                    4 => add::<4>(target, pass > 0, from_fn(of)),
                    5 => add::<5>(target, pass > 0, from_fn(of)),
                    _ => add::<6>(target, pass > 0, from_fn(of)),
                }
            }
            shards[*shard] = sum;
        }
    }
}

/// Adds up the sources, and what there was if that is to be kept.
fn add<const N: usize>(sum: &mut [u8], keep: bool, sources: [&[u8]; N]) {
    let len = sum.len();
    let sources = sources.map(|source| &source[..len]);
    let total = |i: usize| (0..N).fold(0, |total, source| total ^ sources[source][i]);
    if keep {
        (0..len).for_each(|i| sum[i] ^= total(i));
    } else {
        (0..len).for_each(|i| sum[i] = total(i));
    }
}

/// That it is a code: all data comes back, whichever two shards of it are lost.
fn check(k: usize, prime: usize) {
    let mut all = shards(k, prime);
    run(&mut all, &encoding(k, prime), element_len(prime));
    for one in 0..k {
        for other in one + 1..k {
            let mut left = all.clone();
            left[one].fill(0xee);
            left[other].fill(0xee);
            run(
                &mut left,
                &decoding(k, prime, [one, other]),
                element_len(prime),
            );
            assert!(left == all, "shards {one} and {other} of {k}");
        }
    }
}

#[divan::bench(args = GEOMETRIES)]
fn encode(bencher: Bencher<'_, '_>, (k, prime): (usize, usize)) {
    bench(bencher, k, prime, &encoding(k, prime));
}

#[divan::bench(args = GEOMETRIES)]
fn reconstruct(bencher: Bencher<'_, '_>, (k, prime): (usize, usize)) {
    bench(bencher, k, prime, &decoding(k, prime, [0, 1]));
}

fn bench(bencher: Bencher<'_, '_>, k: usize, prime: usize, sums: &[Sum]) {
    let mut shards = shards(k, prime);
    bencher
        .counter(BytesCount::new(k * shards[0].len()))
        .bench_local(|| run(black_box(&mut shards), sums, element_len(prime)));
}
