//! `spanline find`: how lines of each logger are printed.

use crate::{Dir, Done, done};

/// A line of each logger, and the same as `--format json` prints it.
const LINES: [(&str, &str, &str); 17] = [
    (
        "flat",
        r#"{"timestamp":"2026-11-20T10:15:38.123456Z","level":"INFO","target":"orders","message":"order loaded","user_id":42,"service":"orders","version":"1.2.3","request_id":"r-1","trace_id":"910a2dec89025cc1beeb8da1658eec67","span_id":"f893a2eefb32555e","spans":["request"]}"#,
        r#"{"time":"2026-11-20T10:15:38.123456Z","level":"INFO","service":"orders","target":"orders","message":"order loaded","request_id":"r-1","trace_id":"910a2dec89025cc1beeb8da1658eec67","user_id":42,"version":"1.2.3","span_id":"f893a2eefb32555e","spans":["request"]}"#,
    ),
    (
        "tracing_subscriber",
        r#"{"timestamp":"2026-11-20T10:15:38.123456Z","level":"WARN","fields":{"message":"order loaded","user_id":42},"target":"orders","span":{"request_id":"r-1","name":"request"},"spans":[{"request_id":"r-1","name":"request"}]}"#,
        r#"{"time":"2026-11-20T10:15:38.123456Z","level":"WARN","target":"orders","message":"order loaded","request_id":"r-1","user_id":42,"span":{"request_id":"r-1","name":"request"},"spans":[{"request_id":"r-1","name":"request"}]}"#,
    ),
    (
        "ecs",
        r#"{"@timestamp":"2026-11-20T10:15:38.123456Z","log.level":"INFO","message":"order loaded","ecs.version":"1.6.0","service.name":"orders","event.dataset":"orders","trace.id":"910a2dec89025cc1beeb8da1658eec67","span.id":"f893a2eefb32555e","log.logger":"orders","labels":{"request_id":"r-1","user_id":"42"}}"#,
        r#"{"time":"2026-11-20T10:15:38.123456Z","level":"INFO","service":"orders","target":"orders","message":"order loaded","request_id":"r-1","trace_id":"910a2dec89025cc1beeb8da1658eec67","ecs.version":"1.6.0","span_id":"f893a2eefb32555e","user_id":"42"}"#,
    ),
    (
        "elastic, nested",
        r#"{"@timestamp":"2026-11-20T10:15:38Z","ecs":{"version":"8"},"log":{"level":"error","logger":"orders","x":1},"message":"m","service":{"name":"orders"},"trace":{"id":"910a"}}"#,
        r#"{"time":"2026-11-20T10:15:38Z","level":"ERROR","service":"orders","target":"orders","message":"m","trace_id":"910a","ecs":{"version":"8"},"log.x":1}"#,
    ),
    (
        "gcp",
        r#"{"time":"2026-11-20T10:15:38.123456Z","severity":"CRITICAL","message":"order loaded","target":"orders","serviceContext":{"service":"orders","version":"1.2.3"},"logging.googleapis.com/trace":"projects/my-project/traces/910a2dec89025cc1beeb8da1658eec67","request_id":"r-1","user_id":42,"logging.googleapis.com/labels":{"env":"test"}}"#,
        r#"{"time":"2026-11-20T10:15:38.123456Z","level":"CRITICAL","service":"orders","target":"orders","message":"order loaded","request_id":"r-1","trace_id":"910a2dec89025cc1beeb8da1658eec67","version":"1.2.3","user_id":42,"env":"test"}"#,
    ),
    (
        "datadog",
        r#"{"timestamp":"2026-11-20T10:15:38.123456Z","status":"info","message":"order loaded","service":"orders","dd.service":"orders","dd.trace_id":"17911839290282890590","logger.name":"orders","request_id":"r-1","user_id":42}"#,
        r#"{"time":"2026-11-20T10:15:38.123456Z","level":"INFO","service":"orders","target":"orders","message":"order loaded","request_id":"r-1","trace_id":"0000000000000000f893a2eefb32555e","user_id":42}"#,
    ),
    (
        "otel",
        r#"{"resourceLogs":[{"scopeLogs":[{"logRecords":[{"timeUnixNano":"1795169738123456789","observedTimeUnixNano":"1795169738123456789","severityNumber":9,"severityText":"INFO","body":{"stringValue":"order loaded"},"attributes":[{"key":"request_id","value":{"stringValue":"r-1"}},{"key":"user_id","value":{"intValue":"42"}}],"traceId":"910a2dec89025cc1beeb8da1658eec67","spanId":"f893a2eefb32555e"}],"scope":{"name":"orders"}}],"resource":{"attributes":[{"key":"service.name","value":{"stringValue":"orders"}}]}}]}"#,
        r#"{"time":"2026-11-20T10:15:38.123456789Z","level":"INFO","service":"orders","target":"orders","message":"order loaded","request_id":"r-1","trace_id":"910a2dec89025cc1beeb8da1658eec67","user_id":42,"span_id":"f893a2eefb32555e"}"#,
    ),
    (
        "bunyan",
        r#"{"v":0,"time":"2026-11-20T10:15:38.123456Z","level":60,"name":"orders","hostname":"machine","pid":4242,"msg":"order loaded","component":"orders","req_id":"r-1","user_id":42}"#,
        r#"{"time":"2026-11-20T10:15:38.123456Z","level":"FATAL","service":"orders","target":"orders","message":"order loaded","request_id":"r-1","hostname":"machine","pid":4242,"user_id":42}"#,
    ),
    (
        "pino",
        r#"{"time":1795169738123,"level":40,"pid":4242,"hostname":"machine","name":"orders","msg":"order loaded","reqId":"r-1","user_id":42}"#,
        r#"{"time":"2026-11-20T10:15:38.123Z","level":"WARN","service":"orders","message":"order loaded","request_id":"r-1","pid":4242,"hostname":"machine","user_id":42}"#,
    ),
    (
        "lambda",
        r#"{"timestamp":"2026-11-20T10:15:38.123456Z","level":"INFO","message":"order loaded","logger":"orders","requestId":"r-1","service":"orders","user_id":42}"#,
        r#"{"time":"2026-11-20T10:15:38.123456Z","level":"INFO","service":"orders","target":"orders","message":"order loaded","request_id":"r-1","user_id":42}"#,
    ),
    (
        "gelf",
        r#"{"version":"1.1","timestamp":1795169738.123456,"host":"machine","short_message":"order loaded","level":4,"_logger":"orders","_service":"orders","_request_id":"r-1","_user_id":42}"#,
        r#"{"time":"2026-11-20T10:15:38.123456Z","level":"WARN","service":"orders","target":"orders","message":"order loaded","request_id":"r-1","host":"machine","user_id":42}"#,
    ),
    (
        "splunk",
        r#"{"time":1795169738.123456,"host":"machine","source":"orders","sourcetype":"_json","event":{"message":"order loaded","severity":"INFO","logger":"orders","request_id":"r-1","user_id":42}}"#,
        r#"{"time":"2026-11-20T10:15:38.123456Z","level":"INFO","service":"orders","target":"orders","message":"order loaded","request_id":"r-1","host":"machine","sourcetype":"_json","user_id":42}"#,
    ),
    (
        "logfmt",
        r#"ts=2026-11-20T10:15:38.123456Z level=warn target=orders msg="order \"7\" loaded" user_id=42 ok=true service=orders request_id=r-1"#,
        r#"{"time":"2026-11-20T10:15:38.123456Z","level":"WARN","service":"orders","target":"orders","message":"order \"7\" loaded","request_id":"r-1","user_id":42,"ok":true}"#,
    ),
    (
        "syslog",
        r#"<14>1 2026-11-20T10:15:38.123456Z machine orders 4242 - [opentelemetry trace_id="910a2dec89025cc1beeb8da1658eec67"][spanline@32473 target="orders" user_id="4\]2"][x a="b"] order loaded"#,
        r#"{"time":"2026-11-20T10:15:38.123456Z","level":"INFO","service":"orders","target":"orders","message":"order loaded","trace_id":"910a2dec89025cc1beeb8da1658eec67","hostname":"machine","pid":4242,"user_id":"4]2","x.a":"b"}"#,
    ),
    (
        "pipe",
        "1795169738 | WARNING | a | b | orders | 910a2dec89025cc1beeb8da1658eec67",
        r#"{"time":"2026-11-20T10:15:38Z","level":"WARN","service":"orders","message":"a | b","trace_id":"910a2dec89025cc1beeb8da1658eec67"}"#,
    ),
    (
        "broken",
        r#"{"timestamp":"2026-11-20T10:15"#,
        r#"{"message":"{\"timestamp\":\"2026-11-20T10:15","unparsed":true}"#,
    ),
    ("text", "Starting", r#"{"message":"Starting","unparsed":true}"#),
];

/// Runs with a line of each file in UTC.
fn run(lines: &str, args: &[&str]) -> Done {
    let dir = Dir::new();
    dir.put("x.log", lines);
    let mut command = dir.command(&[&["find", "x.log"], args].concat());
    for name in ["NO_COLOR", "COLORTERM", "TERM"] {
        command.env_remove(name);
    }
    done(command.env("TZ", "UTC").output().unwrap())
}

#[test]
fn each_logger_is_seen_in_the_same_way() {
    for (name, line, json) in LINES {
        let printed = run(line, &["--format", "json"]);
        assert_eq!(printed.stdout, format!("{json}\n"), "{name}");
        assert_eq!(run(line, &[]).stdout, format!("{line}\n"), "{name}");
    }
}

/// All lines in one file: each is recognised on its own, and the first one decides what text is.
#[test]
fn a_file_of_many_loggers_is_read_line_by_line() {
    let all: String = LINES.iter().map(|(_, line, _)| format!("{line}\n")).collect();
    let expected: String = LINES.iter().map(|(_, _, json)| format!("{json}\n")).collect();
    let printed = run(&all, &["--format", "json"]);
    assert_eq!(printed.stdout, expected);
    assert_eq!(printed.stderr, "spanline: 2 lines were no records: 1 broken, 1 of plain text\n");
}

/// What is printed as JSON or logfmt is read again as the same.
#[test]
fn printed_entries_are_read_as_the_same() {
    let all: String = LINES
        .iter()
        .filter(|(name, ..)| !matches!(*name, "broken" | "text"))
        .map(|(_, line, _)| format!("{line}\n"))
        .collect();
    let json = run(&all, &["--format", "json"]).stdout;
    assert_eq!(run(&json, &["--format", "json"]).stdout, json);
    let logfmt = run(&all, &["--format", "logfmt"]).stdout;
    assert_eq!(run(&logfmt, &["--format", "logfmt"]).stdout, logfmt);
    let head = ["--level", "warn", "--where", "service = \"orders\"", "--count"];
    assert_eq!(run(&json, &head).stdout, run(&all, &head).stdout);
    assert_eq!(run(&logfmt, &head).stdout, run(&all, &head).stdout);
}

#[test]
fn the_pretty_form_aligns_columns_and_puts_errors_below() {
    let lines = [
        r#"{"timestamp":"2026-11-20T10:15:38.123456Z","level":"INFO","target":"orders","message":"order loaded","user_id":42,"note":"two words","service":"orders","request_id":"r-1"}"#,
        r#"{"timestamp":"2026-11-20T10:15:38.5Z","level":"ERROR","target":"orders::db","message":"lost","error":{"message":"query failed","chain":["timed out","no route"],"type":"DbError"},"table":"orders"}"#,
        "thread 'main' panicked\x1b[2J\u{202e}",
        r#"{"timestamp":"2026-11-20T10:15:39Z","level":"WARN","target":"orders","message":"slow\u001b[31m","stack":"a\n  at b\n","a\u009bb":"x\ty"}"#,
    ];
    let expected = r#"2026-11-20 10:15:38.123456 INFO  orders  order loaded  user_id=42 note="two words" service=orders request_id=r-1
2026-11-20 10:15:38.500000 ERROR orders::db  lost          table=orders
    error: query failed (DbError)
      caused by: timed out
      caused by: no route
thread 'main' panicked\u{1b}[2J\u{202e}
2026-11-20 10:15:39.000000 WARN  orders      slow\u{1b}[31m  "a\u009bb"="x\ty"
    stack:
      a
        at b
"#;
    let printed = run(&lines.join("\n"), &["--format", "pretty"]);
    assert_eq!(printed.stdout, expected);
    assert_eq!(printed.stderr, "spanline: 1 line was no record: 0 broken, 1 of plain text\n");
}

#[test]
fn colours_are_there_if_they_are_wanted() {
    let line = r#"{"timestamp":"2026-11-20T10:15:38Z","level":"ERROR","target":"orders","message":"lost","a":1}"#;
    let expected = "\x1b[2m2026-11-20 10:15:38.000000\x1b[0m \x1b[31mERROR\x1b[0m \x1b[2morders\x1b[0m  lost \x20\x1b[36ma=\x1b[0m1\n";
    assert_eq!(run(line, &["--format", "pretty", "--color", "always"]).stdout, expected);
    for color in ["auto", "never"] {
        assert!(!run(line, &["--format", "pretty", "--color", color]).stdout.contains('\x1b'));
    }
    assert_eq!(run(line, &["--format", "json", "--color", "always"]).stdout.matches('\x1b').count(), 0);
}

#[test]
fn logfmt_has_the_keys_of_the_library() {
    let lines =
        [LINES[0].1, LINES[13].1, "{\"msg\":\"a\",\"message\":\"b\",\"a b\":\"\",\"nested\":{\"x\":1}}", "text"];
    let expected = r#"ts=2026-11-20T10:15:38.123456Z level=info target=orders msg="order loaded" user_id=42 version=1.2.3 span_id=f893a2eefb32555e spans="[\"request\"]" service=orders request_id=r-1 trace_id=910a2dec89025cc1beeb8da1658eec67
ts=2026-11-20T10:15:38.123456Z level=info target=orders msg="order loaded" hostname=machine pid=4242 user_id=4]2 x.a=b service=orders trace_id=910a2dec89025cc1beeb8da1658eec67
msg=b fields.msg=a a_b="" nested="{\"x\":1}"
msg=text
"#;
    assert_eq!(run(&lines.join("\n"), &["--format", "logfmt"]).stdout, expected);
}

/// Each service has a column if several logs are merged.
#[test]
fn the_service_is_in_front_if_there_are_several_logs() {
    let dir = Dir::new();
    for (name, second) in [("orders", 1), ("proxy", 2)] {
        let line = format!(
            r#"{{"timestamp":"2026-11-20T10:15:0{second}Z","level":"INFO","target":"t","message":"m","service":"{name}"}}"#
        );
        dir.put(&format!("{name}.log"), line);
    }
    let run = done(dir.command(&["find", "--format", "pretty"]).env("TZ", "UTC").output().unwrap());
    let expected = "2026-11-20 10:15:01.000000 INFO  orders  t  m\n2026-11-20 10:15:02.000000 INFO  proxy   t  m\n";
    assert_eq!(run.stdout, expected);
}
