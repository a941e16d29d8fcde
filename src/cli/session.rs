//! A run of Duplicity, for the commands that need one.

use std::collections::BTreeMap;
use std::env;
use std::ffi::OsString;
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::ExitStatus;
use std::thread;

use anyhow::Context;
use clap::Args;
use distdup::config::{Setting, Settings};
use distdup::duplicity::environment::Environment;
use distdup::duplicity::hosts::{HostsError, Target, host_of};
use distdup::duplicity::launch::Duplicity;
use distdup::duplicity::passphrase;
use distdup::duplicity::protocol::{Event, Report};
use distdup::duplicity::session::{Ended, Session};
use distdup::quote::with_causes;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use super::Usage;
use super::console::{Console, Verbosity, warn};

/// Messages about one host that are shown; the others are counted.
const SHOWN: usize = 8;

/// Which Duplicity.
#[derive(Debug, Args)]
pub struct Which {
    /// Duplicity's script [default: the one on PATH]
    #[arg(long, value_name = "PATH")]
    duplicity: Option<PathBuf>,
}

/// Which Duplicity, and what it is told.
#[derive(Debug, Args)]
pub struct DuplicityArgs {
    #[command(flatten)]
    pub which: Which,
    /// Options for Duplicity
    #[arg(last = true, value_name = "DUPLICITY OPTIONS")]
    pub options: Vec<OsString>,
}

impl Which {
    /// What is set by it.
    pub fn settings(&self) -> Settings {
        Settings {
            duplicity: self.duplicity.clone().map(Setting::argument),
            ..Settings::default()
        }
    }
}

impl DuplicityArgs {
    /// Options that are set, the user's, and what our own say. A user may say first which of Duplicity's
    /// `actions` it is to be; else it is the first of them.
    pub fn options(
        &self,
        console: Console,
        settings: &Settings,
        actions: &[&str],
    ) -> Vec<OsString> {
        let is_action = |word: &&OsString| actions.iter().any(|action| *word == action);
        let said = self.options.first().filter(is_action);
        let action = said.and_then(|word| word.to_str()).unwrap_or(actions[0]);
        let more = self.options.iter().skip(said.iter().len()).cloned();
        let set = settings.options_for(action);
        let mut options: Vec<_> = said.cloned().into_iter().chain(set).chain(more).collect();
        if console.verbosity == Verbosity::Quiet {
            options.push("--verbosity=warning".into());
        }
        options
    }
}

/// Finds the Duplicity that is set, or the one on PATH; warns of one that nobody tried.
pub fn find(console: Console, settings: &Settings) -> anyhow::Result<Duplicity> {
    let path = settings.duplicity.as_ref().map(|path| path.value.as_path());
    let duplicity = Duplicity::find(path).map_err(Usage::new)?;
    let (version, script) = (duplicity.version(), duplicity.script().display());
    console.detail(format!("Duplicity {}, {script}", version.text));
    if let Some(doubt) = version.doubt() {
        warn(format!("{script}: {doubt}"));
    }
    Ok(duplicity)
}

/// What Duplicity's environment is to have, with what `GnuPG` needs if it is to encrypt.
pub fn environment(settings: &Settings, options: &[OsString]) -> anyhow::Result<Environment> {
    let environment = settings.environment()?;
    passphrase::check(options, &environment).map_err(Usage::new)?;
    Ok(environment)
}

