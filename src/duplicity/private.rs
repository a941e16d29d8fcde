//! Folders of our own for as long as a run of Duplicity lasts.

use std::ffi::OsStr;
use std::fs::{self, DirBuilder};
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::process;

use rustix::fs::{FlockOperation, Mode, OFlags, flock};
use rustix::io::{FdFlags, fcntl_setfd};

/// What their names begin with.
const PREFIX: &str = "distdup-";

/// A folder that nobody else can read, and that goes when this does. What a process that was killed
/// left is removed by the next one that makes a folder at the same place.
#[derive(Debug)]
pub struct PrivateFolder {
    path: PathBuf,
    /// Locked, and inherited by Duplicity: the folder is in use for as long as one of us lives.
    _lock: OwnedFd,
}

impl PrivateFolder {
    /// Makes one in `parent`.
    ///
    /// # Errors
    /// What the operating system says.
    pub fn create_in(parent: &Path) -> io::Result<Self> {
        sweep(parent);
        let mut random = [0; 8];
        getrandom::fill(&mut random).map_err(io::Error::other)?;
        let name = format!(
            "{PREFIX}{}-{:016x}",
            process::id(),
            u64::from_ne_bytes(random)
        );
        // By another name until it is locked, so that nobody takes it for a leftover.
        let (unlocked, path) = (parent.join(format!(".{name}")), parent.join(name));
        DirBuilder::new().mode(0o700).create(&unlocked)?;
        let locked = lock(&unlocked).and_then(|lock| {
            fcntl_setfd(&lock, FdFlags::empty())?;
            fs::rename(&unlocked, &path)?;
            Ok(lock)
        });
        match locked {
            Ok(lock) => Ok(Self { path, _lock: lock }),
            Err(error) => {
                let _ = fs::remove_dir(&unlocked);
                Err(error)
            }
        }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for PrivateFolder {
    fn drop(&mut self) {
        // Nothing depends on it; the next run takes what is left.
        let _ = fs::remove_dir_all(&self.path);
    }
}

fn lock(folder: &Path) -> io::Result<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let folder = rustix::fs::open(folder, flags, Mode::empty())?;
    flock(&folder, FlockOperation::NonBlockingLockExclusive)?;
    Ok(folder)
}

/// Removes our folders in `parent` that no process has any more.
pub(super) fn sweep(parent: &Path) {
    let ours = rustix::process::geteuid().as_raw();
    for entry in fs::read_dir(parent).into_iter().flatten().flatten() {
        let (name, path) = (entry.file_name(), entry.path());
        let is_left = maker(&name).is_some_and(|maker| !maker.exists())
            && entry.metadata().is_ok_and(|about| about.uid() == ours);
        // Duplicity may live on without whoever started it.
        if is_left && let Ok(_lock) = lock(&path) {
            let _ = fs::remove_dir_all(&path);
        }
    }
}

/// Where the process stands that made a folder of that name, if we make such, and nobody else is likely
/// to.
fn maker(name: &OsStr) -> Option<PathBuf> {
    let (process, random) = name.to_str()?.strip_prefix(PREFIX)?.split_once('-')?;
    let process: u32 = process.parse().ok()?;
    let is_ours = random.len() == 16 && random.bytes().all(|byte| byte.is_ascii_hexdigit());
    is_ours.then(|| format!("/proc/{process}").into())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn it_is_private_and_leaves_nothing() {
        let parent = tempfile::tempdir().unwrap();
        let folder = PrivateFolder::create_in(parent.path()).unwrap();
        fs::write(folder.path().join("launcher.py"), "").unwrap();
        let mode = fs::metadata(folder.path()).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o700);
        let other = PrivateFolder::create_in(parent.path()).unwrap();
        assert_ne!(folder.path(), other.path());
        assert!(folder.path().exists());
        drop((folder, other));
        assert_eq!(fs::read_dir(parent.path()).unwrap().count(), 0);
    }

    #[test]
    fn what_a_killed_process_left_goes_once_nobody_has_it() {
        let parent = tempfile::tempdir().unwrap();
        let left = parent.path().join("distdup-4294967295-0123456789abcdef");
        let others = parent.path().join("distdup-4294967295-backup");
        fs::create_dir_all(left.join("tmp")).unwrap();
        fs::create_dir(&others).unwrap();
        let held = lock(&left).unwrap(); // by a Duplicity that goes on, say
        drop(PrivateFolder::create_in(parent.path()).unwrap());
        assert!(left.exists());
        drop(held);
        drop(PrivateFolder::create_in(parent.path()).unwrap());
        assert!(!left.exists() && others.exists());
    }
}
