//! What is bad: each gets an error that names it, and leaves nothing that looks whole.

#![allow(clippy::unwrap_used, reason = "a test fails by it")]

mod desk;

use std::ffi::OsString;

use desk::{Desk, bytes};
use distdup::control::Control;
use distdup::encode::{EncodeOptions, encode};
use distdup::format::{Identity, StreamId};
use distdup::input::FileInput;
use distdup::sink::{self, set};
use distdup_codecs::Geometry;

/// A desk with a stream in shares s0 to s3, of which two suffice.
fn desk() -> Desk {
    let desk = Desk::with_input(300_000);
    desk.exits(0, "distdup encode -q -k 2 -n 4 -o 's{i}' in");
    desk
}

#[test]
fn geometries_that_cannot_be() {
    let desk = Desk::with_input(10);
    for (options, text) in [
        ("-k 0 -n 3", "0 data shards in 3 shards"),
        ("-k 3 -n 3", "3 data shards in 3 shards leave no parity"),
        ("-k 4 -n 3", "4 data shards in 3 shards"),
        ("-k 2 -n 257", "n <= 256"),
        ("--codec xor -k 3 -n 12", "(3, 12)"),
        (
            "--codec xor -k 3 -n 5 --equations 1^2",
            "1 equations for 2 parity shards",
        ),
        (
            "--equations 1^2,1^3 -k 4 -n 6",
            "data shard 4 is in no equation",
        ),
        ("--equations 1^2,1^5 -k 4 -n 6", "no data shard 5"),
        ("--codec xor:matland -n 9", "k = 6 and n = 10, not (6, 9)"),
        ("--codec zfec -k 3 -n 5", "no codec is called \"zfec\""),
        ("--codec copy -k 2 -n 3", "copy"),
        ("-n 3", "(-k)"),
        ("-k 2", "(-n)"),
        ("-k x -n 3", "invalid value 'x'"),
        ("-k 2 -n 3 --memory 3q", "KiB"),
        ("-k 2 -n 3 --shard-size 0", "shard length is 0"),
        ("-k 2 -n 3 --codec rs16 --shard-size 3", "a multiple of 2"),
        ("-k 2 -n 3 --shard-size 1G", "1000000000"),
    ] {
        desk.complains(
            2,
            &format!("distdup encode {options} -o 's{{i}}' in"),
            &[text],
        );
    }
    desk.complains(
        2,
        "distdup encode -k 2 -n 3 --memory 1k -o 's{i}' in",
        &["--memory", "needed"],
    );
    desk.complains(
        2,
        "distdup encode -k 2 -n 3 --min-shares 4 -o 's{i}' in",
        &["--min-shares"],
    );
    assert_eq!(desk.names(), ["in"]);
}

#[test]
fn programs_are_told_of_wrong_usage() {
    let desk = Desk::with_input(10);
    for (line, text) in [
        (
            "encode --json -k x -o a in",
            "invalid value 'x' for '-k <K>'",
        ),
        (
            "encode -k 1 --json --josn",
            "unexpected argument '--josn' found",
        ),
        ("encode --json", "not provided: --output <DEST>"),
        ("frobnicate --json", "unrecognized subcommand 'frobnicate'"),
        (
            "encode --json -k 3 -n 3 -o 's{i}' in",
            "3 data shards in 3 shards",
        ),
    ] {
        let ran = desk.exits(2, &format!("distdup {line}"));
        let json = ran.json();
        assert_eq!(json["status"], "failed", "{line}");
        let error = json["error"][0].as_str().unwrap();
        assert!(error.contains(text), "{line}: {error}");
        assert!(!ran.err.is_empty(), "{line}");
    }
    let help = desk.exits(0, "distdup encode --json --help");
    assert!(help.text().contains("Examples"), "{help:?}");
}

