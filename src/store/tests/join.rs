//! Hosts that belong to one store, and others that were named by mistake.

use std::fs;

use super::tally::Tally;
use super::*;
use crate::store::host::StoreId;

const OTHER: StoreId = [0xee; 16];

fn join(hosts: &[MemoryHost], k: usize) -> Result<bool, StoreError> {
    store(hosts, k).join(&control())
}

fn ids(hosts: &[MemoryHost]) -> Vec<Option<StoreId>> {
    hosts.iter().map(MemoryHost::store).collect()
}

/// All hosts are of one store, and each takes what is put.
fn is_one(hosts: &[MemoryHost], k: usize, context: &str) {
    let ids = ids(hosts);
    assert!(ids[0].is_some(), "{context}");
    assert!(ids.iter().all(|id| *id == ids[0]), "{context}: {ids:x?}");
    let report = put(&store(hosts, k), b"after", b"bytes").unwrap();
    assert!(!report.is_degraded(), "{context}: {report:?}");
}

/// A host that has had its share of a store of its own.
fn of_another(joined: bool) -> MemoryHost {
    let (hosts, _) = MemoryHost::many(6);
    put(&store(&hosts[3..], 2), b"theirs", b"bytes").unwrap();
    if joined {
        join(&hosts[3..], 2).unwrap();
    }
    hosts[5].clone()
}

#[test]
fn hosts_of_a_new_store_have_one_id_in_whichever_order_they_are_named() {
    let (mut hosts, _) = MemoryHost::many(3);
    assert!(join(&hosts, 2).unwrap());
    let first = ids(&hosts);
    is_one(&hosts, 2, "new");
    hosts.reverse();
    assert!(!join(&hosts, 2).unwrap());
    assert_eq!(ids(&hosts), first);
    // Two writers that do not see each other: the same, since it is the hosts' ids that make it.
    for host in &hosts {
        host.set_store(None);
    }
    hosts.rotate_left(1);
    join(&hosts, 2).unwrap();
    assert_eq!(ids(&hosts), first);
    let (others, _) = MemoryHost::many(4);
    join(&others, 2).unwrap();
    assert_ne!(others[0].store(), first[0]);
}

#[test]
fn two_writers_at_once_end_with_one_id() {
    for _ in 0..100 {
        let (hosts, _) = MemoryHost::many(3);
        let reversed: Vec<_> = hosts.iter().rev().cloned().collect();
        std::thread::scope(|scope| {
            scope.spawn(|| join(&hosts, 2).unwrap());
            scope.spawn(|| join(&reversed, 2).unwrap());
        });
        is_one(&hosts, 2, "two at once");
    }
}

#[test]
fn a_host_of_another_store_is_left_alone_and_named() {
    for joined in [true, false] {
        let (mut hosts, _) = MemoryHost::many(3);
        put(&store(&hosts, 2), NAME, b"ours").unwrap();
        join(&hosts, 2).unwrap();
        let right = hosts[1].clone();
        hosts[1] = of_another(joined);
        let (files, id) = (hosts[1].files().clone(), hosts[1].store());
        let store = store(&hosts, 2);
        store.join(&control()).unwrap();
        let report = put(&store, NAME, b"new").unwrap();
        let failure = report.hosts[1].failure.as_ref();
        match failure {
            Some(HostFailure::Host(HostError::OfAnother { host })) if joined => {
                assert_eq!(host, "memory 5");
            }
            Some(HostFailure::Host(HostError::NotJoined { .. })) if !joined => {}
            other => panic!("{other:?}"),
        }
        assert_eq!(get(&store, NAME).unwrap(), b"new");
        put(&store, b"more", b"new").unwrap();
        assert!(!store.delete(b"more", &control()).unwrap().swept);
        let healed = store.heal_all(&control(), |_, _| ()).unwrap();
        assert_eq!(healed.complete, [0, 2]);
        let remains = store.find_remains(Duration::ZERO, &control()).unwrap();
        assert!(store.remove_remains(&remains).is_empty());
        assert_eq!(remains.silent.len(), 1);
        assert_eq!((&*hosts[1].files(), hosts[1].store()), (&files, id));

        // The right one again has what it missed made good.
        hosts[1] = right;
        let store = super::store(&hosts, 2);
        store.join(&control()).unwrap();
        let healed = store.heal_all(&control(), |_, _| ()).unwrap();
        assert_eq!(healed.complete, [0, 1, 2]);
    }
}

