//! Anchors: the places of a text where a secret may be, found with a few instructions per byte.
//!
//! Nearly every secret follows a word: a listed name, `Bearer`, the `ghp` of a token, a command. One table tells, by
//! the last three letters of a word, whether it may be such a word. The others have a mark (`@`, `A`, `J`) or four
//! digits in a row. Texts without anchors hold no secret; [`Walk::of`] is all that they cost. It judges all texts of a
//! record at once.
//!
//! The bytes are judged a block at a time: one bit for each says whether it is a letter, a digit or a mark.

use super::blocks::{BEFORE, BLOCK, Classes, QUARTER, Window};
use super::{cards, shapes};

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
    /// The letters that may stand before the last three, as bits.
    fourths: Box<[u32; PLACES]>,
    /// All bits if a word of one letter may be an anchor.
    short: u64,
    /// Two to six last letters of these words, as bits.
    endings: Box<[u64; ENDINGS / 64]>,
    /// The kinds of words of two letters.
    of_two: u8,
}

/// The bits for the endings of words.
const ENDINGS: usize = 65_536;

/// Returns the bit of the last `letters` letters of a word. They are the upper bytes.
#[inline(always)]
fn ending(word: u64, letters: u32) -> usize {
    (((word & u64::from_le_bytes([0x1f; 8])) >> (64 - 8 * letters)).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 48) as usize
}

/// Returns the place of three letters, whatever their case. They are the upper three bytes, the last letter uppermost.
#[inline(always)]
fn place(letters: u32) -> usize {
    ((letters & 0x1f_1f_1f_00).wrapping_mul(0x9e37_79b1) >> 19) as usize
}

impl Anchors {
    pub(super) fn new() -> Self {
        Self {
            kinds: Box::new([0; PLACES]),
            fourths: Box::new([0; PLACES]),
            short: 0,
            endings: Box::new([0; ENDINGS / 64]),
            of_two: 0,
        }
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
                let known = last_word.min(6);
                let known = letters.get(letters.len() - known..).unwrap_or_default();
                let fourth = known.len().checked_sub(4).and_then(|at| known.get(at));
                self.set([one, two, three], fourth.map_or(u32::MAX, |letter| 1 << (letter & 31)), kind);
                self.set_ending(known);
            }
            [.., two, three] if last_word == 2 => {
                (0..32).for_each(|one| self.set([one, two, three], u32::MAX, kind));
                self.set_ending(&[two, three]);
                self.of_two |= kind;
            }
            // Every word may end it.
            _ => {
                self.short = u64::MAX;
                self.of_two = u8::MAX;
                *self.endings = [u64::MAX; ENDINGS / 64];
                self.kinds.iter_mut().for_each(|kinds| *kinds |= kind);
                *self.fourths = [u32::MAX; PLACES];
            }
        }
    }

    fn set(&mut self, [one, two, three]: [u8; 3], fourth: u32, kind: u8) {
        let place = place(u32::from_le_bytes([0, one, two, three]));
        if let (Some(kinds), Some(fourths)) = (self.kinds.get_mut(place), self.fourths.get_mut(place)) {
            *kinds |= kind;
            *fourths |= fourth;
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
    fn may_end(&self, text: &[u8], end: usize, kind: u8) -> bool {
        let eight = text.get(end.wrapping_sub(8)..end).and_then(<[u8]>::first_chunk::<8>);
        let word = match eight {
            Some(eight) => u64::from_le_bytes(*eight),
            None => text.get(..end).unwrap_or_default().iter().fold(0, |word, byte| word >> 8 | u64::from(*byte) << 56),
        };
        let is_known = |letters: u32| {
            let bit = ending(word, letters);
            self.endings.get(bit / 64).is_some_and(|bits| bits >> (bit % 64) & 1 == 1)
        };
        (3..=6).any(is_known) || (kind & self.of_two != 0 && is_known(2))
    }

    /// Returns what the word that ends at a place of a block may announce, by its last three letters.
    #[inline(always)]
    fn kind<const N: usize>(&self, window: &[u8; N], end: usize) -> u8 {
        let four = window.get(end..end + BEFORE).and_then(<[u8]>::first_chunk).unwrap_or(&[0; BEFORE]);
        let place = place(u32::from_le_bytes(*four));
        match (self.kinds.get(place), self.fourths.get(place)) {
            (Some(0), _) | (None, _) | (_, None) => 0,
            (Some(kind), Some(fourths)) => {
                if fourths >> (four[0] & 31) & 1 == 1 {
                    *kind
                } else {
                    0
                }
            }
        }
    }
}

/// Goes from anchor to anchor. Words come first in each block, then digits, then marks.
#[derive(Clone, Copy, Debug)]
pub(super) struct Walk<'a> {
    anchors: &'a Anchors,
    text: &'a [u8],
    /// The text was cut, so that a card number may end early.
    cut: bool,
    block: Block,
}

