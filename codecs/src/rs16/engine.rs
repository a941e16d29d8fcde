//! The kernels' engine, with a memory for the last pattern of erasures.

use std::cell::RefCell;

use reed_solomon_simd::engine::{DefaultEngine, Engine, GF_ORDER, GfElement, ShardsRefMut};

/// [`DefaultEngine`], but that the error locator of a pattern of erasures is computed only when the
/// pattern changes.
///
/// To decode, the kernels need the values of the polynomial whose zeros are the erased points. They
/// get them by two Walsh transforms over the whole field, which cost 0.2 to 0.4 ms however short the
/// shards and however few there are: several times what the rest of a stripe costs. What is erased
/// seldom changes from stripe to stripe.
///
/// The memory is the thread's, since the trait gives [`Engine::eval_poly`] nothing else to keep it
/// in, and coders are one for each thread anyway. Several coders in one thread that take turns with
/// different losses make each other compute anew, no more.
pub(super) struct CachingEngine(DefaultEngine);

impl CachingEngine {
    pub(super) fn new() -> Self {
        Self(DefaultEngine::new())
    }

    /// Bytes that a thread which has decoded holds on to.
    pub(super) const SCRATCH_BYTES: usize = 2 * GF_ORDER * size_of::<GfElement>();
}

impl Engine for CachingEngine {
    fn fft(
        &self,
        data: &mut ShardsRefMut<'_>,
        pos: usize,
        size: usize,
        truncated_size: usize,
        skew_delta: usize,
    ) {
        self.0.fft(data, pos, size, truncated_size, skew_delta);
    }

    fn ifft(
        &self,
        data: &mut ShardsRefMut<'_>,
        pos: usize,
        size: usize,
        truncated_size: usize,
        skew_delta: usize,
    ) {
        self.0.ifft(data, pos, size, truncated_size, skew_delta);
    }

    fn mul(&self, x: &mut [[u8; 64]], log_m: GfElement) {
        self.0.mul(x, log_m);
    }

    fn eval_poly(erasures: &mut [GfElement; GF_ORDER], truncated_size: usize) {
        LAST.with_borrow_mut(|last| {
            if last.truncated_size == truncated_size && last.erasures == erasures[..] {
                erasures.copy_from_slice(&last.values);
                return;
            }
            last.truncated_size = truncated_size;
            last.erasures.clear();
            last.erasures.extend_from_slice(erasures);
            DefaultEngine::eval_poly(erasures, truncated_size);
            last.values.clear();
            last.values.extend_from_slice(erasures);
        });
    }
}

thread_local! {
    static LAST: RefCell<Locator> = const { RefCell::new(Locator::NONE) };
}

/// What [`Engine::eval_poly`] was last given, and what it made of it; [`GF_ORDER`] long, or empty
/// before the first time.
struct Locator {
    truncated_size: usize,
    erasures: Vec<GfElement>,
    values: Vec<GfElement>,
}

impl Locator {
    const NONE: Self = Self {
        truncated_size: 0,
        erasures: Vec::new(),
        values: Vec::new(),
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The patterns differ in one erasure, or in `truncated_size` alone; each comes again while it
    /// is remembered, and after it is forgotten.
    #[test]
    fn remembers_no_other_pattern() {
        let pattern = |at: &[usize]| {
            let mut erasures: Box<[GfElement; GF_ORDER]> =
                vec![0; GF_ORDER].into_boxed_slice().try_into().unwrap();
            for &at in at {
                erasures[at] = 1;
            }
            erasures
        };
        let asked = [
            (pattern(&[]), GF_ORDER),
            (pattern(&[1, 3]), 8),
            (pattern(&[1, 3]), 8),
            (pattern(&[1, 3]), GF_ORDER),
            (pattern(&[1, 3, GF_ORDER - 1]), GF_ORDER),
            (pattern(&[1, 3]), 8),
        ];
        for (erasures, truncated_size) in asked {
            let (mut found, mut expected) = (erasures.clone(), erasures);
            CachingEngine::eval_poly(&mut found, truncated_size);
            DefaultEngine::eval_poly(&mut expected, truncated_size);
            assert!(found == expected, "{truncated_size}");
        }
    }
}
