//! What the log costs in instructions: counts, so that a change for the worse shows on a busy machine too.
//!
//! `cargo bench --all-features --bench instructions` fails when a count is above its limit in [`WORKS`]. It needs
//! valgrind: the program runs itself under callgrind with N and with 3 N operations, and the difference, divided by
//! 2 N, is the count of one; the start cancels out.
//!
//! While the thread that logs is counted, the worker stands still in a sink that waits at a gate. For the worker's
//! lines the gate is opened afterwards, everything is drained, and what the thread that logs took is subtracted. What
//! is not counted is the kernel's work; valgrind has no vDSO, so reading the clock is the kernel's too.
//!
//! The floor is the same work for an empty layer that looks up the current span, under `Targets`; for spans in one another
//! it is a bare registry.
//!
//! Some works are counted twice more: with nothing redacted, and with names and values redacted, of which there are none.
//! The second may cost so much more than the first as [`REDACTED`] says. For [`TEXTS`], the difference is counted for each
//! byte. For [`ESCAPED`], the whole line is counted for each byte, with nothing redacted.

#![allow(clippy::expect_used, clippy::print_stdout, clippy::disallowed_methods)]

use std::hint::black_box;
use std::process::{Command, ExitCode, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Barrier, LazyLock, Mutex};
use std::time::Duration;

use spanline::sink::Sink;
use spanline::sink::{Lines, Next};
use spanline::{Guard, Output, Redact};
use tracing::level_filters::LevelFilter;
use tracing::subscriber::set_global_default;
use tracing::{Event, Span, Subscriber, debug, info, info_span};
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::Context;
use tracing_subscriber::prelude::*;
use tracing_subscriber::registry::LookupSpan;

/// What is counted, and today's count: on x86_64, with Rust 1.95.
///
/// The limit is 8 % above. After a change that is worth its instructions, or one that saves some, put the printed
/// count here.
const WORKS: [Work; 9] = [
    Work::new("w0", "disabled call site", 10.0, Part::Caller(disabled, 1)),
    Work::new("w1e", "event inside two spans", 1403.0, Part::Caller(events_inside, 1)),
    Work::new("w1e_two_outputs", "the same, to two outputs", 1628.0, Part::Caller(events_inside, 2)),
    Work::new("w1c", "two spans opened, five events, closed", 13_561.0, Part::Caller(cycles, 1)),
    Work::new("w2", "event outside spans", 1211.0, Part::Caller(events, 1)),
    Work::new("w3", "a span entered and left", 461.0, Part::Caller(enters, 1)),
    Work::new("deep", "a span in all before, a record on the first", 66_060.0, Part::Caller(deep, 1)),
    Work::new("w1e_line", "worker: line in a known context", 1765.0, Part::Worker { of: "w1e", lines: 1 }),
    Work::new("w1c_line", "worker: line of w1c", 2753.0, Part::Worker { of: "w1c", lines: EVENTS_PER_CYCLE }),
];

/// What looking for secrets may cost, in parts of what it costs without.
const REDACTED: [(&str, f64); 4] = [("w1e", 1.05), ("w1c", 1.05), ("w1e_line", 1.34), ("w1c_line", 1.33)];

/// Texts of the real world, and what looking for secrets in one of their bytes may cost. Each is the field of an event,
/// and has no secret.
const TEXTS: [Text; 5] = [
    Text::new("url", "url_line", URL, url, 6.9),
    Text::new("user_agent", "user_agent_line", USER_AGENT, user_agent, 6.1),
    Text::new("sql", "sql_line", SQL, sql, 6.4),
    Text::new("trace", "trace_line", TRACE, trace, 5.1),
    Text::new("json", "json_line", JSON, json, 16.6),
];

const URL: &str = "https://shop.example.org/products/blue-shoes?color=navy&size=42&page=2&sort=-created#reviews";
const USER_AGENT: &str =
    "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 Safari/537.36";
