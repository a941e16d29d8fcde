//! Operation encode: a stream into n shares.
//!
//! A reader fills pooled buffers with stripes and hands them to workers in turn; each worker makes
//! n frames of a stripe in place; and this thread takes the stripes from the workers in the same
//! turn, so that they are in order without sorting, and spreads their frames over the sinks.

use std::io::{self, ErrorKind};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::Duration;

use bytes::Bytes;
use crossbeam_channel::{Receiver, Sender, bounded};
use distdup_codecs::{Code, CodecError, ShardSet};

use crate::catalogue::catalogue;
use crate::control::Control;
use crate::format::digest::{Digest, StreamDigest};
use crate::format::{Common, CommonError, Identity, Totals};
use crate::input::Input;
use crate::pipeline::budget::{self, Crew, TooLittleMemory};
use crate::pipeline::pool::{Borrower, Buffer, Pool};
use crate::pipeline::proof::Proof;
use crate::pipeline::spread::{Failed, Rule, Spread, SpreadError};
pub use crate::pipeline::spread::{SinkFailure, SinkOutcome};
use crate::pipeline::stripe::{self, Encoded};
use crate::sink::Sink;

/// Memory that operations take unless told otherwise.
pub const DEFAULT_MEMORY: u64 = 64 << 20;
/// How long a sink or source may stall unless told otherwise.
pub const DEFAULT_TIMEOUT: Duration = Duration::from_secs(60);

/// What `encode` is told.
#[derive(Debug, Clone)]
pub struct EncodeOptions {
    /// The erasure code.
    pub code: Arc<dyn Code>,
    /// Bytes of a full stripe's shard; `None` chooses by code and memory.
    pub shard_len: Option<u64>,
    /// Total bytes for buffers, queues and the codec's scratch.
    pub memory: u64,
    /// Threads that encode.
    pub workers: usize,
    /// As many sinks must take everything; `None`: [`default_min_shares`].
    pub min_shares: Option<usize>,
    /// A sink that takes no byte for so long while one waits for it is dropped.
    pub sink_timeout: Duration,
    /// Who the stream is; `None`: someone new.
    pub identity: Option<Identity>,
    /// Whether each stripe is decoded, before it goes out, from shares drawn by lot, and held
    /// against what was read: finds processors and memory that err.
    pub verify: bool,
}

impl EncodeOptions {
    /// The defaults for a code.
    pub fn new(code: Arc<dyn Code>) -> Self {
        Self {
            code,
            shard_len: None,
            memory: DEFAULT_MEMORY,
            workers: default_workers(),
            min_shares: None,
            sink_timeout: DEFAULT_TIMEOUT,
            identity: None,
            verify: false,
        }
    }
}

/// As many worker threads as there are processors.
pub fn default_workers() -> usize {
    thread::available_parallelism().map_or(1, usize::from)
}

/// How many shares must be complete unless told otherwise: half of the spare ones may be missing.
pub fn default_min_shares(code: &dyn Code) -> usize {
    let geometry = code.geometry();
    geometry.k() + geometry.parity() / 2
}

/// What an encode left behind: at least `min_shares` complete shares.
#[derive(Debug)]
pub struct EncodeReport {
    /// What all shares say alike.
    pub common: Arc<Common>,
    /// What the stream came to.
    pub totals: Totals,
    /// One for each sink, in order of index.
    pub sinks: Vec<SinkOutcome>,
}

/// Why an encode failed. Shares that were completed nevertheless are whole, but too few.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EncodeError {
    /// As many sinks as the code has shards.
    #[error("{found} sinks for {expected} shares; each share needs a sink of its own")]
    SinkCount {
        /// Sinks that were given.
        found: usize,
        /// Shares there are.
        expected: usize,
    },
    /// Fewer than the data can be had from, or more than there are.
    #[error("--min-shares is {found}, expected {least} to {most}")]
    MinShares {
        /// What was asked for.
        found: usize,
        /// Data shards.
        least: usize,
        /// All shards.
        most: usize,
    },
    /// A header that cannot be.
    #[error("the shares' header cannot be made")]
    Common(#[from] CommonError),
    /// Not enough memory.
    #[error(transparent)]
    Memory(#[from] TooLittleMemory),
    /// No random bytes, or no threads.
    #[error("the system gave no {what}")]
    System {
        /// What was asked of it.
        what: &'static str,
        /// What it said.
        #[source]
        source: io::Error,
    },
    /// The input failed; its end was never reached.
    #[error("the input failed at byte {offset}; no share was completed")]
    Input {
        /// Bytes read before.
        offset: u64,
        /// What it said.
        #[source]
        source: io::Error,
    },
    /// The codec refused a stripe.
    #[error("the codec failed at stripe {stripe}")]
    Codec {
        /// Which.
        stripe: u64,
        /// What it said.
        #[source]
        source: CodecError,
    },
    /// A stripe that was encoded does not decode to what was read; see [`EncodeOptions::verify`].
    #[error("stripe {stripe} was encoded wrong: shares {from} do not give it back")]
    Corrupted {
        /// Which.
        stripe: u64,
        /// The shares that it was decoded from.
        from: ShardSet,
    },
    /// Too few sinks are left.
    #[error(
        "{} of {} sinks failed, and at least {least} must take everything{}",
        failures(sinks),
        sinks.len(),
        if (*k..*least).contains(&(sinks.len() - failures(sinks))) {
            format!(" (--min-shares can be {k})")
        } else {
            String::new()
        }
    )]
    TooFewSinks {
        /// As many were needed.
        least: usize,
        /// The least that can be needed.
        k: usize,
        /// What became of each.
        sinks: Vec<SinkOutcome>,
    },
    /// Asked to stop.
    #[error("stopped before the end")]
    Cancelled,
}

