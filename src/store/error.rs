//! Why an operation on the store failed.

use std::io;

use super::catalog::Doubt;
use super::host::HostError;
use super::key::{NameError, Version};
use super::suffice::Suffice;
use crate::catalogue::catalogue;
use crate::decode::DecodeError;
use crate::encode::EncodeError;
use crate::quote::quote;
use crate::repair::RepairError;

/// Why an operation on the store failed. Messages leave causes to `source`; hosts that were silent
/// stand in `hosts`.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// Each share needs a host of its own, and no host more than one.
    #[error("{found} hosts for the {n} shares of an object")]
    HostCount {
        /// Hosts that were given.
        found: usize,
        /// Shares there are.
        n: usize,
    },
    /// Fewer than the data can be had from, or more than there are.
    #[error("min_shares is {found}, expected {least} to {most}")]
    MinShares {
        /// What was asked for.
        found: usize,
        /// Data shards.
        least: usize,
        /// All shards.
        most: usize,
    },
    /// One host by two names would hold two shares and be lost as one.
    #[error("{first} and {second} are the same host, or one is a copy of the other")]
    SameHost {
        /// The first.
        first: String,
        /// The second.
        second: String,
    },
    /// Hosts of several stores, of which none has the most.
    #[error(
        "the hosts are of different backups: {}",
        stores.iter().map(|hosts| hosts.join(", ")).collect::<Vec<_>>().join(" of one, ") + " of another"
    )]
    DifferentStores {
        /// The hosts of each.
        stores: Vec<Vec<String>>,
    },
    /// Not a name that can be stored.
    #[error(transparent)]
    Name(#[from] NameError),
    /// Too few hosts to commit anything; nothing was written.
    #[error("{up} of {n} hosts are up, and at least {min_shares} must take everything")]
    TooFewUp {
        /// Hosts that answered.
        up: usize,
        /// The rule.
        min_shares: usize,
        /// Hosts there should be.
        n: usize,
        /// What became of the others.
        hosts: Vec<HostError>,
    },
    /// Too many hosts are silent to tell what there is.
    #[error(
        "{silent} of {n} hosts are silent, or were made after the store; objects committed by \
         {min_shares} hosts could be on these alone, so any list would be a guess; {suffice}"
    )]
    TooManySilent {
        /// Hosts that are, of which nobody knows what they have or had.
        silent: usize,
        /// The rule.
        min_shares: usize,
        /// Hosts there should be.
        n: usize,
        /// Whether anything can be read from those that answer.
        readable: bool,
        /// Which of the silent ones would be enough.
        suffice: Box<Suffice>,
        /// What became of those that did not answer.
        hosts: Vec<HostError>,
    },
    /// There is no such object.
    #[error("there is no object {}", quote(name))]
    NotFound {
        /// Its name.
        name: Vec<u8>,
    },
    /// Nobody can say what is current under the name.
    #[error(
        "cannot tell what is current of object {}: {reason}; {suffice}",
        quote(name)
    )]
    Unknown {
        /// The object's name.
        name: Vec<u8>,
        /// Why not.
        reason: Reason,
        /// Which of the silent hosts would be enough to read it.
        suffice: Box<Suffice>,
        /// What became of the hosts that did not answer.
        hosts: Vec<HostError>,
    },
    /// The stream could not be encoded and stored; the object is as it was before.
    #[error("object {} was not stored", quote(name))]
    Encode {
        /// The object's name.
        name: Vec<u8>,
        /// Why not.
        source: Box<EncodeError>,
        /// Hosts on which what had been written could not be removed. It is too little to count.
        remains: Vec<HostError>,
    },
    /// The object's shares are there, but cannot be decoded.
    #[error("object {} cannot be read", quote(name))]
    Decode {
        /// The object's name.
        name: Vec<u8>,
        /// Why not.
        source: Box<DecodeError>,
        /// What became of the hosts that did not answer.
        hosts: Vec<HostError>,
    },
    /// What hosts lack of the object could not be rebuilt.
    #[error("object {} cannot be healed", quote(name))]
    Heal {
        /// Its name.
        name: Vec<u8>,
        /// Why not.
        source: Box<RepairError>,
        /// What became of the hosts that did not give their shares in time.
        hosts: Vec<HostError>,
    },
    /// The object is there, and those of its shares that would tell about it cannot be opened.
    #[error("the shares of object {} cannot be opened", quote(name))]
    Unopened {
        /// The object's name.
        name: Vec<u8>,
        /// Why not, host by host.
        hosts: Vec<HostError>,
    },
    /// It was opened to read what may be stale.
    #[error("the store was opened to read what may be stale, and is not written to")]
    ForReading,
    /// Too few hosts took the deletion marker; the object is still there.
    #[error(
        "object {} was not deleted: {took} hosts took note, and at least {min_shares} must",
        quote(name)
    )]
    NotDeleted {
        /// The object's name.
        name: Vec<u8>,
        /// Hosts that took the marker.
        took: usize,
        /// The rule.
        min_shares: usize,
        /// What became of the others, and of markers that could not be removed again.
        hosts: Vec<HostError>,
    },
    /// A key with a generation that nothing can be newer than: no store writes such.
    #[error(
        "the generation of object {} is {generation}, and has no successor",
        quote(name)
    )]
    NoSuccessor {
        /// The object's name.
        name: Vec<u8>,
        /// The generation.
        generation: u64,
    },
    /// No random bytes.
    #[error("the system gave no random bytes")]
    Random(#[source] io::Error),
    /// Asked to stop.
    #[error("stopped before the end")]
    Cancelled,
}

