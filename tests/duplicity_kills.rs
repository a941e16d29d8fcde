//! Backups with real Duplicity that are killed, or made two at once. Each is killed where the hosts show
//! that it has come to a certain point, so that nothing depends on time. By default a sample of points
//! and victims; `DISTDUP_TEST_FULL=1` takes all, with both generations.

#![allow(clippy::unwrap_used, reason = "a test fails by it")]

#[path = "kit/tally.rs"]
mod tally;
mod world;

use std::ffi::OsStr;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::thread;
use std::time::Duration;

use tally::{Tally, full};
use world::{
    DISTDUP, PLAIN, SMALL_VOLUMES, World, assert_exit, kill, processes, random, stderr, stdout,
    wait_until,
};

const HOSTS: &str = "backup_test/distdup{i}";

/// How far a backup has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Point {
    /// It asks the hosts what they have.
    Listing,
    /// Shares of this volume are being written.
    Writing(usize),
    /// All shares of this volume are there.
    Written(usize),
    /// The signatures are being written, or are there.
    Signatures,
    /// So is the manifest, which is the last.
    Manifest,
}

const POINTS: &[Point] = &[
    Point::Listing,
    Point::Writing(1),
    Point::Written(1),
    Point::Writing(2),
    Point::Written(2),
    Point::Writing(3),
    Point::Written(3),
    Point::Writing(4),
    Point::Written(4),
    Point::Signatures,
    Point::Manifest,
];

/// Who is killed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Victim {
    Duplicity,
    Launcher,
    Resident,
    All,
}

const VICTIMS: &[Victim] = &[
    Victim::Duplicity,
    Victim::Launcher,
    Victim::Resident,
    Victim::All,
];

fn names(host: &Path) -> Vec<String> {
    let entries = fs::read_dir(host).into_iter().flatten().flatten();
    let names = entries.map(|entry| entry.file_name().into_string().unwrap());
    names.collect()
}

fn is_share(name: &str) -> bool {
    Path::new(name).extension() == Some(OsStr::new("share"))
}

impl Point {
    fn is_reached(self, world: &World, ours: &str) -> bool {
        let hosts: Vec<_> = (0..3).map(|host| names(&world.host(host))).collect();
        let any = |what: &str| {
            let mut names = hosts.iter().flatten();
            names.any(|name| name.contains(what))
        };
        match self {
            Self::Listing => !processes(&["resident", ours]).is_empty(),
            // Or already there: a share is quickly written.
            Self::Writing(volume) => any(&format!(".vol{volume}.")),
            Self::Written(volume) => {
                let volume = format!(".vol{volume}.");
                let is_whole = |name: &String| name.contains(&volume) && is_share(name);
                hosts.iter().all(|names| names.iter().any(is_whole))
            }
            Self::Signatures => any("signatures"),
            Self::Manifest => any(".manifest"),
        }
    }
}

/// A backup that runs.
struct Running {
    child: Child,
    /// What its processes have in their command lines.
    ours: String,
}

impl Running {
    fn start(world: &World) -> Self {
        let child = world
            .command(&[&["backup", "test"], SMALL_VOLUMES].concat())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let ours = format!("/distdup-{}-", child.id());
        Self { child, ours }
    }

    fn duplicity(&self) -> Vec<u32> {
        processes(&["launcher.py", &self.ours])
    }

    fn kill(&self, victim: Victim) {
        let launcher = vec![self.child.id()];
        let resident = processes(&["resident", &self.ours]);
        let victims = match victim {
            Victim::Duplicity => self.duplicity(),
            Victim::Launcher => launcher,
            Victim::Resident => resident,
            Victim::All => [launcher, self.duplicity(), resident].concat(),
        };
        for id in victims {
            kill(id, "-KILL");
        }
    }

    /// Waits until the last of its processes has ended.
    fn end(self) -> Output {
        let output = self.child.wait_with_output().unwrap();
        wait_until("all processes end", || processes(&[&self.ours]).is_empty());
        output
    }
}

/// A command that starts no Duplicity.
fn ours(world: &World, words: &[&str]) -> Output {
    let mut command = Command::new(DISTDUP);
    world.furnish(&mut command);
    command.args(words).output().unwrap()
}

