//! What the objects of a backup tell of it by their names and lengths.

use std::collections::{BTreeMap, BTreeSet};

use memchr::memmem;

use crate::control::Control;
use crate::store::{List, Store, StoreError};

/// What a run of Duplicity on this backup may need room for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Stored {
    /// Bytes of the largest volume, by one of each backup's.
    pub volume: u64,
    /// Backups that the longest chain has: a full one, and its increments.
    pub chain: u64,
    /// Bytes that the signatures and manifests of a chain come to at most, in Duplicity's archive.
    pub metadata: u64,
    /// Bytes of the largest of them.
    pub largest: u64,
}

/// A full backup, and its increments.
#[derive(Debug, Default, PartialEq, Eq)]
struct Chain<'a> {
    /// A volume of each backup.
    volumes: Vec<&'a [u8]>,
    metadata: Vec<&'a [u8]>,
}

impl Stored {
    /// Of all that the store holds.
    ///
    /// # Errors
    /// Too few hosts answer.
    pub fn of(store: &Store, control: &Control) -> Result<Self, StoreError> {
        let List { objects, .. } = store.list(control)?;
        let mut stored = Self::default();
        for chain in chains(objects.iter().map(|object| object.name.as_slice())) {
            // Of what cannot be read now, Duplicity will tell.
            let length = |name: &&[u8]| store.query(name, control).ok().flatten().unwrap_or(0);
            let volume = chain.volumes.iter().map(length).max().unwrap_or(0);
            let metadata: Vec<u64> = chain
                .metadata
                .iter()
                .map(|name| length(name) * growth(name))
                .collect();
            stored = Self {
                volume: stored.volume.max(volume),
                chain: stored.chain.max(chain.volumes.len() as u64),
                metadata: stored.metadata.max(metadata.iter().sum()),
                largest: stored.largest.max(metadata.into_iter().max().unwrap_or(0)),
            };
        }
        Ok(stored)
    }
}

/// Whether an object is a volume of a backup, by its name.
pub fn is_volume(name: &[u8]) -> bool {
    let own = own_name(name).unwrap_or_default();
    own.split(|&byte| byte == b'.').any(|part| {
        let number = part.strip_prefix(b"vol").unwrap_or_default();
        !number.is_empty() && number.iter().all(u8::is_ascii_digit)
    })
}

/// The backups of which these are volumes and whose manifest, which Duplicity stores last, is not among
/// the `stored`: they did not end. Each as its objects' names begin, `duplicity-full.TIME`.
pub fn unfinished<'a>(
    volumes: impl Iterator<Item = &'a [u8]>,
    stored: impl Iterator<Item = &'a [u8]>,
) -> BTreeSet<&'a [u8]> {
    let mut backups: BTreeSet<_> = volumes
        .filter_map(|name| backup_of(name, b".vol"))
        .collect();
    for ended in stored.filter_map(|name| backup_of(name, b".manifest")) {
        backups.remove(ended);
    }
    backups
}

fn backup_of<'a>(name: &'a [u8], what: &[u8]) -> Option<&'a [u8]> {
    let own = own_name(name)?;
    own.get(..memmem::find(own, what)?)
}

/// What Duplicity calls it, without what a user had put before that (`--file-prefix-manifest`): whatever
/// it likes, and for manifests not the same as for volumes. Duplicity says its own name but once.
fn own_name(name: &[u8]) -> Option<&[u8]> {
    name.get(memmem::rfind(name, b"duplicity-")?..)
}

/// How many times as large as in the store something may be in the archive, where signatures are
/// compressed, too, but manifests are not.
fn growth(name: &[u8]) -> u64 {
    if backup_of(name, b".manifest").is_some() {
        4
    } else {
        1
    }
}