const SQL: &str = "SELECT o.id, o.total, c.name FROM orders o JOIN customers c ON c.id = o.customer_id \
    WHERE o.state = 'open' ORDER BY o.created_at DESC";
const TRACE: &str = "   0: orders::db::load\n             at src/db.rs:42:17\n   1: orders::handler::show\n             \
    at src/handler.rs:17:9\n   2: tokio::runtime::task::core::poll\n             at tokio-1.45/src/runtime/task/core.rs:331:9";
const JSON: &str =
    r#"response: {"order":{"id":4711,"state":"open","items":[{"sku":"AB-1234","count":2}]},"cached":true}"#;

/// Messages of 4 KiB with characters beyond ASCII or characters that JSON escapes, and what the worker's whole line may
/// cost for each byte of them.
const ESCAPED: [Text; 8] = [
    Text::large("cyrillic", "cyrillic_line", cyrillic, 2.9),
    Text::large("chinese", "chinese_line", chinese, 5.9),
    Text::large("german", "german_line", german, 2.9),
    Text::large("emoji", "emoji_line", emoji, 6.5),
    Text::large("quotes", "quotes_line", quotes, 8.9),
    Text::large("json_text", "json_text_line", json_text, 8.6),
    Text::large("paths", "paths_line", paths, 8.6),
    Text::large("lines", "lines_line", lines, 8.2),
];

const LARGE_BYTES: usize = 4096;

/// Fewer operations for large texts: all of them wait in the queue.
const LARGE_OPERATIONS: u32 = OPERATIONS / 10;

struct Text {
    /// The events, and the lines that the worker writes of them.
    works: [Work; 2],
    bytes: usize,
    /// Instructions for each byte.
    most: f64,
}

impl Text {
    const fn new(event: &'static str, line: &'static str, text: &str, operation: fn(u32), most: f64) -> Self {
        let events = Work::new(event, "event with this text", 0.0, Part::Caller(operation, 1));
        let lines = Work::new(line, "worker: line of it", 0.0, Part::Worker { of: event, lines: 1 });
        Self { works: [events, lines], bytes: text.len(), most }
    }

    const fn large(event: &'static str, line: &'static str, operation: fn(u32), most: f64) -> Self {
        let events = Work::new(event, "event with this text", 0.0, Part::Caller(operation, 1));
        let lines = Work::new(line, "worker: line of it", 0.0, Part::Worker { of: event, lines: 1 });
        let works = [Work { operations: LARGE_OPERATIONS, ..events }, Work { operations: LARGE_OPERATIONS, ..lines }];
        Self { works, bytes: LARGE_BYTES, most }
    }
}

fn url(times: u32) {
    (0..times).for_each(|_| info!(text = black_box(URL), "text"));
}

fn user_agent(times: u32) {
    (0..times).for_each(|_| info!(text = black_box(USER_AGENT), "text"));
}

fn sql(times: u32) {
    (0..times).for_each(|_| info!(text = black_box(SQL), "text"));
}

fn trace(times: u32) {
    (0..times).for_each(|_| info!(text = black_box(TRACE), "text"));
}

fn json(times: u32) {
    (0..times).for_each(|_| info!(text = black_box(JSON), "text"));
}

/// Defines the operations of [`ESCAPED`]: events whose message is a text, repeated until it is large.
macro_rules! large {
    ($($name:ident: $text:expr),* $(,)?) => {
        $(fn $name(times: u32) {
            static TEXT: LazyLock<String> = LazyLock::new(|| filled($text));
            let text = TEXT.as_str();
            (0..times).for_each(|_| info!(message = black_box(text)));
        })*
    };
}

