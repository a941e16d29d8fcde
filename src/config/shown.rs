//! Settings as they would stand in a file.

use std::fmt::{self, Write};
use std::path::PathBuf;

use serde_json::{Value, json};

use super::keys;
use super::settings::{Origin, Settings};
use crate::duplicity::hosts::Layout;
use crate::duplicity::launch::Duplicity;

/// A setting as it stands in a file.
#[derive(Debug, Clone, PartialEq)]
pub struct Shown {
    /// The key, with those of the tables that it is in: `duplicity.path`.
    pub key: String,
    /// Its value.
    pub value: Value,
    /// Where it was set.
    pub origin: Origin,
}

impl Settings {
    /// All that is set, as in a file.
    pub fn shown(&self) -> Vec<Shown> {
        keys::shown(self)
    }

    /// What is not set, and has a value all the same, as far as that does not depend on what is there.
    pub fn usual(&self) -> Vec<Shown> {
        let layout = self.layout().ok().flatten();
        let layout = layout.unwrap_or(Layout::In(PathBuf::new()));
        let design = layout.design(&self.wish()).ok();
        let geometry = design.as_ref().map(|design| design.code.geometry());
        let duplicity = Duplicity::on_path().map(|path| json!(path.to_string_lossy()));
        let values = [
            ("codec", Some(json!(self.wish().choice().codec()))),
            ("k", geometry.map(|geometry| json!(geometry.k()))),
            ("n", geometry.map(|geometry| json!(geometry.n()))),
            ("min_shares", design.map(|design| json!(design.least))),
            ("duplicity.path", duplicity),
        ];
        let set = self.shown();
        let is_set = |key| set.iter().any(|shown| shown.key == key);
        values
            .into_iter()
            .filter(|(key, _)| !is_set(*key))
            .filter_map(|(key, value)| {
                Some(Shown {
                    key: key.to_owned(),
                    value: value?,
                    origin: Origin::Default,
                })
            })
            .collect()
    }
}

/// A line of a file.
impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} = {}", self.key, Toml(&self.value))
    }
}

/// A value as TOML has it: as JSON but for objects.
struct Toml<'a>(&'a Value);

impl fmt::Display for Toml<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Value::Object(object) => {
                let mut separator = "{ ";
                for (key, value) in object {
                    write!(f, "{separator}{key} = {}", Toml(value))?;
                    separator = ", ";
                }
                f.write_str(" }")
            }
            Value::Array(items) => {
                let items: Vec<String> = items.iter().map(|item| Toml(item).to_string()).collect();
                write!(f, "[{}]", items.join(", "))
            }
            value => value.to_string().chars().try_for_each(|c| plain(c, f)),
        }
    }
}

/// JSON's escapes are TOML's, too; but JSON leaves much as it is that a terminal would obey.
fn plain(c: char, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let is_shown = c.is_ascii_graphic() || c == ' ' || c.escape_debug().count() == 1;
    if is_shown {
        f.write_char(c)
    } else {
        write!(f, "\\U{:08x}", u32::from(c))
    }
}
