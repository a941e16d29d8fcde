//! Which code a command is about.

use std::sync::Arc;

use clap::Args;
use distdup::choice::Choice;
use distdup::config::Settings;
use distdup_codecs::{ALIASES, Alias, Code, FAMILIES, Geometry, resolve};
use serde_json::{Map, Value, json};

use super::Usage;
use super::console::warn;

/// The code, or some of what makes one.
#[derive(Debug, Args)]
pub struct CodeArgs {
    /// rs, xor, copy or another of `distdup codecs` [default: rs; xor with --equations]
    #[arg(long)]
    codec: Option<String>,
    /// Shares that suffice
    #[arg(short)]
    k: Option<usize>,
    /// Shares in all [default: as many as there are outputs]
    #[arg(short)]
    n: Option<usize>,
    /// Parity equations for xor, such as '3^5^6,2^4^6,1^4^5,1^2^3'
    #[arg(long, value_name = "LIST")]
    equations: Option<String>,
}

impl CodeArgs {
    fn choice(&self) -> Choice<'_> {
        Choice {
            codec: self.codec.as_deref(),
            k: self.k,
            n: self.n,
            equations: self.equations.as_deref(),
        }
    }

    /// Whether it can be rs8.
    pub fn is_rs8(&self) -> bool {
        ["rs", "rs8"].contains(&self.choice().codec())
    }

    /// Shares in all, as far as it follows from what is given.
    pub fn n(&self, hosts: Option<usize>) -> Option<usize> {
        self.choice().n(hosts)
    }

    /// Shares that suffice, as far as it follows from what is given.
    pub fn k(&self, n: usize) -> Option<usize> {
        self.choice().k(n)
    }

    /// Takes what is not given from what is set for `n` hosts, as far as the code leaves it open.
    pub fn adopt(&mut self, settings: &Settings, n: usize) {
        let set = settings.wish();
        if self.codec.is_none() && self.equations.is_none() {
            (self.codec, self.equations) = (set.codec, set.equations);
        }
        self.k = self.k(n).or(set.k);
        self.n = Some(n);
    }

    /// The code with that geometry.
    pub fn code(&self, k: usize, n: usize) -> anyhow::Result<Arc<dyn Code>> {
        let geometry = Geometry::new(k, n).map_err(Usage::new)?;
        code(self.choice().codec(), geometry, self.equations.as_deref())
    }

    pub fn json(&self) -> Map<String, Value> {
        let mut object = Map::new();
        object.insert("codec".into(), json!(self.choice().codec()));
        object.insert("k".into(), json!(self.k));
        object.insert("n".into(), json!(self.n));
        object.insert("equations".into(), json!(self.equations));
        object
    }
}

/// What every code can be called, but for names of what is one of the others.
pub fn names() -> impl Iterator<Item = &'static str> {
    let single = ALIASES.iter().filter(|alias| alias.geometry().is_some());
    let ids = FAMILIES.iter().map(|family| family.id());
    ids.chain(single.map(Alias::name))
}

/// The code that is called so, with that geometry.
pub fn code(
    name: &str,
    geometry: Geometry,
    equations: Option<&str>,
) -> anyhow::Result<Arc<dyn Code>> {
    let code = resolve(name, geometry, equations).map_err(Usage::new)?;
    if equations.is_some() {
        warn_of_copies(&*code);
    }
    Ok(code)
}

/// Warns of equations that are there twice. Of one data shard all parity is copies, and meant to be.
pub fn warn_of_copies(code: &dyn Code) {
    let equations: Vec<_> = code.params().split(',').collect();
    let several = (equations.iter().enumerate()).filter(|_| code.geometry().k() > 1);
    for (at, equation) in several {
        if let Some(first) = equations[..at].iter().position(|other| other == equation) {
            warn(format!(
                "equations {} and {} are the same, {equation}: their shards are copies of each other",
                first + 1,
                at + 1
            ));
        }
    }
}
