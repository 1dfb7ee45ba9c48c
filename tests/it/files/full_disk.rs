//! Disks that fill up: a small file system in a mount namespace. Where mounts are refused, a limit on the size of the
//! process's files stands in for the full disk, and the test reports that.
#![cfg(unix)]

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use spanline::record::Timestamp;
use spanline::{Handle, Output, Overflow, RollingFile};
use tracing::{Dispatch, Level};

use crate::support::faults::{Complaints, built, within};
use crate::support::ledger::{balance, in_order, log, read};
use crate::support::process::{Running, child_behind, child_done, is_child};
use crate::support::stage::NOW;
use crate::support::wait::{PATIENCE, until};
use crate::support::{log_directory, witness};

const DISK: &str = "SPANLINE_DISK";

/// In a child: the disk that the test may fill.
struct Disk {
    directory: PathBuf,
    is_mounted: bool,
}

impl Disk {
    /// `options` of the file system.
    fn new(options: &str) -> Self {
        let directory = PathBuf::from(std::env::var_os(DISK).unwrap());
        let is_mounted = std::env::var_os("SPANLINE_MAY_MOUNT").is_some();
        if is_mounted {
            let mount = Command::new("mount").args(["-t", "tmpfs", "-o", options, "none"]).arg(&directory).status();
            assert!(mount.unwrap().success(), "no tmpfs, though there may be mounts");
        }
        Self { directory, is_mounted }
    }

    fn log(&self) -> PathBuf {
        self.directory.join("it.log")
    }

    /// Leaves no room: not a page, and in a file that is limited no more than a few lines.
    fn fill(&self) {
        if !self.is_mounted {
            return limit_files("20000:unlimited");
        }
        let mut ballast = File::create(self.directory.join("ballast")).unwrap();
        while ballast.write_all(&[0; 4096]).is_ok() {}
    }

    fn make_room(&self) {
        match self.is_mounted {
            true => fs::remove_file(self.directory.join("ballast")).unwrap(),
            false => limit_files("unlimited"),
        }
    }
}

fn limit_files(bytes: &str) {
    let own = std::process::id().to_string();
    let limit = Command::new("prlimit").args([&format!("--fsize={bytes}"), "--pid", &own]).status();
    assert!(limit.unwrap().success());
}

/// Runs the child's part of `test`, where it may mount or at least have its files limited.
#[track_caller]
fn with_disk(test: &str) {
    let directory = tempfile::tempdir().unwrap();
    let tried = Command::new("unshare").args(["-Urm", "mount", "-t", "tmpfs", "none"]).arg(directory.path()).status();
    let mut command = match tried.is_ok_and(|status| status.success()) {
        true => {
            let mut command = child_behind("unshare", &["-Urm"], test);
            command.env("SPANLINE_MAY_MOUNT", "1");
            command
        }
        false => {
            eprintln!("{test}: no mounts here; the size of the process's files is limited instead");
            child_behind("sh", &["-c", "trap '' XFSZ; exec \"$0\" \"$@\""], test)
        }
    };
    command.env(DISK, directory.path());
    let (stdout, stderr) = Running::start(command).finish();
    assert!(stdout.ends_with("done\n"), "{stdout}{stderr}");
}

fn retries(handle: &Handle) -> u64 {
    handle.metrics().outputs[0].retries
}

/// Four threads that log `lines` each, from line `first` on.
fn log_on_four(dispatch: &Dispatch, first: u64, lines: u64, meanwhile: impl FnOnce()) {
    std::thread::scope(|scope| {
        for thread in 0..4 {
            scope.spawn(move || {
                within(dispatch, || (first..first + lines).for_each(|seq| log(Level::INFO, thread, seq)));
            });
        }
        meanwhile();
    });
}

/// Fills the disk and makes room, several times over, under threads that log all the while.
fn fill_again_and_again(rolling: impl FnOnce(RollingFile) -> RollingFile, max_bytes: u64) {
    const ROUNDS: u64 = 5;
    const LINES: u64 = 500;
    let disk = Disk::new("size=4m");
    let output = Output::new(rolling(RollingFile::new(disk.log()))).name("out");
    let output = output.overflow(Overflow::Block { max_wait: PATIENCE }).queue_bytes(max_bytes);
    let complaints = Complaints::default();
    let (dispatch, guard) = built(spanline::builder().on_complaint(complaints.hook()).output(output));
    let handle = guard.handle();
    for round in 0..ROUNDS {
        disk.fill();
        let before = retries(&handle);
        log_on_four(&dispatch, round * LINES, LINES, || {
            // What is compressed meanwhile may make room for all of the lines.
            let all = 4 * (round + 1) * LINES;
            until("the disk to be full", || {
                retries(&handle) >= before + 4 || handle.metrics().outputs[0].written.total() == all
            });
            // What is there by now is whole lines, but for a last one that was begun.
            let text = witness::texts(&disk.log()).concat();
            read(&text[..text.rfind('\n').map_or(0, |end| end + 1)]);
            disk.make_room();
        });
        handle.flush(PATIENCE).unwrap();
    }
    guard.close().unwrap();
    let text = witness::texts(&disk.log()).concat();
    assert_eq!(in_order(&balance(&handle.metrics().outputs[0], &text)) as u64, 4 * ROUNDS * LINES);
    let full = ["No space left", "File too large"];
    let all = complaints.all();
    assert!(all.iter().any(|text| full.iter().any(|full| text.contains(full))), "{all:?}");
    assert!(all.len() <= 4, "one for each reason: {all:#?}");
    println!("done");
    child_done();
}

