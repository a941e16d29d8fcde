//! `--low-disk`: Duplicity's temporary folder in memory, and volumes as large as fit there.
//!
//! Duplicity makes a volume, or takes one apart, in its temporary folder, and refuses to begin where
//! that has not room for (concurrency + 2.3) volumes. Beside that it has its
//! [`super::archive`], which stays on the disk where it fits there, and goes to memory where not:
//! then the next run gets it back from the store.

use std::ffi::OsString;
use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use rustix::fs::{Access, access};

use super::memory::{self, Tmpfs};
use super::private::PrivateFolder;
use super::stored::Stored;
use super::{archive, options};
use crate::catalogue::catalogue;
use crate::encode::DEFAULT_MEMORY;
use crate::quote::quote_path;

const MIB: u64 = 1 << 20;
/// Largest volume that is chosen without being asked for: larger ones make nothing faster.
const MOST_VOLUME: u64 = 50 * MIB;
/// What a process of Duplicity takes, with `GnuPG`.
const DUPLICITY_MEMORY: u64 = 96 * MIB;
/// What folders and the ends of files take of a disk, beside what is in them.
const ARCHIVE_FOLDERS: u64 = 64 << 10;
/// What is in our folder.
const TEMPORARY: &str = "tmp";
const ARCHIVE: &str = "archive";

/// Where Duplicity's temporary files are wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Temporary {
    /// Where Duplicity puts them.
    Usual,
    /// In memory, wherever there is room.
    InMemory,
    /// In this folder.
    In(PathBuf),
}

/// What a run of Duplicity is to have room for.
#[derive(Debug, Clone, Copy, Default)]
pub struct Needs {
    /// Bytes of the volumes, if they have been made already.
    volume: Option<u64>,
    /// Volumes that are in the temporary folder at once.
    open: u64,
    /// Bytes of the largest file that is fetched for the archive.
    fetched: u64,
    /// Bytes that the archive may come to, of what is in the store.
    stored: u64,
    /// And of what is new.
    new: u64,
    /// Whether the archive that is there is to be left alone: then it is another, and goes with the run.
    fresh: bool,
}

/// Where the temporary folder can be.
#[derive(Debug)]
struct Place {
    folder: PathBuf,
    in_memory: bool,
    /// Bytes that a run may take there.
    room: u64,
    /// Made for this run.
    tmpfs: Option<Tmpfs>,
}

/// Where the archive is, and how much it may come to.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Archive {
    /// The folder, with bytes that are free there; beside the temporary folder if none: then it goes
    /// with the run.
    place: Option<(PathBuf, u64)>,
    /// Bytes that it grows by, at most.
    most: u64,
}

/// How a run goes with almost no disk.
#[derive(Debug)]
pub struct Plan {
    place: Place,
    /// Bytes of a volume, and whether Duplicity must be told.
    volume: u64,
    says_volume: bool,
    says_folder: bool,
    /// Bytes that the temporary folder needs at most.
    temporary: u64,
    archive: Archive,
    /// Whether files may have to be put together from several backups.
    joins: bool,
    /// Bytes of memory that processes take.
    processes: u64,
}

/// What a run needs for as long as it lasts.
#[derive(Debug)]
pub struct Prepared {
    options: Vec<OsString>,
    _folder: PrivateFolder,
    _tmpfs: Option<Tmpfs>,
}

/// Why a run does not fit. Messages leave the cause to `source`.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LowDiskError {
    /// Nothing is in memory.
    #[error(
        "no folder in memory was found, neither $XDG_RUNTIME_DIR nor /dev/shm, and only root can make \
         one: name a folder with room for {} MiB or more: --low-disk=DIR", needed.div_ceil(MIB)
    )]
    NoMemory {
        /// Bytes that it is to have.
        needed: u64,
    },
    /// The folder that was named.
    #[error(
        "Duplicity's temporary files cannot be put into {}",
        quote_path(folder)
    )]
    Folder {
        /// It.
        folder: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// Two folders are named.
    #[error(
        "the temporary folder is named twice, by --low-disk={} and by --tempdir",
        quote_path(folder)
    )]
    Twice {
        /// The one.
        folder: PathBuf,
    },
    /// It does not fit.
    #[error(
        "volumes of {} MiB need {} MiB in Duplicity's temporary folder, and there are {:.1} MiB for it in \
         {}; {remedy}",
        volume / MIB, needed.div_ceil(MIB), mib(*room), quote_path(folder)
    )]
    TooLittle {
        /// Bytes of a volume.
        volume: u64,
        /// Bytes that are needed for that.
        needed: u64,
        /// Where it was to go.
        folder: PathBuf,
        /// Bytes that may be taken there.
        room: u64,
        /// What would fit.
        remedy: String,
    },
}

