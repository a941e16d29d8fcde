//! What becomes of a stripe by which of its frames are good.

use std::collections::HashMap;
use std::sync::Arc;

use distdup_codecs::{Code, ShardSet};

use crate::format::Common;

/// Sets of good frames that are remembered with their stripes.
const SETS_KEPT: usize = 64;
/// Sets of further shares that are tried out.
const MOST_TRIES: u32 = 20_000;

/// What would bring a stream back.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Remedy {
    /// Single shares that would each bring some lost stripes back if there were a good copy of it,
    /// and how many: the most first. Of a stream that is damaged in very many ways, at least these.
    pub helps: Vec<(usize, u64)>,
    /// Shares that would bring back nothing, not even together with others: all that they hold the
    /// code gives already. None where there are too many ways to find out.
    pub useless: ShardSet,
    /// As few shares as there are that together bring all lost stripes back; `None` where that
    /// would take too long to find out.
    pub fewest: Option<ShardSet>,
    /// Whether stripes were lost in more ways than were looked at: further shares may help, too.
    pub is_short: bool,
}

/// Which sets of good frames there were, and how often.
pub(super) struct Fates {
    code: Arc<dyn Code>,
    /// The last set, and whether its stripes can be had: it seldom changes.
    last: Option<(ShardSet, bool)>,
    lost: HashMap<ShardSet, u64>,
    /// Whether there were more different ones than are kept.
    is_short: bool,
}

impl Fates {
    pub(super) fn new(common: &Common) -> Self {
        Self {
            code: Arc::clone(common.code()),
            last: None,
            lost: HashMap::new(),
            is_short: false,
        }
    }

    /// Whether `count` stripes can be had of which these frames are good.
    pub(super) fn is_had(&mut self, good: ShardSet, count: u64) -> bool {
        let is_had = match self.last {
            Some((last, is_had)) if last == good => is_had,
            _ => self.code.is_recoverable(good),
        };
        self.last = Some((good, is_had));
        if !is_had {
            if self.lost.len() < SETS_KEPT || self.lost.contains_key(&good) {
                *self.lost.entry(good).or_default() += count;
            } else {
                self.is_short = true;
            }
        }
        is_had
    }

    /// What would bring back the stripes that are lost, other than the shares that are `good`.
    pub(super) fn remedy(&self, good: ShardSet) -> Remedy {
        if self.lost.is_empty() {
            return Remedy::default();
        }
        let others: Vec<usize> = self
            .code
            .geometry()
            .shards()
            .difference(good)
            .iter()
            .collect();
        let with = |set: &ShardSet, share: usize| set.union([share].into_iter().collect());
        let gain = |&share: &usize| {
            let brought = |(set, _): &(&ShardSet, &u64)| self.code.is_recoverable(with(set, share));
            let stripes: u64 = self
                .lost
                .iter()
                .filter(brought)
                .map(|(_, count)| count)
                .sum();
            (stripes > 0).then_some((share, stripes))
        };
        let mut helps: Vec<(usize, u64)> = others.iter().filter_map(gain).collect();
        helps.sort_by_key(|&(share, stripes)| (std::cmp::Reverse(stripes), share));
        let adds_nothing = |share: &usize| {
            let mut sets = self.lost.keys();
            !self.is_short && sets.all(|set| self.code.reconstructible(*set).contains(*share))
        };
        let useless = others.iter().copied().filter(adds_nothing).collect();
        Remedy {
            helps,
            useless,
            fewest: self.fewest(&others),
            is_short: self.is_short,
        }
    }

    fn fewest(&self, others: &[usize]) -> Option<ShardSet> {
        if self.is_short {
            return None;
        }
        let k = self.code.geometry().k();
        let least = self
            .lost
            .keys()
            .map(|set| k.saturating_sub(set.len()))
            .max()?;
        let mut tries = MOST_TRIES;
        (least.max(1)..=others.len())
            .find_map(|count| self.enough(ShardSet::new(), others, count, &mut tries))
    }

