//! `distdup repair`: lost shares from the others.

use std::ffi::OsString;
use std::io;
use std::path::Path;
use std::time::Duration;

use anyhow::Context;
use clap::Args;
use distdup::format::Common;
use distdup::place::Place;
use distdup::quote::quote;
use distdup::repair::{RepairError, RepairOptions, RepairReport, repair};
use distdup::sink::{self, Options, Sink, SinkError, set};
use distdup::source;
use distdup::verify::{Verdict, verify};
use distdup_codecs::ShardSet;
use serde_json::json;

use super::console::{Console, warn};
use super::decode::{Sources, Tuning};
use super::size::{parse_seconds, show_size, show_time};
use super::watch::Watch;
use super::{Outcome, Usage, names, report};

/// Write shares that are missing or damaged, from those that are there
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub struct Repair {
    #[command(flatten)]
    pub sources: Sources,
    /// Give a sink up that takes nothing for so long [default: 60]
    #[arg(long, value_name = "SECONDS", value_parser = parse_seconds)]
    sink_timeout: Option<Duration>,
    #[command(flatten)]
    tuning: Tuning,
    /// Where shares go: once with {i} for the index, or as many as are to be written
    #[arg(short, long = "output", value_name = "DEST", required = true)]
    output: Vec<OsString>,
    /// Replace outputs that exist, such as damaged shares
    #[arg(long)]
    force: bool,
    /// Do not wait until shares are on disk
    #[arg(long)]
    no_sync: bool,
}

const AFTER_HELP: &str = "\
Examples:
  distdup repair s0 s2 s3 s5 -o 's{i}'
  distdup repair host[01345]/home.share -o host2/home.share
  distdup repair s* -o 's{i}' --force     also replaces those that are damaged

Files are verified first. What is written is byte for byte what was there before. Files are read
back before they get their names; pipes and commands cannot be.";

impl Repair {
    pub fn run(self, console: Console) -> anyhow::Result<Outcome> {
        super::zfec::refuse_shares(&self.sources.shares)?;
        let watch = Watch::start(console, None, "share")?;
        let checked = self.check(&watch)?;
        let sources = names::sources(&self.sources.shares)?;
        let mut choice = Choice {
            repair: &self,
            checked: &checked,
            left: Vec::new(),
        };
        let result = repair(
            sources,
            |common, present| choice.sinks(common, present),
            &self.options(),
            &watch.control,
        );
        let Choice { left, .. } = choice;
        let (elapsed, stopped) = (watch.elapsed(), watch.was_stopped());
        drop(watch);
        for Left { index, name, why } in &left {
            warn(format!(
                "{name} is damaged (share {index}), and stays so {why}"
            ));
        }
        match result {
            Ok(done) => print(console, &done, &left, elapsed),
            Err(RepairError::NothingMissing { .. }) if !left.is_empty() => {
                Err(SinkError::Exists).context("nothing was repaired: all that is damaged exists")
            }
            Err(RepairError::NothingMissing { common }) => {
                let mut object = report::stream_json(&common);
                object.insert("status".into(), json!(Outcome::Done.status()));
                object.insert("written".into(), json!([]));
                let n = common.geometry().n();
                console
                    .result(
                        format!("nothing to repair: all {n} shares are there"),
                        &object.into(),
                    )
                    .context("cannot print the result")?;
                Ok(Outcome::Done)
            }
            Err(RepairError::Sinks(error)) if names::are_wrong(&error) => {
                Err(Usage::new(RepairError::Sinks(error)).into())
            }
            Err(error) => {
                if let RepairError::AllFailed { sinks } = &error {
                    report::sinks(console, sinks);
                }
                let what = if stopped {
                    "stopped by a signal"
                } else {
                    "nothing was repaired"
                };
                Err(error).context(what)
            }
        }
    }

    fn options(&self) -> RepairOptions {
        let mut options = RepairOptions::from(self.tuning.apply(self.sources.options()));
        options.sink_timeout = self.sink_timeout.unwrap_or(options.sink_timeout);
        options
    }

    /// What is wrong with those shares that can be read twice.
    fn check(&self, watch: &Watch) -> anyhow::Result<Vec<Checked>> {
        let is_file = |name: &&OsString| source::is_path(name) && Path::new(name).is_file();
        let files: Vec<OsString> = self
            .sources
            .shares
            .iter()
            .filter(is_file)
            .cloned()
            .collect();
        let verdicts =
            verify(names::sources(&files)?, &watch.control).context("stopped by a signal")?;
        Ok(files.into_iter().zip(verdicts).map(Checked::new).collect())
    }
}

/// A share that was verified.
struct Checked {
    name: String,
    place: Place,
    verdict: Verdict,
    /// Whether it is what is left of a share that nobody can tell any more.
    is_remnant: bool,
}

impl Checked {
    fn new((name, verdict): (OsString, Verdict)) -> Self {
        let place = Place::of(Path::new(&name));
        Self {
            name: quote(name.as_encoded_bytes()),
            place,
            is_remnant: verdict.common.is_none() && names::is_remnant(&name),
            verdict,
        }
    }

    /// Which share of the stream it is.
    fn index_in(&self, common: &Common) -> Option<usize> {
        self.verdict
            .common
            .as_ref()
            .filter(|own| ***own == *common)
            .and(self.verdict.outcome.index)
    }
}

/// Chooses what is to be written, once it is known what there is.
struct Choice<'a> {
    repair: &'a Repair,
    checked: &'a [Checked],
    left: Vec<Left>,
}

/// A damaged share that is not replaced.
struct Left {
    index: usize,
    name: String,
    why: &'static str,
}

