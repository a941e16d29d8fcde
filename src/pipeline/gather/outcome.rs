//! What became of a source.

use std::fmt;

use super::flaw::{FrameFlaw, ShareFlaw};
use crate::catalogue::Catalogued;
use crate::pipeline::muster::SourceFailure;

/// Faults of a source that are kept word for word; beyond, they are counted.
const FAULTS_KEPT: usize = 16;

/// What stands where a frame should.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum FrameState {
    /// What was written.
    Good,
    /// Something else, or something that cannot be read.
    Damaged,
    /// Nothing.
    Missing,
}

impl fmt::Display for FrameState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Good => "good",
            Self::Damaged => "damaged",
            Self::Missing => "missing",
        })
    }
}

/// A frame that could not be used, or several one after another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FrameFault {
    /// Its stripe.
    pub stripe: u64,
    /// How many there are from this one on of which the same can be said.
    pub count: u64,
    /// Why not.
    pub flaw: FrameFlaw,
}

/// What became of one source.
#[derive(Debug)]
pub struct SourceOutcome {
    /// The source's own name.
    pub name: String,
    /// Index of the share in it, if that became known.
    pub index: Option<usize>,
    /// Good frames that it gave.
    pub frames: u64,
    /// The first of its frames that could not be used.
    pub faults: Vec<FrameFault>,
    /// How many there were in all.
    pub fault_count: u64,
    /// What else is wrong with the share: its header, its trailer.
    pub flaws: Vec<ShareFlaw>,
    /// Why it could not be used at all, or not to its end.
    pub failure: Option<SourceFailure>,
    /// Whether it was seen to have a good trailer.
    pub complete: bool,
}

impl SourceOutcome {
    pub(crate) fn new(name: String) -> Self {
        Self {
            name,
            index: None,
            frames: 0,
            faults: Vec::new(),
            fault_count: 0,
            flaws: Vec::new(),
            failure: None,
            complete: false,
        }
    }

    /// Notes `count` frames, from that of `stripe` on, that cannot be used.
    pub(crate) fn faults(&mut self, stripe: u64, count: u64, flaw: FrameFlaw) {
        self.fault_count = self.fault_count.saturating_add(count);
        if self.faults.len() < FAULTS_KEPT {
            self.faults.push(FrameFault {
                stripe,
                count,
                flaw,
            });
        }
    }

    /// The code of the first that is wrong with it.
    pub fn code(&self) -> Option<&'static str> {
        let failure = self.failure.as_ref().and_then(Catalogued::entry);
        let flaw = || self.flaws.first().and_then(Catalogued::entry);
        let frame = || self.faults.first().and_then(|fault| fault.flaw.entry());
        let entry = failure.or_else(flaw).or_else(frame);
        entry.map(|entry| entry.code)
    }

    /// Whether nothing is wrong with it.
    pub fn is_good(&self) -> bool {
        self.failure.is_none() && self.fault_count == 0 && self.flaws.is_empty()
    }
}
