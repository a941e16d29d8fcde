//! A stripe's n frames, from its data.

use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use distdup_codecs::{CodecError, Coder};

use crate::format::common::Common;
use crate::format::digest::{self, Digest, Hasher};
use crate::format::frame::{self, Claim, HEAD_LEN, Head};

/// Makes n frames of a stripe's data. One for each thread.
pub(crate) struct Encoder {
    common: Arc<Common>,
    coder: Box<dyn Coder>,
}

/// Where the n frames stand in the buffer that was encoded.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Encoded {
    pub(crate) claim: Claim,
    frame_len: usize,
}

impl Encoded {
    /// The frame of share `index`, in the frozen buffer.
    pub(crate) fn frame(&self, buffer: &Bytes, index: usize) -> Bytes {
        buffer.slice(self.range(index))
    }

    /// Where the frame of share `index` is.
    pub(crate) fn range(&self, index: usize) -> Range<usize> {
        index * self.frame_len..(index + 1) * self.frame_len
    }
}

/// Bytes of a buffer for one stripe: n frames, one after another.
pub(crate) fn buffer_len(common: &Common) -> usize {
    common.geometry().n() * (HEAD_LEN + common.shard_len())
}

/// The places for a stripe's data in a buffer of [`buffer_len`]: k pieces, each a shard long.
pub(crate) fn data_places<'a>(
    common: &Common,
    buffer: &'a mut [u8],
) -> impl Iterator<Item = &'a mut [u8]> {
    let frames = buffer.chunks_exact_mut(HEAD_LEN + common.shard_len());
    frames
        .take(common.geometry().k())
        .map(|frame| &mut frame[HEAD_LEN..])
}

/// Digest of the first `data_len` bytes in the [`data_places`] of `buffer`.
pub(crate) fn data_digest(common: &Common, buffer: &mut [u8], data_len: u32) -> Digest {
    let mut hasher = Hasher::new();
    let mut left = data_len as usize;
    for place in data_places(common, buffer) {
        let piece = left.min(place.len());
        hasher.update(&place[..piece]);
        left -= piece;
    }
    hasher.finish()
}

impl Encoder {
    pub(crate) fn new(common: Arc<Common>) -> Self {
        Self {
            coder: common.code().coder(),
            common,
        }
    }

    /// Encodes the `data_len` bytes that stand in the [`data_places`] of `buffer`, in place.
    pub(crate) fn encode(
        &mut self,
        stripe: u64,
        data_len: u32,
        last: bool,
        buffer: &mut [u8],
    ) -> Result<Encoded, CodecError> {
        let common = &self.common;
        let k = common.geometry().k();
        let shard_len = common.shard_len_of(data_len);
        let frame_len = HEAD_LEN + shard_len;
        if shard_len < common.shard_len() {
            move_up(buffer, data_len as usize, common.shard_len(), shard_len);
        }
        let frames = &mut buffer[..common.geometry().n() * frame_len];
        let mut payloads: Vec<&mut [u8]> = frames
            .chunks_exact_mut(frame_len)
            .map(|frame| &mut frame[HEAD_LEN..])
            .collect();
        let (data, parity) = payloads.split_at_mut(k);
        for (index, shard) in data.iter_mut().enumerate() {
            let filled = (data_len as usize)
                .saturating_sub(index * shard_len)
                .min(shard_len);
            shard[filled..].fill(0);
        }
        let data: Vec<&[u8]> = data.iter().map(|shard| &**shard).collect();
        self.coder.encode(&data, parity)?;

        let digests: Vec<Digest> = data
            .into_iter()
            .chain(parity.iter().map(|shard| &**shard))
            .map(Digest::of)
            .collect();
        let digest = digest::stripe_digest(digests[..k].iter().copied(), data_len);
        let claim = Claim {
            data_len,
            last,
            digest,
        };
        for (share, payload) in digests.into_iter().enumerate() {
            let frame = &mut frames[share * frame_len..(share + 1) * frame_len];
            let head = Head {
                stream: common.stream(),
                share,
                stripe,
                claim,
            };
            frame::write_head(frame, &head, payload, common);
        }
        Ok(Encoded { claim, frame_len })
    }
}

/// Moves a short stripe's data from places for shards of `from` bytes to places for shards of `to`,
/// which is less. Every byte moves up, or stays, so that this goes from the end.
fn move_up(buffer: &mut [u8], data_len: usize, from: usize, to: usize) {
    let place = |at: usize, shard_len: usize| at + HEAD_LEN * (at / shard_len + 1);
    let mut end = data_len;
    while end > 0 {
        let last = end - 1;
        let start = (last / from * from).max(last / to * to);
        let source = place(start, from);
        buffer.copy_within(source..source + (end - start), place(start, to));
        end = start;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moving_up_keeps_every_byte_in_order() {
        for (from, to, data_len) in [
            (10, 3, 7),
            (64, 22, 65),
            (64, 63, 126),
            (5, 1, 2),
            (8, 7, 14),
        ] {
            let mut buffer = vec![0xee; 8 * (HEAD_LEN + from)];
            let data: Vec<u8> = (0..data_len).collect();
            for (piece, frame) in data.chunks(from).zip(buffer.chunks_mut(HEAD_LEN + from)) {
                frame[HEAD_LEN..][..piece.len()].copy_from_slice(piece);
            }
            move_up(&mut buffer, data.len(), from, to);
            for (piece, frame) in data.chunks(to).zip(buffer.chunks(HEAD_LEN + to)) {
                assert_eq!(
                    &frame[HEAD_LEN..][..piece.len()],
                    piece,
                    "{from} {to} {data_len}"
                );
            }
        }
    }
}
