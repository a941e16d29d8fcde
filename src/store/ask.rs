//! Asks all hosts at once, and does not wait for ever.

use std::io;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use crossbeam_channel::{after, bounded, never, select};

use super::host::{Host, HostError};
use crate::control::Control;

/// Asked to stop while hosts were being waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Cancelled;

/// Runs each host's task on a thread of its own, and gives what they said in the order of `tasks`.
/// A host that has said nothing within `patience` is left behind with its thread, whose answer
/// nobody hears. Without `control`, nothing but time ends the wait.
pub(super) fn ask<T, F>(
    tasks: impl IntoIterator<Item = (Arc<dyn Host>, F)>,
    action: &'static str,
    patience: Duration,
    control: Option<&Control>,
) -> Result<Vec<Result<T, HostError>>, Cancelled>
where
    T: Send + 'static,
    F: FnOnce(&dyn Host) -> Result<T, HostError> + Send + 'static,
{
    let tasks: Vec<_> = tasks.into_iter().collect();
    let (answer, answers) = bounded(tasks.len());
    let mut names = Vec::with_capacity(tasks.len());
    let mut heard: Vec<Option<Result<T, HostError>>> = Vec::with_capacity(tasks.len());
    for (number, (host, task)) in tasks.into_iter().enumerate() {
        let answer = answer.clone();
        let name = host.name();
        let started = thread::Builder::new()
            .name(format!("host {number}"))
            .spawn(move || {
                // Whoever asked may not have waited.
                let _ = answer.send((number, task(&*host)));
            });
        heard.push(started.err().map(|source| {
            Err(HostError::Failed {
                host: name.clone(),
                action,
                source,
            })
        }));
        names.push(name);
    }
    drop(answer);

    let enough = after(patience);
    let not_cancelled = never();
    let cancelled = control.map_or(&not_cancelled, |control| &control.cancelled);
    while heard.iter().any(Option::is_none) {
        select! {
            recv(answers) -> message => match message {
                Ok((number, said)) => heard[number] = Some(said),
                Err(_) => break, // the threads that are missing panicked, and have said so
            },
            recv(cancelled) -> _ => return Err(Cancelled),
            recv(enough) -> _ => break,
        }
    }
    let seconds = patience.as_secs();
    let silent = |host| HostError::Hung {
        host,
        action,
        seconds,
    };
    Ok(heard
        .into_iter()
        .zip(names)
        .map(|(said, host)| said.unwrap_or_else(|| Err(silent(host))))
        .collect())
}

impl HostError {
    /// What a host's sink or source said, as what the host said.
    pub(super) fn from_io(host: &dyn Host, action: &'static str, source: io::Error) -> Self {
        Self::Failed {
            host: host.name(),
            action,
            source,
        }
    }
}
