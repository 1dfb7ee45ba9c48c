//! Each schema against what its readers have published: a specification, generated types, the reader itself.

use std::error::Error;
use std::sync::{Arc, Mutex};

use opentelemetry_proto::tonic::common::v1::any_value::Value as Any;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};
use opentelemetry_proto::tonic::logs::v1::{LogRecord, LogsData};
use serde_json::{Value, json};
use spanline::Output;
use spanline::schema::{BuiltIn, Bunyan, Datadog, Gcp, Nested, Otel, built_in};
use spanline::sink::Memory;
use tracing::subscriber::with_default;
use tracing::{Level, debug, error, info, info_span, trace, warn};
use tracing_subscriber::prelude::*;

use super::golden::{failed, story};
use super::{lines_by, read, schema, seen_by, viewer};
use crate::support::stage::{NOW, Site, fixed};
use crate::support::strict;

/// The specification's own file: order and types of fields, which are required, which are not nested, and what is
/// replaced in the names of labels.
#[test]
fn ecs_keeps_to_the_specification_of_ecs_loggers() {
    let spec: Value = serde_json::from_str(include_str!("spec/ecs-logging.json")).unwrap();
    let fields = spec["fields"].as_object().unwrap();
    let texts = lines_by(schema("ecs"), || {
        story();
        Site::placed("orders", Level::INFO, &["message"], "src/main.rs", 7).log(&[Some(&"placed")]);
    });
    let mut seen = std::collections::BTreeSet::new();
    for (text, line) in texts.iter().zip(read(&texts)) {
        for (name, rule) in fields {
            let Some(value) = line.get(name) else {
                assert_ne!(rule["required"], true, "{name} in {text}");
                continue;
            };
            seen.insert(name.clone());
            let right = match rule["type"].as_str().unwrap() {
                "string" => value.is_string(),
                "integer" => value.is_u64(),
                "object" => value.is_object(),
                "datetime" => chrono::DateTime::parse_from_rfc3339(value.as_str().unwrap()).is_ok(),
                other => panic!("a new type, {other}"),
            };
            assert!(right, "{name} in {text}");
        }
        let mut ordered: Vec<_> =
            fields.iter().filter_map(|(name, rule)| Some((rule["index"].as_u64()?, name))).collect();
        ordered.sort();
        let mut places = ordered.iter().filter_map(|(_, name)| text.find(&format!("\"{name}\":")));
        assert_eq!(places.next(), Some(1), "{text}");
        assert!(places.is_sorted(), "{text}");
        assert_eq!(line["log.level"].as_str(), line.get("log.level").and_then(Value::as_str), "not nested");
        let replaced = fields["labels"]["sanitization"]["key"]["replacements"].as_array().unwrap();
        for (name, value) in line.get("labels").and_then(Value::as_object).into_iter().flatten() {
            assert!(replaced.iter().all(|part| !name.contains(part.as_str().unwrap())), "{name} in {text}");
            assert!(!value.is_object() && !value.is_array(), "labels are scalars: {name} in {text}");
        }
    }
    let not_ours = ["service.node.name", "process.thread.name", "log.origin.function", "error.type"];
    for name in fields.keys().filter(|name| !not_ours.contains(&name.as_str())) {
        assert!(seen.contains(name), "{name} is in no line");
    }
}

/// Elasticsearch refuses a document with a value that is not of its field's type, so the line would be lost.
#[test]
fn ecs_has_no_field_that_is_not_of_its_type() {
    let lines = read(&lines_by(schema("ecs"), || {
        info!({ "http.response.status_code" } = 200, { "event.duration" } = 1.5, { "source.ip" } = "::1", "right");
        info!({ "http.response.status_code" } = "200", { "faas.coldstart" } = true, { "user.id" } = 7, "right");
        info!(
            { "http.response.status_code" } = "OK",
            { "event.duration" } = f64::NAN,
            { "source.ip" } = "here",
            "wrong"
        );
        info!({ "source.port" } = u64::MAX, { "client.bytes" } = true, { "faas.coldstart" } = 1, "wrong");
        Site::event("orders", Level::INFO, &["message", " ", "\t", "_"]).log(&[
            Some(&"blank"),
            Some(&1),
            Some(&2),
            Some(&3),
        ]);
    }));
    assert!(lines[..2].iter().all(|line| line.get("labels").is_none()), "{lines:?}");
    assert_eq!((&lines[0]["http.response.status_code"], &lines[1]["faas.coldstart"]), (&json!(200), &json!(true)));
    assert_eq!(lines[1]["user.id"], "7", "a keyword is a text in each line");
    let labels = json!({"http_response_status_code": "OK", "event_duration": "NaN", "source_ip": "here"});
    assert_eq!(lines[2]["labels"], labels);
    let labels = json!({"source_port": u64::MAX.to_string(), "client_bytes": "true", "faas_coldstart": "1"});
    assert_eq!(lines[3]["labels"], labels);
    assert_eq!(lines[4]["labels"], json!({"__2": "1", "__3": "2", "_": "3"}), "nor one without a name");
}

