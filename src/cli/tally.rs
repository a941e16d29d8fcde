//! What a run of Duplicity came to, host by host.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::time::{Duration, Instant};

use distdup::catalogue::said;
use distdup::duplicity::hosts::{Target, host_of};
use distdup::duplicity::log::Record;
use distdup::duplicity::protocol::{Event, Failure, Report};
use distdup::duplicity::stored::{is_volume, unfinished};
use distdup::quote::quote;
use serde_json::{Map, Value, json};

use super::console::warn;
use super::report::count;
use super::size::{show_size, show_time};
use super::watch;

/// Messages about one host or matter that are shown; the others are counted.
pub const SHOWN: usize = 8;

/// What has been done so far, and what was wrong.
#[derive(Debug)]
pub struct Tally {
    /// What is counted; nothing means all.
    of: Option<Event>,
    began: Instant,
    /// By their position.
    hosts: Vec<OfHost>,
    bytes: u64,
    /// Bytes of objects that are under way.
    parts: HashMap<Vec<u8>, u64>,
    /// Names of those that are done.
    volumes: HashSet<Vec<u8>>,
    volumes_in_all: Option<usize>,
    /// Names of objects that could not be deleted, and why not.
    undeleted: BTreeMap<Vec<u8>, Failure>,
    left_out: usize,
    gnupg_failed: bool,
    archive_is_torn: bool,
}

/// What one host did.
#[derive(Debug, Default)]
struct OfHost {
    bytes: u64,
    shares: usize,
    /// Distinct messages, with their code and a count of objects.
    faults: Faults,
}

/// Messages, each with its code and a count of objects.
pub type Faults = BTreeMap<(String, Option<String>), usize>;

/// The first of them in a JSON object of its host, as `error` and `code`.
pub fn add_fault(object: &mut Value, faults: &Faults) {
    let first = faults.keys().next();
    object["error"] = json!(first.map(|(message, _)| message));
    object["code"] = json!(first.and_then(|(_, code)| code.as_ref()));
}

impl Tally {
    /// Of a run that begins now. What was found at the start counts.
    pub fn new(target: &Target, of: Option<Event>) -> Self {
        let mut hosts: Vec<OfHost> = Vec::new();
        hosts.resize_with(target.hosts.len(), OfHost::default);
        for error in target.status.silent() {
            if let Some(position) = target.position(host_of(error)) {
                hosts[position].faults.insert(said(error), 0);
            }
        }
        Self {
            of,
            began: Instant::now(),
            hosts,
            bytes: 0,
            parts: HashMap::new(),
            volumes: HashSet::new(),
            volumes_in_all: None,
            undeleted: BTreeMap::new(),
            left_out: 0,
            gnupg_failed: false,
            archive_is_torn: false,
        }
    }

    /// Counts what a resident reported.
    pub fn report(&mut self, target: &Target, report: Report) {
        if report.event == Event::Part {
            self.parts.insert(report.name.0, report.size);
            return;
        }
        self.parts.remove(&report.name.0);
        let is_delete = report.event == Event::Delete;
        if !is_delete && self.of.is_some_and(|of| of != report.event) {
            return;
        }
        if let Some(failure) = report.failure {
            let again = self.undeleted.insert(report.name.0.clone(), failure);
            if again.is_some() {
                return; // tried once more, and counted already
            }
        } else if is_delete {
            self.undeleted.remove(&report.name.0);
        }
        self.bytes += report.size;
        for written in report.written {
            if let Some(position) = target.position(&written.host) {
                self.hosts[position].bytes += written.bytes;
                self.hosts[position].shares += 1;
            }
        }
        for fault in report.faults {
            if let Some(position) = target.position(&fault.host) {
                let host = target.shown(position);
                let error = if tells_host(&fault.error, &fault.host) {
                    fault.error
                } else {
                    format!("{host}: {}", fault.error)
                };
                let faults = &mut self.hosts[position].faults;
                *faults.entry((error, fault.code)).or_default() += 1;
            }
        }
        if !is_delete && is_volume(&report.name.0) {
            self.volumes.insert(report.name.0);
        }
    }

    /// Counts what Duplicity logged.
    pub fn record(&mut self, record: &Record) {
        self.volumes_in_all = record.volumes_in_all().or(self.volumes_in_all);
        self.left_out += usize::from(record.leaves_out());
        self.gnupg_failed |= record.is_of_gnupg();
        self.archive_is_torn |= record.is_of_torn_archive();
    }

    /// Files that Duplicity left out.
    pub fn left_out(&self) -> usize {
        self.left_out
    }

    /// Whether `GnuPG` failed, as Duplicity logged.
    pub fn gnupg_failed(&self) -> bool {
        self.gnupg_failed
    }

    /// Whether Duplicity's archive is as a killed run left it, and it cannot go on, as it logged.
    pub fn archive_is_torn(&self) -> bool {
        self.archive_is_torn
    }

