//! Segments called `.1`, `.2` and so on.
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout)]

use std::fs;
use std::time::Duration;

use spanline::RollingFile;
use spanline::read::Log;
use spanline::sink::{Control, Sink};

use crate::files::child_process::{assert_lines_of, run_together, told_until_killed};
use crate::files::reading::texts;
use crate::support::log_directory::{Dir, NOON, Play, at, compressing, read, refusal};

fn numbered(dir: &Dir) -> RollingFile {
    dir.log().rotate_bytes(2).keep_files(3).numbered()
}

/// The names of the segments, and what each holds.
fn segments(dir: &Dir) -> Vec<(String, String)> {
    let names = dir.names().into_iter().filter(|name| name.starts_with("orders.log."));
    names.map(|name| (name.clone(), read(&dir.join(&name)))).collect()
}

fn pairs(expected: &[(&str, &str)]) -> Vec<(String, String)> {
    expected.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect()
}

/// All lines, as the reader returns them.
fn lines(dir: &Dir) -> Vec<String> {
    texts(&mut Log::open(dir.path()).unwrap().lines().unwrap())
}

#[test]
fn a_rotation_moves_each_segment_by_one_number() {
    let dir = Dir::new();
    let mut log = numbered(&dir).open();
    ["a", "b", "c", "d", "e"].iter().for_each(|text| log.put(text, NOON));
    let expected = pairs(&[("orders.log.1", "d\n"), ("orders.log.2", "c\n"), ("orders.log.3", "b\n")]);
    assert_eq!(segments(&dir), expected);
    log.close();
    let mut log = numbered(&dir).open();
    log.control(Control::Rotate).unwrap();
    log.control(Control::Sync).unwrap();
    assert_eq!(segments(&dir)[0], ("orders.log.1".to_owned(), "e\n".to_owned()));
    assert_eq!(lines(&dir), ["c", "d", "e"]);
}

#[test]
fn promise_28_a_gap_that_a_crash_left_is_filled() {
    let dir = Dir::new();
    for (number, text) in [(1, "3\n"), (2, "2\n"), (4, "1\n")] {
        fs::write(dir.join(&format!("orders.log.{number}")), text).unwrap();
    }
    let mut log = dir.log().rotate_bytes(2).keep_files(9).numbered().open();
    ["4", "5", "6"].iter().for_each(|text| log.put(text, NOON));
    assert_eq!(lines(&dir), ["1", "2", "3", "4", "5", "6"]);
    let names: Vec<_> = segments(&dir).into_iter().map(|(name, _)| name).collect();
    assert_eq!(names, (1..=5).map(|number| format!("orders.log.{number}")).collect::<Vec<_>>());
}

#[test]
fn promise_25_foreign_names_keep_their_place() {
    let dir = Dir::new();
    let foreign =
        ["orders.log.01", "orders.log.bak", "orders.log.1.bz2", "orders.2026-11-20-000001.log", "my.orders.log.1"];
    for name in foreign {
        fs::write(dir.join(name), name).unwrap();
    }
    // No segment, so its number is skipped.
    fs::create_dir(dir.join("orders.log.2")).unwrap();
    let mut log = numbered(&dir).keep_for(Duration::from_secs(3600)).open();
    ["a", "b", "c"].iter().for_each(|text| log.put(text, NOON));
    log.close();
    for name in foreign {
        assert_eq!(fs::read_to_string(dir.join(name)).unwrap(), name);
    }
    assert!(dir.join("orders.log.2").is_dir());
    assert_eq!(read(&dir.join("orders.log.1")), "b\n");
    assert_eq!(read(&dir.join("orders.log.3")), "a\n");
}

#[cfg(unix)]
#[test]
fn promise_53_a_numbered_file_of_another_user_is_left_alone() {
    use crate::support::users::{ATTACKER, is_root};
    if !is_root() {
        return eprintln!("not root: there is no other user");
    }
    let dir = Dir::new();
    fs::write(dir.join("orders.log.1"), "planted\n").unwrap();
    std::os::unix::fs::chown(dir.join("orders.log.1"), Some(ATTACKER), None).unwrap();
    let mut log = numbered(&dir).open();
    let told: Vec<_> = ["a", "b", "c"].iter().filter_map(|text| log.try_put(text, at(NOON)).err()).collect();
    assert!(matches!(&told[..], [error] if error.to_string().contains("belongs to another user")), "{told:?}");
    let expected = [("orders.log.1", "planted\n"), ("orders.log.2", "b\n"), ("orders.log.3", "a\n")];
    assert_eq!(segments(&dir), pairs(&expected));
}

