//! A sink inside another one: whether it is open, and when it is called again after a failure.

use std::time::{Duration, Instant};

use super::{Control, Lines, Next, Sink};
use crate::error::Error;
use crate::sync::after;

const FIRST_PAUSE: Duration = Duration::from_millis(1);
const LONGEST_PAUSE: Duration = Duration::from_millis(500);

/// A sink inside another one.
pub(super) struct Inner {
    pub(super) sink: Box<dyn Sink>,
    is_open: bool,
    /// It has ended, until it is reopened.
    is_closed: bool,
    pause: Duration,
    retry_at: Option<Instant>,
    /// A call runs; it is still set after one that panicked.
    calling: Option<Calling>,
    panics: u32,
}

/// What the sink was offered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Calling {
    New,
    Replayed,
}

impl Inner {
    pub(super) fn new(sink: Box<dyn Sink>) -> Self {
        Self { sink, is_open: false, is_closed: false, pause: FIRST_PAUSE, retry_at: None, calling: None, panics: 0 }
    }

    /// Opens it, if it is not open.
    pub(super) fn open(&mut self, now: Instant) -> Result<(), Error> {
        if !self.is_open {
            self.sink.control(Control::Open).inspect_err(|_| self.failed(now))?;
            self.is_open = true;
        }
        Ok(())
    }

    /// Returns whether it may be called now.
    pub(super) fn is_ready(&self, now: Instant) -> bool {
        !self.is_closed && self.retry_at.is_none_or(|at| at <= now)
    }

    /// Returns when it may be called again; `None` for now, and if it has ended.
    pub(super) fn retry_at(&self) -> Option<Instant> {
        self.retry_at.filter(|_| !self.is_closed)
    }

    pub(super) fn failed(&mut self, now: Instant) {
        self.retry_at = Some(after(now, self.pause));
        self.pause = (self.pause * 2).min(LONGEST_PAUSE);
    }

    /// It is tried again at once, also if it had ended.
    pub(super) fn revive(&mut self) {
        (self.pause, self.retry_at, self.is_closed) = (FIRST_PAUSE, None, false);
    }

    /// Calls it. An error that is not about a line pauses it.
    pub(super) fn call(&mut self, lines: &mut Lines, what: Calling, now: Instant) -> Result<Next, Error> {
        let before = lines.standing();
        let in_flight = lines.in_flight();
        self.calling = Some(what);
        let result = self.sink.write(lines);
        self.calling = None;
        let has_moved = lines.standing() > before || lines.in_flight() != in_flight;
        let result = match result {
            Ok(Next::Done) if !has_moved && !lines.is_empty() => Err(Error::retry("the sink took nothing")),
            result => result,
        };
        match &result {
            Ok(_) if has_moved => (self.pause, self.retry_at, self.panics) = (FIRST_PAUSE, None, 0),
            Ok(_) => self.retry_at = None,
            Err(error) if error.is_rejected() => {}
            Err(error) => {
                self.is_closed = error.is_closed();
                self.failed(now);
            }
        }
        result
    }

    /// Returns what it was called with when it panicked, and how often it has in a row.
    pub(super) fn take_panic(&mut self) -> Option<(Calling, u32)> {
        let calling = self.calling.take()?;
        self.panics += 1;
        Some((calling, self.panics))
    }

    /// Passes on an order, if it is open.
    pub(super) fn control(&mut self, control: Control) -> Result<(), Error> {
        if self.is_open { self.sink.control(control) } else { Ok(()) }
    }
}
