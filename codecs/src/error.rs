//! What can be wrong with a code, or with what it is given.

use crate::geometry::{Geometry, MAX_SHARDS, ShardSet};

/// Why a code cannot be made or used.
///
/// Shards are numbered from 0, the equations of `xor` and their terms from 1, as they are written.
/// Text that came from outside is quoted, escaped and cut before it stands in an error.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum CodecError {
    /// A geometry outside of 1 <= k <= n <= 256.
    #[error("{k} data shards in {n} shards: 1 <= k <= n <= {MAX_SHARDS} must hold")]
    ShardCounts {
        /// Data shards asked for.
        k: usize,
        /// Shards asked for.
        n: usize,
    },
    /// A geometry with no parity, and more than one shard.
    #[error("{k} data shards in {k} shards leave no parity: no shard could be lost")]
    NoParity {
        /// Data shards asked for, and shards.
        k: usize,
    },
    /// A name that is none of a family.
    #[error("no codec is called {name}; there are {known}")]
    UnknownCodec {
        /// What was asked for, quoted.
        name: String,
        /// What there is.
        known: String,
    },
    /// A geometry that the family has no code for.
    #[error("codec {id} has no code with geometry {geometry}: it takes {takes}")]
    UnsupportedGeometry {
        /// Id of the family.
        id: &'static str,
        /// What was asked for.
        geometry: Geometry,
        /// Which geometries it has, in words.
        takes: &'static str,
    },
    /// A name of one code, with another geometry than that code's.
    #[error("{name} is a code with k = {k} and n = {n}, not {geometry}")]
    NamedGeometry {
        /// The name.
        name: &'static str,
        /// Its data shards.
        k: usize,
        /// Its shards.
        n: usize,
        /// What was asked for.
        geometry: Geometry,
    },
    /// A name of one code, and parameters.
    #[error("{name} has parameters of its own: give them with the codec's name, or not at all")]
    NamedParams {
        /// The name.
        name: &'static str,
    },
    /// Parameters that the family does not understand.
    #[error("codec {id} does not know the parameters {params}: it takes {takes}")]
    UnknownParams {
        /// Id of the family.
        id: &'static str,
        /// What was given, quoted.
        params: String,
        /// What it takes, in words.
        takes: &'static str,
    },
    /// No equations given, and none built in for the geometry.
    #[error(
        "codec xor has no equations of its own for {geometry}, only for {built_in}; \
         give {} equations, such as {}", geometry.parity(), crate::xor::MATLAND
    )]
    NoEquations {
        /// What was asked for.
        geometry: Geometry,
        /// Geometries that have some.
        built_in: &'static str,
    },
    /// Not as many equations as parity shards.
    #[error("{found} equations for {expected} parity shards: one each is needed")]
    EquationCount {
        /// Parity shards.
        expected: usize,
        /// Equations given.
        found: usize,
    },
    /// An equation with no term.
    #[error(
        "equation {equation} is empty, so that its parity would be zero and protect nothing: put data \
         shards into it, or take one shard less"
    )]
    EmptyEquation {
        /// Which equation, from 1.
        equation: usize,
    },
    /// A term that is no number.
    #[error("equation {equation}: {term} is not the number of a data shard")]
    TermNotANumber {
        /// Which equation, from 1.
        equation: usize,
        /// The term, quoted.
        term: String,
    },
    /// A term that is no data shard's.
    #[error("equation {equation}: there is no data shard {index}, they are 1 to {k}")]
    TermOutOfRange {
        /// Which equation, from 1.
        equation: usize,
        /// The term.
        index: usize,
        /// Data shards.
        k: usize,
    },
    /// A term that stands twice in an equation, and so would cancel out.
    #[error("equation {equation}: data shard {index} is there twice")]
    TermTwice {
        /// Which equation, from 1.
        equation: usize,
        /// The term.
        index: usize,
    },
    /// Equations that a user gave, which protect a data shard not at all.
    #[error(
        "data shard {index} is in no equation, so that it cannot be had again if it alone is lost: put it \
         into one of {equations}"
    )]
    Unprotected {
        /// The first of them, from 1.
        index: usize,
        /// What was given.
        equations: String,
    },
    /// `encode` with another number of data shards than k.
    #[error("{found} data shards given, the code has {expected}")]
    DataShards {
        /// k.
        expected: usize,
        /// How many were given.
        found: usize,
    },
    /// `encode` with another number of parity shards than n - k.
    #[error("room for {found} parity shards given, the code has {expected}")]
    ParityShards {
        /// n - k.
        expected: usize,
        /// How many were given.
        found: usize,
    },
    /// `reconstruct` with another number of shards than n.
    #[error("{found} shards given, the code has {expected}")]
    Shards {
        /// n.
        expected: usize,
        /// How many were given.
        found: usize,
    },
    /// Shards of no bytes at all.
    #[error("shard {shard} has no bytes")]
    EmptyShard {
        /// The first of them.
        shard: usize,
    },
    /// Shards of different lengths.
    #[error("shard {shard} has {found} bytes, those before it have {expected}")]
    ShardLength {
        /// The first that differs.
        shard: usize,
        /// Bytes of those before it.
        expected: usize,
        /// Bytes of this one.
        found: usize,
    },
    /// Shards whose length is not a multiple of [`Code::shard_unit`](crate::Code::shard_unit).
    #[error("shards of {len} bytes: codec {id} needs a multiple of {unit}")]
    ShardUnit {
        /// Id of the family.
        id: &'static str,
        /// Bytes of a shard.
        len: usize,
        /// The unit in bytes.
        unit: usize,
    },
    /// Wanted shards that cannot be had from those present.
    #[error("shards {lost} cannot be had from shards {present}")]
    NotRecoverable {
        /// Those among the wanted that cannot be had.
        lost: ShardSet,
        /// Those present.
        present: ShardSet,
    },
    /// The kernels of rs16 refused what this crate had checked: a mistake of this crate's.
    #[error("the kernels of rs16 refused what had been checked")]
    Kernel(#[source] reed_solomon_simd::Error),
}

/// Text from outside as an error may show it: quoted, escaped, at most 40 characters of it.
pub(crate) fn quote(text: &str) -> String {
    const MOST: usize = 40;
    let shown: String = text
        .chars()
        .take(MOST)
        .flat_map(char::escape_default)
        .collect();
    let more = text.chars().count().saturating_sub(MOST);
    if more == 0 {
        format!("\"{shown}\"")
    } else {
        format!("\"{shown}\" and {more} characters more")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_are_escaped_and_cut() {
        assert_eq!(quote("a\"b\u{1b}[31m"), "\"a\\\"b\\u{1b}[31m\"");
        assert_eq!(
            quote(&"x".repeat(41)),
            format!("\"{}\" and 1 characters more", "x".repeat(40))
        );
        assert!(quote(&"\u{202e}".repeat(100_000)).len() < 500);
    }
}
