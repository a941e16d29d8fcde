//! Backups with real Duplicity onto hosts that come and go. By default a sample of the combinations;
//! `DISTDUP_TEST_FULL=1` runs them all.

#![allow(clippy::unwrap_used, reason = "a test fails by it")]

mod world;

use std::ffi::{OsStr, OsString};
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Output, Stdio};

use distdup::control::Control;
use distdup::duplicity::hosts::{Access, HostsError, Layout};
use distdup_codecs::{Geometry, ShardSet};
use rustix::fs::{CWD, Mode, mkfifoat};
use serde_json::Value;

use world::{
    DISTDUP, PLAIN, SMALL_VOLUMES, World, assert_exit, random, stderr, stdout, wait_until,
};

fn is_full() -> bool {
    let full = std::env::var_os("DISTDUP_TEST_FULL").is_some_and(|value| value != "0");
    if !full {
        eprintln!("a sample; DISTDUP_TEST_FULL=1 runs all");
    }
    full
}

/// The host answers nothing any more, as one does whose network file system has lost its server:
/// opening its stamp waits for ever.
fn hang(host: &Path) {
    let (stamp, pipe) = (host.join("distdup-host"), host.join("pipe"));
    fs::copy(&stamp, host.join("stamp")).unwrap();
    mkfifoat(CWD, &pipe, Mode::RUSR | Mode::WUSR).unwrap();
    fs::rename(pipe, stamp).unwrap();
}

fn unhang(host: &Path) {
    fs::rename(host.join("stamp"), host.join("distdup-host")).unwrap();
}

/// A host that answers, and takes its time for it, until this goes.
struct Slow {
    holder: Child,
    said: BufReader<ChildStdout>,
}

impl Slow {
    fn new(host: &Path, seconds: &str) -> Self {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/python/slow_host.py");
        let mut holder = Command::new("python3")
            .args(["-I", script])
            .args([host.as_os_str(), OsStr::new(seconds)])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut said = BufReader::new(holder.stdout.take().unwrap());
        assert_eq!(said.read_line(&mut String::new()).unwrap(), 5);
        Self { holder, said }
    }

    /// How often it was waited for.
    fn end(mut self) -> usize {
        self.holder.kill().unwrap();
        self.holder.wait().unwrap();
        self.said.lines().count()
    }
}

/// A script with `$backup`, `$restore` and `$duplicity` in it, in a mount namespace of its own, where the folder
/// `small` is a file system of that many bytes that goes away with it.
fn with_small_disk(world: &World, size: &str, script: &str) -> Output {
    let options = "--no-encryption --backend-retry-delay 1 --num-retries 2 --volsize 1";
    let duplicity = world.duplicity.as_ref().map_or(String::new(), |script| {
        format!("--duplicity {}", script.to_str().unwrap())
    });
    let hosts = ["a", "b", "small/c"];
    let named = |flag: &str| hosts.map(|host| format!("{flag} {host}")).join(" ");
    let mut command = Command::new("unshare");
    world.furnish(&mut command);
    let is_root = rustix::process::geteuid().is_root();
    command
        .arg(if is_root { "-m" } else { "-rm" })
        .args(["sh", "-c"])
        .arg(format!(
            "mkdir -p small && mount -t tmpfs -o size={size} small small && {{ {script}\n}}"
        ))
        .env(
            "backup",
            format!(
                "{DISTDUP} backup test {} {duplicity} -- {options}",
                named("-o")
            ),
        )
        .env(
            "restore",
            format!(
                "{DISTDUP} restore out {} {duplicity} -- {options}",
                named("--from")
            ),
        )
        .env(
            "duplicity",
            format!("{DISTDUP} --json duplicity {} {duplicity}", named("-o")),
        );
    command.output().unwrap()
}

