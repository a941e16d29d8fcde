//! Sinks, sources and inputs fail at every moment, through the public traits: what is enough goes on,
//! what is not enough never looks complete, and nothing waits for ever.
#![allow(
    clippy::unwrap_used,
    reason = "a test that panics has failed, as it should"
)]

mod kit;

use std::io::{self, ErrorKind, Write};
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use distdup::control::{Canceller, Control};
use distdup::decode::{
    DecodeError, DecodeOptions, DecodeReport, GatherError, SourceFailure, decode,
};
use distdup::encode::{EncodeError, EncodeOptions, EncodeReport, SinkFailure, encode};
use distdup::input::Input;
use distdup::sink::{Sink, SinkWriter};
use distdup::source::Source;
use kit::anatomy::Anatomy;
use kit::faulty::{
    Fault, Journal, Op, ScriptedInput, ScriptedSink, ScriptedSource, gate, scripted,
};
use kit::pipe::pipe;
use kit::tally::Tally;
use kit::{
    Bytes, MemorySink, MemorySource, code, decode_from, files, full, noise, options, shares,
};

/// Shards of so many bytes.
const SHARD: usize = 16;
/// Long enough for a test to count on, short enough to wait for.
const SOON: Duration = Duration::from_millis(300);

fn encoding(k: usize, n: usize, min_shares: usize) -> EncodeOptions {
    let mut options = options(code("rs", k, n), SHARD as u64);
    options.min_shares = Some(min_shares);
    options
}

fn run(
    input: impl Input + 'static,
    sinks: Vec<ScriptedSink>,
    options: &EncodeOptions,
) -> Result<EncodeReport, EncodeError> {
    let sinks = sinks
        .into_iter()
        .map(|sink| Box::new(sink) as Box<dyn Sink>)
        .collect();
    encode(Box::new(input), sinks, options, &Control::new().0)
}

fn input(data: &[u8]) -> Bytes {
    Bytes(std::io::Cursor::new(data.to_vec()))
}

/// What holds of every run, whatever became of it: no sink was finished before `least` of them had
/// taken all frames, and what was finished is a share from its first byte to its last.
fn check_journal(journal: &Mutex<Journal>, whole: &[Vec<u8>], least: usize) {
    let journal = journal.lock().unwrap();
    let trailer = Anatomy::of(&whole[0], SHARD).trailer;
    for taken in &journal.at_finish {
        let have_all = taken.iter().filter(|&&bytes| bytes >= trailer).count();
        assert!(have_all >= least, "finished too early: {taken:?}");
    }
    for (index, finished) in journal.finished.iter().enumerate() {
        let bytes = &journal.bytes[index];
        assert!(whole[index].starts_with(bytes), "sink {index}: other bytes");
        if *finished {
            assert!(*bytes == whole[index], "sink {index} is finished, and cut");
        }
        if bytes.len() > trailer {
            let ready = journal
                .bytes
                .iter()
                .filter(|bytes| bytes.len() >= trailer)
                .count();
            assert!(ready >= least, "a trailer for too few shares");
        }
    }
}

/// All operations that a sink sees in a run where nothing fails.
fn operations(data: &[u8], options: &EncodeOptions) -> Vec<Op> {
    let (sinks, journal) = scripted(options.code.geometry().n(), |_| None);
    run(input(data), sinks, options).unwrap();
    let journal = journal.lock().unwrap();
    let of_first = journal.entries.iter().filter(|(index, _)| *index == 0);
    of_first.map(|(_, op)| *op).collect()
}

fn faults(op: Op) -> Vec<Fault> {
    let mut faults = vec![
        Fault::Os(5),  // EIO
        Fault::Os(28), // ENOSPC
        Fault::Error(ErrorKind::BrokenPipe),
    ];
    if matches!(op, Op::Write(_)) {
        faults.push(Fault::Zero);
    }
    faults
}

fn named(report: &EncodeReport, failed: &[usize], op: Op) {
    for sink in &report.sinks {
        assert_eq!(
            sink.failure.is_some(),
            failed.contains(&sink.index),
            "{op:?}"
        );
        let Some(failure) = &sink.failure else {
            continue;
        };
        assert_eq!(sink.name, format!("sink-{}", sink.index));
        let as_expected = match op {
            Op::Open => matches!(failure, SinkFailure::Open(_)),
            Op::Write(_) | Op::Flush(_) => {
                matches!(failure, SinkFailure::Write { offset, .. } if *offset == sink.bytes)
            }
            Op::Finish => matches!(failure, SinkFailure::Finish { .. }),
        };
        assert!(as_expected, "{op:?}: {failure:?}");
    }
}