catalogue! {
    LowDiskError {
        Self::NoMemory { .. } | Self::Folder { .. } => "low-disk-folder":
            "Nothing was read or written."
            "Name a folder with room, in memory or on a disk: --low-disk=DIR";
        Self::Twice { .. } => "low-disk-twice":
            "Nothing was read or written."
            "Leave out one of --low-disk=DIR and --tempdir.";
        Self::TooLittle { .. } => "low-disk-room":
            "Nothing was read or written."
            "Do as the error says, or name a folder with more room: --low-disk=DIR";
    }
}

#[allow(clippy::cast_precision_loss)] // A few figures are shown.
fn mib(bytes: u64) -> f64 {
    bytes as f64 / MIB as f64
}

impl Needs {
    /// Of a backup of `source` to a store that has this already.
    pub fn of_backup(source: &Path, stored: &Stored, words: &[OsString]) -> Self {
        Self {
            volume: None,
            open: 1,
            fetched: stored.largest,
            stored: stored.metadata,
            new: archive::most_for(source, words),
            fresh: false,
        }
    }

    /// Of a restore from a store that has this; with a `fresh` archive, or the one that is there.
    pub fn of_restore(stored: &Stored, fresh: bool) -> Self {
        Self {
            volume: Some(stored.volume.max(1)),
            // One of each backup in a chain.
            open: stored.chain,
            fetched: stored.largest,
            stored: stored.metadata,
            new: 0,
            fresh,
        }
    }

    /// Bytes that the temporary folder must hold, if Duplicity is told of volumes of so many bytes.
    fn temporary(&self, volume: u64, concurrency: u64) -> u64 {
        let rule = (concurrency * 10 + 23).saturating_mul(volume) / 10;
        let open = self.open.saturating_mul(self.volume.unwrap_or(volume));
        // As it comes, and compressed for the archive.
        let fetching = 2 * self.fetched;
        rule.max(open).max(fetching)
    }

    /// The largest volume up to `most`, in whole MiB, of which the temporary folder needs no more than
    /// `room`.
    fn fitting(&self, room: u64, concurrency: u64, most: u64) -> Option<u64> {
        (1..=most / MIB)
            .map(|mib| mib * MIB)
            .rfind(|volume| self.temporary(*volume, concurrency) <= room)
    }
}

impl Plan {
    /// For these needs, with the user's options for Duplicity, in the folder `named` or in memory.
    ///
    /// # Errors
    /// Why it does not fit, and what would.
    pub fn new(
        named: Option<&Path>,
        needs: &Needs,
        words: &[OsString],
    ) -> Result<Self, LowDiskError> {
        let concurrency = concurrency(words);
        let wanted = volume_size(words);
        // Stored ones are a little larger or smaller than they were to be.
        let stored = needs
            .volume
            .map(|bytes| bytes.next_multiple_of(MIB / 2) / MIB * MIB);
        let fixed = wanted.or(stored.map(|volume| volume.max(MIB)));
        let temporary = |volume| needs.temporary(volume, concurrency);
        let least = temporary(fixed.unwrap_or(MIB));
        let most = temporary(fixed.unwrap_or(MOST_VOLUME));

        let processes = (1 + concurrency) * (DUPLICITY_MEMORY + DEFAULT_MEMORY);
        let given = options::value(words, "--tempdir").map(Path::new);
        let place = match (named, given) {
            (Some(folder), Some(_)) => {
                let folder = folder.to_owned();
                return Err(LowDiskError::Twice { folder });
            }
            (Some(folder), None) | (None, Some(folder)) => Place::named(folder, processes)?,
            (None, None) => Place::find(most + needs.new + needs.stored, processes)
                .ok_or(LowDiskError::NoMemory { needed: least })?,
        };
        let spare = place.room.saturating_sub(least);
        let archive = Archive::choose(needs, words, spare);
        let taken = match archive.place {
            // How much it is, is not known so well that the volumes should have nothing for it.
            None => archive.most.min(spare / 4 * 3),
            Some(_) => 0,
        };
        let room = place.room - taken;
        let fitting = needs.fitting(room, concurrency, wanted.unwrap_or(MOST_VOLUME));
        let volume = fixed.or(fitting).unwrap_or(MIB);
        let needed = temporary(volume);
        if needed > room {
            let remedy = match (fitting, wanted) {
                (Some(volume), Some(_)) => {
                    format!("volumes of {} MiB fit: --volsize {0}", volume / MIB)
                }
                _ => "name a folder that has more: --low-disk=DIR".to_owned(),
            };
            return Err(LowDiskError::TooLittle {
                volume,
                needed,
                folder: place.folder,
                room,
                remedy,
            });
        }
        Ok(Self {
            says_volume: wanted.is_none(),
            says_folder: given.is_none(),
            joins: needs.open > 1,
            place,
            volume,
            temporary: needed,
            archive,
            processes,
        })
    }

