//! Finds Duplicity and runs it with our backend.

use std::ffi::{OsStr, OsString};
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::install::InstallError;
use super::protocol::{RESIDENT, RUNTIME};
use super::runtime::Runtime;
use crate::catalogue::catalogue;
use crate::quote::quote_path;

pub(super) const BACKEND: &str = include_str!("backend.py");
const LAUNCHER: &str = include_str!("launcher.py");

/// The script that the launcher runs where Duplicity is not a module that can be called.
const SCRIPT: &str = "DISTDUP_DUPLICITY";

/// What Python says of the first folder of backends, which is the only one that is looked at.
const TELL_BACKENDS: &str = "import os, sys, duplicity.backends as b; \
     sys.stdout.buffer.write(os.fsencode(b.__path__[0]))";

/// What Python finds as module duplicity, without running it: a tenth of what `--version` takes. Not in the
/// working folder, where the launcher does not look, either.
const TELL_MODULE: &str = "import sys
if sys.path[0] == '':
    del sys.path[0]
for finder in sys.meta_path:
    found = finder.find_spec('duplicity', None)
    if found is not None:
        with open(found.origin, 'rb') as source:
            sys.stdout.buffer.write(source.read())
        break";

/// The oldest and the newest version that distdup is tested with.
const TESTED: [&[u32]; 2] = [&[0, 8, 22], &[3, 2, 1]];

/// More than any interpreter's path needs.
const FIRST_LINES: u64 = 4096;

/// An installed Duplicity.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Duplicity {
    script: PathBuf,
    interpreter: Interpreter,
    version: Version,
}

/// Duplicity's first generation whose actions are all to be said.
const SAYS_ACTION: u32 = 2;

/// Version of Duplicity.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Version {
    /// The first number.
    pub major: u32,
    /// All of it, as Duplicity says it.
    pub text: String,
}

/// Why there is no Duplicity to run. Messages leave the cause to `source`.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FindError {
    /// Not on PATH.
    #[error(
        "there is no duplicity on PATH; install it (Debian: apt-get install duplicity; else: pip \
         install duplicity), or give --duplicity PATH"
    )]
    Missing,
    /// The file cannot be read.
    #[error("{} cannot be read", quote_path(path))]
    Unreadable {
        /// The script.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// It does not say which Python runs it.
    #[error(
        "{} does not name a Python interpreter in its first line, so that distdup cannot run it with \
         its own backend (found {first_line:?})",
        quote_path(path)
    )]
    NoInterpreter {
        /// The script.
        path: PathBuf,
        /// Its first line, cut.
        first_line: String,
    },
    /// It does not run.
    #[error("{} --version cannot be run", quote_path(path))]
    DoesNotRun {
        /// The script.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// It does not tell its version.
    #[error(
        "{} --version said {said:?}, expected something like \"duplicity 3.2.1\"",
        quote_path(path)
    )]
    NoVersion {
        /// The script.
        path: PathBuf,
        /// What it said, cut.
        said: String,
    },
}

catalogue! {
    FindError {
        Self::Missing => "duplicity-missing":
            "Nothing was read or written."
            "Install Duplicity, or say where it is: --duplicity PATH. Without it: docs/RECOVERY.md.";
        Self::Unreadable { .. }
        | Self::NoInterpreter { .. }
        | Self::DoesNotRun { .. }
        | Self::NoVersion { .. } => "duplicity-unusable":
            "Nothing was read or written."
            "See that this is Duplicity's own script, and that it runs: duplicity --version";
    }
}

impl Duplicity {
    /// The Duplicity whose script is `given`, or the one on PATH.
    ///
    /// # Errors
    /// Why there is none that can be run.
    pub fn find(given: Option<&Path>) -> Result<Self, FindError> {
        let script = match given {
            // The launcher may be asked to run it after the working folder has changed.
            Some(path) => std::path::absolute(path).map_err(|source| FindError::Unreadable {
                path: path.to_owned(),
                source,
            })?,
            None => Self::on_path().ok_or(FindError::Missing)?,
        };
        let interpreter = Interpreter::of(&script)?;
        let version = match interpreter.module_version(&script) {
            Some(version) => version,
            None => Version::said_by(&script)?,
        };
        Ok(Self {
            script,
            interpreter,
            version,
        })
    }

    /// The first executable `duplicity` on PATH.
    pub fn on_path() -> Option<PathBuf> {
        let path = std::env::var_os("PATH")?;
        std::env::split_paths(&path)
            .map(|folder| folder.join("duplicity"))
            .find(|file| {
                fs::metadata(file)
                    .is_ok_and(|about| about.is_file() && about.permissions().mode() & 0o111 != 0)
            })
            .and_then(|file| std::path::absolute(file).ok())
    }

