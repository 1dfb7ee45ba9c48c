//! After `chroot` the log stays where it is; a log that did not start leaves nothing behind.
#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout)]

use std::fs;
use std::os::unix::fs::chroot;
use std::path::{Path, PathBuf};

use spanline::sink::{Control, Sink};
use spanline::{Output, RollingFile};

use crate::support::log_directory::{Dir, NOON, Play, at, later, names, set_mode};
use crate::support::process::{Running, child_command, child_done, is_child};
use crate::support::users::{SERVICE, may_play_users};

const DIRECTORY: &str = "SPANLINE_JAIL_DIRECTORY";

/// In the child: the log's directory, and a jail in which the same path exists.
fn places() -> (PathBuf, PathBuf) {
    let directory = PathBuf::from(std::env::var_os(DIRECTORY).unwrap());
    let jail = directory.join("jail");
    fs::create_dir_all(jail.join(directory.strip_prefix("/").unwrap())).unwrap();
    (directory, jail)
}

fn enter(jail: &Path) {
    chroot(jail).unwrap();
    std::env::set_current_dir("/").unwrap();
}

/// Runs the child's part of `test` as root, and returns what it printed.
fn jailed(test: &str, dir: &Dir) -> Option<String> {
    if !may_play_users(test) {
        return None;
    }
    let mut command = child_command(test);
    command.env(DIRECTORY, dir.0.path()).current_dir(dir.0.path());
    Some(Running::start(command).finish().0)
}

fn assert_nothing_in_the_jail(dir: &Dir) {
    let inside = dir.join("jail").join(dir.0.path().strip_prefix("/").unwrap());
    assert!(names(&inside).is_empty(), "{:?}", names(&inside));
}

#[test]
fn promise_53_after_chroot_the_log_rotates_where_it_is() {
    let test = this_test!();
    if is_child() {
        let (directory, jail) = places();
        let mut log = RollingFile::new(directory.join("orders.log")).rotate_bytes(2).open();
        log.put("a", NOON);
        enter(&jail);
        ["b", "c"].iter().for_each(|text| log.put(text, NOON));
        log.control(Control::Reopen).unwrap();
        log.put("d", NOON);
        log.control(Control::Sync).unwrap();
        child_done();
    }
    let dir = Dir::new();
    if jailed(test, &dir).is_some() {
        assert_nothing_in_the_jail(&dir);
        assert_eq!(dir.closed(), ["a\n", "b\n", "c\n"]);
        assert_eq!(dir.active(), "d\n");
    }
}

#[test]
fn promise_53_without_rights_after_chroot_the_open_file_goes_on_and_a_complaint_says_why() {
    let test = this_test!();
    if is_child() {
        let (directory, jail) = places();
        let mut log = RollingFile::new(directory.join("orders.log")).rotate_bytes(2).open();
        log.put("a", NOON);
        enter(&jail);
        rustix::thread::set_thread_res_uid(
            rustix::process::Uid::from_raw(SERVICE),
            rustix::process::Uid::from_raw(SERVICE),
            rustix::process::Uid::from_raw(SERVICE),
        )
        .unwrap();
        let told = ["b", "c"].map(|text| log.try_put(text, later(at(NOON), 1)));
        println!("{told:?}");
        child_done();
    }
    let dir = Dir::new();
    if let Some(told) = jailed(test, &dir) {
        assert_nothing_in_the_jail(&dir);
        assert_eq!(dir.active(), "a\nb\nc\n");
        assert!(dir.segments().is_empty());
        assert!(told.starts_with("[Err(open ") && told.contains(".orders.log.lock: Permission denied"), "{told}");
        assert!(told.ends_with("Ok(())]\n"), "it is reported once in ten seconds: {told}");
    }
}

