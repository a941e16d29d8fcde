//! Every command of Duplicity's, of both generations, on a chain of backups with and without `GnuPG`.
//!
//! What is restored is held against copies of the tree that were made when it was backed up. By default
//! each generation runs all of it without `GnuPG`, and the first part with; `DISTDUP_TEST_FULL=1` runs
//! all of it each way.

#![allow(clippy::unwrap_used, reason = "a test fails by it")]

use std::ffi::OsString;
use std::fs::{self, DirBuilder, File};
use std::os::unix::fs::DirBuilderExt;
use std::process::{Command, Output};
use std::time::{Duration, SystemTime};

mod world;

use world::{World, assert_exit, stderr, stdout};

const HOSTS: &str = "hosts/h{i}";
/// When the first backup is made; Duplicity is told the time.
const START: u64 = 1_600_000_000;
const DAY: u64 = 86_400;

/// How the backup is encrypted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Secrecy {
    Open,
    Passphrase,
    Key,
}

/// Backups of a tree that changes from day to day.
struct Chain {
    world: World,
    options: Vec<String>,
    passphrase: Option<&'static str>,
}

impl Chain {
    fn new(duplicity: Option<OsString>, secrecy: Secrecy, more: &[&str]) -> Self {
        let world = World::new(duplicity);
        let gnupg = world.path("gnupg");
        DirBuilder::new().mode(0o700).create(&gnupg).unwrap();
        fs::create_dir(world.path("hosts")).unwrap();
        let mut chain = Self {
            world,
            options: more.iter().map(ToString::to_string).collect(),
            passphrase: None,
        };
        match secrecy {
            Secrecy::Open => chain.option(&["--no-encryption", "--volsize", "1"]),
            Secrecy::Passphrase => chain.passphrase = Some("not to be guessed"),
            Secrecy::Key => {
                let key = chain.key_pair();
                chain.option(&["--encrypt-key", &key]);
                // The key has none, and there is nobody to ask.
                chain.passphrase = Some("");
            }
        }
        chain
    }

    fn option(&mut self, options: &[&str]) {
        self.options.extend(options.iter().map(ToString::to_string));
    }

    /// Makes a key pair; returns its fingerprint.
    fn key_pair(&self) -> String {
        let gpg = |arguments: &[&str]| {
            let mut command = Command::new("gpg");
            self.furnish(&mut command);
            let output = command.args(["--batch"]).args(arguments).output().unwrap();
            assert_exit(&output, 0);
            stdout(&output)
        };
        let user = "distdup@example.org";
        let kind = [
            "--quick-gen-key",
            user,
            "future-default",
            "default",
            "never",
        ];
        gpg(&[&["--passphrase", ""], &kind[..]].concat());
        let keys = gpg(&["--with-colons", "--list-secret-keys", user]);
        let fingerprint = keys.lines().find_map(|line| line.strip_prefix("fpr:"));
        fingerprint.unwrap().trim_matches(':').to_owned()
    }

    fn furnish(&self, command: &mut Command) {
        self.world.furnish(command);
        command.env("GNUPGHOME", self.world.path("gnupg"));
        if let Some(passphrase) = self.passphrase {
            command.env("PASSPHRASE", passphrase);
        }
    }

    /// `distdup duplicity` on the hosts of that name.
    fn duplicity_on(&self, hosts: &str, words: &[&str]) -> Output {
        let mut command = Command::new(world::DISTDUP);
        self.furnish(&mut command);
        command.args(["duplicity", "-o", hosts, "-n", "3"]);
        if let Some(duplicity) = &self.world.duplicity {
            command.arg("--duplicity").arg(duplicity);
        }
        command.args(words).args(&self.options).output().unwrap()
    }

    /// The same on those of the chain; it must exit with `code`. Returns what it printed.
    #[track_caller]
    fn runs(&self, code: i32, words: &[&str]) -> String {
        let output = self.duplicity_on(HOSTS, words);
        assert_exit(&output, code);
        stdout(&output)
    }

    /// Changes the tree, and keeps a copy of it.
    fn day(&self, day: u64) -> u64 {
        let changed = format!("{day} is the day");
        fs::write(self.world.path(&format!("test/day {day}")), &changed).unwrap();
        fs::write(self.world.path("test/changes"), &changed).unwrap();
        let time = SystemTime::UNIX_EPOCH + Duration::from_secs(START + day * DAY);
        let file = File::options()
            .write(true)
            .open(self.world.path("test/changes"));
        file.unwrap().set_modified(time).unwrap();
        let copied = Command::new("cp")
            .arg("-a")
            .args([self.world.path("test"), self.world.path(&was(day))])
            .status();
        assert!(copied.unwrap().success());
        START + day * DAY
    }

