//! Changes of filters while the log runs, and their end.
//!
//! What control sets masks what is configured, for the whole log or for one output, until it is reset or its time is
//! over. The thread `spanline-control` reverts it, and not a thread of the program.

use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use super::by::By;
use super::filter_state::{FilterState, Held, Reverted, Scope, Until, text_of};
use crate::error::Error;
use crate::filter::{Directives, FilterSet};
use crate::fork::{AtFork, Paused, Rank};
use crate::layer::Core;
use crate::record::FieldValue;
use crate::sync::{self, after};

/// The source of a filter that the program forces.
pub(crate) const FORCED: &str = "forced by the program";

/// The filters of one log by their sources.
#[derive(Debug)]
pub(crate) struct FilterControl {
    pub(super) core: Arc<Core>,
    state: Mutex<FilterState>,
}

/// What to change.
#[derive(Clone, Copy, Debug)]
pub(super) struct Change<'a> {
    /// The name of an output; `None` for the whole log.
    pub(super) output: Option<&'a str>,
    pub(super) by: &'a By,
    /// Without it, the change stays.
    pub(super) time: Option<Duration>,
}

impl Change<'_> {
    /// Returns whether the change is a line in the log. What the program itself changes for good is not.
    fn is_announced(&self) -> bool {
        *self.by != By::Program || self.time.is_some()
    }
}

impl FilterControl {
    /// `source`: where the global filter is configured.
    pub(super) fn new(core: Arc<Core>, source: &str) -> Self {
        let filters = core.filters.current();
        let scope = |configured, source: &str| Scope { configured, source: source.to_owned(), control: None };
        let outputs = core.outputs.names().into_iter().enumerate();
        let outputs = outputs.map(|(bit, name)| {
            let own = filters.outputs.get(bit).cloned().flatten();
            let source = if own.is_some() { "configuration" } else { "default" };
            (name, scope(own, source))
        });
        let state = FilterState {
            global: scope(filters.global.clone(), source),
            outputs: outputs.collect(),
            details: Vec::new(),
        };
        Self { core, state: Mutex::new(state) }
    }

    /// Sets a filter over the configured one. Its line precedes it.
    ///
    /// # Errors
    /// No output has that name, or no event would pass the filter and the output's upper bound.
    pub(super) fn set(&self, directives: Directives, change: Change<'_>) -> Result<(), Error> {
        self.check_force(change)?;
        let until = self.check(Some(&directives), change)?;
        if change.is_announced() {
            self.announce("filter set", change, until, Some(&directives.to_string()));
        }
        let held = Held { directives, by: change.by.clone(), until };
        self.with_scope(change.output, |scope| scope.control = Some(held));
        self.apply();
        Ok(())
    }

    /// Removes what control has set: of an output, or of the whole log together with all details.
    ///
    /// # Errors
    /// No output has that name.
    pub(super) fn reset(&self, change: Change<'_>) -> Result<(), Error> {
        self.check(None, change)?;
        if change.is_announced() {
            let mut after = self.hold().clone();
            after.details.clear();
            let filter = self.configured_text(change.output, &mut after);
            self.announce("filter reset", change, None, Some(&filter));
        }
        self.with_scope(change.output, |scope| scope.control = None);
        if change.output.is_none() {
            self.hold().details.clear();
        }
        self.apply();
        Ok(())
    }

    /// Replaces the configured global filter, for a reload. Returns whether it is masked: a filter that control has set stays
    /// in force until it is reset or its time is over.
    #[cfg(any(test, feature = "config"))]
    pub(crate) fn set_configured(&self, filter: Option<&Directives>, source: &str) -> bool {
        let is_masked = self.with_scope(None, |scope| {
            scope.configured = filter.cloned();
            source.clone_into(&mut scope.source);
            scope.control.is_some()
        });
        self.apply();
        is_masked
    }