#[test]
fn outputs_that_do_not_fit_the_geometry() {
    let desk = Desk::with_input(10);
    for (outputs, text) in [
        ("-o a -o b", "2 names are given for 3 shares"),
        ("-o 'a{i}' -o b -o c", "a{i} has {i} in it"),
        ("-o sftp://host/a -o b -o c", "no kind of output sftp:"),
        ("-o fd:9 -o b -o c", "descriptor 9 is not open"),
        ("-o fd:0 -o b -o c", "not open for writing"),
        ("-o exec: -o b -o c", "no command after exec:"),
    ] {
        desk.complains(
            2,
            &format!("distdup encode -k 2 -n 3 {outputs} in"),
            &[text],
        );
    }
    desk.complains(
        2,
        "distdup encode -k 1 -o fd:5 -o fd:5 in 5>a",
        &["fd:5 and fd:5 are the same file"],
    );
    desk.complains(
        2,
        "distdup encode --force -k 1 -o fd:1 -o fd:1 in >a",
        &["fd:1 and fd:1 are the same file"],
    );
    desk.complains(
        2,
        "distdup encode --force -k 1 -o fd:5 -o a in 5>a",
        &["fd:5 and a are the same file"],
    );
    assert_eq!(desk.names(), ["a", "in"]);
    assert_eq!(desk.read("a"), b"");
}

#[test]
fn the_same_sink_twice() {
    let desk = Desk::with_input(10);
    desk.exits(
        0,
        "mkdir d; ln -s d e; echo x > x; ln x hard; ln -s x soft; mkfifo p; ln -s p q",
    );
    let before = desk.names();
    for pair in [
        "a a",
        "a ./a",
        "d/a e/a",
        "a d/../a",
        "x hard",
        "x soft",
        "p q",
        "a a.partial",
    ] {
        let (one, other) = pair.split_once(' ').unwrap();
        let line = format!("distdup encode -k 1 --force -o {one} -o {other} in");
        desk.complains(2, &line, &[one, other, "are the same file"]);
    }
    assert_eq!(desk.names(), before);
    assert_eq!(desk.read("x"), b"x\n");
}

#[test]
fn an_output_that_is_read_from() {
    let desk = desk();
    let before = desk.names();
    for line in [
        "distdup encode -k 1 --force -o in -o b in",
        "distdup encode -k 1 --force -o in -o b < in",
        "distdup decode --force s0 s1 -o s0",
        "ln s0 hard; distdup decode --force s0 s1 -o hard",
    ] {
        desk.complains(2, line, &["would be written over", "which is being read"]);
    }
    desk.remove("hard");
    // What a killed run left may serve to repair from, and is not written over meanwhile.
    desk.exits(0, "mv s3 s3.partial");
    desk.complains(
        2,
        "distdup repair s1 s3.partial -o s0 -o s2 -o s3",
        &["2 shares"],
    );
    let line = "distdup repair s1 s3.partial -o 's{i}' --force; cmp s1 s3.partial";
    assert_ne!(desk.sh(line).code, Some(0));
    desk.exits(0, "mv s3.partial s3; distdup decode s1 s3 | cmp - in");
    assert_eq!(desk.names(), before);
}

#[test]
fn a_sink_that_exists() {
    let desk = desk();
    let text = [
        "cannot write to s1",
        "it exists (use --force to replace it)",
    ];
    let old = desk.read("s1");
    desk.complains(1, "distdup encode -k 1 -o new -o s1 in", &text);
    desk.complains(1, "distdup decode s0 s1 -o in", &["it exists"]);
    assert_eq!(desk.names(), ["in", "s0", "s1", "s2", "s3"]);
    assert!(desk.read("s1") == old);
    desk.exits(
        0,
        "distdup encode -k 1 --force -o new -o s1 in && distdup verify s1 new",
    );
}

#[test]
fn places_that_cannot_be_written_to() {
    let desk = desk();
    let before = desk.names();
    let missing = ["cannot write to gone/b", "its folder gone does not exist"];
    desk.complains(
        1,
        "distdup encode -k 2 -o gone/a -o gone/b -o c in",
        &missing,
    );
    desk.complains(1, "distdup decode s0 s1 -o gone/b", &missing);
    desk.complains(
        1,
        "distdup encode -k 1 --force -o a -o . in",
        &["it is a folder"],
    );
    assert_eq!(desk.names(), before);
}