impl Choice<'_> {
    fn sinks(
        &mut self,
        common: &Common,
        present: ShardSet,
    ) -> io::Result<Vec<(usize, Box<dyn Sink>)>> {
        let n = common.geometry().n();
        let damaged = self.damaged(common);
        let missing = common.geometry().shards().difference(present);
        let mut wanted: Vec<usize> = (0..n)
            .filter(|&i| missing.contains(i) || damaged.contains(i))
            .collect();
        let given = &self.repair.output;
        // As many names as shares to write, or names for all n.
        let outputs: Vec<(usize, OsString)> = if let Ok(all) = set::expand(given, Some(n)) {
            all.into_iter()
                .enumerate()
                .filter(|(i, _)| wanted.contains(i))
                .collect()
        } else {
            if wanted.len() != given.len() {
                wanted.retain(|&i| missing.contains(i));
                let unnamed = damaged.difference(missing);
                self.left.extend(self.in_place(common, unnamed));
            }
            let names = set::expand(given, Some(wanted.len())).map_err(io::Error::other)?;
            wanted.into_iter().zip(names).collect()
        };
        let mut kept = Vec::new();
        for (index, name) in outputs {
            if damaged.contains(index) && !self.repair.force && Path::new(&name).exists() {
                self.left.push(Left {
                    index,
                    name: quote(name.as_encoded_bytes()),
                    why: "without --force",
                });
            } else {
                self.is_safe(common, index, &name)?;
                kept.push((index, name));
            }
        }
        set::distinct(kept.iter().map(|(_, name)| name.as_os_str()), &[])
            .map_err(io::Error::other)?;
        let options = Options {
            force: self.repair.force,
            sync: !self.repair.no_sync,
        };
        let sink = |(index, name): (usize, OsString)| {
            sink::parse(&name, options)
                .map(|sink| (index, sink))
                .map_err(|error| {
                    let error = anyhow::Error::from(error);
                    io::Error::other(
                        error
                            .context(quote(name.as_encoded_bytes()))
                            .into_boxed_dyn_error(),
                    )
                })
        };
        kept.into_iter().map(sink).collect()
    }

    /// Those of `shares` that stay as they are, since no output is named for them.
    fn in_place(&self, common: &Common, shares: ShardSet) -> Vec<Left> {
        let left = |share: &Checked| {
            let index = share.index_in(common)?;
            shares.contains(index).then(|| Left {
                index,
                name: share.name.clone(),
                why: "for want of an output",
            })
        };
        self.checked.iter().filter_map(left).collect()
    }

    /// Shares of which there is one, and none that is whole.
    fn damaged(&self, common: &Common) -> ShardSet {
        let indices = |whole: bool| -> ShardSet {
            self.checked
                .iter()
                .filter(|share| share.verdict.is_whole() == whole)
                .filter_map(|share| share.index_in(common))
                .collect()
        };
        indices(false).difference(indices(true))
    }

    /// Refuses to write over what is being read, but for a damaged share that is replaced by itself.
    fn is_safe(&self, common: &Common, index: usize, output: &OsString) -> io::Result<()> {
        for source in self.checked {
            let own = source.index_in(common) == Some(index) || source.is_remnant;
            if !own || set::disturbs(output, &source.place) {
                let own = source.verdict.common.as_ref();
                let foreign = own.is_some_and(|own| **own != *common);
                let of = if foreign {
                    ", a share of another stream"
                } else {
                    ""
                };
                let input = (format!("{}{of}", source.name), source.place.clone());
                set::distinct([output.as_os_str()], &[input]).map_err(io::Error::other)?;
            }
        }
        Ok(())
    }
}

fn print(
    console: Console,
    done: &RepairReport,
    left: &[Left],
    elapsed: Duration,
) -> anyhow::Result<Outcome> {
    report::sources(console, &done.common, &done.sources);
    report::sinks(console, &done.sinks);
    let failed = done
        .sinks
        .iter()
        .filter(|sink| sink.failure.is_some())
        .count();
    let written = done.sinks.len() - failed;
    let outcome = Outcome::degraded_if(failed > 0 || !left.is_empty());

    let mut object = report::stream_json(&done.common);
    report::add_totals(&mut object, &done.totals);
    object.insert("status".into(), json!(outcome.status()));
    object.insert("seconds".into(), json!(elapsed.as_secs_f64()));
    object.insert(
        "read".into(),
        done.sources.iter().map(report::source_json).collect(),
    );
    object.insert("written".into(), report::sinks_json(&done.sinks));

    let good: ShardSet = done
        .sources
        .iter()
        .filter(|source| source.is_good())
        .filter_map(|source| source.index)
        // What was not read of them is damaged all the same.
        .filter(|index| left.iter().all(|left| left.index != *index))
        .chain(
            done.sinks
                .iter()
                .filter(|sink| sink.failure.is_none())
                .map(|sink| sink.index),
        )
        .collect();
    let unread = |sink: &&distdup::encode::SinkOutcome| sink.failure.is_none() && !sink.read_back;
    for sink in done.sinks.iter().filter(unread) {
        warn(format!(
            "share {}, {}: cannot be read back to see that it was kept",
            sink.index, sink.name
        ));
    }
    let kept = if done.sinks.iter().any(|sink| unread(&sink)) {
        ""
    } else {
        " and read back"
    };
    let text = format!(
        "{} written{kept} ({} in {}); {}",
        report::count(written, "share"),
        show_size(done.totals.length),
        show_time(elapsed),
        report::survival(&done.common, good)
    );
    console
        .result(text, &object.into())
        .context("cannot print the result")?;
    Ok(outcome)
}