    /// Its script.
    pub fn script(&self) -> &Path {
        &self.script
    }

    /// Its version.
    pub fn version(&self) -> &Version {
        &self.version
    }

    /// A command that runs it with the backend, which starts `resident` for its work. Arguments are to
    /// be added; all else is inherited. `runtime` must live until it has ended.
    ///
    /// # Errors
    /// Whatever keeps the Python files from being written, or an argument of `resident` that is not
    /// UTF-8.
    pub fn command(&self, runtime: &Runtime, resident: &[OsString]) -> io::Result<Command> {
        let not_utf8 = |argument: &OsString| {
            let message = format!("{} is not UTF-8", quote_path(argument));
            io::Error::new(io::ErrorKind::InvalidInput, message)
        };
        let resident = resident
            .iter()
            .map(|argument| argument.to_str().ok_or_else(|| not_utf8(argument)))
            .collect::<io::Result<Vec<_>>>()?;
        let launcher = self.install(runtime)?;
        let mut command = Command::new(&self.interpreter.command[0]);
        command
            .args(&self.interpreter.command[1..])
            .arg(launcher)
            .env(RESIDENT, serde_json::to_string(&resident)?)
            .env(RUNTIME, runtime.path())
            .env(SCRIPT, &self.script);
        Ok(command)
    }

    /// The folder in which it looks for backends.
    pub(super) fn backends(&self) -> Result<PathBuf, InstallError> {
        let output = self
            .interpreter
            .told(TELL_BACKENDS)
            // Where no folder is called duplicity.
            .current_dir("/")
            .output()
            .map_err(|source| InstallError::Python {
                script: self.script.clone(),
                source,
            })?;
        let folder = PathBuf::from(OsString::from_vec(output.stdout));
        if folder.is_absolute() && folder.is_dir() {
            return Ok(folder);
        }
        Err(InstallError::NoFolder {
            script: self.script.clone(),
            said: cut(&output.stderr),
        })
    }

    /// Writes the Python files; returns the launcher's path.
    fn install(&self, runtime: &Runtime) -> io::Result<PathBuf> {
        fs::write(runtime.path().join("distdupbackend.py"), BACKEND)?;
        let path = runtime.path().join("launcher.py");
        // Duplicity restarts itself by executing this file. Where the script's first line cannot be
        // ours too, the file is not executable, and then the launcher knows a way.
        let mode = if self.interpreter.first_line.is_empty() {
            0o600
        } else {
            0o700
        };
        let mut file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(mode)
            .open(&path)?;
        file.write_all(&self.interpreter.first_line)?;
        file.write_all(LAUNCHER.as_bytes())?;
        Ok(path)
    }
}

/// The Python that runs a script.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Interpreter {
    /// It, and arguments.
    command: Vec<OsString>,
    /// The script's first line with its end, if another script can have the same.
    first_line: Vec<u8>,
}

impl Interpreter {
    fn of(script: &Path) -> Result<Self, FindError> {
        let mut start = Vec::new();
        File::open(script)
            .and_then(|file| file.take(FIRST_LINES).read_to_end(&mut start))
            .map_err(|source| FindError::Unreadable {
                path: script.to_owned(),
                source,
            })?;
        Self::parse(&start).ok_or_else(|| {
            let first_line = start
                .split(|&byte| byte == b'\n')
                .next()
                .unwrap_or_default();
            FindError::NoInterpreter {
                path: script.to_owned(),
                first_line: legible(first_line),
            }
        })
    }

    /// The version of the Duplicity that it has, as that stands in its text; `None` where it does not, or
    /// the script does not run it.
    fn module_version(&self, script: &Path) -> Option<Version> {
        let text = fs::read(script).ok()?;
        memchr::memmem::find(&text, b"from duplicity.")?;
        let output = self.told(TELL_MODULE).output().ok()?;
        Version::in_module(&output.stdout)
    }

    /// A command that runs this Python program.
    fn told(&self, program: &str) -> Command {
        let mut command = Command::new(&self.command[0]);
        command
            .args(&self.command[1..])
            .args(["-c", program])
            .stdin(Stdio::null());
        command
    }

