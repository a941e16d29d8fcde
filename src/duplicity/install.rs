//! Our backend in an installed Duplicity, so that plain `duplicity ... distdup://PROFILE` works.

use std::fs;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use super::launch::{BACKEND, Duplicity};
use crate::catalogue::catalogue;
use crate::quote::quote_path;

/// What Duplicity looks for ends like this.
const FILE: &str = "distdupbackend.py";
/// Begins a file that is ours.
const OURS: &str =
    "# Installed by `distdup duplicity --install-backend`; taken away by --remove-backend.\n";
/// What the backend has where it is not installed.
const NO_PROGRAM: &str = "\nPROGRAM = None";

/// Where the backend is, and what became of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Installed {
    /// The file.
    pub path: PathBuf,
    /// What was done.
    pub change: Change,
}

/// What was done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// There was none.
    Installed,
    /// There was another of ours.
    Replaced,
    /// There was this one already, or, to be removed, none.
    Nothing,
    /// It is gone.
    Removed,
}

/// Why the backend cannot be installed or removed. Messages leave the cause to `source`.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum InstallError {
    /// Duplicity does not say where its backends are.
    #[error(
        "{} does not tell where Duplicity's backends are (said {said:?})",
        quote_path(script)
    )]
    NoFolder {
        /// Duplicity's script.
        script: PathBuf,
        /// What its Python said, cut.
        said: String,
    },
    /// Its Python cannot be run.
    #[error("the Python of {} cannot be run", quote_path(script))]
    Python {
        /// Duplicity's script.
        script: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// Somebody else's.
    #[error(
        "{} is there, and is not distdup's: it is left as it is; remove it or give it another name",
        quote_path(path)
    )]
    NotOurs {
        /// The file.
        path: PathBuf,
    },
    /// A program that Python could not name.
    #[error(
        "{} is not UTF-8; distdup has to be where a name is",
        quote_path(program)
    )]
    Program {
        /// It.
        program: PathBuf,
    },
    /// It is not to be had.
    #[error(
        "cannot change {}; whoever installed Duplicity can (root, for a package)",
        quote_path(path)
    )]
    File {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
}

catalogue! {
    InstallError {
        Self::NoFolder { .. } | Self::Python { .. } => "backend-folder":
            "Nothing was installed or removed."
            "Give the script of Duplicity that is to be used: --duplicity PATH";
        Self::NotOurs { .. } => "backend-in-use":
            "Nothing was installed or removed."
            "Move the file that is named out of the way, and run the same command again.";
        Self::Program { .. } => "backend-program":
            "Nothing was installed or removed."
            "Put distdup where every folder's name is UTF-8, and run the same command again.";
        Self::File { .. } => "backend-not-written":
            "The backend is as it was."
            "Run the same command as the user who installed Duplicity (sudo, for a package).";
    }
}

/// Installs the backend, which will start `program`, in place of an older one of ours.
///
/// # Errors
/// [`InstallError`].
pub fn install(duplicity: &Duplicity, program: &Path) -> Result<Installed, InstallError> {
    let name = program.to_str().ok_or_else(|| InstallError::Program {
        program: program.to_owned(),
    })?;
    // A string of JSON is one of Python's, too.
    let named = format!("\nPROGRAM = {}", serde_json::Value::from(name));
    let text = format!("{OURS}{}", BACKEND.replacen(NO_PROGRAM, &named, 1));
    let path = duplicity.backends()?.join(FILE);
    let change = match ours(&path)? {
        None => Change::Installed,
        Some(found) if found == text => Change::Nothing,
        Some(_) => Change::Replaced,
    };
    if change != Change::Nothing {
        // Whole or not at all, under a name that is no backend's until then.
        let partial = path.with_extension("partial");
        fs::write(&partial, text)
            .and_then(|()| fs::rename(&partial, &path))
            .map_err(|source| failed(&path, source))
            .inspect_err(|_| _ = fs::remove_file(&partial))?;
    }
    Ok(Installed { path, change })
}

/// Removes the backend.
///
/// # Errors
/// [`InstallError`].
pub fn remove(duplicity: &Duplicity) -> Result<Installed, InstallError> {
    let path = duplicity.backends()?.join(FILE);
    let change = if ours(&path)?.is_some() {
        fs::remove_file(&path).map_err(|source| failed(&path, source))?;
        Change::Removed
    } else {
        Change::Nothing
    };
    Ok(Installed { path, change })
}

/// The file that is there, if there is one; it must be ours.
fn ours(path: &Path) -> Result<Option<String>, InstallError> {
    match fs::read(path) {
        Ok(bytes) => match String::from_utf8(bytes) {
            Ok(text) if text.starts_with(OURS) => Ok(Some(text)),
            _ => Err(InstallError::NotOurs {
                path: path.to_owned(),
            }),
        },
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(source) => Err(failed(path, source)),
    }
}

fn failed(path: &Path, source: io::Error) -> InstallError {
    InstallError::File {
        path: path.to_owned(),
        source,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_backend_has_a_place_for_the_program() {
        assert_eq!(BACKEND.matches(NO_PROGRAM).count(), 1);
    }
}
