//! Which bytes a secret may begin at, and how to see fast that a text has none of them.

/// Why the pass stops at a byte.
pub(super) mod class {
    pub(crate) const ASSIGN: u8 = 1;
    pub(crate) const OPEN: u8 = 2;
    pub(crate) const ANGLE: u8 = 4;
    pub(crate) const DIGIT: u8 = 8;
    /// Of a prefix.
    pub(crate) const MARK: u8 = 16;
    pub(crate) const B: u8 = 32;
    pub(crate) const J: u8 = 64;
    /// Not a reason: a letter or digit.
    pub(crate) const WORD: u8 = 128;
    /// At these a name may end.
    pub(crate) const NAMES: u8 = ASSIGN | OPEN | ANGLE;
    pub(crate) const ALL: u8 = !WORD;
}

const CLASS: [u8; 256] = {
    let mut classes = [0; 256];
    let mut at = 0;
    while at < 256 {
        classes[at] = match at as u8 {
            b':' | b'=' => class::ASSIGN,
            b'0'..=b'9' => class::DIGIT,
            b'(' | b'[' | b'{' => class::OPEN,
            b'-' | b'_' | b'A' => class::MARK,
            b'b' | b'B' => class::B,
            b'J' => class::J,
            b'>' => class::ANGLE,
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
pub(super) fn class_of(byte: u8) -> u8 {
    CLASS[usize::from(byte)]
}

/// Where the word ends that `at` is in.
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

/// The same, sixteen bytes at once in the processor's wide registers.
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

/// Whether one of sixteen bytes is of any class: without the table, so that they are looked at all at once.
#[inline]
fn any_class(chunk: &[u8; 16]) -> bool {
    chunk.iter().fold(false, |any, &byte| {
        let upper = byte & 0xdf;
        any | (byte.wrapping_sub(b'0') <= 10)
            | (byte.wrapping_sub(b'=') <= 1)
            | (upper == b'B')
            | (upper == b'[')
            | (byte == b'(')
            | (byte == b'-')
            | (byte == b'_')
            | (byte == b'A')
            | (byte == b'J')
    })
}

/// Whether one of the bytes is of any class.
#[inline(never)]
fn any_class_of_many(text: &[u8]) -> bool {
    let mut rest = text;
    while let Some((chunk, behind)) = rest.split_first_chunk::<16>() {
        if any_class(chunk) {
            return true;
        }
        rest = behind;
    }
    // Once more the last of them.
    text.last_chunk::<16>().is_some_and(any_class)
}

/// Whether one of the bytes is of the `classes`, or perhaps of another where there are many.
#[inline]
pub(super) fn any(text: &[u8], classes: u8) -> bool {
    if text.len() >= 16 {
        return any_class_of_many(text);
    }
    text.iter().fold(0, |seen, byte| seen | class_of(*byte)) & classes != 0
}

/// Whether a text is a UUID: nearly every request's id is one, and has digits and dashes like what is looked for.
#[inline]
pub(super) fn is_uuid(text: &[u8]) -> bool {
    let Some(text) = text.first_chunk::<36>().filter(|_| text.len() == 36) else { return false };
    let dashes = [8, 13, 18, 23].into_iter().all(|at| text[at] == b'-');
    dashes && text.iter().filter(|byte| byte.is_ascii_hexdigit()).count() == 32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_uuid_is_told_from_what_only_looks_like_one() {
        assert!(is_uuid(b"0191a2b3-C4d5-7e6f-8a9b-0c1d2e3f4a5b"));
        for other in [
            "4111-1111-1111-1111-1111-1111-1111-1",
            "0191a2b3-c4d5-7e6f-8a9b-0c1d2e3f4a5",
            "0191a2b3-c4d5-7e6f-8a9b-0c1d2e3f4a=b",
        ] {
            assert!(!is_uuid(other.as_bytes()), "{other}");
        }
    }

    #[test]
    fn sixteen_bytes_are_judged_as_one() {
        for byte in 0..=255 {
            let mut chunk = [b' '; 16];
            chunk[usize::from(byte) % 16] = byte;
            assert_eq!(any_class(&chunk), class_of(byte) & class::ALL != 0, "{byte}");
        }
    }
}
