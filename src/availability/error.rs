//! Why there is no answer.

use crate::catalogue::catalogue;

/// What is wrong with hosts, or out of reach.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum AvailabilityError {
    /// A number that is no probability.
    #[error("{text} is not a probability: it must be a number from 0 to 1, such as 0.99")]
    Probability {
        /// What was given, quoted.
        text: String,
    },
    /// A host's name that stands for two.
    #[error("two hosts are called {name}: give each a name of its own")]
    HostTwice {
        /// The name, quoted.
        name: String,
    },
    /// A group's name that stands for two.
    #[error("two groups are called {name}: give each a name of its own")]
    GroupTwice {
        /// The name, quoted.
        name: String,
    },
    /// A group of a host that is not there.
    #[error("group {group} has a host {host} in it that is not there: the hosts are {known}")]
    UnknownHost {
        /// The group's name, quoted.
        group: String,
        /// The host's name, quoted.
        host: String,
        /// Names of the hosts that there are.
        known: String,
    },
    /// A host in two groups, or twice in one.
    #[error("host {host} is in group {first} and again in {second}: it can be in one, once")]
    HostInTwoGroups {
        /// The host's name, quoted.
        host: String,
        /// The one group.
        first: String,
        /// The other group.
        second: String,
    },
    /// A host in no group, where there are groups.
    #[error(
        "host {host} is in no group, though there are groups: put it into one, \
         or into one of its own that never fails, such as alone={host}:1"
    )]
    HostInNoGroup {
        /// The host's name, quoted.
        host: String,
    },
    /// Not a host for each share.
    #[error("{hosts} hosts for {shares} shares: one each is needed")]
    HostCount {
        /// n.
        shares: usize,
        /// How many there are.
        hosts: usize,
    },
    /// A backup that would be acknowledged unreadable, or never.
    #[error("acknowledged from {min_shares} shares: it must be {k} to {n}")]
    MinShares {
        /// What was asked for.
        min_shares: usize,
        /// Data shards.
        k: usize,
        /// All shards.
        n: usize,
    },
    /// No trials at all.
    #[error("0 trials say nothing: do at least one, better a million")]
    NoTrials,
    /// More sets, or pairs of them, than anyone would wait for.
    #[error(
        "{what} for n = {n} would go through {} {things}, and does {most:.0} (n = {most_n}) at \
         most: {instead}", shown(*.count)
    )]
    TooMany {
        /// What was asked for.
        what: &'static str,
        /// Shares.
        n: usize,
        /// How many there are.
        count: f64,
        /// Of what.
        things: &'static str,
        /// How many are gone through.
        most: f64,
        /// And for which n that is.
        most_n: usize,
        /// What to do instead.
        instead: &'static str,
    },
    /// A rate at which nothing is lost.
    #[error("a host cannot be lost {value} times a year: give a number from 0 to {most}")]
    LossRate {
        /// What was given.
        value: f64,
        /// What is possible.
        most: f64,
    },
    /// A time in which nothing is healed.
    #[error("a lost host cannot be healed in {years} years: it must be more than 0")]
    HealTime {
        /// What was given.
        years: f64,
    },
    /// Not a rate of loss for each host.
    #[error("{rates} rates of loss for {hosts} hosts: give one for all, or one for each")]
    RateCount {
        /// How many there are.
        rates: usize,
        /// n.
        hosts: usize,
    },
}

catalogue! {
    AvailabilityError {
        Self::Probability { .. }
        | Self::LossRate { .. }
        | Self::HealTime { .. }
        | Self::NoTrials => "model-number":
            "Nothing was computed."
            "Give a number in the range that is named.";
        Self::HostTwice { .. }
        | Self::GroupTwice { .. }
        | Self::UnknownHost { .. }
        | Self::HostInTwoGroups { .. }
        | Self::HostInNoGroup { .. } => "model-hosts":
            "Nothing was computed."
            "Give each host one name and, where there are groups, one group.";
        Self::HostCount { .. } | Self::MinShares { .. } | Self::RateCount { .. } => "model-count":
            "Nothing was computed."
            "Give as many as there are shares, or a number between the two.";
        Self::TooMany { .. } => "model-too-large":
            "Nothing was computed."
            "Do as the error says: estimate instead, or take fewer hosts.";
    }
}

fn shown(count: f64) -> String {
    if count < 1e15 {
        format!("{count:.0}")
    } else {
        format!("{count:.1e}")
    }
}
