//! When written lines become durable, and what happens after a sync that fails.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use spanline::sink::{Control, Lines, Sink};
use spanline::{Durability, Error, Output, Overflow, RollingFile};
use tracing::Level;

use crate::support::faults::{Acts, Complaints, built, within};
use crate::support::ledger::{log, read};
use crate::support::wait::{PATIENCE, until};

const NEVER_IN_THIS_TEST: Duration = Duration::from_secs(600);

/// What a sink was told: lines by their numbers, orders by their names.
#[derive(Clone, Debug, Default)]
pub(crate) struct Happened {
    all: Arc<Mutex<Vec<String>>>,
    /// How many of the next syncs fail.
    failing: Arc<AtomicU64>,
}

impl Happened {
    /// A sink that remembers lines and the orders that count here.
    pub(crate) fn sink(&self) -> impl Sink + use<> {
        let (written, ordered) = (self.clone(), self.clone());
        Acts {
            write: move |lines: &mut Lines| {
                let text = String::from_utf8_lossy(lines.as_bytes()).into_owned();
                let lines_read = read(&text).into_iter().map(|line| format!("{}:{}", line.thread, line.seq));
                written.all.lock().unwrap().extend(lines_read);
                lines.advance(lines.as_bytes().len());
                Ok(())
            },
            control: move |control| ordered.order(control),
        }
    }

    pub(crate) fn fail_syncs(&self, times: u64) {
        self.failing.store(times, Ordering::Relaxed);
    }

    fn order(&self, control: Control) -> Result<(), Error> {
        if matches!(control, Control::Tick(_) | Control::Flush | Control::Open) {
            return Ok(());
        }
        let fails = control == Control::Sync
            && self.failing.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1)).is_ok();
        let end = if fails { "!" } else { "" };
        self.all.lock().unwrap().push(format!("{control:?}{end}"));
        if fails { Err(Error::retry("no disk")) } else { Ok(()) }
    }

    pub(crate) fn all(&self) -> Vec<String> {
        self.all.lock().unwrap().clone()
    }

    fn count(&self, what: &str) -> usize {
        self.all.lock().unwrap().iter().filter(|happened| *happened == what).count()
    }

    /// Whether a sync has come after the line.
    pub(crate) fn is_durable(&self, thread: u64, seq: u64) -> bool {
        let (all, line) = (self.all.lock().unwrap(), format!("{thread}:{seq}"));
        let syncs = all.iter().rev().skip_while(|happened| *happened != "Sync");
        syncs.skip(1).any(|happened| *happened == line)
    }
}

#[test]
fn each_batch_is_made_durable_and_nothing_twice() {
    let happened = Happened::default();
    let (dispatch, guard) =
        built(spanline::builder().output(Output::new(happened.sink()).durability(Durability::EveryBatch)));
    let handle = guard.handle();
    for seq in 0..3 {
        within(&dispatch, || log(Level::INFO, 0, seq));
        handle.flush(PATIENCE).unwrap();
    }
    handle.flush(PATIENCE).unwrap();
    assert_eq!(handle.metrics().outputs[0].syncs, 3);
    guard.close().unwrap();
    assert_eq!(happened.all(), ["0:0", "Sync", "0:1", "Sync", "0:2", "Sync", "Close"]);
    within(&dispatch, || log(Level::INFO, 0, 3));
    assert!(happened.is_durable(0, 3), "after the end, too");
}

#[test]
fn a_grave_line_makes_all_before_it_durable() {
    let happened = Happened::default();
    let (dispatch, guard) =
        built(spanline::builder().output(Output::new(happened.sink()).durability(Durability::AtLevel(Level::WARN))));
    let handle = guard.handle();
    for (seq, level) in [Level::INFO, Level::WARN, Level::INFO, Level::ERROR, Level::INFO].into_iter().enumerate() {
        within(&dispatch, || log(level, 0, seq as u64));
        handle.flush(PATIENCE).unwrap();
    }
    guard.close().unwrap();
    assert_eq!(happened.all(), ["0:0", "0:1", "Sync", "0:2", "0:3", "Sync", "0:4", "Sync", "Close"]);
}

#[test]
fn without_durability_nobody_syncs_unasked() {
    let happened = Happened::default();
    let (dispatch, guard) = built(spanline::builder().output(Output::new(happened.sink())));
    let handle = guard.handle();
    within(&dispatch, || log(Level::ERROR, 0, 0));
    handle.flush(PATIENCE).unwrap();
    happened.fail_syncs(1);
    assert!(handle.sync(PATIENCE).unwrap_err().to_string().contains("no disk"));
    handle.sync(PATIENCE).unwrap();
    guard.close().unwrap();
    assert_eq!(happened.all(), ["0:0", "Sync!", "Sync", "Close"]);
    let output = &handle.metrics().outputs[0];
    assert_eq!((output.syncs, output.failed_syncs), (1, 1));
}

#[test]
fn the_interval_ends_though_nothing_follows_and_the_worker_sleeps() {
    // The worker sleeps after a second.
    for interval in [Duration::from_millis(20), Duration::from_millis(1_300)] {
        let happened = Happened::default();
        let output = Output::new(happened.sink()).durability(Durability::Interval(interval));
        let (dispatch, guard) = built(spanline::builder().output(output));
        let handle = guard.handle();
        for round in 1..=2 {
            within(&dispatch, || log(Level::INFO, 0, round));
            until("the line to be durable", || happened.is_durable(0, round));
        }
        assert_eq!(handle.metrics().outputs[0].failed_syncs, 0);
        guard.close().unwrap();
        assert_eq!(happened.all(), ["0:1", "Sync", "0:2", "Sync", "Close"]);
    }
}

