//! What is done to a set of shares, as bytes that a fuzzer can change: a few of them are a small damage, and
//! not, as most changes of a share would be, one and the same damaged header.

use std::io::{self, Cursor, Read, Seek, Write};
use std::sync::{Arc, Mutex};

use distdup::sink::{Sink, SinkWriter};
use distdup::source::{Source, SourceReader};

use crate::kit::MemorySource;

/// More is no output that belongs to a share of a few KB.
const MOST: usize = 32 << 20;

/// Bytes as numbers, one after another; zeros behind their end.
pub struct Script<'a>(pub &'a [u8]);

impl Script<'_> {
    pub fn is_over(&self) -> bool {
        self.0.is_empty()
    }

    pub fn u8(&mut self) -> u8 {
        let Some((first, rest)) = self.0.split_first() else {
            return 0;
        };
        self.0 = rest;
        *first
    }

    pub fn u16(&mut self) -> u16 {
        u16::from_le_bytes([self.u8(), self.u8()])
    }

    /// A place among `count`.
    pub fn place(&mut self, count: usize) -> usize {
        usize::from(self.u16()) % count.max(1)
    }

    fn bytes(&mut self) -> Vec<u8> {
        let len = usize::from(self.u8()).min(self.0.len());
        let (bytes, rest) = self.0.split_at(len);
        self.0 = rest;
        bytes.to_vec()
    }
}

/// Numbers that are at some limit.
const LIMITS: [u64; 8] = [
    0,
    1,
    0xffff,
    0xffff_ffff,
    1 << 40,
    1 << 62,
    1 << 63,
    u64::MAX,
];

/// Does to `shares` what is left of the script; `others` gives a share from elsewhere. Whether one was
/// taken.
pub fn hurt(
    shares: &mut [Vec<u8>],
    script: &mut Script<'_>,
    others: impl Fn(&mut Script<'_>) -> Vec<u8>,
) -> bool {
    let mut foreign = false;
    while !script.is_over() {
        let what = script.u8() % 10;
        let share = script.place(shares.len());
        let at = script.place(shares[share].len() + 1);
        let len = shares[share].len();
        let one = &mut shares[share];
        match what {
            0 if at < len => one[at] = script.u8(),
            1 if at < len => one[at] ^= 1 << (script.u8() % 8),
            2 => one.truncate(at),
            3 => drop(one.splice(at..at, script.bytes())),
            4 => {
                let end = (at + script.place(len + 1)).min(len);
                one.drain(at..end);
            }
            5 => {
                let from = script.place(shares.len());
                let start = script.place(shares[from].len() + 1);
                let end = (start + script.place(len + 1)).min(shares[from].len());
                let piece = shares[from][start..end].to_vec();
                let one = &mut shares[share];
                let until = (at + piece.len()).min(one.len());
                one.splice(at..until, piece);
            }
            6 => {
                let other = shares[script.place(shares.len())].clone();
                shares[share] = other;
            }
            7 => {
                shares[share] = others(script);
                foreign = true;
            }
            8 => one
                .splice(at.., std::mem::take(&mut script.0).iter().copied())
                .for_each(drop),
            9 => {
                let value = LIMITS[script.place(LIMITS.len())].to_be_bytes();
                let width = 1 << script.place(4);
                let end = (at + width).min(len);
                one[at..end].copy_from_slice(&value[8 - (end - at)..]);
            }
            _ => {}
        }
    }
    foreign
}

/// A source of each share that `present` has a bit for; a pipe if `pipes` has one.
pub fn sources(shares: &[Vec<u8>], present: u16, pipes: u16, most: usize) -> Vec<Box<dyn Source>> {
    let is = |mask: u16, share: usize| mask >> share & 1 == 1;
    let present = (0..shares.len()).filter(|&share| is(present, share));
    let source = |share: usize| -> Box<dyn Source> {
        Box::new(MemorySource {
            name: share.to_string(),
            bytes: Cursor::new(shares[share].clone()),
            seekable: !is(pipes, share),
            most,
        })
    };
    present.map(source).collect()
}

/// A sink that takes no more than anything small has to give.
#[derive(Clone, Default)]
pub struct Output(Arc<Mutex<(Vec<u8>, bool)>>);

impl Output {
    /// What it took, if it was finished.
    pub fn finished(&self) -> Option<Vec<u8>> {
        let (bytes, finished) = self.0.lock().unwrap().clone();
        finished.then_some(bytes)
    }
}

impl Sink for Output {
    fn name(&self) -> String {
        "output".into()
    }

    fn open(self: Box<Self>) -> io::Result<Box<dyn SinkWriter>> {
        Ok(self)
    }
}

impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let (taken, _) = &mut *self.0.lock().unwrap();
        assert!(taken.len() + bytes.len() <= MOST, "there is no end to it");
        taken.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl SinkWriter for Output {
    fn finish(self: Box<Self>) -> io::Result<()> {
        self.0.lock().unwrap().1 = true;
        Ok(())
    }
}

/// A reader that counts what is read of it.
pub struct Counted {
    pub bytes: Cursor<Vec<u8>>,
    pub seekable: bool,
    pub most: usize,
    pub read: Arc<Mutex<usize>>,
}

impl Read for Counted {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let most = buffer.len().min(self.most);
        let count = self.bytes.read(&mut buffer[..most])?;
        *self.read.lock().unwrap() += count;
        Ok(count)
    }
}

impl SourceReader for Counted {
    fn seekable(&mut self) -> Option<&mut dyn Seek> {
        self.seekable.then_some(&mut self.bytes)
    }
}
