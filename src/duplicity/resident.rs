//! The process that serves Duplicity's backend: objects in and out of a store, by named pipes.

use std::error::Error;
use std::ffi::OsString;
use std::fmt::Write as _;
use std::io::{self, BufRead, ErrorKind as IoKind, Read, Write};
use std::os::unix::ffi::OsStringExt;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use crossbeam_channel::{Receiver, bounded, select, unbounded};
use rustix::fs::{Mode, OFlags};

use super::hosts::{HostsError, host_of};
use super::protocol::{
    Answer, Content, ErrorKind, Event, Failure as Undone, Hex, HostFault, Listed, Operation,
    PROTOCOL, Report, Request, Written,
};
use crate::catalogue::catalogue;
use crate::control::Control;
use crate::decode::{DecodeError, GatherError, SourceOutcome};
use crate::encode::{EncodeError, SinkFailure, SinkOutcome};
use crate::input::{FileInput, Input};
use crate::quote::with_causes;
use crate::sink::fifo::FifoSink;
use crate::store::{
    DeleteReport, HostError, HostShare, PutReport, Reason, ShareState, Store, StoreError,
};

/// How long whoever started Duplicity may leave a report unread.
const REPORT_TIMEOUT: Duration = Duration::from_secs(5);
/// Faults of one share that a message tells.
const FAULTS_TOLD: usize = 3;

/// Bytes of an object after which it is reported how far it is.
const PART: u64 = 4 << 20;

/// Where reports go.
#[derive(Debug, Clone)]
pub struct Reporter(Arc<UnixDatagram>);

/// What is done before hosts are read, or, with `true`, written to. It may refuse, or give a store in place
/// of one that was empty, for as long as there was none.
pub type Guard<'a> = Box<dyn FnMut(bool) -> Result<Option<Store>, HostsError> + 'a>;

/// A resident, serving one backend.
pub struct Resident<'a, W> {
    store: Store,
    guard: Guard<'a>,
    answers: W,
    reporter: Option<Reporter>,
}

/// What becomes of a put whose bytes have all come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verdict {
    Commit { size: u64 },
    Abort,
}

impl Reporter {
    /// To the socket at `path`.
    ///
    /// # Errors
    /// There is none.
    pub fn connect(path: &Path) -> io::Result<Self> {
        let socket = UnixDatagram::unbound()?;
        socket.connect(path)?;
        socket.set_write_timeout(Some(REPORT_TIMEOUT))?;
        Ok(Self(Arc::new(socket)))
    }

    fn send(&self, report: &Report) {
        if let Ok(bytes) = serde_json::to_vec(report) {
            // Whoever started Duplicity may be gone; the work goes on.
            let _ = self.0.send(&bytes);
        }
    }
}