/// The position and the kind of an anchor.
pub(super) type Found = (usize, u8);

/// A block, and the places in it that were not looked at yet.
///
/// A block begins with the last [`BEFORE`] bytes of the one before it. So each is judged by itself.
#[derive(Clone, Copy, Debug)]
struct Block {
    /// Where it begins.
    base: usize,
    /// Behind words.
    ends: u64,
    /// The fourth digit of each run.
    runs: u64,
    marks: u64,
}

impl Block {
    /// Judges the bytes of a block. `fresh`: those that belong neither to the block before it nor behind the text.
    #[inline(always)]
    fn of(Classes { letters, digits, marks }: Classes, short: u64, fresh: u64, base: usize) -> Self {
        let ends = letters << 1 & (letters << 2 | short) & !letters;
        let fourths = || digits & digits << 1 & digits << 2 & digits << 3 & !(digits << 4);
        let runs = if digits == 0 { 0 } else { fourths() };
        Self { base, ends: ends & fresh, runs: runs & fresh, marks: marks & fresh }
    }

    /// Returns where the block after this one begins; `None` if the text ends in this one.
    #[inline(always)]
    fn next(&self, text: &[u8]) -> Option<usize> {
        let is_last = self.base + BLOCK >= text.len();
        (!is_last).then(|| (self.base + BLOCK - BEFORE).min(text.len() - BLOCK))
    }

    /// Judges the block after this one, which begins at `base`.
    #[inline(always)]
    fn step(&self, window: &Window, short: u64, base: usize) -> Self {
        Self::of(Classes::of::<4>(window), short, u64::MAX << ((self.base + BLOCK - base) % BLOCK), base)
    }

    /// Returns where the first run of four digits begins.
    #[inline(always)]
    fn first_run(&self) -> usize {
        (self.base + self.runs.trailing_zeros() as usize).saturating_sub(3)
    }

    /// Returns what the last word of the text may announce, if it ends with this block, the window.
    #[inline(always)]
    fn last_word(&self, window: &Window, text: &[u8], anchors: &Anchors) -> u8 {
        let kind = if self.base + BLOCK == text.len() { anchors.kind(window, BLOCK) & AT_END } else { 0 };
        let is_letter = |byte: &u8| byte.is_ascii_alphabetic() || !byte.is_ascii();
        if kind != 0 && window.last().is_some_and(is_letter) { kind } else { 0 }
    }
}

/// Returns the first block that may have an anchor; `None` for most texts. No word ends in the first bytes, which are
/// [`BEFORE`], and the text is not cut.
///
/// A [`Walk`] keeps its place for the next anchor. This keeps nothing, so it costs less.
#[inline(never)]
fn first_block(anchors: &Anchors, text: &[u8]) -> Option<Block> {
    let mut spare;
    let (mut window, base, fresh) = match text.first_chunk() {
        Some(window) => (window, BEFORE, u64::MAX),
        None => {
            spare = [0; BEFORE + BLOCK];
            copy_first(text, &mut spare);
            (&spare, 0, fresh(text))
        }
    };
    let mut block = Block::of(Classes::of::<4>(window), anchors.short, fresh, base);
    let mut near;
    loop {
        while block.ends != 0 {
            let end = block.ends.trailing_zeros() as usize % BLOCK;
            let kind = anchors.kind(window, end);
            if kind != 0 {
                let at = block.base + end;
                let kind = kind & followed(text, at);
                if kind != 0 && anchors.may_end(text, at, kind) {
                    return Some(block);
                }
            }
            block.ends &= block.ends - 1;
        }
        while block.runs != 0 {
            if cards::may_begin(text, block.first_run(), false) {
                return Some(block);
            }
            block.runs &= block.runs - 1;
        }
        while block.marks != 0 {
            if shapes::may_be_marked(text, block.base + block.marks.trailing_zeros() as usize) {
                return Some(block);
            }
            block.marks &= block.marks - 1;
        }
        let Some(base) = block.next(text) else {
            return (block.last_word(window, text, anchors) != 0).then_some(block);
        };
        window = match window_at(text, base) {
            Some(window) => window,
            None => {
                near = near_start(text, base);
                &near
            }
        };
        block = block.step(window, anchors.short, base);
    }
}

/// Returns the bits of the first block that belong to a text, and the one behind it.
#[inline(always)]
fn fresh(text: &[u8]) -> u64 {
    u64::MAX.checked_shl(text.len().min(BLOCK) as u32 + 1).map_or(u64::MAX, |behind| !behind)
}

