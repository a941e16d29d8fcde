//! What a user's options for Duplicity say, as far as we must know.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;

/// Shortest beginning of a name that Duplicity takes for all of it, where no other begins so.
const SHORTEST: usize = "--vo".len();

/// Whether the option `name` is there, in full or by its beginning, with a value or without.
pub fn has(options: &[OsString], name: &str) -> bool {
    options.iter().any(|option| is(option, name))
}

/// The value of the option `name`; of several, the last, which is the one that counts.
pub fn value<'a>(options: &'a [OsString], name: &str) -> Option<&'a OsStr> {
    let at = options.iter().rposition(|option| is(option, name))?;
    match split(&options[at]) {
        (_, Some(value)) => Some(value),
        _ => options.get(at + 1).map(OsString::as_os_str),
    }
}

/// What is to be done, if the first of the options says so as one of `actions`.
pub fn action<'a>(options: &[OsString], actions: &[&'a str]) -> Option<&'a str> {
    let first = options.first()?;
    actions.iter().copied().find(|action| first == action)
}

/// Options that a restore needs as the backup had them, and whether a value follows.
const OF_BOTH: &[(&str, bool)] = &[
    ("--no-encryption", false),
    ("--use-agent", false),
    ("--encrypt-key", true),
    ("--encrypt-sign-key", true),
    ("--hidden-encrypt-key", true),
    ("--encrypt-secret-keyring", true),
    ("--gpg-binary", true),
    ("--gpg-options", true),
    ("--archive-dir", true),
    ("--name", true),
];

/// What of a backup's options its restore needs as well.
pub fn of_both(options: &[OsString]) -> Vec<OsString> {
    let mut kept = Vec::new();
    let mut rest = options.iter();
    while let Some(option) = rest.next() {
        let Some((_, has_value)) = OF_BOTH.iter().find(|(name, _)| is(option, name)) else {
            continue;
        };
        kept.push(option.clone());
        if *has_value && split(option).1.is_none() {
            kept.extend(rest.next().cloned());
        }
    }
    kept
}

/// Whether nothing is to be done, but to say what would be.
pub fn is_dry_run(options: &[OsString]) -> bool {
    has(options, "--dry-run")
}

/// How much Duplicity is to say, as it was given: a digit, or a word or its first letter.
pub fn verbosity(options: &[OsString]) -> Option<&OsStr> {
    let short = |option: &OsString| option.as_bytes().starts_with(b"-v");
    let at = options
        .iter()
        .rposition(|option| short(option) || is(option, "--verbosity"))?;
    match options[at].as_bytes() {
        [b'-', b'v', value @ ..] if !value.is_empty() => Some(OsStr::from_bytes(value)),
        _ => split(&options[at])
            .1
            .or_else(|| options.get(at + 1).map(OsString::as_os_str)),
    }
}

/// Whether not even warnings are to be said, nor written to the log.
pub fn hides_warnings(options: &[OsString]) -> bool {
    let verbosity = verbosity(options).map(OsStr::to_ascii_lowercase);
    verbosity.is_some_and(|said| ["0", "1", "e", "error"].iter().any(|none| said == *none))
}

fn is(option: &OsStr, name: &str) -> bool {
    let (given, _) = split(option);
    given == name.as_bytes() || given.len() >= SHORTEST && name.as_bytes().starts_with(given)
}

fn split(option: &OsStr) -> (&[u8], Option<&OsStr>) {
    let bytes = option.as_bytes();
    match bytes.iter().position(|&byte| byte == b'=') {
        Some(at) => (&bytes[..at], Some(OsStr::from_bytes(&bytes[at + 1..]))),
        None => (bytes, None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_found_as_duplicity_finds_them() {
        let of = |options: &[&str]| {
            let options: Vec<_> = options.iter().map(OsString::from).collect();
            let found = value(&options, "--volsize");
            assert_eq!(has(&options, "--volsize"), found.is_some());
            found.map(OsStr::to_owned)
        };
        assert_eq!(of(&["full", "--volsize", "5"]), Some("5".into()));
        assert_eq!(of(&["--volsize=5"]), Some("5".into()));
        assert_eq!(of(&["--vols", "5", "--volsize=6"]), Some("6".into()));
        assert_eq!(of(&["--v", "5", "-v5", "--verbosity=5"]), None);
        assert_eq!(of(&[]), None);
    }

    #[test]
    fn it_is_seen_how_much_is_to_be_said() {
        let of = |options: &[&str]| {
            let options: Vec<_> = options.iter().map(OsString::from).collect();
            let said = verbosity(&options).map(OsStr::to_owned);
            (said.unwrap_or_default(), hides_warnings(&options))
        };
        for (options, said, hides) in [
            (&["-v4"][..], "4", false),
            (&["-v", "1"], "1", true),
            (&["--verbosity=Error"], "Error", true),
            (&["--verb", "w"], "w", false),
            (&["-v0", "--verbosity", "info"], "info", false),
            (&["--verbosity", "info", "-ve"], "e", true),
            (&["--volsize", "1", "-v"], "", false),
            (&[], "", false),
        ] {
            assert_eq!(of(options), (said.into(), hides), "{options:?}");
        }
    }
}
