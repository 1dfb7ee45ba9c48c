//! One binary for all integration tests, a file for each promise or group of them.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout, clippy::print_stderr)]
#![allow(clippy::disallowed_methods)]

mod child;
mod filter;
mod golden;
mod hostile;
mod inherit;
#[cfg(feature = "log")]
mod log_crate;
mod record;
mod repository;
mod rotate;
mod stage;
mod strict;
mod text;
