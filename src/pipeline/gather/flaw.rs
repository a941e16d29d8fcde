//! What can be wrong with a share that is read, and with its frames.

use super::outcome::FrameState;
use crate::catalogue::catalogue;
use crate::format::header::HeaderFault;
use crate::format::scan::{Fault, FaultKind};

/// Why a frame cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FrameFlaw {
    /// Something else stands where it should.
    #[error("{0}")]
    Found(Fault),
    /// The system does not give its bytes.
    #[error("unreadable: {0}")]
    Unreadable(String),
    /// Nothing stands where it should.
    #[error("missing: the share ends before it")]
    Ended,
    /// Two sources hold a good frame for one place, and not the same.
    #[error("two good frames of share {share} differ")]
    Torn {
        /// The share that both are of.
        share: usize,
    },
    /// Its digest is right, and its stripe's says otherwise.
    #[error("not what was written, in spite of its digest")]
    Forged,
}

impl FrameFlaw {
    /// What it is that stands there.
    pub fn state(&self) -> FrameState {
        match self {
            Self::Found(fault) => match fault.kind {
                FaultKind::Damaged
                | FaultKind::OtherStream(_)
                | FaultKind::OtherShare(_)
                | FaultKind::OtherStripe(_) => FrameState::Damaged,
                FaultKind::Missing { .. } | FaultKind::Ended { .. } | FaultKind::Passed => {
                    FrameState::Missing
                }
            },
            Self::Ended => FrameState::Missing,
            Self::Unreadable(_) | Self::Torn { .. } | Self::Forged => FrameState::Damaged,
        }
    }
}

catalogue! {
    FrameFlaw {
        Self::Found(Fault { kind: FaultKind::Damaged, .. }) => "frame-damaged":
            "The frame counts as lost in its stripe alone; the other shares make up for it where enough are good."
            "Write the share again from the others by distdup repair; what may still be lost says distdup why SHARE...";
        Self::Unreadable(_) => "frame-unreadable":
            "The frame counts as lost in its stripe alone; the other shares make up for it where enough are good."
            "Replace the disk, which has begun to fail, and write the share again by distdup repair.";
        Self::Found(Fault { kind: FaultKind::OtherStream(_), .. }) => "frame-of-another-stream":
            "It was not used: the share was mixed up with one of another stream."
            "Write the share again from the others by distdup repair.";
        Self::Found(Fault { kind: FaultKind::OtherShare(_), .. }) => "frame-of-another-share":
            "It was not used: the share was mixed up with another one of its stream."
            "Write the share again from the others by distdup repair.";
        Self::Found(Fault { kind: FaultKind::OtherStripe(_), .. }) => "frame-out-of-place":
            "It was not used where it stands: the share's frames were mixed up."
            "Write the share again from the others by distdup repair.";
        Self::Found(Fault {
            kind: FaultKind::Missing { .. } | FaultKind::Ended { .. } | FaultKind::Passed, ..
        })
        | Self::Ended => "frame-missing":
            "The frame is lost in its stripe alone; the other shares make up for it where enough are good."
            "Write the share again from the others by distdup repair; what may still be lost says distdup why SHARE...";
        Self::Torn { .. } => "frames-differ":
            "Neither was used: one of them was forged or is of a failed machine, and nothing tells which."
            "Give each of the two sources alone with the others, and repair from the one that decodes.";
        Self::Forged => "frame-forged":
            "It was not used; the stripe's digest tells what was written, and the other shares gave it."
            "Find out who can write to that host; then write the share again from the others by distdup repair.";
    }
}

/// What is wrong with a share beside its frames.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum ShareFlaw {
    /// Its header.
    #[error(transparent)]
    Header(#[from] HeaderFault),
    /// Its header is good, and not like those of the others.
    #[error("its header differs from that of the other shares")]
    HeaderDiffers,
    /// It ends like another share.
    #[error("the trailer at its end is that of share {index}")]
    OtherTrailer {
        /// Of which.
        index: usize,
    },
    /// It has no end.
    #[error("incomplete: cut off at byte {offset}, without a trailer")]
    CutOff {
        /// Bytes of it.
        offset: u64,
    },
    /// The same of a file, whose end was looked at first.
    #[error("no good trailer at its end: it is incomplete")]
    NoTrailer,
    /// Its end is good, and not its last bytes.
    #[error("bytes follow its end, and are no part of it")]
    Followed,
    /// Its end is good, and not where it should be.
    #[error("its end is not where it says: bytes were inserted or lost")]
    Displaced,
    /// Its trailer contradicts its frames.
    #[error("its trailer tells of another length or digest than its frames")]
    TrailerDiffers,
    /// A frame is marked as the last and another one follows, or the last one is not.
    #[error("its frame of stripe {stripe} tells of another end of the stream than its trailer")]
    LastDiffers {
        /// Which.
        stripe: u64,
    },
}

catalogue! {
    ShareFlaw {
        Self::HeaderDiffers => "header-differs":
            "The other shares were believed, which are more; its frames were used where they agree."
            "Find out who can write to that host; then write the share again by distdup repair.";
        Self::OtherTrailer { .. } => "trailer-of-another-share":
            "Its frames were used; that end is no proof that they are all."
            "Write the share again from the others by distdup repair.";
        Self::CutOff { .. } | Self::NoTrailer => "share-incomplete":
            "What is there of it is used. Whoever wrote it was stopped, or its end was lost since."
            "Write the share again from the others by distdup repair.";
        Self::Followed => "share-followed":
            "The share itself is used; what follows it is ignored."
            "Write the share again from the others by distdup repair.";
        Self::Displaced => "share-displaced":
            "Its frames were looked for, and used where they were found."
            "Write the share again from the others by distdup repair.";
        Self::TrailerDiffers => "trailer-differs":
            "The frames are good, and some are too few, too many, or of another time; the stream's digest tells when it is read."
            "Look whether the shares give their stream back: distdup why SHARE...";
        Self::LastDiffers { .. } => "last-frame-differs":
            "Each frame is good by its check, and one was marked falsely as the stream's last, or the trailer is of another time: it was forged."
            "Find out who can write to that host; then write the share again from the others by distdup repair.";
    }
    passing { Self::Header(fault) => fault; }
}
