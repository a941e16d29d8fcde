//! The first 2 to 4 bytes of a zfec share.
//!
//! Four numbers, each in as many bits as its largest value asks for, the first first: n - 1 in 8 bits;
//! k - 1 in as many as number n values; the padding in as many as number k; the share's index in as
//! many as number n. Zero bits fill the last byte, and there are at least 2.

/// What a zfec share says of itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    /// Shares that suffice.
    pub k: usize,
    /// Shares in all, at most 256.
    pub n: usize,
    /// Bytes of zero behind the stream, fewer than k.
    pub padding: usize,
    /// Which share it is, below n.
    pub index: usize,
}

/// As long as a header can be.
pub(super) const LONGEST: usize = 4;

impl Header {
    /// The header as it stands in a share.
    pub fn bytes(self) -> Vec<u8> {
        let (k_bits, padding_bits) = (bits(self.n), bits(self.k));
        let mut packed = self.n - 1;
        packed = packed << k_bits | (self.k - 1);
        packed = packed << padding_bits | self.padding;
        packed = packed << bits(self.n) | self.index;
        let used = 8 + k_bits + padding_bits + bits(self.n);
        let length = Self::length(used);
        let packed = u32::try_from(packed << (length * 8 - used)).expect("at most 32 bits");
        packed.to_be_bytes()[LONGEST - length..].to_vec()
    }

    /// The header at the start of `bytes`, and how many it takes. `None` where they are too few, or
    /// no header.
    pub fn parse(bytes: &[u8]) -> Option<(Self, usize)> {
        let mut padded = [0; LONGEST];
        let have = bytes.len().min(LONGEST);
        padded[..have].copy_from_slice(&bytes[..have]);
        let packed = u64::from(u32::from_be_bytes(padded));
        let mut used = 0;
        let mut take = |count: usize| {
            let value = (packed << used & 0xffff_ffff) >> (32 - count);
            used += count;
            usize::try_from(value).ok()
        };
        let n = take(8)? + 1;
        let k = take(bits(n))? + 1;
        let padding = take(bits(k))?;
        let index = take(bits(n))?;
        let length = Self::length(used);
        let is_one = have >= length && k <= n && padding < k && index < n;
        let header = Self {
            k,
            n,
            padding,
            index,
        };
        is_one.then_some((header, length))
    }

    fn length(bits: usize) -> usize {
        bits.div_ceil(8).max(2)
    }
}

/// Bits that number so many values.
fn bits(values: usize) -> usize {
    values.next_power_of_two().trailing_zeros() as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As zfec 1.6 packs them.
    #[test]
    fn headers_are_zfecs() {
        for (k, n, padding, index, bytes) in [
            (1, 1, 0, 0, &[0, 0][..]),
            (2, 3, 1, 2, &[0x02, 0x70]),
            (4, 6, 3, 5, &[0x05, 0x7d]),
            (200, 256, 199, 255, &[0xff, 0xc7, 0xc7, 0xff]),
        ] {
            let header = Header {
                k,
                n,
                padding,
                index,
            };
            assert_eq!(header.bytes(), bytes);
        }
    }

    #[test]
    fn every_width_is_read_back() {
        for n in 1..=256 {
            for k in [1, 2, 3, n / 2, n - 1, n]
                .into_iter()
                .filter(|k| (1..=n).contains(k))
            {
                for (padding, index) in [(0, 0), (k - 1, n - 1), (k / 2, n / 3)] {
                    let header = Header {
                        k,
                        n,
                        padding,
                        index,
                    };
                    let bytes = header.bytes();
                    let more = [&bytes[..], &[0xff; 3]].concat();
                    assert_eq!(Header::parse(&more), Some((header, bytes.len())));
                    assert_eq!(Header::parse(&bytes[..bytes.len() - 1]), None);
                }
            }
        }
    }

    #[test]
    fn what_cannot_be_is_none() {
        // (3, 5) has room for k up to 8 and indices up to 7.
        assert_eq!(Header::parse(&[4, 0b1110_0000, 0]), None);
        assert_eq!(Header::parse(&[4, 0b0100_0111]), None);
        assert_eq!(Header::parse(&[]), None);
    }
}
