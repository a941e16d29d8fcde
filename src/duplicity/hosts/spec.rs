//! A store, as one process tells another of it.

use std::ffi::OsString;
use std::io;
use std::os::unix::ffi::OsStringExt;
use std::time::Duration;

use distdup_codecs::{Geometry, family};
use serde::{Deserialize, Serialize};

use super::{Access, HostsError, NamedFolder, folder_hosts, options, stores};
use crate::duplicity::protocol::Hex;
use crate::store::{FolderHost, FolderLock, LockError, Stale, Store};

/// Enough to open a store; what a resident is told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoreSpec {
    pub(super) hosts: Vec<HostSpec>,
    pub(super) codec: String,
    pub(super) params: String,
    pub(super) k: usize,
    pub(super) n: usize,
    pub(super) min_shares: usize,
    #[serde(default)]
    pub(super) host_timeout: Option<Duration>,
    #[serde(default)]
    pub(super) stale: bool,
    pub(super) session: u64,
    /// Hosts of another store, by position, which are not locked.
    #[serde(default)]
    pub(super) others: Vec<usize>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct HostSpec {
    name: Option<String>,
    folder: Hex,
}

impl HostSpec {
    pub(super) fn of(host: &NamedFolder) -> io::Result<Self> {
        let folder = std::path::absolute(&host.folder)?;
        Ok(Self {
            name: host.name.clone(),
            folder: Hex(folder.into_os_string().into_vec()),
        })
    }
}

impl StoreSpec {
    /// Opens the store.
    ///
    /// # Errors
    /// It does not make sense.
    pub fn open(&self) -> Result<Store, HostsError> {
        let geometry = Geometry::new(self.k, self.n)?;
        let params = (!self.params.is_empty()).then_some(self.params.as_str());
        let code = family(&self.codec)?.code(geometry, params)?;
        Ok(Store::new(
            stores(&self.hosts()),
            options(code, self.min_shares, self.access()),
        )?)
    }

    /// Locks its hosts, as one of its session; see [`FolderHost::lock`].
    pub fn lock(&self, force: bool) -> Vec<Result<FolderLock, LockError>> {
        let hosts = folder_hosts(&self.hosts()).into_iter().enumerate();
        let hosts: Vec<_> = hosts
            .filter(|(host, _)| !self.others.contains(host))
            .map(|(_, host)| host)
            .collect();
        FolderHost::lock_all(&hosts, self.session, force, self.access().patience())
    }

    /// The hosts, with the full names of their folders.
    pub fn hosts(&self) -> Vec<NamedFolder> {
        let host = |host: &HostSpec| NamedFolder {
            name: host.name.clone(),
            folder: OsString::from_vec(host.folder.0.clone()).into(),
        };
        self.hosts.iter().map(host).collect()
    }

    fn access(&self) -> Access {
        Access {
            host_timeout: self.host_timeout,
            stale: if self.stale {
                Stale::Allow
            } else {
                Stale::Refuse
            },
            session: Some(self.session),
        }
    }

    /// As many hosts as must take everything.
    pub fn min_shares(&self) -> usize {
        self.min_shares
    }
}
