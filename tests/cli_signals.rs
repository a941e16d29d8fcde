//! Signals, broken pipes and terminals. Nothing here depends on time: what is to happen first is
//! waited for at a pipe.
#![allow(clippy::unwrap_used, reason = "a test fails by it")]

mod desk;

use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, Command};

use desk::{Desk, bytes};

fn signal(child: &Child, name: &str) {
    let status = Command::new("kill")
        .args(["-s", name, &child.id().to_string()])
        .status();
    assert!(status.unwrap().success());
}

/// An encode that has begun: its header and at least a stripe have gone to the sinks, and it waits
/// for more of its input.
fn under_way(desk: &Desk, options: &str) -> (Child, File) {
    under_way_after(desk, "env --default-signal=HUP", options)
}

/// The same, started by a command that says which signals it ignores.
fn under_way_after(desk: &Desk, start: &str, options: &str) -> (Child, File) {
    let line = format!("{start} distdup encode -k 1 --shard-size 4096 --fifo pipe {options}");
    let child = desk.start(&line);
    while !desk.at("pipe").exists() {
        std::thread::yield_now();
    }
    let mut pipe = OpenOptions::new()
        .write(true)
        .open(desk.at("pipe"))
        .unwrap();
    pipe.write_all(&bytes(100_000)).unwrap();
    (child, pipe)
}

fn stderr(child: &mut Child) -> String {
    let mut text = String::new();
    child
        .stderr
        .take()
        .unwrap()
        .read_to_string(&mut text)
        .unwrap();
    text
}

#[test]
fn sigint_and_sigterm_leave_nothing() {
    for name in ["INT", "TERM", "HUP"] {
        let desk = Desk::new();
        let (mut child, _pipe) = under_way(&desk, "-o a -o b");
        while !desk.at("a.partial").exists() || !desk.at("b.partial").exists() {
            std::thread::yield_now();
        }
        signal(&child, name);
        let err = stderr(&mut child);
        assert_eq!(child.wait().unwrap().code(), Some(1), "{name}: {err}");
        assert!(err.contains("stopped by a signal"), "{err}");
        assert_eq!(desk.names(), [""; 0], "{name}");
    }
}

#[test]
fn the_end_of_the_terminal_changes_nothing_under_nohup() {
    let desk = Desk::new();
    let (mut child, mut pipe) = under_way_after(&desk, "env --ignore-signal=HUP", "-o a -o b");
    signal(&child, "HUP");
    pipe.write_all(b"the end").unwrap();
    drop(pipe);
    let err = stderr(&mut child);
    assert_eq!(child.wait().unwrap().code(), Some(0), "{err}");
    desk.exits(0, "distdup verify -q a b");
}

#[test]
fn a_signal_ends_the_wait_for_a_writer_and_for_a_reader() {
    let desk = Desk::with_input(10);
    let mut child = desk.start("distdup encode -k 1 --fifo pipe -o a -o b");
    while !desk.at("pipe").exists() {
        std::thread::yield_now();
    }
    signal(&child, "TERM");
    let err = stderr(&mut child);
    assert_eq!(child.wait().unwrap().code(), Some(1), "{err}");
    assert_eq!(desk.names(), ["in"]);

    desk.exits(0, "mkfifo p q");
    let mut child = desk.start("distdup encode -k 1 -o p -o q -o exec:'echo up >&2; cat > s' in");
    let mut line = String::new();
    BufReader::new(child.stderr.as_mut().unwrap())
        .read_line(&mut line)
        .unwrap();
    signal(&child, "INT");
    let err = stderr(&mut child);
    assert_eq!(child.wait().unwrap().code(), Some(1), "{err}");
    // The third sink was served, but no share is completed unless enough are.
    let left = desk.exits(
        0,
        "if distdup verify -q s 2> /dev/null; then echo whole; fi",
    );
    assert_eq!(left.text(), "");
}

#[test]
fn sigkill_leaves_nothing_that_passes_for_whole() {
    let desk = Desk::new();
    let (mut child, _pipe) = under_way(&desk, "-o a -o b");
    while !desk.at("a.partial").exists() {
        std::thread::yield_now();
    }
    signal(&child, "KILL");
    child.wait().unwrap();
    assert!(!desk.at("a").exists() && !desk.at("b").exists());
    desk.exits(1, "distdup verify a.partial");
    // What is left is no obstacle.
    desk.exits(
        0,
        "rm pipe; echo x | distdup encode -k 1 -o a -o b && distdup verify a b",
    );
    assert_eq!(desk.names(), ["a", "b"]);
}

