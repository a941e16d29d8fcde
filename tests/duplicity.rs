//! Backup and restore with real Duplicity: the one on PATH, and, where `DISTDUP_DUPLICITY3` names the
//! script of a 3.x, that one too.

#![allow(clippy::unwrap_used, reason = "a test fails by it")]

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::thread;
use std::time::Duration;

use distdup::duplicity::protocol::Hex;
use distdup::store::{FolderHost, Origin};
use rustix::event::{PollFd, PollFlags, poll};
use rustix::fs::{CWD, Mode, OFlags, mkfifoat};
use serde_json::{Value, json};

mod world;

use world::{
    DISTDUP, PLAIN, SMALL_VOLUMES, World, assert_exit, in_memory, is_in_memory, kill, processes,
    random, stderr, stdout, wait_until,
};

#[test]
fn the_walk_through_the_readme_with_gnupg() {
    for world in World::each() {
        let with = |arguments: &[&str], passphrase: &str| {
            world
                .command(arguments)
                .env("PASSPHRASE", passphrase)
                .output()
                .unwrap()
        };
        let restore = || with(&["restore", "restore_test/"], "secret");
        let output = with(&["backup", "-k", "2", "-n", "3", "test/"], "secret");
        assert_exit(&output, 0);
        assert!(
            stdout(&output).contains("any 1 of 3 hosts may be lost"),
            "{}",
            stdout(&output)
        );
        assert!(
            stdout(&output)
                .lines()
                .any(|line| line.starts_with("To restore it: distdup restore ")
                    && line.ends_with(" restore_test")),
            "{}",
            stdout(&output)
        );
        assert_eq!(world.names(), ["backup_test", "home", "test", "tmp"]);
        assert!(world.shares(0, ".difftar.gpg~").len() == 1 && world.shares(0, "gz").is_empty());

        world.is_restored(&restore(), 0);
        for lost in 0..3 {
            world.without(&[lost], || world.is_restored(&restore(), 3));
        }
        for lost in [[0, 1], [0, 2], [1, 2]] {
            world.without(&lost, || {
                let output = restore();
                assert_exit(&output, 1);
                assert!(
                    stderr(&output).contains("2 of 3 hosts are silent"),
                    "{}",
                    stderr(&output)
                );
                assert!(!world.names().iter().any(|name| name.starts_with("restore")));
            });
        }
        let output = with(&["restore", "restore_test/"], "wrong");
        assert_exit(&output, 1);
        assert!(stderr(&output).contains("code: passphrase-wrong"));
        assert!(!world.names().iter().any(|name| name.starts_with("restore")));

        // 0.8 takes no notice, since its archive has the manifest, and the chain is dead.
        fs::write(world.path("test/more"), "more").unwrap();
        let output = with(&["backup", "test/"], "wrong");
        assert_exit(&output, 1);
        let goes_on = world.duplicity.is_none();
        let code = if goes_on {
            "passphrase-other"
        } else {
            "passphrase-wrong"
        };
        let said = stderr(&output);
        assert!(said.contains(&format!("code: {code}")), "{said}");
        assert_eq!(!world.shares(0, "duplicity-inc.").is_empty(), goes_on);
        assert_exit(&with(&["backup", "test/", "--", "full"], "secret"), 0);
        if goes_on {
            let mut remove = vec!["duplicity", "-o", "backup_test/distdup{i}"];
            remove.extend(["remove-all-inc-of-but-n-full", "1", "--force"]);
            assert_exit(&with(&remove, "secret"), 0);
            assert!(world.shares(0, "duplicity-inc.").is_empty());
        }
        world.is_restored(&restore(), 0);
    }
}

#[test]
fn a_second_backup_is_incremental_and_damage_is_named() {
    for world in World::each() {
        assert_exit(&world.backup(SMALL_VOLUMES), 0);
        fs::write(world.path("test/new"), random(1_200_000)).unwrap();
        fs::remove_file(world.path("test/empty")).unwrap();
        let output = world.backup(SMALL_VOLUMES);
        assert_exit(&output, 0);
        assert_eq!(world.shares(0, "duplicity-full.").len(), 4); // 3 volumes, 1 manifest
        assert!(world.shares(2, "duplicity-inc.").len() >= 2);
        world.restores(0);
        for lost in 0..3 {
            world.without(&[lost], || world.restores(3));
        }
        // Without Duplicity's own archive, too.
        fs::remove_dir_all(world.path("home")).unwrap();
        fs::create_dir(world.path("home")).unwrap();
        world.restores(0);

        let share = world.shares(0, "vol1.").remove(0);
        let mut bytes = fs::read(&share).unwrap();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        fs::write(&share, bytes).unwrap();
        let output = world.restores(3);
        assert!(
            stderr(&output).contains(share.to_str().unwrap()),
            "{}",
            stderr(&output)
        );
        // With the damage, one host more is too many.
        let output = world.without(&[1], || {
            world.run(&[&["restore", "restore_test"], PLAIN].concat())
        });
        assert_exit(&output, 1);
        assert!(
            !world.names().iter().any(|name| name.starts_with("restore")),
            "{:?}",
            world.names()
        );
    }
}

