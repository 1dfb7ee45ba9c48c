//! What is counted of the event and the spans that all benchmarks have.

use std::future::{Future, poll_fn};
use std::hint::black_box;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use tracing::field::Empty;
use tracing::{Instrument, Span, debug, info, info_span};

use crate::texts::{ESCAPED, TEXTS};
use crate::uses::USES;

/// What is counted, and today's count: on x86_64, with Rust 1.95.
///
/// The limit is 8 % above. After a change that is worth its instructions, or one that saves some, put the printed
/// count here.
pub(crate) const WORKS: [Work; 23] = [
    Work::new("w0", "disabled call site", 10.0, Part::Caller(disabled, 1)),
    Work::new("w0_inside", "the same, inside two spans", 10.0, Part::Caller(disabled_inside, 1)),
    Work::new("w0_entered", "a span entered, a disabled call site, left", 241.0, Part::Caller(disabled_entered, 1)),
    Work::new("w1e", "event inside two spans", 1522.0, Part::Caller(events_inside, 1)),
    Work::new("w1e_layer", "the same, in a registry of the user", 1500.0, Part::OfLayer(events_inside)),
    Work::new("w1e_two_outputs", "the same, to two outputs", 1799.0, Part::Caller(events_inside, 2)),
    Work::new("w1c", "two spans opened, five events, closed", 14_257.0, Part::Caller(cycles, 1)),
    Work::new("w2", "event outside spans", 1318.0, Part::Caller(events, 1)),
    Work::new("w3", "a span entered and left", 210.0, Part::Caller(enters, 1)),
    Work::new("w3_layer", "the same, in a registry of the user", 466.0, Part::OfLayer(enters)),
    Work::new("poll", "a future polled 100 times, one event", 27_061.0, Part::Caller(polls, 1)),
    Work::new("span", "a span opened and closed", 1957.0, Part::Caller(spans, 1)),
    Work::new("span_inside", "the same, inside two spans", 2533.0, Part::Caller(spans_inside, 1)),
    Work::new("record", "a record and an event", 3069.0, Part::Caller(records, 1)),
    Work::new("request_call", "request: span of 7 fields, 3 events, a record", 8951.0, Part::Caller(requests, 1)),
    Work::new("agent", "event in a span with a user agent", 1522.0, Part::Caller(events_of_agent, 1)),
    Work::new("turns_100", "100 spans in turn, each with an event", 1746.0, Part::Caller(turns::<100>, 1)),
    Work::new("turns_10000", "10,000 spans in turn, each with an event", 2374.0, Part::Caller(turns::<10_000>, 1))
        .in_few(20_000),
    Work::new("deep", "a span in all before, a record on the first", 64_770.0, Part::Caller(deep, 1)),
    Work::new("w1e_line", "worker: line in a known context", 1899.0, Part::Worker { of: "w1e", lines: 1 }),
    Work::new("w2_line", "worker: line outside spans", 1715.0, Part::Worker { of: "w2", lines: 1 }),
    Work::new("w1c_line", "worker: line of w1c", 2776.0, Part::Worker { of: "w1c", lines: EVENTS_PER_CYCLE }),
    Work::new("turns_line", "worker: line of turns_100", 1886.0, Part::Worker { of: "turns_100", lines: 1 }),
];

/// What looking for secrets may cost, in parts of what it costs without.
pub(crate) const REDACTED: [(&str, f64); 6] =
    [("w1e", 1.05), ("w1c", 1.05), ("w2", 1.05), ("w1e_line", 1.34), ("w2_line", 1.5), ("w1c_line", 1.33)];

/// The filter of the layer `asked`: somebody has asked for the detail of a request, but of another one.
pub(crate) const ASKED: &str = "info,[request{request_id=another}]=debug";

/// How many instructions more such a filter may take: of an event that it does not change, and of one that it alone could
/// enable, outside and inside spans. The first such call site after a span was entered or left looks up the current span.
pub(crate) const BESIDE_ASKED: [(&str, f64); 4] =
    [("w1e", 60.0), ("w0", 100.0), ("w0_inside", 100.0), ("w0_entered", 375.0)];

/// How many times its instructions an event may take under the layer `changed`, whose outputs have changed once.
pub(crate) const CHANGED: [(&str, f64); 3] = [("w1e", 1.24), ("w1e_two_outputs", 1.2), ("w2", 1.25)];

/// Operations of most works in the shorter run.
const OPERATIONS: u32 = 5_000;

const EVENTS_PER_CYCLE: u32 = 5;

pub(crate) struct Work {
    pub(crate) name: &'static str,
    pub(crate) what: &'static str,
    pub(crate) today: f64,
    pub(crate) part: Part,
    /// Operations in the shorter run; three times as many in the longer.
    pub(crate) operations: u32,
}

