//! The folder that a run of Duplicity needs: pipes, a socket, and the Python files. In memory, since
//! nothing of ours goes to a local disk.

use std::io;
use std::path::Path;

use super::memory;
use super::private::{PrivateFolder, sweep};

/// A private folder that goes when this does.
#[derive(Debug)]
pub struct Runtime {
    folder: PrivateFolder,
    in_memory: bool,
}

impl Runtime {
    /// Makes one: in `$XDG_RUNTIME_DIR`, in /dev/shm, or, where neither is in memory and can be written
    /// to, in the temporary folder.
    ///
    /// # Errors
    /// That of the temporary folder.
    pub fn create() -> io::Result<Self> {
        for parent in memory::folders() {
            if let Ok(folder) = PrivateFolder::create_in(&parent) {
                return Ok(Self {
                    folder,
                    in_memory: true,
                });
            }
        }
        let parent = std::env::temp_dir();
        Ok(Self {
            folder: PrivateFolder::create_in(&parent)?,
            in_memory: memory::is_in_memory(&parent),
        })
    }

    /// Removes what killed processes left, wherever such folders are made: the backend makes its own in a
    /// plain Duplicity.
    pub fn sweep() {
        let places = memory::usual().chain([std::env::temp_dir()]);
        places.for_each(|parent| sweep(&parent));
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Whether it is in memory. If not, pipes and a few kilobytes of Python are on a disk; volumes
    /// never are.
    pub fn in_memory(&self) -> bool {
        self.in_memory
    }
}
