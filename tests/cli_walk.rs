//! What works: the command lines that the documentation shows.

mod desk;

use desk::{Desk, bytes};

const LEN: usize = 3_000_001;

#[test]
fn any_four_of_six_give_the_stream_back() {
    let desk = Desk::with_input(LEN);
    let ran = desk.exits(0, "distdup encode --codec rs -k 4 -n 6 -o 's{i}' in");
    assert!(
        ran.text().starts_with("6 shares written (3.0 MB in "),
        "{}",
        ran.text()
    );
    assert!(
        ran.text().ends_with("; any 2 of 6 may be lost\n"),
        "{}",
        ran.text()
    );
    assert_eq!(ran.err, "");
    assert_eq!(desk.names(), ["in", "s0", "s1", "s2", "s3", "s4", "s5"]);

    let ran = desk.exits(0, "distdup decode s5 s0 s4 s3 -o out");
    assert!(
        ran.text().starts_with("3.0 MB restored in "),
        "{}",
        ran.text()
    );
    assert!(desk.read("out") == bytes(LEN));
    desk.exits(0, "distdup decode s* | cmp - in");
}

#[test]
fn what_the_readme_says_of_any_stream_works_as_pasted() {
    let desk = Desk::with_input(300_000);
    desk.exits(0, "mv in backup.tar");
    let readme = concat!(env!("CARGO_MANIFEST_DIR"), "/README.md");
    let readme = std::fs::read_to_string(readme).unwrap();
    let (_, rest) = readme.split_once("## Any stream").unwrap();
    let (part, _) = rest.split_once("\n## ").unwrap();
    let needs_more = |line: &str| {
        ["/home", "ssh ", "pg_dump"]
            .iter()
            .any(|it| line.contains(it))
    };
    let lines = part.lines().filter_map(|line| line.strip_prefix("    "));
    let lines: Vec<&str> = lines.filter(|line| !needs_more(line)).collect();
    assert!(lines.len() >= 8, "{lines:?}");
    for line in lines {
        desk.exits(0, line);
    }
    desk.exits(0, "cmp restored.tar backup.tar && cmp again.tar backup.tar");
}

#[test]
fn n_is_the_number_of_outputs_unless_given() {
    let desk = Desk::with_input(LEN);
    desk.exits(0, "cat in | distdup encode -k 2 -o a -o b -o c");
    desk.exits(0, "cat in | distdup encode -k 2 -n 3 -o d -o e -o f -");
    desk.exits(0, "distdup decode c a | cmp - in");
    desk.exits(0, "distdup decode e f | cmp - in");
}

#[test]
fn commands_and_descriptors_are_sinks_and_sources() {
    let desk = Desk::with_input(LEN);
    desk.exits(
        0,
        "mkdir h0 h1; distdup encode -k 2 -o 'exec:cat > h0/s' -o fd:3 -o fd:4 in 3>b 4>c",
    );
    desk.exits(0, "distdup decode exec:'cat h0/s' fd:5 5<c | cmp - in");
    desk.exits(0, "cat b | distdup decode - c | cmp - in");
    desk.exits(0, "distdup encode -k 1 -n 2 -o 'exec:cat > h{i}/t' in");
    desk.exits(0, "distdup decode h1/t -o 'exec:cmp - in'");
    // A share on standard output: then the result goes to standard error.
    let ran = desk.exits(0, "distdup encode --codec copy -n 2 -o - -o t in");
    assert!(ran.out == desk.read("t") || ran.out.len() == desk.read("t").len());
    assert!(ran.err.contains("2 shares written"), "{}", ran.err);
}

#[test]
fn every_codec_and_odd_lengths_go_through() {
    let desk = Desk::new();
    for len in [0, 1, 575, 576, 65_536, 200_001] {
        desk.write("in", &bytes(len));
        for (options, kept) in [
            ("--codec copy -n 3", "s2"),
            ("--codec xor -k 2 -n 3", "s1 s2"),
            ("--codec xor -k 6 -n 10", "s1 s2 s4 s5 s6 s7 s8 s9"),
            ("--codec xor:matland", "s1 s2 s4 s5 s6 s7 s8 s9"),
            ("--codec xor -k 2 -n 4 --equations '1^2,1'", "s2 s3"),
            ("-n 5 --equations '1^2,2^3'", "s0 s2 s3"),
            ("--codec rs -k 3 -n 5 --shard-size 4k", "s4 s3 s2"),
        ] {
            desk.exits(
                0,
                &format!("distdup encode {options} --force --no-sync -o 's{{i}}' in"),
            );
            desk.exits(0, &format!("distdup decode {kept} | cmp - in"));
        }
    }
}

#[test]
fn named_pipes_on_both_sides_run_to_the_end() {
    let desk = Desk::with_input(LEN);
    desk.exits(
        0,
        "mkfifo p0 p1 p2
         distdup encode -q -k 2 -o p0 -o p1 -o p2 in &
         distdup decode -q p2 p0 p1 -o out && wait $! && cmp in out",
    );
}

