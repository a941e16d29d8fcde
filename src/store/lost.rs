//! What may have been lost: objects of which whole shares are there, and too few.
//!
//! No share is completed before `min_shares` hosts have all of theirs, and none is listed before it is
//! complete. So where one is listed and the others are not, they were there, nearly always. But a writer
//! that is killed while it ends leaves the same.

use super::catalog::{Catalog, Generation, Rules, Standing, Verdict, What};
use super::key::Version;
use super::objects::Store;
use crate::catalogue::catalogue;
use crate::quote::quote;

/// A stream of which a whole share is there, and which can neither be read nor have been committed by what
/// the hosts say. It is in no list.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{} {} may have been lost, or its writer was stopped as it ended: {} of its {n} shares are seen ({}), \
     too few to read it",
    if *has_older { "the newest generation of object" } else { "object" },
    quote(name),
    hosts.len(),
    hosts.join(", ")
)]
pub struct Lost {
    /// The object's name.
    pub name: Vec<u8>,
    /// Which generation of it.
    pub version: Version,
    /// Whether an older one is read in its place.
    pub has_older: bool,
    /// Hosts that have a share of it.
    pub hosts: Vec<String>,
    /// Shares it was to have.
    pub n: usize,
}

catalogue! {
    Lost {
        Self { .. } => "object-lost":
            "It cannot be restored, nor can a backup that needs it. What is left of it is kept. Where its backup was stopped before it ended, nothing is lost."
            "Bring back hosts or disks that had its shares. If there are none, make a full backup (distdup backup SRC -- full), and remove what is left of it: distdup cleanup HOSTS --lost --force";
    }
}

impl Catalog {
    /// Streams that were passed over on the way to what is current, newest first.
    pub fn passed_over<'a>(
        &'a self,
        name: &[u8],
        rules: Rules<'a>,
    ) -> impl Iterator<Item = &'a Generation> {
        let standing = move |one: &Generation| one.standing(rules.min_shares);
        let settles = move |one: &Generation| match one.what {
            What::Stream(_) => one.is_readable(rules),
            What::Deletion { .. } => standing(one) == Standing::Committed,
        };
        let newest = self.generations(name).iter();
        newest
            .take_while(move |one| !settles(one))
            .filter(move |one| {
                matches!(one.what, What::Stream(_)) && standing(one) == Standing::Uncommitted
            })
    }
}

impl Store {
    /// All that may have been lost, in order of names.
    pub(super) fn lost(&self, catalog: &Catalog) -> Vec<Lost> {
        let recovers = |shape, indices: &[usize]| self.recovers(shape, indices);
        let rules = Rules {
            min_shares: self.min_shares,
            recovers: &recovers,
        };
        let lost = |name: &[u8], one: &Generation| Lost {
            name: name.to_vec(),
            version: one.version,
            has_older: matches!(catalog.verdict(name, rules), Verdict::Current(_)),
            hosts: one.hosts().map(|host| self.hosts[host].name()).collect(),
            n: one.what.rule().0,
        };
        let names = catalog.names();
        names
            .flat_map(|name| {
                let passed_over = catalog.passed_over(name, rules);
                passed_over.map(move |one| lost(name, one))
            })
            .collect()
    }
}