/// To start Duplicity for it takes longer than all else that is ours.
#[test]
fn a_backup_that_ended_is_one_whatever_its_names_begin_with() {
    for world in World::each() {
        let options = ["archive", "manifest", "signature"]
            .map(|kind| format!("--file-prefix-{kind}=duplicity-.vol1.{kind}-"));
        let options: Vec<&str> = options.iter().map(String::as_str).collect();
        let options = [PLAIN, &options].concat();
        assert_exit(&world.backup(&options), 0);
        let output = world.run(&[&["restore", "restore_test"], &options[..]].concat());
        world.is_restored(&output, 0);
    }
}

#[test]
fn the_version_is_read_and_not_asked_for() {
    for world in World::each() {
        let real = world
            .duplicity
            .clone()
            .unwrap_or("/usr/bin/duplicity".into());
        let said = Command::new(&real).arg("--version").output().unwrap();
        let said = stdout(&said);
        let version = said.split_whitespace().nth(1).unwrap();
        let text = fs::read_to_string(&real).unwrap();
        let first = text.lines().next().unwrap();
        let script = world.path("duplicity");
        let find = |body: &str| {
            fs::write(&script, format!("{first}\n{body}")).unwrap();
            fs::set_permissions(&script, fs::Permissions::from_mode(0o700)).unwrap();
            // It ends before anything is run: there are no hosts.
            let script = script.to_str().unwrap();
            let words = ["-v", "duplicity", "-o", "none{i}", "--duplicity", script];
            let mut command = Command::new(DISTDUP);
            world.furnish(&mut command);
            command.args(words).arg("collection-status");
            command
        };
        let told = |mut command: Command| stderr(&command.output().unwrap());

        let err = told(find("from duplicity.x import y\nopen('ran', 'w')\n"));
        assert!(err.contains(&format!("Duplicity {version},")), "{err}");
        assert!(!world.path("ran").exists(), "{err}");

        // Whichever module Python takes, and that is none in the working folder.
        fs::create_dir_all(world.path("first/duplicity")).unwrap();
        let module = "__version__ = '9.8.7'\n";
        fs::write(world.path("first/duplicity/__init__.py"), module).unwrap();
        fs::write(world.path("duplicity.py"), "__version__ = '6.5.4'\n").unwrap();
        let mut command = find("from duplicity.x import y\n");
        command.env("PYTHONPATH", world.path("first"));
        let err = told(command);
        assert!(err.contains("Duplicity 9.8.7 is newer"), "{err}");

        // A script that does something else is asked.
        let err = told(find("print('duplicity 5.4.3 of today')\n"));
        assert!(err.contains("Duplicity 5.4.3 is newer"), "{err}");
        let err = told(find("print('hello')\n"));
        assert!(err.contains("--version said \"hello"), "{err}");
    }
}

#[test]
fn the_action_and_one_file_of_the_past_can_be_asked_for() {
    for world in World::each() {
        assert_exit(&world.backup(PLAIN), 0);
        thread::sleep(Duration::from_millis(1100)); // Duplicity counts in seconds
        let full = [&["backup", "test", "--", "full"], &PLAIN[1..]].concat();
        assert_exit(&world.run(&full), 0);
        assert_eq!(world.shares(0, "duplicity-full.").len(), 4);
        // By the name that the other generation has for it.
        let option = if world.duplicity.is_some() {
            "--file-to-restore"
        } else {
            "--path-to-restore"
        };
        let hosts: Vec<_> = (0..3).map(|i| format!("backup_test/distdup{i}")).collect();
        let from = ["--from", &hosts[2], "--from", &hosts[0]];
        let one = [&["restore", "one"], &from[..], PLAIN, &[option, "random"]].concat();
        // One host is not named, and so does not serve.
        assert_exit(&world.run(&one), 0);
        assert_eq!(fs::read(world.path("one")).unwrap(), random(2_500_000));
    }
}

#[test]
fn concurrent_puts_work_where_duplicity_has_them() {
    for world in World::each().filter(|world| world.duplicity.is_some()) {
        fs::write(world.path("test/big"), random(8_000_000)).unwrap();
        let concurrent = [SMALL_VOLUMES, &["--concurrency", "2"]].concat();
        assert_exit(&world.backup(&concurrent), 0);
        assert_eq!(world.shares(1, "vol").len(), 11);
        world.restores(0);
        world.without(&[0], || {
            fs::write(world.path("test/more"), random(3_000_000)).unwrap();
            let output = world.backup(&concurrent);
            assert_exit(&output, 3);
        });
        world.restores(3);
    }
}

