//! Fields of the current request.

use super::hooks::is_own_name;
use crate::layer;
use crate::record::FieldValue;

/// Adds a field to the current request: to its line, and to every later line below it.
///
/// It works in any span of the request, also in one of `#[tracing::instrument]`. There, `Span::current().set_variable`
/// reaches only the lines below that span. A later value of the same name replaces it; `None` changes nothing. A name of the
/// layer's fields gets `_` appended, as in [`Fields`](super::Fields). Outside a request of a [`ServerLayer`](super::ServerLayer), this does nothing.
///
/// ```
/// #[tracing::instrument]
/// async fn handler() {
///     spanline::tower::set_request_variable("items", 3);
/// }
/// ```
pub fn set_request_variable<'v>(name: &str, value: impl Into<FieldValue<'v>>) {
    let own = is_own_name(name).then(|| format!("{name}_"));
    layer::set_request_variable(own.as_deref().unwrap_or(name), &value.into());
}
