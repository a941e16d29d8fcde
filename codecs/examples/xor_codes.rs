//! Finds the best systematic binary linear code for each geometry, and proves that it is.
//!
//! ```text
//! cargo run --release -p distdup-codecs --example xor_codes > codecs/src/xor/best.txt
//! cargo run --release -p distdup-codecs --example xor_codes census 12
//! ```
//!
//! The first makes the table that the crate ships, in seconds, and says on standard error how many
//! codes were held against each other. The second looks at every code there is up to that n, and
//! says where another measure would have chosen another one: seconds for 12, minutes for 14. Both
//! take numbers after it: the largest n, then the largest and the smallest n - k.
//!
//! **What is best.** A code's *losses* are the numbers of sets of 1, 2, ... n - k lost shards that it
//! does not survive. Of two codes that one is better whose first number that differs is smaller:
//! where hosts are mostly up, the small losses are those that happen. Of codes with the same losses
//! that one is better which takes fewer exclusive ors of shards to encode.
//!
//! **How all codes are seen.** A loss is survived where the columns that the lost shards have in the
//! parity-check matrix are linearly independent. So losses depend on the n columns alone, as a
//! multiset of vectors of GF(2)^(n - k), and not on its basis; any basis among them may be the parity
//! shards. Codes are built from the unit vectors by adding column after column, and of those that a
//! change of basis makes the same one is kept.
//!
//! **How most are left out, and none wrongly.** Let d be the size of a code's smallest losses, and b
//! their number. Each of them outlasts the removal of n - d of the n columns; so there is a column
//! without which at most b (n - d) / n of them are left. It is in one of them, hence dependent on the
//! others, and the rest has the same rank. (Where b is 0, any column in any loss will do.) So all
//! codes of n columns with at most b losses of size d, and none smaller, are extensions of those of
//! n - 1 columns with at most b (n - d) / n.

#![allow(clippy::unwrap_used)]

use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap};
use std::rc::Rc;

fn main() {
    let mut words: Vec<String> = std::env::args().skip(1).collect();
    let census = words.first().is_some_and(|word| word == "census");
    if census {
        words.remove(0);
    }
    let number = |at: usize, default| words.get(at).map_or(default, |word| word.parse().unwrap());
    let (max_n, max_parity, min_parity) = (number(0, 20), number(1, 8), number(2, 2));
    let parities = min_parity..=max_parity.min(max_n - 2);
    if census {
        parities.for_each(|parity| look_at_all(parity, max_n));
    } else {
        print!("{HEAD}");
        parities.for_each(|parity| print_table(parity, max_n));
    }
}

const HEAD: &str = "\
# The best systematic binary linear codes, as examples/xor_codes.rs found and proved them.
# k; n; how many sets of 1, 2, ... n - k lost shards are not survived; XORs to encode; equations.
";

/// Prints a line of the table for each n.
fn print_table(parity: usize, max_n: usize) {
    let mut search = Search::new(parity);
    for n in parity + 2..=max_n {
        let (ties, seen) = search.best(n);
        let form = ties.iter().map(Code::cheapest).min().unwrap();
        let losses: Vec<String> = ties[0].losses().iter().map(u64::to_string).collect();
        let (losses, xors, equations) = (losses.join(","), form.xors, form.equations());
        println!("{} {n} {losses} {xors} {equations}", n - parity);
        let ties = ties.len();
        eprintln!(
            "({}, {n}): {seen} codes were left, {ties} have these losses",
            n - parity
        );
    }
}

/// What a code of n shards with these losses is worth: the less the better.
type Measure = fn(n: usize, losses: &[u64]) -> f64;

/// Says for each n whether the best code is also the one with the most recoverable sets in all, and
/// the most available where hosts are up 99 % and 90 % of the time.
fn look_at_all(parity: usize, max_n: usize) {
    let mut search = Search::new(parity);
    search.distance = 2;
    for n in parity + 2..=max_n {
        let all = search.classes(n, usize::MAX);
        let mut losses: Vec<Vec<u64>> = all.iter().map(Code::losses).collect();
        losses.sort();
        let best = &losses[0];
        println!("({}, {n}): {} codes, best {best:?}", n - parity, all.len());
        let measures: [(&str, Measure); 3] = [
            ("recoverable sets in all", |_, losses| {
                real(losses.iter().sum())
            }),
            ("hosts up 99 %", |n, losses| unreadable(n, losses, 0.99)),
            ("hosts up 90 %", |n, losses| unreadable(n, losses, 0.9)),
        ];
        for (what, measure) in measures {
            let other = losses
                .iter()
                .min_by(|a, b| measure(n, a).total_cmp(&measure(n, b)))
                .unwrap();
            if measure(n, other) < measure(n, best) {
                let (ours, theirs) = (measure(n, best), measure(n, other));
                println!("    by {what}: {other:?}, {theirs:.6e} to {ours:.6e}");
            }
        }
    }
}

