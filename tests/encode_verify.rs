//! A machine that computes wrong: what encode --verify catches, and what is caught later without it.
#![allow(
    clippy::unwrap_used,
    reason = "a test that panics has failed, as it should"
)]

mod kit;

use std::io::{self, Write};
use std::sync::Arc;

use distdup::control::Control;
use distdup::decode::DecodeOptions;
use distdup::encode::{EncodeError, EncodeOptions, encode};
use distdup::sink::{Sink, SinkWriter};
use distdup::verify::verify;
use distdup_codecs::{Code, CodecError, Coder, Geometry, Shard, ShardSet};
use kit::{
    Bytes, MemorySink, MemorySource, Taken, code, decode_from, encode_into, files, noise, options,
};

/// Shards of so many bytes.
const SHARD: usize = 16;

/// A code that gets one bit of a parity shard wrong, in every stripe or in one.
#[derive(Debug)]
struct Wrong {
    right: Arc<dyn Code>,
    parity: usize,
    byte: usize,
    /// The call that goes wrong; all, if none.
    call: Option<u64>,
}

impl Code for Wrong {
    fn id(&self) -> &'static str {
        self.right.id()
    }
    fn geometry(&self) -> Geometry {
        self.right.geometry()
    }
    fn params(&self) -> &str {
        self.right.params()
    }
    fn shard_unit(&self) -> usize {
        self.right.shard_unit()
    }
    fn reconstructible(&self, present: ShardSet) -> ShardSet {
        self.right.reconstructible(present)
    }
    fn is_mds(&self) -> bool {
        self.right.is_mds()
    }
    fn scratch_bytes(&self, shard_len: usize) -> usize {
        self.right.scratch_bytes(shard_len)
    }
    fn coder(&self) -> Box<dyn Coder> {
        Box::new(WrongCoder {
            right: self.right.coder(),
            parity: self.parity,
            byte: self.byte,
            call: self.call,
            calls: 0,
        })
    }
}

struct WrongCoder {
    right: Box<dyn Coder>,
    parity: usize,
    byte: usize,
    call: Option<u64>,
    calls: u64,
}

impl Coder for WrongCoder {
    fn encode(&mut self, data: &[&[u8]], parity: &mut [&mut [u8]]) -> Result<(), CodecError> {
        self.right.encode(data, parity)?;
        if self.call.is_none_or(|call| call == self.calls) {
            let at = self.byte % parity[self.parity].len();
            parity[self.parity][at] ^= 1 << (self.byte % 8);
        }
        self.calls += 1;
        Ok(())
    }

