//! Context variables: fields for everything below that no span declares.

use std::fmt;

use tracing::Span;
use tracing::instrument::{Instrument, Instrumented};

use super::entered::Entered;
use crate::layer::open_context;
use crate::record::{FieldValue, add_undeclared};
use crate::values::UndeclaredFields;

/// Adds a field to every line logged below, in spans, tasks and other functions, until its scope ends.
///
/// The field follows the rules of a span's field: an event's own field of that name takes precedence, and an inner one
/// hides an outer one. It also works outside spans. Unlike a span it has no id, and no name among `spans`. A value of `None`
/// adds nothing. [`SpanExt::set_variable`] adds a field to a span that is already open.
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
///     info!("has the tenant, also after an await");
/// }
/// let future = spanline::with("tenant", "acme").instrument(work());
///
/// let _until_the_end_of_this_block = spanline::with("tenant", "acme").enter();
/// # drop(future);
/// ```
pub fn with<'v>(name: &str, value: impl Into<FieldValue<'v>>) -> Variables {
    Variables::default().and(name, value)
}

/// Context variables, made by [`with`].
#[derive(Clone, Default)]
#[must_use = "variables do nothing until `in_scope`, `enter` or `instrument` is called"]
pub struct Variables {
    fields: UndeclaredFields,
}

impl fmt::Debug for Variables {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Variables").field(&self.fields).finish()
    }
}

impl Variables {
    /// Adds another field; the last duplicate wins.
    pub fn and<'v>(mut self, name: &str, value: impl Into<FieldValue<'v>>) -> Self {
        add_undeclared(&mut self.fields, name, &value.into());
        self
    }

    /// Returns the encoded fields.
    #[cfg(feature = "tower")]
    pub(crate) fn into_fields(self) -> UndeclaredFields {
        self.fields
    }

    /// Runs `run` with the variables set.
    pub fn in_scope<T>(&self, run: impl FnOnce() -> T) -> T {
        self.span().in_scope(run)
    }

    /// Sets the variables until the guard is dropped.
    ///
    /// Do not hold the guard over an `.await`; use [`instrument`](Self::instrument) there.
    pub fn enter(&self) -> Entered {
        Entered::new(self.span())
    }

    /// Sets the variables whenever the future is polled, within the span that is current now.
    pub fn instrument<F>(self, future: F) -> Instrumented<F> {
        future.instrument(self.span())
    }

    /// Returns the variables as a span within the current one, to be the parent of other spans.
    ///
    /// The span is disabled when there are no variables or no subscriber wants them.
    pub fn span(&self) -> Span {
        open_context(&self.fields)
    }
}