large! {
    cyrillic: "Не удалось загрузить заказ: соединение с базой данных потеряно, повтор через пять секунд. ",
    chinese: "无法加载订单：与数据库的连接已断开，五秒后重试。用户“王小明”的购物车里有三件商品。",
    german: "Die Bestellung für Frau Müller in Köln wurde übernommen; das Päckchen geht morgen früh über Nürnberg. ",
    emoji: "🚀🎉 order shipped 📦✅ — 👩‍💻 thanks you ❤️🙏 ",
    quotes: "\"",
    json_text: r#"{"order":{"id":4711,"state":"open","items":[{"sku":"AB-1234","count":2}]},"cached":true}"#,
    paths: r"C:\Users\Service\AppData\Local\Orders\cache\2026-11-29\4711.json ",
    lines: "error: connection refused\n\tat orders::db::load (src/db.rs:42)\n\tat orders::handler::show (src/handler.rs:17)\n",
}

fn filled(part: &str) -> String {
    part.repeat(LARGE_BYTES / part.len()) + &" ".repeat(LARGE_BYTES % part.len())
}

/// What a bare registry takes may be multiplied by this: promise 35, for 5,000 and for 15,000 spans in one another.
const DEEP: f64 = 3.0;

const LIMIT: f64 = 1.08;
/// Below this part of today's count, the limit has become too wide.
const TIGHTEN: f64 = 0.9;

/// Operations of most works in the shorter run.
const OPERATIONS: u32 = 5_000;

const EVENTS_PER_CYCLE: u32 = 5;

/// Room for all that is logged while the worker stands still, twice: a queue more than half full wakes its worker.
const QUEUE_BYTES: u64 = 64 << 20;

struct Work {
    name: &'static str,
    what: &'static str,
    today: f64,
    part: Part,
    /// Operations in the shorter run; three times as many in the longer.
    operations: u32,
}

#[derive(Clone, Copy)]
enum Part {
    /// What the logging thread repeats, with a number of outputs.
    Caller(fn(u32), usize),
    /// What the worker does for each line of another work.
    Worker { of: &'static str, lines: u32 },
}

impl Work {
    const fn new(name: &'static str, what: &'static str, today: f64, part: Part) -> Self {
        Self { name, what, today, part, operations: OPERATIONS }
    }

    fn named(name: &str) -> &'static Self {
        let texts = TEXTS.iter().chain(&ESCAPED).flat_map(|text| &text.works);
        WORKS.iter().chain(texts).find(|work| work.name == name).expect("a work")
    }
}

fn disabled(times: u32) {
    for _ in 0..times {
        debug!(user_id = black_box(42u64), elapsed_ms = 3.25f64, cached = true, sku = "AB-1234", "order loaded");
    }
}

