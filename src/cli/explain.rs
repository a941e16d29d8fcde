//! `distdup explain`: what an error's code stands for.

use std::fmt::Write;

use anyhow::Context;
use clap::Args;
use distdup::catalogue::{CATALOGUE, Entry};
use distdup::quote::quote;
use serde_json::json;

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
        let mut entries = Vec::new();
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
                entries.push(json!({
                    "about": chapter.title,
                    "code": code,
                    "meaning": meaning,
                    "next": next,
                }));
            }
        }
        if entries.is_empty() {
            let code = quote(self.code.unwrap_or_default());
            return Err(Usage::say(format!(
                "no error has the code {code}: distdup explain lists all that there are"
            )));
        }
        let status = Outcome::Done.status();
        let json = json!({ "status": status, "entries": entries });
        console
            .result(text.trim_end(), &json)
            .context("cannot print the result")?;
        Ok(Outcome::Done)
    }
}
