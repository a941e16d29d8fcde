//! Sums of shards, as fast as memory gives them, without a line of unsafe code.

use std::ops::Range;

use crate::geometry::{Iter, ShardSet};

/// Bytes of each shard that are worked on before going on to the next bytes, so that a shard that
/// is in several sums comes from the first-level cache but the first time.
const BLOCK: usize = 4096;

/// The bytes of a shard, cut into blocks.
pub(super) fn blocks(len: usize) -> impl Iterator<Item = Range<usize>> {
    (0..len)
        .step_by(BLOCK)
        .map(move |start| start..len.min(start + BLOCK))
}

/// Sources that are added up in one pass. What costs is reading and writing `sum` again for the next
/// ones; with more than this the loop runs out of registers for their addresses.
const AT_ONCE: usize = 6;

/// Sets `sum` to the sum of the bytes from `start` of the `terms` among `shards`.
///
/// There is at least one term, or `sum` becomes zero.
#[allow(clippy::many_single_char_names)] // One for each source.
pub(super) fn sum(sum: &mut [u8], shards: &[&[u8]], start: usize, terms: ShardSet) {
    let mut terms = terms.iter();
    let mut sources: [&[u8]; AT_ONCE] = [&[]; AT_ONCE];
    // The first pass overwrites, the others add.
    match *next(&mut terms, &mut sources, shards, start, sum.len()) {
        [] => sum.fill(0),
        [a] => sum.copy_from_slice(a),
        [a, b] => set2(sum, a, b),
        [a, b, c] => set3(sum, a, b, c),
        [a, b, c, d] => set4(sum, a, b, c, d),
        [a, b, c, d, e] => set5(sum, a, b, c, d, e),
        [a, b, c, d, e, f, ..] => set6(sum, a, b, c, d, e, f),
    }
    loop {
        match *next(&mut terms, &mut sources, shards, start, sum.len()) {
            [] => break,
            [a] => add1(sum, a),
            [a, b] => add2(sum, a, b),
            [a, b, c] => add3(sum, a, b, c),
            [a, b, c, d] => add4(sum, a, b, c, d),
            [a, b, c, d, e] => add5(sum, a, b, c, d, e),
            [a, b, c, d, e, f, ..] => add6(sum, a, b, c, d, e, f),
        }
    }
}

/// The next sources, as many as are added up at once.
fn next<'a, 'b>(
    terms: &mut Iter,
    sources: &'b mut [&'a [u8]; AT_ONCE],
    shards: &[&'a [u8]],
    start: usize,
    len: usize,
) -> &'b [&'a [u8]] {
    let mut count = 0;
    for (source, shard) in sources.iter_mut().zip(terms) {
        *source = &shards[shard][start..start + len];
        count += 1;
    }
    &sources[..count]
}

/// A function over slices of equal length, in the form that compilers turn into vector code: the
/// lengths are brought to the same value first, so that no bound is checked in the loop.
macro_rules! kernel {
    ($name:ident: $sum:ident $op:tt $($source:ident),+) => {
        fn $name($sum: &mut [u8], $($source: &[u8]),+) {
            let len = $sum.len();
            $(let $source = &$source[..len];)+
            for i in 0..len {
                $sum[i] $op kernel!(@xor i, $($source),+);
            }
        }
    };
    (@xor $i:ident, $first:ident $(, $more:ident)*) => { $first[$i] $(^ $more[$i])* };
}

kernel!(set2: sum = a, b);
kernel!(set3: sum = a, b, c);
kernel!(set4: sum = a, b, c, d);
kernel!(set5: sum = a, b, c, d, e);
kernel!(set6: sum = a, b, c, d, e, f);
kernel!(add1: sum ^= a);
kernel!(add2: sum ^= a, b);
kernel!(add3: sum ^= a, b, c);
kernel!(add4: sum ^= a, b, c, d);
kernel!(add5: sum ^= a, b, c, d, e);
kernel!(add6: sum ^= a, b, c, d, e, f);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_of_any_number_of_terms() {
        let len = 100u8;
        let shards: Vec<Vec<u8>> = (0..20u8)
            .map(|i| (0..len).map(|j| i.wrapping_mul(37) ^ j).collect())
            .collect();
        let slices: Vec<&[u8]> = shards.iter().map(Vec::as_slice).collect();
        for count in 0..=20 {
            for start in [0, 1, 33] {
                let mut found = vec![0xee; usize::from(len) - start];
                sum(&mut found, &slices, start, ShardSet::first(count));
                let naive: Vec<u8> = (start..usize::from(len))
                    .map(|j| shards[..count].iter().fold(0, |sum, shard| sum ^ shard[j]))
                    .collect();
                assert_eq!(found, naive, "{count} terms from {start}");
            }
        }
    }

    #[test]
    fn blocks_cover_every_byte_once() {
        for len in [0, 1, BLOCK - 1, BLOCK, BLOCK + 1, 3 * BLOCK, 3 * BLOCK + 7] {
            let bytes: Vec<usize> = blocks(len).flatten().collect();
            assert!(bytes.into_iter().eq(0..len), "{len}");
        }
    }
}
