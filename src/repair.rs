//! Operation repair: lost shares from the others, byte for byte as they were.

use std::sync::Arc;

use distdup_codecs::ShardSet;

use crate::catalogue::catalogue;
use crate::control::Control;
use crate::decode::{DecodeError, DecodeOptions, GatherError, SourceOutcome, gather};
use crate::encode::{DEFAULT_TIMEOUT, SinkOutcome};
use crate::format::{Common, Totals};
use crate::pipeline::budget::SINK_QUEUE;
use crate::pipeline::spread::{Failed, Rule, Spread, SpreadError};
use crate::sink::Sink;
use crate::source::Source;

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
    Sinks(#[source] std::io::Error),
    /// Nothing to do.
    #[error("no share is missing: all {n} are there")]
    NothingMissing {
        /// Shares there are.
        n: usize,
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
    options: &DecodeOptions,
    control: &Control,
) -> Result<RepairReport, RepairError>
where
    F: FnOnce(&Common, ShardSet) -> std::io::Result<Vec<(usize, Box<dyn Sink>)>>,
{
    let mut chosen = Ok(Vec::new());
    let choose = |common: &Common, present| {
        chosen = sinks(common, present);
        chosen.iter().flatten().map(|(index, _)| *index).collect()
    };
    let (common, mut gather) = gather(sources, choose, options, control)?;
    let sinks = chosen.map_err(RepairError::Sinks)?;
    if sinks.is_empty() {
        return Err(RepairError::NothingMissing {
            n: common.geometry().n(),
        });
    }
    let rule = Rule {
        least: 1,
        recoverable: false,
        timeout: DEFAULT_TIMEOUT,
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
