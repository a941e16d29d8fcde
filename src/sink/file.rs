//! Files and devices.
//!
//! A file is written under another name, and gets its own when it is whole: so nothing that exists
//! is harmed before the end, and nothing that is cut short bears the name.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io::{self, IoSlice, IsTerminal, Seek, Write};
use std::os::unix::fs::{FileTypeExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::{Advice, CWD, FlockOperation, OFlags, RenameFlags, fadvise, flock, renameat_with};
use rustix::io::Errno;

use super::{Options, Sink, SinkError, SinkWriter};
use crate::quote::quote;
use crate::source::SourceReader;
use crate::source::file::FileReader;

/// A file, or a device such as `/dev/null`.
#[derive(Debug)]
pub struct FileSink {
    path: PathBuf,
    options: Options,
}

impl FileSink {
    /// A sink that makes a file of that name.
    ///
    /// # Errors
    /// It can be told already that this will not do: see [`Sink::open`], which looks again.
    pub fn new(path: PathBuf, options: Options) -> Result<Self, SinkError> {
        let sink = Self { path, options };
        sink.look()?;
        Ok(sink)
    }

    /// What stands under the name, if that may be written to.
    fn look(&self) -> Result<Target, SinkError> {
        if self.path.as_os_str().as_encoded_bytes().ends_with(b"/") {
            return Err(SinkError::Folder);
        }
        match fs::metadata(&self.path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error.into()),
            Ok(found) => {
                let kind = found.file_type();
                if kind.is_dir() {
                    return Err(SinkError::Folder);
                } else if kind.is_char_device() || (kind.is_block_device() && self.options.force) {
                    return Ok(Target::Device);
                } else if !kind.is_file() && !kind.is_block_device() {
                    return Err(SinkError::Unwritable);
                }
            }
        }
        if fs::symlink_metadata(&self.path).is_ok() && !self.options.force {
            return Err(SinkError::Exists);
        }
        let folder = folder(&self.path);
        match fs::metadata(folder) {
            Ok(found) if found.is_dir() => {}
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error.into()),
            _ => {
                return Err(SinkError::NoFolder {
                    folder: quote(folder.as_os_str().as_encoded_bytes()),
                });
            }
        }
        // A link to a file is kept, and the file replaced; a link to nothing is replaced itself.
        Ok(Target::File(
            fs::canonicalize(&self.path).unwrap_or_else(|_| self.path.clone()),
        ))
    }
}

impl Sink for FileSink {
    fn name(&self) -> String {
        quote(self.path.as_os_str().as_encoded_bytes())
    }

    fn open(self: Box<Self>) -> io::Result<Box<dyn SinkWriter>> {
        match self.look()? {
            Target::File(path) => Ok(Box::new(PartialFile::create(path, self.options)?)),
            Target::Device => {
                let file = OpenOptions::new().write(true).open(&self.path)?;
                if file.is_terminal() && !self.options.force {
                    return Err(SinkError::Terminal.into());
                }
                Ok(Box::new(Device(file)))
            }
        }
    }
}

enum Target {
    Device,
    File(PathBuf),
}

/// The name that the file at `path` has until it is whole.
pub fn partial_name(path: &Path) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(".partial");
    name.into()
}

/// A file that is being written, and locked: so that what a killed run left can be taken over, and
/// what a live one writes cannot.
#[derive(Debug)]
struct PartialFile {
    file: File,
    partial: PathBuf,
    /// `None` once it stands there.
    target: Option<PathBuf>,
    options: Options,
}

impl PartialFile {
    fn create(target: PathBuf, options: Options) -> Result<Self, SinkError> {
        let partial = partial_name(&target);
        loop {
            let file = OpenOptions::new()
                .write(true)
                .create(true)
                .truncate(false) // Not before it is locked.
                .custom_flags((OFlags::NOFOLLOW | OFlags::NONBLOCK).bits().cast_signed())
                .open(&partial)?;
            match flock(&file, FlockOperation::NonBlockingLockExclusive) {
                Err(Errno::WOULDBLOCK) => {
                    return Err(SinkError::Busy {
                        partial: quote(partial.as_os_str().as_encoded_bytes()),
                    });
                }
                // A file system without locks can be written to all the same.
                Ok(()) | Err(Errno::NOLCK | Errno::NOSYS | Errno::OPNOTSUPP | Errno::INVAL) => {}
                Err(error) => return Err(io::Error::from(error).into()),
            }
            // Its last owner may have renamed or removed it between our open and our lock.
            let ours = file.metadata()?;
            let there = fs::symlink_metadata(&partial);
            if there.is_ok_and(|there| (there.dev(), there.ino()) == (ours.dev(), ours.ino())) {
                if !ours.is_file() {
                    return Err(SinkError::Unwritable);
                }
                // Ours, and gone with it where it cannot be emptied.
                let ours = Self {
                    file,
                    partial,
                    target: Some(target),
                    options,
                };
                ours.file.set_len(0)?;
                return Ok(ours);
            }
        }
    }

