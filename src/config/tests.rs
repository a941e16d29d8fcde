//! What files mean, and what is said of files that mean nothing.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use proptest::prelude::*;

use super::*;
use crate::duplicity::hosts::{Layout, Wish};
use crate::duplicity::low_disk::Temporary;

const FILE: &str = "/etc/x/distdup.toml";

/// One user, one backup.
const SHORT: &str = r#"
source = "photos"
k = 2

[hosts]
nas = "/mnt/nas/photos"
cellar = "../cellar"
friend = "/mnt/friend/photos/"

[duplicity.environment]
PASSPHRASE = { file = "secret" }
"#;

/// Three, which share what is common.
const THREE: &str = r#"
codec = "xor"
equations = "1^2"
k = 6
n = 10
min_shares = 9
hosts.a = "/mnt/a/{profile}"
hosts.b = { path = "/mnt/b/{profile}/x", availability = 0.999 }
hosts.c = { path = "/mnt/c/{profile}", availability = { backup = 0.9, restore = 1 } }
groups.room = { hosts = ["a", "b"], availability = 0.99 }

[duplicity]
path = "/opt/duplicity"
options.all = ["--volsize", "50"]
options.backup = ["--exclude", "**/.cache"]
options.full = ["--asynchronous-upload"]
environment.LANG = "C"
environment.GPG_TTY = { unset = true }
environment.PASSPHRASE = { command = ["pass", "show", "backup"] }

[profiles.home]
source = "/home"
n = 3
k = 2

[profiles.mail]
source = "/var/mail"
n = 2
k = 1
[profiles.mail.hosts]
z = "/mnt/z"
y = "/mnt/y/{profile}"
[profiles.mail.duplicity]
options.backup = ["--no-compression"]
environment.PASSPHRASE = { env = "MAIL_PASSPHRASE" }
environment.LANG = { unset = true }
"#;

fn parse(text: &str) -> Result<Config, ConfigError> {
    Config::parse(Path::new(FILE), text)
}

fn profile(text: &str, name: Option<&str>) -> Settings {
    parse(text).unwrap().profile(name).unwrap()
}

#[track_caller]
fn refused(text: &str) -> String {
    parse(text).unwrap_err().to_string()
}

fn folders(settings: &Settings) -> Vec<(&str, &Path)> {
    let hosts = settings.listed_hosts().unwrap();
    hosts
        .iter()
        .map(|host| (&*host.name, &*host.folder))
        .collect()
}

fn options(settings: &Settings, command: &str) -> String {
    settings
        .options_for(command)
        .join(std::ffi::OsStr::new(" "))
        .into_string()
        .unwrap()
}

#[test]
fn a_short_file_is_one_backup() {
    let settings = profile(SHORT, None);
    assert_eq!(
        settings.source.as_ref().unwrap().value,
        Path::new("/etc/x/photos")
    );
    assert_eq!(
        folders(&settings),
        [
            ("nas", Path::new("/mnt/nas/photos")),
            ("cellar", Path::new("/etc/x/../cellar")),
            ("friend", Path::new("/mnt/friend/photos")),
        ]
    );
    let wish = Wish {
        k: Some(2),
        ..Wish::default()
    };
    assert_eq!(settings.wish(), wish);
    let Some(Layout::Listed { profile, hosts }) = settings.layout().unwrap() else {
        panic!("hosts are listed");
    };
    assert_eq!((profile, hosts.len()), (None, 3));
    assert_eq!(
        settings.variables["PASSPHRASE"].value,
        Variable::Secret(Reference::File("/etc/x/secret".into()))
    );
    assert_eq!(
        parse("").unwrap().profile(None).unwrap(),
        Settings::default()
    );
}

