//! Hosts as a user gives them.

use clap::Args;
use distdup::availability::{AvailabilityError, Group, Host, Hosts, Probability, is_name};
use distdup::config::{self, Chances};
use serde_json::{Map, Value, json};

use crate::cli::Usage;

const DAYS_A_YEAR: f64 = 365.25;

/// When hosts are up, and for how long they last.
#[derive(Debug, Args)]
#[command(next_help_heading = "Hosts")]
pub struct Model {
    /// That a host is up: one for all, or a list [default: 0.99]
    #[arg(short, long, value_name = "P", value_delimiter = ',')]
    availability: Vec<Probability>,
    /// The same at backup only
    #[arg(long, value_name = "P", value_delimiter = ',')]
    backup_availability: Vec<Probability>,
    /// The same at restore only
    #[arg(long, value_name = "P", value_delimiter = ',')]
    restore_availability: Vec<Probability>,
    /// For each share; NAME=P/P is for backup and restore
    #[arg(long, value_name = "NAME=P", value_parser = parse_host)]
    host: Vec<Host>,
    /// They are down while the group is, NAME=HOST,HOST:P
    #[arg(long, value_name = "GROUP", value_parser = parse_group)]
    group: Vec<Group>,
    /// Losses of a host for good, per year: for all, or a list
    #[arg(long, value_name = "RATE", value_delimiter = ',')]
    loss_rate: Vec<f64>,
    /// Until a lost one is replaced, such as 12h, or never
    #[arg(long, value_name = "TIME", default_value = "7d", value_parser = parse_days)]
    heal_time: HealTime,
}

/// Mean days until a host is replaced; never, if none.
#[derive(Debug, Clone, Copy)]
struct HealTime(Option<f64>);

impl Model {
    /// How many hosts there are, if it is said.
    pub fn count(&self) -> Option<usize> {
        let lists = [
            self.host.len(),
            self.availability.len(),
            self.backup_availability.len(),
            self.restore_availability.len(),
        ];
        (!self.host.is_empty())
            .then_some(self.host.len())
            .or(lists.into_iter().find(|count| *count > 1))
    }

    /// Takes hosts that are set for those that are not given, with what is said of all.
    pub fn adopt(&mut self, hosts: &[config::Host], groups: Vec<Group>) -> anyhow::Result<()> {
        let (backup, restore) = self.chances(hosts.len())?;
        let said = self.lists().iter().any(|list| !list.is_empty());
        let host = |(i, host): (usize, &config::Host)| {
            let chances = Chances {
                backup: backup[i % backup.len()],
                restore: restore[i % restore.len()],
            };
            let known = host.chances.filter(|_| !said);
            let Chances { backup, restore } = known.unwrap_or(chances);
            Host {
                name: host.name.clone(),
                backup,
                restore,
            }
        };
        self.host = hosts.iter().enumerate().map(host).collect();
        self.availability.clear();
        self.backup_availability.clear();
        self.restore_availability.clear();
        if self.group.is_empty() {
            self.group = groups;
        }
        Ok(())
    }

    /// Whether each host is given.
    pub fn has_hosts(&self) -> bool {
        !self.host.is_empty()
    }

    /// The hosts of `n` shares.
    pub fn hosts(&self, n: usize) -> anyhow::Result<Hosts> {
        let hosts = if self.host.is_empty() {
            let (backup, restore) = self.chances(n)?;
            let host = |i: usize| Host {
                name: format!("h{i}"),
                backup: backup[i % backup.len()],
                restore: restore[i % restore.len()],
            };
            (0..n).map(host).collect()
        } else if self.lists().iter().any(|list| !list.is_empty()) {
            return Err(Usage::say(
                "every --host has an availability of its own: leave the others out",
            ));
        } else if self.host.len() != n {
            let (shares, hosts) = (n, self.host.len());
            return Err(Usage::new(AvailabilityError::HostCount { shares, hosts }).into());
        } else {
            self.host.clone()
        };
        Ok(Hosts::new(hosts, self.group.clone()).map_err(Usage::new)?)
    }

    /// Lists of one for all hosts, or of one for each of `n`.
    fn chances(&self, n: usize) -> anyhow::Result<(Vec<Probability>, Vec<Probability>)> {
        let (backup, restore) = (self.backup(), self.restore());
        for (list, name) in [(&backup, "backup"), (&restore, "restore")] {
            if list.len() != 1 && list.len() != n {
                return Err(Usage::say(format!(
                    "{} availabilities at {name} for {n} shares: give one for all hosts, or \
                     one for each",
                    list.len()
                )));
            }
        }
        Ok((backup, restore))
    }

    /// What all hosts have, at backup and at restore, where each has the same.
    pub fn alike(&self) -> anyhow::Result<(Probability, Probability)> {
        match (self.backup().as_slice(), self.restore().as_slice()) {
            ([backup], [restore]) => Ok((*backup, *restore)),
            _ => Err(Usage::say(
                "--table is for equal hosts: give one availability",
            )),
        }
    }

    fn lists(&self) -> [&Vec<Probability>; 3] {
        [
            &self.availability,
            &self.backup_availability,
            &self.restore_availability,
        ]
    }

