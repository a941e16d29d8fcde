//! Which codes there are, by name.

use std::sync::Arc;

use crate::code::{Code, Family};
use crate::copy::Copy;
use crate::error::{CodecError, quote};
use crate::geometry::{Geometry, MAX_SHARDS};
use crate::rs8::Rs8;
use crate::rs16::Rs16;
use crate::xor::{MATLAND, Xor};

/// All families, by id ascending.
pub static FAMILIES: &[&dyn Family] = &[&Copy, &Rs16, &Rs8, &Xor];

/// The Reed-Solomon families, each with the largest of min(k, n - k) for which it is the fastest there
/// is, ascending.
///
/// Measured with AVX2 and 64 KiB shards; docs/PERFORMANCE.md has the figures. `rs8` encodes about as
/// fast or faster up to 12, and always reconstructs faster; beyond, n log n wins.
static REED_SOLOMON: &[(usize, &dyn Family)] = &[(12, &Rs8), (MAX_SHARDS, &Rs16)];

/// All names that [`resolve`] knows beside the families' ids.
pub static ALIASES: &[Alias] = &[
    Alias {
        name: "rs",
        summary: "the fastest Reed-Solomon code for k and n",
        families: REED_SOLOMON,
        only: None,
    },
    Alias {
        name: "xor:matland",
        summary: "the code of distributed-duplicity (2015), for (6, 10)",
        families: &[(MAX_SHARDS, &Xor)],
        only: Some((6, 10, MATLAND)),
    },
];

/// What users may call a code that no family has for its id.
pub struct Alias {
    name: &'static str,
    summary: &'static str,
    /// As [`REED_SOLOMON`].
    families: &'static [(usize, &'static dyn Family)],
    /// The only k, n and params it has.
    only: Option<(usize, usize, &'static str)>,
}

impl Alias {
    /// The name.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// One line for a listing.
    pub fn summary(&self) -> &'static str {
        self.summary
    }

    /// The geometry that it has, k and n, if it has only one.
    pub fn geometry(&self) -> Option<(usize, usize)> {
        self.only.map(|(k, n, _)| (k, n))
    }

    fn code(&self, geometry: Geometry, params: Option<&str>) -> Result<Arc<dyn Code>, CodecError> {
        let name = self.name;
        let params = match self.only {
            None => params,
            Some((k, n, _)) if (k, n) != (geometry.k(), geometry.n()) => {
                return Err(CodecError::NamedGeometry {
                    name,
                    k,
                    n,
                    geometry,
                });
            }
            Some(_) if params.is_some() => return Err(CodecError::NamedParams { name }),
            Some((_, _, params)) => Some(params),
        };
        let mut families = self.families.iter();
        let lesser = geometry.k().min(geometry.parity());
        let found = families.find(|(most, _)| lesser <= *most);
        let (_, family) = found.expect("the last has all");
        family.code(geometry, params)
    }

    fn covers(&self, code: &dyn Code) -> bool {
        let of_its_families = self
            .families
            .iter()
            .any(|(_, family)| family.id() == code.id());
        of_its_families
            && self
                .only
                .is_none_or(|(_, _, params)| params == code.params())
    }
}

/// The alias of that name, if it is one.
pub fn alias(name: &str) -> Option<&'static Alias> {
    ALIASES.iter().find(|alias| alias.name == name)
}

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

/// The code that a user means by `name`: a family's id, or one of [`ALIASES`], such as `rs` for the
/// fastest Reed-Solomon code with that geometry.
///
/// Store the [`Code::id`] of what this gives, not `name`: what `rs` stands for may change.
///
/// # Errors
///
/// [`CodecError::UnknownCodec`], which names what there is; [`CodecError::NamedGeometry`] and
/// [`CodecError::NamedParams`] for an alias of one code; [`CodecError::Unprotected`], since `params` of
/// which that is true are a mistake, though shares made with such can be read; and those of
/// [`Family::code`].
pub fn resolve(
    name: &str,
    geometry: Geometry,
    params: Option<&str>,
) -> Result<Arc<dyn Code>, CodecError> {
    let code = if let Some(alias) = alias(name) {
        alias.code(geometry, params)?
    } else {
        let aliases = ALIASES.iter().map(Alias::name);
        let unknown = |_| CodecError::UnknownCodec {
            name: quote(name),
            known: ids().chain(aliases).collect::<Vec<_>>().join(", "),
        };
        family(name).map_err(unknown)?.code(geometry, params)?
    };
    match unprotected(&*code) {
        Some(shard) if params.is_some() => Err(CodecError::Unprotected {
            index: shard + 1,
            equations: code.params().to_owned(),
        }),
        _ => Ok(code),
    }
}

