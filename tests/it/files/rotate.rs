//! Rolling files keep every line exactly once, whatever happens to them: real files, times of the test's choosing.

#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout)]

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, SystemTime};

use spanline::record::Timestamp;
use spanline::sink::{Control, Lines, Sink};
use spanline::{Error, RollingFile};
use tempfile::TempDir;
use tracing::Level;

/// What a test started as a process of its own has to do; see [`child`].
const ROLE: &str = "SPANLINE_ROTATE_ROLE";
const PATH: &str = "SPANLINE_ROTATE_PATH";
const NOON: &str = "2026-11-20T12:00:00Z";

/// A directory with one log in it.
struct Dir(TempDir);

impl Dir {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self) -> PathBuf {
        self.join("orders.log")
    }

    fn join(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn log(&self) -> RollingFile {
        RollingFile::new(self.path())
    }

    fn active(&self) -> String {
        fs::read_to_string(self.path()).unwrap()
    }

    fn names(&self) -> Vec<String> {
        names(self.0.path())
    }

    /// The names of the closed segments, sorted.
    fn segments(&self) -> Vec<String> {
        self.names().into_iter().filter(|name| name.starts_with("orders.2")).collect()
    }

    /// What the closed segments hold, in order.
    fn closed(&self) -> Vec<String> {
        self.segments().iter().map(|name| read(&self.join(name))).collect()
    }

    /// Whether each closed segment is there in compressed form, and only so.
    fn is_compressed(&self) -> bool {
        self.segments().iter().all(|name| name.ends_with(".log.gz") || name.ends_with(".log.zst"))
    }

    /// How many lines a killed process has left: each segment counts once, and there may be no active file.
    fn count(&self) -> usize {
        let names = self.segments();
        let closed: BTreeMap<_, _> = names.iter().map(|name| (name.trim_end_matches(".gz"), name)).rev().collect();
        let closed = closed.values().map(|name| read(&self.join(name))).collect::<String>();
        (closed + &fs::read_to_string(self.path()).unwrap_or_default()).lines().count()
    }

    /// Every line, closed segments first.
    fn lines(&self) -> Vec<String> {
        let text = self.closed().concat() + &self.active();
        assert!(text.is_empty() || text.ends_with('\n'), "a torn end");
        text.lines().map(str::to_owned).collect()
    }
}

fn names(directory: &Path) -> Vec<String> {
    let names = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<_> = names.collect();
    names.sort();
    names
}

pub(crate) fn read(path: &Path) -> String {
    let bytes = fs::read(path).unwrap();
    let decoded = match path.extension().and_then(|extension| extension.to_str()) {
        #[cfg(feature = "gzip")]
        Some("gz") => {
            let mut decoded = Vec::new();
            flate2::read::MultiGzDecoder::new(&bytes[..]).read_to_end(&mut decoded).unwrap();
            decoded
        }
        Some("zst") => zstd::decode_all(&bytes[..]).unwrap(),
        _ => bytes,
    };
    String::from_utf8(decoded).unwrap()
}

/// A log that compresses, if it can.
fn compressing(log: RollingFile) -> RollingFile {
    #[cfg(feature = "gzip")]
    let log = log.gzip();
    log
}

fn at(time: &str) -> Timestamp {
    time.parse::<chrono::DateTime<chrono::Utc>>().unwrap().into()
}

fn later(time: Timestamp, seconds: i64) -> Timestamp {
    Timestamp::from_nanos(time.as_nanos() + seconds * 1_000_000_000)
}

fn lines(texts: &[&str], time: Timestamp) -> Lines {
    let mut lines = Lines::default();
    for text in texts {
        lines.push_line(text.as_bytes(), Level::INFO, time);
    }
    lines
}

/// Lines and times as the worker would bring them, and their ways to go wrong.
trait Play {
    fn open(self) -> Self;
    fn put(&mut self, text: &str, time: &str);
    fn try_put(&mut self, text: &str, time: Timestamp) -> Result<(), Error>;
    fn close(&mut self);
    fn close_until(&mut self, done: impl FnMut() -> bool);
}

impl Play for RollingFile {
    fn open(mut self) -> Self {
        self.control(Control::Open).unwrap();
        self
    }

    fn put(&mut self, text: &str, time: &str) {
        self.try_put(text, at(time)).unwrap();
    }

    /// The line is written in any case.
    fn try_put(&mut self, text: &str, time: Timestamp) -> Result<(), Error> {
        let mut lines = lines(&[text], time);
        let result = self.control(Control::Tick(time)).and(self.write(&mut lines));
        if !lines.is_empty() {
            self.write(&mut lines).unwrap();
        }
        assert!(lines.is_empty());
        result.map(drop)
    }

    fn close(&mut self) {
        self.control(Control::Close).unwrap();
    }

