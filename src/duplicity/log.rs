//! Duplicity's log for machines, which it writes to a descriptor that it is told (`--log-fd`).
//!
//! A record is a line with a level, a code and perhaps more, then the message's lines, each after
//! `". "`, then an empty line. Codes never change, as Duplicity promises; messages are for people.

use std::io::{self, BufRead};
use std::ops::Range;

/// Ends a log that others could still write to. No text.
pub const END: u8 = 0;

/// What Duplicity says of each volume that is done.
const PROGRESS: u32 = 2;
/// Warnings that a file, or a folder, was left out: it could not be listed, looked at, read, or
/// processed, or was skipped.
const LEFT_OUT: [u32; 5] = [8, 9, 10, 12, 13];
/// Errors of a backend, which it no longer tries to get over.
const OF_BACKEND: Range<u32> = 50..70;
/// Of what Duplicity 0.8 dies where it was killed between two changes of its archive: signatures that are
/// in two chains, and a manifest that is done and still called a part.
const TORN_ARCHIVE: [&str; 2] = [
    "get_sorted_chains",
    "Cannot set filename of remote manifest",
];
const RECORD_LIMIT: usize = 1 << 16;

/// A record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// How much it matters.
    pub level: Level,
    /// What it is about; numbers of one level alone.
    pub code: u32,
    /// What follows the code.
    pub more: String,
    /// For people; it may have several lines.
    pub message: String,
}

/// How much a record matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// All that can be said.
    Debug,
    /// What it does.
    Info,
    /// What it says unless told otherwise.
    Notice,
    /// Something is not as it should be.
    Warning,
    /// It failed.
    Error,
}

impl Level {
    fn parse(word: &str) -> Option<Self> {
        Some(match word {
            "DEBUG" => Self::Debug,
            "INFO" => Self::Info,
            "NOTICE" => Self::Notice,
            "WARNING" => Self::Warning,
            "ERROR" => Self::Error,
            _ => return None,
        })
    }
}

impl Record {
    /// Whether it says that something was left out. Duplicity calls such a run a good one.
    pub fn leaves_out(&self) -> bool {
        self.level == Level::Warning && LEFT_OUT.contains(&self.code)
    }

    /// Whether it says that a backend failed for good. Duplicity ends then.
    pub fn gives_up(&self) -> bool {
        self.level == Level::Error && OF_BACKEND.contains(&self.code)
    }

    /// Whether it passes on why `GnuPG` failed, in whichever language. Duplicity 0.8 goes on where that was of
    /// the manifest of the last backup.
    pub fn is_of_gnupg(&self) -> bool {
        self.level == Level::Error && self.message.lines().any(|line| line.starts_with("gpg: "))
    }

    /// Whether it says that Duplicity's archive is as a killed run left it, and Duplicity cannot go on.
    pub fn is_of_torn_archive(&self) -> bool {
        let is_of_it = TORN_ARCHIVE.iter().any(|what| self.message.contains(what));
        self.level == Level::Error && is_of_it
    }

    /// How many volumes there are, where it says of one that it is done, and of how many.
    pub fn volumes_in_all(&self) -> Option<usize> {
        // Without a message it is about what was read so far.
        let ends = self.level == Level::Info && self.code == PROGRESS && !self.message.is_empty();
        let all = ends.then(|| self.more.split(' ').nth(1)).flatten()?;
        all.parse().ok()
    }
}

/// Calls `heed` for each record, until the log's end or [`END`]. What is no record is passed over.
///
/// # Errors
/// The log cannot be read.
pub fn read(mut log: impl BufRead, mut heed: impl FnMut(Record)) -> io::Result<()> {
    let mut record: Option<Record> = None;
    let mut line = Vec::new();
    loop {
        line.clear();
        let ended = log.read_until(b'\n', &mut line)? == 0 || line.contains(&END);
        let text = String::from_utf8_lossy(&line);
        let text = text.strip_suffix('\n').unwrap_or(&text);
        match (text.strip_prefix(". "), &mut record) {
            _ if ended || text.is_empty() => record.take().into_iter().for_each(&mut heed),
            (Some(more), Some(record)) if record.message.len() < RECORD_LIMIT => {
                if !record.message.is_empty() {
                    record.message.push('\n');
                }
                record.message.push_str(more);
            }
            (None, None) => record = header(text),
            _ => {}
        }
        if ended {
            return Ok(());
        }
    }
}

