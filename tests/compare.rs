//! What `distdup compare` says, and what it refuses to.

#![allow(clippy::unwrap_used, reason = "a test fails by it")]

mod desk;

use desk::Desk;
use serde_json::Value;

/// As little as can be measured.
const LITTLE: &str = "--runs 1 --size 100k";

#[track_caller]
fn ask(options: &str) -> Value {
    let line = format!("distdup compare {options} {LITTLE} --json");
    let answer = Desk::new().exits(0, &line).json();
    assert_eq!(answer["status"], "done");
    answer
}

fn titles(answer: &Value) -> Vec<String> {
    let title = |row: &Value| {
        format!(
            "{} {} {}",
            row["name"].as_str().unwrap(),
            row["k"],
            row["n"]
        )
    };
    answer["rows"]
        .as_array()
        .unwrap()
        .iter()
        .map(title)
        .collect()
}

fn said(answer: &Value) -> Vec<(&str, &str)> {
    let advice = answer["advice"].as_array().unwrap().iter();
    let text =
        |one: &'_ Value, name: &str| one[name].as_str().map(str::to_owned).unwrap().leak() as &str;
    advice
        .map(|one| (text(one, "rule"), text(one, "text")))
        .collect()
}

#[test]
fn a_row_has_all_that_is_known_of_a_code() {
    let answer = ask("-k 6 -n 10 --codec xor:matland,rs16 --host-speed 1 --down 2h");
    assert_eq!(titles(&answer), ["xor:matland 6 10", "rs16 6 10"]);
    let row = &answer["rows"][0];
    assert_eq!(row["params"], "3^5^6,2^4^6,1^4^5,1^2^3");
    assert_eq!(
        (&row["always"], &row["always_exact"]),
        (&2.into(), &true.into())
    );
    let losses = row["losses"].as_array().unwrap();
    let recoverable: Vec<_> = losses
        .iter()
        .map(|one| one["recoverable"].as_u64().unwrap())
        .collect();
    assert_eq!(recoverable, [1, 10, 45, 110, 125]);
    assert!((losses[3]["share"].as_f64().unwrap() - 110.0 / 120.0).abs() < 1e-15);
    assert_eq!(row["operations"]["additions"], 8);
    assert_eq!(row["repair"]["least_reads"], 3.0);
    let reads = row["repair"]["reads"].as_f64().unwrap();
    assert!((6.0..9.0).contains(&reads), "{reads}");
    assert_eq!(row["decode"]["lost_count"], 4);
    for operation in ["encode", "decode", "repair"] {
        let at = |name| row[operation][name].as_f64().unwrap();
        assert!(0.0 < at("low") && at("low") <= at("median") && at("median") <= at("high"));
    }
    assert!(row["memory"]["encode"].as_u64().unwrap() > 1 << 20);

    let parameters = &answer["parameters"];
    assert_eq!(parameters["hosts"].as_array().unwrap().len(), 10);
    assert_eq!(
        parameters["codecs"],
        serde_json::json!(["xor:matland", "rs16"])
    );
    for (name, value) in [
        ("k", 6),
        ("n", 10),
        ("host_speed", 1),
        ("runs", 1),
        ("bytes", 100_000),
    ] {
        assert_eq!(parameters[name], value, "{name}");
    }
    assert_eq!(parameters["down_minutes"], 120.0);
    assert_eq!(parameters["loss_rates"], serde_json::json!([0.02]));
    assert!(answer["machine"]["threads"].as_u64().unwrap() > 0);
}

