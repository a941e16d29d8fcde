//! `distdup resident`: what Duplicity's backend starts. Not for people.

use std::env;
use std::fs::{self, File};
use std::io::{self, BufReader};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use anyhow::Context;
use clap::Args;
use distdup::control::Control;
use distdup::duplicity::hosts::{Access, HostsError, StoreSpec, Wish};
use distdup::duplicity::protocol::{REPORT, SESSION};
use distdup::duplicity::resident::{self, Guard, Reporter, Resident as Server};
use distdup::duplicity::runtime::Runtime;
use distdup::quote::quote_path;
use distdup::store::Store;
use signal_hook::consts::SIGINT;

use super::Outcome;
use super::console::Console;
use super::session;
use super::settings::Selection;

/// Serve Duplicity's backend: requests on standard input, answers on standard output
#[derive(Debug, Args)]
#[command(hide = true, after_help = "Example: see src/duplicity/protocol.rs")]
pub struct Resident {
    /// What to open the store with; else a profile says
    #[arg(value_name = "FILE")]
    store: Option<PathBuf>,
    /// Make no hosts: Duplicity only says what it would do
    #[arg(long, conflicts_with = "store")]
    dry_run: bool,
}

impl Resident {
    pub fn run(self, selection: &Selection) -> anyhow::Result<Outcome> {
        // A terminal's interrupt reaches all processes; Duplicity ends, and then our requests do.
        signal_hook::flag::register(SIGINT, Arc::new(AtomicBool::new(false)))?;
        let opened = match &self.store {
            Some(file) => open(file),
            None => open_profile(selection, self.dry_run),
        };
        let (store, guard) = match opened {
            Ok(opened) => opened,
            Err(error) => {
                resident::refuse(io::stdout(), error.as_ref())?;
                return Err(error);
            }
        };
        let reporter = match env::var_os(REPORT) {
            Some(path) => {
                Some(Reporter::connect(Path::new(&path)).context("nobody takes reports")?)
            }
            None => None,
        };
        Server::new(store, guard, io::stdout(), reporter)
            .serve(BufReader::new(io::stdin()))
            .context("Duplicity's backend is gone, or talks nonsense")?;
        Ok(Outcome::Done)
    }
}

fn open(path: &Path) -> anyhow::Result<(Store, Guard<'static>)> {
    let text = fs::read(path).with_context(|| format!("cannot read {}", quote_path(path)))?;
    let spec: StoreSpec = serde_json::from_slice(&text)
        .with_context(|| format!("{} describes no store", quote_path(path)))?;
    let store = spec.open()?;
    let mut locks = None;
    // Whoever started Duplicity has locked them, and told what cannot be; this is for when both are gone.
    let guard = move |writes| {
        if writes {
            locks.get_or_insert_with(|| spec.lock(false));
        }
        Ok(None)
    };
    Ok((store, Box::new(guard)))
}

/// The store of a profile. If there is none yet, its hosts are made before the first thing is written: a
/// disk that is not mounted leaves a folder that looks as new, and who only reads must not make it a host.
fn open_profile(selection: &Selection, dry_run: bool) -> anyhow::Result<(Store, Guard<'_>)> {
    Runtime::sweep(); // a plain Duplicity does not
    let settings = selection.settings(Console::FOR_PROGRAMS)?;
    let layout = settings.layout()?.context("the settings name no hosts")?;
    let (control, _) = Control::new();
    let session = env::var(SESSION).ok().and_then(|text| text.parse().ok());
    let access = Access {
        session,
        ..Access::default()
    };
    let wish = Wish {
        access,
        ..settings.wish()
    };
    // To read needs no lock, and fewer hosts.
    let (mut target, mut scratch) = match layout.existing(access, &control) {
        Err(HostsError::None { .. } | HostsError::Empty { .. }) => {
            let _alone = alone(selection);
            let scratch = Runtime::create()?;
            let target = layout.to_try(&wish, scratch.path(), &control)?;
            (target, Some(scratch))
        }
        result => (result?, None),
    };
    // Duplicity takes the list for all there is.
    session::tell_different(&target);
    session::tell_lost(&target.status.lost);
    let store = target.spec.open()?;
    let mut told = false;
    let guard = move |writes| {
        let mut store = None;
        if scratch.is_some() && !dry_run {
            let found = if writes {
                let _alone = alone(selection);
                layout.existing_or_new(&wish, &control).map(Some)
            } else {
                // Another process of this Duplicity may have made it.
                match layout.existing(access, &control) {
                    Err(HostsError::None { .. } | HostsError::Empty { .. }) => Ok(None),
                    result => result.map(Some),
                }
            };
            if let Some(found) = found? {
                session::note_made(Console::FOR_PROGRAMS, &found);
                store = Some(found.spec.open()?);
                target = found;
                scratch = None;
            }
        }
        if writes {
            target.lock_late(&wish)?;
            if !std::mem::replace(&mut told, true) {
                session::note_unlocked(Console::FOR_PROGRAMS, &target);
            }
        }
        Ok(store)
    };
    Ok((store, Box::new(guard)))
}

/// Keeps other processes of the same Duplicity, which put at the same time, from making the same hosts.
fn alone(selection: &Selection) -> Option<File> {
    let config = selection.config(Console::FOR_PROGRAMS).ok()??;
    let folder = config.file().parent()?.join(".");
    let folder = File::open(folder).ok()?;
    folder.lock().ok()?;
    Some(folder)
}
