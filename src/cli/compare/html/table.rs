//! All figures, beneath the drawings.

use distdup::compare::Spread;
use maud::{Markup, html};

use crate::cli::availability::answer::of_a_year;
use crate::cli::compare::rows::Row;
use crate::cli::compare::text::{always, megabytes, operations, sometimes, unavailability};
use crate::cli::size::show_size;

pub fn figure(rows: &[Row]) -> Markup {
    html! {
        figure #figures-table {
            h2 { "All figures" }
            div.scroll tabindex="0" role="region" aria-label="All figures" {
                table.figures {
                    thead {
                        tr {
                            th rowspan="2" scope="col" { "code" }
                            th rowspan="2" scope="col" { "space" }
                            th colspan="2" scope="colgroup" { "survives" }
                            th colspan="2" scope="colgroup" { "unreadable" }
                            th rowspan="2" scope="col" { "lost in" br; "a year" }
                            th colspan="3" scope="colgroup" { "MB of data a second" }
                            th rowspan="2" scope="col" { "repair" br; "reads" }
                            th rowspan="2" scope="col" { "memory" }
                            th colspan="2" scope="colgroup" { "for each byte" }
                        }
                        tr {
                            th scope="col" { "any" }
                            th scope="col" { "some of" }
                            th scope="col" { "probability" }
                            th scope="col" { "a year" }
                            th scope="col" { "encode" }
                            th scope="col" { "decode" }
                            th scope="col" { "repair" }
                            th scope="col" { "xor" }
                            th scope="col" { "mul" }
                        }
                    }
                    tbody { @for (i, row) in rows.iter().enumerate() { (line(i, row)) } }
                }
            }
            (equations(rows))
        }
    }
}

fn line(at: usize, row: &Row) -> Markup {
    let answer = &row.judged.answer;
    let readable = &answer.figures.readable;
    let (additions, multiplications) = operations(row);
    let exact = readable.interval.is_none();
    html! {
        tr {
            th scope="row" { (row.judged.title()) }
            td data-row=(at) data-field="/storage" data-value=(answer.storage()) { (format!("{:.2}", answer.storage())) }
            td data-row=(at) data-field="/always" data-value=(row.judged.facts.always.losses) {
                (always(row).trim_start_matches("any "))
            }
            td { (sometimes(row)) }
            td data-row=(at) data-field=[exact.then_some("/readable/unavailability")] data-value=(readable.no) {
                (unavailability(readable))
            }
            td data-row=(at) data-field="/readable/minutes_a_year" data-value=(readable.seconds_a_year() / 60.0) {
                (of_a_year(readable))
            }
            @match answer.loss {
                Some(loss) => td data-row=(at) data-field="/durability/loss_probability" data-value=(loss) { (format!("{loss:.1e}")) },
                None => td { "?" },
            }
            (speed(at, "encode", &row.speed.encode))
            (speed(at, "decode", &row.speed.decode))
            (speed(at, "repair", &row.speed.repair))
            td data-row=(at) data-field="/repair/reads" data-value=(row.speed.repair_reads) { (format!("{:.1}", row.speed.repair_reads)) }
            td data-row=(at) data-field="/memory/encode" data-value=(row.judged.facts.encode_memory) {
                (show_size(row.judged.facts.encode_memory))
            }
            td { (additions) }
            td { (multiplications) }
        }
    }
}

fn speed(at: usize, name: &str, spread: &Spread) -> Markup {
    html! {
        td data-row=(at) data-field=(format!("/{name}/median")) data-value=(spread.median()) {
            (megabytes(spread.median()))
            span.range { (megabytes(spread.low())) "–" (megabytes(spread.high())) }
        }
    }
}

fn equations(rows: &[Row]) -> Markup {
    html! {
        @for row in rows.iter().filter(|row| row.judged.code.params().contains('^')) {
            p.equations { (row.judged.title()) ": " code { (row.judged.code.params()) } }
        }
    }
}
