//! Where a backup's hosts are, and the store on them.

mod error;
mod spec;
mod target;
mod wish;

use std::ffi::OsString;
use std::fmt::Write;
use std::fs;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use distdup_codecs::{Code, Geometry, family};

pub use self::error::HostsError;
use self::spec::HostSpec;
pub use self::spec::StoreSpec;
pub use self::target::{Standing, Target};
pub use self::wish::{Access, Wish};
use crate::control::Control;
use crate::quote::quote;
use crate::sink::set;
use crate::store::folder::STAMP;
use crate::store::key::Key;
use crate::store::{FolderHost, Host, HostError, Origin, Stale, Store, StoreError, StoreOptions};

/// What a host's folder is called, before its number, where nothing else was said.
const FOLDER: &str = "distdup";
/// Hosts of a new store, where nothing else was said.
const DEFAULT_N: usize = 3;
/// More hosts than a store has.
const MAX_HOSTS: usize = 256;

/// Where the hosts are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Layout {
    /// Folders `distdup0`, `distdup1`, ... in this one.
    In(PathBuf),
    /// As a user named them: one name with `{i}` in it, or n names.
    Named(Vec<OsString>),
    /// As a configuration lists them.
    Listed {
        /// The profile, if it has a name: then Duplicity knows the backup by it, wherever the hosts
        /// are moved.
        profile: Option<String>,
        /// Each of them.
        hosts: Vec<NamedFolder>,
    },
}

/// A host: a folder, and what to call it in messages if not by its path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamedFolder {
    /// Its name, if it has one.
    pub name: Option<String>,
    /// Where it is.
    pub folder: PathBuf,
}

/// A store that is not there yet.
#[derive(Debug)]
pub struct Design {
    /// Its hosts.
    pub hosts: Vec<NamedFolder>,
    /// Its code.
    pub code: Arc<dyn Code>,
    /// Its commit rule.
    pub least: usize,
}

impl Layout {
    /// The hosts that a user named.
    ///
    /// # Errors
    /// [`HostsError::NotAFolder`].
    pub fn named(names: Vec<OsString>) -> Result<Self, HostsError> {
        let is_url = |name: &OsString| {
            let bytes = name.as_bytes();
            bytes.starts_with(b"exec:")
                || bytes.starts_with(b"fd:")
                || bytes.windows(3).any(|three| three == b"://")
                || bytes == b"-"
        };
        match names.iter().find(|name| is_url(name)) {
            Some(name) => Err(HostsError::NotAFolder {
                name: quote(name.as_bytes()),
            }),
            None => Ok(Self::Named(names)),
        }
    }

    /// n hosts, or as many as there are names.
    ///
    /// # Errors
    /// [`HostsError::Names`], [`HostsError::Count`].
    pub fn hosts(&self, n: Option<usize>) -> Result<Vec<NamedFolder>, HostsError> {
        match self {
            Self::In(folder) => Ok((0..n.unwrap_or(0))
                .map(|i| folder.join(format!("{FOLDER}{i}")).into())
                .collect()),
            Self::Named(names) => Ok(set::expand(names, n)?
                .into_iter()
                .map(|name| PathBuf::from(name).into())
                .collect()),
            Self::Listed { hosts, .. } => match n {
                Some(n) if n != hosts.len() => Err(HostsError::Count {
                    n,
                    hosts: hosts.len(),
                }),
                _ => Ok(hosts.clone()),
            },
        }
    }

    /// The hosts of a new store, as far as they can be told before what is there is looked at.
    pub fn examples(&self, wish: &Wish) -> Vec<NamedFolder> {
        let n = wish.choice().n(self.count()).unwrap_or(DEFAULT_N);
        self.hosts(Some(n)).unwrap_or_default()
    }

    /// As many names as there are, if it is not for the store to say.
    fn count(&self) -> Option<usize> {
        match self {
            Self::In(_) => None,
            Self::Named(names) => set::expand(names, None).ok().map(|names| names.len()),
            Self::Listed { hosts, .. } => Some(hosts.len()),
        }
    }

    /// All hosts whose folders exist, and those that do not say.
    fn found(&self, patience: Duration) -> Result<Vec<NamedFolder>, HostsError> {
        let n = self.count().unwrap_or(MAX_HOSTS);
        let hosts = self.hosts(Some(n))?;
        let stamps = FolderHost::stamps(&folder_hosts(&hosts), patience);
        let exists = |stamp: &Result<_, _>| match stamp {
            Err(HostError::Down { source, .. }) => source.kind() != io::ErrorKind::NotFound,
            _ => true,
        };
        let found = hosts.into_iter().zip(stamps);
        Ok(found
            .filter_map(|(host, stamp)| exists(&stamp).then_some(host))
            .collect())
    }

