//! Operations verify and inspect: what shares say, and whether it is true.

use std::io;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use crossbeam_channel::{after, never, select, unbounded};

use crate::control::Control;
use crate::decode::{FrameFlaw, GatherError, ShareFlaw, SourceFailure, SourceOutcome};
use crate::dice::Dice;
use crate::format::digest::StreamDigest;
use crate::format::frame::Checked;
use crate::format::header::HeaderFault;
use crate::format::scan::{End, Ending, FaultKind, Found, FrameReader, OpenShare};
use crate::format::{Common, Totals};
use crate::source::Source;
use crate::source::heard::Heard;

/// As many frames one after another may be unreadable before a file is given up.
const MOST_UNREADABLE: u32 = 64;

/// What was found out about one share, from itself alone.
#[derive(Debug)]
pub struct Verdict {
    /// What is wrong, if anything is.
    pub outcome: SourceOutcome,
    /// What all shares of its stream say alike.
    pub common: Option<Arc<Common>>,
    /// What the stream came to, by its trailer.
    pub totals: Option<Totals>,
    /// Bytes that stand after its end, and are no part of it.
    pub following: u64,
    /// Only a sample of its frames was read.
    pub sampled: bool,
}

impl Verdict {
    /// Whether the share is whole: every frame good, and the trailer true; of a share that was
    /// sampled, as far as was looked.
    pub fn is_whole(&self) -> bool {
        self.outcome.is_good() && self.outcome.complete
    }
}

/// A sample of a share's stripes, spread out over all of it: one from each of as many pieces.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Subset {
    /// How many of a million stripes are read; at least one of a share that has any.
    pub per_million: u32,
    /// Another seed gives other stripes.
    pub seed: u64,
}

impl Subset {
    /// The first stripe of the sample that is not before `stripe`, of `all`; `all` if there is none.
    fn next(self, stripe: u64, all: u64) -> u64 {
        let pieces = u128::from(self.per_million.clamp(1, 1_000_000));
        let start = |piece: u128| u64::try_from(piece * 1_000_000 / pieces).unwrap_or(u64::MAX);
        let mut piece = u128::from(stripe) * pieces / 1_000_000;
        loop {
            let (from, to) = (start(piece), start(piece + 1).min(all));
            if from >= all {
                return all;
            }
            let number = u64::try_from(piece).unwrap_or(u64::MAX);
            let mut dice = Dice::new(self.seed, number);
            let chosen = from + dice.below(to.saturating_sub(from).max(1));
            if chosen >= stripe {
                return chosen;
            }
            piece += 1;
        }
    }
}

/// Reads each share to its end, side by side, and checks each by itself: no share needs another to
/// be vouched for.
///
/// # Errors
/// Asked to stop.
pub fn verify(
    sources: Vec<Box<dyn Source>>,
    control: &Control,
) -> Result<Vec<Verdict>, GatherError> {
    read_all(sources, None, None, control)
}

/// The same; but a share that says nothing for as long as `patience` is left behind with its thread, and
/// [timed out](SourceFailure::TimedOut).
///
/// # Errors
/// Asked to stop.
pub fn verify_within(
    sources: Vec<Box<dyn Source>>,
    patience: Duration,
    control: &Control,
) -> Result<Vec<Verdict>, GatherError> {
    read_all(sources, None, Some(patience), control)
}

/// The same of a sample of each share's frames, if one is given. A share that cannot be positioned,
/// or has no good ending where it should, is read in full.
///
/// # Errors
/// Asked to stop.
pub fn verify_subset(
    sources: Vec<Box<dyn Source>>,
    subset: Option<Subset>,
    control: &Control,
) -> Result<Vec<Verdict>, GatherError> {
    read_all(sources, subset, None, control)
}

