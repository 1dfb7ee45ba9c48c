//! Captures what a test logs, as records.
//!
//! [`capture`] runs a closure, [`capture_async`] a future. Both return what was logged inside, in order, and what the code
//! returned. There is no global subscriber, so tests run in parallel. The lines are also printed: the test harness shows
//! them when the test fails.
//!
//! ```
//! use spanline::testing::capture;
//!
//! fn load_order(id: u64) -> Option<u64> {
//!     tracing::info_span!("request", request_id = "r-1").in_scope(|| tracing::info!(id, "order loaded"));
//!     Some(id)
//! }
//!
//! let log = capture(|| load_order(7));
//! assert_eq!(log.value, Some(7));
//! log.assert_no_errors();
//! assert!(log.contains("order loaded"));
//! assert_eq!(log[0].fields["id"], 7);
//! assert_eq!(log[0].context.fields["request_id"], "r-1");
//! ```
//!
//! The page [*Testing*](crate::docs::testing) has more. All levels of all targets are captured. Secrets are
//! redacted, as in any log. What an inner capture has, an outer one has not.
//!
//! # Threads and tasks
//!
//! A capture is the default subscriber of one thread, or of one future. Code that starts a thread or a task takes it
//! along with [`carry`](crate::propagate::carry), [`Scope`](crate::propagate::Scope) or, with the feature `tokio`,
//! `propagate::task::spawn`. Where the code calls `tokio::spawn` itself, capture the whole runtime:
//!
//! ```
//! use spanline::testing::capture;
//!
//! let runtime = tokio::runtime::Builder::new_current_thread().build()?;
//! let log = capture(|| runtime.block_on(async { tokio::spawn(async { tracing::info!("in a task") }).await }));
//! assert!(log.contains("in a task"));
//! # Ok::<(), std::io::Error>(())
//! ```

mod capture;
mod captured;
mod collect;
mod fields;
mod record;

pub use capture::{capture, capture_async};
pub use captured::Captured;
pub use fields::Fields;
pub use record::{Context, Record};
