//! What all kernels with vector registers do, in whichever registers.
//!
//! Everything here is inlined into a function that has the instructions enabled, or the registers
//! would be passed through memory.
#![allow(
    unsafe_code,
    reason = "pointers into shards, and instructions not every machine has"
)]
#![allow(clippy::inline_always, reason = "see above")]

use std::mem::offset_of;
use std::ops::Range;

use crate::rs8::field::times;

/// A vector register.
///
/// # Safety
///
/// All methods: the machine has the instructions; pointers are good for [`Vector::BYTES`] bytes, of
/// any alignment.
pub(super) trait Vector: Copy {
    const BYTES: usize;
    /// A vector that is to be multiplied several times.
    type Multiplicand: Copy;
    /// A factor in registers.
    type Loaded: Copy;

    unsafe fn zero() -> Self;
    unsafe fn load(from: *const u8) -> Self;
    unsafe fn store(self, to: *mut u8);
    unsafe fn multiplicand(self) -> Self::Multiplicand;
    unsafe fn factor(factor: &Factor) -> Self::Loaded;
    /// This plus `x` times `factor`.
    unsafe fn add_product(self, x: Self::Multiplicand, factor: Self::Loaded) -> Self;
}

/// Bytes that are worked on at a time.
pub(super) const fn step<V: Vector>() -> usize {
    2 * V::BYTES
}

/// [`Kernel::sums`](super::Kernel) in vectors of the kind `V`.
///
/// # Safety
///
/// As there.
#[inline(always)]
pub(super) unsafe fn sums<V: Vector>(
    factors: &[u8],
    sources: &[&[u8]],
    outputs: &mut [&mut [u8]],
    range: Range<usize>,
    add: bool,
) {
    // SAFETY: handed on as it is.
    unsafe {
        match outputs {
            [a] => group::<V, 1>(factors, sources, [a], range, add),
            [a, b] => group::<V, 2>(factors, sources, [a, b], range, add),
            [a, b, c] => group::<V, 3>(factors, sources, [a, b, c], range, add),
            [a, b, c, d] => group::<V, 4>(factors, sources, [a, b, c, d], range, add),
            _ => unreachable!("groups have at most {} outputs", super::MOST_OUTPUTS),
        }
    }
}

#[inline(always)]
unsafe fn group<V: Vector, const R: usize>(
    factors: &[u8],
    sources: &[&[u8]],
    outputs: [&mut [u8]; R],
    range: Range<usize>,
    add: bool,
) {
    let (factors, _) = factors.as_chunks::<R>();
    let outputs = outputs.map(<[u8]>::as_mut_ptr);
    for at in range.step_by(step::<V>()) {
        // SAFETY: the range is one of whole steps, and all sources and outputs reach to its end.
        unsafe {
            let mut sums = [[V::zero(); 2]; R];
            if add {
                sums = outputs.map(|o| [V::load(o.add(at)), V::load(o.add(at + V::BYTES))]);
            }
            for (factors, source) in factors.iter().zip(sources) {
                let source = source.as_ptr().add(at);
                let low = V::load(source).multiplicand();
                let high = V::load(source.add(V::BYTES)).multiplicand();
                for (sum, factor) in sums.iter_mut().zip(factors) {
                    let factor = V::factor(&FACTORS[usize::from(*factor)]);
                    *sum = [
                        sum[0].add_product(low, factor),
                        sum[1].add_product(high, factor),
                    ];
                }
            }
            for (sum, output) in sums.iter().zip(outputs) {
                sum[0].store(output.add(at));
                sum[1].store(output.add(at + V::BYTES));
            }
        }
    }
}

/// All that these kernels need to multiply by one byte. The tables come first: registers are loaded
/// from where they must be aligned.
#[repr(C, align(16))]
pub(super) struct Factor {
    /// Its products with the bytes 0 to 15.
    pub(super) low: [u8; 16],
    /// Its products with the multiples of 16.
    pub(super) high: [u8; 16],
    /// Multiplication as a matrix of 8 x 8 bits, in the order of x86's GF2P8AFFINEQB: row i, which
    /// makes bit i of the product, is byte 7 - i; bit j of it is for bit j of the other factor.
    #[cfg_attr(not(target_arch = "x86_64"), allow(dead_code, reason = "x86's"))]
    pub(super) matrix: u64,
}

const _: () = assert!(offset_of!(Factor, low) == 0 && offset_of!(Factor, high) == 16);

/// The 256 factors. Made by the compiler: there is nothing to set up at run time.
static FACTORS: [Factor; 256] = {
    let mut factors = [const { Factor::of(0) }; 256];
    let mut byte = 0u8;
    while byte < 255 {
        byte += 1;
        factors[byte as usize] = Factor::of(byte);
    }
    factors
};

impl Factor {
    const fn of(byte: u8) -> Self {
        let (mut low, mut high, mut matrix) = ([0; 16], [0; 16], 0);
        let mut nibble = 0u8;
        while nibble < 16 {
            low[nibble as usize] = times(byte, nibble);
            high[nibble as usize] = times(byte, nibble << 4);
            nibble += 1;
        }
        let mut bit = 0;
        while bit < 64 {
            let (i, j) = (bit / 8, bit % 8);
            let one = times(byte, 1 << j) >> i & 1;
            matrix |= (one as u64) << ((7 - i) * 8 + j);
            bit += 1;
        }
        Self { low, high, matrix }
    }
}
