//! Fields of the current request.

use crate::layer;
use crate::record::FieldValue;

/// Adds a field to the current request: to its line, and to every later line below it.
///
/// It works in any span of the request, also in one of `#[tracing::instrument]`. There, `Span::current().set_variable`
/// reaches only the lines below that span. A later value of the same name replaces it; `None` changes nothing. The layer's
/// own fields take precedence. Outside a request of a [`ServerLayer`](super::ServerLayer), this does nothing.
///
/// ```
/// #[tracing::instrument]
/// async fn handler() {
///     spanline::tower::set_request_variable("items", 3);
/// }
/// ```
pub fn set_request_variable<'v>(name: &str, value: impl Into<FieldValue<'v>>) {
    layer::set_request_variable(name, &value.into());
}
