//! What is said of a command that failed.

use std::env;
use std::error::Error;
use std::ffi::OsString;
use std::fmt;

use clap::CommandFactory;
use clap::builder::StyledStr;
use clap::error::{ContextKind, ContextValue, ErrorKind};
use distdup::agreement::is_cancelled;
use distdup::catalogue::{Catalogued, Chapter, Entry, catalogue, entry_of};
use distdup::decode::GatherError;
use distdup::duplicity::hosts::HostsError;
use distdup::encode::EncodeError;
use distdup::quote::{name_for_shell, quote};
use distdup::repair::RepairError;
use serde_json::{Value, json};

use super::console::{Console, print_code, print_error};
use super::{Cli, Exit, Outcome, report};

/// What the program adds to the library's catalogue.
pub static CHAPTERS: &[Chapter] = &[
    Chapter::of::<Finding>("What was found out"),
    Chapter::of::<super::session::Unwell>("Runs of Duplicity"),
    Chapter::of::<Misspoken>("Command lines"),
    Chapter::of::<Usage>("Use"),
    Chapter::of::<Unknown>("All else"),
];

/// What a command found out that did what it was to do. Its result was printed already.
#[derive(Debug, thiserror::Error)]
pub enum Finding {
    /// By verify.
    #[error(
        "{}, and {} not give the stream back",
        if *all == 1 { "the share is not whole".into() } else { format!("{bad} of {all} shares are not whole") },
        if *all == 1 { "alone does" } else { "these do" }
    )]
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
    /// By verify, of shares that are whole.
    #[error(
        "{}",
        if is_cancelled(.0) { "stopped by a signal" } else { "the shares could not be held against each other" }
    )]
    NotHeld(#[source] RepairError),
    /// By a salvage.
    #[error(
        "the stream is not whole: {missing} of its bytes are missing{}",
        unknown_from.map_or_else(String::new, |from| format!(", and nothing is known from byte {from} on"))
    )]
    Salvaged {
        /// Bytes that are.
        missing: u64,
        /// Where the end is not known, up to where anything is.
        unknown_from: Option<u64>,
    },
}

