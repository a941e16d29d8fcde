//! A command of Duplicity's as a user gives it, and where the hosts' URL stands in it.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;

use super::options;
use crate::catalogue::catalogue;

/// Stands for the hosts among a command's arguments.
pub const HOSTS: &str = "distdup://";

/// Why a command cannot be given to Duplicity.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CommandError {
    /// Nothing to do.
    #[error("no command of Duplicity's is given")]
    None,
    /// It goes from one URL to another, and the hosts may be either.
    #[error(
        "replicate takes two URLs: say distdup:// for the one that is to be the hosts, as in: \
         replicate distdup:// file:///backup"
    )]
    WhichUrl,
}

catalogue! {
    CommandError {
        Self::None => "duplicity-command":
            "Nothing was read or written."
            "Give one of Duplicity's commands: distdup duplicity -o HOSTS collection-status";
        Self::WhichUrl => "duplicity-urls":
            "Nothing was read or written."
            "Write distdup:// where the hosts are meant.";
    }
}

/// A command with its arguments.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Command {
    words: Vec<OsString>,
    name: Option<&'static str>,
    place: Place,
    effect: Effect,
}

/// Where the hosts' URL stands, if the user does not say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// Before all arguments: a folder follows.
    First,
    /// After all arguments.
    Last,
    /// Nowhere, but where the user says.
    Said,
}

/// What is known of one of Duplicity's commands.
struct Known {
    name: &'static str,
    /// What 3.x calls it, too.
    short: &'static str,
    place: Place,
    /// What it does to the hosts.
    effect: Effect,
}

/// What a command does to the hosts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Effect {
    /// It may be the first to write there.
    Makes,
    /// It changes what is there.
    Changes,
    /// It reads.
    Reads,
}

const COMMANDS: &[Known] = &[
    known("backup", "bu", Place::Last, Effect::Makes),
    known("cleanup", "cl", Place::Last, Effect::Changes),
    known("collection-status", "st", Place::Last, Effect::Reads),
    known("full", "fb", Place::Last, Effect::Makes),
    known("incremental", "ib", Place::Last, Effect::Makes),
    known("list-current-files", "ls", Place::Last, Effect::Reads),
    known("remove-all-but-n-full", "ra", Place::Last, Effect::Changes),
    known(
        "remove-all-inc-of-but-n-full",
        "ri",
        Place::Last,
        Effect::Changes,
    ),
    known("remove-older-than", "ro", Place::Last, Effect::Changes),
    known("replicate", "replicate", Place::Said, Effect::Makes),
    known("restore", "rb", Place::First, Effect::Reads),
    known("verify", "vb", Place::First, Effect::Reads),
];

const fn known(name: &'static str, short: &'static str, place: Place, effect: Effect) -> Known {
    Known {
        name,
        short,
        place,
        effect,
    }
}

impl Command {
    /// A command, which is the first of `words`, and its arguments. Of one that is not known, the
    /// hosts' URL is only where [`HOSTS`] stands.
    ///
    /// # Errors
    /// [`CommandError`].
    pub fn new(words: Vec<OsString>) -> Result<Self, CommandError> {
        let known = find(words.first().ok_or(CommandError::None)?);
        let said = words.iter().any(|word| word == HOSTS);
        let place = match known.map(|known| known.place) {
            Some(Place::Said) if !said => return Err(CommandError::WhichUrl),
            Some(place) if !said => place,
            _ => Place::Said,
        };
        Ok(Self {
            words,
            name: known.map(|known| known.name),
            place,
            effect: known.map_or(Effect::Changes, |known| known.effect),
        })
    }

    /// Its full name, if it is known.
    pub fn name(&self) -> Option<&'static str> {
        self.name
    }

    /// The same with options before those that it has.
    #[must_use]
    pub fn with_options(mut self, options: Vec<OsString>) -> Self {
        self.words.splice(1..1, options);
        self
    }

    /// Whether it may be given hosts that have nothing yet.
    pub fn makes(&self) -> bool {
        self.effect == Effect::Makes
    }

    /// Whether it may change what is there, so that nobody else may at the same time.
    pub fn changes(&self) -> bool {
        self.effect != Effect::Reads
    }

    /// Whether it is only to say what it would do.
    pub fn is_dry_run(&self) -> bool {
        options::is_dry_run(&self.words)
    }

    /// What Duplicity is told, if the hosts are at `url`.
    pub fn arguments(&self, url: &str) -> Vec<OsString> {
        let mut words: Vec<OsString> = self
            .words
            .iter()
            .map(|word| {
                if word == HOSTS {
                    url.into()
                } else {
                    word.clone()
                }
            })
            .collect();
        match self.place {
            Place::First => words.insert(1, url.into()),
            Place::Last => words.push(url.into()),
            Place::Said => {}
        }
        words
    }
}