/// A daemon forks after it has changed its root, and the child opens its own file.
#[test]
fn promise_53_a_forked_child_in_a_jail_logs_where_its_parent_does() {
    let test = this_test!();
    if is_child() {
        let (_, jail) = places();
        let mut log = RollingFile::new("orders.log").rotate_bytes(2).open();
        log.put("a", NOON);
        enter(&jail);
        log.control(Control::Forked).unwrap();
        ["b", "c"].iter().for_each(|text| log.put(text, NOON));
        child_done();
    }
    let dir = Dir::new();
    if jailed(test, &dir).is_some() {
        assert_nothing_in_the_jail(&dir);
        assert_eq!(names(&dir.join("jail")), [dir.0.path().components().nth(1).unwrap().as_os_str().to_str().unwrap()]);
        assert_eq!(dir.closed(), ["a\n", "b\n"]);
        assert_eq!(dir.active(), "c\n");
    }
}

/// `daemon(3)` changes the current directory: a relative path stays what it was.
#[test]
fn promise_21_a_forked_child_keeps_a_relative_path() {
    let test = this_test!();
    if is_child() {
        let mut log = RollingFile::new("orders.log").open();
        log.put("a", NOON);
        let elsewhere = std::env::current_dir().unwrap().join("elsewhere");
        fs::create_dir(&elsewhere).unwrap();
        std::env::set_current_dir(elsewhere).unwrap();
        log.control(Control::Forked).unwrap();
        log.put("b", NOON);
        child_done();
    }
    let dir = Dir::new();
    let mut command = child_command(test);
    command.current_dir(dir.0.path());
    Running::start(command).finish();
    assert_eq!(dir.active(), "a\nb\n");
    assert!(names(&dir.join("elsewhere")).is_empty());
}

fn refused(outputs: Vec<Output>) -> String {
    let builder = outputs.into_iter().fold(spanline::builder(), spanline::Builder::output);
    format!("{:#}", builder.build::<tracing_subscriber::Registry>().err().unwrap())
}

#[test]
fn promise_30_a_log_that_does_not_start_leaves_no_empty_file() {
    let dir = Dir::new();
    fs::create_dir(dir.join("taken.log")).unwrap();
    fs::write(dir.join("old.log"), "").unwrap();
    fs::write(dir.join("used.log"), "line\n").unwrap();
    let output = |name: &str| Output::new(RollingFile::new(dir.join(name)).daily()).name(name);
    let error = refused(vec![output("new.log"), output("old.log"), output("used.log"), output("taken.log")]);
    assert!(error.contains("taken.log"), "{error}");
    let error = refused(vec![output("new.log"), output("other.log").output_filter("a=b=c")]);
    assert!(error.contains("a=b=c"), "{error}");
    assert_eq!(dir.names(), ["old.log", "taken.log", "used.log"], "what was there stays");
}

#[test]
fn promise_30_a_second_init_leaves_no_empty_file() {
    let test = this_test!();
    if is_child() {
        let directory = PathBuf::from(std::env::var_os(DIRECTORY).unwrap());
        let init = |name: &str| spanline::builder().output(Output::new(RollingFile::new(directory.join(name)))).init();
        let _guard = init("first.log").unwrap();
        println!("{:#}", init("second.log").unwrap_err());
        tracing::info!("a line");
        child_done();
    }
    let dir = Dir::new();
    let mut command = child_command(test);
    command.env(DIRECTORY, dir.0.path());
    let (told, _) = Running::start(command).finish();
    assert!(told.contains("already the global subscriber"), "{told}");
    assert_eq!(dir.names(), ["first.log"]);
}

#[test]
fn promise_30_a_closed_log_leaves_no_empty_file_and_writes_late_lines() {
    let dir = Dir::new();
    let mut log = dir.log().open();
    log.control(Control::Close).unwrap();
    assert!(dir.names().is_empty());
    log.put("late", NOON);
    assert_eq!(dir.active(), "late\n");
}

/// The file of a log that runs is there, also before its first line.
#[test]
fn an_empty_file_stays_while_the_log_runs() {
    let dir = Dir::new();
    let mut log = dir.log().open();
    assert_eq!(dir.active(), "");
    set_mode(&dir.path(), 0o640);
    log.put("a", NOON);
    drop(log);
    assert_eq!(dir.active(), "a\n");
}
