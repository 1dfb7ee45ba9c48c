//! Retention: how many segments stay, for how long and in how many bytes.
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout)]

use std::fs;
use std::time::{Duration, Instant};

use spanline::sink::{Control, Lines, Next, Sink};
use spanline::{Output, RollingFile};

use crate::support::log_directory::{Dir, NOON, Play, at, compressing, set_written};
use crate::support::wait::until;

#[test]
fn keep_files_limits_the_number_of_segments() {
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
fn keep_for_limits_the_age_of_segments() {
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

/// Nothing is ever logged; the fake clock is far from the machine's.
#[test]
fn keep_for_applies_to_a_log_without_lines() {
    let dir = Dir::new();
    for (n, written) in ["2026-11-20T10:59:59Z", "2026-11-20T11:30:00Z"].into_iter().enumerate() {
        let segment = dir.join(&format!("orders.2026-11-20T10-{n:06}.log"));
        fs::write(&segment, written).unwrap();
        set_written(&segment, written);
    }
    let output = Output::new(dir.log().hourly().keep_for(Duration::from_secs(3600)));
    let builder = spanline::builder().clock(|| at(NOON)).output(output);
    let (_layer, guard) = builder.build::<tracing_subscriber::Registry>().unwrap();
    until("one segment is left", || dir.segments().len() == 1);
    assert_eq!(dir.closed(), ["2026-11-20T11:30:00Z"]);
    guard.close().unwrap();
}

#[test]
fn a_file_with_keep_for_is_called_when_a_segment_expires_and_hourly_at_least() {
    let dir = Dir::new();
    let wait = |log: &mut RollingFile, time: &str| {
        log.control(Control::Tick(at(time))).unwrap();
        let before = Instant::now();
        match log.write(&mut Lines::default()).unwrap() {
            Next::Later(at) => at.saturating_duration_since(before).as_secs(),
            next => panic!("{next:?}"),
        }
    };
    let mut log = dir.log().rotate_bytes(2).keep_for(Duration::from_secs(7200)).open();
    assert_eq!(wait(&mut log, NOON), 3600);
    for text in ["a", "b"] {
        log.put(text, NOON);
    }
    assert_eq!(wait(&mut log, NOON), 3600);
    assert_eq!(wait(&mut log, "2026-11-20T13:50:00Z"), 600);
    assert_eq!(dir.closed(), ["a\n"]);
    assert_eq!(wait(&mut log, "2026-11-20T14:00:00.000000001Z"), 3600);
    assert!(dir.segments().is_empty());
    // The clock is set back by a year.
    assert_eq!(wait(&mut log, "2025-11-20T14:00:00Z"), 3600);
    let mut other = dir.log().rotate_bytes(2).open();
    assert_eq!(other.write(&mut Lines::default()).unwrap(), Next::Done);
}

/// Whatever its name says, and in whatever form it is stored.
#[test]
fn the_age_of_a_segment_is_that_of_its_last_write() {
    let dir = Dir::new();
    let mut log = compressing(dir.log().weekly()).open();
    log.put("monday", "2026-11-16T12:00:00Z");
    set_written(&dir.path(), "2026-11-16T12:00:00Z");
    log.put("next week", "2026-11-22T12:00:00Z");
    log.close();
    #[cfg(feature = "gzip")]
    log.close_until(|| dir.is_compressed());
    let mut log = dir.log().weekly().keep_for(Duration::from_secs(7 * 86_400)).open();
    log.control(Control::Tick(at("2026-11-23T12:00:00Z"))).unwrap();
    assert_eq!(dir.closed(), ["monday\n"]);
    let mut log = dir.log().weekly().keep_for(Duration::from_secs(7 * 86_400)).open();
    log.control(Control::Tick(at("2026-11-23T12:00:01Z"))).unwrap();
    assert!(dir.segments().is_empty());
}

#[test]
fn keep_bytes_limits_the_size_of_all_segments() {
    let dir = Dir::new();
    let mut log = dir.log().rotate_bytes(10).keep_bytes(25).open();
    for n in 0..6 {
        log.put(&format!("line {n:04}"), NOON);
    }
    assert_eq!(dir.closed(), ["line 0003\n", "line 0004\n"]);
}

/// With many segments, listing the directory dominates a rotation. inotify counts how often the directory is opened.
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
        "orders.2026-11-20T120000-000001.log.bak",
        "orders.2026-11-20T120000-1.log",
        "orders.secret.2026-11-20T120000-000001.log",
        ".orders.2026-11-20T120000-000001.log",
        "orders.2026-11-20T120000-000001",
    ];
    for name in neighbours {
        fs::write(dir.join(name), name).unwrap();
    }
    fs::create_dir(dir.join("orders.2020-01-01T000000-000001.log")).unwrap();
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
    assert!(dir.join("orders.2020-01-01T000000-000001.log").is_dir());
    assert_eq!(dir.active(), "c\n");
    assert!(dir.names().iter().any(|name| name.ends_with("-000009.log")), "{:?}", dir.names());
    assert_eq!(dir.names().len(), neighbours.len() + 4, "{:?}", dir.names());
}
