//! From settings to a running log: checks them, starts the outputs, makes the layer and installs it.

use std::sync::Arc;

use tracing::level_filters::LevelFilter;
use tracing::{Dispatch, Subscriber};
use tracing_subscriber::layer::{Layer as _, SubscriberExt};
use tracing_subscriber::registry::LookupSpan;

use super::builder::Builder;
use super::change::OutputFilters;
use super::early::Early;
use super::install;
#[cfg(feature = "log")]
use super::log_crate;
use super::output::Output;
use super::start;
#[cfg(feature = "config")]
use crate::control::Started;
#[cfg(all(unix, feature = "signals"))]
use crate::control::signals;
use crate::control::{Guard, StaticFields};
use crate::error::Error;
use crate::filter::{self, CallsiteFilter, Filters};
#[cfg(feature = "opentelemetry")]
use crate::layer::Otel;
use crate::layer::{self, Core, Layer};
use crate::limit::Share;
use crate::outputs::Outputs;
use crate::schema::Console;
use crate::sink::{Sink, Stdout};
use crate::worker::{Common, Lane};

/// The mask of outputs has this many bits.
pub(crate) const MAX_OUTPUTS: usize = 64;

/// A shorter line could not hold the log's own keys.
pub(super) const MIN_LINE_BYTES: u64 = 256;
/// A record's offsets have 32 bits.
pub(super) const MAX_LINE_BYTES: u64 = 1 << 30;

impl Builder {
    /// Starts the log and returns its layer, for your own registry.
    ///
    /// The layer can be wrapped in `Option`, boxed and filtered like any other, and installed for a scope. The log ends
    /// when the guard is dropped, or with the process.
    ///
    /// # Errors
    /// A directive is bad, a limit is out of bounds, two outputs have the same name or the same file, or a sink cannot
    /// be opened; its path and the cause are in the error.
    pub fn build<S>(self) -> Result<(impl tracing_subscriber::Layer<S> + use<S>, Guard), Error>
    where
        S: Subscriber + for<'a> LookupSpan<'a>,
    {
        #[cfg(feature = "config")]
        let this = self.complete_settings()?;
        #[cfg(not(feature = "config"))]
        let this = self;
        this.build_complete()
    }

    fn build_complete<S>(self) -> Result<(impl tracing_subscriber::Layer<S> + use<S>, Guard), Error>
    where
        S: Subscriber + for<'a> LookupSpan<'a>,
    {
        if self.integrations.early.is_some() {
            return Err(Error::invalid(
                "early events are those of the global subscriber, which `build` does not install; call `init`, or remove \
                 `early`",
            ));
        }
        let (layer, filter, guard) = self.start(None)?;
        filter::ask_all_subscribers();
        guard.complain_of_levels();
        Ok((layer.with_filter(filter), guard))
    }

    /// Starts the log and installs it for the whole process: as the global subscriber, and for the records of the `log`
    /// crate.
    ///
    /// Keep the guard until the end of `main`: the log ends when it is dropped, or with the process. After that, a
    /// thread that logs writes its own line.
    ///
    /// # Errors
    /// As [`build`](Self::build). Also if a global subscriber or a logger is already installed; no file is then opened.
    pub fn init(self) -> Result<Guard, Error> {
        #[cfg(feature = "config")]
        let this = self.complete_settings()?;
        #[cfg(not(feature = "config"))]
        let this = self;
        this.init_complete()
    }

