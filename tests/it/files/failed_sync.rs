//! A sync that fails: what it covered is written again, or counted, and never counts as durable.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use spanline::sink::{Control, Lines};
use spanline::{Durability, Error, Output};
use tracing::Level;

use crate::support::faults::{Acts, Complaints, built, within};
use crate::support::ledger::{log, read};
use crate::support::wait::{PATIENCE, until};

/// A sink that loses what the next `failing` syncs cover.
fn losing(failing: &Arc<AtomicU64>, text: &Arc<std::sync::Mutex<String>>) -> impl spanline::sink::Sink + use<> {
    let (failing, text) = (Arc::clone(failing), Arc::clone(text));
    Acts {
        write: move |lines: &mut Lines| {
            text.lock().unwrap().push_str(&String::from_utf8_lossy(lines.as_bytes()));
            lines.advance(lines.as_bytes().len());
            Ok(())
        },
        control: move |control| {
            let fails = control == Control::Sync
                && failing.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1)).is_ok();
            if fails { Err(Error::not_durable("sync disk: Input/output error")) } else { Ok(()) }
        },
    }
}

#[test]
fn lines_that_cannot_be_made_durable_are_counted_once_and_reported_in_the_log() {
    let (failing, text) = (Arc::new(AtomicU64::new(0)), Arc::default());
    let complaints = Complaints::default();
    let output = Output::new(losing(&failing, &text)).name("out").durability(Durability::EveryBatch);
    let (dispatch, guard) = built(spanline::builder().on_complaint(complaints.hook()).output(output));
    let handle = guard.handle();
    let log_one = |seq| {
        within(&dispatch, || log(Level::INFO, 0, seq));
        handle.flush(PATIENCE).unwrap();
    };
    log_one(0);
    failing.store(1, Ordering::Relaxed);
    log_one(1);
    until("the failure", || handle.metrics().outputs[0].failed_syncs == 1);
    log_one(2);
    let output = &handle.metrics().outputs[0];
    assert_eq!((output.not_durable, output.failed_syncs, output.syncs), (1, 1, 2), "{output:#?}");
    assert_eq!(complaints.all(), ["output out: sync disk: Input/output error"]);
    guard.close().unwrap();
    let text = text.lock().unwrap();
    let notice = r#""message":"log lines may not survive a power cut","not_durable":1,"reason":"sync_failed""#;
    assert_eq!(text.matches(notice).count(), 1, "{text}");
    let lines: String = text.lines().filter(|line| !line.contains(notice)).map(|line| format!("{line}\n")).collect();
    assert_eq!(read(&lines).len(), 3);
    assert_eq!((handle.metrics().outputs[0].written.total(), handle.metrics().outputs[0].notices), (3, 1));
}

#[test]
fn an_order_to_sync_fails_and_covers_all_lines_since_the_last_one() {
    let (failing, text) = (Arc::new(AtomicU64::new(0)), Arc::default());
    let (dispatch, guard) =
        built(spanline::builder().on_complaint(|_| {}).output(Output::new(losing(&failing, &text))));
    let handle = guard.handle();
    within(&dispatch, || (0..3).for_each(|seq| log(Level::INFO, 0, seq)));
    handle.sync(PATIENCE).unwrap();
    within(&dispatch, || (3..8).for_each(|seq| log(Level::INFO, 0, seq)));
    failing.store(2, Ordering::Relaxed);
    assert!(handle.sync(PATIENCE).unwrap_err().to_string().contains("Input/output error"));
    assert_eq!(handle.metrics().outputs[0].not_durable, 5);
    handle.sync(PATIENCE).unwrap_err();
    assert_eq!(handle.metrics().outputs[0].not_durable, 5, "each line counts once");
    handle.sync(PATIENCE).unwrap();
    assert_eq!(handle.metrics().outputs[0].not_durable, 5, "a later success proves nothing about them");
    guard.close().unwrap();
}

/// Nothing can be logged any more. What fails before the end is reported in the log.
#[test]
fn promise_06_closing_the_guard_says_that_the_last_sync_failed() {
    let text = Arc::default();
    let refusing = |control| match control {
        Control::Sync => Err(Error::retry("sync disk: Device or resource busy")),
        _ => Ok(()),
    };
    let takes = |lines: &mut Lines| {
        lines.advance(lines.as_bytes().len());
        Ok(())
    };
    let at_end = Durability::Interval(std::time::Duration::from_secs(3600));
    for (output, expected) in [
        (Output::new(losing(&Arc::new(AtomicU64::new(u64::MAX)), &text)), "3 lines may not survive a power cut"),
        (Output::new(Acts { write: takes, control: refusing }), "what was written is not durable yet: sync disk"),
    ] {
        let output = output.name("out").durability(at_end);
        let (dispatch, guard) = built(spanline::builder().on_complaint(|_| {}).output(output));
        within(&dispatch, || (0..3).for_each(|seq| log(Level::INFO, 0, seq)));
        let error = guard.close().unwrap_err();
        assert!(error.is_not_durable() && error.unwritten_lines().is_none(), "{error:#}");
        assert!(error.to_string().contains(expected) && error.to_string().starts_with("output out"), "{error:#}");
    }
}

