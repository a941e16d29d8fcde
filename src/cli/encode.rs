//! `distdup encode`: a stream into n shares.

use std::ffi::OsString;
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use clap::Args;
use distdup::descriptor::Descriptor;
use distdup::encode::{EncodeError, EncodeOptions, EncodeReport, default_min_shares, encode};
use distdup::input::{FileInput, FromCommand, Input, NamedPipe, Promised, ReaderInput};
use distdup::place::Place;
use distdup::quote::quote;
use distdup::sink::{Options, set};
use distdup::zfec;
use distdup_codecs::{Code, MAX_SHARDS, ShardSet};
use serde_json::json;

use super::code::CodeArgs;
use super::console::Console;
use super::size::{parse_seconds, parse_size, show_size, show_time};
use super::watch::Watch;
use super::zfec::Format;
use super::{Outcome, Usage, names, report};

/// Encode a stream into n shares, of which any k (with Reed-Solomon) give it back
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub struct Encode {
    /// File or named pipe to encode; standard input if - or nothing
    input: Option<PathBuf>,
    /// Where shares go, a path, fd:N or exec:COMMAND: n times, or once with {i} for 0, 1, ...
    #[arg(short, long = "output", value_name = "DEST", required = true)]
    pub output: Vec<OsString>,
    #[command(flatten)]
    code: CodeArgs,
    /// How shares are written
    #[arg(long, default_value = "distdup")]
    format: Format,
    /// Go on while this many shares can be written [default: K + (N - K) / 2]
    #[arg(long, value_name = "COUNT")]
    min_shares: Option<usize>,
    /// Give a sink up that takes nothing for so long [default: 60]
    #[arg(long, value_name = "SECONDS", value_parser = parse_seconds)]
    sink_timeout: Option<Duration>,
    /// Run COMMAND, encode what it prints; the end counts only if it exits 0
    #[arg(long, requires = "command", conflicts_with_all = ["input", "fifo"])]
    from_command: bool,
    /// Make a named pipe, encode what is written to it, and remove it
    #[arg(long, value_name = "PATH", conflicts_with = "input")]
    fifo: Option<PathBuf>,
    /// Refuse an input of any other length
    #[arg(long, value_name = "BYTES", value_parser = parse_size)]
    size: Option<u64>,
    /// Expected length, for progress only
    #[arg(long, value_name = "BYTES", value_parser = parse_size)]
    size_hint: Option<u64>,
    /// Replace outputs that exist
    #[arg(long)]
    force: bool,
    /// Do not wait until shares are on disk
    #[arg(long)]
    no_sync: bool,
    #[command(flatten)]
    tuning: Tuning,
    /// With --from-command
    #[arg(last = true, value_name = "COMMAND", requires = "from_command")]
    command: Vec<OsString>,
}

/// What costs memory and time.
#[derive(Debug, Args)]
struct Tuning {
    /// Bytes of each shard of a stripe; its frame adds 80 [default: by codec and memory]
    #[arg(long, value_name = "BYTES", value_parser = parse_size)]
    shard_size: Option<u64>,
    /// Memory for buffers in all [default: 64MiB]
    #[arg(long, value_name = "BYTES", value_parser = parse_size)]
    memory: Option<u64>,
    /// Threads that encode [default: one per processor]
    #[arg(long, value_name = "COUNT")]
    workers: Option<usize>,
    /// Decode each stripe from shares drawn by lot before it goes out
    #[arg(long)]
    verify: bool,
}

const AFTER_HELP: &str = "\
Examples:
  tar -c /home | distdup encode -k 2 -o a.share -o b.share -o 'exec:ssh host \"cat > c.share\"'
  distdup encode --codec xor -k 6 -n 10 -o 'host{i}/db' --from-command -- pg_dump db";

