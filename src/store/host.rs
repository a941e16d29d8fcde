//! A place that holds one share of every object: a folder, an SFTP server, a bucket.

use std::fmt::Debug;
use std::io;
use std::time::SystemTime;

use super::key::Key;
use crate::catalogue::catalogue;
use crate::sink::Sink;
use crate::source::Source;

/// Things under [keys](Key). A key is written once and never over.
///
/// A host never comes into being by itself: each kind has a function that makes one, and a place
/// that was not made so is not taken for a host that has lost everything. Its methods block, and may
/// be called from several threads; whoever calls them brings the time-out.
pub trait Host: Send + Sync + Debug {
    /// What to call it in messages: the name that the user gave it, or its path or URL.
    fn name(&self) -> String;

    /// Who the host is, and every key on it that starts with `prefix`, in any order; all or an error,
    /// never a part. What is still being written, or was left by a killed writer, is not there.
    ///
    /// # Errors
    /// Any [`HostError`] but [`NoSuchKey`](HostError::NoSuchKey).
    fn list(&self, prefix: &str) -> Result<Listing, HostError>;

    /// A sink for a new key. Nothing stands under the key before its `finish`, and all that was
    /// written does, durably, after. Opening or finishing fails where the key exists already
    /// ([`io::ErrorKind::AlreadyExists`]).
    fn sink(&self, key: &Key) -> Box<dyn Sink>;

    /// A sink for the same share as under a key that exists, where that is damaged: what was there
    /// stays, and can be read, until `finish` puts what was written in its place.
    fn replacement(&self, key: &Key) -> Box<dyn Sink>;

    /// A source for a key. Opening it fails with [`io::ErrorKind::NotFound`] where there is no such
    /// key or no host.
    fn source(&self, key: &Key) -> Box<dyn Source>;

    /// Deletes what stands under a key, durably.
    ///
    /// # Errors
    /// [`HostError::NoSuchKey`] where nothing does, on a host that is otherwise in order.
    fn delete(&self, key: &Key) -> Result<(), HostError>;

    /// Makes it a host that was there from the beginning: its stamp's `since` is 0 from now on. It is
    /// the caller's judgement that it has all that it could have been given.
    ///
    /// # Errors
    /// As [`list`](Host::list).
    fn settle(&self) -> Result<(), HostError>;

    /// Makes it a host of that store: its stamp says so from now on, and is otherwise as it was. It is
    /// the caller's judgement that it belongs there.
    ///
    /// # Errors
    /// As [`list`](Host::list).
    fn join(&self, store: StoreId) -> Result<(), HostError>;

    /// What writers that ended without finishing left behind, and what others are writing now.
    ///
    /// # Errors
    /// As [`list`](Host::list).
    fn leftovers(&self) -> Result<Vec<Leftover>, HostError>;

    /// Deletes a leftover. It is the caller's judgement that nobody is writing it any more.
    ///
    /// # Errors
    /// As [`delete`](Host::delete).
    fn delete_leftover(&self, leftover: &Leftover) -> Result<(), HostError>;
}

/// What a host says when it is asked for its keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listing {
    /// Who the host is.
    pub stamp: Stamp,
    /// Its keys, and whatever else has a name there that could be one.
    pub keys: Vec<String>,
}

/// What the hosts of one store have in common: 16 bytes that no other store's have.
pub type StoreId = [u8; 16];

/// Who a host is: written when the host is made, and moved along with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stamp {
    /// 16 random bytes: the same host by another path is the same host.
    pub id: [u8; 16],
    /// The host has what it was given of generations from this one on, but was not there for older
    /// ones: that it lacks one of those says nothing about whether it was committed. 0 for a host that
    /// was there from the beginning.
    pub since: u64,
    /// The store that it [joined](Host::join); `None` until it is written to by one that gives its
    /// hosts an id.
    pub store: Option<StoreId>,
}

/// What is on a host but not under a key, because its writer has not finished, or never will.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Leftover {
    /// The key that it would have stood under.
    pub key: Key,
    /// Bytes of it.
    pub bytes: u64,
    /// When it was last written to, by the host's clock, where that is known.
    pub modified: Option<SystemTime>,
    /// Whether its writer is certainly alive.
    pub in_use: bool,
}

/// Why a host did not do as asked. Messages leave the cause to `source`.
#[derive(Debug, thiserror::Error)]
pub enum HostError {
    /// Not there, or cannot be reached.
    #[error("host {host} is down")]
    Down {
        /// The host's name.
        host: String,
        /// What the operating system said.
        source: io::Error,
    },
    /// Something is there, but it was never made a host: an empty mount point, perhaps, or
    /// another folder.
    #[error("{host} is there, but is not a host: it has no valid {stamp} in it")]
    NotAHost {
        /// The host's name.
        host: String,
        /// What was looked for.
        stamp: &'static str,
    },
    /// A host in order, of another store than the others that were named with it.
    #[error("{host} is a host of another backup than the others")]
    OfAnother {
        /// The host's name.
        host: String,
    },
    /// A host in order that did not join the others.
    #[error(
        "{host} has not joined the others' backup: nothing that is on it is of that one, or its \
         distdup-host cannot be written"
    )]
    NotJoined {
        /// The host's name.
        host: String,
    },
    /// The host is in order, and has nothing under this key.
    #[error("host {host} has no {key}")]
    NoSuchKey {
        /// The host's name.
        host: String,
        /// What was asked for.
        key: String,
    },
    /// The host is there, and failed to do it.
    #[error("host {host}: cannot {action}")]
    Failed {
        /// The host's name.
        host: String,
        /// What it was to do: "list", "delete".
        action: &'static str,
        /// What the operating system said.
        source: io::Error,
    },
    /// It did not answer in time.
    #[error("host {host} did not {action} within {seconds} s")]
    Hung {
        /// The host's name.
        host: String,
        /// What it was to do.
        action: &'static str,
        /// How long was waited.
        seconds: u64,
    },
}

catalogue! {
    HostError {
        Self::Down { .. } => "host-down":
            "Its shares count as lost for now; the other hosts are used."
            "Bring it back, and give it what it missed: distdup heal HOSTS. If it is lost for good: distdup heal HOSTS --replace-lost";
        Self::NotAHost { .. } => "host-unknown":
            "Nothing was written there: it may be the mount point of a disk that is not mounted."
            "Mount it, or name the folder that was meant. If the host is lost for good, or nothing of it but its distdup-host, make it anew, in a folder that is empty or has its shares: distdup heal HOSTS --replace-lost";
        Self::OfAnother { .. } => "host-of-another":
            "Nothing was read from it or written to it; it counts as down."
            "Name the folder that was meant. If this one is to serve this backup, and what is on it may go: empty it, and distdup heal HOSTS --replace-lost";
        Self::NotJoined { .. } => "host-not-joined":
            "Nothing was written to it; it counts as down."
            "Name the folder that was meant, or make its disk writable. If this one is to serve this backup, and what is on it may go: empty it, and distdup heal HOSTS --replace-lost";
        Self::NoSuchKey { .. } => "host-lacks-share":
            "That host's share is gone; others may have theirs."
            "Write it again from the others: distdup heal HOSTS";
        Self::Failed { .. } => "host-failed":
            "The host counts as silent; the other hosts are used."
            "Mend what the system says of it, and give it what it missed: distdup heal HOSTS";
        Self::Hung { .. } => "host-hung":
            "The host counts as silent; the other hosts are used."
            "See what it is waiting for, or give it longer by --host-timeout; then give it what it missed: distdup heal HOSTS";
    }
}
