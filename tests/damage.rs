//! Whatever happens to a share costs no more than it must: with a spare share the stream comes back,
//! and without one it comes back exactly or there is an error. Nothing else is ever given out.
#![allow(
    clippy::unwrap_used,
    reason = "a test that panics has failed, as it should"
)]

mod kit;

use std::ops::Range;
use std::sync::Arc;

use distdup::control::Control;
use distdup::decode::{
    ChooseError, DecodeError, DecodeOptions, DecodeReport, GatherError, SourceFailure,
    SourceOutcome, decode, salvage,
};
use distdup::format::frame::{self, HEAD_LEN};
use distdup::format::header::HeaderFault;
use distdup::format::{Common, StreamId, ending, header};
use distdup::source::Source;
use distdup_codecs::ShardSet;
use kit::anatomy::{Anatomy, flip, flip_bit, forge, retold, splice};
use kit::tally::Tally;
use kit::{MemorySink, MemorySource, code, full, lots, noise, options, said, shares};

/// A stream, its shares, and where their parts stand.
struct Set {
    k: usize,
    data: Vec<u8>,
    shares: Vec<Vec<u8>>,
    common: Common,
    anatomy: Anatomy,
}

/// Shards of so many bytes.
const SHARD: usize = 16;

impl Set {
    /// `full` whole stripes and one of `rest` bytes.
    fn new(codec: &str, (k, n): (usize, usize), full: usize, rest: usize) -> Self {
        Self::of_stream(codec, (k, n), full, rest, *b"a fixed stream! ")
    }

    fn of_stream(
        codec: &str,
        (k, n): (usize, usize),
        full: usize,
        rest: usize,
        stream: [u8; 16],
    ) -> Self {
        let code = code(codec, k, n);
        let data = noise(full * k * SHARD + rest, u64::from(stream[0]));
        let mut options = options(Arc::clone(&code), SHARD as u64);
        options.identity.as_mut().unwrap().stream = StreamId(stream);
        let shares = shares(&data, &options);
        let (header, _) = header::decode(&shares[0]).unwrap().unwrap();
        let anatomy = Anatomy::of(&shares[0], SHARD);
        Self {
            k,
            data,
            shares,
            common: header.common,
            anatomy,
        }
    }

    /// All shares, `hurt` in the place of that at `index`.
    fn with_spares(&self, index: usize, hurt: &[u8]) -> Vec<Vec<u8>> {
        let mut all = self.shares.clone();
        all[index] = hurt.to_vec();
        all
    }

    /// `hurt` in the place of the share at `index`, and as few others as it needs: the last ones.
    fn without_spares(&self, index: usize, hurt: &[u8]) -> Vec<Vec<u8>> {
        self.beside(index, hurt, self.k - 1)
    }

    /// The same, and one share more than it needs.
    fn with_a_spare(&self, index: usize, hurt: &[u8]) -> Vec<Vec<u8>> {
        self.beside(index, hurt, self.k)
    }

    fn beside(&self, index: usize, hurt: &[u8], others: usize) -> Vec<Vec<u8>> {
        let all = (0..self.shares.len()).rev().filter(|&other| other != index);
        let others = all.take(others).map(|other| self.shares[other].clone());
        others.chain([hurt.to_vec()]).collect()
    }

    /// Those shares, and `places` after them.
    fn with(&self, shares: ShardSet, places: &[&Vec<u8>]) -> Vec<Vec<u8>> {
        let shares = shares.iter().map(|share| &self.shares[share]);
        shares.chain(places.iter().copied()).cloned().collect()
    }

    /// As few shares as are enough, without that at `index`.
    fn without(&self, index: usize) -> ShardSet {
        let mut all = self.common.geometry().shards();
        all.remove(index);
        self.common.code().sufficient_subset(all).unwrap()
    }

    /// Shares that are enough with that at `index` alone, and hold that at `other`. (Not every code
    /// has them for all.)
    fn lacking(&self, index: usize, other: usize) -> Option<ShardSet> {
        let code = self.common.code();
        let mut few = self.common.geometry().shards();
        for share in (0..self.shares.len()).rev() {
            few.remove(share);
            if [index, other].contains(&share) || !code.is_recoverable(few) {
                few.insert(share);
            }
        }
        few.remove(index);
        (!code.is_recoverable(few)).then_some(few)
    }

    /// Decodes `shares`, and sees that nothing but the stream's bytes come out, and all of them if
    /// it is said to have worked.
    fn decode(
        &self,
        shares: &[Vec<u8>],
        pipes: bool,
        what: &dyn Fn() -> String,
    ) -> Result<DecodeReport, DecodeError> {
        decode_exactly(&self.data, shares, pipes, None, what)
    }

    fn comes_back(&self, shares: &[Vec<u8>], what: &dyn Fn() -> String) -> [DecodeReport; 2] {
        [false, true].map(|pipes| {
            self.decode(shares, pipes, what)
                .unwrap_or_else(|error| panic!("{}, pipes: {pipes}: {error}", what()))
        })
    }

    fn fails(&self, shares: &[Vec<u8>], what: &dyn Fn() -> String) -> [DecodeError; 2] {
        [false, true].map(|pipes| match self.decode(shares, pipes, what) {
            Ok(_) => panic!("{}, pipes: {pipes}: worked, and should not", what()),
            Err(error) => error,
        })
    }
}

fn sources(shares: &[Vec<u8>], pipes: bool) -> Vec<Box<dyn Source>> {
    let source = |(at, share): (usize, &Vec<u8>)| {
        if pipes {
            MemorySource::pipe(at, share.clone())
        } else {
            MemorySource::file(at, share.clone())
        }
    };
    shares.iter().enumerate().map(source).collect()
}

fn decode_exactly(
    data: &[u8],
    shares: &[Vec<u8>],
    pipes: bool,
    stream: Option<StreamId>,
    what: &dyn Fn() -> String,
) -> Result<DecodeReport, DecodeError> {
    let options = DecodeOptions {
        workers: 1,
        stream,
        ..DecodeOptions::default()
    };
    let output = MemorySink::default();
    let sources = sources(shares, pipes);
    let result = decode(
        sources,
        Box::new(output.clone()),
        &options,
        &Control::new().0,
    );
    let taken = output.0.lock().unwrap().clone();
    assert!(
        data.starts_with(&taken.bytes),
        "{}, pipes: {pipes}: wrong bytes",
        what()
    );
    assert_eq!(
        taken.finished,
        result.is_ok(),
        "{}, pipes: {pipes}: the output is completed if, and only if, all went well",
        what()
    );
    if result.is_ok() {
        assert!(taken.bytes == data, "{}, pipes: {pipes}: differs", what());
    }
    result
}

