//! Why: what is said of shares is what was done to them, and what a decode finds.
#![allow(
    clippy::unwrap_used,
    reason = "a test that panics has failed, as it should"
)]
#![allow(
    clippy::cast_possible_truncation,
    reason = "streams of a few hundred bytes"
)]

mod desk;
mod kit;

use std::time::Duration;

use desk::Desk;
use distdup::control::Control;
use distdup::decode::{DecodeOptions, FrameState};
use distdup::diagnosis::{Diagnosis, StreamDiagnosis, diagnose};
use distdup::format::ending::{FOOTER_LEN, Footer};
use distdup::source::Source;
use kit::anatomy::{Anatomy, flip, forge, retold, splice};
use kit::{MemorySource, code, decode_from, files, full, noise, options, pipes, shares};

/// Shards of so many bytes.
const SHARD: usize = 16;

fn why(sources: Vec<Box<dyn Source>>) -> Diagnosis {
    diagnose(sources, None, Duration::from_secs(10), &Control::new().0).unwrap()
}

fn the_stream(sources: Vec<Box<dyn Source>>) -> StreamDiagnosis {
    let mut found = why(sources);
    assert_eq!((found.streams.len(), found.strays.len()), (1, 0));
    found.streams.remove(0)
}

#[test]
fn it_agrees_with_decode_on_every_set_of_the_prototypes_code() {
    let code = code("xor", 6, 10);
    let data = noise(3 * 6 * SHARD + 5, 1);
    let shares = shares(&data, &options(code.clone(), SHARD as u64));
    let step = if full() { 1 } else { 7 };
    for set in (1..1_u32 << 10).step_by(step) {
        let present = || (0..10).filter(|share| set >> share & 1 == 1);
        let found = the_stream(files(&shares, present()));
        let decoded = decode_from(files(&shares, present()), &DecodeOptions::default()).is_ok();
        assert_eq!(found.is_recoverable(), decoded, "{set:b}");
        assert_eq!(found.lost.count, if decoded { 0 } else { 4 }, "{set:b}");
        // What it says would help does, and what it says is of no use is none.
        let with = |more: usize| (0..10).filter(move |at| set >> at & 1 == 1 || *at == more);
        let comes_back = |sources| decode_from(sources, &DecodeOptions::default()).is_ok();
        for missing in (0..10).filter(|share| !decoded && set >> share & 1 == 0) {
            let helps = found.remedy.helps.contains(&(missing, 4));
            let truth = comes_back(files(&shares, with(missing)));
            assert_eq!(helps, truth, "{set:b} and {missing}");
        }
        if let Some(fewest) = found.remedy.fewest {
            let all = (0..10).filter(|at| set >> at & 1 == 1 || fewest.contains(*at));
            assert!(comes_back(files(&shares, all)), "{set:b} and {fewest}");
        }
    }
}

#[test]
fn damage_is_where_it_was_done() {
    let shares = shares(
        &noise(9 * 64 + 5, 1),
        &options(code("rs", 4, 6), SHARD as u64),
    );
    let anatomy = Anatomy::of(&shares[0], SHARD);
    let rounds = if full() { 1000 } else { 40 };
    for round in 0..rounds {
        let dice = noise(6 * anatomy.frames, round);
        let is_bad = |share: usize, stripe: usize| {
            u64::from(dice[share * anatomy.frames + stripe]) < round * 200 / rounds
        };
        let hurt: Vec<Vec<u8>> = (0..6)
            .map(|share| {
                let bad = (0..anatomy.frames).filter(|&stripe| is_bad(share, stripe));
                bad.fold(shares[share].clone(), |bytes, stripe| {
                    flip(&bytes, anatomy.stripe(stripe).start + 81)
                })
            })
            .collect();
        for sources in [files(&hurt, 0..6), pipes(&hurt, 0..6)] {
            let found = the_stream(sources);
            assert_eq!(found.stripes, anatomy.frames as u64);
            for (share, state) in found.shares.iter().enumerate() {
                let told = state.faults.iter().flat_map(|fault| {
                    assert_eq!(fault.flaw.state(), FrameState::Damaged);
                    fault.stripe..fault.stripe + fault.count
                });
                let bad = (0..anatomy.frames).filter(|&stripe| is_bad(share, stripe));
                assert!(told.eq(bad.map(|stripe| stripe as u64)), "{round}");
                assert_eq!(state.is_whole, state.frames.damaged == 0, "{round}");
            }
            let lost = (0..anatomy.frames as u64)
                .filter(|&stripe| (0..6).filter(|&it| is_bad(it, stripe as usize)).count() > 2);
            let told = found.lost.ranges.iter().cloned().flatten();
            assert!(told.eq(lost), "{round}: {:?}", found.lost);
        }
    }
}

