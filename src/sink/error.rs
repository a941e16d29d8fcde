//! Why something cannot be written to.

use std::io;

use crate::catalogue::catalogue;
use crate::descriptor::DescriptorError;

/// Why a sink is refused. Which sink it was, whoever reports it knows.
#[derive(Debug, thiserror::Error)]
pub enum SinkError {
    /// There is something of that name.
    #[error("it exists (use --force to replace it)")]
    Exists,
    /// A folder stands there.
    #[error("it is a folder, not a file")]
    Folder,
    /// The folder that it is to stand in is missing.
    #[error("its folder {folder} does not exist (make it first)")]
    NoFolder {
        /// That folder.
        folder: String,
    },
    /// Neither file nor FIFO nor device.
    #[error("it is no file, named pipe or device, and cannot be written to")]
    Unwritable,
    /// Someone else writes to it now.
    #[error("another process is writing it now, and holds {partial}")]
    Busy {
        /// The file that is locked.
        partial: String,
    },
    /// A terminal, to which we would write binary data.
    #[error("it is a terminal, and the data is binary (redirect it, or insist by --force)")]
    Terminal,
    /// A URL of a kind that we do not know.
    #[error("there is no kind of output {scheme}: (known are paths and {known})")]
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
    /// The system's own error.
    #[error(transparent)]
    Io(#[from] io::Error),
}

catalogue! {
    SinkError {
        Self::Exists => "output-exists":
            "It was not touched."
            "Choose another name, or replace it by --force.";
        Self::Folder | Self::Unwritable => "output-kind":
            "It was not touched."
            "Give the name of a file, a named pipe or a device.";
        Self::NoFolder { .. } => "output-folder":
            "It was not written."
            "Make the folder by mkdir -p, or mount its disk; then run the same command again.";
        Self::Busy { .. } => "output-busy":
            "It was not touched; the other process goes on."
            "Wait until that process is done, or end it.";
        Self::Terminal => "output-terminal":
            "Nothing was written."
            "Redirect it to a file or pipe, or give -o.";
        Self::Scheme { .. } => "output-scheme":
            "Nothing was read or written."
            "Give a path, or a command that sends it, such as exec:'ssh host \"cat > share\"'.";
        Self::NoCommand => "output-command":
            "Nothing was read or written."
            "Give a command, such as exec:'ssh host \"cat > share\"'.";
    }
    passing {
        Self::Descriptor(error) => error;
        Self::Io(error) => error;
    }
}

impl From<SinkError> for io::Error {
    fn from(error: SinkError) -> Self {
        let kind = match &error {
            SinkError::Io(_) | SinkError::Descriptor(_) | SinkError::Unwritable => {
                io::ErrorKind::Other
            }
            SinkError::Exists => io::ErrorKind::AlreadyExists,
            SinkError::Folder => io::ErrorKind::IsADirectory,
            SinkError::NoFolder { .. } => io::ErrorKind::NotFound,
            SinkError::Busy { .. } => io::ErrorKind::ResourceBusy,
            SinkError::Terminal | SinkError::Scheme { .. } | SinkError::NoCommand => {
                io::ErrorKind::InvalidInput
            }
        };
        match error {
            SinkError::Io(error) => error,
            error => Self::new(kind, error),
        }
    }
}
