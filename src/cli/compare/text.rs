//! The comparison on a terminal.

use std::fmt::Write;

use distdup::availability::Chance;
use distdup::compare::Spread;

use super::Comparison;
use super::rows::Row;
use crate::cli::availability::answer::of_a_year;
use crate::cli::size::show_size;

pub fn comparison(comparison: &Comparison) -> String {
    let rows = &comparison.rows;
    let mut text = String::new();
    table(&mut text, &survival(rows));
    text.push('\n');
    table(&mut text, &costs(rows));
    let _ = writeln!(
        text,
        "\nSpeeds are MB of data a second, the median of {} runs (slowest-fastest), in memory, of \
         {}.\n{}.",
        comparison.runs,
        comparison.data.text(),
        comparison.machine.text()
    );
    for row in rows
        .iter()
        .filter(|row| row.judged.code.params().contains('^'))
    {
        let _ = write!(
            text,
            "\n{}: {}",
            row.judged.title(),
            row.judged.code.params()
        );
    }
    text.push('\n');
    for sentence in &comparison.advice {
        let _ = write!(text, "\n{}", sentence.text);
    }
    text
}

fn survival(rows: &[Row]) -> Vec<Vec<String>> {
    let mut lines = vec![line([
        "code",
        "space",
        "survives",
        "of more lost, some",
        "unreadable",
        "a year",
        "lost in a year",
    ])];
    lines.extend(rows.iter().map(|row| {
        let answer = &row.judged.answer;
        let readable = &answer.figures.readable;
        vec![
            row.judged.title(),
            format!("{:.2}", answer.storage()),
            always(row),
            sometimes(row),
            unavailability(readable),
            of_a_year(readable),
            answer.loss.map_or("?".into(), |loss| format!("{loss:.1e}")),
        ]
    }));
    lines
}

fn costs(rows: &[Row]) -> Vec<Vec<String>> {
    let mut lines = vec![line([
        "code", "encode", "", "decode", "", "lost", "repair", "", "reads", "memory", "xor/byte",
        "mul/byte",
    ])];
    lines.extend(rows.iter().map(|row| {
        let speed = &row.speed;
        let (additions, multiplications) = operations(row);
        let [encode, decode, repair] = [&speed.encode, &speed.decode, &speed.repair];
        vec![
            row.judged.title(),
            megabytes(encode.median()),
            range(encode),
            megabytes(decode.median()),
            range(decode),
            speed.lost.len().to_string(),
            megabytes(repair.median()),
            range(repair),
            format!("{:.1}", speed.repair_reads),
            show_size(row.judged.facts.encode_memory),
            additions,
            multiplications,
        ]
    }));
    lines
}

/// `any 2`.
pub fn always(row: &Row) -> String {
    let always = row.judged.facts.always;
    format!(
        "any {}{}",
        always.losses,
        if always.exact { "" } else { "+" }
    )
}

/// `3: 92 %, 4: 60 %`.
pub fn sometimes(row: &Row) -> String {
    let losses = row.judged.facts.losses.iter().flatten();
    let some: Vec<_> = losses
        .filter(|losses| losses.share < 1.0 && losses.share > 0.0)
        .map(|losses| format!("{}: {}", losses.lost, percent(losses.share)))
        .collect();
    some.join(", ")
}

/// Of what is neither none nor all.
pub fn percent(share: f64) -> String {
    match share * 100.0 {
        percent if percent < 1.0 => "< 1 %".into(),
        percent if percent > 99.0 && percent < 100.0 => "> 99 %".into(),
        percent => format!("{percent:.0} %"),
    }
}

/// What is not known exactly has a mark.
pub fn unavailability(readable: &Chance) -> String {
    match readable.interval {
        None => format!("{:.2e}", readable.no),
        Some(interval) => format!("< {:.1e}", interval.high),
    }
}

/// For each byte of data: additions, multiplications.
pub fn operations(row: &Row) -> (String, String) {
    let per_byte = |count: usize| {
        let real = |count: usize| f64::from(u32::try_from(count).unwrap_or(u32::MAX));
        format!("{:.1}", real(count) / real(row.judged.code.geometry().k()))
    };
    match row.judged.facts.operations {
        Some(operations) => (
            per_byte(operations.additions),
            per_byte(operations.multiplications),
        ),
        None => ("?".into(), "?".into()),
    }
}

pub fn megabytes(speed: f64) -> String {
    format!("{:.0}", speed / 1e6)
}

pub fn range(spread: &Spread) -> String {
    format!("({}-{})", megabytes(spread.low()), megabytes(spread.high()))
}

fn line<const N: usize>(cells: [&str; N]) -> Vec<String> {
    cells.map(str::to_owned).to_vec()
}

/// Columns as wide as what is in them; numbers to the right.
fn table(text: &mut String, lines: &[Vec<String>]) {
    let width = |column: usize| lines.iter().map(|line| line[column].len()).max();
    let widths: Vec<_> = (0..lines[0].len()).filter_map(width).collect();
    for line in lines {
        let start = text.len();
        for (column, (cell, width)) in line.iter().zip(&widths).enumerate() {
            let gap = if column == 0 { "" } else { "  " };
            let _ = match column {
                0 => write!(text, "{gap}{cell:<width$}"),
                _ => write!(text, "{gap}{cell:>width$}"),
            };
        }
        let end = text[start..].trim_end().len();
        text.truncate(start + end);
        text.push('\n');
    }
}
