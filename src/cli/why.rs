//! `distdup why`: whether shares give their stream back, and if not, what it lacks.

use std::collections::HashMap;
use std::ffi::{OsStr, OsString};
use std::fmt::Write;
use std::ops::Range;

use anyhow::Context;
use clap::Args;
use distdup::catalogue::Catalogued;
use distdup::decode::{FrameState, GatherError, SourceFailure, SourceOutcome};
use distdup::diagnosis::{Cell, Diagnosis, ShareState, StreamDiagnosis, diagnose};
use distdup::verify::Verdict;
use distdup_codecs::ShardSet;
use rustix::termios::tcgetwinsize;
use serde_json::{Value, json};

use super::console::Console;
use super::decode::Sources;
use super::failure::Finding;
use super::report::{self, Given, count, count_of, title};
use super::size::show_size;
use super::watch::Watch;
use super::{Outcome, names as named};

/// Width of a line where there is no terminal to ask.
const WIDTH: usize = 80;
/// Places of one share that are shown; `--json` has more.
const SHOWN: usize = 8;

/// Tell whether shares give their stream back, what is damaged where, and which more would help
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub struct Why {
    #[command(flatten)]
    pub sources: Sources,
}

const AFTER_HELP: &str = "\
Examples:
  distdup why host*/home.share
  distdup why s0 s3 s4 --json | jq '.streams[0].lost'

Every share is read to its end, all in step. The map has a line for each share and a column for some
stripes: # good, x damaged (some or all of them), . missing, ! cannot be had. Frames are believed
that their own digests vouch for; that none was forged, a decode tells.

Exits 0 if all n shares are there and whole, 3 if the stream can be had all the same, 1 otherwise.
Of several streams it is enough for 3 that one can be had; --stream asks about a single one.";

impl Why {
    pub fn run(self, console: Console) -> anyhow::Result<Outcome> {
        super::zfec::refuse_shares(&self.sources.shares)?;
        let sources = named::sources(&self.sources.shares)?;
        let called: Vec<String> = sources.iter().map(|source| source.name()).collect();
        let watch = Watch::start(console, None, "share")?;
        let options = self.sources.options();
        let (stream, timeout) = (options.stream, options.source_timeout);
        let result = diagnose(sources, stream, timeout, &watch.control);
        let stopped = watch.was_stopped();
        drop(watch);
        let found = result.context(if stopped {
            "stopped by a signal"
        } else {
            "nothing can be told"
        })?;
        let outcome = outcome(&found);
        let given = self.sources.shares.iter().map(OsString::as_os_str);
        let given: HashMap<String, &OsStr> = called.into_iter().zip(given).collect();
        console
            .result(text(&found, &given, width()), &as_json(&found, &outcome))
            .context("cannot print the result")?;
        match (outcome, found.streams.as_slice()) {
            (Err(finding), [first, _, ..]) => Err(finding).context(format!(
                "of {} streams none comes back, such as stream {}",
                found.streams.len(),
                first.common.stream()
            )),
            (outcome, _) => Ok(outcome?),
        }
    }
}

/// What is to be said in the end; an error if no stream comes back.
fn outcome(found: &Diagnosis) -> Result<Outcome, Finding> {
    let mut streams = found.streams.iter();
    if !streams.clone().any(StreamDiagnosis::is_recoverable)
        && let Some(lost) = streams.clone().next()
    {
        return Err(finding(lost));
    }
    let flawless = found.strays.is_empty() && streams.all(StreamDiagnosis::is_flawless);
    Ok(Outcome::degraded_if(!flawless))
}

/// Why a stream does not come back.
fn finding(stream: &StreamDiagnosis) -> Finding {
    let stripes = stream.stripes;
    match stream.lost.count {
        0 => Finding::Incomplete(GatherError::Incomplete {
            stripes,
            length: stripes * stream.common.stripe_len() as u64,
            reasons: Vec::new(),
        }),
        lost => Finding::Lost { lost, stripes },
    }
}

/// Of the terminal that the result goes to.
fn width() -> usize {
    tcgetwinsize(rustix::stdio::stdout())
        .map_or(WIDTH, |size| usize::from(size.ws_col))
        .max(WIDTH / 2)
}

