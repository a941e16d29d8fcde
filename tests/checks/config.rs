//! Configuration files.

use std::path::Path;

use distdup::config::{Config, Settings, Shown, TEMPLATE};

use super::memory::within;
use super::{is_fit_to_print, is_printed_well};

const FILE: &str = "/etc/x/distdup.toml";

/// Takes `bytes` for a distdup.toml.
pub fn check(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    within((1 << 20) + 512 * text.len(), || {
        match Config::parse(Path::new(FILE), &text) {
            Ok(config) => holds(&config),
            Err(error) => is_printed_well(&error),
        }
    });
}

fn holds(config: &Config) {
    is_shown(&config.profile(None).unwrap());
    for name in config.profiles() {
        is_shown(&config.profile(Some(name)).unwrap());
    }
    for missing in ["", "no such profile", "\x1b[31m"] {
        if let Err(error) = config.profile(Some(missing)) {
            is_printed_well(&error);
        }
    }
}

/// What is shown is a file that says the same.
fn is_shown(settings: &Settings) {
    let shown = settings.shown();
    let mut written = String::new();
    for line in &shown {
        let line = line.to_string();
        is_fit_to_print(&line);
        written += &line;
        written.push('\n');
    }
    for said in settings.usual() {
        is_fit_to_print(&said.to_string());
    }
    let again = Config::parse(Path::new(FILE), &written);
    let again = again.unwrap_or_else(|error| panic!("{error}\n{written}"));
    let again = again.profile(None).unwrap().shown();
    let values = |shown: Vec<Shown>| -> Vec<_> {
        let value = |shown: Shown| (shown.key, shown.value);
        shown.into_iter().map(value).collect()
    };
    assert_eq!(values(again), values(shown), "{written}");
}

pub fn seeds() -> Vec<Vec<u8>> {
    let uncommented: String = TEMPLATE
        .lines()
        .map(|line| line.strip_prefix('#').unwrap_or(line).to_owned() + "\n")
        .collect();
    let mut seeds = vec![TEMPLATE.to_owned(), uncommented];
    for text in [
        "source = \"photos\"\nk = 2\n[hosts]\nnas = \"/mnt/nas/photos\"\ncellar = \"../cellar\"\nfriend = \"/f\"\n\
         [duplicity.environment]\nPASSPHRASE = { file = \"secret\" }\n",
        "codec = \"xor\"\nequations = \"1^2\"\nk = 6\nn = 10\nmin_shares = 9\nhosts.a = \"/mnt/a/{profile}\"\n\
         hosts.b = { path = \"/mnt/b/{profile}/x\", availability = 0.999 }\n\
         hosts.c = { path = \"/c/{profile}\", availability = { backup = 0.9, restore = 1 } }\n\
         groups.room = { hosts = [\"a\", \"b\"], availability = 0.99 }\n\
         [duplicity]\npath = \"/opt/duplicity\"\noptions.all = [\"--volsize\", \"50\"]\n\
         environment.LANG = \"C\"\nenvironment.GPG_TTY = { unset = true }\n\
         environment.PASSPHRASE = { command = [\"pass\", \"show\"] }\n\
         [profiles.home]\nsource = \"/home\"\nn = 3\nk = 2\n\
         [profiles.mail]\nsource = \"/var/mail\"\nn = 2\nk = 1\n[profiles.mail.hosts]\nz = \"/z\"\ny = \"/y/{profile}\"\n",
        "hosts = \"/mnt/{i}\"\nn = 3\nk = 18446744073709551615\n",
        "k = 3\nn = 2\n",
        "a.b.c.d.e.f.g.h = {a={a={a={a=[[[[[[[[[[]]]]]]]]]]}}}}",
        "\"\\u001b[31m\" = 1\n",
        "source = \"\\u0000\"\n",
        "source = \"a\\u202eb\\u007f\"\nhosts.\"x\\ny\" = \"/z\"\n",
        "source = \"~root/x\"\n",
        "[profiles.\"\\u001b\"]\n",
        "low_disk = true\nvolsize = 99999999999999999999999999\n",
        "x = 1979-05-27T07:32:00Z\ny = nan\n",
    ] {
        seeds.push(text.to_owned());
    }
    let mut seeds: Vec<Vec<u8>> = seeds.into_iter().map(String::into_bytes).collect();
    seeds.push(b"source = \"\xff\xfe\"\n".to_vec());
    seeds.push(b"source = \"\x1b[31m\"\n".to_vec());
    seeds.push([&b"x = "[..], &[b'['; 3000]].concat());
    seeds
}
