//! `distdup verify`: whether shares are whole.

use std::ffi::OsString;
use std::fmt::Write;
use std::path::Path;

use anyhow::Context;
use clap::Args;
use distdup::agreement::{Agreement, agreement};
use distdup::control::Control;
use distdup::decode::{DecodeError, DecodeOptions, GatherError, try_out};
use distdup::format::Common;
use distdup::quote::with_causes;
use distdup::repair::RepairError;
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
  distdup verify --parity s*          also finds shares that were forged with right digests

Each share is judged by itself, of whichever stream it is and whatever else is missing.
Exits 0 if every share is whole, 3 if some are not and the stream can be restored from the good
ones, 1 otherwise. With --parity, 0 is only for shares that agree: 3 is also for whole shares that
do not, or of whose stream none can be spared to compare.";

impl Verify {
    pub fn run(self, console: Console) -> anyhow::Result<Outcome> {
        if self.parity && !self.are_files() {
            return Err(Usage::say(
                "--parity reads shares a second time: give files, and no pipes or commands",
            ));
        }
        super::zfec::refuse_shares(&self.shares)?;
        let sources = names::sources(&self.shares)?;
        let watch = Watch::start(console, None, "share")?;
        let subset = self.subset()?;
        let verdicts =
            verify_subset(sources, subset, &watch.control).context("stopped by a signal")?;
        let sets = Sets::of(&verdicts);
        let whole = verdicts.iter().filter(|verdict| verdict.is_whole()).count();
        // Nobody is asked how much memory this may take: as much as the shares do.
        let options = sets
            .0
            .iter()
            .fold(DecodeOptions::default(), |options, (common, _)| {
                options.suiting(common, verdicts.len())
            });
        let restorable = if sets.suffice() {
            Restorable::FromWholeShares
        } else if verdicts.len() > 1 && self.are_files() {
            // Shares that are damaged in different places may have every stripe between them.
            let sources = names::sources(&self.shares)?;
            match try_out(sources, &options, &watch.control) {
                Ok(_) => Restorable::FromAllTogether,
                Err(error @ DecodeError::Gather(GatherError::Cancelled)) => {
                    return Err(error).context("stopped by a signal");
                }
                Err(_) => Restorable::No,
            }
        } else {
            Restorable::No
        };
        let held = if self.parity {
            self.hold(&verdicts, &sets, &options, &watch.control)
        } else {
            Vec::new()
        };
        drop(watch);

        let agree = held.iter().all(Parity::is_good);
        let mut json = sets.json(&verdicts, restorable);
        for (at, parity) in held.iter().enumerate() {
            json["streams"][at]["parity"] = parity.json();
            if parity.came.is_err() {
                json["streams"][at]["restorable"] = json!(false);
            }
        }
        if !held.is_empty() && held.iter().all(|parity| parity.came.is_err()) {
            json["restorable"] = json!(false);
        }
        json["seed"] = json!(subset.map(|subset| subset.seed));
        let mut text = text(&verdicts, &sets);
        if restorable == Restorable::FromAllTogether {
            text += "\ntogether, damaged ones included, they give the stream back";
        }
        if restorable != Restorable::No && whole < verdicts.len() {
            for command in self.mending(&verdicts, &sets) {
                let _ = write!(text, "\nrepair: {command}");
            }
        }
        for (parity, (common, _)) in held.iter().zip(&sets.0) {
            let _ = write!(text, "\nstream {}: {}", common.stream(), parity.text());
        }
        let failed = held.into_iter().find_map(|parity| parity.came.err());
        let outcome = match (failed, verdicts.len() - whole) {
            (Some(error), _) => Err(Finding::NotHeld(error)),
            (None, 0) => Ok(Outcome::degraded_if(!agree)),
            (None, _) if restorable != Restorable::No => Ok(Outcome::Degraded),
            (None, bad) => Err(Finding::NotWhole {
                bad,
                all: verdicts.len(),
            }),
        };
        json["status"] = json!(
            outcome
                .as_ref()
                .map_or("failed", |outcome| outcome.status())
        );
        if let Err(finding) = &outcome {
            json["code"] = json!(report::code_of(finding));
        }
        console
            .result(text, &json)
            .context("cannot print the result")?;
        Ok(outcome?)
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

    /// Holds the whole shares of each stream against each other.
    fn hold(
        &self,
        verdicts: &[Verdict],
        sets: &Sets<'_>,
        options: &DecodeOptions,
        control: &Control,
    ) -> Vec<Parity> {
        let hold = |(common, _): &(&Common, ShardSet)| {
            let of_it = |verdict: &Verdict| {
                let is_of_it = verdict.is_whole() && verdict.common.as_deref() == Some(*common);
                verdict.outcome.index.filter(|_| is_of_it)
            };
            let lanes = verdicts.iter().enumerate();
            let (lanes, indices): (Vec<_>, Vec<_>) = lanes
                .filter_map(|(lane, verdict)| Some((lane, of_it(verdict)?)))
                .unzip();
            let open = |place: usize| source::parse(&self.shares[lanes[place]]).ok();
            let came = agreement(common, &indices, open, options, control);
            let title = |lane: &usize| report::title(&verdicts[*lane].outcome);
            Parity {
                shares: lanes.iter().map(title).collect(),
                came,
            }
        };
        sets.0.iter().map(hold).collect()
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

    /// Whether all of them that are there can be read a second time.
    fn are_files(&self) -> bool {
        let is_file = |name: &OsString| {
            let found = Path::new(name).metadata();
            source::is_path(name) && found.map_or(true, |it| it.is_file())
        };
        self.shares.iter().all(is_file)
    }
}

/// What came of holding the whole shares of a stream against each other.
struct Parity {
    /// What each is called.
    shares: Vec<String>,
    came: Result<Option<Agreement>, RepairError>,
}

impl Parity {
    fn is_good(&self) -> bool {
        let is_full = |it: &Option<Agreement>| it.as_ref().is_some_and(Agreement::is_full);
        self.came.as_ref().is_ok_and(is_full)
    }

    fn names(&self, places: &[usize]) -> Vec<&str> {
        places.iter().map(|at| self.shares[*at].as_str()).collect()
    }

    fn text(&self) -> String {
        let found = match &self.came {
            Ok(Some(found)) => found,
            Ok(None) => {
                return "NOT COMPARED: no share to spare; give more whole shares than it takes to \
                        restore it"
                    .into();
            }
            Err(error) => return format!("NOT COMPARED: {}", with_causes(error)),
        };
        if found.is_full() {
            return "the whole shares agree with one another".into();
        }
        let mut text = String::from(
            "the whole shares DISAGREE; those of a set agree, and nothing tells which are true",
        );
        for (number, set) in (1..).zip(&found.sets) {
            let _ = write!(text, "\n  set {number}: {}", self.names(set).join("; "));
        }
        if !found.apart.is_empty() {
            let apart = self.names(&found.apart).join("; ");
            let _ = write!(text, "\n  in no set: {apart}");
        }
        for share in &found.differ {
            let (index, name) = (share.index, &share.name);
            let failure = share.failure.as_ref().map(|failure| with_causes(failure));
            let failure = failure.unwrap_or_default();
            let _ = write!(text, "\n  against set 1: share {index}, {name}: {failure}");
        }
        text
    }

    fn json(&self) -> Value {
        match &self.came {
            Ok(Some(found)) => json!({
                "compared": true,
                "agree": found.is_full(),
                "sets": found.sets.iter().map(|set| json!(self.names(set))).collect::<Value>(),
                "apart": self.names(&found.apart),
                "differ": report::sinks_json(&found.differ),
            }),
            Ok(None) => json!({ "compared": false }),
            Err(error) => json!({
                "compared": false,
                "error": with_causes(error),
                "code": report::code_of(error),
            }),
        }
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

    fn json(&self, verdicts: &[Verdict], restorable: Restorable) -> Value {
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
    if let count @ 2.. = sets.0.len() {
        let _ = writeln!(
            text,
            "these are shares of {count} streams: only those of one belong together"
        );
    }
    text.truncate(text.trim_end().len());
    text
}
