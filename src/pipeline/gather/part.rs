//! What there is of a stripe that is beyond recovery.

use std::time::Instant;

use bytes::Bytes;
use distdup_codecs::ShardSet;

use super::{Front, Gather, GatherError, Slot, SourceOutcome, State, agreed, endings};
use crate::format::Totals;
use crate::format::digest::Digest;
use crate::format::frame::{Claim, HEAD_LEN};
use crate::pipeline::rebuild::{GoodStripe, Rebuilder, Unconfirmed};

/// As many stripes in a row as may be missing without a trace before a pipe's next frame: which stripe that
/// one is, it only claims, and a pipe has no length that would bound it.
const LONGEST_GAP: u64 = 1 << 16;

/// What was had of a stripe.
pub(crate) enum Had {
    Whole(GoodStripe),
    Part(Part),
}

/// A stripe that cannot be had.
pub(crate) struct Part {
    /// Bytes of the stream in it; as many as a full one has where nothing tells.
    pub(crate) data_len: u32,
    /// Whether a good frame tells so.
    pub(crate) is_told: bool,
    /// Its k data shards, those that there are.
    pub(crate) shards: Vec<Option<Bytes>>,
}

/// What the parts of a stream came to.
pub(crate) struct Parts {
    /// The stream's length, if anything tells.
    pub(crate) length: Option<u64>,
    /// What it came to, if it has no gaps.
    pub(crate) totals: Option<Totals>,
    pub(crate) sources: Vec<SourceOutcome>,
}

impl Gather {
    /// The next stripe, in order, or what there is of it; `None` at the end of the stream, or where
    /// nothing tells of any more of it.
    pub(crate) fn next_or_part(&mut self) -> Result<Option<Had>, GatherError> {
        self.come_back();
        let front = self.advance()?;
        if matches!(front, Front::Lost(_)) && self.is_told_to_end() {
            // Whether there are frames all the same: endings may be forged.
            self.settle(&(0..self.lanes.len()).collect::<Vec<_>>())?;
        }
        self.left = Instant::now();
        Ok(match front {
            Front::Good(good) => {
                self.gap = 0;
                Some(Had::Whole(good))
            }
            Front::Lost(_) if self.is_beyond_all() => {
                self.ended = true;
                None
            }
            Front::Lost(unconfirmed) => Some(Had::Part(self.part(unconfirmed))),
            Front::End => None,
        })
    }

    /// After the last stripe: what the stream came to, as far as anything tells.
    pub(crate) fn finish_parts(mut self) -> Result<Parts, GatherError> {
        self.come_back();
        self.drain()?;
        let found = self.stream.totals();
        let length = if self.saw_last {
            Some(found.length)
        } else if found.stripes == 0 && self.is_told_empty() {
            Some(0)
        } else {
            agreed(endings(&self.lanes))
                .filter(|told| told.stripes == found.stripes)
                .map(|told| told.length)
        };
        let has_gaps = self.has_gaps;
        self.hold_trailers_against(|told| {
            let same = Some(told.length) == length && told.stripes == found.stripes;
            same && (has_gaps || *told == found)
        });
        Ok(Parts {
            length,
            totals: (length.is_some() && !has_gaps).then_some(found),
            sources: self.outcomes(),
        })
    }

    /// What endings tell that are in their place. Pipes tell when they have been read to their ends. Of
    /// endings out of their place only some are true, and one that is forged may tell of more stripes
    /// than can be counted.
    fn told_in_place(&self) -> Option<Totals> {
        agreed(endings(&self.lanes).filter(|ending| ending.in_place()))
    }

    /// Whether by the endings the stream ends before the window's first stripe.
    fn is_told_to_end(&self) -> bool {
        let told = self.told_in_place();
        told.is_some_and(|told| self.window[0].stripe >= told.stripes)
    }

    /// Whether the stream ends before the window's first stripe, or nothing tells of that or any
    /// later one.
    fn is_beyond_all(&self) -> bool {
        let head = &self.window[0];
        if !self.window.iter().all(Slot::is_blank) {
            return false;
        }
        if self.told_in_place().is_some() {
            return self.is_told_to_end();
        }
        let frame_len = (HEAD_LEN + self.common.shard_len()) as u64;
        // A share may fail at each of any number of frames: it has no more than there is room for.
        let beyond = self.lanes.iter().all(|lane| match lane.len {
            Some(len) => head.stripe >= len.div_ceil(frame_len),
            None => !lane.can_serve() || self.gap >= LONGEST_GAP,
        });
        let only_ends = head.ends == head.faults.len();
        only_ends || beyond
    }

    fn part(&mut self, unconfirmed: Unconfirmed) -> Part {
        let slot = self.window.pop_front().expect("looked at just before");
        debug_assert!(matches!(slot.state, State::Lost(_)), "and is lost");
        self.gap = if slot.pieces.is_empty() {
            self.gap + 1
        } else {
            0
        };
        let mut claims = slot.pieces.iter().map(|piece| piece.checked.head.claim);
        let first = claims.next();
        let claim = first.filter(|first| claims.all(|claim| claim == *first));
        let k = self.common.geometry().k();
        // Where frames are right each by itself and wrong together, nothing says which are.
        let shards = if unconfirmed == Unconfirmed::TooFew && claim.is_some() {
            Rebuilder::new(self.common.clone(), self.pool.clone(), ShardSet::default())
                .data_of(&slot.pieces)
        } else {
            vec![None; k]
        };
        let is_told = claim.is_some();
        let stripe_len = u32::try_from(self.common.stripe_len()).expect("at most 64 MiB");
        let claim = claim.unwrap_or(Claim {
            data_len: stripe_len,
            last: false,
            digest: Digest::from([0; 16]),
        });
        self.has_gaps = true;
        self.pass(&claim);
        Part {
            data_len: claim.data_len,
            is_told,
            shards,
        }
    }
}
