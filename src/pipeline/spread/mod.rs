//! Takes the frames of n shares to n sinks, of which some may fail.
//!
//! Each sink has a thread and a bounded queue. A sink that fails, or takes no byte for too long
//! while one waits for it, is dropped; what is left goes on as long as it is enough. No sink gets a
//! trailer until enough of them have taken all frames.

mod outcome;
mod writer;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use bytes::Bytes;
use crossbeam_channel::{Receiver, Sender, bounded, never, select, unbounded};
use distdup_codecs::ShardSet;

pub use outcome::{SinkFailure, SinkOutcome};
pub(crate) use writer::Check;
use writer::{Event, Message, Writer};

use super::pool::Pool;
use crate::control::Control;
use crate::format::{Common, Totals, ending, header};
use crate::sink::Sink;

/// How often the sinks are looked at while one of them is waited for.
const TICK: Duration = Duration::from_millis(50);
/// How many times longer a sink may take to sync and rename than to take a byte.
const FINISH_FACTOR: u32 = 10;
/// How long aborted sinks are given to remove what they wrote.
const ABORT_GRACE: Duration = Duration::from_secs(2);

/// Why the sinks as a whole were not enough.
#[derive(Debug)]
pub(crate) enum SpreadError {
    /// Too few are left.
    TooFew,
    /// Asked to stop.
    Cancelled,
}

/// When what is left of the sinks is enough.
#[derive(Clone)]
pub(crate) struct Rule {
    /// As many must be complete in the end.
    pub(crate) least: usize,
    /// Whether the data can be had from the shares that they hold must be asked.
    pub(crate) recoverable: bool,
    /// How long a sink may take no byte.
    pub(crate) timeout: Duration,
    /// What is done with each share before it is completed, if it can be read back.
    pub(crate) check: Option<Check>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    Taking,
    TookAll,
    Ending,
    Finished,
    Failed,
}

struct Lane {
    name: String,
    index: usize,
    /// Bytes of its header.
    header_len: u64,
    /// Hung up: the sink is to abort.
    sender: Option<Sender<Message>>,
    /// The other end too, to take back what a dropped sink did not.
    queue: Receiver<Message>,
    given: u64,
    /// It was told that it has been given all frames, and is to say when it has taken them.
    told_all: bool,
    taken: Arc<AtomicU64>,
    /// Bytes that were read back.
    read_back: Arc<AtomicU64>,
    /// Set before its queue is emptied, so that it takes nothing from behind what is gone.
    dropped: Arc<AtomicBool>,
    /// Bytes taken and read back when last looked at, and since when it has been so while more were waiting.
    seen: (u64, Instant),
    stage: Stage,
    failure: Option<SinkFailure>,
}

/// The sinks of one stream's shares.
pub(crate) struct Spread {
    lanes: Vec<Lane>,
    events: Receiver<Event>,
    common: Arc<Common>,
    rule: Rule,
    pool: Option<Pool>,
    control: Control,
    /// Hung up when all is to be aborted.
    stop: Receiver<()>,
}

impl Spread {
    /// Opens the sinks, each on its own thread, and gives each the header of its share. `queue`
    /// frames may wait for each. `pool` gets a spare buffer for every sink that is stuck.
    pub(crate) fn open(
        sinks: impl IntoIterator<Item = (usize, Box<dyn Sink>)>,
        common: &Arc<Common>,
        rule: Rule,
        queue: usize,
        pool: Option<Pool>,
        control: &Control,
    ) -> Self {
        let (report, events) = unbounded();
        let lanes = sinks.into_iter().enumerate().map(|(lane, (index, sink))| {
            let (sender, queue) = bounded(queue.max(1));
            let taken = Arc::new(AtomicU64::new(0));
            let read_back = Arc::new(AtomicU64::new(0));
            let dropped = Arc::new(AtomicBool::new(false));
            let name = sink.name();
            let header = header::encode(common, index);
            let header_len = header.len() as u64;
            let writer = Writer {
                lane,
                queue: queue.clone(),
                taken: Arc::clone(&taken),
                dropped: Arc::clone(&dropped),
                report: report.clone(),
                check: rule.check.clone(),
                read_back: Arc::clone(&read_back),
            };
            thread::Builder::new()
                .name(format!("sink {index}"))
                .spawn(move || writer.run(sink, &header))
                .map_or_else(
                    // No thread to be had: the sink was never opened.
                    |error| {
                        let _ = report.send(Event::Failed(lane, SinkFailure::Open(error)));
                    },
                    drop,
                );
            Lane {
                name,
                index,
                header_len,
                sender: Some(sender),
                queue,
                given: header_len,
                told_all: false,
                taken,
                read_back,
                dropped,
                seen: (0, Instant::now()),
                stage: Stage::Taking,
                failure: None,
            }
        });
        Self {
            lanes: lanes.collect(),
            events,
            common: Arc::clone(common),
            rule,
            pool,
            control: control.clone(),
            stop: control.cancelled.clone(),
        }
    }

