//! The real program under strace, which kills it at one system call after the other, or lets one after
//! the other fail; and killed at any moment. What is left never passes for more than it is.
//!
//! By default a sample; `DISTDUP_TEST_FULL=1` takes every share and every code.
#![allow(clippy::unwrap_used, reason = "a test fails by it")]

mod desk;
mod kit;

use std::cell::RefCell;
use std::fs::{self, File, OpenOptions};
use std::io::{Cursor, Read};
use std::path::Path;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use desk::{Desk, Ran, bytes};
use distdup::control::Control;
use distdup::decode::DecodeOptions;
use distdup::duplicity::hosts::StoreSpec;
use distdup::duplicity::protocol::Hex;
use distdup::input::ReaderInput;
use distdup::store::{FolderHost, Origin, Store};
use distdup::verify::verify;
use kit::tally::Tally;
use kit::{MemorySink, MemorySource, code, decode_from, files, full, lots};
use serde_json::json;

/// Stripes are small, so that there are some, and everything has its own system call.
const SMALL: &str = "-q --shard-size 64";
/// A command that takes longer hangs.
const PATIENCE: Duration = Duration::from_secs(120);

/// Codec, k, n.
type Made = (&'static str, usize, usize);

fn codes() -> &'static [Made] {
    let all = &[("rs", 2, 3), ("rs", 4, 6), ("xor", 6, 10)];
    if full() { all } else { &all[..1] }
}

/// Of `n` shares those to try things on.
fn victims(n: usize) -> Vec<usize> {
    if full() {
        (0..n).collect()
    } else {
        vec![n - 1]
    }
}

fn encode((codec, k, n): Made, outputs: &str) -> String {
    format!("distdup encode {SMALL} --codec {codec} -k {k} -n {n} -o '{outputs}' in")
}

/// Whether processes may be traced; a container may forbid it.
fn can_trace() -> bool {
    let can = Desk::new().sh("strace -o trace true").code == Some(0);
    if !can {
        eprintln!("strace cannot trace here: not tried");
    }
    can
}

/// Runs a command while strace tampers with its system calls: those on `path`, or all. `None` if
/// there was none to tamper with.
fn tampered(desk: &Desk, inject: &str, path: Option<&str>, line: &str) -> Option<Ran> {
    // A relative path in a call, and an absolute one behind a descriptor.
    let paths = path.map_or_else(String::new, |path| {
        format!("-P {path} -P {}", desk.at(path).display())
    });
    let trace = desk.at("trace");
    let traced = format!(
        "timeout {} strace -f -qq -o trace {paths} -e inject={inject} {line}",
        PATIENCE.as_secs()
    );
    let ran = desk.sh(&traced);
    assert_ne!(ran.code, Some(124), "{inject} on {path:?}: {line} hangs");
    assert!(
        !ran.err.contains("panicked"),
        "{inject} on {path:?}: {ran:?}"
    );
    let traced = fs::read_to_string(&trace).unwrap();
    fs::remove_file(trace).unwrap();
    let is_tampered = traced.contains("(INJECTED)") || traced.contains("killed by SIGKILL");
    is_tampered.then_some(ran)
}

/// What stands there under these names.
fn found(desk: &Desk, names: impl IntoIterator<Item = String>) -> Vec<Vec<u8>> {
    let read = |name: String| fs::read(desk.at(&name)).ok();
    names.into_iter().filter_map(read).collect()
}

fn is_whole(share: &[u8]) -> bool {
    let source = MemorySource::file(0, share.to_vec());
    verify(vec![source], &Control::new().0).unwrap()[0].is_whole()
}

/// What is there of n shares: those that have their names are whole, and as soon as one is, all that
/// is there together gives the stream back.
fn nothing_false(desk: &Desk, n: usize, tally: &mut Tally, what: &str) {
    let named = found(desk, (0..n).map(|share| format!("s{share}")));
    for share in &named {
        assert!(
            is_whole(share),
            "{what}: a share that is not whole has its name"
        );
    }
    let partial = found(desk, (0..n).map(|share| format!("s{share}.partial")));
    no_end_too_early(&[named, partial].concat(), &desk.read("in"), tally, what);
}

