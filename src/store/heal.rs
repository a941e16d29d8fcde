//! Gives hosts what they lack of an object, from what the others have.

use std::collections::{BTreeMap, BTreeSet};

use super::ask::ask;
use super::catalog::{Doubt, Generation, Verdict, What};
use super::error::StoreError;
use super::host::{Host, HostError, Listing};
use super::key::{Key, Kind, Version};
use super::objects::Store;
use super::put::HostFailure;
use super::survey::Survey;
use crate::control::Control;
use crate::decode::{DecodeError, DecodeOptions, GatherError, SourceFailure};
use crate::format::StreamId;
use crate::repair::{RepairError, RepairOptions, repair};
use crate::verify::{self, verify_within};

/// What was looked at, and what was written, of one object.
#[derive(Debug, Default)]
pub struct HealReport {
    /// Hosts, by position, whose share was damaged, and is whole now or among `failed`.
    pub damaged: Vec<usize>,
    /// Hosts that were given a share, which was then read back and found whole.
    pub written: Vec<usize>,
    /// Hosts that still lack a good share, and why.
    pub failed: Vec<(usize, HostFailure)>,
    /// Hosts that have a good share now, each another one.
    pub whole: Vec<usize>,
}

/// What was done for a whole store.
#[derive(Debug)]
pub struct Healed {
    /// Hosts, by position, that have all there is now.
    pub complete: Vec<usize>,
    /// Of these, hosts that took the place of lost ones, and now count as if they had always been there.
    pub settled: Vec<usize>,
    /// Hosts that did not answer, or could not be settled.
    pub failed: Vec<HostError>,
}

/// By host, the indices of its good shares.
type Good = BTreeMap<usize, BTreeSet<usize>>;

/// By host, that it did not give its share in time.
type Hung = BTreeMap<usize, HostError>;

/// A share that is to be written.
struct Wanted {
    host: usize,
    index: usize,
    key: Key,
    /// Whether it takes the place of a damaged one.
    replaces: bool,
}

impl Store {
    /// [Heals](Self::heal) every object, and tells what became of each. A host that took the place of a
    /// lost one and now has all there is says so from then on.
    ///
    /// # Errors
    /// [`StoreError::TooManySilent`], as for [`list`](Self::list); [`StoreError::ForReading`];
    /// [`StoreError::Cancelled`]. What fails
    /// for one object is told, and the others are healed all the same.
    pub fn heal_all(
        &self,
        control: &Control,
        mut tell: impl FnMut(&[u8], &Result<HealReport, StoreError>),
    ) -> Result<Healed, StoreError> {
        self.may_be_written()?;
        let survey = self.survey_for_list(control)?;
        let mut complete = survey.up();
        for name in survey.catalog.names() {
            let result = self.heal(name, control);
            match &result {
                Err(StoreError::Cancelled) => return Err(StoreError::Cancelled),
                Err(_) => complete.clear(),
                Ok(report) => complete.retain(|host| report.whole.contains(host)),
            }
            tell(name, &result);
        }
        let late = |host: &&usize| matches!(&survey.answers[**host], Ok(Listing { stamp, .. }) if stamp.since > 0);
        let late: Vec<_> = complete.iter().filter(late).copied().collect();
        let tasks = late.iter().map(|&host| {
            let task = |host: &dyn Host| host.settle();
            (self.hosts[host].clone(), task)
        });
        let settled = ask(
            tasks,
            "say that it is complete",
            self.options.host_timeout,
            None,
        );
        let mut failed = survey.errors();
        let mut done = Vec::new();
        for (host, result) in late.into_iter().zip(settled.unwrap_or_default()) {
            match result {
                Ok(()) => done.push(host),
                Err(error) => failed.push(error),
            }
        }
        Ok(Healed {
            complete,
            settled: done,
            failed,
        })
    }

