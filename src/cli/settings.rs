//! What is set for a command: by its arguments, over a configuration file.

use std::cell::OnceCell;
use std::ffi::OsString;
use std::path::PathBuf;

use clap::Args;
use distdup::config::{Config, Hosts, Setting, Settings};
use distdup::duplicity::hosts::Layout;
use distdup::quote::{for_shell, name_for_shell, quote_path};

use super::Usage;
use super::console::Console;

/// Which settings of which file.
#[derive(Debug, Clone, Args)]
pub struct Selection {
    /// Settings [default: distdup.toml here, else ~/.config/distdup/distdup.toml]
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Which of the file's profiles
    #[arg(short = 'P', long, global = true, value_name = "NAME")]
    profile: Option<String>,
    /// The file as it was read: a pipe can be read but once.
    #[arg(skip)]
    read: OnceCell<Config>,
}

/// What a backup is told about its hosts.
#[derive(Debug, Args)]
#[allow(clippy::doc_markdown)] // Help texts, not documentation.
pub struct StoreArgs {
    /// Hosts: folders; given n times, or once with {i} [default: backup_SRC/distdup{i}]
    #[arg(short, long = "output", value_name = "DEST")]
    pub output: Vec<OsString>,
    /// Hosts that suffice [default: 2, or as the backup there has it]
    #[arg(short, value_name = "K")]
    k: Option<usize>,
    /// Hosts in all [default: 3, or as the backup there has it]
    #[arg(short, value_name = "N")]
    n: Option<usize>,
    /// rs, xor, copy or another of `distdup codecs` [default: rs, or as the backup there has it]
    #[arg(short, long)]
    codec: Option<String>,
    /// Parity equations for xor, such as '1^2,1^3'
    #[arg(long, value_name = "LIST")]
    equations: Option<String>,
    /// Go on while this many hosts can be written [default: K + (N - K) / 2]
    #[arg(long, value_name = "COUNT")]
    min_shares: Option<usize>,
}

impl Selection {
    /// Whether a file or a profile is asked for.
    pub fn is_given(&self) -> bool {
        self.config.is_some() || self.profile.is_some()
    }

    /// The profile that is asked for.
    pub fn profile(&self) -> Option<&str> {
        self.profile.as_deref()
    }

    /// The file, which must be there.
    pub fn need(&self, console: Console) -> anyhow::Result<&Config> {
        let config = if let Some(config) = self.read.get() {
            config
        } else {
            let config = Config::need(self.config.as_deref()).map_err(Usage::new)?;
            self.read.get_or_init(|| config)
        };
        console.detail(format!("settings are from {}", quote_path(config.file())));
        Ok(config)
    }

    /// The file, if there is one.
    pub fn config(&self, console: Console) -> anyhow::Result<Option<&Config>> {
        // Whoever asks for a profile counts on it.
        if !self.is_given() && self.read.get().is_none() {
            let Some(config) = Config::find(None).map_err(Usage::new)? else {
                return Ok(None);
            };
            self.read.get_or_init(|| config);
        }
        self.need(console).map(Some)
    }

    /// The profile of a file, or its only settings.
    pub fn of(&self, config: &Config) -> anyhow::Result<Settings> {
        Ok(config.profile(self.profile()).map_err(Usage::new)?)
    }

    /// The profile of the file, or its only settings; nothing if there is no file.
    pub fn settings(&self, console: Console) -> anyhow::Result<Settings> {
        match self.config(console)? {
            Some(config) => self.of(config),
            None => Ok(Settings::default()),
        }
    }

    /// The hosts that arguments name, or else those that are set.
    pub fn layout(&self, console: Console, names: Vec<OsString>) -> anyhow::Result<Layout> {
        let settings = Settings {
            hosts: hosts(names),
            ..Settings::default()
        };
        let settings = settings.over(self.settings(console)?);
        let layout = settings.layout().map_err(Usage::new)?;
        layout.ok_or_else(|| Usage::say("say where the hosts are, here or in distdup.toml"))
    }

    /// What tells a command line the hosts that arguments name, or else those that are set, or else the
    /// `usual` ones. Of those in a file that is found without saying so, that is nothing at all. `None` if
    /// there are none, or their names cannot be written down.
    pub fn host_words(
        &self,
        given: &[OsString],
        usual: impl FnOnce(&Settings) -> Option<Layout>,
    ) -> Option<String> {
        let mut names = given.to_vec();
        if names.is_empty() {
            // What is wrong with the file tells whoever needs it.
            let settings = self.settings(Console::FOR_PROGRAMS).ok()?;
            if settings.hosts.is_none() {
                names = match usual(&settings)? {
                    Layout::In(folder) => vec![folder.join("distdup{i}").into()],
                    Layout::Named(names) => names,
                    Layout::Listed { .. } => Vec::new(),
                };
            }
        }
        let names = names.iter().map(name_for_shell).collect();
        Some([self.words(), names].concat().join(" "))
    }

    /// The file and profile, for a command line.
    pub fn words(&self) -> Vec<String> {
        let mut words = Vec::new();
        if let Some(path) = &self.config {
            words.extend(["--config".into(), name_for_shell(path)]);
        }
        if let Some(name) = &self.profile {
            words.extend(["-P".into(), for_shell(name)]);
        }
        words
    }
}

/// A command about hosts that [`Selection::host_words`] tells.
pub fn host_command(command: &str, hosts: Option<&str>) -> String {
    match hosts {
        Some("") => format!("distdup {command}"),
        hosts => format!("distdup {command} {}", hosts.unwrap_or("HOSTS")),
    }
}

impl StoreArgs {
    /// As settings.
    pub fn settings(self) -> Settings {
        Settings {
            hosts: hosts(self.output),
            k: self.k.map(Setting::argument),
            n: self.n.map(Setting::argument),
            codec: self.codec.map(Setting::argument),
            equations: self.equations.map(Setting::argument),
            min_shares: self.min_shares.map(Setting::argument),
            ..Settings::default()
        }
    }
}

/// Hosts that arguments name, as a setting.
pub fn hosts(names: Vec<OsString>) -> Option<Setting<Hosts>> {
    (!names.is_empty()).then(|| Setting::argument(Hosts::Named(names)))
}
