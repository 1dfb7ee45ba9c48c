//! Floors of every layer: nothing is logged, the current span is only looked up.

use std::hint::black_box;

use tracing::level_filters::LevelFilter;
use tracing::{Event, Subscriber};
use tracing_subscriber::layer::{Context, Layer};
use tracing_subscriber::prelude::*;
use tracing_subscriber::registry::LookupSpan;

use super::{Sink, Subscribed};

/// The layer in a registry, and nothing else: the least that any layer with context costs.
pub struct Empty;

/// The same layer under a per-layer filter, which a layer with filters for each output needs.
pub struct Filtered;

/// No subscriber at all, for the steps that do nothing.
pub struct Nothing;

struct LookUp;

impl<S: Subscriber + for<'lookup> LookupSpan<'lookup>> Layer<S> for LookUp {
    fn on_event(&self, _: &Event<'_>, context: Context<'_, S>) {
        black_box(context.lookup_current());
    }
}

impl Subscribed for Empty {
    fn start(_: &Sink) -> Self {
        tracing_subscriber::registry().with(LookUp).init();
        Self
    }
}

impl Subscribed for Filtered {
    fn start(_: &Sink) -> Self {
        tracing_subscriber::registry().with(LookUp.with_filter(LevelFilter::INFO)).init();
        Self
    }
}

impl Subscribed for Nothing {
    fn start(_: &Sink) -> Self {
        Self
    }
}