#[test]
fn every_operation_of_every_sink_fails_in_turn() {
    let mut tally = Tally::of("each open, write, flush, finish of a sink fails in turn");
    let data = noise(2 * 2 * SHARD + 7, 1);
    let options = encoding(2, 4, 2);
    let whole = shares(&data, &options);
    let operations = operations(&data, &options);
    assert!(operations.contains(&Op::Open) && operations.contains(&Op::Finish));
    assert!(operations.contains(&Op::Write(4)), "{operations:?}");
    for &op in &operations {
        for fault in faults(op) {
            // Enough are left: one fails, two fail.
            for failed in [vec![0], vec![2], vec![3, 1]] {
                let (sinks, journal) = scripted(4, |index| {
                    failed.contains(&index).then(|| (op, fault.clone()))
                });
                let report = run(input(&data), sinks, &options)
                    .unwrap_or_else(|error| panic!("{op:?} of {failed:?}: {error}"));
                named(&report, &failed, op);
                check_journal(&journal, &whole, 2);
                let journal = journal.lock().unwrap();
                let complete: Vec<usize> = (0..4).filter(|i| journal.finished[*i]).collect();
                assert_eq!(complete.len(), 4 - failed.len());
                let (found, _) =
                    decode_from(files(&journal.bytes, complete), &DecodeOptions::default())
                        .unwrap();
                assert!(found == data);
                tally.count("degraded, sinks and cause named");
            }
            // Too few are left.
            let (sinks, journal) = scripted(4, |index| (index != 2).then(|| (op, fault.clone())));
            let error = run(input(&data), sinks, &options).unwrap_err();
            let EncodeError::TooFewSinks {
                least: 2, sinks, ..
            } = &error
            else {
                panic!("{op:?}: {error}");
            };
            assert!(sinks.iter().filter(|sink| sink.failure.is_some()).count() >= 3);
            check_journal(&journal, &whole, 2);
            let finished = journal.lock().unwrap().finished.clone();
            // That one did not fail; good it is called only if it was completed.
            match &sinks[2].failure {
                None => assert!(finished[2], "{op:?}"),
                Some(SinkFailure::Abandoned) => {}
                Some(failure) => panic!("{op:?}: {failure}"),
            }
            let may_be_complete = matches!(op, Op::Finish | Op::Write(_) | Op::Flush(_));
            assert!(may_be_complete || finished == [false; 4], "{op:?}");
            tally.count("failed, sinks and cause named");
        }
    }
    // A write that is interrupted, or takes one byte, is gone on with.
    let writes = operations.iter().filter(|op| matches!(op, Op::Write(_)));
    for &op in writes {
        for fault in [Fault::Error(ErrorKind::Interrupted), Fault::Short] {
            let (sinks, journal) = scripted(4, |index| (index == 1).then(|| (op, fault.clone())));
            run(input(&data), sinks, &options).unwrap();
            assert!(journal.lock().unwrap().bytes == whole, "{op:?}");
            tally.count("went on unharmed");
        }
    }
}

#[test]
fn before_all_frames_are_taken_a_failure_of_too_many_leaves_nothing_finished() {
    let data = noise(2 * 2 * SHARD + 7, 1);
    let options = encoding(2, 3, 3);
    let whole = shares(&data, &options);
    // Header and three frames, then the flush that makes them count.
    let moments = [
        Op::Open,
        Op::Write(0),
        Op::Write(1),
        Op::Write(2),
        Op::Write(3),
        Op::Flush(0),
    ];
    for op in moments {
        for failed in 0..3 {
            let (sinks, journal) =
                scripted(3, |index| (index == failed).then_some((op, Fault::Os(28))));
            let error = run(input(&data), sinks, &options).unwrap_err();
            assert!(matches!(error, EncodeError::TooFewSinks { least: 3, .. }));
            assert_eq!(journal.lock().unwrap().finished, [false; 3], "{op:?}");
            let trailer = Anatomy::of(&whole[0], SHARD).trailer;
            let journal = journal.lock().unwrap();
            assert!(journal.bytes.iter().all(|bytes| bytes.len() <= trailer));
        }
    }
}

#[test]
fn short_and_interrupted_writes_and_reads_change_nothing() {
    let data = noise(3 * 4 * SHARD + 1, 2);
    let options = encoding(4, 6, 6);
    let whole = shares(&data, &options);
    for most in [1, 3, 79, 1000] {
        let (mut sinks, journal) = scripted(6, |_| None);
        for sink in &mut sinks {
            (sink.most, sink.interrupted) = (most, true);
        }
        let mut input = ScriptedInput::new(&data);
        (input.most, input.interrupted) = (most, true);
        run(input, sinks, &options).unwrap();
        assert!(journal.lock().unwrap().bytes == whole);

        for seekable in [false, true] {
            let sources = whole[1..5].iter().enumerate().map(|(at, share)| {
                let mut source = ScriptedSource::new(at, share, seekable);
                (source.most, source.interrupted) = (most, true);
                Box::new(source) as Box<dyn Source>
            });
            let (found, report) =
                decode_from(sources.collect(), &DecodeOptions::default()).unwrap();
            assert!(found == data && report.is_proven());
        }
    }
}

