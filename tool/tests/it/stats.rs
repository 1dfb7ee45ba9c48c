//! `spanline stats` and `spanline hist`: every number equals that of a naive count, whatever the files.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::Write as _;
use std::process::Stdio;

use serde_json::{Value, json};

use crate::{Dir, done};

const LEVELS: [&str; 5] = ["TRACE", "DEBUG", "INFO", "WARN", "ERROR"];

/// Numbers that are the same on every run.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % limit
    }
}

/// Lines full of traps: keys in any order, nested and equal keys, JSON in messages, broken lines, plain text.
fn lines(numbers: &mut Numbers, count: usize) -> String {
    let mut all = String::new();
    for _ in 0..count {
        match numbers.below(50) {
            0 => all.push_str("thread 'main' panicked\n"),
            1 => all.push_str("{\"level\":\"ERROR\",\"message\":\"half\n"),
            _ => writeln!(all, "{}", line(numbers)).unwrap(),
        }
    }
    all
}

fn line(numbers: &mut Numbers) -> String {
    let time = format!("2026-11-20T10:{:02}:{:02}.{:03}Z", numbers.below(20), numbers.below(60), numbers.below(1000));
    let mut members = vec![
        format!("\"timestamp\":\"{time}\""),
        format!("\"level\":\"{}\"", LEVELS[numbers.below(5)]),
        format!("\"target\":\"t-{}\"", numbers.below(30)),
        format!("\"message\":\"\\\"level\\\":\\\"ERROR\\\" {}\"", numbers.below(40)),
        format!("\"x\":{{\"level\":\"ERROR\",\"trace_id\":\"no\",\"service\":\"no\",\"ms\":{}}}", numbers.below(9)),
    ];
    if numbers.below(4) > 0 {
        members.push(format!("\"service\":\"{}\"", ["orders", "stock", "pay\\u0021", "größe"][numbers.below(4)]));
    }
    if numbers.below(3) > 0 {
        members.push(format!("\"trace_id\":\"{:032x}\"", numbers.below(2000)));
    }
    if numbers.below(2) > 0 {
        members.push(format!("\"ms\":{}", ["7", "-1.5", "1e3", "\"12\"", "null", "\"x\""][numbers.below(6)]));
    }
    if numbers.below(9) == 0 {
        members.insert(0, "\"level\":\"TRACE\"".to_owned());
    } else {
        for at in (1..members.len()).rev() {
            members.swap(at, numbers.below(at + 1));
        }
    }
    format!("{{{}}}", members.join(","))
}

/// The same counts, the slow way.
#[derive(Default)]
struct Naive {
    services: BTreeMap<String, BTreeMap<String, u64>>,
    traces: BTreeMap<String, String>,
    messages: BTreeMap<String, u64>,
    minutes: BTreeMap<String, u64>,
    errors: Vec<(String, Value)>,
    values: BTreeMap<String, Vec<f64>>,
    text: u64,
    broken: u64,
    last: String,
}

impl Naive {
    fn count(&mut self, all: &str) {
        for line in all.lines() {
            let Ok(value) = serde_json::from_str::<Value>(line) else {
                *(if line.starts_with('{') { &mut self.broken } else { &mut self.text }) += 1;
                continue;
            };
            let text = |key: &str| value[key].as_str().unwrap_or_default().to_owned();
            let (time, level, service) = (text("timestamp"), text("level"), text("service"));
            let levels = self.services.entry(service.clone()).or_default();
            *levels.entry(level.to_lowercase()).or_default() += 1;
            *self.messages.entry(text("message")).or_default() += 1;
            *self.minutes.entry(time[..16].to_owned()).or_default() += 1;
            if value.get("trace_id").is_some() {
                let last = self.traces.entry(text("trace_id")).or_default();
                *last = last.clone().max(time.clone());
            }
            let number = value["ms"].as_f64().or_else(|| value["ms"].as_str()?.parse().ok());
            self.values.entry(text("target")).or_default().extend(number);
            self.last = self.last.clone().max(time.clone());
            if level == "ERROR" {
                self.errors.push((time, value));
            }
        }
    }

    /// The time from which on lines are recent, five minutes up to the second of the last one.
    fn since(&self) -> String {
        let (minute, second) = (self.last[14..16].parse::<u64>().unwrap(), self.last[17..19].parse::<u64>().unwrap());
        let since = minute * 60 + second - 299;
        format!("2026-11-20T10:{:02}:{:02}", since / 60, since % 60)
    }
}

