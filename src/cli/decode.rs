//! `distdup decode`: enough shares into the stream.

use std::ffi::OsString;
use std::fmt::Write;
use std::time::Duration;

use anyhow::Context;
use clap::Args;
use distdup::catalogue::Catalogued;
use distdup::decode::{
    DecodeOptions, DecodeReport, SalvageReport, SourceFailure, SourceOutcome, decode, salvage,
};
use distdup::format::StreamId;
use distdup::sink::Options;
use distdup::zfec;
use serde_json::json;

use super::console::{Console, warn};
use super::failure::Finding;
use super::size::{parse_seconds, parse_size, show_size, show_time};
use super::watch::Watch;
use super::zfec::Format;
use super::{Outcome, names, report};

/// Decode enough shares, in any order, into the stream that they hold
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub struct Decode {
    #[command(flatten)]
    pub sources: Sources,
    #[command(flatten)]
    tuning: Tuning,
    /// What the shares are [default: zfec if they are called *.fec, else distdup]
    #[arg(long)]
    format: Option<Format>,
    /// Where the stream goes: a path, fd:N, exec:COMMAND, or - for standard output
    #[arg(short, long = "output", value_name = "OUT", default_value = "-")]
    output: OsString,
    /// Replace an output that exists, or write to a terminal
    #[arg(long)]
    force: bool,
    /// Do not wait until the output is on disk
    #[arg(long)]
    no_sync: bool,
    /// Write what can be had, zeros for the rest, and list what is missing; exits 1 if anything is
    #[arg(long)]
    salvage: bool,
}

/// Shares to read, and how.
#[derive(Debug, Args)]
pub struct Sources {
    /// Shares: paths, fd:N, exec:COMMAND, or - for standard input
    #[arg(value_name = "SHARE", required = true)]
    pub shares: Vec<OsString>,
    /// Which stream, where the shares are of several (32 hexadecimal digits)
    #[arg(long, value_name = "ID")]
    pub stream: Option<StreamId>,
    /// Give a share up that gives nothing for so long; one that does not even open, after a quarter
    /// of it if the others suffice [default: 60]
    #[arg(long, value_name = "SECONDS", value_parser = parse_seconds)]
    source_timeout: Option<Duration>,
}

/// What costs memory and time.
#[derive(Debug, Args)]
pub struct Tuning {
    /// Memory for buffers in all [default: 64MiB]
    #[arg(long, value_name = "BYTES", value_parser = parse_size)]
    memory: Option<u64>,
    /// Threads that decode [default: one per processor]
    #[arg(long, value_name = "COUNT")]
    workers: Option<usize>,
}

impl Sources {
    pub fn options(&self) -> DecodeOptions {
        let default = DecodeOptions::default();
        DecodeOptions {
            source_timeout: self.source_timeout.unwrap_or(default.source_timeout),
            stream: self.stream,
            ..default
        }
    }
}

impl Tuning {
    pub fn apply(&self, mut options: DecodeOptions) -> DecodeOptions {
        options.memory = self.memory.unwrap_or(options.memory);
        options.workers = self.workers.unwrap_or(options.workers);
        options
    }
}

const AFTER_HELP: &str = "\
Examples:
  distdup decode s0 s3 s4 s5 -o backup.tar
  distdup decode host*/home.share | tar -x
  distdup decode exec:'ssh host cat c.share' a.share -o home.tar
  distdup decode --salvage s* -o part.tar     where distdup why says that stripes are lost

Only bytes whose digest was confirmed are written. A decode that fails has written a part of the
stream to a pipe, and exits 1; a file appears only when it is whole.";

/// What came of it.
enum Restored {
    Whole(DecodeReport),
    Part(SalvageReport),
}

impl Restored {
    /// What was salvaged may be whole after all.
    fn of(report: SalvageReport) -> Self {
        match report.into_whole() {
            Ok(whole) => Self::Whole(whole),
            Err(part) => Self::Part(part),
        }
    }
}

