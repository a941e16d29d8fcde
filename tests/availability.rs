//! What `distdup availability` answers, and what it refuses to.

#![allow(clippy::unwrap_used, reason = "a test fails by it")]

mod desk;
#[path = "kit/tally.rs"]
mod tally;

use desk::Desk;
use serde_json::Value;
use tally::Tally;

/// The results of `distdup availability OPTIONS --json`.
#[track_caller]
fn ask(options: &str) -> Value {
    let line = format!("distdup availability {options} --json");
    let answer = Desk::new().exits(0, &line).json();
    assert_eq!(answer["status"], "done");
    answer
}

/// That it is `expected`, to 12 digits.
#[track_caller]
fn assert_is(found: &Value, expected: f64, what: &str) {
    let found = found.as_f64().unwrap_or_else(|| panic!("{what}: {found}"));
    assert!(
        (found / expected - 1.0).abs() < 5e-13,
        "{what}: {found} {expected}"
    );
}

#[test]
fn readable_to_twelve_digits() {
    for (options, expected) in [
        ("--codec rs -k 2 -n 3", 0.998_827_731_198),
        ("--codec rs -k 4 -n 6", 0.999_849_333_368_786_6),
        ("--codec rs -k 6 -n 10", 0.999_999_276_582_272_4),
        ("--codec rs -k 10 -n 14", 0.999_994_623_550_703_1),
        ("--codec xor:matland", 0.999_918_998_668_663_2),
        ("--codec xor -k 6 -n 10", 0.999_934_220_213_283_3),
        ("--codec copy -n 2", 0.999_603_99),
        ("--codec copy -n 3", 0.999_992_119_401),
        ("--codec xor:matland -a 0.9", 0.926_390_827_256_96),
        ("--codec xor -k 6 -n 10 -a 0.9", 0.933_577_780_604_542_9),
        ("--codec rs -k 6 -n 10 -a 0.9", 0.973_367_543_881_997),
    ] {
        let answer = ask(options);
        let readable = &answer["results"][0]["readable"];
        assert_is(&readable["probability"], expected, options);
        let down = readable["unavailability"].as_f64().unwrap();
        assert!((down - (1.0 - expected)).abs() < 1e-12, "{options}: {down}");
    }
    // From (1 - 0.99^2)^10, in rationals.
    let tail = ask("-k 1 -n 10");
    let unreadable = &tail["results"][0]["readable"]["unavailability"];
    assert_is(unreadable, 9.739_367_735_969_504e-18, "ten copies");
}

/// The figures are rationals, worked out as such: a sum over how many hosts were up.
#[test]
fn what_is_acknowledged_is_readable_more_often() {
    for (options, unreadable, by_subtraction, acknowledged) in [
        (
            "-k 4 -n 6",
            7.444_479_057_142_857e-5,
            7.444_479_057_139e-5,
            0.998_539_552_395,
        ),
        (
            "-k 4 -n 6 --min-shares 6",
            1.955_359e-5,
            1.955_358_999_994e-5,
            0.941_480_149_401,
        ),
        (
            "-k 6 -n 10",
            3.564_227_563_885_115e-7,
            3.564_227_563_091e-7,
            0.999_886_150_882_094_2,
        ),
    ] {
        let answer = ask(options);
        let result = &answer["results"][0];
        let found = &result["readable_if_acknowledged"]["unavailability"];
        assert_is(found, unreadable, options);
        // One minus the probability of being readable, in doubles, has lost its last digits.
        let error: f64 = found.as_f64().unwrap() - by_subtraction;
        assert!(error.abs() < 2e-16, "{options}: {error}");
        assert_is(
            &result["acknowledged"]["probability"],
            acknowledged,
            options,
        );
    }
}