#[test]
fn numbered_segments_need_a_limit() {
    let dir = Dir::new();
    for (log, found) in [
        (dir.log().rotate_bytes(2).numbered(), "which is not set"),
        (dir.log().rotate_bytes(2).numbered().keep_files(0), "which is 0"),
        (dir.log().rotate_bytes(2).numbered().keep_files(1001), "which is 1001"),
        (numbered(&dir).local_time(), "numbered segments have no time in their name"),
    ] {
        let error = refusal(log);
        assert!(error.contains(found), "{error}");
    }
    numbered(&dir).daily().local_time().open().close();
}

#[cfg(feature = "gzip")]
#[test]
fn promise_28_numbered_segments_are_compressed_under_the_number_that_they_have_then() {
    let dir = Dir::new();
    // A crash left one temporary file. Another process still writes the other.
    fs::write(dir.join(".orders.log.4000000000.gz.tmp"), "stray").unwrap();
    fs::write(dir.join(".orders.log.4000000001.gz.tmp"), "under way").unwrap();
    let other = fs::File::open(dir.join(".orders.log.4000000001.gz.tmp")).unwrap();
    other.lock().unwrap();
    let mut log = numbered(&dir).gzip().open();
    ["a", "b", "c", "d", "e"].iter().for_each(|text| log.put(text, NOON));
    log.close_until(|| segments(&dir).iter().all(|(name, _)| name.ends_with(".gz")));
    let expected = [("orders.log.1.gz", "d\n"), ("orders.log.2.gz", "c\n"), ("orders.log.3.gz", "b\n")];
    assert_eq!(segments(&dir), pairs(&expected));
    ["f", "g"].iter().for_each(|text| log.put(text, NOON));
    log.close_until(|| segments(&dir).iter().all(|(name, _)| name.ends_with(".gz")));
    assert_eq!(lines(&dir), ["d", "e", "f", "g"]);
    let temporaries: Vec<_> = dir.names().into_iter().filter(|name| name.ends_with(".tmp")).collect();
    assert_eq!(temporaries, [".orders.log.4000000001.gz.tmp"]);
}

#[cfg(feature = "gzip")]
#[test]
fn promise_28_a_numbered_segment_that_a_crash_left_twice_is_there_once() {
    let dir = Dir::new();
    fs::write(dir.join("orders.log.1"), "2\n").unwrap();
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    std::io::Write::write_all(&mut encoder, b"2\n").unwrap();
    fs::write(dir.join("orders.log.1.gz"), encoder.finish().unwrap()).unwrap();
    fs::write(dir.join("orders.log.2"), "1\n").unwrap();
    assert_eq!(lines(&dir), ["1", "2"]);
    numbered(&dir).gzip().open().close_until(|| segments(&dir).iter().all(|(name, _)| name.ends_with(".gz")));
    assert_eq!(segments(&dir), pairs(&[("orders.log.1.gz", "2\n"), ("orders.log.2.gz", "1\n")]));
}

#[cfg(unix)]
#[test]
fn promise_26_four_processes_number_the_segments_of_one_path() {
    const EACH: usize = 3_000;
    let dir = Dir::new();
    run_together("one_of_four_numbered", &dir.path(), 4, EACH);
    assert_lines_of(&lines(&dir), 4, EACH);
    assert!(segments(&dir).len() > 20, "{:?}", dir.names());
}

#[test]
fn promise_28_a_killed_process_leaves_every_line_of_numbered_segments_once() {
    let dir = Dir::new();
    let mut known = 0;
    for kill_after in [1, 3, 10, 30, 60] {
        let told = told_until_killed("numbered_until_killed", &dir.path(), known, kill_after);
        let lines = lines(&dir);
        assert_eq!(lines, (0..lines.len()).map(|n| format!("line {n}")).collect::<Vec<_>>());
        known = lines.len();
        assert!(known > told, "{known} lines, {told} told");
    }
    compressing(dir.log().rotate_bytes(2_000).keep_files(1000).numbered()).open().close();
    assert_eq!(lines(&dir).len(), known);
}
