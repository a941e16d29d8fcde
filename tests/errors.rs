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
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

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
        "distdup why s0 s1 'exec:cat s2 | { head -c 500; exec sleep 15 2>/dev/null; }' --source-timeout 2",
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
        "output-given-up",
        "",
        "distdup encode -k 2 -o a0 -o a1 -o /dev/full --min-shares 3 in",
    ),
    (
        "output-stalled",
        "head -c 9000000 /dev/zero >big",
        "distdup encode -k 2 -n 4 -o a0 -o a1 -o a2 -o 'exec:sleep 9 >/dev/null 2>&1' --sink-timeout 0.4 big",
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
    (
        "output-read",
        "",
        "distdup encode -k 2 -o in -o a -o b --force in",
    ),
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
    ("usage-command", "", "distdup enkode in -o a"),
    ("usage-option", "", "distdup encode --codek rs in -o a"),
    ("usage-value", "", "distdup encode -k some in -o a"),
    ("usage-missing", "", "distdup verify"),
    (
        "usage-conflict",
        "",
        "distdup encode -k 2 --size 3 --size 4 -o a -o b -o c in",
    ),
    ("frame-damaged", "hurt s0 1000", "distdup verify s0"),
    (
        "frame-of-another-stream",
        "distdup encode --codec rs16 -k 2 -n 3 --shard-size 512 -o 't{i}' in; graft t0 s0",
        "distdup verify s0",
    ),
    ("frame-of-another-share", "graft s1 s0", "distdup verify s0"),
    (
        "frame-out-of-place",
        "tail -c +754 s0 | head -c 592 >frame; dd if=frame of=s0 bs=1 seek=161 conv=notrunc 2>dd",
        "distdup verify s0",
    ),
    (
        "frame-missing",
        "{ head -c 753 s0; tail -c +1346 s0; } >cut; mv cut s0",
        "distdup verify s0",
    ),
    (
        "share-incomplete",
        "truncate -s 1345 s0",
        "distdup verify s0",
    ),
    (
        "share-displaced",
        "{ head -c 753 s0; tail -c +1346 s0; } >cut; mv cut s0",
        "distdup verify s0",
    ),
    (
        "trailer-of-another-share",
        "{ head -c 1901 s0; tail -c 242 s1; } >cut; mv cut s0",
        "distdup verify s0",
    ),
    (
        "hosts-min-shares",
        "",
        "distdup backup test -o 'a{i}' -k 2 -n 3 --min-shares 1 -- --no-encryption",
    ),
    (
        "hosts-same",
        "rm -r backup_test/distdup1; cp -r backup_test/distdup0 backup_test/distdup1",
        "distdup status 'backup_test/distdup{i}'",
    ),
    (
        "hosts-too-few-to-read",
        "mv backup_test/distdup1 backup_test/distdup2 .",
        "distdup status 'backup_test/distdup{i}'",
    ),
    (
        "hosts-too-many-silent",
        "distdup -q backup -k 2 -n 5 test -o 'b{i}' -- --no-encryption; for i in 0 1 2 3 4; do echo \"hosts.h$i = 'b$i'\"; done >distdup.toml; rm -r b[234]",
        "distdup status",
    ),
    (
        "host-down",
        "mv backup_test/distdup1 .",
        "distdup status 'backup_test/distdup{i}'",
    ),
    (
        "host-unknown",
        "rm -r backup_test/distdup1; mkdir backup_test/distdup1",
        "distdup status 'backup_test/distdup{i}'",
    ),
    (
        "host-of-another",
        "distdup -q backup test -o 'other{i}' -- --no-encryption",
        "distdup status backup_test/distdup0 other1 backup_test/distdup2",
    ),
    (
        "host-not-joined",
        "distdup -q backup test -o 'other{i}' -- --no-encryption; sed -i 4d other1/distdup-host",
        "distdup backup test -o backup_test/distdup0 -o other1 -o backup_test/distdup2 -- --no-encryption --allow-source-mismatch",
    ),
    (
        "hosts-of-different-backups",
        "distdup -q backup test -o 'other{i}' -- --no-encryption; mv backup_test/distdup2 .",
        "distdup heal backup_test/distdup0 other1 backup_test/distdup2",
    ),
    (
        "hosts-number",
        "mkdir other",
        "distdup status backup_test/* other",
    ),
    (
        "hosts-otherwise",
        "",
        "distdup backup -k 3 -n 4 test -- --no-encryption",
    ),
    (
        "host-in-use",
        "mkdir b0; touch b0/letter",
        "distdup backup test -o 'b{i}' -- --no-encryption",
    ),
    (
        "host-unstamped",
        "rm backup_test/*/distdup-host",
        "distdup backup test -- --no-encryption",
    ),
    (
        "host-kind",
        "",
        "distdup backup test -o sftp://host/0 -o b1 -o b2 -- --no-encryption",
    ),
    (
        "hosts-half-made",
        "mkdir b0 b1; cp backup_test/distdup0/distdup-host b0; cp backup_test/distdup1/distdup-host b1",
        "distdup backup test -o 'b{i}' -- --no-encryption",
    ),
    ("no-host", "", "distdup status 'nowhere/distdup{i}'"),
    ("no-backup", "mkdir b0 b1", "distdup status b0 b1"),
    (
        "k-needed",
        "",
        "distdup backup test -o b0 -o b1 -o b2 -o b3 -- --no-encryption",
    ),
    (
        "profile-needed",
        "printf 'hosts.a = \"{profile}/a\"\\nhosts.b = \"{profile}/b\"\\n[profiles.home]\\n' >distdup.toml",
        "distdup status",
    ),
    (
        "backup-source",
        "",
        "distdup backup tset -- --no-encryption",
    ),
    (
        "backup-hosts-needed",
        "",
        "distdup backup / -- --no-encryption",
    ),
    (
        "backup-inside",
        "",
        "distdup backup test -o 'test/distdup{i}' -- --no-encryption",
    ),
    ("restore-hosts-needed", "", "distdup restore new"),
    (
        "restore-target-in-use",
        "",
        "distdup restore test --from 'backup_test/distdup{i}'",
    ),
    (
        "restore-leftover",
        "mkdir restore_test.partial",
        "distdup restore restore_test -- --no-encryption",
    ),
    (
        "passphrase-missing",
        "",
        "env -u PASSPHRASE setsid -w distdup backup test",
    ),
    (
        "low-disk-folder",
        "",
        "distdup backup --low-disk=nowhere test -- --no-encryption",
    ),
    (
        "low-disk-twice",
        "",
        "distdup backup --low-disk=. test -- --no-encryption --tempdir /tmp",
    ),
    (
        "duplicity-unusable",
        "",
        "distdup backup test --duplicity in -- --no-encryption",
    ),
    (
        "duplicity-urls",
        "",
        "distdup duplicity -o 'backup_test/distdup{i}' replicate file:///copy",
    ),
    (
        "duplicity-failed",
        "",
        "distdup backup test -- --no-encryption --no-such-option",
    ),
    (
        "archive-torn",
        // As a kill between two changes of it leaves it.
        "distdup backup test -o 'torn{i}' -- --no-encryption --archive-dir torn; \
         for m in torn/*/*.manifest; do mv $m $m.part; done; touch test/more",
        "distdup backup test -o 'torn{i}' -- --no-encryption --archive-dir torn",
    ),
    ("config-none", "", "distdup config check"),
    ("config-unreadable", "", "distdup config check --config in"),
    (
        "config-not-trusted",
        "touch distdup.toml; chmod a+w distdup.toml",
        "distdup config check",
    ),
    (
        "config-profile",
        "printf '[profiles.home]\\n' >distdup.toml",
        "distdup config check -P hime",
    ),
    (
        "config-syntax",
        "echo 'k = ' >distdup.toml",
        "distdup config check",
    ),
    (
        "config-key",
        "echo 'min_shrs = 2' >distdup.toml",
        "distdup config check",
    ),
    (
        "config-value",
        "echo 'k = \"two\"' >distdup.toml",
        "distdup config check",
    ),
    (
        "config-secret",
        "printf '[duplicity.environment]\\nPASSPHRASE = \"secret\"\\n' >distdup.toml",
        "distdup config check",
    ),
    (
        "config-hosts",
        "printf 'n = 3\\nhosts.a = \"a\"\\nhosts.b = \"b\"\\n' >distdup.toml",
        "distdup config check",
    ),
    (
        "secret-unreadable",
        "printf '[duplicity.environment]\\nPASSPHRASE = { file = \"gone\" }\\n' >distdup.toml",
        "distdup config check",
    ),
    (
        "secret-not-private",
        "touch pass; chmod 644 pass; printf '[duplicity.environment]\\nPASSPHRASE = { file = \"pass\" }\\n' >distdup.toml",
        "distdup config check",
    ),
    (
        "secret-command",
        "printf '[duplicity.environment]\\nPASSPHRASE = { command = [\"false\"] }\\n' >distdup.toml",
        "distdup backup test",
    ),
    (
        "secret-not-set",
        "printf '[duplicity.environment]\\nPASSPHRASE = { env = \"NOT_SET\" }\\n' >distdup.toml",
        "distdup config check",
    ),
    (
        "model-number",
        "",
        "distdup availability -k 2 -n 3 --method monte-carlo --trials 0",
    ),
    (
        "model-hosts",
        "",
        "distdup availability -k 1 -n 2 --host a=0.9 --host a=0.8",
    ),
    (
        "model-count",
        "",
        "distdup availability -k 1 -n 3 --host a=0.9 --host b=0.8",
    ),
];

