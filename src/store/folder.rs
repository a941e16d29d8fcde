//! A folder as a host: one file for each key.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rustix::fs::{Dir, FlockOperation, Mode, OFlags, openat};
use rustix::io::Errno;

use super::ask::{Member, ask};
use super::host::{Host, HostError, Leftover, Listing, Stamp, StoreId};
use super::key::Key;
use super::lock::LOCK;
use crate::quote::quote;
use crate::sink::file::{FileSink, sync_folder};
use crate::sink::{Options, Sink, SinkWriter};
use crate::source::Source;
use crate::source::file::FileSource;

/// The file that makes a folder a host. An empty mount point, whose disk is elsewhere, has none.
pub(crate) const STAMP: &str = "distdup-host";
/// What [`FileSink`] adds to the name of a file until it is whole.
const PARTIAL: &str = ".partial";
const WRITE_ONCE: Options = Options {
    force: false,
    sync: true,
};

const REPLACE: Options = Options {
    force: true,
    sync: true,
};

/// A folder that was made a host by [`FolderHost::create`]. A share is the file named by its key; while
/// it is being written it is `KEY.partial`, locked by its writer.
#[derive(Debug, Clone)]
pub struct FolderHost {
    path: PathBuf,
    name: Option<String>,
}

/// What a new host can be asked about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// The store is new: what this host does not have, it was never given.
    NewStore,
    /// The store is older, and this host takes the place of a lost one: of what was stored before
    /// now it knows nothing.
    Replacement,
}

