//! Every error has a code, and every code is met: the program is brought to give each, and
//! docs/ERRORS.md is made of the catalogue and of what it said.
#![allow(
    clippy::unwrap_used,
    reason = "a test that panics has failed, as it should"
)]

mod desk;

use std::collections::BTreeMap;
use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};

use desk::Desk;
use distdup::catalogue::CATALOGUE;
use serde_json::Value;

/// How each code is met: what is done before, and the command that gives it.
const EXAMPLES: &[(&str, &str, &str)] = &[
    (
        "min-shares",
        "",
        "distdup encode -k 2 -n 3 --min-shares 1 -o 'a{i}' in",
    ),
    (
        "input-failed",
        "",
        "distdup encode -k 2 -n 3 -o 'a{i}' --from-command -- false",
    ),
    (
        "too-few-outputs",
        "",
        "distdup encode -k 2 -o a0 -o a1 -o /dev/full --min-shares 3 in",
    ),
    ("no-shares", "", "distdup decode in in -o out"),
    (
        "several-streams",
        "distdup encode --codec rs16 -k 1 -n 2 -o 't{i}' in",
        "distdup decode s0 s1 t0 -o out",
    ),
    ("too-few-shares", "", "distdup decode s0 -o out"),
    (
        "no-such-stream",
        "",
        "distdup decode s0 s1 --stream 00000000000000000000000000000000 -o out",
    ),
    (
        "stripe-lost",
        "hurt s0 1000; hurt s1 1000",
        "distdup decode s0 s1 -o out",
    ),
    (
        "shares-incomplete",
        "truncate -s 1340 s0 s1",
        "distdup decode s0 s1 -o out",
    ),
    ("output-failed", "", "distdup decode s0 s1 -o /dev/full"),
    (
        "repair-failed",
        "rm s2",
        "distdup repair s0 s1 -o /dev/full",
    ),
    ("share-not-opened", "", "distdup decode s0 s1 gone -o out"),
    (
        "share-not-opened-in-time",
        "mkfifo pipe",
        "distdup decode s0 s1 pipe --source-timeout 0.4 -o out",
    ),
    (
        "share-stalled",
        "",
        "distdup why s0 s1 'exec:cat s2 | { head -c 500; sleep 3; }' --source-timeout 0.3",
    ),
    (
        "share-not-read",
        "",
        "distdup verify s0 s1 'exec:head -c 500 s2; false'",
    ),
    ("share-unknown", "", "distdup verify s0 in"),
    (
        "share-of-another-stream",
        "distdup encode -k 2 -n 3 -o 't{i}' in",
        "distdup decode s0 s1 t2 -o out",
    ),
    (
        "output-not-opened",
        "",
        "flock a3.partial distdup encode -k 2 -n 4 -o a0 -o a1 -o a2 -o a3 in",
    ),
    (
        "output-broke",
        "",
        "distdup encode -k 2 -n 4 -o a0 -o a1 -o a2 -o /dev/full in",
    ),
    (
        "output-not-completed",
        "",
        "distdup encode -k 2 -n 4 -o a0 -o a1 -o a2 -o 'exec:cat >a3; false' in",
    ),
    (
        "output-stalled",
        "head -c 9000000 /dev/zero >big",
        "distdup encode -k 2 -n 4 -o a0 -o a1 -o a2 -o 'exec:sleep 9' --sink-timeout 0.4 big",
    ),
    ("share-empty", ": >s2", "distdup inspect s2"),
    ("not-a-share", "", "distdup inspect in"),
    ("header-damaged", "truncate -s 100 s2", "distdup inspect s2"),
    (
        "newer-format",
        "printf '\\7' | dd of=s2 bs=1 seek=9 conv=notrunc 2>dd",
        "distdup inspect s2",
    ),
    (
        "out-of-range",
        "",
        "distdup encode -k 2 -n 3 --codec rs16 --shard-size 3 -o 'a{i}' in",
    ),
    ("input-kind", "mkdir folder", "distdup inspect folder"),
    ("input-scheme", "", "distdup inspect sftp://host/s0"),
    ("input-command", "", "distdup inspect exec:"),
    ("output-exists", "", "distdup decode s0 s1 -o in"),
    (
        "output-kind",
        "mkdir folder",
        "distdup decode s0 s1 -o folder",
    ),
    ("output-folder", "", "distdup decode s0 s1 -o none/out"),
    (
        "output-scheme",
        "",
        "distdup decode s0 s1 -o sftp://host/out",
    ),
    ("output-command", "", "distdup decode s0 s1 -o exec:"),
    ("output-names", "", "distdup encode -k 2 -o 'a{i}' in"),
    ("output-twice", "", "distdup encode -k 2 -o a -o a -o b in"),
    ("descriptor", "", "distdup inspect fd:77"),
    (
        "command-not-started",
        "",
        "distdup encode -k 2 -n 3 -o 'a{i}' --from-command -- no-such-program",
    ),
    (
        "too-little-memory",
        "",
        "distdup encode -k 2 -n 3 --workers 1 --memory 1000 -o 'a{i}' in",
    ),
    (
        "codec-unknown",
        "",
        "distdup encode --codec zfec -k 2 -n 3 -o 'a{i}' in",
    ),
    (
        "codec-geometry",
        "",
        "distdup encode -k 3 -n 2 -o 'a{i}' in",
    ),
    (
        "codec-parameters",
        "",
        "distdup encode --codec xor -k 2 -n 3 --equations 1^9 -o 'a{i}' in",
    ),
    (
        "zfec-share-unknown",
        "",
        "distdup decode --format zfec s0 s1 -o out",
    ),
    (
        "zfec-shares-mixed",
        "distdup encode --format zfec -k 2 -n 3 -o 'z{i}' in",
        "distdup decode --format zfec z0 z0 -o out",
    ),
    (
        "zfec-too-few-shares",
        "distdup encode --format zfec -k 2 -n 3 -o 'z{i}' in",
        "distdup decode --format zfec z0 -o out",
    ),
    (
        "zfec-shares-damaged",
        "distdup encode --format zfec -k 2 -n 3 -o 'z{i}' in; hurt z0 1000",
        "distdup decode --format zfec z0 z1 z2 -o out",
    ),
    (
        "zfec-length",
        "",
        "distdup encode --format zfec -k 2 -n 3 -o 'exec:cat >z{i}' --from-command -- cat in",
    ),
    ("not-found", "", "distdup inspect gone"),
    ("shares-not-whole", "hurt s0 1000", "distdup verify s0"),
    ("does-not-come-back", "hurt s0 1000", "distdup why s0 s1"),
    (
        "salvaged-in-part",
        "hurt s0 1000",
        "distdup decode --salvage s0 s1 -o out",
    ),
    ("usage", "", "distdup encode in -o a"),
];

