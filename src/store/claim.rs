//! What shares say of themselves: the key is only what a listing goes by, and the header decides.

use std::time::Duration;

use super::ask::{Cancelled, Member, ask};
use super::catalog::{Generation, What};
use super::error::StoreError;
use super::host::{Host, HostError};
use super::key::{Key, Kind, Shape, Version};
use super::objects::Store;
use crate::control::Control;
use crate::format::Common;
use crate::format::scan::OpenShare;

/// What a share says of itself.
#[derive(Debug)]
pub(super) struct Claim {
    /// What it shares with the others; `None` if neither header nor trailer can be read.
    pub(super) common: Option<Common>,
    /// Whether that agrees with its key. A share that says nothing does not disagree, but does not
    /// agree either.
    pub(super) agrees: bool,
    /// Bytes of the stream, if the share is complete.
    pub(super) length: Option<u64>,
}

impl Claim {
    /// Whether it says that it is something else than its key does.
    pub(super) fn contradicts(&self) -> bool {
        self.common.is_some() && !self.agrees
    }
}

impl Store {
    /// What each share of a generation says of itself, in the order of its holders.
    pub(super) fn look(
        &self,
        generation: &Generation,
        control: &Control,
    ) -> Result<Vec<Result<Claim, HostError>>, StoreError> {
        debug_assert!(matches!(generation.what, What::Stream(_)));
        let holders = generation.holders.iter();
        let shares = holders.map(|(host, key)| (self.hosts[*host].clone(), key.clone()));
        Ok(look(shares.collect(), self.options.host_timeout, control)?)
    }
}

/// Opens shares, all at once.
pub(super) fn look(
    shares: Vec<(Member, Key)>,
    patience: Duration,
    control: &Control,
) -> Result<Vec<Result<Claim, HostError>>, Cancelled> {
    const ACTION: &str = "open a share";
    let tasks = shares.into_iter().map(|(host, key)| {
        let task = move |host: &dyn Host| {
            let opened = host.source(&key).open().and_then(OpenShare::open);
            let share = opened.map_err(|error| HostError::from_io(host, ACTION, error))?;
            let agrees = share
                .claims()
                .is_some_and(|(common, index)| is_of(common, index, &key));
            let common = share.claims().map(|(common, _)| common.clone());
            let ending = share.ending.filter(|ending| {
                ending.in_place() && is_of(&ending.trailer.common, ending.trailer.index, &key)
            });
            Ok(Claim {
                common,
                agrees,
                length: ending.map(|ending| ending.trailer.totals.length),
            })
        };
        (host, task)
    });
    ask(tasks, ACTION, patience, Some(control))
}

/// Whether a share that says this of itself belongs under that key.
fn is_of(common: &Common, index: usize, key: &Key) -> bool {
    let identity = common.identity();
    let geometry = common.geometry();
    let shape = Shape {
        k: geometry.k(),
        n: geometry.n(),
        min_shares: common.min_shares(),
    };
    key.kind() == Kind::Share { index, shape }
        && key.version()
            == Version {
                generation: identity.generation,
                id: identity.stream.0,
            }
        && identity.name.as_deref() == Some(key.name())
}