    /// Backups of which volumes were put.
    pub fn written(&self) -> Vec<String> {
        let puts = self.volumes.iter().filter(|_| self.of == Some(Event::Put));
        let found = unfinished(puts.map(Vec::as_slice), [].into_iter());
        found.into_iter().map(quote).collect()
    }

    /// Backups of which volumes were had, and that did not end, by what was stored at the start.
    pub fn unfinished(&self, target: &Target) -> Vec<String> {
        let stored = target.status.objects.iter();
        let stored = stored.map(|object| object.name.as_slice());
        let found = unfinished(self.volumes.iter().map(Vec::as_slice), stored);
        found.into_iter().map(quote).collect()
    }

    /// Whether anything has come yet.
    pub fn has_begun(&self) -> bool {
        self.so_far() > 0
    }

    fn so_far(&self) -> u64 {
        self.bytes + self.parts.values().sum::<u64>()
    }

    /// How far it is, for a line that is drawn again and again.
    pub fn line(&self) -> String {
        let volume = match self.volumes_in_all {
            Some(all) => format!("{} of {}", self.volumes.len(), count(all, "volume")),
            None => count(self.volumes.len(), "volume"),
        };
        let failed = self.hosts.iter().filter(|host| !host.faults.is_empty());
        let (bytes, elapsed) = (self.so_far(), self.began.elapsed());
        let rest = watch::line(bytes, elapsed, None, (failed.count(), "host"));
        format!("{volume}  {rest}")
    }

    /// What it came to: `3 volumes, 75 MB in 6.1 s`.
    pub fn sum(&self, took: Duration) -> String {
        format!(
            "{}, {} in {}",
            count(self.volumes.len(), "volume"),
            show_size(self.bytes),
            show_time(took)
        )
    }

    /// How long it has been.
    pub fn elapsed(&self) -> Duration {
        self.began.elapsed()
    }

    /// Objects that could not be deleted.
    pub fn undeleted(&self) -> usize {
        self.undeleted.len()
    }

    /// Whether all hosts did their part.
    pub fn is_good(&self) -> bool {
        self.undeleted.is_empty() && self.hosts.iter().all(|host| host.faults.is_empty())
    }

    /// The hosts that did not, as they are to be shown.
    pub fn bad_hosts(&self, target: &Target) -> Vec<String> {
        let bad = |position: &usize| !self.hosts[*position].faults.is_empty();
        (0..self.hosts.len())
            .filter(bad)
            .map(|position| target.shown(position))
            .collect()
    }

    /// What it came to, added to a JSON object.
    pub fn add_to(&self, object: &mut Map<String, Value>, took: Duration) {
        object.insert("bytes".into(), json!(self.bytes));
        object.insert("volumes".into(), json!(self.volumes.len()));
        object.insert("left_out".into(), json!(self.left_out));
        object.insert("seconds".into(), json!(took.as_secs_f64()));
    }

    /// As JSON, each host, and whether it did its part, which is called `well`.
    pub fn hosts_json(&self, target: &Target, well: &str) -> Value {
        let host = |(position, host): (usize, &OfHost)| {
            let failed: usize = host.faults.values().sum();
            let mut object = json!({
                "name": target.shown(position),
                well: host.faults.is_empty(),
                "bytes": host.bytes,
                "shares": host.shares,
                "failed": failed,
            });
            add_fault(&mut object, &host.faults);
            object
        };
        self.hosts.iter().enumerate().map(host).collect()
    }

    /// Warns of all that was wrong.
    pub fn warn(&self, target: &Target) {
        for (position, OfHost { faults, .. }) in self.hosts.iter().enumerate() {
            for ((message, _), count) in faults.iter().take(SHOWN) {
                match count {
                    0 | 1 => warn(message),
                    _ => warn(format!("{message} ({count} objects)")),
                }
            }
            if let more @ 1.. = faults.len().saturating_sub(SHOWN) {
                let host = target.shown(position);
                warn(format!("{host}: and {more} more of this host"));
            }
        }
        if let Some(Failure { error, code }) = self.undeleted.values().next() {
            let objects = count(self.undeleted.len(), "object");
            let code = code
                .iter()
                .map(|code| format!("; what to do: distdup explain {code}"));
            let code = code.collect::<String>();
            warn(format!("{objects} could not be deleted: {error}{code}"));
        }
    }
}

/// Whether a message tells, at its beginning, which host it is of.
fn tells_host(message: &str, host: &str) -> bool {
    let rest = message
        .strip_prefix("host ")
        .unwrap_or(message)
        .strip_prefix(host);
    rest.is_some_and(|rest| !rest.starts_with(char::is_alphanumeric))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_seen_whether_a_message_tells_its_host() {
        for (message, tells) in [
            ("host a is down", true),
            ("host a: cannot list", true),
            ("a is there, but is not a host", true),
            ("a/x.share is damaged", true),
            ("at byte 5", false),
            ("it has no share of it", false),
            ("failed at byte 65536: No space left on device", false),
        ] {
            assert_eq!(tells_host(message, "a"), tells, "{message}");
        }
    }
}
