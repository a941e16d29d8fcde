//! What follows from a code alone.

use distdup_codecs::{Code, Operations, ShardSet};

use crate::availability::patterns::{Size, patterns};
use crate::encode::{DEFAULT_MEMORY, default_min_shares, default_workers};
use crate::pipeline::budget::{self, Crew, TooLittleMemory};
use crate::survival::{self, Survival};

/// Most shares for which it is tried out what a repair could do with.
const MOST_TRIED: usize = 16;

/// What a code survives, and what it takes.
#[derive(Debug, Clone, PartialEq)]
pub struct Facts {
    /// Any so many shares may be lost.
    pub always: Survival,
    /// For 0 lost, 1, ... n - k, how many losses of that size are survived; `None` where there are
    /// too many to go through.
    pub losses: Option<Vec<Losses>>,
    /// Shares that must be read, at least, to have a lost one again, on the average of all shares;
    /// `None` where that is too much to try out.
    pub least_reads: Option<f64>,
    /// What encoding a stripe takes, if the code says so.
    pub operations: Option<Operations>,
    /// Bytes that an encode takes for buffers, queues and scratch, with what is set by default.
    pub encode_memory: u64,
    /// The same for a decode.
    pub decode_memory: u64,
}

/// Losses of one size.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Losses {
    /// How many shares are lost.
    pub lost: usize,
    /// Which part of these losses is survived, 0 to 1.
    pub share: f64,
    /// How many they are, where they were counted.
    pub counts: Option<Size>,
}

/// What `code` survives, and what it takes on this machine.
///
/// # Errors
///
/// What an operation is allowed to take by default is not enough for this code.
pub fn facts(code: &dyn Code) -> Result<Facts, TooLittleMemory> {
    let crew = Crew {
        workers: default_workers(),
        proves: false,
    };
    let spare = code.geometry().n() - default_min_shares(code);
    let shard_len = budget::encode_shard_len(code, None, DEFAULT_MEMORY, crew, spare)?;
    let len = usize::try_from(shard_len).unwrap_or(usize::MAX);
    Ok(Facts {
        always: survival::of(code, code.geometry().shards()).unwrap_or(Survival {
            losses: 0,
            exact: true,
        }),
        losses: losses(code),
        least_reads: least_reads(code),
        operations: code.operations(),
        encode_memory: budget::encode_memory(code, shard_len, crew, spare),
        decode_memory: budget::decode_memory(code, len, DEFAULT_MEMORY, crew)?,
    })
}

fn losses(code: &dyn Code) -> Option<Vec<Losses>> {
    let parity = code.geometry().parity();
    let counted = |(lost, size): (usize, &Size)| Losses {
        lost,
        share: ratio(size.recoverable, size.sets),
        counts: Some(*size),
    };
    match patterns(code) {
        Ok(patterns) => Some(
            (patterns.sizes.iter().enumerate())
                .take(parity + 1)
                .map(counted)
                .collect(),
        ),
        Err(_) if code.is_mds() => {
            let survived = |lost| Losses {
                lost,
                share: 1.0,
                counts: None,
            };
            Some((0..=parity).map(survived).collect())
        }
        Err(_) => None,
    }
}

#[expect(clippy::cast_precision_loss, reason = "there are at most 2^20 sets")]
fn ratio(part: u64, all: u64) -> f64 {
    part as f64 / all as f64
}

fn least_reads(code: &dyn Code) -> Option<f64> {
    let (k, n) = (code.geometry().k(), code.geometry().n());
    let count = |count: usize| f64::from(u16::try_from(count).unwrap_or(u16::MAX));
    if code.is_mds() {
        return Some(count(k));
    }
    if n > MOST_TRIED {
        return None;
    }
    // Small sets first: so the first that gives a share is the least for it.
    let mut sets: Vec<usize> = (1..1 << n).collect();
    sets.sort_by_key(|set| set.count_ones());
    let mut least = vec![None; n];
    for set in sets {
        if least.iter().all(Option::is_some) {
            break;
        }
        let present: ShardSet = (0..n).filter(|share| set >> share & 1 == 1).collect();
        for share in code.reconstructible(present).difference(present) {
            least[share].get_or_insert(present.len());
        }
    }
    let least: Option<Vec<usize>> = least.into_iter().collect();
    Some(count(least?.iter().sum()) / count(n))
}

#[cfg(test)]
mod tests {
    use distdup_codecs::{Geometry, resolve};

    use super::*;

    fn of(codec: &str, k: usize, n: usize, equations: Option<&str>) -> Facts {
        let geometry = Geometry::new(k, n).unwrap();
        facts(&*resolve(codec, geometry, equations).unwrap()).unwrap()
    }

    #[test]
    fn of_the_prototypes_code() {
        let facts = of("xor", 6, 10, Some("3^5^6,2^4^6,1^4^5,1^2^3"));
        assert_eq!(facts.always.losses, 2);
        let shares: Vec<_> = facts.losses.unwrap().iter().map(|l| l.share).collect();
        assert_eq!(shares, [1.0, 1.0, 1.0, 110.0 / 120.0, 125.0 / 210.0]);
        // Every equation has three terms, and every share is in one.
        assert_eq!(facts.least_reads, Some(3.0));
        let operations = facts.operations.unwrap();
        assert_eq!((operations.additions, operations.multiplications), (8, 0));
    }

    #[test]
    fn of_reed_solomon() {
        let facts = of("rs16", 6, 10, None);
        assert_eq!((facts.always.losses, facts.least_reads), (4, Some(6.0)));
        assert!(
            facts
                .losses
                .unwrap()
                .iter()
                .all(|losses| (losses.share - 1.0).abs() < 1e-15)
        );
        // Three transforms of four points: two layers of two butterflies each.
        let operations = facts.operations.unwrap();
        assert_eq!((operations.additions, operations.multiplications), (28, 12));
        // A matrix of six by four.
        let operations = of("rs8", 6, 10, None).operations.unwrap();
        assert_eq!((operations.additions, operations.multiplications), (20, 24));
        // Nobody goes through the 2^100 sets of these.
        assert_eq!(of("rs16", 60, 100, None).losses.unwrap().len(), 41);
    }

    #[test]
    fn memory_is_within_what_is_allowed() {
        for (k, n) in [(1, 2), (6, 10), (100, 200)] {
            let facts = of("rs", k, n, None);
            for memory in [facts.encode_memory, facts.decode_memory] {
                assert!((1 << 20..=DEFAULT_MEMORY).contains(&memory), "{memory}");
            }
        }
    }
}
