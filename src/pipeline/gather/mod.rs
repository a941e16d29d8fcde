//! Brings stripes back from n sources, of which some may be damaged, slow or gone.
//!
//! Each source has a thread that reads the frames it is asked for. A source that can be positioned
//! is asked only for what is needed; one that cannot is read in step with the others, whether it
//! is needed or not, since whoever writes to it may wait for that. A window of stripes is under way
//! at a time; workers rebuild and check them, and they leave in order.

mod error;
mod lane;
mod outcome;
mod slot;

use std::collections::VecDeque;
use std::panic::{self, AssertUnwindSafe};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender, select, unbounded};
use distdup_codecs::ShardSet;

pub use self::error::GatherError;
use self::lane::{Answer, Lane};
pub use self::outcome::{FrameFault, SourceOutcome};
use self::slot::{Ask, Slot, State};
use super::muster::{Mustered, SourceFailure};
use super::pool::Pool;
use super::rebuild::{GoodStripe, Piece, Rebuilder, Unconfirmed};
use crate::control::Control;
use crate::format::digest::StreamDigest;
use crate::format::frame::HEAD_LEN;
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
}

/// What the threads report.
enum Event {
    /// A share that had lost its header is known by its frames, or is not.
    Identified(usize, Option<usize>),
    Answer(usize, u64, Answer),
    Failed(usize, SourceFailure),
    Rebuilt(u64, Result<GoodStripe, Unconfirmed>),
}

