//! Which sets of shares give the data back: all of them, tabulated.

use distdup_codecs::{Code, ShardSet};

use super::AvailabilityError;
use super::counts::real;

/// Most shares for which all sets are gone through, 2^20.
pub(super) const MOST: usize = 20;

/// For each set of shares, a bit each, whether it gives the data back.
#[derive(Debug)]
pub(super) struct Subsets {
    n: usize,
    recoverable: Vec<bool>,
}

impl Subsets {
    /// Those of `code`, for `what`; `instead` is what to do where there are too many.
    pub(super) fn of(
        code: &dyn Code,
        what: &'static str,
        most_n: usize,
        instead: &'static str,
    ) -> Result<Self, AvailabilityError> {
        let (k, n) = (code.geometry().k(), code.geometry().n());
        if n > most_n {
            return Err(AvailabilityError::TooMany {
                what,
                n,
                count: real(n).exp2(),
                things: "sets of shares",
                most: real(most_n).exp2(),
                most_n,
                instead,
            });
        }
        let mut recoverable = vec![false; 1 << n];
        for set in 0..recoverable.len() {
            // What a smaller set gives back, a larger one does: only where none does is it asked.
            recoverable[set] = set.count_ones() as usize >= k
                && (bits(set).any(|bit| recoverable[set ^ (1 << bit)])
                    || code.is_recoverable(bits(set).collect()));
        }
        Ok(Self { n, recoverable })
    }

    pub(super) fn n(&self) -> usize {
        self.n
    }

    /// All shares.
    pub(super) fn full(&self) -> usize {
        self.recoverable.len() - 1
    }

    pub(super) fn is_recoverable(&self, set: usize) -> bool {
        self.recoverable[set]
    }

    /// Each set with whether it is.
    pub(super) fn iter(&self) -> impl Iterator<Item = (usize, bool)> {
        self.recoverable.iter().copied().enumerate()
    }
}

/// The members of a set.
pub(super) fn bits(set: usize) -> impl Iterator<Item = usize> {
    (0..usize::BITS as usize).filter(move |bit| set >> bit & 1 == 1)
}

/// The same as the codes know it.
pub(super) fn shards(set: usize) -> ShardSet {
    bits(set).collect()
}
