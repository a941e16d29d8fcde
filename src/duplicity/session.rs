//! One run of Duplicity with our backend: what it needs is there from its start to its end, and
//! what it and the residents tell is heard.

use std::ffi::{OsStr, OsString};
use std::fs::{self, File};
use std::io::{self, BufReader, Write};
use std::net::Shutdown;
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::process::{Child, ExitStatus, Stdio};
use std::thread::{self, JoinHandle};

use crossbeam_channel::{Receiver, Sender, unbounded};
use rustix::io::{FdFlags, fcntl_setfd};
use rustix::pipe::{PipeFlags, pipe_with};
use rustix::process::{Pid, WaitId, WaitIdOptions, waitid};

use super::environment::Environment;
use super::hosts::StoreSpec;
use super::launch::Duplicity;
use super::log::{self, Record};
use super::protocol::{LOG, REPORT, Report};
use super::runtime::Runtime;

/// Longest report; one names a few hosts.
const MAX_REPORT: usize = 1 << 18;

/// What a session is started with.
#[derive(Debug)]
pub struct Session<'a> {
    /// Which Duplicity.
    pub duplicity: &'a Duplicity,
    /// What its environment has otherwise than ours.
    pub environment: &'a Environment,
    /// The store that it works on.
    pub store: &'a StoreSpec,
    /// The program whose `resident FILE` serves it.
    pub program: &'a Path,
    /// Where Duplicity's standard output goes.
    pub output: Output,
    /// Whether its log for machines is read.
    pub log: bool,
}

/// Where Duplicity's standard output goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Output {
    /// To our own.
    Out,
    /// To our standard error.
    Err,
    /// Nowhere.
    Nowhere,
}

/// A Duplicity that runs.
#[derive(Debug)]
pub struct Running {
    child: Child,
    runtime: Runtime,
    news: Receiver<News>,
    end: JoinHandle<io::Result<()>>,
}

/// What is told while Duplicity runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum News {
    /// By a resident: what became of an object.
    Report(Report),
    /// By Duplicity, in its log.
    Record(Record),
}

impl Session<'_> {
    /// Starts Duplicity with these arguments. Its standard input and error, and all the rest, are
    /// ours.
    ///
    /// # Errors
    /// What it needs could not be made, or it could not be started.
    pub fn start<S: AsRef<OsStr>>(
        &self,
        arguments: impl IntoIterator<Item = S>,
    ) -> io::Result<Running> {
        let runtime = Runtime::create()?;
        let store = runtime.path().join("store.json");
        fs::write(&store, serde_json::to_vec(self.store)?)?;
        let resident: Vec<OsString> = vec![
            self.program.into(),
            "resident".into(),
            store.into_os_string(),
        ];
        let mut command = self.duplicity.command(&runtime, &resident)?;
        match self.output {
            Output::Out => {}
            Output::Err => _ = command.stdout(io::stderr()),
            Output::Nowhere => _ = command.stdout(Stdio::null()),
        }
        self.environment.apply(&mut command);
        command.args(arguments);

        let (told, news) = unbounded(); // whoever started it only counts and prints
        let reports = Reports::listen(&runtime, told.clone())?;
        command.env(REPORT, &reports.path);
        let log = self.log.then(|| Log::listen(told)).transpose()?;
        if let Some(log) = &log {
            command
                .arg(format!("--log-fd={}", log.writer.as_raw_fd()))
                .env(LOG, "");
        }
        let child = command.spawn()?; // which failed, the listeners end with the process
        let id = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
        let end = thread::Builder::new()
            .name("duplicity".into())
            .spawn(move || {
                // Left to be reaped, so that its number stays its own while it may be sent a signal.
                let options = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT;
                let ended = match id {
                    Some(id) => waitid(WaitId::Pid(id), options).map(|_| ()),
                    None => Ok(()),
                };
                // Residents report before they answer, so that all there is stands before this.
                reports.end();
                log.into_iter().for_each(Log::end);
                Ok(ended?)
            })?;
        Ok(Running {
            child,
            runtime,
            news,
            end,
        })
    }
}

impl Running {
    /// Its process.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// The folder that it runs with.
    pub fn runtime(&self) -> &Runtime {
        &self.runtime
    }

    /// What is told, as it is told; hung up when Duplicity has ended.
    pub fn news(&self) -> &Receiver<News> {
        &self.news
    }

    /// Waits until it has ended; says how. It is 0 also if puts were degraded.
    ///
    /// # Errors
    /// The system does not tell.
    pub fn wait(mut self) -> io::Result<ExitStatus> {
        self.end.join().unwrap_or(Ok(()))?; // a panic has been told
        self.child.wait()
    }
}

/// The socket to which residents report.
#[derive(Debug)]
struct Reports {
    path: PathBuf,
    socket: UnixDatagram,
}

impl Reports {
    fn listen(runtime: &Runtime, told: Sender<News>) -> io::Result<Self> {
        let path = runtime.path().join("report");
        let socket = UnixDatagram::bind(&path)?;
        let receiver = socket.try_clone()?;
        thread::Builder::new()
            .name("reports".into())
            .spawn(move || collect(&receiver, &told))?;
        Ok(Self { path, socket })
    }

    /// After what has come. Whether its name is still there does not matter.
    fn end(&self) {
        let _ = self.socket.shutdown(Shutdown::Read);
    }
}

fn collect(socket: &UnixDatagram, told: &Sender<News>) {
    let mut buffer = vec![0; MAX_REPORT];
    loop {
        match socket.recv(&mut buffer) {
            Ok(0) => return,
            // The folder is private: only residents write here.
            Ok(length) => {
                if let Ok(report) = serde_json::from_slice(&buffer[..length]) {
                    let _ = told.send(News::Report(report));
                }
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(_) => return,
        }
    }
}

/// The pipe into which Duplicity writes its log. Children of its own may keep it open for longer than
/// Duplicity lives, so that its end is said, not seen.
#[derive(Debug)]
struct Log {
    writer: File,
}

impl Log {
    /// The writer is Duplicity's to inherit.
    fn listen(told: Sender<News>) -> io::Result<Self> {
        let (reader, writer) = pipe_with(PipeFlags::CLOEXEC)?;
        fcntl_setfd(&writer, FdFlags::empty())?;
        thread::Builder::new().name("log".into()).spawn(move || {
            let log = BufReader::new(File::from(reader));
            let _ = log::read(log, |record| {
                let _ = told.send(News::Record(record));
            });
        })?;
        Ok(Self {
            writer: File::from(writer),
        })
    }

    fn end(mut self) {
        let _ = self.writer.write_all(&[log::END, b'\n']);
    }
}