fn no_end_too_early(shares: &[Vec<u8>], data: &[u8], tally: &mut Tally, what: &str) {
    if !shares.iter().any(|share| is_whole(share)) {
        return tally.count("left nothing complete");
    }
    let (found, _) = decode_from(files(shares, 0..shares.len()), &DecodeOptions::default())
        .unwrap_or_else(|error| panic!("{what}: complete, and cannot be decoded: {error}"));
    assert!(found == data, "{what}: other data");
    tally.count("left complete shares that give the stream back");
}

fn clear(desk: &Desk, n: usize) {
    for name in (0..n).flat_map(|share| [format!("s{share}"), format!("s{share}.partial")]) {
        let _ = fs::remove_file(desk.at(&name));
    }
}

/// System calls on a file that is written.
const FILE: [&str; 9] = [
    "openat",
    "flock",
    "fstat",
    "statx",
    "ftruncate",
    "write",
    "fdatasync",
    "renameat2",
    "close",
];

/// Kills a command at each of these calls in turn, or each `step`th, until there is none left. `check` sees
/// what is there after each.
fn killed_at_every_call(
    calls: &[&str],
    step: usize,
    mut run: impl FnMut(&str) -> Option<Ran>,
    mut check: impl FnMut(&str),
) {
    let mut killed = 0;
    for call in calls {
        for nth in (1..).step_by(step) {
            let kill = format!("{call}:signal=KILL:when={nth}");
            if run(&kill).is_none() {
                break;
            }
            check(&kill);
            killed += 1;
        }
    }
    assert!(killed > 4, "{killed}");
}

#[test]
fn an_encode_killed_at_every_call_on_a_share() {
    if !can_trace() {
        return;
    }
    let mut tally = Tally::of("SIGKILL of encode at every system call on a share's file");
    for &made in codes() {
        let (_, k, n) = made;
        let desk = Desk::with_input(3 * k * 64 + 5);
        for share in victims(n) {
            let path = format!("s{share}.partial");
            let run = |kill: &str| {
                clear(&desk, n);
                tampered(&desk, kill, Some(&path), &encode(made, "s{i}"))
            };
            killed_at_every_call(&FILE, 1, run, |what| {
                let what = format!("{made:?}, share {share}: {what}");
                nothing_false(&desk, n, &mut tally, &what);
            });
        }
        // What is left is no obstacle.
        clear(&desk, n);
        tampered(&desk, "renameat2:signal=KILL", None, &encode(made, "s{i}")).unwrap();
        desk.exits(0, &format!("{} --force", encode(made, "s{i}")));
        desk.exits(0, "distdup verify -q s*");
    }
}

/// Named pipes, and what their readers have read in the end.
struct Pipes(Vec<JoinHandle<Vec<u8>>>);

impl Pipes {
    fn new(desk: &Desk, n: usize) -> Self {
        let read = |share| {
            let path = desk.at(&format!("s{share}"));
            desk.exits(0, &format!("mkfifo s{share}"));
            thread::spawn(move || {
                let mut all = Vec::new();
                File::open(path).unwrap().read_to_end(&mut all).unwrap();
                all
            })
        };
        Self((0..n).map(read).collect())
    }

    /// After the writers are gone.
    fn end(self, desk: &Desk) -> Vec<Vec<u8>> {
        let all = self.0.into_iter().enumerate().map(|(share, reader)| {
            release(&desk.at(&format!("s{share}")), &reader);
            reader.join().unwrap()
        });
        all.collect()
    }
}

/// Ends the wait for the other end of a pipe, where it is still waited for.
fn release<T>(pipe: &Path, waiting: &JoinHandle<T>) {
    while !waiting.is_finished() {
        drop(
            OpenOptions::new()
                .read(true)
                .write(true)
                .open(pipe)
                .unwrap(),
        );
        thread::yield_now();
    }
}

#[test]
fn an_encode_killed_at_every_call_on_a_named_pipe() {
    if !can_trace() {
        return;
    }
    let mut tally = Tally::of("SIGKILL of encode at every system call on a named pipe");
    for &made in codes() {
        let (_, k, n) = made;
        let desk = Desk::with_input(3 * k * 64 + 5);
        for share in victims(n) {
            let path = format!("s{share}");
            let taken = RefCell::default();
            let run = |kill: &str| {
                let pipes = Pipes::new(&desk, n);
                let ran = tampered(&desk, kill, Some(&path), &encode(made, "s{i}"));
                taken.replace(pipes.end(&desk));
                clear(&desk, n);
                ran
            };
            killed_at_every_call(&FILE, 1, run, |what| {
                let what = format!("{made:?}, share {share}: {what}");
                no_end_too_early(&taken.borrow(), &desk.read("in"), &mut tally, &what);
            });
        }
    }
}

