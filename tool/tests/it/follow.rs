//! `spanline follow`: new lines of logs and of stdin, merged, filtered and printed while it runs.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::process::Stdio;

use rustix::process::Signal;
use spanline::{Output, RollingFile};
use tracing::subscriber::with_default;
use tracing_subscriber::layer::SubscriberExt;

use crate::find_collected::REQUEST;
use crate::follow_support::{Running, append};
use crate::{Dir, failed};

/// A line of a service.
fn line(second: u32, level: &str, service: &str, message: &str) -> String {
    format!(
        r#"{{"timestamp":"2026-11-20T10:00:{second:02}Z","level":"{level}","target":"t","message":"{message}","service":"{service}"}}"#
    ) + "\n"
}

fn follow(dir: &Dir, args: &[&str]) -> Running {
    Running::start(dir.command(&[&["follow"], args].concat()))
}

#[test]
fn the_last_lines_come_first_and_new_ones_when_they_are_written() {
    let dir = Dir::new();
    let old: String = (0..30).map(|second| line(second, "INFO", "a", &format!("old {second}."))).collect();
    dir.put("a.log", &old);
    for (args, first) in [
        (&["a.log"][..], 20),
        (&["a.log", "-n", "3"], 27),
        (&["a.log", "--lines", "0"], 30),
        (&["a.log", "--from-start"], 0),
        (&[], 20),
        (&[".", "a.log", "./a.log"], 20),
    ] {
        dir.put("a.log", &old);
        let running = follow(&dir, args);
        if first < 30 {
            running.until_printed("old 29.");
        } else {
            running.until_followed(&dir, "a.log");
        }
        append(&dir.path().join("a.log"), &line(30, "INFO", "a", "new"));
        running.until_printed("\"new\"");
        let expected: String = old.lines().skip(first).map(|line| format!("{line}\n")).collect();
        let (stdout, stderr, status) = running.interrupt();
        let stdout: String =
            stdout.lines().filter(|line| !line.contains("probe")).map(|line| format!("{line}\n")).collect();
        assert_eq!((stdout, status), (expected + &line(30, "INFO", "a", "new"), 0), "{args:?}: {stderr}");
        assert_eq!(stderr, "", "{args:?}");
    }
}

impl Running {
    /// Waits until it has begun to follow: it prints what is written.
    fn until_followed(&self, dir: &Dir, name: &str) {
        let begun = std::time::Instant::now();
        while !self.stdout().contains("probe") {
            assert!(begun.elapsed() < crate::follow_support::PATIENCE, "{}", self.stderr());
            append(&dir.path().join(name), &line(30, "INFO", "a", "probe"));
            std::thread::park_timeout(std::time::Duration::from_millis(20));
        }
    }
}

#[test]
fn the_conditions_apply_to_old_and_new_lines() {
    let dir = Dir::new();
    let old: String =
        (0..50).map(|second| line(second, if second % 10 == 0 { "ERROR" } else { "INFO" }, "a", "old")).collect();
    dir.put("a.log", old);
    let running = follow(&dir, &["a.log", "-n", "2", "--level", "error", "--format", "logfmt"]);
    running.until_printed("10:00:40");
    append(&dir.path().join("a.log"), &(line(51, "INFO", "a", "no") + "text\n" + &line(52, "ERROR", "a", "yes")));
    running.until_printed("yes");
    let (stdout, stderr, status) = running.interrupt();
    let expected =
        ["30Z level=error target=t msg=old", "40Z level=error target=t msg=old", "52Z level=error target=t msg=yes"];
    let expected: String = expected.iter().map(|rest| format!("ts=2026-11-20T10:00:{rest} service=a\n")).collect();
    assert_eq!((stdout, status), (expected, 0));
    assert_eq!(stderr, "spanline: 1 line was no record: 0 broken, 1 of plain text\n");
}

#[test]
fn limit_and_count_end_it_or_count() {
    let dir = Dir::new();
    dir.put("a.log", line(1, "INFO", "a", "old"));
    let running = follow(&dir, &["a.log", "--limit", "2"]);
    running.until_printed("old");
    append(&dir.path().join("a.log"), &(line(2, "INFO", "a", "new") + &line(3, "INFO", "a", "beyond")));
    let (stdout, _, status) = running.end();
    assert_eq!((stdout, status), (line(1, "INFO", "a", "old") + &line(2, "INFO", "a", "new"), 0));
    let (stdout, _, status) = follow(&dir, &["a.log", "--limit", "3", "--count", "--from-start"]).end();
    assert_eq!((stdout.as_str(), status), ("3\n", 0));
}