#[test]
fn an_input_that_fails_at_any_offset_has_no_end() {
    let data = noise(2 * 2 * SHARD, 3); // whole stripes: the end is known only by asking
    let mut tally = Tally::of("the input fails at each byte");
    let options = encoding(2, 3, 2);
    for offset in 0..=data.len() as u64 {
        let (sinks, journal) = scripted(3, |_| None);
        let mut input = ScriptedInput::new(&data);
        input.fails_at = Some(offset);
        let error = run(input, sinks, &options).unwrap_err();
        assert!(
            matches!(error, EncodeError::Input { offset: at, .. } if at == offset),
            "{offset}: {error}"
        );
        nothing_looks_complete(&journal);
        tally.count("failed, the byte named");
    }
}

#[test]
fn an_end_that_is_not_confirmed_is_none() {
    let options = encoding(2, 3, 2);
    for len in [0, 1, 2 * SHARD - 1, 2 * SHARD, 2 * SHARD + 1, 7 * SHARD] {
        let (sinks, journal) = scripted(3, |_| None);
        let mut input = ScriptedInput::new(&noise(len, 4));
        input.refuses = true;
        let error = run(input, sinks, &options).unwrap_err();
        assert!(
            matches!(&error, EncodeError::Input { offset, source }
                if *offset == len as u64 && source.to_string() == "the writer was killed"),
            "{error}"
        );
        nothing_looks_complete(&journal);
    }
}

/// No sink was finished, none has a trailer, and no frame says that it is the last.
fn nothing_looks_complete(journal: &Mutex<Journal>) {
    let journal = journal.lock().unwrap();
    assert!(journal.finished.iter().all(|finished| !finished));
    let sources: Vec<Box<dyn Source>> = journal
        .bytes
        .iter()
        .enumerate()
        .map(|(at, bytes)| MemorySource::file(at, bytes.clone()))
        .collect();
    if let Ok((found, _)) = decode_from(sources, &DecodeOptions::default()) {
        panic!("{} bytes pass for a stream", found.len());
    }
}

#[test]
fn a_sink_that_blocks_for_ever_is_dropped_and_the_others_complete() {
    let mut tally = Tally::of("a sink hangs at each open, write, flush, finish, for ever");
    // More frames than any queue holds.
    let data = noise(40 * 2 * SHARD + 5, 5);
    let mut options = encoding(2, 4, 2);
    let whole = shares(&data, &options);
    let mut operations = operations(&data, &options);
    options.sink_timeout = SOON;
    if !full() {
        let some = [
            Op::Open,
            Op::Write(0),
            Op::Write(5),
            Op::Write(41),
            Op::Flush(0),
            Op::Finish,
        ];
        operations.retain(|op| some.contains(op));
    }
    for op in operations {
        let (gate, held) = gate();
        let (sinks, journal) = scripted(4, |index| {
            (index == 1).then(|| (op, Fault::Block(gate.clone())))
        });
        let report =
            run(input(&data), sinks, &options).unwrap_or_else(|error| panic!("{op:?}: {error}"));
        let failures: Vec<_> = report.sinks.iter().map(|one| &one.failure).collect();
        assert!(
            matches!(
                failures[..],
                [None, Some(SinkFailure::TimedOut { .. }), None, None]
            ),
            "{op:?}: {failures:?}"
        );
        let finished = journal.lock().unwrap().finished.clone();
        assert_eq!(finished, [true, false, true, true], "{op:?}");
        drop(held);
        check_journal(&journal, &whole, 2);
        tally.count("dropped, the others whole");
    }
}

#[test]
fn a_sink_that_blocks_for_a_while_is_waited_for() {
    let mut tally = Tally::of("a sink hangs at each open, write, flush, finish, for a while");
    let data = noise(2 * 2 * SHARD + 7, 5);
    let options = encoding(2, 4, 2);
    let whole = shares(&data, &options);
    for op in operations(&data, &options) {
        let (gate, held) = gate();
        let (sinks, journal) = scripted(4, |index| {
            (index == 1).then(|| (op, Fault::Block(gate.clone())))
        });
        let (input, options) = (input(&data), options.clone());
        let running = thread::spawn(move || run(input, sinks, &options));
        // Until it hangs; then it goes on.
        while !journal.lock().unwrap().entries.contains(&(1, op)) {
            thread::yield_now();
        }
        drop(held);
        let report = running.join().unwrap().unwrap();
        assert!(
            report.sinks.iter().all(|one| one.failure.is_none()),
            "{op:?}"
        );
        let journal = journal.lock().unwrap();
        assert!(
            journal.bytes == whole && journal.finished == [true; 4],
            "{op:?}"
        );
        tally.count("all shares whole");
    }
}

