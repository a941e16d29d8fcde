//! A warm coder allocates nothing per stripe, and holds on to no more than it says.

#![allow(clippy::unwrap_used)]

use allocation_counter::measure;
use distdup_codecs::{Code, Coder, Geometry, Shard, family};

static BYTES: [u8; 20_000] = [7; 20_000];

/// Encodes, then fills lost data and parity, then lost data alone; with the same losses each time.
fn stripe(code: &dyn Code, coder: &mut dyn Coder, room: &mut [Vec<u8>], len: usize) {
    let (k, n) = (code.geometry().k(), code.geometry().n());
    let bytes = &BYTES[..len];
    for wanted in [[0, n - 1], [0, 0]] {
        let data: [&[u8]; 16] = [bytes; 16];
        let mut parity: [&mut [u8]; 4] = Default::default();
        for (view, room) in parity.iter_mut().zip(room.iter_mut()) {
            *view = &mut room[..len];
        }
        coder.encode(&data[..k], &mut parity[..n - k]).unwrap();

        let mut shards: [Shard<'_>; 16] = std::array::from_fn(|_| Shard::Present(bytes));
        for (index, room) in wanted.into_iter().zip(room.iter_mut()) {
            shards[index] = Shard::Wanted(&mut room[..len]);
        }
        coder.reconstruct(&mut shards[..n]).unwrap();
    }
}

#[test]
fn warm_coders_allocate_nothing_and_hold_what_they_say() {
    for (id, k, n, params) in [
        ("copy", 1, 3, None),
        ("xor", 6, 10, None),
        ("rs16", 4, 6, Some("high")),
        ("rs16", 4, 6, Some("low")),
        ("rs16", 10, 14, Some("high")),
        ("rs8", 4, 6, None),
        ("rs8", 10, 14, None),
    ] {
        let code = family(id)
            .unwrap()
            .code(Geometry::new(k, n).unwrap(), params)
            .unwrap();
        let len = BYTES.len();
        let mut room = vec![vec![0; len]; 4];
        // A thread for each code, since what threads remember is part of the scratch.
        std::thread::scope(|scope| {
            scope.spawn(|| {
                // The kernels' tables are made once in a process, and are nobody's scratch.
                stripe(code.as_ref(), code.coder().as_mut(), &mut room, 2);
            });
        });
        std::thread::scope(|scope| {
            scope.spawn(|| {
                let mut coder = None;
                let warming = measure(|| {
                    let coder = coder.insert(code.coder());
                    stripe(code.as_ref(), coder.as_mut(), &mut room, len);
                });
                let (held, said) = (warming.bytes_current, code.scratch_bytes(len));
                let said = i64::try_from(said).unwrap();
                // What it says is about shards: the coder itself, some words, is not counted.
                assert!(
                    held <= said + 512,
                    "{code:?} holds {held} bytes and says {said}"
                );
                assert!(
                    held * 10 >= said * 9 || said < 1000,
                    "{code:?}: {held} are not {said}"
                );

                let coder = coder.as_mut().unwrap();
                // Shorter stripes, as the last of a stream, and full ones after them.
                for len in [len, 2, 66, len] {
                    let warm = measure(|| stripe(code.as_ref(), coder.as_mut(), &mut room, len));
                    let allocations = warm.count_total;
                    // Between the two losses of a stripe xor solves anew, into a vector or two.
                    let solutions = if id == "xor" { 4 } else { 0 };
                    assert!(
                        allocations <= solutions,
                        "{code:?}: {allocations} allocations"
                    );
                }
            });
        });
    }
}
