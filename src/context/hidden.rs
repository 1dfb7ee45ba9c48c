//! Hidden spans: they pass on fields and ids like a span, but are not shown as one.
//!
//! Context variables and remote contexts are hidden spans. tracing itself then keeps them in place across `.await`s and
//! threads. They share one call site with one declared field, whose value is [`UndeclaredFields`].

use std::error::Error;

use tracing::callsite::{DefaultCallsite, Identifier};
use tracing::dispatcher;
use tracing::field::{FieldSet, Value as FieldValue};
use tracing::metadata::Kind;
use tracing::{Level, Metadata, Span};

use crate::values::UndeclaredFields;

static CALL_SITE: DefaultCallsite = DefaultCallsite::new(&METADATA);

/// An ERROR, so that no level filter hides it.
static METADATA: Metadata<'static> = Metadata::new(
    "context",
    "spanline::propagate::context",
    Level::ERROR,
    None,
    None,
    None,
    FieldSet::new(&["variables"], Identifier(&CALL_SITE)),
    Kind::SPAN,
);

/// Returns whether a call site is that of the hidden spans.
#[inline]
pub(crate) fn is_hidden(meta: &Metadata<'_>) -> bool {
    std::ptr::addr_eq(meta, &METADATA)
}

/// Returns the call site of the hidden spans.
#[cfg(test)]
pub(crate) fn hidden_meta() -> &'static Metadata<'static> {
    &METADATA
}

/// Opens a hidden span in the current one. The span is disabled when there are no fields or no subscriber wants it.
pub(crate) fn open_hidden(fields: &UndeclaredFields) -> Span {
    let interest = CALL_SITE.interest();
    let is_on = || interest.is_always() || dispatcher::get_default(|dispatch| dispatch.enabled(&METADATA));
    if fields.is_empty() || interest.is_never() || !is_on() {
        return Span::none();
    }
    let error: &(dyn Error + 'static) = fields;
    let set = METADATA.fields();
    match set.field("variables") {
        Some(field) => Span::new(&METADATA, &set.value_set(&[(&field, Some(&error as &dyn FieldValue))])),
        None => Span::none(),
    }
}
