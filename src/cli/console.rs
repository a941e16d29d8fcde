//! Where results and talk go.

use std::env;
use std::fmt::Display;
use std::io::{self, Write};

use distdup::catalogue::Entry;
use serde_json::Value;

use super::watch::can_redraw;

/// How much is said, and where: results on standard output, unless that carries the data itself.
#[derive(Debug, Clone, Copy)]
pub struct Console {
    /// How much.
    pub verbosity: Verbosity,
    /// Results are for programs.
    pub json: bool,
    /// Standard output carries a stream or share.
    pub data_on_stdout: bool,
}

/// How much is said beside errors and warnings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verbosity {
    /// Nothing.
    Quiet,
    /// Results.
    Normal,
    /// Also what is usually of no interest.
    Verbose,
}

impl Console {
    /// Where nothing is known but that a program asks.
    pub const FOR_PROGRAMS: Self = Self {
        verbosity: Verbosity::Normal,
        json: true,
        data_on_stdout: false,
    };

    /// The same while standard output carries data, or does not.
    pub fn with_data_on_stdout(self, data_on_stdout: bool) -> Self {
        Self {
            data_on_stdout,
            ..self
        }
    }

    /// Whether a progress line may be drawn.
    pub fn shows_progress(self) -> bool {
        self.verbosity > Verbosity::Quiet && can_redraw()
    }

    /// Prints a command's result, in the one form or the other.
    pub fn result(self, text: impl Display, json: &Value) -> io::Result<()> {
        if self.json {
            self.print(json)
        } else if self.verbosity == Verbosity::Quiet {
            Ok(())
        } else {
            self.print(plain(&text.to_string()))
        }
    }

    /// Says what is good to know before there is a result.
    pub fn note(self, text: impl Display) {
        if self.verbosity > Verbosity::Quiet {
            say(plain(&text.to_string()));
        }
    }

    /// Says what only a curious user wants to know.
    pub fn detail(self, text: impl Display) {
        if self.verbosity == Verbosity::Verbose {
            say(plain(&text.to_string()));
        }
    }

    fn print(self, text: impl Display) -> io::Result<()> {
        let result = if self.data_on_stdout {
            writeln!(io::stderr(), "{text}")
        } else {
            let mut out = io::stdout().lock();
            writeln!(out, "{text}").and_then(|()| out.flush())
        };
        match result {
            // As in `distdup inspect s0 | head -1`: the reader has seen what it wanted, and the
            // work is done. (A stream that is cut off by its reader is another matter; that goes
            // through a sink, and fails.)
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
            result => result,
        }
    }
}

/// Says what the user must know, whatever the result is.
pub fn warn(text: impl Display) {
    let text = plain(&text.to_string());
    say(format!("{} {text}", paint("warning:", "33")));
}

/// Prints an error and what caused it, what it means for the data, what to do next, and its code.
pub fn print_error(causes: &[String], entry: &Entry, next: &str) {
    let text = causes.join("\n  because: ");
    let Entry { code, meaning, .. } = entry;
    let error = paint("error:", "31");
    say(format!(
        "{error} {}\n  meaning: {meaning}\n  next: {next}\n  code: {code}",
        plain(&text)
    ));
}

/// The code of an error that was printed otherwise.
pub fn print_code(entry: &Entry) {
    say(format!("  code: {}", entry.code));
}

/// Whatever is said, names in it are quoted already; what comes through as another program said it,
/// such as Duplicity or the system, is made to be only shown here.
fn plain(text: &str) -> String {
    let lines = text.split('\n').map(|line| {
        let is_shown = |c: &char| matches!(c, '\'' | '"' | '\\') || c.escape_debug().len() == 1;
        let mut out = String::with_capacity(line.len());
        for c in line.chars() {
            if is_shown(&c) {
                out.push(c);
            } else {
                out.extend(c.escape_debug());
            }
        }
        out
    });
    lines.collect::<Vec<_>>().join("\n")
}

fn say(text: impl Display) {
    // Where it cannot be printed, there is nobody to hear it.
    let _ = writeln!(io::stderr(), "{text}");
}

/// In colour where standard error shows some, and nobody objects (<https://no-color.org>).
fn paint(text: &str, colour: &str) -> String {
    let objected = env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    if can_redraw() && !objected {
        format!("\x1b[1;{colour}m{text}\x1b[0m")
    } else {
        format!("distdup: {text}")
    }
}
