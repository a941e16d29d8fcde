//! The key that a share or a deletion marker has on a host.
//!
//! ```text
//! duplicity-full.20240101T000000Z.vol1.difftar.gpg~17a5f0c2e4b60000~<32 hex digits>~i3k4n6m5.share
//! duplicity-full.20240101T000000Z.vol1.difftar.gpg~17a5f0c2e4b60001~<32 hex digits>~n6m5.gone
//! ```
//!
//! A key says all that a listing has to be judged by, so that nothing is opened for it. There is
//! exactly one key for each meaning: what parses, renders to the same bytes.

use std::fmt;

use crate::catalogue::catalogue;

/// Longest key, in bytes. The rest of the usual 255 is for what a host wraps around a key
/// (temporary names).
pub const MAX_KEY: usize = 240;

/// Longest escaped name, in bytes. With it no key is longer than [`MAX_KEY`].
pub const MAX_ESCAPED: usize = 160;

/// Most hosts, and most shares, that a key can speak of.
const MAX_N: usize = 256;

/// The longest that follows the name: `~`, 16 digits, `~`, 32 digits, `~`, `i255k256n256m256`, `.share`.
const MAX_SUFFIX: usize = 1 + 16 + 1 + 32 + 1 + 16 + 6;
const _: () = assert!(MAX_ESCAPED + MAX_SUFFIX <= MAX_KEY);

/// Orders what was stored under one name: by generation, then by stream id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Version {
    /// Nanoseconds since 1970, unless more was needed.
    pub generation: u64,
    /// Id of the stream or of the marker: 16 random bytes.
    pub id: [u8; 16],
}

/// (k, n) of a stream and the number of hosts that had to take it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Shape {
    /// Data shards.
    pub k: usize,
    /// All shards.
    pub n: usize,
    /// The writer's commit rule.
    pub min_shares: usize,
}

/// What a key stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// A share.
    Share {
        /// Its index, below `shape.n`.
        index: usize,
        /// What it is a share of.
        shape: Shape,
    },
    /// A deletion marker.
    Marker {
        /// Hosts of the store.
        n: usize,
        /// How many of them had to take the marker.
        min_shares: usize,
    },
}

/// A key in its parts.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key {
    name: Vec<u8>,
    version: Version,
    kind: Kind,
}

/// Why an object cannot be stored under that name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// It has no bytes.
    #[error("the name of an object is empty")]
    Empty,
    /// File names have an end.
    #[error(
        "the name of an object is {escaped} bytes long once escaped, and at most {MAX_ESCAPED} fit; \
         it has {length} bytes, and other bytes than letters, digits and -._+,=@ take three each"
    )]
    TooLong {
        /// Bytes of the name.
        length: usize,
        /// Bytes of it, escaped.
        escaped: usize,
    },
}

catalogue! {
    NameError {
        Self::Empty | Self::TooLong { .. } => "object-name":
            "Nothing was read or written."
            "Choose a name of 1 to about 140 bytes.";
    }
}

impl Key {
    /// The key of a share or marker of the object `name`.
    ///
    /// # Errors
    /// [`NameError`] where the name cannot be stored.
    ///
    /// # Panics
    /// If the numbers of `kind` are not what a geometry can have.
    pub fn new(name: &[u8], version: Version, kind: Kind) -> Result<Self, NameError> {
        assert!(kind.is_possible(), "{kind:?} is the shape of no store");
        escape(name)?;
        Ok(Self {
            name: name.to_vec(),
            version,
            kind,
        })
    }

