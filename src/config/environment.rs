//! `[duplicity.environment]`: what Duplicity's environment has otherwise than ours.

use serde_json::{Value as Json, json};
use toml::de::DeValue;

use super::error::{ConfigError, Fault};
use super::excerpt::looks_secret;
use super::reader::{Key, Reader, Value};
use super::secret::{Reference, SecretError};
use crate::duplicity::environment::{Environment, Secret};

/// What our own pipes and processes go by.
const RESERVED: &str = "DISTDUP_";
const EXPECTED: &str =
    "a string, or { file = ... }, { command = ... }, { env = ... } or { unset = true }";

/// What a variable is to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Variable {
    /// This; no secret.
    Plain(String),
    /// A secret that is to be had there.
    Secret(Reference),
    /// Not there.
    Unset,
}

impl Variable {
    /// Adds it to what Duplicity will see.
    ///
    /// # Errors
    /// The secret cannot be had.
    pub fn add_to(&self, environment: &mut Environment, name: &str) -> Result<(), SecretError> {
        match self {
            Self::Plain(value) => environment.set(name, Secret::new(value)),
            Self::Secret(reference) => environment.set(name, reference.fetch(name)?),
            Self::Unset => environment.unset(name),
        }
        Ok(())
    }

    /// Whether it could be added, as far as can be told without doing it.
    ///
    /// # Errors
    /// The secret could not be had.
    pub fn check(&self, name: &str) -> Result<(), SecretError> {
        match self {
            Self::Secret(reference) => reference.check(name),
            Self::Plain(_) | Self::Unset => Ok(()),
        }
    }

    /// As JSON, as in the file.
    pub(super) fn json(&self) -> Json {
        match self {
            Self::Plain(value) => json!(value),
            Self::Secret(reference) => reference.json(),
            Self::Unset => json!({ "unset": true }),
        }
    }
}

/// Reads one variable.
pub(super) fn read(
    reader: &Reader<'_>,
    key: &Key<'_>,
    value: &Value<'_>,
) -> Result<Variable, ConfigError> {
    let name = key.get_ref();
    let of_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
    if !name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        || !name.chars().all(of_name)
    {
        let fault = Fault::Name {
            what: "variable",
            name: name.escape_debug().to_string(),
            rule: "it must have letters, digits and _ only, and begin with no digit",
        };
        return Err(reader.fault(key.span(), fault));
    }
    if name.starts_with(RESERVED) {
        let name = name.to_string();
        return Err(reader.fault(key.span(), Fault::Reserved { name }));
    }
    match value.get_ref() {
        DeValue::String(text) if text.contains('\0') => {
            let fault = Fault::Text { expected: EXPECTED };
            Err(reader.fault(value.span(), fault))
        }
        // Nothing is no secret: it keeps Duplicity from asking.
        DeValue::String(text) if looks_secret(name) && !text.is_empty() => {
            let name = name.to_string();
            Err(reader.fault(value.span(), Fault::Secret { name }))
        }
        DeValue::String(text) => Ok(Variable::Plain(text.to_string())),
        DeValue::Table(_) => reference(reader, name, value),
        _ => Err(reader.unlike(value, EXPECTED)),
    }
}

fn reference(reader: &Reader<'_>, name: &str, value: &Value<'_>) -> Result<Variable, ConfigError> {
    let entries = reader.table(value, EXPECTED)?;
    let table = format!("duplicity.environment.{name}");
    let mut found = None;
    for (key, value) in &entries {
        found = Some(match key.get_ref().as_ref() {
            "file" => Variable::Secret(Reference::File(reader.path(value)?)),
            "command" => Variable::Secret(Reference::command(reader, value)?),
            "env" => {
                let variable = reader.string(value, "the name of a variable in quotes")?;
                Variable::Secret(Reference::Env(variable))
            }
            "unset" if matches!(value.get_ref(), DeValue::Boolean(true)) => Variable::Unset,
            "unset" => return Err(reader.unlike(value, "true")),
            _ => return Err(reader.unknown(key, &table, ["command", "env", "file", "unset"])),
        });
    }
    match found {
        Some(found) if entries.len() == 1 => Ok(found),
        _ => Err(reader.fault(value.span(), Fault::Reference)),
    }
}
