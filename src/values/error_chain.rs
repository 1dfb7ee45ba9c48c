//! A captured error: its type name, its message, and the messages of its sources.
//!
//! Encoding: one text after the other, each with its length (u32) first. The type name comes first and may be empty.

use std::fmt;

use super::bytes::{take_u32, text};

/// An error as it was when it was logged: its message, its type, and the messages of its sources.
#[derive(Clone, Copy, PartialEq)]
pub struct ErrorChain<'a>(&'a [u8]);

impl<'a> ErrorChain<'a> {
    /// Returns the chain whose texts were [put](Self::put) into `encoded`.
    pub(crate) fn of(encoded: &'a [u8]) -> Self {
        Self(encoded)
    }

    /// Appends one text to an encoded chain.
    pub(crate) fn put(encoded: &mut Vec<u8>, text: &[u8]) {
        encoded.extend_from_slice(&(text.len() as u32).to_le_bytes());
        encoded.extend_from_slice(text);
    }

    /// Returns the encoded texts.
    pub(crate) fn encoded(&self) -> &'a [u8] {
        self.0
    }

    /// Returns the type name and all messages, the error's own first.
    pub(crate) fn texts(&self) -> impl Iterator<Item = &'a str> + use<'a> {
        Texts(self.0)
    }

    /// Returns the error's message.
    pub fn message(&self) -> &'a str {
        self.texts().nth(1).unwrap_or_default()
    }

    /// Returns the name of the error's type or variant, taken from its `Debug` text.
    ///
    /// For example `ParseIntError` of `ParseIntError { kind: InvalidDigit }`. Returns `None` when the `Debug` text does
    /// not begin with a name.
    pub fn type_name(&self) -> Option<&'a str> {
        self.texts().next().filter(|name| !name.is_empty())
    }

    /// Returns the messages of the error's sources, nearest first; at most 64.
    pub fn sources(&self) -> impl Iterator<Item = &'a str> + use<'a> {
        self.texts().skip(2)
    }
}

impl fmt::Debug for ErrorChain<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut chain = f.debug_struct("ErrorChain");
        chain.field("type_name", &self.type_name()).field("message", &self.message());
        chain.field("sources", &self.sources().collect::<Vec<_>>()).finish()
    }
}

struct Texts<'a>(&'a [u8]);

impl<'a> Iterator for Texts<'a> {
    type Item = &'a str;

    fn next(&mut self) -> Option<&'a str> {
        take_u32(&mut self.0).map(text)
    }
}