    fn backup(&self) -> Vec<Probability> {
        self.first_of(&self.backup_availability)
    }

    fn restore(&self) -> Vec<Probability> {
        self.first_of(&self.restore_availability)
    }

    fn first_of(&self, own: &[Probability]) -> Vec<Probability> {
        let default = "0.99".parse().into_iter().collect();
        [own, &self.availability]
            .into_iter()
            .find(|list| !list.is_empty())
            .map_or(default, <[_]>::to_vec)
    }

    /// Has hosts lost at `rate`, if nothing else was said.
    pub fn assume_loss_rate(&mut self, rate: f64) {
        if self.loss_rate.is_empty() {
            self.loss_rate.push(rate);
        }
    }

    /// Rates of loss a year and the mean years to heal, if durability is asked about.
    pub fn wear(&self) -> Option<(&[f64], Option<f64>)> {
        let years = self.heal_time.0.map(|days| days / DAYS_A_YEAR);
        (!self.loss_rate.is_empty()).then_some((&self.loss_rate, years))
    }

    pub fn wear_json(&self) -> Map<String, Value> {
        let mut object = Map::new();
        if !self.loss_rate.is_empty() {
            object.insert("loss_rates".into(), json!(self.loss_rate));
            object.insert("heal_days".into(), json!(self.heal_time.0));
        }
        object
    }

    /// `lost 0.02 times a year, healed after 7 days`.
    pub fn wear_text(&self) -> String {
        let rates: Vec<_> = self.loss_rate.iter().map(f64::to_string).collect();
        let healed = match self.heal_time.0 {
            Some(days) => format!("healed after {} days", (days * 1000.0).round() / 1000.0),
            None => "never healed".into(),
        };
        format!("lost {} times a year, {healed}", rates.join(", "))
    }
}

/// What an answer is about, as JSON.
pub enum Asked {
    Hosts(Hosts),
    Alike(Probability, Probability),
}

impl From<Hosts> for Asked {
    fn from(hosts: Hosts) -> Self {
        Self::Hosts(hosts)
    }
}

impl Asked {
    pub fn json(&self) -> Map<String, Value> {
        let mut object = Map::new();
        match self {
            Self::Hosts(hosts) => {
                let host = |host: &Host| {
                    let (backup, restore) = (host.backup.up(), host.restore.up());
                    json!({ "name": host.name, "backup": backup, "restore": restore })
                };
                let group = |group: &Group| {
                    let up = group.up.up();
                    json!({ "name": group.name, "hosts": group.hosts, "availability": up })
                };
                object.insert("hosts".into(), hosts.iter().map(host).collect());
                object.insert("groups".into(), hosts.groups().iter().map(group).collect());
            }
            Self::Alike(backup, restore) => {
                object.insert("backup".into(), json!(backup.up()));
                object.insert("restore".into(), json!(restore.up()));
            }
        }
        object
    }
}

fn parse_host(text: &str) -> Result<Host, String> {
    let (name, p) = text
        .rsplit_once('=')
        .filter(|(name, _)| is_name(name))
        .ok_or("expected NAME=P, such as nas=0.99, with no , : = or blank in the name")?;
    let parse = |p: &str| p.parse::<Probability>().map_err(|error| error.to_string());
    let (backup, restore) = p.split_once('/').unwrap_or((p, p));
    Ok(Host {
        name: name.to_owned(),
        backup: parse(backup)?,
        restore: parse(restore)?,
    })
}

fn parse_group(text: &str) -> Result<Group, String> {
    let wrong = "expected NAME=HOST,HOST:P, such as rack1=h0,h1:0.999";
    let (name, rest) = text
        .split_once('=')
        .filter(|(name, _)| is_name(name))
        .ok_or(wrong)?;
    let (hosts, up) = rest.rsplit_once(':').ok_or(wrong)?;
    let hosts: Vec<String> = hosts
        .split(',')
        .map(|host| host.trim().to_owned())
        .collect();
    if !hosts.iter().all(|host| is_name(host)) {
        return Err(wrong.into());
    }
    Ok(Group {
        name: name.to_owned(),
        hosts,
        up: up
            .parse()
            .map_err(|error: AvailabilityError| error.to_string())?,
    })
}

fn parse_days(text: &str) -> Result<HealTime, String> {
    if text == "never" {
        return Ok(HealTime(None));
    }
    let days = days(text).filter(|days| *days >= 1.0 / 86_400.0);
    let wrong = "expected a second or more in s, m, h, d or w, such as 12h, or never";
    days.map(|days| HealTime(Some(days))).ok_or(wrong.into())
}

/// `12h`, `0.5d`: in days.
pub fn days(text: &str) -> Option<f64> {
    const UNITS: &[(char, f64)] = &[
        ('s', 1.0 / 86_400.0),
        ('m', 1.0 / 1440.0),
        ('h', 1.0 / 24.0),
        ('d', 1.0),
        ('w', 7.0),
    ];
    let days = UNITS.iter().find_map(|&(unit, days)| {
        let number: f64 = text.strip_suffix(unit)?.parse().ok()?;
        Some(number * days)
    });
    days.filter(|days| days.is_finite() && *days >= 0.0)
}
