//! Settings as they would stand in a file.

use std::fmt;
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
            // JSON's escapes are TOML's, too; but TOML takes this one by its number only.
            value => f.write_str(&value.to_string().replace('\x7f', "\\u007f")),
        }
    }
}
