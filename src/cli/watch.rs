//! Watches and stops a running operation: progress on a terminal, and signals.

use std::env;
use std::fmt::Write as _;
use std::fs;
use std::io::{self, IsTerminal, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use anyhow::Context;
use crossbeam_channel::{Sender, bounded};
use distdup::control::{Canceller, Control, Progress};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM, SIGUSR1};
use signal_hook::iterator::Signals;
use signal_hook::low_level::emulate_default_handler;

use super::console::Console;
use super::report::count;
use super::size::{show_size, show_time};

/// How often a line is drawn.
pub const REDRAW: Duration = Duration::from_millis(200);
/// Takes the cursor to the start of the line and clears it.
pub const CLEAR: &str = "\r\x1b[K";

/// An operation under watch. Dropping it takes the progress line away.
#[derive(Debug)]
pub struct Watch {
    /// What the operation is to be given.
    pub control: Control,
    began: Instant,
    stopped: Arc<AtomicBool>,
    drawing: Option<(Sender<()>, JoinHandle<()>)>,
}

impl Watch {
    /// Begins to watch. `total` is the length of the stream, if it is known; `end` is what
    /// progress counts failures of.
    pub fn start(console: Console, total: Option<u64>, end: &'static str) -> anyhow::Result<Self> {
        let (control, canceller) = Control::new();
        let line = Line {
            progress: Arc::clone(&control.progress),
            began: Instant::now(),
            total,
            end,
        };
        let drawing = if console.shows_progress() {
            Some(draw(line.clone())?)
        } else {
            None
        };
        let stopped = Arc::new(AtomicBool::new(false));
        let began = line.began;
        heed_signals(line, canceller, Arc::clone(&stopped))?;
        Ok(Self {
            control,
            began,
            stopped,
            drawing,
        })
    }

    /// How long it has been.
    pub fn elapsed(&self) -> Duration {
        self.began.elapsed()
    }

    /// Whether a signal asked to stop.
    pub fn was_stopped(&self) -> bool {
        self.stopped.load(Ordering::Relaxed)
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        if let Some((stop, thread)) = self.drawing.take() {
            drop(stop);
            let _ = thread.join();
        }
    }
}

#[derive(Debug, Clone)]
struct Line {
    progress: Arc<Progress>,
    began: Instant,
    total: Option<u64>,
    end: &'static str,
}

impl Line {
    fn text(&self) -> String {
        let failed = (self.progress.failed(), self.end);
        line(
            self.progress.bytes(),
            self.began.elapsed(),
            self.total,
            failed,
        )
    }
}

/// How far something is; `failed` is a number of ends, and what they are called.
#[allow(clippy::cast_precision_loss)] // Three figures are shown.
pub fn line(bytes: u64, elapsed: Duration, total: Option<u64>, failed: (usize, &str)) -> String {
    let rate = bytes as f64 / elapsed.as_secs_f64().max(0.001);
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    let mut text = format!(
        "{}  {}/s  {}",
        show_size(bytes),
        show_size(rate as u64),
        show_time(elapsed)
    );
    if let Some(total) = total.filter(|&total| total >= bytes && total > 0) {
        let _ = write!(text, "  {} %", u128::from(bytes) * 100 / u128::from(total));
        let left = Duration::try_from_secs_f64((total - bytes) as f64 / rate);
        if let Ok(left) = left {
            let _ = write!(text, "  {} left", show_time(left));
        }
    }
    if let (1.., end) = failed {
        let _ = write!(text, "  {} failed", count(failed.0, end));
    }
    text
}

/// Draws a line in place of the last one.
pub fn redraw(text: &str) {
    let _ = write!(io::stderr(), "{CLEAR}{text}");
}

/// Says how far something is to somebody who asked by SIGUSR1.
pub fn answer(text: &str) {
    let clear = if io::stderr().is_terminal() {
        CLEAR
    } else {
        ""
    };
    let _ = writeln!(io::stderr(), "{clear}{text}");
}

/// Signals by which somebody asks to stop.
pub fn stops() -> impl Iterator<Item = i32> {
    // Under nohup, the end of the terminal is to change nothing.
    let hangup = (!is_ignored(SIGHUP)).then_some(SIGHUP);
    [SIGINT, SIGTERM].into_iter().chain(hangup)
}

fn draw(line: Line) -> anyhow::Result<(Sender<()>, JoinHandle<()>)> {
    let (stop, stopped) = bounded::<()>(0);
    let draw = move || {
        while let Err(crossbeam_channel::RecvTimeoutError::Timeout) = stopped.recv_timeout(REDRAW) {
            redraw(&line.text());
        }
        redraw("");
    };
    let thread = thread::Builder::new()
        .name("progress".into())
        .spawn(draw)
        .context("cannot start a thread")?;
    Ok((stop, thread))
}

/// The first SIGINT, SIGTERM or SIGHUP cancels, the second kills; SIGUSR1 asks how far it is.
fn heed_signals(line: Line, canceller: Canceller, stopped: Arc<AtomicBool>) -> anyhow::Result<()> {
    let mut signals =
        Signals::new(stops().chain([SIGUSR1])).context("cannot listen for signals")?;
    let heed = move || {
        for signal in &mut signals {
            if signal == SIGUSR1 {
                answer(&line.text());
            } else if stopped.swap(true, Ordering::Relaxed) {
                let _ = emulate_default_handler(signal);
            } else {
                canceller.cancel();
            }
        }
    };
    thread::Builder::new()
        .name("signals".into())
        .spawn(heed)
        .context("cannot start a thread")?;
    Ok(())
}

/// Whether whoever started us had this signal ignored. Not known means no.
fn is_ignored(signal: i32) -> bool {
    fs::read_to_string("/proc/self/status")
        .ok()
        .and_then(|status| {
            let mask = status
                .lines()
                .find_map(|line| line.strip_prefix("SigIgn:"))?;
            u64::from_str_radix(mask.trim(), 16).ok()
        })
        .is_some_and(|mask| mask >> (signal - 1) & 1 == 1)
}

/// Whether standard error can show a line that is drawn again and again.
pub fn can_redraw() -> bool {
    io::stderr().is_terminal() && env::var_os("TERM").is_none_or(|term| term != "dumb")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(bytes: u64, failed: usize, total: Option<u64>) -> String {
        let (control, _) = Control::new();
        control.progress.bytes.store(bytes, Ordering::Relaxed);
        control.progress.failed.store(failed, Ordering::Relaxed);
        let began = Instant::now().checked_sub(Duration::from_secs(10)).unwrap();
        Line {
            progress: control.progress,
            began,
            total,
            end: "sink",
        }
        .text()
    }

    #[test]
    fn an_end_is_shown_only_where_there_is_one() {
        assert_eq!(line(50_000_000, 0, None), "50 MB  5.0 MB/s  10.0 s");
        assert_eq!(
            line(50_000_000, 1, Some(100_000_000)),
            "50 MB  5.0 MB/s  10.0 s  50 %  10.0 s left  1 sink failed"
        );
        // A hint that proved wrong is no end.
        assert_eq!(line(50_000_000, 0, Some(1)), "50 MB  5.0 MB/s  10.0 s");
        assert_eq!(line(0, 0, Some(0)), "0 bytes  0 bytes/s  10.0 s");
        assert_eq!(line(0, 0, Some(9)), "0 bytes  0 bytes/s  10.0 s  0 %");
    }
}
