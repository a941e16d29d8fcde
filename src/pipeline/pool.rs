//! Buffers of one size, used again and again.

use std::sync::{Arc, Weak};

use bytes::Bytes;
use crossbeam_channel::{Receiver, Sender, unbounded};

/// Buffers that come back when the last `Bytes` made of them is dropped, wherever that is.
///
/// With a [`Pool::fixed`] count, [`Pool::take`] waits: this is what holds a fast reader to the pace
/// of its sinks. A [`Pool::growing`] one makes a buffer when none is free; there, something else
/// bounds how many are in use.
#[derive(Debug, Clone)]
pub(crate) struct Pool(Arc<Shelf>);

/// Takes from a pool as long as that is there. For threads that may be stuck for good, and must not
/// keep the free buffers with them.
#[derive(Debug, Clone)]
pub(crate) struct Borrower(Weak<Shelf>);

#[derive(Debug)]
struct Shelf {
    free: Receiver<Vec<u8>>,
    home: Sender<Vec<u8>>,
    len: usize,
    grows: bool,
}

impl Pool {
    /// `count` buffers of `len` bytes.
    pub(crate) fn fixed(count: usize, len: usize) -> Self {
        let pool = Self::new(len, false);
        (0..count).for_each(|_| pool.add_one());
        pool
    }

    /// As many buffers of `len` bytes as were in use at once.
    pub(crate) fn growing(len: usize) -> Self {
        Self::new(len, true)
    }

    fn new(len: usize, grows: bool) -> Self {
        // Not bounded by its capacity, but by the buffers that exist.
        let (home, free) = unbounded();
        Self(Arc::new(Shelf {
            free,
            home,
            len,
            grows,
        }))
    }

    pub(crate) fn borrower(&self) -> Borrower {
        Borrower(Arc::downgrade(&self.0))
    }

    /// One more buffer: for one that a stuck write may never give back.
    pub(crate) fn add_one(&self) {
        // The pool holds a receiver itself, so that this cannot fail.
        let _ = self.0.home.send(vec![0; self.0.len]);
    }

    /// A buffer with whatever was in it before.
    pub(crate) fn take(&self) -> Buffer {
        self.0.take()
    }
}

impl Borrower {
    /// A buffer as [`Pool::take`] gives it; `None` where the pool is gone, and with it whoever
    /// would have had a use for the buffer.
    pub(crate) fn take(&self) -> Option<Buffer> {
        Some(self.0.upgrade()?.take())
    }
}

impl Shelf {
    fn take(&self) -> Buffer {
        let free = if self.grows {
            self.free.try_recv().ok()
        } else {
            self.free.recv().ok()
        };
        let bytes = free.unwrap_or_else(|| vec![0; self.len]);
        Buffer {
            bytes,
            home: self.home.clone(),
        }
    }
}

/// A buffer on loan from a pool.
#[derive(Debug)]
pub(crate) struct Buffer {
    bytes: Vec<u8>,
    home: Sender<Vec<u8>>,
}

impl Buffer {
    /// Shares it out: it goes back to its pool with the last of the `Bytes`.
    pub(crate) fn freeze(self) -> Bytes {
        Bytes::from_owner(self)
    }
}

impl AsRef<[u8]> for Buffer {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl AsMut<[u8]> for Buffer {
    fn as_mut(&mut self) -> &mut [u8] {
        &mut self.bytes
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        // Where the pool is gone, so is the need for the buffer.
        let _ = self.home.send(std::mem::take(&mut self.bytes));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_buffer_comes_back_with_its_last_slice() {
        let pool = Pool::fixed(1, 8);
        let mut buffer = pool.take();
        buffer.as_mut()[3] = 7;
        let frames = buffer.freeze();
        let slice = frames.slice(2..4);
        drop(frames);
        assert!(pool.0.free.is_empty());
        drop(slice);
        assert_eq!(pool.take().as_ref()[3], 7, "the same buffer, not cleared");
    }

    #[test]
    fn who_is_stuck_keeps_no_free_buffers() {
        let pool = Pool::fixed(2, 8);
        let borrower = pool.borrower();
        let stuck = borrower.take().expect("the pool is there");
        let home = stuck.home.clone();
        drop(pool);
        assert!(borrower.take().is_none());
        assert!(home.send(Vec::new()).is_err(), "nothing is kept any more");
        drop(stuck);
    }
}
