//! The language, and times.

use chrono::FixedOffset;
use spanline::record::Timestamp;

use super::*;
use crate::entry::Parser;

const NOW: Timestamp = Timestamp::from_nanos(1_795_169_738_000_000_000); // 2026-11-20T10:15:38Z

const LINE: &str = r#"{"timestamp":"2026-11-20T10:15:38Z","level":"WARN","target":"orders::db","message":"order \"7\" lost","status":503,
"elapsed_ms":10.5,"path":"/orders/7","big":9007199254740993,"ok":false,"none":null,"labels":{"user_id":"42"},"log.level":"x",
"list":["a","b"],"trace_id":"4BF92f3577b34da6a3ce929d0e0e4736","and":1,"größe":3}"#;

fn is_met(expression: &str) -> bool {
    let line = LINE.replace('\n', "");
    let mut parser = Parser::default();
    parser.read(line.as_bytes());
    let entry = parser.entry(line.as_bytes());
    assert!(entry.is_record());
    parse(expression, NOW).unwrap_or_else(|mistake| panic!("{expression}: {mistake}")).is_met(&entry)
}

#[test]
fn comparisons_hold_as_the_types_say() {
    for met in [
        "status >= 500",
        "status = 503",
        "status == 503.0",
        "status = \"503\"",
        "status != 500",
        "status < 504",
        "elapsed_ms > 10",
        "elapsed_ms <= 1.05e1",
        "path ~ \"/orders/\"",
        "path ~ '^/orders/\\d+$'",
        "path !~ \"x\"",
        "path >= \"/a\"",
        "big = 9007199254740993",
        "big != 9007199254740992",
        "ok = false",
        "ok != true",
        "none = null",
        "ok != null",
        "labels.user_id = 42",
        "labels.user_id = \"42\"",
        "labels.user_id < 100",
        "log.level = \"x\"",
        "has status",
        "has none",
        "has labels.user_id",
        "has level",
        "has time",
        "not has missing",
        "list ~ \"b\"",
        "level = warn",
        "level >= \"warning\"",
        "level > info",
        "level != error",
        "level < error",
        "level ~ \"^WARN$\"",
        "target = \"orders::db\"",
        "message = \"order \\\"7\\\" lost\"",
        "message ~ 'order .7. lost'",
        "has trace_id",
        "time >= \"2026-11-20T10:15:38Z\"",
        "time < now or time = now",
        "time > 10m",
        "\"and\" = 1",
        "größe = 3",
        "status = 503 AND Not status = 1 Or status = 2",
        "(status = 1 or status = 503) and ok = false",
        "status = 503 or status = 1 and status = 2",
        "not (status = 1)",
        "not not status = 503",
        "status ~ \"50\"",
    ] {
        assert!(is_met(met), "{met}");
    }
    for not in [
        "status > 503",
        "status = 50",
        "status = \"x\"",
        "status < \"x\"",
        "missing = 1",
        "missing != 1",
        "missing !~ \"x\"",
        "not status = 503",
        "none = 0",
        "none ~ \"null\"",
        "ok = 0",
        "path = 7",
        "path > 1",
        "level = info",
        "level > warn",
        "labels.user_id > 100",
        "has labels.missing",
        "has status.x",
        "time > \"2026-11-20T10:15:38Z\"",
        "missing = null",
        "(status = 503 or status = 1) and status = 2",
        "list = \"a\"",
    ] {
        assert!(!is_met(not), "{not}");
    }
}

#[test]
fn mistakes_name_their_column_and_what_was_expected() {
    for (expression, expected) in [
        ("", "column 1: expected the name of a field, `has`, `not` or `(`, found the end"),
        (
            "status",
            "column 7: expected `=`, `!=`, `<`, `<=`, `>`, `>=`, `~` or `!~` behind the name, found the end; for entries that have the field, write `has` in front of it",
        ),
        ("status 500", "column 8: expected `=`, `!=`, `<`, `<=`, `>`, `>=`, `~` or `!~` behind the name, found `500`"),
        (
            "status >=",
            "column 10: expected a value, found the end; write a number, a text in quotes, `true`, `false` or `null`",
        ),
        ("größe = abc", "column 9: expected a value, found `abc`; put a text in quotes: \"abc\""),
        ("a = 1 && b = 2", "column 7: unknown sign `&&`; write `and`"),
        ("a =~ \"x\"", "column 3: unknown sign `=~`; write `~`"),
        ("!a = 1", "column 1: unknown sign `!`; write `not`"),
        ("a <> 1", "column 3: unknown sign `<>`; write `!=`"),
        ("a = \"x", "column 5: this text has no end; add \" behind it"),
        ("(a = 1", "column 7: expected `and`, `or` or `)` for the `(` in column 1, found the end"),
        ("a = 1)", "column 6: expected `and`, `or` or the end, found `)`; this `)` closes nothing"),
        ("a = 1 b = 2", "column 7: expected `and`, `or` or the end, found `b`"),
        (
            "and = 1",
            "column 1: expected the name of a field, `has`, `not` or `(`, found `and`; put a field of this name in quotes: \"and\"",
        ),
        ("has", "column 4: expected the name of a field behind `has`, found the end"),
        ("path ~ x", "column 8: expected a regular expression in quotes, found `x`; write \"x\""),
        ("path ~ \"(\"", "column 8: expected a regular expression: unclosed group"),
        (
            "level >= warm",
            "column 10: unknown level `warm`; did you mean `warn`? expected one of: trace, debug, info, notice, warn, error, critical, alert, fatal, emergency",
        ),
        ("a = {", "column 5: unexpected character '{'; put texts and unusual names in quotes"),
    ] {
        assert_eq!(parse(expression, NOW).unwrap_err().to_string(), expected, "{expression}");
    }
    let time = parse("time > soon", NOW).unwrap_err().to_string();
    assert!(
        time.starts_with("column 8: expected a time such as 2026-11-20T10:15:38Z") && time.ends_with("found \"soon\""),
        "{time}"
    );
    assert!(parse(&format!("{} = 1", ["a"; 17].join(".")), NOW).is_err());
}

