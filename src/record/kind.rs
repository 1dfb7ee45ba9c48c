//! What a line reports, by its call site; lines of spans also by their message.

use tracing::Metadata;

use super::own::{REQUESTS, is_own, notice_metadata, panic_metadata};
use crate::context::SpanMoment;

/// What a line reports.
///
/// A summary of repeats has the kind of the repeated lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Kind {
    /// An event of the program, from `tracing` or the `log` crate.
    Event,
    /// A finished HTTP request, from `ServerLayer` of the feature `tower`.
    Request,
    /// A panic, from [`Builder::log_panics`](crate::Builder::log_panics).
    Panic,
    /// The beginning of a span, from [`Builder::span_new`](crate::Builder::span_new).
    SpanNew,
    /// A span was entered, from [`Builder::span_enter`](crate::Builder::span_enter).
    SpanEnter,
    /// A span was exited, from [`Builder::span_exit`](crate::Builder::span_exit).
    SpanExit,
    /// The end of a span, from [`Builder::span_close`](crate::Builder::span_close).
    SpanClose,
    /// A fact about the log itself, such as the number of dropped lines.
    Notice,
}

impl Kind {
    /// Returns the kind of the lines of a call site: [`SpanClose`](Self::SpanClose) for all lines of a span. No macro of the program can imitate one of the log's own kinds.
    pub(super) fn of_site(meta: &'static Metadata<'static>) -> Self {
        if meta.is_span() {
            Self::SpanClose
        } else if std::ptr::eq(meta, panic_metadata()) {
            Self::Panic
        } else if std::ptr::eq(meta, notice_metadata()) {
            Self::Notice
        } else if meta.target() == REQUESTS && is_own(meta) {
            Self::Request
        } else {
            Self::Event
        }
    }

    /// Returns the kind of a span's line.
    pub(super) fn of_span(moment: SpanMoment) -> Self {
        match moment {
            SpanMoment::New => Self::SpanNew,
            SpanMoment::Enter => Self::SpanEnter,
            SpanMoment::Exit => Self::SpanExit,
            SpanMoment::Close => Self::SpanClose,
        }
    }
}
