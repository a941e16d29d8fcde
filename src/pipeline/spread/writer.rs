//! One sink's thread.

use std::io::{self, ErrorKind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use bytes::Bytes;
use crossbeam_channel::{Receiver, Sender};

use super::outcome::SinkFailure;
use crate::sink::{Sink, SinkWriter};
use crate::source::SourceReader;

/// What a sink's thread is given. To hang up without an ending is to abort.
pub(super) enum Message {
    Frame(Bytes),
    AllFrames,
    Ending(Bytes),
}

/// What a sink's thread reports.
pub(super) enum Event {
    TookAll(usize),
    Finished(usize),
    Failed(usize, SinkFailure),
    /// The sink's thread is done with what it was told to abort.
    Aborted,
}

/// A sink's thread.
pub(super) struct Writer {
    pub(super) lane: usize,
    pub(super) queue: Receiver<Message>,
    pub(super) taken: Arc<AtomicU64>,
    pub(super) dropped: Arc<AtomicBool>,
    pub(super) report: Sender<Event>,
    pub(super) check: Option<Check>,
    /// Bytes that were read back.
    pub(super) read_back: Arc<AtomicU64>,
}

/// Reads what a sink has taken back, and counts its bytes on the way: an error if it is not what was
/// written.
pub(crate) type Check =
    Arc<dyn Fn(Box<dyn SourceReader>, &AtomicU64) -> io::Result<()> + Send + Sync>;

impl Writer {
    pub(super) fn run(self, sink: Box<dyn Sink>, header: &[u8]) {
        let event = match self.serve(sink, header) {
            Ok(true) => Event::Finished(self.lane),
            Ok(false) => Event::Aborted,
            Err(failure) => Event::Failed(self.lane, failure),
        };
        // Whoever would hear it may be gone.
        let _ = self.report.send(event);
    }

    /// Whether the share was completed, rather than aborted by hanging up.
    fn serve(&self, sink: Box<dyn Sink>, header: &[u8]) -> Result<bool, SinkFailure> {
        let mut writer = sink.open().map_err(SinkFailure::Open)?;
        self.write(writer.as_mut(), header)?;
        while let Ok(message) = self.queue.recv() {
            if self.dropped.load(Ordering::SeqCst) {
                break; // what came before it may have been taken away
            }
            match message {
                Message::Frame(bytes) => self.write(writer.as_mut(), &bytes)?,
                Message::AllFrames => {
                    self.flush(writer.as_mut())?;
                    let _ = self.report.send(Event::TookAll(self.lane));
                }
                Message::Ending(bytes) => {
                    self.write(writer.as_mut(), &bytes)?;
                    self.flush(writer.as_mut())?;
                    let offset = self.taken.load(Ordering::Relaxed);
                    return self
                        .check(writer.as_mut())
                        .and_then(|()| writer.finish())
                        .map(|()| true)
                        .map_err(|source| SinkFailure::Finish { offset, source });
                }
            }
        }
        Ok(false)
    }

    fn check(&self, writer: &mut dyn SinkWriter) -> io::Result<()> {
        let Some(check) = &self.check else {
            return Ok(());
        };
        match writer.read_back()? {
            Some(reader) => check(reader, &self.read_back),
            None => Ok(()),
        }
    }

    fn write(&self, writer: &mut dyn SinkWriter, mut bytes: &[u8]) -> Result<(), SinkFailure> {
        while !bytes.is_empty() {
            let source = match writer.write(bytes) {
                Ok(0) => io::Error::from(ErrorKind::WriteZero),
                Ok(count) => {
                    bytes = &bytes[count..];
                    self.taken.fetch_add(count as u64, Ordering::Relaxed);
                    continue;
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) => error,
            };
            return Err(SinkFailure::Write {
                offset: self.taken.load(Ordering::Relaxed),
                source,
            });
        }
        Ok(())
    }

    fn flush(&self, writer: &mut dyn SinkWriter) -> Result<(), SinkFailure> {
        loop {
            match writer.flush() {
                Ok(()) => return Ok(()),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(source) => {
                    let offset = self.taken.load(Ordering::Relaxed);
                    return Err(SinkFailure::Write { offset, source });
                }
            }
        }
    }
}