/// Runs a command and kills it after a part of the time that it takes, drawn by lot.
fn killed_at_random(
    desk: &Desk,
    line: &str,
    length: Duration,
    lot: &mut impl FnMut(usize) -> usize,
) {
    let mut child = desk.start(line);
    let thousandths = u32::try_from(lot(1200)).unwrap();
    thread::sleep(length * thousandths / 1000);
    let _ = child.kill();
    child.wait().unwrap();
}

fn time(work: impl FnOnce()) -> Duration {
    let began = Instant::now();
    work();
    began.elapsed()
}

#[test]
fn killed_at_any_moment() {
    let trials = if full() { 350 } else { 8 };
    let mut lot = lots(17);
    let made = ("rs", 2, 3);
    let desk = Desk::with_input(60_000);
    let line = encode(made, "s{i}");
    let length = time(|| drop(desk.exits(0, &line)));
    clear(&desk, 3);

    let mut tally = Tally::of("SIGKILL of encode into files at random moments");
    for trial in 0..trials {
        killed_at_random(&desk, &line, length, &mut lot);
        nothing_false(&desk, 3, &mut tally, &format!("trial {trial}"));
        clear(&desk, 3);
    }
    let mut tally = Tally::of("SIGKILL of encode into named pipes at random moments");
    for trial in 0..trials {
        let pipes = Pipes::new(&desk, 3);
        killed_at_random(&desk, &line, length, &mut lot);
        let taken = pipes.end(&desk);
        clear(&desk, 3);
        no_end_too_early(
            &taken,
            &desk.read("in"),
            &mut tally,
            &format!("trial {trial}"),
        );
    }

    let mut tally = Tally::of("SIGKILL of repair at random moments");
    desk.exits(0, &line);
    let right = desk.read("s1");
    desk.remove("s1");
    let line = "distdup repair -q s0 s2 -o s1";
    let length = time(|| drop(desk.exits(0, line)));
    for _ in 0..trials {
        let _ = fs::remove_file(desk.at("s1"));
        killed_at_random(&desk, line, length, &mut lot);
        is_repaired_or_not(&desk, &right, &mut tally);
    }
}

fn is_repaired_or_not(desk: &Desk, right: &[u8], tally: &mut Tally) {
    match fs::read(desk.at("s1")) {
        Ok(found) => {
            assert!(found == right, "a share that is not whole has its name");
            tally.count("left the share, right");
        }
        Err(_) => tally.count("left no share"),
    }
}

#[test]
fn a_repair_killed_at_every_call_on_its_share() {
    if !can_trace() {
        return;
    }
    let mut tally = Tally::of("SIGKILL of repair at every system call on its share");
    let desk = Desk::with_input(3 * 2 * 64 + 5);
    desk.exits(0, &encode(("rs", 2, 3), "s{i}"));
    let right = desk.read("s1");
    let run = |kill: &str| {
        let _ = fs::remove_file(desk.at("s1"));
        let line = "distdup repair -q s0 s2 -o s1";
        tampered(&desk, kill, Some("s1.partial"), line)
    };
    killed_at_every_call(&FILE, 1, run, |_| {
        is_repaired_or_not(&desk, &right, &mut tally);
    });
}

// --- A store of three hosts ---

const NAMES: [&[u8]; 2] = [b"one", b"two"];

fn hex(bytes: &[u8]) -> String {
    Hex(bytes.to_vec()).into()
}

/// Hosts h0 to h2 with two objects.
fn stored(desk: &Desk) -> Store {
    let hosts = [0, 1, 2].map(|host| desk.at(&format!("h{host}")));
    for host in &hosts {
        FolderHost::create(host, Origin::NewStore).unwrap();
    }
    let path = |host: &std::path::PathBuf| hex(host.as_os_str().as_encoded_bytes());
    let hosts = hosts
        .iter()
        .map(|host| json!({ "name": null, "folder": path(host) }));
    let spec = json!({
        "hosts": hosts.collect::<Vec<_>>(), "codec": "rs8", "params": code("rs8", 2, 3).params(),
        "k": 2, "n": 3, "min_shares": 2, "session": 1,
    });
    desk.write("store.json", spec.to_string().as_bytes());
    let spec: StoreSpec = serde_json::from_value(spec).unwrap();
    let store = spec.open().unwrap();
    for name in NAMES {
        put(&store, name, &desk.read("in"));
    }
    store
}

