//! A captured value, read back.

use std::borrow::Cow;

use super::error_chain::ErrorChain;
use super::text::prefix;

/// A captured value.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum Value<'a> {
    /// A truth value.
    Bool(bool),
    /// A signed integer.
    I64(i64),
    /// An unsigned integer.
    U64(u64),
    /// A wide signed integer.
    I128(i128),
    /// A wide unsigned integer.
    U128(u128),
    /// A floating-point number; may be NaN or infinite.
    F64(f64),
    /// Text: a string, or the output of `Debug` or `Display`.
    Str(&'a str),
    /// Raw bytes.
    Bytes(&'a [u8]),
    /// An error and its sources.
    Error(ErrorChain<'a>),
    /// A structured value as JSON text, from [`json`](crate::json).
    Json(&'a str),
}

impl Value<'_> {
    /// Returns whether this is an integer or a float.
    pub(crate) fn is_number(&self) -> bool {
        matches!(self, Self::I64(_) | Self::U64(_) | Self::I128(_) | Self::U128(_) | Self::F64(_))
    }

    /// Returns whether both are the same, whatever the types of integers, and whether a text is JSON.
    pub(crate) fn is_same(&self, other: &Value<'_>) -> bool {
        match (self.to_integer(), other.to_integer()) {
            (Some(own), Some(other)) => own == other,
            _ => match (self, other) {
                (Value::Json(own) | Value::Str(own), Value::Json(other) | Value::Str(other)) => own == other,
                _ => self == other,
            },
        }
    }

    /// Returns an integer as its sign and its bits.
    fn to_integer(self) -> Option<(bool, u128)> {
        Some(match self {
            Value::I64(number) => (number < 0, i128::from(number).cast_unsigned()),
            Value::I128(number) => (number < 0, number.cast_unsigned()),
            Value::U64(number) => (false, number.into()),
            Value::U128(number) => (false, number),
            _ => return None,
        })
    }
}

impl<'a> Value<'a> {
    /// Returns the text of a string value.
    pub fn as_str(&self) -> Option<&'a str> {
        match self {
            Value::Str(text) => Some(text),
            _ => None,
        }
    }

    /// Returns the value as plain text; `None` for bytes and errors.
    pub(crate) fn to_text(self) -> Option<Cow<'a, str>> {
        Some(match self {
            Value::Str(text) | Value::Json(text) => Cow::Borrowed(text),
            Value::Bool(on) => Cow::Owned(on.to_string()),
            Value::I64(number) => Cow::Owned(number.to_string()),
            Value::U64(number) => Cow::Owned(number.to_string()),
            Value::I128(number) => Cow::Owned(number.to_string()),
            Value::U128(number) => Cow::Owned(number.to_string()),
            Value::F64(number) => Cow::Owned(number.to_string()),
            Value::Bytes(_) | Value::Error(_) => return None,
        })
    }

    /// Returns the length of the text or bytes; 0 for a number.
    pub(crate) fn text_bytes(&self) -> usize {
        match self {
            Value::Str(text) | Value::Json(text) => text.len(),
            Value::Bytes(bytes) => bytes.len(),
            Value::Error(chain) => chain.message().len() + chain.sources().map(str::len).sum::<usize>(),
            _ => 0,
        }
    }

    /// Returns the same value with text and bytes cut to `limit` bytes. JSON that was cut becomes text.
    pub(crate) fn truncated_to(self, limit: usize) -> Self {
        match self {
            Value::Str(text) if text.len() > limit => Value::Str(prefix(text, limit)),
            Value::Json(text) if text.len() > limit => Value::Str(prefix(text, limit)),
            Value::Bytes(bytes) if bytes.len() > limit => Value::Bytes(bytes.get(..limit).unwrap_or_default()),
            Value::Error(chain) if chain.encoded().len() > limit => Value::Str(prefix(chain.message(), limit)),
            value => value,
        }
    }
}

macro_rules! from {
    ($($from:ty => $variant:ident as $to:ty),* $(,)?) => {
        $(impl From<$from> for Value<'_> {
            fn from(value: $from) -> Self {
                Value::$variant(<$to>::from(value))
            }
        })*
    };
}

from! {
    bool => Bool as bool,
    i8 => I64 as i64,
    u8 => U64 as u64,
    i16 => I64 as i64,
    u16 => U64 as u64,
    f32 => F64 as f64,
    i32 => I64 as i64,
    i64 => I64 as i64,
    u32 => U64 as u64,
    u64 => U64 as u64,
    i128 => I128 as i128,
    u128 => U128 as u128,
    f64 => F64 as f64,
}

impl From<isize> for Value<'_> {
    fn from(value: isize) -> Self {
        Value::I64(value as i64)
    }
}

impl From<usize> for Value<'_> {
    fn from(value: usize) -> Self {
        Value::U64(value as u64)
    }
}

impl<'a> From<&'a str> for Value<'a> {
    fn from(text: &'a str) -> Self {
        Value::Str(text)
    }
}

impl<'a> From<&'a String> for Value<'a> {
    fn from(text: &'a String) -> Self {
        Value::Str(text)
    }
}
