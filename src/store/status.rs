//! What each host of a store has, and lacks.

use super::catalog::{Generation, Verdict};
use super::error::StoreError;
use super::host::HostError;
use super::lost::Lost;
use super::objects::{ObjectEntry, Store};
use super::survey::Survey;
use crate::control::Control;

/// A store, and what each of its hosts has of it.
#[derive(Debug)]
pub struct Status {
    /// Every name that is or may be committed, in order of its bytes.
    pub objects: Vec<ObjectEntry>,
    /// As in [`List`](super::List).
    pub lost: Vec<Lost>,
    /// Each host's name, in the order given, and what it has or why it does not say.
    pub hosts: Vec<(String, Result<Holdings, HostError>)>,
    /// As in [`List`](super::List).
    pub may_fall_silent: usize,
    /// As in [`List`](super::List).
    pub strangers: Vec<(String, String)>,
    /// That the hosts are of different stores, and nobody can say which is meant: readers take them all.
    pub different: Option<StoreError>,
}

impl Status {
    /// Why hosts do not say what they have.
    pub fn silent(&self) -> impl Iterator<Item = &HostError> {
        let answers = self.hosts.iter();
        answers.filter_map(|(_, answer)| answer.as_ref().err())
    }
}

/// What a host has, as far as keys tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Holdings {
    /// Objects of whose current generation it has a share.
    pub has: usize,
    /// Objects of whose current generation it has none.
    pub lacks: usize,
    /// Whether it took the place of a lost host and was not completed since: so that nobody knows what
    /// that one had.
    pub is_replacement: bool,
}

impl Store {
    /// What each host has.
    ///
    /// # Errors
    /// As of [`list`](Self::list).
    pub fn status(&self, control: &Control) -> Result<Status, StoreError> {
        let survey = self.survey_for_list(control)?;
        let Survey { answers, catalog } = survey;
        let different = self.are_of_one(&answers).err();
        let objects = self.entries(&catalog);
        let current: Vec<&Generation> = objects
            .iter()
            .filter_map(|object| match self.verdict(&catalog, &object.name) {
                Verdict::Current(generation) => Some(generation),
                Verdict::Unknown { stale, .. } => stale,
                Verdict::Absent => None,
            })
            .collect();
        let holdings = |host: usize, since: u64| {
            let holds = |one: &&&Generation| one.holders.iter().any(|(holder, _)| *holder == host);
            let has = current.iter().filter(holds).count();
            Holdings {
                has,
                lacks: objects.len() - has,
                is_replacement: since > 0,
            }
        };
        let hosts = answers.into_iter().enumerate().map(|(host, answer)| {
            let holdings = answer.map(|listing| holdings(host, listing.stamp.since));
            (self.hosts[host].name(), holdings)
        });
        let hosts = hosts.collect();
        Ok(Status {
            objects,
            lost: self.lost(&catalog),
            hosts,
            may_fall_silent: self.may_fall_silent(&catalog),
            strangers: self.strangers(&catalog),
            different,
        })
    }
}