#[test]
fn profiles_share_what_stands_at_the_top() {
    let config = parse(&THREE.replace("n = 10\n", "")).unwrap();
    assert_eq!(config.profiles().collect::<Vec<_>>(), ["home", "mail"]);
    let home = config.profile(Some("home")).unwrap();
    let mail = config.profile(Some("mail")).unwrap();
    assert_eq!(
        folders(&home),
        [
            ("a", Path::new("/mnt/a/home")),
            ("b", Path::new("/mnt/b/home/x")),
            ("c", Path::new("/mnt/c/home")),
        ]
    );
    assert_eq!(
        folders(&mail),
        [("z", Path::new("/mnt/z")), ("y", Path::new("/mnt/y/mail"))]
    );
    assert_eq!(
        home.layout().unwrap().unwrap().url().unwrap(),
        "distdup://home"
    );
    let wish = Wish {
        k: Some(2),
        n: Some(3),
        codec: Some("xor".into()),
        equations: Some("1^2".into()),
        min_shares: Some(9),
        ..Wish::default()
    };
    assert_eq!(home.wish(), wish);

    assert_eq!(options(&home, "backup"), "--volsize 50 --exclude **/.cache");
    assert_eq!(
        options(&home, "full"),
        "--volsize 50 --exclude **/.cache --asynchronous-upload"
    );
    assert_eq!(options(&home, "inc"), options(&home, "backup"));
    assert_eq!(options(&home, "restore"), "--volsize 50");
    assert_eq!(options(&mail, "backup"), "--volsize 50 --no-compression");

    assert_eq!(home.variables["LANG"].value, Variable::Plain("C".into()));
    assert_eq!(mail.variables["LANG"].value, Variable::Unset);
    assert_eq!(mail.variables["GPG_TTY"].value, Variable::Unset);
    assert_eq!(
        mail.variables["PASSPHRASE"].value,
        Variable::Secret(Reference::Env("MAIL_PASSPHRASE".into()))
    );
    assert_eq!(
        home.duplicity.as_ref().unwrap().value,
        Path::new("/opt/duplicity")
    );

    let chances = home.listed_hosts().unwrap()[2].chances.unwrap();
    assert_eq!(
        format!("{} {}", chances.backup.up(), chances.restore.up()),
        "0.9 1"
    );
    // The last digit of 1 - 0.999 is kept.
    let chances = home.listed_hosts().unwrap()[1].chances.unwrap();
    assert_eq!(chances.backup.down().to_string(), "0.001");
    assert_eq!(home.groups[0].value.hosts, ["a", "b"]);
}

#[test]
fn a_profile_must_be_there_and_be_named_where_hosts_depend_on_it() {
    let config = parse(&THREE.replace("n = 10\n", "")).unwrap();
    let error = |name| config.profile(name).unwrap_err().to_string();
    assert_eq!(
        error(Some("hoem")),
        "there is no profile hoem in /etc/x/distdup.toml; did you mean home? there are home, mail"
    );
    assert!(error(Some("photos")).ends_with("there are home, mail"));
    let base = config.profile(None).unwrap();
    let error = base.layout().unwrap_err().to_string();
    assert!(
        error.ends_with("choose a profile with -P, of: home, mail"),
        "{error}"
    );
    // Other hosts have no need of it.
    let arguments = Settings {
        hosts: Some(Setting::argument(Hosts::Named(vec!["d{i}".into()]))),
        ..Settings::default()
    };
    assert!(arguments.over(base).layout().is_ok());
    let error = parse(SHORT).unwrap().profile(Some("x")).unwrap_err();
    assert!(error.to_string().ends_with("there are none"), "{error}");
}

#[test]
fn arguments_win_and_origins_tell() {
    let arguments = Settings {
        k: Some(Setting::argument(3)),
        hosts: Some(Setting::argument(Hosts::Named(vec!["d{i}".into()]))),
        ..Settings::default()
    };
    let settings = arguments.over(profile(SHORT, None));
    assert_eq!(settings.wish().k, Some(3));
    assert_eq!(
        settings.layout().unwrap().unwrap(),
        Layout::Named(vec![OsString::from("d{i}")])
    );
    let origins: Vec<_> = settings
        .shown()
        .into_iter()
        .map(|shown| format!("{} {}", shown.key, shown.origin))
        .collect();
    assert_eq!(
        origins,
        [
            "source /etc/x/distdup.toml:2",
            "k command line",
            "hosts command line",
            "duplicity.environment.PASSPHRASE /etc/x/distdup.toml:11",
        ]
    );
}