/// The sets that small damage is tried on, and which of their shares are hurt: data and parity.
fn small_sets(of_six: usize) -> Vec<(Set, Vec<usize>)> {
    let (of_three, of_six) = if full() {
        ((0..3).collect(), (0..6).collect())
    } else {
        (vec![0, 2], vec![of_six])
    };
    vec![
        (Set::new("rs", (2, 3), 2, 19), of_three),
        (Set::new("rs", (4, 6), 2, 37), of_six),
    ]
}

/// What became of a decode that need not work.
fn outcome(result: &Result<DecodeReport, DecodeError>) -> &'static str {
    match result {
        Ok(_) => "came back",
        Err(_) => "refused",
    }
}

#[test]
fn every_bit_flipped() {
    let mut with_spare = Tally::of("a bit of one share flipped, one share to spare");
    let mut without = Tally::of("a bit of one share flipped, none to spare");
    // By default one bit of every byte, another one each time.
    let each = if full() { 1 } else { 8 };
    for (set, hurt) in small_sets(5) {
        let frames = set.anatomy.all_frames();
        for &index in &hurt {
            let share = &set.shares[index];
            for bit in (0..share.len() * 8 / each).map(|at| at * each + at * 5 % each) {
                let at = bit / 8;
                let flipped = flip_bit(share, bit);
                let what = || format!("share {index}, byte {at}, bit {} flipped", bit % 8);
                set.comes_back(&set.with_a_spare(index, &flipped), &what);
                with_spare.add("came back", 2);
                // Without a spare every frame is needed; header and trailer others have, too.
                let few = set.without_spares(index, &flipped);
                if frames.contains(&at) {
                    set.fails(&few, &what);
                    without.add("refused", 2);
                } else {
                    set.comes_back(&few, &what);
                    without.add("came back", 2);
                }
            }
        }
    }
}

#[test]
fn cut_at_every_length() {
    let mut with_spare = Tally::of("one share cut at a length, one share to spare");
    let mut without = Tally::of("one share cut at a length, none to spare");
    for (set, hurt) in small_sets(0) {
        for &index in &hurt {
            for len in 0..set.shares[index].len() {
                let cut = set.shares[index][..len].to_vec();
                let what = || format!("share {index} cut to {len} bytes");
                set.comes_back(&set.with_a_spare(index, &cut), &what);
                with_spare.add("came back", 2);
                let few = set.without_spares(index, &cut);
                if len < set.anatomy.trailer {
                    set.fails(&few, &what);
                    without.add("refused", 2);
                } else {
                    set.comes_back(&few, &what);
                    without.add("came back", 2);
                }
            }
        }
    }
}

#[test]
fn all_shares_cut_at_every_length_never_pass_for_complete() {
    let mut tally = Tally::of("all shares cut at a length");
    for set in [
        Set::new("rs", (2, 3), 1, 19),
        Set::new("copy", (1, 2), 1, 9),
        Set::new("xor", (2, 3), 0, 0),
    ] {
        for len in 0..set.anatomy.len {
            let cut: Vec<Vec<u8>> = set
                .shares
                .iter()
                .map(|share| share[..len.min(share.len())].to_vec())
                .collect();
            let what = || format!("all shares cut to {len} bytes");
            for pipes in [false, true] {
                if let Ok(report) = set.decode(&cut, pipes, &what) {
                    assert!(len >= set.anatomy.trailer && !set.data.is_empty());
                    assert!(!report.is_proven(), "{}, pipes: {pipes}", what());
                    assert!(report.sources.iter().all(|one| !one.is_good()));
                    tally.count("came back, unproven, and said so");
                } else {
                    // Else all frames are there.
                    let cut_short = len < set.anatomy.trailer || set.data.is_empty();
                    assert!(cut_short, "{}, pipes: {pipes}", what());
                    tally.count("refused");
                }
            }
        }
    }
}

#[test]
fn bytes_inserted_removed_and_zeroed_at_every_offset() {
    let everything = full();
    let mut with_spare = Tally::of("bytes inserted, removed, zeroed in one share, one to spare");
    let mut without = Tally::of("bytes inserted, removed, zeroed in one share, none to spare");
    let set = Set::new("rs", (2, 3), 3, 19);
    let filler = noise(set.anatomy.frame, 7);
    let zeros = vec![0; set.anatomy.frame];
    for index in if everything { 0..3 } else { 1..2 } {
        let share = &set.shares[index];
        for (variant, count) in [1, 2, 80, set.anatomy.frame].into_iter().enumerate() {
            for at in 0..=share.len() {
                let end = (at + count).min(share.len());
                let hurts: [(&str, Range<usize>, &[u8]); 4] = [
                    ("inserted", at..at, &filler[..count]),
                    ("zeros inserted", at..at, &zeros[..count]),
                    ("removed", at..end, &[]),
                    ("zeroed", at..end, &zeros[..end - at]),
                ];
                for (kind, (how, range, by)) in hurts.into_iter().enumerate() {
                    if !everything && (at + 4 * kind + variant) % 8 != 0 {
                        continue;
                    }
                    let hurt = splice(share, range, by);
                    let what = || format!("{count} bytes {how} at {at} of share {index}");
                    set.comes_back(&set.with_a_spare(index, &hurt), &what);
                    with_spare.add("came back", 2);
                    // Without a spare: exactly, or an error. (An insertion may cost nothing.)
                    for pipes in [false, true] {
                        let few = set.without_spares(index, &hurt);
                        without.count(outcome(&set.decode(&few, pipes, &what)));
                    }
                }
            }
        }
    }
}

#[test]
fn bytes_inserted_between_frames_cost_no_frame() {
    let set = Set::new("rs", (2, 3), 3, 19);
    for count in [1, 2, 80, set.anatomy.frame, 10_000] {
        for stripe in 0..set.anatomy.frames {
            let at = set.anatomy.stripe(stripe).start;
            let hurt = splice(&set.shares[0], at..at, &noise(count, 3));
            let what = || format!("{count} bytes inserted before stripe {stripe}");
            for report in set.comes_back(&set.without_spares(0, &hurt), &what) {
                assert!(report.is_proven());
            }
        }
    }
}

