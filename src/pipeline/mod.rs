//! The stages between a stream and its shares: threads, bounded channels, pooled buffers.
//!
//! [`spread`] takes stripes to n sinks, [`gather`] brings them back from n sources.

pub(crate) mod budget;
pub(crate) mod gather;
pub(crate) mod muster;
pub(crate) mod pool;
pub(crate) mod proof;
pub(crate) mod rebuild;
pub(crate) mod spread;
pub(crate) mod stripe;
