//! Fields that no call site declares, on their way through tracing.
//!
//! tracing passes on only declared fields, so these travel as the value of one. That value is an error: tracing's other
//! layers show its text, and the capture downcasts it and takes the fields out.

use std::error::Error;
use std::fmt;

use super::bytes::text;
use super::decode::{Fields, Key};
use super::encode::put_named;
use super::value::Value;

/// A limit above any line's length; the capture applies the real one.
const MAX_BYTES: usize = 1 << 30;

/// Encoded fields that no call site declares.
#[derive(Clone, Default)]
pub(crate) struct UndeclaredFields {
    encoded: Vec<u8>,
}

impl UndeclaredFields {
    /// Adds a field.
    pub(crate) fn put(&mut self, name: &str, value: &Value<'_>) {
        put_named(&mut self.encoded, name, &value.truncated_to(MAX_BYTES));
    }

    /// Adds encoded fields.
    pub(crate) fn extend(&mut self, encoded: &[u8]) {
        self.encoded.extend_from_slice(encoded);
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.encoded.is_empty()
    }

    /// Returns the same fields, with another name for the fields called `name`.
    #[cfg(feature = "tower")]
    pub(crate) fn renamed(&self, name: &str, to: &str) -> Self {
        let mut renamed = Self::default();
        self.iter().for_each(|(other, value)| renamed.put(if other == name { to } else { other }, &value));
        renamed
    }

    /// Returns the fields that have none of these names.
    #[cfg(feature = "tower")]
    pub(crate) fn without(self, names: &[&str]) -> Self {
        if !self.iter().any(|(name, _)| names.contains(&name)) {
            return self;
        }
        let mut rest = Self::default();
        self.iter().filter(|(name, _)| !names.contains(name)).for_each(|(name, value)| rest.put(name, &value));
        rest
    }

    /// Adds fields, which hide those of the same names.
    #[cfg(feature = "tower")]
    pub(crate) fn append(&mut self, later: Self) {
        if self.is_empty() {
            *self = later;
        } else {
            self.extend(&later.encoded);
        }
    }

    /// Returns the fields as the value of one declared field; `None` when there are none.
    #[cfg(feature = "tower")]
    pub(crate) fn as_error(&self) -> Option<&(dyn Error + 'static)> {
        (!self.is_empty()).then_some(self)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, Value<'_>)> {
        Fields::new(&self.encoded).filter_map(|(key, value)| match key {
            Key::Name(name) => Some((text(name), value)),
            _ => None,
        })
    }
}

impl Error for UndeclaredFields {}

impl fmt::Debug for UndeclaredFields {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter()).finish()
    }
}

/// Writes `name=value name=value`.
impl fmt::Display for UndeclaredFields {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, (name, value)) in self.iter().enumerate() {
            let gap = if index == 0 { "" } else { " " };
            match (value.to_text(), value) {
                (Some(text), _) => write!(f, "{gap}{name}={text}")?,
                (None, Value::Error(chain)) => write!(f, "{gap}{name}={}", chain.message())?,
                (None, value) => write!(f, "{gap}{name}={value:?}")?,
            }
        }
        Ok(())
    }
}
