#![doc = include_str!("docs_links.md")]
#![doc = include_str!("../README.md")]
//!
//! # Where is what
//!
//! | you want to | look at |
//! |---|---|
//! | have a log in one line, and know what it does | [`init`] |
//! | set up outputs, a service and a filter | [`builder()`], [`Builder`], [`Output`] |
//! | end the log, or wait for its lines | [`Guard`], [`Handle::flush`], [`Handle::sync`] |
//! | write a file that rotates, is compressed, is removed | [`RollingFile`], [`sink::Route`] |
//! | write elsewhere: a server, a database, memory | [`sink`] |
//! | keep lines while a server is away | [`sink::Spool`], [`sink::Fallback`] |
//! | choose how lines look, or rename keys | [`schema`], [`schema::Template`], [`schema::Edits`] |
//! | write a sink or a schema | [`sink::Sink`], [`schema::Custom`], [`schema::Schema`] |
//! | choose what is logged | [`Builder::filter`], [`Output::output_filter`], [the directives](docs::filters) |
//! | change that while it runs | [`Handle::set_filter`], [`Handle::set_filter_for`], [from outside](docs::control) |
//! | write fewer lines | [`Sampling`], [`Builder::rate_limit`], [`Output::deduplicate`] |
//! | see detail of requests that fail only | [`FlightRecorder`] |
//! | take ids from HTTP requests, and pass them on | [`tower::ServerLayer`], [`tower::ClientLayer`], [`tower::inject`] |
//! | take ids through queues and jobs | [`propagate::TraceContext`] |
//! | know the current ids | [`propagate::context`] |
//! | take the span into threads and tasks | [`propagate::carry`], [`propagate::task`], [`propagate::Scope`] |
//! | add a field to everything below | [`with`], [`SpanExt`], [`Builder::static_field`] |
//! | log nested data | [`json`] |
//! | log errors, panics, backtraces, times of spans | [failures](docs::failures), [`Builder::backtrace`], [`Builder::span_close`] |
//! | keep secrets out, or readable for few | [`Redact`], [`Builder::seal_fields`], [`RollingFile::seal_to`] |
//! | lose nothing: audit logs, power cuts | [`Output::synchronous`], [`Durability`] |
//! | know what is lost, and why | [`Overflow`], [`metrics::Metrics`], [`metrics::Reason`] |
//! | export counters | [`metrics::Metrics::to_prometheus`], [`metrics::Metrics::publish`] |
//! | describe the log in a file, for each environment | [`config`], [`Builder::from_file`], [`Builder::watch`] |
//! | test what code logs | [`testing::capture`], [`testing::capture_async`] |
//! | read a log back, or follow it | [`read::Log`], [`read::Follow`] |
//! | use it beside other layers, or in a test | [`Builder::build`], [`Builder::opentelemetry`] |
//! | keep what is logged before the log | [`early()`] |
//! | use another formatter with the queue and files | [`Output::appender`] |
//! | tell errors apart | [`Error`] |
//! | choose features, and know their cost | [features](docs::features) |
//! | read a page on a topic | [the book](docs::index), [short answers](docs::faq) |
//!
//! # The path of a line
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
//!                                              |         └ Sink   Lines → destination; may block,
//!                                              |                  fail, retry; delays no one else
//! ```
//!
//! 1. [`builder()`] or [`init`] sets up the log: [`Output`]s, each a [`Sink`](sink::Sink) with a
//!    [`Schema`](schema::Schema) and a queue, and a [`Layer`] that feeds them.
//! 2. The [`Layer`] captures an event. Integers stay integers; only values logged with `?` and `%` become text at once.
//!    A span is captured when it opens, and its events share it. [`SpanExt`] adds fields that a span does not declare.
//! 3. The [`Record`](record::Record) waits in the output's queue, which is bounded in bytes. [`Overflow`] decides what
//!    happens when the queue is full.
//! 4. The worker renders the record with the output's [`Schema`](schema::Schema): [`Flat`](schema::Flat) JSON,
//!    [`Console`](schema::Console), another [`schema`], or your own. The [`Context`](record::Context), which the spans
//!    pass on, is rendered once and reused.
//! 5. The [`Sink`](sink::Sink) delivers the [`Lines`](sink::Lines): [`Stdout`], [`Stderr`], [`RollingFile`],
//!    [`Writer`](sink::Writer) (any `io::Write`), [`Memory`](sink::Memory) (for tests), or your own.
//! 6. The [`Guard`] ends the log. A [`Handle`] controls it while it runs. [`Metrics`](metrics::Metrics) counts what
//!    happened to every line, and the lost ones by [`Reason`](metrics::Reason).
//!
//! An [`Appender`] uses the same queue, worker and sink for lines that another formatter renders.
//!
//! # Costs
//!
//! - A call site that no output wants costs a load and a compare, as in `tracing` itself.
//! - An event costs a copy of its values, a clock read, a look at the current span, and for each output that wants it,
//!   one uncontended lock and one more copy. It makes no allocation and no system call. It wakes the worker only if the
//!   worker sleeps, or for an ERROR.
//! - A call that logs to a synchronous output costs two thread switches and the write. Lines that several threads log
//!   at the same time are written together.
//! - A span costs one allocation for what it passes on, and one to store it.
//! - Context variables, by [`with`] or an entered [`TraceContext`](propagate::TraceContext), cost a span and one
//!   allocation for the fields. The worker takes longer for a line with them than for a line with only declared fields.
//! - [`Span::record`](tracing::Span::record) costs a copy of everything recorded on the span so far.
//! - [`Handle::set_filter`] rebuilds the interest of every call site once. Afterwards, the next event at each call site
//!   in use takes one slower look-up. `cargo bench --bench filter` prints the figures.
//!
//! # Blocking
//!
//! Most calls return at once. These can wait:
//!
//! - Logging waits at most `max_wait` under [`Overflow::Block`], and at most `max_wait` for an [`Output::synchronous`].
//!   After the log has ended, a thread that logs writes its own line.
//! - Dropping the [`Guard`] waits as documented there. So does the end of the process if the guard was not dropped.
//! - [`Handle::flush`], `sync`, `reopen` and `rotate` wait at most their timeout. [`Handle::flush_async`] and
//!   `sync_async` are futures.
//! - A `fork` waits for writes in progress, at most one second.
#![cfg_attr(docsrs, feature(doc_cfg))]

