//! Streams whose length is known beforehand.

use std::io::{self, Read};

use super::Input;
use crate::catalogue::catalogue;

/// An input that must be exactly as long as promised.
#[derive(Debug)]
pub struct Promised<I> {
    input: I,
    length: u64,
    read: u64,
}

/// A stream of another length than promised.
#[derive(Debug, thiserror::Error)]
pub enum SizeError {
    /// It ended early.
    #[error("the input ended after {found} bytes instead of {expected}")]
    Short {
        /// Bytes promised.
        expected: u64,
        /// Bytes that came.
        found: u64,
    },
    /// It did not end.
    #[error("the input goes on after the {expected} bytes that it was to have")]
    Long {
        /// Bytes promised.
        expected: u64,
    },
}

catalogue! {
    SizeError {
        Self::Short { .. } | Self::Long { .. } => "input-length":
            "The input is not the one that was promised: no share was completed."
            "Look what cuts or prolongs it, or leave --size out.";
    }
}

impl<I: Input> Promised<I> {
    /// `input`, if it has `length` bytes.
    pub fn new(input: I, length: u64) -> Self {
        Self {
            input,
            length,
            read: 0,
        }
    }
}

impl<I: Input> Read for Promised<I> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let left = self.length - self.read;
        if left > 0 {
            let room = usize::try_from(left).map_or(buf.len(), |left| left.min(buf.len()));
            let count = self.input.read(&mut buf[..room])?;
            self.read += count as u64;
            return Ok(count);
        }
        match self.input.read(buf)? {
            0 => Ok(0),
            _ => Err(io::Error::new(
                io::ErrorKind::InvalidData,
                SizeError::Long {
                    expected: self.length,
                },
            )),
        }
    }
}

impl<I: Input> Input for Promised<I> {
    fn confirm_end(&mut self, total: u64) -> io::Result<()> {
        // First the cause, such as a command that failed, then what it led to.
        self.input.confirm_end(total)?;
        if total != self.length {
            let error = SizeError::Short {
                expected: self.length,
                found: total,
            };
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, error));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::input::ReaderInput;

    fn run(data: &[u8], length: u64) -> io::Result<Vec<u8>> {
        let mut input = Promised::new(ReaderInput(data), length);
        let mut read = Vec::new();
        input.read_to_end(&mut read)?;
        input.confirm_end(read.len() as u64)?;
        Ok(read)
    }

    #[test]
    fn no_other_length_is_an_end() {
        assert_eq!(run(b"data", 4).unwrap(), b"data");
        assert_eq!(run(b"", 0).unwrap(), b"");
        for (length, expected) in [
            (5, "the input ended after 4 bytes instead of 5"),
            (3, "the input goes on after the 3 bytes that it was to have"),
            (0, "the input goes on after the 0 bytes that it was to have"),
        ] {
            assert_eq!(run(b"data", length).unwrap_err().to_string(), expected);
        }
    }

    #[test]
    fn an_endless_input_is_given_up_early() {
        let mut input = Promised::new(ReaderInput(io::repeat(7)), 100);
        let mut read = Vec::new();
        assert_eq!(
            input.read_to_end(&mut read).unwrap_err().kind(),
            io::ErrorKind::InvalidData
        );
        assert_eq!(
            read, [7; 100],
            "what was promised passes, so that the error names its end"
        );
    }
}
