//! A share's last items: the trailer, and a footer of fixed size by which it is found.

use ciborium::tag::Required;
use serde::{Deserialize, Serialize};
use serde_bytes::{ByteArray, ByteBuf, Bytes as ByteSlice};

use super::common::{Common, MAX_COMMON};
use super::digest::{DIGEST_LEN, Digest, Hasher, Totals};

const TRAILER_TAG: u64 = 0x6464_7472; // "ddtr"
/// Bytes with which every trailer begins.
pub const TRAILER_MAGIC: [u8; 6] = *b"\xdaddtr\x86";
/// Most bytes of a trailer: `common`, and six items of at most 17 bytes.
pub const MAX_TRAILER: usize = MAX_COMMON + 6 * 17;

const FOOTER_OPENING: [u8; 15] = *b"\xdaddft\x86\x48distdup1";
const TRAILER_OFFSET: usize = FOOTER_OPENING.len() + 1;
const TRAILER_LEN: usize = TRAILER_OFFSET + 8 + 1;
const FIRST_FRAME: usize = TRAILER_LEN + 4 + 1;
const FRAMES: usize = FIRST_FRAME + 8 + 1;
const DIGEST: usize = FRAMES + 8 + 1;
/// Bytes of a footer.
pub const FOOTER_LEN: usize = DIGEST + DIGEST_LEN;

/// What a trailer says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trailer {
    /// What all shares of the stream say alike, again.
    pub common: Common,
    /// Which share this is.
    pub index: usize,
    /// What the stream came to.
    pub totals: Totals,
}

/// What a footer says: where things are in its share.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Footer {
    /// Offset of the trailer from the start of the share.
    pub trailer_offset: u64,
    /// Bytes of the trailer.
    pub trailer_len: u32,
    /// Offset of the first frame: bytes of the header.
    pub first_frame: u64,
    /// Frames in the share.
    pub frames: u64,
}

#[derive(Serialize)]
struct WireOut<'a>(&'a ByteSlice, u16, u64, u64, ByteArray<16>, ByteArray<16>);

#[derive(Deserialize)]
struct WireIn(ByteBuf, u16, u64, u64, ByteArray<16>, ByteArray<16>);

fn check(common: Digest, index: u16, totals: &Totals) -> Digest {
    Hasher::new()
        .with(common.as_bytes())
        .with(&index.to_be_bytes())
        .with(&totals.length.to_be_bytes())
        .with(&totals.stripes.to_be_bytes())
        .with(totals.digest.as_bytes())
        .finish()
}

/// Bytes of a share before its trailer. (Of totals that no share can have, some large number.)
pub fn frames_end(common: &Common, first_frame: u64, totals: &Totals) -> u64 {
    let Some(full) = totals.stripes.checked_sub(1) else {
        return first_frame;
    };
    let rest = totals
        .length
        .saturating_sub(full.saturating_mul(common.stripe_len() as u64));
    let frame = |payload: usize| (super::frame::HEAD_LEN + payload) as u64;
    full.saturating_mul(frame(common.shard_len()))
        .saturating_add(frame(
            common.shard_len_of(u32::try_from(rest).unwrap_or(u32::MAX)),
        ))
        .saturating_add(first_frame)
}

/// Trailer and footer of share `index`, whose header has `first_frame` bytes.
pub fn encode(common: &Common, index: usize, totals: &Totals, first_frame: u64) -> Vec<u8> {
    let mut bytes = encode_trailer(common, index, totals);
    let footer = Footer {
        trailer_offset: frames_end(common, first_frame, totals),
        trailer_len: u32::try_from(bytes.len()).expect("common is at most 65,000 bytes"),
        first_frame,
        frames: totals.stripes,
    };
    bytes.extend_from_slice(&footer.encode());
    bytes
}

fn encode_trailer(common: &Common, index: usize, totals: &Totals) -> Vec<u8> {
    let share = u16::try_from(index).expect("share indices are below 256");
    let digest = *check(common.digest(), share, totals).as_bytes();
    let wire = WireOut(
        ByteSlice::new(common.encoded()),
        share,
        totals.length,
        totals.stripes,
        ByteArray::new(*totals.digest.as_bytes()),
        ByteArray::new(digest),
    );
    let mut bytes = Vec::with_capacity(common.encoded().len() + 160);
    let tagged: Required<WireOut<'_>, TRAILER_TAG> = Required(wire);
    ciborium::into_writer(&tagged, &mut bytes).expect("a Vec takes every byte");
    bytes
}

