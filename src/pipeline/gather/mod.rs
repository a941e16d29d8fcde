//! Brings stripes back from n sources, of which some may be damaged, slow or gone.
//!
//! Each source has a thread that reads the frames it is asked for. A source that can be positioned
//! is asked only for what is needed; one that cannot is read in step with the others, whether it
//! is needed or not, since whoever writes to it may wait for that. A window of stripes is under way
//! at a time; workers rebuild and check them, and they leave in order.

mod error;
mod flaw;
mod lane;
mod outcome;
mod part;
mod pursue;
mod slot;
mod workers;

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender, select, unbounded};
use distdup_codecs::ShardSet;

pub use self::error::GatherError;
pub use self::flaw::{FrameFlaw, ShareFlaw};
use self::lane::{Answer, Lane};
pub use self::outcome::{FrameFault, FrameState, SourceOutcome};
pub(crate) use self::part::{Had, Part, Parts};
use self::slot::{Ask, Slot, State};
use self::workers::Job;
use super::muster::{Mustered, SourceFailure};
use super::pool::Pool;
use super::rebuild::{GoodStripe, Unconfirmed};
use crate::control::Control;
use crate::format::digest::StreamDigest;
use crate::format::frame::{Claim, HEAD_LEN};
use crate::format::scan::Ending;
use crate::format::{Common, Totals};
use crate::quote::with_causes;

/// How often sources are looked at while one of them is waited for.
const TICK: Duration = Duration::from_millis(50);
/// At the end of the stream, pipes that are no more than so many windows behind are read to their
/// end, since their writers may count on it; what is further behind has no such writer.
const IN_STEP: u64 = 16;

/// How to gather.
#[derive(Debug, Clone)]
pub(crate) struct Plan {
    /// Frames to rebuild besides the data.
    pub(crate) wanted: ShardSet,
    /// Stripes under way.
    pub(crate) window: usize,
    /// Threads that rebuild and check.
    pub(crate) workers: usize,
    /// A source that gives nothing for so long while it is waited for is dropped.
    pub(crate) timeout: Duration,
    /// Go on after a stripe that is beyond recovery, and give what there is of it.
    pub(crate) salvage: bool,
}

/// What the threads report.
enum Event {
    /// A share that had lost its header is known by its frames, or is not.
    Identified(usize, Option<usize>),
    Answer(usize, u64, Answer),
    Failed(usize, SourceFailure),
    Rebuilt(u64, Result<GoodStripe, Unconfirmed>),
}

/// What stands first in the window.
enum Front {
    Good(GoodStripe),
    /// A stripe that cannot be had; it is still there.
    Lost(Unconfirmed),
    End,
}

/// The sources of one stream.
pub(crate) struct Gather {
    common: Arc<Common>,
    plan: Plan,
    lanes: Vec<Lane>,
    window: VecDeque<Slot>,
    /// The stripe after the window's last.
    next: u64,
    stream: StreamDigest,
    /// Stripes to go for, as far as endings tell already. They do not end the stream: one may be
    /// forged, and those of pipes are yet to come.
    stripes: Option<u64>,
    ended: bool,
    jobs: Sender<Job>,
    events: Receiver<Event>,
    /// Kept here, so that it goes with us: a source's thread may be stuck for good.
    pool: Pool,
    /// Stripes in a row, up to the last one passed, of which no source had anything.
    gap: u64,
    /// A stripe was passed over, so that the stream's digest is not known.
    has_gaps: bool,
    /// Some good frame says that the stream ended with the stripes passed so far.
    saw_last: bool,
    /// Since when nobody waits for a stripe.
    left: Instant,
    control: Control,
}

impl Gather {
    pub(crate) fn start(
        mustered: Vec<Mustered>,
        common: &Arc<Common>,
        plan: Plan,
        control: &Control,
    ) -> Self {
        let (report, events) = unbounded();
        let pool = Pool::growing(HEAD_LEN + common.shard_len());
        let lanes: Vec<Lane> = mustered
            .into_iter()
            .enumerate()
            .map(|(lane, one)| Lane::start(lane, one, common, &pool, &report))
            .collect();
        let stripes = agreed(endings(&lanes)).map(|totals| totals.stripes);
        let jobs = workers::start(common, &plan, stripes, &pool, &report);
        Self {
            common: Arc::clone(common),
            plan,
            lanes,
            window: VecDeque::new(),
            next: 0,
            stream: StreamDigest::default(),
            stripes,
            ended: false,
            jobs,
            events,
            pool,
            gap: 0,
            has_gaps: false,
            saw_last: false,
            left: Instant::now(),
            control: control.clone(),
        }
    }

    /// The next stripe, in order; `None` at the end of the stream.
    pub(crate) fn next(&mut self) -> Result<Option<GoodStripe>, GatherError> {
        self.come_back();
        let front = self.advance();
        self.left = Instant::now();
        match front? {
            Front::Good(good) => Ok(Some(good)),
            Front::Lost(unconfirmed) => Err(self.lost(unconfirmed)),
            Front::End => Ok(None),
        }
    }

