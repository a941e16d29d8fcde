//! Operation encode: a stream into n shares.

use std::sync::Arc;
use std::time::Duration;

use distdup_codecs::code::Code;

use crate::control::Control;
use crate::input::Input;
use crate::sink::Sink;

/// Who a stream is. Everything here stands in every share's header.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// 16 random bytes.
    pub stream: [u8; 16],
    /// Orders the streams stored under one name; nanoseconds since 1970 unless more is needed.
    pub generation: u64,
    /// When it was written, seconds since 1970 UTC.
    pub time: u64,
    /// Name of the object in a store; none for a plain share.
    pub name: Option<Vec<u8>>,
}

/// What `encode` is told. `EncodeOptions::new(code)` has the defaults.
#[derive(Debug, Clone)]
pub struct EncodeOptions {
    /// The erasure code.
    pub code: Arc<dyn Code>,
    /// Bytes of a full stripe's shard; `None` chooses by code and memory.
    pub shard_len: Option<usize>,
    /// Total bytes for buffers, queues and the codec's scratch.
    pub memory: u64,
    /// Threads that encode.
    pub workers: usize,
    /// As many sinks must take everything; `None`: k + (n-k)/2 rounded down.
    pub min_shares: Option<usize>,
    /// A sink that takes no byte for so long while one waits for it is dropped.
    pub sink_timeout: Duration,
    /// Who the stream is; `None`: fresh.
    pub identity: Option<Identity>,
}

/// What became of one sink.
#[derive(Debug)]
pub struct SinkOutcome {
    /// The sink's own name.
    pub name: String,
    /// Index of the share that it was given.
    pub index: usize,
    /// Bytes that it took.
    pub bytes: u64,
    /// Why it failed, if it did. (Enum: open, write at a byte, finish, timed out.)
    pub failure: Option<SinkFailure>,
}

/// Why a sink was dropped.
#[derive(Debug, thiserror::Error)]
pub enum SinkFailure {}

/// What an encode left behind: at least `min_shares` complete shares.
#[derive(Debug)]
pub struct EncodeReport {
    /// Bytes of the stream.
    pub length: u64,
    /// Who the stream is.
    pub identity: Identity,
    /// One for each sink, in order of index.
    pub sinks: Vec<SinkOutcome>,
}

/// Why an encode failed. Nothing that it left looks finished, unless it says so.
#[derive(Debug, thiserror::Error)]
pub enum EncodeError {}

/// Encodes `input` into `sinks.len()` shares; sink i gets share i.
pub fn encode(
    _input: Box<dyn Input>,
    _sinks: Vec<Box<dyn Sink>>,
    _options: &EncodeOptions,
    _control: &Control,
) -> Result<EncodeReport, EncodeError> {
    todo!("the operation")
}
