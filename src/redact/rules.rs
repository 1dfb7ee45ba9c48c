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

    /// Returns whether all texts are scanned, not only nested JSON.
    #[inline]
    pub(crate) fn scans_texts(&self) -> bool {
        self.values
    }

    /// Looks for a secret in texts that are joined by bytes below a blank, were not cut and are no JSON. Returns a place:
    /// no text that ends before it holds a secret.
    ///
    /// `text_around`: the text around a place, and where it begins.
    #[inline(always)]
    pub(crate) fn first_secret<'t>(
        &'t self,
        joined: &'t [u8],
        text_around: impl Fn(usize) -> Option<(usize, &'t [u8])>,
    ) -> Option<usize> {
        Matcher::first(self, joined, text_around)
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
