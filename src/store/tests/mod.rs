//! The store over hosts that go down, fill up, hang, lose things, and over processes that die.

mod crash;
mod double;
mod folders;
mod heal;
mod join;
#[path = "../../../tests/kit/tally.rs"]
mod tally;

use std::sync::Arc;
use std::time::{Duration, Instant};

use distdup_codecs::Geometry;

use self::double::{MemoryHost, Output, input};
use super::*;
use crate::control::Control;
use crate::encode::EncodeError;
use crate::store::key::{Key, Kind};

const NAME: &[u8] = b"duplicity-full.20240101T000000Z.vol1.difftar.gpg";

fn control() -> Control {
    Control::new().0
}

fn options(codec: &str, k: usize, n: usize) -> StoreOptions {
    let code = distdup_codecs::family(codec)
        .unwrap()
        .code(Geometry::new(k, n).unwrap(), None)
        .unwrap();
    let mut options = StoreOptions::new(code);
    options.encode.workers = 1;
    options.decode.workers = 1;
    options.encode.shard_len = Some(64);
    options
}

fn codec_for(k: usize) -> &'static str {
    if k == 1 { "copy" } else { "rs16" }
}

fn store(hosts: &[MemoryHost], k: usize) -> Store {
    let n = hosts.len();
    let hosts = hosts
        .iter()
        .cloned()
        .map(|host| Arc::new(host) as Arc<dyn Host>)
        .collect();
    Store::new(hosts, options(codec_for(k), k, n)).unwrap()
}

fn put(store: &Store, name: &[u8], bytes: &[u8]) -> Result<PutReport, StoreError> {
    store.put(name, input(bytes), Some(bytes.len() as u64), &control())
}

fn get_as(store: &Store, name: &[u8], stale: Stale) -> Result<Vec<u8>, StoreError> {
    let output = Output::default();
    let mut options = store.options.clone();
    options.stale = stale;
    let store = Store {
        hosts: store.hosts.clone(),
        options,
        min_shares: store.min_shares,
    };
    let result = store.get(name, Box::new(output.clone()), &control());
    let finished = output.finished();
    match result {
        Ok(report) => {
            let bytes = finished.expect("a get that succeeds finishes its output");
            assert_eq!(report.totals.length, bytes.len() as u64);
            Ok(bytes)
        }
        Err(error) => {
            assert_eq!(
                finished, None,
                "a get that fails leaves its output unfinished"
            );
            Err(error)
        }
    }
}

fn get(store: &Store, name: &[u8]) -> Result<Vec<u8>, StoreError> {
    get_as(store, name, Stale::Refuse)
}

fn names(store: &Store) -> Vec<Vec<u8>> {
    let list = store.list(&control()).unwrap();
    list.objects.into_iter().map(|object| object.name).collect()
}

fn text(length: usize) -> Vec<u8> {
    (0..length)
        .map(|at| u8::try_from(at * 7 % 251).unwrap())
        .collect()
}

fn set_up(hosts: &[MemoryHost], up: u32) {
    for (number, host) in hosts.iter().enumerate() {
        host.set_down(up >> number & 1 == 0);
    }
}

fn everybody(n: usize) -> u32 {
    (1 << n) - 1
}

#[test]
fn memory_conforms() {
    super::conformance::suite(&MemoryHost::many(1).0[0]);
}

#[test]
fn what_is_put_is_got_listed_and_measured_and_what_is_deleted_is_gone() {
    let (hosts, _) = MemoryHost::many(3);
    let store = store(&hosts, 2);
    assert_eq!(names(&store), Vec::<Vec<u8>>::new());
    for length in [0, 1, 127, 128, 129, 5000] {
        let name = format!("object {length}/\u{e4}").into_bytes();
        assert!(matches!(
            get(&store, &name),
            Err(StoreError::NotFound { .. })
        ));
        assert_eq!(store.query(&name, &control()).unwrap(), None);
        let report = put(&store, &name, &text(length)).unwrap();
        assert!(!report.is_degraded(), "{report:?}");
        assert_eq!((report.length, report.hosts.len()), (length as u64, 3));
        assert_eq!(get(&store, &name).unwrap(), text(length));
        assert_eq!(store.query(&name, &control()).unwrap(), Some(length as u64));
        assert_eq!(names(&store), std::slice::from_ref(&name));
        // Again, another content: what was there is replaced.
        put(&store, &name, b"other").unwrap();
        assert_eq!(get(&store, &name).unwrap(), b"other");
        assert!(hosts.iter().all(|host| host.files().len() == 1));
        let report = store.delete(&name, &control()).unwrap();
        assert!(report.swept && !report.is_degraded(), "{report:?}");
        assert!(hosts.iter().all(|host| host.files().is_empty()));
        assert!(matches!(
            store.delete(&name, &control()),
            Err(StoreError::NotFound { .. })
        ));
    }
}

