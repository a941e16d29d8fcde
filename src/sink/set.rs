//! n outputs from what a user gave: one name with `{i}` in it, or n names; no two of them the same.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::Path;

use super::file::partial_name;
use super::is_path;
use crate::catalogue::catalogue;
use crate::place::Place;
use crate::quote::quote;

/// What stands for the index of a share in an output's name.
pub const INDEX: &str = "{i}";

/// Why names do not make n outputs.
#[derive(Debug, thiserror::Error)]
pub enum SetError {
    /// Neither one name with `{i}` nor n names.
    #[error(
        "{} given for {expected} shares (give {expected}, or one with {{i}} in it)",
        if *found == 1 { "1 name is".to_owned() } else { format!("{found} names are") }
    )]
    Count {
        /// How many names there are.
        found: usize,
        /// How many there should be.
        expected: usize,
    },
    /// `{i}` in one name of several.
    #[error(
        "{name} has {{i}} in it, but is one of {found} names (give one with {{i}}, or all without)"
    )]
    Mixed {
        /// The name.
        name: String,
        /// How many names there are.
        found: usize,
    },
    /// The number of shares is neither given nor to be seen from the outputs.
    #[error("{name} has {{i}} in it, so the number of shares must be given (-n)")]
    Open {
        /// The name.
        name: String,
    },
    /// Two names, one file.
    #[error("{first} and {second} are the same file")]
    Same {
        /// The first of the two.
        first: String,
        /// The second.
        second: String,
    },
    /// An output that is also read from.
    #[error("{output} would be written over {input}, which is being read")]
    Input {
        /// The output.
        output: String,
        /// What is read.
        input: String,
    },
}

catalogue! {
    SetError {
        Self::Count { .. } | Self::Mixed { .. } | Self::Open { .. } => "output-names":
            "Nothing was read or written."
            "Give one name for each share or host, or a single one with {i} in it; encode takes -n with that.";
        Self::Input { .. } => "output-read":
            "Nothing was written: what is read would have been lost."
            "Choose another name for the output, or leave what it would replace out of what is read.";
        Self::Same { .. } => "output-twice":
            "Nothing was read or written: a share would have been lost."
            "Give each share a file of its own, best on a host of its own.";
    }
}

/// The names of all outputs: `{i}` in a single name counts from 0; else there must be `n` names, or
/// any number where `n` is not given.
///
/// # Errors
/// The names do not make `n` outputs.
pub fn expand(names: &[OsString], n: Option<usize>) -> Result<Vec<OsString>, SetError> {
    let is_template = |name: &OsString| indexed(name, "").is_some();
    if let [name] = names
        && is_template(name)
    {
        let n = n.ok_or_else(|| SetError::Open {
            name: quote(name.as_encoded_bytes()),
        })?;
        return Ok((0..n)
            .filter_map(|i| indexed(name, &i.to_string()))
            .collect());
    }
    if let Some(name) = names.iter().find(|name| is_template(name)) {
        return Err(SetError::Mixed {
            name: quote(name.as_encoded_bytes()),
            found: names.len(),
        });
    }
    match n {
        Some(expected) if expected != names.len() => Err(SetError::Count {
            found: names.len(),
            expected,
        }),
        _ => Ok(names.to_vec()),
    }
}

/// Checks that no two of `outputs` are one file, by whatever name, and that none is one of `inputs`.
///
/// What a file is called while it is written counts too. A descriptor is what it leads to. Of commands
/// and URLs nothing is known here.
///
/// # Errors
/// Which two are the same.
pub fn distinct<'a>(
    outputs: impl IntoIterator<Item = &'a OsStr>,
    inputs: &[(String, Place)],
) -> Result<(), SetError> {
    let mut earlier: Vec<(String, Place)> = Vec::new();
    for output in outputs {
        let name = quote(output.as_encoded_bytes());
        let place = match descriptor(output) {
            Some(place) => place,
            None if is_path(output) => written(Path::new(output)),
            None => continue,
        };
        if let Some((input, _)) = inputs.iter().find(|(_, input)| input.meets(&place)) {
            return Err(SetError::Input {
                output: name,
                input: input.clone(),
            });
        }
        if let Some((first, _)) = earlier.iter().find(|(_, other)| other.meets(&place)) {
            return Err(SetError::Same {
                first: first.clone(),
                second: name,
            });
        }
        earlier.push((name, place));
    }
    Ok(())
}

/// Whether writing to `output` would harm `input` while that is still read. A file that is replaced
/// by a whole one can be read to its end; what it is called until then must not be in use.
pub fn disturbs(output: &OsStr, input: &Place) -> bool {
    is_path(output) && partial(Path::new(output)).is_some_and(|place| place.meets(input))
}

/// Where `fd:N` leads, or `-`.
fn descriptor(output: &OsStr) -> Option<Place> {
    let bytes = output.as_encoded_bytes();
    let number = match bytes {
        b"-" => b"1",
        _ => bytes.strip_prefix(b"fd:")?,
    };
    let link = Path::new("/proc/self/fd").join(OsStr::from_bytes(number));
    // What is not open is refused later, and by its name.
    link.exists().then(|| Place::of(&link))
}

