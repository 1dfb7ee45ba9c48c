//! A terminal on which each answer takes the place of the one before.

use std::io::{self, IsTerminal, Stdin, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::panic;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::termios::{LocalModes, OptionalActions, SpecialCodeIndex, Termios, tcgetattr, tcgetwinsize, tcsetattr};

/// The other screen, without a cursor and without folding long lines.
const BEGIN: &str = "\x1b[?1049h\x1b[?25l\x1b[?7l";
const END: &str = "\x1b[0m\x1b[?7h\x1b[?25h\x1b[?1049l";

/// The rows of a terminal that does not tell.
const DEFAULT_ROWS: usize = 24;

/// Has the terminal until it is dropped, or until a panic.
pub(super) struct Display {
    keys: Option<Stdin>,
    before: Arc<Before>,
}

/// How the terminal was.
struct Before {
    /// How it takes keys, if there are some.
    modes: Option<Termios>,
    is_restored: AtomicBool,
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
        let mut stdout = io::stdout();
        let stdin = io::stdin();
        let modes = (takes_keys && stdin.is_terminal()).then(|| tcgetattr(&stdin).ok()).flatten();
        if let Some(modes) = &modes {
            let mut single = modes.clone();
            single.local_modes.remove(LocalModes::ICANON | LocalModes::ECHO);
            // A stopped command would leave its screen behind.
            single.special_codes[SpecialCodeIndex::VSUSP] = 0;
            tcsetattr(&stdin, OptionalActions::Now, &single)?;
        }
        let keys = modes.is_some().then_some(stdin);
        let before = Arc::new(Before { modes, is_restored: AtomicBool::new(false) });
        let display = Self { keys, before: Arc::clone(&before) };
        let hook = panic::take_hook();
        // Its message is to be read.
        panic::set_hook(Box::new(move |info| {
            before.restore();
            hook(info);
        }));
        stdout.write_all(BEGIN.as_bytes())?;
        stdout.flush()?;
        Ok(display)
    }

    /// Shows the first lines of a text, and a line below them.
    pub(super) fn show(&self, text: &str, below: &str, output: &mut impl Write) -> io::Result<()> {
        let size = tcgetwinsize(io::stdout()).map_or(0, |size| usize::from(size.ws_row));
        let rows = if size == 0 { DEFAULT_ROWS } else { size };
        let shown = rows.saturating_sub(1);
        let mut frame = String::from("\x1b[H");
        for line in text.lines().take(shown) {
            frame.push_str(line);
            frame.push_str("\x1b[0m\x1b[K\r\n");
        }
        let hidden = text.lines().count().saturating_sub(shown);
        let more = if hidden > 0 { format!(" · {hidden} more lines below") } else { String::new() };
        let quit = if self.keys.is_some() { "q quits" } else { "Ctrl-C quits" };
        frame.push_str(&format!("\x1b[7m{below} · {quit}{more}\x1b[0m\x1b[K\x1b[J"));
        output.write_all(frame.as_bytes())?;
        output.flush()
    }

    /// Returns what to wait for.
    pub(super) fn keys(&self) -> Option<BorrowedFd<'_>> {
        self.keys.as_ref().map(AsFd::as_fd)
    }

    /// Reads keys that are there. Returns whether one of them is `q`.
    pub(super) fn has_quit(&mut self) -> bool {
        let Some(keys) = &self.keys else { return false };
        let mut bytes = [0; 64];
        match rustix::io::read(keys, &mut bytes) {
            Ok(read @ 1..) => bytes.get(..read).is_some_and(|keys| keys.iter().any(|key| matches!(key, b'q' | b'Q'))),
            // The terminal is gone.
            _ => {
                self.keys = None;
                false
            }
        }
    }
}

impl Drop for Display {
    fn drop(&mut self) {
        self.before.restore();
    }
}

impl Before {
    fn restore(&self) {
        if self.is_restored.swap(true, Ordering::Relaxed) {
            return;
        }
        let mut stdout = io::stdout();
        // Without the terminal, nothing is left to restore.
        let _ = stdout.write_all(END.as_bytes()).and_then(|()| stdout.flush());
        if let Some(modes) = &self.modes {
            let _ = tcsetattr(io::stdin(), OptionalActions::Now, modes);
        }
    }
}
