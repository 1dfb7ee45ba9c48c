//! `spanline ls`: columns, directories, hostile names.

use std::fs::{self, File};
use std::time::{Duration, UNIX_EPOCH};

use crate::{Dir, failed, printed};

const OLD: &str = "orders.2026-11-19T101538-000041.log.gz";
const NEW: &str = "orders.2026-11-20T101538-000042.log";

/// When the first file was last written to: 2026-11-20T10:15:37Z.
const WRITTEN: u64 = 1_795_169_737;

fn two_logs() -> Dir {
    let dir = Dir::new();
    dir.put(&format!("logs/{NEW}"), "1\n");
    dir.put(&format!("logs/{OLD}"), [0; 1234]);
    dir.put("logs/orders.log", "22\n");
    dir.put("logs/stock.log", "");
    dir.put("logs/orders.log.bak", "foreign");
    for (days, name) in [OLD, NEW, "orders.log", "stock.log"].into_iter().enumerate() {
        let written = UNIX_EPOCH + Duration::from_secs(WRITTEN + 86_400 * days as u64);
        let file = File::options().append(true).open(dir.path().join("logs").join(name)).unwrap();
        file.set_modified(written).unwrap();
    }
    dir
}

#[test]
fn the_files_of_a_log_are_listed_in_the_order_written() {
    let expected = format!(
        "\
PERIOD              WRITTEN               BYTES  FORM   PATH
2026-11-19T101538   2026-11-20T10:15:37Z   1234  gzip   logs/{OLD}
2026-11-20T101538   2026-11-21T10:15:37Z      2  plain  logs/{NEW}
-                   2026-11-22T10:15:37Z      3  plain  logs/orders.log
"
    );
    assert_eq!(two_logs().run(&["ls", "logs/orders.log"]), printed(&expected));
}

#[test]
fn a_directory_stands_for_the_logs_in_it() {
    let dir = two_logs();
    let done = dir.run(&["ls", "logs"]);
    assert_eq!((done.status, done.stderr.as_str()), (0, ""));
    let stock = "-                   2026-11-23T10:15:37Z      0  plain  logs/stock.log\n";
    assert!(done.stdout.ends_with(stock), "{}", done.stdout);
    assert_eq!(done.stdout, dir.run(&["ls", "logs/orders.log"]).stdout + stock);

    dir.put("here.log", "");
    let done = dir.run(&["ls"]);
    assert!(done.stdout.ends_with("plain  here.log\n"), "{}", done.stdout);
    assert_eq!(done, dir.run(&["ls", "."]));
}

#[test]
fn one_closed_segment_is_listed_alone() {
    let done = two_logs().run(&["ls", &format!("logs/{OLD}")]);
    assert_eq!(done.stdout.lines().count(), 2);
    assert!(done.stdout.ends_with(&format!("1234  gzip   logs/{OLD}\n")), "{}", done.stdout);
}

#[test]
fn a_path_without_a_log_fails_and_the_others_are_listed() {
    let dir = two_logs();
    let done = dir.run(&["ls", "logs/missing.log", "logs/stock.log"]);
    assert_eq!(done.status, 1);
    assert!(done.stdout.ends_with("plain  logs/stock.log\n"), "{}", done.stdout);
    let expected = "spanline: open logs/missing.log: found neither this file nor a closed segment of it; pass the path \
                    that the program logs to\n";
    assert_eq!(done.stderr, expected);

    fs::create_dir(dir.path().join("empty")).unwrap();
    let expected = "spanline: list empty: found no log in this directory; pass the path of a log whose name does not \
                    end in .log\n";
    assert_eq!(dir.run(&["ls", "empty"]), failed(expected));
}

#[cfg(unix)]
#[test]
fn no_file_name_controls_the_terminal() {
    let dir = Dir::new();
    dir.put("a\x1b[2J\r\n\u{9b}31m\u{202e}.log", "");
    let done = dir.run(&["ls"]);
    assert!(done.stdout.ends_with("  a\\u{1b}[2J\\r\\n\\u{9b}31m\\u{202e}.log\n"), "{}", done.stdout);
    assert_eq!(done.stdout.lines().count(), 2);
    let done = dir.run(&["ls", "missing\x1b[2J"]);
    assert!(done.stderr.starts_with("spanline: open missing\\u{1b}[2J: "), "{}", done.stderr);
}

#[test]
fn a_file_that_several_paths_lead_to_is_listed_once() {
    let dir = two_logs();
    let whole = dir.run(&["ls", "logs/orders.log"]);
    assert_eq!(dir.run(&["ls", "logs/orders.log", "logs/orders.log", &format!("logs/{OLD}")]), whole);
    let run = dir.run(&["ls", &format!("logs/{OLD}"), &format!("logs/{NEW}"), "logs/orders.log"]);
    assert_eq!(run.stdout.lines().count(), whole.stdout.lines().count());
}

/// A name that is not UTF-8 is no log's. Its folder's may be.
#[cfg(target_os = "linux")]
#[test]
fn names_that_are_not_utf_8_are_escaped() {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;
    let dir = Dir::new();
    let folder = OsStr::from_bytes(b"a\xff\x1b");
    fs::create_dir(dir.path().join(folder)).unwrap();
    let run = crate::done(dir.command(&["ls"]).arg(folder).output().unwrap());
    assert!(run.stderr.starts_with("spanline: list a\\xff\\u{1b}: found no log"), "{}", run.stderr);
    fs::write(dir.path().join(folder).join("x.log"), "").unwrap();
    let run = crate::done(dir.command(&["ls"]).arg(folder).output().unwrap());
    assert!(run.stdout.ends_with("  a\\xff\\u{1b}/x.log\n"), "{}", run.stdout);
    let run = crate::done(dir.command(&["cat"]).arg(OsStr::from_bytes(b"\xff.log")).output().unwrap());
    assert_eq!(run.status, 1);
    assert!(run.stderr.ends_with("expected a path with a file name in UTF-8\n"), "{}", run.stderr);
}
