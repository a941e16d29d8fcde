//! x86 with SSSE3: as with AVX2, 16 bytes at a time.
#![allow(unsafe_code, reason = "SSSE3, which is_available asks for")]
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
    name: "ssse3",
    is_available: || is_x86_feature_detected!("ssse3"),
    step: vector::step::<__m128i>(),
    sums,
};

#[target_feature(enable = "ssse3")]
unsafe fn sums(
    factors: &[u8],
    sources: &[&[u8]],
    outputs: &mut [&mut [u8]],
    range: Range<usize>,
    add: bool,
) {
    // SAFETY: as for `Kernel::sums`.
    unsafe { vector::sums::<__m128i>(factors, sources, outputs, range, add) }
}

// SAFETY, all blocks: SSSE3 is there, and the callers' pointers are good for 16 bytes.
impl Vector for __m128i {
    const BYTES: usize = 16;
    /// Low nibbles, and high nibbles shifted down.
    type Multiplicand = [Self; 2];
    type Loaded = [Self; 2];

    #[inline(always)]
    unsafe fn zero() -> Self {
        unsafe { _mm_setzero_si128() }
    }

    #[inline(always)]
    unsafe fn load(from: *const u8) -> Self {
        unsafe { _mm_loadu_si128(from.cast()) }
    }

    #[inline(always)]
    unsafe fn store(self, to: *mut u8) {
        unsafe { _mm_storeu_si128(to.cast(), self) }
    }

    #[inline(always)]
    unsafe fn multiplicand(self) -> [Self; 2] {
        unsafe {
            let nibble = _mm_set1_epi8(0x0f);
            [
                _mm_and_si128(self, nibble),
                _mm_and_si128(_mm_srli_epi64(self, 4), nibble),
            ]
        }
    }

    #[inline(always)]
    unsafe fn factor(factor: &Factor) -> [Self; 2] {
        unsafe { [&factor.low, &factor.high].map(|table| _mm_load_si128(table.as_ptr().cast())) }
    }

    #[inline(always)]
    unsafe fn add_product(self, x: [Self; 2], factor: [Self; 2]) -> Self {
        unsafe {
            let low = _mm_shuffle_epi8(factor[0], x[0]);
            let high = _mm_shuffle_epi8(factor[1], x[1]);
            _mm_xor_si128(self, _mm_xor_si128(low, high))
        }
    }
}
