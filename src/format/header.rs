//! A share's first item: `common`, and which share this is.

use std::io;
use std::sync::Arc;

use ciborium::tag::Required;
use serde::{Deserialize, Serialize};
use serde_bytes::{ByteArray, Bytes as ByteSlice};

use super::common::{Common, CommonError};
use super::digest::{Digest, Hasher};
use crate::catalogue::catalogue;
use crate::quote::with_causes;

/// Version of the format that this library writes and reads.
pub const VERSION: u8 = 1;
/// Most bytes of a header.
pub const MAX_HEADER: usize = 64 << 10;

/// Tag of data that describe themselves, by RFC 9277.
pub(crate) const SELF_DESCRIBED: u64 = 55_799;
const TAG: u64 = 0x6464_7368; // "ddsh"
/// Both tags, as every share begins.
pub const OPENING: [u8; 8] = *b"\xd9\xd9\xf7\xdaddsh";

/// What a header says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Header {
    /// What all shares of the stream say alike.
    pub common: Common,
    /// Which of the n shares this is, from 0.
    pub index: usize,
}

/// What is wrong with a header.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum HeaderFault {
    /// Nothing at all.
    #[error("it is empty")]
    Empty,
    /// It does not begin as a share does.
    #[error("it does not begin as a share does")]
    NotAShare,
    /// It ends within the header.
    #[error("it ends within the header, after {0} bytes")]
    Truncated(u64),
    /// The system did not give its bytes.
    #[error("the header cannot be read: {0}")]
    Unreadable(Arc<io::Error>),
    /// Its bytes are not what was written.
    #[error("the header is damaged")]
    Damaged,
    /// A later format.
    #[error(
        "it is of format version {0}, and this distdup reads version {VERSION}; use a newer one"
    )]
    Version(u8),
    /// `common` cannot be read. The text tells the causes, too: most who show it have room for a line.
    #[error("the header says what this distdup cannot read: {}", with_causes(.0))]
    Common(CommonError),
    /// No such share in the geometry.
    #[error("it calls itself share {index} of {n}")]
    Index {
        /// As it stands there.
        index: usize,
        /// Shares there are.
        n: usize,
    },
}

catalogue! {
    HeaderFault {
        Self::Empty => "share-empty":
            "There is nothing in it to be used."
            "Write it again from the others by distdup repair.";
        Self::NotAShare => "not-a-share":
            "If it was a share, its frames may still be good: the others help to use them."
            "Look whether the name is right; if it was a share, give it with the others: distdup why SHARE...";
        Self::Truncated(_) | Self::Unreadable(_) | Self::Damaged | Self::Index { .. } =>
            "header-damaged":
            "Its frames may still be good: the other shares help to use them."
            "Give it with the others: distdup why SHARE...";
        Self::Version(_) => "newer-format":
            "It was not used, and is as it was."
            "Take the distdup that wrote it, or a newer one.";
    }
    passing {
        Self::Common(error) => error;
    }
}

impl From<CommonError> for HeaderFault {
    fn from(error: CommonError) -> Self {
        Self::Common(error)
    }
}

type Tagged<T> = Required<Required<T, TAG>, SELF_DESCRIBED>;

#[derive(Serialize)]
struct WireOut<'a>(u8, &'a ByteSlice, u16, ByteArray<16>);

#[derive(Deserialize)]
struct WireIn(u8, serde_bytes::ByteBuf, u16, ByteArray<16>);

fn check(version: u8, common: Digest, index: u16) -> Digest {
    Hasher::new()
        .with(&[version])
        .with(common.as_bytes())
        .with(&index.to_be_bytes())
        .finish()
}

/// The header of share `index`.
pub fn encode(common: &Common, index: usize) -> Vec<u8> {
    let index = u16::try_from(index).expect("share indices are below 256");
    let digest = *check(VERSION, common.digest(), index).as_bytes();
    let wire = WireOut(
        VERSION,
        ByteSlice::new(common.encoded()),
        index,
        ByteArray::new(digest),
    );
    let mut bytes = Vec::with_capacity(common.encoded().len() + 48);
    let tagged: Tagged<WireOut<'_>> = Required(Required(wire));
    ciborium::into_writer(&tagged, &mut bytes).expect("a Vec takes every byte");
    bytes
}

/// Reads a header from the start of `bytes`, and says how long it is; `None` if it goes on beyond
/// them.
///
/// # Errors
/// What is wrong with it.
pub fn decode(bytes: &[u8]) -> Result<Option<(Header, usize)>, HeaderFault> {
    let seen = bytes.len().min(OPENING.len());
    if bytes[..seen] != OPENING[..seen] {
        return Err(HeaderFault::NotAShare);
    }
    if bytes.len() < OPENING.len() + 2 {
        return Ok(None);
    }
    // An array, and a small integer: a later version may change anything after these two.
    let version = bytes[OPENING.len() + 1];
    if bytes[OPENING.len()] & 0xe0 != 0x80 || version > 0x17 {
        return Err(HeaderFault::Damaged);
    }
    if version != VERSION {
        return Err(HeaderFault::Version(version));
    }
    let mut rest = bytes;
    let wire: Tagged<WireIn> = match ciborium::from_reader(&mut rest) {
        Ok(wire) => wire,
        Err(ciborium::de::Error::Io(_)) if bytes.len() < MAX_HEADER => return Ok(None),
        Err(_) => return Err(HeaderFault::Damaged),
    };
    let Required(Required(WireIn(version, encoded, index, digest))) = wire;
    if check(version, Digest::of(&encoded), index) != Digest::from(digest.into_array()) {
        return Err(HeaderFault::Damaged);
    }
    let common = Common::parse(&encoded)?;
    let (index, n) = (usize::from(index), common.geometry().n());
    if index >= n {
        return Err(HeaderFault::Index { index, n });
    }
    let len = bytes.len() - rest.len();
    // The digest does not cover CBOR's own bytes: written again, they must be the same.
    if encode(&common, index) != bytes[..len] {
        return Err(HeaderFault::Damaged);
    }
    Ok(Some((Header { common, index }, len)))
}
