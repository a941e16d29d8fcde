//! What a code costs in space, and how often it is unreadable.

use distdup::availability::SECONDS_A_YEAR;
use maud::{Markup, html};

use super::chart::{Area, SIZES, Size, TEXT, at, mark, place, real, ticks, width_of};
use super::look;
use crate::cli::availability::answer::of_a_year;
use crate::cli::compare::Down;
use crate::cli::compare::rows::Row;

/// Half the size of a mark.
const RADIUS: f64 = 5.5;

/// What is never unreadable is drawn so far below the least that is.
const NEVER: f64 = 1e-2;

/// Lengths of a year that have a name.
const TIMES: &[(f64, &str)] = &[
    (30.0 * 86_400.0, "30 d"),
    (86_400.0, "1 d"),
    (3600.0, "1 h"),
    (60.0, "1 min"),
    (1.0, "1 s"),
    (1e-3, "1 ms"),
    (1e-6, "1 µs"),
];

/// A code in the figure.
struct Point {
    row: usize,
    storage: f64,
    /// The least that it can be taken for, where it was not found exactly.
    unavailable: f64,
    exact: bool,
    on_front: bool,
}

pub fn figure(rows: &[Row], down: &Down) -> Markup {
    let points = points(rows);
    html! {
        figure #tradeoff {
            h2 { "Space against time unreadable" }
            figcaption {
                "Less is better in both. Along the line, nothing here takes less space and is readable more \
                 often. The dashed line is what was said to be acceptable."
            }
            (legend(rows))
            @for size in SIZES {
                (drawing(rows, &points, down, size))
            }
        }
    }
}

/// Which mark is which code's.
fn legend(rows: &[Row]) -> Markup {
    let mut names: Vec<&str> = rows.iter().map(|row| row.judged.name.as_str()).collect();
    names.sort_by_key(|name| look(rows, name));
    names.dedup();
    html! {
        ul.legend aria-hidden="true" {
            @for name in names {
                li {
                    svg viewBox="0 0 16 16" width="16" height="16" { (mark(look(rows, name), 8.0, 8.0, RADIUS)) }
                    (name)
                }
            }
        }
    }
}

fn points(rows: &[Row]) -> Vec<Point> {
    let all = rows.iter().enumerate().map(|(row, one)| {
        let readable = &one.judged.answer.figures.readable;
        Point {
            row,
            storage: one.judged.answer.storage(),
            unavailable: readable
                .interval
                .map_or(readable.no, |interval| interval.high),
            exact: readable.interval.is_none(),
            on_front: false,
        }
    });
    let mut all: Vec<Point> = all.collect();
    let figures: Vec<_> = (all.iter().filter(|one| one.exact))
        .map(|one| (one.storage, one.unavailable))
        .collect();
    for point in &mut all {
        let beaten = |&(storage, unavailable): &(f64, f64)| {
            storage <= point.storage
                && unavailable <= point.unavailable
                && (storage < point.storage || unavailable < point.unavailable)
        };
        point.on_front = point.exact && !figures.iter().any(beaten);
    }
    all
}

/// Where values are on the paper.
struct Scale {
    area: Area,
    /// Of space.
    x: (f64, f64),
    /// Decimal logarithms of unavailability.
    y: (f64, f64),
    /// What 0 is taken for.
    never: f64,
}

impl Scale {
    fn of(points: &[Point], down: &Down, area: Area) -> Self {
        let most = points.iter().map(|point| point.storage).fold(1.0, f64::max);
        let positive = points
            .iter()
            .map(|point| point.unavailable)
            .filter(|p| *p > 0.0);
        let allowed = Some(down.seconds / SECONDS_A_YEAR).filter(|p| *p > 0.0 && *p <= 1.0);
        let positive: Vec<f64> = positive.chain(allowed).collect();
        let least = positive.iter().copied().fold(1.0, f64::min);
        let largest = positive.iter().copied().fold(least, f64::max);
        let never = least * NEVER;
        let has_never = points.iter().any(|point| point.unavailable <= 0.0);
        let bottom = if has_never { never } else { least };
        Self {
            area,
            x: (1.0, 1.0 + (most - 1.0) * 1.12),
            y: (
                (bottom.log10() - 0.5).floor(),
                (largest.log10() + 0.3).ceil().min(0.0),
            ),
            never,
        }
    }

    fn x(&self, storage: f64) -> f64 {
        let part = (storage - self.x.0) / (self.x.1 - self.x.0).max(f64::MIN_POSITIVE);
        self.area.left + part * (self.area.right - self.area.left)
    }

    fn y(&self, unavailable: f64) -> f64 {
        let log = if unavailable > 0.0 {
            unavailable
        } else {
            self.never
        }
        .log10();
        let part = (log - self.y.0) / (self.y.1 - self.y.0).max(f64::MIN_POSITIVE);
        self.area.bottom - part * (self.area.bottom - self.area.top)
    }
}