#[test]
fn json_carries_what_it_answers() {
    let answer = ask("--codec xor:matland --method monte-carlo --trials 1000 --seed 7");
    let parameters = &answer["parameters"];
    assert_eq!(parameters["codec"], "xor:matland");
    assert_eq!(parameters["method"], "monte-carlo");
    assert_eq!(
        (&parameters["trials"], &parameters["seed"]),
        (&1000.into(), &7.into())
    );
    assert_eq!(parameters["hosts"].as_array().unwrap().len(), 10);
    assert_eq!(parameters["hosts"][9]["name"], "h9");
    let result = &answer["results"][0];
    assert_eq!(result["params"], "3^5^6,2^4^6,1^4^5,1^2^3");
    assert_eq!(result["min_shares"], 8);
    let interval = &result["readable"]["interval"];
    assert!(interval[0].as_f64().unwrap() < 8.1e-5 && interval[1].as_f64().unwrap() > 8.1e-5);
    assert_eq!(
        answer,
        ask("--codec xor:matland --method monte-carlo --trials 1000 --seed 7")
    );

    let answer = ask("-k 1 --host nas=0.99/0.9 --host cloud=0.9999 --loss-rate 0.1,0.01");
    let hosts = &answer["parameters"]["hosts"];
    assert_eq!(
        (&hosts[0]["backup"], &hosts[0]["restore"]),
        (&0.99.into(), &0.9.into())
    );
    assert_eq!(answer["parameters"]["heal_days"], 7.0);
    let result = &answer["results"][0];
    // Both of no use: 1 - 0.99 x 0.9, and 1 - 0.9999 squared.
    let both = (1.0 - 0.99 * 0.9) * (1e-4 * 1.9999);
    assert_is(&result["readable"]["unavailability"], both, "nas and cloud");
    // About: lost while the other is away, 0.1 x 0.01 x 2 x 7 days.
    let loss = result["durability"]["loss_probability"].as_f64().unwrap();
    assert!(
        (loss / (0.1 * 0.01 * 2.0 * 7.0 / 365.25) - 1.0).abs() < 0.05,
        "{loss}"
    );
}

#[test]
fn the_ways_agree() {
    for options in [
        "-k 2 -n 4 --group room=h0,h1:0.999 --group cellar=h2,h3:0.99",
        "--codec xor:matland --backup-availability 0.9 --restore-availability 0.8",
        "-k 2 -n 3 -a 0.9,0.8,0.7 --min-shares 3",
    ] {
        let exact = ask(options);
        let brute = ask(&format!("{options} --method brute"));
        for name in [
            "readable",
            "taken",
            "acknowledged",
            "readable_if_acknowledged",
        ] {
            let value = |answer: &Value| answer["results"][0][name]["unavailability"].clone();
            assert_is(&value(&exact), value(&brute).as_f64().unwrap(), name);
        }
    }
}

#[test]
fn tables_have_a_row_for_every_code() {
    let answer = ask("-n 10 --loss-rate 0.02 --heal-time 1d");
    let rows = answer["results"].as_array().unwrap();
    let ks: Vec<_> = rows.iter().map(|row| row["k"].as_u64().unwrap()).collect();
    assert_eq!(ks, (1..10).collect::<Vec<_>>());
    assert_is(
        &rows[5]["readable"]["probability"],
        0.999_999_276_582_272_4,
        "k = 6",
    );
    for pair in rows.windows(2) {
        let loss = |row: &Value| row["durability"]["loss_probability"].as_f64().unwrap();
        assert!(loss(&pair[0]) < loss(&pair[1]));
    }

    let answer = ask("--table");
    let rows = answer["results"].as_array().unwrap();
    assert!(rows.len() >= 45);
    let row = rows
        .iter()
        .find(|row| (row["k"].as_u64(), row["n"].as_u64()) == (Some(4), Some(6)));
    assert_is(
        &row.unwrap()["readable"]["probability"],
        0.999_849_333_368_786_6,
        "(4, 6)",
    );
    assert_eq!(answer["parameters"]["backup"], 0.99);

    let desk = Desk::new();
    let text = desk.exits(0, "distdup availability -n 6").text().to_owned();
    assert!(
        text.contains("1.506666e-4") && text.contains("7.444479e-5"),
        "{text}"
    );
    let text = desk
        .exits(0, "distdup availability --table")
        .text()
        .to_owned();
    assert!(
        text.contains("1.51e-4") && text.contains("9.74e-18"),
        "{text}"
    );
    // Only some k have equations of their own, which is said.
    desk.complains(
        0,
        "distdup availability --codec xor -n 12",
        &["left out", "k = 2, 3"],
    );
}

#[test]
fn a_year_in_words() {
    let desk = Desk::new();
    for (options, texts) in [
        ("-k 6 -n 10", ["7.234177277e-7", "23 s"]),
        ("--codec xor:matland", ["8.100133134e-5", "43 min"]),
        ("-k 1 -n 30", ["e-52", "nines"]),
    ] {
        let text = desk
            .exits(0, &format!("distdup availability {options}"))
            .text()
            .to_owned();
        assert!(texts.iter().all(|part| text.contains(part)), "{text}");
        assert!(
            text.lines().all(|line| line.chars().count() <= 110),
            "{text}"
        );
    }
}

#[test]
fn all_1024_subsets_of_the_best_xor_code() {
    patterns_are_those_that_decode("xor", [1, 10, 45, 112, 136, 0]);
}

#[test]
fn all_1024_subsets_of_the_prototypes_code() {
    patterns_are_those_that_decode("xor:matland", [1, 10, 45, 110, 125, 0]);
}