/// Lines of several logs that come within the window are in the order of time. One that is late is printed all the same.
#[test]
fn several_logs_are_merged_within_the_window() {
    let dir = Dir::new();
    dir.put("a.log", line(1, "INFO", "a", "a1") + &line(4, "INFO", "a", "a4"));
    dir.put("b.log", line(2, "INFO", "b", "b2") + "  at b.rs\n" + &line(3, "INFO", "b", "b3"));
    // In this time both are written, also on a slow machine.
    let running = follow(&dir, &["--window", "3s", "--from-start"]);
    running.until_printed("a4");
    append(&dir.path().join("b.log"), &line(7, "INFO", "b", "b7"));
    append(&dir.path().join("a.log"), &(line(6, "INFO", "a", "a6") + &line(8, "INFO", "a", "a8")));
    running.until_printed("a8");
    append(&dir.path().join("b.log"), &line(5, "INFO", "b", "late"));
    running.until_printed("late");
    let (stdout, _, _) = running.interrupt();
    let texts: Vec<&str> = stdout
        .lines()
        .map(|line| line.split("\"message\":\"").nth(1).map_or(line, |rest| rest.split('"').next().unwrap()))
        .collect();
    assert_eq!(texts, ["a1", "b2", "  at b.rs", "b3", "a4", "a6", "b7", "a8", "late"]);
}

#[test]
fn logs_that_appear_in_a_directory_or_at_a_path_are_added() {
    let dir = Dir::new();
    fs::create_dir(dir.path().join("logs")).unwrap();
    let running = follow(&dir, &["logs", "later/x.log", "soon", "--format", "pretty", "--color", "always"]);
    running.until_noted("found no log in logs yet; waiting for one");
    running.until_noted("found no log at later/x.log yet; waiting for it");
    append(&dir.path().join("logs/a.log"), &line(1, "INFO", "alpha", "first"));
    running.until_printed("first");
    fs::create_dir(dir.path().join("later")).unwrap();
    append(&dir.path().join("later/x.log"), &line(2, "INFO", "beta", "second"));
    running.until_printed("second");
    fs::create_dir(dir.path().join("soon")).unwrap();
    append(&dir.path().join("soon/y.log"), &line(2, "INFO", "gamma", "in a directory"));
    running.until_printed("in a directory");
    append(&dir.path().join("logs/a.log"), &line(3, "INFO", "alpha", "third"));
    append(&dir.path().join("logs/b.log"), &line(4, "INFO", "beta", "fourth"));
    running.until_printed("third");
    running.until_printed("fourth");
    let (stdout, _, status) = running.interrupt();
    assert_eq!(status, 0);
    // Each service keeps its colour.
    let color = |name: &str| -> Vec<String> {
        let lines = stdout.lines().filter(|line| line.contains(name));
        lines.map(|line| line.split(name).next().unwrap().rsplit('\x1b').next().unwrap().to_owned()).collect()
    };
    let (alpha, beta) = (color("alpha"), color("beta"));
    assert!(
        alpha.len() == 2 && alpha[0] == alpha[1] && beta.len() == 2 && beta[0] == beta[1] && alpha[0] != beta[0],
        "{stdout}"
    );
}

/// A program writes and rotates while it is followed.
#[test]
fn a_program_that_rotates_fast_is_followed_without_a_gap() {
    let dir = Dir::new();
    dir.put("a.log", "");
    let running = follow(&dir, &["a.log", "--from-start"]);
    let file = RollingFile::new(dir.path().join("a.log")).rotate_bytes(4000).gzip();
    let (layer, guard) = spanline::builder().filter("info").output(Output::new(file)).build().unwrap();
    with_default(tracing_subscriber::registry().with(layer), || {
        for number in 0..2000 {
            tracing::info!(number, "counted");
            if number % 100 == 0 {
                std::thread::park_timeout(std::time::Duration::from_millis(20));
            }
        }
        tracing::info!("over");
    });
    guard.close().unwrap();
    running.until_printed("over");
    let (stdout, _, status) = running.interrupt();
    let numbers: Vec<u64> = stdout
        .lines()
        .filter_map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap()["number"].as_u64())
        .collect();
    assert_eq!((numbers, status), ((0..2000).collect(), 0));
}

#[test]
fn truncation_is_noted_and_removal_is_survived() {
    let dir = Dir::new();
    let path = dir.path().join("a.log");
    dir.put("a.log", "1\n2\n");
    let running = follow(&dir, &["a.log"]);
    running.until_printed("2\n");
    // No shorter than before.
    dir.put("a.log", "three, and more\n");
    running.until_printed("three, and more\n");
    running.until_noted("a.log was truncated; lines before that may be missing");
    fs::remove_file(&path).unwrap();
    append(&path, "four\n");
    running.until_printed("four\n");
    fs::rename(&path, dir.path().join("a.log.1")).unwrap();
    append(&path, "five\n");
    running.until_printed("five\n");
    let (stdout, _, status) = running.interrupt();
    assert_eq!((stdout.as_str(), status), ("1\n2\nthree, and more\nfour\nfive\n", 0));
}

