//! Why something cannot be read from.

use std::io;

use crate::catalogue::catalogue;
use crate::descriptor::DescriptorError;

/// Why a source is refused. Which source it was, whoever reports it knows.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// A folder stands there.
    #[error("it is a folder, not a file: name the files in it")]
    Folder,
    /// A socket or the like.
    #[error("it is no file, named pipe or device, and cannot be read")]
    Unreadable,
    /// A URL of a kind that we do not know.
    #[error("there is no kind of source {scheme}: (known are paths and {known})")]
    Scheme {
        /// What stands before the colon.
        scheme: String,
        /// The schemes that there are.
        known: String,
    },
    /// `exec:` and nothing after it.
    #[error("there is no command after exec:")]
    NoCommand,
    /// `fd:N` that cannot be used.
    #[error(transparent)]
    Descriptor(#[from] DescriptorError),
}

catalogue! {
    SourceError {
        Self::Folder | Self::Unreadable => "input-kind":
            "It was not read."
            "Give a file, a named pipe or a device; of a folder, the shares in it, as in FOLDER/*.";
        Self::Scheme { .. } => "input-scheme":
            "Nothing was read or written."
            "Give a path, or a command that fetches it, such as exec:'ssh host cat share'.";
        Self::NoCommand => "input-command":
            "Nothing was read or written."
            "Give a command, such as exec:'ssh host cat share'.";
    }
    passing {
        Self::Descriptor(error) => error;
    }
}

impl From<SourceError> for io::Error {
    fn from(error: SourceError) -> Self {
        let kind = match &error {
            SourceError::Folder => io::ErrorKind::IsADirectory,
            SourceError::Unreadable | SourceError::Descriptor(_) => io::ErrorKind::Other,
            SourceError::Scheme { .. } | SourceError::NoCommand => io::ErrorKind::InvalidInput,
        };
        Self::new(kind, error)
    }
}