#[test]
fn a_lost_host_is_not_made_anew_unless_told() {
    let world = World::new(None);
    assert_exit(&world.backup(PLAIN), 0);
    fs::remove_dir_all(world.host(1)).unwrap();
    fs::write(world.path("test/more"), "more").unwrap();
    let output = world.backup(PLAIN);
    assert_exit(&output, 3);
    assert!(!world.host(1).exists());
    assert!(
        stderr(&output).contains("--replace-lost"),
        "{}",
        stderr(&output)
    );
    assert!(
        stdout(&output).contains("none of the hosts that are left may be lost"),
        "{}",
        stdout(&output)
    );
    world.restores(3);

    // Another file: of one that is changed within a second Duplicity sees nothing, since it compares
    // times in whole seconds, and no sizes.
    fs::write(world.path("test/yet more"), "yet more").unwrap();
    let output = world.run(&[&["backup", "test", "--replace-lost"], PLAIN].concat());
    // The new host has what is new, and nothing of what was before.
    assert_exit(&output, 3);
    assert!(
        stdout(&output).contains("none of the hosts that are left may be lost"),
        "{}",
        stdout(&output)
    );
    assert!(!world.shares(1, "duplicity-inc").is_empty());
    assert!(world.shares(1, "duplicity-full").is_empty());
    world.restores(3);

    // Even with all shares it cannot say what there was before it, so that both others are needed.
    for share in world.shares(0, "duplicity") {
        let other = |i| {
            let name = share.file_name().unwrap().to_str().unwrap();
            world.host(i).join(name.replace("~i0k", &format!("~i{i}k")))
        };
        if !other(1).exists() {
            let (second, lost) = (other(2), other(1));
            let [first, second, lost] = [&share, &second, &lost].map(|path| path.to_str().unwrap());
            assert_exit(&world.run(&["repair", first, second, "-o", lost]), 0);
        }
    }
    let output = world.run(&[&["--json", "backup", "test"], PLAIN].concat());
    let result: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(
        (&result["lacking_shares"], &result["may_be_lost"]),
        (&json!(0), &json!(0))
    );
    assert_exit(&output, 3);
}

#[test]
fn no_more_losses_are_promised_than_leave_a_list() {
    let world = World::new(None);
    let copies = [
        "--json", "backup", "-k", "1", "-n", "3", "--codec", "copy", "test",
    ];
    let output = world.run(&[&copies[..], PLAIN].concat());
    let result: Value = serde_json::from_slice(&output.stdout).unwrap();
    let losses = result["may_be_lost"].as_u64().unwrap();
    let lost: Vec<usize> = (0..usize::try_from(losses).unwrap()).collect();
    world.without(&lost, || world.restores(3));
}

#[test]
fn the_kind_of_a_backup_stays() {
    let world = World::new(None);
    let wide = [
        &["backup", "-k", "4", "-n", "6", "--codec", "rs", "test"],
        PLAIN,
    ]
    .concat();
    let output = world.run(&[&["--json"], &wide[..]].concat());
    assert_exit(&output, 0);
    let result: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(
        (&result["status"], &result["may_be_lost"]),
        (&json!("done"), &json!(2))
    );
    assert_exit(&world.backup(PLAIN), 0);
    let output = world.run(&[&["backup", "-k", "2", "test"], PLAIN].concat());
    assert_exit(&output, 2);
    assert!(
        stderr(&output).contains("k = 4, and 2 is asked for"),
        "{}",
        stderr(&output)
    );
    world.without(&[0, 5], || world.restores(3));
    assert_exit(
        &world.without(&[0, 3, 5], || {
            world.run(&[&["restore", "restore_test"], PLAIN].concat())
        }),
        1,
    );
}

#[test]
fn what_cannot_begin_leaves_nothing() {
    let world = World::new(None);
    // No passphrase, and no terminal.
    let mut command = Command::new("setsid");
    command.args(["-w", DISTDUP, "backup", "test"]);
    world.furnish(&mut command);
    let output = command.output().unwrap();
    assert_exit(&output, 2);
    assert!(
        stderr(&output).contains("set PASSPHRASE"),
        "{}",
        stderr(&output)
    );

    for (arguments, exit, says) in [
        (&["backup", "missing"][..], 2, "cannot back up missing"),
        (&["backup", "test", "-o", "test/h{i}"], 2, "is inside of"),
        (
            &[
                "backup", "test", "-o", "a", "-o", "b", "-o", "test/d", "-o", "e",
            ],
            2,
            "is inside of",
        ),
        (
            &["backup", "test", "-o", "sftp://host/x{i}"],
            2,
            "is no folder",
        ),
        (&["backup", "test", "-k", "3", "-n", "3"], 2, "no parity"),
        (&["backup", "test", "-n", "5"], 2, "(-k)"),
        (&["backup", "test", "-c", "rot13"], 2, "rot13"),
        (
            &["backup", "test", "--min-shares", "4"],
            2,
            "min_shares is 4",
        ),
        (&["backup", "test", "-o", "one"], 2, "error"),
        (&["restore", "somewhere"], 2, "--from"),
        (
            &["restore", "restore_test"],
            1,
            "there is no host backup_test/distdup{i}",
        ),
        (&["restore", "test", "--from", "h{i}"], 2, "not empty"),
    ] {
        let output = world.run(&[arguments, PLAIN].concat());
        assert_exit(&output, exit);
        assert!(
            stderr(&output).contains(says),
            "{arguments:?}: {}",
            stderr(&output)
        );
    }
    let mut command = world.command(&[&["backup", "test"], PLAIN].concat());
    let output = command.env("PATH", "/nonexistent").output().unwrap();
    if world.duplicity.is_none() {
        assert_exit(&output, 2);
        assert!(
            stderr(&output).contains("apt-get install duplicity"),
            "{}",
            stderr(&output)
        );
    }
    assert_eq!(world.names(), ["home", "test", "tmp"]);
}

