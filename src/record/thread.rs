//! The thread that logged, as captured: its number (u64), then the bytes of its name.

use crate::values::{Fields, Key, Value};

/// The thread that logged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Thread<'a> {
    /// The number in the standard library's `ThreadId`.
    pub id: u64,
    /// The thread's name, if it has one.
    pub name: Option<&'a str>,
}

impl<'a> Thread<'a> {
    /// Returns the thread among captured fields, if an output asked for it.
    pub(super) fn among(fields: &'a [u8]) -> Option<Self> {
        let (_, value) = Fields::new(fields).find(|(key, _)| *key == Key::Thread)?;
        let Value::Bytes(bytes) = value else { return None };
        let (id, name) = bytes.split_first_chunk()?;
        let name = std::str::from_utf8(name).unwrap_or_default();
        Some(Self { id: u64::from_le_bytes(*id), name: (!name.is_empty()).then_some(name) })
    }
}
