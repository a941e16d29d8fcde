//! Where a secret is to be had, and getting it.

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Read};
use std::os::unix::ffi::OsStringExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value as Json, json};
use toml::de::DeValue;

use super::error::ConfigError;
use super::reader::{Reader, Value};
use crate::catalogue::catalogue;
use crate::command::Running;
use crate::duplicity::environment::Secret;
use crate::quote::quote_path;

/// Longer than any secret, in bytes.
const LIMIT: u64 = 1 << 16;
/// Rights of others in a file's mode.
const OTHERS: u32 = 0o077;
const EXPECTED: &str = "a command in quotes, or a list of its words";

/// Where a secret is to be had.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reference {
    /// The text of this file, without a last end of line.
    File(PathBuf),
    /// What this program prints, without a last end of line.
    Command {
        /// The program and its arguments.
        words: Vec<OsString>,
        /// Whether it is one word for a shell.
        shell: bool,
        /// Where it runs.
        folder: PathBuf,
    },
    /// The value of this variable of ours.
    Env(String),
}

/// Why a secret cannot be had. Messages leave the cause to `source`, and have no part of the secret.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SecretError {
    /// The file cannot be read.
    #[error("{variable} cannot be read from {}", quote_path(path))]
    Unreadable {
        /// What was to be set.
        variable: String,
        /// Where from.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// Others can read it.
    #[error(
        "{variable} is not taken from {}, which others than its owner may use (mode {mode:03o}): \
         chmod 600 {}",
        quote_path(path),
        crate::quote::name_for_shell(path)
    )]
    NotPrivate {
        /// What was to be set.
        variable: String,
        /// Where from.
        path: PathBuf,
        /// The rights on the file.
        mode: u32,
    },
    /// The command does not end well.
    #[error("{variable} cannot be had from the command {program}")]
    Command {
        /// What was to be set.
        variable: String,
        /// What was run.
        program: String,
        /// How it ended.
        source: io::Error,
    },
    /// No such variable.
    #[error("{variable} is to be what {env} is, and {env} is not set in the environment")]
    NotSet {
        /// What was to be set.
        variable: String,
        /// Where from.
        env: String,
    },
    /// Something else than a secret came.
    #[error("{variable} from {from} is {what}, and no secret")]
    Unlike {
        /// What was to be set.
        variable: String,
        /// Where from.
        from: String,
        /// What it is.
        what: &'static str,
    },
}

catalogue! {
    SecretError {
        Self::Unreadable { .. } | Self::Unlike { .. } => "secret-unreadable":
            "Nothing was read or written."
            "See that the secret is where distdup.toml says, on one line.";
        Self::NotPrivate { .. } => "secret-not-private":
            "Nothing was read or written. Others on this machine may have read the secret."
            "Take the rights away from others, as the error says, and change the secret if they have seen it.";
        Self::Command { .. } => "secret-command":
            "Nothing was read or written."
            "Run that command by itself, and see why it does not print the secret.";
        Self::NotSet { .. } => "secret-not-set":
            "Nothing was read or written."
            "Set that variable, and run the same command again.";
    }
}

impl Reference {
    /// A command of a file: a string is for a shell.
    pub(super) fn command(reader: &Reader<'_>, value: &Value<'_>) -> Result<Self, ConfigError> {
        let (words, shell) = match value.get_ref() {
            DeValue::Array(words) if words.is_empty() => {
                return Err(reader.unlike(value, "a program"));
            }
            DeValue::Array(_) => {
                let words = reader.words(value, EXPECTED)?;
                (words.into_iter().map(|(word, _)| word).collect(), false)
            }
            DeValue::String(_) => (vec![reader.string(value, EXPECTED)?.into()], true),
            _ => return Err(reader.unlike(value, EXPECTED)),
        };
        Ok(Self::Command {
            words,
            shell,
            folder: reader.folder.clone(),
        })
    }

    /// Whether the secret that `variable` is to be could be had, as far as can be told without having it.
    ///
    /// # Errors
    /// It could not.
    pub fn check(&self, variable: &str) -> Result<(), SecretError> {
        match self {
            Self::File(path) => open_private(variable, path).map(drop),
            Self::Env(_) => self.fetch(variable).map(drop),
            Self::Command { .. } => Ok(()),
        }
    }

    /// Gets the secret that `variable` is to be.
    ///
    /// # Errors
    /// It cannot be had, or others could have it too.
    pub fn fetch(&self, variable: &str) -> Result<Secret, SecretError> {
        let (bytes, from) = match self {
            Self::File(path) => {
                let file = open_private(variable, path)?;
                let bytes = read(file).map_err(|source| unreadable(variable, path, source))?;
                (bytes, quote_path(path))
            }
            Self::Command {
                words,
                shell,
                folder,
            } => {
                let program = words[0].to_string_lossy().into_owned();
                let mut command = if *shell {
                    Running::shell(&words[0])
                } else {
                    let mut command = Command::new(&words[0]);
                    command.args(&words[1..]);
                    command
                };
                let bytes =
                    run(command.current_dir(folder)).map_err(|source| SecretError::Command {
                        variable: variable.to_owned(),
                        program: program.clone(),
                        source,
                    })?;
                (bytes, format!("the command {program}"))
            }
            Self::Env(env) => {
                let not_set = || SecretError::NotSet {
                    variable: variable.to_owned(),
                    env: env.clone(),
                };
                let value = std::env::var_os(env).ok_or_else(not_set)?;
                (value.into_vec(), env.clone())
            }
        };
        let unlike = |what| SecretError::Unlike {
            variable: variable.to_owned(),
            from: from.clone(),
            what,
        };
        let line = bytes.strip_suffix(b"\n").unwrap_or(&bytes);
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        match line {
            [] => Err(unlike("empty")),
            _ if bytes.len() as u64 > LIMIT => Err(unlike("longer than 64 KiB")),
            _ if line.contains(&0) => Err(unlike("binary data")),
            _ if line.contains(&b'\n') => Err(unlike("more than one line")),
            _ => Ok(Secret::new(OsString::from_vec(line.to_vec()))),
        }
    }