fn text(found: &Diagnosis, given: &HashMap<String, &OsStr>, width: usize) -> String {
    let mut text = String::new();
    for stream in &found.streams {
        Page {
            found,
            given,
            stream,
            text: &mut text,
        }
        .write(width);
    }
    for stray in &found.strays {
        for fault in report::remarks(stray) {
            let _ = writeln!(text, "{}: {fault}", title(stray));
        }
    }
    text.truncate(text.trim_end().len());
    text
}

/// What is said of a stream.
struct Page<'a> {
    found: &'a Diagnosis,
    /// What sources were given as, by what they are called.
    given: &'a HashMap<String, &'a OsStr>,
    stream: &'a StreamDiagnosis,
    text: &'a mut String,
}

impl<'a> Page<'a> {
    fn line(&mut self, line: impl AsRef<str>) {
        self.text.push_str(line.as_ref());
        self.text.push('\n');
    }

    fn write(&mut self, width: usize) {
        let stream = self.stream;
        let length = match stream.totals {
            Some(totals) => show_size(totals.length),
            None => "length not known, for want of a trailer".into(),
        };
        self.line(format!(
            "stream {}, {}: {}, {length}",
            stream.common.stream(),
            report::code(&stream.common),
            count_of(stream.stripes, "stripe"),
        ));
        self.map(width);
        for index in 0..stream.shares.len() {
            self.faults(index);
        }
        self.verdict();
    }

    fn map(&mut self, width: usize) {
        let stream = self.stream;
        let label = "share 255  ".len();
        let columns = width - label;
        let (cells, per_column) = stream.map.fit(columns);
        for (index, share) in stream.shares.iter().enumerate() {
            let (cells, _) = share.map.fit(columns);
            let row: String = cells.iter().map(symbol).collect();
            self.line(format!("share {index:<3}  {row}").trim_end());
        }
        let fate = |cell: &Cell| if cell.damaged > 0 { '!' } else { '#' };
        let row: String = cells.iter().map(fate).collect();
        self.line(format!("stream     {row}").trim_end());
        self.line(format!(
            "           # good  x damaged  . missing  ! cannot be had; {} a column",
            count_of(per_column, "stripe")
        ));
    }

    /// What is wrong with a share, and where.
    fn faults(&mut self, index: usize) {
        let stream = self.stream;
        let share = &stream.shares[index];
        if share.sources.len() > 1 {
            return self.copies(index);
        }
        if share.is_whole {
            return;
        }
        if share.sources.is_empty() {
            return self.line(format!("share {index}: not given"));
        }
        for &source in &share.sources {
            let outcome = &stream.sources[source].outcome;
            self.line(format!("{}: {}", title(outcome), frames(share)));
            for remark in report::remarks(outcome) {
                self.line(format!("  {remark}"));
            }
        }
        for fault in share.faults.iter().take(SHOWN) {
            let stripes = fault.stripe..fault.stripe.saturating_add(fault.count);
            self.line(format!("  {}: {}", self.place(&stripes), fault.flaw));
        }
        let more = share.faults.len().saturating_sub(SHOWN);
        if more > 0 {
            self.line(format!("  and in {} more", count(more, "place")));
        }
    }

    /// What is wrong with each of several copies of a share.
    fn copies(&mut self, index: usize) {
        let stream = self.stream;
        let share = &stream.shares[index];
        for &source in &share.sources {
            let Verdict { outcome, .. } = &stream.sources[source];
            if stream.sources[source].is_whole() {
                continue;
            }
            self.line(format!("{}: a copy that is not whole", title(outcome)));
            let faults = report::faults(outcome, &stream.common, stream.length());
            for fault in faults.iter().take(SHOWN) {
                self.line(format!("  {fault}"));
            }
            if let more @ 1.. = faults.len().saturating_sub(SHOWN) {
                self.line(format!("  and {more} more: see --json"));
            }
        }
        if !share.is_whole {
            self.line(format!(
                "share {index}, all copies together: {}",
                frames(share)
            ));
        }
    }

    fn place(&self, stripes: &Range<u64>) -> String {
        report::place(&self.stream.common, self.stream.length(), stripes)
    }

