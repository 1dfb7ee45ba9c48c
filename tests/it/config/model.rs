//! The model is complete: each setter of the builder, the outputs, the sinks and the schemas has a key, each key can be set,
//! and the page and the JSON Schema are those of this build.
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

use std::collections::BTreeSet;
use std::fs;

use serde_json::Value;
use spanline::config;

use crate::support::places::root;

pub(super) fn schema() -> Value {
    serde_json::from_str(&config::json_schema()).unwrap()
}

/// `SPANLINE_BLESS=1 cargo test --all-features config::model` rewrites both files.
#[test]
fn the_page_and_the_json_schema_are_current() {
    for (path, text) in
        [("docs/configuration.md", config::page()), ("docs/configuration.schema.json", config::json_schema())]
    {
        let path = root().join(path);
        if std::env::var_os("SPANLINE_BLESS").is_some() {
            fs::write(&path, &text).unwrap();
        }
        let found = fs::read_to_string(&path).unwrap_or_default();
        assert!(found == text, "{} is stale; run the test with SPANLINE_BLESS=1", path.display());
    }
}

/// The public setters of a type, from its source: methods that take `self` by value. `switches!` has names alone.
fn setters(path: &str, type_name: &str) -> BTreeSet<String> {
    let text = fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"));
    let code = text.split("#[cfg(test)]\nmod tests").next().unwrap();
    let mut found = BTreeSet::new();
    let mut inside = false;
    let mut switches = false;
    for line in code.lines() {
        if line.starts_with("impl ") || line.starts_with("impl<") {
            inside =
                line.trim_end_matches(" {").split_whitespace().last() == Some(type_name) && !line.contains(" for ");
        }
        let trimmed = line.trim();
        if let Some(rest) = trimmed.strip_prefix("pub fn ") {
            let (name, rest) = rest.split_at(rest.find(['(', '<']).unwrap());
            let takes_self = rest.contains("(self") || rest.contains("(mut self");
            if inside && takes_self {
                found.insert(name.to_owned());
            }
        }
        if inside && let Some((_, rest)) = trimmed.split_once("keyed_switches! { options: ") {
            found
                .extend(rest.split(' ').filter(|word| word.starts_with(|c: char| c.is_lowercase())).map(str::to_owned));
        } else if inside && trimmed.contains("switches! {") {
            switches = true;
        } else if switches && trimmed == "}" {
            switches = false;
        } else if switches && trimmed.ends_with(',') && !trimmed.starts_with("//") {
            found.insert(trimmed.trim_end_matches(',').to_owned());
        }
    }
    assert!(!found.is_empty(), "{path} has no setters of {type_name}");
    found
}

/// A section, its type, the files with its setters, setters under another key, and setters that only code can use.
type Compared = (
    &'static str,
    &'static str,
    &'static [&'static str],
    &'static [(&'static str, &'static str)],
    &'static [&'static str],
);

/// The setters of requests, which `sink http` and its relatives share.
const HTTP: &[&str] = &["src/sink/http/http_sink.rs"];
const HTTP_KEYS: &[(&str, &str)] = &[("gzip", "compress"), ("zstd", "compress")];
const ROLLING: &[(&str, &str)] = &[
    ("minutely", "rotate"),
    ("hourly", "rotate"),
    ("daily", "rotate"),
    ("weekly", "rotate"),
    ("weekly_on", "rotate"),
    ("monthly", "rotate"),
    ("every_minutes", "rotate"),
    ("every_hours", "rotate"),
    ("daily_at", "rotate"),
    ("period", "rotate"),
    ("gzip", "compress"),
    ("zstd", "compress"),
];

