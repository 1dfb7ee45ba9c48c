//! Input that no logger sends.

use std::time::Instant;

use proptest::prelude::*;
use spanline::record::Timestamp;

use super::super::{Refused, json, otlp_json, otlp_protobuf, syslog};
use super::{NOW, read};

/// Reads bytes in all ways.
fn read_all(bytes: &[u8]) {
    let _ = (json(bytes, NOW), otlp_json(bytes, NOW), otlp_protobuf(bytes, NOW));
    let _ = syslog(bytes, Timestamp::from_nanos(i64::MIN));
    let _ = syslog(bytes, Timestamp::from_nanos(i64::MAX));
    let _ = syslog(bytes, NOW);
}

/// JSON of keys that mean something, with values that they do not have.
fn odd_json() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        Just("null".to_owned()),
        Just("\"\\ud800\"".to_owned()),
        Just("1e999".to_owned()),
        any::<i64>().prop_map(|number| number.to_string()),
        any::<f64>().prop_map(|number| serde_json::json!(number).to_string()),
        "[ -~é\u{202e}]{0,12}".prop_map(|text| serde_json::json!(text).to_string()),
    ];
    let key = prop_oneof![
        Just("resourceLogs"),
        Just("timeUnixNano"),
        Just("fields"),
        Just("event"),
        Just("time"),
        Just("level"),
        Just("scopeLogs"),
        Just("logRecords"),
        Just("attributes"),
        Just("key"),
        Just("value"),
        Just("kvlistValue"),
        Just("values"),
        Just("@timestamp"),
        Just("log"),
        Just("labels"),
        Just("instant"),
        Just("msg"),
        Just("name"),
        Just("v"),
        Just(""),
        Just("short_message"),
        Just("version"),
        Just("_"),
        Just("__"),
        Just("sourcetype"),
    ];
    let value = leaf.prop_recursive(6, 60, 6, move |inner| {
        let members = proptest::collection::vec((key.clone(), inner.clone()), 0..6).prop_map(|members| {
            let members: Vec<_> = members.iter().map(|(key, value)| format!("\"{key}\":{value}")).collect();
            format!("{{{}}}", members.join(","))
        });
        let items = proptest::collection::vec(inner, 0..4).prop_map(|items| format!("[{}]", items.join(" ,")));
        prop_oneof![members, items]
    });
    value.prop_map(|value| if value.starts_with('{') { value } else { format!("{{\"a\":{value}}}") })
}

proptest! {
    #[test]
    fn any_bytes_are_read_without_a_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        read_all(&bytes);
    }

    #[test]
    fn any_cut_of_a_line_is_read_without_a_panic(line in odd_json(), cut in any::<prop::sample::Index>()) {
        read_all(line.as_bytes());
        read_all(&line.as_bytes()[..cut.index(line.len())]);
        prop_assert!(json(line.as_bytes(), NOW).is_ok(), "{}", line);
    }

    #[test]
    fn any_text_that_looks_like_syslog_is_read_without_a_panic(
        text in "(<[0-9]{1,4}>)?(1 )?(Nov [ 0-9]{1,2} [0-9:]{8}|2026-[0-9T:Z-]{0,16}|-|)[ a\\[\\]\"=:\\\\é0-9-]{0,40}",
    ) {
        read_all(text.as_bytes());
    }
}

#[test]
fn marks_of_utf_8_and_ends_of_lines_do_not_count() {
    let plain = read(r#"{"a":"b"}"#);
    for line in ["\u{feff}{\"a\":\"b\"}", "{\"a\":\"b\"}\r\n", "  {\"a\" : \"b\"}\n\n", "{\"a\":\"\\u0062\"}"] {
        assert_eq!(read(line), plain, "{line:?}");
    }
    assert_eq!(json(b"\r\n", NOW), Err(Refused::Empty));
    assert_eq!(json(b"{\"a\":\"\0\"}", NOW), Err(Refused::NotJson));
    assert_eq!(read(r#"{"a":"\u0000"}"#).shown(), "a=\0");
}

#[test]
fn time_grows_with_the_size_and_no_faster() {
    let many = |count: usize| {
        let members: Vec<_> = (0..count).map(|at| format!("\"fields\":{{\"k{at}\":[[[1,\"\\\\\\\"\"]]]}}")).collect();
        format!("{{{}}}", members.join(","))
    };
    let inputs: [fn(usize) -> String; 5] = [
        |count| "{\"a\":".repeat(count),
        |count| "[".repeat(count),
        |count| format!("<14>1 - - - - - {}", "[a b=\"\\\"\"]".repeat(count)),
        |count| format!("<14>1 - - - - - [a {}", "b=\"".repeat(count)),
        |count| format!("<14>{}", "a ".repeat(count)),
    ];
    let slowest = |read: &dyn Fn()| {
        let start = Instant::now();
        read();
        start.elapsed().as_secs()
    };
    for input in inputs {
        let input = input(200_000);
        assert!(slowest(&|| read_all(input.as_bytes())) < 20, "{}", &input[..40]);
    }
    let errors = "\"error\":\"a\",".repeat(100_000);
    let line = format!("{{\"fields\":{{{errors}\"error\":{{}}}},{errors}\"error\":{{\"message\":\"a\"}}}}");
    assert!(slowest(&|| assert_eq!(read(&line).fields.len(), 200_002)) < 20);
    let line = many(100_000);
    assert!(slowest(&|| assert_eq!(read(&line).fields.len(), 100_000)) < 20);
}
