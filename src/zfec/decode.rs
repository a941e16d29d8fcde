//! A stream from zfec's shares.

use std::io::{self, Write};
use std::sync::atomic::Ordering;

use distdup_codecs::{Coder, Shard};

use super::header::LONGEST;
use super::{BATCH, CHUNK, Header, ZfecError, apart, code, fill, open_all};
use crate::control::Control;
use crate::sink::Sink;
use crate::source::{Source, SourceReader};

/// What a decode did.
#[derive(Debug)]
pub struct DecodeReport {
    /// Shares that sufficed.
    pub k: usize,
    /// Shares there are in all.
    pub n: usize,
    /// Bytes of the stream.
    pub length: u64,
    /// Shares beyond those that sufficed, which agreed with them.
    pub agreed: usize,
}

/// Decodes the stream that `sources`, shares of zfec's, hold into `output`. All are read to their end:
/// those that are more than suffice are held against the others.
///
/// # Errors
/// Whatever kept the output from being completed.
pub fn decode(
    sources: Vec<Box<dyn Source>>,
    output: Box<dyn Sink>,
    control: &Control,
) -> Result<DecodeReport, ZfecError> {
    apart(control, |control| run(sources, output, control))
}

fn run(
    sources: Vec<Box<dyn Source>>,
    output: Box<dyn Sink>,
    control: &Control,
) -> Result<DecodeReport, ZfecError> {
    let mut shares = open(sources, control)?;
    let Header { k, n, padding, .. } = shares[0].header;
    let mut coder = code(k, n)?.map(|code| code.coder());
    let name = output.name();
    let failed = |source| ZfecError::Output {
        name: name.clone(),
        source,
    };
    let mut output = output.open().map_err(failed)?;

    let mut room = vec![vec![0; BATCH]; n];
    // The end of the stream is known only when no more comes: one batch is held back.
    let (mut held, mut length) = (Vec::new(), 0);
    loop {
        let filled = read_batch(&mut shares)?;
        if control.is_cancelled() {
            return Err(ZfecError::Cancelled);
        }
        if filled == 0 {
            break;
        }
        output.write_all(&held).map_err(failed)?;
        length += held.len() as u64;
        control.progress.bytes.store(length, Ordering::Relaxed);
        if let Some(coder) = &mut coder {
            reconstruct(&mut **coder, &shares, &mut room, filled)?;
            let spare = shares[k..]
                .iter()
                .find(|share| share.bytes[..filled] != room[share.header.index][..filled]);
            if let Some(share) = spare {
                return Err(ZfecError::Contradiction {
                    name: share.name.clone(),
                    offset: length,
                    k,
                });
            }
        }
        let mut data: Vec<&[u8]> = room[..k].iter().map(|shard| &shard[..filled]).collect();
        for share in shares.iter().filter(|share| share.header.index < k) {
            data[share.header.index] = &share.bytes[..filled];
        }
        held.clear();
        for start in (0..filled).step_by(CHUNK) {
            for shard in &data {
                held.extend_from_slice(&shard[start..filled.min(start + CHUNK)]);
            }
        }
    }
    let end = held.len().checked_sub(padding);
    let end = end.filter(|&end| held[end..].iter().all(|byte| *byte == 0));
    let end = end.ok_or(ZfecError::Padding { padding })?;
    output.write_all(&held[..end]).map_err(failed)?;
    output.flush().map_err(failed)?;
    output.finish().map_err(failed)?;
    Ok(DecodeReport {
        k,
        n,
        length: length + end as u64,
        agreed: shares.len() - k,
    })
}

/// A share that is being read.
struct Share {
    name: String,
    header: Header,
    reader: Box<dyn SourceReader>,
    /// What of the next batch was read along with the header.
    ahead: Vec<u8>,
    bytes: Vec<u8>,
}