#[test]
fn a_host_that_fills_up_or_turns_read_only_degrades_a_backup() {
    for world in World::each() {
        fs::write(world.path("test/big"), random(8_000_000)).unwrap();
        let full = with_small_disk(
            &world,
            "2m",
            "$backup || code=$?; ls small/c/*.partial >&2; exit $code",
        );
        assert_exit(&full, 3);
        let said = stderr(&full);
        assert!(said.contains("No space left on device"), "{said}");
        assert!(
            said.contains("not all of this backup is on small/c"),
            "{said}"
        );
        assert!(said.contains("cannot access"), "a piece is left: {said}");
        let said = stdout(&full);
        assert!(
            said.contains("none of the hosts that are left may be lost"),
            "{said}"
        );
        // The third went with its disk; the others are as good as their word.
        let from = [
            "restore", "out", "--from", "b", "--from", "a", "--from", "small/c",
        ];
        assert_exit(&world.run(&[&from, PLAIN].concat()), 3);
        world.is_like("out");

        for name in ["a", "b", "home", "out"] {
            fs::remove_dir_all(world.path(name)).unwrap();
        }
        fs::create_dir(world.path("home")).unwrap();
        let read_only = with_small_disk(
            &world,
            "20m",
            "$backup & \
             until ls small/c/*vol2.*.share; do sleep 0.01; done >/dev/null 2>&1; \
             mount --bind small small && mount -o remount,bind,ro small; \
             wait $! || code=$?; $restore >&2 || exit $?; exit $code",
        );
        // With what it has, the host even helps to restore; it is what it lacks that is told.
        let said = stderr(&read_only);
        assert_exit(&read_only, 3);
        assert!(said.contains("Read-only file system"), "{said}");
        assert!(said.contains("it has no share of it"), "{said}");
        world.is_like("out");
    }
}

#[test]
fn what_could_not_be_deleted_or_not_everywhere_is_no_success() {
    const SCRIPT: &str = "\
        for day in 0 1; do \
            $duplicity full test --no-encryption --current-time 16000${day}0000 >&2 || exit 9; \
        done; \
        for disk in $read_only; do \
            mount --bind $disk $disk && mount -o remount,bind,ro $disk; \
        done; \
        $duplicity remove-all-but-n-full 1 --force --no-encryption --num-retries 1";
    for world in World::each() {
        for (read_only, undeleted, left) in [("small", false, 1), ("small a", true, 2)] {
            let script = SCRIPT.replace("$read_only", read_only);
            let removed = with_small_disk(&world, "20m", &script);
            let said = stderr(&removed);
            assert_exit(&removed, 3);
            assert!(said.contains("Read-only file system"), "{said}");
            let told = said.contains("could not be deleted: object duplicity-full");
            assert_eq!(told, undeleted, "{said}");
            let json: Value = serde_json::from_str(&stdout(&removed)).unwrap();
            assert_eq!(json["status"], "degraded", "{json}");
            assert_eq!(json["undeleted"].as_u64().unwrap() > 0, undeleted, "{json}");
            for (host, fails) in [(0, undeleted), (1, false), (2, true)] {
                assert_eq!(json["hosts"][host]["good"], !fails, "{json}");
            }
            let entries = fs::read_dir(world.path("b")).unwrap();
            let paths = entries.map(|entry| entry.unwrap().path());
            let is_manifest = |path: &PathBuf| {
                let is_share = path.extension() == Some(OsStr::new("share"));
                is_share && path.to_str().unwrap().contains(".manifest")
            };
            assert_eq!(paths.filter(is_manifest).count(), left);
            for name in ["a", "b", "home"] {
                fs::remove_dir_all(world.path(name)).unwrap();
            }
            fs::create_dir(world.path("home")).unwrap();
        }
    }
}

/// A backup of 10 MB that is at work, with volumes on the hosts already; it waits two seconds for a host.
fn backup_midway(world: &World) -> Child {
    fs::write(world.path("test/big"), random(10_000_000)).unwrap();
    let arguments = ["--json", "backup", "--host-timeout", "2", "test"];
    let child = world
        .command(&[&arguments, SMALL_VOLUMES].concat())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    wait_until("volumes are stored", || world.shares(1, "vol").len() >= 2);
    child
}