impl Encode {
    pub fn run(self, console: &mut Console) -> anyhow::Result<Outcome> {
        let (k, n) = self.geometry()?;
        let code = match self.format {
            Format::Distdup => Some(self.code.code(k, n)?),
            Format::Zfec => self.check_zfec(k, n)?,
        };
        let outputs = set::expand(&self.output, Some(n)).map_err(Usage::new)?;
        *console = console.with_data_on_stdout(names::has_stdout(&outputs));
        let console = *console;
        let early = self.early_input()?;
        names::distinct(&outputs, &early.place)?;

        let length = self.size.or(early.length.filter(|_| early.is_whole));
        let total = self.size.or(self.size_hint).or(early.length);
        let watch = Watch::start(console, total, "sink")?;
        let options = Options {
            force: self.force,
            sync: !self.no_sync,
        };
        let spare = code.as_deref().map_or(0, |code| self.spare(code));
        let sinks = names::sinks(&outputs, options, spare)?;
        // It is removed whatever happens below.
        let pipe = self.fifo.as_deref().map(|path| {
            NamedPipe::make(path).with_context(|| {
                format!("cannot make {}", quote(path.as_os_str().as_encoded_bytes()))
            })
        });
        let pipe = pipe.transpose()?;
        let input = self.input(early, pipe.as_ref())?;

        let Some(code) = code else {
            let result = zfec::encode(input, sinks, k, length, &watch.control);
            let (elapsed, stopped) = (watch.elapsed(), watch.was_stopped());
            return super::zfec::encoded(console, result, (k, n), elapsed, stopped);
        };
        let options = self.options(code);
        let result = encode(input, sinks, &options, &watch.control);
        drop(pipe);
        let elapsed = watch.elapsed();
        let stopped = watch.was_stopped();
        drop(watch);
        match result {
            Ok(done) => print(console, &done, &outputs, elapsed),
            Err(
                error @ (EncodeError::MinShares { .. }
                | EncodeError::Memory(_)
                | EncodeError::Common(_)),
            ) => Err(Usage::new(error).into()),
            Err(error) => {
                if let EncodeError::TooFewSinks { sinks, .. } = &error {
                    report::too_few(console, sinks);
                }
                Err(error).context(if stopped {
                    "stopped by a signal"
                } else {
                    "nothing was encoded"
                })
            }
        }
    }

    fn geometry(&self) -> anyhow::Result<(usize, usize)> {
        let n = match self.code.n(None) {
            Some(n) => n,
            None => set::expand(&self.output, None).map_err(Usage::new)?.len(),
        };
        let unknown = || Usage::say("how many shares suffice must be given (-k)");
        Ok((self.code.k(n).ok_or_else(unknown)?, n))
    }

    /// There is no code to choose, and little else.
    fn check_zfec(&self, k: usize, n: usize) -> anyhow::Result<Option<Arc<dyn Code>>> {
        if !(1..=n).contains(&k) || n > MAX_SHARDS {
            return Err(Usage::say(format!(
                "zfec has k of 1 to n and n up to {MAX_SHARDS}, not ({k}, {n})"
            )));
        }
        if !self.code.is_rs8() {
            return Err(Usage::say("zfec's code is rs8, and has no equations"));
        }
        super::zfec::refuse(&[
            ("--min-shares", self.min_shares.is_some()),
            ("--sink-timeout", self.sink_timeout.is_some()),
            ("--shard-size", self.tuning.shard_size.is_some()),
            ("--memory", self.tuning.memory.is_some()),
            ("--workers", self.tuning.workers.is_some()),
            ("--verify", self.tuning.verify),
        ])?;
        Ok(None)
    }

    /// How many sinks may be lost.
    fn spare(&self, code: &dyn Code) -> usize {
        let least = self.min_shares.unwrap_or_else(|| default_min_shares(code));
        code.geometry().n().saturating_sub(least)
    }

    fn options(&self, code: Arc<dyn Code>) -> EncodeOptions {
        let mut options = EncodeOptions::new(code);
        options.shard_len = self.tuning.shard_size;
        options.memory = self.tuning.memory.unwrap_or(options.memory);
        options.workers = self.tuning.workers.unwrap_or(options.workers);
        options.min_shares = self.min_shares;
        options.sink_timeout = self.sink_timeout.unwrap_or(options.sink_timeout);
        options.verify = self.tuning.verify;
        options
    }

