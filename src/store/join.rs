//! Which of the hosts that were named belong together, so that one named by mistake is not written to.
//!
//! A host that joined a store has that one's id in its stamp. The id that most of those have that answer
//! is the store's, and a host with another counts as silent. No single host can turn others away by what
//! it says of itself, where two others hold against it.
//!
//! Hosts join before the first thing is written, each by one step of its own. A writer that dies in between
//! leaves some without an id, which the next one gives them: to those that are empty, or have generations
//! that the others have, too. An id is made only where all hosts answer, for one that is silent may have
//! one already.

use std::collections::{BTreeMap, BTreeSet};

use super::ask::{Member, ask};
use super::error::StoreError;
use super::host::{Host, HostError, Listing, StoreId};
use super::key::{Key, Version};
use super::objects::Store;
use super::survey::{Answers, list_all};
use crate::control::Control;
use crate::format::digest::Hasher;

/// Hosts that belong together.
struct Party {
    /// Their id, if one of them has it.
    store: Option<StoreId>,
    hosts: Vec<usize>,
    has: BTreeSet<Version>,
}

impl Store {
    /// Gives the store's id to hosts without one that belong to it. Whether any took it. One that cannot
    /// take it is not written to, once `min_shares` others have it.
    ///
    /// # Errors
    /// [`StoreError::DifferentStores`] where nobody can say which of the hosts are meant.
    pub fn join(&self, control: &Control) -> Result<bool, StoreError> {
        let mut answers = list_all(&self.hosts, "", self.options.host_timeout, control)?;
        let listing = |host: usize| answers[host].as_ref().ok();
        let lacks = |host: &usize| listing(*host).is_some_and(|one| one.stamp.store.is_none());
        if !(0..answers.len()).any(|host| lacks(&host)) {
            turn_away(&mut answers, &self.hosts);
            self.only_members(&mut answers)?;
            return Ok(false);
        }
        let Some((store, mut members)) = self.members(&answers)? else {
            return Ok(false);
        };
        members.retain(lacks);
        let tasks = members.iter().map(|&host| {
            let task = move |host: &dyn Host| host.join(store);
            (self.hosts[host].clone(), task)
        });
        let joined = ask(tasks, "join", self.options.host_timeout, None).unwrap_or_default();
        Ok(joined.iter().any(Result::is_ok))
    }

    /// The store's id, which may be made here, and the hosts that are to have it; none where they are too
    /// few, or are taken for those of one store without it, as all were before there were ids.
    fn members(&self, answers: &Answers) -> Result<Option<(StoreId, Vec<usize>)>, StoreError> {
        let all_answer = answers.iter().filter(|one| one.is_ok()).count() == self.shape().n;
        if all_answer {
            let everybody: Vec<_> = (0..answers.len()).collect();
            let theirs = made_of(answers, &everybody);
            if by_store(answers).contains_key(&theirs) {
                return Ok(Some((theirs, everybody))); // It was made of just these.
            }
        }
        let (parties, mut members) = parties(answers);
        if let [first, second, ..] = &parties[..]
            && first.hosts.len() == second.hosts.len()
        {
            if parties.iter().all(|party| party.store.is_none()) {
                return Ok(None);
            }
            return Err(self.different(parties.into_iter().map(|party| party.hosts)));
        }
        let mut store = None;
        if let Some(largest) = parties.into_iter().next() {
            members.extend(largest.hosts);
            store = largest.store;
        }
        if members.len() < self.min_shares || store.is_none() && !all_answer {
            return Ok(None);
        }
        let store = store.unwrap_or_else(|| made_of(answers, &members));
        Ok(Some((store, members)))
    }

    /// Whether a place with these keys is one of the store's: whether the hosts that answer show a stream
    /// of which it has something.
    ///
    /// # Errors
    /// [`StoreError::SameHost`], [`StoreError::Cancelled`].
    pub fn is_related(&self, keys: &[Key], control: &Control) -> Result<bool, StoreError> {
        let has: BTreeSet<_> = keys.iter().map(Key::version).collect();
        let survey = self.survey("", control)?;
        let mut streams = survey.catalog.streams();
        Ok(streams.any(|stream| has.contains(&stream.version)))
    }

    /// That the hosts are of stores of which none is the one.
    fn different(&self, stores: impl Iterator<Item = Vec<usize>>) -> StoreError {
        let mut stores: Vec<_> = stores.collect();
        stores.sort_unstable();
        let name = |host: usize| self.hosts[host].name();
        let names = |hosts: Vec<usize>| hosts.into_iter().map(name).collect();
        StoreError::DifferentStores {
            stores: stores.into_iter().map(names).collect(),
        }
    }

