//! How encode goes with threads where reading and writing cost next to nothing, and what stays serial:
//! `cargo bench --bench threads [-- BYTES]`.
//!
//! The input is memory, read by a copy; the sinks take all and keep nothing. Runs with different numbers
//! of workers take turns, so that what else the machine does meets them all alike. What a thread took
//! is its processor time, as the kernel counts it: so the ceilings, what the machine would do with
//! cores without end, can be told from a machine with two.

#![allow(clippy::unwrap_used, clippy::cast_precision_loss)]

use std::io::{self, Read, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use distdup::control::Control;
use distdup::encode::{EncodeOptions, encode};
use distdup::input::Input;
use distdup::sink::{Sink, SinkWriter};
use distdup_codecs::{Geometry, resolve};
use rustix::time::{ClockId, clock_gettime};

const WORKERS: [usize; 6] = [1, 2, 4, 8, 16, 64];
const GEOMETRIES: [(usize, usize); 3] = [(4, 6), (6, 10), (10, 14)];
const RUNS: usize = 5;

fn main() {
    let asked = std::env::args().find_map(|word| word.parse().ok());
    let length: u64 = asked.unwrap_or(1 << 30);
    println!(
        "{} MB, medians of {RUNS} interleaved runs",
        length / 1_000_000
    );
    for (k, n) in GEOMETRIES {
        let mut runs = vec![Vec::new(); WORKERS.len()];
        for _ in 0..RUNS {
            for (workers, runs) in WORKERS.iter().zip(&mut runs) {
                runs.push(run(k, n, *workers, length));
            }
        }
        println!(
            "\n({k}, {n}): what each stage takes a stripe, and the GB/s that it alone would allow"
        );
        println!(
            "{:>7} {:>9} {:>6} {:>8} {:>14} {:>14} {:>14} {:>14}",
            "workers",
            "shard KiB",
            "GB/s",
            "cpu GB/s",
            "reader us",
            "router us",
            "a sink us",
            "a worker us"
        );
        for (workers, runs) in WORKERS.iter().zip(&runs) {
            print_row(*workers, runs, length);
        }
    }
}

/// Seconds, and processor seconds of the stages.
#[derive(Clone, Copy)]
struct Run {
    wall: f64,
    reader: f64,
    router: f64,
    sink: f64,
    workers: f64,
    all: f64,
    stripes: f64,
    shard_len: usize,
}

fn run(k: usize, n: usize, workers: usize, length: u64) -> Run {
    let code = resolve("rs", Geometry::new(k, n).unwrap(), None).unwrap();
    let options = EncodeOptions {
        workers,
        ..EncodeOptions::new(code)
    };
    let took = Arc::new(Took::default());
    let input = Memory {
        bytes: vec![7; 1 << 20],
        left: length,
        took: Arc::clone(&took),
    };
    let sinks: Vec<Box<dyn Sink>> = (0..n)
        .map(|_| Box::new(Null(Arc::clone(&took))) as Box<dyn Sink>)
        .collect();
    let (router, all) = (
        processor_time(ClockId::ThreadCPUTime),
        processor_time(ClockId::ProcessCPUTime),
    );
    let start = Instant::now();
    let report = encode(Box::new(input), sinks, &options, &Control::new().0).unwrap();
    let wall = start.elapsed().as_secs_f64();
    let router = processor_time(ClockId::ThreadCPUTime) - router;
    let all = processor_time(ClockId::ProcessCPUTime) - all;
    let reader = took.reader.load(Ordering::SeqCst);
    let sinks = took.sinks.load(Ordering::SeqCst);
    let seconds = |nanoseconds: u64| nanoseconds as f64 / 1e9;
    Run {
        wall,
        reader: seconds(reader),
        router: seconds(router),
        sink: seconds(sinks) / n as f64,
        workers: seconds(all.saturating_sub(router + reader + sinks)),
        all: seconds(all),
        stripes: report.totals.stripes as f64,
        shard_len: report.common.shard_len(),
    }
}

fn print_row(workers: usize, runs: &[Run], length: u64) {
    let median = |what: fn(&Run) -> f64| {
        let mut all: Vec<f64> = runs.iter().map(what).collect();
        all.sort_by(f64::total_cmp);
        all[all.len() / 2]
    };
    let speed = |seconds: f64| length as f64 / seconds / 1e9;
    print!(
        "{workers:>7} {:>9} {:>6.1} {:>8.1}",
        runs[0].shard_len >> 10,
        speed(median(|run| run.wall)),
        speed(median(|run| run.all)),
    );
    let stages: [fn(&Run) -> f64; 4] = [
        |run| run.reader,
        |run| run.router,
        |run| run.sink,
        |run| run.workers,
    ];
    for stage in stages {
        let seconds = median(stage);
        print!(
            " {:>7.1} {:>6.1}",
            seconds / runs[0].stripes * 1e6,
            speed(seconds)
        );
    }
    println!();
}

/// Nanoseconds on a processor: of this thread, or of all that there were.
fn processor_time(clock: ClockId) -> u64 {
    let time = clock_gettime(clock);
    u64::try_from(time.tv_sec * 1_000_000_000 + time.tv_nsec).unwrap()
}

/// Nanoseconds that threads say they took, at their end.
#[derive(Default)]
struct Took {
    reader: AtomicU64,
    sinks: AtomicU64,
}

/// The same bytes again and again.
struct Memory {
    bytes: Vec<u8>,
    left: u64,
    took: Arc<Took>,
}

impl Read for Memory {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let most = usize::try_from(self.left).unwrap_or(usize::MAX);
        let count = buf.len().min(self.bytes.len()).min(most);
        buf[..count].copy_from_slice(&self.bytes[..count]);
        self.left -= count as u64;
        Ok(count)
    }
}

impl Input for Memory {
    fn confirm_end(&mut self, _total: u64) -> io::Result<()> {
        self.took
            .reader
            .store(processor_time(ClockId::ThreadCPUTime), Ordering::SeqCst);
        Ok(())
    }
}

/// A sink that costs nothing.
struct Null(Arc<Took>);

impl Sink for Null {
    fn name(&self) -> String {
        "nowhere".into()
    }

    fn open(self: Box<Self>) -> io::Result<Box<dyn SinkWriter>> {
        Ok(self)
    }
}

impl Write for Null {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        Ok(buf.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl SinkWriter for Null {
    fn finish(self: Box<Self>) -> io::Result<()> {
        self.0
            .sinks
            .fetch_add(processor_time(ClockId::ThreadCPUTime), Ordering::SeqCst);
        Ok(())
    }
}
