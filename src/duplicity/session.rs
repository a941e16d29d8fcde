//! One run of Duplicity with our backend: what it needs is there from its start to its end, and
//! what the residents report is kept.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::io;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::process::{Child, ExitStatus};
use std::thread::{self, JoinHandle};

use super::environment::Environment;
use super::hosts::StoreSpec;
use super::launch::Duplicity;
use super::protocol::{REPORT, Report};
use super::runtime::Runtime;

/// Longest report; one names a few hosts.
const MAX_REPORT: usize = 1 << 18;
/// Ends the reports. No JSON.
const END: &[u8] = b".";

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
    /// Whether Duplicity's standard output goes to our standard error.
    pub output_to_stderr: bool,
}

/// A Duplicity that runs.
#[derive(Debug)]
pub struct Running {
    child: Child,
    runtime: Runtime,
    reports: JoinHandle<Vec<Report>>,
}

/// A Duplicity that has ended.
#[derive(Debug)]
pub struct Ended {
    /// As Duplicity said it. It is 0 also if puts were degraded.
    pub status: ExitStatus,
    /// What was not as it should be.
    pub reports: Vec<Report>,
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
        let report = runtime.path().join("report");
        let socket = UnixDatagram::bind(&report)?;
        let reports = thread::Builder::new()
            .name("reports".into())
            .spawn(move || collect(&socket))?;

        let resident: Vec<OsString> = vec![
            self.program.into(),
            "resident".into(),
            store.into_os_string(),
        ];
        let child = self
            .duplicity
            .command(&runtime, &resident)
            .and_then(|mut command| {
                if self.output_to_stderr {
                    command.stdout(io::stderr());
                }
                self.environment
                    .apply(&mut command)
                    .args(arguments)
                    .env(REPORT, &report)
                    .spawn()
            });
        match child {
            Ok(child) => Ok(Running {
                child,
                runtime,
                reports,
            }),
            Err(error) => {
                end(&report);
                Err(error)
            }
        }
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

    /// Waits until it has ended.
    ///
    /// # Errors
    /// The system does not tell.
    pub fn wait(mut self) -> io::Result<Ended> {
        let status = self.child.wait();
        // Residents report before they answer, so that all there is stands before this.
        end(&self.runtime.path().join("report"));
        let reports = self.reports.join().unwrap_or_default(); // a panic has been told
        Ok(Ended {
            status: status?,
            reports,
        })
    }
}

fn collect(socket: &UnixDatagram) -> Vec<Report> {
    let mut reports = Vec::new();
    let mut buffer = vec![0; MAX_REPORT];
    loop {
        match socket.recv(&mut buffer) {
            Ok(length) if &buffer[..length] == END => return reports,
            // The folder is private: only residents write here.
            Ok(length) => reports.extend(serde_json::from_slice::<Report>(&buffer[..length])),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(_) => return reports,
        }
    }
}

fn end(report: &PathBuf) {
    let _ = UnixDatagram::unbound().and_then(|socket| socket.send_to(END, report));
}
