//! The shape of a code, and sets of its shards.

/// Most shards that a code may have.
pub const MAX_SHARDS: usize = 256;

/// How many data shards a code has, and how many shards in all: (k, n) with 1 <= k <= n <= 256.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Geometry {
    k: u16,
    n: u16,
}

/// A set of shard indices below [`MAX_SHARDS`]: a bit each.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct ShardSet([u64; MAX_SHARDS / 64]);