    /// Replaces the configured filters of outputs, in one step with `change`, which changes the others.
    pub(crate) fn change_outputs<'a>(
        &self,
        removed: &[String],
        configured: impl Iterator<Item = (&'a str, &'a Option<Directives>)>,
        change: impl Fn(&mut FilterSet),
    ) {
        let mut state = self.hold();
        for name in removed {
            state.outputs.remove(name);
        }
        for (name, own) in configured {
            let scope = state.scope(Some(name), || None);
            scope.configured.clone_from(own);
            scope.source = if own.is_some() { "configuration" } else { "default" }.to_owned();
        }
        drop(state);
        let core = &self.core;
        core.filters.change(|filters| {
            change(filters);
            self.hold().apply(filters, |name| core.outputs.place_of(name).ok());
        });
    }

    /// Reverts what has passed its time, and then logs a line for each. Returns when the next one reverts.
    pub(super) fn revert_due(&self, now: Instant) -> Option<Instant> {
        let (reverted, next) = {
            let mut state = self.hold();
            (state.take_due(now), state.next_due())
        };
        if !reverted.is_empty() {
            self.apply();
        }
        for Reverted { output, held, now } in &reverted {
            let mut fields: Vec<(&str, FieldValue<'_>)> = Vec::new();
            fields.extend(output.as_deref().map(|output| ("output", output.into())));
            fields.extend(now.as_deref().map(|now| ("filter", now.into())));
            fields.push(("reverted", held.directives.to_string().into()));
            held.by.describe(&mut fields);
            self.core.announce(if now.is_some() { "filter reverted" } else { "detail reverted" }, &fields);
        }
        next
    }

    /// Returns when the next change reverts.
    pub(super) fn next_due(&self) -> Option<Instant> {
        self.hold().next_due()
    }

    /// Passes the state to `read`.
    pub(super) fn read<T>(&self, read: impl FnOnce(&FilterState) -> T) -> T {
        read(&self.hold())
    }

    /// # Errors
    /// The program forces the filter of the whole log, and another process asks.
    fn check_force(&self, change: Change<'_>) -> Result<(), Error> {
        if change.output.is_none() && *change.by != By::Program && self.hold().global.source == FORCED {
            return Err(Error::invalid("the program forces its filter, which only the program can change"));
        }
        Ok(())
    }

    /// Returns an error unless the change can be made, and when it reverts.
    ///
    /// # Errors
    /// See [`set`](Self::set).
    fn check(&self, directives: Option<&Directives>, change: Change<'_>) -> Result<Option<Until>, Error> {
        if let Some(output) = change.output {
            let bit = self.core.outputs.place_of(output)?;
            if let Some(directives) = directives {
                let checked = self.core.filters.check_bound(bit, directives);
                checked.map_err(|error| error.of_output(output))?;
            }
        }
        if change.time.is_some_and(|time| time.is_zero()) {
            return Err(Error::invalid("the time is zero; expected a longer one, or none"));
        }
        Ok(change.time.map(|time| self.until(time)))
    }

    fn until(&self, time: Duration) -> Until {
        let begun = Instant::now();
        let at = after(begun, time);
        let nanos = i64::try_from((at - begun).as_nanos()).unwrap_or(i64::MAX);
        let now = self.core.clock.now().as_nanos();
        Until { at, time: crate::record::Timestamp::from_nanos(now.saturating_add(nanos)) }
    }

    fn with_scope<T>(&self, output: Option<&str>, change: impl FnOnce(&mut Scope) -> T) -> T {
        let in_force = || {
            let bit = self.core.outputs.place_of(output?).ok()?;
            self.core.filters.current().outputs.get(bit).cloned().flatten()
        };
        let mut state = self.hold();
        change(state.scope(output, in_force))
    }

    /// Makes the state take effect. The newest state does, also if another change follows at the same time.
    fn apply(&self) {
        let core = &self.core;
        core.filters.change(|filters| self.hold().apply(filters, |name| core.outputs.place_of(name).ok()));
    }

    fn configured_text(&self, output: Option<&str>, state: &mut FilterState) -> String {
        match output {
            None => {
                state.global.control = None;
                state.global_text()
            }
            Some(name) => {
                let scope = state.scope(Some(name), || None);
                scope.control = None;
                text_of(scope)
            }
        }
    }

    fn announce(&self, message: &str, change: Change<'_>, until: Option<Until>, filter: Option<&str>) {
        let mut fields: Vec<(&str, FieldValue<'_>)> = Vec::new();
        fields.extend(change.output.map(|output| ("output", output.into())));
        fields.extend(filter.map(|filter| ("filter", filter.into())));
        fields.extend(until.map(|until| ("until", until.time.to_string().into())));
        change.by.describe(&mut fields);
        self.core.announce(message, &fields);
    }

    /// Locks the state. No other lock is taken meanwhile.
    fn hold(&self) -> MutexGuard<'_, FilterState> {
        sync::lock(&self.state)
    }
}

