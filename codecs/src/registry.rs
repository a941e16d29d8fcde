//! Which codes there are, by name.

use std::sync::Arc;

use crate::code::{Code, Family};
use crate::copy::Copy;
use crate::error::{CodecError, quote};
use crate::geometry::{Geometry, MAX_SHARDS};
use crate::rs8::Rs8;
use crate::rs16::Rs16;
use crate::xor::Xor;

/// All families, by id ascending.
pub static FAMILIES: &[&dyn Family] = &[&Copy, &Rs16, &Rs8, &Xor];

/// What `rs` stands for: the Reed-Solomon families, each with the largest n for which it is the
/// fastest there is, ascending.
static REED_SOLOMON: &[(usize, &dyn Family)] = &[(MAX_SHARDS, &Rs16)];

const REED_SOLOMON_NAME: &str = "rs";

/// The family with that id, as it stands in a share's header.
///
/// # Errors
///
/// [`CodecError::UnknownCodec`], which names the families that there are.
pub fn family(id: &str) -> Result<&'static dyn Family, CodecError> {
    FAMILIES
        .iter()
        .find(|family| family.id() == id)
        .copied()
        .ok_or_else(|| CodecError::UnknownCodec {
            name: quote(id),
            known: ids().collect::<Vec<_>>().join(", "),
        })
}

/// The code that a user means by `name`: a family's id, or `rs` for the fastest Reed-Solomon code
/// with that geometry.
///
/// Store the [`Code::id`] of what this gives, not `name`: what `rs` stands for may change.
///
/// # Errors
///
/// [`CodecError::UnknownCodec`], which names what there is; and those of [`Family::code`].
pub fn resolve(
    name: &str,
    geometry: Geometry,
    params: Option<&str>,
) -> Result<Arc<dyn Code>, CodecError> {
    let fastest = REED_SOLOMON.iter().find(|(n, _)| geometry.n() <= *n);
    let found = match fastest {
        Some((_, fastest)) if name == REED_SOLOMON_NAME => *fastest,
        _ => family(name).map_err(|_| CodecError::UnknownCodec {
            name: quote(name),
            known: ids()
                .chain([REED_SOLOMON_NAME])
                .collect::<Vec<_>>()
                .join(", "),
        })?,
    };
    found.code(geometry, params)
}

fn ids() -> impl Iterator<Item = &'static str> {
    FAMILIES.iter().map(|family| family.id())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_unique_sorted_and_plain() {
        let ids: Vec<_> = ids().collect();
        assert!(ids.is_sorted_by(|a, b| a < b), "{ids:?}");
        for id in ids {
            let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
            assert!(!id.is_empty() && id.chars().all(plain), "{id}");
            assert_ne!(id, REED_SOLOMON_NAME);
        }
    }

    #[test]
    fn every_family_is_documented() {
        let docs = include_str!("lib.rs");
        for family in FAMILIES {
            let summary = family.summary();
            assert!(!summary.is_empty() && !summary.contains('\n') && summary.len() <= 100);
            assert!(
                docs.contains(&format!("`{}`", family.id())),
                "{}",
                family.id()
            );
        }
    }

    #[test]
    fn an_unknown_name_is_answered_with_those_there_are() {
        assert_eq!(
            family("rs").err().map(|e| e.to_string()).as_deref(),
            Some("no codec is called \"rs\"; there are copy, rs16, rs8, xor")
        );
        let geometry = Geometry::new(4, 6).unwrap();
        assert_eq!(
            resolve("zfec\n", geometry, None)
                .err()
                .map(|e| e.to_string())
                .as_deref(),
            Some("no codec is called \"zfec\\n\"; there are copy, rs16, rs8, xor, rs")
        );
    }

    #[test]
    fn rs_is_a_reed_solomon_code_for_every_geometry() {
        assert!(REED_SOLOMON.is_sorted_by(|a, b| a.0 < b.0));
        assert_eq!(REED_SOLOMON.last().map(|(n, _)| *n), Some(MAX_SHARDS));
        for n in 2..=MAX_SHARDS {
            for k in [1, n / 2, n - 1].into_iter().filter(|&k| k > 0) {
                let code = resolve("rs", Geometry::new(k, n).unwrap(), None).unwrap();
                assert!(code.id().starts_with("rs"), "{}", code.id());
            }
        }
    }

    #[test]
    fn params_of_a_code_make_the_same_code() {
        for family in FAMILIES {
            for (k, n) in [(1, 2), (1, 3), (2, 3), (6, 10), (4, 6)] {
                let geometry = Geometry::new(k, n).unwrap();
                let Ok(code) = family.code(geometry, None) else {
                    continue;
                };
                let again = family.code(geometry, Some(code.params())).unwrap();
                assert_eq!((code.id(), code.geometry()), (family.id(), geometry));
                assert_eq!(code.params(), again.params());
            }
        }
    }
}