/// Sorts Duplicity's names into chains, by the times in them:
/// `duplicity-full.TIME.vol1.difftar.gpg`, `duplicity-inc.TIME.to.TIME.manifest.gpg`,
/// `duplicity-full-signatures.TIME.sigtar.gpg`, `duplicity-new-signatures.TIME.to.TIME.sigtar.gpg`.
fn chains<'a>(names: impl Iterator<Item = &'a [u8]>) -> Vec<Chain<'a>> {
    let mut backups: BTreeMap<(&[u8], bool), Chain<'a>> = BTreeMap::new();
    for name in names {
        let mut parts = own_name(name)
            .unwrap_or_default()
            .split(|&byte| byte == b'.');
        let Some(kind) = parts.next() else { continue };
        let full = kind == b"duplicity-full" || kind == b"duplicity-full-signatures";
        let mut parts = parts.skip(if full { 0 } else { 2 });
        let (Some(time), Some(what)) = (parts.next(), parts.next()) else {
            continue;
        };
        let backup = backups.entry((time, !full)).or_default();
        if what.starts_with(b"vol") {
            // The last volume may be a short one, and the first is that only if it is the last.
            if what == b"vol1" || backup.volumes.is_empty() {
                backup.volumes = vec![name];
            }
        } else {
            backup.metadata.push(name);
        }
    }
    let mut chains: Vec<Chain<'a>> = Vec::new();
    for ((_, increment), backup) in backups {
        match chains.last_mut() {
            Some(chain) if increment => {
                chain.volumes.extend(backup.volumes);
                chain.metadata.extend(backup.metadata);
            }
            _ => chains.push(backup),
        }
    }
    chains
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_sorted_into_chains() {
        let names = [
            "duplicity-full-signatures.20260101T000000Z.sigtar.gpg",
            "duplicity-full-signatures.20260201T000000Z.sigtar.gpg",
            "duplicity-full.20260101T000000Z.manifest.gpg",
            "duplicity-full.20260101T000000Z.vol10.difftar.gpg",
            "duplicity-full.20260101T000000Z.vol1.difftar.gpg",
            "duplicity-full.20260101T000000Z.vol2.difftar.gpg",
            "duplicity-full.20260201T000000Z.vol1.difftar.gpg",
            "duplicity-inc.20260101T000000Z.to.20260102T000000Z.manifest.gpg",
            "duplicity-inc.20260101T000000Z.to.20260102T000000Z.vol1.difftar.gpg",
            "duplicity-new-signatures.20260101T000000Z.to.20260102T000000Z.sigtar.gpg",
            "something else",
        ];
        let found = chains(names.iter().map(|name| name.as_bytes()));
        let counts: Vec<_> = found
            .iter()
            .map(|chain| (chain.volumes.len(), chain.metadata.len()))
            .collect();
        assert_eq!(counts, [(2, 4), (1, 1)]);
        assert_eq!(found[0].volumes[0], names[4].as_bytes());
        let volumes = names.iter().filter(|name| is_volume(name.as_bytes()));
        assert_eq!(volumes.count(), 5);

        // Whatever a user has put before them.
        let own = &names[..10];
        let prefixed = own
            .iter()
            .map(|name| format!("duplicity-manifest.vol1.{name}"));
        let prefixed: Vec<_> = prefixed.collect();
        let again = chains(prefixed.iter().map(String::as_bytes));
        let again = again
            .iter()
            .map(|chain| (chain.volumes.len(), chain.metadata.len()));
        assert_eq!(again.collect::<Vec<_>>(), counts);
        let volumes = prefixed.iter().filter(|name| is_volume(name.as_bytes()));
        assert_eq!(volumes.count(), 5);
        let grown = prefixed.iter().filter(|name| growth(name.as_bytes()) > 1);
        assert_eq!(grown.count(), 2);
    }

    #[test]
    fn a_backup_without_its_manifest_did_not_end() {
        let volumes = [
            "duplicity-full.20260101T000000Z.vol1.difftar.gpg",
            "duplicity-inc.20260101T000000Z.to.20260102T000000Z.vol1.difftar.gpg",
            "duplicity-inc.20260101T000000Z.to.20260102T000000Z.vol2.difftar.gpg",
            "oddly prefixed.vol1.difftar",
        ];
        let stored = [
            "duplicity-full-signatures.20260101T000000Z.sigtar.gpg",
            "with a prefix-duplicity-full.20260101T000000Z.manifest.gpg",
        ];
        let all = stored.iter().chain(&volumes).map(|name| name.as_bytes());
        let found = unfinished(volumes.iter().map(|name| name.as_bytes()), all);
        let inc: &[u8] = b"duplicity-inc.20260101T000000Z.to.20260102T000000Z";
        assert_eq!(found.into_iter().collect::<Vec<_>>(), [inc]);
    }

    #[test]
    fn prefixes_are_no_part_of_a_backups_name() {
        const FULL: &str = "duplicity-full.20260101T000000Z";
        for prefix in [
            "",
            "duplicity-",
            "a.vol1.b-",
            "x.manifest",
            "duplicity-full.vol.",
        ] {
            let volume = format!("{prefix}arch-{FULL}.vol1.difftar.gz");
            let manifest = format!("{prefix}mani-{FULL}.manifest");
            let volumes = || [volume.as_bytes()].into_iter();
            let killed: Vec<_> = unfinished(volumes(), volumes()).into_iter().collect();
            assert_eq!(killed, [FULL.as_bytes()], "{prefix}");
            let ended = unfinished(volumes(), volumes().chain([manifest.as_bytes()]));
            assert!(ended.is_empty(), "{prefix}");
        }
    }
}
