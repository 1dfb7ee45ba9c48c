//! The classes of bytes, a block at a time: the only part of a scan that looks at every byte.

/// Bytes of one block.
pub(super) const BLOCK: usize = 64;

/// Bytes that are judged at a time.
pub(super) const QUARTER: usize = 16;

/// This many bytes before a block are looked at with it.
pub(super) const BEFORE: usize = 4;

/// A block, with the bytes before it.
pub(super) type Window = [u8; BEFORE + BLOCK];

/// Which bytes of a block belong to a class: one bit for each, the first byte lowest.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Classes {
    /// Letters, and all bytes beyond ASCII.
    pub(super) letters: u64,
    pub(super) digits: u64,
    /// `@`, `A` and `J`: secrets that neither a word nor a digit announces have one.
    pub(super) marks: u64,
}

impl Classes {
    /// Returns the classes of a block's bytes.
    #[inline(always)]
    pub(super) fn of(window: &Window) -> Self {
        let (quarters, _) = window.last_chunk::<BLOCK>().unwrap_or(&[0; BLOCK]).as_chunks::<QUARTER>();
        let mut classes = Self::default();
        for (nth, bytes) in quarters.iter().enumerate() {
            let [letters, digits] = quarter(bytes).map(|bits| u64::from(bits) << (nth * QUARTER));
            classes.letters |= letters;
            classes.digits |= digits;
        }
        // Most blocks have no marks.
        if has_mark(quarters) {
            let marks = quarters.iter().enumerate().map(|(nth, bytes)| u64::from(marks(bytes)) << (nth * QUARTER));
            classes.marks = marks.fold(0, |all, bits| all | bits);
        }
        classes
    }
}

/// The same with the vectors that each x86-64 has.
#[cfg(target_arch = "x86_64")]
mod vectors {
    use safe_arch::{
        add_i8_m128i, bitand_m128i, bitor_m128i, cmp_eq_mask_i8_m128i, cmp_gt_mask_i8_m128i, m128i, move_mask_i8_m128i,
    };

    use super::QUARTER;

    fn all(byte: u8) -> m128i {
        m128i::from([byte as i8; 16])
    }

    /// Returns the letters and digits among sixteen bytes.
    #[inline(always)]
    pub(super) fn quarter(bytes: &[u8; QUARTER]) -> [u32; 2] {
        // Moves the bytes from `last` down to the largest signed numbers.
        let up_to = |bytes: m128i, last: u8, count: u8| {
            cmp_gt_mask_i8_m128i(add_i8_m128i(bytes, all(0x7f - last)), all(0x7f - count))
        };
        let bytes = m128i::from(*bytes);
        let letters = up_to(bitor_m128i(bytes, all(0x20)), b'z', 26);
        // The bytes beyond ASCII have the highest bit.
        [bitor_m128i(letters, bytes), up_to(bytes, b'9', 10)].map(|class| move_mask_i8_m128i(class) as u32)
    }

    /// Returns whether a mark is among the bytes.
    #[inline(always)]
    pub(super) fn has_mark(quarters: &[[u8; QUARTER]]) -> bool {
        move_mask_i8_m128i(quarters.iter().fold(all(0), |found, bytes| bitor_m128i(found, are_marks(bytes)))) != 0
    }

    /// Returns the marks among sixteen bytes.
    #[inline(always)]
    pub(super) fn marks(bytes: &[u8; QUARTER]) -> u32 {
        move_mask_i8_m128i(are_marks(bytes)) as u32
    }

    #[inline(always)]
    fn are_marks(bytes: &[u8; QUARTER]) -> m128i {
        let bytes = m128i::from(*bytes);
        let at_or_a = cmp_eq_mask_i8_m128i(bitand_m128i(bytes, all(!1)), all(b'@'));
        bitor_m128i(at_or_a, cmp_eq_mask_i8_m128i(bytes, all(b'J')))
    }
}

/// The same, a byte at a time.
#[cfg(any(test, not(target_arch = "x86_64")))]
mod scalar {
    use super::QUARTER;

    fn bits(bytes: &[u8; QUARTER], is: impl Fn(u8) -> bool) -> u32 {
        bytes.iter().enumerate().fold(0, |bits, (at, byte)| bits | u32::from(is(*byte)) << at)
    }

    pub(super) fn quarter(bytes: &[u8; QUARTER]) -> [u32; 2] {
        [bits(bytes, |byte| byte.is_ascii_alphabetic() || !byte.is_ascii()), bits(bytes, |byte| byte.is_ascii_digit())]
    }

    pub(super) fn has_mark(quarters: &[[u8; QUARTER]]) -> bool {
        quarters.iter().any(|bytes| marks(bytes) != 0)
    }

    pub(super) fn marks(bytes: &[u8; QUARTER]) -> u32 {
        bits(bytes, |byte| matches!(byte, b'@' | b'A' | b'J'))
    }
}

#[cfg(not(target_arch = "x86_64"))]
use scalar::{has_mark, marks, quarter};
#[cfg(target_arch = "x86_64")]
use vectors::{has_mark, marks, quarter};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sixteen_bytes_are_judged_like_one() {
        for (place, byte) in (0..16).flat_map(|place| (0..=255).map(move |byte| (place, byte))) {
            let mut bytes = [b' '; 16];
            bytes[place] = byte;
            assert_eq!(quarter(&bytes), scalar::quarter(&bytes), "{byte} at {place}");
            assert_eq!(marks(&bytes), scalar::marks(&bytes), "{byte} at {place}");
            assert_eq!(has_mark(&[[0; 16], bytes]), scalar::has_mark(&[bytes]), "{byte} at {place}");
        }
    }
}