/// What is not measured is what `distdup availability` says of the same code on the same hosts.
#[test]
fn figures_are_those_of_availability() {
    let hosts = "--host a=0.9 --host b=0.99 --host c=0.999/0.8 --host d=0.95 \
                 --group home=a,b:0.99 --group away=c,d:0.999 --loss-rate 0.1,0.2,0.3,0.4";
    let answer = ask(&format!("--codec rs,xor,copy {hosts}"));
    let expected = [
        "rs 3 4", "xor 3 4", "rs 2 4", "xor 2 4", "copy 1 2", "copy 1 3", "copy 1 4",
    ];
    assert_eq!(titles(&answer), expected);
    let first = [
        ("--codec rs -k 2", hosts),
        ("--codec xor -k 2", hosts),
        (
            "--codec copy -k 1",
            "--host a=0.9 --host b=0.99 --group home=a,b:0.99 --loss-rate 0.1,0.2",
        ),
        (
            "--codec copy -k 1",
            "--host a=0.9 --host b=0.99 --host c=0.999/0.8 --group home=a,b:0.99 \
             --group away=c:0.999 --loss-rate 0.1,0.2,0.3",
        ),
    ];
    for (row, (code, hosts)) in answer["rows"].as_array().unwrap()[2..].iter().zip(first) {
        let line = format!("distdup availability {code} {hosts} --json");
        let alone = Desk::new().exits(0, &line).json();
        for (name, value) in alone["results"][0].as_object().unwrap() {
            assert_eq!(&row[name], value, "{name} of {}", row["name"]);
        }
    }
}

#[test]
fn rows_are_the_codes_that_there_are() {
    let all = titles(&ask("-k 2 -n 3"));
    assert!(
        ["rs16 2 3", "xor 2 3"]
            .iter()
            .all(|row| all.contains(&(*row).to_owned())),
        "{all:?}"
    );
    assert_eq!(
        titles(&ask("--codec rs --geometry 2,3 --geometry 4,5")),
        ["rs 4 5", "rs 2 3"]
    );
    assert_eq!(titles(&ask("--codec copy --hosts 2")), ["copy 1 2"]);
    let own = ask("--codec xor -k 2 -n 4 --equations 1^2,1");
    assert_eq!(own["rows"][0]["params"], "1^2,1");

    // More hosts than a code has shares.
    let answer = ask("--hosts 12 -k 2 -n 3 --codec rs");
    assert_eq!(titles(&answer), ["rs 2 3"]);
    assert!(
        answer["rows"][0]["codec"]
            .as_str()
            .unwrap()
            .starts_with("rs")
    );
    assert_eq!(answer["parameters"]["hosts"].as_array().unwrap().len(), 12);

    let some = format!("distdup compare --codec xor --geometry 2,3 --geometry 16,32 {LITTLE}");
    let desk = Desk::new();
    desk.complains(0, &some, &["left out", "xor (16, 32)"]);
}

#[test]
fn hosts_are_those_of_the_file_if_none_are_given() {
    let desk = Desk::new();
    let config = "[hosts]\na = { path = \"x\", availability = 0.9 }\nb = \"y\"\nc = \"z\"\n\
                  [groups]\nhome = { hosts = [\"a\", \"b\"], availability = 0.999 }\n\
                  away = { hosts = [\"c\"], availability = 1 }\n";
    desk.write("distdup.toml", config.as_bytes());
    let line = format!("distdup compare --codec rs {LITTLE} --json");
    let answer = desk.exits(0, &line).json();
    assert_eq!(titles(&answer), ["rs 2 3"]);
    let hosts = &answer["parameters"]["hosts"];
    assert_eq!(
        (&hosts[0]["name"], &hosts[0]["backup"]),
        (&"a".into(), &0.9.into())
    );
    assert_eq!(answer["parameters"]["groups"][0]["name"], "home");
    // A profile's, too.
    let far = b"[profiles.far.hosts]\na = \"x\"\nb = \"y\"\nc = \"z\"\n";
    desk.write("profiles.toml", far);
    let answer = desk
        .exits(0, &format!("{line} --config profiles.toml -P far"))
        .json();
    assert_eq!(answer["parameters"]["hosts"][1]["name"], "b");
    // What is said counts.
    let answer = desk.exits(0, &format!("{line} --hosts 4 -k 2")).json();
    assert_eq!(answer["parameters"]["hosts"][0]["name"], "h0");
}

