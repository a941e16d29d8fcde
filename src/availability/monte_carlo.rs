//! Figures by chance: for any code and any number of hosts, if only roughly.

use std::collections::HashMap;

use distdup_codecs::{Code, ShardSet};

use super::{AvailabilityError, Chance, Figures, Hosts, Interval, Moment, Way};
use crate::dice::Dice;

/// Within so many standard deviations is a normal variable with a probability of 95 %.
const DEVIATIONS: f64 = 1.959_963_984_540_054;

pub(super) fn figures(
    code: &dyn Code,
    hosts: &Hosts,
    min_shares: usize,
    trials: u64,
    seed: u64,
) -> Result<Figures, AvailabilityError> {
    if trials == 0 {
        return Err(AvailabilityError::NoTrials);
    }
    let mut dice = Dice::new(seed, 0);
    let mut known = Known {
        code,
        answers: HashMap::new(),
    };
    let [
        mut readable,
        mut taken,
        mut acknowledged,
        mut unhealed,
        mut healed,
    ] = [Trials::default(); 5];
    for _ in 0..trials {
        let backup = draw(&mut dice, hosts, Moment::Backup);
        let restore = draw(&mut dice, hosts, Moment::Restore);
        let is_readable = known.is_recoverable(backup.intersection(restore));
        let is_taken = known.is_recoverable(backup);
        readable.add(is_readable);
        taken.add(is_taken);
        acknowledged.add(is_taken && backup.len() >= min_shares);
        if is_taken && backup.len() >= min_shares {
            unhealed.add(is_readable);
            healed.add(known.is_recoverable(restore));
        }
    }
    Ok(Figures {
        way: Way::Trials,
        readable: readable.chance(),
        taken: taken.chance(),
        acknowledged: acknowledged.chance(),
        unhealed: (unhealed.all > 0).then(|| unhealed.chance()),
        healed: (healed.all > 0).then(|| healed.chance()),
    })
}

/// What a code was asked before.
struct Known<'a> {
    code: &'a dyn Code,
    answers: HashMap<ShardSet, bool>,
}

impl Known<'_> {
    /// So many answers are kept: with many hosts, hardly any is asked for twice.
    const MOST: usize = 100_000;

    fn is_recoverable(&mut self, present: ShardSet) -> bool {
        if self.code.is_mds() {
            return present.len() >= self.code.geometry().k();
        }
        if let Some(&answer) = self.answers.get(&present) {
            return answer;
        }
        let answer = self.code.is_recoverable(present);
        if self.answers.len() < Self::MOST {
            self.answers.insert(present, answer);
        }
        answer
    }
}

#[derive(Debug, Clone, Copy, Default)]
struct Trials {
    failed: u64,
    all: u64,
}

impl Trials {
    fn add(&mut self, well: bool) {
        self.all += 1;
        self.failed += u64::from(!well);
    }

    /// With the interval of Wilson (1927), which holds where nothing failed, too.
    #[expect(clippy::cast_precision_loss, reason = "nobody does 2^53 trials")]
    fn chance(self) -> Chance {
        let (all, failed) = (self.all as f64, self.failed as f64);
        let no = failed / all;
        let square = DEVIATIONS * DEVIATIONS;
        let middle = (failed + square / 2.0) / (all + square);
        let width =
            DEVIATIONS / (all + square) * (failed * (all - failed) / all + square / 4.0).sqrt();
        let bound = |at_end: bool, end: f64, value: f64| if at_end { end } else { value };
        Chance {
            yes: (all - failed) / all,
            no,
            interval: Some(Interval {
                low: bound(self.failed == 0, 0.0, middle - width),
                high: bound(self.failed == self.all, 1.0, middle + width),
            }),
        }
    }
}

/// The hosts that are up.
fn draw(dice: &mut Dice, hosts: &Hosts, moment: Moment) -> ShardSet {
    let mut up = ShardSet::new();
    for block in hosts.blocks() {
        let block_is_up = dice.show(block.up.up());
        for &host in &block.members {
            if dice.show(hosts.up(host, moment).up()) && block_is_up {
                up.insert(host);
            }
        }
    }
    up
}