fn put(store: &Store, name: &[u8], data: &[u8]) {
    let input = Box::new(ReaderInput(Cursor::new(data.to_vec())));
    let report = store.put(name, input, None, &Control::new().0).unwrap();
    assert!(!report.is_degraded(), "{report:?}");
}

fn get(store: &Store, name: &[u8]) -> Vec<u8> {
    let output = MemorySink::default();
    let control = Control::new().0;
    store.get(name, Box::new(output.clone()), &control).unwrap();
    let taken = output.0.lock().unwrap().clone();
    assert!(taken.finished);
    taken.bytes
}

/// All files of a host that have a share's name.
fn shares_of(desk: &Desk, host: usize) -> Vec<std::path::PathBuf> {
    let all = fs::read_dir(desk.at(&format!("h{host}"))).unwrap();
    let all = all.map(|entry| entry.unwrap().path());
    all.filter(|path| path.extension().is_some_and(|end| end == "share"))
        .collect()
}

/// System calls that change what others see, and some more.
const CHANGES: [&str; 7] = [
    "openat",
    "write",
    "fdatasync",
    "fsync",
    "renameat2",
    "rename",
    "unlink",
];

/// Kills a command at each of them, each time on hosts as they are now.
fn killed_at_every_change(
    desk: &Desk,
    mut run: impl FnMut(&str) -> Option<Ran>,
    check: impl FnMut(&str),
) {
    desk.exits(0, "mkdir before; cp -a h? before");
    let run = |kill: &str| {
        desk.exits(0, "rm -r h?; cp -a before/h? .");
        run(kill)
    };
    killed_at_every_call(&CHANGES, if full() { 1 } else { 7 }, run, check);
}

#[test]
fn a_put_killed_at_every_change() {
    if !can_trace() {
        return;
    }
    let mut tally = Tally::of("SIGKILL of a put into a store at every system call that changes it");
    let desk = Desk::with_input(700);
    let store = stored(&desk);
    let (old, new) = (desk.read("in"), bytes(1500));
    let pipe = desk.at("pipe");
    desk.exits(0, "mkfifo pipe");
    let requests = [
        json!({ "id": 1, "op": "put", "name": hex(NAMES[0]), "size": new.len(),
            "fifo": hex(pipe.as_os_str().as_encoded_bytes()) }),
        json!({ "id": 1, "op": "commit", "size": new.len() }),
    ];
    desk.write(
        "requests",
        format!("{}\n{}\n", requests[0], requests[1]).as_bytes(),
    );
    let run = |kill: &str| {
        let (path, data) = (pipe.clone(), new.clone());
        // Nobody may read any more.
        let writer = thread::spawn(move || drop(fs::write(path, data)));
        let ran = tampered(&desk, kill, None, "distdup resident store.json < requests");
        release(&pipe, &writer);
        writer.join().unwrap();
        ran
    };
    killed_at_every_change(&desk, run, |what| {
        for share in (0..3).flat_map(|host| shares_of(&desk, host)) {
            let share = fs::read(share).unwrap();
            assert!(
                is_whole(&share),
                "{what}: a share that is not whole has its name"
            );
        }
        let found = get(&store, NAMES[0]);
        assert!(
            found == old || found == new,
            "{what}: neither the old object nor the new one"
        );
        tally.count(if found == old {
            "left the old object"
        } else {
            "left the new object"
        });
        assert!(get(&store, NAMES[1]) == old, "{what}");
        put(&store, NAMES[0], b"next");
        assert_eq!(get(&store, NAMES[0]), b"next", "{what}");
    });
}

