//! `[hosts]` and `[groups]`: where shares go, and how likely it is that they can.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

use serde_json::{Value as Json, json};
use toml::de::DeValue;

use super::error::{ConfigError, Fault};
use super::reader::{Key, Reader, Value};
use super::settings::{Origin, Setting};
use crate::availability::{self, Group, Probability, is_name};
use crate::duplicity::hosts::NamedFolder;

/// What stands for the profile's name in a host's path.
const PROFILE: &str = "{profile}";
/// What stands for a number in an argument, where one path is for all hosts.
const NUMBER: &str = "{i}";
const RULE: &str = "it must have a character, and no , : = or blank";
const EXPECTED: &str = "the host's path in quotes, or { path = ... }";

/// Where the hosts are.
#[derive(Debug, Clone, PartialEq)]
pub enum Hosts {
    /// As a file has them.
    Listed(Vec<Host>),
    /// As arguments have them: n folders, or one with `{i}` in it.
    Named(Vec<OsString>),
}

/// A host of a file.
#[derive(Debug, Clone, PartialEq)]
pub struct Host {
    /// What messages call it.
    pub name: String,
    /// Its folder, in full.
    pub folder: PathBuf,
    /// How likely it is up, if it is said.
    pub chances: Option<Chances>,
    /// Where it was set.
    pub origin: Origin,
}

/// How likely a host is up.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Chances {
    /// At backup.
    pub backup: Probability,
    /// At restore.
    pub restore: Probability,
}

impl From<&Host> for NamedFolder {
    fn from(host: &Host) -> Self {
        Self {
            name: Some(host.name.clone()),
            folder: host.folder.clone(),
        }
    }
}

impl Host {
    /// Whether its path depends on the profile.
    pub(super) fn wants_profile(&self) -> bool {
        split(self.folder.as_os_str()).is_some()
    }

    /// The same with the profile's name in its path.
    pub(super) fn of_profile(&self, name: &str) -> Self {
        let mut folder = self.folder.clone();
        while let Some((before, after)) = split(folder.as_os_str()) {
            folder = OsString::from_vec([before, name.as_bytes(), after].concat()).into();
        }
        Self {
            folder,
            ..self.clone()
        }
    }

    /// As JSON, as in the file.
    pub(super) fn json(&self) -> Json {
        let path = self.folder.to_string_lossy();
        match self.chances {
            None => json!(path),
            Some(Chances { backup, restore }) if backup == restore => {
                json!({ "path": path, "availability": backup.up() })
            }
            Some(Chances { backup, restore }) => {
                let availability = json!({ "backup": backup.up(), "restore": restore.up() });
                json!({ "path": path, "availability": availability })
            }
        }
    }
}

fn split(path: &OsStr) -> Option<(&[u8], &[u8])> {
    let path = path.as_bytes();
    let at = path
        .windows(PROFILE.len())
        .position(|window| window == PROFILE.as_bytes())?;
    Some((&path[..at], &path[at + PROFILE.len()..]))
}

/// Reads `[hosts]`.
pub(super) fn read(reader: &Reader<'_>, value: &Value<'_>) -> Result<Vec<Host>, ConfigError> {
    let mut hosts: Vec<Host> = Vec::new();
    let entries = reader.table(value, "a table of hosts: NAME = \"PATH\"")?;
    for (key, value) in entries {
        let name = named(reader, key, "host")?;
        let (folder, chances) = host(reader, &name, value)?;
        if let Some(first) = hosts.iter().find(|host| host.folder == folder) {
            let fault = Fault::SameFolder {
                first: first.name.clone(),
                second: name,
            };
            return Err(reader.fault(value.span(), fault));
        }
        hosts.push(Host {
            name,
            folder,
            chances,
            origin: reader.setting(&key.span(), ()).origin,
        });
    }
    if hosts.is_empty() {
        let (of, key) = ("[hosts]".into(), "host: NAME = \"PATH\"");
        return Err(reader.fault(value.span(), Fault::Missing { of, key }));
    }
    Ok(hosts)
}