#[inline(always)]
fn event() {
    info!(user_id = black_box(42u64), elapsed_ms = 3.25f64, cached = true, sku = "AB-1234", "order loaded");
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

fn db() -> Span {
    info_span!("db", table = "orders", attempt = 1u64)
}

fn events(times: u32) {
    for _ in 0..times {
        event();
    }
}

fn events_inside(times: u32) {
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

fn main() -> ExitCode {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["run", layer, work, times] => {
            run(layer, Work::named(work), times.parse().expect("a number"));
            ExitCode::SUCCESS
        }
        _ => compare(),
    }
}

/// Counts everything, prints the table and judges it.
fn compare() -> ExitCode {
    if let Err(error) = Command::new("valgrind").arg("--version").stdout(Stdio::null()).status() {
        println!("the instructions cannot be counted: valgrind does not run ({error}); install the package `valgrind`");
        return ExitCode::FAILURE;
    }
    let counts = count_all();
    let find = |layer, name| counts.iter().find(|(run, _)| run.layer == layer && run.work.name == name);
    let mut wrong = Vec::new();
    let mut notes = Vec::new();
    println!("{:16} {:44} {:>9} {:>9} {:>9}", "instructions", "", "count", "limit", "floor");
    let count_of = |layer, work: &Work| {
        let (_, count) = find(layer, work.name)?;
        Some(match work.part {
            Part::Caller(..) => *count,
            Part::Worker { of, lines } => (count - find(layer, of).map_or(0.0, |(_, count)| *count)) / f64::from(lines),
        })
    };
    for work in &WORKS {
        let Some(count) = count_of("ours", work) else { continue };
        let limit = (work.today * LIMIT).ceil();
        let floor = find("floor", work.name).map_or("–".to_owned(), |(_, floor)| format!("{floor:.1}"));
        println!("{:16} {:44} {count:9.1} {limit:9.0} {floor:>9}", work.name, work.what);
        if count > limit {
            wrong.push(format!("{}: {count:.1} instructions are above the limit of {limit:.0}", work.name));
        } else if count < work.today * TIGHTEN {
            notes.push(format!("{}: {count:.1}, once {:.1}: tighten the limit", work.name, work.today));
        }
    }
    if let (Some((_, ours)), Some((_, bare))) = (find("ours", "deep"), find("floor", "deep"))
        && *ours > DEEP * bare
    {
        wrong.push(format!("deep: {ours:.1} instructions are more than {DEEP} times the {bare:.1} of a bare registry"));
    }
    println!("{:16} {:44} {:>9} {:>9} {:>9}", "redaction", "", "without", "with", "ratio");
    for (name, most) in REDACTED {
        let work = Work::named(name);
        let (Some(open), Some(redacted)) = (count_of("open", work), count_of("redacted", work)) else { continue };
        let ratio = redacted / open;
        println!("{name:16} {:44} {open:9.1} {redacted:9.1} {ratio:9.3}", work.what);
        if ratio > most {
            wrong.push(format!("{name}: redaction costs {ratio:.3} of what it does without, above {most}"));
        }
    }
    println!("{:16} {:44} {:>9} {:>9} {:>9}", "each byte", "", "bytes", "count", "limit");
    for Text { works: [_, line], bytes, most } in &TEXTS {
        let (Some(open), Some(redacted)) = (count_of("open", line), count_of("redacted", line)) else { continue };
        let each = (redacted - open) / *bytes as f64;
        println!("{:16} {:44} {bytes:9} {each:9.1} {most:9.1}", line.name, "looking for secrets in its text");
        if each > *most {
            wrong.push(format!("{}: {each:.1} instructions for each byte, above {most}", line.name));
        }
    }
    for Text { works: [_, line], bytes, most } in &ESCAPED {
        let Some(count) = count_of("open", line) else { continue };
        let each = count / *bytes as f64;
        println!("{:16} {:44} {bytes:9} {each:9.1} {most:9.1}", line.name, "the whole line");
        if each > *most {
            wrong.push(format!("{}: {each:.1} instructions for each byte, above {most}", line.name));
        }
    }
    notes.iter().for_each(|note| println!("note: {note}"));
    if !cfg!(target_arch = "x86_64") {
        println!("the limits are for x86_64: nothing is judged here");
        return ExitCode::SUCCESS;
    }
    wrong.iter().for_each(|wrong| println!("error: {wrong}"));
    if wrong.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// A work for one of the layers.
#[derive(Clone, Copy)]
struct Run {
    layer: &'static str,
    work: &'static Work,
}

impl Run {
    /// Instructions of one operation.
    fn count(self) -> f64 {
        let operations = self.work.operations;
        let [few, many] = [operations, 3 * operations].map(|times| self.collected(times));
        (many as f64 - few as f64) / f64::from(2 * operations)
    }

    /// Instructions of a whole run.
    fn collected(self, times: u32) -> u64 {
        let output = Command::new("valgrind")
            .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
            .arg(std::env::current_exe().expect("a path"))
            .args(["run", self.layer, self.work.name, &times.to_string()])
            .output()
            .expect("valgrind");
        let text = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{} of {} failed:\n{text}", self.work.name, self.layer);
        let line = text.lines().find_map(|line| line.split_once("Collected :"));
        line.and_then(|(_, number)| number.trim().parse().ok()).expect("a count from callgrind")
    }
}

/// Several at a time: counts do not mind.
fn count_all() -> Vec<(Run, f64)> {
    let mut runs = Vec::new();
    for work in &WORKS {
        runs.push(Run { layer: "ours", work });
        if REDACTED.iter().any(|(name, _)| *name == work.name) {
            runs.extend(["open", "redacted"].map(|layer| Run { layer, work }));
        }
        if matches!(work.part, Part::Caller(..)) {
            runs.push(Run { layer: "floor", work });
        }
    }
    let texts = TEXTS.iter().flat_map(|text| &text.works);
    runs.extend(texts.flat_map(|work| ["open", "redacted"].map(|layer| Run { layer, work })));
    runs.extend(ESCAPED.iter().flat_map(|text| &text.works).map(|work| Run { layer: "open", work }));
    let next = AtomicUsize::new(0);
    let counts = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(1, usize::from).min(8) {
            scope.spawn(|| {
                while let Some(run) = runs.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let count = run.count();
                    counts.lock().expect("counts").push((*run, count));
                }
            });
        }
    });
    counts.into_inner().expect("counts")
}

