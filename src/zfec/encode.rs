//! A stream into zfec's shares.

use std::io::{self, SeekFrom};
use std::sync::atomic::Ordering;

use super::{BATCH, CHUNK, Header, ZfecError, apart, code, fill, open_all};
use crate::control::Control;
use crate::input::Input;
use crate::sink::{Sink, SinkWriter};

/// Encodes `input` into shares as zfec's program writes them; sink i gets share i. `length` is that of
/// the input where it is known; else the sinks must be files, whose headers are written at the end.
/// Gives the length.
///
/// # Errors
/// Whatever kept a share from being written: then none is left that looks finished, unless several
/// were to be finished and one of the last of them could not be.
pub fn encode(
    input: Box<dyn Input>,
    sinks: Vec<Box<dyn Sink>>,
    k: usize,
    length: Option<u64>,
    control: &Control,
) -> Result<u64, ZfecError> {
    apart(control, move |control| {
        run(input, sinks, k, length, control)
    })
}

fn run(
    mut input: Box<dyn Input>,
    sinks: Vec<Box<dyn Sink>>,
    k: usize,
    length: Option<u64>,
    control: &Control,
) -> Result<u64, ZfecError> {
    let n = sinks.len();
    let mut coder = code(k, n)?.map(|code| code.coder());
    let mut shares = Shares::open(sinks, k, length, control)?;

    let mut room = vec![vec![0; BATCH]; n];
    let mut stripe = vec![0; k * CHUNK];
    let mut total = 0;
    let mut ended = false;
    while !ended {
        let mut filled = 0;
        while filled < BATCH && !ended {
            let read = fill(&mut *input, &mut stripe);
            let count = read.map_err(|source| input_failed(total, source))?;
            total += count as u64;
            ended = count < stripe.len();
            stripe[count..].fill(0);
            let chunk = count.div_ceil(k);
            for (shard, bytes) in room.iter_mut().zip(stripe.chunks(chunk.max(1)).take(k)) {
                shard[filled..filled + chunk].copy_from_slice(&bytes[..chunk]);
            }
            filled += chunk;
        }
        if control.is_cancelled() {
            return Err(ZfecError::Cancelled);
        }
        let (data, parity) = room.split_at_mut(k);
        if let Some(coder) = coder.as_mut().filter(|_| filled > 0) {
            let data: Vec<&[u8]> = data.iter().map(|shard| &shard[..filled]).collect();
            let mut parity: Vec<&mut [u8]> = parity
                .iter_mut()
                .map(|shard| &mut shard[..filled])
                .collect();
            coder.encode(&data, &mut parity)?;
        }
        for (share, shard) in room.iter().enumerate() {
            shares.write(share, &shard[..filled])?;
        }
        control.progress.bytes.store(total, Ordering::Relaxed);
    }
    let confirmed = input.confirm_end(total);
    confirmed.map_err(|source| input_failed(total, source))?;
    shares.finish(total, length)?;
    Ok(total)
}

/// The shares that are being written.
struct Shares {
    k: usize,
    names: Vec<String>,
    writers: Vec<Box<dyn SinkWriter>>,
}

impl Shares {
    fn open(
        sinks: Vec<Box<dyn Sink>>,
        k: usize,
        length: Option<u64>,
        control: &Control,
    ) -> Result<Self, ZfecError> {
        let names: Vec<String> = sinks.iter().map(|sink| sink.name()).collect();
        let open = |sink: Box<dyn Sink>| {
            let name = sink.name();
            sink.open().map_err(|source| failed(&name, source))
        };
        let mut this = Self {
            k,
            names,
            writers: open_all(sinks, open, control)?,
        };
        for share in 0..this.writers.len() {
            if length.is_none() && this.writers[share].seekable().is_none() {
                let name = this.names.swap_remove(share);
                return Err(ZfecError::LengthUnknown { name });
            }
        }
        for share in 0..this.writers.len() {
            let header = this.header(share, length.unwrap_or(0));
            this.write(share, &header)?;
        }
        Ok(this)
    }

    fn header(&self, index: usize, length: u64) -> Vec<u8> {
        let k = self.k as u64;
        let padding = usize::try_from(length.next_multiple_of(k) - length).expect("below k");
        let header = Header {
            k: self.k,
            n: self.writers.len(),
            padding,
            index,
        };
        header.bytes()
    }

    fn write(&mut self, share: usize, bytes: &[u8]) -> Result<(), ZfecError> {
        let written = self.writers[share].write_all(bytes);
        written.map_err(|source| failed(&self.names[share], source))
    }

    fn finish(mut self, total: u64, length: Option<u64>) -> Result<(), ZfecError> {
        if let Some(expected) = length.filter(|&expected| expected != total) {
            return Err(ZfecError::Length {
                expected,
                found: total,
            });
        }
        for share in 0..self.writers.len() {
            if length.is_none() {
                if let Some(file) = self.writers[share].seekable() {
                    let back = file.seek(SeekFrom::Start(0));
                    back.map_err(|source| failed(&self.names[share], source))?;
                }
                let header = self.header(share, total);
                self.write(share, &header)?;
            }
        }
        for (writer, name) in self.writers.into_iter().zip(&self.names) {
            writer.finish().map_err(|source| failed(name, source))?;
        }
        Ok(())
    }
}

fn failed(name: &str, source: io::Error) -> ZfecError {
    ZfecError::Output {
        name: name.to_owned(),
        source,
    }
}

fn input_failed(offset: u64, source: io::Error) -> ZfecError {
    ZfecError::Input { offset, source }
}
