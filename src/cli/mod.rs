//! Commands, flags and exit codes.

use std::env;
use std::ffi::OsString;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use clap::{Args, CommandFactory, FromArgMatches, Parser, Subcommand};
use signal_hook::consts::SIGXFSZ;

mod availability;
mod backup;
mod cleanup;
mod code;
mod codecs;
mod compare;
mod config;
mod console;
mod decode;
mod duplicity;
mod encode;
mod explain;
mod failure;
mod heal;
mod inspect;
mod low_disk;
mod names;
mod repair;
mod report;
mod resident;
mod restore;
mod session;
mod settings;
mod size;
mod status;
mod tally;
mod verify;
mod watch;
mod why;
mod zfec;

use console::{Console, Verbosity};
use failure::About;
pub use failure::{Usage, misspoken};
use settings::Selection;

/// Erasure-codes a stream, such as a backup, into shares on n hosts; enough of them give it back
#[derive(Debug, Parser)]
#[command(version, max_term_width = 100, after_help = AFTER_HELP, disable_help_subcommand = true)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
    #[command(flatten)]
    globals: Globals,
    /// The command's name.
    #[arg(skip)]
    name: Option<String>,
}

const AFTER_HELP: &str = "\
Examples:
  distdup backup -k 2 -n 3 photos/        Duplicity onto three hosts, of which any two suffice
  distdup restore restore_photos/
  tar -c /home | distdup encode -k 4 -n 6 -o 'host{i}/home.share'
  distdup decode host*/home.share | tar -x

Exit codes: 0 done; 1 failed, nothing that counts was made; 2 wrong usage; 3 done, but degraded.";

#[derive(Debug, Subcommand)]
enum Command {
    Encode(encode::Encode),
    Decode(decode::Decode),
    Verify(verify::Verify),
    Why(why::Why),
    Inspect(inspect::Inspect),
    Repair(repair::Repair),
    Codecs(codecs::Codecs),
    Explain(explain::Explain),
    Backup(backup::Backup),
    Restore(restore::Restore),
    Status(status::Status),
    Heal(heal::Heal),
    Cleanup(cleanup::Cleanup),
    Duplicity(duplicity::Duplicity),
    Resident(resident::Resident),
    Availability(Box<availability::Availability>),
    Compare(Box<compare::Compare>),
    Config(config::Config),
}

impl Command {
    fn run(self, console: &mut Console, selection: &Selection) -> anyhow::Result<Exit> {
        let outcome = match self {
            Self::Encode(command) => command.run(console),
            Self::Decode(command) => command.run(console),
            Self::Verify(command) => command.run(*console),
            Self::Why(command) => command.run(*console),
            Self::Inspect(command) => command.run(*console),
            Self::Repair(command) => command.run(*console),
            Self::Codecs(command) => command.run(*console),
            Self::Explain(command) => command.run(*console),
            Self::Backup(command) => command.run(*console, selection),
            Self::Restore(command) => command.run(*console, selection),
            Self::Status(command) => command.run(*console, selection),
            Self::Heal(command) => command.run(*console, selection),
            Self::Cleanup(command) => command.run(*console, selection),
            Self::Resident(command) => command.run(selection),
            Self::Availability(command) => command.run(*console, selection),
            Self::Compare(command) => command.run(*console, selection),
            // These say more of how they ended.
            Self::Duplicity(command) => return command.run(*console, selection),
            Self::Config(command) => return command.run(*console, selection),
        };
        outcome.map(Exit::Ended)
    }
}

/// Commands about which a configuration file has nothing to say.
const WITHOUT_SETTINGS: &[&str] = &[
    "encode", "decode", "verify", "why", "inspect", "repair", "codecs", "explain",
];

#[derive(Debug, Args)]
#[command(next_help_heading = "General")]
struct Globals {
    /// Print warnings and errors only
    #[arg(short, long, global = true)]
    quiet: bool,
    /// Print more
    #[arg(short, long, global = true)]
    verbose: bool,
    /// Print the result as one JSON object
    #[arg(long, global = true)]
    json: bool,
    #[command(flatten)]
    selection: Selection,
}

/// How a command ended that did what it was to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// All is well.
    Done,
    /// Done, but something is damaged or missing.
    Degraded,
}

impl Outcome {
    fn degraded_if(degraded: bool) -> Self {
        if degraded { Self::Degraded } else { Self::Done }
    }

    /// As `--json` calls it.
    fn status(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Degraded => "degraded",
        }
    }
}

/// How the program ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// A command did its work.
    Ended(Outcome),
    /// As another program did that speaks for itself: with this exit code.
    As(u8),
    /// Nothing usable is claimed.
    Failed,
    /// What was asked for makes no sense.
    Usage,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(match exit {
            Exit::Ended(Outcome::Done) => 0,
            Exit::Failed => 1,
            Exit::Usage => 2,
            Exit::Ended(Outcome::Degraded) => 3,
            Exit::As(code) => code,
        })
    }
}

