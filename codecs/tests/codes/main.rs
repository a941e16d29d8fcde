//! The codes against oracles that were written for these tests alone, and share no line with the
//! crate: enumeration and plain elimination over GF(2), and slow arithmetic in GF(2^16).
//!
//! All parity that the decoders are given is the oracles', so that encoder and decoder cannot share
//! a mistake unseen. Where there is too much to try all, `DISTDUP_TEST_FULL=1` tries more of it.

#![allow(clippy::unwrap_used)]

mod best;
mod contract;
mod golden;
mod losses;
mod oracle;
mod random;
mod sizes;
