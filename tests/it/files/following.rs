//! A follower returns each new line of a log once, in the order written, whatever happens to its files.
#![cfg(unix)]

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use spanline::RollingFile;
use spanline::read::{Follow, Followed, Log};

use super::child_process::{assert_lines_of, child};
use super::reading::{Dir, closed, write};
use crate::support::wait::PATIENCE;

/// What a follower returned: a line, a torn one, a truncation or an error.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Seen {
    Line(String),
    Torn(String),
    Truncated,
    Copied,
    Error(String),
}

pub(super) fn next(follow: &mut Follow, timeout: Duration) -> Option<Seen> {
    let seen = match follow.wait(timeout) {
        Ok(Some(Followed::Line(line))) => Seen::Line(String::from_utf8(line.to_vec()).unwrap()),
        Ok(Some(Followed::Truncated { is_copied })) => {
            return Some(if is_copied { Seen::Copied } else { Seen::Truncated });
        }
        Ok(Some(other)) => panic!("{other:?}"),
        Ok(None) => return None,
        Err(error) => return Some(Seen::Error(error.to_string())),
    };
    match seen {
        Seen::Line(line) if follow.is_torn() => Some(Seen::Torn(line)),
        seen => Some(seen),
    }
}

/// Everything that is new by now.
pub(super) fn seen(follow: &mut Follow) -> Vec<Seen> {
    std::iter::from_fn(|| next(follow, Duration::ZERO)).collect()
}

pub(super) fn lines(texts: &[&str]) -> Vec<Seen> {
    texts.iter().map(|text| Seen::Line((*text).to_owned())).collect()
}

pub(super) fn append(path: &Path, text: &str) {
    OpenOptions::new().create(true).append(true).open(path).unwrap().write_all(text.as_bytes()).unwrap();
}

pub(super) fn from_end(dir: &Dir) -> Follow {
    Follow::from_end(dir.log()).unwrap()
}

#[test]
fn new_lines_are_returned_when_they_are_whole() {
    let dir = Dir::new();
    dir.put("orders.log", "old\nbeg");
    let mut follow = from_end(&dir);
    assert_eq!(seen(&mut follow), []);
    append(&dir.path(), "un\n\nnext\nunder w");
    assert_eq!(seen(&mut follow), lines(&["begun", "", "next"]));
    assert_eq!(follow.path(), dir.path());
    append(&dir.path(), "ay\n");
    assert_eq!(seen(&mut follow), lines(&["under way"]));
    let mut follow = Follow::from_start(dir.log()).unwrap();
    append(&dir.path(), "last\n");
    assert_eq!(seen(&mut follow), lines(&["old", "begun", "", "next", "under way", "last"]));
}

#[test]
fn what_is_listed_and_what_follows_are_all_lines_once() {
    let dir = Dir::new();
    dir.put(&closed(1), "one\n");
    dir.put("orders.log", "two\nbeg");
    let listed = dir.log().segments().unwrap();
    let mut follow = Follow::after(dir.log(), &listed).unwrap();
    let positions: Vec<u64> = follow.positions().iter().map(|(_, position)| *position).collect();
    assert_eq!(positions, [4, 4]);
    // A writer that has not noticed the rotation, and one that has.
    append(&dir.path().with_file_name(closed(1)), "late\n");
    append(&dir.path(), "un\n");
    assert_eq!(seen(&mut follow), lines(&["late", "begun"]));
}

#[test]
fn the_last_bytes_begin_with_a_whole_line() {
    let dir = Dir::new();
    dir.put(&closed(1), "aaa\nbbb\n");
    dir.put("orders.log", "ccc\nddd\n");
    for (bytes, expected) in [
        (0, &[][..]),
        (3, &[]),
        (4, &["ddd"]),
        (7, &["ddd"]),
        (8, &["ccc", "ddd"]),
        (11, &["ccc", "ddd"]),
        (12, &["bbb", "ccc", "ddd"]),
        (u64::MAX, &["aaa", "bbb", "ccc", "ddd"]),
    ] {
        let mut follow = Follow::from_last_bytes(dir.log(), bytes).unwrap();
        assert_eq!(seen(&mut follow), lines(expected), "{bytes}");
    }
    let mut follow = Follow::from_last_bytes(dir.log(), 0).unwrap();
    append(&dir.path(), "eee\n");
    assert_eq!(seen(&mut follow), lines(&["eee"]));
}

