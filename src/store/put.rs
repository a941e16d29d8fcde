//! Puts an object: n shares on n hosts, and the older generations away once it is committed.

use std::io;

use super::error::StoreError;
use super::host::HostError;
use super::key::{Key, Kind, Shape, Version};
use super::objects::Store;
use super::survey::Survey;
use crate::catalogue::catalogue;
use crate::control::Control;
use crate::encode::{EncodeError, EncodeOptions, SinkFailure, SinkOutcome, encode};
use crate::input::{Input, Promised};
use crate::sink::{Sink, Unavailable};

/// What a put left behind: an object that at least `min_shares` hosts have.
#[derive(Debug)]
pub struct PutReport {
    /// Which generation it is.
    pub version: Version,
    /// Bytes of the object.
    pub length: u64,
    /// One for each of the n shares, in the order of the hosts; then those that were not given.
    pub hosts: Vec<HostOutcome>,
}

/// What became of one host in a put or delete.
#[derive(Debug)]
pub struct HostOutcome {
    /// The host's name.
    pub host: String,
    /// Bytes that it took.
    pub bytes: u64,
    /// Why it does not have its share or marker, if it does not.
    pub failure: Option<HostFailure>,
    /// Why it still has older generations or pieces, if it does. They do no harm but take room.
    pub not_removed: Option<HostError>,
}

/// Why a host does not have its share or marker.
#[derive(Debug, thiserror::Error)]
pub enum HostFailure {
    /// The store was opened without it.
    #[error("it was not named")]
    NotGiven,
    /// It was silent from the start, or would not take a marker.
    #[error(transparent)]
    Host(#[from] HostError),
    /// What it had taken was not what it gave when it was read back.
    #[error("what was written is not what is there")]
    ReadBack,
    /// It failed while it was written to.
    #[error(transparent)]
    Sink(#[from] SinkFailure),
}

catalogue! {
    HostFailure {
        Self::NotGiven => "host-not-named":
            "The host has no share of what was written; the others have theirs."
            "Name it, and give it what it lacks: distdup heal HOSTS";
        Self::ReadBack => "host-read-back-differs":
            "The host did not keep what was written to it. It counts as having no share."
            "Test its disk, and write the share again: distdup heal HOSTS";
    }
    passing {
        Self::Host(error) => error;
        Self::Sink(error) => error;
    }
}

impl PutReport {
    /// Whether some host lacks its share.
    pub fn is_degraded(&self) -> bool {
        self.hosts.iter().any(|host| host.failure.is_some())
    }
}

impl Store {
    /// Stores `input` as the object `name`, in place of what is there. If `size` is given, an input of
    /// another length fails. Committed when `min_shares` hosts have complete shares; until then, and
    /// if it fails, the object is what it was before.
    ///
    /// # Errors
    /// [`StoreError::TooFewUp`] before anything is read; [`StoreError::Encode`].
    pub fn put(
        &self,
        name: &[u8],
        input: Box<dyn Input>,
        size: Option<u64>,
        control: &Control,
    ) -> Result<PutReport, StoreError> {
        let survey = self.survey_for_writing(name, control)?;
        let identity = survey.successor(name)?;
        let version = Version {
            generation: identity.generation,
            id: identity.stream.0,
        };
        let shape = self.shape();
        let keys = (0..shape.n)
            .map(|index| Key::new(name, version, Kind::Share { index, shape }))
            .collect::<Result<Vec<_>, _>>()?;
        let sinks = keys
            .iter()
            .enumerate()
            .map(|(index, key)| self.sink(&survey, index, key));
        let options = EncodeOptions {
            identity: Some(identity),
            min_shares: Some(self.min_shares),
            ..self.options.encode.clone()
        };
        let input: Box<dyn Input> = match size {
            Some(size) => Box::new(Promised::new(input, size)),
            None => input,
        };

        let report = match encode(input, sinks.collect(), &options, control) {
            Ok(report) => report,
            Err(source) => {
                let written = survey
                    .up()
                    .into_iter()
                    .map(|host| (host, vec![keys[host].clone()]));
                let remains = self.remove(written.collect());
                let remains = remains.into_iter().map(|(_, error)| error).collect();
                if matches!(source, EncodeError::Cancelled) {
                    return Err(StoreError::Cancelled);
                }
                return Err(StoreError::Encode {
                    name: name.to_vec(),
                    source: source.into(),
                    remains,
                });
            }
        };
        Ok(self.settle(
            name,
            version,
            &keys,
            survey,
            report.totals.length,
            report.sinks,
        ))
    }

    /// After the commit: takes away what is older, and pieces where a share failed.
    fn settle(
        &self,
        name: &[u8],
        version: Version,
        keys: &[Key],
        survey: Survey,
        length: u64,
        sinks: Vec<SinkOutcome>,
    ) -> PutReport {
        let mut unwanted = survey.older_than(name, version);
        for host in survey
            .up()
            .into_iter()
            .filter(|&host| sinks[host].failure.is_some())
        {
            unwanted.push((host, vec![keys[host].clone()]));
        }
        let not_removed = self.remove(unwanted);
        let mut answers: Vec<_> = survey.answers.into_iter().map(Result::err).collect();
        let mut hosts: Vec<_> = sinks
            .into_iter()
            .enumerate()
            .map(|(index, sink)| {
                let silent = answers
                    .get_mut(index)
                    .and_then(Option::take)
                    .map(HostFailure::Host);
                let given = self.hosts.get(index);
                let not_given = given.is_none().then_some(HostFailure::NotGiven);
                HostOutcome {
                    host: given.map_or(sink.name, |host| host.name()),
                    bytes: sink.bytes,
                    failure: silent.or(not_given).or(sink.failure.map(HostFailure::Sink)),
                    not_removed: None,
                }
            })
            .collect();
        for (host, error) in not_removed {
            hosts[host].not_removed = Some(error);
        }
        PutReport {
            version,
            length,
            hosts,
        }
    }

    /// What is there of an object, if enough hosts are up to write another generation.
    pub(super) fn survey_for_writing(
        &self,
        name: &[u8],
        control: &Control,
    ) -> Result<Survey, StoreError> {
        self.may_be_written()?;
        let survey = self.survey_of_members(&Key::prefix(name)?, control)?;
        let up = survey.up().len();
        if up < self.min_shares {
            let Shape { n, min_shares, .. } = self.shape();
            return Err(StoreError::TooFewUp {
                up,
                min_shares,
                n,
                hosts: survey.errors(),
            });
        }
        Ok(survey)
    }

    /// What may be stale is no ground to write, or to delete.
    pub(super) fn may_be_written(&self) -> Result<(), StoreError> {
        if self.takes_stale() {
            return Err(StoreError::ForReading);
        }
        Ok(())
    }

    fn sink(&self, survey: &Survey, index: usize, key: &Key) -> Box<dyn Sink> {
        let name = match (self.hosts.get(index), survey.answers.get(index)) {
            (Some(host), Some(Ok(_))) => return host.sink(key),
            (Some(host), _) => host.name(),
            (None, _) => format!("host {} of {}", index + 1, self.shape().n),
        };
        // One that did not answer, so that nobody waits for it again.
        let error = io::ErrorKind::NotConnected.into();
        Box::new(Unavailable { name, error })
    }
}
