//! docs/recover/recover.py and recover.c, each written from docs/FORMAT.md alone, read what we write: the
//! proof that a stream can be had back when distdup is gone.
#![allow(
    clippy::unwrap_used,
    reason = "a test that panics has failed, as it should"
)]

mod kit;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use kit::anatomy::{Anatomy, flip, splice};
use kit::golden::{GOLDEN, Golden, SHARD};
use kit::{full, lots, noise};

fn python() -> PathBuf {
    static CHECKED: OnceLock<PathBuf> = OnceLock::new();
    let find = || {
        let python = std::env::var_os("DISTDUP_PYTHON").unwrap_or_else(|| "python3".into());
        let imports = Command::new(&python)
            .args(["-c", "import cbor2, xxhash"])
            .output();
        let works = imports.as_ref().is_ok_and(|output| output.status.success());
        assert!(
            works,
            "{} cannot import cbor2 and xxhash, which recover.py needs; run scripts/test.sh, or \
             set the variables that `scripts/test.sh --setup` prints",
            python.display()
        );
        python.into()
    };
    CHECKED.get_or_init(find).clone()
}

/// recover.c, built to stop at whatever is undefined or beyond its memory.
fn compiled() -> PathBuf {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    let build = || {
        let program = Path::new(env!("CARGO_TARGET_TMPDIR")).join("recover-c");
        let output = Command::new("cc")
            .args([
                "-std=c11",
                "-O1",
                "-Wall",
                "-Wextra",
                "-pedantic",
                "-Werror",
            ])
            .args(["-fsanitize=address,undefined", "-fno-sanitize-recover=all"])
            .arg("-o")
            .arg(&program)
            .arg(concat!(
                env!("CARGO_MANIFEST_DIR"),
                "/docs/recover/recover.c"
            ))
            .output()
            .expect("cc, which scripts/test.sh installs with gcc");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{said}");
        program
    };
    BUILT.get_or_init(build).clone()
}

#[derive(Debug, Clone, Copy)]
enum Reader {
    Python,
    C,
}

impl Reader {
    fn command(self) -> Command {
        match self {
            Self::C => Command::new(compiled()),
            Self::Python => {
                let mut command = Command::new(python());
                command.arg(concat!(
                    env!("CARGO_MANIFEST_DIR"),
                    "/docs/recover/recover.py"
                ));
                command
            }
        }
    }

    /// Has `shares` recovered; the stream, if that went well.
    fn recovered(self, shares: &[&[u8]]) -> Result<Vec<u8>, String> {
        let folder = tempfile::tempdir().unwrap();
        let mut command = self.command();
        for (index, share) in shares.iter().enumerate() {
            let path = folder.path().join(format!("share{index}"));
            fs::write(&path, share).unwrap();
            command.arg(path);
        }
        let out = folder.path().join("out");
        let output = command.arg("-o").arg(&out).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.success(), out.exists(), "{self:?}: {said}");
        if output.status.success() {
            return Ok(fs::read(out).unwrap());
        }
        let fails_well = output.status.code() == Some(1)
            && !["Traceback", "Sanitizer", "runtime error"]
                .iter()
                .any(|word| said.contains(word));
        assert!(fails_well, "{self:?}: {said}");
        Err(format!("{self:?}: {said}"))
    }
}

/// What both readers make of `shares`, of which those at `present` are given.
fn recovered(shares: &[Vec<u8>], present: &[usize]) -> Result<Vec<u8>, String> {
    let given: Vec<&[u8]> = present.iter().map(|&index| &shares[index][..]).collect();
    let (c, python) = (
        Reader::C.recovered(&given),
        Reader::Python.recovered(&given),
    );
    match (&c, &python) {
        (Ok(one), Ok(other)) => assert!(one == other, "they differ"),
        (Err(one), Err(other)) => return Err(format!("{one}{other}")),
        (Err(said), _) | (_, Err(said)) => panic!("one of them fails: {said}"),
    }
    c
}

/// The sets of k shares that suffice; a few of them, the first and the last among these, unless all
/// are to be tried.
fn sufficient(golden: &Golden, most: usize) -> Vec<Vec<usize>> {
    let code = golden.code();
    let all: Vec<Vec<usize>> = (1..1_u32 << golden.n)
        .map(|set| {
            (0..golden.n)
                .filter(|&share| set >> share & 1 == 1)
                .collect()
        })
        .filter(|set: &Vec<usize>| {
            set.len() == golden.k && code.is_recoverable(set.iter().copied().collect())
        })
        .collect();
    let step = if full() { 1 } else { all.len().div_ceil(most) };
    let few = all.iter().rev().step_by(step).chain(all.first());
    few.cloned().collect()
}

