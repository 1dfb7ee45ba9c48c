//! Runs the example as a user would and checks every line that it logs. The parser is that of the library's own tests.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::panic)]

mod destinations;
mod requests;
#[path = "../../../../tests/it/support/strict.rs"]
mod strict;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use serde_json::Value;

use requests::{check, spans, text};

const LEVELS: [&str; 4] = ["DEBUG", "INFO", "WARN", "ERROR"];

/// Seconds after which a run hangs. It takes few.
const DEADLINE: &str = "120";

struct Ran {
    status: Option<i32>,
    stdout: String,
    stderr: String,
}

fn command(script: &str, directory: &Path) -> Command {
    let mut command = Command::new("timeout");
    command.args([DEADLINE, "bash", "-o", "pipefail", "-c", script, env!("CARGO_BIN_EXE_orders")]);
    command.current_dir(directory).env_remove("CLICOLOR_FORCE").stdin(Stdio::null());
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

#[track_caller]
fn finish(child: Child) -> Ran {
    let output = child.wait_with_output().unwrap();
    let [stdout, stderr] = [output.stdout, output.stderr].map(|text| String::from_utf8(text).unwrap());
    assert!(!stderr.contains("panicked"), "{stderr}");
    Ran { status: output.status.code(), stdout, stderr }
}

/// Runs a script in which `$0` is the example.
#[track_caller]
fn run(script: &str, directory: &Path) -> Ran {
    finish(command(script, directory).spawn().unwrap())
}

#[track_caller]
fn lines(text: &str) -> Vec<String> {
    assert!(text.is_empty() || text.ends_with('\n'), "torn: {text:?}");
    text.lines().map(str::to_owned).collect()
}

fn sorted(lines: &[String]) -> Vec<&String> {
    let mut lines: Vec<_> = lines.iter().collect();
    lines.sort();
    lines
}

/// The lines of a run in the files of the log, and the number of closed segments with such lines.
fn in_files(directory: &Path, run: Option<&str>) -> (Vec<String>, usize) {
    let mut closed: Vec<PathBuf> = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()).collect();
    closed.retain(|path| path.file_name().unwrap().to_str().unwrap().starts_with("orders.2"));
    closed.sort();
    let of_run = |path: &PathBuf| {
        let mut lines = lines(&fs::read_to_string(path).unwrap());
        lines.retain(|line| run.is_none_or(|run| strict::line(line)["run"] == run));
        lines
    };
    let closed: Vec<_> = closed.iter().map(of_run).filter(|lines| !lines.is_empty()).collect();
    let (made, mut all) = (closed.len(), closed.concat());
    all.extend(of_run(&directory.join("orders.log")));
    (all, made)
}

