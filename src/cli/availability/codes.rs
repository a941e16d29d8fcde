//! Which code is asked about.

use std::sync::Arc;

use clap::Args;
use distdup::config::Settings;
use distdup::duplicity::hosts::DEFAULT_CODEC;
use distdup_codecs::{Code, FAMILIES, Geometry, resolve};
use serde_json::{Map, Value, json};

use crate::cli::Usage;
use crate::cli::console::warn;

/// Equations that have a name: what it is, k, n, and they.
type Named = (&'static str, usize, usize, &'static str);
const NAMED: &[Named] = &[("xor:matland", 6, 10, "3^5^6,2^4^6,1^4^5,1^2^3")];

/// The code, or some of what makes one.
#[derive(Debug, Args)]
pub struct Codes {
    /// rs, rs16, xor, copy, or xor:matland, the prototype's [default: rs]
    #[arg(long)]
    codec: Option<String>,
    /// Shares that suffice; every k if not given
    #[arg(short)]
    k: Option<usize>,
    /// Shares in all; as many as there are hosts
    #[arg(short)]
    n: Option<usize>,
    /// Parity equations for xor, such as '3^5^6,2^4^6,1^4^5,1^2^3'
    #[arg(long, value_name = "LIST")]
    equations: Option<String>,
}

impl Codes {
    fn named(&self) -> Option<&'static Named> {
        named(self.codec())
    }

    fn codec(&self) -> &str {
        self.codec.as_deref().unwrap_or(DEFAULT_CODEC)
    }

    /// Takes what is not given from what is set, as far as the code leaves it open.
    pub fn adopt(&mut self, settings: &Settings, n: usize) {
        let set = settings.wish();
        self.codec = self.codec.take().or(set.codec);
        self.k = self.k(n).or(set.k);
        self.n = Some(n);
    }

    /// Shares in all, as far as it follows from what is given.
    pub fn n(&self, hosts: Option<usize>) -> Option<usize> {
        let parity = self.equations.as_ref().map(|list| list.split(',').count());
        self.n
            .or(hosts)
            .or(self.named().map(|(_, _, n, _)| *n))
            .or(self.k.zip(parity).map(|(k, parity)| k + parity))
    }

    /// Shares that suffice, as far as it follows from what is given.
    pub fn k(&self, n: usize) -> Option<usize> {
        let parity = self.equations.as_ref().map(|list| list.split(',').count());
        self.k
            .or((self.codec() == "copy").then_some(1))
            .or(self.named().map(|(_, k, ..)| *k))
            .or(parity.and_then(|parity| n.checked_sub(parity)))
    }

    /// The code with that geometry.
    pub fn code(&self, k: usize, n: usize) -> anyhow::Result<Arc<dyn Code>> {
        let geometry = Geometry::new(k, n).map_err(Usage::new)?;
        code(self.codec(), geometry, self.equations.as_deref())
    }

    pub fn json(&self) -> Map<String, Value> {
        let mut object = Map::new();
        object.insert("codec".into(), json!(self.codec()));
        object.insert("k".into(), json!(self.k));
        object.insert("n".into(), json!(self.n));
        object.insert("equations".into(), json!(self.equations));
        object
    }
}

/// What every code can be called, but for `rs`, which is one of the others.
pub fn names() -> impl Iterator<Item = &'static str> {
    let ids = FAMILIES.iter().map(|family| family.id());
    ids.chain(NAMED.iter().map(|(name, ..)| *name))
}

/// The code that is called so, with that geometry.
pub fn code(
    codec: &str,
    geometry: Geometry,
    equations: Option<&str>,
) -> anyhow::Result<Arc<dyn Code>> {
    let found = match named(codec) {
        Some(_) if equations.is_some() => {
            return Err(Usage::say(format!(
                "{codec} has equations of its own: give --codec xor with --equations"
            )));
        }
        Some((name, k, n, _)) if (geometry.k(), geometry.n()) != (*k, *n) => {
            return Err(Usage::say(format!(
                "{name} is a code with k = {k} and n = {n}, not {geometry}"
            )));
        }
        Some((.., equations)) => resolve("xor", geometry, Some(equations)),
        None if codec.starts_with("xor:") => {
            let known: Vec<_> = NAMED.iter().map(|(name, ..)| *name).collect();
            return Err(Usage::say(format!(
                "no equations are called {codec:?}; there are {} (or give --equations)",
                known.join(", ")
            )));
        }
        None => resolve(codec, geometry, equations),
    };
    Ok(found.map_err(Usage::new)?)
}

fn named(codec: &str) -> Option<&'static Named> {
    NAMED.iter().find(|(name, ..)| *name == codec)
}

/// Refuses a code that protects some data not at all, and warns of parity that is there twice.
pub fn check(code: &dyn Code) -> anyhow::Result<()> {
    let shards = code.geometry().shards();
    for data in (0..code.geometry().k()).filter(|_| code.geometry().n() > 1) {
        let mut others = shards;
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
    for (at, equation) in equations.iter().enumerate() {
        if let Some(first) = equations[..at].iter().position(|other| other == equation) {
            warn(format!(
                "equations {} and {} are the same, {equation}: the second adds little",
                first + 1,
                at + 1
            ));
        }
    }
    Ok(())
}
