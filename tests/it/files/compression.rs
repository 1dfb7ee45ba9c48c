//! Closed segments are compressed, also after a crash and beside other processes.
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout)]

use std::fs::{self, File};
use std::io::Write;

use spanline::sink::{Control, Sink};

use crate::files::child_process::told_until_killed;
use crate::support::log_directory::{Dir, NOON, Play, compressing};

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

fn gzip(text: &str) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(text.as_bytes()).unwrap();
    encoder.finish().unwrap()
}

#[test]
fn promise_28_leftovers_of_a_crash_are_cleaned_up_at_start() {
    let dir = Dir::new();
    let plant = |name: &str, bytes: &[u8]| fs::write(dir.join(name), bytes).unwrap();
    let packed = gzip("2\n");
    plant("orders.2026-11-20T000001-000001.log", b"1\n");
    plant(".orders.2026-11-20T000001-000001.log.gz.tmp", &packed[..9]);
    plant("orders.2026-11-20T000002-000002.log", b"2\n");
    plant("orders.2026-11-20T000002-000002.log.gz", &packed);
    plant("orders.2026-11-20T000003-000003.log", b"3\n");
    plant("orders.2026-11-20T000003-000003.log.gz", &packed[..packed.len() - 3]);
    plant("orders.2026-11-20T000004-000004.log", b"4\n");
    plant("orders.2026-11-20T000004-000004.log.gz", b"");
    plant("orders.2026-11-20T000005-000005.log.gz", &gzip("5\n"));
    plant(".orders.2026-11-20T000009-000009.log.tmp", b"foreign");
    let temporaries = || dir.names().iter().filter(|name| name.ends_with(".tmp")).count();
    dir.log().open().close_until(|| dir.segments().len() == 5 && temporaries() == 1);
    assert_eq!(dir.closed(), ["1\n", "2\n", "3\n", "4\n", "5\n"]);
    assert_eq!(dir.segments().iter().filter(|name| name.ends_with(".gz")).count(), 2, "{:?}", dir.segments());
    dir.log().gzip().open().close_until(|| dir.is_compressed());
    assert_eq!(dir.closed(), ["1\n", "2\n", "3\n", "4\n", "5\n"]);
    assert!(dir.join(".orders.2026-11-20T000009-000009.log.tmp").exists());
}

#[test]
fn promise_28_a_killed_process_leaves_every_line_once() {
    let dir = Dir::new();
    let mut known = 0;
    for kill_after in [1, 3, 10, 30, 60, 100] {
        let told = told_until_killed("write_until_killed", &dir.path(), known, kill_after);
        known = dir.count();
        assert!(known > told, "{known} lines, {told} told");
    }
    compressing(dir.log()).open().close_until(|| dir.is_compressed() || cfg!(not(feature = "gzip")));
    let expected: Vec<_> = (0..known).map(|n| format!("line {n}")).collect();
    assert_eq!(dir.lines(), expected);
    assert!(dir.segments().len() > 5);
    assert!(dir.names().iter().all(|name| !name.ends_with(".tmp")), "{:?}", dir.names());
}

#[test]
fn promise_26_a_segment_that_another_process_has_open_is_compressed_later() {
    let dir = Dir::new();
    let mut log = dir.log().gzip().open();
    log.put("a", NOON);
    let other = File::open(dir.path()).unwrap();
    other.lock_shared().unwrap();
    log.control(Control::Rotate).unwrap();
    log.close();
    assert_eq!(dir.segments(), ["orders.2026-11-20T120000-000001.log"]);
    drop(other);
    log.close_until(|| dir.is_compressed());
    log.put("b", NOON);
    assert_eq!(dir.lines(), ["a", "b"]);
}
