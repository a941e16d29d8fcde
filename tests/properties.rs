//! Whatever the code, the lengths, the losses and the ways of reading: what was encoded is decoded,
//! and what was lost is repaired, byte for byte.
#![allow(
    clippy::unwrap_used,
    reason = "a test that panics has failed, as it should"
)]

mod kit;

use std::sync::Arc;

use distdup::control::Control;
use distdup::decode::{DecodeError, DecodeOptions};
use distdup::encode::EncodeError;
use distdup::repair::{RepairError, RepairOptions, repair};
use distdup::sink::Sink;
use distdup::source::Source;
use distdup_codecs::{Code, ShardSet};
use kit::faulty::ScriptedSource;
use kit::{
    MemorySink, MemorySource, code, decode_from, encode_into, files, full, noise, options, shares,
};
use proptest::prelude::*;

/// A code with n up to 12.
fn any_code() -> impl Strategy<Value = Arc<dyn Code>> {
    let rs = (2..=12_usize).prop_flat_map(|n| (Just("rs"), 1..n, Just(n)));
    let parity = (2..=12_usize).prop_map(|n| ("xor", n - 1, n));
    let copy = (1..=6_usize).prop_map(|n| ("copy", 1, n));
    prop_oneof![4 => rs, 2 => parity, 2 => Just(("xor", 6, 10)), 1 => copy]
        .prop_map(|(codec, k, n)| code(codec, k, n))
}

#[derive(Debug, Clone)]
struct Case {
    code: Arc<dyn Code>,
    shard_len: usize,
    data: Vec<u8>,
    /// In which order shares are lost, as long as they may be.
    order: Vec<usize>,
    most_lost: usize,
    pipes: Vec<bool>,
    read_most: usize,
    workers: usize,
}

impl Case {
    fn shares(&self) -> Vec<Vec<u8>> {
        let mut options = options(Arc::clone(&self.code), self.shard_len as u64);
        options.workers = self.workers;
        shares(&self.data, &options)
    }

    /// The shares that are left, in some order.
    fn left(&self) -> Vec<usize> {
        let mut left: Vec<usize> = self.order.clone();
        for &lost in self.order.iter().take(self.most_lost) {
            let without: Vec<usize> = left.iter().copied().filter(|&one| one != lost).collect();
            if self.code.is_recoverable(without.iter().copied().collect()) {
                left = without;
            }
        }
        left
    }

    fn sources(&self, shares: &[Vec<u8>]) -> Vec<Box<dyn Source>> {
        let source = |index: usize| {
            let mut source = ScriptedSource::new(index, &shares[index], !self.pipes[index]);
            source.most = self.read_most;
            Box::new(source) as Box<dyn Source>
        };
        self.left().into_iter().map(source).collect()
    }

    fn decoding(&self) -> DecodeOptions {
        DecodeOptions {
            workers: self.workers,
            ..DecodeOptions::default()
        }
    }
}

fn any_case() -> impl Strategy<Value = Case> {
    (any_code(), 1..48_usize)
        .prop_flat_map(|(code, units)| {
            let n = code.geometry().n();
            let shard_len = units * code.shard_unit();
            let stripe = code.geometry().k() * shard_len;
            // Whole stripes are as likely as what is around them, and anything.
            let whole = (0..6_usize, 0..3_usize)
                .prop_map(move |(count, around)| (count * stripe + around).saturating_sub(1));
            (
                Just(code),
                Just(shard_len),
                prop_oneof![whole, 0..6 * stripe],
                any::<u64>(),
                Just((0..n).collect::<Vec<_>>()).prop_shuffle(),
                0..=n,
                proptest::collection::vec(any::<bool>(), n),
                prop_oneof![Just(usize::MAX), 1..200_usize],
                1..=4_usize,
            )
        })
        .prop_map(
            |(code, shard_len, len, seed, order, most_lost, pipes, read_most, workers)| Case {
                code,
                shard_len,
                data: noise(len, seed),
                order,
                most_lost,
                pipes,
                read_most,
                workers,
            },
        )
}

fn config() -> ProptestConfig {
    ProptestConfig {
        cases: if full() { 4000 } else { 150 },
        // A failing case is printed; it becomes a test by name.
        failure_persistence: None,
        ..ProptestConfig::default()
    }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn what_is_encoded_and_partly_lost_is_decoded(case in any_case()) {
        let shares = case.shares();
        let (found, report) = decode_from(case.sources(&shares), &case.decoding()).unwrap();
        prop_assert!(found == case.data);
        prop_assert!(report.is_proven());
        prop_assert!(report.sources.iter().all(distdup::decode::SourceOutcome::is_good));
        prop_assert_eq!(report.totals.length, case.data.len() as u64);
    }

    #[test]
    fn what_is_lost_is_repaired_byte_for_byte(case in any_case()) {
        let shares = case.shares();
        let left: ShardSet = case.left().into_iter().collect();
        let lost: Vec<usize> = case.code.geometry().shards().difference(left).iter().collect();
        match repaired(case.sources(&shares), &case.decoding()) {
            Ok(found) => {
                let found_at: Vec<usize> = found.iter().map(|(index, _)| *index).collect();
                prop_assert_eq!(&found_at, &lost);
                for (index, bytes) in found {
                    prop_assert!(bytes == shares[index], "share {} differs", index);
                }
            }
            Err(RepairError::NothingMissing { .. }) => prop_assert!(lost.is_empty()),
            Err(error) => panic!("{error}"),
        }
    }
}

