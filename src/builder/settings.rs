//! The builder's settings, grouped by purpose, and how they are checked.

use std::env::VarError;
use std::sync::Arc;

use tracing::Level;
use tracing::level_filters::LevelFilter;

#[cfg(feature = "config")]
use super::configured::Configured;
use super::early::Early;
#[cfg(feature = "sealed")]
use super::seal_fields::SealSettings;
use crate::advice::quoted;
use crate::control::FORCED;
#[cfg(all(unix, feature = "signals"))]
use crate::control::signals;
use crate::error::Error;
use crate::filter::{self, Directives, FilterSetting, Lenient};
use crate::flight_recorder::FlightRecorder;
use crate::layer::{self, SpanLines};
use crate::limit::{Limiter, Rule, Sampling};
use crate::redact::Redact;

/// Which events and spans are seen.
#[derive(Debug)]
pub(super) struct FilterSettings {
    /// For all outputs.
    pub(super) global: Option<FilterSetting>,
    /// What overrides it.
    pub(super) variable: Variable,
    pub(super) context_level: LevelFilter,
    /// A text has set the one for all outputs.
    pub(super) is_configured: bool,
    /// The program forces `global`.
    pub(super) is_forced: bool,
}

/// The environment variable that overrides the global filter.
#[derive(Debug, Default)]
pub(super) enum Variable {
    /// `RUST_LOG` with `init`, none with `build`.
    #[default]
    Unset,
    Named(String),
    Ignored,
}

impl Default for FilterSettings {
    fn default() -> Self {
        Self {
            global: None,
            variable: Variable::default(),
            context_level: LevelFilter::INFO,
            is_configured: false,
            is_forced: false,
        }
    }
}

impl FilterSettings {
    /// Returns the variable that overrides the filter.
    #[cfg(feature = "config")]
    pub(super) fn variable(&self) -> Option<String> {
        match &self.variable {
            Variable::Named(name) => Some(name.clone()),
            Variable::Unset | Variable::Ignored => None,
        }
    }

    /// Returns where the filter comes from that is set without the variable.
    fn source_of_global(&self) -> &'static str {
        match &self.global {
            None => "default",
            Some(_) if self.is_forced => FORCED,
            Some(_) if self.is_configured => "configuration",
            Some(_) => "builder",
        }
    }

    /// Reads the filter from `name`, unless the program has chosen a variable, or none.
    pub(super) fn read_from(&mut self, name: &str) {
        if let Variable::Unset = self.variable {
            self.variable = Variable::Named(name.to_owned());
        }
    }

    /// Returns the global filter, where it comes from, and a complaint about mistakes in the variable.
    ///
    /// # Errors
    /// The filter that was set in code has a mistake, or no variable can have the name.
    pub(super) fn global(self) -> Result<(Option<Directives>, String, Option<String>), Error> {
        let source = self.source_of_global().to_owned();
        let default = self.global.map(FilterSetting::parse).transpose().map_err(|error| error.of("filter"))?;
        let Variable::Named(name) = self.variable else { return Ok((default, source, None)) };
        if name.is_empty() || name.contains(['=', '\0']) {
            return Err(Error::invalid(format!(
                "filter_variable: no variable can be called {}; expected a name, such as `ORDERS_LOG`",
                quoted(&name)
            )));
        }
        let text = match std::env::var(&name) {
            Ok(text) => text,
            Err(VarError::NotPresent) => return Ok((default, source, None)),
            Err(VarError::NotUnicode(_)) => {
                return Ok((default, source, Some(format!("{name} is not UTF-8; the default filter applies"))));
            }
        };
        let Lenient { directives, mistakes, first } = filter::parse_leniently(&text);
        let variable = format!("the variable {name}");
        let Some(first) = first else {
            return Ok(match directives.is_empty() {
                true => (default, source, None),
                false => (Some(directives), variable, None),
            });
        };
        let others = match mistakes {
            1 => String::new(),
            all => format!(" ({all} mistakes in all)"),
        };
        let (applies, filter, source) = match directives {
            none if none.is_empty() => ("the default filter", default, source),
            whole if whole.names_all() => ("the rest", Some(whole), variable),
            part => {
                let over = part.over(default.unwrap_or(Directives::from(LevelFilter::INFO)));
                ("the rest, over the default filter,", Some(over), variable)
            }
        };
        Ok((filter, source, Some(format!("{name}: {first}{others}. Until then, {applies} applies"))))
    }
}

/// Which values a line must not show.
#[derive(Clone, Debug, Default)]
pub(super) struct Secrets {
    pub(super) redact: Redact,
    #[cfg(feature = "sealed")]
    pub(super) seal: SealSettings,
}