/// Codes that no command line gives for sure, and why.
const NOT_MET: &[(&str, &str)] = &[
    (
        "output-count",
        "the program counts them before: output-names",
    ),
    ("no-resources", "the system must be short of threads"),
    (
        "read-back-differs",
        "a disk that forgets: tests/read_back.rs",
    ),
    ("codec-failed", "a mistake of a codec's"),
    ("codec-misused", "a mistake in distdup"),
    (
        "encoded-wrong",
        "a machine that computes wrong: tests/encode_verify.rs",
    ),
    ("encode-stopped", "a signal: tests/cli_signals.rs"),
    ("decode-stopped", "a signal: tests/cli_signals.rs"),
    ("zfec-stopped", "a signal: tests/zfec.rs"),
    ("trailers-differ", "forged trailers: tests/damage.rs"),
    ("nothing-missing", "the program counts it as done"),
    (
        "header-malformed",
        "a header made on purpose: tests/hostile.rs",
    ),
    (
        "newer-feature",
        "a header of a later version: tests/hostile.rs",
    ),
    ("output-terminal", "a terminal"),
    ("output-busy", "always the cause of another"),
    ("command-failed", "always the cause of another"),
    ("command-hung-up", "always the cause of another"),
    ("input-length", "always the cause of another"),
    ("input-shortened", "always the cause of another"),
    ("no-permission", "whoever runs the tests may do anything"),
    (
        "disk-full",
        "always the cause of another: tests/cli_full_disk.rs",
    ),
    ("system", "a disk that fails"),
    ("failed", "what has no code yet"),
];

/// Codes whose words depend on time, or on which codecs there are: the document leaves them out.
const VARYING: &[&str] = &[
    "output-stalled",
    "share-not-opened-in-time",
    "share-stalled",
    "codec-unknown",
];

const HURT: &str = "hurt() { printf XXXX | dd of=\"$1\" bs=1 seek=\"$2\" conv=notrunc 2>dd; }; ";