/// Codes that no command line gives for sure, and why.
const NOT_MET: &[(&str, &str)] = &[
    (
        "share-disagrees",
        "shares forged with right digests: tests/verify.rs",
    ),
    ("frame-unreadable", "a disk that fails: tests/damage.rs"),
    (
        "frames-differ",
        "two shares that were forged: tests/damage.rs",
    ),
    ("frame-forged", "a forged share: tests/damage.rs"),
    ("share-followed", "seen by chance: tests/damage.rs"),
    ("header-differs", "a forged share: tests/hostile.rs"),
    ("trailer-differs", "a forged trailer: tests/damage.rs"),
    (
        "hosts-count",
        "the program counts them before: hosts-number",
    ),
    (
        "hosts-too-few",
        "hosts that fail in between: src/store/tests",
    ),
    (
        "object-not-found",
        "Duplicity asks for no such: src/store/tests",
    ),
    (
        "object-unknown",
        "objects of different ages: src/store/tests",
    ),
    (
        "object-not-opened",
        "a host that fails in between: src/store/tests",
    ),
    (
        "object-not-deleted",
        "hosts that fail in between: src/store/tests",
    ),
    (
        "object-no-successor",
        "a key made on purpose: src/store/tests",
    ),
    (
        "object-name",
        "Duplicity's names are shorter: src/store/key.rs",
    ),
    ("store-for-reading", "the program writes to no such store"),
    ("no-random-bytes", "a system without randomness"),
    ("store-stopped", "a signal: src/store/tests"),
    ("unseen-newer", "always within object-unknown"),
    ("newest-unreadable", "always within object-unknown"),
    (
        "object-lost",
        "a warning of status, heal, backup and restore, whose code is in --json",
    ),
    ("never-committed", "always within object-unknown"),
    (
        "host-not-named",
        "a host of many, at one object: tests/duplicity_hosts.rs",
    ),
    (
        "host-read-back-differs",
        "a disk that forgets: src/store/tests",
    ),
    (
        "host-lacks-share",
        "a share that goes in between: src/store/tests",
    ),
    ("host-failed", "a disk that fails: tests/duplicity_hosts.rs"),
    ("host-hung", "a host that hangs: tests/duplicity_hosts.rs"),
    ("host-busy", "two backups at once: tests/duplicity_hosts.rs"),
    ("host-busy-elsewhere", "two machines: src/store/lock.rs"),
    (
        "host-not-locked",
        "a file system without locks: src/store/lock.rs",
    ),
    (
        "host-share-mislabelled",
        "a share that was renamed: tests/duplicity_hosts.rs",
    ),
    (
        "host-share-missing",
        "a share that was lost: tests/duplicity_hosts.rs",
    ),
    (
        "restore-target",
        "a target in a folder that cannot be written to",
    ),
    ("low-disk-room", "a small disk: tests/low_disk.rs"),
    ("duplicity-missing", "a machine without Duplicity"),
    (
        "duplicity-command",
        "the program asks for one before: usage-missing",
    ),
    (
        "duplicity-protocol",
        "another program speaks: src/duplicity/protocol.rs",
    ),
    ("duplicity-stopped", "a signal: tests/duplicity_kills.rs"),
    (
        "passphrase-wrong",
        "the second backup by another passphrase: tests/duplicity.rs",
    ),
    (
        "passphrase-other",
        "the same with Duplicity 0.8, which goes on: tests/duplicity.rs",
    ),
    ("duplicity-killed", "a signal: tests/duplicity_kills.rs"),
    (
        "duplicity-stored-nothing",
        "another program of that name: tests/duplicity.rs",
    ),
    ("restored-in-part", "a damaged volume: tests/duplicity.rs"),
    (
        "restored-unfinished",
        "a killed backup: tests/duplicity_kills.rs",
    ),
    (
        "backend-folder",
        "another program of that name: tests/duplicity_install.rs",
    ),
    ("backend-in-use", "tests/duplicity_install.rs"),
    (
        "backend-program",
        "distdup in a folder whose name is no text",
    ),
    (
        "backend-not-written",
        "whoever runs the tests may do anything",
    ),
    (
        "model-too-large",
        "hours of counting: tests/availability.rs",
    ),
    ("measure-nothing", "the program looks before: usage"),
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
    (
        "rebuilt-wrong",
        "a machine that computes wrong: src/pipeline/rebuild.rs",
    ),
    ("encode-stopped", "a signal: tests/cli_signals.rs"),
    ("decode-stopped", "a signal: tests/cli_signals.rs"),
    ("zfec-stopped", "a signal: tests/zfec.rs"),
    ("trailers-differ", "forged trailers: tests/damage.rs"),
    ("last-frame-differs", "forged frames: tests/hostile.rs"),
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
    ("failed", "whatever has no code: nothing that is known"),
];

