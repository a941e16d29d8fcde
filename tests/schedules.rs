//! Deadlocks, looked for by drawing lots: sinks, sources, inputs and outputs that are slow, that die, that
//! block, and that go on after all, each at some operation; and operations that are stopped at some moment.
//! Whatever becomes of it, everything ends, and nothing passes for complete that is not.
//!
//! `DISTDUP_SEED=N` runs one schedule alone.
#![allow(clippy::unwrap_used, reason = "a test fails by it")]

mod kit;

use std::fmt::Debug;
use std::io::{self, Cursor, ErrorKind, Read, Seek, Write};
use std::panic::{self, AssertUnwindSafe};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::Duration;

use crossbeam_channel::bounded;
use distdup::control::{Canceller, Control};
use distdup::decode::{DecodeOptions, decode};
use distdup::encode::{EncodeOptions, encode};
use distdup::input::{Input, ReaderInput};
use distdup::repair::{RepairOptions, repair};
use distdup::sink::{Sink, SinkWriter};
use distdup::source::{Source, SourceReader};
use distdup::verify::verify;
use distdup_codecs::{Code, ShardSet};
use kit::pipe::pipe;
use kit::tally::Tally;
use kit::{MemorySink, MemorySource, code, decode_from, files, full, lots, noise, options, shares};

const SHARD: usize = 16;
/// Nothing waits for that long unless it waits for ever.
const WATCHDOG: Duration = Duration::from_secs(120);
/// Where nothing blocks, no time-out may be what ends a run: longer than the watchdog waits.
const NEVER: Duration = Duration::from_secs(3600);
/// Where something blocks: the least that a run is kept from its end by.
const SHORT: Duration = Duration::from_millis(40);
/// Schedules that run side by side. Most of them wait most of the time.
const SIDE_BY_SIDE: usize = 12;

/// Numbers by lot, each below what is asked for.
type Lots = Box<dyn FnMut(usize) -> usize + Send>;

/// What becomes of something, and at which of its operations.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Fate {
    Well,
    /// Waits now and then until others have done something.
    Slow,
    Dies(u64),
    Blocks(u64),
    /// Goes on after so many milliseconds.
    Resumes(u64, u64),
}

/// What all that take part in a run share.
#[derive(Default)]
struct World {
    /// Operations so far, and whether those that block may go on.
    state: Mutex<(u64, bool)>,
    changed: Condvar,
    /// Parts that are not dropped yet.
    parts: AtomicUsize,
    canceller: Mutex<Option<(u64, Canceller)>>,
    fates: Mutex<Vec<(&'static str, Fate)>>,
}

impl World {
    fn step(&self) {
        let mut state = self.state.lock().unwrap();
        state.0 += 1;
        let ticks = state.0;
        drop(state);
        self.changed.notify_all();
        let mut canceller = self.canceller.lock().unwrap();
        if let Some((_, due)) = canceller.take_if(|(at, _)| *at <= ticks) {
            due.cancel();
        }
    }

    fn wait(&self, most: Duration, until: impl Fn(&(u64, bool)) -> bool) {
        let state = self.state.lock().unwrap();
        drop(
            self.changed
                .wait_timeout_while(state, most, |state| !until(state))
                .unwrap(),
        );
    }

    /// Lets all go on that block.
    fn release(&self) {
        self.state.lock().unwrap().1 = true;
        self.changed.notify_all();
    }
}

/// One that takes part: its turn comes with each of its operations.
struct Part {
    world: Arc<World>,
    fate: Fate,
    lot: Lots,
    operations: u64,
    died: Arc<AtomicBool>,
}

impl Part {
    fn turn(&mut self) -> io::Result<()> {
        self.world.step();
        let number = self.operations;
        self.operations += 1;
        match self.fate {
            Fate::Slow if (self.lot)(3) == 0 => {
                let now = self.world.state.lock().unwrap().0;
                let more = (self.lot)(12) as u64;
                // Others may be waiting for this one: then it is only slow.
                self.world
                    .wait(Duration::from_millis(2), |state| state.0 >= now + more);
            }
            Fate::Dies(at) if at <= number => {
                self.died.store(true, Ordering::SeqCst);
                return Err(ErrorKind::ConnectionReset.into());
            }
            Fate::Blocks(at) if at == number => self.world.wait(NEVER, |state| state.1),
            Fate::Resumes(at, millis) if at == number => {
                self.world
                    .wait(Duration::from_millis(millis), |state| state.1);
            }
            _ => {}
        }
        Ok(())
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        self.world.parts.fetch_sub(1, Ordering::SeqCst);
        self.world.changed.notify_all();
    }
}

/// Something that has a turn before each of its operations.
struct Turning<T> {
    part: Part,
    inner: T,
}

impl Sink for Turning<Box<dyn Sink>> {
    fn name(&self) -> String {
        self.inner.name()
    }