fn run_killed(world: &World, point: Point, victim: Victim) {
    fs::write(world.path("test/big"), random(3_000_000)).unwrap();
    let backup = Running::start(world);
    wait_until(&format!("{point:?}"), || {
        point.is_reached(world, &backup.ours)
    });
    backup.kill(victim);
    let output = backup.end();
    let context = format!("{point:?}, {victim:?}: {}", stderr(&output));
    match (victim, output.status.code()) {
        (Victim::Resident, Some(0))
        | (Victim::Duplicity, Some(1))
        | (Victim::Launcher | Victim::All, None) => {}
        // Came too late.
        (Victim::Duplicity | Victim::Launcher | Victim::All, Some(0))
            if point == Point::Manifest => {}
        _ => panic!("{context}"),
    }

    let mut output = world.backup(SMALL_VOLUMES);
    if world.duplicity.is_none() && stderr(&output).contains("code: archive-torn") {
        // 0.8 killed between two changes of its archive takes signatures for two chains, or does not get
        // over a manifest that is there and still called a part, whatever it backs up to. Without its
        // archive it begins again.
        fs::remove_dir_all(world.path("home/.cache")).unwrap();
        output = world.backup(SMALL_VOLUMES);
    }
    // Killed between the first share of an object and the next, a resident leaves what may as well be lost.
    let code = if stderr(&output).contains("may have been lost") {
        3
    } else {
        0
    };
    assert_exit(&output, code);
    world.restores(code);
    // What was left is found and goes, and nothing that is needed goes with it.
    let cleanup = ours(world, &["cleanup", HOSTS, "--lost", "--force"]);
    assert_exit(&cleanup, 0);
    let output = ours(world, &["cleanup", HOSTS]);
    assert_exit(&output, 0);
    assert!(
        stdout(&output).contains("nothing is left over"),
        "{}",
        stdout(&output)
    );
    for host in 0..3 {
        let left = names(&world.host(host));
        let is_ours = |name: &String| {
            is_share(name) || ["distdup-host", "distdup-lock"].contains(&name.as_str())
        };
        assert!(left.iter().all(is_ours), "{context}: {left:?}");
    }
    assert_exit(&ours(world, &["status", HOSTS]), 0);
    world.restores(0);
}

#[test]
fn a_backup_that_is_killed_anywhere_goes_on_or_begins_again() {
    let mut tally =
        Tally::of("SIGKILL of Duplicity, launcher, resident or all at each point of a backup");
    let full = full();
    let worlds = World::each().count();
    let mut number = 0;
    for &victim in VICTIMS {
        for &point in POINTS {
            number += 1;
            // Each victim at two or three points, in the sample; one generation after the other.
            for (which, world) in World::each().enumerate() {
                if full || (number % 5 == 0 && number / 5 % worlds == which) {
                    eprintln!("{victim:?} at {point:?}, generation {which}");
                    run_killed(&world, point, victim);
                    tally.count("went on or began again, restored, left nothing");
                }
            }
        }
    }
}

/// Of a backup that was killed, and of which its archive tells, Duplicity restores what there is, and exits 0.
#[test]
fn part_of_a_backup_is_not_restored_as_if_it_were_all() {
    for world in World::each() {
        fs::write(world.path("test/big"), random(6_000_000)).unwrap();
        let backup = Running::start(&world);
        wait_until("volumes are stored", || world.shares(2, "vol3.").len() == 1);
        backup.kill(Victim::All);
        backup.end();
        let restore = [&["restore", "restore_test"], PLAIN].concat();
        let output = world.run(&restore);
        assert_exit(&output, 1);
        assert!(!world.path("restore_test").exists());
        let said = stderr(&output);
        assert!(said.contains("the backup duplicity-full."), "{said}");
        assert!(said.contains("did not end"), "{said}");
        assert!(world.path("restore_test.partial").exists());
        fs::remove_dir_all(world.path("restore_test.partial")).unwrap();
        assert_exit(&world.backup(SMALL_VOLUMES), 0);
        world.restores(0);
    }
}

