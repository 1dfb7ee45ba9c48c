//! Rows in the text format of COPY.
//!
//! Source: PostgreSQL 15, *COPY*, File Formats. A tab ends a column, a newline a row, `\N` is NULL.

use std::convert::Infallible;

use crate::schema::{Cell, Rows};
use crate::sink::Line;

/// Appends the row of a line.
pub(super) fn put_row(out: &mut Vec<u8>, rows: &Rows, line: &Line<'_>) {
    let Ok(()) = rows.each_cell(line.bytes, line.time, line.level, |place, cell| {
        put_cell(out, place, cell);
        Ok::<_, Infallible>(())
    });
    out.push(b'\n');
}

fn put_cell(out: &mut Vec<u8>, place: usize, cell: Cell<'_>) {
    if place > 0 {
        out.push(b'\t');
    }
    match cell {
        Cell::Null => out.extend_from_slice(b"\\N"),
        Cell::Number(number) => out.extend_from_slice(number.to_string().as_bytes()),
        Cell::Text(text) => match std::str::from_utf8(text) {
            Ok(text) => put_text(out, text.as_bytes()),
            Err(_) => put_text(out, String::from_utf8_lossy(text).as_bytes()),
        },
    }
}

/// Appends a text, escaped. PostgreSQL's texts cannot have U+0000.
fn put_text(out: &mut Vec<u8>, mut text: &[u8]) {
    let is_special = |byte: &u8| matches!(byte, b'\\' | b'\n' | b'\r' | b'\t' | 0);
    while let Some(at) = text.iter().position(is_special) {
        let (plain, rest) = text.split_at(at);
        out.extend_from_slice(plain);
        let Some((special, rest)) = rest.split_first() else { return };
        let escaped: &[u8] = match special {
            b'\\' => b"\\\\",
            b'\n' => b"\\n",
            b'\r' => b"\\r",
            b'\t' => b"\\t",
            _ => "\u{fffd}".as_bytes(),
        };
        out.extend_from_slice(escaped);
        text = rest;
    }
    out.extend_from_slice(text);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_escaped() {
        let mut out = Vec::new();
        put_cell(&mut out, 0, Cell::Text(b"a\\b\tc\nd\re\0f"));
        put_cell(&mut out, 1, Cell::Null);
        put_cell(&mut out, 2, Cell::Number(-7));
        put_cell(&mut out, 3, Cell::Text(b"\xff"));
        assert_eq!(String::from_utf8(out).unwrap(), "a\\\\b\\tc\\nd\\re\u{fffd}f\t\\N\t-7\t\u{fffd}");
    }
}
