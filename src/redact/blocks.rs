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
    /// Returns the classes of a block's first bytes, as many quarters as `QUARTERS`.
    #[inline(always)]
    pub(super) fn of<const QUARTERS: usize>(window: &Window) -> Self {
        let (quarters, _) = window.last_chunk::<BLOCK>().unwrap_or(&[0; BLOCK]).as_chunks::<QUARTER>();
        let mut classes = Self::default();
        for (nth, bytes) in quarters.iter().take(QUARTERS).enumerate() {
            classes.add(bytes, nth);
        }
        classes
    }

    #[inline(always)]
    fn add(&mut self, bytes: &[u8; QUARTER], nth: usize) {
        let [letters, digits, marks] = quarter(bytes).map(|bits| u64::from(bits) << (nth * QUARTER));
        self.letters |= letters;
        self.digits |= digits;
        self.marks |= marks;
    }
}

/// Returns the letters, digits and marks among sixteen bytes, with the vectors that each x86-64 has.
#[cfg(target_arch = "x86_64")]
#[inline(always)]
fn quarter(bytes: &[u8; 16]) -> [u32; 3] {
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
fn quarter(bytes: &[u8; 16]) -> [u32; 3] {
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
            assert_eq!(quarter(&bytes), classes(&bytes), "{byte} at {place}");
        }
    }
}
