//! `distdup verify`: whether shares are whole.

use std::ffi::OsString;
use std::fmt::Write;
use std::path::Path;

use anyhow::Context;
use clap::Args;
use distdup::catalogue::Catalogued;
use distdup::decode::{DecodeOptions, try_out};
use distdup::format::Common;
use distdup::source;
use distdup::verify::{Verdict, verify};
use distdup_codecs::ShardSet;
use serde_json::{Value, json};

use super::console::Console;
use super::failure::Finding;
use super::size::show_size;
use super::watch::Watch;
use super::{Outcome, names, report};

/// Read shares to their end and check every byte; each share is checked by itself alone
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub struct Verify {
    /// Shares: paths, fd:N, exec:COMMAND, or - for standard input
    #[arg(value_name = "SHARE", required = true)]
    pub shares: Vec<OsString>,
}

const AFTER_HELP: &str = "\
Examples:
  distdup verify host2/home.share
  distdup verify host*/home.share     also says what the set can still lose

Exits 0 if every share is whole, 3 if some are not and the stream can be restored from the good
ones, 1 otherwise.";

impl Verify {
    pub fn run(self, console: Console) -> anyhow::Result<Outcome> {
        let sources = names::sources(&self.shares)?;
        let watch = Watch::start(console, None, "share")?;
        let verdicts = verify(sources, &watch.control).context("stopped by a signal")?;
        let sets = Sets::of(&verdicts);
        let whole = verdicts.iter().filter(|verdict| verdict.is_whole()).count();
        let restorable = if sets.suffice() {
            Restorable::FromWholeShares
        } else if verdicts.len() > 1 && self.are_files() {
            // Shares that are damaged in different places may have every stripe between them.
            let sources = names::sources(&self.shares)?;
            match try_out(sources, &DecodeOptions::default(), &watch.control) {
                Ok(_) => Restorable::FromAllTogether,
                Err(_) => Restorable::No,
            }
        } else {
            Restorable::No
        };
        drop(watch);

        let finding = Finding::NotWhole {
            bad: verdicts.len() - whole,
            all: verdicts.len(),
        };
        let mut json = sets.json(&verdicts, whole == verdicts.len(), restorable);
        if restorable == Restorable::No && whole < verdicts.len() {
            json["code"] = json!(finding.entry().map(|entry| entry.code));
        }
        let mut text = text(&verdicts, &sets);
        if restorable == Restorable::FromAllTogether {
            text += "\ntogether, damaged ones included, they give the stream back";
        }
        if restorable != Restorable::No && whole < verdicts.len() {
            let all = verdicts.iter().map(|verdict| &verdict.outcome.name);
            let bad = verdicts.iter().filter(|verdict| !verdict.is_whole());
            let bad = bad.map(|verdict| &verdict.outcome.name);
            let _ = write!(
                text,
                "\nrepair: {} --force",
                report::command("repair", all, bad)
            );
        }
        console
            .result(text, &json)
            .context("cannot print the result")?;
        match verdicts.len() - whole {
            0 => Ok(Outcome::Done),
            _ if restorable != Restorable::No => Ok(Outcome::Degraded),
            _ => Err(finding.into()),
        }
    }

    /// Whether all of them can be read a second time.
    fn are_files(&self) -> bool {
        let is_file = |name: &OsString| source::is_path(name) && Path::new(name).is_file();
        self.shares.iter().all(is_file)
    }
}

/// What the shares still give.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Restorable {
    FromWholeShares,
    FromAllTogether,
    No,
}

/// The whole shares of each stream.
struct Sets<'a>(Vec<(&'a Common, ShardSet)>);

impl<'a> Sets<'a> {
    fn of(verdicts: &'a [Verdict]) -> Self {
        let mut sets: Vec<(&Common, ShardSet)> = Vec::new();
        for verdict in verdicts {
            let Some(common) = &verdict.common else {
                continue;
            };
            let at = sets
                .iter()
                .position(|(other, _)| *other == &**common)
                .unwrap_or_else(|| {
                    sets.push((common, ShardSet::new()));
                    sets.len() - 1
                });
            if let Some(index) = verdict.outcome.index.filter(|_| verdict.is_whole()) {
                sets[at].1.insert(index);
            }
        }
        Self(sets)
    }

    /// Whether the whole shares of some stream give it back.
    fn suffice(&self) -> bool {
        let suffices = |(common, good): &(&Common, ShardSet)| common.code().is_recoverable(*good);
        self.0.iter().any(suffices)
    }

    fn json(&self, verdicts: &[Verdict], all_whole: bool, restorable: Restorable) -> Value {
        let status = match restorable {
            _ if all_whole => Outcome::Done.status(),
            Restorable::No => "failed",
            _ => Outcome::Degraded.status(),
        };
        let share = |verdict: &Verdict| {
            let mut share = report::source_json(&verdict.outcome);
            share["stream"] = json!(verdict.common.as_ref().map(|it| it.stream().to_string()));
            share["whole"] = json!(verdict.is_whole());
            share["length"] = json!(verdict.totals.map(|totals| totals.length));
            share["following_bytes"] = json!(verdict.following);
            share
        };
        let stream = |(common, good): &(&Common, ShardSet)| {
            let mut object = report::stream_json(common);
            let lost = common.geometry().shards().difference(*good);
            object.insert("whole".into(), good.iter().collect());
            object.insert("missing".into(), lost.iter().collect());
            object.insert(
                "restorable".into(),
                json!(common.code().is_recoverable(*good)),
            );
            Value::from(object)
        };
        json!({
            "status": status,
            "restorable": restorable != Restorable::No,
            "shares": verdicts.iter().map(share).collect::<Value>(),
            "streams": self.0.iter().map(stream).collect::<Value>(),
        })
    }
}

fn text(verdicts: &[Verdict], sets: &Sets<'_>) -> String {
    let mut text = String::new();
    for verdict in verdicts {
        let title = report::title(&verdict.outcome);
        match (&verdict.common, verdict.totals) {
            (Some(common), Some(totals)) if verdict.is_whole() => {
                let n = common.geometry().n();
                let length = show_size(totals.length);
                let _ = writeln!(text, "{title}: whole, of {n}; its stream has {length}");
            }
            _ => {
                let _ = writeln!(text, "{title}: NOT WHOLE");
            }
        }
        let length = verdict.totals.map(|totals| totals.length);
        let faults = match &verdict.common {
            Some(common) => report::faults(&verdict.outcome, common, length),
            None => report::remarks(&verdict.outcome),
        };
        for fault in faults {
            let _ = writeln!(text, "  {fault}");
        }
        if verdict.following > 0 {
            let _ = writeln!(
                text,
                "  {} bytes follow its end, and are ignored",
                verdict.following
            );
        }
    }
    if verdicts.len() > 1 {
        for (common, good) in &sets.0 {
            let _ = writeln!(
                text,
                "stream {}, {}: {} of {} shares whole; {}",
                common.stream(),
                report::code(common),
                good.len(),
                common.geometry().n(),
                report::survival(common, *good)
            );
        }
    }
    text.truncate(text.trim_end().len());
    text
}
