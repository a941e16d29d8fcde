//! Numbers without a pattern, which come again when they are asked for again.

/// Numbers by splitmix64 (Steele, Lea, Flood 2014).
pub(crate) struct Dice(u64);

impl Dice {
    /// Those that belong to `number`.
    pub(crate) fn new(seed: u64, number: u64) -> Self {
        Self(seed ^ number.wrapping_mul(0xd134_2543_de82_ef95))
    }

    /// The next, below `end`, which is not 0.
    pub(crate) fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        let scaled = u128::from(z ^ (z >> 31)) * u128::from(end);
        u64::try_from(scaled >> 64).expect("below its end")
    }
}