#[track_caller]
fn check_summary(summary: &str, requests: usize, lines: &[String], made: usize) {
    assert!(summary.contains(&format!("requests: {requests}")), "{summary}");
    let failed = lines.iter().filter(|line| line.contains("\"message\":\"placing\"")).count() as u64;
    for output in ["stdout", "file"] {
        let head = format!("{output}: {} lines written, 0 dropped, ", lines.len());
        let counts = summary.lines().find_map(|line| line.strip_prefix(&head)).unwrap_or_else(|| panic!("{summary}"));
        let [held, redacted] = numbers(counts)[..] else { panic!("{summary}") };
        // The token is in the headers, the card's number in the order.
        assert!(redacted >= 2 * failed && (requests == 0 || held > 0), "{summary}");
    }
    let read = format!("read back: {} lines of {requests} requests, {made} segments made\n", lines.len());
    assert!(summary.contains(&read), "{read:?} expected in {summary}");
    let Some((_, sample)) = summary.split_once("\nrequest_id ") else { return assert_eq!(requests, 0, "{summary}") };
    let (head, shown) = sample.split_once('\n').unwrap();
    let mut words = head.split([',', ':', ' ']).filter(|word| !word.is_empty());
    let (id, trace) = (words.next().unwrap(), words.nth(1).unwrap());
    let mut events: Vec<Value> = lines.iter().map(|line| strict::line(line)).collect();
    events.retain(|event| event["request_id"] == id);
    events.sort_by_key(|event| text(event, "timestamp").to_owned());
    assert!(events.iter().all(|event| event["trace_id"] == trace), "{summary}");
    let mut services: Vec<(&str, usize)> = Vec::new();
    for service in events.iter().map(|event| text(event, "service")) {
        match services.iter_mut().find(|(of, _)| *of == service) {
            Some((_, count)) => *count += 1,
            None => services.push((service, 1)),
        }
    }
    let counts: Vec<_> = services.iter().map(|(service, count)| format!("{count} of {service}")).collect();
    assert!(head.ends_with(&format!(": {}", counts.join(", "))), "{summary}");
    // One in forty fails, in the last of the three services.
    assert!(requests < 40 || (services.len() == 3 && events.last().unwrap()["status"] == 503), "{summary}");
    let words = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    let rows = events.iter().map(|event| {
        let time = &text(event, "timestamp")[11..26];
        let [service, level, message] = ["service", "level", "message"].map(|key| text(event, key));
        words(&format!("{time} {service} {level} {} {message}", spans(event).join(" > ")))
    });
    assert_eq!(shown.lines().map(words).collect::<Vec<_>>(), rows.collect::<Vec<_>>(), "{summary}");
}

fn numbers(text: &str) -> Vec<u64> {
    text.split(|char: char| !char.is_ascii_digit()).filter_map(|number| number.parse().ok()).collect()
}

#[test]
fn stdout_and_file_have_the_same_lines_and_the_summary_agrees() {
    let directory = tempfile::tempdir().unwrap();
    let ran = run("\"$0\"", directory.path());
    assert_eq!(ran.status, Some(0), "{}", ran.stderr);
    let lines = lines(&ran.stdout);
    check(&lines, 400, None);
    let (file, made) = in_files(&directory.path().join("logs"), None);
    check(&file, 400, None);
    assert_eq!(sorted(&file), sorted(&lines));
    assert!(made >= 2, "{made} segments");
    check_summary(&ran.stderr, 400, &file, made);
    let levels: BTreeSet<_> = lines.iter().map(|line| text(&strict::line(line), "level").to_owned()).collect();
    assert_eq!(levels.len(), LEVELS.len(), "{levels:?}");
}

#[test]
fn runs_of_odd_sizes_in_one_directory_count_only_their_own_lines() {
    let directory = tempfile::tempdir().unwrap();
    for (requests, concurrency) in [(0, 1), (1, 1), (7, 3), (333, 1000), (1001, 17)] {
        let script = format!("\"$0\" --requests {requests} --concurrency {concurrency} --log-dir a/b");
        let ran = run(&script, directory.path());
        assert_eq!(ran.status, Some(0), "{}", ran.stderr);
        let lines = lines(&ran.stdout);
        let of_run = check(&lines, requests, None);
        let (file, made) = in_files(&directory.path().join("a/b"), Some(&of_run));
        check(&file, requests, None);
        assert_eq!(sorted(&file), sorted(&lines));
        check_summary(&ran.stderr, requests, &file, made);
    }
}

