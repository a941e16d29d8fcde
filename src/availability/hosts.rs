//! The model: hosts that are up or down, alone and in groups.

use crate::quote::quote;

use super::{AvailabilityError, Probability};

/// A host, which holds one share.
#[derive(Debug, Clone, PartialEq)]
pub struct Host {
    /// What the user calls it.
    pub name: String,
    /// That it is up at backup.
    pub backup: Probability,
    /// That it is up at restore.
    pub restore: Probability,
}

/// Hosts that share a room, a switch, a provider: they are down while it is.
#[derive(Debug, Clone, PartialEq)]
pub struct Group {
    /// What the user calls it.
    pub name: String,
    /// Names of the hosts in it.
    pub hosts: Vec<String>,
    /// That it is up, at backup and, independently, at restore.
    pub up: Probability,
}

/// Whether a host or a group can be called that: a list of names must be told apart.
pub fn is_name(text: &str) -> bool {
    let special = |c: char| ",:=".contains(c) || c.is_whitespace() || c.is_control();
    !text.is_empty() && !text.contains(special)
}

/// When a host is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moment {
    /// When shares are written.
    Backup,
    /// When they are read.
    Restore,
}

/// All hosts of a store. Host i holds share i.
///
/// A host is up if its group is, and if it is itself, which are independent; so are hosts, groups,
/// and the two moments.
#[derive(Debug, Clone, PartialEq)]
pub struct Hosts {
    each: Vec<Host>,
    groups: Vec<Group>,
    blocks: Vec<Block>,
}

/// Hosts that depend on each other and on no others: a group, or a host alone.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Block {
    pub(super) members: Vec<usize>,
    pub(super) up: Probability,
}

impl Hosts {
    /// `n` hosts h0, h1, ... that are alike.
    pub fn equal(n: usize, backup: Probability, restore: Probability) -> Self {
        let hosts = (0..n).map(|i| Host {
            name: format!("h{i}"),
            backup,
            restore,
        });
        Self::alone(hosts.collect())
    }

    /// These hosts, in these groups, or in none.
    ///
    /// # Errors
    ///
    /// A name stands for two hosts or groups, a group has a host in it that is not there, or, where
    /// there are groups, a host is not in exactly one.
    pub fn new(hosts: Vec<Host>, groups: Vec<Group>) -> Result<Self, AvailabilityError> {
        let quoted = |name: &str| quote(name.as_bytes());
        if let Some(name) = repeated(hosts.iter().map(|host| host.name.as_str())) {
            return Err(AvailabilityError::HostTwice { name: quoted(name) });
        }
        if let Some(name) = repeated(groups.iter().map(|group| group.name.as_str())) {
            return Err(AvailabilityError::GroupTwice { name: quoted(name) });
        }
        let mut group_of: Vec<Option<&Group>> = vec![None; hosts.len()];
        let mut blocks = Vec::new();
        for group in &groups {
            let mut members = Vec::new();
            for name in &group.hosts {
                let Some(at) = hosts.iter().position(|host| host.name == *name) else {
                    let known: Vec<_> = hosts.iter().map(|host| host.name.as_str()).collect();
                    return Err(AvailabilityError::UnknownHost {
                        group: quoted(&group.name),
                        host: quoted(name),
                        known: known.join(", "),
                    });
                };
                if let Some(first) = group_of[at].replace(group) {
                    return Err(AvailabilityError::HostInTwoGroups {
                        host: quoted(name),
                        first: quoted(&first.name),
                        second: quoted(&group.name),
                    });
                }
                members.push(at);
            }
            blocks.push(Block {
                members,
                up: group.up,
            });
        }
        if groups.is_empty() {
            return Ok(Self::alone(hosts));
        }
        match group_of.iter().position(Option::is_none) {
            Some(at) => Err(AvailabilityError::HostInNoGroup {
                host: hosts[at].name.clone(),
            }),
            None => Ok(Self {
                each: hosts,
                groups,
                blocks,
            }),
        }
    }

    /// The first `n` of them, or all; of the groups, what is left of them.
    #[must_use]
    pub fn first(&self, n: usize) -> Self {
        let each: Vec<_> = self.each.iter().take(n).cloned().collect();
        let mut kept = Self::alone(each);
        if !self.groups.is_empty() {
            let there = |name: &String| kept.each.iter().any(|host| host.name == *name);
            let groups = self.groups.iter().map(|group| Group {
                hosts: group
                    .hosts
                    .iter()
                    .filter(|name| there(name))
                    .cloned()
                    .collect(),
                ..group.clone()
            });
            kept.groups = groups.filter(|group| !group.hosts.is_empty()).collect();
            let blocks = self.blocks.iter().map(|block| Block {
                members: block
                    .members
                    .iter()
                    .copied()
                    .filter(|host| *host < n)
                    .collect(),
                ..block.clone()
            });
            kept.blocks = blocks.filter(|block| !block.members.is_empty()).collect();
        }
        kept
    }

    fn alone(hosts: Vec<Host>) -> Self {
        let alone = |i| Block {
            members: vec![i],
            up: Probability::CERTAIN,
        };
        Self {
            blocks: (0..hosts.len()).map(alone).collect(),
            groups: Vec::new(),
            each: hosts,
        }
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.each.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.each.is_empty()
    }

    /// Each in turn.
    pub fn iter(&self) -> impl Iterator<Item = &Host> {
        self.each.iter()
    }

    /// Their groups.
    pub fn groups(&self) -> &[Group] {
        &self.groups
    }

    pub(super) fn blocks(&self) -> &[Block] {
        &self.blocks
    }

    /// That this one is up, if its group is.
    pub(super) fn up(&self, host: usize, moment: Moment) -> Probability {
        match moment {
            Moment::Backup => self.each[host].backup,
            Moment::Restore => self.each[host].restore,
        }
    }

    /// What all of them have, at backup and at restore, where they are alike and in no groups.
    pub(super) fn all_alike(&self) -> Option<(Probability, Probability)> {
        let first = self.each.first()?;
        let alike = |host: &Host| (host.backup, host.restore) == (first.backup, first.restore);
        (self.groups.is_empty() && self.each.iter().all(alike))
            .then_some((first.backup, first.restore))
    }

    /// That exactly the hosts in `set`, a bit for each, are up.
    pub(super) fn exactly(&self, set: usize, moment: Moment) -> f64 {
        let block = |block: &Block| {
            let host = |&host: &usize| {
                let up = self.up(host, moment);
                if set >> host & 1 == 1 {
                    up.up()
                } else {
                    up.down()
                }
            };
            let none = block.members.iter().all(|host| set >> host & 1 == 0);
            let themselves: f64 = block.members.iter().map(host).product();
            block.up.up() * themselves + if none { block.up.down() } else { 0.0 }
        };
        self.blocks.iter().map(block).product()
    }
}

fn repeated<'a>(names: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let mut names: Vec<_> = names.collect();
    names.sort_unstable();
    names
        .windows(2)
        .find(|pair| pair[0] == pair[1])
        .map(|pair| pair[0])
}