#[test]
fn golden_shares_with_as_many_lost_as_the_code_allows() {
    for golden in GOLDEN {
        for (at, (len, shares)) in golden.committed().into_iter().enumerate() {
            let data = Golden::data(len);
            let most = if at == 5 { 4 } else { 1 };
            for set in sufficient(&golden, most) {
                let what = || format!("{}: {len} bytes, {set:?}", golden.name());
                let found =
                    recovered(&shares, &set).unwrap_or_else(|said| panic!("{}: {said}", what()));
                assert!(found == data, "{}", what());
            }
        }
    }
}

#[test]
fn golden_shares_damaged_everywhere_but_never_in_all_places_at_once() {
    for golden in GOLDEN {
        let (len, mut shares) = golden.committed().pop().unwrap();
        let anatomy = Anatomy::of(&shares[0], SHARD);
        // A frame of each share, and of no stripe more than one.
        for (index, share) in shares.iter_mut().enumerate().take(anatomy.frames) {
            *share = flip(share, anatomy.stripe(index).start + 83);
        }
        // And two shares' ends: one has no header, the other one no end, or one has neither.
        shares[0][..anatomy.header].fill(0x20);
        shares[1].truncate(anatomy.trailer + 7);
        let present: Vec<usize> = (0..golden.n).collect();
        let found =
            recovered(&shares, &present).unwrap_or_else(|said| panic!("{}: {said}", golden.name()));
        assert!(found == Golden::data(len), "{}", golden.name());
    }
}

#[test]
fn a_golden_share_without_header_and_end_serves_where_it_is_needed() {
    for golden in GOLDEN {
        let (len, mut shares) = golden.committed().pop().unwrap();
        if golden.k == 1 {
            continue; // that share alone would have to say what it is
        }
        let anatomy = Anatomy::of(&shares[0], SHARD);
        let set = sufficient(&golden, 1).remove(0);
        let hurt = &mut shares[set[0]];
        hurt[..anatomy.header].fill(0);
        hurt.truncate(anatomy.trailer + 7);
        let found =
            recovered(&shares, &set).unwrap_or_else(|said| panic!("{}: {said}", golden.name()));
        assert!(found == Golden::data(len), "{}", golden.name());
    }
}

#[test]
fn too_few_golden_shares_or_too_many_damaged_give_nothing() {
    for golden in GOLDEN {
        let (_, mut shares) = golden.committed().pop().unwrap();
        let anatomy = Anatomy::of(&shares[0], SHARD);
        let set = sufficient(&golden, 1).remove(0);
        if golden.k > 1 {
            let said = recovered(&shares, &set[1..]).unwrap_err();
            assert!(said.contains("stripe 0"), "{said}");
        }
        let hurt = &mut shares[set[0]];
        *hurt = flip(hurt, anatomy.stripe(2).start + 85);
        let said = recovered(&shares, &set).unwrap_err();
        assert!(said.contains("stripe 2"), "{said}");
    }
}

/// Hurts a share somewhere, from a flipped bit to the loss of nearly all of it.
fn hurt(share: &[u8], draw: &mut impl FnMut(usize) -> usize) -> Vec<u8> {
    let at = draw(share.len());
    let end = (at + 1 + draw(120)).min(share.len());
    match draw(6) {
        0 => flip(share, at),
        1 => splice(share, at..end, &[]),
        2 => splice(share, at..at, &noise(1 + draw(120), at as u64)),
        3 => splice(share, at..end, &noise(end - at, at as u64)),
        4 => splice(share, at..at, &share[at..end]),
        _ => share[..at].to_vec(),
    }
}

#[test]
fn the_reader_in_c_gives_back_what_damage_leaves_or_fails() {
    let rounds = if full() { 500 } else { 4 };
    for (which, golden) in GOLDEN.iter().enumerate() {
        let mut draw = lots(which as u64 + 1);
        let sets = golden.committed();
        let enough = sufficient(golden, usize::MAX);
        for round in 0..rounds {
            let (len, shares) = &sets[1 + draw(sets.len() - 1)];
            let spared = &enough[draw(enough.len())];
            let what = format!("{}: {len} bytes, round {round}", golden.name());
            // Whatever happens to all shares but these, the stream comes back ...
            let mut given: Vec<Vec<u8>> = shares.clone();
            for index in (0..golden.n).filter(|index| !spared.contains(index)) {
                for _ in 0..=draw(4) {
                    given[index] = hurt(&given[index], &mut draw);
                }
            }
            let all: Vec<&[u8]> = given.iter().map(Vec::as_slice).collect();
            let found = Reader::C.recovered(&all);
            let found = found.unwrap_or_else(|said| panic!("{what}: {said}"));
            assert!(found == Golden::data(*len), "{what}");
            // ... and what happens to these as well may lose it, but never alters it.
            for &index in spared {
                given[index] = hurt(&given[index], &mut draw);
            }
            let all: Vec<&[u8]> = given.iter().map(Vec::as_slice).collect();
            if let Ok(found) = Reader::C.recovered(&all) {
                assert!(found == Golden::data(*len), "{what}, all hurt");
            }
        }
    }
}