#[test]
fn a_wait_ends_with_a_line_or_the_timeout() {
    let dir = Dir::new();
    dir.put("orders.log", "");
    let mut follow = from_end(&dir).interval(Duration::from_millis(1));
    let begun = Instant::now();
    assert_eq!(follow.wait(Duration::from_millis(20)).unwrap(), None);
    assert!(begun.elapsed() >= Duration::from_millis(20));
    std::thread::scope(|scope| {
        scope.spawn(|| append(&dir.path(), "line\n"));
        assert_eq!(next(&mut follow, PATIENCE), Some(Seen::Line("line".into())));
    });
}

/// Follows from before the first line, while another thread writes and rotates.
fn follow_while_written(file: impl FnOnce(RollingFile) -> RollingFile + Send, count: u64) {
    let dir = Dir::new();
    dir.put("orders.log", "");
    let mut follow = Follow::from_start(dir.log()).unwrap().interval(Duration::from_millis(1));
    std::thread::scope(|scope| {
        let path = dir.path();
        scope.spawn(move || write(file(RollingFile::new(path)), count));
        for expected in 0..count {
            let Some(Seen::Line(line)) = next(&mut follow, PATIENCE) else { panic!("{expected} is missing") };
            let line: serde_json::Value = serde_json::from_str(&line).unwrap();
            assert_eq!(line["number"], expected);
        }
    });
    assert_eq!(seen(&mut follow), []);
}

#[test]
fn promise_49_a_log_that_rotates_fast_is_followed_without_a_gap() {
    follow_while_written(|file| file.rotate_bytes(3000), 5000);
}

#[cfg(feature = "gzip")]
#[test]
fn a_log_whose_segments_are_compressed_is_followed_without_a_gap() {
    follow_while_written(|file| file.rotate_bytes(3000).gzip(), 5000);
}

#[cfg(feature = "gzip")]
#[test]
fn a_log_with_numbered_segments_is_followed_without_a_gap() {
    follow_while_written(|file| file.rotate_bytes(20_000).keep_files(1000).numbered().gzip(), 5000);
}

