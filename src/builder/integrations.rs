//! The setters of integrations: the `log` crate, signals, OpenTelemetry.

use super::builder::Builder;

impl Builder {
    /// Leaves the `log` crate alone. By default, `init` takes its records.
    pub fn without_log(mut self) -> Self {
        self.integrations.log = false;
        self
    }

    /// Sets whether the log has a control socket, through which [`spanline`](crate::docs::control) asks about it and changes
    /// it.
    ///
    /// By default, `init` opens one, and `build` does not. The variable `SPANLINE_CONTROL` sets its directory, or switches it
    /// off: `SPANLINE_CONTROL=off`. Only the process's own user and root have access. No port is opened. If the socket cannot be
    /// opened, one complaint says why. On Windows, it is not available.
    #[cfg(feature = "control")]
    pub fn control(mut self, offers: bool) -> Self {
        self.integrations.control = Some(offers);
        self
    }

    /// Writes the queued lines on SIGTERM, SIGINT and SIGQUIT before the signal ends the process.
    ///
    /// The process then ends by the signal's default action, so that its parent sees the usual exit status. Process 1
    /// of a container has no default action: it exits with status 128 + n.
    ///
    /// The deadline is that of the [`Guard`](crate::Guard). A second signal ends the process at once. A signal that the
    /// process was started to ignore (`nohup`) stays ignored. Other handlers, such as `tokio::signal`, receive the
    /// signals too, but have no more time than the log takes. A program that shuts down by itself does not need this
    /// setting: its guard writes the lines.
    #[cfg(all(unix, feature = "signals"))]
    pub fn flush_on_signals(mut self) -> Self {
        self.integrations.signals.end = true;
        self
    }

    /// Writes the queued lines on SIGHUP too, as [`flush_on_signals`](Self::flush_on_signals) does for its signals: for
    /// programs that end with their terminal.
    ///
    /// # Errors
    /// `init` and `build` refuse it together with [`reopen_on_sighup`](Self::reopen_on_sighup), and with `reload_on_sighup`.
    #[cfg(all(unix, feature = "signals"))]
    pub fn flush_on_sighup(mut self) -> Self {
        self.integrations.signals.end_at_hangup = true;
        self
    }

    /// Makes all outputs of the process reopen their files on SIGHUP, as [`Handle::reopen`](crate::Handle::reopen)
    /// does, for `logrotate`.
    #[cfg(all(unix, feature = "signals"))]
    pub fn reopen_on_sighup(mut self) -> Self {
        self.integrations.signals.reopen = true;
        self
    }

    /// Reloads the configuration file on SIGHUP, as [`Handle::reload`](crate::Handle::reload) does, and then makes all
    /// outputs of the process reopen their files.
    ///
    /// # Errors
    /// `init` and `build` refuse it together with [`flush_on_sighup`](Self::flush_on_sighup).
    #[cfg(all(unix, feature = "signals", feature = "config"))]
    pub fn reload_on_sighup(mut self) -> Self {
        self.integrations.signals.reload = true;
        self
    }

    /// Watches the file, and reloads when it changes, as [`Handle::reload`](crate::Handle::reload) does.
    ///
    /// An editor that renames a new file over the old one is seen, and a link that leads to another file, as those of a
    /// ConfigMap in Kubernetes do. A thread looks every two seconds. With the feature `watch`, the system also reports
    /// changes, which takes effect after a tenth of a second. Each reload, and each that fails, is a line with the target
    /// `spanline::control`; a failure is also a complaint.
    ///
    /// # Errors
    /// `init` and `build` refuse it if there is no file.
    #[cfg(feature = "config")]
    pub fn watch(mut self) -> Self {
        self.configured().watches = true;
        self
    }

    /// Takes trace and span ids from the layer of `tracing-opentelemetry` 0.34 in the same registry.
    ///
    /// The order of the two layers does not matter. The ids are taken for every span that the other layer sees, when
    /// the span is first entered or an event names it as its parent. Call `set_parent` before that. If no span ever has
    /// ids, one complaint reports it.
    #[cfg(feature = "opentelemetry")]
    pub fn opentelemetry(mut self) -> Self {
        self.integrations.opentelemetry = true;
        self
    }
}
