//! What completes the settings of a builder when the log starts: a text, and what the program forces.
//!
//! `config` reads the text. It imports this module, not the other way round: the builder calls what `config` has left here.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use super::assemble::{MAX_LINE_BYTES, MAX_OUTPUTS, MIN_LINE_BYTES};
use super::builder::{Builder, builder};
use super::output::{JournalPrefix, Output};
use super::settings::{FilterSettings, Secrets, Variable};
use super::start::{MAX_QUEUE_BYTES, MIN_QUEUE_BYTES, different_paths};
use crate::byte_size::ByteSize;
use crate::control::{Configuration, StaticFields};
use crate::error::Error;
use crate::filter::{Directives, FilterSetting, check_bound};
use crate::record::{OwnedValue, Statics};
use crate::redact::Redact;
use crate::settings::Registered;
use crate::sink::Memory;

/// Where the text is.
#[derive(Debug)]
pub(crate) enum Source {
    File(PathBuf),
    Toml(String),
    Json(String),
    /// `SPANLINE_CONFIG` names the file.
    Variable,
}

/// What completes the settings.
#[derive(Default)]
pub(crate) struct Configured {
    pub(crate) source: Option<Source>,
    /// The environment that the program selects.
    pub(crate) environment: Option<String>,
    /// A file that other users can write to is accepted.
    pub(crate) allows_writers: bool,
    pub(crate) registered: Registered,
    pub(crate) forced: Vec<Force>,
    /// Applies the text.
    pub(crate) apply: Option<Apply>,
    /// Complaints about the text, for the running log.
    pub(crate) notes: Vec<String>,
    /// The filter that the code has set.
    pub(crate) own_filter: Option<FilterSetting>,
    /// The file is watched.
    pub(crate) watches: bool,
    /// What changes the running log.
    pub(crate) running: Option<Arc<dyn Configuration>>,
    /// What is forced, which the running log has to know.
    pub(super) forces_filter: bool,
    pub(super) forced_fields: Vec<String>,
}

/// What the program's code has set, as far as it matters when the running log changes.
#[derive(Debug)]
pub(crate) struct Program {
    statics: Statics,
    pub(crate) filter: Option<FilterSetting>,
    /// Its outputs by name, each with its own filter.
    pub(crate) outputs: Vec<(String, Option<FilterSetting>)>,
    max_line_bytes: ByteSize,
    secrets: Secrets,
}

/// A global filter, and the variable that it comes from.
#[derive(Debug)]
pub(crate) struct GlobalFilter {
    pub(crate) directives: Option<Directives>,
    pub(crate) variable: Option<String>,
    /// Where it is set.
    pub(crate) source: String,
}

/// Settings that no text overrides.
pub(crate) type Force = Box<dyn FnOnce(Builder) -> Builder + Send>;

type Apply = fn(Builder, Configured) -> Result<Builder, Error>;

impl fmt::Debug for Configured {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Configured").field("environment", &self.environment).finish_non_exhaustive()
    }
}

impl Builder {
    pub(crate) fn configured(&mut self) -> &mut Configured {
        &mut self.integrations.configured
    }

    /// Applies the text, and what the program forces.
    ///
    /// # Errors
    /// The text has mistakes, or cannot be read.
    pub(super) fn complete_settings(mut self) -> Result<Self, Error> {
        let mut configured = std::mem::take(self.configured());
        self.configured().watches = configured.watches;
        let forced = std::mem::take(&mut configured.forced);
        let builder = match configured.apply {
            Some(apply) => {
                // The text's filter and that of the code are told apart.
                configured.own_filter = self.filters.global.take();
                let own = configured.own_filter.clone();
                apply(self, configured)?.or_filter(own)
            }
            None => self,
        };
        Ok(builder.force_all(forced))
    }

    /// Takes this filter if the text has none.
    pub(crate) fn or_filter(mut self, own: Option<FilterSetting>) -> Self {
        self.filters.is_configured = self.filters.global.is_some();
        self.filters.global = self.filters.global.or(own);
        self
    }

    /// Calls the setters of forced settings, and notes which they are.
    fn force_all(mut self, forced: Vec<Force>) -> Self {
        let filter = self.filters.global.take();
        let fields = std::mem::take(&mut self.statics.fields);
        let mut this = forced.into_iter().fold(self, |builder, force| force(builder));
        let forces_filter = this.filters.global.is_some();
        this.filters.is_forced = forces_filter;
        let forced_fields = this.statics.fields.iter().map(|(name, _)| name.clone()).collect();
        if !forces_filter {
            this.filters.global = filter;
        }
        this.statics.fields.splice(..0, fields);
        let configured = this.configured();
        (configured.forces_filter, configured.forced_fields) = (forces_filter, forced_fields);
        this
    }

    /// Returns what the program's code has set. `filter`: its global filter.
    pub(crate) fn program(&self, filter: Option<FilterSetting>) -> Program {
        let name = |output: &Output| output.name.as_ref().unwrap_or(&output.profile.name).clone();
        Program {
            statics: self.statics.clone(),
            filter,
            outputs: self.outputs.iter().map(|output| (name(output), output.filter.clone())).collect(),
            max_line_bytes: self.max_line_bytes,
            secrets: self.secrets.clone(),
        }
    }

    /// Returns a builder that stands for the program's code. `outputs`: the names of the outputs that the code has set up.
    pub(crate) fn standing_for(program: &Program, outputs: &[String]) -> Self {
        let filter_of = |name: &String| program.outputs.iter().find(|(known, _)| known == name)?.1.clone();
        let stand_in = |name: &String| {
            let output = Output::new(Memory::new()).name(name.clone());
            Output { filter: filter_of(name), ..output }
        };
        let mut builder = builder();
        builder.statics = program.statics.clone();
        builder.outputs = outputs.iter().map(stand_in).collect();
        builder.max_line_bytes = program.max_line_bytes;
        builder.secrets = program.secrets.clone();
        builder
    }

