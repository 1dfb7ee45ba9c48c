#![doc = include_str!("../README.md")]
//!
//! # The way of a line
//!
//! ```text
//!    the thread that logs                      |   the worker thread of each output
//!                                              |
//!    tracing event                             |
//!      └ Layer    capture: typed fields,       |
//!                 time, context (no text       |
//!                 rendering, no I/O)           |
//!         └ queue  one copy into a batch       |
//!                  bounded in bytes, for       |
//!                  each output             ────┼─► take the batch
//!                                              |     └ Schema   Record → line (JSON, console …)
//!                                              |         └ Sink   Lines → the world; may block,
//!                                              |                  fail, retry; nobody else waits
//! ```
//!
//! 1. [`builder()`] or [`init`] puts it together: [`Output`]s, each a [`Sink`](sink::Sink) with a [`Schema`](schema::Schema) and a queue before it,
//!    and a [`Layer`] that feeds them.
//! 2. The [`Layer`] captures: integers stay integers; only what is logged with `?` and `%` becomes text at once. A span
//!    is captured when it is opened, and its events share it. [`SpanExt`] adds fields that a span does not declare.
//! 3. A [`Record`](record::Record) waits in its output's queue, which holds so many bytes and no more. [`Overflow`] says what happens
//!    when it is full.
//! 4. The worker lets the [`Schema`](schema::Schema) render it: [`Flat`](schema::Flat) JSON, [`Console`](schema::Console), those of other readers ([`schema`]), or your own. What the spans hand down, the
//!    [`Context`](record::Context), is rendered once and reused.
//! 5. The [`Sink`](sink::Sink) takes the [`Lines`](sink::Lines) to the world: [`Stdout`], [`Stderr`], [`RollingFile`], [`Writer`](sink::Writer)
//!    (any `io::Write`), [`Memory`](sink::Memory) (for tests), or your own.
//! 6. The [`Guard`] ends the log; a [`Handle`] controls it while it runs; [`Metrics`](metrics::Metrics) counts what came of every line,
//!    lost ones by [`Reason`](metrics::Reason).
//!
//! An [`Appender`] has the same queue, worker and sink for the lines that another formatter makes.
//!
//! # What costs what
//!
//! - A call site that no output wants: a load and a compare, as in `tracing` itself.
//! - An event: a copy of its values, a clock read, a look at the current span, one uncontended lock and one more copy
//!   for each output that wants it. No allocation, no system call; a wake-up only when the worker sleeps, or for an
//!   ERROR.
//! - A call of a synchronous output: two changes of threads and the write, 10 to 50 µs on two cores; what threads log
//!   at the same time is written together.
//! - A span: one allocation for what it hands down and one to keep it with the span.
//! - Context variables, by [`with`], or a [`TraceContext`](propagate::TraceContext) that is entered: a span, and one allocation for the fields. The
//!   worker takes longer for a line with them than for one with declared fields alone.
//! - [`Span::record`](tracing::Span::record): a copy of all that was recorded on the span so far.
//! - [`Handle::set_filter`]: rebuilds the interest of every call site once; events at call sites in use take one slower
//!   look-up afterwards. `cargo bench --bench filter` has the figures.
//!
//! # Blocking, in one place
//!
//! Logging never waits, except under [`Overflow::Block`] and for an [`Output::synchronous`], for `max_wait` at most each,
//! and after the log has ended, when the line is written before the call returns. Dropping the [`Guard`] waits as it says there; so does the end of the
//! process when the guard was not dropped. [`Handle::flush`], `sync`, `reopen` and `rotate` wait as long as they are
//! told; [`Handle::flush_async`] and `sync_async` are futures. A `fork` waits for writes under way, a second at most. Everything else returns at once.

mod appender;
mod builder;
mod complaint;
mod context;
mod direct_mapped;
pub mod docs;
mod error;
mod filter;
mod flight_recorder;
mod layer;
mod limit;
pub mod metrics;
mod outputs;
mod process;
pub mod propagate;
mod queue;
pub mod record;
mod redact;
mod rotation;
pub mod schema;
pub mod sink;
mod sync;
#[cfg(feature = "tower")]
pub mod tower;
mod values;
mod worker;

pub use appender::{Appender, LineWriter};
pub use builder::{Builder, Guard, Handle, Output, Unwritten, builder, init};
pub use error::Error;
pub use flight_recorder::FlightRecorder;
pub use layer::{Layer, SpanExt};
pub use propagate::with;
pub use queue::Overflow;
pub use record::json;
pub use redact::Redact;
pub use sink::{RollingFile, Stderr, Stdout};
pub use worker::Durability;