#[test]
fn a_host_that_goes_or_hangs_while_a_backup_runs_degrades_it() {
    for (world, hangs) in World::each()
        .zip([true, true])
        .chain([(World::new(None), false)])
    {
        let child = backup_midway(&world);
        if hangs {
            hang(&world.host(1));
        } else {
            fs::rename(world.host(1), world.path("away")).unwrap();
        }
        let output = child.wait_with_output().unwrap();
        assert_exit(&output, 3);
        let result: Value = serde_json::from_str(stdout(&output).lines().last().unwrap()).unwrap();
        let hosts = result["hosts"].as_array().unwrap();
        let complete: Vec<_> = hosts.iter().map(|host| host["complete"] == true).collect();
        assert_eq!(complete, [true, false, true], "{result}");
        assert_eq!(result["may_be_lost"], 0, "{result}");
        let why = if hangs { "within 2 s" } else { "is down" };
        assert!(
            hosts[1]["error"].as_str().unwrap().contains(why),
            "{result}"
        );

        let restore = ["restore", "restore_test", "--host-timeout", "2"];
        let output = world.run(&[&restore, PLAIN].concat());
        world.is_restored(&output, 3);
        assert!(stderr(&output).contains(why), "{}", stderr(&output));

        // It comes back with what it has, and lacks what it has not: what was stored meanwhile needs
        // both others.
        if hangs {
            unhang(&world.host(1));
        } else {
            fs::rename(world.path("away"), world.host(1)).unwrap();
        }
        world.restores(3);
        for lost in [0, 2] {
            world.without(&[lost], || {
                let output = world.run(&[&["restore", "restore_test"], PLAIN].concat());
                assert_exit(&output, 1);
                assert!(!world.path("restore_test").exists());
            });
        }
    }
}

#[test]
fn a_host_that_is_slow_is_waited_for() {
    let world = World::each().last().unwrap();
    assert_exit(&world.backup(PLAIN), 0);
    fs::write(world.path("test/big"), random(3_000_000)).unwrap();
    let slow = Slow::new(&world.host(1), "0.1");
    let output = world.run(&[&["--json", "backup", "test"], SMALL_VOLUMES].concat());
    assert_exit(&output, 0);
    let result: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(result["may_be_lost"], 1, "{result}");
    assert_eq!(result["hosts"][1]["complete"], true, "{result}");
    assert!(world.shares(1, "inc").len() >= 4); // 3 volumes, 1 manifest
    world.restores(0);
    assert!(slow.end() > 5);
}

#[test]
fn a_host_that_is_too_slow_degrades_a_backup_and_may_come_back() {
    let world = World::each().next().unwrap();
    let child = backup_midway(&world);
    let slow = Slow::new(&world.host(1), "6");
    let output = child.wait_with_output().unwrap();
    assert_exit(&output, 3);
    let result: Value = serde_json::from_str(stdout(&output).lines().last().unwrap()).unwrap();
    let complete = |i: usize| result["hosts"][i]["complete"] == true;
    assert_eq!([0, 1, 2].map(complete), [true, false, true], "{result}");
    assert_eq!(result["may_be_lost"], 0, "{result}");
    let error = result["hosts"][1]["error"].as_str().unwrap();
    // Which of its operations it was too slow at is a matter of luck.
    assert!(
        error.contains("within 2 s") || error.contains("for 2 s"),
        "{result}"
    );
    let said = stderr(&output);
    assert!(said.contains("not all of this backup is on"), "{said}");
    slow.end();

    // What it lacks, it can be given.
    world.restores(3);
    assert_exit(&world.run(&["heal", "backup_test/distdup{i}"]), 0);
    for lost in [0, 2] {
        world.without(&[lost], || world.restores(3));
    }
}

