//! Passes lines to the screen, and keys to what they change.

use std::env;
use std::io::{self, IsTerminal, Write};
use std::os::fd::BorrowedFd;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use ratatui::crossterm::event::{self, Event, KeyCode, KeyEventKind, KeyModifiers};

use super::board::Board;
use super::terminal::Terminal;
use crate::entry::Entry;
use crate::follow::{CutLines, Show};
use crate::query::Filter;
use crate::report::Report;
use crate::show::{Look, Paint, Pretty, Unparsed};

/// The screen is not drawn more often, except after a key.
const INTERVAL: Duration = Duration::from_millis(30);

/// Returns whether keys can be read, and lines be shown on a screen. `paths`: what is followed.
pub(crate) fn is_possible(paths: &[PathBuf]) -> bool {
    let has_screen = env::var_os("TERM").is_some_and(|term| term != "dumb" && !term.is_empty());
    let has_keys = io::stdin().is_terminal() && !paths.iter().any(|path| path == Path::new("-"));
    has_screen && has_keys && io::stdout().is_terminal()
}

/// Shows lines on the terminal, and obeys keys.
pub(crate) struct Desk<W: Write> {
    terminal: Terminal<W>,
    board: Board,
    /// What is kept.
    conditions: Filter,
    pretty: Pretty,
    paint: Paint,
    unparsed: Unparsed,
    cut: CutLines,
    /// How many messages for the user there were.
    noted: u64,
    drawn: Option<Instant>,
}

impl<W: Write> Desk<W> {
    /// Takes the terminal. `are_several`: whether lines of several logs are mixed.
    ///
    /// # Errors
    /// The terminal refuses it.
    pub(crate) fn new(
        output: W,
        conditions: Filter,
        look: Look,
        are_several: bool,
        report: &mut Report,
    ) -> io::Result<Self> {
        let terminal = Terminal::enter(output)?;
        report.hold();
        // What a filter hides must not be left out in the lines that it shows; and rows are as wide as the screen is now.
        let look = Look { width: None, repeats: true, ..look };
        Ok(Self {
            terminal,
            board: Board::new(),
            conditions,
            pretty: Pretty::new(look, are_several),
            paint: look.paint,
            unparsed: Unparsed::default(),
            cut: CutLines::default(),
            noted: 0,
            drawn: None,
        })
    }

    /// Restores the terminal, and reports what has waited for that.
    pub(crate) fn end(self, report: &mut Report) -> io::Result<()> {
        let ended = self.terminal.end();
        report.release();
        self.cut.report(report);
        self.unparsed.report(report);
        ended
    }

    /// Passes on the keys that were pressed.
    fn read_keys(&mut self) -> io::Result<()> {
        while event::poll(Duration::ZERO)? {
            let Event::Key(key) = event::read()? else { continue };
            if key.kind == KeyEventKind::Release {
                continue;
            }
            if key.code == KeyCode::Char('z') && key.modifiers.contains(KeyModifiers::CONTROL) {
                self.terminal.stop()?;
                continue;
            }
            self.board.press(key, self.terminal.columns(), self.paint);
            self.drawn = None;
        }
        Ok(())
    }
}

impl<W: Write> Show for Desk<W> {
    fn wants(&self, entry: &Entry<'_>) -> bool {
        self.conditions.matches(entry)
    }

    fn take(&mut self, entry: &Entry<'_>) -> io::Result<()> {
        self.unparsed.count(entry);
        self.cut.count(entry);
        if self.conditions.matches(entry) {
            let mut text = Vec::new();
            self.pretty.put(&mut text, entry);
            self.board.take(entry, &text);
        }
        Ok(())
    }

    fn is_done(&self) -> bool {
        self.board.due.end
    }

    fn flush(&mut self) -> io::Result<()> {
        let is_soon = self.drawn.is_some_and(|drawn| drawn.elapsed() < INTERVAL);
        if self.is_done() || is_soon || !self.board.due.draw {
            return Ok(());
        }
        self.board.due.draw = false;
        self.drawn = Some(Instant::now());
        self.terminal.draw(|buffer| self.board.draw(buffer))
    }

    fn keys(&self) -> Option<BorrowedFd<'_>> {
        self.terminal.keys()
    }

    fn obey(&mut self, report: &mut Report) -> io::Result<()> {
        self.read_keys()?;
        if self.terminal.obey()? {
            self.board.due.draw = true;
        }
        let (noted, mut latest) = report.waiting();
        if noted > self.noted {
            self.noted = noted;
            self.board.note = latest.pop();
            self.board.due.draw = true;
        }
        self.flush()
    }
}
