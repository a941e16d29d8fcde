//! Shares that lie, and parts that break: bounded work, and never an end that is none.
#![allow(clippy::unwrap_used, reason = "a test fails by it")]

#[allow(dead_code, reason = "headers alone are forged here")]
#[path = "checks/forge.rs"]
mod forge;
mod kit;

use std::io::{self, Cursor, Read, Seek};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use ciborium::Value;
use crossbeam_channel::bounded;
use distdup::control::Control;
use distdup::decode::{DecodeError, DecodeOptions, GatherError, salvage};
use distdup::format::digest::Digest;
use distdup::format::frame::{self, HEAD_LEN};
use distdup::format::{Common, StreamId, Totals, ending, header};
use distdup::quote::with_causes;
use distdup::source::{Source, SourceReader};
use distdup::verify::{Verdict, verify};
use distdup_codecs::{Code, CodecError, Coder, Geometry, Shard, ShardSet};
use kit::anatomy::{Anatomy, forge as forge_frame, retold, splice};
use kit::{
    MemorySink, MemorySource, code, decode_from, encode_into, files, noise, options, shares,
};

/// What `work` gives, if it does so soon.
fn soon<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    let (report, done) = bounded(1);
    thread::spawn(move || report.send(work()));
    done.recv_timeout(Duration::from_secs(30))
        .expect("it ends, and soon")
}

fn verdict(source: Box<dyn Source>) -> Verdict {
    let mut verdicts = verify(vec![source], &Control::new().0).unwrap();
    verdicts.remove(0)
}

fn both(share: &[u8]) -> [Box<dyn Source>; 2] {
    [
        MemorySource::file(0, share.to_vec()),
        MemorySource::pipe(0, share.to_vec()),
    ]
}

#[test]
fn a_trailer_that_tells_of_more_stripes_than_can_be_counted() {
    let options = options(code("copy", 1, 2), 1);
    let identity = options.identity.clone().unwrap();
    let common = Common::new(&identity, Arc::clone(&options.code), 1, 1).unwrap();
    for length in [1 << 40, 1 << 58, (1 << 63) - 1] {
        let totals = Totals {
            length,
            stripes: length,
            digest: Digest::of(b""),
        };
        let mut share = header::encode(&common, 0);
        let first_frame = share.len() as u64;
        share.extend(ending::encode(&common, 0, &totals, first_frame));
        for source in both(&share) {
            let verdict = soon(move || verdict(source));
            assert!(!verdict.is_whole(), "{verdict:?}");
            assert_eq!(verdict.outcome.fault_count, length);
        }
        for source in both(&share) {
            let error = soon(move || decode_from(vec![source], &DecodeOptions::default()));
            assert!(error.is_err());
        }
        for source in both(&share) {
            let saved = soon(move || {
                let output = Box::new(MemorySink::default());
                let control = Control::new().0;
                salvage(vec![source], output, &DecodeOptions::default(), &control)
            });
            let saved = saved.unwrap();
            assert_eq!((saved.written, saved.length), (0, None));
        }
    }
}

#[test]
fn a_forged_frame_without_a_spare_is_given_up_in_time() {
    let (k, n) = (32, 40);
    let options = options(code("rs16", k, n), 2);
    let mut shares = shares(&noise(k * 2, 5), &options);
    let (header, len) = header::decode(&shares[7]).unwrap().unwrap();
    let frame = &mut shares[7][len..len + HEAD_LEN + 2];
    let (head, _) = frame::read_head(frame).unwrap();
    frame[HEAD_LEN] ^= 1;
    let payload = Digest::of(&frame[HEAD_LEN..]);
    frame::write_head(frame, &head, payload, &header.common);
    let result = soon(move || decode_from(files(&shares, 0..k), &DecodeOptions::default()));
    assert!(
        matches!(
            result,
            Err(DecodeError::Gather(GatherError::Unrecoverable { .. }))
        ),
        "{result:?}"
    );
}

#[test]
fn a_share_whose_frames_and_trailer_tell_of_different_ends_is_not_whole() {
    let options = options(code("xor", 2, 3), 16);
    let share = shares(&noise(4 * 32, 6), &options).remove(1);
    let (header, _) = header::decode(&share).unwrap().unwrap();
    let anatomy = Anatomy::of(&share, 16);
    let found = |share: &[u8], stripe: usize| {
        for source in both(share) {
            let verdict = verdict(source);
            assert!(!verdict.is_whole(), "{verdict:?}");
            assert_eq!(verdict.outcome.fault_count, 0, "{verdict:?}");
            let named = format!("its frame of stripe {stripe} tells of another end");
            assert!(kit::said(&verdict.outcome).contains(&named), "{verdict:?}");
        }
    };
    for stripe in 0..anatomy.frames {
        let range = anatomy.stripe(stripe);
        let frame = forge_frame(&share[range.clone()], &header.common, |head, _| {
            head.claim.last ^= true;
        });
        found(&splice(&share, range, &frame), stripe);
        if stripe > 0 {
            found(&retold(&share, stripe, true), stripe - 1);
        }
    }
}

