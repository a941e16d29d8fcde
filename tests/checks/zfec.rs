//! Shares of zfec's, which have a header of a few bytes and no digest.

use std::io::Cursor;
use std::sync::LazyLock;

use distdup::control::Control;
use distdup::input::ReaderInput;
use distdup::sink::Sink;
use distdup::zfec::{self, Header};

use super::is_printed_well;
use super::memory::within;
use super::script::{Output, Script, hurt, sources};
use crate::kit::noise;

/// Buffers for as many shares as a header can tell of, twice, and what belongs to them.
const REST: usize = 24 << 20;

/// k, n, and the length of the stream.
const STREAMS: [(usize, usize, usize); 6] = [
    (1, 1, 3),
    (1, 2, 0),
    (2, 3, 11),
    (3, 3, 100),
    (3, 8, 5000),
    (4, 6, 40_001),
];

static SETS: LazyLock<Vec<Vec<Vec<u8>>>> = LazyLock::new(|| {
    STREAMS
        .iter()
        .map(|(k, n, len)| shares(*k, *n, *len))
        .collect()
});

fn stream(len: usize) -> Vec<u8> {
    noise(len, len as u64)
}

fn shares(k: usize, n: usize, len: usize) -> Vec<Vec<u8>> {
    let outputs: Vec<Output> = (0..n).map(|_| Output::default()).collect();
    let sinks = outputs
        .iter()
        .map(|one| Box::new(one.clone()) as Box<dyn Sink>);
    let input = Box::new(ReaderInput(Cursor::new(stream(len))));
    let control = Control::new().0;
    zfec::encode(input, sinks.collect(), k, Some(len as u64), &control).unwrap();
    outputs.iter().map(|one| one.finished().unwrap()).collect()
}

/// Takes `bytes` for a header; and for a choice of shares and a [script](super::script) of what happens to
/// them.
pub fn check(bytes: &[u8]) {
    if let Some((header, len)) = Header::parse(bytes) {
        assert!(header.k <= header.n && header.n <= 256);
        assert!(header.index < header.n && header.padding < header.k);
        let again = header.bytes();
        assert_eq!(again.len(), len);
        assert_eq!(Header::parse(&again), Some((header, len)));
        // The last byte may have bits that nothing is said by.
        assert_eq!(again[..len - 1], bytes[..len - 1]);
        assert!(Header::parse(&bytes[..len - 1]).is_none());
    }
    let mut script = Script(bytes);
    let set = script.place(SETS.len());
    let [present, pipes] = [script.u16(), script.u16()];
    let written = &SETS[set];
    let mut given = written.clone();
    let foreign = hurt(&mut given, &mut script, |script| {
        let shares = &SETS[script.place(SETS.len())];
        shares[script.place(shares.len())].clone()
    });
    let total: usize = given.iter().map(Vec::len).sum();
    let (k, _, len) = STREAMS[set];
    within(REST + 16 * total, || {
        let output = Output::default();
        let sources = sources(&given, present, pipes, usize::MAX);
        let count = sources.len();
        let to = Box::new(output.clone());
        let is_present = |share: &usize| present >> share & 1 == 1;
        let mut shares = (0..given.len()).filter(is_present);
        let untouched = !foreign && shares.all(|share| given[share] == written[share]);
        match zfec::decode(sources, to, &Control::new().0) {
            Ok(report) => {
                let found = output.finished().expect("a decode that succeeds finishes");
                assert_eq!(report.length, found.len() as u64);
                assert_eq!(report.k + report.agreed, count);
                assert!(!untouched || found == stream(len));
            }
            Err(error) => {
                assert!(output.finished().is_none());
                assert!(!untouched || count < k, "{error}");
                is_printed_well(&error);
            }
        }
    });
}

pub fn seeds() -> Vec<Vec<u8>> {
    let mut seeds = Vec::new();
    for (set, number) in SETS.iter().zip(0..) {
        let all = u8::try_from((1_u32 << set.len()) - 1).unwrap();
        for present in [all, all >> 1, all & 0xfe, 1] {
            let start = [number, 0, present, 0, present & 0x55, 0];
            seeds.push(start.to_vec());
            seeds.push([&start[..], &[9, 0, 0, 0, 0, 7, 0, 3, 0]].concat());
            seeds.push([&start[..], &[6, 0, 0, 0, 0, 1, 0]].concat());
            seeds.push([&start[..], &[1, 0, 0, 1, 0, 3, 2, 1, 0, 2, 0]].concat());
        }
        seeds.push(set[0][..4.min(set[0].len())].to_vec());
    }
    seeds.push(vec![255, 0xc7, 0xc7, 255]);
    seeds.push(vec![255; 4]);
    seeds
}
