//! Any sequence of lines, faults, orders and crashes keeps the books of a rolling file balanced.
//!
//! A full disk is a real one, as far as the file can tell: the system takes a part of a line and then refuses, by a limit
//! on the size of the process's files. Errors that no regular file gives (EINTR, EAGAIN) and panics come from around it.
//!
//! `SPANLINE_CASES` says how many sequences are tried.
#![cfg(unix)]

use std::collections::{BTreeMap, VecDeque};
use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use rustix::process::{Resource, Rlimit, setrlimit};
use spanline::metrics::Reason;
use spanline::sink::{Control, Lines, Next, Sink};
use spanline::{Error, Handle, Output, Overflow, RollingFile};
use tracing::Level;

use crate::support::faults::{built, panic_quietly, within};
use crate::support::ledger::{LEVELS, log};
use crate::support::process::{Running, child_behind, child_done, is_child};
use crate::support::wait::{PATIENCE, until};
use crate::support::{log_directory, strict};

const TORN: &str = "{\"timestamp\":\"torn";

/// What happens around one write.
#[derive(Clone, Copy, Debug)]
enum Fault {
    /// The disk has room for this many bytes.
    Full(u64),
    Errno(i32),
    PanicBefore,
    PanicAfter,
    /// Somebody renames the file.
    Moved,
    /// Somebody else, who appends to it too, dies in the middle of a line.
    Torn,
}

#[derive(Clone, Debug)]
enum Step {
    Log(Vec<u8>),
    Faults(Vec<Fault>),
    Rotate,
    Reopen,
    Flush,
    SetFilter(u8),
    /// The sink dies as with its process, also in the middle of a line. Then everything starts again.
    Crash,
}

fn fault() -> impl Strategy<Value = Fault> {
    prop_oneof![
        4 => (0..700_u64).prop_map(Fault::Full),
        // EINTR, EIO, EAGAIN, ENOSPC.
        2 => prop::sample::select(vec![4, 5, 11, 28]).prop_map(Fault::Errno),
        1 => Just(Fault::PanicBefore),
        1 => Just(Fault::PanicAfter),
        1 => Just(Fault::Moved),
        1 => Just(Fault::Torn),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => prop::collection::vec(0..5_u8, 1..30).prop_map(Step::Log),
        5 => prop::collection::vec(fault(), 1..5).prop_map(Step::Faults),
        1 => Just(Step::Rotate),
        1 => Just(Step::Reopen),
        2 => Just(Step::Flush),
        1 => (0..5_u8).prop_map(Step::SetFilter),
        1 => Just(Step::Crash),
    ]
}

/// A rolling file in a world that the script describes.
struct World {
    file: Option<RollingFile>,
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    path: PathBuf,
    script: Mutex<VecDeque<Fault>>,
    /// How many pieces of lines there may be, and how many files were moved.
    torn: Mutex<usize>,
    moved: Mutex<usize>,
    dead: std::sync::atomic::AtomicBool,
}

impl Shared {
    fn tear(&self) {
        if let Ok(mut file) = OpenOptions::new().append(true).open(&self.path) {
            file.write_all(TORN.as_bytes()).unwrap();
            *self.torn.lock().unwrap() += 1;
        }
    }

    fn is_dead(&self) -> bool {
        self.dead.load(std::sync::atomic::Ordering::SeqCst)
    }
}

fn limit_files(bytes: Option<u64>) {
    setrlimit(Resource::Fsize, Rlimit { current: bytes, maximum: None }).unwrap();
}

impl Sink for World {
    fn write(&mut self, lines: &mut Lines) -> Result<Next, Error> {
        if self.shared.is_dead() {
            self.file = None;
        }
        let Some(file) = &mut self.file else { return Err(Error::closed("it died")) };
        let fault = self.shared.script.lock().unwrap().pop_front();
        match fault {
            None => file.write(lines),
            Some(Fault::Full(room)) => {
                let len = fs::metadata(&self.shared.path).map_or(0, |metadata| metadata.len());
                limit_files(Some(len + room));
                let written = file.write(lines);
                limit_files(None);
                written
            }
            Some(Fault::Errno(code)) => Err(Error::io("write", std::io::Error::from_raw_os_error(code))),
            Some(Fault::PanicBefore) => panic_quietly(),
            Some(Fault::PanicAfter) => {
                let _ = file.write(lines);
                panic_quietly()
            }
            Some(Fault::Moved) => {
                let mut moved = self.shared.moved.lock().unwrap();
                let to = self.shared.path.with_file_name(format!("moved.{moved}"));
                *moved += usize::from(fs::rename(&self.shared.path, to).is_ok());
                drop(moved);
                file.write(lines)
            }
            Some(Fault::Torn) => {
                self.shared.tear();
                file.write(lines)
            }
        }
    }

    fn control(&mut self, control: Control) -> Result<(), Error> {
        match &mut self.file {
            Some(file) if !self.shared.is_dead() => file.control(control),
            _ => Ok(()),
        }
    }
}

/// The model: what was logged and passed the filter, and what became of it by the crate's own account.
#[derive(Default)]
struct Model {
    logged: BTreeMap<u64, Level>,
    written: u64,
    dropped: u64,
    panicked: u64,
}

