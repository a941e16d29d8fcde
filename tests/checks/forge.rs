//! Parts of shares as only who writes shares can make them. Digests would stop whatever was changed; here
//! they are made right again, so that what lies behind them is reached. Written from docs/FORMAT.md.

use distdup::format::digest::{Digest, Hasher, Totals};
use memchr::memmem;

const OPENING: &[u8] = b"\xd9\xd9\xf7\xdaddsh\x84\x01";
const FRAME: &[u8] = b"\xdaddfr\x88";
const TRAILER: &[u8] = b"\xdaddtr\x86";
const FOOTER: &[u8] = b"\xdaddft\x86\x48distdup1";

const BYTES_16: u8 = 0x50;
/// Of a frame: what its check covers, the check, the payload's length, and the payload.
const CHECKED: usize = 58;
const CHECK: usize = 59;
const PAYLOAD_LEN: usize = 76;
const PAYLOAD: usize = 80;
/// Of a footer: what its digest covers, and all.
const COVERED: usize = 47;
const FOOTER_LEN: usize = 64;

const UINT: u8 = 0;
const BYTES: u8 = 2;

/// An item's head in CBOR's shortest form.
fn head(kind: u8, value: u64) -> Vec<u8> {
    let bytes = value.to_be_bytes();
    let (short, len) = match value {
        0..24 => return vec![kind << 5 | bytes[7]],
        24..0x100 => (24, 1),
        0x100..0x1_0000 => (25, 2),
        0x1_0000..0x1_0000_0000 => (26, 4),
        _ => (27, 8),
    };
    [&[kind << 5 | short], &bytes[8 - len..]].concat()
}

fn byte_string(bytes: &[u8]) -> Vec<u8> {
    [&head(BYTES, bytes.len() as u64), bytes].concat()
}

/// The head of the item at `at`: its kind, its value, and what follows; of the forms that shares use.
fn item(bytes: &[u8], at: usize) -> Option<(u8, u64, usize)> {
    let first = *bytes.get(at)?;
    let len = match first & 0x1f {
        short @ 0..24 => return Some((first >> 5, u64::from(short), at + 1)),
        24 => 1,
        25 => 2,
        26 => 4,
        27 => 8,
        _ => return None,
    };
    let value = bytes.get(at + 1..at + 1 + len)?;
    let value = value
        .iter()
        .fold(0, |sum, byte| sum << 8 | u64::from(*byte));
    Some((first >> 5, value, at + 1 + len))
}

/// The byte string at `at`, and what follows.
fn string(bytes: &[u8], at: usize) -> Option<(&[u8], usize)> {
    let (kind, len, start) = item(bytes, at)?;
    let end = start.checked_add(usize::try_from(len).ok()?)?;
    Some((bytes.get(start..end)?, end)).filter(|_| kind == BYTES)
}

fn number(bytes: &[u8], at: usize) -> Option<(u64, usize)> {
    let (kind, value, next) = item(bytes, at)?;
    Some((value, next)).filter(|_| kind == UINT)
}

fn of_header(common: Digest, index: u16) -> Digest {
    Hasher::new()
        .with(&[1])
        .with(common.as_bytes())
        .with(&index.to_be_bytes())
        .finish()
}

fn of_trailer(common: Digest, index: u16, totals: &Totals) -> Digest {
    Hasher::new()
        .with(common.as_bytes())
        .with(&index.to_be_bytes())
        .with(&totals.length.to_be_bytes())
        .with(&totals.stripes.to_be_bytes())
        .with(totals.digest.as_bytes())
        .finish()
}

/// A header that says `common`, whatever that is.
pub fn header(common: &[u8], index: u16) -> Vec<u8> {
    let digest = of_header(Digest::of(common), index);
    [
        OPENING,
        &byte_string(common),
        &head(UINT, index.into()),
        &byte_string(digest.as_bytes()),
    ]
    .concat()
}

/// A trailer that says `common`, whatever that is.
pub fn trailer(common: &[u8], index: u16, totals: &Totals) -> Vec<u8> {
    let digest = of_trailer(Digest::of(common), index, totals);
    [
        TRAILER,
        &byte_string(common),
        &head(UINT, index.into()),
        &head(UINT, totals.length),
        &head(UINT, totals.stripes),
        &byte_string(totals.digest.as_bytes()),
        &byte_string(digest.as_bytes()),
    ]
    .concat()
}

/// Makes all digests right again of whatever in `share` has the look of a header, frame, trailer or footer.
pub fn mend(share: &mut [u8]) {
    let mut common = None;
    if share.starts_with(OPENING) {
        common = mend_header(share);
    }
    for at in places(share, TRAILER) {
        common = common.or(mend_trailer(share, at));
    }
    for at in places(share, FRAME) {
        mend_frame(&mut share[at..], common.unwrap_or(Digest::of(b"")));
    }
    for at in places(share, FOOTER) {
        if let Some(footer) = share.get_mut(at..at + FOOTER_LEN) {
            let digest = Digest::of(&footer[..COVERED]);
            footer[COVERED + 1..].copy_from_slice(digest.as_bytes());
        }
    }
}

fn places(share: &[u8], magic: &[u8]) -> Vec<usize> {
    memmem::find_iter(share, magic).collect()
}

fn mend_header(share: &mut [u8]) -> Option<Digest> {
    let (common, at) = string(share, OPENING.len())?;
    let common = Digest::of(common);
    if let Some((index, at)) = number(share, at) {
        let index = u16::try_from(index).ok()?;
        put(share, at, of_header(common, index));
    }
    Some(common)
}

fn mend_trailer(share: &mut [u8], at: usize) -> Option<Digest> {
    let (common, at) = string(share, at + TRAILER.len())?;
    let common = Digest::of(common);
    let (index, at) = number(share, at)?;
    let (length, at) = number(share, at)?;
    let (stripes, at) = number(share, at)?;
    let (digest, at) = string(share, at)?;
    let totals = Totals {
        length,
        stripes,
        digest: Digest::from(<[u8; 16]>::try_from(digest).ok()?),
    };
    let digest = of_trailer(common, u16::try_from(index).ok()?, &totals);
    put(share, at, digest);
    Some(common)
}

fn mend_frame(frame: &mut [u8], common: Digest) {
    let Some(len) = frame.get(PAYLOAD_LEN..PAYLOAD) else {
        return;
    };
    let len = u32::from_be_bytes(len.try_into().expect("four bytes")) as usize;
    let Some(payload) = frame.get(PAYLOAD..PAYLOAD + len) else {
        return;
    };
    let check = Hasher::new()
        .with(&frame[..CHECKED])
        .with(Digest::of(payload).as_bytes())
        .with(common.as_bytes())
        .finish();
    frame[CHECK..CHECK + 16].copy_from_slice(check.as_bytes());
}

/// Puts a digest's item at `at`, where there is one.
fn put(share: &mut [u8], at: usize, digest: Digest) {
    if let Some([kind, bytes @ ..]) = share.get_mut(at..at + 17)
        && *kind == BYTES_16
    {
        bytes.copy_from_slice(digest.as_bytes());
    }
}
