//! The rules of Graylog, of Splunk's collector, and of the viewer `pino-pretty`; the formats of times.

use serde_json::{Value, json};
use spanline::schema::{Flat, Gelf, Pino, Rfc3339, Splunk, TimeFormat};
use tracing::{Level, info, info_span};

use super::golden::story;
use super::{lines_by, read, schema, seen_by, viewer};
use crate::support::stage::Site;
use crate::support::strict;

/// What Graylog's `GelfCodec` accepts, and what it keeps of a message.
fn graylog_reads(line: &Value) -> Result<serde_json::Map<String, Value>, String> {
    let text = |key: &str| line.get(key).and_then(Value::as_str).filter(|text| !text.trim().is_empty());
    let host = text("host").ok_or("empty mandatory host")?;
    let short = text("short_message").ok_or("empty mandatory short_message")?;
    let time = line["timestamp"].as_f64().filter(|time| *time > 0.0).ok_or("timestamp is no number")?;
    let level = line["level"].as_u64().filter(|level| *level < 8).ok_or("without a level, it is ALERT")?;
    if line["version"] != "1.1" {
        return Err("version".to_owned());
    }
    let mut message = serde_json::Map::new();
    for (key, value) in [("source", json!(host)), ("message", json!(short)), ("timestamp", json!(time))] {
        message.insert(key.to_owned(), value);
    }
    message.insert("level".to_owned(), json!(level));
    if let Some(full) = line.get("full_message") {
        message.insert("full_message".to_owned(), json!(full.as_str().ok_or("full_message is no text")?));
    }
    for (key, value) in line.as_object().unwrap() {
        if ["version", "host", "short_message", "full_message", "timestamp", "level"].contains(&key.as_str()) {
            continue;
        }
        let name = key.strip_prefix('_').ok_or(format!("{key} is no additional field"))?;
        if !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte)) || name.is_empty() {
            return Err(format!("{key} has a character that is not allowed"));
        }
        let reserved = ["id", "short_message", "host", "facility", "_id", "_ttl", "_source", "_all", "_index", "_type"];
        if reserved.contains(&name) || name.starts_with("gl2_") || message.contains_key(name) {
            return Err(format!("{key} would be dropped"));
        }
        let is_kept = value.is_string() || value.as_i64().is_some() || value.is_f64();
        if !is_kept {
            return Err(format!("{key}: {value} is no text and no number of Java's"));
        }
        message.insert(name.to_owned(), value.clone());
    }
    Ok(message)
}

#[test]
fn graylog_keeps_every_part_of_a_gelf_line() {
    let lines = lines_by(Gelf::new().file().line().thread_id().thread_name(), || {
        story();
        Site::placed("orders", Level::INFO, &["message", "yes", "id"], "src/main.rs", 7).log(&[
            Some(&" \n"),
            Some(&true),
            Some(&7),
        ]);
        info!({ "gl2_source_input" } = 1, { "a price €" } = u64::MAX, _id = "x", facility = "y", "names");
    });
    let read: Vec<_> = lines.iter().map(|line| graylog_reads(&strict::line(line)).expect(line)).collect();
    assert_eq!(read.len(), lines.len());
    let levels: Vec<_> = read[..5].iter().map(|line| line["level"].as_u64().unwrap()).collect();
    assert_eq!(levels, [7, 7, 6, 4, 3]);
    let error = read.iter().find(|line| line.contains_key("error_type")).unwrap();
    assert_eq!((&error["error_message"], &error["error_type"]), (&json!("order not loaded"), &json!("Failed")));
    assert!(error["full_message"].as_str().unwrap().contains("timed out"), "{error:?}");
    let [.., blank, names] = &read[..] else { panic!("{read:?}") };
    assert_eq!((&blank["message"], &blank["yes"], &blank["fields_id"]), (&json!("-"), &json!("true"), &json!(7)));
    assert_eq!((&blank["file"], &blank["line"]), (&json!("src/main.rs"), &json!(7)));
    assert_eq!(names["fields_gl2_source_input"], 1);
    assert_eq!(names["a_price__"], json!(u64::MAX.to_string()));
    assert_eq!((&names["fields__id"], &names["fields_facility"]), (&json!("x"), &json!("y")));
}

