//! The configuration file, through the program.

#![allow(clippy::unwrap_used, reason = "a test fails by it")]

mod desk;

use std::fs;
use std::os::unix::fs::PermissionsExt;

use desk::{Desk, Ran, bytes};

/// A Duplicity that tells what it was given, and does nothing.
const TELLTALE: &str = r#"#!/usr/bin/python3
import json, os, sys
if "--version" in sys.argv:
    print("duplicity 0.8.22")
else:
    with open("told.json", "w") as file:
        json.dump({"arguments": sys.argv[1:], "environment": dict(os.environ)}, file)
    sys.exit(23)
"#;

const HOSTS: &str = r#"
k = 2
[hosts]
nas = "hosts/{profile}/0"
cellar = "hosts/{profile}/1"
friend = "hosts/{profile}/2"
"#;

/// A desk with a home of its own, a tree to back up and a configuration.
fn desk(config: &str) -> Desk {
    let desk = Desk::new();
    for folder in ["home", "tmp", "tree"] {
        fs::create_dir(desk.at(folder)).unwrap();
    }
    desk.write("tree/file", &bytes(300_000));
    desk.write("distdup.toml", config.as_bytes());
    desk
}

/// Runs the program there, with nothing of this machine's user about it.
fn run(desk: &Desk, code: i32, line: &str) -> Ran {
    let line = format!(
        "unset PASSPHRASE XDG_CONFIG_HOME XDG_CACHE_HOME; export HOME=$PWD/home TMPDIR=$PWD/tmp; {line}"
    );
    desk.exits(code, &line)
}

fn private(desk: &Desk, name: &str, text: &str) {
    desk.write(name, text.as_bytes());
    fs::set_permissions(desk.at(name), fs::Permissions::from_mode(0o600)).unwrap();
}

/// What the telltale was given.
fn told(desk: &Desk) -> serde_json::Value {
    serde_json::from_slice(&desk.read("told.json")).unwrap()
}

#[test]
fn a_profile_needs_no_more_words() {
    let config = format!(
        r#"{HOSTS}
        [duplicity]
        options.all = ["--no-encryption"]
        [profiles.home]
        source = "tree"
        [profiles.other]
        source = "home"
        k = 1
        "#
    );
    let desk = desk(&config);
    let ran = run(&desk, 0, "distdup backup -v -P home");
    assert!(
        ran.err.contains("settings are from distdup.toml"),
        "{}",
        ran.err
    );
    assert!(ran.err.contains("made host nas"), "{}", ran.err);
    let text = ran.text();
    assert!(
        text.contains("is backed up to nas cellar friend, rs16 (2, 3)"),
        "{text}"
    );
    assert!(
        text.contains("To restore it: distdup restore -P home restore_tree"),
        "{text}"
    );
    assert!(desk.at("hosts/home/2/distdup-host").exists());
    assert!(!desk.at("hosts/other").exists());

    run(
        &desk,
        0,
        "distdup restore -P home restore_tree && diff -r tree restore_tree",
    );
    // From elsewhere, and without Duplicity's archive; hosts that are gone are called by name.
    run(&desk, 0, "rm -r home hosts/home/1 && mkdir home");
    let line = "mkdir away && cd away && distdup restore --config ../distdup.toml -P home out";
    let ran = run(&desk, 3, line);
    assert!(ran.err.contains("host cellar is down"), "{}", ran.err);
    assert!(
        ran.err.contains("missing or damaged on cellar"),
        "{}",
        ran.err
    );
    run(&desk, 0, "diff -r tree away/out");

    // Arguments win: another source, other hosts, another code.
    let line = "distdup backup -P other -k 2 tree -o 'd{i}' -n 3 && distdup restore -P home out2 --from 'd{i}'";
    let ran = run(&desk, 0, line);
    assert!(
        ran.text().contains("backed up to d{i}, rs16 (2, 3)"),
        "{}",
        ran.text()
    );
    run(&desk, 0, "diff -r tree out2");
}

