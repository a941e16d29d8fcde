//! Operation decode: enough shares into the stream.

mod output;
mod salvage;

use std::io;
use std::sync::Arc;
use std::time::Duration;

use distdup_codecs::ShardSet;

use self::output::{Message, Output};
pub use self::salvage::{SalvageReport, salvage};

use crate::catalogue::catalogue;
use crate::control::Control;
use crate::encode::{DEFAULT_MEMORY, DEFAULT_TIMEOUT, default_workers};
use crate::format::{Common, StreamId, Totals};
use crate::pipeline::budget::{self, Crew, TooLittleMemory};
pub use crate::pipeline::gather::{
    FrameFault, FrameFlaw, FrameState, GatherError, ShareFlaw, SourceOutcome,
};
use crate::pipeline::gather::{Gather, Plan};
use crate::pipeline::muster::{self, Mustered};
pub use crate::pipeline::muster::{Candidate, ChooseError, SourceFailure};
use crate::sink::Sink;
use crate::source::Source;

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

impl DecodeOptions {
    /// The same, with at least the memory that so many sources of shares which say `common` take,
    /// and the parity that is rebuilt of them.
    #[must_use]
    pub fn suiting(self, common: &Common, sources: usize) -> Self {
        let code = &**common.code();
        let crew = self.crew(true);
        let least = budget::least_decode_memory(code, common.shard_len(), sources, crew);
        Self {
            memory: self.memory.max(least),
            ..self
        }
    }

    fn crew(&self, proves: bool) -> Crew {
        Crew {
            workers: self.workers.max(1),
            proves,
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

catalogue! {
    DecodeError {
        Self::Output { .. } => "output-failed":
            "The shares are as they were. The output has a part of the stream at most, and a file does not appear at all."
            "Make room or mend the output, and run the same command again.";
    }
    passing {
        Self::Choose(error) => error;
        Self::Memory(error) => error;
        Self::Gather(error) => error;
    }
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
    let output = Output::start(output, common.geometry().k())?;
    while let Some(stripe) = gather.next()? {
        output.give(Message::Stripe(stripe), control)?;
    }
    let (totals, sources) = gather.finish()?;
    output.finish(totals.length, control)?;
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
    let mustered = open(sources, options, control)?;
    let common = muster::choose(&mustered, options.stream)?;
    start(mustered, common, wanted, false, options, control)
}

fn open(
    sources: Vec<Box<dyn Source>>,
    options: &DecodeOptions,
    control: &Control,
) -> Result<Vec<Mustered>, GatherError> {
    muster::open(sources, options.source_timeout, control).ok_or(GatherError::Cancelled)
}

fn start(
    mustered: Vec<Mustered>,
    common: Arc<Common>,
    wanted: impl FnOnce(&Common, ShardSet) -> ShardSet,
    salvage: bool,
    options: &DecodeOptions,
    control: &Control,
) -> Result<(Arc<Common>, Gather), DecodeError> {
    let there = mustered
        .iter()
        .filter_map(|one| one.share.as_ref().ok()?.claims())
        .filter(|(own, _)| **own == *common)
        .map(|(_, index)| index)
        .collect();
    let wanted = wanted(&common, there);
    let code = &**common.code();
    // Parity that is rebuilt is proved.
    let crew = options.crew(!wanted.difference(code.geometry().data()).is_empty());
    let window = budget::decode_window(
        code,
        common.shard_len(),
        mustered.len(),
        options.memory,
        crew,
    )?;
    let plan = Plan {
        wanted,
        window,
        workers: crew.workers,
        timeout: options.source_timeout,
        salvage,
    };
    let gather = Gather::start(mustered, &common, plan, control);
    Ok((common, gather))
}
