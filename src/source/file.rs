//! Files, named pipes and devices.

use std::fs::{self, File};
use std::io::{self, Read, Seek};
use std::os::unix::fs::FileTypeExt;
use std::path::PathBuf;

use super::{Source, SourceError, SourceReader};
use crate::pipe;
use crate::quote::quote;

/// A file, or a named pipe or device, which cannot be positioned.
#[derive(Debug)]
pub struct FileSource {
    path: PathBuf,
}

impl FileSource {
    /// A source that reads what has that name. Whether there is anything, opening it tells.
    pub fn new(path: PathBuf) -> Self {
        Self { path }
    }
}

impl Source for FileSource {
    fn name(&self) -> String {
        quote(self.path.as_os_str().as_encoded_bytes())
    }

    fn open(self: Box<Self>) -> io::Result<Box<dyn SourceReader>> {
        Ok(Box::new(FileReader::open(&self.path)?))
    }
}

/// An open file, named pipe or device.
#[derive(Debug)]
pub(crate) struct FileReader {
    file: File,
    regular: bool,
}

impl FileReader {
    /// Opens `path`; if it is a named pipe, waits for its writer.
    pub(crate) fn open(path: &std::path::Path) -> io::Result<Self> {
        // Looked at before, since opening might wait or, of a device, do something.
        let kind = fs::metadata(path)?.file_type();
        if kind.is_dir() {
            return Err(SourceError::Folder.into());
        } else if kind.is_socket() {
            return Err(SourceError::Unreadable.into());
        }
        let file = File::open(path)?;
        let kind = file.metadata()?.file_type();
        if kind.is_fifo() {
            pipe::grow(&file);
        }
        Ok(Self {
            file,
            regular: kind.is_file(),
        })
    }

    /// How long a regular file is now.
    pub(crate) fn length(&self) -> io::Result<Option<u64>> {
        Ok(if self.regular {
            Some(self.file.metadata()?.len())
        } else {
            None
        })
    }
}

impl Read for FileReader {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        self.file.read(buf)
    }
}

impl SourceReader for FileReader {
    fn seekable(&mut self) -> Option<&mut dyn Seek> {
        if self.regular {
            Some(&mut self.file)
        } else {
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::{SeekFrom, Write};
    use std::thread;

    use rustix::fs::{CWD, Mode, mkfifoat};

    use super::*;

    fn open(path: PathBuf) -> io::Result<Box<dyn SourceReader>> {
        Box::new(FileSource::new(path)).open()
    }

    #[test]
    fn a_file_can_be_positioned() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("s");
        fs::write(&path, "0123456789").unwrap();
        let mut reader = open(path).unwrap();
        reader.seekable().unwrap().seek(SeekFrom::Start(7)).unwrap();
        let mut rest = String::new();
        reader.read_to_string(&mut rest).unwrap();
        assert_eq!(rest, "789");
    }

    #[test]
    fn a_pipe_and_a_device_cannot() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("pipe");
        mkfifoat(CWD, &path, Mode::RUSR | Mode::WUSR).unwrap();
        let at = path.clone();
        let writing = thread::spawn(move || {
            fs::OpenOptions::new()
                .write(true)
                .open(at)
                .unwrap()
                .write_all(b"data")
                .unwrap();
        });
        let mut reader = open(path).unwrap();
        assert!(reader.seekable().is_none());
        let mut data = String::new();
        reader.read_to_string(&mut data).unwrap();
        assert_eq!(data, "data");
        writing.join().unwrap();
        assert!(open("/dev/null".into()).unwrap().seekable().is_none());
    }

    #[test]
    fn what_is_no_file_says_so() {
        let folder = tempfile::tempdir().unwrap();
        let error = open(folder.path().to_owned()).err().unwrap();
        assert_eq!(
            error.to_string(),
            "it is a folder, not a file: name the files in it"
        );
        let error = open(folder.path().join("missing")).err().unwrap();
        assert_eq!(error.kind(), io::ErrorKind::NotFound);
        let path = folder.path().join("socket");
        let _listener = std::os::unix::net::UnixListener::bind(&path).unwrap();
        let error = open(path).err().unwrap();
        assert!(error.to_string().contains("cannot be read"), "{error}");
    }
}
