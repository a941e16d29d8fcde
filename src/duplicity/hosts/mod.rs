//! Where a backup's hosts are, and the store on them.

mod error;

use std::ffi::OsString;
use std::fmt::Write;
use std::fs;
use std::io;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use distdup_codecs::{Code, Geometry, family, is_named};
use serde::{Deserialize, Serialize};

pub use self::error::HostsError;
use super::protocol::Hex;
use crate::choice::Choice;
use crate::control::Control;
use crate::quote::quote;
use crate::sink::set;
use crate::store::{
    DEFAULT_HOST_TIMEOUT, FolderHost, FolderLock, Host, HostError, LockError, ObjectEntry,
    ObjectState, Origin, Stale, Status, Store, StoreError, StoreOptions,
};

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

/// Enough to open a store; what a resident is told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoreSpec {
    hosts: Vec<HostSpec>,
    codec: String,
    params: String,
    k: usize,
    n: usize,
    min_shares: usize,
    #[serde(default)]
    host_timeout: Option<Duration>,
    #[serde(default)]
    stale: bool,
    session: u64,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct HostSpec {
    name: Option<String>,
    folder: Hex,
}

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

/// A store to back up to, or to restore from.
#[derive(Debug)]
pub struct Target {
    /// How to open it.
    pub spec: StoreSpec,
    /// Its code.
    pub code: Arc<dyn Code>,
    /// Its hosts, as they were named; the spec has the full names of their folders.
    pub hosts: Vec<NamedFolder>,
    /// What they had when the store was opened.
    pub status: Status,
    /// Hosts that were made now.
    pub made: Vec<String>,
    /// Hosts that could not be locked: on these a second backup at the same time would not be noticed.
    pub unlocked: Vec<LockError>,
    store: Store,
    /// Held as long as the target is, and by the processes started meanwhile.
    locks: Vec<FolderLock>,
}

