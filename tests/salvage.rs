//! A salvage brings up exactly what can be had, and names the rest: held against a count of good
//! frames for Reed-Solomon, and against all sums of good shards for xor.
#![allow(
    clippy::unwrap_used,
    reason = "a test that panics has failed, as it should"
)]
#![allow(
    clippy::single_range_in_vec_init,
    reason = "what is missing is often one"
)]
#![allow(
    clippy::cast_possible_truncation,
    reason = "streams of a few hundred bytes"
)]

mod kit;

use std::ops::Range;

use distdup::control::Control;
use distdup::decode::{
    ChooseError, DecodeError, DecodeOptions, GatherError, SalvageReport, decode, salvage,
};
use distdup::format::StreamId;
use distdup::source::Source;
use distdup_codecs::Geometry;
use kit::anatomy::{Anatomy, flip, forge};
use kit::{MemorySink, code, files, full, noise, options, pipes, shares};

/// Shards of so many bytes.
const SHARD: usize = 16;
/// The prototype's equations, as sets of data shards: bit i is shard i.
const XOR_6_10: [u32; 4] = [0b11_0100, 0b10_1010, 0b01_1001, 0b00_0111];

/// Whether data shard `wanted` is a sum of the shards in `good`, by trying all sums.
fn xor_gives(good: u32, wanted: usize) -> bool {
    let vector = |share: usize| match share {
        0..6 => 1 << share,
        _ => XOR_6_10[share - 6],
    };
    let shares: Vec<u32> = (0..10)
        .filter(|share| good >> share & 1 == 1)
        .map(vector)
        .collect();
    (0..1_u32 << shares.len()).any(|sum| {
        let of = (0..shares.len()).filter(|at| sum >> at & 1 == 1);
        of.fold(0, |total, at| total ^ shares[at]) == 1 << wanted
    })
}

/// Whether Reed-Solomon gives a data shard from these.
fn rs_gives(good: u32, k: u32, wanted: usize) -> bool {
    good.count_ones() >= k || good >> wanted & 1 == 1
}

struct Set {
    k: usize,
    n: usize,
    gives: fn(u32, usize) -> bool,
    data: Vec<u8>,
    shares: Vec<Vec<u8>>,
    anatomy: Anatomy,
}

impl Set {
    fn new(codec: &str, (k, n): (usize, usize), len: usize) -> Self {
        let data = noise(len, len as u64);
        let params = (codec == "xor").then_some("3^5^6,2^4^6,1^4^5,1^2^3");
        let code = distdup_codecs::resolve(codec, Geometry::new(k, n).unwrap(), params).unwrap();
        let shares = shares(&data, &options(code, SHARD as u64));
        let anatomy = Anatomy::of(&shares[0], SHARD);
        Self {
            k,
            n,
            gives: match (codec, k) {
                ("xor", _) => xor_gives,
                ("rs16", 2) => |good, wanted| rs_gives(good, 2, wanted),
                _ => |good, wanted| rs_gives(good, 4, wanted),
            },
            data,
            shares,
            anatomy,
        }
    }

    /// The bytes that are missing where `good` says which frames of each stripe are good.
    fn missing(&self, good: &[u32]) -> Vec<Range<u64>> {
        let mut ranges: Vec<Range<u64>> = Vec::new();
        let stripe_len = self.k * SHARD;
        for (stripe, good) in good.iter().enumerate() {
            let start = stripe * stripe_len;
            let len = stripe_len.min(self.data.len() - start);
            // rs16 shards are even.
            let unit = if self.n == 10 { 1 } else { 2 };
            let shard = len.div_ceil(self.k).next_multiple_of(unit);
            for wanted in 0..self.k {
                let from = (start + wanted * shard).min(start + len) as u64;
                let to = (start + (wanted + 1) * shard).min(start + len) as u64;
                if from == to || (self.gives)(*good, wanted) {
                    continue;
                }
                match ranges.last_mut() {
                    Some(last) if last.end == from => last.end = to,
                    _ => ranges.push(from..to),
                }
            }
        }
        ranges
    }

    /// The data with zeros there.
    fn with_zeros(&self, missing: &[Range<u64>]) -> Vec<u8> {
        let mut data = self.data.clone();
        for range in missing {
            data[range.start as usize..range.end as usize].fill(0);
        }
        data
    }
}

