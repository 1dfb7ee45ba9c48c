//! `spanline find`: each option, several logs, stdin, and exit statuses.

use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::process::Stdio;

use spanline::record::{Relayed, Timestamp, TraceId};
use spanline::{Output, RollingFile};

use crate::{Dir, Done, done, failed, printed};

/// Lines of the default schema, with a line of plain text among them.
const LOG: [&str; 6] = [
    r#"{"timestamp":"2026-11-20T10:00:00Z","level":"INFO","target":"orders","message":"started","service":"orders"}"#,
    r#"{"timestamp":"2026-11-20T10:00:01Z","level":"DEBUG","target":"orders::db","message":"query","elapsed_ms":12,"service":"orders","request_id":"r-1","trace_id":"4bf92f3577b34da6a3ce929d0e0e4736"}"#,
    "thread 'main' panicked",
    r#"{"timestamp":"2026-11-20T10:00:02Z","level":"WARN","target":"orders::http","message":"slow","status":200,"path":"/orders/7","service":"orders","request_id":"r-1","trace_id":"4bf92f3577b34da6a3ce929d0e0e4736"}"#,
    r#"{"timestamp":"2026-11-20T10:00:03Z","level":"ERROR","target":"orders_db","message":"failed","status":503,"path":"/orders/8","service":"orders","request_id":"r-2"}"#,
    r#"{"timestamp":"2026-11-20T10:00:04Z","level":"INFO","target":"hyper","message":"closed","service":"proxy"}"#,
];

const NOTE: &str = "spanline: 1 line was no record: 0 broken, 1 of plain text\n";

fn dir() -> Dir {
    let dir = Dir::new();
    dir.put("orders.log", LOG.join("\n") + "\n");
    dir
}

/// What `find` prints of these lines.
fn found(numbers: &[usize]) -> Done {
    let stdout = numbers.iter().map(|number| format!("{}\n", LOG[*number])).collect();
    Done { stdout, stderr: NOTE.to_owned(), status: i32::from(numbers.is_empty()) }
}

#[test]
fn each_condition_finds_its_lines() {
    let dir = dir();
    for (args, numbers) in [
        (&[][..], &[0, 1, 2, 3, 4, 5][..]),
        (&["--level", "warn"], &[3, 4]),
        (&["-l", "Warning"], &[3, 4]),
        (&["--level", "fatal"], &[]),
        (&["--service", "proxy"], &[5]),
        (&["--service", "proxy", "--service", "orders", "--level", "info"], &[0, 3, 4, 5]),
        (&["--target", "orders"], &[0, 1, 3]),
        (&["--target", "orders::db", "--target", "hyper"], &[1, 5]),
        (&["--request", "r-1"], &[1, 3]),
        (&["--trace", "4BF92F3577B34DA6A3CE929D0E0E4736"], &[1, 3]),
        (&["--since", "2026-11-20T10:00:03Z"], &[4, 5]),
        (&["--until", "2026-11-20T10:00:03Z"], &[0, 1, 3]),
        (&["--since", "2026-11-20T11:00:01+01:00", "--until", "1795168802"], &[1]),
        (&["--until", "10m", "--since", "500 weeks", "--level", "error"], &[4]),
        (&["--where", "status >= 500 and path ~ \"/orders/\""], &[4]),
        (&["--where", "has elapsed_ms or not has request_id"], &[0, 1, 5]),
        (&["--where", "message ~ '^(thread|started)'"], &[0, 2]),
        (&["--grep", "panicked|\"r-2\""], &[2, 4]),
        (&["--grep", "r-1", "--grep", "DEBUG"], &[1]),
        (&["--grep", "thread", "--level", "trace"], &[]),
    ] {
        let args = [&["find", "orders.log"], args].concat();
        assert_eq!(dir.run(&args), found(numbers), "{args:?}");
    }
}

#[test]
fn context_is_printed_as_grep_prints_it() {
    let dir = dir();
    let run = |args: &[&str]| dir.run(&[&["find", "orders.log"], args].concat()).stdout;
    let lines = |numbers: &[&str]| {
        let line = |number: &&str| number.parse::<usize>().map_or("--".to_owned(), |number| LOG[number].to_owned());
        numbers.iter().map(line).map(|line| line + "\n").collect::<String>()
    };
    assert_eq!(run(&["--level", "error", "--context", "1"]), lines(&["3", "4", "5"]));
    assert_eq!(run(&["--grep", "started|closed", "-C", "1"]), lines(&["0", "1", "--", "4", "5"]));
    assert_eq!(run(&["--grep", "started|closed", "-C", "2"]), lines(&["0", "1", "2", "3", "4", "5"]));
    assert_eq!(run(&["--grep", "started|closed"]), lines(&["0", "5"]));
    assert_eq!(run(&["--grep", "started|slow", "-C", "1", "--limit", "1"]), lines(&["0", "1"]));
    let json = run(&["--grep", "started|closed", "-C", "1", "--format", "json"]);
    assert_eq!(json.lines().count(), 4);
    assert!(json.lines().all(|line| serde_json::from_str::<serde_json::Value>(line).is_ok()), "{json}");
}

