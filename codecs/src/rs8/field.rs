//! GF(2^8): bytes as polynomials over GF(2) modulo x^8 + x^4 + x^3 + x^2 + 1.

/// The modulus.
const POLYNOMIAL: u16 = 0x11d;

/// Powers of x, twice over, so that the sum of two logarithms needs no reduction.
const EXP: [u8; 510] = TABLES.0;

/// Exponents of the powers of x; that of 0, which has none, is of no meaning.
const LOG: [u8; 256] = TABLES.1;

const TABLES: ([u8; 510], [u8; 256]) = {
    let (mut exp, mut log) = ([0; 510], [0; 256]);
    let (mut power, mut exponent) = (1u16, 0u8);
    while exponent < 255 {
        let [low, _] = power.to_le_bytes();
        exp[exponent as usize] = low;
        exp[exponent as usize + 255] = low;
        log[low as usize] = exponent;
        power <<= 1;
        if power > 255 {
            power ^= POLYNOMIAL;
        }
        exponent += 1;
    }
    (exp, log)
};

pub(super) const fn times(a: u8, b: u8) -> u8 {
    if a == 0 || b == 0 {
        return 0;
    }
    EXP[LOG[a as usize] as usize + LOG[b as usize] as usize]
}

/// a / b, where b is not 0.
pub(super) const fn over(a: u8, b: u8) -> u8 {
    if a == 0 {
        return 0;
    }
    EXP[LOG[a as usize] as usize + 255 - LOG[b as usize] as usize]
}

/// x to that power, of 0 to 254.
pub(super) const fn power_of_x(exponent: usize) -> u8 {
    EXP[exponent]
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// Multiplication bit by bit, without a table.
    pub(in crate::rs8) fn product(a: u8, b: u8) -> u8 {
        (0..8).rev().fold(0u8, |sum, bit| {
            let twice = sum << 1 ^ if sum >> 7 == 1 { 0x1d } else { 0 };
            twice ^ if b >> bit & 1 == 1 { a } else { 0 }
        })
    }

    #[test]
    fn products_and_quotients() {
        for a in (0..=255).step_by(if cfg!(miri) { 15 } else { 1 }) {
            for b in 0..=255 {
                assert_eq!(times(a, b), product(a, b), "{a} x {b}");
                if b != 0 {
                    assert_eq!(over(times(a, b), b), a);
                }
            }
        }
        assert_eq!([0, 1, 8, 254].map(power_of_x), [1, 2, 0x1d, 0x8e]);
    }
}
