//! What every kind of host must do; each kind runs it in its tests.

use std::io::{self, Read, SeekFrom, Write};

use super::host::{Host, HostError};
use super::key::{Key, Kind, Shape, Version};
use crate::sink::SinkWriter;

/// A key like those of the store; `number` tells them apart.
pub fn key(name: &[u8], number: u64) -> Key {
    let version = Version {
        generation: number,
        id: [u8::try_from(number % 251).unwrap(); 16],
    };
    let shape = Shape {
        k: 2,
        n: 3,
        min_shares: 2,
    };
    Key::new(name, version, Kind::Share { index: 1, shape }).unwrap()
}

pub fn open(host: &dyn Host, key: &Key) -> io::Result<Box<dyn SinkWriter>> {
    host.sink(key).open()
}

pub fn write(host: &dyn Host, key: &Key, bytes: &[u8]) -> io::Result<()> {
    let mut writer = open(host, key)?;
    writer.write_all(bytes)?;
    writer.finish()
}

pub fn read(host: &dyn Host, key: &Key) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    host.source(key).open()?.read_to_end(&mut bytes)?;
    Ok(bytes)
}

pub fn keys(host: &dyn Host, prefix: &str) -> Vec<String> {
    let mut keys = host.list(prefix).unwrap().keys;
    keys.sort_unstable();
    keys
}

/// Runs the suite over an empty host.
pub fn suite(host: &dyn Host) {
    let (a, b, other) = (key(b"a", 1), key(b"a", 2), key(b"ab", 3));
    assert_eq!(keys(host, ""), [""; 0], "a new host is empty");

    // What is written counts when it is finished, and not before.
    let mut writer = open(host, &a).unwrap();
    writer.write_all(b"one ").unwrap();
    assert_eq!(keys(host, ""), [""; 0]);
    assert_eq!(read(host, &a).unwrap_err().kind(), io::ErrorKind::NotFound);
    let leftovers = host.leftovers().unwrap();
    assert!(
        leftovers.iter().all(|leftover| leftover.key == a),
        "{leftovers:?}"
    );
    writer.write_all(b"share").unwrap();
    writer.finish().unwrap();
    assert_eq!(keys(host, ""), [a.to_string()]);
    assert_eq!(read(host, &a).unwrap(), b"one share");
    assert_eq!(host.leftovers().unwrap(), []);

    // Once written, a key is never written over.
    let again = write(host, &a, b"another").unwrap_err();
    assert_eq!(again.kind(), io::ErrorKind::AlreadyExists);
    assert_eq!(read(host, &a).unwrap(), b"one share");
    assert_eq!(
        host.leftovers().unwrap(),
        [],
        "the refused writer leaves nothing"
    );

    // But a damaged share is replaced: by the whole of another, or not at all.
    let mut replacement = host.replacement(&a).open().unwrap();
    replacement.write_all(b"the same").unwrap();
    assert_eq!(read(host, &a).unwrap(), b"one share");
    drop(replacement);
    assert_eq!(read(host, &a).unwrap(), b"one share");
    let mut replacement = host.replacement(&a).open().unwrap();
    replacement.write_all(b"one whole share").unwrap();
    replacement.finish().unwrap();
    assert_eq!(read(host, &a).unwrap(), b"one whole share");
    assert_eq!(keys(host, ""), [a.to_string()]);

    // Two writers of one key: only one of them may have it.
    let first = open(host, &b).unwrap();
    if let Ok(second) = open(host, &b) {
        assert!(first.finish().is_ok() != second.finish().is_ok());
    } else {
        first.finish().unwrap();
    }
    assert_eq!(read(host, &b).unwrap(), b"");

    // An abandoned writer leaves nothing.
    let mut abandoned = open(host, &other).unwrap();
    abandoned.write_all(b"half").unwrap();
    drop(abandoned);
    assert_eq!(host.leftovers().unwrap(), []);

    // Prefixes.
    write(host, &other, &vec![7; 100_000]).unwrap();
    let mut both = [a.to_string(), b.to_string()];
    both.sort_unstable();
    assert_eq!(keys(host, &Key::prefix(b"a").unwrap()), both);
    assert_eq!(
        keys(host, &Key::prefix(b"ab").unwrap()),
        [other.to_string()]
    );
    assert_eq!(keys(host, "b"), [""; 0]);

    // Ranged reads, where the host has them.
    let mut reader = host.source(&other).open().unwrap();
    if let Some(seek) = reader.seekable() {
        assert_eq!(seek.seek(SeekFrom::End(-64)).unwrap(), 99_936);
        let mut tail = Vec::new();
        reader.read_to_end(&mut tail).unwrap();
        assert_eq!(tail, [7; 64]);
    }

    // Deletion.
    host.delete(&a).unwrap();
    assert!(matches!(host.delete(&a), Err(HostError::NoSuchKey { .. })));
    assert_eq!(read(host, &a).unwrap_err().kind(), io::ErrorKind::NotFound);
    assert_eq!(keys(host, &Key::prefix(b"a").unwrap()), [b.to_string()]);

    // Any name.
    let odd = key(b"../\0\xff~%2F .-", 4);
    write(host, &odd, b"odd").unwrap();
    assert_eq!(read(host, &odd).unwrap(), b"odd");
    assert!(keys(host, "").contains(&odd.to_string()));

    // The host stays who it is.
    let stamp = host.list("").unwrap().stamp;
    assert_eq!(host.list("x").unwrap().stamp, stamp);
    host.settle().unwrap();
    let settled = host.list("").unwrap().stamp;
    assert_eq!((settled.id, settled.since), (stamp.id, 0));
    assert_eq!(settled.store, None);
    host.join([7; 16]).unwrap();
    let joined = host.list("").unwrap().stamp;
    assert_eq!((joined.id, joined.store), (stamp.id, Some([7; 16])));
    host.settle().unwrap();
    assert_eq!(host.list("").unwrap().stamp, joined);
}