    /// What may go wrong for all that.
    pub fn warnings(&self) -> Vec<String> {
        let mut warnings = Vec::new();
        let Archive { most, .. } = self.archive;
        let (folder, room) = match &self.archive.place {
            Some((folder, free)) => (folder, *free),
            None => (&self.place.folder, self.place.room - self.temporary),
        };
        if most > room {
            warnings.push(format!(
                "Duplicity's archive may come to {} MiB, and there are {} MiB for it in {}: if that is \
                 not enough, put it where more is free (on a host, say) with --archive-dir DIR, or take \
                 --max-blocksize 65536, with which it is smaller where files are large",
                most.div_ceil(MIB),
                room / MIB,
                quote_path(folder)
            ));
        }
        if self.joins {
            warnings.push(format!(
                "a file that increments changed is put together in the temporary folder, whole: where one \
                 is larger than {} MiB, name a folder that has more: --low-disk=DIR",
                (self.place.room - self.temporary) / MIB
            ));
        }
        warnings
    }

    /// Makes what the run needs.
    ///
    /// # Errors
    /// The folder cannot be written to.
    pub fn prepare(self) -> Result<Prepared, LowDiskError> {
        let make = || {
            let folder = PrivateFolder::create_in(&self.place.folder)?;
            for name in [TEMPORARY, ARCHIVE] {
                fs::create_dir(folder.path().join(name))?;
            }
            Ok(folder)
        };
        let folder = make().map_err(|source| LowDiskError::Folder {
            folder: self.place.folder.clone(),
            source,
        })?;
        let mut options = Vec::new();
        let mut say = |name: &str, value: OsString| options.extend([name.into(), value]);
        if self.says_volume {
            say("--volsize", (self.volume / MIB).to_string().into());
        }
        if self.says_folder {
            say("--tempdir", folder.path().join(TEMPORARY).into());
        }
        if self.archive.place.is_none() {
            say("--archive-dir", folder.path().join(ARCHIVE).into());
        }
        Ok(Prepared {
            options,
            _folder: folder,
            _tmpfs: self.place.tmpfs,
        })
    }
}

impl Prepared {
    /// Options for Duplicity; they come after the user's.
    pub fn options(&self) -> &[OsString] {
        &self.options
    }
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { place, archive, .. } = self;
        let kind = match (&place.tmpfs, place.in_memory) {
            (Some(_), _) => "in memory, made for this",
            (None, true) => "in memory",
            (None, false) => "not in memory",
        };
        writeln!(f, "volumes of {} MiB", self.volume / MIB)?;
        writeln!(
            f,
            "  temporary folder: {}, {kind}: at most {} of {} MiB",
            quote_path(&place.folder),
            self.temporary.div_ceil(MIB),
            place.room.div_ceil(MIB),
        )?;
        let most = archive.most.div_ceil(MIB);
        match &archive.place {
            Some((folder, free)) => writeln!(
                f,
                "  Duplicity's archive: {}: at most {most} of {} MiB",
                quote_path(folder),
                free.div_ceil(MIB),
            ),
            None => writeln!(
                f,
                "  Duplicity's archive: there, too, and not kept: at most {most} MiB"
            ),
        }?;
        write!(
            f,
            "  processes: about {} MiB of memory",
            self.processes / MIB
        )
    }
}

