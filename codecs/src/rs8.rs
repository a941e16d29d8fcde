//! Reed-Solomon over GF(2^8): any k of n shards give all of them. The code of zfec.
//!
//! Cost grows as k (n - k), with a small constant: the fastest where shards are few.

mod field;
mod kernel;
mod points;

use std::sync::Arc;

use self::kernel::{Kernel, Matrix};
use self::points::Interpolation;
use crate::code::{Code, Coder, Family, Operations, Shard};
use crate::error::{CodecError, quote};
use crate::geometry::{Geometry, MAX_SHARDS, ShardSet};
use crate::stripe::{check_encode, check_reconstruct, check_recoverable};

const ID: &str = "rs8";

/// The family `rs8`.
pub(crate) struct Rs8;

impl Family for Rs8 {
    fn id(&self) -> &'static str {
        ID
    }

    fn summary(&self) -> &'static str {
        "Reed-Solomon over GF(2^8), zfec's: survives the loss of any n - k; fast where n is small"
    }

    fn code(&self, geometry: Geometry, params: Option<&str>) -> Result<Arc<dyn Code>, CodecError> {
        if let Some(other) = params.map(str::trim).filter(|params| !params.is_empty()) {
            return Err(CodecError::UnknownParams {
                id: ID,
                params: quote(other),
                takes: "none",
            });
        }
        let kernel = kernel::available().next();
        let kernel = kernel.expect("the plain kernel runs everywhere");
        Ok(Arc::new(ReedSolomon::new(geometry, kernel)?))
    }
}

/// The kernels of `rs8` that this machine has, by name, the fastest first. For tests and benchmarks.
pub fn kernels() -> impl Iterator<Item = &'static str> {
    kernel::available().map(|kernel| kernel.name)
}

/// `rs8` by one of its [`kernels`]: the same code. For tests and benchmarks.
///
/// # Errors
///
/// As for any family; [`CodecError::UnknownParams`] where there is no such kernel on this machine.
pub fn with_kernel(geometry: Geometry, name: &str) -> Result<Arc<dyn Code>, CodecError> {
    let kernel = kernel::available().find(|kernel| kernel.name == name);
    let kernel = kernel.ok_or_else(|| CodecError::UnknownParams {
        id: ID,
        params: quote(name),
        takes: "a kernel of this machine's",
    })?;
    Ok(Arc::new(ReedSolomon::new(geometry, kernel)?))
}

#[derive(Debug)]
struct ReedSolomon {
    geometry: Geometry,
    kernel: &'static Kernel,
    /// All parity from all data.
    encode: Arc<Matrix>,
}

impl ReedSolomon {
    fn new(geometry: Geometry, kernel: &'static Kernel) -> Result<Self, CodecError> {
        if geometry.parity() == 0 {
            return Err(CodecError::UnsupportedGeometry {
                id: ID,
                geometry,
                takes: "k < n",
            });
        }
        let parity = geometry.shards().difference(geometry.data());
        let mut encode = Matrix::with_room(geometry.k() * geometry.parity());
        interpolate(&mut encode, geometry.data(), parity);
        Ok(Self {
            geometry,
            kernel,
            encode: Arc::new(encode),
        })
    }
}

impl Code for ReedSolomon {
    fn id(&self) -> &'static str {
        ID
    }

    fn geometry(&self) -> Geometry {
        self.geometry
    }

    fn params(&self) -> &'static str {
        ""
    }

    fn shard_unit(&self) -> usize {
        1
    }

    fn reconstructible(&self, present: ShardSet) -> ShardSet {
        self.geometry.reconstructible_if_mds(present)
    }

    fn is_mds(&self) -> bool {
        true
    }

    fn scratch_bytes(&self, _shard_len: usize) -> usize {
        // The solutions: no shards, only what to multiply them by.
        SOLUTIONS * (size_of::<Solution>() + self.geometry.k() * self.geometry.parity())
    }

    /// Every parity shard is a sum of multiples of all data shards.
    fn operations(&self) -> Option<Operations> {
        let (k, parity) = (self.geometry.k(), self.geometry.parity());
        Some(Operations {
            additions: (k - 1) * parity,
            multiplications: k * parity,
        })
    }

    fn coder(&self) -> Box<dyn Coder> {
        let nothing_yet = || Solution {
            sources: ShardSet::EMPTY,
            wanted: ShardSet::EMPTY,
            matrix: Matrix::with_room(self.geometry.k() * self.geometry.parity()),
        };
        Box::new(ReedSolomonCoder {
            geometry: self.geometry,
            kernel: self.kernel,
            encode: Arc::clone(&self.encode),
            solutions: std::iter::repeat_with(nothing_yet)
                .take(SOLUTIONS)
                .collect(),
            oldest: 0,
        })
    }
}

/// Patterns of losses that a coder remembers.
const SOLUTIONS: usize = 8;

