//! How a user names a source or a sink: a path, or a scheme and what it is to find.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;

/// Splits `fd:3` into `fd` and `3`. `None` where there is no scheme: then it is a path, as is
/// everything with a slash before its first colon.
fn split(name: &OsStr) -> Option<(&str, &OsStr)> {
    let colon = name.as_bytes().iter().position(|&byte| byte == b':')?;
    let (scheme, rest) = name.as_bytes().split_at(colon);
    let scheme = std::str::from_utf8(scheme).ok()?;
    let letters = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "+-.".contains(c);
    (scheme.starts_with(|c: char| c.is_ascii_lowercase()) && scheme.chars().all(letters))
        .then(|| (scheme, OsStr::from_bytes(&rest[1..])))
}

/// A kind of source or sink that is named by a scheme.
pub trait Scheme: Sync {
    /// What stands before the colon.
    fn scheme(&self) -> &'static str;

    /// One line for a listing.
    fn summary(&self) -> &'static str;
}

/// What a name leads to, of the kinds that there are.
pub(crate) enum Located<'a, K: ?Sized + 'static> {
    /// A kind, and what it is to find.
    Kind(&'static K, &'a OsStr),
    /// A URL of none of them.
    Unknown {
        /// What stands before the colon.
        scheme: &'a str,
        /// The schemes that there are.
        known: String,
    },
    /// A path. A name with a colon in it is one, too, if nobody knows what stands before it.
    Path,
}

/// Finds out which of `kinds` is named, if it is one of them.
pub(crate) fn locate<'a, K: Scheme + ?Sized + 'static>(
    name: &'a OsStr,
    kinds: &[&'static K],
) -> Located<'a, K> {
    let Some((scheme, rest)) = split(name) else {
        return Located::Path;
    };
    if let Some(kind) = kinds.iter().find(|kind| kind.scheme() == scheme) {
        return Located::Kind(kind, rest);
    }
    if !rest.as_bytes().starts_with(b"//") {
        return Located::Path;
    }
    let known: Vec<_> = kinds
        .iter()
        .map(|kind| format!("{}:", kind.scheme()))
        .collect();
    Located::Unknown {
        scheme,
        known: known.join(" "),
    }
}

/// Whether `name` is the path of a file, and neither a kind's nor `-`.
pub(crate) fn is_path<K: Scheme + ?Sized + 'static>(name: &OsStr, kinds: &[&'static K]) -> bool {
    name != "-" && matches!(locate(name, kinds), Located::Path)
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
