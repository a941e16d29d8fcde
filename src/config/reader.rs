//! Values of a file, taken for what they must be, or a fault that says where and what.

use std::ffi::OsString;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::error::{ConfigError, Fault};
use super::excerpt::{Hide, place};
use super::nearest::nearest;
use super::settings::{Origin, Setting};
use crate::quote::quote_path;

/// A value of a file.
pub(super) type Value<'a> = Spanned<DeValue<'a>>;
/// A key of a file.
pub(super) type Key<'a> = Spanned<std::borrow::Cow<'a, str>>;

/// A file that is being read.
#[derive(Debug)]
pub(super) struct Reader<'a> {
    /// The file, as it is called in messages.
    pub(super) file: Arc<Path>,
    /// What paths in it are relative to, in full.
    pub(super) folder: PathBuf,
    /// All of it.
    pub(super) text: &'a str,
}

impl Reader<'_> {
    /// That something is wrong at `span`.
    pub(super) fn fault(&self, span: Range<usize>, fault: Fault) -> ConfigError {
        let hide = match fault {
            Fault::Syntax { .. } => Hide::Doubtful,
            Fault::Secret { .. } | Fault::SecretOption => Hide::Span(span.clone()),
            _ => Hide::Nothing,
        };
        let at = place(self.text, &span, &hide);
        ConfigError::At {
            file: quote_path(&self.file),
            line: at.line,
            column: at.column,
            excerpt: at.excerpt,
            fault: Box::new(fault),
        }
    }

    /// That a value is of the wrong type.
    pub(super) fn unlike(&self, value: &Value<'_>, expected: &'static str) -> ConfigError {
        let found = kind(value.get_ref());
        self.fault(value.span(), Fault::Type { expected, found })
    }

    /// That a key means nothing in `table`, where others do.
    pub(super) fn unknown<'k>(
        &self,
        key: &Key<'_>,
        table: &str,
        known: impl IntoIterator<Item = &'k str> + Clone,
    ) -> ConfigError {
        let mut names: Vec<_> = known.clone().into_iter().collect();
        names.sort_unstable();
        let fault = Fault::UnknownKey {
            key: key.get_ref().escape_debug().to_string(),
            table: match table {
                "" => String::new(),
                table => format!(" in [{table}]"),
            },
            nearest: nearest(key.get_ref(), known),
            known: names.join(", "),
        };
        self.fault(key.span(), fault)
    }

    /// A value with where it was set.
    pub(super) fn setting<T>(&self, at: &Range<usize>, value: T) -> Setting<T> {
        Setting {
            value,
            origin: Origin::File {
                file: Arc::clone(&self.file),
                line: place(self.text, at, &Hide::Doubtful).line,
                span: at.clone(),
            },
        }
    }

    /// A table's keys and values, in the order of the file.
    pub(super) fn table<'v, 't>(
        &self,
        value: &'v Value<'t>,
        expected: &'static str,
    ) -> Result<Vec<(&'v Key<'t>, &'v Value<'t>)>, ConfigError> {
        match value.get_ref() {
            DeValue::Table(table) => Ok(entries(table)),
            _ => Err(self.unlike(value, expected)),
        }
    }

    /// A string that is not empty and has no NUL.
    pub(super) fn string(
        &self,
        value: &Value<'_>,
        expected: &'static str,
    ) -> Result<String, ConfigError> {
        match value.get_ref() {
            DeValue::String(text) if text.is_empty() || text.contains('\0') => {
                Err(self.fault(value.span(), Fault::Text { expected }))
            }
            DeValue::String(text) => Ok(text.to_string()),
            _ => Err(self.unlike(value, expected)),
        }
    }

    /// A whole number in 1..=`most`.
    pub(super) fn count(&self, value: &Value<'_>, most: usize) -> Result<usize, ConfigError> {
        let DeValue::Integer(number) = value.get_ref() else {
            return Err(self.unlike(value, "a whole number"));
        };
        usize::from_str_radix(number.as_str(), number.radix())
            .ok()
            .filter(|number| (1..=most).contains(number))
            .ok_or_else(|| self.fault(value.span(), Fault::Range { most }))
    }

    /// A path in full: relative ones are relative to the file's folder, and `~/` is the home folder.
    pub(super) fn path(&self, value: &Value<'_>) -> Result<PathBuf, ConfigError> {
        let text = self.string(value, "a path in quotes")?;
        let Some(rest) = text.strip_prefix('~') else {
            return Ok(self.folder.join(text));
        };
        let home = std::env::var_os("HOME").filter(|home| Path::new(home).is_absolute());
        match home {
            Some(home) if rest.is_empty() => Ok(home.into()),
            Some(home) if rest.starts_with('/') => {
                Ok(Path::new(&home).join(rest.trim_start_matches('/')))
            }
            _ => Err(self.fault(value.span(), Fault::Home)),
        }
    }

    /// A list of strings, and where each is.
    pub(super) fn words(
        &self,
        value: &Value<'_>,
        expected: &'static str,
    ) -> Result<Vec<(OsString, Range<usize>)>, ConfigError> {
        let DeValue::Array(items) = value.get_ref() else {
            return Err(self.unlike(value, expected));
        };
        let word = |item: &Value<'_>| match item.get_ref() {
            DeValue::String(text) if text.contains('\0') => {
                Err(self.fault(item.span(), Fault::Text { expected }))
            }
            DeValue::String(text) => Ok((OsString::from(text.as_ref()), item.span())),
            _ => Err(self.unlike(item, "a word in quotes")),
        };
        items.iter().map(word).collect()
    }
}

/// Keys and values in the order of the file.
pub(super) fn entries<'v, 't>(table: &'v DeTable<'t>) -> Vec<(&'v Key<'t>, &'v Value<'t>)> {
    let mut entries: Vec<_> = table.iter().collect();
    entries.sort_by_key(|(key, _)| key.span().start);
    entries
}

fn kind(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "a string",
        DeValue::Integer(_) => "a whole number",
        DeValue::Float(_) => "a number with a fraction",
        DeValue::Boolean(_) => "true or false",
        DeValue::Datetime(_) => "a date or time",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    }
}