/// Damages a share somewhere, in a way that is drawn by lot.
fn damaged(share: &[u8], lot: &mut impl FnMut(usize) -> usize) -> Vec<u8> {
    let at = lot(share.len());
    let end = (at + 1 + lot(150)).min(share.len());
    match lot(9) {
        0 => share[..at].to_vec(),
        1 => splice(share, at..end, &[]),
        2 => splice(share, at..at, &noise(end - at, 3)),
        3 => splice(share, at..end, &vec![0; end - at]),
        4 => [share, &share[at..end]].concat(),
        5 => Vec::new(),
        6 => noise(share.len(), at as u64),
        _ => overwritten(share, at..end, lot),
    }
}

/// Damages bytes within a range and nothing beyond.
fn overwritten(
    share: &[u8],
    within: Range<usize>,
    lot: &mut impl FnMut(usize) -> usize,
) -> Vec<u8> {
    let start = within.start + lot(within.len());
    let len = 1 + lot(within.end - start);
    let by = noise(len, 1 + lot(1 << 30) as u64);
    match lot(2) {
        0 => flip_bit(share, start * 8 + lot(8)),
        _ => splice(share, start..start + len, &by),
    }
}

/// As many of the numbers below `n` as are wanted, drawn by lot.
fn drawn(n: usize, wanted: usize, lot: &mut impl FnMut(usize) -> usize) -> Vec<usize> {
    let mut left: Vec<usize> = (0..n).collect();
    let take = |_| left.swap_remove(lot(left.len()));
    (0..wanted).map(take).collect()
}

fn several_sets() -> [Set; 5] {
    [
        Set::new("rs", (4, 6), 3, 5),
        Set::new("rs16", (2, 5), 4, 19),
        Set::new("xor", (6, 10), 2, 37),
        Set::new("copy", (1, 4), 3, 7),
        Set::new("rs", (3, 8), 2, 0),
    ]
}

#[test]
fn two_to_as_many_shares_as_may_be_lost_damaged_at_random() {
    let mut tally = Tally::of("two to n-k shares damaged at random, each elsewhere");
    let mut lot = lots(11);
    let sets = several_sets();
    for case in 0..if full() { 100_000 } else { 400 } {
        let set = &sets[case % sets.len()];
        let n = set.shares.len();
        let hurt = drawn(n, 2 + lot(n - set.k - 1), &mut lot);
        let mut all = set.shares.clone();
        for &index in &hurt {
            all[index] = damaged(&set.shares[index], &mut lot);
        }
        let left = set.common.geometry().shards();
        let left = left.difference(hurt.iter().copied().collect());
        let what = || format!("case {case}: {:?}, shares {hurt:?}", set.common.code());
        let result = set.decode(&all, lot(2) == 1, &what);
        // Which n-k may be lost is the code's own; beyond that it depends on where the damage is.
        if set.common.code().is_recoverable(left) {
            result.unwrap_or_else(|error| panic!("{}: {error}", what()));
            tally.count("came back, as they must");
        } else {
            tally.count(match result {
                Ok(_) => "came back, though the code does not promise it",
                Err(_) => "refused, where the code does not promise it",
            });
        }
    }
}

#[test]
fn any_number_of_shares_damaged_at_random_come_back_where_every_stripe_does() {
    let mut tally = Tally::of("two to n shares damaged in some frames");
    let mut lot = lots(12);
    let sets = several_sets();
    for case in 0..if full() { 100_000 } else { 400 } {
        let set = &sets[case % sets.len()];
        let n = set.shares.len();
        let mut all = set.shares.clone();
        for index in drawn(n, 2 + lot(n - 1), &mut lot) {
            let frames = set.anatomy.all_frames();
            all[index] = overwritten(&set.shares[index], frames, &mut lot);
        }
        let comes_back = (0..set.anatomy.frames).all(|stripe| {
            let range = set.anatomy.stripe(stripe);
            let same =
                |share: &usize| all[*share][range.clone()] == set.shares[*share][range.clone()];
            set.common
                .code()
                .is_recoverable((0..n).filter(same).collect())
        });
        let what = || format!("case {case}: {:?}", set.common.code());
        match set.decode(&all, lot(2) == 1, &what) {
            Ok(_) => assert!(comes_back, "{}: worked, and should not", what()),
            Err(error) => assert!(!comes_back, "{}: {error}", what()),
        }
        tally.count(if comes_back {
            "came back, as they must"
        } else {
            "refused, as they must be"
        });
    }
}

#[test]
fn every_share_damaged_in_another_stripe() {
    for (codec, k, n) in [("rs", 2, 3), ("rs", 4, 6), ("xor", 6, 10)] {
        let set = Set::new(codec, (k, n), n + 1, 5);
        let payload = |stripe: usize| set.anatomy.stripe(stripe).end - 1;
        let damaged: Vec<Vec<u8>> = set
            .shares
            .iter()
            .enumerate()
            .map(|(index, share)| flip(share, payload(index)))
            .collect();
        let [files, pipes] = set.comes_back(&damaged, &|| format!("{codec} ({k}, {n})"));
        for (index, source) in pipes.sources.iter().enumerate() {
            assert_eq!(source.fault_count, 1, "{source:?}");
            assert_eq!(source.faults[0].stripe, index as u64);
            assert!(
                source.faults[0].flaw.to_string().starts_with("damaged"),
                "{:?}",
                source.faults
            );
        }
        assert!(files.sources.iter().all(|source| source.fault_count <= 1));
        assert!(files.is_proven() && pipes.is_proven());
    }
}

#[test]
fn n_frames_of_one_stripe_damaged_name_that_stripe_and_all_frames() {
    let set = Set::new("rs", (4, 6), 3, 5);
    let damaged: Vec<Vec<u8>> = set
        .shares
        .iter()
        .map(|share| flip(share, set.anatomy.stripe(2).start + 85))
        .collect();
    for error in set.fails(&damaged, &|| "stripe 2 of all shares".into()) {
        let DecodeError::Gather(GatherError::Unrecoverable {
            stripe,
            range,
            reasons,
            ..
        }) = &error
        else {
            panic!("{error}");
        };
        assert_eq!((*stripe, range.clone()), (2, 128..192));
        assert_eq!(reasons.len(), 6, "{reasons:?}");
        assert!(reasons.iter().all(|reason| reason.contains("damaged")));
    }
}

