//! Paths with a date: each period has a separate file.
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout)]

use std::fs;
use std::path::Path;
use std::time::Duration;

use spanline::RollingFile;
use spanline::read::{self, Log};
use spanline::sink::{Control, Sink};

use crate::files::child_process::{assert_lines_of, child, run_together};
use crate::files::reading::texts;
use crate::support::log_directory::{Dir, NOON, Play, at, later, read, refusal, set_written};

fn dated(dir: &Dir) -> RollingFile {
    RollingFile::new(dir.join("%Y/%m/app-%d.log")).daily()
}

/// The files below the directory, sorted, without hidden ones.
fn files(dir: &Dir) -> Vec<String> {
    fn visit(path: &Path, files: &mut Vec<String>, root: &Path) {
        for entry in fs::read_dir(path).unwrap() {
            let path = entry.unwrap().path();
            let name = path.strip_prefix(root).unwrap().to_str().unwrap().replace('\\', "/");
            if path.is_dir() {
                visit(&path, files, root);
            } else if !path.file_name().unwrap().to_str().unwrap().starts_with('.') {
                files.push(name);
            }
        }
    }
    let mut found = Vec::new();
    visit(dir.0.path(), &mut found, dir.0.path());
    found.sort();
    found
}

fn lines(dir: &Dir) -> Vec<String> {
    texts(&mut Log::open(dir.join("%Y/%m/app-%d.log")).unwrap().lines().unwrap())
}

#[test]
fn each_period_has_a_file_at_its_path() {
    let dir = Dir::new();
    let mut log = dated(&dir);
    #[cfg(unix)]
    {
        log = log.link(dir.join("newest"));
    }
    let mut log = log.open();
    for (text, time) in [
        ("a", "2026-11-29T12:00:00Z"),
        ("b", "2026-11-29T23:59:59Z"),
        ("c", "2026-11-30T00:00:00Z"),
        ("late", "2026-11-29T23:59:59Z"),
        ("d", "2026-12-01T12:00:00Z"),
    ] {
        log.put(text, time);
    }
    #[cfg(unix)]
    assert_eq!(fs::read_link(dir.join("newest")).unwrap(), Path::new("2026/12/app-01.log"));
    log.control(Control::Sync).unwrap();
    log.close();
    // A restart continues the file.
    dated(&dir).open().put("e", "2026-12-01T13:00:00Z");
    assert_eq!(read(&dir.join("2026/11/app-29.log")), "a\nb\n");
    assert_eq!(read(&dir.join("2026/11/app-30.log")), "c\nlate\n");
    assert_eq!(read(&dir.join("2026/12/app-01.log")), "d\ne\n");
    assert_eq!(lines(&dir), ["a", "b", "c", "late", "d", "e"]);
    let segments = read::segments(dir.join("%Y/%m/app-%d.log")).unwrap();
    let periods: Vec<_> = segments.iter().map(|segment| segment.period().unwrap_or_default()).collect();
    assert_eq!(periods, ["2026-11-29", "2026-11-30", ""]);
    assert!(segments[2].is_active() && !segments[1].is_active());
}

#[cfg(unix)]
#[test]
fn a_period_may_have_several_segments() {
    let dir = Dir::new();
    let mut log = dated(&dir).rotate_bytes(2).open();
    for (text, time) in [("a", NOON), ("b", NOON), ("c", NOON), ("d", "2026-11-21T12:00:00Z")] {
        log.put(text, time);
    }
    log.control(Control::Rotate).unwrap();
    log.put("e", "2026-11-21T12:00:00Z");
    let names = [
        "2026/11/app-20.2026-11-20-000001.log",
        "2026/11/app-20.2026-11-20-000002.log",
        "2026/11/app-20.log",
        "2026/11/app-21.2026-11-21-000001.log",
        "2026/11/app-21.log",
    ];
    assert_eq!(files(&dir), names);
    assert_eq!(lines(&dir), ["a", "b", "c", "d", "e"]);
}

#[test]
fn promise_25_retention_covers_all_periods_and_nothing_else() {
    let dir = Dir::new();
    fs::create_dir_all(dir.join("2026/10/app-07.log")).unwrap();
    let foreign =
        ["2026/09/notes.txt", "2026/10/app-1.log", "2026/10/my-app-01.log", "2026/10/app-01.log.bak", "app-01.log"];
    for name in foreign {
        fs::create_dir_all(dir.join(name).parent().unwrap()).unwrap();
        fs::write(dir.join(name), name).unwrap();
    }
    let mut log = dated(&dir).rotate_bytes(4).keep_files(3).open();
    for (text, time) in [
        ("july", "2026-07-01T12:00:00Z"),
        ("a", "2026-09-30T12:00:00Z"),
        ("b", "2026-10-01T12:00:00Z"),
        ("c", "2026-10-02T12:00:00Z"),
        ("cc", "2026-10-02T12:00:00Z"),
        ("d", "2026-10-03T12:00:00Z"),
    ] {
        log.put(text, time);
    }
    assert_eq!(lines(&dir), ["b", "c", "cc", "d"]);
    for name in foreign {
        assert_eq!(fs::read_to_string(dir.join(name)).unwrap(), name);
    }
    assert!(dir.join("2026/10/app-07.log").is_dir() && !dir.join("2026/07").exists(), "{:?}", files(&dir));
}

