//! Whether the shares of a stream agree with one another.
//!
//! Each vouches for itself by its digests, and whoever forged it wrote these as well. What enough of
//! them give in place of another is, byte for byte, what was written there: it is written again, to
//! where it is not kept but held against what is there.

use std::io::{self, Read, Write};

use distdup_codecs::ShardSet;

use crate::catalogue::catalogue;
use crate::control::Control;
use crate::decode::{DecodeError, DecodeOptions, GatherError};
use crate::encode::SinkOutcome;
use crate::format::Common;
use crate::repair::{RepairError, repair};
use crate::sink::{Sink, SinkWriter};
use crate::source::{Source, SourceReader};

/// A share that is not what the others give.
#[derive(Debug, thiserror::Error)]
#[error("it is not what the other shares give there")]
pub struct Disagreement;

catalogue! {
    Disagreement {
        Self => "share-disagrees":
            "Its digests are right, and its bytes are not those that were written: it was forged, or its writer computed wrong. The others give the stream without it."
            "Find out who can write to that host; then write the share again from the others, without it: distdup repair.";
    }
}

/// Which of the shares of `whole`, each good by itself, are not what the others give, with where they
/// differ. `open` gives a share's source, again and again. Nothing is known of shares that are not enough.
///
/// # Errors
/// No set of them, with any one left out, gives the stream: several were forged.
pub fn disputed(
    common: &Common,
    whole: ShardSet,
    open: impl Fn(usize) -> Option<Box<dyn Source>>,
    options: &DecodeOptions,
    control: &Control,
) -> Result<Vec<SinkOutcome>, RepairError> {
    let code = common.code();
    let Some(first) = code.sufficient_subset(whole) else {
        return Ok(Vec::new());
    };
    // If one of those that the stream is had from was forged itself, it does without that one.
    let without = |index| whole.difference([index].into_iter().collect());
    let spared = first.iter().map(without);
    let mut failed = None;
    for trusted in [whole].into_iter().chain(spared) {
        let Some(enough) = code.sufficient_subset(trusted) else {
            continue;
        };
        let others = whole.difference(enough).iter();
        let others: Vec<_> = others.filter_map(|i| Some((i, open(i)?))).collect();
        if others.is_empty() {
            continue;
        }
        let sources = enough.iter().filter_map(&open).collect();
        match compare(sources, others, options, control) {
            Ok(mut held) => {
                held.retain(|share| share.failure.is_some());
                return Ok(held);
            }
            Err(error @ RepairError::Decode(DecodeError::Gather(GatherError::Cancelled))) => {
                return Err(error);
            }
            Err(error) => failed = failed.or(Some(error)),
        }
    }
    failed.map_or(Ok(Vec::new()), Err)
}

/// Holds shares, by index, against what `sources` give in their place.
fn compare(
    sources: Vec<Box<dyn Source>>,
    others: Vec<(usize, Box<dyn Source>)>,
    options: &DecodeOptions,
    control: &Control,
) -> Result<Vec<SinkOutcome>, RepairError> {
    let sink = |(index, source)| (index, Box::new(Held(source)) as Box<dyn Sink>);
    let sinks = others.into_iter().map(sink).collect();
    match repair(sources, |_, _| Ok(sinks), options, control) {
        Ok(report) => Ok(report.sinks),
        Err(RepairError::AllFailed { sinks }) => Ok(sinks),
        Err(error) => Err(error),
    }
}

/// A sink that takes what its source gives, and nothing else.
struct Held(Box<dyn Source>);

impl Sink for Held {
    fn name(&self) -> String {
        self.0.name()
    }

    fn open(self: Box<Self>) -> io::Result<Box<dyn SinkWriter>> {
        let reader = self.0.open()?;
        let buffer = Vec::new();
        Ok(Box::new(HeldWriter { reader, buffer }))
    }
}

struct HeldWriter {
    reader: Box<dyn SourceReader>,
    buffer: Vec<u8>,
}

impl Write for HeldWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.buffer.resize(bytes.len(), 0);
        let len = self.reader.read(&mut self.buffer)?;
        let differs = self.buffer[..len] != bytes[..len];
        if differs || len == 0 && !bytes.is_empty() {
            return Err(io::Error::new(io::ErrorKind::InvalidData, Disagreement));
        }
        Ok(len)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl SinkWriter for HeldWriter {
    fn finish(self: Box<Self>) -> io::Result<()> {
        Ok(()) // what follows its end is no part of it
    }
}
