//! Who is late, and who is only waited for: a pause on one side is no fault of the other.
#![allow(clippy::unwrap_used, reason = "a test fails by it")]

mod kit;

use std::io::{self, Cursor, Read, Write};
use std::mem;
use std::sync::{Arc, Barrier};
use std::thread;
use std::time::Duration;

use distdup::control::{Canceller, Control};
use distdup::decode::{DecodeError, DecodeOptions, GatherError, SourceOutcome, decode};
use distdup::encode::{DEFAULT_TIMEOUT, SinkFailure, encode};
use distdup::format::header;
use distdup::input::Input;
use distdup::repair::{RepairError, RepairOptions, repair};
use distdup::sink::{Sink, SinkWriter};
use distdup::source::{Source, SourceReader};
use distdup::verify::inspect;
use kit::{Bytes, MemorySink, MemorySource, code, decode_from, files, noise, options, shares};

const STRIPE: usize = 2 * 64;

/// A sink whose n-th write takes `pauses(n)` milliseconds.
struct Pausing {
    inner: MemorySink,
    writes: u64,
    pauses: fn(u64) -> u64,
}

impl Pausing {
    fn new(pauses: fn(u64) -> u64) -> Self {
        let inner = MemorySink::default();
        Self {
            inner,
            writes: 0,
            pauses,
        }
    }
}

impl Sink for Pausing {
    fn name(&self) -> String {
        "pausing".into()
    }

    fn open(self: Box<Self>) -> io::Result<Box<dyn SinkWriter>> {
        Ok(self)
    }
}

impl Write for Pausing {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        thread::sleep(Duration::from_millis((self.pauses)(self.writes)));
        self.writes += 1;
        self.inner.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl SinkWriter for Pausing {
    fn finish(self: Box<Self>) -> io::Result<()> {
        Box::new(self.inner).finish()
    }
}

/// An input that pauses once, before the byte at `at`.
struct Pause {
    inner: Cursor<Vec<u8>>,
    at: u64,
    length: Duration,
}

impl Read for Pause {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let at = self.inner.position();
        if at == self.at {
            thread::sleep(self.length);
        }
        let most = match self.at.checked_sub(at) {
            Some(left) if left > 0 => buffer.len().min(usize::try_from(left).unwrap()),
            _ => buffer.len(),
        };
        self.inner.read(&mut buffer[..most])
    }
}

impl Input for Pause {
    fn confirm_end(&mut self, _total: u64) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_sink_that_stalls_at_the_end_takes_no_other_with_it() {
    // With one stripe more than its queue holds, nothing waits for it but the end itself.
    for stripes in 3..7 {
        let mut options = options(code("xor", 2, 3), 64);
        options.min_shares = Some(2);
        options.sink_timeout = Duration::from_millis(300);
        let good = [MemorySink::default(), MemorySink::default()];
        let sinks: Vec<Box<dyn Sink>> = vec![
            Box::new(Pausing::new(|write| if write == 0 { 0 } else { 3_600_000 })),
            Box::new(good[0].clone()),
            Box::new(good[1].clone()),
        ];
        let input = Box::new(Bytes(Cursor::new(noise(stripes * STRIPE, 1))));
        let report = encode(input, sinks, &options, &Control::new().0)
            .unwrap_or_else(|error| panic!("{stripes} stripes: {error}"));
        let failed = report.sinks.iter().map(|sink| sink.failure.is_some());
        assert_eq!(failed.collect::<Vec<_>>(), [true, false, false]);
        assert!(good.iter().all(|sink| sink.0.lock().unwrap().finished));
    }
}

#[test]
fn a_repair_waits_for_its_sink_for_as_long_as_it_is_told() {
    let shares = shares(&noise(3 * STRIPE, 1), &options(code("xor", 2, 3), 64));
    let options = RepairOptions {
        sink_timeout: Duration::from_millis(300),
        ..RepairOptions::default()
    };
    for stuck in [0, 2] {
        let sink: Box<dyn Sink> = match stuck {
            0 => Box::new(Pausing::new(|_| 3_600_000)),
            _ => Box::new(Pausing::new(|write| if write < 2 { 0 } else { 3_600_000 })),
        };
        let error = repair(
            files(&shares, [0, 2]),
            |_, _| Ok(vec![(1, sink)]),
            &options,
            &Control::new().0,
        )
        .unwrap_err();
        let RepairError::AllFailed { sinks } = error else {
            panic!("{error}");
        };
        let failure = sinks[0].failure.as_ref().unwrap();
        // The time-out that is taken where none is given is two hundred times as long.
        let in_time = matches!(failure, SinkFailure::TimedOut { waited, .. } if *waited < DEFAULT_TIMEOUT / 2);
        assert!(in_time, "{failure}");
    }
}

#[test]
fn an_input_that_pauses_makes_no_sink_late() {
    let mut options = options(code("xor", 2, 3), 64);
    options.sink_timeout = Duration::from_millis(500);
    // The first sink has nothing to do while the others are waited for and the input pauses, and
    // takes its time after that, less than the time-out.
    let (before, after) = (8, 8);
    let input = Pause {
        inner: Cursor::new(noise((before + after) * STRIPE, 2)),
        at: (before * STRIPE) as u64,
        length: Duration::from_millis(1500),
    };
    let first = Box::new(Pausing::new(|write| if write <= 7 { 0 } else { 200 }));
    let slow = || Box::new(Pausing::new(|_| 120));
    let sinks: Vec<Box<dyn Sink>> = vec![first, slow(), slow()];
    let report = encode(Box::new(input), sinks, &options, &Control::new().0).unwrap();
    for sink in report.sinks {
        assert!(sink.failure.is_none(), "{sink:?}");
    }
}

/// A pipe whose writer pauses once, before the byte at `at`.
struct Halting {
    inner: Cursor<Vec<u8>>,
    at: u64,
    pause: Duration,
}

impl Source for Halting {
    fn name(&self) -> String {
        "halting".into()
    }

