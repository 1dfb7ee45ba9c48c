//! A terminal on which each answer takes the place of the one before.

use std::io::{self, IsTerminal, Write};
use std::os::fd::BorrowedFd;

use crate::counted::counted;
use crate::terminal::{Guard, Keys, size};

/// The rows of a terminal that does not tell.
const DEFAULT_ROWS: u16 = 24;

/// Has the terminal until it is dropped, or until a panic.
pub(super) struct Display {
    guard: Guard,
    /// Whether keys can be read.
    has_keys: bool,
}

impl Display {
    /// Returns whether stdout is a terminal that can go back to its first line.
    pub(super) fn is_possible() -> bool {
        io::stdout().is_terminal() && std::env::var_os("TERM").is_some_and(|term| term != "dumb")
    }

    /// Takes the terminal. `takes_keys`: whether stdin has keys, not lines.
    ///
    /// # Errors
    /// The terminal cannot be written to.
    pub(super) fn open(takes_keys: bool) -> io::Result<Self> {
        let guard = Guard::enter(if takes_keys { Keys::Single } else { Keys::None })?;
        let has_keys = guard.keys().is_some();
        Ok(Self { guard, has_keys })
    }

    /// Shows the first lines of a text, what was reported, and a line below them.
    pub(super) fn show(&self, text: &str, reported: &[String], below: &str, output: &mut impl Write) -> io::Result<()> {
        let rows = usize::from(size().map_or(DEFAULT_ROWS, |(_, rows)| rows));
        let shown = rows.saturating_sub(1 + reported.len());
        let mut frame = String::from("\x1b[H");
        let reported = reported.iter().map(String::as_str);
        for line in text.lines().take(shown).chain(reported.take(rows.saturating_sub(1))) {
            frame.push_str(line);
            frame.push_str("\x1b[0m\x1b[K\r\n");
        }
        let hidden = text.lines().count().saturating_sub(shown);
        let more = counted(hidden as u64, "more line", "more lines");
        let more = if hidden > 0 { format!(" · {more} below") } else { String::new() };
        let quit = if self.has_keys { "q quits" } else { "Ctrl-C quits" };
        frame.push_str(&format!("\x1b[7m{below} · {quit}{more}\x1b[0m\x1b[K\x1b[J"));
        output.write_all(frame.as_bytes())?;
        output.flush()
    }

    /// Obeys signals. Returns whether the answer has to be shown again.
    pub(super) fn obey(&self) -> io::Result<bool> {
        self.guard.obey()
    }

    /// Returns what to wait for.
    pub(super) fn keys(&self) -> Option<BorrowedFd<'_>> {
        self.guard.keys().filter(|_| self.has_keys)
    }

    /// Reads keys that are there. Returns whether one of them is `q`.
    pub(super) fn has_quit(&mut self) -> bool {
        let Some(keys) = self.keys() else { return false };
        let mut bytes = [0; 64];
        match rustix::io::read(keys, &mut bytes) {
            Ok(read @ 1..) => bytes.get(..read).is_some_and(|keys| keys.iter().any(|key| matches!(key, b'q' | b'Q'))),
            Err(rustix::io::Errno::INTR) => false,
            // The terminal is gone.
            _ => {
                self.has_keys = false;
                false
            }
        }
    }
}
