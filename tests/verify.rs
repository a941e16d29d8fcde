//! One share vouches for itself: verify finds every kind of damage, and says in which stripe and at
//! which byte.
#![allow(
    clippy::unwrap_used,
    reason = "a test that panics has failed, as it should"
)]

mod desk;
mod kit;

use desk::Desk;
use distdup::agreement::{agreement, is_cancelled};
use distdup::control::Control;
use distdup::decode::{DecodeOptions, SourceFailure};
use distdup::format::{StreamId, ending};
use distdup::verify::{Subset, Verdict, inspect, verify, verify_subset};
use kit::anatomy::{Anatomy, flip, forge, splice};
use kit::{MemorySource, code, noise, options, said, shares};
use serde_json::json;

/// Shards of so many bytes.
const SHARD: usize = 16;

fn set(len: usize) -> Vec<Vec<u8>> {
    shares(&noise(len, 1), &options(code("rs", 2, 3), SHARD as u64))
}

/// Verified alone, as a file and as a pipe.
fn both(share: &[u8]) -> [(&'static str, Verdict); 2] {
    let one = |source| {
        let mut verdicts = verify(vec![source], &Control::new().0).unwrap();
        verdicts.remove(0)
    };
    [
        ("file", one(MemorySource::file(7, share.to_vec()))),
        ("pipe", one(MemorySource::pipe(7, share.to_vec()))),
    ]
}

/// The one fault that is found, and nothing else is wrong with a frame.
fn the_fault(verdict: &Verdict, what: &str) -> (u64, String) {
    assert!(!verdict.is_whole(), "{what}");
    assert_eq!(verdict.outcome.fault_count, 1, "{what}: {verdict:?}");
    let fault = &verdict.outcome.faults[0];
    (fault.stripe, fault.flaw.to_string())
}

#[test]
fn whole_shares_of_every_length_are_whole() {
    for len in [0, 1, 31, 32, 33, 64, 65, 5 * 32 + 7] {
        for (index, share) in set(len).iter().enumerate() {
            for (how, verdict) in both(share) {
                assert!(verdict.is_whole(), "{len} bytes, {how}: {verdict:?}");
                assert_eq!(verdict.outcome.index, Some(index));
                assert_eq!(verdict.totals.unwrap().length, len as u64);
                assert_eq!(verdict.outcome.frames, len.div_ceil(32) as u64);
                assert_eq!(verdict.following, 0);
            }
        }
    }
}

#[test]
fn a_share_with_any_byte_changed_is_not_whole() {
    let share = &set(2 * 32 + 9)[1];
    let anatomy = Anatomy::of(share, SHARD);
    for at in 0..share.len() {
        for (how, verdict) in both(&flip(share, at)) {
            assert!(!verdict.is_whole(), "byte {at}, {how}: {verdict:?}");
            let stripe = (0..anatomy.frames).find(|&stripe| anatomy.stripe(stripe).contains(&at));
            let faults = &verdict.outcome.faults;
            match stripe {
                Some(stripe) => {
                    assert_eq!(
                        verdict.outcome.fault_count, 1,
                        "byte {at}, {how}: {faults:?}"
                    );
                    assert_eq!(faults[0].stripe, stripe as u64, "byte {at}, {how}");
                    let start = anatomy.stripe(stripe).start;
                    assert!(
                        faults[0]
                            .flaw
                            .to_string()
                            .contains(&format!("at byte {start}")),
                        "byte {at}, {how}: {faults:?}"
                    );
                    assert_eq!(verdict.outcome.frames, anatomy.frames as u64 - 1);
                }
                None => assert!(faults.is_empty(), "byte {at}, {how}: {faults:?}"),
            }
        }
    }
}

#[test]
fn a_share_cut_anywhere_is_not_whole_and_says_where_it_ends() {
    let share = &set(2 * 32 + 9)[1];
    let anatomy = Anatomy::of(share, SHARD);
    for len in 0..share.len() {
        for (how, verdict) in both(&share[..len]) {
            assert!(!verdict.is_whole(), "{len} bytes, {how}");
            if len >= anatomy.header {
                let said = said(&verdict.outcome);
                assert!(said.contains("incomplete: cut off"), "{len}, {how}: {said}");
                assert!(
                    said.contains(&format!("byte {len}")),
                    "{len}, {how}: {said}"
                );
            } else {
                assert!(
                    matches!(verdict.outcome.failure, Some(SourceFailure::NoShare(_))),
                    "{len}, {how}: {verdict:?}"
                );
            }
        }
    }
}

#[test]
fn frames_damaged_missing_and_foreign_are_told_apart_at_their_place() {
    let shares = set(5 * 32 + 9);
    let other = {
        let mut options = options(code("rs", 2, 3), SHARD as u64);
        options.identity.as_mut().unwrap().stream = StreamId([9; 16]);
        kit::shares(&noise(5 * 32 + 9, 1), &options)
    };
    let share = &shares[0];
    let anatomy = Anatomy::of(share, SHARD);
    for stripe in 0..anatomy.frames {
        let range = anatomy.stripe(stripe);
        let at = range.start;
        let next = if stripe + 1 < anatomy.frames {
            format!("missing: at byte {at} stripe {} follows", stripe + 1)
        } else {
            format!("missing: at byte {at} the trailer follows")
        };
        let cases = [
            (
                "damaged",
                flip(share, at + 80),
                format!("damaged at byte {at}: digest differs"),
            ),
            ("removed", splice(share, range.clone(), &[]), next),
            (
                "of another stream",
                splice(share, range.clone(), &other[0][range.clone()]),
                format!(
                    "a frame of another stream ({}) stands at byte {at}",
                    StreamId([9; 16])
                ),
            ),
            (
                "of another share",
                splice(share, range.clone(), &shares[2][range.clone()]),
                format!("a frame of share 2 stands at byte {at}"),
            ),
        ];
        for (kind, hurt, expected) in cases {
            for (how, verdict) in both(&hurt) {
                let what = format!("frame {stripe} {kind}, {how}");
                let (found, said) = the_fault(&verdict, &what);
                assert_eq!((found, said), (stripe as u64, expected.clone()), "{what}");
            }
        }
    }
}

#[test]
fn bytes_inserted_anywhere_between_frames_cost_no_frame_and_are_noticed() {
    let share = &set(4 * 32 + 9)[0];
    let anatomy = Anatomy::of(share, SHARD);
    for stripe in 0..anatomy.frames {
        for count in [1, 80, anatomy.frame, 3000] {
            let at = anatomy.stripe(stripe).start;
            for (how, verdict) in both(&splice(share, at..at, &noise(count, 8))) {
                let what = format!("{count} bytes before stripe {stripe}, {how}: {verdict:?}");
                assert!(!verdict.is_whole(), "{what}");
                assert_eq!(verdict.outcome.fault_count, 0, "{what}");
                assert_eq!(verdict.outcome.frames, anatomy.frames as u64, "{what}");
                let said = said(&verdict.outcome);
                assert!(said.contains("bytes were inserted or lost"), "{what}");
            }
        }
    }
}

#[test]
fn several_frames_damaged_are_each_named() {
    let share = &set(6 * 32 + 9)[0];
    let anatomy = Anatomy::of(share, SHARD);
    for set in 1..1_u32 << anatomy.frames {
        let damaged = (0..anatomy.frames).filter(|stripe| set >> stripe & 1 == 1);
        let hurt = damaged.clone().fold(share.clone(), |share, stripe| {
            flip(&share, anatomy.stripe(stripe).start + 83)
        });
        for (how, verdict) in both(&hurt) {
            let found = verdict.outcome.faults.iter().map(|fault| fault.stripe);
            assert!(
                found.eq(damaged.clone().map(|stripe| stripe as u64)),
                "{how}: {verdict:?}"
            );
            assert!(verdict.totals.is_some(), "its trailer is good");
        }
    }
}

#[test]
fn what_follows_a_share_is_no_part_of_it() {
    let share = &set(2 * 32 + 9)[0];
    for count in [1, 64, 5000] {
        let followed = [&share[..], &noise(count, 3)].concat();
        let [(_, file), (_, pipe)] = both(&followed);
        assert!(file.is_whole() && pipe.is_whole(), "{file:?} {pipe:?}");
        assert_eq!(file.following, count as u64);
    }
}

#[test]
fn a_share_after_a_share_is_noticed() {
    let shares = set(2 * 32 + 9);
    for second in [&shares[0], &shares[1]] {
        let [(_, file), (_, pipe)] = both(&[&shares[0][..], second].concat());
        assert!(!file.is_whole(), "{file:?}");
        assert!(pipe.is_whole(), "all that a pipe's reader looks at is good");
    }
}

#[test]
fn what_is_no_share_is_said_to_be_none() {
    let mut later = set(9)[0].clone();
    later[9] = 7;
    later.truncate(300);
    for (bytes, expected) in [
        (Vec::new(), "empty"),
        (noise(5000, 1), "does not begin as a share does"),
        (later, "format version 7"),
    ] {
        for (how, verdict) in both(&bytes) {
            let Some(SourceFailure::NoShare(said)) = &verdict.outcome.failure else {
                panic!("{how}: {verdict:?}");
            };
            assert!(said.contains(expected), "{how}: {said}");
        }
    }
}

#[test]
fn inspect_says_what_header_and_ending_say() {
    let share = &set(2 * 32 + 9)[2];
    let looked = inspect(MemorySource::file(4, share.clone())).unwrap();
    assert_eq!(looked.name, "4");
    assert_eq!(looked.len, Some(share.len() as u64));
    let (common, index) = looked.claims.unwrap();
    assert_eq!(
        (index, common.shard_len(), common.min_shares()),
        (2, SHARD, 2)
    );
    let ending = looked.ending.unwrap();
    assert!(ending.in_place() && looked.fault.is_none());
    assert_eq!(ending.trailer.totals.length, 2 * 32 + 9);

    let looked = inspect(MemorySource::file(4, flip(share, 30))).unwrap();
    assert_eq!(looked.claims.unwrap().1, 2, "the trailer says it, too");
    assert!(looked.fault.is_some());
}

#[test]
fn a_trailer_that_tells_of_more_stripes_than_can_be_counted_ends_at_once() {
    let set = set(100);
    let anatomy = Anatomy::of(&set[0], SHARD);
    let inspection = inspect(MemorySource::file(0, set[0].clone())).unwrap();
    let (common, index) = inspection.claims.unwrap();
    let mut totals = inspection.ending.unwrap().trailer.totals;
    totals.length = (1 << 63) - 1;
    totals.stripes = totals.length.div_ceil(common.stripe_len() as u64);
    let ending = ending::encode(&common, index, &totals, anatomy.header as u64);
    let share = splice(&set[0], anatomy.trailer..anatomy.len, &ending);
    for (how, verdict) in both(&share) {
        assert!(!verdict.is_whole(), "{how}");
        assert!(verdict.outcome.fault_count > 1 << 50, "{how}: {verdict:?}");
        assert!(verdict.outcome.faults.len() < 3, "{how}: {verdict:?}");
    }
}

#[test]
fn a_sample_is_spread_out_and_finds_what_it_reads() {
    let share = &set(100 * 32)[0];
    let anatomy = Anatomy::of(share, SHARD);
    let look = |share: &[u8], per_million, seed| {
        let source = vec![MemorySource::file(0, share.to_vec())];
        let subset = Some(Subset { per_million, seed });
        verify_subset(source, subset, &Control::new().0)
            .unwrap()
            .remove(0)
    };
    for (per_million, frames) in [(1, 1), (10_000, 1), (100_000, 10), (1_000_000, 100)] {
        let verdict = look(share, per_million, 7);
        assert!(verdict.is_whole() && verdict.sampled, "{verdict:?}");
        assert_eq!(verdict.outcome.frames, frames);
    }
    // Over many seeds each damaged frame is found, in a tenth of them, and never named wrong.
    for stripe in [0, 49, 99] {
        let hurt = flip(share, anatomy.stripe(stripe).start + 85);
        let found = (0..400)
            .filter(|&seed| {
                let verdict = look(&hurt, 100_000, seed);
                let faults = &verdict.outcome.faults;
                assert!(faults.iter().all(|fault| fault.stripe == stripe as u64));
                assert_eq!(verdict.is_whole(), faults.is_empty());
                !faults.is_empty()
            })
            .count();
        assert!((15..80).contains(&found), "stripe {stripe}: {found} of 400");
    }
    // Without an ending in its place nothing tells what there is: it is read in full.
    let cut = &share[..anatomy.trailer];
    let verdict = look(cut, 100_000, 1);
    assert!(!verdict.sampled && verdict.outcome.frames == 100);
}

/// Parity, or data, forged with right digests: each share is whole by itself, and the others tell.
#[test]
fn a_share_forged_with_right_digests_disagrees_with_the_others() {
    let desk = Desk::new();
    let good = shares(
        &noise(5 * 64 + 7, 1),
        &options(code("rs8", 4, 6), SHARD as u64),
    );
    for forged in 0..6 {
        let place = Anatomy::of(&good[forged], SHARD).stripe(3);
        let common = inspect(MemorySource::file(0, good[0].clone())).unwrap();
        let (common, _) = common.claims.unwrap();
        let frame = forge(&good[forged][place.clone()], &common, |_, payload| {
            payload[5] ^= 1;
        });
        let share = splice(&good[forged], place.clone(), &frame);
        let (_, verdict) = &both(&share)[0];
        assert!(verdict.is_whole(), "{forged}: it vouches for itself");

        for (index, bytes) in good.iter().enumerate() {
            let bytes = if index == forged { &share } else { bytes };
            desk.write(&format!("s{index}"), bytes);
        }
        desk.exits(0, "distdup verify s0 s1 s2 s3 s4 s5");
        let ran = desk.sh("distdup --json verify --parity s0 s1 s2 s3 s4 s5");
        assert_eq!(ran.code, Some(3), "{forged}: {ran:?}");
        let parity = &ran.json()["streams"][0]["parity"];
        assert_eq!(parity["agree"], false, "{parity}");
        let true_ones = (0..6).filter(|index| *index != forged);
        let true_ones: Vec<_> = true_ones.map(|i| format!("share {i}, s{i}")).collect();
        assert_eq!(parity["sets"], json!([true_ones]), "{parity}");
        assert_eq!(
            parity["apart"],
            json!([format!("share {forged}, s{forged}")])
        );
        let told = &parity["differ"];
        assert_eq!(told.as_array().unwrap().len(), 1, "{told}");
        assert_eq!(told[0]["index"], forged, "{told}");
        // Of frames of one stripe, whatever precedes the payload is as it was but for the check.
        let at = told[0]["bytes"].as_u64().unwrap();
        assert!(
            usize::try_from(at).unwrap() <= place.start + frame.len(),
            "{told}"
        );
        desk.complains(3, "distdup verify --parity s0 s1 s2 s3 s4 s5", &[]);
    }
    for (index, bytes) in good.iter().enumerate() {
        desk.write(&format!("s{index}"), bytes);
    }
    desk.exits(0, "distdup verify --parity s0 s1 s2 s3 s4 s5");
}

/// What is printed is run as it stands, and then all shares are whole.
#[test]
fn what_it_says_would_mend_shares_does() {
    let desk = Desk::with_input(3000);
    let make = "rm -f ./s? SHARE? ./-s; distdup encode --codec rs16 -k 2 -n 3 --shard-size 512 -o 's{i}' in";
    let hurt = "printf XXXX | dd bs=1 conv=notrunc status=none of=";
    for (before, shares, then) in [
        (": >s0", "s0 s1 s2", "s0 s1 s2"),
        ("truncate -s 20 s2", "s2 s1 s0", "s0 s1 s2"),
        ("rm s1", "s0 s1 s2", "s0 s1 s2"),
        // Nothing that is none of the shares is written over.
        ("rm s1", "s0 in s2", "s0 SHARE1 s2"),
        ("mv s0 ./-s; HURTs seek=1000", "./-s s1 s2", "./-s s1 s2"),
        ("HURT0 seek=1000", "'exec:cat s0' s1 s2", "SHARE0 s1 s2"),
        ("cp s0 s3; HURT3 seek=1000", "s0 s3 s1 s2", "s0 s3 s1 s2"),
        (
            "cp s0 s3; HURT3 seek=1000; HURT0 seek=300; rm s2",
            "s0 s3 s1",
            "s0 s3 s1 SHARE2",
        ),
    ] {
        for (command, mark) in [("verify", "repair: "), ("why", "mend it by: ")] {
            desk.exits(0, make);
            let before = before.replace("HURTs", &format!("{hurt}./-s"));
            desk.exits(0, &before.replace("HURT", &format!("{hurt}s")));
            let said = desk.exits(3, &format!("distdup {command} {shares}"));
            let mend = said.text().lines().find_map(|line| line.strip_prefix(mark));
            let mend = mend.unwrap_or_else(|| panic!("{said:?}"));
            desk.exits(0, mend);
            desk.exits(0, &format!("distdup verify {then}"));
        }
    }
    assert_eq!(desk.read("in").len(), 3000);
    desk.exits(
        0,
        &format!("{make}; truncate -s 20 s2; distdup repair s0 s1 s2 -o 's{{i}}' --force"),
    );
    desk.exits(0, "distdup verify s0 s1 s2");
}

/// The share with a byte of its first frame's payload changed, and right digests.
fn forged(share: &[u8]) -> Vec<u8> {
    let place = Anatomy::of(share, SHARD).stripe(0);
    let common = inspect(MemorySource::file(0, share.to_vec())).unwrap();
    let (common, _) = common.claims.unwrap();
    let frame = forge(&share[place.clone()], &common, |_, payload| payload[5] ^= 1);
    splice(share, place, &frame)
}

/// A desk with what `copy`, `xor` and `rs8` make of a stream, and the same forged.
fn forger() -> Desk {
    let desk = Desk::new();
    for (name, code) in [
        ("p", code("xor", 2, 3)),
        ("r", code("rs8", 4, 6)),
        ("c", code("copy", 1, 3)),
    ] {
        let options = options(code, SHARD as u64);
        // Of k = 1, what is forged is another stream altogether, of the same name.
        let other = shares(&noise(100, 2), &options);
        for (index, share) in shares(&noise(100, 1), &options).iter().enumerate() {
            desk.write(&format!("{name}{index}"), share);
            let forged = if name == "c" {
                other[index].clone()
            } else {
                forged(share)
            };
            desk.write(&format!("{name}f{index}"), &forged);
        }
    }
    let mut other = options(code("xor", 2, 3), SHARD as u64);
    other.identity.as_mut().unwrap().stream = StreamId([9; 16]);
    for (index, share) in shares(&noise(100, 3), &other).iter().enumerate() {
        desk.write(&format!("s{index}"), share);
    }
    desk
}

#[test]
fn shares_of_which_none_can_be_spared_are_not_said_to_agree() {
    let desk = forger();
    for (shares, compared) in [
        ("pf0 p1", &[false][..]),
        ("p0", &[false]),
        ("c0", &[false]),
        ("p0 p1 p2 s0", &[true, false]),
        ("p0 p1 p2 s0 s1", &[true, false]),
    ] {
        let ran = desk.exits(3, &format!("distdup verify --parity {shares}"));
        assert!(ran.text().contains("NOT COMPARED: no share to spare"));
        let ran = desk.exits(3, &format!("distdup verify --parity {shares} --json"));
        let json = ran.json();
        assert_eq!(json["status"], "degraded");
        let streams = json["streams"].as_array().unwrap().iter();
        let found: Vec<_> = streams
            .map(|it| it["parity"]["compared"].as_bool().unwrap())
            .collect();
        assert_eq!(found, compared, "{shares}");
    }
    let ran = desk.exits(0, "distdup verify --parity p0 p1 p2 s0 s1 s2");
    assert_eq!(ran.text().matches("agree with one another").count(), 2);
}

#[test]
fn a_second_share_of_the_same_index_is_compared_too() {
    let desk = forger();
    desk.exits(0, "distdup verify --parity p0 p1 p2 p2 p0");
    for (shares, set, apart) in [
        ("p0 p1 p2 pf2", &[0, 1, 2][..], 3),
        ("p0 pf0 p1 p2", &[0, 2, 3], 1),
        ("pf0 p0 p1", &[1, 2], 0),
    ] {
        let ran = desk.exits(3, &format!("distdup verify --parity {shares} --json"));
        let names: Vec<&str> = shares.split(' ').collect();
        let called =
            |at: usize| format!("share {}, {}", &names[at][names[at].len() - 1..], names[at]);
        let set: Vec<_> = set.iter().map(|at| called(*at)).collect();
        let parity = &ran.json()["streams"][0]["parity"];
        assert_eq!(parity["sets"], json!([set]), "{shares}");
        assert_eq!(parity["apart"], json!([called(apart)]), "{shares}");
    }
}

/// Which of two sets is true cannot be told, and so nobody is accused.
#[test]
fn of_sets_that_disagree_none_is_said_to_be_true() {
    let desk = forger();
    let sets = |shares: &str| {
        let ran = desk.exits(3, &format!("distdup verify --parity {shares}"));
        assert!(ran.text().contains("nothing tells which are true"));
        assert!(!ran.text().contains("repair"), "{ran:?}");
        let ran = desk.exits(3, &format!("distdup verify --parity {shares} --json"));
        let parity = &ran.json()["streams"][0]["parity"];
        (parity["sets"].clone(), parity["apart"].clone())
    };
    let (one, two) = ("share 0, cf0", ["share 1, c1", "share 2, c2"]);
    assert_eq!(sets("cf0 c1 c2"), (json!([[one], two]), json!([])));
    assert_eq!(sets("c1 c2 cf0"), (json!([[one], two]), json!([])));
    assert_eq!(sets("cf0 c1"), (json!([[one], [two[0]]]), json!([])));
    let found = sets("rf0 rf1 r2 r3 r4 r5");
    let true_ones = ["share 2, r2", "share 3, r3", "share 4, r4", "share 5, r5"];
    let apart = ["share 0, rf0", "share 1, rf1"];
    assert_eq!(found, (json!([true_ones]), json!(apart)));
}

#[test]
fn what_was_found_of_each_share_is_told_if_they_cannot_be_compared() {
    let desk = forger();
    let ran = desk.exits(1, "distdup verify --parity pf0 pf1 p2");
    assert_eq!(ran.text().matches("whole, of 3").count(), 3, "{ran:?}");
    assert!(ran.err.contains("could not be held against each other"));
    let json = desk
        .exits(1, "distdup verify --parity --json pf0 pf1 p2")
        .json();
    assert_eq!(json["restorable"], false, "{json}");
    assert_eq!(json["streams"][0]["restorable"], false, "{json}");
    let ran = desk.exits(1, "distdup verify --parity --json pf0 pf1 p2");
    let json = ran.json();
    assert_eq!(
        (&json["status"], &json["code"]),
        (&json!("failed"), &json!("stripe-lost"))
    );
    assert_eq!(json["shares"].as_array().unwrap().len(), 3);
    // What is asked of them does not suit what they are: known before they are read.
    desk.complains(
        2,
        "distdup verify --parity p0 'exec:cat p1; touch read' p2",
        &["a second time"],
    );
    assert!(!desk.names().contains(&"read".to_owned()));
    desk.exits(1, "distdup verify --parity p0 gone");
}

#[test]
fn shares_of_large_stripes_are_compared() {
    let desk = Desk::with_input(10);
    desk.exits(
        0,
        "distdup encode -k 2 -n 4 --shard-size 8M --memory 2G -o 's{i}' in",
    );
    let ran = desk.exits(0, "distdup verify --parity s0 s1 s2 s3");
    assert!(ran.text().contains("agree with one another"), "{ran:?}");
    // Their endings are damaged, and their frames give the stream together.
    desk.exits(0, "cp s0 t0; cp s1 t1");
    for share in ["t0", "t1"] {
        let len = desk.read(share).len();
        desk.damage(share, len - 1);
    }
    let ran = desk.exits(3, "distdup verify t0 t1");
    assert!(ran.text().contains("together"), "{ran:?}");
}

#[test]
fn a_comparison_that_is_stopped_says_so() {
    let set = set(100);
    let (common, _) = inspect(MemorySource::file(0, set[0].clone()))
        .unwrap()
        .claims
        .unwrap();
    let open = |place: usize| Some(MemorySource::file(place, set[place].clone()));
    let (control, canceller) = Control::new();
    let compare = || {
        agreement(
            &common,
            &[0, 1, 2],
            open,
            &DecodeOptions::default(),
            &control,
        )
    };
    assert!(compare().unwrap().unwrap().is_full());
    canceller.cancel();
    assert!(is_cancelled(&compare().unwrap_err()));
}

#[test]
fn shares_of_a_pipe_or_a_command_that_is_named_as_zfecs_files_are_read() {
    let desk = forger();
    desk.exits(0, "distdup verify 'exec:cat p0 # .fec'");
    for command in ["verify", "why"] {
        let fifo = format!("mkfifo {command}.fec; cat p0 > {command}.fec &");
        let ran = desk.sh(&format!("{fifo} distdup {command} {command}.fec p1 p2"));
        assert_eq!(ran.code, Some(0), "{ran:?}");
        desk.write("a.fec", b"zfec");
        desk.complains(2, &format!("distdup {command} a.fec p0"), &["zfec"]);
        // Neither leads to the other.
        for line in ["distdup inspect a.fec", "distdup repair a.fec -o 'r{i}'"] {
            desk.complains(2, line, &["seems to be a share of zfec's"]);
        }
    }
}