#[test]
fn a_share_cut_off_is_missing_from_there_on_and_one_without_a_name_is_known_by_its_frames() {
    let shares = shares(&noise(9 * 32, 1), &options(code("rs", 2, 3), SHARD as u64));
    let anatomy = Anatomy::of(&shares[0], SHARD);
    let cut = shares[0][..anatomy.stripe(5).start + 7].to_vec();
    let nameless = splice(&flip(&shares[1], 30), anatomy.trailer..anatomy.len, &[]);
    let given = [cut, nameless, shares[2].clone()];
    for sources in [files(&given, 0..3), pipes(&given, 0..3)] {
        let found = the_stream(sources);
        assert!(found.is_recoverable() && !found.is_flawless());
        assert_eq!(found.whole().iter().collect::<Vec<_>>(), [2]);
        let [first, second, _] = &found.shares[..] else {
            panic!("three shares");
        };
        assert_eq!((first.frames.good, first.frames.missing), (5, 4));
        assert_eq!((second.frames.good, second.is_whole), (9, false));
    }
}

/// Whoever wrote them was stopped between two stripes: all frames are good, and decode refuses.
#[test]
fn shares_that_all_end_before_the_stream_does_give_none() {
    let shares = shares(&noise(9 * 32, 1), &options(code("rs", 2, 3), SHARD as u64));
    let anatomy = Anatomy::of(&shares[0], SHARD);
    for stripe in [0, 5, 8] {
        let cut = |share: &Vec<u8>| share[..anatomy.stripe(stripe).start].to_vec();
        let cut: Vec<Vec<u8>> = shares.iter().map(cut).collect();
        for (sources, again) in [
            (files(&cut, 0..3), files(&cut, 0..3)),
            (pipes(&cut, 0..3), pipes(&cut, 0..3)),
        ] {
            let found = the_stream(sources);
            assert_eq!((found.stripes, found.lost.count), (stripe as u64, 0));
            assert!(!found.ends && !found.is_recoverable());
            assert!(decode_from(again, &DecodeOptions::default()).is_err());
        }
    }
}

#[test]
fn each_copy_of_a_share_is_spoken_of_by_itself() {
    let desk = Desk::with_input(3000);
    desk.exits(
        0,
        "distdup encode --codec rs16 -k 2 -n 3 --shard-size 512 -o 's{i}' in; cp s0 copy",
    );
    desk.damage("copy", 800);
    let said = desk.exits(3, "distdup why s0 copy s1 s2");
    assert!(
        said.text()
            .contains("share 0, copy: a copy that is not whole")
    );
    assert!(!said.text().contains("share 0, s0:"), "{}", said.text());
    desk.damage("s0", 300);
    let said = desk.exits(3, "distdup why s0 copy s1 s2");
    let both = "share 0, s0: a copy that is not whole\n  stripe 0";
    assert!(said.text().contains(both), "{}", said.text());
    assert!(
        said.text()
            .contains("all copies together: all of 3 frames good")
    );
}

#[test]
fn the_program_says_that_shares_end_before_the_stream_does() {
    let desk = Desk::with_input(5 * 2 * 1024);
    desk.exits(0, "distdup encode -k 2 -n 3 --shard-size 1024 -o 's{i}' in");
    let share = desk.read("s0");
    let footer = Footer::decode(&share[share.len() - FOOTER_LEN..]).unwrap();
    let len = footer.first_frame + 3 * 1104;
    desk.exits(0, &format!("truncate -s {len} s0 s1 s2"));
    let ran = desk.exits(1, "distdup why s* --json");
    let json = ran.json();
    assert_eq!(json["code"], "shares-incomplete");
    assert_eq!(json["streams"][0]["restorable"], false);
    let ran = desk.exits(1, "distdup why s*");
    let text = ran.text();
    assert!(text.contains("IT DOES NOT COME BACK: the shares end after stripe 3"));
    assert!(text.contains("distdup decode --salvage") && !text.contains("further share"));
    desk.exits(1, "distdup decode s* -o out");
}

