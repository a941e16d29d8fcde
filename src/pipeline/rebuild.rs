//! A stripe's data, and any frames of it that were lost, from enough good frames.

use std::sync::Arc;

use bytes::Bytes;
use distdup_codecs::{Coder, Shard, ShardSet};

use super::pool::{Buffer, Pool};
use crate::dice::Dice;
use crate::format::common::Common;
use crate::format::digest::{self, Digest};
use crate::format::frame::{self, Checked, Claim, HEAD_LEN, Head};

/// Most sets of frames that are tried for a stripe whose digest does not come out.
const MOST_TRIES: usize = 4096;
/// Most sets of frames that are looked at, to find those that are enough to be tried.
const MOST_LOOKS: usize = 1 << 18;

/// A good frame, from a source.
#[derive(Debug, Clone)]
pub(crate) struct Piece {
    pub(crate) checked: Checked,
    /// The whole frame.
    pub(crate) frame: Bytes,
}

impl Piece {
    fn share(&self) -> usize {
        self.checked.head.share
    }

    fn payload(&self) -> &[u8] {
        &self.frame[HEAD_LEN..]
    }
}

/// A stripe whose digest was confirmed.
#[derive(Debug)]
pub(crate) struct GoodStripe {
    pub(crate) claim: Claim,
    /// The frames of all data shards, and of those that were wanted besides.
    pub(crate) frames: Vec<Option<Bytes>>,
    /// Shares whose frames were not what was written, in spite of their checks; known only if that
    /// had to be found out.
    pub(crate) false_frames: ShardSet,
}

impl GoodStripe {
    /// The stripe's bytes of the stream, in pieces.
    pub(crate) fn data(&self, k: usize) -> impl Iterator<Item = &[u8]> {
        let mut left = self.claim.data_len as usize;
        self.frames[..k].iter().flatten().map(move |frame| {
            let payload = &frame[HEAD_LEN..];
            let piece = &payload[..left.min(payload.len())];
            left -= piece.len();
            piece
        })
    }
}

/// Why a stripe could not be had from its frames.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unconfirmed {
    /// No set of frames gives the data with the digest that they claim.
    Digest,
    /// The bytes beyond the stripe's data are not zero.
    Padding,
    /// The frames are too few.
    TooFew,
    /// Frames give two different stripes, as many the one as the other.
    Contested,
    /// A parity shard was computed that does not give the data back.
    Miscomputed,
}

/// What may still be spent on a stripe whose digest does not come out.
struct Budget {
    tries: usize,
    looks: usize,
}

/// Makes stripes of frames. One for each thread.
pub(crate) struct Rebuilder {
    common: Arc<Common>,
    coder: Box<dyn Coder>,
    /// Another for proofs, so that each remembers the losses that it has to do with.
    prover: Option<Box<dyn Coder>>,
    pool: Pool,
    wanted: ShardSet,
    /// What shows that wanted parity is right.
    proofs: Vec<Proof>,
}

impl Rebuilder {
    /// `pool` has buffers of one full frame. Besides the data, the frames of `wanted` are rebuilt.
    pub(crate) fn new(common: Arc<Common>, pool: Pool, wanted: ShardSet) -> Self {
        Self {
            coder: common.code().coder(),
            prover: None,
            proofs: proofs(&common, wanted),
            common,
            pool,
            wanted,
        }
    }

    /// The stripe from pieces that all make one claim; the fast way.
    pub(crate) fn rebuild(
        &mut self,
        stripe: u64,
        pieces: &[Piece],
    ) -> Result<GoodStripe, Unconfirmed> {
        let claim = pieces
            .first()
            .ok_or(Unconfirmed::TooFew)?
            .checked
            .head
            .claim;
        self.attempt(
            stripe,
            claim,
            &pieces.iter().collect::<Vec<_>>(),
            self.wanted,
        )
    }