/// The part of unreadable data that losses of up to n - k shards are the cause of, where a share is
/// of use if its host is up at backup and at restore.
fn unreadable(n: usize, losses: &[u64], up: f64) -> f64 {
    let of_use = up * up;
    let power = |base: f64, exponent: usize| base.powi(i32::try_from(exponent).unwrap());
    let each = |(&sets, lost)| real(sets) * power(1.0 - of_use, lost) * power(of_use, n - lost);
    losses.iter().zip(1..).map(each).sum()
}

fn real(count: u64) -> f64 {
    u32::try_from(count).unwrap().into()
}

/// The codes with one number of parity shards.
struct Search {
    parity: usize,
    /// Smallest loss that codes looked at may have.
    distance: usize,
    /// Best code of the last n, and how many losses of the smallest size it has.
    last: (Code, usize),
    found: HashMap<(usize, usize, usize), Rc<Vec<Code>>>,
}

impl Search {
    fn new(parity: usize) -> Self {
        // With k = 1 there is one code with no loss but that of everything.
        let copies = Code::units(parity).with((1 << parity) - 1);
        Self {
            parity,
            distance: parity + 1,
            last: (copies, 1),
            found: HashMap::new(),
        }
    }

    /// All best codes for this n, the one after the last, and how many were held against each other.
    fn best(&mut self, n: usize) -> (Vec<Code>, usize) {
        // Some code, so that it is known what to look for.
        let (distance, most) = (1..1 << self.parity)
            .map(|column| self.last.0.with(column).smallest_losses())
            .min_by_key(|&(size, count)| (Reverse(size), count))
            .unwrap();
        let mut least = 0;
        if distance == self.distance {
            least = (self.last.1 * n).div_ceil(n - distance);
        }
        self.distance = distance;
        let codes = (least..=most)
            .map(|most| self.classes(n, most))
            .find(|codes| !codes.is_empty())
            .unwrap();
        let seen = codes.len();
        let losses: Vec<_> = codes.iter().map(Code::losses).collect();
        let best = losses.iter().min().unwrap();
        let ties: Vec<_> = codes
            .iter()
            .zip(&losses)
            .filter(|(_, other)| *other == best)
            .map(|(code, _)| code.clone())
            .collect();
        let (distance, count) = ties[0].smallest_losses();
        (self.distance, self.last) = (distance, (ties[0].clone(), count));
        (ties, seen)
    }

    /// One of each class of codes that have no smaller losses than of `distance`, and of that size at
    /// most `most`.
    fn classes(&mut self, n: usize, most: usize) -> Rc<Vec<Code>> {
        if n == self.parity {
            return Rc::new(vec![Code::units(n)]);
        }
        let key = (self.distance, n, most);
        if let Some(found) = self.found.get(&key) {
            return Rc::clone(found);
        }
        let before = match most {
            usize::MAX => most,
            _ => most * (n - self.distance.min(n)) / n,
        };
        // In the same order each time, so that ties end the same each time.
        let mut found: BTreeMap<u64, Vec<Colored>> = BTreeMap::new();
        for code in self.classes(n - 1, before).iter() {
            let sums = code.sums(self.distance - 1);
            let (of_distance, smaller) = sums.split_last().unwrap();
            let has = code.sums_of_distance(self.distance);
            for column in 1..1 << self.parity {
                let new = of_distance[usize::from(column)];
                if smaller.iter().any(|sums| sums[usize::from(column)] > 0) || has + new > most {
                    continue;
                }
                let code = Colored::new(code.with(column));
                let alike = found.entry(code.signature).or_default();
                if !alike.iter().any(|other| other.is_equivalent(&code)) {
                    alike.push(code);
                }
            }
        }
        let codes = found.into_values().flatten().map(|code| code.code);
        let codes = Rc::new(codes.collect::<Vec<_>>());
        self.found.insert(key, Rc::clone(&codes));
        codes
    }
}

/// A code by the columns of its parity-check matrix, the unit vectors first.
#[derive(Clone, Debug)]
struct Code {
    parity: usize,
    columns: Vec<u16>,
}

impl Code {
    fn units(parity: usize) -> Self {
        let columns = (0..parity).map(|bit| 1 << bit).collect();
        Self { parity, columns }
    }