    /// For messages, and for the command that restores.
    pub fn names(&self) -> Vec<String> {
        match self {
            Self::In(folder) => vec![quote(
                folder.join(format!("{FOLDER}{{i}}")).as_os_str().as_bytes(),
            )],
            Self::Named(names) => names.iter().map(|name| quote(name.as_bytes())).collect(),
            Self::Listed { hosts, .. } => hosts.iter().map(NamedFolder::shown).collect(),
        }
    }

    /// The URL by which Duplicity knows the backup, and finds its archive of signatures again. It is the
    /// same whichever hosts are there, and in whichever order they are named.
    ///
    /// # Errors
    /// The working folder is gone.
    pub fn url(&self) -> io::Result<String> {
        let mut paths = match self {
            Self::In(folder) => vec![std::path::absolute(folder)?],
            Self::Named(names) => names
                .iter()
                .map(std::path::absolute)
                .collect::<io::Result<Vec<_>>>()?,
            Self::Listed {
                profile: Some(profile),
                ..
            } => return Ok(format!("distdup://{profile}")),
            Self::Listed { hosts, .. } => hosts.iter().map(|host| host.folder.clone()).collect(),
        };
        paths.sort();
        let mut url = String::from("distdup://");
        for (i, path) in paths.iter().enumerate() {
            if i > 0 {
                url.push_str("/+");
            }
            for &byte in path.as_os_str().as_bytes() {
                if byte.is_ascii_alphanumeric() || b"/._-".contains(&byte) {
                    url.push(char::from(byte));
                } else {
                    let _ = write!(url, "%{byte:02X}"); // a String takes everything
                }
            }
        }
        while url.ends_with('/') {
            url.pop();
        }
        Ok(url)
    }

    /// The store that is there, to read from.
    ///
    /// # Errors
    /// There is none, or too little of it.
    pub fn existing(&self, access: Access, control: &Control) -> Result<Target, HostsError> {
        let patience = access.patience();
        let hosts = self.found(patience)?;
        let (found, hosts) = (stores(&hosts), folder_hosts(&hosts));
        if found.is_empty() {
            return Err(HostsError::None {
                name: self.names().join(" "),
            });
        }
        let Some(discovered) = Store::discover(&found, patience, control)? else {
            let stamps = FolderHost::stamps(&hosts, patience);
            let of = |is_host: bool| {
                let is_one = |stamp: &_| !matches!(stamp, Err(HostError::NotAHost { .. }));
                let found = found.iter().zip(&stamps);
                let these = found.filter(|(_, stamp)| is_one(stamp) == is_host);
                let these: Vec<_> = these.map(|(host, _)| Arc::clone(host)).collect();
                names(&these)
            };
            return Err(HostsError::Empty {
                hosts: of(true),
                others: of(false),
            });
        };
        self.open(discovered.code, discovered.min_shares, access, control)
    }

    /// The same for whoever looks for what killed writers left, who may have got no share done.
    ///
    /// # Errors
    /// There is no host, or too little is left of the store.
    pub fn existing_or_empty(
        &self,
        access: Access,
        control: &Control,
    ) -> Result<Target, HostsError> {
        match self.existing(access, control) {
            Err(HostsError::Empty { .. }) => {
                // Without a share it makes no difference how they were to be written. Those that are
                // away may have some.
                let hosts = match self.count() {
                    Some(n) => self.hosts(Some(n))?,
                    None => self.found(access.patience())?,
                };
                let n = hosts.len();
                let code = family("copy")?.code(Geometry::new(1, n)?, None)?;
                self.open_on(hosts, code, n, access, control)
            }
            result => result,
        }
    }

    /// The store that is there or that is now made, to write to.
    ///
    /// # Errors
    /// What is there is something else than wished for, or too little of it.
    pub fn existing_or_new(&self, wish: &Wish, control: &Control) -> Result<Target, HostsError> {
        let access = wish.access;
        let patience = access.patience();
        let found = stores(&self.found(patience)?);
        if let Some(discovered) = Store::discover(&found, patience, control)? {
            wish.agrees_with(&*discovered.code, discovered.min_shares)?;
            self.is_for(discovered.code.geometry().n())?;
            let mut target = self.open(discovered.code, discovered.min_shares, access, control)?;
            if wish.replace {
                let lost = without_stamp(&target.hosts, patience);
                for host in &lost {
                    may_be_made(host, |keys| Ok(target.store.is_related(keys, control)?))?;
                }
                // Before anything is made.
                target.has_enough(lost.len())?;
                target.claim(control)?;
                target.made = make(&lost, Origin::Replacement)?;
                target.status = target.store.status(control)?;
            }
            return target.for_writing(control);
        }

        // Before anything is made.
        let design = self.design(wish)?;
        let to_make = design.to_make(patience)?;
        are_empty(&to_make)?;
        let made = make(&to_make, Origin::NewStore)?;
        let Design { code, least, .. } = design;
        let target = self.open(code, least, access, control)?;
        Target { made, ..target }.for_writing(control)
    }

