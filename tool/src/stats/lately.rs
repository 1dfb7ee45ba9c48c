//! What is known of the texts that came lately, which most often come again.

/// A power of two. Each has a place for one text.
const PLACES: usize = 256;

/// Longer texts are not kept, in bytes.
const MAX_TEXT: usize = 56;

/// Knows something of some of the last texts. It takes a constant amount of memory, and less time than a hash table that
/// nobody can fill with collisions: here, one only makes it forget.
#[derive(Clone, Debug)]
pub(super) struct Lately<T>(Vec<Option<Known<T>>>);

#[derive(Clone, Debug)]
struct Known<T> {
    bytes: [u8; MAX_TEXT],
    length: usize,
    what: T,
}

impl<T> Default for Lately<T> {
    fn default() -> Self {
        Self(std::iter::repeat_with(|| None).take(PLACES).collect())
    }
}

impl<T> Lately<T> {
    /// Returns what is known of a text.
    #[inline]
    pub(super) fn get(&mut self, text: &[u8]) -> Option<&mut T> {
        let known = self.0.get_mut(place(text))?.as_mut()?;
        (known.bytes.get(..known.length)? == text).then_some(&mut known.what)
    }

    /// Keeps what is known of a text. Returns what has to be forgotten for it: `what` itself for a text that is too long.
    pub(super) fn put(&mut self, text: &[u8], what: T) -> Option<T> {
        let mut bytes = [0; MAX_TEXT];
        let (Some(start), Some(known)) = (bytes.get_mut(..text.len()), self.0.get_mut(place(text))) else {
            return Some(what);
        };
        start.copy_from_slice(text);
        known.replace(Known { bytes, length: text.len(), what }).map(|known| known.what)
    }

    /// Forgets all, and returns it.
    pub(super) fn take(&mut self) -> impl Iterator<Item = T> + use<'_, T> {
        self.0.iter_mut().filter_map(Option::take).map(|known| known.what)
    }
}

/// Mixes the ends of a text, where texts differ most.
fn place(text: &[u8]) -> usize {
    let mixed = match (text.first_chunk(), text.last_chunk()) {
        (Some(first), Some(last)) => u64::from_le_bytes(*first) ^ u64::from_le_bytes(*last).rotate_left(31),
        _ => text.iter().fold(0, |mixed, byte| mixed << 8 | u64::from(*byte)),
    };
    // Fibonacci hashing: the upper bits depend on all.
    ((mixed ^ text.len() as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> (u64::BITS - PLACES.ilog2())) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_known_until_another_one_takes_its_place() {
        let mut lately = Lately::default();
        let texts: Vec<String> = (0..10 * PLACES).map(|number| format!("text {number}")).collect();
        let mut forgotten = 0;
        for (number, text) in texts.iter().enumerate() {
            assert_eq!(lately.get(text.as_bytes()), None);
            forgotten += usize::from(lately.put(text.as_bytes(), number).is_some());
            assert_eq!(lately.get(text.as_bytes()), Some(&mut { number }));
        }
        for (number, text) in texts.iter().enumerate() {
            assert!(lately.get(text.as_bytes()).is_none_or(|known| *known == number));
        }
        assert_eq!(lately.take().count() + forgotten, texts.len());
        assert_eq!(lately.take().count(), 0);
    }

    #[test]
    fn a_text_that_is_too_long_is_not_kept() {
        let mut lately = Lately::default();
        let (longest, longer) = ([b'x'; MAX_TEXT], [b'x'; MAX_TEXT + 1]);
        assert_eq!((lately.put(&longest, 1), lately.put(&longer, 2), lately.put(b"", 3)), (None, Some(2), None));
        assert_eq!((lately.get(&longest).copied(), lately.get(b"").copied()), (Some(1), Some(3)));
        assert_eq!(lately.get(&longer), None);
    }
}