catalogue! {
    EncodeError {
        Self::SinkCount { .. } => "output-count":
            "Nothing was read or written."
            "Give one -o for each share, or one with {i} in it.";
        Self::MinShares { .. } => "min-shares":
            "Nothing was read or written."
            "Leave --min-shares out, or give a number between the two.";
        Self::System { .. } => "no-resources":
            "No share was completed, and none passes for complete."
            "See what limits threads and memory (ulimit -a), and run the same command again.";
        Self::Input { .. } => "input-failed":
            "The stream has no end that counts: no share was completed, and none passes for complete."
            "Mend the input, and run the same command again.";
        Self::Codec { .. } => "codec-failed":
            "No share was completed, and none passes for complete."
            "Test the machine's memory; if it is good, this is a mistake in distdup: please report it.";
        Self::Corrupted { .. } => "encoded-wrong":
            "What was encoded does not give the stream back. No share was completed, and none passes for complete."
            "Test the machine's memory and processor, and encode on another machine.";
        Self::TooFewSinks { .. } => "too-few-outputs":
            "Too few shares are complete to count. Those that are complete are whole, and too few."
            "Mend the outputs that are named, and run the same command again with --force.";
        Self::Cancelled => "encode-stopped":
            "Nothing that was being written passes for complete."
            "Run the same command again.";
    }
    passing {
        Self::Common(error) => error;
        Self::Memory(error) => error;
    }
}

/// Sinks that failed themselves.
fn failures(sinks: &[SinkOutcome]) -> usize {
    let own = |failure: &SinkFailure| !matches!(failure, SinkFailure::Abandoned);
    let failed = |sink: &&SinkOutcome| sink.failure.as_ref().is_some_and(own);
    sinks.iter().filter(failed).count()
}

/// Encodes `input` into `sinks.len()` shares; sink i gets share i.
///
/// # Errors
/// Whatever kept at least `min_shares` shares from being completed. Nothing that is left then looks
/// finished, but for shares that were completed before the others failed.
pub fn encode(
    input: Box<dyn Input>,
    sinks: Vec<Box<dyn Sink>>,
    options: &EncodeOptions,
    control: &Control,
) -> Result<EncodeReport, EncodeError> {
    if control.is_cancelled() {
        return Err(EncodeError::Cancelled);
    }
    let code = &options.code;
    let geometry = code.geometry();
    if sinks.len() != geometry.n() {
        return Err(EncodeError::SinkCount {
            found: sinks.len(),
            expected: geometry.n(),
        });
    }
    let least = options
        .min_shares
        .unwrap_or_else(|| default_min_shares(&**code));
    if !(geometry.k()..=geometry.n()).contains(&least) {
        let (least_allowed, most) = (geometry.k(), geometry.n());
        return Err(EncodeError::MinShares {
            found: least,
            least: least_allowed,
            most,
        });
    }
    let identity = match &options.identity {
        Some(identity) => identity.clone(),
        None => Identity::fresh(None).map_err(|source| EncodeError::System {
            what: "random bytes",
            source,
        })?,
    };
    let workers = options.workers.max(1);
    let crew = Crew {
        workers,
        proves: options.verify,
    };
    let spare = geometry.n() - least;
    let shard_len =
        budget::encode_shard_len(&**code, options.shard_len, options.memory, crew, spare)?;
    let common = Arc::new(Common::new(&identity, Arc::clone(code), shard_len, least)?);

    let pool = Pool::fixed(budget::encode_buffers(workers), stripe::buffer_len(&common));
    let rule = Rule {
        least,
        recoverable: true,
        timeout: options.sink_timeout,
        check: None,
    };
    let stages =
        Stages::start(input, &common, &pool, workers, options.verify).map_err(no_threads)?;
    let mut spread = Spread::open(
        sinks.into_iter().enumerate(),
        &common,
        rule,
        budget::SINK_QUEUE,
        Some(pool),
        control,
    );
    match stages.run(&mut spread, control) {
        Ok(totals) => match spread.finish(&totals) {
            Ok(sinks) => Ok(EncodeReport {
                common,
                totals,
                sinks,
            }),
            Err(failed) => Err(failed.into_error(least, geometry.k())),
        },
        Err(Stopped::Spread(error)) => Err(spread.abort(error).into_error(least, geometry.k())),
        Err(Stopped::Error(error)) => {
            drop(spread);
            Err(error)
        }
    }
}

