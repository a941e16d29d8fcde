//! `distdup availability`: what a code is worth on some hosts.

use anyhow::Context;
use clap::{Args, ValueEnum};
use distdup::availability::durability::{Wear, loss_within};
use distdup::availability::{AvailabilityError, Figures, Hosts, Method, figures};
use distdup::config::Settings;
use distdup::encode::default_min_shares;
use distdup_codecs::Code;
use serde_json::{Map, Value, json};

use super::code::CodeArgs;
use super::console::Console;
use super::settings::Selection;
use super::{Outcome, Usage};

pub mod answer;
mod losses;
pub mod model;
mod table;

use answer::Answer;

/// Tell how likely it is that shares can be read again: which code for which hosts
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
#[command(mut_arg("n", |arg| arg.help("Shares in all [default: as many as there are hosts]")))]
pub struct Availability {
    #[command(flatten)]
    code: CodeArgs,
    /// Shares that acknowledge a backup [default: K + (N - K) / 2]
    #[arg(long, value_name = "COUNT")]
    min_shares: Option<usize>,
    /// By what
    #[arg(long, value_enum, default_value = "exact")]
    method: How,
    /// How often, with monte-carlo [default: 100000]
    #[arg(long, value_name = "COUNT")]
    trials: Option<u64>,
    /// For the same figures again, with monte-carlo [default: 1]
    #[arg(long, value_name = "NUMBER")]
    seed: Option<u64>,
    /// A table over k and n, up to N or 10
    #[arg(long, conflicts_with_all = ["k", "min_shares", "host", "group"])]
    table: bool,
    /// List the losses that the code does not survive, instead
    #[arg(long, conflicts_with = "table")]
    patterns: bool,
    /// Count shares from 1 in that list
    #[arg(long, requires = "patterns")]
    one_based: bool,
    #[command(flatten)]
    model: model::Model,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum How {
    Exact,
    Brute,
    MonteCarlo,
}

const AFTER_HELP: &str = "\
Examples:
  distdup availability -k 4 -n 6                           six hosts that are up 99 % of the time
  distdup availability -n 10 -a 0.9                        every k
  distdup availability -k 1 --host nas=0.99 --host cloud=0.9999 --loss-rate 0.05
  distdup availability -k 2 -n 4 --group room=h0,h1:0.999 --group cellar=h2,h3:0.99
  distdup availability --codec xor -k 6 -n 10 --patterns
  distdup availability -P home                             the hosts of distdup.toml

What is assumed, and what the fields of --json are, is said in docs/AVAILABILITY.md.";

impl Availability {
    pub fn run(mut self, console: Console, selection: &Selection) -> anyhow::Result<Outcome> {
        self.adopt(&selection.settings(console)?, selection.is_given())?;
        if self.patterns {
            return losses::run(&self, console);
        }
        let method = self.method()?;
        let n = self.code.n(self.model.count());
        if self.table {
            return table::over_k_and_n(&self, n.unwrap_or(table::SIDE), method, console);
        }
        let n =
            n.ok_or_else(|| Usage::say("how many shares? give -n, or a --host for each share"))?;
        match self.code.k(n) {
            Some(k) => {
                let code = self.code.code(k, n)?;
                let hosts = self.model.hosts(n)?;
                let answer = self.answer(&*code, &hosts, method)?;
                let text = answer.text(&hosts, &self.model);
                self.print(console, &text, &hosts.into(), method, &[answer])
            }
            None => table::over_k(&self, n, method, console),
        }
    }

    /// Takes what is not given from what is set, if it is about as many hosts.
    fn adopt(&mut self, settings: &Settings, insisted: bool) -> anyhow::Result<()> {
        let hosts = settings.listed_hosts().unwrap_or_default();
        let set = (!hosts.is_empty()).then_some(hosts.len());
        let (Some(n), false) = (set.or(settings.wish().n), self.table) else {
            return Ok(());
        };
        match self.code.n(self.model.count()) {
            Some(asked) if asked != n && insisted => {
                let (shares, hosts) = (asked, n);
                return Err(Usage::new(AvailabilityError::HostCount { shares, hosts }).into());
            }
            Some(asked) if asked != n => return Ok(()),
            _ => {}
        }
        // It goes with the k that it was set with.
        if self.code.k(n).is_none() && settings.k.is_some() {
            self.min_shares = self.min_shares.or(settings.wish().min_shares);
        }
        self.code.adopt(settings, n);
        if !hosts.is_empty() && !self.model.has_hosts() {
            let groups = settings.groups.iter().map(|group| group.value.clone());
            self.model.adopt(hosts, groups.collect())?;
        }
        Ok(())
    }

    fn method(&self) -> anyhow::Result<Method> {
        match self.method {
            How::MonteCarlo => Ok(Method::MonteCarlo {
                trials: self.trials.unwrap_or(100_000),
                seed: self.seed.unwrap_or(1),
            }),
            _ if self.trials.is_some() || self.seed.is_some() => Err(Usage::say(
                "--trials and --seed go with --method monte-carlo only",
            )),
            How::Exact => Ok(Method::Exact),
            How::Brute => Ok(Method::Brute),
        }
    }

    fn answer(&self, code: &dyn Code, hosts: &Hosts, method: Method) -> anyhow::Result<Answer> {
        let geometry = code.geometry();
        let n = geometry.n();
        let min_shares = self.min_shares.unwrap_or_else(|| default_min_shares(code));
        let figures: Figures = figures(code, hosts, min_shares, method).map_err(Usage::new)?;
        let loss = match self.model.wear() {
            None => None,
            Some((rates, years_to_heal)) => {
                let wear = Wear::new(n, rates, years_to_heal).map_err(Usage::new)?;
                Some(loss_within(1.0, code, &wear).map_err(Usage::new)?)
            }
        };
        Ok(Answer {
            id: code.id(),
            params: code.params().to_owned(),
            geometry,
            min_shares,
            figures,
            loss,
        })
    }

    /// Prints answers, as JSON with what they are answers to.
    fn print(
        &self,
        console: Console,
        text: &str,
        hosts: &model::Asked,
        method: Method,
        answers: &[Answer],
    ) -> anyhow::Result<Outcome> {
        let mut parameters = self.code.json();
        parameters.insert("min_shares".into(), json!(self.min_shares));
        parameters.extend(hosts.json());
        parameters.extend(self.model.wear_json());
        let (name, trials, seed) = match method {
            Method::Exact => ("exact", None, None),
            Method::Brute => ("brute", None, None),
            Method::MonteCarlo { trials, seed } => ("monte-carlo", Some(trials), Some(seed)),
        };
        parameters.insert("method".into(), json!(name));
        parameters.insert("trials".into(), json!(trials));
        parameters.insert("seed".into(), json!(seed));
        let results: Vec<Value> = answers.iter().map(Answer::json).collect();
        show(console, text, &parameters, "results", &json!(results))
    }
}

fn show(
    console: Console,
    text: &str,
    parameters: &Map<String, Value>,
    name: &str,
    result: &Value,
) -> anyhow::Result<Outcome> {
    let json = json!({
        "status": Outcome::Done.status(),
        "parameters": parameters,
        name: result,
    });
    console
        .result(text.trim_end(), &json)
        .context("cannot print the result")?;
    Ok(Outcome::Done)
}
