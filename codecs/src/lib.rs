//! Erasure codes behind one object-safe trait: replication, XOR parity and Reed-Solomon.
//!
//! An erasure code turns k *data shards* into n *shards* of the same length, so that the data comes
//! back from some of them, whichever those are. This crate is the arithmetic of that and nothing
//! else: it reads and writes nothing, starts no threads, and all buffers are the caller's. All codes
//! here are systematic: the first k shards are the data as they are, the other n - k are *parity*.
//!
//! ```
//! use distdup_codecs::{Geometry, Shard, resolve};
//!
//! // Three data shards and two parity shards: any two of the five may be lost.
//! let code = resolve("rs", Geometry::new(3, 5)?, None)?;
//! let mut coder = code.coder();
//!
//! let data: [&[u8]; 3] = [b"any th", b"ree of", b" five!"];
//! let (mut p, mut q) = ([0; 6], [0; 6]);
//! coder.encode(&data, &mut [&mut p, &mut q])?;
//!
//! // Shards 0 and 2 are lost. Shard 0 is wanted back; of shard 2 we only know that it is gone.
//! let mut lost = [0; 6];
//! coder.reconstruct(&mut [
//!     Shard::Wanted(&mut lost),
//!     Shard::Present(data[1]),
//!     Shard::Absent,
//!     Shard::Present(&p),
//!     Shard::Present(&q),
//! ])?;
//! assert_eq!(&lost, b"any th");
//! # Ok::<(), distdup_codecs::CodecError>(())
//! ```
//!
//! # The types
//!
//! A [`Geometry`] is the pair (k, n), checked once; a [`ShardSet`] is a set of shard indices, 0..k
//! the data and k..n the parity. A [`Family`] is a kind of code, and [`FAMILIES`] lists them all;
//! [`family`] finds one by its id and [`resolve`] by what a user would call it. With a geometry, and
//! parameters where it has any, it makes a [`Code`]: immutable, shared by threads, and the one to
//! ask what can be recovered. [`Code::coder`] makes a [`Coder`], which has scratch of its own and
//! does the work, one for each thread. What goes wrong is a [`CodecError`], with its numbers.
//!
//! To decode shards later one needs a code's [`id`](Code::id), [`geometry`](Code::geometry) and
//! [`params`](Code::params), three short pieces of text and numbers, and the index of each shard.
//! Nothing in a shard says any of it, nor whether the shard is damaged: store them, with a checksum,
//! beside it.
//!
//! ```
//! # use distdup_codecs::{Geometry, family};
//! let code = family("xor")?.code(Geometry::new(6, 10)?, None)?;
//! assert_eq!(code.params(), "1^2^3,4^5^6,1^2^4^5,1^3^4^6");
//! // Later, perhaps with another version of this crate and other defaults:
//! let again = family(code.id())?.code(code.geometry(), Some(code.params()))?;
//! # assert_eq!(again.params(), code.params());
//! # Ok::<(), distdup_codecs::CodecError>(())
//! ```
//!
//! # Stripes, shards and units
//!
//! A long stream is coded stripe by stripe: k x S bytes at a time, one call of [`Coder::encode`] for
//! each. All lengths are in bytes. Within a call all shards have one length, not 0 and a multiple of
//! [`Code::shard_unit`] (1 byte, or 2 for `rs16`); from call to call it may differ, as the last
//! stripe's does. Padding is the caller's business. A shard is coded as a whole: parity of its first
//! half need not be the first half of its parity.
//!
//! Coders keep up to [`Code::scratch_bytes`] and allocate nothing per stripe once warm. Stripes that
//! lose the same shards are the fast case, since what was solved for one serves the next.
//!
//! # What can be recovered
//!
//! Counting shards is not enough: most XOR codes survive some losses of a given number and not
//! others, and may give back one shard where the data as a whole is lost. So ask the code, with the
//! set of shards that are there:
//!
//! ```
//! # use distdup_codecs::{Geometry, ShardSet, resolve};
//! let code = resolve("xor:matland", Geometry::new(6, 10)?, None)?;
//! let without = |lost: [usize; 3]| -> ShardSet { (0..10).filter(|i| !lost.contains(i)).collect() };
//! assert!(code.is_recoverable(without([0, 1, 2])));
//! // Both parity shards that have data shard 0 in them, and the shard itself:
//! assert!(!code.is_recoverable(without([0, 8, 9])));
//! // Shard 9 could be had again, if shard 0 were still there; as it is, nothing can.
//! assert_eq!(code.reconstructible(without([0, 8, 9])), without([0, 8, 9]));
//! // What to read, where reading costs: no more than is needed, data rather than parity.
//! let enough = code.sufficient_subset(without([0, 1, 2])).expect("recoverable, as seen above");
//! assert_eq!(enough, ShardSet::from_iter([3, 4, 5, 6, 7, 8]));
//! # Ok::<(), distdup_codecs::CodecError>(())
//! ```
//!
//! # The codes
//!
//! | id | code | geometries | params | unit |
//! | --- | --- | --- | --- | --- |
//! | `copy` | replication | k = 1 | empty | 1 |
//! | `rs16` | Reed-Solomon over GF(2^16) | k < n | `high` or `low` | 2 |
//! | `rs8` | Reed-Solomon over GF(2^8) | k < n | empty | 1 |
//! | `xor` | any systematic binary linear code | k < n | its equations | 1 |
//!
//! All have n up to [`MAX_SHARDS`].
//!
//! - **`copy`** is the baseline: n times the space, and all but one of the shards may be lost.
//! - **`rs16`** is MDS: any k shards are enough, which no code betters. The code is of Reed and
//!   Solomon, "Polynomial Codes over Certain Finite Fields" (1960); it is computed as Leopard-RS
//!   does, by the additive FFT of Lin, Chung and Han, "Novel Polynomial Basis and Its Application to
//!   Reed-Solomon Erasure Codes" (FOCS 2014), in a basis of Cantor's ("On Arithmetical Algorithms
//!   over Finite Fields", 1989). The kernels are those of the crate reed-solomon-simd; parity is
//!   the same as its encoder's of the rate that the params name.
//! - **`rs8`** is MDS as well, and the code of [zfec](https://pypi.org/project/zfec/): the two read each
//!   other's shards. A parity byte is the value of the polynomial through the data bytes at a point of its
//!   own; k (n - k) products a byte of data, but the products are cheap: by nibbles in tables of 16 bytes, as
//!   Plank, Greenan and Miller show in "Screaming Fast Galois Field Arithmetic Using Intel SIMD
//!   Instructions" (FAST 2013), or by the processor's own bit matrices (GFNI). Which the machine has is
//!   seen at run time.
//! - **`xor`** takes equations such as `1^2^3,1^4`: the first parity shard is the exclusive or of the
//!   first three data shards, counted from one, the second that of the first and the fourth. One
//!   parity shard over all data is RAID's (Patterson, Gibson and Katz, 1988). Several are what they
//!   are: solving them by elimination, shard by shard, so that nothing recoverable is given up, is
//!   after Hafner, Deenadhayalan, Rao and Tomlin, "Matrix Methods for Lost Data Reconstruction in
//!   Erasure Codes" (FAST 2005). Where no equations are given it takes those of the best binary
//!   linear code, if n - k is up to 8 and n up to 20: the fewest losses of one shard that are not
//!   survived, then of two, and so on, found and proved by `examples/xor_codes.rs`. The one for
//!   (6, 10) survives any two losses, 112 of 120 of three and 136 of 210 of four.
//!
//! [`resolve`] knows other names too, [`ALIASES`]: `rs` is the fastest Reed-Solomon code that there is
//! for the geometry, `xor:matland` the (6, 10) code of distributed-duplicity, which survives 110
//! losses of three and 125 of four.
//!
//! Parity of an id, geometry and params never changes from version to version; what a family takes
//! where no params are given may, as may what `rs` stands for.
//!
//! # What it is not
//!
//! There is no error correction: a damaged shard must be found by other means, and be left out. There
//! is no secrecy: data shards are the data. And nothing here detects that the shards of a stripe do
//! not belong together.

#![cfg_attr(test, allow(clippy::unwrap_used))]

pub mod code;
mod copy;
mod error;
pub mod geometry;
mod registry;
mod rs16;
pub mod rs8;
mod stripe;
mod xor;

pub use code::{Code, Coder, Family, Operations, Shard};
pub use error::CodecError;
pub use geometry::{Geometry, MAX_SHARDS, ShardSet};
pub use registry::{ALIASES, Alias, FAMILIES, alias, family, is_named, resolve};

/// Runs the README's examples as tests.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
