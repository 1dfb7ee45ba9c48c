//! Runs code with a log that captures.

use std::future::Future;
use std::time::Duration;

use tracing::instrument::WithSubscriber;
use tracing::level_filters::LevelFilter;
use tracing::{Dispatch, dispatcher};
use tracing_subscriber::layer::SubscriberExt;

use super::captured::Captured;
use super::collect::{Collect, Printed, Records};
use crate::builder::{Output, builder};
use crate::control::Guard;
use crate::queue::Overflow;

/// Runs `run` and returns what it logs.
///
/// # Panics
/// The system starts no thread for the log.
///
/// # Examples
/// ```
/// use spanline::testing::capture;
/// use tracing::{Level, warn};
///
/// let log = capture(|| warn!(attempt = 2, "order not loaded, trying again"));
/// log.assert_no_errors();
/// let record = log.find("not loaded").unwrap();
/// assert_eq!((record.level, record.field("attempt")), (Level::WARN, Some(&2.into())));
/// ```
pub fn capture<T>(run: impl FnOnce() -> T) -> Captured<T> {
    let log = Log::start();
    let value = dispatcher::with_default(&log.dispatch, run);
    log.end(value)
}

/// Runs a future and returns what it logs, on any thread of any runtime.
///
/// # Panics
/// The system starts no thread for the log.
///
/// # Examples
/// ```
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// use spanline::testing::capture_async;
///
/// async fn load_order(id: u64) {
///     tracing::info!(id, "order loaded");
/// }
///
/// let log = capture_async(load_order(7)).await;
/// assert_eq!(log[0].fields["id"], 7);
/// # });
/// ```
pub async fn capture_async<F: Future>(future: F) -> Captured<F::Output> {
    let log = Log::start();
    let value = future.with_subscriber(log.dispatch.clone()).await;
    log.end(value)
}

/// How long a capture waits for room, and at its end. A test that takes longer has stopped.
const PATIENCE: Duration = Duration::from_secs(60);

/// Memory for events that are not printed yet.
const QUEUE_BYTES: u64 = 256 << 20;

/// The longest line that a log may have: longer than any record that fits the queue becomes.
const LINE_BYTES: u64 = 1 << 30;

/// A log that captures. While a panic unwinds, dropping it prints what is left.
struct Log {
    dispatch: Dispatch,
    guard: Guard,
    records: Records,
}

impl Log {
    #[expect(clippy::panic, reason = "it fails a test")]
    fn start() -> Self {
        let records = Records::default();
        let output = Output::new(Printed)
            .schema(Collect::new(records.clone()))
            .overflow(Overflow::Block { max_wait: PATIENCE })
            .queue_bytes(QUEUE_BYTES);
        let builder = builder().filter(LevelFilter::TRACE).context_level(LevelFilter::TRACE).output(output);
        let builder = builder.max_line_bytes(LINE_BYTES).shutdown_timeout(PATIENCE, PATIENCE);
        match builder.build() {
            Ok((layer, guard)) => {
                Self { dispatch: Dispatch::new(tracing_subscriber::registry().with(layer)), guard, records }
            }
            Err(error) => panic!("cannot capture: {error}"),
        }
    }

    #[expect(clippy::panic, reason = "it fails a test")]
    fn end<T>(self, value: T) -> Captured<T> {
        if let Err(error) = self.guard.close() {
            panic!("not everything was captured: {error}");
        }
        Captured::new(value, self.records.take())
    }
}