    fn init_complete(mut self) -> Result<Guard, Error> {
        if let Some(early) = self.integrations.early.take() {
            self.read_environment();
            return self.complete(&early);
        }
        install::check_vacant(self.integrations.log)?;
        self.read_environment();
        #[cfg(feature = "log")]
        let (takes_log, max_bytes) = (self.integrations.log, self.max_line_bytes.as_u64());
        let (layer, filter, guard) = self.start(None)?;
        #[cfg(feature = "log")]
        let filters = Arc::clone(&filter.filters);
        // No other layer can be in this registry, so the filter applies to all of it: a per-layer filter looks up each span
        // that is entered or left.
        let dispatch = Dispatch::new(tracing_subscriber::registry().with(layer).with(filter));
        #[cfg(feature = "log")]
        if takes_log {
            log_crate::install(&filters, usize::try_from(max_bytes).unwrap_or(usize::MAX))?;
        }
        install::set_subscriber(dispatch)?;
        #[cfg(feature = "log")]
        if takes_log {
            filters.serve_log();
        }
        guard.complain_of_levels();
        #[cfg(not(feature = "control"))]
        if std::env::var_os("SPANLINE_CONTROL").is_some_and(|value| !value.is_empty() && value != "off") {
            let text = "SPANLINE_CONTROL has no effect: the program is built without the feature `control` of spanline";
            guard.complain("control socket", text);
        }
        Ok(guard)
    }

    /// Sets what `init` has by default and `build` has not.
    fn read_environment(&mut self) {
        self.filters.read_from("RUST_LOG");
        self.diagnostics.log_panics.get_or_insert(true);
        #[cfg(feature = "control")]
        self.integrations.control.get_or_insert(true);
    }

    /// Starts the log, and makes it serve what `early` has installed.
    pub(super) fn complete(self, early: &Early) -> Result<Guard, Error> {
        if !self.integrations.log {
            return Err(Error::invalid(
                "without_log comes too late: `early` has already installed the logger; remove one of them",
            ));
        }
        let (layer, _, guard) = self.start(Some(early))?;
        early.layer.complete(layer);
        guard.complain_of_levels();
        Ok(guard)
    }

