//! Each key of the model can be set, and the defaults of the page are those of the code.
#![cfg(all(
    target_os = "linux",
    feature = "http",
    feature = "journald",
    feature = "opentelemetry",
    feature = "otlp",
    feature = "postgres",
    feature = "sealed",
    feature = "signals",
    feature = "spool",
    feature = "sqlite",
    feature = "syslog",
    feature = "time-zones",
    feature = "tls",
    feature = "zstd"
))]

use std::fs;

use serde_json::{Map, Value, json};
use spanline::config;

use super::model::schema;

/// Made by `age-keygen`.
const RECIPIENT: &str = "age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p";

/// Values for a key, by its schema.
fn samples(schema: &Value, root: &Value) -> Vec<Value> {
    if let Some(reference) = schema["$ref"].as_str() {
        let name = reference.rsplit('/').next().unwrap().replace("%20", " ");
        return match name.as_str() {
            "sink" => vec!["stdout".into()],
            "schema" => vec!["ecs".into()],
            "overflow" => vec![json!({ "block": "1 s" })],
            "durability" => vec![json!({ "interval": "1 s" }), json!({ "at_level": "warn" })],
            "seal_fields" => vec![json!({ "names": ["card"], "recipients": [RECIPIENT] })],
            "sampling" => vec![json!({ "one_in": 2 }), json!({ "burst": 2, "every": "1 s", "below": "error" })],
            _ => samples(&root["$defs"][&name], root),
        };
    }
    if let Some(values) = schema["enum"].as_array() {
        return values.clone();
    }
    if let Some(kinds) = schema["anyOf"].as_array() {
        return kinds.iter().flat_map(|kind| samples(kind, root)).collect();
    }
    let kind = schema["type"].as_str().unwrap_or_else(|| schema["type"][0].as_str().unwrap_or_default());
    let examples = schema["examples"].as_array().cloned();
    match kind {
        "string" => examples.unwrap_or_else(|| vec!["red".into()]),
        "integer" => vec![5.into()],
        "boolean" => vec![true.into(), false.into()],
        "array" => samples(&schema["items"], root).into_iter().map(|item| json!([item])).collect(),
        "object" if schema["additionalProperties"].is_object() => {
            samples(&schema["additionalProperties"], root).into_iter().map(|value| json!({ "a": value })).collect()
        }
        "object" => {
            // Each key once, beside what has to be there.
            let properties = schema["properties"].as_object().cloned().unwrap_or_default();
            let required = |name: &str| schema["required"].as_array().is_some_and(|all| all.contains(&name.into()));
            let least: Map<String, Value> = properties
                .iter()
                .filter(|(name, _)| required(name))
                .map(|(name, schema)| (name.clone(), samples(schema, root).remove(0)))
                .collect();
            let each = properties
                .iter()
                .flat_map(|(name, schema)| samples(schema, root).into_iter().map(move |value| (name, value)));
            let mut tables: Vec<Value> = each
                .map(|(name, value)| {
                    let mut table = least.clone();
                    table.insert(name.clone(), value);
                    Value::Object(table)
                })
                .collect();
            tables.push(Value::Object(least));
            tables
        }
        other => panic!("no sample for {other}: {schema}"),
    }
}

/// Values that the JSON Schema allows and the key does not: `true` where only `false` means something, and texts in a form.
const REFUSED: &[(&str, &str)] = &[("filter_variable", "true"), ("below\":\"trace", "stdout")];

