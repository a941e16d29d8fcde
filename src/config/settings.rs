//! What is set, where, and over what.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::{Value, json};

use super::environment::Variable;
use super::hosts::{Host, Hosts};
use super::secret::SecretError;
use crate::availability::Group;
use crate::duplicity::environment::Environment;
use crate::duplicity::hosts::{Access, HostsError, Layout, NamedFolder, Wish};
use crate::duplicity::low_disk::Temporary;
use crate::quote::quote_path;

/// Options that are for all of Duplicity's commands.
pub(super) const ALL: &str = "all";
/// What Duplicity's own words for a backup have in common.
const BACKUP: &str = "backup";

/// A value, and where it was set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Setting<T> {
    /// It.
    pub value: T,
    /// Where.
    pub origin: Origin,
}

/// Where a value was set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// By an argument.
    CommandLine,
    /// In a file.
    File {
        /// Which.
        file: Arc<Path>,
        /// From 1.
        line: usize,
        /// In bytes.
        span: Range<usize>,
    },
    /// Nowhere.
    Default,
}

/// What is set for a backup. What is not set has its usual value, or is for the hosts to say.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Settings {
    /// The profile, if it has a name.
    pub profile: Option<String>,
    /// Profiles that could be chosen, where none was.
    pub choice: Vec<String>,
    /// What to back up, in full.
    pub source: Option<Setting<PathBuf>>,
    /// Where to.
    pub hosts: Option<Setting<Hosts>>,
    /// Hosts that fail together.
    pub groups: Vec<Setting<Group>>,
    /// The code's name.
    pub codec: Option<Setting<String>>,
    /// Its parity equations.
    pub equations: Option<Setting<String>>,
    /// Data shares.
    pub k: Option<Setting<usize>>,
    /// All shares.
    pub n: Option<Setting<usize>>,
    /// Hosts that must take everything.
    pub min_shares: Option<Setting<usize>>,
    /// Where Duplicity's temporary files go.
    pub low_disk: Option<Setting<Temporary>>,
    /// Duplicity's script.
    pub duplicity: Option<Setting<PathBuf>>,
    /// Options for Duplicity by its command, or for `all`.
    pub options: BTreeMap<String, Setting<Vec<OsString>>>,
    /// What Duplicity's environment has otherwise than ours.
    pub variables: BTreeMap<String, Setting<Variable>>,
}

impl<T> Setting<T> {
    /// That an argument gave.
    pub fn argument(value: T) -> Self {
        Self {
            value,
            origin: Origin::CommandLine,
        }
    }
}

impl Settings {
    /// These, and of `others` what these do not have.
    #[must_use]
    pub fn over(self, others: Self) -> Self {
        fn maps<T>(
            own: BTreeMap<String, T>,
            mut others: BTreeMap<String, T>,
        ) -> BTreeMap<String, T> {
            others.extend(own);
            others
        }
        fn either<T>(own: Vec<T>, others: Vec<T>) -> Vec<T> {
            if own.is_empty() { others } else { own }
        }
        // Equations are those of a codec, and go with it.
        let says_which = self.codec.is_some() || self.equations.is_some();
        let which = if says_which { &self } else { &others };
        let (codec, equations) = (which.codec.clone(), which.equations.clone());
        Self {
            profile: self.profile.or(others.profile),
            choice: either(self.choice, others.choice),
            source: self.source.or(others.source),
            hosts: self.hosts.or(others.hosts),
            groups: either(self.groups, others.groups),
            codec,
            equations,
            k: self.k.or(others.k),
            n: self.n.or(others.n),
            min_shares: self.min_shares.or(others.min_shares),
            low_disk: self.low_disk.or(others.low_disk),
            duplicity: self.duplicity.or(others.duplicity),
            options: maps(self.options, others.options),
            variables: maps(self.variables, others.variables),
        }
    }

    /// Where the hosts are, if it is set.
    ///
    /// # Errors
    /// What an argument named is no folder, or which they are depends on the profile.
    pub fn layout(&self) -> Result<Option<Layout>, HostsError> {
        match self.hosts.as_ref().map(|hosts| &hosts.value) {
            None => Ok(None),
            Some(Hosts::Named(names)) => Layout::named(names.clone()).map(Some),
            Some(Hosts::Listed(hosts)) if hosts.iter().any(Host::wants_profile) => {
                let known = self.choice.join(", ");
                Err(HostsError::SayProfile { known })
            }
            Some(Hosts::Listed(hosts)) => Ok(Some(Layout::Listed {
                profile: self.profile.clone(),
                hosts: hosts.iter().map(NamedFolder::from).collect(),
            })),
        }
    }

    /// What kind of store the hosts are to hold, or are taken to hold.
    pub fn wish(&self) -> Wish {
        Wish {
            k: value(self.k.as_ref()),
            n: value(self.n.as_ref()),
            codec: value(self.codec.as_ref()),
            equations: value(self.equations.as_ref()),
            min_shares: value(self.min_shares.as_ref()),
            replace: false,
            access: Access::default(),
        }
    }

    /// Hosts with names, if there are any.
    pub fn listed_hosts(&self) -> Option<&[Host]> {
        match self.hosts.as_ref().map(|hosts| &hosts.value) {
            Some(Hosts::Listed(hosts)) => Some(hosts),
            _ => None,
        }
    }

    /// Duplicity's options for one of its commands: those for all, then the command's own. `full` and
    /// `incremental` are ways to `backup`, whose options they get too.
    pub fn options_for(&self, command: &str) -> Vec<OsString> {
        let command = match command {
            "incr" | "inc" => "incremental",
            command => command,
        };
        let general = matches!(command, "full" | "incremental").then_some(BACKUP);
        [Some(ALL), general, Some(command)]
            .into_iter()
            .flatten()
            .filter_map(|command| self.options.get(command))
            .flat_map(|options| options.value.iter().cloned())
            .collect()
    }

    /// What Duplicity's environment is to have. Files are read and commands run for it.
    ///
    /// # Errors
    /// A secret cannot be had.
    pub fn environment(&self) -> Result<Environment, SecretError> {
        let mut environment = Environment::default();
        for (name, variable) in &self.variables {
            variable.value.add_to(&mut environment, name)?;
        }
        Ok(environment)
    }
}

fn value<T: Clone>(setting: Option<&Setting<T>>) -> Option<T> {
    setting.map(|setting| setting.value.clone())
}

impl Origin {
    /// As JSON: an object with `kind`, and for a file `file` and `line`.
    pub fn json(&self) -> Value {
        match self {
            Self::CommandLine => json!({ "kind": "command line" }),
            Self::File { file, line, .. } => {
                json!({ "kind": "file", "file": file.display().to_string(), "line": line })
            }
            Self::Default => json!({ "kind": "default" }),
        }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::CommandLine => f.write_str("command line"),
            Self::File { file, line, .. } => write!(f, "{}:{line}", quote_path(file)),
            Self::Default => f.write_str("default"),
        }
    }
}