#[test]
fn a_heal_killed_at_every_change() {
    if !can_trace() {
        return;
    }
    let mut tally =
        Tally::of("SIGKILL of heal at every system call that changes a host, and at random");
    let desk = Desk::with_input(700);
    let store = stored(&desk);
    // Of one host a share is lost, and one damaged.
    let mut shares = shares_of(&desk, 1);
    shares.sort();
    fs::remove_file(&shares[0]).unwrap();
    let mut damaged = fs::read(&shares[1]).unwrap();
    damaged[300] ^= 1;
    fs::write(&shares[1], &damaged).unwrap();
    let line = "distdup heal -q h0 h1 h2";
    let mut check = |what: &str| {
        let mut whole = 0;
        for share in (0..3).flat_map(|host| shares_of(&desk, host)) {
            let share = fs::read(share).unwrap();
            whole += usize::from(is_whole(&share));
            assert!(is_whole(&share) || share == damaged, "{what}: damaged anew");
        }
        tally.count(["healed none", "healed one", "healed both"][whole - 4]);
        for name in NAMES {
            assert!(get(&store, name) == desk.read("in"), "{what}");
        }
        desk.exits(0, &format!("{line} && distdup status -q h0 h1 h2"));
        assert_eq!(shares_of(&desk, 1).len(), 2, "{what}");
        // Killed among the hosts that join the store, it left some without its id.
        let ids = [0, 1, 2].map(|host| {
            let stamp = desk.read(&format!("h{host}/distdup-host"));
            let stamp = String::from_utf8(stamp).unwrap();
            stamp.lines().nth(3).unwrap().to_owned()
        });
        assert!(ids.iter().all(|id| *id == ids[0]), "{what}: {ids:?}");
    };
    let run = |kill: &str| tampered(&desk, kill, None, line);
    killed_at_every_change(&desk, run, &mut check);
    // Each share has its own threads, and their first calls come first: chance meets the second share.
    let restore = || drop(desk.exits(0, "rm -r h?; cp -a before/h? ."));
    restore();
    let length = time(|| drop(desk.exits(0, line)));
    let mut lot = lots(23);
    for trial in 0..if full() { 150 } else { 3 } {
        restore();
        killed_at_random(&desk, line, length, &mut lot);
        check(&format!("trial {trial}"));
    }
}

// --- System calls that fail ---

/// Errors that they fail with, and what the C library calls them.
const ERRORS: [(&str, &str); 4] = [
    ("EIO", "Input/output error"),
    ("EINTR", "Interrupted system call"),
    ("ENOSPC", "No space left on device"),
    ("EPIPE", "Broken pipe"),
];

/// Lets each of these calls on `path` fail in turn with each error, until there is none left to fail. What
/// is named in `clean` is removed before each run.
fn failing(
    desk: &Desk,
    (path, line): (&str, &str),
    clean: &str,
    calls: &[&str],
    mut check: impl FnMut(Ran, &str, &str),
) {
    let errors = if full() { &ERRORS[..] } else { &ERRORS[..1] };
    let mut failed = 0;
    for call in calls {
        for (error, text) in errors {
            for nth in 1.. {
                let inject = format!("{call}:error={error}:when={nth}");
                desk.exits(0, &format!("rm -f {clean}"));
                let Some(ran) = tampered(desk, &inject, Some(path), line) else {
                    break;
                };
                failed += 1;
                check(ran, text, &format!("{path}: {inject}"));
            }
        }
    }
    assert!(failed > 6, "{failed}");
}

const OPENS_AND_WRITES: [&str; 6] = [
    "openat",
    "flock",
    "ftruncate",
    "write",
    "fdatasync",
    "renameat2",
];
const READS: [&str; 4] = ["openat", "read", "pread64", "lseek"];

#[test]
fn every_call_on_a_share_that_is_written_fails_in_turn() {
    if !can_trace() {
        return;
    }
    let mut tally = Tally::of("each system call on a share's file fails in turn while encoding");
    for &made in codes() {
        let (_, k, n) = made;
        let desk = Desk::with_input(2 * k * 64 + 5);
        for share in victims(n) {
            let (name, line) = (format!("s{share}"), encode(made, "s{i}"));
            failing(
                &desk,
                (&format!("{name}.partial"), &line),
                "s? s?.partial",
                &OPENS_AND_WRITES,
                |ran, text, what| {
                    let others = (0..n)
                        .filter(|&other| other != share)
                        .map(|other| format!("s{other}"));
                    let others = found(&desk, others);
                    assert_eq!(others.len(), n - 1, "{what}: {ran:?}");
                    assert!(others.iter().all(|share| is_whole(share)), "{what}");
                    let is_there = desk.at(&name).exists();
                    match ran.code {
                        // Tried again.
                        Some(0) => {
                            assert!(is_there && is_whole(&desk.read(&name)), "{what}");
                            tally.count("went on unharmed");
                        }
                        Some(3) => {
                            let named = format!("share {share}, {name}: ");
                            assert!(ran.err.contains(&named), "{what}: {}", ran.err);
                            assert!(ran.err.contains(text), "{what}: {}", ran.err);
                            assert!(!is_there, "{what}");
                            // Of one that could not be locked nobody knows whose it is.
                            let is_left = desk.at(&format!("{name}.partial")).exists();
                            assert_eq!(is_left, what.contains("flock"), "{what}: left");
                            tally.count("degraded, share and cause named");
                        }
                        _ => panic!("{what}: {ran:?}"),
                    }
                    let (data, _) =
                        decode_from(files(&others, 0..n - 1), &DecodeOptions::default()).unwrap();
                    assert!(data == desk.read("in"), "{what}");
                    clear(&desk, n);
                },
            );
            clear(&desk, n);
        }
        // A folder that cannot be made durable: the shares are there, and not said to be.
        clear(&desk, n);
        let ran = tampered(&desk, "fsync:error=EIO", None, &encode(made, "s{i}")).unwrap();
        assert_eq!(ran.code, Some(1), "{ran:?}");
        assert!(ran.err.contains("Input/output error"), "{}", ran.err);
        tally.count("failed, shares and cause named");
    }
}

