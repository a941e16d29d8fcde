//! Keeps two writers from the same folders at once.
//!
//! The store's own rules bear two writers: keys are written once, and of two generations one is newer.
//! Duplicity's do not: two of its backups at once would make one chain out of two.

use std::fmt;
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use rustix::fs::{FlockOperation, OFlags, flock, fstatfs};
use rustix::io::{Errno, FdFlags, fcntl_setfd};

use super::ask::{Member, ask};
use super::folder::FolderHost;
use super::host::{Host, HostError};
use crate::catalogue::catalogue;

/// The file that is locked.
pub(super) const LOCK: &str = "distdup-lock";
/// How long it may take a holder to say who it is.
const PATIENCE: Duration = Duration::from_millis(500);
/// How often it is looked whether it has.
const INTERVAL: Duration = Duration::from_millis(10);
/// More than a holder says of itself.
const MOST_SAID: u64 = 1024;
/// Kinds of file systems that several machines may have mounted: NFS, SMB, CIFS, SMB 2, FUSE (sshfs,
/// above all), 9P, AFS, Ceph, Lustre, GPFS. Whether their locks reach from one machine to another
/// depends on servers and mount options.
const SHARED: &[u64] = &[
    0x6969,
    0x517b,
    0xff53_4d42,
    0xfe53_4d42,
    0x6573_5546,
    0x0102_1997,
    0x5346_414f,
    0x00c3_6400,
    0x0bd0_0bd0,
    0x4750_4653,
];

/// A folder that nobody outside of a session writes to. The lock is that of all processes of the session
/// that took it, and of those that they start: it ends with the last of them, however that ends.
#[derive(Debug)]
pub struct FolderLock {
    file: File,
    /// Whether it may be that other machines do not see the lock.
    pub shared: bool,
}

/// Who holds a lock, by their own words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holder {
    /// Its first process.
    pub pid: u32,
    /// The machine that it runs on.
    pub machine: String,
    /// When it began, seconds since 1970 UTC.
    pub since: u64,
    /// What its processes know each other by.
    pub session: u64,
}

/// Why a folder cannot be locked. Messages leave the cause to `source`.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// It is locked.
    #[error("{host} is being written to by {}; wait until that has ended", told(holder.as_ref()))]
    Held {
        /// The host's name.
        host: String,
        /// By whom, if that can be read.
        holder: Option<Holder>,
    },
    /// Another machine wrote there and has not said that it ended, and no lock can tell.
    #[error(
        "{host} is being written to by {holder}, or that was cut short: over the network nobody can \
         tell. If it was, `distdup cleanup --force` takes the lock away"
    )]
    Elsewhere {
        /// The host's name.
        host: String,
        /// By whom.
        holder: Holder,
    },
    /// There is no lock to be had: on a file system without, or one that cannot be written to.
    #[error("{host} cannot be locked")]
    Impossible {
        /// The host's name.
        host: String,
        /// What the operating system said.
        source: io::Error,
    },
    /// The host is not there.
    #[error(transparent)]
    Host(#[from] HostError),
}

catalogue! {
    LockError {
        Self::Held { .. } => "host-busy":
            "Nothing was written: two writers at once could spoil the backup."
            "Wait until the other one has ended, and run the same command again.";
        Self::Elsewhere { .. } => "host-busy-elsewhere":
            "Nothing was written: two writers at once could spoil the backup."
            "Look on that machine. If nothing runs there: distdup cleanup HOSTS --force";
        Self::Impossible { .. } => "host-not-locked":
            "Two backups at once into this host would not be noticed."
            "Let one machine alone write there, one backup at a time.";
    }
    passing { Self::Host(error) => error; }
}

impl FolderHost {
    /// Locks folders, all at once; see [`lock`](Self::lock).
    pub fn lock_all(
        hosts: &[Self],
        session: u64,
        force: bool,
        patience: Duration,
    ) -> Vec<Result<FolderLock, LockError>> {
        let tasks = hosts.iter().map(|host| {
            let host = host.clone();
            let member = Member::new(Arc::new(host.clone()));
            (member, move |_: &dyn Host| Ok(host.lock(session, force)))
        });
        let said = ask(tasks, "be locked", patience, None);
        let said = said.unwrap_or_default(); // nobody can have it stopped
        said.into_iter()
            .map(|said| said.unwrap_or_else(|error| Err(error.into())))
            .collect()
    }

    /// Locks the folder against writers of other sessions. With `force`, also if another machine says
    /// that it writes there, and no lock can tell whether it is alive; never if it certainly is.
    ///
    /// # Errors
    /// Who holds it, or why there is no lock.
    pub fn lock(&self, session: u64, force: bool) -> Result<FolderLock, LockError> {
        self.stamp()?;
        let impossible = |source| LockError::Impossible {
            host: self.name(),
            source,
        };
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false) // Not before it is locked.
            .custom_flags((OFlags::NOFOLLOW | OFlags::NONBLOCK).bits().cast_signed())
            .open(self.path().join(LOCK))
            .map_err(impossible)?;
        let shared = fstatfs(&file)
            .is_ok_and(|about| SHARED.contains(&u64::try_from(about.f_type).unwrap_or(0)));
        // Duplicity, which goes on if we are killed, has it, too.
        fcntl_setfd(&file, FdFlags::empty()).map_err(|error| impossible(error.into()))?;
        let deadline = Instant::now() + PATIENCE;
        loop {
            // The first of a session has it alone until it has said who it is, and then shares it.
            if take(&file, FlockOperation::NonBlockingLockExclusive).map_err(impossible)? {
                let us = Holder::us(session);
                if let Some(holder) = Holder::read(&mut file)
                    && holder.counts(shared, &us.machine)
                    && !force
                {
                    return Err(LockError::Elsewhere {
                        host: self.name(),
                        holder,
                    });
                }
                if us.write(&mut file).is_err() {
                    // On a full disk the lock holds all the same, and for this process alone.
                    return Ok(FolderLock { file, shared });
                }
            }
            let is_ours = |holder: &Option<Holder>| {
                let holder = holder.as_ref();
                holder.is_some_and(|holder| holder.session == session)
            };
            let mut holder = Holder::read(&mut file);
            if is_ours(&holder)
                && take(&file, FlockOperation::NonBlockingLockShared).map_err(impossible)?
            {
                // It may have been another one's meanwhile.
                holder = Holder::read(&mut file);
                if is_ours(&holder) {
                    return Ok(FolderLock { file, shared });
                }
                let _ = flock(&file, FlockOperation::Unlock);
            }
            if Instant::now() > deadline {
                return Err(LockError::Held {
                    host: self.name(),
                    holder,
                });
            }
            thread::sleep(INTERVAL);
        }
    }
}