    fn open(self: Box<Self>) -> io::Result<Box<dyn SourceReader>> {
        Ok(self)
    }
}

impl Read for Halting {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let left = self.at.saturating_sub(self.inner.position());
        if left == 0 {
            thread::sleep(mem::take(&mut self.pause));
            return self.inner.read(buffer);
        }
        let most = buffer.len().min(usize::try_from(left).unwrap());
        self.inner.read(&mut buffer[..most])
    }
}

impl SourceReader for Halting {}

fn halting(share: Vec<u8>, at: u64, pause: Duration) -> Box<dyn Source> {
    let inner = Cursor::new(share);
    Box::new(Halting { inner, at, pause })
}

#[test]
fn a_pipe_that_lagged_behind_is_of_use_when_another_stalls() {
    let data = noise(60 * STRIPE, 5);
    let shares = shares(&data, &options(code("xor", 2, 3), 64));
    let start = header::decode(&shares[0]).unwrap().unwrap().1 as u64;
    let frame = 80 + 64;
    let sources = vec![
        halting(
            shares[0].clone(),
            start + 30 * frame,
            Duration::from_secs(3600),
        ),
        halting(shares[1].clone(), start, Duration::from_millis(500)),
        halting(shares[2].clone(), 0, Duration::ZERO),
    ];
    let options = DecodeOptions {
        source_timeout: Duration::from_millis(1500),
        ..DecodeOptions::default()
    };
    let (decoded, _) = decode_from(sources, &options).unwrap();
    assert!(decoded == data);
}

#[test]
fn an_output_that_pauses_makes_no_source_late() {
    let stripes = 20;
    let shares = shares(&noise(stripes * STRIPE, 3), &options(code("xor", 2, 3), 64));
    let sources = shares.into_iter().map(|share| {
        let source = MemorySource::file(0, share.clone());
        let end = inspect(source).unwrap().ending.unwrap().offset;
        halting(share, end, Duration::from_millis(300))
    });
    let options = DecodeOptions {
        source_timeout: Duration::from_millis(800),
        memory: 6 * 4 * (80 + 64) - 1, // two stripes under way
        workers: 1,
        ..DecodeOptions::default()
    };
    // Stops at a stripe near the end, so that the last one waits while all pipes come to theirs.
    let output = Box::new(Pausing::new(|write| if write == 34 { 1500 } else { 0 }));
    let report = decode(sources.collect(), output, &options, &Control::new().0).unwrap();
    for source in report.sources {
        assert!(source.is_good() && source.complete, "{source:?}");
    }
}

#[test]
fn an_output_that_pauses_has_no_source_read_that_is_not_needed() {
    let data = noise(60 * STRIPE, 4);
    let shares = shares(&data, &options(code("xor", 2, 3), 64));
    let output = Box::new(Pausing::new(|write| if write == 0 { 1500 } else { 0 }));
    let report = decode(
        files(&shares, 0..3),
        output,
        &DecodeOptions::default(),
        &Control::new().0,
    )
    .unwrap();
    assert_eq!(report.sources[2].frames, 0);
}

