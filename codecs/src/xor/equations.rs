//! Parity equations: as text, and the built-in ones.

use std::fmt;

use crate::error::{CodecError, quote};
use crate::geometry::{Geometry, ShardSet};

/// The equations of distributed-duplicity (2015), for (6, 10), and the example in messages.
///
/// Each data shard is in two equations, so any two losses are survived, 110 of 120 of three, and 125
/// of 210 of four. The best code for (6, 10) survives 112 and 136 of them.
pub(crate) const MATLAND: &str = "3^5^6,2^4^6,1^4^5,1^2^3";

/// The best systematic binary linear code for each geometry: lines of k, n, the numbers of sets of 1,
/// 2, ... n - k lost shards that it does not survive, XORs to encode, and its equations.
///
/// `examples/xor_codes.rs` makes the file, and says what is best, and why nothing is better.
const BEST: &str = include_str!("best.txt");

const BUILT_IN: &str = "k = 1, n = k + 1, and n - k up to 8 with n up to 20";

/// One equation for each parity shard: the data shards that add up to it, none of them empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Equations {
    geometry: Geometry,
    sums: Vec<ShardSet>,
}

impl Equations {
    /// Equations joined by commas, terms joined by `^`; spaces, and the order of terms, are free.
    pub(super) fn parse(geometry: Geometry, text: &str) -> Result<Self, CodecError> {
        let found = if text.trim().is_empty() {
            0
        } else {
            text.split(',').count()
        };
        let expected = geometry.parity();
        if found != expected {
            return Err(CodecError::EquationCount { expected, found });
        }
        let sums = text
            .split(',')
            .zip(1..)
            .map(|(sum, number)| parse_sum(geometry.k(), number, sum));
        Ok(Self {
            geometry,
            sums: sums.collect::<Result<_, _>>()?,
        })
    }

    /// The best that there are for a geometry.
    pub(super) fn best(geometry: Geometry) -> Result<Self, CodecError> {
        if geometry.k() == 1 || geometry.parity() == 1 {
            // Copies, or single parity.
            return Ok(Self {
                geometry,
                sums: vec![geometry.data(); geometry.parity()],
            });
        }
        let start = format!("{} {} ", geometry.k(), geometry.n());
        let mut lines = BEST.lines().filter_map(|line| line.strip_prefix(&start));
        let text = lines.find_map(|line| line.split(' ').next_back());
        let missing = CodecError::NoEquations {
            geometry,
            built_in: BUILT_IN,
        };
        Self::parse(geometry, text.ok_or(missing)?)
    }

    pub(super) fn geometry(&self) -> Geometry {
        self.geometry
    }

    /// The data shards of each parity shard in turn.
    pub(super) fn iter(&self) -> impl ExactSizeIterator<Item = ShardSet> {
        self.sums.iter().copied()
    }

    /// Any shard as the sum of data shards: a data shard is the sum of itself.
    pub(super) fn of(&self, shard: usize) -> ShardSet {
        match shard.checked_sub(self.geometry.k()) {
            Some(parity) => self.sums[parity],
            None => std::iter::once(shard).collect(),
        }
    }
}

fn parse_sum(k: usize, equation: usize, text: &str) -> Result<ShardSet, CodecError> {
    if text.trim().is_empty() {
        return Err(CodecError::EmptyEquation { equation });
    }
    let mut sum = ShardSet::new();
    for term in text.split('^').map(str::trim) {
        // `parse` alone would take "+3" too.
        let digits = !term.is_empty() && term.bytes().all(|byte| byte.is_ascii_digit());
        let Some(index) = term.parse::<usize>().ok().filter(|_| digits) else {
            return Err(CodecError::TermNotANumber {
                equation,
                term: quote(term),
            });
        };
        if index < 1 || index > k {
            return Err(CodecError::TermOutOfRange { equation, index, k });
        }
        if !sum.insert(index - 1) {
            return Err(CodecError::TermTwice { equation, index });
        }
    }
    Ok(sum)
}

