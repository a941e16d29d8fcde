//! What the figures have in common: sizes, scales, marks, and labels that keep clear of each other.

use maud::{Markup, html};

/// As many marks can be told from each other.
pub const LOOKS: usize = 6;

/// A drawing is made twice, for a screen and for a phone, and the style shows one.
#[derive(Debug, Clone, Copy)]
pub struct Size {
    /// In its class and in its ids.
    pub name: &'static str,
    pub width: f64,
}

pub const SIZES: [Size; 2] = [
    Size {
        name: "wide",
        width: 760.0,
    },
    Size {
        name: "narrow",
        width: 360.0,
    },
];

/// Height of text, and how wide a letter is at most, on the average: fonts differ.
pub const TEXT: f64 = 12.0;
const LETTER: f64 = 7.3;

pub fn width_of(text: &str) -> f64 {
    LETTER * real(text.chars().count())
}

pub fn real(count: usize) -> f64 {
    f64::from(u32::try_from(count).unwrap_or(u32::MAX))
}

/// A coordinate, short.
pub fn at(value: f64) -> String {
    format!("{value:.1}")
}

/// A rectangle that something takes.
#[derive(Debug, Clone, Copy)]
pub struct Area {
    pub left: f64,
    pub top: f64,
    pub right: f64,
    pub bottom: f64,
}

impl Area {
    pub fn around(x: f64, y: f64, radius: f64) -> Self {
        Self {
            left: x - radius,
            top: y - radius,
            right: x + radius,
            bottom: y + radius,
        }
    }

    fn meets(&self, other: &Self) -> bool {
        self.left < other.right
            && other.left < self.right
            && self.top < other.bottom
            && other.top < self.bottom
    }

    fn holds(&self, other: &Self) -> bool {
        self.left <= other.left
            && other.right <= self.right
            && self.top <= other.top
            && other.bottom <= self.bottom
    }
}

/// A label that has its place.
#[derive(Debug)]
pub struct Label {
    pub x: f64,
    pub y: f64,
    /// It is so far from its mark that a line leads to it.
    pub far: bool,
}

impl Label {
    /// Where a line from a mark at `x` to this label, which says `text`, ends.
    pub fn end_towards(&self, x: f64, text: &str) -> f64 {
        let right = self.x + width_of(text);
        if self.x > x {
            self.x - 2.0
        } else if right < x {
            right + 2.0
        } else {
            x
        }
    }
}

/// Labels are up to so many lines away from their marks.
const FARTHEST: usize = 14;

/// Finds a place for `text` near (x, y), within `bounds`, where nothing of `taken` is, and takes it.
/// The nearest is the first; where all are taken, the last is.
pub fn place(
    text: &str,
    (x, y): (f64, f64),
    gap: f64,
    bounds: &Area,
    taken: &mut Vec<Area>,
) -> Label {
    let width = width_of(text);
    let mut last = None;
    for distance in (0..FARTHEST).map(|step| real(step) * TEXT) {
        let side = gap + (distance / 2.0).min(TEXT);
        for (left, middle) in [
            (x + side, y - distance),
            (x - side - width, y - distance),
            (x + side, y + distance),
            (x - side - width, y + distance),
            (x - width / 2.0, y - gap - TEXT / 2.0 - distance),
            (x - width / 2.0, y + gap + TEXT / 2.0 + distance),
        ] {
            let area = Area {
                left,
                top: middle - TEXT / 2.0 - 1.0,
                right: left + width,
                bottom: middle + TEXT / 2.0 + 1.0,
            };
            if !bounds.holds(&area) {
                continue;
            }
            let free = !taken.iter().any(|other| other.meets(&area));
            last = Some((area, distance));
            if free {
                return settle(area, distance, taken);
            }
        }
    }
    let area = Area {
        left: x + gap,
        top: y - TEXT / 2.0,
        right: x + gap + width,
        bottom: y + TEXT / 2.0,
    };
    let (area, distance) = last.unwrap_or((area, 0.0));
    settle(area, distance, taken)
}

