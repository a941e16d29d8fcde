//! Disks that really fill or go read-only, limits that the system sets, pipes and commands that go away. File
//! systems are made in a mount namespace of the test's own.
#![allow(clippy::unwrap_used, reason = "a test fails by it")]

mod desk;
mod kit;

use desk::{Desk, Ran};
use distdup::control::Control;
use distdup::decode::DecodeOptions;
use distdup::verify::verify;
use kit::tally::Tally;
use kit::{MemorySource, decode_from, files, full};

/// Runs a script in which `small/` is a file system of 1 MB that goes away with it.
fn with_small_disk(desk: &Desk, script: &str) -> desk::Ran {
    let mount = "mkdir -p small && mount -t tmpfs -o size=1m small small";
    // As root without further ado; as anyone else by a user namespace.
    desk.sh(&format!(
        "if [ $(id -u) = 0 ]; then unshare=-m; else unshare=-rm; fi; \
         unshare $unshare sh -c '{mount} && {{ {script}; }}'"
    ))
}

#[test]
fn a_host_whose_disk_fills_is_dropped_and_leaves_nothing_that_looks_whole() {
    let desk = Desk::with_input(6_000_000);
    let ran = with_small_disk(
        &desk,
        "distdup encode -k 2 -o a -o small/b -o c in >&2; code=$?; ls -A small; exit $code",
    );
    assert_eq!(ran.code, Some(3), "{ran:?}");
    assert!(
        ran.err.contains("share 1, small/b: failed at byte"),
        "{}",
        ran.err
    );
    assert!(ran.err.contains("No space left on device"), "{}", ran.err);
    // The room that the unfinished share took is given back, and the shares that are left suffice.
    assert!(
        ran.out.is_empty(),
        "left behind: {}",
        String::from_utf8_lossy(&ran.out)
    );
    desk.exits(0, "distdup decode a c | cmp - in");
    Tally::of("a full tmpfs").count("degraded, sink and cause named");
}

#[test]
fn a_disk_that_fills_under_too_many_shares_fails_the_encode() {
    let desk = Desk::with_input(6_000_000);
    let ran = with_small_disk(
        &desk,
        "distdup encode -k 2 -o small/a -o small/b -o c in; code=$?; ls -A small; exit $code",
    );
    assert_eq!(ran.code, Some(1), "{ran:?}");
    assert!(ran.err.contains("2 of 3 sinks failed"), "{}", ran.err);
    assert!(
        ran.out.is_empty(),
        "left behind: {}",
        String::from_utf8_lossy(&ran.out)
    );
    assert_eq!(desk.names(), ["in", "small"]);
    Tally::of("a full tmpfs").count("failed, cause named");
}

#[test]
fn an_output_whose_disk_fills_is_not_there() {
    let mut tally = Tally::of("a full tmpfs");
    let desk = Desk::with_input(6_000_000);
    desk.exits(0, "distdup encode -k 2 -n 3 -o s{i} in");
    let ran = with_small_disk(
        &desk,
        "distdup decode s0 s2 -o small/out; code=$?; ls -A small; exit $code",
    );
    assert_eq!(ran.code, Some(1), "{ran:?}");
    assert!(ran.err.contains("the output failed at byte"), "{}", ran.err);
    assert!(
        ran.out.is_empty(),
        "left behind: {}",
        String::from_utf8_lossy(&ran.out)
    );
    tally.count("failed, cause named");
}

/// It ended by itself, well or with a cause, and left no share that is less than it says. (For want of memory
/// Rust's runtime or the C library may end it; they say so.)
fn ended_well(desk: &Desk, ran: &Ran, n: usize, what: &str) -> &'static str {
    let wants_memory = ran.err.contains("memory");
    let is_aborted = matches!(ran.code, None | Some(134));
    assert!(
        !ran.err.contains("panicked") || is_aborted,
        "{what}: {ran:?}"
    );
    let left = (0..n).map(|share| desk.at(&format!("s{share}")));
    let left: Vec<Vec<u8>> = left.filter_map(|path| std::fs::read(path).ok()).collect();
    for share in &left {
        let source = MemorySource::file(0, share.clone());
        assert!(
            verify(vec![source], &Control::new().0).unwrap()[0].is_whole(),
            "{what}"
        );
    }
    if let Some(0 | 3) = ran.code {
        let all = files(&left, 0..left.len());
        let (found, _) = decode_from(all, &DecodeOptions::default()).unwrap();
        assert!(found == desk.read("in"), "{what}");
    }
    match ran.code {
        Some(0) => "went well",
        Some(3) => "degraded, sink and cause named",
        Some(1) if ran.err.contains("error: ") => "failed, cause named",
        _ if is_aborted && wants_memory => "aborted, and said that it is for want of memory",
        _ => panic!("{what}: {ran:?}"),
    }
}