#[test]
fn frames_swapped_within_a_share() {
    let set = Set::new("rs", (2, 3), 4, 5);
    for (one, other) in [(0, 1), (0, 3), (1, 2), (2, 3)] {
        let frame = |stripe| set.shares[0][set.anatomy.stripe(stripe)].to_vec();
        let swapped = splice(&set.shares[0], set.anatomy.stripe(one), &frame(other));
        let swapped = splice(&swapped, set.anatomy.stripe(other), &frame(one));
        let what = || format!("frames {one} and {other} swapped");
        set.comes_back(&set.with_spares(0, &swapped), &what);
        for pipes in [false, true] {
            let _ = set.decode(&set.without_spares(0, &swapped), pipes, &what);
        }
    }
}

#[test]
fn a_frame_of_another_share_is_an_erasure() {
    let set = Set::new("rs", (2, 3), 4, 5);
    for stripe in 0..set.anatomy.frames {
        let range = set.anatomy.stripe(stripe);
        let hurt = splice(&set.shares[0], range.clone(), &set.shares[2][range]);
        let what = || format!("frame {stripe} of share 2 in share 0");
        let [_, pipes] = set.comes_back(&set.with_spares(0, &hurt), &what);
        let fault = &pipes.sources[0].faults[0];
        assert_eq!(fault.stripe, stripe as u64);
        assert!(
            fault.flaw.to_string().contains("a frame of share 2"),
            "{fault:?}"
        );
        for error in set.fails(&set.without_spares(0, &hurt), &what) {
            assert!(error.to_string().contains("a frame of share 2"), "{error}");
        }
    }
}

#[test]
fn a_frame_of_another_stream_is_an_erasure() {
    let set = Set::new("rs", (2, 3), 4, 5);
    let other = Set::of_stream("rs", (2, 3), 4, 5, *b"but another one ");
    for stripe in 0..set.anatomy.frames {
        let range = set.anatomy.stripe(stripe);
        let hurt = splice(&set.shares[0], range.clone(), &other.shares[0][range]);
        let what = || format!("frame {stripe} of another stream");
        let [_, pipes] = set.comes_back(&set.with_spares(0, &hurt), &what);
        let fault = &pipes.sources[0].faults[0];
        assert_eq!(fault.stripe, stripe as u64);
        assert!(
            fault.flaw.to_string().contains("another stream"),
            "{fault:?}"
        );
        for error in set.fails(&set.without_spares(0, &hurt), &what) {
            assert!(error.to_string().contains("another stream"), "{error}");
        }
    }
}

#[test]
fn a_share_with_the_header_and_trailer_of_another() {
    let set = Set::new("rs", (2, 3), 4, 5);
    let frames = set.anatomy.all_frames();
    let relabelled = splice(&set.shares[0], frames.clone(), &set.shares[2][frames]);
    let what = || "share 2 calls itself share 0".into();
    let [_, pipes] = set.comes_back(&set.with_spares(0, &relabelled), &what);
    assert_eq!(pipes.sources[0].fault_count, set.anatomy.frames as u64);
    assert!(
        pipes.sources[0].faults[0]
            .flaw
            .to_string()
            .contains("share 2")
    );
    set.fails(&set.without_spares(0, &relabelled), &what);
}

#[test]
fn the_same_share_twice_is_one_share() {
    let set = Set::new("rs", (2, 3), 2, 5);
    let [a, b, _] = &set.shares[..] else {
        unreachable!()
    };
    let what = || "the same share twice".into();
    for error in set.fails(&[a.clone(), a.clone()], &what) {
        let DecodeError::Choose(ChooseError::TooFew { streams, .. }) = &error else {
            panic!("{error}");
        };
        assert_eq!(streams[0].shares.len(), 1);
    }
    for report in set.comes_back(&[a.clone(), a.clone(), b.clone()], &what) {
        assert!(report.sources.iter().all(SourceOutcome::is_good));
    }
    // One copy is damaged in one place, the other in another: both together are one good share.
    let hurt = |stripe| flip(a, set.anatomy.stripe(stripe).end - 3);
    set.comes_back(&[hurt(0), hurt(2), b.clone()], &what);
}

#[test]
fn two_shares_of_one_index_that_differ_and_are_both_valid() {
    // The same identity for two streams, as only a broken random generator could give it.
    let set = Set::new("rs", (2, 3), 2, 5);
    let mut other = set.data.clone();
    other[3] ^= 1;
    let forged = shares(&other, &options(code("rs", 2, 3), SHARD as u64));
    let differ = || "two shares of index 0 differ".into();
    let both = [
        set.shares[0].clone(),
        forged[0].clone(),
        set.shares[1].clone(),
    ];
    for error in set.fails(&both, &differ) {
        assert!(error.to_string().contains("differ"), "{error}");
    }
    let with_spare = [
        forged[0].clone(),
        set.shares[0].clone(),
        set.shares[1].clone(),
        set.shares[2].clone(),
    ];
    set.comes_back(&with_spare, &differ);
}

