//! Where the file is, and what is in it.

use std::env;
use std::fs::{self, File};
use std::io::{self, ErrorKind, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::error::ConfigError;

/// What the file is called.
const NAME: &str = "distdup.toml";
/// More than anybody writes, in bytes.
const LIMIT: u64 = 1 << 20;

/// Where a file is looked for that nobody named, in this order.
pub(super) fn candidates() -> Vec<PathBuf> {
    let absolute = |name| {
        env::var_os(name)
            .map(PathBuf::from)
            .filter(|path| path.is_absolute())
    };
    let folder = absolute("XDG_CONFIG_HOME").or(absolute("HOME").map(|home| home.join(".config")));
    let there = folder.map(|folder| folder.join("distdup").join(NAME));
    [PathBuf::from(NAME)].into_iter().chain(there).collect()
}

/// The first of them that exists.
pub(super) fn first() -> Option<PathBuf> {
    candidates()
        .into_iter()
        .find(|path| fs::symlink_metadata(path).is_ok())
}

/// The text of the file. One that nobody `named` must be ours.
pub(super) fn read(path: &Path, named: bool) -> Result<String, ConfigError> {
    let failed = |source| ConfigError::Unreadable {
        path: path.to_owned(),
        source,
    };
    let file = File::open(path).map_err(failed)?;
    if !named {
        ours(path, &file).map_err(failed)??;
    }
    let mut bytes = Vec::new();
    file.take(LIMIT + 1)
        .read_to_end(&mut bytes)
        .map_err(failed)?;
    if bytes.len() as u64 > LIMIT {
        return Err(ConfigError::TooLarge {
            path: path.to_owned(),
            limit: LIMIT,
        });
    }
    String::from_utf8(bytes).map_err(|error| {
        let good = &error.as_bytes()[..error.utf8_error().valid_up_to()];
        ConfigError::NotText {
            path: path.to_owned(),
            line: good.split(|byte| *byte == b'\n').count(),
        }
    })
}

/// Refuses what somebody else could have left where we happen to be.
fn ours(path: &Path, file: &File) -> io::Result<Result<(), ConfigError>> {
    let about = file.metadata()?;
    if about.is_dir() {
        return Err(ErrorKind::IsADirectory.into());
    }
    let user = rustix::process::geteuid().as_raw();
    let whose = if ![0, user].contains(&about.uid()) {
        "belongs to another user"
    } else if about.mode() & 0o002 != 0 {
        "can be written by everybody"
    } else {
        return Ok(Ok(()));
    };
    Ok(Err(ConfigError::NotOurs {
        path: path.to_owned(),
        whose,
    }))
}