/// GNU's grep is there on most machines; the lines around matches are the same.
#[cfg(target_os = "linux")]
#[test]
fn context_equals_that_of_grep() {
    let dir = Dir::new();
    let lines: String = (0..200).map(|number| format!("line {number}\n")).collect();
    dir.put("plain.log", lines);
    for (pattern, context) in [("7", "1"), ("7", "3"), ("[05]$", "2"), ("line 1", "4"), ("199|line 0$", "9")] {
        let mut grep = std::process::Command::new("grep");
        let grep = grep.args(["-E", "-C", context, pattern]).arg(dir.path().join("plain.log"));
        let Ok(expected) = grep.output() else { return };
        let run = dir.run(&["find", "plain.log", "--grep", pattern, "--context", context]);
        assert_eq!(run.stdout, String::from_utf8(expected.stdout).unwrap(), "{pattern} {context}");
    }
}

#[test]
fn limit_stops_and_count_prints_only_the_number() {
    let dir = dir();
    let run = dir.run(&["find", "orders.log", "--limit", "2"]);
    assert_eq!(run, printed(&format!("{}\n{}\n", LOG[0], LOG[1])));
    let counted = |stdout: &str, status| Done { stdout: stdout.into(), stderr: NOTE.into(), status };
    assert_eq!(dir.run(&["find", "orders.log", "--count", "--level", "info"]), counted("4\n", 0));
    assert_eq!(dir.run(&["find", "orders.log", "--count", "--level", "fatal"]), counted("0\n", 1));
    assert_eq!(dir.run(&["find", "orders.log", "--limit", "0"]).status, 2);
}

#[test]
fn several_logs_are_merged_by_time() {
    let dir = Dir::new();
    let line = |second: u32, name: &str| {
        format!(
            r#"{{"timestamp":"2026-11-20T10:00:{second:02}Z","level":"INFO","target":"t","message":"{name}{second}"}}"#
        ) + "\n"
    };
    dir.put("a.log", line(1, "a") + "  at a.rs:1\n" + &line(4, "a") + &line(3, "a") + &line(9, "a"));
    dir.put(
        "b.log",
        "first\n".to_owned() + &line(1, "b") + &line(2, "b") + "  at b.rs:1\n  at b.rs:2\n" + &line(5, "b"),
    );
    dir.put("c.log", "1795168803.5 | INFO | c3 | c | t\n");
    let expected = ["first", "a1", "a.rs:1", "b1", "b2", "b.rs:1", "b.rs:2", "c3", "a4", "a3", "b5", "a9"];
    for args in [&["find"][..], &["find", "."], &["find", "a.log", "b.log", "c.log"]] {
        let run = dir.run(args);
        assert_eq!(run.stderr, "spanline: 4 lines were no records: 0 broken, 4 of plain text\n");
        assert_eq!(run.stdout.lines().count(), expected.len());
        for (line, expected) in run.stdout.lines().zip(expected) {
            assert!(line.contains(expected), "{expected}: {}", run.stdout);
        }
    }
}

#[test]
fn a_rotated_log_is_read_in_the_order_written() {
    let dir = Dir::new();
    let file = RollingFile::new(dir.path().join("logs/orders.log")).rotate_bytes(2000).gzip();
    let (_layer, guard) = spanline::builder()
        .filter("info")
        .filter_variable(None)
        .output(Output::new(file))
        .build::<tracing_subscriber::Registry>()
        .unwrap();
    let trace = TraceId::parse("4bf92f3577b34da6a3ce929d0e0e4736").unwrap();
    for number in 0..200_u64 {
        // Not in the order of time.
        let time = Timestamp::from_nanos(1_795_169_738_000_000_000 - (number % 7) as i64);
        let record = Relayed::new(tracing::Level::INFO, time).message("loaded").trace_id(trace).field("number", number);
        guard.handle().relay(&record).unwrap();
    }
    guard.close().unwrap();
    let expected: Vec<String> = (100..200).map(|number| format!("\"number\":{number}")).collect();
    let all = dir.run(&["cat", "logs/orders.log"]).stdout;
    for args in [&["logs/orders.log"][..], &["logs"]] {
        let trace = ["--trace", "4bf92f3577b34da6a3ce929d0e0e4736", "--where", "number >= 100"];
        let run = dir.run(&[&["find"], args, &trace].concat());
        assert_eq!((run.status, run.stderr.as_str()), (0, ""));
        assert_eq!(run.stdout.lines().count(), 100);
        assert!(run.stdout.lines().zip(&expected).all(|(line, expected)| line.contains(expected)), "{}", run.stdout);
        assert_eq!(dir.run(&[&["find"], args].concat()).stdout, all);
    }
    // As the shell expands `logs/*`.
    let names: Vec<_> =
        std::fs::read_dir(dir.path().join("logs")).unwrap().map(|entry| entry.unwrap().path()).collect();
    let mut names: Vec<_> = names.iter().map(|path| path.to_str().unwrap()).collect();
    names.sort_unstable();
    assert!(names.len() > 5);
    names.retain(|name| !name.ends_with(".lock"));
    assert_eq!(dir.run(&[&["find"], names.as_slice()].concat()).stdout, all);
}

