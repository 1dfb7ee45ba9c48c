//! Which call sites are seen, and by which outputs; replaceable while the program runs.
//!
//! Directives are those of [`Targets`]: `info,orders::db=debug,hyper=off`. An event goes to an output when the global
//! filter and the output's own filter let it pass. The layer caches the result for a call site under a
//! [generation](Filters::generation) that each change increments, so no event takes a lock.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

use arc_swap::ArcSwap;
use tracing::level_filters::LevelFilter;
use tracing::subscriber::{Interest, NoSubscriber};
use tracing::{Dispatch, Level, Metadata, dispatcher};
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::{Context, Filter};

use crate::context::is_hidden;
use crate::error::Error;
use crate::sync;

/// Spans with one of these fields pass on an id.
pub(crate) const ID_FIELDS: [&str; 3] = ["request_id", "trace_id", "traceparent"];

/// Parses directives.
///
/// # Errors
/// Names the first bad directive.
pub(crate) fn parse(text: &str) -> Result<Targets, Error> {
    let (targets, bad) = parse_leniently(text);
    match bad.first() {
        Some((directive, why)) => Err(Error::invalid(format!("filter directive `{directive}`: {why}"))),
        None => Ok(targets),
    }
}

/// Parses directives and skips bad ones, which are returned with the reason.
pub(crate) fn parse_leniently(text: &str) -> (Targets, Vec<(String, String)>) {
    let mut bad = Vec::new();
    let mut good = Vec::new();
    for directive in text.split(',').map(str::trim).filter(|directive| !directive.is_empty()) {
        match check(directive) {
            Ok(()) => good.push(directive),
            Err(why) => bad.push((directive.to_owned(), why)),
        }
    }
    // `Targets` parses an empty text as ERROR.
    let targets = if good.is_empty() { Targets::new() } else { good.join(",").parse().unwrap_or_default() };
    (targets, bad)
}

fn check(directive: &str) -> Result<(), String> {
    if directive.contains(['[', ']', '{', '}']) {
        return Err("span and field directives are not supported; expected target=level".to_owned());
    }
    if directive.contains(char::is_whitespace) {
        return Err("it contains white space; expected target=level".to_owned());
    }
    match directive.split_once('=') {
        Some((target, level)) if target.is_empty() || level.is_empty() => Err("expected target=level".to_owned()),
        _ => directive.parse::<Targets>().map(|_| ()).map_err(|error| error.to_string()),
    }
}

/// The filters in force.
#[derive(Clone, Debug)]
pub(crate) struct FilterSet {
    /// Applies to all outputs. Without it, an output without its own filter gets INFO and above.
    pub(crate) global: Option<Targets>,
    /// Each output's own filter.
    pub(crate) outputs: Vec<Option<Targets>>,
    /// For each output, the targets of its sink's own client library.
    pub(crate) own_targets: Vec<Vec<String>>,
    /// Spans with an id field are seen up to this level even if no output wants their events.
    pub(crate) context_level: LevelFilter,
    /// What is held back from outputs that do not want it, and the level whose events release it.
    pub(crate) held_back: Option<(Targets, Level)>,
}

impl FilterSet {
    /// Returns the outputs from which events of this target and level are held back: those that do not want them, but
    /// would get the event that releases them.
    fn held_back_mask(&self, target: &str, level: Level) -> u64 {
        match &self.held_back {
            Some((held_back, release)) if held_back.would_enable(target, &level) => {
                self.mask(target, *release) & !self.mask(target, level)
            }
            _ => 0,
        }
    }

    /// Returns the most verbose level of which some event is written or held back.
    fn max_event_level(&self) -> LevelFilter {
        let wanted = self.max_level();
        match &self.held_back {
            Some((held_back, _)) if wanted != LevelFilter::OFF => wanted.max(max_level(held_back)),
            _ => wanted,
        }
    }

    /// Returns the outputs that want events of this target and level, one bit for each.
    fn mask(&self, target: &str, level: Level) -> u64 {
        if self.global.as_ref().is_some_and(|global| !global.would_enable(target, &level)) {
            return 0;
        }
        let wants = |own: &Option<Targets>| match own {
            Some(own) => own.would_enable(target, &level),
            None => self.global.is_some() || level <= Level::INFO,
        };
        let is_own =
            |bit: usize| self.own_targets.get(bit).is_some_and(|own| own.iter().any(|own| covers(own, target)));
        let wanting = self.outputs.iter().enumerate().filter(|(bit, own)| wants(own) && !is_own(*bit));
        wanting.fold(0, |mask, (bit, _)| mask | 1 << bit)
    }

