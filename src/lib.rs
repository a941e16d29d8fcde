//! A stream into n erasure-coded shares, and back from any sufficient subset of them.
//!
//! - [`encode`](mod@encode), [`decode`](mod@decode), [`repair`](mod@repair) and
//!   [`verify`](mod@verify) are the operations, each one function.
//! - [`input`], [`sink`] and [`source`] are where bytes come from and go to: traits, and what
//!   implements them. They fail, and the operations know what to do about it.
//! - [`zfec`] reads and writes the shares of another program.
//! - [`format`](mod@format) is what stands in a share; docs/FORMAT.md is normative.
//! - [`availability`] is how likely it is that what was written can be read again.
//! - [`compare`] is what codes cost: how fast they are on this machine, and what they take.
//! - [`config`] is the configuration file.
//! - The codes themselves are a crate of their own, [`distdup_codecs`].
//!
//! What is written is what was read, or it is an error: every stripe is held against its digest
//! before a byte of it goes out, and nothing counts as complete that is not.

pub mod agreement;
pub mod availability;
pub mod catalogue;
pub mod choice;
pub mod command;
pub mod compare;
pub mod config;
pub mod control;
pub mod decode;
pub mod descriptor;
pub mod diagnosis;
mod dice;
pub mod duplicity;
pub mod encode;
pub mod format;
pub mod input;
mod locator;
mod pipe;
mod pipeline;
pub mod place;
pub mod quote;
pub mod repair;
pub mod sink;
pub mod source;
pub mod store;
pub mod survival;
pub mod verify;
pub mod zfec;
