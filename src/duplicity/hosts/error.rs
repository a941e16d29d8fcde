//! Why there are no hosts to work with.

use distdup_codecs::CodecError;

use crate::catalogue::catalogue;
use crate::sink::set::SetError;
use crate::store::{HostError, LockError, StoreError};

/// Why there is no store to work with. Messages leave the cause to `source`.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HostsError {
    /// Names that are no hosts.
    #[error(transparent)]
    Names(#[from] SetError),
    /// Not n hosts.
    #[error(
        "n = {n} is asked for, and the configuration has {hosts} hosts; leave n out, or give other hosts"
    )]
    Count {
        /// What was asked for.
        n: usize,
        /// What there is.
        hosts: usize,
    },
    /// Not as many as the store has.
    #[error("the backup there has {n} hosts, {named} are named; name those")]
    Named {
        /// Hosts of the store.
        n: usize,
        /// Hosts that were named.
        named: usize,
    },
    /// Their folders depend on it.
    #[error(
        "the folders of the hosts have {{profile}} in them: choose a profile with -P, of: {}",
        if known.is_empty() { "none that there are" } else { known }
    )]
    SayProfile {
        /// The profiles that there are.
        known: String,
    },
    /// A kind of host that Duplicity cannot back up to yet.
    #[error(
        "{name} is no folder; hosts of a backup are folders so far (mount others, with sshfs say)"
    )]
    NotAFolder {
        /// As it was given.
        name: String,
    },
    /// Nothing is there.
    #[error("there is no host {name}")]
    None {
        /// Where was looked.
        name: String,
    },
    /// Hosts, but no share on any.
    #[error(
        "{}{}{}",
        if hosts.is_empty() { String::new() } else { format!("no share is on any of the hosts that are there ({hosts})") },
        if hosts.is_empty() || others.is_empty() { "" } else { "; " },
        if others.is_empty() { String::new() } else { format!("no hosts of distdup: {others}") }
    )]
    Empty {
        /// Those.
        hosts: String,
        /// Folders that are none.
        others: String,
    },
    /// A folder with something else in it.
    #[error(
        "{host} is no host of distdup, and is not empty; give another folder, or empty this one"
    )]
    InUse {
        /// The folder.
        host: String,
    },
    /// A folder with shares in it that no host is known to have.
    #[error(
        "{host} has shares of a backup in it, and no valid distdup-host; do not empty it, they may be needed"
    )]
    Unstamped {
        /// The folder.
        host: String,
    },
    /// Neither a new store nor an old one.
    #[error(
        "of the hosts, {there} have no share, and {missing} are missing; if the backup is new, remove \
         the first, else bring the others back"
    )]
    HalfMade {
        /// Hosts that are there, empty.
        there: String,
        /// Hosts that are not.
        missing: String,
    },
    /// The existing store is of another kind than asked for.
    #[error(
        "the backup there has {what} {found}, and {wanted} is asked for; leave it out, or give other hosts"
    )]
    Otherwise {
        /// What differs.
        what: &'static str,
        /// What it has.
        found: String,
        /// What was asked for.
        wanted: String,
    },
    /// It does not go without saying.
    #[error("with {n} hosts, say how many of them are to suffice (-k)")]
    SayK {
        /// Hosts.
        n: usize,
    },
    /// No such code, or no such geometry.
    #[error(transparent)]
    Codec(#[from] CodecError),
    /// The store says no.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Another one writes to a host.
    #[error(transparent)]
    Busy(#[from] LockError),
    /// A host says no.
    #[error(transparent)]
    Host(#[from] HostError),
}

catalogue! {
    HostsError {
        Self::Count { .. } | Self::Named { .. } => "hosts-number":
            "Nothing was read or written."
            "Name the hosts of the backup, all of them, those that are down as well.";
        Self::SayProfile { .. } => "profile-needed":
            "Nothing was read or written."
            "Choose one of the profiles by -P.";
        Self::NotAFolder { .. } => "host-kind":
            "Nothing was read or written."
            "Mount the host, and give the folder that it is mounted on.";
        Self::None { .. } => "no-host":
            "Nothing was read or written. If the hosts are not mounted, what they hold is as it was."
            "Look whether the name is right, and whether the hosts are mounted; for backup and duplicity -o says where they are, for restore --from.";
        Self::Empty { .. } => "no-backup":
            "Nothing is stored on the hosts that answer; others may have something."
            "Look whether these are the hosts, and whether they are mounted; a first backup is made by distdup backup.";
        Self::InUse { .. } => "host-in-use":
            "Nothing was written, and what stands there is as it was."
            "Give a folder that is empty or not there yet.";
        Self::Unstamped { .. } => "host-unstamped":
            "Nothing was written, and what stands there is as it was."
            "If its shares are of the backup that the others have, make it a host again: distdup heal HOSTS --replace-lost (a distdup-host that cannot be read is moved away before). If not, name the folder that was meant. Where too few others answer, write that file by hand, as section 9 of docs/STORE.md has it.";
        Self::HalfMade { .. } => "hosts-half-made":
            "Nothing was written. If the missing hosts have a backup, it is as it was."
            "Bring the missing hosts back; only if there never was a backup, remove the others and run the same command again.";
        Self::Otherwise { .. } => "hosts-otherwise":
            "Nothing was written; the backup there is as it was."
            "Leave out what differs, or give other hosts for another backup.";
        Self::SayK { .. } => "k-needed":
            "Nothing was read or written."
            "Say how many hosts are to suffice, -k 4 of 6 say; distdup compare --hosts N tells what each choice survives.";
    }
    passing {
        Self::Names(error) => error;
        Self::Codec(error) => error;
        Self::Store(error) => error;
        Self::Busy(error) => error;
        Self::Host(error) => error;
    }
}

impl HostsError {
    /// Whether there may be something left to read, if only nobody insisted on the newest.
    pub fn may_be_stale(&self) -> bool {
        let Self::Store(error) = self else {
            return false;
        };
        matches!(
            error,
            StoreError::TooManySilent { readable: true, .. } | StoreError::Unknown { .. }
        )
    }

    /// Whether what was asked for makes no sense, whatever the hosts are like.
    pub fn is_usage(&self) -> bool {
        match self {
            Self::Names(_)
            | Self::Count { .. }
            | Self::Named { .. }
            | Self::NotAFolder { .. }
            | Self::Otherwise { .. }
            | Self::SayK { .. }
            | Self::Codec(_) => true,
            Self::Store(error) => matches!(
                error,
                StoreError::HostCount { .. }
                    | StoreError::MinShares { .. }
                    | StoreError::SameHost { .. }
            ),
            _ => false,
        }
    }

    /// What is wrong with single hosts, where that is why.
    pub fn hosts(&self) -> &[HostError] {
        let Self::Store(error) = self else {
            return &[];
        };
        match error {
            StoreError::TooFewUp { hosts, .. }
            | StoreError::TooManySilent { hosts, .. }
            | StoreError::Unknown { hosts, .. } => hosts,
            _ => &[],
        }
    }
}
