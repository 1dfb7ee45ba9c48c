//! A terminal that a command has for itself, and that is as it was before whatever ends or stops the command.
//!
//! A signal only sets a flag: [`Guard::obey`] restores the terminal, and stops or ends the process.

use std::io::{self, IsTerminal, Stdin, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::panic;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::process::{Signal, getpid, kill_process};
use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};
use signal_hook::consts::{SIGCONT, SIGQUIT, SIGTSTP};
use signal_hook::flag;
use signal_hook::low_level::emulate_default_handler;

/// The other screen, without a cursor and without folding long lines.
const BEGIN: &str = "\x1b[?1049h\x1b[?25l\x1b[?7l";
const END: &str = "\x1b[0m\x1b[?7h\x1b[?25h\x1b[?1049l";

/// What stdin has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Keys {
    /// Lines, or nothing for this command.
    None,
    /// Keys, except those that are signals: Ctrl-C, Ctrl-Z and Ctrl-\.
    Single,
    /// All keys.
    #[cfg_attr(not(feature = "keys"), expect(dead_code, reason = "all other screens leave signals to the terminal"))]
    Raw,
}

/// Has the terminal until it is dropped, or until a panic.
#[derive(Debug)]
pub(crate) struct Guard {
    state: Arc<State>,
    stdin: Stdin,
    /// Whether the process has to stop.
    stops: Arc<AtomicBool>,
    /// Whether it goes on, so that others may have used the terminal.
    goes_on: Arc<AtomicBool>,
    /// Whether it has to end at once.
    quits: Arc<AtomicBool>,
    /// Whether the terminal is as it was for good, so that a signal stops the process as without this.
    is_over: Arc<AtomicBool>,
}

/// How the terminal was, and how it is.
#[derive(Debug)]
struct State {
    /// How it took keys, and how it takes them now; nothing if stdin has none.
    modes: Option<(Termios, Termios)>,
    is_on: AtomicBool,
}

impl Guard {
    /// Shows the other screen.
    ///
    /// # Errors
    /// The terminal refuses it, or the system refuses to pass on signals.
    pub(crate) fn enter(keys: Keys) -> io::Result<Self> {
        let stdin = io::stdin();
        let before = (keys != Keys::None && stdin.is_terminal()).then(|| tcgetattr(&stdin).ok()).flatten();
        let modes = before.map(|before| {
            let mut during = before.clone();
            match keys {
                Keys::Raw => during.make_raw(),
                Keys::Single | Keys::None => during.local_modes.remove(LocalModes::ICANON | LocalModes::ECHO),
            }
            (before, during)
        });
        let state = Arc::new(State { modes, is_on: AtomicBool::new(false) });
        let (stops, goes_on, quits) = (Arc::default(), Arc::default(), Arc::default());
        let is_over = Arc::default();
        flag::register(SIGTSTP, Arc::clone(&stops))?;
        flag::register_conditional_default(SIGTSTP, Arc::clone(&is_over))?;
        flag::register(SIGCONT, Arc::clone(&goes_on))?;
        // The second one ends a process that does not come to obey the first, and any one does when this is dropped.
        flag::register_conditional_default(SIGQUIT, Arc::clone(&quits))?;
        flag::register(SIGQUIT, Arc::clone(&quits))?;
        let (hook, panicked) = (panic::take_hook(), Arc::clone(&state));
        // Its message is to be read.
        panic::set_hook(Box::new(move |what| {
            let _ = panicked.end();
            hook(what);
        }));
        let guard = Self { state, stdin, stops, goes_on, quits, is_over };
        guard.state.begin()?;
        Ok(guard)
    }

    /// Returns where keys come from; `None` if there are none.
    pub(crate) fn keys(&self) -> Option<BorrowedFd<'_>> {
        self.state.modes.as_ref().map(|_| self.stdin.as_fd())
    }

    /// Restores the terminal, unless that was done.
    #[cfg(feature = "keys")]
    pub(crate) fn end(&self) -> io::Result<()> {
        self.state.end()
    }

    /// Stops the process, as Ctrl-Z does without this.
    #[cfg(feature = "keys")]
    pub(crate) fn stop(&self) -> io::Result<()> {
        match rustix::termios::tcgetpgrp(&self.stdin) {
            // Others of the job stop, too.
            Ok(group) if group == rustix::process::getpgrp() => {
                rustix::process::kill_current_process_group(Signal::TSTP)?;
            }
            _ => self.stops.store(true, Ordering::Relaxed),
        }
        Ok(())
    }

    /// Obeys signals. Returns whether the screen has to be drawn anew.
    ///
    /// # Blocking
    /// Until the process goes on, after it was stopped.
    pub(crate) fn obey(&self) -> io::Result<bool> {
        if self.quits.load(Ordering::Relaxed) {
            self.state.end()?;
            emulate_default_handler(SIGQUIT)?;
        }
        if self.stops.swap(false, Ordering::Relaxed) {
            self.state.end()?;
            // SIGSTOP would stop a process that no shell lets go on. This signal does so only if there is one.
            kill_process(getpid(), Signal::TTIN)?;
            self.goes_on.store(true, Ordering::Relaxed);
        }
        let goes_on = self.goes_on.swap(false, Ordering::Relaxed);
        if goes_on {
            self.state.end()?;
            self.state.begin()?;
        }
        Ok(goes_on)
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        // Without the terminal, nothing is left to restore.
        let _ = self.state.end();
        self.quits.store(true, Ordering::Relaxed);
        self.is_over.store(true, Ordering::Relaxed);
    }
}

impl State {
    fn begin(&self) -> io::Result<()> {
        self.is_on.store(true, Ordering::Relaxed);
        if let Some((_, during)) = &self.modes {
            tcsetattr(io::stdin(), OptionalActions::Now, during)?;
        }
        put(BEGIN)
    }

    fn end(&self) -> io::Result<()> {
        if !self.is_on.swap(false, Ordering::Relaxed) {
            return Ok(());
        }
        let shown = put(END);
        if let Some((before, _)) = &self.modes {
            tcsetattr(io::stdin(), OptionalActions::Now, before)?;
        }
        shown
    }
}

fn put(text: &str) -> io::Result<()> {
    let mut stdout = io::stdout();
    stdout.write_all(text.as_bytes())?;
    stdout.flush()
}
