//! `restore`: what it means without configuration, and how nothing is left that looks restored.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::io::{self, ErrorKind};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, RenameFlags, renameat_with};
use rustix::io::Errno;

use super::hosts::{HostsError, Layout};
use super::launch::Version;
use super::options;
use super::passphrase;
use super::private::PrivateFolder;
use crate::catalogue::catalogue;
use crate::quote::quote_path;

/// What a restored tree is called until it is whole.
const PARTIAL: &str = ".partial";

/// Options that the second generation renamed: before and since.
const RENAMED: &[[&str; 2]] = &[
    ["--file-to-restore", "--path-to-restore"],
    ["--do-not-restore-ownership", "--no-restore-ownership"],
];

/// Why there is nothing to restore. Messages leave the cause to `source`.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RestoreError {
    /// The name tells no backup.
    #[error(
        "{} does not say which backup it is of, as restore_NAME would; say where the hosts are: \
         --from 'FOLDER/distdup{{i}}'",
        quote_path(target)
    )]
    Nameless {
        /// Where it was to go.
        target: PathBuf,
    },
    /// Something is there.
    #[error(
        "{} is there and not empty; nothing is restored over it",
        quote_path(target)
    )]
    NotEmpty {
        /// Where it was to go.
        target: PathBuf,
    },
    /// A restore that was killed.
    #[error(
        "{} is left of a restore that did not end, or is being written; remove it first",
        quote_path(partial)
    )]
    Leftover {
        /// What is left.
        partial: PathBuf,
    },
    /// It cannot go there.
    #[error("cannot restore to {}", quote_path(target))]
    Target {
        /// Where it was to go.
        target: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// The hosts say no.
    #[error(transparent)]
    Hosts(#[from] HostsError),
    /// `GnuPG` has nothing to decrypt with.
    #[error(transparent)]
    Passphrase(#[from] passphrase::Missing),
}

catalogue! {
    RestoreError {
        Self::Nameless { .. } => "restore-hosts-needed":
            "Nothing was read or written."
            "Say where the hosts are: --from 'FOLDER/distdup{i}'";
        Self::NotEmpty { .. } => "restore-target-in-use":
            "Nothing was restored, and what stands there is as it was."
            "Restore to a folder that is empty or not there yet; with -- --force Duplicity restores over what is there.";
        Self::Leftover { .. } => "restore-leftover":
            "Nothing was restored; the backup is as it was."
            "See that no other restore runs, remove what is named, and run the same command again.";
        Self::Target { .. } => "restore-target":
            "Nothing was restored; the backup is as it was."
            "Restore to a folder that can be written to.";
    }
    passing {
        Self::Hosts(error) => error;
        Self::Passphrase(error) => error;
    }
}

/// What may stand first among Duplicity's options.
pub const ACTIONS: &[&str] = &["restore"];

/// Where the hosts are if nobody says: those of `backup_NAME` for a target called `restore_NAME`, in the
/// working folder or beside the target.
///
/// # Errors
/// [`RestoreError::Nameless`].
pub fn layout(target: &Path) -> Result<Layout, RestoreError> {
    let nameless = || RestoreError::Nameless {
        target: target.to_owned(),
    };
    let name = target
        .file_name()
        .and_then(|name| name.as_bytes().strip_prefix(b"restore_"));
    let name = name.filter(|name| !name.is_empty()).ok_or_else(nameless)?;
    let mut folder = OsString::from("backup_");
    folder.push(OsStr::from_bytes(name));
    let here = PathBuf::from(&folder);
    let beside = target.with_file_name(&folder);
    Ok(Layout::In(if !here.is_dir() && beside.is_dir() {
        beside
    } else {
        here
    }))
}

/// Where Duplicity restores to. Unless `target` is there already, it is another name, and becomes
/// `target` when all is done; dropped before, what is there goes.
#[derive(Debug)]
pub struct Output {
    target: PathBuf,
    place: Place,
}

#[derive(Debug, PartialEq, Eq)]
enum Place {
    /// Under another name, until it is whole.
    Partial(PathBuf),
    /// In an empty folder that was there: a mount point, perhaps.
    Inside,
    /// Over what is there, because Duplicity was told to.
    Over,
}

impl Output {
    /// Checks that something can be restored to `target`. With `force`, over what is there.
    ///
    /// # Errors
    /// Why not.
    pub fn new(target: &Path, force: bool) -> Result<Self, RestoreError> {
        let failed = |source| RestoreError::Target {
            target: target.to_owned(),
            source,
        };
        let full = std::path::absolute(target).map_err(failed)?;
        let place = match fs::symlink_metadata(&full) {
            Err(error) if error.kind() == ErrorKind::NotFound => {
                // Without a slash at its end.
                let mut partial = full.components().as_path().as_os_str().to_owned();
                partial.push(PARTIAL);
                let partial = PathBuf::from(partial);
                if fs::symlink_metadata(&partial).is_ok() {
                    return Err(RestoreError::Leftover { partial });
                }
                let parent = full.parent().unwrap_or(Path::new("/"));
                if !parent.is_dir() {
                    return Err(failed(ErrorKind::NotFound.into()));
                }
                Place::Partial(partial)
            }
            Err(error) => return Err(failed(error)),
            Ok(_) if force => Place::Over,
            Ok(_) if is_empty_folder(&full) => Place::Inside,
            Ok(_) => {
                return Err(RestoreError::NotEmpty {
                    target: target.to_owned(),
                });
            }
        };
        Ok(Self {
            target: full,
            place,
        })
    }

    /// Where Duplicity is to write.
    pub fn path(&self) -> &Path {
        match &self.place {
            Place::Partial(partial) => partial,
            Place::Inside | Place::Over => &self.target,
        }
    }

    /// Makes it `target`.
    ///
    /// # Errors
    /// It is not there, or something else is there now.
    pub fn finish(mut self) -> Result<(), RestoreError> {
        if let Place::Partial(partial) = &self.place {
            rename_new(partial, &self.target).map_err(|source| RestoreError::Target {
                target: self.target.clone(),
                source,
            })?;
        }
        self.place = Place::Over; // nothing is to be removed any more
        Ok(())
    }

    /// Leaves what is there where it is, though it is not all; returns where.
    pub fn keep(mut self) -> PathBuf {
        let path = self.path().to_owned();
        self.place = Place::Over; // nothing is to be removed any more
        path
    }
}

impl Drop for Output {
    fn drop(&mut self) {
        // As far as it goes: whoever told that the restore failed has told the truth.
        match &self.place {
            Place::Partial(partial) => {
                let _ = remove(partial);
            }
            Place::Inside => {
                for entry in fs::read_dir(&self.target).into_iter().flatten().flatten() {
                    let _ = remove(&entry.path());
                }
            }
            Place::Over => {}
        }
    }
}

/// An archive of Duplicity's for one restore, in the temporary folder; it goes when this does.
#[derive(Debug)]
pub struct Archive(PrivateFolder);

impl Archive {
    /// Makes it, empty.
    ///
    /// # Errors
    /// The temporary folder cannot be written to.
    pub fn create() -> io::Result<Self> {
        PrivateFolder::create_in(&std::env::temp_dir()).map(Self)
    }

    /// The options by which Duplicity uses it.
    pub fn options(&self) -> [OsString; 2] {
        ["--archive-dir".into(), self.0.path().into()]
    }
}

/// Duplicity's arguments, with the user's options among them.
///
/// # Errors
/// The working folder is gone.
pub fn arguments(
    layout: &Layout,
    output: &Output,
    version: &Version,
    options: &[OsString],
) -> io::Result<Vec<OsString>> {
    let says = options::action(options, ACTIONS).is_some();
    let action = (!says && version.says_action()).then(|| OsString::from("restore"));
    let options = options.iter().map(|option| renamed(option, version));
    let mut arguments: Vec<_> = action.into_iter().chain(options).collect();
    arguments.push(layout.url()?.into());
    arguments.push(output.path().into());
    Ok(arguments)
}

/// An option by the name that this version has for it.
fn renamed(option: &OsStr, version: &Version) -> OsString {
    let option = option.as_bytes();
    for names in RENAMED {
        let [name, other] = if version.says_action() {
            [names[1], names[0]]
        } else {
            *names
        };
        if let Some(value) = option.strip_prefix(other.as_bytes())
            && (value.is_empty() || value.starts_with(b"="))
        {
            return OsString::from_vec([name.as_bytes(), value].concat());
        }
    }
    OsStr::from_bytes(option).to_owned()
}

/// Renames, but never over what exists, where the file system can tell.
fn rename_new(from: &Path, to: &Path) -> io::Result<()> {
    match renameat_with(CWD, from, CWD, to, RenameFlags::NOREPLACE) {
        Err(Errno::INVAL | Errno::NOSYS | Errno::NOTSUP) => fs::rename(from, to),
        other => Ok(other?),
    }
}

fn is_empty_folder(path: &Path) -> bool {
    fs::read_dir(path).is_ok_and(|mut entries| entries.next().is_none())
}

/// A tree or a file. Folders may have been restored that nobody may write to.
fn remove(path: &Path) -> io::Result<()> {
    if !fs::symlink_metadata(path)?.is_dir() {
        return fs::remove_file(path);
    }
    fs::remove_dir_all(path).or_else(|_| {
        let mut folders = vec![path.to_owned()];
        while let Some(folder) = folders.pop() {
            use std::os::unix::fs::PermissionsExt;
            fs::set_permissions(&folder, fs::Permissions::from_mode(0o700))?;
            for entry in fs::read_dir(&folder)? {
                let entry = entry?;
                if entry.file_type()?.is_dir() {
                    folders.push(entry.path());
                }
            }
        }
        fs::remove_dir_all(path)
    })
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn the_name_tells_the_backup() {
        let of = |target: &str| layout(Path::new(target));
        assert_eq!(of("restore_x/").unwrap(), Layout::In("backup_x".into()));
        for target in ["x", "restore_", "/", "..", "restore_x/.."] {
            assert!(
                matches!(of(target), Err(RestoreError::Nameless { .. })),
                "{target}"
            );
        }
        let folder = tempfile::tempdir().unwrap();
        let backup = folder.path().join("backup_x");
        fs::create_dir(&backup).unwrap();
        assert_eq!(
            of(folder.path().join("restore_x").to_str().unwrap()).unwrap(),
            Layout::In(backup)
        );
    }

    #[test]
    fn options_have_the_names_of_the_version() {
        let of = |major, option: &str| {
            let text = String::new();
            let version = Version { major, text };
            renamed(OsStr::new(option), &version).into_string().unwrap()
        };
        for (old, new) in [
            ("--file-to-restore", "--path-to-restore"),
            ("--file-to-restore=a", "--path-to-restore=a"),
            ("--do-not-restore-ownership", "--no-restore-ownership"),
        ] {
            for said in [old, new] {
                assert_eq!((of(0, said), of(3, said)), (old.into(), new.into()));
            }
        }
        assert_eq!(of(3, "--file-to-restores"), "--file-to-restores");
        assert_eq!(of(0, "-r"), "-r");
    }

    #[test]
    fn what_failed_leaves_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let target = folder.path().join("restore_x");
        for name in ["restore_x", "restore_x/"] {
            let output = Output::new(&folder.path().join(name), false).unwrap();
            assert_ne!(output.path(), target);
            let sealed = output.path().join("sealed");
            fs::create_dir_all(&sealed).unwrap();
            fs::write(sealed.join("file"), "part").unwrap();
            fs::set_permissions(&sealed, fs::Permissions::from_mode(0o500)).unwrap();
            assert!(matches!(
                Output::new(&target, false),
                Err(RestoreError::Leftover { .. })
            ));
            drop(output);
            assert!(is_empty_folder(folder.path()));
        }
        fs::create_dir(&target).unwrap();
        let output = Output::new(&target, false).unwrap();
        fs::write(output.path().join("file"), "part").unwrap();
        drop(output);
        assert!(is_empty_folder(&target));
    }

    #[test]
    fn what_is_whole_gets_its_name() {
        let folder = tempfile::tempdir().unwrap();
        let target = folder.path().join("restore_x");
        let output = Output::new(&target, false).unwrap();
        fs::create_dir(output.path()).unwrap();
        fs::write(output.path().join("file"), "all").unwrap();
        output.finish().unwrap();
        assert_eq!(fs::read(target.join("file")).unwrap(), b"all");
        assert!(matches!(
            Output::new(&target, false),
            Err(RestoreError::NotEmpty { .. })
        ));
        drop(Output::new(&target, true).unwrap());
        assert!(target.join("file").exists());
    }

    #[test]
    fn nothing_is_made_where_no_folder_is() {
        let error = Output::new(Path::new("/nonexistent/restore_x"), false).unwrap_err();
        assert!(matches!(error, RestoreError::Target { .. }), "{error}");
    }
}
