//! Commands that read a share: `exec:COMMAND`.

use std::ffi::{OsStr, OsString};
use std::io::{self, IoSlice, Write};
use std::process::ChildStdin;

use super::{Kind, Options, Scheme, Sink, SinkError, SinkWriter};
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
        "exec:COMMAND, a shell command that reads it from its standard input and exits 0"
    }
}

impl Kind for Exec {
    fn sink(&self, command: &OsStr, _: Options) -> Result<Box<dyn Sink>, SinkError> {
        if command.as_encoded_bytes().trim_ascii().is_empty() {
            return Err(SinkError::NoCommand);
        }
        Ok(Box::new(ExecSink {
            command: command.to_owned(),
        }))
    }
}

#[derive(Debug)]
struct ExecSink {
    command: OsString,
}

impl Sink for ExecSink {
    fn name(&self) -> String {
        format!("exec:{}", quote(self.command.as_encoded_bytes()))
    }

    fn open(self: Box<Self>) -> io::Result<Box<dyn SinkWriter>> {
        let (running, input) = Running::writing_to(&mut Running::shell(&self.command))?;
        Ok(Box::new(ExecWriter { running, input }))
    }
}

/// The fields are dropped in this order: a command is killed before it could take the closed pipe
/// for the end.
#[derive(Debug)]
struct ExecWriter {
    running: Running,
    input: ChildStdin,
}

impl Write for ExecWriter {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        let result = self.input.write(buf);
        self.running.explain(result)
    }

    fn write_vectored(&mut self, bufs: &[IoSlice<'_>]) -> io::Result<usize> {
        let result = self.input.write_vectored(bufs);
        self.running.explain(result)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl SinkWriter for ExecWriter {
    fn finish(self: Box<Self>) -> io::Result<()> {
        let Self { mut running, input } = *self;
        drop(input);
        running.finish()
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn open(command: &str) -> Box<dyn SinkWriter> {
        Exec.sink(OsStr::new(command), Options::default())
            .unwrap()
            .open()
            .unwrap()
    }

    #[test]
    fn what_is_written_arrives_and_the_command_is_waited_for() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("s");
        let mut writer = open(&format!(
            "cat > '{0}.new' && mv '{0}.new' '{0}'",
            path.display()
        ));
        let data = vec![7; 3_000_000];
        writer.write_all(&data).unwrap();
        writer.finish().unwrap();
        assert!(fs::read(&path).unwrap() == data);
    }

    #[test]
    fn a_command_that_fails_has_not_taken_its_share() {
        let error = open("cat > /dev/null; exit 3").finish().unwrap_err();
        assert_eq!(error.to_string(), "the command failed with exit status 3");
        let error = open("cat > /dev/null; kill -15 $$").finish().unwrap_err();
        assert_eq!(error.to_string(), "the command was killed by signal 15");
        let error = open("this-program-does-not-exist 2> /dev/null")
            .finish()
            .unwrap_err();
        assert_eq!(error.to_string(), "the command failed with exit status 127");
    }

    #[test]
    fn a_command_that_leaves_early_is_an_error_that_tells_its_status() {
        let mut writer = open("exit 4");
        let error = loop {
            if let Err(error) = writer.write(&[0; 4096]) {
                break error;
            }
        };
        assert_eq!(error.to_string(), "the command failed with exit status 4");
    }

    #[test]
    fn a_command_that_is_cut_off_does_not_see_an_end() {
        // Its parent's end of the second pipe closes only when the command has died.
        let (reader, writer) = io::pipe().unwrap();
        let mut command = Running::shell(OsStr::new("cat > /dev/null; echo finished >&2"));
        command.stderr(writer);
        let (running, input) = Running::writing_to(&mut command).unwrap();
        drop(command);
        let mut writer: Box<dyn SinkWriter> = Box::new(ExecWriter { running, input });
        writer.write_all(b"data").unwrap();
        drop(writer);
        assert_eq!(io::read_to_string(reader).unwrap(), "");
    }

    #[test]
    fn there_must_be_a_command() {
        let error = Exec
            .sink(OsStr::new(" "), Options::default())
            .err()
            .unwrap();
        assert!(error.to_string().contains("no command"), "{error}");
    }
}