/// Takes a lock, or changes the one there is, unless others have theirs.
fn take(file: &File, lock: FlockOperation) -> io::Result<bool> {
    match flock(file, lock) {
        Ok(()) => Ok(true),
        Err(Errno::WOULDBLOCK) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

impl Drop for FolderLock {
    fn drop(&mut self) {
        // The last says that its session has ended; where it cannot, the lock does, or the next one asks.
        if take(&self.file, FlockOperation::NonBlockingLockExclusive).is_ok_and(|last| last) {
            let _ = self.file.set_len(0);
        }
    }
}

impl Holder {
    fn us(session: u64) -> Self {
        let since = SystemTime::now().duration_since(UNIX_EPOCH);
        Self {
            pid: std::process::id(),
            machine: rustix::system::uname()
                .nodename()
                .to_string_lossy()
                .into_owned(),
            since: since.unwrap_or_default().as_secs(),
            session,
        }
    }

    /// Whether whoever left this may still write, though the lock could be had.
    fn counts(&self, shared: bool, machine: &str) -> bool {
        shared && self.machine != machine
    }

    fn read(file: &mut File) -> Option<Self> {
        let mut text = String::new();
        file.rewind().ok()?;
        file.take(MOST_SAID).read_to_string(&mut text).ok()?;
        let mut lines = text.lines();
        let mut next = |key: &str| lines.next()?.strip_prefix(key)?.strip_prefix(' ');
        Some(Self {
            pid: next("pid")?.parse().ok()?,
            machine: next("machine")?.to_owned(),
            since: next("since")?.parse().ok()?,
            session: next("session")?.parse().ok()?,
        })
    }

    fn write(&self, file: &mut File) -> io::Result<()> {
        file.set_len(0)?;
        file.rewind()?;
        let Self {
            pid,
            machine,
            since,
            session,
        } = self;
        let text = format!("pid {pid}\nmachine {machine}\nsince {since}\nsession {session}\n");
        file.write_all(text.as_bytes())
    }
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let began = UNIX_EPOCH.checked_add(Duration::from_secs(self.since));
        let (pid, machine) = (self.pid, crate::quote::quote(&self.machine));
        write!(f, "process {pid} on {machine}")?;
        match began {
            Some(began) => write!(f, " since {}", humantime::format_rfc3339_seconds(began)),
            None => Ok(()),
        }
    }
}

fn told(holder: Option<&Holder>) -> String {
    holder.map_or_else(|| "another process".to_owned(), Holder::to_string)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Origin;

    #[test]
    fn one_holder_at_a_time_and_who_it_is() {
        let dir = tempfile::tempdir().unwrap();
        let host = FolderHost::create(dir.path().join("host"), Origin::NewStore).unwrap();
        let lock = host.lock(1, false).unwrap();
        for force in [false, true] {
            let error = host.lock(2, force).unwrap_err();
            let LockError::Held {
                holder: Some(holder),
                ..
            } = &error
            else {
                panic!("{error}")
            };
            assert_eq!(holder.pid, std::process::id());
            let text = error.to_string();
            assert!(text.contains(&format!("process {}", holder.pid)), "{text}");
        }
        // Readers see neither the lock nor its file.
        assert_eq!(host.list("").unwrap().keys, [""; 0]);
        assert_eq!(host.leftovers().unwrap(), []);
        // It is the session's until the last of it has ended.
        let second = host.lock(1, false).unwrap();
        drop(lock);
        let error = host.lock(2, false).unwrap_err();
        assert!(matches!(
            error,
            LockError::Held {
                holder: Some(_),
                ..
            }
        ));
        drop(second);
        drop(host.lock(2, false).unwrap());
        assert_eq!(std::fs::read(host.path().join(LOCK)).unwrap(), b"");
    }

    #[test]
    fn what_a_killed_holder_left_does_not_count_but_over_a_network() {
        let holder = Holder {
            pid: 7,
            machine: "elsewhere".into(),
            since: 0,
            session: 1,
        };
        assert!(holder.counts(true, "here"));
        assert!(!holder.counts(true, "elsewhere") && !holder.counts(false, "here"));

        let dir = tempfile::tempdir().unwrap();
        let host = FolderHost::create(dir.path().join("host"), Origin::NewStore).unwrap();
        let mut file = File::create_new(host.path().join(LOCK)).unwrap();
        holder.write(&mut file).unwrap();
        host.lock(1, false).unwrap();
        let mut file = File::open(host.path().join(LOCK)).unwrap();
        assert_eq!(Holder::read(&mut file), None);
    }

    #[test]
    fn only_hosts_that_are_there_are_locked() {
        let dir = tempfile::tempdir().unwrap();
        let host = FolderHost::new(dir.path());
        assert!(matches!(host.lock(1, false), Err(LockError::Host(_))));
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
    }
}