#[test]
fn no_host_may_be_inside_of_the_source() {
    let world = World::new(None);
    fs::rename(world.path("test"), world.path("disk1")).unwrap();
    let output = world.run(&[&["backup", "disk1", "-o", "disk{i}/b"], PLAIN].concat());
    assert_exit(&output, 2);
    assert!(stderr(&output).contains("is inside of"));
    assert_eq!(world.names(), ["disk1", "home", "tmp"]);
    assert!(!world.path("disk1/b").exists());
}

#[test]
fn a_dry_run_does_nothing_and_says_so() {
    for world in World::each() {
        let dry = ["--", "--no-encryption", "--dry-run"];
        let output = world.backup(&dry);
        assert_exit(&output, 0);
        let said = stdout(&output);
        assert!(
            said.contains(
                "nothing was stored; hosts that are not there would be made: backup_test/"
            ),
            "{said}"
        );
        assert!(said.contains("NewFiles"), "{said}"); // what would be done is Duplicity's to say
        assert_eq!(world.names(), ["home", "test", "tmp"]);
        let mut full = world.command(&["duplicity", "-o", "backup_test/distdup{i}"]);
        full.args(["full", "test", "--dry-run", "--no-encryption"]);
        let output = full.output().unwrap();
        assert_exit(&output, 0);
        assert!(stdout(&output).contains("NewFiles"), "{output:?}");
        assert_eq!(world.names(), ["home", "test", "tmp"]);
        // Where a backup could not be made, nor can it be tried.
        fs::create_dir_all(world.host(1)).unwrap();
        fs::write(world.host(1).join("letter"), "").unwrap();
        for output in [world.backup(&dry), full.output().unwrap()] {
            assert_exit(&output, 1);
            assert!(stderr(&output).contains("is no host"), "{output:?}");
        }
        fs::remove_file(world.host(1).join("letter")).unwrap();
        FolderHost::create(world.host(1), Origin::NewStore).unwrap();
        for output in [world.backup(&dry), full.output().unwrap()] {
            assert_exit(&output, 1);
            let said = stderr(&output);
            assert!(
                said.contains("distdup0") && said.contains("are missing"),
                "{said}"
            );
        }
        fs::remove_dir_all(world.path("backup_test")).unwrap();
        // Nor is it settled how many they are to be.
        assert_exit(&world.backup(&[&["-k", "2", "-n", "4"], PLAIN].concat()), 0);
        let before = world.shares(0, "");
        fs::write(world.path("test/new"), "new").unwrap();
        let output = world.backup(&dry);
        assert_exit(&output, 0);
        assert!(!stdout(&output).contains("is backed up"), "{output:?}");
        assert!(!stdout(&output).contains("would be made"), "{output:?}");
        assert_eq!(world.shares(0, ""), before);

        let restore = |options: &[&str]| {
            let output = world.run(&[&["restore", "restore_test"][..], &dry[..], options].concat());
            assert_exit(&output, 0);
            let said = stdout(&output);
            assert!(
                said.contains("nothing was restored") && !said.contains("is restored"),
                "{said}"
            );
        };
        restore(&[]);
        assert_eq!(world.names(), ["backup_test", "home", "test", "tmp"]);
        fs::create_dir(world.path("restore_test")).unwrap();
        restore(&[]);
        assert_eq!(fs::read_dir(world.path("restore_test")).unwrap().count(), 0);
        if world.duplicity.is_none() {
            // 3.x restores over nothing.
            fs::write(world.path("restore_test/mine"), "mine").unwrap();
            restore(&["--force"]);
            assert_eq!(fs::read(world.path("restore_test/mine")).unwrap(), b"mine");
        }
    }
}

#[test]
fn results_are_told_in_our_terms() {
    for world in World::each() {
        let output = world.run(&[&["--json", "backup", "test"], SMALL_VOLUMES].concat());
        assert_exit(&output, 0);
        let result: Value = serde_json::from_slice(&output.stdout).unwrap();
        // As it is told, it is restored.
        let told = result["restore"]
            .as_str()
            .unwrap()
            .replacen("distdup", DISTDUP, 1);
        let mut shell = Command::new("sh");
        world.furnish(shell.args(["-c", &told]));
        world.is_restored(&shell.output().unwrap(), 0);
        assert_eq!(
            (&result["volumes"], &result["objects"]),
            (&json!(3), &json!(5))
        );
        assert!(result["seconds"].as_f64().unwrap() > 0.0);
        // 2 of 3 shares hold the bytes; headers come on top.
        let bytes = result["bytes"].as_u64().unwrap();
        for (i, host) in result["hosts"].as_array().unwrap().iter().enumerate() {
            let files = world.shares(i, "").into_iter();
            let on_host: u64 = files.map(|file| fs::metadata(file).unwrap().len()).sum();
            assert_eq!(
                (&host["bytes"], &host["shares"]),
                (&json!(on_host), &json!(5))
            );
            assert!(
                on_host > bytes / 2 && on_host < bytes * 55 / 100,
                "{result}"
            );
        }

        // However little Duplicity is to say.
        let restore = [&["--json", "restore", "restore_test"], PLAIN, &["-v4"]].concat();
        let output = world.run(&restore);
        world.is_restored(&output, 0);
        let restored: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(restored["volumes"], 3);
        assert!(restored["bytes"].as_u64().unwrap() > 2_500_000);

        fs::write(world.path("test/new"), random(100_000)).unwrap();
        let output = world.without(&[1], || {
            world.run(&[&["--json", "backup", "test"], SMALL_VOLUMES, &["-v0"]].concat())
        });
        assert_exit(&output, 3);
        let result: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(result["volumes"], 1);
        let (there, lost) = (&result["hosts"][0], &result["hosts"][1]);
        assert_eq!((&there["shares"], &there["failed"]), (&json!(3), &json!(0)));
        assert_eq!(
            (&lost["shares"], &lost["bytes"], &lost["failed"]),
            (&json!(0), &json!(0), &json!(3))
        );
        assert!(
            lost["error"].as_str().unwrap().contains("is down"),
            "{result}"
        );
        assert_eq!(result["may_be_lost"], 0);

        let output = world.restores(3);
        let says = "backup_test/distdup1: it has no share of it";
        assert!(stderr(&output).contains(says), "{}", stderr(&output));
    }
}

