//! SIGKILL, which nobody can answer: what had been written stays, whole.
#![cfg(unix)]

use std::fs::{self, File};
use std::hash::{BuildHasher, RandomState};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use spanline::{Output, Overflow, RollingFile};
use tracing::Level;

use crate::support::ledger::{log, read};
use crate::support::process::{Running, child_command, how, is_child};
use crate::support::sample::tries;
use crate::support::wait::{PATIENCE, Stalls, until};

const KILLS: usize = 20;
const KILLS_LONG: usize = 1_000;
/// How many children run at a time.
const SIDE_BY_SIDE: usize = 4;
const THREADS: u64 = 2;
const FOLDER: &str = "SPANLINE_IT_FOLDER";

/// Ten times the figure that is promised.
const MOST_LOST: Duration = Duration::from_secs(1);

const BURST: u64 = 5_000;
const BETWEEN_BURSTS: Duration = Duration::from_millis(50);
const PACE: Duration = Duration::from_micros(50);

/// Logs until it is killed. After each call, a separate system call records what was logged and when.
fn log_until_killed(output: Output) {
    let folder = PathBuf::from(std::env::var_os(FOLDER).unwrap());
    let (is_paced, begun) = (how() == "paced", Instant::now());
    let _guard = spanline::builder().output(output.overflow(Overflow::Block { max_wait: PATIENCE })).init().unwrap();
    std::thread::scope(|scope| {
        for thread in 0..THREADS {
            let mut journal = File::create(journal(&folder, thread)).unwrap();
            scope.spawn(move || {
                for seq in 0.. {
                    log(Level::INFO, thread, seq);
                    journal.write_all(&(begun.elapsed().as_nanos() as u64).to_ne_bytes()).unwrap();
                    if is_paced {
                        std::thread::park_timeout(PACE);
                    } else if seq % BURST == BURST - 1 {
                        std::thread::park_timeout(BETWEEN_BURSTS);
                    }
                    if begun.elapsed() > PATIENCE {
                        return;
                    }
                }
            });
        }
    });
}

fn file() -> RollingFile {
    RollingFile::new(Path::new(&std::env::var_os(FOLDER).unwrap()).join("it.log"))
}

fn journal(folder: &Path, thread: u64) -> PathBuf {
    folder.join(format!("journal-{thread}"))
}

/// When each line of a thread had been logged.
fn journaled(folder: &Path, thread: u64) -> Vec<Duration> {
    let bytes = fs::read(journal(folder, thread)).unwrap();
    let times = bytes.chunks_exact(8).map(|time| u64::from_ne_bytes(time.try_into().unwrap()));
    times.map(Duration::from_nanos).collect()
}

/// Kills a child of `test` that has logged for a random time, at least `longer`. Returns how long before its end the
/// oldest line was logged that is not in the file; none when all are.
fn kill_one(test: &str, how: &str, longer: Duration) -> Option<Duration> {
    let folder = tempfile::tempdir().unwrap();
    let mut command = child_command(test);
    command.env(FOLDER, folder.path()).env("SPANLINE_IT_HOW", how);
    let mut child = Running::start(command);
    until("all threads to log", || {
        (0..THREADS).all(|thread| journal(folder.path(), thread).metadata().is_ok_and(|journal| journal.len() > 0))
    });
    let random = RandomState::new().hash_one(how) % 200_000;
    std::thread::sleep(longer + Duration::from_micros(random));
    assert!(child.0.try_wait().unwrap().is_none(), "it ended by itself: {}", child.stderr());
    child.0.kill().unwrap();
    child.wait();
    let text = fs::read_to_string(folder.path().join("it.log")).unwrap();
    // The last line may be torn: the kill came in the middle of its write.
    let lines = read(&text[..text.rfind('\n').map_or(0, |end| end + 1)]);
    let journals: Vec<_> = (0..THREADS).map(|thread| journaled(folder.path(), thread)).collect();
    let end = journals.iter().flatten().max().copied().unwrap();
    let lost_at = journals.iter().zip(0..).filter_map(|(journal, thread)| {
        let mut written = 0;
        for line in lines.iter().filter(|line| line.thread == thread) {
            assert_eq!(line.seq, written, "thread {thread} has a hole");
            written += 1;
        }
        journal.get(written as usize)
    });
    lost_at.min().map(|lost_at| end - *lost_at)
}

/// The same for many, each with how it had logged.
fn kill_many<'h>(test: &str, hows: &[&'h str], longer: Duration) -> Vec<(&'h str, Option<Duration>)> {
    std::thread::scope(|scope| {
        let killers: Vec<_> = (0..SIDE_BY_SIDE)
            .map(|first| {
                let kills = (first..tries(KILLS, KILLS_LONG)).step_by(SIDE_BY_SIDE);
                let of = move |kill| {
                    let how = hows[kill / SIDE_BY_SIDE % hows.len()];
                    (how, kill_one(test, how, longer))
                };
                scope.spawn(move || kills.map(of).collect::<Vec<_>>())
            })
            .collect();
        killers.into_iter().flat_map(|killer| killer.join().unwrap()).collect()
    })
}

#[test]
fn promise_10_sigkill_loses_the_last_moment_and_tears_nothing() {
    let name = this_test!();
    if is_child() {
        return log_until_killed(Output::new(file()));
    }
    let stalls = Stalls::measure();
    let lost = kill_many(name, &["paced", "bursts"], MOST_LOST);
    let stall = stalls.longest();
    for wanted in ["paced", "bursts"] {
        let longest = lost.iter().filter(|(how, _)| *how == wanted).filter_map(|(_, lost)| *lost).max();
        println!("{wanted}: at most the last {longest:?} was lost; the machine stalls for {stall:?}");
        assert!(longest.is_none_or(|longest| longest < MOST_LOST + 2 * stall), "{lost:?}, stall {stall:?}");
    }
}

#[test]
fn promise_10_sigkill_takes_nothing_from_a_synchronous_output() {
    let name = this_test!();
    if is_child() {
        return log_until_killed(Output::new(file()).synchronous(Overflow::DEFAULT_MAX_WAIT));
    }
    let lost = kill_many(name, &["bursts", "paced"], Duration::ZERO);
    assert!(lost.iter().all(|(_, lost)| lost.is_none()), "{lost:?}");
}