/// Codes whose words depend on time, on which codecs there are, or on Duplicity's version: the document leaves them out.
const VARYING: &[&str] = &[
    "archive-torn",
    "duplicity-failed",
    "output-stalled",
    "share-not-opened-in-time",
    "share-stalled",
    "codec-unknown",
];

const TOOLS: &str = "\
hurt() { printf XXXX | dd of=\"$1\" bs=1 seek=\"$2\" conv=notrunc 2>dd; }; \
graft() { dd if=\"$1\" of=\"$2\" bs=1 skip=161 seek=161 count=592 conv=notrunc 2>dd; }; ";

/// A folder `test` and a backup of it, made once.
fn backup() -> &'static Desk {
    static BACKUP: OnceLock<Desk> = OnceLock::new();
    BACKUP.get_or_init(|| {
        let desk = Desk::new();
        desk.exits(0, "mkdir test; echo hello >test/letter");
        desk.exits(
            0,
            "distdup backup test -- --no-encryption --archive-dir archive",
        );
        // A backup of the same second would have objects of the same names.
        std::thread::sleep(std::time::Duration::from_secs(1));
        desk
    })
}

/// What a command line says on standard error, the codes in what it prints for programs, and how it exits.
type Said = (String, Vec<String>, i32);

/// Has a command line say something.
fn provoke(before: &str, line: &str) -> Said {
    let desk = Desk::with_input(3000);
    desk.exits(
        0,
        "distdup encode --codec rs16 -k 2 -n 3 --shard-size 512 -o 's{i}' in",
    );
    if line.contains("test") || before.contains("test") {
        let from = backup().at("");
        desk.exits(0, &format!("cp -r '{}/.' .", from.display()));
    }
    desk.exits(0, &format!("{TOOLS}{before}"));
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
    let here = desk.at("");
    let tells = ["verify", "why", "status", "config"];
    let tells = tells
        .iter()
        .any(|it| line.starts_with(&format!("distdup {it}")));
    let out = if tells { ran.out } else { Vec::new() };
    let text = String::from_utf8(out).unwrap() + &ran.err;
    let text = text.replace(here.to_str().unwrap(), "/here/");
    (text, codes, ran.code.unwrap())
}

