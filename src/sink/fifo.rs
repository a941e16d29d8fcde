//! Named pipes.

use std::fs::OpenOptions;
use std::io;
use std::os::unix::fs::{FileTypeExt, OpenOptionsExt};
use std::path::PathBuf;

use rustix::fs::OFlags;

use super::file::Device;
use super::{Sink, SinkError, SinkWriter};
use crate::pipe;
use crate::quote::quote;

/// A named pipe, which someone else made.
#[derive(Debug)]
pub struct FifoSink {
    path: PathBuf,
    waits: bool,
}

impl FifoSink {
    /// A sink that writes into the pipe of that name. Opening it waits for its reader.
    pub fn new(path: PathBuf) -> Self {
        Self { path, waits: true }
    }

    /// The same for a pipe that its reader has open by now. Opening it fails where nobody has, since
    /// that reader is gone.
    pub fn with_reader(path: PathBuf) -> Self {
        Self { path, waits: false }
    }
}

impl Sink for FifoSink {
    fn name(&self) -> String {
        quote(self.path.as_os_str().as_encoded_bytes())
    }

    fn open(self: Box<Self>) -> io::Result<Box<dyn SinkWriter>> {
        let mut how = OpenOptions::new();
        how.write(true);
        if !self.waits {
            how.custom_flags(OFlags::NONBLOCK.bits().cast_signed());
        }
        let file = how.open(&self.path)?;
        // It could have been replaced since it was found to be a pipe.
        if !file.metadata()?.file_type().is_fifo() {
            return Err(SinkError::Exists.into());
        }
        if !self.waits {
            // Writing waits all the same.
            let flags = rustix::fs::fcntl_getfl(&file)?;
            rustix::fs::fcntl_setfl(&file, flags - OFlags::NONBLOCK)?;
        }
        pipe::grow(&file);
        Ok(Box::new(Device(file)))
    }
}

#[cfg(test)]
mod tests {
    use std::fs::{self, File};
    use std::io::{Read, Write};
    use std::thread;

    use rustix::fs::{CWD, Mode, mkfifoat};

    use super::*;

    #[test]
    fn it_waits_for_its_reader_and_says_when_that_leaves() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("pipe");
        mkfifoat(CWD, &path, Mode::RUSR | Mode::WUSR).unwrap();
        let sink = Box::new(FifoSink::new(path.clone()));
        let opening = thread::spawn(move || sink.open());
        let mut reader = File::open(&path).unwrap();
        let mut writer = opening.join().unwrap().unwrap();
        writer.write_all(b"data").unwrap();
        let mut data = [0; 4];
        reader.read_exact(&mut data).unwrap();
        assert_eq!(&data, b"data");
        drop(reader);
        assert_eq!(
            writer.write(b"x").unwrap_err().kind(),
            io::ErrorKind::BrokenPipe
        );
        drop(writer);
        assert!(path.exists());
    }

    #[test]
    fn it_does_not_wait_for_a_reader_that_should_be_there() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("pipe");
        mkfifoat(CWD, &path, Mode::RUSR | Mode::WUSR).unwrap();
        let open = || Box::new(FifoSink::with_reader(path.clone())).open();
        assert!(open().is_err());

        let reading = path.clone();
        let reader = thread::spawn(move || fs::read(reading).unwrap());
        let mut writer = loop {
            if let Ok(writer) = open() {
                break writer;
            }
            thread::yield_now();
        };
        // More than the pipe holds.
        let data = vec![7; 3 * pipe::PIPE_BYTES];
        writer.write_all(&data).unwrap();
        drop(writer);
        assert_eq!(reader.join().unwrap(), data);
    }

    #[test]
    fn a_file_in_its_place_is_not_written_to() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("pipe");
        let sink = Box::new(FifoSink::new(path.clone()));
        fs::write(&path, "precious").unwrap();
        assert!(sink.open().is_err());
        assert_eq!(fs::read(&path).unwrap(), b"precious");
    }
}
