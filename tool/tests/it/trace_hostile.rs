//! `spanline trace`: lines that are damaged, contradict each other, or are made to harm.

use std::fmt::Write;

use crate::trace::{TRACE, dir, json, trace};
use crate::{Dir, done, failed};

/// A line of the trace, with a time in milliseconds.
fn line(millis: u64, rest: &str) -> String {
    let (minutes, seconds, millis) = (millis / 60_000, millis / 1000 % 60, millis % 1000);
    format!(
        "{{\"timestamp\":\"2026-11-20T10:{minutes:02}:{seconds:02}.{millis:03}Z\",\"level\":\"INFO\",\"target\":\"x\",\"message\":\"m\",\"service\":\"s\",\"trace_id\":\"{TRACE}\",{rest}}}\n"
    )
}

fn span(millis: u64, id: &str, parent: &str) -> String {
    line(millis, &format!("\"span_id\":\"{id}\",\"parent_span_id\":\"{parent}\""))
}

#[test]
fn circles_of_parents_are_cut_and_named() {
    let dir = Dir::new();
    dir.put(
        "x.log",
        [span(0, "a", "c"), span(1, "b", "a"), span(2, "c", "b"), span(3, "d", "d"), span(4, "e", "c")].concat(),
    );
    let spans = json(&dir, &[TRACE, "x.log"]);
    let spans = spans["spans"].as_array().unwrap();
    let parents: Vec<_> =
        spans.iter().map(|span| (span["span_id"].as_str().unwrap(), span["parent"].as_u64())).collect();
    assert_eq!(parents, [("a", None), ("b", Some(0)), ("c", Some(1)), ("e", Some(2)), ("d", None)]);
    let run = trace(&dir, &[TRACE, "x.log"]);
    assert_eq!(run.stdout.matches("^ its parents lead back to it").count(), 2, "{}", run.stdout);
}

#[test]
fn one_hundred_thousand_spans_are_drawn_in_bounded_rows() {
    let dir = Dir::new();
    let mut wide = line(0, "\"span_id\":\"root\"");
    let mut deep = wide.clone();
    for number in 1..100_000_u64 {
        wide.push_str(&span(number % 60_000, &format!("s{number}"), "root"));
        let parent = if number == 1 { "root".to_owned() } else { format!("s{}", number - 1) };
        deep.push_str(&span(number % 60_000, &format!("s{number}"), &parent));
    }
    dir.put("wide.log", wide);
    dir.put("deep.log", deep);
    for (log, rows) in [("wide.log", 500), ("deep.log", 499)] {
        let run = trace(&dir, &[TRACE, log, "--gap", "100"]);
        assert_eq!(run.status, 0, "{}", run.stderr);
        assert!(run.stdout.contains("100000 spans, 100000 lines"), "{log}: {}", &run.stdout[..300]);
        let bars = run.stdout.lines().filter(|line| line.starts_with("s ")).count();
        assert!((rows..=500).contains(&bars), "{log}: {bars}");
        assert!(run.stdout.contains("spans more") && run.stdout.lines().count() < 1200, "{log}");
    }
    // The deepest tree is a flat list.
    assert_eq!(json(&dir, &[TRACE, "deep.log"])["spans"].as_array().unwrap().len(), 100_000);
    assert_eq!(trace(&dir, &[TRACE, "deep.log", "--html", "-"]).status, 0);
}

#[test]
fn spans_above_the_limit_are_counted_and_lines_are_folded() {
    let dir = Dir::new();
    let mut lines = String::new();
    for number in 0..100_100_u64 {
        lines.push_str(&span(number % 60_000, &format!("s{number}"), ""));
    }
    for number in 0..1000 {
        lines.push_str(&span(number, "s0", ""));
    }
    dir.put("x.log", lines);
    let json = json(&dir, &[TRACE, "x.log"]);
    assert_eq!((&json["lines"], &json["lines_left_out"]), (&101_100.into(), &100.into()));
    let first = json["spans"].as_array().unwrap().iter().find(|span| span["span_id"] == "s0").unwrap();
    assert_eq!((&first["lines"], &first["events_left_out"]), (&1001.into(), &901.into()));
    assert_eq!(first["events"].as_array().unwrap().len(), 100);
    let run = trace(&dir, &[TRACE, "x.log", "--limit", "3"]);
    assert!(run.stdout.contains("100 lines are in spans above the limit of 100000 spans\n"), "{}", run.stdout);
    assert!(run.stdout.contains("901 further lines counted only"), "{}", run.stdout);
}

#[test]
fn two_traces_with_one_request_id_are_both_drawn() {
    let dir = Dir::new();
    let of = |trace: &str, span: &str| {
        format!(
            "{{\"time\":\"2026-11-20T10:00:00Z\",\"msg\":\"m\",\"request_id\":\"r\",\"trace_id\":\"{trace}\",\"span_id\":\"{span}\"}}\n"
        )
    };
    // The same span id in both.
    dir.put("x.log", [of("0a", "1"), of("0b", "1")].concat());
    let both = json(&dir, &["r", "x.log"]);
    let ids: Vec<_> = both["spans"].as_array().unwrap().iter().map(|span| span["trace_id"].as_str().unwrap()).collect();
    assert_eq!((ids, &both["traces"]), (vec!["0a", "0b"], &serde_json::json!(["0a", "0b"])));
    let run = trace(&dir, &["r", "x.log"]);
    assert!(run.stdout.contains("2 traces have this request; pass the id of one to see it alone\n"), "{}", run.stdout);
    assert_eq!(json(&dir, &["0a", "x.log"])["spans"].as_array().unwrap().len(), 1);
}