fn header(line: &str) -> Option<Record> {
    let mut words = line.splitn(3, ' ');
    Some(Record {
        level: Level::parse(words.next()?)?,
        code: words.next()?.parse().ok()?,
        more: words.next().unwrap_or_default().to_owned(),
        message: String::new(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn records(log: &str) -> Vec<Record> {
        let mut records = Vec::new();
        read(log.as_bytes(), |record| records.push(record)).unwrap();
        records
    }

    fn record(level: Level, code: u32, more: &str, message: &str) -> Record {
        Record {
            level,
            code,
            more: more.into(),
            message: message.into(),
        }
    }

    #[test]
    fn records_are_read_as_duplicity_writes_them() {
        let log = "NOTICE 1\n. Last full backup date: none\n\nINFO 2 2500003\n\n\
                   INFO 4 'a b'\n. A a b\n\nINFO 2 2500003\n. Processed volume 1\n\n\
                   WARNING 5\n. Two\n. lines\n\nERROR 50 BackendException\n. ERROR 1\n. \n. x\n\n";
        let records = records(log);
        assert_eq!(
            records,
            [
                record(Level::Notice, 1, "", "Last full backup date: none"),
                record(Level::Info, 2, "2500003", ""),
                record(Level::Info, 4, "'a b'", "A a b"),
                record(Level::Info, 2, "2500003", "Processed volume 1"),
                record(Level::Warning, 5, "", "Two\nlines"),
                record(Level::Error, 50, "BackendException", "ERROR 1\n\nx"),
            ]
        );
        let restored = super::tests::records("INFO 2 1 3\n. Processed volume 1 of 3\n\n");
        assert_eq!(restored[0].volumes_in_all(), Some(3));
        let none: Vec<_> = records.iter().map(Record::volumes_in_all).collect();
        assert_eq!(none, [None; 6]);
        let last: Vec<_> = records.iter().map(Record::gives_up).collect();
        assert_eq!(last, [false, false, false, false, false, true]);

        let of_gnupg = |log| super::tests::records(log)[0].is_of_gnupg();
        assert!(of_gnupg(
            "ERROR 1\n. Error processing remote manifest (x): GPG Failed, see log below:\n\
             . ===== Begin GnuPG log =====\n. gpg: decryption failed: Bad session key\n\n"
        ));
        assert!(!of_gnupg("WARNING 1\n. gpg: is old\n\n"));
        assert!(!of_gnupg("ERROR 1\n. not gpg: x\n\n"));

        let of_archive = |log| super::tests::records(log)[0].is_of_torn_archive();
        assert!(of_archive(
            "ERROR 30 AssertionError\n. Traceback (innermost last):\n\
             .   File \"x.py\", line 1, in set_files\n\
             .  AssertionError: Cannot set filename of remote manifest\n\n"
        ));
        assert!(!of_archive("ERROR 30 AssertionError\n. AssertionError\n\n"));

        let log = "WARNING 12\n. Error patching a\n\nWARNING 1\n. x\n\nINFO 12\n. x\n\n";
        let left: Vec<_> = super::tests::records(log)
            .iter()
            .map(Record::leaves_out)
            .collect();
        assert_eq!(left, [true, false, false]);
    }

    #[test]
    fn what_is_cut_off_or_no_record_does_no_harm() {
        assert_eq!(
            records("rubbish\n. more\n\nERROR 7\n. cut"),
            [record(Level::Error, 7, "", "cut")]
        );
        assert_eq!(records("ERROR x\n\n\n\nINFO\n\n"), []);
        // Whatever else has the descriptor is not waited for.
        assert_eq!(
            records("NOTICE 1\n. said\n\0NOTICE 2\n. unheard\n\n"),
            [record(Level::Notice, 1, "", "said")]
        );
    }
}
