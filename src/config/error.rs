//! Why a configuration file cannot be used.

use std::io;
use std::path::PathBuf;

use crate::availability::AvailabilityError;
use crate::catalogue::catalogue;
use crate::quote::quote_path;

/// Why there are no settings. Messages leave the cause to `source`.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// There is no file, and one is needed.
    #[error(
        "there is no configuration file: {looked} was looked for; give --config FILE, or make one \
         with distdup config init"
    )]
    None {
        /// Where it could have been.
        looked: String,
    },
    /// It cannot be read.
    #[error("cannot read the configuration file {}", quote_path(path))]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// More than anybody writes.
    #[error(
        "{} has more than {limit} bytes, and is no configuration file that anybody wrote",
        quote_path(path)
    )]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// In bytes.
        limit: u64,
    },
    /// Not text.
    #[error(
        "{}:{line}: the configuration file is not UTF-8 text",
        quote_path(path)
    )]
    NotText {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
    },
    /// Whoever wrote it could make us run commands.
    #[error(
        "{} {whose}: it could name commands to run; if you trust it, say --config {}",
        quote_path(path),
        quote_path(path)
    )]
    NotOurs {
        /// The file, which nobody named.
        path: PathBuf,
        /// What is wrong with it.
        whose: &'static str,
    },
    /// Something in it is wrong.
    #[error("{file}:{line}:{column}: {fault}\n{excerpt}")]
    At {
        /// The file.
        file: String,
        /// The line, from 1.
        line: usize,
        /// The character in the line, from 1.
        column: usize,
        /// The line itself, and marks beneath what is meant.
        excerpt: String,
        /// What is wrong.
        fault: Box<Fault>,
    },
    /// No such profile.
    #[error("there is no profile {name} in {}; {}", quote_path(file), profiles(nearest.as_deref(), known))]
    NoProfile {
        /// What was asked for, quoted.
        name: String,
        /// The file.
        file: PathBuf,
        /// The most like it.
        nearest: Option<String>,
        /// All of them.
        known: String,
    },
}

catalogue! {
    ConfigError {
        Self::None { .. } => "config-none":
            "Nothing was read or written."
            "Make one by distdup config init, or say where it is: --config FILE";
        Self::Unreadable { .. } | Self::TooLarge { .. } | Self::NotText { .. } =>
            "config-unreadable":
            "Nothing was read or written."
            "Look whether this is the configuration file that was meant: distdup config check --config FILE";
        Self::NotOurs { .. } => "config-not-trusted":
            "Nothing was read or written, and no command of that file was run."
            "Read the file first; if you trust it, name it: --config FILE";
        Self::NoProfile { .. } => "config-profile":
            "Nothing was read or written."
            "Choose one of the profiles that the file has, by -P.";
    }
    passing { Self::At { fault, .. } => &**fault; }
}

