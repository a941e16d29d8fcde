//! How a running operation is watched and stopped from outside.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use crossbeam_channel::{Receiver, Sender, TryRecvError};

/// Counters of a running operation, read at any time by whoever shows progress.
#[derive(Debug, Default)]
pub struct Progress {
    /// Bytes of the stream that went through.
    pub bytes: AtomicU64,
    /// Sinks or sources that failed so far.
    pub failed: AtomicUsize,
}

impl Progress {
    /// Bytes of the stream that went through so far.
    pub fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }
    /// Sinks or sources that failed so far.
    pub fn failed(&self) -> usize {
        self.failed.load(Ordering::Relaxed)
    }
}

/// Stops operations: keep it, and [`cancel`](Canceller::cancel) from any thread.
#[derive(Debug, Clone)]
pub struct Canceller(Arc<Mutex<Option<Sender<()>>>>);

impl Canceller {
    /// Has every operation that was given the control abort, now and from now on. It returns
    /// `Cancelled` and leaves nothing that looks finished.
    pub fn cancel(&self) {
        // Nothing is ever sent: a channel without a sender is what operations look for, since it
        // stays so for whoever looks later.
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
    }
}

/// What an operation is given to be watched and stopped by.
#[derive(Debug, Clone)]
pub struct Control {
    /// Counters that the operation keeps up to date.
    pub progress: Arc<Progress>,
    /// Hung up when the operation is to stop.
    pub(crate) cancelled: Receiver<()>,
    /// Keeps the sender where the canceller was dropped: that stops nothing.
    _open: Canceller,
}

impl Control {
    /// A fresh control, and its canceller. (An operation ends as cancelled only by
    /// [`Canceller::cancel`]; dropping the canceller does nothing.)
    pub fn new() -> (Self, Canceller) {
        let (sender, cancelled) = crossbeam_channel::bounded(0);
        let stop = Canceller(Arc::new(Mutex::new(Some(sender))));
        let control = Self {
            progress: Arc::default(),
            cancelled,
            _open: stop.clone(),
        };
        (control, stop)
    }

    /// Whether it was asked to stop.
    pub fn is_cancelled(&self) -> bool {
        self.cancelled.try_recv() == Err(TryRecvError::Disconnected)
    }
}
