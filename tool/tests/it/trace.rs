//! `spanline trace`: what is drawn, of lines of all schemas and of other loggers, by each kind of id.

use std::fs::File;
use std::io::Write;
use std::process::Stdio;

use serde_json::Value;
use spanline::propagate::TraceContext;
use spanline::schema::{NAMES, by_name};
use spanline::{Output, RollingFile};
use tracing::{error, info, info_span, warn};
use tracing_subscriber::prelude::*;

use crate::{Dir, Done, done};

pub(crate) const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";

/// A request through three services. `stock` logs no line when it calls `warehouse`, whose clock is 30 ms late.
const ORDERS: &str = r#"{"timestamp":"2026-11-20T10:00:00.010000Z","level":"DEBUG","target":"orders","message":"placing","service":"orders","request_id":"r-1","trace_id":"4bf92f3577b34da6a3ce929d0e0e4736","span_id":"00000000000000a2","parent_span_id":"00000000000000a1","method":"POST","route":"/orders","spans":["request","place"]}
{"timestamp":"2026-11-20T10:00:00.012000Z","level":"INFO","target":"orders","message":"priced","service":"orders","request_id":"r-1","trace_id":"4bf92f3577b34da6a3ce929d0e0e4736","span_id":"00000000000000a3","parent_span_id":"00000000000000a2","method":"POST","route":"/orders","spans":["request","place","price"]}
{"timestamp":"2026-11-20T10:00:00.095000Z","level":"INFO","target":"orders","message":"close","duration_us":80000,"busy_us":100,"idle_us":79900,"service":"orders","request_id":"r-1","trace_id":"4bf92f3577b34da6a3ce929d0e0e4736","span_id":"00000000000000a4","parent_span_id":"00000000000000a2","method":"POST","route":"/orders","spans":["request","place","call"]}
{"timestamp":"2026-11-20T10:00:00.098000Z","level":"ERROR","target":"orders","message":"request failed","error":{"message":"cannot call stock","chain":["status 503","for url"]},"service":"orders","request_id":"r-1","trace_id":"4bf92f3577b34da6a3ce929d0e0e4736","span_id":"00000000000000a2","parent_span_id":"00000000000000a1","method":"POST","route":"/orders","spans":["request","place"]}
{"timestamp":"2026-11-20T10:00:00.100000Z","level":"ERROR","target":"spanline::http","message":"request finished","status":503,"latency_us":100000,"service":"orders","request_id":"r-1","trace_id":"4bf92f3577b34da6a3ce929d0e0e4736","span_id":"00000000000000a1","method":"POST","route":"/orders","spans":["request"]}
{"timestamp":"2026-11-20T10:00:01.000000Z","level":"INFO","target":"orders","message":"other","service":"orders","request_id":"r-2","trace_id":"00000000000000000000000000000001","span_id":"00000000000000ff","spans":["request"]}
"#;

const STOCK: &str = r#"{"timestamp":"2026-11-20T10:00:00.060000Z","level":"WARN","target":"stock","message":"slow","service":"stock","request_id":"r-1","trace_id":"4bf92f3577b34da6a3ce929d0e0e4736","span_id":"00000000000000b2","parent_span_id":"00000000000000b1","spans":["request","reserve"]}
{"timestamp":"2026-11-20T10:00:00.090000Z","level":"ERROR","target":"spanline::http","message":"request finished","status":503,"latency_us":70000,"service":"stock","request_id":"r-1","trace_id":"4bf92f3577b34da6a3ce929d0e0e4736","span_id":"00000000000000b1","parent_span_id":"00000000000000a4","method":"POST","route":"/stock","spans":["request"]}
"#;

const WAREHOUSE: &str = r#"{"timestamp":"2026-11-20T10:00:00.040000Z","level":"INFO","target":"spanline::http","message":"request finished","status":201,"latency_us":30000,"service":"warehouse","request_id":"r-1","trace_id":"4bf92f3577b34da6a3ce929d0e0e4736","span_id":"00000000000000c1","parent_span_id":"00000000000000b1","method":"POST","route":"/shelves","spans":["request"]}
"#;

