//! A run of Duplicity, for the commands that need one.

use std::env;
use std::ffi::{OsStr, OsString};
use std::fmt::Display;
use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::Context;
use clap::Args;
use crossbeam_channel::{Receiver, after, never, select, tick, unbounded};
use distdup::catalogue::catalogue;
use distdup::config::{Setting, Settings};
use distdup::duplicity::environment::Environment;
use distdup::duplicity::hosts::{Access, HostsError, Standing, Target};
use distdup::duplicity::launch::Duplicity;
use distdup::duplicity::log::{Level, Record};
use distdup::duplicity::options;
use distdup::duplicity::passphrase;
use distdup::duplicity::protocol::Event;
use distdup::duplicity::session::{News, Output, Running, Session};
use distdup::quote::with_causes;
use distdup::store::key::Key;
use distdup::store::{HostError, Lost, Stale};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::json;
use signal_hook::consts::SIGUSR1;
use signal_hook::iterator::exfiltrator::WithRawSiginfo;
use signal_hook::iterator::{Handle, SignalsInfo};

use super::console::{Console, Verbosity, warn};
use super::report::count;
use super::size::parse_seconds;
use super::tally::{SHOWN, Tally};
use super::watch::{REDRAW, answer, redraw, stops};
use super::{Outcome, Usage};

/// How hosts are dealt with.
#[derive(Debug, Args)]
pub struct HostArgs {
    /// A host that says or takes nothing for so long counts as down [default: 30; in a share, 60]
    #[arg(long, value_name = "SECONDS", value_parser = parse_seconds)]
    host_timeout: Option<Duration>,
}

impl HostArgs {
    /// The same, to read or write what is current.
    pub fn access(&self) -> Access {
        Access {
            host_timeout: self.host_timeout,
            stale: Stale::Refuse,
            session: None,
        }
    }

    /// The same, to take what may be stale if so.
    pub fn access_to(&self, stale: bool) -> Access {
        let stale = if stale { Stale::Allow } else { Stale::Refuse };
        Access {
            stale,
            ..self.access()
        }
    }
}

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
    /// Its script, if that was given.
    pub fn path(&self) -> Option<&Path> {
        self.duplicity.as_deref()
    }

    /// What is set by it.
    pub fn settings(&self) -> Settings {
        Settings {
            duplicity: self.duplicity.clone().map(Setting::argument),
            ..Settings::default()
        }
    }
}