#[test]
fn with_too_few_hosts_the_put_fails_and_nothing_counts() {
    for world in World::each() {
        fs::write(world.path("test/big"), random(10_000_000)).unwrap();
        let few = [SMALL_VOLUMES, &["--num-retries", "2"]].concat();
        let child = world
            .command(&[&["backup", "test"], &few[..]].concat())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        wait_until("volumes are stored", || world.shares(1, "vol").len() >= 2);
        let output = world.without(&[0, 1], || {
            let output = child.wait_with_output().unwrap();
            assert_exit(
                &world.run(&[&["restore", "restore_test"], PLAIN].concat()),
                1,
            );
            output
        });
        assert_exit(&output, 1);
        let said = stderr(&output);
        // Of a put, or of what 3.x asks after one.
        assert!(
            said.contains("1 of 3 hosts are up, and at least 2 must take")
                || said.contains("cannot tell what is current"),
            "{said}"
        );
        assert!(said.contains("the backup is not complete"), "{said}");
        // Half a backup is none, as far as hosts tell.
        fs::rename(world.path("home"), world.path("kept")).unwrap();
        fs::create_dir(world.path("home")).unwrap();
        assert_exit(
            &world.run(&[&["restore", "restore_test"], PLAIN].concat()),
            1,
        );
        assert!(!world.path("restore_test").exists());
        fs::remove_dir_all(world.path("home")).unwrap();
        fs::rename(world.path("kept"), world.path("home")).unwrap();
        // Of the volume that failed, a share may be left on the third host: it may as well be lost.
        let output = world.backup(SMALL_VOLUMES);
        let is_left = stderr(&output).contains("may have been lost");
        let code = if is_left { 3 } else { 0 };
        assert_exit(&output, code);
        world.restores(code);
    }
}

#[test]
fn a_host_that_missed_a_backup_is_never_taken_for_one_that_has_it() {
    for world in World::each() {
        assert_exit(&world.backup(PLAIN), 0);
        fs::write(world.path("test/new"), random(100_000)).unwrap();
        assert_exit(&world.without(&[0], || world.backup(PLAIN)), 3);
        world.restores(3);
        world.without(&[0], || world.restores(3));
        // With the first back, and one of those that have all of it away, what is new cannot be had: an
        // error, not what was there before.
        for lost in [1, 2] {
            world.without(&[lost], || {
                let output = world.run(&[&["restore", "restore_test"], PLAIN].concat());
                assert_exit(&output, 1);
                let said = stderr(&output);
                let away = world.host(lost);
                let needed = format!("needed: {}", away.display());
                assert!(said.contains(&needed), "{said}");
                assert!(!world.path("restore_test").exists());
            });
        }
    }
}

/// Which hosts are there, as bits.
fn hosts_in(n: usize, set: u32) -> Vec<usize> {
    (0..n).filter(|host| set >> host & 1 == 1).collect()
}

#[test]
fn every_set_of_hosts_restores_exactly_where_the_code_says_so() {
    let full = is_full();
    let mut seed = 7_u64;
    let mut dice = move |sides: u64| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (seed >> 33) % sides
    };
    for (codec, k, n) in [
        ("rs", 2, 3),
        ("xor", 2, 3),
        ("rs", 4, 6),
        ("rs", 6, 10),
        ("xor:matland", 6, 10),
    ] {
        let code = distdup_codecs::resolve(codec, Geometry::new(k, n).unwrap(), None).unwrap();
        let rule = k + (n - k) / 2;
        let world = World::new(None);
        fs::write(world.path("test/random"), random(100_000)).unwrap();
        let (k, n_text) = (k.to_string(), n.to_string());
        let kind = ["backup", "-k", &k, "-n", &n_text, "--codec", codec, "test"];
        assert_exit(&world.run(&[&kind, PLAIN].concat()), 0);

        for set in 0..1_u32 << n {
            let there = hosts_in(n, set);
            let shares: ShardSet = there.iter().copied().collect();
            let readable = code.is_recoverable(shares) && n - there.len() < rule;
            let names: Vec<OsString> = there.iter().map(|&host| world.host(host).into()).collect();
            if names.is_empty() || (n > 6 && !full && dice(20) != 0) {
                continue;
            }
            // The others are not named, which makes them as silent as those that are away.
            let layout = Layout::named(names.clone()).unwrap();
            let control = Control::new().0;
            let target = layout.existing(Access::default(), &control);
            let can = target.and_then(|target| target.unreadable(&control));
            assert_eq!(
                matches!(can, Ok(None)),
                readable,
                "{codec} {there:?}: {can:?}"
            );
            if let Err(error) = can {
                let text = error.to_string();
                assert!(
                    text.contains("would suffice") || text.contains("needed:"),
                    "{text}"
                );
            }

            let all = if n > 6 { full && dice(20) == 0 } else { full };
            let some = n == 3 || dice(if n > 6 { 8 } else { 6 }) == 0;
            if !all && !some {
                continue;
            }
            let from = there.iter().rev().map(|&host| world.host(host));
            let mut restore = world.command(&["restore", "restore_test"]);
            for host in from {
                restore.arg("--from").arg(host);
            }
            let output = restore.args(PLAIN).output().unwrap();
            if readable {
                world.is_restored(&output, 0); // hosts that are not named are not missed
            } else {
                assert_exit(&output, 1);
                assert!(!world.path("restore_test").exists());
            }
        }
    }
}

