//! The queue's claims: a push is one lock and one copy; a worker that sleeps is woken, one that polls looks every 5 to 80 ms,
//! and for an ERROR at once.
//!
//! `cargo bench --all-features --bench queue`: the appender hands ready-made lines to the queue and does nothing else
//! but gather each in a `Vec` and read the clock. Beside it, in turns: `tracing_appender::non_blocking`, and one
//! `Mutex<Vec<u8>>` that all threads append to, the least that keeps lines together. Medians of the rounds are
//! printed, with the ratio to ours.

#![allow(clippy::expect_used, clippy::print_stdout, clippy::disallowed_methods)]

use std::hint::black_box;
use std::io::{self, Write};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Barrier, Mutex, PoisonError};
use std::time::{Duration, Instant};

use spanline::sink::Sink;
use spanline::sink::{Lines, Next};
use spanline::{Appender, Error, Guard, Output};
use tracing::{Metadata, error_span};
use tracing_appender::non_blocking::{NonBlocking, NonBlockingBuilder, WorkerGuard};
use tracing_subscriber::fmt::MakeWriter;

const ROUNDS: usize = 15;
/// Of all threads in a round: fewer than `non_blocking` holds, and waited for between rounds.
const PUSHES: usize = 40_000;
/// Room for a round's lines: a queue more than half full wakes its worker.
const MAX_BYTES: usize = 64 << 20;
/// The Mutex's buffer begins anew here.
const BUFFER_BYTES: usize = 1 << 20;

/// Queues that fall asleep side by side, as each takes a while for it.
const SLEEPERS: usize = 50;
const WAKE_ROUNDS: usize = 4;
const POLLED: usize = 200;
/// A worker sleeps after some rounds of polling without a line.
const ASLEEP_AFTER: Duration = Duration::from_millis(300);

fn main() {
    println!("{:28} {:>10} {:>21} {:>21}", "ns per push", "spanline", "non_blocking", "Mutex<Vec<u8>>");
    pushes();
    println!();
    println!("{:28} {:>10} {:>10}", "µs until the sink sees it", "p50", "p99");
    latencies();
}

fn pushes() {
    let line = [b"x".repeat(199), b"\n".to_vec()].concat();
    let (ours, theirs) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let (appender, _guard) =
        Output::new(Count(Arc::clone(&ours))).queue_bytes(MAX_BYTES as u64).appender().expect("an appender");
    let (non_blocking, _worker) = NonBlockingBuilder::default().lossy(false).finish(Count(Arc::clone(&theirs)));
    let buffer = Mutex::new(Vec::with_capacity(BUFFER_BYTES + line.len()));

    for threads in [1, 2, 4] {
        let mut figures = [const { Vec::new() }; 3];
        for round in 0..=ROUNDS {
            let figure = [
                drained(&ours, line.len(), || push(threads, || write(&appender, &line))),
                drained(&theirs, line.len(), || push(threads, || write(&non_blocking, &line))),
                push(threads, || append(&buffer, &line)),
            ];
            // The first round touches the memory.
            if round > 0 {
                figures.iter_mut().zip(figure).for_each(|(figures, figure)| figures.push(figure));
            }
        }
        let [ours, theirs, least] = figures.map(|figures| at(figures, 50));
        println!(
            "threads: {threads}, {}-byte lines    {ours:10.0} {theirs:10.0} ({:4.2} ours) {least:10.0} ({:4.2} ours)",
            line.len(),
            theirs / ours,
            least / ours
        );
    }
}

/// Nanoseconds that a push takes the thread that pushes.
fn push(threads: usize, push: impl Fn() + Sync) -> f64 {
    let start = Barrier::new(threads);
    let each = PUSHES / threads;
    let took = std::thread::scope(|scope| {
        let pushing = || {
            start.wait();
            let begun = Instant::now();
            (0..each).for_each(|_| push());
            begun.elapsed()
        };
        let handles: Vec<_> = (0..threads).map(|_| scope.spawn(pushing)).collect();
        handles.into_iter().map(|handle| handle.join().expect("no panic")).sum::<Duration>()
    });
    took.as_nanos() as f64 / (threads * each) as f64
}