/// How wanted shards come from k others.
struct Solution {
    sources: ShardSet,
    wanted: ShardSet,
    matrix: Matrix,
}

struct ReedSolomonCoder {
    geometry: Geometry,
    kernel: &'static Kernel,
    encode: Arc<Matrix>,
    /// Losses seldom change from stripe to stripe. The latest solutions, in a ring.
    solutions: Vec<Solution>,
    oldest: usize,
}

impl ReedSolomonCoder {
    fn solution(&mut self, sources: ShardSet, wanted: ShardSet) -> &Matrix {
        let known = |solution: &Solution| (solution.sources, solution.wanted) == (sources, wanted);
        let at = self.solutions.iter().position(known).unwrap_or_else(|| {
            let at = self.oldest;
            self.oldest = (at + 1) % SOLUTIONS;
            let solution = &mut self.solutions[at];
            (solution.sources, solution.wanted) = (sources, wanted);
            interpolate(&mut solution.matrix, sources, wanted);
            at
        });
        &self.solutions[at].matrix
    }
}

fn interpolate(matrix: &mut Matrix, sources: ShardSet, targets: ShardSet) {
    let interpolation = Interpolation::new(sources, targets);
    matrix.set(targets.len(), sources.len(), |target, source| {
        interpolation.factor(target, source)
    });
}

impl Coder for ReedSolomonCoder {
    fn encode(&mut self, data: &[&[u8]], parity: &mut [&mut [u8]]) -> Result<(), CodecError> {
        check_encode(ID, self.geometry, 1, data, parity)?;
        self.encode.apply(self.kernel, data, parity);
        Ok(())
    }

    fn reconstruct(&mut self, shards: &mut [Shard<'_>]) -> Result<(), CodecError> {
        let task = check_reconstruct(ID, self.geometry, 1, shards)?;
        check_recoverable(&task, self.geometry.reconstructible_if_mds(task.present))?;
        if task.wanted.is_empty() {
            return Ok(());
        }
        // Exactly k, data first.
        let from: ShardSet = task.present.iter().take(self.geometry.k()).collect();
        let mut sources: [&[u8]; MAX_SHARDS] = [&[]; MAX_SHARDS];
        let mut outputs: [&mut [u8]; MAX_SHARDS] = std::array::from_fn(|_| Default::default());
        let (mut source, mut output) = (0, 0);
        for (index, shard) in shards.iter_mut().enumerate() {
            match shard {
                Shard::Present(bytes) if from.contains(index) => {
                    sources[source] = bytes;
                    source += 1;
                }
                Shard::Wanted(bytes) => {
                    outputs[output] = bytes;
                    output += 1;
                }
                Shard::Present(_) | Shard::Absent => {}
            }
        }
        let kernel = self.kernel;
        self.solution(from, task.wanted)
            .apply(kernel, &sources[..source], &mut outputs[..output]);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_no_params_and_some_parity() {
        let code = |k, n, params| {
            let code = Rs8.code(Geometry::new(k, n).unwrap(), params);
            code.map(|code| code.params().to_owned())
                .map_err(|error| error.to_string())
        };
        for (k, n, params) in [(1, 2, None), (4, 6, Some("")), (255, 256, Some(" "))] {
            assert_eq!(code(k, n, params).as_deref(), Ok(""));
        }
        assert_eq!(
            code(1, 1, None).unwrap_err(),
            "codec rs8 has no code with geometry (1, 1): it takes k < n"
        );
        assert_eq!(
            code(2, 3, Some("3")).unwrap_err(),
            "codec rs8 does not know the parameters \"3\": it takes none"
        );
    }

    #[test]
    fn losses_come_and_go_and_come_again() {
        // More patterns than are remembered, in two orders.
        let code = Rs8.code(Geometry::new(3, 7).unwrap(), None).unwrap();
        let mut coder = code.coder();
        let data = [[1], [2], [7]];
        let mut parity = [[0]; 4];
        let mut views = parity.each_mut().map(<[u8; 1]>::as_mut_slice);
        coder
            .encode(&data.each_ref().map(<[u8; 1]>::as_slice), &mut views)
            .unwrap();
        let all = [&data[..], &parity[..]].concat();
        let forwards = (0..7).flat_map(|a| (0..a).map(move |b| (a, b)));
        let backwards = forwards.clone().collect::<Vec<_>>().into_iter().rev();
        for (a, b) in forwards.clone().chain(backwards).chain(forwards) {
            let mut room = [[0xee]; 7];
            let mut shards: Vec<Shard<'_>> = room
                .iter_mut()
                .zip(&all)
                .enumerate()
                .map(|(i, (room, shard))| match i {
                    i if i == a || i == b => Shard::Wanted(room),
                    _ => Shard::Present(shard),
                })
                .collect();
            coder.reconstruct(&mut shards).unwrap();
            assert_eq!((room[a], room[b]), (all[a], all[b]), "{a} and {b}");
        }
    }
}