    /// A process that another test is about to start may, for an instant, hold copies of the locks of this one.
    fn close_until(&mut self, mut done: impl FnMut() -> bool) {
        let mut time = at(NOON);
        self.close();
        while !done() {
            time = later(time, 31);
            assert!(time < at("2026-12-20T00:00:00Z"), "it is never done");
            self.control(Control::Tick(time)).unwrap();
            self.close();
        }
    }
}

fn refusal(mut log: RollingFile) -> String {
    let error = log.control(Control::Open).unwrap_err();
    error.to_string()
}

// When files roll.

#[test]
fn rotates_before_the_line_that_would_pass_the_size() {
    let dir = Dir::new();
    let mut log = dir.log().rotate_bytes(10).open();
    // Twice what fits, once what is too large for any segment, and once exactly the limit.
    let mut batch = lines(&["aaaa", "bbbb", "cccc", "a line too large", "123456789", "d"], at(NOON));
    log.write(&mut batch).unwrap();
    assert_eq!(dir.closed(), ["aaaa\nbbbb\n", "cccc\n", "a line too large\n", "123456789\n"]);
    assert_eq!(dir.active(), "d\n");
    assert_eq!(dir.segments()[0], "orders.20261120T120000Z-000001.log");
    assert_eq!(dir.segments()[3], "orders.20261120T120000Z-000004.log");
}

#[test]
fn rotates_with_the_first_line_of_a_new_period() {
    let dir = Dir::new();
    let mut log = dir.log().daily().open();
    let mut batch = lines(&["before"], at("2026-11-20T23:59:59.999999999Z"));
    batch.push_line(b"at midnight", Level::INFO, at("2026-11-21T00:00:00Z"));
    batch.push_line(b"a little late", Level::INFO, at("2026-11-20T23:59:59.9Z"));
    batch.push_line(b"after", Level::INFO, at("2026-11-21T23:00:00Z"));
    log.write(&mut batch).unwrap();
    log.put("next day", "2026-11-22T07:00:00Z");
    assert_eq!(dir.closed(), ["before\n", "at midnight\na little late\nafter\n"]);
    assert_eq!(dir.segments()[0], "orders.20261121T000000Z-000001.log");
    assert_eq!(dir.active(), "next day\n");
}

#[test]
fn the_last_period_set_counts() {
    for (log, rotated) in [
        (Dir::log as fn(&Dir) -> RollingFile, 0),
        (|dir| dir.log().daily().minutely(), 3),
        (|dir| dir.log().hourly(), 2),
        (|dir| dir.log().hourly().daily_at(12, 30), 1),
        (|dir| dir.log().minutely().weekly(), 0),
        (|dir| dir.log().minutely().period(spanline::sink::Period::from_rotation(&NEVER)), 0),
    ] {
        let dir = Dir::new();
        let mut log = log(&dir).open();
        for time in
            [NOON, "2026-11-20T12:00:59Z", "2026-11-20T12:29:00Z", "2026-11-20T13:00:00Z", "2026-11-20T14:00:01Z"]
        {
            log.put("x", time);
        }
        assert_eq!(dir.segments().len(), rotated, "{log:?}");
    }
}

const NEVER: tracing_appender::rolling::Rotation = tracing_appender::rolling::Rotation::NEVER;

#[test]
fn size_and_period_hold_together() {
    let dir = Dir::new();
    let mut log = dir.log().hourly().rotate_bytes(4).open();
    for (text, time) in
        [("a", NOON), ("b", NOON), ("c", NOON), ("d", "2026-11-20T13:00:00Z"), ("e", "2026-11-20T13:00:00Z")]
    {
        log.put(text, time);
    }
    assert_eq!(dir.closed(), ["a\nb\n", "c\n"]);
    assert_eq!(dir.active(), "d\ne\n");
}

#[test]
fn rotates_on_demand_but_never_an_empty_file() {
    let dir = Dir::new();
    let mut log = dir.log().open();
    log.control(Control::Rotate).unwrap();
    log.put("a", NOON);
    log.control(Control::Rotate).unwrap();
    log.control(Control::Rotate).unwrap();
    log.put("b", NOON);
    assert_eq!(dir.closed(), ["a\n"]);
    assert_eq!(dir.active(), "b\n");
}

#[test]
fn local_midnight_is_not_that_of_utc() {
    let dir = Dir::new();
    let mut child = child("local_midnight", &dir.path());
    child.env("TZ", "CET-1CEST,M3.5.0,M10.5.0/3");
    assert!(child.status().unwrap().success());
    assert_eq!(dir.closed(), ["winter\n", "23 hours\n23 hours\n"]);
    assert_eq!(dir.active(), "summer\n");
}

// What is kept.

#[test]
fn keeps_so_many_files() {
    let dir = Dir::new();
    let mut log = dir.log().rotate_bytes(2).keep_files(2).open();
    for text in ["a", "b", "c", "d", "e"] {
        log.put(text, NOON);
    }
    assert_eq!(dir.closed(), ["c\n", "d\n"]);
    let mut log = dir.log().rotate_bytes(u64::MAX).keep_files(1).open();
    assert_eq!(dir.closed(), ["d\n"]);
    assert_eq!(dir.active(), "e\n");
    log.close();
}

