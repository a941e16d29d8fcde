//! What codes cost and what they survive, side by side.
//!
//! [`facts`](fn@facts) are what follows from a code alone: which losses it survives, how much it takes.
//! [`measure`](fn@measure) is how fast it is on this machine, through the same pipeline as that of a
//! backup, in [`Speed`]s with their [`Spread`]. What a code is worth on some hosts is
//! [`availability`](crate::availability)'s. docs/COMPARE.md says how all of it is found.

mod facts;
mod measure;
mod memory;

pub use facts::{Facts, Losses, facts};
pub use measure::{MeasureError, Operation, Speed, Spread, Step, measure};
