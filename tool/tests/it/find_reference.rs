//! `spanline find` against a filter that reads each line with serde_json, on generated lines full of traps.

use std::fmt::Write;

use serde_json::Value;

use crate::Dir;

/// Numbers that are the same on every run.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % limit
    }

    fn one<'a>(&mut self, of: &[&'a str]) -> &'a str {
        of[self.below(of.len())]
    }
}

const LEVELS: [&str; 5] = ["TRACE", "DEBUG", "INFO", "WARN", "ERROR"];

/// Values of fields: texts with JSON in them, nested objects with the keys of the line, numbers that are texts.
const VALUES: [&str; 12] = [
    "7",
    "-7",
    "7.5",
    "1e2",
    "\"7\"",
    "\"text\"",
    "true",
    "null",
    "9007199254740993",
    "\"{\\\"level\\\":\\\"ERROR\\\",\\\"status\\\":503}\"",
    "{\"level\":\"ERROR\",\"status\":503,\"x\":{\"y\":7}}",
    "[{\"trace_id\":\"t-1\"},\"\\\\\"]",
];

fn line(numbers: &mut Numbers) -> String {
    let mut members = vec![
        format!("\"timestamp\":\"2026-11-20T10:00:{:02}Z\"", numbers.below(60)),
        format!("\"{}\":\"{}\"", numbers.one(&["level", "le\\u0076el"]), numbers.one(&LEVELS)),
        format!("\"target\":\"{}\"", numbers.one(&["orders", "orders::db", "orders_db"])),
        format!("\"message\":\"{}\"", numbers.one(&["a", "\\\"level\\\":\\\"ERROR\\\"", "trace_id t-1", "ü \\u00fc"])),
    ];
    for key in ["trace_id", "request_id"] {
        if numbers.below(2) == 0 {
            members.push(format!("\"{key}\":\"{}-{}\"", &key[..1], numbers.below(3)));
        }
    }
    for key in ["status", "x", "x.y", "sta\\u0074us", "path", "level_name"] {
        if numbers.below(2) == 0 {
            members.push(format!("\"{key}\":{}", numbers.one(&VALUES)));
        }
    }
    // Keys in any order. Equal keys are among them.
    for at in (1..members.len()).rev() {
        members.swap(at, numbers.below(at + 1));
    }
    let (comma, space) = (numbers.one(&[",", " ,", ", \t"]), numbers.one(&["", " "]));
    let mut line = format!("{{{space}{}{space}}}", members.join(comma));
    if numbers.below(20) == 0 {
        let end = (0..=numbers.below(line.len())).rev().find(|end| line.is_char_boundary(*end)).unwrap();
        line.truncate(end);
    }
    line
}

/// Returns the member that a path leads to; a key with dots comes first.
fn find<'v>(value: &'v Value, path: &str) -> Option<&'v Value> {
    let object = value.as_object()?;
    let nested = || path.rmatch_indices('.').find_map(|(dot, _)| find(object.get(&path[..dot])?, &path[dot + 1..]));
    object.get(path).or_else(nested)
}

fn number(value: &Value) -> Option<f64> {
    let text = value.as_str().and_then(|text| serde_json::from_str::<Value>(text).ok()?.as_f64());
    value.as_f64().or(text)
}

fn rank(value: &Value) -> Option<usize> {
    LEVELS.iter().position(|level| value["level"] == **level)
}

#[test]
fn promise_49_every_answer_equals_that_of_a_naive_filter() {
    type Filter = fn(&Value) -> bool;
    let filters: [(&[&str], Filter); 16] = [
        (&["--level", "warn"], |line| rank(line) >= Some(3)),
        (&["--trace", "t-1"], |line| line["trace_id"] == "t-1"),
        (&["--request", "r-2", "--level", "debug"], |line| line["request_id"] == "r-2" && rank(line) >= Some(1)),
        (&["--target", "orders"], |line| line["target"] == "orders" || line["target"] == "orders::db"),
        (&["--since", "2026-11-20T10:00:30Z"], |line| line["timestamp"].as_str() >= Some("2026-11-20T10:00:30Z")),
        (&["--where", "status > 7"], |line| find(line, "status").and_then(number) > Some(7.0)),
        (&["--where", "status <= 7"], |line| find(line, "status").and_then(number).is_some_and(|number| number <= 7.0)),
        (&["--where", "status = 7"], |line| find(line, "status").and_then(number) == Some(7.0)),
        (&["--where", "status != 7"], |line| find(line, "status").is_some_and(|value| number(value) != Some(7.0))),
        (&["--where", "x.y = 7"], |line| find(line, "x.y").and_then(number) == Some(7.0)),
        (&["--where", "x.x.y = 7 or has x.status"], |line| {
            find(line, "x.x.y").and_then(number) == Some(7.0) || find(line, "x.status").is_some()
        }),
        (&["--where", "not has trace_id and has status"], |line| {
            find(line, "trace_id").is_none() && find(line, "status").is_some()
        }),
        (&["--where", "path = null or path = true or path = \"text\""], |line| {
            find(line, "path").is_some_and(|value| value.is_null() || *value == true || *value == "text")
        }),
        (&["--where", "x = 9007199254740993"], |line| {
            find(line, "x").and_then(Value::as_i64) == Some(9_007_199_254_740_993)
        }),
        (&["--where", "message ~ 'level' and level < error"], |line| {
            line["message"].as_str().is_some_and(|text| text.contains("level")) && rank(line) < Some(4)
        }),
        (&["--where", "(level = info or level = \"WARN\") and not (status > 7 or x > 7)"], |line| {
            let above = |key| find(line, key).and_then(number) > Some(7.0);
            matches!(rank(line), Some(2 | 3)) && !(above("status") || above("x"))
        }),
    ];
    let mut numbers = Numbers(7);
    let lines: Vec<_> = (0..4000).map(|_| line(&mut numbers)).collect();
    let parsed: Vec<_> = lines.iter().map(|line| serde_json::from_str::<Value>(line).ok()).collect();
    let dir = Dir::new();
    dir.put("x.log", lines.join("\n"));
    let broken = parsed.iter().filter(|value| value.is_none()).count();
    assert!(broken > 100, "{broken}");
    for (args, filter) in filters {
        let mut expected = String::new();
        for (line, _) in lines.iter().zip(&parsed).filter(|(_, value)| value.as_ref().is_some_and(filter)) {
            writeln!(expected, "{line}").unwrap();
        }
        assert!(!expected.is_empty(), "{args:?} finds nothing");
        let run = dir.run(&[&["find", "x.log"], args].concat());
        assert!(run.stdout == expected, "{args:?}: {} of {}", run.stdout.lines().count(), expected.lines().count());
        assert!(run.stderr.starts_with(&format!("spanline: {broken} lines were no records: ")), "{}", run.stderr);
    }
}