    /// Waits for whatever comes from `source`, and looks after the sinks meanwhile; `None` when its
    /// senders are gone.
    pub(crate) fn wait_for<T>(&mut self, source: &Receiver<T>) -> Result<Option<T>, SpreadError> {
        loop {
            select! {
                recv(source) -> item => return Ok(item.ok()),
                recv(self.events) -> event => {
                    if let Ok(event) = event {
                        self.heed(event);
                    }
                    self.enough()?;
                }
                recv(self.stop) -> _ => return Err(SpreadError::Cancelled),
            }
        }
    }

    /// Gives each sink that is left its frame of a stripe, `frame(index)`. Waits for slow ones.
    pub(crate) fn stripe(&mut self, frame: impl Fn(usize) -> Bytes) -> Result<(), SpreadError> {
        for lane in 0..self.lanes.len() {
            let bytes = frame(self.lanes[lane].index);
            self.give(lane, Message::Frame(bytes))?;
        }
        while let Ok(event) = self.events.try_recv() {
            self.heed(event);
        }
        self.enough()
    }

    /// The stream is whole: has all sinks that are left take it to the end, and completes them as
    /// soon as enough have all frames.
    pub(crate) fn finish(mut self, totals: &Totals) -> Result<Vec<SinkOutcome>, Failed> {
        match self.complete(totals) {
            Ok(()) => Ok(self.outcomes()),
            Err(error) => Err(self.abort(error)),
        }
    }

    /// Has all sinks that are left remove what they wrote, and says what became of each.
    pub(crate) fn abort(mut self, error: SpreadError) -> Failed {
        self.hang_up();
        Failed {
            error,
            sinks: self.outcomes(),
        }
    }

    fn complete(&mut self, totals: &Totals) -> Result<(), SpreadError> {
        for lane in 0..self.lanes.len() {
            self.give(lane, Message::AllFrames)?;
        }
        while !self.have_taken_all() {
            self.wait()?;
        }
        // From here on whatever is complete proves that the stream was whole, and it is too late to
        // stop: to say that nothing was done would not be true of the shares that are complete.
        self.stop = never();
        loop {
            for lane in 0..self.lanes.len() {
                if self.lanes[lane].stage == Stage::TookAll {
                    let Lane {
                        index, header_len, ..
                    } = self.lanes[lane];
                    let ending = ending::encode(&self.common, index, totals, header_len);
                    self.lanes[lane].stage = Stage::Ending;
                    self.give(lane, Message::Ending(ending.into()))?;
                }
            }
            let open = |lane: &Lane| !matches!(lane.stage, Stage::Finished | Stage::Failed);
            if !self.lanes.iter().any(open) {
                return self.enough();
            }
            self.wait()?;
        }
    }

    fn have_taken_all(&self) -> bool {
        let taken = self
            .lanes
            .iter()
            .filter(|lane| lane.stage == Stage::TookAll);
        self.is_enough(&taken.map(|lane| lane.index).collect())
    }

    fn is_enough(&self, shares: &ShardSet) -> bool {
        shares.len() >= self.rule.least
            && (!self.rule.recoverable || self.common.code().is_recoverable(*shares))
    }

    fn enough(&self) -> Result<(), SpreadError> {
        let left = self.lanes.iter().filter(|lane| lane.stage != Stage::Failed);
        if self.is_enough(&left.map(|lane| lane.index).collect()) {
            Ok(())
        } else {
            Err(SpreadError::TooFew)
        }
    }

    /// Puts a message into a sink's queue. Waits while that is full, and looks after all sinks
    /// meanwhile.
    fn give(&mut self, lane: usize, message: Message) -> Result<(), SpreadError> {
        self.lanes[lane].owe(&message);
        let mut message = Some(message);
        loop {
            let Some(sender) = self.lanes[lane].sender.clone() else {
                return Ok(());
            };
            select! {
                // A sink that hung up has said why, or is about to.
                send(sender, message.take().expect("sent at most once")) -> _ => return Ok(()),
                recv(self.events) -> event => {
                    if let Ok(event) = event {
                        self.heed(event);
                    }
                    self.enough()?;
                }
                recv(self.stop) -> _ => return Err(SpreadError::Cancelled),
                default(TICK) => self.look_for_stalls()?,
            }
        }
    }

    fn wait(&mut self) -> Result<(), SpreadError> {
        select! {
            recv(self.events) -> event => {
                if let Ok(event) = event {
                    self.heed(event);
                }
                self.enough()
            }
            recv(self.stop) -> _ => Err(SpreadError::Cancelled),
            default(TICK) => self.look_for_stalls(),
        }
    }

