//! Streams that are read to the end of their file.

use std::io::{self, Read};
use std::path::PathBuf;

use super::Input;
use crate::catalogue::catalogue;
use crate::source::file::FileReader;

/// Whatever can be read. Its end of file is taken for the end, so that this is for what cannot be
/// cut short unnoticed, or for whoever wraps it in [`Promised`](super::Promised).
#[derive(Debug)]
pub struct ReaderInput<R>(pub R);

impl<R: Read + Send> Read for ReaderInput<R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        self.0.read(buf)
    }
}

impl<R: Read + Send> Input for ReaderInput<R> {
    fn confirm_end(&mut self, _total: u64) -> io::Result<()> {
        Ok(())
    }
}

/// A file that is read while someone shortens it.
#[derive(Debug, thiserror::Error)]
#[error("the input was {expected} bytes long, but was cut to {found} while it was read")]
pub struct Shortened {
    /// Bytes when it was opened.
    expected: u64,
    /// Bytes read.
    found: u64,
}

catalogue! {
    Shortened {
        Self { .. } => "input-shortened":
            "The input changed while it was read: no share was completed."
            "Keep others from writing to it, and run the same command again.";
    }
}

/// A file, or a named pipe or device.
#[derive(Debug)]
pub struct FileInput {
    path: PathBuf,
    reader: Option<FileReader>,
    length: Option<u64>,
}

impl FileInput {
    /// What stands at `path`. A named pipe is opened when it is first read, since that waits for
    /// its writer.
    ///
    /// # Errors
    /// It is missing, a folder, or not to be read.
    pub fn new(path: PathBuf) -> io::Result<Self> {
        let kind = std::fs::metadata(&path)?.file_type();
        let mut input = Self {
            path,
            reader: None,
            length: None,
        };
        if kind.is_file() || kind.is_dir() {
            let reader = FileReader::open(&input.path)?;
            input.length = reader.length()?;
            input.reader = Some(reader);
        }
        Ok(input)
    }

    /// Bytes in it when it was opened, if it is a regular file.
    pub fn length(&self) -> Option<u64> {
        self.length
    }
}

impl Read for FileInput {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let reader = match &mut self.reader {
            Some(reader) => reader,
            closed => closed.insert(FileReader::open(&self.path)?),
        };
        reader.read(buf)
    }
}

impl Input for FileInput {
    fn confirm_end(&mut self, total: u64) -> io::Result<()> {
        match self.length {
            Some(expected) if total < expected => Err(io::Error::other(Shortened {
                expected,
                found: total,
            })),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn a_file_knows_its_length_and_must_keep_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("in");
        fs::write(&path, "0123456789").unwrap();
        let mut input = FileInput::new(path.clone()).unwrap();
        assert_eq!(input.length(), Some(10));
        let mut start = [0; 4];
        input.read_exact(&mut start).unwrap();
        fs::OpenOptions::new()
            .write(true)
            .open(&path)
            .unwrap()
            .set_len(6)
            .unwrap();
        let mut rest = Vec::new();
        input.read_to_end(&mut rest).unwrap();
        let total = 4 + rest.len() as u64;
        let error = input.confirm_end(total).unwrap_err().to_string();
        assert_eq!(
            error,
            "the input was 10 bytes long, but was cut to 6 while it was read"
        );
        input.confirm_end(10).unwrap();
        input.confirm_end(12).unwrap(); // It grew: what was read is still a whole file.
    }

    #[test]
    fn a_folder_and_nothing_are_refused_at_once() {
        let folder = tempfile::tempdir().unwrap();
        let error = FileInput::new(folder.path().to_owned()).unwrap_err();
        assert_eq!(
            error.to_string(),
            "it is a folder, not a file: name the files in it"
        );
        let error = FileInput::new(folder.path().join("missing")).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::NotFound);
    }

    #[test]
    fn a_device_has_no_length() {
        let mut input = FileInput::new("/dev/null".into()).unwrap();
        assert_eq!(input.length(), None);
        assert_eq!(input.read(&mut [0; 8]).unwrap(), 0);
        input.confirm_end(0).unwrap();
    }
}