/// A Duplicity that does nothing but warn that it left a file out, if it is to warn at all, and is content
/// with that.
const CARELESS: &str = r#"
import os, sys
def dup_run():
    log = next(word for word in sys.argv if word.startswith("--log-fd="))
    said = [word for word in sys.argv if word.startswith(("-v", "--verbosity="))][-1]
    with os.fdopen(int(log.partition("=")[2]), "w") as log:
        if said not in ("-v0", "-v1"): log.write("WARNING 12\n. Error 'no space' patching letters/first\n\n")
    for word in sys.argv:
        if word.endswith(".partial"):
            os.mkdir(word)
"#;

#[test]
fn what_duplicity_leaves_out_is_no_success() {
    let world = World::new(None);
    assert_exit(&world.backup(PLAIN), 0);
    let write = |name: &str, text: &str| {
        let path = world.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    };
    write("site/duplicity/__init__.py", "");
    write("site/duplicity/__main__.py", CARELESS);
    for module in ["config", "log", "progress"] {
        write(&format!("site/duplicity/{module}.py"), "");
    }
    let errors =
        "class BackendException(Exception): pass\nclass FatalBackendException(Exception): pass\n";
    write("site/duplicity/errors.py", errors);
    let backend = "class Backend: pass\ndef register_backend(scheme, factory): pass\n";
    write("site/duplicity/backend.py", backend);
    let script = world.path("careless");
    fs::write(&script, "#!/usr/bin/python3\nprint('duplicity 3.2.1')\n").unwrap();
    fs::set_permissions(&script, fs::Permissions::from_mode(0o700)).unwrap();

    let run = |words: &[&str], more: &[&str]| {
        let mut command = Command::new(DISTDUP);
        world.furnish(&mut command);
        command.env("PYTHONPATH", world.path("site"));
        command.args(words).arg("--duplicity").arg(&script);
        command.args(PLAIN).args(more).output().unwrap()
    };
    let output = run(&["restore", "restore_test"], &[]);
    assert_exit(&output, 1);
    let said = stderr(&output);
    assert!(
        said.contains("letters/first") && said.contains("left 1 file out"),
        "{said}"
    );
    assert!(world.path("restore_test.partial").is_dir() && !world.path("restore_test").exists());
    for verbosity in [&[][..], &["-v2"], &["-v0"]] {
        let output = run(&["--json", "backup", "test"], verbosity);
        assert_exit(&output, 3);
        let result: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(result["left_out"], 1, "{verbosity:?}");
    }
}

#[test]
fn duplicity_talks_only_when_asked() {
    for world in World::each() {
        let output = world.run(&[&["-q", "backup", "test"], PLAIN].concat());
        assert_exit(&output, 0);
        assert_eq!(
            (stdout(&output), stderr(&output)),
            (String::new(), String::new())
        );
        let output = world.backup(PLAIN);
        assert_eq!(stderr(&output), "");
        assert!(
            !stdout(&output).contains("Statistics"),
            "{}",
            stdout(&output)
        );
        let output = world.run(&[&["-v", "backup", "test"], PLAIN].concat());
        assert!(
            stderr(&output).contains("Backup Statistics"),
            "{}",
            stderr(&output)
        );
        assert!(
            !stdout(&output).contains("Backup Statistics"),
            "{}",
            stdout(&output)
        );
        let output = world.backup(&[PLAIN, &["-v8"]].concat());
        assert!(
            stdout(&output).contains("Backup Statistics"),
            "{}",
            stdout(&output)
        );

        // Of warnings and errors always.
        fs::create_dir(world.path("test/closed")).unwrap();
        let output = world.run(&[&["-q", "backup", "test"], PLAIN, &["--frob"]].concat());
        assert_exit(&output, 1);
        assert!(stderr(&output).contains("--frob"), "{}", stderr(&output));
    }
}

