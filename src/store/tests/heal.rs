//! Healing: of every loss that the code bears, every share comes back as it was.

use super::*;
use crate::store::key::Shape;
use crate::store::marker::Marker;

fn reports(store: &Store) -> (Vec<HealReport>, Healed) {
    let mut reports = Vec::new();
    let healed = store
        .heal_all(&control(), |name, result| match result {
            Ok(report) => reports.push(HealReport {
                damaged: report.damaged.clone(),
                written: report.written.clone(),
                whole: report.whole.clone(),
                failed: Vec::new(),
            }),
            Err(error) => panic!("{}: {error}", name.escape_ascii()),
        })
        .unwrap();
    (reports, healed)
}

#[test]
fn lost_and_damaged_shares_come_back_byte_for_byte() {
    for (codec, k, n) in [("rs16", 2, 3), ("xor", 2, 3), ("copy", 1, 3), ("rs8", 4, 6)] {
        let (hosts, _) = MemoryHost::many(n);
        let dynamic: Vec<_> = hosts
            .iter()
            .cloned()
            .map(|host| Arc::new(host) as Arc<dyn Host>)
            .collect();
        let code = options(codec, k, n);
        let is_recoverable = |lost: u32| {
            let left = (0..n).filter(|host| lost >> host & 1 == 0).collect();
            code.encode.code.is_recoverable(left)
        };
        let store = Store::new(dynamic, options(codec, k, n)).unwrap();
        put(&store, NAME, &text(3000)).unwrap();
        let before: Vec<_> = hosts.iter().map(|host| host.files().clone()).collect();
        for lost in 0..1_u32 << n {
            if !is_recoverable(lost) {
                continue;
            }
            // The first of the lost is gone, the others have a bad byte each.
            let lost: Vec<_> = (0..n).filter(|host| lost >> host & 1 == 1).collect();
            for (nth, &host) in lost.iter().enumerate() {
                let mut files = hosts[host].files();
                match nth {
                    0 => files.clear(),
                    _ => files.values_mut().for_each(|bytes| bytes[900] ^= 1),
                }
            }
            let (report, healed) = reports(&store);
            assert_eq!(report[0].written, lost, "{codec}");
            assert_eq!(report[0].damaged, lost.get(1..).unwrap_or(&[]), "{codec}");
            assert_eq!(healed.complete, (0..n).collect::<Vec<_>>());
            for (host, before) in hosts.iter().zip(&before) {
                assert_eq!(*host.files(), *before, "{codec}, {lost:?}");
            }
        }
    }
}

#[test]
fn shares_that_are_all_damaged_elsewhere_heal_each_other() {
    let (hosts, _) = MemoryHost::many(3);
    let store = store(&hosts, 2);
    put(&store, NAME, &text(3000)).unwrap();
    let before: Vec<_> = hosts.iter().map(|host| host.files().clone()).collect();
    for (host, at) in hosts.iter().zip([800, 1200, 1600]) {
        host.files().values_mut().for_each(|bytes| bytes[at] ^= 1);
    }
    assert_eq!(reports(&store).0[0].damaged, [0, 1, 2]);
    for (host, before) in hosts.iter().zip(&before) {
        assert_eq!(*host.files(), *before);
    }
}

#[test]
fn a_host_that_took_a_lost_ones_place_counts_fully_once_it_has_everything() {
    let (hosts, _) = MemoryHost::many(3);
    let store = store(&hosts, 2);
    for name in [&b"one"[..], b"two"] {
        put(&store, name, &text(500)).unwrap();
    }
    // Deleted while the host that is then lost was down: the markers stay until all agree.
    hosts[1].set_down(true);
    store.delete(b"two", &control()).unwrap();
    put(&store, b"three", &text(700)).unwrap();
    hosts[1].set_down(false);
    hosts[1].replace(i64::MAX);
    assert_eq!(store.list(&control()).unwrap().may_fall_silent, 0);

    // What may be stale is no ground to settle it, or to write anything.
    let mut stale = super::store(&hosts, 2);
    stale.options.stale = Stale::Allow;
    assert!(matches!(
        stale.heal_all(&control(), |_, _| {}),
        Err(StoreError::ForReading)
    ));
    assert!(matches!(
        stale.heal(b"one", &control()),
        Err(StoreError::ForReading)
    ));

    // One that cannot be filled is not settled.
    hosts[1].set_strength(2);
    let healed = store.heal_all(&control(), |_, _| {}).unwrap();
    assert_eq!(
        (&healed.complete[..], &healed.settled[..]),
        (&[0, 2][..], &[][..])
    );
    hosts[1].set_strength(1000);
    let (_, healed) = reports(&store);
    assert_eq!(
        (&healed.complete[..], &healed.settled[..]),
        (&[0, 1, 2][..], &[1][..])
    );
    let list = store.list(&control()).unwrap();
    assert_eq!((list.objects.len(), list.may_fall_silent), (2, 1));
    // Nothing of what was deleted is left, and each has one share of each of the others.
    assert!(hosts.iter().all(|host| host.files().len() == 2));
    for lost in &hosts {
        lost.set_down(true);
        assert_eq!(get(&store, b"one").unwrap(), text(500));
        assert_eq!(get(&store, b"three").unwrap(), text(700));
        assert!(matches!(
            get(&store, b"two"),
            Err(StoreError::NotFound { .. })
        ));
        lost.set_down(false);
    }
    let (report, healed) = reports(&store);
    assert!(report.iter().all(|report| report.written.is_empty()));
    assert_eq!(healed.settled, [0; 0]);
}

