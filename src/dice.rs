//! Numbers without a pattern, which come again when they are asked for again.

/// Numbers by splitmix64 (Steele, Lea, Flood 2014): not for secrets, but the same on every machine.
pub(crate) struct Dice(u64);

impl Dice {
    /// Those that belong to `number`.
    pub(crate) fn new(seed: u64, number: u64) -> Self {
        Self(seed ^ number.wrapping_mul(0xd134_2543_de82_ef95))
    }

    /// Those that belong to a stripe of a stream.
    pub(crate) fn of_stripe(stream: [u8; 16], stripe: u64) -> Self {
        let upper = u128::from_be_bytes(stream) >> 64;
        let seed = u64::try_from(upper).expect("the upper half");
        Self::new(seed, stripe)
    }

    /// The next, any.
    pub(crate) fn any(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// The next, below `end`, which is not 0.
    pub(crate) fn below(&mut self, end: u64) -> u64 {
        let scaled = u128::from(self.any()) * u128::from(end);
        u64::try_from(scaled >> 64).expect("below its end")
    }

    /// Whether what happens with probability `p` does.
    #[expect(clippy::cast_precision_loss, reason = "53 bits are left")]
    pub(crate) fn show(&mut self, p: f64) -> bool {
        ((self.any() >> 11) as f64) * (-53f64).exp2() < p
    }
}
