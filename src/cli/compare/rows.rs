//! Which codes are compared, and what is known of each.

use std::collections::HashSet;
use std::sync::Arc;

use anyhow::Context;
use distdup::availability::durability::{Wear, loss_within};
use distdup::availability::{AvailabilityError, Hosts, Method, figures};
use distdup::compare::{Facts, Speed, facts};
use distdup::encode::default_min_shares;
use distdup_codecs::{Code, Geometry};

use super::advice::Candidate;
use super::{Compare, Usage};
use crate::cli::availability::answer::Answer;
use crate::cli::availability::model::Model;
use crate::cli::code;
use crate::cli::console::{Console, warn};

/// As many shares are parity, where nothing is said: one, two, three, four; and half or two thirds of
/// all.
const USUAL_PARITY: usize = 4;

/// And as many copies, beside.
const USUAL_COPIES: usize = 3;

/// How availability is found where it cannot be found exactly.
const BY_CHANCE: Method = Method::MonteCarlo {
    trials: 100_000,
    seed: 1,
};

/// A code, and what it was called when it was asked for: `rs` stands for one of several.
#[derive(Debug, Clone)]
pub struct Named {
    pub name: String,
    pub code: Arc<dyn Code>,
}

/// A code, and what is known of it without trying.
pub struct Judged {
    pub name: String,
    pub code: Arc<dyn Code>,
    pub facts: Facts,
    pub answer: Answer,
}

/// And with.
pub struct Row {
    pub judged: Judged,
    pub speed: Speed,
}

impl Judged {
    /// `rs16 (6, 10)`.
    pub fn title(&self) -> String {
        format!("{} {}", self.name, self.code.geometry())
    }
}

impl Row {
    pub fn candidate(&self) -> Candidate {
        let Judged { answer, code, .. } = &self.judged;
        let readable = &answer.figures.readable;
        Candidate {
            title: self.judged.title(),
            copies: code.id() == "copy",
            k: code.geometry().k(),
            storage: answer.storage(),
            unavailable: readable.interval.is_none().then_some(readable.no),
            loss: answer.loss,
            encode: self.speed.encode.clone(),
        }
    }
}

/// The codes that were asked for, those that take little space first.
pub fn codes(command: &Compare, hosts: usize, console: Console) -> anyhow::Result<Vec<Named>> {
    let asked = asked_geometries(command, hosts)?;
    let all = command.codec.is_empty();
    let names: Vec<String> = if all {
        code::names().map(str::to_owned).collect()
    } else {
        command.codec.clone()
    };
    if command.equations.is_some() && (asked.len() != 1 || !(all || names.contains(&"xor".into())))
    {
        return Err(Usage::say(
            "--equations are those of codec xor with one -k and -n: give these",
        ));
    }
    let geometries = match &asked[..] {
        [] => usual_geometries(hosts)?,
        asked => asked.to_vec(),
    };
    let mut known = HashSet::new();
    let mut found = Vec::new();
    for name in &names {
        let mut refused = Vec::new();
        for &geometry in &geometries {
            // One share of one: that is a copy, and called so, unless asked for.
            if asked.is_empty() && (geometry.k() == 1) != (name == "copy") {
                continue;
            }
            let equations = command.equations.as_deref().filter(|_| name == "xor");
            match code::code(name, geometry, equations) {
                Ok(code) => {
                    if known.insert((code.id(), code.params().to_owned(), geometry)) {
                        found.push(Named {
                            name: name.clone(),
                            code,
                        });
                    }
                }
                Err(error) if equations.is_some() => return Err(error),
                Err(error) => refused.push((geometry, error)),
            }
        }
        let shown: Vec<_> = refused
            .iter()
            .map(|(geometry, _)| geometry.to_string())
            .collect();
        match refused.into_iter().next() {
            Some((_, error)) if !all && shown.len() == geometries.len() => return Err(error),
            Some(_) if !all => warn(format!(
                "left out, for there is no such code: {name} {}",
                shown.join(", ")
            )),
            Some(_) => console.detail(format!("there is no {name} {}", shown.join(", "))),
            None => {}
        }
    }
    found.sort_by(|a, b| storage(&a.code).total_cmp(&storage(&b.code)));
    if found.is_empty() {
        return Err(Usage::say(
            "there is no code for that geometry: see `distdup codecs`",
        ));
    }
    Ok(found)
}

