//! The group and mode of the log's files, and who can hold its locks.
#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout)]

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::{MetadataExt, chown};
use std::path::{Path, PathBuf};
use std::process::Stdio;

use spanline::RollingFile;
use spanline::sink::{Control, Sink};

use crate::support::log_directory::{Dir, NOON, Play, at, compressing, later, mode, refusal, set_mode};
use crate::support::process::{Running, child_command, child_done, is_child, skip_to_own_part};
#[cfg(feature = "gzip")]
use crate::support::users::give;
use crate::support::users::{ATTACKER, SERVICE, as_user, is_root, may_play_users};

const PATH: &str = "SPANLINE_ATTRIBUTES_PATH";

/// A group that only root may give files to.
const SHIPPER: u32 = 40_404;

/// Returns mode and group of each file of the log but the lock file.
fn attributes(dir: &Dir) -> Vec<(u32, u32)> {
    let names = dir.names().into_iter().filter(|name| name.starts_with("orders."));
    names.map(|name| fs::metadata(dir.join(&name)).unwrap()).map(|found| (found.mode() & 0o7777, found.gid())).collect()
}

fn rotate(log: RollingFile) -> RollingFile {
    let mut log = compressing(log.rotate_bytes(2)).open();
    ["a", "b", "c"].iter().for_each(|text| log.put(text, NOON));
    log.close();
    log
}

#[test]
fn promise_53_later_and_compressed_files_get_group_and_mode_of_the_active_file() {
    let group = if is_root() { SHIPPER } else { rustix::process::getegid().as_raw() };
    for (given, kept) in [(0o640, 0o640), (0o600, 0o600), (0o644, 0o644), (0o4777, 0o664), (0o666, 0o664)] {
        let dir = Dir::new();
        fs::write(dir.path(), "x\n").unwrap();
        chown(dir.path(), None, Some(group)).unwrap();
        set_mode(&dir.path(), given);
        drop(rotate(dir.log()));
        let found = attributes(&dir);
        assert_eq!(found.len(), 4, "{:?}", dir.names());
        // The first segment is the file itself, unless it was compressed.
        let is_kept = |found: &&(u32, u32)| **found == (kept, group) || **found == (given, group);
        assert_eq!(found.iter().filter(is_kept).count(), 4, "{given:o}: {found:?}");
        assert!(
            cfg!(not(feature = "gzip")) || found.iter().all(|found| *found == (kept, group)),
            "{given:o}: {found:?}"
        );
    }
}

#[test]
fn promise_53_the_settings_give_group_and_mode() {
    let group = if is_root() { SHIPPER } else { rustix::process::getegid().as_raw() };
    let dir = Dir::new();
    drop(rotate(dir.log().file_mode(0o640).file_group(group)));
    assert_eq!(attributes(&dir), [(0o640, group); 3]);
    for mode in [0o666, 0o755, 0o4640, 0o1000] {
        let error = refusal(dir.log().file_mode(mode));
        assert!(error.contains(&format!("file_mode is {mode:04o}; expected bits of 0664 only")), "{error}");
    }
}

#[test]
fn promise_53_a_group_that_may_not_be_given_gets_no_access() {
    let test = this_test!();
    if is_child() {
        let mut log = RollingFile::new(std::env::var_os(PATH).unwrap()).rotate_bytes(2).open();
        for (text, seconds) in [("a", 0), ("b", 1), ("c", 2)] {
            if let Err(error) = log.try_put(text, later(at(NOON), seconds)) {
                println!("complaint: {error:#}");
            }
        }
        child_done();
    }
    if !may_play_users(test) {
        return;
    }
    let dir = Dir::new();
    fs::write(dir.path(), "x\n").unwrap();
    chown(dir.0.path(), Some(SERVICE), Some(SERVICE)).unwrap();
    chown(dir.path(), Some(SERVICE), Some(SHIPPER)).unwrap();
    set_mode(&dir.path(), 0o640);
    let mut command = child_command(test);
    as_user(&mut command, SERVICE);
    command.env(PATH, dir.path()).current_dir("/");
    let (told, _) = Running::start(command).finish();
    assert_eq!(told.matches("complaint: ").count(), 1, "{told}");
    assert!(told.contains("set the group of") && told.contains("not permitted"), "{told}");
    assert_eq!(attributes(&dir).last(), Some(&(0o600, SERVICE)));
    assert_eq!(dir.lines(), ["x", "a", "b", "c"]);
}

