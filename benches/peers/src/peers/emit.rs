//! `emit` with `emit_file`, which renders on the calling thread and hands over through a bounded batcher.
//!
//! It has no form that waits for room: beyond 10,000 waiting lines it throws them away. It calls `fsync` after each
//! batch. The two spans are frames of ambient properties, its cheapest context: its own spans would write a line of
//! their own each. It has no sink but files, so there is nothing to measure with a null sink.

use std::time::Duration;

use emit::{Frame, Level};

use super::{Peer, Sink};
use crate::work::{EVENTS_PER_CYCLE, order, query, request};

const MAX_FILE_BYTES: usize = 8 << 30;
const FLUSH: Duration = Duration::from_secs(60);

pub struct Emit;

#[inline(always)]
fn event() {
    let order = order();
    emit::info!(
        mdl: emit::path!("orders"),
        "order loaded",
        user_id: order.user_id,
        elapsed_ms: order.elapsed_ms,
        cached: order.cached,
        sku: order.sku,
    );
}

impl Peer for Emit {
    type Context = ();

    fn start(sink: &Sink) -> Self {
        let Sink::Files(directory) = sink else { panic!("emit has no null sink") };
        let files = emit_file::set(directory.join("log.jsonl")).max_file_size_bytes(MAX_FILE_BYTES).spawn();
        let _ = emit::setup().emit_when(emit::level::min_filter(Level::Info)).emit_to(files).init();
        Self
    }

    fn inside<R>(&self, body: impl FnOnce(&()) -> R) -> R {
        let (request, query) = (request(), query());
        let outer = emit::props! {
            outer_span: "request",
            request_id: request.request_id,
            trace_id: request.trace_id,
            method: request.method,
            path: request.path,
        };
        let inner = emit::props! { span: "db", table: query.table, attempt: query.attempt };
        Frame::push(emit::ctxt(), outer).call(|| Frame::push(emit::ctxt(), inner).call(|| body(&())))
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
        emit::debug!(
            mdl: emit::path!("orders"),
            "order loaded",
            user_id: order.user_id,
            elapsed_ms: order.elapsed_ms,
            cached: order.cached,
            sku: order.sku,
        );
    }

    fn finish(self) {
        emit::blocking_flush(FLUSH);
    }
}
