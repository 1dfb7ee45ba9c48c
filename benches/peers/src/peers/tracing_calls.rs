//! The calls of all peers that `tracing` feeds.

use std::future::Future;
use std::hint::black_box;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};

use tracing::field::Empty;
use tracing::{Instrument, Span, debug, info, info_span};

use super::{Peer, Sink, Subscribed};
use crate::work::{EVENTS_PER_CYCLE, EVENTS_PER_REQUEST, TARGET, order, query, request};

impl<T: Subscribed> Peer for T {
    type Context = ();

    fn start(sink: &Sink) -> Self {
        Subscribed::start(sink)
    }

    fn inside<R>(&self, body: impl FnOnce(&()) -> R) -> R {
        let request = request_span();
        let _request = request.enter();
        let db = db_span();
        let _db = db.enter();
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
            sku = order.sku,
            "order loaded"
        );
    }

    fn finish(self) {}
}

#[inline(always)]
fn event() {
    let order = order();
    info!(
        target: TARGET,
        user_id = order.user_id,
        elapsed_ms = order.elapsed_ms,
        cached = order.cached,
        sku = order.sku,
        "order loaded"
    );
}

#[inline(always)]
fn request_span() -> Span {
    let request = request();
    info_span!(
        target: TARGET,
        "request",
        request_id = request.request_id,
        trace_id = request.trace_id,
        method = request.method,
        path = request.path
    )
}

#[inline(always)]
fn db_span() -> Span {
    let query = query();
    info_span!(target: TARGET, "db", table = query.table, attempt = query.attempt)
}

/// Runs `body` with a span that is open and not entered.
pub(super) fn beside_a_span<R>(body: impl FnOnce(&Span) -> R) -> R {
    body(&request_span())
}

#[inline]
pub(super) fn enter_and_leave(span: &Span) {
    span.in_scope(|| black_box(()));
}

/// Runs `body` inside eight more spans.
pub(super) fn deeper<R>(body: impl FnOnce() -> R) -> R {
    let spans: Vec<_> = (0..8u64).map(|depth| info_span!(target: TARGET, "step", depth).entered()).collect();
    let result = body();
    // Left in the order in which spans are left.
    spans.into_iter().rev().for_each(drop);
    result
}

/// Spans of other requests, open all the while.
pub(super) fn others(count: usize) -> Vec<Span> {
    (0..count).map(|_| request_span()).collect()
}

/// Logs in a span.
#[inline]
pub(super) fn turn(span: &Span) {
    span.in_scope(event);
}

#[inline]
pub(super) fn open_and_close() {
    drop(black_box(db_span()));
}

/// Records a field on a span, and logs in it.
#[inline]
pub(super) fn record(span: &Span) {
    span.record("method", black_box("PUT"));
    span.in_scope(event);
}

/// Opens a span, logs in it, records how it went and closes it.
#[inline]
pub(super) fn whole_request() {
    let request = request();
    let span = info_span!(
        target: TARGET,
        "request",
        request_id = request.request_id,
        trace_id = request.trace_id,
        method = request.method,
        path = request.path,
        peer = "10.1.2.3",
        attempt = query().attempt,
        status = Empty
    );
    let entered = span.enter();
    (0..EVENTS_PER_REQUEST).for_each(|_| event());
    span.record("status", black_box(200u64));
    drop(entered);
}

/// The event, as a record of the `log` crate.
#[inline]
pub(super) fn log_record() {
    let order = order();
    log::info!(
        target: TARGET,
        user_id = order.user_id,
        elapsed_ms = order.elapsed_ms,
        cached = order.cached,
        sku = order.sku;
        "order loaded"
    );
}

#[inline]
pub(super) fn long_text(text: &str) {
    info!(target: TARGET, text, "order loaded");
}

/// Opens a span around a future, polls it to its end and closes the span. `events`: the polls at which it logs.
#[inline]
pub(super) fn instrumented_future(polls: u32, events: &[u32]) {
    let mut future = pin!(Steps { done: 0, polls, events }.instrument(request_span()));
    let mut context = Context::from_waker(Waker::noop());
    while future.as_mut().poll(&mut context).is_pending() {}
}

/// Is ready at the last of its polls, and logs at some.
struct Steps<'e> {
    done: u32,
    polls: u32,
    events: &'e [u32],
}

impl Future for Steps<'_> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<()> {
        self.done += 1;
        if self.events.contains(&self.done) {
            event();
        }
        if self.done < self.polls { Poll::Pending } else { Poll::Ready(()) }
    }
}
