//! `distdup compare`: codes side by side, on these hosts and this machine.

use std::ffi::OsString;
use std::io::{self, Write};
use std::path::PathBuf;

use anyhow::Context;
use clap::Args;
use distdup::availability::Hosts;
use distdup::compare::{Operation, Step, measure};
use distdup::sink::{Options, SinkWriter};
use distdup_codecs::Geometry;

use super::availability::answer::seconds;
use super::availability::model::{Model, days};
use super::console::Console;
use super::settings::Selection;
use super::size::parse_size;
use super::watch::CLEAR;
use super::{Outcome, Usage, names};

mod advice;
mod csv;
mod data;
mod html;
mod json;
mod machine;
mod rows;
mod text;

use advice::Situation;
use data::Data;
use machine::Machine;
use rows::Row;

/// Set codes side by side: what they survive, what they take, how fast they are here
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub struct Compare {
    /// File or folder to measure with; random bytes if none
    path: Option<PathBuf>,
    /// As many hosts, which are alike
    #[arg(long, value_name = "N", conflicts_with = "host")]
    hosts: Option<usize>,
    /// Shares that suffice
    #[arg(short, value_name = "K")]
    k: Option<usize>,
    /// Shares in all [default: as many as there are hosts]
    #[arg(short, value_name = "N")]
    n: Option<usize>,
    /// The same, for several codes [default: some for the hosts]
    #[arg(long, value_name = "K,N", value_parser = parse_geometry)]
    geometry: Vec<Geometry>,
    /// Codes, such as rs,xor:matland [default: all]
    #[arg(long, value_name = "LIST", value_delimiter = ',')]
    codec: Vec<String>,
    /// Parity equations for xor, such as '1^2^3,1^4'
    #[arg(long, value_name = "LIST")]
    equations: Option<String>,
    /// What each host can take or give in a second, such as 100MB
    #[arg(long, value_name = "BYTES", value_parser = parse_size)]
    host_speed: Option<u64>,
    /// How long a year data may be unreadable
    #[arg(long, value_name = "TIME", default_value = "1h", value_parser = parse_down)]
    down: Down,
    /// Measure with so much data [default: 64MiB]
    #[arg(long, value_name = "BYTES", value_parser = parse_size)]
    size: Option<u64>,
    /// How often [default: 7]
    #[arg(long, value_name = "COUNT")]
    runs: Option<usize>,
    /// Less data (8MiB), less often (3)
    #[arg(long)]
    quick: bool,
    /// Print the table as comma-separated values
    #[arg(long, conflicts_with = "json")]
    csv: bool,
    /// Write a page with figures and drawings there, too
    #[arg(long, value_name = "FILE")]
    html: Option<OsString>,
    /// Replace that file if it exists
    #[arg(long, requires = "html")]
    force: bool,
    #[command(flatten)]
    model: Model,
}

/// A time of a year; as it was given, `1 h`.
#[derive(Debug, Clone)]
struct Down {
    text: String,
    seconds: f64,
}

const AFTER_HELP: &str = "\
Examples:
  distdup compare --hosts 10                  or -P home, the hosts of distdup.toml
  distdup compare backup.tar -k 6 -n 10 --codec rs,xor --host-speed 100MB

How it is measured, and how the advice follows, is said in docs/COMPARE.md.";

/// Losses of a host a year, where nothing else is said.
const LOSS_RATE: f64 = 0.02;

/// Where the page goes to.
struct Page {
    name: String,
    writer: Box<dyn SinkWriter>,
}

/// All that was found.
struct Comparison {
    rows: Vec<Row>,
    advice: Vec<advice::Sentence>,
    hosts: Hosts,
    data: Data,
    runs: usize,
    machine: Machine,
    down: Down,
    /// Bytes a second.
    host_speed: Option<f64>,
}

impl Compare {
    pub fn run(mut self, console: Console, selection: &Selection) -> anyhow::Result<Outcome> {
        self.adopt(console, selection)?;
        self.model.assume_loss_rate(LOSS_RATE);
        let runs = self.runs.unwrap_or(if self.quick { 3 } else { 7 });
        if runs == 0 {
            return Err(Usage::say(
                "--runs 0 measures nothing: do at least one, better five",
            ));
        }
        let page = self.page()?;
        let hosts = self.all_hosts()?;
        let codes = rows::codes(&self, hosts.len(), console)?;
        let data = Data::read(self.path.as_deref(), self.bytes(), &codes)?;
        let rows = rows::judge(codes, &hosts, &self.model)?;
        let rows = speeds(console, rows, &data, runs)?;
        let comparison = Comparison {
            advice: advice::advice(&self.situation(&rows, &hosts)),
            machine: Machine::this(),
            rows,
            hosts,
            data,
            runs,
            down: self.down.clone(),
            host_speed: self.host_speed.map(advice::real),
        };
        self.print(console, &comparison, page)
    }

