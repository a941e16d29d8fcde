//! What codes are measured with.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use anyhow::Context;
use bytes::Bytes;
use distdup::quote::quote;
use distdup_codecs::Geometry;

use super::rows::Named;
use crate::cli::Usage;
use crate::cli::size::show_size;

/// All shares of a code are in memory at once, and take so much at most.
const MOST_SHARES: u64 = 512 << 20;

/// Some bytes, and where they are from.
#[derive(Debug)]
pub struct Data {
    pub bytes: Bytes,
    pub path: Option<String>,
    /// There was more of it.
    pub cut: bool,
}

impl Data {
    /// Up to `size` bytes of what is at `path`, or random ones; as many as there is memory for with
    /// the code that takes most.
    pub fn read(path: Option<&Path>, size: u64, codes: &[Named]) -> anyhow::Result<Self> {
        let most = |geometry: Geometry| MOST_SHARES / geometry.n() as u64 * geometry.k() as u64;
        let most = codes.iter().map(|code| most(code.code.geometry())).min();
        let size = size.min(most.unwrap_or(size));
        if size == 0 {
            return Err(Usage::say("--size 0 measures nothing: give some megabytes"));
        }
        let Some(path) = path else {
            let mut bytes = vec![0; usize::try_from(size)?];
            getrandom::fill(&mut bytes).context("the system gave no random bytes")?;
            return Ok(Self {
                bytes: bytes.into(),
                path: None,
                cut: false,
            });
        };
        let name = quote(path.as_os_str().as_encoded_bytes());
        // One byte more tells whether there is more.
        let mut bytes = Vec::new();
        gather(path, size + 1, &mut bytes).with_context(|| format!("cannot read {name}"))?;
        if bytes.is_empty() {
            return Err(Usage::say(format!(
                "{name} is empty: give a file or folder with some megabytes in it, or none for \
                 random bytes"
            )));
        }
        let cut = bytes.len() as u64 > size;
        bytes.truncate(usize::try_from(size)?);
        Ok(Self {
            bytes: bytes.into(),
            path: Some(name),
            cut,
        })
    }

    /// `the first 64 MB of backup.tar`.
    pub fn text(&self) -> String {
        let size = show_size(self.bytes.len() as u64);
        match &self.path {
            None => format!("{size} of random bytes"),
            Some(path) if self.cut => format!("the first {size} of {path}"),
            Some(path) => format!("{size} from {path}"),
        }
    }
}

/// Reads a file, or the files of a folder in the order of their names, until there are `most` bytes.
fn gather(path: &Path, most: u64, bytes: &mut Vec<u8>) -> io::Result<()> {
    let left = most.saturating_sub(bytes.len() as u64);
    if left == 0 {
        return Ok(());
    }
    if !fs::metadata(path)?.is_dir() {
        File::open(path)?.take(left).read_to_end(bytes)?;
        return Ok(());
    }
    let entries = fs::read_dir(path)?.map(|entry| Ok(entry?.path()));
    let mut entries: Vec<PathBuf> = entries.collect::<io::Result<_>>()?;
    entries.sort();
    for entry in entries {
        // A link may lead back up; a pipe would wait for its writer.
        let kind = fs::symlink_metadata(&entry)?.file_type();
        if kind.is_dir() || kind.is_file() {
            gather(&entry, most, bytes)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_read_in_order_and_not_beyond() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        fs::create_dir(at("b")).unwrap();
        for (name, text) in [("a", "12"), ("b/x", "34"), ("b/y", "56"), ("c", "78")] {
            fs::write(at(name), text).unwrap();
        }
        std::os::unix::fs::symlink("..", at("b/up")).unwrap();
        let read = |size| Data::read(Some(folder.path()), size, &[]).unwrap();
        let data = read(5);
        assert_eq!((&data.bytes[..], data.cut), (&b"12345"[..], true));
        assert!(data.text().starts_with("the first 5 bytes of /"));
        let data = read(8);
        assert_eq!((&data.bytes[..], data.cut), (&b"12345678"[..], false));
        assert!(data.text().starts_with("8 bytes from /"));
        assert_eq!(Data::read(None, 9, &[]).unwrap().bytes.len(), 9);
    }

    #[test]
    fn nothing_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let refused = |path: Option<&Path>, size| {
            let error = Data::read(path, size, &[]).unwrap_err();
            format!("{error:#}")
        };
        assert!(refused(Some(folder.path()), 9).contains("is empty: give"));
        assert!(refused(Some(&folder.path().join("x")), 9).contains("cannot read"));
        assert!(refused(None, 0).contains("--size 0"));
    }
}
