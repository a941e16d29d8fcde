//! Processes that die, and hosts that fail, at every change they make.

use std::sync::atomic::Ordering;

use super::tally::Tally;
use super::*;
use crate::store::catalog::Standing;

const NEW: &[u8] = b"what is put while the process dies, in more than one stripe: \
    0123456789012345678901234567890123456789012345678901234567890123456789\
    0123456789012345678901234567890123456789012345678901234567890123456789";

/// Runs `operation` on fresh stores, and lets the process die after every number of changes in
/// turn, until it does not. `check` sees the store with everything up again, and whether the
/// operation claimed success.
fn die_everywhere(
    (k, n): (usize, usize),
    prepare: impl Fn(&Store),
    operation: impl Fn(&Store) -> bool,
    check: impl Fn(&[MemoryHost], &Store, bool, &str),
) {
    let mut tally = Tally::of("a process dies at every change of a store in memory");
    for changes in 0.. {
        let (hosts, power) = MemoryHost::many(n);
        let store = store(&hosts, k);
        prepare(&store);
        power.store(changes, Ordering::SeqCst);
        let claimed = operation(&store);
        let survived = power.load(Ordering::SeqCst) >= 0;
        power.store(i64::MAX / 2, Ordering::SeqCst);
        check(
            &hosts,
            &store,
            claimed,
            &format!("({k},{n}) dead after {changes} changes"),
        );
        tally.count("the old object, the new one, or none, whole");
        if survived {
            assert!(claimed && changes > 0);
            return;
        }
    }
}

/// What is got with every set of hosts up is one of `right`, or an error; with all up, it is one of
/// them, or if `may_be_absent`, nothing, and the list agrees.
fn hold_against(
    hosts: &[MemoryHost],
    store: &Store,
    right: &[&[u8]],
    may_be_absent: bool,
    context: &str,
) {
    let n = hosts.len();
    for up in 0..=everybody(n) {
        set_up(hosts, up);
        match get(store, NAME) {
            Ok(bytes) => assert!(right.contains(&&*bytes), "{context}, {up:b} up"),
            Err(StoreError::NotFound { .. }) => assert!(may_be_absent, "{context}, {up:b} up"),
            Err(StoreError::Unknown { .. }) => assert_ne!(up, everybody(n), "{context}"),
            Err(error) => panic!("{context}, {up:b} up: {error:?}"),
        }
    }
    set_up(hosts, everybody(n));
    let is_there = get(store, NAME).is_ok();
    assert_eq!(names(store).len(), usize::from(is_there), "{context}");
}

#[test]
fn a_put_that_dies_leaves_the_old_object_or_the_new_one() {
    for geometry in [(2, 3), (1, 2), (4, 6)] {
        die_everywhere(
            geometry,
            |store| drop(put(store, NAME, b"old").unwrap()),
            |store| put(store, NAME, NEW).is_ok(),
            |hosts, store, claimed, context| {
                let right: &[&[u8]] = if claimed { &[NEW] } else { &[b"old", NEW] };
                hold_against(hosts, store, right, false, context);
                // The next put takes all remains away.
                put(store, NAME, b"next").unwrap();
                assert_eq!(get(store, NAME).unwrap(), b"next");
                assert!(
                    hosts.iter().all(|host| host.files().len() == 1),
                    "{context}"
                );
            },
        );
    }
}

#[test]
fn a_first_put_that_dies_leaves_the_object_or_none() {
    for geometry in [(2, 3), (4, 6)] {
        die_everywhere(
            geometry,
            |_| (),
            |store| put(store, NAME, NEW).is_ok(),
            |hosts, store, claimed, context| {
                hold_against(hosts, store, &[NEW], !claimed, context);
            },
        );
    }
}

#[test]
fn a_delete_that_dies_leaves_the_object_or_none() {
    for geometry in [(2, 3), (1, 2), (4, 6)] {
        die_everywhere(
            geometry,
            |store| drop(put(store, NAME, b"old").unwrap()),
            |store| store.delete(NAME, &control()).is_ok(),
            |hosts, store, claimed, context| {
                let right: &[&[u8]] = if claimed { &[] } else { &[b"old"] };
                hold_against(hosts, store, right, true, context);
                put(store, NAME, b"next").unwrap();
                assert_eq!(get(store, NAME).unwrap(), b"next");
            },
        );
    }
}