#[test]
fn a_pipe_of_its_own_is_made_and_removed() {
    let desk = Desk::with_input(LEN);
    desk.exits(
        0,
        "distdup encode -k 2 -n 3 --fifo pipe -o 's{i}' & encode=$!
         while ! test -p pipe; do sleep 0.01; done
         cat in > pipe; wait $encode && distdup decode s0 s2 | cmp - in",
    );
    assert!(!desk.at("pipe").exists());
}

#[test]
fn an_end_that_is_promised_must_be_kept() {
    let desk = Desk::with_input(1000);
    desk.exits(0, "distdup encode -k 1 -n 2 -o 'a{i}' --size 1000 in");
    desk.exits(
        0,
        "distdup encode -k 1 -n 2 -o 'b{i}' --size 1k --from-command -- cat in",
    );
    desk.exits(0, "distdup decode b1 | cmp - in");
    let nothing_more = desk.names();
    let cases = [
        (
            "--size 1001 in",
            "the input ended after 1000 bytes instead of 1001",
        ),
        ("--size 999 in", "the input goes on after the 999 bytes"),
        (
            "--from-command -- sh -c 'cat in; exit 7'",
            "failed with exit status 7",
        ),
        (
            "--from-command -- sh -c 'cat in; kill -9 $$'",
            "killed by signal 9",
        ),
        ("--from-command -- ./nowhere", "cannot start ./nowhere"),
    ];
    for (end, text) in cases {
        desk.complains(
            1,
            &format!("distdup encode -k 1 -n 2 -o 'c{{i}}' {end}"),
            &[text],
        );
        assert_eq!(desk.names(), nothing_more, "{end}");
    }
}

#[test]
fn repair_writes_what_is_missing_byte_for_byte() {
    let desk = Desk::with_input(LEN);
    desk.exits(
        0,
        "distdup encode -k 4 -n 6 -o 's{i}' in; mkdir old; cp s* old",
    );
    for name in ["s1", "s4"] {
        desk.remove(name);
    }
    let ran = desk.exits(0, "distdup repair s0 s2 s3 s5 -o 's{i}'");
    assert!(ran.text().starts_with("2 shares written"), "{}", ran.text());
    assert!(
        ran.text().contains("any 2 of 6 may be lost"),
        "{}",
        ran.text()
    );
    desk.exits(0, "for s in s?; do cmp $s old/$s || exit 9; done");
    let ran = desk.exits(0, "distdup repair s* -o 's{i}'");
    assert_eq!(ran.text(), "nothing to repair: all 6 shares are there\n");
    let json = desk.exits(0, "distdup repair s* -o 's{i}' --json").json();
    assert_eq!(
        (&json["codec"], &json["n"]),
        (&"rs8".into(), &6.into()),
        "{json}"
    );
    assert_eq!(json["written"], serde_json::json!([]));

    desk.remove("s5");
    desk.exits(0, "distdup repair s* -o new");
    desk.exits(0, "cmp new old/s5");
}

#[test]
fn repair_replaces_what_is_damaged_by_force_alone() {
    let desk = Desk::with_input(LEN);
    desk.exits(
        0,
        "distdup encode -k 2 -n 4 -o 's{i}' in; mkdir old; cp s* old",
    );
    desk.damage("s1", 1_000_000);
    desk.complains(
        1,
        "distdup repair s* -o 's{i}'",
        &["s1 is damaged", "--force"],
    );
    desk.remove("s3");
    desk.complains(3, "distdup repair s* -o 's{i}'", &["s1 is damaged"]);
    desk.exits(0, "cmp s3 old/s3 && ! cmp -s s1 old/s1");
    desk.exits(
        0,
        "distdup repair s* -o 's{i}' --force | grep '1 share written'",
    );
    desk.exits(0, "cmp s1 old/s1");

    // What is damaged and has no output counts as damaged, whether it was needed or not.
    desk.damage("s2", 1_400_000);
    desk.remove("s3");
    let ran = desk.exits(3, "distdup repair s* -o s3");
    assert!(
        ran.err
            .contains("s2 is damaged (share 2), and stays so for want of an output")
    );
    assert!(ran.text().contains("any 1 of 3 may be lost"), "{ran:?}");
}

#[test]
fn verify_vouches_for_one_share_and_for_the_set() {
    let desk = Desk::with_input(LEN);
    desk.exits(0, "distdup encode -k 2 -n 4 -o 's{i}' in");
    let ran = desk.exits(0, "distdup verify s2");
    assert_eq!(
        ran.text(),
        "share 2, s2: whole, of 4; its stream has 3.0 MB\n"
    );
    let ran = desk.exits(0, "distdup verify s*");
    assert!(
        ran.text()
            .contains("4 of 4 shares whole; any 2 of 4 may be lost"),
        "{}",
        ran.text()
    );

    desk.damage("s2", 500_000);
    let ran = desk.exits(1, "distdup verify s2");
    assert!(
        ran.text().contains("share 2, s2: NOT WHOLE\n  stripe "),
        "{}",
        ran.text()
    );
    let ran = desk.exits(3, "distdup verify s*");
    assert!(
        ran.text()
            .contains("3 of 4 shares whole; any 1 of 3 may be lost"),
        "{}",
        ran.text()
    );
}

