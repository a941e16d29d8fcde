//! What hosts need not keep: found, and on demand removed.

use std::collections::BTreeMap;
use std::io::Read;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::ask::ask;
use super::catalog::{Generation, Standing, What};
use super::claim::Claim;
use super::error::StoreError;
use super::host::{Host, HostError, Leftover};
use super::key::Key;
use super::marker::Marker;
use super::objects::Store;
use super::survey::Survey;
use crate::control::Control;

/// What the hosts of a store need not keep. Hosts are counted in the order given.
#[derive(Debug, Default)]
pub struct Remains {
    /// Keys of generations that a newer one replaced, and of deletions that were never committed.
    pub keys: Vec<(usize, Key)>,
    /// Keys of streams that were not committed and can never be read, by what the hosts say: but shares
    /// that are whole are what is left of something, or of a writer that was killed as it ended. They
    /// are removed only if they are moved to `keys`.
    pub lost: Vec<(usize, Key)>,
    /// Deletion markers of which all hosts confirm that nothing older is left, once `keys` are gone.
    pub markers: Vec<(usize, Key)>,
    /// What killed writers left.
    pub leftovers: Vec<(usize, Leftover)>,
    /// Hosts that did not answer, or could not look for leftovers.
    pub silent: Vec<HostError>,
}

impl Store {
    /// Finds what the hosts need not keep. What was begun within the last `age` is left alone,
    /// since someone may still be writing it; a replaced generation has no such grace.
    ///
    /// # Errors
    /// [`StoreError::SameHost`], [`StoreError::DifferentStores`], [`StoreError::Cancelled`].
    pub fn find_remains(&self, age: Duration, control: &Control) -> Result<Remains, StoreError> {
        let survey = self.survey_of_members("", control)?;
        let before = SystemTime::now().checked_sub(age).unwrap_or(UNIX_EPOCH);
        let since_1970 = before.duration_since(UNIX_EPOCH).unwrap_or_default();
        let before_generation = u64::try_from(since_1970.as_nanos()).unwrap_or(u64::MAX);
        let is_old = |one: &Generation| one.version.generation < before_generation;

        let mut remains = Remains::default();
        let up = survey.up().len();
        for name in survey.catalog.names() {
            let generations = survey.catalog.generations(name);
            let settled = generations.iter().position(|one| self.is_settled(one));
            let (unsettled, rest) = generations.split_at(settled.unwrap_or(generations.len()));
            for one in unsettled {
                // With no host silent, nobody can ever say otherwise.
                if one.standing(self.min_shares) == Standing::Uncommitted
                    && one.silent == 0
                    && !self.is_readable(one)
                    && is_old(one)
                {
                    let of = match one.what {
                        What::Stream(_) => &mut remains.lost,
                        What::Deletion { .. } => &mut remains.keys,
                    };
                    of.extend(one.holders.iter().cloned());
                }
            }
            let Some((current, replaced)) = rest.split_first() else {
                continue;
            };
            let is_deletion = matches!(current.what, What::Deletion { .. });
            // Nothing is destroyed on the word of file names alone.
            if (is_deletion || !replaced.is_empty()) && self.is_proven(current, control)? {
                let replaced = replaced.iter().flat_map(|one| &one.holders);
                remains.keys.extend(replaced.cloned());
                // By what it says itself, too: where nothing but markers is left, the store is opened on
                // the hosts that were found, however many it has.
                let (n, _) = current.what.rule();
                let everybody_is_up = up >= n.max(self.shape().n);
                if is_deletion && everybody_is_up && is_old(current) {
                    remains.markers.extend(current.holders.iter().cloned());
                }
            }
        }
        self.find_leftovers(&survey, before, &mut remains, control)?;
        remains.silent.extend(survey.errors());
        Ok(remains)
    }

