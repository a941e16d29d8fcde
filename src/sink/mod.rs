//! Where shares, and decoded streams, are written to.

use std::io::{self, Write};

/// A place that takes one share: a file, a FIFO, a descriptor, a command, an object on a host.
///
/// It is opened on a thread of its own, because opening may block (a FIFO without a reader).
pub trait Sink: Send {
    /// What to call it in messages: the path or the URL that the user gave.
    fn name(&self) -> String;

    /// Opens it for writing. Nothing that exists is harmed before [`SinkWriter::finish`].
    ///
    /// # Errors
    /// Whatever keeps it from being written to.
    fn open(self: Box<Self>) -> io::Result<Box<dyn SinkWriter>>;
}

/// An open sink. `finish` makes what was written count; dropping it without aborts, and leaves
/// nothing that looks finished.
///
/// `write` and `write_vectored` may be short and may be interrupted, as those of any [`Write`].
pub trait SinkWriter: Write + Send {
    /// Makes all that was written durable and visible under the sink's name.
    ///
    /// # Errors
    /// The sink has not taken its share: a failed flush, sync or rename, or a command that exited
    /// with another status than 0.
    fn finish(self: Box<Self>) -> io::Result<()>;
}