    /// Returns the most verbose level of which some event passes.
    fn max_level(&self) -> LevelFilter {
        let global = self.global.as_ref().map(max_level);
        let own = |own: &Option<Targets>| match (own, global) {
            (Some(own), Some(global)) => max_level(own).min(global),
            (Some(own), None) => max_level(own),
            (None, global) => global.unwrap_or(LevelFilter::INFO),
        };
        self.outputs.iter().map(own).max().unwrap_or(LevelFilter::OFF)
    }
}

/// Whether `target` is `path` or a module below it.
fn covers(path: &str, target: &str) -> bool {
    target.strip_prefix(path).is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
}

fn max_level(targets: &Targets) -> LevelFilter {
    let default = targets.default_level().unwrap_or(LevelFilter::OFF);
    targets.iter().map(|(_, level)| level).max().unwrap_or(LevelFilter::OFF).max(default)
}

/// The filters of one layer, shared with its handles.
#[derive(Debug)]
pub(crate) struct Filters {
    filters: ArcSwap<FilterSet>,
    generation: AtomicU64,
    /// Whether this layer serves the `log` crate, whose level then follows.
    serves_log: std::sync::atomic::AtomicBool,
}

/// Numbers the generations of all layers, so that a result cached for one layer never serves another.
fn next_generation() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

/// Allows one change at a time. Of two concurrent rebuilds, the one with the older result could be the last to store it.
pub(crate) fn hold_changes() -> MutexGuard<'static, ()> {
    static CHANGING: Mutex<()> = Mutex::new(());
    sync::lock(&CHANGING)
}

impl Filters {
    pub(crate) fn new(filters: FilterSet) -> Self {
        Self {
            filters: ArcSwap::from_pointee(filters),
            generation: AtomicU64::new(next_generation()),
            serves_log: false.into(),
        }
    }

    /// Returns a number that changes with each change of a filter. It is unique among all layers of the process.
    #[inline]
    pub(crate) fn generation(&self) -> u64 {
        self.generation.load(Ordering::Acquire)
    }

    /// Returns the outputs that want events of this target and level, one bit for each.
    pub(crate) fn mask(&self, target: &str, level: Level) -> u64 {
        self.filters.load().mask(target, level)
    }

    /// Returns the outputs from which events of this target and level are held back, one bit for each.
    pub(crate) fn held_back_mask(&self, target: &str, level: Level) -> u64 {
        self.filters.load().held_back_mask(target, level)
    }

    /// Returns whether events of this target and level are written or held back.
    #[cfg(feature = "log")]
    pub(crate) fn wants_events(&self, target: &str, level: Level) -> bool {
        let filters = self.filters.load();
        filters.mask(target, level) != 0 || filters.held_back_mask(target, level) != 0
    }

    /// Returns whether the layer wants to see the call site.
    fn wants(&self, meta: &Metadata<'_>) -> bool {
        let filters = self.filters.load();
        filters.mask(meta.target(), *meta.level()) != 0
            || (meta.is_event() && filters.held_back_mask(meta.target(), *meta.level()) != 0)
            || (is_hidden(meta) && filters.max_level() != LevelFilter::OFF)
            || (meta.is_span()
                && *meta.level() <= filters.context_level
                && filters.max_level() != LevelFilter::OFF
                && meta.fields().iter().any(|field| ID_FIELDS.contains(&field.name())))
    }

    /// Changes filters for all events that begin after this returns.
    pub(crate) fn change(&self, change: impl Fn(&mut FilterSet)) {
        let _changing = hold_changes();
        self.filters.rcu(|filters| {
            let mut filters = FilterSet::clone(filters);
            change(&mut filters);
            Arc::new(filters)
        });
        self.generation.store(next_generation(), Ordering::Release);
        self.rebuild_interests();
        if self.serves_log.load(Ordering::Relaxed) {
            self.serve_log();
        }
    }

    /// Makes tracing ask again which call sites are wanted.
    fn rebuild_interests(&self) {
        let is_ours = |current: &Dispatch| {
            current.downcast_ref::<CallsiteFilter>().is_some_and(|filter| std::ptr::eq(Arc::as_ptr(&filter.0), self))
        };
        if !dispatcher::get_default(is_ours) {
            // While the process has only one subscriber, tracing asks the calling thread's. If the layer is installed for a
            // scope on another thread, this thread has none, which would silence every call site. Once a second
            // subscriber has been registered, tracing asks all of them.
            drop(Dispatch::new(NoSubscriber::new()));
        }
        tracing::callsite::rebuild_interest_cache();
    }

