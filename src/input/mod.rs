//! The stream that is encoded, and how its end is known.

use std::io::{self, Read};

mod command;
mod named_pipe;
mod plain;
mod promised;

pub use command::FromCommand;
pub use named_pipe::NamedPipe;
pub use plain::{FileInput, ReaderInput, Shortened};
pub use promised::{Promised, SizeError};

/// A stream to encode. End of file alone proves nothing: a writer killed midway looks the same.
pub trait Input: Read + Send {
    /// Called once, after `read` has returned 0: may the `total` bytes read count as the whole
    /// stream?
    ///
    /// # Errors
    /// Why not: the command that wrote it failed, the size is not the promised one. The encode
    /// fails, and no share is completed.
    fn confirm_end(&mut self, total: u64) -> io::Result<()>;
}

impl<I: Input + ?Sized> Input for Box<I> {
    fn confirm_end(&mut self, total: u64) -> io::Result<()> {
        (**self).confirm_end(total)
    }
}
