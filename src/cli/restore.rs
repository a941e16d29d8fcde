//! `distdup restore`: a backup back from the hosts that are left.

use std::ffi::OsString;
use std::path::PathBuf;

use anyhow::Context;
use clap::Args;
use distdup::config::Settings;
use distdup::control::Control;
use distdup::duplicity::low_disk::Needs;
use distdup::duplicity::options::is_dry_run;
use distdup::duplicity::protocol::Event;
use distdup::duplicity::restore::{self, ACTIONS, Archive, Output, RestoreError, layout};
use distdup::quote::{quote_path, with_causes};
use serde_json::{Value, json};

use super::console::{Console, warn};
use super::low_disk::{self, LowDisk};
use super::session::{self, DuplicityArgs, HostArgs, Unwell};
use super::settings::{Selection, host_command, hosts};
use super::{Outcome, Usage, report};

/// Restore what Duplicity backed up, from enough of the hosts
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
#[allow(clippy::doc_markdown)] // Help texts, not documentation.
pub struct Restore {
    /// Where it goes: of restore_NAME/, the backup is backup_NAME/, unless hosts are set
    #[arg(value_name = "DEST")]
    target: PathBuf,
    /// Hosts: folders; in any order, or once with {i} [default: those set, or backup_NAME/distdup{i}]
    #[arg(long, value_name = "HOST")]
    from: Vec<OsString>,
    /// Restore the newest that is left, where too few hosts are left to say whether it is the newest
    #[arg(long)]
    allow_stale: bool,
    #[command(flatten)]
    hosts: HostArgs,
    #[command(flatten)]
    low_disk: LowDisk,
    #[command(flatten)]
    duplicity: DuplicityArgs,
}

const AFTER_HELP: &str = "\
Examples:
  PASSPHRASE=... distdup restore restore_test/
  distdup restore -P home restore_home/
  distdup restore old/ --from '/mnt/disk{i}/home' -- --time 3D
  distdup restore letter --from disk0 --from disk2 -- --path-to-restore letters/first

What is restored has another name, ending in .partial, until it is whole.";

impl Restore {
    /// Its hosts, for a command line.
    pub fn hosts(&self, selection: &Selection) -> Option<String> {
        selection.host_words(&self.from, |_| layout(&self.target).ok())
    }

    pub fn run(self, console: Console, selection: &Selection) -> anyhow::Result<Outcome> {
        let heal = host_command("heal", self.hosts(selection).as_deref());
        let arguments = Settings {
            hosts: hosts(self.from),
            low_disk: self.low_disk.setting(),
            ..self.duplicity.which.settings()
        };
        let settings = arguments.over(selection.settings(console)?);
        let mut options = self.duplicity.options(&settings, ACTIONS);
        let layout = match settings.layout().map_err(Usage::new)? {
            Some(layout) => layout,
            None => layout(&self.target).map_err(Usage::new)?,
        };
        let force = options.iter().any(|option| option == "--force");
        let output = Output::new(&self.target, force).map_err(usage_or_failure)?;
        let duplicity = session::find(console, &settings)?;
        let environment = session::environment(&settings, &options)?;
        let (control, _) = Control::new();
        let access = self.hosts.access_to(self.allow_stale);
        let cannot = |error| session::no_store(error, "nothing was restored");
        let target = layout.existing(access, &control).map_err(cannot)?;
        session::tell_different(&target);
        let lost = &target.status.lost;
        session::tell_lost(lost);
        if let Some((count, error)) = target.unreadable(&control).map_err(cannot)? {
            let error = with_causes(&error);
            warn(format!(
                "{count} objects cannot be read; of one of them: {error}"
            ));
        }

        let needs = |stored: &_, _: &[OsString]| Needs::of_restore(stored, self.allow_stale);
        let prepared = low_disk::prepare(console, &settings, &target, &mut options, needs)?;
        // What Duplicity keeps of the backup stays as it is: by what is left now it would throw away
        // what it knows of the rest. With little disk, there is another already.
        let needs_archive = self.allow_stale && prepared.is_none();
        let archive = needs_archive.then(Archive::create).transpose();
        let archive = archive.context("cannot make a folder for Duplicity")?;
        options.extend(archive.iter().flat_map(Archive::options));
        let arguments = restore::arguments(&layout, &output, duplicity.version(), &options)?;
        let of = Some(Event::Get);
        let ended = session::run(console, &duplicity, &environment, &target, of, &arguments)?;
        let tally = &ended.tally;
        tally.warn(&target);
        if let Some(failure) = ended.failure() {
            return Err(failure).context("nothing was restored");
        }
        if is_dry_run(&options) {
            return session::print_dry_run(console, "nothing was restored");
        }
        if let files @ 1.. = tally.left_out() {
            let kept = quote_path(output.keep());
            return Err(Unwell::LeftOut { files, kept }).context("not all was restored");
        }
        if let [backup, ..] = tally.unfinished(&target).as_slice() {
            let (backup, kept) = (backup.clone(), quote_path(output.keep()));
            return Err(Unwell::Unfinished { backup, kept }).context("not all was restored");
        }
        output.finish()?;

        let outcome =
            Outcome::degraded_if(!tally.is_good() || !lost.is_empty() || self.allow_stale);
        if self.allow_stale {
            warn(
                "what was restored may be outdated: a newer backup may be on hosts that are missing",
            );
        }
        if !tally.is_good() {
            let hosts = tally.bad_hosts(&target).join(", ");
            warn(format!(
                "all was restored, but shares are missing or damaged on {hosts}"
            ));
            let silent = target.status.silent().count();
            let lacks = tally.bad_hosts(&target).len() > silent;
            session::advise(&target, &heal, lacks);
        }
        let text = format!(
            "{} is restored from {}.\n{}.",
            quote_path(&self.target),
            layout.names().join(" "),
            tally.sum(ended.took)
        );
        let mut json = json!({
            "status": outcome.status(),
            "lost": report::lost_json(lost),
            "hosts": tally.hosts_json(&target, "good"),
        });
        if let Value::Object(json) = &mut json {
            tally.add_to(json, ended.took);
        }
        console
            .result(text, &json)
            .context("cannot print the result")?;
        Ok(outcome)
    }
}

fn usage_or_failure(error: RestoreError) -> anyhow::Error {
    match error {
        RestoreError::NotEmpty { .. } => Usage::new(error).into(),
        error => error.into(),
    }
}