    fn parse(start: &[u8]) -> Option<Self> {
        let mut lines = start.split(|&byte| byte == b'\n');
        let first = lines.next()?;
        let words = words(first.strip_prefix(b"#!")?);
        let words: Vec<&[u8]> = match words.split_first()? {
            // What pip writes where the path has a space in it, or is too long for the kernel:
            // '''exec' "/some where/python3" "$0" "$@"
            (&shell, _) if file_name(shell) == b"sh" => {
                let line = lines.next()?.strip_prefix(b"'''exec' ")?;
                let line = line.strip_suffix(b" \"$0\" \"$@\"")?;
                vec![
                    line.strip_prefix(b"\"")
                        .and_then(|line| line.strip_suffix(b"\""))
                        .unwrap_or(line),
                ]
            }
            (&env, rest) if file_name(env) == b"env" => {
                rest.iter().copied().filter(|&word| word != b"-S").collect()
            }
            _ => words,
        };
        if !file_name(words.first()?).starts_with(b"python")
            && !file_name(words[0]).starts_with(b"pypy")
        {
            return None;
        }
        let shared = !file_name(&first[2..]).starts_with(b"sh");
        Some(Self {
            command: words
                .iter()
                .map(|&word| OsString::from_vec(word.to_vec()))
                .collect(),
            first_line: if shared {
                [first, b"\n"].concat()
            } else {
                Vec::new()
            },
        })
    }
}

fn words(line: &[u8]) -> Vec<&[u8]> {
    line.split(u8::is_ascii_whitespace)
        .filter(|word| !word.is_empty())
        .collect()
}

fn file_name(path: &[u8]) -> &[u8] {
    path.rsplit(|&byte| byte == b'/').next().unwrap_or_default()
}

impl Version {
    /// Whether it is of the generation whose actions are all to be said, and some of whose options have
    /// new names.
    pub fn says_action(&self) -> bool {
        self.major >= SAYS_ACTION
    }

    /// As the script says it; Duplicity takes a fifth of a second for that.
    fn said_by(script: &Path) -> Result<Self, FindError> {
        let output = Command::new(script)
            .arg("--version")
            .stdin(Stdio::null())
            .output()
            .map_err(|source| FindError::DoesNotRun {
                path: script.to_owned(),
                source,
            })?;
        Self::parse(&output.stdout).ok_or_else(|| {
            let said = if output.stdout.is_empty() {
                &output.stderr
            } else {
                &output.stdout
            };
            FindError::NoVersion {
                path: script.to_owned(),
                said: cut(said),
            }
        })
    }

    /// Parses `duplicity 3.2.1 September 28, 2026`.
    fn parse(said: &[u8]) -> Option<Self> {
        let said = std::str::from_utf8(said).ok()?;
        let text = said
            .trim_start()
            .strip_prefix("duplicity ")?
            .split_whitespace()
            .next()?;
        Self::new(text)
    }

    /// Finds `__version__ = u'0.8.22'`, or `__version__: str = "3.2.1"`; in a tree of sources it is
    /// `$version`, and no number.
    fn in_module(text: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(text).ok()?;
        let mut lines = text.lines();
        let (_, value) = lines
            .find(|line| line.starts_with("__version__"))?
            .split_once('=')?;
        let value = value.trim().trim_start_matches('u');
        let value = value.trim_matches(['"', '\'']);
        let is_plain = |c: char| c.is_ascii_alphanumeric() || "._+-".contains(c);
        Self::new(value).filter(|version| version.text.chars().all(is_plain))
    }

    fn new(text: &str) -> Option<Self> {
        let major = text.split('.').next()?.parse().ok()?;
        Some(Self {
            major,
            text: text.to_owned(),
        })
    }

    /// What to say of one that is older or newer than those that distdup is tested with.
    pub fn doubt(&self) -> Option<String> {
        let numbers: Vec<u32> = self
            .text
            .split('.')
            .map_while(|part| part.parse().ok())
            .collect();
        let [oldest, newest] = TESTED;
        // A newest version's later fixes change no interfaces.
        let word = if numbers.as_slice() < oldest {
            "older"
        } else if numbers.get(..2).unwrap_or(&numbers) > &newest[..2] {
            "newer"
        } else {
            return None;
        };
        let shown = |numbers: &[u32]| {
            let numbers: Vec<_> = numbers.iter().map(u32::to_string).collect();
            numbers.join(".")
        };
        Some(format!(
            "Duplicity {} is {word} than those that distdup is tested with ({} and {}); it may work",
            self.text,
            shown(oldest),
            shown(newest)
        ))
    }
}

/// The start of what someone else wrote, for a message.
fn cut(bytes: &[u8]) -> String {
    OsStr::from_bytes(&bytes[..bytes.len().min(200)])
        .to_string_lossy()
        .into_owned()
}

