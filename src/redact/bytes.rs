//! The trigger bytes, and the fast check that a text has none of them.

use super::cards::MIN_CARD_DIGITS;

/// Why the scan stops at a byte.
pub(super) mod class {
    pub(crate) const ASSIGN: u16 = 1;
    pub(crate) const OPEN: u16 = 2;
    pub(crate) const ANGLE: u16 = 4;
    pub(crate) const DIGIT: u16 = 8;
    /// Part of a prefix.
    pub(crate) const MARK: u16 = 16;
    pub(crate) const B: u16 = 32;
    pub(crate) const J: u16 = 64;
    /// Not a reason to stop: a letter or digit.
    pub(crate) const WORD: u16 = 128;
    /// A name may end here.
    pub(crate) const NAMES: u16 = ASSIGN | OPEN | ANGLE;
    pub(crate) const ALL: u16 = WORD - 1;
    /// Not reasons to stop either: a dash, and what stands beside an argument.
    pub(crate) const DASH: u16 = 256;
    pub(crate) const BESIDE: u16 = 512;
    /// All that an argument has.
    pub(crate) const ARGUMENT: u16 = DASH | BESIDE;
}

const CLASS: [u16; 256] = {
    let mut classes = [0; 256];
    let mut at = 0;
    while at < 256 {
        classes[at] = match at as u8 {
            b':' | b'=' => class::ASSIGN,
            b'0'..=b'9' => class::DIGIT,
            b'(' | b'[' | b'{' => class::OPEN,
            b'-' => class::MARK | class::DASH,
            b'_' | b'A' => class::MARK,
            b'b' | b'B' => class::B,
            b'J' => class::J,
            b'>' => class::ANGLE,
            b' ' | b'"' | b'\'' => class::BESIDE,
            _ => 0,
        };
        if (at as u8).is_ascii_alphanumeric() {
            classes[at] |= class::WORD;
        }
        at += 1;
    }
    classes
};

#[inline]
pub(super) fn class_of(byte: u8) -> u16 {
    CLASS[usize::from(byte)]
}

/// Returns where the word around `from` ends.
#[inline]
pub(super) fn word_end(text: &[u8], from: usize) -> usize {
    let mut at = from;
    while text.get(at).is_some_and(|byte| class_of(*byte) & class::WORD != 0) {
        at += 1;
        if at - from == 16 {
            return long_word_end(text, at);
        }
    }
    at
}

/// Like [`word_end`], sixteen bytes at a time.
#[inline(never)]
fn long_word_end(text: &[u8], mut at: usize) -> usize {
    while let Some(chunk) = text.get(at..).and_then(|rest| rest.first_chunk::<16>()) {
        if !chunk.iter().fold(true, |all, byte| all & byte.is_ascii_alphanumeric()) {
            break;
        }
        at += 16;
    }
    while text.get(at).is_some_and(|byte| class_of(*byte) & class::WORD != 0) {
        at += 1;
    }
    at
}

/// Returns the classes of all bytes of a text shorter than sixteen. Reads the table: filling wide registers costs more
/// for so few bytes.
#[inline]
fn classes_of_few(text: &[u8]) -> u16 {
    fn of(bytes: &[u8]) -> u16 {
        bytes.iter().fold(0, |seen, byte| seen | class_of(*byte))
    }
    // Four and four bytes, some of them twice.
    let (Some((first, behind)), Some((before, last))) = (text.split_first_chunk::<4>(), text.split_last_chunk::<4>())
    else {
        return of(text);
    };
    let mut seen = of(first) | of(last);
    if text.len() > 8 {
        seen |= behind.first_chunk::<4>().map_or(0, |second| of(second));
    }
    if text.len() > 12 {
        seen |= before.last_chunk::<4>().map_or(0, |third| of(third));
    }
    seen
}

/// Returns whether one of sixteen bytes has a class other than [`DIGIT`](class::DIGIT), and how many are digits. Does
/// without the table, so that the bytes are compared all at once.
#[inline]
fn others_and_digits(chunk: &[u8; 16]) -> (bool, u8) {
    let others = chunk.iter().fold(false, |any, &byte| {
        let upper = byte & 0xdf;
        any | (byte == b':')
            | (byte.wrapping_sub(b'=') <= 1)
            | (upper == b'B')
            | (upper == b'[')
            | (byte == b'(')
            | (byte == b'-')
            | (byte == b'_')
            | (byte == b'A')
            | (byte == b'J')
    });
    (others, chunk.iter().fold(0, |count, byte| count + u8::from(byte.is_ascii_digit())))
}

/// Returns whether a text of at least sixteen bytes has no trigger byte but at most `most` digits.
#[inline(never)]
fn has_only_digits(text: &[u8], mut most: u8) -> bool {
    let mut rest = text;
    let mut look = |chunk| {
        let (others, digits) = others_and_digits(chunk);
        let few = digits <= most;
        most = most.saturating_sub(digits);
        !others && few
    };
    while let Some((chunk, behind)) = rest.split_first_chunk() {
        if !look(chunk) {
            return false;
        }
        rest = behind;
    }
    // Looks at some bytes of the last sixteen a second time.
    rest.is_empty() || text.last_chunk().is_none_or(look)
}

