//! Every machine: one look-up for each byte.

use std::ops::Range;

use super::Kernel;
use crate::rs8::field::times;

pub(super) static KERNEL: Kernel = Kernel {
    name: "plain",
    is_available: || true,
    step: 1,
    sums,
};

/// All products. Work in words of 64 bits, bit by bit, needs no table, and was slower for one output
/// and for four little faster.
static PRODUCTS: [[u8; 256]; 256] = {
    let mut products = [[0; 256]; 256];
    let mut at = u16::MAX;
    while at > 0 {
        let [a, b] = at.to_le_bytes();
        products[a as usize][b as usize] = times(a, b);
        at -= 1;
    }
    products
};

fn sums(
    factors: &[u8],
    sources: &[&[u8]],
    outputs: &mut [&mut [u8]],
    range: Range<usize>,
    add: bool,
) {
    let width = outputs.len();
    for (at, output) in outputs.iter_mut().enumerate() {
        let output = &mut output[range.clone()];
        if !add {
            output.fill(0);
        }
        for (factor, source) in factors[at..].iter().step_by(width).zip(sources) {
            let products = &PRODUCTS[usize::from(*factor)];
            for (sum, byte) in output.iter_mut().zip(&source[range.clone()]) {
                *sum ^= products[usize::from(*byte)];
            }
        }
    }
}
