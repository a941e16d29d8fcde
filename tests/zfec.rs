//! zfec's shares, read and written, held against zfec's own package.
#![allow(
    clippy::unwrap_used,
    reason = "a test that panics has failed, as it should"
)]

mod kit;

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::thread;

use distdup::control::Control;
use distdup::input::ReaderInput;
use distdup::sink::{self, Sink};
use distdup::source::{self, Source};
use distdup::zfec::{self, ZfecError};
use kit::{full, noise};

/// zfec's package, in Python.
struct Python {
    child: Child,
    commands: ChildStdin,
    answers: BufReader<ChildStdout>,
}

impl Python {
    fn start() -> Self {
        let python = std::env::var_os("DISTDUP_PYTHON").unwrap_or_else(|| "python3".into());
        let mut child = Command::new(python)
            .arg(concat!(
                env!("CARGO_MANIFEST_DIR"),
                "/tests/python/zfec_files.py"
            ))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        Self {
            commands: child.stdin.take().unwrap(),
            answers: BufReader::new(child.stdout.take().unwrap()),
            child,
        }
    }

    fn run(&mut self, words: &[String]) {
        writeln!(self.commands, "{}", words.join(" ")).unwrap();
        let mut answer = String::new();
        self.answers.read_line(&mut answer).unwrap();
        assert_eq!(
            answer,
            "ok\n",
            "{}: is zfec installed? run scripts/test.sh, or set the variables that \
             `scripts/test.sh --setup` prints",
            words.join(" ")
        );
    }
}

impl Drop for Python {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn path(folder: &Path, name: &str) -> PathBuf {
    folder.join(name)
}

fn shown(path: &Path) -> String {
    path.to_str().unwrap().to_owned()
}

const LAX: sink::Options = sink::Options {
    force: true,
    sync: false,
};

fn sinks(paths: &[PathBuf]) -> Vec<Box<dyn Sink>> {
    let sink = |path: &PathBuf| sink::parse(path.as_os_str(), LAX).unwrap();
    paths.iter().map(sink).collect()
}

fn sources(paths: &[PathBuf]) -> Vec<Box<dyn Source>> {
    let source = |path: &PathBuf| source::parse(path.as_os_str()).unwrap();
    paths.iter().map(source).collect()
}

/// distdup's shares are zfec's, byte for byte; each reads the other's from as few as suffice.
fn agree(python: &mut Python, folder: &Path, (k, n): (usize, usize), len: usize) {
    let what = format!("({k}, {n}), {len} bytes");
    let data = noise(len, len as u64);
    let input = path(folder, "in");
    fs::write(&input, &data).unwrap();
    python.run(&["encode".into(), k.to_string(), n.to_string(), shown(&input)]);
    let theirs: Vec<PathBuf> = (0..n)
        .map(|i| path(folder, &format!("in.{i}.fec")))
        .collect();
    let ours: Vec<PathBuf> = (0..n)
        .map(|i| path(folder, &format!("out.{i}.fec")))
        .collect();
    // Headers that are known from the start, or written at the end.
    let length = len.is_multiple_of(2).then_some(len as u64);
    let reader = Box::new(ReaderInput(std::io::Cursor::new(data.clone())));
    zfec::encode(reader, sinks(&ours), k, length, &Control::new().0).unwrap();
    for (ours, theirs) in ours.iter().zip(&theirs) {
        assert!(
            fs::read(ours).unwrap() == fs::read(theirs).unwrap(),
            "{what}"
        );
    }

    let out = path(folder, "out");
    let last: Vec<PathBuf> = theirs[n - k..].iter().rev().cloned().collect();
    let first = theirs[..k].to_vec();
    for some in [&last, &first, &theirs] {
        let output = sink::parse(out.as_os_str(), LAX).unwrap();
        let done = zfec::decode(sources(some), output, &Control::new().0).unwrap();
        assert!(fs::read(&out).unwrap() == data, "{what}");
        assert_eq!((done.length, done.agreed), (len as u64, some.len() - k));
    }
    // zfec's own decoder wants two shares at least.
    if k > 1 {
        let mut words = vec!["decode".into(), shown(&out)];
        words.extend(ours[n - k..].iter().map(|path| shown(path)));
        python.run(&words);
        assert!(fs::read(&out).unwrap() == data, "{what}");
    }
}

#[test]
fn small_geometries_and_lengths() {
    let folder = tempfile::tempdir().unwrap();
    let mut python = Python::start();
    let step = if full() { 1 } else { 17 };
    for n in 2..=8 {
        for k in 1..=n.min(4) {
            for len in (0..=100).step_by(step).chain([k, k * 4096]) {
                agree(&mut python, folder.path(), (k, n), len);
            }
        }
    }
}

#[test]
fn large_geometries_and_lengths() {
    let folder = tempfile::tempdir().unwrap();
    let mut python = Python::start();
    for (k, n) in [(6, 10), (10, 14), (16, 17), (3, 129), (33, 64), (200, 256)] {
        agree(&mut python, folder.path(), (k, n), 12_345);
    }
    for len in [8191, 4096 * 4 * 8, 4096 * 4 * 8 + 1, 1_234_567] {
        agree(&mut python, folder.path(), (4, 6), len);
    }
}

/// The shares of a small stream, (2, 4).
fn shares(folder: &Path, seed: u64, len: usize) -> Vec<PathBuf> {
    let paths: Vec<PathBuf> = (0..4)
        .map(|i| path(folder, &format!("{seed}.{i}.fec")))
        .collect();
    let reader = Box::new(ReaderInput(std::io::Cursor::new(noise(len, seed))));
    zfec::encode(reader, sinks(&paths), 2, None, &Control::new().0).unwrap();
    paths
}

/// Runs the program; its exit code, and what it said on standard error.
fn distdup(arguments: &[&str]) -> (Option<i32>, Vec<u8>, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_distdup"))
        .args(arguments)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    (output.status.code(), output.stdout, said)
}

fn decoding_fails(shares: &[PathBuf], code: i32, reason: &str) {
    let mut arguments = vec!["decode"];
    arguments.extend(shares.iter().map(|path| path.to_str().unwrap()));
    let (found, out, said) = distdup(&arguments);
    assert!(said.contains(reason), "{said}");
    assert_eq!((found, out.len()), (Some(code), 0), "{said}");
}

#[test]
fn what_is_wrong_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| path(folder.path(), name);
    let good = shares(folder.path(), 1, 101);
    let cut = at("cut.fec");
    fs::write(&cut, [3]).unwrap();
    decoding_fails(
        &[good[0].clone(), cut.clone()],
        1,
        "cut.fec does not begin with a header",
    );