/// The limits of each call site.
#[derive(Debug, Default)]
pub(super) struct RateLimits {
    /// Of all levels but ERROR.
    pub(super) lines: Option<Rule>,
    pub(super) errors: Option<Rule>,
    pub(super) sampling: Vec<Sampling>,
}

impl RateLimits {
    /// The limiter, if there is a limit.
    ///
    /// # Errors
    /// A limit allows no line, or has no period; sampling keeps nothing or everything, or would replace a limit.
    pub(super) fn limiter(&self) -> Result<Option<Arc<Limiter>>, Error> {
        for (setting, limit) in [("rate_limit_errors", self.errors), ("rate_limit", self.lines)] {
            if let Some(Rule::Window { lines, period }) = limit
                && (lines == 0 || period.is_zero())
            {
                return Err(Error::invalid(format!(
                    "{setting} is {lines} lines in {period:?}; expected at least one line and a period longer than zero; \
                     to hide all lines, use a filter"
                )));
            }
        }
        self.sampling.iter().try_for_each(Sampling::check)?;
        if self.lines.is_some() && self.sampling.iter().any(|sampling| !sampling.is_of_traces()) {
            return Err(Error::invalid(
                "rate_limit and sampling both choose among the lines of a call site; remove one of them, or sample traces \
                 with `of_traces`",
            ));
        }
        let limited = self.errors.is_some() || self.lines.is_some() || !self.sampling.is_empty();
        Ok(limited.then(|| Arc::new(Limiter::new(self.errors, self.lines, &self.sampling))))
    }
}

/// What the log adds when the program fails.
#[derive(Debug)]
pub(super) struct Diagnostics {
    pub(super) backtrace: LevelFilter,
    /// `None`: on with `init`, off with `build`.
    pub(super) log_panics: Option<bool>,
    pub(super) span_new: Option<FilterSetting>,
    pub(super) span_enter: Option<FilterSetting>,
    pub(super) span_exit: Option<FilterSetting>,
    pub(super) span_close: Option<FilterSetting>,
    pub(super) flight_recorder: Option<FlightRecorder>,
}

impl Default for Diagnostics {
    fn default() -> Self {
        Self {
            backtrace: LevelFilter::OFF,
            log_panics: None,
            span_new: None,
            span_enter: None,
            span_exit: None,
            span_close: None,
            flight_recorder: None,
        }
    }
}

impl Diagnostics {
    /// # Errors
    /// A directive is bad, or a limit of the flight recorder is out of bounds.
    pub(super) fn extras(self) -> Result<(layer::Diagnostics, Option<(Directives, Level)>), Error> {
        let spans = |filter: Option<FilterSetting>, setting: &str| {
            filter.map(FilterSetting::parse).transpose().map_err(|error| error.of(setting))
        };
        let span_lines = SpanLines::new([
            spans(self.span_new, "span_new")?,
            spans(self.span_enter, "span_enter")?,
            spans(self.span_exit, "span_exit")?,
            spans(self.span_close, "span_close")?,
        ]);
        let (held, store) = match self.flight_recorder.map(FlightRecorder::start).transpose()? {
            Some((targets, release, store)) => (Some((targets, release)), Some((Arc::new(store), release))),
            None => (None, None),
        };
        let (store, release_at) = store.unzip();
        Ok((layer::Diagnostics { backtrace: self.backtrace, span_lines, held_lines: store, release_at }, held))
    }
}

/// The connections that are switched on.
#[derive(Debug)]
pub(super) struct Integrations {
    /// `init` takes the records of the `log` crate.
    #[cfg_attr(not(feature = "log"), allow(dead_code, reason = "the setter exists without the feature"))]
    pub(super) log: bool,
    /// What was logged before.
    pub(super) early: Option<Early>,
    /// What completes the settings.
    #[cfg(feature = "config")]
    pub(super) configured: Configured,
    /// The log has a control socket. `None`: with `init`, and not with `build`.
    #[cfg(feature = "control")]
    pub(super) control: Option<bool>,
    #[cfg(feature = "opentelemetry")]
    pub(super) opentelemetry: bool,
    #[cfg(all(unix, feature = "signals"))]
    pub(super) signals: signals::Watch,
}

impl Default for Integrations {
    fn default() -> Self {
        Self {
            log: true,
            early: None,
            #[cfg(feature = "config")]
            configured: Configured::default(),
            #[cfg(feature = "control")]
            control: None,
            #[cfg(feature = "opentelemetry")]
            opentelemetry: false,
            #[cfg(all(unix, feature = "signals"))]
            signals: signals::Watch::default(),
        }
    }
}
