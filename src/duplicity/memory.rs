//! Where files can be in memory: a tmpfs that is there, or one made for a run; and how much of it a run
//! may take.

use std::env;
use std::fs;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::process;

use rustix::mount::{
    FsMountFlags, FsOpenFlags, MountAttrFlags, fsconfig_create, fsconfig_set_string, fsmount,
    fsopen,
};

/// Folders that are in memory, of those that systems have for it.
pub fn folders() -> impl Iterator<Item = PathBuf> {
    usual().filter(|path| is_in_memory(path))
}

/// Folders that systems have for it; whether they are is another matter.
pub fn usual() -> impl Iterator<Item = PathBuf> {
    env::var_os("XDG_RUNTIME_DIR")
        .map(PathBuf::from)
        .into_iter()
        .chain([PathBuf::from("/dev/shm")])
}

/// Whether it is on a tmpfs or ramfs.
#[allow(clippy::useless_conversion)] // The type differs by architecture.
pub fn is_in_memory(path: &Path) -> bool {
    const TMPFS: i64 = 0x0102_1994;
    const RAMFS: i64 = 0x8584_58f6;
    path.is_absolute()
        && rustix::fs::statfs(path).is_ok_and(|about| [TMPFS, RAMFS].contains(&about.f_type.into()))
}

/// A tmpfs that is mounted nowhere: it has a path for as long as this lives, and goes with the last
/// process that has it open, however that ends.
#[derive(Debug)]
pub struct Tmpfs(OwnedFd);

impl Tmpfs {
    /// Makes one of `size` bytes. Linux lets root do that, from 5.2 on.
    ///
    /// # Errors
    /// What the operating system says.
    pub fn create(size: u64) -> io::Result<Self> {
        let filesystem = fsopen("tmpfs", FsOpenFlags::FSOPEN_CLOEXEC)?;
        fsconfig_set_string(&filesystem, "size", size.to_string())?;
        fsconfig_set_string(&filesystem, "mode", "0700")?;
        fsconfig_create(&filesystem)?;
        let attributes = MountAttrFlags::MOUNT_ATTR_NOSUID | MountAttrFlags::MOUNT_ATTR_NODEV;
        let mount = fsmount(&filesystem, FsMountFlags::FSMOUNT_CLOEXEC, attributes)?;
        let tmpfs = Self(mount);
        fs::metadata(tmpfs.path())?; // without /proc it has no path
        Ok(tmpfs)
    }

    /// Its root, for every process.
    pub fn path(&self) -> PathBuf {
        format!("/proc/{}/fd/{}", process::id(), self.0.as_raw_fd()).into()
    }
}

/// Bytes of memory that can be had without anything being driven out, as the system and the control
/// groups that we are in say; `None` if they do not.
pub fn available() -> Option<u64> {
    let system = fs::read_to_string("/proc/meminfo")
        .ok()
        .and_then(|text| meminfo(&text));
    let groups = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    let group = left_in_groups(&groups, Path::new("/sys/fs/cgroup"));
    system.into_iter().chain(group).min()
}

fn meminfo(text: &str) -> Option<u64> {
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix("MemAvailable:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    kib.checked_mul(1024)
}

/// The least that is left in the groups of /proc/self/cgroup, or in one that they are in.
fn left_in_groups(groups: &str, root: &Path) -> Option<u64> {
    groups
        .lines()
        .filter_map(|line| {
            let mut fields = line.splitn(3, ':').skip(1);
            let (controllers, path) = (fields.next()?, fields.next()?);
            let (root, files) = if controllers.is_empty() {
                (root.to_owned(), ["memory.max", "memory.current"])
            } else if controllers.split(',').any(|name| name == "memory") {
                let files = ["memory.limit_in_bytes", "memory.usage_in_bytes"];
                (root.join("memory"), files)
            } else {
                return None;
            };
            // In a container the path may be that outside of it: what is not there is passed over.
            let below = Path::new(path.trim_start_matches('/'));
            below
                .ancestors()
                .filter_map(|group| left(&root.join(group), files))
                .min()
        })
        .min()
}

fn left(group: &Path, [limit, used]: [&str; 2]) -> Option<u64> {
    let number = |name: &str| -> Option<u64> {
        let text = fs::read_to_string(group.join(name)).ok()?;
        text.trim().parse().ok() // no limit is "max"
    };
    let statistics = fs::read_to_string(group.join("memory.stat")).unwrap_or_default();
    // Of files that were read; it is given back before anything fails.
    let cache = statistics
        .lines()
        .find_map(|line| line.strip_prefix("inactive_file ")?.parse().ok());
    let used = number(used)?.saturating_sub(cache.unwrap_or(0));
    Some(number(limit)?.saturating_sub(used))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_available_is_read() {
        let text = "MemTotal:  100 kB\nMemFree:  20 kB\nMemAvailable:     50 kB\n";
        assert_eq!(meminfo(text), Some(51_200));
        assert_eq!(meminfo("MemFree: 20 kB\n"), None);
        assert!(available().is_some_and(|bytes| bytes > 1 << 20));
    }

    #[test]
    fn the_tightest_group_counts() {
        let root = tempfile::tempdir().unwrap();
        let write = |group: &str, files: &[(&str, &str)]| {
            let folder = root.path().join(group);
            fs::create_dir_all(&folder).unwrap();
            for (name, text) in files {
                fs::write(folder.join(name), text).unwrap();
            }
        };
        write("a/b", &[("memory.max", "max\n"), ("memory.current", "7\n")]);
        write("a", &[("memory.max", "900\n"), ("memory.current", "300\n")]);
        write("a", &[("memory.stat", "anon 9\ninactive_file 100\n")]);
        assert_eq!(left_in_groups("0::/a/b\n", root.path()), Some(700));
        assert_eq!(left_in_groups("0::/elsewhere\n", root.path()), None);
        let old = [
            ("memory.limit_in_bytes", "500"),
            ("memory.usage_in_bytes", "600"),
        ];
        write("memory/c", &old);
        assert_eq!(
            left_in_groups("8:cpu:/c\n4:memory:/c\n0::/a\n", root.path()),
            Some(0)
        );
    }

    #[test]
    fn a_tmpfs_of_our_own_has_a_path_and_a_size() {
        let Ok(tmpfs) = Tmpfs::create(1 << 20) else {
            println!("skipped: only root can make a tmpfs");
            return;
        };
        let path = tmpfs.path();
        assert!(is_in_memory(&path));
        fs::write(path.join("file"), [1; 1000]).unwrap();
        let error = fs::write(path.join("more"), vec![1; 2 << 20]).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::StorageFull);
        drop(tmpfs);
        assert!(!path.join("file").exists());
    }
}