    /// The stripe from pieces of which some are wrong in spite of their checks: every claim that is
    /// made is tried, with every set of pieces, larger ones first. The one that most pieces make counts,
    /// of those that are confirmed.
    pub(crate) fn search(
        &mut self,
        stripe: u64,
        pieces: &[Piece],
    ) -> Result<GoodStripe, Unconfirmed> {
        let mut budget = Budget {
            tries: MOST_TRIES,
            looks: MOST_LOOKS,
        };
        let mut failure = Unconfirmed::TooFew;
        let mut found: Option<(usize, GoodStripe)> = None;
        for (claim, votes) in claims_by_votes(pieces) {
            if found.as_ref().is_some_and(|(most, _)| votes < *most) {
                break;
            }
            match self.confirm(stripe, claim, pieces, &mut budget) {
                Ok(_) if found.is_some() => return Err(Unconfirmed::Contested),
                Ok(good) => found = Some((votes, good)),
                Err(Unconfirmed::TooFew) => {}
                Err(error) => failure = error,
            }
        }
        found.map(|(_, good)| good).ok_or(failure)
    }

    /// The stripe that a claim is of, if any set of pieces gives it.
    fn confirm(
        &mut self,
        stripe: u64,
        claim: Claim,
        pieces: &[Piece],
        budget: &mut Budget,
    ) -> Result<GoodStripe, Unconfirmed> {
        let mut failure = Unconfirmed::TooFew;
        let shard_len = self.common.shard_len_of(claim.data_len);
        let fits = |piece: &&Piece| piece.payload().len() == shard_len;
        let candidates: Vec<&Piece> = pieces.iter().filter(fits).collect();
        for left_out in 0..candidates.len() {
            let mut any_enough = false;
            for set in without(&candidates, left_out) {
                if budget.tries == 0 || budget.looks == 0 {
                    return Err(failure);
                }
                budget.looks -= 1;
                if !self.is_enough(&set) {
                    continue;
                }
                any_enough = true;
                budget.tries -= 1;
                match self.attempt(stripe, claim, &set, self.wanted) {
                    Ok(good) => return Ok(self.find_false(stripe, pieces, &set, good)),
                    Err(Unconfirmed::TooFew) => {}
                    Err(error) => failure = error,
                }
            }
            // Where none of these is enough, no smaller one is.
            if !any_enough {
                break;
            }
        }
        Err(failure)
    }

    /// Holds all pieces against the stripe that came of those in `set`.
    fn find_false(
        &mut self,
        stripe: u64,
        pieces: &[Piece],
        set: &[&Piece],
        mut good: GoodStripe,
    ) -> GoodStripe {
        let theirs: ShardSet = pieces.iter().map(Piece::share).collect();
        let all = theirs.union(self.wanted);
        let Ok(known) = self.attempt(stripe, good.claim, set, all) else {
            return good; // it was confirmed just before
        };
        for piece in pieces {
            let frame = known.frames[piece.share()].as_ref();
            let is_true = piece.checked.head.claim == good.claim && frame == Some(&piece.frame);
            if !is_true {
                good.false_frames.insert(piece.share());
            }
        }
        good
    }

    fn is_enough(&self, pieces: &[&Piece]) -> bool {
        self.common
            .code()
            .is_recoverable(pieces.iter().map(|piece| piece.share()).collect())
    }