    /// `count` of `others` that, with `chosen`, bring everything back.
    fn enough(
        &self,
        chosen: ShardSet,
        others: &[usize],
        count: usize,
        tries: &mut u32,
    ) -> Option<ShardSet> {
        if count == 0 {
            *tries = tries.checked_sub(1)?;
            let brings = |set: &ShardSet| self.code.is_recoverable(set.union(chosen));
            return self.lost.keys().all(brings).then_some(chosen);
        }
        let starts = others.len().checked_sub(count)?;
        (0..=starts).find_map(|at| {
            if *tries == 0 {
                return None;
            }
            let mut with = chosen;
            with.insert(others[at]);
            self.enough(with, &others[at + 1..], count - 1, tries)
        })
    }
}

#[cfg(test)]
mod tests {
    use distdup_codecs::Geometry;

    use super::*;

    fn remedy(codec: &str, k: usize, n: usize, good: &[usize]) -> Remedy {
        let geometry = Geometry::new(k, n).unwrap();
        let params = (codec == "xor").then_some("3^5^6,2^4^6,1^4^5,1^2^3");
        let mut fates = Fates {
            code: distdup_codecs::resolve(codec, geometry, params).unwrap(),
            last: None,
            lost: HashMap::new(),
            is_short: false,
        };
        let good = good.iter().copied().collect();
        assert!(!fates.is_had(good, 7));
        fates.remedy(good)
    }

    #[test]
    fn any_share_helps_where_one_is_lacking() {
        let remedy = remedy("rs", 4, 6, &[0, 2, 5]);
        assert_eq!(remedy.helps, [(1, 7), (3, 7), (4, 7)]);
        assert_eq!(remedy.fewest.unwrap().iter().collect::<Vec<_>>(), [1]);
        assert!(remedy.useless.is_empty());
    }

    #[test]
    fn where_more_are_lacking_their_number_is_found() {
        let remedy = remedy("rs", 100, 200, &[7, 8]);
        assert_eq!(remedy.helps, []);
        assert_eq!(remedy.fewest.unwrap().len(), 98);
    }

    /// Equations 3^5^6, 2^4^6, 1^4^5, 1^2^3, one-based. Shares 0, 1 and 2 give share 9, and so it
    /// adds nothing to them, though with it they are as many as it takes elsewhere.
    #[test]
    fn a_hopeless_set_of_an_xor_code_is_known_with_what_it_lacks() {
        let remedy = remedy("xor", 6, 10, &[0, 1, 2, 3, 9]);
        assert!(remedy.useless.is_empty());
        let remedy = super::tests::remedy("xor", 6, 10, &[0, 1, 2]);
        assert_eq!(remedy.useless.iter().collect::<Vec<_>>(), [9]);
        assert_eq!(remedy.fewest.unwrap().len(), 3);
    }

    /// Share 10 is 0^1^2, and adds nothing where these are there, as in all sets that are kept.
    #[test]
    fn of_more_losses_than_are_kept_nothing_is_called_useless() {
        let geometry = Geometry::new(10, 12).unwrap();
        let params = Some("1^2^3,4^5^6^7^8^9^10");
        let code = distdup_codecs::resolve("xor", geometry, params).unwrap();
        let mut fates = Fates {
            code,
            last: None,
            lost: HashMap::new(),
            is_short: false,
        };
        for set in 0..1_usize << 7 {
            let good = (3..10).filter(|share| set >> (share - 3) & 1 == 1);
            fates.is_had([0, 1, 2].into_iter().chain(good).collect(), 1);
            let remedy = fates.remedy(ShardSet::new());
            assert_eq!(remedy.useless.contains(10), !remedy.is_short, "{set}");
        }
        assert!(!fates.is_had((2..10).collect(), 1));
        let remedy = fates.remedy(ShardSet::new());
        assert!(remedy.is_short && remedy.fewest.is_none());
    }
}
