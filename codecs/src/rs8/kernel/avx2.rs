//! x86 with AVX2: products of nibbles by shuffling tables of 16 bytes, 32 bytes at a time.
//!
//! After Plank, Greenan and Miller, "Screaming Fast Galois Field Arithmetic Using Intel SIMD
//! Instructions" (FAST 2013).
#![allow(unsafe_code, reason = "AVX2, which is_available asks for")]
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
    name: "avx2",
    is_available: || is_x86_feature_detected!("avx2"),
    step: vector::step::<__m256i>(),
    sums,
};

#[target_feature(enable = "avx2")]
unsafe fn sums(
    factors: &[u8],
    sources: &[&[u8]],
    outputs: &mut [&mut [u8]],
    range: Range<usize>,
    add: bool,
) {
    // SAFETY: as for `Kernel::sums`.
    unsafe { vector::sums::<__m256i>(factors, sources, outputs, range, add) }
}

// SAFETY, all blocks: AVX2 is there, and the callers' pointers are good for 32 bytes.
impl Vector for __m256i {
    const BYTES: usize = 32;
    /// Low nibbles, and high nibbles shifted down.
    type Multiplicand = [Self; 2];
    type Loaded = [Self; 2];

    #[inline(always)]
    unsafe fn zero() -> Self {
        unsafe { _mm256_setzero_si256() }
    }

    #[inline(always)]
    unsafe fn load(from: *const u8) -> Self {
        unsafe { _mm256_loadu_si256(from.cast()) }
    }

    #[inline(always)]
    unsafe fn store(self, to: *mut u8) {
        unsafe { _mm256_storeu_si256(to.cast(), self) }
    }

    #[inline(always)]
    unsafe fn multiplicand(self) -> [Self; 2] {
        unsafe {
            let nibble = _mm256_set1_epi8(0x0f);
            [
                _mm256_and_si256(self, nibble),
                _mm256_and_si256(_mm256_srli_epi64(self, 4), nibble),
            ]
        }
    }

    #[inline(always)]
    unsafe fn factor(factor: &Factor) -> [Self; 2] {
        unsafe {
            [&factor.low, &factor.high]
                .map(|table| _mm256_broadcastsi128_si256(_mm_load_si128(table.as_ptr().cast())))
        }
    }

    #[inline(always)]
    unsafe fn add_product(self, x: [Self; 2], factor: [Self; 2]) -> Self {
        unsafe {
            let low = _mm256_shuffle_epi8(factor[0], x[0]);
            let high = _mm256_shuffle_epi8(factor[1], x[1]);
            _mm256_xor_si256(self, _mm256_xor_si256(low, high))
        }
    }
}