/// A directory, or a link that leads nowhere, both at the start and later.
#[test]
fn what_cannot_be_read_for_a_while_is_reported_with_its_cause_and_followed_when_it_can() {
    let dir = Dir::new();
    let path = |name: &str| dir.path().join(name);
    dir.put("a.log", "1\n");
    fs::create_dir(path("b.log")).unwrap();
    std::os::unix::fs::symlink("c.log", path("c.log")).unwrap();
    let running = follow(&dir, &["a.log", "b.log", "c.log"]);
    running.until_printed("1\n");
    running.until_noted("Too many levels of symbolic links");
    fs::remove_dir(path("b.log")).unwrap();
    append(&path("b.log"), "was a directory\n");
    fs::remove_file(path("c.log")).unwrap();
    append(&path("c.log"), "was a link\n");
    running.until_printed("was a directory\n");
    running.until_printed("was a link\n");
    fs::rename(path("a.log"), path("kept")).unwrap();
    fs::create_dir(path("a.log")).unwrap();
    running.until_noted("a.log: expected a regular file, found a directory");
    fs::remove_dir(path("a.log")).unwrap();
    fs::rename(path("kept"), path("a.log")).unwrap();
    append(&path("a.log"), "2\n");
    running.until_printed("2\n");
    let (stdout, stderr, status) = running.interrupt();
    assert_eq!((stdout.matches("1\n").count(), status), (1, 1), "{stdout}");
    assert_eq!(stderr.matches("found a directory").count(), 1, "{stderr}");
    assert_eq!(stderr.matches("symbolic links").count(), 1, "{stderr}");
}

#[test]
fn a_long_line_is_cut_and_reported() {
    let dir = Dir::new();
    let long = "x".repeat(17 << 20) + "\n";
    dir.put("a.log", "1\n");
    let running = follow(&dir, &["a.log"]);
    running.until_printed("1\n");
    append(&dir.path().join("a.log"), &(long.clone() + "2\n"));
    running.until_printed("2\n");
    let (stdout, stderr, status) = running.interrupt();
    let lengths = |stdout: &str| stdout.lines().map(str::len).collect::<Vec<_>>();
    assert_eq!((lengths(&stdout), status), (vec![1, 1 << 20, 1], 0));
    assert!(stderr.contains("1 line was longer than 1 MiB; only its first MiB was read\n"), "{stderr}");

    let mut command = dir.command(&["follow", "-"]);
    command.stdin(Stdio::piped());
    let mut running = Running::start(command);
    running.stdin.as_mut().unwrap().write_all((long.clone() + "2\n" + long.trim_end()).as_bytes()).unwrap();
    let (stdout, stderr, status) = running.end();
    assert_eq!((lengths(&stdout), status), (vec![1 << 20, 1, 1 << 20], 0));
    assert!(stderr.contains("2 lines were longer than 1 MiB"), "{stderr}");
}

#[test]
fn what_arrived_on_stdin_before_a_signal_is_printed() {
    let dir = Dir::new();
    let mut command = dir.command(&["follow"]);
    command.stdin(Stdio::piped());
    let mut running = Running::start(command);
    let mut stdin = running.stdin.take().unwrap();
    stdin.write_all(b"first\n").unwrap();
    running.until_printed("first\n");
    running.signal_behind(|| stdin.write_all(b"second\nlast").unwrap(), Signal::TERM);
    let (stdout, _, status) = running.end();
    assert_eq!((stdout.as_str(), status), ("first\nsecond\nlast\n", 0));
}

#[test]
fn stdin_is_followed_to_its_end_also_without_a_last_newline() {
    let dir = Dir::new();
    for args in [&[][..], &["-"]] {
        let mut command = dir.command(&[&["follow"], args].concat());
        command.stdin(Stdio::piped());
        let mut running = Running::start(command);
        let mut stdin = running.stdin.take().unwrap();
        for text in ["first", "second"] {
            stdin.write_all(format!("{text}\n").as_bytes()).unwrap();
            running.until_printed(text);
        }
        stdin.write_all(b"torn").unwrap();
        drop(stdin);
        let (stdout, stderr, status) = running.end();
        assert_eq!((stdout.as_str(), status), ("first\nsecond\ntorn\n", 0));
        assert_eq!(stderr, "spanline: 3 lines were no records: 0 broken, 3 of plain text\n");
    }
}

#[test]
fn sigterm_ends_it_as_interrupt_does() {
    let dir = Dir::new();
    dir.put("a.log", "1\n");
    let running = follow(&dir, &["a.log"]);
    running.until_printed("1\n");
    running.signal(Signal::TERM);
    assert_eq!(running.end().2, 0);
}

