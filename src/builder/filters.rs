//! The filter settings: which events the log takes at all, and which spans pass on their context.

use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::Targets;

use super::builder::Builder;
use crate::error::Error;
use crate::filter;
use crate::into_filter::{FilterSetting, IntoFilter};

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

impl Builder {
    /// Sets the global filter: which events any output can receive.
    ///
    /// A filter is text with `target=level` directives, such as `info,orders::db=debug,hyper=off`, a
    /// [`Targets`], or a level; see [`IntoFilter`]. An output can
    /// [filter further](crate::Output::output_filter): an event must pass both.
    ///
    /// If no filter is set, `init` takes the directives from `RUST_LOG`. Without those, outputs that have no filter
    /// receive INFO and above. A bad directive is an error of `init` and `build`. A bad one in `RUST_LOG` is skipped, with
    /// one complaint.
    pub fn filter(mut self, filter: impl IntoFilter) -> Self {
        self.filters.global = Some(FilterSetting::new(filter));
        self
    }

    /// Sets the level up to which spans pass on the ids in their fields `request_id`, `trace_id` or `traceparent`.
    ///
    /// The default is INFO. It applies even if the filters hide the span's target.
    pub fn context_level(mut self, level: impl Into<LevelFilter>) -> Self {
        self.filters.context_level = level.into();
        self
    }
}
