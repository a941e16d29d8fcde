//! The comparison as a page: one file, with nothing to fetch and nothing that runs.

mod bars;
mod chart;
mod losses;
mod scatter;
mod table;

use distdup::availability::{Group, Host};
use maud::{DOCTYPE, Markup, PreEscaped, html};
use serde_json::Value;

use super::Comparison;
use super::rows::Row;
use crate::cli::availability::model::Model;

/// Only what stands in the page itself counts, and no script: so the browser keeps that promise.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'";

/// The page. `json` is the same comparison, which goes into the page for programs.
pub fn page(comparison: &Comparison, title: &str, model: &Model, json: &Value) -> String {
    let rows = &comparison.rows;
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                meta http-equiv="Content-Security-Policy" content=(POLICY);
                title { "Which code for " (title) }
                style { (PreEscaped(include_str!("style.css"))) }
            }
            body {
                (chart::patterns())
                header {
                    h1 { "Which code for " (title) "?" }
                    (parameters(comparison, model))
                }
                main {
                    (advice(comparison))
                    (scatter::figure(rows, &comparison.down))
                    (losses::figure(rows))
                    (bars::figure(rows, comparison.host_speed, comparison.runs))
                    (table::figure(rows))
                }
                footer {
                    p {
                        "Made by " code { "distdup compare" } ", version " (env!("CARGO_PKG_VERSION")) ", at "
                        (comparison.machine.time) ". All figures, and the parameters that they answer, are in this page as JSON, in "
                        code { "script#figures" } ". What they mean is said in docs/COMPARE.md."
                    }
                }
                // A browser neither runs nor shows this. Its end would be found in a text, too.
                script type="application/json" id="figures" {
                    (PreEscaped(json.to_string().replace('<', "\\u003c")))
                }
            }
        }
    }
    .into_string()
}

fn parameters(comparison: &Comparison, model: &Model) -> Markup {
    let machine = &comparison.machine;
    html! {
        dl.parameters {
            div { dt { "Hosts" } dd { (hosts(comparison)) } }
            div { dt { "A host is" } dd { (model.wear_text()) } }
            div { dt { "Measured with" } dd { (comparison.data.text()) ", " (comparison.runs) " runs" } }
            div { dt { "Machine" } dd { (machine.processor) ", " (machine.threads) " threads, " (machine.system) } }
        }
    }
}

/// `10, up 0.99`, or each of them.
fn hosts(comparison: &Comparison) -> String {
    let hosts = &comparison.hosts;
    let up = |host: &Host| match (host.backup.up(), host.restore.up()) {
        (backup, _) if host.backup == host.restore => backup.to_string(),
        (backup, restore) => format!("{backup} at backup, {restore} at restore"),
    };
    let all: Vec<_> = hosts.iter().collect();
    let alike = |pair: &[&Host]| up(pair[0]) == up(pair[1]);
    let mut text = match &all[..] {
        [first, ..] if all.windows(2).all(alike) => format!("{}, each up {}", all.len(), up(first)),
        all => {
            let each: Vec<_> = all
                .iter()
                .map(|host| format!("{} {}", host.name, up(host)))
                .collect();
            each.join("; ")
        }
    };
    let group = |group: &Group| {
        format!(
            "{} ({}) {}",
            group.name,
            group.hosts.join(", "),
            group.up.up()
        )
    };
    let groups: Vec<_> = hosts.groups().iter().map(group).collect();
    if !groups.is_empty() {
        text = format!("{text}. Together in {}", groups.join(", "));
    }
    text
}

fn advice(comparison: &Comparison) -> Markup {
    html! {
        @if !comparison.advice.is_empty() {
            section.advice aria-labelledby="advice" {
                h2 #advice { "What follows" }
                @for sentence in &comparison.advice {
                    p data-rule=(sentence.rule) { (sentence.text) }
                }
            }
        }
    }
}

/// Which look a code has: a number for each name, in the order of the rows.
fn look(rows: &[Row], name: &str) -> usize {
    let mut names: Vec<&str> = Vec::new();
    for row in rows {
        if !names.contains(&row.judged.name.as_str()) {
            names.push(&row.judged.name);
        }
    }
    names
        .iter()
        .position(|one| *one == name)
        .unwrap_or_default()
        % chart::LOOKS
}
