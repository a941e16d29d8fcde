//! What became of shares, in words and as JSON.

use std::ffi::{OsStr, OsString};
use std::fmt::Write;
use std::ops::Range;
use std::path::Path;

use distdup::catalogue::{Catalogued, said};
use distdup::decode::{FrameFault, SourceOutcome};
use distdup::duplicity::hosts::host_of;
use distdup::encode::SinkOutcome;
use distdup::format::{Common, Totals};
use distdup::quote::{name_for_shell, quote, with_causes};
use distdup::source;
use distdup::store::{HostError, Lost};
use distdup::survival::{self, Survival};
use distdup_codecs::ShardSet;
use serde_json::{Map, Value, json};

use super::console::{Console, warn};
use super::names;

/// Warns of every share that was not written, and says of the others that they were.
pub fn sinks(console: Console, sinks: &[SinkOutcome]) {
    for SinkOutcome {
        name,
        index,
        bytes,
        read_back: _,
        failure,
    } in sinks
    {
        match failure {
            Some(failure) => warn(format!("share {index}, {name}: {}", with_causes(failure))),
            None => console.detail(format!("share {index}, {name}: {bytes} bytes")),
        }
    }
}

/// The same where too few were: those that are complete are there all the same.
pub fn too_few(console: Console, sinks: &[SinkOutcome]) {
    self::sinks(console, sinks);
    for sink in sinks.iter().filter(|sink| sink.failure.is_none()) {
        warn(format!(
            "share {}, {}: complete, and left as it is",
            sink.index, sink.name
        ));
    }
}

/// As JSON: one object for each share that was to be written.
pub fn sinks_json(sinks: &[SinkOutcome]) -> Value {
    let share = |sink: &SinkOutcome| {
        json!({
            "index": sink.index,
            "name": sink.name,
            "bytes": sink.bytes,
            "read_back": sink.read_back,
            "failure": sink.failure.as_ref().map(|failure| with_causes(failure)),
            "code": sink.failure.as_ref().and_then(code_of),
        })
    };
    sinks.iter().map(share).collect()
}

/// Warns of everything that is wrong with shares of a stream that were read.
pub fn sources<'a>(
    console: Console,
    common: &Common,
    sources: impl IntoIterator<Item = &'a SourceOutcome>,
) {
    for source in sources {
        for fault in faults(source, common, None) {
            warn(format!("{}: {fault}", title(source)));
        }
        if source.is_good() {
            console.detail(format!(
                "{}: {} frames read, all good",
                title(source),
                source.frames
            ));
        }
    }
}

/// What is wrong with a share, a line for each. Where in the stream that is, `common` and the
/// stream's length tell, if that is known.
pub fn faults(source: &SourceOutcome, common: &Common, length: Option<u64>) -> Vec<String> {
    let mut lines = remarks(source);
    lines.extend(source.faults.iter().map(|fault| {
        let stripes = fault.stripe..fault.stripe.saturating_add(fault.count);
        format!("{}: {}", place(common, length, &stripes), fault.flaw)
    }));
    let counts = source.faults.iter().map(|fault| fault.count);
    let shown = counts.fold(0, u64::saturating_add);
    match source.fault_count.saturating_sub(shown) {
        0 => {}
        more => lines.push(format!("and {more} more bad frames")),
    }
    lines
}

/// What is wrong with a share other than its frames.
pub fn remarks(source: &SourceOutcome) -> Vec<String> {
    let failure = source.failure.iter().map(|failure| with_causes(failure));
    failure
        .chain(source.flaws.iter().map(ToString::to_string))
        .collect()
}

/// `stripe 17 (bytes 1114112..1179648)`, of the stream.
pub fn place(common: &Common, length: Option<u64>, stripes: &Range<u64>) -> String {
    let bytes = common.bytes_of(stripes, length);
    format!(
        "{} (bytes {}..{})",
        self::stripes(stripes),
        bytes.start,
        bytes.end
    )
}

/// `stripe 7`, `stripes 7 to 9`.
fn stripes(stripes: &Range<u64>) -> String {
    match stripes.end - stripes.start {
        1 => format!("stripe {}", stripes.start),
        _ => format!("stripes {} to {}", stripes.start, stripes.end - 1),
    }
}

