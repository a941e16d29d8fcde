//! `distdup heal`: gives hosts what they lack, or have damaged, from what the others have.

use std::collections::BTreeMap;
use std::ffi::OsString;

use anyhow::Context;
use clap::Args;
use distdup::catalogue::said;
use distdup::duplicity::hosts::{Wish, host_of};
use distdup::quote::with_causes;
use distdup::store::{HealReport, StoreError};
use serde_json::{Value, json};

use super::backup::{in_words, losses};
use super::console::{Console, warn};
use super::session::{self, HostArgs};
use super::settings::Selection;
use super::tally::{self, Faults};
use super::watch::Watch;
use super::{Outcome, report};

/// Give the hosts of a backup what they lack or have damaged, from what the others have
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub struct Heal {
    /// Hosts: folders; in any order, or once with {i} [default: those set]
    #[arg(value_name = "HOST")]
    pub hosts: Vec<OsString>,
    /// Make hosts that are lost for good anew, and fill them
    #[arg(long)]
    replace_lost: bool,
    #[command(flatten)]
    args: HostArgs,
}

const AFTER_HELP: &str = "\
Examples:
  distdup heal 'backup_test/distdup{i}'
  distdup heal disk0 disk1 disk2 --replace-lost

Every share is read through, and what is written is read back before it counts. Nothing is written
but to the hosts.";

/// What was done for a host.
#[derive(Debug, Default)]
struct Tally {
    written: usize,
    damaged: usize,
    failed: Faults,
}

impl Heal {
    pub fn run(self, console: Console, selection: &Selection) -> anyhow::Result<Outcome> {
        let layout = selection.layout(console, self.hosts)?;
        let watch = Watch::start(console, None, "shares")?;
        let control = watch.control.clone();
        let no_store = |error| session::no_store(error, "nothing was healed");
        let access = self.args.access();
        // There is one: none is made here, but for hosts that it lacks.
        drop(layout.existing(access, &control).map_err(no_store)?);
        let wish = Wish {
            replace: self.replace_lost,
            access,
            ..Wish::default()
        };
        let target = layout.existing_or_new(&wish, &control).map_err(no_store)?;
        for host in &target.made {
            console.detail(format!("made host {host}"));
        }
        session::note_unlocked(console, &target);

        let mut tallies: BTreeMap<usize, Tally> = BTreeMap::new();
        let mut hopeless = 0;
        let healed = target.store().heal_all(&control, |_, result| match result {
            Ok(report) => count(&mut tallies, report),
            Err(error) => {
                hopeless += 1;
                warn(with_causes(error));
                if let StoreError::Heal { hosts, .. } = error {
                    for host in hosts {
                        warn(with_causes(host));
                    }
                }
            }
        });
        drop(watch);
        let healed = healed.context("not all was healed")?;
        for error in &healed.failed {
            warn(with_causes(error));
            if let Some(position) = target.position(host_of(error)) {
                let failed = &mut tallies.entry(position).or_default().failed;
                failed.entry(said(error)).or_insert(0); // of no object
            }
        }
        let standing = target
            .standing(&control)
            .map_err(|error| session::no_store(error, "it was healed, and cannot be had now"))?;
        let geometry = target.code.geometry();
        let n = geometry.n();
        let is_whole = healed.complete.len() == n
            && hopeless == 0
            && standing.lacking == 0
            && standing.lost.is_empty();
        let outcome = Outcome::degraded_if(!is_whole);
        let mut lines = vec![format!(
            "{} looked through",
            report::count(standing.objects, "object")
        )];
        let mut hosts = Vec::new();
        for position in 0..target.hosts.len() {
            let tally = tallies.remove(&position).unwrap_or_default();
            let shown = target.shown(position);
            let of_objects = tally.failed.iter().filter(|(_, count)| **count > 0);
            for ((failure, _), count) in of_objects {
                warn(format!("{shown}: {failure} ({count} objects)"));
            }
            if tally.written > 0 {
                let written = report::count(tally.written, "share");
                lines.push(format!(
                    "  {shown}: {written} written and read back, {} of them in place of damaged ones",
                    tally.damaged
                ));
            }
            hosts.push(tally.to_json(&shown, healed.complete.contains(&position)));
        }
        session::tell_lost(&standing.lost);
        if healed.complete.len() == n && hopeless == 0 {
            session::tell_lacking(&standing);
        }
        let losses = losses(&*target.code, &standing);
        lines.push(in_words(losses, &standing, n));
        let json = json!({
            "status": outcome.status(),
            "objects": standing.objects,
            "not_healed": hopeless,
            "lacking_shares": standing.lacking,
            "lost": report::lost_json(&standing.lost),
            "hosts": hosts,
            "may_be_lost": losses,
        });
        console
            .result(lines.join("\n"), &json)
            .context("cannot print the result")?;
        Ok(outcome)
    }
}

fn count(tallies: &mut BTreeMap<usize, Tally>, report: &HealReport) {
    for host in &report.written {
        let tally = tallies.entry(*host).or_default();
        tally.written += 1;
        tally.damaged += usize::from(report.damaged.contains(host));
    }
    for (host, failure) in &report.failed {
        let failed = &mut tallies.entry(*host).or_default().failed;
        *failed.entry(said(failure)).or_default() += 1;
    }
}

impl Tally {
    fn to_json(&self, name: &str, complete: bool) -> Value {
        let mut object = json!({
            "name": name,
            "complete": complete,
            "written": self.written,
            "damaged": self.damaged,
        });
        tally::add_fault(&mut object, &self.failed);
        object
    }
}

#[cfg(test)]
mod tests {
    use distdup::store::HostFailure;

    use super::*;

    #[test]
    fn what_could_not_be_written_took_no_damaged_ones_place() {
        let report = HealReport {
            damaged: vec![0, 1],
            written: vec![0, 2],
            failed: vec![(1, HostFailure::ReadBack)],
            whole: vec![0, 2],
        };
        let mut tallies = BTreeMap::new();
        count(&mut tallies, &report);
        let counted = |host| (tallies[&host].written, tallies[&host].damaged);
        assert_eq!([0, 1, 2].map(counted), [(1, 1), (0, 0), (1, 0)]);
    }
}
