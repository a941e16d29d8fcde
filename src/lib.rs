//! A stream into n erasure-coded shares, and back from any sufficient subset of them.
pub mod control;
pub mod decode;
pub mod encode;
pub mod format;
pub mod input;
mod pipeline;
pub mod sink;
pub mod source;
pub mod store;
