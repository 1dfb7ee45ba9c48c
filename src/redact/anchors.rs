//! Anchors: the places of a text where a secret may be, found with a few instructions per byte.
//!
//! Nearly every secret follows a word: a listed name, `Bearer`, the `ghp` of a token, a command. One table tells, by
//! the last three letters of a word, whether it may be such a word. The others have a mark (`@`, `A`, `J`) or four
//! digits in a row. Texts without anchors hold no secret; [`Walk::of`] is all that they cost. It judges all
//! texts of a record at once.
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

const PLACES: usize = 16_384;

/// Which words are anchors, by their last three letters.
#[derive(Debug)]
pub(super) struct Anchors {
    kinds: Box<[u8; PLACES]>,
    /// Those of the kinds that any letter may precede.
    after_any: Box<[u8; PLACES]>,
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
///
/// The first one keeps the bit that letters have and most other characters have not: words of two letters are frequent.
#[inline(always)]
fn place(letters: u32) -> usize {
    ((letters & 0x1f_1f_5f_00).wrapping_mul(0x9e37_79b1) >> 18) as usize
}

impl Anchors {
    pub(super) fn new() -> Self {
        Self {
            kinds: Box::new([0; PLACES]),
            after_any: Box::new([0; PLACES]),
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
                self.set([one, two, three], fourth.copied(), kind);
                self.set_ending(known);
            }
            [.., two, three] if last_word == 2 => {
                (0..128).for_each(|one| self.set([one, two, three], None, kind));
                self.set_ending(&[two, three]);
                self.of_two |= kind;
            }
            // Every word may end it.
            _ => {
                self.short = u64::MAX;
                self.of_two = u8::MAX;
                *self.endings = [u64::MAX; ENDINGS / 64];
                self.kinds.iter_mut().chain(&mut *self.after_any).for_each(|kinds| *kinds |= kind);
            }
        }
    }

    /// Adds a kind for three letters. `fourth`: the letter before them, if it is known.
    fn set(&mut self, [one, two, three]: [u8; 3], fourth: Option<u8>, kind: u8) {
        let place = place(u32::from_le_bytes([0, one, two, three]));
        let Some(kinds) = self.kinds.get_mut(place) else { return };
        *kinds |= kind;
        match (fourth, self.fourths.get_mut(place), self.after_any.get_mut(place)) {
            (Some(letter), Some(fourths), _) => *fourths |= 1 << (letter & 31),
            (None, _, Some(kinds)) => *kinds |= kind,
            _ => {}
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

    /// Returns what the word that ends at a place of a block may announce, by its last four letters.
    #[inline(always)]
    fn kind(&self, window: &Window, end: usize) -> u8 {
        let four = window.get(end..end + BEFORE).and_then(<[u8]>::first_chunk).unwrap_or(&[0; BEFORE]);
        let place = place(u32::from_le_bytes(*four));
        match (self.kinds.get(place), self.fourths.get(place), self.after_any.get(place)) {
            (Some(0), ..) => 0,
            (Some(kinds), Some(fourths), _) if fourths >> (four[0] & 31) & 1 == 1 => *kinds,
            (.., Some(kinds)) => *kinds,
            _ => 0,
        }
    }
}

/// The position and the kind of an anchor.
pub(super) type Found = (usize, u8);

/// Goes from anchor to anchor. Words come first in each block, then digits, then marks.
#[derive(Clone, Copy, Debug)]
pub(super) struct Walk<'a> {
    anchors: &'a Anchors,
    text: &'a [u8],
    /// The text was cut, so that a card number may end early.
    cut: bool,
    block: Block<'a>,
}

impl<'a> Walk<'a> {
    /// Calls `each` with the anchors of a text. `cut`: the text was cut.
    pub(super) fn all(anchors: &Anchors, text: &[u8], cut: bool, each: impl FnMut(Found)) {
        let mut each = each;
        let mut window = [0; BEFORE + BLOCK];
        copy_first(text, &mut window);
        let block = Block::of(&window, anchors.short, 0, fresh(text));
        Walk { anchors, text, cut, block }.for_each(&mut each);
        // A text that is little longer than a block.
        if let Some(base @ 1..BEFORE) = text.len().checked_sub(BLOCK) {
            let window = near_start(text);
            let block = Block::of(&window, anchors.short, base, u64::MAX << (BLOCK - base));
            Walk { anchors, text, cut, block }.for_each(each);
        }
    }

