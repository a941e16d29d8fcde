//! Descriptors that the process was started with: standard input and output, and `fd:N`.

use std::fs::File;
use std::io::{self, IoSlice, IsTerminal, Read, Write};
use std::os::fd::{AsFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::sync::{Mutex, PoisonError};

use rustix::event::{PollFd, PollFlags, poll};
use rustix::fs::{OFlags, fcntl_getfl};
use rustix::io::{FdFlags, fcntl_dupfd_cloexec, fcntl_getfd, fcntl_setfd};

use crate::catalogue::catalogue;
use crate::pipe;

/// A descriptor from outside. Whoever opened it may have made it non-blocking, which would show up
/// at every other process that shares it if it were undone: so reads and writes wait instead.
#[derive(Debug)]
pub struct Descriptor(File);

/// Why `fd:N` cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum DescriptorError {
    /// It is no number.
    #[error("a descriptor is a number, as in fd:3")]
    NoNumber,
    /// Nothing is open under that number.
    #[error("descriptor {0} is not open (a shell opens it by {0}> or {0}<)")]
    NotOpen(RawFd),
    /// It is used already: named twice, or opened by this process itself.
    #[error("descriptor {0} is in use already")]
    InUse(RawFd),
    /// It was opened the other way.
    #[error("descriptor {0} is not open for reading")]
    NotReadable(RawFd),
    /// It was opened the other way.
    #[error("descriptor {0} is not open for writing")]
    NotWritable(RawFd),
    /// The system's own error.
    #[error("descriptor {number}")]
    Io {
        /// The descriptor.
        number: RawFd,
        /// The cause.
        source: io::Error,
    },
}

catalogue! {
    DescriptorError {
        Self::NoNumber
        | Self::NotOpen(_)
        | Self::InUse(_)
        | Self::NotReadable(_)
        | Self::NotWritable(_)
        | Self::Io { .. } => "descriptor":
            "Nothing was read or written through it."
            "Have the shell open it: distdup ... fd:3 3<file, or 3>file to write.";
    }
}

impl Descriptor {
    /// Takes over the descriptor in `text` (decimal) for reading.
    ///
    /// # Errors
    /// It is not open, not readable, or taken already.
    pub fn for_reading(text: &[u8]) -> Result<Self, DescriptorError> {
        Self::take(text, OFlags::WRONLY, DescriptorError::NotReadable)
    }

    /// Takes over the descriptor in `text` (decimal) for writing.
    ///
    /// # Errors
    /// It is not open, not writable, or taken already.
    pub fn for_writing(text: &[u8]) -> Result<Self, DescriptorError> {
        Self::take(text, OFlags::RDONLY, DescriptorError::NotWritable)
    }

    fn take(
        text: &[u8],
        wrong: OFlags,
        error: fn(RawFd) -> DescriptorError,
    ) -> Result<Self, DescriptorError> {
        let number = std::str::from_utf8(text)
            .ok()
            .filter(|text| text.bytes().all(|b| b.is_ascii_digit()))
            .and_then(|text| text.parse::<RawFd>().ok())
            .ok_or(DescriptorError::NoNumber)?;
        let io = |source: rustix::io::Errno| DescriptorError::Io {
            number,
            source: source.into(),
        };
        // The first three are also the standard library's, so that they are shared, not taken.
        let owned = match number {
            0 => fcntl_dupfd_cloexec(io::stdin(), 3).map_err(io)?,
            1 => fcntl_dupfd_cloexec(io::stdout(), 3).map_err(io)?,
            2 => fcntl_dupfd_cloexec(io::stderr(), 3).map_err(io)?,
            _ => claim(number)?,
        };
        if fcntl_getfl(&owned).map_err(io)? & OFlags::ACCMODE == wrong {
            return Err(error(number));
        }
        pipe::grow(&owned);
        Ok(Self(File::from(owned)))
    }

    /// Whether a person sits at the other end.
    pub fn is_terminal(&self) -> bool {
        self.0.is_terminal()
    }

    /// The same as a file: to ask what it is, and to sync it.
    pub fn file(&self) -> &File {
        &self.0
    }

    fn wait(&self, events: PollFlags) -> io::Result<()> {
        poll(&mut [PollFd::new(&self.0, events)], None)?;
        Ok(())
    }
}

impl AsFd for Descriptor {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

impl Read for Descriptor {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        loop {
            match self.0.read(buf) {
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => self.wait(PollFlags::IN)?,
                result => return result,
            }
        }
    }
}

