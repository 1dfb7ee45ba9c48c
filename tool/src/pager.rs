//! Where output goes: to stdout, or to a pager if that is a terminal.
//!
//! The pager is `$SPANLINE_PAGER`, the one in the [settings](crate::settings), `$PAGER`, or `less -FRX`. Words are separated by
//! spaces; no shell reads them. An empty one, and `cat`, stand for none. While it runs, an interrupt is for the pager alone, and
//! what is reported waits until it has ended.

use std::env;
use std::io::{self, BufWriter, ErrorKind, IsTerminal, Stdout, Write};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::report::Report;

/// Shows a text that fits on the screen without waiting, passes colours, and leaves the text there.
const DEFAULT: &str = "less -FRX";

const BUFFER_BYTES: usize = 64 << 10;

/// Output, and the pager that shows it.
pub(crate) struct Output {
    /// The pager that starts with the first byte, and whether it is the default. Until then, the terminal is free, for example
    /// for a command that asks for a passphrase.
    next: Option<(String, bool)>,
    pager: Option<Child>,
    writer: Writer,
    /// Why the pager did not start.
    failure: Option<String>,
}

enum Writer {
    // Without the lock, which would stop everything else that writes to stdout.
    Stdout(BufWriter<Stdout>),
    Pager(BufWriter<ChildStdin>),
}

impl Output {
    pub(crate) fn stdout() -> Self {
        let writer = Writer::Stdout(BufWriter::with_capacity(BUFFER_BYTES, io::stdout()));
        Self { next: None, pager: None, writer, failure: None }
    }

    /// Passes output to the pager, if stdout is a terminal and there is one. `setting`: what the settings say.
    pub(crate) fn paged(setting: Option<&str>, report: &mut Report) -> Self {
        let next = choose(setting);
        if next.is_some() {
            report.hold();
        }
        Self { next, ..Self::stdout() }
    }

    /// Returns where bytes go. Starts the pager before the first ones.
    fn writer(&mut self) -> &mut Writer {
        if let Some((command, is_default)) = self.next.take() {
            match start(&command) {
                Ok((child, stdin)) => {
                    self.pager = Some(child);
                    self.writer = Writer::Pager(BufWriter::with_capacity(BUFFER_BYTES, stdin));
                }
                Err(error) if is_default && error.kind() == ErrorKind::NotFound => {}
                Err(error) => {
                    self.failure = Some(format!("start the pager `{command}`: {error}; printed without it"));
                }
            }
        }
        &mut self.writer
    }

    /// Writes what is left, waits for the pager, and lets the report go on. `written`: how writing went so far.
    ///
    /// # Blocking
    /// Until the user has closed the pager.
    pub(crate) fn end(mut self, written: io::Result<()>, report: &mut Report) -> io::Result<()> {
        let written = written.and_then(|()| self.flush());
        // What it shows has an end.
        drop(self.writer);
        if let Some(mut pager) = self.pager {
            let _ = pager.wait();
        }
        self.failure.iter().for_each(|failure| report.note(failure));
        report.release();
        written
    }
}

impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self.writer() {
            Writer::Stdout(stdout) => stdout.write(bytes),
            Writer::Pager(pager) => pager.write(bytes),
        }
    }

    fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        match self.writer() {
            Writer::Stdout(stdout) => stdout.write_all(bytes),
            Writer::Pager(pager) => pager.write_all(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match &mut self.writer {
            Writer::Stdout(stdout) => stdout.flush(),
            Writer::Pager(pager) => pager.flush(),
        }
    }
}

/// Returns the pager's command, and whether it is the default.
fn choose(setting: Option<&str>) -> Option<(String, bool)> {
    if !io::stdout().is_terminal() || env::var_os("TERM").is_some_and(|term| term == "dumb") {
        return None;
    }
    let variable = |name| env::var(name).ok();
    let chosen = variable("SPANLINE_PAGER").or(setting.map(str::to_owned)).or_else(|| variable("PAGER"));
    let is_default = chosen.is_none();
    let command = chosen.unwrap_or_else(|| DEFAULT.to_owned());
    (!matches!(command.trim(), "" | "cat")).then_some((command, is_default))
}

fn start(command: &str) -> io::Result<(Child, ChildStdin)> {
    let mut words = command.split_whitespace();
    let name = words.next().unwrap_or_default();
    let mut pager = Command::new(name);
    pager.args(words).stdin(Stdio::piped());
    if env::var_os("LESS").is_none() {
        // As git does: colours pass, and a short text needs no key.
        pager.env("LESS", "FRX");
    }
    // From its first moment on.
    let is_alone = Arc::new(AtomicBool::new(false));
    pass_interrupts(&is_alone)?;
    let started = pager.spawn().and_then(|mut child| match child.stdin.take() {
        Some(stdin) => Ok((child, stdin)),
        None => Err(io::Error::other("it has no stdin")),
    });
    is_alone.store(started.is_err(), Ordering::Relaxed);
    if started.is_ok() {
        stop_with_pager(&is_alone)?;
    }
    started
}

/// Lets an interrupt end the tool once the pager has ended.
#[cfg(unix)]
fn stop_with_pager(is_alone: &Arc<AtomicBool>) -> io::Result<()> {
    signal_hook::flag::register(signal_hook::consts::SIGCHLD, Arc::clone(is_alone)).map(drop)
}

/// Interrupts end the tool here.
#[cfg(not(unix))]
fn stop_with_pager(_: &Arc<AtomicBool>) -> io::Result<()> {
    Ok(())
}

/// Lets an interrupt pass, as the pager gets the same one, unless the tool `is_alone`.
#[cfg(unix)]
fn pass_interrupts(is_alone: &Arc<AtomicBool>) -> io::Result<()> {
    signal_hook::flag::register_conditional_default(signal_hook::consts::SIGINT, Arc::clone(is_alone)).map(drop)
}

#[cfg(not(unix))]
fn pass_interrupts(_: &Arc<AtomicBool>) -> io::Result<()> {
    Ok(())
}