mod addresses;
mod advice;
mod appender;
mod builder;
mod byte_size;
mod complaint;
#[cfg(feature = "config")]
pub mod config;
mod context;
mod control;
mod direct_mapped;
pub mod docs;
mod error;
mod filter;
mod flight_recorder;
mod fork;
mod init;
mod layer;
mod limit;
pub mod metrics;
mod names;
mod outputs;
mod process;
pub mod propagate;
mod queue;
pub mod read;
pub mod record;
mod redact;
mod redaction;
mod rotation;
pub mod schema;
#[cfg(feature = "sealed")]
pub mod sealed;
#[cfg(feature = "sealed")]
mod sealing;
#[cfg(feature = "config")]
mod settings;
pub mod sink;
mod sync;
pub mod testing;
mod time_zone;
#[cfg(feature = "tower")]
pub mod tower;
mod values;
mod worker;

pub use appender::{Appender, LineWriter};
pub use builder::{Builder, Early, JournalPrefix, Output, builder, early};
pub use byte_size::ByteSize;
#[cfg(feature = "config")]
pub use control::Reloaded;
pub use control::{Guard, Handle};
pub use error::Error;
pub use filter::IntoFilter;
pub use flight_recorder::FlightRecorder;
pub use init::init;
pub use layer::{Layer, SpanExt};
pub use limit::Sampling;
pub use propagate::with;
pub use queue::Overflow;
pub use record::json;
#[cfg(feature = "sealed")]
pub use record::sealed;
pub use redact::Redact;
pub use sink::{RollingFile, Stderr, Stdout};
pub use worker::Durability;