/// By its name, or, as 0.8 has it, by as much of that as no other begins with.
fn find(word: &OsStr) -> Option<&'static Known> {
    let word = word.as_bytes();
    let exact = COMMANDS
        .iter()
        .find(|known| [known.name, known.short].map(str::as_bytes).contains(&word));
    let mut begin = COMMANDS
        .iter()
        .filter(|known| known.name.as_bytes().starts_with(word));
    exact.or_else(|| begin.next().filter(|_| begin.next().is_none()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(line: &str) -> String {
        let words = line.split(' ').map(OsString::from).collect();
        let command = Command::new(words).unwrap();
        let words = command.arguments("URL").join(OsStr::new(" "));
        words.into_string().unwrap()
    }

    #[test]
    fn the_url_stands_where_the_command_wants_it() {
        // As both generations document them.
        for (said, given) in [
            ("full test", "full test URL"),
            ("incr test --volsize 5", "incr test --volsize 5 URL"),
            ("inc test", "inc test URL"),
            ("backup test", "backup test URL"),
            ("restore new --time 3D", "restore URL new --time 3D"),
            ("restore -r a new", "restore URL -r a new"),
            ("verify test", "verify URL test"),
            ("collection-status", "collection-status URL"),
            ("list-current-files", "list-current-files URL"),
            (
                "remove-older-than 1M --force",
                "remove-older-than 1M --force URL",
            ),
            ("remove-all-but-n-full 2", "remove-all-but-n-full 2 URL"),
            (
                "remove-all-inc-of-but-n-full 2",
                "remove-all-inc-of-but-n-full 2 URL",
            ),
            ("cleanup --force", "cleanup --force URL"),
            ("replicate distdup:// file:///x", "replicate URL file:///x"),
            ("replicate file:///x distdup://", "replicate file:///x URL"),
            ("rb new", "rb URL new"),
            ("vb test", "vb URL test"),
            ("fb test", "fb test URL"),
            ("res new", "res URL new"),
        ] {
            assert_eq!(of(said), given);
        }
    }

    #[test]
    fn only_what_surely_reads_changes_nothing() {
        let what = |line: &str| {
            let words = line.split(' ').map(OsString::from).collect();
            let command = Command::new(words).unwrap();
            (command.makes(), command.changes())
        };
        for reads in [
            "restore x",
            "rb x",
            "verify x",
            "list-current-files",
            "coll",
        ] {
            assert_eq!(what(reads), (false, false), "{reads}");
        }
        for changes in ["cleanup --force", "remove-older-than 1M", "ra 1", "ri 1"] {
            assert_eq!(what(changes), (false, true), "{changes}");
        }
        // 0.8 takes it for a backup.
        assert_eq!(what("test distdup://"), (false, true));
        for makes in ["full x", "incr x", "bu x", "replicate distdup:// file:///x"] {
            assert_eq!(what(makes), (true, true), "{makes}");
        }
    }

    #[test]
    fn where_the_user_says_so_it_stands_there_alone() {
        assert_eq!(of("verify --force distdup:// x"), "verify --force URL x");
        assert_eq!(of("full x distdup:// -v5"), "full x URL -v5");
    }

    #[test]
    fn options_that_are_set_come_first() {
        let words = ["ib", "test", "-v5"].map(OsString::from);
        let command = Command::new(words.into()).unwrap();
        assert_eq!(command.name(), Some("incremental"));
        let words = command.with_options(vec!["--x".into()]).arguments("URL");
        assert_eq!(words, ["ib", "--x", "test", "-v5", "URL"]);
    }

    #[test]
    fn what_is_not_known_is_left_as_it_is() {
        assert_eq!(of("test distdup://"), "test URL");
        assert_eq!(of("frobnicate x"), "frobnicate x");
        assert_eq!(of("re x"), "re x"); // restore, remove-... or replicate
    }

    #[test]
    fn what_cannot_be_filled_in_is_refused() {
        let words = |line: &str| line.split(' ').map(OsString::from).collect();
        assert_eq!(Command::new(Vec::new()), Err(CommandError::None));
        assert_eq!(
            Command::new(words("replicate file:///x")),
            Err(CommandError::WhichUrl)
        );
    }
}
