//! The code as polynomials: a shard is their values at a point of its own.
//!
//! Byte j of the n shards are the values, at n points, of one polynomial of degree below k. Any k of
//! them determine it (Lagrange), so any k shards give any other, be it data or parity: there is no
//! matrix to invert. Made the other way, from the Vandermonde matrix of these points times the
//! inverse of its first k rows, as zfec makes it, the code is the same one.

use super::field::{over, power_of_x, times};
use crate::geometry::{MAX_SHARDS, ShardSet};

/// The point of a shard: 0, and then the powers of x.
fn point(shard: usize) -> u8 {
    shard.checked_sub(1).map_or(0, power_of_x)
}

/// Some shards as the sums of the products of k others, the sources, and factors.
pub(super) struct Interpolation {
    sources: Points,
    targets: Points,
    /// For each source, the product of its point's differences from the other sources' points.
    below: [u8; MAX_SHARDS],
    /// For each target, the product of its point's differences from all sources' points.
    above: [u8; MAX_SHARDS],
}

type Points = [u8; MAX_SHARDS];

impl Interpolation {
    /// No shard is both a source and a target.
    pub(super) fn new(sources: ShardSet, targets: ShardSet) -> Self {
        let points = |shards: ShardSet| {
            let mut points = [0; MAX_SHARDS];
            for (slot, shard) in points.iter_mut().zip(shards) {
                *slot = point(shard);
            }
            points
        };
        let mut this = Self {
            sources: points(sources),
            targets: points(targets),
            below: [0; MAX_SHARDS],
            above: [0; MAX_SHARDS],
        };
        let from = &this.sources[..sources.len()];
        let differences = |x: u8| {
            let differ = from.iter().filter(|&&point| point != x);
            differ.fold(1, |product, point| times(product, x ^ point))
        };
        for (point, below) in from.iter().zip(&mut this.below) {
            *below = differences(*point);
        }
        for (point, above) in this.targets.iter().zip(&mut this.above).take(targets.len()) {
            *above = differences(*point);
        }
        this
    }

    /// The factor of a source in the sum for a target, each counted in its set.
    pub(super) fn factor(&self, target: usize, source: usize) -> u8 {
        let difference = self.targets[target] ^ self.sources[source];
        over(self.above[target], times(self.below[source], difference))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn points_differ() {
        let mut points: Vec<u8> = (0..MAX_SHARDS).map(point).collect();
        points.sort_unstable();
        points.dedup();
        assert_eq!(points.len(), MAX_SHARDS);
    }

    /// The example of docs/FORMAT.md; zfec's matrix.
    #[test]
    fn factors_of_4_6() {
        let parity = Interpolation::new(ShardSet::first(4), [4, 5].into_iter().collect());
        let row = |target| [0, 1, 2, 3].map(|source| parity.factor(target, source));
        assert_eq!(row(0), [0x77, 0x40, 0x38, 0x0e]);
        assert_eq!(row(1), [0xc7, 0xa7, 0x0d, 0x6c]);
    }
}
