//! Encoding by distdup's kernels, ISA-L's, reed-solomon-erasure's, and memcpy of the same bytes, on one
//! core, in MB of data a second of processor time. Run by benches/compare.sh, which installs ISA-L.
//!
//! The contestants take turns, many short ones. One line each, between tabs: what, k, n, and the median,
//! least and most of MB/s.

use std::hint::black_box;

use distdup_codecs::{Geometry, resolve};
use reed_solomon_erasure::galois_8::ReedSolomon;
use rustix::time::{ClockId, clock_gettime};

const SHARD: usize = 64 << 10;
const SHIFT: usize = 2048;
const TURNS: usize = 60;
/// Bytes of data that a turn encodes, about.
const TURN: usize = 32 << 20;

mod isal {
    use std::ffi::c_int;

    #[link(name = "isal")]
    unsafe extern "C" {
        fn gf_gen_rs_matrix(matrix: *mut u8, rows: c_int, k: c_int);
        fn ec_init_tables(k: c_int, rows: c_int, matrix: *const u8, tables: *mut u8);
        fn ec_encode_data(
            len: c_int,
            k: c_int,
            rows: c_int,
            tables: *const u8,
            data: *const *const u8,
            coding: *const *mut u8,
        );
    }

    /// What ISA-L needs to encode (k, n).
    pub struct Encoder {
        k: usize,
        n: usize,
        tables: Vec<u8>,
    }

    impl Encoder {
        pub fn new(k: usize, n: usize) -> Self {
            let mut matrix = vec![0; n * k];
            let mut tables = vec![0; 32 * k * (n - k)];
            // SAFETY: the matrix has n rows of k, the tables 32 bytes for each coefficient of parity.
            unsafe {
                gf_gen_rs_matrix(matrix.as_mut_ptr(), n as c_int, k as c_int);
                let parity = matrix.as_ptr().add(k * k);
                ec_init_tables(k as c_int, (n - k) as c_int, parity, tables.as_mut_ptr());
            }
            Self { k, n, tables }
        }

        pub fn encode(&self, data: &[Vec<u8>], parity: &mut [Vec<u8>]) {
            assert_eq!((data.len(), data.len() + parity.len()), (self.k, self.n));
            let len = data[0].len();
            assert!(
                data.iter()
                    .chain(parity.iter())
                    .all(|shard| shard.len() == len)
            );
            let data: Vec<*const u8> = data.iter().map(|shard| shard.as_ptr()).collect();
            let parity: Vec<*mut u8> = parity.iter_mut().map(|shard| shard.as_mut_ptr()).collect();
            let (k, rows) = (self.k as c_int, (self.n - self.k) as c_int);
            // SAFETY: k sources and n - k places of `len` bytes each, no two of them the same.
            unsafe {
                ec_encode_data(
                    len as c_int,
                    k,
                    rows,
                    self.tables.as_ptr(),
                    data.as_ptr(),
                    parity.as_ptr(),
                );
            }
        }
    }
}

type Work = Box<dyn FnMut(&[Vec<u8>], &mut [Vec<u8>])>;

fn main() {
    for (k, n) in [(2, 3), (4, 6), (6, 10), (10, 14), (32, 64)] {
        let isal = isal::Encoder::new(k, n);
        let erasure = ReedSolomon::new(k, n - k).expect("a geometry that it can do");
        race(
            k,
            n,
            vec![
                ("rs8", ours("rs8", k, n)),
                (
                    "ISA-L",
                    Box::new(move |data, parity| isal.encode(data, parity)),
                ),
                (
                    "reed-solomon-erasure",
                    Box::new(move |data, parity| {
                        erasure
                            .encode_sep(data, parity)
                            .expect("shards of one length");
                    }),
                ),
                ("rs16", ours("rs16", k, n)),
            ],
        );
    }
    for k in [2, 4, 10] {
        // Not at the sources' offsets within a page, where loads would wait for stores.
        let mut copies: Vec<Vec<u8>> = vec![vec![0; SHARD + SHIFT]; k];
        race(
            k,
            k + 1,
            vec![
                ("xor", ours("xor", k, k + 1)),
                (
                    "memcpy",
                    Box::new(move |data, _| {
                        for (to, from) in black_box(&mut copies).iter_mut().zip(data) {
                            to[SHIFT..].copy_from_slice(from);
                        }
                    }),
                ),
            ],
        );
    }
}

fn ours(codec: &str, k: usize, n: usize) -> Work {
    let geometry = Geometry::new(k, n).expect("a geometry");
    let mut coder = resolve(codec, geometry, None).expect("a code").coder();
    Box::new(move |data, parity| {
        let data: Vec<&[u8]> = data.iter().map(Vec::as_slice).collect();
        let mut parity: Vec<&mut [u8]> = parity.iter_mut().map(Vec::as_mut_slice).collect();
        coder
            .encode(&data, &mut parity)
            .expect("shards of one length");
    })
}

/// Prints what each does.
fn race(k: usize, n: usize, mut contestants: Vec<(&str, Work)>) {
    let byte = |i: usize, j: usize| (i * 91 + j * 7 + j / 251).to_le_bytes()[0];
    let data: Vec<Vec<u8>> = (0..k)
        .map(|i| (0..SHARD).map(|j| byte(i, j)).collect())
        .collect();
    let mut parity = vec![vec![0; SHARD]; n - k];
    let repeats = (TURN / (k * SHARD)).max(1);
    let mut speeds = vec![Vec::with_capacity(TURNS); contestants.len()];
    for turn in 0..=TURNS {
        for ((_, work), speeds) in contestants.iter_mut().zip(&mut speeds) {
            let start = seconds();
            for _ in 0..repeats {
                work(black_box(&data), black_box(&mut parity));
            }
            if turn > 0 {
                speeds.push((repeats * k * SHARD) as f64 / (seconds() - start) / 1e6);
            }
        }
    }
    for ((name, _), mut speeds) in contestants.into_iter().zip(speeds) {
        speeds.sort_by(f64::total_cmp);
        let at = |part: usize| speeds[(TURNS - 1) * part / 4];
        println!("{name}\t{k}\t{n}\t{:.0}\t{:.0}\t{:.0}", at(2), at(0), at(4));
    }
}

/// Seconds that this thread spent on a processor.
fn seconds() -> f64 {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    time.tv_sec as f64 + time.tv_nsec as f64 / 1e9
}
