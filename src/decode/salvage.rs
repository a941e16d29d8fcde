//! What can be had of a stream that is beyond recovery.

use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use distdup_codecs::ShardSet;

use super::output::{Message, Output, Piece};
use super::{DecodeError, DecodeOptions, DecodeReport, SourceOutcome, open, start};
use crate::control::Control;
use crate::format::{Common, Totals};
use crate::pipeline::gather::{Had, Part, Parts};
use crate::pipeline::muster;
use crate::sink::Sink;
use crate::source::Source;

/// What a salvage brought up.
#[derive(Debug)]
pub struct SalvageReport {
    /// What the shares say alike.
    pub common: Arc<Common>,
    /// The stream's length in bytes; `None` where neither a trailer nor the stream's last stripe is
    /// left to tell it.
    pub length: Option<u64>,
    /// What it came to, where nothing is missing.
    pub totals: Option<Totals>,
    /// Bytes of the output, zeros for what is missing included.
    pub written: u64,
    /// The bytes of the stream that are missing, ascending. Of a stream whose length is not known,
    /// nothing is known of what may follow what was written.
    pub missing: Vec<Range<u64>>,
    /// One for each source, in the order given.
    pub sources: Vec<SourceOutcome>,
}

impl SalvageReport {
    /// What a decode would say, if the stream is whole after all.
    ///
    /// # Errors
    /// It is not: the same again.
    pub fn into_whole(self) -> Result<DecodeReport, Self> {
        match self.totals {
            Some(totals) => Ok(DecodeReport {
                common: self.common,
                totals,
                sources: self.sources,
            }),
            None => Err(self),
        }
    }

    /// How many bytes are missing, as far as is known.
    pub fn missing_bytes(&self) -> u64 {
        self.missing
            .iter()
            .map(|range| range.end - range.start)
            .sum()
    }
}

/// Writes all of the stream that can be had from `sources`, and zeros in place of the rest. Whole
/// stripes are held against their digest. Of a stripe that cannot be had, those data shards are
/// written that are good by their own frame's check, or that the code gives from such.
///
/// # Errors
/// The sources hold no share or those of several streams, or the output failed. That anything is
/// missing is no error here.
pub fn salvage(
    sources: Vec<Box<dyn Source>>,
    output: Box<dyn Sink>,
    options: &DecodeOptions,
    control: &Control,
) -> Result<SalvageReport, DecodeError> {
    let mustered = open(sources, options, control)?;
    let common = muster::choose_any(&mustered, options.stream)?;
    let none = |_: &Common, _| ShardSet::default();
    let (common, mut gather) = start(mustered, common, none, true, options, control)?;
    let output = Output::start(output, common.geometry().k())?;
    let mut missing = Missing::default();
    while let Some(had) = gather.next_or_part()? {
        match had {
            Had::Whole(stripe) => {
                missing.at += u64::from(stripe.claim.data_len);
                missing.known = missing.at;
                output.give(Message::Stripe(stripe), control)?;
            }
            Had::Part(part) => {
                let is_told = part.is_told;
                let pieces = pieces(&common, part);
                for piece in &pieces {
                    missing.pass(piece);
                }
                if is_told {
                    missing.known = missing.at;
                }
                output.give(Message::Pieces(pieces), control)?;
            }
        }
    }
    let Parts {
        length,
        totals,
        sources,
    } = gather.finish_parts()?;
    let written = length.unwrap_or(missing.known);
    output.finish(written, control)?;
    let missing = missing.until(written);
    Ok(SalvageReport {
        common,
        length,
        totals,
        written,
        missing,
        sources,
    })
}

/// The bytes of a stripe's data shards, as far as they are there.
fn pieces(common: &Common, part: Part) -> Vec<Piece> {
    let shard_len = common.shard_len_of(part.data_len);
    let mut left = part.data_len as usize;
    let piece = |shard: Option<Bytes>| {
        let len = shard_len.min(left);
        left -= len;
        shard.map_or(Piece::Missing(len as u64), |shard| {
            Piece::Bytes(shard.slice(..len))
        })
    };
    part.shards.into_iter().map(piece).collect()
}

/// Keeps account of what is missing.
#[derive(Default)]
struct Missing {
    at: u64,
    /// Where the last stripe ends of which a good frame tells.
    known: u64,
    ranges: Vec<Range<u64>>,
}

impl Missing {
    fn pass(&mut self, piece: &Piece) {
        let start = self.at;
        match piece {
            Piece::Bytes(bytes) => self.at += bytes.len() as u64,
            Piece::Missing(0) => {}
            Piece::Missing(count) => {
                self.at += count;
                match self.ranges.last_mut() {
                    Some(last) if last.end == start => last.end = self.at,
                    _ => self.ranges.push(start..self.at),
                }
            }
        }
    }

    /// The ranges before that byte. (Where no byte of the last stripe was had, it was taken for a
    /// full one.)
    fn until(mut self, end: u64) -> Vec<Range<u64>> {
        self.ranges.retain(|range| range.start < end);
        if let Some(last) = self.ranges.last_mut() {
            last.end = last.end.min(end);
        }
        self.ranges
    }
}