    /// While the output was waited for, nobody looked at what sources answered: that time makes
    /// none of them late.
    fn come_back(&mut self) {
        let away = self.left.elapsed();
        for lane in &mut self.lanes {
            lane.heard += away;
        }
    }

    fn advance(&mut self) -> Result<Front, GatherError> {
        loop {
            if self.ended {
                return Ok(Front::End);
            }
            self.extend();
            match self.window.front().map(|slot| &slot.state) {
                // All stripes that the endings tell of are out, and none has said that it was the
                // last: there are more, or those that there are say why not.
                None => self.stripes = None,
                Some(State::Done(_)) => {
                    let Some(Slot {
                        state: State::Done(good),
                        ..
                    }) = self.window.pop_front()
                    else {
                        unreachable!("looked at just before");
                    };
                    self.pass(&good.claim);
                    return Ok(Front::Good(good));
                }
                Some(State::Lost(_)) if self.ends_here() => self.ended = true,
                Some(State::Lost(unconfirmed)) => return Ok(Front::Lost(*unconfirmed)),
                Some(State::Collecting | State::Working) => self.wait()?,
            }
        }
    }

    /// A stripe has left the window.
    fn pass(&mut self, claim: &Claim) {
        self.stream.push(claim.digest, claim.data_len);
        self.saw_last = claim.last;
        self.ended = claim.last;
        if self.ended {
            self.window.clear();
        }
        self.control
            .progress
            .bytes
            .store(self.stream.length(), Ordering::Relaxed);
    }

    /// After the last stripe: reads pipes to their ends, and holds the trailers against the stream.
    pub(crate) fn finish(mut self) -> Result<(Totals, Vec<SourceOutcome>), GatherError> {
        let totals = self.stream.totals();
        self.come_back();
        self.drain()?;
        let other = self.hold_trailers_against(|told| *told == totals);
        // The last stripe says by itself that it is; that there was none, only trailers say.
        let is_vouched_for = if totals.stripes == 0 {
            self.is_told_empty()
        } else {
            self.lanes.iter().any(|lane| lane.outcome.complete)
        };
        match other.filter(|_| !is_vouched_for) {
            Some(other) => Err(GatherError::Totals {
                found_length: totals.length,
                found_stripes: totals.stripes,
                length: other.length,
                stripes: other.stripes,
            }),
            None => Ok((totals, self.outcomes())),
        }
    }

    /// Notes which trailers are true, and gives one that is not.
    fn hold_trailers_against(&mut self, is_true: impl Fn(&Totals) -> bool) -> Option<Totals> {
        let mut otherwise = None;
        for lane in &mut self.lanes {
            let Some(ending) = &lane.ending else { continue };
            if is_true(&ending.trailer.totals) {
                lane.outcome.complete = true;
            } else {
                otherwise = Some(ending.trailer.totals);
                lane.outcome.flaws.push(ShareFlaw::TrailerDiffers);
            }
        }
        otherwise
    }

    /// What became of the sources, so far.
    pub(crate) fn outcomes(self) -> Vec<SourceOutcome> {
        self.lanes.into_iter().map(|lane| lane.outcome).collect()
    }

    fn wait(&mut self) -> Result<(), GatherError> {
        select! {
            recv(self.events) -> event => {
                if let Ok(event) = event {
                    self.heed(event);
                }
                Ok(())
            }
            recv(self.control.cancelled) -> _ => Err(GatherError::Cancelled),
            default(TICK) => {
                self.look_for_stalls();
                Ok(())
            }
        }
    }

    fn heed(&mut self, event: Event) {
        match event {
            Event::Identified(lane, index) => {
                self.lanes[lane].identified(index, &self.common);
                self.pursue_all();
            }
            Event::Failed(lane, failure) => self.fail(lane, failure),
            Event::Answer(lane, stripe, answer) => {
                let was_full = self.is_full(lane);
                self.lanes[lane].answered(stripe, &answer);
                if let Some(at) = self.slot(stripe) {
                    self.window[at].take(lane, answer, &mut self.lanes);
                    self.pursue(at);
                }
                if was_full {
                    self.pursue_all();
                }
            }
            Event::Rebuilt(stripe, result) => {
                let Some(at) = self.slot(stripe) else { return };
                let slot = &mut self.window[at];
                match result {
                    Ok(good) => {
                        for lane in &mut self.lanes {
                            let index = lane.outcome.index;
                            if index.is_some_and(|index| good.false_frames.contains(index)) {
                                lane.outcome.faults(stripe, 1, FrameFlaw::Forged);
                            }
                        }
                        slot.state = State::Done(good);
                    }
                    Err(unconfirmed) if slot.searched => slot.state = State::Lost(unconfirmed),
                    Err(_) => {
                        slot.search = true;
                        slot.state = State::Collecting;
                        self.pursue(at);
                    }
                }
            }
        }
    }

    fn slot(&self, stripe: u64) -> Option<usize> {
        let first = self.window.front()?.stripe;
        let at = usize::try_from(stripe.checked_sub(first)?).ok()?;
        (at < self.window.len()).then_some(at)
    }