impl Failed {
    fn into_error(self, least: usize, k: usize) -> EncodeError {
        match self.error {
            SpreadError::Cancelled => EncodeError::Cancelled,
            SpreadError::TooFew => EncodeError::TooFewSinks {
                least,
                k,
                sinks: self.sinks,
            },
        }
    }
}

/// Why the stages stopped before the end.
enum Stopped {
    /// The sinks say why.
    Spread(SpreadError),
    /// Something else.
    Error(EncodeError),
}

impl From<SpreadError> for Stopped {
    fn from(error: SpreadError) -> Self {
        Self::Spread(error)
    }
}

/// A stripe that was read.
struct Filled {
    stripe: u64,
    data_len: u32,
    last: bool,
    /// Digest of its data, where it is to be proved.
    read: Option<Digest>,
    buffer: Buffer,
}

/// A stripe that was encoded.
struct Ready {
    encoded: Encoded,
    frames: Bytes,
}

/// What comes of a stripe at a worker.
type Outcome = Result<Ready, EncodeError>;

/// Reader and workers, running.
struct Stages {
    /// One from each worker; stripe i comes from worker i mod workers.
    ready: Vec<Receiver<Outcome>>,
    /// The input's length once its end is confirmed, or why there is none: an end without this was
    /// none.
    end: Receiver<Result<u64, EncodeError>>,
}

impl Stages {
    fn start(
        input: Box<dyn Input>,
        common: &Arc<Common>,
        pool: &Pool,
        workers: usize,
        proves: bool,
    ) -> io::Result<Self> {
        let (lanes, ready) = (0..workers).map(|_| Lane::new()).unzip();
        let (report, end) = bounded(1);
        let reader = Reader {
            input,
            common: Arc::clone(common),
            pool: pool.borrower(),
            lanes,
            proves,
            total: 0,
        };
        thread::Builder::new().name("read".into()).spawn(move || {
            // If nobody listens any more, the run has ended otherwise.
            let _ = report.send(reader.run());
        })?;
        Ok(Self { ready, end })
    }

    /// Spreads stripes until the input has ended well.
    fn run(&self, spread: &mut Spread, control: &Control) -> Result<Totals, Stopped> {
        let mut stream = StreamDigest::default();
        for ready in self.ready.iter().cycle() {
            let Some(ready) = spread.wait_for(ready)? else {
                break;
            };
            let Ready { encoded, frames } = ready.map_err(Stopped::Error)?;
            stream.push(encoded.claim.digest, encoded.claim.data_len);
            spread.stripe(|share| encoded.frame(&frames, share))?;
            control
                .progress
                .bytes
                .store(stream.length(), Ordering::Relaxed);
        }
        Err(Stopped::Error(match spread.wait_for(&self.end)? {
            Some(Ok(length)) if length == stream.length() => return Ok(stream.totals()),
            Some(Err(error)) => error,
            // The reader or a worker panicked, and has said so.
            Some(Ok(_)) | None => EncodeError::Input {
                offset: stream.length(),
                source: ErrorKind::BrokenPipe.into(),
            },
        }))
    }
}

/// Encodes stripes, and proves them where that is asked for.
struct Worker {
    common: Arc<Common>,
    encoder: stripe::Encoder,
    /// Made with the first stripe that is to be proved.
    proof: Option<Proof>,
}

impl Worker {
    fn new(common: Arc<Common>) -> Self {
        Self {
            encoder: stripe::Encoder::new(Arc::clone(&common)),
            proof: None,
            common,
        }
    }

    fn run(mut self, filled: &Receiver<Filled>, ready: &Sender<Outcome>) {
        for filled in filled {
            if ready.send(self.encode(filled)).is_err() {
                return;
            }
        }
    }

