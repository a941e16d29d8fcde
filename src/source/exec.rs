//! Commands that print a share: `exec:COMMAND`.

use std::ffi::{OsStr, OsString};
use std::io::{self, Read};
use std::process::{ChildStdout, Stdio};

use super::{Kind, Scheme, Source, SourceError, SourceReader};
use crate::command::Running;
use crate::quote::quote;

/// The scheme `exec:`.
#[derive(Debug)]
pub struct Exec;

impl Scheme for Exec {
    fn scheme(&self) -> &'static str {
        "exec"
    }

    fn summary(&self) -> &'static str {
        "exec:COMMAND, a shell command that prints it and exits 0"
    }
}

impl Kind for Exec {
    fn source(&self, command: &OsStr) -> Result<Box<dyn Source>, SourceError> {
        if command.as_encoded_bytes().trim_ascii().is_empty() {
            return Err(SourceError::NoCommand);
        }
        Ok(Box::new(ExecSource {
            command: command.to_owned(),
        }))
    }
}

#[derive(Debug)]
struct ExecSource {
    command: OsString,
}

impl Source for ExecSource {
    fn name(&self) -> String {
        format!("exec:{}", quote(self.command.as_encoded_bytes()))
    }

    fn open(self: Box<Self>) -> io::Result<Box<dyn SourceReader>> {
        let (running, output) =
            Running::reading_from(Running::shell(&self.command).stdin(Stdio::null()))?;
        Ok(Box::new(ExecReader { running, output }))
    }
}

#[derive(Debug)]
struct ExecReader {
    running: Running,
    output: ChildStdout,
}

impl Read for ExecReader {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let count = self.output.read(buf)?;
        if count == 0 && !buf.is_empty() {
            // What it printed may be cut short: that is no end, unless it says so.
            self.running.finish()?;
        }
        Ok(count)
    }
}

impl SourceReader for ExecReader {}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(command: &str) -> (Vec<u8>, io::Result<usize>) {
        let mut reader = Exec.source(OsStr::new(command)).unwrap().open().unwrap();
        let mut data = Vec::new();
        let result = reader.read_to_end(&mut data);
        (data, result)
    }

    #[test]
    fn what_it_prints_is_read() {
        let (data, result) = read("printf data");
        assert_eq!((&data[..], result.unwrap()), (&b"data"[..], 4));
        assert_eq!(read("cat; printf x").0, b"x"); // Its standard input is empty.
    }

    #[test]
    fn a_command_that_fails_has_no_end() {
        let (data, result) = read("printf data; exit 2");
        assert_eq!(data, b"data");
        assert_eq!(
            result.unwrap_err().to_string(),
            "the command failed with exit status 2"
        );
        let error = read("printf data; kill -9 $$").1.unwrap_err();
        assert_eq!(error.to_string(), "the command was killed by signal 9");
    }
}