fn all_files(shares: &[Vec<u8>]) -> Vec<Box<dyn Source>> {
    files(shares, 0..shares.len())
}

fn run(sources: Vec<Box<dyn Source>>) -> Result<(Vec<u8>, SalvageReport), DecodeError> {
    let output = MemorySink::default();
    let report = salvage(
        sources,
        Box::new(output.clone()),
        &DecodeOptions::default(),
        &Control::new().0,
    )?;
    let taken = output.0.lock().unwrap().clone();
    assert!(taken.finished, "a salvage completes its output");
    assert_eq!(taken.bytes.len() as u64, report.written);
    Ok((taken.bytes, report))
}

#[test]
fn what_can_be_had_is_had_and_the_rest_is_named() {
    let rounds = if full() { 2000 } else { 60 };
    for (codec, geometry) in [("rs16", (2, 3)), ("rs16", (4, 6)), ("xor", (6, 10))] {
        let mut gaps = 0;
        for round in 0..rounds {
            let len = 1 + usize::from(noise(1, round)[0]) * 3;
            let set = Set::new(codec, geometry, len);
            let dice = noise(set.n * set.anatomy.frames, round + 7);
            // From hardly any damage to hardly anything left.
            let odds = (round * 255 / rounds) as u8;
            let mut good = vec![0_u32; set.anatomy.frames];
            let mut hurt = set.shares.clone();
            for (share, bytes) in hurt.iter_mut().enumerate() {
                for stripe in 0..set.anatomy.frames {
                    if dice[share * set.anatomy.frames + stripe] < odds {
                        *bytes = flip(bytes, set.anatomy.stripe(stripe).end - 1);
                    } else {
                        good[stripe] |= 1 << share;
                    }
                }
            }
            let missing = set.missing(&good);
            gaps += missing.len();
            for sources in [all_files(&hurt), pipes(&hurt, 0..set.n)] {
                let what = format!("{codec} {geometry:?}, round {round}, {len} bytes");
                let (out, report) = run(sources).unwrap();
                assert_eq!(report.missing, missing, "{what}");
                assert_eq!(report.length, Some(len as u64), "{what}");
                assert!(out == set.with_zeros(&missing), "{what}: differs");
                // Where a short stripe's bytes are there and its padding is not, none vouches for it.
                let whole = good
                    .iter()
                    .all(|good| (0..set.k).all(|at| (set.gives)(*good, at)));
                assert_eq!(report.into_whole().is_ok(), whole, "{what}");
            }
        }
        assert!(gaps > 20, "{codec}: the damage went beyond the code");
    }
}

#[test]
fn whole_shares_too_few_for_the_code_give_their_own_data() {
    let set = Set::new("rs16", (4, 6), 5 * 64 + 9);
    for chosen in 1..1_u32 << 6 {
        let present = || (0..6).filter(|share| chosen >> share & 1 == 1);
        let missing = set.missing(&vec![chosen; set.anatomy.frames]);
        for sources in [files(&set.shares, present()), pipes(&set.shares, present())] {
            let (out, report) = run(sources).unwrap();
            assert_eq!(report.missing, missing, "{chosen:b}");
            assert!(out == set.with_zeros(&missing), "{chosen:b}");
        }
    }
}