    /// What can be opened before anything is written, and without a trace.
    fn early_input(&self) -> anyhow::Result<Early> {
        if self.from_command || self.fifo.is_some() {
            let place = self
                .fifo
                .iter()
                .map(|path| (shown(path), Place::of(path)))
                .collect();
            return Ok(Early {
                input: None,
                place,
                length: None,
                is_whole: false,
            });
        }
        if let Some(path) = self.input.as_deref().filter(|path| path.as_os_str() != "-") {
            let input = FileInput::new(path.to_owned())
                .with_context(|| format!("cannot read {}", shown(path)))?;
            let length = input.length();
            let place = vec![(shown(path), Place::of(path))];
            return Ok(Early {
                input: Some(Box::new(input)),
                place,
                length,
                is_whole: true,
            });
        }
        let stdin = Descriptor::for_reading(b"0").context("cannot read standard input")?;
        if stdin.is_terminal() {
            return Err(Usage::say(
                "there is no input: standard input is a terminal",
            ));
        }
        let found = stdin
            .file()
            .metadata()
            .context("cannot read standard input")?;
        let place = Place::of_open(stdin.file()).context("cannot read standard input")?;
        Ok(Early {
            length: found.is_file().then_some(found.len()),
            place: vec![("standard input".into(), place)],
            input: Some(Box::new(ReaderInput(stdin))),
            is_whole: false,
        })
    }

    fn input(&self, early: Early, pipe: Option<&NamedPipe>) -> anyhow::Result<Box<dyn Input>> {
        let input: Box<dyn Input> = match (early.input, pipe) {
            (Some(input), _) => input,
            (None, Some(pipe)) => Box::new(pipe.input().context("cannot read the named pipe")?),
            (None, None) => {
                let (program, arguments) = self
                    .command
                    .split_first()
                    .ok_or_else(|| Usage::say("there is no command after --"))?;
                Box::new(FromCommand::start(program, arguments)?)
            }
        };
        Ok(match self.size {
            Some(size) => Box::new(Promised::new(input, size)),
            None => input,
        })
    }
}

struct Early {
    /// None where it must wait until all else is known to be in order.
    input: Option<Box<dyn Input>>,
    place: Vec<(String, Place)>,
    length: Option<u64>,
    /// Whether it is read from its start.
    is_whole: bool,
}

fn shown(path: &std::path::Path) -> String {
    quote(path.as_os_str().as_encoded_bytes())
}

fn print(
    console: Console,
    done: &EncodeReport,
    outputs: &[OsString],
    elapsed: Duration,
) -> anyhow::Result<Outcome> {
    report::sinks(console, &done.sinks);
    let good: ShardSet = done
        .sinks
        .iter()
        .filter(|sink| sink.failure.is_none())
        .map(|sink| sink.index)
        .collect();
    let n = done.common.geometry().n();
    let outcome = Outcome::degraded_if(good.len() < n);

    let mut object = report::stream_json(&done.common);
    report::add_totals(&mut object, &done.totals);
    object.insert("status".into(), json!(outcome.status()));
    object.insert("seconds".into(), json!(elapsed.as_secs_f64()));
    object.insert("shares".into(), report::sinks_json(&done.sinks));

    let written = match n - good.len() {
        0 => report::count(n, "share"),
        _ => format!("{} of {n} shares", good.len()),
    };
    let mut text = format!(
        "{written} written ({} in {}); {}",
        show_size(done.totals.length),
        show_time(elapsed),
        report::survival(&done.common, good)
    );
    if outcome == Outcome::Degraded {
        let command = report::command(
            "repair",
            sources(done, outputs, good),
            failed(done, outputs),
        );
        let _ = write!(text, "\nwrite what is missing by: {command}");
    }
    console.detail(format!(
        "stream {}, {}, shards of {} bytes",
        done.common.stream(),
        report::code(&done.common),
        done.common.shard_len()
    ));
    console
        .result(text, &object.into())
        .context("cannot print the result")?;
    Ok(outcome)
}

/// Where repair finds what was written: files as they are called, if they are enough; else what went
/// elsewhere, too, under a name that is to be filled in.
fn sources(done: &EncodeReport, outputs: &[OsString], good: ShardSet) -> Vec<OsString> {
    let is_file = |index: &usize| Path::new(&outputs[*index]).is_file();
    let files: ShardSet = good.iter().filter(is_file).collect();
    let taken = if done.common.code().is_recoverable(files) {
        files
    } else {
        good
    };
    let name = |index| {
        if files.contains(index) {
            outputs[index].clone()
        } else {
            format!("SHARE{index}").into()
        }
    };
    taken.iter().map(name).collect()
}

fn failed<'a>(
    done: &'a EncodeReport,
    outputs: &'a [OsString],
) -> impl Iterator<Item = &'a OsString> {
    let failed = done.sinks.iter().filter(|sink| is_failed(sink));
    failed.map(|sink| &outputs[sink.index])
}

fn is_failed(sink: &distdup::encode::SinkOutcome) -> bool {
    sink.failure.is_some()
}
