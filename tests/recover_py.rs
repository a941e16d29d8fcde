//! docs/recover/recover.py, written from docs/FORMAT.md alone, reads what we write: the proof that a
//! stream can be had back when distdup is gone.
#![allow(
    clippy::unwrap_used,
    reason = "a test that panics has failed, as it should"
)]

mod kit;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::OnceLock;

use kit::anatomy::{Anatomy, flip};
use kit::full;
use kit::golden::{GOLDEN, Golden, SHARD};

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

fn recover(shares: &[PathBuf], out: &Path) -> Output {
    Command::new(python())
        .arg(concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/docs/recover/recover.py"
        ))
        .args(shares)
        .arg("-o")
        .arg(out)
        .output()
        .unwrap()
}

/// Has `shares`, of which those at `present` are given, recovered; the stream, if that went well.
fn recovered(shares: &[Vec<u8>], present: &[usize]) -> Result<Vec<u8>, String> {
    let folder = tempfile::tempdir().unwrap();
    let paths: Vec<PathBuf> = present
        .iter()
        .map(|index| {
            let path = folder.path().join(format!("share{index}"));
            fs::write(&path, &shares[*index]).unwrap();
            path
        })
        .collect();
    let out = folder.path().join("out");
    let output = recover(&paths, &out);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.success(), out.exists(), "{said}");
    if output.status.success() {
        Ok(fs::read(out).unwrap())
    } else {
        assert!(
            output.status.code() == Some(1) && !said.contains("Traceback"),
            "{said}"
        );
        Err(said)
    }
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