#[test]
fn two_backups_at_once_are_refused_as_long_as_anyone_of_the_first_lives() {
    for world in World::each() {
        fs::write(world.path("test/big"), random(6_000_000)).unwrap();
        for killed in [
            &[][..],
            &[Victim::Launcher],
            &[Victim::Launcher, Victim::Duplicity],
        ] {
            let first = Running::start(&world);
            wait_until("volumes are stored", || world.shares(2, "vol1.").len() == 1);
            let id = first.child.id();
            let stopped = [first.duplicity(), processes(&["resident", &first.ours])].concat();
            for &id in &stopped {
                kill(id, "-STOP");
            }
            for &victim in killed {
                first.kill(victim);
            }
            let second = world.backup(SMALL_VOLUMES);
            assert_exit(&second, 1);
            let said = stderr(&second);
            assert!(said.contains("is being written to by process"), "{said}");
            assert!(said.contains(&format!("process {id} on ")), "{said}");
            let duplicity = |words: &[&str]| {
                let mut command = world.command(&["duplicity", "-o", HOSTS]);
                command.args(words).output().unwrap()
            };
            let refused = duplicity(&["cleanup", "--force", "--no-encryption"]);
            assert_exit(&refused, 1);
            let said = stderr(&refused);
            assert!(said.contains("is being written to by process"), "{said}");
            // Whoever only reads is not kept away, and what is in use is nothing left over.
            let cleanup = ours(&world, &["cleanup", HOSTS]);
            assert_exit(&cleanup, 0);
            assert!(stdout(&cleanup).contains("nothing is left over"));
            assert_exit(&ours(&world, &["cleanup", HOSTS, "--force"]), 1);
            assert!(matches!(
                ours(&world, &["status", HOSTS]).status.code(),
                Some(0 | 3)
            ));
            for &id in &stopped {
                kill(id, "-CONT");
            }
            let output = first.end();
            if killed.is_empty() {
                assert_exit(&output, 0);
            }
            assert_exit(&world.backup(SMALL_VOLUMES), 0);
            world.restores(0);
            fs::remove_dir_all(world.path("backup_test")).unwrap();
            fs::remove_dir_all(world.path("home")).unwrap();
            fs::create_dir(world.path("home")).unwrap();
        }
    }
}

#[test]
fn old_backups_do_not_come_back_with_a_host() {
    for world in World::each() {
        assert_exit(&world.backup(PLAIN), 0);
        let old = world.shares(1, "duplicity-full").len();
        thread::sleep(Duration::from_millis(1100)); // Duplicity counts in seconds
        fs::write(world.path("test/new"), random(100_000)).unwrap();
        let full = [&["backup", "test", "--", "full"], &PLAIN[1..]].concat();
        assert_exit(&world.run(&full), 0);
        let duplicity = |words: &[&str]| {
            let mut command = world.command(&["duplicity", "-o", HOSTS]);
            command.args(words).output().unwrap()
        };
        let remove = ["remove-all-but-n-full", "1", "--force"];
        let output = world.without(&[1], || duplicity(&remove));
        assert_exit(&output, 3);
        assert_eq!(world.shares(0, "").len(), old);
        assert_eq!(world.shares(1, "").len(), 2 * old);

        // The host is back, and what it has of old is not.
        let output = duplicity(&["collection-status"]);
        assert_exit(&output, 0);
        assert_eq!(
            stdout(&output).matches("Full ").count(),
            1,
            "{}",
            stdout(&output)
        );
        // Healing settles it: nothing of it is left, its markers included.
        assert_exit(&ours(&world, &["heal", HOSTS]), 0);
        for host in 0..3 {
            let left = names(&world.host(host));
            assert_eq!(left.len(), old + 2, "{left:?}"); // and the stamp and the lock
        }
        for lost in [0, 2] {
            world.without(&[lost], || {
                let output = duplicity(&["collection-status"]);
                assert_exit(&output, 3);
                assert_eq!(stdout(&output).matches("Full ").count(), 1);
                world.restores(3);
            });
        }
        world.restores(0);
    }
}

/// Duplicity with a plain folder.
fn plain(world: &World, words: &[&str]) -> Command {
    let script = world.duplicity.clone();
    let mut command = Command::new(script.unwrap_or_else(|| "duplicity".into()));
    world.furnish(&mut command);
    let url = format!("file://{}", world.path("plain").display());
    command
        .args(words)
        .args(["--no-encryption", "--volsize", "1", "test", &url])
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    command
}

