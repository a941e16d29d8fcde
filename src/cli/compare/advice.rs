//! What follows from the figures, in words.
//!
//! Each rule is a function of the figures that says a sentence, or nothing where they do not support
//! one. docs/COMPARE.md describes all of them.

use distdup::availability::{Hosts, SECONDS_A_YEAR};
use distdup::compare::Spread;

use super::seconds;
use crate::cli::size::show_size;

/// Unavailabilities that differ by less than this part are the same.
const SAME: f64 = 1e-6;

/// Fewer runs have no spread to speak of.
const LEAST_RUNS: usize = 3;

/// What is faster by less than this, nobody notices.
const NOTICED: f64 = 1.05;

/// What is less likely than this is not what happens: the model leaves out what is more likely.
const BEYOND_THE_MODEL: f64 = 1e-9;

/// What the rules are about.
#[derive(Debug)]
pub struct Situation {
    /// Those that take little space first.
    pub candidates: Vec<Candidate>,
    /// `10 hosts at 99 %`.
    pub hosts: String,
    /// `lost 0.02 times a year, healed after 7 days`.
    pub wear: String,
    /// Seconds a year for which data may be unreadable.
    pub down: f64,
    /// The same as it was given, `1 h`.
    pub down_text: String,
    /// Bytes a second that each host takes or gives, if it is known.
    pub host_speed: Option<f64>,
}

/// A code, as far as the rules look at it.
#[derive(Debug, Clone)]
pub struct Candidate {
    pub title: String,
    pub copies: bool,
    pub k: usize,
    pub storage: f64,
    /// `None` if it was not found exactly.
    pub unavailable: Option<f64>,
    /// That data is lost within a year, if that is known.
    pub loss: Option<f64>,
    pub encode: Spread,
}

/// What a rule says.
#[derive(Debug, PartialEq, Eq)]
pub struct Sentence {
    pub rule: &'static str,
    pub text: String,
}

type Rule = fn(&Situation) -> Option<String>;

/// All rules, in the order in which they speak.
const RULES: &[(&str, Rule)] = &[
    ("least space", least_space),
    ("same space", same_space),
    ("as good", as_good),
    ("speed", speed),
    ("limit", limit),
    ("verdict", verdict),
    ("copies", copies),
    ("durability", durability),
    ("beyond the model", beyond_the_model),
];

/// What the rules say.
pub fn advice(situation: &Situation) -> Vec<Sentence> {
    let say = |(rule, say): &(&'static str, Rule)| {
        let text = say(situation)?;
        Some(Sentence { rule, text })
    };
    RULES.iter().filter_map(say).collect()
}

/// `10 hosts at 99 %`, where they are alike.
pub fn these_hosts(hosts: &Hosts) -> String {
    let all: Vec<_> = hosts.iter().collect();
    let alike = |pair: &[_]| pair[0] == pair[1];
    let up: Vec<_> = all.iter().map(|host| (host.backup, host.restore)).collect();
    match up.first() {
        Some((backup, restore)) if hosts.groups().is_empty() && up.windows(2).all(alike) => {
            let backup_percent = percent(backup.up());
            if backup == restore {
                format!("{} hosts at {backup_percent}", all.len())
            } else {
                let restore = percent(restore.up());
                format!(
                    "{} hosts at {backup_percent} at backup and {restore} at restore",
                    all.len()
                )
            }
        }
        _ => format!("these {} hosts", all.len()),
    }
}

fn percent(probability: f64) -> String {
    let digits = format!("{:.10}", probability * 100.0);
    format!("{} %", digits.trim_end_matches('0').trim_end_matches('.'))
}

impl Situation {
    fn is_enough(&self, candidate: &Candidate) -> bool {
        (candidate.unavailable).is_some_and(|p| p * SECONDS_A_YEAR <= self.down)
    }

    /// The one that takes the least space of those that are enough; of several, the one that is
    /// least often unreadable; of these, one that is faster than the others, or the first.
    fn choice(&self) -> Option<&Candidate> {
        let enough = self.candidates.iter().filter(|one| self.is_enough(one));
        enough.reduce(|best, one| {
            let better = one.storage < best.storage && !same(one.storage, best.storage)
                || same(one.storage, best.storage)
                    && (one.is_less_down_than(best)
                        || !best.is_less_down_than(one) && one.is_faster_than(best));
            if better { one } else { best }
        })
    }