    /// Sets the most verbose level of which the `log` crate makes records, now and after each change.
    pub(crate) fn serve_log(&self) {
        self.serves_log.store(true, Ordering::Relaxed);
        #[cfg(feature = "log")]
        log::set_max_level(tracing_log::AsLog::as_log(&self.filters.load().max_event_level()));
    }
}

/// Hides from the layer what none of its outputs wants, without silencing other layers.
#[derive(Debug)]
pub(crate) struct CallsiteFilter(pub(crate) Arc<Filters>);

impl<S> Filter<S> for CallsiteFilter {
    fn enabled(&self, meta: &Metadata<'_>, _: &Context<'_, S>) -> bool {
        self.0.wants(meta)
    }

    fn callsite_enabled(&self, meta: &'static Metadata<'static>) -> Interest {
        if self.0.wants(meta) { Interest::always() } else { Interest::never() }
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        let filters = self.0.filters.load();
        match filters.max_event_level() {
            LevelFilter::OFF => Some(LevelFilter::OFF),
            events => Some(events.max(filters.context_level)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filters(global: Option<&str>, outputs: &[Option<&str>]) -> FilterSet {
        let targets = |text: &str| parse(text).expect("good directives");
        FilterSet {
            global: global.map(targets),
            outputs: outputs.iter().map(|own| own.map(targets)).collect(),
            own_targets: Vec::new(),
            context_level: LevelFilter::INFO,
            held_back: None,
        }
    }

    #[test]
    fn detail_is_held_back_from_outputs_that_would_get_the_error() {
        let held_back = Some((parse("app=debug").expect("good directives"), Level::ERROR));
        let filters = FilterSet {
            held_back,
            ..filters(Some("trace,app::off=off"), &[Some("info"), Some("debug"), Some("off,audit=info")])
        };
        assert_eq!((filters.mask("app", Level::DEBUG), filters.held_back_mask("app", Level::DEBUG)), (0b010, 0b001));
        assert_eq!(filters.held_back_mask("app", Level::TRACE), 0, "not asked for");
        assert_eq!(filters.held_back_mask("app", Level::INFO), 0, "wanted, or nothing to do with that output");
        assert_eq!(
            (filters.held_back_mask("db", Level::DEBUG), filters.held_back_mask("app::off", Level::DEBUG)),
            (0, 0)
        );
        assert_eq!(filters.max_event_level(), LevelFilter::DEBUG);
        let off = FilterSet { held_back: filters.held_back, ..self::filters(Some("off"), &[None]) };
        assert_eq!(off.max_event_level(), LevelFilter::OFF);
    }

    #[test]
    fn an_event_passes_the_global_filter_and_the_outputs_own() {
        let filters = filters(Some("info,db=debug,hyper=off"), &[None, Some("warn"), Some("trace")]);
        assert_eq!(filters.mask("app", Level::INFO), 0b101);
        assert_eq!(filters.mask("app", Level::WARN), 0b111);
        assert_eq!(filters.mask("app", Level::DEBUG), 0);
        assert_eq!(filters.mask("db::pool", Level::DEBUG), 0b101);
        assert_eq!(filters.mask("hyper::client", Level::ERROR), 0);
        assert_eq!(filters.max_level(), LevelFilter::DEBUG);
    }

    #[test]
    fn without_a_global_filter_an_output_has_its_own_or_info() {
        let filters = filters(None, &[None, Some("trace"), Some("off")]);
        assert_eq!(filters.mask("app", Level::INFO), 0b011);
        assert_eq!(filters.mask("app", Level::TRACE), 0b010);
        assert_eq!(filters.max_level(), LevelFilter::TRACE);
    }

    #[test]
    fn no_directive_means_no_level() {
        for text in ["", " , ", "nonsense=loud"] {
            let (targets, _) = parse_leniently(text);
            assert!(targets.default_level().is_none() && targets.iter().next().is_none(), "{text}");
        }
    }

    #[test]
    fn a_bad_directive_is_named() {
        for bad in ["orders=loud", "[span]=debug", "orders[{id}]=debug", "=info", "orders=", "a b=info", "a=b=info"] {
            let error = parse(&format!("info,{bad},db=debug")).expect_err(bad);
            assert!(error.is_invalid() && error.to_string().contains(bad), "{error}");
            let (targets, skipped) = parse_leniently(&format!("info,{bad},db=debug"));
            assert_eq!(skipped.len(), 1, "{bad}");
            assert!(targets.would_enable("db", &Level::DEBUG) && targets.would_enable("x", &Level::INFO));
        }
    }
}