    /// The key that `text` is, or `None` if it is something else.
    pub fn parse(text: &str) -> Option<Self> {
        let mut parts = text.split('~');
        let (name, generation, id, rest) =
            (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
        let generation = u64::from_str_radix(generation, 16).ok()?;
        let id = u128::from_str_radix(id, 16).ok()?.to_be_bytes();
        let key = Self {
            name: unescape(name)?,
            version: Version { generation, id },
            kind: Kind::parse(rest)?,
        };
        // Rendering again refuses at once capitals, signs, leading zeros, further parts, and
        // characters escaped without need.
        (key.kind.is_possible() && escape(&key.name).is_ok() && key.to_string() == text)
            .then_some(key)
    }

    /// What every key of the object `name` starts with, and no other key does.
    ///
    /// # Errors
    /// As [`Key::new`].
    pub fn prefix(name: &[u8]) -> Result<String, NameError> {
        let mut prefix = escape(name)?;
        prefix.push('~');
        Ok(prefix)
    }

    /// Name of the object.
    pub fn name(&self) -> &[u8] {
        &self.name
    }

    /// Which of the object's generations.
    pub fn version(&self) -> Version {
        self.version
    }

    /// Share or marker.
    pub fn kind(&self) -> Kind {
        self.kind
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Version { generation, id } = self.version;
        let name = escape(&self.name).map_err(|_| fmt::Error)?;
        write!(
            f,
            "{name}~{generation:016x}~{:032x}~{}",
            u128::from_be_bytes(id),
            self.kind
        )
    }
}

impl Kind {
    /// Whether a store can have that shape.
    pub fn is_possible(self) -> bool {
        match self {
            Self::Share {
                index,
                shape: Shape { k, n, min_shares },
            } => index < n && (1..=n).contains(&k) && (1..=n).contains(&min_shares) && n <= MAX_N,
            Self::Marker { n, min_shares } => (1..=n).contains(&min_shares) && n <= MAX_N,
        }
    }

    fn parse(text: &str) -> Option<Self> {
        if let Some(numbers) = text.strip_suffix(".share") {
            let (index, rest) = numbers.strip_prefix('i')?.split_once('k')?;
            let (k, rest) = rest.split_once('n')?;
            let (n, min_shares) = rest.split_once('m')?;
            let shape = Shape {
                k: k.parse().ok()?,
                n: n.parse().ok()?,
                min_shares: min_shares.parse().ok()?,
            };
            Some(Self::Share {
                index: index.parse().ok()?,
                shape,
            })
        } else {
            let (n, min_shares) = text
                .strip_suffix(".gone")?
                .strip_prefix('n')?
                .split_once('m')?;
            Some(Self::Marker {
                n: n.parse().ok()?,
                min_shares: min_shares.parse().ok()?,
            })
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Share {
                index,
                shape: Shape { k, n, min_shares },
            } => {
                write!(f, "i{index}k{k}n{n}m{min_shares}.share")
            }
            Self::Marker { n, min_shares } => write!(f, "n{n}m{min_shares}.gone"),
        }
    }
}

/// Bytes that stand for themselves. A dot or a dash does not at the start of a name, where it would
/// hide a file, or look like an option. All else is `%` and two capital hex digits: also every byte
/// beyond ASCII, since some file systems change those.
fn is_plain(byte: u8, first: bool) -> bool {
    byte.is_ascii_alphanumeric() || b"_+,=@".contains(&byte) || (!first && b".-".contains(&byte))
}

fn escape(name: &[u8]) -> Result<String, NameError> {
    if name.is_empty() {
        return Err(NameError::Empty);
    }
    let mut escaped = String::with_capacity(name.len());
    for (at, &byte) in name.iter().enumerate() {
        if is_plain(byte, at == 0) {
            escaped.push(char::from(byte));
        } else {
            escaped.push('%');
            for digit in [byte >> 4, byte & 15] {
                escaped.push(char::from(b"0123456789ABCDEF"[usize::from(digit)]));
            }
        }
    }
    if escaped.len() > MAX_ESCAPED {
        return Err(NameError::TooLong {
            length: name.len(),
            escaped: escaped.len(),
        });
    }
    Ok(escaped)
}

/// Undoes [`escape`]; takes more than it gives, so compare.
fn unescape(text: &str) -> Option<Vec<u8>> {
    let mut name = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        name.push(if byte == b'%' {
            let high = char::from(bytes.next()?).to_digit(16)?;
            let low = char::from(bytes.next()?).to_digit(16)?;
            u8::try_from(high << 4 | low).ok()?
        } else {
            byte
        });
    }
    Some(name)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const VERSION: Version = Version {
        generation: 0x17a5_f0c2_e4b6_0000,
        id: [0xab; 16],
    };
    const SHARE: Kind = Kind::Share {
        index: 3,
        shape: Shape {
            k: 4,
            n: 6,
            min_shares: 5,
        },
    };

    #[test]
    fn keys_look_as_documented() {
        let key = |name: &[u8], kind| Key::new(name, VERSION, kind).unwrap().to_string();
        let id = "ab".repeat(16);
        assert_eq!(
            key(b"vol1.gpg", SHARE),
            format!("vol1.gpg~17a5f0c2e4b60000~{id}~i3k4n6m5.share")
        );
        assert_eq!(
            key(
                b"../a b\0\xff~-",
                Kind::Marker {
                    n: 6,
                    min_shares: 5
                }
            ),
            format!("%2E.%2Fa%20b%00%FF%7E-~17a5f0c2e4b60000~{id}~n6m5.gone"),
        );
    }

