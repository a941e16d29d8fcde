//! Headers, and what all shares say alike.

use std::sync::Arc;

use distdup::format::common::MAX_STRIPE;
use distdup::format::header::{self, MAX_HEADER};
use distdup::format::{Common, CommonError};

use super::memory::within;
use super::{forge, is_printed_well};
use crate::kit::golden::GOLDEN;

/// What a list may take before its items come, by serde's own caution; and the rest that is constant.
const AT_ONCE: usize = 2 << 20;

/// Takes `bytes` for the start of a share; and for what is said in a header, whose digests are right.
pub fn check(bytes: &[u8]) {
    let limit = AT_ONCE + 16 * bytes.len();
    within(limit, || decoded(bytes));
    let Some((index, common)) = bytes.split_first() else {
        return;
    };
    within(limit, || said(common));
    let header = forge::header(common, u16::from(*index));
    within(limit + header.len(), || decoded(&header));
}

fn decoded(bytes: &[u8]) {
    match header::decode(bytes) {
        Ok(Some((found, len))) => {
            assert!(len <= MAX_HEADER && len <= bytes.len());
            assert!(found.index < found.common.geometry().n());
            assert_eq!(header::encode(&found.common, found.index), bytes[..len]);
            // Nothing less is a header, and what follows is none of its business.
            for short in [0, 1, len / 2, len - 1] {
                assert!(matches!(header::decode(&bytes[..short]), Ok(None)));
            }
            assert_eq!(header::decode(&bytes[..len]).unwrap(), Some((found, len)));
        }
        Ok(None) => assert!(bytes.len() < MAX_HEADER),
        Err(fault) => is_printed_well(&fault),
    }
}

fn said(bytes: &[u8]) {
    let common = match Common::parse(bytes) {
        Ok(common) => common,
        Err(error) => return is_printed_well(&error),
    };
    assert_eq!(common.encoded(), bytes);
    let (geometry, code) = (common.geometry(), common.code());
    assert!(geometry.k() <= geometry.n() && geometry.n() <= 256);
    assert!(common.stripe_len() as u64 <= MAX_STRIPE && common.shard_len() > 0);
    assert!(common.shard_len().is_multiple_of(code.shard_unit()));
    assert!((1..=geometry.n()).contains(&common.min_shares()));
    assert!(code.is_recoverable(geometry.shards()));
    let len = common.shard_len() as u64;
    match Common::new(
        common.identity(),
        Arc::clone(code),
        len,
        common.min_shares(),
    ) {
        Ok(again) => {
            let (one, other) = (again.identity(), common.identity());
            assert_eq!(one, other);
            assert_eq!(again.code().id(), code.id());
            assert_eq!(again.code().params(), code.params());
            assert_eq!(again.code().geometry(), geometry);
            // What this version writes, it reads, and writes the same.
            assert_eq!(Common::parse(again.encoded()).unwrap(), again);
        }
        // In its canonical form it may be longer than what was read.
        Err(CommonError::Range { what, .. }) => assert_eq!(what, "the length of common"),
        Err(error) => panic!("{error}"),
    }
}

pub fn seeds() -> Vec<Vec<u8>> {
    let mut seeds: Vec<Vec<u8>> = Vec::new();
    for golden in &GOLDEN {
        for share in &golden.committed()[0].1[..2] {
            let (header, len) = header::decode(share).unwrap().unwrap();
            seeds.push(share[..len].to_vec());
            seeds.push([&[0], &header.common.encoded()[..]].concat());
        }
    }
    // By hand: a byte string, an array and a map of 2^64-1, of no end; nesting; a text that is none.
    for hostile in [
        &b"\x00\x5b\xff\xff\xff\xff\xff\xff\xff\xff"[..],
        b"\x00\x9b\xff\xff\xff\xff\xff\xff\xff\xff",
        b"\x00\xbb\xff\xff\xff\xff\xff\xff\xff\xff\x66stream\x50",
        b"\x00\xbf\x68features\x9b\x00\x00\xff\xff\xff\xff\xff\xff",
        b"\x00\xbf\x68features\x9f\x7b\x7f\xff\xff\xff\xff\xff\xff\xff",
        b"\x00\xa1\x65codec\x64\xff\xfe\x1b[",
        b"\xd9\xd9\xf7\xdaddsh\x84\x01\x5b\xff\xff\xff\xff\xff\xff\xff\xff",
        b"\xd9\xd9\xf7\xdaddsh\x84\x01\x5f\x5f",
    ] {
        seeds.push(hostile.to_vec());
    }
    for nested in [b'\x81', b'\xa1', b'\xc1', b'\x9f', b'\x5f'] {
        seeds.push([&b"\x00\xa1\x61x"[..], &[nested; 600]].concat());
    }
    seeds
}