fn attribute<'r>(attributes: &'r [KeyValue], name: &str) -> Option<&'r Any> {
    attributes.iter().find(|attribute| attribute.key == name)?.value.as_ref()?.value.as_ref()
}

fn text(value: &str) -> Option<Any> {
    Some(Any::StringValue(value.to_owned()))
}

/// The types that are generated from the protocol's description read every line, and find in it what was logged.
#[test]
fn otel_is_read_by_the_protocols_own_types() {
    let lines = lines_by(schema("otel"), story);
    for line in &lines {
        strict::line(line);
        let data: LogsData = serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
        let [logs] = &data.resource_logs[..] else { panic!("{line}") };
        let resource = &logs.resource.as_ref().unwrap().attributes;
        assert_eq!(attribute(resource, "service.name").cloned(), text("orders"));
        assert_eq!(attribute(resource, "service.version").cloned(), text("1.2.3"));
        let [scope] = &logs.scope_logs[..] else { panic!("{line}") };
        let [record] = &scope.log_records[..] else { panic!("{line}") };
        assert_eq!(record.time_unix_nano, NOW.as_nanos() as u64);
        assert_eq!(record.observed_time_unix_nano, NOW.as_nanos() as u64);
        let mut names: Vec<_> = record.attributes.iter().map(|attribute| &attribute.key).collect();
        names.sort();
        assert!(names.windows(2).all(|pair| pair[0] != pair[1]), "attributes are unique: {line}");
    }
    let record = |at: usize| -> LogRecord {
        let data: LogsData = serde_json::from_str(&lines[at]).unwrap();
        data.resource_logs[0].scope_logs[0].log_records[0].clone()
    };
    assert_eq!([0, 1, 2, 3, 4].map(|at| record(at).severity_number), [1, 5, 9, 13, 17]);
    assert_eq!([0, 4].map(|at| record(at).severity_text), ["TRACE", "ERROR"]);
    let loaded = record(5);
    assert_eq!(loaded.body.and_then(|body| body.value), text("order loaded"));
    assert_eq!(attribute(&loaded.attributes, "user_id"), Some(&Any::IntValue(42)));
    assert_eq!((loaded.trace_id.len(), loaded.span_id.len()), (16, 8));
    let failed = record(6);
    assert_eq!(attribute(&failed.attributes, "exception.message").cloned(), text("order not loaded"));
    let Some(Any::StringValue(stack)) = attribute(&failed.attributes, "exception.stacktrace") else {
        panic!("a stack")
    };
    assert!(stack.contains("query failed") && stack.contains("timed out"));
    let values = record(9).attributes;
    let is = |name: &str, value: Any| assert_eq!(attribute(&values, name), Some(&value), "{name}");
    is("int", Any::IntValue(1));
    is("negative", Any::IntValue(-1));
    is("large", Any::StringValue(u64::MAX.to_string()));
    is("wide", Any::StringValue(u128::MAX.to_string()));
    is("float", Any::DoubleValue(0.5));
    is("yes", Any::BoolValue(true));
    is("text", Any::StringValue("a \"quoted\" = text\n\u{202e}".to_owned()));
    let Some(Any::KvlistValue(nested)) = attribute(&values, "json") else { panic!("a list") };
    let Some(Any::ArrayValue(items)) = attribute(&nested.values, "items") else { panic!("an array") };
    let items: Vec<_> = items.values.iter().map(|AnyValue { value }| value.clone()).collect();
    let expected = [text("tea"), Some(Any::IntValue(2)), Some(Any::DoubleValue(1.5)), None, Some(Any::BoolValue(true))];
    assert_eq!(items, expected);
    let own = record(16);
    assert_eq!(own.trace_id[..4], [0x4b, 0xf9, 0x2f, 0x35]);
    assert_eq!((own.flags, record(19).flags), (0, 1), "as the traceparent says");
}

