//! Reads a share from wherever it stands, whatever happened to it.
//!
//! A whole share that can be positioned is read frame by frame, by arithmetic. Everything else is
//! read in order; where bytes were inserted or lost, the next frame is looked for by the bytes with
//! which every frame of the stream begins.

use std::fmt;
use std::io::{self, ErrorKind, SeekFrom};
use std::ops::Range;
use std::sync::Arc;

use memchr::memmem;

use super::common::{Common, StreamId};
use super::ending::{self, FOOTER_LEN, Footer, MAX_TRAILER, TRAILER_MAGIC, Trailer};
use super::frame::{self, Checked, HEAD_LEN, MAGIC_LEN};
use super::header::{self, Header, HeaderFault, MAX_HEADER};
use crate::source::SourceReader;

/// How much is read at a time while a header or trailer is looked at.
const PIECE: usize = 4096;

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
            Err(error) if feed.reader.seekable().is_some() => Err(HeaderFault::Unreadable(error)),
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
            ending,
            common,
            feed,
        }
    }
}

/// What was found where a frame was looked for.
#[derive(Debug)]
pub enum Found {
    /// The frame, good.
    Frame(Checked),
    /// The frame is not to be had from this share.
    Fault(Fault),
    /// The share ends before it.
    End(End),
}

/// Why a frame is an erasure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fault {
    /// Offset of the place where it should be, in bytes from the start of the share.
    pub offset: u64,
    /// What is there.
    pub kind: FaultKind,
}

/// What stands where a frame should be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FaultKind {
    /// Bytes that are not what was written.
    Damaged,
    /// A frame of another stream.
    OtherStream(StreamId),
    /// A good frame of this stream, of another share.
    OtherShare(usize),
    /// A frame of this share, of another stripe, alone out of its place.
    OtherStripe(u64),
    /// A later frame of this share.
    Missing {
        /// Its stripe.
        next: u64,
    },
    /// The trailer of this share, which tells of more frames.
    Ended {
        /// How many stripes it tells of.
        stripes: u64,
    },
    /// Nothing that can still be read: a reader that cannot be positioned is past it.
    Passed,
}

/// The end of a share.
#[derive(Debug, Clone)]
pub struct End {
    /// Its offset.
    pub offset: u64,
    /// Trailer and footer, if both are good. A share without is incomplete.
    pub ending: Option<Ending>,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.kind {
            FaultKind::Damaged => write!(f, "damaged at byte {}: digest differs", self.offset),
            FaultKind::OtherStream(stream) => {
                write!(
                    f,
                    "a frame of another stream ({stream}) stands at byte {}",
                    self.offset
                )
            }
            FaultKind::OtherShare(share) => {
                write!(f, "a frame of share {share} stands at byte {}", self.offset)
            }
            FaultKind::OtherStripe(stripe) => {
                write!(
                    f,
                    "the frame of stripe {stripe} stands at byte {}",
                    self.offset
                )
            }
            FaultKind::Missing { next } => {
                write!(f, "missing: at byte {} stripe {next} follows", self.offset)
            }
            FaultKind::Ended { .. } => {
                write!(f, "missing: at byte {} the trailer follows", self.offset)
            }
            FaultKind::Passed => write!(f, "read past it, at byte {}", self.offset),
        }
    }
}

impl fmt::Display for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.ending {
            Some(ending) => write!(
                f,
                "the share ends with {} stripes",
                ending.trailer.totals.stripes
            ),
            None => write!(f, "cut off at byte {}, without a trailer", self.offset),
        }
    }
}

/// Reads the frames of one share.
#[derive(Debug)]
pub struct FrameReader {
    feed: Feed,
    common: Arc<Common>,
    magic: memmem::Finder<'static>,
    index: Option<usize>,
    /// Where the frames begin, as far as is known.
    start: u64,
    /// Whether frames are still where arithmetic says.
    arithmetic: bool,
    /// Offset and stripe after the last frame that arithmetic found good.
    safe: (u64, u64),
    /// Read in order: the stripe whose frame should come next.
    next: u64,
    /// Stripes whose frames are known not to be in this share.
    absent: Range<u64>,
    seekable: bool,
    ending: Option<Ending>,
}