    /// Writes what hosts that are up lack of the object `name`: shares that are missing, and those that
    /// are damaged, for which every share is read through. What was written is read back before it
    /// counts; a damaged share stays until then, and serves as far as it is good. Where two hosts have
    /// the same share, one of them is given another, and only then loses its double. Nothing is written
    /// anywhere but to hosts. A deletion that not all hosts had taken note of is made again; so is one
    /// that nobody can confirm, where nothing older can be read on all n hosts.
    ///
    /// # Errors
    /// [`StoreError::Unknown`], [`StoreError::Heal`] where the object cannot be had;
    /// those of [`delete`](Self::delete).
    pub fn heal(&self, name: &[u8], control: &Control) -> Result<HealReport, StoreError> {
        self.may_be_written()?;
        let survey = self.survey_of_members(&Key::prefix(name)?, control)?;
        let generation = match self.verdict(&survey.catalog, name) {
            Verdict::Current(generation) => generation,
            Verdict::Absent => {
                // Nothing is destroyed on the word of file names alone.
                let deletion = survey.catalog.deletion(name, self.min_shares);
                if let Some(deletion) = deletion
                    && self.is_proven(deletion, control)?
                {
                    return self.delete_again(name, control);
                }
                return Ok(HealReport {
                    whole: survey.up(),
                    ..HealReport::default()
                });
            }
            Verdict::Unknown { reason, stale } => {
                if let Doubt::Unreadable(deletion) = reason
                    && stale.is_none()
                    && self.is_last_word(name, deletion, &survey, control)?
                {
                    return self.delete_again(name, control);
                }
                return Err(self.unknown(name, reason, stale, survey.answers, &survey.catalog));
            }
        };
        let (good, mut hung) = self.good_shares(generation, control)?;
        let mut counted = apart(&good);
        let mut able = survey.up();
        able.retain(|host| !hung.contains_key(host));
        let wanted = wanted(name, &able, generation, &counted)?;
        let mut report = HealReport {
            damaged: wanted
                .iter()
                .filter_map(|one| one.replaces.then_some(one.host))
                .collect(),
            ..HealReport::default()
        };
        if !wanted.is_empty() {
            report.failed = self.write(name, generation, &wanted, &mut hung, control)?;
        }
        let written: Vec<_> = wanted
            .iter()
            .filter(|one| report.failed.iter().all(|(host, _)| *host != one.host))
            .collect();
        let verdicts =
            self.read_through(written.iter().map(|one| (one.host, &one.key)), control)?;
        for (one, verdict) in written.into_iter().zip(verdicts) {
            if verdict.is_whole() {
                report.written.push(one.host);
                counted.insert(one.host, one.index);
            } else if let Some(error) = self.hung(one.host, &verdict) {
                report.failed.push((one.host, error.into()));
            } else {
                if !one.replaces {
                    // It was not there before, and is good for nothing.
                    let _ = self.remove(vec![(one.host, vec![one.key.clone()])]);
                }
                report.failed.push((one.host, HostFailure::ReadBack));
            }
        }
        let hung = hung.into_iter();
        let hung = hung.map(|(host, error)| (host, error.into()));
        report.failed.extend(hung);
        // What cannot be removed takes room, and nothing else; the next one comes upon it again.
        let _ = self.remove(doubles(generation, &good, &counted));
        report.whole = counted.into_keys().collect();
        Ok(report)
    }

