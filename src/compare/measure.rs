//! How fast codes are on this machine.
//!
//! Each run encodes the data into shares in memory, decodes them with as many lost as can be, and
//! repairs one: through the same readers, workers, digests, frames and queues as any other stream.
//! Only the hosts are missing. Runs of all codes take turns, so that what else the machine does meets
//! them all alike; the first turn warms up and does not count.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use bytes::{Buf, Bytes};
use crossbeam_channel::unbounded;
use distdup_codecs::{Code, ShardSet};

use super::memory::{MemorySink, MemorySource, Nowhere};
use crate::catalogue::catalogue;
use crate::control::Control;
use crate::decode::{DecodeError, DecodeOptions, decode};
use crate::encode::{EncodeError, EncodeOptions, encode};
use crate::input::ReaderInput;
use crate::repair::{RepairError, repair};
use crate::sink::Sink;
use crate::source::Source;

/// The share that is repaired: a data share of every code.
const REPAIRED: usize = 0;

/// What is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operation {
    /// The data into shares.
    Encode,
    /// The data from shares of which some are lost.
    Decode,
    /// A lost share from the others.
    Repair,
}

/// What is done next.
#[derive(Debug, Clone, Copy)]
pub struct Step<'a> {
    /// Which run, from 0, the one that warms up.
    pub run: usize,
    /// By which code.
    pub code: &'a dyn Code,
    /// What.
    pub operation: Operation,
}

/// A code's speeds, in bytes of data a second.
#[derive(Debug, Clone, PartialEq)]
pub struct Speed {
    /// The data into n shares.
    pub encode: Spread,
    /// The data from shares without those in `lost`.
    pub decode: Spread,
    /// One share from the others.
    pub repair: Spread,
    /// What was lost for the decode: n - k shares, data first, as far as the code survives it.
    pub lost: ShardSet,
    /// Bytes that were read to repair the share, for each byte that it has.
    pub repair_reads: f64,
}

/// Several runs of the same.
#[derive(Debug, Clone, PartialEq)]
pub struct Spread {
    runs: Vec<f64>,
}

impl Spread {
    /// Of at least one run.
    ///
    /// # Panics
    ///
    /// There is none.
    pub fn new(mut runs: Vec<f64>) -> Self {
        assert!(!runs.is_empty(), "no runs, no spread");
        runs.sort_by(f64::total_cmp);
        Self { runs }
    }

    /// The slowest.
    pub fn low(&self) -> f64 {
        self.runs[0]
    }

    /// The one in the middle, or between the two there.
    pub fn median(&self) -> f64 {
        let half = self.runs.len() / 2;
        if self.runs.len().is_multiple_of(2) {
            f64::midpoint(self.runs[half - 1], self.runs[half])
        } else {
            self.runs[half]
        }
    }

    /// The fastest.
    pub fn high(&self) -> f64 {
        self.runs[self.runs.len() - 1]
    }

    /// How many runs there were.
    pub fn runs(&self) -> usize {
        self.runs.len()
    }
}

/// Why there are no figures.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MeasureError {
    /// Nothing to code.
    #[error("there is no data: give a byte at least, better some megabytes")]
    NoData,
    /// Nothing to do.
    #[error("0 runs measure nothing: do at least one, better five")]
    NoRuns,
    /// An encode failed.
    #[error("{codec} could not encode the data")]
    Encode {
        /// The code.
        codec: String,
        /// Why.
        #[source]
        source: EncodeError,
    },
    /// A decode failed.
    #[error("{codec} could not decode the data without shares {lost}")]
    Decode {
        /// The code.
        codec: String,
        /// What was lost.
        lost: ShardSet,
        /// Why.
        #[source]
        source: Box<DecodeError>,
    },
    /// A repair failed.
    #[error("{codec} could not repair share {REPAIRED}")]
    Repair {
        /// The code.
        codec: String,
        /// Why.
        #[source]
        source: Box<RepairError>,
    },
}

catalogue! {
    MeasureError {
        Self::NoData | Self::NoRuns => "measure-nothing":
            "Nothing was measured."
            "Give some megabytes by --size, and five --runs.";
    }
    passing {
        Self::Encode { source, .. } => source;
        Self::Decode { source, .. } => &**source;
        Self::Repair { source, .. } => &**source;
    }
}

