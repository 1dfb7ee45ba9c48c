//! Escapes JSON strings. No other code does.
//!
//! Beyond RFC 8259, everything that could disturb a terminal, a viewer or a line-based reader is escaped: DEL, the C1
//! controls, U+2028 and U+2029, the bidirectional controls and U+FEFF. A reader gets the same text back either way.

/// Appends `text` as a JSON string, with its quotes.
#[inline]
pub fn put_str(out: &mut Vec<u8>, text: &str) {
    out.push(b'"');
    put_escaped(out, text);
    out.push(b'"');
}

/// Appends `text` escaped, without quotes.
///
/// Looks at eight bytes at a time until one needs an escape, which is rare.
#[inline]
pub(super) fn put_escaped(out: &mut Vec<u8>, text: &str) {
    let bytes = text.as_bytes();
    let plain = plain_prefix(bytes);
    let (head, rest) = bytes.split_at(plain);
    out.extend_from_slice(head);
    if !rest.is_empty() {
        put_escaped_slow(out, text.get(plain..).unwrap_or_default());
    }
}

const ONES: u64 = 0x0101_0101_0101_0101;
pub(super) const HIGH: u64 = 0x8080_8080_8080_8080;

/// Returns a word whose high bits (those in [`HIGH`]) are all zero exactly when each of its eight bytes is printable
/// ASCII that needs no escape.
#[inline]
pub(super) fn unplain(word: u64) -> u64 {
    // The high bit of a byte is set if it is ≥ 0x80, below 0x20, or equal to the quote, the backslash or DEL.
    let below = word.wrapping_sub(ONES * 0x20);
    let quote = (word ^ (ONES * 0x22)).wrapping_sub(ONES);
    let slash = (word ^ (ONES * 0x5c)).wrapping_sub(ONES);
    let delete = (word ^ (ONES * 0x7f)).wrapping_sub(ONES);
    word | below | quote | slash | delete
}

/// Returns how many leading bytes need no escape.
#[inline]
pub(super) fn plain_prefix(bytes: &[u8]) -> usize {
    let (words, rest) = bytes.as_chunks::<8>();
    let mut plain = 0;
    for word in words {
        let found = unplain(u64::from_le_bytes(*word)) & HIGH;
        if found != 0 {
            return plain + found.trailing_zeros() as usize / 8;
        }
        plain += 8;
    }
    plain + byte_wise(rest)
}

#[inline]
pub(super) fn byte_wise(bytes: &[u8]) -> usize {
    bytes.iter().position(|byte| ESCAPES[usize::from(*byte)] != 0).unwrap_or(bytes.len())
}

/// For each byte: zero if it needs no escape, the letter of a short escape, or [`OTHER`].
const ESCAPES: [u8; 256] = {
    let mut escapes = [OTHER; 256];
    let mut byte = 0x20;
    while byte < 0x7f {
        escapes[byte] = 0;
        byte += 1;
    }
    escapes[b'"' as usize] = b'"';
    escapes[b'\\' as usize] = b'\\';
    escapes[b'\n' as usize] = b'n';
    escapes[b'\r' as usize] = b'r';
    escapes[b'\t' as usize] = b't';
    escapes[0x8] = b'b';
    escapes[0xc] = b'f';
    escapes
};
const OTHER: u8 = 1;

/// A text with one escape likely has more: the next bytes, this many, are looked at one by one before words again.
const NEAR_BYTES: usize = 16;

/// Appends a text that begins with a character that needs an escape or is not ASCII.
fn put_escaped_slow(out: &mut Vec<u8>, text: &str) {
    let bytes = text.as_bytes();
    let mut at = 0;
    while let Some(byte) = bytes.get(at) {
        match ESCAPES[usize::from(*byte)] {
            0 => {
                let rest = bytes.get(at..).unwrap_or_default();
                let near = rest.iter().take(NEAR_BYTES).take_while(|byte| ESCAPES[usize::from(**byte)] == 0).count();
                let plain = if near < NEAR_BYTES { near } else { plain_prefix(rest) };
                out.extend_from_slice(rest.get(..plain).unwrap_or_default());
                at += plain;
            }
            OTHER => at += put_unplain(out, text.get(at..).unwrap_or_default()).max(1),
            letter => {
                out.extend_from_slice(&[b'\\', letter]);
                at += 1;
            }
        }
    }
}

/// Appends one unsafe character, or a run of safe ones beyond ASCII; returns how many bytes it took.
fn put_unplain(out: &mut Vec<u8>, text: &str) -> usize {
    match text.char_indices().find(|(_, char)| char.is_ascii() || is_unsafe(*char)) {
        Some((0, char)) => {
            put_unicode_escape(out, char);
            char.len_utf8()
        }
        found => {
            let length = found.map_or(text.len(), |(at, _)| at);
            out.extend_from_slice(text.as_bytes().get(..length).unwrap_or_default());
            length
        }
    }
}

/// Returns whether a character could disturb a viewer: controls, line separators, bidirectional controls, BOM.
pub(in crate::schema) fn is_unsafe(char: char) -> bool {
    matches!(char,
        '\0'..='\x1f' | '\x7f'..='\u{9f}' | '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}'
        | '\u{2066}'..='\u{2069}' | '\u{feff}')
}

/// Appends one escape: all unsafe characters are in the basic plane.
fn put_unicode_escape(out: &mut Vec<u8>, char: char) {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    let code = u32::from(char);
    out.extend_from_slice(b"\\u");
    out.extend([12, 8, 4, 0].map(|shift| HEX[(code >> shift & 0xf) as usize]));
}
