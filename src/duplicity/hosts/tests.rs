//! Stores that are found, made, and refused.

use super::*;

fn layout(names: &[&str]) -> Layout {
    Layout::named(names.iter().map(OsString::from).collect()).unwrap()
}

#[test]
fn the_url_is_stable() {
    let url = |layout: &Layout| layout.url().unwrap();
    assert_eq!(
        url(&Layout::In("/a/backup_test/".into())),
        "distdup:///a/backup_test"
    );
    assert_eq!(
        url(&Layout::In("/a b/ü@:%\n".into())),
        "distdup:///a%20b/%C3%BC%40%3A%25%0A"
    );
    assert_eq!(
        url(&layout(&["/h/b", "/h/a"])),
        url(&layout(&["/h/a", "/h/b"]))
    );
    assert_eq!(url(&layout(&["/h{i}/b"])), "distdup:///h%7Bi%7D/b");
    assert_ne!(url(&layout(&["/h/a{i}"])), url(&layout(&["/h/b{i}"])));
}

#[test]
fn only_folders_are_hosts() {
    for name in ["exec:cat", "fd:3", "sftp://h/x", "-"] {
        let error = Layout::named(vec![name.into()]).unwrap_err();
        assert!(matches!(error, HostsError::NotAFolder { .. }), "{name}");
    }
}

fn wish(k: usize, n: usize) -> Wish {
    Wish {
        k: Some(k),
        n: Some(n),
        ..Wish::default()
    }
}

#[test]
fn a_store_is_made_once_and_a_lost_host_only_when_told() {
    let folder = tempfile::tempdir().unwrap();
    let layout = Layout::In(folder.path().join("backup_x"));
    let (control, _) = Control::new();
    assert!(matches!(
        layout.existing(Access::default(), &control),
        Err(HostsError::None { .. })
    ));
    let target = layout.existing_or_new(&Wish::default(), &control).unwrap();
    assert_eq!((target.made.len(), target.status.silent().count()), (3, 0));
    assert_eq!(target.spec.open().unwrap().shape().k, 2);
    assert!(matches!(
        layout.existing(Access::default(), &control),
        Err(HostsError::Empty { .. })
    ));

    // Without a share nobody knows whether it is new.
    let lost = folder.path().join("backup_x/distdup1");
    fs::remove_dir_all(&lost).unwrap();
    let error = layout
        .existing_or_new(&Wish::default(), &control)
        .unwrap_err();
    assert!(matches!(error, HostsError::HalfMade { .. }), "{error}");

    put(&target, b"object", &control);
    drop(target); // it holds the hosts
    let target = layout.existing_or_new(&wish(2, 3), &control).unwrap();
    assert_eq!((target.made.len(), target.status.silent().count()), (0, 1));
    assert!(!lost.exists());
    drop(target);
    let error = layout.existing_or_new(&wish(3, 5), &control).unwrap_err();
    assert!(
        error.to_string().contains("k = 2, and 3 is asked for"),
        "{error}"
    );

    let again = Wish {
        replace: true,
        ..Wish::default()
    };
    let target = layout.existing_or_new(&again, &control).unwrap();
    assert_eq!((target.made.len(), target.status.silent().count()), (1, 0));
    assert_eq!(
        layout
            .existing(Access::default(), &control)
            .unwrap()
            .status
            .silent()
            .count(),
        0
    );
}

/// What a codec's name stands for by default may change, and a store stays what it is.
#[test]
fn a_store_keeps_its_code() {
    let folder = tempfile::tempdir().unwrap();
    let layout = Layout::In(folder.path().join("backup_x"));
    let (control, _) = Control::new();
    let said = |codec: &str, equations: Option<&str>| Wish {
        codec: (!codec.is_empty()).then(|| codec.to_owned()),
        equations: equations.map(str::to_owned),
        ..Wish::default()
    };
    let target = layout
        .existing_or_new(&said("xor:matland", None), &control)
        .unwrap();
    assert_eq!((target.spec.k, target.spec.n), (6, 10));
    put(&target, b"object", &control);
    drop(target); // it holds the hosts

    let matland = "3^5^6,2^4^6,1^4^5,1^2^3";
    for wish in [
        said("", None),
        said("xor", None),
        said("xor:matland", None),
        said("", Some("6^5^3, 2^4^6, 1^4^5, 1^2^3")),
    ] {
        let target = layout.existing_or_new(&wish, &control).unwrap();
        assert_eq!(target.code.params(), matland);
    }
    for (wish, texts) in [
        (
            said("rs", None),
            ["has codec xor 3^5^6,2", "and rs is asked"],
        ),
        (
            said("", Some("1^2^3,4^5^6,1^4,2^5")),
            ["has codec xor 3^5^6,2", "and xor 1^2^3,4^5^6,1^4,2^5 is"],
        ),
        (
            said("xor", Some("1^2^3,1,2,3")),
            ["data shard 4 is in no equation", "1^2^3,1,2,3"],
        ),
    ] {
        let error = layout.existing_or_new(&wish, &control).unwrap_err();
        let error = error.to_string();
        assert!(texts.iter().all(|text| error.contains(text)), "{error}");
    }
}