    fn with(&self, column: u16) -> Self {
        let mut code = self.clone();
        code.columns.push(column);
        code
    }

    /// For 0 to `most` columns, how many sets of so many have each vector as their sum.
    fn sums(&self, most: usize) -> Vec<Vec<usize>> {
        let mut sums = vec![vec![0; 1 << self.parity]; most + 1];
        sums[0][0] = 1;
        for &column in &self.columns {
            for count in (1..=most).rev() {
                for sum in 0..1 << self.parity {
                    sums[count][sum] += sums[count - 1][sum ^ usize::from(column)];
                }
            }
        }
        sums
    }

    /// How many losses there are of the size `distance`, if there are none smaller.
    fn sums_of_distance(&self, distance: usize) -> usize {
        self.sums(distance)[distance][0]
    }

    /// The size of the smallest losses, and how many there are.
    fn smallest_losses(&self) -> (usize, usize) {
        let sums = self.sums(self.parity + 1);
        let counts = sums.iter().map(|sums| sums[0]).enumerate().skip(1);
        counts.into_iter().find(|(_, count)| *count > 0).unwrap()
    }

    /// How many sets of 1, 2, ... n - k lost shards are not survived.
    fn losses(&self) -> Vec<u64> {
        // A loss is hopeless if it contains a code word: so mark those, and what contains them.
        let n = self.columns.len();
        let data = &self.columns[self.parity..];
        let mut hopeless = vec![false; 1 << n];
        for word in 1..1_usize << data.len() {
            let chosen = data.iter().enumerate().filter(|(i, _)| word >> i & 1 == 1);
            let sum = chosen.fold(0, |sum, (_, column)| sum ^ column);
            hopeless[word << self.parity | usize::from(sum)] = true;
        }
        for half in (0..n).map(|shard| 1 << shard) {
            for block in hopeless.chunks_mut(2 * half) {
                let (without, with) = block.split_at_mut(half);
                for (without, with) in without.iter().zip(with) {
                    *with |= without;
                }
            }
        }
        let mut losses = vec![0; self.parity];
        for lost in (0..1_usize << n).filter(|&lost| hopeless[lost]) {
            if let Some(count) = losses.get_mut(lost.count_ones() as usize - 1) {
                *count += 1;
            }
        }
        losses
    }

    /// The systematic form with the fewest exclusive ors.
    fn cheapest(&self) -> Form {
        let mut best = None;
        self.bases(0, &mut Vec::new(), &mut best);
        best.unwrap()
    }

    /// Tries all columns from `from` on as parity shards, beside those chosen.
    fn bases(&self, from: usize, chosen: &mut Vec<u16>, best: &mut Option<Form>) {
        if chosen.len() == self.parity {
            let form = Form::new(self, chosen);
            if best.as_ref().is_none_or(|best| form < *best) {
                *best = Some(form);
            }
            return;
        }
        for at in from..self.columns.len() {
            if coordinates(chosen, self.columns[at]).is_none() {
                chosen.push(self.columns[at]);
                self.bases(at + 1, chosen, best);
                chosen.pop();
            }
        }
    }
}

/// Which vectors of a basis add up to `vector`, a bit for each; none if none do.
fn coordinates(basis: &[u16], vector: u16) -> Option<u16> {
    // Few vectors, so that trying is as good as elimination.
    (0..1_u16 << basis.len()).find(|&some| {
        let terms = basis.iter().enumerate().filter(|(i, _)| some >> i & 1 == 1);
        terms.fold(0, |sum, (_, term)| sum ^ term) == vector
    })
}

/// A code as equations; ordered by what they cost, then by what looks plain.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Form {
    xors: usize,
    longest: usize,
    /// The data shards of each equation, from 1.
    sums: Vec<Vec<usize>>,
}

impl Form {
    fn new(code: &Code, parity: &[u16]) -> Self {
        let mut left = parity.to_vec();
        let mut data = Vec::new();
        for &column in &code.columns {
            match left.iter().position(|&other| other == column) {
                Some(at) => drop(left.swap_remove(at)),
                None => data.push(coordinates(parity, column).unwrap()),
            }
        }
        // Rows and columns in an order that does not depend on how the code was found.
        let weight = |row: &usize| {
            data.iter()
                .filter(|column| **column >> row & 1 == 1)
                .count()
        };
        let mut rows: Vec<usize> = (0..parity.len()).collect();
        rows.sort_by_key(weight);
        let longest = rows.last().map_or(0, weight);
        let mut data: Vec<u16> = data
            .iter()
            .map(|column| rows.iter().fold(0, |all, row| all << 1 | column >> row & 1))
            .collect();
        data.sort_by_key(|column| Reverse(*column));
        let terms = |row: usize| {
            let bit = parity.len() - 1 - row;
            let has = data
                .iter()
                .zip(1..)
                .filter(move |(column, _)| **column >> bit & 1 == 1);
            has.map(|(_, shard)| shard).collect::<Vec<_>>()
        };
        let sums: Vec<_> = (0..parity.len()).map(terms).collect();
        let xors = sums.iter().map(|sum| sum.len() - 1).sum();
        Self {
            xors,
            longest,
            sums,
        }
    }