/// A source, a pipe, that pauses once after `after` bytes, until all that share its barrier go on.
struct PausingPipe {
    inner: Cursor<Vec<u8>>,
    after: u64,
    pause: Option<(Duration, Arc<Barrier>)>,
}

impl Source for PausingPipe {
    fn name(&self) -> String {
        "pausing".into()
    }

    fn open(self: Box<Self>) -> io::Result<Box<dyn SourceReader>> {
        Ok(self)
    }
}

impl Read for PausingPipe {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let left = self.after.saturating_sub(self.inner.position());
        if left == 0 {
            if let Some((pause, together)) = self.pause.take() {
                thread::sleep(pause);
                together.wait();
            }
            return self.inner.read(buffer);
        }
        let most = buffer.len().min(usize::try_from(left).unwrap());
        self.inner.read(&mut buffer[..most])
    }
}

impl SourceReader for PausingPipe {}

#[test]
fn pipes_whose_writer_pauses_are_waited_for() {
    let data = noise(9 * STRIPE, 6);
    let shares = shares(&data, &options(code("xor", 2, 3), 64));
    // As of an encode whose own input comes slowly: all pipes are silent at the same place.
    let header = inspect(MemorySource::file(0, shares[0].clone())).unwrap();
    let common = header.claims.unwrap().0;
    let after = header::encode(&common, 0).len() as u64 + 3 * (64 + 80);
    let together = Arc::new(Barrier::new(shares.len()));
    let pausing = |share: &Vec<u8>| -> Box<dyn Source> {
        Box::new(PausingPipe {
            inner: Cursor::new(share.clone()),
            after,
            pause: Some((Duration::from_millis(2500), Arc::clone(&together))),
        })
    };
    let decoding = DecodeOptions {
        source_timeout: Duration::from_secs(1),
        ..DecodeOptions::default()
    };
    let (stream, report) = decode_from(shares.iter().map(pausing).collect(), &decoding).unwrap();
    assert!(stream == data);
    assert!(
        report.sources.iter().all(SourceOutcome::is_good),
        "{report:?}"
    );
}

#[test]
fn what_was_cancelled_stays_so() {
    let (control, canceller) = Control::new();
    canceller.cancel();
    for _ in 0..2 {
        let sources = files(
            &shares(&noise(1000, 7), &options(code("xor", 2, 3), 64)),
            0..3,
        );
        let output = Box::new(MemorySink::default());
        let result = decode(sources, output, &DecodeOptions::default(), &control);
        assert!(matches!(
            result,
            Err(DecodeError::Gather(GatherError::Cancelled))
        ));
    }
}

/// A sink that is told to stop while it makes its share count.
struct StoppedAtTheEnd {
    inner: MemorySink,
    canceller: Canceller,
}

impl Sink for StoppedAtTheEnd {
    fn name(&self) -> String {
        "stopped at the end".into()
    }

    fn open(self: Box<Self>) -> io::Result<Box<dyn SinkWriter>> {
        Ok(self)
    }
}

impl Write for StoppedAtTheEnd {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.inner.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl SinkWriter for StoppedAtTheEnd {
    fn finish(self: Box<Self>) -> io::Result<()> {
        self.canceller.cancel();
        thread::sleep(Duration::from_millis(200));
        Box::new(self.inner).finish()
    }
}

#[test]
fn a_stop_that_comes_while_shares_are_completed_comes_too_late() {
    let (control, canceller) = Control::new();
    let sinks = [0; 3].map(|_| MemorySink::default());
    let stopped = |sink: &MemorySink| -> Box<dyn Sink> {
        let (inner, canceller) = (sink.clone(), canceller.clone());
        Box::new(StoppedAtTheEnd { inner, canceller })
    };
    let input = Box::new(Bytes(Cursor::new(noise(1000, 8))));
    let sinks_given = sinks.iter().map(stopped).collect();
    let report = encode(
        input,
        sinks_given,
        &options(code("xor", 2, 3), 64),
        &control,
    )
    .unwrap();
    assert!(report.sinks.iter().all(|sink| sink.failure.is_none()));
    assert!(sinks.iter().all(|sink| sink.0.lock().unwrap().finished));
}
