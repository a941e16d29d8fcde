//! The checks are those of tests/fuzzed.rs.

#[allow(dead_code, unused_imports, reason = "a target uses its own check")]
#[path = "../tests/checks/mod.rs"]
pub mod checks;
#[allow(unused_imports, reason = "likewise")]
#[path = "../tests/kit/mod.rs"]
pub mod kit;
