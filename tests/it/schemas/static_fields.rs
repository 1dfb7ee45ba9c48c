//! Static fields keep their type in each schema that has types.

use serde_json::{Value, json};
use spanline::record::{Record, Value as Captured};
use spanline::schema::Schema;
use spanline::sink::Memory;
use spanline::{Output, Redact};
use tracing::info;
use tracing::subscriber::with_default;
use tracing_subscriber::prelude::*;

use super::logfmt::read;
use super::schema;
use crate::support::stage::fixed;
use crate::support::strict;

/// The line of an event with static fields of all types.
fn line(schema: impl Schema, redact: Redact) -> String {
    let memory = Memory::new();
    let builder = fixed()
        .redact(redact)
        .static_field("shard", 7)
        .static_field("negative", -7i64)
        .static_field("ratio", 0.5)
        .static_field("canary", true)
        .static_field("text", "text")
        .static_field("owned", "text".to_owned())
        .static_field("some", Some(1u8))
        .static_field("none", None::<String>)
        .static_field("json", Captured::Json(r#"{"a":[1,"4111111111111111"]}"#))
        .static_field("password", 1234)
        .static_field("has_password", true)
        .static_field("card", 4_111_111_111_111_111u64)
        .static_field("url", "redis://:hunter2@db");
    let (layer, guard) = builder.output(Output::new(memory.clone()).schema(schema)).build().unwrap();
    with_default(tracing_subscriber::registry().with(layer), || info!("text"));
    guard.close().unwrap();
    memory.text().trim_end().to_owned()
}

#[test]
fn static_fields_keep_their_type() {
    let expected = json!({
        "shard": 7, "negative": -7, "ratio": 0.5, "canary": true, "text": "text", "owned": "text", "some": 1,
        "json": {"a": [1, "4111111111111111"]}, "has_password": true, "card": 4_111_111_111_111_111_u64,
    });
    for name in ["flat", "nested", "datadog", "bunyan", "pino", "lambda", "splunk", "ecs"] {
        let line = strict::line(&line(schema(name), Redact::new()));
        let fields = match name {
            "ecs" => &line["labels"],
            "splunk" => &line["event"],
            _ => &line,
        };
        for (key, value) in expected.as_object().unwrap() {
            // A label is a text.
            let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            let value = if name == "ecs" { &json!(text) } else { value };
            assert_eq!(&fields[key], value, "{name} {key}");
        }
        assert_eq!((fields.get("none"), &fields["password"]), (None, &json!("<redacted>")), "{name}");
    }
    let line_of = |name| line(schema(name), Redact::new());
    let labels = &strict::line(&line_of("gcp"))["logging.googleapis.com/labels"];
    assert_eq!((&labels["shard"], &labels["canary"]), (&json!("7"), &json!("true")), "labels are strings");
    let line = strict::line(&line_of("otel"));
    let attributes = line["resourceLogs"][0]["resource"]["attributes"].as_array().unwrap();
    let attribute = |key: &str| attributes.iter().find(|one| one["key"] == key).map(|one| &one["value"]);
    assert_eq!(attribute("shard"), Some(&json!({"intValue": "7"})));
    assert_eq!(attribute("canary"), Some(&json!({"boolValue": true})));
    let pairs = read(&line_of("logfmt")).unwrap();
    let value = |key: &str| pairs.iter().find(|(name, _)| name == key).map(|(_, value)| value.as_str());
    assert_eq!((value("shard"), value("ratio"), value("none")), (Some("7"), Some("0.5"), None));
}

#[test]
fn values_of_static_fields_are_redacted_whatever_their_type() {
    let line: Value = strict::line(&line(schema("flat"), Redact::new().values()));
    assert_eq!(line["url"], "redis://:<redacted>@db");
    assert_eq!((&line["card"], &line["password"]), (&json!("<redacted>"), &json!("<redacted>")));
    assert_eq!((&line["json"], &line["shard"]), (&json!({"a": [1, "<redacted>"]}), &json!(7)));
}

#[test]
fn a_schema_sees_the_type_of_a_static_field() {
    struct Types;
    impl Schema for Types {
        fn render(&mut self, record: &Record<'_>, out: &mut Vec<u8>) {
            let types = record.static_fields().map(|(name, value)| format!("{name}={value:?}")).collect::<Vec<_>>();
            out.extend_from_slice(types.join(" ").as_bytes());
        }
    }
    let line = line(Types, Redact::none());
    assert!(line.starts_with("shard=I64(7) negative=I64(-7) ratio=F64(0.5) canary=Bool(true)"), "{line}");
}
