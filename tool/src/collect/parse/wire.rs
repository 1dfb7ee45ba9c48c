//! Protobuf's wire format: the fields of a message, one after the other.
//!
//! Source: <https://protobuf.dev/programming-guides/encoding/>.

use super::refused::Refused;

/// The fields of a message.
#[derive(Clone, Copy, Debug)]
pub(super) struct Message<'b>(pub(super) &'b [u8]);

/// A value on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wire<'b> {
    Varint(u64),
    Fixed64([u8; 8]),
    Bytes(&'b [u8]),
    Fixed32([u8; 4]),
}

impl<'b> Message<'b> {
    /// Returns the next field's number and value.
    fn read(&mut self) -> Option<(u64, Wire<'b>)> {
        let key = self.varint()?;
        let value = match key & 7 {
            0 => Wire::Varint(self.varint()?),
            1 => Wire::Fixed64(self.take(8)?.try_into().ok()?),
            2 => {
                let length = usize::try_from(self.varint()?).ok()?;
                Wire::Bytes(self.take(length)?)
            }
            5 => Wire::Fixed32(self.take(4)?.try_into().ok()?),
            // Groups, which nothing here has ever had.
            _ => return None,
        };
        // No field has the number 0. Bodies of other formats nearly always fail here.
        (key >> 3 != 0).then_some((key >> 3, value))
    }

    fn take(&mut self, count: usize) -> Option<&'b [u8]> {
        let (taken, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(taken)
    }

    fn varint(&mut self) -> Option<u64> {
        let mut number = 0;
        for place in 0..10 {
            let byte = *self.take(1)?.first()?;
            number |= u64::from(byte & 0x7f) << (7 * place);
            if byte < 0x80 {
                return Some(number);
            }
        }
        None
    }
}

impl<'b> Iterator for Message<'b> {
    type Item = Result<(u64, Wire<'b>), Refused>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.0.is_empty() {
            return None;
        }
        let field = self.read();
        if field.is_none() {
            // What follows has no beginning.
            self.0 = &[];
        }
        Some(field.ok_or(Refused::NotOtlp))
    }
}

impl<'b> Wire<'b> {
    /// Returns the bytes of a message, or of bytes.
    pub(super) fn bytes(self) -> Result<&'b [u8], Refused> {
        match self {
            Self::Bytes(bytes) => Ok(bytes),
            _ => Err(Refused::NotOtlp),
        }
    }

    pub(super) fn text(self) -> Result<&'b str, Refused> {
        str::from_utf8(self.bytes()?).map_err(|_| Refused::NotUtf8)
    }

    pub(super) fn varint(self) -> Result<u64, Refused> {
        match self {
            Self::Varint(number) => Ok(number),
            _ => Err(Refused::NotOtlp),
        }
    }

    pub(super) fn fixed64(self) -> Result<u64, Refused> {
        match self {
            Self::Fixed64(bytes) => Ok(u64::from_le_bytes(bytes)),
            _ => Err(Refused::NotOtlp),
        }
    }

    pub(super) fn fixed32(self) -> Result<u32, Refused> {
        match self {
            Self::Fixed32(bytes) => Ok(u32::from_le_bytes(bytes)),
            _ => Err(Refused::NotOtlp),
        }
    }
}
