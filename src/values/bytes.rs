//! Reads integers and byte strings from the front of a slice. Each function returns `None` when the slice is too short.

#[inline]
pub(super) fn take<const N: usize>(bytes: &mut &[u8]) -> Option<[u8; N]> {
    let (head, rest) = bytes.split_first_chunk::<N>()?;
    *bytes = rest;
    Some(*head)
}

/// Reads a length (u16) and that many bytes.
#[inline]
pub(super) fn take_u16<'a>(bytes: &mut &'a [u8]) -> Option<&'a [u8]> {
    let length = u16::from_le_bytes(take(bytes)?);
    take_bytes(bytes, usize::from(length))
}

/// Reads a length (u32) and that many bytes.
#[inline]
pub(super) fn take_u32<'a>(bytes: &mut &'a [u8]) -> Option<&'a [u8]> {
    let length = u32::from_le_bytes(take(bytes)?);
    take_bytes(bytes, length as usize)
}

#[inline]
fn take_bytes<'a>(bytes: &mut &'a [u8], length: usize) -> Option<&'a [u8]> {
    let (head, rest) = bytes.split_at_checked(length)?;
    *bytes = rest;
    Some(head)
}

/// Returns the bytes as text. They were captured from a `str`, so this always succeeds.
#[inline]
pub(crate) fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap_or_default()
}
