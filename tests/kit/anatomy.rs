//! Where the parts of a share stand, and ways to hurt them.

use std::ops::Range;

use distdup::format::digest::Hasher;
use distdup::format::ending::{self, FOOTER_LEN, Footer};
use distdup::format::frame::{self, HEAD_LEN, Head};
use distdup::format::{Common, Digest, Totals, header};

/// The places of a whole share's parts, by its own footer.
#[derive(Debug, Clone, Copy)]
pub struct Anatomy {
    /// Bytes of the header.
    pub header: usize,
    /// Bytes of a frame that is not the last.
    pub frame: usize,
    /// Frames there are.
    pub frames: usize,
    /// Offset of the trailer.
    pub trailer: usize,
    /// Bytes of the share.
    pub len: usize,
}

impl Anatomy {
    /// Of a share with shards of `shard_len` bytes.
    pub fn of(share: &[u8], shard_len: usize) -> Self {
        let footer = Footer::decode(&share[share.len() - FOOTER_LEN..]).expect("a whole share");
        let at = |offset: u64| usize::try_from(offset).expect("a small share");
        Self {
            header: at(footer.first_frame),
            frame: HEAD_LEN + shard_len,
            frames: at(footer.frames),
            trailer: at(footer.trailer_offset),
            len: share.len(),
        }
    }

    /// The bytes of a stripe's frame.
    pub fn stripe(&self, stripe: usize) -> Range<usize> {
        let start = self.header + stripe * self.frame;
        start..(start + self.frame).min(self.trailer)
    }

    /// The bytes of all frames.
    pub fn all_frames(&self) -> Range<usize> {
        self.header..self.trailer
    }
}

/// The same bytes, those in `range` replaced by `by`.
pub fn splice(bytes: &[u8], range: Range<usize>, by: &[u8]) -> Vec<u8> {
    [&bytes[..range.start], by, &bytes[range.end..]].concat()
}

/// The same bytes, one bit of the one at `at` flipped: another bit for every byte.
pub fn flip(bytes: &[u8], at: usize) -> Vec<u8> {
    flip_bit(bytes, at * 8 + at * 5 % 8)
}

/// The same bytes, the bit with this number flipped.
pub fn flip_bit(bytes: &[u8], bit: usize) -> Vec<u8> {
    let mut flipped = bytes.to_vec();
    flipped[bit / 8] ^= 1 << (bit % 8);
    flipped
}

/// A frame made anew, as only who writes shares can: `change` alters head or payload, and the check
/// is computed over what comes out.
pub fn forge(frame: &[u8], common: &Common, change: impl FnOnce(&mut Head, &mut [u8])) -> Vec<u8> {
    let mut forged = frame.to_vec();
    let (mut head, _) = frame::read_head(frame).expect("a frame");
    change(&mut head, &mut forged[HEAD_LEN..]);
    let payload = Digest::of(&forged[HEAD_LEN..]);
    frame::write_head(&mut forged, &head, payload, common);
    forged
}

/// The share with another trailer that is right by itself, which tells of its first `stripes` alone (or of more
/// than there are): at their end, or behind all its frames.
pub fn retold(share: &[u8], stripes: usize, is_cut: bool) -> Vec<u8> {
    let (header, _) = header::decode(share)
        .expect("a share")
        .expect("with a header");
    let common = header.common;
    let anatomy = Anatomy::of(share, common.shard_len());
    let claims = (0..stripes.min(anatomy.frames)).map(|stripe| {
        let (head, _) = frame::read_head(&share[anatomy.stripe(stripe)]).expect("a frame");
        head.claim
    });
    let mut digest = Hasher::new();
    let mut length = (stripes.saturating_sub(anatomy.frames) * common.stripe_len()) as u64;
    for claim in claims {
        digest.update(claim.digest.as_bytes());
        length += u64::from(claim.data_len);
    }
    let totals = Totals {
        length,
        stripes: stripes as u64,
        digest: digest.with(&length.to_be_bytes()).finish(),
    };
    let end = if is_cut && stripes < anatomy.frames {
        anatomy.stripe(stripes).start
    } else {
        anatomy.trailer
    };
    let first_frame = anatomy.header as u64;
    let ending = ending::encode(&common, header.index, &totals, first_frame);
    [&share[..end], &ending].concat()
}
