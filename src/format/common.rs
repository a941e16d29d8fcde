//! `common`: what all n shares of a stream say alike, byte for byte.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use distdup_codecs::{Code, CodecError, Geometry};
use serde::{Deserialize, Serialize};
use serde_bytes::{ByteArray, ByteBuf};

use super::digest::Digest;
use crate::catalogue::catalogue;

/// Most bytes of a stripe's data.
pub const MAX_STRIPE: u64 = 64 << 20;
/// Most bytes of an object's name.
pub const MAX_NAME: usize = 1024;
/// Most bytes of `common`, so that a header stays under 64 KiB.
pub const MAX_COMMON: usize = 65_000;

const DIGEST_NAME: &str = "xxh3-128";

/// 16 random bytes that tell a stream from every other.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct StreamId(pub [u8; 16]);

impl fmt::Display for StreamId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for StreamId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl std::str::FromStr for StreamId {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let digits = text.len() == 32 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        u128::from_str_radix(text, 16)
            .ok()
            .filter(|_| digits)
            .map(|id| Self(id.to_be_bytes()))
            .ok_or_else(|| "expected 32 hexadecimal digits, as `inspect` prints them".into())
    }
}

/// Who a stream is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// Tells the stream from every other.
    pub stream: StreamId,
    /// Orders the streams stored under one name; nanoseconds since 1970 unless more is needed.
    pub generation: u64,
    /// When it was written, seconds since 1970 UTC.
    pub time: u64,
    /// Name of the object in a store; none for a plain share.
    pub name: Option<Vec<u8>>,
}

impl Identity {
    /// A new stream, written now.
    ///
    /// # Errors
    /// The system has no random bytes to give.
    pub fn fresh(name: Option<Vec<u8>>) -> std::io::Result<Self> {
        let mut stream = [0; 16];
        getrandom::fill(&mut stream).map_err(std::io::Error::from)?;
        // A clock before 1970 gives generation 0: still valid, only never newest.
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        Ok(Self {
            stream: StreamId(stream),
            generation: u64::try_from(now.as_nanos()).unwrap_or(u64::MAX),
            time: now.as_secs(),
            name,
        })
    }
}

/// What all shares of one stream say alike. One that exists is decodable by this version.
#[derive(Clone)]
pub struct Common {
    identity: Identity,
    code: Arc<dyn Code>,
    shard_len: u32,
    min_shares: usize,
    encoded: Bytes,
    digest: Digest,
}

/// The map as it stands in CBOR.
#[derive(Serialize, Deserialize)]
struct Wire {
    stream: ByteArray<16>,
    generation: u64,
    time: u64,
    codec: String,
    params: String,
    k: u64,
    n: u64,
    shard: u64,
    min_shares: u64,
    digest: String,
    features: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    name: Option<ByteBuf>,
}

/// Why bytes are no `common` that this version can read, or values make none.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum CommonError {
    /// Not the CBOR map that it should be.
    #[error("not the map that it should be: {0}")]
    Malformed(String),
    /// Something that a reader must know, and this one does not.
    #[error("it needs feature {0:?}, which this version of distdup does not know; use a newer one")]
    Feature(String),
    /// Another digest.
    #[error("its digest is {0:?}, and this version of distdup knows {DIGEST_NAME} only")]
    Digest(String),
    /// A code that cannot be made.
    #[error("its code cannot be used")]
    Codec(#[from] CodecError),
    /// A length beyond its limit.
    #[error("{what} is {found}, expected {least} to {most}")]
    Range {
        /// Of what.
        what: &'static str,
        /// As it stands there.
        found: u64,
        /// Least that is allowed.
        least: u64,
        /// Most that is allowed.
        most: u64,
    },
    /// A shard length that the codec cannot take.
    #[error("shards of {found} bytes, expected a multiple of {unit} for codec {codec}")]
    Unit {
        /// As it stands there.
        found: u64,
        /// What the codec needs.
        unit: usize,
        /// Its id.
        codec: &'static str,
    },
}

catalogue! {
    CommonError {
        Self::Malformed(_) => "header-malformed":
            "It was not used, and is as it was."
            "Look which program wrote it; docs/FORMAT.md says what a header is.";
        Self::Feature(_) | Self::Digest(_) => "newer-feature":
            "It was not used, and is as it was."
            "Take the distdup that wrote it, or a newer one.";
        Self::Range { .. } | Self::Unit { .. } => "out-of-range":
            "Nothing was read or written, or the share that says so was not used."
            "Choose another --shard-size, -k or -n.";
    }
    passing {
        Self::Codec(error) => error;
    }
}

impl Common {
    /// The bytes of the stream, which has that length if it is known, in some stripes.
    pub fn bytes_of(&self, stripes: &Range<u64>, length: Option<u64>) -> Range<u64> {
        let end = length.unwrap_or(u64::MAX);
        let at = |stripe: u64| stripe.saturating_mul(self.stripe_len() as u64).min(end);
        at(stripes.start)..at(stripes.end)
    }

