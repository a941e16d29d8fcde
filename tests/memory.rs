//! What `--memory` allows is not exceeded, by buffers and codecs together.

#![allow(
    clippy::unwrap_used,
    reason = "a test that panics has failed, as it should"
)]

mod kit;
#[path = "checks/memory.rs"]
mod watch;

use std::io::{self, Cursor, Read, Seek, Write};
use std::sync::Arc;

use distdup::control::Control;
use distdup::decode::{DecodeError, DecodeOptions, decode};
use distdup::encode::{EncodeError, encode};
use distdup::input::ReaderInput;
use distdup::repair::{RepairError, RepairOptions, repair};
use distdup::sink::{Sink, SinkWriter};
use distdup::source::{Source, SourceReader};
use kit::{code, noise, options, shares};

/// Names, threads' own and what passes between them: small beside any buffer.
const BESIDES: usize = 1 << 20;

/// A sink that keeps nothing.
struct Nothing;

impl Sink for Nothing {
    fn name(&self) -> String {
        "nothing".into()
    }

    fn open(self: Box<Self>) -> io::Result<Box<dyn SinkWriter>> {
        Ok(self)
    }
}

impl Write for Nothing {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl SinkWriter for Nothing {
    fn finish(self: Box<Self>) -> io::Result<()> {
        Ok(())
    }
}

/// A share that was there before.
struct There(Cursor<Arc<[u8]>>);

impl Source for There {
    fn name(&self) -> String {
        "there".into()
    }

    fn open(self: Box<Self>) -> io::Result<Box<dyn SourceReader>> {
        Ok(self)
    }
}

impl Read for There {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.read(buffer)
    }
}

impl SourceReader for There {
    fn seekable(&mut self) -> Option<&mut dyn Seek> {
        Some(&mut self.0)
    }
}

#[test]
fn what_is_allowed_is_not_exceeded() {
    let control = Control::new().0;
    for (codec, k, n) in [
        ("rs16", 32, 64),
        ("rs16", 20, 23),
        ("rs8", 4, 6),
        ("xor", 6, 10),
    ] {
        let data: Arc<[u8]> = noise(k << 20, 1).into();
        let mut encoding = options(code(codec, k, n), 1 << 15);
        encoding.memory = 1 << 30;
        let shares = shares(&data, &encoding).into_iter();
        let there: Vec<Arc<[u8]>> = shares.map(Into::into).collect();
        let without = |lost: usize| -> Vec<Box<dyn Source>> {
            let share = |share: &Arc<[u8]>| {
                Box::new(There(Cursor::new(Arc::clone(share)))) as Box<dyn Source>
            };
            there[lost..].iter().map(share).collect()
        };
        let nothing = || Box::new(Nothing) as Box<dyn Sink>;
        // Refused with nothing, each says the least that works, of which nothing is left over.
        for verify in [false, true] {
            println!("{codec} ({k}, {n}): encode, --verify: {verify}");
            let encode = |memory| {
                let mut encoding = encoding.clone();
                encoding.memory = memory;
                encoding.verify = verify;
                let sinks = (0..n).map(|_| nothing()).collect();
                let input = Box::new(ReaderInput(Cursor::new(Arc::clone(&data))));
                encode(input, sinks, &encoding, &control)
            };
            let Err(EncodeError::Memory(refused)) = encode(0) else {
                panic!("it works with nothing")
            };
            within(refused.needed, || encode(refused.needed).unwrap());
        }

        let decoding = |memory| DecodeOptions {
            memory,
            workers: 8,
            ..DecodeOptions::default()
        };
        println!("{codec} ({k}, {n}): decode");
        let decode = |memory| decode(without(n - k), nothing(), &decoding(memory), &control);
        let Err(DecodeError::Memory(refused)) = decode(0) else {
            panic!("it works with nothing")
        };
        within(refused.needed, || decode(refused.needed).unwrap());

        println!("{codec} ({k}, {n}): repair");
        // Some data and some parity, where several may be lost.
        let lost: Vec<usize> = (0..n - k).map(|at| at * n / (n - k)).collect();
        let repair = |memory| {
            let mut kept = without(0);
            lost.iter().rev().for_each(|at| drop(kept.remove(*at)));
            let sinks = |_: &_, _| Ok(lost.iter().map(|at| (*at, nothing())).collect());
            repair(
                kept,
                sinks,
                &RepairOptions::from(decoding(memory)),
                &control,
            )
        };
        let Err(RepairError::Decode(DecodeError::Memory(refused))) = repair(0) else {
            panic!("it works with nothing")
        };
        within(refused.needed, || repair(refused.needed).unwrap());
    }
}

/// What `work` gives, if it takes no more than `memory`.
fn within<T>(memory: u64, work: impl FnOnce() -> T) -> T {
    let memory = usize::try_from(memory).unwrap();
    watch::within(memory + BESIDES, work)
}
