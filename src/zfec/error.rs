//! What can be wrong with zfec's shares.

use std::io;

use distdup_codecs::CodecError;

use super::Header;
use crate::catalogue::catalogue;

/// Why shares could not be read or written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ZfecError {
    /// A share that could not be opened.
    #[error("{name} could not be opened")]
    Open {
        /// Which.
        name: String,
        /// What it said.
        #[source]
        source: io::Error,
    },
    /// A share that could not be read.
    #[error("{name} could not be read further")]
    Read {
        /// Which.
        name: String,
        /// What it said.
        #[source]
        source: io::Error,
    },
    /// Not a header of zfec's.
    #[error(
        "{name} does not begin with a header of zfec's, of 2 to 4 bytes: it is cut off, or something \
         else"
    )]
    NoHeader {
        /// Which.
        name: String,
    },
    /// A share of distdup's.
    #[error("{name} is a share of distdup's, not of zfec's: decode it with others of its kind")]
    NotZfec {
        /// Which.
        name: String,
    },
    /// Shares that do not belong together.
    #[error(
        "{first} says ({}, {}) with {} bytes of padding, and {second} says ({}, {}) with {}: these \
         are shares of different files",
        .one.k, .one.n, .one.padding, .other.k, .other.n, .other.padding
    )]
    Mismatch {
        /// A share.
        first: String,
        /// What it says.
        one: Header,
        /// Another.
        second: String,
        /// What that says.
        other: Header,
    },
    /// One share given twice.
    #[error("{first} and {second} are both share {index}: leave one of them out")]
    Twice {
        /// The one.
        first: String,
        /// The other.
        second: String,
        /// Which share they are.
        index: usize,
    },
    /// Fewer than k.
    #[error("too few shares: {k} of {n} are needed, {found} are given")]
    TooFew {
        /// Shares that suffice.
        k: usize,
        /// Shares in all.
        n: usize,
        /// Shares that there are.
        found: usize,
    },
    /// Shares of different lengths.
    #[error(
        "{short} ends {behind} bytes or more before {long}: shares of a file are of one length, so \
         that one of them is cut off or of another file"
    )]
    Lengths {
        /// The shorter.
        short: String,
        /// The longer.
        long: String,
        /// By how much at least.
        behind: usize,
    },
    /// More than k shares, and they contradict each other.
    #[error(
        "{name} contradicts the shares with lower numbers, near byte {offset} of the stream: one of \
         them is damaged or of another file, and zfec's shares have no digest to tell which; give \
         other {k} of the shares at a time, and compare what comes out"
    )]
    Contradiction {
        /// The share with the highest number of those that contradict each other.
        name: String,
        /// Where the stripe begins, about.
        offset: u64,
        /// Shares that suffice.
        k: usize,
    },
    /// Padding that there cannot be.
    #[error(
        "the last {padding} bytes are padding, and should be zero, but are not, or are not there: a \
         share is damaged or of another file"
    )]
    Padding {
        /// Bytes of it.
        padding: usize,
    },
    /// The header says how long the stream is, and stands before it.
    #[error(
        "zfec's header stands first and depends on the length of the stream, which is not known: \
         give --size, or write to files, since {name} cannot be gone back in"
    )]
    LengthUnknown {
        /// A sink that cannot.
        name: String,
    },
    /// The input was not of the length that the headers say.
    #[error("the input has {found} bytes, and the headers were written for {expected}")]
    Length {
        /// Bytes that were expected.
        expected: u64,
        /// Bytes that there are.
        found: u64,
    },
    /// The input failed.
    #[error("the input failed at byte {offset}")]
    Input {
        /// Bytes that were taken in before.
        offset: u64,
        /// What it said.
        #[source]
        source: io::Error,
    },
    /// An output failed.
    #[error("{name} could not be written")]
    Output {
        /// Which.
        name: String,
        /// What it said.
        #[source]
        source: io::Error,
    },
    /// The codec refused.
    #[error(transparent)]
    Codec(#[from] CodecError),
    /// Asked to stop.
    #[error("stopped before the end")]
    Cancelled,
}

catalogue! {
    ZfecError {
        Self::NoHeader { .. } | Self::NotZfec { .. } => "zfec-share-unknown":
            "The stream was not restored. The shares are as they were."
            "Leave that share out; shares of distdup's are decoded with others of their kind.";
        Self::Mismatch { .. } | Self::Twice { .. } | Self::Lengths { .. } => "zfec-shares-mixed":
            "The stream was not restored. The shares are as they were."
            "Give shares of one file only, each once, and none that is cut off.";
        Self::TooFew { .. } => "zfec-too-few-shares":
            "The stream was not restored. The shares are as they were."
            "Give more shares of the file.";
        Self::Contradiction { .. } | Self::Padding { .. } => "zfec-shares-damaged":
            "Some share is damaged or of another file; which, zfec's shares cannot tell."
            "Decode from other sets of as many shares as suffice, and compare what comes out.";
        Self::LengthUnknown { .. } | Self::Length { .. } => "zfec-length":
            "No share was completed."
            "Give the length of the input by --size, or write to files.";
        Self::Cancelled => "zfec-stopped":
            "The shares are as they were, and what was being written does not pass for complete."
            "Run the same command again.";
    }
    passing {
        Self::Codec(error) => error;
        Self::Open { source, .. }
        | Self::Read { source, .. }
        | Self::Input { source, .. }
        | Self::Output { source, .. } => source;
    }
}