fn written(path: &Path) -> Place {
    let mut place = Place::of(path);
    if let Some(partial) = partial(path) {
        place.include(partial);
    }
    place
}

/// Where the file at `path` is until it is whole; pipes and devices are written to as they are.
fn partial(path: &Path) -> Option<Place> {
    fs::metadata(path)
        .map_or(true, |found| found.is_file())
        .then(|| {
            let target = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
            Place::of(&partial_name(&target))
        })
}

/// `name` with its every `{i}` replaced; `None` where it has none.
fn indexed(name: &OsStr, index: &str) -> Option<OsString> {
    let mut rest = name.as_bytes();
    let mut whole = Vec::new();
    while let Some(at) = rest
        .windows(INDEX.len())
        .position(|window| window == INDEX.as_bytes())
    {
        whole.extend_from_slice(&rest[..at]);
        whole.extend_from_slice(index.as_bytes());
        rest = &rest[at + INDEX.len()..];
    }
    if rest.len() == name.len() {
        return None;
    }
    whole.extend_from_slice(rest);
    Some(OsString::from_vec(whole))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    fn names(names: &[&str]) -> Vec<OsString> {
        names.iter().map(OsString::from).collect()
    }

    #[test]
    fn one_template_or_n_names() {
        assert_eq!(
            expand(&names(&["s{i}"]), Some(3)).unwrap(),
            names(&["s0", "s1", "s2"])
        );
        assert_eq!(
            expand(&names(&["exec:ssh h{i} 'cat > d{i}/s'"]), Some(2)).unwrap(),
            names(&["exec:ssh h0 'cat > d0/s'", "exec:ssh h1 'cat > d1/s'"])
        );
        assert_eq!(
            expand(&names(&["a", "b"]), Some(2)).unwrap(),
            names(&["a", "b"])
        );
        assert_eq!(
            expand(&names(&["a", "b", "c"]), None).unwrap(),
            names(&["a", "b", "c"])
        );
        assert_eq!(expand(&names(&["a"]), Some(1)).unwrap(), names(&["a"]));
    }

    #[test]
    fn names_that_do_not_fit_are_refused() {
        for (given, n, expected) in [
            (&["a", "b"][..], Some(3), "2 names are given for 3 shares"),
            (&["a"], Some(3), "1 name is given for 3 shares"),
            (
                &["s{i}", "b"],
                Some(2),
                "s{i} has {i} in it, but is one of 2",
            ),
            (&["s{i}"], None, "must be given (-n)"),
        ] {
            let error = expand(&names(given), n).unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
        }
    }

    #[test]
    fn one_file_by_two_names_is_found() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name).into_os_string();
        fs::write(at("a"), "").unwrap();
        fs::hard_link(at("a"), at("hard")).unwrap();
        symlink(at("a"), at("soft")).unwrap();
        fs::create_dir(at("d")).unwrap();
        symlink(at("d"), at("e")).unwrap();
        let check = |outputs: &[&str], input: Option<&str>| {
            let outputs: Vec<_> = outputs.iter().map(|name| at(name)).collect();
            let inputs: Vec<_> = input
                .map(|name| ("the input".to_owned(), Place::of(Path::new(&at(name)))))
                .into_iter()
                .collect();
            distinct(outputs.iter().map(OsString::as_os_str), &inputs)
        };

        check(&["a", "b", "c"], Some("in")).unwrap();
        for same in [
            ["a", "a"],
            ["a", "hard"],
            ["soft", "a"],
            ["d/new", "e/new"],
            ["d/new", "d/../d/new"],
            ["b", "b.partial"],
        ] {
            let error = check(&same, None).unwrap_err();
            assert!(matches!(error, SetError::Same { .. }), "{same:?}: {error}");
        }
        for (output, input) in [("a", "hard"), ("soft", "a"), ("b", "b.partial")] {
            let error = check(&["x", output], Some(input)).unwrap_err();
            assert!(
                matches!(error, SetError::Input { .. }),
                "{output} {input}: {error}"
            );
        }
    }

    #[test]
    fn what_is_read_may_be_replaced_but_not_written_over() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        fs::write(at("s"), "").unwrap();
        fs::write(at("s.partial"), "").unwrap();
        assert!(!disturbs(at("s").as_os_str(), &Place::of(&at("s"))));
        assert!(disturbs(at("s").as_os_str(), &Place::of(&at("s.partial"))));
        assert!(!disturbs(
            OsStr::new("exec:cat > s"),
            &Place::of(&at("s.partial"))
        ));
    }

    #[test]
    fn what_is_no_file_is_not_compared() {
        let outputs = ["exec:cat", "exec:cat", "/dev/null", "/dev/null"];
        distinct(outputs.iter().map(OsStr::new), &[]).unwrap();
    }
}