/// As a full disk or one that is read-only does: it may be a disk that is not mounted.
#[test]
fn outputs_without_a_folder_are_dropped_as_long_as_enough_are_left() {
    let desk = desk();
    let ran = desk.exits(
        3,
        "distdup encode --json -k 1 -o a -o b -o gone/c in >json; code=$?; cat json; exit $code",
    );
    let shares = &ran.json()["shares"];
    assert_eq!(shares[0]["failure"], serde_json::Value::Null);
    assert_eq!(shares[2]["code"], "output-not-opened");
    assert!(
        ran.err
            .contains("gone/c: could not be opened: its folder gone"),
        "{}",
        ran.err
    );
    desk.exits(0, "distdup decode b | cmp - in");
    // What is left of those that were good is not called good when too few of them are.
    let before = desk.names();
    let line = "distdup encode -k 2 --min-shares 2 -o x -o /dev/full -o gone/y in";
    let texts = [
        "2 of 3 sinks failed, and at least 2",
        "share 0, x: given up",
    ];
    desk.complains(1, line, &texts);
    let json = desk.exits(1, &format!("{line} --json")).json();
    assert_eq!(json["shares"][0]["code"], "output-given-up");
    assert_eq!(desk.names(), before);
    // Fewer are offered where that would help, and not where it would not.
    let line = "distdup encode -k 2 -o x -o y -o gone/z in";
    desk.complains(3, line, &[]);
    let line = "distdup encode -k 1 --min-shares 3 -o /dev/full -o u -o v in";
    desk.complains(1, line, &["must take everything (--min-shares can be 1)"]);
    let ran = desk.exits(1, "distdup encode -k 2 -o w -o /dev/full -o /dev/full in");
    assert!(!ran.err.contains("--min-shares"), "{}", ran.err);
}

#[test]
fn names_that_begin_with_a_dash_get_a_tip_that_works() {
    let desk = desk();
    let texts = ["is given as ./-name", "code: usage-option"];
    desk.complains(2, "distdup encode -k 2 -n 3 -o '-s{i}' in", &texts);
    let texts = ["use '-- --no-encryption'"];
    desk.complains(2, "distdup backup in --no-encryption", &texts);
    desk.exits(0, "distdup encode -k 2 -n 3 -o './-s{i}' in");
}

#[test]
fn too_few_shares() {
    let desk = desk();
    let line = "distdup decode s3 -o out";
    desk.complains(
        1,
        line,
        &["not restored", "too few shares", "as well would"],
    );
    let line = "distdup decode s3 nowhere -o out";
    desk.complains(
        1,
        line,
        &[
            "too few shares",
            "nowhere: could not be opened: No such file",
        ],
    );
    assert!(!desk.at("out").exists() && !desk.at("out.partial").exists());
    // Nothing reaches a pipe either.
    assert!(desk.exits(1, "distdup decode s3").out.is_empty());
}

#[test]
fn shares_of_different_streams() {
    let desk = desk();
    desk.exits(0, "distdup encode -q -k 2 -n 3 -o 't{i}' s0");
    let line = "distdup decode s0 s1 t0 t1 -o out";
    desk.complains(1, line, &["shares are of 2 streams", "--stream"]);
    assert!(!desk.at("out").exists());
    let stream = desk.exits(0, "distdup inspect --json t0").json()["stream"].clone();
    let stream = stream.as_str().unwrap();
    desk.exits(
        0,
        &format!("distdup decode --stream {stream} s0 s1 t0 t1 -o out && cmp out s0"),
    );
    desk.remove("out");
    desk.complains(
        2,
        "distdup decode --stream 12 s0 s1",
        &["32 hexadecimal digits"],
    );
    // One stream alone can be had: the stray is named.
    desk.complains(
        3,
        "distdup decode s0 t0 s1 -o out",
        &["t0", "another stream"],
    );
    assert!(desk.read("out") == desk.read("in"));
}

#[test]
fn the_same_share_twice() {
    let desk = desk();
    desk.exits(0, "cp s1 copy; distdup decode s1 copy s2 | cmp - in");
    desk.complains(1, "distdup decode s1 s1 -o out", &["too few shares"]);
    desk.complains(1, "distdup decode s1 copy -o out", &["too few shares"]);
    assert!(!desk.at("out").exists());
}