/// `0-2, 5, 6`.
fn in_words(shares: &[usize]) -> String {
    let runs = shares.chunk_by(|one, next| one + 1 == *next);
    let words = runs.map(|run| match run {
        [first, _, .., last] => format!("{first}-{last}"),
        [first, last] => format!("{first}, {last}"),
        _ => run[0].to_string(),
    });
    words.collect::<Vec<_>>().join(", ")
}

#[test]
fn all_1024_subsets_of_reed_solomon() {
    patterns_are_those_that_decode("rs", [1, 10, 45, 120, 210, 0]);
}

/// Every set of ten shares decodes where `--patterns` says so; else what is missing is named.
fn patterns_are_those_that_decode(codec: &str, of_each_size: [u64; 6]) {
    let answer = ask(&format!("--codec {codec} -k 6 -n 10 --patterns"));
    let sizes = answer["patterns"]["sizes"].as_array().unwrap();
    let recoverable = sizes.iter().map(|s| s["recoverable"].as_u64().unwrap());
    assert!(recoverable.eq(of_each_size), "{sizes:?}");
    let hopeless: Vec<Vec<usize>> = answer["patterns"]["not_recoverable"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| serde_json::from_value(one["lost"].clone()).unwrap())
        .collect();

    let desk = Desk::with_input(1000);
    desk.exits(
        0,
        &format!("distdup encode -q --codec {codec} -k 6 -n 10 -o 's{{i}}' in"),
    );
    let shares = |set: usize| (0..10).filter(move |share| set >> share & 1 == 1);
    let decode = |set: usize| {
        let names: Vec<_> = shares(set).map(|share| format!("s{share}")).collect();
        desk.sh(&format!("exec distdup decode {}", names.join(" ")))
    };
    let ran: Vec<_> = (1..1024).map(decode).collect();
    let decoded = |set: usize| ran[set - 1].code == Some(0);
    for (set, ran) in (1..).zip(&ran) {
        let lost: Vec<usize> = shares(!set & 1023).collect();
        assert_eq!(
            decoded(set),
            lost.len() <= 4 && !hopeless.contains(&lost),
            "{set:b} {ran:?}"
        );
        if decoded(set) {
            assert!(ran.out == desk.read("in"), "{set:b} gives something else");
            continue;
        }
        assert_eq!(ran.code, Some(1), "{set:b} {ran:?}");
        let more = lost.iter().find(|share| decoded(set | 1 << **share));
        let text = match more {
            Some(share) => format!("do not suffice; share {share} as well would"),
            None => format!(
                "at least {} more are needed, of shares {}",
                lost.len().saturating_sub(4).max(2),
                in_words(&lost)
            ),
        };
        assert!(ran.err.contains(&text), "{set:b} {text} {ran:?}");
    }
    let sets = (1..1024).filter(|set| decoded(*set)).count() as u64;
    assert_eq!(sets, of_each_size.iter().sum::<u64>());
    let mut tally = Tally::of(format!(
        "sets of shares present, {codec} (6,10), through the program"
    ));
    tally.add("came back", sets);
    tally.add("refused, what would suffice named", 1023 - sets);
    desk.complains(2, "distdup decode", &["<SHARE>"]);
    tally.count("refused, being empty");
}

#[test]
fn patterns_count_from_one_if_asked() {
    let answer = ask("--codec xor:matland --patterns --one-based");
    let hopeless = answer["patterns"]["not_recoverable"].as_array().unwrap();
    let minimal = hopeless.iter().filter(|one| one["minimal"] == true);
    let triples = minimal.filter(|one| one["lost"].as_array().unwrap().len() == 3);
    assert_eq!(triples.count(), 10);
    let lost = |lost: [u64; 3]| {
        hopeless
            .iter()
            .any(|one| one["lost"] == Value::from(lost.to_vec()))
    };
    // Data share 1 and both parities that have it in them; the same from 0 is not in this list.
    assert!(lost([1, 9, 10]) && !lost([0, 8, 9]));

    let line = "distdup availability -k 4 -n 6 --patterns";
    let text = Desk::new().exits(0, line).text().to_owned();
    assert!(text.contains("Any 2 lost are."), "{text}");
}

#[track_caller]
fn refuses(options: &str, texts: &[&str]) {
    Desk::new().complains(2, &format!("distdup availability {options}"), texts);
}

