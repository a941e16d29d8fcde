//! The frames of one share, wherever they stand.

use std::io::Cursor;
use std::sync::{Arc, LazyLock};

use distdup::format::scan::{Found, OpenShare};
use distdup::format::{Common, frame, header};
use memchr::memmem;

use super::memory::within;
use super::script::Counted;
use super::{forge, is_fit_to_print};
use crate::kit::anatomy::Anatomy;
use crate::kit::golden::{GOLDEN, SHARD};

/// Bytes of the frames that are read here.
const LONGEST: usize = 1 << 16;

/// Takes all but the first byte for a share: as a file, as a pipe, with its digests made right.
pub fn check(bytes: &[u8]) {
    let Some((how, share)) = bytes.split_first() else {
        return;
    };
    let mut share = share.to_vec();
    if how & 1 == 1 {
        forge::mend(&mut share);
    }
    let most = if how & 2 == 2 { 7 } else { usize::MAX };
    let limit = (3 << 20) + 4 * LONGEST + 16 * share.len();
    for seekable in [true, false] {
        within(limit, || read(&share, seekable, most));
    }
}

fn read(share: &[u8], seekable: bool, most: usize) {
    let read = Arc::default();
    let reader = Counted {
        bytes: Cursor::new(share.to_vec()),
        seekable,
        most,
        read: Arc::clone(&read),
    };
    let open = OpenShare::open(Box::new(reader)).unwrap();
    if let Err(fault) = &open.header {
        is_fit_to_print(&fault.to_string());
    }
    let common = match open.claims() {
        Some((common, index)) => {
            assert!(index < common.geometry().n());
            common.clone()
        }
        None => STRANGER.clone(),
    };
    let common = Arc::new(common);
    let mut frames = open.frames(Arc::clone(&common));
    let len = frames.frame_len();
    if len > LONGEST {
        return; // what this costs is measured with the whole decode
    }
    let mut buffer = vec![0; len];
    if frames.identify(&mut buffer).unwrap().is_none() {
        return;
    }
    // As many as there can be, and one for each end.
    let all = share.len() as u64 / frame::HEAD_LEN as u64 + 2;
    for stripe in 0..all {
        match frames.read(stripe, &mut buffer).unwrap() {
            Found::Frame(checked) => {
                let frame = &buffer[..checked.len];
                assert_eq!(frame::check_frame(frame, &common), Some(checked));
                assert_eq!(checked.head.stripe, stripe);
                assert_eq!(Some(checked.head.share), frames.index());
                assert!(memmem::find(share, frame).is_some(), "it stands there");
            }
            Found::Fault(fault) => {
                is_fit_to_print(&fault.to_string());
                assert!(fault.offset <= share.len() as u64);
            }
            Found::End(end) => {
                is_fit_to_print(&end.to_string());
                break;
            }
        }
    }
    // Header and ending, and each frame once or twice more while it was looked for.
    let read = *read.lock().unwrap();
    assert!(
        read <= 4 * share.len() + 8192,
        "{read} bytes read of {}",
        share.len()
    );
}

/// The stream of which a share is taken to be that does not say.
static STRANGER: LazyLock<Common> = LazyLock::new(|| {
    let share = &GOLDEN[1].committed()[5].1[1];
    header::decode(share).unwrap().unwrap().0.common
});

pub fn seeds() -> Vec<Vec<u8>> {
    let mut seeds = Vec::new();
    for golden in &GOLDEN {
        let (_, shares) = golden.committed().remove(5);
        for how in 0..4 {
            let share = &shares[usize::from(how) % golden.k];
            let at = Anatomy::of(share, SHARD);
            let [one, two, three] = [1, 2, 3].map(|stripe| share[at.stripe(stripe)].to_vec());
            let (head, tail) = (&share[..at.header], &share[at.trailer..]);
            seeds.push([&[how], &share[..]].concat());
            // Without a header, a frame twice, two in each other's place, one within another, no end.
            seeds.push([&[how], &share[at.header..]].concat());
            seeds.push([&[how], head, &one, &one, tail].concat());
            seeds.push([&[how], head, &two, &one, &three, tail].concat());
            seeds.push([&[how], head, &one[..100], &two, &one[100..]].concat());
        }
    }
    seeds
}
