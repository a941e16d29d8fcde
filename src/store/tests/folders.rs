//! The store over real folders.

use std::fs;
use std::path::PathBuf;

use super::*;

struct Folders {
    _dir: tempfile::TempDir,
    paths: Vec<PathBuf>,
}

impl Folders {
    fn new(n: usize) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let paths: Vec<_> = (0..n)
            .map(|i| dir.path().join(format!("distdup{i}")))
            .collect();
        for path in &paths {
            FolderHost::create(path, Origin::NewStore).unwrap();
        }
        Self { _dir: dir, paths }
    }

    fn store(&self, codec: &str, k: usize) -> Store {
        let hosts = self
            .paths
            .iter()
            .map(|path| Arc::new(FolderHost::new(path)) as Arc<dyn Host>)
            .collect();
        Store::new(hosts, options(codec, k, self.paths.len())).unwrap()
    }

    /// Names of files but the stamp.
    fn files(&self, host: usize) -> Vec<String> {
        let mut names: Vec<_> = fs::read_dir(&self.paths[host])
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .filter(|name| name != "distdup-host")
            .collect();
        names.sort_unstable();
        names
    }
}

#[test]
fn any_one_folder_of_three_may_be_lost_renamed_or_moved() {
    for codec in ["rs16", "xor"] {
        let mut folders = Folders::new(3);
        put(&folders.store(codec, 2), NAME, &text(100_000)).unwrap();
        assert!((0..3).all(|host| folders.files(host).len() == 1));
        for lost in 0..3 {
            let away = folders.paths[lost].with_extension("away");
            fs::rename(&folders.paths[lost], &away).unwrap();
            let store = folders.store(codec, 2);
            assert_eq!(get(&store, NAME).unwrap(), text(100_000));
            let list = store.list(&control()).unwrap();
            assert!(matches!(
                list.objects.as_slice(),
                [ObjectEntry {
                    state: ObjectState::Readable {
                        shares: 2,
                        n: 3,
                        ..
                    },
                    ..
                }]
            ));
            assert!(matches!(list.silent.as_slice(), [HostError::Down { .. }]));
            assert!(
                !folders.paths[lost].exists(),
                "a missing host is not made anew"
            );
            folders.paths[lost] = away;
        }
        folders.paths.reverse();
        assert_eq!(get(&folders.store(codec, 2), NAME).unwrap(), text(100_000));
    }
}

#[test]
fn an_unmounted_disk_is_a_host_that_is_down() {
    let folders = Folders::new(3);
    let store = folders.store("rs16", 2);
    put(&store, NAME, b"before").unwrap();
    fs::rename(
        &folders.paths[1],
        folders.paths[1].with_extension("elsewhere"),
    )
    .unwrap();
    fs::create_dir(&folders.paths[1]).unwrap();
    let report = put(&store, NAME, b"after").unwrap();
    assert!(matches!(
        report.hosts[1].failure,
        Some(HostFailure::Host(HostError::NotAHost { .. }))
    ));
    assert_eq!(fs::read_dir(&folders.paths[1]).unwrap().count(), 0);
    // It is back, a generation behind.
    fs::remove_dir(&folders.paths[1]).unwrap();
    fs::rename(
        folders.paths[1].with_extension("elsewhere"),
        &folders.paths[1],
    )
    .unwrap();
    assert_eq!(get(&store, NAME).unwrap(), b"after");
    put(&store, NAME, b"again").unwrap();
    assert!((0..3).all(|host| folders.files(host).len() == 1));
}

#[test]
fn what_killed_writers_left_is_no_share() {
    let folders = Folders::new(3);
    let store = folders.store("rs16", 2);
    put(&store, NAME, b"x").unwrap();
    let [share] = folders.files(0).try_into().unwrap();
    let left = share.replace('x', "").replacen("vol1", "vol2", 1);
    fs::write(folders.paths[0].join(format!("{left}.partial")), b"half").unwrap();
    fs::write(folders.paths[0].join("README.txt"), b"not ours").unwrap();
    let list = store.list(&control()).unwrap();
    assert_eq!(list.objects.len(), 1);
    assert_eq!(
        list.strangers,
        [(
            folders.paths[0].display().to_string(),
            "README.txt".to_owned()
        )]
    );
    let leftovers = store.hosts().next().unwrap().leftovers().unwrap();
    assert_eq!(leftovers.len(), 1);
    assert!(!leftovers[0].in_use);
    let hour = store
        .find_remains(Duration::from_secs(3600), &control())
        .unwrap();
    assert!(hour.leftovers.is_empty(), "it may still be written to");
    let remains = store.find_remains(Duration::ZERO, &control()).unwrap();
    assert_eq!(remains.leftovers.len(), 1);
    assert!(store.remove_remains(&remains).is_empty());
    assert_eq!(store.hosts().next().unwrap().leftovers().unwrap(), []);
    assert_eq!(folders.files(0).len(), 2);
}

#[test]
fn a_host_that_cannot_look_for_leftovers_is_told() {
    let folders = Folders::new(3);
    let store = folders.store("rs16", 2);
    put(&store, NAME, b"x").unwrap();
    let [share] = folders.files(0).try_into().unwrap();
    let part = share.replacen("vol1", "vol2", 1) + ".partial";
    fs::write(folders.paths[1].join(&part), b"half").unwrap();
    // One that leads to itself, and cannot be opened even by root.
    std::os::unix::fs::symlink(&part, folders.paths[0].join(&part)).unwrap();
    let remains = store.find_remains(Duration::ZERO, &control()).unwrap();
    assert!(
        matches!(&*remains.silent, [HostError::Failed { host, .. }] if *host == folders.paths[0].display().to_string()),
        "{remains:?}"
    );
    assert_eq!(remains.leftovers.len(), 1, "{remains:?}");
}

#[test]
fn the_smallest_and_the_longest_names_are_stored() {
    let folders = Folders::new(3);
    let store = folders.store("rs16", 2);
    let longest = vec![b'n'; key::MAX_ESCAPED];
    for name in [
        &b"."[..],
        b"..",
        b"\0",
        b"/",
        b"-",
        b"~",
        b"\xff\xfe",
        &longest,
    ] {
        put(&store, name, name).unwrap();
    }
    assert_eq!(names(&store).len(), 8);
    for name in names(&store) {
        assert_eq!(get(&store, &name).unwrap(), name);
    }
    for name in [&b""[..], &[b'n'; key::MAX_ESCAPED + 1]] {
        assert!(matches!(put(&store, name, b""), Err(StoreError::Name(_))));
        assert!(matches!(get(&store, name), Err(StoreError::Name(_))));
    }
}

#[test]
fn a_marker_on_a_host_says_what_it_is() {
    let folders = Folders::new(3);
    let store = folders.store("rs16", 2);
    put(&store, NAME, b"x").unwrap();
    fs::rename(&folders.paths[2], folders.paths[2].with_extension("away")).unwrap();
    let report = store.delete(NAME, &control()).unwrap();
    assert!(!report.swept && report.is_degraded());
    let [file] = folders.files(0).try_into().unwrap();
    let found = marker::Marker::decode(&fs::read(folders.paths[0].join(&file)).unwrap()).unwrap();
    assert_eq!(found.key.to_string(), file);
    assert_eq!(
        (found.key.name(), found.key.version()),
        (NAME, report.version)
    );
}
