//! `backup`: what it means without configuration.

use std::ffi::{OsStr, OsString};
use std::io;
use std::path::{Path, PathBuf};

use super::hosts::{HostsError, Layout, NamedFolder};
use super::launch::Version;
use super::options;
use super::passphrase;
use crate::catalogue::catalogue;
use crate::quote::{for_shell, name_for_shell, quote_path};

/// Words that a user may put first among Duplicity's options, to say what is to be done.
pub const ACTIONS: &[&str] = &["backup", "full", "incr", "inc", "incremental"];

/// Why there is nothing to back up. Messages leave the cause to `source`.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BackupError {
    /// No source.
    #[error("cannot back up {}", quote_path(path))]
    Source {
        /// It.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// The root folder, say.
    #[error(
        "{} has no name that the backup's folder could get; give hosts with -o",
        quote_path(path)
    )]
    Nameless {
        /// The source.
        path: PathBuf,
    },
    /// The backup would back up itself.
    #[error(
        "host {host} is inside of {}, and would be backed up into itself; give others with -o",
        quote_path(path)
    )]
    Inside {
        /// The host.
        host: String,
        /// The source.
        path: PathBuf,
    },
    /// The source of the hosts.
    #[error(transparent)]
    Hosts(#[from] HostsError),
    /// `GnuPG` has nothing to encrypt with.
    #[error(transparent)]
    Passphrase(#[from] passphrase::Missing),
}

catalogue! {
    BackupError {
        Self::Source { .. } => "backup-source":
            "Nothing was written; what is stored is as it was."
            "Look whether the name is right, and whether its disk is mounted.";
        Self::Nameless { .. } => "backup-hosts-needed":
            "Nothing was read or written."
            "Say where the hosts are: -o 'FOLDER/distdup{i}'";
        Self::Inside { .. } => "backup-inside":
            "Nothing was written."
            "Give hosts outside of what is backed up: -o 'FOLDER/distdup{i}'";
    }
    passing {
        Self::Hosts(error) => error;
        Self::Passphrase(error) => error;
    }
}

/// What is backed up, and where to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// The source, by its full name.
    pub source: PathBuf,
    /// Its own name: what `restore` is to call it.
    pub name: OsString,
    /// Where the hosts are.
    pub layout: Layout,
}

impl Plan {
    /// A backup of `source` to these hosts, or to `backup_NAME/distdup0...` in the working folder.
    ///
    /// # Errors
    /// There is no source, or it has no name where one is needed.
    pub fn new(source: &Path, layout: Option<Layout>) -> Result<Self, BackupError> {
        let unreadable = |error| BackupError::Source {
            path: source.to_owned(),
            source: error,
        };
        let real = source.canonicalize().map_err(unreadable)?;
        let full = std::path::absolute(source).map_err(unreadable)?;
        // Of `.` and `a/..`, the name that the folder has.
        let named = if source.ends_with("..") { &real } else { &full };
        let name = named.file_name().or(real.file_name());
        let layout = match (layout, name) {
            (Some(layout), _) => layout,
            (None, Some(name)) => Layout::In(joined("backup_", name).into()),
            (None, None) => return Err(BackupError::Nameless { path: full }),
        };
        let name = name.unwrap_or(OsStr::new("root")).to_owned();
        Ok(Self {
            source: full,
            name,
            layout,
        })
    }

    /// Checks that the source does not hold its hosts.
    ///
    /// # Errors
    /// [`BackupError::Inside`].
    pub fn check_hosts(&self, hosts: &[NamedFolder]) -> Result<(), BackupError> {
        let source = self.source.canonicalize();
        for NamedFolder { folder, .. } in hosts {
            // Of a relative name, the folder that it is relative to is an ancestor too.
            let full = std::path::absolute(folder).unwrap_or_else(|_| folder.clone());
            let there = full
                .ancestors()
                .find_map(|folder| folder.canonicalize().ok());
            if let (Ok(source), Some(there)) = (&source, there)
                && there.starts_with(source)
            {
                let host = quote_path(folder);
                return Err(BackupError::Inside {
                    host,
                    path: self.source.clone(),
                });
            }
        }
        Ok(())
    }

    /// Duplicity's arguments, with the user's options among them. `first` if there can be nothing yet.
    ///
    /// # Errors
    /// The working folder is gone.
    pub fn arguments(
        &self,
        version: &Version,
        options: &[OsString],
        first: bool,
    ) -> io::Result<Vec<OsString>> {
        let action = match options::action(options, ACTIONS) {
            Some(_) => None,
            // It would warn that it has nothing to go on with.
            None if first => Some("full"),
            None => version.says_action().then_some("backup"),
        };
        let action = action.map(OsString::from);
        let mut arguments: Vec<_> = action.into_iter().chain(options.iter().cloned()).collect();
        arguments.push(self.source.clone().into());
        arguments.push(self.layout.url()?.into());
        Ok(arguments)
    }

