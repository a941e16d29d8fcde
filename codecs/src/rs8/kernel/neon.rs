//! ARM with NEON, which all of 64 bits have: products of nibbles by tables of 16 bytes.
#![allow(unsafe_code, reason = "NEON, which is_available asks for")]
#![allow(clippy::inline_always, reason = "see vector.rs")]
#![allow(
    clippy::wildcard_imports,
    reason = "intrinsics, which have names of their own"
)]

use std::arch::aarch64::*;
use std::arch::is_aarch64_feature_detected;
use std::ops::Range;

use super::Kernel;
use super::vector::{self, Factor, Vector};

pub(super) static KERNEL: Kernel = Kernel {
    name: "neon",
    is_available: || is_aarch64_feature_detected!("neon"),
    step: vector::step::<uint8x16_t>(),
    sums,
};

#[target_feature(enable = "neon")]
unsafe fn sums(
    factors: &[u8],
    sources: &[&[u8]],
    outputs: &mut [&mut [u8]],
    range: Range<usize>,
    add: bool,
) {
    // SAFETY: as for `Kernel::sums`.
    unsafe { vector::sums::<uint8x16_t>(factors, sources, outputs, range, add) }
}

// SAFETY, all blocks: NEON is there, and the callers' pointers are good for 16 bytes.
impl Vector for uint8x16_t {
    const BYTES: usize = 16;
    /// Low nibbles, and high nibbles shifted down.
    type Multiplicand = [Self; 2];
    type Loaded = [Self; 2];

    #[inline(always)]
    unsafe fn zero() -> Self {
        unsafe { vdupq_n_u8(0) }
    }

    #[inline(always)]
    unsafe fn load(from: *const u8) -> Self {
        unsafe { vld1q_u8(from) }
    }

    #[inline(always)]
    unsafe fn store(self, to: *mut u8) {
        unsafe { vst1q_u8(to, self) }
    }

    #[inline(always)]
    unsafe fn multiplicand(self) -> [Self; 2] {
        unsafe { [vandq_u8(self, vdupq_n_u8(0x0f)), vshrq_n_u8::<4>(self)] }
    }

    #[inline(always)]
    unsafe fn factor(factor: &Factor) -> [Self; 2] {
        unsafe { [&factor.low, &factor.high].map(|table| vld1q_u8(table.as_ptr())) }
    }

    #[inline(always)]
    unsafe fn add_product(self, x: [Self; 2], factor: [Self; 2]) -> Self {
        unsafe {
            let low = vqtbl1q_u8(factor[0], x[0]);
            let high = vqtbl1q_u8(factor[1], x[1]);
            veorq_u8(self, veorq_u8(low, high))
        }
    }
}