fn read_all(
    sources: Vec<Box<dyn Source>>,
    subset: Option<Subset>,
    patience: Option<Duration>,
    control: &Control,
) -> Result<Vec<Verdict>, GatherError> {
    let mut verdicts: Vec<Option<Verdict>> = Vec::new();
    let mut heard = Vec::new();
    let (report, done) = unbounded();
    for (lane, source) in sources.into_iter().enumerate() {
        let name = source.name();
        let (source, last) = Heard::of(source);
        heard.push((name.clone(), last));
        let (report, progress) = (report.clone(), Arc::clone(&control.progress));
        let check = move || {
            let verdict = verify_one(source, subset, |bytes| {
                progress
                    .bytes
                    .fetch_add(bytes, std::sync::atomic::Ordering::Relaxed);
            });
            // Whoever would hear it may be gone.
            let _ = report.send((lane, verdict));
        };
        let spawned = thread::Builder::new()
            .name(format!("verify {lane}"))
            .spawn(check);
        verdicts.push(
            spawned
                .err()
                .map(|error| Verdict::failed(name, SourceFailure::Open(error))),
        );
    }
    drop(report);
    while verdicts.iter().any(Option::is_none) {
        // When the first of those that are waited for would have been silent for too long.
        let overdue = patience.map_or_else(never, |patience| {
            let lanes = verdicts.iter().zip(&heard);
            let waited_for = lanes.filter(|(verdict, _)| verdict.is_none());
            let silence = waited_for.map(|(_, (_, heard))| heard.silence()).max();
            after(patience.saturating_sub(silence.unwrap_or_default()))
        });
        select! {
            recv(done) -> item => {
                // A thread that panicked has said so.
                let Ok((lane, verdict)) = item else { break };
                verdicts[lane] = Some(verdict);
            }
            recv(control.cancelled) -> _ => return Err(GatherError::Cancelled),
            recv(overdue) -> _ => for (verdict, (name, heard)) in verdicts.iter_mut().zip(&heard) {
                let waited = heard.silence();
                if verdict.is_none() && patience.is_some_and(|patience| waited >= patience) {
                    let failure = SourceFailure::TimedOut { waited };
                    *verdict = Some(Verdict::failed(name.clone(), failure));
                }
            },
        }
    }
    let missing = |name| {
        let failure = SourceFailure::Read(io::Error::other("the check did not end"));
        Verdict::failed(name, failure)
    };
    Ok(verdicts
        .into_iter()
        .zip(heard)
        .map(|(verdict, (name, _))| verdict.unwrap_or_else(|| missing(name)))
        .collect())
}

fn verify_one(source: Box<dyn Source>, subset: Option<Subset>, passed: impl Fn(u64)) -> Verdict {
    let name = source.name();
    match source.open().and_then(OpenShare::open) {
        Ok(share) => examine(name, share, None, subset, |_, seen| {
            if let Seen::Good { bytes, .. } = seen {
                passed(bytes);
            }
        }),
        Err(error) => Verdict::failed(name, SourceFailure::Open(error)),
    }
}

/// What stands in a share for one stripe after the other, none left out.
#[derive(Debug)]
pub(crate) enum Seen {
    /// The next stripe's frame is good.
    Good {
        /// Whether it says that the stream ends with it.
        last: bool,
        /// Bytes of the frame.
        bytes: u64,
    },
    /// The frames of so many stripes cannot be used.
    Bad {
        /// How many.
        count: u64,
        /// Why not.
        flaw: FrameFlaw,
    },
}

