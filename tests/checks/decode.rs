//! Whole shares, all of them hostile, as files and as pipes, through every operation that reads them.

use std::sync::{Arc, LazyLock};
use std::time::Duration;

use distdup::control::Control;
use distdup::decode::{DecodeOptions, SourceOutcome, decode, salvage};
use distdup::diagnosis::{StreamDiagnosis, diagnose};
use distdup::format::digest::{Digest, StreamDigest, stripe_digest};
use distdup::format::{Common, Totals};
use distdup::repair::repair;
use distdup::sink::Sink;
use distdup::source::Source;
use distdup::verify::{inspect, verify};
use distdup_codecs::{Code, ShardSet};

use super::memory::within;
use super::script::{Output, Script, hurt, sources};
use super::{forge, is_fit_to_print, is_printed_well};
use crate::kit::golden::{GOLDEN, Golden};

/// What the operations are allowed.
const MEMORY: usize = 1 << 20;
/// Threads, lists of messages, what serde reserves for a list.
const REST: usize = 16 << 20;

/// The length of a stream, and its shares.
type Set = (usize, Vec<Vec<u8>>);

/// Those of each golden code.
static SETS: LazyLock<Vec<Vec<Set>>> =
    LazyLock::new(|| GOLDEN.iter().map(Golden::committed).collect());

struct Case {
    code: Arc<dyn Code>,
    /// The stream.
    data: Vec<u8>,
    /// As they were written.
    written: Vec<Vec<u8>>,
    shares: Vec<Vec<u8>>,
    present: u16,
    pipes: u16,
    most: usize,
    /// Digests were made right again, or shares of other streams were taken: then nothing can be said of
    /// what comes out but that it is as its digests say.
    forged: bool,
    options: DecodeOptions,
}

/// Takes `bytes` for a choice of shares, and a [script](super::script) of what happens to them.
pub fn check(bytes: &[u8]) {
    let mut script = Script(bytes);
    let golden = script.place(GOLDEN.len());
    let (len, written) = &SETS[golden][script.place(SETS[golden].len())];
    let how = script.u8();
    let [present, pipes] = [script.u16(), script.u16()];
    let mut shares = written.clone();
    let foreign = hurt(&mut shares, &mut script, |script| {
        let sets = &SETS[script.place(SETS.len())];
        let (_, shares) = &sets[script.place(sets.len())];
        shares[script.place(shares.len())].clone()
    });
    let mend = how & 1 == 1;
    if mend {
        for share in &mut shares {
            forge::mend(share);
        }
    }
    let case = Case {
        code: GOLDEN[golden].code(),
        data: Golden::data(*len),
        written: written.clone(),
        shares,
        present,
        pipes,
        most: if how & 2 == 2 { 13 } else { usize::MAX },
        forged: mend || foreign,
        options: DecodeOptions {
            memory: MEMORY as u64,
            workers: 1 + usize::from(how >> 2 & 1),
            source_timeout: Duration::from_secs(60),
            stream: None,
        },
    };
    let limit = case.limit();
    match how >> 3 & 3 {
        0 => within(limit, || case.decodes()),
        1 => within(limit, || case.salvages()),
        2 => within(limit, || case.repairs()),
        _ => within(limit, || case.examines()),
    }
}

impl Case {
    fn limit(&self) -> usize {
        let bytes: usize = self.shares.iter().map(Vec::len).sum();
        // Sources and output have a copy each, and so do these checks.
        REST + MEMORY + 16 * bytes
    }

    fn sources(&self) -> Vec<Box<dyn Source>> {
        sources(&self.shares, self.present, self.pipes, self.most)
    }

    /// Shares that are as they were written.
    fn whole(&self) -> ShardSet {
        let present = |share: &usize| self.present >> share & 1 == 1;
        let is_whole = |share: &usize| self.shares[*share] == self.written[*share];
        (0..self.shares.len())
            .filter(present)
            .filter(is_whole)
            .collect()
    }

