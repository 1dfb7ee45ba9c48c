//! Entries as a user's template has them: `{time} {level:>5} {message} {elapsed_ms?}`.

use unicode_width::UnicodeWidthChar;

use super::column::Column;
use crate::entry::Entry;
use crate::escape::escaped_text;
use crate::query::{self, Mistake};

/// Wider columns only cost memory.
const MAX_WIDTH: usize = 1000;

/// Texts, and places for values between them.
#[derive(Clone, Debug)]
pub(crate) struct Template(Vec<Piece>);

#[derive(Clone, Debug)]
enum Piece {
    Text(String),
    Place(Place),
}

/// A place for a value.
#[derive(Clone, Debug)]
struct Place {
    column: Column,
    /// Nothing stands for a value that a line lacks. Otherwise, a dash does.
    is_optional: bool,
    align: Align,
    /// The least width.
    width: usize,
    /// The greatest width; a longer text is cut.
    max_width: Option<usize>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Align {
    Left,
    Right,
    Center,
}

impl Template {
    /// Reads a template.
    pub(crate) fn parse(text: &str) -> Result<Self, Mistake> {
        let mut pieces = Vec::new();
        let mut literal = String::new();
        let (mut rest, mut column) = (text, 1);
        while let Some(char) = rest.chars().next() {
            let behind = rest.get(char.len_utf8()..).unwrap_or_default();
            if matches!(char, '{' | '}') && behind.starts_with(char) {
                literal.push(char);
                (rest, column) = (behind.get(1..).unwrap_or_default(), column + 2);
            } else if char == '{' {
                let (place, behind, end) = place(behind, column)?;
                pieces.push(Piece::Text(std::mem::take(&mut literal)));
                pieces.push(Piece::Place(place));
                (rest, column) = (behind, end);
            } else if char == '}' {
                return Err(Mistake::new(column, "this `}` closes nothing; write `}}` for one that is printed"));
            } else {
                literal.push(char);
                (rest, column) = (behind, column + 1);
            }
        }
        pieces.push(Piece::Text(literal));
        Ok(Self(pieces))
    }

    /// Writes an entry, without its newline. Values are safe for a terminal.
    pub(super) fn put(&self, out: &mut String, entry: &Entry<'_>) {
        for piece in &self.0 {
            match piece {
                Piece::Text(text) => out.push_str(text),
                Piece::Place(place) => match place.column.text(entry) {
                    Some(text) => place.put(out, &escaped_text(&text)),
                    None if !place.is_optional => place.put(out, "-"),
                    None if place.width > 0 => place.put(out, ""),
                    // The space in front of it separates nothing.
                    None if out.ends_with(' ') => drop(out.pop()),
                    None => {}
                },
            }
        }
    }
}

impl Place {
    fn put(&self, out: &mut String, text: &str) {
        let mut width = 0;
        let mut end = text.len();
        for (at, char) in text.char_indices() {
            let wider = width + char.width().unwrap_or(0);
            if self.max_width.is_some_and(|max| wider > max) {
                end = at;
                break;
            }
            width = wider;
        }
        let padding = self.width.saturating_sub(width);
        let before = match self.align {
            Align::Left => 0,
            Align::Right => padding,
            Align::Center => padding / 2,
        };
        out.extend(std::iter::repeat_n(' ', before));
        out.push_str(text.get(..end).unwrap_or_default());
        out.extend(std::iter::repeat_n(' ', padding - before));
    }
}

/// Reads a place behind its `{`, which is in column `open`. Returns also what is behind it, and the column there.
fn place(rest: &str, open: usize) -> Result<(Place, &str, usize), Mistake> {
    let (name, mut rest, mut column) = query::name(rest, open + 1)?;
    let mut place =
        Place { column: Column::new(name), is_optional: false, align: Align::Left, width: 0, max_width: None };
    let mut takes = |sign: char, rest: &mut &str| match rest.strip_prefix(sign) {
        Some(behind) => {
            (*rest, column) = (behind, column + 1);
            true
        }
        None => false,
    };
    place.is_optional = takes('?', &mut rest);
    if takes(':', &mut rest) {
        place.align = match rest.chars().next() {
            Some('>') => Align::Right,
            Some('^') => Align::Center,
            _ => Align::Left,
        };
        let _ = takes('>', &mut rest) || takes('^', &mut rest) || takes('<', &mut rest);
        place.width = number(&mut rest, &mut takes).unwrap_or(0);
        if takes('.', &mut rest) {
            place.max_width = number(&mut rest, &mut takes);
        }
    }
    let is_closed = takes('}', &mut rest);
    if is_closed && place.width.max(place.max_width.unwrap_or(0)) <= MAX_WIDTH {
        return Ok((place, rest, column));
    }
    let found = rest.chars().next().map_or("the end".to_owned(), |char| format!("{char:?}"));
    Err(if is_closed {
        Mistake::new(open, format!("expected a width of at most {MAX_WIDTH}"))
    } else {
        let form = "`}` for the `{` in column";
        Mistake::new(
            column,
            format!("expected {form} {open}, found {found}; a place is like {{level:>5}} or {{status?}}"),
        )
    })
}

/// Reads digits; `None` if there are none.
fn number(rest: &mut &str, takes: &mut impl FnMut(char, &mut &str) -> bool) -> Option<usize> {
    let mut number: Option<usize> = None;
    while let Some((char, digit)) = rest.chars().next().and_then(|char| Some((char, char.to_digit(10)?))) {
        number = Some(number.unwrap_or(0).saturating_mul(10).saturating_add(digit as usize));
        takes(char, rest);
    }
    number
}