#[test]
fn otel_bare_records_and_flags() {
    let lines = lines_by(Otel::new().bare().trace_sampled(true), story);
    for line in &lines {
        strict::line(line);
        let record: LogRecord = serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
        assert_eq!(record.flags, u32::from(!record.trace_id.is_empty()));
        assert_eq!(attribute(&record.attributes, "service.name").cloned(), text("orders"));
        assert!(attribute(&record.attributes, "target").is_some());
    }
}

#[test]
fn otel_nests_no_deeper_than_readers_read() {
    for depth in [10, 23, 24, 25, 60, 120, 500] {
        let array = "[".repeat(depth) + &"]".repeat(depth);
        let object = format!("{}1{}", "{\"a\":".repeat(depth), "}".repeat(depth));
        let [array, object] = [array, object].map(|text| serde_json::value::RawValue::from_string(text).unwrap());
        let lines = lines_by(schema("otel"), || {
            info!(
                array = spanline::json(&array),
                object = spanline::json(&object),
                spans = spanline::json(&array),
                "deep"
            );
        });
        serde_json::from_str::<LogsData>(&lines[0]).unwrap_or_else(|error| panic!("{depth}: {error}"));
    }
}

/// Static fields are attributes there, too, and none has the name of another or none at all.
#[test]
fn otel_has_each_attribute_once_and_none_without_a_name() {
    let memory = Memory::new();
    let builder =
        fixed().service("orders").static_field("request_id", "static").static_field("code.file.path", "static");
    let output = Output::new(memory.clone()).schema(Otel::new().bare());
    let (layer, guard) = builder.static_field("host.name", "static").output(output).build().unwrap();
    with_default(tracing_subscriber::registry().with(layer), || {
        info!(request_id = "r-1", { "" } = 1, { "_" } = 2, { "host.name" } = 3, "text");
    });
    guard.close().unwrap();
    let line = read(&memory.lines()).remove(0);
    let attributes: Vec<KeyValue> = serde_json::from_value(line["attributes"].clone()).unwrap();
    let mut names: Vec<_> = attributes.iter().map(|attribute| attribute.key.as_str()).collect();
    names.sort_unstable();
    let wanted = [
        "_",
        "__2",
        "code.file.path",
        "code.line.number",
        "fields",
        "host.name",
        "request_id",
        "service.name",
        "target",
    ];
    assert_eq!(names, wanted);
    let Some(Any::KvlistValue(fields)) = attribute(&attributes, "fields") else { panic!("{line}") };
    assert_eq!(attribute(&fields.values, "host.name"), Some(&Any::IntValue(3)));
    assert_eq!(attribute(&fields.values, "request_id").cloned(), text("static"));
}