pub(crate) fn dir() -> Dir {
    let dir = Dir::new();
    dir.put("logs/orders.log", ORDERS);
    dir.put("logs/stock.log", STOCK);
    dir.put("logs/warehouse.log", WAREHOUSE);
    dir
}

/// Runs `trace` in UTC, with characters beyond ASCII.
pub(crate) fn trace(dir: &Dir, args: &[&str]) -> Done {
    let mut command = dir.command(&[&["trace"], args].concat());
    command.env("TZ", "UTC").env("LC_ALL", "C.UTF-8").env_remove("COLUMNS").env_remove("NO_COLOR");
    done(command.output().unwrap())
}

pub(crate) fn json(dir: &Dir, args: &[&str]) -> Value {
    let run = trace(dir, &[args, &["--json"]].concat());
    assert_eq!((run.status, run.stderr.as_str()), (0, ""), "{args:?}");
    serde_json::from_str(&run.stdout).unwrap()
}

/// The spans, each as its depth, its service and its name.
fn outline(json: &Value) -> Vec<String> {
    let spans = json["spans"].as_array().unwrap();
    let parent = |number: &usize| spans[*number]["parent"].as_u64().map(|parent| parent as usize);
    let line = |number: usize| {
        let depth = std::iter::successors(parent(&number), parent).count();
        let text = |key: &str| spans[number][key].as_str().unwrap_or("-").to_owned();
        format!("{}{} {}", "  ".repeat(depth), text("service"), text("name"))
    };
    (0..spans.len()).map(line).collect()
}

#[test]
fn a_waterfall_is_drawn_to_scale() {
    let run = trace(&dir(), &[TRACE, "logs", "--width", "90"]);
    assert_eq!(run.stdout, include_str!("trace_golden.txt"), "{}", run.stdout);
    assert_eq!((run.status, run.stderr.as_str()), (0, ""));
}

#[test]
fn ascii_is_drawn_where_nothing_else_can_be() {
    let dir = dir();
    let expected = include_str!("trace_golden_ascii.txt");
    let run = trace(&dir, &["r-1", "logs", "--ascii", "--width", "60", "--level", "debug", "--limit", "4"]);
    assert_eq!(run.stdout, expected, "{}", run.stdout);
    assert!(run.stdout.is_ascii() && run.stdout.lines().all(|line| line.len() <= 60));
    for (variable, value, is_ascii) in
        [("LC_ALL", "C", true), ("LC_ALL", "de_DE.ISO-8859-1", true), ("LC_ALL", "", false), ("LC_CTYPE", "C", false)]
    {
        let mut command = dir.command(&["trace", "r-1", "logs"]);
        command.env_remove("LC_CTYPE").env("LANG", "en_US.utf8").env("LC_ALL", "C.UTF-8").env(variable, value);
        assert_eq!(done(command.output().unwrap()).stdout.is_ascii(), is_ascii, "{variable}={value}");
    }
}

#[test]
fn every_width_and_colours_keep_to_the_terminal() {
    let dir = dir();
    for width in ["40", "47", "55", "80", "200", "1000"] {
        let run = trace(&dir, &["r-1", "logs", "--width", width, "--level", "trace"]);
        let widest = run.stdout.lines().map(|line| line.chars().count()).max().unwrap();
        assert!(widest <= width.parse().unwrap(), "{width}: {}", run.stdout);
    }
    let mut command = dir.command(&["trace", "r-1", "logs"]);
    let narrow = done(command.env("COLUMNS", "50").env("LC_ALL", "C.UTF-8").output().unwrap());
    assert!(narrow.stdout.lines().all(|line| line.chars().count() <= 50), "{}", narrow.stdout);
    let run = trace(&dir, &["r-1", "logs", "--color", "always"]);
    assert!(run.stdout.contains("\x1b[31m✖ ERROR request failed: cannot call stock: status 503: for url\x1b[0m"));
    assert!(!trace(&dir, &["r-1", "logs"]).stdout.contains('\x1b'));
}