/// After a put with every set of hosts up: with every set of hosts up, get works exactly where the code
/// says so, and list is whole or an error.
#[test]
fn every_subset_of_hosts_gives_what_the_code_promises() {
    for (k, n) in [(2, 3), (1, 3), (4, 6)] {
        let default_rule = k + (n - k) / 2;
        for written in 0..=everybody(n) {
            let (hosts, _) = MemoryHost::many(n);
            let store = store(&hosts, k);
            set_up(&hosts, written);
            let report = put(&store, NAME, b"some bytes");
            if (written.count_ones() as usize) < default_rule {
                assert!(matches!(report, Err(StoreError::TooFewUp { .. })));
                assert!(hosts.iter().all(|host| host.files().is_empty()));
                continue;
            }
            let report = report.unwrap();
            for (number, host) in report.hosts.iter().enumerate() {
                assert_eq!(
                    host.failure.is_some(),
                    written >> number & 1 == 0,
                    "{host:?}"
                );
                assert_eq!(host.host, hosts[number].name());
            }
            for up in 0..=everybody(n) {
                set_up(&hosts, up);
                let context = format!("({k},{n}) written to {written:b}, {up:b} up");
                let silent = n - up.count_ones() as usize;
                let seen = (written & up).count_ones() as usize;
                match get(&store, NAME) {
                    Ok(bytes) => {
                        assert_eq!(bytes, b"some bytes");
                        assert!(seen >= k && silent < default_rule, "{context}");
                    }
                    Err(StoreError::Unknown { hosts, .. }) => {
                        assert!(seen < k || silent >= default_rule, "{context}");
                        assert_eq!(hosts.len(), silent);
                    }
                    Err(error) => panic!("{context}: {error}"),
                }
                match store.list(&control()) {
                    Ok(list) => {
                        assert!(silent < default_rule, "{context}");
                        assert_eq!(list.objects.len(), 1, "{context}");
                        let state = list.objects[0].state;
                        let readable = matches!(state, ObjectState::Readable { .. });
                        assert_eq!(readable, seen >= k, "{context}: {state:?}");
                    }
                    Err(StoreError::TooManySilent { .. }) => {
                        assert!(silent >= default_rule, "{context}");
                    }
                    Err(error) => panic!("{context}: {error}"),
                }
                if seen >= k {
                    assert_eq!(get_as(&store, NAME, Stale::Allow).unwrap(), b"some bytes");
                }
            }
        }
    }
}

/// With (2,6): three hosts missed an object that three others took, and those are down.
#[test]
fn stale_hosts_do_not_answer_for_those_that_are_down() {
    let (hosts, _) = MemoryHost::many(6);
    let hosts_dyn = hosts
        .iter()
        .cloned()
        .map(|host| Arc::new(host) as Arc<dyn Host>)
        .collect();
    let mut lax = options("rs16", 2, 6);
    lax.encode.min_shares = Some(3);
    let store = Store::new(hosts_dyn, lax).unwrap();
    put(&store, NAME, b"yesterday").unwrap();
    set_up(&hosts, 0b000_111);
    put(&store, NAME, b"today").unwrap();
    set_up(&hosts, 0b111_000);
    assert!(matches!(
        get(&store, NAME),
        Err(StoreError::Unknown {
            reason: Reason::Unseen {
                silent: 3,
                min_shares: 3
            },
            ..
        })
    ));
    assert!(matches!(
        store.list(&control()),
        Err(StoreError::TooManySilent { .. })
    ));
    assert_eq!(get_as(&store, NAME, Stale::Allow).unwrap(), b"yesterday");
    set_up(&hosts, 0b111_001);
    assert!(matches!(
        get(&store, NAME),
        Err(StoreError::Unknown {
            reason: Reason::Unreadable { seen: 1, .. },
            ..
        })
    ));
    set_up(&hosts, 0b111_011);
    assert_eq!(get(&store, NAME).unwrap(), b"today");
}

