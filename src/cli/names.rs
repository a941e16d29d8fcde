//! Sources and outputs as a user names them, opened and held against each other.

use std::error::Error;
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use anyhow::Context;
use distdup::format::header::{self, MAX_HEADER};
use distdup::place::Place;
use distdup::quote::quote;
use distdup::sink::set::{self, SetError};
use distdup::sink::{self, Sink, SinkError, Unavailable};
use distdup::source::{self, Source};

use super::Usage;

/// The sources of these names.
pub fn sources(names: &[OsString]) -> anyhow::Result<Vec<Box<dyn Source>>> {
    let source = |name: &OsString| {
        source::parse(name)
            .map_err(Usage::new)
            .with_context(|| format!("cannot read from {}", quote(name.as_encoded_bytes())))
    };
    names.iter().map(source).collect()
}

/// What the sources of these names read, for comparison with what is written.
pub fn places(names: &[OsString]) -> Vec<(String, Place)> {
    names
        .iter()
        .filter(|name| source::is_path(name))
        .map(|name| (quote(name.as_encoded_bytes()), Place::of(Path::new(name))))
        .collect()
}

/// The sink of this name.
pub fn sink(name: &OsStr, options: sink::Options) -> anyhow::Result<Box<dyn Sink>> {
    opened(name, sink::parse(name, options))
}

fn opened(name: &OsStr, sink: Result<Box<dyn Sink>, SinkError>) -> anyhow::Result<Box<dyn Sink>> {
    let wrong = |error: SinkError| {
        if is_wrong(&error) {
            anyhow::Error::from(Usage::new(error))
        } else {
            error.into()
        }
    };
    sink.map_err(wrong)
        .with_context(|| format!("cannot write to {}", quote(name.as_encoded_bytes())))
}

/// The sinks of these names, of which as many as `spare` may be lost: by a disk that is not mounted, or
/// that fails. More are more likely a mistake in a name, which is better told before anything is read.
pub fn sinks(
    names: &[OsString],
    options: sink::Options,
    spare: usize,
) -> anyhow::Result<Vec<Box<dyn Sink>>> {
    let mut lost = 0;
    let sink = |name: &OsString| match sink::parse(name, options) {
        Err(error @ (SinkError::NoFolder { .. } | SinkError::Io(_))) if lost < spare => {
            lost += 1;
            let (name, error) = (quote(name.as_encoded_bytes()), error.into());
            Ok(Box::new(Unavailable { name, error }) as Box<dyn Sink>)
        }
        sink => opened(name, sink),
    };
    names.iter().map(sink).collect()
}

/// Whether it is the name that is wrong, whatever is there.
fn is_wrong(error: &SinkError) -> bool {
    matches!(
        error,
        SinkError::Scheme { .. } | SinkError::NoCommand | SinkError::Descriptor(_)
    )
}

/// The same of what stands in an error of the system's.
pub fn are_wrong(error: &io::Error) -> bool {
    let mut next: Option<&(dyn Error + 'static)> = error.get_ref().map(|inner| inner as _);
    while let Some(error) = next {
        if error.is::<SetError>() || error.downcast_ref().is_some_and(is_wrong) {
            return true;
        }
        next = error.source();
    }
    false
}

/// Refuses outputs of which two are the same, or one is read.
pub fn distinct(outputs: &[OsString], inputs: &[(String, Place)]) -> anyhow::Result<()> {
    Ok(set::distinct(outputs.iter().map(OsString::as_os_str), inputs).map_err(Usage::new)?)
}

/// Whether a file ends within the header of a share, is empty, or is not there, so that nothing is
/// lost where it is written over.
pub fn is_remnant(name: &OsStr) -> bool {
    let path = Path::new(name);
    let read = || {
        let mut bytes = Vec::new();
        let file = File::open(path)?;
        file.take(MAX_HEADER as u64).read_to_end(&mut bytes)?;
        Ok::<_, io::Error>(bytes)
    };
    let ends_early = || read().is_ok_and(|bytes| matches!(header::decode(&bytes), Ok(None)));
    source::is_path(name) && (!path.exists() || path.is_file() && ends_early())
}

/// Whether one of the names is standard output.
pub fn has_stdout(names: &[OsString]) -> bool {
    names.iter().any(|name| name == "-" || name == "fd:1")
}