impl DuplicityArgs {
    /// Options that are set, and the user's. A user may say first which of Duplicity's `actions` it is to
    /// be; else it is the first of them.
    pub fn options(&self, settings: &Settings, actions: &[&str]) -> Vec<OsString> {
        let said = options::action(&self.options, actions);
        let more = self.options.iter().skip(said.iter().len()).cloned();
        let set = settings.options_for(said.unwrap_or(actions[0]));
        let said = said.map(OsString::from);
        said.into_iter().chain(set).chain(more).collect()
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

/// Says of a dry run that it was no more than that, and so `what`.
pub fn print_dry_run(console: Console, what: &str) -> anyhow::Result<Outcome> {
    let outcome = Outcome::Done;
    let json = json!({ "status": outcome.status(), "dry_run": true });
    console
        .result(format!("a dry run: {what}"), &json)
        .context("cannot print the result")?;
    Ok(outcome)
}

/// How a run of Duplicity ended.
#[derive(Debug)]
pub struct Ended {
    /// As Duplicity says it. It is 0 also if puts were degraded.
    pub status: ExitStatus,
    /// Whether somebody asked it to stop.
    pub stopped: bool,
    /// Whether what was there could not be decrypted with the passphrase.
    pub undecrypted: bool,
    /// What it came to.
    pub tally: Tally,
    /// How long it took.
    pub took: Duration,
}

/// Runs Duplicity on a store, to its end, for objects to be put there or had from it. Its log is read,
/// and we do the talking, unless it was asked to. Where nothing is known `of` it, its output comes
/// through as it is.
pub fn run(
    console: Console,
    duplicity: &Duplicity,
    environment: &Environment,
    target: &Target,
    of: Option<Event>,
    arguments: &[OsString],
) -> anyhow::Result<Ended> {
    let program = env::current_exe().context("cannot find the program's own file")?;
    let talks = of.is_none() || is_to_talk(console, arguments);
    let session = Session {
        duplicity,
        environment,
        store: &target.spec,
        program: &program,
        output: match (talks, console.json) {
            (false, _) => Output::Nowhere,
            (true, false) => Output::Out,
            (true, true) => Output::Err,
        },
        log: of.is_some(),
    };
    // What is less than this is not in the log, either; warnings we must have.
    let verbosity = if !talks {
        Some("--verbosity=info")
    } else if of.is_some() && options::hides_warnings(arguments) {
        Some("--verbosity=warning")
    } else {
        None
    };
    let verbosity = verbosity.map(OsStr::new);
    let words = arguments.iter().map(OsString::as_os_str);

    // Heard from here on.
    let (handle, signals) = listen()?;
    let running = session
        .start(words.chain(verbosity))
        .context("cannot start Duplicity")?;
    let folder = running.runtime().path().display();
    if running.runtime().in_memory() {
        console.detail(format!("pipes are in {folder}, in memory"));
    } else {
        console.detail(format!(
            "no folder in memory was found: pipes are in {folder}"
        ));
    }
    let mut end = End::of(&running);
    let ticks = if console.shows_progress() && !talks {
        tick(REDRAW)
    } else {
        never()
    };
    let mut tally = Tally::new(target, of);
    let (mut drawn, mut stopped) = (false, false);
    let clear = |drawn: &mut bool| {
        if std::mem::take(drawn) {
            redraw("");
        }
    };
    loop {
        select! {
            recv(running.news()) -> news => match news {
                Ok(News::Report(report)) => tally.report(target, report),
                Ok(News::Record(record)) => {
                    tally.record(&record);
                    if record.gives_up() {
                        end.expect();
                    }
                    if !talks && is_told(console, &record) {
                        clear(&mut drawn);
                        tell(console, &record);
                    }
                }
                Err(_) => break, // it has ended
            },
            recv(signals) -> signal => match signal {
                Ok(Caught { signal: SIGUSR1, .. }) => answer(&tally.line()),
                Ok(Caught { signal, to_us }) => {
                    stopped = true;
                    // An interrupt at a terminal reaches Duplicity by itself.
                    if let Some(signal) = Signal::from_named_raw(signal)
                        && (to_us || signal != Signal::INT)
                    {
                        end.send(signal);
                    }
                    end.expect();
                }
                Err(_) => {}
            },
            recv(end.overdue) -> _ => end.insist(),
            // Not before there is something, since it may be asking for a passphrase.
            recv(ticks) -> _ => if tally.has_begun() {
                redraw(&tally.line());
                drawn = true;
            },
        }
    }
    clear(&mut drawn);
    handle.close();
    let status = running.wait().context("cannot tell how Duplicity ended")?;
    Ok(Ended {
        status,
        stopped,
        undecrypted: tally.gnupg_failed() && passphrase::is_all(arguments),
        took: tally.elapsed(),
        tally,
    })
}

/// How a run of Duplicity ended that did not give what was asked for.
#[derive(Debug, thiserror::Error)]
pub enum Unwell {
    /// By somebody.
    #[error("Duplicity was stopped")]
    Stopped,
    /// By itself.
    #[error("Duplicity failed with exit code {code}")]
    Failed {
        /// Its own.
        code: i32,
    },
    /// By itself, since it was killed before.
    #[error(
        "Duplicity's archive is as a run of it left that was killed, and it cannot go on from there"
    )]
    TornArchive,
    /// By itself, since `GnuPG` failed.
    #[error("GnuPG cannot decrypt what was backed up before: the passphrase is another one")]
    WrongPassphrase,
    /// Well, as it has it, though `GnuPG` failed.
    #[error(
        "GnuPG cannot decrypt what was backed up before: the passphrase is another one, and {} is \
         encrypted by that",
        written.join(", ")
    )]
    TwoPassphrases {
        /// Backups that were written.
        written: Vec<String>,
    },
    /// By the system, or somebody.
    #[error("Duplicity was ended by signal {signal}")]
    Killed {
        /// Which.
        signal: i32,
    },
    /// A backup of nothing.
    #[error("Duplicity ended well, and stored nothing")]
    StoredNothing,
    /// A restore of less than all.
    #[error(
        "Duplicity left {} out, and says which above; the rest is in {kept}", count(*files, "file")
    )]
    LeftOut {
        /// How many files.
        files: usize,
        /// Where the others are.
        kept: String,
    },
    /// A restore of a backup that was killed.
    #[error("the backup {backup} did not end, and what there is of it is in {kept}")]
    Unfinished {
        /// Its time, as Duplicity has it.
        backup: String,
        /// Where what there is of it is.
        kept: String,
    },
}