#[test]
fn what_cannot_be_had_is_told_and_nothing_is_written() {
    let (hosts, _) = MemoryHost::many(3);
    let store = store(&hosts, 2);
    put(&store, NAME, &text(500)).unwrap();
    for host in &hosts[..2] {
        host.files().values_mut().for_each(|bytes| bytes[700] ^= 1);
    }
    let before: Vec<_> = hosts.iter().map(|host| host.files().clone()).collect();
    let mut errors = 0;
    let healed = store.heal_all(&control(), |_, result| {
        assert!(matches!(result, Err(StoreError::Heal { .. })), "{result:?}");
        errors += 1;
    });
    assert_eq!((errors, healed.unwrap().complete.len()), (1, 0));
    for (host, before) in hosts.iter().zip(&before) {
        assert_eq!(*host.files(), *before);
    }
}

#[test]
fn a_process_that_dies_while_it_heals_harms_nothing() {
    for changes in 0.. {
        let (hosts, power) = MemoryHost::many(4);
        let store = store(&hosts, 2);
        put(&store, NAME, &text(500)).unwrap();
        hosts[0].files().clear();
        hosts[1]
            .files()
            .values_mut()
            .for_each(|bytes| bytes[700] ^= 1);
        power.store(changes, std::sync::atomic::Ordering::SeqCst);
        let healed = store.heal_all(&control(), |_, _| {});
        power.store(1000, std::sync::atomic::Ordering::SeqCst);
        assert_eq!(get(&store, NAME).unwrap(), text(500), "{changes}");
        if healed.is_ok_and(|healed| healed.complete.len() == 4) {
            assert!(changes > 3);
            break;
        }
        // The next one makes it whole.
        assert_eq!(reports(&store).1.complete.len(), 4, "{changes}");
    }
}

/// With a rule of its own, one host alone could call anything deleted, and healing would see to it.
#[test]
fn a_deletion_that_too_few_hosts_vouch_for_deletes_nothing() {
    let (hosts, _) = MemoryHost::many(6);
    let store = store(&hosts, 4);
    put(&store, NAME, &text(3000)).unwrap();
    let before: Vec<_> = hosts.iter().map(|host| host.files().clone()).collect();
    let version = Version {
        generation: u64::MAX - 1,
        id: [7; 16],
    };
    for (rule, markers) in [(1, 1), (4, 4), (5, 4), (5, 6)] {
        let kind = Kind::Marker {
            n: 6,
            min_shares: rule,
        };
        let key = Key::new(NAME, version, kind).unwrap();
        for host in &hosts[..markers] {
            let marker = Marker {
                key: key.clone(),
                time: 0,
            };
            // As many as the store's rule says, but nothing in them.
            let bytes = match markers {
                6 => Vec::new(),
                _ => marker.encode().unwrap(),
            };
            host.files().insert(key.to_string(), bytes);
        }
        if markers < 5 {
            assert_eq!(get(&store, NAME).unwrap(), text(3000), "{rule}, {markers}");
        }
        let _ = store.heal(NAME, &control());
        let remains = store.find_remains(Duration::ZERO, &control()).unwrap();
        store.remove_remains(&remains);
        for (host, before) in hosts.iter().zip(&before) {
            for (key, bytes) in before {
                assert_eq!(host.files().get(key), Some(bytes), "{rule}, {markers}");
            }
            host.files().retain(|key, _| before.contains_key(key));
        }
    }
}

/// Each host's indices, as its keys say.
fn indices(hosts: &[MemoryHost]) -> Vec<Vec<usize>> {
    let index = |key: &String| match Key::parse(key).unwrap().kind() {
        Kind::Share { index, .. } => index,
        Kind::Marker { .. } => panic!("{key}"),
    };
    let hosts = hosts.iter();
    hosts
        .map(|host| host.files().keys().map(index).collect())
        .collect()
}

/// Hosts that lost theirs hold what others have, as a disk that was thought lost does once it is found.
fn double(hosts: &[MemoryHost], from: usize, to: usize) {
    let files = hosts[from].files().clone();
    *hosts[to].files() = files;
}