#[test]
fn sigusr1_is_answered_with_progress() {
    let desk = Desk::new();
    let (mut child, pipe) = under_way(&desk, "-o a -o b");
    signal(&child, "USR1");
    let mut err = BufReader::new(child.stderr.take().unwrap());
    let mut line = String::new();
    err.read_line(&mut line).unwrap();
    assert!(line.contains("/s  ") && line.ends_with(" s\n"), "{line:?}");
    drop(pipe);
    assert_eq!(child.wait().unwrap().code(), Some(0));
    desk.exits(0, "distdup decode a > out");
    assert!(desk.read("out") == bytes(100_000));
}

#[test]
fn a_reader_that_leaves_is_an_error_of_decode_and_none_of_a_listing() {
    let desk = Desk::with_input(3_000_000);
    desk.exits(0, "distdup encode -q -k 2 -n 3 -o 's{i}' in");
    let ran = desk.exits(
        0,
        "{ distdup decode s*; echo code $? >&2; } | head -c 10 > start",
    );
    assert!(ran.err.contains("the output failed at byte"), "{}", ran.err);
    assert!(ran.err.contains("Broken pipe"), "{}", ran.err);
    assert!(ran.err.ends_with("code 1\n"), "{}", ran.err);
    assert!(desk.read("start") == bytes(10));

    for listing in ["inspect s0", "verify s*", "codecs", "inspect --json s0"] {
        // The reader is gone before anything is printed.
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let status = Command::new(env!("CARGO_BIN_EXE_distdup"))
            .args(listing.replace("s*", "s0 s1").split(' '))
            .current_dir(desk.at(""))
            .stdout(writer)
            .status()
            .unwrap();
        assert_eq!(status.code(), Some(0), "{listing}");
    }
}

#[test]
fn binary_data_does_not_go_to_a_terminal() {
    let desk = Desk::with_input(1000);
    desk.exits(0, "distdup encode -q -k 1 -n 2 -o 's{i}' in");
    for line in [
        "decode s0",
        "decode s0 -o /dev/tty",
        "encode -k 1 -o - -o b in",
    ] {
        let ran = desk.sh(&format!("script -qec 'distdup {line}' /dev/null"));
        assert!(ran.text().contains("it is a terminal"), "{line}: {ran:?}");
        assert!(matches!(ran.code, Some(1 | 2)), "{line}: {ran:?}");
    }
    let ran = desk.sh("script -qec 'distdup encode -k 1 -n 2 -o t{i}' /dev/null");
    assert!(
        ran.text().contains("standard input is a terminal"),
        "{ran:?}"
    );
    assert_eq!(desk.names(), ["in", "s0", "s1"]);
}

#[test]
fn progress_is_for_terminals() {
    let desk = Desk::new();
    desk.exits(0, "mkfifo feed");
    let encode = "distdup encode -k 1 -n 2 --size-hint 200000 --shard-size 4096 -o s{i} feed";
    let mut child = desk.start(&format!("script -qefc '{encode}' /dev/null"));
    let mut feed = OpenOptions::new()
        .write(true)
        .open(desk.at("feed"))
        .unwrap();
    feed.write_all(&bytes(100_000)).unwrap();
    let mut shown = Vec::new();
    let out = child.stdout.as_mut().unwrap();
    while !String::from_utf8_lossy(&shown).contains(" left") {
        let mut buffer = [0; 1000];
        match out.read(&mut buffer).unwrap() {
            0 => panic!("{}", String::from_utf8_lossy(&shown)),
            count => shown.extend_from_slice(&buffer[..count]),
        }
    }
    assert!(String::from_utf8_lossy(&shown).contains(" %  "));
    drop(feed);
    out.read_to_end(&mut shown).unwrap();
    let shown = String::from_utf8_lossy(&shown);
    // The line is gone in the end, and the result stands there alone.
    let last = shown.rsplit("\r\x1b[K").next().unwrap();
    assert!(last.starts_with("2 shares written (100 kB"), "{shown:?}");
    assert!(child.wait().unwrap().success());
}

#[test]
fn colour_is_for_terminals_that_want_it() {
    let desk = Desk::new();
    let line = "script -qec 'distdup inspect gone' /dev/null";
    assert!(desk.exits(1, line).text().contains("\x1b[1;31merror:"));
    assert!(
        !desk
            .exits(1, &format!("NO_COLOR=1 {line}"))
            .text()
            .contains('\x1b')
    );
    assert!(!desk.exits(1, "distdup inspect gone").err.contains('\x1b'));
}
