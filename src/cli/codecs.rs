//! `distdup codecs`: which codes there are.

use std::fmt::Write;

use anyhow::Context;
use clap::Args;
use distdup_codecs::{ALIASES, Alias, FAMILIES, Family, Geometry, resolve};
use serde_json::{Value, json};

use super::Outcome;
use super::console::Console;

/// Geometries of which `codecs` shows the equations, if a codec has some of its own for them.
const SHOWN: &[(usize, usize)] = &[(2, 3), (6, 10)];

/// List the erasure codes that there are
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  distdup codecs --json")]
pub struct Codecs {}

impl Codecs {
    #[allow(clippy::unused_self)] // As all commands.
    pub fn run(self, console: Console) -> anyhow::Result<Outcome> {
        let mut text = String::new();
        for alias in ALIASES {
            entry(&mut text, alias.name(), alias.summary());
        }
        for family in FAMILIES {
            entry(&mut text, family.id(), family.summary());
            for (geometry, params) in examples(family.id()) {
                if params.contains('^') {
                    let _ = writeln!(text, "{:13}{geometry}: {params}", "");
                }
            }
        }
        let json = json!({
            "status": Outcome::Done.status(),
            "codecs": FAMILIES.iter().map(|family| family_json(*family)).collect::<Vec<_>>(),
            "aliases": ALIASES.iter().map(alias_json).collect::<Vec<_>>(),
        });
        console
            .result(text.trim_end(), &json)
            .context("cannot print the result")?;
        Ok(Outcome::Done)
    }
}

fn entry(text: &mut String, name: &str, summary: &str) {
    let _ = writeln!(text, "{name:<12} {summary}");
}

/// Some geometries that a codec takes, with its params for them.
fn examples(name: &str) -> Vec<(Geometry, String)> {
    let example = |&(k, n): &(usize, usize)| {
        let geometry = Geometry::new(k, n).ok()?;
        let code = resolve(name, geometry, None).ok()?;
        Some((geometry, code.params().to_owned()))
    };
    SHOWN.iter().filter_map(example).collect()
}

fn family_json(family: &dyn Family) -> Value {
    let example = |(geometry, params): (Geometry, String)| json!({ "k": geometry.k(), "n": geometry.n(), "params": params });
    let examples: Vec<_> = examples(family.id()).into_iter().map(example).collect();
    json!({ "id": family.id(), "summary": family.summary(), "examples": examples })
}

fn alias_json(alias: &Alias) -> Value {
    let (k, n) = alias.geometry().unzip();
    json!({ "name": alias.name(), "summary": alias.summary(), "k": k, "n": n })
}
