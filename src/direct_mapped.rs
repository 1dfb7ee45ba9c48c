//! A direct-mapped table: each key has exactly one place, and the last value stored there wins.
//!
//! Its size is constant, so nothing has to be evicted on purpose. Values must carry their key: a reader compares it
//! before it trusts the value.

/// A table of `PLACES` values. `PLACES` should be a power of two; then a look-up is one mask and one index.
#[derive(Debug)]
pub(crate) struct DirectMapped<T, const PLACES: usize>([T; PLACES]);

impl<T, const PLACES: usize> DirectMapped<T, PLACES> {
    pub(crate) const fn new(places: [T; PLACES]) -> Self {
        Self(places)
    }

    /// Returns the place of a key. Keys that differ in their low bits have different places.
    #[inline(always)]
    pub(crate) fn place(&self, key: u64) -> &T {
        &self.0[key as usize % PLACES]
    }
}
