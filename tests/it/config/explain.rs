//! What the tool prints: values with their sources, and mistakes in all environments.
#![cfg(all(
    target_os = "linux",
    feature = "http",
    feature = "journald",
    feature = "opentelemetry",
    feature = "otlp",
    feature = "postgres",
    feature = "signals",
    feature = "spool",
    feature = "sqlite",
    feature = "syslog",
    feature = "time-zones",
    feature = "tls",
    feature = "zstd"
))]

use std::fs;

use spanline::config;

use super::model::schema;

#[test]
fn promise_44_explain_shows_every_value_in_force_with_its_source_and_no_secret() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("spanline.toml");
    let text = "\
service = 'orders'
filter = 'info'
[output.file]
sink = { file = 'app.log', keep_files = 7, rotate = 'daily' }
[output.db]
sink = { postgres = 'postgres://app:hunter2@db/logs', password = { env = 'PGPASSWORD' } }
[output.http]
sink = { http = 'https://host/?key=hunter2', headers = { X-Key = 'hunter2' } }
[env.prod]
filter = 'warn'
output.file.sink.keep_files = 30
";
    fs::write(&path, text).unwrap();
    let explained = config::explain(Some(&path), Some("prod")).unwrap();
    let found = |key: &str| {
        let row = explained.iter().find(|row| row.key == key).unwrap_or_else(|| panic!("{key} is not explained"));
        (row.value.clone(), row.source.rsplit('/').next().unwrap().to_owned())
    };
    let is =
        |key: &str, value: &str, source: &str| assert_eq!(found(key), (value.to_owned(), source.to_owned()), "{key}");
    is("service", "\"orders\"", "spanline.toml:1");
    is("filter", "\"warn\"", "spanline.toml:10 [env.prod]");
    is("output.file.sink.keep_files", "30", "spanline.toml:11 [env.prod]");
    is("output.file.sink.rotate", "\"daily\"", "spanline.toml:4");
    is("output.file.queue_bytes", "8 MiB", "default");
    is("max_line_bytes", "1 MiB", "default");
    is("output.db.sink.password", "{ env = \"PGPASSWORD\" }", "spanline.toml:6");
    assert!(!format!("{explained:?}").contains("hunter2"));
    // Each key of the whole log and of its outputs has a row.
    let schema = schema();
    for key in schema["properties"]
        .as_object()
        .unwrap()
        .keys()
        .filter(|key| !["env", "output", "$schema"].contains(&key.as_str()))
    {
        assert!(explained.iter().any(|row| row.key == *key), "{key}");
    }
}

#[test]
fn explain_shows_what_an_overlay_has_unset() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("spanline.toml");
    let text = "\
filter = 'debug'
static_fields = { a = 1, b = 2 }
[output.file]
sink = { file = 'app.log', rotate = 'daily', keep_files = 7 }
schema = 'ecs'
[output.debug]
sink = 'stdout'
[env.prod]
unset = [
  'filter', 'output.debug',
  'output.file.schema', 'output.file.sink.keep_files', 'static_fields.a',
]
output.file.schema = 'gcp'
";
    fs::write(&path, text).unwrap();
    let explained = config::explain(Some(&path), Some("prod")).unwrap();
    let is = |key: &str, value: &str, source: &str| {
        let row = explained.iter().find(|row| row.key == key).unwrap_or_else(|| panic!("{key} is not explained"));
        let found = row.source.replace(&folder.path().display().to_string(), "");
        assert_eq!((row.value.as_str(), found.as_str()), (value, source), "{key}");
    };
    is("filter", "info", "default, unset by /spanline.toml:10 [env.prod]");
    is("output.debug", "none", "default, unset by /spanline.toml:10 [env.prod]");
    is("output.file.sink.keep_files", "all", "default, unset by /spanline.toml:11 [env.prod]");
    is("output.file.sink.rotate", "\"daily\"", "/spanline.toml:4");
    // Unset first, and set then.
    is("output.file.schema", "\"gcp\"", "/spanline.toml:13 [env.prod]");
    is("static_fields", "{ b = 2 }", "/spanline.toml:2");
    assert!(!explained.iter().any(|row| row.key.starts_with("output.debug.")));
    // Without the overlay, all of it applies.
    let explained = config::explain(Some(&path), None).unwrap();
    assert!(explained.iter().any(|row| row.key == "filter" && row.value == "\"debug\""));
}

#[test]
fn a_check_reads_each_environment() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("spanline.toml");
    let text = "service = 'orders'\noutput.a.sink = 'stdout'\n[env.prod]\nfliter = 'warn'\n[env.test]\noutput.a.sink = 'stdot'\n";
    fs::write(&path, text).unwrap();
    let message = config::check(&path).unwrap_err().to_string();
    assert!(
        message.contains("has 2 mistakes") && message.contains(":4:1: ") && message.contains(":6:17: "),
        "{message}"
    );
    let message = config::check(folder.path().join("missing.toml")).unwrap_err().to_string();
    assert!(message.contains("missing.toml"), "{message}");
}

#[test]
fn the_file_of_the_page_has_no_mistakes() {
    let page = config::page();
    let text = page.split("```toml\n").nth(1).unwrap().split("```").next().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("spanline.toml");
    fs::write(&path, text).unwrap();
    config::check(&path).unwrap();
    let explained = config::explain(Some(&path), Some("prod")).unwrap();
    let schema = explained.iter().find(|row| row.key == "output.console.schema").unwrap();
    assert_eq!(schema.value, "\"flat\"");
    // As the page shows them.
    fs::write(&path, "service = 'orders'\n\nfliter = 'info'\n\n\n\n[output.file]\nsink = 'stdout'\nschema   = 'esc'")
        .unwrap();
    let found = config::check(&path).unwrap_err().to_string().replace(&path.display().to_string(), "spanline.toml");
    let shown = page.split("```text\n").nth(1).unwrap().split("```").next().unwrap();
    for (found, shown) in found.lines().zip(shown.lines()) {
        assert!(found.starts_with(shown.trim_end_matches('…')), "{found}\n{shown}");
    }
}
