//! How a running operation is watched and stopped from outside.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use crossbeam_channel::{Receiver, Sender};

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
pub struct Canceller(Sender<()>);

impl Canceller {
    /// Asks the operation to abort. It returns `Cancelled` and leaves nothing that looks finished.
    pub fn cancel(&self) {
        // A full channel means that it was asked before; a closed one, that it has ended.
        let _ = self.0.try_send(());
    }
}

/// What an operation is given to be watched and stopped by.
#[derive(Debug, Clone)]
pub struct Control {
    /// Counters that the operation keeps up to date.
    pub progress: Arc<Progress>,
    pub(crate) cancelled: Receiver<()>,
    /// Without a sender, `cancelled` would look as if it had been sent to.
    _open: Sender<()>,
}

impl Control {
    /// A fresh control, and its canceller. (An operation ends as cancelled only by
    /// [`Canceller::cancel`]; dropping the canceller does nothing.)
    pub fn new() -> (Self, Canceller) {
        let (sender, cancelled) = crossbeam_channel::bounded(1);
        let stop = Canceller(sender.clone());
        (
            Self {
                progress: Arc::default(),
                cancelled,
                _open: sender,
            },
            stop,
        )
    }
}