fn drawing(rows: &[Row], points: &[Point], down: &Down, size: Size) -> Markup {
    let height = if size.name == "wide" { 430.0 } else { 480.0 };
    let area = Area {
        left: 44.0,
        top: 34.0,
        right: size.width - 48.0,
        bottom: height - 44.0,
    };
    let scale = Scale::of(points, down, area);
    let (title, text) = (
        format!("tradeoff-{}", size.name),
        format!("tradeoff-text-{}", size.name),
    );
    html! {
        svg class=(format!("chart {}", size.name)) viewBox=(format!("0 0 {} {height}", size.width))
            role="img" aria-labelledby=(title) aria-describedby=(text) {
            title id=(title) { "Unavailability against space, one mark for each code" }
            desc id=(text) { (description(rows, points)) }
            (axes(&scale))
            (allowed(&scale, down))
            (front(&corners(&scale, points)))
            (marks(rows, points, &scale, down, size))
        }
    }
}

fn description(rows: &[Row], points: &[Point]) -> String {
    let one = |point: &Point| {
        let row = &rows[point.row].judged;
        let front = if point.on_front { ", on the line" } else { "" };
        let year = of_a_year(&row.answer.figures.readable);
        format!(
            "{}: {:.2} times the space, {year} a year{front}",
            row.title(),
            point.storage
        )
    };
    points.iter().map(one).collect::<Vec<_>>().join("; ")
}

fn axes(scale: &Scale) -> Markup {
    let Area {
        left,
        top,
        right,
        bottom,
    } = scale.area;
    let decades = scale.y.1 - scale.y.0;
    let powers = ticks(scale.y.0, scale.y.1, decades.min(8.0));
    let powers = powers
        .into_iter()
        .filter(|power| (power - power.round()).abs() < 1e-9);
    let times = TIMES
        .iter()
        .map(|(time, name)| (scale.y(time / SECONDS_A_YEAR), name));
    html! {
        @for power in powers {
            @let y = scale.y(10f64.powf(power));
            line.grid x1=(at(left)) x2=(at(right)) y1=(at(y)) y2=(at(y)) {}
            text.tick x=(at(left - 6.0)) y=(at(y + 4.0)) text-anchor="end" { (power_of_ten(power)) }
        }
        @for (y, name) in times.filter(|(y, _)| (top..=bottom).contains(y)) {
            line.tick x1=(at(right)) x2=(at(right + 4.0)) y1=(at(y)) y2=(at(y)) {}
            text.tick x=(at(right + 7.0)) y=(at(y + 4.0)) { (name) }
        }
        @for storage in ticks(scale.x.0, scale.x.1, if right - left > 400.0 { 8.0 } else { 4.0 }) {
            @let x = scale.x(storage);
            line.tick x1=(at(x)) x2=(at(x)) y1=(at(bottom)) y2=(at(bottom + 4.0)) {}
            text.tick x=(at(x)) y=(at(bottom + 17.0)) text-anchor="middle" { (storage_text(storage)) }
        }
        path.axis d=(format!("M{left} {top}V{bottom}H{right}V{top}")) {}
        text.name x="4" y="16" { "unreadable: probability" }
        text.name x=(at(right + 44.0)) y="16" text-anchor="end" { "time a year" }
        text.name x=(at(f64::midpoint(left, right))) y=(at(bottom + 36.0)) text-anchor="middle" {
            "space: bytes stored for each byte"
        }
    }
}

fn power_of_ten(power: f64) -> String {
    const DIGITS: [char; 10] = ['⁰', '¹', '²', '³', '⁴', '⁵', '⁶', '⁷', '⁸', '⁹'];
    let digit = |c: char| match c.to_digit(10) {
        Some(digit) => DIGITS[digit as usize],
        None => '⁻',
    };
    match format!("{power:.0}").as_str() {
        "0" | "-0" => "1".into(),
        text => format!("10{}", text.chars().map(digit).collect::<String>()),
    }
}