    /// The fastest of those that take the same space and are more often unreadable: what could be
    /// said for it is its speed.
    fn rival(&self) -> Option<(&Candidate, &Candidate)> {
        let choice = self.choice()?;
        let rivals = self
            .candidates
            .iter()
            .filter(|one| same(one.storage, choice.storage) && choice.is_less_down_than(one));
        let median = |one: &&Candidate| one.encode.median();
        let rival = rivals.max_by(|a, b| median(a).total_cmp(&median(b)))?;
        Some((choice, rival))
    }

    /// What hosts take of the data, in bytes a second: each takes one k-th of it.
    fn most_of_hosts(&self, candidate: &Candidate) -> Option<f64> {
        Some(self.host_speed? * real(candidate.k as u64))
    }

    fn hosts_are_the_limit(&self, candidate: &Candidate) -> bool {
        self.most_of_hosts(candidate)
            .is_some_and(|most| candidate.encode.low() > most && candidate.is_measured())
    }
}

impl Candidate {
    fn is_less_down_than(&self, other: &Self) -> bool {
        match (self.unavailable, other.unavailable) {
            (Some(own), Some(others)) => own < others && !same(own, others),
            _ => false,
        }
    }

    /// In every run than the other in any, and so that it is noticed.
    fn is_faster_than(&self, other: &Self) -> bool {
        let (own, others) = (&self.encode, &other.encode);
        own.low() > others.high() && own.median() >= NOTICED * others.median() && self.is_measured()
    }

    fn is_measured(&self) -> bool {
        self.encode.runs() >= LEAST_RUNS
    }

    fn down(&self) -> String {
        let text = self.unavailable.map(|p| seconds(p * SECONDS_A_YEAR));
        text.map_or("unknown".into(), |text| match text.as_str() {
            "never" => text,
            _ => format!("{text} a year"),
        })
    }
}

fn same(a: f64, b: f64) -> bool {
    (a - b).abs() <= SAME * a.abs().max(b.abs())
}

fn least_space(situation: &Situation) -> Option<String> {
    let hosts = &situation.hosts;
    let allowed = &situation.down_text;
    if let Some(choice) = situation.choice() {
        return Some(format!(
            "For {hosts}, {} takes the least space of those that are unreadable for at most \
             {allowed} a year: {:.2} times the data, unreadable {}.",
            choice.title,
            choice.storage,
            choice.down()
        ));
    }
    let known = situation
        .candidates
        .iter()
        .filter(|one| one.unavailable.is_some());
    let best = known.reduce(|best, one| {
        if one.is_less_down_than(best) {
            one
        } else {
            best
        }
    })?;
    Some(format!(
        "For {hosts}, none of these is unreadable for less than {allowed} a year: {} comes nearest, \
         with {}.",
        best.title,
        best.down()
    ))
}

fn same_space(situation: &Situation) -> Option<String> {
    let (choice, rival) = situation.rival()?;
    Some(format!(
        "At the same space, {} is unreadable {} and {} {}.",
        choice.title,
        choice.down(),
        rival.title,
        rival.down()
    ))
}

fn as_good(situation: &Situation) -> Option<String> {
    let choice = situation.choice()?;
    let slower = situation.candidates.iter().find(|one| {
        let unavailable = one.unavailable.zip(choice.unavailable);
        same(one.storage, choice.storage)
            && unavailable.is_some_and(|(a, b)| same(a, b))
            && choice.is_faster_than(one)
    })?;
    Some(format!(
        "{} survives the same, and encodes {} times as fast as {} on this machine.",
        choice.title,
        times(choice.encode.median() / slower.encode.median()),
        slower.title
    ))
}

fn speed(situation: &Situation) -> Option<String> {
    let (choice, rival) = situation.rival()?;
    let says = |fast: &Candidate, slow: &Candidate| {
        format!(
            "{} encodes {} times as fast as {} on this machine.",
            fast.title,
            times(fast.encode.median() / slow.encode.median()),
            slow.title
        )
    };
    Some(if rival.is_faster_than(choice) {
        says(rival, choice)
    } else if choice.is_faster_than(rival) {
        says(choice, rival)
    } else {
        format!(
            "Whether {} or {} encodes faster on this machine, the runs do not say.",
            choice.title, rival.title
        )
    })
}

