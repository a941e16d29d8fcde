//! The catalog against possible worlds, and against histories of which the truth is known.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;
use crate::store::host::Stamp;

const NAME: &[u8] = b"a volume";

fn shape(k: usize, n: usize, min_shares: usize) -> Shape {
    Shape { k, n, min_shares }
}

fn rules(shape: Shape) -> Rules<'static> {
    Rules {
        min_shares: shape.min_shares,
        recovers: &|shape, indices| indices.len() >= shape.k,
    }
}

fn share(generation: u64, index: usize, shape: Shape) -> Key {
    let version = Version {
        generation,
        id: [7; 16],
    };
    Key::new(NAME, version, Kind::Share { index, shape }).unwrap()
}

fn marker(generation: u64, Shape { n, min_shares, .. }: Shape) -> Key {
    let version = Version {
        generation,
        id: [7; 16],
    };
    Key::new(NAME, version, Kind::Marker { n, min_shares }).unwrap()
}

fn listing(since: u64, keys: &[Key]) -> Listing {
    let stamp = Stamp {
        id: [0; 16],
        since,
        store: None,
    };
    Listing {
        stamp,
        keys: keys.iter().map(Key::to_string).collect(),
    }
}

fn catalog(hosts: &[Option<Listing>]) -> Catalog {
    Catalog::new(&hosts.iter().map(Option::as_ref).collect::<Vec<_>>())
}

