//! Whether the shares of a stream agree with one another.
//!
//! Each vouches for itself by its digests, and whoever forged it wrote these as well. What enough of
//! them give in place of another is, byte for byte, what was written there: it is written again, to
//! where it is not kept but held against what is there.

use std::io::{self, Read, Write};

use distdup_codecs::ShardSet;

use crate::catalogue::catalogue;
use crate::control::Control;
use crate::decode::{DecodeError, DecodeOptions, GatherError, try_out};
use crate::encode::SinkOutcome;
use crate::format::Common;
use crate::repair::{RepairError, repair};
use crate::sink::{Sink, SinkWriter};
use crate::source::{Source, SourceReader};

/// As many sets of shares are tried at most until one gives a stream.
const MOST_TRIES: usize = 100;

/// A share that is not what others give.
#[derive(Debug, thiserror::Error)]
#[error("it is not what the others give there")]
pub struct Disagreement;

catalogue! {
    Disagreement {
        Self => "share-disagrees":
            "Each share is good by itself, and they are not of one stream: some were forged, or whoever wrote them computed wrong. Nothing in them tells which are true."
            "Keep them all, and find out who can write to which host. Decode each set that agrees by itself, and look at what it gives: distdup decode. Only when you know which are true, write the others again: distdup repair.";
    }
}

/// What came of holding the whole shares of a stream against each other.
#[derive(Debug)]
pub struct Agreement {
    /// Shares, by their places, in sets: those of a set are enough for a stream and agree about it, and each
    /// set has one of its own.
    pub sets: Vec<Vec<usize>>,
    /// Those that are in none.
    pub apart: Vec<usize>,
    /// Where those that are not in the first set differ from it.
    pub differ: Vec<SinkOutcome>,
}

impl Agreement {
    /// Whether all shares agree.
    pub fn is_full(&self) -> bool {
        self.sets.len() == 1 && self.apart.is_empty()
    }
}

/// Which of the shares of a stream, each good by itself, agree with one another; `None` if there are
/// no more than the stream takes, and so none to hold against the others. `shares` has the index of each,
/// of which some may be the same; `open` gives the source of the one at a place, again and again.
///
/// # Errors
/// Nothing that was tried gives a stream, or asked to stop.
pub fn agreement(
    common: &Common,
    shares: &[usize],
    open: impl Fn(usize) -> Option<Box<dyn Source>>,
    options: &DecodeOptions,
    control: &Control,
) -> Result<Option<Agreement>, RepairError> {
    let bench = Bench {
        common,
        shares,
        open,
        options,
        control,
    };
    let mut left: Vec<usize> = (0..shares.len()).collect();
    let enough = bench.enough(&left).map_or(left.len(), |some| some.len());
    if enough == left.len() {
        return Ok(None);
    }
    let (mut sets, mut differ) = (Vec::new(), Vec::new());
    loop {
        match bench.find_set(&left) {
            Ok(Some(found)) => {
                left.retain(|place| !found.set.contains(place));
                if sets.is_empty() {
                    differ = found.differ;
                }
                sets.push(found.set);
            }
            Err(error) if is_cancelled(&error) => return Err(error),
            Err(error) if sets.is_empty() => {
                // More may have been forged than were left out; stripe by stripe a decode does without them.
                try_out(bench.sources(&left), options, control).map_err(|now| {
                    let stopped = Some(now.into()).filter(is_cancelled);
                    stopped.unwrap_or(error)
                })?;
                break;
            }
            Ok(None) | Err(_) => break,
        }
    }
    Ok(Some(Agreement {
        sets,
        apart: left,
        differ,
    }))
}

/// Whether it was asked to stop.
pub fn is_cancelled(error: &RepairError) -> bool {
    matches!(
        error,
        RepairError::Decode(DecodeError::Gather(GatherError::Cancelled))
    )
}

/// Shares of a stream, to be held against each other.
struct Bench<'a, O> {
    common: &'a Common,
    /// Index of each.
    shares: &'a [usize],
    open: O,
    options: &'a DecodeOptions,
    control: &'a Control,
}

/// Shares that agree, and those that were held against them and do not.
struct Found {
    set: Vec<usize>,
    differ: Vec<SinkOutcome>,
}

impl<O: Fn(usize) -> Option<Box<dyn Source>>> Bench<'_, O> {
    /// Places of as many of `places` as the stream takes, each of another index.
    fn enough(&self, places: &[usize]) -> Option<Vec<usize>> {
        let index = |place: &usize| self.shares[*place];
        let indices: ShardSet = places.iter().map(index).collect();
        let enough = self.common.code().sufficient_subset(indices)?;
        let first = |wanted| places.iter().copied().find(|at| index(at) == wanted);
        enough.iter().map(first).collect()
    }

    fn sources(&self, places: &[usize]) -> Vec<Box<dyn Source>> {
        places.iter().copied().filter_map(&self.open).collect()
    }

    /// Those of `places` that agree with some of them which give a stream; `None` if they are too few.
    fn find_set(&self, places: &[usize]) -> Result<Option<Found>, RepairError> {
        let Some(first) = self.enough(places) else {
            return Ok(None);
        };
        // If one or two of those that the stream is had from were forged, it does without them.
        let pairs = first.iter().enumerate().flat_map(|(at, one)| {
            let pair = |other: &usize| vec![*one, *other];
            first[at + 1..].iter().map(pair)
        });
        let singles = first.iter().map(|one| vec![*one]);
        let spared = [Vec::new()].into_iter().chain(singles).chain(pairs);
        let mut failed = None;
        for spared in spared.take(MOST_TRIES) {
            let mut trusted = places.to_vec();
            trusted.retain(|place| !spared.contains(place));
            let Some(enough) = self.enough(&trusted) else {
                continue;
            };
            match self.hold(enough, places) {
                Err(error) if !is_cancelled(&error) => failed = failed.or(Some(error)),
                held => return held.map(Some),
            }
        }
        failed.map_or(Ok(None), Err)
    }

    /// Holds the others of `places` against what those of `enough` give in their place.
    fn hold(&self, enough: Vec<usize>, places: &[usize]) -> Result<Found, RepairError> {
        let sources = self.sources(&enough);
        let others = places.iter().filter(|place| !enough.contains(place));
        let others: Vec<usize> = others.copied().collect();
        if others.is_empty() {
            try_out(sources, self.options, self.control)?;
            return Ok(Found {
                set: enough,
                differ: Vec::new(),
            });
        }
        let sink = |place: &usize| -> io::Result<(usize, Box<dyn Sink>)> {
            let source = (self.open)(*place).ok_or(io::ErrorKind::NotFound)?;
            Ok((self.shares[*place], Box::new(Held(source))))
        };
        let sinks = |_: &Common, _| others.iter().map(sink).collect();
        let held = match repair(sources, sinks, &self.options.clone().into(), self.control) {
            Ok(report) => report.sinks,
            Err(RepairError::AllFailed { sinks }) => sinks,
            Err(error) => return Err(error),
        };
        let (mut set, mut differ) = (enough, Vec::new());
        for (place, share) in others.iter().zip(held) {
            if share.failure.is_none() {
                set.push(*place);
            } else {
                differ.push(share);
            }
        }
        set.sort_unstable();
        Ok(Found { set, differ })
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