#[test]
fn a_trailer_that_tells_of_more_stripes_than_can_be_counted_is_outvoted() {
    let mut shares = shares(&noise(100, 1), &options(code("rs", 2, 3), SHARD as u64));
    let anatomy = Anatomy::of(&shares[0], SHARD);
    let (header, _) = distdup::format::header::decode(&shares[0])
        .unwrap()
        .unwrap();
    let totals = distdup::format::Totals {
        length: (1 << 63) - 1,
        stripes: ((1_u64 << 63) - 1).div_ceil(32),
        digest: distdup::format::Digest::of(b"nothing"),
    };
    let ending = distdup::format::ending::encode(&header.common, 0, &totals, anatomy.header as u64);
    shares[0] = splice(&shares[0], anatomy.trailer..anatomy.len, &ending);
    for sources in [files(&shares, 0..3), pipes(&shares, 0..3)] {
        let found = the_stream(sources);
        assert_eq!((found.stripes, found.lost.count), (4, 0));
        assert!(found.is_recoverable() && !found.shares[0].is_whole);
    }
}

/// Each share is a file, or a pipe.
fn mixed(shares: &[Vec<u8>], pipes: usize) -> Vec<Box<dyn Source>> {
    let source = |(at, share): (usize, &Vec<u8>)| match pipes >> at & 1 {
        1 => MemorySource::pipe(at, share.clone()),
        _ => MemorySource::file(at, share.clone()),
    };
    shares.iter().enumerate().map(source).collect()
}

#[test]
fn a_trailer_forged_for_each_number_of_stripes_ends_no_stream() {
    for len in [0, 5 * 32 + 9] {
        let honest = shares(&noise(len, 1), &options(code("rs", 2, 3), SHARD as u64));
        let frames = Anatomy::of(&honest[0], SHARD).frames;
        for (told, is_cut) in (0..frames + 2).flat_map(|told| [(told, true), (told, false)]) {
            let mut given = honest.clone();
            given[0] = retold(&honest[0], told, is_cut);
            for kinds in 0..8 {
                let what = format!("{len} bytes, {told} told, pipes {kinds:b}, cut: {is_cut}");
                let found = the_stream(mixed(&given, kinds));
                assert_eq!(
                    (found.stripes, found.lost.count),
                    (frames as u64, 0),
                    "{what}"
                );
                assert!(found.is_recoverable(), "{what}");
                assert_eq!(found.is_flawless(), told == frames, "{what}");
                assert_eq!(found.length(), Some(len as u64), "{what}");
                // Without a spare: as decode, which finds more behind a trailer out of its place.
                let found = the_stream(mixed(&given[..2], kinds));
                let decoded = decode_from(mixed(&given[..2], kinds), &DecodeOptions::default());
                let is_had = decoded.is_ok();
                assert!(is_had || !found.is_recoverable(), "{what}: {decoded:?}");
                assert!(!is_had || !is_cut || found.is_recoverable(), "{what}");
            }
        }
    }
}

#[test]
fn a_frame_marked_falsely_as_the_last_ends_no_stream() {
    for (k, n) in [(2, 4), (3, 5)] {
        let honest = shares(
            &noise(4 * k * SHARD, 1),
            &options(code("rs", k, n), SHARD as u64),
        );
        let (header, _) = distdup::format::header::decode(&honest[0])
            .unwrap()
            .unwrap();
        let anatomy = Anatomy::of(&honest[0], SHARD);
        for (stripe, hurt) in (0..anatomy.frames).flat_map(|it| [(it, 0), (it, n - 1)]) {
            let range = anatomy.stripe(stripe);
            let frame = forge(&honest[hurt][range.clone()], &header.common, |head, _| {
                head.claim.last ^= true;
            });
            let forged = splice(&honest[hurt], range.clone(), &frame);
            // And whichever others are damaged there.
            for bad in (0..1 << n).filter(|bad| bad >> hurt & 1 == 0) {
                let share = |share: usize| match bad >> share & 1 {
                    _ if share == hurt => forged.clone(),
                    1 => flip(&honest[share], range.start + 81),
                    _ => honest[share].clone(),
                };
                let given: Vec<Vec<u8>> = (0..n).map(share).collect();
                for kinds in [0, (1 << n) - 1] {
                    let what = format!("stripe {stripe} of share {hurt}, {bad:b} bad, {kinds:b}");
                    let found = the_stream(mixed(&given, kinds));
                    let decoded = decode_from(mixed(&given, kinds), &DecodeOptions::default());
                    assert_eq!(
                        found.is_recoverable(),
                        decoded.is_ok(),
                        "{what}: {decoded:?}"
                    );
                    assert!(
                        !found.is_flawless() && !found.whole().contains(hurt),
                        "{what}"
                    );
                    assert!(!found.good.contains(hurt), "{what}");
                    assert_eq!(found.stripes, anatomy.frames as u64, "{what}");
                }
            }
        }
    }
}