impl<'a> Walk<'a> {
    /// Returns the first anchor of a text, and what finds the others. `cut`: the text was cut.
    #[inline(never)]
    pub(super) fn first(anchors: &'a Anchors, text: &'a [u8], cut: bool) -> Option<(Found, Self)> {
        let mut window = [0; BEFORE + BLOCK];
        copy_first(text, &mut window);
        let classes = if text.len() < QUARTER {
            Classes::of::<1>(&window)
        } else if text.len() < 2 * QUARTER {
            Classes::of::<2>(&window)
        } else {
            Classes::of::<4>(&window)
        };
        let block = Block::of(classes, anchors.short, fresh(text), 0);
        let mut walk = Self { anchors, text, cut, block };
        walk.search(&window).map(|found| (found, walk))
    }

    /// Returns what finds the anchors of a text; `None` when it has none, like most texts. No word ends in its first
    /// bytes, which are [`BEFORE`], and the text is not cut.
    #[inline(always)]
    pub(super) fn of(anchors: &'a Anchors, text: &'a [u8]) -> Option<Self> {
        first_block(anchors, text).map(|block| Self { anchors, text, cut: false, block })
    }

    /// Returns the next anchor.
    #[inline(never)]
    pub(super) fn next(&mut self) -> Option<Found> {
        // A copy, so that it stays in registers.
        let mut walk = *self;
        let found = match window_at(walk.text, walk.block.base) {
            Some(window) => walk.search(window),
            None => walk.search(&near_start(walk.text, walk.block.base)),
        };
        *self = walk;
        found
    }

    /// Searches the current block, the window, and those behind it.
    #[inline(always)]
    fn search(&mut self, window: &Window) -> Option<Found> {
        let mut spare;
        let mut window = window;
        let Self { anchors, text, cut, block } = self;
        loop {
            while block.ends != 0 {
                let end = block.ends.trailing_zeros() as usize % BLOCK;
                block.ends &= block.ends - 1;
                let kind = anchors.kind(window, end);
                if kind != 0 {
                    let end = block.base + end;
                    let kind = kind & followed(text, end);
                    if kind != 0 && anchors.may_end(text, end, kind) {
                        return Some((end, kind));
                    }
                }
            }
            while block.runs != 0 {
                let at = block.first_run();
                block.runs &= block.runs - 1;
                if cards::may_begin(text, at, *cut) {
                    return Some((at, kind::DIGITS));
                }
            }
            while block.marks != 0 {
                let at = block.base + block.marks.trailing_zeros() as usize;
                block.marks &= block.marks - 1;
                if shapes::may_be_marked(text, at) {
                    return Some((at, kind::MARK));
                }
            }
            let Some(base) = block.next(text) else {
                let kind = block.last_word(window, text, anchors);
                // Not again.
                block.base = text.len();
                return (kind != 0 && anchors.may_end(text, text.len(), kind)).then_some((text.len(), kind));
            };
            window = match window_at(text, base) {
                Some(window) => window,
                None => {
                    spare = near_start(text, base);
                    &spare
                }
            };
            *block = block.step(window, anchors.short, base);
        }
    }
}

/// Returns the block at `base`, unless too few bytes are before it.
#[inline(always)]
fn window_at(text: &[u8], base: usize) -> Option<&Window> {
    let from = base.checked_sub(BEFORE)?;
    text.get(from..from + BEFORE + BLOCK)?.first_chunk()
}

/// Returns a block with less than four bytes before it: the first of a text, or the second of one that is little longer
/// than a block.
#[cold]
#[inline(never)]
fn near_start(text: &[u8], base: usize) -> Window {
    let mut window = [0; BEFORE + BLOCK];
    let places = window.iter_mut().skip(BEFORE.saturating_sub(base));
    places.zip(text).for_each(|(place, byte)| *place = *byte);
    window
}

/// Copies the first block of a text, or all of a shorter one, in pieces that overlap: a copy of any length costs more.
#[inline(always)]
fn copy_first(text: &[u8], window: &mut Window) {
    let Some(block) = window.last_chunk_mut::<BLOCK>() else { return };
    if let Some(first) = text.first_chunk() {
        *block = *first;
    } else if text.len() >= QUARTER {
        let (quarters, _) = text.as_chunks::<QUARTER>();
        quarters.iter().zip(block.as_chunks_mut().0).for_each(|(quarter, place)| *place = *quarter);
        copy_ends::<QUARTER, _>(text, block);
    } else if let Some(quarter) = block.first_chunk_mut() {
        copy_short(text, quarter);
    }
}

