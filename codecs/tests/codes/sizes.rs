//! Encoding byte for byte, at every length where something could go wrong.

use crate::oracle::{Subject, encode, random_equations, reconstruct};
use distdup_codecs::ShardSet;

/// Longer and shorter in turn, so that scratch grows, shrinks, and holds what was there before.
const LENS: [usize; 18] = [
    128, 2, 1, 64, 62, 66, 63, 65, 126, 130, 3, 4096, 4095, 4098, 32, 34, 2, 1000,
];

/// Parity is the oracle's, and all lost data comes back, from one coder.
fn codes_every_length(subject: &Subject, lens: &[usize]) {
    let unit = subject.code.shard_unit();
    let (k, n) = (subject.k(), subject.n());
    let mut coder = subject.code.coder();
    for (&len, seed) in lens.iter().filter(|len| len.is_multiple_of(unit)).zip(0..) {
        let shards = subject.shards(len, seed);
        let parity = encode(coder.as_mut(), &shards[..k], n - k);
        assert!(parity == shards[k..], "{:?} {len} bytes", subject.code);

        let mut lost = ShardSet::new();
        for index in 0..n {
            lost.insert(index);
            if !subject
                .code
                .is_recoverable(ShardSet::first(n).difference(lost))
            {
                lost.remove(index);
            }
        }
        let present = ShardSet::first(n).difference(lost);
        let (result, room) = reconstruct(coder.as_mut(), &shards, present, lost);
        assert_eq!(result, Ok(()));
        assert!(
            lost.iter().all(|i| room[i] == shards[i]),
            "{:?} {len} bytes",
            subject.code
        );
    }
}

#[test]
fn copy() {
    codes_every_length(&Subject::new("copy", 1, 1, None), &LENS);
    codes_every_length(&Subject::new("copy", 1, 4, None), &LENS);
}

#[test]
fn xor() {
    for (k, n) in [(1, 2), (2, 3), (6, 10), (9, 10), (255, 256)] {
        codes_every_length(&Subject::new("xor", k, n, None), &LENS);
    }
    for (k, n) in [(1, 10), (4, 6), (10, 14), (40, 60)] {
        let equations = random_equations(k, n - k, 9);
        codes_every_length(&Subject::new("xor", k, n, Some(&equations)), &LENS);
    }
}

#[test]
fn rs16() {
    for (k, n) in (2..=10)
        .flat_map(|n| (1..n).map(move |k| (k, n)))
        .chain([(10, 14), (17, 23)])
    {
        for rate in ["high", "low"] {
            codes_every_length(&Subject::new("rs16", k, n, Some(rate)), &LENS);
        }
    }
}

#[test]
fn rs8() {
    let wide = [(2, 20), (17, 23), (40, 60), (3, 256)];
    for (k, n) in (2..=10)
        .flat_map(|n| (1..n).map(move |k| (k, n)))
        .chain(wide)
    {
        codes_every_length(&Subject::new("rs8", k, n, None), &LENS);
    }
}

/// Each kernel by itself, at every length up to several of its steps.
#[test]
fn rs8_by_each_kernel() {
    let lens: Vec<usize> = (1..=300).rev().collect();
    for name in distdup_codecs::rs8::kernels() {
        println!("{name}");
        for (k, n) in [(4, 6), (3, 8), (10, 14)] {
            let mut subject = Subject::new("rs8", k, n, None);
            let geometry = subject.code.geometry();
            subject.code = distdup_codecs::rs8::with_kernel(geometry, name).unwrap();
            codes_every_length(&subject, &lens);
        }
    }
}

#[test]
fn large_shards() {
    let large = [300_002, 100_000, 2];
    codes_every_length(&Subject::new("copy", 1, 3, None), &large);
    codes_every_length(&Subject::new("xor", 6, 10, None), &large);
    codes_every_length(&Subject::new("rs16", 4, 6, Some("high")), &large);
    codes_every_length(&Subject::new("rs16", 4, 6, Some("low")), &large);
    codes_every_length(&Subject::new("rs8", 4, 6, None), &large);
    codes_every_length(&Subject::new("rs8", 5, 12, None), &large);
}
