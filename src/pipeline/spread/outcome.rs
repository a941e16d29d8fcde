//! What became of a sink.

use crate::catalogue::catalogue;
use std::io;
use std::time::Duration;

/// Why a sink was dropped.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SinkFailure {
    /// It could not be opened.
    #[error("could not be opened")]
    Open(#[source] io::Error),
    /// It could not take a byte.
    #[error("failed at byte {offset}")]
    Write {
        /// Bytes that it had taken.
        offset: u64,
        /// What it said.
        #[source]
        source: io::Error,
    },
    /// It took all bytes, and failed to make them count.
    #[error("took all {offset} bytes, and could not be completed")]
    Finish {
        /// Bytes that it had taken.
        offset: u64,
        /// What it said.
        #[source]
        source: io::Error,
    },
    /// It took no byte for too long.
    #[error("took no byte for {} s, at byte {offset}", waited.as_secs())]
    TimedOut {
        /// Bytes that it had taken.
        offset: u64,
        /// For how long.
        waited: Duration,
    },
    /// It was good, and was told to drop what it had taken.
    #[error("given up, since too few others were left")]
    Abandoned,
}

catalogue! {
    SinkFailure {
        Self::Open(_) => "output-not-opened":
            "This share was not written; the others were."
            "Mend it, then write this share by distdup repair.";
        Self::Write { .. } => "output-broke":
            "This share is not complete and does not pass for complete; the others were written."
            "Make room or mend it, then write this share by distdup repair.";
        Self::Finish { .. } => "output-not-completed":
            "Nobody vouches for this share; the others were written."
            "Mend it, then write this share by distdup repair.";
        Self::TimedOut { .. } => "output-stalled":
            "This share is not complete and does not pass for complete; the others were written."
            "See what its reader waits for, or give it longer by --sink-timeout; then distdup repair.";
        Self::Abandoned => "output-given-up":
            "Nothing is wrong with it. This share is not complete, and does not pass for complete."
            "Mend those that failed, and run the same command again.";
    }
}

/// What became of one sink.
#[derive(Debug)]
pub struct SinkOutcome {
    /// The sink's own name.
    pub name: String,
    /// Index of the share that it was given.
    pub index: usize,
    /// Bytes that it took.
    pub bytes: u64,
    /// Whether it was read back and is what was written. A pipe or a command cannot be.
    pub read_back: bool,
    /// Why it was dropped, if it was.
    pub failure: Option<SinkFailure>,
}