    /// The payloads of those data shards that can be had from pieces which all make one claim, and are
    /// too few for the stripe: only the pieces' own checks vouch for them.
    pub(crate) fn data_of(&mut self, pieces: &[Piece]) -> Vec<Option<Bytes>> {
        let geometry = self.common.geometry();
        let mut frames: Vec<Option<Bytes>> = vec![None; geometry.n()];
        for piece in pieces {
            frames[piece.share()] = Some(piece.frame.clone());
        }
        let have: ShardSet = pieces.iter().map(Piece::share).collect();
        let shard_len = pieces.first().map_or(0, |piece| piece.payload().len());
        let lost: Vec<usize> = self
            .common
            .code()
            .reconstructible(have)
            .difference(have)
            .intersection(geometry.data())
            .iter()
            .collect();
        if let Ok(rebuilt) = reconstruct(&mut *self.coder, &self.pool, &frames, &lost, shard_len) {
            for (&share, buffer) in lost.iter().zip(rebuilt) {
                frames[share] = Some(buffer.freeze().slice(..HEAD_LEN + shard_len));
            }
        }
        frames.truncate(geometry.k());
        let payload = |frame: Option<Bytes>| frame.map(|frame| frame.slice(HEAD_LEN..));
        frames.into_iter().map(payload).collect()
    }

    /// Whether the wanted parity shards are right: the stripe's digest is of the data and does not tell. With
    /// data shards left out for them, they must give these back.
    fn is_proved(&mut self, frames: &[Option<Bytes>], len: usize) -> bool {
        self.proofs.iter().all(|proof| {
            let kept = |(share, frame): (usize, &Option<Bytes>)| {
                let is_kept = proof.from.contains(share);
                frame.clone().filter(|_| is_kept)
            };
            let kept: Vec<Option<Bytes>> = frames.iter().enumerate().map(kept).collect();
            let prover = self
                .prover
                .get_or_insert_with(|| self.common.code().coder());
            let found = reconstruct(&mut **prover, &self.pool, &kept, &proof.gives, len);
            found.is_ok_and(|found| {
                proof.gives.iter().zip(found).all(|(&share, found)| {
                    let payload = HEAD_LEN..HEAD_LEN + len;
                    let known = frames[share].as_ref();
                    known.is_some_and(|it| it[payload.clone()] == found.as_ref()[payload])
                })
            })
        })
    }

    /// The pieces without wanted parity that the others do without. What the stripe's digest does not need,
    /// it does not vouch for: that is computed, and proved.
    fn without_unproved<'a>(&self, pieces: &[&'a Piece], wanted: ShardSet) -> Vec<&'a Piece> {
        let k = self.common.geometry().k();
        let mut kept = pieces.to_vec();
        for piece in pieces {
            let share = piece.share();
            if share >= k && wanted.contains(share) {
                let others = kept.iter().copied();
                let others: Vec<&Piece> = others.filter(|one| one.share() != share).collect();
                if self.is_enough(&others) {
                    kept = others;
                }
            }
        }
        kept
    }

    fn attempt(
        &mut self,
        stripe: u64,
        claim: Claim,
        pieces: &[&Piece],
        wanted: ShardSet,
    ) -> Result<GoodStripe, Unconfirmed> {
        let (k, n) = (self.common.geometry().k(), self.common.geometry().n());
        let shard_len = self.common.shard_len_of(claim.data_len);
        let mut frames: Vec<Option<Bytes>> = vec![None; n];
        let mut digests: Vec<Option<Digest>> = vec![None; n];
        let pieces = self.without_unproved(pieces, wanted);
        for piece in &pieces {
            frames[piece.share()] = Some(piece.frame.clone());
            digests[piece.share()] = Some(piece.checked.payload);
        }
        let lost: Vec<usize> = (0..n)
            .filter(|&share| frames[share].is_none() && (share < k || wanted.contains(share)))
            .collect();
        let rebuilt = reconstruct(&mut *self.coder, &self.pool, &frames, &lost, shard_len)?;
        for (&share, buffer) in lost.iter().zip(&rebuilt) {
            let payload = &buffer.as_ref()[HEAD_LEN..HEAD_LEN + shard_len];
            digests[share] = Some(Digest::of(payload));
        }
        let common = &self.common;
        // Every data shard was present or rebuilt.
        let data = digests[..k].iter().flatten().copied();
        if digest::stripe_digest(data, claim.data_len) != claim.digest {
            return Err(Unconfirmed::Digest);
        }
        // The payload of a piece that claims something else was confirmed; its head was not.
        let mut unlike: Vec<usize> = Vec::new();
        let mut heads_anew: Vec<Buffer> = Vec::new();
        for piece in &pieces {
            if piece.checked.head.claim != claim && wanted.contains(piece.share()) {
                let mut buffer = self.pool.take();
                buffer.as_mut()[HEAD_LEN..HEAD_LEN + shard_len].copy_from_slice(piece.payload());
                unlike.push(piece.share());
                heads_anew.push(buffer);
            }
        }
        let made = lost
            .iter()
            .chain(&unlike)
            .zip(rebuilt.into_iter().chain(heads_anew));
        for (&share, mut buffer) in made {
            let frame = &mut buffer.as_mut()[..HEAD_LEN + shard_len];
            let head = Head {
                stream: common.stream(),
                share,
                stripe,
                claim,
            };
            let payload = digests[share].expect("of what was there, or computed just before");
            frame::write_head(frame, &head, payload, common);
            frames[share] = Some(buffer.freeze().slice(..HEAD_LEN + shard_len));
        }
        let padded = frames[..k].iter().enumerate().all(|(share, frame)| {
            let filled = (claim.data_len as usize).saturating_sub(share * shard_len);
            frame.as_ref().is_some_and(|frame| {
                frame[HEAD_LEN + filled.min(shard_len)..]
                    .iter()
                    .all(|&byte| byte == 0)
            })
        });
        if !padded {
            return Err(Unconfirmed::Padding);
        }
        let is_wanted_parity = |&share: &usize| share >= k && self.wanted.contains(share);
        // Where all is rebuilt to be compared, those that are wanted are among it.
        if lost.iter().any(is_wanted_parity) && !self.is_proved(&frames, shard_len) {
            return Err(Unconfirmed::Miscomputed);
        }
        Ok(GoodStripe {
            claim,
            frames,
            false_frames: ShardSet::default(),
        })
    }
}

