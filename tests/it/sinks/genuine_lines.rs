//! Promise 43: the amplification limit drops no line of a program whose sink causes no events, and delays none for long.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use spanline::Output;
use spanline::sink::{Lines, Memory, Next, Sink};
use tracing::{Dispatch, Level};

use crate::sinks::peer::balanced;
use crate::support::faults::{built, within};
use crate::support::ledger::{LEVELS, balance, log, read};
use crate::support::wait::{PATIENCE, Stalls, until};

/// The longest that a line rests, without the stalls of the machine.
const LONGEST_REST: Duration = Duration::from_millis(150);

/// A program whose lines are numbered.
struct Program {
    dispatch: Dispatch,
    handle: spanline::Handle,
    logged: Arc<Mutex<Vec<Instant>>>,
    written: Arc<AtomicU64>,
}

impl Program {
    fn log(&self, level: Level) {
        let seq = {
            let mut logged = self.logged.lock().unwrap();
            logged.push(Instant::now());
            logged.len() as u64 - 1
        };
        within(&self.dispatch, || log(level, 0, seq));
    }

    /// Logs a line and waits until the sink has it.
    fn log_and_wait(&self, level: Level) {
        self.log(level);
        let all = self.logged.lock().unwrap().len() as u64;
        until("the line", || self.written.load(Ordering::SeqCst) == all);
    }
}

/// Runs a program beside a sink that takes `call` for each call.
#[track_caller]
fn loses_no_line(call: Duration, run: impl FnOnce(&Program)) {
    let (logged, written) = (Arc::<Mutex<Vec<Instant>>>::default(), Arc::<AtomicU64>::default());
    let (starts, count, mut memory) = (Arc::clone(&logged), Arc::clone(&written), Memory::new());
    let (taken, longest) = (memory.clone(), Arc::<Mutex<Duration>>::default());
    let slowest = Arc::clone(&longest);
    let output = Output::new(move |lines: &mut Lines| {
        std::thread::sleep(call);
        for line in read(std::str::from_utf8(lines.as_bytes()).unwrap()) {
            let rested = starts.lock().unwrap()[line.seq as usize].elapsed();
            let mut slowest = slowest.lock().unwrap();
            *slowest = rested.max(*slowest);
        }
        let taken = lines.iter().count() as u64;
        memory.write(lines)?;
        count.fetch_add(taken, Ordering::SeqCst);
        Ok(Next::Done)
    });
    let (dispatch, guard) = built(spanline::builder().filter("trace").output(output));
    let stalls = Stalls::measure();
    let handle = guard.handle();
    let program = Program { dispatch, handle: handle.clone(), logged, written };
    run(&program);
    guard.close().unwrap();
    let stall = stalls.longest();
    let books = balanced(&handle.metrics());
    assert_eq!(balance(&books, &taken.text()).len(), program.logged.lock().unwrap().len(), "{books:#?}");
    assert_eq!(books.dropped.total(), 0, "{books:#?}");
    let longest = *longest.lock().unwrap();
    assert!(longest < LONGEST_REST + 2 * call + 10 * stall, "a line rested for {longest:?} beside stalls of {stall:?}");
}

fn steadily(call: Duration, pause: Duration, length: Duration, levels: &[Level]) {
    loses_no_line(call, |program| {
        let begun = Instant::now();
        for level in levels.iter().cycle() {
            program.log(*level);
            std::thread::sleep(pause);
            if begun.elapsed() > length {
                break;
            }
        }
    });
}

const INFO: [Level; 1] = [Level::INFO];
const CALM: [Level; 3] = [Level::INFO, Level::DEBUG, Level::TRACE];

#[test]
fn promise_43_a_program_that_logs_1000_lines_in_a_second_loses_none() {
    steadily(Duration::ZERO, Duration::from_millis(1), Duration::from_secs(2), &INFO);
    steadily(Duration::from_millis(5), Duration::from_millis(1), Duration::from_secs(1), &CALM);
}

/// About as often as a window takes, so that most lines are logged inside one.
#[test]
fn promise_43_a_program_that_logs_as_often_as_the_limit_looks_loses_none() {
    std::thread::scope(|scope| {
        for pause in [20, 40, 49, 52, 55, 58, 62, 66, 75, 90] {
            for call in [0, 20] {
                for levels in [&INFO[..], &CALM[..]] {
                    let (call, pause) = (Duration::from_millis(call), Duration::from_millis(pause));
                    scope.spawn(move || steadily(call, pause, Duration::from_secs(3), levels));
                }
            }
        }
    });
}

#[test]
fn promise_43_a_program_that_logs_in_bursts_loses_none() {
    loses_no_line(Duration::from_millis(2), |program| {
        for burst in 0..20 {
            for step in 0..50 {
                program.log(LEVELS[(burst + step) % 5]);
                if step % 10 == 0 {
                    std::thread::sleep(Duration::from_millis(3));
                }
            }
            std::thread::sleep(Duration::from_millis(burst as u64 * 7));
        }
    });
}

/// A request logs from three call sites, 20 ms apart.
#[test]
fn promise_43_lines_that_always_follow_other_lines_are_not_lost() {
    loses_no_line(Duration::ZERO, |program| {
        for request in 0..20 {
            for level in CALM {
                program.log(level);
                std::thread::sleep(Duration::from_millis(20));
            }
            std::thread::sleep(Duration::from_millis(10 * request));
        }
    });
}

/// Each line is logged as soon as the one before was delivered: like an echo, but the call site logs first, too.
#[test]
fn promise_43_lines_that_a_program_logs_in_answer_to_its_sink_are_not_lost() {
    loses_no_line(Duration::ZERO, |program| (0..12).for_each(|_| program.log_and_wait(Level::INFO)));
    loses_no_line(Duration::ZERO, |program| CALM.into_iter().for_each(|level| program.log_and_wait(level)));
    loses_no_line(Duration::ZERO, |program| {
        (0..40).for_each(|_| program.log_and_wait(Level::WARN));
    });
}

#[test]
fn promise_43_a_program_that_flushes_in_a_loop_loses_none() {
    loses_no_line(Duration::ZERO, |program| {
        for flush in 0..300 {
            program.log(CALM[flush % 3]);
            program.handle.flush(PATIENCE).unwrap();
        }
    });
}
