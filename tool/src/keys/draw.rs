//! Draws the screen: the lines or a page, a note, the filter that is typed, and the status.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::{Color, Modifier, Style};
use ratatui::text::{Line, Span};
use unicode_width::UnicodeWidthChar;

use super::board::{Board, Mode};
use super::rows::Row;
use super::styled;
use super::window::{Wish, window};
use crate::counted::counted;
use crate::escape::escaped_text;

/// No line takes more rows.
const MAX_LINE_ROWS: usize = 200;

/// No page has more.
const MAX_PAGE_ROWS: usize = 20_000;

const FAULT: Style = Style::new().fg(Color::Indexed(1));
const BAR: Style = Style::new().add_modifier(Modifier::REVERSED);

impl Board {
    /// Draws all of it.
    pub(super) fn draw(&mut self, buffer: &mut Buffer) {
        self.settle();
        let mut area = buffer.area;
        put(buffer, take_last(&mut area), &self.status(), BAR);
        if let Mode::Typing { .. } = self.mode {
            let row = take_last(&mut area);
            put(buffer, row, &self.input(row.width.into()), Style::new());
        }
        if let Some(note) = &self.note {
            put(buffer, take_last(&mut area), &Line::styled(note.clone(), FAULT), Style::new());
        }
        match &self.mode {
            Mode::Page(_) => self.draw_page(buffer, area),
            _ => self.draw_lines(buffer, area),
        }
    }

    fn draw_lines(&mut self, buffer: &mut Buffer, area: Rect) {
        let width = usize::from(area.width);
        let selected = self.place.selected.and_then(|number| self.row_of(number));
        let bottom = self.place.bottom.and_then(|number| self.row_of(number));
        let wish = Wish { count: self.rows.len(), selected, bottom, room: area.height.into() };
        let parts = window(wish, |row| self.row(row, width).len());
        self.place.page = parts.len();
        self.place.bottom = parts.iter().rev().find_map(|part| self.rows.get(part.row)?.number());
        let mut free = area;
        for part in parts {
            for (at, line) in self.row(part.row, width).into_iter().enumerate().skip(part.skip).take(part.take) {
                let style = if selected == Some(part.row) && at == 0 { BAR } else { Style::new() };
                put(buffer, take_first(&mut free), &line, style);
            }
        }
    }

    /// Returns what a row has on the screen.
    fn row(&self, row: usize, width: usize) -> Vec<Line<'static>> {
        match self.rows.get(row) {
            Some(Row::Line(number)) => {
                let text = self.kept.line(*number).map_or("", |line| line.text.as_str());
                styled::rows(text, width, MAX_LINE_ROWS)
            }
            Some(Row::Group(text)) => {
                vec![Line::styled(text.clone(), Style::new().add_modifier(Modifier::BOLD | Modifier::UNDERLINED))]
            }
            None => Vec::new(),
        }
    }

    fn draw_page(&mut self, buffer: &mut Buffer, mut area: Rect) {
        let Mode::Page(page) = &mut self.mode else { return };
        let rows = styled::rows(&page.text, area.width.into(), MAX_PAGE_ROWS);
        page.room = area.height.into();
        page.most = rows.len().saturating_sub(page.room);
        page.top = page.top.min(page.most);
        for row in rows.iter().skip(page.top).take(page.room) {
            put(buffer, take_first(&mut area), row, Style::new());
        }
    }

    /// Returns the last row: the filter first, which may be long, and all that is not as usual.
    fn status(&self) -> Line<'static> {
        let filter = match self.typed.valid.text.as_str() {
            "" => "No filter applied".to_owned(),
            text => format!("Filter: {}", escaped_text(text)),
        };
        let mut parts = vec![filter];
        parts.extend(self.level.map(|level| format!("{} and above", level.as_str())));
        parts.extend(self.is_grouped.then(|| "grouped by request".to_owned()));
        parts.extend(self.kept.paused().map(|new| format!("paused, {new} new")));
        let all = self.kept.len() as u64;
        parts.push(format!("{} of {}", self.found(), counted(all, "line", "lines")));
        parts.extend(self.place.selected.map(|_| "End follows".to_owned()));
        parts.push("? help".to_owned());
        Line::from(parts.join(" · "))
    }

    /// Returns the row in which a filter is typed. Of a long one, the end is shown.
    fn input(&self, width: usize) -> Line<'static> {
        let text = escaped_text(&self.typed.text);
        let mut room = width.saturating_sub(2);
        let is_shown = |char: &char| {
            let width = char.width().unwrap_or(0);
            let fits = width <= room;
            room = if fits { room - width } else { 0 };
            fits
        };
        let end: Vec<char> = text.chars().rev().take_while(is_shown).collect();
        let shown: String = end.into_iter().rev().collect();
        let mut spans = vec![Span::raw(format!("/{shown}")), Span::styled(" ", BAR)];
        spans.extend(self.typed.mistake.as_ref().map(|why| Span::styled(format!("  {}", escaped_text(why)), FAULT)));
        Line::from(spans)
    }
}

/// Takes the last row of an area; none if it is empty.
fn take_last(area: &mut Rect) -> Rect {
    let row = area.height.min(1);
    area.height -= row;
    Rect { y: area.y + area.height, height: row, ..*area }
}

fn take_first(area: &mut Rect) -> Rect {
    let row = Rect { height: area.height.min(1), ..*area };
    area.height -= row.height;
    area.y += row.height;
    row
}

/// Writes a row, as far as it has room.
fn put(buffer: &mut Buffer, row: Rect, line: &Line<'_>, style: Style) {
    if row.is_empty() {
        return;
    }
    buffer.set_line(row.x, row.y, line, row.width);
    buffer.set_style(row, style);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

    use super::*;
    use crate::entry::Parser;
    use crate::show::ColorChoice;

    proptest! {
        #[test]
        fn no_size_key_or_text_panics(
            lines in proptest::collection::vec("\\PC{0,60}|[\\x00-\\x1f\u{200d}日本👩‍👩‍👧e\u{301}]{0,30}", 0..12),
            keys in proptest::collection::vec(0..22_usize, 0..30),
            sizes in proptest::collection::vec((0..50_u16, 0..9_u16), 1..4),
        ) {
            let mut board = Board::new();
            for line in &lines {
                let mut parser = Parser::default();
                parser.read(line.as_bytes());
                board.take(&parser.entry(line.as_bytes()), line.as_bytes());
            }
            let codes = [KeyCode::Up, KeyCode::Down, KeyCode::PageUp, KeyCode::PageDown, KeyCode::Home, KeyCode::End];
            let codes = codes.into_iter().chain([KeyCode::Enter, KeyCode::Esc, KeyCode::Backspace]);
            let codes: Vec<KeyCode> = codes.chain("/lpgt?日=\u{1b}x\"q ".chars().map(KeyCode::Char)).collect();
            for (number, key) in keys.into_iter().enumerate() {
                let (width, height) = sizes[number % sizes.len()];
                board.press(KeyEvent::new(codes[key], KeyModifiers::NONE), 80, ColorChoice::Never.paint(false));
                let mut buffer = Buffer::empty(Rect::new(0, 0, width, height));
                board.draw(&mut buffer);
            }
        }
    }
}
