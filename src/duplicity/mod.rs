//! Duplicity backing up into, and restoring from, a store.
//!
//! Duplicity writes volumes to a *backend*, in Python and in its own process. Ours ([`launch`] brings
//! it) sends each volume through a named pipe to a [`resident`] process of ours, which writes its shares
//! to the hosts; what is said beside the pipe is the [`protocol`]. A [`session`] is one run of it all; its
//! pipes and Python files are in a [`runtime`] folder in memory. [`backup`] and [`restore`] are what the
//! two commands mean, and [`hosts`] is where their store is.

pub mod archive;
pub mod backup;
pub mod command;
pub mod environment;
pub mod hosts;
pub mod install;
pub mod launch;
pub mod log;
pub mod low_disk;
pub mod memory;
pub mod options;
pub mod passphrase;
pub mod private;
pub mod protocol;
pub mod resident;
pub mod restore;
pub mod runtime;
pub mod session;
pub mod stored;
