//! The program that logs: four threads place numbered orders until stdin is closed or the process is killed.
//!
//! After each call, a separate system call records how many lines the thread has logged. This witness survives any end of
//! the process. At a regular end, the program also passes on the log's counters.

use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use tracing::{info, info_span};

use super::Scenario;
use super::books::Counted;

/// The number of lines that each thread has logged.
pub(super) type Logged = [u64; THREADS];

const THREADS: usize = 4;

/// How long the end waits for a stuck output: shorter than in a service, as a person is watching.
const SHUTDOWN: Duration = Duration::from_secs(1);

/// Logs in `directory` until stdin is closed.
pub(super) fn run(scenario: &Scenario, directory: &Path) -> io::Result<()> {
    let outputs = (scenario.outputs)(&directory.join("logs"));
    // The witness counts every line: no variable may hide one.
    let builder = spanline::builder().service("orders").filter("info").filter_variable(None);
    let builder = builder.shutdown_timeout(SHUTDOWN, 20 * SHUTDOWN);
    let guard = outputs.into_iter().fold(builder, spanline::Builder::output).init().map_err(io::Error::other)?;
    let handle = guard.handle();
    let witness = File::options().create(true).truncate(false).write(true).open(directory.join("witness"))?;

    let stop = AtomicBool::new(false);
    thread::scope(|scope| {
        for thread in 0..THREADS as u64 {
            let (witness, stop) = (&witness, &stop);
            scope.spawn(move || place_orders(thread, witness, stop));
        }
        let end = io::stdin().read_to_end(&mut Vec::new());
        stop.store(true, Ordering::Relaxed);
        end
    })?;

    // An error only repeats what the counters say.
    let _ = guard.close();
    let counted: Vec<_> = handle.metrics().outputs.iter().map(Counted::from).collect();
    fs::write(directory.join("counted.json"), serde_json::to_vec(&counted)?)
}

fn place_orders(thread: u64, witness: &File, stop: &AtomicBool) -> io::Result<()> {
    let client = std::process::id();
    let _span = info_span!("request", client, thread).entered();
    for number in 0u64.. {
        if stop.load(Ordering::Relaxed) {
            break;
        }
        info!(number, item = "coffee", "order placed");
        witness.write_all_at(&(number + 1).to_ne_bytes(), thread * 8)?;
        if number % 10 == 0 {
            thread::park_timeout(Duration::from_millis(3));
        }
    }
    Ok(())
}

/// Returns what the program in `directory` has recorded so far.
pub(super) fn witnessed(directory: &Path) -> Logged {
    let bytes = fs::read(directory.join("witness")).unwrap_or_default();
    let mut counts = bytes.chunks_exact(8).map(|count| u64::from_ne_bytes(count.try_into().unwrap_or_default()));
    std::array::from_fn(|_| counts.next().unwrap_or(0))
}
