//! How often a fault was tried and what came of it, in a line that `scripts/faults.sh` collects.

#![allow(dead_code, reason = "each test file uses its own part")]

use std::fmt::Write;
use std::thread;

/// Whether to try everything, rather than what a minute allows.
pub fn full() -> bool {
    let full = std::env::var_os("DISTDUP_TEST_FULL").is_some_and(|value| value == "1");
    if !full {
        eprintln!("a part of the cases; DISTDUP_TEST_FULL=1 tries all of them");
    }
    full
}

/// Counts the trials of one fault. The line is printed when it goes, and says so if the test failed.
#[derive(Debug)]
pub struct Tally {
    fault: String,
    seen: Vec<(&'static str, u64)>,
}

impl Tally {
    /// Of a fault, as docs/RELIABILITY.md calls it.
    pub fn of(fault: impl Into<String>) -> Self {
        Self {
            fault: fault.into(),
            seen: Vec::new(),
        }
    }

    /// One more trial, that came out as `what`.
    pub fn count(&mut self, what: &'static str) {
        self.add(what, 1);
    }

    /// `trials` more that came out as `what`.
    pub fn add(&mut self, what: &'static str, trials: u64) {
        match self.seen.iter_mut().find(|(seen, _)| *seen == what) {
            Some((_, count)) => *count += trials,
            None => self.seen.push((what, trials)),
        }
    }
}

impl Drop for Tally {
    fn drop(&mut self) {
        let tried: u64 = self.seen.iter().map(|(_, count)| count).sum();
        let mut line = format!("faults: {}: {tried} tried", self.fault);
        for (what, count) in &self.seen {
            let _ = write!(line, ", {count} {what}");
        }
        // An assertion has failed: whatever was not counted is wrong.
        let wrong = u64::from(thread::panicking());
        let test = thread::current();
        let test = test.name().unwrap_or("?");
        eprintln!("{line}, {wrong} wrong [{test}]");
    }
}
