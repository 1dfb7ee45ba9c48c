//! The reading side meets damaged files, files that vanish, and what is no file at all. It reports each once and reads on.

use std::fs;
#[cfg(feature = "gzip")]
use std::io::Read;
use std::path::Path;

use spanline::RollingFile;
use spanline::read::{Lines, Log};

#[cfg(feature = "gzip")]
use crate::files::reading::gzip;
use crate::files::reading::{Dir, closed, texts, write};

/// Every line and every error, in order.
fn all(lines: &mut Lines) -> Vec<Result<Vec<u8>, String>> {
    let mut all = Vec::new();
    loop {
        match lines.next_line() {
            Ok(Some(line)) => all.push(Ok(line.to_vec())),
            Ok(None) => return all,
            Err(error) => {
                let source = std::error::Error::source(&error).map(|source| format!(": {source}"));
                all.push(Err(format!("{error}{}", source.unwrap_or_default())));
            }
        }
        assert!(all.len() < 100_000, "it never ends");
    }
}

/// Reads `packed` as a closed segment. Its lines come first, then the errors, then the line of the active file.
#[cfg(any(feature = "gzip", feature = "zstd"))]
fn damaged(dir: &Dir, suffix: &str, packed: &[u8]) -> (Vec<Vec<u8>>, Vec<String>) {
    let name = format!("{}{suffix}", closed(1));
    dir.put(&name, packed);
    dir.put("orders.log", "after\n");
    let mut read = all(&mut dir.log().lines().unwrap());
    assert_eq!(read.pop(), Some(Ok(b"after".to_vec())));
    let (lines, errors): (Vec<_>, Vec<_>) = read.into_iter().partition(Result::is_ok);
    let errors: Vec<_> = errors.into_iter().map(Result::unwrap_err).collect();
    assert!(errors.len() <= 1 && errors.iter().all(|error| error.contains(&name)), "{errors:?}");
    (lines.into_iter().map(Result::unwrap).collect(), errors)
}

/// A compressed file that ends anywhere gives a beginning of its lines and one error, and the next file is read.
#[cfg(any(feature = "gzip", feature = "zstd"))]
fn check(compression: &str, suffix: &str, pack: impl Fn(&[u8]) -> Vec<u8>) {
    let text: Vec<u8> = (0..40_u32)
        .flat_map(|number| format!("{{\"number\":{}}}\n", number.wrapping_mul(2_654_435_761)).into_bytes())
        .collect();
    let (one, other) = text.split_at(text.len() / 2);
    let (one, other) = (pack(one), pack(other));
    let packed = [&one[..], &other].concat();
    let dir = Dir::new();
    let (whole, errors) = damaged(&dir, suffix, &packed);
    assert_eq!((whole.join(&b'\n'), errors), (text.trim_ascii_end().to_vec(), Vec::new()));
    let expected = format!("expected {compression} data, found damage or an early end");
    let mut most = 0;
    for end in 0..packed.len() {
        let (lines, errors) = damaged(&dir, suffix, &packed[..end]);
        assert!(text.starts_with(&lines.join(&b'\n')), "cut to {end} bytes");
        match errors.first() {
            None => assert_eq!(end, one.len()),
            Some(error) => assert!(error.contains(&expected), "{error}"),
        }
        most = most.max(lines.len());
        // What a wrong byte gives depends on the format. The next file is read in any case.
        let mut wrong = packed.clone();
        wrong[end] ^= 0x55;
        damaged(&dir, suffix, &wrong);
    }
    assert!(most >= 20, "no line before the damage was read");
    let (lines, errors) = damaged(&dir, suffix, &[&packed[..], b"garbage"].concat());
    assert!(lines == whole && errors[0].contains(&expected), "{errors:?}");
}

#[cfg(feature = "gzip")]
#[test]
fn a_gzip_file_cut_or_damaged_anywhere_is_read_up_to_there() {
    check("gzip", ".gz", gzip);
}

#[cfg(feature = "zstd")]
#[test]
fn a_zstd_file_cut_or_damaged_anywhere_is_read_up_to_there() {
    check("zstd", ".zst", |bytes| zstd::encode_all(bytes, 3).unwrap());
}

#[cfg(feature = "gzip")]
#[test]
fn a_damaged_segment_gives_its_lines_then_an_error_with_its_path_then_the_next_segment() {
    let dir = Dir::new();
    let mut packed = gzip(b"1\n2\n3");
    packed.truncate(packed.len() - 6);
    let name = format!("{}.gz", closed(1));
    dir.put(&name, packed);
    dir.put("orders.log", "4\n");
    let mut lines = dir.log().lines().unwrap();
    for expected in ["1", "2", "3"] {
        assert_eq!(lines.next_line().unwrap(), Some(expected.as_bytes()));
    }
    assert!(lines.is_torn());
    let error = lines.next_line().unwrap_err().to_string();
    assert!(error.contains(&name), "{error}");
    assert_eq!(lines.segment().unwrap().path(), dir.join(&name));
    assert_eq!(texts(&mut lines), ["4"]);

    dir.put(&name, "not gzip");
    let mut reader = dir.log().segments().unwrap()[0].open().unwrap();
    let error = reader.read_to_end(&mut Vec::new()).unwrap_err().to_string();
    assert!(error.contains(&name), "{error}");
}

