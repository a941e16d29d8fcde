//! How many buffers of which size fit into the memory that was allowed.

use distdup_codecs::Code;

use crate::catalogue::catalogue;
use crate::format::common::MAX_STRIPE;
use crate::format::frame::HEAD_LEN;

/// Longest shard that is chosen without being asked for: larger ones make codecs no faster, and
/// fall out of the cache between coding and hashing.
const BEST_SHARD: u64 = 128 << 10;
/// Shortest shard that is chosen without being asked for.
const LEAST_SHARD: u64 = 1 << 10;
/// Shards chosen are multiples of this, which suits every kernel.
const SHARD_STEP: u64 = 64;

/// Frames that may wait for a sink.
pub(crate) const SINK_QUEUE: usize = 4;
/// Most stripes that decode has under way.
const MOST_WINDOW: u64 = 16;
/// Stripes that decode holds besides: being written, and waiting for it.
const BEING_WRITTEN: u64 = 3;

/// The threads that code.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Crew {
    pub(crate) workers: usize,
    /// Whether each has a second coder, with which it proves what the first did.
    pub(crate) proves: bool,
}

impl Crew {
    /// What their coders keep to themselves.
    fn scratch(self, code: &dyn Code, shard_len: usize) -> u64 {
        let coders = self.workers * if self.proves { 2 } else { 1 };
        (coders * code.scratch_bytes(shard_len)) as u64
    }
}

/// The memory allowed is not enough.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "--memory of {allowed} bytes is too little for this code: at least {needed} bytes are needed \
     with shards of {shard_len} bytes"
)]
pub struct TooLittleMemory {
    /// What was allowed.
    pub allowed: u64,
    /// The least that works.
    pub needed: u64,
    /// With shards of so many bytes.
    pub shard_len: u64,
}

catalogue! {
    TooLittleMemory {
        Self { .. } => "too-little-memory":
            "Nothing was read or written."
            "Allow as much by --memory, or take fewer --workers or a smaller --shard-size.";
    }
}

/// Stripes that encode has under way: two at the reader, three at and around each worker, one at the
/// router, and those that wait for a sink, which are fewer, or a stall would never be seen.
pub(crate) fn encode_buffers(workers: usize) -> usize {
    2 + 3 * workers + 1 + SINK_QUEUE + 1
}

/// The length of a full stripe's shard for an encode, within `memory`.
pub(crate) fn encode_shard_len(
    code: &dyn Code,
    asked: Option<u64>,
    memory: u64,
    crew: Crew,
    spare_sinks: usize,
) -> Result<u64, TooLittleMemory> {
    let needed = |shard_len| encode_memory(code, shard_len, crew, spare_sinks);
    let refuse = |shard_len| TooLittleMemory {
        allowed: memory,
        needed: needed(shard_len),
        shard_len,
    };
    if let Some(shard_len) = asked {
        return if needed(shard_len) <= memory {
            Ok(shard_len)
        } else {
            Err(refuse(shard_len))
        };
    }
    let most = BEST_SHARD.min(MAX_STRIPE / code.geometry().k() as u64);
    let mut shard_len = most / SHARD_STEP * SHARD_STEP;
    while needed(shard_len) > memory {
        shard_len = shard_len / 2 / SHARD_STEP * SHARD_STEP;
        if shard_len < LEAST_SHARD {
            return Err(refuse(LEAST_SHARD));
        }
    }
    Ok(shard_len)
}

/// What an encode takes, with shards of `shard_len` bytes.
pub(crate) fn encode_memory(
    code: &dyn Code,
    shard_len: u64,
    crew: Crew,
    spare_sinks: usize,
) -> u64 {
    // A proof has room for as many shards as are lost at most, which is less than a stripe.
    let proofs = if crew.proves { crew.workers } else { 0 };
    // A sink that is dropped while it writes may keep its stripe for good.
    let stripes = (encode_buffers(crew.workers) + spare_sinks + proofs) as u64;
    // The length may be any that was asked for.
    let shard_len = shard_len.min(MAX_STRIPE);
    let buffer = code.geometry().n() as u64 * (HEAD_LEN as u64 + shard_len);
    let len = usize::try_from(shard_len).unwrap_or(usize::MAX);
    stripes * buffer + crew.scratch(code, len)
}

/// The least that a decode works with.
pub(crate) fn least_decode_memory(
    code: &dyn Code,
    shard_len: usize,
    sources: usize,
    crew: Crew,
) -> u64 {
    let (stripe, scratch) = decode_parts(code, shard_len, sources, crew);
    scratch + stripe * (BEING_WRITTEN + 1)
}

/// How many stripes a decode may have under way, within `memory`.
pub(crate) fn decode_window(
    code: &dyn Code,
    shard_len: usize,
    sources: usize,
    memory: u64,
    crew: Crew,
) -> Result<usize, TooLittleMemory> {
    let (stripe, scratch) = decode_parts(code, shard_len, sources, crew);
    let window = memory.saturating_sub(scratch) / stripe;
    if window <= BEING_WRITTEN {
        return Err(TooLittleMemory {
            allowed: memory,
            needed: least_decode_memory(code, shard_len, sources, crew),
            shard_len: shard_len as u64,
        });
    }
    Ok(usize::try_from((window - BEING_WRITTEN).min(MOST_WINDOW)).unwrap_or(1))
}

/// What a decode takes that has n sources and `memory` at most.
pub(crate) fn decode_memory(
    code: &dyn Code,
    shard_len: usize,
    memory: u64,
    crew: Crew,
) -> Result<u64, TooLittleMemory> {
    let sources = code.geometry().n();
    let window = decode_window(code, shard_len, sources, memory, crew)? as u64;
    let (stripe, scratch) = decode_parts(code, shard_len, sources, crew);
    Ok((window + BEING_WRITTEN) * stripe + scratch)
}

/// Bytes of each stripe under way in a decode, and of all scratch.
fn decode_parts(code: &dyn Code, shard_len: usize, sources: usize, crew: Crew) -> (u64, u64) {
    let geometry = code.geometry();
    // Every source's frame, and those that are rebuilt.
    let frames = (sources.max(geometry.n()) + geometry.parity()) as u64;
    let stripe = frames * (HEAD_LEN + shard_len) as u64;
    (stripe, crew.scratch(code, shard_len))
}