#[test]
fn a_deleted_object_does_not_come_back_with_its_hosts() {
    for (k, n) in [(2, 3), (1, 3), (4, 6)] {
        let min_shares = k + (n - k) / 2;
        for deleting in 0..=everybody(n) {
            let (hosts, _) = MemoryHost::many(n);
            let store = store(&hosts, k);
            put(&store, NAME, b"some bytes").unwrap();
            set_up(&hosts, deleting);
            let report = store.delete(NAME, &control());
            if (deleting.count_ones() as usize) < min_shares {
                assert!(matches!(report, Err(StoreError::TooFewUp { .. })));
                set_up(&hosts, everybody(n));
                assert_eq!(get(&store, NAME).unwrap(), b"some bytes");
                continue;
            }
            assert_eq!(report.unwrap().swept, deleting == everybody(n));
            for up in 0..=everybody(n) {
                set_up(&hosts, up);
                assert!(get(&store, NAME).is_err(), "{deleting:b} {up:b}");
            }
            set_up(&hosts, everybody(n));
            assert!(matches!(
                get(&store, NAME),
                Err(StoreError::NotFound { .. })
            ));
            assert_eq!(names(&store), Vec::<Vec<u8>>::new());
            // With all hosts back, a second delete takes the last of it away.
            if deleting != everybody(n) {
                assert!(store.delete(NAME, &control()).unwrap().swept);
            }
            assert!(hosts.iter().all(|host| host.files().is_empty()));
        }
    }
}

#[test]
fn a_host_that_hangs_is_silent_and_nobody_waits_for_it() {
    let (hosts, _) = MemoryHost::many(3);
    let mut store = store(&hosts, 2);
    store.options.host_timeout = Duration::from_millis(300);
    put(&store, NAME, b"some bytes").unwrap();
    let (_never, until) = crossbeam_channel::bounded(0);
    hosts[1].hang_on(until);
    let start = Instant::now();
    assert_eq!(get(&store, NAME).unwrap(), b"some bytes");
    let report = put(&store, NAME, b"other").unwrap();
    assert!(
        matches!(
            report.hosts[1].failure,
            Some(HostFailure::Host(HostError::Hung { .. }))
        ),
        "{report:?}"
    );
    let list = store.list(&control()).unwrap();
    assert!(matches!(list.silent.as_slice(), [HostError::Hung { .. }]));
    assert!(start.elapsed() < Duration::from_secs(20));
}

#[test]
fn a_host_that_hangs_is_asked_again_only_when_it_has_come_back() {
    let (hosts, _) = MemoryHost::many(3);
    let mut store = store(&hosts, 2);
    store.options.host_timeout = Duration::from_millis(100);
    put(&store, NAME, b"some bytes").unwrap();
    let (hangs, until) = crossbeam_channel::bounded(0);
    hosts[1].hang_on(until);
    let before = hosts[1].times_asked();
    for _ in 0..5 {
        assert_eq!(store.list(&control()).unwrap().silent.len(), 1);
    }
    assert_eq!(hosts[1].times_asked(), before + 1);
    drop(hangs);
    let start = Instant::now();
    while !store.list(&control()).unwrap().silent.is_empty() {
        assert!(start.elapsed() < Duration::from_secs(20));
    }
    assert_eq!(get(&store, NAME).unwrap(), b"some bytes");
}

/// Of every set of hosts that is too small, the sets that are said to suffice do, and no part of one.
#[test]
fn hosts_that_are_said_to_suffice_do_and_no_fewer() {
    for (codec, k, n) in [
        ("rs16", 2, 3),
        ("copy", 1, 3),
        ("rs16", 4, 6),
        ("xor", 6, 10),
    ] {
        let (hosts, _) = MemoryHost::many(n);
        let dynamic: Vec<_> = hosts
            .iter()
            .cloned()
            .map(|host| Arc::new(host) as Arc<dyn Host>)
            .collect();
        let store = Store::new(dynamic, options(codec, k, n)).unwrap();
        put(&store, NAME, b"some bytes").unwrap();
        let reads = |up: u32| {
            set_up(&hosts, up);
            store.list(&control()).is_ok() && get(&store, NAME).is_ok()
        };
        let step = if n > 6 { 37 } else { 1 };
        for up in (0..everybody(n)).step_by(step) {
            set_up(&hosts, up);
            let suffice = match get(&store, NAME) {
                Err(StoreError::Unknown { suffice, .. }) if up != 0 => suffice,
                // It can be had; or nobody is there, so that nobody knows of it.
                _ => continue,
            };
            let down: Vec<_> = (0..n).filter(|host| up >> host & 1 == 0).collect();
            let bit = |name: &String| {
                let of_name = |host: &&usize| hosts[**host].name() == *name;
                1 << *down.iter().find(of_name).unwrap()
            };
            let claimed: Vec<u32> = match *suffice {
                Suffice::Any { count, hosts } => {
                    assert_eq!(hosts.len(), down.len());
                    let sets = 0..1_u32 << n;
                    sets.filter(|set| set & up == 0 && set.count_ones() as usize == count)
                        .collect()
                }
                Suffice::OneOf(sets) => {
                    let all = |set: &Vec<String>| set.iter().map(bit).fold(0, |all, one| all | one);
                    sets.iter().map(all).collect()
                }
                Suffice::Nothing => panic!("{codec} {up:b}"),
            };
            assert!(!claimed.is_empty());
            for set in claimed {
                assert!(reads(up | set), "{codec} {up:b} {set:b}");
                for host in (0..n).filter(|host| set >> host & 1 == 1) {
                    assert!(!reads(up | set & !(1 << host)), "{codec} {up:b} {set:b}");
                }
            }
        }
    }
}

