//! A frame: one shard as it stands in a share, and who it is.

use super::common::{Common, StreamId};
use super::digest::{DIGEST_LEN, Digest, Hasher};

// Every item has a fixed width, so that frame s is found by arithmetic. Offsets are of an item's
// value; the byte before it (or, for the tag, its first) is CBOR's and never changes.
const TAG: [u8; 6] = *b"\xdaddfr\x88";
const STREAM: usize = TAG.len() + 1;
const SHARE: usize = STREAM + 16 + 1;
const STRIPE: usize = SHARE + 2 + 1;
const DATA_LEN: usize = STRIPE + 8 + 1;
const LAST: usize = DATA_LEN + 4;
const STRIPE_DIGEST: usize = LAST + 1 + 1;
const CHECK: usize = STRIPE_DIGEST + DIGEST_LEN + 1;
const PAYLOAD_LEN: usize = CHECK + DIGEST_LEN + 1;
/// Bytes before a frame's payload.
pub const HEAD_LEN: usize = PAYLOAD_LEN + 4;

/// Bytes that the check covers: all before it.
const CHECKED: usize = CHECK - 1;

const BYTES_16: u8 = 0x50;
const UINT_16: u8 = 0x19;
const UINT_32: u8 = 0x1a;
const UINT_64: u8 = 0x1b;
const BYTES_32BIT_LEN: u8 = 0x5a;
const FALSE: u8 = 0xf4;
const TRUE: u8 = 0xf5;

/// Bytes with which every frame of a stream begins.
pub const MAGIC_LEN: usize = STREAM + 16;

/// The bytes with which every frame of `stream` begins, and nothing else should.
pub fn magic(stream: StreamId) -> [u8; MAGIC_LEN] {
    let mut magic = [0; MAGIC_LEN];
    magic[..TAG.len()].copy_from_slice(&TAG);
    magic[STREAM - 1] = BYTES_16;
    magic[STREAM..].copy_from_slice(&stream.0);
    magic
}

/// What a frame says of itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Head {
    /// The stream that it belongs to.
    pub stream: StreamId,
    /// The share that it belongs to.
    pub share: usize,
    /// Its stripe.
    pub stripe: u64,
    /// What all frames of that stripe say alike.
    pub claim: Claim,
}

/// What the frames of one stripe say of the stripe, all alike.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Claim {
    /// Bytes of the stream in the stripe.
    pub data_len: u32,
    /// Whether the stream ends with it.
    pub last: bool,
    /// The stripe's digest.
    pub digest: Digest,
}

/// Writes the head of a frame whose payload stands in `frame` already, after [`HEAD_LEN`] bytes.
/// `payload` is that payload's digest.
pub fn write_head(frame: &mut [u8], head: &Head, payload: Digest, common: &Common) {
    let payload_len = u32::try_from(frame.len() - HEAD_LEN).expect("a stripe is at most 64 MiB");
    let share = u16::try_from(head.share).expect("share indices are below 256");
    frame[..MAGIC_LEN].copy_from_slice(&magic(head.stream));
    put(frame, SHARE, UINT_16, &share.to_be_bytes());
    put(frame, STRIPE, UINT_64, &head.stripe.to_be_bytes());
    put(frame, DATA_LEN, UINT_32, &head.claim.data_len.to_be_bytes());
    frame[LAST] = if head.claim.last { TRUE } else { FALSE };
    put(frame, STRIPE_DIGEST, BYTES_16, head.claim.digest.as_bytes());
    put(
        frame,
        PAYLOAD_LEN,
        BYTES_32BIT_LEN,
        &payload_len.to_be_bytes(),
    );
    let check = check(frame, payload, common);
    put(frame, CHECK, BYTES_16, check.as_bytes());
}

fn put(frame: &mut [u8], at: usize, kind: u8, value: &[u8]) {
    frame[at - 1] = kind;
    frame[at..at + value.len()].copy_from_slice(value);
}

fn check(frame: &[u8], payload: Digest, common: &Common) -> Digest {
    Hasher::new()
        .with(&frame[..CHECKED])
        .with(payload.as_bytes())
        .with(common.digest().as_bytes())
        .finish()
}

/// Reads the head at the start of `bytes`, of whatever share and stream; `None` if these bytes are
/// no frame's, or fewer than a head.
pub fn read_head(bytes: &[u8]) -> Option<(Head, usize)> {
    let head = bytes.get(..HEAD_LEN)?;
    let item =
        |at: usize, kind: u8, len: usize| (head[at - 1] == kind).then(|| &head[at..at + len]);
    if head[..TAG.len()] != TAG {
        return None;
    }
    item(CHECK, BYTES_16, DIGEST_LEN)?;
    let last = match head[LAST] {
        TRUE => true,
        FALSE => false,
        _ => return None,
    };
    let head = Head {
        stream: StreamId(array(item(STREAM, BYTES_16, 16)?)),
        share: usize::from(u16::from_be_bytes(array(item(SHARE, UINT_16, 2)?))),
        stripe: u64::from_be_bytes(array(item(STRIPE, UINT_64, 8)?)),
        claim: Claim {
            data_len: u32::from_be_bytes(array(item(DATA_LEN, UINT_32, 4)?)),
            last,
            digest: Digest::from(array(item(STRIPE_DIGEST, BYTES_16, DIGEST_LEN)?)),
        },
    };
    let payload_len = u32::from_be_bytes(array(item(PAYLOAD_LEN, BYTES_32BIT_LEN, 4)?));
    Some((head, payload_len as usize))
}

fn array<const N: usize>(bytes: &[u8]) -> [u8; N] {
    bytes.try_into().expect("cut to this length just before")
}

/// A frame that is what was written: its head agrees with its payload and with `common`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Checked {
    /// Who it is.
    pub head: Head,
    /// Digest of its payload.
    pub payload: Digest,
    /// Bytes of the whole frame.
    pub len: usize,
}

/// Checks the frame at the start of `bytes`, of whatever share of the stream that `common` tells of.
pub fn check_frame(bytes: &[u8], common: &Common) -> Option<Checked> {
    let (head, payload_len) = read_head(bytes)?;
    let claim = head.claim;
    let full = claim.data_len as usize == common.stripe_len();
    let lengths_agree = claim.data_len > 0
        && claim.data_len as usize <= common.stripe_len()
        && (full || claim.last)
        && payload_len == common.shard_len_of(claim.data_len);
    // A stream has fewer bytes than this, and each of its stripes at least one.
    let countable = head.stripe < 1 << 63;
    let own = head.stream == common.stream() && head.share < common.geometry().n();
    if !(own && countable && lengths_agree) {
        return None;
    }
    let len = HEAD_LEN + payload_len;
    let payload = Digest::of(bytes.get(HEAD_LEN..len)?);
    let found = Digest::from(array(&bytes[CHECK..CHECK + DIGEST_LEN]));
    (check(bytes, payload, common) == found).then_some(Checked { head, payload, len })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn offsets_are_those_of_the_format_document() {
        assert_eq!(
            [
                STREAM,
                SHARE,
                STRIPE,
                DATA_LEN,
                LAST,
                STRIPE_DIGEST,
                CHECK,
                PAYLOAD_LEN,
                HEAD_LEN
            ],
            [7, 24, 27, 36, 40, 42, 59, 76, 80]
        );
        assert_eq!(MAGIC_LEN, 23);
    }
}
