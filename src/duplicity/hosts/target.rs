//! A store that is open, and what it has.

use std::sync::Arc;

use distdup_codecs::Code;

use super::{HostsError, NamedFolder, StoreSpec, Wish, stores};
use crate::control::Control;
use crate::store::{
    FolderLock, HostError, LockError, Lost, ObjectEntry, ObjectState, Status, Store, StoreError,
};

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
    pub(super) store: Store,
    /// Held as long as the target is, and by the processes started meanwhile.
    pub(super) locks: Vec<FolderLock>,
}

/// What the objects of a store can still lose, as far as keys tell: a share that is there may be
/// damaged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    /// Objects there are.
    pub objects: usize,
    /// How many of them lack shares.
    pub lacking: usize,
    /// What may have been lost altogether.
    pub lost: Vec<Lost>,
    /// Shares that the worst of them all lacks; `None` if it cannot be read.
    pub worst: Option<usize>,
    /// How many more hosts may be lost before nobody can tell any more what objects there are.
    pub listed: usize,
}

impl Target {
    /// To write to, by nobody else.
    pub(super) fn for_writing(mut self, control: &Control) -> Result<Self, HostsError> {
        self.has_enough(0)?;
        self.claim(control)?;
        Ok(self)
    }

    /// That as many hosts of one store are up as must take everything, with so many `more`.
    pub(super) fn has_enough(&mut self, more: usize) -> Result<(), HostsError> {
        if let Some(error) = self.status.different.take() {
            return Err(error.into());
        }
        let (n, least) = (self.spec.n, self.spec.min_shares);
        let up = n - self.status.silent().count() + more;
        if up < least {
            let answers = std::mem::take(&mut self.status.hosts).into_iter();
            let hosts = answers.filter_map(|(_, answer)| answer.err()).collect();
            return Err(StoreError::TooFewUp {
                up,
                min_shares: least,
                n,
                hosts,
            }
            .into());
        }
        Ok(())
    }

    /// [Locks](Self::lock) it, and has its hosts [join](Store::join): before the first thing is written.
    ///
    /// # Errors
    /// Another one writes to one of the hosts, or they are of different stores.
    pub fn claim(&mut self, control: &Control) -> Result<(), HostsError> {
        self.lock(false)?;
        if self.store.join(control)? {
            self.status = self.store.status(control)?;
        }
        Ok(())
    }

    /// Keeps other writers away for as long as the target is there, and until the processes that were
    /// started meanwhile have ended. `force` as in [`FolderHost::lock`](crate::store::FolderHost::lock).
    ///
    /// # Errors
    /// Another one writes to one of the hosts.
    pub fn lock(&mut self, force: bool) -> Result<(), HostsError> {
        self.unlocked.clear();
        let mut locks = Vec::new();
        // Nothing is put onto a host of another store.
        let is_other = |answer: &_| matches!(answer, Err(HostError::OfAnother { .. }));
        let answers = self.status.hosts.iter().enumerate();
        self.spec.others = answers
            .filter_map(|(host, (_, answer))| is_other(answer).then_some(host))
            .collect();
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
        self.claim(&Control::new().0)
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
        Ok(Standing::of(&list.objects, list.lost, list.may_fall_silent))
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
    pub fn of(objects: &[ObjectEntry], lost: Vec<Lost>, may_fall_silent: usize) -> Self {
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
                .try_fold(0, |worst, lacks| Some(worst.max(lacks?)))
                .filter(|_| lost.is_empty()),
            lost,
            listed: may_fall_silent,
        }
    }
}