/// Waits, untimed, until the sink has all that was pushed.
fn drained(seen: &AtomicUsize, line_bytes: usize, push: impl FnOnce() -> f64) -> f64 {
    let expected = seen.load(Ordering::Acquire) + PUSHES * line_bytes;
    let figure = push();
    while seen.load(Ordering::Acquire) < expected {
        std::thread::sleep(Duration::from_millis(1));
    }
    figure
}

fn write<'a>(writer: &'a impl MakeWriter<'a>, line: &[u8]) {
    writer.make_writer().write_all(black_box(line)).expect("taken");
}

fn append(buffer: &Mutex<Vec<u8>>, line: &[u8]) {
    let mut buffer = buffer.lock().unwrap_or_else(PoisonError::into_inner);
    if buffer.len() > BUFFER_BYTES {
        buffer.clear();
    }
    buffer.extend_from_slice(black_box(line));
}

fn latencies() {
    let (sender, seen) = mpsc::channel();
    let sleepers: Vec<_> = (0..SLEEPERS).map(|_| appender(&sender)).collect();
    let (theirs, _worker) = non_blocking(&sender);
    let error = error_metadata();
    let (mut asleep, mut polling, mut urgent, mut channel) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for _ in 0..WAKE_ROUNDS {
        std::thread::sleep(ASLEEP_AFTER);
        for (appender, _guard) in &sleepers {
            asleep.push(latency(&seen, || write(appender, b"line\n")));
        }
        let (appender, _guard) = &sleepers[0];
        for turn in 0..POLLED / WAKE_ROUNDS {
            // Not in step with the polling.
            std::thread::sleep(Duration::from_micros(5_000 + turn as u64 * 137 % 5_000));
            polling.push(latency(&seen, || write(appender, b"line\n")));
            urgent.push(latency(&seen, || {
                appender.make_writer_for(error).write_all(b"line\n").expect("taken");
            }));
            channel.push(latency(&seen, || write(&theirs, b"line\n")));
        }
    }
    for (what, figures) in [
        ("worker asleep", asleep),
        ("worker polling", polling),
        ("worker polling, an ERROR", urgent),
        ("non_blocking", channel),
    ] {
        println!("{what:28} {:10.0} {:10.0}", at(figures.clone(), 50), at(figures, 99));
    }
}

/// Microseconds until the sink sees what is pushed.
fn latency(seen: &Receiver<Instant>, push: impl FnOnce()) -> f64 {
    let begun = Instant::now();
    push();
    let seen = seen.recv().expect("a line");
    seen.duration_since(begun).as_nanos() as f64 / 1e3
}

fn appender(sender: &Sender<Instant>) -> (Appender, Guard) {
    Output::new(Tell(sender.clone())).queue_bytes(64 << 10).appender().expect("an appender")
}

fn non_blocking(sender: &Sender<Instant>) -> (NonBlocking, WorkerGuard) {
    NonBlockingBuilder::default().lossy(false).finish(Tell(sender.clone()))
}

/// The metadata of a call site at ERROR.
fn error_metadata() -> &'static Metadata<'static> {
    let metadata = || error_span!("error").metadata();
    tracing::subscriber::with_default(tracing_subscriber::registry(), metadata).expect("an enabled span")
}

/// The value below which this percentage lies.
fn at(mut values: Vec<f64>, percent: usize) -> f64 {
    values.sort_by(f64::total_cmp);
    values[(values.len() * percent / 100).min(values.len() - 1)]
}

/// Counts the bytes it forgets.
struct Count(Arc<AtomicUsize>);

impl Sink for Count {
    fn write(&mut self, lines: &mut Lines) -> Result<Next, Error> {
        let bytes = lines.as_bytes().len();
        lines.advance(bytes);
        self.0.fetch_add(bytes, Ordering::Release);
        Ok(Next::Done)
    }
}

impl Write for Count {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.fetch_add(bytes.len(), Ordering::Release);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Says when it was written to.
struct Tell(Sender<Instant>);

impl Sink for Tell {
    fn write(&mut self, lines: &mut Lines) -> Result<Next, Error> {
        let _ = self.0.send(Instant::now());
        lines.advance(lines.as_bytes().len());
        Ok(Next::Done)
    }
}

impl Write for Tell {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let _ = self.0.send(Instant::now());
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