#[test]
fn as_many_sinks_block_as_may_and_memory_does_not_run_out() {
    let data = noise(200 * 2 * SHARD + 5, 6);
    let mut options = encoding(2, 6, 2);
    options.sink_timeout = SOON;
    let (gate, held) = gate();
    let blocked = [(0, 3), (2, 60), (3, 61), (5, 150)];
    let (sinks, journal) = scripted(6, |index| {
        let (_, write) = blocked.iter().find(|(at, _)| *at == index)?;
        Some((Op::Write(*write), Fault::Block(gate.clone())))
    });
    let report = run(input(&data), sinks, &options).unwrap();
    assert_eq!(
        report
            .sinks
            .iter()
            .filter(|one| one.failure.is_none())
            .count(),
        2
    );
    let journal = journal.lock().unwrap();
    let (found, _) = decode_from(files(&journal.bytes, [1, 4]), &DecodeOptions::default()).unwrap();
    assert!(found == data);
    drop(held);
}

#[test]
fn to_cancel_works_while_a_sink_or_the_input_blocks() {
    let data = noise(60 * 2 * SHARD, 7);
    let options = encoding(2, 3, 2);
    for op in [
        Some(Op::Open),
        Some(Op::Write(0)),
        Some(Op::Write(4)),
        Some(Op::Flush(0)),
        None,
    ] {
        let (gate, held) = gate();
        let (sinks, journal) = scripted(3, |_| op.map(|op| (op, Fault::Block(gate.clone()))));
        let sinks: Vec<Box<dyn Sink>> = sinks
            .into_iter()
            .map(|sink| Box::new(sink) as Box<dyn Sink>)
            .collect();
        let mut input = ScriptedInput::new(&data);
        if op.is_none() {
            input.blocks_at = Some((300, gate.clone()));
        }
        let (control, canceller) = Control::new();
        let began = Instant::now();
        let (run, seen) = (options.clone(), Arc::clone(&journal));
        let running = thread::spawn(move || encode(Box::new(input), sinks, &run, &control));
        // Until it is where it blocks, or soon will be.
        while op.is_some()
            && !seen
                .lock()
                .unwrap()
                .entries
                .iter()
                .any(|(_, at)| Some(*at) == op)
        {
            thread::yield_now();
        }
        canceller.cancel();
        let error = running.join().unwrap().unwrap_err();
        assert!(matches!(error, EncodeError::Cancelled), "{op:?}: {error}");
        assert!(began.elapsed() < options.sink_timeout / 2, "{op:?}");
        assert_eq!(journal.lock().unwrap().finished, [false; 3]);
        drop(held);
    }
}

// --- Sources ---

fn decoding() -> DecodeOptions {
    DecodeOptions {
        workers: 1,
        source_timeout: SOON,
        ..DecodeOptions::default()
    }
}

fn decode_scripted(
    sources: impl IntoIterator<Item = ScriptedSource>,
    options: &DecodeOptions,
) -> Result<(Vec<u8>, DecodeReport), DecodeError> {
    let sources = sources
        .into_iter()
        .map(|source| Box::new(source) as Box<dyn Source>)
        .collect();
    decode_from(sources, options)
}

#[test]
fn a_source_that_cannot_be_read_at_some_byte() {
    let data = noise(3 * 2 * SHARD + 9, 8);
    let shares = shares(&data, &encoding(2, 3, 2));
    let anatomy = Anatomy::of(&shares[0], SHARD);
    let step = if full() { 1 } else { 3 };
    let mut tally = Tally::of("a share cannot be read at each byte");
    for seekable in [false, true] {
        for bad in (0..=anatomy.len as u64).step_by(step) {
            let with = |others: &[usize]| {
                let mut hurt = ScriptedSource::new(0, &shares[0], seekable);
                hurt.bad_byte = Some(bad);
                let others = others
                    .iter()
                    .map(|&index| ScriptedSource::new(index, &shares[index], seekable));
                decode_scripted(
                    std::iter::once(hurt).chain(others),
                    &DecodeOptions::default(),
                )
            };
            let (found, _) = with(&[1, 2])
                .unwrap_or_else(|error| panic!("byte {bad}, seekable: {seekable}: {error}"));
            assert!(found == data);
            tally.count("came back with a spare");
            let at = usize::try_from(bad).unwrap();
            let needed = anatomy.all_frames().contains(&at);
            let result = with(&[1]);
            tally.count(match &result {
                Ok(_) => "came back without",
                Err(_) => "refused without, source and cause named",
            });
            match result {
                Ok((found, _)) => assert!(!needed && found == data, "byte {bad}"),
                Err(error) if needed => {
                    // It says which source, and what the system said.
                    let text = format!("{error} {error:?}");
                    assert!(text.contains("os error 5"), "byte {bad}: {text}");
                }
                // A pipe is lost with its header, a file is not. The last frame of both is read
                // together with what follows it.
                Err(error) => assert!(
                    !seekable && bad < anatomy.header as u64
                        || (anatomy.trailer..anatomy.trailer + SHARD).contains(&at),
                    "byte {bad}, seekable: {seekable}: {error}"
                ),
            }
        }
    }
}

