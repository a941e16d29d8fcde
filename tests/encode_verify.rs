//! A machine that computes wrong: what encode --verify catches, and what is caught later without it.
#![allow(
    clippy::unwrap_used,
    reason = "a test that panics has failed, as it should"
)]

mod kit;

use std::io::{self, Read, Seek, Write};
use std::sync::Arc;

use distdup::control::Control;
use distdup::decode::DecodeOptions;
use distdup::encode::{EncodeError, EncodeOptions, encode};
use distdup::sink::{Sink, SinkWriter};
use distdup::source::{Source, SourceReader};
use distdup::verify::verify;
use distdup_codecs::{Code, CodecError, Coder, Geometry, Shard, ShardSet};
use kit::tally::Tally;
use kit::{
    Bytes, MemorySink, MemorySource, Taken, code, decode_from, encode_into, files, full, noise,
    options,
};

/// Shards of so many bytes.
const SHARD: usize = 16;

/// Which shard a codec gets one bit of wrong.
#[derive(Debug, Clone, Copy)]
enum Slip {
    /// A parity shard, after it was computed.
    Made(usize),
    /// A data shard, as the codec sees it: all parity that it is in is wrong, and agrees about it.
    Seen(usize),
}

/// A code that gets one bit of a shard wrong, in every stripe or in one.
#[derive(Debug)]
struct Wrong {
    right: Arc<dyn Code>,
    slip: Slip,
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
            slip: self.slip,
            byte: self.byte,
            call: self.call,
            calls: 0,
        })
    }
}

struct WrongCoder {
    right: Box<dyn Coder>,
    slip: Slip,
    byte: usize,
    call: Option<u64>,
    calls: u64,
}