    fn open(mut self: Box<Self>) -> io::Result<Box<dyn SinkWriter>> {
        self.part.turn()?;
        let Self { part, inner } = *self;
        let inner = inner.open()?;
        Ok(Box::new(Turning { part, inner }))
    }
}

impl Write for Turning<Box<dyn SinkWriter>> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.part.turn()?;
        let most = 1 + (self.part.lot)(200);
        self.inner.write(&bytes[..bytes.len().min(most)])
    }

    fn flush(&mut self) -> io::Result<()> {
        self.part.turn()?;
        self.inner.flush()
    }
}

impl SinkWriter for Turning<Box<dyn SinkWriter>> {
    fn finish(mut self: Box<Self>) -> io::Result<()> {
        self.part.turn()?;
        self.inner.finish()
    }
}

impl Source for Turning<Box<dyn Source>> {
    fn name(&self) -> String {
        self.inner.name()
    }

    fn open(mut self: Box<Self>) -> io::Result<Box<dyn SourceReader>> {
        self.part.turn()?;
        let Self { part, inner } = *self;
        let inner = inner.open()?;
        Ok(Box::new(Turning { part, inner }))
    }
}

impl Read for Turning<Box<dyn SourceReader>> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.part.turn()?;
        let most = 1 + (self.part.lot)(200);
        let most = buffer.len().min(most);
        self.inner.read(&mut buffer[..most])
    }
}

impl SourceReader for Turning<Box<dyn SourceReader>> {
    fn seekable(&mut self) -> Option<&mut dyn Seek> {
        self.inner.seekable()
    }
}

impl Read for Turning<Box<dyn Input>> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.part.turn()?;
        let most = 1 + (self.part.lot)(200);
        let most = buffer.len().min(most);
        self.inner.read(&mut buffer[..most])
    }
}

impl Input for Turning<Box<dyn Input>> {
    fn confirm_end(&mut self, total: u64) -> io::Result<()> {
        self.inner.confirm_end(total)
    }
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Operation {
    Encode,
    Decode,
    Repair,
    Verify,
    /// Encode into pipes that decode reads.
    Through,
}

/// A run, drawn by lot.
struct Schedule {
    operation: Operation,
    /// Something may block: then time-outs are short, and what is late may be dropped.
    blocks: bool,
    stops: bool,
    encoding: EncodeOptions,
    decoding: DecodeOptions,
    data: Vec<u8>,
    whole: Vec<Vec<u8>>,
    world: Arc<World>,
    control: Control,
    canceller: Canceller,
    lot: Lots,
}

impl Schedule {
    fn draw(seed: u64) -> Self {
        use Operation::{Decode, Encode, Repair, Through, Verify};
        let mut lot: Lots = Box::new(lots(seed));
        lot(2); // seeds that are alike begin alike
        let operation = [Encode, Decode, Repair, Verify, Through][lot(5)];
        let (codec, k, n) = [("rs", 2, 3), ("rs", 2, 4), ("rs", 4, 6), ("xor", 6, 10)][lot(4)];
        let code = code(codec, k, n);
        let data = noise(lot(12 * k * SHARD), seed);
        let mut encoding = options(Arc::clone(&code), SHARD as u64);
        encoding.workers = 1 + lot(3);
        encoding.verify = lot(4) == 0;
        encoding.min_shares = Some(k + lot(n - k + 1));
        let whole = shares(&data, &encoding);
        let blocks = lot(2) == 0;
        let timeout = if blocks { SHORT } else { NEVER };
        encoding.sink_timeout = timeout;
        let decoding = DecodeOptions {
            source_timeout: timeout,
            workers: 1 + lot(3),
            ..DecodeOptions::default()
        };
        let stops = lot(4) == 0;
        let (control, canceller) = Control::new();
        let world = World::default();
        if stops {
            let at = lot(200) as u64;
            *world.canceller.lock().unwrap() = Some((at, canceller.clone()));
        }
        Self {
            operation,
            blocks,
            stops,
            encoding,
            decoding,
            data,
            whole,
            world: Arc::new(world),
            control,
            canceller,
            lot,
        }
    }