    /// Returns what finds the anchors of a text; `None` when it has none, like most texts. No word ends in its first
    /// bytes, which are [`BEFORE`], and the text is not cut. `spare`: holds a short text.
    #[inline(always)]
    pub(super) fn of(anchors: &'a Anchors, text: &'a [u8], spare: &'a mut Option<Window>) -> Option<Self> {
        let block = match text.first_chunk() {
            Some(window) => Block::first(anchors, window, text),
            None => {
                let window = spare.insert([0; BEFORE + BLOCK]);
                let base = if text.len() > BLOCK {
                    window.iter_mut().zip(text).for_each(|(place, byte)| *place = *byte);
                    BEFORE
                } else {
                    copy_first(text, window);
                    0
                };
                Block::only(anchors, window, text, base)
            }
        };
        block.map(|block| Self { anchors, text, cut: false, block })
    }

    /// Returns the next place that may be an anchor.
    #[inline(never)]
    fn step(&mut self) -> Option<Found> {
        // A copy, so that it stays in registers.
        let mut block = self.block;
        let found = block.search(self.anchors, self.text, self.cut);
        match found {
            Some((_, kind::DIGITS)) => block.runs &= block.runs - 1,
            Some((_, kind::MARK)) => block.marks &= block.marks - 1,
            Some(_) if block.ends != 0 => block.ends &= block.ends - 1,
            // No last word again.
            _ => block.base = self.text.len(),
        }
        self.block = block;
        found
    }
}

impl Iterator for Walk<'_> {
    type Item = Found;

    fn next(&mut self) -> Option<Found> {
        loop {
            let (at, kind) = self.step()?;
            if matches!(kind, kind::DIGITS | kind::MARK) || self.anchors.may_end(self.text, at, kind) {
                return Some((at, kind));
            }
        }
    }
}

/// A block, and the places in it that were not looked at yet.
///
/// A block begins with the last [`BEFORE`] bytes of the one before it. So each is judged by itself.
#[derive(Clone, Copy, Debug)]
struct Block<'a> {
    window: &'a Window,
    /// Where it begins.
    base: usize,
    /// Behind words.
    ends: u64,
    /// The fourth digit of each run.
    runs: u64,
    marks: u64,
}

impl<'a> Block<'a> {
    /// Returns the first block of a text with a place that may be an anchor. `window`: the first bytes of the text.
    #[inline(never)]
    fn first(anchors: &Anchors, window: &'a Window, text: &'a [u8]) -> Option<Self> {
        let mut block = Self::of(window, anchors.short, BEFORE, u64::MAX);
        block.search(anchors, text, false).map(|_| block)
    }

    /// The same for a text of one block, the window.
    #[inline(never)]
    fn only(anchors: &Anchors, window: &'a Window, text: &'a [u8], base: usize) -> Option<Self> {
        let mut block = Self::of(window, anchors.short, base, fresh(text.get(base..).unwrap_or_default()));
        block.search(anchors, text, false).map(|_| block)
    }

    /// Judges the bytes of a block. `fresh`: those that belong neither to the block before it nor behind the text.
    #[inline(always)]
    fn of(window: &'a Window, short: u64, base: usize, fresh: u64) -> Self {
        let Classes { letters, digits, marks } = Classes::of(window);
        let ends = letters << 1 & (letters << 2 | short) & !letters;
        let pairs = digits & digits << 1;
        let fours = pairs & pairs << 2;
        Self { window, base, ends: ends & fresh, runs: fours & !(fours << 1) & fresh, marks: marks & fresh }
    }

    /// Returns the next place that may be an anchor, in this block or in those behind it. The block is then the one with
    /// that place, which stays in it.
    ///
    /// Nothing is called here, so that everything stays in registers.
    #[inline(always)]
    fn search(&mut self, anchors: &Anchors, text: &'a [u8], cut: bool) -> Option<Found> {
        loop {
            while self.ends != 0 {
                let end = self.ends.trailing_zeros() as usize % BLOCK;
                let kind = anchors.kind(self.window, end);
                if kind != 0 {
                    let kind = kind & followed(text, self.base + end);
                    if kind != 0 {
                        return Some((self.base + end, kind));
                    }
                }
                self.ends &= self.ends - 1;
            }
            while self.runs != 0 {
                let at = (self.base + self.runs.trailing_zeros() as usize).saturating_sub(3);
                if cards::may_begin(text, at, cut) {
                    return Some((at, kind::DIGITS));
                }
                self.runs &= self.runs - 1;
            }
            while self.marks != 0 {
                let at = self.base + self.marks.trailing_zeros() as usize;
                if shapes::may_be_marked(text, at) && !ends_number(text, at) {
                    return Some((at, kind::MARK));
                }
                self.marks &= self.marks - 1;
            }
            *self = match self.next(text, anchors.short) {
                Some(next) => next,
                None => return self.last_word(anchors, text),
            };
        }
    }

