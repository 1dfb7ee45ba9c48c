//! Fields that no call site declares, on their way through tracing.
//!
//! tracing passes on only declared fields, so these travel as the value of one. To tracing's other layers, that value is a
//! text, `tenant=acme`. The capture asks it for the encoding instead: it formats the value with the flag `-`, which has no
//! meaning elsewhere. It does so only at call sites of this crate, so no text of a program is taken for an encoding.

use std::fmt::{self, Write};

use smallvec::SmallVec;
use tracing::field::{DisplayValue, display};

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
    pub(crate) fn as_value(&self) -> Option<DisplayValue<&Self>> {
        (!self.is_empty()).then(|| display(self))
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, Value<'_>)> {
        named(&self.encoded)
    }
}

fn named(encoded: &[u8]) -> impl Iterator<Item = (&str, Value<'_>)> {
    Fields::new(encoded).filter_map(|(key, value)| match key {
        Key::Name(name) => Some((text(name), value)),
        _ => None,
    })
}

/// The fields that the value of a declared field carries. Those of most requests need no further memory.
#[derive(Debug, Default)]
pub(crate) struct CarriedFields(SmallVec<[u8; 256]>);

impl CarriedFields {
    /// Reads them, at a call site of this crate.
    pub(crate) fn of(value: &dyn fmt::Debug) -> Self {
        let mut fields = Self::default();
        let _ = write!(fields, "{value:-?}");
        fields
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, Value<'_>)> {
        named(&self.0)
    }
}

/// Takes bytes, each as one character.
impl Write for CarriedFields {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        if text.is_ascii() {
            self.0.extend_from_slice(text.as_bytes());
        } else {
            self.0.extend(text.chars().map(|char| u8::try_from(char).unwrap_or_default()));
        }
        Ok(())
    }
}

impl fmt::Debug for UndeclaredFields {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter()).finish()
    }
}

/// Writes `name=value name=value`, or the encoding.
impl fmt::Display for UndeclaredFields {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if f.sign_minus() {
            let mut runs = self.encoded.chunk_by(|one, next| one.is_ascii() == next.is_ascii());
            return runs.try_for_each(|run| match std::str::from_utf8(run) {
                Ok(text) if text.is_ascii() => f.write_str(text),
                _ => run.iter().try_for_each(|byte| f.write_char(char::from(*byte))),
            });
        }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fields_pass_through_a_value_that_others_see_as_text() {
        let mut fields = UndeclaredFields::default();
        fields.put("tenant", &Value::Str("ä\u{ff}€"));
        fields.put("attempt", &Value::U64(u64::MAX));
        fields.put("raw", &Value::Bytes(&[0, 127, 128, 255]));
        let value = fields.as_value().expect("there are fields");
        let read = CarriedFields::of(&value);
        assert_eq!(read.iter().collect::<Vec<_>>(), fields.iter().collect::<Vec<_>>());
        assert_eq!(format!("{value:?}"), "tenant=ä\u{ff}€ attempt=18446744073709551615 raw=Bytes([0, 127, 128, 255])");
        assert!(UndeclaredFields::default().as_value().is_none());
    }
}