#[test]
fn files_are_looked_for_in_order() {
    let desk = desk("k = 1");
    run(&desk, 0, "mkdir -p home/.config/distdup xdg/distdup");
    for (name, k) in [
        ("home/.config/distdup/distdup.toml", 2),
        ("xdg/distdup/distdup.toml", 3),
        ("given.toml", 4),
    ] {
        desk.write(name, format!("k = {k}\nx = 1").as_bytes());
    }
    let asked = "distdup restore -P x out";
    desk.write("distdup.toml", b"k = 1\nx = 1");
    let complains = |line: &str, file: &str| {
        let ran = run(&desk, 2, line);
        assert!(ran.err.contains(&format!("{file}:2:1: ")), "{}", ran.err);
    };
    complains(&format!("{asked} --config given.toml"), "given.toml");
    complains(asked, " distdup.toml");
    desk.remove("distdup.toml");
    complains(asked, "home/.config/distdup/distdup.toml");
    complains(
        &format!("export XDG_CONFIG_HOME=$PWD/xdg; {asked}"),
        "xdg/distdup/distdup.toml",
    );
    let ran = run(&desk, 2, &format!("export HOME=$PWD; {asked}"));
    assert!(ran.err.contains("distdup config init"), "{}", ran.err);
    assert!(
        ran.err
            .contains(".config/distdup/distdup.toml was looked for"),
        "{}",
        ran.err
    );
    let ran = run(&desk, 2, "distdup restore out --config nowhere.toml");
    assert!(
        ran.err
            .contains("cannot read the configuration file nowhere.toml"),
        "{}",
        ran.err
    );
    let ran = run(&desk, 2, "distdup encode -P home in -o out");
    assert!(ran.err.contains("of no use here"), "{}", ran.err);
}

#[test]
fn duplicity_gets_options_and_variables_as_they_are_set() {
    let desk = desk(
        r#"
        source = "tree"
        duplicity.path = "telltale"
        duplicity.options.all = ["--volsize", "7"]
        duplicity.options.backup = ["--name", "a b"]
        duplicity.options.restore = ["--force"]
        [duplicity.environment]
        PASSPHRASE = { file = "secret" }
        SIGN_PASSPHRASE = { command = ["printf", "%s\n", "hunter3"] }
        FTP_PASSWORD = { env = "MINE" }
        PLAIN = "plain"
        MINE = { unset = true }
        "#,
    );
    private(&desk, "telltale", TELLTALE);
    run(&desk, 0, "chmod 700 telltale");
    private(&desk, "secret", "hunter2\n");
    for (line, words) in [
        (
            "backup -q",
            "--volsize 7 --name a b --verbosity=warning TREE",
        ),
        (
            "backup -v -- full --exclude x",
            "full --volsize 7 --name a b --exclude x TREE",
        ),
        ("restore -v restore_tree -- --time 3D", ""),
    ] {
        let ran = run(&desk, 1, &format!("export MINE=hunter4; distdup {line}"));
        for text in [ran.text(), &ran.err] {
            assert!(!text.contains("hunter"), "{text}");
        }
        if words.is_empty() {
            continue; // No backup is there, so that Duplicity is not started.
        }
        assert!(
            ran.err.contains("Duplicity failed with exit code 23"),
            "{}",
            ran.err
        );
        let told = told(&desk);
        let arguments = told["arguments"].to_string();
        let expected = words.replace("TREE", desk.at("tree").to_str().unwrap());
        let given: Vec<_> = told["arguments"].as_array().unwrap().iter().collect();
        let given: Vec<_> = given.iter().map(|word| word.as_str().unwrap()).collect();
        assert!(given.join(" ").starts_with(&expected), "{given:?}");
        assert!(!arguments.contains("hunter"), "{arguments}");
        let environment = &told["environment"];
        for (name, value) in [
            ("PASSPHRASE", "hunter2"),
            ("SIGN_PASSPHRASE", "hunter3"),
            ("FTP_PASSWORD", "hunter4"),
            ("PLAIN", "plain"),
        ] {
            assert_eq!(environment[name], value);
        }
        assert!(environment.get("MINE").is_none());
    }
}

#[test]
fn no_secret_no_backup_and_nothing_is_made() {
    let config = |reference: &str| {
        format!("source = 'tree'\n[duplicity.environment]\nPASSPHRASE = {reference}\n")
    };
    let desk = desk(&config("{ file = 'secret' }"));
    desk.write("secret", b"hunter2");
    run(&desk, 0, "chmod 640 secret");
    for (reference, text) in [
        ("{ file = 'secret' }", "chmod 600 "),
        ("{ file = 'nowhere' }", "No such file"),
        ("{ command = 'echo hunter2; exit 9' }", "exit status 9"),
        ("{ env = 'NOWHERE' }", "NOWHERE is not set"),
        (
            "'hunter2'",
            "PASSPHRASE is a secret, and must not stand in the file",
        ),
    ] {
        desk.write("distdup.toml", config(reference).as_bytes());
        let code = if reference.starts_with('{') { 1 } else { 2 };
        let ran = run(&desk, code, "distdup backup -v --json");
        assert!(ran.err.contains(text), "{}", ran.err);
        assert_eq!(ran.json()["status"], "failed");
        for said in [ran.text(), &ran.err] {
            assert!(
                !said.replace("echo hunter2", "").contains("hunter"),
                "{said}"
            );
        }
        assert!(!desk.at("backup_tree").exists());
    }
}