/// The same of all examples. Many wait for something, so that several are under way at once.
fn provoke_all() -> Vec<Said> {
    let next = AtomicUsize::new(0);
    let work = || {
        let mut done = Vec::new();
        while let at = next.fetch_add(1, Ordering::Relaxed)
            && let Some((_, before, line)) = EXAMPLES.get(at)
        {
            done.push((at, provoke(before, line)));
        }
        done
    };
    let mut all = thread::scope(|scope| {
        let workers: Vec<_> = (0..4).map(|_| scope.spawn(work)).collect();
        let done = workers
            .into_iter()
            .flat_map(|worker| worker.join().unwrap());
        done.collect::<Vec<_>>()
    });
    all.sort_by_key(|(at, _)| *at);
    all.into_iter().map(|(_, result)| result).collect()
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
    for word in text.split_inclusive([' ', '\n', ':', ',', '(', ')']) {
        let (body, end) = word.split_at(word.len() - 1);
        if body.len() == 32 && body.chars().all(|c| c.is_ascii_hexdigit()) {
            out.push_str("STREAM");
            out.push_str(end);
        } else {
            let is_time =
                |part: &&str| part.len() == 16 && part.starts_with("20") && part.ends_with('Z');
            match body.split('.').find(is_time) {
                Some(time) => out.push_str(&word.replace(time, "TIME")),
                None => out.push_str(word),
            }
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
    for ((code, before, line), (err, codes, exit)) in EXAMPLES.iter().zip(provoke_all()) {
        if !codes.iter().any(|found| found == code) {
            writeln!(unmet, "{line}: expected {code}, found {codes:?}\n{err}").unwrap();
        }
        said.insert(*code, (*before, *line, err, exit));
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
        if let Some((before, line, err, exit)) = said.get(code) {
            text.push('\n');
            if !before.is_empty() {
                writeln!(text, "    $ {before}").unwrap();
            }
            writeln!(text, "    $ {line}").unwrap();
            let said = if VARYING.contains(&code) { "" } else { err };
            for said in settled(said).lines() {
                writeln!(text, "    {said}").unwrap();
            }
            writeln!(text, "\nExits {exit}.").unwrap();
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
                    let has_one = ["<", "::"]
                        .iter()
                        .any(|before| program.contains(&format!("{before}{name}>(")));
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
        let declared = ["enum ", "struct "]
            .iter()
            .find_map(|it| line.strip_prefix(it));
        let by_hand = line.strip_prefix("impl Error for ");
        if let Some(name) = declared.filter(|_| derived).or(by_hand) {
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

/// Names that a terminal would obey are only shown, whatever command was given them; and with --json
/// whatever goes wrong has a code, before it is known what the command is, too.
#[test]
fn names_are_escaped_and_wrong_usage_is_json_in_every_command() {
    const EVIL: &str = r"$(printf 'e\033[31m\nv\342\200\256il')";
    let desk = Desk::with_input(10);
    desk.write(
        "evil.toml",
        b"source = '\xe2\x80\xae'\n\"\\u001b\\u202e\" = 3\n",
    );
    for line in [
        "EVIL",
        "--EVIL",
        "encode -k 2 -n 3 -o EVIL in",
        "encode -k 2 -n 3 -o 'a{i}' EVIL",
        "encode -k EVIL -o 'a{i}' in",
        "encode --codec EVIL -k 2 -n 3 -o 'a{i}' in",
        "encode --codec xor --equations EVIL -k 2 -n 3 -o 'a{i}' in",
        "encode -k 2 -n 3 -o 'a{i}' --from-command -- EVIL",
        "encode -k 2 -n 3 -o 'a{i}' --fifo EVIL/in",
        "encode -k 2 -n 3 -o EVIL/'{i}' in",
        "decode EVIL -o out",
        "decode in -o EVIL/out",
        "decode --stream EVIL in",
        "verify EVIL",
        "verify EVIL.fec",
        "verify --subset EVIL in",
        "why EVIL",
        "inspect EVIL",
        "repair EVIL -o out",
        "explain EVIL",
        "codecs EVIL",
        "backup EVIL",
        "backup . --duplicity EVIL",
        "restore EVIL",
        "status EVIL",
        "heal EVIL",
        "cleanup EVIL",
        "duplicity -o EVIL verify in",
        "availability --host EVIL",
        "compare --hosts 3 --geometry EVIL",
        "config check --config EVIL",
        "config check --config evil.toml",
        "config check --config evil.toml -P EVIL",
        "config EVIL",
    ] {
        let line = line.replace("EVIL", r#""$EVIL""#);
        let ran = desk.sh(&format!("EVIL={EVIL}; distdup --json {line} </dev/null"));
        let both = String::from_utf8_lossy(&ran.out) + ran.err.as_str();
        let is_obeyed = |c: char| c != '\n' && c.is_control() || c == '\u{202e}';
        assert!(!both.contains(is_obeyed), "{line}: {both:?}");
        assert!(matches!(ran.code, Some(1 | 2)), "{line}: {ran:?}");
        assert!(ran.err.contains("\n  code: "), "{line}: {ran:?}");
        let json = ran.json();
        let mut codes = Vec::new();
        collect(&json, &mut codes);
        assert!(!codes.is_empty(), "{line}: {json}");
        assert!(!codes.contains(&"failed".to_owned()), "{line}: {json}");
    }
}

const HEAD: &str = "\
# Errors

What each error means for the data, and what to do next. With `--json` an error has a `code`, which never
comes to mean something else; what became of a single share has one, too. `distdup explain CODE` says the
same as this page, which is made from the program and from what it really said.

`hurt SHARE BYTE` stands for four bytes overwritten there, `graft SHARE SHARE` for the first frame of the one
put into the other. The shares s0, s1 and s2 are those of
`distdup encode --codec rs16 -k 2 -n 3 --shard-size 512 -o 's{i}' in`, and backup_test/ is what
`distdup backup test -- --no-encryption` left. HOSTS stands for the hosts that a command was given, or `-P PROFILE`.
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
    // The command is the one that was given, and not what is named as another.
    let ran = desk.exits(2, "distdup --config backup verify x --json");
    let next = ran.json()["next"].as_str().unwrap().to_owned();
    assert!(next.contains("distdup verify --help"), "{next}");
}