    /// Whether it must come back.
    fn is_safe(&self) -> bool {
        !self.forged && self.code.is_recoverable(self.whole())
    }

    fn decodes(&self) {
        let output = Output::default();
        let to = Box::new(output.clone());
        match decode(self.sources(), to, &self.options, &Control::new().0) {
            Ok(report) => {
                let found = output.finished().expect("a decode that succeeds finishes");
                self.is_right(&found, &report.common, &report.totals);
                are_fit_to_print(&report.sources);
            }
            Err(error) => {
                assert!(output.finished().is_none());
                assert!(!self.is_safe(), "{error}");
                is_printed_well(&error);
            }
        }
    }

    fn is_right(&self, found: &[u8], common: &Common, totals: &Totals) {
        assert!(self.forged || found == self.data, "another stream came out");
        assert_eq!(totals_of(found, common), *totals);
    }

    fn salvages(&self) {
        let output = Output::default();
        let to = Box::new(output.clone());
        let saved = match salvage(self.sources(), to, &self.options, &Control::new().0) {
            Ok(saved) => saved,
            Err(error) => {
                assert!(!self.is_safe(), "{error}");
                return is_printed_well(&error);
            }
        };
        are_fit_to_print(&saved.sources);
        let found = output.finished().expect("a salvage that succeeds finishes");
        assert_eq!(found.len() as u64, saved.written);
        let mut had = 0;
        for missing in &saved.missing {
            assert!(had <= missing.start && missing.start < missing.end);
            assert!(missing.end <= saved.written);
            self.had(&found, had, missing.start);
            had = missing.end;
            let zeros = &found[at(missing.start)..at(missing.end)];
            assert!(zeros.iter().all(|byte| *byte == 0));
        }
        self.had(&found, had, saved.written);
        if let Some(totals) = saved.totals {
            assert!(saved.missing.is_empty());
            self.is_right(&found, &saved.common, &totals);
        }
        if let (Some(length), false) = (saved.length, self.forged) {
            assert_eq!(length, self.data.len() as u64);
        }
        assert!(!self.is_safe() || saved.totals.is_some());
    }

    /// What is not missing is as it was.
    fn had(&self, found: &[u8], from: u64, to: u64) {
        let range = at(from)..at(to);
        assert!(
            self.forged || range.is_empty() || found[range.clone()] == self.data[range],
            "another stream came out"
        );
    }

    fn repairs(&self) {
        let mut written = Vec::new();
        let sinks = |common: &Common, present| {
            let missing = common.geometry().shards().difference(present);
            written = missing
                .iter()
                .map(|index| (index, Output::default()))
                .collect();
            let boxed =
                |(index, sink): &(usize, Output)| (*index, Box::new(sink.clone()) as Box<dyn Sink>);
            Ok(written.iter().map(boxed).collect())
        };
        match repair(
            self.sources(),
            sinks,
            &self.options.clone().into(),
            &Control::new().0,
        ) {
            Ok(report) => {
                are_fit_to_print(&report.sources);
                for (index, share) in written {
                    let share = share.finished().expect("nothing failed");
                    assert!(self.forged || share == self.written[index], "share {index}");
                }
            }
            Err(error) => is_printed_well(&error),
        }
    }

