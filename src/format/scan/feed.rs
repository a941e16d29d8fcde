//! The bytes of one share, in order, with a look ahead and a way back.

use std::fmt;
use std::io::{self, ErrorKind, SeekFrom};

use super::{End, Ending};
use crate::format::ending::{self, FOOTER_LEN, Footer, MAX_TRAILER};
use crate::format::header::{self, Header, HeaderFault, MAX_HEADER};
use crate::source::SourceReader;

/// How much is read at a time while a header or trailer is looked at.
const PIECE: usize = 4096;

/// A reader whose bytes can be put back.
pub(super) struct Feed {
    pub(super) reader: Box<dyn SourceReader>,
    /// Bytes that were read and are still to come.
    pub(super) ahead: Vec<u8>,
    /// Why it gives no more, where that is still to be said: after the bytes that came before.
    pub(super) failed: Option<io::Error>,
    /// Offset of the next byte to come; the reader itself is beyond it by what is ahead.
    pub(super) at: u64,
}

impl Feed {
    /// The header that comes next, or what is wrong with it.
    pub(super) fn header(&mut self) -> io::Result<Result<Header, HeaderFault>> {
        loop {
            match header::decode(&self.ahead) {
                Ok(Some((header, len))) => {
                    self.skip(len);
                    return Ok(Ok(header));
                }
                Ok(None) if self.ahead.len() < MAX_HEADER => {
                    if self.read_ahead(PIECE)? == 0 {
                        return Ok(Err(match self.ahead.len() as u64 {
                            0 => HeaderFault::Empty,
                            len => HeaderFault::Truncated(len),
                        }));
                    }
                }
                Ok(None) => return Ok(Err(HeaderFault::Damaged)),
                Err(fault) => return Ok(Err(fault)),
            }
        }
    }

    /// Reads until `buffer` is full or the reader ends, and says how much that was.
    pub(super) fn fill(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.ahead.is_empty()
            && let Some(error) = self.failed.take()
        {
            return Err(error);
        }
        let mut filled = self.ahead.len().min(buffer.len());
        buffer[..filled].copy_from_slice(&self.ahead[..filled]);
        self.ahead.drain(..filled);
        let mut result = Ok(());
        while filled < buffer.len() && self.failed.is_none() {
            match self.reader.read(&mut buffer[filled..]) {
                Ok(0) => break,
                Ok(count) => filled += count,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                // What came before a pipe failed may be a good frame, or the share's end.
                Err(error) if filled > 0 && self.reader.seekable().is_none() => {
                    self.failed = Some(error);
                }
                Err(error) => {
                    result = Err(error);
                    break;
                }
            }
        }
        self.at += filled as u64; // those that are lost by an error, too
        result.map(|()| filled)
    }

    /// The end of a share that is cut off here, or why no more came.
    pub(super) fn end(&mut self) -> io::Result<End> {
        let (offset, ending) = (self.at, None);
        self.failed.take().map_or(Ok(End { offset, ending }), Err)
    }

    /// Puts back the last bytes that came.
    pub(super) fn unread(&mut self, bytes: &[u8]) {
        self.ahead.splice(..0, bytes.iter().copied());
        self.at -= bytes.len() as u64;
    }

    /// Passes over bytes that stand ahead.
    pub(super) fn skip(&mut self, count: usize) {
        self.ahead.drain(..count);
        self.at += count as u64;
    }

    /// Reads up to `count` bytes more ahead; 0 at the end.
    pub(super) fn read_ahead(&mut self, count: usize) -> io::Result<usize> {
        if let Some(error) = self.failed.take() {
            return Err(error);
        }
        let old = self.ahead.len();
        self.ahead.resize(old + count, 0);
        let result = loop {
            match self.reader.read(&mut self.ahead[old..]) {
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                result => break result,
            }
        };
        self.ahead.truncate(old + *result.as_ref().unwrap_or(&0));
        result
    }

    /// Reads ahead to its end, or until `most` bytes are there, in pieces that grow with what has come; says
    /// how much is there. An error waits for its turn.
    pub(super) fn look_ahead(&mut self, most: usize) -> io::Result<usize> {
        while self.ahead.len() < most && self.failed.is_none() {
            let piece = self.ahead.len().max(PIECE);
            match self.read_ahead(piece.min(most - self.ahead.len())) {
                Ok(0) => break,
                Ok(_) => {}
                Err(error) if self.ahead.is_empty() => return Err(error),
                Err(error) => self.failed = Some(error),
            }
        }
        Ok(self.ahead.len())
    }

    /// Goes to `offset`. A reader that cannot be positioned stays where it is.
    pub(super) fn seek(&mut self, offset: u64) -> io::Result<()> {
        if offset != self.at
            && let Some(seeker) = self.reader.seekable()
        {
            seeker.seek(SeekFrom::Start(offset))?;
            self.ahead.clear();
            self.at = offset;
        }
        Ok(())
    }

    /// Goes to the end, and says where that is; `None` if the reader cannot be positioned.
    pub(super) fn seek_to_end(&mut self) -> io::Result<Option<u64>> {
        let Some(seeker) = self.reader.seekable() else {
            return Ok(None);
        };
        self.at = seeker.seek(SeekFrom::End(0))?;
        self.ahead.clear();
        Ok(Some(self.at))
    }

    /// The trailer and footer that come next, if they do.
    pub(super) fn ending_here(&mut self) -> io::Result<Option<Ending>> {
        let offset = self.at;
        loop {
            if let Some((trailer, len)) = ending::decode_trailer(&self.ahead) {
                while self.ahead.len() < len + FOOTER_LEN && self.read_ahead(FOOTER_LEN)? > 0 {}
                let footer = self
                    .ahead
                    .get(len..len + FOOTER_LEN)
                    .and_then(Footer::decode);
                return Ok(footer.map(|footer| Ending {
                    trailer,
                    footer,
                    offset,
                }));
            }
            if self.ahead.len() >= MAX_TRAILER || self.read_ahead(PIECE)? == 0 {
                return Ok(None);
            }
        }
    }

    /// The trailer and footer that end at `end`, if they do. Leaves the reader wherever.
    pub(super) fn ending_at(&mut self, end: u64) -> io::Result<Option<Ending>> {
        let Some(footer_offset) = end.checked_sub(FOOTER_LEN as u64) else {
            return Ok(None);
        };
        let mut bytes = [0; FOOTER_LEN];
        self.seek(footer_offset)?;
        if self.fill(&mut bytes)? < FOOTER_LEN {
            return Ok(None);
        }
        let Some(footer) = Footer::decode(&bytes) else {
            return Ok(None);
        };
        let Some(offset) = footer_offset.checked_sub(u64::from(footer.trailer_len)) else {
            return Ok(None);
        };
        let mut bytes = vec![0; footer.trailer_len as usize]; // at most 65 KB, as decode checked
        self.seek(offset)?;
        if self.fill(&mut bytes)? < bytes.len() {
            return Ok(None);
        }
        Ok(ending::decode_trailer(&bytes)
            .filter(|(_, len)| *len == bytes.len())
            .map(|(trailer, _)| Ending {
                trailer,
                footer,
                offset,
            }))
    }
}

impl fmt::Debug for Feed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Feed(at {}, {} bytes ahead)", self.at, self.ahead.len())
    }
}