    /// Where the page goes to: a path that cannot be written is found out before all the work.
    fn page(&self) -> anyhow::Result<Option<Page>> {
        let Some(path) = &self.html else {
            return Ok(None);
        };
        if names::has_stdout(std::slice::from_ref(path)) {
            return Err(Usage::say(
                "--html is for a file: standard output has the table",
            ));
        }
        let options = Options {
            force: self.force,
            sync: false,
        };
        let sink = names::sink(path, options)?;
        let name = sink.name();
        let writer = sink
            .open()
            .with_context(|| format!("cannot write {name}"))?;
        Ok(Some(Page { name, writer }))
    }

    /// Takes the hosts that are set, if nothing is said of hosts.
    fn adopt(&mut self, console: Console, selection: &Selection) -> anyhow::Result<()> {
        let said = [self.hosts, self.model.count(), self.n];
        if said.iter().any(Option::is_some) || !self.geometry.is_empty() {
            return Ok(());
        }
        let settings = selection.settings(console)?;
        let hosts = settings.listed_hosts().unwrap_or_default();
        if hosts.is_empty() {
            return Ok(());
        }
        let groups = settings.groups.iter().map(|group| group.value.clone());
        self.model.adopt(hosts, groups.collect())
    }

    /// Those there are, or as many as the codes have shares.
    fn all_hosts(&self) -> anyhow::Result<Hosts> {
        let shares = self.geometry.iter().map(|geometry| geometry.n());
        let n = (self.hosts)
            .or(self.model.count())
            .or(shares.chain(self.n).max())
            .ok_or_else(|| {
                Usage::say("how many hosts? give --hosts 10, or a --host NAME=P for each")
            })?;
        self.model.hosts(n)
    }

    fn bytes(&self) -> u64 {
        let size = if self.quick { 8 << 20 } else { 64 << 20 };
        self.size.unwrap_or(size)
    }

    fn situation(&self, rows: &[Row], hosts: &Hosts) -> Situation {
        Situation {
            candidates: rows.iter().map(Row::candidate).collect(),
            hosts: advice::these_hosts(hosts),
            wear: self.model.wear_text(),
            down: self.down.seconds,
            down_text: self.down.text.clone(),
            host_speed: self.host_speed.map(advice::real),
        }
    }

    fn print(
        &self,
        console: Console,
        comparison: &Comparison,
        page: Option<Page>,
    ) -> anyhow::Result<Outcome> {
        let json = json::comparison(self, comparison);
        if let Some(Page { name, mut writer }) = page {
            let hosts = advice::these_hosts(&comparison.hosts);
            let html = html::page(comparison, &hosts, &self.model, &json);
            let write = || {
                writer.write_all(html.as_bytes())?;
                writer.finish()
            };
            write().with_context(|| format!("cannot write {name}"))?;
        }
        let text = if self.csv {
            csv::table(&json["rows"])
        } else {
            text::comparison(comparison)
        };
        console
            .result(text.trim_end(), &json)
            .context("cannot print the result")?;
        Ok(Outcome::Done)
    }
}

/// Tries all of them out.
fn speeds(
    console: Console,
    rows: Vec<rows::Judged>,
    data: &Data,
    runs: usize,
) -> anyhow::Result<Vec<Row>> {
    let codes: Vec<_> = rows.iter().map(|row| row.code.clone()).collect();
    let progress = console.shows_progress();
    let mut tell = |step: Step<'_>| {
        if progress {
            let _ = write!(io::stderr(), "{CLEAR}{}", told(&step, runs));
        }
    };
    let speeds = measure(&codes, &data.bytes, runs, &mut tell);
    if progress {
        let _ = write!(io::stderr(), "{CLEAR}");
    }
    let speeds = speeds.context("cannot measure")?;
    let row = |(judged, speed)| Row { judged, speed };
    Ok(rows.into_iter().zip(speeds).map(row).collect())
}

/// `run 2 of 7: rs16 (6, 10), decode`.
fn told(step: &Step<'_>, runs: usize) -> String {
    let run = match step.run {
        0 => "warming up".to_owned(),
        run => format!("run {run} of {runs}"),
    };
    let operation = match step.operation {
        Operation::Encode => "encode",
        Operation::Decode => "decode",
        Operation::Repair => "repair",
    };
    let (id, geometry) = (step.code.id(), step.code.geometry());
    format!("{run}: {id} {geometry}, {operation}")
}

fn parse_geometry(text: &str) -> Result<Geometry, String> {
    let wrong = "expected K,N, such as 6,10 for ten shares of which six suffice";
    let (k, n) = text.split_once(',').ok_or(wrong)?;
    let number = |text: &str| text.trim().parse::<usize>().map_err(|_| wrong);
    Geometry::new(number(k)?, number(n)?).map_err(|error| error.to_string())
}

fn parse_down(text: &str) -> Result<Down, String> {
    let wrong = || "expected a time in s, m, h, d or w, such as 1h".to_owned();
    let days = days(text).ok_or_else(wrong)?;
    let (number, unit) = text.split_at(text.len() - 1);
    let unit = if unit == "m" { "min" } else { unit };
    Ok(Down {
        text: format!("{number} {unit}"),
        seconds: days * 86_400.0,
    })
}