#[test]
fn as_many_hosts_of_one_store_as_of_another_are_not_written_to() {
    let (ours, _) = MemoryHost::many(6);
    put(&store(&ours[..3], 2), NAME, b"ours").unwrap();
    join(&ours[..3], 2).unwrap();
    put(&store(&ours[3..], 2), NAME, b"theirs").unwrap();
    join(&ours[3..], 2).unwrap();
    ours[1].set_down(true);
    let mixed = [ours[0].clone(), ours[1].clone(), ours[5].clone()];
    let store = store(&mixed, 2);
    for result in [
        store.join(&control()).map(drop),
        put(&store, NAME, b"new").map(drop),
        store.delete(NAME, &control()).map(drop),
    ] {
        let error = result.unwrap_err();
        assert!(
            matches!(&error, StoreError::DifferentStores { stores } if stores.len() == 2),
            "{error:?}"
        );
        assert_eq!(
            error.to_string(),
            "the hosts are of different backups: memory 0 of one, memory 5 of another"
        );
    }
    assert!(mixed.iter().all(|host| host.files().len() == 1));
}

#[test]
fn two_stores_in_halves_are_told_apart_and_nothing_of_either_goes() {
    for joined in [true, false] {
        let (hosts, _) = MemoryHost::many(12);
        for (half, name) in hosts.chunks(6).zip([NAME, b"theirs"]) {
            put(&store(half, 4), name, b"bytes").unwrap();
            if joined {
                join(half, 4).unwrap();
            }
        }
        let mixed = [&hosts[..3], &hosts[9..]].concat();
        let store = store(&mixed, 4);
        let status = store.status(&control()).unwrap();
        assert_eq!(status.different.is_some(), joined);
        assert_eq!(status.lost.len(), 2);
        for error in [
            store.heal(NAME, &control()).map(drop).err(),
            put(&store, b"new", b"bytes").map(drop).err(),
        ] {
            let is_refused = matches!(error, Some(StoreError::DifferentStores { .. }));
            assert_eq!(is_refused, joined, "{error:?}");
        }
        match store.find_remains(Duration::ZERO, &control()) {
            Err(error) => {
                assert!(joined && matches!(error, StoreError::DifferentStores { .. }));
            }
            Ok(remains) => {
                assert!(!joined && remains.keys.is_empty(), "{remains:?}");
                assert!(store.remove_remains(&remains).is_empty());
            }
        }
        for (half, name) in hosts.chunks(6).zip([NAME, b"theirs"]) {
            assert_eq!(get(&super::store(half, 4), name).unwrap(), b"bytes");
            assert!(half.iter().all(|host| {
                let prefix = Key::prefix(name).unwrap();
                host.files()
                    .keys()
                    .filter(|key| key.starts_with(&prefix))
                    .count()
                    == 1
            }));
        }
    }
}

#[test]
fn hosts_from_before_there_were_ids_get_one_and_late_ones_join() {
    let (hosts, _) = MemoryHost::many(3);
    put(&store(&hosts, 2), NAME, b"old").unwrap();
    hosts[2].set_down(true);
    assert!(!join(&hosts, 2).unwrap(), "it may have an id");
    put(&store(&hosts, 2), b"meanwhile", b"new").unwrap();
    hosts[2].set_down(false);
    hosts[2].set_strength(0);
    assert!(join(&hosts, 2).unwrap());
    // One that could not take it, and was down since.
    hosts[1].set_down(true);
    hosts[2].set_strength(i64::MAX / 2);
    assert!(join(&hosts, 2).unwrap());
    hosts[1].set_down(false);
    assert_eq!(hosts[0].store(), hosts[2].store());
    is_one(&hosts, 2, "late");
    // One that took the place of a lost one has nothing, and nothing against it.
    hosts[0].replace(1);
    assert!(join(&hosts, 2).unwrap());
    is_one(&hosts, 2, "replaced");
}

#[test]
fn a_host_of_another_store_does_not_get_the_id_of_hosts_that_have_none_yet() {
    for joined in [true, false] {
        let (mut hosts, _) = MemoryHost::many(3);
        put(&store(&hosts, 2), NAME, b"ours").unwrap();
        hosts[0] = of_another(joined);
        let id = hosts[0].store();
        join(&hosts, 2).unwrap();
        assert_eq!(hosts[0].store(), id);
        assert!(hosts[1].store().is_some());
        assert_eq!(hosts[1].store(), hosts[2].store());
        let report = put(&store(&hosts, 2), NAME, b"new").unwrap();
        assert!(report.hosts[0].failure.is_some());
        assert_eq!(hosts[0].files().len(), 1);
    }
}

