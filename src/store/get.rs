//! Gets an object back.

use std::sync::Arc;

use super::catalog::Verdict;
use super::error::{Reason, StoreError};
use super::host::HostError;
use super::key::{Key, Kind, Version};
use super::objects::Store;
use super::survey::Survey;
use crate::control::Control;
use crate::decode::{DecodeError, DecodeOptions, GatherError, SourceOutcome, decode};
use crate::format::{Common, StreamId, Totals};
use crate::sink::Sink;

/// What to do where nobody can say which generation is current.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Stale {
    /// Fail.
    #[default]
    Refuse,
    /// Give the newest that can be read; the report says that it may be outdated.
    Allow,
}

/// What a get gave.
#[derive(Debug)]
pub struct GetReport {
    /// Which generation.
    pub version: Version,
    /// What its shares say alike.
    pub common: Arc<Common>,
    /// What it came to.
    pub totals: Totals,
    /// Why a newer one may exist, if one may.
    pub stale: Option<Reason>,
    /// One for each host, in the order given; shares a host has beyond its first follow.
    pub hosts: Vec<HostShare>,
}

/// What a host had of an object.
#[derive(Debug)]
pub struct HostShare {
    /// The host's name.
    pub host: String,
    /// What it had.
    pub state: ShareState,
}

/// What was found of a share. Decoding reads no more than it needs: a share that was not needed was
/// not looked through.
#[derive(Debug)]
pub enum ShareState {
    /// It was used, or opened; here is what was found of it, faults included.
    Read(SourceOutcome),
    /// It could not be opened.
    Failed(HostError),
    /// It says that it is something else than its key does.
    Mislabelled(Key),
    /// The host answered, and has no share of this generation.
    Missing,
    /// The host was silent.
    Silent(HostError),
}

impl HostShare {
    /// Whether something is wrong with the share, or it is not there.
    pub fn is_faulty(&self) -> bool {
        !matches!(&self.state, ShareState::Read(outcome) if outcome.is_good())
    }
}

impl GetReport {
    /// Whether some host lacks its share, or has it damaged.
    pub fn is_degraded(&self) -> bool {
        self.hosts.iter().any(HostShare::is_faulty)
    }
}

impl Store {
    /// Writes the current generation of the object `name` to `output`. The output is finished only if
    /// it is the whole object.
    ///
    /// # Errors
    /// [`StoreError::NotFound`]; [`StoreError::Unknown`] where what is current cannot be read or told;
    /// [`StoreError::Decode`].
    pub fn get(
        &self,
        name: &[u8],
        output: Box<dyn Sink>,
        control: &Control,
    ) -> Result<GetReport, StoreError> {
        let survey = self.settled_survey(&Key::prefix(name)?, control)?;
        let (generation, doubt) = match self.verdict(&survey.catalog, name) {
            Verdict::Current(generation) => (generation, None),
            Verdict::Absent => {
                return Err(StoreError::NotFound {
                    name: name.to_vec(),
                });
            }
            Verdict::Unknown {
                reason,
                stale: Some(generation),
            } if self.takes_stale() => (generation, Some(Reason::new(reason, self.min_shares))),
            Verdict::Unknown { reason, stale } => {
                return Err(self.unknown(name, reason, stale, survey.answers, &survey.catalog));
            }
        };
        let version = generation.version;

        let mut states: Vec<(usize, ShareState)> = Vec::new();
        let mut sources = Vec::new();
        let mut holders = Vec::new();
        for ((host, key), claim) in generation
            .holders
            .iter()
            .zip(self.look(generation, control)?)
        {
            match claim {
                Err(error) => states.push((*host, ShareState::Failed(error))),
                Ok(claim) if claim.contradicts() => {
                    states.push((*host, ShareState::Mislabelled(key.clone())));
                }
                Ok(_) => {
                    sources.push(self.hosts[*host].source(key));
                    holders.push(*host);
                }
            }
        }
        let options = DecodeOptions {
            stream: Some(StreamId(version.id)),
            ..self.options.decode.clone()
        };
        let report = match decode(sources, output, &options, control) {
            Ok(report) => report,
            Err(DecodeError::Gather(GatherError::Cancelled)) => return Err(StoreError::Cancelled),
            Err(source) => {
                let unopened = states.into_iter().filter_map(|(_, state)| match state {
                    ShareState::Failed(error) => Some(error),
                    _ => None,
                });
                return Err(StoreError::Decode {
                    name: name.to_vec(),
                    source: source.into(),
                    hosts: survey.errors().into_iter().chain(unopened).collect(),
                });
            }
        };
        let read = report.sources.into_iter().map(ShareState::Read);
        states.extend(holders.into_iter().zip(read));
        Ok(GetReport {
            version,
            common: report.common,
            totals: report.totals,
            stale: doubt,
            hosts: self.by_host(survey, states),
        })
    }

    /// What each host had, those without a share included.
    fn by_host(&self, survey: Survey, mut states: Vec<(usize, ShareState)>) -> Vec<HostShare> {
        for (host, answer) in survey.answers.into_iter().enumerate() {
            if !states.iter().any(|(holder, _)| *holder == host) {
                let state = answer.map_or_else(ShareState::Silent, |_| ShareState::Missing);
                states.push((host, state));
            }
        }
        states.sort_by_key(|(host, _)| *host);
        let name = |(host, state): (usize, ShareState)| HostShare {
            host: self.hosts[host].name(),
            state,
        };
        states.into_iter().map(name).collect()
    }
}

impl ShareState {
    /// Index of the share, where one was found.
    pub fn index(&self) -> Option<usize> {
        match self {
            Self::Read(outcome) => outcome.index,
            Self::Mislabelled(key) => match key.kind() {
                Kind::Share { index, .. } => Some(index),
                Kind::Marker { .. } => None,
            },
            Self::Failed(_) | Self::Missing | Self::Silent(_) => None,
        }
    }
}
