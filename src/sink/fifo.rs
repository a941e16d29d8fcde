//! Named pipes.

use std::fs::{File, OpenOptions};
use std::io::{self, IoSlice, Write};
use std::os::unix::fs::FileTypeExt;
use std::path::PathBuf;

use super::{Sink, SinkError, SinkWriter};
use crate::pipe;
use crate::quote::quote;

/// A named pipe, which someone else made. Opening it waits for its reader.
#[derive(Debug)]
pub struct FifoSink {
    path: PathBuf,
}

impl FifoSink {
    /// A sink that writes into the pipe of that name.
    pub fn new(path: PathBuf) -> Self {
        Self { path }
    }
}

impl Sink for FifoSink {
    fn name(&self) -> String {
        quote(self.path.as_os_str().as_encoded_bytes())
    }

    fn open(self: Box<Self>) -> io::Result<Box<dyn SinkWriter>> {
        let file = OpenOptions::new().write(true).open(&self.path)?;
        // It could have been replaced since it was found to be a pipe.
        if !file.metadata()?.file_type().is_fifo() {
            return Err(SinkError::Exists.into());
        }
        pipe::grow(&file);
        Ok(Box::new(FifoWriter(file)))
    }
}

/// A pipe has no end that could be taken back or made to count: what goes through it must say
/// itself whether it is whole, as a share does.
#[derive(Debug)]
struct FifoWriter(File);

impl Write for FifoWriter {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        self.0.write(buf)
    }

    fn write_vectored(&mut self, bufs: &[IoSlice<'_>]) -> io::Result<usize> {
        self.0.write_vectored(bufs)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl SinkWriter for FifoWriter {
    fn finish(self: Box<Self>) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::io::Read;
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
    fn a_file_in_its_place_is_not_written_to() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("pipe");
        let sink = Box::new(FifoSink::new(path.clone()));
        fs::write(&path, "precious").unwrap();
        assert!(sink.open().is_err());
        assert_eq!(fs::read(&path).unwrap(), b"precious");
    }
}
