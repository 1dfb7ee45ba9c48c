//! Promise 43: the amplification limit drops no line of a program whose sink causes no events, and delays none for long.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use spanline::sink::{Control, Lines, Memory, Next, Profile, Sink};
use spanline::{Error, Output};
use tracing::{Dispatch, Level};

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
    takers: Vec<Taker>,
}

/// A sink that takes `call` for each call, and `flush` for each flush.
#[derive(Clone)]
struct Taker {
    call: Duration,
    flush: Duration,
    logged: Arc<Mutex<Vec<Instant>>>,
    written: Arc<AtomicU64>,
    /// The longest time from a line's event to its delivery.
    longest: Arc<Mutex<Duration>>,
    memory: Memory,
}

impl Sink for Taker {
    fn write(&mut self, lines: &mut Lines) -> Result<Next, Error> {
        std::thread::sleep(self.call);
        for line in read(std::str::from_utf8(lines.as_bytes()).unwrap()) {
            let rested = self.logged.lock().unwrap()[line.seq as usize].elapsed();
            let mut longest = self.longest.lock().unwrap();
            *longest = rested.max(*longest);
        }
        let taken = lines.iter().count() as u64;
        self.memory.write(lines)?;
        self.written.fetch_add(taken, Ordering::SeqCst);
        Ok(Next::Done)
    }

    fn control(&mut self, control: Control) -> Result<(), Error> {
        if control == Control::Flush {
            std::thread::sleep(self.flush);
        }
        Ok(())
    }

    fn profile(&self) -> Profile {
        Profile::new("taker")
    }
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

    fn log_steadily(&self, pause: Duration, length: Duration, levels: &[Level]) {
        let begun = Instant::now();
        for level in levels.iter().cycle() {
            self.log(*level);
            std::thread::sleep(pause);
            if begun.elapsed() > length {
                break;
            }
        }
    }

    /// Logs a line and waits until all sinks have it.
    fn log_and_wait(&self, level: Level) {
        self.log(level);
        let all = self.logged.lock().unwrap().len() as u64;
        until("the line", || self.takers.iter().all(|taker| taker.written.load(Ordering::SeqCst) == all));
    }
}

/// Runs a program beside a sink that takes `call` for each call.
#[track_caller]
fn loses_no_line(call: Duration, run: impl Fn(&Program)) {
    loses_no_line_in(1, call, Duration::ZERO, run);
}

/// Runs a program beside sinks that take `call` for each call, and `flush` for each flush. Experiments of several outputs
/// wait for each other.
///
/// The log judges by times of some milliseconds. A machine that stops its threads for longer makes lines look like echoes, so
/// such a run does not count.
#[track_caller]
fn loses_no_line_in(outputs: u32, call: Duration, flush: Duration, run: impl Fn(&Program)) {
    const RUNS: u32 = 5;
    for _ in 1..RUNS {
        match lost_lines(outputs, call, flush, &run) {
            (0, _) => return,
            (lost, stall) => assert!(stall >= LONG_STALL, "{lost} lines are lost beside stalls of {stall:?}"),
        }
    }
    assert_eq!(lost_lines(outputs, call, flush, &run).0, 0);
}

/// Returns how many lines were lost, and the longest stall of the machine meanwhile.
#[track_caller]
fn lost_lines(outputs: u32, call: Duration, flush: Duration, run: impl Fn(&Program)) -> (u64, Duration) {
    let logged = Arc::<Mutex<Vec<Instant>>>::default();
    let taker = || Taker {
        call,
        flush,
        logged: Arc::clone(&logged),
        written: Arc::default(),
        longest: Arc::default(),
        memory: Memory::new(),
    };
    let takers: Vec<_> = (0..outputs).map(|_| taker()).collect();
    let builder = takers.iter().enumerate().fold(spanline::builder().filter("trace"), |builder, (number, taker)| {
        builder.output(Output::new(taker.clone()).name(format!("taker {number}")))
    });
    let (dispatch, guard) = built(builder);
    let stalls = Stalls::measure();
    let handle = guard.handle();
    let program = Program { dispatch, handle: handle.clone(), logged, takers };
    run(&program);
    guard.close().unwrap();
    let stall = stalls.longest();
    let mut lost = 0;
    for (books, taker) in handle.metrics().outputs.iter().zip(&program.takers) {
        let written = balance(books, &taker.memory.text()).len() as u64;
        assert_eq!(written + books.dropped.total(), program.logged.lock().unwrap().len() as u64, "{books:#?}");
        lost += books.dropped.total();
        let longest = *taker.longest.lock().unwrap();
        let most = outputs * LONGEST_REST + 2 * call + 4 * flush + 10 * stall;
        assert!(longest < most, "a line rested for {longest:?} beside stalls of {stall:?}");
    }
    (lost, stall)
}

