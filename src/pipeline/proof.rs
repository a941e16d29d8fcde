//! Decodes a stripe that was encoded, before it goes out.

use std::sync::Arc;

use distdup_codecs::{Coder, Shard, ShardSet};

use super::stripe::Encoded;
use crate::dice::Dice;
use crate::format::common::Common;
use crate::format::digest::{Digest, Hasher};
use crate::format::frame::{self, HEAD_LEN};

/// Holds stripes against what was read. One for each thread.
pub(crate) struct Proof {
    common: Arc<Common>,
    coder: Box<dyn Coder>,
    /// Room for the data shards that are decoded, no more than there are parity shards.
    room: Vec<Vec<u8>>,
}

impl Proof {
    pub(crate) fn new(common: Arc<Common>) -> Self {
        Self {
            coder: common.code().coder(),
            room: vec![vec![0; common.shard_len()]; common.geometry().parity()],
            common,
        }
    }

    /// Decodes a stripe from a recoverable set of its frames, drawn by lot, and holds its data
    /// against `read`, their digest from before. An error is that set.
    pub(crate) fn check(
        &mut self,
        stripe: u64,
        encoded: &Encoded,
        buffer: &[u8],
        read: Digest,
    ) -> Result<(), ShardSet> {
        let drawn = self.draw(stripe);
        let is_good = |share: usize| {
            let found = frame::check_frame(&buffer[encoded.range(share)], &self.common);
            found.is_some_and(|found| {
                let head = found.head;
                (head.share, head.stripe, head.claim) == (share, stripe, encoded.claim)
            })
        };
        if drawn.iter().all(is_good) && self.data_digest(encoded, buffer, drawn) == Some(read) {
            Ok(())
        } else {
            Err(drawn)
        }
    }

    /// As many shares as are enough, in an order that stream and stripe determine.
    fn draw(&self, stripe: u64) -> ShardSet {
        let mut dice = Dice::of_stripe(self.common.stream().0, stripe);
        let mut left: Vec<usize> = (0..self.common.geometry().n()).collect();
        let mut drawn = ShardSet::new();
        while !self.common.code().is_recoverable(drawn) {
            let at = dice.below(left.len() as u64);
            drawn.insert(left.swap_remove(usize::try_from(at).expect("below a usize")));
        }
        drawn
    }

    fn data_digest(&mut self, encoded: &Encoded, buffer: &[u8], drawn: ShardSet) -> Option<Digest> {
        let geometry = self.common.geometry();
        let len = self.common.shard_len_of(encoded.claim.data_len);
        let mut room = self.room.iter_mut();
        let mut shards: Vec<Shard<'_>> = Vec::with_capacity(geometry.n());
        for share in 0..geometry.n() {
            shards.push(if drawn.contains(share) {
                Shard::Present(&buffer[encoded.range(share)][HEAD_LEN..])
            } else if share < geometry.k() {
                Shard::Wanted(&mut room.next()?[..len])
            } else {
                Shard::Absent
            });
        }
        self.coder.reconstruct(&mut shards).ok()?;
        let mut hasher = Hasher::new();
        let mut left = encoded.claim.data_len as usize;
        for shard in &shards[..geometry.k()] {
            let bytes: &[u8] = match shard {
                Shard::Present(bytes) => bytes,
                Shard::Wanted(bytes) => bytes,
                Shard::Absent => return None,
            };
            let piece = &bytes[..left.min(len)];
            hasher.update(piece);
            left -= piece.len();
        }
        Some(hasher.finish())
    }
}

#[cfg(test)]
mod tests {
    use distdup_codecs::Geometry;

    use super::*;
    use crate::format::{Identity, StreamId};
    use crate::pipeline::stripe::{self, Encoder};

    const SHARD: usize = 16;

    struct Stripe {
        common: Arc<Common>,
        buffer: Vec<u8>,
        data_len: u32,
        read: Digest,
    }

    fn read(codec: &str, k: usize, n: usize, data_len: u32) -> Stripe {
        let geometry = Geometry::new(k, n).unwrap();
        let identity = Identity {
            stream: StreamId(*b"0123456789abcdef"),
            generation: 1,
            time: 1,
            name: None,
        };
        let code = distdup_codecs::resolve(codec, geometry, None).unwrap();
        let common = Arc::new(Common::new(&identity, code, SHARD as u64, k).unwrap());
        let mut buffer = vec![0xee; stripe::buffer_len(&common)];
        for (at, place) in stripe::data_places(&common, &mut buffer).enumerate() {
            let start = u8::try_from(at * SHARD).unwrap();
            place
                .iter_mut()
                .zip(start..)
                .for_each(|(to, byte)| *to = byte);
        }
        let read = stripe::data_digest(&common, &mut buffer, data_len);
        Stripe {
            common,
            buffer,
            data_len,
            read,
        }
    }

    impl Stripe {
        fn check(&mut self, number: u64, hurt: impl FnOnce(&mut [u8])) -> Result<(), ShardSet> {
            let last = (self.data_len as usize) < self.common.stripe_len();
            let encoded = Encoder::new(Arc::clone(&self.common))
                .encode(number, self.data_len, last, &mut self.buffer)
                .unwrap();
            hurt(&mut self.buffer);
            Proof::new(Arc::clone(&self.common)).check(number, &encoded, &self.buffer, self.read)
        }
    }

    #[test]
    fn what_is_encoded_right_is_proved_from_every_kind_of_set() {
        for (codec, k, n) in [("rs", 2, 3), ("rs", 4, 6), ("xor", 6, 10), ("copy", 1, 3)] {
            let mut drawn = ShardSet::new();
            for number in 0..100 {
                for data_len in [1, 7, k * SHARD] {
                    let data_len = u32::try_from(data_len).unwrap();
                    let mut stripe = read(codec, k, n, data_len);
                    stripe.check(number, |_| ()).unwrap();
                    let proof = Proof::new(Arc::clone(&stripe.common));
                    let set = proof.draw(number);
                    assert!(stripe.common.code().is_recoverable(set));
                    drawn = drawn.union(set);
                }
            }
            assert_eq!(drawn.len(), n, "{codec}: each share has its turn");
        }
    }

    #[test]
    fn a_bit_of_the_data_that_flips_before_it_is_encoded_is_noticed() {
        for at in 0..4 * SHARD {
            let mut stripe = read("rs", 4, 6, 4 * 16);
            let place = stripe::data_places(&stripe.common, &mut stripe.buffer).nth(at / SHARD);
            place.unwrap()[at % SHARD] ^= 1 << (at % 8);
            assert!(stripe.check(at as u64, |_| ()).is_err(), "byte {at}");
        }
    }

    #[test]
    fn a_bit_that_flips_after_is_noticed_if_its_frame_was_drawn() {
        let frame_len = HEAD_LEN + SHARD;
        for number in 0..8 {
            for at in 0..6 * frame_len {
                let mut stripe = read("rs", 4, 6, 4 * 16);
                let set = Proof::new(Arc::clone(&stripe.common)).draw(number);
                let result = stripe.check(number, |buffer| buffer[at] ^= 1 << (at % 8));
                assert_eq!(result.is_err(), set.contains(at / frame_len), "byte {at}");
            }
        }
    }
}