#[test]
fn nesting_is_bounded_and_long_expressions_are_not() {
    let nested = |levels| "(".repeat(levels) + "a = 1" + &")".repeat(levels);
    assert!(parse(&nested(64), NOW).is_ok());
    assert_eq!(parse(&nested(65), NOW).unwrap_err().column, 66);
    assert_eq!(
        parse(&("not ".repeat(1 << 20) + "a = 1"), NOW).unwrap_err().text,
        "expected at most 64 levels of `(` and `not`, found more"
    );
    assert!(parse(&vec!["a = 1"; 10_000].join(" and "), NOW).is_ok());
}

#[test]
fn only_the_message_needs_no_fields() {
    let needs = |text: &str| parse(text, NOW).unwrap().needs_fields();
    assert!(!needs("message ~ \"x\" or not message = \"y\" and has message"));
    for text in ["level = info", "has x", "message ~ \"x\" and a = 1", "not has x", "time > 10m"] {
        assert!(needs(text), "{text}");
    }
}

#[test]
fn times_are_read_as_people_write_them() {
    let zone = FixedOffset::east_opt(3600).unwrap();
    let at = |text: &str| when(text, NOW, &zone).map(|nanos| Timestamp::from_nanos(nanos).to_datetime().to_rfc3339());
    for (text, expected) in [
        ("2026-11-20T10:15:38Z", "2026-11-20T10:15:38+00:00"),
        ("2026-11-20 14:00", "2026-11-20T13:00:00+00:00"),
        ("2026-11-20T14:00", "2026-11-20T13:00:00+00:00"),
        ("2026-11-20 14:00:05", "2026-11-20T13:00:05+00:00"),
        ("2026-11-20", "2026-11-19T23:00:00+00:00"),
        ("10m", "2026-11-20T10:05:38+00:00"),
        ("1h30m", "2026-11-20T08:45:38+00:00"),
        ("2 days", "2026-11-18T10:15:38+00:00"),
        ("2 days ago", "2026-11-18T10:15:38+00:00"),
        ("1 week 2 hours", "2026-11-13T08:15:38+00:00"),
        ("now", "2026-11-20T10:15:38+00:00"),
        ("today", "2026-11-19T23:00:00+00:00"),
        ("today 14:00", "2026-11-20T13:00:00+00:00"),
        ("yesterday", "2026-11-18T23:00:00+00:00"),
        ("yesterday 14:00:05", "2026-11-19T13:00:05+00:00"),
        ("14:00", "2026-11-20T13:00:00+00:00"),
        ("1795169738", "2026-11-20T10:15:38+00:00"),
        ("1795169738000", "2026-11-20T10:15:38+00:00"),
    ] {
        assert_eq!(at(text).as_deref(), Ok(expected), "{text}");
    }
    for not in [
        "",
        "soon",
        "10",
        "10x",
        "m",
        "today 25:00",
        "2026-13-01",
        "tomorrow",
        "99999999999999999999 days",
        "-1h",
        "ago",
    ] {
        assert!(at(not).is_err(), "{not}");
    }
}

mod any {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn no_text_causes_a_panic(text in any::<String>(), like in "[ab.()=!<>~\"' 0-9]{0,30}", words in "((and|or|not|has|a|=|\"x\"|1|\\(|\\)) ?){0,12}") {
            for text in [text, like, words] {
                let zone = FixedOffset::east_opt(0).unwrap();
                let _ = (parse(&text, NOW), when(&text, NOW, &zone));
            }
        }
    }
}
