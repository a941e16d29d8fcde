//! Repair sees that what it wrote was kept, before it counts.
#![allow(
    clippy::unwrap_used,
    reason = "a test that panics has failed, as it should"
)]

mod desk;
mod kit;

use std::io::{self, Cursor, Write};

use desk::Desk;
use distdup::control::Control;
use distdup::encode::SinkFailure;
use distdup::format::frame::Head;
use distdup::format::{Digest, header};
use distdup::repair::{RepairError, RepairOptions, RepairReport, repair};
use distdup::sink::{Sink, SinkWriter};
use distdup::source::SourceReader;
use kit::anatomy::{Anatomy, flip, forge, splice};
use kit::{MemorySink, MemorySource, code, files, full, noise, options, pipes, shares};

/// What is there of what was written.
type Kept = fn(&[u8]) -> Vec<u8>;

/// A disk that gives back something else than it was given.
struct Disk {
    inner: MemorySink,
    kept: Kept,
}

impl Sink for Disk {
    fn name(&self) -> String {
        "disk".into()
    }
    fn open(self: Box<Self>) -> io::Result<Box<dyn SinkWriter>> {
        Ok(self)
    }
}

impl Write for Disk {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.inner.write(bytes)
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl SinkWriter for Disk {
    fn finish(self: Box<Self>) -> io::Result<()> {
        Box::new(self.inner).finish()
    }
    fn read_back(&mut self) -> io::Result<Option<Box<dyn SourceReader>>> {
        let kept = (self.kept)(&self.inner.0.lock().unwrap().bytes);
        let bytes = Cursor::new(kept);
        Ok(Some(Box::new(MemorySource {
            name: String::new(),
            bytes,
            seekable: true,
            most: usize::MAX,
        })))
    }
}

fn repaired(len: usize, kept: Kept) -> (Result<RepairReport, RepairError>, bool) {
    let shares = shares(&noise(len, 1), &options(code("rs", 2, 3), 16));
    let inner = MemorySink::default();
    let sink: Box<dyn Sink> = Box::new(Disk {
        inner: inner.clone(),
        kept,
    });
    let result = repair(
        files(&shares, [0, 2]),
        |_, _| Ok(vec![(1, sink)]),
        &RepairOptions::default(),
        &Control::new().0,
    );
    let taken = inner.0.lock().unwrap().clone();
    if taken.finished {
        assert!(taken.bytes == shares[1]);
    }
    (result, taken.finished)
}

#[test]
fn a_disk_that_does_not_keep_what_it_is_given_is_found_out() {
    for len in [0, 1, 100, 500] {
        let (result, finished) = repaired(len, <[u8]>::to_vec);
        assert!(finished && result.unwrap().sinks[0].read_back);
        let hurts: [Kept; 4] = [
            |bytes| flip(bytes, 3),
            |bytes| flip(bytes, bytes.len() - 80),
            |bytes| splice(bytes, bytes.len() - 1..bytes.len(), &[]),
            |_| Vec::new(),
        ];
        for hurt in hurts {
            let (result, finished) = repaired(len, hurt);
            let Err(RepairError::AllFailed { sinks }) = result else {
                panic!("{len} bytes: {result:?}");
            };
            assert!(!finished, "it does not count");
            let Some(SinkFailure::Finish { source, .. }) = &sinks[0].failure else {
                panic!("{sinks:?}");
            };
            assert!(source.to_string().contains("read back"), "{source}");
        }
    }
}

#[test]
fn files_are_read_back_and_of_commands_it_says_that_they_are_not() {
    let desk = Desk::with_input(50_000);
    desk.exits(0, "distdup encode -k 2 -n 3 -o 's{i}' in");
    let before = desk.read("s1");
    desk.remove("s1");
    let json = desk.exits(0, "distdup repair s0 s2 -o s1 --json").json();
    assert_eq!(json["written"][0]["read_back"], true);
    assert!(desk.read("s1") == before);
    desk.remove("s1");
    let ran = desk.exits(0, "distdup repair s0 s2 -o 'exec:cat >s1'");
    assert!(ran.err.contains("cannot be read back"), "{ran:?}");
    assert!(!ran.text().contains("read back"), "{ran:?}");
}

/// Ways to forge a frame.
type Forgery = fn(&mut Head, &mut [u8]);
const FORGERIES: [(&str, Forgery); 4] = [
    ("last", |head, _| head.claim.last ^= true),
    ("payload", |_, payload| payload[1] ^= 0x40),
    ("digest", |head, _| {
        head.claim.digest = Digest::of(b"something else");
    }),
    ("length", |head, _| head.claim.data_len -= 1),
];

/// The shares that are written anew are read as well: each of their frames is good by its check.
#[test]
fn a_share_that_is_written_anew_has_nothing_of_a_forged_one() {
    for (codec, k, n) in [("rs8", 2, 4), ("rs16", 3, 6), ("xor", 3, 6)] {
        let honest = shares(&noise(3 * k * 16, 3), &options(code(codec, k, n), 16));
        let (header, _) = header::decode(&honest[0]).unwrap().unwrap();
        let anatomy = Anatomy::of(&honest[0], 16);
        for share in 0..n {
            for (stripe, (at, first)) in (0..anatomy.frames)
                .flat_map(|it| FORGERIES.iter().enumerate().map(move |one| (it, one)))
            {
                let forged = |share: usize, (_, forgery): &(&str, Forgery)| {
                    let range = anatomy.stripe(stripe);
                    let frame = forge(&honest[share][range.clone()], &header.common, forgery);
                    splice(&honest[share], range, &frame)
                };
                // Alone, and with another one that is forged otherwise.
                let others = (0..n).filter(|&other| full() || other == (share + 1 + stripe) % n);
                for other in others {
                    let mut given = honest.clone();
                    given[share] = forged(share, first);
                    let mut wanted = vec![share];
                    if other != share {
                        given[other] = forged(other, &FORGERIES[(at + 1) % FORGERIES.len()]);
                        wanted.push(other);
                    }
                    for sources in [files(&given, 0..n), pipes(&given, 0..n)] {
                        let what = format!("{codec}, stripe {stripe} of {wanted:?}, {}", first.0);
                        let sinks: Vec<MemorySink> =
                            wanted.iter().map(|_| MemorySink::default()).collect();
                        let to = wanted
                            .iter()
                            .zip(&sinks)
                            .map(|(&index, sink)| (index, Box::new(sink.clone()) as Box<dyn Sink>));
                        let result = repair(
                            sources,
                            |_, _| Ok(to.collect()),
                            &RepairOptions::default(),
                            &Control::new().0,
                        );
                        result.unwrap_or_else(|error| panic!("{what}: {error}"));
                        for (&index, sink) in wanted.iter().zip(&sinks) {
                            let taken = sink.0.lock().unwrap();
                            assert!(taken.finished && taken.bytes == honest[index], "{what}");
                        }
                    }
                }
            }
        }
    }
}
