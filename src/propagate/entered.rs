//! The guard of an entered span.

use tracing::Span;
use tracing::span::EnteredSpan;

/// A guard that ends a context when it is dropped, on the thread where it was entered.
#[derive(Debug)]
#[must_use = "the context ends when the guard is dropped: bind it to a name such as `_entered`"]
pub struct Entered {
    _span: EnteredSpan,
}

impl Entered {
    pub(super) fn new(span: Span) -> Self {
        Self { _span: span.entered() }
    }
}
