//! `distdup backup`: Duplicity's volumes, to n hosts.

use std::ffi::OsString;
use std::path::PathBuf;

use anyhow::Context;
use clap::Args;
use distdup::config::{Setting, Settings};
use distdup::control::Control;
use distdup::duplicity::backup::{ACTIONS, Plan};
use distdup::duplicity::hosts::{Standing, Target, Wish};
use distdup::duplicity::low_disk::Needs;
use distdup::duplicity::options::is_dry_run;
use distdup::duplicity::protocol::Event;
use distdup::duplicity::runtime::Runtime;
use distdup::quote::{name_for_shell, quote_path};
use distdup::survival;
use distdup_codecs::Code;
use serde_json::{Value, json};

use super::code;
use super::console::{Console, warn};
use super::low_disk::{self, LowDisk};
use super::session::{self, DuplicityArgs, Ended, HostArgs, Unwell};
use super::settings::{Selection, StoreArgs};
use super::{Outcome, Usage, report};

/// Back a folder up with Duplicity, to n hosts of which any n - k may be lost
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
#[allow(clippy::doc_markdown)] // Help texts, not documentation.
pub struct Backup {
    /// What to back up [default: the source that is set]
    #[arg(value_name = "SRC")]
    source: Option<PathBuf>,
    #[command(flatten)]
    store: StoreArgs,
    /// Make hosts that are lost for good anew, empty
    #[arg(long)]
    replace_lost: bool,
    #[command(flatten)]
    hosts: HostArgs,
    #[command(flatten)]
    low_disk: LowDisk,
    #[command(flatten)]
    duplicity: DuplicityArgs,
}

const AFTER_HELP: &str = "\
Examples:
  PASSPHRASE=... distdup backup -k 2 -n 3 test/
  distdup backup /home -o '/mnt/disk{i}/home' -- --exclude '**/.cache' --full-if-older-than 1M
  distdup backup test/ -- --no-encryption
  distdup backup -P home                       all else is in distdup.toml

Duplicity decides what is new since the last backup. It encrypts with GnuPG, by PASSPHRASE from the
environment or the configuration, or asks for it.";

impl Backup {
    /// Its hosts, for a command line.
    pub fn hosts(&self, selection: &Selection) -> Option<String> {
        selection.host_words(&self.store.output, |settings| {
            let set = settings.source.as_ref().map(|source| &source.value);
            let plan = Plan::new(self.source.as_ref().or(set)?, None).ok()?;
            Some(plan.layout)
        })
    }

    pub fn run(self, console: Console, selection: &Selection) -> anyhow::Result<Outcome> {
        let arguments = Settings {
            source: self.source.map(Setting::argument),
            low_disk: self.low_disk.setting(),
            ..self.store.settings().over(self.duplicity.which.settings())
        };
        let settings = arguments.over(selection.settings(console)?);
        let mut options = self.duplicity.options(&settings, ACTIONS);
        let source = settings.source.as_ref().ok_or_else(|| nothing(&settings))?;
        let layout = settings.layout().map_err(Usage::new)?;
        let plan = Plan::new(&source.value, layout).map_err(Usage::new)?;
        let duplicity = session::find(console, &settings)?;
        let wish = Wish {
            replace: self.replace_lost,
            access: self.hosts.access(),
            ..settings.wish()
        };
        // Before a folder is made.
        plan.check_hosts(&plan.layout.examples(&wish))
            .map_err(Usage::new)?;
        let environment = session::environment(&settings, &options)?;
        let (control, _) = Control::new();
        // Its hosts, if there are none yet, go with it.
        let dry_run = is_dry_run(&options);
        let scratch = dry_run.then(Runtime::create).transpose();
        let scratch = scratch.context("cannot make a folder for a dry run")?;
        let target = match &scratch {
            Some(scratch) => plan.layout.to_try(&wish, scratch.path(), &control),
            None => plan.layout.existing_or_new(&wish, &control),
        };
        let target = target.map_err(|error| {
            session::no_store(error, "there are no hosts that could be backed up to")
        })?;
        if wish.equations.is_some() {
            code::warn_of_copies(&*target.code);
        }
        session::note_unlocked(console, &target);
        if !dry_run {
            // A store that was there may have more.
            plan.check_hosts(&target.hosts).map_err(Usage::new)?;
            session::note_made(console, &target);
        }

        let needs =
            |stored: &_, options: &[OsString]| Needs::of_backup(&plan.source, stored, options);
        let _prepared = low_disk::prepare(console, &settings, &target, &mut options, needs)?;
        let first = target.made.len() == target.hosts.len();
        let arguments = plan.arguments(duplicity.version(), &options, first)?;
        let of = Some(Event::Put);
        let ended = session::run(console, &duplicity, &environment, &target, of, &arguments)?;
        ended.tally.warn(&target);
        if let Some(failure) = ended.failure() {
            let what = match failure {
                Unwell::WrongPassphrase | Unwell::TwoPassphrases { .. } => {
                    "this backup does not count"
                }
                _ => {
                    "the backup is not complete; the same command again goes on where Duplicity can"
                }
            };
            return Err(failure).context(what);
        }
        if dry_run {
            let mut what = "nothing was stored".to_owned();
            if first {
                what += "; hosts that are not there would be made: ";
                what += &plan.layout.names().join(" ");
            }
            return session::print_dry_run(console, &what);
        }
        let standing = target.standing(&control).map_err(|error| {
            session::no_store(error, "the backup was made, and cannot be had any more")
        })?;
        if standing.objects == 0 {
            return Err(Unwell::StoredNothing).context("there is no backup");
        }
        let mut words = selection.words();
        if let Some(path) = self.duplicity.which.path() {
            words.extend(["--duplicity".into(), name_for_shell(path)]);
        }
        let restore = plan.restore_command(&words, &self.duplicity.options);
        print(console, &plan, &target, &ended, &standing, &restore)
    }
}