    pub(crate) fn static_fields(&self) -> &[(String, OwnedValue)] {
        &self.statics.fields
    }

    /// Returns the global filter as a log that starts now would have it. `variable`: the one that overrides it.
    ///
    /// # Errors
    /// A directive has a mistake.
    pub(crate) fn global_filter(self, variable: Option<&str>) -> Result<GlobalFilter, Error> {
        let is_set = |name: &&str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
        let set = variable.filter(is_set).map(str::to_owned);
        let variable = set.clone().map_or(Variable::Ignored, Variable::Named);
        let (directives, source, _) = FilterSettings { variable, ..self.filters }.global()?;
        Ok(GlobalFilter { directives, variable: set, source })
    }

    /// Takes out the output with this name; the sink's own name counts where none was set.
    pub(crate) fn take_output(&mut self, name: &str) -> Option<Output> {
        let at = self.outputs.iter().position(|output| output.name.as_ref().unwrap_or(&output.profile.name) == name)?;
        Some(self.outputs.remove(at))
    }

    pub(crate) fn watches(mut self, watches: bool) -> Self {
        self.configured().watches = watches;
        self
    }

    /// Returns what is wrong with the settings of the whole log, each with its key. Nothing is opened.
    pub(crate) fn mistakes(&self) -> Vec<(&'static str, Error)> {
        let mut mistakes = Vec::new();
        let mut check = |key, result: Result<(), Error>| mistakes.extend(result.err().map(|error| (key, error)));
        let max_line_bytes = self.max_line_bytes.within("max_line_bytes", MIN_LINE_BYTES, MAX_LINE_BYTES);
        let bytes = max_line_bytes.as_ref().copied().unwrap_or(usize::MAX);
        check("max_line_bytes", max_line_bytes.map(drop));
        check(
            "static_fields",
            StaticFields::new(self.statics.clone(), self.secrets.redact.rules().as_ref(), bytes).map(drop),
        );
        #[cfg(feature = "sealed")]
        check("seal_fields", self.secrets.seal.check());
        check("rate_limit", self.rate_limits.limiter().map(drop));
        check("output", different_paths(&self.outputs).map(drop));
        if self.outputs.len() > MAX_OUTPUTS {
            let outputs = self.outputs.len();
            check("output", Err(Error::invalid(format!("{outputs} outputs; expected at most {MAX_OUTPUTS}"))));
        }
        #[cfg(all(unix, feature = "signals"))]
        check("reopen_on_sighup", self.integrations.signals.check());
        mistakes
    }

    pub(crate) fn redact_settings(&self) -> Redact {
        self.secrets.redact.clone()
    }

    /// Returns what `shutdown_timeout` has set.
    pub(crate) fn shutdown_waits(&self) -> (Duration, Duration) {
        (self.deadlines.timeout, self.deadlines.cap)
    }

    pub(crate) fn takes_log(mut self, takes: bool) -> Self {
        self.integrations.log = takes;
        self
    }

    #[cfg(feature = "opentelemetry")]
    pub(crate) fn takes_opentelemetry(mut self, takes: bool) -> Self {
        self.integrations.opentelemetry = takes;
        self
    }
}

#[cfg(all(unix, feature = "signals"))]
impl Builder {
    pub(crate) fn flushes_on_signals(mut self, flushes: bool) -> Self {
        self.integrations.signals.end = flushes;
        self
    }

    pub(crate) fn flushes_on_sighup(mut self, flushes: bool) -> Self {
        self.integrations.signals.end_at_hangup = flushes;
        self
    }

    pub(crate) fn reloads_on_sighup(mut self, reloads: bool) -> Self {
        self.integrations.signals.reload = reloads;
        self
    }

    pub(crate) fn reopens_on_sighup(mut self, reopens: bool) -> Self {
        self.integrations.signals.reopen = reopens;
        self
    }
}

impl Output {
    /// Returns what is wrong with the settings, each with its key. Nothing is opened.
    pub(crate) fn mistakes(&self) -> Vec<(&'static str, Error)> {
        let size = self.queue_bytes.within("queue_bytes", MIN_QUEUE_BYTES, MAX_QUEUE_BYTES).map(drop);
        let filter = self.filter.clone().and_then(|filter| filter.parse().ok());
        let bound = check_bound(filter.as_ref(), self.below);
        let wait = match self.synchronous {
            Some(wait) if wait.is_zero() => Err(Error::invalid("synchronous is zero; expected a longer wait")),
            _ => Ok(()),
        };
        let all = [("queue_bytes", size), ("below", bound), ("synchronous", wait)];
        all.into_iter().filter_map(|(key, result)| Some((key, result.err()?))).collect()
    }

    /// Takes the own filter.
    ///
    /// # Errors
    /// A directive has a mistake.
    pub(crate) fn parsed_filter(self) -> Result<Option<Directives>, Error> {
        self.filter.map(FilterSetting::parse).transpose()
    }

    pub(crate) fn prefixes(mut self, when: Option<JournalPrefix>) -> Self {
        self.journal_prefix = when;
        self
    }

    pub(crate) fn deduplicates(mut self, deduplicates: bool) -> Self {
        self.deduplicates = deduplicates;
        self
    }

    pub(crate) fn strips_ansi(mut self, strips: bool) -> Self {
        self.strips_ansi = strips;
        self
    }

    #[cfg(feature = "sealed")]
    pub(crate) fn unseals_fields(mut self, unseals: bool) -> Self {
        self.unseals = unseals;
        self
    }
}