impl Place {
    /// A folder that a user named.
    fn named(folder: &Path, processes: u64) -> Result<Self, LowDiskError> {
        let error = |source| LowDiskError::Folder {
            folder: folder.to_owned(),
            source,
        };
        let full = std::path::absolute(folder).map_err(error)?;
        if !fs::metadata(&full).map_err(error)?.is_dir() {
            return Err(error(io::ErrorKind::NotADirectory.into()));
        }
        access(&full, Access::WRITE_OK).map_err(|errno| error(errno.into()))?;
        Ok(Self::at(full, processes))
    }

    /// The one in memory that has most room, or one that is made, if that one has less than `enough`.
    fn find(enough: u64, processes: u64) -> Option<Self> {
        let found = memory::folders()
            .filter(|folder| access(folder, Access::WRITE_OK).is_ok())
            .map(|folder| Self::at(folder, processes))
            .max_by_key(|place| place.room);
        if found.as_ref().is_some_and(|place| place.room >= enough) {
            return found;
        }
        let room = spare_memory(processes)?;
        let better = found.as_ref().is_none_or(|found| found.room < room);
        let made = better.then(|| Tmpfs::create(room).ok()).flatten();
        made.map(|tmpfs| Self {
            folder: tmpfs.path(),
            in_memory: true,
            room,
            tmpfs: Some(tmpfs),
        })
        .or(found)
    }

    fn at(folder: PathBuf, processes: u64) -> Self {
        let in_memory = memory::is_in_memory(&folder);
        let free = free(&folder);
        let memory = spare_memory(processes).filter(|_| in_memory);
        Self {
            room: memory.map_or(free, |memory| memory.min(free)),
            folder,
            in_memory,
            tmpfs: None,
        }
    }
}

impl Archive {
    /// Where it always is, unless that one is not to be used, or there is more room beside the temporary
    /// folder, and it is needed.
    fn choose(needs: &Needs, words: &[OsString], beside: u64) -> Self {
        let there = archive::folder(words).filter(|_| !needs.fresh);
        let kept = there.as_deref().map_or(0, archive::size_of);
        let most = needs.new + needs.stored.saturating_sub(kept) + ARCHIVE_FOLDERS;
        let given = options::has(words, "--archive-dir");
        let place = there
            .map(|folder| {
                let free = free_for_new(&folder);
                (folder, free)
            })
            .filter(|(_, free)| given || most <= *free || beside <= *free);
        Self { place, most }
    }
}

/// Bytes of memory that may be taken for files: half of what processes leave.
fn spare_memory(processes: u64) -> Option<u64> {
    Some(memory::available()?.saturating_sub(processes) / 2)
}

/// Bytes that are free on the file system of `folder`.
fn free(folder: &Path) -> u64 {
    rustix::fs::statvfs(folder).map_or(0, |about| about.f_bavail.saturating_mul(about.f_frsize))
}

/// The same of a folder that is yet to be made, perhaps; 0 if it cannot be.
fn free_for_new(folder: &Path) -> u64 {
    let there = folder.ancestors().find(|folder| folder.exists());
    let there = there.filter(|folder| access(*folder, Access::WRITE_OK).is_ok());
    there.map_or(0, free)
}

/// How many volumes Duplicity may be sending while it makes another.
fn concurrency(words: &[OsString]) -> u64 {
    let said =
        options::value(words, "--concurrency").and_then(|value| value.to_str()?.parse().ok());
    said.unwrap_or(u64::from(options::has(words, "--asynchronous-upload")))
}

/// Bytes of a volume, as the user wants it.
fn volume_size(words: &[OsString]) -> Option<u64> {
    let mib: u64 = options::value(words, "--volsize")?.to_str()?.parse().ok()?;
    mib.checked_mul(MIB)
}
