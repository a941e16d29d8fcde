//! A home, a working folder, and a real Duplicity: the one on PATH, or, where `DISTDUP_DUPLICITY3` names
//! the script of a 3.x, that one.
#![allow(dead_code, reason = "each test binary uses a part")]
#![allow(clippy::unwrap_used, reason = "a test fails by it")]

use std::ffi::{OsStr, OsString};
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::symlink;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use tempfile::TempDir;

pub const DISTDUP: &str = env!("CARGO_BIN_EXE_distdup");
pub const PLAIN: &[&str] = &["--", "--no-encryption", "--backend-retry-delay", "1"];
pub const SMALL_VOLUMES: &[&str] = &[
    "--",
    "--no-encryption",
    "--backend-retry-delay",
    "1",
    "--volsize",
    "1",
];

/// A home, a working folder, and a Duplicity.
pub struct World {
    pub folder: TempDir,
    pub duplicity: Option<OsString>,
}

impl World {
    pub fn new(duplicity: Option<OsString>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        for name in ["home", "tmp", "test"] {
            fs::create_dir(folder.path().join(name)).unwrap();
        }
        let world = Self { folder, duplicity };
        let test = world.path("test");
        fs::write(test.join("random"), random(2_500_000)).unwrap();
        fs::write(test.join("empty"), "").unwrap();
        fs::create_dir(test.join("a folder")).unwrap();
        fs::write(
            test.join("a folder").join(OsStr::from_bytes(b"caf\xe9\n")),
            "odd",
        )
        .unwrap();
        symlink("../random", test.join("a folder/link")).unwrap();
        world
    }

    /// One for each Duplicity there is.
    pub fn each() -> impl Iterator<Item = Self> {
        let newer = std::env::var_os("DISTDUP_DUPLICITY3").map(Some);
        [None].into_iter().chain(newer).map(Self::new)
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn host(&self, i: usize) -> PathBuf {
        self.path(&format!("backup_test/distdup{i}"))
    }

    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(DISTDUP);
        self.furnish(&mut command);
        let options = arguments
            .iter()
            .position(|word| *word == "--")
            .unwrap_or(arguments.len());
        command.args(&arguments[..options]);
        if let Some(duplicity) = &self.duplicity {
            command.arg("--duplicity").arg(duplicity);
        }
        command.args(&arguments[options..]);
        command
    }

    pub fn furnish(&self, command: &mut Command) {
        command
            .current_dir(self.folder.path())
            .env("HOME", self.path("home"))
            .env("TMPDIR", self.path("tmp"))
            .env_remove("PASSPHRASE")
            .env_remove("XDG_CACHE_HOME")
            .env_remove("XDG_CONFIG_HOME")
            .stdin(Stdio::null());
    }

    pub fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().unwrap()
    }

    pub fn backup(&self, options: &[&str]) -> Output {
        self.run(&[&["backup", "test/"], options].concat())
    }

    /// Restores, and compares.
    pub fn restores(&self, exit: i32) -> Output {
        let output = self.run(&[&["restore", "restore_test/"], PLAIN].concat());
        self.is_restored(&output, exit);
        output
    }

    pub fn is_restored(&self, output: &Output, exit: i32) {
        assert_exit(output, exit);
        self.is_like("restore_test");
        fs::remove_dir_all(self.path("restore_test")).unwrap();
    }

    pub fn is_like(&self, name: &str) {
        self.are_alike("test", name);
    }

    /// That two trees hold the same.
    #[track_caller]
    pub fn are_alike(&self, one: &str, other: &str) {
        let diff = Command::new("diff")
            .args(["-r", "--no-dereference"])
            .args([self.path(one), self.path(other)])
            .output()
            .unwrap();
        assert!(
            diff.status.success(),
            "{}",
            String::from_utf8_lossy(&diff.stdout)
        );
    }

    /// Sets a host aside for as long as `work` takes.
    pub fn without<T>(&self, hosts: &[usize], work: impl FnOnce() -> T) -> T {
        let away = |i: usize| self.path(&format!("away{i}"));
        for &i in hosts {
            fs::rename(self.host(i), away(i)).unwrap();
        }
        let result = work();
        for &i in hosts {
            fs::rename(away(i), self.host(i)).unwrap();
        }
        result
    }

    /// What stands in the working folder.
    pub fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(self.folder.path()).unwrap();
        let mut names: Vec<_> = entries
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    /// Shares on a host whose names contain `what`.
    pub fn shares(&self, host: usize, what: &str) -> Vec<PathBuf> {
        let mut shares: Vec<_> = fs::read_dir(self.host(host))
            .into_iter()
            .flatten()
            .map(|entry| entry.unwrap().path())
            .filter(|path| {
                let name = path.file_name().unwrap().to_str().unwrap();
                path.extension() == Some(OsStr::new("share")) && name.contains(what)
            })
            .collect();
        shares.sort();
        shares
    }
}

/// Cannot be compressed; the same each time.
pub fn random(length: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut bytes = Vec::with_capacity(length + 8);
    while bytes.len() < length {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend(state.to_le_bytes());
    }
    bytes.truncate(length);
    bytes
}

#[track_caller]
pub fn assert_exit(output: &Output, exit: i32) {
    assert_eq!(
        output.status.code(),
        Some(exit),
        "\n{}\n{}",
        String::from_utf8_lossy(&output.stdout),
        stderr(output)
    );
}

pub fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

pub fn stdout(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[track_caller]
pub fn wait_until(what: &str, mut condition: impl FnMut() -> bool) {
    let began = Instant::now();
    while !condition() {
        assert!(began.elapsed() < Duration::from_secs(60), "{what}");
        thread::sleep(Duration::from_millis(2));
    }
}

/// Processes whose command line has all of these words.
pub fn processes(words: &[&str]) -> Vec<u32> {
    let entries = fs::read_dir("/proc").unwrap().flatten();
    entries
        .filter_map(|entry| {
            let id = entry.file_name().to_str()?.parse().ok()?;
            let line = fs::read(entry.path().join("cmdline")).ok()?;
            let line = String::from_utf8_lossy(&line).into_owned();
            words.iter().all(|word| line.contains(word)).then_some(id)
        })
        .collect()
}

pub fn kill(id: u32, signal: &str) {
    let _ = Command::new("kill")
        .args([signal, &id.to_string()])
        .stderr(Stdio::null())
        .status();
}

/// Whether a folder in memory has something whose name begins so.
pub fn is_in_memory(part: &str) -> bool {
    let part = part.trim_start_matches('/');
    in_memory()
        .iter()
        .flat_map(fs::read_dir)
        .flatten()
        .flatten()
        .any(|entry| entry.file_name().to_string_lossy().starts_with(part))
}

/// Where runs of Duplicity may have their folders.
pub fn in_memory() -> [OsString; 2] {
    [
        "/dev/shm".into(),
        std::env::var_os("XDG_RUNTIME_DIR").unwrap_or_default(),
    ]
}
