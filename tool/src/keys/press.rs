//! What keys do.

use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

use super::board::{Board, Mode};
use super::page::Page;
use super::rows::Row;
use crate::show::Paint;

impl Board {
    /// Does what a key asks for. `columns`, `paint`: of the screen.
    pub(super) fn press(&mut self, key: KeyEvent, columns: usize, paint: Paint) {
        self.due.draw = true;
        self.note = None;
        let is_control = key.modifiers.contains(KeyModifiers::CONTROL);
        match (&mut self.mode, key.code) {
            (_, KeyCode::Char('c')) if is_control => self.due.end = true,
            (Mode::Typing { .. }, code) => self.press_while_typing(code, is_control),
            (Mode::Page(page), code) => {
                if press_in_page(page, code) {
                    self.mode = Mode::Lines;
                }
            }
            (Mode::Lines, _) if is_control => {}
            (Mode::Lines, code) => self.press_in_lines(code, columns, paint),
        }
    }

    fn press_while_typing(&mut self, code: KeyCode, is_control: bool) {
        match code {
            KeyCode::Char('u') if is_control => self.typed.set(String::new()),
            KeyCode::Char('w') if is_control => self.typed.pop_word(),
            KeyCode::Char('h') if is_control => self.typed.pop(),
            KeyCode::Char(char) if !is_control && !char.is_control() => self.typed.push(char),
            KeyCode::Backspace => self.typed.pop(),
            KeyCode::Enter => self.mode = Mode::Lines,
            KeyCode::Esc => {
                if let Mode::Typing { before } = std::mem::replace(&mut self.mode, Mode::Lines) {
                    self.typed.set(before);
                }
            }
            _ => return,
        }
        self.due.filter = true;
    }

    fn press_in_lines(&mut self, code: KeyCode, columns: usize, paint: Paint) {
        match code {
            KeyCode::Char('q') => self.due.end = true,
            KeyCode::Char('?') => self.mode = Mode::Page(Page::help()),
            KeyCode::Char('/') => {
                let before = self.typed.valid.text.clone();
                self.typed.set(before.clone());
                self.mode = Mode::Typing { before };
            }
            KeyCode::Char('l') => self.next_level(),
            KeyCode::Char('p') => self.pause(),
            KeyCode::Char('g') => self.is_grouped = !self.is_grouped,
            KeyCode::Char('t') => {
                self.settle();
                self.trace(columns, paint);
            }
            KeyCode::Up => self.select(|rows, at| previous(rows, at, 1)),
            KeyCode::Down => self.select(|rows, at| next(rows, at, 1)),
            KeyCode::PageUp => self.turn(previous),
            KeyCode::PageDown => self.turn(next),
            KeyCode::Home => self.select(|rows, _| rows.iter().find_map(Row::number)),
            KeyCode::End | KeyCode::Esc => self.place.selected = None,
            _ => {}
        }
    }

    fn turn(&mut self, to: impl FnOnce(&[Row], usize, usize) -> Option<u64>) {
        let page = self.place.page.saturating_sub(1).max(1);
        self.select(|rows, at| to(rows, at, page));
    }

    /// Selects a line. `to`: returns its number from the rows, and from the place of the one that was selected.
    fn select(&mut self, to: impl FnOnce(&[Row], usize) -> Option<u64>) {
        self.settle();
        let last = self.rows.len().saturating_sub(1);
        let at = self.place.selected.and_then(|number| self.row_of(number)).unwrap_or(last);
        self.place.selected = to(&self.rows, at);
    }
}

/// Returns the number of a line above. At the top, it is the first one.
fn previous(rows: &[Row], at: usize, count: usize) -> Option<u64> {
    let above = rows.get(..at).unwrap_or_default().iter().rev().filter_map(Row::number);
    above
        .take(count)
        .last()
        .or_else(|| rows.get(at).and_then(Row::number))
        .or_else(|| rows.iter().find_map(Row::number))
}

/// Returns the number of a line below; `None` behind the last one: the newest lines follow.
fn next(rows: &[Row], at: usize, count: usize) -> Option<u64> {
    rows.get(at + 1..).unwrap_or_default().iter().filter_map(Row::number).nth(count - 1)
}

/// Scrolls a page. Returns whether it is left.
fn press_in_page(page: &mut Page, code: KeyCode) -> bool {
    match code {
        KeyCode::Up => page.up(1),
        KeyCode::Down | KeyCode::Enter => page.down(1),
        KeyCode::PageUp => page.up(page.room.max(2) - 1),
        KeyCode::PageDown | KeyCode::Char(' ') => page.down(page.room.max(2) - 1),
        KeyCode::Home => page.top = 0,
        KeyCode::End => page.top = page.most,
        KeyCode::Char('q' | '?' | 't') | KeyCode::Esc => return true,
        _ => {}
    }
    false
}
