//! The setters of filters.

use tracing::level_filters::LevelFilter;
#[cfg(doc)]
use tracing_subscriber::filter::Targets;

use super::builder::Builder;
use crate::into_filter::{FilterSetting, IntoFilter};

impl Builder {
    /// Sets the global filter: which events any output can receive.
    ///
    /// A filter is text with `target=level` directives, such as `info,orders::db=debug,hyper=off`, a
    /// [`Targets`], or a level; see [`IntoFilter`]. An output can
    /// [filter further](crate::Output::output_filter): an event must pass both.
    ///
    /// If no filter is set, `init` takes the directives from `RUST_LOG`. Without those, outputs that have no filter
    /// receive INFO and above. A bad directive is an error of `init` and `build`. A bad one in `RUST_LOG` is skipped,
    /// with one complaint.
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