fn nearest_rank(sorted: &[f64], quantile: f64) -> f64 {
    sorted[((quantile * sorted.len() as f64).ceil() as usize).clamp(1, sorted.len()) - 1]
}

#[test]
fn promise_49_every_number_equals_that_of_a_naive_count() {
    let dir = Dir::new();
    let mut numbers = Numbers(11);
    let mut naive = Naive::default();
    // The first one is read in pieces, at the same time as the others.
    for (name, count) in [("a.log", 60_000), ("b.log", 3000), ("c/c.log", 1000)] {
        let all = lines(&mut numbers, count);
        assert!(count < 10_000 || all.len() > 10 << 20, "{}", all.len());
        naive.count(&all);
        dir.put(name, all);
    }
    let zipped = lines(&mut numbers, 2000);
    naive.count(&zipped);
    dir.put("c/c.2026-11-20T101538-000001.log.zst", zstd::encode_all(zipped.as_bytes(), 1).unwrap());

    let args = ["stats", ".", "c", "--field", "ms", "--by", "target", "--top", "100", "--errors", "20", "--json"];
    let run = dir.run(&args);
    assert_eq!((run.stderr.as_str(), run.status), ("", 0));
    let found: Value = serde_json::from_str(&run.stdout).unwrap();

    for (service, levels) in &naive.services {
        for level in LEVELS.map(str::to_lowercase) {
            let expected = levels.get(&level).copied().unwrap_or_default();
            assert_eq!(found["services"][service][&level], expected, "{service} {level}");
        }
        assert_eq!(found["services"][service]["total"], levels.values().sum::<u64>());
        assert_eq!(found["services"][service]["fatal"], 0, "zeros are there");
    }
    assert_eq!(found["services"].as_object().unwrap().len(), naive.services.len());
    assert_eq!((&found["run"]["broken"], &found["run"]["plain_text"]), (&json!(naive.broken), &json!(naive.text)));

    let since = naive.since();
    let active = naive.traces.values().filter(|last| **last >= since).count();
    assert_eq!(
        (&found["traces"]["distinct"], &found["traces"]["active"]),
        (&json!(naive.traces.len()), &json!(active))
    );
    assert!(active > 0 && active < naive.traces.len());

    let counted = found["messages"]["top"].as_array().unwrap().iter();
    let counted: BTreeMap<_, _> =
        counted.map(|one| (one["text"].as_str().unwrap().to_owned(), one["lines"].as_u64().unwrap())).collect();
    assert_eq!(counted, naive.messages);

    let steps = found["timeline"]["steps"].as_array().unwrap();
    let total: u64 = steps.iter().map(|step| step["levels"]["total"].as_u64().unwrap()).sum();
    assert_eq!(total, naive.minutes.values().sum::<u64>());

    naive.errors.retain(|(time, _)| *time >= since);
    naive.errors.sort_by(|one, other| other.0.cmp(&one.0));
    assert_eq!(found["recent_errors"]["count"], naive.errors.len());
    let entries = found["recent_errors"]["entries"].as_array().unwrap();
    assert_eq!(entries.len(), 20);
    for (entry, (_, expected)) in entries.iter().zip(&naive.errors) {
        assert_eq!(entry["message"], expected["message"]);
        assert_eq!((&entry["level"], &entry["x"]), (&json!("ERROR"), &expected["x"]));
    }

    for group in found["fields"][0]["groups"].as_array().unwrap() {
        let values = naive.values.get_mut(group["target"].as_str().unwrap()).unwrap();
        values.sort_by(f64::total_cmp);
        assert_eq!(group["lines"], values.len());
        for (name, quantile) in [("p50", 0.5), ("p90", 0.9), ("p99", 0.99), ("p99.9", 0.999)] {
            assert_eq!(group[name], nearest_rank(values, quantile), "{group} {name}");
        }
        assert_eq!((&group["min"], &group["max"]), (&json!(values[0]), &json!(values[values.len() - 1])));
    }

    let run = dir.run(&["hist", ".", "c", "--every", "1m", "--json"]);
    let found: Value = serde_json::from_str(&run.stdout).unwrap();
    let steps = found["steps"].as_array().unwrap();
    let minutes: BTreeMap<_, _> = steps
        .iter()
        .map(|step| (step["time"].as_str().unwrap()[..16].to_owned(), step["levels"]["total"].as_u64().unwrap()))
        .collect();
    assert_eq!(minutes, naive.minutes);
}

