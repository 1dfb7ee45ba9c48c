//! One story, told by each schema: `tests/golden/schemas/<name>.jsonl`. A second one, of panics and other lines that the
//! log makes itself, is in `own_lines.txt`.

use std::error::Error;
use std::fmt;
use std::panic::{catch_unwind, set_hook};

use spanline::Output;
use spanline::schema::{BuiltIn, built_in};
use spanline::sink::Memory;
use tracing::subscriber::with_default;
use tracing::{Level, info_span};
use tracing_subscriber::prelude::*;

use super::lines_by;
use super::panicking::panic_here;
use crate::support::child::child;
use crate::support::golden::compare;
use crate::support::stage::{Site, fixed};
use crate::support::strict;

#[derive(Debug)]
pub(super) struct Failed(pub(super) &'static str, pub(super) Option<Box<Failed>>);

impl fmt::Display for Failed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl Error for Failed {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.1.as_deref().map(|source| source as _)
    }
}

/// An error with two sources.
pub(super) fn failed() -> Failed {
    Failed("order not loaded", Some(Box::new(Failed("query failed", Some(Box::new(Failed("timed out", None)))))))
}

/// Logs in every way that schemas tell apart. No line says where in this file it comes from.
pub(super) fn story() {
    let message = |level| Site::event("orders::http", level, &["message"]);
    for level in [Level::TRACE, Level::DEBUG, Level::INFO, Level::WARN, Level::ERROR] {
        message(level).log(&[Some(&"outside of spans")]);
    }
    let failed = failed();
    let error: &(dyn Error + 'static) = &failed;
    let request = info_span!("request", request_id = "r-1", method = "GET", http.request.method = "GET");
    request.in_scope(|| {
        Site::event("orders::http", Level::INFO, &["message", "user_id", "user.id"]).log(&[
            Some(&"order loaded"),
            Some(&42),
            Some(&"u-7"),
        ]);
        info_span!("db", table = "orders", method = "SELECT").in_scope(|| {
            Site::event("orders::db", Level::ERROR, &["message", "error"]).log(&[Some(&"query"), Some(&error)]);
            Site::event("orders::db", Level::ERROR, &["message", "error", "cause"]).log(&[
                Some(&"query"),
                Some(&"a text"),
                Some(&error),
            ]);
            Site::event("orders::db", Level::WARN, &["error"]).log(&[Some(&404)]);
        });
    });
    let nested = serde_json::json!({"items": ["tea", 2, 1.5, null, true], "to": {"zip": 12345678901_u64}});
    let values = ["int", "negative", "large", "wide", "float", "nan", "yes", "bytes", "json", "text"];
    Site::event("orders", Level::INFO, &values).log(&[
        Some(&1),
        Some(&-1),
        Some(&u64::MAX),
        Some(&u128::MAX),
        Some(&0.5),
        Some(&f64::NAN),
        Some(&true),
        Some(&&b"bytes"[..]),
        Some(&spanline::json(&nested)),
        Some(&"a \"quoted\" = text\n\u{202e}"),
    ]);
    for reserved in RESERVED {
        let forged: Vec<Option<&dyn tracing::Value>> = reserved.iter().map(|_| Some(&"FORGED" as _)).collect();
        Site::event("orders", Level::INFO, reserved).log(&forged);
    }
    Site::event("orders", Level::INFO, &["message", "trace_id", "span_id"]).log(&[
        Some(&"a trace named by the event"),
        Some(&"4BF92F35-77B3-4DA6-A3CE-929D0E0E4736"),
        Some(&"00f067aa0ba902b7"),
    ]);
    let record = log::RecordBuilder::new()
        .metadata(log::MetadataBuilder::new().target("pool").level(log::Level::Warn).build())
        .args(format_args!("of the log crate"))
        .file(Some("src/pool.rs"))
        .line(Some(42))
        .module_path(Some("pool::inner"))
        .build();
    tracing_log::format_trace(&record).unwrap();
    let variable = Site::event("orders", Level::INFO, &["message"]);
    spanline::with("tenant", "acme").in_scope(|| variable.log(&[Some(&"a variable and no span")]));
    let traceparent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    info_span!("request", traceparent, tenant = "span").in_scope(|| {
        spanline::with("tenant", "acme").in_scope(|| variable.log(&[Some(&"a variable in a sampled trace")]));
    });
}

/// Names that some schema writes itself, and some that meet them.
const RESERVED: [&[&str]; 6] = [
    &[
        "timestamp",
        "level",
        "target",
        "fields",
        "spans",
        "service",
        "trace_id",
        "span_id",
        "truncated",
        "env",
        "",
        "a.b",
        "a",
    ],
    &[
        "@timestamp",
        "log.level",
        "log",
        "ecs.version",
        "labels",
        "trace",
        "trace.id",
        "process.pid",
        "a.b",
        "a*b",
        "a\\b",
    ],
    &[
        "severity",
        "time",
        "logging.googleapis.com/trace",
        "logging",
        "@type",
        "serviceContext",
        "httpRequest",
        "stack_trace",
    ],
    &["status", "dd", "dd.trace_id", "dd.x", "error.message", "logger", "ddtags", "host"],
    &["v", "name", "hostname", "pid", "msg", "err", "req", "requestId", "errorMessage", "span", "filename"],
    &["ts", "fields.level", "level", "exception.message", "code.file.path", "target"],
];

#[test]
fn a_story_told_by_each_schema() {
    for schema @ BuiltIn { name, is_json, .. } in built_in() {
        let lines = lines_by(schema.reproducible(), story);
        if *is_json {
            lines.iter().for_each(|line| drop(strict::line(line)));
        }
        let extension = if *is_json { "jsonl" } else { "txt" };
        compare(
            &format!("schemas/{name}.{extension}"),
            &lines.iter().map(|line| of_here(line) + "\n").collect::<String>(),
        );
    }
}

/// Logs what the log itself makes of a program, and what events must not make of a line.
fn own_lines() {
    let failed = failed();
    let error: &(dyn Error + 'static) = &failed;
    let request = Site::span("request", "orders", &["request_id", "message", "error"]);
    request.open(&[Some(&"r-1"), Some(&"the span's"), Some(&"the span's")]).in_scope(|| {
        assert!(catch_unwind(panic_here).is_err());
        Site::event("orders", Level::INFO, &["message", "message", "error", "error"]).log(&[
            Some(&"the text"),
            Some(&"FORGED"),
            Some(&"the first error"),
            Some(&error),
        ]);
        Site::event("orders", Level::INFO, &["user_id"]).log(&[Some(&42)]);
        Site::event("log", Level::INFO, &["message", "log.target", "log.file", "log.line"]).log(&[
            Some(&"of no record"),
            Some(&"FORGED"),
            Some(&"FORGED"),
            Some(&7u64),
        ]);
    });
}

/// In its own process: a log reports the panics of all threads.
#[test]
fn lines_of_the_log_itself_in_each_schema() {
    child(this_test!(), &[("RUST_BACKTRACE", "0")], || {
        set_hook(Box::new(|_| ()));
        let outputs: Vec<_> = built_in().map(|schema| (schema, Memory::new())).collect();
        let builder = fixed().service("orders").static_field("env", "test").log_panics(true).span_close("info");
        let builder = outputs.iter().fold(builder, |builder, (schema, memory)| {
            builder.output(Output::new(memory.clone()).schema(schema.reproducible()))
        });
        let (layer, guard) = builder.build().unwrap();
        let run = || with_default(tracing_subscriber::registry().with(layer), own_lines);
        std::thread::scope(|scope| {
            let named = std::thread::Builder::new().name("pool-7".to_owned()).spawn_scoped(scope, run);
            named.unwrap().join().unwrap();
        });
        guard.close().unwrap();
        let mut all = String::new();
        for (schema, memory) in outputs {
            all += &format!("# {}\n", schema.name);
            for line in memory.lines() {
                if schema.is_json {
                    strict::line(&line);
                }
                all += &(of_here(&line) + "\n");
            }
        }
        compare("schemas/own_lines.txt", &all);
    });
}

/// A line without what is different on each machine.
pub(super) fn of_here(line: &str) -> String {
    #[cfg(not(unix))]
    let hostname = std::env::var("COMPUTERNAME").unwrap();
    #[cfg(unix)]
    let hostname = rustix::system::uname().nodename().to_string_lossy().into_owned();
    let pid = |pid: u32, end: &str| format!("pid\":{pid}{end}");
    let line = [",", "}"]
        .iter()
        .fold(line.to_owned(), |line, end| line.replace(&pid(std::process::id(), end), &pid(4242, end)));
    ["hostname", "host"]
        .iter()
        .fold(line, |line, key| line.replace(&format!("\"{key}\":\"{hostname}\""), &format!("\"{key}\":\"machine\"")))
}

/// Returns a line without the digits of its long text: how many there are depends on the lengths of process id and
/// hostname.
fn without_digits(line: &str) -> String {
    let start = line.find("0123456789").unwrap();
    let digits = line[start..].bytes().take_while(u8::is_ascii_digit).count();
    assert!(digits > 400, "{line}");
    format!("{}0123456789…{}", &line[..start], &line[start + digits..])
}

#[test]
fn promise_17_a_line_that_is_cut_says_so_in_each_schema() {
    let mut all = String::new();
    for schema @ BuiltIn { name, .. } in built_in().filter(|schema| schema.keys.is_some()) {
        let memory = Memory::new();
        let builder = fixed().service("orders").max_line_bytes(1000);
        let (layer, guard) = builder.output(Output::new(memory.clone()).schema(schema.schema())).build().unwrap();
        with_default(tracing_subscriber::registry().with(layer), || {
            Site::event("orders", Level::INFO, &["message", "long"])
                .log(&[Some(&"long"), Some(&"0123456789".repeat(500))]);
        });
        guard.close().unwrap();
        let text = memory.text();
        assert!(text.len() <= 1001 && text.contains("truncated"), "{name}: {text}");
        assert!(text.contains("original_bytes"), "{name}: {text}");
        all += &(of_here(&without_digits(text.trim_end())) + "\n");
    }
    compare("schemas/truncated.txt", &all);
}
