//! What the hosts show at one moment, and the removal of what they need not keep.

use std::collections::BTreeMap;
use std::time::Duration;

use super::ask::{Cancelled, Member, ask};
use super::catalog::Catalog;
use super::error::StoreError;
use super::host::{Host, HostError, Listing};
use super::join::turn_away;
use super::key::{Key, Version};
use super::objects::Store;
use crate::control::Control;
use crate::format::Identity;

/// What each host said.
pub(super) type Answers = Vec<Result<Listing, HostError>>;

/// What the hosts showed at one moment.
pub(super) struct Survey {
    /// One for each host that was given.
    pub(super) answers: Answers,
    pub(super) catalog: Catalog,
}

impl Survey {
    /// Hosts that answered, by position.
    pub(super) fn up(&self) -> Vec<usize> {
        (0..self.answers.len())
            .filter(|&host| self.answers[host].is_ok())
            .collect()
    }

    /// What the others said.
    pub(super) fn errors(self) -> Vec<HostError> {
        errors(self.answers)
    }

    /// By host, the keys of an object's generations older than `version`.
    pub(super) fn older_than(&self, name: &[u8], version: Version) -> Vec<(usize, Vec<Key>)> {
        let mut keys: BTreeMap<usize, Vec<Key>> = BTreeMap::new();
        for generation in self
            .catalog
            .generations(name)
            .iter()
            .filter(|g| g.version < version)
        {
            for (host, key) in &generation.holders {
                keys.entry(*host).or_default().push(key.clone());
            }
        }
        keys.into_iter().collect()
    }

    /// Someone newer than all that is seen of the object.
    pub(super) fn successor(&self, name: &[u8]) -> Result<Identity, StoreError> {
        let mut identity = Identity::fresh(Some(name.to_vec())).map_err(StoreError::Random)?;
        if let Some(newest) = self.catalog.generations(name).first() {
            let generation = newest.version.generation;
            let successor = generation
                .checked_add(1)
                .ok_or_else(|| StoreError::NoSuccessor {
                    name: name.to_vec(),
                    generation,
                })?;
            identity.generation = identity.generation.max(successor);
        }
        Ok(identity)
    }
}

impl Store {
    /// Asks all hosts for their keys.
    pub(super) fn survey(&self, prefix: &str, control: &Control) -> Result<Survey, StoreError> {
        self.show(self.answers(prefix, control)?)
    }

    /// The same, and once more where that shows what may have been lost: hosts do not answer all at one
    /// moment, and while a writer replaces an object, some show what was before that, and some what is after
    /// it, each perhaps too little.
    pub(super) fn settled_survey(
        &self,
        prefix: &str,
        control: &Control,
    ) -> Result<Survey, StoreError> {
        let survey = self.survey(prefix, control)?;
        if self.lost(&survey.catalog).is_empty() {
            Ok(survey)
        } else {
            self.survey(prefix, control)
        }
    }

    /// The same, of hosts that may be written to.
    pub(super) fn survey_of_members(
        &self,
        prefix: &str,
        control: &Control,
    ) -> Result<Survey, StoreError> {
        let mut answers = self.answers(prefix, control)?;
        self.only_members(&mut answers)?;
        self.show(answers)
    }

    fn answers(&self, prefix: &str, control: &Control) -> Result<Answers, StoreError> {
        let mut answers = list_all(&self.hosts, prefix, self.options.host_timeout, control)?;
        turn_away(&mut answers, &self.hosts);
        Ok(answers)
    }

    fn show(&self, answers: Answers) -> Result<Survey, StoreError> {
        let mut stamps = BTreeMap::new();
        for (answer, host) in answers.iter().zip(&self.hosts) {
            let Ok(Listing { stamp, .. }) = answer else {
                continue;
            };
            if let Some(first) = stamps.insert(stamp.id, host.name()) {
                return Err(StoreError::SameHost {
                    first,
                    second: host.name(),
                });
            }
        }
        // Hosts that were not even given are as silent as those that are down.
        let mut views: Vec<_> = answers.iter().map(|answer| answer.as_ref().ok()).collect();
        views.resize(self.shape().n, None);
        let catalog = Catalog::new(&views);
        Ok(Survey { answers, catalog })
    }

    /// Removes keys from hosts, by their position; what is not there is removed. Says which host
    /// failed, and why.
    pub(super) fn remove(&self, work: Vec<(usize, Vec<Key>)>) -> Vec<(usize, HostError)> {
        let positions: Vec<_> = work.iter().map(|(host, _)| *host).collect();
        let tasks = work.into_iter().map(|(host, keys)| {
            let task = move |host: &dyn Host| {
                keys.iter().try_for_each(|key| match host.delete(key) {
                    Err(HostError::NoSuchKey { .. }) => Ok(()),
                    other => other,
                })
            };
            (self.hosts[host].clone(), task)
        });
        // Not to be stopped halfway: nothing is gained by it.
        let removed = ask(tasks, "delete", self.options.host_timeout, None).unwrap_or_default();
        let failed = positions.into_iter().zip(removed);
        failed
            .filter_map(|(host, result)| Some((host, result.err()?)))
            .collect()
    }
}

pub(super) fn list_all(
    hosts: &[Member],
    prefix: &str,
    patience: Duration,
    control: &Control,
) -> Result<Answers, StoreError> {
    let tasks = hosts.iter().map(|host| {
        let prefix = prefix.to_owned();
        (host.clone(), move |host: &dyn Host| host.list(&prefix))
    });
    Ok(ask(tasks, "list its keys", patience, Some(control))?)
}

/// What hosts that did not answer said instead.
pub(super) fn errors(answers: Answers) -> Vec<HostError> {
    answers.into_iter().filter_map(Result::err).collect()
}

impl From<Cancelled> for StoreError {
    fn from(_: Cancelled) -> Self {
        Self::Cancelled
    }
}
