//! Whether `GnuPG` will have something to encrypt with, before anything is started.

use std::ffi::OsString;
use std::fs::OpenOptions;
use std::os::unix::ffi::OsStrExt;

use super::environment::Environment;
use crate::catalogue::catalogue;

/// Options with which Duplicity needs no passphrase, or gets it elsewhere.
const WITHOUT: &[&str] = &[
    "--no-encryption",
    "--encrypt-key",
    "--encrypt-sign-key",
    "--hidden-encrypt-key",
    "--use-agent",
];

/// Nothing to encrypt with, and nobody to ask.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "GnuPG needs a passphrase, and there is no terminal to ask for it: set PASSPHRASE in the \
     environment or the configuration, or say -- --encrypt-key KEY, or -- --no-encryption"
)]
pub struct Missing;

catalogue! {
    Missing {
        Self => "passphrase-missing":
            "Nothing was read or written."
            "Set PASSPHRASE in the environment, or name where it is in distdup.toml (docs/CONFIGURATION.md).";
    }
}

/// Checks that Duplicity has PASSPHRASE, or options that do without, or a terminal to ask on.
///
/// # Errors
/// [`Missing`].
pub fn check(options: &[OsString], environment: &Environment) -> Result<(), Missing> {
    // Where getpass asks, too.
    let terminal = || {
        OpenOptions::new()
            .read(true)
            .write(true)
            .open("/dev/tty")
            .is_ok()
    };
    if environment.has("PASSPHRASE") || does_without(options) || terminal() {
        Ok(())
    } else {
        Err(Missing)
    }
}

/// Whether Duplicity encrypts by nothing but a passphrase.
pub fn is_all(options: &[OsString]) -> bool {
    !does_without(options)
}

fn does_without(options: &[OsString]) -> bool {
    options.iter().any(|option| {
        let name = option
            .as_bytes()
            .split(|&byte| byte == b'=')
            .next()
            .unwrap_or_default();
        WITHOUT.iter().any(|without| without.as_bytes() == name)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_that_do_without_are_known() {
        let of = |options: &[&str]| {
            does_without(&options.iter().map(OsString::from).collect::<Vec<_>>())
        };
        assert!(of(&["--volsize", "5", "--no-encryption"]));
        assert!(of(&["--encrypt-key=ABCD"]) && of(&["--encrypt-key", "ABCD"]));
        assert!(!of(&[]) && !of(&["--name", "no-encryption"]));
    }
}
