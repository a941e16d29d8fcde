//! The configuration file: hosts, code, and what Duplicity is to be told, by profile.
//!
//! [`Config::find`] reads it, and [`Config::profile`] gives the [`Settings`] of one profile, which are
//! those at the top of the file with the profile's own over them. Each [`Setting`] knows where it was
//! set. docs/CONFIGURATION.md describes the file.
//!
//! A file is read whole, and is right or refused: an [error](ConfigError) about something in it has the
//! line. Secrets are not in it, only where they are to be had from; [`Settings::environment`] fetches
//! them when Duplicity is about to be started.

mod environment;
mod error;
mod excerpt;
mod find;
mod hosts;
mod keys;
mod nearest;
mod problem;
mod profiles;
mod reader;
mod secret;
mod settings;
mod shown;

pub use self::environment::Variable;
pub use self::error::{ConfigError, Fault};
pub use self::hosts::{Chances, Host, Hosts};
pub use self::problem::Problem;
pub use self::profiles::Config;
pub use self::secret::{Reference, SecretError};
pub use self::settings::{Origin, Setting, Settings};
pub use self::shown::Shown;

/// A file that says nothing yet, with a comment on everything that it could say.
pub const TEMPLATE: &str = include_str!("template.toml");

#[cfg(test)]
mod tests;