/// As JSON: one object for each share that was read.
pub fn source_json(source: &SourceOutcome) -> Value {
    json!({
        "name": source.name,
        "index": source.index,
        "good": source.is_good(),
        "frames": source.frames,
        "bad_frames": source.fault_count,
        "complete": source.complete,
        "code": source.code(),
        "remarks": remarks_json(source),
        "faults": source.faults.iter().map(fault_json).collect::<Value>(),
    })
}

/// As JSON: frames one after another that could not be used.
pub fn fault_json(fault: &FrameFault) -> Value {
    json!({
        "stripe": fault.stripe,
        "count": fault.count,
        "state": fault.flaw.state().to_string(),
        "what": fault.flaw.to_string(),
        "code": code_of(&fault.flaw),
    })
}

/// What is wrong with a share other than its frames, with the code of each.
fn remarks_json(source: &SourceOutcome) -> Value {
    let failure = source.failure.iter().map(code_of);
    let codes = failure.chain(source.flaws.iter().map(code_of));
    let remark = |(what, code)| json!({ "what": what, "code": code });
    remarks(source).into_iter().zip(codes).map(remark).collect()
}

/// As JSON: one object for each stream that may have been lost.
pub fn lost_json(lost: &[Lost]) -> Value {
    let object = |lost: &Lost| {
        json!({
            "object": quote(&lost.name),
            "generation": lost.version.generation,
            "has_older": lost.has_older,
            "hosts": lost.hosts,
            "n": lost.n,
            "code": code_of(lost),
        })
    };
    lost.iter().map(object).collect()
}

/// As JSON: what is wrong with a host.
pub fn host_error_json(error: &HostError) -> Value {
    let (message, code) = said(error);
    json!({ "host": host_of(error), "error": message, "code": code })
}

/// The code of what became of something.
pub fn code_of(failure: &impl Catalogued) -> Option<&'static str> {
    failure.entry().map(|entry| entry.code)
}

/// The share's name, and which it is.
pub fn title(source: &SourceOutcome) -> String {
    match source.index {
        Some(index) => format!("share {index}, {}", source.name),
        None => source.name.clone(),
    }
}

/// What all shares of a stream say alike, as JSON.
pub fn stream_json(common: &Common) -> Map<String, Value> {
    let identity = common.identity();
    let code = common.code();
    let mut object = Map::new();
    for (key, value) in [
        ("stream", json!(common.stream().to_string())),
        ("generation", json!(identity.generation)),
        ("time", json!(identity.time)),
        ("codec", json!(code.id())),
        ("params", json!(code.params())),
        ("k", json!(code.geometry().k())),
        ("n", json!(code.geometry().n())),
        ("shard_length", json!(common.shard_len())),
        ("min_shares", json!(common.min_shares())),
        ("object", json!(identity.name.as_ref().map(quote))),
    ] {
        object.insert(key.into(), value);
    }
    object
}

/// What a stream came to, added to a JSON object.
pub fn add_totals(object: &mut Map<String, Value>, totals: &Totals) {
    object.insert("length".into(), json!(totals.length));
    object.insert("stripes".into(), json!(totals.stripes));
    object.insert("digest".into(), json!(totals.digest.to_string()));
}

/// A code and its geometry: `rs16 (4, 6)`.
pub fn code(common: &Common) -> String {
    format!("{} {}", common.code().id(), common.geometry())
}

/// What these shares can still lose: `any 2 of 6 may be lost`.
pub fn survival(common: &Common, shares: ShardSet) -> String {
    let there = shares.len();
    match survival::of(&**common.code(), shares) {
        None => format!("{} alone cannot restore it", count(there, "whole share")),
        Some(Survival { losses: 0, .. }) if there == common.geometry().k() => {
            "none of them may be lost".into()
        }
        Some(Survival { losses: 0, .. }) => "some one of them must not be lost".into(),
        Some(Survival { losses, exact }) => {
            format!(
                "any {losses} of {there} may be lost{}",
                if exact { "" } else { ", or more" }
            )
        }
    }
}

