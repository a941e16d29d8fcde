//! `distdup verify`: whether shares are whole.

use std::ffi::OsString;
use std::fmt::Write;
use std::path::Path;

use anyhow::Context;
use clap::Args;
use distdup::agreement::disputed;
use distdup::catalogue::Catalogued;
use distdup::control::Control;
use distdup::decode::{DecodeOptions, try_out};
use distdup::encode::SinkOutcome;
use distdup::format::Common;
use distdup::quote::with_causes;
use distdup::source;
use distdup::verify::{Subset, Verdict, verify_subset};
use distdup_codecs::ShardSet;
use serde_json::{Value, json};

use super::console::Console;
use super::failure::Finding;
use super::size::show_size;
use super::watch::Watch;
use super::{Outcome, Usage, names, report};

/// Read shares to their end and check every byte; each share is checked by itself alone
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub struct Verify {
    /// Shares: paths, fd:N, exec:COMMAND, or - for standard input
    #[arg(value_name = "SHARE", required = true)]
    pub shares: Vec<OsString>,
    /// Read only so much of each share, spread out over it: 10%
    #[arg(long, value_name = "PERCENT", value_parser = parse_percent)]
    subset: Option<u32>,
    /// Hold the shares against each other, too: finds one that was forged with right digests
    #[arg(long, conflicts_with = "subset")]
    parity: bool,
    /// With --subset: which stripes; others each time unless given
    #[arg(long, value_name = "NUMBER", requires = "subset")]
    seed: Option<u64>,
}

/// `10%`, `0.5%`: parts of a million.
fn parse_percent(text: &str) -> Result<u32, String> {
    let number: Option<f64> = text.strip_suffix('%').unwrap_or(text).parse().ok();
    let part = number.filter(|percent| *percent > 0.0 && *percent <= 100.0);
    // Rounded up to a whole number between 1 and a million.
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    part.map(|percent| (percent * 10_000.0).ceil() as u32)
        .ok_or_else(|| "expected a part above 0 % and up to 100 %".into())
}

const AFTER_HELP: &str = "\
Examples:
  distdup verify host2/home.share
  distdup verify host*/home.share     also says what the set can still lose
  distdup verify --subset 5% s*       a sample, other stripes each time: what is rare it may miss

Exits 0 if every share is whole, 3 if some are not and the stream can be restored from the good
ones, 1 otherwise.";

impl Verify {
    pub fn run(self, console: Console) -> anyhow::Result<Outcome> {
        super::zfec::refuse_shares(&self.shares)?;
        let sources = names::sources(&self.shares)?;
        let watch = Watch::start(console, None, "share")?;
        let subset = self.subset()?;
        let verdicts =
            verify_subset(sources, subset, &watch.control).context("stopped by a signal")?;
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
        let disputes = if self.parity {
            self.disputes(&verdicts, &sets, &watch.control)?
        } else {
            Vec::new()
        };
        drop(watch);

        let agree = disputes.is_empty();
        let finding = Finding::NotWhole {
            bad: verdicts.len() - whole,
            all: verdicts.len(),
        };
        let mut json = sets.json(&verdicts, whole == verdicts.len() && agree, restorable);
        if self.parity {
            json["disagree"] = report::sinks_json(&disputes);
        }
        json["seed"] = json!(subset.map(|subset| subset.seed));
        if restorable == Restorable::No && whole < verdicts.len() {
            json["code"] = json!(finding.entry().map(|entry| entry.code));
        }
        let mut text = text(&verdicts, &sets);
        if restorable == Restorable::FromAllTogether {
            text += "\ntogether, damaged ones included, they give the stream back";
        }
        if restorable != Restorable::No && whole < verdicts.len() {
            for command in self.mending(&verdicts, &sets) {
                let _ = write!(text, "\nrepair: {command}");
            }
        }
        for SinkOutcome {
            index,
            name,
            failure,
            ..
        } in &disputes
        {
            let why = failure.as_ref().map(|failure| with_causes(failure));
            let why = why.unwrap_or_default();
            let _ = write!(text, "\nshare {index}, {name}: DISAGREES: {why}");
        }
        if self.parity && agree && sets.suffice() {
            text += "\nthe whole shares agree with one another";
        }
        console
            .result(text, &json)
            .context("cannot print the result")?;
        match verdicts.len() - whole {
            0 => Ok(Outcome::degraded_if(!agree)),
            _ if restorable != Restorable::No => Ok(Outcome::Degraded),
            _ => Err(finding.into()),
        }
    }