impl Model {
    fn settle(&mut self, handle: &Handle, since: usize) {
        let output = &handle.metrics().outputs[0];
        assert_eq!(output.emitted.total() as usize, self.logged.len() - since, "{output:#?}");
        assert_eq!(output.emitted.total(), output.written.total() + output.dropped.total(), "{output:#?}");
        self.written += output.written.total();
        self.dropped += output.dropped.total();
        self.panicked += output.dropped.reason(Reason::Panicked).total();
    }
}

fn run(steps: &[Step], max_bytes: Option<u64>) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("it.log");
    let shared = || Arc::new(Shared { path: path.clone(), ..Shared::default() });
    let (mut model, mut filter, mut seq, mut torn, mut moved) = (Model::default(), 4, 0, 0, 0);
    let mut rest = steps.iter();
    let mut is_over = false;
    while !is_over {
        let world = shared();
        *world.moved.lock().unwrap() = moved;
        let mut file = RollingFile::new(&path);
        if let Some(bytes) = max_bytes {
            file = file.rotate_bytes(bytes);
        }
        let output = Output::new(World { file: Some(file), shared: Arc::clone(&world) }).name("out");
        let output = output.overflow(Overflow::Block { max_wait: PATIENCE });
        let (dispatch, guard) =
            built(spanline::builder().filter(LEVELS[filter].as_str()).on_complaint(|_| {}).output(output));
        let (handle, since) = (guard.handle(), model.logged.len());
        is_over = true;
        for step in rest.by_ref() {
            match step {
                Step::Log(levels) => within(&dispatch, || {
                    for level in levels.iter().map(|level| usize::from(*level)) {
                        log(LEVELS[level], 0, seq);
                        if level <= filter {
                            model.logged.insert(seq, LEVELS[level]);
                        }
                        seq += 1;
                    }
                }),
                Step::Faults(faults) => world.script.lock().unwrap().extend(faults),
                // An order may fail, in a world like this; lines must not.
                Step::Rotate => drop(handle.rotate(PATIENCE)),
                Step::Reopen => drop(handle.reopen(PATIENCE)),
                Step::Flush => drop(handle.flush(PATIENCE)),
                Step::SetFilter(level) => {
                    filter = usize::from(*level);
                    handle.set_filter(LEVELS[filter].as_str()).unwrap();
                }
                Step::Crash => {
                    world.dead.store(true, std::sync::atomic::Ordering::SeqCst);
                    is_over = false;
                    break;
                }
            }
        }
        let closed = guard.close();
        if !world.is_dead() {
            closed.unwrap();
        } else {
            world.tear();
        }
        model.settle(&handle, since);
        torn += *world.torn.lock().unwrap();
        moved = *world.moved.lock().unwrap();
        drop((dispatch, handle));
        // A process that dies gives up its locks. Here the worker does, a moment later.
        until("the sink to be dropped", || Arc::strong_count(&world) == 1);
    }
    judge(folder.path(), &model, torn);
}

fn judge(folder: &Path, model: &Model, torn: usize) {
    let mut there = BTreeMap::new();
    let mut pieces = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "lock") {
            continue;
        }
        let mut last = None;
        for line in log_directory::read(&path).lines() {
            let Ok(value) = strict::read(line) else {
                pieces.push(line.to_owned());
                continue;
            };
            if value["target"] == "spanline" {
                continue;
            }
            let seq = value["seq"].as_u64().unwrap();
            assert!(last.replace(seq) < Some(seq), "{seq} out of order in {}", path.display());
            assert!(there.insert(seq, value["level"].clone()).is_none(), "{seq} twice");
        }
    }
    for (seq, level) in &there {
        let logged = model.logged.get(seq).unwrap_or_else(|| panic!("nobody logged {seq}"));
        assert_eq!(level, logged.as_str());
    }
    assert_eq!(there.len() as u64, model.written, "lines that are there, and lines that are said to be");
    assert_eq!(model.logged.len() as u64, model.written + model.dropped);
    assert!(pieces.len() <= torn + model.panicked as usize, "{torn} were torn: {pieces:#?}");
}

#[test]
fn promise_01_promise_04_any_sequence_of_faults_orders_and_crashes_keeps_a_files_books_balanced() {
    let name = this_test!();
    if is_child() {
        let cases = std::env::var("SPANLINE_CASES").ok().and_then(|text| text.parse().ok()).unwrap_or(1_000);
        let mut runner = TestRunner::new(Config { cases, failure_persistence: None, ..Config::default() });
        let strategy = (prop::collection::vec(step(), 1..12), prop::option::of(500..5_000_u64));
        let result = runner.run(&strategy, |(steps, max_bytes)| {
            run(&steps, max_bytes);
            Ok(())
        });
        if let Err(error) = result {
            panic!("{error}");
        }
        child_done();
    }
    // The limit on files comes with a signal that ends the process.
    let command = child_behind("sh", &["-c", "trap '' XFSZ; exec \"$0\" \"$@\""], name);
    Running::start(command).finish_within(PATIENCE * 20);
}
