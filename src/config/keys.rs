//! The keys of a file: a line for each, which says how it is read and how it is shown.

use std::ffi::OsString;
use std::path::Path;

use serde_json::{Value as Json, json};
use toml::de::DeValue;

use super::environment::{self, Variable};
use super::error::{ConfigError, Fault};
use super::hosts::{self, Hosts};
use super::reader::{Key, Reader, Value};
use super::settings::{ALL, Setting, Settings};
use super::shown::Shown;
use crate::duplicity::low_disk::Temporary;
use distdup_codecs::MAX_SHARDS;

/// What may stand in `[duplicity.options]`, besides `all`.
const COMMANDS: &[&str] = &[
    "backup",
    "cleanup",
    "collection-status",
    "full",
    "incremental",
    "list-current-files",
    "remove-all-but-n-full",
    "remove-all-inc-of-but-n-full",
    "remove-older-than",
    "replicate",
    "restore",
    "verify",
];

/// A key.
struct Entry {
    name: &'static str,
    read: fn(&Reader<'_>, &mut Settings, &Key<'_>, &Value<'_>) -> Result<(), ConfigError>,
    show: fn(&Settings) -> Vec<Shown>,
}

/// Keys of a profile, which may also stand at the top of the file.
static TOP: &[Entry] = &[
    Entry {
        name: "source",
        read: |reader, settings, key, value| {
            let path = reader.path(value)?.components().collect();
            settings.source = Some(reader.setting(&key.span(), path));
            Ok(())
        },
        show: |settings| one("source", settings.source.as_ref(), |path| path_json(path)),
    },
    Entry {
        name: "codec",
        read: |reader, settings, key, value| {
            let name = reader.string(value, "a codec's name in quotes")?;
            settings.codec = Some(reader.setting(&key.span(), name));
            Ok(())
        },
        show: |settings| one("codec", settings.codec.as_ref(), |name| json!(name)),
    },
    Entry {
        name: "equations",
        read: |reader, settings, key, value| {
            let equations = reader.string(value, "equations in quotes, such as '1^2,1^3'")?;
            settings.equations = Some(reader.setting(&key.span(), equations));
            Ok(())
        },
        show: |settings| {
            let equations = settings.equations.as_ref();
            one("equations", equations, |text| json!(text))
        },
    },
    Entry {
        name: "k",
        read: |reader, settings, key, value| {
            settings.k = Some(reader.setting(&key.span(), reader.count(value, MAX_SHARDS)?));
            Ok(())
        },
        show: |settings| one("k", settings.k.as_ref(), |k| json!(k)),
    },
    Entry {
        name: "n",
        read: |reader, settings, key, value| {
            settings.n = Some(reader.setting(&key.span(), reader.count(value, MAX_SHARDS)?));
            Ok(())
        },
        show: |settings| one("n", settings.n.as_ref(), |n| json!(n)),
    },
    Entry {
        name: "min_shares",
        read: |reader, settings, key, value| {
            let count = reader.count(value, MAX_SHARDS)?;
            settings.min_shares = Some(reader.setting(&key.span(), count));
            Ok(())
        },
        show: |settings| {
            one("min_shares", settings.min_shares.as_ref(), |count| {
                json!(count)
            })
        },
    },
    Entry {
        name: "low_disk",
        read: |reader, settings, key, value| {
            let place = match value.get_ref() {
                DeValue::Boolean(false) => Temporary::Usual,
                DeValue::Boolean(true) => Temporary::InMemory,
                DeValue::String(_) => Temporary::In(reader.path(value)?),
                _ => return Err(reader.unlike(value, "true, false or a folder in quotes")),
            };
            settings.low_disk = Some(reader.setting(&key.span(), place));
            Ok(())
        },
        show: |settings| {
            one(
                "low_disk",
                settings.low_disk.as_ref(),
                |place| match place {
                    Temporary::Usual => json!(false),
                    Temporary::InMemory => json!(true),
                    Temporary::In(folder) => path_json(folder),
                },
            )
        },
    },
    Entry {
        name: "hosts",
        read: |reader, settings, key, value| {
            let hosts = Hosts::Listed(hosts::read(reader, value)?);
            settings.hosts = Some(reader.setting(&key.span(), hosts));
            Ok(())
        },
        show: show_hosts,
    },
    Entry {
        name: "groups",
        read: |reader, settings, _, value| {
            settings.groups = hosts::read_groups(reader, value)?;
            Ok(())
        },
        show: |settings| {
            let each = settings.groups.iter();
            each.flat_map(|group| {
                let key = format!("groups.{}", bare(&group.value.name));
                one(&key, Some(group), hosts::group_json)
            })
            .collect()
        },
    },
    Entry {
        name: "duplicity",
        read: |reader, settings, _, value| {
            read_table(reader, settings, "duplicity", DUPLICITY, value)
        },
        show: |settings| show_all(DUPLICITY, settings),
    },
];

/// Keys of `[duplicity]`.
static DUPLICITY: &[Entry] = &[
    Entry {
        name: "path",
        read: |reader, settings, key, value| {
            settings.duplicity = Some(reader.setting(&key.span(), reader.path(value)?));
            Ok(())
        },
        show: |settings| {
            one("duplicity.path", settings.duplicity.as_ref(), |path| {
                path_json(path)
            })
        },
    },
    Entry {
        name: "options",
        read: |reader, settings, _, value| {
            let known = COMMANDS.iter().copied().chain([ALL]);
            for (key, value) in reader.table(value, "a table: COMMAND = [\"--option\", ...]")? {
                if !known.clone().any(|known| known == key.get_ref()) {
                    return Err(reader.unknown(key, "duplicity.options", known));
                }
                let options = options(reader, value)?;
                let setting = reader.setting(&key.span(), options);
                settings.options.insert(key.get_ref().to_string(), setting);
            }
            Ok(())
        },
        show: |settings| {
            let each = settings.options.iter();
            each.flat_map(|(command, options)| {
                let key = format!("duplicity.options.{command}");
                let words = |words: &Vec<OsString>| {
                    json!(
                        words
                            .iter()
                            .map(|word| word.to_string_lossy())
                            .collect::<Vec<_>>()
                    )
                };
                one(&key, Some(options), words)
            })
            .collect()
        },
    },
    Entry {
        name: "environment",
        read: |reader, settings, _, value| {
            for (key, value) in reader.table(value, "a table of variables")? {
                let variable = environment::read(reader, key, value)?;
                let setting = reader.setting(&key.span(), variable);
                settings
                    .variables
                    .insert(key.get_ref().to_string(), setting);
            }
            Ok(())
        },
        show: |settings| {
            let each = settings.variables.iter();
            each.flat_map(|(name, variable)| {
                let key = format!("duplicity.environment.{name}");
                one(&key, Some(variable), Variable::json)
            })
            .collect()
        },
    },
];

/// The names of a profile's keys.
pub(super) fn names() -> impl Iterator<Item = &'static str> + Clone {
    TOP.iter().map(|entry| entry.name)
}

