//! Inputs, sinks and sources that fail or block where a test says so.

use std::io::{self, Cursor, ErrorKind, Read, Seek, SeekFrom, Write};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use crossbeam_channel::{Receiver, Sender, bounded};
use distdup::input::Input;
use distdup::sink::{Sink, SinkWriter};
use distdup::source::{Source, SourceReader};

/// How long a slow read takes.
const SLOWNESS: Duration = Duration::from_millis(30);

/// Something that blocks for ever, or until the test lets go of it.
#[derive(Clone)]
pub struct Gate(Receiver<()>, Option<Sender<()>>);

/// Keeps a [`Gate`] shut as long as it exists.
pub struct Held(#[allow(dead_code, reason = "held, not used")] Sender<()>);

/// A gate, shut.
pub fn gate() -> (Gate, Held) {
    let (sender, receiver) = bounded(0);
    (Gate(receiver, None), Held(sender))
}

impl Gate {
    /// The same, that tells when somebody stands before it.
    pub fn telling(self, arrived: Sender<()>) -> Self {
        Self(self.0, Some(arrived))
    }

    /// Blocks while the gate is held.
    pub fn pass(&self) {
        if let Some(arrived) = &self.1 {
            let _ = arrived.try_send(());
        }
        // Nothing is ever sent: this ends when the sender is gone.
        let _ = self.0.recv();
    }
}

/// What is done to a sink.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Op {
    Open,
    /// The write with this number.
    Write(usize),
    /// The flush with this number.
    Flush(usize),
    Finish,
}

/// What goes wrong then.
#[derive(Clone)]
pub enum Fault {
    Error(ErrorKind),
    /// An error by its number, as systems give them.
    Os(i32),
    /// A write that takes nothing and says so.
    Zero,
    /// A write that takes one byte.
    Short,
    Block(Gate),
}

/// What happened to all sinks of a run, in order.
#[derive(Debug, Default)]
pub struct Journal {
    pub entries: Vec<(usize, Op)>,
    pub bytes: Vec<Vec<u8>>,
    pub finished: Vec<bool>,
    /// At each finish: how many bytes every sink had taken.
    pub at_finish: Vec<Vec<usize>>,
}

/// A sink that keeps a journal and fails at one operation.
pub struct ScriptedSink {
    pub index: usize,
    pub journal: Arc<Mutex<Journal>>,
    pub fault: Option<(Op, Fault)>,
    /// A write takes no more than this.
    pub most: usize,
    /// Every other write is interrupted first.
    pub interrupted: bool,
    writes: usize,
    flushes: usize,
    again: bool,
}

/// n sinks that share a journal; `fault` says what is wrong with each.
pub fn scripted(
    n: usize,
    fault: impl Fn(usize) -> Option<(Op, Fault)>,
) -> (Vec<ScriptedSink>, Arc<Mutex<Journal>>) {
    let journal = Arc::new(Mutex::new(Journal {
        bytes: vec![Vec::new(); n],
        finished: vec![false; n],
        ..Journal::default()
    }));
    let sinks = (0..n).map(|index| ScriptedSink {
        index,
        journal: Arc::clone(&journal),
        fault: fault(index),
        most: usize::MAX,
        interrupted: false,
        writes: 0,
        flushes: 0,
        again: false,
    });
    (sinks.collect(), journal)
}

impl ScriptedSink {
    /// Notes the operation, and fails if it is the one to fail at; else how many bytes a write may take.
    fn step(&mut self, op: Op) -> io::Result<usize> {
        self.journal.lock().unwrap().entries.push((self.index, op));
        match &self.fault {
            Some((at, fault)) if *at == op => match fault {
                Fault::Error(kind) => Err((*kind).into()),
                Fault::Os(number) => Err(io::Error::from_raw_os_error(*number)),
                Fault::Zero => Ok(0),
                Fault::Short => Ok(1),
                Fault::Block(gate) => {
                    gate.pass();
                    Ok(self.most)
                }
            },
            _ => Ok(self.most),
        }
    }
}

impl Sink for ScriptedSink {
    fn name(&self) -> String {
        format!("sink-{}", self.index)
    }

    fn open(mut self: Box<Self>) -> io::Result<Box<dyn SinkWriter>> {
        self.step(Op::Open)?;
        Ok(self)
    }
}

