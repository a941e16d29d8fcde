//! Shares that were written once are read for ever, and written again byte for byte.
//!
//! `DISTDUP_GOLDEN=write` writes files that are missing. It never replaces one that differs: that
//! would be another format. (Remove the file by hand if its table entry changed.)
#![allow(
    clippy::unwrap_used,
    reason = "a test that panics has failed, as it should"
)]

mod kit;

use std::fs;

use distdup::control::Control;
use distdup::decode::DecodeOptions;
use distdup::verify::verify;
use kit::golden::{GOLDEN, Golden};
use kit::tally::Tally;
use kit::{decode_from, files, full, pipes};

#[test]
fn golden_shares_are_written_the_same_again() {
    let write = std::env::var_os("DISTDUP_GOLDEN").is_some_and(|value| value == "write");
    for golden in GOLDEN {
        let (path, now) = (golden.path(), golden.written_now());
        if write && !path.exists() {
            fs::write(&path, &now).unwrap();
        }
        let committed = fs::read(&path)
            .unwrap_or_else(|error| panic!("{} (DISTDUP_GOLDEN=write): {error}", path.display()));
        let same = committed.iter().zip(&now).take_while(|(a, b)| a == b);
        let at = same.count();
        assert!(
            committed == now,
            "{} would be written differently from byte {at}: old shares must stay what they are",
            golden.name()
        );
    }
}

#[test]
fn golden_shares_are_read_from_every_sufficient_subset() {
    let mut tally =
        Tally::of("golden shares of every format version, from every set of k that is enough");
    for golden in GOLDEN {
        let code = golden.code();
        let sets = golden.committed();
        assert_eq!(sets.len(), golden.lengths().len());
        let longest = golden.lengths()[5];
        for (len, shares) in sets {
            assert_eq!(shares.len(), golden.n);
            let data = Golden::data(len);
            let subsets = (1..1_u32 << golden.n).map(|set| {
                (0..golden.n)
                    .filter(|&share| set >> share & 1 == 1)
                    .collect::<Vec<_>>()
            });
            // Those of k shares ask most of the code.
            let step = if len == longest || full() { 1 } else { 7 };
            for set in subsets.filter(|set| set.len() == golden.k).step_by(step) {
                if !code.is_recoverable(set.iter().copied().collect()) {
                    continue;
                }
                for sources in [files(&shares, set.clone()), pipes(&shares, set.clone())] {
                    let (found, report) = decode_from(sources, &DecodeOptions::default()).unwrap();
                    assert!(found == data, "{}: {len} bytes, {set:?}", golden.name());
                    assert!(report.is_proven());
                    tally.count("came back");
                }
            }
            for verdict in verify(files(&shares, 0..golden.n), &Control::new().0).unwrap() {
                assert!(verdict.is_whole(), "{}: {verdict:?}", golden.name());
                assert_eq!(verdict.totals.unwrap().length, len as u64);
            }
        }
    }
}