    fn code(&self) -> &Arc<dyn Code> {
        &self.encoding.code
    }

    /// A part with a fate, and whether it has died.
    fn part(&mut self, what: &'static str, may_block: bool) -> (Part, Arc<AtomicBool>) {
        let at = (self.lot)(40) as u64;
        // One that is not even opened blocks the other end of its pipe.
        let opened = at.max(u64::from(self.operation == Operation::Through));
        let fate = match (self.lot)(8) {
            0 => Fate::Dies(opened),
            1..=3 => Fate::Slow,
            4 if self.blocks && may_block => Fate::Blocks(at),
            5 if self.blocks => Fate::Resumes(at, (self.lot)(80) as u64),
            _ => Fate::Well,
        };
        self.world.fates.lock().unwrap().push((what, fate));
        self.world.parts.fetch_add(1, Ordering::SeqCst);
        let died = Arc::new(AtomicBool::new(false));
        let part = Part {
            world: Arc::clone(&self.world),
            fate,
            lot: Box::new(lots((self.lot)(1 << 30) as u64)),
            operations: 0,
            died: Arc::clone(&died),
        };
        (part, died)
    }

    /// What waits as long as it takes is stopped: sources that have no time-out, and pipes that are
    /// silent side by side, since whoever writes to them may be waiting for something.
    fn stop_what_waits(&mut self) {
        let fates = self.world.fates.lock().unwrap().clone();
        let blocks = fates
            .iter()
            .filter(|(_, fate)| matches!(fate, Fate::Blocks(_)));
        let waits = match self.operation {
            Operation::Encode => false,
            Operation::Decode | Operation::Repair | Operation::Through => blocks.count() > 1,
            Operation::Verify => blocks.count() > 0,
        };
        if waits {
            self.stops = true;
            let after = Duration::from_millis((self.lot)(300) as u64);
            let (world, canceller) = (Arc::clone(&self.world), self.canceller.clone());
            thread::spawn(move || {
                world.wait(after, |state| state.1);
                canceller.cancel();
            });
        }
    }

    fn sink(&mut self, inner: Box<dyn Sink>) -> (Box<dyn Sink>, Arc<AtomicBool>) {
        let (part, died) = self.part("sink", true);
        (Box::new(Turning { part, inner }), died)
    }

    fn source(&mut self, inner: Box<dyn Source>) -> (Box<dyn Source>, Arc<AtomicBool>) {
        let (part, died) = self.part("source", true);
        (Box::new(Turning { part, inner }), died)
    }

    fn input(&mut self) -> Box<dyn Input> {
        let inner: Box<dyn Input> = Box::new(ReaderInput(Cursor::new(self.data.clone())));
        // Nothing drops an input that blocks, nor an output.
        let (mut part, _) = self.part("input", false);
        if matches!(part.fate, Fate::Dies(_)) {
            part.fate = Fate::Slow; // tests/sinks_fail.rs has it die at every byte
        }
        Box::new(Turning { part, inner })
    }

    fn output(&mut self) -> (Box<dyn Sink>, MemorySink) {
        let memory = MemorySink::default();
        let (mut part, _) = self.part("output", false);
        if matches!(part.fate, Fate::Dies(_)) {
            part.fate = Fate::Slow;
        }
        let inner: Box<dyn Sink> = Box::new(memory.clone());
        (Box::new(Turning { part, inner }), memory)
    }

    /// Shares to read, each a file or a pipe.
    fn sources(&mut self) -> (Vec<Box<dyn Source>>, Vec<Arc<AtomicBool>>) {
        let shares = self.whole.clone().into_iter().enumerate();
        let source = |(index, share)| {
            let inner = match (self.lot)(2) {
                0 => MemorySource::file(index, share),
                _ => MemorySource::pipe(index, share),
            };
            self.source(inner)
        };
        shares.map(source).unzip()
    }