    fn verdict(&mut self) {
        let stream = self.stream;
        let code = stream.common.code();
        let (k, n) = (code.geometry().k(), code.geometry().n());
        let whole = stream.whole();
        if stream.is_recoverable() {
            let survival = if code.is_recoverable(whole) {
                report::survival(&stream.common, whole)
            } else {
                "the others are needed for what these lack".into()
            };
            let whole = whole.len();
            self.line(format!(
                "IT COMES BACK: {whole} of {n} shares are whole; {survival}"
            ));
            let from = code
                .sufficient_subset(stream.good)
                .unwrap_or(stream.there());
            self.line(format!(
                "restore it by: {}",
                report::command("decode", self.enough(from), ["OUT"])
            ));
            if !stream.is_flawless() {
                self.mending();
            }
            return;
        }
        let lost = stream.lost.count;
        let finding = finding(stream);
        self.line(format!("IT DOES NOT COME BACK: {finding}"));
        for stripes in stream.lost.ranges.iter().take(SHOWN) {
            self.line(format!("  {}", self.place(stripes)));
        }
        if stream.lost.ranges.len() > SHOWN {
            self.line("  and more: see --json");
        }
        if stream.good.len() >= k && !code.is_recoverable(stream.good) {
            self.line(format!(
                "shares {} are as many as it takes, and hopeless together: they give but {} of the data",
                stream.good,
                count(
                    code.reconstructible(stream.good)
                        .intersection(code.geometry().data())
                        .len(),
                    "shard"
                )
            ));
        }
        if lost > 0 {
            self.remedy();
        }
        if lost < stream.stripes || !stream.good.is_empty() {
            let command = report::command("decode --salvage", self.names(stream.there()), ["OUT"]);
            self.line(format!("what can be had of it: {command}"));
        }
    }

    /// What gives all n shares.
    fn mending(&mut self) {
        let stream = self.stream;
        let of = |outcome: &'a SourceOutcome, is_whole| Given {
            name: self.name(outcome),
            index: outcome.index,
            is_whole,
        };
        let sources = stream.sources.iter();
        let mut shares: Vec<_> = sources
            .map(|source| of(&source.outcome, source.is_whole()))
            .collect();
        // What says nothing of itself may be of the only stream there is.
        if self.found.streams.len() == 1 {
            let is_unknown = |stray: &&SourceOutcome| {
                !matches!(stray.failure, Some(SourceFailure::OtherStream(_)))
            };
            let strays = self.found.strays.iter().filter(is_unknown);
            shares.extend(strays.map(|stray| of(stray, false)));
        }
        if let Some(command) = report::mending(&stream.common, &shares) {
            self.line(format!("mend it by: {command}"));
        }
    }

    /// As it was given.
    fn name(&self, outcome: &'a SourceOutcome) -> &'a OsStr {
        let given = self.given.get(&outcome.name);
        given.copied().unwrap_or(OsStr::new(&outcome.name))
    }

    fn names(&self, shares: ShardSet) -> impl Iterator<Item = &'a OsStr> {
        let stream = self.stream;
        let sources = |index: usize| stream.shares[index].sources.iter();
        let name = |source: &usize| self.name(&stream.sources[*source].outcome);
        shares.into_iter().flat_map(sources).map(name)
    }

    /// The same with no copies that are not needed.
    fn enough(&self, shares: ShardSet) -> impl Iterator<Item = &'a OsStr> {
        let stream = self.stream;
        let sources = |index: usize| {
            let copies = &stream.shares[index].sources;
            let whole = copies.iter().position(|at| stream.sources[*at].is_whole());
            whole.map_or(copies.as_slice(), |at| &copies[at..=at])
        };
        let name = |source: &usize| self.name(&stream.sources[*source].outcome);
        shares.into_iter().flat_map(sources).map(name)
    }

    /// Which shares would help.
    fn remedy(&mut self) {
        let remedy = &self.stream.remedy;
        if let Some(&(_, most)) = remedy.helps.first() {
            let best = |(share, stripes): &(usize, u64)| (*stripes == most).then_some(*share);
            let best: ShardSet = remedy.helps.iter().filter_map(best).collect();
            self.line(format!(
                "a good copy of {} would bring {}{most} of them back",
                report::one_of(best),
                if remedy.is_short { "at least " } else { "" },
            ));
        } else if remedy.is_short {
            self.line("which further shares would help, there are too many kinds of loss to tell");
        } else {
            self.line("no single further share would bring any of it back");
        }
        if let Some(fewest) = remedy.fewest.filter(|fewest| fewest.len() > 1) {
            self.line(format!(
                "all of it takes good copies of {} shares, such as {fewest}",
                fewest.len()
            ));
        }
        if !remedy.useless.is_empty() {
            self.line(format!(
                "of no use: {}, which the shares that are there give already",
                remedy.useless
            ));
        }
    }
}

