//! Where shares are read from.

use std::ffi::OsStr;
use std::io::{self, Read, Seek};

pub use crate::locator::Scheme;
use crate::locator::{self, Located};
use crate::quote::quote;

mod error;
pub mod exec;
pub mod fd;
pub mod file;
pub(crate) mod heard;

pub use error::SourceError;

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

/// A kind of source that is named by a scheme.
pub trait Kind: Scheme {
    /// The source that `rest`, what stands after the colon, names.
    ///
    /// # Errors
    /// It names none.
    fn source(&self, rest: &OsStr) -> Result<Box<dyn Source>, SourceError>;
}

/// Every kind that has a scheme. All else is a path.
pub static KINDS: &[&dyn Kind] = &[&exec::Exec, &fd::Fd];

/// The source that `name` names: a path, `-` for standard input, or a scheme and what it is to find.
/// One that is missing or cannot be read is found out when it is opened, since others may do
/// without it.
///
/// # Errors
/// It names none.
pub fn parse(name: &OsStr) -> Result<Box<dyn Source>, SourceError> {
    if name == "-" {
        return fd::Fd.source(OsStr::new("0"));
    }
    match locator::locate(name, KINDS) {
        Located::Kind(kind, rest) => return kind.source(rest),
        Located::Unknown { scheme, known } => {
            return Err(SourceError::Scheme {
                scheme: quote(scheme),
                known,
            });
        }
        Located::Path => {}
    }
    Ok(Box::new(file::FileSource::new(name.into())))
}

/// Whether `name` is the path of a file, and no scheme's.
pub fn is_path(name: &OsStr) -> bool {
    locator::is_path(name, KINDS)
}

#[cfg(test)]
mod tests {
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
        let name = |name: &str| parse(OsStr::new(name)).map(|source| source.name());
        assert_eq!(name("exec:cat s0").unwrap(), "exec:cat s0");
        assert_eq!(name("-").unwrap(), "standard input");
        assert_eq!(name("missing/2026:07").unwrap(), "missing/2026:07");
        assert!(matches!(name("fd:x"), Err(SourceError::Descriptor(_))));
        let error = name("sftp://host/a").unwrap_err().to_string();
        assert_eq!(
            error,
            "there is no kind of source sftp: (known are paths and exec: fd:)"
        );
    }
}
