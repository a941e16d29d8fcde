//! Deletes an object, so that it does not come back with a host that was down.

use std::io::{self, Write};

use super::ask::ask;
use super::error::StoreError;
use super::host::{Host, HostError};
use super::key::{Key, Kind, Shape, Version};
use super::marker::Marker;
use super::objects::Store;
use super::put::{HostFailure, HostOutcome};
use crate::control::Control;

const ACTION: &str = "take a deletion marker";

/// What a delete left behind.
#[derive(Debug)]
pub struct DeleteReport {
    /// Which generation the deletion is.
    pub version: Version,
    /// One for each host, in the order given.
    pub hosts: Vec<HostOutcome>,
    /// Whether all n hosts confirmed that nothing is left, so that the markers are gone, too. If not,
    /// they stay until a later delete or clean-up finds all hosts up.
    pub swept: bool,
}

impl DeleteReport {
    /// Whether some host lacks the marker, or could not remove what it had.
    pub fn is_degraded(&self) -> bool {
        self.hosts
            .iter()
            .any(|host| host.failure.is_some() || host.not_removed.is_some())
    }
}

impl Store {
    /// Deletes the object `name`: commits a deletion as its newest generation, and then removes
    /// what is older.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] where nothing is seen of it and nothing can be unseen;
    /// [`StoreError::TooFewUp`]; [`StoreError::NotDeleted`].
    pub fn delete(&self, name: &[u8], control: &Control) -> Result<DeleteReport, StoreError> {
        let survey = self.survey_for_writing(name, control)?;
        if survey.catalog.generations(name).is_empty()
            && survey.catalog.silent_after(0) < self.min_shares
        {
            return Err(StoreError::NotFound {
                name: name.to_vec(),
            });
        }
        let identity = survey.successor(name)?;
        let version = Version {
            generation: identity.generation,
            id: identity.stream.0,
        };
        let Shape { n, min_shares, .. } = self.shape();
        let key = Key::new(name, version, Kind::Marker { n, min_shares })?;
        let marker = Marker {
            key: key.clone(),
            time: identity.time,
        };
        let bytes = marker.encode().expect("the key is a marker's");

        let up = survey.up();
        let written = ask(
            up.iter().map(|&host| {
                let (key, bytes) = (key.clone(), bytes.clone());
                let task = move |host: &dyn Host| {
                    write(host, &key, &bytes)
                        .map_err(|error| HostError::from_io(host, ACTION, error))
                };
                (self.hosts[host].clone(), task)
            }),
            ACTION,
            self.options.host_timeout,
            None, // a marker written after those of the others were removed again would be a leftover
        );
        let mut failures: Vec<_> = survey.answers.into_iter().map(Result::err).collect();
        for (&host, result) in up.iter().zip(written.unwrap_or_default()) {
            failures[host] = result.err();
        }
        let took = failures.iter().filter(|failure| failure.is_none()).count();
        if took < self.min_shares {
            let markers = up.iter().map(|&host| (host, vec![key.clone()])).collect();
            let remains = self.remove(markers).into_iter().map(|(_, error)| error);
            let hosts = failures.into_iter().flatten().chain(remains).collect();
            return Err(StoreError::NotDeleted {
                name: name.to_vec(),
                took,
                min_shares,
                hosts,
            });
        }

        let mut hosts: Vec<_> = self
            .hosts
            .iter()
            .zip(failures)
            .map(|(host, failure)| HostOutcome {
                host: host.name(),
                bytes: if failure.is_none() {
                    bytes.len() as u64
                } else {
                    0
                },
                failure: failure.map(HostFailure::Host),
                not_removed: None,
            })
            .collect();
        let swept = self.sweep(name, version, control, &mut hosts);
        Ok(DeleteReport {
            version,
            hosts,
            swept,
        })
    }

    /// After a deletion was committed: removes what is older, and if all n hosts confirm that nothing
    /// older is left, the markers. Whether they did.
    fn sweep(
        &self,
        name: &[u8],
        version: Version,
        control: &Control,
        hosts: &mut [HostOutcome],
    ) -> bool {
        // Asked again, since a put may have ended in between.
        let Ok(survey) = Key::prefix(name)
            .map_err(StoreError::from)
            .and_then(|prefix| self.survey_of_members(&prefix, control))
        else {
            return false;
        };
        let mut swept = survey.up().len() == self.shape().n;
        for (host, error) in self.remove(survey.older_than(name, version)) {
            hosts[host].not_removed = Some(error);
            swept = false;
        }
        if swept {
            let markers = survey
                .catalog
                .generations(name)
                .iter()
                .filter(|generation| generation.version == version)
                .flat_map(|generation| &generation.holders)
                .map(|(host, key)| (*host, vec![key.clone()]))
                .collect();
            for (host, error) in self.remove(markers) {
                hosts[host].not_removed = Some(error);
                swept = false;
            }
        }
        // One that fell silent after it took the marker has all that it had.
        for (host, answer) in hosts.iter_mut().zip(survey.answers) {
            if host.failure.is_none() {
                host.not_removed = host.not_removed.take().or(answer.err());
            }
        }
        swept
    }
}

fn write(host: &dyn Host, key: &Key, bytes: &[u8]) -> io::Result<()> {
    let mut writer = host.sink(key).open()?;
    writer.write_all(bytes)?;
    writer.finish()
}