/// Says on `answers` why there is no store to serve.
///
/// # Errors
/// Nobody listens.
pub fn refuse(mut answers: impl Write, error: &(dyn Error + 'static)) -> io::Result<()> {
    write_line(
        &mut answers,
        &Answer {
            id: 0,
            ok: false,
            content: failed(error),
        },
    )
}

impl<'a, W: Write> Resident<'a, W> {
    /// A resident for the objects of `store`, which calls `guard` before each operation.
    pub fn new(store: Store, guard: Guard<'a>, answers: W, reporter: Option<Reporter>) -> Self {
        Self {
            store,
            guard,
            answers,
            reporter,
        }
    }

    /// Greets, and answers requests until they end.
    ///
    /// # Errors
    /// Requests that make no sense, or nobody who hears the answers.
    pub fn serve(mut self, requests: impl BufRead + Send + 'static) -> io::Result<()> {
        let lines = read_lines(requests)?;
        self.answer(0, Content::Hello { protocol: PROTOCOL })?;
        while let Ok(request) = lines.recv() {
            let Request { id, operation } = request?;
            let writes = match operation {
                Operation::Put { .. } | Operation::Delete { .. } => true,
                Operation::Get { .. } | Operation::List | Operation::Query { .. } => false,
                // Of a put that failed before.
                Operation::Commit { .. } | Operation::Abort => continue,
            };
            match (self.guard)(writes) {
                Ok(None) => {}
                Ok(Some(store)) => self.store = store,
                Err(error) => {
                    self.answer(id, failed(&error))?;
                    continue;
                }
            }
            let content = match operation {
                Operation::Put { name, fifo, .. } => {
                    match self.put(id, &name, &path(fifo), &lines)? {
                        Some(content) => content,
                        None => return Ok(()),
                    }
                }
                Operation::Get { name, fifo } => self.get(&name, path(fifo)),
                Operation::List => self.list(),
                Operation::Query { name } => self.query(&name),
                Operation::Delete { name } => self.delete(&name),
                Operation::Commit { .. } | Operation::Abort => continue,
            };
            self.answer(id, content)?;
        }
        Ok(())
    }

    fn answer(&mut self, id: u64, content: Content) -> io::Result<()> {
        let ok = !matches!(content, Content::Refused { .. });
        write_line(&mut self.answers, &Answer { id, ok, content })
    }

    /// Stores what comes through a pipe, while the control channel is heard; `None` if that ends.
    fn put(
        &self,
        id: u64,
        Hex(name): &Hex,
        fifo: &Path,
        lines: &Receiver<io::Result<Request>>,
    ) -> io::Result<Option<Content>> {
        let (control, canceller) = Control::new();
        let (decide, verdict) = bounded(1);
        let (finish, finished) = bounded(1);
        let result = thread::scope(|scope| {
            let (store, pipe) = (&self.store, fifo.to_owned());
            let parts = Parts::of(name, self.reporter.clone());
            scope.spawn(move || {
                let result = FileInput::new(pipe)
                    .map_err(Failure::Pipe)
                    .map(|pipe| {
                        Box::new(Volume {
                            pipe,
                            verdict,
                            parts,
                        })
                    })
                    .and_then(|input| Ok(store.put(name, input, None, &control)?));
                let _ = finish.send(result);
            });
            let mut decide = Some(decide);
            let ended = loop {
                select! {
                    recv(finished) -> result => break Ok(Some(result)),
                    recv(lines) -> line => match line {
                        Ok(Ok(Request { id: of, operation: Operation::Commit { size } })) if of == id => {
                            if let Some(decide) = decide.take() {
                                let _ = decide.send(Verdict::Commit { size });
                            }
                        }
                        Ok(Ok(Request { id: of, operation: Operation::Abort })) if of == id => {
                            if let Some(decide) = decide.take() {
                                let _ = decide.send(Verdict::Abort);
                                canceller.cancel();
                            }
                        }
                        // Nothing else may come before the answer.
                        Ok(Ok(_)) => break Err(io::Error::new(IoKind::InvalidData, "a request inside a put")),
                        Ok(Err(error)) => break Err(error),
                        Err(_) => break Ok(None), // nobody is there to commit
                    },
                }
            };
            // What was committed already is let finish; all else ends at once.
            if decide.take().is_some() {
                canceller.cancel();
            }
            release(fifo);
            ended
        })?;
        let Some(result) = result else {
            return Ok(None);
        };
        let result = result.map_err(|_| io::Error::other("the put's thread panicked"))?;
        Ok(Some(match result {
            Ok(report) => self.stored(name, &report),
            Err(failure) => failure.into(),
        }))
    }

    fn stored(&self, name: &[u8], report: &PutReport) -> Content {
        let degraded: Vec<_> = report
            .hosts
            .iter()
            .filter_map(|host| {
                let failure = host.failure.as_ref()?;
                Some(HostFault::of(&host.host, failure))
            })
            .collect();
        let taken = report.hosts.iter().filter(|host| host.failure.is_none());
        let written = taken.map(|host| Written {
            host: host.host.clone(),
            bytes: host.bytes,
        });
        self.report(&Report {
            event: Event::Put,
            name: Hex(name.to_vec()),
            size: report.length,
            written: written.collect(),
            faults: degraded.clone(),
            failure: None,
        });
        Content::Stored {
            size: report.length,
            degraded,
        }
    }

    fn get(&self, Hex(name): &Hex, fifo: PathBuf) -> Content {
        let (control, _) = Control::new();
        // The backend has it open before it asks; if not now, it is gone, and would be waited for.
        let output = Box::new(FifoSink::with_reader(fifo));
        match self.store.get(name, output, &control) {
            Ok(report) => {
                let faulty = report.hosts.iter().filter(|share| share.is_faulty());
                let length = report.totals.length;
                self.report(&Report {
                    event: Event::Get,
                    name: Hex(name.clone()),
                    size: length,
                    written: Vec::new(),
                    faults: faulty.map(fault).collect(),
                    failure: None,
                });
                size(length)
            }
            Err(error) => refused(&error),
        }
    }

    fn list(&self) -> Content {
        match self.store.list(&Control::new().0) {
            // Those that cannot be read, too.
            Ok(list) => Content::Objects {
                objects: list
                    .objects
                    .into_iter()
                    .map(|object| Listed {
                        name: Hex(object.name),
                    })
                    .collect(),
            },
            Err(error) => refused(&error),
        }
    }

    fn query(&self, Hex(name): &Hex) -> Content {
        match self.store.query(name, &Control::new().0) {
            Ok(Some(length)) => size(length),
            Ok(None) => Content::Size { size: -1 },
            Err(error) => refused(&error),
        }
    }

    fn delete(&self, Hex(name): &Hex) -> Content {
        let (faults, error) = match self.store.delete(name, &Control::new().0) {
            Ok(report) => (undeleted(&report), None),
            Err(StoreError::NotFound { .. }) => (Vec::new(), None),
            Err(error) => (
                hosts_of(&error).iter().map(host_fault).collect(),
                Some(error),
            ),
        };
        // Duplicity exits with 0, whatever we answer.
        self.report(&Report {
            event: Event::Delete,
            name: Hex(name.clone()),
            size: 0,
            written: Vec::new(),
            faults,
            failure: error.as_ref().map(|error| Undone::of(error)),
        });
        match error {
            None => Content::Deleted {},
            Some(error) => refused(&error),
        }
    }

    fn report(&self, report: &Report) {
        if let Some(reporter) = &self.reporter {
            reporter.send(report);
        }
    }
}

/// Bytes from a pipe, of which the control channel says whether they were all.
#[derive(Debug)]
struct Volume {
    pipe: FileInput,
    verdict: Receiver<Verdict>,
    parts: Parts,
}

impl Read for Volume {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = self.pipe.read(buffer)?;
        self.parts.came(length as u64);
        Ok(length)
    }
}