    decoding_fails(&good[..1], 1, "2 of 4 are needed, 1 are given");
    decoding_fails(&[good[1].clone(), good[1].clone()], 1, "are both share 1");
    let other = shares(folder.path(), 2, 100);
    decoding_fails(
        &[good[0].clone(), other[1].clone()],
        1,
        "shares of different files",
    );
    let longer = shares(folder.path(), 3, 103);
    decoding_fails(
        &[good[0].clone(), longer[1].clone()],
        1,
        "ends 1 bytes or more before",
    );

    // Of one geometry, length and padding: told only by a third.
    let like = shares(folder.path(), 4, 101);
    decoding_fails(
        &[good[0].clone(), good[1].clone(), like[3].clone()],
        1,
        "4.3.fec contradicts the shares with lower numbers",
    );

    let ours = at("s{i}");
    let input = at("in");
    fs::write(&input, noise(500, 1)).unwrap();
    let (ours, input) = (shown(&ours), shown(&input));
    let (code, _, said) = distdup(&["encode", "-k", "2", "-n", "3", "-o", &ours, &input]);
    assert_eq!(code, Some(0), "{said}");
    decoding_fails(&[at("s0"), good[0].clone()], 2, "give shares of one kind");
    // What a command's last word is called, its output need not be.
    let by_command = |name: &str| format!("exec:cat {}; : a.fec", shown(&at(name)));
    let (code, out, said) = distdup(&["decode", &by_command("s0"), &by_command("s2")]);
    assert_eq!((code, out == noise(500, 1)), (Some(0), true), "{said}");
    fs::copy(at("s0"), at("s0.fec")).unwrap();
    decoding_fails(
        &[at("s0.fec"), good[0].clone()],
        1,
        "is a share of distdup's",
    );
}