#[test]
fn promise_03_promise_04_a_file_on_a_disk_that_fills_up_again_and_again() {
    let name = this_test!();
    if is_child() {
        fill_again_and_again(|file| file, 8 << 20);
    }
    with_disk(name);
}

#[test]
fn promise_03_promise_04_callers_wait_for_a_disk_that_is_full() {
    let name = this_test!();
    if is_child() {
        fill_again_and_again(|file| file, 64 << 10);
    }
    with_disk(name);
}

#[test]
fn promise_03_promise_04_a_rolling_file_on_a_disk_that_fills_up() {
    let name = this_test!();
    if is_child() {
        fill_again_and_again(|file| file.rotate_bytes(60_000), 8 << 20);
    }
    with_disk(name);
}

#[cfg(feature = "gzip")]
#[test]
fn promise_03_promise_28_segments_are_compressed_on_a_disk_that_fills_up() {
    let name = this_test!();
    if is_child() {
        fill_again_and_again(|file| file.rotate_bytes(60_000).gzip(), 8 << 20);
    }
    with_disk(name);
}

/// A disk may have room and yet no place for one more file.
#[test]
fn promise_24_a_rotation_that_no_file_can_be_made_for_is_made_up_for() {
    let name = this_test!();
    if is_child() {
        let disk = Disk::new("size=4m,nr_inodes=12");
        if disk.is_mounted {
            rotate_without_inodes(&disk);
        } else {
            eprintln!("without mounts the number of files cannot be limited: `rotate` has its lock file taken instead");
        }
        println!("done");
        child_done();
    }
    with_disk(name);
}

fn rotate_without_inodes(disk: &Disk) {
    let seconds = Arc::new(AtomicI64::new(0));
    let clock = Arc::clone(&seconds);
    let output = Output::new(RollingFile::new(disk.log()).rotate_bytes(5_000)).name("out");
    let (dispatch, guard) = built(
        spanline::builder()
            .on_complaint(|_| {})
            .clock(move || Timestamp::from_nanos(NOW.as_nanos() + clock.load(Ordering::Relaxed) * 1_000_000_000))
            .output(output),
    );
    let handle = guard.handle();
    let segments = || witness::texts(&disk.log()).len() - 1;
    let mut seq = 0;
    let mut log_some = |lines: u64| {
        within(&dispatch, || (seq..seq + lines).for_each(|seq| log(Level::INFO, 0, seq)));
        seq += lines;
        handle.flush(PATIENCE).unwrap();
    };
    while segments() == 0 {
        log_some(5);
    }
    let begun = segments();
    let plants: Vec<_> =
        (0..).map(|n| disk.directory.join(format!("plant.{n}"))).take_while(|p| File::create(p).is_ok()).collect();
    assert!(!plants.is_empty() && plants.len() < 12);
    (0..5).for_each(|_| log_some(20));
    assert_eq!(segments(), begun, "there is no place for one");
    assert!(fs::metadata(disk.log()).unwrap().len() > 10_000, "lines go on into the old file");
    plants.iter().for_each(|plant| fs::remove_file(plant).unwrap());
    seconds.store(30, Ordering::Relaxed);
    log_some(1);
    assert_eq!(segments(), begun + 1);
    guard.close().unwrap();
    let text = witness::texts(&disk.log()).concat();
    assert_eq!(in_order(&balance(&handle.metrics().outputs[0], &text)) as u64, seq);
    assert!(log_directory::read(&disk.log()).lines().count() < 10);
}

/// Opening a log on a full disk returns at once.
#[test]
fn promise_30_a_full_disk_at_the_start_is_an_error_or_is_waited_for() {
    let name = this_test!();
    if is_child() {
        let disk = Disk::new("size=1m,nr_inodes=8");
        fs::write(disk.log(), "{\"torn\":").unwrap();
        disk.fill();
        let output = Output::new(RollingFile::new(disk.log())).name("out");
        let (dispatch, guard) = built(spanline::builder().on_complaint(|_| {}).output(output));
        let handle = guard.handle();
        within(&dispatch, || (0..100).for_each(|seq| log(Level::INFO, 0, seq)));
        if disk.is_mounted {
            while File::create(disk.directory.join(format!("plant.{}", witness::now()))).is_ok() {}
            let error = refusal(&disk.directory.join("other.log"));
            assert!(error.contains("other.log") && error.contains("No space left"), "{error}");
        }
        disk.make_room();
        handle.flush(PATIENCE).unwrap();
        guard.close().unwrap();
        let text = log_directory::read(&disk.log());
        let lines = text.strip_prefix("{\"torn\":\n").unwrap_or_else(|| panic!("{text}"));
        assert_eq!(in_order(&read(lines)), 100);
        println!("done");
        child_done();
    }
    with_disk(name);
}

fn refusal(path: &Path) -> String {
    let builder = spanline::builder().output(Output::new(RollingFile::new(path)));
    let builder = builder.shutdown_timeout(Duration::ZERO, Duration::ZERO);
    format!("{:#}", builder.build::<tracing_subscriber::Registry>().err().unwrap())
}