#[test]
fn a_limit_on_the_size_of_files() {
    let mut tally = Tally::of("RLIMIT_FSIZE");
    let desk = Desk::with_input(3_000_000);
    // Blocks of 512 bytes. A share has 1,500,000 and some.
    for (blocks, code) in [(0, 1), (1, 1), (1000, 1), (2900, 1), (3000, 0)] {
        let line = format!("ulimit -f {blocks}; distdup encode -k 2 -n 3 -o 's{{i}}' in --force");
        let ran = desk.exits(code, &line);
        assert_eq!(ran.err.contains("File too large"), code == 1, "{}", ran.err);
        assert!(desk.names().iter().all(|name| !name.ends_with(".partial")));
        tally.count(ended_well(&desk, &ran, 3, &line));
    }
    let ran = desk.exits(
        3,
        "ulimit -f 100; distdup encode -k 2 -o f -o exec:cat\\>/dev/null -o /dev/null in",
    );
    assert!(
        ran.err.contains("share 0, f: failed at byte"),
        "{}",
        ran.err
    );
    tally.count("degraded, sink and cause named");
    let ran = desk.exits(1, "ulimit -f 100; distdup decode s0 s1 -o out");
    assert!(ran.err.contains("the output failed at byte"), "{}", ran.err);
    assert!(!desk.at("out").exists());
    tally.count("failed, cause named");
}

/// Whether the program can be started at all.
fn starts(desk: &Desk, limit: &str) -> bool {
    desk.sh(&format!("{limit}; distdup --version")).code == Some(0)
}

#[test]
fn a_limit_on_open_files() {
    let mut tally = Tally::of("RLIMIT_NOFILE, from too few to enough");
    let desk = Desk::with_input(100_000);
    for limit in (3..40).step_by(if full() { 1 } else { 5 }) {
        let limit = format!("ulimit -n {limit}");
        if !starts(&desk, &limit) {
            continue;
        }
        let encode = "distdup encode -q -k 4 -n 12 -o 's{i}' in --force";
        let decode = "distdup decode -q s* -o out --force";
        for line in [encode, decode] {
            desk.exits(0, encode);
            let ran = desk.sh(&format!("{limit}; {line}"));
            let is_named = ran.err.contains("Too many open files");
            assert!(ran.code == Some(0) || is_named, "{limit}: {line}: {ran:?}");
            tally.count(ended_well(&desk, &ran, 12, line));
        }
    }
}

#[test]
fn a_limit_on_memory() {
    let mut tally = Tally::of("ulimit -v, from too little to enough");
    let desk = Desk::with_input(1_000_000);
    for limit in (10_000..120_000).step_by(if full() { 1000 } else { 10_000 }) {
        let limit = format!("ulimit -v {limit}");
        if !starts(&desk, &limit) {
            continue;
        }
        let line = format!("{limit}; distdup encode -k 2 -n 3 -o 's{{i}}' in");
        let ran = desk.sh(&line);
        tally.count(ended_well(&desk, &ran, 3, &line));
        desk.sh("rm -f s*");
    }
    let mut tally = Tally::of("streams of 10 MB and up under the same ulimit -v");
    let sizes = if full() {
        vec!["10M", "100M", "1G"]
    } else {
        vec!["10M", "100M"]
    };
    for size in sizes {
        let line = format!(
            "ulimit -v 120000; head -c {size} /dev/zero | distdup encode -q --memory 32M -k 2 -n 3 \
             -o 'exec:cat > p0' -o p1 -o /dev/null &
             exec distdup decode -q --memory 32M p0 p1 | wc -c"
        );
        desk.exits(0, "mkfifo p0 p1");
        let ran = desk.exits(0, &line);
        let length: u64 = ran.text().trim().parse().unwrap();
        assert!(length >= 10 << 20, "{ran:?}");
        tally.count("went well");
        desk.exits(0, "rm p0 p1");
    }
}

