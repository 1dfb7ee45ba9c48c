//! The program that logs: four threads place numbered orders until stdin is closed, or the end comes otherwise.
//!
//! After each call it notes, with a system call of its own, how many lines that thread has logged: a witness that is
//! there whatever becomes of the process. At the end it hands over the log's own counters.

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

/// How many lines each thread has logged.
pub(super) type Logged = [u64; THREADS];

const THREADS: usize = 4;

/// How long the end waits for an output that is stuck: shorter than a service would have it, as somebody looks on.
const SHUTDOWN: Duration = Duration::from_secs(1);

/// Logs in `directory` until stdin is closed.
pub(super) fn run(scenario: &Scenario, directory: &Path) -> io::Result<()> {
    let outputs = (scenario.outputs)(&directory.join("logs"));
    let builder = spanline::builder().service("orders").filter("info").shutdown_timeout(SHUTDOWN, 20 * SHUTDOWN);
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

    // What was left behind is in the counters, too.
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

/// What the program in `directory` has noted so far.
pub(super) fn witnessed(directory: &Path) -> Logged {
    let bytes = fs::read(directory.join("witness")).unwrap_or_default();
    let mut counts = bytes.chunks_exact(8).map(|count| u64::from_ne_bytes(count.try_into().unwrap_or_default()));
    std::array::from_fn(|_| counts.next().unwrap_or(0))
}
