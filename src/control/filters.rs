//! The filters of a running log: read, set for a time, reset.

use std::time::Duration;

use super::by::By;
use super::filter_control::{Change, FilterControl};
use super::handle::{Handle, LayerParts};
use crate::error::Error;
use crate::filter::{Directives, FilterSetting, IntoFilter};

impl Handle {
    /// Returns the global filter in force, as directives that parse again.
    ///
    /// Without a global filter, it is `info`, which the outputs without a filter have. An appender takes all
    /// lines: `trace`.
    pub fn filter(&self) -> String {
        let filters = self.filter_control().ok();
        filters.map_or_else(|| "trace".to_owned(), |filters| filters.read(|state| state.global_text()))
    }

    /// Returns the filter of an output in force, as directives that parse again; `None` if it has none.
    ///
    /// # Errors
    /// No output has that name. An appender has no filter.
    ///
    /// # Examples
    /// ```
    /// # use spanline::{Output, sink::Memory};
    /// # let output = Output::new(Memory::new()).name("file").output_filter("warn,db=DEBUG");
    /// # let (_layer, guard) = spanline::builder().output(output).build::<tracing_subscriber::Registry>()?;
    /// let handle = guard.handle();
    /// assert_eq!(handle.output_filter("file")?.as_deref(), Some("warn,db=debug"));
    /// assert_eq!(handle.filter(), "info");
    /// # Ok::<(), spanline::Error>(())
    /// ```
    pub fn output_filter(&self, output: &str) -> Result<Option<String>, Error> {
        let filters = self.filter_control()?;
        filters.core.outputs.place_of(output)?;
        Ok(filters.read(|state| {
            let own = state.outputs.get(output).and_then(|scope| state.own(scope));
            own.as_ref().map(Directives::to_string)
        }))
    }

    /// Replaces the global filter for a time, as [`set_filter`](Self::set_filter) does. Then what is configured applies again.
    ///
    /// The log reverts it even if no thread of the program does anything. Both are a line in every output, with the target
    /// `spanline::control`. Another change before the time is over takes its place.
    ///
    /// # Errors
    /// As [`set_filter`](Self::set_filter). The time is zero, or the system starts no thread.
    ///
    /// # Examples
    /// ```
    /// # use std::time::Duration;
    /// # let (_layer, guard) = spanline::builder().build::<tracing_subscriber::Registry>()?;
    /// guard.handle().set_filter_for("info,orders::db=debug", Duration::from_secs(600))?;
    /// # Ok::<(), spanline::Error>(())
    /// ```
    pub fn set_filter_for(&self, filter: impl IntoFilter, time: Duration) -> Result<(), Error> {
        self.control_filter(None, FilterSetting::new(filter), Some(time))
    }

    /// Replaces the filter of one output for a time, as [`set_filter_for`](Self::set_filter_for) does.
    ///
    /// # Errors
    /// As [`set_output_filter`](Self::set_output_filter) and [`set_filter_for`](Self::set_filter_for).
    pub fn set_output_filter_for(&self, output: &str, filter: impl IntoFilter, time: Duration) -> Result<(), Error> {
        self.control_filter(Some(output), FilterSetting::new(filter), Some(time))
    }

    /// Goes back to the global filter that is configured, and ends the detail for single requests.
    ///
    /// # Errors
    /// An appender has no filter.
    pub fn reset_filter(&self) -> Result<(), Error> {
        self.filter_control()?.reset(Change { output: None, by: &By::Program, time: None })
    }

    /// Goes back to the filter of one output that is configured.
    ///
    /// # Errors
    /// No output has that name. An appender has no filter.
    pub fn reset_output_filter(&self, output: &str) -> Result<(), Error> {
        self.filter_control()?.reset(Change { output: Some(output), by: &By::Program, time: None })
    }

    /// Sets a filter over the configured one, for the program.
    pub(super) fn control_filter(
        &self,
        output: Option<&str>,
        filter: FilterSetting,
        time: Option<Duration>,
    ) -> Result<(), Error> {
        self.set_by(filter.parse()?, Change { output, by: &By::Program, time })
    }

    /// Sets a filter over the configured one.
    ///
    /// # Errors
    /// See [`FilterControl::set`]. The system starts no thread that would revert it.
    pub(super) fn set_by(&self, directives: Directives, change: Change<'_>) -> Result<(), Error> {
        let filters = self.filter_control()?;
        // It must not stay because nothing reverts it.
        if change.time.is_some() {
            self.start_control()?;
        }
        filters.set(directives, change)?;
        if change.time.is_some() {
            self.start_control()?;
        }
        self.complain_of_levels();
        Ok(())
    }

    /// Makes the thread that reverts filters look when the next one does.
    ///
    /// # Errors
    /// The system starts no thread, or the log has ended.
    pub(super) fn start_control(&self) -> Result<(), Error> {
        self.layer.as_ref().map_or(Ok(()), |layer| layer.thread.start(self.clone()))
    }

    /// Complains about control.
    pub(super) fn complain(&self, reason: &str, text: &str) {
        self.layer.iter().for_each(|layer| layer.common.complaints.say(reason, text));
    }

    /// Returns what knows the filters by their sources.
    ///
    /// # Errors
    /// An appender has no filter.
    pub(crate) fn filter_control(&self) -> Result<&FilterControl, Error> {
        let none = || Error::invalid("an appender has no filter; set one on the layer that writes to it");
        self.layer.as_ref().map(|LayerParts { filters, .. }| &**filters).ok_or_else(none)
    }
}