const COMPARED: &[Compared] = &[
    (
        "",
        "Builder",
        &[
            "src/builder/builder.rs",
            "src/builder/diagnostics.rs",
            "src/builder/filters.rs",
            "src/builder/integrations.rs",
            "src/builder/rate_limits.rs",
            "src/builder/redact.rs",
            "src/builder/seal_fields.rs",
        ],
        &[("static_field", "static_fields"), ("shutdown_timeout", "shutdown"), ("without_log", "log")],
        &["clock", "on_complaint"],
    ),
    (
        "output",
        "Output",
        &["src/builder/output.rs"],
        &[("output_filter", "filter"), ("edits", "schema"), ("name", "")],
        &["record_filter"],
    ),
    ("edits", "Edits", &["src/schema/edit.rs"], &[("give", ""), ("on", "")], &[]),
    ("redact", "Redact", &["src/redact/settings.rs"], &[("name", "names")], &[]),
    ("flight_recorder", "FlightRecorder", &["src/flight_recorder/recorder.rs"], &[], &[]),
    ("sampling", "Sampling", &["src/limit/sampling.rs"], &[], &[]),
    ("sink file", "RollingFile", &["src/sink/file/rolling_file.rs", "src/sink/file/periods.rs"], ROLLING, &[]),
    ("sink route", "Route", &["src/sink/route/route.rs"], &[], &[]),
    ("sink route", "RollingFile", &["src/sink/file/rolling_file.rs", "src/sink/file/periods.rs"], ROLLING, &[]),
    ("sink tcp", "Tcp", &["src/sink/net/tcp.rs"], &[], &[]),
    ("sink unix", "Unix", &["src/sink/net/unix.rs"], &[], &[]),
    ("tls", "Tls", &["src/sink/net/tls.rs"], &[], &[]),
    (
        "sink syslog",
        "Syslog",
        &["src/sink/net/syslog.rs"],
        &[("rfc3164", "format"), ("rfc5424", "format"), ("local_format", "format")],
        &[],
    ),
    ("sink journald", "Journald", &["src/sink/journald.rs"], &[], &[]),
    ("sink http", "Http", HTTP, HTTP_KEYS, &[]),
    ("sink loki", "Http", HTTP, HTTP_KEYS, &["json_array", "template"]),
    ("sink elastic", "Http", HTTP, HTTP_KEYS, &["json_array", "template"]),
    ("sink splunk_hec", "Http", HTTP, HTTP_KEYS, &["json_array", "template"]),
    ("sink splunk_hec", "Http", &["src/sink/http/splunk_hec.rs"], &[], &[]),
    ("sink datadog", "Http", HTTP, HTTP_KEYS, &["json_array", "template"]),
    ("sink clickhouse", "Http", HTTP, HTTP_KEYS, &["json_array", "template"]),
    ("sink otlp", "Http", HTTP, HTTP_KEYS, &["json_array", "template"]),
    ("sink otlp", "Otlp", &["src/sink/http/otlp.rs"], &[], &["requests"]),
    ("sink postgres", "Postgres", &["src/sink/postgres/postgres.rs"], &[], &[]),
    ("sink sqlite", "Sqlite", &["src/sink/sqlite/sqlite.rs"], &[], &[]),
    ("sink spool", "Spool", &["src/sink/spool/builder.rs"], &[], &[]),
    ("sink fallback", "Fallback", &["src/sink/fallback.rs"], &[], &[]),
    ("schema flat", "Flat", &["src/schema/flat.rs"], &[], &[]),
    ("schema nested", "Nested", &["src/schema/nested.rs"], &[], &[]),
    ("schema ecs", "Ecs", &["src/schema/ecs.rs"], &[], &[]),
    ("schema gcp", "Gcp", &["src/schema/gcp.rs"], &[], &[]),
    ("schema datadog", "Datadog", &["src/schema/datadog.rs"], &[], &[]),
    ("schema otel", "Otel", &["src/schema/otel.rs"], &[], &[]),
    ("schema bunyan", "Bunyan", &["src/schema/bunyan.rs"], &[], &[]),
    ("schema pino", "Pino", &["src/schema/pino.rs"], &[], &[]),
    ("schema lambda", "Lambda", &["src/schema/lambda.rs"], &[], &[]),
    ("schema gelf", "Gelf", &["src/schema/gelf.rs"], &[], &[]),
    ("schema splunk", "Splunk", &["src/schema/splunk.rs"], &[], &[]),
    ("schema logfmt", "Logfmt", &["src/schema/logfmt.rs"], &[], &[]),
    ("schema console", "Console", &["src/schema/console.rs"], &[("compact", ""), ("pretty", "")], &[]),
    ("schema template", "Template", &["src/schema/template/template.rs"], &[], &[]),
    ("palette", "Palette", &["src/schema/palette.rs"], &[("level", "error")], &[]),
];

/// Keys that are no setter: arguments of constructors, and choices among constructors.
const ARGUMENTS: &[(&str, &[&str])] = &[
    ("", &["env", "$schema"]),
    ("output", &["sink"]),
    ("redact", &["default_names"]),
    ("flight_recorder", &["filter"]),
    ("sampling", &["one_in", "burst", "every"]),
    ("sink file", &["file"]),
    ("sink route", &["route", "path"]),
    ("sink tcp", &["tcp"]),
    ("sink unix", &["unix", "datagram"]),
    ("sink syslog", &["syslog", "tls"]),
    ("sink journald", &["journald"]),
    ("sink http", &["http"]),
    ("sink loki", &["loki", "labels"]),
    ("sink elastic", &["elastic", "index"]),
    ("sink splunk_hec", &["splunk_hec", "token"]),
    ("sink datadog", &["datadog", "api_key"]),
    ("sink clickhouse", &["clickhouse", "table"]),
    ("sink otlp", &["otlp"]),
    ("sink postgres", &["postgres"]),
    ("sink sqlite", &["sqlite"]),
    ("sink spool", &["spool", "sink"]),
    ("sink fallback", &["fallback", "sink"]),
    ("schema template", &["template"]),
    ("palette", &["plain", "warn", "info", "debug", "trace"]),
];

