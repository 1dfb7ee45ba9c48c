//! The other side of the tests of this chapter that need a second process.
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout)]

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use spanline::RollingFile;
use spanline::sink::{Control, Lines, Sink};
use tracing::Level;

use crate::support::log_directory::{NOON, Play, at, compressing, later, lines};

/// What the child process does; see [`child`].
const ROLE: &str = "SPANLINE_ROTATE_ROLE";
const PATH: &str = "SPANLINE_ROTATE_PATH";

/// A process that runs [`child_process`] in the given role.
pub(crate) fn child(role: &str, path: &Path) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command
        .args(["--exact", "files::child_process::child_process", "--nocapture", "--test-threads=1"])
        .env(ROLE, role)
        .env(PATH, path);
    command
}

/// Runs `count` processes at once, each of which writes `each` lines.
pub(crate) fn run_together(role: &str, path: &Path, count: usize, each: usize) {
    let start = |id: usize| {
        let mut command = child(role, path);
        command.env("ID", id.to_string()).env("EACH", each.to_string()).stdin(Stdio::piped()).stdout(Stdio::null());
        command.spawn().unwrap()
    };
    let mut children: Vec<Child> = (0..count).map(start).collect();
    // All wait for their input to end, so that none has finished before the last one starts.
    children.iter_mut().for_each(|child| drop(child.stdin.take()));
    assert!(children.iter_mut().all(|child| child.wait().unwrap().success()));
}

/// Checks that `lines` are those of `count` processes, `each` of each in order, and no others.
pub(crate) fn assert_lines_of(lines: &[String], count: usize, each: usize) {
    let mut next = BTreeMap::new();
    for line in lines {
        let parts = line.strip_prefix("process ").and_then(|rest| rest.split_once(" line "));
        let Some((id, n)) = parts else { panic!("a line of nobody's: {line:?}") };
        let expected = next.entry(id.to_owned()).or_insert(0);
        assert_eq!(n.trim_end_matches('.').parse::<usize>().unwrap(), *expected, "{line}");
        *expected += 1;
    }
    assert_eq!(next.into_values().collect::<Vec<_>>(), vec![each; count]);
}

/// Runs a process that writes lines from number `first` on, and kills it once it has told `count` times how far it is.
/// Returns the last number told.
pub(crate) fn told_until_killed(role: &str, path: &Path, first: usize, count: usize) -> usize {
    let mut child = child(role, path).env("FIRST", first.to_string()).stdout(Stdio::piped()).spawn().unwrap();
    let mut said = BufReader::new(child.stdout.take().unwrap()).lines();
    let numbers = said.by_ref().filter_map(|line| line.unwrap().strip_prefix("wrote ")?.parse().ok());
    let told = numbers.take(count).last().unwrap();
    child.kill().unwrap();
    child.wait().unwrap();
    told
}

#[test]
fn child_process() {
    let Ok(role) = std::env::var(ROLE) else { return };
    let log = RollingFile::new(std::env::var(PATH).unwrap());
    match role.as_str() {
        "local_midnight" => {
            let mut log = log.daily().local_time().open();
            log.put("winter", "2026-03-28T22:59:59Z");
            log.put("23 hours", "2026-03-28T23:00:00Z");
            log.put("23 hours", "2026-03-29T21:59:59Z");
            log.put("summer", "2026-03-29T22:00:00Z");
        }
        "local_hours" => {
            let mut log = log.hourly().local_time().open();
            for (text, time) in [
                ("23:30", "2026-10-24T23:30:00Z"),
                ("00:30", "2026-10-25T00:30:00Z"),
                ("01:30", "2026-10-25T01:30:00Z"),
                ("02:30", "2026-10-25T02:30:00Z"),
                ("03:30", "2026-10-25T03:30:00Z"),
            ] {
                log.put(text, time);
            }
        }
        #[cfg(unix)]
        "modes" => rotate_once(log),
        #[cfg(unix)]
        "modes_set" => rotate_once(log.file_mode(0o644).directory_mode(0o711)),
        "one_of_two_dated" => write_dated(log.daily().rotate_bytes(2_000)),
        "write_until_killed" => write_until_killed(log),
        "one_of_four" => write_as_one_of_four(log),
        "numbered_until_killed" => write_until_killed(log.keep_files(1000).numbered()),
        "one_of_four_numbered" => write_as_one_of_four(log.keep_files(1000).numbered()),
        _ => full_disk(log, &role),
    }
}

#[cfg(unix)]
fn rotate_once(log: RollingFile) {
    let mut log = compressing(log).open();
    log.put("a", NOON);
    log.control(Control::Rotate).unwrap();
    log.close();
}

fn number(name: &str) -> usize {
    std::env::var(name).unwrap().parse().unwrap()
}

fn write_until_killed(log: RollingFile) {
    let mut log = compressing(log).rotate_bytes(2_000).open();
    for n in number("FIRST").. {
        log.put(&format!("line {n}"), NOON);
        if n % 20 == 0 {
            println!("wrote {n}");
        }
    }
}

/// Writes a file for each of ten days.
fn write_dated(log: RollingFile) {
    let mut log = log.open();
    let (id, each) = (number("ID"), number("EACH") as i64);
    std::io::stdin().read_to_end(&mut Vec::new()).unwrap();
    for n in 0..each {
        let mut batch = lines(&[&format!("process {id} line {n}")], later(at(NOON), n * 864));
        while !batch.is_empty() {
            let _ = log.write(&mut batch);
        }
    }
    log.close();
}

fn write_as_one_of_four(log: RollingFile) {
    let mut log = compressing(log).rotate_bytes(20_000).open();
    let (id, each) = (number("ID"), number("EACH"));
    std::io::stdin().read_to_end(&mut Vec::new()).unwrap();
    let mut n = 0;
    while n < each {
        let mut batch = Lines::default();
        for _ in 0..=(n * 7 + id) % 50 {
            if n < each {
                let line = format!("process {id} line {n}{}", ".".repeat(n % 90));
                batch.push_line(line.as_bytes(), Level::INFO, at(NOON));
                n += 1;
            }
        }
        while !batch.is_empty() {
            // A rotation may fail for now; lines must not.
            let _ = log.write(&mut batch);
        }
    }
    log.control(Control::Close).unwrap();
}

/// Meets a full disk, which is then freed, in the middle of the second line.
fn full_disk(log: RollingFile, role: &str) {
    let path = PathBuf::from(std::env::var(PATH).unwrap());
    let mut log = log.open();
    let other = File::options().append(true).open(&path).unwrap();
    if role != "full_disk" {
        other.lock_shared().unwrap();
    }
    let long = "x".repeat(6000);
    let mut batch = lines(&["first", &long, "last"], at(NOON));
    let error = log.write(&mut batch).unwrap_err();
    assert!(error.is_retryable() && error.to_string().contains("orders.log"), "{error}");
    assert_eq!(batch.at_line_start(), role == "full_disk");
    assert_eq!(fs::metadata(&path).unwrap().len(), if role == "full_disk" { 6 } else { 4096 });
    log.write(&mut batch).unwrap_err();
    let own = std::process::id().to_string();
    assert!(Command::new("prlimit").args(["--fsize=unlimited", "--pid", &own]).status().unwrap().success());
    match role {
        "full_disk_contended" => (&other).write_all(b"\ntheirs\n").unwrap(),
        "full_disk_renamed" => fs::rename(&path, path.with_extension("log.1")).unwrap(),
        _ => {}
    }
    log.write(&mut batch).unwrap();
    assert!(batch.is_empty());
}
