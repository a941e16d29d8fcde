//! The store itself: what it is opened with, and what it holds.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use distdup_codecs::{Code, ShardSet};

use super::ask::Member;
use super::catalog::{Catalog, Doubt, Generation, Rules, Verdict, What};
use super::claim::{Claim, look};
use super::error::{Reason, StoreError};
use super::get::Stale;
use super::host::{Host, HostError};
use super::join::turn_away;
use super::key::{Key, Kind, Shape, Version};
use super::lost::Lost;
use super::survey::{Answers, Survey, errors, list_all};
use crate::control::Control;
use crate::decode::DecodeOptions;
use crate::encode::{EncodeOptions, default_min_shares};

/// How long a host may take to answer unless told otherwise.
pub const DEFAULT_HOST_TIMEOUT: Duration = Duration::from_secs(30);

/// What a store is opened with.
#[derive(Debug, Clone)]
pub struct StoreOptions {
    /// How objects are written; its code and `min_shares` are the store's, its `identity` is ignored.
    pub encode: EncodeOptions,
    /// How objects are read; its `stream` is ignored.
    pub decode: DecodeOptions,
    /// A host that does not answer for so long, when it is asked for anything but a share's bytes,
    /// counts as silent.
    pub host_timeout: Duration,
    /// What to do where nobody can say what is current. A store that takes what may be stale is there
    /// to read what is left, and is not written to.
    pub stale: Stale,
}

impl StoreOptions {
    /// The defaults for a code.
    pub fn new(code: Arc<dyn Code>) -> Self {
        Self {
            encode: EncodeOptions::new(code),
            decode: DecodeOptions::default(),
            host_timeout: DEFAULT_HOST_TIMEOUT,
            stale: Stale::Refuse,
        }
    }
}

/// Named objects over n hosts. Every operation asks the hosts anew; nothing is remembered.
#[derive(Debug)]
pub struct Store {
    pub(super) hosts: Vec<Member>,
    pub(super) options: StoreOptions,
    pub(super) min_shares: usize,
}

/// All that a store holds.
#[derive(Debug)]
pub struct List {
    /// Every name that is or may be committed, in order of its bytes.
    pub objects: Vec<ObjectEntry>,
    /// What may have been lost, and is no object of the list for it.
    pub lost: Vec<Lost>,
    /// Hosts that did not answer, too few for anything to be missing.
    pub silent: Vec<HostError>,
    /// How many more hosts may fall silent before a list fails, whichever they are: not as many as the
    /// commit rule says where hosts are silent already, or took the place of lost ones.
    pub may_fall_silent: usize,
    /// What has a name on a host, by the host's name, and is no key. Not ours, or renamed by someone.
    pub strangers: Vec<(String, String)>,
}

/// An object in a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObjectEntry {
    /// Its name.
    pub name: Vec<u8>,
    /// Whether it can be read now.
    pub state: ObjectState,
}

/// What is known of an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ObjectState {
    /// It can be read, as far as keys tell.
    Readable {
        /// Which generation is current.
        version: Version,
        /// Different shares that are seen.
        shares: usize,
        /// Shares it was to have.
        n: usize,
    },
    /// It was committed, or may have been, and cannot be read now.
    Unreadable(Reason),
}

/// What a store was written with, as one of its shares says.
#[derive(Debug, Clone)]
pub struct Discovered {
    /// The code.
    pub code: Arc<dyn Code>,
    /// The rule.
    pub min_shares: usize,
}

impl Store {
    /// The store on these hosts, in any order. Fewer than n may be given, to read what is left; the
    /// others then count as silent.
    ///
    /// # Errors
    /// [`StoreError::HostCount`], [`StoreError::MinShares`].
    pub fn new(hosts: Vec<Arc<dyn Host>>, options: StoreOptions) -> Result<Self, StoreError> {
        let code = &options.encode.code;
        let geometry = code.geometry();
        if hosts.is_empty() || hosts.len() > geometry.n() {
            return Err(StoreError::HostCount {
                found: hosts.len(),
                n: geometry.n(),
            });
        }
        let min_shares = options
            .encode
            .min_shares
            .unwrap_or_else(|| default_min_shares(&**code));
        if !(geometry.k()..=geometry.n()).contains(&min_shares) {
            let (least, most) = (geometry.k(), geometry.n());
            return Err(StoreError::MinShares {
                found: min_shares,
                least,
                most,
            });
        }
        Ok(Self {
            hosts: hosts.into_iter().map(Member::new).collect(),
            options,
            min_shares,
        })
    }

