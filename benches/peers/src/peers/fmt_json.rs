//! `tracing_subscriber::fmt().json()` behind `tracing_appender::non_blocking`.
//!
//! The file is a plain one: `rolling::never` would ask the clock for every line. Lossless, it waits when its queue of
//! 128,000 lines is full; lossy, its default, it drops the line. By default a line has the current span twice, under
//! `span` and in `spans`; `fmt-json-list` leaves the first out, which is faster and says the same.

use tracing::level_filters::LevelFilter;
use tracing_appender::non_blocking::{NonBlocking, NonBlockingBuilder, WorkerGuard};
use tracing_subscriber::prelude::*;

use super::{Sink, Subscribed};

pub struct FmtJson {
    _guard: WorkerGuard,
}

pub struct FmtJsonLossy {
    _guard: WorkerGuard,
}

pub struct FmtJsonList {
    _guard: WorkerGuard,
}

impl Subscribed for FmtJson {
    fn start(sink: &Sink) -> Self {
        Self { _guard: subscribe(sink, false, true) }
    }
}

impl Subscribed for FmtJsonLossy {
    fn start(sink: &Sink) -> Self {
        Self { _guard: subscribe(sink, true, true) }
    }
}

impl Subscribed for FmtJsonList {
    fn start(sink: &Sink) -> Self {
        Self { _guard: subscribe(sink, false, false) }
    }
}

fn subscribe(sink: &Sink, lossy: bool, current_span: bool) -> WorkerGuard {
    let (writer, guard) = appender(sink, lossy);
    let layer = tracing_subscriber::fmt::layer().json().with_current_span(current_span).with_writer(writer);
    tracing_subscriber::registry().with(LevelFilter::INFO).with(layer).init();
    guard
}

/// The hand-off that three of the peers share.
pub(super) fn appender(sink: &Sink, lossy: bool) -> (NonBlocking, WorkerGuard) {
    NonBlockingBuilder::default().lossy(lossy).finish(sink.writer())
}