#[test]
fn what_is_shown_is_a_file_that_says_the_same() {
    let text = THREE.replace("n = 10\n", "");
    for name in ["home", "mail"] {
        let shown = profile(&text, Some(name)).shown();
        let lines: Vec<_> = shown.iter().map(ToString::to_string).collect();
        let written = lines.join(
            "
",
        );
        let again = profile(&written, None).shown();
        let values = |shown: &[Shown]| -> Vec<_> {
            shown
                .iter()
                .map(|shown| (shown.key.clone(), shown.value.clone()))
                .collect()
        };
        assert_eq!(values(&again), values(&shown), "{written}");
    }
}

#[test]
fn what_is_shown_is_nothing_that_a_terminal_obeys() {
    let text = r#"source = "/\u009b31m\u202eb\u007f\u001b\"\\\u00e9\U0001f600""#;
    let shown = profile(text, None).shown();
    let line = shown[0].to_string();
    assert_eq!(
        line,
        r#"source = "/\U0000009b31m\U0000202eb\U0000007f\u001b\"\\é😀""#
    );
    assert_eq!(profile(&line, None).shown()[0].value, shown[0].value);
}

#[test]
fn equations_go_with_their_codec() {
    let text = "codec = 'xor'\nequations = '1^2'\n[profiles.rs]\ncodec = 'rs'\n\
                [profiles.own]\nequations = '1^2,1'\n[profiles.same]\nk = 2";
    for (name, codec, equations) in [
        ("rs", "rs", None),
        ("own", "xor", Some("1^2,1")),
        ("same", "xor", Some("1^2")),
    ] {
        let wish = profile(text, Some(name)).wish();
        assert_eq!(wish.choice().codec(), codec, "{name}");
        assert_eq!(wish.equations.as_deref(), equations, "{name}");
    }
}

#[test]
fn a_disk_is_spared_if_it_is_said() {
    let temporary = |text: &str| profile(text, None).low_disk.map(|setting| setting.value);
    assert_eq!(temporary("k = 2"), None);
    assert_eq!(temporary("low_disk = false"), Some(Temporary::Usual));
    assert_eq!(temporary("low_disk = true"), Some(Temporary::InMemory));
    assert_eq!(
        temporary("low_disk = '/mnt/ram'"),
        Some(Temporary::In("/mnt/ram".into()))
    );
    assert!(refused("low_disk = 1").contains("true, false or a folder"));
}

#[test]
fn every_key_can_be_read_shown_and_mistaken() {
    let values = [
        ("source", "'x'"),
        ("codec", "'x'"),
        ("equations", "'1^2'"),
        ("k", "1"),
        ("n", "1"),
        ("min_shares", "1"),
        ("low_disk", "true"),
        ("hosts", "{ a = 'x' }"),
        ("groups", "{ a = { hosts = ['x'], availability = 1 } }"),
        ("duplicity", "{ path = 'x' }"),
    ];
    assert!(keys::names().eq(values.iter().map(|(key, _)| *key)));
    for (key, value) in values {
        for text in [
            format!("{key} = {value}"),
            format!("profiles.p.{key} = {value}"),
        ] {
            let config = parse(&text).unwrap();
            let name = config.profiles().next();
            let shown = config.profile(name).unwrap().shown();
            assert!(shown.iter().all(|shown| shown.key.starts_with(key)));
            assert_eq!(shown.len(), 1, "{text}");
        }
        if key.len() > 1 {
            let slip = &key[..key.len() - 1];
            let error = refused(&format!("{slip} = {value}"));
            assert!(error.contains(&format!("did you mean {key}?")), "{error}");
        }
    }
}

