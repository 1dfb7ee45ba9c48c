//! Whatever fields are called and hold, each schema's line is strict, and what the schema says itself is not forged.

use proptest::prelude::*;
use serde_json::Value;
use spanline::schema::{BuiltIn, Edits, Keys, built_in};
use spanline::sink::Memory;
use spanline::{Output, Redact, SpanExt};
use tracing::Level;
use tracing::subscriber::with_default;
use tracing_subscriber::prelude::*;

use super::logfmt::read;
use super::{lines_by, schema};
use crate::support::any::{names, with_given};
use crate::support::stage::{Site, fixed};
use crate::support::strict;
use crate::text::safe_lines::{expected, fields, text};

/// A line by a schema that has keys: what is at a pointer.
fn at(schema: &BuiltIn, line: &str, pointer: &str) -> Value {
    if schema.is_json {
        return strict::line(line).pointer(pointer).cloned().unwrap_or_default();
    }
    let pairs = read(line).unwrap();
    let value = pairs.into_iter().find(|(name, _)| *name == pointer[1..]).map(|(_, value)| value);
    value.map_or(Value::Null, Value::from)
}

/// What a schema writes as the level of a WARN.
fn warn(schema: &BuiltIn, keys: Keys) -> Value {
    let lines = lines_by(schema.schema(), || Site::event("orders", Level::WARN, &["message"]).log(&[Some(&"text")]));
    let level = at(schema, &lines[0], keys.level);
    assert!(!level.is_null(), "{} has no level: {}", schema.name, lines[0]);
    level
}

/// Where a schema that keeps users' fields as they are has one.
fn field<'l>(line: &'l Value, name: &str) -> &'l Value {
    line["fields"].get(name).unwrap_or(&line[name])
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 128, ..ProptestConfig::default() })]

    #[test]
    fn promise_31_promise_32_no_schema_is_forged(
        target in text(),
        span_names in (text(), text()),
        own in fields(),
        inner in fields(),
        outer in fields(),
        variable in (text(), text()),
        edits in proptest::collection::vec((0..3, text_or_name(), text_or_name()), 0..4),
    ) {
        let outputs: Vec<_> = built_in()
            .filter_map(|schema| Some((schema, schema.keys?, Memory::new(), Memory::new())))
            .collect();
        let mut changes = Edits::new();
        for (kind, from, to) in &edits {
            changes = match kind {
                0 => changes.rename(from, to),
                1 => changes.remove(from),
                _ => changes.insert(from, to),
            };
        }
        let mut builder = fixed().redact(Redact::none()).static_field("env", "test").static_field("a.b", "static");
        for (schema, _, memory, edited) in &outputs {
            let output = |memory: &Memory| Output::new(memory.clone()).schema(schema.schema()).queue_bytes(1 << 16);
            builder = builder.output(output(memory)).output(output(edited).edits(changes.clone()));
        }
        let (layer, guard) = builder.build().unwrap();
        let event = Site::event(&target, Level::WARN, &names(&own));
        let outer_site = Site::span(&span_names.0, "orders", &names(&outer));
        let inner_site = Site::span(&span_names.1, "orders", &names(&inner));
        with_default(tracing_subscriber::registry().with(layer), || {
            with_given(&own, |given| event.log(given));
            with_given(&outer, |given| outer_site.open(given)).in_scope(|| {
                let inner = with_given(&inner, |given| inner_site.open(given));
                inner.in_scope(|| with_given(&own, |given| event.log(given)));
                inner.set_variable(&variable.0, &variable.1);
                inner.in_scope(|| with_given(&own, |given| event.log(given)));
            });
        });
        guard.close().unwrap();
        prop_assert_eq!(outputs[0].0.name, "flat");
        let flat: Vec<Value> = outputs[0].2.lines().iter().map(|line| strict::line(line)).collect();
        prop_assert_eq!(flat.len(), 3);
        let values = expected(&[&own, &inner, &outer]);
        for (schema, keys, memory, edited) in &outputs {
            let (name, lines, edited) = (schema.name, memory.lines(), edited.lines());
            prop_assert_eq!((lines.len(), edited.len()), (3, 3), "{}", name);
            for line in lines.iter().chain(&edited) {
                if schema.is_json {
                    strict::line(line);
                } else {
                    read(line).map_err(TestCaseError::fail)?;
                }
            }
            let warn = warn(schema, *keys);
            for (line, flat) in lines.iter().zip(&flat) {
                prop_assert_eq!(&at(schema, line, keys.level), &warn, "{}", name);
                prop_assert_eq!(&at(schema, line, keys.target), &Value::from(target.as_str()), "{}", name);
                if flat.get("spans").is_some() {
                    prop_assert_eq!(&at(schema, line, keys.trace_id), &flat["trace_id"], "{}: {}", name, line);
                }
            }
            // A separate test checks those of `Flat`.
            if schema.is_json && name != "flat" && keys.fields == Some("") {
                let line = strict::line(&lines[1]);
                let moved = ["request_id", "env", "requestId", "httpRequest", "version", "traceparent"];
                for (field_name, value) in values.iter().filter(|(name, _)| !moved.contains(&name.as_str())) {
                    let found = field(&line, field_name);
                    // Gcp keeps numbers as doubles.
                    let is_text = name == "gcp" && found.as_str() == Some(&value.to_string());
                    prop_assert!(is_text || found == value, "{} {}: {} for {}", name, field_name, found, value);
                }
            }
        }
    }
}

/// Names that edits meet something with.
fn text_or_name() -> impl Strategy<Value = String> {
    prop_oneof![
        text(),
        proptest::sample::select(vec![
            "timestamp",
            "level",
            "message",
            "fields.a",
            "labels.a",
            "spans.a",
            "a",
            "b",
            "c",
            "severity",
            "ts",
            "fields",
            "labels",
            "resourceLogs",
            "",
        ])
        .prop_map(str::to_owned),
    ]
}

#[test]
fn context_variables_are_fields_and_no_span_in_every_schema() {
    for BuiltIn { name, .. } in built_in() {
        let lines = lines_by(schema(name), || {
            spanline::with("tenant", "acme").in_scope(|| {
                tracing::info!("outside");
                tracing::info_span!("request", request_id = "r-1").in_scope(|| {
                    spanline::with("attempt", 2u64).in_scope(|| tracing::info!("inside"));
                });
            });
        });
        let text = lines.join("\n");
        let (outside, inside) = text.split_once("inside").unwrap();
        assert!(outside.contains("acme") && inside.contains("acme") && inside.contains("request"), "{name}: {text}");
        assert!(
            !text.contains("\"context\"") && !text.contains("context:") && !text.contains(":context"),
            "{name}: {text}"
        );
    }
}
