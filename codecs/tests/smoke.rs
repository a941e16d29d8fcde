//! Every code encodes, loses shards, and gives them back.

use distdup_codecs::{FAMILIES, Geometry, Shard, ShardSet};

#[test]
fn every_loss_that_a_code_claims_to_survive() {
    for family in FAMILIES {
        for (k, n) in [(1, 2), (1, 4), (2, 3), (4, 6), (6, 10), (3, 4)] {
            let geometry = Geometry::new(k, n).unwrap();
            let Ok(code) = family.code(geometry, None) else {
                continue;
            };
            let len = 130;
            let mut all: Vec<Vec<u8>> = (0..n)
                .map(|i| {
                    (0..len)
                        .map(|j| if i < k { (i * 91 + j * 7) as u8 } else { 0 })
                        .collect()
                })
                .collect();
            let mut coder = code.coder();
            let (data, parity) = all.split_at_mut(k);
            let data: Vec<&[u8]> = data.iter().map(Vec::as_slice).collect();
            let mut parity: Vec<&mut [u8]> = parity.iter_mut().map(Vec::as_mut_slice).collect();
            coder.encode(&data, &mut parity).unwrap();
            for mask in 0..1u32 << n {
                let present: ShardSet = (0..n).filter(|i| mask >> i & 1 == 1).collect();
                let can = code.reconstructible(present);
                let mut out = vec![vec![0xee; len]; n];
                let mut shards: Vec<Shard<'_>> = out
                    .iter_mut()
                    .enumerate()
                    .map(|(i, out)| {
                        if present.contains(i) {
                            Shard::Present(&all[i])
                        } else if can.contains(i) {
                            Shard::Wanted(out)
                        } else {
                            Shard::Absent
                        }
                    })
                    .collect();
                coder.reconstruct(&mut shards).unwrap();
                for i in can.difference(present) {
                    assert_eq!(out[i], all[i], "{code:?} {present} {i}");
                }
            }
        }
    }
}
