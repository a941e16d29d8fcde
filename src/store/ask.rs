//! Asks all hosts at once, and does not wait for ever.

use std::io::{self, Read, Seek};
use std::ops::Deref;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use crossbeam_channel::{after, bounded, never, select};

use super::host::{Host, HostError};
use super::key::Key;
use crate::control::Control;
use crate::source::{Source, SourceReader};

/// Asked to stop while hosts were being waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Cancelled;

/// A host, and the calls to it that have not come back yet. Clones are the same host.
#[derive(Debug, Clone)]
pub(super) struct Member {
    host: Arc<dyn Host>,
    begun: Arc<Mutex<Vec<Instant>>>,
}

impl Member {
    pub(super) fn new(host: Arc<dyn Host>) -> Self {
        Self {
            host,
            begun: Arc::default(),
        }
    }

    /// A source for a key. A host that hangs while it is read is not asked again before that has ended.
    pub(super) fn reading(&self, key: &Key) -> Box<dyn Source> {
        Box::new(Reading(self.host.source(key), self.begin()))
    }

    /// Whether a call was begun so long ago and has not come back.
    fn hangs(&self, patience: Duration) -> bool {
        self.begun().iter().any(|begun| begun.elapsed() >= patience)
    }

    fn begin(&self) -> Call {
        let now = Instant::now();
        self.begun().push(now);
        Call(self.clone(), now)
    }

    fn begun(&self) -> MutexGuard<'_, Vec<Instant>> {
        self.begun.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Deref for Member {
    type Target = dyn Host;

    fn deref(&self) -> &Self::Target {
        &*self.host
    }
}

/// A call that has not come back; dropped when it has.
struct Call(Member, Instant);

impl Drop for Call {
    fn drop(&mut self) {
        let mut begun = self.0.begun();
        if let Some(at) = begun.iter().position(|begun| *begun == self.1) {
            begun.swap_remove(at);
        }
    }
}

/// A source or its reader, and the call that lasts as long as it.
struct Reading<T>(T, Call);

impl Source for Reading<Box<dyn Source>> {
    fn name(&self) -> String {
        self.0.name()
    }

    fn open(self: Box<Self>) -> io::Result<Box<dyn SourceReader>> {
        let Self(source, call) = *self;
        Ok(Box::new(Reading(source.open()?, call)))
    }
}

impl Read for Reading<Box<dyn SourceReader>> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.read(buffer)
    }
}

impl SourceReader for Reading<Box<dyn SourceReader>> {
    fn seekable(&mut self) -> Option<&mut dyn Seek> {
        self.0.seekable()
    }
}

/// Runs each host's task on a thread of its own, and gives what they said in the order of `tasks`.
/// A host that has said nothing within `patience` is left behind with its thread, whose answer
/// nobody hears; until that thread has come back, the host is not asked again, since every question
/// would cost the same wait and a thread more. Without `control`, nothing but time ends the wait.
pub(super) fn ask<T, F>(
    tasks: impl IntoIterator<Item = (Member, F)>,
    action: &'static str,
    patience: Duration,
    control: Option<&Control>,
) -> Result<Vec<Result<T, HostError>>, Cancelled>
where
    T: Send + 'static,
    F: FnOnce(&dyn Host) -> Result<T, HostError> + Send + 'static,
{
    let tasks: Vec<_> = tasks.into_iter().collect();
    let (answer, answers) = bounded(tasks.len());
    let mut names = Vec::with_capacity(tasks.len());
    let mut heard: Vec<Option<Result<T, HostError>>> = Vec::with_capacity(tasks.len());
    let seconds = patience.as_secs();
    let silent = |host| HostError::Hung {
        host,
        action,
        seconds,
    };
    for (number, (host, task)) in tasks.into_iter().enumerate() {
        let answer = answer.clone();
        let name = host.name();
        if host.hangs(patience) {
            heard.push(Some(Err(silent(name.clone()))));
            names.push(name);
            continue;
        }
        let call = host.begin();
        let started = thread::Builder::new()
            .name(format!("host {number}"))
            .spawn(move || {
                let said = task(&*host);
                drop(call);
                // Whoever asked may not have waited.
                let _ = answer.send((number, said));
            });
        heard.push(started.err().map(|source| {
            Err(HostError::Failed {
                host: name.clone(),
                action,
                source,
            })
        }));
        names.push(name);
    }
    drop(answer);

    let enough = after(patience);
    let not_cancelled = never();
    let cancelled = control.map_or(&not_cancelled, |control| &control.cancelled);
    while heard.iter().any(Option::is_none) {
        select! {
            recv(answers) -> message => match message {
                Ok((number, said)) => heard[number] = Some(said),
                Err(_) => break, // the threads that are missing panicked, and have said so
            },
            recv(cancelled) -> _ => return Err(Cancelled),
            recv(enough) -> _ => break,
        }
    }
    Ok(heard
        .into_iter()
        .zip(names)
        .map(|(said, host)| said.unwrap_or_else(|| Err(silent(host))))
        .collect())
}

impl HostError {
    /// What a host's sink or source said, as what the host said.
    pub(super) fn from_io(host: &dyn Host, action: &'static str, source: io::Error) -> Self {
        Self::Failed {
            host: host.name(),
            action,
            source,
        }
    }
}
