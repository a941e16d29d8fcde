//! Any systematic binary linear code, given by its parity equations.
//!
//! A parity shard is the exclusive or of some data shards. Which, an equation says: `3^5^6`, counted
//! from one. Such a code is in general not MDS: whether the data can be had depends on which shards
//! are lost, not only on how many. It is decoded by elimination over GF(2) and so recovers whatever
//! can be recovered at all, single shards included where not everything can.

mod equations;
mod kernel;
mod solve;

use std::sync::Arc;

use self::equations::Equations;
use self::solve::Elimination;
use crate::code::{Code, Coder, Family, Operations, Shard};
use crate::error::CodecError;
use crate::geometry::{Geometry, MAX_SHARDS, ShardSet};
use crate::stripe::{check_encode, check_reconstruct, check_recoverable};

pub(crate) use self::equations::MATLAND;

const ID: &str = "xor";

/// The family `xor`.
pub(crate) struct Xor;

impl Family for Xor {
    fn id(&self) -> &'static str {
        ID
    }

    fn summary(&self) -> &'static str {
        "parity by exclusive or, any equations; the fastest, but which losses it survives depends"
    }

    fn code(&self, geometry: Geometry, params: Option<&str>) -> Result<Arc<dyn Code>, CodecError> {
        if geometry.parity() == 0 {
            return Err(CodecError::UnsupportedGeometry {
                id: ID,
                geometry,
                takes: "k < n",
            });
        }
        let equations = match params {
            Some(text) => Equations::parse(geometry, text)?,
            None => Equations::best(geometry)?,
        };
        let params = equations.to_string();
        Ok(Arc::new(Linear {
            equations: Arc::new(equations),
            params,
        }))
    }
}

/// A code with its equations.
#[derive(Debug)]
struct Linear {
    equations: Arc<Equations>,
    params: String,
}

impl Code for Linear {
    fn id(&self) -> &'static str {
        ID
    }

    fn geometry(&self) -> Geometry {
        self.equations.geometry()
    }

    fn params(&self) -> &str {
        &self.params
    }

    fn shard_unit(&self) -> usize {
        1
    }

    fn reconstructible(&self, present: ShardSet) -> ShardSet {
        Elimination::new(&self.equations, present).reconstructible()
    }

    fn is_mds(&self) -> bool {
        // No other binary code is. With k = 1, an equation that is not empty has all data in it.
        let geometry = self.geometry();
        let all_in_one =
            geometry.parity() == 1 && self.equations.of(geometry.k()) == geometry.data();
        geometry.k() == 1 || all_in_one
    }

    fn scratch_bytes(&self, _shard_len: usize) -> usize {
        // The last solution: no shards, only which shards to add up.
        size_of::<LinearCoder>() + self.geometry().n() * size_of::<(usize, ShardSet)>()
    }

    fn operations(&self) -> Option<Operations> {
        Some(Operations {
            additions: self.equations.iter().map(|sum| sum.len() - 1).sum(),
            multiplications: 0,
        })
    }

    fn coder(&self) -> Box<dyn Coder> {
        Box::new(LinearCoder {
            equations: Arc::clone(&self.equations),
            solved: (ShardSet::EMPTY, ShardSet::EMPTY),
            sums: Vec::new(),
        })
    }
}

struct LinearCoder {
    equations: Arc<Equations>,
    /// The shards present and wanted for which `sums` is the solution. Losses seldom change from
    /// stripe to stripe, so the last solution is nearly always the one needed.
    solved: (ShardSet, ShardSet),
    /// Each wanted shard with the present shards that add up to it.
    sums: Vec<(usize, ShardSet)>,
}

impl Coder for LinearCoder {
    fn encode(&mut self, data: &[&[u8]], parity: &mut [&mut [u8]]) -> Result<(), CodecError> {
        let len = check_encode(ID, self.equations.geometry(), 1, data, parity)?;
        for block in kernel::blocks(len) {
            for (sum, equation) in parity.iter_mut().zip(self.equations.iter()) {
                kernel::sum(&mut sum[block.clone()], data, block.start, equation);
            }
        }
        Ok(())
    }

    fn reconstruct(&mut self, shards: &mut [Shard<'_>]) -> Result<(), CodecError> {
        let task = check_reconstruct(ID, self.equations.geometry(), 1, shards)?;
        if self.solved != (task.present, task.wanted) {
            let elimination = Elimination::new(&self.equations, task.present);
            check_recoverable(&task, elimination.reconstructible())?;
            self.sums.clear();
            self.sums.extend(
                task.wanted
                    .iter()
                    .filter_map(|shard| Some((shard, elimination.sum_for(shard)?))),
            );
            self.solved = (task.present, task.wanted);
        }
        let mut present: [&[u8]; MAX_SHARDS] = [&[]; MAX_SHARDS];
        for (slot, shard) in present.iter_mut().zip(shards.iter()) {
            if let Shard::Present(bytes) = shard {
                *slot = bytes;
            }
        }
        for block in kernel::blocks(task.len) {
            for (index, sources) in &self.sums {
                if let Shard::Wanted(sum) = &mut shards[*index] {
                    kernel::sum(&mut sum[block.clone()], &present, block.start, *sources);
                }
            }
        }
        Ok(())
    }
}
