//! Which losses a code survives, and which it does not.

use distdup_codecs::{Code, ShardSet};

use super::AvailabilityError;
use super::subsets::{MOST, Subsets, bits, shards};

/// All losses of a code, by their size.
#[derive(Debug, Clone, PartialEq)]
pub struct Patterns {
    /// For 0 lost, 1, ... n - k + 1, of which none is survived.
    pub sizes: Vec<Size>,
    /// The losses of at most n - k shares that are not survived, small ones first.
    pub hopeless: Vec<Hopeless>,
}

/// Losses of one size.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Size {
    /// How many of them are survived.
    pub recoverable: u64,
    /// How many there are.
    pub sets: u64,
}

/// A loss that is not survived.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hopeless {
    /// What is lost.
    pub lost: ShardSet,
    /// It would be survived, were any one of its shares not lost. All that are not minimal contain
    /// one that is: more lost is never better.
    pub minimal: bool,
}

/// The losses that `code` survives, and those it does not.
///
/// # Errors
///
/// [`AvailabilityError::TooMany`] for n above 20.
pub fn patterns(code: &dyn Code) -> Result<Patterns, AvailabilityError> {
    let instead = if code.is_mds() {
        "but this code survives all losses of n - k and none of more"
    } else {
        "ask for a smaller n"
    };
    let subsets = Subsets::of(code, "the list of losses", MOST, instead)?;
    let parity = code.geometry().parity();
    let empty = Size {
        recoverable: 0,
        sets: 0,
    };
    let mut sizes = vec![empty; (parity + 1).min(subsets.n()) + 1];
    let mut hopeless = Vec::new();
    for (present, recoverable) in subsets.iter() {
        let lost = subsets.full() & !present;
        let count = lost.count_ones() as usize;
        let Some(size) = sizes.get_mut(count) else {
            continue;
        };
        size.sets += 1;
        size.recoverable += u64::from(recoverable);
        if !recoverable && count <= parity {
            hopeless.push(Hopeless {
                lost: shards(lost),
                minimal: bits(lost).all(|share| subsets.is_recoverable(present | 1 << share)),
            });
        }
    }
    hopeless.sort_by(|a, b| {
        (a.lost.len().cmp(&b.lost.len())).then_with(|| a.lost.iter().cmp(b.lost.iter()))
    });
    Ok(Patterns { sizes, hopeless })
}

#[cfg(test)]
mod tests {
    use distdup_codecs::Geometry;

    use super::*;

    fn of(codec: &str, k: usize, n: usize) -> Patterns {
        let geometry = Geometry::new(k, n).unwrap();
        patterns(&*distdup_codecs::resolve(codec, geometry, None).unwrap()).unwrap()
    }

    #[test]
    fn those_of_the_prototype() {
        let patterns = of("xor:matland", 6, 10);
        let recoverable: Vec<_> = patterns.sizes.iter().map(|size| size.recoverable).collect();
        let sets: Vec<_> = patterns.sizes.iter().map(|size| size.sets).collect();
        assert_eq!(recoverable, [1, 10, 45, 110, 125, 0]);
        assert_eq!(sets, [1, 10, 45, 120, 210, 252]);
        assert_eq!(patterns.hopeless.len(), 10 + 85);
        for (at, one) in patterns.hopeless.iter().enumerate() {
            let smaller = patterns.hopeless[..at]
                .iter()
                .any(|other| other.lost.is_subset(one.lost));
            assert_eq!(one.minimal, !smaller, "{one:?}");
        }
    }

    #[test]
    fn an_mds_code_has_none() {
        for (codec, k, n) in [("rs", 4, 6), ("copy", 1, 3), ("xor", 4, 5), ("copy", 1, 1)] {
            let patterns = of(codec, k, n);
            assert_eq!(patterns.hopeless, []);
            assert_eq!(patterns.sizes.len(), n - k + 2);
            for (lost, size) in patterns.sizes.iter().enumerate() {
                assert_eq!(size.recoverable, if lost > n - k { 0 } else { size.sets });
            }
        }
    }
}