#[test]
fn the_error_names_hosts_that_would_suffice() {
    let world = World::new(None);
    let kind = [
        "backup",
        "-k",
        "6",
        "-n",
        "10",
        "--codec",
        "xor:matland",
        "test",
    ];
    assert_exit(&world.run(&[&kind, PLAIN].concat()), 0);
    let layout = Layout::In(world.path("backup_test"));
    let control = Control::new().0;
    let code = distdup_codecs::resolve("xor:matland", Geometry::new(6, 10).unwrap(), None).unwrap();
    // Of 3 lost, the fatal ones; of any, which of them would do.
    let mut fatal = 0;
    for set in 0..1_u32 << 10 {
        if set.count_ones() != 7 {
            continue;
        }
        let there: ShardSet = hosts_in(10, set).into_iter().collect();
        if code.is_recoverable(there) {
            continue;
        }
        fatal += 1;
        let lost = hosts_in(10, !set & 0x3ff);
        let error = world.without(&lost, || {
            let target = layout.existing(Access::default(), &control).unwrap();
            target.unreadable(&control).unwrap_err()
        });
        let HostsError::Store(distdup::store::StoreError::Unknown { suffice, .. }) = error else {
            panic!("{error}")
        };
        let one_of: Vec<_> = lost
            .iter()
            .filter(|&&host| code.is_recoverable(there.iter().chain([host]).collect()))
            .map(|&host| vec![world.host(host).display().to_string()])
            .collect();
        assert_eq!(*suffice, distdup::store::Suffice::OneOf(one_of));
    }
    assert_eq!(fatal, 10);
}

#[test]
fn hosts_may_be_renamed_reordered_and_moved_and_the_archive_be_lost() {
    for world in World::each() {
        let backup = |hosts: [&str; 3]| {
            let hosts: Vec<_> = hosts.iter().flat_map(|host| ["-o", host]).collect();
            world.run(&[&["backup", "test"], &hosts[..], PLAIN].concat())
        };
        assert_exit(&backup(["a", "b", "c"]), 0);
        fs::write(world.path("test/new"), random(100_000)).unwrap();
        // In another order: the same backup, its archive of signatures included.
        assert_exit(&backup(["c", "a", "b"]), 0);
        assert_eq!(
            fs::read_dir(world.path("home/.cache/duplicity"))
                .unwrap()
                .count(),
            1
        );

        let other = World::new(world.duplicity.clone());
        for (from, to) in [("a", "two"), ("b", "three"), ("c", "one")] {
            let copied = Command::new("cp")
                .arg("-r")
                .args([world.path(from), other.path(to)])
                .status();
            assert!(copied.unwrap().success());
        }
        fs::write(other.path("test/new"), random(100_000)).unwrap();
        let restore = |hosts: &[&str]| {
            let hosts: Vec<_> = hosts.iter().flat_map(|host| ["--from", host]).collect();
            other.run(&[&["restore", "restore_test"], &hosts[..], PLAIN].concat())
        };
        other.is_restored(&restore(&["one", "two", "three"]), 0);
        other.is_restored(&restore(&["two", "three"]), 0);
        other.is_restored(&restore(&["three", "one"]), 0);
        // One host by two names is no second host.
        let output = restore(&["one", "one/."]);
        assert_exit(&output, 2);
        assert!(
            stderr(&output).contains("are the same host"),
            "{}",
            stderr(&output)
        );
    }
}

