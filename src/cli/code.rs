//! Which code a command is about.

use std::sync::Arc;

use clap::Args;
use distdup::config::Settings;
use distdup_codecs::{ALIASES, Alias, Code, FAMILIES, Geometry, alias, resolve};
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
    /// Shares in all [default: as many as there are hosts or outputs]
    #[arg(short)]
    n: Option<usize>,
    /// Parity equations for xor, such as '3^5^6,2^4^6,1^4^5,1^2^3'
    #[arg(long, value_name = "LIST")]
    equations: Option<String>,
}

impl CodeArgs {
    fn name(&self) -> &str {
        let default = if self.equations.is_some() {
            "xor"
        } else {
            "rs"
        };
        self.codec.as_deref().unwrap_or(default)
    }

    /// The geometry that a name stands for.
    fn named(&self) -> Option<(usize, usize)> {
        alias(self.name())?.geometry()
    }

    fn parity(&self) -> Option<usize> {
        Some(self.equations.as_ref()?.split(',').count())
    }

    /// Shares in all, as far as it follows from what is given.
    pub fn n(&self, hosts: Option<usize>) -> Option<usize> {
        self.n
            .or(hosts)
            .or(self.named().map(|(_, n)| n))
            .or(self.k.zip(self.parity()).map(|(k, parity)| k + parity))
    }

    /// Shares that suffice, as far as it follows from what is given.
    pub fn k(&self, n: usize) -> Option<usize> {
        self.k
            .or((self.name() == "copy").then_some(1))
            .or(self.named().map(|(k, _)| k))
            .or(self.parity().and_then(|parity| n.checked_sub(parity)))
    }

    /// Takes what is not given from what is set for `n` hosts, as far as the code leaves it open.
    pub fn adopt(&mut self, settings: &Settings, n: usize) {
        let set = settings.wish();
        if self.equations.is_none() {
            self.codec = self.codec.take().or(set.codec);
        }
        self.k = self.k(n).or(set.k);
        self.n = Some(n);
    }

    /// The code with that geometry.
    pub fn code(&self, k: usize, n: usize) -> anyhow::Result<Arc<dyn Code>> {
        let geometry = Geometry::new(k, n).map_err(Usage::new)?;
        code(self.name(), geometry, self.equations.as_deref())
    }

    pub fn json(&self) -> Map<String, Value> {
        let mut object = Map::new();
        object.insert("codec".into(), json!(self.name()));
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
///
/// Equations that leave data unprotected are refused, and those that are there twice warned of.
pub fn code(
    name: &str,
    geometry: Geometry,
    equations: Option<&str>,
) -> anyhow::Result<Arc<dyn Code>> {
    let code = resolve(name, geometry, equations).map_err(Usage::new)?;
    if equations.is_some() {
        check(&*code)?;
    }
    Ok(code)
}

fn check(code: &dyn Code) -> anyhow::Result<()> {
    let geometry = code.geometry();
    for data in geometry.data() {
        let mut others = geometry.shards();
        others.remove(data);
        if !code.reconstructible(others).contains(data) {
            return Err(Usage::say(format!(
                "data shard {} is in no equation, so that it cannot be had again if it alone is \
                 lost: put it into one of {}",
                data + 1,
                code.params()
            )));
        }
    }
    let equations: Vec<_> = code.params().split(',').collect();
    // Of one data shard all parity is copies, and meant to be.
    for (at, equation) in equations.iter().enumerate().filter(|_| geometry.k() > 1) {
        if let Some(first) = equations[..at].iter().position(|other| other == equation) {
            warn(format!(
                "equations {} and {} are the same, {equation}: their shards are copies of each other",
                first + 1,
                at + 1
            ));
        }
    }
    Ok(())
}
