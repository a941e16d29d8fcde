//! Whether data is lost for good: hosts are lost now and then, and healed after a while.
//!
//! A Markov chain in continuous time. Its states are the sets of lost shares that the code survives,
//! or only their sizes, where it is MDS and hosts are lost alike; what it does not survive ends it.
//! It begins with nothing lost. Every host is lost at its rate, and every one that is lost comes back
//! at the rate of healing, all at the same time and independently.
//!
//! It is solved by uniformisation (Jensen, 1953): in steps in which every state is left with a
//! probability, weighted by how likely so many steps are. Nothing is subtracted, so what is tiny
//! keeps its digits. Soon after the slowest healing the distribution over the states does not change
//! any more but in its sum, and what remains of the year is an exponential.

use distdup_codecs::Code;

use super::AvailabilityError;
use super::counts::real;
use super::subsets::{Subsets, bits};

/// Most shares for which the chain is over sets.
const MOST: usize = 14;

/// After so many mean times to heal, all that depends on the beginning is gone (to e^-60).
const FORGOTTEN: f64 = 60.0;

/// Losses of a host in a year. What is lost more often than this is not lost but down.
const MOST_LOSSES: f64 = 1000.0;

/// How hosts are lost and come back.
#[derive(Debug, Clone, PartialEq)]
pub struct Wear {
    losses: Vec<f64>,
    healing: f64,
}

impl Wear {
    /// Hosts that are lost at rates `losses`, per year, one for all or one for each of `n`; and are
    /// healed after a mean of `years_to_heal`, or never.
    ///
    /// # Errors
    ///
    /// A rate is not in 0..=1000, the time to heal is not above 0, or there is not one rate for each
    /// host.
    pub fn new(
        n: usize,
        losses: &[f64],
        years_to_heal: Option<f64>,
    ) -> Result<Self, AvailabilityError> {
        if losses.len() != 1 && losses.len() != n {
            return Err(AvailabilityError::RateCount {
                rates: losses.len(),
                hosts: n,
            });
        }
        let possible = 0.0..=MOST_LOSSES;
        if let Some(&value) = losses.iter().find(|rate| !possible.contains(*rate)) {
            return Err(AvailabilityError::LossRate {
                value,
                most: MOST_LOSSES,
            });
        }
        let healing = years_to_heal.map_or(0.0, f64::recip);
        if !(healing.is_finite() && healing >= 0.0) {
            return Err(AvailabilityError::HealTime {
                years: years_to_heal.unwrap_or_default(),
            });
        }
        Ok(Self {
            losses: (0..n).map(|i| losses[i % losses.len()]).collect(),
            healing,
        })
    }

    /// Those of the first `n` hosts, if there are so many.
    #[must_use]
    pub fn first(&self, n: usize) -> Self {
        Self {
            losses: self.losses.iter().copied().take(n).collect(),
            healing: self.healing,
        }
    }
}

/// The probability that data coded with `code` is lost within `years`.
///
/// # Errors
///
/// There are too many sets of shares.
pub fn loss_within(years: f64, code: &dyn Code, wear: &Wear) -> Result<f64, AvailabilityError> {
    let alike = wear
        .losses
        .windows(2)
        .all(|pair| pair[0].to_bits() == pair[1].to_bits());
    let chain = if code.is_mds() && alike {
        Chain::over_counts(code.geometry().k(), wear)
    } else {
        let instead = if code.is_mds() {
            "give one rate of loss for all hosts"
        } else {
            "only Reed-Solomon and copies can be judged for so many"
        };
        let subsets = Subsets::of(code, "durability", MOST, instead)?;
        Chain::over_sets(&subsets, wear)
    };
    Ok(chain.loss_within(years, wear.healing))
}

#[derive(Debug)]
struct Chain {
    /// Of each state, where it goes to, and how often.
    moves: Vec<Vec<(usize, f64)>>,
    /// Of each state, how often data is lost from it.
    fatal: Vec<f64>,
    /// How many losses there can be.
    depth: usize,
}

/// How likely each state is, and that data is lost.
#[derive(Debug, Clone)]
struct Distribution {
    states: Vec<f64>,
    lost: f64,
}

impl Chain {
    fn over_counts(k: usize, wear: &Wear) -> Self {
        let n = wear.losses.len();
        let rate = wear.losses.first().copied().unwrap_or_default();
        let spare = n - k;
        let moves = |lost: usize| {
            let mut moves = Vec::new();
            if lost < spare {
                moves.push((lost + 1, real(n - lost) * rate));
            }
            if lost > 0 {
                moves.push((lost - 1, real(lost) * wear.healing));
            }
            moves
        };
        let mut fatal = vec![0.0; spare + 1];
        fatal[spare] = real(n - spare) * rate;
        Self {
            moves: (0..=spare).map(moves).collect(),
            fatal,
            depth: n,
        }
    }

