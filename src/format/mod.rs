//! Share format, version 1: what stands in a share. Normative: docs/FORMAT.md.
//!
//! A share is [`header`], [`frame`]s, and an [`ending`]; [`common`] is what all shares of a stream
//! say alike. [`scan`] reads a share from wherever it stands, whatever happened to it.

pub mod common;
pub mod digest;
pub mod ending;
pub mod frame;
pub mod header;
pub mod scan;

pub use common::{Common, CommonError, Identity, StreamId};
pub use digest::{Digest, Totals};