#[test]
fn an_error_shows_the_line_and_the_right_key() {
    assert_eq!(
        refused("k = 2\ncodek = \"rs\"\n"),
        "/etc/x/distdup.toml:2:1: there is no key codek; did you mean codec?\n\
         \x20 |\n\
         2 | codek = \"rs\"\n\
         \x20 | ^^^^^"
    );
    assert_eq!(
        refused("[profiles.home]\nk = 'two' # of them"),
        "/etc/x/distdup.toml:2:5: expected a whole number, found a string\n\
         \x20 |\n\
         2 | k = 'two' # of them\n\
         \x20 |     ^^^^^"
    );
}

/// Files with one thing wrong, and what is said of it.
const FAULTS: &[(&str, &str)] = &[
    ("k = ", "1:5: not TOML: "),
    ("k = 1\nk = 2", "2:1: not TOML: duplicate key"),
    (
        "[profiles.x]\nprofiles = 1",
        "no key profiles in [profiles.x]",
    ),
    (
        "passphrase = 'hunter2'",
        "there are codec, duplicity, equations, groups",
    ),
    (
        "[duplicity]\noption.all = []",
        "in [duplicity]; did you mean options?",
    ),
    ("duplicity.options.bakcup = []", "did you mean backup?"),
    ("duplicity.options = ['-v']", "expected a table"),
    ("duplicity.options.all = '-v'", "expected a list of words"),
    (
        "duplicity.options.all = ['-v', 5]",
        "expected a word in quotes, found a whole",
    ),
    (
        "duplicity.options.all = [\"a\\u0000\"]",
        "empty or has a NUL",
    ),
    ("k = 0", "expected a whole number from 1 to 256"),
    ("n = 257", "expected a whole number from 1 to 256"),
    ("n = -1", "expected a whole number from 1 to 256"),
    ("n = 99999999999999999999999", "from 1 to 256"),
    ("k = 2.5", "found a number with a fraction"),
    ("k = true", "found true or false"),
    ("k = 2026-11-24", "found a date"),
    ("source = ''", "empty or has a NUL"),
    ("source = '~anna/x'", "only ~/ at the start"),
    ("source = ['a']", "expected a path in quotes, found a list"),
    ("hosts = 'a'", "expected a table of hosts"),
    ("hosts = {}", "[hosts] has no host"),
    (
        "hosts.a = 5",
        "expected the host's path in quotes, or { path = ... }",
    ),
    ("hosts.a.availability = 1", "[hosts.a] has no path"),
    (
        "hosts.a = { path = 'x', pat = 'y' }",
        "no key pat in [hosts.a]; did you mean path?",
    ),
    ("hosts.'a:b' = 'x'", "\"a:b\" cannot be the name of a host"),
    ("hosts.'' = 'x'", "\"\" cannot be the name of a host"),
    ("hosts.a = 'sftp://x/y'", "hosts are folders so far"),
    ("hosts.a = '/mnt/{i}'", "{i} stands for nothing here"),
    (
        "hosts.a = 'x'\nhosts.b = './x/'",
        "2:11: hosts a and b are the same folder",
    ),
    (
        "hosts.a = { path = 'x', availability = 1.5 }",
        "1.5 is not a probability",
    ),
    (
        "hosts.a = { path = 'x', availability = nan }",
        "nan is not a probability",
    ),
    (
        "hosts.a = { path = 'x', availability = 'x' }",
        "expected a probability",
    ),
    (
        "hosts.a = { path = 'x', availability = { backup = 1 } }",
        "[hosts.a.availability] has no restore",
    ),
    ("groups.g.hosts = ['a']", "[groups.g] has no availability"),
    (
        "n = 3\nhosts = { a = 'x', b = 'y' }",
        "n = 3, but the number of hosts is 2",
    ),
    (
        "hosts.a = 'x'\nprofiles.p.n = 2",
        "2:12: n = 2, but the number of hosts is 1",
    ),
    (
        "profiles.'a b' = {}",
        "\"a b\" cannot be the name of a profile",
    ),
    ("profiles.-a = {}", "\"-a\" cannot be the name of a profile"),
    ("profiles = 1", "expected a table: [profiles.NAME]"),
    ("profiles.a = 1", "expected a table: [profiles.NAME]"),
    (
        "hosts.a = '/x'\nprofiles.p.source = '/1'\nprofiles.q.source = '/2'",
        "1:7: profiles p and q both back up to /x",
    ),
    (
        "source = '/1'\nhosts.a = '/x'\nprofiles.p.source = '/2'",
        "profiles (at the top) and p both back up to /x",
    ),
    (
        "duplicity.environment.'A B' = ''",
        "A B cannot be the name of a variable",
    ),
    (
        "duplicity.environment.1A = ''",
        "1A cannot be the name of a variable",
    ),
    (
        "duplicity.environment.DISTDUP_REPORT = ''",
        "set by distdup itself",
    ),
    (
        "duplicity.environment.A = 5",
        "expected a string, or { file = ... }",
    ),
    (
        "duplicity.environment.A = {}",
        "expected one of file, command, env and unset",
    ),
    (
        "duplicity.environment.A = { env = 'X', file = 'y' }",
        "expected one of file, command, env and unset",
    ),
    (
        "duplicity.environment.A = { unset = false }",
        "expected true",
    ),
    (
        "duplicity.environment.A = { comand = 'x' }",
        "did you mean command?",
    ),
    (
        "duplicity.environment.A = { command = [] }",
        "expected a program",
    ),
    (
        "duplicity.environment.A = { command = 5 }",
        "expected a command in quotes",
    ),
];

