//! Numbers and bytes of protobuf, to write and to read: what its messages are made of.
//!
//! Source: <https://protobuf.dev/programming-guides/encoding/>.

/// Appends bytes behind their length.
pub(crate) fn put_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    put_varint(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

/// Appends a number: seven bits in each byte, the lowest first.
pub(crate) fn put_varint(out: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

/// Returns how many bytes a number has.
pub(crate) fn varint_bytes(number: u64) -> usize {
    (64 - (number | 1).leading_zeros() as usize).div_ceil(7)
}

/// Takes as many bytes.
pub(crate) fn take<'b>(bytes: &mut &'b [u8], count: usize) -> Option<&'b [u8]> {
    let (taken, rest) = bytes.split_at_checked(count)?;
    *bytes = rest;
    Some(taken)
}

/// Takes a number.
pub(crate) fn take_varint(bytes: &mut &[u8]) -> Option<u64> {
    let mut number = 0;
    for place in 0..10 {
        let byte = *take(bytes, 1)?.first()?;
        number |= u64::from(byte & 0x7f) << (7 * place);
        if byte < 0x80 {
            return Some(number);
        }
    }
    None
}

/// Takes bytes behind their length.
pub(crate) fn take_bytes<'b>(bytes: &mut &'b [u8]) -> Option<&'b [u8]> {
    let length = take_varint(bytes)?;
    take(bytes, usize::try_from(length).ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        for number in (0..64).flat_map(|shift| [u64::MAX >> shift, 1 << shift]).chain([0]) {
            let mut out = Vec::new();
            put_varint(&mut out, number);
            assert_eq!(out.len(), varint_bytes(number), "{number}");
            let mut rest = &out[..];
            assert_eq!((take_varint(&mut rest), rest.len()), (Some(number), 0));
            let mut torn = &out[..out.len() - 1];
            assert_eq!(take_varint(&mut torn), None, "{number}");
        }
        let mut out = Vec::new();
        put_bytes(&mut out, b"bytes");
        assert_eq!(take_bytes(&mut &out[..]), Some(&b"bytes"[..]));
        assert_eq!(take_bytes(&mut &out[..3]), None);
        assert_eq!(take_varint(&mut &[0xff; 11][..]), None, "longer than any number");
    }
}
