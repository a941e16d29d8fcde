//! Why a stream cannot be brought back.

use std::ops::Range;

use super::Gather;
use crate::catalogue::catalogue;
use crate::pipeline::rebuild::Unconfirmed;
use crate::quote::{lines, with_causes};

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
    /// A shard was computed wrong.
    #[error(
        "stripe {stripe} was rebuilt wrong: a parity shard made of it does not give its data back"
    )]
    Miscomputed {
        /// Which.
        stripe: u64,
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
    /// The trailers tell of another stream than the frames, or as many as tell of an empty one.
    #[error(
        "the stream has {found_length} bytes in {found_stripes} stripes, and trailers tell \
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

catalogue! {
    GatherError {
        Self::Unrecoverable { .. } => "stripe-lost":
            "The stream cannot be restored in full from these shares. They are as they were."
            "Give further shares; which would help says distdup why SHARE...; what there is gives distdup decode --salvage SHARE... -o OUT";
        Self::Miscomputed { .. } => "rebuilt-wrong":
            "This machine computes wrong. The shares that were read are as they were, and no share that was being written passes for complete."
            "Test the machine's memory and processor, and run the same command on another machine.";
        Self::Incomplete { .. } => "shares-incomplete":
            "Whoever wrote these shares was stopped, so that the stream was never complete in them."
            "Take shares of an earlier or later run; what there is gives distdup decode --salvage SHARE... -o OUT";
        Self::Totals { .. } => "trailers-differ":
            "Trailers were altered or mixed up; which length is true cannot be told."
            "Give further shares; what there is gives distdup decode --salvage SHARE... -o OUT";
        Self::Cancelled => "decode-stopped":
            "The shares are as they were, and what was being written does not pass for complete."
            "Run the same command again.";
    }
}

impl Gather {
    /// Why the window's first stripe cannot be had, with what is wrong with each of its frames.
    pub(super) fn lost(&self, unconfirmed: Unconfirmed) -> GatherError {
        let head = &self.window[0];
        let stripe = head.stripe;
        let mut reasons: Vec<String> = Vec::new();
        for (lane, source) in self.lanes.iter().enumerate() {
            let outcome = &source.outcome;
            let of_frame = head
                .faults
                .iter()
                .filter(|(of, _)| *of == lane)
                .map(|(_, what)| what);
            let mut whats: Vec<String> = of_frame.cloned().collect();
            if whats.is_empty()
                && let Some(failure) = &outcome.failure
            {
                whats.push(with_causes(failure));
                whats.extend(outcome.flaws.iter().map(ToString::to_string));
            }
            let share = outcome
                .index
                .map_or(String::new(), |index| format!("share {index}, "));
            reasons.extend(
                whats
                    .into_iter()
                    .map(|what| format!("{share}{}: {what}", outcome.name)),
            );
        }
        let only_ends = head.pieces.is_empty() && head.ends > 0 && head.ends == head.faults.len();
        if only_ends {
            let (stripes, length) = (self.stream.stripes(), self.stream.length());
            return GatherError::Incomplete {
                stripes,
                length,
                reasons,
            };
        }
        let have = head.have();
        let geometry = self.common.geometry();
        let why = match unconfirmed {
            Unconfirmed::TooFew if have.is_empty() => "no good frame of it is there".into(),
            Unconfirmed::TooFew => format!(
                "good frames are those of shares {have}, which do not suffice for {} {geometry}",
                self.common.code().id(),
            ),
            Unconfirmed::Digest => format!(
                "the frames of shares {have} are as they were written, and no set of them gives \
                 the stripe's digest: some were written wrong, or forged"
            ),
            Unconfirmed::Contested => format!(
                "of the frames of shares {have} as many say one thing as another, and each is whole: \
                 some were forged"
            ),
            Unconfirmed::Miscomputed => return GatherError::Miscomputed { stripe },
            Unconfirmed::Padding => "bytes beyond the stream's end are not zero".into(),
        };
        let start = stripe * self.common.stripe_len() as u64;
        let len = head
            .pieces
            .first()
            .map_or(self.common.stripe_len() as u64, |piece| {
                u64::from(piece.checked.head.claim.data_len)
            });
        GatherError::Unrecoverable {
            stripe,
            range: start..start + len,
            why,
            reasons,
        }
    }
}