#[test]
fn keeps_segments_of_a_certain_age() {
    let dir = Dir::new();
    let mut log = dir.log().hourly().keep_for(Duration::from_secs(2 * 3600)).open();
    for hour in 10..15 {
        log.put(&hour.to_string(), &format!("2026-11-20T{hour}:00:00Z"));
    }
    // Closed at 12, 13 and 14 o'clock.
    assert_eq!(dir.closed(), ["11\n", "12\n", "13\n"]);
    let mut log = dir.log().rotate_bytes(u64::MAX).keep_for(Duration::from_secs(1800)).open();
    assert_eq!(dir.segments().len(), 3, "no time is known yet");
    log.control(Control::Tick(at("2026-11-20T14:10:00Z"))).unwrap();
    assert_eq!(dir.closed(), ["13\n"]);
}

#[test]
fn keeps_so_many_bytes() {
    let dir = Dir::new();
    let mut log = dir.log().rotate_bytes(10).keep_bytes(25).open();
    for n in 0..6 {
        log.put(&format!("line {n:04}"), NOON);
    }
    assert_eq!(dir.closed(), ["line 0003\n", "line 0004\n"]);
}

/// With many segments a listing is what a rotation costs. The system itself tells how often the directory was opened.
#[cfg(target_os = "linux")]
#[test]
fn a_rotation_lists_the_directory_once() {
    use rustix::fs::inotify;
    let count = |log: fn(RollingFile) -> RollingFile| {
        let dir = Dir::new();
        let mut log = log(dir.log().rotate_bytes(2)).open();
        log.put("a", NOON);
        let watch = inotify::init(inotify::CreateFlags::NONBLOCK).unwrap();
        inotify::add_watch(&watch, dir.0.path(), inotify::WatchFlags::OPEN | inotify::WatchFlags::ONLYDIR).unwrap();
        ["b", "c", "d", "e", "f"].iter().for_each(|text| log.put(text, NOON));
        let mut buffer = [std::mem::MaybeUninit::uninit(); 64 * 1024];
        let mut events = inotify::Reader::new(&watch, &mut buffer);
        let mut opened = 0;
        while let Ok(event) = events.next() {
            opened += usize::from(event.file_name().is_none());
        }
        assert_eq!(dir.names().len(), dir.segments().len() + 2, "nothing but the log and its lock");
        opened
    };
    assert_eq!(count(|log| log), 5);
    assert_eq!(count(|log| log.keep_files(2)), 5);
    assert_eq!(count(|log| log.keep_files(2).keep_for(Duration::from_secs(60)).keep_bytes(100)), 5);
}

#[test]
fn promise_25_prunes_only_its_own_segments() {
    let dir = Dir::new();
    let neighbours = [
        "app-error.log",
        "orders-error.log",
        "orders.secret.log",
        "orders.log.bak",
        "orders.log.1",
        "orders.20261120T120000Z-000001.log.bak",
        "orders.20261120T120000Z-1.log",
        "orders.secret.20261120T120000Z-000001.log",
        ".orders.20261120T120000Z-000001.log",
        "orders.20261120T120000Z-000001",
    ];
    for name in neighbours {
        fs::write(dir.join(name), name).unwrap();
    }
    fs::create_dir(dir.join("orders.20200101T000000Z-000001.log")).unwrap();
    for _ in 0..3 {
        let mut log = dir.log().rotate_bytes(2).keep_files(1).keep_bytes(2).keep_for(Duration::from_secs(60)).open();
        for text in ["a", "b", "c"] {
            log.put(text, NOON);
        }
        log.close();
    }
    for name in neighbours {
        assert_eq!(fs::read_to_string(dir.join(name)).unwrap(), name);
    }
    assert!(dir.join("orders.20200101T000000Z-000001.log").is_dir());
    assert_eq!(dir.active(), "c\n");
    assert!(dir.join("orders.20261120T120000Z-000009.log").exists(), "{:?}", dir.names());
    assert_eq!(dir.names().len(), neighbours.len() + 4, "{:?}", dir.names());
}

// Compression.

#[cfg(feature = "gzip")]
#[test]
fn promise_28_closed_segments_are_compressed() {
    let dir = Dir::new();
    let mut log = dir.log().rotate_bytes(4).keep_files(3).gzip().open();
    for n in 0..12 {
        log.put(&n.to_string(), NOON);
    }
    log.close_until(|| dir.is_compressed());
    assert_eq!(dir.closed(), ["6\n7\n", "8\n9\n", "10\n"]);
    log.put("after the end", NOON);
    assert!(dir.active().ends_with("after the end\n"));
}