/// A line to be shown; nothing that a person would not read, such as a program's.
fn legible(line: &[u8]) -> String {
    if line
        .iter()
        .any(|&byte| byte.is_ascii_control() && byte != b'\t')
    {
        return "binary data".into();
    }
    cut(line)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn interpreters_are_read_from_the_first_line() {
        let long = "/a place/".to_owned() + &"x".repeat(200) + "/bin/python3.11";
        let pip = format!("#!/bin/sh\n'''exec' \"{long}\" \"$0\" \"$@\"\n' '''\nimport sys\n");
        for (script, command, first_line) in [
            (
                "#!/usr/bin/python3.11\nx",
                vec!["/usr/bin/python3.11"],
                "#!/usr/bin/python3.11\n",
            ),
            (
                "#! /usr/bin/python3 -sE\n",
                vec!["/usr/bin/python3", "-sE"],
                "#! /usr/bin/python3 -sE\n",
            ),
            (
                "#!/usr/bin/env python3\n",
                vec!["python3"],
                "#!/usr/bin/env python3\n",
            ),
            (
                "#!/usr/bin/env -S python3 -I\n",
                vec!["python3", "-I"],
                "#!/usr/bin/env -S python3 -I\n",
            ),
            (&pip, vec![&long], ""),
            (
                "#!/bin/sh\n'''exec' /v/bin/python \"$0\" \"$@\"\n",
                vec!["/v/bin/python"],
                "",
            ),
        ] {
            let found = Interpreter::parse(script.as_bytes()).unwrap();
            assert_eq!(found.command, command, "{script}");
            assert_eq!(found.first_line, first_line.as_bytes(), "{script}");
        }
    }

    #[test]
    fn a_program_is_not_shown() {
        assert_eq!(legible(b"#!/bin/sh -e"), "#!/bin/sh -e");
        assert_eq!(legible(b"\x7fELF\x02\x01"), "binary data");
    }

    #[test]
    fn what_names_no_python_is_refused() {
        for script in [
            "",
            "#!",
            "\x7fELF",
            "#!/bin/sh\nexec duplicity.real\n",
            "#!/bin/bash\n",
            "import sys\n",
        ] {
            assert_eq!(Interpreter::parse(script.as_bytes()), None, "{script:?}");
        }
    }

    #[test]
    fn versions_are_read() {
        let version =
            |said: &str| Version::parse(said.as_bytes()).map(|found| (found.major, found.text));
        assert_eq!(version("duplicity 0.8.22\n"), Some((0, "0.8.22".into())));
        assert_eq!(
            version("duplicity 3.2.1 September 28, 2026\n"),
            Some((3, "3.2.1".into()))
        );
        assert_eq!(version("usage: duplicity"), None);
        assert_eq!(version(""), None);
    }

    #[test]
    fn versions_are_found_in_a_module() {
        let version =
            |line: &str| Version::in_module(format!("# v\n{line}\nimport gettext\n").as_bytes());
        for (line, text) in [
            ("__version__ = u'0.8.22'", "0.8.22"),
            ("__version__: str = \"3.2.1\"", "3.2.1"),
            ("__version__ = '3.0.4.dev1'", "3.0.4.dev1"),
        ] {
            assert_eq!(version(line).unwrap().text, text);
        }
        for none in [
            "__version__ = u'$version'",
            "__version__ = version()",
            "__version__ = \"3.2\" if new else \"3.1\"",
            "__version__",
            "version = '1.2'",
        ] {
            assert_eq!(version(none), None, "{none}");
        }
    }

    #[test]
    fn versions_nobody_tried_are_told() {
        let doubt = |text: &str| {
            let version = Version::parse(format!("duplicity {text}").as_bytes());
            version.unwrap().doubt().unwrap_or_default()
        };
        for known in [
            "0.8.22",
            "0.8.23",
            "1.2.3",
            "2.0.0",
            "3.0.4.1",
            "3.2.1",
            "3.2.9.dev1",
        ] {
            assert_eq!(doubt(known), "", "{known}");
        }
        for (unknown, word) in [
            ("0.7.19", "older"),
            ("0.8.21", "older"),
            ("3.3.0", "newer"),
            ("4.0", "newer"),
        ] {
            let text = doubt(unknown);
            assert!(
                text.contains(word) && text.contains("0.8.22 and 3.2.1"),
                "{text}"
            );
        }
    }

    #[test]
    fn a_missing_script_is_told() {
        let error = Duplicity::find(Some(Path::new("/nonexistent/duplicity"))).unwrap_err();
        assert!(matches!(error, FindError::Unreadable { .. }), "{error}");
    }
}