/// Reads a key of a profile, or of the top of the file. `false` if there is none of that name.
pub(super) fn read(
    reader: &Reader<'_>,
    settings: &mut Settings,
    key: &Key<'_>,
    value: &Value<'_>,
) -> Result<bool, ConfigError> {
    match TOP.iter().find(|entry| entry.name == key.get_ref()) {
        Some(entry) => (entry.read)(reader, settings, key, value).map(|()| true),
        None => Ok(false),
    }
}

/// All that is set, by key.
pub(super) fn shown(settings: &Settings) -> Vec<Shown> {
    show_all(TOP, settings)
}

/// A key as it stands in a file: in quotes if need be.
fn bare(key: &str) -> String {
    let is_bare = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    if key.chars().all(is_bare) {
        key.to_owned()
    } else {
        json!(key).to_string()
    }
}

fn read_table(
    reader: &Reader<'_>,
    settings: &mut Settings,
    table: &str,
    entries: &[Entry],
    value: &Value<'_>,
) -> Result<(), ConfigError> {
    for (key, value) in reader.table(value, "a table")? {
        match entries.iter().find(|entry| entry.name == key.get_ref()) {
            Some(entry) => (entry.read)(reader, settings, key, value)?,
            None => return Err(reader.unknown(key, table, entries.iter().map(|entry| entry.name))),
        }
    }
    Ok(())
}

fn options(reader: &Reader<'_>, value: &Value<'_>) -> Result<Vec<OsString>, ConfigError> {
    let words = reader.words(value, "a list of words, such as [\"--volsize\", \"50\"]")?;
    let tells = |word: &OsString| {
        let word = word.to_string_lossy();
        let after = word.split("--passphrase").skip(1);
        after.into_iter().any(|after| !after.starts_with('-'))
    };
    if let Some((_, span)) = words.iter().find(|(word, _)| tells(word)) {
        return Err(reader.fault(span.clone(), Fault::SecretOption));
    }
    Ok(words.into_iter().map(|(word, _)| word).collect())
}

fn show_all(entries: &[Entry], settings: &Settings) -> Vec<Shown> {
    entries
        .iter()
        .flat_map(|entry| (entry.show)(settings))
        .collect()
}

fn one<T>(key: &str, setting: Option<&Setting<T>>, json: fn(&T) -> Json) -> Vec<Shown> {
    setting
        .map(|setting| Shown {
            key: key.to_owned(),
            value: json(&setting.value),
            origin: setting.origin.clone(),
        })
        .into_iter()
        .collect()
}

fn path_json(path: &Path) -> Json {
    json!(path.to_string_lossy())
}

fn show_hosts(settings: &Settings) -> Vec<Shown> {
    let Some(setting) = &settings.hosts else {
        return Vec::new();
    };
    match &setting.value {
        Hosts::Listed(hosts) => hosts
            .iter()
            .map(|host| Shown {
                key: format!("hosts.{}", bare(&host.name)),
                value: host.json(),
                origin: host.origin.clone(),
            })
            .collect(),
        Hosts::Named(names) => vec![Shown {
            key: "hosts".into(),
            value: json!(
                names
                    .iter()
                    .map(|name| name.to_string_lossy())
                    .collect::<Vec<_>>()
            ),
            origin: setting.origin.clone(),
        }],
    }
}