fn limit(situation: &Situation) -> Option<String> {
    let choice = situation.choice().filter(|choice| choice.is_measured())?;
    let title = &choice.title;
    let Some((speed, most)) = situation.host_speed.zip(situation.most_of_hosts(choice)) else {
        return Some(format!(
            "On this machine {title} keeps up with hosts that take {} each.",
            rate(choice.encode.low() / real(choice.k as u64))
        ));
    };
    let (speed, most, encodes) = (rate(speed), rate(most), rate(choice.encode.median()));
    if situation.hosts_are_the_limit(choice) {
        Some(format!(
            "Your hosts at {speed} each take {most} of the data, and {title} encodes {encodes}: the \
             hosts are the limit."
        ))
    } else if situation.most_of_hosts(choice)? > choice.encode.high() {
        Some(format!(
            "Your hosts at {speed} each take {most} of the data, and {title} encodes {encodes}: the \
             code is the limit."
        ))
    } else {
        None
    }
}

fn verdict(situation: &Situation) -> Option<String> {
    let (choice, rival) = situation.rival()?;
    let (own, other) = (&choice.title, &rival.title);
    if !rival.is_faster_than(choice) {
        Some(format!("So choose {own}: nothing here speaks for {other}."))
    } else if situation.hosts_are_the_limit(choice) {
        Some(format!(
            "So the speed of {other} is of no use: choose {own}."
        ))
    } else if situation.host_speed.is_some() {
        Some(format!(
            "So it is for you to say whether the speed of {other} is worth being unreadable {} \
             rather than {}.",
            rival.down(),
            choice.down()
        ))
    } else {
        Some(format!(
            "So choose {own}, unless your hosts are faster than that and the speed of {other} is \
             worth being unreadable {} rather than {}.",
            rival.down(),
            choice.down()
        ))
    }
}

fn copies(situation: &Situation) -> Option<String> {
    let choice = situation.choice().filter(|choice| !choice.copies)?;
    let copies = situation.candidates.iter().find(|one| {
        one.copies && one.storage > choice.storage && !same(one.storage, choice.storage)
    })?;
    copies.unavailable?;
    Some(format!(
        "Beside it, {} takes {} times the space and is unreadable {}.",
        copies.title,
        times(copies.storage / choice.storage),
        copies.down()
    ))
}

fn durability(situation: &Situation) -> Option<String> {
    let choice = situation.choice()?;
    let loss = choice.loss?;
    let rival = situation.rival().and_then(|(_, rival)| {
        let loss = rival.loss?;
        Some(format!(", of {} {loss:.1e}", rival.title))
    });
    Some(format!(
        "If each host is {}, and none because another is, the probability of losing data of {} \
         within a year is {loss:.1e}{}.",
        situation.wear,
        choice.title,
        rival.unwrap_or_default()
    ))
}

fn beyond_the_model(situation: &Situation) -> Option<String> {
    let choice = situation.choice()?;
    let least = [choice.unavailable, choice.loss].into_iter().flatten();
    let least = least.fold(1.0, f64::min);
    (least < BEYOND_THE_MODEL).then(|| {
        "Read figures below 1e-9 as \"not this way\": what takes several hosts at once, and \
         mistakes, are more likely."
            .into()
    })
}

/// `3.1`, `11`.
fn times(ratio: f64) -> String {
    if ratio < 9.95 {
        format!("{ratio:.1}")
    } else {
        format!("{ratio:.0}")
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "speeds are positive, and three figures are shown"
)]
/// `100 MB/s`.
pub fn rate(speed: f64) -> String {
    format!("{}/s", show_size(speed as u64))
}

