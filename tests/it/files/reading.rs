//! The reading side returns each line of a log once, in the order written, whatever the writer does meanwhile.

use std::fs::{self, File, OpenOptions};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

use spanline::read::{self, Compression, Lines, Log};
use spanline::{Output, Overflow, RollingFile};
use tempfile::TempDir;
use tracing::subscriber::with_default;
use tracing_subscriber::layer::SubscriberExt;

use crate::support::wait::PATIENCE;

/// A directory with the log `orders.log` in it.
pub(super) struct Dir(pub(super) TempDir);

impl Dir {
    pub(super) fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub(super) fn join(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub(super) fn path(&self) -> PathBuf {
        self.join("orders.log")
    }

    pub(super) fn put(&self, name: &str, bytes: impl AsRef<[u8]>) {
        fs::write(self.join(name), bytes).unwrap();
    }

    pub(super) fn log(&self) -> Log {
        Log::open(self.path()).unwrap()
    }

    fn lines(&self) -> Vec<String> {
        texts(&mut self.log().lines().unwrap())
    }

    /// The names of the listed segments.
    fn names(&self) -> Vec<String> {
        let segments = self.log().segments().unwrap();
        segments.iter().map(|segment| segment.path().file_name().unwrap().to_str().unwrap().to_owned()).collect()
    }
}

pub(super) fn texts(lines: &mut Lines) -> Vec<String> {
    let mut texts = Vec::new();
    while let Some(line) = lines.next_line().unwrap() {
        texts.push(String::from_utf8(line.to_vec()).unwrap());
    }
    texts
}

/// The name of the closed segment number `n`.
pub(super) fn closed(n: u64) -> String {
    format!("orders.2026-11-20T1015{n:02}-{n:06}.log")
}

/// Logs `count` numbered events into `file`.
pub(super) fn write(file: RollingFile, count: u64) {
    let output = Output::new(file).overflow(Overflow::Block { max_wait: PATIENCE });
    let (layer, guard) = spanline::builder().filter("info").output(output).build().unwrap();
    with_default(tracing_subscriber::registry().with(layer), || {
        for number in 0..count {
            tracing::info!(number);
        }
    });
    guard.close().unwrap();
}

/// The numbers of the events in `lines`.
fn numbers(lines: &[String]) -> Vec<u64> {
    let number = |line: &String| {
        let line: serde_json::Value = serde_json::from_str(line).unwrap();
        line["number"].as_u64().unwrap()
    };
    lines.iter().map(number).collect()
}

fn check_rotated(dir: &Dir, compressed: Compression) {
    assert_eq!(numbers(&dir.lines()), (0..300).collect::<Vec<_>>());
    let segments = dir.log().segments().unwrap();
    assert!(segments.len() > 5, "{segments:?}");
    let (active, closed) = segments.split_last().unwrap();
    assert!(active.is_active() && active.compression() == Compression::Plain && active.period().is_none());
    assert_eq!(active.path(), dir.path());
    assert!(closed.iter().all(|segment| !segment.is_active() && segment.compression() == compressed), "{closed:?}");
    assert!(closed.is_sorted_by_key(read::Segment::period) && closed.iter().all(|segment| segment.period().is_some()));
    assert!(segments.iter().is_sorted_by_key(|segment| segment.written_at().unwrap()));
    let sequences: Vec<_> = closed.iter().map(|segment| segment.sequence().unwrap()).collect();
    assert_eq!(sequences, (1..=closed.len() as u64).collect::<Vec<_>>());
    for segment in &segments {
        assert_eq!(segment.bytes(), fs::metadata(segment.path()).unwrap().len());
        let one = Log::open(segment.path()).unwrap();
        if !segment.is_active() {
            assert_eq!(texts(&mut one.lines().unwrap()), texts(&mut segment.lines()));
        }
    }
}

#[test]
fn a_rotated_log_is_read_in_the_order_written() {
    let dir = Dir::new();
    write(RollingFile::new(dir.path()).rotate_bytes(4000), 300);
    check_rotated(&dir, Compression::Plain);
}

#[cfg(feature = "gzip")]
#[test]
fn segments_compressed_with_gzip_are_read() {
    let dir = Dir::new();
    write(RollingFile::new(dir.path()).rotate_bytes(4000).gzip(), 300);
    check_rotated(&dir, Compression::Gzip);
}

#[cfg(feature = "zstd")]
#[test]
fn segments_compressed_with_zstd_are_read() {
    let dir = Dir::new();
    write(RollingFile::new(dir.path()).rotate_bytes(4000).zstd(), 300);
    check_rotated(&dir, Compression::Zstd);
}

/// Writes 3,000 lines, and meanwhile lists and reads the log: each read has all lines up to some line.
#[cfg(feature = "gzip")]
fn read_while_written(dir: &Dir, file: RollingFile) {
    std::thread::scope(|scope| {
        let writer = scope.spawn(|| write(file, 3000));
        while !writer.is_finished() {
            let Ok(log) = Log::open(dir.path()) else { continue };
            // A listing of a log that rotates very fast may be refused, but is never wrong.
            let Ok(mut lines) = log.lines() else { continue };
            let mut read = Vec::new();
            while let Some(line) = lines.next_line().unwrap().map(<[u8]>::to_vec) {
                if !lines.is_torn() {
                    read.push(String::from_utf8(line).unwrap());
                }
            }
            let numbers = numbers(&read);
            assert_eq!(numbers, (0..numbers.len() as u64).collect::<Vec<_>>());
        }
    });
    assert_eq!(dir.lines().len(), 3000);
}

/// A reader on another thread lists and reads while the writer rotates and compresses.
#[cfg(feature = "gzip")]
#[cfg(unix)]
#[test]
fn promise_49_every_read_of_a_log_that_is_written_to_holds_each_line_once() {
    let dir = Dir::new();
    read_while_written(&dir, RollingFile::new(dir.path()).rotate_bytes(3000).gzip());
}

#[test]
fn a_directory_with_only_closed_segments_has_a_log() {
    let dir = Dir::new();
    dir.put("a.log.2", "one\n");
    dir.put("a.log.1", "two\n");
    for foreign in ["b.log.old", "b.log.0", "b.log.01", "b.log.+1", "c.txt.1", "notes.1"] {
        dir.put(foreign, "no line\n");
    }
    let [log] = &read::logs(dir.0.path()).unwrap()[..] else { panic!() };
    assert_eq!(log.path(), dir.join("a.log"));
    assert_eq!(texts(&mut log.lines().unwrap()), ["one", "two"]);
}

#[test]
fn foreign_files_are_ignored() {
    let dir = Dir::new();
    dir.put("orders.log", "active\n");
    dir.put(&closed(1), "closed\n");
    for foreign in [
        "orders.log.bak",
        "orders.log.01",
        "orders.secret.log",
        "stock.2026-11-20T101501-000001.log",
        ".orders.log.lock",
        ".orders.2026-11-20T101502-000002.log.gz.tmp",
        "orders.2026-11-20T101502-000002.log.bz2",
    ] {
        dir.put(foreign, "foreign\n");
    }
    fs::create_dir(dir.join(&closed(3))).unwrap();
    #[cfg(unix)]
    std::os::unix::fs::symlink(dir.join("orders.log.bak"), dir.join(&closed(4))).unwrap();
    assert_eq!(dir.lines(), ["closed", "active"]);
    assert_eq!(dir.names(), [closed(1), "orders.log".into()]);
}

/// The last write tells which came first.
#[test]
fn a_log_that_was_numbered_before_or_after_is_read_in_the_order_written() {
    for numbers_first in [true, false] {
        let dir = Dir::new();
        dir.put("orders.log.2", "a\n");
        dir.put("orders.log.1", "b\n");
        dir.put(&closed(1), "c\n");
        dir.put("orders.log", "d\n");
        let old = std::time::SystemTime::UNIX_EPOCH;
        let first = if numbers_first { "orders.log.1".to_owned() } else { closed(1) };
        File::options().append(true).open(dir.join(&first)).unwrap().set_modified(old).unwrap();
        let expected = if numbers_first { ["a", "b", "c", "d"] } else { ["c", "a", "b", "d"] };
        assert_eq!(dir.lines(), expected);
    }
}

/// A rotation renames numbered segments after they were listed.
#[cfg(unix)]
#[test]
fn a_numbered_segment_is_read_under_any_later_number() {
    let dir = Dir::new();
    dir.put("orders.log.1", "1\n");
    dir.put("orders.log", "2\n");
    let segments = dir.log().segments().unwrap();
    assert_eq!((segments[0].period(), segments[0].sequence()), (None, None));
    fs::rename(dir.join("orders.log.1"), dir.join("orders.log.2")).unwrap();
    fs::rename(dir.path(), dir.join("orders.log.1")).unwrap();
    assert_eq!(texts(&mut Lines::new(segments)), ["1", "2"]);
    assert_eq!(dir.lines(), ["1", "2"]);
}

/// A reader on another thread lists and reads while the writer renames and compresses.
#[cfg(feature = "gzip")]
#[cfg(unix)]
#[test]
fn every_read_of_a_numbered_log_that_is_written_to_holds_each_line_once() {
    let dir = Dir::new();
    read_while_written(&dir, RollingFile::new(dir.path()).rotate_bytes(20_000).keep_files(1000).numbered().gzip());
}

#[test]
fn a_log_without_an_active_file_is_read() {
    let dir = Dir::new();
    dir.put(&closed(2), "2\n");
    dir.put(&closed(1), "1\n");
    assert_eq!(dir.lines(), ["1", "2"]);
}

#[test]
fn a_missing_log_is_an_error_that_says_what_to_do() {
    let dir = Dir::new();
    dir.put("stock.log", "x\n");
    for path in [dir.path(), dir.join("missing/orders.log"), dir.join(&closed(1))] {
        let error = Log::open(&path).unwrap_err();
        assert!(error.is_invalid());
        let expected = "found neither this file nor a closed segment of it; pass the path that the program logs to";
        assert_eq!(error.to_string(), format!("open {}: {expected}", path.display()));
    }
    let error = read::segments(dir.0.path()).unwrap_err().to_string();
    assert!(error.contains("found a directory; pass the path of one log in it"), "{error}");
    let error = Log::open("").unwrap_err().to_string();
    assert!(error.contains("expected a path with a file name"), "{error}");
}

#[test]
fn a_log_whose_files_are_all_removed_becomes_empty() {
    let dir = Dir::new();
    dir.put("orders.log", "x\n");
    let log = dir.log();
    fs::remove_file(dir.path()).unwrap();
    assert!(log.segments().unwrap().is_empty());
    assert_eq!(log.lines().unwrap().next_line().unwrap(), None);
}

#[cfg(feature = "gzip")]
pub(super) fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    packed.write_all(bytes).unwrap();
    packed.finish().unwrap()
}