#[test]
fn pipes_and_commands_that_go_away() {
    let mut pulled = Tally::of("a named pipe whose reader goes away");
    let mut killed = Tally::of("an exec: sink that is killed");
    let desk = Desk::with_input(3_000_000);
    for taken in [0, 1, 100, 100_000, 1_000_000] {
        let ran = desk.exits(
            3,
            &format!(
                "mkfifo p; (exec < p; exec head -c {taken} > /dev/null) & \
                 distdup encode -k 2 -o s0 -o p -o s2 in; code=$?; rm p; exit $code"
            ),
        );
        assert!(
            ran.err.contains("share 1, p: failed at byte"),
            "{}",
            ran.err
        );
        assert!(ran.err.contains("Broken pipe"), "{}", ran.err);
        pulled.count(ended_well(&desk, &ran, 3, "pulled"));
        desk.exits(0, "rm s0 s2");
        let sink = format!("exec:head -c {taken} > /dev/null; kill -KILL $$");
        let ran = desk.exits(
            3,
            &format!("distdup encode -k 2 -o s0 -o '{sink}' -o s2 in"),
        );
        assert!(ran.err.contains("killed by signal 9"), "{}", ran.err);
        killed.count(ended_well(&desk, &ran, 3, "killed"));
        let source = format!("exec:head -c {taken} s0; kill -KILL $$");
        let ran = desk.sh(&format!("distdup decode '{source}' s2 -o out"));
        assert_eq!(ran.code, Some(1), "{ran:?}");
        assert!(ran.err.contains("killed by signal 9"), "{}", ran.err);
        assert!(!desk.at("out").exists());
        killed.count("failed, cause named");
        desk.exits(0, "rm s0 s2");
    }
}

/// Runs a script in which `small/` is an ext4 of 4 MB on a loop device, which goes away with it.
fn with_loop_mount(desk: &Desk, script: &str) -> Option<Ran> {
    let ran = desk.sh(&format!(
        "test $(id -u) = 0 && command -v mkfs.ext4 > /dev/null && mkdir -p small &&
         head -c 4M /dev/zero > image && mkfs.ext4 -q image &&
         unshare -m sh -c 'mount -o loop,errors=remount-ro image small || exit 99; {script}'"
    ));
    if desk.at("small").exists() && ran.code != Some(99) {
        return Some(ran);
    }
    eprintln!("no loop mounts here, or no mkfs.ext4: not tried");
    None
}

#[test]
fn a_loop_mount_that_fills_or_goes_read_only() {
    let mut tally = Tally::of("a full ext4 on a loop device, and one that goes read-only");
    let cases = [
        ("", "No space left on device"),
        ("mount -o remount,ro small;", "Read-only file system"),
        // As the kernel does it where a disk has failed.
        (
            "disk=$(basename $(findmnt -no SOURCE small)); echo 1 > /sys/fs/ext4/$disk/trigger_fs_error;",
            "Read-only file system",
        ),
    ];
    for (before, cause) in cases {
        let desk = Desk::with_input(12_000_000);
        let encode = "distdup encode -k 2 -o s0 -o small/b -o s2 in >&2; code=$?; ls small | grep -v lost; exit $code";
        let Some(ran) = with_loop_mount(&desk, &format!("{before} {encode}")) else {
            return;
        };
        assert_eq!(ran.code, Some(3), "{ran:?}");
        assert!(ran.err.contains("share 1, small/b: "), "{}", ran.err);
        assert!(ran.err.contains(cause), "{}", ran.err);
        assert!(ran.out.is_empty(), "left behind: {ran:?}");
        tally.count(ended_well(&desk, &ran, 3, cause));
    }
    // While it is written to: the command that is encoded breaks the disk midway.
    let desk = Desk::with_input(0);
    let command = "head -c 1M /dev/zero; disk=$(basename $(findmnt -no SOURCE small)); \
        echo 1 > /sys/fs/ext4/$disk/trigger_fs_error; head -c 1M /dev/zero";
    desk.write("command", command.as_bytes());
    let encode =
        "distdup encode --shard-size 4096 -k 2 -o s0 -o small/b -o s2 --from-command -- sh command";
    let Some(ran) = with_loop_mount(&desk, encode) else {
        return;
    };
    assert_eq!(ran.code, Some(3), "{ran:?}");
    assert!(ran.err.contains("share 1, small/b: "), "{}", ran.err);
    assert!(ran.err.contains("Read-only file system"), "{}", ran.err);
    desk.exits(0, "distdup decode s0 s2 | cmp -n 2097152 - /dev/zero");
    tally.count("degraded, sink and cause named");
}