#[test]
fn the_program_reads_and_writes_them() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| shown(&path(folder.path(), name));
    let data = noise(100_001, 9);
    fs::write(at("in"), &data).unwrap();
    let encode = ["encode", "--format", "zfec", "-k", "3", "-n", "5", "-o"];
    let with = |more: &[&str]| distdup(&[&encode[..], more].concat());
    let (code, _, said) = with(&[&at("a.{i}.fec"), &at("in")]);
    assert_eq!(code, Some(0), "{said}");

    let two = [at("a.4.fec"), at("a.1.fec"), at("a.3.fec")];
    let (code, out, said) = distdup(&["decode", &two[0], &two[1], &two[2]]);
    assert_eq!((code, out == data), (Some(0), true), "{said}");
    assert!(said.contains("could not be checked"), "{said}");
    // By another name, and as a stream.
    let cat = format!("exec:cat {}", at("a.0.fec"));
    let (code, out, said) = distdup(&[
        "decode", "--format", "zfec", &cat, &two[0], &two[1], &two[2],
    ]);
    assert_eq!((code, out == data), (Some(0), true), "{said}");
    assert!(said.contains("1 share more than suffice agreed"), "{said}");

    // A pipe cannot be gone back in: the length must be known.
    let to_pipes = format!("exec:cat > {}", at("b.{i}.fec"));
    let from = format!("cat {}", at("in"));
    let command = ["--from-command", "--", "sh", "-c", &from];
    let (code, _, said) = with(&[&[to_pipes.as_str()], &command[..]].concat());
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("give --size"), "{said}");
    let sized = [&[to_pipes.as_str(), "--size", "100001"], &command[..]].concat();
    let (code, _, said) = with(&sized);
    assert_eq!(code, Some(0), "{said}");
    for i in 0..5 {
        let (a, b) = (at(&format!("a.{i}.fec")), at(&format!("b.{i}.fec")));
        assert!(fs::read(a).unwrap() == fs::read(b).unwrap());
    }

    let (code, _, said) = with(&[&at("c.{i}.fec"), "--codec", "xor", &at("in")]);
    assert_eq!(code, Some(2), "{said}");
    for option in [
        &["--min-shares", "4"][..],
        &["--sink-timeout", "9"],
        &["--memory", "9M"],
        &["--workers", "1"],
        &["--verify"],
    ] {
        let (code, _, said) = with(&[&[&*at("c.{i}.fec")], option, &[&at("in")]].concat());
        assert_eq!(code, Some(2), "{said}");
        assert!(said.contains(option[0]), "{said}");
    }
    for option in [
        &["--salvage"][..],
        &["--stream", "00000000000000000000000000000000"],
        &["--source-timeout", "9"],
        &["--memory", "9M"],
        &["--workers", "1"],
    ] {
        let shares = ["decode", &two[0], &two[1], &two[2]];
        let (code, out, said) = distdup(&[&shares[..], option].concat());
        assert_eq!((code, out.len()), (Some(2), 0), "{said}");
        assert!(said.contains(option[0]), "{said}");
    }
    let short = [&at("c.{i}.fec"), "--size", "7", &at("in")].map(|word: &str| word.to_owned());
    let (code, _, said) = with(&short.each_ref().map(String::as_str));
    assert_eq!(code, Some(1), "{said}");
    assert!(!path(folder.path(), "c.0.fec").exists());
}

/// A share that never opens, one that begins and does not go on, and the same of what is written.
#[test]
fn what_is_stuck_can_be_stopped() {
    let folder = tempfile::tempdir().unwrap();
    let good = shares(folder.path(), 1, 101);
    let start = fs::read(&good[0]).unwrap()[..10].to_vec();
    let pipe = path(folder.path(), "pipe");
    assert!(
        Command::new("mkfifo")
            .arg(&pipe)
            .status()
            .unwrap()
            .success()
    );
    let out = path(folder.path(), "out");
    for is_open in [false, true] {
        let _other = is_open.then(|| {
            let mut options = fs::OpenOptions::new();
            let mut other = options.read(true).write(true).open(&pipe).unwrap();
            other.write_all(&start).unwrap();
            other
        });
        let (control, canceller) = Control::new();
        let all = sources(&[pipe.clone(), good[1].clone()]);
        let output = sink::parse(out.as_os_str(), LAX).unwrap();
        let working = thread::spawn(move || zfec::decode(all, output, &control));
        canceller.cancel();
        let result = working.join().unwrap();
        assert!(matches!(result, Err(ZfecError::Cancelled)), "{result:?}");
        assert!(!out.exists());
    }

    let (control, canceller) = Control::new();
    let all = sinks(&[pipe, path(folder.path(), "1.fec")]);
    let data = Box::new(ReaderInput(std::io::Cursor::new(noise(101, 1))));
    let working = thread::spawn(move || zfec::encode(data, all, 2, Some(101), &control));
    canceller.cancel();
    let result = working.join().unwrap();
    assert!(matches!(result, Err(ZfecError::Cancelled)), "{result:?}");
    assert!(!path(folder.path(), "1.fec").exists());
}