#[cfg(feature = "gzip")]
#[test]
fn a_segment_compressed_after_the_listing_is_read_in_its_new_form() {
    let dir = Dir::new();
    for n in 1..=2 {
        dir.put(&closed(n), format!("{n}\n"));
    }
    let mut lines = dir.log().lines().unwrap();
    for n in 1..=2 {
        dir.put(&format!("{}.gz", closed(n)), gzip(format!("{n}\n").as_bytes()));
        fs::remove_file(dir.join(&closed(n))).unwrap();
    }
    assert_eq!(texts(&mut lines), ["1", "2"]);
}

#[cfg(feature = "gzip")]
#[test]
fn a_segment_that_is_there_plain_and_compressed_is_read_once() {
    let dir = Dir::new();
    dir.put(&closed(1), "1\n");
    dir.put(&format!("{}.gz", closed(1)), gzip(b"1\n"));
    dir.put("orders.log", "2\n");
    assert_eq!(dir.lines(), ["1", "2"]);
    assert_eq!(dir.names(), [closed(1), "orders.log".into()]);
}

#[cfg(unix)]
#[test]
fn the_active_file_is_read_to_its_end_after_a_rotation() {
    let dir = Dir::new();
    dir.put("orders.log", "1\n");
    let segments = dir.log().segments().unwrap();
    fs::rename(dir.path(), dir.join(&closed(1))).unwrap();
    OpenOptions::new().append(true).open(dir.join(&closed(1))).unwrap().write_all(b"2\n").unwrap();
    dir.put("orders.log", "3\n");
    assert_eq!(texts(&mut Lines::new(segments.clone())), ["1", "2"]);
    // Each reader starts at the beginning.
    let mut text = String::new();
    segments[0].open().unwrap().read_to_string(&mut text).unwrap();
    assert_eq!(text, "1\n2\n");
    assert_eq!(dir.lines(), ["1", "2", "3"]);
}