#[cfg(feature = "zstd")]
#[test]
fn promise_28_zstd_too() {
    let dir = Dir::new();
    let mut log = dir.log().rotate_bytes(4).zstd().open();
    for n in 0..5 {
        log.put(&n.to_string(), NOON);
    }
    log.close_until(|| dir.is_compressed());
    assert_eq!(dir.closed(), ["0\n1\n", "2\n3\n"]);
    assert!(dir.segments()[0].ends_with(".zst"), "{:?}", dir.segments());
}

#[cfg(feature = "gzip")]
fn gzip(text: &str) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(text.as_bytes()).unwrap();
    encoder.finish().unwrap()
}

#[cfg(feature = "gzip")]
#[test]
fn promise_28_what_a_crash_left_is_cleared_up_at_start() {
    let dir = Dir::new();
    let plant = |name: &str, bytes: &[u8]| fs::write(dir.join(name), bytes).unwrap();
    let packed = gzip("2\n");
    plant("orders.20261120T000001Z-000001.log", b"1\n");
    plant(".orders.20261120T000001Z-000001.log.gz.tmp", &packed[..9]);
    plant("orders.20261120T000002Z-000002.log", b"2\n");
    plant("orders.20261120T000002Z-000002.log.gz", &packed);
    plant("orders.20261120T000003Z-000003.log", b"3\n");
    plant("orders.20261120T000003Z-000003.log.gz", &packed[..packed.len() - 3]);
    plant("orders.20261120T000004Z-000004.log", b"4\n");
    plant("orders.20261120T000004Z-000004.log.gz", b"");
    plant("orders.20261120T000005Z-000005.log.gz", &gzip("5\n"));
    plant(".orders.20261120T000009Z-000009.log.tmp", b"foreign");
    let temporaries = || dir.names().iter().filter(|name| name.ends_with(".tmp")).count();
    dir.log().open().close_until(|| dir.segments().len() == 5 && temporaries() == 1);
    assert_eq!(dir.closed(), ["1\n", "2\n", "3\n", "4\n", "5\n"]);
    assert_eq!(dir.segments().iter().filter(|name| name.ends_with(".gz")).count(), 2, "{:?}", dir.segments());
    dir.log().gzip().open().close_until(|| dir.is_compressed());
    assert_eq!(dir.closed(), ["1\n", "2\n", "3\n", "4\n", "5\n"]);
    assert!(dir.join(".orders.20261120T000009Z-000009.log.tmp").exists());
}

#[test]
fn promise_28_a_killed_process_leaves_every_line_once() {
    let dir = Dir::new();
    let mut known = 0;
    for kill_after in [1, 3, 10, 30, 60, 100] {
        let mut child = child("write_until_killed", &dir.path())
            .env("FIRST", known.to_string())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut said = BufReader::new(child.stdout.take().unwrap()).lines();
        let numbers = said.by_ref().filter_map(|line| line.unwrap().strip_prefix("wrote ")?.parse().ok());
        let told: usize = numbers.take(kill_after).last().unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
        known = dir.count();
        assert!(known > told, "{known} lines, {told} told");
    }
    compressing(dir.log()).open().close_until(|| dir.is_compressed() || cfg!(not(feature = "gzip")));
    let expected: Vec<_> = (0..known).map(|n| format!("line {n}")).collect();
    assert_eq!(dir.lines(), expected);
    assert!(dir.segments().len() > 5);
    assert!(dir.names().iter().all(|name| !name.ends_with(".tmp")), "{:?}", dir.names());
}

#[cfg(feature = "gzip")]
#[test]
fn promise_26_a_segment_that_somebody_has_open_waits() {
    let dir = Dir::new();
    let mut log = dir.log().gzip().open();
    log.put("a", NOON);
    let other = File::open(dir.path()).unwrap();
    other.lock_shared().unwrap();
    log.control(Control::Rotate).unwrap();
    log.close();
    assert_eq!(dir.segments(), ["orders.20261120T120000Z-000001.log"]);
    drop(other);
    log.close_until(|| dir.is_compressed());
    log.put("b", NOON);
    assert_eq!(dir.lines(), ["a", "b"]);
}

// Starts and restarts.

#[test]
fn a_restart_appends() {
    let dir = Dir::new();
    for text in ["a", "b", "c"] {
        dir.log().rotate_bytes(4).open().put(text, NOON);
    }
    assert_eq!(dir.closed(), ["a\nb\n"]);
    assert_eq!(dir.active(), "c\n");
}

#[test]
fn a_restart_after_the_boundary_rotates() {
    let dir = Dir::new();
    dir.log().daily().open().put("yesterday", "2026-11-19T23:00:00Z");
    let yesterday = SystemTime::UNIX_EPOCH + Duration::from_nanos(at("2026-11-19T23:00:00Z").as_nanos() as u64);
    File::options().append(true).open(dir.path()).unwrap().set_modified(yesterday).unwrap();
    dir.log().daily().open().put("today", NOON);
    assert_eq!(dir.closed(), ["yesterday\n"]);
    assert_eq!(dir.active(), "today\n");
}