#[test]
fn lines_without_times_and_ids_make_a_tree_without_bars() {
    let dir = Dir::new();
    let of = |rest: &str| format!("{{\"level\":\"ERROR\",\"message\":\"m\",\"trace_id\":\"{TRACE}\"{rest}}}\n");
    dir.put(
        "x.log",
        [of(""), of(",\"span_id\":\"1\""), of(",\"span_id\":\"2\",\"parent_span_id\":\"1\""), of(",\"span_id\":\"\"")]
            .concat(),
    );
    let run = trace(&dir, &[TRACE, "x.log"]);
    let expected = "\
trace 4bf92f3577b34da6a3ce929d0e0e4736
0 services, 2 spans, 4 lines, 4 errors

(outside of spans)       no time
  ✖ ERROR m
  ✖ ERROR m
span 1                   no time
  ✖ ERROR m
  span 2                 no time
    ✖ ERROR m

3 spans have no line with a time
";
    assert!(run.stdout.starts_with(expected), "{}", run.stdout);
    let json = json(&dir, &[TRACE, "x.log"]);
    assert!(json["start"].is_null() && json["duration_us"].is_null() && json["spans"][0].get("start_us").is_none());
    assert_eq!(trace(&dir, &[TRACE, "x.log", "--html", "-"]).status, 0);
}

#[test]
fn extreme_times_and_durations_are_no_panic() {
    let dir = Dir::new();
    let mut lines = String::new();
    for (time, duration) in [
        ("0", "9223372036854775807"),
        ("9223372036", "1e300"),
        ("-9223372036", "-1"),
        ("253402300799", "0"),
        ("1795168800", "3100000000000000"),
        ("\"2026-11-20T10:00:00Z\"", "\"x\""),
        ("null", "18446744073709551616"),
    ] {
        for message in ["close", "request finished", "new"] {
            let _ = writeln!(
                lines,
                "{{\"time\":{time},\"message\":\"{message}\",\"duration_us\":{duration},\"busy_us\":0,\"latency_us\":{duration},\"trace_id\":\"{TRACE}\",\"span_id\":\"{}\",\"spans\":[\"a\",\"b\"],\"parent_span_id\":7}}",
                lines.len()
            );
        }
    }
    dir.put("x.log", lines);
    for args in [&[][..], &["--json"], &["--html", "-"], &["--ascii", "--width", "40"]] {
        let run = trace(&dir, &[&[TRACE, "x.log"], args].concat());
        assert_eq!((run.status, run.stderr.as_str()), (0, ""), "{args:?}");
    }
}

#[test]
fn nothing_that_a_log_has_controls_the_terminal() {
    let dir = Dir::new();
    let evil = r"\u001b[2J\r\n\t\u0007\u009b31m\u202e\u2066\u2028</script>";
    let evil_line = format!(
        "{{\"time\":\"2026-11-20T10:00:00Z\",\"level\":\"ERROR\",\"msg\":\"{evil}\",\"error\":{{\"message\":\"{evil}\",\"chain\":[\"{evil}\"]}},\"service\":\"{evil}\",\"method\":\"{evil}\",\"route\":\"{evil}\",\"request_id\":\"{evil}\",\"trace_id\":\"{TRACE}\",\"span_id\":\"{evil}\",\"parent_span_id\":\"x{evil}\",\"spans\":[\"{evil}\",\"{evil}\"]}}\n"
    );
    let mut bytes = evil_line.into_bytes();
    bytes.extend_from_slice(b"\xff\xfe\x00{\"trace_id\":\"");
    bytes.extend((0..=255_u8).cycle().take(100_000));
    bytes.extend_from_slice(
        format!("\n{{\"trace_id\":\"{TRACE}\",\"span_id\":[1],\"spans\":{{\"a\":1}},\"message\":[],\"service\":7}}\n")
            .as_bytes(),
    );
    bytes.extend_from_slice(
        format!("{{\"msg\":\"\u{fffd}\",\"trace_id\":\"{TRACE}\",\"spans\":[[[1]],{{}},null,\"\"]}}\n").as_bytes(),
    );
    dir.put("x.log", bytes);
    for args in [&[][..], &["--json"], &["--ascii"], &["--html", "-"]] {
        let run = trace(&dir, &[&[TRACE, "x.log"], args].concat());
        let controls =
            |char: char| char.is_control() && char != '\n' || matches!(char, '\u{2028}'..='\u{202e}' | '\u{2066}');
        assert!(run.status == 0 && !run.stdout.chars().any(controls), "{args:?}: {}", run.stdout);
    }
    let run = trace(&dir, &["\u{1b}[2J", "x.log"]);
    assert_eq!(run.stderr, "spanline: found no line with the id \\u{1b}[2J\n");
}

#[test]
fn a_reader_that_leaves_is_no_failure_and_a_full_disk_is_one() {
    let dir = dir();
    let mut command = std::process::Command::new("sh");
    let script = "\"$0\" trace r-1 logs --html - | head -c 1 >/dev/null";
    let run =
        done(command.args(["-c", script, env!("CARGO_BIN_EXE_spanline")]).current_dir(dir.path()).output().unwrap());
    assert_eq!((run.status, run.stderr.as_str()), (0, ""));
    #[cfg(target_os = "linux")]
    for args in [&[][..], &["--json"], &["--html", "-"]] {
        let full = std::fs::File::options().write(true).open("/dev/full").unwrap();
        let run = done(dir.command(&[&["trace", "r-1", "logs"], args].concat()).stdout(full).output().unwrap());
        assert_eq!(run, failed("spanline: write to stdout: No space left on device (os error 28)\n"), "{args:?}");
    }
}
