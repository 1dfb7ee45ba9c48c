//! What the documentation shows beside the one event: other schemas, edits, requests, the `log` crate.

use std::hint::black_box;

use spanline::schema::{Custom, Edits, Template, by_name};
use spanline::{Builder, Output, propagate};
use tracing::info;

use crate::works::{Part, Work, event, events_inside, request, requests};

/// The benchmark's event in the schema of a name.
macro_rules! in_schema {
    ($name:literal, $most:literal) => {
        Use::new($name, concat!($name, "_line"), concat!("w1e in `", $name, "`"), events_inside, 1, $most)
            .output(|output| output.schema(by_name($name).expect("a schema")))
    };
}
/// How many times the instructions that the worker takes for as many bytes of the default schema's line each may take: of
/// `w1e_line`, or of `w2_line` outside spans.
pub(crate) const USES: [Use; 20] = [
    Use::new("log_record", "log_record_line", "record of the `log` crate", log_records, 1, 1.93).outside_spans(),
    Use::new("reserved", "reserved_line", "event with fields of reserved names", reserved, 1, 1.3).outside_spans(),
    Use::new("variables", "variables_line", "event inside context variables", in_variables, 1, 0.85).outside_spans(),
    Use::new("request", "request_line", "request: span of 7 fields, 3 events", requests, 3, 2.12),
    Use::new("close", "close_line", "closing line of a span", closes, 1, 4.35).log(|log| log.span_close("info")),
    Use::new("edits", "edits_line", "w1e under edits", events_inside, 1, 1.14).output(edited),
    in_schema!("nested", 1.07),
    in_schema!("ecs", 1.34),
    in_schema!("datadog", 1.34),
    in_schema!("gcp", 1.25),
    in_schema!("otel", 1.03),
    in_schema!("lambda", 1.39),
    in_schema!("bunyan", 1.25),
    in_schema!("pino", 1.34),
    in_schema!("gelf", 1.62),
    in_schema!("splunk", 1.57),
    in_schema!("logfmt", 2.15),
    in_schema!("console", 3.5),
    Use::new("template", "template_line", "w1e in `template`", events_inside, 1, 7.3).output(templated),
    Use::new("custom", "custom_line", "w1e in a described schema", events_inside, 1, 1.88).output(described),
];

/// Operations of a use in the shorter run.
const OPERATIONS: u32 = 1_000;

/// A use of the log, and what it needs.
pub(crate) struct Use {
    /// The operation, and the lines that the worker writes of it.
    pub(crate) works: [Work; 2],
    pub(crate) log: fn(Builder) -> Builder,
    pub(crate) output: fn(Output) -> Output,
    /// The line that it is compared with.
    pub(crate) base: &'static str,
    /// Times the instructions of that line for each byte.
    pub(crate) most: f64,
}

impl Use {
    const fn new(
        name: &'static str,
        line: &'static str,
        what: &'static str,
        operation: fn(u32),
        lines: u32,
        most: f64,
    ) -> Self {
        let caller = Work { operations: OPERATIONS, ..Work::new(name, what, 0.0, Part::Caller(operation, 1)) };
        let line = Work { operations: OPERATIONS, ..Work::new(line, what, 0.0, Part::Worker { of: name, lines }) };
        Self { works: [caller, line], log: |log| log, output: |output| output, base: "w1e_line", most }
    }

    const fn outside_spans(self) -> Self {
        Self { base: "w2_line", ..self }
    }

    const fn log(self, log: fn(Builder) -> Builder) -> Self {
        Self { log, ..self }
    }

    const fn output(self, output: fn(Output) -> Output) -> Self {
        Self { output, ..self }
    }

    /// Returns the use that a work belongs to.
    pub(crate) fn of(work: &Work) -> Option<&'static Self> {
        USES.iter().find(|used| used.works.iter().any(|of| of.name == work.name))
    }
}

fn edited(output: Output) -> Output {
    output.edits(Edits::new().rename("timestamp", "ts").remove("spans").insert("type", "app"))
}

fn templated(output: Output) -> Output {
    let text = "{time:%Y-%m-%d %H:%M:%S,%3f} | {level:<8} | {target} | {request_id:-NO_REQUEST} | {message} {fields}";
    output.schema(Template::new(text).expect("a template"))
}

fn described(output: Output) -> Output {
    let schema = Custom::new("ts", |line| {
        let line = line.level("severity").target("logger").message("msg").service("service");
        line.object("trace", |trace| trace.trace_id("id").span_id("span")).object("labels", |labels| labels.fields())
    });
    output.schema(schema)
}

fn log_records(times: u32) {
    for _ in 0..times {
        log::info!(user_id = black_box(42u64), elapsed_ms = 3.25f64, cached = true, sku = "AB-1234"; "order loaded");
    }
}

fn reserved(times: u32) {
    for _ in 0..times {
        info!(level = black_box(42u64), timestamp = 3.25f64, cached = true, sku = "AB-1234", "order loaded");
    }
}

fn in_variables(times: u32) {
    let variables = propagate::with("tenant", "acme").and("request_id", "0d5fbc1c-6e13-4a5e-9d37-0a2f7d6b5c11");
    variables.in_scope(|| (0..times).for_each(|_| event()));
}

fn closes(times: u32) {
    for _ in 0..times {
        request().in_scope(|| black_box(()));
    }
}
