//! How work grows with its input, in processor time of the threads that do it. Other threads and programs do not count.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use spanline::sink::{Control, Lines, Next, Profile, Sink};
use spanline::{Builder, Error, Guard, Output};
use tracing::Dispatch;
use tracing::dispatcher::with_default;
use tracing_subscriber::prelude::*;

use crate::support::wait::PATIENCE;

/// Four times the input may take this many times the work. In proportion it is 4, with the square 16.
const MOST: u32 = 7;

/// Work that seems to grow faster is measured again, each time with twice the input: what disturbed it passes, a square
/// does not.
const ATTEMPTS: u32 = 3;

/// The least of this many measurements counts.
const REPEATS: usize = 3;

/// The time that this thread has worked.
pub(crate) fn worked() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    Duration::new(u64::try_from(time.tv_sec).unwrap(), u32::try_from(time.tv_nsec).unwrap())
}

/// Returns the time that this thread works on `run`.
pub(crate) fn work_of(run: impl FnOnce()) -> Duration {
    let before = worked();
    run();
    worked() - before
}

/// Asserts that work grows in proportion to its input. `work` does it with an input of some size, and returns its time.
#[track_caller]
pub(crate) fn assert_linear(what: &str, size: usize, work: impl FnMut(usize) -> Duration) {
    growth(what, size, usize::MAX, work).unwrap_or_else(|why| panic!("{why}"));
}

/// Returns an error with the times if work grows faster than its input, which has from `size` up to `largest`.
pub(crate) fn growth(
    what: &str,
    mut size: usize,
    largest: usize,
    mut work: impl FnMut(usize) -> Duration,
) -> Result<(), String> {
    // What is prepared once does not count.
    work(size);
    let mut seen = String::new();
    for _ in 0..ATTEMPTS {
        let mut least = [Duration::MAX; 3];
        for _ in 0..REPEATS {
            for (least, times) in least.iter_mut().zip([1, 2, 4]) {
                *least = work(size * times).min(*least);
            }
            // The smallest input counts twice at least: one slow measurement of it must not hide a square.
            least[0] = work(size).min(least[0]);
            if least[2] < least[0] * MOST {
                return Ok(());
            }
        }
        seen += &format!("\n{size}: {:?}, twice: {:?}, four times: {:?}", least[0], least[1], least[2]);
        size = (2 * size).min(largest / 4);
    }
    Err(format!("{what}: the work grows faster than its input:{seen}"))
}

/// A log whose work is measured: that of the thread that logs, and that of the worker.
pub(crate) struct Measured {
    pub(crate) guard: Guard,
    dispatch: Dispatch,
    worker: Arc<Mutex<Duration>>,
}

impl Measured {
    pub(crate) fn new(builder: Builder, output: impl FnOnce(Metered<Nowhere>) -> Output) -> Self {
        Self::with_sink(builder, Nowhere, output)
    }

    pub(crate) fn with_sink<S: Sink>(builder: Builder, sink: S, output: impl FnOnce(Metered<S>) -> Output) -> Self {
        let worker = Arc::default();
        let output = output(Metered { sink, worker: Arc::clone(&worker) });
        let (layer, guard) = builder.output(output.queue_bytes(1 << 30)).build().unwrap();
        Self { guard, dispatch: Dispatch::new(tracing_subscriber::registry().with(layer)), worker }
    }

    /// Returns the work on what `run` logs.
    pub(crate) fn work(&self, run: impl FnOnce()) -> Duration {
        let before = self.flush();
        let caller = with_default(&self.dispatch, || work_of(run));
        caller + self.flush() - before
    }

    /// Returns the time that the worker has worked.
    fn flush(&self) -> Duration {
        self.guard.handle().flush(PATIENCE).unwrap();
        *self.worker.lock().unwrap()
    }
}

/// A sink that notes how long its worker has worked.
pub(crate) struct Metered<S> {
    sink: S,
    worker: Arc<Mutex<Duration>>,
}

impl<S: Sink> Sink for Metered<S> {
    fn write(&mut self, lines: &mut Lines) -> Result<Next, Error> {
        let next = self.sink.write(lines);
        *self.worker.lock().unwrap() = worked();
        next
    }

    fn control(&mut self, control: Control) -> Result<(), Error> {
        let done = self.sink.control(control);
        if control != Control::Open {
            *self.worker.lock().unwrap() = worked();
        }
        done
    }

    fn profile(&self) -> Profile {
        self.sink.profile()
    }
}

/// Takes lines and forgets them.
pub(crate) struct Nowhere;

impl Sink for Nowhere {
    fn write(&mut self, lines: &mut Lines) -> Result<Next, Error> {
        lines.advance(lines.as_bytes().len());
        Ok(Next::Done)
    }
}
