//! The claim that what the spans hand down is rendered once and reused: what one line costs the worker to render.
//!
//! `cargo bench --all-features --bench render`: a schema around `Flat`, and one around `Console`, renders each record
//! many times over and takes the time; the other schemas, and `Flat` with edits, do so for one of the cases. Beside it,
//! `serde_json` writes a map with the same members as the line of `Flat`. Medians of interleaved rounds are printed, and
//! the ratio of `serde_json` to `Flat`.

#![allow(clippy::expect_used, clippy::print_stdout)]

use std::hint::black_box;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::{self, Receiver, Sender};
use std::time::{Duration, Instant};

use spanline::propagate::TraceContext;
use spanline::record::Record;
use spanline::schema::{Console, Flat, Schema};
use spanline::schema::{Edits, built_in};
use spanline::sink::Sink;
use spanline::sink::{Lines, Next};
use spanline::{Error, Guard, Output};
use tracing::{Dispatch, Span, dispatcher, info, info_span};
use tracing_subscriber::prelude::*;

const ROUNDS: usize = 21;
/// A record is rendered so often in a round.
const TIMES: u32 = 1_000;
/// Records in a round where each is rendered once, as it has its own context.
const FRESH: usize = 500;

/// What is rendered.
struct Case {
    what: &'static str,
    log: fn(),
    /// Whether the second rendering would differ from the first.
    once: bool,
}

const CASES: [Case; 7] = [
    Case { what: "event outside spans", log: order_loaded, once: false },
    Case { what: "two spans, known", log: || in_spans(order_loaded), once: false },
    Case { what: "two spans, new for each", log: || in_spans(order_loaded), once: true },
    Case { what: "two spans, a key in both", log: || in_spans(order_posted), once: false },
    Case { what: "two spans, two variables", log: with_variables, once: false },
    Case { what: "two spans, a remote caller", log: from_elsewhere, once: true },
    Case { what: "4 kB of text to escape", log: long_text, once: false },
];

fn order_loaded() {
    info!(user_id = 42u64, elapsed_ms = 3.25f64, cached = true, sku = "AB-1234", "order loaded");
}

fn order_posted() {
    info!(user_id = 42u64, elapsed_ms = 3.25f64, cached = true, method = "POST", "order loaded");
}

fn long_text() {
    let text = "SELECT \"id\",\n\t\"name\" FROM \"Aufträge\" \\\n".repeat(100);
    info!(text, "query");
}

fn in_spans(log: fn()) {
    let _request = request().entered();
    let _db = info_span!("db", table = "orders", attempt = 1u64).entered();
    log();
}

fn with_variables() {
    spanline::with("tenant", "acme").and("attempt", 2).in_scope(|| in_spans(order_loaded));
}

fn from_elsewhere() {
    let traceparent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    let caller = TraceContext::from_traceparent(traceparent).expect("well-formed");
    let caller = caller.with_tracestate("congo=t61rcWkgMzE").expect("well-formed");
    caller.in_scope(|| in_spans(order_loaded));
}

fn request() -> Span {
    info_span!(
        "request",
        request_id = "0d5fbc1c-6e13-4a5e-9d37-0a2f7d6b5c11",
        trace_id = "4bf92f3577b34da6a3ce929d0e0e4736",
        method = "GET",
        path = "/api/orders/42"
    )
}

fn main() {
    let clock = clock_nanos();
    let mut flat = Stage::new(Flat::new());
    let mut console = Stage::new(Console::new());
    let mut figures = [const { [const { Vec::new() }; 3] }; CASES.len()];
    let mut bytes = [(0, 0); CASES.len()];
    // The first round makes what is made once.
    for round in 0..=ROUNDS {
        for (place, case) in CASES.iter().enumerate() {
            let (flat, line) = flat.round(case, clock);
            let (console, text) = console.round(case, clock);
            bytes[place] = (line.len(), text.len());
            if round > 0 {
                let round = [flat, console, serde_json(&line)];
                figures[place].iter_mut().zip(round).for_each(|(figures, figure)| figures.push(figure));
            }
        }
    }
    println!("{:26} {:>16} {:>16} {:>11} {:>6}", "ns (bytes) per line", "Flat", "Console", "serde_json", "ratio");
    for ((case, figures), (line, text)) in CASES.iter().zip(figures).zip(bytes) {
        let [flat, console, map] = figures.map(median);
        println!("{:26} {flat:9.0} ({line:4}) {console:9.0} ({text:4}) {map:11.0} {:6.1}", case.what, map / flat);
    }
    others(clock);
}

