//! Up to 256 shards, where there is too much to try all.

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use crate::oracle::{Subject, encode, random_equations, reconstruct, split_mix};
use distdup_codecs::{Geometry, ShardSet, resolve};

/// Whether all is to be tried, however long it takes.
pub fn full() -> bool {
    std::env::var_os("DISTDUP_TEST_FULL").is_some_and(|value| value == "1")
}

/// How many cases to try, and says so.
pub fn cases(what: &str, some: u32, many: u32) -> u32 {
    if full() {
        println!("{many} {what}");
        many
    } else {
        println!("{some} {what}; DISTDUP_TEST_FULL=1 tries {many}");
        some
    }
}

#[derive(Clone, Debug)]
struct Case {
    k: usize,
    n: usize,
    len: usize,
    /// Of a thousand shards so many are lost.
    lost: u64,
    seed: u64,
}

fn any_case() -> impl Strategy<Value = Case> {
    let shape = (2usize..=256).prop_flat_map(|n| (1..n, Just(n)));
    // Around what the geometry survives, where it is interesting.
    (shape, 1usize..200, 0u64..1400, any::<u64>()).prop_map(|((k, n), len, share, seed)| {
        let lost = share * (n - k) as u64 / n as u64;
        Case {
            k,
            n,
            len,
            lost,
            seed: seed >> 8,
        }
    })
}

fn run(cases: u32, subject: impl Fn(&Case) -> Subject) {
    let config = Config {
        cases,
        failure_persistence: None,
        ..Config::default()
    };
    TestRunner::new(config)
        .run(&any_case(), |case| {
            check(&subject(&case), &case);
            Ok(())
        })
        .unwrap();
}

fn check(subject: &Subject, case: &Case) {
    let (k, n, seed) = (subject.k(), subject.n(), case.seed);
    let len = case.len.next_multiple_of(subject.code.shard_unit());
    let shards = subject.shards(len, seed);
    let mut coder = subject.code.coder();
    assert!(encode(coder.as_mut(), &shards[..k], n - k) == shards[k..]);

    let roll = |salt: u64, i: usize| split_mix(seed ^ salt << 56 ^ i as u64) % 1000;
    let present: ShardSet = (0..n).filter(|&i| roll(1, i) >= case.lost).collect();
    let can = subject.reconstructible(present);
    assert_eq!(subject.code.reconstructible(present), can);
    let gone = can.difference(present);
    for wanted in [gone, gone.iter().filter(|&i| roll(2, i) < 500).collect()] {
        let (result, room) = reconstruct(coder.as_mut(), &shards, present, wanted);
        assert_eq!(result, Ok(()));
        for (index, room) in room.iter().enumerate() {
            let right = if wanted.contains(index) {
                &shards[index]
            } else {
                &vec![0xee; len]
            };
            assert!(room == right, "shard {index}");
        }
    }
}

#[test]
fn rs16() {
    run(cases("cases of each rate", 12, 600), |case| {
        Subject::new("rs16", case.k, case.n, Some("high"))
    });
    run(cases("cases of each rate", 12, 600), |case| {
        Subject::new("rs16", case.k, case.n, Some("low"))
    });
}

#[test]
fn rs8() {
    run(cases("cases", 12, 3000), |case| {
        Subject::new("rs8", case.k, case.n, None)
    });
}

#[test]
fn xor() {
    run(cases("cases", 60, 3000), |case| {
        let equations = random_equations(case.k, case.n - case.k, case.seed);
        Subject::new("xor", case.k, case.n, Some(&equations))
    });
}

#[test]
fn copy() {
    run(cases("cases", 60, 3000), |case| {
        Subject::new("copy", 1, case.n, None)
    });
}

/// No text makes the parsers panic, or an error long; what they take, they take again as they
/// give it.
#[test]
fn any_params() {
    let text = prop_oneof![
        any::<String>(),
        "[0-9^, ]{0,40}",
        proptest::collection::vec("([1-6]\\^){0,5}[1-6]", 1..5).prop_map(|sums| sums.join(",")),
    ];
    let config = Config {
        failure_persistence: None,
        ..Config::with_cases(2000)
    };
    TestRunner::new(config)
        .run(&(text, "xor|rs16|rs8|rs|copy"), |(text, name)| {
            let geometry = Geometry::new(if name == "copy" { 1 } else { 6 }, 8).unwrap();
            match resolve(&name, geometry, Some(&text)) {
                Ok(code) => {
                    let again = resolve(code.id(), geometry, Some(code.params())).unwrap();
                    assert_eq!(again.params(), code.params());
                }
                Err(error) => assert!(error.to_string().len() < 600, "{error}"),
            }
            Ok(())
        })
        .unwrap();
}
