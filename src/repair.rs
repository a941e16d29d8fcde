//! Operation repair: lost shares from the others, byte for byte as they were.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use distdup_codecs::ShardSet;

use crate::catalogue::catalogue;
use crate::control::Control;
use crate::decode::{DecodeError, DecodeOptions, FrameFault, GatherError, SourceOutcome, gather};
use crate::encode::{DEFAULT_TIMEOUT, SinkOutcome};
use crate::format::scan::OpenShare;
use crate::format::{Common, Totals};
use crate::pipeline::budget::SINK_QUEUE;
use crate::pipeline::spread::{Failed, Rule, Spread, SpreadError};
use crate::quote::lines;
use crate::sink::Sink;
use crate::source::{Source, SourceReader};
use crate::verify::{Seen, examine};

/// What `repair` is told.
#[derive(Debug, Clone)]
pub struct RepairOptions {
    /// How the others are read.
    pub decode: DecodeOptions,
    /// A sink that takes no byte for so long while one waits for it is dropped.
    pub sink_timeout: Duration,
}

impl Default for RepairOptions {
    fn default() -> Self {
        DecodeOptions::default().into()
    }
}

impl From<DecodeOptions> for RepairOptions {
    fn from(decode: DecodeOptions) -> Self {
        Self {
            decode,
            sink_timeout: DEFAULT_TIMEOUT,
        }
    }
}

/// What a repair did.
#[derive(Debug)]
pub struct RepairReport {
    /// What the shares say alike.
    pub common: Arc<Common>,
    /// What the stream came to.
    pub totals: Totals,
    /// One for each source, in the order given.
    pub sources: Vec<SourceOutcome>,
    /// One for each share that was to be written; at least one was completed.
    pub sinks: Vec<SinkOutcome>,
}

/// Why a repair failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RepairError {
    /// The stream cannot be had from the shares.
    #[error(transparent)]
    Decode(#[from] DecodeError),
    /// There is nowhere to write to.
    #[error("no share can be written")]
    Sinks(#[source] io::Error),
    /// Nothing to do.
    #[error("no share is missing: all {} are there", common.geometry().n())]
    NothingMissing {
        /// What they say alike.
        common: Arc<Common>,
    },
    /// All sinks failed.
    #[error("every share that was to be written failed")]
    AllFailed {
        /// What became of each.
        sinks: Vec<SinkOutcome>,
    },
}

catalogue! {
    RepairError {
        Self::NothingMissing { .. } => "nothing-missing":
            "All shares are there, and nothing was written."
            "Nothing needs to be done.";
        Self::AllFailed { .. } => "repair-failed":
            "The shares that were read are as they were, and no share was written."
            "Mend the outputs that are named, and run the same command again.";
    }
    passing {
        Self::Decode(error) => error;
        Self::Sinks(error) => error;
    }
}

/// Rebuilds shares from `sources`. Once it is known what they are of and which shares they claim to
/// be, `sinks` says which shares to write and where to.
///
/// # Errors
/// Whatever kept every share from being completed.
pub fn repair<F>(
    sources: Vec<Box<dyn Source>>,
    sinks: F,
    options: &RepairOptions,
    control: &Control,
) -> Result<RepairReport, RepairError>
where
    F: FnOnce(&Common, ShardSet) -> io::Result<Vec<(usize, Box<dyn Sink>)>>,
{
    let mut chosen = Ok(Vec::new());
    let choose = |common: &Common, present| {
        chosen = sinks(common, present);
        chosen.iter().flatten().map(|(index, _)| *index).collect()
    };
    let (common, mut gather) = gather(sources, choose, &options.decode, control)?;
    let sinks = chosen.map_err(RepairError::Sinks)?;
    if sinks.is_empty() {
        return Err(RepairError::NothingMissing { common });
    }
    let rule = Rule {
        least: 1,
        recoverable: false,
        timeout: options.sink_timeout,
        check: Some(Arc::new(read_back)),
    };
    let mut spread = Spread::open(sinks, &common, rule, SINK_QUEUE, None, control);
    let stopped = loop {
        let stripe = match gather.next() {
            Ok(Some(stripe)) => stripe,
            Ok(None) => break None,
            Err(error) => return Err(DecodeError::from(error).into()),
        };
        let frame = |share: usize| {
            stripe.frames[share]
                .clone()
                .expect("what is wanted was rebuilt, or was there")
        };
        if let Err(error) = spread.stripe(frame) {
            break Some(error);
        }
    };
    if let Some(error) = stopped {
        return Err(spread.abort(error).into());
    }
    let (totals, sources) = gather.finish().map_err(DecodeError::from)?;
    let sinks = spread.finish(&totals)?;
    Ok(RepairReport {
        common,
        totals,
        sources,
        sinks,
    })
}

impl From<Failed> for RepairError {
    fn from(failed: Failed) -> Self {
        match failed.error {
            SpreadError::Cancelled => DecodeError::from(GatherError::Cancelled).into(),
            SpreadError::TooFew => Self::AllFailed {
                sinks: failed.sinks,
            },
        }
    }
}

/// Sees that a share which was written is whole, from itself alone: what went into it was held
/// against its stripe's digest before.
fn read_back(reader: Box<dyn SourceReader>, passed: &AtomicU64) -> io::Result<()> {
    let share = OpenShare::open(reader)?;
    let verdict = examine(String::new(), share, None, None, |_, seen| {
        if let Seen::Good { bytes, .. } = seen {
            passed.fetch_add(bytes, Ordering::Relaxed);
        }
    });
    passed.fetch_add(1, Ordering::Relaxed); // an empty stream has no frame
    if verdict.is_whole() {
        return Ok(());
    }
    let outcome = verdict.outcome;
    let frames = outcome.faults.into_iter().map(|fault| {
        let FrameFault { stripe, flaw, .. } = fault;
        format!("stripe {stripe}: {flaw}")
    });
    let all = outcome.flaws.iter().map(ToString::to_string).chain(frames);
    Err(ReadBack {
        what: all.collect(),
    }
    .into())
}

/// What was written is not what is there.
#[derive(Debug, thiserror::Error)]
#[error("read back, it is not what was written{}", lines(what))]
pub struct ReadBack {
    /// What is wrong with it.
    what: Vec<String>,
}

impl From<ReadBack> for io::Error {
    fn from(error: ReadBack) -> Self {
        Self::new(io::ErrorKind::InvalidData, error)
    }
}

catalogue! {
    ReadBack {
        Self { .. } => "read-back-differs":
            "The disk did not keep what was written to it. The share is not completed."
            "Test that disk, and write the share to another one by distdup repair.";
    }
}
