//! Exact figures of any code on any hosts: over all sets of hosts that are up at backup.
//!
//! For each such set the probability that what is left of it at restore does not suffice is found for
//! all sets at once, host by host: of a set with host i in it, i is up, or the set is as good as the
//! one without i. So it takes n 2^n steps rather than 4^n.

use distdup_codecs::Code;

use super::chance::Odds;
use super::subsets::{MOST, Subsets};
use super::{AvailabilityError, Figures, Hosts, Moment, Probability, Way};

pub(super) fn figures(
    code: &dyn Code,
    hosts: &Hosts,
    min_shares: usize,
) -> Result<Figures, AvailabilityError> {
    let subsets = Subsets::of(
        code,
        "the exact method",
        MOST,
        "use --method monte-carlo, which takes any n",
    )?;
    let number = |yes: bool| if yes { 1.0 } else { 0.0 };
    let kept = at_restore(hosts, subsets.iter().map(|(_, ok)| number(ok)).collect());
    let lost = at_restore(hosts, subsets.iter().map(|(_, ok)| number(!ok)).collect());

    let [mut readable, mut taken, mut acknowledged, mut unhealed] = [Odds::default(); 4];
    for (set, recoverable) in subsets.iter() {
        let p = hosts.exactly(set, Moment::Backup);
        let accepted = recoverable && set.count_ones() as usize >= min_shares;
        readable.split(p * kept[set], p * lost[set]);
        taken.add(recoverable, p);
        acknowledged.add(accepted, p);
        if accepted {
            unhealed.split(p * kept[set], p * lost[set]);
        }
    }
    let mut healed = Odds::default();
    healed.split(kept[subsets.full()], lost[subsets.full()]);
    let unhealed = unhealed.conditional();
    Ok(Figures {
        way: Way::Sets,
        readable: readable.chance(),
        taken: taken.chance(),
        acknowledged: acknowledged.chance(),
        unhealed,
        healed: unhealed.map(|_| healed.chance()),
    })
}

/// Given what is true of each set, the probability that it is true of what is up of it at restore.
fn at_restore(hosts: &Hosts, mut of_set: Vec<f64>) -> Vec<f64> {
    for block in hosts.blocks() {
        let without = (block.up.down() > 0.0).then(|| of_set.clone());
        for &host in &block.members {
            let up = hosts.up(host, Moment::Restore);
            mix(&mut of_set, 1 << host, up);
        }
        if let Some(without) = without {
            let members: usize = block.members.iter().map(|host| 1 << host).sum();
            for (set, p) in of_set.iter_mut().enumerate() {
                if set & members != 0 {
                    *p = block.up.up() * *p + block.up.down() * without[set & !members];
                }
            }
        }
    }
    of_set
}

fn mix(of_set: &mut [f64], host: usize, p: Probability) {
    for set in (0..of_set.len()).filter(|set| set & host != 0) {
        of_set[set] = p.up() * of_set[set] + p.down() * of_set[set ^ host];
    }
}
