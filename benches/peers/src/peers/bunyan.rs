//! `tracing-bunyan-formatter` behind `tracing_appender::non_blocking`, lossless.
//!
//! It also writes a line when a span opens and one when it closes, which cannot be switched off: part of its W1c. Of
//! the spans, a line has all fields and the innermost name, in capitals before the message.

use tracing::level_filters::LevelFilter;
use tracing_appender::non_blocking::WorkerGuard;
use tracing_bunyan_formatter::{BunyanFormattingLayer, JsonStorageLayer};
use tracing_subscriber::prelude::*;

use super::{Sink, Subscribed, fmt_json};

pub struct Bunyan {
    _guard: WorkerGuard,
}

impl Subscribed for Bunyan {
    fn start(sink: &Sink) -> Self {
        let (writer, guard) = fmt_json::appender(sink, false);
        let layer = BunyanFormattingLayer::new("orders".into(), writer);
        tracing_subscriber::registry().with(LevelFilter::INFO).with(JsonStorageLayer).with(layer).init();
        Self { _guard: guard }
    }
}
