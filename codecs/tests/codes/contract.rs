//! What breaks a coder's contract is answered with numbers, touches nothing, and does no harm.

use distdup_codecs::{Code, CodecError, Shard, ShardSet};

use crate::oracle::{Subject, encode};

fn subjects() -> Vec<Subject> {
    vec![
        Subject::new("copy", 1, 4, None),
        Subject::new("xor", 6, 10, None),
        Subject::new("rs16", 4, 6, Some("high")),
        Subject::new("rs16", 4, 6, Some("low")),
        Subject::new("rs8", 4, 6, None),
    ]
}

/// `encode` with buffers of these lengths: the error, after seeing that nothing was written.
fn refused_encode(code: &dyn Code, data: &[usize], parity: &[usize]) -> CodecError {
    let data: Vec<Vec<u8>> = data.iter().map(|&len| vec![1; len]).collect();
    let data: Vec<&[u8]> = data.iter().map(Vec::as_slice).collect();
    let mut room: Vec<Vec<u8>> = parity.iter().map(|&len| vec![0xee; len]).collect();
    let mut views: Vec<&mut [u8]> = room.iter_mut().map(Vec::as_mut_slice).collect();
    let error = code.coder().encode(&data, &mut views).unwrap_err();
    assert!(room.iter().flatten().all(|byte| *byte == 0xee));
    error
}

/// The same of `reconstruct`, where shard 0 is wanted and the others are present.
fn refused_reconstruct(code: &dyn Code, lens: &[usize]) -> CodecError {
    let mut room = vec![0xee; lens[0]];
    let bytes = vec![1; 1000];
    let mut shards = vec![Shard::Wanted(&mut room)];
    shards.extend(lens[1..].iter().map(|&len| Shard::Present(&bytes[..len])));
    let error = code.coder().reconstruct(&mut shards).unwrap_err();
    assert!(room.iter().all(|byte| *byte == 0xee));
    error
}

#[test]
fn numbers_of_shards() {
    for subject in subjects() {
        let (code, k, n) = (subject.code.as_ref(), subject.k(), subject.n());
        for found in [0, k - 1, k + 1] {
            assert_eq!(
                refused_encode(code, &vec![8; found], &vec![8; n - k]),
                CodecError::DataShards { expected: k, found }
            );
        }
        for found in [0, n - k - 1, n - k + 1] {
            assert_eq!(
                refused_encode(code, &vec![8; k], &vec![8; found]),
                CodecError::ParityShards {
                    expected: n - k,
                    found
                }
            );
        }
        for found in [n - 1, n + 1] {
            assert_eq!(
                refused_reconstruct(code, &vec![8; found]),
                CodecError::Shards { expected: n, found }
            );
        }
        assert_eq!(
            code.coder().reconstruct(&mut []),
            Err(CodecError::Shards {
                expected: n,
                found: 0
            })
        );
    }
}

#[test]
fn lengths_of_shards() {
    for subject in subjects() {
        let (code, k, n) = (subject.code.as_ref(), subject.k(), subject.n());
        for shard in 1..n {
            for found in [6, 10, 64] {
                let mut lens = vec![8; n];
                lens[shard] = found;
                let expected = CodecError::ShardLength {
                    shard,
                    expected: 8,
                    found,
                };
                assert_eq!(refused_encode(code, &lens[..k], &lens[k..]), expected);
                assert_eq!(refused_reconstruct(code, &lens), expected);
            }
        }
        for shard in 0..n {
            let mut lens = vec![8; n];
            lens[shard] = 0;
            let expected = CodecError::EmptyShard { shard };
            assert_eq!(refused_encode(code, &lens[..k], &lens[k..]), expected);
            assert_eq!(refused_reconstruct(code, &lens), expected);
        }
        let expected = CodecError::EmptyShard { shard: 0 };
        assert_eq!(refused_encode(code, &vec![0; k], &vec![0; n - k]), expected);
        assert_eq!(refused_reconstruct(code, &vec![0; n]), expected);
    }
}

#[test]
fn lengths_that_are_no_multiple_of_the_unit() {
    for subject in subjects()
        .into_iter()
        .filter(|subject| subject.code.shard_unit() > 1)
    {
        let (code, k, n) = (subject.code.as_ref(), subject.k(), subject.n());
        for len in [1, 3, 63, 65, 999] {
            let expected = CodecError::ShardUnit {
                id: code.id(),
                len,
                unit: 2,
            };
            assert_eq!(
                refused_encode(code, &vec![len; k], &vec![len; n - k]),
                expected
            );
            assert_eq!(refused_reconstruct(code, &vec![len; n]), expected);
        }
    }
}

#[test]
fn nothing_wanted_is_nothing_to_do() {
    for subject in subjects() {
        let mut coder = subject.code.coder();
        let bytes = [1; 8];
        for present in [0, 1, subject.n()] {
            let shard = |i| {
                if i < present {
                    Shard::Present(&bytes)
                } else {
                    Shard::Absent
                }
            };
            let mut shards: Vec<Shard<'_>> = (0..subject.n()).map(shard).collect();
            assert_eq!(coder.reconstruct(&mut shards), Ok(()));
        }
    }
}

/// A refusal leaves a coder as it was, also one that remembers the last stripe's losses.
#[test]
fn a_coder_goes_on_after_a_refusal() {
    for subject in subjects() {
        let (k, n) = (subject.k(), subject.n());
        let all = subject.shards(66, 5);
        let present = ShardSet::first(n).difference([0].into_iter().collect());
        let mut coder = subject.code.coder();
        for _ in 0..2 {
            let wanted: ShardSet = (0..n).collect();
            let none = crate::oracle::reconstruct(coder.as_mut(), &all, ShardSet::EMPTY, wanted);
            let lost = wanted;
            assert_eq!(
                none.0,
                Err(CodecError::NotRecoverable {
                    lost,
                    present: ShardSet::EMPTY
                })
            );
            let (result, room) = crate::oracle::reconstruct(
                coder.as_mut(),
                &all,
                present,
                [0].into_iter().collect(),
            );
            assert_eq!((result, &room[0]), (Ok(()), &all[0]));
            let mut short = vec![0; 64];
            assert!(coder.encode(&[], &mut [&mut short]).is_err());
            assert!(encode(coder.as_mut(), &all[..k], n - k) == all[k..]);
        }
    }
}

/// Two stripes with the same shards lost but others wanted, and the other way round.
#[test]
fn what_is_remembered_is_not_mistaken_for_another() {
    for subject in subjects() {
        let n = subject.n();
        let all = subject.shards(10, 6);
        let mut coder = subject.code.coder();
        let without =
            |lost: &[usize]| -> ShardSet { (0..n).filter(|i| !lost.contains(i)).collect() };
        let set = |indices: &[usize]| -> ShardSet { indices.iter().copied().collect() };
        for (present, wanted) in [
            (without(&[0, 1]), set(&[0])),
            (without(&[0, 1]), set(&[1])),
            (without(&[0, 1]), set(&[0, 1])),
            (without(&[0, 2]), set(&[0])),
            (without(&[0]), set(&[0])),
            (without(&[0, n - 1]), set(&[0, n - 1])),
            (without(&[0, n - 1]), set(&[n - 1])),
        ] {
            let (result, room) = crate::oracle::reconstruct(coder.as_mut(), &all, present, wanted);
            assert_eq!(result, Ok(()));
            assert!(
                wanted.iter().all(|i| room[i] == all[i]),
                "{:?} {wanted}",
                subject.code
            );
        }
    }
}
