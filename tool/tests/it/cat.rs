//! `spanline cat`: order, compressed segments, a closed pipe, missing files.

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Write};
use std::process::Stdio;

use spanline::{Output, RollingFile};

use crate::{Dir, done, failed, printed};

const OLD: &str = "orders.2026-11-19T101538-000041.log";
const NEW: &str = "orders.2026-11-20T101538-000042.log";

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

#[test]
fn a_file_that_several_paths_lead_to_is_printed_once() {
    let dir = Dir::new();
    dir.put(OLD, "1\n");
    dir.put(NEW, "2\n");
    dir.put("orders.log", "3\n");
    // As the shell expands `orders*`.
    assert_eq!(dir.run(&["cat", OLD, NEW, "orders.log"]), printed("1\n2\n3\n"));
    let absolute = dir.path().join(NEW);
    assert_eq!(dir.run(&["cat", "orders.log", "./orders.log", absolute.to_str().unwrap()]), printed("1\n2\n3\n"));
}

#[test]
fn a_dash_stands_for_stdin() {
    let dir = Dir::new();
    dir.put("input", "2\ntorn");
    dir.put("orders.log", "1\n");
    dir.put("stock.log", "3\n");
    let input = File::open(dir.path().join("input")).unwrap();
    let output = dir.command(&["cat", "orders.log", "-", "stock.log"]).stdin(input).output().unwrap();
    assert_eq!(done(output), printed("1\n2\ntorn\n3\n"));
    #[cfg(target_os = "linux")]
    {
        let directory = File::open(dir.path()).unwrap();
        let run = done(dir.command(&["cat", "-"]).stdin(directory).output().unwrap());
        assert_eq!(run, failed("spanline: read stdin: Is a directory (os error 21)\n"));
    }
}

/// Compressed, and read by a process with little memory.
#[cfg(target_os = "linux")]
#[test]
fn a_line_of_100_mb_is_printed_whole_with_little_memory() {
    let dir = Dir::new();
    let mut packed = Vec::new();
    let line = vec![b'x'; 1_000_000];
    let mut encoder = flate2::write::GzEncoder::new(&mut packed, flate2::Compression::fast());
    (0..100).for_each(|_| encoder.write_all(&line).unwrap());
    encoder.write_all(b"\n2\n").unwrap();
    encoder.finish().unwrap();
    dir.put("long.log.gz", packed);
    let script = "ulimit -v 60000; exec \"$0\" cat long.log.gz";
    let mut command = std::process::Command::new("sh");
    let command = command.args(["-c", script, env!("CARGO_BIN_EXE_spanline")]).current_dir(dir.path());
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut reader = BufReader::new(child.stdout.take().unwrap());
    let mut lines = Vec::new();
    let mut line = Vec::new();
    while reader.read_until(b'\n', &mut line).unwrap() > 0 {
        lines.push(line.len());
        line.clear();
    }
    assert_eq!(lines, [100_000_001, 2]);
    assert_eq!(done(child.wait_with_output().unwrap()), printed(""));
}

#[test]
fn a_damaged_file_is_printed_up_to_the_damage_and_fails() {
    let dir = Dir::new();
    let pack = |bytes: &[u8]| {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    };
    let mut packed = pack(b"1\n2\n");
    packed.truncate(packed.len() - 6);
    dir.put(&format!("{OLD}.gz"), packed);
    let mut packed = zstd::encode_all(&b"3\n4\n"[..], 3).unwrap();
    packed.truncate(packed.len() - 1);
    dir.put(&format!("{NEW}.zst"), [zstd::encode_all(&b"3\n"[..], 3).unwrap(), packed].concat());
    dir.put("orders.log", "5\n");
    let run = dir.run(&["cat", "orders.log"]);
    assert_eq!(run.status, 1);
    assert!(run.stdout.starts_with("1\n2\n3\n") && run.stdout.ends_with("5\n"), "{}", run.stdout);
    let lines: Vec<_> = run.stderr.lines().collect();
    assert_eq!(lines.len(), 2, "{}", run.stderr);
    for (line, (name, compression)) in lines.iter().zip([(format!("{OLD}.gz"), "gzip"), (format!("{NEW}.zst"), "zstd")])
    {
        let expected = format!("spanline: read {name}: expected {compression} data, found damage or an early end (");
        assert!(line.starts_with(&expected) && line.ends_with("the lines before it were read"), "{line}");
    }
}

/// The first segment fills the pipe, so that the second one is opened after it was removed.
#[test]
fn a_file_that_vanishes_while_the_log_is_printed_is_reported() {
    let dir = Dir::new();
    let first = "1\n".repeat(1 << 20);
    dir.put(OLD, &first);
    dir.put(NEW, "2\n");
    dir.put("orders.log", "3\n");
    let mut child = dir.command(&["cat", "orders.log"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut output = BufReader::with_capacity(16, child.stdout.take().unwrap());
    let mut text = String::new();
    output.read_line(&mut text).unwrap();
    fs::remove_file(dir.path().join(NEW)).unwrap();
    std::io::Read::read_to_string(&mut output, &mut text).unwrap();
    assert!(text == first + "3\n", "{} bytes", text.len());
    let expected = format!("spanline: open {NEW}: it was removed after it was listed; its lines are missing here\n");
    assert_eq!(done(child.wait_with_output().unwrap()), failed(&expected));
}

/// The same, but compressed and not removed.
#[test]
fn a_file_that_is_compressed_while_the_log_is_printed_is_printed_once() {
    let dir = Dir::new();
    let first = "1\n".repeat(1 << 20);
    dir.put(OLD, &first);
    dir.put(NEW, "2\n");
    dir.put("orders.log", "3\n");
    let mut child = dir.command(&["cat", "orders.log"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut output = BufReader::with_capacity(16, child.stdout.take().unwrap());
    let mut text = String::new();
    output.read_line(&mut text).unwrap();
    for name in [OLD, NEW] {
        let path = dir.path().join(name);
        dir.put(&format!("{name}.zst"), zstd::encode_all(&fs::read(&path).unwrap()[..], 3).unwrap());
        fs::remove_file(path).unwrap();
    }
    std::io::Read::read_to_string(&mut output, &mut text).unwrap();
    assert!(text == first + "2\n3\n", "{} bytes", text.len());
    assert_eq!(done(child.wait_with_output().unwrap()), printed(""));
}

#[cfg(target_os = "linux")]
#[test]
fn what_is_no_file_or_cannot_be_read_fails_with_its_path() {
    let dir = Dir::new();
    assert!(std::process::Command::new("mkfifo").arg(dir.path().join("fifo")).status().unwrap().success());
    for path in ["fifo", "/dev/null"] {
        let expected = "expected a log's active file, found a FIFO, a socket or a device; pass the path of a log";
        for command in ["cat", "ls"] {
            assert_eq!(dir.run(&[command, path]), failed(&format!("spanline: open {path}: {expected}\n")));
        }
    }
    let run = dir.run(&["cat", "/proc/self/mem"]);
    assert_eq!(run, failed("spanline: read /proc/self/mem: Input/output error (os error 5)\n"));
    dir.put("orders.log", "");
    let run = dir.run(&["cat", "orders.log/"]);
    assert_eq!(run, failed("spanline: open orders.log/: Not a directory (os error 20)\n"));
    assert_eq!(dir.run(&["cat", "orders.log"]), printed(""));
}
