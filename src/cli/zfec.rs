//! zfec's shares on the command line: the other format of `encode` and `decode`.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::Read;
use std::time::Duration;

use anyhow::Context;
use clap::ValueEnum;
use distdup::format::header::OPENING;
use distdup::quote::quote;
use distdup::source;
use distdup::zfec::{DecodeReport, ZfecError};
use serde_json::{Map, Value, json};

use super::console::{Console, warn};
use super::report::count;
use super::size::{show_size, show_time};
use super::{Outcome, Usage};

/// How shares are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// distdup's own, with digests
    Distdup,
    /// .fec files, as zfec's program writes them: no digests, no names
    Zfec,
}

impl Format {
    /// What the sources hold: what was said, or else what the names of files say. A command's last word is
    /// no name of what it gives.
    pub fn of(said: Option<Self>, names: &[OsString]) -> anyhow::Result<Self> {
        let is_fec = |name: &&OsString| name.as_encoded_bytes().ends_with(b".fec");
        let files = || names.iter().filter(|name| source::is_path(name));
        let mixed = || files().find(is_fec).zip(files().find(|name| !is_fec(name)));
        match (said, mixed()) {
            (Some(said), _) => Ok(said),
            (None, Some((fec, other))) => Err(Usage::say(format!(
                "{} seems to be a share of zfec's and {} one of distdup's: give shares of one kind, \
                 or say which they are with --format",
                quote(fec.as_encoded_bytes()),
                quote(other.as_encoded_bytes())
            ))),
            (None, None) if files().any(|name| is_fec(&name)) => Ok(Self::Zfec),
            (None, None) => Ok(Self::Distdup),
        }
    }
}

/// Refuses shares of zfec's, as the names of files tell them, where they are of no use.
pub fn refuse_shares(names: &[OsString]) -> anyhow::Result<()> {
    let is_fec = |name: &OsString| {
        let is_named_so = name.as_encoded_bytes().ends_with(b".fec") && source::is_path(name);
        // Whatever can be read but once is left to whoever reads it.
        is_named_so && fs::metadata(name).is_ok_and(|it| it.is_file())
    };
    let begins = |name: &OsString| {
        let mut start = [0; OPENING.len()];
        let read = File::open(name).and_then(|mut file| file.read_exact(&mut start));
        read.is_ok() && start == OPENING
    };
    match names.iter().find(|name| is_fec(name) && !begins(name)) {
        None => Ok(()),
        Some(name) => Err(Usage::say(format!(
            "{} seems to be a share of zfec's, which has no digest to check it by: give more of them than \
             suffice to distdup decode, which tells whether they agree; encode what it gives to have all of them",
            quote(name.as_encoded_bytes())
        ))),
    }
}

/// Refuses options that mean nothing for such shares: each with whether it was given.
pub fn refuse(options: &[(&str, bool)]) -> anyhow::Result<()> {
    match options.iter().find(|(_, is_given)| *is_given) {
        None => Ok(()),
        Some((option, _)) => Err(Usage::say(format!(
            "{option} is not for shares of zfec's: all are read or written, in step, in zfec's own \
             stripes, or none; leave it out, or use distdup's format"
        ))),
    }
}

/// Says what an encode to zfec's shares did.
pub fn encoded(
    console: Console,
    result: Result<u64, ZfecError>,
    (k, n): (usize, usize),
    elapsed: Duration,
    stopped: bool,
) -> anyhow::Result<Outcome> {
    let length = result.context(if stopped {
        "stopped by a signal"
    } else {
        "nothing was encoded"
    })?;
    let text = format!(
        "{} written in zfec's format ({} in {}); any {k} give the stream back, and nothing in them \
         tells of damage",
        count(n, "share"),
        show_size(length),
        show_time(elapsed)
    );
    finish(console, text, object(k, n, length, elapsed))
}

/// Says what a decode of zfec's shares did, and what it cannot know.
pub fn decoded(
    console: Console,
    result: Result<DecodeReport, ZfecError>,
    elapsed: Duration,
    stopped: bool,
) -> anyhow::Result<Outcome> {
    let done = result.context(if stopped {
        "stopped by a signal"
    } else {
        "the stream was not restored"
    })?;
    let DecodeReport {
        k,
        n,
        length,
        agreed,
    } = done;
    if agreed == 0 {
        warn(
            "zfec's shares have no digests: whether they are undamaged and of one file could not be \
             checked (with more of them than suffice, it could)",
        );
    } else {
        warn(format!(
            "zfec's shares have no digests: all that could be checked is that {} more than suffice \
             agreed",
            count(agreed, "share")
        ));
    }
    let text = format!("{} restored in {}", show_size(length), show_time(elapsed));
    let mut object = object(k, n, length, elapsed);
    object.insert("agreed".into(), json!(agreed));
    finish(console, text, object)
}

fn object(k: usize, n: usize, length: u64, elapsed: Duration) -> Map<String, Value> {
    let mut object = Map::new();
    object.insert("format".into(), json!("zfec"));
    object.insert("k".into(), json!(k));
    object.insert("n".into(), json!(n));
    object.insert("length".into(), json!(length));
    object.insert("status".into(), json!(Outcome::Done.status()));
    object.insert("seconds".into(), json!(elapsed.as_secs_f64()));
    object
}

fn finish(console: Console, text: String, object: Map<String, Value>) -> anyhow::Result<Outcome> {
    console
        .result(text, &object.into())
        .context("cannot print the result")?;
    Ok(Outcome::Done)
}