#[derive(Clone, Copy)]
pub(crate) enum Part {
    /// What the logging thread repeats under `init`, with a number of outputs.
    Caller(fn(u32), usize),
    /// The same under `build`, with one output.
    OfLayer(fn(u32)),
    /// What the worker does for each line of another work.
    Worker { of: &'static str, lines: u32 },
}

impl Work {
    pub(crate) const fn new(name: &'static str, what: &'static str, today: f64, part: Part) -> Self {
        Self { name, what, today, part, operations: OPERATIONS }
    }

    /// Sets the operations of the shorter run.
    const fn in_few(self, operations: u32) -> Self {
        Self { operations, ..self }
    }

    pub(crate) fn named(name: &str) -> &'static Self {
        let texts = TEXTS.iter().chain(&ESCAPED).flat_map(|text| &text.works);
        let uses = USES.iter().flat_map(|used| &used.works);
        WORKS.iter().chain(texts).chain(uses).find(|work| work.name == name).expect("a work")
    }
}

fn disabled(times: u32) {
    for _ in 0..times {
        debug!(user_id = black_box(42u64), elapsed_ms = 3.25f64, cached = true, sku = "AB-1234", "order loaded");
    }
}

fn disabled_inside(times: u32) {
    let _request = request().entered();
    let _db = db().entered();
    disabled(times);
}

fn disabled_entered(times: u32) {
    let span = request();
    for _ in 0..times {
        black_box(&span).in_scope(|| disabled(1));
    }
}

#[inline(always)]
pub(crate) fn event() {
    info!(user_id = black_box(42u64), elapsed_ms = 3.25f64, cached = true, sku = "AB-1234", "order loaded");
}

pub(crate) fn request() -> Span {
    info_span!(
        "request",
        request_id = "0d5fbc1c-6e13-4a5e-9d37-0a2f7d6b5c11",
        trace_id = "4bf92f3577b34da6a3ce929d0e0e4736",
        method = "GET",
        path = "/api/orders/42"
    )
}

fn db() -> Span {
    info_span!("db", table = "orders", attempt = 1u64)
}

fn events(times: u32) {
    for _ in 0..times {
        event();
    }
}

pub(crate) fn events_inside(times: u32) {
    let _request = request().entered();
    let _db = db().entered();
    events(times);
}

fn cycles(times: u32) {
    for _ in 0..times {
        events_inside(EVENTS_PER_CYCLE);
    }
}

fn enters(times: u32) {
    let span = request();
    for _ in 0..times {
        black_box(&span).in_scope(|| black_box(()));
    }
}

fn polls(times: u32) {
    let mut context = Context::from_waker(Waker::noop());
    for _ in 0..times {
        let mut left = 100;
        let future = poll_fn(|_| {
            left -= 1;
            if left > 0 {
                return Poll::Pending;
            }
            event();
            Poll::Ready(())
        });
        let mut future = pin!(future.instrument(request()));
        while future.as_mut().poll(&mut context).is_pending() {}
    }
}

fn spans(times: u32) {
    for _ in 0..times {
        black_box(db());
    }
}

fn spans_inside(times: u32) {
    let _request = request().entered();
    let _db = db().entered();
    spans(times);
}

fn records(times: u32) {
    let request = request().entered();
    for _ in 0..times {
        request.record("method", black_box("PUT"));
        event();
    }
}

pub(crate) fn requests(times: u32) {
    for _ in 0..times {
        let span = info_span!(
            "request",
            request_id = "0d5fbc1c-6e13-4a5e-9d37-0a2f7d6b5c11",
            trace_id = "4bf92f3577b34da6a3ce929d0e0e4736",
            method = "GET",
            path = "/api/orders/42",
            peer = "10.1.2.3",
            attempt = 1u64,
            status = Empty
        );
        let entered = span.enter();
        (0..3).for_each(|_| event());
        span.record("status", black_box(200u64));
        drop(entered);
    }
}

fn events_of_agent(times: u32) {
    let user_agent =
        "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36";
    let _request = info_span!("request", method = "GET", path = "/api/orders/42", user_agent).entered();
    events(times);
}

fn turns<const SPANS: usize>(times: u32) {
    let spans: Vec<_> = (0..SPANS).map(|_| request()).collect();
    (0..times as usize).for_each(|turn| spans[turn % SPANS].in_scope(event));
}

/// Opens spans in one another and enters them, with a record on the outermost each time; leaves and closes them in order.
fn deep(times: u32) {
    let outermost = request();
    let mut entered = vec![outermost.clone().entered()];
    for _ in 0..times {
        entered.push(db().entered());
        outermost.record("method", black_box("PUT"));
    }
    while entered.pop().is_some() {}
}