#[test]
fn what_the_code_can_save_can_be_restored_even_if_it_may_be_stale() {
    for (kind, k, n, left) in [
        (
            &["-k", "1", "-n", "3", "--codec", "copy"][..],
            1,
            3,
            vec![1],
        ),
        (&["-k", "2", "-n", "5"], 2, 5, vec![1, 4]),
    ] {
        for world in World::each() {
            assert_exit(&world.run(&[&["backup", "test"], kind, PLAIN].concat()), 0);
            fs::write(world.path("test/new"), random(100_000)).unwrap();
            assert_exit(&world.backup(PLAIN), 0);
            let archive = || {
                let found = Command::new("find")
                    .arg(world.path("home/.cache/duplicity"))
                    .output();
                stdout(&found.unwrap())
            };
            let before = archive();
            let lost: Vec<_> = (0..n).filter(|host| !left.contains(host)).collect();
            world.without(&lost, || {
                let restore = ["restore", "restore_test"];
                let output = world.run(&[&restore, PLAIN].concat());
                assert_exit(&output, 1);
                let said = stderr(&output);
                assert!(said.contains("--allow-stale"), "{said}");
                let mut heal = Command::new(DISTDUP);
                world.furnish(&mut heal);
                let heal = heal.args(["heal", "backup_test/distdup{i}", "--replace-lost"]);
                let output = heal.output().unwrap();
                assert_exit(&output, 1);
                let said = stderr(&output);
                assert!(
                    said.contains("restore DEST --from HOST --from HOST --allow-stale"),
                    "{said}"
                );
                assert!(lost.iter().all(|&host| !world.host(host).exists()));
                let stale = ["restore", "restore_test", "--allow-stale"];
                let output = world.run(&[&stale, PLAIN].concat());
                world.is_restored(&output, 3);
                assert!(
                    stderr(&output).contains("may be outdated"),
                    "{}",
                    stderr(&output)
                );
            });
            assert_eq!(archive(), before);
            assert_eq!(fs::read_dir(world.path("tmp")).unwrap().count(), 0);
            // One less than the code needs.
            let lost: Vec<_> = (k - 1..n).collect();
            world.without(&lost, || {
                let stale = ["restore", "restore_test", "--allow-stale"];
                assert_exit(&world.run(&[&stale, PLAIN].concat()), 1);
            });
        }
    }
}

/// All that is in a folder.
fn contents(folder: &Path) -> Vec<(OsString, Vec<u8>)> {
    let files = fs::read_dir(folder).unwrap().map(Result::unwrap);
    let mut files: Vec<_> = files
        .map(|file| (file.file_name(), fs::read(file.path()).unwrap()))
        .collect();
    files.sort();
    files
}

