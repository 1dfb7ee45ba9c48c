//! The ids of a block, in few bits: a Bloom filter.
//!
//! It may say that an id is there that is not, about once in 2,000 times, and never the opposite. Filters with fewer bits, such as a
//! binary fuse filter, would save about a tenth, but have parts that a damaged file could break.
//!
//! Source: Kirsch and Mitzenmacher, *Less Hashing, Same Performance: Building a Better Bloom Filter*.

use std::hash::Hasher;

use siphasher::sip::SipHasher13;

const BITS_OF_ID: usize = 16;

/// In fewer bytes, an id would set most of the bits.
const MIN_BYTES: usize = 16;

/// How many bits an id sets: the best number for [`BITS_OF_ID`].
const PROBES: u32 = 11;

/// The bits of a filter.
#[derive(Clone, Copy, Debug)]
pub(super) struct Filter<'b>(&'b [u8]);

impl<'b> Filter<'b> {
    /// `bytes`: what [`built`] returned. Without bytes, it has no ids.
    pub(super) fn new(bytes: &'b [u8]) -> Self {
        Self(bytes)
    }

    pub(super) fn may_have(self, id: u64) -> bool {
        places(id, self.0.len()).all(|(byte, bit)| self.0.get(byte).is_some_and(|bits| bits & bit != 0))
    }
}

/// Returns the bits of a filter with these ids.
pub(super) fn built(ids: &[u64]) -> Vec<u8> {
    let least = if ids.is_empty() { 0 } else { MIN_BYTES };
    let mut bits = vec![0; (ids.len() * BITS_OF_ID).div_ceil(8).max(least)];
    let bytes = bits.len();
    for (byte, bit) in ids.iter().flat_map(|id| places(*id, bytes)) {
        if let Some(bits) = bits.get_mut(byte) {
            *bits |= bit;
        }
    }
    bits
}

/// Returns the places of an id among the bits of so much: the byte, and the bit in it.
fn places(id: u64, bytes: usize) -> impl Iterator<Item = (usize, u8)> {
    let (start, step) = (id as u32, (id >> 32) as u32 | 1);
    (0..PROBES).map(move |probe| {
        let number = u64::from(start.wrapping_add(probe.wrapping_mul(step)));
        let bit = (number * (bytes as u64 * 8)) >> 32;
        ((bit / 8) as usize, 1 << (bit % 8))
    })
}

/// Returns the hash of an id, whatever the case of its letters.
pub(super) fn hash(id: &str) -> u64 {
    let mut hasher = SipHasher13::new();
    for part in id.as_bytes().chunks(64) {
        let mut lower = [0; 64];
        let lower = lower.get_mut(..part.len()).unwrap_or_default();
        lower.copy_from_slice(part);
        lower.make_ascii_lowercase();
        hasher.write(lower);
    }
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_id_is_missing_and_few_are_too_many() {
        for count in [0, 1, 10, 1000, 100_000] {
            let ids: Vec<_> = (0..count).map(|number| hash(&format!("R-{number}"))).collect();
            let bits = built(&ids);
            let filter = Filter::new(&bits);
            assert!((0..count).all(|number| filter.may_have(hash(&format!("r-{number}")))));
            let wrong = (0..100_000).filter(|number| filter.may_have(hash(&format!("s-{number}")))).count();
            assert!(wrong < 200, "{wrong} of 100,000 with {count} ids");
        }
    }

    #[test]
    fn a_long_id_is_hashed_as_a_whole() {
        let long = "x".repeat(200);
        assert_ne!(hash(&long), hash(&long[..199]));
        assert_eq!(hash(&long), hash(&long.to_uppercase()));
    }
}