/// What is read, or would be if stale: generations.
fn outcome(verdict: &Verdict<'_>) -> Outcome {
    match verdict {
        Verdict::Current(generation) => Outcome::Current(generation.version.generation),
        Verdict::Absent => Outcome::Absent,
        Verdict::Unknown { stale, .. } => Outcome::Unknown(stale.map(|g| g.version.generation)),
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Outcome {
    Current(u64),
    Absent,
    Unknown(Option<u64>),
}

const SHAPES: [(usize, usize, usize); 9] = [
    (2, 3, 2),
    (2, 3, 3),
    (1, 2, 1),
    (1, 3, 2),
    (3, 4, 3),
    (2, 5, 3),
    (2, 6, 3),
    (2, 6, 4),
    (4, 6, 5),
];

/// What one host has of an older generation 1 and a newer generation 2.
#[derive(Debug, Clone, Copy)]
enum Has {
    Down,
    Nothing,
    Old,
    New,
    Both,
}

/// Every combination of n hosts that are down, or have none, one or both of two generations.
#[test]
fn every_combination_of_two_generations_agrees_with_possible_worlds() {
    for (k, n, min_shares) in SHAPES {
        let shape = shape(k, n, min_shares);
        for number in 0..5_usize.pow(u32::try_from(n).unwrap()) {
            let hosts: Vec<_> = (0..n)
                .map(
                    |host| match number / 5_usize.pow(u32::try_from(host).unwrap()) % 5 {
                        0 => Has::Down,
                        1 => Has::Nothing,
                        2 => Has::Old,
                        3 => Has::New,
                        _ => Has::Both,
                    },
                )
                .collect();
            let listings: Vec<_> = hosts
                .iter()
                .enumerate()
                .map(|(host, has)| match has {
                    Has::Down => None,
                    Has::Nothing => Some(listing(0, &[])),
                    Has::Old => Some(listing(0, &[share(1, host, shape)])),
                    Has::New => Some(listing(0, &[share(2, host, shape)])),
                    Has::Both => Some(listing(0, &[share(1, host, shape), share(2, host, shape)])),
                })
                .collect();
            let catalog = catalog(&listings);
            let found = outcome(&catalog.verdict(NAME, rules(shape)));
            assert_eq!(found, by_worlds(&hosts, shape), "{shape:?} {hosts:?}");
        }
    }
}

/// The rules again, by trying what the hosts that are down could have.
fn by_worlds(hosts: &[Has], shape: Shape) -> Outcome {
    let down: Vec<_> = (0..hosts.len())
        .filter(|&host| matches!(hosts[host], Has::Down))
        .collect();
    let seen = |wanted: u64| -> BTreeSet<usize> {
        (0..hosts.len())
            .filter(|&host| match hosts[host] {
                Has::Down | Has::Nothing => false,
                Has::Old => wanted == 1,
                Has::New => wanted == 2,
                Has::Both => true,
            })
            .collect()
    };
    // A world is which of the hosts that are down have the generation in question.
    let some_world = |seen: &BTreeSet<usize>, enough: usize| {
        (0..1_usize << down.len()).any(|world| {
            let more = (0..down.len())
                .filter(|bit| world >> bit & 1 == 1)
                .map(|bit| down[bit]);
            seen.iter()
                .copied()
                .chain(more)
                .collect::<BTreeSet<_>>()
                .len()
                >= enough
        })
    };
    let readable = |wanted| seen(wanted).len() >= shape.k;
    let may_be_committed = |wanted| some_world(&seen(wanted), shape.min_shares);
    let may_return = |wanted| !seen(wanted).is_empty() && some_world(&seen(wanted), shape.k);

    let best = [2, 1].into_iter().find(|&wanted| readable(wanted));
    let in_doubt = [2, 1]
        .into_iter()
        .take_while(|&wanted| !readable(wanted))
        .any(|wanted| !seen(wanted).is_empty() && may_be_committed(wanted));
    let unseen = some_world(&BTreeSet::new(), shape.min_shares);
    match best {
        stale if in_doubt || unseen => Outcome::Unknown(stale),
        Some(current) => Outcome::Current(current),
        None if may_return(1) || may_return(2) => Outcome::Unknown(None),
        None => Outcome::Absent,
    }
}

/// With (2,6) and a rule of 3, a newer object on three hosts that are down: the three that are up, with
/// yesterday's, would give it without a word.
#[test]
fn three_stale_hosts_of_six_do_not_give_yesterdays_object() {
    let lax = shape(2, 6, 3);
    let stale = |host| Some(listing(0, &[share(1, host, lax)]));
    let fresh = |host| Some(listing(0, &[share(2, host, lax)]));
    let found = |hosts: &[_]| outcome(&catalog(hosts).verdict(NAME, rules(lax)));
    assert_eq!(
        found(&[stale(0), stale(1), stale(2), None, None, None]),
        Outcome::Unknown(Some(1))
    );
    assert_eq!(
        found(&[stale(0), stale(1), stale(2), fresh(3), None, None]),
        Outcome::Unknown(Some(1)),
        "one share of the newer is seen, and is too little"
    );
    assert_eq!(
        found(&[stale(0), stale(1), stale(2), fresh(3), fresh(4), None]),
        Outcome::Current(2)
    );
    assert_eq!(
        found(&[stale(0), stale(1), stale(2), fresh(3), stale(4), None]),
        Outcome::Current(1),
        "the newer cannot have been committed"
    );
    // The default rule of 4 leaves at most two hosts behind, so three that agree are right.
    let strict = shape(2, 6, 4);
    let stale = |host| Some(listing(0, &[share(1, host, strict)]));
    let hosts = [stale(0), stale(1), stale(2), None, None, None];
    assert_eq!(
        outcome(&catalog(&hosts).verdict(NAME, rules(strict))),
        Outcome::Current(1)
    );
}

#[test]
fn a_replaced_host_says_nothing_about_what_was_before_it() {
    let shape = shape(4, 6, 5);
    let have = |host| Some(listing(0, &[share(10, host, shape)]));
    let replaced = || Some(listing(20, &[]));
    // Committed on the first five; then two disks were lost.
    let hosts = [
        have(0),
        have(1),
        have(2),
        replaced(),
        replaced(),
        Some(listing(0, &[])),
    ];
    let catalog = catalog(&hosts);
    let [generation] = catalog.generations(NAME) else {
        panic!()
    };
    assert_eq!((generation.shares(), generation.silent), (3, 2));
    assert_eq!(generation.standing(0), Standing::Undecided);
    assert_eq!(
        outcome(&catalog.verdict(NAME, rules(shape))),
        Outcome::Unknown(None)
    );
}

#[test]
fn ties_of_generation_go_by_stream_id() {
    let shape = shape(1, 2, 2);
    let key = |id: u8| {
        let version = Version {
            generation: 5,
            id: [id; 16],
        };
        Key::new(NAME, version, Kind::Share { index: 0, shape }).unwrap()
    };
    let hosts = [
        Some(listing(0, &[key(1), key(9), key(4)])),
        Some(listing(0, &[])),
    ];
    let catalog = catalog(&hosts);
    let ids: Vec<_> = catalog
        .generations(NAME)
        .iter()
        .map(|g| g.version.id[0])
        .collect();
    assert_eq!(ids, [9, 4, 1]);
}

#[test]
fn the_same_share_on_two_hosts_counts_once() {
    let shape = shape(2, 3, 2);
    let hosts = [
        Some(listing(0, &[share(1, 0, shape)])),
        Some(listing(0, &[share(1, 0, shape)])),
        None,
    ];
    let catalog = catalog(&hosts);
    assert_eq!(catalog.generations(NAME)[0].shares(), 1);
    assert_eq!(
        outcome(&catalog.verdict(NAME, rules(shape))),
        Outcome::Unknown(None)
    );
}

#[test]
fn what_is_no_key_is_told_apart() {
    let mut with_others = listing(0, &[share(1, 0, shape(1, 2, 1))]);
    with_others.keys.push("lost+found".into());
    let catalog = catalog(&[None, Some(with_others)]);
    assert_eq!(catalog.strangers(), [(1, "lost+found".to_owned())]);
    assert_eq!(catalog.names().collect::<Vec<_>>(), [NAME]);
}

/// One thing that happens to a store.
#[derive(Debug, Clone, Copy)]
enum Event {
    /// A put or a delete, with the hosts that are up (a bit each), and the step at which it dies.
    Put(u32, usize),
    Delete(u32, usize),
    /// A host's disk is lost, and an empty one takes its place.
    Replace(usize),
}

/// Hosts and the truth about them.
struct World {
    shape: Shape,
    clock: u64,
    hosts: Vec<(u64, BTreeSet<Key>)>,
    /// Generation of what was committed last; `None` if it was deleted or never there.
    committed: Option<u64>,
    /// What may be current instead, since its writer died: a generation, or a deletion.
    attempts: Vec<Option<u64>>,
}

impl World {
    fn new(shape: Shape) -> Self {
        let hosts = vec![(0, BTreeSet::new()); shape.n];
        Self {
            shape,
            clock: 0,
            hosts,
            committed: None,
            attempts: Vec::new(),
        }
    }

    fn happens(&mut self, event: Event) {
        self.clock += 10;
        match event {
            Event::Replace(host) => self.hosts[host % self.shape.n] = (self.clock, BTreeSet::new()),
            Event::Put(up, steps) => self.write(up, steps, true),
            Event::Delete(up, steps) => self.write(up, steps, false),
        }
    }

    /// Puts or deletes as the store does, one host after another, and dies after `steps` steps.
    fn write(&mut self, up: u32, mut steps: usize, is_put: bool) {
        let Self {
            shape,
            clock: generation,
            ..
        } = *self;
        let up: Vec<_> = (0..shape.n).filter(|host| up >> host & 1 == 1).collect();
        if up.len() < shape.min_shares {
            return;
        }
        let current = is_put.then_some(generation);
        self.attempts.push(current);
        for (taken, &host) in up.iter().enumerate() {
            if steps == 0 {
                return;
            }
            steps -= 1;
            let key = if is_put {
                share(generation, host, shape)
            } else {
                marker(generation, shape)
            };
            self.hosts[host].1.insert(key);
            if taken + 1 == shape.min_shares {
                self.committed = current;
                self.attempts.clear();
            }
        }
        for &host in &up {
            if steps == 0 {
                return;
            }
            steps -= 1;
            self.hosts[host]
                .1
                .retain(|key| key.version().generation >= generation);
        }
        if is_put || up.len() < shape.n {
            return;
        }
        for &host in &up {
            if steps == 0 {
                return;
            }
            steps -= 1;
            self.hosts[host].1.clear();
        }
    }

    fn seen_by(&self, up: u32) -> Vec<Option<Listing>> {
        self.hosts
            .iter()
            .enumerate()
            .map(|(host, (since, keys))| {
                let keys: Vec<_> = keys.iter().cloned().collect();
                (up >> host & 1 == 1).then(|| listing(*since, &keys))
            })
            .collect()
    }

    /// For all that can be up: nothing but what is current is ever read, and nothing current is ever
    /// missing without a word.
    fn check(&self, events: &[Event]) {
        let everybody = (1_u32 << self.shape.n) - 1;
        for up in 0..=everybody {
            let listings = self.seen_by(up);
            let catalog = catalog(&listings);
            let found = outcome(&catalog.verdict(NAME, rules(self.shape)));
            let is_right = |current| self.committed == current || self.attempts.contains(&current);
            let ok = match found {
                Outcome::Current(generation) => is_right(Some(generation)),
                Outcome::Absent => is_right(None),
                Outcome::Unknown(_) => {
                    let replaced = events
                        .iter()
                        .any(|event| matches!(event, Event::Replace(_)));
                    up != everybody || replaced
                }
            };
            assert!(
                ok,
                "{:?}: {events:?} with {up:b} up gives {found:?}, not {:?} or {:?}",
                self.shape, self.committed, self.attempts
            );
        }
    }
}

/// Every put or delete after every other, with all that can be up, and a death at every step.
#[test]
fn every_history_of_two_writes_ends_in_the_truth() {
    for (k, n, min_shares) in [(2, 3, 2), (1, 2, 1), (1, 3, 2)] {
        let events: Vec<_> = (0..1_u32 << n)
            .flat_map(|up| (0..=3 * n).map(move |steps| (up, steps)))
            .flat_map(|(up, steps)| [Event::Put(up, steps), Event::Delete(up, steps)])
            .chain((0..n).map(Event::Replace))
            .collect();
        for &first in &events {
            for &second in &events {
                let mut world = World::new(shape(k, n, min_shares));
                world.happens(first);
                world.happens(second);
                world.check(&[first, second]);
            }
        }
    }
}

fn events() -> impl Strategy<Value = Vec<Event>> {
    // Most hosts are up most of the time, or nothing would ever be committed.
    let up = || (0..64_u32, 0..64_u32).prop_map(|(a, b)| a | b);
    let event = prop_oneof![
        4 => (up(), 0..20_usize).prop_map(|(up, steps)| Event::Put(up, steps)),
        2 => (up(), 0..20_usize).prop_map(|(up, steps)| Event::Delete(up, steps)),
        1 => (0..6_usize).prop_map(Event::Replace),
    ];
    prop::collection::vec(event, 1..7)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]
    #[test]
    fn every_history_ends_in_the_truth(which in 0..SHAPES.len(), events in events()) {
        let (k, n, min_shares) = SHAPES[which];
        let mut world = World::new(shape(k, n, min_shares));
        for &event in &events {
            let event = match event {
                Event::Put(up, steps) => Event::Put(up & ((1 << n) - 1), steps),
                Event::Delete(up, steps) => Event::Delete(up & ((1 << n) - 1), steps),
                Event::Replace(host) => Event::Replace(host),
            };
            world.happens(event);
        }
        world.check(&events);
    }
}