#[test]
fn a_backup_whose_folder_in_memory_is_removed_ends() {
    for world in World::each() {
        fs::write(world.path("test/big"), random(20_000_000)).unwrap();
        let options = [SMALL_VOLUMES, &["--num-retries", "1"]].concat();
        let mut backup = world.command(&[&["backup", "test"], &options[..]].concat());
        let child = backup
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let ours = format!("distdup-{}-", child.id());
        wait_until("volumes are stored", || world.shares(2, "vol").len() >= 2);
        for parent in in_memory() {
            for entry in fs::read_dir(parent).into_iter().flatten().flatten() {
                if entry.file_name().to_string_lossy().starts_with(&ours) {
                    fs::remove_dir_all(entry.path()).unwrap();
                }
            }
        }
        assert_exit(&child.wait_with_output().unwrap(), 1);
    }
}

#[test]
fn a_resident_killed_while_it_stores_is_started_again() {
    for world in World::each() {
        fs::write(world.path("test/big"), random(20_000_000)).unwrap();
        let mut backup = world.command(&[&["backup", "test"], SMALL_VOLUMES].concat());
        let child = backup
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let ours = format!("/distdup-{}-", child.id());
        for volume in [2, 6] {
            wait_until("volumes are stored", || {
                world.shares(2, "vol").len() >= volume
            });
            for id in processes(&["resident", &ours]) {
                kill(id, "-KILL");
            }
        }
        let output = child.wait_with_output().unwrap();
        assert_exit(&output, 0);
        world.restores(0);
        assert!(!is_in_memory(&ours), "the runtime folder is left");
    }
}

#[test]
fn duplicity_killed_goes_on_or_starts_again_the_next_time() {
    for world in World::each() {
        fs::write(world.path("test/big"), random(20_000_000)).unwrap();
        for erase in [false, true] {
            let mut backup = world.command(&[&["backup", "test"], SMALL_VOLUMES].concat());
            let child = backup
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .spawn()
                .unwrap();
            let before = world.shares(2, "vol").len();
            let launcher = format!("/distdup-{}-", child.id());
            wait_until("volumes are stored", || {
                world.shares(2, "vol").len() >= before + 3
            });
            for id in processes(&["launcher.py", &launcher]) {
                kill(id, "-KILL");
            }
            let output = child.wait_with_output().unwrap();
            assert_exit(&output, 1);
            if erase {
                // Duplicity then restarts itself, and must come back with our backend.
                for share in (0..3).flat_map(|host| world.shares(host, "vol")) {
                    fs::remove_file(share).unwrap();
                }
            }
            let output = world.backup(SMALL_VOLUMES);
            assert_exit(&output, 0);
            world.restores(0);
            fs::remove_dir_all(world.path("backup_test")).unwrap();
            fs::remove_dir_all(world.path("home")).unwrap();
            fs::create_dir(world.path("home")).unwrap();
        }
    }
}

#[test]
fn a_backup_that_is_told_to_stop_stops() {
    for (world, signal) in World::each().flat_map(|world| {
        let other = World::new(world.duplicity.clone());
        [(world, "-TERM"), (other, "-INT")]
    }) {
        fs::write(world.path("test/big"), random(20_000_000)).unwrap();
        let mut backup = world.command(&[&["backup", "test"], SMALL_VOLUMES].concat());
        let child = backup
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let (id, ours) = (child.id(), format!("/distdup-{}-", child.id()));
        wait_until("volumes are stored", || world.shares(2, "vol").len() >= 2);
        kill(id, "-USR1"); // how far is it?
        kill(id, signal);
        let output = child.wait_with_output().unwrap();
        assert_exit(&output, 1);
        let said = stderr(&output);
        assert!(said.contains("the backup is not complete"), "{said}");
        assert!(said.contains("Duplicity was stopped"), "{said}");
        assert!(said.contains("B/s") && said.contains("volume"), "{said}");
        assert!(!is_in_memory(&ours), "the runtime folder is left");
        wait_until("the resident ends", || {
            processes(&["resident", &ours]).is_empty()
        });
        assert_exit(&world.backup(SMALL_VOLUMES), 0);
        world.restores(0);
    }
}

#[test]
fn duplicity_keeps_its_archive_when_hosts_are_silent() {
    for world in World::each() {
        assert_exit(&world.backup(PLAIN), 0);
        let archive = || {
            let list = Command::new("find")
                .arg(world.path("home/.cache"))
                .args(["-type", "f"])
                .output();
            let mut files: Vec<_> = stdout(&list.unwrap()).lines().map(str::to_owned).collect();
            files.retain(|file| file.contains("duplicity-full"));
            files.sort();
            files
        };
        let before = archive();
        assert_eq!(before.len(), 2);
        assert_exit(&world.without(&[0, 2], || world.backup(PLAIN)), 1);
        assert_eq!(archive(), before);
        // All hosts empty, as when none is mounted: not the first backup, though it looks like it.
        let empty = world.without(&[0, 1, 2], || {
            let output = world.backup(PLAIN);
            for host in 0..3 {
                fs::remove_dir_all(world.host(host)).unwrap();
            }
            output
        });
        assert_exit(&empty, 1);
        assert!(
            stderr(&empty).contains("Are they mounted"),
            "{}",
            stderr(&empty)
        );
        assert_eq!(archive(), before);
        assert_exit(&world.backup(PLAIN), 0);
        assert!(!world.shares(0, "duplicity-inc.").is_empty());
    }
}

