//! Where a decoded stream goes.

use std::io::{self, ErrorKind, Write};
use std::thread;
use std::time::Duration;

use bytes::Bytes;
use crossbeam_channel::{Receiver, Sender, bounded, select};

use super::{DecodeError, GatherError};
use crate::control::Control;
use crate::pipeline::rebuild::GoodStripe;
use crate::sink::{Sink, SinkWriter};

/// Stripes that may wait for the output.
const OUTPUT_QUEUE: usize = 1;
/// How long an aborted output is given to remove what it wrote.
const ABORT_GRACE: Duration = Duration::from_secs(2);
/// Written as often as it takes for what is missing.
static ZEROS: [u8; 64 << 10] = [0; 64 << 10];

/// The output's thread, so that reading goes on while it writes.
pub(super) struct Output {
    messages: Option<Sender<Message>>,
    done: Receiver<Result<(), DecodeError>>,
}

/// To hang up without an end is to abort.
pub(super) enum Message {
    Stripe(GoodStripe),
    /// What there is of a stripe, piece by piece.
    Pieces(Vec<Piece>),
    /// The stream ends, at that length: what is missing before it is filled up.
    End(u64),
}

/// A part of the stream.
pub(super) enum Piece {
    Bytes(Bytes),
    /// So many bytes are missing, and become zeros.
    Missing(u64),
}

impl Output {
    pub(super) fn start(sink: Box<dyn Sink>, k: usize) -> Result<Self, DecodeError> {
        let (messages, queue) = bounded(OUTPUT_QUEUE);
        let (report, done) = bounded(1);
        thread::Builder::new()
            .name("write".into())
            .spawn(move || {
                // Whoever would hear it may be gone.
                let _ = report.send(write(sink, k, &queue));
            })
            .map_err(|source| DecodeError::Output { offset: 0, source })?;
        Ok(Self {
            messages: Some(messages),
            done,
        })
    }

    pub(super) fn give(&self, message: Message, control: &Control) -> Result<(), DecodeError> {
        let messages = self.messages.as_ref().expect("taken only at the end");
        select! {
            send(messages, message) -> sent => match sent {
                Ok(()) => Ok(()),
                Err(_) => self.wait(control),
            },
            recv(control.cancelled) -> _ => Err(GatherError::Cancelled.into()),
        }
    }

    pub(super) fn finish(mut self, length: u64, control: &Control) -> Result<(), DecodeError> {
        self.give(Message::End(length), control)?;
        self.messages = None;
        self.wait(control)
    }

    /// Waits for what the thread has to say. Who asks to stop while the output is being finished is told
    /// whether it was, if it does not take long.
    fn wait(&self, control: &Control) -> Result<(), DecodeError> {
        select! {
            recv(self.done) -> done => done.unwrap_or_else(|_| {
                // The thread panicked, and has said so.
                Err(DecodeError::Output { offset: 0, source: ErrorKind::BrokenPipe.into() })
            }),
            recv(control.cancelled) -> _ => self
                .done
                .recv_timeout(ABORT_GRACE)
                .unwrap_or_else(|_| Err(GatherError::Cancelled.into())),
        }
    }
}

impl Drop for Output {
    fn drop(&mut self) {
        if self.messages.take().is_some() {
            // Gives it a little time to remove what is unfinished; a stuck one is left behind.
            let _ = self.done.recv_timeout(ABORT_GRACE);
        }
    }
}

fn write(sink: Box<dyn Sink>, k: usize, queue: &Receiver<Message>) -> Result<(), DecodeError> {
    let mut offset = 0;
    let write = || -> io::Result<()> {
        let mut filled = Filled {
            writer: sink.open()?,
            offset: &mut offset,
            missing: 0,
        };
        for message in queue {
            match message {
                Message::Stripe(stripe) => {
                    stripe.data(k).try_for_each(|piece| filled.write(piece))?;
                }
                Message::Pieces(pieces) => {
                    for piece in pieces {
                        match piece {
                            Piece::Bytes(bytes) => filled.write(&bytes)?,
                            Piece::Missing(count) => filled.missing += count,
                        }
                    }
                }
                Message::End(length) => return filled.finish(length),
            }
        }
        Ok(()) // nobody will hear it
    };
    write().map_err(|source| DecodeError::Output { offset, source })
}

/// A writer that fills up what is missing, once it is known how much that is: at the stream's end
/// it may be less than a stripe.
struct Filled<'a> {
    writer: Box<dyn SinkWriter>,
    /// Bytes that it has taken.
    offset: &'a mut u64,
    missing: u64,
}

impl Filled<'_> {
    fn write(&mut self, piece: &[u8]) -> io::Result<()> {
        self.fill()?;
        self.take(piece)
    }

    fn take(&mut self, piece: &[u8]) -> io::Result<()> {
        self.writer.write_all(piece)?;
        *self.offset += piece.len() as u64;
        Ok(())
    }

    fn fill(&mut self) -> io::Result<()> {
        while self.missing > 0 {
            let most = ZEROS.len() as u64;
            let piece = usize::try_from(self.missing.min(most)).expect("no more than there are");
            self.take(&ZEROS[..piece])?;
            self.missing -= piece as u64;
        }
        Ok(())
    }

    fn finish(mut self, length: u64) -> io::Result<()> {
        self.missing = length.saturating_sub(*self.offset);
        self.fill()?;
        self.writer.flush()?;
        self.writer.finish()
    }
}