/// What a command line says on standard error, and the codes in what it prints for programs.
fn provoke(before: &str, line: &str) -> (String, Vec<String>) {
    let desk = Desk::with_input(3000);
    desk.exits(
        0,
        "distdup encode --codec rs16 -k 2 -n 3 --shard-size 512 -o 's{i}' in",
    );
    desk.exits(0, &format!("{HURT}{before}"));
    let ran = desk.sh(line);
    assert_ne!(ran.code, Some(0), "{line}: {ran:?}");
    for name in ["out", "a0", "a1", "a2", "a3"] {
        let _ = fs::remove_file(desk.at(name));
    }
    let with_json = line.replacen("distdup ", "distdup --json ", 1);
    let json = desk.sh(&with_json);
    assert_eq!(json.code, ran.code, "{with_json}: {json:?}");
    let mut codes = Vec::new();
    collect(&json.json(), &mut codes);
    (ran.err, codes)
}

fn collect(json: &Value, codes: &mut Vec<String>) {
    match json {
        Value::Object(map) => {
            for (key, value) in map {
                match value.as_str().filter(|_| key == "code") {
                    Some(code) => codes.push(code.into()),
                    None => collect(value, codes),
                }
            }
        }
        Value::Array(values) => values.iter().for_each(|value| collect(value, codes)),
        _ => {}
    }
}

/// Stream ids and times are different each time.
fn settled(text: &str) -> String {
    let mut out = String::new();
    for word in text.split_inclusive([' ', '\n', ':', ',', ')']) {
        let (body, end) = word.split_at(word.len() - 1);
        if body.len() == 32 && body.chars().all(|c| c.is_ascii_hexdigit()) {
            out.push_str("STREAM");
            out.push_str(end);
        } else {
            out.push_str(word);
        }
    }
    out
}

#[test]
fn every_code_is_met_and_the_document_says_what_is_said() {
    let desk = Desk::new();
    let catalogue = desk.exits(0, "distdup explain --json").json();
    assert_eq!(catalogue["status"], "done");
    let catalogue = catalogue["entries"].as_array().unwrap();
    let known: Vec<&str> = catalogue
        .iter()
        .map(|entry| entry["code"].as_str().unwrap())
        .collect();
    let examples = EXAMPLES.iter().map(|(code, ..)| *code);
    for code in examples.chain(NOT_MET.iter().map(|(code, _)| *code)) {
        assert!(known.contains(&code), "{code} is in no catalogue");
    }
    let mut said = BTreeMap::new();
    let mut unmet = String::new();
    for (code, before, line) in EXAMPLES {
        let (err, codes) = provoke(before, line);
        if !codes.iter().any(|found| found == code) {
            writeln!(unmet, "{line}: expected {code}, found {codes:?}\n{err}").unwrap();
        }
        said.insert(*code, (*before, *line, err));
    }
    assert!(unmet.is_empty(), "{unmet}");
    let mut text = String::from(HEAD);
    let mut about = "";
    for entry in catalogue {
        let [title, code, meaning, next] =
            ["about", "code", "meaning", "next"].map(|key| entry[key].as_str().unwrap());
        if title != about {
            write!(text, "\n## {title}\n").unwrap();
            about = title;
        }
        write!(text, "\n### `{code}`\n\n{meaning}\n\nNext: {next}\n").unwrap();
        if let Some((before, line, err)) = said.get(code) {
            text.push('\n');
            if !before.is_empty() {
                writeln!(text, "    $ {before}").unwrap();
            }
            writeln!(text, "    $ {line}").unwrap();
            let said = if VARYING.contains(&code) { "" } else { err };
            for said in settled(said).lines() {
                writeln!(text, "    {said}").unwrap();
            }
        } else {
            let (_, why) = NOT_MET
                .iter()
                .find(|(other, _)| *other == code)
                .unwrap_or_else(|| panic!("{code} has no example: add one here"));
            writeln!(text, "\nNo example: {why}.").unwrap();
        }
    }
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("docs/ERRORS.md");
    if std::env::var_os("DISTDUP_BLESS").is_some_and(|value| value == "1") {
        fs::write(&path, &text).unwrap();
    }
    let committed = fs::read_to_string(&path).unwrap();
    for (now, then) in text.lines().zip(committed.lines()) {
        assert_eq!(now, then, "DISTDUP_BLESS=1 writes docs/ERRORS.md anew");
    }
    assert!(
        text == committed,
        "DISTDUP_BLESS=1 writes docs/ERRORS.md anew"
    );
}

