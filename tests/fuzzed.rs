//! What the fuzzers found, and mutations of it, drawn anew: the checks of fuzz/, without a fuzzer.
//!
//! `DISTDUP_SEEDS=FOLDER` writes the inputs to begin with there, for a fuzzer; scripts/fuzz.sh does.
#![allow(clippy::unwrap_used, reason = "a test fails by it")]

mod checks;
mod kit;

use std::fs;
use std::panic;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use checks::memory::within;
use checks::{TARGETS, Target};
use crossbeam_channel::{RecvTimeoutError, bounded};
use distdup::control::Control;
use distdup::diagnosis::diagnose;
use distdup::format::{Common, header};
use distdup::verify::verify;
use kit::tally::Tally;
use kit::{MemorySource, code, full, lots, options};

/// How long one input may take on a machine that does much else.
const SOON: Duration = Duration::from_secs(60);

fn corpus(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("fuzz/corpus")
        .join(name)
}

/// What is committed, by name of the file.
fn committed(name: &str) -> Vec<Vec<u8>> {
    let folder = corpus(name);
    let entries =
        fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    assert!(!paths.is_empty(), "no input of {name}");
    paths.iter().map(|path| fs::read(path).unwrap()).collect()
}

/// Some bytes changed, added, left out, or taken from elsewhere.
fn mutated(inputs: &[Vec<u8>], number: u64) -> Vec<u8> {
    let mut lot = lots(number);
    let mut bytes = inputs[lot(inputs.len())].clone();
    for _ in 0..=lot(3) {
        let at = lot(bytes.len() + 1);
        let value = u8::try_from(lot(256)).unwrap();
        match lot(6) {
            0 | 1 if at < bytes.len() => bytes[at] = value,
            2 if at < bytes.len() => bytes[at] ^= 1 << (value % 8),
            3 => bytes.insert(at, value),
            4 => drop(bytes.drain(at..(at + lot(9)).min(bytes.len()))),
            _ => {
                let other = &inputs[lot(inputs.len())];
                let from = lot(other.len() + 1);
                let piece = &other[from..(from + lot(40)).min(other.len())];
                bytes.splice(at..at, piece.iter().copied());
            }
        }
    }
    bytes
}

/// Panics on any thread, since those of a worker are caught there.
static PANICS: AtomicUsize = AtomicUsize::new(0);

/// Tests that count memory go one after another.
static ALONE: Mutex<()> = Mutex::new(());

#[test]
fn a_header_that_claims_huge_shards_reserves_none() {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let shard_len = 64 << 20; // the most there may be
    let options = options(code("copy", 1, 2), shard_len);
    let identity = options.identity.unwrap();
    let common = Common::new(&identity, options.code, shard_len, 1).unwrap();
    let shares = [0, 1].map(|index| {
        let mut share = header::encode(&common, index);
        share.resize(1000, 0xee);
        share
    });
    for source in [MemorySource::file, MemorySource::pipe] {
        let sources = || {
            shares
                .iter()
                .map(|share| source(0, share.clone()))
                .collect()
        };
        within(4 << 20, || {
            let verdicts = verify(sources(), &Control::new().0).unwrap();
            assert!(verdicts.iter().all(|verdict| !verdict.is_whole()));
        });
        within(4 << 20, || {
            let found = diagnose(sources(), None, SOON, &Control::new().0).unwrap();
            assert!(!found.streams[0].is_recoverable());
        });
    }
}

#[test]
fn what_fuzzers_found_holds() {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let usual = panic::take_hook();
    panic::set_hook(Box::new(move |what| {
        PANICS.fetch_add(1, Ordering::SeqCst);
        usual(what);
    }));
    let mutations = if full() { 20_000 } else { 100 };
    let mut tally = Tally::of("hostile bytes that fuzzers found, and mutations of them");
    for target in TARGETS {
        let seeds = (target.seeds)();
        if let Some(folder) = std::env::var_os("DISTDUP_SEEDS") {
            write(&PathBuf::from(folder).join(target.name), &seeds);
            continue;
        }
        let mut inputs = committed(target.name);
        for input in &inputs {
            runs(target, input);
        }
        tally.add(target.name, inputs.len() as u64 + mutations);
        inputs.extend(seeds);
        for number in 0..mutations {
            runs(target, &mutated(&inputs, number));
        }
    }
}

/// Runs a check on a thread of its own, so that one that does not end is seen.
fn runs(target: &'static Target, input: &[u8]) {
    let (report, done) = bounded::<()>(1);
    let bytes = input.to_vec();
    let thread = std::thread::spawn(move || {
        (target.check)(&bytes);
        drop(report);
    });
    let ended = done.recv_timeout(SOON) == Err(RecvTimeoutError::Disconnected);
    let fine = ended && thread.join().is_ok() && PANICS.load(Ordering::SeqCst) == 0;
    assert!(
        fine,
        "{}, ended: {ended}, of {}",
        target.name,
        input.escape_ascii()
    );
}

fn write(folder: &Path, seeds: &[Vec<u8>]) {
    fs::create_dir_all(folder).unwrap();
    for (number, seed) in seeds.iter().enumerate() {
        fs::write(folder.join(format!("seed-{number:03}")), seed).unwrap();
    }
}