#[test]
fn as_many_hosts_are_named_as_there_are() {
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().join("backup_x");
    let (control, _) = Control::new();
    let target = Layout::In(place.clone())
        .existing_or_new(&Wish::default(), &control)
        .unwrap();

    // No share is there yet, nor the first host.
    fs::remove_dir_all(place.join("distdup0")).unwrap();
    let left = Layout::In(place.clone())
        .existing_or_empty(Access::default(), &control)
        .unwrap();
    let folders: Vec<_> = left.hosts.iter().map(|host| &host.folder).collect();
    assert_eq!(folders, [&place.join("distdup1"), &place.join("distdup2")]);

    let input = crate::input::ReaderInput(io::Cursor::new(b"data"));
    target
        .store()
        .put(b"object", Box::new(input), None, &control)
        .unwrap();
    drop(target);
    let hosts: Vec<NamedFolder> = (0..4)
        .map(|i| place.join(format!("distdup{i}")).into())
        .collect();
    let names = hosts.iter().map(|host| host.folder.clone().into());
    for layout in [
        Layout::named(names.collect()).unwrap(),
        Layout::Listed {
            profile: None,
            hosts,
        },
    ] {
        for error in [
            layout.existing(Access::default(), &control).unwrap_err(),
            layout
                .existing_or_new(&Wish::default(), &control)
                .unwrap_err(),
        ] {
            let text = error.to_string();
            assert!(text.contains("has 3 hosts, 4 are named"), "{text}");
            assert!(error.is_usage());
        }
    }
    assert!(HostsError::Count { n: 4, hosts: 3 }.is_usage());
}

#[test]
fn a_folder_with_something_in_it_is_not_made_a_host() {
    let folder = tempfile::tempdir().unwrap();
    let layout = Layout::In(folder.path().into());
    fs::create_dir(folder.path().join("distdup2")).unwrap();
    fs::write(folder.path().join("distdup2/letter"), "").unwrap();
    let (control, _) = Control::new();
    let error = layout
        .existing_or_new(&Wish::default(), &control)
        .unwrap_err();
    assert!(matches!(error, HostsError::InUse { .. }), "{error}");
    assert!(!folder.path().join("distdup0").exists());
}

fn put(target: &Target, name: &[u8], control: &Control) {
    let input = crate::input::ReaderInput(io::Cursor::new(b"data"));
    let store = target.store();
    store.put(name, Box::new(input), None, control).unwrap();
}

/// All that is in a folder, with its content.
fn tree(folder: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(tree(&path));
            found.push((path, Vec::new()));
        } else {
            let bytes = fs::read(&path).unwrap();
            found.push((path, bytes));
        }
    }
    found.sort();
    found
}

#[test]
fn no_host_is_made_anew_where_that_would_not_help() {
    for (n, k, lost, in_use) in [(3, 2, 2, false), (6, 4, 5, false), (3, 2, 1, true)] {
        let folder = tempfile::tempdir().unwrap();
        let layout = Layout::In(folder.path().into());
        let (control, _) = Control::new();
        let target = layout.existing_or_new(&wish(k, n), &control).unwrap();
        put(&target, b"object", &control);
        if !in_use {
            drop(target);
        }
        for host in 0..lost {
            fs::remove_dir_all(folder.path().join(format!("distdup{host}"))).unwrap();
        }
        let before = tree(folder.path());
        let again = Wish {
            replace: true,
            ..Wish::default()
        };
        let error = layout.existing_or_new(&again, &control).unwrap_err();
        assert_eq!(matches!(error, HostsError::Busy(_)), in_use, "{error}");
        assert!(tree(folder.path()) == before, "({k}, {n}): {error}");
    }
}

#[test]
fn to_try_changes_nothing_and_a_foreign_host_gets_no_lock() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let (control, _) = Control::new();
    for store in ["a", "b"] {
        let target = Layout::In(at(store)).existing_or_new(&Wish::default(), &control);
        put(&target.unwrap(), store.as_bytes(), &control);
    }
    // As it was made before stores had ids.
    for host in 0..3 {
        let stamp = at(&format!("a/distdup{host}/distdup-host"));
        let text = fs::read_to_string(&stamp).unwrap();
        let (old, _) = text.split_once("store ").unwrap();
        fs::write(&stamp, old).unwrap();
        fs::remove_file(stamp.with_file_name("distdup-lock")).unwrap();
    }
    let before = tree(folder.path());
    let layout = Layout::In(at("a"));
    layout.to_try(&wish(2, 3), &at("no"), &control).unwrap();
    let error = layout.to_try(&wish(2, 4), &at("no"), &control).unwrap_err();
    assert!(matches!(error, HostsError::Otherwise { .. }), "{error}");
    assert!(tree(folder.path()) == before);

    drop(layout.existing_or_new(&Wish::default(), &control).unwrap());
    fs::remove_file(at("b/distdup1/distdup-lock")).unwrap();
    let hosts = ["a/distdup0", "b/distdup1", "a/distdup2"];
    let mixed = Layout::named(hosts.map(|host| at(host).into()).into()).unwrap();
    let target = mixed.existing_or_new(&Wish::default(), &control).unwrap();
    assert_eq!(
        (target.status.silent().count(), target.is_surely_alone()),
        (1, true)
    );
    drop(target);
    fs::rename(at("a/distdup2"), at("away")).unwrap();
    let error = mixed
        .existing_or_new(&Wish::default(), &control)
        .unwrap_err();
    assert!(
        matches!(error, HostsError::Store(StoreError::DifferentStores { .. })),
        "{error}"
    );
    assert!(!at("b/distdup1/distdup-lock").exists());
}

