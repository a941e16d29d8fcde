//! What was found for one code, in words and as JSON.

use std::fmt::Write;

use distdup::availability::{Chance, Figures, Hosts, Way};
use distdup_codecs::Geometry;
use serde_json::{Map, Value, json};

use super::model::Model;

/// A code and its figures.
#[derive(Debug)]
pub struct Answer {
    pub id: &'static str,
    pub params: String,
    pub geometry: Geometry,
    pub min_shares: usize,
    pub figures: Figures,
    /// That data is lost within a year, if that was asked.
    pub loss: Option<f64>,
}

impl Answer {
    /// Bytes stored for each byte.
    pub fn storage(&self) -> f64 {
        let real = |count: usize| f64::from(u16::try_from(count).expect("n is at most 256"));
        real(self.geometry.n()) / real(self.geometry.k())
    }

    /// Its figures with their names, in JSON and for people.
    fn chances(&self) -> [(&'static str, &'static str, Option<Chance>); 5] {
        let figures = &self.figures;
        [
            ("readable", "readable", Some(figures.readable)),
            ("taken", "a backup can be taken", Some(figures.taken)),
            (
                "acknowledged",
                "a backup is acknowledged",
                Some(figures.acknowledged),
            ),
            (
                "readable_if_acknowledged",
                "readable if acknowledged",
                figures.unhealed,
            ),
            (
                "readable_if_healed",
                "readable if acknowledged, and healed since",
                figures.healed,
            ),
        ]
    }

    pub fn text(&self, hosts: &Hosts, model: &Model) -> String {
        let mut text = format!("{} {}", self.id, self.geometry);
        if !self.params.is_empty() {
            let _ = write!(text, " {}", self.params);
        }
        let _ = writeln!(
            text,
            "\n{:.2} times the space, acknowledged from {} shares; {}\n",
            self.storage(),
            self.min_shares,
            way(self.figures.way)
        );
        let _ = writeln!(
            text,
            "{:<43} {:<18} {:<16} {:>6}  not so, of a year",
            "", "probability", "not so", "nines"
        );
        for (_, name, chance) in self.chances() {
            let _ = match chance {
                Some(chance) => write!(text, "{name:<43} {}", columns(&chance)),
                None => write!(text, "{name:<43} no backup is ever acknowledged"),
            };
            if let Some(interval) = chance.and_then(|chance| chance.interval) {
                let _ = write!(
                    text,
                    "\n{:>70.3e} to {:.3e} with 95 % confidence",
                    interval.low, interval.high
                );
            }
            text.push('\n');
        }
        if let Some(loss) = self.loss {
            let kept = kept(loss);
            let _ = writeln!(
                text,
                "{:<43} {:<18} {:<16.9e} {:>6}\n\nHosts are {}.",
                "data outlives a year",
                probability(&kept),
                loss,
                nines(&kept),
                model.wear_text()
            );
        }
        if !hosts.groups().is_empty() {
            let groups = hosts.groups().iter().map(|group| {
                format!(
                    "{} ({}) {}",
                    group.name,
                    group.hosts.join(", "),
                    group.up.up()
                )
            });
            let groups: Vec<_> = groups.collect();
            let _ = writeln!(text, "\nHosts fail together in {}.", groups.join(", "));
        }
        text
    }

    pub fn json(&self) -> Value {
        let mut object = Map::new();
        for (name, value) in [
            ("codec", json!(self.id)),
            ("params", json!(self.params)),
            ("k", json!(self.geometry.k())),
            ("n", json!(self.geometry.n())),
            ("min_shares", json!(self.min_shares)),
            ("storage", json!(self.storage())),
            ("way", json!(way_id(self.figures.way))),
        ] {
            object.insert(name.into(), value);
        }
        for (name, _, chance) in self.chances() {
            object.insert(
                name.into(),
                json!(chance.map(|chance| chance_json(&chance))),
            );
        }
        if let Some(loss) = self.loss {
            let nines = kept(loss).nines();
            object.insert(
                "durability".into(),
                json!({ "loss_probability": loss, "nines": nines, "years": 1 }),
            );
        }
        Value::Object(object)
    }
}

