//! A value of a field.

use std::error::Error;

use spanline::record::{FieldValue, Value};

use super::sent_error::SentError;
use super::text::Json;

/// A value of a field, with all its digits.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Field {
    Bool(bool),
    I64(i64),
    U64(u64),
    F64(f64),
    Text(String),
    Bytes(Vec<u8>),
    Error(Box<SentError>),
    /// Nested data, `null`, and numbers that no other variant writes with the same digits.
    Json(String),
}

impl Field {
    /// Makes a value of JSON.
    pub(super) fn of_json(json: Json<'_>) -> Self {
        match json.first() {
            b'"' => Self::Text(json.string().unwrap_or_default().into_owned()),
            b't' => Self::Bool(true),
            b'f' => Self::Bool(false),
            b'-' | b'0'..=b'9' => Self::of_number(json.text()),
            _ => Self::Json(json.text().to_owned()),
        }
    }

    /// Makes a number, unless it would be written with other digits.
    pub(super) fn of_number(json: &str) -> Self {
        // Neither has leading zeros or a plus sign, and `-0` is no integer.
        match (json.parse(), json.parse()) {
            (Ok(number), _) => return Self::U64(number),
            (_, Ok(number)) if number != 0 => return Self::I64(number),
            _ => {}
        }
        match json.parse::<f64>() {
            Ok(number) if number.is_finite() && float(number) == json => Self::F64(number),
            _ => Self::Json(json.to_owned()),
        }
    }

    /// Returns how much memory the value takes beside itself.
    pub(super) fn memory_bytes(&self) -> usize {
        match self {
            Self::Text(text) | Self::Json(text) => text.capacity(),
            Self::Bytes(bytes) => bytes.capacity(),
            Self::Error(error) => error.memory_bytes(),
            Self::Bool(_) | Self::I64(_) | Self::U64(_) | Self::F64(_) => 0,
        }
    }

    /// Returns the value as the library takes it.
    pub(super) fn value(&self) -> FieldValue<'_> {
        match self {
            Self::Bool(on) => (*on).into(),
            Self::I64(number) => (*number).into(),
            Self::U64(number) => (*number).into(),
            Self::F64(number) => (*number).into(),
            Self::Text(text) => text.into(),
            Self::Bytes(bytes) => bytes.as_slice().into(),
            Self::Error(error) => {
                let error: &(dyn Error + 'static) = &**error;
                error.into()
            }
            Self::Json(text) => Value::Json(text).into(),
        }
    }
}

impl From<&str> for Field {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

/// Returns a finite number as JSON, with the digits that the library writes.
pub(super) fn float(number: f64) -> String {
    serde_json::Number::from_f64(number).map(|number| number.to_string()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_keep_their_digits() {
        assert_eq!(Field::of_number("18446744073709551615"), Field::U64(u64::MAX));
        assert_eq!(Field::of_number("-9223372036854775808"), Field::I64(i64::MIN));
        assert_eq!(Field::of_number("0.1"), Field::F64(0.1));
        assert_eq!(Field::of_number("-0.0"), Field::F64(-0.0));
        for kept in ["-0", "1.50", "1E5", "1e400", "18446744073709551616", "0.1000000000000000055511151231257827"] {
            assert_eq!(Field::of_number(kept), Field::Json(kept.to_owned()), "{kept}");
        }
    }
}
