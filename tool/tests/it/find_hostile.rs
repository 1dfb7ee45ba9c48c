//! `spanline find`: input that is damaged, or made to harm.

use std::io::Write;

use crate::{Dir, Done, done};

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// The same bytes on every run, of all values.
fn garbage(count: usize) -> Vec<u8> {
    let mut state = 1_u32;
    let mut next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 24) as u8
    };
    (0..count).map(|_| next()).collect()
}

#[test]
fn garbage_passes_through_and_is_counted() {
    let dir = Dir::new();
    let garbage = garbage(300_000);
    let line = b"\n{\"level\":\"ERROR\",\"message\":\"found\"}\n";
    dir.put("x.log", [&garbage[..], line, &garbage, b"\n"].concat());
    let count = garbage.split(|byte| *byte == b'\n').count() * 2;
    let output = dir.command(&["find", "x.log"]).output().unwrap();
    assert_eq!(output.stdout, [&garbage[..], line, &garbage, b"\n"].concat());
    let note = String::from_utf8(output.stderr).unwrap();
    assert!(note.starts_with(&format!("spanline: {count} lines were no records: ")), "{note}");
    for format in ["json", "pretty", "logfmt"] {
        let run = done(dir.command(&["find", "x.log", "--format", format]).output().unwrap());
        assert_eq!((run.status, run.stdout.lines().count()), (0, count + 1), "{format}");
        assert!(!run.stdout.chars().any(|char| char.is_control() && char != '\n'), "{format}");
    }
    let run = dir.run(&["find", "x.log", "--level", "trace", "--count"]);
    assert_eq!((run.status, run.stdout.as_str()), (0, "1\n"));
}

#[test]
fn long_and_deep_lines_are_searched() {
    let dir = Dir::new();
    let long = format!("{{\"message\":\"{}\",\"level\":\"WARN\"}}", "x\\\"{".repeat(1 << 17));
    let deep = format!("{{\"a\":{}1{},\"level\":\"WARN\"}}", "[".repeat(120), "]".repeat(120));
    let too_deep = format!("{{\"a\":{},\"level\":\"WARN\"}}", "[".repeat(1 << 19));
    let many =
        format!("{{{}\"level\":\"WARN\"}}", (0..50_000).map(|at| format!("\"k{at}\":{at},")).collect::<String>());
    dir.put("x.log", [&long, &deep, &too_deep, &many].map(|line| format!("{line}\n")).concat());
    let run = dir.run(&["find", "x.log", "--level", "warn"]);
    assert_eq!(run.stdout, format!("{long}\n{deep}\n{many}\n"));
    assert_eq!(run.stderr, "spanline: 1 line was no record: 1 broken, 0 of plain text\n");
    for format in ["json", "pretty", "logfmt"] {
        assert_eq!(dir.run(&["find", "x.log", "--format", format]).stdout.lines().count(), 4, "{format}");
    }
    assert_eq!(dir.run(&["find", "x.log", "--where", "k49999 = 49999", "--count"]).stdout, "1\n");
}

/// A number, a text or an object that is cut is no member.
#[test]
fn a_line_above_a_mebibyte_counts_by_its_first_mebibyte() {
    const LIMIT: usize = 1 << 20;
    let dir = Dir::new();
    let text = format!("{{\"level\":\"WARN\",\"at\":1,\"text\":\"{}\",\"behind\":2}}", "x".repeat(LIMIT));
    let before = format!("{{\"level\":\"WARN\",\"pad\":\"{}\",\"at\":", "x".repeat(LIMIT - 60));
    let number = format!("{before}{}}}", "1".repeat(100));
    let nothing = format!("{{\"text\":\"{}\"}}", "x".repeat(LIMIT));
    let pairs = format!("level=warn at=1 msg=\"{}\" behind=2", "x".repeat(LIMIT));
    let parts = format!("1795169738 | WARN | {} | orders | t", "x".repeat(LIMIT));
    let whole = format!("{{\"level\":\"WARN\",\"whole\":\"{}\"}}", "x".repeat(LIMIT - 27));
    assert_eq!((whole.len(), before.len() < LIMIT), (LIMIT, true));
    let lines = [&text, &number, &nothing, &pairs, &parts, &whole].map(|line| format!("{line}\n")).concat();
    dir.put("x.log", &lines);
    let stderr = "spanline: 2 lines were no records: 2 broken, 0 of plain text\n\
                  spanline: 5 lines were longer than 1 MiB; only their first MiB was read\n";
    let expected = |stdout: &str| Done { stdout: stdout.to_owned(), stderr: stderr.to_owned(), status: 0 };
    for (expression, count) in [("level = warn", 4), ("has at", 2), ("at = 1", 2), ("has behind or has text", 0)] {
        let args = ["find", "--count", "--where", expression];
        let printed = Done { status: i32::from(count == 0), ..expected(&format!("{count}\n")) };
        assert_eq!(dir.run(&[&args[..], &["x.log"]].concat()), printed, "{expression}");
        let input = std::fs::File::open(dir.path().join("x.log")).unwrap();
        assert_eq!(done(dir.command(&args).stdin(input).output().unwrap()), printed, "{expression}");
    }
    // Each is printed as far as it was read, also as a neighbour.
    let run = dir.run(&["find", "x.log", "--where", "has whole", "--context", "5"]);
    let beginnings: String = lines.lines().map(|line| format!("{}\n", &line[..line.len().min(LIMIT)])).collect();
    assert!(run == expected(&beginnings), "{}", run.stderr);
    let run = dir.run(&["find", "x.log", "--where", "has whole", "--context", "5", "--format", "logfmt"]);
    assert_eq!(run.stdout.lines().filter(|line| line.starts_with("level=warn")).count(), 4);
}

