//! What an erasure code is, to those who use one.

use std::fmt;
use std::sync::Arc;

pub use crate::error::CodecError;
use crate::geometry::{Geometry, ShardSet};

/// A kind of code, and what the registry holds: `copy`, `rs16`, `xor`.
pub trait Family: Sync {
    /// Name as it stands in a share's header; never changes its meaning.
    fn id(&self) -> &'static str;

    /// One line for a listing.
    fn summary(&self) -> &'static str;

    /// The code of this family with that geometry.
    ///
    /// `params` is what a header recorded ([`Code::params`]) or a user gave; `None` takes the
    /// family's default for the geometry. That default may change from version to version, so
    /// whoever stores shards stores the params of the code that made them.
    ///
    /// # Errors
    ///
    /// The family has no code with that geometry, or does not understand `params`.
    fn code(&self, geometry: Geometry, params: Option<&str>) -> Result<Arc<dyn Code>, CodecError>;
}

/// One erasure code: immutable, shared by threads.
///
/// It is systematic: shards 0..k are the data as they are, shards k..n are parity. It is linear:
/// parity of zeros is zero, whatever the length.
pub trait Code: Send + Sync + fmt::Debug {
    /// Id of the family.
    fn id(&self) -> &'static str;

    /// Data shards and all shards.
    fn geometry(&self) -> Geometry;

    /// All that decoding needs beyond id and geometry, as canonical text
    /// (xor: `3^5^6,2^4^6`, one-based; rs16: `high` or `low`; copy: empty).
    ///
    /// [`Family::code`] makes an equal code of it.
    fn params(&self) -> &str;

    /// Shard lengths are multiples of this many bytes, and never 0.
    fn shard_unit(&self) -> usize;

    /// Every shard that can be had from `present`, those present included.
    ///
    /// Says exactly what [`Coder::reconstruct`] can do. Indices of n and above are ignored.
    fn reconstructible(&self, present: ShardSet) -> ShardSet;

    /// Whether any k shards give the data back, whichever they are (MDS: maximum distance
    /// separable). Where this is not so, or not known, only
    /// [`is_recoverable`](Code::is_recoverable) tells.
    fn is_mds(&self) -> bool {
        false
    }

    /// Bytes of scratch that a coder for shards of `shard_len` bytes holds on to, once it has
    /// encoded and reconstructed.
    fn scratch_bytes(&self, shard_len: usize) -> usize;

    /// What encoding a stripe takes, where that can be said.
    fn operations(&self) -> Option<Operations> {
        None
    }

    /// An encoder and decoder with scratch of its own; one for each thread.
    fn coder(&self) -> Box<dyn Coder>;

    /// Whether all data can be had from `present`.
    fn is_recoverable(&self, present: ShardSet) -> bool {
        self.geometry()
            .data()
            .is_subset(self.reconstructible(present))
    }

    /// A minimal subset of `available` from which all data can be had, data shards preferred;
    /// `None` where there is none.
    ///
    /// Minimal: without any one of its shards, something of the data is lost. Among the parity
    /// shards, and among the data shards, those with lower indices are preferred.
    fn sufficient_subset(&self, available: ShardSet) -> Option<ShardSet> {
        let available = available.intersection(self.geometry().shards());
        if !self.is_recoverable(available) {
            return None;
        }
        let mut needed = available;
        for index in (0..self.geometry().n())
            .rev()
            .filter(|&index| available.contains(index))
        {
            needed.remove(index);
            if !self.is_recoverable(needed) {
                needed.insert(index);
            }
        }
        // One pass is enough: what could not be spared from more cannot be spared from less.
        Some(needed)
    }
}

/// Operations on whole shards, which encoding a stripe takes. Over k, they are operations for each
/// byte of data. What they cost, and what moving the bytes costs besides, is the machine's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Operations {
    /// Shards added up: exclusive or.
    pub additions: usize,
    /// Shards multiplied by a constant of the field.
    pub multiplications: usize,
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
///
/// All buffers are the caller's. Within one call all shards have one length, a multiple of
/// [`Code::shard_unit`] and not 0; from call to call it may differ. Where a call is refused because
/// its arguments do not fit, no buffer has been written to, and the coder is as good as before.
pub trait Coder: Send {
    /// Computes all n - k parity shards from all k data shards.
    ///
    /// What was in the parity buffers does not matter, all of it is overwritten.
    ///
    /// # Errors
    ///
    /// The number of shards is not the code's, or their lengths are not as said above.
    fn encode(&mut self, data: &[&[u8]], parity: &mut [&mut [u8]]) -> Result<(), CodecError>;

    /// Fills every wanted shard from those present.
    ///
    /// `shards` has n entries, in the order of their indices. Present shards are taken for right:
    /// a damaged one must be [`Shard::Absent`], or gives wrong data. More may be present than are
    /// needed. With nothing wanted there is nothing to do, whatever is present.
    ///
    /// # Errors
    ///
    /// [`CodecError::NotRecoverable`] where a wanted shard is not in
    /// [`reconstructible`](Code::reconstructible)`(present)`; and as for `encode`.
    fn reconstruct(&mut self, shards: &mut [Shard<'_>]) -> Result<(), CodecError>;
}
