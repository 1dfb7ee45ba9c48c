//! `spanline index`: searches with an index read less, and find the same.

use std::fs::{self, File};
use std::io::Write;
use std::path::PathBuf;
use std::process::Command;

use crate::{Dir, Done, done};

const LINES: usize = 20_000;

/// A log of about 3 MiB: a request and a trace have ten lines each, a second has a hundred.
fn log(service: &str) -> String {
    let line = |number: usize| {
        let (second, id) = (number / 100, number / 10);
        let at = format!("2026-11-20T10:{:02}:{:02}.{:02}Z", second / 60, second % 60, number % 100);
        format!(
            "{{\"timestamp\":\"{at}\",\"level\":\"INFO\",\"service\":\"{service}\",\"message\":\"order loaded\",\
             \"trace_id\":\"{id:032x}\",\"request_id\":\"r-{id}\"}}\n"
        )
    };
    (1..=LINES).map(line).collect()
}

/// Two logs, and a cache.
fn dir() -> Dir {
    let dir = Dir::new();
    dir.put("logs/shop.log", log("shop"));
    dir.put("logs/cart.log", log("cart"));
    dir
}

fn command(dir: &Dir, args: &[&str]) -> Command {
    let mut command = dir.command(args);
    command.env("XDG_CACHE_HOME", dir.path().join("cache")).env("TZ", "UTC");
    command
}

fn run(dir: &Dir, args: &[&str]) -> Done {
    done(command(dir, args).output().unwrap())
}

/// Indexes the logs, and returns the files with the indexes.
fn index(dir: &Dir) -> Vec<PathBuf> {
    let indexed = run(dir, &["index", "logs"]);
    assert_eq!((indexed.status, indexed.stderr.as_str()), (0, ""));
    indexes(dir)
}

fn indexes(dir: &Dir) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(dir.path().join("cache/spanline")) else { return Vec::new() };
    let mut paths: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths
}

const TRACE: &str = "000000000000000000000000000004d2";

/// Questions that an index can answer in part.
const QUESTIONS: [&[&str]; 8] = [
    &["find", "logs", "--trace", TRACE],
    &["find", "logs", "--request", "r-77", "--request", "r-78"],
    &["find", "logs", "--since", "2026-11-20T10:02:20Z", "--until", "2026-11-20T10:02:21Z", "--count"],
    &["find", "logs", "--where", "time >= '2026-11-20T10:03:19Z' and level = info", "--limit", "7"],
    &["find", "logs", "--where", "request_id = 'r-5' or trace_id = '00000000000000000000000000000006'"],
    &["find", "logs", "--request", "r-none"],
    &["trace", TRACE, "logs", "--json"],
    &["trace", "r-1234", "logs", "--level", "info", "--width", "80"],
];

/// Asserts that answers are the same with an index and without.
#[track_caller]
fn assert_same(dir: &Dir, questions: &[&[&str]]) {
    for question in questions {
        let expected = run(dir, &[*question, &["--no-index"]].concat());
        assert_eq!(run(dir, question), expected, "{question:?}");
    }
}

/// Returns how many bytes a command reads; `None` if this system does not tell.
fn bytes_read(dir: &Dir, args: &[&str]) -> Option<u64> {
    let tool = env!("CARGO_BIN_EXE_spanline");
    let mut shell = Command::new("sh");
    // What a command has read counts for its parent, once that has waited for it.
    shell.args(["-c", "\"$@\" > /dev/null 2>&1; cat /proc/$$/io", "sh", tool]).args(args).current_dir(dir.path());
    let printed = done(shell.env("XDG_CACHE_HOME", dir.path().join("cache")).output().unwrap()).stdout;
    printed.lines().find_map(|line| line.strip_prefix("rchar: ")?.parse().ok())
}

#[test]
fn answers_are_the_same_and_need_a_part_of_the_bytes() {
    let dir = dir();
    assert_same(&dir, &QUESTIONS);
    assert_eq!(index(&dir).len(), 2);
    assert_same(&dir, &QUESTIONS);
    for question in QUESTIONS {
        let without = bytes_read(&dir, &[question, &["--no-index"]].concat());
        let (Some(with), Some(without)) = (bytes_read(&dir, question), without) else { return };
        assert!(without > 5 << 20 && with < without / 2, "{question:?}: {with} bytes instead of {without}");
    }
}