/// One share in the place of another, in every way that this can happen.
#[test]
fn every_pair_of_shares_mixed_up() {
    let mut swaps = Tally::of("two shares swapped");
    let mut tally = [
        Tally::of("a share relabelled as another"),
        Tally::of("a share of another stream in a share's place"),
        Tally::of("a share of an older generation in a share's place"),
        Tally::of("a share given twice in another's place"),
        Tally::of("a share given twice, differing, both valid"),
    ];
    let codes = [("rs", 2, 3), ("rs", 4, 6), ("xor", 6, 10)];
    for (codec, k, n) in codes.into_iter().take(if full() { 3 } else { 2 }) {
        let set = Set::new(codec, (k, n), 2, 5);
        let frames = set.anatomy.all_frames();
        let other = Set::of_stream(codec, (k, n), 2, 5, *b"but another one ");
        // The same stream by name, older and with other data, as no honest writer makes it.
        let mut older = options(code(codec, k, n), SHARD as u64);
        older.identity.as_mut().unwrap().generation -= 1;
        let older = shares(&noise(set.data.len(), 99), &older);
        let mut data = set.data.clone();
        data[3] ^= 1;
        let false_ones = shares(&data, &options(code(codec, k, n), SHARD as u64));
        for (i, j) in (0..n).flat_map(|i| (0..n).map(move |j| (i, j))) {
            let what = || format!("{codec} ({k}, {n}): shares {i} and {j}");
            let mut try_with = |row: usize, places: &[&Vec<u8>]| {
                set.comes_back(&set.with(set.without(i), places), &what);
                tally[row].add("came back with a spare", 2);
                if let Some(rest) = set.lacking(i, j) {
                    set.fails(&set.with(rest, places), &what);
                    tally[row].add("refused without", 2);
                }
            };
            if i != j {
                let frames_of_j = &set.shares[j][frames.clone()];
                try_with(0, &[&splice(&set.shares[i], frames.clone(), frames_of_j)]);
                try_with(3, &[&set.shares[j]]);
                let mut swapped = set.shares.clone();
                swapped.swap(i, j);
                for report in set.comes_back(&swapped, &what) {
                    assert!(report.sources.iter().all(SourceOutcome::is_good));
                }
                swaps.add("came back", 2);
            }
            try_with(1, &[&other.shares[j]]);
            try_with(2, &[&older[j]]);
            try_with(4, &[&set.shares[i], &false_ones[i]]);
            try_with(4, &[&false_ones[i], &set.shares[i]]);
        }
    }
}

/// What other shares than these could say alike.
fn other_commons(set: &Set) -> Vec<Common> {
    let Set { k, common, .. } = set;
    let (k, n) = (*k, set.shares.len());
    let (shard, right) = (SHARD as u64, common.identity());
    let [mut later, mut elder, mut named, mut stranger] = [(); 4].map(|()| right.clone());
    later.generation += 1;
    elder.time -= 1;
    named.name = Some(b"another".to_vec());
    stranger.stream = StreamId(*b"but another one ");
    let same = || Arc::clone(common.code());
    let made = [
        Common::new(&later, same(), shard, k),
        Common::new(&elder, same(), shard, k),
        Common::new(&named, same(), shard, k),
        Common::new(&stranger, same(), shard, k),
        Common::new(right, same(), shard, n),
        Common::new(right, same(), 2 * shard, k),
        Common::new(right, code("rs", k, n + 1), shard, k),
        Common::new(right, code("rs", k + 1, n + 1), shard, k + 1),
        Common::new(right, code("copy", 1, n), shard, 1),
    ];
    let other = made.into_iter().map(Result::unwrap);
    other.filter(|other| other != common).collect()
}

/// A share made anew with another header and trailer, and its frames as they are or forged as well.
fn rewritten(set: &Set, index: usize, common: &Common, frames_too: bool) -> Vec<u8> {
    let trailer = ending::decode_trailer(&set.shares[index][set.anatomy.trailer..]);
    let mut share = header::encode(common, index);
    let first_frame = share.len() as u64;
    for stripe in 0..set.anatomy.frames {
        let frame = &set.shares[index][set.anatomy.stripe(stripe)];
        if frames_too {
            share.extend(forge(frame, common, |head, _| {
                head.stream = common.stream();
            }));
        } else {
            share.extend(frame);
        }
    }
    let totals = trailer.unwrap().0.totals;
    share.extend(ending::encode(common, index, &totals, first_frame));
    share
}

#[test]
fn what_all_shares_say_alike_forged_in_one() {
    let mut tally = Tally::of("`common` forged in one share, with right digests");
    let codes = [("rs", 2, 3), ("copy", 1, 3), ("rs", 4, 6), ("xor", 6, 10)];
    for (codec, k, n) in codes.into_iter().take(if full() { 4 } else { 2 }) {
        let set = Set::new(codec, (k, n), 2, 5);
        for (index, other) in
            (0..n).flat_map(|index| other_commons(&set).into_iter().map(move |one| (index, one)))
        {
            for (frames_too, pipes) in [(false, false), (false, true), (true, false), (true, true)]
            {
                let forged = rewritten(&set, index, &other, frames_too);
                let what = || format!("share {index} of {codec} ({k}, {n}) says {other:?}");
                match set.decode(&set.with_spares(index, &forged), pipes, &what) {
                    Ok(_) => tally.count("outvoted"),
                    // Another stream that this share alone gives is for the user to refuse.
                    Err(DecodeError::Choose(ChooseError::Ambiguous { .. }))
                        if k == 1 && other.stream() != set.common.stream() =>
                    {
                        tally.count("asked which stream is meant");
                    }
                    Err(error) => panic!("{}: {error}", what()),
                }
            }
        }
    }
}

#[test]
fn shares_of_two_streams_mixed() {
    let one = Set::new("rs", (2, 3), 2, 5);
    let two = Set::of_stream("xor", (2, 3), 3, 7, *b"but another one ");
    let mixed = |of_one: &[usize], of_two: &[usize]| -> Vec<Vec<u8>> {
        let of_one = of_one.iter().map(|&index| one.shares[index].clone());
        let of_two = of_two.iter().map(|&index| two.shares[index].clone());
        of_one.chain(of_two).collect()
    };
    let what = || "two streams mixed".to_owned();
    for pipes in [false, true] {
        let both = mixed(&[0, 2], &[2, 1]);
        let error = one.decode(&both, pipes, &what).unwrap_err();
        let DecodeError::Choose(ChooseError::Ambiguous { streams }) = &error else {
            panic!("{error}");
        };
        assert_eq!(streams.len(), 2);
        for set in [&one, &two] {
            let asked = set.common.stream();
            assert!(error.to_string().contains(&asked.to_string()));
            let report = decode_exactly(&set.data, &both, pipes, Some(asked), &what).unwrap();
            let others = report.sources.iter().filter(|source| {
                matches!(source.failure, Some(SourceFailure::OtherStream(stream))
                    if stream != asked)
            });
            assert_eq!(others.count(), 2);
        }
        let unknown = Some(StreamId([7; 16]));
        assert!(matches!(
            decode_exactly(&one.data, &both, pipes, unknown, &what),
            Err(DecodeError::Choose(ChooseError::NoSuchStream { streams, .. }))
                if streams.len() == 2
        ));
        // One that could not be decoded anyway is no reason to ask.
        one.decode(&mixed(&[0, 2], &[1]), pipes, &what).unwrap();
        // None that could be: both are named.
        let error = one.decode(&mixed(&[0], &[1]), pipes, &what).unwrap_err();
        assert!(matches!(
            error,
            DecodeError::Choose(ChooseError::TooFew { streams, .. }) if streams.len() == 2
        ));
    }
}

