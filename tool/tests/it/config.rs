//! `spanline config` checks, explains and describes files.

use super::Dir;

const FILE: &str = "\
service = \"orders\"
filter = \"info\"

[output.file]
sink = { file = \"app.log\", rotate = \"daily\", keep_files = 7 }

[env.prod]
filter = \"warn\"
";

#[test]
fn a_file_without_mistakes_passes_and_each_mistake_is_printed() {
    let dir = Dir::new();
    dir.put("good.toml", FILE);
    dir.put("bad.toml", "fliter = 'x'\n[output.a]\nsink = 'stdot'\n[env.prod]\nlog = 3\n");
    let done = dir.run(&["config", "check", "good.toml"]);
    assert_eq!((done.stdout.as_str(), done.status), ("good.toml: no mistakes\n", 0), "{done:?}");
    let done = dir.run(&["config", "check", "bad.toml", "good.toml", "missing.toml"]);
    assert_eq!((done.stdout.as_str(), done.status), ("good.toml: no mistakes\n", 1), "{done:?}");
    let lines: Vec<&str> = done.stderr.lines().collect();
    assert_eq!(lines[0], "bad.toml has 3 mistakes:");
    for (line, expected) in lines[1..].iter().zip([
        "bad.toml:1:1: fliter: unknown key `fliter`; did you mean `filter`?",
        "bad.toml:3:8: output.a.sink: unknown sink `stdot`; did you mean `stdout`?",
        "bad.toml:5:7: log: found a number; expected true or false",
        "read the configuration missing.toml: ",
    ]) {
        assert!(line.starts_with(expected), "{line}\nexpected {expected}");
    }
    assert_eq!(lines.len(), 5);
}

#[test]
fn every_sink_of_the_library_can_be_checked() {
    let dir = Dir::new();
    let sinks = [
        "'stdout'",
        "'stderr'",
        "'syslog'",
        "'otlp'",
        "{ tcp = 'localhost:1', tls = {} }",
        "{ udp = 'localhost:1' }",
        "{ http = 'https://localhost', compress = 'zstd' }",
        "{ loki = 'http://localhost', labels = { a = 'b' } }",
        "{ elastic = 'http://localhost', index = 'logs' }",
        "{ splunk_hec = 'http://localhost', token = { env = 'A' } }",
        "{ datadog = 'http://localhost', api_key = { file = 'a' } }",
        "{ clickhouse = 'http://localhost', table = 'logs' }",
        "{ postgres = 'postgres://app@localhost/logs' }",
        "{ sqlite = 'logs.db' }",
        "{ spool = 'spool', sink = { tcp = 'localhost:1' } }",
        "{ fallback = 'stderr', sink = { tcp = 'localhost:1' } }",
        "{ route = 'tenant', path = '{value}.log' }",
    ];
    let mut text = String::from("opentelemetry = true\nflush_on_signals = true\n");
    for (number, sink) in sinks.iter().enumerate() {
        text += &format!("output.{number}.sink = {sink}\n");
    }
    dir.put("all.toml", &text);
    let done = dir.run(&["config", "check", "all.toml"]);
    assert_eq!((done.stderr.as_str(), done.status), ("", 0), "{done:?}");
}

#[test]
fn explain_prints_each_value_and_its_source() {
    let dir = Dir::new();
    dir.put("spanline.toml", FILE);
    let explain = |args: &[&str], variables: &[(&str, &str)]| {
        let mut command = dir.command(&[&["config", "explain"], args].concat());
        command.env_remove("RUST_LOG").env_remove("SPANLINE_ENV").envs(variables.iter().copied());
        let done = super::done(command.output().unwrap());
        assert_eq!(done.status, 0, "{done:?}");
        done.stdout.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect::<Vec<_>>()
    };
    let has =
        |lines: &[String], expected: &str| assert!(lines.iter().any(|line| line == expected), "{expected}\n{lines:?}");
    let lines = explain(&["spanline.toml"], &[]);
    has(&lines, "KEY SOURCE VALUE");
    has(&lines, "service spanline.toml:1 \"orders\"");
    has(&lines, "filter spanline.toml:2 \"info\"");
    has(&lines, "output.file.queue_bytes default 8 MiB");
    let lines = explain(&["--env", "prod", "--set", "spanline.toml"], &[]);
    has(&lines, "filter spanline.toml:8 [env.prod] \"warn\"");
    assert!(!lines.iter().any(|line| line.contains("default")), "{lines:?}");
    let lines = explain(&[], &[("SPANLINE_CONFIG", "{env}.toml"), ("SPANLINE_ENV", "spanline"), ("RUST_LOG", "debug")]);
    has(&lines, "filter the variable RUST_LOG \"debug\"");
    let done = dir.run(&["config", "explain", "missing.toml"]);
    assert!(done.status == 1 && done.stderr.contains("missing.toml"), "{done:?}");
}

#[test]
fn the_json_schema_is_that_of_the_library() {
    let done = Dir::new().run(&["config", "schema"]);
    let schema: serde_json::Value = serde_json::from_str(&done.stdout).unwrap();
    assert!(schema["properties"]["filter"].is_object() && schema["$defs"]["sink postgres"].is_object());
}

#[test]
fn a_file_cannot_control_the_terminal() {
    let dir = Dir::new();
    dir.put("bad.toml", "\"\\u001b[31m\" = 1\nservice = '\u{202e}x'\nfilter = '\u{9b}31m'\n");
    for args in [["config", "check", "bad.toml"], ["config", "explain", "bad.toml"]] {
        let done = dir.run(&args);
        let printed = done.stdout + &done.stderr;
        assert!(!printed.chars().any(|char| (char.is_control() && char != '\n') || char == '\u{202e}'), "{printed:?}");
    }
}