#[test]
fn what_cannot_be_found_exactly_is_marked() {
    let long: Vec<String> = (1..=14).map(|i| format!("{i}^{}", i % 14 + 1)).collect();
    let options = format!(
        "--codec xor -k 14 -n 28 -a 0.9999 --equations {}",
        long.join(",")
    );
    let answer = ask(&options);
    let row = &answer["rows"][0];
    assert_eq!(row["way"], "trials");
    assert!(row["readable"]["interval"][1].as_f64().unwrap() < 1e-3);
    assert!(row["durability"].is_null() && row["losses"].is_null());
    assert!(row["repair"]["least_reads"].is_null());
    assert_eq!(
        (&row["always"], &row["always_exact"]),
        (&2.into(), &true.into())
    );
    assert_eq!(answer["advice"], serde_json::json!([]));
    let text = Desk::new().exits(0, &format!("distdup compare {options} {LITTLE}"));
    assert!(text.text().contains("  < "), "{}", text.text());
}

#[test]
fn advice_has_the_figures_of_its_rows() {
    let answer = ask("-k 6 -n 10 --codec rs16,xor:matland --host-speed 1MB");
    let said = said(&answer);
    let rules: Vec<_> = said.iter().map(|(rule, _)| *rule).collect();
    assert_eq!(rules[..2], ["least space", "same space"]);
    assert!(
        said[0].1.contains("For 10 hosts at 99 %, rs16 (6, 10)"),
        "{said:?}"
    );
    assert!(
        said[1]
            .1
            .contains("23 s a year and xor:matland (6, 10) 43 min"),
        "{said:?}"
    );
    // One run of each has no spread, so that nothing is said of speed.
    let speed = said.iter().find(|(rule, _)| *rule == "speed").unwrap().1;
    assert!(speed.contains("do not say"), "{speed}");
    assert!(said.iter().all(|(rule, _)| *rule != "limit"), "{said:?}");
}

#[test]
fn tables_for_people_and_for_spreadsheets() {
    let desk = Desk::with_input(50_000);
    let line = format!("distdup compare in --hosts 10 {LITTLE}");
    let ran = desk.exits(0, &line);
    assert_eq!(ran.err, "");
    let text = ran.text();
    for part in [
        "code  ",
        "rs16 (6, 10)",
        "7.23e-7",
        "23 s",
        "any 4",
        "50 kB from in",
        "For 10 hosts",
    ] {
        assert!(text.contains(part), "{part}\n{text}");
    }
    let table = text.lines().take_while(|line| !line.starts_with("Speeds"));
    assert!(table.clone().all(|line| line.len() <= 120), "{text}");

    let csv = desk.exits(0, &format!("{line} --csv"));
    let lines: Vec<_> = csv.text().lines().collect();
    let head: Vec<_> = lines[0].split(',').collect();
    let at = |name| head.iter().position(|one| *one == name).unwrap();
    let row = lines
        .iter()
        .find(|line| line.starts_with("rs16,rs16,high,6,10,"))
        .unwrap();
    let cells: Vec<_> = row.split(',').collect();
    assert_eq!(cells.len(), head.len());
    assert_eq!((cells[at("always")], cells[at("decode_lost")]), ("4", "4"));
    let unavailability: f64 = cells[at("unavailability")].parse().unwrap();
    assert!(
        (unavailability / 7.234_177_276e-7 - 1.0).abs() < 1e-9,
        "{unavailability}"
    );
    assert_eq!(
        lines.len(),
        1 + text
            .lines()
            .skip(1)
            .take_while(|line| !line.is_empty())
            .count()
    );
    // The one with commas in it.
    assert!(
        csv.text().contains("\"3^5^6,2^4^6,1^4^5,1^2^3\""),
        "{}",
        csv.text()
    );
}

