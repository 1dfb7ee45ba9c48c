//! The filters of a log by their sources: what is configured, and what control has set over it for a time.
//!
//! [`FilterControl`](super::filter_control::FilterControl) keeps the state, and applies it to the filters of the layer.

use std::collections::BTreeMap;
use std::time::Instant;

use tracing::level_filters::LevelFilter;

use super::by::By;
use crate::filter::{Directives, FilterSet};
use crate::values::Timestamp;

/// More details at once are refused: each makes enabled call sites ask about their spans.
#[cfg(all(unix, feature = "control"))]
pub(super) const MAX_DETAILS: usize = 16;

/// The filters of a log. Outputs are known by name.
#[derive(Clone, Debug)]
pub(super) struct FilterState {
    pub(super) global: Scope,
    pub(super) outputs: BTreeMap<String, Scope>,
    /// Directives for events inside some spans, over the global filter.
    pub(super) details: Vec<Held>,
}

/// The filter of the whole log, or of an output.
#[derive(Clone, Debug, Default)]
pub(super) struct Scope {
    pub(super) configured: Option<Directives>,
    /// Where it is configured.
    pub(super) source: String,
    /// What is in force in its place.
    pub(super) control: Option<Held>,
}

/// What control has set.
#[derive(Clone, Debug)]
pub(super) struct Held {
    pub(super) directives: Directives,
    pub(super) by: By,
    pub(super) until: Option<Until>,
}

/// When something reverts.
#[derive(Clone, Copy, Debug)]
pub(super) struct Until {
    pub(super) at: Instant,
    /// The same for people.
    pub(super) time: Timestamp,
}

/// What has reverted.
#[derive(Debug)]
pub(super) struct Reverted {
    pub(super) output: Option<String>,
    pub(super) held: Held,
    /// It was a detail. Otherwise, this is the filter in force now.
    pub(super) now: Option<String>,
}

impl Scope {
    /// Returns the filter in force, without details.
    pub(super) fn active(&self) -> Option<&Directives> {
        self.control.as_ref().map(|held| &held.directives).or(self.configured.as_ref())
    }

    /// Takes what has passed its time.
    fn take_due(&mut self, now: Instant) -> Option<Held> {
        self.control.take_if(|held| held.is_due(now))
    }
}

impl Held {
    fn is_due(&self, now: Instant) -> bool {
        self.until.is_some_and(|until| until.at <= now)
    }
}

impl FilterState {
    /// Returns the scope of the whole log, or of an output, which is added with what is in force.
    pub(super) fn scope(&mut self, output: Option<&str>, in_force: impl FnOnce() -> Option<Directives>) -> &mut Scope {
        match output {
            None => &mut self.global,
            Some(name) => self.outputs.entry(name.to_owned()).or_insert_with(|| Scope {
                configured: in_force(),
                source: "configuration".to_owned(),
                control: None,
            }),
        }
    }

    /// Writes the filters in force. `bit`: finds an output by its name.
    pub(super) fn apply(&self, filters: &mut FilterSet, bit: impl Fn(&str) -> Option<usize>) {
        filters.global = self.global.active().map(|global| self.detailed(global.clone()));
        for (name, scope) in &self.outputs {
            let own = bit(name).and_then(|bit| filters.outputs.get_mut(bit));
            own.into_iter().for_each(|own| *own = self.own(scope));
        }
    }

    /// Returns the filter of an output. Without any filter, the details are over INFO.
    pub(super) fn own(&self, scope: &Scope) -> Option<Directives> {
        let is_bare = self.global.active().is_none() && !self.details.is_empty();
        match scope.active() {
            None if is_bare => Some(self.detailed(Directives::from(LevelFilter::INFO))),
            own => own.cloned(),
        }
    }

    /// Returns the global filter as text.
    pub(super) fn global_text(&self) -> String {
        let info = || Directives::from(LevelFilter::INFO);
        self.detailed(self.global.active().cloned().unwrap_or_else(info)).to_string()
    }

    fn detailed(&self, base: Directives) -> Directives {
        self.details.iter().fold(base, |base, held| base.with_context_of(&held.directives))
    }