    /// The store that is there, or an empty one in the folder `scratch`, to try what would be written:
    /// no host is made.
    ///
    /// # Errors
    /// Those of [`existing_or_new`](Self::existing_or_new).
    pub fn to_try(
        &self,
        wish: &Wish,
        scratch: &Path,
        control: &Control,
    ) -> Result<Target, HostsError> {
        let mut wish = Wish {
            replace: false,
            ..wish.clone()
        };
        match self.existing(wish.access, control) {
            Err(HostsError::None { .. } | HostsError::Empty { .. }) => {
                let design = self.design(&wish)?;
                are_empty(&design.to_make(wish.access.patience())?)?;
                wish.n = Some(design.hosts.len());
                Self::In(scratch.to_owned()).existing_or_new(&wish, control)
            }
            target => {
                let mut target = target?;
                wish.agrees_with(&*target.code, target.spec.min_shares)?;
                self.is_for(target.spec.n)?;
                target.has_enough(0)?;
                Ok(target)
            }
        }
    }

    /// What a new store here would be.
    ///
    /// # Errors
    /// Wishes that contradict each other, or the hosts.
    pub fn design(&self, wish: &Wish) -> Result<Design, HostsError> {
        let choice = wish.choice();
        let n = choice.n(self.count()).unwrap_or(DEFAULT_N);
        let k = match choice.k(n) {
            Some(k) => k,
            None if n == 3 => 2,
            None => return Err(HostsError::SayK { n }),
        };
        let code = choice.code(Geometry::new(k, n)?)?;
        let least = wish
            .min_shares
            .unwrap_or_else(|| crate::encode::default_min_shares(&*code));
        let hosts = self.hosts(Some(n))?;
        let options = options(Arc::clone(&code), least, wish.access);
        Store::new(stores(&hosts), options)?;
        Ok(Design { hosts, code, least })
    }

    /// Whether as many hosts are named as a store has.
    fn is_for(&self, n: usize) -> Result<(), HostsError> {
        match self.count() {
            Some(named) if named != n => Err(HostsError::Named { n, named }),
            _ => Ok(()),
        }
    }

    fn open(
        &self,
        code: Arc<dyn Code>,
        least: usize,
        access: Access,
        control: &Control,
    ) -> Result<Target, HostsError> {
        let n = code.geometry().n();
        let hosts = match self.count() {
            // Some of the hosts will do to read.
            Some(count) if count < n => self.hosts(Some(count))?,
            _ => {
                self.is_for(n)?;
                self.hosts(Some(n))?
            }
        };
        self.open_on(hosts, code, least, access, control)
    }

    fn open_on(
        &self,
        hosts: Vec<NamedFolder>,
        code: Arc<dyn Code>,
        least: usize,
        access: Access,
        control: &Control,
    ) -> Result<Target, HostsError> {
        let geometry = code.geometry();
        let session = match access.session {
            Some(session) => session,
            None => getrandom::u64().map_err(|error| StoreError::Random(error.into()))?,
        };
        let spec = StoreSpec {
            hosts: hosts
                .iter()
                .map(HostSpec::of)
                .collect::<io::Result<_>>()
                .map_err(|source| HostError::Down {
                    host: self.names().join(" "),
                    source,
                })?,
            codec: code.id().to_owned(),
            params: code.params().to_owned(),
            k: geometry.k(),
            n: geometry.n(),
            min_shares: least,
            host_timeout: access.host_timeout,
            stale: access.stale == Stale::Allow,
            session,
            others: Vec::new(),
        };
        // By full names, as the resident has them.
        let store = spec.open()?;
        let status = store.status(control)?;
        Ok(Target {
            spec,
            code,
            hosts,
            status,
            made: Vec::new(),
            unlocked: Vec::new(),
            store,
            locks: Vec::new(),
        })
    }
}