#[test]
fn each_key_of_the_json_schema_can_be_set() {
    let schema = schema();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("one.json");
    let signer = folder.path().join("signer");
    fs::write(&signer, spanline::sealed::Signer::generate().unwrap().to_text().as_bytes()).unwrap();
    let mut texts: Vec<Value> = Vec::new();
    for (key, property) in schema["properties"].as_object().unwrap() {
        if ["env", "output", "$schema"].contains(&key.as_str()) {
            continue;
        }
        texts.extend(samples(property, &schema).into_iter().map(|value| json!({ key: value })));
    }
    for (name, section) in schema["$defs"].as_object().unwrap() {
        let tables = || samples(section, &schema);
        if name.starts_with("sink ") {
            let in_sink = |mut table: Value| {
                let own = name.strip_prefix("sink ").unwrap();
                if table.get(own).is_none() {
                    table[own] = samples(&section["properties"][own], &schema).remove(0);
                }
                // What these need beside them.
                if ["keep_files", "keep_for", "keep_bytes", "numbered", "local_time", "time_zone"]
                    .iter()
                    .any(|key| table.get(key).is_some())
                    && ["file", "route"].contains(&own)
                {
                    table["rotate"] = "daily".into();
                    table["keep_files"] = 3.into();
                }
                if table.get("columns").is_some() {
                    table["columns"] = json!(["time", "field:red"]);
                }
                if table.get("sign_with").is_some() {
                    table["sign_with"] = json!({ "file": signer });
                }
                if ["seal_to", "sign_with"].iter().any(|key| table.get(key).is_some()) {
                    table["seal_to"] = json!([RECIPIENT]);
                }
                if own == "route" {
                    table["path"] = "logs/{value}.log".into();
                }
                json!({ "output": { "a": { "sink": table } } })
            };
            texts.extend(tables().into_iter().map(in_sink));
        } else if let Some(own) = name.strip_prefix("schema ") {
            texts.extend(tables().into_iter().map(|mut table| {
                table[if own == "template" { "template" } else { "name" }] =
                    if own == "template" { "{message}".into() } else { own.into() };
                json!({ "output": { "a": { "sink": "stdout", "schema": table } } })
            }));
        }
    }
    let output = &schema["$defs"]["output"]["properties"];
    for (key, property) in output.as_object().unwrap() {
        texts.extend(samples(property, &schema).into_iter().map(|value| {
            let mut table = json!({ "sink": "stdout" });
            table[key] = value;
            json!({ "output": { "a": table } })
        }));
    }
    assert!(texts.len() > 400, "{}", texts.len());
    let mut wrong = Vec::new();
    for text in texts {
        let shown = text.to_string();
        fs::write(&path, &shown).unwrap();
        let is_refused = REFUSED.iter().any(|(key, value)| shown.contains(key) && shown.contains(value));
        // Files that the samples name do not exist, and nothing is opened.
        match config::check(&path) {
            Err(error) if !is_refused => wrong.push(format!("{shown}\n  {error}")),
            Ok(()) if is_refused => wrong.push(format!("{shown} is accepted")),
            _ => {}
        }
    }
    assert!(wrong.is_empty(), "{} refused:\n{}", wrong.len(), wrong.join("\n"));
}

/// A line that a schema with these options renders.
fn rendered(schema: &str, options: &str) -> String {
    let memory = spanline::sink::Memory::new();
    let sink = memory.clone();
    let text = format!("output.a = {{ sink = {{ memory = true }}, schema = {{ name = '{schema}', {options} }} }}");
    let builder = spanline::Builder::from_toml(text).register_sink("memory", move |settings| {
        settings.flag("memory");
        Ok(Box::new(sink.clone()))
    });
    let builder = builder.clock(|| crate::support::stage::NOW).id_seed(1);
    let (layer, guard) = builder.build().unwrap();
    use tracing_subscriber::prelude::*;
    tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), || tracing::info!("x"));
    guard.close().unwrap();
    memory.text()
}

