//! The catalogue of errors: what each means for the data, and what to do about it.
//!
//! An error's own text says what happened. Beside each type of error stands, by [`catalogue!`], a
//! stable code for each of its cases, for programs, and two sentences for whoever meets it.
//! docs/ERRORS.md is made of them.

use std::error::Error;
use std::io::{self, ErrorKind};

use distdup_codecs::CodecError;

use crate::quote::with_causes;

/// What is said of an error beside what it says itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Entry {
    /// Its name for programs, which never comes to mean something else.
    pub code: &'static str,
    /// What it means for the data.
    pub meaning: &'static str,
    /// What to do; `SHARE...` stands for the shares or outputs that the command was given.
    pub next: &'static str,
}

/// A type of error that has its place in the catalogue.
pub trait Catalogued: Error + 'static {
    /// What is said of its cases.
    const ENTRIES: &'static [Entry];

    /// What is said of this one; `None` if it only passes on an error that is in no catalogue.
    fn entry(&self) -> Option<&'static Entry>;
}

/// Gives an error type its entries: for each pattern a code, what it means, and what to do next.
/// Cases that only pass on another error have that one's.
#[macro_export]
macro_rules! catalogue {
    (
        $error:ty {
            $($pattern:pat => $code:literal: $meaning:literal $next:literal;)*
        }
        $(passing { $($passed:pat => $inner:expr;)* })?
    ) => {
        impl $crate::catalogue::Catalogued for $error {
            const ENTRIES: &'static [$crate::catalogue::Entry] = &[
                $($crate::catalogue::Entry { code: $code, meaning: $meaning, next: $next },)*
            ];

            fn entry(&self) -> Option<&'static $crate::catalogue::Entry> {
                match self {
                    $($pattern => Some(
                        &$crate::catalogue::Entry { code: $code, meaning: $meaning, next: $next }
                    ),)*
                    $($($passed => $crate::catalogue::Catalogued::entry($inner),)*)?
                }
            }
        }
    };
}
pub use catalogue;