#[test]
fn promise_05_a_torn_tail_is_closed_off() {
    let dir = Dir::new();
    fs::write(dir.path(), "whole\n{\"torn\":").unwrap();
    let mut log = dir.log().open();
    assert_eq!(dir.active(), "whole\n{\"torn\":\n");
    log.put("next", NOON);
    assert_eq!(dir.active(), "whole\n{\"torn\":\nnext\n");
}

#[test]
fn promise_05_a_tail_torn_by_another_process_is_closed_off_too() {
    let dir = Dir::new();
    let mut log = dir.log().open();
    log.put("mine", NOON);
    File::options().append(true).open(dir.path()).unwrap().write_all(b"{\"torn\":").unwrap();
    log.put("next", NOON);
    assert_eq!(dir.active(), "mine\n{\"torn\":\nnext\n");
}

#[test]
fn promise_30_what_is_wrong_at_the_start_is_an_error_with_path_and_cause() {
    let dir = Dir::new();
    fs::write(dir.join("file"), "").unwrap();
    let error = refusal(RollingFile::new(dir.join("file/orders.log")));
    assert!(error.contains("file/orders.log") && error.contains("Not a directory"), "{error}");
    assert!(refusal(RollingFile::new("/")).contains("no file name"));
    for log in [dir.log().rotate_bytes(0), dir.log().daily_at(24, 0), dir.log().daily_at(3, 60)] {
        let error = refusal(log);
        assert!(error.contains("orders.log"), "{error}");
    }
    let day = Duration::from_secs(24 * 3600);
    for log in [dir.log().keep_files(7), dir.log().keep_for(day), dir.log().keep_bytes(1 << 20)] {
        let error = refusal(log);
        assert!(error.contains("orders.log") && error.contains("when the file rotates"), "{error}");
    }
    assert_eq!(dir.names(), ["file"]);
}

#[cfg(target_os = "linux")]
#[test]
fn promise_30_a_file_system_that_refuses_is_an_error() {
    let error = refusal(RollingFile::new("/proc/nobody/orders.log"));
    assert!(error.contains("/proc/nobody/orders.log"), "{error}");
}

// What others do to the file.

#[cfg(unix)]
#[test]
fn promise_23_a_deleted_or_renamed_file_is_noticed() {
    let dir = Dir::new();
    let mut log = dir.log().open();
    log.put("a", NOON);
    fs::remove_file(dir.path()).unwrap();
    log.put("b", NOON);
    assert_eq!(dir.active(), "b\n");
    fs::rename(dir.path(), dir.join("orders.log.1")).unwrap();
    log.put("c", NOON);
    assert_eq!(dir.active(), "c\n");
    assert_eq!(read(&dir.join("orders.log.1")), "b\n");
    fs::rename(dir.path(), dir.join("orders.log.2")).unwrap();
    fs::write(dir.path(), "made by logrotate\n").unwrap();
    log.control(Control::Reopen).unwrap();
    log.put("d", NOON);
    log.control(Control::Sync).unwrap();
    assert_eq!(dir.active(), "made by logrotate\nd\n");
}

#[test]
fn promise_23_copytruncate_leaves_no_hole() {
    let dir = Dir::new();
    let mut log = dir.log().rotate_bytes(40).open();
    log.put("a line before it is truncated", NOON);
    File::options().write(true).open(dir.path()).unwrap().set_len(0).unwrap();
    log.put("a line after it was truncated", NOON);
    assert_eq!(dir.active(), "a line after it was truncated\n");
    assert!(dir.segments().is_empty());
}

#[cfg(unix)]
#[test]
fn promise_24_a_missing_directory_is_made_again() {
    let dir = Dir::new();
    let path = dir.join("deep/er/orders.log");
    let mut log = RollingFile::new(&path).open();
    log.put("a", NOON);
    fs::remove_dir_all(dir.join("deep")).unwrap();
    log.put("b", NOON);
    assert_eq!(read(&path), "b\n");
}

#[test]
fn promise_24_a_failed_rotation_keeps_the_old_file_and_is_tried_again() {
    let dir = Dir::new();
    let mut log = dir.log().rotate_bytes(4).open();
    let start = at(NOON);
    fs::create_dir(dir.join(".orders.log.lock")).unwrap();
    log.put("a", NOON);
    log.put("b", NOON);
    let error = log.try_put("c", start).unwrap_err();
    assert!(error.is_retryable() && error.to_string().contains(".orders.log.lock"), "{error}");
    log.try_put("d", later(start, 1)).unwrap();
    fs::remove_dir(dir.join(".orders.log.lock")).unwrap();
    log.try_put("e", later(start, 2)).unwrap();
    assert_eq!(dir.active(), "a\nb\nc\nd\ne\n");
    log.try_put("f", later(start, 30)).unwrap();
    assert_eq!(dir.closed(), ["a\nb\nc\nd\ne\n"]);
    assert_eq!(dir.active(), "f\n");
}

