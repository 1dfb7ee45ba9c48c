//! Where a string may end: the bytes in it that are not themselves.

/// How many bytes are looked at together.
const BLOCK: usize = 16;

/// Returns the place of the first quote, backslash or control character.
#[inline]
pub(super) fn special(bytes: &[u8]) -> Option<usize> {
    let (blocks, rest) = bytes.as_chunks::<BLOCK>();
    for (nth, block) in blocks.iter().enumerate() {
        let found = bits(block);
        if found != 0 {
            return Some(nth * BLOCK + found.trailing_zeros() as usize);
        }
    }
    rest.iter().position(|byte| is_special(*byte)).map(|at| blocks.len() * BLOCK + at)
}

fn is_special(byte: u8) -> bool {
    matches!(byte, b'"' | b'\\' | 0..0x20)
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

/// The same, a byte at a time, which compilers turn into vectors.
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
    }
}
