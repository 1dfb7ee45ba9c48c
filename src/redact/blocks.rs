//! The classes of bytes, a block at a time: the only part of a scan that looks at every byte.

/// Bytes of one block.
pub(super) const BLOCK: usize = 32;

/// Which bytes of a block belong to a class: one bit for each, the first byte lowest.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Classes {
    /// Letters, and all bytes beyond ASCII.
    pub(super) letters: u32,
    pub(super) digits: u32,
    /// `@`, `A` and `J`: secrets that neither a word nor a digit announces have one.
    pub(super) marks: u32,
}

impl Classes {
    #[inline(always)]
    pub(super) fn of(block: &[u8; BLOCK]) -> Self {
        let (halves, _) = block.as_chunks::<16>();
        let [low, high] = halves else { return Self::default() };
        let ([low, high], of) = ([half(low), half(high)], |half: [u32; 3], class: usize| half[class]);
        let joined = |class| of(low, class) | of(high, class) << 16;
        Self { letters: joined(0), digits: joined(1), marks: joined(2) }
    }

    /// Returns the classes without the last `count` bytes; the byte before them becomes the last.
    #[inline(always)]
    pub(super) fn shifted(self, count: usize) -> Self {
        Self { letters: self.letters << count, digits: self.digits << count, marks: self.marks << count }
    }
}

/// Returns the letters, digits and marks among sixteen bytes, with the vectors that each x86-64 has.
#[cfg(target_arch = "x86_64")]
#[inline(always)]
fn half(bytes: &[u8; 16]) -> [u32; 3] {
    use safe_arch::{
        add_i8_m128i, bitand_m128i, bitor_m128i, cmp_eq_mask_i8_m128i, cmp_gt_mask_i8_m128i, m128i, move_mask_i8_m128i,
    };
    let all = |byte: u8| m128i::from([byte as i8; 16]);
    // Moves the bytes from `last` down to the largest signed numbers.
    let up_to = |bytes: m128i, last: u8, count: u8| {
        cmp_gt_mask_i8_m128i(add_i8_m128i(bytes, all(0x7f - last)), all(0x7f - count))
    };
    let bytes = m128i::from(*bytes);
    let letters = up_to(bitor_m128i(bytes, all(0x20)), b'z', 26);
    let digits = up_to(bytes, b'9', 10);
    let at_or_a = cmp_eq_mask_i8_m128i(bitand_m128i(bytes, all(!1)), all(b'@'));
    let marks = bitor_m128i(at_or_a, cmp_eq_mask_i8_m128i(bytes, all(b'J')));
    // The bytes beyond ASCII have the highest bit.
    [bitor_m128i(letters, bytes), digits, marks].map(|class| move_mask_i8_m128i(class) as u32)
}

#[cfg(not(target_arch = "x86_64"))]
#[inline(always)]
fn half(bytes: &[u8; 16]) -> [u32; 3] {
    classes(bytes)
}

#[cfg(any(test, not(target_arch = "x86_64")))]
fn classes(bytes: &[u8; 16]) -> [u32; 3] {
    bytes.iter().enumerate().fold([0; 3], |[letters, digits, marks], (at, byte)| {
        let bit = |is: bool| u32::from(is) << at;
        [
            letters | bit(byte.is_ascii_alphabetic() || !byte.is_ascii()),
            digits | bit(byte.is_ascii_digit()),
            marks | bit(matches!(byte, b'@' | b'A' | b'J')),
        ]
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sixteen_bytes_are_judged_like_one() {
        for (place, byte) in (0..16).flat_map(|place| (0..=255).map(move |byte| (place, byte))) {
            let mut bytes = [b' '; 16];
            bytes[place] = byte;
            assert_eq!(half(&bytes), classes(&bytes), "{byte} at {place}");
        }
    }
}
