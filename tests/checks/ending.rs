//! Trailers and footers.

use distdup::format::Digest;
use distdup::format::digest::Totals;
use distdup::format::ending::{self, FOOTER_LEN, Footer, MAX_TRAILER};

use super::forge;
use super::memory::within;
use crate::kit::anatomy::Anatomy;
use crate::kit::golden::{GOLDEN, SHARD};

/// What the same takes in a header.
const AT_ONCE: usize = 2 << 20;

/// Takes `bytes` for a trailer with a footer, for that with its digests made right, and for what is said in
/// a trailer: index, length, stripes, `common`.
pub fn check(bytes: &[u8]) {
    let limit = AT_ONCE + 16 * bytes.len();
    within(limit, || decoded(bytes));
    let mut mended = bytes.to_vec();
    forge::mend(&mut mended);
    within(limit, || decoded(&mended));
    if let Some((numbers, common)) = bytes.split_at_checked(18) {
        let number = |at: usize| u64::from_be_bytes(numbers[at..at + 8].try_into().unwrap());
        let totals = Totals {
            length: number(2),
            stripes: number(10),
            digest: Digest::of(common),
        };
        let index = u16::from_be_bytes([numbers[0], numbers[1]]);
        let forged = forge::trailer(common, index, &totals);
        within(limit + forged.len(), || decoded(&forged));
    }
}

fn decoded(bytes: &[u8]) {
    if let Some((found, len)) = ending::decode_trailer(bytes) {
        assert!(len <= MAX_TRAILER && len <= bytes.len());
        assert!(found.index < found.common.geometry().n());
        let totals = found.totals;
        assert!(totals.length < 1 << 63);
        let stripe = found.common.stripe_len() as u64;
        assert_eq!(totals.stripes, totals.length.div_ceil(stripe));
        for first_frame in [0, 1, u64::MAX] {
            let again = ending::encode(&found.common, found.index, &totals, first_frame);
            assert_eq!(again[..len], bytes[..len]);
            assert_eq!(again.len(), len + FOOTER_LEN);
            let footer = Footer::decode(&again[len..]).unwrap();
            assert_eq!(footer.first_frame, first_frame);
            assert_eq!(footer.frames, totals.stripes);
            assert_eq!(footer.trailer_len as usize, len);
        }
        for short in [0, 1, len / 2, len - 1] {
            assert!(ending::decode_trailer(&bytes[..short]).is_none());
        }
    }
    let Some(last) = bytes.last_chunk::<FOOTER_LEN>() else {
        return;
    };
    if let Some(footer) = Footer::decode(last) {
        let field = |at: usize, len: usize| {
            let bytes = &last[at..at + len];
            bytes
                .iter()
                .fold(0, |sum, byte| sum << 8 | u64::from(*byte))
        };
        let found = [
            footer.trailer_offset,
            footer.trailer_len.into(),
            footer.first_frame,
            footer.frames,
        ];
        assert_eq!(
            found,
            [field(16, 8), field(25, 4), field(30, 8), field(39, 8)]
        );
        assert!(footer.trailer_len as usize <= MAX_TRAILER);
    }
}

pub fn seeds() -> Vec<Vec<u8>> {
    let mut seeds = Vec::new();
    for golden in &GOLDEN {
        for (len, shares) in golden.committed() {
            let share = &shares[0];
            let trailer = share[Anatomy::of(share, SHARD).trailer..].to_vec();
            let (found, _) = ending::decode_trailer(&trailer).unwrap();
            let stripes = found.totals.stripes;
            seeds.push(trailer);
            for length in [len as u64, 1 << 62, (1 << 63) - 1, 1 << 63, u64::MAX] {
                let stripe = found.common.stripe_len() as u64;
                let stripes = if length == len as u64 {
                    stripes
                } else {
                    length.div_ceil(stripe)
                };
                let said = [
                    &[0, 1],
                    &length.to_be_bytes()[..],
                    &stripes.to_be_bytes(),
                    found.common.encoded(),
                ];
                seeds.push(said.concat());
            }
        }
    }
    seeds
}
