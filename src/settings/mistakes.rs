//! Mistakes in a text, with their places.

use super::tree::{Place, Table};
use super::{json_text, toml_text};
use crate::error::Error;

/// A mistake and its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Mistake {
    pub(crate) place: Place,
    /// The key, with those around it; empty where no key is wrong.
    key: String,
    message: String,
}

/// The text of a configuration, and its name in errors.
#[derive(Clone, Debug)]
pub(crate) struct Text {
    pub(crate) name: String,
    pub(crate) text: String,
    pub(crate) is_json: bool,
}

/// At most this many mistakes are listed.
const MAX_SHOWN: usize = 100;

impl Mistake {
    pub(crate) fn new(place: Place, key: impl Into<String>, message: impl Into<String>) -> Self {
        Self { place, key: key.into(), message: message.into() }
    }
}

impl Text {
    /// # Errors
    /// All mistakes of syntax.
    pub(crate) fn parse(&self) -> Result<Table, Error> {
        let parsed = if self.is_json { json_text::parse(&self.text) } else { toml_text::parse(&self.text) };
        parsed.map_err(|mistakes| self.error(mistakes))
    }

    /// Returns the line and the column of a place, both from 1. Columns count characters.
    pub(crate) fn line_and_column(&self, offset: usize) -> (usize, usize) {
        let mut end = offset.min(self.text.len());
        while !self.text.is_char_boundary(end) {
            end -= 1;
        }
        let before = self.text.get(..end).unwrap_or_default();
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
        (line, column)
    }

    /// Returns one error with all mistakes, in the order of the text.
    pub(crate) fn error(&self, mut mistakes: Vec<Mistake>) -> Error {
        mistakes.sort_by_key(|mistake| mistake.place.offset);
        let shown = |mistake: &Mistake| {
            let (line, column) = self.line_and_column(mistake.place.offset);
            let key = if mistake.key.is_empty() { String::new() } else { format!("{}: ", mistake.key) };
            format!("{}:{line}:{column}: {key}{}", self.name, mistake.message)
        };
        let mut lines: Vec<String> = mistakes.iter().take(MAX_SHOWN).map(shown).collect();
        if mistakes.len() > MAX_SHOWN {
            lines.push("and more".to_owned());
        }
        match lines.as_slice() {
            [only] => Error::invalid(only.as_str()),
            _ if mistakes.len() > MAX_SHOWN => {
                Error::invalid(format!("{} has more than {MAX_SHOWN} mistakes:\n{}", self.name, lines.join("\n")))
            }
            _ => Error::invalid(format!("{} has {} mistakes:\n{}", self.name, mistakes.len(), lines.join("\n"))),
        }
    }
}

/// Returns the offset of a line and a column, both from 1. Columns count bytes.
pub(super) fn offset_of(text: &str, line: usize, column: usize) -> usize {
    let before: usize = text.split_inclusive('\n').take(line.saturating_sub(1)).map(str::len).sum();
    before + column.saturating_sub(1)
}