    /// Returns when the next one reverts.
    pub(super) fn next_due(&self) -> Option<Instant> {
        let scopes = self.outputs.values().chain([&self.global]).filter_map(|scope| scope.control.as_ref());
        scopes.chain(&self.details).filter_map(|held| held.until).map(|until| until.at).min()
    }

    /// Takes out everything that has passed its time.
    pub(super) fn take_due(&mut self, now: Instant) -> Vec<Reverted> {
        let mut reverted: Vec<_> = self.details.extract_if(.., |held| held.is_due(now)).map(detail).collect();
        if let Some(held) = self.global.take_due(now) {
            reverted.push(Reverted { output: None, held, now: Some(self.global_text()) });
        }
        for (name, scope) in &mut self.outputs {
            if let Some(held) = scope.take_due(now) {
                reverted.push(Reverted { output: Some(name.clone()), held, now: Some(text_of(scope)) });
            }
        }
        reverted
    }
}

fn detail(held: Held) -> Reverted {
    Reverted { output: None, held, now: None }
}

/// Returns the filter of an output as text.
pub(super) fn text_of(scope: &Scope) -> String {
    scope.active().map_or_else(|| "none".to_owned(), Directives::to_string)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tracing::Level;

    use super::*;
    use crate::filter::parse_leniently;

    fn parse(text: &str) -> Directives {
        parse_leniently(text).directives
    }

    fn held(text: &str, until: Option<Instant>) -> Held {
        let until = until.map(|at| Until { at, time: Timestamp::default() });
        Held { directives: parse(text), by: By::Program, until }
    }

    fn state(global: Option<&str>) -> FilterState {
        let scope = |text: Option<&str>| Scope { configured: text.map(parse), ..Scope::default() };
        let outputs = [("a", None), ("b", Some("warn"))].map(|(name, own)| (name.to_owned(), scope(own)));
        FilterState { global: scope(global), outputs: outputs.into(), details: Vec::new() }
    }

    fn applied(state: &FilterState) -> [Option<String>; 3] {
        let mut filters = FilterSet {
            global: None,
            outputs: vec![None, None],
            below: Vec::new(),
            own_targets: Vec::new(),
            context_level: LevelFilter::INFO,
            held_back: None,
        };
        state.apply(&mut filters, |name| ["a", "b"].iter().position(|known| *known == name));
        let text = |directives: &Option<Directives>| directives.as_ref().map(Directives::to_string);
        [text(&filters.global), text(&filters.outputs[0]), text(&filters.outputs[1])]
    }

    #[test]
    fn what_control_sets_masks_what_is_configured_until_it_reverts() {
        let (mut state, now) = (state(Some("info")), Instant::now());
        state.global.control = Some(held("debug", Some(now + Duration::from_secs(1))));
        state.outputs.get_mut("b").unwrap().control = Some(held("error", None));
        assert_eq!(applied(&state), [Some("debug".into()), None, Some("error".into())]);
        state.global.configured = Some(parse("warn"));
        assert_eq!(applied(&state)[0], Some("debug".into()));
        assert!(state.take_due(now).is_empty() && state.next_due().is_some());
        let reverted = state.take_due(now + Duration::from_secs(1));
        assert_eq!(reverted[0].now.as_deref(), Some("warn"));
        assert_eq!(applied(&state), [Some("warn".into()), None, Some("error".into())]);
        assert_eq!(state.next_due(), None);
    }

    #[test]
    fn detail_is_over_the_filter_in_force_and_changes_nothing_else() {
        let mut state = state(Some("warn"));
        state.details.push(held("[{id=1}]=debug", None));
        assert_eq!(applied(&state), [Some("warn,[{id=1}]=debug".into()), None, Some("warn".into())]);
        state.global.control = Some(held("error", None));
        assert_eq!(state.global_text(), "error,[{id=1}]=debug");
        // Without a global filter, outputs have INFO or their own filter, as before.
        state.global = Scope::default();
        assert_eq!(applied(&state), [None, Some("info,[{id=1}]=debug".into()), Some("warn".into())]);
        assert!(parse("info").enables("x", Level::INFO));
    }
}
