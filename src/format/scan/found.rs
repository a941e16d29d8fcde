//! What is found where a frame should be.

use std::fmt;

use super::Ending;
use crate::format::StreamId;
use crate::format::frame::Checked;

/// What was found where a frame was looked for.
#[derive(Debug)]
pub enum Found {
    /// The frame, good.
    Frame(Checked),
    /// The frame is not to be had from this share.
    Fault(Fault),
    /// The share ends before it.
    End(End),
}

/// Why a frame is an erasure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fault {
    /// Offset of the place where it should be, in bytes from the start of the share.
    pub offset: u64,
    /// What is there.
    pub kind: FaultKind,
}

/// What stands where a frame should be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FaultKind {
    /// Bytes that are not what was written.
    Damaged,
    /// A frame of another stream.
    OtherStream(StreamId),
    /// A good frame of this stream, of another share.
    OtherShare(usize),
    /// A frame of this share, of another stripe, alone out of its place.
    OtherStripe(u64),
    /// A later frame of this share.
    Missing {
        /// Its stripe.
        next: u64,
    },
    /// The trailer of this share, which tells of more frames.
    Ended {
        /// How many stripes it tells of.
        stripes: u64,
    },
    /// Nothing that can still be read: a reader that cannot be positioned is past it.
    Passed,
}

/// The end of a share.
#[derive(Debug, Clone)]
pub struct End {
    /// Its offset.
    pub offset: u64,
    /// Trailer and footer, if both are good. A share without is incomplete.
    pub ending: Option<Ending>,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.kind {
            FaultKind::Damaged => write!(f, "damaged at byte {}: digest differs", self.offset),
            FaultKind::OtherStream(stream) => {
                write!(
                    f,
                    "a frame of another stream ({stream}) stands at byte {}",
                    self.offset
                )
            }
            FaultKind::OtherShare(share) => {
                write!(f, "a frame of share {share} stands at byte {}", self.offset)
            }
            FaultKind::OtherStripe(stripe) => {
                write!(
                    f,
                    "the frame of stripe {stripe} stands at byte {}",
                    self.offset
                )
            }
            FaultKind::Missing { next } => {
                write!(f, "missing: at byte {} stripe {next} follows", self.offset)
            }
            FaultKind::Ended { .. } => {
                write!(f, "missing: at byte {} the trailer follows", self.offset)
            }
            FaultKind::Passed => write!(f, "read past it, at byte {}", self.offset),
        }
    }
}

impl fmt::Display for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.ending {
            Some(ending) => write!(
                f,
                "the share ends with {} stripes",
                ending.trailer.totals.stripes
            ),
            None => write!(f, "cut off at byte {}, without a trailer", self.offset),
        }
    }
}
