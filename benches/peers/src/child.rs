//! One measurement of one peer, in a process of its own: global loggers and peak memory cannot be shared.

use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::measure::{Load, back_to_back, bursts, calls, percentile};
use crate::peers::{self, Peer, Sink};
use crate::reach::{log_files, reach};
use crate::work::{MESSAGE, Work};
use crate::{allocations, check, proc};

/// No measurement takes so long; a peer that hangs ends then.
const GIVE_UP: Duration = Duration::from_secs(180);
const WARM_UP: u64 = 5_000;
/// For a worker to finish what it has, where nothing may be asked of it.
const SETTLE: Duration = Duration::from_millis(250);
/// After its last line a worker may poll so long before it has to sleep.
const FALLS_ASLEEP: Duration = Duration::from_secs(2);

/// What is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Kind {
    /// The mean on the caller, of steps in bursts that no queue is too short for.
    Bursts,
    /// Steps back to back into a file: lines a second, losses, memory.
    BackToBack,
    /// Single calls.
    Calls,
    /// The way of a line into the file.
    Reach,
    /// Allocations for each step.
    Allocations,
    /// CPU time of spanline's workers for each line.
    Worker,
    /// Context switches of spanline's idle workers, over so many seconds as there are steps.
    Idle,
    /// Whether the lines say what they have to.
    Check,
}

/// A measurement, as the parent asks for it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Spec {
    pub peer: String,
    pub kind: Kind,
    pub work: Work,
    pub to_file: bool,
    pub threads: usize,
    /// Steps a second, of all threads together; full speed without.
    pub rate: Option<u64>,
    pub steps: u64,
    /// Empty, and removed by the parent.
    pub directory: PathBuf,
}

/// One measured value.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Sample {
    pub metric: String,
    pub value: f64,
    pub unit: String,
}

fn sample(metric: &str, value: f64, unit: &str) -> Sample {
    Sample { metric: metric.to_owned(), value, unit: unit.to_owned() }
}

/// Measures in a new process.
///
/// # Errors
/// What the process said when it failed.
pub fn spawn(spec: &Spec) -> Result<Vec<Sample>, String> {
    let text = serde_json::to_string(spec).expect("a spec is JSON");
    let executable = std::env::current_exe().expect("the path of this program");
    let mut command = Command::new(executable);
    let output = command.arg("--child").arg(text).stderr(Stdio::piped()).output().map_err(|error| error.to_string())?;
    if !output.status.success() {
        return Err(format!("{}: {} {}", spec.peer, output.status, String::from_utf8_lossy(&output.stderr)));
    }
    serde_json::from_slice(&output.stdout).map_err(|error| format!("{}: {error}", spec.peer))
}

/// Measures in this process, and prints the samples.
pub fn run(spec: &str) {
    std::thread::spawn(|| {
        std::thread::sleep(GIVE_UP);
        eprintln!("nothing after {GIVE_UP:?}");
        std::process::exit(3);
    });
    let spec: Spec = serde_json::from_str(spec).expect("a spec");
    let entry = peers::find(&spec.peer).expect("a known peer");
    println!("{}", serde_json::to_string(&(entry.measure)(&spec)).expect("samples are JSON"));
}

/// What the parent asked for, of one peer.
pub fn measure<P: Peer>(spec: &Spec) -> Vec<Sample> {
    let sink = if spec.to_file { Sink::Files(spec.directory.clone()) } else { Sink::Null };
    let peer = P::start(&sink);
    let warm_up = WARM_UP.div_ceil(spec.work.lines().max(1)) / spec.threads as u64;
    let load = Load { work: spec.work, threads: spec.threads, warm_up, steps: spec.steps };
    match spec.kind {
        Kind::Bursts => {
            let nanos = percentile(&bursts(&peer, load), 0.5);
            peer.finish();
            vec![sample("caller_mean", nanos, "ns")]
        }
        Kind::BackToBack => sustained(peer, load, &spec.directory),
        Kind::Calls => single_calls(peer, load, spec.rate),
        Kind::Reach => {
            let took = reach(&peer, &spec.directory, spec.rate.expect("a rate"), spec.steps);
            vec![
                sample("reach_p50", percentile(&took, 0.5), "ms"),
                sample("reach_p99", percentile(&took, 0.99), "ms"),
                sample("reach_max", percentile(&took, 1.0), "ms"),
            ]
        }
        Kind::Allocations => count_allocations(peer, load),
        Kind::Worker => worker_cost(peer, load),
        Kind::Idle => idle_switches(&peer, Duration::from_secs(spec.steps)),
        Kind::Check => {
            peer.inside(|context| (0..check::LINES).for_each(|_| peer.w1e(context)));
            peer.finish();
            check::judge(&spec.peer, &log_files(&spec.directory));
            vec![sample("check", 1.0, "")]
        }
    }
}

