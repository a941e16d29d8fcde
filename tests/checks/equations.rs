//! Equations of XOR codes.

use distdup_codecs::{Code, Geometry, Shard, ShardSet, resolve};

use super::is_printed_well;
use super::memory::within;
use crate::kit::noise;

/// Bytes of a shard here.
const SHARD: usize = 8;

/// Takes the first two bytes for k and n, and the rest for equations.
pub fn check(bytes: &[u8]) {
    let [k, n, text @ ..] = bytes else { return };
    let text = String::from_utf8_lossy(text);
    let Ok(geometry) = Geometry::new(usize::from(*k), usize::from(*n)) else {
        return;
    };
    // A set of shards is 32 bytes; solving needs one for each of n.
    within((1 << 20) + 64 * text.len(), || {
        match resolve("xor", geometry, Some(&text)) {
            Ok(code) => holds(&*code, &text),
            Err(error) => is_printed_well(&error),
        }
    });
}

fn holds(code: &dyn Code, text: &str) {
    let (k, n) = (code.geometry().k(), code.geometry().n());
    let sums = read(code.params());
    // Said in another way, the same.
    assert_eq!(sums, read(text));
    let again = resolve("xor", code.geometry(), Some(code.params())).unwrap();
    assert_eq!(again.params(), code.params());

    let data: Vec<Vec<u8>> = (0..k).map(|shard| noise(SHARD, shard as u64)).collect();
    let views: Vec<&[u8]> = data.iter().map(|shard| &shard[..]).collect();
    let mut parity = vec![vec![0xee; SHARD]; n - k];
    let mut rooms: Vec<&mut [u8]> = parity.iter_mut().map(|shard| &mut shard[..]).collect();
    let mut coder = code.coder();
    coder.encode(&views, &mut rooms).unwrap();
    for (sum, parity) in sums.iter().zip(&parity) {
        let added = (0..SHARD).map(|at| sum.iter().fold(0, |byte, &shard| byte ^ data[shard][at]));
        assert!(added.eq(parity.iter().copied()));
    }

    // Some sets of shards, among them the data alone, and all but one.
    let all: Vec<&Vec<u8>> = data.iter().chain(&parity).collect();
    let draw = noise(8 * n, text.len() as u64);
    let drawn = draw.chunks(n).map(|dice| {
        let kept = dice.iter().enumerate().filter(|(_, die)| **die < 170);
        kept.map(|(shard, _)| shard).collect::<ShardSet>()
    });
    let data_alone = code.geometry().data();
    let all_but_one = (1..n).collect::<ShardSet>();
    for present in drawn.chain([data_alone, all_but_one]) {
        let rank = rank(present.iter().map(|shard| row(shard, k, &sums)));
        assert_eq!(code.is_recoverable(present), rank == k, "{present}");
        let had = code.reconstructible(present);
        let mut rooms = vec![[0; SHARD]; n];
        let mut shards: Vec<Shard<'_>> = rooms
            .iter_mut()
            .enumerate()
            .map(
                |(shard, room)| match (present.contains(shard), had.contains(shard)) {
                    (true, _) => Shard::Present(all[shard]),
                    (false, true) => Shard::Wanted(room),
                    (false, false) => Shard::Absent,
                },
            )
            .collect();
        coder.reconstruct(&mut shards).unwrap();
        for shard in had.difference(present) {
            assert_eq!(
                rooms[shard][..],
                all[shard][..],
                "shard {shard} from {present}"
            );
        }
    }
}

/// The data shards, from 0, of each equation.
fn read(text: &str) -> Vec<Vec<usize>> {
    let term = |term: &str| term.trim().parse::<usize>().unwrap() - 1;
    let sum = |sum: &str| {
        let mut terms: Vec<usize> = sum.split('^').map(term).collect();
        terms.sort_unstable();
        terms
    };
    text.split(',').map(sum).collect()
}

/// A shard as a sum of data shards.
fn row(shard: usize, k: usize, sums: &[Vec<usize>]) -> Vec<bool> {
    let one = [shard];
    let sum = shard
        .checked_sub(k)
        .map_or(&one[..], |parity| &sums[parity]);
    (0..k).map(|shard| sum.contains(&shard)).collect()
}

/// Of a matrix over GF(2).
fn rank(rows: impl Iterator<Item = Vec<bool>>) -> usize {
    let mut reduced: Vec<(usize, Vec<bool>)> = Vec::new();
    for mut row in rows {
        for (pivot, other) in &reduced {
            if row[*pivot] {
                row.iter_mut().zip(other).for_each(|(a, b)| *a ^= b);
            }
        }
        if let Some(pivot) = row.iter().position(|bit| *bit) {
            reduced.push((pivot, row));
        }
    }
    reduced.len()
}

pub fn seeds() -> Vec<Vec<u8>> {
    let said = |k: u8, n: u8, text: &[u8]| [&[k, n], text].concat();
    vec![
        said(6, 10, b"3^5^6,2^4^6,1^4^5,1^2^3"),
        said(6, 10, b"1^2^3,4^5^6,1^2^4^5,1^3^4^6"),
        said(2, 3, b" 2 ^ 01 "),
        said(1, 4, b"1,1,1"),
        said(3, 5, b"1^2^3,1^2^3"),
        said(6, 8, b"1^7,0^2"),
        said(6, 8, b"1^1,"),
        said(2, 3, b"99999999999999999999999999999999^2"),
        said(2, 3, b"\x1b[31m^\xff\xfe"),
        said(2, 3, "1^\u{202e}2".as_bytes()),
        said(250, 255, b"1,2,3,4,250"),
        said(255, 1, b"1"),
        said(1, 255, b",,,,,,,,^^^^^^^^"),
    ]
}