    fn pursue_all(&mut self) {
        (0..self.window.len()).for_each(|at| self.pursue(at));
    }

    fn fail(&mut self, lane: usize, failure: SourceFailure) {
        let source = &mut self.lanes[lane];
        if source.requests.take().is_none() {
            return;
        }
        source.unidentified = false;
        let what = with_causes(&failure);
        source.outcome.failure = Some(failure);
        self.control.progress.failed.fetch_add(1, Ordering::Relaxed);
        for slot in &mut self.window {
            if slot.asks[lane] == Ask::Waiting {
                slot.asks[lane] = Ask::Answered;
                slot.faults.push((lane, what.clone()));
            }
        }
        self.pursue_all();
    }

    /// A source that the first stripe waits for may be slow, or gone.
    fn look_for_stalls(&mut self) {
        let Some(head) = self.window.front() else {
            return;
        };
        let collects = matches!(head.state, State::Collecting);
        let head_waits_for = |&lane: &usize| {
            head.asks[lane] == Ask::Waiting
                || self.lanes[lane].unidentified
                || collects && self.is_behind(0, lane)
        };
        let late: Vec<usize> = (0..self.lanes.len())
            .filter(head_waits_for)
            .filter(|&lane| self.lanes[lane].is_late())
            .collect();
        if late.is_empty() {
            return;
        }
        for lane in late {
            let waited = self.lanes[lane].heard.elapsed();
            if waited >= self.plan.timeout && !self.is_in_step(lane) {
                self.fail(lane, SourceFailure::TimedOut { waited });
            }
        }
        self.pursue_all();
    }

    /// Whether a pipe has brought as much as any other source. Where all are silent, whoever writes
    /// to them is waiting for something, and to drop them would help nobody.
    fn is_in_step(&self, lane: usize) -> bool {
        let source = &self.lanes[lane];
        let is_ahead = |other: &Lane| other.has_answered > source.has_answered;
        !source.seekable && !self.lanes.iter().any(is_ahead)
    }

    /// Whether the stream ends before the window's first stripe: that there is none.
    fn ends_here(&self) -> bool {
        self.stream.stripes() == 0 && self.window[0].is_blank() && self.is_told_empty()
    }

    /// Whether more trailers tell of no stripe than of some.
    fn is_told_empty(&self) -> bool {
        let (of_none, of_some): (Vec<_>, Vec<_>) =
            endings(&self.lanes).partition(|ending| ending.stripes() == 0);
        of_none.len() > of_some.len()
    }

    /// Has pipes that kept in step read to their end: whoever writes to them may count on it. If
    /// that shows no true ending, all are looked for: a file's may stand before what follows it. A
    /// pipe that is far behind is read only against endings that are false.
    fn drain(&mut self) -> Result<(), GatherError> {
        let end = self.stream.stripes();
        let reach = IN_STEP * self.plan.window as u64;
        self.read_on(end, |lane| {
            !lane.seekable && lane.has_answered + reach >= end
        })?;
        let found = self.stream.totals();
        let is_true = |told: Totals| told.stripes == end && (self.has_gaps || told == found);
        if endings(&self.lanes).any(|ending| is_true(ending.trailer.totals)) {
            return Ok(());
        }
        let is_contradicted = endings(&self.lanes).next().is_some();
        self.read_on(end, |lane| {
            lane.ending.is_none() && (lane.seekable || is_contradicted)
        })
    }

    /// Has some sources read on to that stripe, if they were not yet.
    fn read_on(&mut self, end: u64, which: impl Fn(&Lane) -> bool) -> Result<(), GatherError> {
        let mut asked = Vec::new();
        for (lane, source) in self.lanes.iter_mut().enumerate() {
            if which(source) && (source.was_asked > end || source.request(end)) {
                asked.push(lane);
            }
        }
        self.settle(&asked)
    }

    /// Waits until these have answered all that they were asked, or are at their ends.
    fn settle(&mut self, asked: &[usize]) -> Result<(), GatherError> {
        let at_end = |lanes: &[Lane], lane: usize| {
            lanes[lane].ended || lanes[lane].requests.is_none() || lanes[lane].outstanding == 0
        };
        while !asked.iter().all(|&lane| at_end(&self.lanes, lane)) {
            self.wait()?;
            for &lane in asked {
                let waited = self.lanes[lane].heard.elapsed();
                if !at_end(&self.lanes, lane) && waited >= self.plan.timeout {
                    self.fail(lane, SourceFailure::TimedOut { waited });
                }
            }
        }
        Ok(())
    }
}

/// The endings that are known.
fn endings(lanes: &[Lane]) -> impl Iterator<Item = &Ending> {
    lanes.iter().filter_map(|lane| lane.ending.as_ref())
}

/// What endings tell of the stream, if they all tell the same.
fn agreed<'a>(mut told: impl Iterator<Item = &'a Ending>) -> Option<Totals> {
    let first = told.next()?.trailer.totals;
    told.all(|ending| ending.trailer.totals == first)
        .then_some(first)
}
