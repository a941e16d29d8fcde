//! `distdup config`: the configuration file, made, read again and explained.

use std::fs::OpenOptions;
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::{Args, Subcommand};
use distdup::catalogue::said;
use distdup::config::{Config as File, Problem, Setting, Settings, Shown, TEMPLATE};
use distdup::quote::{quote_path, with_causes};
use serde_json::{Value, json};

use super::console::{Console, warn};
use super::session::Which;
use super::settings::{Selection, StoreArgs};
use super::{Exit, Outcome, Usage, report};

/// Make a configuration file, check it, or tell what is set and where
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP, disable_help_subcommand = true)]
pub struct Config {
    #[command(subcommand)]
    command: Command,
}

const AFTER_HELP: &str = "\
Examples:
  distdup config init
  distdup config check --config /etc/distdup.toml
  distdup config show -P home --origin

What may stand in the file is said in docs/CONFIGURATION.md.";

#[derive(Debug, Subcommand)]
enum Command {
    Init(Init),
    Check(Check),
    Show(Box<Show>),
}

/// Write a file with a comment on everything that can be set [default: ./distdup.toml]
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  distdup config init ~/.config/distdup/distdup.toml")]
struct Init {
    /// Where; - is standard output
    #[arg(value_name = "FILE", default_value = "distdup.toml")]
    file: PathBuf,
    /// Write over what is there
    #[arg(long)]
    force: bool,
}

/// Read the file, and look for what would keep its backups from being made
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  distdup config check -P home\n\n\
    Nothing is written, and no command for a secret is run. Exits with 1 if something is wrong with a \
    profile, and with 2 if the file cannot be read.")]
struct Check {}

/// Tell what is set for a backup with these arguments, as it would stand in a file
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  distdup config show -P home -k 3 --origin\n\n\
    Secrets are shown as where they are to be had, never themselves."
)]
struct Show {
    /// Tell where each value is set: command line, file and line, or default
    #[arg(long)]
    origin: bool,
    /// What to back up
    #[arg(value_name = "SRC")]
    source: Option<PathBuf>,
    #[command(flatten)]
    store: StoreArgs,
    #[command(flatten)]
    which: Which,
}

impl Config {
    pub fn run(self, console: Console, selection: &Selection) -> anyhow::Result<Exit> {
        match self.command {
            Command::Init(_) if selection.is_given() => {
                return Err(Usage::say(
                    "init writes a new file: name it without --config and --profile",
                ));
            }
            Command::Init(command) => command.run(console)?,
            Command::Check(_) => return check(console, selection),
            Command::Show(command) => command.run(console, selection)?,
        }
        Ok(Exit::Ended(Outcome::Done))
    }
}

impl Init {
    fn run(self, console: Console) -> anyhow::Result<()> {
        if self.file == Path::new("-") {
            return io::stdout()
                .write_all(TEMPLATE.as_bytes())
                .context("cannot print the file");
        }
        let shown = quote_path(&self.file);
        let mut options = OpenOptions::new();
        options.write(true);
        if self.force {
            options.create(true).truncate(true);
        } else {
            options.create_new(true);
        }
        let written = options
            .open(&self.file)
            .and_then(|mut file| file.write_all(TEMPLATE.as_bytes()));
        match written {
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {
                return Err(Usage::say(format!(
                    "{shown} is there; give another name, or --force to write over it"
                )));
            }
            written => written.with_context(|| format!("cannot write {shown}"))?,
        }
        let text = format!("{shown} is written: say in it what to back up, and to which hosts");
        let json = json!({ "status": Outcome::Done.status(), "file": self.file.to_string_lossy() });
        print(console, &text, &json)
    }
}

fn check(console: Console, selection: &Selection) -> anyhow::Result<Exit> {
    let file = selection.need(console)?;
    let shown = quote_path(file.file());
    let mut lines = vec![format!("{shown} can be read")];
    let mut profiles = Vec::new();
    let mut count = 0;
    for settings in checked(file, selection)? {
        let problems = settings.problems();
        let called = match &settings.profile {
            Some(name) => format!("profile {name}: "),
            None => String::new(),
        };
        for problem in &problems {
            warn(format!("{called}{}", with_causes(problem)));
        }
        if problems.is_empty() {
            lines.push(called + &summary(&settings));
        }
        count += problems.len();
        let to_json = |problem: &Problem| {
            let (error, code) = said(problem);
            json!({ "error": error, "code": code })
        };
        let problems: Value = problems.iter().map(to_json).collect();
        profiles.push(json!({ "profile": settings.profile, "problems": problems }));
    }
    let (exit, status) = if count == 0 {
        (Exit::Ended(Outcome::Done), Outcome::Done.status())
    } else {
        lines.push(report::count(count, "problem"));
        (Exit::Failed, "failed")
    };
    let json =
        json!({ "status": status, "file": file.file().to_string_lossy(), "profiles": profiles });
    print(console, &lines.join("\n"), &json)?;
    Ok(exit)
}

/// The profile that is asked for, or all. What is common to them is one only if it can be.
fn checked(file: &File, selection: &Selection) -> anyhow::Result<Vec<Settings>> {
    let names: Vec<&str> = file.profiles().collect();
    if selection.profile().is_some() || names.is_empty() {
        return Ok(vec![selection.of(file)?]);
    }
    let profiles = names.into_iter().map(|name| file.profile(Some(name)));
    let all = [file.profile(None)].into_iter().chain(profiles);
    let mut all: Vec<Settings> = all.collect::<Result<_, _>>()?;
    all.retain(|settings| {
        let common = settings.source.is_none() || settings.layout().is_err();
        settings.profile.is_some() || !common
    });
    Ok(all)
}

/// `/home to nas, cellar, friend`.
fn summary(settings: &Settings) -> String {
    let source = match &settings.source {
        Some(source) => quote_path(&source.value),
        None => "SRC (none is set)".into(),
    };
    match settings.layout() {
        Ok(Some(layout)) => format!("{source} to {}", layout.names().join(", ")),
        _ => format!("{source} to backup_SRC (no hosts are set)"),
    }
}

impl Show {
    fn run(self, console: Console, selection: &Selection) -> anyhow::Result<()> {
        let arguments = Settings {
            source: self.source.map(Setting::argument),
            ..self.store.settings().over(self.which.settings())
        };
        let file = selection.config(console)?;
        let settings = match &file {
            Some(file) => arguments.over(selection.of(file)?),
            None => arguments,
        };
        let mut shown = settings.shown();
        shown.extend(settings.usual());
        let lines: Vec<String> = shown.iter().map(ToString::to_string).collect();
        let width = lines.iter().map(|line| line.chars().count()).max();
        // Further to the right nobody sees it.
        let width = width.unwrap_or_default().min(60);
        let line = |(line, shown): (&String, &Shown)| {
            if self.origin {
                format!("{line:width$}  # {}", shown.origin)
            } else {
                line.clone()
            }
        };
        let text: Vec<String> = lines.iter().zip(&shown).map(line).collect();
        let values: Vec<Value> = shown
            .iter()
            .map(|shown| json!({ "key": shown.key, "value": shown.value, "origin": shown.origin.json() }))
            .collect();
        let json = json!({
            "status": Outcome::Done.status(),
            "file": file.map(|file| file.file().to_string_lossy().into_owned()),
            "profile": settings.profile,
            "settings": values,
        });
        print(console, &text.join("\n"), &json)
    }
}

fn print(console: Console, text: &str, json: &Value) -> anyhow::Result<()> {
    console
        .result(text, json)
        .context("cannot print the result")
}