/// The entries of one type of error.
#[derive(Debug)]
pub struct Chapter {
    /// What such errors are about.
    pub title: &'static str,
    /// Its entries.
    pub entries: &'static [Entry],
    /// The type, by its full name.
    pub type_name: fn() -> &'static str,
    find: fn(&(dyn Error + 'static)) -> Option<&'static Entry>,
}

impl Chapter {
    /// That of an error type.
    pub const fn of<E: Catalogued>(title: &'static str) -> Self {
        Self {
            title,
            entries: E::ENTRIES,
            type_name: std::any::type_name::<E>,
            find: |error| error.downcast_ref::<E>()?.entry(),
        }
    }
}

/// Every type of error that the library's operations give, alone or as a cause.
pub static CATALOGUE: &[Chapter] = &[
    Chapter::of::<crate::encode::EncodeError>("Encoding"),
    Chapter::of::<crate::decode::ChooseError>("Settling on a stream"),
    Chapter::of::<crate::decode::GatherError>("Reading a stream back"),
    Chapter::of::<crate::decode::DecodeError>("Decoding"),
    Chapter::of::<crate::repair::RepairError>("Repairing"),
    Chapter::of::<crate::repair::ReadBack>("Reading back"),
    Chapter::of::<crate::decode::SourceFailure>("A share that is read"),
    Chapter::of::<crate::decode::ShareFlaw>("What is wrong with a share"),
    Chapter::of::<crate::decode::FrameFlaw>("What is wrong with a frame"),
    Chapter::of::<crate::agreement::Disagreement>("Shares held against each other"),
    Chapter::of::<crate::encode::SinkFailure>("A share that is written"),
    Chapter::of::<crate::format::header::HeaderFault>("A share's header"),
    Chapter::of::<crate::format::CommonError>("What a header says"),
    Chapter::of::<crate::source::SourceError>("Names of shares to read"),
    Chapter::of::<crate::sink::SinkError>("Names of outputs"),
    Chapter::of::<crate::sink::set::SetError>("Several outputs"),
    Chapter::of::<crate::descriptor::DescriptorError>("Descriptors"),
    Chapter::of::<crate::command::CommandError>("Commands"),
    Chapter::of::<crate::input::SizeError>("Inputs of a promised length"),
    Chapter::of::<crate::input::Shortened>("Inputs that are files"),
    Chapter::of::<crate::pipeline::budget::TooLittleMemory>("Memory"),
    Chapter::of::<crate::zfec::ZfecError>("Shares of zfec's"),
    Chapter::of::<CodecError>("Codecs"),
    Chapter::of::<crate::store::StoreError>("The store"),
    Chapter::of::<crate::store::Reason>("Why nobody knows what is current"),
    Chapter::of::<crate::store::Lost>("What may have been lost"),
    Chapter::of::<crate::store::NameError>("Names of objects"),
    Chapter::of::<crate::store::HostFailure>("A host that is written to"),
    Chapter::of::<crate::store::HostError>("A host"),
    Chapter::of::<crate::store::LockError>("Two writers at once"),
    Chapter::of::<crate::duplicity::hosts::HostsError>("The hosts of a backup"),
    Chapter::of::<crate::duplicity::backup::BackupError>("Backups"),
    Chapter::of::<crate::duplicity::restore::RestoreError>("Restores"),
    Chapter::of::<crate::duplicity::passphrase::Missing>("Passphrases"),
    Chapter::of::<crate::duplicity::low_disk::LowDiskError>("Low disk"),
    Chapter::of::<crate::duplicity::launch::FindError>("Duplicity"),
    Chapter::of::<crate::duplicity::command::CommandError>("Duplicity's commands"),
    Chapter::of::<crate::duplicity::install::InstallError>("Duplicity's backend"),
    Chapter::of::<crate::duplicity::resident::Astray>("A host that is read from"),
    Chapter::of::<crate::duplicity::protocol::NotHex>("Talk with Duplicity's backend"),
    Chapter::of::<crate::config::ConfigError>("Configuration files"),
    Chapter::of::<crate::config::Fault>("Places in a configuration file"),
    Chapter::of::<crate::config::Problem>("What a configuration cannot do"),
    Chapter::of::<crate::config::SecretError>("Secrets"),
    Chapter::of::<crate::availability::AvailabilityError>("Models of hosts"),
    Chapter::of::<crate::compare::MeasureError>("Measurements"),
    Chapter::of::<io::Error>("The system"),
];

/// What is said of an error: by the outermost of it and its causes of which anything is, in
/// `chapters` or in [`CATALOGUE`].
pub fn entry_of(error: &(dyn Error + 'static), chapters: &[Chapter]) -> Option<&'static Entry> {
    let mut next = Some(error);
    while let Some(error) = next {
        let mut all = chapters.iter().chain(CATALOGUE);
        if let Some(entry) = all.find_map(|chapter| (chapter.find)(error)) {
            return Some(entry);
        }
        next = error.source();
    }
    None
}

/// The code of an error, or of its outermost cause that has one.
pub fn code_of(error: &(dyn Error + 'static)) -> Option<&'static str> {
    entry_of(error, &[]).map(|entry| entry.code)
}

/// What an error says, its causes included, and its code.
pub fn said(error: &(dyn Error + 'static)) -> (String, Option<String>) {
    (with_causes(error), code_of(error).map(str::to_owned))
}

const IO: &[Entry] = &[
    Entry {
        code: "not-found",
        meaning: "Nothing was done with it.",
        next: "Look whether the name is right, and whether its disk or host is there.",
    },
    Entry {
        code: "no-permission",
        meaning: "Nothing was done with it.",
        next: "Run as somebody who may, or change its permissions: ls -l shows them.",
    },
    Entry {
        code: "disk-full",
        meaning: "What was being written was not completed, and does not pass for complete.",
        next: "Make room (df -h shows where it is lacking), and run the same command again.",
    },
    Entry {
        code: "system",
        meaning: "What was being done did not succeed; what was being written is not complete.",
        next: "See what the system says (dmesg), and run the same command again.",
    },
];

impl Catalogued for io::Error {
    const ENTRIES: &'static [Entry] = IO;

    fn entry(&self) -> Option<&'static Entry> {
        let inner = self.get_ref().and_then(|inner| entry_of(inner, &[]));
        inner.or(match self.kind() {
            ErrorKind::NotFound => Some(&IO[0]),
            ErrorKind::PermissionDenied => Some(&IO[1]),
            ErrorKind::StorageFull | ErrorKind::QuotaExceeded | ErrorKind::FileTooLarge => {
                Some(&IO[2])
            }
            _ => Some(&IO[3]),
        })
    }
}

catalogue! {
    CodecError {
        Self::UnknownCodec { .. } => "codec-unknown":
            "Nothing was read or written."
            "List them: distdup codecs";
        Self::ShardCounts { .. }
        | Self::NoParity { .. }
        | Self::UnsupportedGeometry { .. }
        | Self::NamedGeometry { .. } => "codec-geometry":
            "Nothing was read or written."
            "Choose other -k and -n; distdup codecs says which each takes.";
        Self::UnknownParams { .. }
        | Self::NamedParams { .. }
        | Self::Unprotected { .. }
        | Self::NoEquations { .. }
        | Self::EquationCount { .. }
        | Self::EmptyEquation { .. }
        | Self::TermNotANumber { .. }
        | Self::TermOutOfRange { .. }
        | Self::TermTwice { .. } => "codec-parameters":
            "Nothing was read or written."
            "Give as many --equations as parity shards, such as 1^2^3,1^4^5.";
        Self::DataShards { .. }
        | Self::ParityShards { .. }
        | Self::Shards { .. }
        | Self::EmptyShard { .. }
        | Self::ShardLength { .. }
        | Self::ShardUnit { .. }
        | Self::NotRecoverable { .. }
        | Self::Kernel(_)
        | _ => "codec-misused":
            "No share was completed; nothing that was there was changed."
            "This is a mistake in distdup: please report it.";
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_unique_and_plain_and_all_is_said() {
        let mut codes: Vec<&str> = Vec::new();
        for entry in CATALOGUE.iter().flat_map(|chapter| chapter.entries) {
            let is_plain = |c: char| c.is_ascii_lowercase() || c == '-';
            assert!(entry.code.chars().all(is_plain), "{}", entry.code);
            assert!(!codes.contains(&entry.code), "{} twice", entry.code);
            for text in [entry.meaning, entry.next] {
                assert!(text.len() > 10 && !text.contains('\n'), "{}", entry.code);
            }
            codes.push(entry.code);
        }
    }

    #[test]
    fn an_error_within_another_is_found() {
        use crate::decode::{ChooseError, DecodeError};
        let inner = crate::sink::SinkError::Exists;
        let error = DecodeError::Output {
            offset: 0,
            source: inner.into(),
        };
        assert_eq!(entry_of(&error, &[]).unwrap().code, "output-failed");
        let io = error.source().unwrap();
        assert_eq!(entry_of(io, &[]).unwrap().code, "output-exists");
        let passing = DecodeError::Choose(ChooseError::NoShares {
            sources: 0,
            reasons: Vec::new(),
        });
        assert_eq!(entry_of(&passing, &[]).unwrap().code, "no-shares");
    }
}