#[test]
fn where_two_hosts_have_the_same_share_one_is_given_what_is_missing() {
    let (hosts, _) = MemoryHost::many(4);
    let store = store(&hosts, 2);
    put(&store, NAME, &text(3000)).unwrap();
    let before: Vec<_> = hosts.iter().map(|host| host.files().clone()).collect();
    // Which of them are copies of others, host by host.
    for copies in [[0, 1, 2, 2], [0, 0, 0, 3], [3, 1, 2, 3], [1, 1, 1, 1]] {
        for (to, &from) in copies.iter().enumerate() {
            *hosts[to].files() = before[from].clone();
        }
        let different: std::collections::BTreeSet<_> = copies.into_iter().collect();
        if different.len() < 2 {
            continue;
        }
        let (report, healed) = reports(&store);
        assert_eq!(healed.complete, [0, 1, 2, 3], "{copies:?}");
        assert_eq!(report[0].written.len(), 4 - different.len(), "{copies:?}");
        let mut found = indices(&hosts).concat();
        found.sort_unstable();
        assert_eq!(found, [0, 1, 2, 3], "{copies:?}");
        // The same bytes as were written at first, and any two give it back.
        for host in &hosts {
            for (key, bytes) in host.files().iter() {
                assert!(before.iter().any(|before| before.get(key) == Some(bytes)));
            }
        }
        for up in (0..16_u32).filter(|up| up.count_ones() == 2) {
            set_up(&hosts, up);
            assert_eq!(get_as(&store, NAME, Stale::Allow).unwrap(), text(3000));
        }
        set_up(&hosts, everybody(4));
        assert!(reports(&store).0[0].written.is_empty(), "{copies:?}");
    }
}

/// A host that is full keeps its double, and is not told to be whole.
#[test]
fn a_double_goes_only_when_the_other_share_is_there() {
    let (hosts, _) = MemoryHost::many(4);
    let store = store(&hosts, 2);
    put(&store, NAME, &text(3000)).unwrap();
    double(&hosts, 2, 3);
    hosts[3].set_strength(2);
    let before = hosts[3].files().clone();
    let healed = store.heal_all(&control(), |_, _| {}).unwrap();
    assert_eq!(healed.complete, [0, 1, 2]);
    assert_eq!(*hosts[3].files(), before);

    // A double that is damaged is no good to anybody, and what is good stays.
    hosts[3].set_strength(i64::MAX / 2);
    let damage = |host: &MemoryHost| {
        let mut files = host.files();
        files.values_mut().for_each(|bytes| bytes[900] ^= 1);
    };
    damage(&hosts[2]);
    assert_eq!(reports(&store).1.complete, [0, 1, 2, 3]);
    assert_eq!(get(&store, NAME).unwrap(), text(3000));
    let mut found = indices(&hosts).concat();
    found.sort_unstable();
    found.dedup();
    assert_eq!(found, [0, 1, 2, 3]);
}

#[test]
fn a_process_that_dies_while_it_parts_doubles_loses_nothing() {
    for changes in 0.. {
        let (hosts, power) = MemoryHost::many(4);
        let store = store(&hosts, 2);
        put(&store, NAME, &text(500)).unwrap();
        double(&hosts, 2, 3);
        double(&hosts, 0, 1);
        power.store(changes, std::sync::atomic::Ordering::SeqCst);
        let healed = store.heal_all(&control(), |_, _| {});
        let has_ended = power.swap(1000, std::sync::atomic::Ordering::SeqCst) > 0;
        // What two hosts had is there as long as the two that have the others are not.
        assert_eq!(get(&store, NAME).unwrap(), text(500), "{changes}");
        assert!(indices(&hosts).iter().all(|has| !has.is_empty()));
        if has_ended && healed.is_ok_and(|healed| healed.complete.len() == 4) {
            break;
        }
        assert_eq!(reports(&store).1.complete.len(), 4, "{changes}");
        let mut found = indices(&hosts).concat();
        found.sort_unstable();
        assert_eq!(found, [0, 1, 2, 3], "{changes}");
    }
}

/// One that was deleted while a host was down, after a host with a marker was replaced: one marker, one
/// host that cannot know, and one share.
fn half_deleted() -> (Vec<MemoryHost>, Store) {
    let (hosts, _) = MemoryHost::many(3);
    let store = store(&hosts, 2);
    put(&store, NAME, &text(500)).unwrap();
    hosts[2].set_down(true);
    store.delete(NAME, &control()).unwrap();
    hosts[2].set_down(false);
    hosts[0].replace(i64::MAX);
    (hosts, store)
}

