//! One measurement of one peer, in a separate process: global loggers and peak memory cannot be shared.

mod counts;
mod sustained;

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::check;
use crate::measure::{Load, bursts, calls, percentile};
use crate::peers::{self, Peer, Sink};
use crate::reach::{log_files, reach};
use crate::work::Work;

/// No measurement takes so long; a peer that hangs ends then.
const GIVE_UP: Duration = Duration::from_secs(180);
const WARM_UP: u64 = 5_000;

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
    /// Context switches of spanline's idle workers, during one second per step.
    Idle,
    /// Context switches of a worker a second, while lines come at a rate.
    Trickle,
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
        Kind::BackToBack => sustained::measure(peer, load, &spec.directory),
        Kind::Calls => single_calls(peer, load, spec.rate),
        Kind::Reach => {
            let took = reach(&peer, &spec.directory, spec.rate.expect("a rate"), spec.steps);
            vec![
                sample("reach_p50", percentile(&took, 0.5), "ms"),
                sample("reach_p99", percentile(&took, 0.99), "ms"),
                sample("reach_max", percentile(&took, 1.0), "ms"),
            ]
        }
        Kind::Allocations => counts::allocations(peer, load),
        Kind::Worker => counts::worker_cost(peer, load),
        Kind::Idle => counts::idle_switches(&peer, WARM_UP, Duration::from_secs(spec.steps)),
        Kind::Trickle => counts::trickle_switches(&peer, spec.rate.expect("a rate"), spec.steps),
        Kind::Check => {
            peer.inside(|context| (0..check::LINES).for_each(|_| peer.w1e(context)));
            peer.finish();
            check::judge(&spec.peer, &log_files(&spec.directory));
            vec![sample("check", 1.0, "")]
        }
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

/// Removes what a measurement wrote, and waits until the disk has nothing left to do for it.
pub fn clean(directory: &Path) {
    fs::remove_dir_all(directory).expect("the directory can be removed");
    let parent = directory.parent().expect("a directory around it");
    rustix::fs::syncfs(File::open(parent).expect("the directory around it")).expect("the disk is in order");
}
