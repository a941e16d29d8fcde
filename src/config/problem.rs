//! Why a backup cannot be made, before it is tried.

use super::secret::SecretError;
use super::settings::Settings;
use crate::catalogue::catalogue;
use crate::duplicity::backup::{BackupError, Plan};
use crate::duplicity::hosts::HostsError;
use crate::duplicity::launch::{Duplicity, FindError};

/// Why a backup cannot be made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Problem {
    /// What is to be backed up.
    #[error(transparent)]
    Backup(#[from] BackupError),
    /// The hosts, or the code.
    #[error(transparent)]
    Hosts(#[from] HostsError),
    /// Duplicity.
    #[error(transparent)]
    Duplicity(#[from] FindError),
    /// What it is to encrypt with.
    #[error(transparent)]
    Secret(#[from] SecretError),
}

catalogue! {
    Problem {}
    passing {
        Self::Backup(error) => error;
        Self::Hosts(error) => error;
        Self::Duplicity(error) => error;
        Self::Secret(error) => error;
    }
}

impl Settings {
    /// What keeps a backup with these settings from being made that can be told without making it.
    pub fn problems(&self) -> Vec<Problem> {
        let mut problems: Vec<Problem> = self.check_hosts().err().into_iter().collect();
        let path = self.duplicity.as_ref().map(|path| path.value.as_path());
        problems.extend(Duplicity::find(path).map_err(Problem::from).err());
        for (name, variable) in &self.variables {
            problems.extend(variable.value.check(name).map_err(Problem::from).err());
        }
        problems
    }

    fn check_hosts(&self) -> Result<(), Problem> {
        let (layout, wish) = (self.layout()?, self.wish());
        match (&self.source, layout) {
            (Some(source), layout) => {
                let plan = Plan::new(&source.value, layout)?;
                let design = plan.layout.design(&wish)?;
                plan.check_hosts(&design.hosts)?;
            }
            (None, Some(layout)) => drop(layout.design(&wish)?),
            (None, None) => {}
        }
        Ok(())
    }
}
