//! Hosts in memory, that fail when they are told to.

use std::collections::BTreeMap;
use std::io::{self, Cursor, Read, Seek, Write};
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, Mutex};

use crossbeam_channel::Receiver;

use crate::input::Input;
use crate::sink::{Sink, SinkWriter};
use crate::source::{Source, SourceReader};
use crate::store::host::{Host, HostError, Leftover, Listing, Stamp, StoreId};
use crate::store::key::Key;

/// A host in memory. Clones are the same host.
#[derive(Debug, Clone)]
pub struct MemoryHost(Arc<State>);

#[derive(Debug)]
struct State {
    number: u8,
    since: AtomicI64,
    store: Mutex<Option<StoreId>>,
    files: Mutex<BTreeMap<String, Vec<u8>>>,
    down: AtomicBool,
    /// Lists what it has, and opens none of it.
    mute: AtomicBool,
    /// Changes (opens, writes, finishes, deletes) that this host still makes; then it fails.
    strength: AtomicI64,
    /// The same for all hosts of a store together: then the process is dead.
    power: Arc<AtomicI64>,
    /// How often it was asked for its keys.
    asked: AtomicI64,
    /// Listing waits for this to hang up.
    hang: Mutex<Option<Receiver<()>>>,
    /// What it lists next, as of an earlier moment.
    earlier: Mutex<Option<Vec<String>>>,
    /// So many sources are still opened that give all; those opened later wait for this to hang up.
    stall: Mutex<Option<(usize, Receiver<()>)>>,
}

impl MemoryHost {
    /// `n` hosts with a common power supply.
    pub fn many(n: usize) -> (Vec<Self>, Arc<AtomicI64>) {
        let power = Arc::new(AtomicI64::new(i64::MAX / 2));
        let host = |number| {
            Self(Arc::new(State {
                number: u8::try_from(number).unwrap(),
                since: AtomicI64::new(0),
                store: Mutex::default(),
                files: Mutex::default(),
                down: AtomicBool::new(false),
                mute: AtomicBool::new(false),
                strength: AtomicI64::new(i64::MAX / 2),
                power: Arc::clone(&power),
                asked: AtomicI64::new(0),
                hang: Mutex::default(),
                earlier: Mutex::default(),
                stall: Mutex::default(),
            }))
        };
        ((0..n).map(host).collect(), power)
    }

    pub fn set_down(&self, down: bool) {
        self.0.down.store(down, Ordering::SeqCst);
    }

    pub fn set_mute(&self, mute: bool) {
        self.0.mute.store(mute, Ordering::SeqCst);
    }

    pub fn set_strength(&self, changes: i64) {
        self.0.strength.store(changes, Ordering::SeqCst);
    }

    pub fn times_asked(&self) -> i64 {
        self.0.asked.load(Ordering::SeqCst)
    }

    pub fn hang_on(&self, until: Receiver<()>) {
        *self.0.hang.lock().unwrap() = Some(until);
    }

    pub fn keys(&self) -> Vec<String> {
        self.files().keys().cloned().collect()
    }

    /// The next one who asks gets these keys: as if they had been listed before what was done since.
    pub fn answered_when_it_had(&self, keys: Vec<String>) {
        *self.0.earlier.lock().unwrap() = Some(keys);
    }

    /// Opens so many more sources, and then only such as give nothing before `until` hangs up.
    pub fn stall_after(&self, opened: usize, until: Receiver<()>) {
        *self.0.stall.lock().unwrap() = Some((opened, until));
    }

    /// What the next source that is opened waits for.
    fn stall(&self) -> Option<Receiver<()>> {
        match &mut *self.0.stall.lock().unwrap() {
            Some((0, until)) => Some(until.clone()),
            Some((left, _)) => {
                *left -= 1;
                None
            }
            None => None,
        }
    }

    /// Loses everything, as of generation `since`.
    pub fn replace(&self, since: i64) {
        self.files().clear();
        self.set_store(None);
        self.0.since.store(since, Ordering::SeqCst);
    }

    pub fn store(&self) -> Option<StoreId> {
        *self.0.store.lock().unwrap()
    }

    pub fn set_store(&self, store: Option<StoreId>) {
        *self.0.store.lock().unwrap() = store;
    }

    pub fn files(&self) -> std::sync::MutexGuard<'_, BTreeMap<String, Vec<u8>>> {
        self.0.files.lock().unwrap()
    }

    fn check_up(&self) -> io::Result<()> {
        if self.0.down.load(Ordering::SeqCst) {
            return Err(io::ErrorKind::NotConnected.into());
        }
        Ok(())
    }

    fn change(&self) -> io::Result<()> {
        self.check_up()?;
        for supply in [&self.0.strength, &*self.0.power] {
            if supply.fetch_sub(1, Ordering::SeqCst) <= 0 {
                return Err(io::ErrorKind::StorageFull.into());
            }
        }
        Ok(())
    }

    fn down(&self, source: io::Error) -> HostError {
        HostError::Down {
            host: self.name(),
            source,
        }
    }
}

impl Host for MemoryHost {
    fn name(&self) -> String {
        format!("memory {}", self.0.number)
    }