#[cfg(all(unix, feature = "control"))]
impl FilterControl {
    /// Adds directives for events inside some spans over the global filter in force. The same directives replace their time.
    ///
    /// # Errors
    /// There are too many already, or others than such directives.
    pub(super) fn add_detail(&self, directives: Directives, change: Change<'_>) -> Result<(), Error> {
        self.check_force(change)?;
        let until = self.check(None, change)?;
        let directives = directives.for_context_only().ok_or_else(|| {
            Error::invalid("expected directives for spans or fields alone, such as `[{request_id=\"r-42\"}]=debug`")
        })?;
        let is_same = |held: &Held| held.directives.to_string() == directives.to_string();
        use super::filter_state::MAX_DETAILS;
        if self.hold().details.iter().filter(|held| !is_same(held)).count() >= MAX_DETAILS {
            return Err(Error::invalid(format!(
                "{MAX_DETAILS} details are set already; reset the filter, or wait until one reverts"
            )));
        }
        self.announce("detail set", change, until, Some(&directives.to_string()));
        let mut state = self.hold();
        state.details.retain(|held| !is_same(held));
        state.details.push(Held { directives, by: change.by.clone(), until });
        drop(state);
        self.apply();
        Ok(())
    }

    /// Logs a line about a change that is not one of filters.
    pub(super) fn announce_order(&self, message: &str, by: &By) {
        self.announce(message, Change { output: None, by, time: None }, None, None);
    }
}

/// A child has the parent's filters, and reverts them itself.
impl AtFork for FilterControl {
    fn rank(&self) -> Rank {
        Rank::FilterState
    }

    fn pause(&self, _: Instant) -> Paused<'_> {
        let held = self.hold();
        Box::new(move || {
            let _ = &held;
        })
    }
}

#[cfg(test)]
mod tests {
    use std::thread::sleep;

    use super::*;
    use crate::builder;
    use crate::control::Handle;
    use crate::filter::FilterSetting;

    fn configure(handle: &Handle, filter: &str) -> bool {
        let directives = FilterSetting::new(filter).parse().expect(filter);
        handle.filter_control().expect("a layer's log").set_configured(Some(&directives), "a test")
    }

    /// What a reload does with the global filter.
    #[test]
    fn a_configured_filter_is_masked_while_control_holds() {
        let built = builder().filter("info").build::<tracing_subscriber::Registry>();
        let (_layer, guard) = built.expect("a log");
        let handle = guard.handle();
        assert!(!configure(&handle, "warn"));
        assert_eq!(handle.filter(), "warn");
        handle.set_filter_for("debug", Duration::from_millis(20)).expect("a time");
        assert!(configure(&handle, "error") || handle.filter() == "error", "masked, unless the time is over");
        while handle.filter() != "error" {
            sleep(Duration::from_millis(1));
        }
        handle.set_filter("off").expect("a filter");
        assert!(configure(&handle, "info"));
        assert_eq!(handle.filter(), "off");
        handle.reset_filter().expect("a layer's log");
        assert_eq!(handle.filter(), "info");
    }
}
