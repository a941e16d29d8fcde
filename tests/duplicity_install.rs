//! Our backend in an installed Duplicity: a copy of it, so that the machine's own stays as it is.

#![allow(clippy::unwrap_used, reason = "a test fails by it")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use distdup::store::{FolderHost, LockError};
use serde_json::{Value, json};

mod world;

use world::{PLAIN, World, assert_exit, kill, random, stderr, stdout, wait_until};

/// A world whose Duplicity's modules are a copy.
struct Copied {
    world: World,
    script: PathBuf,
}

impl Copied {
    fn new(world: World, k: usize, n: usize) -> Self {
        let script = world
            .duplicity
            .clone()
            .unwrap_or("/usr/bin/duplicity".into());
        let script = PathBuf::from(script);
        let first = fs::read_to_string(&script).unwrap();
        let python = first
            .lines()
            .next()
            .unwrap()
            .trim_start_matches("#!")
            .trim();
        let tell = "import os, duplicity; print(os.path.dirname(duplicity.__file__))";
        let modules = Command::new(python)
            .args(["-c", tell])
            .current_dir("/")
            .output();
        let modules = stdout(&modules.unwrap());
        fs::create_dir(world.path("site")).unwrap();
        fs::create_dir(world.path("run")).unwrap();
        let copied = Command::new("cp")
            .args(["-r", modules.trim()])
            .arg(world.path("site/duplicity"))
            .status();
        assert!(copied.unwrap().success());
        let host = |i| {
            format!(
                "disk{i} = '{}'\n",
                world.path(&format!("disk{i}")).display()
            )
        };
        let hosts: String = (0..n).map(host).collect();
        let settings = format!("[profiles.home]\nk = {k}\nn = {n}\n[profiles.home.hosts]\n{hosts}");
        fs::write(world.path("distdup.toml"), settings).unwrap();
        Self { world, script }
    }

    fn command(&self, program: impl AsRef<Path>) -> Command {
        let mut command = Command::new(program.as_ref());
        self.world.furnish(&mut command);
        command
            .env("PYTHONPATH", self.world.path("site"))
            .env("XDG_RUNTIME_DIR", self.world.path("run"))
            .env("PYTHONDONTWRITEBYTECODE", "1");
        command
    }

    /// Duplicity, without distdup.
    fn plain(&self, words: &[&str]) -> Output {
        self.plainly(words).output().unwrap()
    }

    fn plainly(&self, words: &[&str]) -> Command {
        let mut command = self.command(&self.script);
        let options = [&PLAIN[1..], &["--num-retries", "1"]].concat();
        command.args(words).args(options);
        command
    }

    fn change(&self, flag: &str) -> Output {
        let mut command = self.command(world::DISTDUP);
        command
            .args(["--json", "duplicity", flag, "--duplicity"])
            .arg(&self.script);
        command.output().unwrap()
    }

    #[track_caller]
    fn changes(&self, flag: &str, status: &str) -> PathBuf {
        let output = self.change(flag);
        assert_exit(&output, 0);
        let told: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(told["status"], json!(status));
        told["file"].as_str().unwrap().into()
    }
}