#[test]
fn keep_for_removes_the_files_of_old_periods_by_the_clock() {
    let dir = Dir::new();
    let mut log = dated(&dir).keep_for(Duration::from_secs(2 * 86_400)).open();
    for (day, time) in ["2026-11-18T12:00:00Z", "2026-11-19T12:00:00Z", NOON].into_iter().enumerate() {
        log.put(&day.to_string(), time);
        set_written(&dir.join(&format!("2026/11/app-{}.log", 18 + day)), time);
    }
    assert_eq!(lines(&dir), ["0", "1", "2"]);
    log.control(Control::Tick(at("2026-11-21T11:00:00Z"))).unwrap();
    assert_eq!(lines(&dir), ["1", "2"]);
    log.control(Control::Tick(at("2026-12-31T12:00:00Z"))).unwrap();
    assert_eq!(lines(&dir), ["2"], "the file that is being written stays");
}

#[test]
fn a_path_that_does_not_fit_the_period_is_refused() {
    let dir = Dir::new();
    let at = |path: &str| RollingFile::new(dir.join(path));
    for (log, expected) in [
        (at("app-%d.log").daily(), "two periods would have one path (daily); expected `%Y`"),
        (at("%Y-%m.log").weekly(), "expected `%d`"),
        (at("%Y-%m-%dT%H.log").daily(), "`%H` is always the same (daily)"),
        (at("%Y-%m-%d.log"), "no period is set; add `daily()`"),
        (at("%Y-%m-%d-%s.log").daily(), "the path has `%s`; expected `%Y`"),
        (at("%Y-%m-%d.log").daily().numbered().keep_files(2), "numbered is set"),
        #[cfg(feature = "gzip")]
        (at("%Y-%m-%d.log").daily().gzip(), "gzip is set"),
    ] {
        let error = refusal(log);
        assert!(error.contains(expected), "{error}");
    }
    assert!(dir.names().is_empty(), "{:?}", dir.names());
}

#[cfg(unix)]
#[test]
fn promise_24_a_directory_of_the_date_that_is_gone_is_created_again() {
    let dir = Dir::new();
    let mut log = dated(&dir).open();
    log.put("a", NOON);
    fs::remove_dir_all(dir.join("2026")).unwrap();
    log.put("b", NOON);
    fs::remove_dir_all(dir.join("2026")).unwrap();
    log.put("c", "2026-11-21T12:00:00Z");
    assert_eq!(lines(&dir), ["c"]);
}

#[test]
fn promise_24_lines_continue_in_the_old_file_while_the_next_cannot_be_begun() {
    let dir = Dir::new();
    // Opening begins the file of today, which must not be one of these.
    let mut log = dated(&dir).open();
    let next = at("2096-12-01T00:00:00Z");
    log.put("a", "2096-11-30T12:00:00Z");
    fs::write(dir.join("2096/12"), "no directory").unwrap();
    let error = log.try_put("b", next).unwrap_err();
    assert!(error.is_retryable() && error.to_string().replace('\\', "/").contains("2096/12"), "{error}");
    log.try_put("c", later(next, 1)).unwrap();
    fs::remove_file(dir.join("2096/12")).unwrap();
    log.try_put("d", later(next, 30)).unwrap();
    assert_eq!(read(&dir.join("2096/11/app-30.log")), "a\nb\nc\n");
    assert_eq!(read(&dir.join("2096/12/app-01.log")), "d\n");
}

#[test]
fn promise_27_a_clock_that_is_set_back_continues_the_file_of_its_period() {
    let dir = Dir::new();
    let mut log = dated(&dir).open();
    for (text, time) in [
        ("a", NOON),
        ("ahead", "2027-11-20T12:00:00Z"),
        ("ahead", "2027-11-20T12:00:01Z"),
        ("back", "2026-11-20T12:00:02Z"),
        ("earlier", "2026-11-20T09:00:00Z"),
    ] {
        log.put(text, time);
    }
    assert_eq!(read(&dir.join("2026/11/app-20.log")), "a\nback\nearlier\n");
    assert_eq!(read(&dir.join("2027/11/app-20.log")), "ahead\nahead\n");
}

#[cfg(unix)]
#[test]
fn promise_27_a_path_tells_apart_hours_that_a_clock_shows_twice() {
    let dir = Dir::new();
    let mut child = child("local_hours", &dir.join("%Y-%m-%d/%H.log"));
    child.env("TZ", "CET-1CEST,M3.5.0,M10.5.0/3");
    assert!(child.status().unwrap().success());
    let expected = ["01", "02", "02b", "03", "04"].map(|hour| format!("2026-10-25/{hour}.log"));
    assert_eq!(files(&dir), expected);
    assert_eq!(read(&dir.join("2026-10-25/02b.log")), "01:30\n");
}

#[cfg(unix)]
#[test]
fn promise_26_two_processes_on_one_dated_path_lose_and_tear_nothing() {
    let dir = Dir::new();
    run_together("one_of_two_dated", &dir.join("%Y/%m/app-%d.log"), 2, 1000);
    assert_lines_of(&lines(&dir), 2, 1000);
}
