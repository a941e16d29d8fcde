//! A folder to work in, and the program as a shell runs it.
#![allow(dead_code, reason = "each test binary uses a part")]
#![allow(clippy::unwrap_used, reason = "a test fails by it")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use tempfile::TempDir;

/// A folder that a test works in.
pub struct Desk(TempDir);

/// What a command line left.
#[derive(Debug)]
pub struct Ran {
    pub code: Option<i32>,
    pub out: Vec<u8>,
    pub err: String,
}

impl Desk {
    pub fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    /// With a file `in` of `len` bytes that do not repeat.
    pub fn with_input(len: usize) -> Self {
        let desk = Self::new();
        desk.write("in", &bytes(len));
        desk
    }

    pub fn at(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub fn read(&self, name: &str) -> Vec<u8> {
        fs::read(self.at(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
    }

    pub fn write(&self, name: &str, data: &[u8]) {
        fs::write(self.at(name), data).unwrap();
    }

    pub fn remove(&self, name: &str) {
        fs::remove_file(self.at(name)).unwrap();
    }

    /// Flips a bit of the byte at `offset`.
    pub fn damage(&self, name: &str, offset: usize) {
        let mut data = self.read(name);
        data[offset] ^= 1;
        self.write(name, &data);
    }

    /// Names of what is here.
    pub fn names(&self) -> Vec<String> {
        let mut names: Vec<String> = fs::read_dir(self.0.path())
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    /// Runs a command line in which `distdup` is the program.
    pub fn sh(&self, line: &str) -> Ran {
        self.command(line).output().unwrap().into()
    }

    /// The same, and it must exit with `code`.
    #[track_caller]
    pub fn exits(&self, code: i32, line: &str) -> Ran {
        let ran = self.sh(line);
        assert_eq!(ran.code, Some(code), "{line}\n{ran:?}");
        assert!(!ran.err.contains("panicked"), "{line}\n{}", ran.err);
        ran
    }

    /// The same, and its standard error must contain each of `texts`.
    #[track_caller]
    pub fn complains(&self, code: i32, line: &str, texts: &[&str]) {
        let ran = self.exits(code, line);
        for text in texts {
            assert!(
                ran.err.contains(text),
                "{line}\nexpected {text:?} in:\n{}",
                ran.err
            );
        }
    }

    /// Starts a command line; its standard streams are pipes.
    pub fn start(&self, line: &str) -> Child {
        let mut command = self.command(&format!("exec {line}"));
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command.spawn().unwrap()
    }

    fn command(&self, line: &str) -> Command {
        let program = Path::new(env!("CARGO_BIN_EXE_distdup"));
        let mut path = program.parent().unwrap().as_os_str().to_owned();
        path.push(":");
        path.push(std::env::var_os("PATH").unwrap());
        let mut command = Command::new("sh");
        command
            .arg("-c")
            .arg(line)
            .current_dir(self.0.path())
            .env("PATH", path);
        command
            .env("LC_ALL", "C")
            .env_remove("NO_COLOR")
            // Whoever runs the tests may have a configuration.
            .env("XDG_CONFIG_HOME", self.0.path())
            .env("TERM", "xterm");
        command.stdin(Stdio::null());
        command
    }
}

impl From<Output> for Ran {
    fn from(output: Output) -> Self {
        Self {
            code: output.status.code(),
            out: output.stdout,
            err: String::from_utf8(output.stderr).unwrap(),
        }
    }
}

impl Ran {
    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.out).unwrap()
    }

    /// Standard output as one JSON object.
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.out).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }
}

/// `len` bytes that do not repeat: a splitmix64 sequence.
pub fn bytes(len: usize) -> Vec<u8> {
    let word = |i: u64| {
        let mut z = (i + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)).to_le_bytes()
    };
    (0..).flat_map(word).take(len).collect()
}
