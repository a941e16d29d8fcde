//! From what n hosts list to what is stored: which generations of each object there are, which of
//! them were committed, and which is the one to read. Pure; opens nothing.
//!
//! A generation was committed if as many hosts as its own rule demands (`min_shares`) took it. Of n
//! hosts, j show it and u are silent about it: down, or made after it was written. So it was
//! committed for certain if j reaches `min_shares`, perhaps if j + u does, and else never.
//!
//! The newest generation is read if it can be, committed or not: older ones are removed only after a
//! commit, so one that can be read is either current, or was being put when its writer died, and then
//! either answer is right. It is passed over only if it was never committed. If it can be neither read
//! nor passed over, nobody knows what is current, and to answer with an older one would be to guess.

use std::collections::{BTreeMap, BTreeSet};

use super::host::Listing;
use super::key::{Key, Kind, Shape, Version};

/// All that n hosts show.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Catalog {
    /// For each host, from which generation on it can be asked; `None` if it is silent.
    hosts: Vec<Option<u64>>,
    objects: BTreeMap<Vec<u8>, Vec<Generation>>,
    strangers: Vec<(usize, String)>,
}

/// One generation of an object, as far as it is seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Generation {
    /// Which.
    pub version: Version,
    /// A stream, or a deletion.
    pub what: What,
    /// Who shows it: the host's position, and its key there; by host, then key.
    pub holders: Vec<(usize, Key)>,
    /// Hosts of which nobody knows whether they hold it or did.
    pub silent: usize,
}

/// What is found of an object: by generation, hosts and their keys.
type Found = BTreeMap<(Version, What), Vec<(usize, Key)>>;

/// What a generation is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum What {
    /// A stream, in shares.
    Stream(Shape),
    /// The object's deletion.
    Deletion {
        /// Hosts of the store that deleted it.
        n: usize,
        /// How many of them had to take the marker.
        min_shares: usize,
    },
}

/// Whether as many hosts as needed took a generation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// For certain: they show it.
    Committed,
    /// If the silent hosts have it, or had.
    Undecided,
    /// They cannot have.
    Uncommitted,
}

/// What the store knows besides the listings.
#[derive(Clone, Copy)]
pub struct Rules<'a> {
    /// The store's own commit rule, for generations that nobody shows.
    pub min_shares: usize,
    /// Whether a stream of that shape can be had from shares with these indices (ascending).
    pub recovers: &'a dyn Fn(Shape, &[usize]) -> bool,
}

/// What is current under a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict<'a> {
    /// This generation, and it can be read.
    Current(&'a Generation),
    /// There is no such object: it was deleted, or never committed, or never there.
    Absent,
    /// Nobody can say.
    Unknown {
        /// Why not.
        reason: Doubt<'a>,
        /// The newest that could be read, if one took no notice of the doubt: perhaps yesterday's.
        stale: Option<&'a Generation>,
    },
}

