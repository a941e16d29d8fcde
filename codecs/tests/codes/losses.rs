//! Every loss, for every geometry up to ten shards.

use distdup_codecs::{CodecError, Geometry, ShardSet, resolve};

use crate::oracle::{Subject, random_equations, reconstruct, split_mix};

const MOST: usize = 10;

/// All sets of shards. Those with the same lowest shards follow each other, so that rs16, which
/// takes the first k, computes few error locators: they are nearly all of the time.
fn sets(n: usize) -> impl Iterator<Item = ShardSet> {
    (0..1u32 << n).map(move |mask| (0..n).filter(|i| mask >> (n - 1 - i) & 1 == 1).collect())
}

/// Whatever is present, exactly what can be had is had, in whatever combination it is wanted.
fn survives_what_it_should(subject: &Subject, lens: &[usize]) {
    let code = &subject.code;
    let mut coder = code.coder();
    let shards: Vec<_> = lens.iter().map(|&len| subject.shards(len, 1)).collect();
    let any_k = sets(subject.n()).filter(|present| present.len() == subject.k());
    assert_eq!(
        code.is_mds(),
        any_k
            .into_iter()
            .all(|present| code.is_recoverable(present)),
        "{code:?}"
    );
    for (at, present) in sets(subject.n()).enumerate() {
        let shards = &shards[at % lens.len()];
        let can = subject.reconstructible_by_enumeration(present);
        assert_eq!(can, subject.reconstructible(present), "the oracles differ");
        assert_eq!(code.reconstructible(present), can, "{code:?} {present}");
        let data = ShardSet::first(subject.k());
        assert_eq!(
            code.is_recoverable(present),
            data.is_subset(can),
            "{code:?} {present}"
        );

        let missing = code.geometry().shards().difference(present);
        let lost = missing.difference(can);
        let some: ShardSet = missing
            .iter()
            .filter(|&i| split_mix((at * 16 + i) as u64) & 1 == 1)
            .collect();
        for wanted in [
            missing.intersection(can),
            missing.intersection(can).intersection(data),
            missing.intersection(can).difference(data),
            some.intersection(can),
            ShardSet::EMPTY,
            missing,
            some,
        ] {
            let (result, room) = reconstruct(coder.as_mut(), shards, present, wanted);
            let (filled, expected) = if wanted.is_subset(can) {
                (wanted, Ok(()))
            } else {
                let lost = wanted.intersection(lost);
                (
                    ShardSet::EMPTY,
                    Err(CodecError::NotRecoverable { lost, present }),
                )
            };
            assert_eq!(result, expected, "{code:?}: {wanted} of {present}");
            for (index, room) in room.iter().enumerate() {
                if filled.contains(index) {
                    assert_eq!(room, &shards[index], "{code:?}: {index} of {present}");
                } else {
                    assert!(
                        room.iter().all(|byte| *byte == 0xee),
                        "{code:?}: {index} touched"
                    );
                }
            }
        }
        sufficient_subset_is_minimal(subject, present);
    }
}

fn sufficient_subset_is_minimal(subject: &Subject, available: ShardSet) {
    let code = &subject.code;
    let data = ShardSet::first(subject.k());
    let is_enough = |set| data.is_subset(subject.reconstructible(set));
    let Some(subset) = code.sufficient_subset(available) else {
        assert!(!is_enough(available), "{code:?} {available}");
        return;
    };
    assert!(
        subset.is_subset(available) && is_enough(subset),
        "{code:?} {available}: {subset}"
    );
    for index in subset {
        let fewer = subset.iter().filter(|&other| other != index).collect();
        assert!(
            !is_enough(fewer),
            "{code:?} {available}: {subset} does not need {index}"
        );
    }
    // Data shards are preferred: with k > 1 each of them tells what no other does.
    if subject.k() > 1 {
        assert!(
            subset.is_superset(available.intersection(data)),
            "{code:?} {available}: {subset}"
        );
    }
    if code.id().starts_with("rs") {
        assert!(subset.iter().eq(available.iter().take(subject.k())));
    }
}

fn geometries() -> impl Iterator<Item = (usize, usize)> {
    (2..=MOST).flat_map(|n| (1..n).map(move |k| (k, n)))
}

#[test]
fn copy() {
    for n in 1..=MOST {
        survives_what_it_should(&Subject::new("copy", 1, n, None), &[1, 2, 65]);
    }
}

#[test]
fn xor_with_random_equations() {
    let sets = crate::random::cases("sets of equations for each geometry", 2, 40);
    for (k, n) in geometries() {
        for seed in 0..sets {
            let equations = random_equations(k, n - k, u64::from(seed));
            let subject = Subject::new("xor", k, n, Some(&equations));
            survives_what_it_should(&subject, &[1, 2, 63, 66]);
        }
    }
}

#[test]
fn xor_with_its_own_equations() {
    let parity = (1..MOST).map(|k| (k, k + 1));
    for (k, n) in parity.chain([(1, 4), (4, 6), (4, 8), (3, 9), (6, 10)]) {
        survives_what_it_should(&Subject::new("xor", k, n, None), &[1, 2, 65, 4097]);
    }
}

#[test]
fn rs16_high() {
    for (k, n) in geometries() {
        survives_what_it_should(&Subject::new("rs16", k, n, Some("high")), &[2, 62, 64, 66]);
    }
}

#[test]
fn rs16_low() {
    for (k, n) in geometries() {
        survives_what_it_should(&Subject::new("rs16", k, n, Some("low")), &[2, 62, 64, 66]);
    }
}

#[test]
fn rs8() {
    for (k, n) in geometries() {
        survives_what_it_should(&Subject::new("rs8", k, n, None), &[1, 63, 64, 129]);
    }
}

/// The numbers that are in the documentation.
#[test]
fn xor_6_10_survives_so_many_losses() {
    for (name, expected) in [
        ("xor:matland", [1, 10, 45, 110, 125, 0]),
        ("xor", [1, 10, 45, 112, 136, 0]),
    ] {
        let code = resolve(name, Geometry::new(6, 10).unwrap(), None).unwrap();
        let mut survived = [0; 6];
        for present in sets(10).filter(|present| present.len() >= 5) {
            survived[10 - present.len()] += usize::from(code.is_recoverable(present));
        }
        assert_eq!(survived, expected, "{name}");
    }
}

/// Shards that there are not do not help.
#[test]
fn indices_beyond_n_are_ignored() {
    for (id, k, n) in [
        ("copy", 1, 3),
        ("xor", 6, 10),
        ("rs16", 4, 6),
        ("rs8", 4, 6),
    ] {
        let code = Subject::new(id, k, n, None).code;
        let beyond: ShardSet = (n..256).collect();
        assert_eq!(code.reconstructible(beyond), ShardSet::EMPTY);
        assert_eq!(code.sufficient_subset(beyond), None);
        let all = ShardSet::first(256);
        assert_eq!(code.reconstructible(all), ShardSet::first(n));
        assert_eq!(code.sufficient_subset(all), Some(ShardSet::first(k)));
    }
}