/// Reports how much of an object has come.
#[derive(Debug)]
struct Parts {
    reporter: Option<Reporter>,
    report: Report,
    told: u64,
}

impl Parts {
    fn of(name: &[u8], reporter: Option<Reporter>) -> Self {
        let report = Report {
            event: Event::Part,
            name: Hex(name.to_vec()),
            size: 0,
            written: Vec::new(),
            faults: Vec::new(),
            failure: None,
        };
        Self {
            reporter,
            report,
            told: 0,
        }
    }

    fn came(&mut self, length: u64) {
        self.report.size += length;
        if self.report.size - self.told >= PART {
            self.told = self.report.size;
            if let Some(reporter) = &self.reporter {
                reporter.send(&self.report);
            }
        }
    }
}

impl Input for Volume {
    fn confirm_end(&mut self, total: u64) -> io::Result<()> {
        match self.verdict.recv() {
            Ok(Verdict::Commit { size }) if size == total => Ok(()),
            Ok(Verdict::Commit { size }) => Err(io::Error::new(
                IoKind::UnexpectedEof,
                format!("{total} bytes came, of {size} that were sent"),
            )),
            Ok(Verdict::Abort) => Err(io::Error::new(
                IoKind::ConnectionAborted,
                "Duplicity gave up",
            )),
            Err(_) => Err(io::Error::new(
                IoKind::ConnectionAborted,
                "Duplicity is gone",
            )),
        }
    }
}

