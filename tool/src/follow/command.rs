//! The command that was started.

use std::ffi::OsString;
use std::io::{self, ErrorKind};
use std::os::unix::process::ExitStatusExt;
use std::process::{self, Child, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use super::pipe::Pipe;
use super::signals::Arrived;
use crate::report::Report;

/// How long its output is read after its end if other processes keep it open.
const PATIENCE: Duration = Duration::from_secs(2);

const NOT_FOUND: u8 = 127;
const NOT_STARTED: u8 = 126;

/// The command, until its end and beyond.
pub(super) struct Command {
    child: Child,
    ended: Option<(ExitStatus, Instant)>,
}

impl Command {
    /// Starts a command. Returns its stdout and its stderr, too. Reports a failure, and sets the exit status.
    pub(super) fn start(words: &[OsString], report: &mut Report) -> Option<(Self, Vec<Pipe>)> {
        let (program, args) = words.split_first()?;
        let mut command = process::Command::new(program);
        let spawned = command.args(args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
        match spawned {
            Ok(mut child) => {
                let stdout = child.stdout.take().map(|pipe| Pipe::new("the command's stdout", pipe));
                let stderr = child.stderr.take().map(|pipe| Pipe::new("the command's stderr", pipe));
                Some((Self { child, ended: None }, stdout.into_iter().chain(stderr).collect()))
            }
            Err(error) => {
                report.failure(&format!("start {}: {error}", program.to_string_lossy()));
                report.exit_status(if error.kind() == ErrorKind::NotFound { NOT_FOUND } else { NOT_STARTED });
                None
            }
        }
    }

    /// Passes a signal on, unless the command has got it, too.
    pub(super) fn forward(&self, arrived: Arrived) {
        let signals = [Signal::INT, Signal::TERM, Signal::HUP];
        let signal = signals.into_iter().find(|signal| signal.as_raw() == arrived.signal);
        if let Some(signal) = signal.filter(|_| self.ended.is_none() && !arrived.is_from_terminal) {
            // No other process has its id before it was waited for.
            let _ = kill_process(Pid::from_child(&self.child), signal);
        }
    }

    /// Looks whether it has ended. Returns true when it has.
    pub(super) fn has_ended(&mut self) -> io::Result<bool> {
        if self.ended.is_none() {
            self.ended = self.child.try_wait()?.map(|status| (status, Instant::now()));
        }
        Ok(self.ended.is_some())
    }

    /// Returns whether its output is no longer read, whatever keeps it open.
    pub(super) fn is_waited_for_enough(&self, now: Instant) -> bool {
        self.ended.is_some_and(|(_, ended)| now.saturating_duration_since(ended) >= PATIENCE)
    }

    /// Sets the exit status to that of the command, which has ended.
    pub(super) fn report(&self, report: &mut Report) {
        let Some((status, _)) = self.ended else { return };
        let code = status.code().or_else(|| status.signal().map(|signal| 128 + signal));
        report.exit_status(code.and_then(|code| u8::try_from(code).ok()).unwrap_or(u8::MAX));
    }
}
