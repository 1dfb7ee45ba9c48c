//! The filters in force, and the outputs that they let an event pass to.

use tracing::level_filters::LevelFilter;
use tracing::{Level, Metadata};

use super::directives::Directives;
use super::grants;
use super::in_context::InContext;
use crate::context::Node;
use crate::error::Error;

/// The filters in force.
#[derive(Clone, Debug)]
pub(crate) struct FilterSet {
    /// Applies to all outputs. Without it, an output without its own filter gets INFO and above.
    pub(crate) global: Option<Directives>,
    /// Each output's own filter.
    pub(crate) outputs: Vec<Option<Directives>>,
    /// For each output, the level that is too severe for it, if it has an upper bound.
    pub(crate) below: Vec<Option<Level>>,
    /// For each output, the targets of its sink's own client library.
    pub(crate) own_targets: Vec<Vec<String>>,
    /// Spans are seen up to this level even if no output wants events of that level.
    pub(crate) context_level: LevelFilter,
    /// What is held back from outputs that do not want it, and the level whose events release it.
    pub(crate) held_back: Option<(Directives, Level)>,
}

impl FilterSet {
    /// Sets all filters of the output at a place.
    pub(crate) fn put(&mut self, place: usize, own: Option<Directives>, below: Option<Level>, own_targets: &[String]) {
        if self.outputs.len() <= place {
            self.outputs.resize_with(place + 1, || Some(Directives::from(LevelFilter::OFF)));
        }
        self.below.resize(self.below.len().max(place + 1), None);
        self.own_targets.resize(self.own_targets.len().max(place + 1), Vec::new());
        self.set_own(place, own);
        self.below.get_mut(place).into_iter().for_each(|at| *at = below);
        self.own_targets.get_mut(place).into_iter().for_each(|at| *at = own_targets.to_vec());
    }

    /// Sets the own filter of the output at a place.
    pub(crate) fn set_own(&mut self, place: usize, own: Option<Directives>) {
        if let Some(at) = self.outputs.get_mut(place) {
            *at = own;
        }
    }

    /// Returns the outputs from which events of this target and level are held back: those that do not want them, but
    /// would get the event that releases them.
    pub(super) fn held_back_mask(&self, target: &str, level: Level) -> u64 {
        match &self.held_back {
            Some((held_back, release)) if held_back.enables(target, level) => {
                self.mask(target, *release) & !self.mask(target, level)
            }
            _ => 0,
        }
    }

    /// Returns whether some such event is written or held back, in any span.
    #[cfg(feature = "log")]
    pub(super) fn wants_events(&self, target: &str, level: Level) -> bool {
        self.mask_in_any(target, level) != 0 || self.held_back_mask(target, level) != 0
    }

    /// Returns whether such events are written or held back, whatever span they are in.
    pub(super) fn is_wanted(&self, target: &str, level: Level) -> bool {
        self.mask(target, level) != 0 || self.held_back_mask(target, level) != 0
    }

    /// Returns whether spans of this target and level are seen, and so hand down their fields and ids.
    ///
    /// The outputs' own filters have no say: what a line inherits would else depend on the other outputs. `has_id`: the
    /// span has an id field.
    pub(super) fn sees_span(&self, target: &str, level: Level, has_id: bool) -> bool {
        let global = self.global.as_ref();
        let is_off = || !has_id && global.is_some_and(|global| global.turns_off(target));
        let passes = global.is_some_and(|global| global.enables(target, level));
        self.sees_any_span() && (passes || (level <= self.context_level && !is_off()))
    }

    /// Returns whether there are lines that could inherit something.
    pub(super) fn sees_any_span(&self) -> bool {
        self.max_level() != LevelFilter::OFF || self.in_context().next().is_some()
    }

    /// Returns the most verbose level that requests were granted. A log that sees no request grants nothing.
    fn most_granted(&self) -> LevelFilter {
        let most = grants::most_granted();
        if most == LevelFilter::OFF || self.sees_any_span() { most } else { LevelFilter::OFF }
    }

    /// Returns whether spans of this level are seen inside the spans of some directive of the global filter, or of some
    /// request that was granted detail.
    pub(super) fn sees_span_in_any(&self, target: &str, level: Level) -> bool {
        level <= self.most_granted()
            || self.global.as_ref().is_some_and(|global| global.enables_where(target, level, |_| true))
    }