    /// The shares that were read through and are whole, and hosts that did not give theirs in time: these
    /// may be as good as any, and count as nothing.
    fn good_shares(
        &self,
        generation: &Generation,
        control: &Control,
    ) -> Result<(Good, Hung), StoreError> {
        let claims = self.look(generation, control)?;
        let (mut good, mut hung) = (Good::new(), Hung::new());
        let mut agreeing = Vec::new();
        for ((host, key), claim) in generation.holders.iter().zip(claims) {
            match claim {
                Ok(claim) if claim.agrees => agreeing.push((*host, key)),
                Err(error @ HostError::Hung { .. }) => {
                    hung.insert(*host, error);
                }
                Ok(_) | Err(_) => {}
            }
        }
        let verdicts = self.read_through(agreeing.iter().copied(), control)?;
        for ((host, key), verdict) in agreeing.into_iter().zip(verdicts) {
            if let Some(error) = self.hung(host, &verdict) {
                hung.insert(host, error);
            } else if let (true, Kind::Share { index, .. }) = (verdict.is_whole(), key.kind()) {
                good.entry(host).or_default().insert(index);
            }
        }
        good.retain(|host, _| !hung.contains_key(host));
        Ok((good, hung))
    }

    /// Reads shares through, side by side.
    fn read_through<'a>(
        &self,
        shares: impl Iterator<Item = (usize, &'a Key)>,
        control: &Control,
    ) -> Result<Vec<verify::Verdict>, StoreError> {
        let sources = shares.map(|(host, key)| self.hosts[host].reading(key));
        let patience = self.options.decode.source_timeout;
        verify_within(sources.collect(), patience, control).map_err(|_| StoreError::Cancelled)
    }

    /// That a host did not go on giving its share, if that is why it was not read through.
    fn hung(&self, host: usize, verdict: &verify::Verdict) -> Option<HostError> {
        let Some(SourceFailure::TimedOut { waited }) = verdict.outcome.failure else {
            return None;
        };
        Some(HostError::Hung {
            host: self.hosts[host].name(),
            action: "give its share",
            seconds: waited.as_secs(),
        })
    }

    /// Writes shares. Says which hosts failed, and why.
    fn write(
        &self,
        name: &[u8],
        generation: &Generation,
        wanted: &[Wanted],
        hung: &mut Hung,
        control: &Control,
    ) -> Result<Vec<(usize, HostFailure)>, StoreError> {
        let holders = generation.holders.iter();
        let sources = holders
            .filter(|(host, _)| !hung.contains_key(host))
            .map(|(host, key)| self.hosts[*host].source(key));
        let Version { id, .. } = generation.version;
        let options = DecodeOptions {
            stream: Some(StreamId(id)),
            ..self.options.decode.clone()
        };
        let options = RepairOptions {
            sink_timeout: self.options.encode.sink_timeout,
            ..options.into()
        };
        let sinks = |_: &_, _| {
            let sink = |one: &Wanted| {
                let host = &self.hosts[one.host];
                let sink = if one.replaces {
                    host.replacement(&one.key)
                } else {
                    host.sink(&one.key)
                };
                (one.index, sink)
            };
            Ok(wanted.iter().map(sink).collect())
        };
        let sinks = match repair(sources.collect(), sinks, &options, control) {
            Ok(report) => report.sinks,
            Err(RepairError::AllFailed { sinks }) => sinks,
            Err(RepairError::Decode(DecodeError::Gather(GatherError::Cancelled))) => {
                return Err(StoreError::Cancelled);
            }
            Err(source) => {
                return Err(StoreError::Heal {
                    name: name.to_vec(),
                    source: source.into(),
                    hosts: std::mem::take(hung).into_values().collect(),
                });
            }
        };
        let outcomes = wanted.iter().zip(sinks);
        Ok(outcomes
            .filter_map(|(one, sink)| Some((one.host, sink.failure?.into())))
            .collect())
    }

    /// Whether a deletion of which nobody can say whether it was committed may be made again, where no
    /// older stream can be read: hosts that had its markers were replaced, and no host will ever tell.
    /// Somebody wanted it deleted, and a good marker says so. All hosts answer, so that all that there is
    /// of older streams is seen, and too little to read any: nothing is lost with it. What is newer may
    /// be the rest of something that nobody wanted deleted.
    fn is_last_word(
        &self,
        name: &[u8],
        deletion: &Generation,
        survey: &Survey,
        control: &Control,
    ) -> Result<bool, StoreError> {
        Ok(matches!(deletion.what, What::Deletion { .. })
            && survey.catalog.generations(name).first() == Some(deletion)
            && survey.up().len() == self.shape().n
            && self.read_markers(deletion, control)? > 0)
    }

