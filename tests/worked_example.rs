//! The example in docs/FORMAT.md is what is written, byte for byte.

#![allow(
    clippy::unwrap_used,
    reason = "a test that panics has failed, as it should"
)]

mod kit;

use std::fmt::Write;

use distdup::decode::DecodeOptions;
use distdup::format::{Identity, StreamId};
use kit::{code, decode_from, files, options, shares};

/// The stream of the example.
const STREAM: &[u8] = b"hello, world";

fn example() -> Vec<Vec<u8>> {
    let mut options = options(code("xor", 2, 3), 4);
    options.identity = Some(Identity {
        stream: StreamId(*b"0123456789abcdef"),
        generation: 1,
        time: 2,
        name: None,
    });
    shares(STREAM, &options)
}

/// The bytes in the document's block that begins with `title`.
fn documented(title: &str) -> Vec<u8> {
    let text = include_str!("../docs/FORMAT.md");
    let start = text.find(title).expect("the example has such a title");
    let block = text[start..].lines().skip(1);
    let lines = block
        .skip_while(|line| line.is_empty())
        .take_while(|line| line.starts_with("    "));
    let hex: String = lines
        .map(|line| line.split("  #").next().unwrap_or(""))
        .flat_map(|line| line.chars().filter(|c| !c.is_whitespace()))
        .collect();
    let byte = |at: usize| u8::from_str_radix(&hex[at..at + 2], 16).expect("hexadecimal digits");
    (0..hex.len()).step_by(2).map(byte).collect()
}

#[test]
fn the_documents_shares_are_those_that_are_written() {
    for (index, share) in example().iter().enumerate() {
        let title = format!("Share {index}:");
        let mut hex = String::new();
        for line in share.chunks(16) {
            for byte in line {
                write!(hex, "{byte:02x}").unwrap();
            }
            hex.push('\n');
        }
        assert!(documented(&title) == *share, "{title}\n{hex}");
    }
}

#[test]
fn the_documents_shares_give_its_stream() {
    let shares = [
        documented("Share 0:"),
        documented("Share 1:"),
        documented("Share 2:"),
    ];
    for lost in 0..3 {
        let left = (0..3).filter(|&share| share != lost);
        let (stream, _) = decode_from(files(&shares, left), &DecodeOptions::default()).unwrap();
        assert_eq!(stream, STREAM);
    }
}
