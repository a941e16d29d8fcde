//! `distdup status`: what each host of a backup has and lacks, and what may be lost.

use std::ffi::OsString;
use std::fmt::Write;

use anyhow::Context;
use clap::Args;
use distdup::catalogue::said;
use distdup::control::Control;
use distdup::duplicity::hosts::Standing;
use distdup::quote::{quote, with_causes};
use distdup::store::Holdings;
use serde_json::{Value, json};

use super::backup::{in_words, losses};
use super::console::{Console, warn};
use super::session::{self, HostArgs};
use super::settings::{Selection, host_command};
use super::tally::SHOWN;
use super::{Outcome, report};

/// Say what each host of a backup has and lacks, and what may be lost
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub struct Status {
    /// Hosts: folders; in any order, or once with {i} [default: those set]
    #[arg(value_name = "HOST")]
    pub hosts: Vec<OsString>,
    #[command(flatten)]
    args: HostArgs,
}

const AFTER_HELP: &str = "\
Examples:
  distdup status 'backup_test/distdup{i}'
  distdup --json status disk0 disk1 disk2

It goes by names: whether shares are good, `distdup heal` says, which reads them all.";

impl Status {
    pub fn run(self, console: Console, selection: &Selection) -> anyhow::Result<Outcome> {
        let heal = host_command(
            "heal",
            selection.host_words(&self.hosts, |_| None).as_deref(),
        );
        let layout = selection.layout(console, self.hosts)?;
        let (control, _) = Control::new();
        let no_store = |error| session::no_store(error, "nobody can say how the backup stands");
        let mut target = layout
            .existing(self.args.access(), &control)
            .map_err(no_store)?;
        if let Some(error) = target.status.different.take() {
            return Err(no_store(error.into()));
        }
        let status = &target.status;
        let standing = Standing::of(&status.objects, status.lost.clone(), status.may_fall_silent);
        let unreadable = target.unreadable(&control);

        let geometry = target.code.geometry();
        let losses = losses(&*target.code, &standing);
        let words = in_words(losses, &standing, geometry.n());
        let mut text = format!(
            "{} in {} {geometry} shares, of which {} must be written: {words}",
            report::count(standing.objects, "object"),
            target.code.id(),
            target.spec.min_shares(),
        );
        let mut whole = true;
        let mut lacks = false;
        let mut hosts = Vec::new();
        for (position, (_, holdings)) in status.hosts.iter().enumerate() {
            let shown = target.shown(position);
            let (line, about) = match holdings {
                Ok(holdings) => {
                    lacks |= holdings.lacks > 0 || holdings.is_replacement;
                    (told(*holdings, &standing), to_json(&shown, *holdings))
                }
                Err(error) => {
                    whole = false;
                    let (error, code) = said(error);
                    let about = json!({ "name": shown, "error": error, "code": code });
                    (error, about)
                }
            };
            hosts.push(about);
            let _ = write!(text, "\n  {shown}: {line}"); // a String takes everything
        }
        let mut strangers = Vec::new();
        for (host, name) in &status.strangers {
            let Some(position) = target.position(host) else {
                continue;
            };
            let (shown, name) = (target.shown(position), quote(name));
            strangers.push(json!({ "host": shown, "name": name }));
            if strangers.len() <= SHOWN {
                let _ = write!(text, "\n  {shown}: not of distdup, or renamed: {name}");
            }
        }
        if let more @ 1.. = strangers.len().saturating_sub(SHOWN) {
            let _ = write!(
                text,
                "\n  and {more} more that are not of distdup: see --json"
            );
        }
        match unreadable {
            Ok(None) => {}
            Ok(Some((count, error))) => {
                warn(format!(
                    "{} cannot be read: {}",
                    report::count(count, "object"),
                    with_causes(&error)
                ));
            }
            Err(error) => warn(with_causes(&error)),
        }
        session::tell_lost(&standing.lost);
        let outcome = Outcome::degraded_if(
            !whole || lacks || standing.lacking > 0 || !standing.lost.is_empty(),
        );
        if outcome == Outcome::Degraded {
            session::advise(&target, &heal, lacks);
        }
        let json = json!({
            "status": outcome.status(),
            "codec": target.code.id(),
            "k": geometry.k(),
            "n": geometry.n(),
            "min_shares": target.spec.min_shares(),
            "objects": standing.objects,
            "lacking_shares": standing.lacking,
            "lost": report::lost_json(&standing.lost),
            "may_be_lost": losses,
            "hosts": hosts,
            "strangers": strangers,
        });
        console
            .result(text, &json)
            .context("cannot print the result")?;
        Ok(outcome)
    }
}

fn told(holdings: Holdings, standing: &Standing) -> String {
    let Holdings {
        has,
        lacks,
        is_replacement,
    } = holdings;
    let replaced = if is_replacement {
        "; took the place of a lost host, and was not healed since"
    } else {
        ""
    };
    match lacks {
        0 if !standing.lost.is_empty() => format!("has all that is left{replaced}"),
        0 => format!("has all{replaced}"),
        _ => format!("has {has}, lacks {lacks}{replaced}"),
    }
}

fn to_json(name: &str, holdings: Holdings) -> Value {
    json!({
        "name": name,
        "has": holdings.has,
        "lacks": holdings.lacks,
        "is_replacement": holdings.is_replacement,
        "error": null,
        "code": null,
    })
}