/// Also while nothing is written.
#[test]
fn a_reader_of_stdout_that_goes_away_ends_it() {
    let dir = Dir::new();
    dir.put("a.log", "1\n");
    let mut child = dir.command(&["follow", "a.log"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut first = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut first).unwrap();
    assert_eq!(first, "1\n");
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0));
}

#[test]
fn mistakes_are_reported() {
    let dir = Dir::new();
    for (args, expected) in [
        (["--window", "soon"], "expected milliseconds or seconds such as 200ms or 2s, at most 60s; found \"soon\""),
        (["--where", "a &&"], "unknown sign `&&`; write `and`"),
    ] {
        let run = dir.run(&["follow", args[0], args[1]]);
        assert!(run.status == 2 && run.stderr.contains(expected), "{}", run.stderr);
    }
    fs::create_dir(dir.path().join("x.log")).unwrap();
    let run = dir.run(&["follow", "--", "/no/such/program"]);
    assert_eq!(run.stderr, "spanline: start /no/such/program: No such file or directory (os error 2)\n");
    assert_eq!((run.status, run.stdout), (127, failed("").stdout));
}

/// What a log contains does not control the terminal.
#[test]
fn hostile_lines_are_escaped() {
    let dir = Dir::new();
    dir.put(
        "a.log",
        "{\"level\":\"info\",\"message\":\"\\u001b[2J\\u202e\",\"service\":\"\\u001b]0;x\\u0007\"}\n\x1b[2J\n",
    );
    let running = follow(&dir, &["a.log", ".", "--format", "pretty", "--color", "never", "--limit", "2"]);
    let (stdout, _, status) = running.end();
    assert_eq!(status, 0);
    assert!(!stdout.contains(['\x1b', '\u{202e}', '\x07']) && stdout.contains("\\u{1b}[2J"), "{stdout}");
}

#[test]
fn each_record_of_a_request_of_otlp_is_a_line() {
    let dir = Dir::new();
    dir.put("a.json", format!("{REQUEST}\n"));
    let running = follow(&dir, &["a.json", "-n", "2", "--level", "warn", "--format", "logfmt"]);
    running.until_printed("low");
    append(&dir.path().join("a.json"), &format!("{}\n", REQUEST.replace("lost", "found")));
    running.until_printed("found");
    let (stdout, stderr, status) = running.interrupt();
    let levels: Vec<_> =
        stdout.lines().filter_map(|line| line.split(' ').find(|pair| pair.starts_with("level="))).collect();
    assert_eq!(levels, ["level=error", "level=warn", "level=error", "level=warn"], "{stdout}");
    assert_eq!((stderr.as_str(), status), ("", 0));
    // As a pipe, without a newline at its end.
    let mut piped = dir.command(&["stats", "--follow", "--json", "-"]);
    let mut running = {
        piped.stdin(Stdio::piped());
        Running::start(piped)
    };
    running.stdin.take().unwrap().write_all(REQUEST.as_bytes()).unwrap();
    let (stdout, stderr, status) = running.end();
    let answer: serde_json::Value = serde_json::from_str(stdout.lines().last().unwrap()).unwrap();
    assert_eq!((&answer["lines"], &answer["services"]["orders"]["error"]), (&3.into(), &1.into()), "{answer} {stderr}");
    assert_eq!(status, 0);
}

#[test]
fn the_last_lines_are_read_as_the_file_is() {
    let dir = Dir::new();
    // The first line alone says that the others are pairs, too.
    let pairs: String = (0..10).map(|order| format!("order={order} status=500\n")).collect();
    dir.put("a.log", format!("level=info msg=start\n{pairs}"));
    let running = follow(&dir, &["a.log", "-n", "5", "--where", "status = 500"]);
    running.until_printed("order=9");
    let (stdout, stderr, status) = running.interrupt();
    assert_eq!((stdout.lines().count(), stderr.as_str(), status), (5, "", 0), "{stdout}");
}

#[test]
fn a_torn_line_of_long_ago_does_not_end_the_last_lines() {
    let dir = Dir::new();
    dir.put("a.log.1", "{\"message\":\"torn");
    let old = std::time::SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(1_795_169_738);
    fs::File::options().append(true).open(dir.path().join("a.log.1")).unwrap().set_modified(old).unwrap();
    dir.put("a.log", (0..30).map(|second| line(second, "INFO", "a", &format!("old {second}."))).collect::<String>());
    let running = follow(&dir, &["a.log", "-n", "3"]);
    running.until_printed("old 29.");
    let (stdout, _, status) = running.interrupt();
    assert_eq!((stdout.lines().count(), status), (3, 0), "{stdout}");
}
