//! Which sources are asked for what, and what becomes of a stripe.

use distdup_codecs::ShardSet;

use super::Gather;
use super::slot::{Ask, Slot, State};
use super::workers::Job;
use crate::pipeline::rebuild::Unconfirmed;

impl Gather {
    /// Takes as many stripes under way as the window holds.
    pub(super) fn extend(&mut self) {
        while self.window.len() < self.plan.window && self.stripes.is_none_or(|all| self.next < all)
        {
            self.window.push_back(Slot {
                stripe: self.next,
                asks: vec![Ask::Not; self.lanes.len()],
                pieces: Vec::new(),
                torn: ShardSet::default(),
                faults: Vec::new(),
                ends: 0,
                search: false,
                searched: false,
                state: State::Collecting,
            });
            self.next += 1;
            let at = self.window.len() - 1;
            for lane in 0..self.lanes.len() {
                if !self.lanes[lane].seekable {
                    self.ask(at, lane);
                }
            }
            self.pursue(at);
        }
    }

    /// Asks a source for a stripe's frame, if it can be asked; and with it those that claim to hold
    /// the same share, since of two frames that differ neither is to be believed.
    fn ask(&mut self, at: usize, lane: usize) -> bool {
        let index = self.lanes[lane].outcome.index;
        let asked = self.ask_one(at, lane);
        if asked && index.is_some() {
            for twin in 0..self.lanes.len() {
                if self.lanes[twin].outcome.index == index {
                    self.ask_one(at, twin);
                }
            }
        }
        asked
    }

    /// A pipe does not come back to what it has passed: it is asked first for what it was too far
    /// behind to be asked for, where that may still be needed.
    fn ask_one(&mut self, at: usize, lane: usize) -> bool {
        if !self.lanes[lane].seekable {
            for earlier in 0..at {
                let slot = &self.window[earlier];
                let is_open = matches!(slot.state, State::Collecting | State::Working);
                let is_due = is_open && slot.asks[lane] == Ask::Not;
                if is_due && !self.ask_next(earlier, lane) {
                    return false;
                }
            }
        }
        self.ask_next(at, lane)
    }

    fn ask_next(&mut self, at: usize, lane: usize) -> bool {
        let full = self.is_full(lane);
        let slot = &mut self.window[at];
        if slot.asks[lane] != Ask::Not || full {
            return false;
        }
        let asked = self.lanes[lane].request(slot.stripe);
        if asked {
            slot.asks[lane] = Ask::Waiting;
        }
        asked
    }

    /// A source that is so far behind is an erasure until it has caught up, unless it is needed.
    pub(super) fn is_full(&self, lane: usize) -> bool {
        self.lanes[lane].outstanding >= 2 * self.plan.window
    }

    /// Whether a source could not be asked for a stripe, and will be once it has caught up.
    pub(super) fn is_behind(&self, at: usize, lane: usize) -> bool {
        let not_asked = self.window[at].asks[lane] == Ask::Not;
        not_asked && self.is_full(lane) && self.lanes[lane].can_serve()
    }

    /// Does what can be done for a stripe: rebuild it, wait, ask more sources, or give it up.
    pub(super) fn pursue(&mut self, at: usize) {
        if !matches!(self.window[at].state, State::Collecting) {
            return;
        }
        let slot = &self.window[at];
        let code = self.common.code();
        let have = slot.have();
        let enough = code.is_recoverable(have);
        let waits_for = |lane: usize| slot.asks[lane] == Ask::Waiting;
        let waiting = (0..self.lanes.len()).any(waits_for);
        let twin_may_differ = self.lanes.iter().enumerate().any(|(lane, source)| {
            let claims_one = source
                .outcome
                .index
                .is_some_and(|index| have.contains(index));
            claims_one && waits_for(lane) && !source.is_late()
        });
        if enough && !slot.search && !twin_may_differ {
            return self.rebuild(at);
        }
        let asked_more = if slot.search {
            self.ask_all(at)
        } else {
            self.ask_for_enough(at, have)
        };
        let may_yet_help = (0..self.lanes.len()).any(|lane| {
            // Not identified yet, or behind: it may be the one that is needed.
            let source = &self.lanes[lane];
            source.unidentified && source.can_serve() || self.is_behind(at, lane)
        });
        if waiting || asked_more || may_yet_help {
            return;
        }
        if enough {
            return self.rebuild(at);
        }
        // A single good frame shows that a stream is not empty.
        let asked_all = self.window[at].stripe == 0 && self.is_told_empty() && self.ask_all(at);
        if !asked_all {
            self.window[at].state = State::Lost(Unconfirmed::TooFew);
        }
    }

    fn ask_all(&mut self, at: usize) -> bool {
        // All of them: `any` would stop at the first.
        (0..self.lanes.len())
            .filter(|&lane| self.ask(at, lane))
            .count()
            > 0
    }

    /// Asks as many more sources as it takes, those first that can be relied on.
    fn ask_for_enough(&mut self, at: usize, have: ShardSet) -> bool {
        for relied_on in [true, false] {
            let slot = &self.window[at];
            let mut expected = have;
            let mut able = ShardSet::default();
            for (lane, source) in self.lanes.iter().enumerate() {
                let Some(index) = source.outcome.index else {
                    continue;
                };
                if slot.torn.contains(index) || relied_on && source.is_late() {
                    continue;
                }
                match slot.asks[lane] {
                    Ask::Waiting => {
                        expected.insert(index);
                    }
                    Ask::Not if source.can_serve() && !(relied_on && self.is_full(lane)) => {
                        able.insert(index);
                    }
                    Ask::Not | Ask::Answered => {}
                }
            }
            let code = self.common.code();
            if code.is_recoverable(expected) {
                return false;
            }
            let needed = match code.sufficient_subset(expected.union(able)) {
                Some(needed) => needed,
                // What is not enough may still be something.
                None if self.plan.salvage && !relied_on => able,
                None => continue,
            };
            let mut missing = needed.difference(expected);
            let mut asked = false;
            for lane in 0..self.lanes.len() {
                let index = self.lanes[lane].outcome.index;
                let late = relied_on && self.lanes[lane].is_late();
                if let Some(index) = index.filter(|&index| missing.contains(index) && !late)
                    && self.ask(at, lane)
                {
                    missing.remove(index);
                    asked = true;
                }
            }
            if asked {
                return true;
            }
        }
        false
    }

    fn rebuild(&mut self, at: usize) {
        let slot = &mut self.window[at];
        slot.state = State::Working;
        slot.searched = slot.search;
        let job = Job {
            stripe: slot.stripe,
            pieces: slot.pieces.clone(),
            search: slot.search,
        };
        if self.jobs.send(job).is_err() {
            slot.state = State::Lost(Unconfirmed::TooFew); // the workers panicked, and said so
        }
    }
}