/// What the objects of a store can still lose, as far as keys tell: a share that is there may be
/// damaged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Standing {
    /// Objects there are.
    pub objects: usize,
    /// How many of them lack shares.
    pub lacking: usize,
    /// Shares that the worst of them lacks; `None` if it cannot be read.
    pub worst: Option<usize>,
    /// How many more hosts may be lost before nobody can tell any more what objects there are.
    pub listed: usize,
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
        let found = stores(&self.found(patience)?);
        if found.is_empty() {
            return Err(HostsError::None {
                name: self.names().join(" "),
            });
        }
        let Some(discovered) = Store::discover(&found, patience, control)? else {
            return Err(HostsError::Empty {
                hosts: names(&found),
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
                // Without a share it makes no difference how they were to be written.
                let hosts = self.found(access.patience())?;
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
            let n = discovered.code.geometry().n();
            self.is_for(n)?;
            let hosts = self.hosts(Some(n))?;
            let made = if wish.replace {
                make(&without_stamp(&hosts, patience), Origin::Replacement)?
            } else {
                Vec::new()
            };
            let target = self.open(discovered.code, discovered.min_shares, access, control)?;
            return Target { made, ..target }.for_writing();
        }

        // Before anything is made.
        let design = self.design(wish)?;
        let made = make(&design.to_make(patience)?, Origin::NewStore)?;
        let Design { code, least, .. } = design;
        let target = self.open(code, least, access, control)?;
        Target { made, ..target }.for_writing()
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
            _ => self.existing_or_new(&wish, control),
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

impl Target {
    /// To write to, by nobody else.
    fn for_writing(mut self) -> Result<Self, HostsError> {
        let (n, least) = (self.spec.n, self.spec.min_shares);
        let up = n - self.status.silent().count();
        if up < least {
            let answers = self.status.hosts.into_iter();
            let hosts = answers.filter_map(|(_, answer)| answer.err()).collect();
            return Err(StoreError::TooFewUp {
                up,
                min_shares: least,
                n,
                hosts,
            }
            .into());
        }
        self.lock(false)?;
        Ok(self)
    }

    /// Keeps other writers away for as long as the target is there, and until the processes that were
    /// started meanwhile have ended. `force` as in [`FolderHost::lock`].
    ///
    /// # Errors
    /// Another one writes to one of the hosts.
    pub fn lock(&mut self, force: bool) -> Result<(), HostsError> {
        self.unlocked.clear();
        let mut locks = Vec::new();
        for lock in self.spec.lock(force) {
            match lock {
                Ok(lock) => locks.push(lock),
                // On a full disk even one of our own session cannot say who it is: the other hosts tell.
                Err(error @ LockError::Held { holder: None, .. }) => self.unlocked.push(error),
                Err(error @ (LockError::Held { .. } | LockError::Elsewhere { .. })) => {
                    return Err(error.into());
                }
                Err(LockError::Host(_)) => {} // down, and told so already
                Err(error) => self.unlocked.push(error),
            }
        }
        let is_held = |error: &LockError| matches!(error, LockError::Held { .. });
        if locks.len() < self.spec.min_shares
            && let Some(held) = self.unlocked.iter().position(is_held)
        {
            return Err(self.unlocked.swap_remove(held).into());
        }
        self.locks = locks;
        Ok(())
    }

    /// The same, for a store that was opened to read, unless it is locked already.
    ///
    /// # Errors
    /// The store is something else than wished for, or another one writes to one of the hosts.
    pub fn lock_late(&mut self, wish: &Wish) -> Result<(), HostsError> {
        if !self.locks.is_empty() {
            return Ok(());
        }
        wish.agrees_with(&*self.code, self.spec.min_shares)?;
        self.lock(false)
    }

    /// Its store.
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// Whether all hosts that are up are locked, and nobody can fail to see it.
    pub fn is_surely_alone(&self) -> bool {
        let locked = self.locks.iter().filter(|lock| !lock.shared).count();
        locked + self.status.silent().count() == self.hosts.len()
    }

    /// Whether so few hosts could be locked that another writer may have locked enough others.
    pub fn is_unguarded(&self) -> bool {
        self.locks.len() < self.spec.min_shares
    }

    /// How its objects stand now.
    ///
    /// # Errors
    /// Too few hosts are left to tell.
    pub fn standing(&self, control: &Control) -> Result<Standing, HostsError> {
        let list = self.store.list(control)?;
        Ok(Standing::of(&list.objects, list.may_fall_silent))
    }

    /// How many objects could not be read when it was opened, and why one of them cannot; `None` if all
    /// could be, as far as keys tell.
    ///
    /// # Errors
    /// Not a single one can be read, or too few hosts are left to tell.
    pub fn unreadable(&self, control: &Control) -> Result<Option<(usize, StoreError)>, HostsError> {
        let objects = &self.status.objects;
        let is_unreadable =
            |object: &&ObjectEntry| matches!(object.state, ObjectState::Unreadable(_));
        let count = objects.iter().filter(is_unreadable).count();
        let Some(first) = objects.iter().find(is_unreadable) else {
            return Ok(None);
        };
        match self.store.query(&first.name, control) {
            Ok(_) => Ok(None), // a host has come back
            Err(error) if count == objects.len() => Err(error.into()),
            Err(error) => Ok(Some((count, error))),
        }
    }

    /// The host of that full name, by its position.
    pub fn position(&self, name: &str) -> Option<usize> {
        stores(&self.spec.hosts())
            .iter()
            .position(|host| host.name() == name)
    }

    /// What the host at that position was called by the user.
    pub fn shown(&self, position: usize) -> String {
        self.hosts[position].shown()
    }
}

impl Standing {
    /// Of objects as they are listed.
    pub fn of(objects: &[ObjectEntry], may_fall_silent: usize) -> Self {
        let lacks = |object: &ObjectEntry| match object.state {
            ObjectState::Readable { shares, n, .. } => Some(n.saturating_sub(shares)),
            ObjectState::Unreadable(_) => None,
        };
        let lacks: Vec<Option<usize>> = objects.iter().map(lacks).collect();
        Self {
            objects: lacks.len(),
            lacking: lacks.iter().filter(|lacks| **lacks != Some(0)).count(),
            worst: lacks
                .into_iter()
                .try_fold(0, |worst, lacks| Some(worst.max(lacks?))),
            listed: may_fall_silent,
        }
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

impl HostSpec {
    fn of(host: &NamedFolder) -> io::Result<Self> {
        let folder = std::path::absolute(&host.folder)?;
        Ok(Self {
            name: host.name.clone(),
            folder: Hex(folder.into_os_string().into_vec()),
        })
    }
}

/// The full name of the host that an error is of.
pub fn host_of(error: &HostError) -> &str {
    match error {
        HostError::Down { host, .. }
        | HostError::NotAHost { host, .. }
        | HostError::NoSuchKey { host, .. }
        | HostError::Failed { host, .. }
        | HostError::Hung { host, .. } => host,
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
        let access = self.access();
        FolderHost::lock_all(
            &folder_hosts(&self.hosts()),
            self.session,
            force,
            access.patience(),
        )
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

    fn agrees_with(&self, code: &dyn Code, min_shares: usize) -> Result<(), HostsError> {
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
    fn patience(self) -> Duration {
        self.host_timeout.unwrap_or(DEFAULT_HOST_TIMEOUT)
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
    are_empty(hosts)?;
    let made = hosts.iter().map(|host| {
        FolderHost::create(&host.folder, origin)?;
        Ok(folder_host(host).name())
    });
    made.collect()
}

fn are_empty(hosts: &[NamedFolder]) -> Result<(), HostsError> {
    let is_empty =
        |folder: &Path| fs::read_dir(folder).map_or(true, |mut entries| entries.next().is_none());
    match hosts.iter().find(|host| !is_empty(&host.folder)) {
        Some(host) => Err(HostsError::InUse {
            host: quote(host.folder.as_os_str().as_bytes()),
        }),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layout(names: &[&str]) -> Layout {
        Layout::named(names.iter().map(OsString::from).collect()).unwrap()
    }

    #[test]
    fn the_url_is_stable() {
        let url = |layout: &Layout| layout.url().unwrap();
        assert_eq!(
            url(&Layout::In("/a/backup_test/".into())),
            "distdup:///a/backup_test"
        );
        assert_eq!(
            url(&Layout::In("/a b/ü@:%\n".into())),
            "distdup:///a%20b/%C3%BC%40%3A%25%0A"
        );
        assert_eq!(
            url(&layout(&["/h/b", "/h/a"])),
            url(&layout(&["/h/a", "/h/b"]))
        );
        assert_eq!(url(&layout(&["/h{i}/b"])), "distdup:///h%7Bi%7D/b");
        assert_ne!(url(&layout(&["/h/a{i}"])), url(&layout(&["/h/b{i}"])));
    }

    #[test]
    fn only_folders_are_hosts() {
        for name in ["exec:cat", "fd:3", "sftp://h/x", "-"] {
            let error = Layout::named(vec![name.into()]).unwrap_err();
            assert!(matches!(error, HostsError::NotAFolder { .. }), "{name}");
        }
    }

    fn wish(k: usize, n: usize) -> Wish {
        Wish {
            k: Some(k),
            n: Some(n),
            ..Wish::default()
        }
    }

    #[test]
    fn a_store_is_made_once_and_a_lost_host_only_when_told() {
        let folder = tempfile::tempdir().unwrap();
        let layout = Layout::In(folder.path().join("backup_x"));
        let (control, _) = Control::new();
        assert!(matches!(
            layout.existing(Access::default(), &control),
            Err(HostsError::None { .. })
        ));
        let target = layout.existing_or_new(&Wish::default(), &control).unwrap();
        assert_eq!((target.made.len(), target.status.silent().count()), (3, 0));
        assert_eq!(target.spec.open().unwrap().shape().k, 2);
        assert!(matches!(
            layout.existing(Access::default(), &control),
            Err(HostsError::Empty { .. })
        ));

        // Without a share nobody knows whether it is new.
        let lost = folder.path().join("backup_x/distdup1");
        fs::remove_dir_all(&lost).unwrap();
        let error = layout
            .existing_or_new(&Wish::default(), &control)
            .unwrap_err();
        assert!(matches!(error, HostsError::HalfMade { .. }), "{error}");

        let input = crate::input::ReaderInput(io::Cursor::new(b"data"));
        let store = target.spec.open().unwrap();
        store
            .put(b"object", Box::new(input), None, &control)
            .unwrap();
        drop((store, target)); // they hold the hosts
        let target = layout.existing_or_new(&wish(2, 3), &control).unwrap();
        assert_eq!((target.made.len(), target.status.silent().count()), (0, 1));
        assert!(!lost.exists());
        drop(target);
        let error = layout.existing_or_new(&wish(3, 5), &control).unwrap_err();
        assert!(
            error.to_string().contains("k = 2, and 3 is asked for"),
            "{error}"
        );

        let again = Wish {
            replace: true,
            ..Wish::default()
        };
        let target = layout.existing_or_new(&again, &control).unwrap();
        assert_eq!((target.made.len(), target.status.silent().count()), (1, 0));
        assert_eq!(
            layout
                .existing(Access::default(), &control)
                .unwrap()
                .status
                .silent()
                .count(),
            0
        );
    }

    /// What a codec's name stands for by default may change, and a store stays what it is.
    #[test]
    fn a_store_keeps_its_code() {
        let folder = tempfile::tempdir().unwrap();
        let layout = Layout::In(folder.path().join("backup_x"));
        let (control, _) = Control::new();
        let said = |codec: &str, equations: Option<&str>| Wish {
            codec: (!codec.is_empty()).then(|| codec.to_owned()),
            equations: equations.map(str::to_owned),
            ..Wish::default()
        };
        let target = layout
            .existing_or_new(&said("xor:matland", None), &control)
            .unwrap();
        assert_eq!((target.spec.k, target.spec.n), (6, 10));
        let input = crate::input::ReaderInput(io::Cursor::new(b"data"));
        let store = target.spec.open().unwrap();
        store
            .put(b"object", Box::new(input), None, &control)
            .unwrap();
        drop((store, target)); // they hold the hosts

        let matland = "3^5^6,2^4^6,1^4^5,1^2^3";
        for wish in [
            said("", None),
            said("xor", None),
            said("xor:matland", None),
            said("", Some("6^5^3, 2^4^6, 1^4^5, 1^2^3")),
        ] {
            let target = layout.existing_or_new(&wish, &control).unwrap();
            assert_eq!(target.code.params(), matland);
        }
        for (wish, texts) in [
            (
                said("rs", None),
                ["has codec xor 3^5^6,2", "and rs is asked"],
            ),
            (
                said("", Some("1^2^3,4^5^6,1^4,2^5")),
                ["has codec xor 3^5^6,2", "and xor 1^2^3,4^5^6,1^4,2^5 is"],
            ),
            (
                said("xor", Some("1^2^3,1,2,3")),
                ["data shard 4 is in no equation", "1^2^3,1,2,3"],
            ),
        ] {
            let error = layout.existing_or_new(&wish, &control).unwrap_err();
            let error = error.to_string();
            assert!(texts.iter().all(|text| error.contains(text)), "{error}");
        }
    }

    #[test]
    fn as_many_hosts_are_named_as_there_are() {
        let folder = tempfile::tempdir().unwrap();
        let place = folder.path().join("backup_x");
        let (control, _) = Control::new();
        let target = Layout::In(place.clone())
            .existing_or_new(&Wish::default(), &control)
            .unwrap();

        // No share is there yet, nor the first host.
        fs::remove_dir_all(place.join("distdup0")).unwrap();
        let left = Layout::In(place.clone())
            .existing_or_empty(Access::default(), &control)
            .unwrap();
        let folders: Vec<_> = left.hosts.iter().map(|host| &host.folder).collect();
        assert_eq!(folders, [&place.join("distdup1"), &place.join("distdup2")]);

        let input = crate::input::ReaderInput(io::Cursor::new(b"data"));
        target
            .store()
            .put(b"object", Box::new(input), None, &control)
            .unwrap();
        drop(target);
        let hosts: Vec<NamedFolder> = (0..4)
            .map(|i| place.join(format!("distdup{i}")).into())
            .collect();
        let names = hosts.iter().map(|host| host.folder.clone().into());
        for layout in [
            Layout::named(names.collect()).unwrap(),
            Layout::Listed {
                profile: None,
                hosts,
            },
        ] {
            for error in [
                layout.existing(Access::default(), &control).unwrap_err(),
                layout
                    .existing_or_new(&Wish::default(), &control)
                    .unwrap_err(),
            ] {
                let text = error.to_string();
                assert!(text.contains("has 3 hosts, 4 are named"), "{text}");
                assert!(error.is_usage());
            }
        }
        assert!(HostsError::Count { n: 4, hosts: 3 }.is_usage());
    }

    #[test]
    fn a_folder_with_something_in_it_is_not_made_a_host() {
        let folder = tempfile::tempdir().unwrap();
        let layout = Layout::In(folder.path().into());
        fs::create_dir(folder.path().join("distdup2")).unwrap();
        fs::write(folder.path().join("distdup2/letter"), "").unwrap();
        let (control, _) = Control::new();
        let error = layout
            .existing_or_new(&Wish::default(), &control)
            .unwrap_err();
        assert!(matches!(error, HostsError::InUse { .. }), "{error}");
        assert!(!folder.path().join("distdup0").exists());
    }
}