    /// That hosts which were not turned away have no two ids.
    ///
    /// # Errors
    /// [`StoreError::DifferentStores`].
    pub(super) fn are_of_one(&self, answers: &Answers) -> Result<(), StoreError> {
        let by_store = by_store(answers);
        if by_store.len() > 1 {
            return Err(self.different(by_store.into_values()));
        }
        Ok(())
    }

    /// Turns away what must not be written to: hosts without an id, where enough have it.
    ///
    /// # Errors
    /// [`StoreError::DifferentStores`].
    pub(super) fn only_members(&self, answers: &mut Answers) -> Result<(), StoreError> {
        self.are_of_one(answers)?;
        if by_store(answers)
            .values()
            .any(|hosts| hosts.len() >= self.min_shares)
        {
            for (answer, host) in answers.iter_mut().zip(&self.hosts) {
                if answer.as_ref().is_ok_and(|one| one.stamp.store.is_none()) {
                    *answer = Err(HostError::NotJoined { host: host.name() });
                }
            }
        }
        Ok(())
    }
}

/// Turns hosts away that have another id than most.
pub(super) fn turn_away(answers: &mut Answers, hosts: &[Member]) {
    let by_store = by_store(answers);
    let most = by_store.values().map(Vec::len).max();
    let mut largest = by_store.iter().filter(|(_, of)| Some(of.len()) == most);
    let (Some((store, _)), None) = (largest.next(), largest.next()) else {
        return; // None has an id, or nobody can say which is right.
    };
    for (answer, host) in answers.iter_mut().zip(hosts) {
        let of = answer.as_ref().ok().and_then(|one| one.stamp.store);
        if of.is_some_and(|of| of != *store) {
            *answer = Err(HostError::OfAnother { host: host.name() });
        }
    }
}

/// The id of a store that these hosts make: of their own, so that two writers that do not see each other
/// come to the same.
fn made_of(answers: &Answers, hosts: &[usize]) -> StoreId {
    let ids = hosts
        .iter()
        .filter_map(|&host| Some(answers[host].as_ref().ok()?.stamp.id));
    let ids: BTreeSet<_> = ids.collect();
    let hasher = ids.iter().fold(Hasher::new(), |hasher, id| hasher.with(id));
    *hasher.finish().as_bytes()
}

/// The hosts of each store.
fn by_store(answers: &Answers) -> BTreeMap<StoreId, Vec<usize>> {
    let mut stores: BTreeMap<_, Vec<usize>> = BTreeMap::new();
    for (host, answer) in answers.iter().enumerate() {
        if let Ok(Listing { stamp, .. }) = answer
            && let Some(store) = stamp.store
        {
            stores.entry(store).or_default().push(host);
        }
    }
    stores
}

/// The hosts that belong together, most of them first; and those that may belong to any, since they have
/// neither an id nor a key.
fn parties(answers: &Answers) -> (Vec<Party>, Vec<usize>) {
    let versions = |host: usize| {
        let listing = answers[host].as_ref().ok();
        let keys = listing.into_iter().flat_map(|listing| &listing.keys);
        keys.filter_map(|text| Some(Key::parse(text)?.version()))
    };
    let mut parties: Vec<_> = by_store(answers)
        .into_iter()
        .map(|(store, hosts)| Party {
            store: Some(store),
            has: hosts.iter().copied().flat_map(versions).collect(),
            hosts,
        })
        .collect();
    largest_first(&mut parties);
    let mut free = Vec::new();
    for (host, answer) in answers.iter().enumerate() {
        if !answer.as_ref().is_ok_and(|one| one.stamp.store.is_none()) {
            continue;
        }
        let has: BTreeSet<_> = versions(host).collect();
        if has.is_empty() {
            free.push(host);
            continue;
        }
        parties.push(Party {
            store: None,
            hosts: vec![host],
            has,
        });
    }
    // Those without an id go with whom they have something in common.
    let related = |parties: &[Party]| {
        let pairs =
            (0..parties.len()).flat_map(|one| (one + 1..parties.len()).map(move |two| (one, two)));
        let mut pairs = pairs.filter(|(_, two)| parties[*two].store.is_none());
        pairs.find(|(one, two)| !parties[*one].has.is_disjoint(&parties[*two].has))
    };
    while let Some((one, two)) = related(&parties) {
        let Party { hosts, has, .. } = parties.remove(two);
        parties[one].hosts.extend(hosts);
        parties[one].has.extend(has);
    }
    largest_first(&mut parties);
    (parties, free)
}

fn largest_first(parties: &mut [Party]) {
    parties.sort_by_key(|party| std::cmp::Reverse(party.hosts.len()));
}
