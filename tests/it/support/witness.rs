//! A program that logs numbered lines, a witness of what it logged, and a judge over both.
//!
//! The witness is a file with a slot for each line, filled with the time when the call that logged it had returned: one
//! positioned write, which the system keeps whatever becomes of the process. The judge reads every file that the log was
//! written to, plain or compressed, strictly, and compares.
#![cfg(unix)]

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::Read;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::Value;
use spanline::{Output, Overflow, RollingFile};
use tracing::Level;

use crate::support::process::{Running, child_command, child_done, is_child};
use crate::support::wait::{PATIENCE, until};
use crate::support::{ledger, log_directory, strict};

/// Slots of a thread: more lines than any test has time for.
const SLOTS: u64 = 1 << 20;
const SLOT_BYTES: u64 = 8;
/// After this many lines a thread of the program pauses, so that the judge has less to read.
const BREATH: u64 = 20;

/// Nanoseconds since 1970.
pub(crate) fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_nanos() as u64
}

/// What was logged, in a file that outlives the process.
#[derive(Debug)]
pub(crate) struct Witness(File);

impl Witness {
    pub(crate) fn new(path: &Path) -> Self {
        Self(File::options().create(true).truncate(false).read(true).write(true).open(path).unwrap())
    }

    /// The call that logs the line has returned.
    pub(crate) fn saw(&self, thread: u64, seq: u64) {
        self.put(thread, seq + 1, now());
    }

    /// The program ended by itself and dropped this many lines of its output.
    fn ended(&self, first_thread: u64, dropped: u64) {
        self.put(first_thread, 0, dropped + 1);
    }

    fn put(&self, thread: u64, slot: u64, value: u64) {
        assert!(slot < SLOTS);
        self.0.write_all_at(&value.to_ne_bytes(), (thread * SLOTS + slot) * SLOT_BYTES).unwrap();
    }

    /// When each line of the thread had been logged.
    pub(crate) fn times(&self, thread: u64) -> Vec<u64> {
        let mut times = Vec::new();
        let mut page = vec![0; 64 << 10];
        loop {
            let from = (thread * SLOTS + 1 + times.len() as u64) * SLOT_BYTES;
            let read = self.0.read_at(&mut page, from).unwrap();
            let (slots, _) = page[..read].as_chunks();
            let known = times.len();
            times.extend(slots.iter().map(|slot| u64::from_ne_bytes(*slot)).take_while(|time| *time != 0));
            if times.len() == known {
                return times;
            }
        }
    }

    /// What the program whose first thread this is said at its end.
    pub(crate) fn dropped(&self, first_thread: u64) -> Option<u64> {
        let mut slot = [0; SLOT_BYTES as usize];
        let _ = self.0.read_at(&mut slot, first_thread * SLOTS * SLOT_BYTES).unwrap();
        u64::from_ne_bytes(slot).checked_sub(1)
    }
}

/// A program under way that logs until it is told to stop, or dies.
pub(crate) struct Program {
    running: Running,
    pub(crate) first_thread: u64,
    threads: u64,
}

/// How the program logs.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Plan {
    pub(crate) threads: u64,
    /// Whether, and at what size, the file rolls by itself.
    pub(crate) max_bytes: Option<u64>,
    pub(crate) compressed: bool,
}

impl Program {
    /// Starts it; its threads are numbered from `first_thread` on.
    pub(crate) fn start(plan: Plan, first_thread: u64, log: &Path, witness: &Path) -> Self {
        let mut command = child_command("support::witness::program");
        command.env("LOG", log).env("WITNESS", witness).stdin(Stdio::piped()).stdout(Stdio::null());
        command.env("FIRST", first_thread.to_string()).env("THREADS", plan.threads.to_string());
        command.env("MAX_BYTES", plan.max_bytes.unwrap_or(0).to_string());
        command.env("COMPRESSED", if plan.compressed { "1" } else { "0" });
        Self { running: Running::start(command), first_thread, threads: plan.threads }
    }

    pub(crate) fn threads(&self) -> std::ops::Range<u64> {
        self.first_thread..self.first_thread + self.threads
    }

