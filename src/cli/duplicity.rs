//! `distdup duplicity`: any command of Duplicity's, on the hosts of a backup.

use std::env;
use std::ffi::OsString;

use anyhow::Context;
use clap::Args;
use distdup::config::{Setting, Settings};
use distdup::control::Control;
use distdup::duplicity::command::Command;
use distdup::duplicity::hosts::Access;
use distdup::duplicity::install::{self, Change, Installed};
use distdup::duplicity::runtime::Runtime;
use distdup::quote::quote_path;
use serde_json::json;

use super::console::{Console, warn};
use super::report;
use super::session::{self, Which};
use super::settings::{Selection, hosts};
use super::{Exit, Outcome, Usage};

/// Run any command of Duplicity's on the hosts of a backup
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP, override_usage = "distdup duplicity {-o HOST... | -P NAME} COMMAND [ARGUMENT...]\n       distdup duplicity {--install-backend | --remove-backend}")]
#[allow(clippy::doc_markdown)] // Help texts, not documentation.
pub struct Duplicity {
    /// Hosts: folders; in any order, or once with {i} [default: those set]
    #[arg(
        short = 'o',
        long = "from",
        visible_alias = "output",
        value_name = "HOST"
    )]
    pub hosts: Vec<OsString>,
    /// Of hosts that have nothing yet: how many are to suffice [default: 2 of 3]
    #[arg(short, value_name = "K")]
    k: Option<usize>,
    /// Of hosts that have nothing yet: how many there are to be [default: 3, or as many as named]
    #[arg(short, value_name = "N")]
    n: Option<usize>,
    #[command(flatten)]
    which: Which,
    /// Let plain `duplicity ... distdup://PROFILE` work, by a file among Duplicity's backends
    #[arg(long, conflicts_with_all = ["words", "hosts"])]
    install_backend: bool,
    /// Take that file away
    #[arg(long, conflicts_with_all = ["words", "hosts"])]
    remove_backend: bool,
    /// Duplicity's command and its arguments, without the URL, or with distdup:// in its place
    #[arg(
        value_name = "COMMAND",
        trailing_var_arg = true,
        required_unless_present_any = ["install_backend", "remove_backend"]
    )]
    words: Vec<OsString>,
}

const AFTER_HELP: &str = "\
Examples:
  distdup duplicity -o 'backup_test/distdup{i}' collection-status
  distdup duplicity -P home remove-older-than 6M --force
  distdup duplicity -o 'backup_test/distdup{i}' verify test/
  distdup duplicity -o 'backup_test/distdup{i}' replicate distdup:// file:///mnt/copy

From COMMAND on, all is Duplicity's; options before it are ours. The hosts' URL is filled in where
the command takes it. Of a command that distdup does not know it is so only where distdup:// stands.
Output and exit code are Duplicity's. If that is 0, but hosts were missing or faulty, or something
may have been lost, or was not deleted, it is 3.";

impl Duplicity {
    pub fn run(self, console: Console, selection: &Selection) -> anyhow::Result<Exit> {
        if self.install_backend || self.remove_backend {
            return self.change_backend(console, selection);
        }
        let command = Command::new(self.words).map_err(Usage::new)?;
        let arguments = Settings {
            hosts: hosts(self.hosts),
            k: self.k.map(Setting::argument),
            n: self.n.map(Setting::argument),
            ..self.which.settings()
        };
        let settings = arguments.over(selection.settings(console)?);
        let layout = settings
            .layout()
            .map_err(Usage::new)?
            .ok_or_else(no_hosts)?;
        let options = settings.options_for(command.name().unwrap_or_default());
        let command = command.with_options(options);
        let duplicity = session::find(console, &settings)?;
        let environment = settings.environment()?;
        let (control, _) = Control::new();
        let dry_run = command.makes() && command.is_dry_run();
        let scratch = dry_run.then(Runtime::create).transpose();
        let scratch = scratch.context("cannot make a folder for a dry run")?;
        let target = if let Some(scratch) = &scratch {
            layout.to_try(&settings.wish(), scratch.path(), &control)
        } else if command.makes() {
            layout.existing_or_new(&settings.wish(), &control)
        } else {
            let target = layout.existing(Access::default(), &control);
            target.and_then(|mut target| {
                if command.changes() {
                    target.claim(&control)?;
                }
                Ok(target)
            })
        };
        let target =
            target.map_err(|error| session::no_store(error, "Duplicity was not started"))?;
        if command.changes() {
            session::note_unlocked(console, &target);
        }
        if !dry_run {
            session::note_made(console, &target);
        }
        let lost = &target.status.lost;
        session::tell_different(&target);
        session::tell_lost(lost);
        let is_whole = lost.is_empty() && target.status.different.is_none();
        let arguments = command.arguments(&layout.url()?);
        let ended = session::run(console, &duplicity, &environment, &target, None, &arguments)?;
        ended.tally.warn(&target);

        let code = ended.exit_code();
        let (exit, status) = match code {
            0 => {
                let is_good = ended.tally.is_good() && is_whole;
                let outcome = Outcome::degraded_if(!is_good);
                (Exit::Ended(outcome), outcome.status())
            }
            code => (Exit::As(code), "failed"),
        };
        if exit == Exit::Ended(Outcome::Degraded) && !ended.tally.is_good() {
            warn("Duplicity ended well, but not all hosts did their part");
        }
        if console.json {
            let json = json!({
                "status": status,
                "exit_code": code,
                "code": ended.failure().as_ref().and_then(report::code_of),
                "lost": report::lost_json(lost),
                "undeleted": ended.tally.undeleted(),
                "hosts": ended.tally.hosts_json(&target, "good"),
            });
            console
                .result("", &json)
                .context("cannot print the result")?;
        }
        Ok(exit)
    }

    /// Installs our backend into Duplicity, or removes it.
    fn change_backend(&self, console: Console, selection: &Selection) -> anyhow::Result<Exit> {
        let settings = self.which.settings().over(selection.settings(console)?);
        let duplicity = session::find(console, &settings)?;
        let Installed { path, change } = if self.install_backend {
            let program = env::current_exe().context("cannot find the program's own file")?;
            install::install(&duplicity, &program)?
        } else {
            install::remove(&duplicity)?
        };
        let (status, words) = match change {
            Change::Installed => ("installed", "is installed"),
            Change::Replaced => ("replaced", "was another version's, and is replaced"),
            Change::Removed => ("removed", "is removed"),
            Change::Nothing if self.install_backend => ("unchanged", "is installed already"),
            Change::Nothing => ("unchanged", "is not there"),
        };
        let version = &duplicity.version().text;
        let text = format!("{}, of Duplicity {version}, {words}", quote_path(&path));
        let json = json!({
            "status": status,
            "file": path.to_string_lossy(),
            "duplicity": version,
        });
        console
            .result(text, &json)
            .context("cannot print the result")?;
        Ok(Exit::Ended(Outcome::Done))
    }
}

fn no_hosts() -> anyhow::Error {
    Usage::say(
        "which hosts? give them with -o, or choose a profile of distdup.toml that has some (-P)",
    )
}