    /// A backup on that day.
    #[track_caller]
    fn backs_up(&self, command: &str, day: u64) {
        let now = self.day(day).to_string();
        self.runs(0, &[command, "test", "--current-time", &now]);
    }

    /// Restores the tree of that day, and compares.
    #[track_caller]
    fn restores(&self, day: u64) {
        let time = (START + day * DAY).to_string();
        self.runs(0, &["restore", "restored", "--time", &time]);
        self.is_of(day);
    }

    #[track_caller]
    fn is_of(&self, day: u64) {
        self.world.are_alike(&was(day), "restored");
        fs::remove_dir_all(self.world.path("restored")).unwrap();
    }

    /// Objects on the hosts whose names contain `what`, without their shares' part.
    fn objects(&self, what: &str) -> Vec<String> {
        let on = |host: usize| {
            let entries = fs::read_dir(self.world.path(&format!("hosts/h{host}")));
            let names = entries
                .unwrap()
                .map(|entry| entry.unwrap().file_name().into_string().unwrap());
            let mut names: Vec<_> = names
                .filter(|name| name.contains(what))
                .filter_map(|name| Some(name.strip_suffix(".share")?.split('~').next()?.to_owned()))
                .collect();
            names.sort();
            names
        };
        let objects = on(0);
        assert!((1..3).all(|host| on(host) == objects));
        objects
    }

    fn sets(&self) -> (usize, usize) {
        let sets = |kind| {
            self.objects(kind)
                .iter()
                .filter(|name| name.contains(".manifest"))
                .count()
        };
        (sets("duplicity-full."), sets("duplicity-inc."))
    }

    /// A full backup and two incremental ones, read in every way.
    fn grows_and_is_read(&self) {
        self.backs_up("full", 0);
        self.backs_up("incr", 1);
        self.backs_up("incr", 2);
        assert_eq!(self.sets(), (1, 2));

        self.runs(0, &["verify", "test", "--compare-data"]);
        fs::write(self.world.path("test/empty"), "no more").unwrap();
        let differences = self.runs(1, &["verify", "test", "--compare-data"]);
        assert!(differences.contains("empty"), "{differences}");
        fs::write(self.world.path("test/empty"), "").unwrap();

        let first = START.to_string();
        let list = self.runs(0, &["list-current-files"]);
        assert!(list.contains("day 0") && list.contains("day 2"), "{list}");
        let list = self.runs(0, &["list-current-files", "--time", &first]);
        assert!(list.contains("day 0") && !list.contains("day 2"), "{list}");
        let status = self.runs(0, &["collection-status"]);
        assert!(
            status.contains("Number of contained backup sets: 3"),
            "{status}"
        );
        assert!(status.contains("No orphaned or incomplete"), "{status}");

        self.runs(0, &["restore", "restored"]);
        self.is_of(2);
        self.restores(0);
        self.restores(1);
        self.runs(0, &["restore", "one", "-r", "changes", "--time", &first]);
        assert_eq!(fs::read(self.world.path("one")).unwrap(), b"0 is the day");
    }

    /// Backups are removed, and what is orphaned.
    fn is_thinned(&self) {
        self.backs_up("full", 10);
        self.backs_up("incr", 11);
        assert_eq!(self.sets(), (2, 3));
        let told = self.runs(0, &["remove-all-inc-of-but-n-full", "1"]);
        assert!(told.contains("--force"), "{told}");
        assert_eq!(self.sets(), (2, 3));
        self.runs(0, &["remove-all-inc-of-but-n-full", "1", "--force"]);
        assert_eq!(self.sets(), (2, 1));
        self.restores(0);
        self.restores(11);

        self.runs(0, &["remove-all-but-n-full", "1", "--force"]);
        assert_eq!(self.sets(), (1, 1));
        self.restores(11);
        self.backs_up("full", 20);
        let before = (START + 15 * DAY).to_string();
        self.runs(0, &["remove-older-than", &before, "--force"]);
        assert_eq!(self.sets(), (1, 0));
        self.restores(20);

        // Volumes without a manifest are of no backup.
        self.backs_up("incr", 21);
        assert_eq!(self.sets(), (1, 1));
        for host in 0..3 {
            let hosts = self.world.path(&format!("hosts/h{host}"));
            for entry in fs::read_dir(hosts).unwrap() {
                let path = entry.unwrap().path();
                let name = path.file_name().unwrap().to_str().unwrap();
                if name.contains("duplicity-inc.") && name.contains(".manifest") {
                    fs::remove_file(path).unwrap();
                }
            }
        }
        assert_eq!(self.objects("duplicity-inc.").len(), 1);
        self.runs(0, &["cleanup"]);
        assert_eq!(self.objects("duplicity-inc.").len(), 1);
        self.runs(0, &["cleanup", "--force"]);
        assert!(self.objects("duplicity-inc.").is_empty());
        self.restores(20);
    }