/// Buffers with the payloads of `lost` in the places for them, from the frames that are there.
fn reconstruct(
    coder: &mut dyn Coder,
    pool: &Pool,
    frames: &[Option<Bytes>],
    lost: &[usize],
    shard_len: usize,
) -> Result<Vec<Buffer>, Unconfirmed> {
    let mut rebuilt: Vec<Buffer> = lost.iter().map(|_| pool.take()).collect();
    if lost.is_empty() {
        return Ok(rebuilt);
    }
    let mut shards: Vec<Shard<'_>> = frames
        .iter()
        .map(|frame| match frame {
            Some(frame) => Shard::Present(&frame[HEAD_LEN..]),
            None => Shard::Absent,
        })
        .collect();
    for (&share, buffer) in lost.iter().zip(&mut rebuilt) {
        let payload = &mut buffer.as_mut()[HEAD_LEN..HEAD_LEN + shard_len];
        shards[share] = Shard::Wanted(payload);
    }
    coder
        .reconstruct(&mut shards)
        .map_err(|_| Unconfirmed::TooFew)?;
    Ok(rebuilt)
}

/// A set of shards that is just enough, and the data shards that are not in it.
struct Proof {
    from: ShardSet,
    gives: Vec<usize>,
}

/// Sets in which each wanted parity shard stands for a data shard, drawn by lot: were it wrong, so would be
/// what the set gives.
fn proofs(common: &Common, wanted: ShardSet) -> Vec<Proof> {
    let (code, geometry) = (common.code(), common.geometry());
    let mut dice = Dice::of_stripe(common.stream().0, 0);
    let mut left: Vec<usize> = wanted.difference(geometry.data()).iter().collect();
    let mut proofs = Vec::new();
    while !left.is_empty() {
        let mut from = geometry.data();
        let before = left.len();
        left.retain(|&parity| {
            let in_place_of = |data: usize| {
                let mut set = from;
                set.remove(data);
                set.insert(parity);
                set
            };
            let data = from.intersection(geometry.data());
            let mut sets: Vec<ShardSet> = data.iter().map(in_place_of).collect();
            sets.retain(|set| code.is_recoverable(*set));
            if sets.is_empty() {
                return true;
            }
            let drawn = usize::try_from(dice.below(sets.len() as u64)).unwrap_or(0);
            from = sets[drawn];
            false
        });
        if left.len() == before {
            break; // parity of nothing, which no code has
        }
        let gives = geometry.data().difference(from).iter().collect();
        proofs.push(Proof { from, gives });
    }
    proofs
}

