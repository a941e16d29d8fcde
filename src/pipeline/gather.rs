//! Brings stripes back from n sources, of which some may be damaged, slow or gone.
//!
//! Each source has a thread that reads the frames it is asked for. A source that can be positioned
//! is asked only for what is needed; one that cannot is read in step with the others, whether it
//! is needed or not, since whoever writes to it may wait for that. A window of stripes is under way
//! at a time; workers rebuild and check them, and they leave in order.

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender, select, unbounded};
use distdup_codecs::ShardSet;

use super::muster::{Mustered, SourceFailure};
use super::pool::Pool;
use super::stripe::{GoodStripe, Piece, Rebuilder, Unconfirmed};
use crate::control::Control;
use crate::format::digest::StreamDigest;
use crate::format::frame::HEAD_LEN;
use crate::format::scan::{End, Ending, Found, OpenShare};
use crate::format::{Common, Totals};

/// How often sources are looked at while one of them is waited for.
const TICK: Duration = Duration::from_millis(50);
/// A source that has not answered for so long is not relied on if others can serve.
const PATIENCE: Duration = Duration::from_secs(1);
/// Faults of a source that are kept word for word; beyond, they are counted.
const FAULTS_KEPT: usize = 16;
/// At the end of the stream, pipes that are no more than so many windows behind are read to their
/// end, since their writers may count on it; what is further behind has no such writer.
const IN_STEP: u64 = 16;

/// A frame that could not be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FrameFault {
    /// Its stripe.
    pub stripe: u64,
    /// What is wrong.
    pub what: String,
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
    pub remarks: Vec<String>,
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
            remarks: Vec::new(),
            failure: None,
            complete: false,
        }
    }

    /// Notes a frame that cannot be used.
    pub(crate) fn fault(&mut self, stripe: u64, what: String) {
        self.fault_count += 1;
        if self.faults.len() < FAULTS_KEPT {
            self.faults.push(FrameFault { stripe, what });
        }
    }

    /// Whether nothing is wrong with it.
    pub fn is_good(&self) -> bool {
        self.failure.is_none() && self.fault_count == 0 && self.remarks.is_empty()
    }
}

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
    /// The trailers tell of another stream than the frames.
    #[error(
        "the stream has {found_length} bytes in {found_stripes} stripes, and every trailer tells \
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

fn lines(items: &[String]) -> String {
    items.iter().map(|item| format!("\n  {item}")).collect()
}

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

enum Event {
    /// A share that had lost its header is known by its frames, or is not.
    Identified(usize, Option<usize>),
    Answer(usize, u64, Answer),
    Failed(usize, SourceFailure),
    Rebuilt(u64, Result<GoodStripe, Unconfirmed>),
}

enum Answer {
    Piece(Piece),
    Fault(String),
    End(End),
}

struct Job {
    stripe: u64,
    pieces: Vec<Piece>,
    search: bool,
}