impl Write for ScriptedSink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.again = !self.again;
        if self.interrupted && self.again {
            return Err(ErrorKind::Interrupted.into());
        }
        self.writes += 1;
        let most = self.step(Op::Write(self.writes - 1))?;
        let bytes = &bytes[..bytes.len().min(most)];
        self.journal.lock().unwrap().bytes[self.index].extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.flushes += 1;
        self.step(Op::Flush(self.flushes - 1)).map(drop)
    }
}

impl SinkWriter for ScriptedSink {
    fn finish(mut self: Box<Self>) -> io::Result<()> {
        self.step(Op::Finish)?;
        let mut journal = self.journal.lock().unwrap();
        let taken = journal.bytes.iter().map(Vec::len).collect();
        journal.at_finish.push(taken);
        journal.finished[self.index] = true;
        Ok(())
    }
}

/// An input that fails, is short, or whose end is not confirmed.
pub struct ScriptedInput {
    pub bytes: Cursor<Vec<u8>>,
    pub most: usize,
    /// Fails instead of giving the byte with this number, or the end.
    pub fails_at: Option<u64>,
    pub refuses: bool,
    /// Every other read is interrupted first.
    pub interrupted: bool,
    pub blocks_at: Option<(u64, Gate)>,
    again: bool,
}

impl ScriptedInput {
    pub fn new(bytes: &[u8]) -> Self {
        Self {
            bytes: Cursor::new(bytes.to_vec()),
            most: usize::MAX,
            fails_at: None,
            refuses: false,
            interrupted: false,
            blocks_at: None,
            again: false,
        }
    }
}

impl Read for ScriptedInput {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.again = !self.again;
        if self.interrupted && self.again {
            return Err(ErrorKind::Interrupted.into());
        }
        let at = self.bytes.position();
        if let Some((place, gate)) = &self.blocks_at
            && *place <= at
        {
            gate.pass();
        }
        let mut most = buffer.len().min(self.most);
        if let Some(place) = self.fails_at {
            if place <= at {
                return Err(io::Error::from_raw_os_error(5));
            }
            most = most.min(usize::try_from(place - at).unwrap());
        }
        self.bytes.read(&mut buffer[..most])
    }
}

impl Input for ScriptedInput {
    fn confirm_end(&mut self, _: u64) -> io::Result<()> {
        if self.refuses {
            return Err(io::Error::other("the writer was killed"));
        }
        Ok(())
    }
}

/// A source that fails, is short, or blocks.
pub struct ScriptedSource {
    pub name: String,
    pub bytes: Cursor<Vec<u8>>,
    pub seekable: bool,
    pub most: usize,
    /// The byte with this number cannot be read, nor can what stands behind it in the same read.
    pub bad_byte: Option<u64>,
    pub interrupted: bool,
    pub blocks_at: Option<(u64, Gate)>,
    /// From this byte on, reads take a while.
    pub slow_from: Option<u64>,
    pub opens: Option<Gate>,
    again: bool,
}

impl ScriptedSource {
    pub fn new(name: usize, bytes: &[u8], seekable: bool) -> Self {
        Self {
            name: name.to_string(),
            bytes: Cursor::new(bytes.to_vec()),
            seekable,
            most: usize::MAX,
            bad_byte: None,
            interrupted: false,
            blocks_at: None,
            slow_from: None,
            opens: None,
            again: false,
        }
    }
}

impl Source for ScriptedSource {
    fn name(&self) -> String {
        self.name.clone()
    }

    fn open(self: Box<Self>) -> io::Result<Box<dyn SourceReader>> {
        if let Some(gate) = &self.opens {
            gate.pass();
        }
        Ok(self)
    }
}

impl Read for ScriptedSource {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.again = !self.again;
        if self.interrupted && self.again {
            return Err(ErrorKind::Interrupted.into());
        }
        let at = self.bytes.position();
        let mut most = buffer.len().min(self.most);
        if self.slow_from.is_some_and(|place| place <= at) {
            thread::sleep(SLOWNESS);
        }
        if let Some((place, gate)) = &self.blocks_at {
            if *place <= at {
                gate.pass();
            } else {
                most = most.min(usize::try_from(place - at).unwrap());
            }
        }
        if let Some(bad) = self.bad_byte {
            if bad == at {
                return Err(io::Error::from_raw_os_error(5));
            } else if bad > at {
                most = most.min(usize::try_from(bad - at).unwrap());
            }
        }
        self.bytes.read(&mut buffer[..most])
    }
}

impl Seek for ScriptedSource {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.bytes.seek(to)
    }
}

impl SourceReader for ScriptedSource {
    fn seekable(&mut self) -> Option<&mut dyn Seek> {
        if self.seekable { Some(self) } else { None }
    }
}
