//! `--low-disk`, of the commands that run Duplicity.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::Args;
use distdup::config::{Setting, Settings};
use distdup::control::Control;
use distdup::duplicity::hosts::Target;
use distdup::duplicity::low_disk::{Needs, Plan, Prepared, Temporary};
use distdup::duplicity::stored::Stored;

use super::console::{Console, warn};
use super::{Usage, session};

/// Whether a disk has to be spared.
#[derive(Debug, Args)]
pub struct LowDisk {
    /// Duplicity's temporary files in memory, or in DIR, with volumes as large as fit there
    #[arg(long, value_name = "DIR", num_args = 0..=1, require_equals = true)]
    #[allow(clippy::option_option)] // Not said, said, said where.
    low_disk: Option<Option<PathBuf>>,
}

impl LowDisk {
    /// As a setting.
    pub fn setting(self) -> Option<Setting<Temporary>> {
        let place = |folder: Option<PathBuf>| folder.map_or(Temporary::InMemory, Temporary::In);
        self.low_disk.map(|folder| Setting::argument(place(folder)))
    }
}

/// If it has to be, plans the run, says how it goes, and makes what it needs; adds to Duplicity's
/// options.
pub fn prepare(
    console: Console,
    settings: &Settings,
    target: &Target,
    options: &mut Vec<OsString>,
    needs: impl FnOnce(&Stored, &[OsString]) -> Needs,
) -> anyhow::Result<Option<Prepared>> {
    let folder = match settings.low_disk.as_ref().map(|setting| &setting.value) {
        None | Some(Temporary::Usual) => return Ok(None),
        Some(Temporary::InMemory) => None,
        Some(Temporary::In(folder)) => Some(folder.as_path()),
    };
    let (control, _) = Control::new();
    let stored = target
        .spec
        .open()
        .and_then(|store| Ok(Stored::of(&store, &control)?))
        .map_err(|error| session::no_store(error, "cannot tell how much room is needed"))?;
    let plan = Plan::new(folder, &needs(&stored, options), options).map_err(Usage::new)?;
    console.note(format!("low disk: {plan}"));
    plan.warnings().iter().for_each(warn);
    let prepared = plan.prepare()?;
    options.extend(prepared.options().iter().cloned());
    Ok(Some(prepared))
}
