//! Promise 45: reloads while threads log.

use std::collections::BTreeMap;
use std::fs;
use std::sync::Barrier;
use std::sync::atomic::{AtomicBool, Ordering};

use tracing::info;

use super::reload::Stage;
use crate::support::faults::within;
use crate::support::wait::{PATIENCE, until};

/// The text of one of many configurations. All take every INFO.
fn text(number: u64) -> String {
    let schema = ["flat", "nested", "flat"][(number % 3) as usize];
    let queue = 64 + number % 5;
    let output = |name: &str| {
        format!(
            "[output.{name}]\nsink = {{ file = 'DIR/{name}.log' }}\nschema = '{schema}'\n\
             overflow = {{ block = '60 s' }}\nqueue_bytes = '{queue} KiB'\n"
        )
    };
    let filter = ["info", "debug", "trace,nobody=off"][(number / 7 % 3) as usize];
    // Exactly one output.
    format!("filter = '{filter}'\n{}", output(["a", "b", "c", "d"][(number / 3 % 4) as usize]))
}

/// Returns the next of a reproducible series of numbers.
fn random(state: &mut u64) -> u64 {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    *state
}

#[cfg(target_os = "linux")]
fn count(directory: &str) -> usize {
    fs::read_dir(directory).unwrap().count()
}

/// 1,000 reloads and 1,000 changes of the filter in random order, while 8 threads log. There is always exactly one output,
/// so each line is in exactly one file.
#[test]
fn promise_45_reloads_under_load_lose_duplicate_and_tear_nothing() {
    const THREADS: u64 = 8;
    const CHANGES: u64 = 2_000;
    let stage = Stage::new(&text(0));
    let handle = stage.guard.handle();
    let ends = AtomicBool::new(false);
    let begin = Barrier::new(THREADS as usize + 1);
    let mut state = 42;
    let logged: Vec<u64> = std::thread::scope(|scope| {
        let logging: Vec<_> = (0..THREADS)
            .map(|thread| {
                let (dispatch, ends, begin) = (&stage.dispatch, &ends, &begin);
                scope.spawn(move || {
                    begin.wait();
                    let mut seq = 0;
                    while !ends.load(Ordering::Relaxed) {
                        within(dispatch, || info!(thread, seq, "line"));
                        seq += 1;
                        // The changes are what is tested, not a full queue.
                        std::thread::yield_now();
                        if seq % 16 == 0 {
                            std::thread::park_timeout(std::time::Duration::from_millis(1));
                        }
                    }
                    seq
                })
            })
            .collect();
        begin.wait();
        #[cfg(target_os = "linux")]
        let mut before = None;
        for round in 0..CHANGES {
            match random(&mut state) % 2 {
                0 => {
                    stage.write(&text(random(&mut state) % 1000));
                    handle.reload().unwrap();
                }
                _ => handle.set_filter(["info", "debug", "trace"][(random(&mut state) % 3) as usize]).unwrap(),
            }
            #[cfg(target_os = "linux")]
            if round == CHANGES / 4 {
                before = Some((count("/proc/self/fd"), count("/proc/self/task")));
            }
            let _ = round;
        }
        ends.store(true, Ordering::Relaxed);
        let logged = logging.into_iter().map(|thread| thread.join().unwrap()).collect();
        handle.flush(PATIENCE).unwrap();
        #[cfg(target_os = "linux")]
        {
            let (files, threads) = before.unwrap();
            // Other tests of this process come and go.
            until("descriptors and threads do not grow", || {
                count("/proc/self/fd") <= files + 64 && count("/proc/self/task") <= threads + 64
            });
        }
        logged
    });
    let mut seen: BTreeMap<(u64, u64), u32> = BTreeMap::new();
    for name in ["a.log", "b.log", "c.log", "d.log"] {
        let text = fs::read_to_string(stage.path(name)).unwrap_or_default();
        assert!(text.is_empty() || text.ends_with('\n'), "{name}: the last line is torn");
        for line in text.lines() {
            let line: serde_json::Value = serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
            let fields = if line["fields"].is_object() { &line["fields"] } else { &line };
            if let (Some(thread), Some(seq)) = (fields["thread"].as_u64(), fields["seq"].as_u64()) {
                *seen.entry((thread, seq)).or_default() += 1;
            }
        }
    }
    let (twice, lines): (Vec<_>, u64) = (seen.iter().filter(|(_, times)| **times > 1).collect(), seen.len() as u64);
    assert!(twice.is_empty(), "{} lines are there twice: {:?}", twice.len(), twice.first());
    assert_eq!(lines, logged.iter().sum::<u64>(), "lines are lost");
    assert_eq!(stage.complaints.all(), Vec::<String>::new());
}

/// The memory of this process, in KiB.
#[cfg(target_os = "linux")]
fn resident_kib() -> usize {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

#[cfg(target_os = "linux")]
#[test]
fn promise_45_a_thousand_reloads_and_filters_let_memory_descriptors_and_threads_stay() {
    use crate::support::process::{Running, child_command, is_child};
    let name = this_test!();
    if !is_child() {
        Running::start(child_command(name)).finish();
        return;
    }
    let stage = Stage::new(&text(0));
    let handle = stage.guard.handle();
    let mut state = 7;
    let mut change = |times: u64| {
        for round in 0..times {
            stage.write(&text(random(&mut state) % 1000));
            handle.reload().unwrap();
            handle.set_filter(["info", "debug"][(round % 2) as usize]).unwrap();
            within(&stage.dispatch, || info!(round, "line"));
        }
        handle.flush(PATIENCE).unwrap();
    };
    let (files, threads) = (count("/proc/self/fd"), count("/proc/self/task"));
    let mut change = |times: u64| {
        change(times);
        // Outputs that were replaced end a little later.
        until("descriptors and threads do not grow", || {
            count("/proc/self/fd") <= files && count("/proc/self/task") <= threads
        });
    };
    // The allocator keeps what a hundred outputs at a time have needed.
    let memory: Vec<usize> = (0..10)
        .map(|_| {
            change(100);
            resident_kib()
        })
        .collect();
    assert!(memory[9] <= memory[2] + (16 << 10), "KiB after each hundred: {memory:?}");
}