catalogue! {
    Unwell {
        Self::Stopped => "duplicity-stopped":
            "What was asked for is not complete. What was backed up before is as it was, unless the command was to remove some of it."
            "Run the same command again: a backup goes on where Duplicity can, and a restore begins anew.";
        Self::Failed { .. } => "duplicity-failed":
            "What was asked for is not complete. What was backed up before is as it was, unless the command was to remove some of it."
            "Mend what Duplicity says above (-v tells more), and run the same command again.";
        Self::TornArchive => "archive-torn":
            "What was asked for is not complete. What was backed up before is as it was: the hosts have all that the archive has."
            "Remove this backup's folder in Duplicity's archive (in ~/.cache/duplicity, or where --archive-dir says), and run the same command again: Duplicity makes it anew from the hosts.";
        Self::WrongPassphrase => "passphrase-wrong":
            "What was asked for is not complete. What was backed up before is as it was."
            "Set PASSPHRASE as it was for the first backup (in the environment, or where distdup.toml says), and run the same command again. If GnuPG says above that data is damaged: distdup heal HOSTS";
        Self::TwoPassphrases { .. } => "passphrase-other":
            "A backup was written that needs another passphrase than those before it: neither alone restores it. What was backed up before can be restored by its own, with -- --time TIME."
            "Set PASSPHRASE as it was before, and make a full backup: distdup backup SRC -- full. Once that is there, what was written now goes, with the other increments before it, by distdup duplicity -o HOST... remove-all-inc-of-but-n-full 1 --force";
        Self::Killed { .. } => "duplicity-killed":
            "What was asked for is not complete. What was backed up before is as it was, unless the command was to remove some of it."
            "See who or what ended it (memory, perhaps: dmesg), and run the same command again.";
        Self::StoredNothing => "duplicity-stored-nothing":
            "There is no backup."
            "Look whether another Duplicity was meant, or other options after --; -v tells more.";
        Self::LeftOut { .. } => "restored-in-part":
            "What could be put together is in the folder that is named; some files are not."
            "See which files Duplicity names and what the hosts lack (distdup status HOSTS); with -- --time an older backup may have them whole.";
        Self::Unfinished { .. } => "restored-unfinished":
            "By its archive Duplicity knows of a backup that was stopped midway, and restored what there is of it."
            "Remove what is named first, DEST.partial. Back up again, which goes on where it can, and restore then; or restore what was before it: -- --time TIME.";
    }
}

/// Duplicity ends soon when it is told to, or has given up. But 0.8 may then wait for gpg, which waits for
/// somebody to read what it writes: after so long it is ended, and after as long again killed.
const LAST_WORDS: Duration = Duration::from_secs(10);

/// Sees to it that Duplicity ends once that is due.
struct End {
    child: Option<Pid>,
    overdue: Receiver<Instant>,
    last_word: Signal,
}

impl End {
    fn of(running: &Running) -> Self {
        Self {
            child: i32::try_from(running.id()).ok().and_then(Pid::from_raw),
            overdue: never(),
            last_word: Signal::TERM,
        }
    }

    fn send(&self, signal: Signal) {
        if let Some(child) = self.child {
            // It has not been waited for, so that the number is still its own.
            let _ = kill_process(child, signal);
        }
    }

    fn expect(&mut self) {
        self.overdue = after(LAST_WORDS);
    }

    fn insist(&mut self) {
        self.send(self.last_word);
        self.last_word = Signal::KILL;
        self.expect();
    }
}

/// A signal that we were sent.
#[derive(Debug, Clone, Copy)]
struct Caught {
    signal: i32,
    /// By some process, and not by the terminal, which sends it to Duplicity as well.
    to_us: bool,
}

fn listen() -> anyhow::Result<(Handle, Receiver<Caught>)> {
    let mut signals = SignalsInfo::<WithRawSiginfo>::new(stops().chain([SIGUSR1]))
        .context("cannot handle signals")?;
    let (handle, (catch, caught)) = (signals.handle(), unbounded());
    thread::Builder::new()
        .name("signals".into())
        .spawn(move || {
            for about in &mut signals {
                let _ = catch.send(Caught {
                    signal: about.si_signo,
                    to_us: about.si_code <= 0, // those of the kernel's are greater
                });
            }
        })
        .context("cannot start a thread")?;
    Ok((handle, caught))
}

/// Whether Duplicity was asked to do the talking.
fn is_to_talk(console: Console, arguments: &[OsString]) -> bool {
    options::verbosity(arguments).is_some()
        || console.verbosity > Verbosity::Quiet && options::is_dry_run(arguments)
}

/// Its errors Duplicity says itself.
fn is_told(console: Console, record: &Record) -> bool {
    match record.level {
        // Of our own backend's we have the reports.
        Level::Warning => !record.message.starts_with("distdup: "),
        Level::Notice => console.verbosity == Verbosity::Verbose,
        _ => false,
    }
}

fn tell(console: Console, record: &Record) {
    if record.level == Level::Warning {
        warn(format!("Duplicity: {}", record.message.trim()));
    } else {
        console.detail(&record.message);
    }
}

/// Says which hosts were made. Mount points without their disks look as new as those of a first backup.
pub fn note_made(console: Console, target: &Target) {
    if !target.made.is_empty() {
        let hosts = count(target.made.len(), "new host");
        console.note(format!("made {hosts}: {}", target.made.join(", ")));
    }
}

