//! The frames of one share, one by one.

use std::io;
use std::ops::Range;
use std::sync::Arc;

use memchr::memmem;

use super::Ending;
use super::feed::Feed;
use super::found::{End, Fault, FaultKind, Found};
use crate::format::Common;
use crate::format::ending::TRAILER_MAGIC;
use crate::format::frame::{self, Checked, HEAD_LEN, MAGIC_LEN};

/// As many beginnings of frames, and of trailers, are looked into, one after another, in the length of one
/// frame; then only the last there is. Damage makes a few, and a payload may hold many small shares' trailers;
/// without a limit, whoever can forge a share could have each byte of it read as often as a frame is long.
const MOST_BEGINNINGS: u32 = 64;

/// Beginnings that were looked into since an offset.
#[derive(Debug, Default)]
struct LookedInto {
    since: u64,
    frames: u32,
    trailers: u32,
}

impl LookedInto {
    /// Begins anew where a frame's length lies behind.
    fn go_on_to(&mut self, offset: u64, frame_len: usize) {
        if offset.saturating_sub(self.since) > frame_len as u64 {
            *self = Self {
                since: offset,
                ..Self::default()
            };
        }
    }
}

/// Reads the frames of one share.
#[derive(Debug)]
pub struct FrameReader {
    pub(super) feed: Feed,
    pub(super) common: Arc<Common>,
    pub(super) magic: memmem::Finder<'static>,
    pub(super) index: Option<usize>,
    /// Where the frames begin, as far as is known.
    pub(super) start: u64,
    /// Whether frames are still where arithmetic says.
    pub(super) arithmetic: bool,
    /// Offset and stripe after the last frame that arithmetic found good.
    pub(super) safe: (u64, u64),
    /// Read in order: the stripe whose frame should come next.
    pub(super) next: u64,
    /// Stripes whose frames are known not to be in this share.
    pub(super) absent: Range<u64>,
    pub(super) seekable: bool,
    /// Bytes of the share, where it can be positioned.
    pub(super) len: Option<u64>,
    pub(super) ending: Option<Ending>,
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

    /// Bytes of a full frame: as much as [`FrameReader::read`] needs as buffer at most.
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

    /// A buffer for [`FrameReader::read`], to be made before the first. How long a frame is, a header
    /// only claims: a share that is shorter gets no more than it can fill, and one byte.
    ///
    /// # Errors
    /// The reader's own.
    pub fn buffer(&mut self) -> io::Result<Vec<u8>> {
        let most = self.frame_len();
        let there = match self.len {
            Some(len) => usize::try_from(len).unwrap_or(usize::MAX),
            // As it comes; only then is it known.
            None => self.feed.look_ahead(most)?,
        };
        Ok(vec![0; most.min(there.saturating_add(1))])
    }

    /// Reads the frame of `stripe` into the start of `buffer`, which is one full frame long, or longer than
    /// all of the share.
    ///
    /// # Errors
    /// The reader's own; whatever is wrong with the bytes is a [`Found::Fault`].
    pub fn read(&mut self, stripe: u64, buffer: &mut [u8]) -> io::Result<Found> {
        assert!(
            buffer.len() <= self.frame_len(),
            "the buffer is at most one full frame long"
        );
        if self.arithmetic {
            self.read_at(stripe, buffer)
        } else {
            self.read_in_order(stripe, buffer)
        }
    }

    fn read_at(&mut self, stripe: u64, buffer: &mut [u8]) -> io::Result<Found> {
        let frame_len = self.frame_len() as u64;
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
        let mut looked_into = LookedInto::default();
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
            let found = self.next_beginning(&buffer[1..filled], offset, &mut looked_into);
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

    /// Where a frame of the stream or a trailer may begin next.
    fn next_beginning(
        &self,
        bytes: &[u8],
        offset: u64,
        looked_into: &mut LookedInto,
    ) -> Option<usize> {
        looked_into.go_on_to(offset, bytes.len());
        let frame = if looked_into.frames < MOST_BEGINNINGS {
            self.magic.find(bytes)
        } else {
            memmem::rfind(bytes, self.magic.needle())
        };
        let until = frame.map_or(bytes.len(), |at| {
            (at + TRAILER_MAGIC.len()).min(bytes.len())
        });
        let trailer = if looked_into.trailers < MOST_BEGINNINGS {
            memmem::find(&bytes[..until], &TRAILER_MAGIC)
        } else {
            memmem::rfind(&bytes[..until], &TRAILER_MAGIC)
        };
        looked_into.frames += u32::from(trailer.is_none() && frame.is_some());
        looked_into.trailers += u32::from(trailer.is_some());
        trailer.or(frame)
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
