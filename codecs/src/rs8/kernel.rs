//! The arithmetic of a stripe by the fastest means that there is: sums of products over GF(2^8).
//!
//! Each kernel is one file, and one line in [`KERNELS`]. All do the same; the tests hold each that
//! runs on the machine against multiplication byte by byte.

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod gfni256;
#[cfg(target_arch = "x86_64")]
mod gfni512;
#[cfg(target_arch = "aarch64")]
mod neon;
mod plain;
#[cfg(target_arch = "x86_64")]
mod ssse3;
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
mod vector;

use std::fmt;
use std::ops::Range;

/// All kernels, the fastest first; the last runs everywhere.
pub(super) static KERNELS: &[&Kernel] = &[
    #[cfg(target_arch = "x86_64")]
    &gfni512::KERNEL,
    #[cfg(target_arch = "x86_64")]
    &gfni256::KERNEL,
    #[cfg(target_arch = "x86_64")]
    &avx2::KERNEL,
    #[cfg(target_arch = "x86_64")]
    &ssse3::KERNEL,
    #[cfg(target_arch = "aarch64")]
    &neon::KERNEL,
    &plain::KERNEL,
];

/// The kernels that run on this machine, the fastest first.
pub(super) fn available() -> impl Iterator<Item = &'static Kernel> {
    KERNELS
        .iter()
        .copied()
        .filter(|kernel| (kernel.is_available)())
}

/// One way to compute.
pub(super) struct Kernel {
    pub(super) name: &'static str,
    /// Whether this machine has the instructions.
    is_available: fn() -> bool,
    /// Bytes that it works on at a time.
    step: usize,
    /// Sets bytes `range` of each output to the sum of the products of the sources and their
    /// factors; or adds that sum to them, if the last argument is true.
    ///
    /// There are 1 to [`MOST_OUTPUTS`] outputs, and for each source as many factors as outputs.
    ///
    /// # Safety
    ///
    /// `is_available` said so; all sources and outputs are at least as long as `range.end`, and the
    /// length of the range is a multiple of `step`.
    sums: Sums,
}

type Sums = unsafe fn(&[u8], &[&[u8]], &mut [&mut [u8]], Range<usize>, bool);

impl fmt::Debug for Kernel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

/// Outputs that are computed in one pass over the sources: as many as 16 registers have room for, 64
/// bytes of each.
const MOST_OUTPUTS: usize = 4;

/// Factors by which some shards are the sums of others.
#[derive(Debug)]
pub(super) struct Matrix {
    outputs: usize,
    /// For each group of outputs, source by source, the factors of the group's outputs.
    factors: Vec<u8>,
}

impl Matrix {
    /// Room for that many factors.
    pub(super) fn with_room(factors: usize) -> Self {
        Self {
            outputs: 0,
            factors: Vec::with_capacity(factors),
        }
    }

    /// Makes it that of `outputs` outputs and `sources` sources, with `factor` of (output, source).
    pub(super) fn set(
        &mut self,
        outputs: usize,
        sources: usize,
        factor: impl Fn(usize, usize) -> u8,
    ) {
        self.outputs = outputs;
        self.factors.clear();
        for group in groups(outputs) {
            for source in 0..sources {
                let outputs = group.clone();
                self.factors
                    .extend(outputs.map(|output| factor(output, source)));
            }
        }
    }

    /// Sets the outputs to their sums.
    ///
    /// # Panics
    ///
    /// If the numbers of sources and outputs are not the matrix's, or lengths differ.
    pub(super) fn apply(&self, kernel: &Kernel, sources: &[&[u8]], outputs: &mut [&mut [u8]]) {
        let Some(len) = outputs.first().map(|output| output.len()) else {
            return;
        };
        assert_eq!(outputs.len(), self.outputs, "outputs");
        assert_eq!(outputs.len() * sources.len(), self.factors.len(), "sources");
        assert!(
            sources.iter().all(|source| source.len() == len)
                && outputs.iter().all(|output| output.len() == len),
            "all shards have one length"
        );
        let kernel = if len < kernel.step {
            &plain::KERNEL
        } else {
            kernel
        };
        for block in blocks(len, kernel.step) {
            for (at, batch) in sources.chunks(MOST_SOURCES).enumerate() {
                let mut factors = self.factors.as_slice();
                for group in groups(outputs.len()) {
                    let (ours, others) = factors.split_at(group.len() * sources.len());
                    let ours =
                        &ours[group.len() * MOST_SOURCES * at..][..group.len() * batch.len()];
                    let (outputs, block) = (&mut outputs[group], block.clone());
                    #[allow(unsafe_code, reason = "the call of a kernel")]
                    // SAFETY: kernels come from `available` alone; lengths were checked above.
                    unsafe {
                        (kernel.sums)(ours, batch, outputs, block, at > 0);
                    };
                    factors = others;
                }
            }
        }
    }
}

/// The outputs in groups of at most [`MOST_OUTPUTS`], as even as can be.
fn groups(outputs: usize) -> impl Iterator<Item = Range<usize>> {
    let count = outputs.div_ceil(MOST_OUTPUTS);
    (0..count).map(move |group| outputs * group / count..outputs * (group + 1) / count)
}

/// Sources that are read at a time: processors foresee what is read next in so many places, and keep
/// in cache what is at the same offset in so many pages.
const MOST_SOURCES: usize = 16;

/// Bytes of a shard that are worked on before those behind them, so that they are still in cache for
/// the next group of outputs.
const BLOCK: usize = 4096;