#[test]
fn two_differing_shares_with_the_same_index() {
    let desk = two_as_one();
    // Frames that differ cannot both be right; those that others agree with are confirmed by the
    // stripe's digest.
    desk.exits(1, "distdup decode s0 t0 -o out");
    assert!(!desk.at("out").exists());
    desk.complains(3, "distdup decode s0 t0 s1 s2 s3 -o out", &["share 0, t0"]);
    assert!(desk.read("out") == desk.read("in"));
}

#[test]
fn of_two_sets_that_contradict_each_other_none_is_believed() {
    let desk = two_as_one();
    desk.exits(1, "distdup decode s0 t0 s1 t1 -o out");
    desk.exits(1, "distdup decode t1 s1 t0 s0 -o out");
    assert!(!desk.at("out").exists());
}

/// Shares s0 to s3 of one stream and t0 to t3 of another, whose headers say that they are one; every
/// frame is good by itself.
fn two_as_one() -> Desk {
    let desk = Desk::with_input(300_000);
    desk.write("other", &vec![7; 300_000]);
    encode_as_one_stream(&desk, "in", "s{i}");
    encode_as_one_stream(&desk, "other", "t{i}");
    desk.exits(0, "distdup verify s0 t0");
    desk
}

/// As an encode would be that was run twice with the same stream id, which `distdup` never does.
fn encode_as_one_stream(desk: &Desk, input: &str, outputs: &str) {
    let code = distdup_codecs::resolve("rs", Geometry::new(2, 4).unwrap(), None).unwrap();
    let mut options = EncodeOptions::new(code);
    let stream = StreamId([7; 16]);
    options.identity = Some(Identity {
        stream,
        generation: 1,
        time: 1,
        name: None,
    });
    let outputs = set::expand(&[desk.at(outputs).into_os_string()], Some(4)).unwrap();
    let sink = |name: &OsString| sink::parse(name, sink::Options::default()).unwrap();
    let sinks = outputs.iter().map(sink).collect();
    let input = Box::new(FileInput::new(desk.at(input)).unwrap());
    encode(input, sinks, &options, &Control::new().0).unwrap();
}

#[test]
fn a_share_of_a_later_format() {
    let desk = desk();
    let mut share = desk.read("s1");
    share[9] = 2; // After two tags of three and five bytes, and the array's head.
    desk.write("s1", &share);
    let texts = ["format version 2", "use a newer one"];
    desk.complains(1, "distdup decode s1 -o out", &texts);
    assert!(!desk.at("out").exists());
    let ran = desk.sh("distdup decode s0 s1 s2 -o out");
    assert!(ran.err.contains("format version 2"), "{ran:?}");
    assert!(desk.read("out") == desk.read("in"));
}

#[test]
fn what_is_no_share() {
    let desk = desk();
    desk.write("empty", b"");
    desk.write("text", &bytes(100_000));
    desk.exits(0, "mkdir folder; head -c 5 s0 > start");
    for (name, text) in [
        ("empty", "it is empty"),
        ("text", "it does not begin as a share does"),
        ("folder", "it is a folder"),
        ("start", "ends within the header"),
        ("nowhere", "No such file or directory"),
        ("exec:'exit 3'", "failed with exit status 3"),
    ] {
        desk.complains(1, &format!("distdup decode {name} -o out"), &[text]);
        desk.complains(1, &format!("distdup inspect {name}"), &[text]);
        let ran = desk.exits(1, &format!("distdup verify {name}"));
        assert!(ran.text().contains(text), "{name}: {ran:?}");
        assert!(!desk.at("out").exists());
        // Others do without it, and it is named.
        desk.complains(3, &format!("distdup decode s3 {name} s1 -o out"), &[text]);
        assert!(desk.read("out") == desk.read("in"), "{name}");
        desk.remove("out");
    }
}

#[test]
fn a_share_that_is_cut() {
    let desk = desk();
    let whole = desk.read("s1");
    for cut in [
        8,
        100,
        200,
        1000,
        whole.len() / 2,
        whole.len() - 64,
        whole.len() - 1,
    ] {
        desk.write("s1", &whole[..cut]);
        desk.exits(1, "distdup verify s1");
        let ran = desk.sh("distdup decode s0 s1 -o out");
        if ran.code != Some(1) {
            assert_eq!(ran.code, Some(3), "{cut}: {ran:?}");
            assert!(desk.read("out") == desk.read("in"));
            desk.remove("out");
        }
        assert!(
            !desk.at("out").exists() && !desk.at("out.partial").exists(),
            "{cut}"
        );
        desk.exits(3, "distdup decode s0 s1 s3 -o out");
        assert!(desk.read("out") == desk.read("in"));
        desk.remove("out");
    }
}

