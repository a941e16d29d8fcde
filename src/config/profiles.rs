//! A whole file: what stands at its top, and profiles over it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use toml::de::DeTable;

use super::error::{ConfigError, Fault};
use super::find;
use super::hosts::{Host, Hosts};
use super::keys;
use super::nearest::nearest;
use super::reader::{Key, Reader, Value, entries};
use super::settings::{Origin, Setting, Settings};
use crate::quote::{quote, quote_path};

const PROFILES: &str = "profiles";

/// A configuration file.
#[derive(Debug, Clone, PartialEq)]
pub struct Config {
    file: PathBuf,
    base: Settings,
    profiles: BTreeMap<String, Settings>,
}

impl Config {
    /// The file that is `named`, or distdup.toml in the working folder, or the one in
    /// `$XDG_CONFIG_HOME/distdup` (`~/.config/distdup`); `None` if nobody named one and there is none.
    ///
    /// # Errors
    /// It cannot be read, something in it is wrong, or, if nobody named it, it is not ours.
    pub fn find(named: Option<&Path>) -> Result<Option<Self>, ConfigError> {
        let found = match named {
            Some(path) => Some(path.to_owned()),
            None => find::first(),
        };
        let Some(path) = found else {
            return Ok(None);
        };
        let text = find::read(&path, named.is_some())?;
        Self::parse(&path, &text).map(Some)
    }

    /// The same where there must be one.
    ///
    /// # Errors
    /// Those of [`find`](Self::find), and [`ConfigError::None`].
    pub fn need(named: Option<&Path>) -> Result<Self, ConfigError> {
        let looked = || {
            let paths = find::candidates();
            let shown: Vec<_> = paths.iter().map(quote_path).collect();
            ConfigError::None {
                looked: shown.join(" and "),
            }
        };
        Self::find(named)?.ok_or_else(looked)
    }

    /// What `text` says; `file` is what it is called, and what paths in it are relative to.
    ///
    /// # Errors
    /// Something in it is wrong.
    pub fn parse(file: &Path, text: &str) -> Result<Self, ConfigError> {
        let unreadable = |source| ConfigError::Unreadable {
            path: file.to_owned(),
            source,
        };
        let full = std::path::absolute(file).map_err(unreadable)?;
        let reader = Reader {
            file: file.into(),
            folder: full.parent().unwrap_or(Path::new("/")).to_owned(),
            text,
        };
        let table = DeTable::parse(text).map_err(|error| {
            let end = text.len();
            let message = error.message().to_owned();
            reader.fault(error.span().unwrap_or(end..end), Fault::Syntax { message })
        })?;

        let mut base = Settings::default();
        let mut own = Vec::new();
        for (key, value) in entries(table.get_ref()) {
            if key.get_ref() == PROFILES {
                own = profiles(&reader, value)?;
            } else if !keys::read(&reader, &mut base, key, value)? {
                return Err(reader.unknown(key, "", keys::names().chain([PROFILES])));
            }
        }
        let profiles: BTreeMap<_, _> = own
            .into_iter()
            .map(|(name, own)| (name.clone(), of_profile(name, own.over(base.clone()))))
            .collect();
        let all = || [&base].into_iter().chain(profiles.values());
        all().try_for_each(|settings| agrees(&reader, settings))?;
        apart(&reader, &all().collect::<Vec<_>>())?;
        Ok(Self {
            file: file.to_owned(),
            base,
            profiles,
        })
    }

    /// The file.
    pub fn file(&self) -> &Path {
        &self.file
    }

    /// Names of the profiles.
    pub fn profiles(&self) -> impl Iterator<Item = &str> {
        self.profiles.keys().map(String::as_str)
    }