#[test]
fn any_id_and_any_line_leads_to_the_trace() {
    let dir = dir();
    let expected = json(&dir, &[TRACE, "logs"]);
    assert_eq!(outline(&expected).len(), 7);
    let line = STOCK.lines().next().unwrap();
    let upper = TRACE.to_uppercase();
    for args in [
        &["r-1", "logs"][..],
        &["00000000000000b2", "logs"],
        &[&upper, "logs"],
        &[line, "logs"],
        &["--line", line, "logs"],
    ] {
        assert_eq!(json(&dir, args), expected, "{args:?}");
    }
    for args in [&["-", "logs"][..], &["--line", "-", "logs"]] {
        let mut command = dir.command(&[&["trace", "--json"], args].concat());
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        child.stdin.take().unwrap().write_all(format!("\n{line}\n").as_bytes()).unwrap();
        let run = done(child.wait_with_output().unwrap());
        assert_eq!(serde_json::from_str::<Value>(&run.stdout).unwrap(), expected, "{args:?}");
    }
}

#[test]
fn lines_without_the_id_are_found_on_stdin_too() {
    let dir = dir();
    // The request's id comes last, and one service knows only the trace's, another only the request's.
    let lines = format!(
        "{}\n{}\n{}\n",
        r#"{"ts":"2026-11-20T10:00:00Z","msg":"early","service":"a","trace_id":"4bf92f3577b34da6a3ce929d0e0e4736"}"#,
        r#"{"ts":"2026-11-20T10:00:01Z","msg":"other","service":"b","request_id":"r-9"}"#,
        r#"{"ts":"2026-11-20T10:00:02Z","msg":"last","service":"c","trace_id":"4bf92f3577b34da6a3ce929d0e0e4736","request_id":"r-9"}"#
    );
    dir.put("mixed.log", &lines);
    for id in ["r-9", TRACE] {
        let expected = ["a (outside of spans)", "b (outside of spans)", "c (outside of spans)"];
        assert_eq!(outline(&json(&dir, &[id, "mixed.log"])), expected);
        let input = File::open(dir.path().join("mixed.log")).unwrap();
        let run = done(dir.command(&["trace", id, "--json"]).stdin(input).output().unwrap());
        assert_eq!(outline(&serde_json::from_str(&run.stdout).unwrap()), expected, "{id}");
    }
}

#[test]
fn exit_statuses_say_what_happened() {
    let dir = dir();
    let run = trace(&dir, &["r-7", "logs"]);
    assert_eq!((run.status, run.stderr.as_str()), (1, "spanline: found no line with the id r-7\n"));
    let run = trace(&dir, &["r-1", "logs", "missing.log"]);
    assert_eq!((run.status, run.stdout.is_empty()), (1, false));
    assert_eq!(run.stderr.matches("missing.log").count(), 1, "reported once: {}", run.stderr);
    for args in
        [&[][..], &["--line", "no ids", "logs"], &["{}", "logs"], &["r-1", "--gap", "0"], &["r-1", "--width", "39"]]
    {
        assert_eq!(trace(&dir, args).status, 2, "{args:?}");
    }
}

