//! How likely it is that what was written can be read again: which code for which hosts.
//!
//! [`Hosts`] are the model: each is up at backup and at restore with a [`Probability`] of its own,
//! independently, and groups of them fail together. [`figures`] puts a code on them, one share on
//! each host, and answers with [`Figures`] by one of several [`Method`]s:
//!
//! - *exact*, for MDS codes, adds over how many hosts are up, for others over which;
//! - *brute force* goes through all pairs of sets that were up at backup and at restore, and is
//!   there to prove the exact one;
//! - *Monte Carlo* throws dice, and says how far it may be off.
//!
//! [`durability`] is the other question: not whether hosts are up, but whether data is lost for good.
//! [`patterns`] lists the losses that a code does not survive.
//!
//! Unavailability is small where it matters. So it is added up as it is, from positive terms, with
//! its own digits, and never is the difference between one and something close to one. The model and
//! the figures are described in docs/AVAILABILITY.md.

mod brute;
mod chance;
mod counts;
pub mod durability;
mod error;
mod hosts;
mod monte_carlo;
pub mod patterns;
mod probability;
mod sets;
mod subsets;

use distdup_codecs::Code;

pub use chance::{Chance, Interval, SECONDS_A_YEAR};
pub use error::AvailabilityError;
pub use hosts::{Group, Host, Hosts, Moment, is_name};
pub use probability::Probability;

/// How figures are found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// By sums, by dynamic programming or by enumeration, whichever the code and the hosts allow.
    Exact,
    /// Over all pairs of sets of hosts.
    Brute,
    /// By chance.
    MonteCarlo {
        /// How often the dice are thrown.
        trials: u64,
        /// Where they begin: the same seed gives the same figures.
        seed: u64,
    },
}

/// How figures were found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// Binomial sums: the code is MDS, and the hosts are equal.
    Sums,
    /// Dynamic programming over how many hosts are up: the code is MDS.
    Counts,
    /// Enumeration of the sets of hosts that are up.
    Sets,
    /// Enumeration of pairs of sets.
    Pairs,
    /// Trials.
    Trials,
}

/// What a code is worth on some hosts.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Figures {
    /// How they were found.
    pub way: Way,
    /// Shares of hosts that are up at backup and at restore give the data back. (What the prototype
    /// computed: a backup counts, however few hosts were up.)
    pub readable: Chance,
    /// Hosts that are up at backup can hold a readable backup at all.
    pub taken: Chance,
    /// At least `min_shares` hosts are up at backup, and what they take is recoverable.
    pub acknowledged: Chance,
    /// Readable, if the backup was acknowledged and nothing was healed between backup and restore:
    /// only hosts that were up at backup have shares. `None` where none is ever acknowledged.
    pub unhealed: Option<Chance>,
    /// Readable, if the backup was acknowledged and healed since: all hosts have their shares.
    pub healed: Option<Chance>,
}

/// What `code` is worth on `hosts`, share i being on host i, if a backup is acknowledged once
/// `min_shares` hosts have it.
///
/// # Errors
///
/// The hosts or `min_shares` do not fit the code, there are no trials, or there is more to go
/// through than the method does.
pub fn figures(
    code: &dyn Code,
    hosts: &Hosts,
    min_shares: usize,
    method: Method,
) -> Result<Figures, AvailabilityError> {
    let geometry = code.geometry();
    let (k, n) = (geometry.k(), geometry.n());
    if hosts.len() != n {
        return Err(AvailabilityError::HostCount {
            shares: n,
            hosts: hosts.len(),
        });
    }
    if min_shares < k || min_shares > n {
        return Err(AvailabilityError::MinShares { min_shares, k, n });
    }
    match method {
        Method::Exact if code.is_mds() => Ok(counts::figures(k, hosts, min_shares)),
        Method::Exact => sets::figures(code, hosts, min_shares),
        Method::Brute => brute::figures(code, hosts, min_shares),
        Method::MonteCarlo { trials, seed } => {
            monte_carlo::figures(code, hosts, min_shares, trials, seed)
        }
    }
}

#[cfg(test)]
mod tests;
