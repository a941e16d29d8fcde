//! Exact figures of MDS codes, for which it is enough to count the hosts that are up.

use super::chance::Odds;
use super::hosts::Block;
use super::{Figures, Hosts, Moment, Probability, Way};

/// `[b][u]`: the probability that b hosts are up at backup, and u of these at restore as well.
type Joint = Vec<Vec<f64>>;

/// Those of a code of which any `k` shares suffice.
pub(super) fn figures(k: usize, hosts: &Hosts, min_shares: usize) -> Figures {
    let (way, joint, restored) = match hosts.all_alike() {
        Some((backup, restore)) => (
            Way::Sums,
            sums(hosts.len(), backup, restore),
            binomial(hosts.len(), restore),
        ),
        None => (Way::Counts, convolved(hosts), up_at_restore(hosts)),
    };
    let [
        mut readable,
        mut taken,
        mut acknowledged,
        mut unhealed,
        mut healed,
    ] = [Odds::default(); 5];
    for (backed_up, row) in joint.iter().enumerate() {
        for (usable, &p) in row.iter().enumerate() {
            readable.add(usable >= k, p);
            taken.add(backed_up >= k, p);
            acknowledged.add(backed_up >= min_shares, p);
            if backed_up >= min_shares {
                unhealed.add(usable >= k, p);
            }
        }
    }
    for (up, &p) in restored.iter().enumerate() {
        healed.add(up >= k, p);
    }
    let unhealed = unhealed.conditional();
    Figures {
        way,
        readable: readable.chance(),
        taken: taken.chance(),
        acknowledged: acknowledged.chance(),
        unhealed,
        healed: unhealed.map(|_| healed.chance()),
    }
}

fn sums(n: usize, backup: Probability, restore: Probability) -> Joint {
    let row = |(backed_up, p): (usize, f64)| {
        binomial(backed_up, restore)
            .into_iter()
            .map(|q| p * q)
            .collect()
    };
    binomial(n, backup)
        .into_iter()
        .enumerate()
        .map(row)
        .collect()
}

/// That 0, 1, ... n of n are up.
fn binomial(n: usize, p: Probability) -> Vec<f64> {
    let mut choose = 1.0;
    let term = |i: usize| {
        let term = choose * p.up().powf(real(i)) * p.down().powf(real(n - i));
        // Exact below 2^53.
        choose = choose * real(n - i) / real(i + 1);
        term
    };
    (0..=n).map(term).collect()
}

/// A count as a number to compute with.
pub(super) fn real(count: usize) -> f64 {
    f64::from(u32::try_from(count).expect("counts of shares and states are small"))
}

/// Block by block.
fn convolved(hosts: &Hosts) -> Joint {
    let mut joint = vec![vec![1.0]];
    for block in hosts.blocks() {
        joint = product(&joint, &of_block(hosts, block));
    }
    joint
}

fn product(a: &Joint, b: &Joint) -> Joint {
    let size = a.len() + b.len() - 1;
    let mut joint = vec![vec![0.0; size]; size];
    for (i, row) in a.iter().enumerate() {
        for (j, p) in row.iter().enumerate().filter(|(_, p)| **p > 0.0) {
            for (k, other) in b.iter().enumerate() {
                for (l, q) in other.iter().enumerate() {
                    joint[i + k][j + l] += p * q;
                }
            }
        }
    }
    joint
}

/// Those in a block: it is up both times, at backup only, or not at backup.
fn of_block(hosts: &Hosts, block: &Block) -> Joint {
    let mut both = vec![vec![1.0]];
    let mut backup_only = vec![vec![1.0]];
    for &host in &block.members {
        let backup = hosts.up(host, Moment::Backup);
        let restore = hosts.up(host, Moment::Restore);
        both = product(
            &both,
            &vec![
                vec![backup.down(), 0.0],
                vec![backup.up() * restore.down(), backup.up() * restore.up()],
            ],
        );
        backup_only = product(
            &backup_only,
            &vec![vec![backup.down(), 0.0], vec![backup.up(), 0.0]],
        );
    }
    let (up, down) = (block.up.up(), block.up.down());
    for (row, other) in both.iter_mut().zip(&backup_only) {
        for (p, q) in row.iter_mut().zip(other) {
            *p = up * (up * *p + down * q);
        }
    }
    both[0][0] += down;
    both
}

/// That 0, 1, ... n hosts are up at restore.
fn up_at_restore(hosts: &Hosts) -> Vec<f64> {
    let times = |a: &[f64], b: &[f64]| {
        let mut sum = vec![0.0; a.len() + b.len() - 1];
        for (i, p) in a.iter().enumerate() {
            for (j, q) in b.iter().enumerate() {
                sum[i + j] += p * q;
            }
        }
        sum
    };
    hosts.blocks().iter().fold(vec![1.0], |counts, block| {
        let mut up = block.members.iter().fold(vec![1.0], |up, &host| {
            let host = hosts.up(host, Moment::Restore);
            times(&up, &[host.down(), host.up()])
        });
        for p in &mut up {
            *p *= block.up.up();
        }
        up[0] += block.up.down();
        times(&counts, &up)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_that_can_be_adds_up_to_one() {
        let up = |p: f64| Probability::new(p).unwrap();
        for n in [1, 2, 10, 100, 256] {
            let hosts = Hosts::equal(n, up(0.9), up(0.7));
            for joint in [sums(n, up(0.9), up(0.7)), convolved(&hosts)] {
                let total: f64 = joint.iter().flatten().sum();
                assert!((total - 1.0).abs() < 1e-12, "{n}: {total}");
            }
        }
    }

    #[test]
    fn sums_and_convolution_agree_in_every_term() {
        let up = |p: f64| Probability::new(p).unwrap();
        let (sums, convolved) = (
            sums(30, up(0.99), up(0.9)),
            convolved(&Hosts::equal(30, up(0.99), up(0.9))),
        );
        for (b, row) in sums.iter().enumerate() {
            for (u, p) in row.iter().enumerate() {
                let q = convolved[b][u];
                assert!((p - q).abs() <= 1e-12 * p, "{b} {u}: {p} {q}");
            }
        }
    }
}