impl Decode {
    pub fn run(self, console: &mut Console) -> anyhow::Result<Outcome> {
        let outputs = [self.output.clone()];
        *console = console.with_data_on_stdout(names::has_stdout(&outputs));
        let console = *console;
        names::distinct(&outputs, &names::places(&self.sources.shares))?;
        let format = Format::of(self.format, &self.sources.shares)?;
        if format == Format::Zfec {
            super::zfec::refuse(&[
                ("--salvage", self.salvage),
                ("--stream", self.sources.stream.is_some()),
                ("--source-timeout", self.sources.source_timeout.is_some()),
                ("--memory", self.tuning.memory.is_some()),
                ("--workers", self.tuning.workers.is_some()),
            ])?;
        }
        let watch = Watch::start(console, None, "share")?;
        let sources = names::sources(&self.sources.shares)?;
        let options = Options {
            force: self.force,
            sync: !self.no_sync,
        };
        let output = names::sink(&self.output, options)?;
        if format == Format::Zfec {
            let result = zfec::decode(sources, output, &watch.control);
            return super::zfec::decoded(console, result, watch.elapsed(), watch.was_stopped());
        }

        let options = self.tuning.apply(self.sources.options());
        let control = &watch.control;
        let result = if self.salvage {
            salvage(sources, output, &options, control).map(Restored::of)
        } else {
            decode(sources, output, &options, control).map(Restored::Whole)
        };
        let (elapsed, stopped) = (watch.elapsed(), watch.was_stopped());
        drop(watch);
        match result {
            Ok(Restored::Whole(done)) => self.print(console, &done, elapsed),
            Ok(Restored::Part(part)) => print_part(console, &part, elapsed),
            Err(error) if stopped => Err(error).context("stopped by a signal"),
            Err(error) => Err(error).context("the stream was not restored"),
        }
    }

    fn print(
        &self,
        console: Console,
        done: &DecodeReport,
        elapsed: Duration,
    ) -> anyhow::Result<Outcome> {
        // Of several streams one was asked for: the shares of the others are none that failed.
        let is_stray = |source: &&SourceOutcome| {
            self.sources.stream.is_some()
                && matches!(source.failure, Some(SourceFailure::OtherStream(_)))
        };
        let used = || done.sources.iter().filter(|source| !is_stray(source));
        report::sources(console, &done.common, used());
        if !done.is_proven() {
            warn("no share has a good trailer: the stream may never have been completed");
        }
        let bad = used().filter(|source| !source.is_good()).count();
        let outcome = Outcome::degraded_if(bad > 0 || !done.is_proven());

        let mut object = report::stream_json(&done.common);
        report::add_totals(&mut object, &done.totals);
        object.insert("status".into(), json!(outcome.status()));
        object.insert("proven".into(), json!(done.is_proven()));
        object.insert("seconds".into(), json!(elapsed.as_secs_f64()));
        object.insert(
            "shares".into(),
            done.sources.iter().map(report::source_json).collect(),
        );

        let mut text = format!(
            "{} restored in {}",
            show_size(done.totals.length),
            show_time(elapsed)
        );
        if bad > 0 {
            let given = report::count(used().count(), "share");
            let _ = write!(
                text,
                "; of {given}, {bad} could not be used or in part only: see {}",
                report::command("why", &self.sources.shares, [""; 0])
            );
        }
        console
            .result(text, &object.into())
            .context("cannot print the result")?;
        Ok(outcome)
    }
}

fn print_part(
    console: Console,
    part: &SalvageReport,
    elapsed: Duration,
) -> anyhow::Result<Outcome> {
    report::sources(console, &part.common, &part.sources);
    let unknown_from = part.length.is_none().then_some(part.written);
    let finding = Finding::Salvaged {
        missing: part.missing_bytes(),
        unknown_from,
    };
    let mut object = report::stream_json(&part.common);
    for (key, value) in [
        ("status", json!("failed")),
        ("code", json!(finding.entry().map(|entry| entry.code))),
        ("length", json!(part.length)),
        ("written", json!(part.written)),
        ("missing_bytes", json!(part.missing_bytes())),
        (
            "missing",
            part.missing.iter().map(report::range_json).collect(),
        ),
        ("unknown_from", json!(unknown_from)),
        ("seconds", json!(elapsed.as_secs_f64())),
        (
            "shares",
            part.sources.iter().map(report::source_json).collect(),
        ),
    ] {
        object.insert(key.into(), value);
    }
    let mut text = format!(
        "NOT WHOLE: {} written",
        report::count_of(part.written, "byte")
    );
    let _ = match part.missing_bytes() {
        // Of a short stripe all bytes may be there, and its padding not.
        0 if unknown_from.is_some() => Ok(()),
        0 => write!(text, "; the digest of some stripe could not be confirmed"),
        missing => write!(
            text,
            ", of which {missing} are missing and were filled with zeros:"
        ),
    };
    for range in &part.missing {
        let _ = write!(text, "\n  bytes {}..{}", range.start, range.end);
    }
    if let Some(from) = unknown_from {
        let _ = write!(
            text,
            "\n  from byte {from} on nothing is known: no trailer and no last stripe is left to \
             tell where the stream ends"
        );
    }
    console
        .result(text, &object.into())
        .context("cannot print the result")?;
    Err(finding.into())
}
