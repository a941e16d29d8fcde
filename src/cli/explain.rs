//! `distdup explain`: what an error's code stands for.

use std::fmt::Write;

use anyhow::Context;
use clap::Args;
use distdup::catalogue::{CATALOGUE, Entry};
use serde_json::{Value, json};

use super::console::Console;
use super::failure::CHAPTERS;
use super::{Outcome, Usage};

/// Tell what an error's code means for the data, and what to do next; all codes without one
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  distdup explain too-few-shares\n  distdup explain --json")]
pub struct Explain {
    /// The code, as --json gives it
    #[arg(value_name = "CODE")]
    code: Option<String>,
}

impl Explain {
    pub fn run(self, console: Console) -> anyhow::Result<Outcome> {
        let mut text = String::new();
        let mut list = Vec::new();
        for chapter in CATALOGUE.iter().chain(CHAPTERS) {
            let is_asked = |entry: &&Entry| {
                let mut code = self.code.iter();
                code.all(|code| code == entry.code)
            };
            for entry in chapter.entries.iter().filter(is_asked) {
                let Entry {
                    code,
                    meaning,
                    next,
                } = entry;
                let _ = writeln!(text, "{code}\n  means: {meaning}\n  next: {next}");
                list.push(json!({
                    "about": chapter.title,
                    "code": code,
                    "meaning": meaning,
                    "next": next,
                }));
            }
        }
        if list.is_empty() {
            return Err(Usage::say(
                "there is no such code; without one, all are listed",
            ));
        }
        console
            .result(text.trim_end(), &Value::from(list))
            .context("cannot print the result")?;
        Ok(Outcome::Done)
    }
}