    /// Returns the block after this one; `None` at the end of the text, or if too few bytes are before the block.
    #[inline(always)]
    fn next(&self, text: &'a [u8], short: u64) -> Option<Self> {
        let behind = self.base + BLOCK;
        if let Some(window) = text.get(..behind + BLOCK - BEFORE).and_then(<[u8]>::last_chunk) {
            return Some(Self::of(window, short, behind - BEFORE, u64::MAX << BEFORE));
        }
        let base = if behind < text.len() { text.len() - BLOCK } else { return None };
        Some(Self::of(text.last_chunk()?, short, base, u64::MAX << ((behind - base) % BLOCK)))
    }

    /// Returns the last word of the text as an anchor, if the text ends with this block.
    #[inline(always)]
    fn last_word(&self, anchors: &Anchors, text: &[u8]) -> Option<Found> {
        if self.base + BLOCK != text.len() {
            return None;
        }
        let kind = anchors.kind(self.window, BLOCK) & AT_END;
        let is_letter = |byte: &u8| byte.is_ascii_alphabetic() || !byte.is_ascii();
        (kind != 0 && self.window.last().is_some_and(is_letter)).then_some((text.len(), kind))
    }
}

/// Returns whether a byte is the last one of a number of eight bytes among joined texts. Most floats end with `@`.
///
/// Two control characters precede such a number, and another one or nothing follows it.
#[inline(always)]
fn ends_number(text: &[u8], at: usize) -> bool {
    let is_last = text.get(at + 1).is_none_or(|byte| !(b' '..0xfa).contains(byte));
    is_last && matches!(text.get(at.wrapping_sub(9)..at), Some([..b' ', 1..=8, ..]))
}

/// Returns the bits of the first block that belong to a text, and the one behind it.
#[inline(always)]
fn fresh(text: &[u8]) -> u64 {
    u64::MAX.checked_shl(text.len().min(BLOCK) as u32 + 1).map_or(u64::MAX, |behind| !behind)
}

/// Returns the last block of a text that is little longer than a block, so that less than [`BEFORE`] bytes are before it.
#[cold]
#[inline(never)]
fn near_start(text: &[u8]) -> Window {
    let mut window = [0; BEFORE + BLOCK];
    window.iter_mut().rev().zip(text.iter().rev()).for_each(|(place, byte)| *place = *byte);
    window
}

/// Copies the first block of a text, or all of a shorter one, in pieces that overlap: a copy of any length costs more.
#[inline(always)]
fn copy_first(text: &[u8], window: &mut Window) {
    let Some(block) = window.last_chunk_mut::<BLOCK>() else { return };
    if let Some(first) = text.first_chunk() {
        *block = *first;
    } else if text.len() >= 2 * QUARTER {
        copy_ends::<{ 2 * QUARTER }, _>(text, block);
    } else if text.len() >= QUARTER {
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
            b'.' => kind::PREFIX | kind::NAME | kind::SPECIAL,
            // The secret may come before the word: `… is your login code!`
            b'?' | b'!' | b'#' | b'$' | b'@' | b'~' | b'^' | b'|' | b'+' | b'[' => kind::SPECIAL,
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
        let mut found = Vec::new();
        Walk::all(anchors, text, false, |anchor| found.push(anchor));
        found
    }

    #[test]
    fn an_anchor_at_the_end_of_joined_texts_of_any_length_is_found() {
        let mut anchors = Anchors::new();
        anchors.add(b"abc", 3, kind::SPECIAL);
        for length in 0..300 {
            for end in ["abc", "abc "] {
                let text = ["\0\0\0\0", &".".repeat(length), end].concat();
                let mut spare = None;
                let found = Walk::of(&anchors, text.as_bytes(), &mut spare).and_then(|mut walk| walk.next());
                assert_eq!(found, Some((BEFORE + length + 3, kind::SPECIAL)), "{length} {end:?}");
            }
        }
    }

    #[test]
    fn a_float_among_joined_texts_is_no_mark() {
        let anchors = Anchors::new();
        let number = [&[1, 6][..], &3.25_f64.to_le_bytes()].concat();
        for (joined, is_mark) in [
            ([&[0; BEFORE][..], &number].concat(), false),
            ([&[0; BEFORE][..], &number, &[2, 0]].concat(), false),
            ([&[0; BEFORE][..], &number, b"host"].concat(), true),
            ([&[0; BEFORE][..], b"//u:p@"].concat(), true),
        ] {
            let mut spare = None;
            let found = Walk::of(&anchors, &joined, &mut spare).and_then(|mut walk| walk.next());
            assert_eq!(found.is_some_and(|(_, kind)| kind == kind::MARK), is_mark, "{joined:?}");
        }
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
            let mut spare = None;
            let walk = Walk::of(&anchors, &behind, &mut spare);
            let others: BTreeSet<_> = walk.into_iter().flatten().map(|(at, kind)| (at - BEFORE, kind)).collect();
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