#[test]
fn no_single_host_locks_the_others_out_by_what_it_says_of_itself() {
    for (k, n) in [(2, 3), (4, 6)] {
        for when in ["new", "old", "joined"] {
            for evil in 0..n {
                for says in [None, Some(OTHER)] {
                    let (hosts, _) = MemoryHost::many(n);
                    if when != "new" {
                        put(&store(&hosts, k), NAME, b"old").unwrap();
                    }
                    if when == "joined" {
                        join(&hosts, k).unwrap();
                    }
                    hosts[evil].set_store(says);
                    hosts[evil].files().clear();
                    let store = store(&hosts, k);
                    store.join(&control()).unwrap();
                    let report = put(&store, NAME, b"new").unwrap();
                    for (host, outcome) in report.hosts.iter().enumerate() {
                        assert!(
                            host == evil || outcome.failure.is_none(),
                            "({k},{n}) {when} {evil} {says:?}: {outcome:?}"
                        );
                    }
                    assert_eq!(get(&store, NAME).unwrap(), b"new");
                }
            }
        }
    }
}

/// However many hosts have joined when their writer dies, and whichever answer the next one: all end
/// with one id, and none is turned away.
#[test]
fn a_process_that_dies_while_hosts_join_harms_nothing() {
    let mut tally = Tally::of("a process dies while hosts join");
    let geometries = if tally::full() {
        &[(1, 2), (2, 3), (4, 6)][..]
    } else {
        &[(1, 2), (2, 3)]
    };
    for &(k, n) in geometries {
        let least = store(&MemoryHost::many(n).0, k).min_shares;
        for old in [false, true] {
            for written in 0..1u32 << n {
                for up in (0..1u32 << n).filter(|up| up.count_ones() as usize >= least) {
                    let context = format!("({k},{n}) {old} {written:b} {up:b}");
                    let (hosts, _) = MemoryHost::many(n);
                    if old {
                        put(&store(&hosts, k), NAME, b"old").unwrap();
                        put(&store(&hosts, k), b"kept", b"old").unwrap();
                    }
                    // What power leaves at any moment: hosts are asked at once, in no order.
                    for (host, memory) in hosts.iter().enumerate() {
                        memory.set_strength(i64::from(written >> host & 1));
                    }
                    join(&hosts, k).unwrap();
                    for (host, memory) in hosts.iter().enumerate() {
                        memory.set_strength(i64::MAX / 2);
                        memory.set_down(up >> host & 1 == 0);
                    }
                    join(&hosts, k).unwrap();
                    put(&store(&hosts, k), NAME, b"new").unwrap();
                    for memory in &hosts {
                        memory.set_down(false);
                    }
                    join(&hosts, k).unwrap();
                    assert_eq!(get(&store(&hosts, k), NAME).unwrap(), b"new", "{context}");
                    is_one(&hosts, k, &context);
                    tally.count("one id, and no host turned away");
                }
            }
        }
    }
}

#[test]
fn a_process_killed_while_it_writes_a_stamp_leaves_it_whole() {
    let dir = tempfile::tempdir().unwrap();
    let paths: Vec<_> = (0..3).map(|i| dir.path().join(i.to_string())).collect();
    let hosts = paths.iter().map(|path| {
        let host = FolderHost::create(path, Origin::NewStore).unwrap();
        Arc::new(host) as Arc<dyn Host>
    });
    let store = Store::new(hosts.collect(), options("rs16", 2, 3)).unwrap();
    // As SIGKILL leaves it: the old stamp, and a part of the new one that nobody holds.
    fs::write(paths[1].join("distdup-host.partial"), "distdup host 1\nid").unwrap();
    put(&store, NAME, b"old").unwrap();
    assert!(store.join(&control()).unwrap());
    let said = |path: &std::path::PathBuf| fs::read_to_string(path.join("distdup-host")).unwrap();
    let ids: Vec<_> = paths
        .iter()
        .map(|path| said(path).lines().nth(3).unwrap().to_owned())
        .collect();
    assert!(
        ids[0].starts_with("store ") && ids.iter().all(|id| *id == ids[0]),
        "{ids:?}"
    );
    assert!(!put(&store, NAME, b"new").unwrap().is_degraded());
    assert!(!paths[1].join("distdup-host.partial").exists());
}
