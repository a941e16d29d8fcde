//! What all kernels with vector registers do, in whichever registers.
//!
//! Everything here is inlined into a function that has the instructions enabled, or the registers
//! would be passed through memory.
#![allow(
    unsafe_code,
    reason = "pointers into shards, and instructions not every machine has"
)]
#![allow(clippy::inline_always, reason = "see above")]

use std::ops::Range;

use super::{FACTORS, Factor};

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

/// Bytes that are worked on at a time, and so the shortest shard.
pub(super) const fn step<V: Vector>() -> usize {
    2 * V::BYTES
}

/// [`Kernel::sums`](super::Kernel) in vectors of the kind `V`.
///
/// # Safety
///
/// As there, with [`step`] for `shortest`.
#[inline(always)]
pub(super) unsafe fn sums<V: Vector>(
    factors: &[u8],
    sources: &[&[u8]],
    outputs: &mut [&mut [u8]],
    range: Range<usize>,
) {
    // SAFETY: handed on as it is.
    unsafe {
        match outputs {
            [a] => group::<V, 1>(factors, sources, [a], range),
            [a, b] => group::<V, 2>(factors, sources, [a, b], range),
            [a, b, c] => group::<V, 3>(factors, sources, [a, b, c], range),
            [a, b, c, d] => group::<V, 4>(factors, sources, [a, b, c, d], range),
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
) {
    let (factors, _) = factors.as_chunks::<R>();
    let outputs = outputs.map(<[u8]>::as_mut_ptr);
    for at in range.clone().step_by(step::<V>()) {
        // The last step may do again what the one before it did: all outputs are set, none is added to.
        let at = at.min(range.end - step::<V>());
        // SAFETY: all sources and outputs have at least `range.end` bytes, that is `step` from `at`.
        unsafe {
            let mut sums = [[V::zero(); 2]; R];
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
