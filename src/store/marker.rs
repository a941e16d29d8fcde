//! What stands under a deletion marker's key. Normative: docs/STORE.md.
//!
//! The key says the same. The file says it to whoever finds it elsewhere, and proves that the key was
//! written by a store and not made by a slip of the hand.

use ciborium::tag::Required;
use serde::{Deserialize, Serialize};
use serde_bytes::{ByteArray, ByteBuf};

use super::key::{Key, Kind, Version};
use crate::format::Digest;
use crate::format::digest::Hasher;
use crate::format::header::SELF_DESCRIBED;

const VERSION: u8 = 1;
const TAG: u64 = 0x6464_646d; // "dddm"

/// Says that an object was deleted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Marker {
    /// The key that it stands under.
    pub key: Key,
    /// When it was written, seconds since 1970 UTC.
    pub time: u64,
}

type Tagged<T> = Required<Required<T, TAG>, SELF_DESCRIBED>;

#[derive(Serialize, Deserialize)]
struct Wire(u8, ByteBuf, ByteArray<16>);

#[derive(Serialize, Deserialize)]
struct Body {
    id: ByteArray<16>,
    generation: u64,
    time: u64,
    n: u64,
    min_shares: u64,
    name: ByteBuf,
}

fn check(body: &[u8]) -> Digest {
    Hasher::new().with(&[VERSION]).with(body).finish()
}

impl Marker {
    /// More bytes than any marker of this version has.
    pub const MAX_LEN: u64 = 4096;

    /// Its bytes; `None` if the key is that of a share.
    pub fn encode(&self) -> Option<Vec<u8>> {
        let Kind::Marker { n, min_shares } = self.key.kind() else {
            return None;
        };
        let Version { generation, id } = self.key.version();
        let body = Body {
            id: ByteArray::new(id),
            generation,
            time: self.time,
            n: n as u64,
            min_shares: min_shares as u64,
            name: ByteBuf::from(self.key.name()),
        };
        let mut encoded = Vec::new();
        ciborium::into_writer(&body, &mut encoded).expect("a Vec takes every byte");
        let digest = ByteArray::new(*check(&encoded).as_bytes());
        let tagged: Tagged<Wire> = Required(Required(Wire(VERSION, encoded.into(), digest)));
        let mut bytes = Vec::new();
        ciborium::into_writer(&tagged, &mut bytes).expect("a Vec takes every byte");
        Some(bytes)
    }

    /// The marker that `bytes` are, or `None` if they are not all of one.
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        if bytes.len() as u64 > Self::MAX_LEN {
            return None;
        }
        let mut rest = bytes;
        let Required(Required(Wire(version, body, digest))): Tagged<Wire> =
            ciborium::from_reader(&mut rest).ok()?;
        if version != VERSION || check(&body).as_bytes() != &digest.into_array() {
            return None;
        }
        let body: Body = ciborium::from_reader(body.as_slice()).ok()?;
        let kind = Kind::Marker {
            n: usize::try_from(body.n).ok()?,
            min_shares: usize::try_from(body.min_shares).ok()?,
        };
        let version = Version {
            generation: body.generation,
            id: body.id.into_array(),
        };
        let key = kind
            .is_possible()
            .then(|| Key::new(&body.name, version, kind).ok())??;
        let marker = Self {
            key,
            time: body.time,
        };
        // There is one way to write each.
        (marker.encode()? == bytes).then_some(marker)
    }
}

#[cfg(test)]
mod tests {
    use std::fmt::Write;

    use super::*;
    use crate::store::key::Shape;

    fn marker() -> Marker {
        let version = Version {
            generation: 0x17a5_f0c2_e4b6_0001,
            id: *b"0123456789abcdef",
        };
        let key = Key::new(
            b"a/b",
            version,
            Kind::Marker {
                n: 6,
                min_shares: 5,
            },
        )
        .unwrap();
        Marker {
            key,
            time: 1_704_067_200,
        }
    }

    #[test]
    fn the_bytes_are_those_of_the_document() {
        let bytes = marker().encode().unwrap();
        let mut hex = String::new();
        for byte in &bytes {
            write!(hex, "{byte:02x}").unwrap();
        }
        let body = "a6\
            626964503031323334353637383961626364656\
            66a67656e65726174696f6e1b17a5f0c2e4b60001\
            6474696d651a65920080\
            616e06\
            6a6d696e5f73686172657305\
            646e616d6543612f62";
        let head = "d9d9f7da6464646d830158";
        let digest = Digest::of(&[&[1], &bytes[12..12 + 0x4b]].concat()).to_string();
        assert_eq!(hex, format!("{head}4b{body}50{digest}"));
    }

    #[test]
    fn a_marker_comes_back_and_a_damaged_one_does_not() {
        let bytes = marker().encode().unwrap();
        assert_eq!(Marker::decode(&bytes), Some(marker()));
        for bit in 0..bytes.len() * 8 {
            let mut damaged = bytes.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(Marker::decode(&damaged), None, "bit {bit}");
        }
        for len in 0..bytes.len() {
            assert_eq!(Marker::decode(&bytes[..len]), None, "cut to {len}");
        }
        assert_eq!(Marker::decode(&[&bytes[..], b"x"].concat()), None);
        let shape = Shape {
            k: 1,
            n: 2,
            min_shares: 1,
        };
        let of_a_share = Key::new(
            b"a",
            marker().key.version(),
            Kind::Share { index: 0, shape },
        )
        .unwrap();
        assert_eq!(
            Marker {
                key: of_a_share,
                time: 0
            }
            .encode(),
            None
        );
    }
}
