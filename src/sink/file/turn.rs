//! Leaves the file of one period for that of another, where the path has a date.

use super::rotating_writer::RotatingWriter;
use crate::error::Error;
use crate::record::Timestamp;
use crate::rotation::{PathPattern, PeriodState};

impl RotatingWriter {
    /// Returns whether `time` belongs to the file of another period, and that file may be tried now.
    pub(super) fn is_over(&self, time: Timestamp) -> bool {
        self.schedule.state_at(time) != PeriodState::Current && !self.is_waiting(time)
    }

    /// Opens the file of the period that `time` belongs to. What was written to the old one is made durable first: it
    /// is not looked for later.
    ///
    /// # Errors
    /// On any, the old file stays open.
    pub(super) fn turn_to(
        &mut self,
        pattern: &PathPattern,
        rotate_bytes: Option<u64>,
        time: Timestamp,
    ) -> Result<(), Error> {
        let calendar = self.files.calendar;
        let label = calendar.label(time);
        if self.files.period_of.is_some_and(|time| calendar.label(time) == label) {
            self.schedule.begin(Some(time));
            return Ok(());
        }
        let path = pattern.path(label);
        if self.files.directory.has_other_root() {
            let why = "the process has changed its root; lines continue where the log was opened";
            return Err(Error::retry(format!("open {}: {why}", path.display())));
        }
        let files = self.files.at(&path, time)?;
        if self.active.has_name() {
            self.sync_data()??;
        }
        let mut next = Self::open(files, rotate_bytes)?;
        next.now = self.now;
        if let Err(error) = self.report() {
            next.problems.failed(error);
        }
        self.active.release();
        *self = next;
        Ok(())
    }
}