impl Command {
    /// The shares that it is about, as they were given.
    fn shares(&self) -> Vec<OsString> {
        match self {
            Self::Encode(command) => command.output.clone(),
            Self::Decode(command) => command.sources.shares.clone(),
            Self::Verify(command) => command.shares.clone(),
            Self::Why(command) => command.sources.shares.clone(),
            Self::Repair(command) => command.sources.shares.clone(),
            Self::Inspect(command) => vec![command.share.clone()],
            _ => Vec::new(),
        }
    }

    /// The hosts that it is about, for a command line.
    fn hosts(&self, selection: &Selection) -> Option<String> {
        let named = match self {
            Self::Backup(command) => return command.hosts(selection),
            Self::Restore(command) => return command.hosts(selection),
            Self::Duplicity(command) => &command.hosts,
            Self::Status(command) => &command.hosts,
            Self::Heal(command) => &command.hosts,
            Self::Cleanup(command) => &command.hosts,
            _ => return None,
        };
        selection.host_words(named, |_| None)
    }
}

/// The command that was given, with its own command: `config init`.
fn command_path(matches: &clap::ArgMatches) -> Option<String> {
    let (name, matches) = matches.subcommand()?;
    let own = command_path(matches).map(|own| format!(" {own}"));
    Some(name.to_owned() + &own.unwrap_or_default())
}

impl Cli {
    /// The help of no command tells of what is of no use to it.
    fn parser() -> clap::Command {
        let parser = Self::command();
        let selection = |arg: &&clap::Arg| ["config", "profile"].contains(&arg.get_id().as_str());
        let hidden = parser.get_arguments().filter(selection).cloned();
        let hidden: Vec<_> = hidden.map(|arg| arg.hide(true)).collect();
        let hide = |command: clap::Command| command.args(&hidden);
        WITHOUT_SETTINGS
            .iter()
            .fold(parser, |parser, name| parser.mut_subcommand(name, hide))
    }

    /// What the command line asks for.
    pub fn read() -> Result<Self, clap::Error> {
        let mut parser = Self::parser();
        let matches = parser.try_get_matches_from_mut(env::args_os())?;
        let cli = Self::from_arg_matches(&matches).map_err(|error| error.format(&mut parser))?;
        Ok(Self {
            name: command_path(&matches),
            ..cli
        })
    }

    /// Does what was asked for, and reports how it ended.
    pub fn run(self) -> Exit {
        let Globals {
            quiet,
            verbose,
            json,
            selection,
        } = self.globals;
        let verbosity = match (quiet, verbose) {
            (true, _) => Verbosity::Quiet,
            (false, true) => Verbosity::Verbose,
            (false, false) => Verbosity::Normal,
        };
        let mut console = Console {
            verbosity,
            json,
            data_on_stdout: false,
        };
        // A file beyond its limit is to be an error of one write, not the end of the process. Where it cannot
        // be had, it is that.
        let _ = signal_hook::flag::register(SIGXFSZ, Arc::new(AtomicBool::new(false)));
        let about = About {
            command: self.name,
            shares: self.command.shares(),
            hosts: self.command.hosts(&selection),
            settings: selection.words().join(" "),
        };
        let is_without = |name: &str| WITHOUT_SETTINGS.contains(&name);
        if selection.is_given() && about.command.as_deref().is_some_and(is_without) {
            let error = Usage::say(
                "--config and --profile are of no use here: nothing is set for this command",
            );
            return failure::report(console, &error, &about);
        }
        self.command
            .run(&mut console, &selection)
            .unwrap_or_else(|error| failure::report(console, &error, &about))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_do_not_contradict_each_other() {
        Cli::command().debug_assert();
    }

    #[test]
    fn every_help_fits_a_screen_and_has_an_example() {
        let mut cli = Cli::parser().term_width(100);
        cli.build();
        let names: Vec<_> = cli
            .get_subcommands()
            .map(|c| c.get_name().to_owned())
            .collect();
        let mut helps = vec![("distdup".to_owned(), cli.render_help().to_string())];
        for name in names {
            let help = cli
                .find_subcommand_mut(&name)
                .map(|c| c.render_help().to_string());
            helps.push((name, help.unwrap()));
        }
        for command in cli.get_subcommands() {
            let after = command.get_after_help().map(ToString::to_string);
            for line in after.unwrap_or_default().lines() {
                assert!(line.chars().count() <= 100, "it is broken anew: {line}");
            }
        }
        for (name, help) in helps {
            let (_, general) = help.split_once("General").unwrap();
            let takes_settings = !WITHOUT_SETTINGS.contains(&name.as_str());
            assert_eq!(general.contains("--profile"), takes_settings, "{name}");
            assert!(
                help.lines().count() <= 45,
                "{name}: {} lines\n{help}",
                help.lines().count()
            );
            assert!(
                help.lines().all(|line| line.chars().count() <= 100),
                "{name}\n{help}"
            );
            assert!(help.contains("Example"), "{name}\n{help}");
        }
    }
}
