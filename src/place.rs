//! Which files a name leads to, to tell whether two names are one.

use std::fs::{self, File, Metadata};
use std::io;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{self, Path, PathBuf};

/// What is read or written under a name: every file by its full path, and by device and inode.
///
/// Devices are nowhere: `/dev/null` may be written to twice.
#[derive(Debug, Clone, Default)]
pub struct Place {
    names: Vec<PathBuf>,
    files: Vec<(u64, u64)>,
}

impl Place {
    /// The place of `path`, whether there is something or not.
    pub fn of(path: &Path) -> Self {
        let mut place = Self::default();
        match fs::metadata(path) {
            Ok(metadata) if !place.add_file(&metadata) => {}
            _ => place.names.push(full(path)),
        }
        place
    }

    /// The place of an open file.
    ///
    /// # Errors
    /// The system cannot tell.
    pub fn of_open(file: &File) -> io::Result<Self> {
        let mut place = Self::default();
        place.add_file(&file.metadata()?);
        Ok(place)
    }

    /// Makes all of `other` a part of this place.
    pub fn include(&mut self, other: Self) {
        self.names.extend(other.names);
        self.files.extend(other.files);
    }

    /// Whether the two have a file in common, under whatever name.
    pub fn meets(&self, other: &Self) -> bool {
        self.names.iter().any(|name| other.names.contains(name))
            || self.files.iter().any(|file| other.files.contains(file))
    }

    /// Whether it is one that counts: a device does not.
    fn add_file(&mut self, metadata: &Metadata) -> bool {
        let counts = !metadata.file_type().is_char_device();
        if counts {
            self.files.push((metadata.dev(), metadata.ino()));
        }
        counts
    }
}

/// The one full path of `path`, which need not exist; links in its folder are followed.
fn full(path: &Path) -> PathBuf {
    let folder = match path.parent() {
        Some(folder) if folder != Path::new("") => folder,
        _ => Path::new("."),
    };
    match (fs::canonicalize(folder), path.file_name()) {
        (Ok(folder), Some(name)) => folder.join(name),
        _ => path::absolute(path).unwrap_or_else(|_| path.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn a_file_is_known_by_all_its_names() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        fs::create_dir(at("d")).unwrap();
        fs::write(at("a"), "").unwrap();
        fs::write(at("b"), "").unwrap();
        fs::hard_link(at("a"), at("hard")).unwrap();
        symlink(at("a"), at("soft")).unwrap();
        symlink(at("d"), at("e")).unwrap();

        let a = Place::of(&at("a"));
        for same in ["a", "hard", "soft", "d/../a", "./a"] {
            assert!(a.meets(&Place::of(&at(same))), "{same}");
        }
        assert!(a.meets(&Place::of_open(&File::open(at("hard")).unwrap()).unwrap()));
        assert!(!a.meets(&Place::of(&at("b"))));

        let missing = Place::of(&at("d/new"));
        assert!(missing.meets(&Place::of(&at("e/new"))));
        assert!(missing.meets(&Place::of(&at("e/../d/new"))));
        assert!(!missing.meets(&Place::of(&at("d/other"))));
        assert!(Place::of(Path::new("new")).meets(&Place::of(Path::new("./new"))));
    }

    #[test]
    fn devices_may_be_shared() {
        let null = Path::new("/dev/null");
        assert!(!Place::of(null).meets(&Place::of(null)));
    }
}