/// The variants of each have theirs by a `match` without a catch-all, so that a new one does not compile.
#[test]
fn every_type_of_error_has_a_chapter_and_no_code_is_for_the_rest() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let known: Vec<_> = CATALOGUE.iter().map(|it| (it.type_name)()).collect();
    let program = fs::read_to_string(root.join("src/cli/failure.rs")).unwrap();
    let mut found = 0;
    for (folder, package) in [("src", "distdup"), ("codecs/src", "distdup_codecs")] {
        for (path, text) in sources(&root.join(folder)) {
            let path = path.strip_prefix(root.join(folder)).unwrap();
            for name in errors_in(&text) {
                found += 1;
                if path.starts_with("cli") {
                    let chapter = format!("::of::<{name}>(");
                    let has_one = program.contains(&chapter)
                        || program.contains(&chapter.replace("of::<", "of::<super::"));
                    assert!(has_one, "{name} of {} is in no chapter", path.display());
                    continue;
                }
                let module = path.with_extension("").to_str().unwrap().replace('/', "::");
                let module = module.strip_suffix("::mod").unwrap_or(&module);
                let full = format!("{package}::{module}::{name}");
                assert!(known.contains(&full.as_str()), "{full} is in no chapter");
            }
            let is_catch_all =
                |line: &str| line.trim().starts_with("_ => \"") && line.ends_with("\":");
            assert!(
                !text.lines().any(is_catch_all),
                "a code for whatever else there is, in {}",
                path.display()
            );
        }
    }
    assert!(found > 45, "{found} types of errors were found");
    // The one that is of another crate, and needs a catch-all.
    let codecs = fs::read_to_string(root.join("codecs/src/error.rs")).unwrap();
    let (_, body) = codecs.split_once("pub enum CodecError {").unwrap();
    let (body, _) = body.split_once("\n}").unwrap();
    let catalogue = fs::read_to_string(root.join("src/catalogue.rs")).unwrap();
    for line in body.lines().filter_map(|line| line.strip_prefix("    ")) {
        let name = line.split([' ', '(', ',']).next().unwrap();
        if name.starts_with(char::is_uppercase) {
            let is_there = [" {", "("]
                .iter()
                .any(|after| catalogue.contains(&format!("Self::{name}{after}")));
            assert!(is_there, "CodecError::{name} has no code");
        }
    }
}

fn sources(folder: &Path) -> Vec<(PathBuf, String)> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(sources(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = fs::read_to_string(&path).unwrap();
            found.push((path, text));
        }
    }
    found
}

/// Names of the types that a source file makes errors of.
fn errors_in(text: &str) -> Vec<&str> {
    let mut names = Vec::new();
    let mut derived = false;
    for line in text.lines() {
        derived |= line.starts_with("#[derive") && line.contains("thiserror::Error");
        let line = line.trim_start_matches("pub ");
        let named = ["enum ", "struct "]
            .iter()
            .find_map(|it| line.strip_prefix(it));
        let by_hand = line.strip_prefix("impl Error for ");
        if let Some(name) = named.filter(|_| derived).or(by_hand) {
            names.extend(name.split([' ', ';', '(', '{']).next());
            derived = false;
        }
    }
    names
}

/// Of the errors that share a code, those of a code that cannot be are the user's, all of them.
#[test]
fn codes_that_cannot_be_are_no_mistake_of_the_programs() {
    let desk = Desk::with_input(10);
    for (options, code) in [
        ("--codec xor:matland -k 4 -n 6", "codec-geometry"),
        (
            "--codec xor:matland --equations 1,2,3,4",
            "codec-parameters",
        ),
        (
            "--codec xor -k 4 -n 6 --equations 1^2,1^3",
            "codec-parameters",
        ),
    ] {
        let line = format!("distdup encode --json {options} -o 'a{{i}}' in");
        assert_eq!(desk.exits(2, &line).json()["code"], code, "{options}");
    }
}

const HEAD: &str = "\
# Errors

What each error means for the data, and what to do next. With `--json` an error has a `code`, which never
comes to mean something else; what became of a single share has one, too. `distdup explain CODE` says the
same as this page, which is made from the program and from what it really said.

`hurt SHARE BYTE` stands for four bytes overwritten there. The shares s0, s1 and s2 are those of
`distdup encode --codec rs16 -k 2 -n 3 --shard-size 512 -o 's{i}' in`.
";

#[test]
fn what_is_to_be_done_next_can_be_pasted() {
    let desk = Desk::with_input(3000);
    desk.exits(0, "distdup encode -k 2 -n 3 -o 'a share {i}' in");
    let ran = desk.exits(1, "distdup decode 'a share 1'");
    let next = ran
        .err
        .lines()
        .find_map(|line| line.split("distdup why ").nth(1));
    assert_eq!(next, Some("'a share 1'"));
    let ran = desk.exits(1, &format!("distdup why {} --json", next.unwrap()));
    assert_eq!(ran.json()["code"], "does-not-come-back");
}