#[test]
fn a_deletion_that_no_host_can_confirm_any_more_is_made_again() {
    let (hosts, store) = half_deleted();
    let list = store.list(&control()).unwrap();
    assert!(matches!(
        list.objects[0].state,
        ObjectState::Unreadable(Reason::Unreadable {
            seen: 1,
            silent: 1,
            ..
        })
    ));
    let (_, healed) = reports(&store);
    assert_eq!(
        (&healed.complete[..], &healed.settled[..]),
        (&[0, 1, 2][..], &[0][..])
    );
    assert!(hosts.iter().all(|host| host.files().is_empty()));
    assert_eq!(names(&store), Vec::<Vec<u8>>::new());
}

#[test]
fn a_deletion_that_no_host_can_confirm_deletes_nothing_that_may_be_had() {
    type Change = fn(&[MemoryHost]);
    let cases: [(&str, Change, &str); 4] = [
        (
            "a host is down",
            |hosts| hosts[2].set_down(true),
            "needed: memory 2",
        ),
        (
            "the marker is none",
            |hosts| {
                let mut files = hosts[1].files();
                files.values_mut().for_each(Vec::clear);
            },
            "no silent host could help",
        ),
        (
            "there is another share, and the object can be read",
            |hosts| {
                let files = hosts[2].files();
                let (key, bytes) = files.first_key_value().unwrap();
                let other = key.replace("~i2", "~i1");
                hosts[1].files().insert(other, bytes.clone());
            },
            "no silent host could help",
        ),
        (
            "something newer was there",
            |hosts| {
                let shape = Shape {
                    k: 2,
                    n: 3,
                    min_shares: 3,
                };
                let version = Version {
                    generation: u64::MAX - 1,
                    id: [7; 16],
                };
                let key = Key::new(NAME, version, Kind::Share { index: 0, shape });
                let key = key.unwrap().to_string();
                hosts[1].files().insert(key, b"newer".to_vec());
            },
            "no silent host could help",
        ),
    ];
    for (case, change, needed) in cases {
        let (hosts, store) = half_deleted();
        change(&hosts);
        let before: Vec<_> = hosts.iter().map(|host| host.files().clone()).collect();
        let error = store.heal(NAME, &control()).unwrap_err();
        assert!(
            matches!(error, StoreError::Unknown { .. }) && error.to_string().ends_with(needed),
            "{case}: {error}"
        );
        for (host, before) in hosts.iter().zip(&before) {
            assert_eq!(*host.files(), *before, "{case}");
        }
    }
}

/// Its shares may be as good as any: they are not written over, and nobody waits for them again.
#[test]
fn a_host_that_stops_giving_a_share_is_told_and_the_others_are_healed() {
    // In the look at what the share says of itself, or when it is read through.
    for opened in 0..2 {
        let (hosts, _) = MemoryHost::many(4);
        let mut store = store(&hosts, 2);
        store.options.host_timeout = Duration::from_secs(1);
        store.options.decode.source_timeout = Duration::from_secs(1);
        for name in [&b"one"[..], b"two"] {
            put(&store, name, &text(3000)).unwrap();
        }
        let before: Vec<_> = hosts.iter().map(|host| host.files().clone()).collect();
        hosts[1].files().clear();
        let (hangs, until) = crossbeam_channel::bounded(0);
        hosts[2].stall_after(opened, until);
        let mut hung = 0;
        let healed = store.heal_all(&control(), |_, result| {
            let report = result.as_ref().unwrap();
            assert_eq!(report.damaged, [0; 0]);
            hung += report.failed.len();
            for failed in &report.failed {
                assert!(
                    matches!(
                        failed,
                        (2, HostFailure::Host(HostError::Hung { seconds: 1, .. }))
                    ),
                    "{failed:?}"
                );
            }
        });
        assert_eq!((hung, healed.unwrap().complete), (1, vec![0, 1, 3]));
        drop(hangs);
        let start = Instant::now();
        while store.heal_all(&control(), |_, _| {}).unwrap().complete != [0, 1, 2, 3] {
            assert!(start.elapsed() < Duration::from_secs(60));
        }
        for (host, before) in hosts.iter().zip(&before) {
            assert_eq!(*host.files(), *before);
        }
    }
}

#[test]
fn a_host_whose_share_would_be_needed_and_stops_is_told_with_the_error() {
    let (hosts, _) = MemoryHost::many(3);
    let mut store = store(&hosts, 2);
    store.options.decode.source_timeout = Duration::from_secs(1);
    put(&store, NAME, &text(3000)).unwrap();
    hosts[1].files().clear();
    let (_hangs, until) = crossbeam_channel::bounded(0);
    hosts[2].stall_after(1, until);
    let error = store.heal(NAME, &control()).unwrap_err();
    assert!(
        matches!(&error, StoreError::Heal { hosts, .. } if matches!(&hosts[..], [HostError::Hung { host, .. }] if host == "memory 2")),
        "{error:?}"
    );
    assert!(hosts[1].files().is_empty());
}
