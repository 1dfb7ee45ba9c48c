//! The same work for several items at the same time.

use std::num::NonZeroUsize;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread;

use crate::report::Report;
use crate::scan::Progress;

/// More files at the same time would only make more parts that ClickHouse has to merge.
const MAX_THREADS: usize = 4;

/// Does the same work for each item, and shows how far it is. `bytes`: how many the items have.
///
/// Returns the results in the order of items; [`PANICKED`] for what a thread has not done.
pub(super) fn in_parallel<I: Send, T: Send>(
    items: Vec<I>,
    bytes: u64,
    report: &Report,
    work: impl Fn(I, &Sender<u64>) -> T + Sync,
) -> Vec<Result<T, String>> {
    let count = items.len();
    let threads = thread::available_parallelism().map_or(1, NonZeroUsize::get).min(MAX_THREADS).min(count);
    let mut progress = Progress::new(bytes);
    let (sender, done) = channel();
    let items = Mutex::new(items.into_iter().enumerate());
    let mut results: Vec<_> = std::iter::repeat_with(|| Err(PANICKED.to_owned())).take(count).collect();
    let finished = thread::scope(|scope| {
        let spawn = |_| {
            let (items, work, sender) = (&items, &work, sender.clone());
            scope.spawn(move || {
                let next = || next_of(items);
                std::iter::from_fn(next).map(|(place, item)| (place, work(item, &sender))).collect::<Vec<_>>()
            })
        };
        let handles: Vec<_> = (0..threads).map(spawn).collect();
        drop(sender);
        loop {
            match done.recv_timeout(progress.interval()) {
                Ok(bytes) => progress.add(bytes),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => break,
            }
            progress.show(report);
        }
        handles.into_iter().filter_map(|handle| handle.join().ok()).flatten().collect::<Vec<_>>()
    });
    progress.clear(report);
    for (place, result) in finished {
        if let Some(slot) = results.get_mut(place) {
            *slot = Ok(result);
        }
    }
    results
}

const PANICKED: &str = "a thread that loads has panicked";

#[expect(clippy::disallowed_methods, reason = "the one lock of the threads that load, which ignores poisoning")]
fn next_of<I>(items: &Mutex<impl Iterator<Item = I>>) -> Option<I> {
    items.lock().unwrap_or_else(PoisonError::into_inner).next()
}