#[test]
fn a_host_of_another_backup_named_by_mistake_is_left_alone() {
    let world = World::each().next().unwrap();
    assert_exit(&world.backup(PLAIN), 0);
    let others = world.run(&[&["backup", "test", "-o", "other{i}"], PLAIN].concat());
    assert_exit(&others, 0);
    let other = world.path("other1");
    let before = contents(&other);
    let hosts = ["backup_test/distdup0", "other1", "backup_test/distdup2"];
    let named = |flag| hosts.into_iter().flat_map(move |host| [flag, host]);
    let refused = "other1 is a host of another backup than the others";

    let backup: Vec<_> = ["backup", "test/"].into_iter().chain(named("-o")).collect();
    let output = world.run(&[&backup, PLAIN].concat());
    assert_exit(&output, 3);
    assert!(stderr(&output).contains(refused), "{}", stderr(&output));
    let restore = ["restore", "restore_test"].into_iter();
    let restore: Vec<_> = restore.chain(named("--from")).collect();
    let output = world.run(&[&restore, PLAIN].concat());
    world.is_restored(&output, 3);
    for command in [&["heal"][..], &["cleanup", "--force"]] {
        let output = Command::new(DISTDUP)
            .arg("--json")
            .args(command)
            .args(hosts)
            .current_dir(world.path(""))
            .output()
            .unwrap();
        assert_exit(&output, 3);
        assert!(stderr(&output).contains(refused), "{}", stderr(&output));
        assert!(stdout(&output).contains(refused), "{}", stdout(&output));
    }
    assert!(
        contents(&other) == before,
        "the other backup's host changed"
    );

    // Taken over on purpose, as it says.
    fs::remove_dir_all(&other).unwrap();
    fs::create_dir(&other).unwrap();
    let heal = ["heal", "--replace-lost"];
    let healed = Command::new(DISTDUP)
        .args(heal)
        .args(hosts)
        .current_dir(world.path(""))
        .output()
        .unwrap();
    assert_exit(&healed, 0);
    world.without(&[0], || {
        let output = world.run(&[&restore, PLAIN].concat());
        world.is_restored(&output, 3);
    });
}

fn ours(world: &World, words: &[&str]) -> Output {
    let mut command = Command::new(DISTDUP);
    world.furnish(&mut command);
    command.args(words).output().unwrap()
}

fn copy(from: &Path, to: &Path) {
    let copied = Command::new("cp").arg("-r").args([from, to]).status();
    assert!(copied.unwrap().success());
}

#[test]
fn a_volume_that_hosts_lost_is_told_by_all_and_kept() {
    const HOSTS: &str = "backup_test/distdup{i}";
    for world in World::each() {
        assert_exit(&world.backup(SMALL_VOLUMES), 0);
        let snapshot = world.path("snapshot");
        copy(&world.path("backup_test"), &snapshot);
        let tells = |output: &Output, exit: i32, what: &str| {
            assert_exit(output, exit);
            let said = stderr(output);
            assert!(said.contains("may have been lost"), "{said}");
            assert!(said.contains(what), "{said}");
        };
        for host in [0, 1] {
            for share in world.shares(host, ".vol1.") {
                fs::remove_file(share).unwrap();
            }
        }
        let volume = "of its 3 shares are seen";
        for command in ["status", "heal"] {
            let output = ours(&world, &["--json", command, HOSTS]);
            tells(&output, 3, volume);
            let json: Value = serde_json::from_str(&stdout(&output)).unwrap();
            assert_eq!(json["may_be_lost"], Value::Null, "{json}");
            let lost = json["lost"].as_array().unwrap();
            assert_eq!((lost.len(), &lost[0]["n"]), (1, &Value::from(3)), "{json}");
            let name = lost[0]["object"].as_str().unwrap();
            assert!(name.contains(".vol1."), "{json}");
            assert_eq!(lost[0]["hosts"].as_array().unwrap().len(), 1, "{json}");
        }
        fs::write(world.path("test/more"), "more").unwrap();
        tells(&world.backup(SMALL_VOLUMES), 3, volume);
        let restore = world.run(&[&["restore", "restore_test"], PLAIN].concat());
        tells(&restore, 1, volume);
        let kept = contents(&world.host(2));
        let cleanup = ours(&world, &["cleanup", HOSTS, "--force"]);
        tells(&cleanup, 0, volume);
        assert!(stdout(&cleanup).contains("nothing is left over"));
        assert!(contents(&world.host(2)) == kept, "cleanup took something");
        let cleanup = ours(&world, &["cleanup", HOSTS, "--lost", "--force"]);
        assert_exit(&cleanup, 0);
        assert!(stdout(&cleanup).contains("left of what may have been lost"));
        assert_exit(&ours(&world, &["status", HOSTS]), 0);

        // Two hosts as they were before the last backup: what the third has of it is told.
        fs::remove_dir_all(world.path("backup_test")).unwrap();
        fs::rename(&snapshot, world.path("backup_test")).unwrap();
        fs::remove_dir_all(world.path("home/.cache")).unwrap();
        copy(&world.path("backup_test"), &snapshot);
        assert_exit(&world.backup(SMALL_VOLUMES), 0);
        for host in 0..2 {
            fs::remove_dir_all(world.host(host)).unwrap();
            let older = snapshot.join(format!("distdup{host}"));
            fs::rename(older, world.host(host)).unwrap();
        }
        tells(&ours(&world, &["status", HOSTS]), 3, "duplicity-inc.");
        fs::remove_file(world.path("test/more")).unwrap();
        tells(&world.restores(3), 3, "duplicity-inc.");
        let hosts = ["--json", "duplicity", "-o", HOSTS];
        let mut restore = world.command(&hosts);
        restore.args(["restore", "restore_test", "--no-encryption"]);
        let restored = restore.output().unwrap();
        tells(&restored, 3, "duplicity-inc.");
        let json: Value = serde_json::from_str(&stdout(&restored)).unwrap();
        assert_eq!(json["status"], "degraded", "{json}");
        let lost = json["lost"].as_array().unwrap();
        assert!(!lost.is_empty(), "{json}");
        world.is_restored(&restored, 3);
    }
}

