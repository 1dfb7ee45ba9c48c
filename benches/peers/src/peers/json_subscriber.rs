//! `json-subscriber` behind `tracing_appender::non_blocking`, lossless.
//!
//! Without the current span under `span`, which the list of spans has as well: its fastest form that says it all.

use tracing::level_filters::LevelFilter;
use tracing_appender::non_blocking::WorkerGuard;
use tracing_subscriber::prelude::*;

use super::{Sink, Subscribed, fmt_json};

pub struct JsonSubscriber {
    _guard: WorkerGuard,
}

impl Subscribed for JsonSubscriber {
    fn start(sink: &Sink) -> Self {
        let (writer, guard) = fmt_json::appender(sink, false);
        let layer = json_subscriber::layer().with_current_span(false).with_writer(writer);
        tracing_subscriber::registry().with(LevelFilter::INFO).with(layer).init();
        Self { _guard: guard }
    }
}