fn storage_text(storage: f64) -> String {
    let text = format!("{storage:.2}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

fn acceptable(down: &Down) -> String {
    format!("acceptable: {}", down.text)
}

fn allowed(scale: &Scale, down: &Down) -> Markup {
    let Area {
        left,
        right,
        top,
        bottom,
    } = scale.area;
    let y = scale.y(down.seconds / SECONDS_A_YEAR);
    html! {
        @if down.seconds > 0.0 && (top..=bottom).contains(&y) {
            line.allowed x1=(at(left)) x2=(at(right)) y1=(at(y)) y2=(at(y)) {}
            text.note x=(at(right - 4.0)) y=(at(y - 5.0)) text-anchor="end" { (acceptable(down)) }
        }
    }
}

/// The points of the front, from the one that takes least space.
fn corners(scale: &Scale, points: &[Point]) -> Vec<(f64, f64)> {
    let on_front = points.iter().filter(|point| point.on_front);
    let mut corners: Vec<_> = on_front
        .map(|point| (scale.x(point.storage), scale.y(point.unavailable)))
        .collect();
    corners.sort_by(|a, b| a.0.total_cmp(&b.0));
    corners
}

/// In steps, since between two codes there is none.
fn front(corners: &[(f64, f64)]) -> Markup {
    let line = |(i, (x, y)): (usize, &(f64, f64))| match i {
        0 => format!("M{} {}", at(*x), at(*y)),
        _ => format!("H{}V{}", at(*x), at(*y)),
    };
    let path: String = corners.iter().enumerate().map(line).collect();
    html! { path.front d=(path) {} }
}

fn marks(rows: &[Row], points: &[Point], scale: &Scale, down: &Down, size: Size) -> Markup {
    // Codes at nearly one place stand side by side and share a label.
    let mut places: Vec<Vec<&Point>> = Vec::new();
    for point in points {
        let near = |other: &Point| {
            (scale.x(other.storage) - scale.x(point.storage)).abs() < 1.0
                && (scale.y(other.unavailable) - scale.y(point.unavailable)).abs() < 2.0 * RADIUS
        };
        match places.iter_mut().find(|place| near(place[0])) {
            Some(place) => place.push(point),
            None => places.push(vec![point]),
        }
    }
    let half = |place: &[&Point]| RADIUS * (real(place.len()) + 0.3);
    let center = |place: &[&Point]| (scale.x(place[0].storage), scale.y(place[0].unavailable));
    let note = scale.y(down.seconds / SECONDS_A_YEAR);
    let mut taken = vec![Area {
        left: scale.area.right - 4.0 - width_of(&acceptable(down)),
        top: note - 5.0 - TEXT,
        right: scale.area.right,
        bottom: note,
    }];
    for pair in corners(scale, points).windows(2) {
        let [(x, y), (next_x, next_y)] = [pair[0], pair[1]];
        taken.push(Area {
            bottom: y + 2.0,
            right: next_x,
            ..Area::around(x, y, 2.0)
        });
        taken.push(Area {
            top: y,
            bottom: next_y,
            ..Area::around(next_x, y, 2.0)
        });
    }
    for place in &places {
        let (x, y) = center(place);
        let mut area = Area::around(x, y, RADIUS + 1.5);
        (area.left, area.right) = (x - half(place), x + half(place));
        taken.push(area);
    }
    let bounds = Area {
        left: scale.area.left + 4.0,
        right: scale.area.right - 2.0,
        top: scale.area.top,
        bottom: scale.area.bottom - 3.0,
    };
    let labels: Vec<_> = places
        .iter()
        .map(|points| {
            let text = names(rows, points, size);
            let label = place(
                &text,
                center(points),
                half(points) + 4.0,
                &bounds,
                &mut taken,
            );
            (text, label)
        })
        .collect();
    html! {
        @for (points, (text, label)) in places.iter().zip(&labels) {
            @let (x, y) = center(points);
            @if label.far {
                @let end = label.end_towards(x, text);
                line.leader x1=(at(x)) y1=(at(y)) x2=(at(end)) y2=(at(label.y - TEXT * 0.35)) {}
            }
            @for (i, point) in points.iter().enumerate() {
                @let row = &rows[point.row].judged;
                @let x = x + RADIUS * (2.0 * real(i) + 1.0 - real(points.len()));
                g data-row=(point.row) data-field="/storage" data-value=(point.storage) {
                    title { (row.title()) ": " (of_a_year(&row.answer.figures.readable)) " a year" }
                    g data-row=(point.row) data-field=[point.exact.then_some("/readable/unavailability")]
                        data-value=(point.unavailable) {
                        (mark(look(rows, &row.name), x, scale.y(point.unavailable), RADIUS))
                    }
                }
            }
            text.label x=(at(label.x)) y=(at(label.y)) { (text) }
        }
    }
}

/// `rs16, xor (9, 10)`, or, where there is no room, `(9, 10)`.
fn names(rows: &[Row], points: &[&Point], size: Size) -> String {
    let geometry = |point: &Point| rows[point.row].judged.code.geometry();
    let name = |(i, point): (usize, &&Point)| {
        let name = match size.name {
            "wide" => rows[point.row].judged.name.as_str(),
            _ => "",
        };
        let exact = if point.exact { "" } else { " at most" };
        match points.get(i + 1) {
            Some(next) if geometry(next) == geometry(point) => name.to_owned(),
            _ => format!("{name} {}{exact}", geometry(point)),
        }
    };
    let names = points.iter().enumerate().map(name);
    let names: Vec<_> = names.filter(|name| !name.is_empty()).collect();
    names.join(", ").trim_start().to_owned()
}