fn nothing(settings: &Settings) -> anyhow::Error {
    let choice = settings.choice.join(", ");
    Usage::say(match choice.as_str() {
        "" => "nothing to back up: give SRC, or set source in a configuration file".into(),
        choice => {
            format!("nothing to back up: give SRC, or choose a profile with -P, of: {choice}")
        }
    })
}

fn print(
    console: Console,
    plan: &Plan,
    target: &Target,
    ended: &Ended,
    standing: &Standing,
    restore: &str,
) -> anyhow::Result<Outcome> {
    let geometry = target.code.geometry();
    let n = geometry.n();
    let tally = &ended.tally;
    let losses = losses(&*target.code, standing);
    // Hosts that took the place of lost ones cannot say what there was before them.
    let unsure = standing.listed + 1 < target.spec.min_shares();
    let outcome = Outcome::degraded_if(
        !tally.is_good()
            || tally.left_out() > 0
            || standing.lacking > 0
            || !standing.lost.is_empty()
            || unsure,
    );
    let lacking = tally.bad_hosts(target);
    if !lacking.is_empty() {
        warn(format!(
            "not all of this backup is on {}: see to it, or, if it is lost for good, make it anew with \
             --replace-lost",
            lacking.join(", ")
        ));
    }
    if let left_out @ 1.. = tally.left_out() {
        warn(format!(
            "Duplicity could not read {}, and says which above: the backup is without",
            report::count(left_out, "file")
        ));
    }
    session::tell_lacking(standing);
    session::tell_lost(&standing.lost);
    if unsure && tally.is_good() {
        warn("a host took the place of a lost one, and cannot tell what there was before it");
    }
    let text = format!(
        "{} is backed up to {}, {} {geometry}: {}.\n{}.\nTo restore it: {restore}",
        quote_path(&plan.source),
        plan.layout.names().join(" "),
        target.code.id(),
        in_words(losses, standing, n),
        tally.sum(ended.took),
    );
    let mut json = json!({
        "status": outcome.status(),
        "codec": target.code.id(),
        "k": geometry.k(),
        "n": n,
        "hosts": tally.hosts_json(target, "complete"),
        "objects": standing.objects,
        "lacking_shares": standing.lacking,
        "lost": report::lost_json(&standing.lost),
        "may_be_lost": losses,
        "restore": restore,
    });
    if let Value::Object(json) = &mut json {
        tally.add_to(json, ended.took);
    }
    console
        .result(text, &json)
        .context("cannot print the result")?;
    Ok(outcome)
}

/// How many more hosts may be lost, whichever they are; `None` if not even those that are lost may.
pub(super) fn losses(code: &dyn Code, standing: &Standing) -> Option<usize> {
    let all = survival::of(code, (0..code.geometry().n()).collect())?;
    // Of a code that not any k shards are enough for, this is the least that can be promised.
    let losses = all.losses.checked_sub(standing.worst?)?;
    // What nobody knows to be there is as good as lost.
    Some(losses.min(standing.listed))
}

pub(super) fn in_words(losses: Option<usize>, standing: &Standing, n: usize) -> String {
    match (losses, standing.worst) {
        (Some(0), _) => "none of the hosts that are left may be lost".into(),
        (Some(losses), Some(0)) => {
            format!("any {losses} of {} may be lost", report::count(n, "host"))
        }
        (Some(losses), _) => format!("any {losses} of the hosts that are left may be lost"),
        (None, _) => "some objects may not be readable as it is".into(),
    }
}