    /// `early`: what was installed before, whose serial and filters the log takes over.
    fn start(mut self, early: Option<&Early>) -> Result<(Layer, CallsiteFilter, Guard), Error> {
        let context_level = self.filters.context_level;
        #[cfg(feature = "config")]
        let filter_variable = self.filters.variable();
        let (global, filter_source, wrong_variable) = self.filters.global()?;
        let max_line_bytes = self.max_line_bytes.within("max_line_bytes", MIN_LINE_BYTES, MAX_LINE_BYTES)?;
        #[cfg(feature = "config")]
        let has_default_output = self.outputs.is_empty();
        if self.outputs.is_empty() {
            self.outputs.push(default_output());
        }
        if self.outputs.len() > MAX_OUTPUTS {
            return Err(Error::invalid(format!("{} outputs; expected at most {MAX_OUTPUTS}", self.outputs.len())));
        }
        start::check_paths(&self.outputs)?;
        let limiter = self.rate_limits.limiter()?;
        let log_panics = self.diagnostics.log_panics == Some(true);
        let backtrace = self.diagnostics.backtrace;
        self.statics.backtraces = (log_panics || backtrace != LevelFilter::OFF).then_some(backtrace);
        self.statics.holds_back = self.diagnostics.flight_recorder.is_some();
        let (extras, held) = self.diagnostics.extras()?;
        let complaints = Arc::new(self.complaints);
        let rules = self.secrets.redact.rules();
        let statics = StaticFields::new(self.statics, rules.as_ref(), max_line_bytes)?;
        #[cfg(feature = "sealed")]
        let sealed = Arc::new(self.secrets.seal.fields(&self.secrets.redact)?);
        #[cfg(feature = "sealed")]
        let statics = statics.sealing(&sealed)?;
        let smallest_queue = self.outputs.iter().map(Output::queue_size).min().unwrap_or(Output::DEFAULT_QUEUE_BYTES);
        let smallest_queue = usize::try_from(smallest_queue).unwrap_or(usize::MAX);
        let uses_local_time = self.outputs.iter().any(Output::uses_local_time);
        let wants_thread = self.outputs.iter().any(Output::wants_thread);
        let mut filters = filter::FilterSet {
            global,
            outputs: Vec::new(),
            below: Vec::new(),
            own_targets: Vec::new(),
            context_level,
            held_back: held,
        };
        let mut lanes: Vec<Arc<Lane>> = Vec::new();
        let common = Common {
            max_line_bytes,
            statics: Arc::clone(statics.shared()),
            clock: self.clock.clone(),
            complaints: Arc::clone(&complaints),
            evidence: Arc::default(),
            rules: rules.clone(),
            #[cfg(feature = "sealed")]
            sealed,
            held: extras.held_lines.clone(),
        };
        let started: Result<(), Error> = self.outputs.into_iter().try_for_each(|mut output| {
            let name = output.name_among(&lanes.iter())?;
            let OutputFilters { own, below, own_targets } = output.take_filters(&name)?;
            filters.put(lanes.len(), own, below, &own_targets);
            let limit = limiter.clone().map(|limiter| Share { limiter, place: lanes.len() });
            lanes.push(output.start(name, limit, Vec::new(), &common)?);
            Ok(())
        });
        let state = filters;
        let filters = early.map_or_else(
            || Arc::new(Filters::new(state.clone(), Arc::clone(&complaints))),
            |early| Arc::clone(&early.filters),
        );
        // Workers run already: if a later output fails, dropping the guard ends them.
        #[cfg(feature = "opentelemetry")]
        let for_otel = Arc::clone(&complaints);
        let outputs = Arc::new(Outputs::new(lanes, max_line_bytes.min(smallest_queue / 2), wants_thread));
        let guard = Guard::new(self.deadlines, complaints, Arc::clone(&outputs));
        started?;
        if early.is_some() {
            filters.change(|filters| *filters = state.clone());
        }
        if let Some(wrong) = wrong_variable {
            guard.complain("filter variable", &wrong);
        }
        #[cfg(feature = "config")]
        for note in &self.integrations.configured.notes {
            guard.complain("configuration", note);
        }
        #[cfg(feature = "sealed")]
        if let Some(mistake) = self.secrets.seal.mistake(rules.as_deref()) {
            guard.complain("sealed fields", &mistake);
        }
        start::complain_of_time_zone(&guard, uses_local_time);
        #[cfg(all(unix, feature = "signals"))]
        signals::watch(self.integrations.signals)?;
        let core = Arc::new(Core {
            serial: early.map_or_else(Core::next_serial, |early| early.layer.serial()),
            outputs,
            filters: Arc::clone(&filters),
            clock: self.clock,
            ids: self.ids,
            limiter,
            #[cfg(feature = "opentelemetry")]
            otel: self.integrations.opentelemetry.then(|| Otel::new(for_otel)),
            redact: rules,
            diagnostics: extras,
            registry: layer::HostRegistry::default(),
        });
        #[cfg(feature = "config")]
        let configuration = self.integrations.configured.running.inspect(|running| {
            running.started(Started {
                outputs: core.outputs.lanes().iter().map(|lane| lane.name.clone()).collect(),
                has_default_output,
                filter_variable,
                forces_filter: self.integrations.configured.forces_filter,
                forced_fields: self.integrations.configured.forced_fields,
            });
        });
        guard.control(
            &core,
            statics,
            common,
            &filter_source,
            #[cfg(feature = "config")]
            configuration,
        );
        #[cfg(feature = "config")]
        if self.integrations.configured.watches {
            guard.handle().configuration()?.watch(guard.weak())?;
        }
        #[cfg(feature = "control")]
        if self.integrations.control == Some(true) {
            open_control(&guard);
        }
        if log_panics {
            layer::listen(&core);
        }
        let layer = Layer::new(core);
        let filter = layer.call_site_filter();
        Ok((layer, filter, guard))
    }
}

#[cfg(all(unix, feature = "control"))]
fn open_control(guard: &Guard) {
    guard.handle().open_control();
}

#[cfg(all(not(unix), feature = "control"))]
fn open_control(guard: &Guard) {
    guard
        .complain("control socket", "no control socket: it is not available on this system, which has no Unix sockets");
}

/// Returns the output of a log without any.
pub(crate) fn default_output() -> Output {
    standard(Stdout::new())
}

/// Returns an output to a standard stream: with the schema `Console` if it is a terminal.
pub(super) fn standard(stream: impl Sink) -> Output {
    let is_terminal = stream.profile().is_terminal;
    let output = Output::new(stream);
    if is_terminal { output.schema(Console::new()) } else { output }
}