fn kept(loss: f64) -> Chance {
    Chance {
        yes: 1.0 - loss,
        no: loss,
        interval: None,
    }
}

fn chance_json(chance: &Chance) -> Value {
    let mut object = json!({
        "probability": chance.yes,
        "unavailability": chance.no,
        "nines": chance.nines(),
        "minutes_a_year": chance.seconds_a_year() / 60.0,
    });
    if let Some(interval) = chance.interval {
        object["interval"] = json!([interval.low, interval.high]);
    }
    object
}

fn way_id(way: Way) -> &'static str {
    match way {
        Way::Sums => "sums",
        Way::Counts => "counts",
        Way::Sets => "sets",
        Way::Pairs => "pairs",
        Way::Trials => "trials",
    }
}

fn way(way: Way) -> &'static str {
    match way {
        Way::Sums => "exact, by binomial sums",
        Way::Counts => "exact, by how many hosts are up",
        Way::Sets => "exact, over the sets of hosts that are up",
        Way::Pairs => "by brute force, over all pairs of sets",
        Way::Trials => "by Monte Carlo",
    }
}

fn columns(chance: &Chance) -> String {
    format!(
        "{:<18} {:<16.9e} {:>6}  {}",
        probability(chance),
        chance.no,
        nines(chance),
        of_a_year(chance)
    )
}

/// Twelve digits, more where they are needed to tell it from one.
fn probability(chance: &Chance) -> String {
    let nines = chance.nines();
    if chance.no > 0.0 && nines > 14.0 {
        return format!("1 - {:.3e}", chance.no);
    }
    let digits = if chance.no > 0.0 && nines > 10.0 {
        16
    } else {
        12
    };
    format!("{:.digits$}", chance.yes)
}

/// `4.1`, or `all` of certainty.
pub fn nines(chance: &Chance) -> String {
    match chance.nines() {
        nines if nines.is_finite() => format!("{nines:.1}"),
        _ => "all".into(),
    }
}

/// `43 min`, `23 s`, `3.2e-8 s`.
pub fn of_a_year(chance: &Chance) -> String {
    seconds(chance.seconds_a_year())
}

/// The same of so many seconds.
pub fn seconds(seconds: f64) -> String {
    const STEPS: &[(f64, &str)] = &[(2.0 * 86_400.0, "d"), (7200.0, "h"), (120.0, "min")];
    const LENGTHS: &[(&str, f64)] = &[("d", 86_400.0), ("h", 3600.0), ("min", 60.0)];
    let unit = STEPS
        .iter()
        .find(|(from, _)| seconds >= *from)
        .and_then(|(_, unit)| LENGTHS.iter().find(|(name, _)| name == unit));
    match unit {
        Some((unit, length)) if seconds / length < 9.95 => {
            format!("{:.1} {unit}", seconds / length)
        }
        Some((unit, length)) => format!("{:.0} {unit}", seconds / length),
        None if seconds >= 9.95 => format!("{seconds:.0} s"),
        None if seconds >= 0.1 => format!("{seconds:.1} s"),
        None if seconds > 0.0 => format!("{seconds:.1e} s"),
        None => "never".into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_and_large_can_be_read() {
        for (no, p, year, n) in [
            (1.0, "0.000000000000", "365 d", "0.0"),
            (0.01, "0.990000000000", "3.7 d", "2.0"),
            (8.1e-5, "0.999919000000", "43 min", "4.1"),
            (7.234e-7, "0.999999276600", "23 s", "6.1"),
            (1e-11, "0.9999999999900000", "3.2e-4 s", "11.0"),
            (1e-20, "1 - 1.000e-20", "3.2e-13 s", "20.0"),
            (0.0, "1.000000000000", "never", "all"),
        ] {
            let chance = kept(no);
            assert_eq!(probability(&chance), p);
            assert_eq!(of_a_year(&chance), year);
            assert_eq!(nines(&chance), n);
        }
    }
}
