//! A direct-mapped table: each key has exactly one place, and the last value stored there wins.
//!
//! Its size is constant, so nothing has to be evicted on purpose. Values must carry their key: a reader compares it
//! before it trusts the value.

use std::borrow::{Borrow, BorrowMut};
use std::marker::PhantomData;

/// A table of `PLACES` values. `PLACES` should be a power of two; then a look-up is one mask and one index.
///
/// The values are stored in place, as a thread-local needs it, or [boxed](BoxedDirectMapped).
#[derive(Debug)]
pub(crate) struct DirectMapped<T, const PLACES: usize, Storage = [T; PLACES]> {
    places: Storage,
    values: PhantomData<T>,
}

/// A table on the heap.
pub(crate) type BoxedDirectMapped<T, const PLACES: usize> = DirectMapped<T, PLACES, Box<[T; PLACES]>>;

impl<T, const PLACES: usize> DirectMapped<T, PLACES> {
    pub(crate) const fn new(places: [T; PLACES]) -> Self {
        Self { places, values: PhantomData }
    }
}

impl<T, const PLACES: usize> BoxedDirectMapped<T, PLACES> {
    /// Makes a table on the heap, without building it on the stack.
    pub(crate) fn boxed(make: impl Fn() -> T) -> Self {
        let places: Vec<T> = (0..PLACES).map(|_| make()).collect();
        // The length is right, so the conversion succeeds.
        let places = places.try_into().unwrap_or_else(|_| Box::new(std::array::from_fn(|_| make())));
        Self { places, values: PhantomData }
    }
}

impl<T, const PLACES: usize, Storage: Borrow<[T; PLACES]>> DirectMapped<T, PLACES, Storage> {
    /// Returns the place of a key. Keys that differ in their low bits have different places.
    #[inline(always)]
    pub(crate) fn place(&self, key: u64) -> &T {
        let places: &[T; PLACES] = self.places.borrow();
        &places[key as usize % PLACES]
    }

    /// Returns the place of a key, to store a value there.
    #[inline(always)]
    pub(crate) fn place_mut(&mut self, key: u64) -> &mut T
    where
        Storage: BorrowMut<[T; PLACES]>,
    {
        let places: &mut [T; PLACES] = self.places.borrow_mut();
        &mut places[key as usize % PLACES]
    }
}

#[cfg(test)]
mod tests {
    use super::{BoxedDirectMapped, DirectMapped};

    #[test]
    fn keys_that_differ_in_their_low_bits_have_different_places() {
        let mut boxed = BoxedDirectMapped::<u64, 8>::boxed(|| 0);
        (16..24).for_each(|key| *boxed.place_mut(key) = key);
        assert!((16..24).all(|key| *boxed.place(key) == key));
        *boxed.place_mut(32) = 32;
        assert_eq!((*boxed.place(16), *boxed.place(17)), (32, 17));
        let inline = DirectMapped::new([1, 2]);
        assert_eq!((*inline.place(4), *inline.place(7)), (1, 2));
    }
}