    fn examines(&self) {
        let control = Control::new().0;
        for source in self.sources() {
            match inspect(source) {
                Ok(found) => found.fault.iter().for_each(|fault| is_printed_well(fault)),
                Err(error) => is_printed_well(&error),
            }
        }
        let present: Vec<usize> = (0..self.shares.len())
            .filter(|share| self.present >> share & 1 == 1)
            .collect();
        for (share, verdict) in present
            .iter()
            .zip(verify(self.sources(), &control).unwrap())
        {
            are_fit_to_print([&verdict.outcome]);
            let bytes = &self.shares[*share];
            if verdict.is_whole() && !self.forged {
                let is_it = |one: &Vec<u8>| bytes.starts_with(one);
                let one = self.written.iter().find(|one| is_it(one));
                let one = one.expect("what is whole was written so");
                let behind = (bytes.len() - one.len()) as u64;
                let is_pipe = self.pipes >> share & 1 == 1;
                assert!(is_pipe || verdict.following == behind);
            }
            let untouched = *bytes == self.written[*share];
            assert!(!untouched || verdict.is_whole(), "{verdict:?}");
        }
        let timeout = self.options.source_timeout;
        match diagnose(self.sources(), None, timeout, &control) {
            Ok(found) => {
                are_fit_to_print(&found.strays);
                for stream in &found.streams {
                    are_fit_to_print(stream.sources.iter().map(|one| &one.outcome));
                    is_fit_to_print(&format!("{:?}", stream.remedy));
                }
                let comes_back = found.streams.iter().any(StreamDiagnosis::is_recoverable);
                assert!(!self.is_safe() || comes_back);
            }
            Err(error) => is_printed_well(&error),
        }
    }
}

fn at(offset: u64) -> usize {
    usize::try_from(offset).unwrap()
}

fn are_fit_to_print<'a>(sources: impl IntoIterator<Item = &'a SourceOutcome>) {
    for source in sources {
        source.flaws.iter().for_each(|flaw| is_printed_well(flaw));
        source
            .faults
            .iter()
            .for_each(|fault| is_fit_to_print(&fault.flaw.to_string()));
        source
            .failure
            .iter()
            .for_each(|failure| is_printed_well(failure));
    }
}

/// What a stream comes to, from its bytes alone.
fn totals_of(stream: &[u8], common: &Common) -> Totals {
    let mut sum = StreamDigest::default();
    for data in stream.chunks(common.stripe_len()) {
        let data_len = u32::try_from(data.len()).unwrap();
        let shard_len = common.shard_len_of(data_len);
        let mut padded = data.to_vec();
        padded.resize(shard_len * common.geometry().k(), 0);
        let shards = padded.chunks(shard_len).map(Digest::of);
        sum.push(stripe_digest(shards, data_len), data_len);
    }
    sum.totals()
}

pub fn seeds() -> Vec<Vec<u8>> {
    let mut seeds = Vec::new();
    for (golden, set) in (0..).zip(&GOLDEN) {
        for how in 0..32_u8 {
            let len = how % 6;
            let all = u16::try_from((1_u32 << set.n) - 1).unwrap();
            let [present, pipes] =
                [all, u16::from(how).wrapping_mul(0x2121) & all].map(u16::to_le_bytes);
            let start = [
                golden, 0, len, 0, how, present[0], present[1], pipes[0], pipes[1],
            ];
            // One of each kind of damage, at a place in the middle of a share.
            let damage: [&[u8]; 10] = [
                &[0, 0, 0, 200, 0, 7],
                &[1, 1, 0, 90, 0, 3],
                &[2, 0, 0, 44, 1],
                &[3, 0, 0, 250, 0, 3, 1, 2, 3],
                &[4, 1, 0, 9, 1, 80, 0],
                &[5, 0, 0, 230, 0, 1, 0, 230, 0, 140, 0],
                &[6, 0, 0, 0, 0, 1, 0],
                &[7, 0, 0, 0, 0, 3, 0, 5, 0, 1, 0],
                &[
                    8, 0, 0, 9, 0, b'\x5b', 255, 255, 255, 255, 255, 255, 255, 255,
                ],
                &[9, 0, 0, 240, 0, 7, 0, 3, 0],
            ];
            let one = damage[usize::from(how) % damage.len()];
            let other = damage[usize::from(golden) % damage.len()];
            seeds.push(start.to_vec());
            seeds.push([&start, one].concat());
            seeds.push([&start, one, other].concat());
        }
    }
    seeds
}