impl Design {
    /// The hosts that are to be made: all, or none, where a backup made them that failed.
    fn to_make(&self, patience: Duration) -> Result<Vec<NamedFolder>, HostsError> {
        let missing = without_stamp(&self.hosts, patience);
        if missing.is_empty() || missing.len() == self.hosts.len() {
            return Ok(missing);
        }
        let there = self.hosts.iter().filter(|host| !missing.contains(host));
        Err(HostsError::HalfMade {
            there: names(&stores(&there.cloned().collect::<Vec<_>>())),
            missing: names(&stores(&missing)),
        })
    }
}

impl NamedFolder {
    fn shown(&self) -> String {
        match &self.name {
            Some(name) => quote(name),
            None => quote(self.folder.as_os_str().as_bytes()),
        }
    }
}

impl From<PathBuf> for NamedFolder {
    fn from(folder: PathBuf) -> Self {
        Self { name: None, folder }
    }
}

/// The full name of the host that an error is of.
pub fn host_of(error: &HostError) -> &str {
    match error {
        HostError::Down { host, .. }
        | HostError::NotAHost { host, .. }
        | HostError::OfAnother { host }
        | HostError::NotJoined { host }
        | HostError::NoSuchKey { host, .. }
        | HostError::Failed { host, .. }
        | HostError::Hung { host, .. } => host,
    }
}

fn options(code: Arc<dyn Code>, least: usize, access: Access) -> StoreOptions {
    let mut options = StoreOptions::new(code);
    options.encode.min_shares = Some(least);
    options.stale = access.stale;
    if let Some(timeout) = access.host_timeout {
        options.host_timeout = timeout;
        options.encode.sink_timeout = timeout;
        options.decode.source_timeout = timeout;
    }
    options
}

fn stores(hosts: &[NamedFolder]) -> Vec<Arc<dyn Host>> {
    let hosts = folder_hosts(hosts).into_iter();
    hosts.map(|host| Arc::new(host) as Arc<dyn Host>).collect()
}

fn folder_hosts(hosts: &[NamedFolder]) -> Vec<FolderHost> {
    hosts.iter().map(folder_host).collect()
}

fn folder_host(host: &NamedFolder) -> FolderHost {
    FolderHost::new(&host.folder).called(host.name.clone())
}

fn names(hosts: &[Arc<dyn Host>]) -> String {
    hosts
        .iter()
        .map(|host| host.name())
        .collect::<Vec<_>>()
        .join(", ")
}

/// Those that were never made a host, or are gone; not those that do not say.
fn without_stamp(hosts: &[NamedFolder], patience: Duration) -> Vec<NamedFolder> {
    let lacks = |stamp| {
        matches!(
            stamp,
            Err(HostError::Down { .. } | HostError::NotAHost { .. })
        )
    };
    let stamps = FolderHost::stamps(&folder_hosts(hosts), patience);
    let stamps = hosts.iter().zip(stamps);
    stamps
        .filter_map(|(host, stamp)| lacks(stamp).then(|| host.clone()))
        .collect()
}

fn make(hosts: &[NamedFolder], origin: Origin) -> Result<Vec<String>, HostsError> {
    let made = hosts.iter().map(|host| {
        FolderHost::create(&host.folder, origin)?;
        Ok(folder_host(host).name())
    });
    made.collect()
}

fn are_empty(hosts: &[NamedFolder]) -> Result<(), HostsError> {
    hosts
        .iter()
        .try_for_each(|host| may_be_made(host, |_| Ok(false)))
}

/// That a folder may be made a host: it is empty, or has lost its stamp, and by the keys in it
/// `is_one_of_ours`.
fn may_be_made(
    host: &NamedFolder,
    is_one_of_ours: impl FnOnce(&[Key]) -> Result<bool, HostsError>,
) -> Result<(), HostsError> {
    let entries = fs::read_dir(&host.folder).into_iter().flatten();
    let names: Vec<OsString> = entries
        .map(|entry| entry.map(|entry| entry.file_name()).unwrap_or_default())
        .collect();
    if names.is_empty() {
        return Ok(());
    }
    let keys = names.iter().filter_map(|name| Key::parse(name.to_str()?));
    let keys: Vec<_> = keys.collect();
    let host = quote(host.folder.as_os_str().as_bytes());
    if keys.is_empty() {
        return Err(HostsError::InUse { host });
    }
    // A stamp that cannot be read may be one of a later distdup's.
    if names.iter().any(|name| name == STAMP) || !is_one_of_ours(&keys)? {
        return Err(HostsError::Unstamped { host });
    }
    Ok(())
}

#[cfg(test)]
mod tests;
