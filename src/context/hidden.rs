//! Hidden spans: they pass on fields and ids like a span, but are not shown as one.
//!
//! Context variables and remote contexts are hidden spans. tracing itself then keeps them in place across `.await`s and
//! threads. They share one call site with one declared field, whose value is [`UndeclaredFields`].

use tracing::callsite::{DefaultCallsite, Identifier};
use tracing::dispatcher;
use tracing::field::{FieldSet, Value as FieldValue};
use tracing::metadata::Kind;
use tracing::{Dispatch, Level, Metadata, Span};

use crate::values::UndeclaredFields;

static CALL_SITE: DefaultCallsite = DefaultCallsite::new(&METADATA);

/// An ERROR, so that no level filter hides it.
pub(super) static METADATA: Metadata<'static> = Metadata::new(
    "context",
    "spanline::propagate::context",
    Level::ERROR,
    None,
    None,
    None,
    FieldSet::new(&[VARIABLES], Identifier(&CALL_SITE)),
    Kind::SPAN,
);

/// The one declared field.
pub(crate) const VARIABLES: &str = "variables";

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
///
/// `wants`: whether a subscriber has a layer of ours that wants it. Such a span is opened even if a filter of the
/// subscriber's other layers hides it.
pub(crate) fn open_hidden(fields: &UndeclaredFields, wants: impl Fn(&Dispatch) -> bool) -> Span {
    let interest = CALL_SITE.interest();
    let is_on = || match (interest.is_always(), interest.is_never()) {
        (true, _) => true,
        (_, true) => dispatcher::get_default(&wants),
        // In this order: per-layer filters decide when they are asked.
        _ => dispatcher::get_default(|dispatch| dispatch.enabled(&METADATA) || wants(dispatch)),
    };
    if fields.is_empty() || !is_on() {
        return Span::none();
    }
    let (set, value) = (METADATA.fields(), fields.as_value());
    match set.field(VARIABLES) {
        Some(field) => {
            Span::new(&METADATA, &set.value_set(&[(&field, value.as_ref().map(|value| value as &dyn FieldValue))]))
        }
        None => Span::none(),
    }
}
