//! A bounded pipe between a sink and a source, that is like a FIFO: opening waits for the other end,
//! writing waits for room, and a pipe whose other end is gone says so.

use std::collections::VecDeque;
use std::io::{self, ErrorKind, Read, Write};
use std::sync::{Arc, Condvar, Mutex};

use distdup::sink::{Sink, SinkWriter};
use distdup::source::{Source, SourceReader};

#[derive(Default)]
struct State {
    bytes: VecDeque<u8>,
    written_to: Option<bool>,
    read_from: Option<bool>,
}

struct Shared {
    state: Mutex<State>,
    changed: Condvar,
    capacity: usize,
}

impl Shared {
    /// Changes the state, after waiting until `ready`.
    fn when<T>(&self, ready: impl Fn(&State) -> bool, change: impl FnOnce(&mut State) -> T) -> T {
        let state = self.state.lock().unwrap();
        let mut state = self
            .changed
            .wait_while(state, |state| !ready(state))
            .unwrap();
        let value = change(&mut state);
        self.changed.notify_all();
        value
    }
}

/// Both ends of a pipe that holds `capacity` bytes.
pub fn pipe(name: usize, capacity: usize) -> (Box<dyn Sink>, Box<dyn Source>) {
    let shared = Arc::new(Shared {
        state: Mutex::default(),
        changed: Condvar::new(),
        capacity,
    });
    let name = name.to_string();
    let sink = Unopened(name.clone(), Arc::clone(&shared));
    (Box::new(sink), Box::new(Unopened(name, shared)))
}

struct Unopened(String, Arc<Shared>);
struct WriteEnd(Arc<Shared>);
struct ReadEnd(Arc<Shared>);

impl Sink for Unopened {
    fn name(&self) -> String {
        self.0.clone()
    }

    fn open(self: Box<Self>) -> io::Result<Box<dyn SinkWriter>> {
        self.1.when(|_| true, |state| state.written_to = Some(true));
        self.1.when(|state| state.read_from.is_some(), |_| ());
        Ok(Box::new(WriteEnd(Arc::clone(&self.1))))
    }
}

impl Source for Unopened {
    fn name(&self) -> String {
        self.0.clone()
    }

    fn open(self: Box<Self>) -> io::Result<Box<dyn SourceReader>> {
        self.1.when(|_| true, |state| state.read_from = Some(true));
        self.1.when(|state| state.written_to.is_some(), |_| ());
        Ok(Box::new(ReadEnd(Arc::clone(&self.1))))
    }
}

impl Write for WriteEnd {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let Shared { capacity, .. } = *self.0;
        let ready = |state: &State| state.bytes.len() < capacity || state.read_from == Some(false);
        self.0.when(ready, |state| {
            if state.read_from == Some(false) {
                return Err(ErrorKind::BrokenPipe.into());
            }
            let count = bytes.len().min(capacity - state.bytes.len());
            state.bytes.extend(&bytes[..count]);
            Ok(count)
        })
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl SinkWriter for WriteEnd {
    fn finish(self: Box<Self>) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for WriteEnd {
    fn drop(&mut self) {
        self.0
            .when(|_| true, |state| state.written_to = Some(false));
    }
}

impl Read for ReadEnd {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let ready = |state: &State| !state.bytes.is_empty() || state.written_to == Some(false);
        self.0.when(ready, |state| {
            let count = buffer.len().min(state.bytes.len());
            for (to, from) in buffer.iter_mut().zip(state.bytes.drain(..count)) {
                *to = from;
            }
            Ok(count)
        })
    }
}

impl SourceReader for ReadEnd {}

impl Drop for ReadEnd {
    fn drop(&mut self) {
        self.0.when(|_| true, |state| state.read_from = Some(false));
    }
}
