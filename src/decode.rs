//! Operation decode: enough shares into the stream.

use std::io::{self, ErrorKind};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use crossbeam_channel::{Receiver, Sender, bounded, select};
use distdup_codecs::ShardSet;

use crate::control::Control;
use crate::encode::{DEFAULT_MEMORY, DEFAULT_TIMEOUT, default_workers};
use crate::format::{Common, StreamId, Totals};
use crate::pipeline::budget::{self, TooLittleMemory};
pub use crate::pipeline::gather::{FrameFault, GatherError, SourceOutcome};
use crate::pipeline::gather::{Gather, Plan};
use crate::pipeline::muster;
pub use crate::pipeline::muster::{Candidate, ChooseError, SourceFailure};
use crate::pipeline::rebuild::GoodStripe;
use crate::sink::{Sink, SinkWriter};
use crate::source::Source;

/// Stripes that may wait for the output.
const OUTPUT_QUEUE: usize = 1;
/// How long an aborted output is given to remove what it wrote.
const ABORT_GRACE: Duration = Duration::from_secs(2);

/// What `decode` and its kin are told.
#[derive(Debug, Clone)]
pub struct DecodeOptions {
    /// Total bytes for buffers, queues and the codec's scratch.
    pub memory: u64,
    /// Threads that reconstruct and check.
    pub workers: usize,
    /// A source that gives no byte for so long while one is waited for is dropped.
    pub source_timeout: Duration,
    /// Which stream to decode, where the sources hold several.
    pub stream: Option<StreamId>,
}

impl Default for DecodeOptions {
    fn default() -> Self {
        Self {
            memory: DEFAULT_MEMORY,
            workers: default_workers(),
            source_timeout: DEFAULT_TIMEOUT,
            stream: None,
        }
    }
}

/// What a decode did.
#[derive(Debug)]
pub struct DecodeReport {
    /// What the shares say alike.
    pub common: Arc<Common>,
    /// What the stream came to.
    pub totals: Totals,
    /// One for each source, in the order given.
    pub sources: Vec<SourceOutcome>,
}

impl DecodeReport {
    /// Whether some share's trailer vouches for the end of the stream. Without, its last stripe
    /// does, and as many shares as were promised may never have got so far.
    pub fn is_proven(&self) -> bool {
        self.sources.iter().any(|source| source.complete)
    }
}

