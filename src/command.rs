//! Commands that a share or a stream goes to or comes from.

use std::ffi::OsStr;
use std::io;
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, ChildStdin, ChildStdout, Command, ExitStatus, Stdio};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, pidfd_open};

use crate::catalogue::catalogue;
use crate::pipe;
use crate::quote::quote;

/// How long a command that has hung up on us is given to end, so that its exit status can be told
/// instead of a broken pipe.
const PARTING: Duration = Duration::from_secs(1);

/// Why a command's work does not count.
#[derive(Debug, thiserror::Error)]
pub enum CommandError {
    /// It could not be started.
    #[error("cannot start {command}")]
    Start {
        /// Its program.
        command: String,
        /// The cause.
        source: io::Error,
    },
    /// It ended with another status than 0.
    #[error("the command failed with exit status {0}")]
    Status(i32),
    /// It was killed.
    #[error("the command was killed by signal {0}")]
    Signal(i32),
    /// It closed its end of the pipe early, but did not end.
    #[error("the command stopped reading")]
    HungUp,
}

catalogue! {
    CommandError {
        Self::Start { .. } => "command-not-started":
            "Nothing was read or written."
            "Look whether the program is there: command -v PROGRAM";
        Self::Status(_) | Self::Signal(_) => "command-failed":
            "What it read or wrote does not count, since it says itself that it failed."
            "See what it said, mend that, and run the same command again.";
        Self::HungUp => "command-hung-up":
            "It has not taken its share."
            "See why it stops reading, and run the same command again.";
    }
}

impl From<CommandError> for io::Error {
    fn from(error: CommandError) -> Self {
        match error {
            CommandError::HungUp => Self::new(io::ErrorKind::BrokenPipe, error),
            _ => Self::other(error),
        }
    }
}

/// A command that runs. Dropping it kills and reaps it, so that whatever it was to do with all of
/// its input it does not do with a part of it.
#[derive(Debug)]
pub(crate) struct Running(Option<Child>);

impl Running {
    /// `command` as the shell understands it.
    pub(crate) fn shell(command: &OsStr) -> Command {
        let mut shell = Command::new("/bin/sh");
        shell.arg("-c").arg(command);
        shell
    }

    /// Starts a command that writes to the pipe returned.
    pub(crate) fn reading_from(command: &mut Command) -> io::Result<(Self, ChildStdout)> {
        let mut running = Self::start(command.stdout(Stdio::piped()))?;
        let output = running.0.as_mut().and_then(|child| child.stdout.take());
        let output = output.ok_or(io::ErrorKind::BrokenPipe)?;
        pipe::grow(&output);
        Ok((running, output))
    }

    /// Starts a command that reads the pipe returned. What it prints goes to our standard error,
    /// because our standard output may carry data.
    pub(crate) fn writing_to(command: &mut Command) -> io::Result<(Self, ChildStdin)> {
        command.stdin(Stdio::piped()).stdout(io::stderr());
        let mut running = Self::start(command)?;
        let input = running.0.as_mut().and_then(|child| child.stdin.take());
        let input = input.ok_or(io::ErrorKind::BrokenPipe)?;
        pipe::grow(&input);
        Ok((running, input))
    }

    fn start(command: &mut Command) -> io::Result<Self> {
        let child = command.spawn().map_err(|source| CommandError::Start {
            command: quote(command.get_program().as_encoded_bytes()),
            source,
        })?;
        Ok(Self(Some(child)))
    }

    /// Waits for it to end. It is an error if it does not end well, and `Ok` ever after if it does.
    pub(crate) fn finish(&mut self) -> io::Result<()> {
        let Some(child) = &mut self.0 else {
            return Ok(());
        };
        let status = child.wait()?;
        self.0 = None;
        judge(status)
    }