enum Failure {
    Pipe(io::Error),
    Store(StoreError),
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl From<Failure> for Content {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Pipe(error) => Self::Refused {
                kind: ErrorKind::Failed,
                error: format!("the pipe cannot be opened: {error}"),
            },
            Failure::Store(error) => refused(&error),
        }
    }
}

/// Lines of requests, read on a thread of their own; hung up at their end.
fn read_lines(
    requests: impl BufRead + Send + 'static,
) -> io::Result<Receiver<io::Result<Request>>> {
    let (sender, lines) = unbounded(); // the backend sends one at a time
    thread::Builder::new()
        .name("requests".into())
        .spawn(move || {
            for line in requests.lines() {
                let request = line.and_then(|line| Ok(serde_json::from_str(&line)?));
                let failed = request.is_err();
                if sender.send(request).is_err() || failed {
                    return;
                }
            }
        })?;
    Ok(lines)
}

fn failed(error: &(dyn Error + 'static)) -> Content {
    Content::Refused {
        kind: ErrorKind::Failed,
        error: with_causes(error),
    }
}

/// Lets go a reader that waits for a writer who will never come.
fn release(fifo: &Path) {
    let _ = rustix::fs::open(
        fifo,
        OFlags::WRONLY | OFlags::NONBLOCK | OFlags::CLOEXEC,
        Mode::empty(),
    );
}

fn write_line(answers: &mut impl Write, answer: &Answer) -> io::Result<()> {
    let mut line = serde_json::to_vec(answer)?;
    line.push(b'\n');
    answers.write_all(&line)?;
    answers.flush()
}

fn path(Hex(bytes): Hex) -> PathBuf {
    OsString::from_vec(bytes).into()
}

fn size(length: u64) -> Content {
    // Lengths are below 2^63 by the format.
    Content::Size {
        size: i64::try_from(length).unwrap_or(i64::MAX),
    }
}

fn refused(error: &StoreError) -> Content {
    let mut text = with_causes(error);
    for host in hosts_of(error) {
        let _ = write!(text, "; {}", with_causes(host)); // a String takes everything
    }
    for sink in failed_sinks(error) {
        if let Some(failure) = &sink.failure {
            let _ = write!(text, "; {}: {}", sink.name, with_causes(failure));
        }
    }
    Content::Refused {
        kind: kind(error),
        error: text,
    }
}

/// What is wrong with single hosts, where that is why.
fn hosts_of(error: &StoreError) -> &[HostError] {
    match error {
        StoreError::TooFewUp { hosts, .. }
        | StoreError::TooManySilent { hosts, .. }
        | StoreError::Unknown { hosts, .. }
        | StoreError::Decode { hosts, .. }
        | StoreError::Unopened { hosts, .. }
        | StoreError::NotDeleted { hosts, .. } => hosts,
        _ => &[],
    }
}

/// Where a put failed for too few of them.
fn failed_sinks(error: &StoreError) -> &[SinkOutcome] {
    if let StoreError::Encode { source, .. } = error
        && let EncodeError::TooFewSinks { sinks, .. } = &**source
    {
        return sinks;
    }
    &[]
}

fn kind(error: &StoreError) -> ErrorKind {
    let failures: Vec<_> = failed_sinks(error)
        .iter()
        .filter_map(|sink| io_kind(sink.failure.as_ref()?))
        .collect();
    let some = |kinds: &[IoKind]| failures.iter().any(|kind| kinds.contains(kind));
    if some(&[IoKind::StorageFull, IoKind::QuotaExceeded]) {
        return ErrorKind::NoSpace;
    }
    if some(&[IoKind::PermissionDenied, IoKind::ReadOnlyFilesystem]) {
        return ErrorKind::Permission;
    }
    match error {
        StoreError::NotFound { .. } => ErrorKind::NotFound,
        // A host that is silent may bring what is missing.
        StoreError::Decode { source, hosts, .. } if hosts.is_empty() => match &**source {
            DecodeError::Gather(
                GatherError::Unrecoverable { .. } | GatherError::Incomplete { .. },
            ) => ErrorKind::Damaged,
            _ => ErrorKind::Failed,
        },
        StoreError::Unknown {
            reason: Reason::Unreadable { silent: 0, .. },
            hosts,
            ..
        } if hosts.is_empty() => ErrorKind::Damaged,
        _ => ErrorKind::Failed,
    }
}

fn io_kind(failure: &SinkFailure) -> Option<IoKind> {
    match failure {
        SinkFailure::Open(source)
        | SinkFailure::Write { source, .. }
        | SinkFailure::Finish { source, .. } => Some(source.kind()),
        _ => None,
    }
}

fn host_fault(error: &HostError) -> HostFault {
    HostFault::of(host_of(error), error)
}

/// Hosts that lack the marker of a deletion, or still have what was deleted.
fn undeleted(report: &DeleteReport) -> Vec<HostFault> {
    let faults = report.hosts.iter().filter_map(|outcome| {
        let lacks = outcome.failure.as_ref();
        let lacks = lacks.map(|failure| HostFault::of(&outcome.host, failure));
        lacks.or_else(|| outcome.not_removed.as_ref().map(host_fault))
    });
    faults.collect()
}

/// What is wrong with a share that was to be read.
fn fault(share: &HostShare) -> HostFault {
    match &share.state {
        ShareState::Read(outcome) => HostFault {
            host: share.host.clone(),
            error: damage(outcome),
            code: outcome.code().map(str::to_owned),
        },
        ShareState::Failed(error) | ShareState::Silent(error) => HostFault::of(&share.host, error),
        ShareState::Mislabelled(key) => {
            let key = key.to_string();
            HostFault::of(&share.host, &Astray::Mislabelled { key })
        }
        ShareState::Missing => HostFault::of(&share.host, &Astray::Missing),
    }
}

/// What can be wrong with a host's share that is no failure of the host's.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Astray {
    /// Its header contradicts its name.
    #[error("share {key} says that it is something else")]
    Mislabelled {
        /// Its name.
        key: String,
    },
    /// There is none.
    #[error("it has no share of it")]
    Missing,
}

catalogue! {
    Astray {
        Self::Mislabelled { .. } => "host-share-mislabelled":
            "It was not used: somebody renamed or replaced it. The other hosts gave the object."
            "Find out who can write to that host, and write the share again: distdup heal HOSTS";
        Self::Missing => "host-share-missing":
            "The other hosts gave the object."
            "Write the share again from the others: distdup heal HOSTS";
    }
}

fn damage(outcome: &SourceOutcome) -> String {
    let mut text = format!("{} is damaged", outcome.name);
    let failure = outcome.failure.iter().map(|failure| with_causes(failure));
    let remarks = outcome.flaws.iter().map(ToString::to_string);
    let frames = outcome
        .faults
        .iter()
        .map(|fault| format!("frame of stripe {}: {}", fault.stripe, fault.flaw));
    for (i, what) in failure
        .chain(remarks)
        .chain(frames)
        .take(FAULTS_TOLD)
        .enumerate()
    {
        let _ = write!(text, "{} {what}", if i == 0 { ":" } else { ";" }); // a String takes everything
    }
    if outcome.fault_count > 1 {
        let _ = write!(text, " ({} bad frames in all)", outcome.fault_count);
    }
    text
}
