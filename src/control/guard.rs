//! The guard: the log ends when it is dropped.

use std::fmt;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

#[cfg(feature = "config")]
use super::configuration::Configuration;
use super::filter_control::FilterControl;
use super::handle::{Handle, LayerParts};
#[cfg(feature = "config")]
use super::shutdown::WeakLog;
use super::shutdown::{self, Deadlines, Log};
use super::static_fields::StaticFields;
use crate::complaint::Complaints;
use crate::error::Error;
use crate::fork;
use crate::layer::Core;
use crate::outputs::Outputs;
use crate::worker::Common;

/// Ends the log when it is dropped: everything logged before is written, within the deadline.
///
/// After that, a thread that logs writes its own line before the call returns. The first line more than a second later is
/// reported once, because the guard was then dropped too early: `let _ = spanline::init()` drops it at once.
///
/// The log also ends if the guard is leaked, or is not reached because of `process::exit` or a panic that aborts. An
/// exit handler and the panic hook do that. On Windows, the exit handler runs only when `main` returns. `abort`,
/// `_exit` and `exec` lose the queued lines. A signal does too, unless
/// [`Builder::flush_on_signals`](crate::Builder::flush_on_signals) is set.
///
/// # Blocking
/// Dropping the guard waits until all outputs are drained. It gives up after [`Self::DEFAULT_SHUTDOWN_TIMEOUT`] without
/// progress, and after [`Self::DEFAULT_SHUTDOWN_CAP`] in total;
/// [`Builder::shutdown_timeout`](crate::Builder::shutdown_timeout) changes both. The remaining lines are counted as
/// dropped, and one line on stderr reports how many. The first thread that ends the log sets the deadline for all
/// others. On one of the log's own threads, in a sink for example, dropping the guard does not wait.
#[must_use = "the log ends when the guard is dropped: bind it to a name such as `_guard`"]
pub struct Guard {
    log: Arc<Log>,
    ended: bool,
}

impl Guard {
    /// The default time that dropping the guard waits without progress, 5 s: longer than a disk stalls, shorter than a
    /// supervisor waits.
    pub const DEFAULT_SHUTDOWN_TIMEOUT: Duration = Deadlines::DEFAULT.timeout;

    /// The default time that dropping the guard waits in total, 25 s: below the 30 s after which containers are killed.
    pub const DEFAULT_SHUTDOWN_CAP: Duration = Deadlines::DEFAULT.cap;

    /// Guards the outputs of a log.
    pub(crate) fn new(deadlines: Deadlines, complaints: Arc<Complaints>, outputs: Arc<Outputs>) -> Self {
        fork::register(&outputs);
        let log = Arc::new(Log { outputs, layer: OnceLock::new(), complaints, deadlines });
        shutdown::watch(&log);
        Self { log, ended: false }
    }

    /// Takes what its handles need of a layer. `filter_source`: where the global filter is configured.
    pub(crate) fn control(
        &self,
        core: &Arc<Core>,
        static_fields: StaticFields,
        common: Common,
        filter_source: &str,
        #[cfg(feature = "config")] configuration: Option<Arc<dyn Configuration>>,
    ) {
        let services = Arc::default();
        fork::register(&services);
        let filters = Arc::new(FilterControl::new(Arc::clone(core), filter_source));
        fork::register(&filters);
        let thread = Arc::default();
        fork::register(&thread);
        let deadlines = self.log.deadlines;
        let parts = LayerParts {
            core: Arc::clone(core),
            static_fields,
            services,
            filters,
            thread,
            common,
            deadlines,
            #[cfg(feature = "config")]
            configuration,
        };
        let _ = self.log.layer.set(parts);
    }

    /// Returns a way to the log that does not keep it alive.
    #[cfg(feature = "config")]
    pub(crate) fn weak(&self) -> WeakLog {
        WeakLog(Arc::downgrade(&self.log))
    }

    /// Complains about a setting that has no effect.
    pub(crate) fn complain(&self, reason: &str, text: &str) {
        self.log.complaints.say_once(reason, text);
    }

    /// Complains about levels that the filter asks for and that are not compiled in.
    pub(crate) fn complain_of_levels(&self) {
        self.handle().complain_of_levels();
    }

    /// Returns a handle, which controls the log while it runs.
    pub fn handle(&self) -> Handle {
        self.log.handle()
    }

    /// Ends the log now, as dropping the guard does, and reports what was left.
    ///
    /// # Errors
    /// Lines were not written before the deadline: [`Error::unwritten_lines`] returns their number, and
    /// [`Error::is_timeout`] returns true. Or all lines were written, but the last sync of an output with a
    /// [`Durability`](crate::Durability) failed: [`Error::is_not_durable`] returns true.
    ///
    /// # Blocking
    /// Waits as dropping the guard does.
    ///
    /// # Examples
    /// ```
    /// fn main() -> Result<(), spanline::Error> {
    ///     let guard = spanline::init()?;
    ///     tracing::info!("started");
    ///     guard.close()?;
    ///     Ok(())
    /// }
    /// ```
    pub fn close(mut self) -> Result<(), Error> {
        match self.end("when `Guard::close` was called") {
            0 => self.log.outputs.lanes().iter().try_for_each(|lane| lane.durable()),
            lines => Err(Error::unwritten(lines)),
        }
    }

    /// `how`: what ended the log, for [`Lane::complain_of_end`].
    fn end(&mut self, how: &'static str) -> u64 {
        if std::mem::replace(&mut self.ended, true) {
            return 0;
        }
        self.log.outputs.lanes_to_end().iter().for_each(|lane| lane.ended(how));
        shutdown::end(std::slice::from_ref(&self.log))
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        self.end("when its guard was dropped");
    }
}

/// Prints the outputs' names and counts.
impl fmt::Debug for Guard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Guard").field("outputs", &self.log.outputs.lanes()).finish_non_exhaustive()
    }
}