    /// Lets it run, and looks at what it left behind.
    fn run(&mut self) -> &'static str {
        let came_out = match self.operation {
            Operation::Encode => self.encodes(),
            Operation::Decode => self.decodes(),
            Operation::Repair => self.repairs(),
            Operation::Verify => self.verifies(),
            Operation::Through => self.goes_through(),
        };
        self.world.release();
        // A pipe that nobody opens any more blocks whoever opens its other end, as they do.
        if self.operation != Operation::Through {
            let parts = &self.world.parts;
            self.world
                .wait(WATCHDOG / 2, |_| parts.load(Ordering::SeqCst) == 0);
            let left = parts.load(Ordering::SeqCst);
            assert_eq!(left, 0, "threads that are stuck though nothing blocks");
        }
        came_out
    }

    fn encodes(&mut self) -> &'static str {
        let sinks: Vec<MemorySink> = self.whole.iter().map(|_| MemorySink::default()).collect();
        let turning = sinks.iter().map(|sink| self.sink(Box::new(sink.clone())));
        let (turning, died): (Vec<_>, Vec<_>) = turning.collect::<Vec<_>>().into_iter().unzip();
        let input = self.input();
        let result = encode(input, turning, &self.encoding, &self.control);
        let finished = self.finished(&sinks);
        let is_enough = |shares: ShardSet| {
            shares.len() >= self.encoding.min_shares.unwrap() && self.code().is_recoverable(shares)
        };
        if result.is_ok() {
            assert!(is_enough(finished), "{finished} are not enough");
        }
        if !self.blocks && !self.stops {
            let enough = is_enough(alive(&died));
            assert_eq!(result.is_ok(), enough, "{result:?}");
        }
        outcome(&result)
    }

    /// Sinks that were finished; with the bytes that they were to have.
    fn finished(&self, sinks: &[MemorySink]) -> ShardSet {
        let is_finished = |index: &usize| {
            let taken = sinks[*index].0.lock().unwrap();
            assert!(!taken.finished || taken.bytes == self.whole[*index]);
            assert!(self.whole[*index].starts_with(&taken.bytes));
            taken.finished
        };
        let finished: ShardSet = (0..sinks.len()).filter(is_finished).collect();
        if self.code().is_recoverable(finished) {
            let sources = files(&self.whole, finished.iter());
            let (found, report) = decode_from(sources, &DecodeOptions::default()).unwrap();
            assert!(found == self.data && report.is_proven());
        }
        finished
    }

    fn decodes(&mut self) -> &'static str {
        let (sources, died) = self.sources();
        let (output, memory) = self.output();
        self.stop_what_waits();
        let result = decode(sources, output, &self.decoding, &self.control);
        let taken = memory.0.lock().unwrap();
        assert_eq!(taken.finished, result.is_ok(), "{result:?}");
        assert!(!taken.finished || taken.bytes == self.data);
        let must = !self.blocks && !self.stops && self.code().is_recoverable(alive(&died));
        assert!(result.is_ok() || !must, "{result:?}");
        outcome(&result)
    }

    fn repairs(&mut self) -> &'static str {
        let (mut sources, mut died) = self.sources();
        let lost = (self.lot)(self.whole.len());
        drop(sources.remove(lost));
        died.remove(lost);
        let memory = MemorySink::default();
        let (sink, sink_died) = self.sink(Box::new(memory.clone()));
        let sinks = move |_: &_, _: ShardSet| Ok(vec![(lost, sink)]);
        self.stop_what_waits();
        let options = RepairOptions {
            sink_timeout: self.encoding.sink_timeout,
            ..self.decoding.clone().into()
        };
        let result = repair(sources, sinks, &options, &self.control);
        let taken = memory.0.lock().unwrap();
        assert!(!taken.finished || taken.bytes == self.whole[lost]);
        assert!(result.is_err() || taken.finished);
        let all_live = died
            .iter()
            .chain([&sink_died])
            .all(|died| !died.load(Ordering::SeqCst));
        let must = !self.blocks && !self.stops && all_live;
        assert!(result.is_ok() || !must, "{result:?}");
        outcome(&result)
    }

    fn verifies(&mut self) -> &'static str {
        let (sources, died) = self.sources();
        self.stop_what_waits();
        let result = verify(sources, &self.control);
        for (verdict, died) in result.iter().flatten().zip(&died) {
            let died = died.load(Ordering::SeqCst);
            // One that died at a frame that a file gives at a second try is whole after all.
            assert!(verdict.is_whole() || died, "{verdict:?}");
        }
        assert!(self.stops || result.is_ok(), "{result:?}");
        outcome(&result)
    }

    fn goes_through(&mut self) -> &'static str {
        let capacity = 1 + (self.lot)(400);
        let pipes: Vec<_> = (0..self.whole.len())
            .map(|index| pipe(index, capacity))
            .collect();
        let (mut sinks, mut sources, mut died) = (Vec::new(), Vec::new(), Vec::new());
        for (sink, source) in pipes {
            let (sink, one) = self.sink(sink);
            let (source, other) = self.source(source);
            sinks.push(sink);
            sources.push(source);
            died.push((one, other));
        }
        let input = self.input();
        let (output, memory) = self.output();
        self.stop_what_waits();
        let (how, control) = (self.encoding.clone(), self.control.clone());
        let encoding = thread::spawn(move || encode(input, sinks, &how, &control));
        let decoded = decode(sources, output, &self.decoding, &self.control);
        let encoded = encoding.join().unwrap();
        let taken = memory.0.lock().unwrap();
        assert_eq!(taken.finished, decoded.is_ok());
        assert!(!taken.finished || taken.bytes == self.data);
        if !self.blocks && !self.stops {
            let lives = |died: &AtomicBool| !died.load(Ordering::SeqCst);
            let live = |lane: &usize| lives(&died[*lane].0) && lives(&died[*lane].1);
            let live: ShardSet = (0..died.len()).filter(live).collect();
            let enough = live.len() >= self.encoding.min_shares.unwrap();
            if enough && self.code().is_recoverable(live) {
                assert!(encoded.is_ok(), "{encoded:?}");
                assert!(decoded.is_ok(), "{decoded:?}");
            }
        }
        outcome(&decoded)
    }
}

