//! Context variables: fields for everything below that no span declares.

use std::fmt;

use tracing::Span;
use tracing::instrument::{Instrument, Instrumented};

use super::Entered;
use crate::context::{Dynamic, open_hidden};
use crate::record::Value;

/// Adds a field to every line that is logged below, in spans, tasks and other functions, until its scope ends.
///
/// It is under the rules of a span's field: the event's own of that name goes before it, an inner one before an outer
/// one. It works outside spans, too. Unlike a span it has no id and no name among `spans`. [`SpanExt::set_variable`]
/// adds one to a span that is open already.
///
/// [`SpanExt::set_variable`]: crate::SpanExt::set_variable
///
/// # Examples
/// ```
/// use tracing::info;
///
/// spanline::with("tenant", "acme").and("attempt", 2).in_scope(|| info!("has both"));
///
/// async fn work() {
///     info!("has the tenant, also behind an await");
/// }
/// let future = spanline::with("tenant", "acme").instrument(work());
///
/// let _until_the_end_of_this_block = spanline::with("tenant", "acme").enter();
/// # drop(future);
/// ```
#[must_use = "variables are set for `in_scope`, `enter` or `instrument`"]
pub fn with<'v>(name: &str, value: impl Into<Value<'v>>) -> Variables {
    Variables::default().and(name, value)
}

/// Context variables, to be set for a scope: made by [`with`].
#[derive(Clone, Default)]
#[must_use = "variables are set for `in_scope`, `enter` or `instrument`"]
pub struct Variables {
    fields: Dynamic,
}

impl fmt::Debug for Variables {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Variables").field(&self.fields).finish()
    }
}

impl Variables {
    /// Adds one more; of equal names the last counts.
    pub fn and<'v>(mut self, name: &str, value: impl Into<Value<'v>>) -> Self {
        self.fields.put(name, &value.into());
        self
    }

    /// Runs `run` with the variables set.
    pub fn in_scope<T>(&self, run: impl FnOnce() -> T) -> T {
        self.span().in_scope(run)
    }

    /// Sets the variables until the guard is dropped. Not over an `.await`: see [`instrument`](Self::instrument).
    pub fn enter(&self) -> Entered {
        Entered::new(self.span())
    }

    /// Sets the variables whenever the future is polled. They lie within the span that is current now.
    pub fn instrument<F>(self, future: F) -> Instrumented<F> {
        future.instrument(self.span())
    }

    /// The variables as a span within the current one, to be the parent of others: disabled when nobody listens.
    pub fn span(&self) -> Span {
        open_hidden(&self.fields)
    }
}