/// The lines that `fmt().json()` writes of the same events.
fn fmt_lines(run: impl FnOnce()) -> Vec<Value> {
    #[derive(Clone, Default)]
    struct Written(Arc<Mutex<Vec<u8>>>);
    impl std::io::Write for Written {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    let written = Written::default();
    let into = written.clone();
    let fmt = tracing_subscriber::fmt::layer()
        .json()
        .with_file(true)
        .with_line_number(true)
        .with_thread_names(true)
        .with_thread_ids(true)
        .with_writer(move || into.clone());
    with_default(tracing_subscriber::registry().with(fmt), run);
    let text = String::from_utf8(written.0.lock().unwrap().clone()).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn nested_has_what_fmt_json_has() {
    let failed = failed();
    let run = || {
        let error: &(dyn Error + 'static) = &failed;
        trace!("outside");
        debug!(target: "orders", answer = 42, negative = -1, float = 1.5, yes = true, text = "a \"text\"\n", "values");
        warn!(wide = u128::MAX, narrow = 7_i128, debug = ?Some(1), display = %"shown", error, "more values");
        info!(no_message = 1);
        error!(level = "a field", target = "a field", timestamp = 1, span = 2, spans = 3, "of fmt's own names");
        let trace_id = "4bf92f3577b34da6a3ce929d0e0e4736";
        let request = info_span!("request", request_id = "r-1", trace_id, later = tracing::field::Empty, error);
        request.in_scope(|| {
            info!("in a span");
            request.record("later", 5);
            info_span!("db", table = "orders", wide = u128::MAX).in_scope(|| info!(table = "event", "in two"));
            info_span!("empty").in_scope(|| info!("in one without fields"));
        });
        tracing_log::format_trace(
            &log::RecordBuilder::new()
                .metadata(log::MetadataBuilder::new().target("pool").level(log::Level::Warn).build())
                .args(format_args!("of the log crate"))
                .file(Some("src/pool.rs"))
                .line(Some(42))
                .module_path(Some("pool::inner"))
                .build(),
        )
        .unwrap();
    };
    let theirs = fmt_lines(run);
    let ours = read(&lines_by(Nested::new().thread_id().thread_name().file().line(), run));
    assert_eq!((ours.len(), theirs.len()), (9, 9));
    for (ours, theirs) in ours.iter().zip(&theirs) {
        for (key, value) in theirs.as_object().unwrap().iter().filter(|(key, _)| *key != "timestamp") {
            assert_eq!(&ours[key], value, "{key} of {theirs} in {ours}");
        }
        assert_eq!(ours["timestamp"], "2026-11-20T10:15:38.123456Z");
        assert_eq!(ours["timestamp"].as_str().unwrap().len(), theirs["timestamp"].as_str().unwrap().len());
    }
    assert_eq!(ours[5]["trace_id"], "4bf92f3577b34da6a3ce929d0e0e4736");
    assert_eq!((&ours[6]["request_id"], &ours[6]["service"]), (&json!("r-1"), &json!("orders")));
}

#[test]
fn nested_keeps_a_spans_field_that_is_called_name() {
    let lines = lines_by(Nested::new(), || {
        info_span!("request", name = "theirs", fields = 1, a = 2).in_scope(|| info!("in it"));
    });
    let expected = json!({"a": 2, "name": "request", "fields": {"name": "theirs", "fields": 1}});
    assert_eq!(strict::line(&lines[0])["span"], expected);
}

#[test]
fn nested_has_ids_and_service_of_fields_where_nothing_else_says_them() {
    let memory = Memory::new();
    let (layer, guard) = fixed().output(Output::new(memory.clone()).schema(Nested::new())).build().unwrap();
    with_default(tracing_subscriber::registry().with(layer), || {
        info!(trace_id = "4BF92F3577B34DA6A3CE929D0E0E4736", span_id = "00f067aa0ba902b7", "outside");
        info!(trace_id = "malformed", "outside");
        info_span!("request", service = "orders").in_scope(|| info!(trace_id = "ours", "inside"));
    });
    guard.close().unwrap();
    let [outside, malformed, inside] = &read(&memory.lines())[..] else { panic!() };
    assert_eq!(outside["trace_id"], "4bf92f3577b34da6a3ce929d0e0e4736");
    assert_eq!((&outside["span_id"], malformed.get("trace_id")), (&json!("00f067aa0ba902b7"), None));
    assert_eq!((&inside["service"], &inside["span"]["service"]), (&json!("orders"), &json!("orders")));
    assert_ne!(inside["trace_id"], "ours");
}

#[test]
fn a_static_request_id_is_the_lines_where_no_span_has_one() {
    for (schema, keys) in built_in().filter_map(|schema| Some((schema, schema.keys?))) {
        let (name, Some(pointer)) = (schema.name, keys.request_id) else { continue };
        let memory = Memory::new();
        let output = Output::new(memory.clone()).schema(schema.schema());
        let (layer, guard) = fixed().static_field("request_id", "job-1").output(output).build().unwrap();
        with_default(tracing_subscriber::registry().with(layer), || {
            info!("of the job");
            info_span!("request", request_id = "r-1").in_scope(|| info!("of a request"));
        });
        guard.close().unwrap();
        let [job, request] = &memory.lines()[..] else { panic!("{name}") };
        let said = |line: &str, id: &str| match schema.is_json {
            true => strict::line(line).pointer(pointer) == Some(&json!(id)),
            false => line.split(' ').any(|pair| pair == format!("{}={id}", &pointer[1..])),
        };
        assert!(said(job, "job-1") && said(request, "r-1"), "{name}: {job} {request}");
        // Static fields are labels of Google Cloud's, whatever a line says.
        assert!(name == "gcp" || !request.contains("job-1"), "{name}: {request}");
    }
}

/// The special fields of structured logging, and of Error Reporting.
#[test]
fn gcp_has_the_special_fields_in_their_types() {
    let failed = failed();
    let error: &(dyn Error + 'static) = &failed;
    let request = json!({"requestMethod": "GET", "status": 200});
    let lines =
        lines_by(Gcp::new().project("p-1").trace_sampled(true).error_reporting().thread_id().thread_name(), || {
            info_span!("request", httpRequest = spanline::json(&request)).in_scope(|| {
                let site = Site::placed("orders", Level::ERROR, &["message", "error"], "src/main.rs", 7);
                site.log(&[Some(&"failed"), Some(&error)]);
            });
            info!(httpRequest = "no request", "text");
        });
    let [line, other] = &read(&lines)[..] else { panic!("{lines:?}") };
    assert_eq!(line["severity"], "ERROR");
    assert_eq!(line["time"], "2026-11-20T10:15:38.123456Z");
    let trace = line["logging.googleapis.com/trace"].as_str().unwrap();
    assert!(trace.starts_with("projects/p-1/traces/") && trace.len() == 20 + 32, "{trace}");
    assert_eq!(line["logging.googleapis.com/spanId"].as_str().unwrap().len(), 16);
    assert_eq!(line["logging.googleapis.com/trace_sampled"], true);
    assert_eq!(line["logging.googleapis.com/sourceLocation"], json!({"file": "src/main.rs", "line": "7"}));
    assert_eq!(line["logging.googleapis.com/labels"], json!({"env": "test"}));
    assert_eq!(line["serviceContext"], json!({"service": "orders", "version": "1.2.3"}));
    assert_eq!(line["httpRequest"], request);
    assert!(line["stack_trace"].as_str().unwrap().starts_with("Failed: order not loaded\n\nCaused by:\n"));
    assert!(line["@type"].as_str().unwrap().ends_with("ReportedErrorEvent"));
    let place = json!({"filePath": "src/main.rs", "lineNumber": 7, "functionName": "orders"});
    assert_eq!(line["context"]["reportLocation"], place);
    assert_eq!(other["fields"], json!({"httpRequest": "no request"}));
    assert_eq!((other.get("@type"), other.get("stack_trace")), (None, None));
}

/// The keys that the Ops Agent reads instead; the others have the same names in both.
#[test]
fn gcp_has_the_names_of_the_ops_agent() {
    let request = json!({"requestMethod": "GET"});
    let lines = lines_by(Gcp::new().trace_sampled(true).error_reporting().ops_agent(), || {
        info_span!("request", httpRequest = spanline::json(&request)).in_scope(|| {
            Site::placed("orders", Level::ERROR, &["message", "severity"], "src/main.rs", 7)
                .log(&[Some(&"failed"), Some(&"mine")]);
        });
    });
    let line = &read(&lines)[0];
    assert_eq!(
        (&line["logging.googleapis.com/severity"], &line["fields"]["severity"]),
        (&json!("ERROR"), &json!("mine"))
    );
    assert_eq!(line["logging.googleapis.com/httpRequest"], request);
    assert_eq!(line["logging.googleapis.com/traceSampled"], true);
    let other = ["severity", "httpRequest", "logging.googleapis.com/trace_sampled"];
    assert!(other.iter().all(|key| line.get(*key).is_none()), "{line}");
}

/// As Datadog's tracers log ids today: 128 bits in hex, spans in decimal; and as they did before.
#[test]
fn datadog_has_the_ids_of_its_tracers() {
    let run = || info_span!("request", trace_id = "4bf92f3577b34da6a3ce929d0e0e4736").in_scope(|| info!("text"));
    let [new, old] =
        [Datadog::new(), Datadog::new().decimal_ids()].map(|datadog| read(&lines_by(datadog, run)).remove(0));
    assert_eq!(new["dd.trace_id"], "4bf92f3577b34da6a3ce929d0e0e4736");
    assert_eq!(old["dd.trace_id"], 0xa3ce_929d_0e0e_4736_u64.to_string());
    let flat = read(&lines_by(schema("flat"), run)).remove(0);
    let span = u64::from_str_radix(flat["span_id"].as_str().unwrap(), 16).unwrap();
    assert_eq!((&new["dd.span_id"], &old["dd.span_id"]), (&json!(span.to_string()), &json!(span.to_string())));
    assert_eq!(
        (&new["dd.service"], &new["dd.env"], &new["dd.version"]),
        (&json!("orders"), &json!("test"), &json!("1.2.3"))
    );
}

/// Of several attributes for the time the first counts, and `@timestamp` is the first.
#[test]
fn datadog_takes_no_field_for_the_time_of_the_line() {
    let line = read(&lines_by(schema("datadog"), || info!({ "@timestamp" } = 1, eventTime = 2, "text"))).remove(0);
    assert_eq!(line["timestamp"], "2026-11-20T10:15:38.123456Z");
    assert_eq!(line["fields"], json!({"@timestamp": 1, "eventTime": 2}));
}

/// What Lambda's level filter and CloudWatch look at.
#[test]
fn lambda_names_level_and_request_as_the_runtimes_do() {
    let lines = read(&lines_by(schema("lambda"), || {
        info_span!("Lambda runtime invoke", requestId = "i-1", request_id = "r-1")
            .in_scope(|| warn!("in an invocation"));
        info_span!("request", request_id = 7).in_scope(|| info!("of a request"));
    }));
    assert_eq!((&lines[0]["level"], &lines[0]["requestId"]), (&json!("WARN"), &json!("i-1")));
    assert_eq!(lines[0]["request_id"], "r-1");
    assert_eq!((&lines[1]["requestId"], lines[1].get("request_id")), (&json!("7"), None));
    for line in &lines {
        assert!(chrono::DateTime::parse_from_rfc3339(line["timestamp"].as_str().unwrap()).is_ok());
    }
}

/// The viewer itself, which the gate installs; elsewhere without it the test says nothing.
#[test]
fn bunyan_is_read_by_its_viewer() {
    let Some(viewer) = viewer("bunyan/node_modules/.bin/bunyan") else { return };
    let lines = lines_by(Bunyan::new().file().line(), || {
        story();
        Site::placed("orders", Level::INFO, &["message"], "src/main.rs", 7).log(&[Some(&"placed")]);
    });
    let view = |arguments: &[&str]| seen_by(&viewer, arguments, &lines);
    // `--strict` leaves out what is not a record of bunyan's.
    let records: Vec<Value> =
        view(&["--strict", "-o", "json-0"]).lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let mut ours = read(&lines);
    // JavaScript's numbers end at 53 bits.
    let large = |record: &mut Value| record.as_object_mut().unwrap().remove("large");
    ours.iter_mut().for_each(|record| drop(large(record)));
    let mut theirs = records;
    theirs.iter_mut().for_each(|record| drop(large(record)));
    assert_eq!(theirs, ours);
    let seen = view(&["--strict", "--no-color", "-o", "short"]);
    for level in ["TRACE", "DEBUG", " INFO", " WARN", "ERROR"] {
        assert!(seen.contains(&format!("{level} orders/orders::")), "{level} in {seen}");
    }
    assert!(seen.contains("order loaded") && seen.contains("Caused by:"), "{seen}");
    let seen = view(&["--strict", "--no-color", "-o", "long"]);
    assert!(seen.contains("(src/main.rs:7)"), "{seen}");
    assert_eq!(view(&["--strict", "-l", "error", "-o", "json-0"]).lines().count(), 3);
}

/// The log's lines about itself are lines of each schema.
#[test]
fn promise_02_a_notice_of_loss_is_readable_in_each_schema() {
    for BuiltIn { name, is_json, .. } in built_in() {
        let gate = crate::support::stage::Gate::default();
        let output = Output::new(gate.clone()).schema(schema(name)).queue_bytes(8 << 10);
        let (layer, guard) = fixed().service("orders").output(output).build().unwrap();
        with_default(tracing_subscriber::registry().with(layer), || {
            for number in 0..1000 {
                info!(number, "a line among many");
            }
        });
        gate.open();
        guard.close().unwrap();
        let memory: &Memory = &gate.memory;
        let text = memory.text();
        let (_, notice) = text.split_once("log lines were dropped").unwrap_or_else(|| panic!("{name}: {text}"));
        assert!(notice.contains("dropped") && notice.contains("reason"), "{name}: {text}");
        if *is_json {
            memory.lines().iter().for_each(|line| drop(strict::line(line)));
        }
    }
}