/// A stripe to rebuild.
struct Job {
    stripe: u64,
    pieces: Vec<Piece>,
    search: bool,
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
    /// Stripes that there are, as far as endings tell already.
    stripes: Option<u64>,
    ended: bool,
    jobs: Sender<Job>,
    events: Receiver<Event>,
    /// Kept here, so that it goes with us: a source's thread may be stuck for good.
    _pool: Pool,
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
        let jobs = start_workers(common, &plan, &pool, &report);
        let mut told = lanes.iter().filter_map(|lane| lane.ending.as_ref());
        let first = told.next().map(|ending| ending.trailer.totals);
        let agreed = first.filter(|first| told.all(|ending| ending.trailer.totals == *first));
        Self {
            common: Arc::clone(common),
            plan,
            lanes,
            window: VecDeque::new(),
            next: 0,
            stream: StreamDigest::default(),
            stripes: agreed.map(|totals| totals.stripes),
            ended: false,
            jobs,
            events,
            _pool: pool,
            left: Instant::now(),
            control: control.clone(),
        }
    }

    /// The next stripe, in order; `None` at the end of the stream.
    pub(crate) fn next(&mut self) -> Result<Option<GoodStripe>, GatherError> {
        self.come_back();
        let next = self.advance();
        self.left = Instant::now();
        next
    }

    /// While the output was waited for, nobody looked at what sources answered: that time makes
    /// none of them late.
    fn come_back(&mut self) {
        let away = self.left.elapsed();
        for lane in &mut self.lanes {
            lane.heard += away;
        }
    }

    fn advance(&mut self) -> Result<Option<GoodStripe>, GatherError> {
        loop {
            if self.ended {
                return Ok(None);
            }
            self.extend();
            match self.window.front().map(|slot| &slot.state) {
                // All stripes that the endings tell of are out; the last one should have said so.
                None => self.ended = true,
                Some(State::Done(_)) => {
                    let Some(Slot {
                        state: State::Done(good),
                        ..
                    }) = self.window.pop_front()
                    else {
                        unreachable!("looked at just before");
                    };
                    self.stream.push(good.claim.digest, good.claim.data_len);
                    self.ended = good.claim.last;
                    if self.ended {
                        self.window.clear();
                    }
                    self.control
                        .progress
                        .bytes
                        .store(self.stream.length(), Ordering::Relaxed);
                    return Ok(Some(good));
                }
                Some(State::Lost(unconfirmed)) => {
                    let unconfirmed = *unconfirmed;
                    if self.ends_here() {
                        self.ended = true;
                    } else {
                        return Err(self.lost(unconfirmed));
                    }
                }
                Some(State::Collecting | State::Working) => self.wait()?,
            }
        }
    }

    /// After the last stripe: reads pipes to their ends, and holds the trailers against the stream.
    pub(crate) fn finish(mut self) -> Result<(Totals, Vec<SourceOutcome>), GatherError> {
        let totals = self.stream.totals();
        self.come_back();
        self.drain()?;
        let mut proven = false;
        let mut otherwise = None;
        for lane in &mut self.lanes {
            let Some(ending) = &lane.ending else { continue };
            if ending.trailer.totals == totals {
                lane.outcome.complete = true;
                proven = true;
            } else {
                otherwise = Some(ending.trailer.totals);
                lane.outcome
                    .remarks
                    .push("its trailer tells of another length or digest".into());
            }
        }
        match otherwise {
            Some(other) if !proven => Err(GatherError::Totals {
                found_length: totals.length,
                found_stripes: totals.stripes,
                length: other.length,
                stripes: other.stripes,
            }),
            _ => Ok((totals, self.outcomes())),
        }
    }

    /// What became of the sources, so far.
    pub(crate) fn outcomes(self) -> Vec<SourceOutcome> {
        self.lanes.into_iter().map(|lane| lane.outcome).collect()
    }

    /// Takes as many stripes under way as the window holds.
    fn extend(&mut self) {
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
    fn is_full(&self, lane: usize) -> bool {
        self.lanes[lane].outstanding >= 2 * self.plan.window
    }

    /// Does what can be done for a stripe: rebuild it, wait, ask more sources, or give it up.
    fn pursue(&mut self, at: usize) {
        if !matches!(self.window[at].state, State::Collecting) {
            return;
        }
        let slot = &self.window[at];
        let code = self.common.code();
        let have: ShardSet = slot
            .pieces
            .iter()
            .map(|piece| piece.checked.head.share)
            .collect();
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
            // All of them: `any` would stop at the first.
            (0..self.lanes.len())
                .filter(|&lane| self.ask(at, lane))
                .count()
                > 0
        } else {
            self.ask_for_enough(at, have)
        };
        let may_yet_help = (0..self.lanes.len()).any(|lane| {
            // Not identified yet, or behind: it may be the one that is needed.
            let source = &self.lanes[lane];
            let behind = self.window[at].asks[lane] == Ask::Not && self.is_full(lane);
            source.can_serve() && (source.unidentified || behind)
        });
        if waiting || asked_more || may_yet_help {
            return;
        }
        if enough {
            self.rebuild(at);
        } else {
            self.window[at].state = State::Lost(Unconfirmed::TooFew);
        }
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
            let Some(needed) = code.sufficient_subset(expected.union(able)) else {
                continue;
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
                                let what = "not what was written, in spite of its digest";
                                lane.outcome.faults(stripe, 1, what.into());
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
        let head_waits_for =
            |lane: &usize| head.asks[*lane] == Ask::Waiting || self.lanes[*lane].unidentified;
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

    /// Whether the stream ends before the window's first stripe: some share's ending says so, and
    /// no stripe has said that it was the last, because there was none.
    fn ends_here(&self) -> bool {
        let here = |ending: &Ending| ending.trailer.totals.stripes == self.stream.stripes();
        self.stream.stripes() == 0
            && self.window[0].pieces.is_empty()
            && self
                .lanes
                .iter()
                .any(|lane| lane.ending.as_ref().is_some_and(here))
    }

    fn lost(&mut self, unconfirmed: Unconfirmed) -> GatherError {
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
                whats.extend(outcome.remarks.iter().cloned());
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
        let have: ShardSet = head
            .pieces
            .iter()
            .map(|piece| piece.checked.head.share)
            .collect();
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

    /// Has pipes that kept in step read to their end: whoever writes to them may count on it.
    fn drain(&mut self) -> Result<(), GatherError> {
        let end = self.stream.stripes();
        let reach = IN_STEP * self.plan.window as u64;
        // A file's ending may stand before what follows it; it is looked for only if none is known.
        let unproven = self.lanes.iter().all(|lane| lane.ending.is_none());
        let mut draining = Vec::new();
        for (lane, source) in self.lanes.iter_mut().enumerate() {
            let in_step = source.has_answered + reach >= end;
            let to_its_end = if source.seekable { unproven } else { in_step };
            if to_its_end && (source.was_asked > end || source.request(end)) {
                draining.push(lane);
            }
        }
        let at_end = |lanes: &[Lane], lane: usize| {
            lanes[lane].ended || lanes[lane].requests.is_none() || lanes[lane].outstanding == 0
        };
        while !draining.iter().all(|&lane| at_end(&self.lanes, lane)) {
            self.wait()?;
            for &lane in &draining {
                let waited = self.lanes[lane].heard.elapsed();
                if !at_end(&self.lanes, lane) && waited >= self.plan.timeout {
                    self.fail(lane, SourceFailure::TimedOut { waited });
                }
            }
        }
        Ok(())
    }
}

fn start_workers(
    common: &Arc<Common>,
    plan: &Plan,
    pool: &Pool,
    report: &Sender<Event>,
) -> Sender<Job> {
    let (jobs, queue) = unbounded::<Job>(); // at most a window of them
    for worker in 0..plan.workers.max(1) {
        let mut rebuilder = Rebuilder::new(Arc::clone(common), pool.clone(), plan.wanted);
        let (queue, report) = (queue.clone(), report.clone());
        let work = move || {
            for Job {
                stripe,
                pieces,
                search,
            } in queue
            {
                let rebuild = || {
                    if search {
                        rebuilder.search(stripe, &pieces)
                    } else {
                        rebuilder.rebuild(stripe, &pieces)
                    }
                };
                // A panic says what it was; here it must only not be waited for.
                let result = panic::catch_unwind(AssertUnwindSafe(rebuild));
                let result = result.unwrap_or(Err(Unconfirmed::TooFew));
                if report.send(Event::Rebuilt(stripe, result)).is_err() {
                    return;
                }
            }
        };
        // With no thread at all the queue hangs up, and no stripe can be rebuilt.
        let _ = thread::Builder::new()
            .name(format!("rebuild {worker}"))
            .spawn(work);
    }
    jobs
}