    /// Waits until each thread has logged this many more lines.
    #[track_caller]
    pub(crate) fn wait_lines(&mut self, witness: &Witness, lines: usize) {
        let before: Vec<_> = self.threads().map(|thread| witness.times(thread).len()).collect();
        for (thread, before) in self.threads().zip(before) {
            until("the program to log", || {
                if let Some(status) = self.running.0.try_wait().unwrap() {
                    panic!("the program has ended: {status}: {}", self.running.stderr());
                }
                witness.times(thread).len() >= before + lines
            });
        }
    }

    /// Sends SIGKILL. Returns the time when it was sent.
    pub(crate) fn kill(mut self) -> u64 {
        let time = now();
        self.running.0.kill().unwrap();
        let _: ExitStatus = self.running.wait();
        time
    }

    /// Asks it to end by itself; [`stop`](Self::stop) waits for that.
    pub(crate) fn ask_to_stop(&mut self) {
        drop(self.running.0.stdin.take());
    }

    /// Asks it to end, and waits for that.
    #[track_caller]
    pub(crate) fn stop(mut self) {
        self.ask_to_stop();
        let status = self.running.wait();
        assert!(status.success(), "{status}: {}", self.running.stderr());
    }
}

#[test]
fn program() {
    if !is_child() {
        return;
    }
    let number = |name: &str| std::env::var(name).unwrap().parse::<u64>().unwrap();
    let witness = Witness::new(Path::new(&std::env::var_os("WITNESS").unwrap()));
    let mut file = RollingFile::new(PathBuf::from(std::env::var_os("LOG").unwrap()));
    if number("MAX_BYTES") > 0 {
        file = file.rotate_bytes(number("MAX_BYTES"));
    }
    #[cfg(feature = "gzip")]
    if number("COMPRESSED") == 1 {
        file = file.gzip();
    }
    let output = Output::new(file).name("out").overflow(Overflow::Block { max_wait: PATIENCE });
    let guard = spanline::builder().shutdown_timeout(PATIENCE, PATIENCE).output(output).init().unwrap();
    let stop = AtomicBool::new(false);
    let first = number("FIRST");
    std::thread::scope(|scope| {
        for thread in first..first + number("THREADS") {
            let (witness, stop) = (&witness, &stop);
            scope.spawn(move || {
                for seq in 0..SLOTS - 1 {
                    if stop.load(Ordering::Relaxed) {
                        break;
                    }
                    ledger::log(Level::INFO, thread, seq);
                    witness.saw(thread, seq);
                    if seq % BREATH == 0 {
                        std::thread::park_timeout(Duration::from_millis(4));
                    }
                }
            });
        }
        std::io::stdin().read_to_end(&mut Vec::new()).unwrap();
        stop.store(true, Ordering::Relaxed);
    });
    let handle = guard.handle();
    guard.close().unwrap();
    let output = &handle.metrics().outputs[0];
    assert_eq!(output.emitted.total(), output.written.total() + output.dropped.total());
    witness.ended(first, output.dropped.total());
    child_done();
}

/// What the judge found.
#[derive(Debug, Default)]
pub(crate) struct Verdict {
    /// Valid lines, notices left out.
    pub(crate) lines: usize,
    /// Text that is not a line.
    pub(crate) pieces: Vec<String>,
    /// Thread, number and time of the lines that were logged and are not there.
    pub(crate) missing: Vec<(u64, u64, u64)>,
    /// Lines that the log reports as dropped.
    pub(crate) told: u64,
}