/// What is wrong at a place in a file.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Fault {
    /// Not TOML.
    #[error("not TOML: {message}")]
    Syntax {
        /// What the parser says, without what it read.
        message: String,
    },
    /// A key that means nothing.
    #[error("there is no key {key}{table}; {}", suggestion(nearest.as_deref(), known))]
    UnknownKey {
        /// The key, quoted.
        key: String,
        /// ` in [duplicity]`, or nothing at the top.
        table: String,
        /// The most like it.
        nearest: Option<String>,
        /// All that there are.
        known: String,
    },
    /// A value of another type.
    #[error("expected {expected}, found {found}")]
    Type {
        /// What it must be.
        expected: &'static str,
        /// What it is.
        found: &'static str,
    },
    /// A number that is too small or too large.
    #[error("expected a whole number from 1 to {most}")]
    Range {
        /// The largest.
        most: usize,
    },
    /// Nothing, or with a NUL in it.
    #[error("expected {expected}, found one that is empty or has a NUL in it")]
    Text {
        /// What it must be.
        expected: &'static str,
    },
    /// Someone else's home folder, or there is none.
    #[error("only ~/ at the start stands for the home folder, from HOME; write the path in full")]
    Home,
    /// A name that would be taken for something else.
    #[error("{name} cannot be the name of a {what}: {rule}")]
    Name {
        /// What it was to name.
        what: &'static str,
        /// The name, quoted.
        name: String,
        /// What names have.
        rule: &'static str,
    },
    /// A key that has to be there.
    #[error("{of} has no {key}")]
    Missing {
        /// What it is a part of.
        of: String,
        /// The key.
        key: &'static str,
    },
    /// A secret in the file.
    #[error(
        "{name} is a secret, and must not stand in the file: say where it is to be had, with \
         {name} = {{ file = \"PATH\" }}, {{ command = [\"PROGRAM\", \"ARGUMENT\"] }} or {{ env = \"VARIABLE\" }}"
    )]
    Secret {
        /// The variable.
        name: String,
    },
    /// A secret on a command line.
    #[error(
        "everybody on this machine can read command lines: no passphrase may be in Duplicity's \
         options; set PASSPHRASE in [duplicity.environment]"
    )]
    SecretOption,
    /// Ours.
    #[error("{name} is set by distdup itself")]
    Reserved {
        /// The variable.
        name: String,
    },
    /// Not one reference.
    #[error("expected one of file, command, env and unset")]
    Reference,
    /// Not a probability, or the like.
    #[error(transparent)]
    Availability(#[from] AvailabilityError),
    /// One folder twice.
    #[error("hosts {first} and {second} are the same folder: give each its own")]
    SameFolder {
        /// A host.
        first: String,
        /// Another one.
        second: String,
    },
    /// A kind of host that Duplicity cannot back up to yet.
    #[error("hosts are folders so far: mount others, with sshfs or rclone say")]
    NotAFolder,
    /// As in an argument.
    #[error("{{i}} stands for nothing here: give each host its own path")]
    Number,
    /// As many hosts as n, or do not say n.
    #[error("n = {n}, but the number of hosts is {hosts}: leave n out, or list as many")]
    HostCount {
        /// What is said.
        n: usize,
        /// What there is.
        hosts: usize,
    },
    /// Two backups in one place.
    #[error(
        "profiles {first} and {second} both back up to {folder}, and neither would find its own again: \
         put {{profile}} into the folders of the hosts, or give each its own"
    )]
    Shared {
        /// A profile.
        first: String,
        /// Another one.
        second: String,
        /// The folder, quoted.
        folder: String,
    },
}

catalogue! {
    Fault {
        Self::Syntax { .. } => "config-syntax":
            "Nothing was read or written."
            "Mend the place that is marked, and try it: distdup config check";
        Self::UnknownKey { .. } => "config-key":
            "Nothing was read or written."
            "Mend the key that is marked; docs/CONFIGURATION.md has all. Try it: distdup config check";
        Self::Type { .. }
        | Self::Range { .. }
        | Self::Text { .. }
        | Self::Home
        | Self::Name { .. }
        | Self::Missing { .. }
        | Self::Reserved { .. }
        | Self::Reference => "config-value":
            "Nothing was read or written."
            "Mend the value that is marked, and try it: distdup config check";
        Self::Secret { .. } | Self::SecretOption => "config-secret":
            "Nothing was read or written. Whoever can read the file knows the secret."
            "Put the secret into a file of its own that you alone can read, name that one, and change the secret if others have seen it.";
        Self::SameFolder { .. }
        | Self::NotAFolder
        | Self::Number
        | Self::HostCount { .. }
        | Self::Shared { .. } => "config-hosts":
            "Nothing was read or written."
            "Give each share a host of its own in the file, and try it: distdup config check";
    }
    passing { Self::Availability(error) => error; }
}

fn profiles(nearest: Option<&str>, known: &str) -> String {
    let most_like = suggestion(nearest, known);
    match nearest {
        Some(nearest) if nearest != known => format!("{most_like} {}", suggestion(None, known)),
        _ => most_like,
    }
}

fn suggestion(nearest: Option<&str>, known: &str) -> String {
    match nearest {
        Some(nearest) => format!("did you mean {nearest}?"),
        None if known.is_empty() => "there are none".into(),
        None => format!("there are {known}"),
    }
}