impl Coder for WrongCoder {
    fn encode(&mut self, data: &[&[u8]], parity: &mut [&mut [u8]]) -> Result<(), CodecError> {
        let is_due = self.call.is_none_or(|call| call == self.calls);
        self.calls += 1;
        let at = self.byte % data[0].len();
        let bit = 1 << (self.byte % 8);
        match self.slip {
            Slip::Seen(shard) if is_due => {
                let mut seen = data[shard].to_vec();
                seen[at] ^= bit;
                let mut data = data.to_vec();
                data[shard] = &seen;
                self.right.encode(&data, parity)
            }
            Slip::Made(shard) if is_due => {
                self.right.encode(data, parity)?;
                parity[shard][at] ^= bit;
                Ok(())
            }
            _ => self.right.encode(data, parity),
        }
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
                    slip: Slip::Made(parity),
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
    let stripes = if full() { 60 } else { 12 };
    let mut tally = Tally::of("a bit of one stripe encoded wrong, encode --verify");
    for (codec, k, n) in CODES {
        let data = noise(60 * k * SHARD, 1);
        let parity = (0..n - k).map(Slip::Made);
        for slip in parity.chain((0..k).map(Slip::Seen)) {
            let mut caught = 0;
            for at in 0..stripes {
                let code = Arc::new(Wrong {
                    right: code(codec, k, n),
                    slip,
                    byte: 3,
                    call: Some(at),
                });
                let sinks = sinks(n);
                match encode_into(&sinks, &data, &with_verify(code.clone(), true)) {
                    Err(EncodeError::Corrupted { stripe, .. }) => {
                        assert_eq!(stripe, at);
                        assert!(sinks.iter().all(|sink| !taken(sink).finished));
                        caught += 1;
                        tally.count("caught before a share was complete");
                    }
                    Ok(_) => {
                        is_caught_later(&code, &sinks, &data);
                        tally.count("not drawn, and caught by the stripe's digest when decoded");
                    }
                    Err(error) => panic!("{error}"),
                }
            }
            // Each share is drawn time and again, though not for each stripe.
            assert!(caught > 0, "{codec}, {slip:?}");
            assert!(
                k > 2 || caught < stripes,
                "{codec}, {slip:?}: all of {stripes}"
            );
        }
    }
}

/// Every set of shares that is just enough gives the data or is refused; all together give the data.
fn is_caught_later(code: &Arc<Wrong>, sinks: &[MemorySink], data: &[u8]) {
    let shares: Vec<Vec<u8>> = sinks.iter().map(|sink| taken(sink).bytes).collect();
    let n = shares.len();
    for lost in 0..code.geometry().k() {
        let others = (0..n).filter(|&share| share != lost);
        let few = code.sufficient_subset(others.collect()).unwrap();
        if let Ok((found, _)) = decode_from(files(&shares, few), &DecodeOptions::default()) {
            assert!(found == data, "{code:?}, {lost} lost");
        }
    }
    let (found, _) = decode_from(files(&shares, 0..n), &DecodeOptions::default()).unwrap();
    assert!(found == data, "{code:?}");
}

#[test]
fn without_verify_what_is_wrong_is_caught_by_the_stripes_digest() {
    for (codec, k, n) in CODES {
        let data = noise(3 * k * SHARD + 5, 1);
        for parity in 0..n - k {
            let code = Arc::new(Wrong {
                right: code(codec, k, n),
                slip: Slip::Made(parity),
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

/// Bytes of a share that are tried: all of them, or some of every part.
fn places(share: &[u8]) -> impl Iterator<Item = usize> + use<> {
    let step = if full() { 1 } else { 7 };
    (0..share.len()).step_by(step)
}

#[test]
fn a_bit_that_flips_on_the_way_out_is_caught_by_the_shares_own_digests() {
    let mut tally = Tally::of("a bit flipped between encode and a sink");
    for (codec, k, n) in CODES {
        let data = noise(2 * k * SHARD + 5, 1);
        let whole = kit::shares(&data, &options(code(codec, k, n), SHARD as u64));
        for hurt in [0, k - 1, k, n - 1] {
            for at in places(&whole[hurt]) {
                let sinks = sinks(n);
                let sink = |index: usize| -> Box<dyn Sink> {
                    let inner = sinks[index].clone();
                    match index {
                        _ if index == hurt => Box::new(Flipping { inner, at }),
                        _ => Box::new(inner),
                    }
                };
                let input = Box::new(Bytes(io::Cursor::new(data.clone())));
                let options = with_verify(code(codec, k, n), true);
                let sinks_given = (0..n).map(sink).collect();
                encode(input, sinks_given, &options, &Control::new().0).unwrap();
                let shares: Vec<Vec<u8>> = sinks.iter().map(|sink| taken(sink).bytes).collect();
                let source = vec![MemorySource::file(hurt, shares[hurt].clone())];
                assert!(!verify(source, &Control::new().0).unwrap()[0].is_whole());
                let decoded = decode_from(files(&shares, 0..n), &DecodeOptions::default());
                assert!(
                    decoded.unwrap().0 == data,
                    "{codec}, share {hurt}, byte {at}"
                );
                tally.count("seen by verify, and the data given back by the others");
            }
        }
    }
}

/// A source in whose memory a bit flips after it was read.
struct Misread {
    bytes: io::Cursor<Vec<u8>>,
    seekable: bool,
    at: u64,
}

impl Source for Misread {
    fn name(&self) -> String {
        "misread".into()
    }
    fn open(self: Box<Self>) -> io::Result<Box<dyn SourceReader>> {
        Ok(self)
    }
}

impl Read for Misread {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let start = self.bytes.position();
        let count = self.bytes.read(buffer)?;
        let at = self
            .at
            .checked_sub(start)
            .and_then(|at| usize::try_from(at).ok());
        if let Some(byte) = at.and_then(|at| buffer[..count].get_mut(at)) {
            *byte ^= 1 << (self.at % 8);
        }
        Ok(count)
    }
}

impl SourceReader for Misread {
    fn seekable(&mut self) -> Option<&mut dyn Seek> {
        self.seekable.then_some(&mut self.bytes)
    }
}

#[test]
fn a_bit_that_flips_on_the_way_in_is_caught_by_the_shares_own_digests() {
    let mut spare = Tally::of("a bit flipped between a source and decode, one share to spare");
    let mut none = Tally::of("a bit flipped between a source and decode, none to spare");
    for (codec, k, n) in CODES {
        let data = noise(2 * k * SHARD + 5, 1);
        let code = code(codec, k, n);
        let shares = kit::shares(&data, &options(Arc::clone(&code), SHARD as u64));
        // Without the first, so that parity counts.
        let few = code.sufficient_subset((1..n).collect()).unwrap();
        let hurt = few.iter().last().unwrap();
        for (at, seekable) in places(&shares[hurt]).zip([true, false].into_iter().cycle()) {
            let source = |index: usize| -> Box<dyn Source> {
                let bytes = shares[index].clone();
                match index {
                    _ if index == hurt => Box::new(Misread {
                        bytes: io::Cursor::new(bytes),
                        seekable,
                        at: at as u64,
                    }),
                    _ => MemorySource::file(index, bytes),
                }
            };
            let all = (0..n).map(source).collect();
            let (found, _) = decode_from(all, &DecodeOptions::default()).unwrap();
            assert!(found == data, "{codec}, byte {at}");
            spare.count("given back");
            match decode_from(few.iter().map(source).collect(), &DecodeOptions::default()) {
                Ok((found, _)) => {
                    assert!(found == data, "{codec}, byte {at}");
                    none.count("given back: not a byte of the data's");
                }
                Err(_) => none.count("refused"),
            }
        }
    }
}

/// What nobody can know: the digests are over what was read.
#[test]
fn a_bit_that_flips_before_it_is_read_comes_back_flipped() {
    let mut tally = Tally::of("a bit flipped before encode reads it");
    let data = noise(3 * 2 * SHARD + 5, 1);
    for at in 0..data.len() {
        let flipped = kit::anatomy::flip(&data, at);
        let options = with_verify(code("rs", 2, 3), true);
        let shares = kit::shares(&flipped, &options);
        let decoded = decode_from(files(&shares, [1, 2]), &DecodeOptions::default());
        assert!(decoded.unwrap().0 == flipped);
        tally.count("given back as it was read, flipped");
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