/// Reads a log, given as the text of its files in order, and compares it with what the witness saw of `threads`. Lines
/// that nobody logged, lines that are there twice and lines out of a thread's order are refused at once.
#[track_caller]
pub(crate) fn judge(texts: &[String], witness: &Witness, threads: impl IntoIterator<Item = u64>) -> Verdict {
    let mut verdict = Verdict::default();
    let mut last = BTreeMap::<u64, u64>::new();
    let mut there = BTreeSet::new();
    for line in texts.iter().flat_map(|text| text.split_inclusive('\n')) {
        let whole = line.strip_suffix('\n').ok_or("no end").map_err(str::to_owned).and_then(strict::read);
        let Ok(line) = whole else {
            verdict.pieces.push(line.to_owned());
            continue;
        };
        if line["target"] == "spanline" {
            verdict.told += line["dropped"].as_u64().unwrap_or(0);
            continue;
        }
        let number = |key: &str| line[key].as_u64().unwrap_or_else(|| panic!("an unknown line: {line}"));
        let (thread, seq) = (number("thread"), number("seq"));
        assert_eq!((&line["message"], &line["level"]), (&Value::from("line"), &Value::from("INFO")), "{line}");
        if let Some(before) = last.insert(thread, seq) {
            assert!(before < seq, "thread {thread}: {seq} after {before}");
        }
        there.insert((thread, seq));
        verdict.lines += 1;
    }
    for thread in threads {
        let times = witness.times(thread);
        assert!(!times.is_empty(), "thread {thread} has logged nothing");
        // The last line may be written before its call has returned.
        assert!(
            last.get(&thread).is_none_or(|seq| *seq <= times.len() as u64),
            "thread {thread} has lines of nobody's"
        );
        let missing = (0..).zip(times).filter(|(seq, _)| !there.contains(&(thread, *seq)));
        verdict.missing.extend(missing.map(|(seq, time)| (thread, seq, time)));
    }
    verdict
}

/// The files of a log in its own directory: closed segments in order, each once, then the active file.
pub(crate) fn texts(log: &Path) -> Vec<String> {
    let stem = format!("{}.2", log.file_stem().unwrap().to_str().unwrap());
    let directory = log.parent().unwrap();
    let names = std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    // A crash may leave a segment in both forms, of which the plain one is whole.
    let segments = names.filter(|name| name.starts_with(&stem));
    let segments: BTreeMap<_, _> = segments.map(|name| (name.trim_end_matches(".gz").to_owned(), name)).fold(
        BTreeMap::new(),
        |mut all, (segment, name)| {
            if all.get(&segment) != Some(&segment) {
                all.insert(segment, name);
            }
            all
        },
    );
    // The program may be compressing: what is gone by now has its other form.
    let read = |name: &String| match File::open(directory.join(name)) {
        Ok(_) if name.ends_with(".gz") => log_directory::read(&directory.join(name)),
        Ok(mut plain) => {
            let mut text = String::new();
            plain.read_to_string(&mut text).unwrap();
            text
        }
        Err(_) => log_directory::read(&directory.join(format!("{name}.gz"))),
    };
    let mut texts: Vec<_> = segments.values().map(read).collect();
    texts.extend(log.exists().then(|| log_directory::read(log)));
    texts
}

/// Whether a program is there.
pub(crate) fn has(program: &str) -> bool {
    let tried = Command::new(program).arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status();
    tried.is_ok_and(|status| status.success())
}

#[test]
fn the_judge_sees_what_is_wrong() {
    let directory = tempfile::tempdir().unwrap();
    let witness = Witness::new(&directory.path().join("witness"));
    let line = |seq: u64| format!("{{\"level\":\"INFO\",\"message\":\"line\",\"thread\":3,\"seq\":{seq}}}\n");
    (0..10_000).for_each(|seq| witness.saw(3, seq));
    let all: String = (0..10_000).map(line).collect();
    let verdict = judge(std::slice::from_ref(&all), &witness, [3]);
    assert_eq!((verdict.lines, verdict.pieces.len(), verdict.missing.len()), (10_000, 0, 0));
    let without = all.replacen(&line(77), "", 1);
    let missing = judge(&[without], &witness, [3]).missing;
    assert_eq!(missing.iter().map(|(thread, seq, _)| (*thread, *seq)).collect::<Vec<_>>(), [(3, 77)]);
    let torn = judge(&[all[..all.len() - 1].to_owned()], &witness, [3]);
    assert_eq!((torn.pieces.len(), torn.missing.len()), (1, 1));
    let glued = judge(&[all.replacen("}\n", "}", 1)], &witness, [3]);
    assert_eq!((glued.pieces.len(), glued.missing.len()), (1, 2));
    for wrong in [all.clone() + &line(5), line(1) + &line(0), line(10_001), line(5).replace("INFO", "WARN")] {
        assert!(std::panic::catch_unwind(|| judge(&[wrong], &witness, [3])).is_err());
    }
    let twice_a_key = judge(&[all.replacen("\"seq\":0}", "\"seq\":0,\"seq\":0}", 1)], &witness, [3]);
    assert_eq!((twice_a_key.pieces.len(), twice_a_key.missing.len()), (1, 1));
}
