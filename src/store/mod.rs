//! Named objects over n hosts: no coordinator, no index.
//!
//! An object's n shares stand on n [hosts](host::Host), one on each. All that is known about an
//! object is what the hosts list, since a share's [key](key::Key) says what the share is: name,
//! generation, stream, index, and the rule by which it was committed. The [catalog](catalog::Catalog)
//! is the arithmetic from listings to "this is the newest generation"; [`Store`] is the
//! operations. docs/STORE.md is normative for keys, markers and rules.
//!
//! A new kind of host is one file that implements [`Host`] and a run of the
//! conformance suite over it.

mod ask;
pub mod catalog;
mod claim;
#[cfg(test)]
mod conformance;
mod delete;
mod error;
pub mod folder;
mod get;
mod heal;
pub mod host;
mod join;
pub mod key;
mod lock;
mod lost;
pub mod marker;
mod objects;
mod put;
mod remains;
mod status;
mod suffice;
mod survey;
#[cfg(test)]
mod tests;

pub use delete::DeleteReport;
pub use error::{Reason, StoreError};
pub use folder::{FolderHost, Origin};
pub use get::{GetReport, HostShare, ShareState, Stale};
pub use heal::{HealReport, Healed};
pub use host::{Host, HostError, StoreId};
pub use key::{NameError, Version};
pub use lock::{FolderLock, Holder, LockError};
pub use lost::Lost;
pub use objects::{
    DEFAULT_HOST_TIMEOUT, Discovered, List, ObjectEntry, ObjectState, Store, StoreOptions,
};
pub use put::{HostFailure, HostOutcome, PutReport};
pub use remains::Remains;
pub use status::{Holdings, Status};
pub use suffice::Suffice;