fn sustained<P: Peer>(peer: P, load: Load, directory: &Path) -> Vec<Sample> {
    let ran = back_to_back(&peer, load);
    peer.finish();
    let seconds = ran.begun.elapsed().as_secs_f64();
    let resident = proc::peak_resident_bytes();
    let steps = load.steps / load.threads as u64;
    let nanos: f64 = ran.threads.iter().map(|took| took.as_nanos() as f64 / steps as f64).sum();
    let warm_up = load.warm_up * load.threads as u64 * load.work.lines();
    let logged = warm_up + steps * load.threads as u64 * load.work.lines();
    let written = Written::count(directory);
    let lines_per_s = written.lines.saturating_sub(warm_up) as f64 / seconds;
    let bytes_per_line = written.bytes as f64 / written.lines as f64;
    vec![
        sample("caller_mean", nanos / load.threads as f64, "ns"),
        sample("lines_per_s", lines_per_s, "lines/s"),
        sample("mb_per_s", lines_per_s * bytes_per_line / 1e6, "MB/s"),
        sample("lines_lost", logged as f64 - written.lines as f64, "lines"),
        sample("lines_logged", logged as f64, "lines"),
        sample("bytes_per_line", bytes_per_line, "bytes"),
        sample("resident_peak", resident as f64 / f64::from(1 << 20), "MiB"),
    ]
}

/// What is in the files afterwards.
struct Written {
    lines: u64,
    bytes: u64,
}

impl Written {
    /// Counts the lines with the message: those that a peer writes of its own accord are not meant.
    fn count(directory: &Path) -> Self {
        let mut written = Self { lines: 0, bytes: 0 };
        let mut line = Vec::new();
        for path in log_files(directory) {
            let mut file = BufReader::with_capacity(1 << 20, File::open(path).expect("a log file"));
            while file.read_until(b'\n', &mut line).expect("a readable log") > 0 {
                if line.windows(MESSAGE.len()).any(|bytes| bytes == MESSAGE.as_bytes()) {
                    written.lines += 1;
                    written.bytes += line.len() as u64;
                }
                line.clear();
            }
        }
        written
    }
}

fn single_calls<P: Peer>(peer: P, load: Load, rate: Option<u64>) -> Vec<Sample> {
    let took = calls(&peer, load, rate);
    peer.finish();
    vec![
        sample("call_p50", percentile(&took, 0.5), "ns"),
        sample("call_p99", percentile(&took, 0.99), "ns"),
        sample("call_p999", percentile(&took, 0.999), "ns"),
        sample("call_max", percentile(&took, 1.0), "ns"),
    ]
}

fn count_allocations<P: Peer>(peer: P, load: Load) -> Vec<Sample> {
    struct Count(Load);
    impl peers::Measure for Count {
        type Output = u64;

        fn run(self, mut step: impl FnMut()) -> u64 {
            (0..self.0.warm_up).for_each(|_| step());
            std::thread::sleep(SETTLE);
            allocations::begin();
            (0..self.0.steps).for_each(|_| step());
            allocations::of_this_thread()
        }
    }
    let caller = peers::measure_step(&peer, load.work, Count(load));
    // Whoever renders for the caller has done it by then; ending the log is not part of a step.
    std::thread::sleep(SETTLE);
    let all = allocations::of_all();
    peer.finish();
    vec![
        sample("allocations_caller", caller as f64 / load.steps as f64, "per step"),
        sample("allocations_all", all as f64 / load.steps as f64, "per step"),
    ]
}

fn worker_cost<P: Peer>(peer: P, load: Load) -> Vec<Sample> {
    struct Cost(Load);
    impl peers::Measure for Cost {
        type Output = f64;

        fn run(self, mut step: impl FnMut()) -> f64 {
            (0..self.0.warm_up).for_each(|_| step());
            std::thread::sleep(SETTLE);
            let before = proc::workers_cpu_nanos();
            (0..self.0.steps).for_each(|_| step());
            std::thread::sleep(SETTLE);
            (proc::workers_cpu_nanos() - before) as f64 / (self.0.steps * self.0.work.lines()) as f64
        }
    }
    let nanos = peers::measure_step(&peer, load.work, Cost(load));
    peer.finish();
    vec![sample("worker_per_line", nanos, "ns")]
}

fn idle_switches<P: Peer>(peer: &P, watched: Duration) -> Vec<Sample> {
    peer.inside(|context| (0..WARM_UP).for_each(|_| peer.w1e(context)));
    std::thread::sleep(FALLS_ASLEEP);
    let before = proc::workers_switches();
    std::thread::sleep(watched);
    vec![sample("idle_switches", (proc::workers_switches() - before) as f64, "switches")]
}

/// Removes what a measurement wrote, and waits until the disk has nothing left to do for it.
pub fn clean(directory: &Path) {
    fs::remove_dir_all(directory).expect("the directory can be removed");
    let parent = directory.parent().expect("a directory around it");
    rustix::fs::syncfs(File::open(parent).expect("the directory around it")).expect("the disk is in order");
}