#[test]
fn a_trailer_of_another_share_completes_none() {
    let options = options(code("xor", 2, 3), 64);
    let shares = shares(&noise(1000, 6), &options);
    let end_of = |share: usize| {
        let source = MemorySource::file(share, shares[share].clone());
        usize::try_from(
            distdup::verify::inspect(source)
                .unwrap()
                .ending
                .unwrap()
                .offset,
        )
        .unwrap()
    };
    let mixed = [&shares[0][..end_of(0)], &shares[1][end_of(1)..]].concat();
    for source in both(&mixed) {
        let verdict = verdict(source);
        assert!(!verdict.is_whole(), "{verdict:?}");
        assert_eq!(verdict.outcome.fault_count, 0);
    }
}

#[test]
fn a_frame_in_the_place_of_another_costs_no_third() {
    let options = options(code("xor", 2, 3), 64);
    let mut share = shares(&noise(2 * 64 * 12, 7), &options).remove(1);
    let start = header::decode(&share).unwrap().unwrap().1;
    let frame = |stripe: usize| start + stripe * (HEAD_LEN + 64);
    let (head, tail) = share.split_at_mut(frame(9));
    head[frame(3)..frame(4)].swap_with_slice(&mut tail[..HEAD_LEN + 64]);
    for source in both(&share) {
        let verdict = verdict(source);
        let stripes: Vec<u64> = verdict
            .outcome
            .faults
            .iter()
            .map(|fault| fault.stripe)
            .collect();
        assert_eq!(stripes, [3, 9], "{verdict:?}");
    }
}

/// A pipe that fails where it should end, as one from a command that does not exit well.
struct FailsAtItsEnd(Cursor<Vec<u8>>);

impl Source for FailsAtItsEnd {
    fn name(&self) -> String {
        "fails at its end".into()
    }

    fn open(self: Box<Self>) -> io::Result<Box<dyn SourceReader>> {
        Ok(self)
    }
}

impl Read for FailsAtItsEnd {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self.0.read(buffer)? {
            0 => Err(io::Error::other("exit status 255")),
            count => Ok(count),
        }
    }
}

impl SourceReader for FailsAtItsEnd {
    fn seekable(&mut self) -> Option<&mut dyn Seek> {
        None
    }
}

#[test]
fn what_came_before_a_pipe_failed_is_of_use() {
    let options = options(code("xor", 2, 3), 640);
    let data = noise(2 * 640 + 17, 8);
    let shares = shares(&data, &options);
    for cut in [0, 1, 64] {
        let pipe = |share: usize| {
            let bytes = shares[share][..shares[share].len() - cut].to_vec();
            Box::new(FailsAtItsEnd(Cursor::new(bytes))) as Box<dyn Source>
        };
        let (decoded, report) =
            decode_from(vec![pipe(0), pipe(2)], &DecodeOptions::default()).unwrap();
        assert_eq!(decoded, data);
        assert_eq!(report.is_proven(), cut == 0);
    }
}

/// A code that counts its coders, and breaks down at its third stripe.
#[derive(Debug)]
struct Breaking {
    code: Arc<dyn Code>,
    coders: Arc<AtomicUsize>,
    stripes: Arc<AtomicUsize>,
}

impl Breaking {
    fn new(code: Arc<dyn Code>) -> Self {
        Self {
            code,
            coders: Arc::default(),
            stripes: Arc::default(),
        }
    }
}

struct BreakingCoder(Box<dyn Coder>, Arc<AtomicUsize>);

impl Code for Breaking {
    fn id(&self) -> &'static str {
        self.code.id()
    }
    fn geometry(&self) -> Geometry {
        self.code.geometry()
    }
    fn params(&self) -> &str {
        self.code.params()
    }
    fn shard_unit(&self) -> usize {
        self.code.shard_unit()
    }
    fn reconstructible(&self, present: ShardSet) -> ShardSet {
        self.code.reconstructible(present)
    }
    fn scratch_bytes(&self, shard_len: usize) -> usize {
        self.code.scratch_bytes(shard_len)
    }
    fn coder(&self) -> Box<dyn Coder> {
        self.coders.fetch_add(1, Ordering::Relaxed);
        Box::new(BreakingCoder(self.code.coder(), Arc::clone(&self.stripes)))
    }
}