/// Copies a text of up to a quarter of a block.
#[inline(always)]
fn copy_short(text: &[u8], quarter: &mut [u8; QUARTER]) {
    match text.len() {
        QUARTER.. => copy_ends::<QUARTER, _>(text, quarter),
        8.. => copy_ends::<8, _>(text, quarter),
        4.. => copy_ends::<4, _>(text, quarter),
        2.. => copy_ends::<2, _>(text, quarter),
        _ => quarter[0] = text.first().copied().unwrap_or(0),
    }
}

/// Copies the first and the last bytes of a text.
#[inline(always)]
fn copy_ends<const N: usize, const M: usize>(text: &[u8], block: &mut [u8; M]) {
    if let (Some(first), Some(last)) = (text.first_chunk::<N>(), text.last_chunk::<N>())
        && let Some(place) = block.get_mut(text.len() - N..).and_then(<[u8]>::first_chunk_mut)
    {
        *place = *last;
        if let Some(place) = block.first_chunk_mut() {
            *place = *first;
        }
    }
}

/// Returns what the word that ends at `end` may announce, by what follows it.
#[inline(always)]
fn followed(text: &[u8], end: usize) -> u8 {
    text.get(end).map_or(AT_END, |next| FOLLOWED[usize::from(*next)])
}

/// What the last word of a text may announce.
const AT_END: u8 = kind::SPECIAL;

/// What a word may announce that is followed by a byte.
const FOLLOWED: [u8; 256] = {
    let mut followed = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        followed[byte] = match byte as u8 {
            b' ' => kind::NAME | kind::SPECIAL | kind::SCHEME | kind::COMMAND,
            b'0'..=b'9' | b'_' | b'-' => kind::NAME | kind::SPECIAL | kind::PREFIX,
            b'.' => kind::PREFIX | kind::NAME,
            b'?' | b'!' | b'#' | b'$' | b'@' | b'~' | b'^' | b'|' | b'+' | b'[' => 0,
            _ => kind::NAME | kind::SPECIAL,
        };
        byte += 1;
    }
    followed
};

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    /// Texts of words, digits and marks: short ones, and some of several blocks.
    fn text() -> impl Strategy<Value = String> {
        let piece = "([a-d0-3@AJ ,=_é]|[0-3]{4,9}|[0-3]{4} |abc[=. ]|:A|yJ)";
        let of = |most: usize| prop::string::string_regex(&format!("{piece}{{0,{most}}}")).expect("an expression");
        prop_oneof![of(12), of(90)]
    }

    fn found(anchors: &Anchors, text: &[u8]) -> Vec<Found> {
        let (first, mut walk) = Walk::first(anchors, text, false).unzip();
        std::iter::successors(first, |_| walk.as_mut()?.next()).collect()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2048))]

        /// The walk finds what a look at each byte finds.
        #[test]
        fn no_anchor_is_missed(text in text()) {
            let mut anchors = Anchors::new();
            anchors.add(b"abc", 3, kind::SPECIAL);
            anchors.add(b"d1", 2, kind::SCHEME);
            let bytes = text.as_bytes();
            let found = found(&anchors, bytes);
            let behind = [&[0; BEFORE], bytes].concat();
            let mut walk = Walk::of(&anchors, &behind);
            let others = std::iter::from_fn(|| walk.as_mut()?.next()).map(|(at, kind)| (at - BEFORE, kind));
            let others: BTreeSet<_> = others.collect();
            prop_assert_eq!(&others, &found.iter().copied().collect());
            let is_letter = |at: usize| bytes.get(at).is_some_and(|byte| byte.is_ascii_alphabetic() || !byte.is_ascii());
            for at in 0..=bytes.len() {
                let is_end = at > 0 && is_letter(at - 1) && !is_letter(at) && followed(bytes, at) & kind::SPECIAL != 0;
                if is_end && bytes[..at].to_ascii_lowercase().ends_with(b"abc") {
                    prop_assert!(found.iter().any(|(end, kind)| *end == at && kind & kind::SPECIAL != 0), "{at}");
                }
                let digits = bytes[at..].iter().take_while(|byte| byte.is_ascii_digit()).count();
                let is_run = digits >= 4 && !(at > 0 && bytes[at - 1].is_ascii_digit());
                let is_card = is_run && cards::may_begin(bytes, at, false);
                let is_mark = bytes.get(at).is_some_and(|byte| b"@AJ".contains(byte)) && shapes::may_be_marked(bytes, at);
                prop_assert!(!is_card || found.contains(&(at, kind::DIGITS)), "{at}");
                prop_assert!(!is_mark || found.contains(&(at, kind::MARK)), "{at}");
            }
        }
    }
}