/// Why nobody can say what is current.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Doubt<'a> {
    /// So many hosts are silent that they alone may have committed a newer generation.
    Unseen {
        /// Hosts that are silent.
        silent: usize,
    },
    /// This generation was or may have been committed, and what is seen of it is not enough.
    Unreadable(&'a Generation),
    /// This generation was never committed, but may have been readable, and will be if silent hosts
    /// come back with it. There is no other.
    Abandoned(&'a Generation),
}

impl Catalog {
    /// What the hosts show; `None` for one that is silent. Their order is only that in which
    /// [`Generation::holders`] counts them.
    pub fn new(hosts: &[Option<&Listing>]) -> Self {
        let mut found: BTreeMap<Vec<u8>, Found> = BTreeMap::new();
        let mut strangers = Vec::new();
        for (host, text) in hosts
            .iter()
            .enumerate()
            .filter_map(|(host, listing)| Some((host, (*listing)?)))
            .flat_map(|(host, listing)| listing.keys.iter().map(move |text| (host, text)))
        {
            let Some(key) = Key::parse(text) else {
                strangers.push((host, text.clone()));
                continue;
            };
            let object = found.entry(key.name().to_vec()).or_default();
            object
                .entry((key.version(), What::of(key.kind())))
                .or_default()
                .push((host, key));
        }
        let hosts: Vec<_> = hosts
            .iter()
            .map(|listing| listing.map(|l| l.stamp.since))
            .collect();
        let objects = found
            .into_iter()
            .map(|(name, generations)| {
                let newest_first =
                    generations
                        .into_iter()
                        .rev()
                        .map(|((version, what), mut holders)| {
                            holders.sort_unstable();
                            holders.dedup();
                            let silent = silent_about(&hosts, version, what, &holders);
                            Generation {
                                version,
                                what,
                                holders,
                                silent,
                            }
                        });
                (name, newest_first.collect())
            })
            .collect();
        Self {
            hosts,
            objects,
            strangers,
        }
    }

    /// Every name of which anything is seen, in order of its bytes.
    pub fn names(&self) -> impl Iterator<Item = &[u8]> {
        self.objects.keys().map(Vec::as_slice)
    }

    /// All that is seen of an object, newest first.
    pub fn generations(&self, name: &[u8]) -> &[Generation] {
        self.objects.get(name).map_or(&[], Vec::as_slice)
    }

    /// The newest deletion of it that was committed.
    pub fn deletion(&self, name: &[u8], least: usize) -> Option<&Generation> {
        let mut generations = self.generations(name).iter();
        generations.find(|one| {
            matches!(one.what, What::Deletion { .. }) && one.standing(least) == Standing::Committed
        })
    }

    /// The newest stream of all.
    pub fn newest_stream(&self) -> Option<&Generation> {
        let streams = self.objects.values().flatten();
        streams
            .filter(|one| matches!(one.what, What::Stream(_)))
            .max_by_key(|one| one.version)
    }

    /// What has a name on a host, by the host's position, and is no key.
    pub fn strangers(&self) -> &[(usize, String)] {
        &self.strangers
    }

    /// Hosts that may hold generations newer than `generation`, or have held them, unseen.
    pub fn silent_after(&self, generation: u64) -> usize {
        self.hosts
            .iter()
            .filter(|since| since.is_none_or(|since| since > generation))
            .count()
    }

    /// What is current under `name`.
    pub fn verdict(&self, name: &[u8], rules: Rules<'_>) -> Verdict<'_> {
        let mut unreadable = None;
        let mut abandoned = None;
        let mut readable = None;
        // What is newer than this may all be unseen.
        let mut certain = 0;
        for generation in self.generations(name) {
            match (generation.what, generation.standing(rules.min_shares)) {
                (What::Stream(_), _) if generation.is_readable(rules) => {
                    certain = generation.version.generation;
                    readable = Some(generation);
                    break;
                }
                (What::Deletion { .. }, Standing::Committed) => {
                    certain = generation.version.generation;
                    break;
                }
                (What::Deletion { .. }, Standing::Uncommitted) => {}
                (What::Stream(shape), Standing::Uncommitted) => {
                    let may_return =
                        generation.silent > 0 && generation.shares() + generation.silent >= shape.k;
                    abandoned = abandoned.or(may_return.then_some(generation));
                }
                (_, Standing::Committed | Standing::Undecided) => {
                    unreadable = unreadable.or(Some(generation));
                }
            }
        }
        let silent = self.silent_after(certain);
        let reason = if let Some(generation) = unreadable {
            Doubt::Unreadable(generation)
        } else if silent >= rules.min_shares {
            Doubt::Unseen { silent }
        } else {
            match (readable, abandoned) {
                (Some(current), _) => return Verdict::Current(current),
                (None, Some(generation)) => Doubt::Abandoned(generation),
                (None, None) => return Verdict::Absent,
            }
        };
        Verdict::Unknown {
            reason,
            stale: readable,
        }
    }
}

impl What {
    fn of(kind: Kind) -> Self {
        match kind {
            Kind::Share { shape, .. } => Self::Stream(shape),
            Kind::Marker { n, min_shares } => Self::Deletion { n, min_shares },
        }
    }

    /// Hosts that it was meant for, and how many of them had to take it.
    pub fn rule(self) -> (usize, usize) {
        match self {
            Self::Stream(Shape { n, min_shares, .. }) | Self::Deletion { n, min_shares } => {
                (n, min_shares)
            }
        }
    }
}

impl Generation {
    /// Hosts that show it, by position, each once.
    pub fn hosts(&self) -> impl Iterator<Item = usize> {
        let hosts: BTreeSet<_> = self.holders.iter().map(|(host, _)| *host).collect();
        hosts.into_iter()
    }

    /// Indices of the shares that are seen, ascending, each once; none for a deletion.
    pub fn indices(&self) -> Vec<usize> {
        let mut indices: Vec<_> = self
            .holders
            .iter()
            .filter_map(|(_, key)| match key.kind() {
                Kind::Share { index, .. } => Some(index),
                Kind::Marker { .. } => None,
            })
            .collect();
        indices.sort_unstable();
        indices.dedup();
        indices
    }

    /// Different shares that are seen, or for a deletion, hosts that show it.
    pub fn shares(&self) -> usize {
        match self.what {
            What::Stream(_) => self.indices().len(),
            What::Deletion { .. } => self.holders.len(),
        }
    }

    /// How many hosts commit it. A deletion is proven by nothing but its markers, so that a few hosts
    /// must not be able to make one by a rule of their own: it takes as many as the store's rule says.
    pub fn least(&self, store: usize) -> usize {
        let (_, own) = self.what.rule();
        match self.what {
            What::Stream(_) => own,
            What::Deletion { .. } => own.max(store),
        }
    }

    /// Whether it was committed, in a store of that rule.
    pub fn standing(&self, store: usize) -> Standing {
        let min_shares = self.least(store);
        if self.shares() >= min_shares {
            Standing::Committed
        } else if self.shares() + self.silent >= min_shares {
            Standing::Undecided
        } else {
            Standing::Uncommitted
        }
    }

    /// Whether it is a stream that can be had from the shares that are seen.
    pub fn is_readable(&self, rules: Rules<'_>) -> bool {
        match self.what {
            What::Stream(shape) => (rules.recovers)(shape, &self.indices()),
            What::Deletion { .. } => false,
        }
    }
}

fn silent_about(
    hosts: &[Option<u64>],
    version: Version,
    what: What,
    holders: &[(usize, Key)],
) -> usize {
    let (n, _) = what.rule();
    let silent = hosts
        .iter()
        .enumerate()
        .filter(|(host, since)| {
            since.is_none_or(|since| since > version.generation)
                && !holders.iter().any(|(holder, _)| holder == host)
        })
        .count();
    // Written by a store with more hosts than this one.
    silent + n.saturating_sub(hosts.len())
}

#[cfg(test)]
mod tests;