#[test]
fn what_is_no_share_is_told_apart() {
    let set = Set::new("rs", (2, 3), 2, 5);
    let mut later = set.shares[0].clone();
    assert_eq!(later[9], 1, "the version");
    later[9] = 2;
    let later_cut = later[..set.anatomy.header].to_vec();
    let cases = [
        (later_cut, "format version 2"),
        (Vec::new(), "empty"),
        (b"Dear diary, ".repeat(30), "does not begin as a share does"),
        (set.shares[0][..20].to_vec(), "ends within the header"),
        (flip(&set.shares[0], 60)[..300].to_vec(), "damaged"),
    ];
    for (not_a_share, expected) in &cases {
        let what = || format!("a source that is no share: {expected}");
        for error in set.fails(&[not_a_share.clone(), not_a_share.clone()], &what) {
            let DecodeError::Choose(ChooseError::NoShares { reasons, .. }) = &error else {
                panic!("{error}");
            };
            assert_eq!(reasons.len(), 2);
            assert!(reasons[0].contains(expected), "{expected}: {reasons:?}");
        }
        // With good ones beside it, it is named and does no harm.
        let beside = [
            not_a_share.clone(),
            set.shares[2].clone(),
            set.shares[1].clone(),
        ];
        for report in set.comes_back(&beside, &what) {
            let source = &report.sources[0];
            assert!(!source.is_good(), "{source:?}");
            assert!(said(source).contains(expected), "{source:?}");
        }
    }
    assert!(matches!(
        header::decode(&later),
        Err(HeaderFault::Version(2))
    ));
}

#[test]
fn doubled_appended_and_followed_by_garbage() {
    let mut tally = Tally::of("a share doubled, or followed by another or by garbage");
    let set = Set::new("rs", (2, 3), 2, 5);
    for index in 0..3 {
        let followed = |index: usize, by: &[u8]| [&set.shares[index], by].concat();
        let cases = [
            ("doubled", set.shares[index].clone()),
            (
                "with the next after it",
                set.shares[(index + 1) % 3].clone(),
            ),
            (
                "with the last after it",
                set.shares[(index + 2) % 3].clone(),
            ),
            ("followed by one byte", vec![0]),
            ("followed by garbage", noise(5000, 3)),
            ("followed by zeros", vec![0; 5000]),
        ];
        for (what, by) in &cases {
            let hurt = followed(index, by);
            let what = || format!("share {index} {what}");
            for report in set.comes_back(&set.without_spares(index, &hurt), &what) {
                assert!(report.is_proven(), "{}", what());
                assert_eq!(report.sources.last().unwrap().fault_count, 0);
            }
            // All of them so: nothing is left whose end is in its place.
            let all: Vec<Vec<u8>> = (0..3).map(|index| followed(index, by)).collect();
            for report in set.comes_back(&all, &what) {
                assert!(report.is_proven(), "all: {}: {report:?}", what());
            }
            tally.add("came back", 4);
        }
    }
    for index in 0..3 {
        set.comes_back(&set.with_a_spare(index, &[]), &|| {
            format!("share {index} empty")
        });
        set.fails(&set.without_spares(index, &[]), &|| {
            format!("share {index} empty")
        });
    }
    let mut empty = Tally::of("a share empty");
    empty.add("came back with a spare", 6);
    empty.add("refused without", 6);
}

#[test]
fn a_shard_altered_and_its_digests_recomputed() {
    let mut with_spare = Tally::of("a frame forged with right digests, one share to spare");
    let mut without = Tally::of("a frame forged with right digests, none to spare");
    let set = Set::new("rs", (4, 6), 3, 5);
    for hurt in 0..6 {
        for stripe in 0..set.anatomy.frames {
            let range = set.anatomy.stripe(stripe);
            let forged = forge(
                &set.shares[hurt][range.clone()],
                &set.common,
                |_, payload| payload[1] ^= 0x40,
            );
            let altered = splice(&set.shares[hurt], range, &forged);
            let what = || format!("frame {stripe} of share {hurt} forged");
            // One frame more than needed, whichever is left out: a set without the forged one
            // gives the digest.
            for left_out in (0..6).filter(|&index| index != hurt) {
                let mut five = set.with_spares(hurt, &altered);
                five.remove(left_out);
                set.comes_back(&five, &what);
                with_spare.add("came back", 2);
            }
            for error in set.fails(&set.without_spares(hurt, &altered), &what) {
                let DecodeError::Gather(GatherError::Unrecoverable {
                    stripe: named, why, ..
                }) = &error
                else {
                    panic!("{error}");
                };
                assert_eq!(*named, stripe as u64);
                assert!(why.contains("digest"), "{why}");
                without.count("refused, the stripe named");
            }
        }
    }
}

#[test]
fn a_frame_that_is_false_in_spite_of_its_digest_is_named() {
    let set = Set::new("rs", (4, 6), 3, 5);
    let range = set.anatomy.stripe(1);
    for hurt in 1..6 {
        let forged = forge(
            &set.shares[hurt][range.clone()],
            &set.common,
            |_, payload| payload[1] ^= 0x40,
        );
        let altered = splice(&set.shares[hurt], range.clone(), &forged);
        // Share 0 is lost, so that no set of frames is enough without parity.
        let five = set.with_spares(hurt, &altered).split_off(1);
        let reports = set.comes_back(&five, &|| format!("frame 1 of share {hurt} forged"));
        // Of files the data is read first; of pipes, and of parity, whatever comes first may do
        // without the false one.
        let named = |report: &DecodeReport| -> u64 {
            let hurt = |source: &&SourceOutcome| source.index == Some(hurt);
            report
                .sources
                .iter()
                .find(hurt)
                .map_or(0, |source| source.fault_count)
        };
        assert_eq!(named(&reports[0]), u64::from(hurt < 5), "share {hurt}");
        for report in &reports {
            let all: u64 = report.sources.iter().map(|source| source.fault_count).sum();
            assert_eq!(all, named(report), "none but share {hurt} is blamed");
        }
    }
}