#[test]
fn a_torn_last_line_is_returned_as_it_is() {
    let dir = Dir::new();
    dir.put(&closed(1), "1\n{\"torn");
    dir.put("orders.log", "\n2\n{\"under way");
    let mut lines = dir.log().lines().unwrap();
    let mut read = Vec::new();
    while let Some(line) = lines.next_line().unwrap().map(<[u8]>::to_vec) {
        read.push((String::from_utf8(line).unwrap(), lines.is_torn()));
    }
    let expected = [("1", false), ("{\"torn", true), ("", false), ("2", false), ("{\"under way", true)];
    assert_eq!(read, expected.map(|(line, torn)| (line.to_owned(), torn)));
}

#[test]
fn a_line_of_any_bytes_is_a_line() {
    let dir = Dir::new();
    dir.put("orders.log", b"\xff\xfe\0\r\n\x1b[2J\n\n{\"a\":1}\n");
    let mut lines = dir.log().lines().unwrap();
    for expected in [&b"\xff\xfe\0\r"[..], b"\x1b[2J", b"", b"{\"a\":1}"] {
        assert_eq!(lines.next_line().unwrap(), Some(expected));
    }
    assert_eq!(lines.next_line().unwrap(), None);
    assert_eq!(lines.next_line().unwrap(), None);
}

