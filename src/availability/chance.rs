//! The chance that something goes well, and how it is added up.

/// A year of 365.25 days.
pub const SECONDS_A_YEAR: f64 = 365.25 * 86_400.0;

/// That something goes well, and that it does not, each with its own digits.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Chance {
    /// It does.
    pub yes: f64,
    /// It does not.
    pub no: f64,
    /// Where the chance was estimated.
    pub interval: Option<Interval>,
}

/// Where `no` is, with a confidence of 95 %: from `low` to `high`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Interval {
    /// Not below.
    pub low: f64,
    /// Not above.
    pub high: f64,
}

impl Chance {
    /// How many nines `yes` begins with, by the logarithm: 3 for 0.999, infinite for certainty.
    pub fn nines(&self) -> f64 {
        // Where `no` is 1, the logarithm is 0, which a minus sign would make -0. (`max` may keep it.)
        (0.0 - self.no.log10()).max(0.0)
    }

    /// Seconds of a year in which it does not go well.
    pub fn seconds_a_year(&self) -> f64 {
        self.no * SECONDS_A_YEAR
    }
}

/// Adds up what happens and what does not.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Odds {
    yes: Sum,
    no: Sum,
}

impl Odds {
    /// Something of probability `p` that goes well, or not.
    pub(super) fn add(&mut self, well: bool, p: f64) {
        if well {
            self.yes.add(p);
        } else {
            self.no.add(p);
        }
    }

    /// Something that goes well with probability `yes` and does not with `no`.
    pub(super) fn split(&mut self, yes: f64, no: f64) {
        self.yes.add(yes);
        self.no.add(no);
    }

    /// Of all that was added; `None` if that has no probability at all.
    pub(super) fn conditional(&self) -> Option<Chance> {
        let (yes, no) = (self.yes.total(), self.no.total());
        let all = yes + no;
        (all > 0.0).then(|| Chance {
            yes: yes / all,
            no: no / all,
            interval: None,
        })
    }

    /// Where what was added is all that can be.
    pub(super) fn chance(&self) -> Chance {
        Chance {
            yes: self.yes.total().min(1.0),
            no: self.no.total().min(1.0),
            interval: None,
        }
    }
}

/// A sum of positive terms that loses nothing to rounding, however many there are (Neumaier, 1974).
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Sum {
    sum: f64,
    rest: f64,
}

impl Sum {
    pub(super) fn add(&mut self, term: f64) {
        let sum = self.sum + term;
        self.rest += if self.sum >= term {
            (self.sum - sum) + term
        } else {
            (term - sum) + self.sum
        };
        self.sum = sum;
    }

    pub(super) fn total(self) -> f64 {
        self.sum + self.rest
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_terms_are_not_swallowed() {
        let mut sum = Sum::default();
        sum.add(1.0);
        (0..1000).for_each(|_| sum.add(1e-17));
        sum.add(1.0);
        assert!((sum.total() - 2.0 - 1e-14).abs() < 1e-15);
    }

    #[test]
    fn nothing_has_no_chance() {
        let mut odds = Odds::default();
        odds.add(true, 0.0);
        assert_eq!(odds.conditional(), None);
        odds.add(false, 1e-200);
        assert_eq!(odds.conditional().map(|chance| chance.no), Some(1.0));
        let never = odds.conditional().unwrap();
        assert!(never.nines().is_sign_positive() && never.nines() < 1e-9);
    }
}
