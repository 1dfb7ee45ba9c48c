//! Entries as rows of CSV (RFC 4180), with a header. Rows end in a newline alone, as most readers expect.
//!
//! A spreadsheet takes a text for a formula by its first character. So such a text gets a `'` in front, unless it is a number.

use super::column::Columns;
use crate::entry::{Entry, Number};
use crate::escape::controls;

/// What a formula begins with, and what spreadsheets skip in front of one.
const FORMULA: [char; 7] = ['=', '+', '-', '@', '\t', '\r', '\n'];

/// Writes the header, without its newline.
pub(super) fn put_header(out: &mut String, columns: &Columns) {
    for (number, column) in columns.0.iter().enumerate() {
        put_cell(out, number, column.name());
    }
}

/// Writes the row of an entry, without its newline.
pub(super) fn put(out: &mut String, entry: &Entry<'_>, columns: &Columns) {
    for (number, column) in columns.0.iter().enumerate() {
        put_cell(out, number, &column.text(entry).unwrap_or_default());
    }
}

fn put_cell(out: &mut String, number: usize, text: &str) {
    if number > 0 {
        out.push(',');
    }
    let is_formula = text.starts_with(FORMULA) && Number::of(text.as_bytes()).is_none();
    let has_mark = is_formula || text.chars().any(|char| matches!(char, '"' | ',' | ';') || controls(char));
    if !has_mark {
        out.push_str(text);
        return;
    }
    out.push('"');
    if is_formula {
        out.push('\'');
    }
    for char in text.chars() {
        match char {
            '"' => out.push_str("\"\""),
            // In quotes, they are part of the text. They control no terminal.
            '\n' | '\t' => out.push(char),
            char if controls(char) => out.extend(char.escape_default()),
            char => out.push(char),
        }
    }
    out.push('"');
}
