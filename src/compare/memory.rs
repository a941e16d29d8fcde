//! Shares in memory: what is measured is the pipeline, not a disk.

use std::io::{self, Cursor, Read, Seek, SeekFrom, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crossbeam_channel::Sender;

use crate::sink::{Sink, SinkWriter};
use crate::source::{Source, SourceReader};

/// Takes a share into a buffer, and hands it out when it is whole.
pub(super) struct MemorySink {
    /// Which share it is.
    pub share: usize,
    /// What it is written to.
    pub buffer: Vec<u8>,
    /// Where it goes.
    pub done: Sender<(usize, Vec<u8>)>,
}

impl Sink for MemorySink {
    fn name(&self) -> String {
        format!("share {} in memory", self.share)
    }

    fn open(mut self: Box<Self>) -> io::Result<Box<dyn SinkWriter>> {
        self.buffer.clear();
        Ok(self)
    }
}

impl Write for MemorySink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.buffer.write(bytes)
    }

    fn write_vectored(&mut self, bytes: &[io::IoSlice<'_>]) -> io::Result<usize> {
        self.buffer.write_vectored(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl SinkWriter for MemorySink {
    fn finish(self: Box<Self>) -> io::Result<()> {
        let Self {
            share,
            buffer,
            done,
        } = *self;
        // Whoever stopped waiting has an error of its own.
        let _ = done.send((share, buffer));
        Ok(())
    }
}

/// Takes what is decoded, and forgets it.
pub(super) struct Nowhere;

impl Sink for Nowhere {
    fn name(&self) -> String {
        "nowhere".into()
    }

    fn open(self: Box<Self>) -> io::Result<Box<dyn SinkWriter>> {
        Ok(self)
    }
}

impl Write for Nowhere {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        Ok(bytes.len())
    }

    fn write_vectored(&mut self, bytes: &[io::IoSlice<'_>]) -> io::Result<usize> {
        Ok(bytes.iter().map(|bytes| bytes.len()).sum())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl SinkWriter for Nowhere {
    fn finish(self: Box<Self>) -> io::Result<()> {
        Ok(())
    }
}

/// Gives a share, and counts what is read of it.
pub(super) struct MemorySource {
    /// Which share it is.
    pub share: usize,
    /// All of it.
    pub bytes: Arc<Vec<u8>>,
    /// What was read of this one and others.
    pub read: Arc<AtomicU64>,
}

impl Source for MemorySource {
    fn name(&self) -> String {
        format!("share {} in memory", self.share)
    }

    fn open(self: Box<Self>) -> io::Result<Box<dyn SourceReader>> {
        Ok(Box::new(MemoryReader {
            bytes: Cursor::new(Shared(self.bytes)),
            read: self.read,
        }))
    }
}

struct Shared(Arc<Vec<u8>>);

impl AsRef<[u8]> for Shared {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

struct MemoryReader {
    bytes: Cursor<Shared>,
    read: Arc<AtomicU64>,
}

impl Read for MemoryReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.bytes.read(buffer)?;
        self.read.fetch_add(count as u64, Ordering::Relaxed);
        Ok(count)
    }
}

impl Seek for MemoryReader {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.bytes.seek(to)
    }
}

impl SourceReader for MemoryReader {
    fn seekable(&mut self) -> Option<&mut dyn Seek> {
        Some(self)
    }
}