    fn equations(&self) -> String {
        let sum = |sum: &Vec<usize>| {
            sum.iter()
                .map(usize::to_string)
                .collect::<Vec<_>>()
                .join("^")
        };
        self.sums.iter().map(sum).collect::<Vec<_>>().join(",")
    }
}

/// A code whose columns have colors that a change of basis does not change.
struct Colored {
    code: Code,
    colors: Vec<u64>,
    signature: u64,
}

impl Colored {
    fn new(code: Code) -> Self {
        // A functional is 1 on some columns: each is colored by the other's colors, in turns.
        let on = |functional: u16, column: u16| (functional & column).count_ones() % 2 == 1;
        let mut colors = vec![1_u64; code.columns.len()];
        let mut signature = 0;
        for _ in 0..3 {
            let mut next = vec![0_u64; colors.len()];
            signature = 0;
            for functional in 1..1 << code.parity {
                let members = code.columns.iter().map(|&column| on(functional, column));
                let sum = (members.clone().zip(&colors).filter(|(on, _)| *on))
                    .fold(0_u64, |sum, (_, color)| sum.wrapping_add(*color));
                let color = mixed(sum);
                signature = mixed(color).wrapping_add(signature);
                for (next, _) in next.iter_mut().zip(members).filter(|(_, on)| *on) {
                    *next = next.wrapping_add(color);
                }
            }
            colors = next.into_iter().map(mixed).collect();
        }
        Self {
            code,
            colors,
            signature,
        }
    }

    /// Whether a change of basis makes one code's columns the other's.
    fn is_equivalent(&self, other: &Self) -> bool {
        // The basis has columns of rare colors, so that there are few to map them to.
        let columns = &self.code.columns;
        let like = |at: usize| {
            self.colors
                .iter()
                .filter(|color| **color == self.colors[at])
                .count()
        };
        let mut order: Vec<usize> = (0..columns.len()).collect();
        order.sort_by_key(|&at| like(at));
        let (mut basis, mut basis_colors) = (Vec::new(), Vec::new());
        for at in order {
            if coordinates(&basis, columns[at]).is_none() {
                basis.push(columns[at]);
                basis_colors.push(self.colors[at]);
            }
        }
        let coordinates: Vec<u16> = columns
            .iter()
            .map(|&column| coordinates(&basis, column).unwrap())
            .collect();
        self.maps(other, &basis_colors, &coordinates, &mut Vec::new())
    }

    fn maps(
        &self,
        other: &Self,
        basis_colors: &[u64],
        coordinates: &[u16],
        images: &mut Vec<u16>,
    ) -> bool {
        let known = images.len();
        // What is the sum of vectors that have an image must be a column there, as often as here.
        let image = |sum: u16| {
            (0..known)
                .filter(|i| sum >> i & 1 == 1)
                .fold(0, |all, i| all ^ images[i])
        };
        for (at, &sum) in coordinates
            .iter()
            .enumerate()
            .filter(|(_, sum)| usize::from(**sum) >> known == 0)
        {
            let there = image(sum);
            let mut alike = other
                .code
                .columns
                .iter()
                .zip(&other.colors)
                .filter(|(column, _)| **column == there);
            let count = alike.clone().count();
            let here = coordinates.iter().filter(|other| **other == sum).count();
            if count != here || alike.any(|(_, color)| *color != self.colors[at]) {
                return false;
            }
        }
        if known == basis_colors.len() {
            return true;
        }
        for (&column, &color) in other.code.columns.iter().zip(&other.colors) {
            if color == basis_colors[known] && self::coordinates(images, column).is_none() {
                images.push(column);
                if self.maps(other, basis_colors, coordinates, images) {
                    return true;
                }
                images.pop();
            }
        }
        false
    }
}

/// `SplitMix64`'s output function.
fn mixed(z: u64) -> u64 {
    let z = z.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let z = (z ^ z >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ z >> 31
}