    fn list(&self, prefix: &str) -> Result<Listing, HostError> {
        self.0.asked.fetch_add(1, Ordering::SeqCst);
        let hang = self.0.hang.lock().unwrap().clone();
        if let Some(until) = hang {
            let _ = until.recv();
        }
        self.check_up().map_err(|error| self.down(error))?;
        let since = u64::try_from(self.0.since.load(Ordering::SeqCst)).unwrap();
        let id = [self.0.number; 16];
        let earlier = self.0.earlier.lock().unwrap().take();
        let mut keys = earlier.unwrap_or_else(|| self.keys());
        keys.retain(|key| key.starts_with(prefix));
        Ok(Listing {
            stamp: Stamp {
                id,
                since,
                store: self.store(),
            },
            keys,
        })
    }

    fn sink(&self, key: &Key) -> Box<dyn Sink> {
        Box::new(MemorySink {
            host: self.clone(),
            key: key.to_string(),
            replaces: false,
        })
    }

    fn replacement(&self, key: &Key) -> Box<dyn Sink> {
        Box::new(MemorySink {
            host: self.clone(),
            key: key.to_string(),
            replaces: true,
        })
    }

    fn settle(&self) -> Result<(), HostError> {
        self.change().map_err(|error| self.down(error))?;
        self.0.since.store(0, Ordering::SeqCst);
        Ok(())
    }

    fn join(&self, store: StoreId) -> Result<(), HostError> {
        self.change().map_err(|error| self.down(error))?;
        self.set_store(Some(store));
        Ok(())
    }

    fn source(&self, key: &Key) -> Box<dyn Source> {
        Box::new(MemorySource(self.clone(), key.to_string()))
    }

    fn delete(&self, key: &Key) -> Result<(), HostError> {
        self.change().map_err(|error| self.down(error))?;
        let host = self.name();
        let key = key.to_string();
        match self.files().remove(&key) {
            Some(_) => Ok(()),
            None => Err(HostError::NoSuchKey { host, key }),
        }
    }

    fn leftovers(&self) -> Result<Vec<Leftover>, HostError> {
        self.check_up().map_err(|error| self.down(error))?;
        Ok(Vec::new())
    }

    fn delete_leftover(&self, leftover: &Leftover) -> Result<(), HostError> {
        self.delete(&leftover.key)
    }
}

struct MemorySink {
    host: MemoryHost,
    key: String,
    replaces: bool,
}

impl Sink for MemorySink {
    fn name(&self) -> String {
        format!("{} {}", self.host.name(), self.key)
    }

    fn open(self: Box<Self>) -> io::Result<Box<dyn SinkWriter>> {
        self.host.change()?;
        if !self.replaces && self.host.files().contains_key(&self.key) {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        Ok(Box::new(MemoryWriter {
            sink: *self,
            bytes: Vec::new(),
        }))
    }
}

struct MemoryWriter {
    sink: MemorySink,
    bytes: Vec<u8>,
}

impl Write for MemoryWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.sink.host.change()?;
        self.bytes.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl SinkWriter for MemoryWriter {
    fn finish(self: Box<Self>) -> io::Result<()> {
        let sink = self.sink;
        sink.host.change()?;
        let mut files = sink.host.files();
        if !sink.replaces && files.contains_key(&sink.key) {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        files.insert(sink.key, self.bytes);
        Ok(())
    }
}

struct MemorySource(MemoryHost, String);

impl Source for MemorySource {
    fn name(&self) -> String {
        format!("{} {}", self.0.name(), self.1)
    }

    fn open(self: Box<Self>) -> io::Result<Box<dyn SourceReader>> {
        self.0.check_up()?;
        if self.0.0.mute.load(Ordering::SeqCst) {
            return Err(io::ErrorKind::TimedOut.into());
        }
        let bytes = self
            .0
            .files()
            .get(&self.1)
            .cloned()
            .ok_or(io::ErrorKind::NotFound)?;
        let stall = self.0.stall();
        let bytes = Cursor::new(bytes);
        Ok(Box::new(MemoryReader { bytes, stall }))
    }
}

struct MemoryReader {
    bytes: Cursor<Vec<u8>>,
    stall: Option<Receiver<()>>,
}

impl Read for MemoryReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if let Some(until) = &self.stall {
            let _ = until.recv();
        }
        self.bytes.read(buffer)
    }
}

impl SourceReader for MemoryReader {
    fn seekable(&mut self) -> Option<&mut dyn Seek> {
        Some(&mut self.bytes)
    }
}

/// Bytes as an input that ends where they do.
pub fn input(bytes: &[u8]) -> Box<dyn Input> {
    Box::new(crate::input::ReaderInput(Cursor::new(bytes.to_vec())))
}

/// An output that keeps what was finished.
#[derive(Debug, Clone, Default)]
pub struct Output(Arc<Mutex<Option<Vec<u8>>>>);

impl Output {
    pub fn finished(&self) -> Option<Vec<u8>> {
        self.0.lock().unwrap().clone()
    }
}

impl Sink for Output {
    fn name(&self) -> String {
        "output".into()
    }

    fn open(self: Box<Self>) -> io::Result<Box<dyn SinkWriter>> {
        Ok(Box::new(OutputWriter(*self, Vec::new())))
    }
}

struct OutputWriter(Output, Vec<u8>);

impl Write for OutputWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.1.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl SinkWriter for OutputWriter {
    fn finish(self: Box<Self>) -> io::Result<()> {
        *self.0.0.lock().unwrap() = Some(self.1);
        Ok(())
    }
}