    #[test]
    fn what_is_no_key_does_not_parse() {
        let good = Key::new(b"a.b", VERSION, SHARE).unwrap().to_string();
        assert!(Key::parse(&good).is_some());
        let id = "ab".repeat(16);
        for bad in [
            String::new(),
            "distdup-host".into(),
            format!(".{good}.part"),
            format!("{good}~"),
            format!("x~{good}"),
            good.to_uppercase(),
            good.replace("a.b", ""),
            good.replace("a.b", "%61.b"),
            good.replace("a.b", "a/b"),
            good.replace("a.b", "%2e"),
            good.replace("a.b", "%2"),
            good.replace("a.b", "\u{e4}"),
            good.replace("a.b", &"a".repeat(MAX_ESCAPED + 1)),
            good.replace("i3", "i6"),
            good.replace("i3", "i03"),
            good.replace("i3", "i+3"),
            good.replace("k4", "k0"),
            good.replace("k4", "k7"),
            good.replace("m5", "m0"),
            good.replace("m5", "m7"),
            good.replace("n6", "n257"),
            good.replace("17a5", "17A5"),
            good.replace("17a5", "017a5"),
            good.replace("17a5", "+7a5"),
            good.replace(&id, &id[1..]),
            good.replace(".share", ".gone"),
            good.replace("share", "shares"),
        ] {
            assert_eq!(Key::parse(&bad), None, "{bad}");
        }
    }

    #[test]
    fn names_without_bytes_or_end_are_refused() {
        assert_eq!(Key::prefix(b""), Err(NameError::Empty));
        assert!(Key::prefix(&[b'a'; MAX_ESCAPED]).is_ok());
        assert_eq!(
            Key::prefix(&[b'a'; 161]),
            Err(NameError::TooLong {
                length: 161,
                escaped: 161
            })
        );
        assert_eq!(
            Key::prefix(&[0; 54]),
            Err(NameError::TooLong {
                length: 54,
                escaped: 162
            })
        );
        let longest = Kind::Share {
            index: 255,
            shape: Shape {
                k: 256,
                n: 256,
                min_shares: 256,
            },
        };
        let key = Key::new(&[b'a'; MAX_ESCAPED], VERSION, longest)
            .unwrap()
            .to_string();
        assert!(key.len() <= MAX_KEY, "{}", key.len());
    }

    fn kinds() -> impl Strategy<Value = Kind> {
        (1..=256_usize).prop_flat_map(|n| {
            prop_oneof![
                (0..n, 1..=n, 1..=n).prop_map(move |(index, k, min_shares)| Kind::Share {
                    index,
                    shape: Shape { k, n, min_shares }
                }),
                (1..=n).prop_map(move |min_shares| Kind::Marker { n, min_shares }),
            ]
        })
    }

    proptest! {
        #[test]
        fn every_name_comes_back(
            name in prop::collection::vec(any::<u8>(), 1..=53),
            generation: u64,
            id: [u8; 16],
            kind in kinds(),
        ) {
            let key = Key::new(&name, Version { generation, id }, kind).unwrap();
            let text = key.to_string();
            prop_assert!(text.bytes().all(|b| b.is_ascii_alphanumeric() || b"_+,=@.-%~".contains(&b)));
            prop_assert!(text.starts_with(&Key::prefix(&name).unwrap()));
            prop_assert!(!text.starts_with(['.', '-']));
            prop_assert_eq!(Key::parse(&text), Some(key));
        }

        #[test]
        fn what_parses_renders_the_same(text in "(%[0-9A-F]{2}|[a-z.~-]){0,8}~[0-9a-f+]{15,17}~[0-9a-f]{31,33}~(i[0-9]{1,2}k[0-9]n1?[0-9]m[0-9].share|n[0-9]m[0-9].gone)") {
            if let Some(key) = Key::parse(&text) {
                prop_assert_eq!(key.to_string(), text);
            }
        }

        #[test]
        fn no_name_is_the_prefix_of_another(a in prop::collection::vec(any::<u8>(), 1..9), b in prop::collection::vec(any::<u8>(), 1..9)) {
            prop_assume!(a != b);
            let key = Key::new(&a, VERSION, SHARE).unwrap().to_string();
            prop_assert!(!key.starts_with(&Key::prefix(&b).unwrap()));
        }
    }
}