#[test]
fn the_program_draws_a_map_and_says_what_to_do() {
    let desk = Desk::with_input(9 * 6 * 1024 + 100);
    desk.exits(
        0,
        "distdup encode --codec xor -k 6 -n 10 --shard-size 1024 -o 's{i}' in",
    );
    let ran = desk.exits(0, "distdup why s*");
    assert!(ran.text().contains("share 0    ##########\n"), "{ran:?}");
    assert!(ran.text().contains("IT COMES BACK"), "{ran:?}");

    // Stripe 4 of share 1, and stripes 6 to the end of share 2.
    let share = desk.read("s1");
    let footer = Footer::decode(&share[share.len() - FOOTER_LEN..]).unwrap();
    let header = footer.first_frame as usize;
    desk.damage("s1", header + 4 * 1104 + 500);
    desk.exits(0, &format!("truncate -s {} s2", header + 6 * 1104));
    for gone in 6..10 {
        desk.remove(&format!("s{gone}"));
    }
    let ran = desk.exits(1, "distdup why s*");
    for line in [
        "share 0    ##########\n",
        "share 1    ####x#####\n",
        "share 2    ######....\n",
        "share 9    ..........\n",
        "1 stripe a column",
        "stripe 4 (bytes 24576..30720): damaged at byte",
        "stream     ####!#!!!!\n",
        "IT DOES NOT COME BACK: 5 of 10 stripes cannot be had",
        "would bring",
        "distdup decode --salvage s0 s1 s2 s3 s4 s5 -o OUT",
    ] {
        assert!(ran.text().contains(line), "{line}: {}", ran.text());
    }
    let json = desk.exits(1, "distdup why s* --json").json();
    let stream = &json["streams"][0];
    assert_eq!(json["status"], "failed");
    assert_eq!(stream["restorable"], false);
    assert_eq!(stream["shares"][1]["faults"][0]["bytes"][0], 24576);
    assert_eq!(stream["shares"][2]["missing_frames"], 4);
    assert_eq!(stream["length"], 9 * 6 * 1024 + 100);

    // What is said can be had is.
    let json = desk
        .exits(1, "distdup decode --salvage s* -o part --json")
        .json();
    let input = desk.read("in");
    let mut expected = input.clone();
    for range in json["missing"].as_array().unwrap() {
        let at = |end: usize| range[end].as_u64().unwrap() as usize;
        expected[at(0)..at(1)].fill(0);
    }
    assert!(expected != input && desk.read("part") == expected);
    desk.exits(1, "distdup decode s* -o whole");
    assert!(!desk.at("whole").exists(), "never without being asked");
}

#[test]
fn a_stale_share_among_good_ones_is_told_apart() {
    let desk = Desk::with_input(3000);
    desk.exits(
        0,
        "distdup encode -k 4 -n 6 -o 'old{i}' in && distdup encode -k 4 -n 6 -o 'c{i}' in",
    );
    desk.exits(0, "cp old0 c0");
    let ran = desk.exits(3, "distdup why c?");
    assert_eq!(ran.text().matches("IT COMES BACK").count(), 1, "{ran:?}");
    assert_eq!(ran.text().matches("IT DOES NOT").count(), 1, "{ran:?}");
    let json = desk.exits(3, "distdup why c? --json").json();
    assert_eq!(json["status"], "degraded");
    let ran = desk.exits(0, "distdup verify c?");
    assert!(ran.text().contains("shares of 2 streams"), "{ran:?}");
    let texts = [
        "c0, a share of another stream",
        "leave what it would replace",
    ];
    desk.complains(2, "distdup repair c? -o 'c{i}' --force", &texts);
    desk.exits(
        0,
        "distdup repair c1 c2 c3 c4 c5 -o 'c{i}' --force && distdup why c?",
    );
    // Where none comes back, one is named.
    let texts = ["of 2 streams none comes back, such as stream "];
    desk.complains(1, "distdup why old0 c1", &texts);
    // A copy that is whole needs no other.
    let ran = desk.exits(3, "cp c0 dup && distdup why c0 dup c1 c2 c3");
    let line = "restore it by: distdup decode c0 c1 c2 c3 -o OUT";
    assert!(ran.text().contains(line), "{ran:?}");
}

#[test]
fn a_hopeless_set_is_called_so() {
    let desk = Desk::with_input(1000);
    desk.exits(
        0,
        "distdup encode --codec xor --equations '3^5^6,2^4^6,1^4^5,1^2^3' -k 6 -n 10 -o 's{i}' in",
    );
    // 1^2^3 is share 9: it adds nothing to shares 0, 1 and 2.
    let ran = desk.exits(1, "distdup why s0 s1 s2 s9 s3 s7");
    assert!(ran.text().contains("hopeless together"), "{}", ran.text());
    let ran = desk.exits(1, "distdup why s0 s1 s2");
    assert!(ran.text().contains("of no use: 9"));
}