    /// Finds out what the store on these hosts was written with, from the newest share that can be
    /// opened; `None` if there is none on those that answer.
    ///
    /// # Errors
    /// [`StoreError::Cancelled`].
    pub fn discover(
        hosts: &[Arc<dyn Host>],
        host_timeout: Duration,
        control: &Control,
    ) -> Result<Option<Discovered>, StoreError> {
        let hosts: Vec<_> = hosts.iter().cloned().map(Member::new).collect();
        let mut answers = list_all(&hosts, "", host_timeout, control)?;
        turn_away(&mut answers, &hosts);
        let mut shares: Vec<_> = answers
            .iter()
            .zip(&hosts)
            .filter_map(|(answer, host)| Some((answer.as_ref().ok()?, host)))
            .flat_map(|(listing, host)| {
                listing
                    .keys
                    .iter()
                    .filter_map(move |text| Some((host, Key::parse(text)?)))
            })
            .filter(|(_, key)| matches!(key.kind(), Kind::Share { .. }))
            .collect();
        shares.sort_by_key(|(_, key)| std::cmp::Reverse(key.version()));
        for (host, key) in shares {
            let mut claims = look(vec![(host.clone(), key)], host_timeout, control)?
                .into_iter()
                .flatten();
            if let Some(Claim {
                common: Some(common),
                ..
            }) = claims.next()
            {
                let (code, min_shares) = (Arc::clone(common.code()), common.min_shares());
                return Ok(Some(Discovered { code, min_shares }));
            }
        }
        Ok(None)
    }

    /// Data shards, all shards, and the commit rule.
    pub fn shape(&self) -> Shape {
        let geometry = self.options.encode.code.geometry();
        Shape {
            k: geometry.k(),
            n: geometry.n(),
            min_shares: self.min_shares,
        }
    }

    /// The hosts, in the order given.
    pub fn hosts(&self) -> impl Iterator<Item = &dyn Host> {
        self.hosts.iter().map(|host| &**host)
    }

    /// Every name that is or may be committed, those that cannot be read now included, marked.
    ///
    /// # Errors
    /// [`StoreError::TooManySilent`] rather than a list that may lack something, unless what may be
    /// stale is taken: then all that can be read is listed, and nothing else.
    pub fn list(&self, control: &Control) -> Result<List, StoreError> {
        let survey = self.survey_for_list(control)?;
        let catalog = &survey.catalog;
        let objects = self.entries(catalog);
        let lost = self.lost(catalog);
        let may_fall_silent = self.may_fall_silent(catalog);
        Ok(List {
            objects,
            lost,
            strangers: self.strangers(catalog),
            silent: survey.errors(),
            may_fall_silent,
        })
    }

    pub(super) fn strangers(&self, catalog: &Catalog) -> Vec<(String, String)> {
        let strangers = catalog.strangers().iter();
        strangers
            .map(|(host, text)| (self.hosts[*host].name(), text.clone()))
            .collect()
    }

    pub(super) fn may_fall_silent(&self, catalog: &Catalog) -> usize {
        (self.min_shares - 1).saturating_sub(catalog.silent_after(0))
    }

    /// Every name that is to be listed.
    pub(super) fn entries(&self, catalog: &Catalog) -> Vec<ObjectEntry> {
        let readable = |generation: &Generation| ObjectState::Readable {
            version: generation.version,
            shares: generation.shares(),
            n: generation.what.rule().0,
        };
        catalog
            .names()
            .filter_map(|name| {
                let state = match self.verdict(catalog, name) {
                    Verdict::Current(generation) => readable(generation),
                    Verdict::Absent => return None,
                    Verdict::Unknown {
                        stale: Some(generation),
                        ..
                    } if self.takes_stale() => readable(generation),
                    Verdict::Unknown { .. } if self.takes_stale() => return None,
                    Verdict::Unknown { reason, .. } => {
                        ObjectState::Unreadable(Reason::new(reason, self.min_shares))
                    }
                };
                Some(ObjectEntry {
                    name: name.to_vec(),
                    state,
                })
            })
            .collect()
    }

