//! x86 with GFNI and AVX2, but not AVX-512: a product is an affine map, one instruction for 32 bytes.
//!
//! GFNI multiplies modulo another polynomial than ours; its maps by a matrix of bits know of none.
#![allow(unsafe_code, reason = "GFNI and AVX2, which is_available asks for")]
#![allow(clippy::inline_always, reason = "see vector.rs")]
#![allow(
    clippy::wildcard_imports,
    reason = "intrinsics, which have names of their own"
)]

use std::arch::x86_64::*;
use std::ops::Range;

use super::Kernel;
use super::vector::{self, Factor, Vector};

pub(super) static KERNEL: Kernel = Kernel {
    name: "gfni256",
    is_available: || is_x86_feature_detected!("gfni") && is_x86_feature_detected!("avx2"),
    step: vector::step::<Affine>(),
    sums,
};

#[target_feature(enable = "gfni,avx2")]
unsafe fn sums(
    factors: &[u8],
    sources: &[&[u8]],
    outputs: &mut [&mut [u8]],
    range: Range<usize>,
    add: bool,
) {
    // SAFETY: as for `Kernel::sums`.
    unsafe { vector::sums::<Affine>(factors, sources, outputs, range, add) }
}

/// AVX2's register, by another name than for AVX2 alone.
#[derive(Clone, Copy)]
struct Affine(__m256i);

// SAFETY, all blocks: GFNI and AVX2 are there, and the callers' pointers are good for 32 bytes.
impl Vector for Affine {
    const BYTES: usize = 32;
    type Multiplicand = Self;
    type Loaded = Self;

    #[inline(always)]
    unsafe fn zero() -> Self {
        unsafe { Self(_mm256_setzero_si256()) }
    }

    #[inline(always)]
    unsafe fn load(from: *const u8) -> Self {
        unsafe { Self(_mm256_loadu_si256(from.cast())) }
    }

    #[inline(always)]
    unsafe fn store(self, to: *mut u8) {
        unsafe { _mm256_storeu_si256(to.cast(), self.0) }
    }

    #[inline(always)]
    unsafe fn multiplicand(self) -> Self {
        self
    }

    #[inline(always)]
    unsafe fn factor(factor: &Factor) -> Self {
        unsafe { Self(_mm256_set1_epi64x(factor.matrix.cast_signed())) }
    }

    #[inline(always)]
    unsafe fn add_product(self, x: Self, factor: Self) -> Self {
        unsafe {
            let product = _mm256_gf2p8affine_epi64_epi8::<0>(x.0, factor.0);
            Self(_mm256_xor_si256(self.0, product))
        }
    }
}