/// Setters that are other settings' plural, or the reverse.
fn key_of<'k>(setter: &'k str, renamed: &[(&str, &'k str)]) -> &'k str {
    match renamed.iter().find(|(from, _)| *from == setter) {
        Some((_, to)) => to,
        None if setter == "header" => "headers",
        None if setter == "secret_header" => "secret_headers",
        None => setter,
    }
}

#[test]
fn each_setter_has_a_key_and_each_key_a_setter() {
    let schema = schema();
    let mut wrong = Vec::new();
    let keys = |section: &str| -> BTreeSet<String> {
        let table = if section.is_empty() { &schema } else { &schema["$defs"][section] };
        let properties = table["properties"].as_object().unwrap_or_else(|| panic!("there is no section {section}"));
        properties.keys().cloned().collect()
    };
    let mut unexplained: std::collections::BTreeMap<&str, BTreeSet<String>> = Default::default();
    for (section, type_name, paths, renamed, only_in_code) in COMPARED {
        let keys = keys(section);
        let rest = unexplained.entry(section).or_insert_with(|| keys.clone());
        for setter in paths.iter().flat_map(|path| setters(path, type_name)) {
            let key = key_of(&setter, renamed);
            if !only_in_code.contains(&setter.as_str()) && !key.is_empty() && !keys.contains(key) {
                wrong.push(format!("{type_name}::{setter} has no key in the section `{section}`"));
            }
            rest.remove(key);
        }
    }
    for (section, mut keys) in unexplained {
        let arguments = ARGUMENTS.iter().find(|(of, _)| *of == section).map_or(&[][..], |(_, keys)| keys);
        keys.retain(|key| !arguments.contains(&key.as_str()));
        wrong.extend(keys.iter().map(|key| format!("the key `{key}` of the section `{section}` has no setter")));
    }
    // The page lists what only code can set.
    let page = config::page();
    for (_, type_name, _, _, only_in_code) in
        COMPARED.iter().filter(|compared| ["Builder", "Output"].contains(&compared.1))
    {
        let unlisted = only_in_code.iter().filter(|setter| !page.contains(&format!("| `{setter}` |")));
        wrong.extend(unlisted.map(|setter| format!("{type_name}::{setter} is not among what only code can set")));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Every sink that the library exports has a section, or a reason why not.
#[test]
fn each_sink_and_schema_of_the_library_has_a_section() {
    let schema = schema();
    let sections = schema["$defs"].as_object().unwrap();
    for name in spanline::schema::NAMES {
        let section = if ["compact", "pretty"].contains(&name) { "console" } else { name };
        assert!(sections.contains_key(&format!("schema {section}")), "schema {name}");
        assert!(schema["$defs"]["schema"]["examples"].as_array().unwrap().contains(&name.into()));
    }
    let exported = fs::read_to_string(root().join("src/sink/mod.rs")).unwrap();
    let exported = exported.lines().filter(|line| line.starts_with("pub use"));
    let exported =
        exported.flat_map(|line| line.rsplit("::").next().unwrap().trim_matches([';', '{', '}']).split(", "));
    const OTHERS: &[&str] = &[
        "Async",
        "AsyncSink",
        "Batch",
        "Columns",
        "Control",
        "Facility",
        "Iter",
        "Line",
        "Lines",
        "Memory",
        "Next",
        "OwnThread",
        "OwnThreads",
        "Period",
        "Profile",
        "Secret",
        "Tls",
        "Weekday",
        "Writer",
    ];
    for sink in exported.filter(|name| !OTHERS.contains(name)) {
        let name = if sink == "RollingFile" { "file".to_owned() } else { sink.to_lowercase() };
        assert!(sections.contains_key(&format!("sink {name}")), "sink {sink}");
    }
    // A table names one sink: no other sink has a key of its name.
    let names: BTreeSet<&str> = sections.keys().filter_map(|name| name.strip_prefix("sink ")).collect();
    for name in &names {
        let keys = schema["$defs"][format!("sink {name}")]["properties"].as_object().unwrap();
        let others = keys.keys().filter(|key| *key != name && names.contains(key.as_str()));
        assert_eq!(others.collect::<Vec<_>>(), [""; 0], "keys of the sink {name} that name another sink");
    }
}

#[test]
fn every_reference_of_the_json_schema_leads_to_a_definition() {
    let schema = schema();
    let text = schema.to_string();
    for reference in text.split("\"#/$defs/").skip(1).filter_map(|rest| rest.split('"').next()) {
        assert!(schema["$defs"].get(reference.replace("%20", " ")).is_some(), "{reference}");
    }
}
