//! `distdup inspect`: what a share says of itself.

use std::ffi::OsString;
use std::fmt::Write;
use std::slice;
use std::time::{Duration, UNIX_EPOCH};

use anyhow::Context;
use clap::Args;
use distdup::decode::ShareFlaw;
use distdup::format::Common;
use distdup::format::header::HeaderFault;
use distdup::quote::quote;
use distdup::verify::{Inspection, inspect};
use serde_json::{Value, json};

use super::console::{Console, warn};
use super::{Outcome, names, report};

/// Show what a share says of itself, without reading its frames
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  distdup inspect s2
  distdup inspect s2 --json | jq .stream

Nothing is checked but header and trailer; see distdup verify.")]
pub struct Inspect {
    /// Share: a path, fd:N, exec:COMMAND, or - for standard input
    #[arg(value_name = "SHARE")]
    pub share: OsString,
}

impl Inspect {
    pub fn run(self, console: Console) -> anyhow::Result<Outcome> {
        super::zfec::refuse_shares(slice::from_ref(&self.share))?;
        let shown = quote(self.share.as_encoded_bytes());
        let source = names::sources(&[self.share])?
            .pop()
            .context("one name is one source")?;
        let found = inspect(source).with_context(|| format!("cannot read {shown}"))?;
        let Some((common, index)) = &found.claims else {
            let fault = found.fault.unwrap_or(HeaderFault::NotAShare);
            return Err(fault).context(format!("{shown} is no share that can be read"));
        };
        if let Some(fault) = &found.fault {
            warn(format!("{shown}: {fault}; this stands in its trailer"));
        }
        // Of a pipe, the ending is not seen: that says nothing about it.
        let incomplete = found.len.is_some() && found.ending.is_none();
        if incomplete {
            warn(format!("{shown} has no good trailer: it is incomplete"));
        }
        let outcome = Outcome::degraded_if(found.fault.is_some() || incomplete);
        let json = as_json(&found, common, *index, outcome);
        console
            .result(as_text(&found, common, *index), &json)
            .context("cannot print the result")?;
        Ok(outcome)
    }
}

fn as_json(found: &Inspection, common: &Common, index: usize, outcome: Outcome) -> Value {
    let mut object = report::stream_json(common);
    object.insert("status".into(), json!(outcome.status()));
    object.insert("name".into(), json!(found.name));
    object.insert("index".into(), json!(index));
    object.insert("share_bytes".into(), json!(found.len));
    object.insert(
        "complete".into(),
        json!(found.len.map(|_| found.ending.is_some())),
    );
    object.insert(
        "fault".into(),
        json!(found.fault.as_ref().map(ToString::to_string)),
    );
    let flaw = found.fault.clone().map(ShareFlaw::Header);
    let cut = || (outcome == Outcome::Degraded).then_some(ShareFlaw::NoTrailer);
    object.insert(
        "code".into(),
        json!(flaw.or_else(cut).as_ref().and_then(report::code_of)),
    );
    if let Some(ending) = &found.ending {
        report::add_totals(&mut object, &ending.trailer.totals);
    }
    object.into()
}

/// Seconds since 1970 as a date, as long as the calendar in use has one.
fn date(time: u64) -> String {
    match UNIX_EPOCH.checked_add(Duration::from_secs(time)) {
        Some(date) if time < 253_402_300_800 => humantime::format_rfc3339_seconds(date).to_string(),
        _ => format!("{time} s after 1970 UTC"),
    }
}

fn as_text(found: &Inspection, common: &Common, index: usize) -> String {
    let identity = common.identity();
    let geometry = common.geometry();
    let mut lines = vec![
        ("share", format!("{index}, of 0 to {}", geometry.n() - 1)),
        ("stream", common.stream().to_string()),
        ("codec", report::code(common)),
        ("shards", format!("{} bytes", common.shard_len())),
        ("least shares", common.min_shares().to_string()),
        (
            "written",
            format!(
                "{}, generation {}",
                date(identity.time),
                identity.generation
            ),
        ),
    ];
    if !common.code().params().is_empty() {
        lines.insert(3, ("parameters", common.code().params().to_owned()));
    }
    if let Some(name) = &identity.name {
        lines.push(("object", quote(name)));
    }
    if let Some(len) = found.len {
        lines.push(("share length", format!("{len} bytes")));
    }
    match &found.ending {
        Some(ending) => {
            let totals = ending.trailer.totals;
            lines.push(("stream length", format!("{} bytes", totals.length)));
            lines.push(("stripes", totals.stripes.to_string()));
            lines.push(("digest", totals.digest.to_string()));
        }
        None if found.len.is_some() => lines.push(("stream length", "unknown: no trailer".into())),
        None => lines.push((
            "stream length",
            "not seen: the trailer of a pipe is at its end".into(),
        )),
    }
    let mut text = String::new();
    for (key, value) in lines {
        let _ = writeln!(text, "{key:<14} {value}");
    }
    text.truncate(text.trim_end().len());
    text
}
