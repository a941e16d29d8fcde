//! Operation decode: enough shares into the stream.

use std::time::Duration;

use crate::control::Control;
use crate::sink::Sink;
use crate::source::Source;

/// What `decode` is told. `DecodeOptions::default()` has the defaults.
#[derive(Debug, Clone)]
pub struct DecodeOptions {
    /// Total bytes for buffers, queues and the codec's scratch.
    pub memory: u64,
    /// Threads that reconstruct and check.
    pub workers: usize,
    /// A source that gives no byte for so long while one is waited for is dropped.
    pub source_timeout: Duration,
    /// Which stream to decode, where the sources hold several.
    pub stream: Option<[u8; 16]>,
}

/// What became of one source.
#[derive(Debug)]
pub struct SourceOutcome {
    /// The source's own name.
    pub name: String,
    /// Index of the share in it, if that became known.
    pub index: Option<usize>,
    /// What is wrong with it: every damaged frame (the first few by name, then a count), or why it could not be used at all.
    pub faults: Vec<String>,
}

/// What a decode did.
#[derive(Debug)]
pub struct DecodeReport {
    /// Bytes written.
    pub length: u64,
    /// One for each source, in the order given.
    pub sources: Vec<SourceOutcome>,
}

/// Why a decode failed.
#[derive(Debug, thiserror::Error)]
pub enum DecodeError {}

/// Decodes the stream that `sources` hold into `output`.
pub fn decode(
    _sources: Vec<Box<dyn Source>>,
    _output: Box<dyn Sink>,
    _options: &DecodeOptions,
    _control: &Control,
) -> Result<DecodeReport, DecodeError> {
    todo!("the operation")
}