#[test]
fn the_lines_of_several_processes_are_followed_in_the_order_of_each() {
    const EACH: usize = 3000;
    for role in ["one_of_four", "one_of_four_numbered"] {
        let dir = Dir::new();
        dir.put("orders.log", "");
        let mut follow = from_end(&dir).interval(Duration::from_millis(1));
        let start = |id: usize| {
            let mut command = child(role, &dir.path());
            command.env("ID", id.to_string()).env("EACH", EACH.to_string());
            command.stdin(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap()
        };
        let mut children: Vec<_> = (0..4).map(start).collect();
        children.iter_mut().for_each(|child| drop(child.stdin.take()));
        let mut read = Vec::new();
        while read.len() < 4 * EACH {
            match next(&mut follow, PATIENCE) {
                Some(Seen::Line(line)) => read.push(line),
                other => panic!("{other:?} after {} lines", read.len()),
            }
        }
        assert!(children.iter_mut().all(|child| child.wait().unwrap().success()));
        assert_lines_of(&read, 4, EACH);
        assert_eq!(seen(&mut follow), []);
    }
}

/// Between two looks of the follower, the log is rotated several times and all segments are compressed.
#[cfg(feature = "gzip")]
#[test]
fn rotations_that_no_look_has_seen_are_read() {
    let dir = Dir::new();
    for n in 1..=2 {
        dir.put(&format!("{}.gz", closed(n)), super::reading::gzip(b"old\n"));
    }
    dir.put("orders.log", "3a\n");
    let mut follow = from_end(&dir);
    append(&dir.path(), "3b\n");
    let packed = |n: u64, text: &str| dir.put(&format!("{}.gz", closed(n)), super::reading::gzip(text.as_bytes()));
    packed(3, "3a\n3b\n");
    fs::remove_file(dir.path()).unwrap();
    packed(4, "4\n");
    dir.put(&closed(5), "5\n");
    dir.put("orders.log", "6\n");
    assert_eq!(seen(&mut follow), lines(&["3b", "4", "5", "6"]));
}

#[cfg(feature = "gzip")]
#[test]
fn numbered_rotations_that_no_look_has_seen_are_read() {
    for has_old in [true, false] {
        let dir = Dir::new();
        if has_old {
            dir.put("orders.log.1", "1\n");
        }
        dir.put("orders.log", "2\n");
        let mut follow = Follow::from_start(dir.log()).unwrap();
        assert_eq!(seen(&mut follow), lines(if has_old { &["1", "2"] } else { &["2"] }));
        if has_old {
            fs::rename(dir.join("orders.log.1"), dir.join("orders.log.3")).unwrap();
        }
        // It was compressed, as logrotate does, so it is another file.
        fs::remove_file(dir.path()).unwrap();
        dir.put("orders.log.2.gz", super::reading::gzip(b"2\n"));
        dir.put("orders.log.1", "3\n");
        dir.put("orders.log", "4\n");
        assert_eq!(seen(&mut follow), lines(&["3", "4"]), "{has_old}");
        dir.put("orders.log.2", "");
        append(&dir.path(), "5\n");
        assert_eq!(seen(&mut follow), lines(&["5"]));
    }
}

#[test]
fn segments_that_were_removed_unread_are_an_error() {
    let dir = Dir::new();
    dir.put(&closed(1), "1\n");
    dir.put("orders.log", "2\n");
    let mut follow = from_end(&dir);
    fs::rename(dir.path(), dir.join(&closed(2))).unwrap();
    append(&dir.join(&closed(2)), "2b\n");
    dir.put(&closed(5), "5\n");
    dir.put("orders.log", "6\n");
    let error = format!(
        "follow {}: 2 segments were removed before they were read; their lines are missing here",
        dir.path().display()
    );
    let expected = [&lines(&["2b"])[..], &[Seen::Error(error)], &lines(&["5", "6"])].concat();
    assert_eq!(seen(&mut follow), expected);
}

/// As logrotate renames with `dateext` and `create`: the program has the old file for a while.
#[test]
fn a_renamed_file_is_followed_until_the_new_one_has_a_line_and_late_lines_are_returned() {
    let dir = Dir::new();
    dir.put("orders.log", "old\n");
    let mut old = OpenOptions::new().append(true).open(dir.path()).unwrap();
    let mut follow = from_end(&dir);
    fs::rename(dir.path(), dir.join("orders.log-20261120")).unwrap();
    old.write_all(b"1\n").unwrap();
    assert_eq!(seen(&mut follow), lines(&["1"]));
    File::create(dir.path()).unwrap();
    old.write_all(b"2\n").unwrap();
    assert_eq!(seen(&mut follow), lines(&["2"]));
    append(&dir.path(), "4\n");
    old.write_all(b"3\n").unwrap();
    assert_eq!(seen(&mut follow), lines(&["3", "4"]));
    old.write_all(b"late\n").unwrap();
    append(&dir.path(), "5\n");
    assert_eq!(seen(&mut follow), lines(&["late", "5"]));
    old.write_all(b"later\n").unwrap();
    assert_eq!(seen(&mut follow), lines(&["later"]));
    assert_eq!(follow.path(), dir.path());
}

#[test]
fn a_torn_last_line_is_returned_when_the_next_file_begins() {
    let dir = Dir::new();
    dir.put("orders.log", "1\n");
    let mut follow = from_end(&dir);
    append(&dir.path(), "2\n{\"torn");
    assert_eq!(seen(&mut follow), lines(&["2"]));
    fs::rename(dir.path(), dir.join(&closed(1))).unwrap();
    assert_eq!(seen(&mut follow), []);
    dir.put("orders.log", "3\n");
    for expected in [Seen::Torn("{\"torn".into()), Seen::Line("3".into())] {
        assert_eq!(next(&mut follow, PATIENCE), Some(expected));
    }
}

/// Another process is in the middle of its write when its file is left.
#[test]
fn a_last_line_that_is_on_its_way_is_not_torn() {
    let dir = Dir::new();
    dir.put("orders.log", "1\n");
    let mut follow = from_end(&dir);
    append(&dir.path(), "on its");
    fs::rename(dir.path(), dir.join(&closed(1))).unwrap();
    dir.put("orders.log", "3\n");
    assert_eq!(seen(&mut follow), []);
    append(&dir.join(&closed(1)), " way\n");
    assert_eq!(seen(&mut follow), lines(&["on its way", "3"]));
}

#[test]
fn a_truncation_is_reported_and_what_follows_it_is_returned() {
    let dir = Dir::new();
    dir.put("orders.log", "1\n2\n3\npart");
    let mut follow = Follow::from_start(dir.log()).unwrap();
    assert_eq!(seen(&mut follow), lines(&["1", "2", "3"]));
    dir.put("orders.log", "");
    assert_eq!(seen(&mut follow), [Seen::Truncated]);
    append(&dir.path(), "4\n");
    assert_eq!(seen(&mut follow), lines(&["4"]));
    // Shorter, and longer: no size tells that it was written again.
    for text in ["5\n", "6666666666\n7\n"] {
        dir.put("orders.log", text);
        let expected = [&[Seen::Truncated][..], &lines(&text.lines().collect::<Vec<_>>())].concat();
        assert_eq!(seen(&mut follow), expected);
    }
}

#[test]
fn what_copytruncate_has_copied_is_not_lost() {
    let dir = Dir::new();
    dir.put("orders.log", "1\n");
    for (n, copy) in ["orders.log.1", "orders.log-20261120", "orders.log-20261121"].into_iter().enumerate() {
        let mut follow = from_end(&dir);
        append(&dir.path(), &format!("read {n}\npart"));
        assert_eq!(seen(&mut follow), lines(&[&format!("read {n}")]));
        append(&dir.path(), &format!("ly\nunread {n}\n"));
        fs::copy(dir.path(), dir.join(copy)).unwrap();
        dir.put("orders.log", "");
        append(&dir.path(), "after\n");
        let expected = [&[Seen::Copied][..], &lines(&["partly", &format!("unread {n}"), "after"])].concat();
        assert_eq!(seen(&mut follow), expected);
        // The copy is no new segment.
        fs::rename(dir.path(), dir.join("moved")).unwrap();
        dir.put("orders.log", "new\n");
        assert_eq!(seen(&mut follow), lines(&["new"]));
    }
}

#[test]
fn a_file_or_directory_that_was_removed_may_come_back() {
    let dir = Dir::new();
    fs::create_dir(dir.join("logs")).unwrap();
    let path = dir.join("logs/orders.log");
    append(&path, "1\n");
    let mut follow = Follow::from_end(Log::open(&path).unwrap()).unwrap();
    for n in 0..3 {
        append(&path, "before\n");
        fs::remove_file(&path).unwrap();
        if n == 1 {
            fs::remove_dir(dir.join("logs")).unwrap();
        }
        assert_eq!(seen(&mut follow), lines(&["before"]));
        fs::create_dir_all(dir.join("logs")).unwrap();
        append(&path, "back\n");
        assert_eq!(seen(&mut follow), lines(&["back"]));
    }
}

#[test]
fn a_line_beyond_the_limit_is_skipped_and_reported() {
    let dir = Dir::new();
    dir.put("orders.log", "");
    for limit in [5, 200_000] {
        let mut follow = from_end(&dir).max_line_bytes(limit);
        let long = "x".repeat(limit + 1);
        append(&dir.path(), &format!("a\n{}\n{long}", &long[1..]));
        let found = seen(&mut follow);
        assert_eq!(found[..2], [Seen::Line("a".into()), Seen::Line(long[1..].to_owned())]);
        assert!(matches!(&found[2..], [Seen::Error(error)] if error.contains("longer than the limit")), "{limit}");
        append(&dir.path(), &format!("{long}\nafter\n"));
        assert_eq!(seen(&mut follow), lines(&["after"]));
    }
}

/// The files of a dated path are listed once a second.
#[test]
fn the_file_of_the_next_period_is_followed() {
    let dir = Dir::new();
    dir.put("orders-2026-11-20.log", "1\n");
    let log = Log::open(dir.join("orders-%Y-%m-%d.log")).unwrap();
    let mut follow = Follow::from_start(log).unwrap();
    append(&dir.join("orders-2026-11-20.log"), "2\n");
    dir.put("orders-2026-11-21.log", "3\n");
    for expected in ["1", "2", "3"] {
        assert_eq!(next(&mut follow, PATIENCE), Some(Seen::Line(expected.into())));
    }
    append(&dir.join("orders-2026-11-21.log"), "4\n");
    assert_eq!(next(&mut follow, PATIENCE), Some(Seen::Line("4".into())));
}

#[cfg(feature = "gzip")]
#[test]
fn a_closed_file_is_read_once_and_what_cannot_be_read_is_reported_once() {
    let dir = Dir::new();
    dir.put("orders.log.1.gz", super::reading::gzip(b"1\n"));
    dir.put("orders.log", b"spanline-sealed\n\x01\x02");
    let mut closed = Follow::from_start(Log::open(dir.join("orders.log.1.gz")).unwrap()).unwrap();
    assert_eq!(seen(&mut closed), lines(&["1"]));
    assert_eq!(seen(&mut closed), []);
    let mut follow = Follow::from_start(dir.log()).unwrap();
    let found = seen(&mut follow);
    assert_eq!(found[0], Seen::Line("1".into()));
    assert!(matches!(&found[1..], [Seen::Error(error)] if error.contains("it is sealed")), "{found:?}");
    assert_eq!(seen(&mut follow), []);
    fs::rename(dir.path(), dir.join("sealed")).unwrap();
    dir.put("orders.log", "2\n");
    assert_eq!(seen(&mut follow), lines(&["2"]));
}

/// Random writes, rotations and truncations against a list of what was written.
#[test]
fn promise_49_any_sequence_of_writes_and_rotations_is_followed() {
    let mut random = 88_172_645_463_325_252_u64;
    let mut below = |limit: u64| {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        random % limit
    };
    for _ in 0..200 {
        let dir = Dir::new();
        dir.put("orders.log", "");
        let mut follow = from_end(&dir);
        let (mut written, mut read) = (Vec::new(), Vec::new());
        let mut numbers = BTreeMap::new();
        for step in 0..60 {
            match below(5) {
                0 | 1 => {
                    let text = format!("line {step}");
                    append(&dir.path(), &format!("{text}\n"));
                    written.push(text);
                }
                2 if fs::metadata(dir.path()).is_ok_and(|metadata| metadata.len() > 0) => {
                    let number = numbers.len() as u64 + 1;
                    numbers.insert(number, ());
                    fs::rename(dir.path(), dir.join(&closed(number))).unwrap();
                    #[cfg(feature = "gzip")]
                    if below(2) == 0 {
                        let plain = fs::read(dir.join(&closed(number))).unwrap();
                        dir.put(&format!("{}.gz", closed(number)), super::reading::gzip(&plain));
                        fs::remove_file(dir.join(&closed(number))).unwrap();
                    }
                    File::create(dir.path()).unwrap();
                }
                3 => read.extend(seen(&mut follow)),
                _ => {}
            }
        }
        read.extend(seen(&mut follow));
        assert_eq!(read, lines(&written.iter().map(String::as_str).collect::<Vec<_>>()));
    }
}
