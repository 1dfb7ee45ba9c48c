//! What a sink gets with its lines: columns, and the schema that it needs.

use std::sync::{Arc, Mutex};

use serde_json::{Value, json};
use spanline::schema::{Edits, Flat, Logfmt};
use spanline::sink::{Async, AsyncSink, Batch, Control, Line, Lines, Memory, Next, Profile, Sink};
use spanline::{Error, Output, Redact};
use tracing::subscriber::with_default;
use tracing::{debug, error, info, info_span};
use tracing_subscriber::prelude::*;

use crate::support::stage::{NOW, fixed};

/// One line as a sink with columns saw it.
#[derive(Clone, Debug)]
struct Seen {
    line: Value,
    target: Option<String>,
    trace_id: Option<String>,
    span_id: Option<String>,
    request_id: Option<String>,
}

fn text(digits: &[u8]) -> String {
    String::from_utf8(digits.to_vec()).unwrap()
}

/// Compares what comes beside the line with what is in it.
#[track_caller]
fn seen(line: &Line<'_>) -> Seen {
    let columns = line.columns.expect("the sink asked for columns");
    let seen = Seen {
        line: serde_json::from_slice(line.bytes).unwrap(),
        target: line.target.map(str::to_owned),
        trace_id: columns.trace_id.map(|id| text(&id.digits())),
        span_id: columns.span_id.map(|id| text(&id.digits())),
        request_id: columns.request_id.as_deref().map(str::to_owned),
    };
    let in_line = |key: &str| seen.line[key].as_str().map(str::to_owned);
    assert_eq!(in_line("trace_id"), seen.trace_id, "{seen:?}");
    assert_eq!(in_line("span_id"), seen.span_id, "{seen:?}");
    assert_eq!(in_line("target"), seen.target, "{seen:?}");
    let request_id = match &seen.line["request_id"] {
        Value::Null => None,
        Value::String(id) => Some(id.clone()),
        id => Some(id.to_string()),
    };
    assert_eq!(request_id, seen.request_id, "{seen:?}");
    assert_eq!((in_line("level").unwrap(), NOW), (line.level.to_string(), line.time), "{seen:?}");
    seen
}

/// Takes one line at a time, and refuses those whose message is `bad`.
#[derive(Clone, Default)]
struct Table {
    rows: Arc<Mutex<Vec<Seen>>>,
    /// Each line goes twice: the first time it is given back.
    is_unsteady: bool,
}

impl Table {
    fn rows(&self) -> Vec<Seen> {
        self.rows.lock().unwrap().clone()
    }
}

impl Sink for Table {
    fn write(&mut self, lines: &mut Lines) -> Result<Next, Error> {
        let all: Vec<_> = lines.iter().map(|line| seen(&line)).collect();
        if all.iter().any(|row| row.line["message"] == "bad") {
            return Err(Error::rejected("bad line"));
        }
        if self.is_unsteady && lines.in_flight() == 0 {
            lines.hand_over(lines.as_bytes().len());
            lines.iter_in_flight().for_each(|line| drop(seen(&line)));
            self.is_unsteady = false;
            return Err(Error::retry("not now"));
        }
        self.rows.lock().unwrap().extend(all);
        lines.advance(lines.as_bytes().len());
        Ok(Next::Done)
    }

    fn profile(&self) -> Profile {
        Profile::new("table").columns()
    }
}

fn rows(table: &Table, builder: spanline::Builder, run: impl FnOnce()) -> Vec<Seen> {
    let (layer, guard) = builder.output(Output::new(table.clone())).build().unwrap();
    with_default(tracing_subscriber::registry().with(layer), run);
    guard.close().unwrap();
    table.rows()
}

#[test]
fn columns_hold_what_is_in_the_line() {
    let rows = rows(&Table::default(), fixed(), || {
        info!("outside");
        info_span!("root", request_id = "r-1").in_scope(|| {
            info!("in a span");
            info_span!("inner").in_scope(|| info!(target: "orders::db", "in two"));
            info_span!("inner", request_id = 7).in_scope(|| info!("the inner one's"));
            info!(request_id = "r-2", "its own");
            info!(request_id = tracing::field::display("r-3"), "its own, displayed");
            info!(request_id = true, "its own, a boolean");
        });
        let later = info_span!("root", request_id = tracing::field::Empty);
        later.in_scope(|| info!("not yet"));
        later.record("request_id", "r-4");
        later.in_scope(|| info!("recorded later"));
        spanline::with("request_id", "r-5").in_scope(|| info!("a variable"));
        info!(parent: &later, "in a span that is not entered");
    });
    let ids: Vec<_> = rows.iter().map(|row| row.request_id.as_deref()).collect();
    let expected = [
        None,
        Some("r-1"),
        Some("r-1"),
        Some("7"),
        Some("r-2"),
        Some("r-3"),
        Some("true"),
        None,
        Some("r-4"),
        Some("r-5"),
        Some("r-4"),
    ];
    assert_eq!(ids, expected);
    let has_span = |row: &Seen| row.trace_id.is_some() && row.span_id.is_some();
    assert!(rows.iter().filter(|row| has_span(row)).count() == 9, "{rows:#?}");
    assert!(rows[1].trace_id == rows[2].trace_id && rows[1].span_id != rows[2].span_id);
    assert_eq!(rows[2].target.as_deref(), Some("orders::db"));
}