#[test]
fn promise_53_the_lock_file_is_for_its_own_user_only() {
    let dir = Dir::new();
    drop(rotate(dir.log().file_mode(0o664)));
    assert_eq!(mode(&dir.join(".orders.log.lock")), 0o600);
    // An earlier version gave it the mode of the log.
    set_mode(&dir.join(".orders.log.lock"), 0o644);
    drop(rotate(dir.log()));
    assert_eq!(mode(&dir.join(".orders.log.lock")), 0o600);
}

/// The attacker holds the lock of a log that it may read.
fn hold_locks(directory: &Path) {
    let active = File::open(directory.join("orders.log")).unwrap();
    active.lock().unwrap();
    let lock = File::open(directory.join(".orders.log.lock")).map_err(|error| error.kind());
    println!("{:?}", lock.err());
    std::io::stdout().flush().unwrap();
    std::io::stdin().read_line(&mut String::new()).unwrap();
}

#[test]
fn promise_26_a_lock_that_another_user_holds_prevents_neither_start_nor_rotation() {
    let test = this_test!();
    if is_child() {
        hold_locks(&PathBuf::from(std::env::var_os(PATH).unwrap()));
        child_done();
    }
    let dir = Dir::new();
    set_mode(dir.0.path(), 0o755);
    drop(rotate(dir.log().file_mode(0o644)));
    let mut file = File::options().append(true).open(dir.path()).unwrap();
    file.write_all(b"{\"torn\":").unwrap();
    let mut command = child_command(test);
    if may_play_users(test) {
        as_user(&mut command, ATTACKER);
    }
    command.env(PATH, dir.0.path()).current_dir("/").stdin(Stdio::piped());
    let mut attacker = Running::start(command);
    let mut told = BufReader::new(attacker.0.stdout.take().unwrap());
    skip_to_own_part(&mut told);
    let mut line = String::new();
    told.read_line(&mut line).unwrap();
    assert!(line == "Some(PermissionDenied)\n" || !is_root(), "the lock file can be opened: {line}");

    let mut log = dir.log().rotate_bytes(2).open();
    let error = log.try_put("d", at(NOON)).unwrap_err();
    assert!(format!("{error:#}").contains("another program holds its lock; spanline writes without one"), "{error:#}");
    log.put("e", NOON);
    assert_eq!(dir.lines(), ["a", "b", "c", "{\"torn\":", "d", "e"]);
    assert_eq!(dir.active(), "e\n", "it still rotates");
    drop(attacker.0.stdin.take());
    assert!(attacker.wait().success());
    log.put("f", NOON);
    log.control(Control::Close).unwrap();
}

/// Another user's lock on a closed segment keeps it from being compressed, and nothing else.
#[cfg(feature = "gzip")]
#[test]
fn promise_26_a_lock_on_a_segment_delays_its_compression_only() {
    let dir = Dir::new();
    drop(dir.log().rotate_bytes(2).open());
    let mut log = dir.log().rotate_bytes(2).keep_files(2).open();
    ["a", "b"].iter().for_each(|text| log.put(text, NOON));
    drop(log);
    let held = File::open(dir.join(&dir.segments()[0])).unwrap();
    held.lock_shared().unwrap();
    let mut log = dir.log().rotate_bytes(2).keep_files(2).gzip().open();
    log.put("c", NOON);
    log.close();
    assert!(dir.segments()[0].ends_with(".log"), "{:?}", dir.segments());
    drop(held);
    log.close_until(|| dir.is_compressed());
    assert_eq!(dir.lines(), ["a", "b", "c"]);
    if is_root() {
        give(&dir.join(&dir.segments()[0]), ATTACKER);
        let error = format!("{:#}", dir.log().rotate_bytes(2).open().try_put("d", at(NOON)).unwrap_err());
        assert!(error.contains("left alone"), "{error}");
    }
}
