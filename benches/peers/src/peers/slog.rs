//! `slog`: `slog-json` behind `slog-async` that blocks when it is full.
//!
//! Spans are child loggers, whose names are fields; their values must be `'static`, so what comes with a request is
//! owned. The worker renders, and takes the time only then: a line that had to wait is dated late. The queue is as long
//! as tracing-appender's: with the default of 128 records callers would wait far more often. `slog-json` writes in many
//! small pieces, so a `LineWriter` makes one write of each line, and the line is in the file at once.

use std::io::LineWriter;

use slog::{Drain, Logger, PushFnValue, debug, info, o};
use slog_async::{Async, AsyncGuard, OverflowStrategy};

use super::{Peer, Sink};
use crate::work::{EVENTS_PER_CYCLE, order, query, request};

const QUEUE_LINES: usize = 128_000;

pub struct Slog {
    root: Logger,
    guard: AsyncGuard,
}

impl Slog {
    fn request(&self) -> Logger {
        let request = request();
        self.root.new(o!(
            "request_id" => request.request_id.to_owned(),
            "trace_id" => request.trace_id.to_owned(),
            "method" => request.method,
            "path" => request.path.to_owned(),
            "outer_span" => "request",
        ))
    }
}

fn db(outer: &Logger) -> Logger {
    let query = query();
    outer.new(o!("table" => query.table, "attempt" => query.attempt, "span" => "db"))
}

#[inline(always)]
fn event(logger: &Logger) {
    let order = order();
    info!(
        logger, # "orders", "order loaded";
        "user_id" => order.user_id,
        "elapsed_ms" => order.elapsed_ms,
        "cached" => order.cached,
        "sku" => order.sku
    );
}

impl Peer for Slog {
    type Context = Logger;

    fn start(sink: &Sink) -> Self {
        let json = slog_json::Json::new(LineWriter::new(sink.writer()))
            .add_default_keys()
            .add_key_value(o!("target" => PushFnValue(|record, serializer| serializer.emit(record.tag()))))
            .build()
            .fuse();
        let (drain, guard) =
            Async::new(json).chan_size(QUEUE_LINES).overflow_strategy(OverflowStrategy::Block).build_with_guard();
        let root = Logger::root(drain.filter_level(slog::Level::Info).fuse(), o!());
        Self { root, guard }
    }

    fn inside<R>(&self, body: impl FnOnce(&Logger) -> R) -> R {
        body(&db(&self.request()))
    }

    #[inline]
    fn w1e(&self, context: &Logger) {
        event(context);
    }

    #[inline]
    fn w1c(&self) {
        let request = self.request();
        let db = db(&request);
        (0..EVENTS_PER_CYCLE).for_each(|_| event(&db));
    }

    #[inline]
    fn w2(&self) {
        event(&self.root);
    }

    #[inline]
    fn w0(&self) {
        let order = order();
        debug!(
            self.root, # "orders", "order loaded";
            "user_id" => order.user_id,
            "elapsed_ms" => order.elapsed_ms,
            "cached" => order.cached,
            "sku" => order.sku
        );
    }

    fn finish(self) {
        drop(self.root);
        drop(self.guard);
    }
}
