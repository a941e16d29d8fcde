//! Names and bytes of unknown origin, made fit for a message.

use std::ffi::OsStr;
use std::fmt::Write;
use std::path::Path;

/// Most characters of a name that a message shows.
const LONGEST: usize = 240;

/// `bytes` as text that a terminal only shows: control characters, terminal escapes, marks that turn
/// the direction of writing and bytes that are not UTF-8 are escaped, and what is very long is cut.
pub fn quote(bytes: impl AsRef<[u8]>) -> String {
    let bytes = bytes.as_ref();
    let mut text = String::with_capacity(bytes.len().min(LONGEST));
    for chunk in bytes.utf8_chunks() {
        for c in chunk.valid().chars() {
            match c {
                '\'' | '"' => text.push(c),
                _ => text.extend(c.escape_debug()),
            }
        }
        for byte in chunk.invalid() {
            let _ = write!(text, "\\x{byte:02x}"); // A string takes everything.
        }
        if text.len() > LONGEST * 4 {
            break; // More than will be shown.
        }
    }
    if let Some((cut, _)) = text.char_indices().nth(LONGEST) {
        text.truncate(cut);
        let _ = write!(text, "… ({} bytes)", bytes.len());
    }
    text
}

/// The same of a path.
pub fn quote_path(path: impl AsRef<Path>) -> String {
    quote(path.as_ref().as_os_str().as_encoded_bytes())
}

/// A word as a shell reads it, for a command that can be pasted. One that a terminal would not only
/// show is written as `$'...'`, which newer shells read.
pub fn for_shell(word: impl AsRef<OsStr>) -> String {
    let bytes = word.as_ref().as_encoded_bytes();
    let plain = |c: char| c.is_alphanumeric() || "_./:@%+=,-".contains(c);
    match str::from_utf8(bytes) {
        Ok(word) if !word.is_empty() && word.chars().all(plain) => word.to_owned(),
        Ok(word) if word.chars().all(is_shown) => format!("'{}'", word.replace('\'', "'\\''")),
        _ => format!(
            "$'{}'",
            bytes.iter().copied().map(escaped).collect::<String>()
        ),
    }
}

/// The same of a name of a file, which no command takes for an option.
pub fn name_for_shell(name: impl AsRef<OsStr>) -> String {
    let name = name.as_ref();
    if name != "-" && name.as_encoded_bytes().starts_with(b"-") {
        for_shell(Path::new(".").join(name))
    } else {
        for_shell(name)
    }
}

/// Whether a terminal does no more than show it.
fn is_shown(c: char) -> bool {
    matches!(c, '\'' | '"' | '\\') || c.escape_debug().eq([c])
}

/// A byte between `$'` and `'`.
fn escaped(byte: u8) -> String {
    match byte {
        b'\'' | b'\\' => format!("\\{}", char::from(byte)),
        b' '..=b'~' => char::from(byte).to_string(),
        _ => format!("\\{byte:03o}"),
    }
}

/// An error and its causes, in a line.
pub fn with_causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let _ = write!(text, ": {error}"); // A string takes everything.
        cause = error.source();
    }
    text
}

/// Items below each other, each on a line of its own that begins here.
pub(crate) fn lines(items: impl IntoIterator<Item = impl std::fmt::Display>) -> String {
    items.into_iter().fold(String::new(), |mut text, item| {
        let _ = write!(text, "\n  {item}"); // A string takes everything.
        text
    })
}

#[cfg(test)]
mod tests {
    use std::os::unix::ffi::OsStrExt;

    use super::*;

    #[test]
    fn plain_names_stay_as_they_are() {
        for name in ["s0", "/a b/ü.share", "exec:ssh host1 \"cat > 'share'\""] {
            assert_eq!(quote(name), name);
        }
    }

    #[test]
    fn what_a_terminal_would_obey_is_escaped() {
        assert_eq!(quote("a\x1b[31mb"), "a\\u{1b}[31mb");
        assert_eq!(quote("a\nb\r"), "a\\nb\\r");
        assert_eq!(quote("a\u{202e}b"), "a\\u{202e}b");
        assert_eq!(quote(b"a\xff\\"), "a\\xff\\\\");
        assert_eq!(quote("\u{9b}31m"), "\\u{9b}31m");
    }

    #[test]
    fn words_are_what_a_shell_reads() {
        let names: [&[u8]; 7] = [
            b"s0",
            b"a b",
            b"it's \\ \"so\"",
            b"a\nb\x1b[31m",
            b"\xff1'\\",
            "\u{202e}ü".as_bytes(),
            b"",
        ];
        for name in names {
            let word = for_shell(OsStr::from_bytes(name));
            assert_eq!(quote(word.replace('\\', "/")), word.replace('\\', "/"));
            let mut shell = std::process::Command::new("bash");
            let shell = shell.arg("-c").arg(format!("printf %s {word}"));
            assert_eq!(shell.output().unwrap().stdout, name, "{word}");
        }
        assert_eq!(["-s0", "-", "s-"].map(name_for_shell), ["./-s0", "-", "s-"]);
    }

    #[test]
    fn a_shell_gets_the_name_and_not_what_is_shown_of_it() {
        let long = "x".repeat(5000);
        for (name, word) in [
            ("s0", "s0"),
            ("we\\ird{i}", "'we\\ird{i}'"),
            ("a\\\\'b\"", "'a\\\\'\\''b\"'"),
            ("ü", "ü"),
            ("a\nb", "$'a\\012b'"),
            ("a\u{202e}b", "$'a\\342\\200\\256b'"),
            (long.as_str(), long.as_str()),
        ] {
            assert_eq!(for_shell(name), word, "{name}");
        }
    }

    #[test]
    fn what_is_long_is_cut_and_says_so() {
        assert_eq!(quote("x".repeat(LONGEST)), "x".repeat(LONGEST));
        assert_eq!(
            quote("x".repeat(5000)),
            format!("{}… (5000 bytes)", "x".repeat(LONGEST))
        );
        assert!(quote([0xff; 5000]).ends_with("… (5000 bytes)"));
    }
}