/// Reads `[groups]`.
pub(super) fn read_groups(
    reader: &Reader<'_>,
    value: &Value<'_>,
) -> Result<Vec<Setting<Group>>, ConfigError> {
    let entries = reader.table(value, "a table of groups")?;
    let group = |(key, value): (&Key<'_>, &Value<'_>)| {
        let name = named(reader, key, "group")?;
        let table = format!("groups.{name}");
        let (mut hosts, mut up) = (None, None);
        for (key, value) in reader.table(value, "{ hosts = [...], availability = ... }")? {
            match key.get_ref().as_ref() {
                "hosts" => {
                    let words = reader.words(value, "a list of hosts' names")?;
                    let names = words.into_iter().map(|(name, _)| name);
                    hosts = Some(
                        names
                            .map(|name| name.to_string_lossy().into_owned())
                            .collect(),
                    );
                }
                "availability" => up = Some(probability(reader, value)?),
                _ => return Err(reader.unknown(key, &table, ["availability", "hosts"])),
            }
        }
        let missing = |key| {
            let of = format!("[{table}]");
            reader.fault(value.span(), Fault::Missing { of, key })
        };
        let group = Group {
            hosts: hosts.ok_or_else(|| missing("hosts"))?,
            up: up.ok_or_else(|| missing("availability"))?,
            name,
        };
        Ok(reader.setting(&key.span(), group))
    };
    entries.into_iter().map(group).collect()
}

/// A group as JSON, as in the file.
pub(super) fn group_json(group: &Group) -> Json {
    json!({ "hosts": group.hosts, "availability": group.up.up() })
}

fn named(reader: &Reader<'_>, key: &Key<'_>, what: &'static str) -> Result<String, ConfigError> {
    let name = key.get_ref();
    if is_name(name) {
        return Ok(name.to_string());
    }
    let fault = Fault::Name {
        what,
        name: format!("{name:?}"),
        rule: RULE,
    };
    Err(reader.fault(key.span(), fault))
}

fn host(
    reader: &Reader<'_>,
    name: &str,
    value: &Value<'_>,
) -> Result<(PathBuf, Option<Chances>), ConfigError> {
    if let DeValue::String(_) = value.get_ref() {
        return Ok((path(reader, value)?, None));
    }
    let table = format!("hosts.{name}");
    let (mut folder, mut chances) = (None, None);
    for (key, value) in reader.table(value, EXPECTED)? {
        match key.get_ref().as_ref() {
            "path" => folder = Some(path(reader, value)?),
            "availability" => chances = Some(availability(reader, &table, value)?),
            _ => return Err(reader.unknown(key, &table, ["availability", "path"])),
        }
    }
    let missing = || {
        let (of, key) = (format!("[{table}]"), "path");
        reader.fault(value.span(), Fault::Missing { of, key })
    };
    Ok((folder.ok_or_else(missing)?, chances))
}

fn path(reader: &Reader<'_>, value: &Value<'_>) -> Result<PathBuf, ConfigError> {
    let path = reader.path(value)?;
    let scheme = value
        .get_ref()
        .as_str()
        .is_some_and(|text| text.contains("://"));
    if scheme {
        return Err(reader.fault(value.span(), Fault::NotAFolder));
    }
    if path
        .as_os_str()
        .as_bytes()
        .windows(NUMBER.len())
        .any(|window| window == NUMBER.as_bytes())
    {
        return Err(reader.fault(value.span(), Fault::Number));
    }
    Ok(Path::components(&path).collect())
}

fn availability(
    reader: &Reader<'_>,
    table: &str,
    value: &Value<'_>,
) -> Result<Chances, ConfigError> {
    if !matches!(value.get_ref(), DeValue::Table(_)) {
        let both = probability(reader, value)?;
        return Ok(Chances {
            backup: both,
            restore: both,
        });
    }
    let table = format!("{table}.availability");
    let (mut backup, mut restore) = (None, None);
    for (key, value) in reader.table(value, "a probability")? {
        match key.get_ref().as_ref() {
            "backup" => backup = Some(probability(reader, value)?),
            "restore" => restore = Some(probability(reader, value)?),
            _ => return Err(reader.unknown(key, &table, ["backup", "restore"])),
        }
    }
    let missing = |key| {
        let of = format!("[{table}]");
        reader.fault(value.span(), Fault::Missing { of, key })
    };
    Ok(Chances {
        backup: backup.ok_or_else(|| missing("backup"))?,
        restore: restore.ok_or_else(|| missing("restore"))?,
    })
}

fn probability(reader: &Reader<'_>, value: &Value<'_>) -> Result<Probability, ConfigError> {
    // From its digits: 1 - 0.999999 has lost some.
    let text = match value.get_ref() {
        DeValue::Float(number) => number.as_str(),
        DeValue::Integer(number) => number.as_str(),
        _ => return Err(reader.unlike(value, "a probability, such as 0.99")),
    };
    text.parse()
        .map_err(|error: availability::AvailabilityError| reader.fault(value.span(), error.into()))
}