    fn over_sets(subsets: &Subsets, wear: &Wear) -> Self {
        // The states are numbered so that the first has nothing lost.
        let present: Vec<usize> = (0..=subsets.full())
            .rev()
            .filter(|&set| subsets.is_recoverable(set))
            .collect();
        let mut number = vec![usize::MAX; subsets.full() + 1];
        for (state, &set) in present.iter().enumerate() {
            number[set] = state;
        }
        let mut chain = Self {
            moves: vec![Vec::new(); present.len()],
            fatal: vec![0.0; present.len()],
            depth: subsets.n(),
        };
        for (state, &set) in present.iter().enumerate() {
            for share in bits(set) {
                match number[set ^ 1 << share] {
                    usize::MAX => chain.fatal[state] += wear.losses[share],
                    to => chain.moves[state].push((to, wear.losses[share])),
                }
            }
            for share in bits(subsets.full() & !set) {
                chain.moves[state].push((number[set | 1 << share], wear.healing));
            }
        }
        chain
    }

    fn loss_within(&self, years: f64, healing: f64) -> f64 {
        let mut now = Distribution {
            states: vec![0.0; self.moves.len()],
            lost: 0.0,
        };
        now.states[0] = 1.0;
        let forgotten = FORGOTTEN / healing;
        if years <= forgotten {
            self.pass(&mut now, years);
            return now.lost.min(1.0);
        }
        self.pass(&mut now, forgotten * 0.75);
        let before = self.hazard(&now);
        self.pass(&mut now, forgotten * 0.25);
        let hazard = self.hazard(&now);
        let left = years - forgotten;
        if (hazard - before).abs() <= 1e-12 * hazard {
            let survived: f64 = now.states.iter().sum();
            now.lost -= survived * (-hazard * left).exp_m1();
        } else {
            self.pass(&mut now, left);
        }
        now.lost.min(1.0)
    }

    /// How often data is lost, of what is not lost yet.
    fn hazard(&self, now: &Distribution) -> f64 {
        let survived: f64 = now.states.iter().sum();
        let flow = now.states.iter().zip(&self.fatal).map(|(p, rate)| p * rate);
        if survived > 0.0 {
            flow.sum::<f64>() / survived
        } else {
            0.0
        }
    }

    /// Lets so many years pass.
    fn pass(&self, now: &mut Distribution, years: f64) {
        // Weights of up to so many expected steps do not underflow.
        const MOST_STEPS: f64 = 256.0;
        let leaving = self
            .moves
            .iter()
            .zip(&self.fatal)
            .map(|(moves, fatal)| fatal + moves.iter().map(|(_, rate)| rate).sum::<f64>());
        let rate = leaving.fold(0.0, f64::max);
        let mut left = rate * years;
        while left > 0.0 {
            let steps = left.min(MOST_STEPS);
            self.pass_steps(now, rate, steps);
            left -= steps;
            if now.states.iter().all(|p| *p < 1e-30) {
                break;
            }
        }
    }

    /// Lets the time of so many expected steps pass.
    fn pass_steps(&self, now: &mut Distribution, rate: f64, steps: f64) {
        let mut weight = (-steps).exp();
        let mut at = now.clone();
        let scale = |p: &f64| p * weight;
        let mut sum = Distribution {
            states: at.states.iter().map(scale).collect(),
            lost: at.lost * weight,
        };
        // Every state is reached in `depth` steps; 60 further ones, beyond all that are likely, make
        // the rest negligible beside it.
        let most = real(self.depth) + steps + 12.0 * steps.sqrt() + 60.0;
        let mut done = 0.0;
        while done < most {
            at = self.step(&at, rate);
            done += 1.0;
            weight *= steps / done;
            for (sum, p) in sum.states.iter_mut().zip(&at.states) {
                *sum += weight * p;
            }
            sum.lost += weight * at.lost;
        }
        *now = sum;
    }

    fn step(&self, at: &Distribution, rate: f64) -> Distribution {
        let mut next = Distribution {
            states: vec![0.0; at.states.len()],
            lost: at.lost,
        };
        for (state, &p) in at.states.iter().enumerate().filter(|(_, p)| **p > 0.0) {
            let mut leaving = self.fatal[state];
            for &(to, often) in &self.moves[state] {
                next.states[to] += p * (often / rate);
                leaving += often;
            }
            next.lost += p * (self.fatal[state] / rate);
            next.states[state] += p * (1.0 - leaving / rate).max(0.0);
        }
        next
    }
}
