//! Checks what a coder is given, once for all codes.

use crate::code::Shard;
use crate::error::CodecError;
use crate::geometry::{Geometry, ShardSet};

/// Checks the arguments of `encode`; gives the length of the shards.
pub(crate) fn check_encode(
    id: &'static str,
    geometry: Geometry,
    unit: usize,
    data: &[&[u8]],
    parity: &[&mut [u8]],
) -> Result<usize, CodecError> {
    if data.len() != geometry.k() {
        return Err(CodecError::DataShards {
            expected: geometry.k(),
            found: data.len(),
        });
    }
    if parity.len() != geometry.parity() {
        return Err(CodecError::ParityShards {
            expected: geometry.parity(),
            found: parity.len(),
        });
    }
    let lengths = data
        .iter()
        .map(|shard| shard.len())
        .chain(parity.iter().map(|shard| shard.len()));
    check_lengths(id, unit, lengths.enumerate())
}

/// What `reconstruct` is to do.
pub(crate) struct Task {
    /// Length of the shards; 0 if none is present or wanted.
    pub(crate) len: usize,
    pub(crate) present: ShardSet,
    pub(crate) wanted: ShardSet,
}

/// Checks the arguments of `reconstruct`, but not whether the wanted can be had.
pub(crate) fn check_reconstruct(
    id: &'static str,
    geometry: Geometry,
    unit: usize,
    shards: &[Shard<'_>],
) -> Result<Task, CodecError> {
    if shards.len() != geometry.n() {
        return Err(CodecError::Shards {
            expected: geometry.n(),
            found: shards.len(),
        });
    }
    let mut task = Task {
        len: 0,
        present: ShardSet::EMPTY,
        wanted: ShardSet::EMPTY,
    };
    for (index, shard) in shards.iter().enumerate() {
        match shard {
            Shard::Present(_) => task.present.insert(index),
            Shard::Wanted(_) => task.wanted.insert(index),
            Shard::Absent => false,
        };
    }
    let lengths = shards
        .iter()
        .enumerate()
        .filter_map(|(index, shard)| match shard {
            Shard::Present(bytes) => Some((index, bytes.len())),
            Shard::Wanted(bytes) => Some((index, bytes.len())),
            Shard::Absent => None,
        });
    task.len = check_lengths(id, unit, lengths)?;
    Ok(task)
}

/// Checks that what is wanted is among what the code says can be had.
pub(crate) fn check_recoverable(task: &Task, reconstructible: ShardSet) -> Result<(), CodecError> {
    let lost = task.wanted.difference(reconstructible);
    if lost.is_empty() {
        Ok(())
    } else {
        Err(CodecError::NotRecoverable {
            lost,
            present: task.present,
        })
    }
}

fn check_lengths(
    id: &'static str,
    unit: usize,
    lengths: impl Iterator<Item = (usize, usize)>,
) -> Result<usize, CodecError> {
    let mut len = 0;
    for (shard, found) in lengths {
        if found == 0 {
            return Err(CodecError::EmptyShard { shard });
        }
        if len != 0 && found != len {
            return Err(CodecError::ShardLength {
                shard,
                expected: len,
                found,
            });
        }
        len = found;
    }
    if !len.is_multiple_of(unit) {
        return Err(CodecError::ShardUnit { id, len, unit });
    }
    Ok(len)
}