#[test]
fn every_call_on_the_input_or_an_output_fails_in_turn() {
    if !can_trace() {
        return;
    }
    let desk = Desk::with_input(2 * 2 * 64 + 5);
    let line = encode(("rs", 2, 3), "s{i}");
    let mut tally = Tally::of("each system call on the input fails in turn while encoding");
    failing(
        &desk,
        ("in", &line),
        "s? s?.partial",
        &READS,
        |ran, text, what| {
            if ran.code == Some(0) {
                let all = found(&desk, (0..3).map(|share| format!("s{share}")));
                assert!(all.iter().all(|share| is_whole(share)), "{what}");
                tally.count("went on unharmed");
            } else {
                assert_eq!(ran.code, Some(1), "{what}: {ran:?}");
                assert!(ran.err.contains(text), "{what}: {}", ran.err);
                assert_eq!(desk.names(), ["in"], "{what}");
                tally.count("failed, cause named");
            }
        },
    );
    clear(&desk, 3);

    desk.exits(0, &line);
    let mut tally = Tally::of("each system call on the output fails in turn while decoding");
    let line = "distdup decode -q s0 s2 -o out";
    failing(
        &desk,
        ("out.partial", line),
        "out out.partial",
        &OPENS_AND_WRITES,
        |ran, text, what| {
            if ran.code == Some(0) {
                assert!(desk.read("out") == desk.read("in"), "{what}");
                tally.count("went on unharmed");
            } else {
                assert_eq!(ran.code, Some(1), "{what}: {ran:?}");
                assert!(ran.err.contains(text), "{what}: {}", ran.err);
                assert!(!desk.at("out").exists(), "{what}");
                tally.count("failed, cause named");
            }
        },
    );
}

#[test]
fn every_call_on_a_share_that_is_read_fails_in_turn() {
    if !can_trace() {
        return;
    }
    let mut spared =
        Tally::of("each system call on a share fails in turn while decoding, one to spare");
    let mut bare =
        Tally::of("each system call on a share fails in turn while decoding, none to spare");
    let desk = Desk::with_input(2 * 2 * 64 + 5);
    desk.exits(0, &encode(("rs", 2, 3), "s{i}"));
    for share in victims(3) {
        let name = format!("s{share}");
        failing(
            &desk,
            (&name, "distdup decode -q s0 s1 s2 -o out"),
            "out",
            &READS,
            |ran, _, what| {
                assert!(matches!(ran.code, Some(0 | 3)), "{what}: {ran:?}");
                assert!(desk.read("out") == desk.read("in"), "{what}");
                desk.remove("out");
                spared.count("came back");
            },
        );
        let _ = fs::remove_file(desk.at("out"));
        let line = format!("distdup decode -q s{} {name} -o out", (share + 1) % 3);
        failing(&desk, (&name, &line), "out", &READS, |ran, text, what| {
            if matches!(ran.code, Some(0 | 3)) {
                assert!(desk.read("out") == desk.read("in"), "{what}");
                bare.count("came back");
            } else {
                assert_eq!(ran.code, Some(1), "{what}: {ran:?}");
                assert!(
                    ran.err.contains(text) && ran.err.contains(&name),
                    "{what}: {}",
                    ran.err
                );
                assert!(!desk.at("out").exists(), "{what}");
                bare.count("failed, share and cause named");
            }
        });
    }
}
