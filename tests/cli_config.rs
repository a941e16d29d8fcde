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
    assert!(
        ran.err.contains("made 3 new hosts: nas, cellar, friend"),
        "{}",
        ran.err
    );
    let text = ran.text();
    assert!(
        text.contains("is backed up to nas cellar friend, rs8 (2, 3)"),
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
        ran.text().contains("backed up to d{i}, rs8 (2, 3)"),
        "{}",
        ran.text()
    );
    run(&desk, 0, "diff -r tree out2");
}

/// Of hosts that lack something, `heal` is told as it is to be called for just these.
#[test]
fn commands_to_be_pasted_are_about_the_hosts_that_are_used() {
    let desk = desk("");
    let at = |name: &str| desk.at(name).to_str().unwrap().to_owned();
    let options = "[duplicity.options]\nall = ['--no-encryption']\n";
    let hosts =
        ["a", "b", "c"].map(|name| format!("{name} = '{}'\n", at(&format!("hosts/{name}"))));
    let found = format!("{options}[hosts]\n{}", hosts.concat());
    let heals = |line: &str, command: &str| {
        let ran = run(&desk, 3, &format!("rm -rf restore_tree; {line}"));
        let end = format!("is made anew by: {command} --replace-lost\n");
        assert!(ran.err.contains(&end), "{line}\n{}", ran.err);
    };

    // Hosts in a file that is found.
    run(&desk, 0, "rm distdup.toml; mkdir -p home/.config/distdup");
    desk.write("home/.config/distdup/distdup.toml", found.as_bytes());
    run(&desk, 0, "distdup backup tree && rm hosts/b/*");
    heals("distdup restore restore_tree", "distdup heal");
    let ran = run(&desk, 3, "distdup status");
    assert!(
        ran.err.ends_with("anew by: distdup heal --replace-lost\n"),
        "{}",
        ran.err
    );

    // In one that can be read but once.
    desk.write("distdup.toml", found.as_bytes());
    let ran = run(
        &desk,
        3,
        "mkfifo pipe; cat distdup.toml > pipe & distdup status --config pipe",
    );
    let heal = "distdup heal --config pipe --replace-lost\n";
    assert!(ran.err.ends_with(heal), "{}", ran.err);
    let ran = run(
        &desk,
        1,
        "rm -r hosts/c/* restore_tree distdup.toml; distdup restore restore_tree",
    );
    assert!(!ran.err.contains("backup_tree"), "{}", ran.err);

    // Not in the file that is named, and so as the folders are called.
    let named = format!("[profiles.p]\nk = 2\n{options}");
    desk.write("distdup.toml", named.as_bytes());
    run(
        &desk,
        0,
        "distdup backup -P p tree && rm -r backup_tree/distdup1",
    );
    let heal = "distdup heal -P p 'backup_tree/distdup{i}'";
    heals("distdup restore -P p restore_tree", heal);

    // By a name that is shown as another.
    desk.write("distdup.toml", options.as_bytes());
    let ran = run(&desk, 0, r"distdup backup tree -o 'we\ird{i}'");
    let restore = r"distdup restore restore_tree --from 'we\ird{i}'";
    assert!(
        ran.text().ends_with(&format!("{restore}\n")),
        "{}",
        ran.text()
    );
    run(&desk, 0, r"rm -r 'we\ird1'");
    heals(restore, r"distdup heal 'we\ird{i}'");
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
        ("backup -q", "full --volsize 7 --name a b TREE"),
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

#[test]
fn what_init_writes_is_a_file_and_so_is_each_of_its_examples() {
    let desk = desk("");
    desk.remove("distdup.toml");
    let ran = run(
        &desk,
        0,
        "distdup config init && distdup config init - | cmp - distdup.toml",
    );
    assert!(
        ran.text().contains("distdup.toml is written"),
        "{}",
        ran.text()
    );
    let ran = run(&desk, 2, "distdup config init");
    assert!(ran.err.contains("--force"), "{}", ran.err);
    run(
        &desk,
        0,
        "echo x >> distdup.toml; distdup config init --force && distdup config check",
    );
    run(&desk, 1, "distdup config init nowhere/x");

    // All that is commented out, and nothing else, is what can be set.
    run(&desk, 0, "sed -i 's/^#\\([[a-zA-Z]\\)/\\1/' distdup.toml");
    let json = run(&desk, 0, "distdup config show -P photos --json").json();
    let settings = json["settings"].as_array().unwrap();
    let keys: Vec<_> = settings
        .iter()
        .map(|set| set["key"].as_str().unwrap())
        .collect();
    for key in [
        "source",
        "codec",
        "k",
        "n",
        "min_shares",
        "hosts.nas",
        "groups.house",
        "duplicity.path",
        "duplicity.options.all",
        "duplicity.environment.PASSPHRASE",
    ] {
        assert!(keys.contains(&key), "{key}: {keys:?}");
    }
}

#[test]
fn check_finds_what_would_keep_a_backup_from_being_made() {
    let good = "source = 'tree'\n[hosts]\na = 'h/a'\nb = 'h/b'\nc = 'h/c'\n";
    let desk = desk(good);
    let ran = run(&desk, 0, "distdup config check");
    assert!(ran.text().ends_with("/tree to a, b, c\n"), "{}", ran.text());
    assert!(!desk.at("h").exists());

    // What a terminal would obey is only shown.
    desk.write(
        "distdup.toml",
        good.replace("tree", "tree\u{9b}31m").as_bytes(),
    );
    run(&desk, 0, "mkdir 'tree\u{9b}31m'");
    let ran = run(&desk, 0, "distdup config check");
    assert!(
        ran.text().contains("tree\\u{9b}31m to a"),
        "{:?}",
        ran.text()
    );

    desk.write("secret", b"hunter2");
    run(&desk, 0, "chmod 644 secret");
    for (text, problem) in [
        ("k = 4\n", "4 data shards in 3 shards"),
        ("min_shares = 1\n", "min_shares is 1, expected 2 to 3"),
        ("codec = 'raid'\n", "raid"),
        ("source = 'nowhere'\n", "nowhere"),
        ("source = '.'\n", "backed up into itself"),
        ("duplicity.path = 'nowhere'\n", "nowhere cannot be read"),
        (
            "duplicity.environment.PASSPHRASE = { file = 'secret' }\n",
            "chmod 600",
        ),
        (
            "duplicity.environment.PASSPHRASE = { env = 'NOWHERE' }\n",
            "NOWHERE is not set",
        ),
    ] {
        let rest = if text.starts_with("source") {
            good.replace("source = 'tree'\n", "")
        } else {
            good.into()
        };
        desk.write("distdup.toml", format!("{text}{rest}").as_bytes());
        let ran = run(&desk, 1, "distdup config check --json");
        assert!(ran.err.contains(problem), "{text}{}", ran.err);
        assert!(!ran.err.contains("hunter2"), "{}", ran.err);
        let json = ran.json();
        let told = json["profiles"][0]["problems"][0]["error"]
            .as_str()
            .unwrap();
        assert!(
            told.contains(problem) && json["status"] == "failed",
            "{json}"
        );
    }

    // Of each profile; what is common to them is none.
    desk.write(
        "distdup.toml",
        b"hosts.a = 'h/{profile}/a'\nhosts.b = 'h/{profile}/b'\nprofiles.p = { source = 'tree', k = 1 }\nprofiles.q.k = 3",
    );
    let ran = run(&desk, 1, "distdup config check");
    assert!(ran.text().contains("profile p: "), "{}", ran.text());
    assert!(ran.err.contains("profile q: "), "{}", ran.err);
    assert!(ran.text().ends_with("1 problem\n"), "{}", ran.text());
    run(&desk, 0, "distdup config check -P p");
    desk.remove("distdup.toml");
    let ran = run(&desk, 2, "distdup config check");
    assert!(ran.err.contains("distdup config init"), "{}", ran.err);
}

#[test]
fn show_tells_where_each_value_was_set_and_no_secret() {
    let config = format!(
        "{HOSTS}[duplicity.environment]\nPASSPHRASE = {{ command = ['echo', 'x'] }}\n[profiles.home]\nsource = 'tree'\n"
    );
    let desk = desk(&config);
    let ran = run(
        &desk,
        0,
        "distdup config show -P home -k 1 --min-shares 3 --origin",
    );
    let line = |key: &str, end: &str| {
        let found = ran.text().lines().find(|line| line.starts_with(key));
        let found = found.unwrap_or_else(|| panic!("{key}: {}", ran.text()));
        assert!(found.ends_with(end), "{found}");
    };
    line("source = ", "  # distdup.toml:10");
    line("k = 1", "  # command line");
    line("min_shares = 3", "  # command line");
    line("hosts.nas = ", "  # distdup.toml:4");
    line("codec = \"rs\"", "  # default");
    line("n = 3", "  # default");
    line(
        "duplicity.environment.PASSPHRASE = { command = [\"echo\", \"x\"] }",
        "# distdup.toml:8",
    );

    // Without a file, too; and what is shown is a file.
    let ran = run(
        &desk,
        0,
        "distdup config show -P home > shown.toml && distdup config check --config shown.toml",
    );
    assert!(
        ran.text().contains("tree to nas, cellar, friend"),
        "{}",
        ran.text()
    );
    desk.remove("distdup.toml");
    let ran = run(&desk, 0, "distdup config show tree");
    assert!(
        ran.text()
            .starts_with("source = \"tree\"\ncodec = \"rs\"\nk = 2\n"),
        "{}",
        ran.text()
    );
}

#[test]
fn availability_takes_hosts_and_code_from_it() {
    let desk = desk(
        "codec = 'copy'\nk = 1\nmin_shares = 2\n[hosts]\nnas = { path = 'a', availability = 0.9 }\n\
         cellar = 'b'\n[groups]\nhouse = { hosts = ['nas', 'cellar'], availability = 0.999 }\n",
    );
    let json = run(&desk, 0, "distdup availability --json").json();
    assert_eq!(json["parameters"]["hosts"][0]["name"], "nas");
    assert_eq!(json["parameters"]["hosts"][0]["backup"], 0.9);
    assert_eq!(json["parameters"]["hosts"][1]["backup"], 0.99);
    assert_eq!(json["parameters"]["groups"][0]["name"], "house");
    assert_eq!(json["results"][0]["codec"], "copy");
    assert_eq!(json["results"][0]["min_shares"], 2);
    // As told in full, without the file.
    let full = "--codec copy -k 1 --min-shares 2 --host nas=0.9 --host cellar=0.99 --group house=nas,cellar:0.999";
    let told = run(
        &desk,
        0,
        &format!("cd tree && distdup availability --json {full}"),
    )
    .json();
    assert_eq!(told["results"], json["results"]);

    // Arguments win, and a question about other hosts is about other hosts.
    let json = run(&desk, 0, "distdup availability -a 0.8 --codec xor --json").json();
    assert_eq!(json["parameters"]["hosts"][0]["restore"], 0.8);
    assert_eq!(json["parameters"]["hosts"][0]["name"], "nas");
    assert_eq!(json["results"][0]["codec"], "xor");
    let six = "distdup availability -k 4 -n 6 --json";
    let json = run(&desk, 0, six).json();
    assert_eq!(json, run(&desk, 0, &format!("cd tree && {six}")).json());
    let ran = run(&desk, 2, &format!("{six} --config distdup.toml"));
    assert!(ran.err.contains("2 hosts for 6 shares"), "{}", ran.err);
}

#[test]
fn files_that_are_none_are_refused_by_name() {
    let desk = desk("");
    let asked = |line: &str, text: &str| {
        let ran = run(&desk, 2, line);
        assert!(ran.err.contains(text), "{line}\n{}", ran.err);
    };
    desk.write("latin1", b"k = 2\n# caf\xe9\n");
    asked(
        "distdup config check --config latin1",
        "latin1:2: the configuration file is not UTF-8",
    );
    asked(
        "distdup config check --config tree",
        "cannot read the configuration file tree",
    );
    asked(
        "distdup config check --config /dev/zero",
        "has more than 1048576 bytes",
    );
    asked("distdup config check --config nowhere", "No such file");
    asked(
        "rm distdup.toml; mkdir distdup.toml; distdup backup tree",
        "directory",
    );
    asked(
        "rmdir distdup.toml; ln -s nowhere distdup.toml; distdup backup tree",
        "No such file",
    );
    asked(
        "rm distdup.toml; for i in $(seq 3000); do printf '['; done > deep; distdup config check --config deep",
        "deep:1:",
    );
    // A pipe is a file like any.
    run(
        &desk,
        0,
        "mkfifo pipe; echo 'k = 2' > pipe & distdup config show --config pipe | grep -x 'k = 2'",
    );

    // One that nobody named could be anybody's: it can name commands.
    desk.write("distdup.toml", b"k = 2");
    run(&desk, 0, "chmod 666 distdup.toml");
    asked("distdup backup tree", "can be written by everybody");
    run(&desk, 0, "distdup config show --config distdup.toml");
    if rustix::process::geteuid().is_root() {
        run(&desk, 0, "chmod 644 distdup.toml; chown 65534 distdup.toml");
        asked("distdup backup tree", "belongs to another user");
    }
}

#[test]
fn with_duplicity_and_gnupg_secrets_come_from_anywhere_and_show_nowhere() {
    let config = |reference: &str| {
        format!(
            "source = 'tree'\n[hosts]\na = 'h/a'\nb = 'h/b'\nc = 'h/c'\n\
             [duplicity.environment]\nPASSPHRASE = {reference}\n"
        )
    };
    let desk = desk("");
    private(&desk, "secret", "correct horse hunter2\n");
    let very = "-v -- --verbosity 9";
    let restore = format!("distdup restore restored {very} && diff -r tree restored");
    for (reference, line) in [
        ("{ file = 'secret' }", format!("distdup backup {very}")),
        (
            "{ command = ['cat', 'secret'] }",
            format!("echo > tree/more; distdup backup {very}"),
        ),
        (
            "{ env = 'MINE' }",
            format!("export MINE='correct horse hunter2'; {restore}"),
        ),
    ] {
        desk.write("distdup.toml", config(reference).as_bytes());
        let ran = run(&desk, 0, &line);
        for text in [ran.text(), &ran.err] {
            assert!(!text.contains("hunter2"), "{text}");
        }
    }
    assert!(
        fs::read_dir(desk.at("h/a"))
            .unwrap()
            .flatten()
            .any(|entry| {
                entry
                    .file_name()
                    .to_string_lossy()
                    .contains(".difftar.gpg~")
            })
    );
    // Another passphrase is another.
    private(&desk, "secret", "hunter3");
    desk.write("distdup.toml", config("{ file = 'secret' }").as_bytes());
    let ran = run(
        &desk,
        1,
        "rm -rf restored home; mkdir home; distdup restore -v restored",
    );
    assert!(!ran.err.contains("hunter"), "{}", ran.err);
}

#[test]
fn hints_name_the_file_and_the_command_that_were_given() {
    let desk = desk("");
    desk.write("other.toml", b"codek = 'rs8'\n");
    desk.complains(
        2,
        "distdup config check --config other.toml",
        &["Try it: distdup config check --config other.toml\n"],
    );
    let help = ["next: See the command's own help: distdup config init --help"];
    desk.complains(2, "distdup config init other.toml", &help);
}
