//! A source that tells how long ago it was last heard of.

use std::io::{self, Read, Seek};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::{Source, SourceReader};

/// When something was last heard of. Clones are the same.
#[derive(Debug, Clone)]
pub(crate) struct Heard(Arc<Mutex<Instant>>);

impl Heard {
    /// The source, and when it was last heard of: when it opened, or gave bytes, an error or its end.
    pub(crate) fn of(source: Box<dyn Source>) -> (Box<dyn Source>, Self) {
        let heard = Self(Arc::new(Mutex::new(Instant::now())));
        let watched = Watched(source, heard.clone());
        (Box::new(watched), heard)
    }

    /// For how long nothing was heard.
    pub(crate) fn silence(&self) -> Duration {
        let last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        last.elapsed()
    }

    fn now(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
    }
}

struct Watched<T>(T, Heard);

impl Source for Watched<Box<dyn Source>> {
    fn name(&self) -> String {
        self.0.name()
    }

    fn open(self: Box<Self>) -> io::Result<Box<dyn SourceReader>> {
        let Self(source, heard) = *self;
        let opened = source.open();
        heard.now();
        Ok(Box::new(Watched(opened?, heard)))
    }
}

impl Read for Watched<Box<dyn SourceReader>> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.0.read(buffer);
        self.1.now();
        read
    }
}

impl SourceReader for Watched<Box<dyn SourceReader>> {
    fn seekable(&mut self) -> Option<&mut dyn Seek> {
        self.0.seekable()
    }
}
