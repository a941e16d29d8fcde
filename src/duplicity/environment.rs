//! What Duplicity's environment has more, or less, than ours: the one way by which it gets secrets.

use std::ffi::{OsStr, OsString};
use std::fmt;
use std::process::Command;

/// Changes to the environment that Duplicity inherits.
#[derive(Debug, Default)]
pub struct Environment(Vec<(String, Option<Secret>)>);

/// A value that is shown nowhere.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(OsString);

impl Environment {
    /// Gives a variable a value.
    pub fn set(&mut self, name: impl Into<String>, value: Secret) {
        self.0.push((name.into(), Some(value)));
    }

    /// Takes a variable away.
    pub fn unset(&mut self, name: impl Into<String>) {
        self.0.push((name.into(), None));
    }

    /// Makes the changes to what `command` will see.
    pub fn apply<'a>(&self, command: &'a mut Command) -> &'a mut Command {
        for (name, value) in &self.0 {
            match value {
                Some(Secret(value)) => command.env(name, value),
                None => command.env_remove(name),
            };
        }
        command
    }

    /// Whether Duplicity will see this variable.
    pub fn has(&self, name: &str) -> bool {
        match self.0.iter().rfind(|(changed, _)| changed == name) {
            Some((_, value)) => value.is_some(),
            None => std::env::var_os(name).is_some(),
        }
    }
}

impl Secret {
    /// To be kept.
    pub fn new(value: impl Into<OsString>) -> Self {
        Self(value.into())
    }

    /// The value itself: for an environment, and nothing else.
    pub fn expose(&self) -> &OsStr {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_applied_and_not_shown() {
        let mut environment = Environment::default();
        environment.set("PASSPHRASE", Secret::new("hunter2"));
        environment.unset("PATH");
        assert!(environment.has("PASSPHRASE") && !environment.has("PATH"));
        assert!(!format!("{environment:?}").contains("hunter2"));

        let mut command = Command::new("/usr/bin/env");
        let output = environment.apply(&mut command).output().unwrap();
        let seen = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(seen.lines().any(|line| line == "PASSPHRASE=hunter2"));
        assert!(!seen.lines().any(|line| line.starts_with("PATH=")));
    }
}