    /// What gives each stream all of its shares.
    fn mending(&self, verdicts: &[Verdict], sets: &Sets<'_>) -> Vec<String> {
        let given = || self.shares.iter().zip(verdicts);
        let of_stream = |common: &Common| {
            // What says nothing of itself may be of the only stream there is.
            let is_of_it = |own: &Common| *own == *common;
            let shares = given()
                .filter(|(_, verdict)| {
                    let own = verdict.common.as_deref();
                    own.map_or(sets.0.len() == 1, is_of_it)
                })
                .map(|(name, verdict)| report::Given {
                    name,
                    index: verdict.outcome.index,
                    is_whole: verdict.is_whole(),
                });
            report::mending(common, &shares.collect::<Vec<_>>())
        };
        sets.0
            .iter()
            .filter_map(|(common, _)| of_stream(common))
            .collect()
    }

    /// The whole shares that are not what the others give.
    fn disputes(
        &self,
        verdicts: &[Verdict],
        sets: &Sets<'_>,
        control: &Control,
    ) -> anyhow::Result<Vec<SinkOutcome>> {
        if !self.are_files() {
            return Err(Usage::say(
                "--parity reads shares a second time: give files, and no pipes or commands",
            ));
        }
        let mut disputes = Vec::new();
        for (common, whole) in &sets.0 {
            let open = |index: usize| {
                let is_it = |verdict: &Verdict| {
                    let of_it = verdict.common.as_deref() == Some(*common);
                    of_it && verdict.is_whole() && verdict.outcome.index == Some(index)
                };
                source::parse(&self.shares[verdicts.iter().position(is_it)?]).ok()
            };
            let options = DecodeOptions::default();
            disputes.extend(
                disputed(common, *whole, open, &options, control)
                    .context("the shares do not agree with one another")?,
            );
        }
        Ok(disputes)
    }

    fn subset(&self) -> anyhow::Result<Option<Subset>> {
        let Some(per_million) = self.subset else {
            return Ok(None);
        };
        let seed = match self.seed {
            Some(seed) => seed,
            None => getrandom::u64().context("the system gave no random bytes")?,
        };
        Ok(Some(Subset { per_million, seed }))
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
            share["whole"] = json!(verdict.is_whole() && !verdict.sampled);
            share["sampled"] = json!(verdict.sampled);
            share["length"] = json!(verdict.totals.map(|totals| totals.length));
            share["following_bytes"] = json!(verdict.following);
            share
        };
        // In which nothing was found, read in full or by a sample.
        let indices = |common: &Common, sampled: bool| -> Value {
            let of_them = verdicts.iter().filter(|verdict| {
                let of_it = verdict.common.as_deref() == Some(common);
                of_it && verdict.is_whole() && verdict.sampled == sampled
            });
            let all: ShardSet = of_them.filter_map(|it| it.outcome.index).collect();
            all.iter().collect()
        };
        let stream = |(common, good): &(&Common, ShardSet)| {
            let mut object = report::stream_json(common);
            let lost = common.geometry().shards().difference(*good);
            object.insert("whole".into(), indices(common, false));
            object.insert("sampled".into(), indices(common, true));
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
                let frames = verdict.outcome.frames;
                let _ = if verdict.sampled {
                    let all = totals.stripes;
                    writeln!(
                        text,
                        "{title}: no damage in {frames} of {all} frames; its stream has {length}"
                    )
                } else {
                    writeln!(text, "{title}: whole, of {n}; its stream has {length}")
                };
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
    let by_sample = if verdicts.iter().any(|verdict| verdict.sampled) {
        ", by the sample"
    } else {
        ""
    };
    if verdicts.len() > 1 {
        for (common, good) in &sets.0 {
            let _ = writeln!(
                text,
                "stream {}, {}: {} of {} shares whole{}; {}",
                common.stream(),
                report::code(common),
                good.len(),
                common.geometry().n(),
                by_sample,
                report::survival(common, *good)
            );
        }
    }
    text.truncate(text.trim_end().len());
    text
}
