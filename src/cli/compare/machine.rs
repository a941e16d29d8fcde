//! Where it was measured.

use std::env::consts::{ARCH, OS};
use std::fs;
use std::time::SystemTime;

use distdup::encode::default_workers;
use serde_json::{Value, json};

/// This machine, now.
#[derive(Debug)]
pub struct Machine {
    pub processor: String,
    pub threads: usize,
    pub system: String,
    pub time: String,
}

impl Machine {
    pub fn this() -> Self {
        let processor = read_field("/proc/cpuinfo", "model name");
        let release = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
        let time = humantime::format_rfc3339_seconds(SystemTime::now());
        Self {
            processor: processor.unwrap_or_else(|| ARCH.to_owned()),
            threads: default_workers(),
            system: format!("{OS} {}", release.trim()).trim_end().to_owned(),
            time: time.to_string(),
        }
    }

    /// In a line.
    pub fn text(&self) -> String {
        format!(
            "{}, {} threads, {}, distdup {}, {}",
            self.processor,
            self.threads,
            self.system,
            env!("CARGO_PKG_VERSION"),
            self.time
        )
    }

    pub fn json(&self) -> Value {
        json!({
            "processor": self.processor,
            "threads": self.threads,
            "system": self.system,
            "version": env!("CARGO_PKG_VERSION"),
            "time": self.time,
        })
    }
}

fn read_field(path: &str, name: &str) -> Option<String> {
    let text = fs::read_to_string(path).ok()?;
    let value = text.lines().find_map(|line| {
        let (key, value) = line.split_once(':')?;
        (key.trim() == name).then(|| value.trim().to_owned())
    });
    value.filter(|value| !value.is_empty())
}
