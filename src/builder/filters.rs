//! The setters of filters.

use tracing::level_filters::LevelFilter;
#[cfg(doc)]
use tracing_subscriber::filter::Targets;

use super::builder::Builder;
use super::settings::Variable;
use crate::filter::{FilterSetting, IntoFilter};

impl Builder {
    /// Sets the default of the global filter: which events any output can receive.
    ///
    /// A filter is text with `target=level` directives, such as `info,orders::db=debug,hyper=off`, a
    /// [`Targets`], or a level; see [`IntoFilter`]. [The page on filters](crate::docs::filters) has all forms, also for one
    /// request. An output can [filter further](crate::Output::output_filter): an event must pass both.
    ///
    /// With `init`, the variable `RUST_LOG` overrides it; [`filter_variable`](Self::filter_variable) changes that.
    /// Without either, outputs that have no filter receive INFO and above.
    ///
    /// A mistake, such as the level `warning`, is an error of `init` and `build` that says what to write. A mistake in
    /// the variable is one complaint. The variable's other directives then apply. If they name no level for all targets,
    /// they apply over this default.
    pub fn filter(mut self, filter: impl IntoFilter) -> Self {
        self.filters.global = Some(FilterSetting::new(filter));
        self.filters.is_configured = false;
        self
    }

    /// Sets the environment variable that overrides the [filter](Self::filter); `None` makes the filter final.
    ///
    /// By default, `init` reads `RUST_LOG`, and `build` reads none. An empty variable counts as unset. A name that no
    /// variable can have is an error of `init` and `build`.
    ///
    /// # Examples
    /// ```
    /// spanline::builder().filter("info").filter_variable("ORDERS_LOG");
    /// spanline::builder().filter("warn").filter_variable(None);
    /// ```
    pub fn filter_variable<'a>(mut self, name: impl Into<Option<&'a str>>) -> Self {
        let name: Option<&str> = name.into();
        self.filters.variable = name.map_or(Variable::Ignored, |name| Variable::Named(name.to_owned()));
        self
    }

    /// Sets the level up to which spans hand down their fields and ids, whatever events the outputs take.
    ///
    /// The default is INFO. Spans beyond it hand down theirs if the global [filter](Self::filter) lets their target and
    /// level pass. A directive of that filter that turns a target off, such as `hyper=off`, turns its spans off too,
    /// except those with a field `request_id`, `trace_id` or `traceparent`. An output's own filter changes nothing.
    pub fn context_level(mut self, level: impl Into<LevelFilter>) -> Self {
        self.filters.context_level = level.into();
        self
    }
}
