//! The terminal: its other screen while lines are shown, and as it was before at the end.

use std::io::{self, Write};
use std::mem::ManuallyDrop;
use std::os::fd::{AsFd, BorrowedFd};
use std::panic;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use ratatui::backend::CrosstermBackend;
use ratatui::buffer::Buffer;
use ratatui::crossterm::cursor::{Hide, Show};
use ratatui::crossterm::execute;
use ratatui::crossterm::terminal::{EnterAlternateScreen, LeaveAlternateScreen, disable_raw_mode, enable_raw_mode};
use ratatui::layout::Rect;
use ratatui::{TerminalOptions, Viewport};
use rustix::process::{Signal, getpgrp, getpid, kill_current_process_group, kill_process};
use rustix::termios::{tcgetpgrp, tcgetwinsize};
use signal_hook::consts::{SIGCONT, SIGTSTP};
use signal_hook::flag;

/// Whether the other screen is shown, and keys come one by one.
static IS_ON: AtomicBool = AtomicBool::new(false);

/// A larger screen is not filled.
const MAX_COLUMNS: u16 = 1000;
const MAX_ROWS: u16 = 500;

/// The terminal of stdin and stdout. It is restored when this is dropped.
pub(super) struct Terminal<W: Write> {
    /// Is not dropped: when the terminal is gone, its `drop` prints to stderr, which is gone too, and panics.
    screen: ManuallyDrop<ratatui::Terminal<CrosstermBackend<W>>>,
    area: Rect,
    stdin: io::Stdin,
    /// Whether the process has to stop.
    stops: Arc<AtomicBool>,
    /// Whether it goes on, so that others may have used the terminal.
    goes_on: Arc<AtomicBool>,
}

impl<W: Write> Terminal<W> {
    /// Shows another screen.
    ///
    /// # Errors
    /// The terminal refuses it.
    pub(super) fn enter(output: W) -> io::Result<Self> {
        let (stops, goes_on) = (Arc::default(), Arc::default());
        flag::register(SIGTSTP, Arc::clone(&stops))?;
        flag::register(SIGCONT, Arc::clone(&goes_on))?;
        let before = panic::take_hook();
        panic::set_hook(Box::new(move |what| {
            let _ = leave(&mut io::stdout());
            before(what);
        }));
        let area = area();
        let options = TerminalOptions { viewport: Viewport::Fixed(area) };
        let screen = ManuallyDrop::new(ratatui::Terminal::with_options(CrosstermBackend::new(output), options)?);
        let mut terminal = Self { screen, area, stdin: io::stdin(), stops, goes_on };
        terminal.begin()?;
        Ok(terminal)
    }

    fn begin(&mut self) -> io::Result<()> {
        IS_ON.store(true, Ordering::Relaxed);
        enable_raw_mode()?;
        execute!(self.screen.backend_mut(), EnterAlternateScreen, Hide)?;
        self.resize()
    }

    /// Restores the terminal.
    pub(super) fn end(&mut self) -> io::Result<()> {
        leave(self.screen.backend_mut())
    }

    fn resize(&mut self) -> io::Result<()> {
        self.area = area();
        self.screen.resize(self.area)
    }

    /// Returns where keys come from.
    pub(super) fn keys(&self) -> BorrowedFd<'_> {
        self.stdin.as_fd()
    }

    pub(super) fn columns(&self) -> usize {
        self.area.width.into()
    }

    /// Stops the process, as Ctrl-Z does without this.
    pub(super) fn stop(&self) -> io::Result<()> {
        match tcgetpgrp(&self.stdin) {
            // Others of the job stop, too.
            Ok(group) if group == getpgrp() => kill_current_process_group(Signal::TSTP)?,
            _ => self.stops.store(true, Ordering::Relaxed),
        }
        Ok(())
    }

    /// Obeys signals, and takes a new size over. Returns whether the screen has to be drawn.
    pub(super) fn obey(&mut self) -> io::Result<bool> {
        if self.stops.swap(false, Ordering::Relaxed) {
            self.end()?;
            kill_process(getpid(), Signal::STOP)?;
            self.goes_on.store(true, Ordering::Relaxed);
        }
        if self.goes_on.swap(false, Ordering::Relaxed) {
            self.end()?;
            self.begin()?;
            return Ok(true);
        }
        let is_resized = self.area != area();
        if is_resized {
            self.resize()?;
        }
        Ok(is_resized)
    }

    /// Draws the screen. Only cells that have changed are written.
    pub(super) fn draw(&mut self, draw: impl FnOnce(&mut Buffer)) -> io::Result<()> {
        self.screen.draw(|frame| draw(frame.buffer_mut())).map(|_| ())
    }
}

impl<W: Write> Drop for Terminal<W> {
    fn drop(&mut self) {
        let _ = self.end();
    }
}

/// Restores the terminal, unless that was done.
fn leave(output: &mut impl Write) -> io::Result<()> {
    if !IS_ON.swap(false, Ordering::Relaxed) {
        return Ok(());
    }
    let shown = execute!(output, Show, LeaveAlternateScreen);
    disable_raw_mode().and(shown)
}

/// Returns the size of the screen.
fn area() -> Rect {
    let size = tcgetwinsize(io::stdout()).ok().filter(|size| size.ws_col > 0 && size.ws_row > 0);
    let (columns, rows) = size.map_or((80, 24), |size| (size.ws_col, size.ws_row));
    Rect::new(0, 0, columns.min(MAX_COLUMNS), rows.min(MAX_ROWS))
}