impl Write for Descriptor {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        self.write_vectored(&[IoSlice::new(buf)])
    }

    fn write_vectored(&mut self, bufs: &[IoSlice<'_>]) -> io::Result<usize> {
        loop {
            match self.0.write_vectored(bufs) {
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => self.wait(PollFlags::OUT)?,
                result => return result,
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Makes an inherited descriptor our own.
///
/// A descriptor that outlived the start of this program has no close-on-exec flag, and all that the
/// program opens itself has. So the flag tells what may be taken, and once set, what was taken; it
/// also keeps the descriptor from commands that we start, which would hold a pipe open.
fn claim(number: RawFd) -> Result<OwnedFd, DescriptorError> {
    static CLAIMING: Mutex<()> = Mutex::new(());
    let _claiming = CLAIMING.lock().unwrap_or_else(PoisonError::into_inner);
    let io = |source: rustix::io::Errno| DescriptorError::Io {
        number,
        source: source.into(),
    };

    #[allow(unsafe_code)]
    // SAFETY: `number` is not -1; it is only asked for its flags, to which the kernel's answer is
    // EBADF if it is not open.
    let asked = unsafe { BorrowedFd::borrow_raw(number) };
    match fcntl_getfd(asked) {
        Err(rustix::io::Errno::BADF) => return Err(DescriptorError::NotOpen(number)),
        Err(other) => return Err(io(other)),
        Ok(flags) if flags.contains(FdFlags::CLOEXEC) => {
            return Err(DescriptorError::InUse(number));
        }
        Ok(_) => {}
    }
    fcntl_setfd(asked, FdFlags::CLOEXEC).map_err(io)?;
    #[allow(unsafe_code)]
    // SAFETY: it is open, and nothing in this process owns it: not the standard library (it is
    // above 2), no object of ours (those are close-on-exec), no earlier claim (likewise).
    Ok(unsafe { OwnedFd::from_raw_fd(number) })
}

#[cfg(test)]
pub(crate) mod tests {
    use std::os::fd::IntoRawFd;

    use super::*;

    /// What a shell's `N<file` would have given: open, and not close-on-exec.
    pub(crate) fn inherited(fd: impl AsFd) -> String {
        rustix::io::dup(fd).unwrap().into_raw_fd().to_string()
    }

    #[test]
    fn a_descriptor_is_taken_once() {
        let (reader, writer) = io::pipe().unwrap();
        let number = inherited(&writer);
        drop(writer);
        let mut taken = Descriptor::for_writing(number.as_bytes()).unwrap();
        assert!(matches!(
            Descriptor::for_writing(number.as_bytes()),
            Err(DescriptorError::InUse(n)) if n.to_string() == number
        ));
        taken.write_all(b"abc").unwrap();
        drop(taken); // Closes it: or the next line would wait for ever.
        assert_eq!(io::read_to_string(reader).unwrap(), "abc");
    }

    #[test]
    fn direction_and_number_are_checked() {
        let (reader, writer) = io::pipe().unwrap();
        let number = inherited(&reader);
        assert!(matches!(
            Descriptor::for_writing(number.as_bytes()),
            Err(DescriptorError::NotWritable(_))
        ));
        let number = inherited(&writer);
        assert!(matches!(
            Descriptor::for_reading(number.as_bytes()),
            Err(DescriptorError::NotReadable(_))
        ));
        assert!(matches!(
            Descriptor::for_reading(b"987654"),
            Err(DescriptorError::NotOpen(987_654))
        ));
        for text in ["", "x", "+3", "-1", "99999999999"] {
            assert!(matches!(
                Descriptor::for_reading(text.as_bytes()),
                Err(DescriptorError::NoNumber)
            ));
        }
    }

    #[test]
    fn a_non_blocking_pipe_is_waited_for() {
        let (reader, writer) = io::pipe().unwrap();
        for end in [reader.as_fd(), writer.as_fd()] {
            rustix::io::ioctl_fionbio(end, true).unwrap();
        }
        let mut source = Descriptor(File::from(OwnedFd::from(reader)));
        let mut sink = Descriptor(File::from(OwnedFd::from(writer)));
        let data: Vec<u8> = (0..3_000_000u32).map(|i| i.to_le_bytes()[0]).collect();
        let sent = data.clone();
        let sending = std::thread::spawn(move || sink.write_all(&sent));
        let mut got = Vec::new();
        source.read_to_end(&mut got).unwrap();
        sending.join().unwrap().unwrap();
        assert!(got == data);
    }
}