/// One host fails at every change it makes in turn: the put is degraded, and says so.
#[test]
fn a_host_that_fails_while_it_is_written_to_is_reported() {
    for failing in 0..3 {
        for changes in 0.. {
            let (hosts, _) = MemoryHost::many(3);
            let store = store(&hosts, 2);
            put(&store, NAME, b"old").unwrap();
            hosts[failing].set_strength(changes);
            let report = put(&store, NAME, NEW).unwrap();
            let outcome = &report.hosts[failing];
            let others = report
                .hosts
                .iter()
                .enumerate()
                .filter(|(number, _)| *number != failing);
            assert!(
                others.clone().all(|(_, host)| host.failure.is_none()),
                "{report:?}"
            );
            hosts[failing].set_strength(i64::MAX / 2);
            assert_eq!(get(&store, NAME).unwrap(), NEW);
            hosts[(failing + 1) % 3].set_down(true);
            if outcome.failure.is_none() {
                assert_eq!(get(&store, NAME).unwrap(), NEW);
            } else {
                assert!(report.is_degraded());
                assert!(matches!(outcome.failure, Some(HostFailure::Sink(_))));
                assert!(matches!(get(&store, NAME), Err(StoreError::Unknown { .. })));
            }
            if outcome.failure.is_none() && outcome.not_removed.is_none() {
                assert!(changes > 3);
                break;
            }
        }
    }
}

/// Too many hosts fail at every change in turn: the put fails, and the object is what it was.
#[test]
fn a_put_that_too_few_hosts_take_fails_and_is_taken_back() {
    let mut failed = 0;
    for changes in 0.. {
        let (hosts, _) = MemoryHost::many(3);
        let store = store(&hosts, 2);
        put(&store, NAME, b"old").unwrap();
        hosts[0].set_strength(changes);
        hosts[2].set_strength(changes);
        let result = put(&store, NAME, NEW);
        for host in &hosts {
            host.set_strength(i64::MAX / 2);
        }
        let Err(error) = result else {
            assert_eq!(get(&store, NAME).unwrap(), NEW);
            break;
        };
        failed += 1;
        assert!(
            matches!(&error, StoreError::Encode { source, .. } if matches!(**source, EncodeError::TooFewSinks { .. })),
            "{error:?}"
        );
        assert_eq!(get(&store, NAME).unwrap(), b"old", "{error:?}");
        assert_eq!(
            hosts[1].files().len(),
            1,
            "what the good host took is gone again"
        );
    }
    assert!(failed > 3);
}

/// Markers that too few hosts take are taken back.
#[test]
fn a_delete_that_too_few_hosts_take_fails() {
    let (hosts, _) = MemoryHost::many(3);
    let store = store(&hosts, 2);
    put(&store, NAME, b"old").unwrap();
    hosts[0].set_strength(0);
    hosts[2].set_strength(0);
    let error = store.delete(NAME, &control()).unwrap_err();
    assert!(
        matches!(
            error,
            StoreError::NotDeleted {
                took: 1,
                min_shares: 2,
                ..
            }
        ),
        "{error:?}"
    );
    for host in &hosts {
        host.set_strength(i64::MAX / 2);
    }
    assert_eq!(get(&store, NAME).unwrap(), b"old");
    assert_eq!(hosts[1].files().len(), 1);
}

/// Whatever a put or delete leaves that dies: clean-up takes all away that is not current, and changes
/// nothing else.
#[test]
fn clean_up_takes_away_what_dead_processes_left_and_nothing_else() {
    for is_put in [true, false] {
        for geometry in [(2, 3), (4, 6)] {
            die_everywhere(
                geometry,
                |store| drop(put(store, NAME, b"old").unwrap()),
                |store| {
                    if is_put {
                        put(store, NAME, NEW).is_ok()
                    } else {
                        store.delete(NAME, &control()).is_ok()
                    }
                },
                |hosts, store, _, context| {
                    let before = get(store, NAME).ok();
                    // With a host down, what is there stays readable without it, or as unreadable.
                    hosts[0].set_down(true);
                    let without = get(store, NAME).ok();
                    let remains = store.find_remains(Duration::ZERO, &control()).unwrap();
                    assert_eq!(remains.silent.len(), 1);
                    assert!(remains.markers.is_empty(), "{context}");
                    assert!(store.remove_remains(&remains).is_empty());
                    let after = get(store, NAME).ok();
                    assert!(without.is_none() || after == without, "{context}");
                    hosts[0].set_down(false);
                    assert_eq!(get(store, NAME).ok(), before, "{context}");

                    let mut remains = store.find_remains(Duration::ZERO, &control()).unwrap();
                    // Whole shares of it are told, and go only if that is asked for.
                    let lost = store.list(&control()).unwrap().lost;
                    assert_eq!(lost.is_empty(), remains.lost.is_empty(), "{context}");
                    remains.keys.append(&mut remains.lost);
                    assert!(store.remove_remains(&remains).is_empty());
                    assert_eq!(get(store, NAME).ok(), before, "{context}");
                    // One that can be read, but was not committed, is not for clean-up to judge.
                    let survey = store.survey("", &control()).unwrap();
                    let current = survey.catalog.generations(NAME).first();
                    let is_committed =
                        current.is_none_or(|one| one.standing(0) == Standing::Committed);
                    let most = if is_committed {
                        usize::from(before.is_some())
                    } else {
                        2
                    };
                    for host in hosts {
                        assert!(host.files().len() <= most, "{context}");
                    }
                    let again = store.find_remains(Duration::ZERO, &control()).unwrap();
                    assert!(
                        again.keys.is_empty() && again.markers.is_empty(),
                        "{context}"
                    );
                },
            );
        }
    }
}

