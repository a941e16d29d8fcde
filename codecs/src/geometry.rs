//! The shape of a code, and sets of its shards.

use std::fmt;

use crate::error::CodecError;

/// Most shards that a code may have.
pub const MAX_SHARDS: usize = 256;

/// How many data shards a code has, and how many shards in all: (k, n) with
/// 1 <= k <= n <= [`MAX_SHARDS`].
///
/// Shards are numbered from 0: the data are 0..k, parity is k..n. There is always parity, but for
/// (1, 1), which is a lone copy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Geometry {
    k: u16,
    n: u16,
}

impl Geometry {
    /// The geometry of `k` data shards in `n` shards.
    ///
    /// # Errors
    ///
    /// [`CodecError::ShardCounts`] unless 1 <= k <= n <= 256, and [`CodecError::NoParity`] where
    /// k = n, for then no shard may be lost. One shard alone, (1, 1), is allowed: `copy` onto one
    /// host is what the other codes are compared with.
    pub fn new(k: usize, n: usize) -> Result<Self, CodecError> {
        if k < 1 || k > n || n > MAX_SHARDS {
            return Err(CodecError::ShardCounts { k, n });
        }
        if k == n && n != 1 {
            return Err(CodecError::NoParity { k });
        }
        match (u16::try_from(k), u16::try_from(n)) {
            (Ok(k), Ok(n)) => Ok(Self { k, n }),
            _ => Err(CodecError::ShardCounts { k, n }),
        }
    }

    /// Data shards.
    pub fn k(self) -> usize {
        usize::from(self.k)
    }

    /// All shards, data and parity.
    pub fn n(self) -> usize {
        usize::from(self.n)
    }

    /// Parity shards: n - k.
    pub fn parity(self) -> usize {
        self.n() - self.k()
    }

    /// All shards as a set.
    pub fn shards(self) -> ShardSet {
        ShardSet::first(self.n())
    }

    /// The data shards as a set.
    pub fn data(self) -> ShardSet {
        ShardSet::first(self.k())
    }

    /// What can be had from `present` where any k shards give all, and fewer nothing more.
    pub(crate) fn reconstructible_if_mds(self, present: ShardSet) -> ShardSet {
        let present = present.intersection(self.shards());
        if present.len() < self.k() {
            present
        } else {
            self.shards()
        }
    }
}

/// As the literature writes it: `(4, 6)`.
impl fmt::Display for Geometry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "({}, {})", self.k, self.n)
    }
}

/// A set of shard indices below [`MAX_SHARDS`]: a bit each, copied like a number.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct ShardSet([u64; WORDS]);

const WORDS: usize = MAX_SHARDS / 64;

impl ShardSet {
    /// The set with nothing in it.
    pub const EMPTY: Self = Self([0; WORDS]);

    /// The set with nothing in it; same as [`ShardSet::EMPTY`].
    pub const fn new() -> Self {
        Self::EMPTY
    }

    /// The indices 0..count.
    ///
    /// # Panics
    ///
    /// If `count` is above [`MAX_SHARDS`].
    pub const fn first(count: usize) -> Self {
        assert!(count <= MAX_SHARDS, "more shards than MAX_SHARDS");
        let mut words = [0; WORDS];
        let mut full = 0;
        while full < count / 64 {
            words[full] = u64::MAX;
            full += 1;
        }
        if !count.is_multiple_of(64) {
            words[full] = (1 << (count % 64)) - 1;
        }
        Self(words)
    }

    /// Adds `index`; true if it was not there before.
    ///
    /// # Panics
    ///
    /// If `index` is not below [`MAX_SHARDS`].
    pub fn insert(&mut self, index: usize) -> bool {
        assert!(
            index < MAX_SHARDS,
            "shard {index} is not below {MAX_SHARDS}"
        );
        let new = !self.contains(index);
        self.0[index / 64] |= 1 << (index % 64);
        new
    }

    /// Takes `index` out; true if it was there.
    pub fn remove(&mut self, index: usize) -> bool {
        let there = self.contains(index);
        if there {
            self.0[index / 64] &= !(1 << (index % 64));
        }
        there
    }

    /// Whether `index` is in the set; no set contains one of [`MAX_SHARDS`] or above.
    pub const fn contains(&self, index: usize) -> bool {
        index < MAX_SHARDS && self.0[index / 64] >> (index % 64) & 1 == 1
    }

    /// How many indices there are.
    pub const fn len(&self) -> usize {
        let mut ones = 0;
        let mut word = 0;
        while word < WORDS {
            ones += self.0[word].count_ones() as usize;
            word += 1;
        }
        ones
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        *self == Self::EMPTY
    }

    /// What is in either.
    #[must_use]
    pub fn union(self, other: Self) -> Self {
        self.zip(other, |a, b| a | b)
    }

    /// What is in both.
    #[must_use]
    pub fn intersection(self, other: Self) -> Self {
        self.zip(other, |a, b| a & b)
    }

    /// What is in this set and not in `other`.
    #[must_use]
    pub fn difference(self, other: Self) -> Self {
        self.zip(other, |a, b| a & !b)
    }

    /// What is in exactly one of the two: the sum over GF(2).
    #[must_use]
    pub fn symmetric_difference(self, other: Self) -> Self {
        self.zip(other, |a, b| a ^ b)
    }

    /// Whether all of this set is in `other`.
    pub fn is_subset(&self, other: Self) -> bool {
        self.difference(other).is_empty()
    }

    /// Whether all of `other` is in this set.
    pub fn is_superset(&self, other: Self) -> bool {
        other.is_subset(*self)
    }

    /// The indices, ascending.
    pub fn iter(&self) -> Iter {
        Iter(*self)
    }

