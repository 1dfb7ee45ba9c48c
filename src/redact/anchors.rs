//! Anchors: the places of a text where a secret may be, found with a few instructions per byte.
//!
//! Nearly every secret follows a word: a listed name, `Bearer`, the `ghp` of a token, a command. One table tells, by
//! the last three letters of a word, whether it may be such a word. The others have a mark (`@`, `A`, `J`) or four
//! digits in a row. Texts without anchors hold no secret; [`walk`](Anchors::walk) is all that they
//! cost.
//!
//! The bytes are judged a block at a time: one bit for each says whether it is a letter, a digit or a mark.

use super::blocks::{BLOCK, Classes};

/// What an anchor may announce.
pub(super) mod kind {
    /// The end of a word that may end a listed name.
    pub(crate) const NAME: u8 = 1;
    /// The end of `Bearer` or `Basic`.
    pub(crate) const SCHEME: u8 = 2;
    /// The end of the first letters of a known prefix.
    pub(crate) const PREFIX: u8 = 4;
    /// The end of a command that takes a secret as an argument.
    pub(crate) const COMMAND: u8 = 8;
    /// The end of a name whose value is secret in one form only.
    pub(crate) const SPECIAL: u8 = 16;
    /// A byte that is `@`, `A` or `J`.
    pub(crate) const MARK: u8 = 32;
    /// The first of four or more digits.
    pub(crate) const DIGITS: u8 = 64;
}

const PLACES: usize = 8192;

/// Which words are anchors, by their last three letters.
#[derive(Debug)]
pub(super) struct Anchors {
    kinds: Box<[u8; PLACES]>,
    /// All bits if a word of one letter may be an anchor.
    short: u32,
    /// Two to six last letters of these words, as bits.
    endings: Box<[u64; ENDINGS / 64]>,
}

/// The bits for the endings of words.
const ENDINGS: usize = 16_384;

/// Returns the bit of the last `letters` letters of a word. They are the upper bytes.
#[inline(always)]
fn ending(word: u64, letters: u32) -> usize {
    (((word & u64::from_le_bytes([0x1f; 8])) >> (64 - 8 * letters)).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 50) as usize
}

/// Returns the place of three letters, whatever their case. They are the upper three bytes, the last letter uppermost.
#[inline(always)]
fn place(letters: u32) -> usize {
    ((letters & 0x1f_1f_1f_00).wrapping_mul(0x9e37_79b1) >> 19) as usize
}

impl Anchors {
    pub(super) fn new() -> Self {
        Self { kinds: Box::new([0; PLACES]), short: 0, endings: Box::new([0; ENDINGS / 64]) }
    }

    /// Adds the words that end with `ending`. `last_word`: how many of its bytes are surely in one word.
    pub(super) fn add(&mut self, ending: &[u8], last_word: usize, kind: u8) {
        let digits = ending.iter().rev().take_while(|byte| byte.is_ascii_digit()).count();
        let letters = ending.get(..ending.len() - digits).unwrap_or_default();
        let last_word = last_word.saturating_sub(digits).min(letters.len());
        match *letters {
            // A name of digits is found in JSON, and as the name of a field.
            [] if !ending.is_empty() => {}
            [.., one, two, three] if last_word >= 3 => {
                self.set([one, two, three], kind);
                let known = last_word.min(6);
                self.set_ending(letters.get(letters.len() - known..).unwrap_or_default());
            }
            [.., two, three] if last_word == 2 => (0..32).for_each(|one| {
                self.set([one, two, three], kind);
                self.set_ending(&[two, three]);
            }),
            // Every word may end it.
            _ => {
                self.short = u32::MAX;
                *self.endings = [u64::MAX; ENDINGS / 64];
                self.kinds.iter_mut().for_each(|kinds| *kinds |= kind);
            }
        }
    }

    fn set(&mut self, [one, two, three]: [u8; 3], kind: u8) {
        if let Some(kinds) = self.kinds.get_mut(place(u32::from_le_bytes([0, one, two, three]))) {
            *kinds |= kind;
        }
    }

    fn set_ending(&mut self, letters: &[u8]) {
        let word = letters.iter().fold(0, |word, byte| word >> 8 | u64::from(*byte) << 56);
        let bit = ending(word, letters.len() as u32);
        if let Some(bits) = self.endings.get_mut(bit / 64) {
            *bits |= 1 << (bit % 64);
        }
    }

    /// Returns whether the word that ends at `end` may be one of the words: looks at more letters than their places do.
    #[inline(never)]
    fn may_end(&self, text: &[u8], end: usize) -> bool {
        let eight = text.get(end.wrapping_sub(8)..end).and_then(<[u8]>::first_chunk::<8>);
        let word = match eight {
            Some(eight) => u64::from_le_bytes(*eight),
            None => text.get(..end).unwrap_or_default().iter().fold(0, |word, byte| word >> 8 | u64::from(*byte) << 56),
        };
        (2..=6).any(|letters| {
            let bit = ending(word, letters);
            self.endings.get(bit / 64).is_some_and(|bits| bits >> (bit % 64) & 1 == 1)
        })
    }

