//! `spanline cat`: order, compressed segments, a closed pipe, missing files.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::process::Stdio;

use spanline::{Output, RollingFile};

use crate::{Dir, done, failed, printed};

const OLD: &str = "orders.20261119T101538Z-000041.log";
const NEW: &str = "orders.20261120T101538Z-000042.log";

#[test]
fn the_lines_of_a_rotated_log_are_printed_in_the_order_written() {
    let dir = Dir::new();
    let file = RollingFile::new(dir.path().join("orders.log")).rotate_bytes(2000).gzip();
    let guard = spanline::builder().filter("info").filter_variable(None).output(Output::new(file)).init().unwrap();
    for number in 0..200 {
        tracing::info!(number);
    }
    guard.close().unwrap();
    let listed = dir.run(&["ls", "orders.log"]).stdout;
    assert!(listed.matches("  gzip   ").count() > 5, "{listed}");
    let done = dir.run(&["cat", "orders.log"]);
    assert_eq!((done.status, done.stderr.as_str()), (0, ""));
    let lines: Vec<_> = done.stdout.lines().collect();
    assert_eq!(lines.len(), 200);
    for (number, line) in lines.iter().enumerate() {
        assert!(line.contains(&format!("\"number\":{number}")), "{line}");
    }
}

#[test]
fn lines_are_printed_as_they_are() {
    let dir = Dir::new();
    let bytes = b"\xff\0\r\n\x1b[2J\n\n{}\ntorn";
    dir.put("orders.log", bytes);
    assert_eq!(dir.command(&["cat", "orders.log"]).output().unwrap().stdout, bytes);
}

#[test]
fn a_torn_line_is_not_continued_by_the_next_file() {
    let dir = Dir::new();
    dir.put(OLD, "1\ntorn");
    dir.put(NEW, "");
    dir.put("orders.log", format!("2\n{}", "x".repeat(200_000)));
    dir.put("stock.log", "3\n");
    let expected = format!("1\ntorn\n2\n{}\n3\n", "x".repeat(200_000));
    assert_eq!(dir.run(&["cat", "orders.log", "stock.log"]), printed(&expected));
}

#[test]
fn what_cannot_be_read_fails_and_the_rest_is_printed() {
    let dir = Dir::new();
    dir.put(&format!("{OLD}.gz"), "not gzip");
    dir.put(NEW, "1\n");
    dir.put("orders.log", "2\n");
    let run = dir.run(&["cat", "missing.log", "orders.log"]);
    assert_eq!((run.status, run.stdout.as_str()), (1, "1\n2\n"));
    let lines: Vec<_> = run.stderr.lines().collect();
    assert_eq!(lines.len(), 2, "{}", run.stderr);
    assert!(lines[0].starts_with("spanline: open missing.log: found neither this file"), "{}", lines[0]);
    assert!(lines[1].starts_with(&format!("spanline: read {OLD}.gz: ")), "{}", lines[1]);
}

#[test]
fn a_directory_is_refused() {
    let expected =
        "spanline: open .: expected a log's active file, found a directory; pass the path of one log in it\n";
    assert_eq!(Dir::new().run(&["cat", "."]), failed(expected));
}

#[test]
fn a_reader_that_stops_early_is_no_failure() {
    let dir = Dir::new();
    dir.put("orders.log", "{\"a\":1}\n".repeat(200_000));
    let mut child = dir.command(&["cat", "orders.log"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut first = String::new();
    BufReader::with_capacity(16, child.stdout.take().unwrap()).read_line(&mut first).unwrap();
    assert_eq!(first, "{\"a\":1}\n");
    assert_eq!(done(child.wait_with_output().unwrap()), printed(""));
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_is_a_failure() {
    let dir = Dir::new();
    dir.put("orders.log", "1\n");
    let full = File::options().write(true).open("/dev/full").unwrap();
    let output = dir.command(&["cat", "orders.log"]).stdout(full).output().unwrap();
    let run = done(output);
    assert_eq!(run.status, 1);
    assert!(run.stderr.starts_with("spanline: write to stdout: "), "{}", run.stderr);
}