    /// Its exit status if it ends within a moment, and at least that it reads no more.
    fn hung_up(&mut self) -> io::Error {
        match self.ended_within(PARTING) {
            Ok(Some(status)) => judge(status)
                .err()
                .unwrap_or_else(|| CommandError::HungUp.into()),
            Ok(None) => CommandError::HungUp.into(),
            Err(error) => error,
        }
    }

    /// `result` of a write; where that is a broken pipe, what became of the command instead.
    pub(crate) fn explain<T>(&mut self, result: io::Result<T>) -> io::Result<T> {
        match result {
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Err(self.hung_up()),
            result => result,
        }
    }

    fn ended_within(&mut self, limit: Duration) -> io::Result<Option<ExitStatus>> {
        let Some(child) = &mut self.0 else {
            return Ok(None);
        };
        if let Some(pid) = i32::try_from(child.id()).ok().and_then(Pid::from_raw)
            && let Ok(watch) = pidfd_open(pid, PidfdFlags::empty())
        {
            let limit = Timespec::try_from(limit).map_err(io::Error::other)?;
            // Interrupted or not: the next line says what is known.
            let _ = poll(&mut [PollFd::new(&watch, PollFlags::IN)], Some(&limit));
        }
        child.try_wait()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let Some(mut child) = self.0.take() else {
            return;
        };
        let _ = child.kill();
        // A process that the kernel holds on to is not waited for here: a thread reaps it.
        if let Ok(None) = child.try_wait() {
            let _ = std::thread::Builder::new()
                .name("reaper".into())
                .spawn(move || child.wait());
        }
    }
}

fn judge(status: ExitStatus) -> io::Result<()> {
    match (status.code(), status.signal()) {
        (Some(0), _) => Ok(()),
        (Some(code), _) => Err(CommandError::Status(code).into()),
        (None, signal) => Err(CommandError::Signal(signal.unwrap_or_default()).into()),
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};

    use super::*;

    fn shell(text: &str) -> Command {
        Running::shell(OsStr::new(text))
    }

    #[test]
    fn only_status_0_is_an_end() {
        for (text, expected) in [
            ("exit 0", None),
            ("exit 3", Some("exit status 3")),
            ("kill -9 $$", Some("killed by signal 9")),
        ] {
            let (mut running, mut output) =
                Running::reading_from(shell(text).stdin(Stdio::null())).unwrap();
            output.read_to_end(&mut Vec::new()).unwrap();
            match (running.finish(), expected) {
                (Ok(()), None) => running.finish().unwrap(),
                (Err(error), Some(expected)) => {
                    assert!(error.to_string().contains(expected), "{error}");
                }
                (result, _) => panic!("{text}: {result:?}"),
            }
        }
    }

    #[test]
    fn a_program_that_is_missing_is_named() {
        let error = Running::reading_from(&mut Command::new("/nowhere/to/be\nfound")).unwrap_err();
        assert_eq!(error.to_string(), "cannot start /nowhere/to/be\\nfound");
    }

    #[test]
    fn a_broken_pipe_is_told_as_what_caused_it() {
        for (text, expected) in [
            ("exit 7", "exit status 7"),
            ("exec 0<&-; exit 0", "stopped reading"),
            ("exec 0<&-; exec sleep 1000", "stopped reading"),
        ] {
            let (mut running, mut input) = Running::writing_to(&mut shell(text)).unwrap();
            let error = loop {
                let result = input.write(&[0; 4096]);
                if let Err(error) = running.explain(result) {
                    break error;
                }
            };
            assert!(error.to_string().contains(expected), "{text}: {error}");
        }
    }

    #[test]
    fn dropping_kills() {
        let (running, mut output) =
            Running::reading_from(shell("echo up; exec sleep 1000").stdin(Stdio::null())).unwrap();
        let mut up = [0; 3];
        output.read_exact(&mut up).unwrap();
        drop(running);
        assert_eq!(output.read(&mut up).unwrap(), 0); // Or this would wait 1000 seconds.
    }
}
