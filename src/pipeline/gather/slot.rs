//! One stripe under way.

use distdup_codecs::ShardSet;

use super::flaw::FrameFlaw;
use super::lane::{Answer, Lane};
use crate::pipeline::rebuild::{GoodStripe, Piece, Unconfirmed};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ask {
    Not,
    Waiting,
    Answered,
}

pub(super) enum State {
    Collecting,
    Working,
    Done(GoodStripe),
    /// Nothing more can be done.
    Lost(Unconfirmed),
}

/// A stripe under way.
pub(super) struct Slot {
    pub(super) stripe: u64,
    pub(super) asks: Vec<Ask>,
    pub(super) pieces: Vec<Piece>,
    /// Shares of which two good frames differ: neither is used.
    pub(super) torn: ShardSet,
    pub(super) faults: Vec<(usize, String)>,
    pub(super) ends: usize,
    /// Some piece is wrong in spite of its check.
    pub(super) search: bool,
    /// All sets of the pieces were tried, or are being tried.
    pub(super) searched: bool,
    pub(super) state: State,
}

impl Slot {
    /// Shares of which there is a good frame.
    pub(super) fn have(&self) -> ShardSet {
        let share = |piece: &Piece| piece.checked.head.share;
        self.pieces.iter().map(share).collect()
    }

    /// Whether no good frame of it was found.
    pub(super) fn is_blank(&self) -> bool {
        self.pieces.is_empty() && self.torn.is_empty()
    }

    pub(super) fn take(&mut self, lane: usize, answer: Answer, lanes: &mut [Lane]) {
        self.asks[lane] = Ask::Answered;
        let piece = match answer {
            Answer::Fault(flaw) => return self.faults.push((lane, flaw.to_string())),
            Answer::End(end) => {
                self.ends += 1;
                return self.faults.push((lane, end.to_string()));
            }
            Answer::Piece(piece) => piece,
        };
        let head = piece.checked.head;
        // While a first try is under way, a spare that comes may be what a second one needs.
        let is_of_use = matches!(self.state, State::Collecting | State::Working);
        if !is_of_use || self.torn.contains(head.share) {
            return;
        }
        let same_share = |other: &Piece| other.checked.head.share == head.share;
        if let Some(at) = self.pieces.iter().position(same_share) {
            if self.pieces[at].checked == piece.checked {
                return; // a spare
            }
            // Two good frames for one place: one of them lies, and nothing says which.
            self.pieces.swap_remove(at);
            self.torn.insert(head.share);
            let flaw = FrameFlaw::Torn { share: head.share };
            for source in lanes
                .iter_mut()
                .filter(|one| one.outcome.index == Some(head.share))
            {
                source.outcome.faults(self.stripe, 1, flaw.clone());
            }
            return self.faults.push((lane, flaw.to_string()));
        }
        let agrees = |other: &Piece| other.checked.head.claim == head.claim;
        self.search |= !self.pieces.iter().all(agrees);
        self.pieces.push(piece);
    }
}
