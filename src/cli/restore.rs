//! `distdup restore`: a backup back from the hosts that are left.

use std::ffi::OsString;
use std::path::PathBuf;

use anyhow::{Context, anyhow};
use clap::Args;
use distdup::config::Settings;
use distdup::control::Control;
use distdup::duplicity::low_disk::Needs;
use distdup::duplicity::protocol::Event;
use distdup::duplicity::restore::{self, ACTIONS, Output, RestoreError, layout};
use serde_json::json;

use super::console::{Console, warn};
use super::low_disk::{self, LowDisk};
use super::session::{self, DuplicityArgs, Faults};
use super::settings::{Selection, hosts};
use super::{Outcome, Usage};

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
  distdup restore letter --from disk0 --from disk2 -- --file-to-restore letters/first

What is restored has another name, ending in .partial, until it is whole.";

impl Restore {
    pub fn run(self, console: Console, selection: &Selection) -> anyhow::Result<Outcome> {
        let arguments = Settings {
            hosts: hosts(self.from),
            low_disk: self.low_disk.setting(),
            ..self.duplicity.which.settings()
        };
        let settings = arguments.over(selection.settings(console)?);
        let mut options = self.duplicity.options(console, &settings, ACTIONS);
        let layout = match settings.layout().map_err(Usage::new)? {
            Some(layout) => layout,
            None => layout(&self.target).map_err(Usage::new)?,
        };
        let force = options.iter().any(|option| option == "--force");
        let output = Output::new(&self.target, force).map_err(usage_or_failure)?;
        let duplicity = session::find(console, &settings)?;
        let environment = session::environment(&settings, &options)?;
        let (control, _) = Control::new();
        let target = layout.existing(&control).map_err(|error| {
            session::no_store(
                error,
                "nothing was restored: the backup cannot be had from the hosts that are there",
            )
        })?;

        let needs = |stored: &_, _: &[OsString]| Needs::of_restore(stored);
        let _prepared = low_disk::prepare(console, &settings, &target, &mut options, needs)?;
        let arguments = restore::arguments(&layout, &output, duplicity.version(), &options)?;
        let ended = session::run(console, &duplicity, &environment, &target, &arguments)?;
        let faults = Faults::of(&target, &ended.reports, Some(Event::Get));
        faults.warn();
        if let Some(failure) = session::failure(ended.status) {
            return Err(anyhow!(failure)).context("nothing was restored");
        }
        output.finish()?;

        let outcome = Outcome::degraded_if(!faults.is_empty());
        let bad: Vec<_> = (0..target.hosts.len())
            .filter(|&position| faults.has(position))
            .collect();
        if outcome == Outcome::Degraded {
            let hosts: Vec<_> = bad.iter().map(|&position| target.shown(position)).collect();
            let hosts = hosts.join(", ");
            warn(format!(
                "all was restored, but shares are missing or damaged on {hosts}"
            ));
        }
        let text = format!(
            "{} is restored from {}",
            self.target.display(),
            layout.names().join(" ")
        );
        let json = json!({ "status": outcome.status(), "hosts": faults.to_json(&target, "good") });
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