    fn heed(&mut self, event: Event) {
        match event {
            Event::TookAll(lane) => self.lanes[lane].move_on(Stage::TookAll),
            Event::Finished(lane) => self.lanes[lane].move_on(Stage::Finished),
            Event::Failed(lane, failure) => self.fail(lane, failure),
            Event::Aborted => {}
        }
    }

    fn fail(&mut self, lane: usize, failure: SinkFailure) {
        let lane = &mut self.lanes[lane];
        if matches!(lane.stage, Stage::Failed | Stage::Finished) {
            return;
        }
        lane.stage = Stage::Failed;
        lane.failure = Some(failure);
        lane.hang_up();
        self.control.progress.failed.fetch_add(1, Ordering::Relaxed);
    }

    fn look_for_stalls(&mut self) -> Result<(), SpreadError> {
        let now = Instant::now();
        for index in 0..self.lanes.len() {
            let lane = &mut self.lanes[index];
            let taken = lane.taken.load(Ordering::Relaxed);
            let moved = taken + lane.read_back.load(Ordering::Relaxed);
            if moved != lane.seen.0 || lane.is_idle() {
                lane.seen = (moved, now);
            }
            let waited = now.duration_since(lane.seen.1);
            let limit = match lane.stage {
                Stage::Taking | Stage::TookAll => self.rule.timeout,
                Stage::Ending if taken < lane.given => self.rule.timeout,
                Stage::Ending => self.rule.timeout.saturating_mul(FINISH_FACTOR),
                Stage::Finished | Stage::Failed => continue,
            };
            if lane.stage != Stage::TookAll && waited >= limit {
                self.fail(
                    index,
                    SinkFailure::TimedOut {
                        offset: taken,
                        waited,
                    },
                );
                // Its thread may sit on a buffer for good.
                if let Some(pool) = &self.pool {
                    pool.add_one();
                }
            }
        }
        self.enough()
    }

    fn outcomes(&mut self) -> Vec<SinkOutcome> {
        let outcome = |lane: &mut Lane| {
            let is_complete = lane.stage == Stage::Finished;
            let abandoned = (!is_complete).then_some(SinkFailure::Abandoned);
            SinkOutcome {
                name: std::mem::take(&mut lane.name),
                index: lane.index,
                bytes: lane.taken.load(Ordering::Relaxed),
                read_back: lane.read_back.load(Ordering::Relaxed) > 0,
                failure: lane.failure.take().or(abandoned),
            }
        };
        self.lanes.iter_mut().map(outcome).collect()
    }

    /// Hangs up on all sinks without an end, and waits a little for them to clean up.
    fn hang_up(&mut self) {
        let finished = |stage| matches!(stage, Stage::Finished | Stage::Failed);
        let mut waiting = 0;
        for lane in &mut self.lanes {
            waiting += usize::from(!finished(lane.stage) && lane.sender.is_some());
            lane.hang_up();
        }
        let deadline = Instant::now() + ABORT_GRACE;
        while waiting > 0 {
            match self.events.recv_deadline(deadline) {
                Ok(Event::Aborted) => waiting -= 1,
                Ok(Event::Finished(lane)) => {
                    self.lanes[lane].move_on(Stage::Finished);
                    waiting -= 1;
                }
                Ok(Event::Failed(lane, failure)) => {
                    self.fail(lane, failure);
                    waiting -= 1;
                }
                Ok(Event::TookAll(_)) => {}
                Err(_) => return,
            }
        }
    }
}

impl Drop for Spread {
    fn drop(&mut self) {
        self.hang_up();
    }
}

/// The sinks were not enough, or the run was stopped; what became of each.
#[derive(Debug)]
pub(crate) struct Failed {
    pub(crate) error: SpreadError,
    pub(crate) sinks: Vec<SinkOutcome>,
}

impl Lane {
    fn move_on(&mut self, stage: Stage) {
        // A sink that was given up may still report what it did.
        if !matches!(self.stage, Stage::Failed | Stage::Finished) {
            self.stage = stage;
            self.seen.1 = Instant::now();
        }
        if stage == Stage::Finished {
            self.sender = None;
        }
    }

    /// Whether it has nothing to do: then it is no stall that it takes nothing.
    fn is_idle(&self) -> bool {
        self.taken.load(Ordering::Relaxed) >= self.given
            && self.stage == Stage::Taking
            && !self.told_all
    }

    /// Notes what it is about to be given.
    fn owe(&mut self, message: &Message) {
        if self.is_idle() {
            self.seen.1 = Instant::now();
        }
        match message {
            Message::Frame(bytes) | Message::Ending(bytes) => self.given += bytes.len() as u64,
            Message::AllFrames => self.told_all = true,
        }
    }

    fn hang_up(&mut self) {
        self.sender = None;
        self.dropped.store(true, Ordering::SeqCst);
        // Gives the buffers back that nobody will write.
        self.queue.try_iter().for_each(drop);
    }
}