#[test]
fn columns_hold_ids_from_another_process() {
    let rows = rows(&Table::default(), fixed(), || {
        let remote = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        let remote = spanline::propagate::TraceContext::from_traceparent(remote).unwrap();
        remote.in_scope(|| {
            info!("in no span");
            info_span!("root").in_scope(|| info!("in a span"));
        });
    });
    assert_eq!(rows[1].trace_id.as_deref(), Some("4bf92f3577b34da6a3ce929d0e0e4736"));
}

#[test]
fn columns_hold_no_secret() {
    let redact = Redact::none().names(["request_id"]);
    let rows = rows(&Table::default(), fixed().redact(redact), || {
        info_span!("root", request_id = "secret").in_scope(|| info!("in a span"));
        info!(request_id = "secret", "its own");
    });
    assert!(rows.iter().all(|row| row.request_id.as_deref() == Some("<redacted>")), "{rows:#?}");
}

#[cfg(feature = "log")]
#[test]
fn the_target_of_a_log_record_is_its_own() {
    let rows = rows(&Table::default(), fixed(), || {
        let mut record = log::RecordBuilder::new();
        let record = record.level(log::Level::Info).target("pool");
        tracing_log::format_trace(&record.args(format_args!("text")).build()).unwrap();
    });
    assert_eq!(rows[0].target.as_deref(), Some("pool"));
}

/// Lines that are sent again, halved, held back or followed by others keep their columns.
#[test]
fn columns_stay_with_their_line() {
    let held = spanline::FlightRecorder::new("debug");
    let builder = fixed().on_complaint(|_| {}).filter("info").flight_recorder(held);
    let table = Table { is_unsteady: true, ..Table::default() };
    let rows = rows(&table, builder, || {
        for number in 0..100 {
            info_span!("root", request_id = number).in_scope(|| {
                debug!(number, "held");
                match number % 10 {
                    3 => error!(number, "bad"),
                    7 => error!(number, "failed"),
                    _ => info!(number, "good"),
                }
            });
        }
    });
    // The notice of the refused lines is in no request.
    let of_requests = rows.iter().filter(|row| row.target.as_deref() != Some("spanline"));
    let ids: std::collections::BTreeSet<_> =
        of_requests.map(|row| row.request_id.clone().unwrap().parse::<u64>().unwrap()).collect();
    assert_eq!(ids, (0..100).collect());
    for row in rows.iter().filter(|row| row.line.get("number").is_some()) {
        assert_eq!(row.request_id.as_deref(), Some(row.line["number"].to_string().as_str()));
    }
    let count = |message: &str| rows.iter().filter(|row| row.line["message"] == message).count();
    assert_eq!((count("held"), count("good"), count("failed"), count("bad")), (20, 80, 10, 0));
}

#[test]
fn without_asking_a_line_has_no_columns() {
    let output = Output::new(|lines: &mut Lines| -> Result<Next, Error> {
        assert!(lines.iter().all(|line| line.columns.is_none() && line.target == Some(module_path!())));
        lines.advance(lines.as_bytes().len());
        Ok(Next::Done)
    });
    let (layer, guard) = fixed().output(output).build().unwrap();
    with_default(tracing_subscriber::registry().with(layer), || {
        info_span!("root", request_id = 1).in_scope(|| info!("text"));
    });
    let handle = guard.handle();
    guard.close().unwrap();
    let books = &handle.metrics().outputs[0];
    assert_eq!((books.written.total(), books.panics), (1, 0));
}

/// A database that takes rows of a certain form.
#[derive(Clone)]
struct Rows(Memory);

impl Sink for Rows {
    fn write(&mut self, lines: &mut Lines) -> Result<Next, Error> {
        self.0.write(lines)
    }

    fn control(&mut self, control: Control) -> Result<(), Error> {
        self.0.control(control)
    }

    fn profile(&self) -> Profile {
        Profile::new("rows").schema(Logfmt::new())
    }
}

impl AsyncSink for Rows {
    fn write(&mut self, batch: Batch) -> impl Future<Output = Result<(), Error>> + Send + 'static {
        let mut memory = self.0.clone();
        async move {
            let mut lines = Lines::default();
            lines.push_line(batch.bytes.trim_ascii_end(), tracing::Level::INFO, NOW);
            memory.write(&mut lines).map(drop)
        }
    }

    fn profile(&self) -> Profile {
        Sink::profile(self)
    }
}

#[test]
fn a_sink_brings_its_schema_and_the_output_may_set_another() {
    let line = |output: fn(Rows) -> Output| {
        let memory = Memory::new();
        let (layer, guard) = fixed().output(output(Rows(memory.clone()))).build().unwrap();
        with_default(tracing_subscriber::registry().with(layer), || info!(order = 7, "text"));
        guard.close().unwrap();
        memory.text()
    };
    let plain = line(Output::new);
    assert!(plain.contains(" order=7") && plain.contains(" level=info"), "{plain}");
    assert_eq!(line(|rows| Output::new(Box::new(rows) as Box<dyn Sink>)), plain);
    assert_eq!(line(|rows| Output::new(Async::new(rows))), plain);
    let flat: Value = serde_json::from_str(&line(|rows| Output::new(rows).schema(Flat::new()))).unwrap();
    assert_eq!((&flat["order"], &flat["message"]), (&json!(7), &json!("text")));
    let edited = line(|rows| Output::new(rows).edits(Edits::new().rename("order", "number")));
    assert_eq!(edited, plain.replace("order=7", "number=7"));
}
