//! One source, and its thread.

use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender, unbounded};

use super::Event;
use super::flaw::{FrameFlaw, ShareFlaw};
use super::outcome::SourceOutcome;
use crate::format::Common;
use crate::format::scan::{End, Ending, FaultKind, Found, OpenShare};
use crate::pipeline::muster::{Mustered, SourceFailure};
use crate::pipeline::pool::{Borrower, Pool};
use crate::pipeline::rebuild::Piece;

/// A source that has not answered for so long is not relied on if others can serve.
const PATIENCE: Duration = Duration::from_secs(1);

/// What a source says when it is asked for a frame.
pub(super) enum Answer {
    Piece(Piece),
    Fault(FrameFlaw),
    End(End),
}

/// A source.
pub(super) struct Lane {
    pub(super) outcome: SourceOutcome,
    /// Gone: nothing more can be had.
    pub(super) requests: Option<Sender<u64>>,
    /// Its index is still to be found out.
    pub(super) unidentified: bool,
    pub(super) seekable: bool,
    /// Bytes of it: of a pipe up to its trailer, once that was met.
    pub(super) len: Option<u64>,
    pub(super) outstanding: usize,
    /// When it last answered, or was asked while it had nothing to do.
    pub(super) heard: Instant,
    /// The last stripes that it was asked for, and answered for, counted from 1.
    pub(super) was_asked: u64,
    pub(super) has_answered: u64,
    pub(super) ending: Option<Ending>,
    pub(super) ended: bool,
}

impl Lane {
    pub(super) fn start(
        lane: usize,
        Mustered { name, share }: Mustered,
        common: &Arc<Common>,
        pool: &Pool,
        report: &Sender<Event>,
    ) -> Self {
        let mut started = Self {
            outcome: SourceOutcome::new(name),
            requests: None,
            unidentified: false,
            seekable: true,
            len: None,
            outstanding: 0,
            heard: Instant::now(),
            was_asked: 0,
            has_answered: 0,
            ending: None,
            ended: false,
        };
        let share = match share {
            Ok(share) => share,
            Err(failure) => {
                started.outcome.failure = Some(failure);
                return started;
            }
        };
        if let Some((own, _)) = share.claims()
            && own.stream() != common.stream()
        {
            started.outcome.failure = Some(SourceFailure::OtherStream(own.stream()));
            return started;
        }
        started.look_at(&share, common);
        started.len = share.len;
        let (requests, asked) = unbounded();
        let serving = Serving {
            lane,
            common: Arc::clone(common),
            pool: pool.borrower(),
            report: report.clone(),
        };
        let seekable = share.len.is_some();
        let thread = thread::Builder::new().name(format!("source {lane}"));
        match thread.spawn(move || serving.run(share, &asked)) {
            Ok(_) => {
                started.requests = Some(requests);
                started.seekable = seekable;
                started.unidentified = started.outcome.index.is_none();
            }
            Err(error) => started.outcome.failure = Some(SourceFailure::Open(error)),
        }
        started
    }

    /// What header and ending say.
    fn look_at(&mut self, share: &OpenShare, common: &Common) {
        if let Some((own, index)) = share.claims()
            && own == common
        {
            self.outcome.index = Some(index);
        }
        let flaws = &mut self.outcome.flaws;
        match &share.header {
            Err(fault) => flaws.push(fault.clone().into()),
            Ok(header) if header.common != *common => flaws.push(ShareFlaw::HeaderDiffers),
            Ok(_) => {}
        }
        if share.len.is_some() {
            self.ending = share.own_ending(common).cloned();
            match &self.ending {
                None => flaws.push(ShareFlaw::NoTrailer),
                Some(ending) if !ending.in_place() => flaws.push(ShareFlaw::Displaced),
                Some(_) => {}
            }
        }
    }

    pub(super) fn request(&mut self, stripe: u64) -> bool {
        let Some(requests) = self.requests.as_ref().filter(|_| !self.ended) else {
            return false;
        };
        if self.outstanding == 0 {
            self.heard = Instant::now();
        }
        let asked = requests.send(stripe).is_ok();
        self.outstanding += usize::from(asked);
        self.was_asked = self.was_asked.max(stripe + 1);
        asked
    }