#[test]
fn a_closed_or_full_stdout_leaves_the_file_complete() {
    for (script, status) in [("\"$0\" | head -1", 0), ("\"$0\" >&-", 0), ("\"$0\" >/dev/full", 1)] {
        let directory = tempfile::tempdir().unwrap();
        let ran = run(script, directory.path());
        assert_eq!(ran.status, Some(status), "{script}: {}", ran.stderr);
        let (file, _) = in_files(&directory.path().join("logs"), None);
        check(&file, 400, None);
        let stdout = ran.stderr.lines().find(|line| line.starts_with("stdout: ")).unwrap();
        match script {
            "\"$0\" | head -1" => {
                assert_eq!(lines(&ran.stdout).len(), 1);
                assert!(ran.stderr.contains(&format!("file: {} lines written, 0 dropped,", file.len())));
                assert!(stdout.contains(" (closed: "), "{stdout}");
            }
            "\"$0\" >/dev/full" => {
                let count = file.len();
                let lost = format!("stdout: 0 lines written, {count} dropped (shutdown: {count}),");
                assert!(stdout.starts_with(&lost), "{stdout}");
            }
            _ => {}
        }
    }
}

#[test]
fn a_reader_that_starts_late_gets_every_line() {
    let directory = tempfile::tempdir().unwrap();
    let mut child = command("exec \"$0\"", directory.path()).spawn().unwrap();
    let last = "\"message\":\"stopped\",\"service\":\"warehouse\"";
    let file = directory.path().join("logs/orders.log");
    while !fs::read_to_string(&file).is_ok_and(|text| text.contains(last)) {
        assert_eq!(child.try_wait().unwrap(), None, "it ended although nobody read its stdout");
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    let ran = finish(child);
    assert_eq!(ran.status, Some(0), "{}", ran.stderr);
    check(&lines(&ran.stdout), 400, None);
    assert!(!ran.stderr.contains("dropped ("), "{}", ran.stderr);
}

/// What identifies an event in a line of any schema.
fn marks(schema: &str, event: &Value) -> Vec<String> {
    let time = text(event, "timestamp");
    let mut marks: Vec<_> = ["message", "service"].map(|key| text(event, key).to_owned()).to_vec();
    marks.push(match schema {
        "otel" | "gelf" | "splunk" => time[20..26].to_owned(),
        "pino" => time[20..23].to_owned(),
        // The hours of a console are local.
        _ => time[17..26].to_owned(),
    });
    marks.push(match (schema, text(event, "level")) {
        ("bunyan" | "pino", level) => {
            format!("\"level\":{}", 10 * (2 + LEVELS.iter().position(|of| *of == level).unwrap()))
        }
        ("gelf", level) => {
            let number = ["ERROR", "WARN", "INFO"].iter().position(|of| *of == level).map_or(7, |at| [3, 4, 6][at]);
            format!("\"level\":{number}")
        }
        (_, level) => level.to_owned(),
    });
    let is_console = ["console", "compact", "pretty"].contains(&schema);
    let ids = if is_console { &["request_id"][..] } else { &["request_id", "trace_id", "span_id"] };
    marks.extend(ids.iter().filter_map(|key| Some((*key, event[key].as_str()?))).map(|(key, id)| {
        match (schema, key) {
            ("datadog", "span_id") => u64::from_str_radix(id, 16).unwrap().to_string(),
            _ => id.to_owned(),
        }
    }));
    marks.iter().map(|mark| mark.to_lowercase()).collect()
}

/// That each schema follows its own rules is shown by the library's tests; here it has to show the same events.
#[test]
fn each_schema_writes_the_events_of_the_file() {
    let directory = tempfile::tempdir().unwrap();
    let told = run("\"$0\" --schema none", directory.path()).stderr;
    let names = told.split_once("[possible values: ").unwrap().1.split_once(']').unwrap().0;
    assert_eq!(names, spanline::schema::NAMES.join(", "));
    for name in names.split(", ") {
        let script = format!("\"$0\" --schema {name} --requests 40 --concurrency 8 --log-dir {name}");
        let ran = run(&script, directory.path());
        assert_eq!(ran.status, Some(0), "{name}: {}", ran.stderr);
        let (file, made) = in_files(&directory.path().join(name), None);
        check(&file, 40, None);
        check_summary(&ran.stderr, 40, &file, made);
        // Only `pretty` has further lines of an event, which are indented.
        let mut lines = lines(&ran.stdout.replace("\n ", " "));
        requests::show_no_secrets(&lines);
        assert_eq!(lines.iter().filter(|line| line.contains("connection reset")).count(), 1, "{name}: the root cause");
        for line in &lines {
            match line.starts_with('{') {
                true => drop(strict::line(line)),
                false => assert!(!line.chars().any(strict::is_unsafe), "{name}: {line:?}"),
            }
        }
        assert_eq!(lines.len(), file.len(), "{name}");
        for event in file.iter().map(|line| strict::line(line)) {
            let marks = marks(name, &event);
            let at = lines.iter().position(|line| marks.iter().all(|mark| line.to_lowercase().contains(mark)));
            lines.remove(at.unwrap_or_else(|| panic!("{name}: no line with {marks:?}")));
        }
    }
}

fn interrupt(child: &Child) {
    assert!(Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap().success());
}

#[test]
fn serve_answers_in_the_clients_trace_until_ctrl_c() {
    let (id, trace, span) =
        ("0c9a4b52-0000-4000-8000-00000000000a", "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7");
    let directory = tempfile::tempdir().unwrap();
    let mut child = command("exec \"$0\" --serve --requests 0", directory.path()).spawn().unwrap();
    let mut said = BufReader::new(child.stderr.take().unwrap());
    let mut line = String::new();
    said.read_line(&mut line).unwrap();
    let address = line.split("http://").nth(1).unwrap().split('/').next().unwrap();
    let mut stream = TcpStream::connect(address).unwrap();
    let headers =
        format!("host: orders\r\nconnection: close\r\nx-request-id: {id}\r\ntraceparent: 00-{trace}-{span}-01");
    stream.write_all(format!("GET /orders/7 HTTP/1.1\r\n{headers}\r\n\r\n").as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200") && answer.contains(&format!("x-request-id: {id}")), "{answer}");
    interrupt(&child);
    let ran = finish(child);
    said.read_to_string(&mut line).unwrap();
    assert!(ran.status == Some(0) && !line.contains("panicked"), "{line}");
    let lines = lines(&ran.stdout);
    check(&lines, 1, Some(span));
    let in_request = lines.iter().map(|line| strict::line(line)).filter(|event| event.get("request_id").is_some());
    assert!(in_request.into_iter().all(|event| event["request_id"] == id && event["trace_id"] == trace));
    let (file, _) = in_files(&directory.path().join("logs"), None);
    assert_eq!(sorted(&file), sorted(&lines));
}

/// Adds up the books that `--chaos` reports.
fn check_chaos(told: &str) {
    assert!(!told.contains("WRONG") && told.ends_with("all books balance\n"), "{told}");
    let balanced: Vec<&str> = told.lines().filter(|line| line.ends_with(": balanced")).collect();
    let (killed, books): (Vec<&str>, Vec<&str>) =
        balanced.into_iter().partition(|line| line.contains("lost with the process"));
    assert_eq!((books.len(), killed.len()), (9, 2), "{told}");
    let mut reasons = BTreeMap::<&str, BTreeSet<&str>>::new();
    for line in books {
        let (output, rest) = line.trim().split_once(": emitted ").unwrap();
        let (counts, found) = rest.split_once("; found ").unwrap();
        let (counts, why) = counts.split_once(" (").unwrap_or((counts, ""));
        let ([emitted, written, dropped], [found, torn, ..]) = (&numbers(counts)[..], &numbers(found)[..]) else {
            panic!("{line}")
        };
        assert_eq!(*emitted, written + dropped, "{line}");
        assert_eq!(numbers(why).iter().sum::<u64>(), *dropped, "{line}");
        assert!(found == written || why.contains("closed"), "{line}");
        assert_eq!(*torn, u64::from(output == "orders.log started again"), "{line}");
        let names = why.split(", ").filter_map(|why| why.split(' ').next()).filter(|why| !why.is_empty());
        reasons.entry(output.split(' ').next().unwrap()).or_default().extend(names);
    }
    // What must have happened at least.
    for (output, why) in [("orders.log", &["shed"][..]), ("stdout", &["closed", "shed", "shutdown"])] {
        assert!(why.iter().all(|why| reasons[output].contains(why)), "{output}: {reasons:?}");
    }
    let audit = killed.iter().find(|line| line.trim().starts_with("audit.log: ")).unwrap();
    assert!(audit.contains(", 0 lost with the process"), "a synchronous output: {audit}");
    for complaint in ["output stdout: write to stdout: Broken pipe", "lines were not written in time"] {
        assert_eq!(told.matches(complaint).count(), 1, "{complaint}: {told}");
    }
}

#[test]
fn the_books_balance_in_chaos_also_without_mounts() {
    let directory = tempfile::tempdir().unwrap();
    let refuse =
        "mkdir tmp bin; printf '#!/bin/sh\\nexit 1\\n' >bin/unshare; chmod +x bin/unshare; export TMPDIR=$PWD/tmp";
    assert_eq!(run(refuse, directory.path()).status, Some(0));
    let chaos = "export TMPDIR=$PWD/tmp; exec \"$0\" --chaos";
    let without_mounts = format!("PATH=$PWD/bin:$PATH; {chaos}");
    for (script, mounts) in [(chaos, true), (&without_mounts, false)] {
        let ran = run(script, directory.path());
        assert_eq!((ran.status, ran.stdout.as_str()), (Some(0), ""), "{}", ran.stderr);
        let tmpfs = mounts && ran.stderr.contains("a small tmpfs");
        let full = if tmpfs { "No space left" } else { "File too large" };
        assert_eq!(ran.stderr.matches(full).count(), 2, "{}", ran.stderr);
        check_chaos(&ran.stderr);
    }
    let mut child = command(&without_mounts, directory.path()).spawn().unwrap();
    // The second line is the first scenario's, which is then under way.
    let mut said = BufReader::new(child.stderr.take().unwrap());
    assert!((0..2).all(|_| said.read_line(&mut String::new()).unwrap() > 0));
    interrupt(&child);
    said.read_to_string(&mut String::new()).unwrap();
    assert_eq!(finish(child).status, Some(130));
    assert_eq!(fs::read_dir(directory.path().join("tmp")).unwrap().count(), 0, "nothing is left behind");
}

#[test]
fn bad_arguments_are_errors_that_make_no_file() {
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("taken"), "").unwrap();
    for (args, status, message) in [
        ("--requests many", 2, "error: invalid value 'many' for '--requests <N>'"),
        ("--requests -1", 2, "error: "),
        ("--concurrency 0", 2, "error: invalid value '0' for '--concurrency <C>'"),
        ("--schema xml", 2, "error: invalid value 'xml' for '--schema <NAME>'"),
        ("--schema Flat", 2, "error: invalid value 'Flat' for '--schema <NAME>'"),
        ("--log-dir", 2, "error: a value is required for '--log-dir <DIR>'"),
        ("--colour", 2, "error: unexpected argument '--colour'"),
        ("more", 2, "error: unexpected argument 'more'"),
        ("--log-dir taken", 1, "taken/orders.log"),
        ("--chaos --serve", 2, "error: the argument '--chaos' cannot be used with '--serve'"),
        ("--chaos --schema ecs", 2, "error: the argument '--chaos' cannot be used with '--schema <NAME>'"),
        ("--chaos --requests 1", 2, "error: the argument '--chaos' cannot be used with '--requests <N>'"),
    ] {
        let ran = run(&format!("\"$0\" {args}"), directory.path());
        assert_eq!((ran.status, ran.stdout.as_str()), (Some(status), ""), "{args}: {}", ran.stderr);
        assert!(ran.stderr.contains(message), "{args}: {}", ran.stderr);
    }
    assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1, "nothing but the file that was there");
}