#[expect(clippy::cast_precision_loss, reason = "three figures are shown")]
/// Bytes as a number to compute with.
pub fn real(bytes: u64) -> f64 {
    bytes as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: f64 = 60.0 / SECONDS_A_YEAR;

    /// Speeds in MB/s: the slowest and the fastest run.
    fn code(title: &str, storage: f64, unavailable: f64, speeds: [f64; 2]) -> Candidate {
        Candidate {
            title: title.into(),
            copies: title.starts_with("copy"),
            k: 6,
            storage,
            unavailable: Some(unavailable),
            loss: Some(unavailable / 100.0),
            encode: runs(&[speeds[0], f64::midpoint(speeds[0], speeds[1]), speeds[1]]),
        }
    }

    fn runs(speeds: &[f64]) -> Spread {
        Spread::new(speeds.iter().map(|speed| speed * 1e6).collect())
    }

    fn among(candidates: Vec<Candidate>) -> Situation {
        Situation {
            candidates,
            hosts: "10 hosts at 99 %".into(),
            wear: "lost 0.02 times a year, healed after 7 days".into(),
            down: 3600.0,
            down_text: "1 h".into(),
            host_speed: None,
        }
    }

    /// RS, which is good, and XOR, which is not so good, with these speeds.
    fn rs_and_xor(rs: [f64; 2], xor: [f64; 2]) -> Situation {
        among(vec![
            code("rs", 1.6, 0.5 * MINUTE, rs),
            code("xor", 1.6, 43.0 * MINUTE, xor),
        ])
    }

    fn says(situation: &Situation, rule: &str) -> Option<String> {
        let (_, say) = RULES.iter().find(|(name, _)| *name == rule).unwrap();
        say(situation)
    }

    #[track_caller]
    fn assert_says(situation: &Situation, rule: &str, texts: &[&str]) {
        let said = says(situation, rule).unwrap_or_else(|| panic!("{rule} says nothing"));
        assert!(texts.iter().all(|text| said.contains(text)), "{said}");
    }

    #[test]
    fn every_rule_is_in_the_docs_and_in_their_order() {
        let docs = include_str!("../../../docs/COMPARE.md");
        let places = RULES
            .iter()
            .map(|(name, _)| docs.find(&format!("| {name} |")));
        let places: Option<Vec<_>> = places.collect();
        assert!(places.unwrap().is_sorted());
    }

    #[test]
    fn the_least_space_that_is_enough() {
        let small = |minutes| code("small", 1.2, minutes * MINUTE, [1.0, 2.0]);
        let large = || code("large", 1.5, 1.0 * MINUTE, [1.0, 2.0]);
        let rule = "least space";
        // What is unreadable for exactly as long as is allowed is enough.
        assert_says(
            &among(vec![small(60.0), large()]),
            rule,
            &["small takes", "at most 1 h", "1.20"],
        );
        assert_says(
            &among(vec![small(60.001), large()]),
            rule,
            &["large takes", "60 s a year"],
        );
        assert_says(
            &among(vec![
                small(90.0),
                code("large", 1.5, 70.0 * MINUTE, [1.0, 2.0]),
            ]),
            rule,
            &["none of these", "large comes nearest, with 70 min"],
        );
        // What is not known is not counted on.
        let mut unknown = small(1.0);
        unknown.unavailable = None;
        assert_says(
            &among(vec![unknown.clone(), large()]),
            rule,
            &["large takes"],
        );
        assert_eq!(says(&among(vec![unknown]), rule), None);
    }

    #[test]
    fn at_the_same_space_the_better_one() {
        let situation = rs_and_xor([10.0, 11.0], [30.0, 33.0]);
        assert_says(
            &situation,
            "same space",
            &["rs is unreadable 30 s a year and xor 43 min a year"],
        );
        // What differs by less than a millionth does not differ.
        for (factor, rival) in [(1.0 + 2e-6, true), (1.0 + 0.5e-6, false)] {
            let pair = among(vec![
                code("a", 1.6, MINUTE, [1.0, 2.0]),
                code("b", 1.6, MINUTE * factor, [1.0, 2.0]),
            ]);
            assert_eq!(says(&pair, "same space").is_some(), rival, "{factor}");
        }
        // Another space is another thing.
        let pair = among(vec![
            code("a", 1.6, MINUTE, [1.0, 2.0]),
            code("b", 1.7, 2.0 * MINUTE, [1.0, 2.0]),
        ]);
        assert_eq!(says(&pair, "same space"), None);
    }

    #[test]
    fn faster_is_only_what_is_beyond_the_spread() {
        let rule = "speed";
        let clear = rs_and_xor([10.0, 11.0], [33.0, 34.0]);
        assert_says(&clear, rule, &["xor encodes 3.2 times as fast as rs"]);
        assert_says(
            &rs_and_xor([33.0, 34.0], [10.0, 11.0]),
            rule,
            &["rs encodes 3.2 times"],
        );
        // One run of the slower is as fast as one of the faster, for all the medians say.
        let touching = rs_and_xor([10.0, 33.0], [33.0, 90.0]);
        assert_says(&touching, rule, &["rs or xor", "do not say"]);
        assert_says(
            &rs_and_xor([10.0, 32.9], [33.0, 90.0]),
            rule,
            &["xor encodes"],
        );

        let twins = |fast, slow| {
            among(vec![
                code("rs16", 1.6, MINUTE, slow),
                code("rs8", 1.6, MINUTE, fast),
            ])
        };
        assert_says(
            &twins([20.0, 22.0], [10.0, 11.0]),
            "as good",
            &["rs8 survives the same, and encodes 2.0 times as fast as rs16"],
        );
        assert_eq!(says(&twins([11.0, 22.0], [10.0, 11.0]), "as good"), None);
    }

    #[test]
    fn few_runs_and_small_differences_say_nothing() {
        let pair = |rs: &[f64], xor: &[f64]| {
            let mut situation = rs_and_xor([1.0, 1.0], [1.0, 1.0]);
            situation.candidates[0].encode = runs(rs);
            situation.candidates[1].encode = runs(xor);
            situation
        };
        let faster = "xor encodes";
        let speed = |situation: &Situation| says(situation, "speed").unwrap();
        assert!(speed(&pair(&[100.0; 3], &[105.1; 3])).starts_with(faster));
        assert!(!speed(&pair(&[100.0; 3], &[104.9; 3])).starts_with(faster));
        assert!(!speed(&pair(&[100.0; 2], &[200.0; 2])).starts_with(faster));
        assert_eq!(says(&pair(&[100.0; 2], &[200.0; 2]), "limit"), None);
        assert!(says(&pair(&[100.0; 3], &[200.0; 3]), "limit").is_some());
    }

    #[test]
    fn the_limit_is_what_is_slower_in_every_run() {
        let at = |host_speed| {
            let situation = rs_and_xor([600.0, 700.0], [2000.0, 2100.0]);
            Situation {
                host_speed: Some(host_speed),
                ..situation
            }
        };
        // k = 6: hosts at 100 MB/s take 600 MB/s of data.
        assert_says(&at(99_999_999.0), "limit", &["the hosts are the limit"]);
        assert_eq!(says(&at(100_000_000.0), "limit"), None);
        assert_eq!(says(&at(116_666_666.0), "limit"), None);
        assert_says(
            &at(116_666_667.0),
            "limit",
            &["the code is the limit", "117 MB/s each take 700"],
        );
        let unknown = rs_and_xor([600.0, 700.0], [2000.0, 2100.0]);
        assert_says(
            &unknown,
            "limit",
            &["rs keeps up with hosts that take 100 MB/s each"],
        );

        assert_says(&at(99_999_999.0), "verdict", &["of no use: choose rs"]);
        assert_says(
            &at(120_000_000.0),
            "verdict",
            &["for you to say", "43 min a year rather than 30 s"],
        );
        assert_says(
            &unknown,
            "verdict",
            &["choose rs, unless your hosts are faster"],
        );
        let slow = rs_and_xor([600.0, 700.0], [700.0, 800.0]);
        assert_says(
            &slow,
            "verdict",
            &["choose rs: nothing here speaks for xor"],
        );
        assert_eq!(
            says(&among(vec![code("rs", 1.6, MINUTE, [1.0, 2.0])]), "verdict"),
            None
        );
    }

    #[test]
    fn copies_are_what_it_is_held_against() {
        let rs = || code("rs", 1.5, MINUTE, [1.0, 2.0]);
        let copy = |storage| code("copy", storage, 4.0 * MINUTE, [1.0, 2.0]);
        assert_says(
            &among(vec![rs(), copy(3.0)]),
            "copies",
            &["copy takes 2.0 times the space and is unreadable 4.0 min a year"],
        );
        assert_eq!(says(&among(vec![rs(), copy(1.5)]), "copies"), None);
        assert_eq!(says(&among(vec![copy(1.2), rs()]), "copies"), None);
    }

    #[test]
    fn what_is_lost_and_what_is_beyond() {
        let with_loss = |loss| {
            let mut situation = rs_and_xor([1.0, 2.0], [1.0, 2.0]);
            situation.candidates[0].loss = loss;
            situation
        };
        assert_says(
            &with_loss(Some(1e-9)),
            "durability",
            &["of rs within a year is 1.0e-9, of xor"],
        );
        assert_eq!(says(&with_loss(None), "durability"), None);
        assert_eq!(says(&with_loss(Some(1e-9)), "beyond the model"), None);
        assert_says(
            &with_loss(Some(0.999e-9)),
            "beyond the model",
            &["not this way"],
        );
    }

    #[test]
    fn hosts_are_named_by_what_they_have_in_common() {
        let p = |text: &str| text.parse().unwrap();
        let alike = |backup, restore| these_hosts(&Hosts::equal(10, p(backup), p(restore)));
        assert_eq!(alike("0.99", "0.99"), "10 hosts at 99 %");
        assert_eq!(
            alike("0.999", "0.5"),
            "10 hosts at 99.9 % at backup and 50 % at restore"
        );
        let host = |name: &str, up| distdup::availability::Host {
            name: name.into(),
            backup: p(up),
            restore: p(up),
        };
        let hosts = Hosts::new(vec![host("a", "0.9"), host("b", "0.99")], vec![]).unwrap();
        assert_eq!(these_hosts(&hosts), "these 2 hosts");
    }
}