fn archive(world: &World) -> Vec<String> {
    let found = Command::new("find")
        .arg(world.path("home/.cache/duplicity"))
        .args(["-type", "f", "-name", "duplicity-full*"])
        .output();
    let mut files: Vec<_> = stdout(&found.unwrap()).lines().map(str::to_owned).collect();
    files.sort();
    files
}

/// What the older generation does with a list that is short of everything.
#[test]
fn an_empty_list_makes_duplicity_delete_what_it_knows_and_is_never_given_by_us() {
    let world = World::new(None);
    fs::create_dir(world.path("plain")).unwrap();
    assert!(plain(&world, &[]).status().unwrap().success());
    let before = archive(&world);
    assert_eq!(before.len(), 2);
    fs::rename(world.path("plain"), world.path("away")).unwrap();
    fs::create_dir(world.path("plain")).unwrap();
    thread::sleep(Duration::from_millis(1100)); // Duplicity counts in seconds
    assert!(plain(&world, &[]).status().unwrap().success());
    let after = archive(&world);
    assert!(before.iter().all(|file| !after.contains(file)), "{after:?}");

    fs::remove_dir_all(world.path("home/.cache")).unwrap();
    assert_exit(&world.backup(PLAIN), 0);
    let before = archive(&world);
    for away in [&[0, 1][..], &[1, 2], &[0, 1, 2]] {
        world.without(away, || {
            // Gone, or, as when nothing is mounted, empty.
            for empty in [false, true] {
                if empty {
                    let mut hosts = away.iter().map(|&host| world.host(host));
                    hosts.try_for_each(fs::create_dir_all).unwrap();
                }
                assert_exit(&world.backup(PLAIN), 1);
                assert_eq!(archive(&world), before, "{away:?}");
                for &host in away {
                    // With none of them, it may have been a new backup, and they were made.
                    let _ = fs::remove_dir_all(world.host(host));
                }
            }
        });
    }
    assert_exit(&world.backup(PLAIN), 0);
    world.restores(0);
}

/// What the newer generation does with a list that is short of one volume.
#[test]
fn a_list_short_of_a_volume_makes_duplicity_delete_others_and_is_never_given_by_us() {
    for world in World::each().filter(|world| world.duplicity.is_some()) {
        fs::write(world.path("test/big"), random(6_000_000)).unwrap();
        fs::create_dir(world.path("plain")).unwrap();
        let volume = |number: usize| {
            let part = format!(".vol{number}.");
            let mut names = names(&world.path("plain")).into_iter();
            Some(
                world
                    .path("plain")
                    .join(names.find(|name| name.contains(&part))?),
            )
        };
        let mut child = plain(&world, &["backup"]).spawn().unwrap();
        wait_until("volumes are stored", || volume(4).is_some());
        child.kill().unwrap();
        child.wait().unwrap();
        fs::rename(volume(2).unwrap(), world.path("hidden")).unwrap();
        let third = fs::metadata(volume(3).unwrap()).unwrap().ino();
        let kept = fs::File::open(volume(3).unwrap()).unwrap(); // so that its number is not used again
        assert!(plain(&world, &["backup"]).status().unwrap().success());
        assert_ne!(fs::metadata(volume(3).unwrap()).unwrap().ino(), third);
        assert_eq!(kept.metadata().unwrap().nlink(), 0, "it was not deleted");

        // The same with us, and a host away that has the volume.
        fs::remove_dir_all(world.path("home/.cache")).unwrap();
        let backup = Running::start(&world);
        wait_until("volumes are stored", || world.shares(2, "vol4.").len() == 1);
        backup.kill(Victim::All);
        backup.end();
        let shares = |host: usize| {
            let volumes = [1, 2, 3, 4].map(|volume| world.shares(host, &format!(".vol{volume}.")));
            volumes.concat()
        };
        let before = shares(2);
        assert_exit(&world.without(&[0, 1], || world.backup(SMALL_VOLUMES)), 1);
        assert_eq!(shares(2), before);
        assert_exit(&world.without(&[0], || world.backup(SMALL_VOLUMES)), 3);
        // The last may have been sent again, as Duplicity does.
        assert_eq!(shares(2)[..3], before[..3]);
        world.restores(3);
    }
}
