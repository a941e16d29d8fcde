//! Why a stream cannot be brought back.

use std::ops::Range;

use crate::quote::lines;

/// Why the stream cannot be brought back, or not further.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum GatherError {
    /// A stripe is beyond repair.
    #[error(
        "stripe {stripe} (bytes {}..{} of the stream) cannot be recovered: {why}{}",
        range.start, range.end, lines(reasons)
    )]
    Unrecoverable {
        /// Which.
        stripe: u64,
        /// Where in the stream.
        range: Range<u64>,
        /// What it lacks.
        why: String,
        /// What is wrong with each frame that could not be used.
        reasons: Vec<String>,
    },
    /// The shares end before the stream does.
    #[error(
        "the shares end after stripe {stripes} (byte {length} of the stream), and none of them \
         says that the stream ends there: whoever wrote them was stopped{}",
        lines(reasons)
    )]
    Incomplete {
        /// Stripes there were.
        stripes: u64,
        /// Bytes there were.
        length: u64,
        /// What each source says.
        reasons: Vec<String>,
    },
    /// The trailers tell of another stream than the frames.
    #[error(
        "the stream has {found_length} bytes in {found_stripes} stripes, and every trailer tells \
         otherwise, of {length} bytes in {stripes} stripes or of another digest"
    )]
    Totals {
        /// Bytes there were.
        found_length: u64,
        /// Stripes there were.
        found_stripes: u64,
        /// Bytes that a trailer tells of.
        length: u64,
        /// Stripes that a trailer tells of.
        stripes: u64,
    },
    /// Asked to stop.
    #[error("stopped before the end")]
    Cancelled,
}