    /// What there is, if that is all.
    pub(super) fn survey_for_list(&self, control: &Control) -> Result<Survey, StoreError> {
        let survey = self.settled_survey("", control)?;
        let silent = survey.catalog.silent_after(0);
        if silent >= self.min_shares && !self.takes_stale() {
            let Shape { n, min_shares, .. } = self.shape();
            let is_readable = |one: &Generation| self.is_readable(one);
            let readable = survey.catalog.streams().any(is_readable);
            let newest = survey.catalog.newest_stream();
            let suffice = self
                .suffice(&survey.answers, &survey.catalog, newest)
                .into();
            return Err(StoreError::TooManySilent {
                silent,
                min_shares,
                n,
                readable,
                suffice,
                hosts: survey.errors(),
            });
        }
        Ok(survey)
    }

    /// Bytes of the object `name`, as a complete share of its current generation says; where shares
    /// differ, as most of them do. `None` if there is no such object, or no complete share of it, or
    /// no majority.
    ///
    /// # Errors
    /// [`StoreError::Unknown`] where nobody can say what is current; [`StoreError::Unopened`] where it
    /// is there, and none of the shares that could be opened tells, since others could not.
    pub fn query(&self, name: &[u8], control: &Control) -> Result<Option<u64>, StoreError> {
        let survey = self.settled_survey(&Key::prefix(name)?, control)?;
        let generation = match self.verdict(&survey.catalog, name) {
            Verdict::Current(generation) => generation,
            Verdict::Absent => return Ok(None),
            Verdict::Unknown {
                stale: Some(generation),
                ..
            } if self.takes_stale() => generation,
            Verdict::Unknown { reason, stale } => {
                return Err(self.unknown(name, reason, stale, survey.answers, &survey.catalog));
            }
        };
        let mut votes: BTreeMap<u64, usize> = BTreeMap::new();
        let mut unopened = Vec::new();
        for claim in self.look(generation, control)? {
            match claim {
                Ok(Claim {
                    length: Some(length),
                    agrees: true,
                    ..
                }) => *votes.entry(length).or_default() += 1,
                Ok(_) => {}
                Err(error) => unopened.push(error),
            }
        }
        if votes.is_empty() && !unopened.is_empty() {
            return Err(StoreError::Unopened {
                name: name.to_vec(),
                hosts: unopened,
            });
        }
        let all: usize = votes.values().sum();
        Ok(votes
            .into_iter()
            .find(|(_, count)| count * 2 > all)
            .map(|(length, _)| length))
    }

    pub(super) fn verdict<'a>(&self, catalog: &'a Catalog, name: &[u8]) -> Verdict<'a> {
        let recovers = |shape: Shape, indices: &[usize]| self.recovers(shape, indices);
        let rules = Rules {
            min_shares: self.min_shares,
            recovers: &recovers,
        };
        catalog.verdict(name, rules)
    }

    /// Whether a generation is a stream that can be had from the shares that are seen.
    pub(super) fn is_readable(&self, generation: &Generation) -> bool {
        match generation.what {
            What::Stream(shape) => self.recovers(shape, &generation.indices()),
            What::Deletion { .. } => false,
        }
    }

    /// The same, if the shares `more` were seen, too.
    pub(super) fn reads_with(&self, generation: &Generation, more: &[usize]) -> bool {
        let mut indices = generation.indices();
        indices.extend(more);
        indices.sort_unstable();
        indices.dedup();
        matches!(generation.what, What::Stream(shape) if self.recovers(shape, &indices))
    }

    /// That nobody can say what is current under `name`, and what would help.
    pub(super) fn unknown(
        &self,
        name: &[u8],
        doubt: Doubt<'_>,
        stale: Option<&Generation>,
        answers: Answers,
        catalog: &Catalog,
    ) -> StoreError {
        let generation = match doubt {
            Doubt::Unreadable(generation) | Doubt::Abandoned(generation) => Some(generation),
            Doubt::Unseen { .. } => stale,
        };
        StoreError::Unknown {
            name: name.to_vec(),
            reason: Reason::new(doubt, self.min_shares),
            suffice: self.suffice(&answers, catalog, generation).into(),
            hosts: errors(answers),
        }
    }

    /// Whether it is there to read what may be stale.
    pub(super) fn takes_stale(&self) -> bool {
        self.options.stale == Stale::Allow
    }

    pub(super) fn recovers(&self, shape: Shape, indices: &[usize]) -> bool {
        let own = self.shape();
        if (shape.k, shape.n) == (own.k, own.n) {
            let code = &self.options.encode.code;
            code.is_recoverable(indices.iter().copied().collect::<ShardSet>())
        } else {
            // Of another time's geometry; its header has the last word.
            indices.len() >= shape.k
        }
    }
}
