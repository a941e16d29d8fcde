//! A named pipe that is made for the stream.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, Mode, OFlags, mkfifoat};

use super::FileInput;

/// A named pipe of our own: there as long as this lives, and removed when it is dropped. The input
/// that reads it may be stuck on a thread, waiting for its writer; so this is kept apart from it.
#[derive(Debug)]
pub struct NamedPipe {
    path: PathBuf,
    /// Open, though for nothing, so that no other file can get its inode.
    made: File,
}

impl NamedPipe {
    /// Makes a named pipe that the owner alone may open.
    ///
    /// # Errors
    /// There is something of that name, or its folder is missing.
    pub fn make(path: &Path) -> io::Result<Self> {
        mkfifoat(CWD, path, Mode::RUSR | Mode::WUSR)?;
        let made = rustix::fs::open(path, OFlags::PATH | OFlags::CLOEXEC, Mode::empty())?;
        Ok(Self {
            path: path.to_owned(),
            made: made.into(),
        })
    }

    /// What will be written to it, from the first writer's start until no writer is left.
    ///
    /// # Errors
    /// Somebody removed it.
    pub fn input(&self) -> io::Result<FileInput> {
        FileInput::new(self.path.clone())
    }
}

impl Drop for NamedPipe {
    fn drop(&mut self) {
        if let (Ok(made), Ok(there)) = (self.made.metadata(), fs::symlink_metadata(&self.path))
            && (made.dev(), made.ino()) == (there.dev(), there.ino())
        {
            let _ = fs::remove_file(&self.path);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;

    #[test]
    fn it_is_made_read_and_removed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("pipe");
        let pipe = NamedPipe::make(&path).unwrap();
        let input = pipe.input().unwrap();
        assert_eq!(input.length(), None);
        let reading = thread::spawn(move || io::read_to_string(input));
        fs::write(&path, "data").unwrap();
        assert_eq!(reading.join().unwrap().unwrap(), "data");
        drop(pipe);
        assert!(!path.exists());
    }

    #[test]
    fn what_stands_there_is_not_touched() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("pipe");
        fs::write(&path, "precious").unwrap();
        assert_eq!(
            NamedPipe::make(&path).unwrap_err().kind(),
            io::ErrorKind::AlreadyExists
        );
        fs::remove_file(&path).unwrap();

        let pipe = NamedPipe::make(&path).unwrap();
        fs::remove_file(&path).unwrap();
        fs::write(&path, "another's").unwrap();
        drop(pipe);
        assert_eq!(fs::read(&path).unwrap(), b"another's");
    }
}
