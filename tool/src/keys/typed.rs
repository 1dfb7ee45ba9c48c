//! The filter that is typed.

use regex::bytes::{Regex, RegexBuilder};
use spanline::record::Timestamp;

use crate::query::{self, Expression};

/// A longer one is not typed, but pasted by mistake.
const MAX_CHARS: usize = 1000;

/// What was typed, and the last of it that was a filter.
#[derive(Debug, Default)]
pub(super) struct Typed {
    pub(super) text: String,
    /// What is wrong with the text.
    pub(super) mistake: Option<String>,
    pub(super) valid: Valid,
}

/// A filter.
#[derive(Clone, Debug, Default)]
pub(super) struct Valid {
    /// As it was typed; empty if there is none.
    pub(super) text: String,
    pub(super) expression: Option<Expression>,
    pub(super) word: Option<Regex>,
}

impl Typed {
    /// Takes another text. The filter stays if it is none.
    pub(super) fn set(&mut self, text: String) {
        if text.chars().count() > MAX_CHARS {
            return;
        }
        match Valid::read(&text) {
            Ok(valid) => (self.valid, self.mistake) = (valid, None),
            Err(mistake) => self.mistake = Some(mistake),
        }
        self.text = text;
    }

    /// Adds a character.
    pub(super) fn push(&mut self, char: char) {
        let mut text = self.text.clone();
        text.push(char);
        self.set(text);
    }

    /// Removes the last character.
    pub(super) fn pop(&mut self) {
        let mut text = self.text.clone();
        text.pop();
        self.set(text);
    }

    /// Removes the last word.
    pub(super) fn pop_word(&mut self) {
        let text = self.text.trim_end();
        let end = text.rfind(' ').map_or(0, |space| space + 1);
        self.set(text.get(..end).unwrap_or_default().to_owned());
    }
}

impl Valid {
    /// Reads an expression, or a word that lines have. A text in quotes counts as a word.
    fn read(text: &str) -> Result<Self, String> {
        let trimmed = text.trim();
        let shown = trimmed.to_owned();
        if trimmed.is_empty() {
            return Ok(Self::default());
        }
        match word(trimmed) {
            Some(word) => {
                let regex = RegexBuilder::new(&regex::escape(word)).case_insensitive(true).build();
                let word = regex.map_err(|_| "expected a shorter word".to_owned())?;
                Ok(Self { text: shown, expression: None, word: Some(word) })
            }
            None => {
                let expression = query::parse(text, Timestamp::now()).map_err(|mistake| mistake.to_string())?;
                Ok(Self { text: shown, expression: Some(expression), word: None })
            }
        }
    }
}

/// Returns the word that a text is, or the text in its quotes. `None`: it is an expression.
fn word(text: &str) -> Option<&str> {
    for quote in ['"', '\''] {
        let inside = text.strip_prefix(quote).and_then(|text| text.strip_suffix(quote));
        if let Some(inside) = inside.filter(|inside| !inside.is_empty() && !inside.contains([quote, '\\'])) {
            return Some(inside);
        }
    }
    let is_part = |char: char| !char.is_whitespace() && !"=<>!~()\"'&|".contains(char);
    text.chars().all(is_part).then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_valid_filter_stays_while_an_expression_is_incomplete() {
        let mut typed = Typed::default();
        let mut valid = Vec::new();
        for char in "metres >= 500".chars() {
            typed.push(char);
            valid.push((typed.valid.text.clone(), typed.mistake.is_some()));
        }
        let expected = ["m", "me", "met", "metr", "metre", "metres", "metres", "metres", "metres", "metres"];
        let texts: Vec<&str> = valid.iter().map(|(text, _)| text.as_str()).collect();
        assert_eq!(texts[..10], expected);
        assert_eq!(valid.iter().map(|(_, is)| *is).collect::<Vec<_>>()[6..11], [false, true, true, true, false]);
        assert_eq!(texts[10..], ["metres >= 5", "metres >= 50", "metres >= 500"]);
        typed.pop_word();
        assert_eq!((typed.text.as_str(), typed.mistake.is_some()), ("metres >= ", true));
    }

    #[test]
    fn a_word_is_no_pattern() {
        let matches = |typed: &str, line: &str| Valid::read(typed).unwrap().word.unwrap().is_match(line.as_bytes());
        assert!(matches("a.c", "xA.Cx") && !matches("a.c", "abc"));
        assert!(matches("\"timed out\"", "it Timed Out") && matches("/orders/7", "GET /orders/7"));
        assert!(Valid::read("not has x").unwrap().expression.is_some());
        assert!(Valid::read("timed out").is_err() && Valid::read("\"").is_err());
    }
}