/// Hosts do not answer all at one moment: whichever of them did before a writer replaced the object, and
/// not all, it is there.
#[test]
fn an_object_is_there_while_it_is_replaced() {
    for (k, n) in [(1, 3), (2, 3), (4, 6)] {
        let (hosts, _) = MemoryHost::many(n);
        let store = store(&hosts, k);
        put(&store, NAME, b"old").unwrap();
        let old: Vec<_> = hosts.iter().map(MemoryHost::keys).collect();
        put(&store, NAME, b"other").unwrap();
        for before in 0..everybody(n) {
            let some_were_early = || {
                for (number, (host, keys)) in hosts.iter().zip(&old).enumerate() {
                    if before >> number & 1 == 1 {
                        host.answered_when_it_had(keys.clone());
                    }
                }
            };
            let context = format!("({k},{n}) {before:b} before");
            some_were_early();
            let list = store.list(&control()).unwrap();
            let listed: Vec<_> = list.objects.iter().map(|object| &*object.name).collect();
            assert_eq!((listed, list.lost), (vec![NAME], vec![]), "{context}");
            some_were_early();
            let status = store.status(&control()).unwrap();
            assert_eq!(status.objects.len(), 1, "{context}");
            some_were_early();
            let length = store.query(NAME, &control()).unwrap();
            assert_eq!(length, Some(5), "{context}");
            some_were_early();
            assert_eq!(get(&store, NAME).unwrap(), b"other", "{context}");
        }
    }
}

#[test]
fn a_cancelled_wait_ends_at_once() {
    let (hosts, _) = MemoryHost::many(3);
    let store = store(&hosts, 2);
    let (_never, until) = crossbeam_channel::bounded(0);
    hosts[1].hang_on(until);
    let (control, canceller) = Control::new();
    canceller.cancel();
    assert!(matches!(store.list(&control), Err(StoreError::Cancelled)));
}

#[test]
fn an_input_that_is_not_as_long_as_promised_changes_nothing() {
    let (hosts, _) = MemoryHost::many(3);
    let store = store(&hosts, 2);
    put(&store, NAME, b"before").unwrap();
    for (bytes, size) in [(&b"short"[..], 6), (b"too long", 6), (b"", 1)] {
        let error = store
            .put(NAME, input(bytes), Some(size), &control())
            .unwrap_err();
        assert!(
            matches!(&error, StoreError::Encode { source, .. } if matches!(**source, EncodeError::Input { .. })),
            "{error:?}"
        );
        assert_eq!(get(&store, NAME).unwrap(), b"before");
        assert!(hosts.iter().all(|host| host.files().len() == 1));
    }
}

#[test]
fn a_host_made_anew_does_not_make_an_object_vanish() {
    let (hosts, _) = MemoryHost::many(6);
    let store = store(&hosts, 4);
    set_up(&hosts, 0b011_111);
    put(&store, NAME, b"some bytes").unwrap();
    set_up(&hosts, 0b111_111);
    hosts[0].replace(i64::MAX);
    assert_eq!(get(&store, NAME).unwrap(), b"some bytes");
    hosts[1].replace(i64::MAX);
    assert!(matches!(
        get(&store, NAME),
        Err(StoreError::Unknown {
            reason: Reason::Unreadable {
                seen: 3,
                silent: 2,
                ..
            },
            ..
        })
    ));
    let list = store.list(&control()).unwrap();
    assert!(matches!(
        list.objects[0].state,
        ObjectState::Unreadable(Reason::Unreadable { seen: 3, .. })
    ));
}

