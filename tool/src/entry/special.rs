//! The bytes of a string that are not themselves.

/// How many bytes are looked at together.
const BLOCK: usize = 16;

/// Returns the place of the first quote, backslash or control character.
#[inline]
pub(super) fn special(bytes: &[u8]) -> Option<usize> {
    let mut rest = bytes;
    while let Some((block, behind)) = rest.split_first_chunk() {
        let found = bits(block);
        if found != 0 {
            return Some(bytes.len() - rest.len() + found.trailing_zeros() as usize);
        }
        rest = behind;
    }
    rest.iter().position(|byte| is_special(*byte)).map(|at| bytes.len() - rest.len() + at)
}

/// Returns how many digits the bytes begin with. Eight bytes are looked at together.
#[inline]
pub(super) fn digits(bytes: &[u8]) -> usize {
    let mut rest = bytes;
    while let Some((block, behind)) = rest.split_first_chunk() {
        // A digit is at most 9 then, and only the sum of a larger number sets the upper bit. What it carries into the bytes
        // behind it does not matter.
        let numbers = u64::from_le_bytes(*block) ^ u64::from_le_bytes([b'0'; 8]);
        let others = (numbers.wrapping_add(u64::from_le_bytes([0x76; 8])) | numbers) & u64::from_le_bytes([0x80; 8]);
        if others != 0 {
            return bytes.len() - rest.len() + others.trailing_zeros() as usize / 8;
        }
        rest = behind;
    }
    let more = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
    bytes.len() - rest.len() + more
}

fn is_special(byte: u8) -> bool {
    matches!(byte, b'"' | b'\\' | 0..0x20)
}

/// Returns whether all bytes are printable ASCII, without quotes and backslashes.
#[inline]
pub(super) fn is_plain(bytes: &[u8]) -> bool {
    all_blocks(bytes, is_plain_block)
}

/// Returns whether all bytes are plain, and none is a space or `=`.
#[inline]
pub(crate) fn is_bare(bytes: &[u8]) -> bool {
    all_blocks(bytes, |block| is_plain_block(block) && !has_separator(block))
}

/// Returns whether all blocks of the bytes are of a kind. Of fewer bytes than a block has, some are in it twice.
#[inline(always)]
fn all_blocks(bytes: &[u8], is: impl Fn(&[u8; BLOCK]) -> bool) -> bool {
    let mut rest = bytes;
    while let Some((block, behind)) = rest.split_first_chunk() {
        if !is(block) {
            return false;
        }
        rest = behind;
    }
    if let Some(last) = bytes.last_chunk() {
        return is(last);
    }
    let mut block = [b'x'; BLOCK];
    if let (Some(first), Some(last)) = (bytes.first_chunk::<8>(), bytes.last_chunk::<8>()) {
        let (low, high) = block.split_at_mut(8);
        low.copy_from_slice(first);
        high.copy_from_slice(last);
    } else if let (Some(first), Some(last)) = (bytes.first_chunk::<4>(), bytes.last_chunk::<4>()) {
        let (low, high) = block.split_at_mut(4);
        low.copy_from_slice(first);
        high.get_mut(..4).into_iter().for_each(|high| high.copy_from_slice(last));
    } else {
        block.iter_mut().zip(bytes).for_each(|(to, from)| *to = *from);
    }
    is(&block)
}

fn is_separator(byte: u8) -> bool {
    matches!(byte, b' ' | b'=')
}

/// Returns whether a block has a space or `=`, which compilers turn into vectors.
#[inline(always)]
fn has_separator(block: &[u8; BLOCK]) -> bool {
    block.iter().fold(false, |has, byte| has | is_separator(*byte))
}

#[cfg(any(test, not(target_arch = "x86_64")))]
fn is_plain_byte(byte: u8) -> bool {
    matches!(byte, b' '..=b'~') && !matches!(byte, b'"' | b'\\')
}