    /// As JSON, as in the file.
    pub(super) fn json(&self) -> Json {
        let text = |word: &OsString| word.to_string_lossy().into_owned();
        match self {
            Self::File(path) => json!({ "file": path.to_string_lossy() }),
            Self::Command { words, shell, .. } if *shell => json!({ "command": text(&words[0]) }),
            Self::Command { words, .. } => {
                json!({ "command": words.iter().map(text).collect::<Vec<_>>() })
            }
            Self::Env(name) => json!({ "env": name }),
        }
    }
}

fn open_private(variable: &str, path: &Path) -> Result<File, SecretError> {
    let failed = |source| unreadable(variable, path, source);
    let file = File::open(path).map_err(failed)?;
    // Of the file that is open, not of whatever has its name by then.
    let about = file.metadata().map_err(failed)?;
    if about.is_file() && about.mode() & OTHERS != 0 {
        return Err(SecretError::NotPrivate {
            variable: variable.to_owned(),
            path: path.to_owned(),
            mode: about.mode() & 0o777,
        });
    }
    Ok(file)
}

fn unreadable(variable: &str, path: &Path, source: io::Error) -> SecretError {
    SecretError::Unreadable {
        variable: variable.to_owned(),
        path: path.to_owned(),
        source,
    }
}

/// What a command prints. It may ask at the terminal.
fn run(command: &mut Command) -> io::Result<Vec<u8>> {
    let (mut running, output) = Running::reading_from(command)?;
    let bytes = read(output)?;
    if bytes.len() as u64 <= LIMIT {
        running.finish()?;
    }
    Ok(bytes)
}

/// All, or a byte more than the limit.
fn read(from: impl Read) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    from.take(LIMIT + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    use super::*;
    use crate::quote::with_causes;

    fn command(words: &[&str], shell: bool) -> Reference {
        Reference::Command {
            words: words.iter().map(OsString::from).collect(),
            shell,
            folder: "/".into(),
        }
    }

    fn fetched(reference: &Reference) -> OsString {
        reference.fetch("PASSPHRASE").unwrap().expose().to_owned()
    }

    fn refused(reference: &Reference) -> String {
        with_causes(&reference.fetch("PASSPHRASE").unwrap_err())
    }

    #[test]
    fn a_file_must_be_private_and_have_one_line() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("it's");
        let reference = Reference::File(path.clone());
        assert!(
            refused(&reference).contains("No such file"),
            "{}",
            refused(&reference)
        );
        let set = |text: &[u8], mode| {
            fs::write(&path, text).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        };
        for (text, secret) in [
            ("a b", "a b"),
            ("a\n", "a"),
            ("a\r\n", "a"),
            (" a \n", " a "),
        ] {
            set(text.as_bytes(), 0o600);
            assert_eq!(fetched(&reference), secret);
        }
        for mode in [0o640, 0o604, 0o620, 0o602, 0o644, 0o610] {
            set(b"hunter2", mode);
            let error = refused(&reference);
            assert!(error.contains(&format!("(mode {mode:o})")), "{error}");
            assert!(error.contains("chmod 600 '/"), "{error}");
            assert!(!error.contains("hunter2"), "{error}");
        }
        for (text, what) in [
            (&b""[..], "empty"),
            (b"\n", "empty"),
            (b"hunter2\nhunter3\n", "more than one line"),
            (b"hun\0ter", "binary data"),
            (&vec![b'x'; 70_000], "longer than 64 KiB"),
        ] {
            set(text, 0o600);
            let error = refused(&reference);
            assert!(error.contains(what) && !error.contains("hun"), "{error}");
        }
        assert!(refused(&Reference::File(folder.path().into())).contains("directory"));
    }

    #[test]
    fn a_command_must_end_well() {
        assert_eq!(
            fetched(&command(&["printf", "%s\n", "a  b"], false)),
            "a  b"
        );
        assert_eq!(fetched(&command(&["pwd; exit 0"], true)), "/");
        for (reference, text) in [
            (command(&["echo hunter2; exit 7"], true), "exit status 7"),
            (command(&["echo hunter2; kill -9 $$"], true), "signal 9"),
            (
                command(&["/nonexistent/pass"], false),
                "cannot start /nonexistent/pass",
            ),
            (command(&["yes hun"], true), "longer than 64 KiB"),
            (command(&["true"], false), "empty"),
        ] {
            let error = refused(&reference);
            assert!(error.contains(text), "{error}");
            assert!(
                !error.replace("echo hunter2", "").contains("hunter2"),
                "{error}"
            );
        }
    }

    #[test]
    fn a_variable_must_be_set() {
        let path = std::env::var_os("PATH").unwrap();
        assert_eq!(fetched(&Reference::Env("PATH".into())), path);
        let error = refused(&Reference::Env("DISTDUP_NO_SUCH".into()));
        assert!(error.contains("DISTDUP_NO_SUCH is not set"), "{error}");
    }
}