fn settle(area: Area, distance: f64, taken: &mut Vec<Area>) -> Label {
    taken.push(area);
    Label {
        x: area.left,
        y: f64::midpoint(area.top, area.bottom) + TEXT * 0.35,
        far: distance > 0.0,
    }
}

/// A mark at (x, y), told from others by its shape as well as by its colour.
pub fn mark(look: usize, x: f64, y: f64, r: f64) -> Markup {
    let class = format!("mark look{look}");
    let points = |points: &[(f64, f64)]| {
        let point = |(dx, dy): &(f64, f64)| format!("{},{}", at(x + dx * r), at(y + dy * r));
        points.iter().map(point).collect::<Vec<_>>().join(" ")
    };
    let shape: &[(f64, f64)] = match look {
        0 => return html! { circle class=(class) cx=(at(x)) cy=(at(y)) r=(at(r)) {} },
        1 => &[(-0.9, -0.9), (0.9, -0.9), (0.9, 0.9), (-0.9, 0.9)],
        2 => &[(0.0, -1.25), (1.25, 0.0), (0.0, 1.25), (-1.25, 0.0)],
        3 => &[(0.0, -1.15), (1.15, 0.95), (-1.15, 0.95)],
        4 => &[(0.0, 1.15), (1.15, -0.95), (-1.15, -0.95)],
        _ => &[
            (-0.4, -1.1),
            (0.4, -1.1),
            (0.4, -0.4),
            (1.1, -0.4),
            (1.1, 0.4),
            (0.4, 0.4),
            (0.4, 1.1),
            (-0.4, 1.1),
            (-0.4, 0.4),
            (-1.1, 0.4),
            (-1.1, -0.4),
            (-0.4, -0.4),
        ],
    };
    html! { polygon class=(class) points=(points(shape)) {} }
}

/// What tells bars from each other without colour; once in a page, and out of sight.
pub fn patterns() -> Markup {
    html! {
        svg.patterns aria-hidden="true" width="0" height="0" {
            defs {
                pattern #hatch width="5" height="5" patternUnits="userSpaceOnUse" patternTransform="rotate(45)" {
                    rect.under width="5" height="5" {}
                    line.hatch x1="0" y1="0" x2="0" y2="5" {}
                }
            }
        }
    }
}

/// Round numbers from 0 or `from` up to `to`, about `count` of them.
pub fn ticks(from: f64, to: f64, count: f64) -> Vec<f64> {
    let raw = ((to - from) / count).max(f64::MIN_POSITIVE);
    let power = 10f64.powf(raw.log10().floor());
    let step = [1.0, 2.0, 2.5, 5.0, 10.0];
    let step = step
        .into_iter()
        .map(|m| m * power)
        .find(|step| *step >= raw * 0.999);
    let step = step.unwrap_or(raw);
    let first = (from / step - 1e-9).ceil();
    let tick = |i: usize| (first + real(i)) * step;
    (0..100)
        .map(tick)
        .take_while(|tick| *tick <= to + step * 1e-9)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_keep_clear_of_each_other() {
        let bounds = Area {
            left: 0.0,
            top: 0.0,
            right: 400.0,
            bottom: 200.0,
        };
        let mut taken = Vec::new();
        let labels: Vec<_> = (0..8)
            .map(|_| place("rs16 (6, 10)", (200.0, 100.0), 8.0, &bounds, &mut taken))
            .collect();
        assert!(!labels[0].far && labels[7].far);
        for (i, a) in taken.iter().enumerate() {
            assert!(bounds.holds(a));
            assert!(taken[..i].iter().all(|b| !a.meets(b)), "{taken:?}");
        }
    }

    #[test]
    fn ticks_are_round_and_inside() {
        assert_eq!(ticks(1.0, 3.0, 4.0), [1.0, 1.5, 2.0, 2.5, 3.0]);
        assert_eq!(ticks(0.0, 1700.0, 5.0), [0.0, 500.0, 1000.0, 1500.0]);
        assert_eq!(ticks(1.0, 1.1, 4.0).len(), 5);
    }
}
