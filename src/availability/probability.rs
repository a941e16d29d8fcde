//! A probability that keeps the digits of both its ends.

use std::str::FromStr;

use crate::quote::quote;

use super::AvailabilityError;

/// That something is up, and that it is down: two numbers, since 1 - 0.999999999999999 has lost most
/// of its digits.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Probability {
    up: f64,
    down: f64,
}

impl Probability {
    /// What is always up.
    pub const CERTAIN: Self = Self { up: 1.0, down: 0.0 };

    /// Of being up.
    ///
    /// # Errors
    ///
    /// [`AvailabilityError::Probability`] unless it is in 0..=1.
    pub fn new(up: f64) -> Result<Self, AvailabilityError> {
        if (0.0..=1.0).contains(&up) {
            Ok(Self { up, down: 1.0 - up })
        } else {
            Err(AvailabilityError::Probability {
                text: up.to_string(),
            })
        }
    }

    /// Of being up.
    pub fn up(self) -> f64 {
        self.up
    }

    /// Of being down.
    pub fn down(self) -> f64 {
        self.down
    }
}

/// Of `0.99`, `1` or `9.9e-1`; where it has the first form, `down` has all digits that were written.
impl FromStr for Probability {
    type Err = AvailabilityError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = || AvailabilityError::Probability {
            text: quote(text.as_bytes()),
        };
        let mut parsed = Self::new(text.parse().map_err(|_| wrong())?).map_err(|_| wrong())?;
        if let Some(down) = complement(text) {
            parsed.down = down;
        }
        Ok(parsed)
    }
}

/// One minus the decimal fraction, in decimal: each digit is taken from nine, the last from ten.
fn complement(text: &str) -> Option<f64> {
    let digits = text
        .trim_start_matches('0')
        .strip_prefix('.')?
        .trim_end_matches('0');
    let (last, first) = digits.as_bytes().split_last()?;
    let all_digits = digits.bytes().all(|byte| byte.is_ascii_digit());
    let mut down = String::from("0.");
    if !all_digits {
        return None;
    }
    down.extend(first.iter().map(|digit| char::from(b'9' - digit + b'0')));
    match b'9' + 1 - last {
        10 => return None, // It ends in zero, which was trimmed.
        digit => down.push(char::from(digit + b'0')),
    }
    down.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn down_has_the_digits_that_were_written() {
        for (text, down) in [
            ("0.99", 0.01),
            (".9900", 0.01),
            ("0.9999999999999999999", 1e-19),
            ("0.123", 0.877),
            ("0.5", 0.5),
            ("1", 0.0),
            ("0", 1.0),
            ("0.0", 1.0),
            ("1.0", 0.0),
            ("0.001", 0.999),
            ("5e-1", 0.5),
        ] {
            let parsed: Probability = text.parse().unwrap();
            assert!((parsed.down() - down).abs() <= down * 1e-15, "{text}");
            assert!((parsed.up() + parsed.down() - 1.0).abs() < 1e-15, "{text}");
        }
    }

    #[test]
    fn what_is_none_is_named() {
        for text in ["1.5", "-0.1", "nan", "inf", "", "99%", "0.9.9", "1e3"] {
            let error = text.parse::<Probability>().unwrap_err().to_string();
            assert!(error.contains(text) && error.contains("0 to 1"), "{error}");
        }
    }
}
