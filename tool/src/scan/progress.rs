//! How far a pass is, on a terminal.

use std::time::{Duration, Instant};

use crate::report::Report;

/// Nothing is shown of a pass that takes no longer.
const DELAY: Duration = Duration::from_millis(500);

const INTERVAL: Duration = Duration::from_millis(100);

/// Shows a bar on stderr while a pass takes long, if stderr is a terminal.
pub(crate) struct Progress {
    begun: Instant,
    total: u64,
    done: u64,
    is_terminal: bool,
    shown_at: Option<Instant>,
}

impl Progress {
    /// `total`: how many bytes there are to read; 0 if it is not known.
    pub(crate) fn new(total: u64) -> Self {
        Self { begun: Instant::now(), total, done: 0, is_terminal: Report::is_terminal(), shown_at: None }
    }

    /// Returns how long to wait before it is shown again.
    pub(crate) fn interval(&self) -> Duration {
        INTERVAL
    }

    pub(crate) fn add(&mut self, bytes: u64) {
        self.done += bytes;
    }

    pub(crate) fn show(&mut self, report: &Report) {
        if !self.is_terminal || self.begun.elapsed() < DELAY || self.shown_at.is_some_and(|at| at.elapsed() < INTERVAL)
        {
            return;
        }
        self.shown_at = Some(Instant::now());
        let percent = (self.done.min(self.total) * 100).checked_div(self.total);
        let text = match percent {
            Some(percent) => {
                let full = usize::try_from(percent / 5).unwrap_or_default();
                format!("[{}{}] {percent} %", "#".repeat(full), ".".repeat(20 - full))
            }
            None => format!("reading for {} s", self.begun.elapsed().as_secs()),
        };
        report.status(&text);
    }

    /// Removes it.
    pub(crate) fn clear(&mut self, report: &Report) {
        if self.shown_at.take().is_some() {
            report.status("");
        }
    }
}
