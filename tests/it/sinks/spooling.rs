//! The sink `Spool` at work: outages, ends, kills, several processes.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use spanline::metrics::OutputMetrics;
use spanline::sink::{Control, Lines, Next, Profile, Sink, Spool};
use spanline::{Error, Guard, Output, Overflow};
use tracing::{Dispatch, Level};

use crate::sinks::peer::balanced;
use crate::support::faults::{Complaints, built, within};
use crate::support::ledger::log;
use crate::support::process::{Running, child_command, child_done, is_child};
use crate::support::sample::tries;
use crate::support::wait::{PATIENCE, until};

const FOLDER: &str = "SPANLINE_IT_FOLDER";
const KILLS: usize = 20;
const KILLS_LONG: usize = 1_000;

/// A server that the test can take away.
#[derive(Clone, Default)]
pub(crate) struct Server {
    is_away: Arc<AtomicBool>,
    received: Arc<Mutex<Vec<u64>>>,
    /// It takes lines and acknowledges them in the next call.
    acknowledges: bool,
}

impl Server {
    pub(crate) fn away() -> Self {
        let server = Self::default();
        server.is_away.store(true, Ordering::SeqCst);
        server
    }

    pub(crate) fn comes_back(&self) {
        self.is_away.store(false, Ordering::SeqCst);
    }

    #[cfg(unix)]
    pub(crate) fn goes_away(&self) {
        self.is_away.store(true, Ordering::SeqCst);
    }

    pub(crate) fn received(&self) -> Vec<u64> {
        self.received.lock().unwrap().clone()
    }
}

impl Sink for Server {
    fn write(&mut self, lines: &mut Lines) -> Result<Next, Error> {
        if self.is_away.load(Ordering::SeqCst) {
            return Err(Error::retry("the server is away"));
        }
        lines.acknowledge(..);
        let numbers = lines.iter().filter_map(|line| {
            let value: serde_json::Value = serde_json::from_slice(line.bytes).unwrap();
            value["seq"].as_u64()
        });
        self.received.lock().unwrap().extend(numbers);
        let bytes = lines.iter().map(|line| line.bytes.len()).sum();
        if self.acknowledges {
            lines.hand_over(bytes);
            return Ok(Next::More);
        }
        lines.advance(bytes);
        Ok(Next::Done)
    }

    fn control(&mut self, control: Control) -> Result<(), Error> {
        if control == Control::Open && self.is_away.load(Ordering::SeqCst) {
            return Err(Error::retry("the server is away"));
        }
        Ok(())
    }

    fn profile(&self) -> Profile {
        Profile::new("server").logs_nothing()
    }
}

pub(crate) struct Stage {
    dispatch: Dispatch,
    guard: Guard,
    pub(crate) complaints: Complaints,
}

impl Stage {
    pub(crate) fn new(spool: Spool) -> Self {
        Self::of(Output::new(spool).queue_bytes(256_u64 << 10))
    }

    pub(crate) fn of(output: Output) -> Self {
        let complaints = Complaints::default();
        let builder = spanline::builder().filter("trace").on_complaint(complaints.hook()).output(output.name("out"));
        let (dispatch, guard) = built(builder.shutdown_timeout(Duration::from_secs(5), PATIENCE));
        Self { dispatch, guard, complaints }
    }

    pub(crate) fn log(&self, numbers: std::ops::Range<u64>) {
        within(&self.dispatch, || numbers.for_each(|seq| log(Level::INFO, 0, seq)));
    }

    /// Logs a warning for every tenth line.
    #[cfg(unix)]
    pub(crate) fn log_with_warnings(&self, numbers: std::ops::Range<u64>) {
        let level = |seq: u64| if seq.is_multiple_of(10) { Level::WARN } else { Level::INFO };
        within(&self.dispatch, || numbers.for_each(|seq| log(level(seq), 0, seq)));
    }

    pub(crate) fn books(&self) -> OutputMetrics {
        balanced(&self.guard.handle().metrics())
    }

