//! One share that is read in step with the others.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded, select};

use crate::control::Control;
use crate::decode::{FrameFlaw, FrameState, GatherError, SourceFailure};
use crate::format::scan::OpenShare;
use crate::format::{Common, Totals};
use crate::pipeline::muster::Mustered;
use crate::verify::{Seen, Verdict, examine};

/// How far ahead of the others a share is read, in frames.
const AHEAD: usize = 64;

enum Told {
    /// Of which share it is: before all else, if that is known.
    Seen(Option<usize>, Seen),
    Done(Box<Verdict>),
}

/// A source.
pub(super) struct Lane {
    name: String,
    index: Option<usize>,
    /// What its trailer tells, if that was seen before all else.
    told: Option<Totals>,
    heard: Option<Receiver<Told>>,
    /// What it says of the stripes up to `end`.
    current: Option<Run>,
    end: u64,
    verdict: Option<Verdict>,
    timeout: Duration,
}

struct Run {
    last: bool,
    /// What is wrong with it, if anything is.
    flaw: Option<FrameFlaw>,
}

impl Lane {
    pub(super) fn start(
        Mustered { name, share }: Mustered,
        common: &Arc<Common>,
        timeout: Duration,
        control: &Control,
    ) -> Self {
        let mut lane = Self {
            name: name.clone(),
            index: None,
            told: None,
            heard: None,
            current: None,
            end: 0,
            verdict: None,
            timeout,
        };
        let share = match share {
            Ok(share) => share,
            Err(failure) => {
                lane.verdict = Some(Verdict::failed(name, failure));
                return lane;
            }
        };
        lane.index = share.claims().map(|(_, index)| index);
        lane.told = share.own_ending(common).map(|ending| ending.trailer.totals);
        let (tell, heard) = bounded(AHEAD);
        let progress = Arc::clone(&control.progress);
        let common = Arc::clone(common);
        let passed = move |bytes| {
            progress.bytes.fetch_add(bytes, Ordering::Relaxed);
        };
        let read = move || read(name, share, &common, &tell, passed);
        match thread::Builder::new().name("why".into()).spawn(read) {
            Ok(_) => lane.heard = Some(heard),
            Err(error) => lane.give_up(SourceFailure::Open(error)),
        }
        lane
    }

    pub(super) fn index(&self) -> Option<usize> {
        self.index
    }

    /// What its trailer tells, if that was seen.
    pub(super) fn told(&self) -> Option<Totals> {
        let found = self.verdict.as_ref().and_then(|verdict| verdict.totals);
        found.or(self.told)
    }

    /// What it says of the stripes come to; `None` if it is at its end.
    pub(super) fn state(&self) -> Option<FrameState> {
        let flaw = |run: &Run| run.flaw.as_ref().map_or(FrameState::Good, FrameFlaw::state);
        self.current.as_ref().map(flaw)
    }

    /// What is wrong there.
    pub(super) fn flaw(&self) -> Option<&FrameFlaw> {
        self.current.as_ref()?.flaw.as_ref()
    }

    /// The stripe up to which it says so.
    pub(super) fn end(&self) -> Option<u64> {
        self.current.as_ref().map(|_| self.end)
    }

    /// Whether it says that the stream ends with the stripe come to.
    pub(super) fn is_last(&self) -> bool {
        self.current.as_ref().is_some_and(|run| run.last)
    }

    /// Goes on until it says something of that stripe, or is at its end.
    pub(super) fn come_to(&mut self, stripe: u64, control: &Control) -> Result<(), GatherError> {
        while self.end <= stripe {
            self.current = None;
            match self.hear(control)? {
                Some(Told::Seen(index, seen)) => {
                    self.index = self.index.or(index);
                    let (count, run) = match seen {
                        Seen::Good { last, .. } => (1, Run { last, flaw: None }),
                        Seen::Bad { count, flaw } => {
                            let (last, flaw) = (false, Some(flaw));
                            (count, Run { last, flaw })
                        }
                    };
                    self.end = self.end.saturating_add(count);
                    self.current = Some(run);
                }
                Some(Told::Done(verdict)) => self.done(*verdict),
                None => break,
            }
        }
        Ok(())
    }

    /// Reads to its end, and says what was found.
    pub(super) fn finish(mut self, control: &Control) -> Result<Verdict, GatherError> {
        while let Some(told) = self.hear(control)? {
            if let Told::Done(verdict) = told {
                self.done(*verdict);
            }
        }
        let lost = || SourceFailure::Read(std::io::Error::other("the reading did not end"));
        let Self { verdict, name, .. } = self;
        Ok(verdict.unwrap_or_else(|| Verdict::failed(name, lost())))
    }

    fn done(&mut self, verdict: Verdict) {
        self.heard = None;
        self.index = self.index.or(verdict.outcome.index);
        self.verdict = Some(verdict);
    }

    fn give_up(&mut self, failure: SourceFailure) {
        let mut verdict = Verdict::failed(self.name.clone(), failure);
        verdict.outcome.index = self.index;
        self.done(verdict);
    }

    /// The next that it tells; `None` if there is nothing more to come.
    fn hear(&mut self, control: &Control) -> Result<Option<Told>, GatherError> {
        let Some(heard) = &self.heard else {
            return Ok(None);
        };
        let began = Instant::now();
        let told = select! {
            recv(heard) -> told => told.map_err(|_| RecvTimeoutError::Disconnected),
            recv(control.cancelled) -> _ => return Err(GatherError::Cancelled),
            default(self.timeout) => Err(RecvTimeoutError::Timeout),
        };
        match told {
            Ok(told) => return Ok(Some(told)),
            Err(RecvTimeoutError::Timeout) => self.give_up(SourceFailure::TimedOut {
                waited: began.elapsed(),
            }),
            // It panicked, and has said so.
            Err(RecvTimeoutError::Disconnected) => self.heard = None,
        }
        Ok(None)
    }
}

fn read(
    name: String,
    share: OpenShare,
    common: &Arc<Common>,
    tell: &Sender<Told>,
    passed: impl Fn(u64),
) {
    // Whoever would hear it may be gone.
    let verdict = examine(name, share, Some(common), None, |index, seen| {
        if let Seen::Good { bytes, .. } = seen {
            passed(bytes);
        }
        let _ = tell.send(Told::Seen(index, seen));
    });
    let _ = tell.send(Told::Done(Box::new(verdict)));
}