#[test]
fn conditions_choose_the_lines_that_count() {
    let dir = Dir::new();
    let all = lines(&mut Numbers(5), 2000);
    dir.put("a.log", &all);
    for args in [&["--level", "warn"][..], &["--where", "ms > 5 and service = 'orders'"], &["--grep", "t-1\\b"]] {
        let count = dir.run(&[&["find", "a.log", "--count"], args].concat()).stdout;
        let run = dir.run(&[&["stats", "a.log", "--json"], args].concat());
        let found: Value = serde_json::from_str(&run.stdout).unwrap();
        assert_eq!(found["lines"].to_string(), count.trim(), "{args:?}");
        assert_eq!(found["run"]["lines"], 2000);
    }
}

#[test]
fn lines_in_the_pipe_form_are_counted_from_stdin() {
    let dir = Dir::new();
    let text = "1795169738 | WARNING | a | b | svc | t-1\n1795169739 | CRITICAL | boom | svc | t-2\n\
         1795169740 | INFO | x | y\nnonsense\n1795169741.5 | info | x | other | t-2\n";
    let mut child = dir.command(&["stats", "--json"]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    let run = done(child.wait_with_output().unwrap());
    let found: Value = serde_json::from_str(&run.stdout).unwrap();
    assert_eq!(found["services"]["svc"]["warn"], 1);
    assert_eq!(found["services"]["svc"]["critical"], 1);
    assert_eq!(found["services"]["other"]["info"], 1);
    assert_eq!((&found["run"]["broken"], &found["traces"]["distinct"]), (&json!(2), &json!(2)));
    assert_eq!(found["recent_errors"]["entries"][0]["message"], "boom");
}

#[test]
fn what_people_see_names_each_part() {
    let dir = Dir::new();
    let line = |second: u32, level: &str, rest: &str| {
        format!("{{\"timestamp\":\"2026-11-20T10:00:{second:02}Z\",\"level\":\"{level}\",\"target\":\"t\",{rest}}}\n")
    };
    let text = [
        line(1, "INFO", "\"message\":\"loaded\",\"service\":\"orders\",\"ms\":4"),
        line(2, "ERROR", "\"message\":\"bad \\u001b[2J\",\"service\":\"orders\",\"ms\":6"),
        line(
            2,
            "WARN",
            "\"message\":\"log lines were dropped\",\"target\":\"spanline\",\"dropped\":1200,\"reason\":\"queue_full\"",
        ),
        "{\"broken\n".to_owned(),
    ];
    dir.put("a.log", text.concat());
    let mut command = dir.command(&["stats", "a.log", "--field", "ms"]);
    let run = done(command.env("TZ", "UTC").output().unwrap());
    let (seen, end) = run.stdout.rsplit_once("\n\n").unwrap();
    let expected = "\
4 lines in 1 file, from 2026-11-20 10:00:01 to 2026-11-20 10:00:02
no records: 1 broken, 0 of plain text

service  trace  debug  info  warn  error  total
orders       0      0     1     0      1      2
-            0      0     0     1      0      1
all          0      0     1     1      1      3

0 traces, 0 of them active in the last 5m

errors: 1 of 3 lines with a time (33.33 %)
  ▁█  each 1s, at most 50.00 % at 2026-11-20 10:00:02

lines  message
    1  bad \\u{1b}[2J
    1  loaded
    1  log lines were dropped

lines  target
    2  t
    1  spanline

ms
  lines  mean  min  p50  p90  p99  p99.9  max
      2     5    4    4    6    6      6    6

lost, as reported in the logs: 1,200 lines
service      reason  lines
-        queue_full  1,200

recent errors: 1 since 2026-11-20 09:55:03
2026-11-20 10:00:02.000000 ERROR orders  t  bad \\u{1b}[2J  ms=6";
    assert_eq!(seen, expected);
    assert!(end.contains("ns for each line") && end.contains("million lines/s") && end.contains("to merge"), "{end}");

    let run = done(dir.command(&["hist", "a.log"]).env("TZ", "UTC").output().unwrap());
    let expected = format!(
        "time                 {:48}  lines  warn  error\n\
         2026-11-20 10:00:01  {}{:24}      1     0      0\n\
         2026-11-20 10:00:02  {}{}      2     1      1\n",
        "█ error ▓ warn ▒ info ░ debug, trace",
        "▒".repeat(24),
        "",
        "█".repeat(24),
        "▓".repeat(24)
    );
    assert_eq!(run.stdout, expected);
    assert_eq!(run.stderr, "spanline: 1 line has no time\n");
}

#[test]
fn a_long_line_counts_by_its_first_mebibyte() {
    let dir = Dir::new();
    let long = |rest: &str| {
        format!("{{\"level\":\"ERROR\",\"service\":\"orders\",\"body\":\"{}\"{rest}}}\n", "x".repeat(3 << 20))
    };
    let text = [long(""), "{\"level\":\"INFO\"}\n".to_owned(), long(",\"level\":\"INFO\"")].concat();
    dir.put("a.log", &text);
    dir.put("b.log.gz", gzip(text.as_bytes()));
    // Pieces of a large file begin inside lines.
    dir.put("c.log", text.repeat(3));
    for (path, times) in [("a.log", 1), ("b.log.gz", 1), ("c.log", 3)] {
        let run = dir.run(&["stats", path, "--json"]);
        let found: Value = serde_json::from_str(&run.stdout).unwrap();
        assert_eq!(found["services"]["orders"]["error"], 2 * times, "{path}");
        assert_eq!((&found["lines"], &found["run"]["cut"]), (&json!(3 * times), &json!(2 * times)), "{path}");
        assert_eq!(found["run"]["bytes"], text.len() * times);
    }
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

#[test]
fn any_bytes_are_counted_without_a_panic() {
    let dir = Dir::new();
    let mut numbers = Numbers(3);
    let bytes: Vec<u8> = (0..2 << 20).map(|_| numbers.below(256) as u8).collect();
    let newlines = bytes.iter().filter(|byte| **byte == b'\n').count();
    dir.put("a.log", &bytes);
    dir.put("b.log", "");
    dir.put("c.log.zst", &bytes[..100]);
    let run = dir.run(&["stats", "a.log", "b.log", "c.log.zst", "--json"]);
    let found: Value = serde_json::from_str(&run.stdout).unwrap();
    assert_eq!(found["run"]["lines"], newlines + usize::from(bytes.last() != Some(&b'\n')));
    assert_eq!(run.status, 1);
    assert!(run.stderr.contains("c.log.zst") && run.stderr.lines().count() == 1, "{}", run.stderr);
}

#[test]
fn wrong_arguments_say_what_is_right() {
    let dir = Dir::new();
    dir.put("a.log", "{\"level\":\"INFO\"}\n");
    for (args, expected) in [
        (
            &["stats", "a.log", "--recent", "soon"][..],
            "expected a span of time such as 30s, 5m or \"2 days\"; found \"soon\"",
        ),
        (&["stats", "a.log", "--by", "path"], "--field <FIELD>"),
        (&["hist", "a.log", "--rows", "0"], "0 is not in 1..=65535"),
        (&["hist", "a.log", "--every", "1x"], "expected a span of time"),
    ] {
        let run = dir.run(args);
        assert_eq!(run.status, 2, "{args:?}");
        assert!(run.stderr.contains(expected), "{args:?}: {}", run.stderr);
    }
    let run = dir.run(&["stats", "none.log"]);
    assert!(run.status == 1 && run.stderr.contains("none.log"), "{run:?}");
}

/// No line is an answer, too.
#[test]
fn an_empty_log_has_zeros() {
    let dir = Dir::new();
    dir.put("empty.log", "");
    dir.put("a.log", "{\"level\":\"INFO\"}\n");
    for (args, expected) in [
        (&["stats", "empty.log"][..], "0 lines in 1 file\n"),
        (&["stats", "empty.log", "--json"], "{\"active"),
        (&["stats", "a.log", "--level", "error"], "0 of 1 line in 1 file\n"),
        (&["stats", "a.log"], "1 line in 1 file\n"),
        (&["hist", "empty.log"], "time "),
        (&["hist", "empty.log", "--json"], "{\"step_seconds\""),
        (&["doctor", "empty.log"], "0 lines: nothing is wrong with them\n"),
    ] {
        let run = dir.run(args);
        let starts = args.contains(&"--json") || run.stdout.starts_with(expected);
        assert!(starts && !run.stdout.is_empty(), "{args:?}: {run:?}");
        assert_eq!((run.status, run.stderr.as_str()), (0, ""), "{args:?}");
    }
}
