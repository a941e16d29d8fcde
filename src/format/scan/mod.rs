//! Reads a share from wherever it stands, whatever happened to it.
//!
//! A whole share that can be positioned is read frame by frame, by arithmetic. Everything else is
//! read in order; where bytes were inserted or lost, the next frame is looked for by the bytes with
//! which every frame of the stream begins.

mod feed;
mod found;
mod frames;

use std::io;
use std::sync::Arc;

use memchr::memmem;

use self::feed::Feed;
pub use self::found::{End, Fault, FaultKind, Found};
pub use self::frames::FrameReader;
use super::common::Common;
use super::ending::{self, Footer, Trailer};
use super::frame;
use super::header::{Header, HeaderFault};
use crate::source::SourceReader;

/// A share whose ends were looked at, and whose frames were not.
#[derive(Debug)]
pub struct OpenShare {
    feed: Feed,
    /// Its header, or what is wrong with it.
    pub header: Result<Header, HeaderFault>,
    /// Its ending, where it can be positioned and has a good one.
    pub ending: Option<Ending>,
    /// Its length in bytes, where it can be positioned.
    pub len: Option<u64>,
}

/// A share's good trailer and footer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ending {
    /// What the stream came to.
    pub trailer: Trailer,
    /// Where things should be.
    pub footer: Footer,
    /// Where the trailer is.
    pub offset: u64,
}

impl Ending {
    /// How many stripes it tells of.
    pub fn stripes(&self) -> u64 {
        self.trailer.totals.stripes
    }

    /// Whether things are where the footer says, as far as the ending can tell.
    pub fn in_place(&self) -> bool {
        let Trailer { common, totals, .. } = &self.trailer;
        let footer = &self.footer;
        footer.trailer_offset == self.offset
            && footer.frames == totals.stripes
            && footer.trailer_offset == ending::frames_end(common, footer.first_frame, totals)
    }
}

impl OpenShare {
    /// Looks at the header and, where the reader can be positioned, at the ending.
    ///
    /// # Errors
    /// The reader's own; whatever is wrong with the bytes stands in the fields.
    pub fn open(reader: Box<dyn SourceReader>) -> io::Result<Self> {
        let mut feed = Feed {
            reader,
            ahead: Vec::new(),
            failed: None,
            at: 0,
        };
        let header = match feed.header() {
            // A file with a bad sector there may have a good ending.
            Err(error) if feed.reader.seekable().is_some() => {
                Err(HeaderFault::Unreadable(Arc::new(error)))
            }
            header => header?,
        };
        let after_header = feed.at;
        let len = feed.seek_to_end()?;
        let ending = match len.map_or(Ok(None), |len| feed.ending_at(len)) {
            // Nor does one there spoil the frames.
            Err(_) if header.is_ok() => None,
            ending => ending?,
        };
        if let (Err(HeaderFault::Unreadable(error)), None) = (&header, &ending) {
            return Err(io::Error::new(error.kind(), error.to_string()));
        }
        feed.seek(after_header)?;
        Ok(Self {
            feed,
            header,
            ending,
            len,
        })
    }

    /// Who the share says it is: by its header, or if that is damaged, by its trailer. One of a
    /// later version says nothing that can be understood, whatever its trailer looks like.
    pub fn claims(&self) -> Option<(&Common, usize)> {
        match (&self.header, &self.ending) {
            (Ok(header), _) => Some((&header.common, header.index)),
            (Err(HeaderFault::Version(_)), _) | (Err(_), None) => None,
            (Err(_), Some(ending)) => Some((&ending.trailer.common, ending.trailer.index)),
        }
    }

    /// Its ending, if that is one of the stream that `common` tells of, and of no other share than
    /// this one says it is.
    pub fn own_ending(&self, common: &Common) -> Option<&Ending> {
        let index = self
            .claims()
            .filter(|(own, _)| *own == common)
            .map(|(_, index)| index);
        self.ending.as_ref().filter(|ending| {
            let trailer = &ending.trailer;
            trailer.common == *common && index.is_none_or(|index| index == trailer.index)
        })
    }

    /// Goes on to the frames, as those of the stream that `common` tells of. If the share itself
    /// did not say so, its index becomes known with its first good frame.
    pub fn frames(self, common: Arc<Common>) -> FrameReader {
        let claimed = self
            .claims()
            .filter(|(own, _)| **own == *common)
            .map(|(_, index)| index);
        let first = match (&self.header, &self.ending) {
            (Ok(header), _) if header.common == *common => Some(self.feed.at),
            (_, Some(ending)) if ending.in_place() => Some(ending.footer.first_frame),
            _ => None,
        };
        let ending = self.own_ending(&common).cloned();
        let mut feed = self.feed;
        let seekable = feed.reader.seekable().is_some();
        FrameReader {
            magic: memmem::Finder::new(&frame::magic(common.stream())).into_owned(),
            index: claimed,
            start: first.unwrap_or(0),
            arithmetic: seekable && first.is_some() && claimed.is_some(),
            safe: (first.unwrap_or(0), 0),
            next: 0,
            absent: 0..0,
            seekable,
            len: self.len,
            ending,
            common,
            feed,
        }
    }
}
