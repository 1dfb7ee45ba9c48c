//! Promise 43: a sink whose client logs on threads of the program does not feed itself.

use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use spanline::metrics::Reason;
use spanline::sink::{Control, Lines, Memory, Next, Profile, Sink};
use spanline::{Error, Output, Overflow};
use tokio::runtime::{Builder, Handle, Runtime};
use tracing::{Dispatch, Level};

use crate::sinks::peer::balanced;
use crate::support::faults::{built, within};
use crate::support::ledger::{LEVELS, log, read};
use crate::support::wait::{PATIENCE, until};

/// The number of the client's lines.
const CLIENT: u64 = 99;

/// Its client logs so many lines for each write, and for each flush if it is told to.
struct Shared {
    runtime: Handle,
    dispatch: Arc<OnceLock<Dispatch>>,
    lines_per_write: u64,
    logs_at_flush: bool,
    taken: Arc<Mutex<Vec<u8>>>,
}

impl Shared {
    fn new(runtime: &Runtime, lines_per_write: u64) -> Self {
        let (runtime, dispatch, taken) = (runtime.handle().clone(), Arc::default(), Arc::default());
        Self { runtime, dispatch, lines_per_write, logs_at_flush: false, taken }
    }

    fn client_logs(&self) {
        let (dispatch, lines) = (Arc::clone(&self.dispatch), self.lines_per_write);
        self.runtime.spawn(async move {
            within(dispatch.wait(), || {
                (0..lines).for_each(|seq| tracing::info!(target: "client", thread = CLIENT, seq, "sent"));
            });
        });
    }
}

impl Sink for Shared {
    fn write(&mut self, lines: &mut Lines) -> Result<Next, Error> {
        self.client_logs();
        self.taken.lock().unwrap().extend_from_slice(lines.as_bytes());
        lines.advance(lines.as_bytes().len());
        Ok(Next::Done)
    }

    fn control(&mut self, control: Control) -> Result<(), Error> {
        if self.logs_at_flush && control == Control::Flush {
            self.client_logs();
        }
        Ok(())
    }

    fn profile(&self) -> Profile {
        Profile::new("shared")
    }
}

fn runtime() -> Runtime {
    Builder::new_multi_thread().worker_threads(2).build().unwrap()
}

#[track_caller]
fn one_line_leads_to_at_most_two(lines_per_write: u64, logs_at_flush: bool) {
    let runtime = runtime();
    let sink = Shared { logs_at_flush, ..Shared::new(&runtime, lines_per_write) };
    let dispatch = Arc::clone(&sink.dispatch);
    let (built, guard) = built(spanline::builder().output(Output::new(sink)));
    dispatch.set(built.clone()).unwrap();
    let handle = guard.handle();
    for lines in 1..=3 {
        within(&built, || log(Level::INFO, 0, lines));
        std::thread::sleep(Duration::from_millis(300));
        let books = balanced(&handle.metrics());
        assert!((lines..=2 * lines).contains(&books.written.total()), "{lines} logged: {books:#?}");
    }
    let (emitted, calm) = (balanced(&handle.metrics()).emitted.total(), Duration::from_millis(300));
    std::thread::sleep(calm);
    assert_eq!(balanced(&handle.metrics()).emitted.total(), emitted, "nobody logs, and the client is silent");
    guard.close().unwrap();
    let books = balanced(&handle.metrics());
    assert!(books.dropped.reason(Reason::OwnThread).total() > 0, "{books:#?}");
}

#[test]
fn promise_43_one_line_leads_to_at_most_two_when_a_client_logs_on_a_shared_runtime() {
    one_line_leads_to_at_most_two(1, false);
}

#[test]
fn promise_43_one_line_leads_to_at_most_two_when_a_client_logs_much_and_at_each_flush() {
    one_line_leads_to_at_most_two(3, true);
}

#[test]
fn promise_43_a_busy_program_loses_no_line_beside_a_sink_that_echoes() {
    const THREADS: u64 = 4;
    const EACH: u64 = 5_000;
    let runtime = runtime();
    let sink = Shared::new(&runtime, 1);
    let (dispatch, taken) = (Arc::clone(&sink.dispatch), Arc::clone(&sink.taken));
    let output = Output::new(sink).overflow(Overflow::Block { max_wait: PATIENCE });
    let (built, guard) = built(spanline::builder().filter("trace").output(output));
    dispatch.set(built.clone()).unwrap();
    let handle = guard.handle();
    std::thread::scope(|scope| {
        for thread in 0..THREADS {
            let built = &built;
            scope.spawn(move || {
                within(built, || {
                    for seq in 0..EACH {
                        log(LEVELS[(seq / 7) as usize % 5], thread, seq);
                        if seq % 500 == 0 {
                            std::thread::sleep(Duration::from_millis(10 * thread));
                        }
                    }
                });
            });
        }
    });
    guard.close().unwrap();
    let books = balanced(&handle.metrics());
    let lines = read(&String::from_utf8(taken.lock().unwrap().clone()).unwrap());
    let own = lines.iter().filter(|line| line.thread != CLIENT && !line.is_notice()).count() as u64;
    assert_eq!(own, THREADS * EACH, "{books:#?}");
}

/// Bursts from several call sites, some of them while the sink is at work on those before.
#[test]
fn promise_43_a_program_that_logs_little_loses_no_line_either() {
    let taken = Arc::<Mutex<u64>>::default();
    let count = Arc::clone(&taken);
    let output = Output::new(move |lines: &mut Lines| {
        std::thread::sleep(Duration::from_millis(5));
        *count.lock().unwrap() += lines.iter().count() as u64;
        lines.advance(lines.as_bytes().len());
        Ok(Next::Done)
    });
    let (built, guard) = built(spanline::builder().filter("trace").output(output));
    within(&built, || {
        for request in 0..8 {
            for (step, level) in LEVELS.into_iter().rev().enumerate() {
                log(level, 0, request);
                std::thread::sleep(Duration::from_millis(if step == 0 { 6 } else { 1 }));
            }
            std::thread::sleep(Duration::from_millis(120));
        }
    });
    let handle = guard.handle();
    guard.close().unwrap();
    let books = balanced(&handle.metrics());
    assert_eq!((books.written.total(), *taken.lock().unwrap()), (40, 40), "{books:#?}");
}

/// Each line is logged from another call site, as soon as the one before was written: for other sinks, an echo.
#[test]
fn promise_43_the_brake_does_not_act_on_plain_sinks() {
    let memory = Memory::new();
    let (built, guard) = built(spanline::builder().filter("trace").output(Output::new(memory.clone())));
    within(&built, || {
        for (written, level) in (1..).zip(LEVELS) {
            log(level, 0, written);
            until("written", || memory.text().lines().count() as u64 == written);
        }
    });
    let handle = guard.handle();
    guard.close().unwrap();
    assert_eq!(balanced(&handle.metrics()).dropped.total(), 0);
}