    /// Removes what was found. Says which hosts failed, and why; markers stay if any did.
    pub fn remove_remains(&self, remains: &Remains) -> Vec<HostError> {
        let mut failed = self.remove(by_host(&remains.keys));
        if failed.is_empty() {
            failed = self.remove(by_host(&remains.markers));
        }
        let leftovers = remains.leftovers.iter().map(|(host, leftover)| {
            let leftover = leftover.clone();
            let task = move |host: &dyn Host| match host.delete_leftover(&leftover) {
                Err(HostError::NoSuchKey { .. }) => Ok(()),
                other => other,
            };
            (self.hosts[*host].clone(), task)
        });
        let removed = ask(leftovers, "delete", self.options.host_timeout, None).unwrap_or_default();
        let failed = failed.into_iter().map(|(_, error)| error);
        failed
            .chain(removed.into_iter().filter_map(Result::err))
            .collect()
    }

    fn is_settled(&self, one: &Generation) -> bool {
        let is_whole = matches!(one.what, What::Deletion { .. }) || self.is_readable(one);
        one.standing(self.min_shares) == Standing::Committed && is_whole
    }

    /// Whether what stands under the keys of a committed generation is what they say, on as many
    /// hosts as its rule demands.
    pub(super) fn is_proven(
        &self,
        one: &Generation,
        control: &Control,
    ) -> Result<bool, StoreError> {
        let min_shares = one.least(self.min_shares);
        let proofs = match one.what {
            What::Stream(_) => self
                .look(one, control)?
                .into_iter()
                .flatten()
                .filter(|claim| {
                    matches!(
                        claim,
                        Claim {
                            agrees: true,
                            length: Some(_),
                            ..
                        }
                    )
                })
                .count(),
            What::Deletion { .. } => self.read_markers(one, control)?,
        };
        Ok(proofs >= min_shares)
    }

    /// How many hosts hold a good marker under this deletion's key.
    pub(super) fn read_markers(
        &self,
        one: &Generation,
        control: &Control,
    ) -> Result<usize, StoreError> {
        const ACTION: &str = "read a deletion marker";
        let tasks = one.holders.iter().map(|(host, key)| {
            let key = key.clone();
            let task = move |host: &dyn Host| {
                let mut bytes = Vec::new();
                let read = host
                    .source(&key)
                    .open()
                    .and_then(|reader| reader.take(Marker::MAX_LEN + 1).read_to_end(&mut bytes));
                read.map_err(|error| HostError::from_io(host, ACTION, error))?;
                Ok(Marker::decode(&bytes).is_some_and(|marker| marker.key == key))
            };
            (self.hosts[*host].clone(), task)
        });
        let read = ask(tasks, ACTION, self.options.host_timeout, Some(control))?;
        Ok(read
            .into_iter()
            .filter(|good| matches!(good, Ok(true)))
            .count())
    }

    /// Adds what killed writers left, and hosts that could not say.
    fn find_leftovers(
        &self,
        survey: &Survey,
        before: SystemTime,
        remains: &mut Remains,
        control: &Control,
    ) -> Result<(), StoreError> {
        let up = survey.up();
        let tasks = up.iter().map(|&host| {
            let task = |host: &dyn Host| host.leftovers();
            (self.hosts[host].clone(), task)
        });
        let found = ask(
            tasks,
            "look for leftovers",
            self.options.host_timeout,
            Some(control),
        )?;
        for (host, found) in up.into_iter().zip(found) {
            match found {
                Ok(found) => {
                    let found = found.into_iter().map(|one| (host, one));
                    remains.leftovers.extend(found);
                }
                Err(error) => remains.silent.push(error),
            }
        }
        remains.leftovers.retain(|(_, one)| {
            !one.in_use && one.modified.is_some_and(|modified| modified < before)
        });
        Ok(())
    }
}

fn by_host(keys: &[(usize, Key)]) -> Vec<(usize, Vec<Key>)> {
    let mut sorted: BTreeMap<usize, Vec<Key>> = BTreeMap::new();
    for (host, key) in keys {
        sorted.entry(*host).or_default().push(key.clone());
    }
    sorted.into_iter().collect()
}