#[test]
fn a_line_longer_than_any_buffer_is_whole_up_to_the_limit_and_skipped_beyond_it() {
    let dir = Dir::new();
    let long = "x".repeat(3 << 20);
    dir.put("orders.log", format!("before\n{long}\nafter\n{long}"));
    assert_eq!(dir.lines(), ["before", &long, "after", &long]);
    for (limit, is_read) in [(long.len(), true), (long.len() - 1, false), (6, false)] {
        let mut lines = dir.log().lines().unwrap().max_line_bytes(limit);
        assert_eq!(lines.next_line().unwrap().unwrap(), b"before");
        for next in [Some(&b"after"[..]), None] {
            match lines.next_line() {
                Ok(line) => assert!(is_read && line == Some(long.as_bytes())),
                Err(error) => {
                    assert!(!is_read && error.is_rejected());
                    let error = error.to_string();
                    assert!(error.contains(&format!("longer than the limit of {limit} bytes")), "{error}");
                    assert!(error.contains("orders.log"), "{error}");
                }
            }
            assert_eq!(lines.next_line().unwrap(), next);
        }
    }
}

#[cfg(feature = "gzip")]
#[test]
fn a_compressed_file_of_any_name_is_read_alone() {
    let dir = Dir::new();
    dir.put("orders.log.1.gz", [gzip(b"1\n"), gzip(b"2\n")].concat());
    dir.put("orders.log", "3\n");
    let log = Log::open(dir.join("orders.log.1.gz")).unwrap();
    assert_eq!(texts(&mut log.lines().unwrap()), ["1", "2"]);
    assert_eq!(log.segments().unwrap()[0].compression(), Compression::Gzip);
}

#[cfg(not(feature = "zstd"))]
#[test]
fn a_form_that_is_not_compiled_in_is_an_error_that_names_its_feature() {
    let dir = Dir::new();
    dir.put(&format!("{}.zst", closed(1)), "x");
    dir.put("orders.log", "1\n");
    let mut lines = dir.log().lines().unwrap();
    let error = lines.next_line().unwrap_err();
    assert!(error.is_invalid());
    assert!(error.to_string().contains("enable spanline's feature `zstd`"), "{error}");
    assert_eq!(texts(&mut lines), ["1"]);
}

#[cfg(unix)]
#[test]
fn a_link_to_the_active_file_leads_to_its_segments() {
    let dir = Dir::new();
    fs::create_dir(dir.join("logs")).unwrap();
    dir.put("logs/orders.log", "2\n");
    dir.put(&format!("logs/{}", closed(1)), "1\n");
    std::os::unix::fs::symlink("logs/orders.log", dir.join("current")).unwrap();
    assert_eq!(texts(&mut Log::open(dir.join("current")).unwrap().lines().unwrap()), ["1", "2"]);
}

#[test]
fn the_logs_of_a_directory_are_found() {
    let dir = Dir::new();
    for name in ["a.log", &closed(1), "audit", ".audit.lock", ".gone.lock", "notes.txt", "a.log.bak"] {
        File::create(dir.join(name)).unwrap();
    }
    fs::create_dir(dir.join("folder.log")).unwrap();
    let names = |directory: &Path| -> Vec<_> {
        let logs = read::logs(directory).unwrap();
        logs.iter().map(|log| log.path().strip_prefix(directory).unwrap().to_owned()).collect()
    };
    assert_eq!(names(dir.0.path()), [Path::new("a.log"), Path::new("audit"), Path::new("orders.log")]);
    let error = read::logs(dir.join("missing")).unwrap_err().to_string();
    assert!(error.contains("missing"), "{error}");
}

#[test]
fn a_plain_file_is_read_by_position_also_after_a_rotation() {
    let dir = Dir::new();
    dir.put(&closed(1), "one\n");
    dir.put("orders.log", "two\nthree\n");
    fs::write(dir.join(&format!("{}.gz", closed(0))), "").unwrap();
    let segments = dir.log().segments().unwrap();
    let plain = |n: usize| segments[n].open_plain().unwrap();
    assert!(plain(0).is_none(), "compressed");
    fs::rename(dir.path(), dir.join(&closed(2))).unwrap();
    let mut bytes = [0; 16];
    let active = plain(2).unwrap();
    assert_eq!(active.bytes().unwrap(), 10);
    assert_eq!(active.clone().read_at(&mut bytes, 4).unwrap(), 6);
    assert_eq!(&bytes[..6], b"three\n");
    assert_eq!(active.read_at(&mut bytes, 10).unwrap(), 0);
    assert_eq!(plain(1).unwrap().read_at(&mut bytes, 0).unwrap(), 4);
    let raw = segments[2].open_raw().unwrap();
    assert_eq!((raw.read_at(&mut bytes, 0).unwrap(), raw.metadata().unwrap().len()), (10, 10));
    assert_eq!(segments[0].open_raw().unwrap().bytes().unwrap(), 0);
    fs::remove_file(dir.join(&closed(1))).unwrap();
    assert!(segments[1].open_plain().unwrap_err().to_string().contains("removed"));
}
