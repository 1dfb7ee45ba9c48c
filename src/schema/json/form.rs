//! How a reader wants values.

use super::value::put_value;
use crate::record::Value;

/// How values are written.
#[derive(Clone, Copy)]
pub(crate) enum Form {
    /// As JSON.
    Json,
    /// As JSON, except those that the function appends, for which it returns true. Texts are always JSON.
    Except(fn(&Value<'_>, &mut Vec<u8>) -> bool),
    /// As the function appends them.
    Own(fn(&Value<'_>, &mut Vec<u8>)),
}

impl Form {
    /// Appends a value; returns true.
    pub(crate) fn put(self, value: &Value<'_>, out: &mut Vec<u8>) -> bool {
        match self {
            Self::Own(put) => put(value, out),
            Self::Except(put) if put(value, out) => {}
            Self::Json | Self::Except(_) => put_value(out, value),
        }
        true
    }
}
