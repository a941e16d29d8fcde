//! What is set for a command: by its arguments, over a configuration file.

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
    pub fn need(&self, console: Console) -> anyhow::Result<Config> {
        let config = Config::need(self.config.as_deref()).map_err(Usage::new)?;
        console.detail(format!("settings are from {}", quote_path(config.file())));
        Ok(config)
    }

    /// The file, if there is one.
    pub fn config(&self, console: Console) -> anyhow::Result<Option<Config>> {
        // Whoever asks for a profile counts on it.
        if self.is_given() {
            return self.need(console).map(Some);
        }
        let config = Config::find(None).map_err(Usage::new)?;
        if let Some(config) = &config {
            console.detail(format!("settings are from {}", quote_path(config.file())));
        }
        Ok(config)
    }

    /// The profile of a file, or its only settings.
    pub fn of(&self, config: &Config) -> anyhow::Result<Settings> {
        Ok(config.profile(self.profile()).map_err(Usage::new)?)
    }

    /// The profile of the file, or its only settings; nothing if there is no file.
    pub fn settings(&self, console: Console) -> anyhow::Result<Settings> {
        match self.config(console)? {
            Some(config) => self.of(&config),
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

    /// The hosts that arguments name, or where they are set, for a command line.
    pub fn host_words(&self, names: &[OsString]) -> String {
        let words = self.words().into_iter();
        let words = words.chain(names.iter().map(name_for_shell));
        words.collect::<Vec<_>>().join(" ")
    }

    /// The file and profile, for a command line.
    pub fn words(&self) -> Vec<String> {
        let config = self.config.iter().flat_map(|path| {
            let path = for_shell(path);
            ["--config".to_owned(), path]
        });
        let profile = self
            .profile
            .iter()
            .flat_map(|name| ["-P".to_owned(), for_shell(name)]);
        config.chain(profile).collect()
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
