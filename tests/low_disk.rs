//! `--low-disk`: backups and restores with almost no disk, and how it is told what does not fit.

#![allow(clippy::unwrap_used, reason = "a test fails by it")]

mod world;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

use distdup::duplicity::memory::Tmpfs;
use world::{
    DISTDUP, PLAIN, World, assert_exit, kill, processes, random, stderr, stdout, wait_until,
};

/// Runs where mounts may be made; says so where not.
fn small_tmpfs(size: u64) -> Option<(Tmpfs, String)> {
    let made = Tmpfs::create(size).ok().map(|tmpfs| {
        let option = format!("--low-disk={}", tmpfs.path().display());
        (tmpfs, option)
    });
    if made.is_none() {
        println!("skipped: only root can make a tmpfs");
    }
    made
}

fn entries(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap();
    entries.map(|entry| entry.unwrap().path()).collect()
}

#[test]
fn a_machine_with_almost_no_disk_backs_up_and_restores() {
    let can = Command::new("unshare").args(["--mount", "true"]).status();
    if !can.is_ok_and(|status| status.success()) {
        println!("skipped: no mount namespace can be made here");
        return;
    }
    let full = std::env::var_os("DISTDUP_TEST_FULL").is_some();
    // Of 4 MB of disk, and of memory what the volumes and signatures need.
    let (size, memory) = if full {
        ("2GiB", "64MB")
    } else {
        ("60MB", "6MB")
    };
    println!("a tree of {size}; DISTDUP_TEST_FULL=1 takes one of 2 GiB");
    for world in World::each() {
        let mut command = Command::new("python3");
        command
            .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/low-disk.py"))
            .args(["--size", size, "--memory", memory, "--disk", "4MB"])
            .env("DISTDUP", DISTDUP);
        match &world.duplicity {
            Some(duplicity) => command.arg("--plain").arg("--duplicity").arg(duplicity),
            None => &mut command, // with GnuPG
        };
        let output = command.output().unwrap();
        assert_exit(&output, 0);
        let said = stdout(&output);
        assert!(said.contains("the restored tree is the same"), "{said}");
        println!("{said}");
    }
}

#[test]
fn volumes_are_as_large_as_fit_and_nothing_is_left() {
    let Some((tmpfs, low_disk)) = small_tmpfs(5 << 20) else {
        return;
    };
    for world in World::each() {
        let output = world.run(&[&["backup", "test", &low_disk], PLAIN].concat());
        assert_exit(&output, 0);
        assert!(
            stderr(&output).contains("volumes of 2 MiB"),
            "{}",
            stderr(&output)
        );
        assert_eq!(world.shares(0, ".vol").len(), 2);
        let restore = || world.run(&[&["restore", "restore_test", &low_disk], PLAIN].concat());
        world.is_restored(&restore(), 0);

        // Of a chain each backup has a volume there.
        for round in 0..2_u64 {
            thread::sleep(Duration::from_millis(1100)); // Duplicity counts in seconds
            let new = world.path(&format!("test/new{round}"));
            fs::write(new, &random(3_000_000)[..2_500_000]).unwrap();
            assert_exit(
                &world.run(&[&["backup", "test", &low_disk], PLAIN].concat()),
                0,
            );
        }
        let output = restore();
        assert_exit(&output, 2);
        assert!(
            stderr(&output).contains("volumes of 2 MiB need")
                && stderr(&output).contains("--low-disk=DIR"),
            "{}",
            stderr(&output)
        );
        assert!(!world.path("restore_test.partial").exists());
        let (_larger, low_disk) = small_tmpfs(9 << 20).unwrap();
        let output = world.run(&[&["restore", "restore_test", &low_disk], PLAIN].concat());
        world.is_restored(&output, 0);
        assert_eq!(entries(&tmpfs.path()), <[PathBuf; 0]>::default());
        assert_eq!(entries(&world.path("tmp")), <[PathBuf; 0]>::default());
    }
}

