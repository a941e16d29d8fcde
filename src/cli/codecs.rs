//! `distdup codecs`: which codes there are.

use std::fmt::Write;

use anyhow::Context;
use clap::Args;
use distdup_codecs::{FAMILIES, Geometry};
use serde_json::{Value, json};

use super::Outcome;
use super::console::Console;

/// Geometries of which `codecs` shows the equations, if they have some of their own.
const SHOWN: &[(usize, usize)] = &[(2, 3), (6, 10)];

/// List the erasure codes that there are
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  distdup codecs --json")]
pub struct Codecs {}

impl Codecs {
    #[allow(clippy::unused_self)] // As all commands.
    pub fn run(self, console: Console) -> anyhow::Result<Outcome> {
        let mut text =
            String::from("rs     the fastest Reed-Solomon code for k and n (the default)\n");
        let mut codecs = Vec::new();
        for family in FAMILIES {
            let built_in: Vec<_> = SHOWN
                .iter()
                .filter_map(|&(k, n)| {
                    let geometry = Geometry::new(k, n).ok()?;
                    Some((geometry, family.code(geometry, None).ok()?))
                })
                .collect();
            let _ = writeln!(text, "{:<6} {}", family.id(), family.summary());
            for (geometry, code) in built_in
                .iter()
                .filter(|(_, code)| code.params().contains('^'))
            {
                let _ = writeln!(text, "         built in for {geometry}: {}", code.params());
            }
            let built_in: Vec<Value> = built_in
                .iter()
                .map(|(g, code)| json!({ "k": g.k(), "n": g.n(), "params": code.params() }))
                .collect();
            codecs.push(
                json!({ "id": family.id(), "summary": family.summary(), "examples": built_in }),
            );
        }
        let json = json!({ "status": Outcome::Done.status(), "codecs": codecs });
        console
            .result(text.trim_end(), &json)
            .context("cannot print the result")?;
        Ok(Outcome::Done)
    }
}