/// Reads a share to its end and checks it, and tells which it is and what it sees, stripe by stripe.
/// One that does not say what it is may be known by its frames, as a share of the stream that
/// `expected` tells of.
pub(crate) fn examine(
    name: String,
    share: OpenShare,
    expected: Option<&Arc<Common>>,
    subset: Option<Subset>,
    tell: impl FnMut(Option<usize>, Seen),
) -> Verdict {
    let mut outcome = SourceOutcome::new(name);
    if let Err(fault) = &share.header {
        outcome.flaws.push(fault.clone().into());
    }
    let (common, index) = match (share.claims(), expected) {
        (Some((common, index)), _) => (Arc::new(common.clone()), Some(index)),
        (None, Some(expected)) => (Arc::clone(expected), None),
        (None, None) => {
            // The header's fault says all there is to say.
            let what = outcome.flaws.pop().map(|flaw| flaw.to_string());
            let failure = SourceFailure::NoShare(what.unwrap_or_default());
            return Verdict::unknown(outcome, failure);
        }
    };
    outcome.index = index;
    if let Some(Ending { trailer, .. }) = &share.ending
        && (trailer.common == *common && index.is_some_and(|index| trailer.index != index))
    {
        let index = trailer.index;
        outcome.flaws.push(ShareFlaw::OtherTrailer { index });
    }
    let in_place = share.own_ending(&common).is_some_and(Ending::in_place);
    let subset = subset.filter(|_| in_place);
    let mut reading = Reading {
        len: share.len,
        frames: share.frames(Arc::clone(&common)),
        outcome,
        stream: subset.is_none().then(StreamDigest::default),
        first_last: None,
        newest: None,
        unreadable: 0,
        subset,
        tell,
    };
    let read = reading.run();
    let Reading {
        len,
        outcome,
        stream,
        first_last,
        newest,
        ..
    } = reading;
    let mut verdict = Verdict {
        outcome,
        common: Some(common),
        totals: None,
        following: 0,
        sampled: subset.is_some(),
    };
    match read {
        Ok(end) => {
            let stripes = end.ending.as_ref().map(Ending::stripes);
            let falsely = stripes.and_then(|all| marked_falsely(first_last, newest, all));
            verdict.judge(stream.as_ref(), end, len);
            let flaw = |stripe| ShareFlaw::LastDiffers { stripe };
            verdict.outcome.flaws.extend(falsely.map(flaw));
        }
        Err(failure) => verdict.outcome.failure = Some(failure),
    }
    verdict
}

/// The stripe of a frame that is marked as the last, or is not, where a stream of so many tells otherwise.
fn marked_falsely(first_last: Option<u64>, newest: Option<u64>, stripes: u64) -> Option<u64> {
    let is_last = |stripe: &u64| stripe + 1 == stripes;
    match first_last {
        Some(_) => first_last.filter(|stripe| !is_last(stripe)),
        None => newest.filter(is_last),
    }
}

/// A share that is read.
struct Reading<F> {
    len: Option<u64>,
    frames: FrameReader,
    outcome: SourceOutcome,
    /// Over all of its frames; `None` if one of them was bad.
    stream: Option<StreamDigest>,
    /// The stripes of the first good frame that is marked as the last, and of the newest one.
    first_last: Option<u64>,
    newest: Option<u64>,
    /// How many could not be read, one after another.
    unreadable: u32,
    /// Read these alone.
    subset: Option<Subset>,
    tell: F,
}

impl<F: FnMut(Option<usize>, Seen)> Reading<F> {
    fn run(&mut self) -> Result<End, SourceFailure> {
        let mut buffer = self.frames.buffer().map_err(SourceFailure::Read)?;
        if self.outcome.index.is_none() {
            self.outcome.index = self
                .frames
                .identify(&mut buffer)
                .map_err(SourceFailure::Read)?;
            if self.outcome.index.is_none() {
                let what = self.outcome.flaws.pop().map(|flaw| flaw.to_string());
                return Err(SourceFailure::NoShare(what.unwrap_or_default()));
            }
        }
        let mut stripe = 0;
        loop {
            if let (Some(subset), Some(ending)) = (self.subset, self.frames.ending()) {
                stripe = subset.next(stripe, ending.stripes());
            }
            if let Some(ending) = self.frames.ending()
                && ending.stripes() == stripe
            {
                return Ok(End {
                    offset: ending.offset,
                    ending: Some(ending.clone()),
                });
            }
            match self.look(stripe, &mut buffer)? {
                ControlFlow::Continue(next) => stripe = next,
                ControlFlow::Break(end) => return Ok(end),
            }
        }
    }