impl Coder for BreakingCoder {
    fn encode(&mut self, data: &[&[u8]], parity: &mut [&mut [u8]]) -> Result<(), CodecError> {
        assert!(self.1.fetch_add(1, Ordering::Relaxed) < 2, "a broken code");
        self.0.encode(data, parity)
    }
    fn reconstruct(&mut self, shards: &mut [Shard<'_>]) -> Result<(), CodecError> {
        self.0.reconstruct(shards)
    }
}

#[test]
fn a_worker_that_breaks_down_is_no_end() {
    for workers in [1, 2, 3] {
        let breaking = Breaking::new(code("xor", 2, 3));
        let mut options = options(Arc::new(breaking), 64);
        options.workers = workers;
        let sinks: [MemorySink; 3] = Default::default();
        let result = encode_into(&sinks, &noise(2 * 64 * 20, 9), &options);
        assert!(result.is_err(), "{workers} workers");
        for sink in &sinks {
            assert!(!sink.0.lock().unwrap().finished, "{workers} workers");
        }
    }
}

#[test]
fn no_worker_is_started_without_a_stripe_for_it() {
    for stripes in 0..3 {
        let counting = Breaking::new(code("xor", 2, 3));
        let coders = Arc::clone(&counting.coders);
        let mut options = options(Arc::new(counting), 64);
        options.workers = 8;
        let sinks: [MemorySink; 3] = Default::default();
        encode_into(&sinks, &noise(2 * 64 * stripes, 9), &options).unwrap();
        assert_eq!(coders.load(Ordering::Relaxed), stripes);
    }
}

#[test]
fn a_shard_length_beyond_all_measure_is_refused() {
    for codec in ["xor", "rs16"] {
        let options = options(code(codec, 2, 3), u64::MAX - 1);
        let sinks: [MemorySink; 3] = Default::default();
        assert!(encode_into(&sinks, b"data", &options).is_err());
    }
}

/// What `common` says, with one thing changed, in a header with right digests.
fn said(change: impl FnOnce(&mut Vec<(Value, Value)>)) -> Vec<u8> {
    let share = shares(b"data", &options(code("xor", 2, 3), 64)).remove(0);
    let (header, _) = header::decode(&share).unwrap().unwrap();
    let mut common: Value = ciborium::from_reader(&header.common.encoded()[..]).unwrap();
    change(common.as_map_mut().unwrap());
    let mut encoded = Vec::new();
    ciborium::into_writer(&common, &mut encoded).unwrap();
    [
        &forge::header(&encoded, 0),
        &share[forge::header(header.common.encoded(), 0).len()..],
    ]
    .concat()
}

fn with(key: &'static str, value: impl Into<Value>) -> Vec<u8> {
    said(|map| {
        map.retain(|(name, _)| name.as_text() != Some(key));
        map.push((key.into(), value.into()));
    })
}

/// What the program would say of a share.
fn what_is_said(share: &[u8]) -> String {
    let verdicts = both(share).map(|source| soon(move || verdict(source)));
    let [file, pipe] = verdicts.map(|verdict| {
        assert!(!verdict.is_whole(), "{verdict:?}");
        let failure = verdict.outcome.failure.iter();
        let failure = failure.map(|failure| with_causes(failure));
        failure
            .chain(verdict.outcome.flaws.iter().map(ToString::to_string))
            .collect::<Vec<_>>()
            .join("; ")
    });
    let source = MemorySource::file(0, share.to_vec());
    let error = soon(move || decode_from(vec![source], &DecodeOptions::default()));
    let error = with_causes(&error.unwrap_err());
    for said in [&file, &pipe, &error] {
        let obeyed =
            |c: char| c != '\n' && (c.is_control() || ('\u{202a}'..='\u{202e}').contains(&c));
        assert!(!said.contains(obeyed), "{said:?}");
        assert!(said.len() < 2000, "{said}");
    }
    file
}

#[test]
fn numbers_and_names_that_cannot_be_are_refused_by_name() {
    let params = |text: &str| with("params", text);
    let cases: [(Vec<u8>, &str); 24] = [
        (with("k", 0), "k"),
        (with("k", 4), "k"),
        (with("k", u64::MAX), "k"),
        (with("n", 2), "n"),
        (with("n", 257), "n"),
        (with("n", u64::MAX), "n"),
        (with("shard", 0), "the shard length is 0"),
        (
            with("shard", (64 << 20) + 1),
            "the shard length is 67108865",
        ),
        (
            with("shard", u64::MAX),
            "the shard length is 18446744073709551615",
        ),
        (with("min_shares", 0), "min_shares is 0"),
        (with("min_shares", 4), "min_shares is 4"),
        (
            with("min_shares", u64::MAX),
            "min_shares is 18446744073709551615",
        ),
        (with("k", -1), "not the map that it should be"),
        (with("name", vec![7_u8; 1025]), "the name's length is 1025"),
        (params("1^3"), "3"),
        (params("1^2,1^2"), "equations"),
        (params(&"1^".repeat(30_000)), "1"),
        (params(&"9".repeat(60_000)), "9"),
        (params("1^\u{1b}[31m"), "\\u{1b}[31m"),
        (with("codec", "\u{1b}[31m"), "\\u{1b}[31m"),
        (with("digest", "\u{9b}31m\u{202e}"), "\\u{9b}31m\\u{202e}"),
        (
            with("features", vec![Value::from("\u{1b}]0;x\u{7}")]),
            "\\u{1b}]0;x\\u{7}",
        ),
        (
            with("features", Value::Array(vec![0.into(); 60_000])),
            "not the map",
        ),
        (said(Vec::clear), "not the map that it should be"),
    ];
    for (share, expected) in cases {
        let said = what_is_said(&share);
        assert!(said.contains(expected), "{said}, expected {expected}");
    }
}

#[test]
fn keys_that_mean_nothing_yet_change_nothing_however_deep() {
    let nested = |depth: usize| (0..depth).fold(Value::Null, |inner, _| Value::Array(vec![inner]));
    // It is another `common` than the one in the trailer, and can be read.
    let said = what_is_said(&with("later", nested(100)));
    assert!(!said.contains("header"), "{said}");
    // Text that is no UTF-8 cannot be written by a library that knows what text is.
    let mut broken = with("later", "aaaa");
    let at = broken.windows(4).position(|four| four == b"aaaa").unwrap();
    broken[at] = 0xff;
    forge::mend(&mut broken);
    assert!(what_is_said(&broken).contains("not the map"));
    for depth in [200, 1000, 10_000] {
        let mut deep = vec![0x81; depth];
        deep.push(0xf6);
        let said = what_is_said(&forge::header(&deep, 0));
        assert!(said.contains("not the map"), "{said}");
    }
}

#[test]
fn beginnings_of_frames_without_end_are_read_in_time() {
    let payload = 1 << 20;
    let options = options(code("copy", 1, 2), payload as u64);
    let data = noise(payload * 3, 11);
    let share = shares(&data, &options).remove(0);
    let (header, len) = header::decode(&share).unwrap().unwrap();
    let frame = HEAD_LEN + payload;
    let magic = frame::magic(header.common.stream());
    // Some that are nothing but that, and some that could be frames if their digests were right.
    for beginning in [&magic[..], &share[len..len + HEAD_LEN]] {
        // Instead of the first frame, and some bytes more than it had, so that all is looked at in order.
        let flood: Vec<u8> = beginning
            .iter()
            .copied()
            .cycle()
            .take(frame + 100)
            .collect();
        let hostile = [&share[..len], &flood, &share[len + frame..]].concat();
        let source = MemorySource::file(0, hostile);
        let verdict = soon(move || verdict(source));
        assert_eq!(verdict.outcome.fault_count, 1, "{verdict:?}");
        assert_eq!(verdict.outcome.frames, 2, "{verdict:?}");
    }
}

#[test]
fn many_small_shares_in_a_damaged_frame_hide_no_end() {
    let payload = 1 << 17;
    let inner = shares(b"some", &options(code("copy", 1, 2), 4)).remove(0);
    let data: Vec<u8> = inner
        .iter()
        .copied()
        .cycle()
        .take(payload + payload / 2)
        .collect();
    let mut outer = options(code("copy", 1, 2), payload as u64);
    outer.identity.as_mut().unwrap().stream = StreamId(*b"one that has all");
    let mut share = shares(&data, &outer).remove(0);
    let (_, header_len) = header::decode(&share).unwrap().unwrap();
    share[header_len + HEAD_LEN + payload + HEAD_LEN + 100] ^= 1;
    for source in both(&share) {
        let verdict = soon(move || verdict(source));
        assert_eq!(verdict.outcome.fault_count, 1, "{verdict:?}");
        assert!(verdict.outcome.flaws.is_empty(), "{verdict:?}");
    }
}
