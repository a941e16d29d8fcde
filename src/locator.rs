//! How a user names a source or a sink: a path, or a scheme and what it is to find.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;

/// Splits `fd:3` into `fd` and `3`. `None` where there is no scheme: then it is a path, as is
/// everything with a slash before its first colon.
pub(crate) fn split(name: &OsStr) -> Option<(&str, &OsStr)> {
    let colon = name.as_bytes().iter().position(|&byte| byte == b':')?;
    let (scheme, rest) = name.as_bytes().split_at(colon);
    let scheme = std::str::from_utf8(scheme).ok()?;
    let letters = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "+-.".contains(c);
    (scheme.starts_with(|c: char| c.is_ascii_lowercase()) && scheme.chars().all(letters))
        .then(|| (scheme, OsStr::from_bytes(&rest[1..])))
}

/// Whether what follows a scheme that nobody knows makes it a URL rather than the name of a file
/// with a colon in it.
pub(crate) fn is_url(rest: &OsStr) -> bool {
    rest.as_bytes().starts_with(b"//")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn schemes_and_paths_are_told_apart() {
        let split = |name| split(OsStr::new(name)).map(|(a, b)| (a, b.to_str().unwrap()));
        assert_eq!(split("fd:3"), Some(("fd", "3")));
        assert_eq!(
            split("exec:ssh a 'cat b:c'"),
            Some(("exec", "ssh a 'cat b:c'"))
        );
        assert_eq!(split("sftp://host/a"), Some(("sftp", "//host/a")));
        for path in ["", "s0", ":a", "./fd:3", "/a:b", "C:x", "2026:07", "a b:c"] {
            assert_eq!(split(path), None, "{path}");
        }
    }
}