/// Files whose `fdatasync` fails. The calls are refused in a child process.
#[cfg(target_os = "linux")]
mod files {
    use std::fs;
    use std::path::{Path, PathBuf};

    use spanline::RollingFile;
    use spanline::sink::{Control, Sink};

    use crate::support::log_directory::{Dir, NOON, Play, at};
    use crate::support::process::{Running, child_command, child_done, is_child};
    use crate::support::seccomp::refuse;

    const PATH: &str = "SPANLINE_SYNC_PATH";

    fn path() -> PathBuf {
        PathBuf::from(std::env::var_os(PATH).unwrap())
    }

    /// Returns the descriptor through which this process has the file open.
    fn descriptor(path: &Path) -> i32 {
        let open = fs::read_dir("/proc/self/fd").unwrap().map(|entry| entry.unwrap().path());
        let is_it = |link: &PathBuf| fs::read_link(link).is_ok_and(|target| target == path);
        open.into_iter().find(is_it).unwrap().file_name().unwrap().to_str().unwrap().parse().unwrap()
    }

    fn run(test: &str, dir: &Dir) -> String {
        let mut command = child_command(test);
        command.env(PATH, dir.0.path().canonicalize().unwrap().join("orders.log"));
        Running::start(command).finish().0
    }

    #[test]
    fn lines_that_a_failed_sync_covered_are_written_again_to_a_new_segment() {
        let test = this_test!();
        if is_child() {
            let mut log = RollingFile::new(path()).open();
            log.put("a", NOON);
            log.control(Control::Sync).unwrap();
            ["b", "c"].iter().for_each(|text| log.put(text, NOON));
            refuse(libc::SYS_fdatasync, Some(descriptor(&path())), libc::EIO);
            log.control(Control::Sync).unwrap();
            println!("{:#}", log.try_put("d", at(NOON)).unwrap_err());
            log.control(Control::Sync).unwrap();
            child_done();
        }
        let dir = Dir::new();
        let told = run(test, &dir);
        assert!(told.contains("orders.log: Input/output error"), "{told}");
        assert!(told.contains("written again to a new segment"), "{told}");
        assert_eq!(dir.closed(), ["a\nb\nc\n"]);
        assert_eq!(dir.active(), "b\nc\nd\n");
    }

    #[test]
    fn a_disk_that_fails_for_good_gets_one_new_segment_only() {
        let test = this_test!();
        if is_child() {
            let mut log = RollingFile::new(path()).open();
            refuse(libc::SYS_fdatasync, None, libc::EIO);
            for text in ["a", "b", "c", "d"] {
                log.put(text, NOON);
                let error = log.control(Control::Sync).unwrap_err();
                assert!(error.is_not_durable(), "{error}");
                println!("{error:#}");
            }
            child_done();
        }
        let dir = Dir::new();
        let told = run(test, &dir);
        let told: Vec<_> = told.lines().collect();
        assert!(told[0].contains("writing them again failed"), "{told:?}");
        assert!(told[1..].iter().all(|told| told.contains("no longer in memory")), "{told:?}");
        assert_eq!(dir.closed(), ["a\n"]);
        assert_eq!(dir.active(), "a\nb\nc\nd\n");
    }

    #[test]
    fn lines_that_are_no_longer_in_memory_are_not_durable() {
        let test = this_test!();
        if is_child() {
            let mut log = RollingFile::new(path()).open();
            log.put("a", NOON);
            log.control(Control::Sync).unwrap();
            let long = "x".repeat(1 << 20);
            (0..5).for_each(|_| log.put(&long, NOON));
            refuse(libc::SYS_fdatasync, Some(descriptor(&path())), libc::EIO);
            let error = log.control(Control::Sync).unwrap_err();
            assert!(error.is_not_durable(), "{error}");
            println!("{error:#}");
            // The next lines are few, and are written again.
            log.put("b", NOON);
            log.control(Control::Sync).unwrap();
            child_done();
        }
        let dir = Dir::new();
        let told = run(test, &dir);
        assert!(told.contains("no longer in memory"), "{told}");
        assert_eq!(dir.closed().len(), 1);
        assert_eq!(dir.active(), "b\n");
    }
}
