//! `logforth`: JSON layout and file append inside its asynchronous append, through the `log` crate, as it advises.
//!
//! It blocks when its queue is full, which is as long as tracing-appender's. Spans are entries of the thread's
//! diagnostics, all of them text. The file rolls never.

use log::{LevelFilter, debug, info};
use logforth::append::asynchronous::AsyncBuilder;
use logforth::append::file::FileBuilder;
use logforth::bridge::log::LogBridge;
use logforth::diagnostic::ThreadLocalDiagnostic;
use logforth::layout::JsonLayout;
use logforth::record::Record;
use logforth::{Append, Diagnostic, Error, Layout};

use super::{Peer, Sink};
use crate::work::{EVENTS_PER_CYCLE, TARGET, order, query, request};

const QUEUE_LINES: usize = 128_000;

pub struct Logforth;

/// Renders and throws away.
#[derive(Debug)]
struct Nowhere(JsonLayout);

impl Append for Nowhere {
    fn append(&self, record: &Record<'_>, diagnostics: &[Box<dyn Diagnostic>]) -> Result<(), Error> {
        std::hint::black_box(self.0.format(record, diagnostics)?);
        Ok(())
    }

    fn flush(&self) -> Result<(), Error> {
        Ok(())
    }
}

/// The diagnostics of the two spans.
struct Entered;

impl Entered {
    fn new() -> Self {
        let (request, query) = (request(), query());
        for (key, value) in [
            ("outer_span", "request"),
            ("request_id", request.request_id),
            ("trace_id", request.trace_id),
            ("method", request.method),
            ("path", request.path),
            ("span", "db"),
            ("table", query.table),
        ] {
            ThreadLocalDiagnostic::insert(key, value);
        }
        ThreadLocalDiagnostic::insert("attempt", query.attempt.to_string());
        Self
    }
}

impl Drop for Entered {
    fn drop(&mut self) {
        for key in ["attempt", "table", "span", "path", "method", "trace_id", "request_id", "outer_span"] {
            ThreadLocalDiagnostic::remove(key);
        }
    }
}

#[inline(always)]
fn event() {
    let order = order();
    info!(
        target: TARGET,
        user_id = order.user_id,
        elapsed_ms = order.elapsed_ms,
        cached = order.cached,
        sku = order.sku;
        "order loaded"
    );
}

impl Peer for Logforth {
    type Context = ();

    fn start(sink: &Sink) -> Self {
        let asynchronous = AsyncBuilder::new("logforth").buffered_lines_limit(Some(QUEUE_LINES)).overflow_block();
        let asynchronous = match sink {
            Sink::Null => asynchronous.append(Nowhere(JsonLayout::default())),
            Sink::Files(directory) => {
                let file = FileBuilder::new(directory, "log").layout(JsonLayout::default());
                asynchronous.append(file.build().expect("a log file"))
            }
        };
        let logger = logforth::core::builder()
            .dispatch(|dispatch| dispatch.diagnostic(ThreadLocalDiagnostic::default()).append(asynchronous.build()))
            .build();
        log::set_boxed_logger(Box::new(LogBridge::new(logger))).expect("the first logger");
        log::set_max_level(LevelFilter::Info);
        Self
    }

    fn inside<R>(&self, body: impl FnOnce(&()) -> R) -> R {
        let _entered = Entered::new();
        body(&())
    }

    #[inline]
    fn w1e(&self, (): &()) {
        event();
    }

    #[inline]
    fn w1c(&self) {
        self.inside(|()| (0..EVENTS_PER_CYCLE).for_each(|_| event()));
    }

    #[inline]
    fn w2(&self) {
        event();
    }

    #[inline]
    fn w0(&self) {
        let order = order();
        debug!(
            target: TARGET,
            user_id = order.user_id,
            elapsed_ms = order.elapsed_ms,
            cached = order.cached,
            sku = order.sku;
            "order loaded"
        );
    }

    fn finish(self) {
        log::logger().flush();
    }
}
