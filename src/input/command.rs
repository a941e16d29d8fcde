//! Streams that a command writes.

use std::ffi::{OsStr, OsString};
use std::io::{self, Read};
use std::process::{ChildStdout, Command};

use super::Input;
use crate::command::Running;

/// What a command prints. It ends well only if the command does: exit status 0 is the one proof
/// that what came through a pipe is all of it. Dropping it kills the command.
#[derive(Debug)]
pub struct FromCommand {
    running: Running,
    output: ChildStdout,
}

impl FromCommand {
    /// Starts `program` with `arguments`, with our standard input and standard error.
    ///
    /// # Errors
    /// It cannot be started.
    pub fn start(program: &OsStr, arguments: &[OsString]) -> io::Result<Self> {
        let (running, output) = Running::reading_from(Command::new(program).args(arguments))?;
        Ok(Self { running, output })
    }
}

impl Read for FromCommand {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        self.output.read(buf)
    }
}

impl Input for FromCommand {
    fn confirm_end(&mut self, _total: u64) -> io::Result<()> {
        self.running.finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(script: &str) -> (Vec<u8>, io::Result<()>) {
        let arguments = ["-c".into(), script.into()];
        let mut input = FromCommand::start(OsStr::new("sh"), &arguments).unwrap();
        let mut data = Vec::new();
        input.read_to_end(&mut data).unwrap();
        let total = data.len() as u64;
        (data, input.confirm_end(total))
    }

    #[test]
    fn it_ends_well_only_with_its_command() {
        let (data, end) = run("printf data");
        assert_eq!(data, b"data");
        end.unwrap();
        let (data, end) = run("printf data; exit 9");
        assert_eq!(data, b"data");
        assert_eq!(
            end.unwrap_err().to_string(),
            "the command failed with exit status 9"
        );
        let (data, end) = run("printf data; kill -15 $$");
        assert_eq!(data, b"data");
        assert_eq!(
            end.unwrap_err().to_string(),
            "the command was killed by signal 15"
        );
    }

    #[test]
    fn a_program_that_is_missing_is_named() {
        let error = FromCommand::start(OsStr::new("/no/such/program"), &[]).unwrap_err();
        assert_eq!(error.to_string(), "cannot start /no/such/program");
    }
}