    /// The command that restores it, from here; `selection` are the words that choose settings, `options`
    /// those for Duplicity.
    pub fn restore_command(&self, selection: &[String], options: &[OsString]) -> String {
        let target = joined("restore_", &self.name);
        let mut command = String::from("distdup restore");
        for word in selection {
            command.push(' ');
            command.push_str(word);
        }
        command.push(' ');
        command.push_str(&name_for_shell(target));
        if let Layout::Named(names) = &self.layout {
            for name in names {
                command.push_str(" --from ");
                command.push_str(&name_for_shell(name));
            }
        }
        for (at, option) in options::of_both(options).iter().enumerate() {
            command.push_str(if at == 0 { " -- " } else { " " });
            command.push_str(&for_shell(option));
        }
        command
    }
}

fn joined(prefix: &str, name: &OsStr) -> OsString {
    let mut joined = OsString::from(prefix);
    joined.push(name);
    joined
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::duplicity::hosts::Wish;

    fn named(name: &str) -> Option<Layout> {
        Layout::named(vec![name.into()]).ok()
    }

    #[test]
    fn hosts_are_named_after_the_source() {
        let folder = tempfile::tempdir().unwrap();
        let source = folder.path().join("it's");
        std::fs::create_dir(&source).unwrap();
        for name in ["it's/", "it's", "it's/.", "./it's//"] {
            let plan = Plan::new(&folder.path().join(name), None).unwrap();
            assert_eq!(plan.layout, Layout::In("backup_it's".into()), "{name}");
            assert_eq!(
                plan.restore_command(&[], &[]),
                "distdup restore 'restore_it'\\''s'"
            );
        }
        let plan = Plan::new(&source, named("h{i}/b")).unwrap();
        assert_eq!(
            plan.restore_command(&[], &[]),
            "distdup restore 'restore_it'\\''s' --from 'h{i}/b'"
        );
        let options = ["--volsize", "5", "--no-encryption", "--archive-dir", "a b"];
        assert_eq!(
            plan.restore_command(&["-P".into(), "x".into()], &options.map(OsString::from)),
            "distdup restore -P x 'restore_it'\\''s' --from 'h{i}/b' -- --no-encryption --archive-dir 'a b'"
        );
        let plan = Plan::new(&source, named("we\\ird{i}")).unwrap();
        assert_eq!(
            plan.restore_command(&[], &[]),
            "distdup restore 'restore_it'\\''s' --from 'we\\ird{i}'"
        );
        let plan = Plan::new(&source, named("a\x1b[31m{i}")).unwrap();
        assert_eq!(
            plan.restore_command(&[], &[]),
            "distdup restore 'restore_it'\\''s' --from $'a\\033[31m{i}'"
        );
        assert!(matches!(
            Plan::new(Path::new("/"), None),
            Err(BackupError::Nameless { .. })
        ));
        let missing = folder.path().join("missing");
        assert!(matches!(
            Plan::new(&missing, None),
            Err(BackupError::Source { .. })
        ));
    }

    #[test]
    fn a_backup_is_not_made_into_itself() {
        let folder = tempfile::tempdir().unwrap();
        let plan = Plan::new(folder.path(), named("x{i}")).unwrap();
        let inside = folder.path().join("a/b");
        assert!(matches!(
            plan.check_hosts(&[inside.into()]),
            Err(BackupError::Inside { .. })
        ));
        let here = Plan::new(Path::new("."), None).unwrap();
        assert!(matches!(
            here.check_hosts(&here.layout.examples(&Wish::default())),
            Err(BackupError::Inside { .. })
        ));
        let beside = PathBuf::from(format!("{}x/a", folder.path().display()));
        assert!(plan.check_hosts(&[beside.into()]).is_ok());
    }

    #[test]
    fn the_action_is_said_where_it_has_to_be() {
        let plan = Plan::new(Path::new("/tmp"), named("/h{i}")).unwrap();
        let version = |major| Version {
            major,
            text: String::new(),
        };
        let of = |major, options: &[&str]| {
            let options: Vec<_> = options.iter().map(OsString::from).collect();
            plan.arguments(&version(major), &options, false)
                .unwrap()
                .join(OsStr::new(" "))
        };
        assert_eq!(
            of(0, &["--volsize", "5"]),
            "--volsize 5 /tmp distdup:///h%7Bi%7D"
        );
        assert_eq!(
            of(3, &["--volsize", "5"]),
            "backup --volsize 5 /tmp distdup:///h%7Bi%7D"
        );
        assert_eq!(of(3, &["full"]), "full /tmp distdup:///h%7Bi%7D");
        for major in [0, 3] {
            let first = plan.arguments(&version(major), &[], true).unwrap();
            assert_eq!(first[0], "full");
        }
    }
}