#[test]
fn the_interval_is_no_shorter_and_handle_sync_and_the_end_count() {
    let happened = Happened::default();
    let output = Output::new(happened.sink()).durability(Durability::Interval(NEVER_IN_THIS_TEST));
    let (dispatch, guard) = built(spanline::builder().output(output));
    let handle = guard.handle();
    for seq in 0..3 {
        within(&dispatch, || log(Level::ERROR, 0, seq));
        handle.flush(PATIENCE).unwrap();
    }
    handle.sync(PATIENCE).unwrap();
    handle.flush(PATIENCE).unwrap();
    within(&dispatch, || log(Level::INFO, 0, 3));
    guard.close().unwrap();
    assert_eq!(happened.all(), ["0:0", "0:1", "0:2", "Sync", "0:3", "Sync", "Close"]);
    assert_eq!(handle.metrics().outputs[0].syncs, 2);
}

#[test]
fn a_failed_sync_is_reported_counted_and_tried_again() {
    for durability in [
        Durability::EveryBatch,
        Durability::AtLevel(Level::INFO),
        Durability::Interval(Duration::ZERO),
        Durability::Interval(Duration::from_millis(5)),
    ] {
        let (happened, complaints) = (Happened::default(), Complaints::default());
        happened.fail_syncs(5);
        let builder = spanline::builder().on_complaint(complaints.hook());
        let (dispatch, guard) = built(builder.output(Output::new(happened.sink()).name("out").durability(durability)));
        let handle = guard.handle();
        within(&dispatch, || log(Level::INFO, 0, 0));
        until("the line to be durable", || happened.is_durable(0, 0));
        handle.flush(PATIENCE).unwrap();
        assert_eq!(happened.all(), ["0:0", "Sync!", "Sync!", "Sync!", "Sync!", "Sync!", "Sync"]);
        let output = &handle.metrics().outputs[0];
        assert_eq!((output.syncs, output.failed_syncs), (1, 5), "{durability:?}");
        assert_eq!(output.last_error.as_deref(), Some("no disk"));
        assert_eq!(complaints.all(), ["output out: what was written is not durable yet: no disk"]);
        guard.close().unwrap();
    }
}

#[test]
fn a_sync_that_never_works_counts_as_no_success_and_ends_with_the_log() {
    let happened = Happened::default();
    happened.fail_syncs(u64::MAX);
    let builder = spanline::builder().on_complaint(|_| {});
    let (dispatch, guard) = built(builder.output(Output::new(happened.sink()).durability(Durability::EveryBatch)));
    let handle = guard.handle();
    within(&dispatch, || log(Level::INFO, 0, 0));
    until("some tries", || handle.metrics().outputs[0].failed_syncs > 3);
    assert!(handle.sync(PATIENCE).is_err());
    assert!(guard.close().unwrap_err().is_not_durable());
    let output = &handle.metrics().outputs[0];
    assert_eq!((output.syncs, output.written.total()), (0, 1));
    assert_eq!(output.failed_syncs as usize, happened.count("Sync!"), "the last one at the end, too");
}

#[test]
fn a_rolling_file_is_made_durable_over_its_rotations() {
    let folder = tempfile::tempdir().unwrap();
    let file = RollingFile::new(folder.path().join("app.log")).rotate_bytes(1_000);
    let output = Output::new(file).durability(Durability::EveryBatch).overflow(Overflow::Block { max_wait: PATIENCE });
    let (dispatch, guard) = built(spanline::builder().output(output));
    let handle = guard.handle();
    for seq in 0..30 {
        within(&dispatch, || log(Level::INFO, 0, seq));
        handle.flush(PATIENCE).unwrap();
    }
    let output = &handle.metrics().outputs[0];
    assert_eq!((output.syncs, output.failed_syncs), (30, 0), "{output:#?}");
    guard.close().unwrap();
}

/// How often the thread of that name has gone to sleep.
#[cfg(target_os = "linux")]
fn sleeps_of(thread: &str) -> u64 {
    let tasks = std::fs::read_dir("/proc/self/task").unwrap().map(|task| task.unwrap().path());
    let named = |task: &std::path::PathBuf| {
        std::fs::read_to_string(task.join("comm")).is_ok_and(|name| name.trim_end() == thread)
    };
    let status = std::fs::read_to_string(tasks.into_iter().find(named).unwrap().join("status")).unwrap();
    let sleeps = status.lines().find_map(|line| line.strip_prefix("voluntary_ctxt_switches:")).unwrap();
    sleeps.trim().parse().unwrap()
}

#[cfg(target_os = "linux")]
#[test]
fn an_idle_worker_with_nothing_unsynced_sleeps_on() {
    let happened = Happened::default();
    let output =
        Output::new(happened.sink()).name("resting").durability(Durability::Interval(Duration::from_millis(1)));
    let (dispatch, _guard) = built(spanline::builder().output(output));
    within(&dispatch, || log(Level::INFO, 0, 0));
    until("the line to be durable", || happened.is_durable(0, 0));
    // It looks around every few milliseconds at first.
    until("a long sleep", || {
        let before = sleeps_of("spanline-restin");
        std::thread::sleep(Duration::from_millis(500));
        sleeps_of("spanline-restin") == before
    });
}
