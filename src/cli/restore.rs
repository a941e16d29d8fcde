//! `distdup restore`: a backup back from the hosts that are left.

use std::ffi::OsString;
use std::path::PathBuf;

use anyhow::{Context, anyhow};
use clap::Args;
use distdup::control::Control;
use distdup::duplicity::passphrase;
use distdup::duplicity::protocol::Event;
use distdup::duplicity::restore::{Output, RestoreError, arguments, layout};
use serde_json::json;

use super::console::{Console, warn};
use super::session::{self, DuplicityArgs, Faults};
use super::{Outcome, Usage};

/// Restore what Duplicity backed up, from enough of the hosts
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
#[allow(clippy::doc_markdown)] // Help texts, not documentation.
pub struct Restore {
    /// Where it goes: of restore_NAME/, the backup is backup_NAME/
    #[arg(value_name = "DEST")]
    target: PathBuf,
    /// Hosts: folders; in any order, or once with {i} [default: backup_NAME/distdup{i}]
    #[arg(long, value_name = "HOST")]
    from: Vec<OsString>,
    #[command(flatten)]
    duplicity: DuplicityArgs,
}

const AFTER_HELP: &str = "\
Examples:
  PASSPHRASE=... distdup restore restore_test/
  distdup restore old/ --from '/mnt/disk{i}/home' -- --time 3D
  distdup restore letter --from disk0 --from disk2 -- --file-to-restore letters/first

What is restored has another name, ending in .partial, until it is whole.";

impl Restore {
    pub fn run(self, console: Console) -> anyhow::Result<Outcome> {
        let force = self
            .duplicity
            .options
            .iter()
            .any(|option| option == "--force");
        let layout = layout(&self.target, self.from).map_err(Usage::new)?;
        let output = Output::new(&self.target, force).map_err(usage_or_failure)?;
        passphrase::check(&self.duplicity.options).map_err(Usage::new)?;
        let duplicity = self.duplicity.which.find(console)?;
        let (control, _) = Control::new();
        let target = layout.existing(&control).map_err(|error| {
            session::no_store(
                error,
                "nothing was restored: the backup cannot be had from the hosts that are there",
            )
        })?;

        let options = self.duplicity.options(console);
        let arguments = arguments(&layout, &output, duplicity.version(), &options)?;
        let ended = session::run(console, &duplicity, &target, &arguments)?;
        let faults = Faults::of(&target, &ended.reports, Some(Event::Get));
        faults.warn();
        if let Some(failure) = session::failure(ended.status) {
            return Err(anyhow!(failure)).context("nothing was restored");
        }
        output.finish()?;

        let outcome = Outcome::degraded_if(!faults.is_empty());
        let bad: Vec<_> = (0..target.folders.len())
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