    fn reconstruct(&mut self, shards: &mut [Shard<'_>]) -> Result<(), CodecError> {
        self.right.reconstruct(shards)
    }
}

fn sinks(n: usize) -> Vec<MemorySink> {
    (0..n).map(|_| MemorySink::default()).collect()
}

fn taken(sink: &MemorySink) -> Taken {
    sink.0.lock().unwrap().clone()
}

fn with_verify(code: Arc<dyn Code>, verify: bool) -> EncodeOptions {
    let mut options = options(code, SHARD as u64);
    options.workers = 1; // one coder counts the stripes
    options.verify = verify;
    options
}

const CODES: [(&str, usize, usize); 3] = [("rs", 2, 3), ("rs", 4, 6), ("xor", 6, 10)];

#[test]
fn a_codec_that_errs_is_caught_before_a_share_is_completed() {
    for (codec, k, n) in CODES {
        let data = noise(40 * k * SHARD + 5, 1);
        for parity in 0..n - k {
            for byte in 0..SHARD {
                let code = Arc::new(Wrong {
                    right: code(codec, k, n),
                    parity,
                    byte,
                    call: None,
                });
                let sinks = sinks(n);
                let result = encode_into(&sinks, &data, &with_verify(code, true));
                let Err(EncodeError::Corrupted { stripe, from }) = result else {
                    panic!("{codec}, parity {parity}, byte {byte}: {result:?}");
                };
                // The first stripe of which that share was drawn: each is, time and again.
                assert!(stripe < 40 && from.contains(k + parity), "{from}");
                assert!(sinks.iter().all(|sink| !taken(sink).finished));
            }
        }
    }
}

#[test]
fn one_bit_in_one_stripe_is_caught_at_that_stripe_or_its_share_was_not_drawn() {
    let (k, n) = (4, 6);
    let data = noise(30 * k * SHARD, 1);
    let mut caught = 0;
    for at in 0..30 {
        let code = Arc::new(Wrong {
            right: code("rs", k, n),
            parity: 1,
            byte: 3,
            call: Some(at),
        });
        let sinks = sinks(n);
        match encode_into(&sinks, &data, &with_verify(code, true)) {
            Err(EncodeError::Corrupted { stripe, .. }) => {
                assert_eq!(stripe, at);
                caught += 1;
            }
            Ok(_) => {}
            Err(error) => panic!("{error}"),
        }
    }
    // Four of six are drawn.
    assert!((12..29).contains(&caught), "{caught} of 30");
}

#[test]
fn without_verify_what_is_wrong_is_caught_by_the_stripes_digest() {
    for (codec, k, n) in CODES {
        let data = noise(3 * k * SHARD + 5, 1);
        for parity in 0..n - k {
            let code = Arc::new(Wrong {
                right: code(codec, k, n),
                parity,
                byte: 7,
                call: Some(1),
            });
            let sinks = sinks(n);
            encode_into(&sinks, &data, &with_verify(code.clone(), false)).unwrap();
            let shares: Vec<Vec<u8>> = sinks.iter().map(|sink| taken(sink).bytes).collect();
            let options = DecodeOptions::default;
            // By itself the share is whole: it says what was written.
            let source = vec![MemorySource::file(0, shares[k + parity].clone())];
            assert!(verify(source, &Control::new().0).unwrap()[0].is_whole());
            // Without a spare the wrong one is refused wherever it counts, and with one passed over.
            for lost in 0..k {
                let few = code
                    .sufficient_subset((0..n).filter(|&share| share != lost).collect())
                    .unwrap();
                let counts = few.contains(k + parity);
                match decode_from(files(&shares, few), &options()) {
                    Ok((found, _)) => assert!(found == data && !counts, "{codec}, {lost} lost"),
                    Err(_) => assert!(counts, "{codec}, {lost} lost"),
                }
                let all = (0..n).filter(|&share| share != lost);
                if n - k > 1 {
                    let (found, _) = decode_from(files(&shares, all), &options()).unwrap();
                    assert!(found == data, "{codec}, {lost} lost");
                }
            }
        }
    }
}

/// A sink in whose memory a bit flips before it is written.
struct Flipping {
    inner: MemorySink,
    at: usize,
}

impl Sink for Flipping {
    fn name(&self) -> String {
        "flipping".into()
    }
    fn open(self: Box<Self>) -> io::Result<Box<dyn SinkWriter>> {
        Ok(self)
    }
}

impl Write for Flipping {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let start = self.inner.0.lock().unwrap().bytes.len();
        let mut bytes = bytes.to_vec();
        if let Some(byte) = self.at.checked_sub(start).and_then(|at| bytes.get_mut(at)) {
            *byte ^= 1 << (self.at % 8);
        }
        self.inner.write(&bytes)
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl SinkWriter for Flipping {
    fn finish(self: Box<Self>) -> io::Result<()> {
        Box::new(self.inner).finish()
    }
}

#[test]
fn a_bit_that_flips_on_the_way_out_is_caught_by_the_shares_own_digests() {
    let data = noise(3 * 2 * SHARD + 5, 1);
    let len = kit::shares(&data, &options(code("rs", 2, 3), SHARD as u64))[1].len();
    for at in 0..len {
        let sinks = sinks(3);
        let sink = |index: usize| -> Box<dyn Sink> {
            let inner = sinks[index].clone();
            match index {
                1 => Box::new(Flipping { inner, at }),
                _ => Box::new(inner),
            }
        };
        let input = Box::new(Bytes(io::Cursor::new(data.clone())));
        let options = with_verify(code("rs", 2, 3), true);
        encode(
            input,
            (0..3).map(sink).collect(),
            &options,
            &Control::new().0,
        )
        .unwrap();
        let shares: Vec<Vec<u8>> = sinks.iter().map(|sink| taken(sink).bytes).collect();
        let source = vec![MemorySource::file(1, shares[1].clone())];
        assert!(!verify(source, &Control::new().0).unwrap()[0].is_whole());
        let decoded = decode_from(files(&shares, [1, 2, 0]), &DecodeOptions::default());
        assert!(decoded.unwrap().0 == data, "byte {at}");
    }
}

#[test]
fn verified_shares_are_the_same_shares() {
    for (codec, k, n) in CODES {
        for len in [0, 1, k * SHARD - 1, k * SHARD, 5 * k * SHARD + 3] {
            let data = noise(len, 3);
            let [with, without] = [true, false].map(|verify| {
                let mut options = with_verify(code(codec, k, n), verify);
                options.workers = 2;
                kit::shares(&data, &options)
            });
            assert!(with == without, "{codec}, {len} bytes");
        }
    }
}