    /// Gives the file its name.
    fn name(&self, target: &Path) -> io::Result<()> {
        if self.options.force {
            return fs::rename(&self.partial, target);
        }
        let named = match renameat_with(CWD, &self.partial, CWD, target, RenameFlags::NOREPLACE) {
            Err(Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP) => self.link(target),
            result => result.map_err(io::Error::from),
        };
        named.map_err(|error| match error.kind() {
            io::ErrorKind::AlreadyExists => SinkError::Exists.into(),
            _ => error,
        })
    }

    /// The same where the file system cannot rename without replacing.
    fn link(&self, target: &Path) -> io::Result<()> {
        match fs::hard_link(&self.partial, target) {
            Ok(()) => fs::remove_file(&self.partial),
            Err(_) if fs::symlink_metadata(target).is_ok() => {
                Err(io::ErrorKind::AlreadyExists.into())
            }
            // It has no links either, and no atomic way: the window is as small as can be.
            Err(_) => fs::rename(&self.partial, target),
        }
    }
}

impl Write for PartialFile {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        self.file.write(buf)
    }

    fn write_vectored(&mut self, bufs: &[IoSlice<'_>]) -> io::Result<usize> {
        self.file.write_vectored(bufs)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl SinkWriter for PartialFile {
    fn seekable(&mut self) -> Option<&mut dyn Seek> {
        Some(&mut self.file)
    }

    fn finish(mut self: Box<Self>) -> io::Result<()> {
        if self.options.sync {
            self.file.sync_data()?;
        }
        let Some(target) = self.target.take() else {
            return Ok(());
        };
        if let Err(error) = self.name(&target) {
            self.target = Some(target);
            return Err(error);
        }
        if self.options.sync {
            sync_folder(folder(&target))?;
        }
        Ok(())
    }

    fn read_back(&mut self) -> io::Result<Option<Box<dyn SourceReader>>> {
        if self.options.sync {
            self.file.sync_data()?;
            // Else what is read may never have been on the disk. Where there is no way to ask for
            // it, memory must do.
            let _ = fadvise(&self.file, 0, None, Advice::DontNeed);
        }
        Ok(Some(Box::new(FileReader::open(&self.partial)?)))
    }
}

impl Drop for PartialFile {
    fn drop(&mut self) {
        if self.target.is_some() {
            // While the lock is still held, so that it is ours that goes.
            let _ = fs::remove_file(&self.partial);
        }
    }
}

/// A device or a pipe: written to as it is, and with no end that could be taken back or made to
/// count. What goes through must say itself whether it is whole, as a share does.
#[derive(Debug)]
pub(super) struct Device(pub(super) File);

impl Write for Device {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        self.0.write(buf)
    }

    fn write_vectored(&mut self, bufs: &[IoSlice<'_>]) -> io::Result<usize> {
        self.0.write_vectored(bufs)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl SinkWriter for Device {
    fn finish(self: Box<Self>) -> io::Result<()> {
        match self.0.sync_data() {
            // A device without a store, such as /dev/null, or a pipe.
            Err(error) if error.kind() == io::ErrorKind::InvalidInput => Ok(()),
            result => result,
        }
    }
}

/// Makes what was made, named or removed in a folder durable.
pub(crate) fn sync_folder(path: &Path) -> io::Result<()> {
    match File::open(path)?.sync_all() {
        // Some file systems have no such thing as a folder's sync.
        Err(error) if error.kind() != io::ErrorKind::InvalidInput => Err(error),
        _ => Ok(()),
    }
}

fn folder(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if folder != Path::new("") => folder,
        _ => Path::new("."),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use tempfile::TempDir;

    use super::*;

    const KEEP: Options = Options {
        force: false,
        sync: true,
    };
    const FORCE: Options = Options {
        force: true,
        sync: false,
    };

    fn open(path: PathBuf, options: Options) -> Result<Box<dyn SinkWriter>, SinkError> {
        Ok(Box::new(FileSink::new(path, options)?).open()?)
    }

    fn write(path: PathBuf, options: Options, data: &str) -> Result<(), SinkError> {
        let mut writer = open(path, options)?;
        writer.write_all(data.as_bytes())?;
        Ok(writer.finish()?)
    }

    fn names(folder: &TempDir) -> Vec<String> {
        let mut names: Vec<_> = fs::read_dir(folder.path())
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    #[test]
    fn a_file_has_its_name_when_it_is_finished_and_not_before() {
        let folder = tempfile::tempdir().unwrap();
        let mut writer = open(folder.path().join("s"), KEEP).unwrap();
        writer.write_all(b"data").unwrap();
        assert_eq!(names(&folder), ["s.partial"]);
        writer.finish().unwrap();
        assert_eq!(names(&folder), ["s"]);
        assert_eq!(fs::read(folder.path().join("s")).unwrap(), b"data");
    }

    #[test]
    fn a_file_that_is_not_finished_leaves_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let mut writer = open(folder.path().join("s"), KEEP).unwrap();
        writer.write_all(b"data").unwrap();
        drop(writer);
        assert!(names(&folder).is_empty());
    }

    #[test]
    fn what_exists_is_replaced_by_force_alone_and_at_the_end_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("s");
        fs::write(&path, "old").unwrap();
        assert!(matches!(open(path.clone(), KEEP), Err(SinkError::Exists)));

        let mut writer = open(path.clone(), FORCE).unwrap();
        writer.write_all(b"new").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"old");
        drop(writer);
        assert_eq!(fs::read(&path).unwrap(), b"old");
        write(path.clone(), FORCE, "new").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"new");
        assert_eq!(names(&folder), ["s"]);
    }

    #[test]
    fn what_came_to_exist_meanwhile_is_not_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("s");
        let writer = open(path.clone(), KEEP).unwrap();
        fs::write(&path, "another's").unwrap();
        let error = writer.finish().unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::AlreadyExists);
        assert!(error.to_string().contains("--force"), "{error}");
        assert_eq!(fs::read(&path).unwrap(), b"another's");
        assert_eq!(names(&folder), ["s"]);
    }

    #[test]
    fn neither_does_the_old_way_replace() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("s");
        let mut file = PartialFile::create(path.clone(), KEEP).unwrap();
        file.write_all(b"data").unwrap();
        file.link(&path).unwrap();
        assert_eq!(names(&folder), ["s"]);
        let again = PartialFile::create(path.clone(), KEEP).unwrap();
        assert_eq!(
            again.link(&path).unwrap_err().kind(),
            io::ErrorKind::AlreadyExists
        );
        assert_eq!(fs::read(&path).unwrap(), b"data");
    }

    #[test]
    fn what_a_killed_run_left_is_taken_over() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("s.partial"), "more than will be written").unwrap();
        write(folder.path().join("s"), KEEP, "data").unwrap();
        assert_eq!(fs::read(folder.path().join("s")).unwrap(), b"data");
        assert_eq!(names(&folder), ["s"]);
    }

    #[test]
    fn what_a_live_run_writes_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("s");
        let mut first = open(path.clone(), KEEP).unwrap();
        first.write_all(b"first").unwrap();
        let error = open(path.clone(), FORCE).err().unwrap();
        assert!(
            error.to_string().contains("another process is writing it"),
            "{error}"
        );
        first.finish().unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"first");
    }

    #[test]
    fn racing_writers_never_share_a_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("s");
        std::thread::scope(|scope| {
            for thread in 0..4u8 {
                let path = &path;
                scope.spawn(move || {
                    for _ in 0..200 {
                        let Ok(mut writer) = open(path.clone(), FORCE) else {
                            continue;
                        };
                        for _ in 0..4 {
                            writer.write_all(&[thread; 8]).unwrap();
                        }
                        writer.finish().unwrap();
                        let found = fs::read(path).unwrap();
                        assert_eq!(found.len(), 32);
                        assert!(found.iter().all(|byte| *byte == found[0]), "{found:?}");
                    }
                });
            }
        });
        assert_eq!(names(&folder), ["s"]);
    }

    #[test]
    fn what_cannot_be_a_file_is_refused_at_once() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        fs::create_dir(at("d")).unwrap();
        let _listener = std::os::unix::net::UnixListener::bind(at("socket")).unwrap();
        fs::write(at("f"), "").unwrap();
        for (name, expected) in [
            ("d", "is a folder"),
            ("new/", "is a folder"),
            ("missing/s", "missing does not exist"),
            ("socket", "no file, named pipe or device"),
            ("f/s", "Not a directory"),
        ] {
            let error = FileSink::new(at(name), FORCE).unwrap_err();
            assert!(error.to_string().contains(expected), "{name}: {error}");
        }
        symlink("nothing", at("dangling")).unwrap();
        assert!(matches!(
            FileSink::new(at("dangling"), KEEP),
            Err(SinkError::Exists)
        ));
        symlink("elsewhere", at("s.partial")).unwrap();
        assert!(open(at("s"), FORCE).is_err());
        assert!(!at("elsewhere").exists());
    }

    #[test]
    fn a_link_is_kept_and_what_it_leads_to_is_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        fs::write(at("real"), "old").unwrap();
        symlink("real", at("link")).unwrap();
        write(at("link"), FORCE, "new").unwrap();
        assert!(at("link").is_symlink());
        assert_eq!(fs::read(at("real")).unwrap(), b"new");
    }

    #[test]
    fn devices_are_written_to_directly() {
        write("/dev/null".into(), KEEP, "data").unwrap();
        let error = write("/dev/full".into(), KEEP, "data").unwrap_err();
        assert!(matches!(error, SinkError::Io(e) if e.kind() == io::ErrorKind::StorageFull));
        assert!(!Path::new("/dev/null.partial").exists());
    }
}
