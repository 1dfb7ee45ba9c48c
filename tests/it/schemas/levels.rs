//! How lines spell their level, and the field `level_name`, which names another one.

use serde_json::{Value, json};
use spanline::schema::{BuiltIn, Flat, LevelFormat, Logfmt, Nested, built_in};
use tracing::{error, info, info_span, warn};

use super::logfmt::read;
use super::{lines_by, schema};
use crate::support::strict;

fn values(lines: &[String]) -> Vec<Value> {
    lines.iter().map(|line| strict::line(line)).collect()
}

#[test]
fn a_level_is_spelled_as_the_switch_says() {
    let spelled = |format| values(&lines_by(Flat::new().level(format), || warn!("text")))[0]["level"].clone();
    assert_eq!((spelled(LevelFormat::Upper), spelled(LevelFormat::Lower)), (json!("WARN"), json!("warn")));
    assert_eq!((spelled(LevelFormat::Bunyan), spelled(LevelFormat::OpenTelemetry)), (json!(40), json!(13)));
    assert_eq!((spelled(LevelFormat::Python), spelled(LevelFormat::Syslog)), (json!(30), json!(4)));
    let nested = &values(&lines_by(Nested::new().level(LevelFormat::Lower), || info!("text")))[0];
    assert_eq!(nested["level"], "info");
    let line = &lines_by(Logfmt::new().level(LevelFormat::Upper), || info!("text"))[0];
    assert!(line.contains(" level=INFO "), "{line}");
}

/// What each schema calls the levels that `tracing` lacks, where its reader knows them.
#[test]
fn a_field_names_the_level_in_the_words_of_each_back_end() {
    let names = ["notice", "CRITICAL", "Alert", "FATAL", "EMERGENCY"];
    let expected = |schema: &str| match schema {
        "bunyan" | "pino" => json!([30, 60, 60, 60, 60]),
        "gelf" => json!([5, 2, 1, 2, 1]),
        "otel" => json!([10, 18, 19, 21, 21]),
        "gcp" => json!(["NOTICE", "CRITICAL", "ALERT", "CRITICAL", "EMERGENCY"]),
        "datadog" => json!(["notice", "critical", "alert", "critical", "emergency"]),
        "lambda" => json!(["INFO", "FATAL", "FATAL", "FATAL", "FATAL"]),
        "logfmt" => json!(["notice", "critical", "alert", "fatal", "emergency"]),
        _ => json!(["NOTICE", "CRITICAL", "ALERT", "FATAL", "EMERGENCY"]),
    };
    for BuiltIn { name, is_json, keys, .. } in built_in() {
        let Some(keys) = keys else { continue };
        let lines = lines_by(schema(name), || names.iter().for_each(|level| error!(level_name = level, "text")));
        let level = |line: &String| match is_json {
            true => strict::line(line).pointer(keys.level).cloned(),
            false => read(line).unwrap().into_iter().find(|(key, _)| key == "level").map(|(_, value)| json!(value)),
        };
        let levels: Vec<_> = lines.iter().map(|line| level(line).unwrap()).collect();
        assert_eq!(json!(levels), expected(name), "{name}");
        // `fmt` shows all fields of an event, so `Nested` does too.
        assert!(*name == "nested" || !lines.join("\n").contains("level_name"), "{name}: {lines:?}");
    }
}

#[test]
fn other_values_and_those_of_spans_are_fields_like_any() {
    let lines = values(&lines_by(schema("flat"), || {
        info!(level_name = "loud", "text");
        info!(level_name = 7, "text");
        info_span!("request", level_name = "FATAL").in_scope(|| {
            info!("text");
            info!(level_name = "CRITICAL", "text");
        });
    }));
    let said: Vec<_> = lines.iter().map(|line| (&line["level"], line.get("level_name"))).collect();
    let info = &json!("INFO");
    let expected = [
        (info, Some(&json!("loud"))),
        (info, Some(&json!(7))),
        (info, Some(&json!("FATAL"))),
        (&json!("CRITICAL"), None),
    ];
    assert_eq!(said, expected);
}
