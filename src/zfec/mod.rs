//! Shares as zfec's program writes them: `.fec` files, read and written.
//!
//! A share is a [`Header`] and then its shards, one after another, with nothing between them and
//! nothing behind. A stripe has shards of 4096 bytes, the last one as many as are needed, so that
//! the stream and its padding are k times as long as a share without its header. The code is
//! [`rs8`](distdup_codecs::rs8); with k = n there is none.
//!
//! There is no digest and no name in it: a damaged share, or one of another stream with the same
//! geometry and padding, is seen only where more than k shares contradict each other.

mod decode;
mod encode;
mod error;
mod header;

use std::io::{self, ErrorKind, Read};
use std::sync::Arc;
use std::thread;

use distdup_codecs::{Code, CodecError, Geometry, family};

pub use decode::{DecodeReport, decode};
pub use encode::encode;
pub use error::ZfecError;
pub use header::Header;

/// Bytes of a full stripe's shard.
const CHUNK: usize = 4096;
/// Bytes of a share that are worked on at a time: less than a pipe holds, so that n shares can go
/// through n pipes in turn.
const BATCH: usize = 8 * CHUNK;

/// The code; none where k = n, for then there are only data shards.
fn code(k: usize, n: usize) -> Result<Option<Arc<dyn Code>>, CodecError> {
    if k == n && k > 1 {
        return Ok(None);
    }
    let geometry = Geometry::new(k, n)?;
    if n == 1 {
        return Ok(None);
    }
    family("rs8")?.code(geometry, None).map(Some)
}

/// Opens all, each on a thread of its own, since pipes wait for their other ends, in whatever order.
fn open_all<T: Send, O: Send>(all: Vec<T>, open: impl Fn(T) -> O + Sync) -> Vec<O> {
    thread::scope(|scope| {
        let open = &open;
        let opening: Vec<_> = all
            .into_iter()
            .map(|one| scope.spawn(move || open(one)))
            .collect();
        let opened = opening.into_iter().map(thread::ScopedJoinHandle::join);
        opened
            .map(|opened| opened.unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
            .collect()
    })
}

/// Fills `buffer`; less only at the end.
fn fill(reader: &mut (impl Read + ?Sized), buffer: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0;
    while filled < buffer.len() {
        match reader.read(&mut buffer[filled..]) {
            Ok(0) => break,
            Ok(count) => filled += count,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}
