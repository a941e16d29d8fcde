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
use distdup::repair::{RepairError, RepairOptions, RepairReport, repair};
use distdup::sink::{Sink, SinkWriter};
use distdup::source::SourceReader;
use kit::anatomy::{flip, splice};
use kit::{MemorySink, MemorySource, code, files, noise, options, shares};

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