impl FrameReader {
    /// Which share this is, if that is known yet.
    pub fn index(&self) -> Option<usize> {
        self.index
    }

    /// Whether frames can be asked for in any order, and those not needed be left unread.
    pub fn is_seekable(&self) -> bool {
        self.seekable
    }

    /// The ending found when the share was opened.
    pub fn ending(&self) -> Option<&Ending> {
        self.ending.as_ref()
    }

    /// Bytes of a full frame: what [`FrameReader::read`] needs as buffer.
    pub fn frame_len(&self) -> usize {
        HEAD_LEN + self.common.shard_len()
    }

    /// Finds out which share this is, by its first good frame. No good frame is lost by it.
    ///
    /// # Errors
    /// The reader's own.
    pub fn identify(&mut self, buffer: &mut [u8]) -> io::Result<Option<usize>> {
        for stripe in 0.. {
            if self.index.is_some() {
                break;
            }
            match self.read(stripe, buffer)? {
                Found::Frame(found) => {
                    self.feed.unread(&buffer[..found.len]);
                    self.next = stripe;
                }
                Found::Fault(_) => {}
                Found::End(_) => break,
            }
        }
        Ok(self.index)
    }

    /// Reads the frame of `stripe` into the start of `buffer`, which is one full frame long.
    ///
    /// # Errors
    /// The reader's own; whatever is wrong with the bytes is a [`Found::Fault`].
    pub fn read(&mut self, stripe: u64, buffer: &mut [u8]) -> io::Result<Found> {
        assert_eq!(
            buffer.len(),
            self.frame_len(),
            "the buffer is one full frame long"
        );
        if self.arithmetic {
            self.read_at(stripe, buffer)
        } else {
            self.read_in_order(stripe, buffer)
        }
    }

    fn read_at(&mut self, stripe: u64, buffer: &mut [u8]) -> io::Result<Found> {
        let frame_len = buffer.len() as u64;
        let offset = stripe
            .checked_mul(frame_len)
            .and_then(|by| self.start.checked_add(by));
        let Some(offset) = offset.filter(|&offset| i64::try_from(offset).is_ok()) else {
            return Ok(Found::End(End {
                offset: self.feed.at,
                ending: self.ending.clone(),
            }));
        };
        self.feed.seek(offset)?;
        let filled = self.feed.fill(buffer)?;
        let checked = frame::check_frame(&buffer[..filled], &self.common);
        let own = checked.filter(|found| Some(found.head.share) == self.index);
        if let Some(found) = own.filter(|found| found.head.stripe == stripe) {
            self.feed.unread(&buffer[found.len..filled]);
            self.safe = (offset + found.len as u64, stripe + 1);
            return Ok(Found::Frame(found));
        }
        if let Some(found) = own.filter(|found| found.len == filled)
            && self.neighbour()? == Some(stripe + 1)
        {
            let kind = FaultKind::OtherStripe(found.head.stripe);
            return Ok(Found::Fault(Fault { offset, kind }));
        }
        let is_last = self
            .ending
            .as_ref()
            .is_some_and(|ending| ending.in_place() && ending.trailer.totals.stripes == stripe + 1);
        // Where this stripe's own frame follows, bytes were inserted.
        let in_place = |next: Option<u64>| next.is_some_and(|next| next != stripe);
        if own.is_none() && (is_last || (filled == buffer.len() && in_place(self.neighbour()?))) {
            return Ok(Found::Fault(Fault {
                offset,
                kind: self.what_is(&buffer[..filled], checked),
            }));
        }
        // Things are not where they should be: from here on everything is looked at in order.
        self.arithmetic = false;
        self.rewind(stripe)?;
        self.read_in_order(stripe, buffer)
    }

    fn rewind(&mut self, stripe: u64) -> io::Result<()> {
        let (offset, next) = if stripe < self.safe.1 {
            (self.start, 0)
        } else {
            self.safe
        };
        self.next = next;
        self.feed.seek(offset)
    }