/// Two programs, of which one calls the other, log the same spans in a schema.
fn log(dir: &Dir, schema: &str, has_close: bool) -> String {
    let carrier = |service: &'static str, run: &dyn Fn()| {
        let file = RollingFile::new(dir.path().join(format!("{schema}/{service}.log")));
        let mut builder =
            spanline::builder().service(service).output(Output::new(file).schema(by_name(schema).unwrap()));
        if has_close {
            builder = builder.span_close("info");
        }
        let (layer, guard) = builder.build().unwrap();
        tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), run);
        guard.close().unwrap();
    };
    let traceparent = std::cell::RefCell::new(String::new());
    carrier("orders", &|| {
        let _request = info_span!("request", request_id = "r-1", method = "POST", route = "/orders").entered();
        info!("begin");
        {
            let _place = info_span!("place").entered();
            info!("placing");
            info_span!("price").in_scope(|| info!("priced"));
            let _call = info_span!("call").entered();
            let context = spanline::propagate::context().unwrap();
            context.inject(|name, value| {
                if name == "traceparent" {
                    *traceparent.borrow_mut() = value.to_owned();
                }
            });
            warn!("slow");
        }
        error!("failed");
    });
    carrier("stock", &|| {
        let headers = [("traceparent".to_owned(), traceparent.borrow().clone().into_bytes())];
        let context = TraceContext::from_headers(headers).unwrap();
        context.in_scope(|| {
            let _request = info_span!("request").entered();
            info!("begin");
            info_span!("reserve").in_scope(|| info!("reserved"));
        });
    });
    traceparent.borrow().split('-').nth(1).unwrap().to_owned()
}

/// `Flat`, `Nested` and `Gelf` write the ids of parents. In the others, names lead to parents within a service.
#[test]
fn lines_of_all_schemas_make_the_same_tree() {
    let within = ["orders request", "  orders place", "    orders price", "    orders call"];
    let inside = ["stock request", "  stock reserve"];
    for schema in NAMES.iter().filter(|name| !["console", "compact", "pretty"].contains(name)) {
        for has_close in [false, true] {
            let dir = Dir::new();
            let id = log(&dir, schema, has_close);
            let json = json(&dir, &[&id, schema]);
            let has_parents = ["flat", "nested", "gelf"].contains(schema);
            let indent = if has_parents { "      " } else { "" };
            let mut expected: Vec<_> = within
                .iter()
                .map(|line| (*line).to_owned())
                .chain(inside.map(|line| format!("{indent}{line}")))
                .collect();
            let mut found = outline(&json);
            // Times in milliseconds may be equal.
            found.sort();
            expected.sort();
            assert_eq!(found, expected, "{schema} {has_close}");
            let measured = json["spans"].as_array().unwrap().iter().filter(|span| span["is_measured"] == true).count();
            assert_eq!(measured, if has_close { 6 } else { 0 }, "{schema}: {json}");
            assert_eq!(
                (json["services"].as_array().unwrap().len(), &json["requests"][0]),
                (2, &"r-1".into()),
                "{schema}"
            );
            let errors: u64 =
                json["spans"].as_array().unwrap().iter().map(|span| span["errors"].as_u64().unwrap()).sum();
            assert_eq!(errors, 1, "{schema}");
        }
    }
}

