//! Hash maps whose keys are addresses of call sites.

use std::hash::{BuildHasherDefault, Hasher};

/// Hashes an address: one multiplication spreads addresses well.
pub(crate) type AddressKeys = BuildHasherDefault<AddressHasher>;

#[derive(Debug, Default)]
pub(crate) struct AddressHasher(u64);

impl Hasher for AddressHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.write_usize(usize::from(*byte));
        }
    }

    #[inline]
    fn write_usize(&mut self, address: usize) {
        self.0 = (self.0 ^ address as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(32);
    }
}
