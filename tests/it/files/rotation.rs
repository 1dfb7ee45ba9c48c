//! When files rotate: by size, by period and on demand. Real files, with times that the test chooses.
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout)]

use std::fs;

use spanline::record::{Relayed, Timestamp};
use spanline::sink::{Control, Sink, Weekday};
use spanline::{Output, RollingFile};
use tracing::Level;
use tracing_subscriber::Registry;

use crate::files::child_process::child;
use crate::support::log_directory::{Dir, NOON, Play, at, later, lines, refusal, set_written};
use crate::support::stage::fixed;

#[test]
fn rotates_before_the_line_that_would_pass_the_size() {
    let dir = Dir::new();
    let mut log = dir.log().rotate_bytes(10).open();
    // Twice what fits, once what is too large for any segment, and once exactly the limit.
    let mut batch = lines(&["aaaa", "bbbb", "cccc", "a line too large", "123456789", "d"], at(NOON));
    log.write(&mut batch).unwrap();
    assert_eq!(dir.closed(), ["aaaa\nbbbb\n", "cccc\n", "a line too large\n", "123456789\n"]);
    assert_eq!(dir.active(), "d\n");
    assert_eq!(dir.segments()[0], "orders.2026-11-20T120000-000001.log");
    assert_eq!(dir.segments()[3], "orders.2026-11-20T120000-000004.log");
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
    assert_eq!(dir.segments()[0], "orders.2026-11-20-000001.log");
    assert_eq!(dir.active(), "next day\n");
}

/// Anybody may send any time: lines of two days, one after the other, would close a file each and remove all older ones.
#[cfg(unix)]
#[test]
fn times_of_relayed_records_close_no_files_and_remove_none() {
    let times =
        [i64::MIN, i64::MAX, 0, 1_795_000_000_000_000_000, 1_795_500_000_000_000_000].map(Timestamp::from_nanos);
    for dated in [false, true] {
        let dir = Dir::new();
        let log = if dated { RollingFile::new(dir.join("orders.%Y-%m-%d.log")) } else { dir.log() };
        let log = log.daily().keep_files(1).keep_for(std::time::Duration::from_secs(86_400));
        let (_layer, guard) = fixed().output(Output::new(log)).build::<Registry>().unwrap();
        for time in times.iter().cycle().take(50) {
            guard.handle().relay(&Relayed::new(Level::INFO, *time).message("line")).unwrap();
            guard.handle().flush(crate::support::wait::PATIENCE).unwrap();
        }
        guard.close().unwrap();
        let names: Vec<_> = dir.names().into_iter().filter(|name| !name.starts_with('.')).collect();
        let [name] = &names[..] else { panic!("{names:?}") };
        assert_eq!(fs::read_to_string(dir.join(name)).unwrap().lines().count(), 50);
    }
}