#[test]
fn promise_24_an_ordered_rotation_that_failed_is_made_up_for() {
    let dir = Dir::new();
    let mut log = dir.log().open();
    log.put("a", NOON);
    fs::create_dir(dir.join(".orders.log.lock")).unwrap();
    assert!(log.control(Control::Rotate).is_err());
    fs::remove_dir(dir.join(".orders.log.lock")).unwrap();
    log.try_put("b", later(at(NOON), 30)).unwrap();
    assert_eq!(dir.closed(), ["a\n"]);
    assert_eq!(dir.active(), "b\n");
}

#[cfg(unix)]
#[test]
fn promise_24_lines_go_on_into_a_renamed_file_while_its_path_is_taken() {
    let dir = Dir::new();
    let mut log = dir.log().open();
    log.put("a", NOON);
    fs::rename(dir.path(), dir.join("moved.log")).unwrap();
    fs::create_dir(dir.path()).unwrap();
    assert!(log.try_put("b", at(NOON)).unwrap_err().is_retryable());
    log.put("c", NOON);
    fs::remove_dir(dir.path()).unwrap();
    log.try_put("d", later(at(NOON), 30)).unwrap();
    assert_eq!(read(&dir.join("moved.log")), "a\nb\nc\n");
    assert_eq!(dir.active(), "d\n");
}

#[test]
fn promise_27_clock_jumps_rotate_once_and_lose_nothing() {
    let dir = Dir::new();
    let mut log = dir.log().daily().open();
    log.put("a", NOON);
    for _ in 0..5 {
        log.put("ahead", "2027-11-20T12:00:00Z");
    }
    for _ in 0..5 {
        log.put("back", "2026-11-20T12:00:01Z");
    }
    log.put("next day", "2026-11-21T00:00:00Z");
    log.put("long ago", "1970-01-01T00:00:00Z");
    assert_eq!(dir.closed(), ["a\n", &("ahead\n".repeat(5) + &"back\n".repeat(5))]);
    assert_eq!(dir.active(), "next day\nlong ago\n");
    let segments = ["orders.20271120T120000Z-000001.log", "orders.20271120T120000Z-000002.log"];
    assert_eq!(dir.segments(), segments);
}

#[test]
fn promise_27_segments_sort_as_written_over_restarts_and_clock_steps() {
    let dir = Dir::new();
    let times = ["2026-10-25T00:59:59Z", "2026-10-25T00:59:59Z", "2020-01-01T00:00:00Z", "2026-10-25T01:00:00Z"];
    for (n, time) in times.iter().cycle().take(12).enumerate() {
        let mut log = dir.log().open();
        log.put(&n.to_string(), time);
        log.control(Control::Rotate).unwrap();
    }
    let numbers: Vec<usize> = dir.lines().iter().map(|line| line.parse().unwrap()).collect();
    assert_eq!(numbers, (0..12).collect::<Vec<_>>());
    assert_eq!(dir.segments().len(), 12);
}

// What must not be written to.

#[cfg(unix)]
#[test]
fn promise_29_links_and_other_than_files_are_refused_and_left_alone() {
    let dir = Dir::new();
    let victim = dir.join("victim");
    fs::write(&victim, "precious").unwrap();
    set_mode(&victim, 0o644);

    std::os::unix::fs::symlink(&victim, dir.path()).unwrap();
    assert!(refusal(dir.log()).contains("symbolic link"));
    fs::remove_file(dir.path()).unwrap();

    std::os::unix::fs::symlink(dir.join("nowhere"), dir.path()).unwrap();
    assert!(refusal(dir.log()).contains("symbolic link"));
    assert!(!dir.join("nowhere").exists());
    fs::remove_file(dir.path()).unwrap();

    fs::create_dir(dir.path()).unwrap();
    assert!(refusal(dir.log()).contains("directory"));
    fs::remove_dir(dir.path()).unwrap();

    assert!(Command::new("mkfifo").arg(dir.path()).status().unwrap().success());
    assert!(refusal(dir.log()).contains("no regular file"));
    fs::remove_file(dir.path()).unwrap();

    let error = refusal(RollingFile::new("/dev/null"));
    assert!(error.contains("/dev/null") && error.contains("no regular file"), "{error}");

    assert_eq!((fs::read_to_string(&victim).unwrap().as_str(), mode(&victim)), ("precious", 0o644));
    assert_eq!(dir.names(), ["victim"]);
}

#[cfg(unix)]
#[test]
fn promise_29_a_link_at_the_lock_file_is_not_followed() {
    let dir = Dir::new();
    let mut log = dir.log().rotate_bytes(2).open();
    std::os::unix::fs::symlink(dir.join("nowhere"), dir.join(".orders.log.lock")).unwrap();
    log.put("a", NOON);
    assert!(log.try_put("b", at(NOON)).unwrap_err().to_string().contains("symbolic link"));
    assert!(!dir.join("nowhere").exists());
    assert_eq!(dir.active(), "a\nb\n");
}

