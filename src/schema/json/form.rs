//! How a reader wants values.

use super::escape::put_str;
use super::value::{put_value, text_of};
use crate::record::Value;

/// How values are written.
#[derive(Clone, Copy)]
pub(crate) enum Form {
    /// As JSON.
    Json,
    /// As JSON strings, whatever they are.
    Text,
    /// As JSON, except those that the first function names and the second appends. Texts are always JSON.
    Except(fn(&Value<'_>) -> bool, fn(&Value<'_>, &mut Vec<u8>)),
    /// Without quotes where they can be: numbers and booleans, and the texts for which the first function returns true. The
    /// second appends all values.
    Bare(fn(&[u8]) -> bool, fn(&Value<'_>, &mut Vec<u8>)),
    /// As the function appends them.
    Own(fn(&Value<'_>, &mut Vec<u8>)),
}

impl Form {
    /// Appends a value; returns true.
    pub(crate) fn put(self, value: &Value<'_>, out: &mut Vec<u8>) -> bool {
        match self {
            Self::Own(put) | Self::Bare(_, put) => put(value, out),
            Self::Text => put_str(out, &text_of(value)),
            Self::Except(is, put) if is(value) => put(value, out),
            Self::Json | Self::Except(..) => put_value(out, value),
        }
        true
    }
}