    fn zip(self, other: Self, op: impl Fn(u64, u64) -> u64) -> Self {
        let mut words = self.0;
        for (word, other) in words.iter_mut().zip(other.0) {
            *word = op(*word, other);
        }
        Self(words)
    }
}

/// The indices of a [`ShardSet`], ascending.
#[derive(Clone, Debug)]
pub struct Iter(ShardSet);

impl Iterator for Iter {
    type Item = usize;

    fn next(&mut self) -> Option<usize> {
        let (at, word) = self
            .0
            .0
            .iter_mut()
            .enumerate()
            .find(|(_, word)| **word != 0)?;
        let bit = word.trailing_zeros() as usize;
        *word &= *word - 1;
        Some(at * 64 + bit)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.0.len(), Some(self.0.len()))
    }
}

impl ExactSizeIterator for Iter {}

impl IntoIterator for ShardSet {
    type Item = usize;
    type IntoIter = Iter;

    fn into_iter(self) -> Iter {
        Iter(self)
    }
}

impl IntoIterator for &ShardSet {
    type Item = usize;
    type IntoIter = Iter;

    fn into_iter(self) -> Iter {
        self.iter()
    }
}

/// # Panics
///
/// If an index is not below [`MAX_SHARDS`].
impl FromIterator<usize> for ShardSet {
    fn from_iter<I: IntoIterator<Item = usize>>(indices: I) -> Self {
        let mut set = Self::EMPTY;
        set.extend(indices);
        set
    }
}

/// # Panics
///
/// If an index is not below [`MAX_SHARDS`].
impl Extend<usize> for ShardSet {
    fn extend<I: IntoIterator<Item = usize>>(&mut self, indices: I) {
        for index in indices {
            self.insert(index);
        }
    }
}

impl fmt::Debug for ShardSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self).finish()
    }
}

/// For people: `0-3, 7`, or `none`.
impl fmt::Display for ShardSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_empty() {
            return f.write_str("none");
        }
        let mut comma = "";
        for start in self.iter().filter(|&i| i == 0 || !self.contains(i - 1)) {
            let run = (start..MAX_SHARDS)
                .take_while(|&i| self.contains(i))
                .count();
            match run {
                1 => write!(f, "{comma}{start}")?,
                2 => write!(f, "{comma}{start}, {}", start + 1)?,
                _ => write!(f, "{comma}{start}-{}", start + run - 1)?,
            }
            comma = ", ";
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn geometry_is_refused_with_its_numbers() {
        for (k, n) in [
            (0, 0),
            (0, 3),
            (4, 3),
            (1, 257),
            (257, 257),
            (usize::MAX, usize::MAX),
        ] {
            assert_eq!(Geometry::new(k, n), Err(CodecError::ShardCounts { k, n }));
        }
        for k in [2, 3, 256] {
            assert_eq!(Geometry::new(k, k), Err(CodecError::NoParity { k }));
        }
        for (k, n) in [(1, 1), (1, 2), (1, 256), (255, 256), (4, 6)] {
            let geometry = Geometry::new(k, n).unwrap();
            assert_eq!(
                (geometry.k(), geometry.n(), geometry.parity()),
                (k, n, n - k)
            );
        }
        assert_eq!(Geometry::new(4, 6).unwrap().to_string(), "(4, 6)");
    }

    /// Against `BTreeSet`, with indices at the edges of words.
    #[test]
    fn sets_behave_as_sets() {
        use std::collections::BTreeSet;
        let sides: Vec<Vec<usize>> = vec![
            vec![],
            vec![0],
            vec![255],
            vec![0, 63, 64, 127, 128, 191, 192, 255],
            vec![3, 64, 65, 66, 200],
            (0..64).collect(),
            (0..256).collect(),
        ];
        for a in &sides {
            let (x, bx): (ShardSet, BTreeSet<usize>) =
                (a.iter().copied().collect(), a.iter().copied().collect());
            assert_eq!(x.len(), bx.len());
            assert_eq!(x.is_empty(), bx.is_empty());
            assert_eq!(x.iter().len(), bx.len());
            assert!(x.iter().eq(bx.iter().copied()), "{x:?}");
            assert_eq!(format!("{x:?}"), format!("{bx:?}"));
            for b in &sides {
                let (y, by): (ShardSet, BTreeSet<usize>) =
                    (b.iter().copied().collect(), b.iter().copied().collect());
                assert!(x.union(y).iter().eq(bx.union(&by).copied()));
                assert!(x.intersection(y).iter().eq(bx.intersection(&by).copied()));
                assert!(x.difference(y).iter().eq(bx.difference(&by).copied()));
                let either = bx.symmetric_difference(&by).copied();
                assert!(x.symmetric_difference(y).iter().eq(either));
                assert_eq!(x.is_subset(y), bx.is_subset(&by));
                assert_eq!(x.is_superset(y), bx.is_superset(&by));
            }
        }
    }

    #[test]
    fn first_counts_across_words() {
        for count in [0, 1, 63, 64, 65, 128, 200, 255, 256] {
            assert!(ShardSet::first(count).iter().eq(0..count), "{count}");
        }
    }

    #[test]
    fn insert_and_remove_say_what_changed() {
        let mut set = ShardSet::new();
        assert!(set.insert(130) && !set.insert(130));
        assert!(set.contains(130) && !set.contains(2) && !set.contains(256));
        assert!(set.remove(130) && !set.remove(130) && !set.remove(1000));
        assert!(set.is_empty());
    }

    #[test]
    fn display_draws_runs_together() {
        let shown = |indices: &[usize]| indices.iter().copied().collect::<ShardSet>().to_string();
        assert_eq!(shown(&[]), "none");
        assert_eq!(shown(&[5]), "5");
        assert_eq!(shown(&[0, 1, 4, 5, 6, 255]), "0, 1, 4-6, 255");
    }
}