#[test]
fn plain_duplicity_works_while_the_backend_is_installed() {
    for world in World::each() {
        let copied = Copied::new(world, 2, 3);
        let full = ["full", "test", "distdup://home"];
        assert_ne!(copied.plain(&full).status.code(), Some(0));
        let file = copied.changes("--install-backend", "installed");
        assert!(
            file.starts_with(copied.world.path("site")),
            "{}",
            file.display()
        );
        assert_eq!(copied.changes("--install-backend", "unchanged"), file);

        assert_exit(&copied.plain(&[&full[..], &["--dry-run"]].concat()), 0);
        assert!(!copied.world.path("disk0").exists());
        assert_exit(&copied.plain(&full), 0);
        fs::remove_dir_all(copied.world.path("disk1")).unwrap();
        let restored = copied.plain(&["restore", "distdup://home", "restored"]);
        assert_exit(&restored, 0);
        copied.world.is_like("restored");
        // It is the same backup for distdup.
        let mut status = copied.command(world::DISTDUP);
        status
            .args(["duplicity", "-P", "home", "--duplicity"])
            .arg(&copied.script);
        let status = status.arg("collection-status").output().unwrap();
        assert_exit(&status, 3);
        assert!(stdout(&status).contains("Number of contained backup sets: 1"));
        let nowhere = copied.plain(&["collection-status", "distdup://nowhere"]);
        assert_ne!(nowhere.status.code(), Some(0));
        assert!(stderr(&nowhere).contains("nowhere"), "{}", stderr(&nowhere));
        let unnamed = copied.plain(&["collection-status", "distdup:///some/folder"]);
        assert!(
            stderr(&unnamed).contains("names no profile"),
            "{}",
            stderr(&unnamed)
        );

        let text = fs::read_to_string(&file).unwrap();
        fs::write(&file, text.replace("PROGRAM = ", "PROGRAM = '/older' or ")).unwrap();
        copied.changes("--install-backend", "replaced");
        assert_eq!(fs::read_to_string(&file).unwrap(), text);
        assert_eq!(copied.changes("--remove-backend", "removed"), file);
        assert!(!file.exists());
        copied.changes("--remove-backend", "unchanged");
        assert_ne!(copied.plain(&full).status.code(), Some(0));
    }
}

/// Folders on which nothing is mounted look like those of hosts that are still to be made.
#[test]
fn plain_duplicity_makes_hosts_where_it_writes_and_not_to_read() {
    for world in World::each() {
        let mut full = vec!["full", "test", "distdup://home", "--volsize", "1"];
        if world.duplicity.is_some() {
            full.extend(["--concurrency", "2"]);
        }
        let copied = Copied::new(world, 2, 3);
        copied.changes("--install-backend", "installed");
        let disks = [0, 1, 2].map(|i| copied.world.path(&format!("disk{i}")));
        fs::create_dir(&disks[1]).unwrap();
        let status = ["collection-status", "distdup://home"];
        for reads in [&status[..], &["restore", "distdup://home", "restored"]] {
            copied.plain(reads);
            assert!(!disks[0].exists() && !disks[2].exists());
            assert_eq!(fs::read_dir(&disks[1]).unwrap().count(), 0);
        }
        let made = copied.plain(&full);
        assert_exit(&made, 0);
        let said = stderr(&made);
        assert!(said.contains("made 3 new hosts: disk0, "), "{said}");
        assert_eq!(said.matches("new hosts").count(), 1, "{said}");
        assert_exit(&copied.plain(&["restore", "distdup://home", "restored"]), 0);
        copied.world.is_like("restored");
        let mut status = copied.command(world::DISTDUP);
        assert_exit(&status.args(["status", "-P", "home"]).output().unwrap(), 0);
    }
}

#[test]
fn plain_duplicity_is_told_what_may_have_been_lost() {
    for world in World::each() {
        let copied = Copied::new(world, 2, 3);
        copied.changes("--install-backend", "installed");
        let status = ["collection-status", "distdup://home"];
        assert_exit(&copied.plain(&["full", "test", "distdup://home"]), 0);
        let whole = copied.plain(&status);
        assert!(!stderr(&whole).contains("lost"), "{}", stderr(&whole));
        for disk in ["disk0", "disk1"] {
            for entry in fs::read_dir(copied.world.path(disk)).unwrap() {
                let path = entry.unwrap().path();
                if path.to_str().unwrap().contains(".vol1.") {
                    fs::remove_file(path).unwrap();
                }
            }
        }
        let said = stderr(&copied.plain(&status));
        assert!(said.contains(".vol1."), "{said}");
        assert!(said.contains("distdup explain object-lost"), "{said}");
    }
}