/// The lines of `tracing_subscriber` have no ids of spans, and the request's id only in the outer span.
#[test]
fn spans_without_ids_are_told_apart_by_their_names_and_close_lines() {
    let line = |time: &str, fields: &str, names: &[&str]| {
        let spans: Vec<_> = names
            .iter()
            .map(|name| match *name {
                "request" => r#"{"request_id":"r-1","name":"request"}"#.to_owned(),
                name => format!("{{\"name\":\"{name}\"}}"),
            })
            .collect();
        let (span, spans) = (spans.last().unwrap(), spans.join(","));
        format!(
            "{{\"timestamp\":\"2026-11-20T10:00:{time}Z\",\"level\":\"INFO\",\"fields\":{{{fields}}},\"target\":\"x\",\"span\":{span},\"spans\":[{spans}]}}\n"
        )
    };
    let dir = Dir::new();
    let close = r#""message":"close","time.busy":"1.00s","time.idle":"500ms""#;
    dir.put(
        "x.log",
        [
            line("00", r#""message":"one""#, &["request"]),
            line("02", close, &["request", "db"]),
            line("05", close, &["request", "db"]),
            line("06", r#""message":"two""#, &["request"]),
        ]
        .concat(),
    );
    let json = json(&dir, &["r-1", "x.log"]);
    assert_eq!(outline(&json), ["- request", "  - db", "  - db"]);
    let times = |span: usize| (json["spans"][span]["start_us"].clone(), json["spans"][span]["duration_us"].clone());
    assert_eq!(times(0), (0.0.into(), 6_000_000.0.into()));
    assert_eq!(times(1), (500_000.0.into(), 1_500_000.0.into()));
    assert_eq!(times(2), (3_500_000.0.into(), 1_500_000.0.into()));
}

#[test]
fn any_logger_that_has_the_ids_is_in_the_picture() {
    let dir = Dir::new();
    dir.put(
        "a.log",
        format!(
            "1795168800 | INFO | started | billing | {TRACE}\n1795168801 | ERROR | no | money | billing | {TRACE}\n"
        ),
    );
    dir.put(
        "b.log",
        format!("{{\"@timestamp\":\"2026-11-20T10:00:00Z\",\"log.level\":\"info\",\"message\":\"x\",\"ecs.version\":\"1.6.0\",\"service.name\":\"java\",\"trace.id\":\"{TRACE}\",\"span.id\":\"01\"}}\n"),
    );
    dir.put(
        "c.log",
        format!("{{\"time\":\"2026-11-20T10:00:00Z\",\"msg\":\"x\",\"service\":\"go\",\"traceId\":\"{TRACE}\",\"spanId\":\"02\",\"parentSpanId\":\"01\"}}\n"),
    );
    let json = json(&dir, &[TRACE, "."]);
    let mut outline = outline(&json);
    outline.sort();
    assert_eq!(outline, ["  go span 02", "billing (outside of spans)", "java span 01"]);
}

/// `orders` logs nothing when it calls `stock`.
#[test]
fn a_parent_without_lines_is_placed_by_time() {
    let line = |seconds: &str, service: &str, message: &str, ids: &str| {
        format!(
            "{{\"time\":\"2026-11-20T10:00:{seconds}Z\",\"service\":\"{service}\",\"msg\":\"{message}\",\"trace_id\":\"a\",{ids}}}\n"
        )
    };
    let dir = Dir::new();
    let lines = [
        line("00", "orders", "begin", r#""span_id":"1""#),
        line("01", "orders", "in", r#""span_id":"2","parent_span_id":"1""#),
        line("02", "stock", "work", r#""span_id":"9","parent_span_id":"8""#),
        line("03", "stock", "done", r#""span_id":"9","parent_span_id":"8""#),
        line("04", "orders", "out", r#""span_id":"2","parent_span_id":"1""#),
        line("05", "orders", "end", r#""span_id":"1""#),
        line("07", "other", "late", r#""span_id":"7","parent_span_id":"6""#),
    ];
    dir.put("x.log", lines.concat());
    let json = json(&dir, &["a", "x.log"]);
    let expected =
        ["orders span 1", "  orders span 2", "    - span 8", "      stock span 9", "- span 6", "  other span 7"];
    assert_eq!(outline(&json), expected);
    let placed: Vec<_> =
        json["spans"].as_array().unwrap().iter().map(|span| span["is_placed_by_time"] == true).collect();
    assert_eq!(placed, [false, false, true, false, false, false]);
    let run = trace(&dir, &["a", "x.log"]);
    assert!(run.stdout.contains("span 8 (no lines, placed by time)") && run.stdout.contains("span 6 (no lines) "));
}

#[test]
fn any_text_can_be_an_id() {
    let dir = Dir::new();
    let long = "x".repeat(80);
    for id in ["cmVxLTE=", "two words", &long] {
        dir.put("a.log", format!("{{\"timestamp\":\"2026-11-20T10:00:00Z\",\"level\":\"INFO\",\"message\":\"found it\",\"request_id\":\"{id}\"}}\n"));
        let run = dir.run(&["trace", id, "a.log", "--ascii"]);
        assert!(run.status == 0 && run.stdout.contains("1 line"), "{id}: {run:?}");
    }
}