    pub(crate) fn until(&self, what: &str, fact: impl Fn(&OutputMetrics) -> bool) {
        let begun = Instant::now();
        loop {
            let books = self.books();
            if fact(&books) {
                return;
            }
            assert!(begun.elapsed() < PATIENCE, "not in time: {what}: {books:#?}, {:?}", self.complaints.all());
            std::thread::park_timeout(Duration::from_millis(1));
        }
    }

    pub(crate) fn close(self) -> OutputMetrics {
        let handle = self.guard.handle();
        self.guard.close().unwrap_or_else(|error| panic!("{error:?}: {:?}", self.complaints.all()));
        balanced(&handle.metrics())
    }
}

pub(crate) fn spool(folder: &Path, server: &Server) -> Spool {
    Spool::new(folder.join("spool"), server.clone()).patience(Duration::from_millis(20))
}

pub(crate) fn files(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder.join("spool")).unwrap();
    entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

#[test]
fn promise_42_an_outage_longer_than_the_queue_loses_nothing_and_keeps_the_order() {
    for acknowledges in [false, true] {
        let folder = tempfile::tempdir().unwrap();
        let server = Server { acknowledges, ..Server::away() };
        // A program that logs no faster than the disk takes it.
        let output = Output::new(spool(folder.path(), &server)).queue_bytes(256_u64 << 10);
        let stage = Stage::of(output.overflow(Overflow::Block { max_wait: PATIENCE }));
        stage.log(0..20_000);
        stage.until("all to be on disk", |books| books.spooled.total() == 20_000);
        let books = stage.books();
        assert!(books.spooled_bytes > 2_000_000 && books.spooling_for.is_some(), "{books:#?}");
        server.comes_back();
        stage.log(20_000..20_100);
        stage.until("all to be written", |books| books.written.total() == 20_100);
        assert_eq!(server.received(), (0..20_100).collect::<Vec<_>>());
        stage.until("the spool to be empty", |books| books.spooling_for.is_none() && books.spooled_bytes == 0);
        assert!(files(folder.path()).iter().all(|name| name.ends_with(".lock")), "{:?}", files(folder.path()));
        for switch in ["lines go to the spool", "are sent"] {
            assert!(stage.complaints.all().iter().any(|text| text.contains(switch)), "{:?}", stage.complaints.all());
        }
        let books = stage.close();
        assert_eq!((books.dropped.total(), books.spooled.total()), (0, 0));
        assert!(files(folder.path()).is_empty());
    }
}

#[test]
fn promise_42_a_shutdown_leaves_all_lines_on_disk_and_the_next_process_delivers_them() {
    let folder = tempfile::tempdir().unwrap();
    // The patience alone would be longer than the shutdown.
    let patient = Spool::new(folder.path().join("spool"), Server::away()).patience(PATIENCE);
    let stage = Stage::new(patient);
    stage.log(0..500);
    let books = stage.close();
    assert_eq!((books.spooled.total(), books.dropped.total(), books.written.total()), (500, 0, 0));
    let server = Server::default();
    let stage = Stage::new(spool(folder.path(), &server));
    stage.log(500..510);
    stage.until("all to be written", |books| books.written.total() == 510);
    assert_eq!(stage.books().taken_over.total(), 500);
    assert_eq!(server.received(), (0..510).collect::<Vec<_>>());
    stage.close();
}

