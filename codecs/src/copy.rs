//! Replication: every shard is the data. What the other codes are held against.

use std::sync::Arc;

use crate::code::{Code, Coder, Family, Operations, Shard};
use crate::error::{CodecError, quote};
use crate::geometry::{Geometry, ShardSet};
use crate::stripe::{check_encode, check_reconstruct, check_recoverable};

const ID: &str = "copy";

/// The family `copy`.
pub(crate) struct Copy;

impl Family for Copy {
    fn id(&self) -> &'static str {
        ID
    }

    fn summary(&self) -> &'static str {
        "a whole copy on each host (k = 1); survives the loss of all but one, at n times the space"
    }

    fn code(&self, geometry: Geometry, params: Option<&str>) -> Result<Arc<dyn Code>, CodecError> {
        if geometry.k() != 1 {
            return Err(CodecError::UnsupportedGeometry {
                id: ID,
                geometry,
                takes: "k = 1",
            });
        }
        match params.map(str::trim) {
            None | Some("") => Ok(Arc::new(Copies { geometry })),
            Some(other) => Err(CodecError::UnknownParams {
                id: ID,
                params: quote(other),
                takes: "none",
            }),
        }
    }
}

#[derive(Clone, Copy, Debug)]
struct Copies {
    geometry: Geometry,
}

impl Code for Copies {
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
        0
    }

    fn operations(&self) -> Option<Operations> {
        Some(Operations {
            additions: 0,
            multiplications: 0,
        })
    }

    fn coder(&self) -> Box<dyn Coder> {
        Box::new(*self)
    }
}

impl Coder for Copies {
    fn encode(&mut self, data: &[&[u8]], parity: &mut [&mut [u8]]) -> Result<(), CodecError> {
        check_encode(ID, self.geometry, 1, data, parity)?;
        for shard in parity {
            shard.copy_from_slice(data[0]);
        }
        Ok(())
    }

    fn reconstruct(&mut self, shards: &mut [Shard<'_>]) -> Result<(), CodecError> {
        let task = check_reconstruct(ID, self.geometry, 1, shards)?;
        check_recoverable(&task, self.reconstructible(task.present))?;
        let present = shards.iter().find_map(|shard| match shard {
            Shard::Present(bytes) => Some(*bytes),
            _ => None,
        });
        // Nothing present means nothing wanted, or it would not have been recoverable.
        let Some(source) = present else { return Ok(()) };
        for shard in shards {
            if let Shard::Wanted(target) = shard {
                target.copy_from_slice(source);
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_one_data_shard_and_no_params() {
        let code = |k, n, params| {
            let code = Copy.code(Geometry::new(k, n).unwrap(), params);
            code.map(|code| code.params().to_owned())
                .map_err(|error| error.to_string())
        };
        for (n, params) in [(1, None), (3, Some("")), (256, Some(" "))] {
            assert_eq!(code(1, n, params).as_deref(), Ok(""));
        }
        assert_eq!(
            code(2, 3, None).unwrap_err(),
            "codec copy has no code with geometry (2, 3): it takes k = 1"
        );
        assert_eq!(
            code(1, 3, Some("3")).unwrap_err(),
            "codec copy does not know the parameters \"3\": it takes none"
        );
    }
}
