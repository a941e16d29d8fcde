//! The equations that `xor` has of its own: that they are what the table says, and the best.

use distdup_codecs::{Code, Geometry, resolve};

use crate::random::full;

/// A line of the table, and the code that `xor` is for its geometry.
struct Entry {
    k: usize,
    n: usize,
    /// How many sets of 1, 2, ... n - k lost shards are not survived.
    losses: Vec<u64>,
    xors: usize,
    code: std::sync::Arc<dyn Code>,
}

fn entries() -> Vec<Entry> {
    let lines = include_str!("../../src/xor/best.txt").lines();
    let entry = |line: &str| {
        let words: Vec<&str> = line.split(' ').collect();
        let [k, n, losses, xors, equations] = words[..] else {
            panic!("{line}");
        };
        let (k, n) = (k.parse().unwrap(), n.parse().unwrap());
        let code = resolve("xor", Geometry::new(k, n).unwrap(), None).unwrap();
        assert_eq!(code.params(), equations, "{line}");
        let losses = losses.split(',').map(|sets| sets.parse().unwrap());
        Entry {
            k,
            n,
            losses: losses.collect(),
            xors: xors.parse().unwrap(),
            code,
        }
    };
    lines
        .filter(|line| !line.starts_with('#'))
        .map(entry)
        .collect()
}

/// Each data shard by the equations that it is in, a bit for each.
fn columns(k: usize, params: &str) -> Vec<u32> {
    let has = |sum: &str, shard: usize| sum.split('^').any(|term| term.parse() == Ok(shard));
    let column = |shard| {
        let equations = params.split(',').zip(0..);
        equations.fold(0, |column, (sum, bit)| {
            column | u32::from(has(sum, shard)) << bit
        })
    };
    (1..=k).map(column).collect()
}

/// How many sets of `size` lost shards, of k with these columns and of `parity` others, are not
/// survived: those of which what is left does not give all k data shards by elimination. What is above
/// `most` is not counted to the end.
fn hopeless(columns: &[u32], parity: usize, size: usize, most: u64) -> u64 {
    let (k, n) = (columns.len(), columns.len() + parity);
    let data = (0..k).map(|shard| 1_u32 << shard);
    let sums = (0..parity).map(|bit| {
        let has = columns
            .iter()
            .zip(0..)
            .filter(|(column, _)| **column >> bit & 1 == 1);
        has.fold(0, |row, (_, shard)| row | 1 << shard)
    });
    let rows: Vec<u32> = data.chain(sums).collect();
    let mut count = 0;
    let mut lost = (1_u64 << size) - 1;
    while lost < 1 << n && count <= most {
        let left = rows
            .iter()
            .enumerate()
            .filter(|(shard, _)| lost >> shard & 1 == 0);
        count += u64::from(rank(left.map(|(_, row)| *row)) < k);
        // The next larger number with as many ones.
        let low = lost & lost.wrapping_neg();
        let high = lost + low;
        lost = (((lost ^ high) >> 2) / low) | high;
    }
    count
}

fn rank(rows: impl Iterator<Item = u32>) -> usize {
    let mut echelon: Vec<u32> = Vec::new();
    for row in rows {
        // The smaller of the two has no first one in common with `other`.
        let rest = echelon.iter().fold(row, |row, &other| row.min(row ^ other));
        if rest != 0 {
            echelon.push(rest);
        }
    }
    echelon.len()
}

#[test]
fn the_table_says_what_its_codes_survive() {
    let most = if full() { 20 } else { 13 };
    println!("up to n = {most}; DISTDUP_TEST_FULL=1 tries up to 20");
    for entry in entries().iter().filter(|entry| entry.n <= most) {
        let (k, parity) = (entry.k, entry.n - entry.k);
        let columns = columns(k, entry.code.params());
        let found: Vec<u64> = (1..=parity)
            .map(|size| hopeless(&columns, parity, size, u64::MAX))
            .collect();
        assert_eq!(found, entry.losses, "{:?}", entry.code);
        let terms: u32 = columns.iter().map(|column| column.count_ones()).sum();
        assert_eq!(terms as usize - parity, entry.xors, "{:?}", entry.code);
    }
}

/// Of every geometry with few codes, all are tried: none loses less, or as little with fewer XORs.
/// The search, in `examples/xor_codes.rs`, does it for all of the table, and cleverly.
#[test]
fn nothing_is_better() {
    let (most, longest) = if full() { (200_000, 20) } else { (40_000, 10) };
    println!("up to {most} codes and n = {longest}; DISTDUP_TEST_FULL=1 tries 200000 and 20");
    let mut tried = Vec::new();
    for entry in entries() {
        let (k, parity) = (entry.k, entry.n - entry.k);
        if entry.n > longest || multisets((1 << parity) - 1, k as u64) > most {
            continue;
        }
        tried.push((k, entry.n));
        for_each_multiset(1 << parity, &mut Vec::new(), k, &mut |columns| {
            for (size, &best) in (1..).zip(&entry.losses) {
                let found = hopeless(columns, parity, size, best);
                assert!(
                    found >= best,
                    "{columns:?} loses less than {:?}",
                    entry.code
                );
                if found > best {
                    return;
                }
            }
            let terms: u32 = columns.iter().map(|column| column.count_ones()).sum();
            let xors = terms as usize - parity;
            assert!(
                xors >= entry.xors,
                "{columns:?} is cheaper than {:?}",
                entry.code
            );
        });
    }
    assert!(tried.contains(&(6, 10)), "{tried:?}");
    assert!(tried.len() > 20, "{tried:?}");
}

/// How many multisets of `size` there are of `kinds`; saturates.
fn multisets(kinds: u64, size: u64) -> u64 {
    (0..size).fold(1, |count: u64, i| count.saturating_mul(kinds + i) / (i + 1))
}

/// Calls with every multiset of k vectors that are neither 0 nor `end` and above.
fn for_each_multiset(end: u32, chosen: &mut Vec<u32>, k: usize, call: &mut impl FnMut(&[u32])) {
    if chosen.len() == k {
        return call(chosen);
    }
    for column in chosen.last().copied().unwrap_or(1)..end {
        chosen.push(column);
        for_each_multiset(end, chosen, k, call);
        chosen.pop();
    }
}