/// Encodes, decodes and repairs `data` with each of the codes, `runs` times, in turns. `tell` hears
/// of every step. Speeds are in the order of the codes.
///
/// # Errors
///
/// There is nothing to do, or something of it failed. (One share alone cannot be repaired.)
pub fn measure(
    codes: &[Arc<dyn Code>],
    data: &Bytes,
    runs: usize,
    tell: &mut dyn FnMut(Step<'_>),
) -> Result<Vec<Speed>, MeasureError> {
    if data.is_empty() {
        return Err(MeasureError::NoData);
    }
    if runs == 0 {
        return Err(MeasureError::NoRuns);
    }
    let mut buffers = Vec::new();
    let mut timings: Vec<Vec<Timing>> = vec![Vec::new(); codes.len()];
    for run in 0..=runs {
        for (code, timings) in codes.iter().zip(&mut timings) {
            let mut tell = |operation| {
                tell(Step {
                    run,
                    code: &**code,
                    operation,
                });
            };
            let timing = once(code, data, &mut buffers, &mut tell)?;
            if run > 0 {
                timings.push(timing);
            }
        }
    }
    let speed = |(code, timings): (&Arc<dyn Code>, Vec<Timing>)| {
        let spread = |time: fn(&Timing) -> Duration| {
            let speeds = timings.iter().map(|timing| speed(data.len(), time(timing)));
            Spread::new(speeds.collect())
        };
        Speed {
            encode: spread(|timing| timing.encode),
            decode: spread(|timing| timing.decode),
            repair: spread(|timing| timing.repair),
            lost: most_lost(&**code),
            repair_reads: timings
                .iter()
                .map(|timing| timing.reads)
                .fold(0.0, f64::max),
        }
    };
    Ok(codes.iter().zip(timings).map(speed).collect())
}

#[derive(Debug, Clone, Copy)]
struct Timing {
    encode: Duration,
    decode: Duration,
    repair: Duration,
    reads: f64,
}

/// One run. `buffers` are the shares', kept so that their memory is there the next time.
fn once(
    code: &Arc<dyn Code>,
    data: &Bytes,
    buffers: &mut Vec<Vec<u8>>,
    tell: &mut dyn FnMut(Operation),
) -> Result<Timing, MeasureError> {
    let codec = || format!("{} {}", code.id(), code.geometry());
    let n = code.geometry().n();
    let control = Control::new().0;
    let options = DecodeOptions::default();
    let (done, written) = unbounded();
    let mut sink = |share| -> Box<dyn Sink> {
        Box::new(MemorySink {
            share,
            buffer: buffers.pop().unwrap_or_default(),
            done: done.clone(),
        })
    };

    tell(Operation::Encode);
    let input = Box::new(ReaderInput(data.clone().reader()));
    let sinks = (0..n).map(&mut sink).collect();
    let began = Instant::now();
    encode(
        input,
        sinks,
        &EncodeOptions::new(Arc::clone(code)),
        &control,
    )
    .map_err(|source| MeasureError::Encode {
        codec: codec(),
        source,
    })?;
    let encoded = began.elapsed();

    let mut shares: Vec<_> = written.try_iter().collect();
    shares.sort_by_key(|(share, _)| *share);
    let shares: Vec<_> = (shares.into_iter())
        .map(|(share, bytes)| (share, Arc::new(bytes)))
        .collect();
    let read = Arc::new(AtomicU64::new(0));
    let sources = |lost: ShardSet| -> Vec<Box<dyn Source>> {
        (shares.iter().filter(|(share, _)| !lost.contains(*share)))
            .map(|(share, bytes)| -> Box<dyn Source> {
                Box::new(MemorySource {
                    share: *share,
                    bytes: Arc::clone(bytes),
                    read: Arc::clone(&read),
                })
            })
            .collect()
    };

    tell(Operation::Decode);
    let lost = most_lost(&**code);
    let given = sources(lost);
    let began = Instant::now();
    decode(given, Box::new(Nowhere), &options, &control).map_err(|source| {
        MeasureError::Decode {
            codec: codec(),
            lost,
            source: Box::new(source),
        }
    })?;
    let decoded = began.elapsed();

    tell(Operation::Repair);
    let given = sources(ShardSet::from_iter([REPAIRED]));
    let sink = sink(REPAIRED);
    read.store(0, Ordering::Relaxed);
    let began = Instant::now();
    repair(
        given,
        |_, _| Ok(vec![(REPAIRED, sink)]),
        &options.into(),
        &control,
    )
    .map_err(|source| MeasureError::Repair {
        codec: codec(),
        source: Box::new(source),
    })?;
    let repaired = began.elapsed();
    let reads = of_length(read.load(Ordering::Relaxed)) / of_length(shares[0].1.len() as u64);

    let whole = shares
        .into_iter()
        .filter_map(|(_, bytes)| Arc::into_inner(bytes));
    buffers.extend(whole.chain(written.try_iter().map(|(_, bytes)| bytes)));
    Ok(Timing {
        encode: encoded,
        decode: decoded,
        repair: repaired,
        reads,
    })
}

/// What can be lost at most: n - k shares, those with low numbers first, which are the data.
fn most_lost(code: &dyn Code) -> ShardSet {
    let geometry = code.geometry();
    let mut lost = ShardSet::new();
    for share in 0..geometry.n() {
        let mut more = lost;
        more.insert(share);
        let left = geometry.shards().difference(more);
        if more.len() <= geometry.parity() && code.is_recoverable(left) {
            lost = more;
        }
    }
    lost
}

fn speed(bytes: usize, time: Duration) -> f64 {
    of_length(bytes as u64) / time.as_secs_f64().max(1e-9)
}

#[expect(clippy::cast_precision_loss, reason = "fifteen digits are enough")]
fn of_length(bytes: u64) -> f64 {
    bytes as f64
}

#[cfg(test)]
mod tests {
    use distdup_codecs::{Geometry, resolve};

    use super::*;

    fn code(codec: &str, k: usize, n: usize) -> Arc<dyn Code> {
        resolve(codec, Geometry::new(k, n).unwrap(), None).unwrap()
    }

    #[test]
    fn every_code_is_run_in_turn() {
        let codes = [code("rs16", 4, 6), code("copy", 1, 2)];
        let data = Bytes::from(vec![7; 300_000]);
        let mut told = Vec::new();
        let mut tell = |step: Step<'_>| {
            told.push((step.run, step.code.geometry().n(), step.operation));
        };
        let speeds = measure(&codes, &data, 2, &mut tell).unwrap();
        let encodes: Vec<_> = (told.iter())
            .filter(|(.., operation)| *operation == Operation::Encode)
            .map(|(run, n, _)| (*run, *n))
            .collect();
        let turn = |run| [(run, 6), (run, 2)];
        assert_eq!(encodes, [turn(0), turn(1), turn(2)].concat());
        for speed in &speeds {
            for spread in [&speed.encode, &speed.decode, &speed.repair] {
                assert_eq!(spread.runs.len(), 2);
                assert!(spread.low() > 0.0 && spread.low() <= spread.high());
            }
        }
        // Four shares and some bytes to tell which they are.
        assert!(
            (4.0..4.5).contains(&speeds[0].repair_reads),
            "{:?}",
            speeds[0]
        );
        assert!(
            (1.0..1.5).contains(&speeds[1].repair_reads),
            "{:?}",
            speeds[1]
        );
    }

    #[test]
    fn as_much_is_lost_as_can_be() {
        assert_eq!(most_lost(&*code("rs", 4, 6)), ShardSet::from_iter([0, 1]));
        assert_eq!(most_lost(&*code("copy", 1, 3)), ShardSet::from_iter([0, 1]));
        assert_eq!(most_lost(&*code("copy", 1, 1)), ShardSet::EMPTY);
        let xor = code("xor", 6, 10);
        let lost = most_lost(&*xor);
        assert!(lost.len() == 4 && xor.is_recoverable(xor.geometry().shards().difference(lost)));
    }

    #[test]
    fn a_spread_knows_its_ends_and_its_middle() {
        let spread = |runs: &[f64]| Spread::new(runs.to_vec());
        let slow = spread(&[3.0, 1.0, 2.0]);
        assert_eq!((slow.low(), slow.median(), slow.high()), (1.0, 2.0, 3.0));
        assert!((spread(&[4.0, 1.0]).median() - 2.5).abs() < 1e-15);
        assert_eq!(slow.runs(), 3);
    }

    #[test]
    fn nothing_is_not_measured() {
        let codes = [code("rs", 2, 3)];
        let measured = |data: &'static [u8], runs| {
            let error = measure(&codes, &Bytes::from_static(data), runs, &mut |_| ());
            error.unwrap_err().to_string()
        };
        assert!(measured(b"", 1).contains("no data"));
        assert!(measured(b"x", 0).contains("0 runs"));
    }
}