/// Each share is a file or a pipe, by a bit of `pipes`; that of a whole file which is hidden has zeros behind it.
fn mixed(shares: &[Vec<u8>], pipes: usize, hidden: usize) -> Vec<Box<dyn Source>> {
    let source = |(at, share): (usize, &Vec<u8>)| {
        let mut share = share.clone();
        if hidden >> at & 1 == 1 {
            share.extend([0; 100]);
        }
        match pipes >> at & 1 {
            1 => MemorySource::pipe(at, share),
            _ => MemorySource::file(at, share),
        }
    };
    shares.iter().enumerate().map(source).collect()
}

#[test]
fn a_trailer_forged_for_each_number_of_stripes() {
    let mut with_spare = Tally::of("a trailer forged for each number of stripes, one to spare");
    let mut without = Tally::of("a trailer forged for each number of stripes, none to spare");
    for set in [
        Set::new("rs", (2, 3), 3, 19),
        Set::new("copy", (1, 2), 3, 5),
        Set::new("rs", (2, 3), 0, 0),
    ] {
        let n = set.shares.len();
        for told in 0..set.anatomy.frames + 2 {
            for (is_cut, index) in [(true, 0), (false, 0), (true, n - 1), (false, n - 1)] {
                let forged = retold(&set.shares[index], told, is_cut);
                let all = set.with_spares(index, &forged);
                for pipes in 0..1 << n {
                    let honest = !(1 << index);
                    for hidden in [0, honest] {
                        if !full() && ((told + pipes) % 2 == 0) == (hidden == 0) {
                            continue;
                        }
                        let what = || {
                            format!("share {index} tells of {told}, pipes {pipes:b}, {hidden:b}")
                        };
                        let sources = || mixed(&all, pipes, hidden);
                        let options = DecodeOptions::default();
                        let (data, report) = kit::decode_from(sources(), &options)
                            .unwrap_or_else(|error| panic!("{}: {error}", what()));
                        assert!(data == set.data, "{}: {} bytes", what(), data.len());
                        assert!(report.is_proven(), "{}", what());
                        let is_true = told == set.anatomy.frames;
                        let source = &report.sources[index];
                        assert!(source.is_good() || !is_true || hidden != 0, "{}", what());
                        let output = MemorySink::default();
                        let control = Control::new().0;
                        let saved =
                            salvage(sources(), Box::new(output.clone()), &options, &control)
                                .unwrap();
                        assert_eq!(saved.length, Some(data.len() as u64), "{}", what());
                        assert!(saved.missing.is_empty(), "{}", what());
                        assert!(output.0.lock().unwrap().bytes == data, "{}", what());
                        with_spare.add("came back", 2);
                        // Exactly, or not at all; of a copy nothing is left that would tell.
                        if set.k == 1 {
                            continue;
                        }
                        let mut few = all.clone();
                        few.remove((index + 1) % n);
                        match kit::decode_from(mixed(&few, pipes, hidden), &options) {
                            Ok((data, _)) => {
                                assert!(data == set.data, "{}: {} bytes", what(), data.len());
                                without.count("came back");
                            }
                            Err(_) => without.count("refused"),
                        }
                    }
                }
            }
        }
    }
}

/// A share of an empty stream that is forged, beside one whose first frame is lost.
#[test]
fn a_stream_is_not_empty_on_the_word_of_one_trailer_against_another() {
    for codec in [("rs", (2, 3)), ("copy", (1, 2))] {
        let set = Set::new(codec.0, codec.1, 2, 5);
        let first = set.anatomy.stripe(0).start;
        let hurt = flip(&set.shares[1], first + HEAD_LEN + 1);
        let shares = [retold(&set.shares[0], 0, true), hurt];
        for pipes in 0..4 {
            for order in [[0, 1], [1, 0]] {
                let shares = order.map(|at| shares[at].clone());
                let options = DecodeOptions::default();
                let result = kit::decode_from(mixed(&shares, pipes, 0), &options);
                assert!(result.is_err(), "{codec:?}, pipes {pipes:b}: {result:?}");
            }
        }
    }
}

#[test]
fn a_stripes_digest_forged_is_outvoted_or_refused() {
    let set = Set::new("rs", (4, 6), 3, 5);
    let range = set.anatomy.stripe(1);
    let forged = forge(&set.shares[0][range.clone()], &set.common, |head, _| {
        head.claim.digest = distdup::format::Digest::of(b"something else");
    });
    let altered = splice(&set.shares[0], range, &forged);
    let what = || "a frame that claims another digest for its stripe".into();
    set.comes_back(&set.with_spares(0, &altered), &what);
    // Its payload is right: the others' digest is confirmed with its help.
    set.comes_back(&set.without_spares(0, &altered), &what);
}

#[test]
fn two_stripes_that_as_many_frames_tell_are_both_refused() {
    let set = Set::new("rs", (2, 5), 1, 5);
    let other = Set::of_stream("rs", (2, 5), 1, 5, *b"some other one! ");
    let range = set.anatomy.stripe(0);
    let forged = |index: usize| {
        let there = &other.shares[index][range.clone()];
        let (told, _) = frame::read_head(there).unwrap();
        let forged = forge(
            &set.shares[index][range.clone()],
            &set.common,
            |head, payload| {
                payload.copy_from_slice(&there[HEAD_LEN..]);
                head.claim.digest = told.claim.digest;
            },
        );
        splice(&set.shares[index], range.clone(), &forged)
    };
    let honest = |index: usize| set.shares[index].clone();
    // Of files, whose data is read first: the two that come first differ, and the others are asked.
    // Of pipes, those that come first may be the k forged ones, and no digest is against them.
    let decode = |shares: &[Vec<u8>]| {
        set.decode(shares, false, &|| {
            "two shares against two, then three".into()
        })
    };
    let mut shares = vec![forged(0), honest(1), forged(2), honest(3)];
    let error = decode(&shares).unwrap_err();
    assert!(error.to_string().contains("each is whole"), "{error}");
    shares.push(honest(4));
    decode(&shares).unwrap();
}

