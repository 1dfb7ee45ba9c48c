//! The builder's settings, grouped by purpose, and how they are checked.

use std::sync::Arc;

use tracing::Level;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::Targets;

#[cfg(all(unix, feature = "signals"))]
use crate::control::signals;
use crate::error::Error;
use crate::filter;
use crate::flight_recorder::FlightRecorder;
use crate::into_filter::FilterSetting;
use crate::layer;
use crate::limit::{Limit, Limiter};

/// Which events and spans are seen.
#[derive(Debug)]
pub(super) struct FilterSettings {
    /// For all outputs.
    pub(super) global: Option<FilterSetting>,
    pub(super) context_level: LevelFilter,
}

impl Default for FilterSettings {
    fn default() -> Self {
        Self { global: None, context_level: LevelFilter::INFO }
    }
}

impl FilterSettings {
    /// Takes the global filter from `RUST_LOG`, unless one is set. Returns the directives that were skipped, with the
    /// reason.
    pub(super) fn read_rust_log(&mut self) -> Vec<(String, String)> {
        if self.global.is_some() {
            return Vec::new();
        }
        let directives = std::env::var("RUST_LOG").unwrap_or_default();
        let (targets, skipped) = filter::parse_leniently(&directives);
        if targets.iter().next().is_some() || targets.default_level().is_some() {
            self.global = Some(FilterSetting::new(targets));
        }
        skipped
    }

    /// # Errors
    /// Names the first bad directive.
    pub(super) fn global(&mut self) -> Result<Option<Targets>, Error> {
        self.global.take().map(FilterSetting::parse).transpose()
    }
}

/// The limits of each call site.
#[derive(Debug, Default)]
pub(super) struct RateLimits {
    /// Of all levels but ERROR.
    pub(super) lines: Option<Limit>,
    pub(super) errors: Option<Limit>,
}

impl RateLimits {
    /// The limiter, if there is a limit.
    ///
    /// # Errors
    /// A limit allows no line, or has no period.
    pub(super) fn limiter(&self) -> Result<Option<Arc<Limiter>>, Error> {
        for (setting, limit) in [("rate_limit_errors", self.errors), ("rate_limit", self.lines)] {
            if let Some(Limit { lines, period }) = limit
                && (lines == 0 || period.is_zero())
            {
                return Err(Error::invalid(format!(
                    "{setting} is {lines} lines in {period:?}; expected at least one line and a period longer than zero; \
                     to hide all lines, use a filter"
                )));
            }
        }
        let limited = self.errors.is_some() || self.lines.is_some();
        Ok(limited.then(|| Arc::new(Limiter::new(self.errors, self.lines))))
    }
}

/// What the log adds when the program fails.
#[derive(Debug)]
pub(super) struct Diagnostics {
    pub(super) backtrace: LevelFilter,
    /// `None`: on with `init`, off with `build`.
    pub(super) log_panics: Option<bool>,
    pub(super) span_close: Option<FilterSetting>,
    pub(super) flight_recorder: Option<FlightRecorder>,
}

impl Default for Diagnostics {
    fn default() -> Self {
        Self { backtrace: LevelFilter::OFF, log_panics: None, span_close: None, flight_recorder: None }
    }
}

impl Diagnostics {
    /// # Errors
    /// A directive is bad, or a limit of the flight recorder is out of bounds.
    pub(super) fn extras(self) -> Result<(layer::Diagnostics, Option<(Targets, Level)>), Error> {
        let closes = self.span_close.map(FilterSetting::parse).transpose()?;
        let (held, store) = match self.flight_recorder.map(FlightRecorder::start).transpose()? {
            Some((targets, release, store)) => (Some((targets, release)), Some((Arc::new(store), release))),
            None => (None, None),
        };
        let (store, release_at) = store.unzip();
        Ok((layer::Diagnostics { backtrace: self.backtrace, close_lines: closes, held_lines: store, release_at }, held))
    }
}

/// The connections that are switched on.
#[derive(Debug)]
pub(super) struct Integrations {
    /// `init` takes the records of the `log` crate.
    #[cfg_attr(not(feature = "log"), allow(dead_code, reason = "the setter exists without the feature"))]
    pub(super) log: bool,
    #[cfg(feature = "opentelemetry")]
    pub(super) opentelemetry: bool,
    #[cfg(all(unix, feature = "signals"))]
    pub(super) signals: signals::Watch,
}

impl Default for Integrations {
    fn default() -> Self {
        Self {
            log: true,
            #[cfg(feature = "opentelemetry")]
            opentelemetry: false,
            #[cfg(all(unix, feature = "signals"))]
            signals: signals::Watch::default(),
        }
    }
}
