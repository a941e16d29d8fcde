//! The threads that rebuild stripes and check them.

use std::panic::{self, AssertUnwindSafe};
use std::sync::Arc;
use std::thread;

use crossbeam_channel::{Sender, unbounded};

use super::{Event, Plan};
use crate::format::Common;
use crate::pipeline::pool::Pool;
use crate::pipeline::rebuild::{Piece, Rebuilder, Unconfirmed};

/// A stripe to rebuild.
pub(super) struct Job {
    pub(super) stripe: u64,
    pub(super) pieces: Vec<Piece>,
    pub(super) search: bool,
}

/// Starts them, no more than there are stripes, if that is known; they end when the sender is
/// dropped.
pub(super) fn start(
    common: &Arc<Common>,
    plan: &Plan,
    stripes: Option<u64>,
    pool: &Pool,
    report: &Sender<Event>,
) -> Sender<Job> {
    let (jobs, queue) = unbounded::<Job>(); // at most a window of them
    let most = stripes.map_or(usize::MAX, |stripes| {
        usize::try_from(stripes).unwrap_or(usize::MAX)
    });
    for worker in 0..plan.workers.min(most).max(1) {
        let mut rebuilder = Rebuilder::new(Arc::clone(common), pool.clone(), plan.wanted);
        let (queue, report) = (queue.clone(), report.clone());
        let work = move || {
            for Job {
                stripe,
                pieces,
                search,
            } in queue
            {
                let rebuild = || {
                    if search {
                        rebuilder.search(stripe, &pieces)
                    } else {
                        rebuilder.rebuild(stripe, &pieces)
                    }
                };
                // A panic says what it was; here it must only not be waited for.
                let result = panic::catch_unwind(AssertUnwindSafe(rebuild));
                let result = result.unwrap_or(Err(Unconfirmed::TooFew));
                if report.send(Event::Rebuilt(stripe, result)).is_err() {
                    return;
                }
            }
        };
        // With no thread at all the queue hangs up, and no stripe can be rebuilt.
        let _ = thread::Builder::new()
            .name(format!("rebuild {worker}"))
            .spawn(work);
    }
    jobs
}