#[test]
fn without_any_end_the_length_is_not_known_and_it_says_so() {
    let set = Set::new("rs16", (2, 3), 6 * 32 + 9);
    // All are cut within stripe 4's frame.
    let cut: Vec<Vec<u8>> = set
        .shares
        .iter()
        .map(|share| share[..set.anatomy.stripe(4).start + 20].to_vec())
        .collect();
    for sources in [all_files(&cut), pipes(&cut, 0..3)] {
        let (out, report) = run(sources).unwrap();
        assert_eq!((report.length, report.written), (None, 4 * 32));
        assert_eq!(report.missing, []);
        assert!(out == set.data[..4 * 32]);
        assert!(
            report.into_whole().is_err(),
            "nobody can say that it is whole"
        );
    }
    // One was cut later, within stripe 5: of stripe 4 its frame tells, and has the first half.
    let mut half = cut.clone();
    half[0] = set.shares[0][..set.anatomy.stripe(5).start + 20].to_vec();
    for sources in [all_files(&half), pipes(&half, 0..3)] {
        let (out, report) = run(sources).unwrap();
        assert_eq!((report.length, report.written), (None, 5 * 32));
        assert_eq!(report.missing, [144..160]);
        assert!(out == set.with_zeros(&[144..160])[..5 * 32]);
    }
    // One was cut later, and has the last stripe's frame, but no trailer.
    let mut later = cut;
    later[0] = set.shares[0][..set.anatomy.trailer].to_vec();
    for sources in [all_files(&later), pipes(&later, 0..3)] {
        let (_, report) = run(sources).unwrap();
        assert_eq!(report.length, Some(set.data.len() as u64));
        assert_eq!(report.missing, [144..160, 176..192, 198..201]);
    }
}

#[test]
fn the_last_stripe_lost_is_as_long_as_a_trailer_says() {
    let set = Set::new("rs16", (2, 3), 3 * 32 + 9);
    let hurt: Vec<Vec<u8>> = set
        .shares
        .iter()
        .map(|share| flip(share, set.anatomy.trailer - 1))
        .collect();
    for sources in [all_files(&hurt), pipes(&hurt, 0..3)] {
        let (out, report) = run(sources).unwrap();
        assert_eq!(report.length, Some(3 * 32 + 9));
        assert_eq!(report.missing, [96..105]);
        assert!(out == set.with_zeros(&[96..105]));
        assert!(report.sources.iter().all(|source| source.complete));
    }
}

#[test]
fn frames_that_are_right_each_and_wrong_together_give_nothing() {
    let set = Set::new("rs16", (2, 3), 4 * 32);
    let common = distdup::format::header::decode(&set.shares[0])
        .unwrap()
        .unwrap()
        .0
        .common;
    let range = set.anatomy.stripe(1);
    let mut hurt = set.shares.clone();
    let forged = forge(&hurt[0][range.clone()], &common, |_, payload| {
        payload[3] ^= 1;
    });
    hurt[0].splice(range.clone(), forged);
    hurt[2] = flip(&hurt[2], range.end - 1);
    for sources in [all_files(&hurt), pipes(&hurt, 0..3)] {
        let (out, report) = run(sources).unwrap();
        assert_eq!(report.missing, [32..64]);
        assert!(out == set.with_zeros(&[32..64]));
    }
}

#[test]
fn what_is_whole_is_decoded_as_ever_and_what_is_none_refused() {
    let set = Set::new("rs16", (2, 3), 0);
    let (out, report) = run(files(&set.shares, [1])).unwrap();
    assert!(out.is_empty() && report.into_whole().unwrap().is_proven());

    let error = run(files(&[noise(500, 1)], [0])).unwrap_err();
    assert!(matches!(
        error,
        DecodeError::Choose(ChooseError::NoShares { .. })
    ));
    let set = Set::new("rs16", (2, 3), 100);
    let other = {
        let mut options = options(code("rs16", 2, 3), SHARD as u64);
        options.identity.as_mut().unwrap().stream = StreamId([9; 16]);
        shares(&noise(99, 1), &options)
    };
    let both = [set.shares[0].clone(), other[1].clone()];
    let error = run(files(&both, [0, 1])).unwrap_err();
    assert!(matches!(
        error,
        DecodeError::Choose(ChooseError::Ambiguous { .. })
    ));
}

#[test]
fn decode_itself_still_stops_at_what_is_lost() {
    let set = Set::new("rs16", (2, 3), 4 * 32);
    let hurt: Vec<Vec<u8>> = set
        .shares
        .iter()
        .map(|share| flip(share, set.anatomy.stripe(2).end - 1))
        .collect();
    let output = MemorySink::default();
    let sources = all_files(&hurt);
    let options = DecodeOptions::default();
    let result = decode(
        sources,
        Box::new(output.clone()),
        &options,
        &Control::new().0,
    );
    assert!(matches!(
        result.unwrap_err(),
        DecodeError::Gather(GatherError::Unrecoverable { stripe: 2, .. })
    ));
    assert!(!output.0.lock().unwrap().finished);
}
