//! The rules: a [`Redact`](super::Redact) compiled for use.

use std::borrow::Cow;

use super::anchors::{Anchors, kind};
use super::matcher::Matcher;
use super::names::SecretNames;
use super::{cards, commands, shapes, special};

/// A [`Redact`](super::Redact) compiled for use.
#[derive(Debug)]
pub(crate) struct Rules {
    pub(super) names: SecretNames,
    /// Where a text may hold a secret.
    pub(super) anchors: Anchors,
    pub(super) values: bool,
    pub(super) last_four: bool,
    pub(super) replacement: Box<str>,
}

/// The words of schemes.
const SCHEMES: [&[u8]; 2] = [b"bearer", b"basic"];

impl Rules {
    pub(super) fn new(names: SecretNames, values: bool, last_four: bool, replacement: &str) -> Self {
        let mut anchors = Anchors::new();
        names.add_anchors(&mut anchors);
        special::WORDS.iter().for_each(|word| anchors.add(word, word.len(), kind::SPECIAL));
        SCHEMES.iter().for_each(|word| anchors.add(word, word.len(), kind::SCHEME));
        shapes::first_words().for_each(|word| anchors.add(word, word.len(), kind::PREFIX));
        commands::endings().for_each(|command| anchors.add(command, command.len(), kind::COMMAND));
        Self { names, anchors, values, last_four, replacement: replacement.into() }
    }

    /// Returns rules by which nothing is secret.
    pub(crate) fn none() -> Self {
        Self::new(SecretNames::new(&[], &[]), false, false, "")
    }

    /// Returns whether a number under that name is a count, and no secret.
    pub(crate) fn is_count(&self, name: &str) -> bool {
        self.names.is_count(name.as_bytes())
    }

    /// Returns whether the values of fields of that name are secret.
    pub(crate) fn is_secret(&self, name: &str) -> bool {
        self.names.is_secret(name.as_bytes())
    }

    /// Returns whether a text holds no secret for certain, as most texts do. `cut`: whether the text was cut, so that a
    /// secret may end early.
    #[inline]
    pub(crate) fn is_harmless(&self, text: &[u8], cut: impl Fn() -> bool) -> bool {
        match text {
            // JSON is walked through for names.
            [b'{' | b'[', ..] => false,
            _ if !self.values => true,
            _ => (is_id(text) || !Matcher::any(self, text)) && !cut(),
        }
    }

    /// Returns the text that replaces a value.
    pub(crate) fn replacement(&self) -> &str {
        &self.replacement
    }

    /// Returns whether an integer is a card number.
    pub(crate) fn is_card_number(&self, number: u64) -> bool {
        self.values && cards::is_card_number(number)
    }

    /// Returns the number below which no integer is a card number.
    #[inline]
    pub(crate) fn least_card_number(&self) -> u64 {
        if self.values { cards::LEAST_CARD_NUMBER } else { u64::MAX }
    }

    /// Returns the text that replaces a card number, given its digits.
    pub(crate) fn card_replacement(&self, digits: &str) -> Cow<'_, str> {
        match digits.get(digits.len().saturating_sub(4)..) {
            Some(four) if self.last_four => format!("…{four}").into(),
            _ => Cow::Borrowed(&self.replacement),
        }
    }
}

/// Returns whether a text is a hexadecimal id: with the dashes of a UUID, or longer than any card number. Nearly every
/// request and trace has one, and they look like secrets.
#[inline]
fn is_id(text: &[u8]) -> bool {
    if let Ok(text) = <&[u8; 32]>::try_from(text) {
        return are_hex(text);
    }
    let Ok(text) = <&[u8; 36]>::try_from(text) else { return false };
    let dashes = [8, 13, 18, 23];
    let mut digits = *text;
    dashes.into_iter().for_each(|at| digits[at] = b'0');
    dashes.into_iter().all(|at| text[at] == b'-') && are_hex(&digits)
}

#[inline]
fn are_hex<const N: usize>(text: &[u8; N]) -> bool {
    text.iter().fold(true, |all, byte| all & byte.is_ascii_hexdigit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_distinguished_from_similar_texts() {
        for id in ["0191a2b3-C4d5-7e6f-8a9b-0c1d2e3f4a5b", "4bf92f3577b34da6a3ce929d0e0e4736"] {
            assert!(is_id(id.as_bytes()), "{id}");
        }
        for other in [
            "4111-1111-1111-1111-1111-1111-1111-1",
            "0191a2b3-c4d5-7e6f-8a9b-0c1d2e3f4a5",
            "0191a2b3-c4d5-7e6f-8a9b-0c1d2e3f4a=b",
            "4bf92f3577b34da6a3ce929d0e0e473g",
            "4111111111111111",
        ] {
            assert!(!is_id(other.as_bytes()), "{other}");
        }
    }
}
