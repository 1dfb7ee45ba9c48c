//! Captured fields, by name.

use std::fmt;
use std::ops::Index;

use crate::record::OwnedValue;

/// Captured fields, in the order in which they were logged. Each name occurs once.
///
/// `fields["id"]` returns a value and panics when there is none of that name. Values compare with numbers, texts and
/// booleans, whatever integer type the program has logged.
#[derive(Clone, Default, PartialEq)]
pub struct Fields(Vec<(String, OwnedValue)>);

impl Fields {
    /// Returns the value of a field.
    pub fn get(&self, name: &str) -> Option<&OwnedValue> {
        self.iter().find(|(other, _)| *other == name).map(|(_, value)| value)
    }

    /// Returns names and values.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &OwnedValue)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value))
    }

    /// Returns the number of fields.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Returns whether there are no fields.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Adds a field, or replaces the value of that name.
    pub(super) fn set(&mut self, name: &str, value: OwnedValue) {
        match self.0.iter_mut().find(|(other, _)| other == name) {
            Some((_, place)) => *place = value,
            None => self.0.push((name.to_owned(), value)),
        }
    }
}

impl Index<&str> for Fields {
    type Output = OwnedValue;

    #[track_caller]
    #[expect(clippy::panic, reason = "it fails a test; `get` does not panic")]
    fn index(&self, name: &str) -> &OwnedValue {
        let names = || self.iter().map(|(name, _)| name).collect::<Vec<_>>().join(", ");
        // No closure: it would hide the place of the caller.
        match self.get(name) {
            Some(value) => value,
            None => panic!("no field `{name}`; expected one of: {}", names()),
        }
    }
}

impl fmt::Debug for Fields {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter()).finish()
    }
}