    fn encode(&mut self, filled: Filled) -> Outcome {
        let Filled {
            stripe,
            data_len,
            last,
            read,
            mut buffer,
        } = filled;
        let encoded = self
            .encoder
            .encode(stripe, data_len, last, buffer.as_mut())
            .map_err(|source| EncodeError::Codec { stripe, source })?;
        if let Some(read) = read {
            self.proof
                .get_or_insert_with(|| Proof::new(Arc::clone(&self.common)))
                .check(stripe, &encoded, buffer.as_ref(), read)
                .map_err(|from| EncodeError::Corrupted { stripe, from })?;
        }
        Ok(Ready {
            encoded,
            frames: buffer.freeze(),
        })
    }
}

/// The way through one worker, whose thread starts with its first stripe: a short stream needs no
/// second one.
struct Lane {
    to_worker: Sender<Filled>,
    /// Until the worker has them.
    ends: Option<(Receiver<Filled>, Sender<Outcome>)>,
}

impl Lane {
    /// With where its stripes come out.
    fn new() -> (Self, Receiver<Outcome>) {
        let (to_worker, filled) = bounded(1);
        let (to_router, ready) = bounded(1);
        let ends = Some((filled, to_router));
        (Self { to_worker, ends }, ready)
    }
}

/// Reads stripes, and hands them out in turn.
struct Reader {
    input: Box<dyn Input>,
    common: Arc<Common>,
    pool: Borrower,
    lanes: Vec<Lane>,
    /// Whether stripes will be held against what is read.
    proves: bool,
    /// Bytes read so far.
    total: u64,
}

impl Reader {
    /// Reads to the end, and says how many bytes there were.
    fn run(mut self) -> Result<u64, EncodeError> {
        // A stripe is handed on only when it is known whether another follows, since the last one
        // says so; and the last one only when the input's end is confirmed.
        let mut held: Option<Filled> = None;
        for stripe in 0.. {
            let mut buffer = self.pool.take().ok_or_else(|| self.gone())?;
            let data_len = self.fill(buffer.as_mut())?;
            let last = (data_len as usize) < self.common.stripe_len();
            if last {
                let confirmed = self.input.confirm_end(self.total);
                confirmed.map_err(|error| self.failed(error))?;
            }
            if let Some(mut before) = held.take() {
                before.last = data_len == 0;
                self.hand_on(before)?;
            }
            if data_len > 0 {
                let digest = |buffer| stripe::data_digest(&self.common, buffer, data_len);
                held = Some(Filled {
                    stripe,
                    data_len,
                    last,
                    read: self.proves.then(|| digest(buffer.as_mut())),
                    buffer,
                });
            }
            if last {
                break;
            }
        }
        if let Some(filled) = held {
            self.hand_on(filled)?;
        }
        Ok(self.total)
    }

    fn failed(&self, source: io::Error) -> EncodeError {
        let offset = self.total;
        EncodeError::Input { offset, source }
    }

    /// Nobody is there to take what is read: the run has ended otherwise, or a worker panicked.
    fn gone(&self) -> EncodeError {
        self.failed(ErrorKind::BrokenPipe.into())
    }

    fn hand_on(&mut self, filled: Filled) -> Result<(), EncodeError> {
        let lanes = self.lanes.len() as u64;
        let index = usize::try_from(filled.stripe % lanes).expect("below a usize");
        if let Some((filled, ready)) = self.lanes[index].ends.take() {
            let worker = Worker::new(Arc::clone(&self.common));
            thread::Builder::new()
                .name(format!("encode {index}"))
                .spawn(move || worker.run(&filled, &ready))
                .map_err(no_threads)?;
        }
        let sent = self.lanes[index].to_worker.send(filled);
        sent.map_err(|_| self.gone())
    }

    /// Reads one stripe's data into its places; less than a stripe only at the input's end.
    fn fill(&mut self, buffer: &mut [u8]) -> Result<u32, EncodeError> {
        let before = self.total;
        for place in stripe::data_places(&self.common, buffer) {
            let mut filled = 0;
            while filled < place.len() {
                match self.input.read(&mut place[filled..]) {
                    Ok(0) => return Ok(stripe_len(self.total - before)),
                    Ok(count) => {
                        filled += count;
                        self.total += count as u64;
                    }
                    Err(error) if error.kind() == ErrorKind::Interrupted => {}
                    Err(error) => return Err(self.failed(error)),
                }
            }
        }
        Ok(stripe_len(self.total - before))
    }
}

fn no_threads(source: io::Error) -> EncodeError {
    let what = "threads";
    EncodeError::System { what, source }
}

fn stripe_len(bytes: u64) -> u32 {
    u32::try_from(bytes).expect("a stripe is at most 64 MiB")
}