#[test]
fn stdin_is_read_for_a_dash_and_without_a_path() {
    let dir = dir();
    dir.put("input", "{\"level\":\"ERROR\"}\ntorn");
    for args in [&["find"][..], &["find", "-"], &["find", "-", "-"]] {
        let input = File::open(dir.path().join("input")).unwrap();
        let run = done(dir.command(args).stdin(input).output().unwrap());
        assert_eq!(run, Done { stderr: NOTE.into(), ..printed("{\"level\":\"ERROR\"}\ntorn\n") });
    }
    let mut child =
        dir.command(&["find", "--level", "error"]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let (mut input, mut output) = (child.stdin.take().unwrap(), BufReader::new(child.stdout.take().unwrap()));
    // Each line comes before the next is written.
    for number in 0..3 {
        let line = format!("{{\"level\":\"ERROR\",\"number\":{number}}}\n");
        input.write_all(line.as_bytes()).unwrap();
        let mut read = String::new();
        output.read_line(&mut read).unwrap();
        assert_eq!(read, line);
    }
    drop(input);
    assert_eq!(child.wait().unwrap().code(), Some(0));
}

#[test]
fn what_cannot_be_read_fails_and_the_rest_is_searched() {
    let dir = dir();
    let run = dir.run(&["find", "missing.log", "orders.log", "--level", "error"]);
    assert_eq!((run.status, run.stdout), (1, format!("{}\n", LOG[4])));
    assert!(run.stderr.starts_with("spanline: open missing.log: found neither this file"), "{}", run.stderr);
    let empty = Dir::new();
    let expected =
        "spanline: list .: found no log in this directory; pass the path of a log whose name does not end in .log\n";
    assert_eq!(empty.run(&["find"]), failed(expected));
    empty.put("empty.log", "");
    assert_eq!(empty.run(&["find", "empty.log"]), failed(""));
}

#[test]
fn mistakes_in_conditions_are_a_wrong_command_line() {
    let dir = dir();
    for (args, expected) in [
        (["--where", "status >= 500 &&"], "'--where <EXPRESSION>': column 15: unknown sign `&&`; write `and`"),
        (["--level", "wran"], "'--level <LEVEL>': unknown level `wran`; did you mean `warn`? expected one of: trace, "),
        (["--since", "soon"], "'--since <TIME>': expected a time such as 2026-11-20T10:15:38Z, "),
        (["--grep", "("], "'--grep <REGEX>': expected a regular expression: unclosed group"),
        (["--where", "a = \u{1b}[2J"], "column 5: unexpected character '\\u{1b}'"),
    ] {
        let run = dir.run(&["find", "orders.log", args[0], args[1]]);
        assert_eq!((run.status, run.stdout.as_str()), (2, ""), "{args:?}");
        assert!(run.stderr.contains(expected) && !run.stderr.contains('\u{1b}'), "{args:?}: {}", run.stderr);
    }
}

#[test]
fn the_help_describes_the_language() {
    for flag in ["-h", "--help"] {
        let run = dir().run(&["find", flag]);
        assert_eq!((run.status, run.stderr.as_str()), (0, ""));
        for expected in
            ["--where <EXPRESSION>", "The language of --where:", "status >= 500 and", "  1  nothing was found"]
        {
            assert!(run.stdout.contains(expected), "{}", run.stdout);
        }
    }
}

#[test]
fn a_reader_that_stops_early_is_no_failure() {
    let dir = Dir::new();
    dir.put("orders.log", (LOG[0].to_owned() + "\n").repeat(20_000));
    let mut child = dir.command(&["find", "orders.log"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut first = String::new();
    BufReader::with_capacity(16, child.stdout.take().unwrap()).read_line(&mut first).unwrap();
    assert_eq!(first.trim_end(), LOG[0]);
    assert_eq!(done(child.wait_with_output().unwrap()), printed(""));
}
