//! Elimination over GF(2): which shards can be had from which, and how.

use super::equations::Equations;
use crate::geometry::ShardSet;

/// The equations, solved for the data shards that are not present.
///
/// Each parity shard that is present gives one linear equation in the missing data. Gauss-Jordan
/// elimination brings these to reduced echelon form, and keeps of each row which present shards it
/// is the sum of; so whatever is in their span is found, be it all data or a single shard.
pub(super) struct Elimination<'a> {
    equations: &'a Equations,
    present: ShardSet,
    missing: ShardSet,
    rows: Vec<Row>,
}

/// The sum of `unknown` data shards equals the sum of the `known` shards, all present.
#[derive(Clone, Copy)]
struct Row {
    /// A missing data shard that is in no other row.
    pivot: usize,
    unknown: ShardSet,
    known: ShardSet,
}

impl<'a> Elimination<'a> {
    pub(super) fn new(equations: &'a Equations, present: ShardSet) -> Self {
        let geometry = equations.geometry();
        let present = present.intersection(geometry.shards());
        let missing = geometry.data().difference(present);
        let mut this = Self {
            equations,
            present,
            missing,
            rows: Vec::new(),
        };
        for parity in present.difference(geometry.data()) {
            let (unknown, mut known) = this.reduce(equations.of(parity));
            known.insert(parity);
            let Some(pivot) = unknown.iter().next() else {
                continue;
            };
            for row in this
                .rows
                .iter_mut()
                .filter(|row| row.unknown.contains(pivot))
            {
                row.unknown = row.unknown.symmetric_difference(unknown);
                row.known = row.known.symmetric_difference(known);
            }
            this.rows.push(Row {
                pivot,
                unknown,
                known,
            });
        }
        this
    }

    /// Every shard that can be had, those present included.
    pub(super) fn reconstructible(&self) -> ShardSet {
        if self.missing.is_empty() {
            return self.equations.geometry().shards();
        }
        self.equations
            .geometry()
            .shards()
            .iter()
            .filter(|&i| self.sum_for(i).is_some())
            .collect()
    }

    /// The present shards that add up to `shard`, which may be one of them; `None` if none do.
    pub(super) fn sum_for(&self, shard: usize) -> Option<ShardSet> {
        if self.present.contains(shard) {
            return Some(std::iter::once(shard).collect());
        }
        let (unknown, known) = self.reduce(self.equations.of(shard));
        unknown.is_empty().then_some(known)
    }

    /// A sum of data shards as the sum of present shards and of a rest that the rows do not give.
    fn reduce(&self, sum: ShardSet) -> (ShardSet, ShardSet) {
        let mut unknown = sum.intersection(self.missing);
        let mut known = sum.intersection(self.present);
        for row in self.rows.iter().filter(|row| sum.contains(row.pivot)) {
            unknown = unknown.symmetric_difference(row.unknown);
            known = known.symmetric_difference(row.known);
        }
        (unknown, known)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::geometry::Geometry;

    #[test]
    fn a_single_shard_is_found_where_not_all_are() {
        let equations = Equations::parse(Geometry::new(4, 6).unwrap(), "1^2,3^4").unwrap();
        // Data shards 2 and 3 are lost together, 1 is alone.
        let elimination = Elimination::new(&equations, [0, 4, 5].into_iter().collect());
        assert_eq!(elimination.sum_for(1), Some([0, 4].into_iter().collect()));
        assert_eq!(elimination.sum_for(2), None);
        assert_eq!(
            elimination.reconstructible(),
            [0, 1, 4, 5].into_iter().collect()
        );
    }

    #[test]
    fn parity_is_found_from_parity_alone() {
        let equations = Equations::parse(Geometry::new(3, 6).unwrap(), "1^2,2^3,1^3").unwrap();
        let elimination = Elimination::new(&equations, [3, 4].into_iter().collect());
        assert_eq!(elimination.sum_for(5), Some([3, 4].into_iter().collect()));
        assert_eq!(
            elimination.reconstructible(),
            [3, 4, 5].into_iter().collect()
        );
    }
}