#[test]
fn a_disk_that_fills() {
    let desk = Desk::with_input(300_000);
    let line = "distdup encode -k 2 -o a -o /dev/full -o c in";
    desk.complains(
        3,
        line,
        &["share 1, /dev/full: failed at byte 0: No space left on device"],
    );
    desk.exits(0, "distdup decode a c | cmp - in");
    let line = "distdup encode -k 2 -o /dev/full -o /dev/full -o d in";
    desk.complains(
        1,
        line,
        &[
            "2 of 3 sinks failed",
            "share 0, /dev/full",
            "share 1, /dev/full",
        ],
    );
    assert_eq!(desk.names(), ["a", "c", "in"]);
    let line = "distdup decode a c -o /dev/full";
    desk.complains(
        1,
        line,
        &["the output failed at byte 0", "No space left on device"],
    );
    desk.complains(
        1,
        "distdup decode a c > /dev/full",
        &["No space left on device"],
    );
}

#[test]
fn an_input_that_fails_midway() {
    let desk = Desk::with_input(10);
    // It opens, and cannot be read: a reader's error is no end of file.
    let line = "distdup encode -k 1 -n 2 -o 's{i}' /proc/self/mem";
    desk.complains(
        1,
        line,
        &["the input failed at byte 0", "Input/output error"],
    );
    desk.complains(
        1,
        "distdup encode -k 1 -n 2 -o 's{i}' .",
        &["it is a folder"],
    );
    desk.complains(
        1,
        "distdup encode -k 1 -n 2 -o 's{i}' gone",
        &["cannot read gone"],
    );
    desk.complains(
        1,
        "distdup encode -k 1 -n 2 -o 's{i}' --fifo in",
        &["cannot make in"],
    );
    assert_eq!(desk.names(), ["in"]);
    assert_eq!(desk.read("in"), bytes(10));
}

#[test]
fn a_command_that_does_not_take_its_share() {
    let desk = Desk::with_input(300_000);
    let line = "distdup encode -k 1 -o a -o 'exec:cat > b; exit 5' -o c in";
    let ran = desk.exits(3, line);
    assert!(
        ran.err.contains("share 1, exec:cat > b; exit 5: took all"),
        "{}",
        ran.err
    );
    assert!(ran.err.contains("failed with exit status 5"), "{}", ran.err);
    let advice = "write what is missing by: distdup repair a c -o 'exec:cat > b; exit 5'\n";
    assert!(ran.text().ends_with(advice), "{}", ran.text());
    let line = "distdup encode -k 1 -o d -o 'exec:exit 6' -o e in";
    desk.complains(3, line, &["share 1", "exit status 6"]);

    // What a command took is no source: only files are, if they are enough.
    for (outputs, sources) in [
        ("-o f -o g -o 'exec:cat >h' -o 'exec:exit 7'", "f g"),
        (
            "-o j -o 'exec:cat >l' -o 'exec:exit 7' -o 'exec:cat >m'",
            "j SHARE1 SHARE3",
        ),
    ] {
        let ran = desk.exits(3, &format!("distdup encode -k 2 {outputs} in"));
        let advice = format!("by: distdup repair {sources} -o 'exec:exit 7'\n");
        assert!(ran.text().ends_with(&advice), "{}", ran.text());
    }
}

#[test]
fn names_cannot_command_a_terminal() {
    let desk = desk();
    let ran = desk.exits(1, r#"distdup decode "$(printf 'a\033[31mb')" -o out"#);
    assert!(
        ran.err.contains(r"a\u{1b}[31mb") && !ran.err.contains('\x1b'),
        "{}",
        ran.err
    );
    let ran = desk.exits(
        3,
        r#"distdup encode -k 1 -o "$(printf 'gone\007/x')" -o b in"#,
    );
    assert!(ran.err.contains(r"gone\u{7}/x"), "{}", ran.err);
    assert!(ran.text().contains(r"repair b -o $'gone\007/x'"), "{ran:?}");
}