#[test]
fn every_fault_is_told() {
    for (text, what) in FAULTS {
        let error = refused(text);
        assert!(error.contains(what), "{text}\n{error}");
        assert!(!error.contains("hunter2"), "{error}");
    }
}

#[test]
fn what_is_the_same_backup_may_be_in_the_same_place() {
    // Two ways to make one backup.
    let text = "source = '/1'\nhosts.a = '/x'\nprofiles.p.k = 1\nprofiles.q.codec = 'rs'";
    assert_eq!(parse(text).unwrap().profiles().count(), 2);
}

#[test]
fn a_secret_in_the_file_is_refused_and_not_shown() {
    for (text, how) in [
        (
            "duplicity.environment.PASSPHRASE = 'hunter2'",
            "PASSPHRASE = { file = \"PATH\" }",
        ),
        (
            "[duplicity.environment]\nFTP_PASSWORD = \"\"\"\nhunter2\"\"\"",
            "command",
        ),
        (
            "duplicity = { environment = { AWS_SECRET_ACCESS_KEY = 'hunter2' } }",
            "env",
        ),
        (
            "duplicity.options.all = ['--gpg-options', '--passphrase=hunter2']",
            "everybody on this machine can read command lines",
        ),
        (
            "duplicity.options.full = [\"--gpg-options=--passphrase 'hunter2'\"]",
            "[duplicity.",
        ),
        ("[duplicity.environment]\nPASSPHRASE = 'hunter2", "not TOML"),
        (
            "[duplicity.environment]\nPASSPHRASE = \"hunter2\\q\"",
            "not TOML",
        ),
        (
            "[duplicity.environment]\nPASSPHRASE = [\n'hunter2',\n'hunter2]\n",
            "not TOML",
        ),
        (
            "[duplicity.environment]\nPASSPHRASE = ['hunter2']",
            "expected a string",
        ),
    ] {
        let error = parse(text).unwrap_err();
        assert!(error.to_string().contains(how), "{error}");
        assert!(
            !format!("{error} {error:?}").contains("hunter2"),
            "{error:?}"
        );
    }
    // Nothing is no secret, and a name is none.
    let text = "[duplicity.environment]\nPASSPHRASE = ''\nAWS_ACCESS_KEY_ID = 'AKIA'\n";
    assert_eq!(profile(text, None).variables.len(), 2);
    let text = "duplicity.options.all = ['--gpg-options', '--passphrase-fd 3']";
    assert!(parse(text).is_ok());
}

