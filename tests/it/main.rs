//! One binary for all integration tests, a folder per chapter.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout, clippy::print_stderr)]
#![allow(clippy::disallowed_methods)]

mod api;
mod context;
mod files;
mod loss;
mod process;
mod repository;
mod schemas;
mod sinks;
mod support;
mod text;