    fn read_in_order(&mut self, stripe: u64, buffer: &mut [u8]) -> io::Result<Found> {
        let fault = |offset, kind| Ok(Found::Fault(Fault { offset, kind }));
        if self.absent.contains(&stripe) {
            return fault(
                self.feed.at,
                FaultKind::Missing {
                    next: self.absent.end,
                },
            );
        }
        if stripe < self.next {
            if !self.seekable {
                return fault(self.feed.at, FaultKind::Passed);
            }
            self.rewind(stripe)?;
        }
        // What was in the way of the next frame.
        let mut bad = None;
        // Whether a frame should begin here, rather than be looked for.
        let mut aligned = true;
        loop {
            let offset = self.feed.at;
            let mut filled = self.feed.fill(buffer)?;
            if filled == 0 {
                return self.feed.end().map(Found::End);
            }
            let bytes = &buffer[..filled];
            if let Some(len) = self.passable(bytes, stripe) {
                self.feed.unread(&bytes[len..]);
                self.next += 1;
                (bad, aligned) = (None, true);
                continue;
            }
            let checked = frame::check_frame(bytes, &self.common);
            if let Some(found) = checked
                && self.index.is_none_or(|index| index == found.head.share)
            {
                self.index = Some(found.head.share);
                let at = found.head.stripe;
                if at > stripe {
                    let (kind, lost) = (self.ahead_of_its_time(bytes, found)?, self.next);
                    if let FaultKind::Missing { next } = kind {
                        self.absent = lost.min(stripe)..next;
                        self.next = next;
                        return fault(offset, kind);
                    }
                    self.next += 1;
                    if lost == stripe {
                        return fault(offset, kind);
                    }
                    (bad, aligned) = (None, true);
                    continue;
                }
                self.feed.unread(&bytes[found.len..]);
                self.next = self.next.max(at + 1);
                if at == stripe {
                    return Ok(Found::Frame(found));
                }
                (bad, aligned) = (None, true);
                continue;
            }
            if bytes.starts_with(&TRAILER_MAGIC) {
                self.feed.unread(bytes);
                if let Some(found) = self.trailer_here(stripe, bad)? {
                    return Ok(found);
                }
                filled = self.feed.fill(buffer)?; // the same bytes again, and perhaps more
            }
            let kind = self.what_is(&buffer[..filled], checked);
            bad = bad.or(Some(Fault { offset, kind }));
            let is_frame_within = self.magic.find(&buffer[1..filled]).is_some();
            if aligned
                && !is_frame_within
                && filled == buffer.len()
                && let Some(next) = self.neighbour()?
            {
                let lost = self.next;
                if next == lost {
                    continue; // bytes were inserted, as many as a frame has
                }
                self.next += 1;
                if lost == stripe {
                    return fault(offset, kind);
                }
                bad = None;
                continue;
            }
            let found = self.next_magic(&buffer[1..filled]);
            aligned = found.is_some();
            match found {
                Some(at) => self.feed.unread(&buffer[1 + at..filled]),
                // The start of a magic may stand at the very end.
                None if filled == buffer.len() => {
                    self.feed.unread(&buffer[filled - (MAGIC_LEN - 1)..]);
                }
                None => return self.feed.end().map(Found::End),
            }
        }
    }

    /// What it means that `found`, at the start of `bytes`, is of a later stripe: that those between
    /// are missing, and it is yet to come; or, if the frame behind it is in its place, that it alone
    /// is not, and it is passed.
    fn ahead_of_its_time(&mut self, bytes: &[u8], found: Checked) -> io::Result<FaultKind> {
        let stripe = found.head.stripe;
        self.feed.unread(&bytes[found.len..]);
        if self.neighbour()? == Some(self.next + 1) {
            return Ok(FaultKind::OtherStripe(stripe));
        }
        self.feed.unread(&bytes[..found.len]);
        Ok(FaultKind::Missing { next: stripe })
    }

    /// What the trailer that comes next tells of `stripe`, if it is one of this stream: that of
    /// another stands in a payload that was found out of its place.
    fn trailer_here(&mut self, stripe: u64, bad: Option<Fault>) -> io::Result<Option<Found>> {
        let offset = self.feed.at;
        let ending = self.feed.ending_here()?;
        let Some(ending) = ending.filter(|one| one.trailer.common == *self.common) else {
            return Ok(None);
        };
        self.next = self.next.max(stripe);
        let index = *self.index.get_or_insert(ending.trailer.index);
        let ending = (index == ending.trailer.index).then_some(ending);
        let told = ending.as_ref().map(|one| one.trailer.totals.stripes);
        Ok(Some(match told {
            Some(stripes) if stripe < stripes => {
                let kind = FaultKind::Ended { stripes };
                Found::Fault(bad.unwrap_or(Fault { offset, kind }))
            }
            _ => Found::End(End { offset, ending }),
        }))
    }

