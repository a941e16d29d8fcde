//! What became of a sink.

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
    /// Why it was dropped, if it was.
    pub failure: Option<SinkFailure>,
}
