//! What a user says of a store.

use std::time::Duration;

use distdup_codecs::{Code, is_named};

use super::HostsError;
use crate::choice::Choice;
use crate::store::{DEFAULT_HOST_TIMEOUT, Stale};

/// What kind of store a user wants, or takes an existing one to be.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Wish {
    /// Data shares.
    pub k: Option<usize>,
    /// All shares.
    pub n: Option<usize>,
    /// The codec's name.
    pub codec: Option<String>,
    /// Its parity equations.
    pub equations: Option<String>,
    /// The commit rule.
    pub min_shares: Option<usize>,
    /// Make hosts anew where they are missing from a store that exists.
    pub replace: bool,
    /// How hosts are asked.
    pub access: Access,
}

/// How hosts are asked.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Access {
    /// A host that says or takes nothing for so long counts as down; `None` for the defaults.
    pub host_timeout: Option<Duration>,
    /// Whether to read what may be stale, because nothing better is left.
    pub stale: Stale,
    /// What those who share their locks have in common; `None` for a session of its own.
    pub session: Option<u64>,
}

impl Wish {
    /// What it says of a code.
    pub fn choice(&self) -> Choice<'_> {
        Choice {
            codec: self.codec.as_deref(),
            k: self.k,
            n: self.n,
            equations: self.equations.as_deref(),
        }
    }

    /// Whether a code is asked for by name or equations, and is not `found`. What a name stands for may
    /// have changed since.
    fn is_for_another(&self, found: &dyn Code) -> Result<bool, HostsError> {
        if self.equations.is_none() {
            let differs = |name: &String| !is_named(found, name);
            return Ok(self.codec.as_ref().is_some_and(differs));
        }
        let wanted = self.choice().code(found.geometry())?;
        Ok((wanted.id(), wanted.params()) != (found.id(), found.params()))
    }

    pub(super) fn agrees_with(&self, code: &dyn Code, min_shares: usize) -> Result<(), HostsError> {
        let geometry = code.geometry();
        let same = |what, found: usize, wanted: Option<usize>| match wanted {
            Some(wanted) if wanted != found => Err(HostsError::Otherwise {
                what,
                found: found.to_string(),
                wanted: wanted.to_string(),
            }),
            _ => Ok(()),
        };
        same("k =", geometry.k(), self.k)?;
        same("n =", geometry.n(), self.n)?;
        same("min-shares =", min_shares, self.min_shares)?;
        if self.is_for_another(code)? {
            let (id, params) = (code.id(), code.params());
            let wanted = self.choice().codec();
            return Err(HostsError::Otherwise {
                what: "codec",
                found: format!("{id} {params}").trim_end().to_owned(),
                wanted: match &self.equations {
                    Some(equations) => format!("{wanted} {equations}"),
                    None => wanted.to_owned(),
                },
            });
        }
        Ok(())
    }
}

impl Access {
    pub(super) fn patience(self) -> Duration {
        self.host_timeout.unwrap_or(DEFAULT_HOST_TIMEOUT)
    }
}