#[test]
fn hosts_may_be_listed_in_any_order_and_fewer_of_them() {
    let (hosts, _) = MemoryHost::many(3);
    put(&store(&hosts, 2), NAME, b"one").unwrap();
    let other_order = [hosts[2].clone(), hosts[0].clone(), hosts[1].clone()];
    let other = store(&other_order, 2);
    assert_eq!(get(&other, NAME).unwrap(), b"one");
    put(&other, NAME, b"two").unwrap();
    assert_eq!(get(&store(&hosts, 2), NAME).unwrap(), b"two");
    assert!(hosts.iter().all(|host| host.files().len() == 1));

    let some = hosts[1..]
        .iter()
        .cloned()
        .map(|host| Arc::new(host) as Arc<dyn Host>)
        .collect();
    let two = Store::new(some, options("rs16", 2, 3)).unwrap();
    assert_eq!(get(&two, NAME).unwrap(), b"two");
    let report = put(&two, NAME, b"three").unwrap();
    assert!(matches!(
        report.hosts[2].failure,
        Some(HostFailure::NotGiven)
    ));
    assert_eq!(get(&store(&hosts, 2), NAME).unwrap(), b"three");
}

#[test]
fn one_host_twice_is_refused() {
    let (hosts, _) = MemoryHost::many(2);
    let twice = [hosts[0].clone(), hosts[1].clone(), hosts[0].clone()];
    let store = store(&twice, 2);
    assert!(matches!(
        put(&store, NAME, b"x"),
        Err(StoreError::SameHost { .. })
    ));
    assert!(matches!(
        store.list(&control()),
        Err(StoreError::SameHost { .. })
    ));
}

#[test]
fn numbers_that_make_no_store_are_refused() {
    let (hosts, _) = MemoryHost::many(4);
    let hosts: Vec<_> = hosts
        .into_iter()
        .map(|host| Arc::new(host) as Arc<dyn Host>)
        .collect();
    let new = |count: usize, min_shares| {
        let mut options = options("rs16", 2, 3);
        options.encode.min_shares = min_shares;
        Store::new(hosts[..count].to_vec(), options)
    };
    assert!(matches!(
        new(0, None),
        Err(StoreError::HostCount { found: 0, n: 3 })
    ));
    assert!(matches!(
        new(4, None),
        Err(StoreError::HostCount { found: 4, n: 3 })
    ));
    assert!(matches!(
        new(3, Some(1)),
        Err(StoreError::MinShares {
            found: 1,
            least: 2,
            most: 3
        })
    ));
    assert!(matches!(new(3, Some(4)), Err(StoreError::MinShares { .. })));
    assert_eq!(new(3, Some(3)).unwrap().shape().min_shares, 3);
}

#[test]
fn damaged_and_mislabelled_shares_are_named() {
    let (hosts, _) = MemoryHost::many(3);
    let store = store(&hosts, 2);
    let version = put(&store, NAME, &text(1000)).unwrap().version;
    put(&store, b"other", &text(999)).unwrap();
    let report = |store: &Store| {
        let output = Box::new(Output::default());
        store.get(NAME, output, &control()).unwrap()
    };
    assert!(!report(&store).is_degraded());

    // A flipped bit in a frame of a data share.
    let key_of = |index: usize| {
        Key::new(
            NAME,
            version,
            Kind::Share {
                index,
                shape: store.shape(),
            },
        )
        .unwrap()
        .to_string()
    };
    hosts[0].files().get_mut(&key_of(0)).unwrap()[600] ^= 1;
    let found = report(&store);
    assert!(found.is_degraded());
    let faulty: Vec<_> = found.hosts.iter().filter(|host| host.is_faulty()).collect();
    assert_eq!(faulty.len(), 1);
    assert_eq!(faulty[0].host, hosts[0].name());

    // Another object's share under this object's key.
    let other = hosts[0]
        .files()
        .iter()
        .find_map(|(key, bytes)| key.starts_with("other~").then(|| bytes.clone()))
        .unwrap();
    hosts[0].files().insert(key_of(0), other);
    let found = report(&store);
    assert!(
        matches!(found.hosts[0].state, ShareState::Mislabelled(_)),
        "{found:?}"
    );
    assert_eq!(store.query(NAME, &control()).unwrap(), Some(1000));

    // And its share missing.
    hosts[0].files().remove(&key_of(0));
    assert!(matches!(report(&store).hosts[0].state, ShareState::Missing));
    hosts[0].set_down(true);
    assert!(matches!(
        report(&store).hosts[0].state,
        ShareState::Silent(_)
    ));

    // Both data shares gone: one is too few, and that is not the object's absence.
    hosts[1].files().remove(&key_of(1));
    assert!(matches!(get(&store, NAME), Err(StoreError::Unknown { .. })));
}

