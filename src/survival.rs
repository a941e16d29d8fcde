//! What a set of shares can still lose.

use distdup_codecs::{Code, ShardSet};

/// As many losses are tried out at most, for a code that is not MDS.
const MOST_TRIES: u64 = 200_000;

/// How many shares may be lost, whichever they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Survival {
    /// Any so many may be lost.
    pub losses: usize,
    /// Whether some loss of one more would be fatal. Not known where there are too many to try.
    pub exact: bool,
}

/// What `shares` of a stream can lose; `None` if they do not give it back as they are.
pub fn of(code: &dyn Code, shares: ShardSet) -> Option<Survival> {
    if !code.is_recoverable(shares) {
        return None;
    }
    let most = shares.len() - code.geometry().k().min(shares.len());
    if code.is_mds() {
        return Some(Survival {
            losses: most,
            exact: true,
        });
    }
    let members: Vec<usize> = shares.iter().collect();
    let mut tries = 0;
    for lost in 1..=most {
        tries += combinations(members.len(), lost);
        if tries > MOST_TRIES {
            return Some(Survival {
                losses: lost - 1,
                exact: false,
            });
        }
        if !survives_all(code, shares, &members, lost) {
            return Some(Survival {
                losses: lost - 1,
                exact: true,
            });
        }
    }
    Some(Survival {
        losses: most,
        exact: true,
    })
}

/// Whether the data can be had whichever `count` of `members` are lost from `shares`.
fn survives_all(code: &dyn Code, shares: ShardSet, members: &[usize], count: usize) -> bool {
    if count == 0 {
        return code.is_recoverable(shares);
    }
    members.iter().enumerate().all(|(at, &lost)| {
        let mut left = shares;
        left.remove(lost);
        survives_all(code, left, &members[at + 1..], count - 1) || members.len() - at < count
    })
}

fn combinations(n: usize, k: usize) -> u64 {
    (0..k as u64).fold(1u64, |product, i| {
        product.saturating_mul(n as u64 - i) / (i + 1)
    })
}

#[cfg(test)]
mod tests {
    use distdup_codecs::{FAMILIES, Geometry};

    use super::*;

    fn code(name: &str, k: usize, n: usize) -> std::sync::Arc<dyn Code> {
        distdup_codecs::resolve(name, Geometry::new(k, n).unwrap(), None).unwrap()
    }

    fn any(losses: usize) -> Survival {
        Survival {
            losses,
            exact: true,
        }
    }

    #[test]
    fn codes_survive_what_they_promise() {
        assert_eq!(of(&*code("rs", 4, 6), ShardSet::first(6)), Some(any(2)));
        assert_eq!(of(&*code("rs", 4, 6), ShardSet::first(5)), Some(any(1)));
        assert_eq!(of(&*code("rs", 4, 6), ShardSet::first(3)), None);
        assert_eq!(of(&*code("copy", 1, 3), ShardSet::first(3)), Some(any(2)));
        assert_eq!(of(&*code("xor", 2, 3), ShardSet::first(3)), Some(any(1)));
        // Of 3 lost, 10 of 120 patterns are fatal: so any 2 only, though often more.
        assert_eq!(of(&*code("xor", 6, 10), ShardSet::first(10)), Some(any(2)));
        assert_eq!(
            of(&*code("rs", 100, 200), ShardSet::first(200)),
            Some(any(100))
        );
    }

    #[test]
    fn the_short_way_says_what_trying_out_says() {
        for family in FAMILIES
            .iter()
            .filter(|family| ANY_K.contains(&family.id()))
        {
            for (k, n) in [(1, 2), (1, 3), (2, 3), (3, 6), (4, 6)] {
                let Ok(code) = family.code(Geometry::new(k, n).unwrap(), None) else {
                    continue;
                };
                let all = ShardSet::first(n);
                let members: Vec<usize> = all.iter().collect();
                assert!((0..=n - k).all(|lost| survives_all(&*code, all, &members, lost)));
                assert!(!survives_all(&*code, all, &members, n - k + 1));
            }
        }
    }

    #[test]
    fn what_is_too_much_to_try_is_not_claimed() {
        let equations: Vec<_> = (1..=40).map(|i| format!("{i}^{}", i % 40 + 1)).collect();
        let geometry = Geometry::new(40, 80).unwrap();
        let code = distdup_codecs::resolve("xor", geometry, Some(&equations.join(","))).unwrap();
        let survival = of(&*code, ShardSet::first(80)).unwrap();
        assert_eq!(survival, any(2));
    }
}
