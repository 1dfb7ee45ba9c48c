//! What a command could not do, on stderr, and the exit status that follows.

use std::cell::RefCell;
#[cfg(all(unix, feature = "follow"))]
use std::collections::VecDeque;
use std::error::Error;
#[cfg(feature = "find")]
use std::io::IsTerminal;
use std::io::{self, ErrorKind, Write};
use std::process::ExitCode;

use crate::escape::escaped_text;

const USAGE_ERROR: u8 = 2;

pub(crate) const EXIT_STATUS: &str = "\
Exit status:
  0  everything was done
  1  something could not be read or written; stderr says what
  2  the command line is wrong";

/// No more lines wait for the end of a pager.
const MAX_HELD: usize = 1000;

/// How many of the last lines that wait can be shown meanwhile.
#[cfg(all(unix, feature = "follow"))]
const LATEST: usize = 3;

/// Reports failures and remembers that there were some.
#[derive(Default)]
pub(crate) struct Report {
    has_failed: bool,
    is_misuse: bool,
    /// The exit status of a command that was run, which replaces all others.
    exit_status: Option<u8>,
    is_quiet: bool,
    /// What waits until a pager has ended.
    held: RefCell<Option<Held>>,
}

/// Lines that wait.
#[derive(Default)]
struct Held {
    lines: Vec<String>,
    /// How many more there were than wait.
    more: u64,
    #[cfg(all(unix, feature = "follow"))]
    latest: VecDeque<String>,
}

impl Held {
    fn add(&mut self, line: String) {
        #[cfg(all(unix, feature = "follow"))]
        {
            self.latest.push_back(line.clone());
            self.latest.drain(..self.latest.len().saturating_sub(LATEST));
        }
        if self.lines.len() < MAX_HELD {
            self.lines.push(line);
        } else {
            self.more += 1;
        }
    }
}

impl Report {
    /// Returns a report that says nothing, for what was reported before.
    #[cfg(feature = "find")]
    pub(crate) fn quiet() -> Self {
        Self { is_quiet: true, ..Self::default() }
    }

    /// Returns the result's value, or reports its error.
    pub(crate) fn check<T, E: Error>(&mut self, result: Result<T, E>) -> Option<T> {
        result.map_err(|error| self.failure(&with_sources(&error))).ok()
    }

    /// Reports a command line that is wrong, though the parser took it.
    #[cfg(any(feature = "collect", feature = "find", feature = "sealed"))]
    pub(crate) fn misuse(&mut self, error: &dyn Error) {
        self.failure(&with_sources(error));
        self.is_misuse = true;
    }

    /// Returns the result's value, or reports a command line that is wrong, though the parser took it.
    #[cfg(any(feature = "find", feature = "manual"))]
    pub(crate) fn usage<T>(&mut self, result: Result<T, String>) -> Option<T> {
        let result = result.map_err(|why| {
            self.failure(&why);
            self.is_misuse = true;
        });
        result.ok()
    }

    /// Reports a failure.
    pub(crate) fn failure(&mut self, message: &str) {
        self.has_failed = true;
        if !self.is_quiet {
            self.note(message);
        }
    }

    /// Tells what is not output and no failure.
    pub(crate) fn note(&self, message: &str) {
        let line = format!("spanline: {}", escaped_text(message));
        match &mut *self.held.borrow_mut() {
            Some(held) => held.add(line),
            None => put(&line),
        }
    }

    /// Lets what is reported wait, as a pager has the terminal.
    pub(crate) fn hold(&mut self) {
        self.held.get_mut().get_or_insert_default();
    }

    /// Returns how many lines wait, and the last ones.
    #[cfg(all(unix, feature = "follow"))]
    pub(crate) fn waiting(&self) -> (u64, Vec<String>) {
        match &*self.held.borrow() {
            Some(held) => (held.lines.len() as u64 + held.more, held.latest.iter().cloned().collect()),
            None => (0, Vec::new()),
        }
    }

    /// Prints what has waited.
    pub(crate) fn release(&mut self) {
        if let Some(held) = self.held.take() {
            held.lines.iter().for_each(|line| put(line));
            if held.more > 0 {
                let lines = if held.more == 1 { "line like these was" } else { "lines like these were" };
                put(&format!("spanline: {} more {lines} left out", held.more));
            }
        }
    }

    /// Returns whether stderr is a terminal.
    #[cfg(feature = "find")]
    #[expect(clippy::disallowed_methods, reason = "nothing is written")]
    pub(crate) fn is_terminal() -> bool {
        io::stderr().is_terminal()
    }

    /// Shows a text in the last line of the terminal, in place of the one before.
    #[cfg(feature = "find")]
    #[expect(clippy::disallowed_methods, reason = "the one place that writes to stderr")]
    pub(crate) fn status(&self, text: &str) {
        let _ = write!(io::stderr(), "\r\x1b[K{}", escaped_text(text));
    }

    /// Returns whether there was a failure.
    #[cfg(feature = "find")]
    pub(crate) fn has_failed(&self) -> bool {
        self.has_failed
    }

    /// Notes a failure that the output shows.
    #[cfg(any(feature = "find", feature = "sealed", all(unix, feature = "control")))]
    pub(crate) fn fail(&mut self) {
        self.has_failed = true;
    }

    /// Sets the exit status, as a command that was run has it.
    #[cfg(all(unix, feature = "follow"))]
    pub(crate) fn exit_status(&mut self, status: u8) {
        self.exit_status = Some(status);
    }

    /// Reports the mistakes in a file, one a line, each behind its place.
    pub(crate) fn mistakes(&mut self, text: &str) {
        self.has_failed = true;
        text.lines().for_each(|line| put(&escaped_text(line)));
    }

    /// Reports the mistakes in the tool's own configuration file. They count as a wrong command line.
    pub(crate) fn wrong_settings(mut self, mistakes: &str) -> ExitCode {
        self.mistakes(mistakes);
        ExitCode::from(USAGE_ERROR)
    }

    /// Prints the parser's answer to a command line that names no command: the help, or what is wrong.
    pub(crate) fn answer(self, answer: &clap::Error) -> ExitCode {
        if !answer.use_stderr() {
            return self.end(answer.print());
        }
        // It repeats arguments, which may be file names that the shell has put in.
        let text = answer.render().to_string();
        text.lines().for_each(|line| put(&escaped_text(line)));
        ExitCode::from(USAGE_ERROR)
    }

    /// Returns the exit status of a command whose output was `written`.
    ///
    /// A closed pipe is no failure: its reader, such as `head`, has what it wants.
    pub(crate) fn end(mut self, written: io::Result<()>) -> ExitCode {
        if let Err(error) = written
            && error.kind() != ErrorKind::BrokenPipe
        {
            self.failure(&format!("write to stdout: {error}"));
        }
        let own = if self.is_misuse { USAGE_ERROR } else { u8::from(self.has_failed) };
        ExitCode::from(self.exit_status.unwrap_or(own))
    }
}

/// Prints a line on stderr.
#[expect(clippy::disallowed_methods, reason = "the one place that writes to stderr")]
fn put(line: &str) {
    // Without a reader of stderr, the exit status alone has to tell.
    let _ = writeln!(io::stderr(), "{line}");
}

/// Returns an error's text, followed by those sources that it does not end with already.
pub(crate) fn with_sources(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        let cause = error.to_string();
        if !text.ends_with(&cause) {
            text = format!("{text}: {cause}");
        }
        source = error.source();
    }
    text
}
