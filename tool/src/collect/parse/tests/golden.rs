//! The lines of every JSON schema of the library.

use super::{AT, Field, Incoming, golden, read};

const JSON: [&str; 11] =
    ["bunyan", "datadog", "ecs", "flat", "gcp", "gelf", "lambda", "nested", "otel", "pino", "splunk"];

/// How many lines of the story have a trace, and how many an id of a request.
fn all() -> Vec<(&'static str, Vec<Incoming>)> {
    let read = |line: &String| read(line);
    JSON.iter().map(|name| (*name, golden(&format!("{name}.jsonl")).iter().map(read).collect())).collect()
}

#[test]
fn each_schema_tells_the_same_story() {
    let all = all();
    let flat = &all.iter().find(|(name, _)| *name == "flat").unwrap().1;
    assert!(flat.len() > 15);
    for (name, lines) in &all {
        assert_eq!(lines.len(), flat.len(), "{name}");
        for (line, expected) in lines.iter().zip(flat) {
            let nanos = line.time.as_nanos();
            assert!(nanos / 1_000_000 == AT.as_nanos() / 1_000_000, "{name}: {nanos}");
            // These have no name for TRACE.
            let level = |line: &Incoming| match *name {
                "gcp" | "gelf" if line.level == tracing::Level::TRACE => tracing::Level::DEBUG,
                _ => line.level,
            };
            assert_eq!((level(line), &line.target), (level(expected), &expected.target), "{name}");
            assert_eq!(line.service, expected.service, "{name}");
            assert_eq!((line.trace_id, line.span_id), (expected.trace_id, expected.span_id), "{name}: {expected:?}");
            // Lambda's id of the request may be the user's field `requestId`.
            let is_users = *name == "lambda" && line.all("request_id") == [&Field::from("FORGED")];
            assert!(is_users || line.all("request_id") == expected.all("request_id"), "{name}");
            // Some write a message where the event has none.
            let is_made_up = line.message.is_none() || expected.message.as_ref() == Some(&expected.target);
            assert!(
                line.message == expected.message || is_made_up,
                "{name}: {:?} {:?}",
                line.message,
                expected.message
            );
        }
    }
}

#[test]
fn the_users_fields_have_their_names_and_types() {
    for (name, lines) in all() {
        let loaded = lines.iter().find(|line| line.message.as_deref() == Some("order loaded")).unwrap();
        let id = loaded.all("user_id");
        // Labels are texts.
        let expected = if name == "ecs" { Field::from("42") } else { Field::U64(42) };
        let is_signed = name == "otel" && id == [&Field::I64(42)];
        assert!(id == [&expected] || is_signed, "{name}: {}", loaded.shown());
        assert!(loaded.all("user.id") == [&Field::from("u-7")], "{name}: {}", loaded.shown());
    }
}

#[test]
fn fields_that_look_like_keys_of_another_logger_stay_fields() {
    for (name, lines) in all() {
        for line in lines {
            assert!(line.service.as_deref() == Some("orders"), "{name}");
            assert!(!line.head().contains("FORGED"), "{name}: {}", line.head());
        }
    }
    // As many as are in the line.
    for line in golden("flat.jsonl") {
        let texts = [Field::from("FORGED"), Field::Json("\"FORGED\"".to_owned())];
        let forged = read(&line).fields.iter().filter(|(_, value)| texts.contains(value)).count();
        assert_eq!(forged, line.matches("FORGED").count(), "{line}");
    }
}

#[test]
fn nothing_of_a_line_is_lost() {
    for name in JSON.iter().filter(|name| **name != "otel") {
        for line in golden(&format!("{name}.jsonl")) {
            let incoming = read(&line);
            let head = incoming.head();
            let has = |value: &serde_json::Value| {
                let (json, text) = (value.to_string(), value.as_str());
                let is_it = |field: &Field| match field {
                    Field::Text(field) => text == Some(field) || value.is_object() && json.contains(field.as_str()),
                    Field::Json(field) => serde_json::from_str::<serde_json::Value>(field).ok().as_ref() == Some(value),
                    Field::Bool(on) => json == on.to_string(),
                    Field::I64(number) => json == number.to_string(),
                    Field::U64(number) => json == number.to_string(),
                    Field::F64(number) => value.as_f64() == Some(*number),
                    Field::Error(error) => [&value["message"], value].into_iter().any(|it| *it == error.to_string()),
                    Field::Bytes(_) => false,
                };
                text.is_some_and(|text| head.contains(text)) || incoming.fields.iter().any(|(_, field)| is_it(field))
            };
            let whole: serde_json::Value = serde_json::from_str(&line).unwrap();
            for (key, value) in whole.as_object().unwrap() {
                let is_head = match key.as_str() {
                    "timestamp" | "@timestamp" | "time" | "level" | "log.level" | "severity" | "status" => true,
                    // Of 64 bits in decimal, or with a project; the dialect's own version.
                    "dd.span_id" | "v" => true,
                    "version" => *name == "gelf",
                    _ => false,
                };
                let members = || {
                    value.as_object().is_some_and(|object| object.values().all(|value| has(value) || value == "ERROR"))
                };
                let is_severity = || value["severity"].is_string();
                assert!(is_head || has(value) || members() || is_severity(), "{name}: {key} of {line}");
            }
        }
    }
}