#[test]
fn hosts_that_cannot_be() {
    for (options, texts) in [
        ("-k 2 -n 3 -a 1.5", ["1.5 is not", "0 to 1"]),
        ("-k 2 -n 3 --restore-availability x", ["x is not", "0 to 1"]),
        ("-k 2 -n 3 -a nan", ["nan is not", "0 to 1"]),
        ("-k 1 --host a=0.9 --host b=2", ["2 is not", "0 to 1"]),
        ("-k 1 --host a=0.9 --host b", ["NAME=P", "nas=0.99"]),
        ("-k 1 --host a=0.9 --host a=0.9", ["two hosts", "called a:"]),
        (
            "-k 1 -n 3 --host a=0.9 --host b=0.9",
            ["2 hosts for 3 shares", "one each"],
        ),
        (
            "-k 1 -a 0.9 --host a=1 --host b=1",
            ["--host", "leave the others out"],
        ),
        ("-k 2 -n 3 -a 0.9,0.9", ["2 availabilities", "one for each"]),
        (
            "-k 2 -n 3 --group r=h0,h1:0.9",
            ["h2 is in no group", "alone=h2:1"],
        ),
        (
            "-k 1 -n 2 --group r=h0,h1:0.9 --group s=h1:0.9",
            ["h1 is in group r", "again in s:"],
        ),
        (
            "-k 1 -n 2 --group r=h0,h1,h2:0.9",
            ["a host h2", "the hosts are h0, h1"],
        ),
        ("-k 1 -n 2 --group r=h0,h1", ["NAME=HOST,HOST:P", "rack1"]),
        ("-k 1 -n 2 --group r=h0,h1:7", ["7 is not", "0 to 1"]),
        (
            "-k 1 -n 2 --group r=h0:1 --group r=h1:1",
            ["two groups", "called r:"],
        ),
    ] {
        refuses(options, &texts);
    }
}

#[test]
fn codes_that_cannot_be() {
    for (options, texts) in [
        (
            "--codec xor -k 3 -n 4 --equations 1^4",
            ["no data shard 4", "1 to 3"],
        ),
        (
            "--codec xor -k 3 -n 5 --equations 1^2,",
            ["equation 2", "empty"],
        ),
        (
            "--codec xor -k 3 -n 4 --equations 1^2",
            ["data shard 3 is in no equation", "1^2"],
        ),
        (
            "--codec xor -k 3 -n 4 --equations 1^2 --patterns",
            ["data shard 3", "put it"],
        ),
        (
            "--codec xor -k 3 -n 12",
            ["no equations of its own", "(3, 12)"],
        ),
        (
            "--codec xor:best -k 6 -n 10",
            ["\"xor:best\"", "xor:matland"],
        ),
        (
            "--codec xor:matland -k 4 -n 6",
            ["k = 6 and n = 10", "(4, 6)"],
        ),
        (
            "--codec xor:matland --equations 1,2,3,4",
            ["xor:matland", "not at all"],
        ),
        (
            "--codec rs -k 3 -n 4 --equations 1^2^3",
            ["rs8 does not know", "1^2^3"],
        ),
        ("--codec zfec -n 5", ["\"zfec\"", "copy"]),
    ] {
        refuses(options, &texts);
    }
    // What is odd, but makes sense, is said.
    Desk::new().complains(
        0,
        "distdup availability --codec xor -k 2 -n 4 --equations 1^2,2^1",
        &["equations 1 and 2 are the same"],
    );
}

#[test]
fn questions_without_an_answer() {
    let long: Vec<String> = (1..=20).map(|i| format!("{i}^{}", i % 20 + 1)).collect();
    let long = format!("--codec xor -k 20 -n 40 --equations {}", long.join(","));
    for (options, texts) in [
        ("-k 4 -n 6 --min-shares 3", ["from 3 shares", "4 to 6"]),
        ("-n 6 --min-shares 3", ["--min-shares", "-k"]),
        ("-k 4", ["how many shares", "-n"]),
        (
            "-k 6 -n 14 --method brute",
            ["268435456 pairs", "--method monte-carlo"],
        ),
        (&long, ["1099511627776 sets", "--method monte-carlo"]),
        (
            "-k 2 -n 3 --method monte-carlo --trials 0",
            ["0 trials", "at least one"],
        ),
        (
            "-k 2 -n 3 --trials 10",
            ["--trials", "--method monte-carlo"],
        ),
        ("-k 2 -n 3 --loss-rate=-1", ["-1 times a year", "0 to 1000"]),
        (
            "-k 2 -n 3 --loss-rate inf",
            ["inf times a year", "0 to 1000"],
        ),
        (
            "-k 2 -n 3 --loss-rate nan",
            ["NaN times a year", "0 to 1000"],
        ),
        ("-k 2 -n 3 --loss-rate 1,2", ["2 rates", "3 hosts"]),
        ("-k 2 -n 3 --loss-rate 1 --heal-time 5", ["12h", "never"]),
        (
            "-k 2 -n 30 --patterns",
            ["1073741824 sets", "all losses of n - k"],
        ),
        ("-n 30 --patterns", ["one code", "-k"]),
        ("--table -a 0.9,0.8", ["equal hosts", "one availability"]),
        ("-k 300 -n 400", ["300 data shards", "256"]),
        ("-n 0", ["in 0 shards", "256"]),
        ("-n 257", ["in 257 shards", "256"]),
        ("--table -n 0", ["up to n = 32", "not 0"]),
        ("--table -n 33", ["up to n = 32", "not 33"]),
    ] {
        refuses(options, &texts);
    }
}

