//! Shares that were written once and for all. Every version reads them, and writes the same bytes.
//!
//! A file holds all shares of one code for several lengths: lines of `LENGTH INDEX BYTES`, an empty
//! line, and the shares one after another.

use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use distdup_codecs::{Code, Geometry};

use super::{noise, options, shares};

/// Bytes of a full stripe's shard.
pub const SHARD: usize = 64;

/// A code of which there are golden shares.
pub struct Golden {
    /// What its file is called, before the geometry.
    pub label: &'static str,
    pub codec: &'static str,
    pub params: Option<&'static str>,
    pub k: usize,
    pub n: usize,
}

const fn golden(
    label: &'static str,
    codec: &'static str,
    params: Option<&'static str>,
    k: usize,
    n: usize,
) -> Golden {
    Golden {
        label,
        codec,
        params,
        k,
        n,
    }
}

pub const GOLDEN: [Golden; 10] = [
    golden("copy", "copy", None, 1, 2),
    golden("xor", "xor", None, 2, 3),
    golden("xor", "xor", Some("3^5^6,2^4^6,1^4^5,1^2^3"), 6, 10),
    golden(
        "xor-best",
        "xor",
        Some("1^2^3,4^5^6,1^2^4^5,1^3^4^6"),
        6,
        10,
    ),
    golden("rs16-high", "rs16", Some("high"), 2, 3),
    golden("rs16-low", "rs16", Some("low"), 2, 3),
    golden("rs16-high", "rs16", Some("high"), 4, 6),
    golden("rs16-low", "rs16", Some("low"), 4, 6),
    golden("rs8", "rs8", None, 2, 3),
    golden("rs8", "rs8", None, 4, 6),
];

impl Golden {
    pub fn name(&self) -> String {
        format!("{}-{}-{}.shares", self.label, self.k, self.n)
    }

    pub fn path(&self) -> PathBuf {
        // Those of fuzz/, a package of its own, stand further up.
        let above = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors();
        let mut folders = above.map(|folder| folder.join("tests/golden"));
        folders
            .find(|folder| folder.is_dir())
            .unwrap()
            .join(self.name())
    }

    pub fn code(&self) -> Arc<dyn Code> {
        let geometry = Geometry::new(self.k, self.n).unwrap();
        distdup_codecs::resolve(self.codec, geometry, self.params).unwrap()
    }

    /// Lengths of the streams: nothing, a byte, around a stripe, several stripes.
    pub fn lengths(&self) -> [usize; 6] {
        let stripe = self.k * SHARD;
        [0, 1, stripe - 1, stripe, stripe + 1, 4 * stripe + 5]
    }

    /// The stream of a length.
    pub fn data(len: usize) -> Vec<u8> {
        noise(len, len as u64)
    }

    /// The file as this version writes it.
    pub fn written_now(&self) -> Vec<u8> {
        let (mut lines, mut bodies) = (String::new(), Vec::new());
        for len in self.lengths() {
            let shares = shares(&Self::data(len), &options(self.code(), SHARD as u64));
            for (index, share) in shares.iter().enumerate() {
                writeln!(lines, "{len} {index} {}", share.len()).unwrap();
                bodies.extend_from_slice(share);
            }
        }
        [lines.as_bytes(), b"\n", &bodies].concat()
    }

    /// The shares of each length, as they were committed.
    pub fn committed(&self) -> Vec<(usize, Vec<Vec<u8>>)> {
        let path = self.path();
        let file =
            std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let end = file.windows(2).position(|two| two == b"\n\n").unwrap();
        let lines = std::str::from_utf8(&file[..end]).unwrap();
        let mut bodies = &file[end + 2..];
        let mut sets: Vec<(usize, Vec<Vec<u8>>)> = Vec::new();
        for line in lines.lines() {
            let numbers: Vec<usize> = line.split(' ').map(|n| n.parse().unwrap()).collect();
            let [len, index, bytes] = numbers[..] else {
                panic!("{line}");
            };
            if index == 0 {
                sets.push((len, Vec::new()));
            }
            let (share, rest) = bodies.split_at(bytes);
            sets.last_mut().unwrap().1.push(share.to_vec());
            bodies = rest;
        }
        assert!(bodies.is_empty(), "the file ends with its last share");
        sets
    }
}