#[test]
fn plain_duplicity_writes_alone_and_reads_whenever_it_can() {
    for world in World::each() {
        let concurrency: &[&str] = match world.duplicity {
            Some(_) => &["--concurrency", "2"],
            None => &[],
        };
        let copied = Copied::new(world, 4, 6);
        copied.changes("--install-backend", "installed");
        let world = &copied.world;
        let disk = |i| world.path(&format!("disk{i}"));
        let restores = || {
            let output = copied.plain(&["restore", "distdup://home", "restored"]);
            assert_exit(&output, 0);
            world.is_like("restored");
            fs::remove_dir_all(world.path("restored")).unwrap();
        };
        let full = ["full", "test", "distdup://home"];
        // What a killed one left goes; what somebody holds whose process cannot be seen from here stays.
        let [left, held] = ["0123456789abcdef", "fedcba9876543210"]
            .map(|random| world.path(&format!("run/distdup-4294967295-{random}")));
        for folder in [&left, &held] {
            fs::create_dir(folder).unwrap();
            fs::write(folder.join("pipe-1-0"), "").unwrap();
        }
        let holder = fs::File::open(&held).unwrap();
        holder.lock().unwrap();
        assert_exit(&copied.plain(&full), 0);
        assert!(!left.exists() && held.join("pipe-1-0").exists());
        drop(holder);

        // Too few to write.
        for i in [0, 1] {
            fs::rename(disk(i), world.path(&format!("away{i}"))).unwrap();
        }
        restores();
        for i in [0, 1] {
            fs::rename(world.path(&format!("away{i}")), disk(i)).unwrap();
        }

        let host = FolderHost::new(disk(3));
        let lock = host.lock(1, false).unwrap();
        restores();
        let refused = copied.plain(&full);
        assert_ne!(refused.status.code(), Some(0));
        let said = stderr(&refused) + &stdout(&refused);
        assert!(said.contains("disk3 is being written to by"), "{said}");
        drop(lock);
        // The processes of the refused one may hold others a moment longer than itself.
        let is_free = |i| FolderHost::new(disk(i)).lock(1, false).is_ok();
        wait_until("locks are free", || (0..6).all(is_free));

        // Its own processes do not keep each other out, but all others, as long as it runs. It may be at
        // its end before it is stopped, and is begun once more then.
        fs::write(world.path("test/big"), random(20_000_000)).unwrap();
        let volumes = || fs::read_dir(disk(3)).unwrap().count();
        let is_held_midway = || {
            let before = volumes();
            let mut running = copied
                .plainly(&[&full[..], &["--volsize", "1"], concurrency].concat())
                .stdout(Stdio::piped())
                .stderr(Stdio::piped())
                .spawn()
                .unwrap();
            let mut has_ended = false;
            wait_until("volumes are stored", || {
                has_ended = running.try_wait().unwrap().is_some();
                has_ended || volumes() > before + 2
            });
            let is_held = !has_ended && {
                kill(running.id(), "-STOP");
                let lock = host.lock(1, false);
                kill(running.id(), "-CONT");
                matches!(lock, Err(LockError::Held { .. }))
            };
            assert_exit(&running.wait_with_output().unwrap(), 0);
            is_held
        };
        assert!((0..5).any(|_| is_held_midway()));
        restores();
        drop(host.lock(1, false).unwrap());
        // Of its pipes nothing is left, nor where a worker ends without a word.
        assert_eq!(fs::read_dir(world.path("run")).unwrap().count(), 0);
    }
}

#[test]
fn a_file_of_somebody_elses_is_left_alone() {
    let copied = Copied::new(World::new(None), 2, 3);
    let file = copied.changes("--install-backend", "installed");
    fs::write(&file, "# somebody else's\n").unwrap();
    for flag in ["--install-backend", "--remove-backend"] {
        let output = copied.change(flag);
        assert_exit(&output, 1);
        assert!(
            stderr(&output).contains("is not distdup's"),
            "{}",
            stderr(&output)
        );
        assert_eq!(fs::read_to_string(&file).unwrap(), "# somebody else's\n");
    }
}
