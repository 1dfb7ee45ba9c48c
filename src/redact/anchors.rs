//! Anchors: the places of a text where a secret may be, found with a few instructions per byte.
//!
//! Nearly every secret follows a word: a listed name, `Bearer`, the `ghp` of a token, a command. One table tells, by
//! the last three letters of a word, whether it may be such a word. The others have a mark (`@`, `A`, `J`) or four
//! digits in a row. Texts without anchors hold no secret; [`walk`](Anchors::walk) is all that they
//! cost.
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
#[derive(Clone, Copy, Debug)]
struct Block {
    /// Where it begins.
    base: usize,
    classes: Classes,
    /// Behind words.
    ends: u64,
    /// The fourth digit of each run.
    runs: u64,
    marks: u64,
}

impl Block {
    /// Judges the bytes of a block. `fresh`: those that belong neither to the block before it nor behind the text.
    #[inline(always)]
    fn of(classes: Classes, short: u64, before: Classes, fresh: u64, base: usize) -> Self {
        let back = |count| back(classes.letters, before.letters, count);
        let ends = back(1) & (back(2) | short) & !classes.letters & fresh;
        let runs = if classes.digits == 0 { 0 } else { fourth_digits(classes.digits, before.digits) };
        Self { base, classes, ends, runs: runs & fresh, marks: classes.marks & fresh }
    }
}

/// Returns the bits `count` places ahead: those of the block before come first.
#[inline(always)]
fn back(bits: u64, before: u64, count: u32) -> u64 {
    bits << count | before >> (u64::BITS - count)
}

/// Returns the fourth digit of each run of digits.
#[inline(always)]
fn fourth_digits(digits: u64, before: u64) -> u64 {
    let back = |count| back(digits, before, count);
    digits & back(1) & back(2) & back(3) & !back(4)
}

/// Returns whether a text of up to a quarter of a block has no anchor for certain, as most of them do.
#[inline(never)]
pub(super) fn is_plain(anchors: &Anchors, text: &[u8]) -> bool {
    let mut window = [0; BEFORE + QUARTER];
    let Some(quarter) = window.last_chunk_mut().filter(|_| text.len() <= QUARTER) else { return false };
    copy_short(text, quarter);
    let classes = Classes::of_quarter(quarter);
    let fresh = (2 << text.len()) - 1;
    let mut block = Block::of(classes, anchors.short, Classes::default(), fresh, 0);
    if block.runs != 0 && text.len() >= usize::from(cards::MIN_CARD_DIGITS) {
        return false;
    }
    while block.ends != 0 {
        let end = block.ends.trailing_zeros() as usize;
        block.ends &= block.ends - 1;
        if anchors.kind(&window, end) & followed(text, end) != 0 {
            return false;
        }
    }
    while block.marks != 0 {
        let at = block.marks.trailing_zeros() as usize;
        block.marks &= block.marks - 1;
        if shapes::may_be_marked(text, at) {
            return false;
        }
    }
    true
}

impl<'a> Walk<'a> {
    /// Returns the first anchor of a text, and what finds the others. `cut`: the text was cut.
    #[inline(never)]
    pub(super) fn first(anchors: &'a Anchors, text: &'a [u8], cut: bool) -> Option<(Found, Self)> {
        let mut window = [0; BEFORE + BLOCK];
        copy_first(text, &mut window);
        // The bits of the block that belong to the text, and the one behind it.
        let fresh = u64::MAX.checked_shl(text.len().min(BLOCK) as u32 + 1).map_or(u64::MAX, |behind| !behind);
        let classes = if text.len() < QUARTER {
            Classes::of::<1>(&window)
        } else if text.len() < 2 * QUARTER {
            Classes::of::<2>(&window)
        } else {
            Classes::of::<4>(&window)
        };
        let block = Block::of(classes, anchors.short, Classes::default(), fresh, 0);
        let mut walk = Self { anchors, text, cut, block };
        walk.search(&window).map(|found| (found, walk))
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
                let at = (block.base + block.runs.trailing_zeros() as usize).saturating_sub(3);
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
            // The last block begins before the end of the one before it, unless their bytes divide evenly.
            let next = block.base + BLOCK;
            if next >= text.len() {
                let is_word = next == text.len() && block.classes.letters >> (BLOCK - 1) == 1;
                let kind = if is_word { anchors.kind(window, BLOCK) & AT_END } else { 0 };
                block.classes = Classes::default();
                return (kind != 0 && anchors.may_end(text, next, kind)).then_some((next, kind));
            }
            let base = next.min(text.len() - BLOCK);
            window = match window_at(text, base) {
                Some(window) => window,
                None => {
                    spare = near_start(text, base);
                    &spare
                }
            };
            let overlap = next - base;
            // Most of the last block is known.
            let classes = match overlap / QUARTER {
                3.. => Classes::of_last::<1>(window, block.classes, overlap),
                2 => Classes::of_last::<2>(window, block.classes, overlap),
                _ => Classes::of::<4>(window),
            };
            let before = block.classes.shifted(overlap);
            *block = Block::of(classes, anchors.short, before, u64::MAX << overlap, base);
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
            prop_assert!(!is_plain(&anchors, bytes) || found.is_empty());
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