impl FolderHost {
    /// The host at `path`. Whether there is one shows when it is used.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self {
            path: path.into(),
            name: None,
        }
    }

    /// The same, called `name` in messages instead of by its path.
    #[must_use]
    pub fn called(self, name: Option<String>) -> Self {
        Self { name, ..self }
    }

    /// Makes `path` a host: the folder, its parents if need be, and its stamp. A folder that exists may
    /// have something in it, shares of a host that lost its stamp above all.
    ///
    /// # Errors
    /// [`HostError::Failed`], with [`io::ErrorKind::AlreadyExists`] where it is a host already.
    pub fn create(path: impl Into<PathBuf>, origin: Origin) -> Result<Self, HostError> {
        let host = Self::new(path);
        host.make(origin)
            .map_err(|source| host.failed("create", source))?;
        Ok(host)
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    fn make(&self, origin: Origin) -> io::Result<()> {
        fs::create_dir_all(&self.path)?;
        let mut id = [0; 16];
        getrandom::fill(&mut id).map_err(io::Error::other)?;
        let since = match origin {
            Origin::NewStore => 0,
            Origin::Replacement => SystemTime::now()
                .duration_since(UNIX_EPOCH)
                .ok()
                .and_then(|now| u64::try_from(now.as_nanos()).ok())
                .unwrap_or(u64::MAX),
        };
        let store = None; // It joins when it is there.
        self.write_stamp(Stamp { id, since, store }, WRITE_ONCE)?;
        // The folder's own name is durable once its parent is.
        match self.path.canonicalize()?.parent().map(sync_folder) {
            // One that we may pass through and not open, such as /home, did not get its name from us.
            Some(Err(error)) if error.kind() != io::ErrorKind::PermissionDenied => Err(error),
            _ => Ok(()),
        }
    }

    fn write_stamp(&self, stamp: Stamp, options: Options) -> io::Result<()> {
        let mut writer = Box::new(FileSink::new(self.path.join(STAMP), options)?).open()?;
        writer.write_all(render_stamp(stamp).as_bytes())?;
        writer.finish()
    }

    fn restamp(&self, change: impl FnOnce(Stamp) -> Stamp) -> Result<(), HostError> {
        let stamp = change(self.stamp()?);
        self.write_stamp(stamp, REPLACE)
            .map_err(|source| self.failed("write the stamp of", source))
    }

    /// The folder itself, whatever is mounted over it or unmounted from under it meanwhile.
    fn folder(&self) -> Result<File, HostError> {
        OpenOptions::new()
            .read(true)
            .custom_flags(OFlags::DIRECTORY.bits().cast_signed())
            .open(&self.path)
            .map_err(|source| self.down(source))
    }

    /// Who these hosts are, all asked at once; one that does not answer within `patience`
    /// is [`HostError::Hung`].
    pub fn stamps(hosts: &[Self], patience: Duration) -> Vec<Result<Stamp, HostError>> {
        let tasks = hosts.iter().map(|host| {
            let host = host.clone();
            let member = Member::new(Arc::new(host.clone()));
            (member, move |_: &dyn Host| host.stamp())
        });
        let said = ask(tasks, "say who it is", patience, None);
        said.unwrap_or_default() // nobody can have it stopped
    }

    pub(super) fn stamp(&self) -> Result<Stamp, HostError> {
        self.stamp_in(&self.folder()?)
    }

    fn stamp_in(&self, folder: &File) -> Result<Stamp, HostError> {
        let not_a_host = || HostError::NotAHost {
            host: self.name(),
            stamp: STAMP,
        };
        let mut text = String::new();
        let read = openat(
            folder,
            STAMP,
            OFlags::RDONLY | OFlags::CLOEXEC,
            Mode::empty(),
        )
        .map_err(io::Error::from)
        .and_then(|stamp| File::from(stamp).read_to_string(&mut text));
        match read {
            Ok(_) => parse_stamp(&text).ok_or_else(not_a_host),
            Err(error) if error.kind() == io::ErrorKind::InvalidData => Err(not_a_host()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Err(not_a_host()),
            Err(source) => Err(self.down(source)),
        }
    }

    /// Who the host is, and the names of all files, in any order, but those that are not UTF-8: no key
    /// is not. Both of the same folder: a disk that is unmounted in between must not leave the stamp
    /// of a host and the names of an empty mount point.
    fn look(&self) -> Result<(Stamp, Vec<String>), HostError> {
        let folder = self.folder()?;
        let stamp = self.stamp_in(&folder)?;
        let failed = |error: Errno| self.failed("list", error.into());
        let mut names = Vec::new();
        for entry in Dir::read_from(&folder).map_err(failed)? {
            let name = entry.map_err(failed)?.file_name().to_owned();
            names.extend(name.into_string().ok());
        }
        Ok((stamp, names))
    }

    fn remove(&self, file: &str) -> Result<(), HostError> {
        match fs::remove_file(self.path.join(file)) {
            Ok(()) => sync_folder(&self.path).map_err(|source| self.failed("delete", source)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                self.stamp()?;
                Err(HostError::NoSuchKey {
                    host: self.name(),
                    key: file.to_owned(),
                })
            }
            Err(source) => Err(self.failed("delete", source)),
        }
    }

    fn down(&self, source: io::Error) -> HostError {
        HostError::Down {
            host: self.name(),
            source,
        }
    }

    fn failed(&self, action: &'static str, source: io::Error) -> HostError {
        HostError::Failed {
            host: self.name(),
            action,
            source,
        }
    }
}

impl Host for FolderHost {
    fn name(&self) -> String {
        match &self.name {
            Some(name) => quote(name),
            None => quote(self.path.as_os_str().as_encoded_bytes()),
        }
    }

    fn list(&self, prefix: &str) -> Result<Listing, HostError> {
        let (stamp, mut keys) = self.look()?;
        keys.retain(|name| {
            name.starts_with(prefix)
                && name != STAMP
                && name != LOCK
                && !name.ends_with(PARTIAL)
                && !name.starts_with('.')
        });
        Ok(Listing { stamp, keys })
    }

    fn sink(&self, key: &Key) -> Box<dyn Sink> {
        Box::new(FolderSink {
            host: self.clone(),
            key: key.to_string(),
            options: WRITE_ONCE,
        })
    }

    fn replacement(&self, key: &Key) -> Box<dyn Sink> {
        Box::new(FolderSink {
            host: self.clone(),
            key: key.to_string(),
            options: REPLACE,
        })
    }

    fn source(&self, key: &Key) -> Box<dyn Source> {
        Box::new(FileSource::new(self.path.join(key.to_string())))
    }

    fn delete(&self, key: &Key) -> Result<(), HostError> {
        self.remove(&key.to_string())
    }

    fn settle(&self) -> Result<(), HostError> {
        self.restamp(|stamp| Stamp { since: 0, ..stamp })
    }

    fn join(&self, store: StoreId) -> Result<(), HostError> {
        let store = Some(store);
        self.restamp(|stamp| Stamp { store, ..stamp })
    }

    fn leftovers(&self) -> Result<Vec<Leftover>, HostError> {
        let mut leftovers = Vec::new();
        for name in self.look()?.1 {
            let Some(key) = parse_part(&name) else {
                continue;
            };
            match look_at_part(&self.path.join(&name), key) {
                Ok(leftover) => leftovers.push(leftover),
                // Finished or removed since it was listed.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(source) => return Err(self.failed("look at leftovers", source)),
            }
        }
        Ok(leftovers)
    }

    fn delete_leftover(&self, leftover: &Leftover) -> Result<(), HostError> {
        self.remove(&part_name(&leftover.key.to_string()))
    }
}

fn part_name(key: &str) -> String {
    format!("{key}{PARTIAL}")
}

fn parse_part(name: &str) -> Option<Key> {
    Key::parse(name.strip_suffix(PARTIAL)?)
}

fn look_at_part(path: &Path, key: Key) -> io::Result<Leftover> {
    let file = File::open(path)?;
    let about = file.metadata()?;
    // The lock goes with the writer, however that ends. Where there are no locks, nothing is certain.
    let in_use =
        rustix::fs::flock(&file, FlockOperation::NonBlockingLockShared) == Err(Errno::WOULDBLOCK);
    Ok(Leftover {
        key,
        bytes: about.len(),
        modified: about.modified().ok(),
        in_use,
    })
}

fn render_stamp(Stamp { id, since, store }: Stamp) -> String {
    let hex = |id| format!("{:032x}", u128::from_be_bytes(id));
    let store = store.map_or_else(String::new, |store| format!("store {}\n", hex(store)));
    format!("distdup host 1\nid {}\nsince {since}\n{store}", hex(id))
}

fn parse_stamp(text: &str) -> Option<Stamp> {
    let mut lines = text.lines();
    let first = lines.next()?;
    let id = lines.next()?.strip_prefix("id ")?;
    let since = lines.next()?.strip_prefix("since ")?;
    let store = lines.next().and_then(|line| line.strip_prefix("store "));
    let stamp = Stamp {
        id: parse_id(id)?,
        since: since.parse().ok()?,
        // Damaged, it is as good as none: the host is one all the same.
        store: store.and_then(parse_id),
    };
    (first == "distdup host 1").then_some(stamp)
}

fn parse_id(hex: &str) -> Option<[u8; 16]> {
    let is_hex = hex.len() == 32 && hex.bytes().all(|byte| byte.is_ascii_hexdigit());
    let id = is_hex.then(|| u128::from_str_radix(hex, 16).ok())??;
    Some(id.to_be_bytes())
}

#[derive(Debug)]
struct FolderSink {
    host: FolderHost,
    key: String,
    options: Options,
}

impl FolderSink {
    fn file(&self) -> io::Result<FileSink> {
        Ok(FileSink::new(self.host.path.join(&self.key), self.options)?)
    }
}

impl Sink for FolderSink {
    fn name(&self) -> String {
        quote(
            self.host
                .path
                .join(&self.key)
                .as_os_str()
                .as_encoded_bytes(),
        )
    }

    fn open(self: Box<Self>) -> io::Result<Box<dyn SinkWriter>> {
        // A disk that was unmounted since the host was listed leaves a folder that takes everything.
        self.host.stamp().map_err(|error| match error {
            HostError::Down { source, .. } => source,
            other => io::Error::new(io::ErrorKind::NotFound, other),
        })?;
        Box::new(self.file()?).open()
    }
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;
    use crate::store::conformance::{self, key, open, write};

    fn new_host() -> (tempfile::TempDir, FolderHost) {
        let dir = tempfile::tempdir().unwrap();
        let host = FolderHost::create(dir.path().join("some/host"), Origin::NewStore).unwrap();
        (dir, host)
    }

    #[test]
    fn partial_names_are_those_of_the_sink() {
        let path = Path::new("a/b");
        assert_eq!(
            crate::sink::file::partial_name(path),
            Path::new("a").join(part_name("b"))
        );
        assert!(crate::store::key::MAX_KEY + PARTIAL.len() <= 255);
    }

    #[test]
    fn conforms() {
        let (_dir, host) = new_host();
        conformance::suite(&host);
    }

    #[test]
    fn a_missing_folder_is_a_host_that_is_down_and_stays_missing() {
        let dir = tempfile::tempdir().unwrap();
        let host = FolderHost::new(dir.path().join("gone"));
        let key = key(b"a", 1);
        assert!(matches!(host.list(""), Err(HostError::Down { .. })));
        assert!(matches!(host.leftovers(), Err(HostError::Down { .. })));
        assert!(matches!(host.delete(&key), Err(HostError::Down { .. })));
        assert_eq!(
            write(&host, &key, b"x").unwrap_err().kind(),
            io::ErrorKind::NotFound
        );
        assert_eq!(
            host.source(&key).open().err().unwrap().kind(),
            io::ErrorKind::NotFound
        );
        assert!(!host.path().exists());
    }

    #[test]
    fn a_folder_that_was_never_made_a_host_takes_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let host = FolderHost::new(dir.path());
        assert!(matches!(host.list(""), Err(HostError::NotAHost { .. })));
        assert!(write(&host, &key(b"a", 1), b"x").is_err());
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
        fs::write(dir.path().join(STAMP), b"distdup host 2\n").unwrap();
        assert!(matches!(host.list(""), Err(HostError::NotAHost { .. })));
        fs::write(dir.path().join(STAMP), b"\xff").unwrap();
        assert!(matches!(host.list(""), Err(HostError::NotAHost { .. })));
    }

    #[test]
    fn a_host_is_made_once_and_keeps_what_was_there() {
        let (_dir, host) = new_host();
        let stamp = host.list("").unwrap().stamp;
        assert_eq!(stamp.since, 0);
        let again = FolderHost::create(host.path(), Origin::NewStore);
        assert!(
            matches!(&again, Err(HostError::Failed { source, .. }) if source.kind() == io::ErrorKind::AlreadyExists),
            "{again:?}"
        );
        assert_eq!(host.list("").unwrap().stamp, stamp);

        let key = key(b"a", 1);
        write(&host, &key, b"x").unwrap();
        fs::remove_file(host.path().join(STAMP)).unwrap();
        let host = FolderHost::create(host.path(), Origin::Replacement).unwrap();
        let listing = host.list("").unwrap();
        assert!(listing.stamp.since > 1_700_000_000_000_000_000);
        assert_ne!(listing.stamp.id, stamp.id);
        assert_eq!(listing.keys, [key.to_string()]);
    }

    #[test]
    fn stamps_come_back() {
        let stamp = Stamp {
            id: [0x0a; 16],
            since: u64::MAX,
            store: None,
        };
        let text = render_stamp(stamp);
        assert_eq!(parse_stamp(&text), Some(stamp));
        assert_eq!(
            text,
            format!(
                "distdup host 1\nid {}\nsince 18446744073709551615\n",
                "0a".repeat(16)
            )
        );
        for end in 0..text.len() - 20 {
            assert_eq!(parse_stamp(&text[..end]), None, "{end}");
        }
        let joined = Stamp {
            store: Some([0x0b; 16]),
            ..stamp
        };
        let longer = render_stamp(joined);
        assert_eq!(longer, format!("{text}store {}\n", "0b".repeat(16)));
        assert_eq!(parse_stamp(&longer), Some(joined));
        // Cut short or spoilt, what is left is a host without a store.
        for end in text.len()..longer.len() - 1 {
            assert_eq!(parse_stamp(&longer[..end]), Some(stamp), "{end}");
        }
        assert_eq!(parse_stamp(&longer.replace("0b0b", "+b0b")), Some(stamp));
    }

    #[test]
    fn a_file_system_without_a_sync_of_folders_will_do() {
        let proc = Path::new("/proc");
        let error = File::open(proc).unwrap().sync_all().unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
        sync_folder(proc).unwrap();
    }

    #[test]
    fn a_writer_that_lives_is_told_from_one_that_was_killed() {
        let (_dir, host) = new_host();
        let (living, dead) = (key(b"living", 1), key(b"dead", 2));
        let writer = open(&host, &living).unwrap();
        // What SIGKILL leaves: the file, and no lock.
        fs::write(host.path().join(part_name(&dead.to_string())), b"half").unwrap();
        // Neither is a share, and what others put there is not even a leftover.
        fs::write(host.path().join(".bashrc"), b"").unwrap();
        assert_eq!(host.list("").unwrap().keys, [""; 0]);
        let mut leftovers = host.leftovers().unwrap();
        leftovers.sort_by(|a, b| a.key.cmp(&b.key));
        let [first, second] = leftovers.as_slice() else {
            panic!("{leftovers:?}")
        };
        assert_eq!((&first.key, first.bytes, first.in_use), (&dead, 4, false));
        assert_eq!(
            (&second.key, second.bytes, second.in_use),
            (&living, 0, true)
        );
        assert!(first.modified.is_some());
        host.delete_leftover(first).unwrap();
        assert!(matches!(
            host.delete_leftover(first),
            Err(HostError::NoSuchKey { .. })
        ));
        writer.finish().unwrap();
        assert_eq!(host.leftovers().unwrap(), []);
        assert_eq!(host.list("").unwrap().keys, [living.to_string()]);
    }

    #[test]
    fn a_lock_does_not_outlive_its_process() {
        // The claim that `in_use` rests on, with a process that is really killed.
        let (_dir, host) = new_host();
        let path = host.path().join(part_name(&key(b"a", 1).to_string()));
        fs::write(&path, b"").unwrap();
        let Ok(mut child) = Command::new("flock")
            .arg("-F")
            .arg(&path)
            .args(["sleep", "60"])
            .spawn()
        else {
            return; // no flock(1) here
        };
        let in_use = || host.leftovers().unwrap()[0].in_use;
        let patience = std::time::Instant::now();
        while !in_use() && patience.elapsed().as_secs() < 10 {
            std::thread::yield_now();
        }
        assert!(in_use());
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(!in_use());
    }

    #[test]
    fn a_folder_unmounted_while_it_is_listed_is_never_a_host_without_keys() {
        use std::sync::atomic::{AtomicBool, Ordering};

        let (dir, host) = new_host();
        let key = key(b"a", 1);
        write(&host, &key, b"x").unwrap();
        let (mount, next) = (dir.path().join("mount"), dir.path().join("next"));
        let empty = dir.path().join("empty");
        fs::create_dir(&empty).unwrap();
        std::os::unix::fs::symlink(&empty, &mount).unwrap();
        let mounted = FolderHost::new(&mount);
        let done = AtomicBool::new(false);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                for target in [host.path(), &empty].into_iter().cycle() {
                    std::os::unix::fs::symlink(target, &next).unwrap();
                    fs::rename(&next, &mount).unwrap();
                    if done.load(Ordering::SeqCst) {
                        return;
                    }
                }
            });
            let short = (0..20_000)
                .filter_map(|_| mounted.list("").ok())
                .filter(|listing| listing.keys != [key.to_string()])
                .count();
            done.store(true, Ordering::SeqCst);
            assert_eq!(short, 0);
        });
    }

    #[test]
    fn a_folder_unmounted_between_listing_and_writing_takes_nothing() {
        let (_dir, host) = new_host();
        let sink = host.sink(&key(b"a", 1));
        fs::remove_file(host.path().join(STAMP)).unwrap();
        assert_eq!(sink.open().err().unwrap().kind(), io::ErrorKind::NotFound);
        assert_eq!(fs::read_dir(host.path()).unwrap().count(), 0);
    }
}
