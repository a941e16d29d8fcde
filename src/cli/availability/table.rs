//! Tables over k, and over k and n.

use std::fmt::Write;

use distdup::availability::{Hosts, Method};

use super::answer::{Answer, nines, of_a_year};
use super::model::Asked;
use super::{Availability, Usage};
use crate::cli::Outcome;
use crate::cli::console::{Console, warn};

/// Up to which n the table goes, unless said.
pub const SIDE: usize = 10;

/// What is larger is not read.
const MOST_SIDE: usize = 32;

/// Every k for which there is a code.
pub fn over_k(
    command: &Availability,
    n: usize,
    method: Method,
    console: Console,
) -> anyhow::Result<Outcome> {
    if command.min_shares.is_some() {
        return Err(Usage::say("--min-shares is for one code: give -k as well"));
    }
    let hosts = command.model.hosts(n)?;
    let mut answers = Vec::new();
    let mut left_out = Vec::new();
    let most = most_k(n);
    for k in 1..=most {
        match command.code.code(k, n) {
            Ok(code) => answers.push(command.answer(&*code, &hosts, method)?),
            Err(error) if k == most && answers.is_empty() => return Err(error),
            Err(_) => left_out.push(k.to_string()),
        }
    }
    if !left_out.is_empty() {
        warn(format!(
            "left out, for there is no such code without --equations: k = {}",
            left_out.join(", ")
        ));
    }
    let mut text = format!(
        "{:>3}  {:>5}  {:<13} {:>5}  {:<9}  {:>5}  {:<13} {:>5}  {:<9}",
        "k",
        "space",
        "unreadable",
        "nines",
        "of a year",
        "from",
        "unreadable",
        "nines",
        "of a year"
    );
    if command.model.wear().is_some() {
        text.push_str("  data lost");
    }
    text.push('\n');
    for answer in &answers {
        let readable = &answer.figures.readable;
        let _ = write!(
            text,
            "{:>3}  {:>5.2}  {:<13.6e} {:>5}  {:<9}  {:>5}",
            answer.geometry.k(),
            answer.storage(),
            readable.no,
            nines(readable),
            of_a_year(readable),
            answer.min_shares
        );
        let _ = match &answer.figures.unhealed {
            Some(chance) => write!(
                text,
                "  {:<13.6e} {:>5}  {:<9}",
                chance.no,
                nines(chance),
                of_a_year(chance)
            ),
            None => write!(text, "  never acknowledged            "),
        };
        if let Some(loss) = answer.loss {
            let _ = write!(text, "  {loss:.3e}");
        }
        text.push('\n');
    }
    text.push_str(
        "\nOn the left, of all backups; on the right, of those acknowledged from so many shares, \
         unhealed.\n",
    );
    if command.model.wear().is_some() {
        let _ = writeln!(text, "Hosts are {}.", command.model.wear_text());
    }
    command.print(console, &text, &hosts.into(), method, &answers)
}

/// Every k and n up to `side` for which there is a code.
pub fn over_k_and_n(
    command: &Availability,
    side: usize,
    method: Method,
    console: Console,
) -> anyhow::Result<Outcome> {
    if !(1..=MOST_SIDE).contains(&side) {
        return Err(Usage::say(format!(
            "--table goes up to n = {MOST_SIDE}, not {side}: leave it out for every k of one n"
        )));
    }
    let (backup, restore) = command.model.alike()?;
    let mut answers: Vec<Answer> = Vec::new();
    let mut error = None;
    for n in 1..=side {
        let hosts = Hosts::equal(n, backup, restore);
        for k in 1..=most_k(n) {
            match command.code.code(k, n) {
                Ok(code) => answers.push(command.answer(&*code, &hosts, method)?),
                Err(cause) => error = Some(cause),
            }
        }
    }
    if let Some(error) = error.filter(|_| answers.is_empty()) {
        return Err(error);
    }
    let most = answers.iter().map(|answer| answer.geometry.k()).max();
    let columns = 1..=most.unwrap_or(1);
    let mut text = String::from("Unreadable, for n down and k across\n\n    ");
    for k in columns.clone() {
        let _ = write!(text, " {k:>8}");
    }
    for n in 1..=side {
        let _ = write!(text, "\n{n:>4}");
        for k in columns.clone() {
            let answer = answers
                .iter()
                .find(|answer| (answer.geometry.k(), answer.geometry.n()) == (k, n));
            let _ = match answer {
                Some(answer) => write!(text, " {:>8.2e}", answer.figures.readable.no),
                None => write!(text, " {:>8}", ""),
            };
        }
        text.truncate(text.trim_end_matches(' ').len());
    }
    command.print(
        console,
        &text,
        &Asked::Alike(backup, restore),
        method,
        &answers,
    )
}

/// With one share there is one code; else some share is parity.
fn most_k(n: usize) -> usize {
    n.saturating_sub(1).max(1)
}