#[test]
fn the_first_bytes_say_how_input_is_compressed() {
    let dir = Dir::new();
    let line = "{\"level\":\"WARN\"}\n";
    let two = line.repeat(2);
    let skippable =
        [&[0x53, 0x2a, 0x4d, 0x18, 2, 0, 0, 0, 7, 7][..], &zstd::encode_all(two.as_bytes(), 3).unwrap()].concat();
    // Members and frames may follow each other.
    for (name, bytes) in [
        ("gzip", [gzip(line.as_bytes()), gzip(line.as_bytes())].concat()),
        ("zstd.log", zstd::encode_all(two.as_bytes(), 3).unwrap()),
        ("skippable.gz", skippable),
        ("gzip.zst", gzip(two.as_bytes())),
    ] {
        dir.put(name, bytes);
        assert_eq!(dir.run(&["find", name, "--level", "warn"]), crate::printed(&two), "{name}");
        assert_eq!(dir.run(&["cat", name]), crate::printed(&two), "{name}");
        let input = std::fs::File::open(dir.path().join(name)).unwrap();
        let run = done(dir.command(&["find", "--level", "warn"]).stdin(input).output().unwrap());
        assert_eq!(run, crate::printed(&two), "{name}");
    }
    // Also what only begins like one.
    for bytes in [&b"\x1f\x8b"[..], b"\x1f\x8b\x07x", b"\x28\xb5\x2f", b"\x50\x2a\x4d", b"spanline-seale", b"\xfe"] {
        dir.put("x", bytes);
        let output = dir.command(&["find", "x"]).output().unwrap();
        assert_eq!((output.stdout, output.status.code()), ([bytes, b"\n"].concat(), Some(0)), "{bytes:?}");
    }
    dir.put("empty.gz", "");
    assert_eq!(dir.run(&["find", "empty.gz"]).status, 1);
}

#[test]
fn a_truncated_file_is_searched_up_to_the_damage_and_fails() {
    let dir = Dir::new();
    let lines: String = (0..2000).map(|at| format!("{{\"level\":\"WARN\",\"at\":{at}}}\n")).collect();
    let mut packed = gzip(lines.as_bytes());
    packed.truncate(packed.len() / 2);
    dir.put("x.log.gz", packed);
    let run = dir.run(&["find", "x.log.gz", "--level", "warn"]);
    assert_eq!(run.status, 1);
    assert!(
        run.stderr.contains("spanline: read x.log.gz: expected gzip data, found damage or an early end"),
        "{}",
        run.stderr
    );
    let found: Vec<_> = run.stdout.lines().collect();
    assert!(!found.is_empty() && lines.lines().zip(&found).all(|(line, found)| line == *found));
    dir.put("y.log.zst", zstd::encode_all(lines.as_bytes(), 3).unwrap());
    assert_eq!(dir.run(&["find", "y.log.zst", "--where", "at >= 1999"]).stdout, "{\"level\":\"WARN\",\"at\":1999}\n");
}

/// A regular expression that takes other engines exponential time.
#[test]
fn no_regular_expression_takes_long() {
    let dir = Dir::new();
    dir.put("x.log", format!("{{\"message\":\"{}\"}}\n", "a".repeat(100_000)));
    assert_eq!(
        dir.run(&["find", "x.log", "--where", "message ~ '^(a+)+$' and message ~ '(a|a)*b|a$'", "--count"]).stdout,
        "1\n"
    );
    assert_eq!(dir.run(&["find", "x.log", "--grep", "(x+x+)+y"]).status, 1);
    let run = dir.run(&["find", "x.log", "--grep", "((a{1000}){1000}){1000}"]);
    assert_eq!(run.status, 2, "{}", run.stderr);
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_is_a_failure() {
    let dir = Dir::new();
    dir.put("x.log", "{}\n");
    let full = std::fs::File::options().write(true).open("/dev/full").unwrap();
    let run = done(dir.command(&["find", "x.log"]).stdout(full).output().unwrap());
    assert_eq!(
        (run.status, run.stderr.as_str()),
        (1, "spanline: write to stdout: No space left on device (os error 28)\n")
    );
}

#[test]
fn compressed_stdin_that_is_cut_off_is_reported() {
    let dir = Dir::new();
    let zipped = gzip(&garbage(20_000).repeat(2));
    dir.put("x.gz", &zipped[..zipped.len() / 2]);
    let stdin = std::fs::File::open(dir.path().join("x.gz")).unwrap();
    let run = done(dir.command(&["find", "--count"]).stdin(stdin).output().unwrap());
    assert_eq!(run.status, 1);
    assert!(run.stderr.contains("gzip"), "{}", run.stderr);
}