#[cfg(unix)]
#[test]
fn promise_29_another_users_hard_link_is_refused_ones_own_is_not() {
    let dir = Dir::new();
    let victim = dir.join("victim");
    fs::write(&victim, "precious\n").unwrap();
    fs::hard_link(&victim, dir.path()).unwrap();
    dir.log().open().put("mine", NOON);
    assert_eq!(read(&victim), "precious\nmine\n");
    // Only root can give a file away, so only root can plant this.
    if std::os::unix::fs::chown(&victim, Some(12_345), None).is_ok() {
        assert!(refusal(dir.log()).contains("another user"));
        assert_eq!(read(&victim), "precious\nmine\n");
    }
}

#[cfg(unix)]
#[test]
fn promise_29_modes_do_not_depend_on_the_umask() {
    for (umask, role, file, directory) in
        [("0777", "modes", 0o600, 0o750), ("0000", "modes", 0o600, 0o750), ("0777", "modes_set", 0o644, 0o711)]
    {
        let dir = Dir::new();
        let path = dir.join("deep/er/orders.log");
        let plain = child(role, &path);
        let mut child = Command::new("sh");
        child.args(["-c", &format!("umask {umask}; exec \"$0\" \"$@\"")]).arg(plain.get_program());
        child.args(plain.get_args()).envs(plain.get_envs().filter_map(|(key, value)| Some((key, value?))));
        assert!(child.stdout(Stdio::null()).status().unwrap().success());
        assert_eq!((mode(&dir.join("deep")), mode(&dir.join("deep/er"))), (directory, directory));
        let names = names(&dir.join("deep/er"));
        assert_eq!(names.len(), 3);
        for name in names {
            assert_eq!(mode(&dir.join("deep/er").join(&name)), file, "{name}");
        }
    }
}

#[cfg(unix)]
#[test]
fn promise_29_what_was_there_keeps_its_mode() {
    let dir = Dir::new();
    fs::write(dir.path(), "").unwrap();
    set_mode(&dir.path(), 0o640);
    set_mode(dir.0.path(), 0o755);
    dir.log().open().put("a", NOON);
    assert_eq!((mode(&dir.path()), mode(dir.0.path())), (0o640, 0o755));
}

#[cfg(unix)]
fn mode(path: &Path) -> u32 {
    std::os::unix::fs::PermissionsExt::mode(&fs::metadata(path).unwrap().permissions()) & 0o7777
}

#[cfg(unix)]
fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(mode)).unwrap();
}

// Full disks: a limit on the size of a process's files does what a full disk does.

#[cfg(target_os = "linux")]
#[test]
fn promise_04_a_line_that_did_not_fit_is_cut_back_and_written_later() {
    let dir = Dir::new();
    run_with_limited_files("full_disk", &dir.path());
    assert_eq!(dir.lines(), ["first", &"x".repeat(6000), "last"]);
}

#[cfg(target_os = "linux")]
#[test]
fn promise_04_beside_another_process_the_rest_of_the_line_goes_first() {
    let dir = Dir::new();
    run_with_limited_files("full_disk_shared", &dir.path());
    assert_eq!(dir.lines(), ["first", &"x".repeat(6000), "last"]);
}

#[cfg(target_os = "linux")]
#[test]
fn promise_04_what_another_process_wrote_behind_a_torn_line_stays_whole() {
    let dir = Dir::new();
    run_with_limited_files("full_disk_contended", &dir.path());
    let lines = dir.lines();
    assert_eq!(lines[0], "first");
    assert!(lines[1].len() < 6000 && lines[1].starts_with('x'), "the torn part");
    assert_eq!(lines[2..], ["theirs", &"x".repeat(6000), "last"]);
}

#[cfg(target_os = "linux")]
#[test]
fn promise_04_a_line_torn_before_a_rename_is_finished_where_it_was_begun() {
    let dir = Dir::new();
    run_with_limited_files("full_disk_renamed", &dir.path());
    assert_eq!(read(&dir.join("orders.log.1")), format!("first\n{}\n", "x".repeat(6000)));
    assert_eq!(dir.lines(), ["last"]);
}

/// The child is killed by no signal, and can lift the limit by itself.
#[cfg(target_os = "linux")]
fn run_with_limited_files(role: &str, path: &Path) {
    let plain = child(role, path);
    let mut child = Command::new("sh");
    child.args(["-c", "trap '' XFSZ; exec prlimit --fsize=4096:unlimited \"$0\" \"$@\""]).arg(plain.get_program());
    child.args(plain.get_args()).envs(plain.get_envs().filter_map(|(key, value)| Some((key, value?))));
    let output = child.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
}

// Several processes.

