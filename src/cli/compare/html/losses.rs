//! Which part of the losses of each size a code survives.

use distdup::compare::Losses;
use maud::{Markup, html};

use crate::cli::compare::rows::Row;
use crate::cli::compare::text::percent;

/// More columns than this are not read.
const MOST: usize = 12;

pub fn figure(rows: &[Row]) -> Markup {
    let most = rows
        .iter()
        .map(|row| row.judged.code.geometry().parity())
        .max();
    let most = most.unwrap_or_default() + 1;
    let columns = 1..=most.min(MOST);
    html! {
        figure #survived {
            h2 { "Losses survived" }
            figcaption {
                "Of all sets of so many lost shares, the part from which the data comes back. The darker, the \
                 more; · is none."
                @if most > MOST { " More than " (MOST) " lost are left out." }
            }
            div.scroll tabindex="0" role="region" aria-label="Losses survived" {
                table.heat {
                    thead {
                        tr {
                            th scope="col" { "lost" }
                            @for lost in columns.clone() { th scope="col" { (lost) } }
                        }
                    }
                    tbody {
                        @for (i, row) in rows.iter().enumerate() {
                            tr {
                                th scope="row" { (row.judged.title()) }
                                @for lost in columns.clone() { (cell(row, i, lost)) }
                            }
                        }
                    }
                }
            }
        }
    }
}

fn cell(row: &Row, at: usize, lost: usize) -> Markup {
    let parity = row.judged.code.geometry().parity();
    if lost > parity {
        return html! { td.none { "·" } };
    }
    let survived = row
        .judged
        .facts
        .losses
        .as_ref()
        .and_then(|all| all.get(lost));
    let Some(Losses { share, counts, .. }) = survived else {
        return html! { td { "?" } };
    };
    let text = match share {
        share if *share >= 1.0 => "all".into(),
        share if *share <= 0.0 => "·".into(),
        share => percent(*share),
    };
    let title = counts.map(|counts| format!("{} of {}", counts.recoverable, counts.sets));
    html! {
        td.some.deep[*share > 0.75] style=(format!("--share:{:.0}%", share * 100.0)) title=[title]
            data-row=(at) data-field=(format!("/losses/{lost}/share")) data-value=(share) { (text) }
    }
}