catalogue! {
    StoreError {
        Self::HostCount { .. } => "hosts-count":
            "Nothing was read or written."
            "Give each share a host of its own: as many hosts as -n says.";
        Self::MinShares { .. } => "hosts-min-shares":
            "Nothing was read or written."
            "Give a min_shares between the two.";
        Self::SameHost { .. } => "hosts-same":
            "Nothing was written: two shares on one host would be lost together."
            "Name another host in place of one of the two; of a copied one, empty the copy.";
        Self::DifferentStores { .. } => "hosts-of-different-backups":
            "Nothing was written, and what was stored before is as it was."
            "Name the hosts of one backup; bring those of it back that are down.";
        Self::TooFewUp { .. } => "hosts-too-few":
            "Nothing was written, and what was stored before is as it was."
            "Bring hosts back, and run the same command again; which are down says distdup status HOSTS";
        Self::TooManySilent { readable: false, .. } => "hosts-too-few-to-read":
            "Nothing was changed. From the hosts that answer nothing can be read, not even what is old."
            "Bring hosts back that are named (mount them, or say by -o or --from where they are now). What they had is lost if they are: back up anew, to new hosts.";
        Self::TooManySilent { .. } => "hosts-too-many-silent":
            "Nothing was changed. What is stored may be older than what the silent hosts have."
            "Bring hosts back that are named (mount them, or say by -o or --from where they are now); if they are lost for good, take the newest that is left, by distdup restore DEST --from HOST --from HOST --allow-stale, and back it up to new hosts.";
        Self::NotFound { .. } => "object-not-found":
            "Nothing is stored under that name; what is stored is as it was."
            "Look what there is: distdup status HOSTS";
        Self::Unknown { .. } => "object-unknown":
            "Nothing was changed. What can be read may be older than what the silent hosts have."
            "Bring hosts back that are named (mount them, or say by -o or --from where they are now); if they are lost for good, take the newest that is left, by distdup restore DEST --from HOST --from HOST --allow-stale, and back it up to new hosts.";
        Self::Unopened { .. } => "object-not-opened":
            "The object is stored, and could not be read now; it is as it was."
            "Mend what the hosts are said to lack (permissions, a disk), and run the same command again.";
        Self::ForReading => "store-for-reading":
            "Nothing was written."
            "Write without --allow-stale, once the hosts are back.";
        Self::NotDeleted { .. } => "object-not-deleted":
            "The object is as it was; none of it was removed."
            "Bring hosts back; on full ones free a few kB first, since even a deletion is written down; and run the same command again.";
        Self::NoSuccessor { .. } => "object-no-successor":
            "The object is as it was. No distdup writes such a generation: somebody put a file there that looks like its share."
            "Look which host has it, and remove that file there: distdup status HOSTS";
        Self::Random(_) => "no-random-bytes":
            "Nothing was written."
            "See why the system has none (getrandom fails), and run the same command again.";
        Self::Cancelled => "store-stopped":
            "What was stored is as it was, and what was being written does not pass for complete."
            "Run the same command again.";
    }
    passing {
        Self::Name(error) => error;
        Self::Encode { source, .. } => &**source;
        Self::Decode { source, .. } => &**source;
        Self::Heal { source, .. } => &**source;
    }
}

/// Why nobody can say what is current, in numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Reason {
    /// Hosts that are silent may have committed a newer generation alone.
    #[error(
        "{silent} hosts are silent or were made later, and {min_shares} are enough to have \
         committed something newer"
    )]
    Unseen {
        /// Hosts that are.
        silent: usize,
        /// The store's rule.
        min_shares: usize,
    },
    /// A generation that was or may have been committed cannot be read.
    #[error(
        "its newest generation {} was committed by {min_shares} of {n} hosts or may have been; \
         {seen} are seen, {silent} are silent, and what is seen is not enough to read it",
        version.generation
    )]
    Unreadable {
        /// Which.
        version: Version,
        /// Different shares that are seen.
        seen: usize,
        /// Hosts that may hold more.
        silent: usize,
        /// The generation's own rule.
        min_shares: usize,
        /// Shares it was to have.
        n: usize,
    },
    /// There is but a generation that was never committed, and may have been readable.
    #[error(
        "its only generation {} was never committed; {seen} of {n} shares are seen, and with the \
         {silent} hosts that are silent it may be readable",
        version.generation
    )]
    Abandoned {
        /// Which.
        version: Version,
        /// Different shares that are seen.
        seen: usize,
        /// Hosts that may hold more.
        silent: usize,
        /// Shares it was to have.
        n: usize,
    },
}

catalogue! {
    Reason {
        Self::Unseen { .. } => "unseen-newer":
            "Silent hosts may have something newer than what can be seen."
            "Bring one of the hosts back that are named.";
        Self::Unreadable { .. } => "newest-unreadable":
            "The newest generation is stored, and cannot be read from the hosts that answer. Older ones are not taken for it."
            "Bring hosts back that have shares of it.";
        Self::Abandoned { .. } => "never-committed":
            "Whoever wrote it was stopped before it counted."
            "Bring hosts back, or write the object again.";
    }
}

impl Reason {
    pub(super) fn new(doubt: Doubt<'_>, min_shares: usize) -> Self {
        match doubt {
            Doubt::Unseen { silent } => Self::Unseen { silent, min_shares },
            Doubt::Unreadable(generation) => {
                let (n, min_shares) = generation.what.rule();
                Self::Unreadable {
                    version: generation.version,
                    seen: generation.shares(),
                    silent: generation.silent,
                    min_shares,
                    n,
                }
            }
            Doubt::Abandoned(generation) => Self::Abandoned {
                version: generation.version,
                seen: generation.shares(),
                silent: generation.silent,
                n: generation.what.rule().0,
            },
        }
    }
}