/// Reads a trailer from the start of `bytes`, and says how long it is; `None` if it goes on beyond
/// them, or is none that this version can read.
pub fn decode_trailer(bytes: &[u8]) -> Option<(Trailer, usize)> {
    let mut rest = bytes;
    let wire: Required<WireIn, TRAILER_TAG> = ciborium::from_reader(&mut rest).ok()?;
    let Required(WireIn(encoded, share, length, stripes, stream_digest, digest)) = wire;
    let totals = Totals {
        length,
        stripes,
        digest: Digest::from(stream_digest.into_array()),
    };
    if check(Digest::of(&encoded), share, &totals) != Digest::from(digest.into_array()) {
        return None;
    }
    let common = Common::parse(&encoded).ok()?;
    let index = usize::from(share);
    let stripes_agree = length < 1 << 63 && stripes == length.div_ceil(common.stripe_len() as u64);
    if index >= common.geometry().n() || !stripes_agree {
        return None;
    }
    let len = bytes.len() - rest.len();
    // The digest does not cover CBOR's own bytes: written again, they must be the same.
    let is_same = encode_trailer(&common, index, &totals) == bytes[..len];
    let trailer = Trailer {
        common,
        index,
        totals,
    };
    is_same.then_some((trailer, len))
}

impl Footer {
    fn encode(&self) -> [u8; FOOTER_LEN] {
        let mut bytes = [0; FOOTER_LEN];
        let mut put = |at: usize, kind: u8, value: &[u8]| {
            bytes[at - 1] = kind;
            bytes[at..at + value.len()].copy_from_slice(value);
        };
        put(TRAILER_OFFSET, 0x1b, &self.trailer_offset.to_be_bytes());
        put(TRAILER_LEN, 0x1a, &self.trailer_len.to_be_bytes());
        put(FIRST_FRAME, 0x1b, &self.first_frame.to_be_bytes());
        put(FRAMES, 0x1b, &self.frames.to_be_bytes());
        bytes[..FOOTER_OPENING.len()].copy_from_slice(&FOOTER_OPENING);
        let digest = Digest::of(&bytes[..DIGEST - 1]);
        bytes[DIGEST - 1] = 0x50;
        bytes[DIGEST..].copy_from_slice(digest.as_bytes());
        bytes
    }

    /// Reads the 64 bytes of a footer; `None` if they are none.
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let bytes: &[u8; FOOTER_LEN] = bytes.try_into().ok()?;
        let u64_at = |at: usize| u64::from_be_bytes(bytes[at..at + 8].try_into().expect("8 bytes"));
        let found = Self {
            trailer_offset: u64_at(TRAILER_OFFSET),
            trailer_len: u32::from_be_bytes(
                bytes[TRAILER_LEN..TRAILER_LEN + 4]
                    .try_into()
                    .expect("4 bytes"),
            ),
            first_frame: u64_at(FIRST_FRAME),
            frames: u64_at(FRAMES),
        };
        // Written again, it is the same, CBOR's own bytes and the digest included.
        (found.encode() == *bytes && found.trailer_len as usize <= MAX_TRAILER).then_some(found)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn offsets_are_those_of_the_format_document() {
        assert_eq!(
            [
                TRAILER_OFFSET,
                TRAILER_LEN,
                FIRST_FRAME,
                FRAMES,
                DIGEST,
                FOOTER_LEN
            ],
            [16, 25, 30, 39, 48, 64]
        );
    }

    #[test]
    fn a_footer_with_any_bit_flipped_is_none() {
        let footer = Footer {
            trailer_offset: 99,
            trailer_len: 200,
            first_frame: 44,
            frames: 3,
        };
        let bytes = footer.encode();
        assert_eq!(Footer::decode(&bytes), Some(footer));
        for bit in 0..FOOTER_LEN * 8 {
            let mut damaged = bytes;
            damaged[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(Footer::decode(&damaged), None, "bit {bit}");
        }
    }
}