#[test]
fn markers_stay_while_hosts_are_away_that_may_have_the_object() {
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().join("backup_x");
    let away = folder.path().join("away");
    fs::create_dir(&away).unwrap();
    let host = |i: usize| format!("distdup{i}");
    let move_hosts = |from: &Path, to: &Path| {
        for i in [3, 4] {
            fs::rename(from.join(host(i)), to.join(host(i))).unwrap();
        }
    };
    let (control, _) = Control::new();
    let found = Layout::In(place.clone());
    let target = found.existing_or_new(&wish(2, 5), &control).unwrap();
    put(&target, b"object", &control);
    drop(target);
    move_hosts(&place, &away);
    let target = found.existing_or_new(&wish(2, 5), &control).unwrap();
    let deleted = target.store().delete(b"object", &control).unwrap();
    assert!(!deleted.swept);
    drop(target);

    let named = Layout::Named((0..5).map(|i| place.join(host(i)).into()).collect());
    let clean_up = |layout: &Layout| {
        let target = layout
            .existing_or_empty(Access::default(), &control)
            .unwrap();
        let remains = target.store().find_remains(Duration::ZERO, &control);
        let remains = remains.unwrap();
        assert!(target.store().remove_remains(&remains).is_empty());
        remains
    };
    for (layout, silent) in [(&found, 0), (&named, 2)] {
        let remains = clean_up(layout);
        assert!(remains.keys.is_empty() && remains.markers.is_empty());
        assert_eq!(remains.silent.len(), silent);
    }
    move_hosts(&away, &place);
    let status = found.existing(Access::default(), &control).unwrap().status;
    assert_eq!(status.objects, []);
    assert_eq!(clean_up(&named).markers.len(), 3);
    assert!(matches!(
        found.existing(Access::default(), &control),
        Err(HostsError::Empty { .. })
    ));
}

#[test]
fn a_host_that_lost_its_stamp_alone_is_one_again_with_all_its_shares() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let (control, _) = Control::new();
    for store in ["a", "b"] {
        let layout = Layout::In(at(store));
        let target = layout.existing_or_new(&wish(4, 6), &control).unwrap();
        put(&target, b"object", &control);
    }
    let again = Wish {
        replace: true,
        ..Wish::default()
    };
    let layout = Layout::In(at("a"));
    let stamp = |host: usize| at(&format!("a/distdup{host}/distdup-host"));

    // One of another store, and one whose stamp may mean something: neither is touched, nor to be emptied.
    let mixed: Vec<_> = (0..6)
        .map(|host| {
            let store = if host == 5 { "b" } else { "a" };
            at(&format!("{store}/distdup{host}")).into()
        })
        .collect();
    let mixed = Layout::named(mixed).unwrap();
    let foreign = at("b/distdup5/distdup-host");
    let kept = fs::read(&foreign).unwrap();
    fs::remove_file(&foreign).unwrap();
    let later = fs::read(stamp(1)).unwrap();
    fs::write(stamp(1), "distdup host 2\n").unwrap();
    let before = tree(folder.path());
    for layout in [&mixed, &layout] {
        let error = layout.existing_or_new(&again, &control).unwrap_err();
        assert!(matches!(error, HostsError::Unstamped { .. }), "{error}");
        assert!(tree(folder.path()) == before, "{error}");
    }
    fs::write(foreign, kept).unwrap();
    fs::write(stamp(1), later).unwrap();

    let shares = |folder: &Path| {
        let mut files = tree(folder);
        files.retain(|(path, _)| path.extension().is_some_and(|end| end == "share"));
        files
    };
    let before = shares(&at("a"));
    for host in 3..6 {
        fs::remove_file(stamp(host)).unwrap();
    }
    let target = layout.existing_or_new(&again, &control).unwrap();
    assert_eq!((target.made.len(), target.status.silent().count()), (3, 0));
    let mut written = 0;
    let healed = target.store().heal_all(&control, |_, result| {
        written += result.as_ref().unwrap().written.len();
    });
    let healed = healed.unwrap();
    assert_eq!((written, &healed.settled[..]), (0, &[3, 4, 5][..]));
    assert!(shares(&at("a")) == before);
    drop(target);

    // Of all of them, nothing can be said: but they are not taken for empty.
    for host in 0..6 {
        fs::remove_file(stamp(host)).unwrap();
    }
    let before = tree(&at("a"));
    let error = layout.existing_or_new(&wish(4, 6), &control).unwrap_err();
    assert!(matches!(error, HostsError::Unstamped { .. }), "{error}");
    assert!(tree(&at("a")) == before);
}
