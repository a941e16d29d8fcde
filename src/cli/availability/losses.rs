//! `--patterns`: which losses a code survives.

use std::fmt::Write;

use distdup::availability::patterns::{Hopeless, Patterns, patterns};
use distdup_codecs::ShardSet;
use serde_json::{Value, json};

use super::{Availability, Usage, show};
use crate::cli::Outcome;
use crate::cli::console::Console;

pub fn run(command: &Availability, console: Console) -> anyhow::Result<Outcome> {
    let n = command.code.n(command.model.count());
    let k = n.and_then(|n| command.code.k(n));
    let Some((k, n)) = k.zip(n) else {
        return Err(Usage::say(
            "--patterns are those of one code: give -k and -n",
        ));
    };
    let code = command.code.code(k, n)?;
    let patterns = patterns(&*code).map_err(Usage::new)?;
    let first = usize::from(command.one_based);

    let mut parameters = command.code.json();
    for (name, value) in [
        ("id", json!(code.id())),
        ("params", json!(code.params())),
        ("k", json!(k)),
        ("n", json!(n)),
        ("one_based", json!(command.one_based)),
    ] {
        parameters.insert(name.into(), value);
    }
    let title = format!("{} {} {}", code.id(), code.geometry(), code.params());
    let text = format!("{}\n\n{}", title.trim_end(), text(&patterns, n - k, first));
    show(
        console,
        &text,
        &parameters,
        "patterns",
        &json(&patterns, first),
    )
}

fn text(patterns: &Patterns, parity: usize, first: usize) -> String {
    let mut text = String::from("lost  recoverable      of\n");
    for (lost, size) in patterns.sizes.iter().enumerate() {
        let _ = writeln!(
            text,
            "{lost:>4}  {:>11}  {:>6}",
            size.recoverable, size.sets
        );
    }
    let _ = writeln!(text, "\nMore than {parity} lost are never recoverable.");
    if patterns.hopeless.is_empty() {
        let _ = writeln!(text, "Any {parity} lost are.");
        return text;
    }
    let _ = writeln!(
        text,
        "Nor are these, of shares counted from {first} (* with any one of them back, they would \
         be):\n"
    );
    for Hopeless { lost, minimal } in &patterns.hopeless {
        let numbers: Vec<_> = numbers(*lost, first).map(|i| i.to_string()).collect();
        let mark = if *minimal { '*' } else { ' ' };
        let _ = writeln!(text, "{mark} {}", numbers.join(" "));
    }
    text
}

fn json(patterns: &Patterns, first: usize) -> Value {
    let sizes: Vec<Value> = (patterns.sizes.iter().enumerate())
        .map(|(lost, size)| json!({ "lost": lost, "recoverable": size.recoverable, "sets": size.sets }))
        .collect();
    let hopeless: Vec<Value> = (patterns.hopeless.iter())
        .map(|one| json!({ "lost": numbers(one.lost, first).collect::<Vec<_>>(), "minimal": one.minimal }))
        .collect();
    json!({ "sizes": sizes, "not_recoverable": hopeless })
}

fn numbers(lost: ShardSet, first: usize) -> impl Iterator<Item = usize> {
    lost.iter().map(move |share| share + first)
}