#[test]
fn the_archive_goes_to_memory_where_the_disk_is_too_small_for_it() {
    let (Some((disk, _)), Some((_tmpfs, low_disk))) = (small_tmpfs(40_000), small_tmpfs(8 << 20))
    else {
        return;
    };
    for world in World::each() {
        let run = |arguments: &[&str]| {
            let mut command = world.command(arguments);
            command.env("XDG_CACHE_HOME", disk.path()).output().unwrap()
        };
        let backup = || run(&[&["backup", "test", &low_disk], PLAIN].concat());
        let output = backup();
        assert_exit(&output, 0);
        assert!(stderr(&output).contains("not kept"), "{}", stderr(&output));
        // Incremental for all that: the archive comes back from the hosts.
        fs::write(world.path("test/new"), "new").unwrap();
        assert_exit(&backup(), 0);
        assert!(!world.shares(0, "duplicity-inc.").is_empty());
        let output = run(&[&["restore", "restore_test", &low_disk], PLAIN].concat());
        world.is_restored(&output, 0);
        assert_eq!(entries(&disk.path()), <[PathBuf; 0]>::default());

        // Where the user wants it, it stays, and that is said to be too little.
        let cache = disk.path().join("archive");
        let given = [PLAIN, &["--archive-dir", cache.to_str().unwrap()]].concat();
        let output = run(&[&["backup", "test", &low_disk], &given[..]].concat());
        assert!(
            stderr(&output).contains("archive may come to"),
            "{}",
            stderr(&output)
        );
        let _ = fs::remove_dir_all(&cache);
    }
}

#[test]
fn what_may_be_stale_is_restored_without_a_disk() {
    let Some((_tmpfs, low_disk)) = small_tmpfs(8 << 20) else {
        return;
    };
    for world in World::each() {
        assert_exit(&world.run(&[&["backup", "test"], PLAIN].concat()), 0);
        let cache = world.path("home/.cache");
        fs::remove_dir_all(&cache).unwrap();
        let restore = ["restore", "restore_test", &low_disk, "--allow-stale"];
        let mut command = world.command(&[&restore, PLAIN].concat());
        let output = command.env("TMPDIR", "/nonexistent").output().unwrap();
        world.is_restored(&output, 3);
        assert!(stderr(&output).contains("not kept"), "{}", stderr(&output));
        assert!(!cache.exists());
    }
}

#[test]
fn what_does_not_fit_is_said_before_anything_is_stored() {
    let Some((_tmpfs, low_disk)) = small_tmpfs(5 << 20) else {
        return;
    };
    let world = World::new(None);
    let file = format!("--low-disk={}", world.path("test/empty").display());
    for (low_disk, options, says) in [
        (
            &*low_disk,
            &["--volsize", "25"][..],
            "volumes of 2 MiB fit: --volsize 2",
        ),
        (
            &low_disk,
            &["--volsize=2", "--asynchronous-upload"],
            "volumes of 1 MiB fit",
        ),
        (&low_disk, &["--tempdir", "tmp"], "named twice"),
        ("--low-disk=nowhere", &[], "cannot be put into nowhere"),
        (&file, &[], "not a directory"),
    ] {
        let output = world.run(&[&["backup", "test", low_disk], PLAIN, options].concat());
        assert_exit(&output, 2);
        assert!(
            stderr(&output).contains(says),
            "{options:?}: {}",
            stderr(&output)
        );
        assert!(world.shares(0, "").is_empty());
    }
    // A temporary folder that is named as Duplicity has it is as good.
    let output = world.run(
        &[
            &["backup", "test", "--low-disk"],
            PLAIN,
            &["--tempdir", "tmp"],
        ]
        .concat(),
    );
    assert_exit(&output, 0);
    assert!(
        stderr(&output).contains("not in memory"),
        "{}",
        stderr(&output)
    );
}

#[test]
fn what_a_killed_backup_left_in_memory_goes_with_the_next() {
    for world in World::each() {
        fs::write(world.path("test/big"), random(20_000_000)).unwrap();
        let memory = world.path("memory");
        fs::create_dir(&memory).unwrap();
        let low_disk = format!("--low-disk={}", memory.display());
        let options = [&["backup", "test", &low_disk], PLAIN, &["--volsize", "1"]].concat();
        let mut child = world
            .command(&options)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        wait_until("volumes are stored", || world.shares(2, "vol").len() >= 2);
        let launcher = format!("/distdup-{}-", child.id());
        child.kill().unwrap();
        child.wait().unwrap();
        // Duplicity goes on, with what it has there.
        assert_eq!(entries(&memory).len(), 1);
        for id in processes(&["launcher.py", &launcher]) {
            kill(id, "-KILL");
        }
        wait_until("Duplicity is gone", || {
            processes(&["launcher.py", &launcher]).is_empty()
        });
        assert_eq!(entries(&memory).len(), 1);
        assert_exit(&world.run(&options), 0);
        assert_eq!(entries(&memory), <[PathBuf; 0]>::default());
        world.restores(0);
    }
}