#[test]
fn a_source_that_blocks_for_ever_is_done_without_or_named() {
    let mut tally = Tally::of("a source hangs at each phase, for ever");
    let data = noise(40 * 2 * SHARD + 9, 9);
    let shares = shares(&data, &encoding(2, 3, 2));
    let anatomy = Anatomy::of(&shares[0], SHARD);
    let places = [
        None, // opening
        Some(0),
        Some(anatomy.header + 10),
        Some(anatomy.stripe(3).start),
        Some(anatomy.stripe(30).start + 5),
        Some(anatomy.trailer),
    ];
    for seekable in [false, true] {
        for place in places {
            let (gate, held) = gate();
            let with = |others: &[usize]| {
                let mut stuck = ScriptedSource::new(0, &shares[0], seekable);
                match place {
                    None => stuck.opens = Some(gate.clone()),
                    Some(at) => stuck.blocks_at = Some((at as u64, gate.clone())),
                }
                let others = others
                    .iter()
                    .map(|&index| ScriptedSource::new(index, &shares[index], seekable));
                decode_scripted(std::iter::once(stuck).chain(others), &decoding())
            };
            let (found, report) = with(&[1, 2])
                .unwrap_or_else(|error| panic!("{place:?}, seekable: {seekable}: {error}"));
            assert!(found == data && report.is_proven());
            tally.count("came back with a spare");
            match with(&[1]) {
                // All its frames are had before its end.
                Ok((found, report)) => {
                    assert_eq!(place, Some(anatomy.trailer));
                    assert!(found == data && report.is_proven());
                    tally.count("came back without");
                }
                Err(error) => {
                    let text = error.to_string();
                    assert!(
                        text.contains("0: ") && text.contains("within")
                            || text.contains("gave no byte"),
                        "{place:?}: {text}"
                    );
                    tally.count("refused without, the source named");
                }
            }
            drop(held);
        }
    }
}

#[test]
fn a_source_that_blocks_and_is_needed_only_later_is_named_in_time() {
    let data = noise(200 * 2 * SHARD + 9, 10);
    let shares = shares(&data, &encoding(2, 3, 2));
    let anatomy = Anatomy::of(&shares[0], SHARD);
    for seekable in [false, true] {
        // So far behind that it is asked for nothing more, when another ends that had served till then.
        let (gate, held) = gate();
        let mut stuck = ScriptedSource::new(0, &shares[0], false);
        stuck.blocks_at = Some((anatomy.stripe(3).start as u64, gate));
        let cut = &shares[1][..anatomy.stripe(150).start];
        let cut = ScriptedSource::new(1, cut, seekable);
        let whole = ScriptedSource::new(2, &shares[2], seekable);
        let error = decode_scripted([stuck, cut, whole], &decoding()).unwrap_err();
        let text = error.to_string();
        assert!(
            text.contains("0: ") && text.contains("gave no byte"),
            "{text}"
        );
        drop(held);
    }
}

#[test]
fn a_source_that_blocks_for_a_while_is_waited_for() {
    let mut tally = Tally::of("a source hangs at each phase, for a while");
    let data = noise(2 * 2 * SHARD + 9, 9);
    let shares = shares(&data, &encoding(2, 3, 2));
    let anatomy = Anatomy::of(&shares[0], SHARD);
    let mut places = vec![
        None,
        Some(0),
        Some(anatomy.header + 10),
        Some(anatomy.trailer - 1),
    ];
    places.extend((0..anatomy.frames).map(|stripe| Some(anatomy.stripe(stripe).start)));
    for seekable in [false, true] {
        for &place in &places {
            let (gate, held) = gate();
            let (arrived, wait) = crossbeam_channel::bounded(1);
            let mut stuck = ScriptedSource::new(0, &shares[0], seekable);
            match place {
                None => stuck.opens = Some(gate.telling(arrived)),
                Some(at) => stuck.blocks_at = Some((at as u64, gate.telling(arrived))),
            }
            let other = ScriptedSource::new(1, &shares[1], seekable);
            // No spare: it must be waited for.
            let running =
                thread::spawn(move || decode_scripted([stuck, other], &DecodeOptions::default()));
            wait.recv().unwrap();
            drop(held);
            let (found, report) = running.join().unwrap().unwrap();
            assert!(
                found == data && report.is_proven(),
                "{place:?}, seekable: {seekable}"
            );
            tally.count("came back");
        }
    }
}