    /// Looks at a stripe's frame, and says which stripe is next.
    fn look(
        &mut self,
        stripe: u64,
        buffer: &mut [u8],
    ) -> Result<ControlFlow<End, u64>, SourceFailure> {
        let found = match self.frames.read(stripe, buffer) {
            Ok(found) => found,
            // A bad sector spoils its own frames alone, unless there is no end to bad ones.
            Err(error) if self.frames.is_seekable() && self.unreadable < MOST_UNREADABLE => {
                self.bad(stripe, 1, FrameFlaw::Unreadable(error.to_string()));
                self.unreadable += 1;
                return Ok(ControlFlow::Continue(stripe + 1));
            }
            Err(error) => return Err(SourceFailure::Read(error)),
        };
        self.unreadable = 0;
        Ok(match found {
            Found::Frame(checked) => {
                self.good(&checked);
                ControlFlow::Continue(stripe + 1)
            }
            Found::Fault(fault) => {
                // Not one by one: how many are missing is only what some frame or trailer says.
                let next = match fault.kind {
                    FaultKind::Missing { next } => next,
                    FaultKind::Ended { stripes } => stripes,
                    _ => stripe + 1,
                };
                self.bad(stripe, next - stripe, FrameFlaw::Found(fault));
                ControlFlow::Continue(next)
            }
            Found::End(end) => {
                // Frames that the trailer tells of, and that are not there, are bad ones too.
                let told = end.ending.as_ref().or(self.frames.ending());
                let missing = told.map_or(0, Ending::stripes).saturating_sub(stripe);
                if missing > 0 {
                    self.bad(stripe, missing, FrameFlaw::Ended);
                }
                ControlFlow::Break(end)
            }
        })
    }

    fn good(&mut self, checked: &Checked) {
        self.outcome.frames += 1;
        let claim = checked.head.claim;
        self.newest = Some(checked.head.stripe);
        if claim.last {
            self.first_last = self.first_last.or(self.newest);
        }
        if let Some(stream) = &mut self.stream {
            stream.push(claim.digest, claim.data_len);
        }
        let seen = Seen::Good {
            last: claim.last,
            bytes: checked.len as u64,
        };
        (self.tell)(self.outcome.index, seen);
    }

    fn bad(&mut self, stripe: u64, count: u64, flaw: FrameFlaw) {
        self.stream = None;
        self.outcome.faults(stripe, count, flaw.clone());
        (self.tell)(self.outcome.index, Seen::Bad { count, flaw });
    }
}

impl Verdict {
    pub(crate) fn failed(name: String, failure: SourceFailure) -> Self {
        Self::unknown(SourceOutcome::new(name), failure)
    }

    fn unknown(mut outcome: SourceOutcome, failure: SourceFailure) -> Self {
        outcome.failure = Some(failure);
        Self {
            outcome,
            common: None,
            totals: None,
            following: 0,
            sampled: false,
        }
    }

    /// Holds the ending against the frames.
    fn judge(&mut self, stream: Option<&StreamDigest>, end: End, len: Option<u64>) {
        let flaws = &mut self.outcome.flaws;
        let Some(ending) = end.ending else {
            let offset = end.offset;
            flaws.push(ShareFlaw::CutOff { offset });
            return;
        };
        let totals = ending.trailer.totals;
        self.totals = Some(totals);
        if !ending.in_place() {
            flaws.push(ShareFlaw::Displaced);
        }
        let true_totals = stream.map(StreamDigest::totals);
        if true_totals.is_some_and(|found| found != totals) {
            flaws.push(ShareFlaw::TrailerDiffers);
        }
        self.outcome.complete = self.sampled || true_totals == Some(totals);
        let own_len = ending.offset
            + u64::from(ending.footer.trailer_len)
            + crate::format::ending::FOOTER_LEN as u64;
        self.following = len.map_or(0, |len| len.saturating_sub(own_len));
    }
}

/// What a share says of itself.
#[derive(Debug)]
pub struct Inspection {
    /// The source's own name.
    pub name: String,
    /// What all shares of its stream say alike, and which this one is; from its header, or from its
    /// trailer if that is damaged.
    pub claims: Option<(Common, usize)>,
    /// What is wrong with the header.
    pub fault: Option<HeaderFault>,
    /// Its good ending, if it can be positioned and has one.
    pub ending: Option<Ending>,
    /// Its length in bytes, if it can be positioned.
    pub len: Option<u64>,
}

/// Looks at a share's header and ending, and at nothing between.
///
/// # Errors
/// It cannot be opened or read.
pub fn inspect(source: Box<dyn Source>) -> io::Result<Inspection> {
    let name = source.name();
    let share = source.open().and_then(OpenShare::open)?;
    let claims = share
        .claims()
        .map(|(common, index)| (common.clone(), index));
    let OpenShare {
        header,
        ending,
        len,
        ..
    } = share;
    Ok(Inspection {
        name,
        claims,
        fault: header.err(),
        ending,
        len,
    })
}