#[test]
fn clean_up_believes_no_file_name_and_leaves_what_is_young() {
    let (hosts, _) = MemoryHost::many(3);
    let store = store(&hosts, 2);
    put(&store, NAME, b"current").unwrap();
    let old = hosts
        .iter()
        .map(|host| host.files().clone())
        .collect::<Vec<_>>();
    put(&store, NAME, b"next").unwrap();
    // As if nothing older had been removed, and the newer shares were not what their keys say.
    for (host, old) in hosts.iter().zip(old) {
        for bytes in host.files().values_mut() {
            bytes.truncate(bytes.len() - 1);
        }
        host.files().extend(old);
    }
    let remains = store.find_remains(Duration::ZERO, &control()).unwrap();
    assert!(remains.keys.is_empty(), "{remains:?}");

    // One share of what never was: young, then old.
    let stray = conformance::key(b"stray", 1_700_000_000_000_000_000);
    hosts[0].files().insert(stray.to_string(), Vec::new());
    let century = Duration::from_secs(100 * 365 * 86_400);
    let young = store.find_remains(century, &control()).unwrap();
    assert!(young.lost.is_empty());
    let remains = store.find_remains(Duration::ZERO, &control()).unwrap();
    assert_eq!((remains.keys, remains.lost), (Vec::new(), vec![(0, stray)]));
}

/// Whichever shares of the newest generation are left: where they do not suffice, it is told, whether
/// there is an older generation or not, and what is left of it is kept.
#[test]
fn what_lost_shares_is_told_and_kept() {
    for (k, n) in [(2, 3), (2, 5), (4, 6)] {
        for has_older in [true, false] {
            for left in 1..everybody(n) {
                let context = format!("({k},{n}) {has_older} {left:b}");
                let (hosts, _) = MemoryHost::many(n);
                let store = store(&hosts, k);
                put(&store, b"other", b"kept").unwrap();
                let other: Vec<_> = hosts.iter().map(|host| host.files().clone()).collect();
                if has_older {
                    put(&store, NAME, b"old").unwrap();
                }
                let snapshot: Vec<_> = hosts.iter().map(|host| host.files().clone()).collect();
                put(&store, NAME, NEW).unwrap();
                let is_left = |host: &usize| left >> host & 1 == 1;
                for host in (0..n).filter(|host| !is_left(host)) {
                    hosts[host].files().clone_from(&snapshot[host]);
                }
                let holders: Vec<_> = (0..n).filter(is_left).collect();
                let names: Vec<_> = holders.iter().map(|host| hosts[*host].name()).collect();
                let before: Vec<_> = hosts.iter().map(|host| host.files().clone()).collect();

                let list = store.list(&control()).unwrap();
                let status = store.status(&control()).unwrap();
                assert_eq!(status.lost, list.lost, "{context}");
                let is_readable = get(&store, NAME).is_ok_and(|bytes| bytes == NEW);
                // What may have been committed is listed, and known as unreadable.
                assert_eq!(is_readable, holders.len() >= k, "{context}");
                if is_readable {
                    assert_eq!(list.lost, [], "{context}");
                    continue;
                }
                let old = has_older && n - holders.len() >= k;
                let told = list
                    .lost
                    .iter()
                    .map(|lost| (&lost.name[..], &lost.hosts, lost.n));
                if let [(name, hosts, all)] = told.collect::<Vec<_>>()[..] {
                    assert_eq!((name, hosts, all), (NAME, &names, n), "{context}");
                    assert_eq!(list.lost[0].has_older, old, "{context}");
                } else {
                    assert!(
                        has_older && list.lost.len() == 2,
                        "{context}: {:?}",
                        list.lost
                    );
                }
                assert!(
                    !store
                        .heal_all(&control(), |_, _| ())
                        .unwrap()
                        .complete
                        .is_empty()
                );
                assert!(
                    !store.list(&control()).unwrap().lost.is_empty(),
                    "{context}"
                );
                let mut remains = store.find_remains(Duration::ZERO, &control()).unwrap();
                assert!(remains.keys.is_empty(), "{context}: {remains:?}");
                store.remove_remains(&remains);
                for (host, before) in hosts.iter().zip(&before) {
                    let files = host.files();
                    assert!(
                        before
                            .iter()
                            .all(|(key, bytes)| files.get(key) == Some(bytes))
                    );
                }
                // With a host down, nobody can say but that; and what is asked for goes.
                remains.keys.append(&mut remains.lost);
                store.remove_remains(&remains);
                assert_eq!(store.list(&control()).unwrap().lost, [], "{context}");
                assert_eq!(get(&store, NAME).is_ok(), old, "{context}");
                for (host, other) in hosts.iter().zip(&other) {
                    let files = host.files();
                    assert!(
                        other
                            .iter()
                            .all(|(key, bytes)| files.get(key) == Some(bytes))
                    );
                }
            }
        }
    }
}
