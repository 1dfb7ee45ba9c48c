//! `tracing_subscriber::fmt().json()` straight into the file, under a mutex, and both of its forms on a slow disk.

use std::io::Write;
use std::sync::Mutex;

use tracing::level_filters::LevelFilter;
use tracing_appender::non_blocking::{NonBlockingBuilder, WorkerGuard};
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::prelude::*;

use super::slow::Slow;
use super::{Sink, Subscribed};

/// The calling thread writes.
pub struct Synchronous;

/// `non_blocking`, lossless.
pub struct OnSlowDisk {
    _guard: WorkerGuard,
}

/// The calling thread writes.
pub struct SynchronousOnSlowDisk;

impl Subscribed for Synchronous {
    fn start(sink: &Sink) -> Self {
        subscribe(Mutex::new(sink.writer()));
        Self
    }
}

impl Subscribed for OnSlowDisk {
    fn start(sink: &Sink) -> Self {
        let (writer, guard) = NonBlockingBuilder::default().lossy(false).finish(Slow(sink.writer()));
        subscribe(writer);
        Self { _guard: guard }
    }
}

impl Subscribed for SynchronousOnSlowDisk {
    fn start(sink: &Sink) -> Self {
        subscribe(Mutex::new(Box::new(Slow(sink.writer())) as Box<dyn Write + Send>));
        Self
    }
}

fn subscribe(writer: impl for<'w> MakeWriter<'w> + Send + Sync + 'static) {
    let layer = tracing_subscriber::fmt::layer().json().with_writer(writer);
    tracing_subscriber::registry().with(LevelFilter::INFO).with(layer).init();
}
