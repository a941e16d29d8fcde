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
}
