//! XXH3-128 of bytes. It finds accidents; it is no signature.

use std::fmt;

use xxhash_rust::xxh3::{Xxh3Default, xxh3_128};

/// Bytes of a digest.
pub const DIGEST_LEN: usize = 16;

/// An XXH3-128 in canonical (big-endian) order.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Digest([u8; DIGEST_LEN]);

impl Digest {
    /// The digest of `bytes`.
    pub fn of(bytes: &[u8]) -> Self {
        Self(xxh3_128(bytes).to_be_bytes())
    }

    /// The 16 bytes as they stand in a share.
    pub fn as_bytes(&self) -> &[u8; DIGEST_LEN] {
        &self.0
    }
}

impl From<[u8; DIGEST_LEN]> for Digest {
    fn from(bytes: [u8; DIGEST_LEN]) -> Self {
        Self(bytes)
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A digest over several pieces, as if they stood one after another.
#[derive(Clone, Default)]
pub struct Hasher(Xxh3Default);

impl Hasher {
    /// Of nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a piece.
    #[must_use]
    pub fn with(mut self, bytes: &[u8]) -> Self {
        self.update(bytes);
        self
    }

    /// Adds a piece in place.
    pub fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// The digest of all that was added.
    pub fn finish(&self) -> Digest {
        Digest(self.0.digest128().to_be_bytes())
    }
}

impl fmt::Debug for Hasher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Hasher({})", self.finish())
    }
}

/// A stripe's digest: over its data shards' digests in order, and its data length.
pub fn stripe_digest(data_shards: impl IntoIterator<Item = Digest>, data_len: u32) -> Digest {
    let mut hasher = Hasher::new();
    for shard in data_shards {
        hasher.update(shard.as_bytes());
    }
    hasher.with(&data_len.to_be_bytes()).finish()
}

/// The running digest of a stream, over its stripes' digests in order.
#[derive(Debug, Clone, Default)]
pub struct StreamDigest {
    hasher: Hasher,
    length: u64,
    stripes: u64,
}

/// What a stream came to: stands in every trailer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Totals {
    /// Bytes of the stream.
    pub length: u64,
    /// Stripes in it.
    pub stripes: u64,
    /// Digest over the stripes' digests and the length.
    pub digest: Digest,
}

impl StreamDigest {
    /// Adds the next stripe.
    pub fn push(&mut self, stripe: Digest, data_len: u32) {
        self.hasher.update(stripe.as_bytes());
        self.length += u64::from(data_len);
        self.stripes += 1;
    }

    /// Bytes of the stripes added so far.
    pub fn length(&self) -> u64 {
        self.length
    }

    /// Stripes added so far.
    pub fn stripes(&self) -> u64 {
        self.stripes
    }

    /// The totals, if the stream ends here.
    pub fn totals(&self) -> Totals {
        Totals {
            length: self.length,
            stripes: self.stripes,
            digest: self
                .hasher
                .clone()
                .with(&self.length.to_be_bytes())
                .finish(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digest_is_the_published_xxh3_128() {
        // From xxHash's own `xxhsum -H2` on an empty input and on "a".
        assert_eq!(
            Digest::of(b"").to_string(),
            "99aa06d3014798d86001c324468d497f"
        );
        assert_eq!(
            Digest::of(b"a").to_string(),
            "a96faf705af16834e6c632b61e964e1f"
        );
        assert_eq!(
            Hasher::new().with(b"").with(b"a").finish(),
            Digest::of(b"a")
        );
    }

    #[test]
    fn empty_stream_has_the_digest_of_its_length() {
        let totals = StreamDigest::default().totals();
        assert_eq!((totals.length, totals.stripes), (0, 0));
        assert_eq!(totals.digest, Digest::of(&[0; 8]));
    }
}