/// What the other schemas take for a line inside of two spans, and `Flat` with a key renamed and one dropped.
fn others(clock: f64) {
    let case = &CASES[1];
    println!("\n{:26} {:>16}", format!("{}, by", case.what), "ns (bytes)");
    let edits = Edits::new().rename("timestamp", "ts").remove("spans");
    let edited = ("flat, edited", edits.on(Flat::new()));
    let schemas = built_in().map(|schema| (schema.name, schema.schema()));
    for (name, schema) in schemas.chain([edited]) {
        let mut stage = Stage::new(schema);
        let rounds: Vec<_> = (0..=ROUNDS).map(|_| stage.round(case, clock)).skip(1).collect();
        let bytes = rounds.last().map_or(0, |(_, line)| line.len());
        println!("{name:26} {:9.0} ({bytes:4})", median(rounds.into_iter().map(|(nanos, _)| nanos).collect()));
    }
}

/// Nanoseconds that `serde_json` takes to write the line's members.
fn serde_json(line: &[u8]) -> f64 {
    let members: serde_json::Map<String, serde_json::Value> = serde_json::from_slice(line).expect("an object");
    let mut out = Vec::with_capacity(2 * line.len());
    let begun = Instant::now();
    for _ in 0..TIMES {
        out.clear();
        serde_json::to_writer(&mut out, black_box(&members)).expect("written");
        black_box(&out);
    }
    begun.elapsed().as_nanos() as f64 / f64::from(TIMES)
}

/// What taking the time takes itself.
fn clock_nanos() -> f64 {
    median((0..10_000).map(|_| Instant::now().elapsed().as_nanos() as f64).collect())
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// A log with one schema, and what it measures.
struct Stage {
    dispatch: Dispatch,
    guard: Guard,
    times: Arc<AtomicU32>,
    measured: Receiver<(Duration, Vec<u8>)>,
}

impl Stage {
    fn new(inner: impl Schema) -> Self {
        let (sender, measured) = mpsc::channel();
        let times = Arc::new(AtomicU32::new(1));
        let schema = Timed { inner, times: Arc::clone(&times), scratch: Vec::new(), sender };
        let (layer, guard) = spanline::builder().output(Output::new(Null).schema(schema)).build().expect("a layer");
        Self { dispatch: Dispatch::new(tracing_subscriber::registry().with(layer)), guard, times, measured }
    }

    /// Nanoseconds per line of a case, and the line.
    fn round(&mut self, case: &Case, clock: f64) -> (f64, Vec<u8>) {
        let (records, times) = if case.once { (FRESH, 1) } else { (1, TIMES) };
        self.times.store(times, Ordering::Relaxed);
        dispatcher::with_default(&self.dispatch, || (0..records).for_each(|_| (case.log)()));
        self.guard.handle().flush(Duration::from_secs(10)).expect("written");
        let mut line = Vec::new();
        let mut figures = Vec::with_capacity(records);
        for (took, rendered) in self.measured.try_iter() {
            figures.push((took.as_nanos() as f64 - clock) / f64::from(times));
            line = rendered;
        }
        assert_eq!(figures.len(), records);
        (median(figures), line)
    }
}

/// Renders each record this many times into a buffer that is thrown away.
struct Timed<S> {
    inner: S,
    times: Arc<AtomicU32>,
    scratch: Vec<u8>,
    sender: Sender<(Duration, Vec<u8>)>,
}

impl<S: Schema> Schema for Timed<S> {
    fn render(&mut self, record: &Record<'_>, out: &mut Vec<u8>) {
        let times = self.times.load(Ordering::Relaxed);
        if times > 1 {
            // What is known from the first time on is not in the figure.
            self.inner.render(record, &mut self.scratch);
        }
        let begun = Instant::now();
        for _ in 0..times {
            self.scratch.clear();
            self.inner.render(black_box(record), &mut self.scratch);
            black_box(&self.scratch);
        }
        let _ = self.sender.send((begun.elapsed(), self.scratch.clone()));
        out.extend_from_slice(&self.scratch);
    }

    fn wants_thread(&self) -> bool {
        self.inner.wants_thread()
    }
}

/// Forgets its lines.
struct Null;

impl Sink for Null {
    fn write(&mut self, lines: &mut Lines) -> Result<Next, Error> {
        lines.advance(lines.as_bytes().len());
        Ok(Next::Done)
    }
}