#[test]
fn json_is_one_object_whatever_happens() {
    let desk = Desk::with_input(LEN);
    let encode = "distdup encode --json -k 2 -n 3";
    let json = desk.exits(0, &format!("{encode} -o 's{{i}}' in")).json();
    assert_eq!(json["status"], "done");
    assert_eq!(json["length"], LEN);
    assert_eq!(
        (&json["codec"], &json["k"], &json["n"]),
        (&"rs8".into(), &2.into(), &3.into())
    );
    assert_eq!(json["shares"][2]["name"], "s2");
    assert_eq!(json["shares"][2]["bytes"], desk.read("s2").len());
    let stream = json["stream"].clone();

    let json = desk
        .exits(3, &format!("{encode} -o a -o b -o /dev/full in"))
        .json();
    assert_eq!(json["status"], "degraded");
    let failure = json["shares"][2]["failure"].as_str().unwrap();
    assert!(failure.contains("No space left on device"), "{failure}");

    let json = desk
        .exits(
            1,
            &format!("{encode} -o a -o /dev/full -o /dev/full in --force"),
        )
        .json();
    assert_eq!(json["status"], "failed");
    assert!(json["error"].as_array().unwrap().len() > 1, "{json}");

    let json = desk.exits(0, "distdup inspect --json s1").json();
    assert_eq!((&json["stream"], &json["index"]), (&stream, &1.into()));
    assert_eq!(
        (&json["length"], &json["complete"]),
        (&LEN.into(), &true.into())
    );
    let json = desk.exits(0, "distdup verify --json s*").json();
    assert_eq!(json["streams"][0]["whole"], serde_json::json!([0, 1, 2]));
    let json = desk.exits(0, "distdup decode --json s0 s2 -o out").json();
    assert_eq!(
        (&json["length"], &json["proven"]),
        (&LEN.into(), &true.into())
    );
    let json = desk.exits(0, "distdup codecs --json").json();
    assert!(
        json["codecs"]
            .as_array()
            .unwrap()
            .iter()
            .any(|codec| codec["id"] == "xor")
    );
    let names = json["aliases"].as_array().unwrap();
    let names: Vec<_> = names.iter().map(|alias| &alias["name"]).collect();
    assert_eq!(names, ["rs", "xor:matland"]);

    // Where standard output carries the stream, the object goes to standard error.
    let ran = desk.exits(0, "distdup decode --json s0 s2");
    assert!(ran.out == bytes(LEN));
    assert_eq!(
        serde_json::from_str::<serde_json::Value>(&ran.err).unwrap()["stream"],
        stream
    );
}

#[test]
fn quiet_is_quiet_and_verbose_says_more() {
    let desk = Desk::with_input(1000);
    let ran = desk.exits(0, "distdup encode -q -k 1 -n 2 -o 's{i}' in");
    assert_eq!((ran.text(), &*ran.err), ("", ""));
    let ran = desk.exits(0, "distdup decode -v s1 -o out");
    assert!(
        ran.err.contains("share 1, s1: 1 frames read, all good"),
        "{}",
        ran.err
    );
    // Neither keeps a warning back.
    desk.complains(
        3,
        "distdup decode -q s1 nowhere -o out2",
        &["nowhere: could not be opened"],
    );
}

#[test]
fn verify_says_when_only_all_shares_together_suffice() {
    let desk = Desk::with_input(300_000);
    desk.exits(0, "distdup encode -k 2 -n 3 --shard-size 4096 -o s{i} in");
    // Each is damaged in a stripe of its own.
    for (share, stripe) in [("s0", 3), ("s1", 7), ("s2", 11)] {
        desk.damage(share, 400 + stripe * (4096 + 80));
    }
    let ran = desk.exits(3, "distdup verify s0 s1 s2");
    let text = String::from_utf8(ran.out).unwrap();
    assert!(
        text.contains("0 whole shares alone cannot restore it"),
        "{text}"
    );
    assert!(text.contains("together, damaged ones included"), "{text}");
    desk.exits(3, "distdup decode s0 s1 s2 -o out");
    assert!(desk.read("out") == desk.read("in"));
    desk.exits(1, "distdup verify s0 s1");
}

#[test]
fn a_sample_makes_no_share_whole() {
    let desk = Desk::with_input(300_000);
    desk.exits(0, "distdup encode -k 2 -n 3 --shard-size 1024 -o 's{i}' in");
    // What cannot be positioned is read in full.
    let ran = desk.exits(0, "distdup verify --subset 10% --json 'exec:cat s0' s1 s2");
    let json = ran.json();
    let stream = &json["streams"][0];
    assert_eq!(stream["whole"], serde_json::json!([0]));
    assert_eq!(stream["sampled"], serde_json::json!([1, 2]));
    for share in json["shares"].as_array().unwrap() {
        let list = if share["whole"] == true {
            "whole"
        } else {
            "sampled"
        };
        assert!(stream[list].as_array().unwrap().contains(&share["index"]));
    }
}