fn steadily(call: Duration, pause: Duration, length: Duration, levels: &[Level]) {
    loses_no_line(call, |program| program.log_steadily(pause, length, levels));
}

/// A stall of this length can change what the log takes for an echo.
const LONG_STALL: Duration = Duration::from_millis(10);

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

/// The window of a delivery stays open while the sink flushes, so that most lines are logged inside one.
#[test]
fn promise_43_a_program_whose_sink_flushes_for_nearly_as_long_as_it_pauses_loses_no_line() {
    std::thread::scope(|scope| {
        for pause in [100, 110, 120, 130, 140, 150] {
            for levels in [&INFO[..], &CALM[..]] {
                let (flush, pause) = (Duration::from_millis(100), Duration::from_millis(pause));
                scope.spawn(move || {
                    loses_no_line_in(1, Duration::ZERO, flush, |program| {
                        program.log_steadily(pause, Duration::from_secs(3), levels);
                    });
                });
            }
        }
    });
}

/// Each line is logged as soon as the sinks have the one before: a WARN passes in four such batches of each output, an
/// ERROR in 64.
#[test]
fn promise_43_the_warnings_and_errors_of_a_program_with_three_outputs_are_not_lost() {
    for (level, lines) in [(Level::WARN, 4), (Level::ERROR, 60)] {
        loses_no_line_in(3, Duration::ZERO, Duration::ZERO, |program| {
            program.log_and_wait(Level::INFO);
            (0..lines).for_each(|_| program.log_and_wait(level));
        });
    }
}

#[test]
fn promise_43_a_program_with_three_outputs_loses_no_line() {
    loses_no_line_in(3, Duration::ZERO, Duration::ZERO, |program| {
        program.log_steadily(Duration::from_millis(40), Duration::from_secs(2), &CALM);
        (0..12).for_each(|_| program.log_and_wait(Level::INFO));
    });
}

/// A WARN and a suspect are logged while the sink is called, and come in one batch.
#[test]
fn promise_43_a_line_is_flushed_before_the_next_one_rests() {
    struct Recorder {
        calls: Sender<String>,
        gate: Receiver<()>,
    }
    impl Sink for Recorder {
        fn write(&mut self, lines: &mut Lines) -> Result<Next, Error> {
            let read = read(std::str::from_utf8(lines.as_bytes()).unwrap());
            let call: Vec<_> = read.iter().map(|line| line.seq.to_string()).collect();
            self.calls.send(call.join(" ")).unwrap();
            if read[0].seq == 0 {
                self.gate.recv().unwrap();
            }
            lines.advance(lines.as_bytes().len());
            Ok(Next::Done)
        }

        fn control(&mut self, control: Control) -> Result<(), Error> {
            if control == Control::Flush {
                self.calls.send("flush".to_owned()).unwrap();
            }
            Ok(())
        }
    }
    let calls = || {
        let ((calls, called), (open, gate)) = (channel(), channel());
        let (dispatch, guard) =
            built(spanline::builder().filter("trace").output(Output::new(Recorder { calls, gate })));
        within(&dispatch, || log(Level::INFO, 0, 0));
        let first = called.recv().unwrap();
        within(&dispatch, || log(Level::WARN, 0, 1));
        within(&dispatch, || log(Level::DEBUG, 0, 2));
        open.send(()).unwrap();
        let rest: Vec<_> = called.iter().take(4).collect();
        guard.close().unwrap();
        [vec![first], rest].concat()
    };
    // A machine that stalls for a second lets the lines pass together.
    let calls = (0..10).map(|_| calls()).find(|calls| calls[2] != "1 2").expect("a run without a stall");
    assert_eq!(calls, ["0", "flush", "1", "flush", "2"]);
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