#[test]
fn a_stuck_pipe_is_reported_as_such() {
    let data = noise(40 * 2 * SHARD + 9, 9);
    let shares = shares(&data, &encoding(2, 3, 2));
    let (gate, held) = gate();
    let mut stuck = ScriptedSource::new(0, &shares[0], false);
    stuck.blocks_at = Some((700, gate));
    let others = [1, 2].map(|index| ScriptedSource::new(index, &shares[index], false));
    let (found, report) =
        decode_scripted(std::iter::once(stuck).chain(others), &decoding()).unwrap();
    assert!(found == data);
    let failure = &report.sources[0].failure;
    assert!(
        matches!(failure, Some(SourceFailure::TimedOut { .. })),
        "{failure:?}"
    );
    drop(held);
}

#[test]
fn endings_that_are_found_late_still_prove_the_stream() {
    let data = noise(3 * 2 * SHARD + 9, 9);
    let shares = shares(&data, &encoding(2, 3, 2));
    // What follows hides the endings of files, until they are read to there.
    let hidden: Vec<Vec<u8>> = shares
        .iter()
        .map(|share| [&share[..], &[0; 100]].concat())
        .collect();
    let sources = hidden[..2].iter().enumerate().map(|(at, share)| {
        let mut source = ScriptedSource::new(at, share, true);
        source.slow_from = Some(Anatomy::of(&shares[0], SHARD).trailer as u64 + 20);
        source
    });
    let (found, report) = decode_scripted(sources, &DecodeOptions::default()).unwrap();
    assert!(found == data);
    assert!(report.is_proven(), "{report:?}");
}

#[test]
fn to_cancel_works_while_sources_or_the_output_block() {
    let data = noise(40 * 2 * SHARD + 9, 9);
    let shares = shares(&data, &encoding(2, 3, 2));
    for what in ["open", "read", "output opens", "output writes"] {
        let (gate, held) = gate();
        let sources = shares[..2].iter().enumerate().map(|(at, share)| {
            let mut source = ScriptedSource::new(at, share, false);
            match what {
                "open" => source.opens = Some(gate.clone()),
                "read" => source.blocks_at = Some((900, gate.clone())),
                _ => {}
            }
            Box::new(source) as Box<dyn Source>
        });
        let op = match what {
            "output opens" => Some(Op::Open),
            "output writes" => Some(Op::Write(3)),
            _ => None,
        };
        let (mut output, journal) = scripted(1, |_| op.map(|op| (op, Fault::Block(gate.clone()))));
        let (output, sources) = (Box::new(output.remove(0)), sources.collect());
        let (control, canceller) = Control::new();
        let began = Instant::now();
        let running =
            thread::spawn(move || decode(sources, output, &DecodeOptions::default(), &control));
        while op.is_some_and(|op| !journal.lock().unwrap().entries.contains(&(0, op))) {
            thread::yield_now();
        }
        canceller.cancel();
        let error = running.join().unwrap().unwrap_err();
        assert!(
            matches!(error, DecodeError::Gather(GatherError::Cancelled)),
            "{what}: {error}"
        );
        assert!(began.elapsed() < Duration::from_secs(30), "{what}");
        assert!(!journal.lock().unwrap().finished[0]);
        drop(held);
    }
}

/// An output that is asked to stop while it is being finished, and is finished.
struct Late {
    inner: MemorySink,
    canceller: Canceller,
}

impl Sink for Late {
    fn name(&self) -> String {
        "late".into()
    }

    fn open(self: Box<Self>) -> io::Result<Box<dyn SinkWriter>> {
        Ok(self)
    }
}

