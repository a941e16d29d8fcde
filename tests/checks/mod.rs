//! What must hold of whatever bytes come. Each check is a target of the fuzzers in fuzz/, and tests/fuzzed.rs
//! replays their corpus, and mutations of it, through the very same functions.
//!
//! A check panics where something does not hold. None says only that nothing panicked: what was read is
//! written again and compared, what came out is held against what went in or against its digests, memory
//! against the length of the input, and messages against what a terminal would obey.

pub mod config;
pub mod decode;
pub mod ending;
pub mod equations;
pub mod forge;
pub mod frames;
pub mod header;
pub mod memory;
pub mod script;
pub mod zfec;

/// A check, and inputs to begin with.
pub struct Target {
    /// What its fuzz target and its folder in fuzz/corpus are called.
    pub name: &'static str,
    pub check: fn(&[u8]),
    pub seeds: fn() -> Vec<Vec<u8>>,
}

/// All of them, by name.
pub static TARGETS: &[Target] = &[
    Target {
        name: "config",
        check: config::check,
        seeds: config::seeds,
    },
    Target {
        name: "decode",
        check: decode::check,
        seeds: decode::seeds,
    },
    Target {
        name: "ending",
        check: ending::check,
        seeds: ending::seeds,
    },
    Target {
        name: "equations",
        check: equations::check,
        seeds: equations::seeds,
    },
    Target {
        name: "frames",
        check: frames::check,
        seeds: frames::seeds,
    },
    Target {
        name: "header",
        check: header::check,
        seeds: header::seeds,
    },
    Target {
        name: "zfec",
        check: zfec::check,
        seeds: zfec::seeds,
    },
];

/// What is printed, line by line: nothing in it that a terminal would obey.
pub fn is_fit_to_print(text: &str) {
    let obeyed = |c: char| c != '\n' && (c.is_control() || ('\u{202a}'..='\u{202e}').contains(&c));
    assert!(!text.contains(obeyed), "{text:?}");
}

/// An error and its causes, as they are printed.
pub fn is_printed_well(error: &dyn std::error::Error) {
    is_fit_to_print(&distdup::quote::with_causes(error));
}