#[test]
fn promise_42_exactly_one_of_several_processes_takes_over_a_spool() {
    let folder = tempfile::tempdir().unwrap();
    let stage = Stage::new(spool(folder.path(), &Server::away()));
    stage.log(0..300);
    // One that lives keeps its spool.
    let living = Stage::new(spool(folder.path(), &Server::away()));
    living.log(1_000..1_010);
    living.until("its lines to be on disk", |books| books.spooled.total() == 10);
    stage.close();
    let server = Server::default();
    let stages: Vec<_> = std::thread::scope(|scope| {
        let start = || Stage::new(spool(folder.path(), &server));
        let threads: Vec<_> = (0..4).map(|_| scope.spawn(start)).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    until("all lines", || server.received().len() >= 300);
    let taken: Vec<_> = stages.into_iter().map(|stage| stage.close().taken_over.total()).collect();
    assert_eq!(taken.iter().sum::<u64>(), 300, "{taken:?}");
    assert_eq!(taken.iter().filter(|lines| **lines > 0).count(), 1, "{taken:?}");
    assert_eq!(server.received(), (0..300).collect::<Vec<_>>());
    assert_eq!(living.close().spooled.total(), 10);
}

/// Logs until it is killed. Its server is away.
fn log_until_killed() {
    let folder = PathBuf::from(std::env::var_os(FOLDER).unwrap());
    let spool = Spool::new(folder.join("spool"), Server::away()).patience(Duration::ZERO);
    let stage = Stage::of(Output::new(spool));
    for seq in 0..u64::from(u32::MAX) {
        stage.log(seq..seq + 1);
        if seq % 100 == 99 {
            std::thread::park_timeout(Duration::from_millis(1));
        }
        assert!(stage.guard.handle().metrics().dropped() == 0);
    }
    child_done()
}

#[test]
fn promise_42_sigkill_takes_nothing_from_the_spool() {
    let name = this_test!();
    if is_child() {
        return log_until_killed();
    }
    for kill in 0..tries(KILLS, KILLS_LONG) {
        let folder = tempfile::tempdir().unwrap();
        let mut command = child_command(name);
        command.env(FOLDER, folder.path());
        let mut child = Running::start(command);
        let bytes = |least: u64| {
            let Ok(entries) = std::fs::read_dir(folder.path().join("spool")) else { return false };
            let sizes = entries.filter_map(|entry| Some(entry.ok()?.metadata().ok()?.len()));
            sizes.sum::<u64>() > least
        };
        until("lines on disk", || bytes(1_000 + 5_003 * kill as u64));
        child.0.kill().unwrap();
        child.wait();
        let server = Server::default();
        let stage = Stage::new(spool(folder.path(), &server));
        stage.until("all to be taken over and written", |books| {
            books.taken_over.total() > 0 && books.spooled.total() == 0 && books.spooling_for.is_none()
        });
        let books = stage.close();
        let received = server.received();
        assert_eq!(received, (0..received.len() as u64).collect::<Vec<_>>(), "a hole");
        assert_eq!((books.written.total(), books.dropped.total()), (received.len() as u64, 0));
    }
}

#[test]
fn promise_42_a_damaged_frame_costs_one_line_and_is_counted() {
    let folder = tempfile::tempdir().unwrap();
    let stage = Stage::new(spool(folder.path(), &Server::away()));
    stage.log(0..100);
    stage.close();
    let name = files(folder.path()).into_iter().find(|name| name.ends_with(".seg")).unwrap();
    let path = folder.path().join("spool").join(name);
    let mut bytes = std::fs::read(&path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(&path, bytes).unwrap();
    let server = Server::default();
    let stage = Stage::new(spool(folder.path(), &server));
    stage.until("the others to be written", |books| books.written.total() == 99 && books.spooled.total() == 0);
    let books = stage.close();
    assert_eq!(books.dropped.reason(spanline::metrics::Reason::Damaged).total(), 1);
    assert_eq!(server.received().into_iter().collect::<BTreeSet<_>>().len(), 99);
}

#[cfg(unix)]
#[test]
fn files_are_private_and_a_directory_that_cannot_be_used_fails_the_start_or_is_reported() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let stage = Stage::new(spool(folder.path(), &Server::away()));
    stage.log(0..10);
    stage.until("lines on disk", |books| books.spooled.total() == 10);
    for name in files(folder.path()) {
        let mode = std::fs::metadata(folder.path().join("spool").join(&name)).unwrap().permissions().mode();
        assert_eq!(mode & 0o7777, 0o600, "{name}");
    }
    stage.close();
    let file = folder.path().join("file");
    std::fs::write(&file, "").unwrap();
    let in_file = |server: &Server| Spool::new(file.join("spool"), server.clone());
    let error =
        spanline::builder().output(Output::new(in_file(&Server::default()))).build::<tracing_subscriber::Registry>();
    assert!(error.is_err_and(|error| error.is_invalid() && error.to_string().contains("file/spool")));
    let server = Server::default();
    let stage = Stage::new(in_file(&server).optional());
    stage.log(0..10);
    stage.until("lines to be written", |books| books.written.total() == 10);
    assert!(stage.complaints.all().iter().any(|text| text.contains("file/spool")), "{:?}", stage.complaints.all());
    stage.close();
}

/// What others, or an accident, may leave in the directory. It is reported, delays no line and keeps no log from starting.
#[cfg(unix)]
#[test]
fn promise_42_what_is_planted_in_the_directory_delays_no_line() {
    use std::os::unix::fs::symlink;
    const OTHER: &str = "0123456789abcdef0123";
    let mkfifo = |path: &Path| assert!(std::process::Command::new("mkfifo").arg(path).status().unwrap().success());
    let make_directory = |path: &Path| std::fs::create_dir(path).unwrap();
    let make_link = |path: &Path| symlink("/dev/zero", path).unwrap();
    let make_linked = |path: &Path| {
        let other = path.with_extension("second");
        std::fs::write(&other, "private").unwrap();
        std::fs::hard_link(&other, path).unwrap();
    };
    type Plant<'a> = (&'a str, &'a dyn Fn(&Path));
    let plants: [Plant<'_>; 4] = [
        ("a FIFO", &mkfifo),
        ("a directory", &make_directory),
        ("a link", &make_link),
        ("a second name", &make_linked),
    ];
    let names = ["lock", "cursor", "cursor.tmp"].map(|end| format!("{OTHER}.{end}"));
    let names = names.into_iter().chain(["seg", "seg.tmp"].map(|end| format!("{OTHER}-0000000100000000.{end}")));
    for name in names {
        for (what, plant) in &plants {
            let folder = tempfile::tempdir().unwrap();
            std::fs::create_dir(folder.path().join("spool")).unwrap();
            plant(&folder.path().join("spool").join(&name));
            // A spool that an ended process has left, later in the order.
            let stage = Stage::new(spool(folder.path(), &Server::away()));
            stage.log(0..20);
            stage.close();
            let server = Server::default();
            let stage = Stage::new(spool(folder.path(), &server));
            stage.log(20..30);
            stage.until(&format!("all lines beside {what} at {name}"), |books| books.written.total() == 30);
            assert_eq!(server.received(), (0..30).collect::<Vec<_>>(), "{what} at {name}");
            let reported = stage.complaints.all().iter().any(|text| text.contains(OTHER));
            assert!(reported || *what == "a second name", "{what} at {name}: {:?}", stage.complaints.all());
            assert_eq!(stage.close().dropped.total(), 0, "{what} at {name}");
        }
    }
}

/// A child between `fork` and `exec` has the locks of its parent, which may just have ended.
#[test]
fn promise_42_a_lock_that_is_held_for_a_moment_leaves_no_line_behind() {
    let folder = tempfile::tempdir().unwrap();
    let stage = Stage::new(spool(folder.path(), &Server::away()));
    stage.log(0..20);
    stage.close();
    let names = std::fs::read_dir(folder.path().join("spool")).unwrap().map(|entry| entry.unwrap().path());
    let name = names.into_iter().find(|path| path.extension().is_some_and(|end| end == "lock")).unwrap();
    let lock = std::fs::File::options().write(true).open(name).unwrap();
    lock.lock().unwrap();
    let server = Server::default();
    std::thread::scope(|scope| {
        scope.spawn(move || {
            // It is held for this long: that is the fault.
            std::thread::park_timeout(Duration::from_millis(10));
            drop(lock);
        });
        let stage = Stage::new(spool(folder.path(), &server));
        stage.log(20..30);
        stage.until("all lines", |books| books.written.total() == 30);
        stage.close();
    });
    assert_eq!(server.received(), (0..30).collect::<Vec<_>>());
}

/// Cut at any byte, or with a bit turned anywhere, a segment costs its own lines, each of which is counted.
#[test]
fn promise_42_a_cut_or_turned_bit_anywhere_loses_no_line_of_another_spool() {
    let folder = tempfile::tempdir().unwrap();
    let stage = Stage::new(spool(folder.path(), &Server::away()));
    stage.log(0..20);
    stage.close();
    let name = files(folder.path()).into_iter().find(|name| name.ends_with(".seg")).unwrap();
    let whole = std::fs::read(folder.path().join("spool").join(&name)).unwrap();
    let step = whole.len() / tries(40, 2_000).min(whole.len());
    for at in (0..whole.len()).step_by(step) {
        for is_cut in [false, true] {
            let folder = tempfile::tempdir().unwrap();
            std::fs::create_dir(folder.path().join("spool")).unwrap();
            let mut bytes = whole.clone();
            if is_cut {
                bytes.truncate(at);
            } else {
                bytes[at] ^= 1 << (at % 8);
            }
            std::fs::write(folder.path().join("spool").join(&name), bytes).unwrap();
            let server = Server::default();
            let stage = Stage::new(spool(folder.path(), &server));
            stage.log(1_000..1_010);
            stage.until("its own lines", |books| {
                server.received().iter().filter(|seq| **seq >= 1_000).count() == 10 && books.spooled.total() == 0
            });
            let received = server.received();
            assert!(received.is_sorted(), "{at} {is_cut}: {received:?}");
            let least = if is_cut { 0 } else { 19 };
            let old = received.iter().filter(|seq| **seq < 1_000).count();
            assert!(old >= least || at < 64, "{at} {is_cut}: {received:?}");
            let books = stage.close();
            assert_eq!(books.taken_over.total(), old as u64 + books.dropped.total(), "{at} {is_cut}: {books:#?}");
        }
    }
}

/// A sink that keeps lines in a buffer until it is flushed.
struct Buffering {
    server: Server,
    buffer: Vec<u64>,
    folder: PathBuf,
    /// The least number of lines on disk, beside those that were flushed.
    seen: Arc<Mutex<Vec<(usize, usize)>>>,
}

impl Sink for Buffering {
    fn write(&mut self, lines: &mut Lines) -> Result<Next, Error> {
        if self.server.is_away.load(Ordering::SeqCst) {
            return Err(Error::retry("the server is away"));
        }
        let numbers = lines.iter().filter_map(|line| {
            let value: serde_json::Value = serde_json::from_slice(line.bytes).unwrap();
            value["seq"].as_u64()
        });
        self.buffer.extend(numbers);
        lines.advance(lines.iter().map(|line| line.bytes.len()).sum());
        // What the end of the process would leave.
        let segments = std::fs::read_dir(self.folder.join("spool")).unwrap();
        let segments =
            segments.filter(|entry| entry.as_ref().unwrap().path().extension().is_some_and(|end| end == "seg"));
        self.seen.lock().unwrap().push((segments.count(), self.buffer.len()));
        Ok(Next::Done)
    }

    fn control(&mut self, control: Control) -> Result<(), Error> {
        if control == Control::Flush {
            self.server.received.lock().unwrap().append(&mut self.buffer);
        }
        Ok(())
    }

    fn profile(&self) -> Profile {
        Profile::new("buffering").logs_nothing()
    }
}

#[test]
fn promise_42_lines_stay_on_disk_until_a_sink_that_buffers_them_is_flushed() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::away();
    let seen = Arc::default();
    let sink = Buffering {
        server: server.clone(),
        buffer: Vec::new(),
        folder: folder.path().to_owned(),
        seen: Arc::clone(&seen),
    };
    let spool = Spool::new(folder.path().join("spool"), sink).patience(Duration::ZERO).max_bytes(1_u64 << 20);
    let stage = Stage::of(Output::new(spool).overflow(Overflow::Block { max_wait: PATIENCE }));
    // Several segments of 64 KiB.
    stage.log(0..3_000);
    stage.until("all to be on disk", |books| books.spooled.total() == 3_000);
    server.comes_back();
    stage.until("all to be written", |books| books.written.total() == 3_000 && books.spooling_for.is_none());
    assert_eq!(server.received(), (0..3_000).collect::<Vec<_>>());
    // Each segment has fewer than 1,000 lines: those in the buffer are in the segments that are left.
    for (segments, buffered) in seen.lock().unwrap().iter() {
        assert!(segments * 1_000 >= *buffered, "{segments} segments for {buffered} lines");
    }
    stage.close();
}