#[test]
fn the_python_side_passes_its_own_tests() {
    let run = |python: &str| {
        let tests = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/python");
        let output = Command::new(python)
            .args(["-B", "-m", "unittest", "discover"])
            .arg(tests)
            .output()
            .unwrap();
        assert_exit(&output, 0);
    };
    for world in World::each() {
        let script = world
            .duplicity
            .unwrap_or_else(|| "/usr/bin/duplicity".into());
        let text = fs::read_to_string(script).unwrap();
        run(text.lines().next().unwrap().strip_prefix("#!").unwrap());
    }
}

/// A resident, spoken to directly.
struct Resident {
    child: Child,
    requests: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
}

impl Resident {
    /// On hosts that are made first, in `folder`.
    fn start(folder: &Path) -> Self {
        let world = folder.join("backup_x");
        let hosts: Vec<_> = (0..3).map(|i| world.join(format!("distdup{i}"))).collect();
        let new = !world.exists();
        for host in hosts.iter().filter(|_| new) {
            distdup::store::FolderHost::create(host, distdup::store::Origin::NewStore).unwrap();
        }
        let hosts: Vec<_> = hosts
            .iter()
            .map(|host| json!({ "name": null, "folder": hex(host.as_os_str().as_bytes()) }))
            .collect();
        let spec = json!({ "hosts": hosts, "codec": "rs16", "params": "", "k": 2, "n": 3, "min_shares": 2, "session": 1 });
        let code =
            distdup_codecs::resolve("rs16", distdup_codecs::Geometry::new(2, 3).unwrap(), None);
        let mut spec = spec;
        spec["params"] = json!(code.unwrap().params());
        let file = folder.join("store.json");
        fs::write(&file, spec.to_string()).unwrap();
        let mut child = Command::new(DISTDUP)
            .arg("resident")
            .arg(file)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let requests = child.stdin.take();
        let answers = BufReader::new(child.stdout.take().unwrap());
        let mut resident = Self {
            child,
            requests,
            answers,
        };
        assert_eq!(
            resident.answer(),
            json!({ "id": 0, "ok": true, "protocol": 1 })
        );
        resident
    }

    fn say(&mut self, request: &Value) {
        writeln!(self.requests.as_mut().unwrap(), "{request}").unwrap();
    }

    fn answer(&mut self) -> Value {
        let mut line = String::new();
        self.answers.read_line(&mut line).unwrap();
        serde_json::from_str(&line).unwrap()
    }

    fn ask(&mut self, request: &Value) -> Value {
        self.say(request);
        self.answer()
    }

    fn end(mut self) {
        self.requests = None;
        assert!(self.child.wait().unwrap().success());
        let mut rest = String::new();
        self.answers.read_to_string(&mut rest).unwrap();
        assert_eq!(rest, "");
    }
}

fn hex(bytes: &[u8]) -> String {
    Hex(bytes.to_vec()).into()
}

/// A new one, as the backend makes for each object: whoever read or wrote the last may still hold it.
fn pipe(folder: &Path) -> (PathBuf, String) {
    let path = folder.join("pipe");
    let _ = fs::remove_file(&path);
    mkfifoat(CWD, &path, Mode::RUSR | Mode::WUSR).unwrap();
    let name = hex(path.as_os_str().as_bytes());
    (path, name)
}

/// Opens `path` at once, as who asks for an object must have it open, and reads it meanwhile.
fn read_on(path: &Path) -> thread::JoinHandle<Vec<u8>> {
    let how = OFlags::RDONLY | OFlags::NONBLOCK;
    let mut pipe = fs::File::from(rustix::fs::open(path, how, Mode::empty()).unwrap());
    thread::spawn(move || {
        // Before it is written to, it would read as ended.
        rustix::fs::fcntl_setfl(&pipe, OFlags::empty()).unwrap();
        poll(&mut [PollFd::new(&pipe, PollFlags::IN)], None).unwrap();
        let mut data = Vec::new();
        pipe.read_to_end(&mut data).unwrap();
        data
    })
}

