//! A value on its way into a field that no call site declares.
//!
//! A [`Value`] borrows and is ready to be encoded. A [`FieldValue`] may also own its text, be an error that is still to be
//! formatted, or be absent.

use std::borrow::Cow;
use std::error::Error;
use std::fmt;

use super::value::Value;

/// A value for a field that no call site declares, as [`with`](crate::with) takes it.
///
/// `into()` makes one from numbers, booleans, texts, bytes, errors, and options of these. `None` adds no field. An error is
/// stored with its type and its sources.
///
/// ```
/// # let tenant: Option<String> = None;
/// # fn load() -> Result<(), Box<dyn std::error::Error>> { Err("no connection".into()) }
/// spanline::with("tenant", tenant).and("attempt", 2).in_scope(|| {
///     if let Err(error) = load() {
///         spanline::with("cause", error).in_scope(|| tracing::error!("order not loaded"));
///     }
/// });
/// ```
pub struct FieldValue<'a>(pub(crate) Source<'a>);

/// What a [`FieldValue`] was made from.
#[derive(Debug)]
pub(crate) enum Source<'a> {
    None,
    Value(Value<'a>),
    Text(Cow<'a, str>),
    Bytes(Vec<u8>),
    Error(&'a (dyn Error + 'static)),
    OwnedError(Box<dyn Error>),
}

impl fmt::Debug for FieldValue<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl<'a> From<Value<'a>> for FieldValue<'a> {
    fn from(value: Value<'a>) -> Self {
        Self(Source::Value(value))
    }
}

macro_rules! from_value {
    ($($from:ty),* $(,)?) => {
        $(impl<'a> From<$from> for FieldValue<'a> {
            fn from(value: $from) -> Self {
                Value::from(value).into()
            }
        })*
    };
}

from_value! {
    bool, i8, u8, i16, u16, i32, u32, i64, u64, isize, usize, i128, u128, f32, f64, &'a str, &'a String,
}

impl From<String> for FieldValue<'_> {
    fn from(text: String) -> Self {
        Self(Source::Text(text.into()))
    }
}

impl<'a> From<Cow<'a, str>> for FieldValue<'a> {
    fn from(text: Cow<'a, str>) -> Self {
        Self(Source::Text(text))
    }
}

impl<'a> From<&'a [u8]> for FieldValue<'a> {
    fn from(bytes: &'a [u8]) -> Self {
        Value::Bytes(bytes).into()
    }
}

impl From<Vec<u8>> for FieldValue<'_> {
    fn from(bytes: Vec<u8>) -> Self {
        Self(Source::Bytes(bytes))
    }
}

impl<'a> From<&'a (dyn Error + 'static)> for FieldValue<'a> {
    fn from(error: &'a (dyn Error + 'static)) -> Self {
        Self(Source::Error(error))
    }
}

impl<'a> From<&'a (dyn Error + Send + Sync + 'static)> for FieldValue<'a> {
    fn from(error: &'a (dyn Error + Send + Sync + 'static)) -> Self {
        Self(Source::Error(error))
    }
}

impl From<Box<dyn Error>> for FieldValue<'_> {
    fn from(error: Box<dyn Error>) -> Self {
        Self(Source::OwnedError(error))
    }
}

impl From<Box<dyn Error + Send + Sync>> for FieldValue<'_> {
    fn from(error: Box<dyn Error + Send + Sync>) -> Self {
        Self(Source::OwnedError(error))
    }
}

impl<'a, T: Into<FieldValue<'a>>> From<Option<T>> for FieldValue<'a> {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self(Source::None), T::into)
    }
}
