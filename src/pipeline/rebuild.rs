//! A stripe's data, and any frames of it that were lost, from enough good frames.

use std::sync::Arc;

use bytes::Bytes;
use distdup_codecs::{Coder, Shard, ShardSet};

use super::pool::{Buffer, Pool};
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
    pool: Pool,
    wanted: ShardSet,
}

impl Rebuilder {
    /// `pool` has buffers of one full frame. Besides the data, the frames of `wanted` are rebuilt.
    pub(crate) fn new(common: Arc<Common>, pool: Pool, wanted: ShardSet) -> Self {
        let coder = common.code().coder();
        Self {
            common,
            coder,
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
        let all: ShardSet = pieces.iter().map(Piece::share).collect();
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
        if let Ok(rebuilt) = self.reconstruct(&frames, &lost, shard_len) {
            for (&share, buffer) in lost.iter().zip(rebuilt) {
                frames[share] = Some(buffer.freeze().slice(..HEAD_LEN + shard_len));
            }
        }
        frames.truncate(geometry.k());
        let payload = |frame: Option<Bytes>| frame.map(|frame| frame.slice(HEAD_LEN..));
        frames.into_iter().map(payload).collect()
    }

    /// Buffers with the payloads of `lost` in the places for them, from the frames that are there.
    fn reconstruct(
        &mut self,
        frames: &[Option<Bytes>],
        lost: &[usize],
        shard_len: usize,
    ) -> Result<Vec<Buffer>, Unconfirmed> {
        let mut rebuilt: Vec<Buffer> = lost.iter().map(|_| self.pool.take()).collect();
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
        self.coder
            .reconstruct(&mut shards)
            .map_err(|_| Unconfirmed::TooFew)?;
        Ok(rebuilt)
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
        for piece in pieces {
            frames[piece.share()] = Some(piece.frame.clone());
            digests[piece.share()] = Some(piece.checked.payload);
        }
        let lost: Vec<usize> = (0..n)
            .filter(|&share| frames[share].is_none() && (share < k || wanted.contains(share)))
            .collect();
        let rebuilt = self.reconstruct(&frames, &lost, shard_len)?;
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
        for (&share, mut buffer) in lost.iter().zip(rebuilt) {
            let frame = &mut buffer.as_mut()[..HEAD_LEN + shard_len];
            let head = Head {
                stream: common.stream(),
                share,
                stripe,
                claim,
            };
            let payload = digests[share].expect("computed just before");
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
        Ok(GoodStripe {
            claim,
            frames,
            false_frames: ShardSet::default(),
        })
    }
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
    use super::*;

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