/// Returns a bit for each byte, the first one lowest: whether it is special. With the vectors that each x86-64 has.
#[cfg(target_arch = "x86_64")]
#[inline(always)]
fn bits(block: &[u8; BLOCK]) -> u32 {
    use safe_arch::{bitor_m128i, cmp_eq_mask_i8_m128i, m128i, min_u8_m128i, move_mask_i8_m128i};

    let all = |byte: u8| m128i::from([byte; BLOCK]);
    let bytes = m128i::from(*block);
    let marks = bitor_m128i(cmp_eq_mask_i8_m128i(bytes, all(b'"')), cmp_eq_mask_i8_m128i(bytes, all(b'\\')));
    let controls = cmp_eq_mask_i8_m128i(min_u8_m128i(bytes, all(0x1f)), bytes);
    move_mask_i8_m128i(bitor_m128i(marks, controls)) as u32
}

/// Returns whether a block is plain. With the vectors that each x86-64 has.
#[cfg(target_arch = "x86_64")]
#[inline(always)]
fn is_plain_block(block: &[u8; BLOCK]) -> bool {
    use safe_arch::{
        bitandnot_m128i, bitor_m128i, cmp_eq_mask_i8_m128i, cmp_gt_mask_i8_m128i, m128i, move_mask_i8_m128i,
    };

    let all = |byte: u8| m128i::from([byte; BLOCK]);
    let bytes = m128i::from(*block);
    let marks = bitor_m128i(cmp_eq_mask_i8_m128i(bytes, all(b'"')), cmp_eq_mask_i8_m128i(bytes, all(b'\\')));
    let others = bitor_m128i(marks, cmp_eq_mask_i8_m128i(bytes, all(0x7f)));
    // Bytes above ASCII are negative.
    let printable = cmp_gt_mask_i8_m128i(bytes, all(b' ' - 1));
    move_mask_i8_m128i(bitandnot_m128i(others, printable)) == (1 << BLOCK) - 1
}

/// The same, a byte at a time, which compilers turn into vectors.
#[cfg(not(target_arch = "x86_64"))]
#[inline(always)]
fn is_plain_block(block: &[u8; BLOCK]) -> bool {
    block.iter().fold(true, |is, byte| is & is_plain_byte(*byte))
}

/// Returns a bit for each byte, a byte at a time, which compilers turn into vectors.
#[cfg(not(target_arch = "x86_64"))]
#[inline(always)]
fn bits(block: &[u8; BLOCK]) -> u32 {
    block.iter().enumerate().fold(0, |bits, (at, byte)| bits | u32::from(is_special(*byte)) << at)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn the_first_special_byte_is_found(
            mut bytes in proptest::collection::vec(0x20..=0xff_u8, 0..70),
            specials in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..3),
        ) {
            bytes.iter_mut().filter(|byte| is_special(**byte)).for_each(|byte| *byte = b'x');
            for (at, byte) in specials {
                if !bytes.is_empty() {
                    let at = at.index(bytes.len());
                    bytes[at] = byte;
                }
            }
            prop_assert_eq!(special(&bytes), bytes.iter().position(|byte| is_special(*byte)));
        }

        #[test]
        fn digits_are_counted(text in "[0-9]{0,30}", behind in proptest::collection::vec(any::<u8>(), 0..20)) {
            let bytes = [text.as_bytes(), &behind].concat();
            prop_assert_eq!(digits(&bytes), bytes.iter().take_while(|byte| byte.is_ascii_digit()).count());
        }

        #[test]
        fn plain_text_is_told_from_all_other(
            text in "[ -~]{0,70}",
            other in proptest::option::of((any::<prop::sample::Index>(), any::<u8>())),
        ) {
            let mut bytes: Vec<u8> = text.into_bytes();
            bytes.retain(|byte| is_plain_byte(*byte));
            if let Some((at, byte)) = other.filter(|_| !bytes.is_empty()) {
                let at = at.index(bytes.len());
                bytes[at] = byte;
            }
            prop_assert_eq!(is_plain(&bytes), bytes.iter().all(|byte| is_plain_byte(*byte)));
            prop_assert_eq!(is_bare(&bytes), is_plain(&bytes) && !bytes.iter().any(|byte| is_separator(*byte)));
            bytes.retain(|byte| !is_separator(*byte));
            prop_assert_eq!(is_bare(&bytes), is_plain(&bytes));
        }
    }
}
