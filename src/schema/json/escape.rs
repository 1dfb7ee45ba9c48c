//! Escapes JSON strings. No other code does.
//!
//! Beyond RFC 8259, everything that could disturb a terminal, a viewer or a line-based reader is escaped: DEL, the C1
//! controls, U+2028 and U+2029, the bidirectional controls and U+FEFF. A reader gets the same text back either way.

/// Appends `text` as a JSON string, with its quotes.
#[inline]
pub fn put_str(out: &mut Vec<u8>, text: &str) {
    out.push(b'"');
    put_escaped(out, text.as_bytes());
    out.push(b'"');
}

/// Appends the bytes of a text escaped, without quotes.
///
/// Looks at eight bytes at a time until one needs an escape or is not ASCII, which is rare.
#[inline]
pub(super) fn put_escaped(out: &mut Vec<u8>, text: &[u8]) {
    let (head, rest) = text.split_at(plain_prefix(text));
    out.extend_from_slice(head);
    if !rest.is_empty() {
        put_rest(out, rest);
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

/// Returns whether a text is printable ASCII that needs no escape and has none of the `others`.
#[inline]
pub(in crate::schema) fn is_plain_without<const OTHERS: usize>(text: &[u8], others: [u8; OTHERS]) -> bool {
    let is_plain = |word: &[u8; 8]| {
        let word = u64::from_le_bytes(*word);
        let found = |found, other| found | (word ^ (ONES * u64::from(other))).wrapping_sub(ONES);
        others.into_iter().fold(unplain(word), found) & HIGH == 0
    };
    // The last word may overlap the one before.
    match text.last_chunk() {
        Some(last) => text.as_chunks().0.iter().all(is_plain) && is_plain(last),
        None => text.iter().all(|byte| byte.is_ascii() && !is_escaped_ascii(*byte) && !others.contains(byte)),
    }
}

#[inline]
pub(super) fn byte_wise(bytes: &[u8]) -> usize {
    bytes.iter().position(|byte| !byte.is_ascii() || is_escaped_ascii(*byte)).unwrap_or(bytes.len())
}

/// The compiler turns the search of this many bytes into vector instructions.
const CHUNK: usize = 32;

/// Returns the length of the leading chunks in which no character is escaped.
#[inline]
fn calm_prefix(bytes: &[u8]) -> usize {
    let mut calm = 0;
    while bytes.get(calm..).and_then(<[u8]>::first_chunk).is_some_and(is_calm) {
        calm += CHUNK;
    }
    calm
}

/// Returns whether no escaped character begins in a chunk. Two more bytes tell which character is the last.
#[inline]
fn is_calm(chunk: &[u8; CHUNK + 2]) -> bool {
    !any(chunk, |byte, _, _| is_escaped_ascii(byte))
        && (!any(chunk, |byte, _, _| (byte | 0x20 == 0xe2) | (byte == 0xd8) | (byte == 0xef))
            || !any(chunk, begins_escaped))
}

#[inline]
fn any(chunk: &[u8; CHUNK + 2], is: impl Fn(u8, u8, u8) -> bool) -> bool {
    (0..CHUNK).fold(false, |found, at| found | is(chunk[at], chunk[at + 1], chunk[at + 2]))
}

#[inline]
const fn is_escaped_ascii(byte: u8) -> bool {
    (byte < 0x20) | (byte == b'"') | (byte == b'\\') | (byte == 0x7f)
}

/// Returns whether these bytes are the beginning of an escaped character beyond ASCII: [`is_unsafe`] in UTF-8.
#[inline]
fn begins_escaped(first: u8, second: u8, third: u8) -> bool {
    // U+200E, U+200F, U+2028 to U+202E; U+2066 to U+2069.
    let marks = (second == 0x80) & ((third & 0xfe == 0x8e) | (third.wrapping_sub(0xa8) < 7))
        | (second == 0x81) & (third.wrapping_sub(0xa6) < 4);
    // U+0080 to U+009F; U+061C; U+FEFF.
    (first == 0xc2) & (second < 0xa0)
        | (first == 0xd8) & (second == 0x9c)
        | (first == 0xe2) & marks
        | (first == 0xef) & (second == 0xbb) & (third == 0xbf)
}

/// Appends a text that begins with a character that needs an escape or is not ASCII.
#[inline(never)]
fn put_rest(out: &mut Vec<u8>, mut text: &[u8]) {
    let mut block = [0; BLOCK + WORD];
    while !text.is_empty() {
        let (calm, mut rest) = text.split_at(calm_prefix(text));
        out.extend_from_slice(calm);
        let length = fill(&mut block, &mut rest);
        out.extend_from_slice(block.get(..length).unwrap_or_default());
        text = rest;
    }
}

/// A power of two: the remainder of a length needs no check against the bounds.
const BLOCK: usize = 256;
const WORD: usize = 8;
/// The length of the longest escape.
const WIDEST: usize = 6;

/// Writes the beginning of a text and takes it away. Returns how many bytes it wrote.
///
/// Writes bytes without a branch for each: where characters are escaped, there are more, at places that no processor
/// predicts.
#[inline]
fn fill(block: &mut [u8; BLOCK + WORD], text: &mut &[u8]) -> usize {
    let (mut rest, mut length) = (*text, 0);
    while length <= BLOCK - WORD * WIDEST {
        if let Some((word, behind)) = rest.split_first_chunk::<WORD>() {
            // If a byte needs `put_char`, the sum shows it, and what was written from `length` on is written again.
            let after = word.iter().fold(length, |length, byte| length + put_byte(block, length, *byte));
            if after < BLOCK {
                (rest, length) = (behind, after);
                continue;
            }
        } else if rest.is_empty() {
            break;
        }
        (rest, length) = put_chars(block, length, rest);
    }
    *text = rest;
    length
}

/// Writes a word, with the rest of its last character. Returns what is behind it, and the length of the block.
#[inline(never)]
fn put_chars<'t>(block: &mut [u8; BLOCK + WORD], mut length: usize, text: &'t [u8]) -> (&'t [u8], usize) {
    let mut at = 0;
    while at < WORD
        && let Some(rest) = text.get(at..).filter(|rest| !rest.is_empty())
    {
        let (taken, written) = put_char(block, length, rest);
        (at, length) = (at + taken, length + written);
    }
    (text.get(at..).unwrap_or_default(), length)
}

/// Writes a byte or its escape. Returns the length of that, or [`BLOCK`] if the byte needs [`put_char`].
#[inline]
fn put_byte(block: &mut [u8; BLOCK + WORD], length: usize, byte: u8) -> usize {
    let written = WRITTEN[usize::from(byte)];
    let place = length % BLOCK;
    block[place..place + WORD].copy_from_slice(&written.to_le_bytes());
    (written >> LENGTH_AT) as usize
}

/// Writes the character or the byte at the beginning of `rest`. Returns how many bytes it took, and how many it wrote.
#[inline]
fn put_char(block: &mut [u8; BLOCK + WORD], length: usize, rest: &[u8]) -> (usize, usize) {
    let at = |at| rest.get(at).copied().unwrap_or_default();
    let (first, second, third) = (at(0), at(1), at(2));
    let written = put_byte(block, length, first);
    if written < BLOCK {
        return (1, written);
    }
    let place = length % BLOCK;
    if !begins_escaped(first, second, third) {
        block[place] = first;
        return (1, 1);
    }
    let bits = |byte| u16::from(byte & 0x3f);
    let (code, taken) = match first {
        ..0xe0 => (bits(first & 0x1f) << 6 | bits(second), 2),
        _ => (bits(first & 0xf) << 12 | bits(second) << 6 | bits(third), 3),
    };
    block[place..place + WIDEST].copy_from_slice(&unicode_escape(code));
    (taken, WIDEST)
}

/// How each byte is written: itself or its escape, from the lowest byte on, and above [`LENGTH_AT`] the length of that.
const WRITTEN: [u64; 256] = {
    let mut written = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        let short = match byte as u8 {
            b'"' | b'\\' => byte as u8,
            b'\n' => b'n',
            b'\r' => b'r',
            b'\t' => b't',
            0x8 => b'b',
            0xc => b'f',
            _ => 0,
        };
        written[byte] = if short != 0 {
            2 << LENGTH_AT | (short as u64) << 8 | b'\\' as u64
        } else if matches!(byte as u8, 0xc2 | 0xd8 | 0xe2 | 0xef) {
            // It may begin an escaped character.
            (BLOCK as u64) << LENGTH_AT
        } else if is_escaped_ascii(byte as u8) {
            let [a, b, c, d, e, f] = unicode_escape(byte as u16);
            (WIDEST as u64) << LENGTH_AT | u64::from_le_bytes([a, b, c, d, e, f, 0, 0])
        } else {
            1 << LENGTH_AT | byte as u64
        };
        byte += 1;
    }
    written
};
const LENGTH_AT: u32 = 8 * WIDEST as u32;

/// Returns the escape of a character: all unsafe ones are in the basic plane.
#[inline]
const fn unicode_escape(code: u16) -> [u8; WIDEST] {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    let [high, low] = code.to_be_bytes();
    [
        b'\\',
        b'u',
        HEX[(high >> 4) as usize],
        HEX[(high & 0xf) as usize],
        HEX[(low >> 4) as usize],
        HEX[(low & 0xf) as usize],
    ]
}

/// Returns whether a character could disturb a viewer: controls, line separators, bidirectional controls, BOM.
pub(in crate::schema) fn is_unsafe(char: char) -> bool {
    matches!(char,
        '\0'..='\x1f' | '\x7f'..='\u{9f}' | '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}'
        | '\u{2066}'..='\u{2069}' | '\u{feff}')
}