/// Opens all, and sees that they belong together and are enough. In order of their numbers.
fn open(sources: Vec<Box<dyn Source>>, control: &Control) -> Result<Vec<Share>, ZfecError> {
    let mut shares = open_all(sources, Share::open, control)?;
    shares.sort_by_key(|share| share.header.index);
    for two in shares.windows(2) {
        let [one, other] = two else { continue };
        let (a, b) = (one.header, other.header);
        if (a.k, a.n, a.padding) != (b.k, b.n, b.padding) {
            return Err(ZfecError::Mismatch {
                first: one.name.clone(),
                one: a,
                second: other.name.clone(),
                other: b,
            });
        }
        if a.index == b.index {
            return Err(ZfecError::Twice {
                first: one.name.clone(),
                second: other.name.clone(),
                index: a.index,
            });
        }
    }
    let (k, n) = shares
        .first()
        .map_or((1, 1), |share| (share.header.k, share.header.n));
    if shares.len() < k {
        let found = shares.len();
        return Err(ZfecError::TooFew { k, n, found });
    }
    Ok(shares)
}

impl Share {
    fn open(source: Box<dyn Source>) -> Result<Self, ZfecError> {
        // How distdup's shares begin: the tag of self-described CBOR, and the start of the next.
        const OURS: [u8; LONGEST] = [0xd9, 0xd9, 0xf7, 0xda];
        let name = source.name();
        let mut reader = match source.open() {
            Ok(reader) => reader,
            Err(source) => return Err(ZfecError::Open { name, source }),
        };
        let mut start = [0; LONGEST];
        let have = match fill(&mut *reader, &mut start) {
            Ok(have) => have,
            Err(source) => return Err(ZfecError::Read { name, source }),
        };
        if start == OURS {
            return Err(ZfecError::NotZfec { name });
        }
        let Some((header, taken)) = Header::parse(&start[..have]) else {
            return Err(ZfecError::NoHeader { name });
        };
        Ok(Self {
            name,
            header,
            reader,
            ahead: start[taken..have].to_vec(),
            bytes: vec![0; BATCH],
        })
    }

    fn read(&mut self) -> io::Result<usize> {
        let ahead = self.ahead.len();
        self.bytes[..ahead].copy_from_slice(&self.ahead);
        self.ahead.clear();
        Ok(ahead + fill(&mut *self.reader, &mut self.bytes[ahead..])?)
    }
}

/// Reads the next batch of every share; gives its length, 0 at their end.
fn read_batch(shares: &mut [Share]) -> Result<usize, ZfecError> {
    let mut lengths = Vec::with_capacity(shares.len());
    for share in &mut *shares {
        let read = share.read().map_err(|source| ZfecError::Read {
            name: share.name.clone(),
            source,
        });
        lengths.push(read?);
    }
    let name = |length| {
        let at = lengths
            .iter()
            .position(|other| *other == length)
            .unwrap_or(0);
        shares[at].name.clone()
    };
    let shortest = lengths.iter().min().copied().unwrap_or(0);
    let longest = lengths.iter().max().copied().unwrap_or(0);
    if shortest < longest {
        return Err(ZfecError::Lengths {
            short: name(shortest),
            long: name(longest),
            behind: longest - shortest,
        });
    }
    Ok(longest)
}

/// Fills `room` with the data shards that are not there, and with what spare shares should be, from
/// the first k shares.
fn reconstruct(
    coder: &mut dyn Coder,
    shares: &[Share],
    room: &mut [Vec<u8>],
    filled: usize,
) -> Result<(), ZfecError> {
    let k = shares[0].header.k;
    let mut views: Vec<Shard<'_>> = Vec::with_capacity(room.len());
    for (index, room) in room.iter_mut().enumerate() {
        let given = shares.iter().position(|share| share.header.index == index);
        views.push(match given {
            Some(at) if at < k => Shard::Present(&shares[at].bytes[..filled]),
            None if index >= k => Shard::Absent,
            _ => Shard::Wanted(&mut room[..filled]),
        });
    }
    Ok(coder.reconstruct(&mut views)?)
}
