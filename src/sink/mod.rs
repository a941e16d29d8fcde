//! Where shares, and decoded streams, are written to.

use std::ffi::OsStr;
use std::fs;
use std::io::{self, Seek, Write};
use std::os::unix::fs::FileTypeExt;

pub use crate::locator::Scheme;
use crate::locator::{self, Located};
use crate::quote::quote;
use crate::source::SourceReader;

mod error;
pub mod exec;
pub mod fd;
pub mod fifo;
pub mod file;
pub mod set;

pub use error::SinkError;

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
    /// The same writer as something that can be positioned, where it can be: a file can.
    fn seekable(&mut self) -> Option<&mut dyn Seek> {
        None
    }

    /// Makes all that was written durable and visible under the sink's name.
    ///
    /// # Errors
    /// The sink has not taken its share: a failed flush, sync or rename, or a command that exited
    /// with another status than 0.
    fn finish(self: Box<Self>) -> io::Result<()>;

    /// What was written so far, to be read again from its start: from the disk itself, if it is to
    /// be durable. `None` where that cannot be had, as from a pipe or a command.
    ///
    /// # Errors
    /// Whatever keeps it from being read.
    fn read_back(&mut self) -> io::Result<Option<Box<dyn SourceReader>>> {
        Ok(None)
    }
}

/// Stands in for a sink that could not be had, and fails as that did: so that the others go on.
#[derive(Debug)]
pub struct Unavailable {
    /// What it is called.
    pub name: String,
    /// Why it could not be had.
    pub error: io::Error,
}

impl Sink for Unavailable {
    fn name(&self) -> String {
        self.name.clone()
    }

    fn open(self: Box<Self>) -> io::Result<Box<dyn SinkWriter>> {
        Err(self.error)
    }
}

/// How sinks are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Options {
    /// What exists is replaced, and a terminal is written to.
    pub force: bool,
    /// What is finished is on disk, not only on its way there.
    pub sync: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            force: false,
            sync: true,
        }
    }
}

/// A kind of sink that is named by a scheme.
pub trait Kind: Scheme {
    /// The sink that `rest`, what stands after the colon, names.
    ///
    /// # Errors
    /// It names none, or one that can be told already not to do.
    fn sink(&self, rest: &OsStr, options: Options) -> Result<Box<dyn Sink>, SinkError>;
}

/// Every kind that has a scheme. All else is a path.
pub static KINDS: &[&dyn Kind] = &[&exec::Exec, &fd::Fd];

/// The sink that `name` names: a path, `-` for standard output, or a scheme and what it is to find.
///
/// # Errors
/// It names none, or one that can be told already not to do: one that exists, a folder.
pub fn parse(name: &OsStr, options: Options) -> Result<Box<dyn Sink>, SinkError> {
    if name == "-" {
        return fd::Fd.sink(OsStr::new("1"), options);
    }
    match locator::locate(name, KINDS) {
        Located::Kind(kind, rest) => return kind.sink(rest, options),
        Located::Unknown { scheme, known } => {
            return Err(SinkError::Scheme {
                scheme: quote(scheme),
                known,
            });
        }
        Located::Path => {}
    }
    match fs::metadata(name) {
        Ok(found) if found.file_type().is_fifo() => Ok(Box::new(fifo::FifoSink::new(name.into()))),
        _ => Ok(Box::new(file::FileSink::new(name.into(), options)?)),
    }
}

fn is_path(name: &OsStr) -> bool {
    locator::is_path(name, KINDS)
}

#[cfg(test)]
mod tests {
    use rustix::fs::{CWD, Mode, mkfifoat};

    use super::*;

    #[test]
    fn kinds_are_sorted_unique_and_described() {
        assert!(KINDS.is_sorted_by(|a, b| a.scheme() < b.scheme()));
        assert!(
            KINDS
                .iter()
                .all(|kind| kind.summary().starts_with(kind.scheme()))
        );
    }

    #[test]
    fn names_lead_to_their_kinds() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| {
            folder
                .path()
                .join(name)
                .into_os_string()
                .into_string()
                .unwrap()
        };
        mkfifoat(CWD, at("pipe"), Mode::RUSR | Mode::WUSR).unwrap();
        let parse = |name: &str| parse(OsStr::new(name), Options::default());

        assert_eq!(parse("exec:cat").unwrap().name(), "exec:cat");
        assert_eq!(parse(&at("2026:07")).unwrap().name(), at("2026:07"));
        // A pipe exists, and is to be written to all the same.
        assert_eq!(parse(&at("pipe")).unwrap().name(), at("pipe"));
        assert!(matches!(parse("fd:x"), Err(SinkError::Descriptor(_))));
        let error = parse("sftp://host/a").err().unwrap().to_string();
        assert_eq!(
            error,
            "there is no kind of output sftp: (known are paths and exec: fd:)"
        );
    }
}