/// A data shard that cannot be had again if it alone is lost.
fn unprotected(code: &dyn Code) -> Option<usize> {
    let geometry = code.geometry();
    geometry.data().iter().find(|&shard| {
        let mut others = geometry.shards();
        others.remove(shard);
        !code.reconstructible(others).contains(shard)
    })
}

/// Whether `code` is one that a user may mean by `name`, whichever params it has if `name` is not that
/// of one code alone.
///
/// It is what to hold a stored code against: by default this version might take other params, or
/// another family.
pub fn is_named(code: &dyn Code, name: &str) -> bool {
    alias(name).map_or(code.id() == name, |alias| alias.covers(code))
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
            assert!(alias(id).is_none(), "{id}");
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
            Some("no codec is called \"zfec\\n\"; there are copy, rs16, rs8, xor, rs, xor:matland")
        );
    }

    #[test]
    fn aliases_are_unique_and_documented() {
        let docs = include_str!("lib.rs");
        for (at, alias) in ALIASES.iter().enumerate() {
            let (name, summary) = (alias.name, alias.summary);
            assert!(ALIASES[..at].iter().all(|other| other.name != name));
            assert!(!summary.is_empty() && !summary.contains('\n') && summary.len() <= 100);
            assert!(docs.contains(&format!("`{name}`")), "{name}");
            assert_eq!(alias.families.last().map(|(n, _)| *n), Some(MAX_SHARDS));
        }
    }

    #[test]
    fn an_alias_of_one_code_is_that_code() {
        let resolve = |name, k, n, params| {
            let code = resolve(name, Geometry::new(k, n).unwrap(), params);
            code.map_err(|error| error.to_string())
        };
        let code = resolve("xor:matland", 6, 10, None).unwrap();
        assert_eq!((code.id(), code.params()), ("xor", MATLAND));
        assert_eq!(
            resolve("xor:matland", 4, 6, None).unwrap_err(),
            "xor:matland is a code with k = 6 and n = 10, not (4, 6)"
        );
        assert_eq!(
            resolve("xor:matland", 6, 10, Some(MATLAND)).unwrap_err(),
            "xor:matland has parameters of its own: give them with the codec's name, or not at all"
        );

        let best = resolve("xor", 6, 10, None).unwrap();
        for (code, name, named) in [
            (&code, "xor:matland", true),
            (&code, "xor", true),
            (&code, "rs", false),
            (&best, "xor:matland", false),
            (&best, "xor", true),
            (&best, "xor:best", false),
            (&resolve("rs16", 6, 10, None).unwrap(), "rs", true),
            (&resolve("rs", 6, 10, None).unwrap(), "rs", true),
        ] {
            assert_eq!(is_named(&**code, name), named, "{code:?} {name}");
        }
    }

    #[test]
    fn data_that_nothing_protects_is_refused_unless_it_was_stored_so() {
        let geometry = Geometry::new(3, 5).unwrap();
        for (params, index) in [("1^2,1", 3), ("2,2^3", 1), ("3,1^3", 2)] {
            assert_eq!(
                resolve("xor", geometry, Some(params)).map(|code| code.id()),
                Err(CodecError::Unprotected {
                    index,
                    equations: params.into(),
                })
            );
            let xor = family("xor").unwrap();
            assert!(xor.code(geometry, Some(params)).is_ok());
        }
        assert!(resolve("copy", Geometry::new(1, 1).unwrap(), None).is_ok());
    }

    #[test]
    fn rs_is_a_reed_solomon_code_for_every_geometry() {
        assert!(REED_SOLOMON.is_sorted_by(|a, b| a.0 < b.0));
        for n in 2..=MAX_SHARDS {
            for k in [1, n / 2, n - 1].into_iter().filter(|&k| k > 0) {
                let code = resolve("rs", Geometry::new(k, n).unwrap(), None).unwrap();
                let fastest = if k.min(n - k) <= 12 { "rs8" } else { "rs16" };
                assert_eq!(code.id(), fastest, "({k}, {n})");
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