#[test]
fn the_defaults_of_the_page_are_those_of_the_code() {
    let schema = schema();
    let default = |section: &str, key: &str| {
        let table = if section.is_empty() { &schema } else { &schema["$defs"][section] };
        let text = table["properties"][key]["description"].as_str().unwrap_or_else(|| panic!("{section} {key}"));
        text.rsplit_once(" Default: ").unwrap().1.trim_end_matches('.').to_owned()
    };
    use spanline::sink::{Fallback, Http, Postgres, Route, Spool, Sqlite, Tcp};
    use spanline::{Builder, ByteSize, FlightRecorder, Guard, Output, RollingFile};
    let sizes = [
        ("", "max_line_bytes", Builder::DEFAULT_MAX_LINE_BYTES),
        ("output", "queue_bytes", Output::DEFAULT_QUEUE_BYTES),
        ("flight_recorder", "memory_bytes", FlightRecorder::DEFAULT_MEMORY_BYTES),
        ("flight_recorder", "memory_bytes_per_request", FlightRecorder::DEFAULT_MEMORY_BYTES_PER_REQUEST),
        ("sink spool", "max_bytes", Spool::DEFAULT_MAX_BYTES),
        ("sink spool", "replay_bytes_per_second", Spool::DEFAULT_REPLAY_BYTES_PER_SECOND),
        ("batch", "bytes", Http::DEFAULT_BATCH_BYTES as u64),
    ];
    for (section, key, bytes) in sizes {
        assert_eq!(default(section, key), ByteSize::new(bytes).to_string(), "{section} {key}");
    }
    let waits = [
        ("shutdown", "timeout", Guard::DEFAULT_SHUTDOWN_TIMEOUT),
        ("shutdown", "cap", Guard::DEFAULT_SHUTDOWN_CAP),
        ("sink spool", "patience", Spool::DEFAULT_PATIENCE),
        ("sink spool", "sync_interval", Spool::DEFAULT_SYNC_INTERVAL),
        ("sink fallback", "patience", Fallback::DEFAULT_PATIENCE),
        ("sink tcp", "timeout", Tcp::DEFAULT_TIMEOUT),
        ("sink postgres", "timeout", Postgres::DEFAULT_TIMEOUT),
        ("sink http", "timeout", Http::DEFAULT_TIMEOUT),
        ("sink http", "connect_timeout", Http::DEFAULT_CONNECT_TIMEOUT),
        ("batch", "linger", Http::DEFAULT_LINGER),
        ("sink route", "idle", Route::DEFAULT_IDLE),
    ];
    for (section, key, wait) in waits {
        let text = default(section, key);
        let seconds = text.replace(" ms", "").replace(" s", "").replace(" min", "");
        let factor = if text.ends_with("ms") {
            1
        } else if text.ends_with("min") {
            60_000
        } else {
            1_000
        };
        assert_eq!(seconds.parse::<u128>().unwrap() * factor, wait.as_millis(), "{section} {key}: {text}");
    }
    let others = [
        ("sink route", "open_files", Route::DEFAULT_OPEN_FILES.to_string()),
        ("sink route", "default_name", Route::DEFAULT_NAME.to_owned()),
        ("sink file", "file_mode", format!("{:o}", RollingFile::DEFAULT_FILE_MODE)),
        ("sink file", "directory_mode", format!("{:o}", RollingFile::DEFAULT_DIRECTORY_MODE)),
        ("sink sqlite", "table", Sqlite::DEFAULT_TABLE.to_owned()),
        ("batch", "lines", Http::DEFAULT_BATCH_LINES.to_string()),
    ];
    for (section, key, expected) in others {
        assert_eq!(default(section, key), expected, "{section} {key}");
    }
    // Each default of a schema gives the line that the schema alone gives.
    for (section, table) in schema["$defs"].as_object().unwrap() {
        let Some(name) = section.strip_prefix("schema ").filter(|name| *name != "template") else { continue };
        let alone = rendered(name, "");
        for key in ["time", "level", "span_fields", "color", "sourcetype"] {
            if table["properties"].get(key).is_some() {
                let value = default(section, key);
                assert_eq!(rendered(name, &format!("{key} = '{value}'")), alone, "{name}: {key} = {value}");
            }
        }
    }
}
