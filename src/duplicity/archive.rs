//! Duplicity's archive: a folder with signatures of what was backed up, and lists of volumes. It is
//! Duplicity's own, and grows with the source.

use std::env;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

use super::options;

/// What tar files are made of.
const TAR_BLOCK: u64 = 512;
/// Names longer than this may get a header of their own, and blocks for the name.
const SHORT_NAME: usize = 80;
/// A rolling checksum and a strong one.
const BLOCK_SUMS: u64 = 12;
/// Duplicity's `--max-blocksize`, where nothing else was said: 0.8's, for 3.x knows no limit then.
const MAX_BLOCK: u64 = 2048;
/// A line of a manifest for one volume or one file, without the names in it.
const MANIFEST_LINE: u64 = 128;

/// Where the archive is, as Duplicity finds it.
pub fn folder(words: &[OsString]) -> Option<PathBuf> {
    if let Some(given) = options::value(words, "--archive-dir") {
        return Some(given.into());
    }
    let cache = env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
    let home = || Some(PathBuf::from(env::var_os("HOME")?).join(".cache"));
    Some(cache.or_else(home)?.join("duplicity"))
}

/// The most bytes that the archive comes to while `source` is backed up in full, were nothing
/// excluded.
///
/// Signatures are first written as they are, then copied for the store, compressed or encrypted, and
/// both are there for a moment.
pub fn most_for(source: &Path, words: &[OsString]) -> u64 {
    let max_block = options::value(words, "--max-blocksize")
        .and_then(|value| value.to_str()?.parse().ok())
        .unwrap_or(MAX_BLOCK);
    let (mut signatures, mut manifest) = (0_u64, 0_u64);
    let mut folders = vec![source.to_owned()];
    while let Some(folder) = folders.pop() {
        // What cannot be read is not backed up.
        for entry in fs::read_dir(&folder).into_iter().flatten().flatten() {
            let (path, Ok(about)) = (entry.path(), entry.metadata()) else {
                continue;
            };
            let name = path.as_os_str().len() - source.as_os_str().len();
            signatures += header(name);
            if about.is_file() {
                signatures += sums(about.len(), max_block);
            }
            manifest += name as u64 + MANIFEST_LINE;
            if about.is_dir() {
                folders.push(path);
            }
        }
    }
    2 * (signatures + manifest)
}

/// Bytes in all files of `folder` and below.
pub fn size_of(folder: &Path) -> u64 {
    let mut bytes = 0;
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
            match entry.metadata() {
                Ok(about) if about.is_dir() => folders.push(entry.path()),
                Ok(about) => bytes += about.len(),
                Err(_) => {}
            }
        }
    }
    bytes
}

fn header(name: usize) -> u64 {
    let long = if name > SHORT_NAME {
        TAR_BLOCK + (name as u64).next_multiple_of(TAR_BLOCK)
    } else {
        0
    };
    TAR_BLOCK + long
}

/// Bytes of the checksums of a file, as it stands in a tar file.
fn sums(length: u64, max_block: u64) -> u64 {
    const LEAST_BLOCK: u64 = 512;
    const PIECES: u64 = 2000;
    // As 0.8 chooses it: about so many pieces, unless they would be too large. 3.x takes the square root
    // of the length, and so fewer of them.
    let block = (length / (PIECES * LEAST_BLOCK) * LEAST_BLOCK)
        .min(max_block)
        .max(LEAST_BLOCK);
    (BLOCK_SUMS + length.div_ceil(block) * BLOCK_SUMS).next_multiple_of(TAR_BLOCK)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_are_counted_as_the_older_duplicity_makes_them() {
        assert_eq!(sums(0, MAX_BLOCK), 512);
        assert_eq!(
            sums(1_000_000, MAX_BLOCK),
            (12 + 1954 * 12_u64).next_multiple_of(512)
        );
        assert_eq!(
            sums(2_048_000, MAX_BLOCK),
            (12 + 2000 * 12_u64).next_multiple_of(512)
        );
        let large = 1 << 30;
        assert_eq!(
            sums(large, MAX_BLOCK),
            (12 + (large / 2048) * 12).next_multiple_of(512)
        );
        assert!(sums(large, 1 << 20) < 30_000);
    }

    #[test]
    fn a_source_is_walked_and_links_are_not_followed() {
        let folder = tempfile::tempdir().unwrap();
        let source = folder.path().join("source");
        fs::create_dir_all(source.join("a/b")).unwrap();
        fs::write(source.join("a/b/file"), vec![0; 5000]).unwrap();
        std::os::unix::fs::symlink("/", source.join("root")).unwrap();
        let names = ["/a", "/a/b", "/a/b/file", "/root"];
        let manifest: usize = names.iter().map(|name| name.len() + 128).sum();
        assert_eq!(
            most_for(&source, &[]),
            2 * (4 * 512 + 512 + manifest as u64)
        );
        assert_eq!(size_of(&source), 5000 + 1);
        assert_eq!(folder_of(&["--archive-dir", "/x"]), Some("/x".into()));
    }

    fn folder_of(words: &[&str]) -> Option<PathBuf> {
        super::folder(&words.iter().map(OsString::from).collect::<Vec<_>>())
    }
}