/// Why a decode failed. The output was not completed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DecodeError {
    /// No stream could be settled on.
    #[error(transparent)]
    Choose(#[from] ChooseError),
    /// Not enough memory.
    #[error(transparent)]
    Memory(#[from] TooLittleMemory),
    /// The stream cannot be brought back.
    #[error(transparent)]
    Gather(#[from] GatherError),
    /// The output failed.
    #[error("the output failed at byte {offset}")]
    Output {
        /// Bytes that it had taken.
        offset: u64,
        /// What it said.
        #[source]
        source: io::Error,
    },
}

/// Decodes the stream that `sources` hold into `output`. Only bytes of stripes whose digest was
/// confirmed are written, in order; the output is finished only if all were.
///
/// # Errors
/// Whatever kept the output from being completed.
pub fn decode(
    sources: Vec<Box<dyn Source>>,
    output: Box<dyn Sink>,
    options: &DecodeOptions,
    control: &Control,
) -> Result<DecodeReport, DecodeError> {
    let (common, mut gather) = gather(sources, |_, _| ShardSet::default(), options, control)?;
    let output = Output::start(output, common.geometry().k())
        .map_err(|source| DecodeError::Output { offset: 0, source })?;
    while let Some(stripe) = gather.next()? {
        output.give(Message::Stripe(stripe), control)?;
    }
    let (totals, sources) = gather.finish()?;
    output.finish(control)?;
    Ok(DecodeReport {
        common,
        totals,
        sources,
    })
}

/// Decodes to nowhere: whether the shares together, damaged ones included, give the stream back.
///
/// # Errors
/// Whatever would keep a decode from being completed.
pub fn try_out(
    sources: Vec<Box<dyn Source>>,
    options: &DecodeOptions,
    control: &Control,
) -> Result<DecodeReport, DecodeError> {
    let (common, mut gather) = gather(sources, |_, _| ShardSet::default(), options, control)?;
    while gather.next()?.is_some() {}
    let (totals, sources) = gather.finish()?;
    Ok(DecodeReport {
        common,
        totals,
        sources,
    })
}

/// Opens the sources, settles on a stream, and starts to gather it. `wanted` says which frames to
/// rebuild besides the data, given those that are there.
pub(crate) fn gather(
    sources: Vec<Box<dyn Source>>,
    wanted: impl FnOnce(&Common, ShardSet) -> ShardSet,
    options: &DecodeOptions,
    control: &Control,
) -> Result<(Arc<Common>, Gather), DecodeError> {
    let mustered =
        muster::open(sources, options.source_timeout, control).ok_or(GatherError::Cancelled)?;
    let common = muster::choose(&mustered, options.stream)?;
    let workers = options.workers.max(1);
    let window = budget::decode_window(
        &**common.code(),
        common.shard_len(),
        mustered.len(),
        options.memory,
        workers,
    )?;
    let there = mustered
        .iter()
        .filter_map(|one| one.share.as_ref().ok()?.claims())
        .filter(|(own, _)| **own == *common)
        .map(|(_, index)| index)
        .collect();
    let plan = Plan {
        wanted: wanted(&common, there),
        window,
        workers,
        timeout: options.source_timeout,
    };
    let gather = Gather::start(mustered, &common, plan, control);
    Ok((common, gather))
}

/// The output's thread, so that reading goes on while it writes.
struct Output {
    messages: Option<Sender<Message>>,
    done: Receiver<Result<(), DecodeError>>,
}

/// To hang up without an end is to abort.
enum Message {
    Stripe(GoodStripe),
    End,
}

impl Output {
    fn start(sink: Box<dyn Sink>, k: usize) -> io::Result<Self> {
        let (messages, queue) = bounded(OUTPUT_QUEUE);
        let (report, done) = bounded(1);
        thread::Builder::new().name("write".into()).spawn(move || {
            // Whoever would hear it may be gone.
            let _ = report.send(write(sink, k, &queue));
        })?;
        Ok(Self {
            messages: Some(messages),
            done,
        })
    }

    fn give(&self, message: Message, control: &Control) -> Result<(), DecodeError> {
        let messages = self.messages.as_ref().expect("taken only when dropped");
        select! {
            send(messages, message) -> sent => match sent {
                Ok(()) => Ok(()),
                Err(_) => self.wait(control),
            },
            recv(control.cancelled) -> _ => Err(GatherError::Cancelled.into()),
        }
    }

    fn finish(self, control: &Control) -> Result<(), DecodeError> {
        self.give(Message::End, control)?;
        self.wait(control)
    }

    fn wait(&self, control: &Control) -> Result<(), DecodeError> {
        select! {
            recv(self.done) -> done => done.unwrap_or_else(|_| {
                // The thread panicked, and has said so.
                Err(DecodeError::Output { offset: 0, source: ErrorKind::BrokenPipe.into() })
            }),
            recv(control.cancelled) -> _ => Err(GatherError::Cancelled.into()),
        }
    }
}

impl Drop for Output {
    fn drop(&mut self) {
        self.messages = None;
        // Gives it a little time to remove what is unfinished; a stuck one is left behind.
        let _ = self.done.recv_timeout(ABORT_GRACE);
    }
}

fn write(sink: Box<dyn Sink>, k: usize, queue: &Receiver<Message>) -> Result<(), DecodeError> {
    let mut offset = 0;
    let write = || -> io::Result<()> {
        let mut writer: Box<dyn SinkWriter> = sink.open()?;
        for message in queue {
            let Message::Stripe(stripe) = message else {
                writer.flush()?;
                return writer.finish();
            };
            for piece in stripe.data(k) {
                writer.write_all(piece)?;
                offset += piece.len() as u64;
            }
        }
        Ok(()) // nobody will hear it
    };
    write().map_err(|source| DecodeError::Output { offset, source })
}
