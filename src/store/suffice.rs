//! Which silent hosts would have to answer, where too few do.

use std::fmt;

use distdup_codecs::ShardSet;

use super::catalog::{Catalog, Generation, What};
use super::key::Kind;
use super::objects::Store;
use super::survey::Answers;

/// More silent hosts than this are not tried in all combinations.
const MOST_TRIED: usize = 12;

/// Which of the silent hosts would suffice, if they answered and had what they were given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Suffice {
    /// Any so many of these, by name.
    Any {
        /// How many.
        count: usize,
        /// Hosts that are silent.
        hosts: Vec<String>,
    },
    /// All hosts of any one of these sets; none contains another.
    OneOf(Vec<Vec<String>>),
    /// None: even with all of them it could not be had.
    Nothing,
}

impl Store {
    /// Which silent hosts would suffice to tell what there is and, of a generation, to read it
    /// or to confirm that it is a deletion.
    pub(super) fn suffice(
        &self,
        answers: &Answers,
        catalog: &Catalog,
        generation: Option<&Generation>,
    ) -> Suffice {
        let n = self.shape().n;
        let silent: Vec<usize> = (0..n)
            .filter(|&host| answers.get(host).is_none_or(Result::is_err))
            .collect();
        let name = |host: usize| match self.hosts.get(host) {
            Some(host) => host.name(),
            None => format!("host {} of {n}, which was not named", host + 1),
        };
        let names = |hosts: &[usize]| hosts.iter().map(|&host| name(host)).collect::<Vec<_>>();
        let doubtful = catalog.silent_after(0);
        let stream = generation.filter(|one| matches!(one.what, What::Stream(_)));
        let deletion = generation.filter(|one| matches!(one.what, What::Deletion { .. }));
        let seen = stream.map(Generation::indices).unwrap_or_default();
        // Whether it would do if so many hosts answered, and the shares `more` were seen.
        let does = |answering: usize, more: &[usize]| {
            doubtful < self.min_shares + answering
                && stream.is_none_or(|one| self.reads_with(one, more))
                && deletion.is_none_or(|one| one.shares() + answering >= one.least(self.min_shares))
        };
        let unseen: Vec<_> = (0..n).filter(|index| !seen.contains(index)).collect();
        let any = |count: usize| Suffice::Any {
            count,
            hosts: names(&silent),
        };
        // Any shares are as good as any others; or nobody knows which of them a silent host has.
        let is_mds = stream.is_none() || self.options.encode.code.is_mds();
        if is_mds || silent.len() > MOST_TRIED || !stream.is_none_or(Generation::is_in_order) {
            // It takes one at least, for nobody asks where nobody is missed.
            let least = if is_mds { 1 } else { silent.len().max(1) };
            return (least..=silent.len())
                .find(|&count| does(count, &unseen[..count.min(unseen.len())]))
                .map_or(Suffice::Nothing, any);
        }
        let mut sets: Vec<ShardSet> = Vec::new();
        for size in 1..=silent.len() {
            for picked in combinations(&silent, size) {
                let set: ShardSet = picked.iter().copied().collect();
                let is_minimal = !sets
                    .iter()
                    .any(|less| less.iter().all(|one| set.contains(one)));
                if is_minimal && does(size, &picked) {
                    sets.push(set);
                }
            }
        }
        if sets.is_empty() {
            return Suffice::Nothing;
        }
        let sets = sets
            .iter()
            .map(|set| names(&set.iter().collect::<Vec<_>>()));
        Suffice::OneOf(sets.collect())
    }
}

impl Generation {
    /// Whether each host that is seen has the share of its own position, where it was written. Hosts may
    /// since have been named in another order.
    fn is_in_order(&self) -> bool {
        self.holders
            .iter()
            .all(|(host, key)| matches!(key.kind(), Kind::Share { index, .. } if index == *host))
    }
}

/// All ways to pick `size` of `items`.
fn combinations(items: &[usize], size: usize) -> Vec<Vec<usize>> {
    let Some((first, rest)) = items.split_first() else {
        return if size == 0 {
            vec![Vec::new()]
        } else {
            Vec::new()
        };
    };
    let with_first = |mut others: Vec<usize>| {
        others.insert(0, *first);
        others
    };
    let with = size.checked_sub(1).map(|size| combinations(rest, size));
    let with = with.into_iter().flatten().map(with_first);
    with.chain(combinations(rest, size)).collect()
}

impl fmt::Display for Suffice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Any { count, hosts } if *count == hosts.len() => {
                write!(f, "needed: {}", hosts.join(", "))
            }
            Self::Any { count, hosts } => {
                write!(
                    f,
                    "any {count} of these would suffice: {}",
                    hosts.join(", ")
                )
            }
            Self::OneOf(sets) => {
                let sets: Vec<_> = sets.iter().map(|set| set.join(" and ")).collect();
                write!(f, "would suffice: {}", sets.join("; or "))
            }
            Self::Nothing => write!(f, "no silent host could help"),
        }
    }
}