/// The bytes of a shard in blocks, each a multiple of `step` bytes. The last may begin before the
/// end of the one before it: what it does again comes out the same.
fn blocks(len: usize, step: usize) -> impl Iterator<Item = Range<usize>> {
    let whole = len - len % step;
    let last = (whole < len).then(|| len - step..len);
    (0..whole)
        .step_by(BLOCK)
        .map(move |start| start..whole.min(start + BLOCK))
        .chain(last)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rs8::field::tests::product;

    fn naive(factors: &[u8], sources: &[&[u8]]) -> Vec<u8> {
        let sum = |at: usize| {
            let products = factors.iter().zip(sources).map(|(f, s)| product(*f, s[at]));
            products.fold(0, |sum, product| sum ^ product)
        };
        (0..sources[0].len()).map(sum).collect()
    }

    /// Applies a matrix of these rows to sources and outputs that begin `skew` bytes after an aligned
    /// address; sees that nothing around the outputs is touched.
    fn check(kernel: &Kernel, rows: &[Vec<u8>], len: usize, skew: usize) {
        const AROUND: u8 = 0xee;
        let byte = |i: usize, j: usize| (i * 89 + j * 7 + j / 251).to_le_bytes()[0];
        let width = rows[0].len();
        let room: Vec<Vec<u8>> = (0..width)
            .map(|i| (0..skew + len).map(|j| byte(i, j)).collect())
            .collect();
        let sources: Vec<&[u8]> = room.iter().map(|room| &room[skew..]).collect();
        let mut room = vec![vec![AROUND; skew + len + 64]; rows.len()];
        let mut outputs: Vec<&mut [u8]> = room
            .iter_mut()
            .map(|room| &mut room[skew..skew + len])
            .collect();

        let mut matrix = Matrix::with_room(0);
        matrix.set(rows.len(), width, |output, source| rows[output][source]);
        matrix.apply(kernel, &sources, &mut outputs);
        for (row, room) in rows.iter().zip(&room) {
            let what = || format!("{kernel:?}: {row:x?}, {len} bytes, skewed by {skew}");
            assert!(room[skew..skew + len] == naive(row, &sources), "{}", what());
            let (before, after) = (&room[..skew], &room[skew + len..]);
            assert!(
                before.iter().chain(after).all(|b| *b == AROUND),
                "{}",
                what()
            );
        }
    }

    fn rows(outputs: usize, sources: usize) -> Vec<Vec<u8>> {
        let factor = |i: usize, j: usize| (i * 71 + j * 29 + 1).to_le_bytes()[0];
        (0..outputs)
            .map(|i| (0..sources).map(|j| factor(i, j)).collect())
            .collect()
    }

    #[test]
    fn every_product() {
        for kernel in available() {
            println!("{kernel:?}");
            let all: Vec<u8> = (0..=255).collect();
            for factor in (0..=255).step_by(if cfg!(miri) { 51 } else { 1 }) {
                let mut room = vec![0; 256];
                let mut matrix = Matrix::with_room(1);
                matrix.set(1, 1, |_, _| factor);
                matrix.apply(kernel, &[&all], &mut [&mut room]);
                assert_eq!(room, naive(&[factor], &[&all]), "{kernel:?}: {factor}");
            }
        }
    }

    #[test]
    fn every_length_and_alignment() {
        // Miri is slow: a few lengths around each kernel's step are enough for it.
        let lens: Vec<usize> = if cfg!(miri) {
            vec![1, 31, 32, 33, 63, 64, 65, 127, 128, 129]
        } else {
            (1..=150).chain([192, 255, 256, 257, 300]).collect()
        };
        for kernel in available() {
            for &len in &lens {
                for skew in 0..64 {
                    if skew < 2 || !cfg!(miri) && (len + skew) % 11 == 0 {
                        check(kernel, &rows(1 + (len + skew) % 4, 3), len, skew);
                    }
                }
            }
        }
    }

    #[test]
    fn every_number_of_outputs_and_sources() {
        for kernel in available() {
            for outputs in 1..=if cfg!(miri) { 5 } else { 13 } {
                for sources in if cfg!(miri) {
                    vec![1, 17]
                } else {
                    vec![1, 2, 9, 16, 17, 33]
                } {
                    check(kernel, &rows(outputs, sources), 131, 1);
                }
            }
        }
    }

    #[test]
    #[cfg_attr(miri, ignore = "as the others, but longer")]
    fn several_blocks() {
        for kernel in available() {
            for (outputs, sources) in [(9, 100), (5, 32), (1, 17), (6, 3)] {
                for len in [1023, 1024, 1025, 2200] {
                    check(kernel, &rows(outputs, sources), len, 3);
                }
            }
        }
    }

    #[test]
    fn blocks_cover_every_byte_in_whole_steps() {
        for step in KERNELS.iter().map(|kernel| kernel.step) {
            assert!(BLOCK.is_multiple_of(step));
            for len in [step, step + 1, 511, 1023, 1024, 1025, 5000] {
                let mut covered = vec![false; len];
                for block in blocks(len, step) {
                    assert!(!block.is_empty() && block.len().is_multiple_of(step));
                    covered[block].fill(true);
                }
                assert!(covered.into_iter().all(|covered| covered));
            }
        }
    }

    #[test]
    fn groups_are_even() {
        let lens = |outputs| groups(outputs).map(|group| group.len()).collect::<Vec<_>>();
        assert_eq!(lens(4), [4]);
        assert_eq!(lens(5), [2, 3]);
        assert_eq!(lens(9), [3, 3, 3]);
        assert_eq!(lens(10), [3, 3, 4]);
        assert!((1..256).all(|outputs| groups(outputs).flatten().eq(0..outputs)));
    }
}
