//! One binary for all integration tests, a folder per chapter.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout, clippy::print_stderr)]
#![allow(clippy::disallowed_methods)]
#![cfg_attr(not(unix), allow(dead_code, unused_imports, unused_mut, reason = "only tests of Unix use it"))]

/// The name of the test that calls it, as the test harness knows it. A test passes it to the process that runs it again.
macro_rules! this_test {
    () => {{
        fn here() {}
        let path = std::any::type_name_of_val(&here);
        path.strip_prefix("it::").and_then(|path| path.strip_suffix("::here")).unwrap()
    }};
}

mod api;
#[cfg(all(
    feature = "config",
    feature = "http",
    feature = "postgres",
    feature = "spool",
    feature = "sqlite",
    feature = "syslog"
))]
mod config;
mod context;
mod figures;
mod files;
mod loss;
mod process;
mod repository;
mod schemas;
#[cfg(feature = "sealed")]
mod sealed;
mod sinks;
mod support;
mod text;