impl Write for Late {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.inner.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl SinkWriter for Late {
    fn finish(self: Box<Self>) -> io::Result<()> {
        self.canceller.cancel();
        // Long enough for the decode to see it; were it not, it would only see less.
        thread::sleep(Duration::from_millis(50));
        Box::new(self.inner).finish()
    }
}

#[test]
fn an_output_that_is_finished_when_it_is_too_late_to_stop_counts() {
    let data = noise(5 * 2 * SHARD, 4);
    let shares = shares(&data, &encoding(2, 3, 2));
    let (control, canceller) = Control::new();
    let inner = MemorySink::default();
    let output = Box::new(Late {
        inner: inner.clone(),
        canceller,
    });
    let sources = files(&shares, [0, 1]);
    let result = decode(sources, output, &DecodeOptions::default(), &control);
    assert!(inner.0.lock().unwrap().finished);
    assert!(result.is_ok(), "it is there, and {result:?}");
}

#[test]
fn an_output_that_fails_at_any_moment_fails_the_decode() {
    let mut tally = Tally::of("each open, write, flush, finish of the output fails in turn");
    let data = noise(3 * 2 * SHARD + 9, 9);
    let shares = shares(&data, &encoding(2, 3, 2));
    let decode_into = |fault: Option<(Op, Fault)>| {
        let (mut output, journal) = scripted(1, |_| fault.clone());
        let output = Box::new(output.remove(0));
        let sources = files(&shares, [0, 2]);
        let result = decode(
            sources,
            output,
            &DecodeOptions::default(),
            &Control::new().0,
        );
        (result, journal)
    };
    let (result, journal) = decode_into(None);
    result.unwrap();
    let ops: Vec<Op> = journal
        .lock()
        .unwrap()
        .entries
        .iter()
        .map(|(_, op)| *op)
        .collect();
    assert!(ops.contains(&Op::Finish) && ops.len() > 6, "{ops:?}");
    for op in ops {
        for fault in faults(op) {
            let (result, journal) = decode_into(Some((op, fault)));
            let error = result.unwrap_err();
            let DecodeError::Output { offset, .. } = &error else {
                panic!("{op:?}: {error}");
            };
            let journal = journal.lock().unwrap();
            assert!(!journal.finished[0], "{op:?}");
            assert!(data.starts_with(&journal.bytes[0]));
            assert!(*offset <= journal.bytes[0].len() as u64);
            tally.count("failed, cause named");
        }
    }
}

// --- What is left of a failure in the process ---

/// Its threads and descriptors.
fn held() -> [usize; 2] {
    ["/proc/self/task", "/proc/self/fd"].map(|folder| std::fs::read_dir(folder).unwrap().count())
}

/// Nothing of a run is left, at the latest after a while.
fn released(before: [usize; 2], what: &str) {
    let began = Instant::now();
    while held() != before {
        let late = began.elapsed() > Duration::from_secs(60);
        assert!(
            !late,
            "{what}: {:?} threads and descriptors, {before:?} before",
            held()
        );
        thread::sleep(Duration::from_millis(1));
    }
}

#[test]
fn no_failure_leaves_a_thread_or_a_descriptor() {
    // Other tests have threads, too: this one wants a process of its own.
    if std::env::var_os("DISTDUP_TEST_ALONE").is_none() {
        let this = "no_failure_leaves_a_thread_or_a_descriptor";
        let status = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", this, "--nocapture"])
            .env("DISTDUP_TEST_ALONE", "1")
            .status();
        return assert!(status.unwrap().success());
    }
    let mut tally = Tally::of("threads and descriptors left after each failure");
    // Counted before the first run: for a moment after a thread was joined, /proc still lists it.
    let before = held();
    let folder = tempfile::tempdir().unwrap();
    let data = noise(2 * 2 * SHARD + 7, 1);
    let options = encoding(2, 4, 2);
    let shares = shares(&data, &options);
    // Real ones beside those that fail.
    let real = |name: &str| {
        let force = distdup::sink::Options {
            force: true,
            sync: true,
        };
        let name = match name {
            "file" => folder.path().join("s").into_os_string(),
            command => command.into(),
        };
        distdup::sink::parse(&name, force).unwrap()
    };
    let encode_beside = |op: Op, fault: &Fault, failing: usize| {
        let (sinks, _) = scripted(failing, |_| Some((op, fault.clone())));
        let sinks = sinks
            .into_iter()
            .map(|sink| Box::new(sink) as Box<dyn Sink>);
        let others = ["file", "exec:cat > /dev/null", "/dev/null"];
        let sinks = sinks.chain(others.into_iter().map(real)).take(4).collect();
        encode(Box::new(input(&data)), sinks, &options, &Control::new().0).is_ok()
    };
    let decode_beside = |bad: u64, seekable: bool| {
        let mut hurt = ScriptedSource::new(0, &shares[0], seekable);
        hurt.bad_byte = Some(bad);
        let path = folder.path().join("share");
        std::fs::write(&path, &shares[1]).unwrap();
        let file = distdup::source::parse(path.as_os_str()).unwrap();
        decode_from(vec![Box::new(hurt), file], &DecodeOptions::default()).is_ok()
    };
    for op in operations(&data, &options) {
        for fault in faults(op) {
            for failing in [1, 3] {
                encode_beside(op, &fault, failing);
                released(before, &format!("{op:?}, {failing} fail"));
                tally.count("none");
            }
        }
    }
    for bad in (0..=shares[0].len() as u64).step_by(if full() { 1 } else { 20 }) {
        for seekable in [false, true] {
            decode_beside(bad, seekable);
            released(before, &format!("byte {bad} unreadable"));
            tally.count("none");
        }
    }
}

// --- An encode into pipes that one decode reads ---

/// Encodes into n pipes of which those in `read` are read by one decode, in this order.
fn through_pipes(
    data: &[u8],
    options: &EncodeOptions,
    read: &[usize],
    capacity: usize,
) -> (
    Result<EncodeReport, EncodeError>,
    Result<Vec<u8>, DecodeError>,
) {
    let (sinks, sources): (Vec<_>, Vec<_>) = (0..options.code.geometry().n())
        .map(|index| pipe(index, capacity))
        .unzip();
    let mut sources: Vec<Option<_>> = sources.into_iter().map(Some).collect();
    let sources = read
        .iter()
        .map(|&index| sources[index].take().unwrap())
        .collect();
    let (source, options) = (input(data), options.clone());
    let encoding =
        thread::spawn(move || encode(Box::new(source), sinks, &options, &Control::new().0));
    let decoded = decode_from(sources, &DecodeOptions::default());
    (encoding.join().unwrap(), decoded.map(|(found, _)| found))
}

#[test]
fn an_encode_into_pipes_that_one_decode_reads_runs_to_the_end() {
    let lengths = [0, 1, 4 * SHARD, 9 * 4 * SHARD + 3, 150 * 4 * SHARD + 3];
    for (at, len) in lengths.into_iter().enumerate() {
        let data = noise(len, 10);
        let mut order: Vec<usize> = (0..6).collect();
        order.rotate_left(at);
        for capacity in [1, 64, 4096] {
            let (encoded, decoded) = through_pipes(&data, &encoding(4, 6, 6), &order, capacity);
            assert!(decoded.unwrap() == data);
            let report = encoded.unwrap();
            assert!(
                report.sinks.iter().all(|one| one.failure.is_none()),
                "{report:?}"
            );
            order.reverse();
        }
    }
}

#[test]
fn pipes_that_nobody_opens_are_left_out() {
    let data = noise(30 * 4 * SHARD + 3, 11);
    let mut options = encoding(4, 6, 4);
    options.sink_timeout = SOON;
    for read in [vec![5, 1, 2, 0], vec![0, 1, 2, 3, 5]] {
        let (encoded, decoded) = through_pipes(&data, &options, &read, 64);
        assert!(decoded.unwrap() == data);
        for sink in encoded.unwrap().sinks {
            assert_eq!(
                sink.failure.is_none(),
                read.contains(&sink.index),
                "{sink:?}"
            );
        }
    }
}

#[test]
fn too_few_readers_end_both_sides() {
    let data = noise(30 * 4 * SHARD + 3, 12);
    let mut options = encoding(4, 6, 4);
    options.sink_timeout = SOON;
    let (encoded, decoded) = through_pipes(&data, &options, &[5, 1, 2], 64);
    assert!(
        matches!(encoded, Err(EncodeError::TooFewSinks { .. })),
        "{encoded:?}"
    );
    decoded.unwrap_err();
}

#[test]
fn a_pipe_whose_writer_was_stopped_is_no_stream() {
    let data = noise(30 * 2 * SHARD + 3, 13);
    let options = encoding(2, 3, 2);
    let (sinks, sources): (Vec<_>, Vec<_>) = (0..3).map(|index| pipe(index, 64)).unzip();
    let mut input = ScriptedInput::new(&data);
    input.fails_at = Some(900);
    let encoding =
        thread::spawn(move || encode(Box::new(input), sinks, &options, &Control::new().0));
    let output = MemorySink::default();
    let error = decode(
        sources,
        Box::new(output.clone()),
        &DecodeOptions::default(),
        &Control::new().0,
    )
    .unwrap_err();
    // The pipes may have been cut in different stripes.
    assert!(
        matches!(
            error,
            DecodeError::Gather(GatherError::Incomplete { .. } | GatherError::Unrecoverable { .. })
        ),
        "{error}"
    );
    assert!(error.to_string().contains("cut off at byte"), "{error}");
    assert!(matches!(
        encoding.join().unwrap(),
        Err(EncodeError::Input { .. })
    ));
    let taken = output.0.lock().unwrap();
    assert!(!taken.finished && data.starts_with(&taken.bytes));
}
