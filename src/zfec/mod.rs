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
use std::time::Duration;

use crossbeam_channel::{bounded, select};
use distdup_codecs::{Code, CodecError, Geometry, family};

pub use decode::{DecodeReport, decode};
pub use encode::encode;
pub use error::ZfecError;
pub use header::Header;

use crate::control::Control;

/// Bytes of a full stripe's shard.
const CHUNK: usize = 4096;
/// Bytes of a share that are worked on at a time: less than a pipe holds, so that n shares can go
/// through n pipes in turn.
const BATCH: usize = 8 * CHUNK;
/// How long is waited for what was asked to stop.
const GRACE: Duration = Duration::from_secs(1);

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
/// Those that do not open are left behind when asked to stop.
fn open_all<T: Send + 'static, O: Send + 'static>(
    all: Vec<T>,
    open: fn(T) -> Result<O, ZfecError>,
    control: &Control,
) -> Result<Vec<O>, ZfecError> {
    let opening = all.into_iter().map(|one| {
        let (report, opened) = bounded(1);
        // Whoever would hear it may be gone.
        thread::spawn(move || drop(report.send(open(one))));
        opened
    });
    let opening: Vec<_> = opening.collect();
    let opened = opening.into_iter().map(|opened| {
        select! {
            recv(opened) -> opened => opened.unwrap_or(Err(ZfecError::Cancelled)), // it panicked
            recv(control.cancelled) -> _ => Err(ZfecError::Cancelled),
        }
    });
    opened.collect()
}

/// Has `work` done on a thread of its own, so that a read or a write that is stuck keeps nobody from
/// stopping.
fn apart<T: Send + 'static>(
    control: &Control,
    work: impl FnOnce(&Control) -> Result<T, ZfecError> + Send + 'static,
) -> Result<T, ZfecError> {
    let (report, done) = bounded(1);
    let own = control.clone();
    thread::spawn(move || drop(report.send(work(&own))));
    select! {
        recv(done) -> result => return result.unwrap_or(Err(ZfecError::Cancelled)), // it panicked
        recv(control.cancelled) -> _ => {}
    }
    // What is not stuck stops by itself, and takes away what it wrote.
    done.recv_timeout(GRACE)
        .unwrap_or(Err(ZfecError::Cancelled))
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