/// Every row of the table in docs/AVAILABILITY.md, to the digits that it shows.
#[test]
fn the_table_in_the_docs_is_what_the_program_says() {
    let docs = include_str!("../docs/AVAILABILITY.md");
    let rows = docs
        .lines()
        .filter(|line| line.contains("| 0.9 |") || line.contains("| 0.99 |"));
    let mut count = 0;
    for row in rows {
        let cells: Vec<_> = row.split('|').map(str::trim).collect();
        let (codec, geometry) = cells[1].split_once([' ', ',']).unwrap();
        let numbers: Vec<_> = geometry
            .split(|c: char| !c.is_ascii_digit())
            .filter(|part| !part.is_empty())
            .collect();
        let (k, n) = (numbers[0], numbers[numbers.len() - 1]);
        let k = if codec == "copy" { "1" } else { k };
        let a = cells[2];
        let answer = ask(&format!(
            "--codec {codec} -k {k} -n {n} -a {a} --loss-rate 0.02"
        ));
        let result = &answer["results"][0];
        let shown = |value: &Value| format!("{:.3e}", value.as_f64().unwrap());
        let readable = result["readable"]["probability"].as_f64().unwrap();
        let wanted: f64 = cells[3].parse().unwrap();
        assert!((readable - wanted).abs() < 6e-13, "{row}");
        assert_eq!(
            cells[4],
            shown(&result["readable"]["unavailability"]),
            "{row}"
        );
        let unhealed = &result["readable_if_acknowledged"]["unavailability"];
        assert_eq!(cells[6], shown(unhealed), "{row}");
        assert_eq!(
            cells[7],
            shown(&result["readable_if_healed"]["unavailability"]),
            "{row}"
        );
        let acknowledged = result["acknowledged"]["probability"].as_f64().unwrap();
        assert_eq!(cells[8], format!("{acknowledged:.6}"), "{row}");
        if !cells[9].is_empty() {
            assert_eq!(
                cells[9],
                shown(&result["durability"]["loss_probability"]),
                "{row}"
            );
        }
        count += 1;
    }
    assert_eq!(count, 16);
}

/// The prototype's figures in docs/AVAILABILITY.md, as its scripts print them, and the commands beside.
#[test]
fn the_prototypes_scripts_are_answered() {
    let docs = include_str!("../docs/AVAILABILITY.md");
    let (_, table) = docs.split_once("## The prototype's scripts").unwrap();
    let rows = table
        .lines()
        .filter(|line| line.starts_with("| `avail") || line.starts_with("| the"));
    let mut exact = 0;
    for row in rows {
        let cells: Vec<_> = row.split(" | ").collect();
        let options = cells[2].trim_matches(['`', ' ', '|']);
        let answer = ask(options.strip_prefix("distdup availability").unwrap());
        let Some(printed) = cells[1]
            .split(',')
            .next()
            .and_then(|text| text.parse::<f64>().ok())
        else {
            continue;
        };
        let readable = &answer["results"][0]["readable"];
        let found = readable["probability"].as_f64().unwrap();
        if cells[1].contains("another") {
            // Both are estimates from 100,000 trials: four of their deviations apart at most.
            let deviation = (2.0 * (1.0 - printed) / 1e5).sqrt();
            assert!((found - printed).abs() < 4.0 * deviation, "{row} {found}");
        } else {
            assert!((found - printed).abs() < 6e-13, "{row} {found}");
            exact += 1;
        }
    }
    assert_eq!(exact, 8);
    let sizes = ask("--codec xor:matland --patterns")["patterns"].clone();
    let recoverable = |lost: usize| sizes["sizes"][lost]["recoverable"].to_string();
    let all: Vec<_> = (0..5).map(recoverable).collect();
    let impossible = sizes["not_recoverable"].as_array().unwrap().len();
    assert!(table.contains(&format!("{}; {impossible} impossible", all.join(", "))));
}