    /// The length of the frame at the start of `bytes`, if it is the next in order, and one that is
    /// not asked for. (Its digest is of no interest; where its length is wrong, the next is not
    /// found in its place.)
    fn passable(&self, bytes: &[u8], stripe: u64) -> Option<usize> {
        let (head, payload_len) = frame::read_head(bytes)?;
        (head.stream == self.common.stream()
            && Some(head.share) == self.index
            && head.stripe == self.next
            && self.next < stripe
            && payload_len == self.common.shard_len())
        .then_some(HEAD_LEN + payload_len)
        .filter(|&len| len <= bytes.len())
    }

    /// The stripe that a frame of the stream which comes next says it is of, checked or not; that
    /// of no stripe if a trailer comes next; `None` if neither does.
    fn neighbour(&mut self) -> io::Result<Option<u64>> {
        while self.feed.ahead.len() < HEAD_LEN && self.feed.read_ahead(HEAD_LEN)? > 0 {}
        let ahead = &self.feed.ahead;
        if ahead.starts_with(self.magic.needle()) {
            Ok(Some(
                frame::read_head(ahead).map_or(u64::MAX, |(head, _)| head.stripe),
            ))
        } else {
            Ok(ahead.starts_with(&TRAILER_MAGIC).then_some(u64::MAX))
        }
    }

    fn next_magic(&self, bytes: &[u8]) -> Option<usize> {
        let frame = self.magic.find(bytes);
        let until = frame.map_or(bytes.len(), |at| {
            (at + TRAILER_MAGIC.len()).min(bytes.len())
        });
        memmem::find(&bytes[..until], &TRAILER_MAGIC).or(frame)
    }

    fn what_is(&self, bytes: &[u8], checked: Option<Checked>) -> FaultKind {
        match (checked, frame::read_head(bytes)) {
            (Some(found), _) => FaultKind::OtherShare(found.head.share),
            (None, Some((head, _))) if head.stream != self.common.stream() => {
                FaultKind::OtherStream(head.stream)
            }
            _ => FaultKind::Damaged,
        }
    }
}

/// A reader whose bytes can be put back.
struct Feed {
    reader: Box<dyn SourceReader>,
    /// Bytes that were read and are still to come.
    ahead: Vec<u8>,
    /// Why it gives no more, where that is still to be said: after the bytes that came before.
    failed: Option<io::Error>,
    /// Offset of the next byte to come; the reader itself is beyond it by what is ahead.
    at: u64,
}

impl Feed {
    /// The header that comes next, or what is wrong with it.
    fn header(&mut self) -> io::Result<Result<Header, HeaderFault>> {
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
    fn fill(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
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
    fn end(&mut self) -> io::Result<End> {
        let (offset, ending) = (self.at, None);
        self.failed.take().map_or(Ok(End { offset, ending }), Err)
    }

    /// Puts back the last bytes that came.
    fn unread(&mut self, bytes: &[u8]) {
        self.ahead.splice(..0, bytes.iter().copied());
        self.at -= bytes.len() as u64;
    }

    /// Passes over bytes that stand ahead.
    fn skip(&mut self, count: usize) {
        self.ahead.drain(..count);
        self.at += count as u64;
    }

    /// Reads up to `count` bytes more ahead; 0 at the end.
    fn read_ahead(&mut self, count: usize) -> io::Result<usize> {
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

    /// Goes to `offset`. A reader that cannot be positioned stays where it is.
    fn seek(&mut self, offset: u64) -> io::Result<()> {
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
    fn seek_to_end(&mut self) -> io::Result<Option<u64>> {
        let Some(seeker) = self.reader.seekable() else {
            return Ok(None);
        };
        self.at = seeker.seek(SeekFrom::End(0))?;
        self.ahead.clear();
        Ok(Some(self.at))
    }

    /// The trailer and footer that come next, if they do.
    fn ending_here(&mut self) -> io::Result<Option<Ending>> {
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
    fn ending_at(&mut self, end: u64) -> io::Result<Option<Ending>> {
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
