//! Lines of every logger, seen through the one view.

use std::path::Path as FilePath;

use proptest::prelude::*;

use super::*;
use crate::loggers::LineLevel;

/// The schemas of the library whose lines are read.
const SCHEMAS: [&str; 12] = [
    "bunyan.jsonl",
    "datadog.jsonl",
    "ecs.jsonl",
    "flat.jsonl",
    "gcp.jsonl",
    "gelf.jsonl",
    "lambda.jsonl",
    "logfmt.txt",
    "nested.jsonl",
    "otel.jsonl",
    "pino.jsonl",
    "splunk.jsonl",
];

fn golden(name: &str) -> Vec<String> {
    let path = FilePath::new(env!("CARGO_MANIFEST_DIR")).join("../tests/golden/schemas").join(name);
    std::fs::read_to_string(path).unwrap().lines().map(ToOwned::to_owned).collect()
}

/// What a line says: its form, its parts and its fields.
fn seen<T>(line: &[u8], see: impl FnOnce(&Entry<'_>) -> T) -> T {
    let mut parser = Parser::default();
    parser.read(line);
    see(&parser.entry(line))
}

/// Level, target, service, message, request and trace.
fn head(entry: &Entry<'_>) -> (Option<LineLevel>, Vec<String>) {
    let parts = [Part::Target, Part::Service, Part::Message, Part::Request, Part::Trace];
    (entry.level(), parts.map(|part| entry.text(part).unwrap_or_default().into_owned()).to_vec())
}

fn fields(line: &[u8]) -> Vec<(String, String)> {
    seen(line, |entry| {
        entry
            .fields(&entry.view())
            .into_iter()
            .map(|field| (field.name.into_owned(), field.value.shown().into_owned()))
            .collect()
    })
}

#[test]
fn each_schema_tells_the_same_story() {
    let flat = golden("flat.jsonl");
    assert!(flat.len() > 15);
    for name in SCHEMAS {
        let lines = golden(name);
        assert_eq!(lines.len(), flat.len(), "{name}");
        let mut parser = Parser::default();
        for (line, flat) in lines.iter().zip(&flat) {
            parser.read(line.as_bytes());
            let entry = parser.entry(line.as_bytes());
            let (level, mut parts) = head(&entry);
            let (mut expected_level, mut expected) = seen(flat.as_bytes(), head);
            // These have no name for TRACE.
            if matches!(name, "gcp.jsonl" | "gelf.jsonl") && expected_level == Some(LineLevel::Trace) {
                expected_level = Some(LineLevel::Debug);
            }
            // Lambda's id of the request may be the user's field `requestId`. Some write no message where others do.
            if name == "lambda.jsonl" && parts[3] == "FORGED" || parts[2].is_empty() || expected[2] == expected[0] {
                let at = if parts[3] == "FORGED" { 3 } else { 2 };
                parts[at].clear();
                expected[at].clear();
            }
            assert_eq!((level, parts), (expected_level, expected), "{name}: {line}");
            assert_eq!(entry.time().map(|nanos| nanos / 1_000_000), Some(1_795_169_738_123), "{name}: {line}");
            assert!(entry.is_record(), "{name}");
        }
    }
}

#[test]
fn the_users_fields_have_the_names_that_the_program_gave_them() {
    for name in SCHEMAS {
        let line = golden(name).into_iter().find(|line| line.contains("order loaded")).unwrap();
        let fields = fields(line.as_bytes());
        // The span has its fields there.
        let method = if name == "nested.jsonl" { "span.method" } else { "method" };
        for (field, value) in [("user_id", "42"), ("user.id", "u-7"), (method, "GET")] {
            let is_listed = fields.iter().any(|(name, found)| name == field && found == value);
            assert!(is_listed || field == "span.method", "{name}: {field} in {fields:?}");
            let found =
                seen(line.as_bytes(), |entry| Path::new(field).value(entry).map(|value| value.shown().into_owned()));
            assert_eq!(found.as_deref(), Some(value), "{name}: {field}");
        }
    }
}

#[test]
fn no_field_poses_as_a_part_of_the_view() {
    for name in SCHEMAS {
        for line in golden(name) {
            let (_, parts) = seen(line.as_bytes(), head);
            let is_users =
                |(at, part): (usize, &String)| part.contains("FORGED") && !(name == "lambda.jsonl" && at == 3);
            assert!(!parts.iter().enumerate().any(is_users), "{name}: {line}");
        }
    }
}

#[test]
fn a_severity_without_a_text_is_read_by_its_number() {
    let line = br#"{"timeUnixNano":"1795169738123456789","severityNumber":13,"body":{"stringValue":"x"},"traceId":""}"#;
    assert_eq!(seen(line, head), (Some(LineLevel::Warn), ["", "", "x", "", ""].map(String::from).to_vec()));
    assert_eq!(fields(line), [("traceId".to_owned(), String::new())]);
    let line = br#"{"observedTimeUnixNano":"1795169738123456789","severityNumber":17}"#;
    assert_eq!(seen(line, |entry| entry.time()), Some(1_795_169_738_123_456_789));
}

#[test]
fn the_pipe_form_is_split_from_both_sides() {
    let parts = |line: &str| seen(line.as_bytes(), |entry| (entry.is_record(), head(entry)));
    let (is_record, (level, parts_of)) = parts("1795169738 | CRITICAL | a | b | orders | t-1");
    assert!(is_record);
    assert_eq!(
        (level, parts_of),
        (Some(LineLevel::Critical), ["", "orders", "a | b", "", "t-1"].map(String::from).to_vec())
    );
    assert_eq!(parts("1795169738.5 | WARNING |  | orders | t-1\r").1.0, Some(LineLevel::Warn));
    for broken in ["1795169738 | ERROR | orders | t-1", "1795169738 | ERROR | m", "1795169738 | | | |"] {
        assert_eq!(seen(broken.as_bytes(), |entry| entry.form()), Form::Broken, "{broken}");
    }
    let text = "x | y | z | a | b";
    assert_eq!(seen(text.as_bytes(), |entry| entry.form()), Form::Text);
    // Behind such lines, they are broken ones.
    let mut parser = Parser::default();
    parser.read(b"1 | INFO | m | s | t");
    parser.read(text.as_bytes());
    assert_eq!(parser.entry(text.as_bytes()).form(), Form::Broken);
}

#[test]
fn text_with_pairs_in_it_is_not_logfmt() {
    let form = |line: &str| seen(line.as_bytes(), |entry| entry.form());
    for text in ["a=1", "hello level=info", "a=1 b=2", "level=info msg=\"open", "level=info x=a\"b\"", "level=info =x"]
    {
        assert_eq!(form(text), Form::Text, "{text}");
    }
    assert_eq!(form("level=info msg=\"a \\\"b\\\"\" n= x=1.5"), Form::Logfmt);
    assert_eq!(
        fields(b"level=info n= x=1.5 y=z"),
        [("n", ""), ("x", "1.5"), ("y", "z")].map(|(a, b)| (a.into(), b.into()))
    );
}

#[test]
fn the_last_of_equal_keys_wins_also_if_it_is_escaped() {
    let line = br#"{"level":"INFO","le\u0076el":"ERROR","a":1,"b":2,"a":3,"message":"{\"level\":\"WARN\"}","x":{"level":"DEBUG"}}"#;
    assert_eq!(seen(line, |entry| entry.level()), Some(LineLevel::Error));
    let names: Vec<_> = fields(line).into_iter().filter(|(name, _)| name == "a").collect();
    assert_eq!(names, [("a".to_owned(), "3".to_owned())]);
}

#[test]
fn a_path_finds_a_key_with_dots_before_it_looks_into_objects() {
    let line = br#"{"a":{"b":{"c":1},"b.c":2},"a.b":{"c":3},"a.b.d":4,"time":"x"}"#;
    let find = |path: &str| seen(line, |entry| Path::new(path).value(entry).map(|value| value.shown().into_owned()));
    assert_eq!(find("a.b.c").as_deref(), Some("3"));
    assert_eq!(find("a.b.d").as_deref(), Some("4"));
    assert_eq!(find("a.b").as_deref(), Some("{\"c\":3}"));
    assert_eq!(find("a.x"), None);
    assert_eq!(find("fields.time").as_deref(), Some("x"));
    let line = br#"{"a":{"b":{"c":1},"b.c":2}}"#;
    let find = |path: &str| seen(line, |entry| Path::new(path).value(entry).map(|value| value.shown().into_owned()));
    assert_eq!(find("a.b.c").as_deref(), Some("2"));
}

#[test]
fn the_form_of_a_file_changes_with_its_lines() {
    let mut parser = Parser::default();
    let lines: [(&[u8], Form); 8] = [
        (b"Starting", Form::Text),
        (b"\xef\xbb\xbf{\"level\":\"INFO\"}\r", Form::Json),
        (b"{\"level\":\"INF", Form::Broken),
        (b"<14>1 - - - - - - x", Form::Syslog),
        (b"<p>1 - - - - - -", Form::Text),
        (b"level=info msg=x", Form::Logfmt),
        (b"", Form::Text),
        (b"[1]", Form::Text),
    ];
    for (line, form) in lines {
        parser.read(line);
        assert_eq!(parser.entry(line).form(), form, "{}", String::from_utf8_lossy(line));
    }
}

mod any {
    use proptest::prelude::*;

    use super::*;

    /// A line that looks like one of the forms.
    fn any_line() -> impl Strategy<Value = Vec<u8>> {
        prop_oneof![
            proptest::collection::vec(any::<u8>(), 0..120),
            "[0-9]{1,3} \\| [A-Z]{0,5}( \\| ?[a-z|]{0,4}){0,6}".prop_map(String::into_bytes),
            "<[0-9]{1,3}>1 [ -a\\[\\]=\"\\\\x]{0,40}".prop_map(String::into_bytes),
            "(level|msg|ts|a)=[ -~]{0,10} (level|msg|x)=\"?[ -~]{0,10}\"?".prop_map(String::into_bytes),
            "\\{\"(resourceLogs|time|level|event)\":[\\[\\]{}\":, a-z0-9]{0,40}\\}".prop_map(String::into_bytes),
            (0..SCHEMAS.len(), any::<prop::sample::Index>(), any::<prop::sample::Index>(), any::<u8>()).prop_map(
                |(schema, line, at, byte)| {
                    let lines = golden(SCHEMAS[schema]);
                    let mut line = line.get(&lines).clone().into_bytes();
                    let at = at.index(line.len());
                    line[at] = byte;
                    line
                }
            ),
        ]
    }

    proptest! {
        #[test]
        fn no_line_causes_a_panic(lines in proptest::collection::vec(any_line(), 1..6)) {
            let mut parser = Parser::default();
            for line in lines {
                parser.read(&line);
                let entry = parser.entry(&line);
                let _ = (entry.time(), head(&entry));
                for field in entry.fields(&entry.view()) {
                    let mut json = String::new();
                    field.value.put_json(&mut json);
                    prop_assert!(serde_json::from_str::<serde::de::IgnoredAny>(&json).is_ok(), "{}", json);
                    let _ = (field.value.scalar(), field.value.items().count());
                }
            }
        }
    }
}

/// All that an entry says.
fn all(entry: &Entry<'_>) -> String {
    let view = entry.view();
    let mut all = format!("{:?} {:?} {:?}", entry.form(), view.time, view.level);
    Part::ALL.into_iter().for_each(|part| all.push_str(&format!(" {:?}", view.text(part))));
    for field in entry.fields(&view) {
        all.push_str(&format!(" {}=", field.name));
        field.value.put_json(&mut all);
    }
    all
}

fn any_member() -> impl Strategy<Value = String> {
    let keys = proptest::sample::select(vec![
        "timestamp",
        "time",
        "level",
        "severity",
        "target",
        "message",
        "msg",
        "name",
        "pid",
        "hostname",
        "v",
        "trace_id",
        "service",
        "request_id",
        "fields",
        "a",
        "le\\u0076el",
    ]);
    let values = proptest::sample::select(vec![
        "\"2026-11-20T10:15:38Z\"",
        "1795169738123",
        "\"INFO\"",
        "30",
        "\"\"",
        "\"x \\\"y\"",
        "null",
        "{\"message\":\"m\",\"a\":1}",
        "[1]",
        "\"4bf92f3577b34da6a3ce929d0e0e4736\"",
        "1.",
        "\"\u{1}\"",
    ]);
    (keys, values, proptest::sample::select(vec!["", " "]))
        .prop_map(|(key, value, space)| format!("\"{key}\":{space}{value}"))
}

proptest! {
    #[test]
    fn what_lines_came_before_does_not_change_what_a_json_line_says(
        members in proptest::collection::vec(any_member(), 1..6),
        lines in proptest::collection::vec(proptest::collection::vec(0..6_usize, 0..6), 1..40),
        separators in proptest::collection::vec(proptest::sample::select(vec![",", ", "]), 40),
    ) {
        let mut learned = Parser::default();
        for (line, separator) in lines.iter().zip(separators) {
            let members: Vec<_> = line.iter().map(|number| members[number % members.len()].as_str()).collect();
            let line = format!("{{{}}}", members.join(separator));
            learned.read(line.as_bytes());
            let first = seen(line.as_bytes(), all);
            prop_assert_eq!(all(&learned.entry(line.as_bytes())), first, "{}", line);
        }
    }
}

#[test]
fn a_line_that_is_nearly_otlp_does_not_hide_those_behind_it() {
    let nearly = br#"{"timeUnixNano":"1795169738000000000","severityText":"ERROR","body":"x"}"#;
    let line = br#"{"timeUnixNano":"1795169738000000000","severityText":"ERROR","body":{"stringValue":"lost"}}"#;
    let mut parser = Parser::default();
    parser.read(nearly);
    parser.read(line);
    assert_eq!(all(&parser.entry(line)), seen(line, all));
    assert_eq!(parser.entry(line).level(), Some(LineLevel::Error));
}
