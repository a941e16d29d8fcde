//! The folder that a run of Duplicity needs: pipes, a socket, and the Python files. In memory, since
//! nothing of ours goes to a local disk.

use std::ffi::OsString;
use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::process;

/// A private folder that goes when this does.
#[derive(Debug)]
pub struct Runtime {
    path: PathBuf,
    in_memory: bool,
}

impl Runtime {
    /// Makes one: in `$XDG_RUNTIME_DIR`, in /dev/shm, or, where neither is in memory and can be written
    /// to, in the temporary folder.
    ///
    /// # Errors
    /// That of the temporary folder.
    pub fn create() -> io::Result<Self> {
        let memory = std::env::var_os("XDG_RUNTIME_DIR")
            .map(PathBuf::from)
            .into_iter();
        for parent in memory
            .chain([PathBuf::from("/dev/shm")])
            .filter(|path| is_in_memory(path))
        {
            if let Ok(path) = make_in(&parent) {
                return Ok(Self {
                    path,
                    in_memory: true,
                });
            }
        }
        let parent = std::env::temp_dir();
        Ok(Self {
            path: make_in(&parent)?,
            in_memory: is_in_memory(&parent),
        })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whether it is in memory. If not, pipes and a few kilobytes of Python are on a disk; volumes
    /// never are.
    pub fn in_memory(&self) -> bool {
        self.in_memory
    }
}

impl Drop for Runtime {
    fn drop(&mut self) {
        // Nothing depends on it; the next boot takes what is left.
        let _ = fs::remove_dir_all(&self.path);
    }
}

/// A new private folder.
pub(super) fn make_in(parent: &Path) -> io::Result<PathBuf> {
    let mut random = [0; 8];
    getrandom::fill(&mut random).map_err(io::Error::other)?;
    let name = format!(
        "distdup-{}-{:016x}",
        process::id(),
        u64::from_ne_bytes(random)
    );
    let path = parent.join(OsString::from(name));
    DirBuilder::new().mode(0o700).create(&path)?;
    Ok(path)
}

/// tmpfs or ramfs.
#[allow(clippy::useless_conversion)] // The type differs by architecture.
fn is_in_memory(path: &Path) -> bool {
    const TMPFS: i64 = 0x0102_1994;
    const RAMFS: i64 = 0x8584_58f6;
    path.is_absolute()
        && rustix::fs::statfs(path).is_ok_and(|about| [TMPFS, RAMFS].contains(&about.f_type.into()))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn it_is_private_and_leaves_nothing() {
        let runtime = Runtime::create().unwrap();
        let path = runtime.path().to_owned();
        fs::write(path.join("launcher.py"), "").unwrap();
        assert_eq!(
            fs::metadata(&path).unwrap().permissions().mode() & 0o777,
            0o700
        );
        assert_ne!(Runtime::create().unwrap().path(), path);
        drop(runtime);
        assert!(!path.exists());
    }
}