#[test]
fn examples_are_files_and_the_table_has_every_key() {
    let document = include_str!("../../docs/CONFIGURATION.md");
    let mut examples = vec![Vec::new()];
    for line in document.lines() {
        match line.strip_prefix("    ") {
            None if !line.is_empty() => examples.push(Vec::new()),
            code => examples.last_mut().unwrap().push(code.unwrap_or_default()),
        }
    }
    let files: Vec<Config> = examples
        .iter()
        .filter(|lines| lines.contains(&"[duplicity.environment]"))
        .map(|lines| parse(&lines.join("\n")).unwrap())
        .collect();
    assert_eq!(files.len(), 3);

    let keys = |text: &str| -> Vec<String> {
        let shown = profile(text, parse(text).unwrap().profiles().next()).shown();
        shown.into_iter().map(|shown| shown.key).collect()
    };
    // All that is commented out in the template, without the comments.
    let template: Vec<&str> = TEMPLATE
        .lines()
        .filter(|line| !line.starts_with("# "))
        .collect();
    let template = template.join("\n").replace('#', "");
    for key in keys(&template) {
        let table = key.rsplit_once('.').map_or(&*key, |(table, _)| table);
        let row = [
            format!("| `{key}` |"),
            format!("| `{table}.NAME"),
            format!("| `{table}.COMMAND"),
        ];
        assert!(row.iter().any(|row| document.contains(row)), "{key}");
    }
    for name in keys::names().filter(|name| *name != "duplicity") {
        assert!(
            keys(&template).iter().any(|key| key.starts_with(name)),
            "{name}"
        );
    }
    assert_eq!(parse(TEMPLATE).unwrap(), parse("").unwrap());
}

#[test]
fn the_home_folder_is_home() {
    let home = std::env::var_os("HOME").map(PathBuf::from).unwrap();
    for (text, path) in [
        ("~", home.clone()),
        ("~/", home.clone()),
        ("~/a//b", home.join("a/b")),
    ] {
        let settings = profile(&format!("source = '{text}'"), None);
        assert_eq!(settings.source.unwrap().value, path);
    }
}

/// Text that is nearly a file: pieces of files, out of order.
fn pieces() -> impl Strategy<Value = String> {
    let lines: Vec<&'static str> = SHORT.lines().chain(THREE.lines()).collect();
    let piece = prop_oneof![
        4 => prop::sample::select(lines).prop_map(String::from),
        1 => prop::sample::select(vec!["'", "\"\"\"", "{", "[", "]", "=", "\u{feff}", "\r", "ß", "\0"])
            .prop_map(String::from),
        1 => "[ -~]{0,8}",
    ];
    let end = prop::sample::select(vec!["\n", "\n", "", "\r\n"]);
    prop::collection::vec((piece, end), 0..12)
        .prop_map(|pieces| pieces.into_iter().map(|(piece, end)| piece + end).collect())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(if std::env::var_os("DISTDUP_TEST_FULL").is_some() { 20_000 } else { 500 }))]

    #[test]
    fn no_text_makes_it_panic(text in prop_oneof![pieces(), any::<String>()]) {
        match parse(&text) {
            Err(error) => prop_assert!(!error.to_string().is_empty()),
            Ok(config) => {
                for name in config.profiles().map(Some).chain([None]) {
                    if let Ok(settings) = config.profile(name) {
                        settings.shown();
                        let _ = settings.layout();
                    }
                }
            }
        }
    }

    #[test]
    fn no_place_makes_it_panic(text in any::<String>(), start in 0usize..80, length in 0usize..80) {
        let hide = [excerpt::Hide::Nothing, excerpt::Hide::Doubtful, excerpt::Hide::Span(3..9)];
        for hide in hide {
            let place = excerpt::place(&text, &(start..start + length), &hide);
            prop_assert_eq!(place.excerpt.lines().count(), 3);
        }
    }
}
