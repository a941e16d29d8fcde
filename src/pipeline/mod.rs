//! The stages between a stream and its shares: threads, bounded channels, pooled buffers.
//!
//! [`spread`] takes stripes to n sinks, [`gather`] brings them back from n sources.
//!
//! # Why it ends
//!
//! Threads share nothing but channels, and what is listed below. So what could go wrong is that they wait
//! for each other in a circle, or that one waits for what does not come. Whoever waits, waits for what stands
//! further down in its list:
//!
//! - encode: the reader for its input, for a buffer, or for a worker to take one; a worker for the router;
//!   the router for room in a sink's queue, which it looks up from every 50 ms; a sink for the outside world. A
//!   buffer comes back when all sinks have written their frames of it or were dropped; the queues together
//!   hold fewer stripes than there are buffers, and a sink that is dropped gives back what its queue held, and
//!   the pool one more for the frame that it may sit on. The router never waits for a buffer.
//! - decode: a source for the outside world, and for requests; a worker for jobs. What they report, and what
//!   they are asked, goes through channels without bound, which the window bounds: nobody waits to send.
//! - The outside world may be the other end of our own pipes (encode into n FIFOs, read by one decode): decode
//!   reads all sources that cannot be positioned in step, needed or not, so that no sink waits for a source
//!   that decode does not read.
//!
//! The outside world may be silent for ever. A sink is dropped after its time-out, and so is a source that
//! others are ahead of; who asked to stop is heard in every wait of the router and of decode; and nobody joins
//! a thread that may be stuck. A thread whose other end is gone ends with its next message.
//!
//! Shared besides: counters that are only shown or compared with what they were (`taken`, `read_back`,
//! `Progress`), where any order is right; and `dropped`, which is set before the queue is emptied, and looked
//! at after each message is taken from it. A message that a sink takes from behind one that was taken away was
//! taken after that, so after `dropped` was set, and it stops; else a share could lack a frame in its middle.
//!
//! # Why there is no loom and no shuttle here
//!
//! Both run every interleaving of code that uses *their* locks, atomics and channels. Here the channels are
//! crossbeam's, with `select!` over several and time-outs, which neither has (loom has std's `mpsc` without
//! either, shuttle the same without `select`), so that a copy of these stages would be tried and not the
//! stages: with all that matters, who waits for whom, rewritten. What is left without channels is one flag,
//! and it is argued above. Instead tests/schedules.rs draws schedules by lot, of slow, dead, blocked and
//! resuming sinks and sources through the public traits, under a watchdog, and scripts/sanitize.sh has
//! `ThreadSanitizer` watch them.

pub(crate) mod budget;
pub(crate) mod gather;
pub(crate) mod muster;
pub(crate) mod pool;
pub(crate) mod proof;
pub(crate) mod rebuild;
pub(crate) mod spread;
pub(crate) mod stripe;