    /// Puts together what a stream's shares are to say.
    ///
    /// # Errors
    /// A length beyond its limit.
    pub fn new(
        identity: &Identity,
        code: Arc<dyn Code>,
        shard_len: u64,
        min_shares: usize,
    ) -> Result<Self, CommonError> {
        let geometry = code.geometry();
        let wire = Wire {
            stream: ByteArray::new(identity.stream.0),
            generation: identity.generation,
            time: identity.time,
            codec: code.id().into(),
            params: code.params().into(),
            k: geometry.k() as u64,
            n: geometry.n() as u64,
            shard: shard_len,
            min_shares: min_shares as u64,
            digest: DIGEST_NAME.into(),
            features: Vec::new(),
            name: identity.name.clone().map(ByteBuf::from),
        };
        let mut encoded = Vec::new();
        ciborium::into_writer(&wire, &mut encoded)
            .map_err(|error| CommonError::Malformed(error.to_string()))?;
        Self::check(wire, code, encoded.into())
    }

    /// Reads the bytes of a header's or trailer's `common`.
    ///
    /// # Errors
    /// They are not what they should be, or need a newer version.
    pub fn parse(encoded: &[u8]) -> Result<Self, CommonError> {
        let mut rest = encoded;
        let wire: Wire = ciborium::from_reader(&mut rest)
            .map_err(|error| CommonError::Malformed(error.to_string()))?;
        if !rest.is_empty() {
            return Err(CommonError::Malformed(format!(
                "{} bytes follow the map",
                rest.len()
            )));
        }
        if let Some(feature) = wire.features.first() {
            return Err(CommonError::Feature(feature.clone()));
        }
        if wire.digest != DIGEST_NAME {
            return Err(CommonError::Digest(wire.digest));
        }
        let count = |value: u64| usize::try_from(value).unwrap_or(usize::MAX);
        let geometry = Geometry::new(count(wire.k), count(wire.n))?;
        let code = distdup_codecs::family(&wire.codec)?.code(geometry, Some(&wire.params))?;
        Self::check(wire, code, Bytes::copy_from_slice(encoded))
    }

    fn check(wire: Wire, code: Arc<dyn Code>, encoded: Bytes) -> Result<Self, CommonError> {
        let within = |what, found: u64, least: u64, most: u64| {
            if (least..=most).contains(&found) {
                Ok(found)
            } else {
                Err(CommonError::Range {
                    what,
                    found,
                    least,
                    most,
                })
            }
        };
        let geometry = code.geometry();
        let n = geometry.n() as u64;
        within(
            "the length of common",
            encoded.len() as u64,
            0,
            MAX_COMMON as u64,
        )?;
        within(
            "the shard length",
            wire.shard,
            1,
            MAX_STRIPE / geometry.k() as u64,
        )?;
        within("min_shares", wire.min_shares, 1, n)?;
        let name = wire.name.map(ByteBuf::into_vec);
        within(
            "the name's length",
            name.as_ref().map_or(0, Vec::len) as u64,
            0,
            MAX_NAME as u64,
        )?;
        if !wire.shard.is_multiple_of(code.shard_unit() as u64) {
            return Err(CommonError::Unit {
                found: wire.shard,
                unit: code.shard_unit(),
                codec: code.id(),
            });
        }
        Ok(Self {
            identity: Identity {
                stream: StreamId(wire.stream.into_array()),
                generation: wire.generation,
                time: wire.time,
                name,
            },
            shard_len: u32::try_from(wire.shard).expect("at most 64 MiB, as checked above"),
            min_shares: usize::try_from(wire.min_shares).expect("at most n, as checked above"),
            digest: Digest::of(&encoded),
            code,
            encoded,
        })
    }

    /// Who the stream is.
    pub fn identity(&self) -> &Identity {
        &self.identity
    }

    /// Tells the stream from every other.
    pub fn stream(&self) -> StreamId {
        self.identity.stream
    }

    /// The erasure code.
    pub fn code(&self) -> &Arc<dyn Code> {
        &self.code
    }

    /// Data shards and all shards.
    pub fn geometry(&self) -> Geometry {
        self.code.geometry()
    }

    /// Bytes of a full stripe's shard.
    pub fn shard_len(&self) -> usize {
        self.shard_len as usize
    }

    /// Bytes of the stream in a full stripe.
    pub fn stripe_len(&self) -> usize {
        self.shard_len() * self.geometry().k()
    }

    /// Bytes of a shard in a stripe with `data_len` bytes of the stream.
    pub fn shard_len_of(&self, data_len: u32) -> usize {
        (data_len as usize)
            .div_ceil(self.geometry().k())
            .next_multiple_of(self.code.shard_unit())
    }

    /// As many shares had to take all frames before any was completed.
    pub fn min_shares(&self) -> usize {
        self.min_shares
    }

    /// The bytes as they stand in header and trailer.
    pub fn encoded(&self) -> &Bytes {
        &self.encoded
    }

    /// Digest of those bytes, which every frame's check covers.
    pub fn digest(&self) -> Digest {
        self.digest
    }
}

impl fmt::Debug for Common {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Common")
            .field("identity", &self.identity)
            .field("code", &self.code)
            .field("shard_len", &self.shard_len)
            .field("min_shares", &self.min_shares)
            .finish_non_exhaustive()
    }
}

impl PartialEq for Common {
    fn eq(&self, other: &Self) -> bool {
        self.encoded == other.encoded
    }
}

impl Eq for Common {}