    /// Returns whether such spans are seen inside `node`: at the level of a directive or of a grant.
    pub(super) fn sees_span_in(&self, target: &str, level: Level, node: &Node) -> bool {
        let is_inside = |directive: &InContext| node.is_inside(|node| directive.matches(node));
        node.is_granted_for(target, level)
            || self.global.as_ref().is_some_and(|global| global.enables_where(target, level, is_inside))
    }

    /// Returns whether a directive names spans of this call site.
    pub(super) fn names_span(&self, meta: &Metadata<'_>) -> bool {
        self.sees_any_span() && self.in_context().any(|directive| directive.names(meta))
    }

    /// Returns the most verbose level of which some span is seen.
    pub(super) fn max_span_level(&self) -> LevelFilter {
        match self.sees_any_span() {
            false => LevelFilter::OFF,
            true if self.in_context().any(|directive| directive.span.is_some()) => LevelFilter::TRACE,
            true => {
                let global = self.global.as_ref();
                let inside =
                    global.iter().flat_map(|global| global.in_context()).map(|directive| directive.level).max();
                let passing = global.map(Directives::max_level);
                self.context_level.max(self.most_granted()).max(inside.max(passing).unwrap_or(LevelFilter::OFF))
            }
        }
    }

    /// Returns the most verbose level of which some event is written or held back.
    pub(super) fn max_event_level(&self) -> LevelFilter {
        let inside = self.in_context().map(|directive| directive.level).max();
        let wanted = self.max_level();
        let wanted = inside.map_or(wanted, |inside| wanted.max(inside)).max(self.most_granted());
        match &self.held_back {
            Some((held_back, _)) if wanted != LevelFilter::OFF => wanted.max(held_back.max_level()),
            _ => wanted,
        }
    }

    /// Returns the outputs that want events of this target and level, one bit for each.
    pub(super) fn mask(&self, target: &str, level: Level) -> u64 {
        self.mask_where(target, level, false, |directives| directives.enables(target, level))
    }

    /// The same for events inside `node`.
    pub(super) fn mask_in(&self, target: &str, level: Level, node: &Node) -> u64 {
        let is_inside = |directive: &InContext| node.is_inside(|node| directive.matches(node));
        let is_granted = node.is_granted_for(target, level);
        self.mask_where(target, level, is_granted, |directives| directives.enables_where(target, level, is_inside))
    }

    /// Returns the outputs that want such events inside the spans of all directives, or in a request that was granted all
    /// that was ever granted.
    pub(super) fn mask_in_any(&self, target: &str, level: Level) -> u64 {
        let is_granted = level <= self.most_granted();
        self.mask_where(target, level, is_granted, |directives| directives.enables_where(target, level, |_| true))
    }

    /// Returns whether a directive or a grant lets events of this level pass inside some spans, of any target.
    pub(super) fn has_level_in_context(&self, level: Level) -> bool {
        level <= self.most_granted() || self.in_context().any(|directive| directive.enables(level))
    }

    /// Returns whether some events may pass inside some spans only.
    pub(super) fn has_context(&self) -> bool {
        self.most_granted() != LevelFilter::OFF || self.in_context().next().is_some()
    }

    /// Returns all directives for events inside some spans.
    pub(super) fn in_context(&self) -> impl Iterator<Item = &InContext> {
        let all = self.global.iter().chain(self.outputs.iter().flatten());
        all.flat_map(Directives::in_context)
    }

    /// `is_granted`: the event passes the global filter, or takes the place of one.
    fn mask_where(&self, target: &str, level: Level, is_granted: bool, enables: impl Fn(&Directives) -> bool) -> u64 {
        if !is_granted && self.global.as_ref().is_some_and(|global| !enables(global)) {
            return 0;
        }
        let wants = |own: &Option<Directives>| match own {
            Some(own) => enables(own),
            None => is_granted || self.global.is_some() || level <= Level::INFO,
        };
        let is_own =
            |bit: usize| self.own_targets.get(bit).is_some_and(|own| own.iter().any(|own| covers(own, target)));
        let is_too_severe =
            |bit: usize| self.below.get(bit).is_some_and(|below| below.is_some_and(|below| level <= below));
        let wants = |(bit, own): &(usize, &Option<Directives>)| wants(own) && !is_too_severe(*bit) && !is_own(*bit);
        let wanting = self.outputs.iter().enumerate().filter(wants);
        wanting.fold(0, |mask, (bit, _)| mask | 1 << bit)
    }