    fn delete_again(&self, name: &[u8], control: &Control) -> Result<HealReport, StoreError> {
        let report = self.delete(name, control)?;
        let mut healed = HealReport::default();
        for (host, outcome) in report.hosts.into_iter().enumerate() {
            match outcome.failure {
                Some(failure) => healed.failed.push((host, failure)),
                None => healed.whole.push(host),
            }
        }
        Ok(healed)
    }
}

/// With which of its good shares each host counts, no two with the same: what two hosts have is lost with
/// one of them and the next. A host that has nothing but what others count with is left out.
fn apart(good: &Good) -> BTreeMap<usize, usize> {
    let mut hosts: Vec<_> = good.iter().collect();
    hosts.sort_by_key(|(_, indices)| indices.len()); // those last that have a choice
    let mut counted = BTreeMap::new();
    for (&host, indices) in hosts {
        let is_free = |index: &&usize| !counted.values().any(|taken| taken == *index);
        let free = indices.iter().filter(is_free);
        if let Some(&index) = free.min_by_key(|index| **index != host) {
            counted.insert(host, index);
        }
    }
    counted
}

/// By host, the keys of good shares that another host counts with, where this one counts with another.
fn doubles(
    generation: &Generation,
    good: &Good,
    counted: &BTreeMap<usize, usize>,
) -> Vec<(usize, Vec<Key>)> {
    let is_double = |(host, key): &&(usize, Key)| {
        let Kind::Share { index, .. } = key.kind() else {
            return false;
        };
        let is_good = good.get(host).is_some_and(|good| good.contains(&index));
        is_good
            && counted.get(host).is_some_and(|own| *own != index)
            && counted.values().any(|counted| *counted == index)
    };
    let doubles = generation.holders.iter().filter(is_double);
    doubles
        .map(|(host, key)| (*host, vec![key.clone()]))
        .collect()
}

/// Which share each host that is up is to get: in place of a damaged one, the same; else the one of the
/// host's own position, if that is missing; else any that is.
fn wanted(
    name: &[u8],
    up: &[usize],
    generation: &Generation,
    counted: &BTreeMap<usize, usize>,
) -> Result<Vec<Wanted>, StoreError> {
    let What::Stream(shape) = generation.what else {
        return Ok(Vec::new());
    };
    let mut missing: Vec<usize> = (0..shape.n)
        .filter(|index| !counted.values().any(|counted| counted == index))
        .collect();
    let mut take = |index: usize| {
        let at = missing.iter().position(|missing| *missing == index)?;
        Some(missing.remove(at))
    };
    let mut lacking: Vec<usize> = up.to_vec();
    lacking.retain(|host| !counted.contains_key(host));
    let mut chosen = BTreeMap::new();
    for (host, key) in &generation.holders {
        if let Kind::Share { index, .. } = key.kind()
            && lacking.contains(host)
            && !chosen.contains_key(host)
            && let Some(index) = take(index)
        {
            chosen.insert(*host, (index, true));
        }
    }
    lacking.retain(|host| !chosen.contains_key(host));
    for &host in &lacking {
        if let Some(index) = take(host) {
            chosen.insert(host, (index, false));
        }
    }
    lacking.retain(|host| !chosen.contains_key(host));
    let others = lacking.into_iter().zip(missing);
    chosen.extend(others.map(|(host, index)| (host, (index, false))));
    chosen
        .into_iter()
        .map(|(host, (index, replaces))| {
            let kind = Kind::Share { index, shape };
            let key = Key::new(name, generation.version, kind)?;
            Ok(Wanted {
                host,
                index,
                key,
                replaces,
            })
        })
        .collect()
}
