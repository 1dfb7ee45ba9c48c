//! One binary for all integration tests, a file for each promise or group of them.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout, clippy::print_stderr)]
#![allow(clippy::disallowed_methods)]

mod any;
mod appender;
mod child;
mod close_lines;
mod context;
mod disasters;
mod disk;
mod durable;
mod errors;
mod exit;
mod faults;
mod filter;
mod flush;
mod flush_async;
mod fork;
mod golden;
mod held_back;
mod hostile;
#[cfg(feature = "axum")]
mod http;
mod inherit;
mod ledger;
mod load;
mod log_crate;
mod loss;
mod monitoring;
#[cfg(feature = "opentelemetry")]
mod otel;
mod outputs;
mod own_thread;
mod panics;
mod read;
mod record;
mod repeats;
mod repository;
mod rotate;
mod schemas;
mod secrets;
mod sequences;
mod shutdown;
mod sigkill;
mod signals;
mod stage;
mod strict;
mod synchronous;
mod text;
mod witness;
