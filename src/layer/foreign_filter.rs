//! This crate's spans under filters that are not ours: an `EnvFilter` of the whole registry, for example.
//!
//! Hidden spans pass them. The spans of HTTP requests are opened by tracing's macros and cannot; a complaint says what to do.

use tracing::{Dispatch, Span};

use super::layer::Layer;
use crate::context::open_hidden;
use crate::values::UndeclaredFields;

/// Opens a hidden span in the current one. The span is disabled when there are no fields or no subscriber wants it.
pub(crate) fn open_context(fields: &UndeclaredFields) -> Span {
    open_hidden(fields, |dispatch: &Dispatch| {
        Layer::of(dispatch).is_some_and(|layer| layer.core.filters.sees_hidden_spans())
    })
}

/// Complains if only a filter that is not ours can have disabled the span of a request.
#[cfg(feature = "tower")]
#[cold]
pub(crate) fn complain_of_hidden_request() {
    use crate::record::REQUESTS;

    tracing::dispatcher::get_default(|dispatch| {
        let Some(layer) = Layer::of(dispatch) else { return };
        if layer.core.filters.sees_requests(REQUESTS, tracing::Level::INFO) {
            layer.core.outputs.complain("requests", || {
                format!(
                    "a filter in the registry hides the spans of HTTP requests, so lines have no request; let the target \
                     {REQUESTS} pass, as in `EnvFilter::new(\"my_app=info,spanline=info\")`, or set the filter with \
                     `Builder::filter` instead"
                )
            });
        }
    });
}
