//! How fast the codes are, in bytes of data a second: `cargo bench -p distdup-codecs`.
//!
//! `encode` computes all parity; `reconstruct` fills lost data shards, as many as the code has
//! parity (xor: as many of the first as can be had), and is warm: the losses are those of the
//! stripe before.

#![allow(clippy::unwrap_used)]

use distdup_codecs::{Code, Geometry, Shard, ShardSet, family};
use divan::counter::BytesCount;
use divan::{Bencher, black_box};
use std::fmt;
use std::sync::Arc;

fn main() {
    divan::main();
}

/// One code and one length of shards.
#[derive(Clone, Copy)]
struct Case {
    id: &'static str,
    params: Option<&'static str>,
    k: usize,
    n: usize,
    len: usize,
}

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { id, k, n, len, .. } = self;
        let params = match (*id, self.params) {
            ("rs16", Some(rate)) => rate,
            _ => "",
        };
        write!(f, "{id} {params} ({k}, {n}) {} KiB", len / 1024)
    }
}

impl Case {
    fn code(&self) -> Arc<dyn Code> {
        let geometry = Geometry::new(self.k, self.n).unwrap();
        family(self.id)
            .unwrap()
            .code(geometry, self.params)
            .unwrap()
    }

    fn data(&self) -> Vec<Vec<u8>> {
        let byte = |i: usize, j: usize| (i * 91 + j * 7 + j / 251).to_le_bytes()[0];
        (0..self.k)
            .map(|i| (0..self.len).map(|j| byte(i, j)).collect())
            .collect()
    }
}

fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for len in [64 << 10, 256 << 10] {
        for (k, n) in [(2, 3), (4, 5), (4, 6), (6, 10), (10, 11), (10, 14)] {
            cases.push(Case {
                id: "xor",
                params: None,
                k,
                n,
                len,
            });
            cases.push(Case {
                id: "rs16",
                params: Some("high"),
                k,
                n,
                len,
            });
            cases.push(Case {
                id: "rs16",
                params: Some("low"),
                k,
                n,
                len,
            });
        }
        cases.push(Case {
            id: "copy",
            params: None,
            k: 1,
            n: 3,
            len,
        });
    }
    cases
}

/// The floor: k shards of 64 KiB copied, each to another place.
#[divan::bench(args = [2, 4, 6, 10])]
fn memcpy(bencher: Bencher<'_, '_>, k: usize) {
    let from = vec![vec![1_u8; 64 << 10]; k];
    let mut to = vec![vec![0_u8; 64 << 10]; k];
    bencher.counter(BytesCount::new(k << 16)).bench_local(|| {
        for (to, from) in black_box(&mut to).iter_mut().zip(black_box(&from)) {
            to.copy_from_slice(from);
        }
    });
}

#[divan::bench(args = cases())]
fn encode(bencher: Bencher<'_, '_>, case: Case) {
    let (code, data) = (case.code(), case.data());
    let data: Vec<&[u8]> = data.iter().map(Vec::as_slice).collect();
    let mut parity = vec![vec![0; case.len]; case.n - case.k];
    let mut parity: Vec<&mut [u8]> = parity.iter_mut().map(Vec::as_mut_slice).collect();
    let mut coder = code.coder();
    bencher
        .counter(BytesCount::new(case.k * case.len))
        .bench_local(|| coder.encode(black_box(&data), black_box(&mut parity)));
}

#[divan::bench(args = cases())]
fn reconstruct(bencher: Bencher<'_, '_>, case: Case) {
    let (code, mut all) = (case.code(), case.data());
    let mut coder = code.coder();
    all.resize(case.n, vec![0; case.len]);
    let (data, parity) = all.split_at_mut(case.k);
    let data: Vec<&[u8]> = data.iter().map(Vec::as_slice).collect();
    let mut parity: Vec<&mut [u8]> = parity.iter_mut().map(Vec::as_mut_slice).collect();
    coder.encode(&data, &mut parity).unwrap();

    let mut lost = ShardSet::new();
    for index in 0..case.k.min(case.n - case.k) {
        lost.insert(index);
        if !code.is_recoverable(code.geometry().shards().difference(lost)) {
            lost.remove(index);
        }
    }
    let mut room = vec![vec![0; case.len]; case.n];
    let mut shards: Vec<Shard<'_>> = room
        .iter_mut()
        .zip(&all)
        .enumerate()
        .map(|(i, (room, shard))| {
            if lost.contains(i) {
                Shard::Wanted(room)
            } else {
                Shard::Present(shard)
            }
        })
        .collect();
    bencher
        .counter(BytesCount::new(case.k * case.len))
        .bench_local(|| coder.reconstruct(black_box(&mut shards)));
}