/// The claims that pieces make, and how many make each; the one that most make first.
fn claims_by_votes(pieces: &[Piece]) -> Vec<(Claim, usize)> {
    let mut claims: Vec<Claim> = pieces
        .iter()
        .map(|piece| piece.checked.head.claim)
        .collect();
    claims.sort_unstable();
    let same = claims.chunk_by(|one, other| one == other);
    let mut votes: Vec<(Claim, usize)> = same.map(|same| (same[0], same.len())).collect();
    votes.sort_by_key(|&(_, votes)| std::cmp::Reverse(votes));
    votes
}

/// All sets of `items` without `count` of them.
fn without<'a, T>(items: &'a [&'a T], count: usize) -> impl Iterator<Item = Vec<&'a T>> {
    let mut out: Option<Vec<usize>> = (count <= items.len()).then(|| (0..count).collect());
    std::iter::from_fn(move || {
        let current = out.take()?;
        let kept = |at: &usize| current.binary_search(at).is_err();
        let set = (0..items.len()).filter(kept).map(|at| items[at]).collect();
        out = next_combination(current, items.len());
        Some(set)
    })
}

/// The combination that follows in lexicographic order, of numbers below `n`.
fn next_combination(mut combination: Vec<usize>, n: usize) -> Option<Vec<usize>> {
    let count = combination.len();
    let at = (0..count)
        .rev()
        .find(|&at| combination[at] < n - count + at)?;
    combination[at] += 1;
    for next in at + 1..count {
        combination[next] = combination[next - 1] + 1;
    }
    Some(combination)
}

#[cfg(test)]
mod tests {
    use distdup_codecs::{CodecError, Geometry};

    use super::*;
    use crate::format::{Identity, StreamId};
    use crate::pipeline::stripe::{self, Encoder};

    const SHARD: usize = 16;

    /// A coder that gets a bit of each parity shard which it rebuilds wrong, so many times.
    struct Errs {
        right: Box<dyn Coder>,
        k: usize,
        byte: usize,
        times: usize,
    }

    impl Coder for Errs {
        fn encode(&mut self, data: &[&[u8]], parity: &mut [&mut [u8]]) -> Result<(), CodecError> {
            self.right.encode(data, parity)
        }

        fn reconstruct(&mut self, shards: &mut [Shard<'_>]) -> Result<(), CodecError> {
            self.right.reconstruct(shards)?;
            for shard in &mut shards[self.k..] {
                if let Shard::Wanted(bytes) = shard
                    && self.times > 0
                {
                    self.times -= 1;
                    bytes[self.byte] ^= 1 << (self.byte % 8);
                }
            }
            Ok(())
        }
    }

    fn common(codec: &str, k: usize, n: usize) -> Arc<Common> {
        let identity = Identity {
            stream: StreamId(*b"0123456789abcdef"),
            generation: 1,
            time: 1,
            name: None,
        };
        let geometry = Geometry::new(k, n).unwrap();
        let code = distdup_codecs::resolve(codec, geometry, None).unwrap();
        Arc::new(Common::new(&identity, code, SHARD as u64, k).unwrap())
    }

    /// A stripe's frames.
    fn pieces(common: &Arc<Common>, number: u64) -> Vec<Piece> {
        let mut buffer = vec![0; stripe::buffer_len(common)];
        for (at, place) in stripe::data_places(common, &mut buffer).enumerate() {
            for (byte, value) in place.iter_mut().zip(1u8..) {
                *byte = value.wrapping_mul(31) ^ u8::try_from(at).unwrap();
            }
        }
        let data_len = u32::try_from(common.stripe_len()).unwrap();
        let encoded = Encoder::new(Arc::clone(common))
            .encode(number, data_len, false, &mut buffer)
            .unwrap();
        let buffer = Bytes::from(buffer);
        let piece = |share| {
            let frame = encoded.frame(&buffer, share);
            let checked = frame::check_frame(&frame, common).unwrap();
            Piece { checked, frame }
        };
        (0..common.geometry().n()).map(piece).collect()
    }

    const CODES: [(&str, usize, usize); 6] = [
        ("rs8", 2, 3),
        ("rs8", 4, 6),
        ("rs16", 4, 6),
        ("xor", 6, 10),
        ("xor:matland", 6, 10),
        ("copy", 1, 3),
    ];

    #[test]
    fn each_parity_shard_stands_in_some_proof_for_a_data_shard() {
        for (codec, k, n) in CODES {
            let common = common(codec, k, n);
            for wanted in (0..1u32 << n).map(|bits| (0..n).filter(|i| bits >> i & 1 == 1).collect())
            {
                let wanted: ShardSet = wanted;
                let mut proved = ShardSet::new();
                for Proof { from, gives } in proofs(&common, wanted) {
                    // Not one share too many: each of them matters.
                    assert!(from.len() == k && common.code().is_recoverable(from));
                    assert!(gives.iter().all(|data| *data < k && !from.contains(*data)));
                    proved = proved.union(from.difference(common.geometry().data()));
                }
                assert_eq!(
                    proved,
                    wanted.difference(common.geometry().data()),
                    "{codec}"
                );
            }
        }
    }

    #[test]
    fn a_parity_shard_that_is_rebuilt_wrong_is_noticed_at_each_byte() {
        for (codec, k, n) in CODES {
            let common = common(codec, k, n);
            for number in 0..4 {
                let pieces = pieces(&common, number);
                for parity in k..n {
                    let wanted = ShardSet::from_iter([parity]);
                    let mut others = pieces.clone();
                    others.remove(parity);
                    let pool = Pool::growing(HEAD_LEN + SHARD);
                    let mut rebuilder = Rebuilder::new(Arc::clone(&common), pool, wanted);
                    let good = rebuilder.rebuild(number, &others).unwrap();
                    assert_eq!(good.frames[parity], Some(pieces[parity].frame.clone()));
                    for byte in 0..SHARD {
                        let what = format!("{codec}, share {parity}, byte {byte}");
                        let errs = |times| {
                            let right = common.code().coder();
                            Box::new(Errs {
                                right,
                                k,
                                byte,
                                times,
                            })
                        };
                        rebuilder.coder = errs(1);
                        let error = rebuilder.rebuild(number, &others).unwrap_err();
                        assert_eq!(error, Unconfirmed::Miscomputed, "{what}");
                        // Once more, it comes out right.
                        let good = rebuilder.search(number, &others).unwrap();
                        assert_eq!(good.frames[parity], Some(pieces[parity].frame.clone()));
                        assert!(good.false_frames.is_empty());
                        rebuilder.coder = errs(usize::MAX);
                        let error = rebuilder.search(number, &others).unwrap_err();
                        assert_eq!(error, Unconfirmed::Miscomputed, "{what}");
                    }
                }
            }
        }
    }

    #[test]
    fn without_gives_every_set_once() {
        let items: Vec<&i32> = [1, 2, 3, 4].iter().collect();
        let sets = |count| without(&items, count).collect::<Vec<_>>();
        assert_eq!(sets(0), [[&1, &2, &3, &4]]);
        assert_eq!(sets(1).len(), 4);
        assert_eq!(sets(2).len(), 6);
        assert_eq!(sets(4), [[&0; 0]]);
    }
}