#[test]
fn compressed_files_without_a_line_that_is_meant_are_not_read() {
    let dir = dir();
    for (name, from) in [("a.log.gz", "shop"), ("b.log.zst", "cart")] {
        let text = fs::read(dir.path().join(format!("logs/{from}.log"))).unwrap();
        let file = File::create(dir.path().join("logs").join(name)).unwrap();
        if name.ends_with("gz") {
            let mut gz = flate2::write::GzEncoder::new(file, flate2::Compression::fast());
            gz.write_all(&text).unwrap();
            gz.finish().unwrap();
        } else {
            zstd::stream::copy_encode(text.as_slice(), file, 1).unwrap();
        }
        fs::remove_file(dir.path().join(format!("logs/{from}.log"))).unwrap();
    }
    let paths = ["logs/a.log.gz", "logs/b.log.zst"];
    let indexed = run(&dir, &[&["index"], &paths[..]].concat());
    assert!(indexed.stdout.starts_with("2 files indexed, 0 unchanged, 0 left out; "), "{indexed:?}");
    for conditions in [["--request", "r-none"], ["--since", "2026-11-21"], ["--request", "r-77"]] {
        let question = [&["find"], &conditions[..], &paths].concat();
        let expected = run(&dir, &[&question[..], &["--no-index"]].concat());
        assert_eq!(run(&dir, &question), expected, "{conditions:?}");
        let size = paths.iter().map(|path| fs::metadata(dir.path().join(path)).unwrap().len()).sum::<u64>();
        let Some(read) = bytes_read(&dir, &question) else { continue };
        assert_eq!(read > size, conditions[1] == "r-77", "{conditions:?}: {read} of {size} bytes");
    }
}

#[test]
fn a_log_that_changes_is_read_as_it_is() {
    let dir = dir();
    index(&dir);
    let path = dir.path().join("logs/shop.log");
    let line = |request: &str| {
        format!("{{\"timestamp\":\"2026-11-20T10:02:20Z\",\"request_id\":\"{request}\",\"trace_id\":\"{TRACE}\"}}\n")
    };
    let append = |text: &str| File::options().append(true).open(&path).unwrap().write_all(text.as_bytes()).unwrap();
    append(&line("r-77"));
    assert_same(&dir, &QUESTIONS[..3]);
    append(line("r-78").trim_end());
    index(&dir);
    append(&format!("\n{}", line("r-5")));
    assert_same(&dir, &QUESTIONS[..3]);
    fs::rename(&path, dir.path().join("logs/shop.log.1")).unwrap();
    fs::write(&path, log("shop").replace("r-77\"", "r-7x\"").replace("\"r-1\"", "\"r-77\"")).unwrap();
    assert_same(&dir, &QUESTIONS[..3]);
    index(&dir);
    fs::write(&path, &log("shop")[..2_000_000]).unwrap();
    assert_same(&dir, &QUESTIONS[..3]);
    fs::write(&path, "").unwrap();
    assert_same(&dir, &QUESTIONS[..1]);
}

/// Times without a zone, which depend on the command line.
#[test]
fn another_zone_finds_other_lines_also_with_an_index() {
    let dir = Dir::new();
    dir.put("logs/shop.log", log("shop").replace("Z\"", "\""));
    index(&dir);
    let question = ["find", "logs", "--since", "2026-11-20T08:02:20Z", "--until", "2026-11-20T08:02:21Z", "--count"];
    assert_eq!(run(&dir, &question).stdout, "0\n");
    assert_eq!(run(&dir, &[&question[..], &["--zone", "+02:00"]].concat()).stdout, "100\n");
}

#[test]
fn what_did_not_change_is_not_indexed_again() {
    let dir = dir();
    index(&dir);
    // A file that was just written may change once more at the same time of its clock.
    let is_unchanged = || {
        let json = run(&dir, &["index", "logs", "--json"]).stdout;
        let json: serde_json::Value = serde_json::from_str(&json).unwrap();
        let files = |name: &str| json[name].as_u64().unwrap();
        assert_eq!(files("indexed") + files("unchanged"), 2);
        assert!(files("bytes") > 1000 && json["directory"].as_str().unwrap().ends_with("cache/spanline"));
        files("unchanged") == 2
    };
    assert!((0..1000).any(|_| is_unchanged()));
    // Now nothing of the logs is compared.
    assert_same(&dir, &QUESTIONS[..3]);
    fs::set_permissions(dir.path().join("logs/shop.log"), fs::metadata(dir.path()).unwrap().permissions()).unwrap();
    assert_same(&dir, &QUESTIONS[..3]);
}

#[test]
fn what_has_no_index_is_named() {
    let dir = Dir::new();
    dir.put("logs/small.log", "{}\n");
    let none = run(&dir, &["index", "logs"]);
    assert!(none.status == 0 && none.stdout.starts_with("0 files indexed, 0 unchanged, 1 left out; "), "{none:?}");
    let stdin = run(&dir, &["index", "-"]);
    assert_eq!((stdin.status, stdin.stderr.as_str()), (2, "spanline: stdin has no index; pass the paths of logs\n"));
    let missing = run(&dir, &["index", "missing.log"]);
    assert!(missing.status == 1 && missing.stderr.contains("missing.log"), "{missing:?}");
}
