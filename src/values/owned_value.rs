//! A value that owns its text: for settings that live as long as the log.
//!
//! [`Value`] borrows from a captured event. Static fields and added members are set once, so they own theirs.

use std::borrow::Cow;
use std::fmt;

use super::error_chain::ErrorChain;
use super::value::Value;

/// A value that owns its text, with the type it was given.
///
/// Made with `into()` from booleans, numbers, strings, [`Value`]s, and `Option`s of these. `None` stands for no value:
/// the field or member is then absent.
///
/// ```
/// use spanline::record::{OwnedValue, Value};
///
/// assert_eq!(OwnedValue::from(42).as_value(), Some(Value::I64(42)));
/// assert_eq!(OwnedValue::from("text".to_owned()).as_value(), Some(Value::Str("text")));
/// assert_eq!(OwnedValue::from(None::<u64>).as_value(), None);
/// assert_eq!(OwnedValue::from(42u64), 42i32); // compares numbers, not their types
/// ```
#[derive(Clone, PartialEq)]
pub struct OwnedValue(Repr);

#[derive(Clone, PartialEq)]
enum Repr {
    Absent,
    /// A value without text; none of the variants that borrow.
    Plain(Value<'static>),
    Text(String),
    Bytes(Vec<u8>),
    Error(Vec<u8>),
    Json(String),
}

impl OwnedValue {
    /// Returns the value; `None` when there is none.
    pub fn as_value(&self) -> Option<Value<'_>> {
        Some(match &self.0 {
            Repr::Absent => return None,
            Repr::Plain(value) => *value,
            Repr::Text(text) => Value::Str(text),
            Repr::Bytes(bytes) => Value::Bytes(bytes),
            Repr::Error(chain) => Value::Error(ErrorChain::of(chain)),
            Repr::Json(json) => Value::Json(json),
        })
    }
}

impl From<Value<'_>> for OwnedValue {
    fn from(value: Value<'_>) -> Self {
        Self(match value {
            Value::Str(text) => Repr::Text(text.to_owned()),
            Value::Bytes(bytes) => Repr::Bytes(bytes.to_owned()),
            Value::Error(chain) => Repr::Error(chain.encoded().to_owned()),
            Value::Json(json) => Repr::Json(json.to_owned()),
            Value::Bool(on) => Repr::Plain(Value::Bool(on)),
            Value::I64(number) => Repr::Plain(Value::I64(number)),
            Value::U64(number) => Repr::Plain(Value::U64(number)),
            Value::I128(number) => Repr::Plain(Value::I128(number)),
            Value::U128(number) => Repr::Plain(Value::U128(number)),
            Value::F64(number) => Repr::Plain(Value::F64(number)),
        })
    }
}

impl fmt::Debug for OwnedValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.as_value() {
            Some(value) => value.fmt(f),
            None => f.write_str("Absent"),
        }
    }
}

macro_rules! from {
    ($($from:ty),* $(,)?) => {
        $(impl From<$from> for OwnedValue {
            fn from(value: $from) -> Self {
                Value::from(value).into()
            }
        })*
    };
}

from!(bool, i8, u8, i16, u16, i32, u32, i64, u64, i128, u128, isize, usize, f32, f64, &str, &String);

impl From<String> for OwnedValue {
    fn from(text: String) -> Self {
        Self(Repr::Text(text))
    }
}

impl From<Cow<'_, str>> for OwnedValue {
    fn from(text: Cow<'_, str>) -> Self {
        Self(Repr::Text(text.into_owned()))
    }
}

impl<T: Into<OwnedValue>> From<Option<T>> for OwnedValue {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self(Repr::Absent), Into::into)
    }
}

/// Compares with what a program logs as: whatever its type, an integer equals the same integer, and a text the same text.
macro_rules! equals {
    ($($to:ty),* $(,)?) => {
        $(impl PartialEq<$to> for OwnedValue {
            fn eq(&self, other: &$to) -> bool {
                self.as_value().is_some_and(|value| value.is_same(&Value::from(*other)))
            }
        })*
    };
}

equals!(bool, i8, u8, i16, u16, i32, u32, i64, u64, i128, u128, isize, usize, f32, f64, &str);

impl PartialEq<str> for OwnedValue {
    fn eq(&self, other: &str) -> bool {
        *self == other
    }
}

impl PartialEq<String> for OwnedValue {
    fn eq(&self, other: &String) -> bool {
        *self == other.as_str()
    }
}
