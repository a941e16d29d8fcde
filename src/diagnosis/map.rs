//! How things are along a stream of any length, in so many cells.

use std::ops::Range;

use crate::decode::FrameState;

/// Most cells of a map.
const MOST_CELLS: u64 = 1024;

/// Stripes in one cell, by what they are.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Cell {
    /// Good ones.
    pub good: u64,
    /// Damaged ones.
    pub damaged: u64,
    /// Missing ones.
    pub missing: u64,
}

impl Cell {
    pub(super) fn add(&mut self, state: FrameState, count: u64) {
        let sum = match state {
            FrameState::Good => &mut self.good,
            FrameState::Damaged => &mut self.damaged,
            FrameState::Missing => &mut self.missing,
        };
        *sum = sum.saturating_add(count);
    }

    /// Both.
    #[must_use]
    pub fn with(self, other: Self) -> Self {
        Self {
            good: self.good.saturating_add(other.good),
            damaged: self.damaged.saturating_add(other.damaged),
            missing: self.missing.saturating_add(other.missing),
        }
    }

    /// The worst that is in it.
    pub fn worst(&self) -> FrameState {
        match self {
            Self { damaged: 1.., .. } => FrameState::Damaged,
            Self { missing: 1.., .. } => FrameState::Missing,
            _ => FrameState::Good,
        }
    }
}

/// Cells of equally many stripes each, the last one excepted. Where they become too many, two and
/// two are put together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Map {
    per_cell: u64,
    cells: Vec<Cell>,
}

impl Default for Map {
    fn default() -> Self {
        Self {
            per_cell: 1,
            cells: Vec::new(),
        }
    }
}

impl Map {
    /// Adds stripes, which follow those that are in it.
    pub(super) fn add(&mut self, stripes: &Range<u64>, state: FrameState) {
        while stripes.end.div_ceil(self.per_cell) > MOST_CELLS {
            self.per_cell *= 2;
            let pair = |pair: &[Cell]| pair.iter().fold(Cell::default(), |sum, one| sum.with(*one));
            self.cells = self.cells.chunks(2).map(pair).collect();
        }
        let mut at = stripes.start;
        while at < stripes.end {
            let cell = at / self.per_cell;
            let end = ((cell + 1).saturating_mul(self.per_cell)).min(stripes.end);
            let cell = usize::try_from(cell).expect("at most so many cells");
            if cell == self.cells.len() {
                self.cells.push(Cell::default());
            }
            self.cells[cell].add(state, end - at);
            at = end;
        }
    }

    /// The same in at most `width` cells, and how many stripes each holds at most.
    pub fn fit(&self, width: usize) -> (Vec<Cell>, u64) {
        let per = self.cells.len().div_ceil(width.max(1)).max(1);
        let sum = |cells: &[Cell]| {
            cells
                .iter()
                .fold(Cell::default(), |sum, one| sum.with(*one))
        };
        let per_cell = self.per_cell.saturating_mul(per as u64);
        (self.cells.chunks(per).map(sum).collect(), per_cell)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_stripe_is_in_its_cell_however_many_there_are() {
        for stripes in [1, 7, 1023, 1024, 1025, 5000, 100_000] {
            let mut map = Map::default();
            let is_bad = |stripe: u64| stripe % 997 == 5;
            for stripe in 0..stripes {
                let state = if is_bad(stripe) {
                    FrameState::Damaged
                } else {
                    FrameState::Good
                };
                map.add(&(stripe..stripe + 1), state);
            }
            for width in [1, 10, 60, 5000] {
                let (cells, per_cell) = map.fit(width);
                assert!(cells.len() <= width && cells.len() as u64 <= MOST_CELLS);
                assert_eq!(cells.len() as u64, stripes.div_ceil(per_cell));
                for (at, cell) in (0..).zip(&cells) {
                    let start = at * per_cell;
                    let own = start..(start + per_cell).min(stripes);
                    let bad = own.clone().filter(|&stripe| is_bad(stripe)).count() as u64;
                    let expected = Cell {
                        good: own.end - own.start - bad,
                        damaged: bad,
                        missing: 0,
                    };
                    assert_eq!(
                        *cell, expected,
                        "{stripes} stripes, {width} wide, at {start}"
                    );
                }
            }
        }
    }

    #[test]
    fn a_range_without_end_takes_no_longer_than_a_short_one() {
        let mut map = Map::default();
        map.add(&(0..3), FrameState::Good);
        map.add(&(3..1 << 62), FrameState::Missing);
        let (cells, _) = map.fit(4);
        assert_eq!(cells.len(), 4);
        assert_eq!((cells[0].good, cells[3].good), (3, 0));
    }
}