/// The closed segments that were removed are reported where their lines would be.
#[test]
fn a_segment_removed_after_the_listing_is_an_error_and_the_next_one_is_read() {
    let dir = Dir::new();
    for n in 1..=3 {
        dir.put(&closed(n), format!("{n}\n"));
    }
    let segments = dir.log().segments().unwrap();
    let mut lines = dir.log().lines().unwrap();
    fs::remove_file(dir.join(&closed(1))).unwrap();
    fs::remove_file(dir.join(&closed(2))).unwrap();
    let gone = |n| {
        format!(
            "open {}: it was removed after it was listed; its lines are missing here",
            dir.join(&closed(n)).display()
        )
    };
    let error = segments[1].open().unwrap_err();
    assert!(error.is_retryable() && error.to_string() == gone(2), "{error}");
    assert_eq!(all(&mut lines), [Err(gone(1)), Err(gone(2)), Ok(b"3".to_vec())]);
}

/// Retention removes files while they are read. No line is read twice, and no line is missing without an error.
#[cfg(unix)]
#[test]
fn every_gap_that_retention_leaves_is_reported() {
    let dir = Dir::new();
    let mut gaps = 0;
    std::thread::scope(|scope| {
        let writer = scope.spawn(|| write(RollingFile::new(dir.path()).rotate_bytes(3000).keep_files(2), 6000));
        while !writer.is_finished() {
            let Ok(log) = Log::open(dir.path()) else { continue };
            let Ok(mut lines) = log.lines() else { continue };
            let (mut next, mut is_reported) = (None, false);
            loop {
                let line = match lines.next_line() {
                    Ok(None) => break,
                    Ok(Some(line)) => line.to_vec(),
                    Err(error) => {
                        assert!(error.to_string().contains("it was removed after it was listed"), "{error}");
                        (gaps, is_reported) = (gaps + 1, true);
                        continue;
                    }
                };
                if lines.is_torn() {
                    break;
                }
                let line: serde_json::Value = serde_json::from_slice(&line).unwrap();
                let number = line["number"].as_u64().unwrap();
                assert!(next.is_none_or(|next| number == next || (number > next && is_reported)), "{number} {next:?}");
                (next, is_reported) = (Some(number + 1), false);
            }
        }
    });
    println!("{gaps} segments vanished");
}

#[test]
fn empty_files_have_no_lines() {
    let dir = Dir::new();
    dir.put(&closed(1), "");
    dir.put(&closed(2), "2\n");
    dir.put("orders.log", "");
    assert_eq!(texts(&mut dir.log().lines().unwrap()), ["2"]);
}

/// In the place of a log, at its path and at the path of a segment.
#[cfg(unix)]
#[test]
fn what_is_not_a_regular_file_is_refused_and_never_waited_for() {
    let refused = |path: &Path, expected: &str| {
        let error = Log::open(path).unwrap_err();
        assert!(error.is_invalid());
        let error = error.to_string();
        let expected = format!("open {}: expected a log's active file, found {expected}", path.display());
        assert!(error.starts_with(&expected), "{error}");
    };
    let dir = Dir::new();
    for path in ["fifo", "fifo.gz", &closed(1)].map(|name| dir.join(name)) {
        assert!(std::process::Command::new("mkfifo").arg(&path).status().unwrap().success());
        refused(&path, "a FIFO, a socket or a device; pass the path of a log");
    }
    let _socket = std::os::unix::net::UnixListener::bind(dir.join("socket")).unwrap();
    refused(&dir.join("socket"), "a FIFO, a socket or a device");
    refused(Path::new("/dev/null"), "a FIFO, a socket or a device");
    refused(Path::new("/"), "a directory; pass the path of one log in it");

    // It has taken the log's place since the log was opened.
    dir.put("orders.log", "1\n");
    let log = dir.log();
    fs::remove_file(dir.path()).unwrap();
    fs::rename(dir.join("fifo"), dir.path()).unwrap();
    let error = log.lines().unwrap().next_line().unwrap_err();
    let source = std::error::Error::source(&error).unwrap().to_string();
    assert_eq!(source, "expected a regular file, found a FIFO, a socket or a device");
    assert_eq!(error.to_string(), format!("open {}", dir.path().display()));
}