fn symbol(cell: &Cell) -> char {
    match cell.worst() {
        FrameState::Good => '#',
        FrameState::Damaged => 'x',
        FrameState::Missing => '.',
    }
}

/// `1 of 40 frames damaged, 3 missing`.
fn frames(share: &ShareState) -> String {
    let Cell {
        good,
        damaged,
        missing,
    } = share.frames;
    let all = count_of(
        good.saturating_add(damaged).saturating_add(missing),
        "frame",
    );
    match (damaged, missing) {
        (0, 0) => format!("all of {all} good"),
        (_, 0) => format!("{damaged} of {all} damaged"),
        (0, _) => format!("{missing} of {all} missing"),
        _ => format!("{damaged} of {all} damaged, {missing} missing"),
    }
}

fn as_json(found: &Diagnosis, outcome: &Result<Outcome, Finding>) -> Value {
    let failure = outcome.as_ref().err().and_then(Finding::entry);
    json!({
        "status": outcome.as_ref().map_or("failed", |outcome| outcome.status()),
        "code": failure.map(|entry| entry.code),
        "streams": found.streams.iter().map(stream_json).collect::<Value>(),
        "strays": found.strays.iter().map(report::source_json).collect::<Value>(),
    })
}

fn stream_json(stream: &StreamDiagnosis) -> Value {
    let code = stream.common.code();
    let numbers = |set: ShardSet| set.iter().collect::<Value>();
    let place = |stripes: &Range<u64>| {
        json!({
            "stripes": report::range_json(stripes),
            "bytes": report::range_json(&stream.common.bytes_of(stripes, stream.length())),
        })
    };
    let share = |(index, share): (usize, &ShareState)| {
        let source = |at: &usize| {
            let mut source = report::source_json(&stream.sources[*at].outcome);
            source["whole"] = json!(stream.sources[*at].is_whole());
            source
        };
        let fault = |fault: &distdup::decode::FrameFault| {
            let stripes = fault.stripe..fault.stripe.saturating_add(fault.count);
            let mut object = place(&stripes);
            object["state"] = json!(fault.flaw.state().to_string());
            object["what"] = json!(fault.flaw.to_string());
            object["code"] = json!(report::code_of(&fault.flaw));
            object
        };
        json!({
            "index": index,
            "whole": share.is_whole,
            "sources": share.sources.iter().map(source).collect::<Value>(),
            "good_frames": share.frames.good,
            "damaged_frames": share.frames.damaged,
            "missing_frames": share.frames.missing,
            "faults": share.faults.iter().map(fault).collect::<Value>(),
        })
    };
    let help = |(share, stripes): &(usize, u64)| json!({ "share": share, "stripes": stripes });
    let mut object = report::stream_json(&stream.common);
    for (key, value) in [
        ("stripes", json!(stream.stripes)),
        ("length", json!(stream.totals.map(|totals| totals.length))),
        ("restorable", json!(stream.is_recoverable())),
        ("whole", numbers(stream.whole())),
        (
            "sufficient",
            json!(code.sufficient_subset(stream.good).map(numbers)),
        ),
        ("lost_stripes", json!(stream.lost.count)),
        ("lost", stream.lost.ranges.iter().map(place).collect()),
        ("helps", stream.remedy.helps.iter().map(help).collect()),
        ("useless", numbers(stream.remedy.useless)),
        ("needed", json!(stream.remedy.fewest.map(numbers))),
        (
            "shares",
            stream.shares.iter().enumerate().map(share).collect(),
        ),
    ] {
        object.insert(key.into(), value);
    }
    object.into()
}
