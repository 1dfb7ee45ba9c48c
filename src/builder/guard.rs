//! Control while the log runs, and its end.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::answer::Answer;
use super::end::{self, Log};
use crate::complaint::Complaints;
use crate::error::Error;
use crate::filter::{self, Filters};
use crate::metrics::Metrics;
use crate::queue::Command;
use crate::sync::after;
use crate::worker::Lane;

/// How long the end may take.
#[derive(Clone, Copy, Debug)]
pub(super) struct Deadlines {
    /// Begins anew with each progress.
    pub(super) timeout: Duration,
    pub(super) cap: Duration,
}

impl Default for Deadlines {
    fn default() -> Self {
        Self { timeout: Guard::DEFAULT_SHUTDOWN_TIMEOUT, cap: Guard::DEFAULT_SHUTDOWN_CAP }
    }
}

/// Ends the log when it is dropped: everything logged before is written, within the deadline.
///
/// Lines logged after that are written by the thread that logs them, before the call returns.
///
/// A log whose guard was leaked, or is not reached because of `process::exit` or a panic that aborts, is ended by the
/// exit handler and the panic hook that come with it (on Windows only when `main` returns). Not so at `abort`, `_exit`
/// and `exec`, nor by a signal, unless [`Builder::flush_on_signals`](crate::Builder::flush_on_signals) was asked for.
///
/// # Blocking
/// Dropping it waits until the outputs are drained: at most [`Self::DEFAULT_SHUTDOWN_TIMEOUT`] while nothing gets done, and
/// [`Self::DEFAULT_SHUTDOWN_CAP`] in all, unless set otherwise. What is left then is counted as dropped, and one line on
/// stderr says how much. Whoever ends the log first sets the deadline for all others. On a thread of the log, in a sink
/// for example, it does not wait.
#[derive(Debug)]
#[must_use = "the log ends when the guard is dropped: bind it to a name such as `_guard`"]
pub struct Guard {
    log: Arc<Log>,
    filters: Option<Arc<Filters>>,
    ended: bool,
}

impl Guard {
    /// The default time that dropping the guard waits without progress: longer than a disk's hiccup, shorter than a
    /// supervisor's patience.
    pub const DEFAULT_SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(5);

    /// The default time that dropping the guard waits in all: below the 30 s after which containers are killed.
    pub const DEFAULT_SHUTDOWN_CAP: Duration = Duration::from_secs(25);

    /// Guards `lanes`. `filters` is none for an appender.
    pub(super) fn new(
        deadlines: Deadlines,
        complaints: Arc<Complaints>,
        lanes: Vec<Arc<Lane>>,
        filters: Option<Arc<Filters>>,
    ) -> Self {
        let log = Arc::new(Log { lanes, complaints, deadlines });
        end::watch(&log);
        Self { log, filters, ended: false }
    }

    pub(super) fn complain(&self, reason: &str, text: &str) {
        self.log.complaints.say(reason, text);
    }

    /// Control while the log runs.
    pub fn handle(&self) -> Handle {
        Handle { lanes: self.log.lanes.clone(), filters: self.filters.clone() }
    }

    /// Ends the log now, as dropping the guard does, and says what was left.
    ///
    /// # Errors
    /// The number of lines that were not written in time.
    ///
    /// # Blocking
    /// As dropping it.
    pub fn close(mut self) -> Result<(), Unwritten> {
        match self.end() {
            0 => Ok(()),
            lines => Err(Unwritten { lines }),
        }
    }

    fn end(&mut self) -> u64 {
        if std::mem::replace(&mut self.ended, true) { 0 } else { end::end(std::slice::from_ref(&self.log)) }
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        self.end();
    }
}

/// Lines that were not written before the deadline.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Unwritten {
    /// How many, in all outputs.
    pub lines: u64,
}

impl fmt::Display for Unwritten {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} lines were not written in time", self.lines)
    }
}

impl std::error::Error for Unwritten {}

/// Controls a running log; clones control the same one.
#[derive(Clone, Debug)]
pub struct Handle {
    pub(super) lanes: Vec<Arc<Lane>>,
    /// None for an appender, whose lines others filter.
    pub(super) filters: Option<Arc<Filters>>,
}

impl Handle {
    /// Waits until everything logged before, by any thread, has been handed to the system by all outputs.
    ///
    /// # Errors
    /// A timeout; what a sink said; or that the caller is a thread of the log, which cannot wait for itself.
    ///
    /// # Blocking
    /// For `timeout` at most.
    pub fn flush(&self, timeout: Duration) -> Result<(), Error> {
        self.ask(Command::Flush, timeout)
    }

