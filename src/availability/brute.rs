//! Figures by going through everything that can happen: what the exact ones are held against.

use distdup_codecs::Code;

use super::chance::Odds;
use super::counts::real;
use super::subsets::shards;
use super::{AvailabilityError, Figures, Hosts, Moment, Way};

/// Most hosts, for which there are 4^12 pairs.
const MOST: usize = 12;

pub(super) fn figures(
    code: &dyn Code,
    hosts: &Hosts,
    min_shares: usize,
) -> Result<Figures, AvailabilityError> {
    let n = hosts.len();
    if n > MOST {
        return Err(AvailabilityError::TooMany {
            what: "brute force",
            n,
            count: real(2 * n).exp2(),
            things: "pairs of sets of hosts",
            most: real(2 * MOST).exp2(),
            most_n: MOST,
            instead: "use --method exact or --method monte-carlo",
        });
    }
    let sets = 0..1usize << n;
    let is_recoverable: Vec<bool> = sets
        .clone()
        .map(|set| code.is_recoverable(shards(set)))
        .collect();
    let at_restore: Vec<f64> = sets
        .clone()
        .map(|set| hosts.exactly(set, Moment::Restore))
        .collect();

    let [
        mut readable,
        mut taken,
        mut acknowledged,
        mut unhealed,
        mut healed,
    ] = [Odds::default(); 5];
    for backup in sets {
        let at_backup = hosts.exactly(backup, Moment::Backup);
        let accepted = is_recoverable[backup] && backup.count_ones() as usize >= min_shares;
        for (restore, p) in at_restore.iter().enumerate() {
            let p = at_backup * p;
            readable.add(is_recoverable[backup & restore], p);
            taken.add(is_recoverable[backup], p);
            acknowledged.add(accepted, p);
            if accepted {
                unhealed.add(is_recoverable[backup & restore], p);
                healed.add(is_recoverable[restore], p);
            }
        }
    }
    Ok(Figures {
        way: Way::Pairs,
        readable: readable.chance(),
        taken: taken.chance(),
        acknowledged: acknowledged.chance(),
        unhealed: unhealed.conditional(),
        healed: healed.conditional(),
    })
}