    /// Whether it has left a request unanswered for long.
    pub(super) fn is_late(&self) -> bool {
        (self.outstanding > 0 || self.unidentified) && self.heard.elapsed() >= PATIENCE
    }

    /// Whether it can still be asked.
    pub(super) fn can_serve(&self) -> bool {
        self.requests.is_some() && !self.ended
    }

    pub(super) fn identified(&mut self, index: Option<usize>, common: &Common) {
        self.unidentified = false;
        self.heard = Instant::now();
        self.outcome.index = index;
        if index.is_none() && self.requests.take().is_some() {
            let what = format!("no good frame of stream {} in it", common.stream());
            self.outcome.failure = Some(SourceFailure::NoShare(what));
        }
    }

    /// Takes note of an answer.
    pub(super) fn answered(&mut self, stripe: u64, answer: &Answer) {
        self.outstanding -= 1;
        self.heard = Instant::now();
        self.has_answered = self.has_answered.max(stripe + 1);
        match answer {
            Answer::Piece(_) => self.outcome.frames += 1,
            Answer::Fault(flaw) => {
                self.outcome.faults(stripe, 1, flaw.clone());
                if let FrameFlaw::Found(fault) = flaw
                    && matches!(fault.kind, FaultKind::Ended { .. })
                {
                    self.len = self.len.or(Some(fault.offset)); // the trailer's
                }
            }
            Answer::End(end) => {
                if self.ending.is_none() && end.ending.is_some() {
                    self.ending.clone_from(&end.ending);
                    for flaw in &mut self.outcome.flaws {
                        if matches!(flaw, ShareFlaw::NoTrailer) {
                            *flaw = ShareFlaw::Followed;
                        }
                    }
                }
                // One that can be positioned has said at the start how it ends, and can be asked
                // again for what is before.
                let ends = !self.seekable && !std::mem::replace(&mut self.ended, true);
                match &end.ending {
                    _ if !ends => {}
                    None => {
                        let offset = end.offset;
                        self.outcome.flaws.push(ShareFlaw::CutOff { offset });
                    }
                    Some(ending) if !ending.in_place() => {
                        self.outcome.flaws.push(ShareFlaw::Displaced);
                    }
                    Some(_) => {}
                }
            }
        }
    }
}

/// A source's thread.
struct Serving {
    lane: usize,
    common: Arc<Common>,
    pool: Borrower,
    report: Sender<Event>,
}

impl Serving {
    /// Ends when nobody asks any more; whoever would hear it may be gone, too.
    fn run(self, share: OpenShare, asked: &Receiver<u64>) {
        let mut reader = share.frames(self.common);
        if reader.index().is_none() {
            let Some(mut buffer) = self.pool.take() else {
                return;
            };
            let event = match reader.identify(buffer.as_mut()) {
                Ok(index) => Event::Identified(self.lane, index),
                Err(error) => Event::Failed(self.lane, SourceFailure::Read(error)),
            };
            let _ = self.report.send(event);
        }
        for stripe in asked {
            let Some(mut buffer) = self.pool.take() else {
                return;
            };
            let answer = match reader.read(stripe, buffer.as_mut()) {
                Ok(Found::Frame(checked)) => {
                    let frame = buffer.freeze().slice(..checked.len);
                    Answer::Piece(Piece { checked, frame })
                }
                Ok(Found::Fault(fault)) => Answer::Fault(FrameFlaw::Found(fault)),
                Ok(Found::End(end)) => Answer::End(end),
                // A bad sector spoils its own frames; a pipe that fails is at its end.
                Err(error) if reader.is_seekable() => {
                    Answer::Fault(FrameFlaw::Unreadable(error.to_string()))
                }
                Err(error) => {
                    let _ = self
                        .report
                        .send(Event::Failed(self.lane, SourceFailure::Read(error)));
                    return;
                }
            };
            if self
                .report
                .send(Event::Answer(self.lane, stripe, answer))
                .is_err()
            {
                return;
            }
        }
    }
}