/// The program that is counted.
fn run(layer: &str, work: &Work, times: u32) {
    let (caller, drain) = match work.part {
        Part::Caller(..) => (work, false),
        Part::Worker { of, .. } => (Work::named(of), true),
    };
    let Part::Caller(operation, outputs) = caller.part else { unreachable!("lines of lines") };
    if layer == "floor" && work.name == "deep" {
        set_global_default(tracing_subscriber::registry()).expect("the first");
        operation(times);
        return;
    }
    if layer == "floor" {
        let empty = Empty.with_filter(Targets::new().with_default(LevelFilter::INFO));
        set_global_default(tracing_subscriber::registry().with(empty)).expect("the first");
        operation(times);
        return;
    }
    // The end of the process does not wait for a worker that stays where it is.
    let patience = if drain { Duration::from_secs(600) } else { Duration::ZERO };
    let redact = match layer {
        "open" => Redact::none(),
        "redacted" => Redact::new().values(),
        _ => Redact::new(),
    };
    let (guard, gates) = gated(outputs, patience, redact);
    operation(times);
    assert_eq!(guard.handle().metrics().dropped(), 0, "the queue is too small");
    if drain {
        gates.iter().for_each(Gate::pass);
        guard.close().expect("all written");
    } else {
        std::mem::forget(guard);
    }
}

/// A log whose workers stand at their gates.
fn gated(outputs: usize, patience: Duration, redact: Redact) -> (Guard, Vec<Gate>) {
    let gates: Vec<_> = (0..outputs).map(|_| Gate::new()).collect();
    let mut builder = spanline::builder().redact(redact).shutdown_timeout(patience, patience).on_complaint(|_| {});
    for gate in &gates {
        let sink = Null { gate: Some(gate.clone()) };
        builder = builder.output(Output::new(sink).queue_bytes(QUEUE_BYTES));
    }
    let (layer, guard) = builder.build().expect("a layer");
    set_global_default(tracing_subscriber::registry().with(layer)).expect("the first");
    info!("the line on which the workers wait");
    gates.iter().for_each(Gate::pass);
    (guard, gates)
}

/// Where two threads wait for each other.
#[derive(Clone)]
struct Gate(Arc<Barrier>);

impl Gate {
    fn new() -> Self {
        Self(Arc::new(Barrier::new(2)))
    }

    fn pass(&self) {
        self.0.wait();
    }
}

/// Forgets its lines; before the first, it says that it is there and waits to be let through.
struct Null {
    gate: Option<Gate>,
}

impl Sink for Null {
    fn write(&mut self, lines: &mut Lines) -> Result<Next, spanline::Error> {
        if let Some(gate) = self.gate.take() {
            gate.pass();
            gate.pass();
        }
        lines.advance(lines.as_bytes().len());
        Ok(Next::Done)
    }
}

/// The least that a layer does which knows where an event belongs.
struct Empty;

impl<S: Subscriber + for<'a> LookupSpan<'a>> tracing_subscriber::Layer<S> for Empty {
    fn on_event(&self, event: &Event<'_>, registry: Context<'_, S>) {
        black_box(registry.event_span(event).is_some());
    }
}