/// A source.
struct Lane {
    outcome: SourceOutcome,
    /// Gone: nothing more can be had.
    requests: Option<Sender<u64>>,
    /// Its index is still to be found out.
    unidentified: bool,
    seekable: bool,
    outstanding: usize,
    /// When it last answered, or was asked while it had nothing to do.
    heard: Instant,
    /// The last stripes that it was asked for, and answered for, counted from 1.
    asked: u64,
    answered: u64,
    ending: Option<Ending>,
    ended: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ask {
    Not,
    Waiting,
    Answered,
}

enum State {
    Collecting,
    Working,
    Done(GoodStripe),
    /// Nothing more can be done.
    Lost(Unconfirmed),
}

/// A stripe under way.
struct Slot {
    stripe: u64,
    asks: Vec<Ask>,
    pieces: Vec<Piece>,
    /// Shares of which two good frames differ: neither is used.
    torn: ShardSet,
    faults: Vec<(usize, String)>,
    ends: usize,
    /// Some piece is wrong in spite of its check.
    search: bool,
    state: State,
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
            control: control.clone(),
        }
    }

    /// The next stripe, in order; `None` at the end of the stream.
    pub(crate) fn next(&mut self) -> Result<Option<GoodStripe>, GatherError> {
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

    /// Asks a source for a stripe's frame, if it can be asked.
    fn ask(&mut self, at: usize, lane: usize) -> bool {
        let slot = &mut self.window[at];
        let source = &mut self.lanes[lane];
        // A source that is behind is an erasure until it has caught up.
        if slot.asks[lane] != Ask::Not || source.outstanding >= 2 * self.plan.window {
            return false;
        }
        let asked = source.request(slot.stripe);
        if asked {
            slot.asks[lane] = Ask::Waiting;
        }
        asked
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
        let waiting = slot.asks.contains(&Ask::Waiting);
        if enough && !slot.search {
            return self.rebuild(at);
        }
        let asked_more = if slot.search {
            (0..self.lanes.len()).fold(false, |any, lane| self.ask(at, lane) || any)
        } else {
            self.ask_for_enough(at, have)
        };
        // A share that has yet to be identified may be the one that is needed.
        if waiting || asked_more || self.lanes.iter().any(Lane::may_yet_help) {
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
                    Ask::Not if source.requests.is_some() => {
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
                let source = &mut self.lanes[lane];
                source.outstanding -= 1;
                source.heard = Instant::now();
                source.answered = source.answered.max(stripe + 1);
                source.note(stripe, &answer);
                if let Some(at) = self.slot(stripe) {
                    self.window[at].take(lane, answer, &mut self.lanes);
                    self.pursue(at);
                }
            }
            Event::Rebuilt(stripe, result) => {
                let Some(at) = self.slot(stripe) else { return };
                let slot = &mut self.window[at];
                match result {
                    Ok(good) => slot.state = State::Done(good),
                    Err(unconfirmed) if slot.search => slot.state = State::Lost(unconfirmed),
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
        let what = describe(&failure);
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
            if waited >= self.plan.timeout {
                self.fail(lane, SourceFailure::TimedOut { waited });
            }
        }
        self.pursue_late();
    }

    /// Asks others for what late sources have not brought.
    fn pursue_late(&mut self) {
        for at in 0..self.window.len() {
            let slot = &self.window[at];
            if matches!(slot.state, State::Collecting) {
                let have = slot
                    .pieces
                    .iter()
                    .map(|piece| piece.checked.head.share)
                    .collect();
                self.ask_for_enough(at, have);
            }
        }
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
                whats.push(describe(failure));
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
            Unconfirmed::TooFew => format!(
                "frames {have:?} are good, and do not suffice for {} ({}, {})",
                self.common.code().id(),
                geometry.k(),
                geometry.n()
            ),
            Unconfirmed::Digest => format!(
                "frames {have:?} are as they were written, and no set of them gives the stripe's \
                 digest: some were written wrong, or forged"
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
        let mut draining = Vec::new();
        for (lane, source) in self.lanes.iter_mut().enumerate() {
            let in_step = source.answered + reach >= end;
            if !source.seekable && in_step && (source.asked > end || source.request(end)) {
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

impl Slot {
    fn take(&mut self, lane: usize, answer: Answer, lanes: &mut [Lane]) {
        self.asks[lane] = Ask::Answered;
        let piece = match answer {
            Answer::Fault(what) => return self.faults.push((lane, what)),
            Answer::End(end) => {
                self.ends += 1;
                return self.faults.push((lane, end.to_string()));
            }
            Answer::Piece(piece) => piece,
        };
        let head = piece.checked.head;
        if !matches!(self.state, State::Collecting) || self.torn.contains(head.share) {
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
            let what = format!("two good frames of share {} differ", head.share);
            for source in lanes
                .iter_mut()
                .filter(|one| one.outcome.index == Some(head.share))
            {
                source.outcome.fault(self.stripe, what.clone());
            }
            return self.faults.push((lane, what));
        }
        let agrees = |other: &Piece| other.checked.head.claim == head.claim;
        self.search |= !self.pieces.iter().all(agrees);
        self.pieces.push(piece);
    }
}

impl Lane {
    fn start(
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
            outstanding: 0,
            heard: Instant::now(),
            asked: 0,
            answered: 0,
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
        let (requests, asked) = unbounded();
        let serving = Serving {
            lane,
            common: Arc::clone(common),
            pool: pool.clone(),
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
        match &share.header {
            Err(fault) => self.outcome.remarks.push(fault.to_string()),
            Ok(header) if header.common != *common => {
                self.outcome
                    .remarks
                    .push("its header differs from that of the other shares".into());
            }
            Ok(_) => {}
        }
        if share.len.is_some() {
            self.ending = share
                .ending
                .clone()
                .filter(|own| own.trailer.common == *common);
            match &self.ending {
                None => self
                    .outcome
                    .remarks
                    .push("no good trailer at its end: it is incomplete".into()),
                Some(ending) if !ending.in_place() => {
                    let what = "its end is not where it says: bytes were inserted or lost";
                    self.outcome.remarks.push(what.into());
                }
                Some(_) => {}
            }
        }
    }

    fn request(&mut self, stripe: u64) -> bool {
        let Some(requests) = self.requests.as_ref().filter(|_| !self.ended) else {
            return false;
        };
        if self.outstanding == 0 {
            self.heard = Instant::now();
        }
        let asked = requests.send(stripe).is_ok();
        self.outstanding += usize::from(asked);
        self.asked = self.asked.max(stripe + 1);
        asked
    }

    /// Whether it has left a request unanswered for long.
    fn is_late(&self) -> bool {
        (self.outstanding > 0 || self.unidentified) && self.heard.elapsed() >= PATIENCE
    }

    fn may_yet_help(&self) -> bool {
        self.unidentified && self.requests.is_some()
    }

    fn identified(&mut self, index: Option<usize>, common: &Common) {
        self.unidentified = false;
        self.heard = Instant::now();
        self.outcome.index = index;
        if index.is_none() && self.requests.take().is_some() {
            let what = format!("no good frame of stream {} in it", common.stream());
            self.outcome.failure = Some(SourceFailure::NoShare(what));
        }
    }

    fn note(&mut self, stripe: u64, answer: &Answer) {
        match answer {
            Answer::Piece(_) => self.outcome.frames += 1,
            Answer::Fault(what) => self.outcome.fault(stripe, what.clone()),
            Answer::End(end) => {
                if self.ending.is_none() {
                    self.ending.clone_from(&end.ending);
                }
                // One that can be positioned has said at the start how it ends, and can be asked
                // again for what is before.
                if !self.seekable && !std::mem::replace(&mut self.ended, true) {
                    if end.ending.is_none() {
                        self.outcome.remarks.push(format!("incomplete: {end}"));
                    }
                }
            }
        }
    }
}

/// A source's thread.
struct Serving {
    lane: usize,
    common: Arc<Common>,
    pool: Pool,
    report: Sender<Event>,
}

impl Serving {
    /// Ends when nobody asks any more; whoever would hear it may be gone, too.
    fn run(self, share: OpenShare, asked: &Receiver<u64>) {
        let mut reader = share.frames(self.common);
        if reader.index().is_none() {
            let event = match reader.identify(self.pool.take().as_mut()) {
                Ok(index) => Event::Identified(self.lane, index),
                Err(error) => Event::Failed(self.lane, SourceFailure::Read(error)),
            };
            let _ = self.report.send(event);
        }
        for stripe in asked {
            let mut buffer = self.pool.take();
            let answer = match reader.read(stripe, buffer.as_mut()) {
                Ok(Found::Frame(checked)) => {
                    let frame = buffer.freeze().slice(..checked.len);
                    Answer::Piece(Piece { checked, frame })
                }
                Ok(Found::Fault(fault)) => Answer::Fault(fault.to_string()),
                Ok(Found::End(end)) => Answer::End(end),
                // A bad sector spoils its own frames; a pipe that fails is at its end.
                Err(error) if reader.is_seekable() => Answer::Fault(format!("unreadable: {error}")),
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
                let result = if search {
                    rebuilder.search(stripe, &pieces)
                } else {
                    rebuilder.rebuild(stripe, &pieces)
                };
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

/// A failure with its causes, in a line.
fn describe(failure: &SourceFailure) -> String {
    let mut text = failure.to_string();
    let mut cause = std::error::Error::source(failure);
    while let Some(error) = cause {
        text += &format!(": {error}");
        cause = error.source();
    }
    text
}