#[test]
fn padding_that_is_not_zero_is_refused() {
    // A writer that fills up with what it has at hand: the digests are all right, and still the
    // stream has not been written as the format says.
    let set = Set::new("copy", (1, 2), 0, 0);
    assert!(set.data.is_empty(), "copy has no padding to speak of");
    let set = Set::new("rs", (2, 3), 0, 5);
    let range = set.anatomy.stripe(0);
    let mut payloads: Vec<Vec<u8>> = (0..2)
        .map(|index| set.shares[index][range.clone()][80..].to_vec())
        .collect();
    *payloads[1].last_mut().unwrap() = 0x55;
    let digest = distdup::format::digest::stripe_digest(
        payloads
            .iter()
            .map(|payload| distdup::format::Digest::of(payload)),
        5,
    );
    let forged: Vec<Vec<u8>> = (0..2)
        .map(|index| {
            let frame = forge(
                &set.shares[index][range.clone()],
                &set.common,
                |head, payload| {
                    payload.copy_from_slice(&payloads[index]);
                    head.claim.digest = digest;
                },
            );
            splice(&set.shares[index], range.clone(), &frame)
        })
        .collect();
    for error in set.fails(&forged, &|| "padding".into()) {
        assert!(error.to_string().contains("not zero"), "{error}");
    }
}

#[test]
fn header_destroyed_and_end_cut_off() {
    let set = Set::new("rs", (2, 3), 4, 19);
    let frames = set.anatomy.all_frames();
    for header in [noise(set.anatomy.header, 9), vec![0; set.anatomy.header]] {
        for index in 0..3 {
            let rest = &set.shares[index][frames.clone()];
            // Cut within the trailer: all frames are there, and every one is needed.
            let hurt = [&header, rest, b"\xdaddtr\x86"].concat();
            let what = || format!("share {index} without header and end");
            for report in set.comes_back(&set.without_spares(index, &hurt), &what) {
                let source = report.sources.last().unwrap();
                assert_eq!(source.frames, set.anatomy.frames as u64);
                assert_eq!(source.index, Some(index));
                assert!(!source.complete && !source.is_good());
                assert!(report.is_proven(), "the other one's trailer vouches");
            }
            // Cut within the last frame: that one must come from the spare, the others from here.
            let last = set.anatomy.frames - 1;
            let cut = [&header, &rest[..rest.len() - 3]].concat();
            let spare = (index + 1) % 3;
            let other = 3 - index - spare;
            let only_last = (0..last).fold(set.shares[spare].clone(), |share, stripe| {
                flip(&share, set.anatomy.stripe(stripe).start + 82)
            });
            let three = [set.shares[other].clone(), only_last, cut.clone()];
            set.comes_back(&three, &what);
            let [files, pipes] = set.fails(&set.without_spares(index, &cut), &|| {
                "last frame cut".into()
            });
            for error in [files, pipes] {
                let text = error.to_string();
                assert!(matches!(
                    error,
                    DecodeError::Gather(GatherError::Unrecoverable { stripe, .. })
                        if stripe == last as u64
                ));
                assert!(text.contains("cut off"), "{text}");
            }
        }
        // No share says what it is: then nothing can be had, and nothing is guessed.
        let nameless: Vec<Vec<u8>> = set
            .shares
            .iter()
            .map(|share| [&header, &share[frames.clone()]].concat())
            .collect();
        for error in set.fails(&nameless, &|| "all headers and ends gone".into()) {
            assert!(matches!(
                error,
                DecodeError::Choose(ChooseError::NoShares { .. })
            ));
        }
    }
}

#[test]
fn headers_alone_or_ends_alone_are_enough() {
    let set = Set::new("rs", (2, 3), 2, 19);
    let ends_only: Vec<Vec<u8>> = set
        .shares
        .iter()
        .map(|share| splice(share, 0..set.anatomy.header, &noise(set.anatomy.header, 5)))
        .collect();
    let what = || "no share has its header".into();
    set.decode(&ends_only, false, &what).unwrap();
    let headers_only: Vec<Vec<u8>> = set
        .shares
        .iter()
        .map(|share| share[..set.anatomy.trailer].to_vec())
        .collect();
    for report in set.comes_back(&headers_only, &|| "no share has its end".into()) {
        assert!(
            !report.is_proven(),
            "nothing says that the stream was completed"
        );
    }
}

#[test]
fn kinds_of_damage_are_told_apart() {
    let set = Set::new("rs", (2, 3), 4, 19);
    let other = Set::of_stream("rs", (2, 3), 4, 19, *b"but another one ");
    let stripe = set.anatomy.stripe(1);
    let share = &set.shares[0];
    let at = stripe.start;
    let cases: [(&str, Vec<u8>, String); 4] = [
        (
            "flipped",
            flip(share, at + 81),
            format!("damaged at byte {at}"),
        ),
        (
            "removed",
            splice(share, stripe.clone(), &[]),
            format!("missing: at byte {at} stripe 2 follows"),
        ),
        (
            "of another stream",
            splice(share, stripe.clone(), &other.shares[0][stripe.clone()]),
            format!("a frame of another stream ({})", other.common.stream()),
        ),
        (
            "of another share",
            splice(share, stripe.clone(), &set.shares[1][stripe.clone()]),
            "a frame of share 1 stands".into(),
        ),
    ];
    for (how, hurt, expected) in &cases {
        for (pipes, report) in set
            .comes_back(&set.with_spares(0, hurt), &|| (*how).into())
            .into_iter()
            .enumerate()
        {
            let source = &report.sources[0];
            assert_eq!(source.faults[0].stripe, 1, "{how}, pipes: {pipes}");
            let said = source.faults[0].flaw.to_string();
            assert!(said.contains(expected), "{how}, pipes: {pipes}: {said}");
        }
    }
    let cut = share[..at + 9].to_vec();
    for report in set.comes_back(&set.with_spares(0, &cut), &|| "cut off".into()) {
        assert!(said(&report.sources[0]).contains("incomplete"));
    }
    for error in set.fails(&set.without_spares(0, &cut), &|| "cut off".into()) {
        let cut_off = format!("cut off at byte {}", at + 9);
        assert!(error.to_string().contains(&cut_off), "{error}");
    }
    let inserted = splice(share, at..at, &[1, 2, 3]);
    for (pipes, report) in set
        .comes_back(&set.with_spares(0, &inserted), &|| "inserted".into())
        .into_iter()
        .enumerate()
    {
        let source = &report.sources[0];
        assert!(
            said(source).contains("inserted"),
            "pipes: {pipes}: {source:?}"
        );
    }
}
