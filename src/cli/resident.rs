//! `distdup resident`: what Duplicity's backend starts. Not for people.

use std::fs;
use std::io::{self, BufReader};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use anyhow::Context;
use clap::Args;
use distdup::control::Control;
use distdup::duplicity::hosts::StoreSpec;
use distdup::duplicity::protocol::REPORT;
use distdup::duplicity::resident::{self, Reporter, Resident as Server};
use distdup::store::Store;
use signal_hook::consts::SIGINT;

use super::Outcome;
use super::console::Console;
use super::settings::Selection;

/// Serve Duplicity's backend: requests on standard input, answers on standard output
#[derive(Debug, Args)]
#[command(hide = true, after_help = "Example: see src/duplicity/protocol.rs")]
pub struct Resident {
    /// What to open the store with; else a profile says
    #[arg(value_name = "FILE")]
    store: Option<PathBuf>,
}

impl Resident {
    pub fn run(self, selection: &Selection) -> anyhow::Result<Outcome> {
        // A terminal's interrupt reaches all processes; Duplicity ends, and then our requests do.
        signal_hook::flag::register(SIGINT, Arc::new(AtomicBool::new(false)))?;
        let store = match &self.store {
            Some(file) => open(file),
            None => open_profile(selection),
        };
        let store = match store {
            Ok(store) => store,
            Err(error) => {
                resident::refuse(io::stdout(), error.as_ref())?;
                return Err(error);
            }
        };
        let reporter = match std::env::var_os(REPORT) {
            Some(path) => {
                Some(Reporter::connect(Path::new(&path)).context("nobody takes reports")?)
            }
            None => None,
        };
        Server::new(&store, io::stdout(), reporter)
            .serve(BufReader::new(io::stdin()))
            .context("Duplicity's backend is gone, or talks nonsense")?;
        Ok(Outcome::Done)
    }
}

fn open(path: &Path) -> anyhow::Result<Store> {
    let text = fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
    let spec: StoreSpec = serde_json::from_slice(&text)
        .with_context(|| format!("{} describes no store", path.display()))?;
    Ok(spec.open()?)
}

/// The store of a profile; made, if there is none yet.
fn open_profile(selection: &Selection) -> anyhow::Result<Store> {
    let settings = selection.settings(Console::FOR_PROGRAMS)?;
    let layout = settings.layout()?.context("the settings name no hosts")?;
    let target = layout.existing_or_new(&settings.wish(), &Control::new().0)?;
    Ok(target.spec.open()?)
}