/// The shares that are missing, as repair writes them.
fn repaired(
    sources: Vec<Box<dyn Source>>,
    options: &DecodeOptions,
) -> Result<Vec<(usize, Vec<u8>)>, RepairError> {
    let mut written: Vec<(usize, MemorySink)> = Vec::new();
    let report = repair(
        sources,
        |common, present| {
            let missing = common.geometry().shards().difference(present);
            written = missing
                .iter()
                .map(|index| (index, MemorySink::default()))
                .collect();
            let boxed = |(index, sink): &(usize, MemorySink)| {
                (*index, Box::new(sink.clone()) as Box<dyn Sink>)
            };
            Ok(written.iter().map(boxed).collect())
        },
        &options.clone().into(),
        &Control::new().0,
    )?;
    assert!(report.sinks.iter().all(|sink| sink.failure.is_none()));
    let taken = written.into_iter().map(|(index, sink)| {
        let taken = sink.0.lock().unwrap().clone();
        assert!(taken.finished, "share {index} was completed");
        (index, taken.bytes)
    });
    Ok(taken.collect())
}

#[test]
fn every_lost_set_is_repaired_byte_for_byte() {
    for (codec, k, n) in [("rs", 2, 3), ("rs", 4, 6), ("xor", 6, 10), ("copy", 1, 3)] {
        let code = code(codec, k, n);
        let data = noise(2 * k * 32 + 5, 3);
        let shares = shares(&data, &options(Arc::clone(&code), 32));
        for set in 0..(1_u32 << n) - 1 {
            let left: Vec<usize> = (0..n).filter(|&share| set >> share & 1 == 1).collect();
            let what = format!("{codec} ({k}, {n}) from {left:?}");
            let recoverable = code.is_recoverable(left.iter().copied().collect());
            match repaired(files(&shares, left.clone()), &DecodeOptions::default()) {
                Ok(found) => {
                    assert!(recoverable, "{what}");
                    assert_eq!(found.len(), n - left.len(), "{what}");
                    for (index, bytes) in found {
                        assert!(bytes == shares[index], "{what}: share {index} differs");
                    }
                }
                Err(RepairError::Decode(DecodeError::Choose(_))) => {
                    assert!(!recoverable, "{what}");
                }
                Err(error) => panic!("{what}: {error}"),
            }
        }
    }
}

#[test]
fn a_repair_that_cannot_bring_all_back_completes_nothing() {
    let data = noise(5 * 2 * 32 + 5, 3);
    let shares = shares(&data, &options(code("rs", 2, 4), 32));
    for stripe in 0..6 {
        let mut hurt = shares[1].clone();
        let anatomy = kit::anatomy::Anatomy::of(&hurt, 32);
        hurt[anatomy.stripe(stripe).start + 80] ^= 4;
        let sink = MemorySink::default();
        let error = repair(
            vec![
                MemorySource::file(0, shares[0].clone()),
                MemorySource::file(1, hurt),
            ],
            |_, _| Ok(vec![(3, Box::new(sink.clone()) as Box<dyn Sink>)]),
            &RepairOptions::default(),
            &Control::new().0,
        )
        .unwrap_err();
        assert!(
            error.to_string().contains(&format!("stripe {stripe}")),
            "{error}"
        );
        let taken = sink.0.lock().unwrap();
        assert!(!taken.finished && taken.bytes.len() <= anatomy.trailer);
    }
}

#[test]
fn too_little_memory_is_refused_and_the_least_that_is_named_works() {
    for (codec, k, n) in [("rs", 4, 6), ("xor", 6, 10), ("copy", 1, 2)] {
        for shard_len in [None, Some(64), Some(1 << 16)] {
            let mut encoding = options(code(codec, k, n), 64);
            encoding.shard_len = shard_len;
            let data = noise(100_000, 5);
            let encoded = |memory, encoding: &distdup::encode::EncodeOptions| {
                let mut encoding = encoding.clone();
                encoding.memory = memory;
                let sinks: Vec<MemorySink> = (0..n).map(|_| MemorySink::default()).collect();
                encode_into(&sinks, &data, &encoding).map(|_| {
                    sinks
                        .iter()
                        .map(|sink| sink.0.lock().unwrap().bytes.clone())
                        .collect::<Vec<_>>()
                })
            };
            let Err(EncodeError::Memory(refused)) = encoded(1000, &encoding) else {
                panic!("1000 bytes of memory are enough");
            };
            assert_eq!(refused.allowed, 1000);
            assert!(matches!(
                encoded(refused.needed - 1, &encoding),
                Err(EncodeError::Memory(again)) if again.needed == refused.needed
            ));
            let shares = encoded(refused.needed, &encoding).unwrap();

            let decoded = |memory| {
                let options = DecodeOptions {
                    memory,
                    ..DecodeOptions::default()
                };
                decode_from(files(&shares, 0..n), &options)
            };
            let Err(DecodeError::Memory(refused)) = decoded(300) else {
                panic!("300 bytes of memory are enough");
            };
            assert!(matches!(
                decoded(refused.needed - 1),
                Err(DecodeError::Memory(_))
            ));
            let (found, _) = decoded(refused.needed).unwrap();
            assert!(found == data);
        }
    }
}