    /// The settings of a profile, or what stands at the top of the file.
    ///
    /// # Errors
    /// There is no such profile.
    pub fn profile(&self, name: Option<&str>) -> Result<Settings, ConfigError> {
        let Some(name) = name else {
            return Ok(Settings {
                choice: self.profiles().map(str::to_owned).collect(),
                ..self.base.clone()
            });
        };
        self.profiles
            .get(name)
            .cloned()
            .ok_or_else(|| ConfigError::NoProfile {
                name: quote(name),
                file: self.file.clone(),
                nearest: nearest(name, self.profiles()),
                known: self.profiles().collect::<Vec<_>>().join(", "),
            })
    }
}

/// Reads `[profiles]`.
fn profiles(
    reader: &Reader<'_>,
    value: &Value<'_>,
) -> Result<Vec<(String, Settings)>, ConfigError> {
    let profile = |(key, value): (&Key<'_>, &Value<'_>)| {
        let name = key.get_ref();
        let of_name = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
        if !name.starts_with(|c: char| c.is_ascii_alphanumeric()) || !name.chars().all(of_name) {
            let fault = Fault::Name {
                what: "profile",
                name: format!("{name:?}"),
                rule: "it must have letters, digits, - and _ only, and begin with one of the first two",
            };
            return Err(reader.fault(key.span(), fault));
        }
        let mut settings = Settings::default();
        for (key, value) in reader.table(value, "a table: [profiles.NAME]")? {
            if !keys::read(reader, &mut settings, key, value)? {
                return Err(reader.unknown(key, &format!("profiles.{name}"), keys::names()));
            }
        }
        Ok((name.to_string(), settings))
    };
    let entries = reader.table(value, "a table: [profiles.NAME]")?;
    entries.into_iter().map(profile).collect()
}

fn of_profile(name: String, settings: Settings) -> Settings {
    let hosts = settings.hosts.map(|hosts| Setting {
        value: match hosts.value {
            Hosts::Listed(hosts) => {
                Hosts::Listed(hosts.iter().map(|host| host.of_profile(&name)).collect())
            }
            named @ Hosts::Named(_) => named,
        },
        origin: hosts.origin,
    });
    Settings {
        hosts,
        profile: Some(name),
        ..settings
    }
}

/// As many hosts as n.
fn agrees(reader: &Reader<'_>, settings: &Settings) -> Result<(), ConfigError> {
    let hosts = listed(settings).len();
    match &settings.n {
        Some(Setting { value, origin }) if hosts > 0 && *value != hosts => {
            let fault = Fault::HostCount { n: *value, hosts };
            Err(reader.fault(span(origin), fault))
        }
        _ => Ok(()),
    }
}

/// No two backups of different things in one folder.
fn apart(reader: &Reader<'_>, all: &[&Settings]) -> Result<(), ConfigError> {
    // What stands at the top is a backup of its own if it has something to back up.
    let backups = all
        .iter()
        .filter(|settings| settings.profile.is_some() || settings.source.is_some());
    let mut earlier: BTreeMap<&Path, &Settings> = BTreeMap::new();
    for settings in backups {
        let same = |other: &Settings| {
            let what = |settings: &Settings| settings.source.as_ref().map(|set| set.value.clone());
            what(settings) == what(other)
        };
        for host in listed(settings) {
            match earlier.insert(&host.folder, settings) {
                Some(other) if !same(other) => {
                    let name = |settings: &Settings| {
                        let name = settings.profile.as_deref();
                        name.unwrap_or("(at the top)").to_owned()
                    };
                    let fault = Fault::Shared {
                        first: name(other),
                        second: name(settings),
                        folder: quote(host.folder.as_os_str().as_encoded_bytes()),
                    };
                    return Err(reader.fault(span(&host.origin), fault));
                }
                _ => {}
            }
        }
    }
    Ok(())
}

fn listed(settings: &Settings) -> &[Host] {
    settings.listed_hosts().unwrap_or_default()
}

fn span(origin: &Origin) -> std::ops::Range<usize> {
    match origin {
        Origin::File { span, .. } => span.clone(),
        Origin::CommandLine | Origin::Default => 0..0,
    }
}