/// Those of them that have not died.
fn alive(died: &[Arc<AtomicBool>]) -> ShardSet {
    let lives = |index: &usize| !died[*index].load(Ordering::SeqCst);
    (0..died.len()).filter(lives).collect()
}

fn outcome<T, E: Debug>(result: &Result<T, E>) -> &'static str {
    match result {
        Ok(_) => "done",
        Err(_) => "refused",
    }
}

/// Runs the schedule of a seed, and says what came of it, or what is wrong.
fn tried(seed: u64) -> Result<&'static str, String> {
    let mut schedule = Schedule::draw(seed);
    let (operation, world) = (schedule.operation, Arc::clone(&schedule.world));
    let (report, done) = bounded(1);
    thread::spawn(move || {
        let ran = panic::catch_unwind(AssertUnwindSafe(|| schedule.run()));
        let _ = report.send(ran.map_err(|_| "fails")); // it may have been given up
    });
    let ran = done.recv_timeout(WATCHDOG).unwrap_or(Err("does not end"));
    ran.map_err(|what| format!("{operation:?} {what}: {:?}", world.fates.lock().unwrap()))
}

#[test]
fn whatever_the_schedule_everything_ends() {
    let only = std::env::var("DISTDUP_SEED")
        .ok()
        .map(|seed| seed.parse::<u64>().unwrap());
    let seeds = only.map_or(0..if full() { 6000 } else { 96 }, |seed| seed..seed + 1);
    let next = AtomicU64::new(seeds.start);
    let tally = Mutex::new(Tally::of(
        "random schedules of slow, dead, blocked and resuming parts",
    ));
    thread::scope(|scope| {
        for _ in 0..SIDE_BY_SIDE {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::SeqCst);
                    if seed >= seeds.end {
                        return;
                    }
                    match tried(seed) {
                        Ok(outcome) => tally.lock().unwrap().count(outcome),
                        Err(what) => panic!("DISTDUP_SEED={seed}: {what}"),
                    }
                }
            });
        }
    });
}