catalogue! {
    Finding {
        Self::NotWhole { .. } => "shares-not-whole":
            "Alone these shares do not give their stream back; others may."
            "Give all shares that there are: distdup why SHARE...";
        Self::Lost { .. } => "does-not-come-back":
            "The stream cannot be restored in full from these shares. They are as they were."
            "Give shares that are named as helpful, or take what there is: distdup decode --salvage SHARE... -o OUT";
        Self::Salvaged { .. } => "salvaged-in-part":
            "What was had is in its place in the output, and zeros are where the rest should be."
            "Keep the shares: with further ones the rest may come back. Which, says distdup why SHARE...";
    }
    passing {
        Self::NotHeld(error) => error;
        Self::Incomplete(error) => error;
    }
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

/// Why a command line cannot be read, in the words of clap's first paragraph.
#[derive(Debug, thiserror::Error)]
pub enum Misspoken {
    /// No such command, or none.
    #[error("{0}")]
    Command(String),
    /// No such option, or too many arguments.
    #[error("{0}")]
    Option(String),
    /// A value that an option cannot have.
    #[error("{0}")]
    Value(String),
    /// Something that has to be there.
    #[error("{0}")]
    Missing(String),
    /// Options that exclude each other.
    #[error("{0}")]
    Conflict(String),
}

catalogue! {
    Misspoken {
        Self::Command(_) => "usage-command":
            "Nothing was read or written."
            "See which commands there are: distdup COMMAND --help";
        Self::Option(_) => "usage-option":
            "Nothing was read or written."
            "See which options it has: distdup COMMAND --help. A name that begins with - is given as ./-name.";
        Self::Value(_) => "usage-value":
            "Nothing was read or written."
            "See which values it takes: distdup COMMAND --help";
        Self::Missing(_) => "usage-missing":
            "Nothing was read or written."
            "Give what is missing; examples are in distdup COMMAND --help";
        Self::Conflict(_) => "usage-conflict":
            "Nothing was read or written."
            "Leave out one of the two; see distdup COMMAND --help";
    }
}

impl Misspoken {
    fn of(error: &clap::Error) -> Self {
        let text = error.render().to_string();
        let first = text.trim_start_matches("error: ").split("\n\n").next();
        let words = first.unwrap_or_default().split_whitespace();
        let text = words.collect::<Vec<_>>().join(" ");
        match error.kind() {
            ErrorKind::InvalidSubcommand
            | ErrorKind::MissingSubcommand
            | ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => Self::Command(text),
            ErrorKind::MissingRequiredArgument => Self::Missing(text),
            ErrorKind::ArgumentConflict => Self::Conflict(text),
            ErrorKind::UnknownArgument => Self::Option(text),
            _ => Self::Value(text),
        }
    }
}

/// Prints what clap has to say instead of a command: help, the version, or what is wrong.
pub fn misspoken(mut error: clap::Error) -> Exit {
    if !error.use_stderr() {
        // Where it cannot be printed, the exit code says it.
        let _ = error.print();
        return Exit::Ended(Outcome::Done);
    }
    let about = About {
        command: guessed_command(),
        ..About::default()
    };
    quote_context(&mut error);
    mend_tip(&mut error, about.command.as_deref());
    let _ = error.print();
    let is_help = error.kind() == ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand;
    let error = Misspoken::of(&error);
    let entry = error.entry().unwrap_or(&USAGE[0]);
    if !is_help {
        print_code(entry);
    }
    // What was parsed is gone; a value that looks like the flag does no harm here.
    if env::args_os().any(|argument| argument == "--json") {
        let next = about.fill(entry.next);
        let json = to_json(&[error.to_string()], entry, &next);
        print_json(Console::FOR_PROGRAMS, &json);
    }
    Exit::Usage
}

/// What follows `--` is for a command that is run, and for Duplicity: only there clap's tip is right.
fn mend_tip(error: &mut clap::Error, command: Option<&str>) {
    let has_tip = error.get(ContextKind::Suggested).is_some();
    let is_option = error.kind() == ErrorKind::UnknownArgument;
    if !is_option || !has_tip || matches!(command, Some("backup" | "restore" | "duplicity")) {
        return;
    }
    if error.get(ContextKind::SuggestedArg).is_some() {
        error.remove(ContextKind::Suggested);
    } else {
        let tip = StyledStr::from("a name that begins with - is given as ./-name");
        error.insert(ContextKind::Suggested, ContextValue::StyledStrs(vec![tip]));
    }
}

/// What was given on the command line stands in clap's messages as it is.
fn quote_context(error: &mut clap::Error) {
    let quoted = |text: &String| quote(text);
    let context: Vec<_> = error
        .context()
        .filter_map(|(kind, value)| match value {
            ContextValue::String(text) => Some((kind, ContextValue::String(quoted(text)))),
            ContextValue::Strings(texts) => {
                let texts = texts.iter().map(quoted).collect();
                Some((kind, ContextValue::Strings(texts)))
            }
            _ => None,
        })
        .collect();
    for (kind, value) in context {
        error.insert(kind, value);
    }
}

/// What a command was given, for what is to be done next.
#[derive(Debug, Default)]
pub struct About {
    /// Its name.
    pub command: Option<String>,
    /// Shares that it reads, or outputs.
    pub shares: Vec<OsString>,
    /// Hosts, or where they are set, in words of a command line; `None` if nobody knows.
    pub hosts: Option<String>,
    /// The configuration file and profile, in such words.
    pub settings: String,
}

impl About {
    /// What to do next, as a command that can be pasted.
    fn fill(&self, next: &str) -> String {
        let mut next = next.to_owned();
        if !self.shares.is_empty() {
            let names: Vec<_> = self.shares.iter().map(name_for_shell).collect();
            next = next.replace("SHARE...", &names.join(" "));
        }
        if let Some(hosts) = &self.hosts {
            // Where they are in a file that is found without saying so, nothing is to be said.
            let gap = if hosts.is_empty() { "" } else { " " };
            let words = format!("{gap}{hosts}");
            next = next.replace(" HOSTS", &words);
            if *hosts == self.settings {
                next = next.replace(" --from HOST --from HOST", &words);
            }
        }
        let check = "distdup config check";
        if !self.settings.is_empty() && next.ends_with(check) {
            next = format!("{next} {}", self.settings);
        }
        let command = self.command.iter().map(|name| format!(" {name}"));
        next.replace(" COMMAND", &command.collect::<String>())
    }
}

/// The command that seems to be meant by a command line which cannot be read.
fn guessed_command() -> Option<String> {
    let cli = Cli::command();
    let mut command = &cli;
    let mut names = Vec::new();
    for word in env::args_os().skip(1) {
        if let Some(known) = command.find_subcommand(&word) {
            names.push(known.get_name().to_owned());
            command = known;
        }
    }
    (!names.is_empty()).then(|| names.join(" "))
}

/// Prints an error of a command, with what it means and what to do next.
pub fn report(console: Console, error: &anyhow::Error, about: &About) -> Exit {
    let causes: Vec<String> = error.chain().map(ToString::to_string).collect();
    let entry = entry_of(error.as_ref(), CHAPTERS).unwrap_or(&Unknown::ENTRIES[0]);
    let next = about.fill(entry.next);
    print_error(&causes, entry, &next);
    let is_printed = error.chain().any(<dyn Error>::is::<Finding>);
    if console.json && !is_printed {
        let mut json = to_json(&causes, entry, &next);
        add_parts(&mut json, error);
        print_json(console, &json);
    }
    if error.chain().any(<dyn Error>::is::<Usage>) {
        Exit::Usage
    } else {
        Exit::Failed
    }
}

/// The result of a command that failed, for programs.
fn to_json(causes: &[String], entry: &Entry, next: &str) -> Value {
    json!({
        "status": "failed",
        "code": entry.code,
        "error": causes,
        "meaning": entry.meaning,
        "next": next,
    })
}

/// What became of each share or host, where that is why.
fn add_parts(json: &mut Value, error: &anyhow::Error) {
    for cause in error.chain() {
        if let Some(EncodeError::TooFewSinks { sinks, .. }) = cause.downcast_ref() {
            json["shares"] = report::sinks_json(sinks);
        } else if let Some(RepairError::AllFailed { sinks }) = cause.downcast_ref() {
            json["shares"] = report::sinks_json(sinks);
        } else if let Some(error) = cause.downcast_ref::<HostsError>() {
            json["hosts"] = error.hosts().iter().map(report::host_error_json).collect();
        }
    }
}

fn print_json(console: Console, json: &Value) {
    // Where even this cannot be printed, the exit code says it.
    let _ = console.result("", json);
}
