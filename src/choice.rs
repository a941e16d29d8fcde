//! What a user says of a code, and what follows from it.

use std::sync::Arc;

use distdup_codecs::{Code, CodecError, Geometry, alias, resolve};

/// The code, or some of what makes one.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Choice<'a> {
    /// What the codec was called.
    pub codec: Option<&'a str>,
    /// Data shards.
    pub k: Option<usize>,
    /// All shards.
    pub n: Option<usize>,
    /// Parity equations, joined by commas.
    pub equations: Option<&'a str>,
}

impl<'a> Choice<'a> {
    /// What the codec is called: `rs` where nothing is said, `xor` where there are equations.
    pub fn codec(&self) -> &'a str {
        let default = if self.equations.is_some() {
            "xor"
        } else {
            "rs"
        };
        self.codec.unwrap_or(default)
    }

    /// Shards in all, as far as it follows from what is given; as many as there are hosts unless
    /// something else is said.
    pub fn n(&self, hosts: Option<usize>) -> Option<usize> {
        self.n
            .or(hosts)
            .or(self.named().map(|(_, n)| n))
            .or(self.k.zip(self.parity()).map(|(k, parity)| k + parity))
    }

    /// Shards that suffice, as far as it follows from what is given.
    pub fn k(&self, n: usize) -> Option<usize> {
        self.k
            .or((self.codec() == "copy").then_some(1))
            .or(self.named().map(|(k, _)| k))
            .or(self.parity().and_then(|parity| n.checked_sub(parity)))
    }

    /// The code with that geometry.
    ///
    /// # Errors
    /// There is none; see [`resolve`].
    pub fn code(&self, geometry: Geometry) -> Result<Arc<dyn Code>, CodecError> {
        resolve(self.codec(), geometry, self.equations)
    }

    /// The geometry that the name stands for.
    fn named(&self) -> Option<(usize, usize)> {
        alias(self.codec())?.geometry()
    }

    fn parity(&self) -> Option<usize> {
        Some(self.equations?.split(',').count())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_said_follows() {
        let choice = |codec, k, n, equations| Choice {
            codec,
            k,
            n,
            equations,
        };
        for (choice, hosts, codec, n, k) in [
            (choice(None, None, None, None), None, "rs", None, None),
            (
                choice(None, Some(2), None, None),
                Some(3),
                "rs",
                Some(3),
                Some(2),
            ),
            (
                choice(Some("copy"), None, Some(4), None),
                None,
                "copy",
                Some(4),
                Some(1),
            ),
            (
                choice(Some("xor:matland"), None, None, None),
                None,
                "xor:matland",
                Some(10),
                Some(6),
            ),
            (
                choice(Some("xor:matland"), None, None, None),
                Some(9),
                "xor:matland",
                Some(9),
                Some(6),
            ),
            (
                choice(None, None, None, Some("1^2,1")),
                Some(5),
                "xor",
                Some(5),
                Some(3),
            ),
            (
                choice(None, Some(4), None, Some("1^2,1")),
                None,
                "xor",
                Some(6),
                Some(4),
            ),
            (
                choice(None, None, None, Some("1,1,1")),
                Some(2),
                "xor",
                Some(2),
                None,
            ),
        ] {
            assert_eq!(choice.codec(), codec);
            assert_eq!(choice.n(hosts), n, "{choice:?}");
            assert_eq!(n.and_then(|n| choice.k(n)), k, "{choice:?}");
        }
    }
}
