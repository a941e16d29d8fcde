//! Buffers of one size, used again and again.

use bytes::Bytes;
use crossbeam_channel::{Receiver, Sender, unbounded};

/// Buffers that come back when the last `Bytes` made of them is dropped, wherever that is.
///
/// With a [`Pool::fixed`] count, [`Pool::take`] waits: this is what holds a fast reader to the pace
/// of its sinks. A [`Pool::growing`] one makes a buffer when none is free; there, something else
/// bounds how many are in use.
#[derive(Debug, Clone)]
pub(crate) struct Pool {
    free: Receiver<Vec<u8>>,
    home: Sender<Vec<u8>>,
    len: usize,
    grows: bool,
}

impl Pool {
    /// `count` buffers of `len` bytes.
    pub(crate) fn fixed(count: usize, len: usize) -> Self {
        let pool = Self {
            grows: false,
            ..Self::growing(len)
        };
        (0..count).for_each(|_| pool.add_one());
        pool
    }

    /// As many buffers of `len` bytes as were in use at once.
    pub(crate) fn growing(len: usize) -> Self {
        // Not bounded by its capacity, but by the buffers that exist.
        let (home, free) = unbounded();
        Self {
            free,
            home,
            len,
            grows: true,
        }
    }

    /// One more buffer: for one that a stuck write may never give back.
    pub(crate) fn add_one(&self) {
        self.give(vec![0; self.len]);
    }

    /// A buffer with whatever was in it before.
    pub(crate) fn take(&self) -> Buffer {
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

    fn give(&self, buffer: Vec<u8>) {
        // The pool holds a receiver itself, so that this cannot fail.
        let _ = self.home.send(buffer);
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
        assert!(pool.free.is_empty());
        drop(slice);
        assert_eq!(pool.take().as_ref()[3], 7, "the same buffer, not cleared");
    }
}
