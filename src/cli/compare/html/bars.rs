//! How fast codes are, with the spread of the runs.

use distdup::compare::Spread;
use maud::{Markup, html};

use super::chart::{SIZES, Size, at, real, ticks};
use crate::cli::compare::advice::rate;
use crate::cli::compare::rows::Row;
use crate::cli::compare::text::megabytes;

const BAR: f64 = 11.0;
const GAP: f64 = 4.0;

pub fn figure(rows: &[Row], host_speed: Option<f64>, runs: usize) -> Markup {
    let most = fastest(rows);
    let limits = rows
        .iter()
        .any(|row| limit(row, host_speed).is_some_and(|limit| limit <= most));
    html! {
        figure #speed {
            h2 { "Speed on this machine" }
            figcaption {
                "MB of data a second through the whole pipeline, in memory: the median of " (runs) " runs; the line \
                 is from the slowest to the fastest. Decode has lost as many shares as are parity, repair one."
                @if let Some(speed) = host_speed.filter(|_| limits) {
                    " The mark ▾ is where hosts are the limit that take " (rate(speed)) " each."
                }
            }
            (legend())
            @for size in SIZES {
                (drawing(rows, host_speed, size))
            }
        }
    }
}

fn legend() -> Markup {
    html! {
        ul.legend aria-hidden="true" {
            @for operation in ["encode", "decode", "repair"] {
                li {
                    svg viewBox="0 0 26 12" width="26" height="12" {
                        rect class=(format!("bar {operation}")) x="0.5" y="0.5" width="25" height="11" {}
                    }
                    (operation)
                }
            }
        }
    }
}

fn drawing(rows: &[Row], host_speed: Option<f64>, size: Size) -> Markup {
    let wide = size.name == "wide";
    let label = if wide { 150.0 } else { 0.0 };
    let head = if wide { 0.0 } else { 21.0 };
    let group = head + 3.0 * (BAR + GAP) + 12.0;
    let right = size.width - 46.0;
    let bottom = 10.0 + group * real(rows.len());
    let most = fastest(rows);
    let left = label + 2.0;
    let x = move |speed: f64| left + speed / most * (right - left);
    let (title, text) = (
        format!("speed-{}", size.name),
        format!("speed-text-{}", size.name),
    );
    html! {
        svg class=(format!("chart {}", size.name)) viewBox=(format!("0 0 {} {}", size.width, bottom + 34.0))
            role="img" aria-labelledby=(title) aria-describedby=(text) {
            title id=(title) { "Speed of encode, decode and repair for each code" }
            desc id=(text) { (description(rows)) }
            @for tick in ticks(0.0, most / 1e6, if wide { 6.0 } else { 4.0 }) {
                @let x = x(tick * 1e6);
                line.grid x1=(at(x)) x2=(at(x)) y1="4" y2=(at(bottom)) {}
                text.tick x=(at(x)) y=(at(bottom + 15.0)) text-anchor=(if tick > 0.0 { "middle" } else { "start" }) {
                    (format!("{tick:.0}"))
                }
            }
            text.name x=(at(right)) y=(at(bottom + 30.0)) text-anchor="end" { "MB/s" }
            @for (i, row) in rows.iter().enumerate() {
                @let top = 10.0 + group * real(i) + head;
                @if wide {
                    text.label x=(at(label - 10.0)) y=(at(top + 1.5 * BAR + GAP + 4.0)) text-anchor="end" { (row.judged.title()) }
                } @else {
                    text.label x="2" y=(at(top - 8.0)) { (row.judged.title()) }
                }
                @for (j, (name, spread)) in operations(row).into_iter().enumerate() {
                    (bar(i, name, spread, top + real(j) * (BAR + GAP), left, &x))
                }
                @if let Some(limit) = limit(row, host_speed).filter(|limit| *limit <= most) {
                    @let x = x(limit);
                    path.limit d=(format!("M{} {}l-4 -6h8zV{}", at(x), at(top), at(top + 3.0 * BAR + 2.0 * GAP))) {}
                }
            }
        }
    }
}

fn operations(row: &Row) -> [(&'static str, &Spread); 3] {
    let speed = &row.speed;
    [
        ("encode", &speed.encode),
        ("decode", &speed.decode),
        ("repair", &speed.repair),
    ]
}

/// Of all runs of all codes.
fn fastest(rows: &[Row]) -> f64 {
    let spreads = rows.iter().flat_map(operations);
    spreads.map(|(_, spread)| spread.high()).fold(0.0, f64::max)
}

/// Of the data, in bytes a second: each host takes one k-th.
fn limit(row: &Row, host_speed: Option<f64>) -> Option<f64> {
    Some(host_speed? * real(row.judged.code.geometry().k()))
}

fn bar(
    row: usize,
    name: &str,
    spread: &Spread,
    top: f64,
    left: f64,
    x: &impl Fn(f64) -> f64,
) -> Markup {
    let (low, median, high) = (x(spread.low()), x(spread.median()), x(spread.high()));
    let middle = top + BAR / 2.0;
    let line = format!(
        "M{0} {2}H{1}M{0} {3}V{4}M{1} {3}V{4}",
        at(low),
        at(high),
        at(middle),
        at(middle - 3.0),
        at(middle + 3.0)
    );
    html! {
        g data-row=(row) data-field=(format!("/{name}/median")) data-value=(spread.median()) {
            title { (name) " " (megabytes(spread.median())) " MB/s, from " (megabytes(spread.low())) " to " (megabytes(spread.high())) }
            rect class=(format!("bar {name}")) x=(at(left)) y=(at(top)) width=(at(median - left)) height=(at(BAR)) {}
            @for class in ["spread under", "spread"] { path class=(class) d=(line) {} }
            text.value x=(at(high + 5.0)) y=(at(middle + 3.8)) { (megabytes(spread.median())) }
        }
    }
}

fn description(rows: &[Row]) -> String {
    let one = |row: &Row| {
        let speeds =
            operations(row).map(|(name, spread)| format!("{name} {}", megabytes(spread.median())));
        format!("{}: {} MB/s", row.judged.title(), speeds.join(", "))
    };
    rows.iter().map(one).collect::<Vec<_>>().join("; ")
}
