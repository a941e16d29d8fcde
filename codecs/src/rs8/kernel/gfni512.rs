//! x86 with GFNI and AVX-512: as with AVX2, 64 bytes at a time.
#![allow(unsafe_code, reason = "GFNI and AVX-512, which is_available asks for")]
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
    name: "gfni512",
    is_available: || is_x86_feature_detected!("gfni") && is_x86_feature_detected!("avx512f"),
    step: vector::step::<__m512i>(),
    sums,
};

#[target_feature(enable = "gfni,avx512f")]
unsafe fn sums(
    factors: &[u8],
    sources: &[&[u8]],
    outputs: &mut [&mut [u8]],
    range: Range<usize>,
    add: bool,
) {
    // SAFETY: as for `Kernel::sums`.
    unsafe { vector::sums::<__m512i>(factors, sources, outputs, range, add) }
}

// SAFETY, all blocks: GFNI and AVX-512F are there, and the callers' pointers are good for 64 bytes.
impl Vector for __m512i {
    const BYTES: usize = 64;
    type Multiplicand = Self;
    type Loaded = Self;

    #[inline(always)]
    unsafe fn zero() -> Self {
        unsafe { _mm512_setzero_si512() }
    }

    #[inline(always)]
    unsafe fn load(from: *const u8) -> Self {
        unsafe { _mm512_loadu_si512(from.cast()) }
    }

    #[inline(always)]
    unsafe fn store(self, to: *mut u8) {
        unsafe { _mm512_storeu_si512(to.cast(), self) }
    }

    #[inline(always)]
    unsafe fn multiplicand(self) -> Self {
        self
    }

    #[inline(always)]
    unsafe fn factor(factor: &Factor) -> Self {
        unsafe { _mm512_set1_epi64(factor.matrix.cast_signed()) }
    }

    #[inline(always)]
    unsafe fn add_product(self, x: Self, factor: Self) -> Self {
        unsafe {
            let product = _mm512_gf2p8affine_epi64_epi8::<0>(x, factor);
            _mm512_xor_si512(self, product)
        }
    }
}
