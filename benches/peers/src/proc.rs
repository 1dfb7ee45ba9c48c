//! What the system knows of this process, from `/proc`.

use std::fs;
use std::path::PathBuf;

/// The most memory that was resident at any time.
pub fn peak_resident_bytes() -> u64 {
    let status = fs::read_to_string("/proc/self/status").expect("/proc");
    value(&status, "VmHWM:") * 1024
}

/// CPU time that spanline's workers have used.
pub fn workers_cpu_nanos() -> u64 {
    let spent = |task: &PathBuf| {
        let text = fs::read_to_string(task.join("schedstat")).expect("schedstat of a thread");
        text.split(' ').next().and_then(|nanos| nanos.parse::<u64>().ok()).expect("nanoseconds")
    };
    workers().iter().map(spent).sum()
}

/// How often workers were switched to or away from.
pub fn workers_switches() -> u64 {
    let switches = |task: &PathBuf| {
        let status = fs::read_to_string(task.join("status")).expect("status of a thread");
        // The second name ends in the first.
        value(&status, "\nvoluntary_ctxt_switches:") + value(&status, "nonvoluntary_ctxt_switches:")
    };
    workers().iter().map(switches).sum()
}

/// How the names of the workers of spanline and tracing-appender begin.
const WORKERS: [&str; 2] = ["spanline-", "tracing-append"];

fn workers() -> Vec<PathBuf> {
    let tasks = fs::read_dir("/proc/self/task").expect("/proc").map(|task| task.expect("a thread").path());
    let is_worker = |task: &PathBuf| {
        fs::read_to_string(task.join("comm")).is_ok_and(|name| WORKERS.iter().any(|of| name.starts_with(of)))
    };
    let workers: Vec<_> = tasks.filter(is_worker).collect();
    assert!(!workers.is_empty(), "no worker is running");
    workers
}

fn value(status: &str, name: &str) -> u64 {
    let rest = status.split(name).nth(1).expect(name);
    rest.split_whitespace().next().and_then(|value| value.parse().ok()).expect(name)
}
