//! The rules: a [`Redact`](super::Redact) compiled for use.

use std::borrow::Cow;

use super::names::SecretNames;

/// A [`Redact`](super::Redact) compiled for use.
#[derive(Debug)]
pub(crate) struct Rules {
    pub(super) names: SecretNames,
    pub(super) values: bool,
    pub(super) last_four: bool,
    pub(super) replacement: Box<str>,
}

impl Rules {
    /// Returns whether the values of fields of that name are secret.
    pub(crate) fn is_secret(&self, name: &str) -> bool {
        self.names.is_secret(name.as_bytes())
    }

    /// Returns the text that replaces a value.
    pub(crate) fn replacement(&self) -> &str {
        &self.replacement
    }

    /// Returns whether texts are scanned.
    pub(crate) fn scans_texts(&self) -> bool {
        self.values
    }

    /// Returns the text that replaces a card number, given its digits.
    pub(crate) fn card_replacement(&self, digits: &str) -> Cow<'_, str> {
        match digits.get(digits.len().saturating_sub(4)..) {
            Some(four) if self.last_four => format!("…{four}").into(),
            _ => Cow::Borrowed(&self.replacement),
        }
    }
}