#[test]
fn what_cannot_be_compared() {
    let desk = Desk::new();
    desk.write("empty", b"");
    for (options, texts) in [
        ("", ["how many hosts", "--hosts 10"]),
        ("--hosts 0", ["0 hosts", "two or more"]),
        ("--hosts 1", ["1 hosts", "two or more"]),
        ("--hosts 300", ["300", "256"]),
        ("--hosts 3 -a 1.5", ["1.5 is not", "0 to 1"]),
        ("--hosts 3 -a 0.9,0.9", ["2 availabilities", "one for each"]),
        (
            "--hosts 3 --group r=h0,h1:0.9",
            ["h2 is in no group", "alone=h2:1"],
        ),
        ("--hosts 3 --host a=0.9", ["--hosts", "cannot be used"]),
        ("--hosts 3 --loss-rate 1,2", ["2 rates", "3 hosts"]),
        ("--hosts 5 -k 6 -n 10", ["takes 10 hosts", "there are 5"]),
        ("--hosts 5 -n 5", ["-k", "--geometry K,N"]),
        ("--geometry 6", ["K,N", "6,10"]),
        ("--geometry 6,3", ["6 data shards", "3"]),
        ("-k 1 -n 1", ["lone copy", "two shares"]),
        ("-k 2 -n 3 --codec zfec", ["\"zfec\"", "copy"]),
        (
            "-k 2 -n 3 --codec xor:best",
            ["\"xor:best\"", "xor:matland"],
        ),
        ("-k 2 -n 3 --codec copy", ["copy", "k = 1"]),
        ("-k 3 -n 4 --equations 1^4", ["no data shard 4", "1 to 3"]),
        (
            "-k 3 -n 4 --equations 1^2",
            ["data shard 3 is in no equation", "put it"],
        ),
        ("-k 3 -n 5 --equations 1^2^3,", ["equation 2", "empty"]),
        ("--hosts 4 --equations 1^2", ["--equations", "-k and -n"]),
        (
            "--host a=.9 --host b=.9 --host c=.9 -n 2",
            ["-n goes with -k", "--geometry"],
        ),
        ("--hosts 3 --loss-rate 1,2", ["2 rates", "3 hosts"]),
        ("--hosts 3 --loss-rate 1,2,3,4", ["4 rates", "3 hosts"]),
        (
            "--hosts 3 --html -",
            ["--html is for a file", "standard output"],
        ),
        ("--hosts 3 --runs 0", ["--runs 0", "at least one"]),
        ("--hosts 3 --size 0", ["--size 0", "megabytes"]),
        ("--hosts 3 --down 5", ["--down", "1h"]),
        ("--hosts 3 --host-speed fast", ["--host-speed", "MiB"]),
        ("--hosts 3 --csv --json", ["--csv", "--json"]),
        ("empty --hosts 3", ["empty is empty", "random bytes"]),
    ] {
        desk.complains(2, &format!("distdup compare {options}"), &texts);
    }
    desk.complains(
        1,
        "distdup compare missing --hosts 3",
        &["cannot read missing", "No such file"],
    );
    // So much work would not end in time.
    desk.complains(
        1,
        "timeout 60 distdup compare --hosts 3 --runs 1000000 --html gone/page",
        &["cannot write", "gone/page"],
    );
    // What is odd, but makes sense, is said.
    let twice = format!("distdup compare -k 2 -n 4 --codec xor --equations 1^2,2^1 {LITTLE}");
    desk.complains(0, &twice, &["equations 1 and 2 are the same"]);
}

/// Every command in docs/CHOOSING.md, and what it is said to print; `...` leaves something out.
#[test]
fn the_examples_in_the_docs_are_what_the_program_says() {
    let docs = include_str!("../docs/CHOOSING.md");
    let words = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    let mut shown = 0;
    for example in docs.split("    $ ").skip(1) {
        let mut lines = example.lines().map_while(|line| {
            let inside = line.starts_with("    ") || line.starts_with("distdup");
            inside.then(|| line.trim_start())
        });
        let command = lines.next().unwrap();
        let little = if command.starts_with("distdup compare") {
            LITTLE
        } else {
            ""
        };
        let said = words(Desk::new().exits(0, &format!("{command} {little}")).text());
        let mut rest = &said[..];
        for part in lines.collect::<Vec<_>>().join("\n").split("...") {
            let part = words(part);
            let at = rest
                .find(&part)
                .unwrap_or_else(|| panic!("{command}\n{part}\n\nis not in\n{said}"));
            rest = &rest[at + part.len()..];
            shown += 1;
        }
    }
    assert_eq!(shown, 9);
}
