//! `distdup resident`: what Duplicity's backend starts. Not for people.

use std::fs;
use std::io::{self, BufReader};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use anyhow::Context;
use clap::Args;
use distdup::duplicity::hosts::StoreSpec;
use distdup::duplicity::protocol::REPORT;
use distdup::duplicity::resident::{self, Reporter, Resident as Server};
use distdup::store::Store;
use signal_hook::consts::SIGINT;

use super::Outcome;

/// Serve Duplicity's backend: requests on standard input, answers on standard output
#[derive(Debug, Args)]
#[command(hide = true, after_help = "Example: see src/duplicity/protocol.rs")]
pub struct Resident {
    /// What to open the store with
    #[arg(value_name = "FILE")]
    store: PathBuf,
}

impl Resident {
    pub fn run(self) -> anyhow::Result<Outcome> {
        // A terminal's interrupt reaches all processes; Duplicity ends, and then our requests do.
        signal_hook::flag::register(SIGINT, Arc::new(AtomicBool::new(false)))?;
        let store = match open(&self.store) {
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