#[test]
fn a_folder_that_is_no_host_is_told_so_and_not_offered_to_be_made_one() {
    let world = World::each().next().unwrap();
    assert_exit(&world.backup(PLAIN), 0);
    fs::write(world.host(1).join("x\ny.share"), "").unwrap();
    let status = ["--json", "status", "backup_test/distdup{i}"];
    let strange = ours(&world, &status);
    assert_exit(&strange, 0);
    let json: Value = serde_json::from_str(&stdout(&strange)).unwrap();
    assert_eq!(json["strangers"].as_array().unwrap().len(), 1, "{json}");
    assert_eq!(json["strangers"][0]["name"], "x\\ny.share", "{json}");
    let said = stdout(&ours(&world, &status[1..]));
    let line = "distdup1: not of distdup, or renamed: x\\ny.share";
    assert!(said.contains(line), "{said}");
    fs::create_dir(world.path("junk")).unwrap();
    let hosts = ["status", "backup_test/distdup0", "backup_test/distdup1"];
    let of = |more: &[&str]| ours(&world, &[&hosts[..], more].concat());
    let empty = of(&["junk"]);
    assert_exit(&empty, 3);
    let said = stderr(&empty);
    assert!(
        said.contains("bring back junk; what is lost for good"),
        "{said}"
    );
    fs::write(world.path("junk/letter"), "").unwrap();
    let in_use = of(&["junk"]);
    assert_exit(&in_use, 3);
    let said = stderr(&in_use);
    assert!(said.contains("not empty, and no host"), "{said}");
    assert!(!said.contains("--replace-lost"), "{said}");
    let alone = ours(&world, &["status", "junk"]);
    assert_exit(&alone, 1);
    let said = stderr(&alone);
    assert!(said.contains("error: nobody can say"), "{said}");
    assert!(
        said.contains("because: no hosts of distdup: junk"),
        "{said}"
    );
}

#[test]
fn a_host_that_lost_its_stamp_alone_is_offered_to_be_one_again_and_keeps_its_shares() {
    const HOSTS: &str = "backup_test/distdup{i}";
    let world = World::each().next().unwrap();
    assert_exit(&world.backup(PLAIN), 0);
    fs::remove_file(world.host(2).join("distdup-host")).unwrap();
    let before = world.shares(2, "");
    let status = ours(&world, &["status", HOSTS]);
    assert_exit(&status, 3);
    let said = stderr(&status);
    assert!(said.contains("--replace-lost"), "{said}");
    let healed = ours(&world, &["heal", HOSTS, "--replace-lost"]);
    assert_exit(&healed, 0);
    let said = stdout(&healed);
    assert!(!said.contains("written"), "{said}");
    assert_eq!(world.shares(2, ""), before);
    assert_exit(&ours(&world, &["status", HOSTS]), 0);
    world.without(&[0], || {
        world.is_restored(
            &world.run(&[&["restore", "restore_test"], PLAIN].concat()),
            3,
        );
    });
}
