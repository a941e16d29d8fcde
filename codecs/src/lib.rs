//! Erasure codes behind one object-safe trait: `copy`, `rs16`, `xor`.
#![cfg_attr(test, allow(clippy::unwrap_used))]

pub mod code;
mod copy;
mod error;
pub mod geometry;
mod registry;
mod rs16;
mod stripe;
mod xor;

pub use code::{Code, Coder, Family, Shard};
pub use error::CodecError;
pub use geometry::{Geometry, MAX_SHARDS, ShardSet};
pub use registry::{FAMILIES, family, resolve};