/// A command that reads shares and writes outputs, as a shell takes it.
pub fn command<I: AsRef<OsStr>, O: AsRef<OsStr>>(
    what: &str,
    shares: impl IntoIterator<Item = I>,
    outputs: impl IntoIterator<Item = O>,
) -> String {
    let mut command = format!("distdup {what}");
    for name in shares {
        let _ = write!(command, " {}", name_for_shell(name));
    }
    for name in outputs {
        let _ = write!(command, " -o {}", name_for_shell(name));
    }
    command
}

/// A source that was given, and what is known of the share in it.
pub struct Given<'a> {
    /// As it was given.
    pub name: &'a OsStr,
    /// Which share it is, if that is known.
    pub index: Option<usize>,
    /// Whether that is whole.
    pub is_whole: bool,
}

/// Commands that give all n shares of a stream from those that are given; none if nothing is amiss, or
/// what is needed is in no file.
/// What has no name yet, or a name that is no output's, is called `SHARE3`.
pub fn mending(common: &Common, given: &[Given<'_>]) -> Option<String> {
    let mut remnants = given
        .iter()
        .filter(|one| one.index.is_none() && names::is_remnant(one.name));
    let mut commands = Vec::new();
    let mut outputs: Vec<OsString> = Vec::new();
    let mut replaces = false;
    for index in 0..common.geometry().n() {
        let copies = || given.iter().filter(|one| one.index == Some(index));
        let source = if let Some(whole) = copies().find(|one| one.is_whole) {
            whole.name.to_owned()
        } else {
            let is_file = |one: &&Given<'_>| source::is_path(one.name);
            let place = match copies().next() {
                None => remnants.next(),
                Some(_) => copies().find(is_file),
            };
            replaces |= place.is_some_and(|place| Path::new(place.name).exists());
            let named = place.map(|place| place.name.to_owned());
            outputs.push(named.unwrap_or_else(|| format!("SHARE{index}").into()));
            outputs[outputs.len() - 1].clone()
        };
        // Further copies are no share of their own.
        let others = copies().filter(|one| !one.is_whole && one.name != source);
        if !source::is_path(&source) {
            continue;
        }
        for other in others.filter(|one| source::is_path(one.name)) {
            let (source, other) = (name_for_shell(&source), name_for_shell(other.name));
            commands.push(format!("cp {source} {other}"));
        }
    }
    if !outputs.is_empty() {
        // What repair cannot read twice it takes for whole.
        let is_of_use = |one: &&Given<'_>| one.is_whole || source::is_path(one.name);
        let sources = || given.iter().filter(is_of_use);
        let there: ShardSet = sources().filter_map(|one| one.index).collect();
        if !common.code().is_recoverable(there) {
            return None;
        }
        let known = sources().filter(|one| one.index.is_some());
        let mut repair = command("repair", known.map(|one| one.name), outputs);
        if replaces {
            repair += " --force";
        }
        commands.insert(0, repair);
    }
    (!commands.is_empty()).then(|| commands.join(" && "))
}

/// Where some bytes or stripes are, as JSON: from the first to before the second.
pub fn range_json(range: &Range<u64>) -> Value {
    json!([range.start, range.end])
}

/// `share 3`, `one of shares 3, 5`.
pub fn one_of(shares: ShardSet) -> String {
    match shares.len() {
        1 => format!("share {shares}"),
        _ => format!("one of shares {shares}"),
    }
}

/// `1 share`, `6 shares`.
pub fn count(number: usize, what: &str) -> String {
    count_of(number as u64, what)
}

/// The same of what may be many.
pub fn count_of(number: u64, what: &str) -> String {
    format!("{number} {what}{}", if number == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_have_the_names_that_were_given() {
        let command = command("repair", ["we\\ird", "a\nb", "-s"], ["\x1b"]);
        assert_eq!(
            command,
            r"distdup repair 'we\ird' $'a\012b' ./-s -o $'\033'"
        );
    }

    #[test]
    fn commands_can_be_pasted() {
        let command = command("repair", ["s0", "a b"], ["exec:echo 'x'"]);
        assert_eq!(command, r"distdup repair s0 'a b' -o 'exec:echo '\''x'\'''");
    }
}
