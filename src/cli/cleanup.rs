//! `distdup cleanup`: what writers that were killed left on hosts, and what was replaced.

use std::ffi::OsString;
use std::time::Duration;

use anyhow::Context;
use clap::Args;
use distdup::control::Control;
use distdup::duplicity::hosts::{HostsError, Target};
use distdup::quote::{quote, with_causes};
use distdup::store::Remains;
use distdup::store::key::Key;
use serde_json::{Value, json};

use super::console::{Console, warn};
use super::session::{self, HostArgs};
use super::settings::{Selection, host_command};
use super::{Outcome, report};

/// Where nobody can tell whether a writer lives, what it began so long ago is left.
const GRACE: Duration = Duration::from_secs(24 * 3600);

/// List, and with --force remove, what killed writers left on the hosts of a backup
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub struct Cleanup {
    /// Hosts: folders; in any order, or once with {i} [default: those set]
    #[arg(value_name = "HOST")]
    pub hosts: Vec<OsString>,
    /// Remove what is listed
    #[arg(long)]
    force: bool,
    /// List shares of what may have been lost, too
    #[arg(long)]
    lost: bool,
    #[command(flatten)]
    args: HostArgs,
}

const AFTER_HELP: &str = "\
Examples:
  distdup cleanup 'backup_test/distdup{i}'
  distdup cleanup disk0 disk1 disk2 --force

Only what no restore can need is listed. Shares that are whole, and too few to restore anything, are
not, but with --lost: the others may be on a disk that comes back. Of volumes of a backup that was
cut short, Duplicity knows more:
  distdup duplicity -o 'backup_test/distdup{i}' cleanup";

/// What is said of whole shares that are too few.
const LOST: &str = "left of what may have been lost";

/// Something that can go.
struct Found {
    host: usize,
    what: &'static str,
    key: String,
    bytes: Option<u64>,
}

impl Cleanup {
    pub fn run(self, console: Console, selection: &Selection) -> anyhow::Result<Outcome> {
        let words = selection.host_words(&self.hosts, |_| None);
        let remove = host_command("cleanup --force", words.as_deref());
        let layout = selection.layout(console, self.hosts)?;
        let (control, _) = Control::new();
        let no_store = |error| session::no_store(error, "nothing was looked at");
        let mut target = layout
            .existing_or_empty(self.args.access(), &control)
            .map_err(no_store)?;
        let age = match target.lock(self.force) {
            Ok(()) if target.is_surely_alone() => Duration::ZERO,
            Ok(()) => GRACE,
            Err(error) if self.force => return Err(no_store(error)),
            Err(error) => {
                note_writer(&error);
                GRACE
            }
        };
        let mut remains = target.store().find_remains(age, &control)?;
        for error in &remains.silent {
            warn(with_causes(error));
        }
        let mut found = listed(&remains);
        if self.lost {
            let of_lost = |(host, key): &(usize, Key)| Found::share(*host, LOST, key);
            found.extend(remains.lost.iter().map(of_lost));
            remains.keys.append(&mut remains.lost);
        } else {
            session::tell_lost(&target.status.lost);
        }
        let failed = if self.force {
            target.store().remove_remains(&remains)
        } else {
            Vec::new()
        };
        for error in &failed {
            warn(with_causes(error));
        }
        let outcome = Outcome::degraded_if(!failed.is_empty() || !remains.silent.is_empty());
        let mut lines: Vec<_> = found.iter().map(|one| one.to_text(&target)).collect();
        let count = report::count(found.len(), "leftover");
        lines.push(match (found.is_empty(), self.force, failed.is_empty()) {
            (true, ..) if !remains.silent.is_empty() => {
                "nothing is left over on the hosts that could be looked at".to_owned()
            }
            (true, ..) => "nothing is left over".to_owned(),
            (_, false, _) => format!("{count}; to remove them: {remove}"),
            (_, true, true) => format!("{count} removed"),
            (_, true, false) => format!("not all of {count} removed"),
        });
        let json = json!({
            "status": outcome.status(),
            "removed": self.force && failed.is_empty(),
            "leftovers": found.iter().map(|one| one.to_json(&target)).collect::<Vec<_>>(),
            "failures": remains.silent.iter().chain(&failed).map(report::host_error_json).collect::<Vec<_>>(),
        });
        console
            .result(lines.join("\n"), &json)
            .context("cannot print the result")?;
        Ok(outcome)
    }
}

fn note_writer(error: &HostsError) {
    warn(format!(
        "{}; what it may be writing is not listed",
        with_causes(error)
    ));
}

fn listed(remains: &Remains) -> Vec<Found> {
    let of = |what| move |(host, key): &(usize, Key)| Found::share(*host, what, key);
    let keys = remains.keys.iter().map(of("replaced, or never completed"));
    let markers = remains.markers.iter();
    let markers = markers.map(of("marker of a deletion that is done"));
    let partials = remains.leftovers.iter().map(|(host, leftover)| Found {
        host: *host,
        what: "half written by a killed writer",
        key: leftover.key.to_string(),
        bytes: Some(leftover.bytes),
    });
    keys.chain(markers).chain(partials).collect()
}

impl Found {
    /// What is whole, and has its key.
    fn share(host: usize, what: &'static str, key: &Key) -> Self {
        Self {
            host,
            what,
            key: key.to_string(),
            bytes: None,
        }
    }

    fn to_text(&self, target: &Target) -> String {
        let bytes = self.bytes.map(|bytes| format!(", {bytes} bytes"));
        let (host, key) = (target.shown(self.host), quote(&self.key));
        format!("{host}: {}{}: {key}", self.what, bytes.unwrap_or_default())
    }

    fn to_json(&self, target: &Target) -> Value {
        json!({
            "host": target.shown(self.host),
            "what": self.what,
            "key": self.key,
            "bytes": self.bytes,
        })
    }
}
