//! Where shares are read from.

use std::io::{self, Read, Seek};

/// A place that holds one share. Opened on a thread of its own, because opening may block.
pub trait Source: Send {
    /// What to call it in messages: the path or the URL that the user gave.
    fn name(&self) -> String;

    /// Opens it for reading.
    ///
    /// # Errors
    /// Whatever keeps it from being read.
    fn open(self: Box<Self>) -> io::Result<Box<dyn SourceReader>>;
}

/// An open source. Reads may be short and may be interrupted, as those of any [`Read`].
pub trait SourceReader: Read + Send {
    /// The same reader as something that can be positioned, where it can be: a regular file can, a
    /// pipe cannot. A reader that cannot is read from its start to its end, once.
    fn seekable(&mut self) -> Option<&mut dyn Seek> {
        None
    }
}