    /// Waits until everything logged before is durable, where a sink can promise that: for files, `fdatasync`.
    ///
    /// # Errors
    /// As [`flush`](Self::flush).
    ///
    /// # Blocking
    /// For `timeout` at most.
    pub fn sync(&self, timeout: Duration) -> Result<(), Error> {
        self.ask(Command::Sync, timeout)
    }

    /// As [`flush`](Self::flush), for async code: ready once everything logged before this call has been handed to the
    /// system. It has no timeout of its own, and waits as long as an output does not answer: a stuck pipe never does. Wrap
    /// it into the timeout of the runtime. Dropped, it waits for nothing.
    ///
    /// # Errors
    /// As [`flush`](Self::flush), but for the timeout: only an output that was given up at the end of the log has one.
    ///
    /// # Examples
    /// ```
    /// # use std::time::Duration;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let (_, guard) = spanline::builder().build::<tracing_subscriber::Registry>()?;
    /// tokio::time::timeout(Duration::from_secs(1), guard.handle().flush_async()).await??;
    /// # Ok(())
    /// # }
    /// ```
    pub fn flush_async(&self) -> impl Future<Output = Result<(), Error>> + Send + use<> {
        Answer::new(&self.lanes, Command::Flush)
    }

    /// As [`sync`](Self::sync), for async code, under the conditions of [`flush_async`](Self::flush_async).
    ///
    /// # Errors
    /// As [`flush_async`](Self::flush_async).
    pub fn sync_async(&self) -> impl Future<Output = Result<(), Error>> + Send + use<> {
        Answer::new(&self.lanes, Command::Sync)
    }

    /// Lets all sinks close and open their files anew, after another program has renamed them.
    ///
    /// # Errors
    /// As [`flush`](Self::flush).
    ///
    /// # Blocking
    /// For `timeout` at most.
    pub fn reopen(&self, timeout: Duration) -> Result<(), Error> {
        self.ask(Command::Reopen, timeout)
    }

    /// Closes the current segment of all rolling files and begins new ones.
    ///
    /// # Errors
    /// As [`flush`](Self::flush).
    ///
    /// # Blocking
    /// For `timeout` at most.
    pub fn rotate(&self, timeout: Duration) -> Result<(), Error> {
        self.ask(Command::Rotate, timeout)
    }

    /// Replaces the global filter, for events that begin after this returns. Also sets the level of the `log` crate
    /// where `init` serves it.
    ///
    /// A span that was disabled when it was opened stays so: it hands nothing down.
    ///
    /// # Errors
    /// Names the first bad directive; the filter then stays as it was.
    ///
    /// # Blocking
    /// Takes some microseconds for each call site of the program, in which no other thread is stopped from logging at
    /// call sites it has used before.
    pub fn set_filter(&self, directives: &str) -> Result<(), Error> {
        let targets = filter::parse(directives)?;
        let filters = self.filters.as_ref().ok_or_else(|| Error::invalid("an appender has no filter"))?;
        filters.change(|state| state.global = Some(targets.clone()));
        Ok(())
    }

    /// Replaces the filter of one output.
    ///
    /// # Errors
    /// As [`set_filter`](Self::set_filter); and when no output has that name.
    pub fn set_output_filter(&self, output: &str, directives: &str) -> Result<(), Error> {
        let targets = filter::parse(directives)?;
        let filters = self.filters.as_ref().ok_or_else(|| Error::invalid("an appender has no filter"))?;
        let at = self.lanes.iter().position(|lane| lane.name == output);
        let at = at.ok_or_else(|| Error::invalid(format!("no output is called `{output}`")))?;
        filters.change(|state| {
            if let Some(own) = state.outputs.get_mut(at) {
                *own = Some(targets.clone());
            }
        });
        Ok(())
    }

    /// A snapshot of all counters.
    ///
    /// Cheap enough to be taken each second: it takes each queue's lock once, for the time of copying some numbers, and
    /// allocates nothing but the snapshot. In each output the numbers fit together; those of two outputs are not of the
    /// same instant.
    pub fn metrics(&self) -> Metrics {
        Metrics { outputs: self.lanes.iter().map(|lane| lane.metrics()).collect() }
    }

    /// Asks all outputs first and waits afterwards, so that they work side by side.
    fn ask(&self, command: Command, timeout: Duration) -> Result<(), Error> {
        let deadline = after(Instant::now(), timeout);
        let tickets: Vec<_> = self.lanes.iter().map(|lane| (lane, lane.order(command))).collect();
        let mut result = Ok(());
        for (lane, ticket) in tickets {
            let done = ticket.and_then(|ticket| lane.queue.wait_done(ticket, deadline));
            result = result.and(done.map_err(|error| error.of_output(&lane.name)));
        }
        result
    }
}