#[test]
fn the_last_period_set_counts() {
    for (log, rotated) in [
        (Dir::log as fn(&Dir) -> RollingFile, 0),
        (|dir| dir.log().daily().minutely(), 3),
        (|dir| dir.log().hourly(), 2),
        (|dir| dir.log().hourly().daily_at(12, 30), 1),
        (|dir| dir.log().minutely().weekly(), 0),
        #[cfg(feature = "tracing-appender")]
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

#[cfg(feature = "tracing-appender")]
const NEVER: tracing_appender::rolling::Rotation = tracing_appender::rolling::Rotation::NEVER;

#[cfg(feature = "tracing-appender")]
#[test]
fn the_arguments_of_tracing_appender_make_the_same_file() {
    use tracing_appender::rolling::Rotation;
    for (rotation, rotated) in
        [(Rotation::MINUTELY, 3), (Rotation::HOURLY, 2), (Rotation::DAILY, 1), (Rotation::WEEKLY, 0), (NEVER, 0)]
    {
        let dir = Dir::new();
        let mut log = RollingFile::from_tracing_appender(rotation, dir.0.path(), "orders.log").open();
        for time in
            [NOON, "2026-11-20T12:00:59Z", "2026-11-20T12:01:00Z", "2026-11-20T13:00:00Z", "2026-11-21T00:00:00Z"]
        {
            log.put("x", time);
        }
        assert_eq!(dir.segments().len(), rotated, "{log:?}");
        assert!(dir.active().ends_with("x\n"));
    }
}

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

#[cfg(unix)]
#[test]
fn a_lazy_file_is_created_with_its_first_line() {
    let dir = Dir::new();
    let mut log = dir.log().daily().lazy().open();
    let named = |dir: &Dir| dir.names().into_iter().filter(|name| !name.starts_with('.')).collect::<Vec<_>>();
    log.control(Control::Rotate).unwrap();
    log.control(Control::Reopen).unwrap();
    log.control(Control::Sync).unwrap();
    log.control(Control::Tick(at(NOON))).unwrap();
    assert!(named(&dir).is_empty(), "{:?}", dir.names());
    log.put("a", NOON);
    log.control(Control::Sync).unwrap();
    assert_eq!(named(&dir), ["orders.log"]);
    log.control(Control::Rotate).unwrap();
    assert_eq!(named(&dir), ["orders.2026-11-20-000001.log"]);
    log.control(Control::Sync).unwrap();
    log.put("b", "2026-11-21T12:00:00Z");
    assert_eq!((dir.closed(), dir.active()), (vec!["a\n".to_owned()], "b\n".to_owned()));
    log.close();
    // What another program put there stays.
    fs::remove_file(dir.path()).unwrap();
    fs::write(dir.path(), "").unwrap();
    dir.log().lazy().open().control(Control::Reopen).unwrap();
    assert_eq!(dir.active(), "");
    // The start still finds what is wrong.
    fs::remove_file(dir.path()).unwrap();
    fs::create_dir(dir.path()).unwrap();
    assert!(refusal(dir.log().lazy()).contains("it is a directory"));
}

#[cfg(unix)]
#[test]
fn local_midnight_is_not_that_of_utc() {
    let dir = Dir::new();
    let mut child = child("local_midnight", &dir.path());
    child.env("TZ", "CET-1CEST,M3.5.0,M10.5.0/3");
    assert!(child.status().unwrap().success());
    assert_eq!(dir.closed(), ["winter\n", "23 hours\n23 hours\n"]);
    assert_eq!(dir.segments(), ["orders.2026-03-28-000001.log", "orders.2026-03-29-000002.log"]);
    assert_eq!(dir.active(), "summer\n");
}

#[cfg(unix)]
#[test]
fn promise_27_an_hour_that_occurs_twice_has_two_names() {
    let dir = Dir::new();
    let mut child = child("local_hours", &dir.path());
    child.env("TZ", "CET-1CEST,M3.5.0,M10.5.0/3");
    assert!(child.status().unwrap().success());
    let expected = ["T01-000001", "T02-000002", "T02b-000003", "T03-000004"];
    assert_eq!(dir.segments(), expected.map(|hour| format!("orders.2026-10-25{hour}.log")));
    assert_eq!(dir.lines(), ["23:30", "00:30", "01:30", "02:30", "03:30"]);
}

/// The first line of Monday closes Friday's file.
#[test]
fn a_segment_is_named_after_the_period_it_covers() {
    let dir = Dir::new();
    let mut log = dir.log().daily().rotate_bytes(4).open();
    for text in ["a", "b", "c"] {
        log.put(text, "2026-11-20T18:00:00Z");
    }
    log.put("monday", "2026-11-23T08:00:00Z");
    assert_eq!(dir.segments(), ["orders.2026-11-20-000001.log", "orders.2026-11-20-000002.log"]);
    assert_eq!(dir.closed(), ["a\nb\n", "c\n"]);
    log.close();
    // After a restart, the last write tells.
    set_written(&dir.path(), "2026-11-23T08:00:00Z");
    dir.log().daily().open().put("tuesday", "2026-11-24T08:00:00Z");
    assert_eq!(dir.segments()[2], "orders.2026-11-23-000003.log");
}

#[test]
fn every_period_closes_its_file_and_names_it() {
    for (log, time, segment) in [
        ((|dir| dir.log().every_minutes(15)) as fn(&Dir) -> RollingFile, "2026-11-20T12:15:00Z", "2026-11-20T1200"),
        (|dir| dir.log().every_minutes(90), "2026-11-20T13:30:00Z", "2026-11-20T1200"),
        (|dir| dir.log().every_hours(8), "2026-11-20T16:00:00Z", "2026-11-20T08"),
        (|dir| dir.log().weekly(), "2026-11-22T00:00:00Z", "2026-11-15"),
        (|dir| dir.log().weekly_on(Weekday::Mon), "2026-11-23T00:00:00Z", "2026-11-16"),
        (|dir| dir.log().monthly(), "2026-12-01T00:00:00Z", "2026-11"),
    ] {
        let dir = Dir::new();
        let mut log = log(&dir).open();
        log.put("first", NOON);
        log.try_put("last", later(at(time), -1)).unwrap();
        assert!(dir.segments().is_empty(), "{log:?}");
        log.put("next", time);
        assert_eq!(dir.segments(), [format!("orders.{segment}-000001.log")]);
        assert_eq!(dir.closed(), ["first\nlast\n"]);
    }
}

#[test]
fn a_period_that_does_not_divide_a_day_is_refused() {
    let dir = Dir::new();
    for log in [dir.log().every_minutes(7), dir.log().every_hours(0), dir.log().every_hours(24)] {
        let error = refusal(log);
        assert!(error.contains("do not divide a day evenly; expected"), "{error}");
    }
    let error = refusal(dir.log().local_time());
    assert!(error.contains("local_time is set but rotation is not"), "{error}");
    dir.log().local_time().rotate_bytes(2).open().close();
}

/// 2026-03-29 in Berlin: 02:00 becomes 03:00. 2026-10-25: 03:00 becomes 02:00 again.
#[cfg(feature = "time-zones")]
#[test]
fn promise_27_a_named_zone_rotates_by_its_clock_also_when_daylight_saving_changes() {
    let written = |log: fn(RollingFile) -> RollingFile, times: &[(&str, &str)]| {
        let dir = Dir::new();
        let mut log = log(dir.log()).time_zone("Europe/Berlin").open();
        times.iter().for_each(|(text, time)| log.put(text, time));
        log.close();
        (dir.segments().join(" "), dir.closed(), dir.active())
    };
    // 02:30 does not exist on that day.
    let times = [
        ("a", "2026-03-28T12:00:00Z"),
        ("b", "2026-03-29T00:59:59Z"),
        ("c", "2026-03-29T01:00:00Z"),
        ("d", "2026-03-30T00:29:59Z"),
        ("e", "2026-03-30T00:30:00Z"),
    ];
    let (segments, closed, active) = written(|log| log.daily_at(2, 30), &times);
    assert_eq!(segments, "orders.2026-03-28-000001.log orders.2026-03-29-000002.log");
    assert_eq!((closed, active), (vec!["a\nb\n".to_owned(), "c\nd\n".to_owned()], "e\n".to_owned()));
    // 02:30 exists twice, and counts once.
    let times = [
        ("a", "2026-10-25T00:29:59Z"),
        ("b", "2026-10-25T00:30:00Z"),
        ("c", "2026-10-25T01:30:00Z"),
        ("d", "2026-10-26T01:30:00Z"),
    ];
    let (segments, closed, active) = written(|log| log.daily_at(2, 30), &times);
    assert_eq!(segments, "orders.2026-10-24-000001.log orders.2026-10-25-000002.log");
    assert_eq!((closed, active), (vec!["a\n".to_owned(), "b\nc\n".to_owned()], "d\n".to_owned()));
    // The hour that the clock shows twice.
    let times = [("a", "2026-10-25T00:10:00Z"), ("b", "2026-10-25T01:10:00Z"), ("c", "2026-10-25T02:00:00Z")];
    let (segments, ..) = written(RollingFile::hourly, &times);
    assert_eq!(segments, "orders.2026-10-25T02-000001.log orders.2026-10-25T02b-000002.log");
    // The last call wins.
    let (segments, ..) = written(|log| log.local_time().hourly(), &times);
    assert!(segments.contains("2026-10-25T02b"), "{segments}");
}

#[cfg(feature = "time-zones")]
#[test]
fn an_unknown_zone_is_refused_with_the_nearest_one() {
    let dir = Dir::new();
    let error = refusal(dir.log().daily().time_zone("Europe/Berln"));
    assert!(error.contains("time_zone: unknown time zone `Europe/Berln`; did you mean `Europe/Berlin`?"), "{error}");
    let error = refusal(dir.log().time_zone("Europe/Berlin"));
    assert!(error.contains("time_zone is set but rotation is not"), "{error}");
    dir.log().daily().time_zone("Mars").time_zone("Europe/Berlin").open().close();
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
    let segments = ["orders.2026-11-20-000001.log", "orders.2026-11-20-000002.log"];
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
