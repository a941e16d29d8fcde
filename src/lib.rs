//! A stream into n erasure-coded shares, and back from any sufficient subset of them.
pub mod command;
pub mod control;
pub mod decode;
pub mod descriptor;
pub mod encode;
pub mod format;
pub mod input;
mod locator;
mod pipe;
mod pipeline;
pub mod place;
pub mod quote;
pub mod sink;
pub mod source;
