//! What is drawn on the terminal while lines are shown.

use std::io::{self, Write};
use std::mem::ManuallyDrop;
use std::os::fd::BorrowedFd;

use ratatui::backend::CrosstermBackend;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::{TerminalOptions, Viewport};

use crate::terminal::{Guard, Keys, size};

/// A larger screen is not filled.
const MAX_COLUMNS: u16 = 1000;
const MAX_ROWS: u16 = 500;

/// The terminal of stdin and stdout. It is restored when this is dropped.
pub(super) struct Terminal<W: Write> {
    /// Is not dropped: when the terminal is gone, its `drop` prints to stderr, which is gone too, and panics.
    screen: ManuallyDrop<ratatui::Terminal<CrosstermBackend<W>>>,
    area: Rect,
    guard: Guard,
}

impl<W: Write> Terminal<W> {
    /// Shows another screen.
    ///
    /// # Errors
    /// The terminal refuses it.
    pub(super) fn enter(output: W) -> io::Result<Self> {
        let area = area();
        let options = TerminalOptions { viewport: Viewport::Fixed(area) };
        let screen = ManuallyDrop::new(ratatui::Terminal::with_options(CrosstermBackend::new(output), options)?);
        let mut terminal = Self { screen, area, guard: Guard::enter(Keys::Raw)? };
        terminal.resize()?;
        Ok(terminal)
    }

    /// Restores the terminal.
    pub(super) fn end(&self) -> io::Result<()> {
        self.guard.end()
    }

    fn resize(&mut self) -> io::Result<()> {
        self.area = area();
        self.screen.resize(self.area)
    }

    /// Returns where keys come from.
    pub(super) fn keys(&self) -> Option<BorrowedFd<'_>> {
        self.guard.keys()
    }

    pub(super) fn columns(&self) -> usize {
        self.area.width.into()
    }

    /// Stops the process, as Ctrl-Z does without this.
    pub(super) fn stop(&self) -> io::Result<()> {
        self.guard.stop()
    }

    /// Obeys signals, and takes a new size over. Returns whether the screen has to be drawn.
    pub(super) fn obey(&mut self) -> io::Result<bool> {
        let is_due = self.guard.obey()? || self.area != area();
        if is_due {
            self.resize()?;
        }
        Ok(is_due)
    }

    /// Draws the screen. Only cells that have changed are written.
    pub(super) fn draw(&mut self, draw: impl FnOnce(&mut Buffer)) -> io::Result<()> {
        self.screen.draw(|frame| draw(frame.buffer_mut())).map(|_| ())
    }
}

/// Returns the size of the screen.
fn area() -> Rect {
    let (columns, rows) = size().unwrap_or((80, 24));
    Rect::new(0, 0, columns.min(MAX_COLUMNS), rows.min(MAX_ROWS))
}
