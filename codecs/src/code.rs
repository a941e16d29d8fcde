//! What an erasure code is, to those who use one.

use std::fmt;
use std::sync::Arc;

use crate::geometry::{Geometry, ShardSet};

/// A kind of code, and what the registry holds: `xor`, `rs16`, `copy`.
pub trait Family: Sync {
    /// Name as it stands in a share's header; never changes its meaning.
    fn id(&self) -> &'static str;
    /// One line for a listing.
    fn summary(&self) -> &'static str;
    /// The code of this family with that geometry.
    ///
    /// `params` is what a header recorded ([`Code::params`]) or a user gave; `None` takes the
    /// family's default for the geometry.
    fn code(&self, geometry: Geometry, params: Option<&str>) -> Result<Arc<dyn Code>, CodecError>;
}

/// One erasure code: immutable, shared by threads. Systematic: shards 0..k are the data.
pub trait Code: Send + Sync + fmt::Debug {
    /// Id of the family.
    fn id(&self) -> &'static str;
    /// Data shards and all shards.
    fn geometry(&self) -> Geometry;
    /// All that decoding needs beyond id and geometry, as canonical text
    /// (xor: `3^5^6,2^4^6`, one-based; rs16: `high` or `low`; copy: empty).
    fn params(&self) -> &str;
    /// Shard lengths are multiples of this many bytes.
    fn shard_unit(&self) -> usize;
    /// Every shard that can be had from `present`, those present included.
    fn reconstructible(&self, present: ShardSet) -> ShardSet;
    /// Bytes of scratch that a coder for shards of `shard_len` bytes holds on to.
    fn scratch_bytes(&self, shard_len: usize) -> usize;
    /// An encoder and decoder with scratch of its own; one for each thread.
    fn coder(&self) -> Box<dyn Coder>;

    /// Whether all data can be had from `present`.
    fn is_recoverable(&self, present: ShardSet) -> bool;
    /// A minimal subset of `available` from which all data can be had, data shards preferred;
    /// `None` where there is none.
    fn sufficient_subset(&self, available: ShardSet) -> Option<ShardSet>;
}

/// One shard, as [`Coder::reconstruct`] sees it.
#[derive(Debug)]
pub enum Shard<'a> {
    /// Here, and right.
    Present(&'a [u8]),
    /// Fill this buffer.
    Wanted(&'a mut [u8]),
    /// Neither here nor asked for.
    Absent,
}

/// Encodes and reconstructs stripes; holds scratch, allocates nothing per stripe once warm.
pub trait Coder: Send {
    /// Computes all n - k parity shards from all k data shards; all of one length, a multiple of the unit.
    fn encode(&mut self, data: &[&[u8]], parity: &mut [&mut [u8]]) -> Result<(), CodecError>;
    /// Fills every wanted shard from those present. `shards` has n entries.
    fn reconstruct(&mut self, shards: &mut [Shard<'_>]) -> Result<(), CodecError>;
}

/// Why a code cannot be made or used.
#[derive(Debug, thiserror::Error)]
pub enum CodecError {}