/// The collector's rules: known keys, a time that is a number, metadata that is text, and an event that is not blank.
#[test]
fn splunk_takes_every_line_as_an_event() {
    for (schema, index) in [(Splunk::new(), None), (Splunk::new().index("main").sourcetype("orders"), Some("main"))] {
        let lines = read(&lines_by(schema.file().line(), story));
        for line in &lines {
            for (key, value) in line.as_object().unwrap() {
                let is_right = match key.as_str() {
                    "time" => value.as_f64().is_some_and(|time| time > 0.0),
                    "host" | "source" | "sourcetype" | "index" => value.as_str().is_some_and(|text| !text.is_empty()),
                    "event" => value["message"].as_str().is_some_and(|text| !text.is_empty()),
                    _ => false,
                };
                assert!(is_right, "{key} in {line}");
            }
            assert_eq!(line.get("index").and_then(Value::as_str), index);
            let event = line["event"].as_object().expect("an event");
            assert!(event["severity"].is_string() && event["logger"].is_string(), "{line}");
        }
        assert_eq!(lines[0]["time"], json!(1_795_169_738.123_456));
        let forged = lines.iter().find(|line| line["event"].get("fields.trace_id").is_some()).unwrap();
        assert_eq!(forged["event"]["fields.trace_id"], "FORGED");
        let error = lines.iter().find(|line| line["event"].get("exception_type").is_some()).unwrap();
        assert_eq!(error["event"]["exception"], "order not loaded");
    }
}

/// The viewer itself, which the gate installs; elsewhere without it the test says nothing.
#[test]
fn pino_is_read_by_its_viewer() {
    let Some(viewer) = viewer("pino/node_modules/.bin/pino-pretty") else { return };
    let view = |schema: Pino| {
        let lines = lines_by(schema, || {
            story();
            Site::placed("orders", Level::INFO, &["message", "type", "stack"], "src/main.rs", 7).log(&[
                Some(&"placed"),
                Some(&"Error"),
                Some(&"forged"),
            ]);
        });
        seen_by(&viewer, &["--no-colorize", "--translateTime", "UTC:yyyy-mm-dd HH:MM:ss.l"], &lines)
    };
    let rfc_3339 = view(Pino::new().file().line().time(Rfc3339::millis()));
    let seen = view(Pino::new().file().line());
    assert_eq!(seen, rfc_3339, "both times are the same to the viewer");
    for level in ["TRACE", "DEBUG", "INFO", "WARN", "ERROR"] {
        let line = format!("[2026-11-20 10:15:38.123] {level} (orders/{}): outside of spans", std::process::id());
        assert!(seen.contains(&line), "{line} in {seen}");
    }
    assert!(seen.contains("<src/main.rs:7>: placed"), "{seen}");
    let stack = "\"stack\":\n          Failed: order not loaded\n          \n          Caused by:\n              0: query failed";
    assert!(seen.contains("\"type\": \"Failed\"") && seen.contains(stack), "{seen}");
}

#[test]
fn each_schema_spells_times_as_its_reader_takes_them() {
    let time = |schema: Flat| read(&lines_by(schema, || info!("text")))[0]["timestamp"].clone();
    assert!(time(Flat::new().time(TimeFormat::EpochMillis)).is_u64());
    assert!(time(Flat::new().time(TimeFormat::EpochNanos)).is_u64());
    let text = time(Flat::new().time(Rfc3339::nanos().offset_minutes(-210).unwrap()));
    let text = text.as_str().unwrap();
    assert!(text.len() == "2026-11-20T06:45:38.123456789-03:30".len() && text.ends_with("-03:30"), "{text}");
    let local = time(Flat::new().time(Rfc3339::millis().local()));
    assert!(chrono::DateTime::parse_from_rfc3339(local.as_str().unwrap()).is_ok(), "{local}");
    let line = &lines_by(spanline::schema::Logfmt::new().time(TimeFormat::EpochSeconds), || info!("text"))[0];
    assert!(line.starts_with("ts=1795169738.123456 level=info"), "{line}");
    let edits = spanline::schema::Edits::new().rename("timestamp", "when");
    let lines = super::output_lines(
        |output| output.schema(Flat::new().time(TimeFormat::EpochMillis)).edits(edits),
        || info_span!("request", level = 1).in_scope(|| info!("text")),
    );
    assert_eq!(read(&lines)[0]["when"], 1_795_169_738_123_u64, "{lines:?}");
    // By name, each has the time that its reader takes.
    assert!(read(&lines_by(schema("pino"), || info!("text")))[0]["time"].is_u64());
    assert!(read(&lines_by(schema("gelf"), || info!("text")))[0]["timestamp"].is_f64());
}
