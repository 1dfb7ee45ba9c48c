//! Texts with colours as rows of a screen.

use std::mem;

use ratatui::style::{Color, Modifier, Style};
use ratatui::text::{Line, Span};
use unicode_width::UnicodeWidthChar;

/// Where a row begins that continues another.
const INDENT: usize = 4;

/// A screen that is narrower has no room for that.
const MIN_WIDTH: usize = 40;

/// Returns the rows of a text that was written for a terminal, at most `most` of them. Only its colours are obeyed.
pub(super) fn rows(text: &str, width: usize, most: usize) -> Vec<Line<'static>> {
    let mut wrapped = Wrapped { width: width.max(1), ..Wrapped::default() };
    let mut chars = text.chars();
    while let Some(char) = chars.next() {
        if wrapped.rows.len() >= most {
            wrapped.rows.push(Line::from("…"));
            return wrapped.rows;
        }
        match char {
            '\x1b' => wrapped.obey(&mut chars),
            '\n' => wrapped.end_row(),
            char => wrapped.put(char),
        }
    }
    wrapped.end_row();
    wrapped.rows
}

/// What was written so far.
#[derive(Default)]
struct Wrapped {
    width: usize,
    rows: Vec<Line<'static>>,
    row: Vec<Span<'static>>,
    span: String,
    style: Style,
    column: usize,
}

impl Wrapped {
    fn put(&mut self, char: char) {
        if char.is_control() || is_joint(char) {
            return;
        }
        let width = char.width().unwrap_or(0);
        if self.column + width > self.width && self.column > 0 {
            self.end_row();
            if self.width >= MIN_WIDTH {
                self.span.push_str(&" ".repeat(INDENT));
                self.column = INDENT;
            }
        }
        self.span.push(char);
        self.column += width;
    }

    fn end_span(&mut self) {
        if !self.span.is_empty() {
            self.row.push(Span::styled(mem::take(&mut self.span), self.style));
        }
    }

    fn end_row(&mut self) {
        self.end_span();
        self.rows.push(Line::from(mem::take(&mut self.row)));
        self.column = 0;
    }

    /// Takes a control that changes the style; leaves out all others.
    fn obey(&mut self, chars: &mut std::str::Chars<'_>) {
        if chars.next() != Some('[') {
            return;
        }
        let mut parameters = String::new();
        for char in chars.by_ref() {
            match char {
                '0'..='9' | ';' => parameters.push(char),
                'm' => break,
                _ => return,
            }
        }
        self.end_span();
        self.style = styled(self.style, &parameters);
    }
}

/// Returns whether a character joins others to one, or changes how wide they are. Terminals do not agree on that, and what is
/// behind such a character would be at a wrong place. Without it, the parts are shown one by one.
fn is_joint(char: char) -> bool {
    matches!(char, '\u{200d}' | '\u{fe0e}' | '\u{fe0f}' | '\u{1f3fb}'..='\u{1f3ff}')
}

/// Returns a style with the changes of the parameters of `SGR`.
fn styled(mut style: Style, parameters: &str) -> Style {
    let mut numbers = parameters.split(';').map(|number| number.parse::<u8>().unwrap_or(0));
    while let Some(number) = numbers.next() {
        style = match number {
            0 => Style::default(),
            1 => style.add_modifier(Modifier::BOLD),
            2 => style.add_modifier(Modifier::DIM),
            7 => style.add_modifier(Modifier::REVERSED),
            30..=37 => style.fg(Color::Indexed(number - 30)),
            38 => match numbers.next() {
                Some(5) => style.fg(Color::Indexed(numbers.next().unwrap_or(0))),
                Some(2) => {
                    let mut next = || numbers.next().unwrap_or(0);
                    style.fg(Color::Rgb(next(), next(), next()))
                }
                _ => style,
            },
            _ => style,
        };
    }
    style
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(text: &str, width: usize) -> Vec<String> {
        rows(text, width, 200).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn rows_are_as_wide_as_the_screen_and_wide_characters_stay_whole() {
        assert_eq!(texts("abcdef", 4), ["abcd", "ef"]);
        assert_eq!(texts("日本語", 5), ["日本", "語"]);
        assert_eq!(texts("日", 1), ["日"]);
        assert_eq!(texts("a\nb", 10), ["a", "b"]);
        assert_eq!(texts(&"x".repeat(50), 40), ["x".repeat(40), format!("    {}", "x".repeat(10))]);
        assert_eq!(texts("", 10), [""]);
        assert_eq!(texts("👩\u{200d}👩\u{200d}👧e\u{301}", 4), ["👩👩", "👧e\u{301}"]);
        assert_eq!(texts(&"x\n".repeat(10_000), 10).len(), 201);
    }

    #[test]
    fn only_colours_are_obeyed() {
        assert_eq!(texts("\x1b[2Ja\x1b[1;31mb\x1b[0mc\x07\x1b]0;x\x1b", 20), ["abc0;x"]);
        let rows = rows("\x1b[1;38;5;197mx\x1b[0my\x1b[38;2;1;2;3mz", 20, 200);
        let styles: Vec<Style> = rows[0].spans.iter().map(|span| span.style).collect();
        let bold = Style::new().add_modifier(Modifier::BOLD).fg(Color::Indexed(197));
        assert_eq!(styles, [bold, Style::new(), Style::new().fg(Color::Rgb(1, 2, 3))]);
    }
}