/// Says of hosts that cannot be locked, and warns if a second backup at the same time could get by.
pub fn note_unlocked(console: Console, target: &Target) {
    let unguarded = target.is_unguarded();
    for error in &target.unlocked {
        let text = with_causes(error);
        if unguarded {
            warn(format!(
                "{text}: a second backup at the same time would not be noticed"
            ));
        } else {
            console.detail(text);
        }
    }
}

/// Why there is no store to use, and `what` that means; warns of the hosts that keep it from being used.
pub fn no_store(error: HostsError, what: impl Display + Send + Sync + 'static) -> anyhow::Error {
    if error.is_usage() {
        return Usage::new(error).into();
    }
    error
        .hosts()
        .iter()
        .for_each(|host| warn(with_causes(host)));
    anyhow::Error::from(error).context(what)
}

/// Warns of hosts that are of different stores, where nobody can say which is meant.
pub fn tell_different(target: &Target) {
    if let Some(error) = &target.status.different {
        warn(with_causes(error));
    }
}

/// Warns of objects that lack shares.
pub fn tell_lacking(standing: &Standing) {
    if standing.lacking > 0 {
        warn(format!(
            "{} of {} objects of the backup lack shares",
            standing.lacking, standing.objects
        ));
    }
}

/// Warns of what may have been lost.
pub fn tell_lost(lost: &[Lost]) {
    for object in lost.iter().take(SHOWN) {
        warn(object);
    }
    if let more @ 1.. = lost.len().saturating_sub(SHOWN) {
        warn(format!("and {more} more may have been lost: see --json"));
    }
    if !lost.is_empty() {
        warn("what that means, and what to do: distdup explain object-lost");
    }
}

/// Says what would give each host its shares; `lacks`: some that is up has not all of them. Healing
/// is by the command `heal`.
pub fn advise(target: &Target, heal: &str, lacks: bool) {
    let (named, n) = (target.status.hosts.len(), target.code.geometry().n());
    if named < n {
        return warn(format!(
            "{} of the {n} hosts not named: name all, those that are down as well",
            n - named
        ));
    }
    if lacks {
        warn(format!("to give hosts that are up what they lack: {heal}"));
    }
    let answers = target.status.hosts.iter().enumerate();
    let silent = answers.filter(|(_, (_, answer))| answer.is_err());
    let (in_use, silent): (Vec<_>, Vec<_>) = silent.partition(|(position, (_, answer))| {
        let entries = fs::read_dir(&target.hosts[*position].folder).into_iter();
        let files: Vec<_> = entries
            .flatten()
            .filter_map(|entry| Some(entry.ok()?.file_name()))
            .collect();
        // A host that lost its stamp alone is one again once it is made anew.
        let is_key = |name: &OsString| name.to_str().is_some_and(|name| Key::parse(name).is_some());
        matches!(answer, Err(HostError::NotAHost { .. }))
            && !files.is_empty()
            && !files.iter().any(is_key)
    });
    let shown = |hosts: Vec<(usize, _)>| -> Vec<String> {
        let hosts = hosts.into_iter();
        hosts.map(|(position, _)| target.shown(position)).collect()
    };
    let (in_use, silent) = (shown(in_use), shown(silent));
    if !in_use.is_empty() {
        warn(format!(
            "not empty, and no host, which is not made of it: {}; name the folder that was meant",
            in_use.join(", ")
        ));
    }
    if !silent.is_empty() {
        warn(format!(
            "bring back {}; what is lost for good is made anew by: {heal} --replace-lost",
            silent.join(", ")
        ));
    }
}

impl Ended {
    /// How it ended, if not well.
    pub fn failure(&self) -> Option<Unwell> {
        let written = self.tally.written();
        match (self.status.code(), self.status.signal()) {
            // Duplicity 0.8 takes no notice where its archive has the manifest.
            (Some(0), _) if self.undecrypted && !written.is_empty() => {
                Some(Unwell::TwoPassphrases { written })
            }
            (Some(0), _) => None,
            _ if self.stopped => Some(Unwell::Stopped),
            (Some(_), _) if self.undecrypted && written.is_empty() => Some(Unwell::WrongPassphrase),
            (Some(_), _) if self.undecrypted => Some(Unwell::TwoPassphrases { written }),
            _ if self.tally.archive_is_torn() => Some(Unwell::TornArchive),
            (Some(code), _) => Some(Unwell::Failed { code }),
            (None, signal) => Some(Unwell::Killed {
                signal: signal.unwrap_or_default(),
            }),
        }
    }

    /// Its exit code; of a signal that ended it, as a shell has it.
    pub fn exit_code(&self) -> u8 {
        let signal = self.status.signal().map(|signal| 128 + signal);
        let code = self.status.code().or(signal);
        code.and_then(|code| u8::try_from(code).ok()).unwrap_or(1)
    }
}