#[test]
fn query_needs_one_complete_share_and_believes_the_most() {
    let (hosts, _) = MemoryHost::many(3);
    let store = store(&hosts, 2);
    put(&store, NAME, &text(1000)).unwrap();
    let cut = |host: &MemoryHost| {
        let mut files = host.files();
        let bytes = files.values_mut().next().unwrap();
        bytes.truncate(bytes.len() - 1);
    };
    cut(&hosts[0]);
    assert_eq!(store.query(NAME, &control()).unwrap(), Some(1000));
    cut(&hosts[2]);
    assert_eq!(store.query(NAME, &control()).unwrap(), Some(1000));
    cut(&hosts[1]);
    assert_eq!(store.query(NAME, &control()).unwrap(), None);
}

#[test]
fn shares_that_cannot_be_opened_now_are_neither_lost_nor_absent() {
    let (hosts, _) = MemoryHost::many(3);
    let store = store(&hosts, 2);
    put(&store, NAME, &text(1000)).unwrap();
    hosts[0].set_mute(true);
    assert_eq!(get(&store, NAME).unwrap(), text(1000));
    hosts[1].set_mute(true);
    let error = get(&store, NAME).unwrap_err();
    assert!(
        matches!(&error, StoreError::Decode { hosts, .. } if hosts.len() == 2),
        "{error:?}"
    );
    assert_eq!(store.query(NAME, &control()).unwrap(), Some(1000));
    hosts[2].set_mute(true);
    let error = store.query(NAME, &control()).unwrap_err();
    assert!(
        matches!(&error, StoreError::Unopened { hosts, .. } if hosts.len() == 3),
        "{error:?}"
    );
}

#[test]
fn a_store_is_discovered_from_any_good_share() {
    let (hosts, _) = MemoryHost::many(4);
    let hosts_dyn: Vec<_> = hosts
        .iter()
        .cloned()
        .map(|host| Arc::new(host) as Arc<dyn Host>)
        .collect();
    let discover = || Store::discover(&hosts_dyn, Duration::from_secs(9), &control()).unwrap();
    assert!(discover().is_none());
    let mut written = options("rs16", 2, 4);
    written.encode.min_shares = Some(4);
    let store = Store::new(hosts_dyn.clone(), written).unwrap();
    put(&store, NAME, b"x").unwrap();
    for host in &hosts[..3] {
        host.files().values_mut().for_each(|bytes| bytes.fill(0));
    }
    let found = discover().unwrap();
    assert_eq!((found.code.id(), found.min_shares), ("rs16", 4));
    assert_eq!(found.code.geometry(), Geometry::new(2, 4).unwrap());
    assert_eq!(found.code.params(), store.options.encode.code.params());
}

#[test]
fn xor_reads_what_it_can_recover_and_nothing_else() {
    let (hosts, _) = MemoryHost::many(10);
    let hosts_dyn = hosts
        .iter()
        .cloned()
        .map(|host| Arc::new(host) as Arc<dyn Host>)
        .collect();
    let store = Store::new(hosts_dyn, options("xor", 6, 10)).unwrap();
    let code = Arc::clone(&store.options.encode.code);
    put(&store, NAME, &text(3000)).unwrap();
    let mut told_apart = 0;
    for lost in 0..10_u32.pow(2) {
        // Two to four hosts down.
        let down = 1 << (lost % 10)
            | 1 << (lost / 10)
            | 1 << ((lost + 3) % 10)
            | 1 << ((lost * 7 + 1) % 10);
        set_up(&hosts, everybody(10) & !down);
        let up = (0..10).filter(|host| down >> host & 1 == 0).collect();
        let recoverable = code.is_recoverable(up);
        match get(&store, NAME) {
            Ok(bytes) => assert!(recoverable && bytes == text(3000)),
            Err(StoreError::Unknown { .. }) => {
                assert!(!recoverable);
                told_apart += 1;
            }
            Err(error) => panic!("{error}"),
        }
    }
    assert!(told_apart > 0);
}