/// The canonical text: no spaces, terms ascending.
impl fmt::Display for Equations {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut comma = "";
        for sum in &self.sums {
            f.write_str(comma)?;
            let mut plus = "";
            for shard in sum {
                write!(f, "{plus}{}", shard + 1)?;
                plus = "^";
            }
            comma = ",";
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(k: usize, n: usize, text: &str) -> Result<String, CodecError> {
        Equations::parse(Geometry::new(k, n).unwrap(), text).map(|equations| equations.to_string())
    }

    #[test]
    fn text_becomes_canonical() {
        for text in [MATLAND, " 6^5 ^3,\t4^2^6, 5^4^01,3^2^1\n"] {
            assert_eq!(parse(6, 10, text).as_deref(), Ok(MATLAND));
        }
        assert_eq!(parse(12, 13, "12^2^1").as_deref(), Ok("1^2^12"));
        // A data shard in no equation cannot be recovered, which is for the user to know.
        assert_eq!(parse(3, 4, "3").as_deref(), Ok("3"));
    }

    #[test]
    fn what_is_wrong_is_said_with_its_numbers() {
        use CodecError::*;
        let k = 6;
        for (text, expected) in [
            (
                "",
                EquationCount {
                    expected: 2,
                    found: 0,
                },
            ),
            (
                "1^2",
                EquationCount {
                    expected: 2,
                    found: 1,
                },
            ),
            (
                "1,2,3",
                EquationCount {
                    expected: 2,
                    found: 3,
                },
            ),
            (
                "1,2,",
                EquationCount {
                    expected: 2,
                    found: 3,
                },
            ),
            ("1, ", EmptyEquation { equation: 2 }),
            (",1", EmptyEquation { equation: 1 }),
            (
                "1^0,2",
                TermOutOfRange {
                    equation: 1,
                    index: 0,
                    k,
                },
            ),
            (
                "1,2^7",
                TermOutOfRange {
                    equation: 2,
                    index: 7,
                    k,
                },
            ),
            (
                "1,99999999999999999999",
                TermNotANumber {
                    equation: 2,
                    term: "\"99999999999999999999\"".into(),
                },
            ),
            (
                "1,2^3^2",
                TermTwice {
                    equation: 2,
                    index: 2,
                },
            ),
            (
                "1^,2",
                TermNotANumber {
                    equation: 1,
                    term: "\"\"".into(),
                },
            ),
            (
                "+1,2",
                TermNotANumber {
                    equation: 1,
                    term: "\"+1\"".into(),
                },
            ),
            (
                "1 2,3",
                TermNotANumber {
                    equation: 1,
                    term: "\"1 2\"".into(),
                },
            ),
            (
                "1,x\u{7}",
                TermNotANumber {
                    equation: 2,
                    term: "\"x\\u{7}\"".into(),
                },
            ),
        ] {
            assert_eq!(parse(k, 8, text), Err(expected), "{text:?}");
        }
    }

    #[test]
    fn the_best_are_there_for_every_geometry_that_is_said_to_have_some() {
        let best = |k, n| {
            let best = Equations::best(Geometry::new(k, n).unwrap());
            best.map(|equations| equations.to_string())
        };
        for n in 2..=20 {
            for k in 1..n {
                assert_eq!(best(k, n).is_ok(), k == 1 || n - k <= 8, "({k}, {n})");
            }
        }
        assert_eq!(best(1, 4).as_deref(), Ok("1,1,1"));
        assert_eq!(best(4, 5).as_deref(), Ok("1^2^3^4"));
        assert_eq!(best(6, 10).as_deref(), Ok("1^2^3,4^5^6,1^2^4^5,1^3^4^6"));
        assert_eq!(best(1, 256).map(|text| text.len()), Ok(2 * 255 - 1));
        assert!(best(255, 256).is_ok());
        assert_eq!(
            best(19, 21).map_err(|e| e.to_string()),
            Err(
                "codec xor has no equations of its own for (19, 21), only for k = 1, n = k + 1, and \
                 n - k up to 8 with n up to 20; give 2 equations, such as 3^5^6,2^4^6,1^4^5,1^2^3"
                    .into()
            )
        );
    }
}
