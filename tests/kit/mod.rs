//! Inputs, sinks and sources in memory, that fail on demand: test doubles of the public traits.
#![allow(dead_code, reason = "each test file uses its own part")]
#![allow(
    clippy::unwrap_used,
    reason = "a test that panics has failed, as it should"
)]
#![allow(
    clippy::cast_possible_truncation,
    reason = "noise is made of whatever bits come"
)]

pub mod anatomy;
pub mod faulty;
pub mod golden;
pub mod pipe;
pub mod tally;

use std::io::{self, Cursor, Read, Seek, Write};
use std::sync::{Arc, Mutex};

use distdup::control::Control;
use distdup::decode::{DecodeError, DecodeOptions, DecodeReport, SourceOutcome, decode};
use distdup::encode::{EncodeError, EncodeOptions, EncodeReport, encode};
use distdup::format::{Identity, StreamId};
use distdup::input::Input;
use distdup::sink::{Sink, SinkWriter};
use distdup::source::{Source, SourceReader};
use distdup_codecs::{Code, Geometry};
#[allow(unused_imports, reason = "each test file uses its own part")]
pub use tally::full;

/// What is said of a share beside its frames.
pub fn said(outcome: &SourceOutcome) -> String {
    outcome.flaws.iter().map(ToString::to_string).collect()
}

/// A code by its name.
pub fn code(codec: &str, k: usize, n: usize) -> Arc<dyn Code> {
    let geometry = Geometry::new(k, n).expect("a valid geometry");
    distdup_codecs::resolve(codec, geometry, None).expect("a known code")
}

/// Bytes without a pattern that a code could exploit, the same for a seed always.
pub fn noise(len: usize, seed: u64) -> Vec<u8> {
    words(seed).map(|word| word as u8).take(len).collect()
}

/// Numbers by lot, each below what is asked for, the same for a seed always.
pub fn lots(seed: u64) -> impl FnMut(usize) -> usize {
    let mut words = words(seed);
    move |below| words.next().expect("there is no end") as usize % below
}

fn words(seed: u64) -> impl Iterator<Item = u32> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    std::iter::repeat_with(move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 32) as u32
    })
}

/// Small stripes, a fixed stream.
pub fn options(code: Arc<dyn Code>, shard_len: u64) -> EncodeOptions {
    let mut options = EncodeOptions::new(code);
    options.shard_len = Some(shard_len);
    options.workers = 2;
    options.identity = Some(Identity {
        stream: StreamId(*b"a fixed stream! "),
        generation: 1_700_000_000_000_000_000,
        time: 1_700_000_000,
        name: None,
    });
    options
}

/// The stream to encode, that ends well.
pub struct Bytes(pub Cursor<Vec<u8>>);

impl Read for Bytes {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.read(buffer)
    }
}

impl Input for Bytes {
    fn confirm_end(&mut self, total: u64) -> io::Result<()> {
        assert_eq!(total, self.0.get_ref().len() as u64, "all was read");
        Ok(())
    }
}

/// What a sink took, and whether it was finished.
#[derive(Debug, Default, Clone)]
pub struct Taken {
    pub bytes: Vec<u8>,
    pub finished: bool,
}

/// A sink in memory.
#[derive(Clone, Default)]
pub struct MemorySink(pub Arc<Mutex<Taken>>);

impl Sink for MemorySink {
    fn name(&self) -> String {
        "memory".into()
    }

    fn open(self: Box<Self>) -> io::Result<Box<dyn SinkWriter>> {
        Ok(self)
    }
}

impl Write for MemorySink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().bytes.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl SinkWriter for MemorySink {
    fn finish(self: Box<Self>) -> io::Result<()> {
        self.0.lock().unwrap().finished = true;
        Ok(())
    }
}

/// A source in memory, that can be positioned like a file or not, like a pipe.
pub struct MemorySource {
    pub name: String,
    pub bytes: Cursor<Vec<u8>>,
    pub seekable: bool,
    /// A read gives no more than this.
    pub most: usize,
}

impl MemorySource {
    pub fn file(name: usize, bytes: Vec<u8>) -> Box<dyn Source> {
        let bytes = Cursor::new(bytes);
        Box::new(Self {
            name: name.to_string(),
            bytes,
            seekable: true,
            most: usize::MAX,
        })
    }

    pub fn pipe(name: usize, bytes: Vec<u8>) -> Box<dyn Source> {
        let bytes = Cursor::new(bytes);
        Box::new(Self {
            name: name.to_string(),
            bytes,
            seekable: false,
            most: usize::MAX,
        })
    }
}

impl Source for MemorySource {
    fn name(&self) -> String {
        self.name.clone()
    }

    fn open(self: Box<Self>) -> io::Result<Box<dyn SourceReader>> {
        Ok(self)
    }
}

impl Read for MemorySource {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let most = buffer.len().min(self.most);
        self.bytes.read(&mut buffer[..most])
    }
}

impl SourceReader for MemorySource {
    fn seekable(&mut self) -> Option<&mut dyn Seek> {
        self.seekable.then_some(&mut self.bytes)
    }
}

/// Encodes into memory.
pub fn encode_into(
    sinks: &[MemorySink],
    data: &[u8],
    options: &EncodeOptions,
) -> Result<EncodeReport, EncodeError> {
    let input = Box::new(Bytes(Cursor::new(data.to_vec())));
    let sinks = sinks
        .iter()
        .map(|sink| Box::new(sink.clone()) as Box<dyn Sink>)
        .collect();
    encode(input, sinks, options, &Control::new().0)
}

/// The n shares of `data`.
pub fn shares(data: &[u8], options: &EncodeOptions) -> Vec<Vec<u8>> {
    let sinks = vec![MemorySink::default(); options.code.geometry().n()]
        .iter()
        .map(|_| MemorySink::default())
        .collect::<Vec<_>>();
    encode_into(&sinks, data, options).expect("nothing fails here");
    let taken = |sink: &MemorySink| {
        let taken = sink.0.lock().unwrap().clone();
        assert!(taken.finished, "every share was completed");
        taken.bytes
    };
    sinks.iter().map(taken).collect()
}

/// Decodes from `sources`; the stream only if it was finished.
pub fn decode_from(
    sources: Vec<Box<dyn Source>>,
    options: &DecodeOptions,
) -> Result<(Vec<u8>, DecodeReport), DecodeError> {
    let output = MemorySink::default();
    let report = decode(
        sources,
        Box::new(output.clone()),
        options,
        &Control::new().0,
    )?;
    let taken = output.0.lock().unwrap().clone();
    assert!(
        taken.finished,
        "the output of a decode that succeeded was finished"
    );
    Ok((taken.bytes, report))
}

/// The shares at `indices`, as files.
pub fn files(shares: &[Vec<u8>], indices: impl IntoIterator<Item = usize>) -> Vec<Box<dyn Source>> {
    indices
        .into_iter()
        .map(|index| MemorySource::file(index, shares[index].clone()))
        .collect()
}

/// The shares at `indices`, as pipes.
pub fn pipes(shares: &[Vec<u8>], indices: impl IntoIterator<Item = usize>) -> Vec<Box<dyn Source>> {
    indices
        .into_iter()
        .map(|index| MemorySource::pipe(index, shares[index].clone()))
        .collect()
}