/// Returns whether a text has no trigger byte.
#[inline]
pub(super) fn has_none(text: &[u8]) -> bool {
    if text.len() < 16 { classes_of_few(text) & class::ALL == 0 } else { has_only_digits(text, 0) }
}

/// A shorter text holds no secret, except after a name, as an argument, or where it was cut.
const MIN_SHAPE_BYTES: usize = 9;

/// Returns whether a text holds no secret for certain, as most texts do. `cut`: whether the text was cut, so that a
/// secret may end early.
#[inline]
pub(crate) fn is_harmless(text: &[u8], cut: impl Fn() -> bool) -> bool {
    if text.len() >= 16 {
        return is_harmless_long(text, cut());
    }
    let classes = classes_of_few(text);
    if classes & class::ALL == 0 {
        return true;
    }
    let is_harmless = match text.len() {
        0..MIN_SHAPE_BYTES => classes & class::NAMES == 0 && classes & class::ARGUMENT != class::ARGUMENT,
        // That many digits in so few bytes cover the middle.
        length => classes & class::ALL == class::DIGIT && !text.get(length / 2).is_some_and(u8::is_ascii_digit),
    };
    is_harmless && !cut()
}

#[inline(never)]
fn is_harmless_long(text: &[u8], cut: bool) -> bool {
    is_id(text) || has_only_digits(text, if cut { 0 } else { MIN_CARD_DIGITS - 1 })
}

/// Returns whether a text is a hexadecimal id: with the dashes of a UUID, or longer than any card number. Nearly every
/// request and trace has one, and they look like secrets.
#[inline]
fn is_id(text: &[u8]) -> bool {
    if let Ok(text) = <&[u8; 32]>::try_from(text) {
        return are_hex(text);
    }
    let Ok(text) = <&[u8; 36]>::try_from(text) else { return false };
    let dashes = [8, 13, 18, 23];
    let mut digits = *text;
    dashes.into_iter().for_each(|at| digits[at] = b'0');
    dashes.into_iter().all(|at| text[at] == b'-') && are_hex(&digits)
}

#[inline]
fn are_hex<const N: usize>(text: &[u8; N]) -> bool {
    text.iter().fold(true, |all, byte| all & byte.is_ascii_hexdigit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_distinguished_from_similar_texts() {
        for id in ["0191a2b3-C4d5-7e6f-8a9b-0c1d2e3f4a5b", "4bf92f3577b34da6a3ce929d0e0e4736"] {
            assert!(is_id(id.as_bytes()), "{id}");
        }
        for other in [
            "4111-1111-1111-1111-1111-1111-1111-1",
            "0191a2b3-c4d5-7e6f-8a9b-0c1d2e3f4a5",
            "0191a2b3-c4d5-7e6f-8a9b-0c1d2e3f4a=b",
            "4bf92f3577b34da6a3ce929d0e0e473g",
            "4111111111111111",
        ] {
            assert!(!is_id(other.as_bytes()), "{other}");
        }
    }

    /// At each position of texts of all lengths, each byte is judged as the table says.
    #[test]
    fn sixteen_bytes_are_judged_like_one() {
        for length in 1..=40 {
            for (place, byte) in (0..length).flat_map(|place| (0..=255).map(move |byte| (place, byte))) {
                let mut text = vec![b' '; length];
                text[place] = byte;
                let class = class_of(byte) & class::ALL;
                assert_eq!(has_none(&text), class == 0, "{byte} at {place} of {length}");
                assert_eq!(is_harmless(&text, || true), class == 0, "{byte} at {place} of {length}, cut");
                if length >= 9 && !(class == class::DIGIT && length < 16) {
                    assert_eq!(
                        is_harmless(&text, || false),
                        matches!(class, 0 | class::DIGIT),
                        "{byte} at {place} of {length}"
                    );
                }
            }
        }
    }

    #[test]
    fn a_text_with_the_digits_of_a_card_number_is_not_harmless() {
        for (before, digits) in (0..20).flat_map(|before| (13..20).map(move |digits| (before, digits))) {
            let text = [" ".repeat(before), "1".repeat(digits)].concat();
            assert!(!is_harmless(text.as_bytes(), || false), "{text}");
        }
        assert!(!is_harmless(b"4111 1111 1111 1", || false) && !is_harmless(b"4111 1111 1111 1111 ", || false));
        assert!(
            !is_harmless(b"-k a", || false) && !is_harmless(b"x --k ab", || false) && is_harmless(b"r-1", || false)
        );
        assert!(is_harmless(b"17 of 400 in 2 ms", || false) && is_harmless(b"/api/orders/42", || false));
    }
}
