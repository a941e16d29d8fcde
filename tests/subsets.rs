//! Every subset of shares gives the stream back exactly where the code says so.

mod kit;

use distdup::decode::{DecodeError, DecodeOptions, SourceOutcome};
use kit::{code, decode_from, files, noise, options, pipes, shares};

/// Lengths at which streaming code goes wrong, for stripes of `stripe` bytes.
fn lengths(stripe: usize) -> [usize; 8] {
    [
        0,
        1,
        stripe - 1,
        stripe,
        stripe + 1,
        2 * stripe,
        5 * stripe - 3,
        7 * stripe + stripe / 2,
    ]
}

#[test]
fn every_subset_of_shares_decodes_where_the_code_says_so() {
    for (codec, k, n) in [("rs", 2, 3), ("rs", 4, 6), ("xor", 4, 5), ("copy", 1, 3)] {
        let code = code(codec, k, n);
        for len in lengths(k * 64) {
            let data = noise(len, len as u64);
            let shares = shares(&data, &options(code.clone(), 64));
            for set in 1..1_u32 << n {
                let present: Vec<usize> = (0..n).filter(|&share| set >> share & 1 == 1).collect();
                let expected = code.is_recoverable(present.iter().copied().collect());
                for sources in [
                    files(&shares, present.clone()),
                    pipes(&shares, present.clone()),
                ] {
                    let what = format!("{codec} ({k}, {n}), {len} bytes, shares {present:?}");
                    match decode_from(sources, &DecodeOptions::default()) {
                        Ok((found, report)) => {
                            assert!(expected, "{what}: decoded, and should not");
                            assert!(found == data, "{what}: differs");
                            assert!(report.is_proven(), "{what}");
                            assert!(
                                report.sources.iter().all(SourceOutcome::is_good),
                                "{report:?}"
                            );
                        }
                        Err(DecodeError::Choose(_)) => assert!(!expected, "{what}: refused"),
                        Err(error) => panic!("{what}: {error}"),
                    }
                }
            }
        }
    }
}