/// Runs Duplicity on a store, to its end.
pub fn run(
    console: Console,
    duplicity: &Duplicity,
    environment: &Environment,
    target: &Target,
    arguments: &[OsString],
) -> anyhow::Result<Ended> {
    let program = env::current_exe().context("cannot find the program's own file")?;
    let session = Session {
        duplicity,
        environment,
        store: &target.spec,
        program: &program,
        output_to_stderr: console.json,
    };
    // Heard from here on: an interrupt at a terminal reaches Duplicity by itself, and we wait for it.
    let mut signals = Signals::new([SIGINT, SIGTERM, SIGHUP]).context("cannot handle signals")?;
    let running = session.start(arguments).context("cannot start Duplicity")?;
    let folder = running.runtime().path().display();
    if running.runtime().in_memory() {
        console.detail(format!("pipes are in {folder}, in memory"));
    } else {
        console.detail(format!(
            "no folder in memory was found: pipes are in {folder}"
        ));
    }
    let child = i32::try_from(running.id()).ok().and_then(Pid::from_raw);
    let handle = signals.handle();
    let forwarding = thread::spawn(move || {
        for signal in signals.forever().filter(|signal| *signal != SIGINT) {
            let signal = if signal == SIGHUP {
                Signal::HUP
            } else {
                Signal::TERM
            };
            // It has not been waited for, so that the number is still its own.
            let _ = child.map(|child| kill_process(child, signal));
        }
    });
    let ended = running.wait();
    handle.close();
    let _ = forwarding.join();
    ended.context("cannot tell how Duplicity ended")
}

/// Warns of the hosts that keep a store from being used.
pub fn no_store(error: HostsError, what: &'static str) -> anyhow::Error {
    error
        .hosts()
        .iter()
        .for_each(|host| warn(with_causes(host)));
    anyhow::Error::from(error).context(what)
}

/// How Duplicity ended, in words, if not well.
pub fn failure(status: ExitStatus) -> Option<String> {
    match (status.code(), status.signal()) {
        (Some(0), _) => None,
        (Some(code), _) => Some(format!("Duplicity failed with exit code {code}")),
        (None, Some(signal)) => Some(format!("Duplicity was ended by signal {signal}")),
        (None, None) => Some("Duplicity did not end well".into()),
    }
}

/// Its exit code; of a signal that ended it, as a shell has it.
pub fn exit_code(status: ExitStatus) -> u8 {
    let code = status.code().or(status.signal().map(|signal| 128 + signal));
    code.and_then(|code| u8::try_from(code).ok()).unwrap_or(1)
}

/// What was wrong with hosts, by their position: distinct messages with a count of objects.
#[derive(Debug, Default)]
pub struct Faults(BTreeMap<usize, BTreeMap<String, usize>>);

impl Faults {
    /// From what was found at the start, and what residents reported of one kind of event, or of all.
    pub fn of(target: &Target, reports: &[Report], event: Option<Event>) -> Self {
        let mut faults = Self::default();
        for error in &target.silent {
            if let Some(position) = target.position(host_of(error)) {
                faults
                    .0
                    .entry(position)
                    .or_default()
                    .insert(with_causes(error), 0);
            }
        }
        for fault in reports
            .iter()
            .filter(|report| event.is_none_or(|event| report.event == event))
            .flat_map(|r| &r.faults)
        {
            if let Some(position) = target.position(&fault.host) {
                let messages = faults.0.entry(position).or_default();
                *messages.entry(fault.error.clone()).or_default() += 1;
            }
        }
        faults
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether the host at that position has any.
    pub fn has(&self, position: usize) -> bool {
        self.0.contains_key(&position)
    }

    /// The first message about the host at that position.
    pub fn first(&self, position: usize) -> Option<&str> {
        Some(self.0.get(&position)?.keys().next()?.as_str())
    }

    /// Each host, and whether it has none, which is called `well`.
    pub fn to_json(&self, target: &Target, well: &str) -> Value {
        (0..target.hosts.len())
            .map(|position| {
                json!({
                    "name": target.shown(position),
                    well: !self.has(position),
                    "error": self.first(position),
                })
            })
            .collect()
    }

    /// Warns of all.
    pub fn warn(&self) {
        for messages in self.0.values() {
            for (message, count) in messages.iter().take(SHOWN) {
                match count {
                    0 | 1 => warn(message),
                    _ => warn(format!("{message} ({count} objects)")),
                }
            }
            if let more @ 1.. = messages.len().saturating_sub(SHOWN) {
                warn(format!("and {more} more of this host"));
            }
        }
    }
}