#[test]
fn a_put_counts_only_when_its_commit_has_the_right_size() {
    let folder = tempfile::tempdir().unwrap();
    let mut resident = Resident::start(folder.path());
    let name = hex(b"caf\xe9");
    let data = random(3_000_000);
    let query = json!({ "id": 9, "op": "query", "name": name });

    for (id, last) in [
        (
            1,
            json!({ "id": 1, "op": "commit", "size": data.len() - 1 }),
        ),
        (
            2,
            json!({ "id": 2, "op": "commit", "size": data.len() + 1 }),
        ),
        (3, json!({ "id": 3, "op": "abort" })),
    ] {
        let (path, fifo) = pipe(folder.path());
        resident
            .say(&json!({ "id": id, "op": "put", "name": name, "size": data.len(), "fifo": fifo }));
        fs::write(&path, &data).unwrap();
        let answer = resident.ask(&last);
        assert_eq!(
            (&answer["id"], &answer["ok"]),
            (&json!(id), &json!(false)),
            "{answer}"
        );
        assert_eq!(resident.ask(&query)["size"], -1);
    }
    // The pipe is never opened, and Duplicity gives up.
    let (_, fifo) = pipe(folder.path());
    resident.say(&json!({ "id": 4, "op": "put", "name": name, "size": 1, "fifo": fifo }));
    assert_eq!(
        resident.ask(&json!({ "id": 4, "op": "abort" }))["ok"],
        false
    );

    // By another name: the thread that opens the last one may only now get as far.
    let second = tempfile::tempdir().unwrap();
    let (path, fifo) = pipe(second.path());
    resident.say(&json!({ "id": 5, "op": "put", "name": name, "size": 0, "fifo": fifo }));
    fs::write(&path, &data).unwrap();
    let answer = resident.ask(&json!({ "id": 5, "op": "commit", "size": data.len() }));
    assert_eq!(
        answer,
        json!({ "id": 5, "ok": true, "size": data.len(), "degraded": [] })
    );
    assert_eq!(resident.ask(&query)["size"], data.len());
    let list = resident.ask(&json!({ "id": 6, "op": "list" }));
    assert_eq!(
        list,
        json!({ "id": 6, "ok": true, "objects": [{ "name": name }] })
    );

    let (path, fifo) = pipe(folder.path());
    let reading = read_on(&path);
    let answer = resident.ask(&json!({ "id": 7, "op": "get", "name": name, "fifo": fifo }));
    assert_eq!(answer, json!({ "id": 7, "ok": true, "size": data.len() }));
    assert_eq!(reading.join().unwrap(), data);

    let delete = json!({ "id": 8, "op": "delete", "name": name });
    assert_eq!(resident.ask(&delete), json!({ "id": 8, "ok": true }));
    assert_eq!(resident.ask(&delete), json!({ "id": 8, "ok": true }));
    assert_eq!(resident.ask(&query)["size"], -1);
    let answer = resident.ask(&json!({ "id": 10, "op": "get", "name": name, "fifo": fifo }));
    assert_eq!(
        (&answer["ok"], &answer["kind"]),
        (&json!(false), &json!("not_found"))
    );
    resident.end();
}

#[test]
fn a_put_ends_with_the_control_channel() {
    for committed in [false, true] {
        let folder = tempfile::tempdir().unwrap();
        let (path, fifo) = pipe(folder.path());
        let mut resident = Resident::start(folder.path());
        resident.say(&json!({ "id": 1, "op": "put", "name": "61", "size": 4, "fifo": fifo }));
        fs::write(&path, "data").unwrap();
        if committed {
            resident.say(&json!({ "id": 1, "op": "commit", "size": 4 }));
        }
        resident.requests = None;
        resident.child.wait().unwrap();
        let mut again = Resident::start(folder.path());
        let size = again.ask(&json!({ "id": 1, "op": "query", "name": "61" }))["size"].clone();
        assert_eq!(size, if committed { json!(4) } else { json!(-1) });
        again.end();
    }
}

#[test]
fn a_get_whose_reader_is_gone_ends_with_the_control_channel() {
    let folder = tempfile::tempdir().unwrap();
    let (path, fifo) = pipe(folder.path());
    let mut resident = Resident::start(folder.path());
    resident.say(&json!({ "id": 1, "op": "put", "name": "61", "size": 4, "fifo": fifo }));
    fs::write(&path, "data").unwrap();
    let stored = resident.ask(&json!({ "id": 1, "op": "commit", "size": 4 }));
    assert_eq!(stored["ok"], true, "{stored}");

    let refused = resident.ask(&json!({ "id": 2, "op": "get", "name": "61", "fifo": fifo }));
    assert_eq!(refused["ok"], false, "{refused}");
    resident.end();
}

#[test]
fn a_list_is_whole_or_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let (path, fifo) = pipe(folder.path());
    let mut resident = Resident::start(folder.path());
    resident.say(&json!({ "id": 1, "op": "put", "name": "61", "size": 4, "fifo": fifo }));
    fs::write(&path, "data").unwrap();
    assert_eq!(
        resident.ask(&json!({ "id": 1, "op": "commit", "size": 4 }))["ok"],
        true
    );

    let host = |i: usize| folder.path().join(format!("backup_x/distdup{i}"));
    fs::rename(host(0), folder.path().join("away0")).unwrap();
    assert_eq!(
        resident.ask(&json!({ "id": 2, "op": "list" }))["objects"],
        json!([{ "name": "61" }])
    );
    let (path, fifo) = pipe(folder.path());
    let put = json!({ "id": 3, "op": "put", "name": "62", "size": 4, "fifo": fifo });
    resident.say(&put);
    fs::write(&path, "data").unwrap();
    let answer = resident.ask(&json!({ "id": 3, "op": "commit", "size": 4 }));
    assert_eq!(answer["degraded"].as_array().unwrap().len(), 1, "{answer}");

    fs::rename(host(1), folder.path().join("away1")).unwrap();
    for request in [
        json!({ "id": 4, "op": "list" }),
        json!({ "id": 5, "op": "query", "name": "61" }),
        json!({ "id": 6, "op": "delete", "name": "61" }),
        // Answered before the pipe is opened.
        json!({ "id": 7, "op": "put", "name": "61", "size": 4, "fifo": fifo }),
        json!({ "id": 8, "op": "get", "name": "61", "fifo": fifo }),
    ] {
        let answer = resident.ask(&request);
        assert_eq!(
            (&answer["id"], &answer["ok"]),
            (&request["id"], &json!(false)),
            "{answer}"
        );
    }
    resident.end();
}