    /// Returns the most verbose level of which some event passes.
    pub(super) fn max_level(&self) -> LevelFilter {
        let global = self.global.as_ref().map(Directives::max_level);
        let own = |own: &Option<Directives>| match (own, global) {
            (Some(own), Some(global)) => own.max_level().min(global),
            (Some(own), None) => own.max_level(),
            (None, global) => global.unwrap_or(LevelFilter::INFO),
        };
        self.outputs.iter().map(own).max().unwrap_or(LevelFilter::OFF)
    }
}

/// Checks that a filter lets an event pass that is less severe than `below`, unless it is off.
///
/// # Errors
/// It lets none pass.
pub(crate) fn check_bound(own: Option<&Directives>, below: Option<Level>) -> Result<(), Error> {
    let Some(below) = below else { return Ok(()) };
    let most = own.map_or(LevelFilter::TRACE, Directives::max_level);
    if most == LevelFilter::OFF || most > LevelFilter::from(below) {
        return Ok(());
    }
    Err(Error::invalid(format!(
        "no event passes: the output takes levels below {below}, and its filter lets only {most} and above pass; raise \
         the level of `below`, or let `output_filter` pass more"
    )))
}

/// Whether `target` is `path` or a module below it.
pub(super) fn covers(path: &str, target: &str) -> bool {
    target.strip_prefix(path).is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
}

#[cfg(test)]
mod tests {
    use super::super::parse::parse;
    use super::*;

    fn filters(global: Option<&str>, outputs: &[Option<&str>]) -> FilterSet {
        let targets = |text: &str| parse(text).expect("good directives");
        FilterSet {
            global: global.map(targets),
            outputs: outputs.iter().map(|own| own.map(targets)).collect(),
            below: Vec::new(),
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
    fn an_upper_bound_keeps_severe_events_away() {
        let below = vec![Some(Level::WARN), None];
        let filters = FilterSet { below, ..filters(Some("debug"), &[None, Some("warn")]) };
        let masks = [Level::ERROR, Level::WARN, Level::INFO, Level::DEBUG].map(|level| filters.mask("app", level));
        assert_eq!(masks, [0b10, 0b10, 0b01, 0b01]);
    }

    #[test]
    fn spans_are_seen_whatever_the_outputs_take() {
        let outputs: [&[Option<&str>]; 4] =
            [&[None], &[Some("off,audit=info")], &[Some("error")], &[Some("error"), Some("trace")]];
        for outputs in outputs {
            let sees = |global, level| filters(global, outputs).sees_span("app", level, false);
            for (global, most) in [
                (None, Level::INFO),
                (Some("warn"), Level::INFO),
                (Some("off,audit=info"), Level::INFO),
                (Some("warn,app=debug"), Level::DEBUG),
            ] {
                assert!(sees(global, most), "{global:?} {outputs:?}");
                let beyond = if most == Level::INFO { Level::DEBUG } else { Level::TRACE };
                assert!(!sees(global, beyond), "{global:?} {outputs:?}");
            }
        }
        let off = filters(Some("info,app=off"), &[None]);
        assert!(!off.sees_span("app::db", Level::ERROR, false) && off.sees_span("app::db", Level::INFO, true));
        assert!(off.sees_span("other", Level::INFO, false));
        assert!(!filters(Some("off"), &[None]).sees_span("app", Level::ERROR, true), "no line could inherit");
        assert_eq!(filters(Some("warn,app=debug"), &[Some("error")]).max_span_level(), LevelFilter::DEBUG);
        assert_eq!(filters(None, &[Some("off")]).max_span_level(), LevelFilter::OFF);
    }

    #[test]
    fn without_a_global_filter_an_output_has_its_own_or_info() {
        let filters = filters(None, &[None, Some("trace"), Some("off")]);
        assert_eq!(filters.mask("app", Level::INFO), 0b011);
        assert_eq!(filters.mask("app", Level::TRACE), 0b010);
        assert_eq!(filters.max_level(), LevelFilter::TRACE);
    }
}
