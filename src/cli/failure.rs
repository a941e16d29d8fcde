//! What is said of a command that failed.

use std::env;
use std::error::Error;
use std::ffi::OsString;
use std::fmt;

use distdup::catalogue::{Catalogued, Chapter, Entry, catalogue, entry_of};
use distdup::decode::GatherError;
use distdup::quote::{for_shell, quote};
use serde_json::json;

use super::console::{Console, print_error};
use super::{Exit, Outcome};

/// What the program adds to the library's catalogue.
pub static CHAPTERS: &[Chapter] = &[
    Chapter::of::<Finding>("What was found out"),
    Chapter::of::<Usage>("Use"),
    Chapter::of::<Unknown>("All else"),
];

/// What a command found out that did what it was to do. Its result was printed already.
#[derive(Debug, thiserror::Error)]
pub enum Finding {
    /// By verify.
    #[error("{bad} of {all} shares are not whole, and do not give their stream back")]
    NotWhole {
        /// Shares that are not.
        bad: usize,
        /// Shares that were given.
        all: usize,
    },
    /// By why.
    #[error("{lost} of {stripes} stripes cannot be had from these shares")]
    Lost {
        /// Stripes that cannot be had.
        lost: u64,
        /// Stripes there are.
        stripes: u64,
    },
    /// By why, of shares that end before their stream does.
    #[error(transparent)]
    Incomplete(GatherError),
    /// By a salvage.
    #[error("the stream is not whole: {missing} of its bytes are missing, as far as can be told")]
    Salvaged {
        /// Bytes that are.
        missing: u64,
    },
}

catalogue! {
    Finding {
        Self::NotWhole { .. } => "shares-not-whole":
            "Alone these shares do not give their stream back; others may."
            "Give all shares that there are: distdup why SHARE...";
        Self::Lost { .. } => "does-not-come-back":
            "The stream cannot be restored in full from these shares. They are as they were."
            "Give one of the shares that are named as helpful, or take what there is: distdup decode --salvage SHARE... -o OUT";
        Self::Salvaged { .. } => "salvaged-in-part":
            "What was had is in its place in the output, and zeros are where the rest should be."
            "Keep the shares: with further ones the rest may come back. Which, says distdup why SHARE...";
    }
    passing { Self::Incomplete(error) => error; }
}

/// What no catalogue tells of.
#[derive(Debug, thiserror::Error)]
#[error("unknown")]
struct Unknown;

catalogue! {
    Unknown {
        Self => "failed":
            "Nothing usable is claimed."
            "See what the error says.";
    }
}

/// An error of usage: what was asked for makes no sense, and nothing was begun. It says what the
/// error in it says.
#[derive(Debug)]
pub struct Usage(anyhow::Error);

impl Usage {
    /// Of an error.
    pub fn new(error: impl Into<anyhow::Error>) -> Self {
        Self(error.into())
    }

    /// That says `text`.
    pub fn say(text: impl Into<String>) -> anyhow::Error {
        Self(anyhow::Error::msg(text.into())).into()
    }
}

impl fmt::Display for Usage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl Error for Usage {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.0.source()
    }
}

const USAGE: &[Entry] = &[Entry {
    code: "usage",
    meaning: "Nothing was read or written.",
    next: "See the command's own help: distdup COMMAND --help",
}];

impl Catalogued for Usage {
    const ENTRIES: &'static [Entry] = USAGE;

    fn entry(&self) -> Option<&'static Entry> {
        entry_of(self.0.as_ref(), &[]).or(USAGE.first())
    }
}

/// Prints what clap has to say instead of a command: help, the version, or what is wrong.
pub fn misspoken(error: &clap::Error) -> Exit {
    // Where it cannot be printed, the exit code says it.
    let _ = error.print();
    if !error.use_stderr() {
        return Exit::Ended(Outcome::Done);
    }
    // What was parsed is gone; a value that looks like the flag does no harm here.
    if env::args_os().any(|argument| argument == "--json") {
        let text = error.render().to_string();
        let first = text.trim_start_matches("error: ").split("\n\n").next();
        let words = first.unwrap_or_default().split_whitespace();
        let causes = [words.collect::<Vec<_>>().join(" ")];
        let next = USAGE[0].next.to_owned();
        print_json(Console::FOR_PROGRAMS, &causes, &USAGE[0], &next);
    }
    Exit::Usage
}

/// Prints an error of a command that was about `shares`, with what it means and what to do next.
pub fn report(console: Console, error: &anyhow::Error, shares: &[OsString]) -> Exit {
    let causes: Vec<String> = error.chain().map(ToString::to_string).collect();
    let entry = entry_of(error.as_ref(), CHAPTERS).unwrap_or(&Unknown::ENTRIES[0]);
    let next = with_names(entry.next, shares);
    print_error(&causes, entry.meaning, &next);
    let is_printed = error.chain().any(<dyn Error>::is::<Finding>);
    if console.json && !is_printed {
        print_json(console, &causes, entry, &next);
    }
    if error.chain().any(<dyn Error>::is::<Usage>) {
        Exit::Usage
    } else {
        Exit::Failed
    }
}

/// The result of a command that failed, for programs.
fn print_json(console: Console, causes: &[String], entry: &Entry, next: &str) {
    // Where even this cannot be printed, the exit code says it.
    let _ = console.result(
        "",
        &json!({
            "status": "failed",
            "code": entry.code,
            "error": causes,
            "meaning": entry.meaning,
            "next": next,
        }),
    );
}

/// What to do next, as a command that can be pasted.
fn with_names(next: &str, shares: &[OsString]) -> String {
    let name = |share: &OsString| for_shell(&quote(share.as_encoded_bytes()));
    match shares {
        [] => next.to_owned(),
        _ => next.replace(
            "SHARE...",
            &shares.iter().map(name).collect::<Vec<_>>().join(" "),
        ),
    }
}