    /// Calls `found` with the position and the kind of each anchor, block by block, until it returns true. Returns
    /// whether it did.
    #[inline]
    pub(super) fn walk(&self, text: &[u8], mut found: impl FnMut(usize, u8) -> bool) -> bool {
        let mut first = first_window(text);
        let mut before = Classes::default();
        // The last block begins before the end of the one before it, unless their bytes divide evenly.
        let (mut base, mut overlap) = (0usize, 0);
        loop {
            // A last block near the start of the text has fewer bytes before it, too.
            if 0 < base && base < BEFORE {
                first = first_window(text.get(base..).unwrap_or_default());
            }
            let window = match text.get(base.wrapping_sub(BEFORE)..).and_then(<[u8]>::first_chunk) {
                Some(window) => window,
                None => &first,
            };
            let classes = Classes::of(window.last_chunk().unwrap_or(&[0; BLOCK]));
            let fresh = u32::MAX << overlap;
            let back = |count: u32| classes.letters << count | before.letters >> (BLOCK as u32 - count);
            let mut ends = back(1) & (back(2) | self.short) & !classes.letters & fresh;
            while ends != 0 {
                let end = ends.trailing_zeros() as usize % BLOCK;
                ends &= ends - 1;
                let kind = self.kind(window, end);
                if kind != 0 && self.may_end(text, base + end) && found(base + end, kind) {
                    return true;
                }
            }
            // The fourth digit of each run.
            let digits = u64::from(classes.digits) << BLOCK | u64::from(before.digits);
            let pairs = digits & digits << 1;
            let runs = pairs & pairs << 2;
            if ((runs >> BLOCK) as u32 | classes.marks) & fresh != 0 {
                let fourth = ((runs & !(runs << 1)) >> BLOCK) as u32;
                if each(fourth & fresh, |at| found((base + at).saturating_sub(3), kind::DIGITS))
                    || each(classes.marks & fresh, |at| found(base + at, kind::MARK))
                {
                    return true;
                }
            }
            let next = base + BLOCK;
            if next >= text.len() {
                let kind = if classes.letters >> (BLOCK - 1) == 1 { self.kind(window, BLOCK) } else { 0 };
                return kind != 0 && self.may_end(text, text.len()) && found(text.len(), kind);
            }
            base = next.min(text.len() - BLOCK);
            overlap = next - base;
            before = classes.shifted(overlap);
        }
    }

    /// Returns what the word that ends at a place of a block may announce.
    #[inline(always)]
    fn kind(&self, window: &[u8; BEFORE + BLOCK], end: usize) -> u8 {
        let four = window.get(end..end + BEFORE).and_then(<[u8]>::first_chunk).unwrap_or(&[0; BEFORE]);
        self.kinds.get(place(u32::from_le_bytes(*four))).copied().unwrap_or(0)
    }
}

/// This many bytes before a block are looked at with it.
const BEFORE: usize = 4;

/// Returns the first block of a text, with zeros before it; and after it, if the text is shorter.
#[inline(always)]
fn first_window(text: &[u8]) -> [u8; BEFORE + BLOCK] {
    let mut window = [0; BEFORE + BLOCK];
    if let Some(block) = window.last_chunk_mut::<BLOCK>() {
        match text.first_chunk() {
            Some(first) => *block = *first,
            None => {
                if let Some(start) = block.get_mut(..text.len()) {
                    start.copy_from_slice(text);
                }
            }
        }
    }
    window
}

/// Calls `found` with the place of each bit until it returns true. Returns whether it did.
#[inline(always)]
fn each(mut bits: u32, mut found: impl FnMut(usize) -> bool) -> bool {
    while bits != 0 {
        let at = bits.trailing_zeros() as usize;
        bits &= bits - 1;
        if found(at) {
            return true;
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// The walk finds what a look at each byte finds.
        #[test]
        fn no_anchor_is_missed(text in "([a-d0-3@AJ ,é]|[0-3]{4,9}){0,40}") {
            let mut anchors = Anchors::new();
            anchors.add(b"abc", 3, kind::NAME);
            anchors.add(b"d1", 2, kind::SCHEME);
            let bytes = text.as_bytes();
            let mut found = Vec::new();
            anchors.walk(bytes, |at, kind| {
                found.push((at, kind));
                false
            });
            let is_letter = |at: usize| bytes.get(at).is_some_and(|byte| byte.is_ascii_alphabetic() || !byte.is_ascii());
            for at in 0..=bytes.len() {
                let is_end = at > 0 && is_letter(at - 1) && !is_letter(at);
                if is_end && bytes[..at].to_ascii_lowercase().ends_with(b"abc") {
                    prop_assert!(found.iter().any(|(end, kind)| *end == at && kind & kind::NAME != 0), "{at}");
                }
                let digits = bytes[at..].iter().take_while(|byte| byte.is_ascii_digit()).count();
                let is_run = digits >= 4 && !(at > 0 && bytes[at - 1].is_ascii_digit());
                let is_mark = bytes.get(at).is_some_and(|byte| b"@AJ".contains(byte));
                prop_assert!(!is_run || found.contains(&(at, kind::DIGITS)), "{at}");
                prop_assert!(!is_mark || found.contains(&(at, kind::MARK)), "{at}");
            }
        }
    }
}