    /// The newest backup goes to a folder, and from there to other hosts.
    fn is_replicated(&self) {
        let copy = format!("file://{}", self.world.path("copy").display());
        fs::create_dir(self.world.path("copy")).unwrap();
        if self.world.duplicity.is_some() {
            // 3.x has no such command any more, and says so.
            let output = self.duplicity_on(HOSTS, &["replicate", "distdup://", &copy]);
            assert_exit(&output, 23);
            assert!(stderr(&output).contains("action"), "{}", stderr(&output));
            return;
        }
        self.runs(0, &["replicate", "distdup://", &copy]);
        self.plain(&["restore", &copy, "restored"]);
        self.is_of(20);

        // One volume: of several it silently loses some, unless they happen to be listed in order.
        let one = format!("file://{}", self.world.path("one volume").display());
        // And not of now: a backup of the second in which it starts is passed over, without a word, too.
        let now = (START + 22 * DAY).to_string();
        self.plain(&[
            "full",
            "test",
            &one,
            "--volsize",
            "25",
            "--current-time",
            &now,
        ]);
        let output = self.duplicity_on("others/o{i}", &["replicate", &one, "distdup://"]);
        assert_exit(&output, 0);
        fs::remove_dir_all(self.world.path("others/o1")).unwrap();
        let output = self.duplicity_on("others/o{i}", &["restore", "restored"]);
        assert_exit(&output, 3);
        self.world.is_like("restored");
    }

    /// Duplicity without distdup.
    #[track_caller]
    fn plain(&self, words: &[&str]) {
        let mut command = Command::new("duplicity");
        self.furnish(&mut command);
        command
            .args(&words[..1])
            .args(&self.options)
            .args(&words[1..]);
        assert_exit(&command.output().unwrap(), 0);
    }
}

impl Drop for Chain {
    fn drop(&mut self) {
        let mut command = Command::new("gpgconf");
        self.furnish(&mut command);
        let _ = command.args(["--kill", "all"]).output();
    }
}

fn was(day: u64) -> String {
    format!("was {day}")
}

/// All of it, or the first part, unless all is asked for.
fn passes(duplicity: Option<OsString>, secrecy: Secrecy, more: &[&str], all: bool) {
    let asked = std::env::var_os("DISTDUP_TEST_FULL").is_some();
    let chain = Chain::new(duplicity, secrecy, more);
    chain.grows_and_is_read();
    if all || asked {
        chain.is_thinned();
        chain.is_replicated();
    } else {
        println!("removals and replicate are left out; DISTDUP_TEST_FULL=1 has them");
    }
}

/// The script of a Duplicity 3, if the environment names one.
fn three() -> Option<OsString> {
    let script = std::env::var_os("DISTDUP_DUPLICITY3");
    if script.is_none() {
        println!("left out: DISTDUP_DUPLICITY3 names no Duplicity 3");
    }
    script
}

#[test]
fn the_older_one_without_gnupg() {
    passes(None, Secrecy::Open, &[], true);
}

#[test]
fn the_older_one_with_a_passphrase() {
    passes(None, Secrecy::Passphrase, &[], false);
}

#[test]
fn the_older_one_with_a_key_pair() {
    passes(None, Secrecy::Key, &[], false);
}

#[test]
fn the_newer_one_without_gnupg() {
    if let Some(three) = three() {
        passes(Some(three), Secrecy::Open, &[], true);
    }
}

#[test]
fn the_newer_one_with_a_passphrase() {
    if let Some(three) = three() {
        passes(Some(three), Secrecy::Passphrase, &[], false);
    }
}

#[test]
fn the_newer_one_with_a_key_pair() {
    if let Some(three) = three() {
        passes(Some(three), Secrecy::Key, &[], false);
    }
}

#[test]
fn the_newer_one_with_two_workers() {
    if let Some(three) = three() {
        for secrecy in [Secrecy::Open, Secrecy::Passphrase, Secrecy::Key] {
            if secrecy == Secrecy::Open || std::env::var_os("DISTDUP_TEST_FULL").is_some() {
                passes(Some(three.clone()), secrecy, &["--concurrency", "2"], false);
            }
        }
    }
}