fn storage(code: &Arc<dyn Code>) -> f64 {
    let real = |count: usize| f64::from(u16::try_from(count).unwrap_or(u16::MAX));
    real(code.geometry().n()) / real(code.geometry().k())
}

/// Those on the command line.
fn asked_geometries(command: &Compare, hosts: usize) -> anyhow::Result<Vec<Geometry>> {
    let mut geometries = command.geometry.clone();
    match (command.k, command.n) {
        (Some(k), n) => geometries.push(Geometry::new(k, n.unwrap_or(hosts)).map_err(Usage::new)?),
        (None, Some(_))
            if command.hosts.or(command.model.count()).is_some() || !geometries.is_empty() =>
        {
            return Err(Usage::say("-n goes with -k: give both, or --geometry K,N"));
        }
        (None, _) => {}
    }
    for geometry in &geometries {
        if geometry.n() > hosts {
            return Err(Usage::say(format!(
                "{geometry} takes {} hosts, and there are {hosts}: one share goes to each",
                geometry.n()
            )));
        }
        if geometry.parity() == 0 {
            return Err(Usage::say(format!(
                "{geometry} is a lone copy, from which nothing can be repaired: give two shares \
                 or more"
            )));
        }
    }
    Ok(geometries)
}

/// For so many hosts.
fn usual_geometries(hosts: usize) -> anyhow::Result<Vec<Geometry>> {
    if hosts < 2 {
        return Err(Usage::say(format!(
            "{hosts} hosts leave nothing to choose: with two or more, one may be lost"
        )));
    }
    let parity = (1..=USUAL_PARITY.min(hosts - 1)).chain([hosts / 2, hosts * 2 / 3]);
    let mut pairs: Vec<_> = parity.map(|parity| (hosts - parity, hosts)).collect();
    pairs.extend((2..=USUAL_COPIES.min(hosts)).map(|copies| (1, copies)));
    pairs.sort_unstable();
    pairs.dedup();
    let geometry = |(k, n)| Ok(Geometry::new(k, n).map_err(Usage::new)?);
    pairs.into_iter().map(geometry).collect()
}

/// What is known of each without trying. A code with fewer shares than there are hosts is on the
/// first of them.
pub fn judge(codes: Vec<Named>, hosts: &Hosts, model: &Model) -> anyhow::Result<Vec<Judged>> {
    let wear = model
        .wear()
        .map(|(rates, years)| Wear::new(hosts.len(), rates, years));
    let wear = wear.transpose().map_err(Usage::new)?;
    let judge = |Named { name, code }: Named| {
        let n = code.geometry().n();
        let min_shares = default_min_shares(&*code);
        let hosts = hosts.first(n);
        let figures = match figures(&*code, &hosts, min_shares, Method::Exact) {
            Err(AvailabilityError::TooMany { .. }) => {
                figures(&*code, &hosts, min_shares, BY_CHANCE)
            }
            exact => exact,
        };
        let facts = facts(&*code).with_context(|| format!("cannot use {name}"))?;
        Ok(Judged {
            answer: Answer {
                id: code.id(),
                params: code.params().to_owned(),
                geometry: code.geometry(),
                min_shares,
                figures: figures.map_err(Usage::new)?,
                loss: loss(&*code, wear.as_ref())?,
            },
            name,
            code,
            facts,
        })
    };
    codes.into_iter().map(judge).collect()
}

/// That data is lost within a year; `None` where it is too much to find out.
fn loss(code: &dyn Code, wear: Option<&Wear>) -> anyhow::Result<Option<f64>> {
    let Some(wear) = wear else {
        return Ok(None);
    };
    match loss_within(1.0, code, &wear.first(code.geometry().n())) {
        Err(AvailabilityError::TooMany { .. }) => Ok(None),
        loss => Ok(Some(loss.map_err(Usage::new)?)),
    }
}