#[test]
fn promise_26_four_processes_on_one_path_lose_and_tear_nothing() {
    const EACH: usize = 5_000;
    let dir = Dir::new();
    let start = |id: usize| {
        let mut command = child("one_of_four", &dir.path());
        command.env("ID", id.to_string()).env("EACH", EACH.to_string()).stdin(Stdio::piped()).stdout(Stdio::null());
        command.spawn().unwrap()
    };
    let mut children: Vec<Child> = (0..4).map(start).collect();
    // All wait for their input to end, so that none has finished before the last one starts.
    children.iter_mut().for_each(|child| drop(child.stdin.take()));
    assert!(children.iter_mut().all(|child| child.wait().unwrap().success()));
    let mut next = BTreeMap::new();
    for line in dir.lines() {
        let parts = line.strip_prefix("process ").and_then(|rest| rest.split_once(" line "));
        let Some((id, n)) = parts else { panic!("a line of nobody's: {line:?}") };
        let expected = next.entry(id.to_owned()).or_insert(0);
        assert_eq!(n.trim_end_matches('.').parse::<usize>().unwrap(), *expected, "{line}");
        *expected += 1;
    }
    assert_eq!(next.into_values().collect::<Vec<_>>(), [EACH; 4]);
    assert!(dir.segments().len() > 20, "{:?}", dir.segments());
}

// The other side of the tests with more than one process.

/// A process that runs [`child_process`] in the given role.
fn child(role: &str, path: &Path) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    let test = [module_path!().split_once("::").unwrap().1, "child_process"].join("::");
    command.args(["--exact", &test, "--nocapture", "--test-threads=1"]).env(ROLE, role).env(PATH, path);
    command
}

#[test]
fn child_process() {
    let Ok(role) = std::env::var(ROLE) else { return };
    let log = RollingFile::new(std::env::var(PATH).unwrap());
    match role.as_str() {
        "local_midnight" => {
            let mut log = log.daily().local_time().open();
            log.put("winter", "2026-03-28T22:59:59Z");
            log.put("23 hours", "2026-03-28T23:00:00Z");
            log.put("23 hours", "2026-03-29T21:59:59Z");
            log.put("summer", "2026-03-29T22:00:00Z");
        }
        #[cfg(unix)]
        "modes" => rotate_once(log),
        #[cfg(unix)]
        "modes_set" => rotate_once(log.file_mode(0o644).directory_mode(0o711)),
        "write_until_killed" => write_until_killed(log),
        "one_of_four" => write_as_one_of_four(log),
        _ => full_disk(log, &role),
    }
}

#[cfg(unix)]
fn rotate_once(log: RollingFile) {
    let mut log = compressing(log).open();
    log.put("a", NOON);
    log.control(Control::Rotate).unwrap();
    log.close();
}

fn number(name: &str) -> usize {
    std::env::var(name).unwrap().parse().unwrap()
}

fn write_until_killed(log: RollingFile) {
    let mut log = compressing(log).rotate_bytes(2_000).open();
    for n in number("FIRST").. {
        log.put(&format!("line {n}"), NOON);
        if n % 20 == 0 {
            println!("wrote {n}");
        }
    }
}

fn write_as_one_of_four(log: RollingFile) {
    let mut log = compressing(log).rotate_bytes(20_000).open();
    let (id, each) = (number("ID"), number("EACH"));
    std::io::stdin().read_to_end(&mut Vec::new()).unwrap();
    let mut n = 0;
    while n < each {
        let mut batch = Lines::default();
        for _ in 0..=(n * 7 + id) % 50 {
            if n < each {
                let line = format!("process {id} line {n}{}", ".".repeat(n % 90));
                batch.push_line(line.as_bytes(), Level::INFO, at(NOON));
                n += 1;
            }
        }
        while !batch.is_empty() {
            // A rotation may fail for now; lines must not.
            let _ = log.write(&mut batch);
        }
    }
    log.control(Control::Close).unwrap();
}

/// Meets a full disk, which is then freed, in the middle of the second line.
fn full_disk(log: RollingFile, role: &str) {
    let path = PathBuf::from(std::env::var(PATH).unwrap());
    let mut log = log.open();
    let other = File::options().append(true).open(&path).unwrap();
    if role != "full_disk" {
        other.lock_shared().unwrap();
    }
    let long = "x".repeat(6000);
    let mut batch = lines(&["first", &long, "last"], at(NOON));
    let error = log.write(&mut batch).unwrap_err();
    assert!(error.is_retryable() && error.to_string().contains("orders.log"), "{error}");
    assert_eq!(batch.at_line_start(), role == "full_disk");
    assert_eq!(fs::metadata(&path).unwrap().len(), if role == "full_disk" { 6 } else { 4096 });
    log.write(&mut batch).unwrap_err();
    let own = std::process::id().to_string();
    assert!(Command::new("prlimit").args(["--fsize=unlimited", "--pid", &own]).status().unwrap().success());
    match role {
        "full_disk_contended" => (&other).write_all(b"\ntheirs\n").unwrap(),
        "full_disk_renamed" => fs::rename(&path, path.with_extension("log.1")).unwrap(),
        _ => {}
    }
    log.write(&mut batch).unwrap();
    assert!(batch.is_empty());
}
